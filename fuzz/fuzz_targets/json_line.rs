//! The JSON scanner against `serde_json`: the same lines accepted, the same fields read, also when
//! the scanner has learned from the lines before.
#![cfg_attr(fuzzing, no_main)]

#[path = "../../tests/files/json_library.rs"]
mod json_library;
mod shim;

use bytes::Bytes;
use json_library::Field;
use streamgauge::adapter::files::{JsonScanner, ScannedLine};
use streamgauge::row::{Row, Value};

/// Fields that share values with others, and such as do not: a line that has all of these as the
/// line before has them is read another way.
const FIELDS: [&[&str]; 3] = [&["a", "b", "/a", "/a/b", "/a/0", "/b/1/a", "", "ts"], &["b", "a"], &[]];
/// Less than `serde_json`'s own limit of 128, which it counts in another way.
const DEPTH_MAX: usize = 100;

fn check(bytes: &[u8]) {
    FIELDS.iter().for_each(|fields| check_fields(bytes, fields));
}

fn check_fields(bytes: &[u8], fields: &[&str]) {
    let mut scanner = JsonScanner::new(fields, DEPTH_MAX).expect("well-formed pointers");
    let mut row = Row::new(fields.len());
    // Near the end of the bytes nothing is compared with what is remembered, so there is something
    // after the last line.
    let block = Bytes::from([bytes, b"\n", &[b' '; 100]].concat());
    let mut start = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let scanned = scanner.scan(&block, start, &mut row);
        start += line.len() + 1;
        // What is not UTF-8 or too deep is refused on purpose; a number's size is left to its user.
        let deep = line.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() > DEPTH_MAX;
        if deep || std::str::from_utf8(line).is_err() || json_library::is_out_of_range(line) {
            continue;
        }
        let expected = json_library::read(line, fields);
        match scanned {
            Ok(ScannedLine::Record(end)) => {
                assert_eq!(end + 1, start);
                assert_eq!(Some(fields_of(&row)), expected);
            }
            Ok(ScannedLine::Blank(_)) => assert!(line.trim_ascii().is_empty()),
            Err(_) => assert_eq!(None, expected),
        }
    }
}

fn fields_of(row: &Row) -> Vec<Field> {
    let owned = |slot| match row.value(slot) {
        Value::Missing => Field::Missing,
        Value::Bool(value) => Field::Bool(value),
        Value::Number(text) => Field::Number(text.to_owned()),
        Value::Text(text) | Value::Untyped(text) | Value::Json(text) => Field::Text(text.to_owned()),
        other => panic!("JSON has types, yet {other:?} has none"),
    };
    (0..row.slots()).map(owned).collect()
}

shim::target!(check);
