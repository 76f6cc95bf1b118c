//! The JSON scanner against `serde_json`.

use super::json_library::{self, Field};
use super::{error_of, log, read};
use bytes::Bytes;
use proptest::prelude::*;
use streamgauge::ErrorKind;
use streamgauge::adapter::files::{Format, JsonScanner, ScannedLine};
use streamgauge::row::{Row, Value};

/// Fields that share values with others, and fields that do not: if a line has all of these like
/// the line before, it is read in another way.
const FIELDS: [&[&str]; 5] = [
    &["a", "b", "/a", "/a/b", "/a/0", "/b/1/a", "/~1~0", "", "ts"],
    &["a"],
    &["b", "a_rather_long_key_of_over_16", "a"],
    &["ts", "bytes", "country"],
    &[],
];

fn fields_of(row: &Row) -> Vec<Field> {
    (0..row.slots())
        .map(|slot| match row.value(slot) {
            Value::Missing => Field::Missing,
            Value::Bool(value) => Field::Bool(value),
            Value::Number(text) => Field::Number(text.to_owned()),
            Value::Text(text) | Value::Json(text) => Field::Text(text.to_owned()),
            other => panic!("JSON has types, yet {other:?} has none"),
        })
        .collect()
}

/// Scans the lines with one scanner, which learns from each line for the next, and compares every
/// line with the oracle.
fn compare(lines: &[Vec<u8>]) -> Result<(), TestCaseError> {
    FIELDS.iter().try_for_each(|fields| compare_fields(lines, fields))
}

fn compare_fields(lines: &[Vec<u8>], fields: &[&str]) -> Result<(), TestCaseError> {
    let mut scanner = JsonScanner::new(fields, 100).unwrap();
    let mut row = Row::new(fields.len());
    // Near the end of the bytes the template is not used, so bytes follow the last line.
    let bytes = Bytes::from([lines.join(&b'\n'), vec![b'\n'], vec![b' '; 100]].concat());
    let mut start = 0;
    for line in lines {
        let shown = String::from_utf8_lossy(line);
        let utf8 = std::str::from_utf8(line).is_ok();
        match scanner.scan(&bytes, start, &mut row) {
            // The caller refuses what is not UTF-8, a block at a time.
            _ if !utf8 || json_library::is_out_of_range(line) => {}
            Ok(ScannedLine::Record(end)) => {
                prop_assert_eq!(end, start + line.len());
                prop_assert_eq!(
                    Some(fields_of(&row)),
                    json_library::read(line, fields),
                    "{}",
                    shown
                );
            }
            Ok(ScannedLine::Blank(end)) => {
                prop_assert!(end == start + line.len() && line.trim_ascii().is_empty(), "{}", shown)
            }
            Err(flaw) => {
                prop_assert_eq!(json_library::read(line, fields), None, "{:?} in {}", flaw, shown)
            }
        }
        start += line.len() + 1;
    }
    Ok(())
}

fn space() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "", "", "", " ", "\t", "  ", "\r"]).prop_map(str::to_owned)
}

fn string() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "b",
        "xyz",
        "0123456789abcdef",
        "é",
        "\u{1f600}",
        "{",
        "]",
        ",",
        ":",
        "/",
        " ",
        "\\\"",
        "\\\\",
        "\\/",
        "\\n",
        "\\u0061",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\u0000",
        "\\ud83d",
        "\\ude00",
        "\\ud83d\\u0061",
        "\\u12",
        "\\x",
        "\u{1}",
        "\u{7f}",
    ];
    // Most pieces are valid, so that most strings are.
    prop::collection::vec(prop::sample::select(pieces), 0..5)
        .prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"/~\"",
        "\"\"",
        "\"ts\"",
        "\"other\"",
        "\"a_rather_long_key_of_over_16\"",
    ];
    prop_oneof![9 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => string()]
}

fn scalar() -> impl Strategy<Value = String> {
    let words = [
        "true",
        "false",
        "null",
        "0",
        "-0",
        "12",
        "-1.50",
        "1e5",
        "1E-7",
        "12345678901234567890",
        "123456789.25e+10",
    ];
    let wrong = ["01", "1.", ".5", "1e", "-", "+1", "tru", "nulll", "NaN", "'a'", ""];
    prop_oneof![
        12 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        8 => string(),
        1 => prop::sample::select(wrong.to_vec()).prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 4, |inner| prop_oneof![object(inner.clone()), array(inner)])
}

fn array(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((space(), inner, space()), 0..4).prop_map(|elements| {
        let elements: Vec<String> =
            elements.into_iter().map(|(before, value, after)| before + &value + &after).collect();
        format!("[{}]", elements.join(","))
    })
}

fn object(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((space(), key(), space(), inner, space()), 0..5).prop_map(|members| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(before, key, colon, value, after)| {
                format!("{before}{key}{colon}:{value}{after}")
            })
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

/// A line, sometimes with a byte changed, removed or inserted, or with its end cut off.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let whole = (space(), object(value()), space())
        .prop_map(|(before, object, after)| (before + &object + &after).into_bytes());
    let byte = prop_oneof![
        prop::sample::select(b"\"\\{}[]:,0 -.eE\x00\x1f\xff\xc3".to_vec()),
        any::<u8>()
    ];
    (whole, 0..8, any::<prop::sample::Index>(), byte).prop_map(|(mut line, change, index, byte)| {
        let byte = if byte == b'\n' { b' ' } else { byte };
        let at = index.index(line.len().max(1)).min(line.len());
        match change {
            0 => line.insert(at, byte),
            1 if at < line.len() => line[at] = byte,
            2 if at < line.len() => drop(line.remove(at)),
            3 => line.truncate(at),
            _ => {}
        }
        line
    })
}

proptest! {
    #![proptest_config(crate::cases(2000))]

    #[test]
    fn the_scanner_reads_what_serde_json_reads(lines in prop::collection::vec(line(), 1..8)) {
        compare(&lines)?;
    }

    #[test]
    fn lines_of_one_shape_are_read_like_other_lines(
        members in prop::collection::vec((key(), any::<bool>()), 1..12),
        rows in prop::collection::vec((prop::collection::vec(scalar(), 12), 0..40usize), 2..12),
    ) {
        // The same keys on every line, with some missing on some lines: the case for which steps
        // are remembered.
        let lines: Vec<Vec<u8>> = rows.into_iter().map(|(values, left_out)| {
            let members: Vec<String> = members.iter().zip(values).enumerate()
                .filter(|(index, ((_, optional), _))| !optional || left_out % 4 != index % 4)
                .map(|(_, ((key, _), value))| format!("{key}:{value}"))
                .collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        }).collect();
        compare(&lines)?;
    }

    /// Values as long as those before them, a byte longer or shorter, or of another kind: the case
    /// for which lengths are remembered. At most 60 lines, because no length is expected after
    /// several surprises.
    #[test]
    fn values_of_equal_lengths_are_read_like_other_values(
        length in 1usize..18, first in 0u8..10,
        rows in prop::collection::vec((0usize..6, 0usize..6, "[a\"\\\\n\u{1}é]{0,\
                                                              2}", "[0-9.eE+-]{0,2}"), 2..60),
    ) {
        let line = |(text, number, odd, tail): &(usize, usize, String, String)| {
            // Most are of the one length.
            let long = |choice: usize| match choice { 0 => length - 1, 1 => length + 1, _ => length };
            let text = if *text == 2 { "x".repeat(length.saturating_sub(odd.len())) + odd } else { "x".repeat(long(*text)) };
            let digits = format!("{first}{}", "0123456789123456789".get(..long(*number).saturating_sub(1)).unwrap_or_default());
            let number = if *number == 2 { digits + tail } else { digits };
            format!("{{\"ts\":{number},\"a\":\"{text}\",\"country\":\"{text}\"}}").into_bytes()
        };
        let lines: Vec<Vec<u8>> = rows.iter().map(line).collect();
        compare(&lines)?;
    }
}

#[test]
fn a_generated_log_with_changed_bytes_is_read_as_serde_json_reads_it() {
    let mut bytes = Vec::new();
    log::write(&mut bytes, log::Layout::JsonLines, 3000, 7).unwrap();
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    compare(&lines).unwrap();
    let count = lines.len();
    for (index, line) in lines.iter_mut().enumerate().filter(|(_, line)| !line.is_empty()) {
        let at = index * 131 % line.len();
        line[at] = b"\"\\{}[]:, 0\x1f\xe9"[index % 12];
    }
    assert!(count > 3000);
    compare(&lines).unwrap();
}

#[test]
fn braces_and_commas_are_not_mistaken_for_the_remembered_ones() {
    let lines = [
        "{\"a\":1,\"b\":2}",
        "{\"a\":1{\"a\":1}",
        "{\"a\":1,\"b\":2{\"a\":3}",
        "{\"b\":1{\"a\":2}",
        "{,\"b\":2}",
        "{\"a\":1\"b\":2}",
    ];
    compare(&lines.map(|line| line.as_bytes().to_vec())).unwrap();
    compare(&["}", "{}", "}", "{\"a\":1}", "}"].map(|line| line.as_bytes().to_vec())).unwrap();
}

/// Found by fuzzing: after a first key with an escape, which is not remembered, the next one was
/// compared with the remembered first step, brace and all.
#[test]
fn a_brace_after_an_escaped_first_key_is_not_a_separator() {
    compare(&[r#"{"a":""}"#, r#"{"a\/":4{"a":""}"#].map(|line| line.as_bytes().to_vec())).unwrap();
}

#[test]
fn values_keep_their_types_and_text() {
    let line =
        br#"{"a":{"b":[1, {"a": null}],"c":" "},"n":-0.10e+5,"big":123456789012345678901234567890,"far":1e999,"t":true,"s":"\u00e9\n"}"#;
    let (got, _) = read(
        Format::JsonLines,
        line,
        &["a", "/a/b/0", "n", "big", "far", "t", "s", "none", "/a/b/1/a"],
    );
    let raw = r#"j{"b":[1, {"a": null}],"c":" "}"#;
    let expected = [
        raw,
        "n1",
        "n-0.10e+5",
        "n123456789012345678901234567890",
        "n1e999",
        "btrue",
        "té\n",
        "-",
        "-",
    ];
    assert_eq!(got.rows(), [expected.to_vec()]);
}

#[test]
fn the_last_value_of_a_repeated_key_counts() {
    let lines = b"{\"a\":1,\"a\":2}\n{\"a\":{\"b\":1},\"a\":{\"c\":2}}\n\
                  {\"a\":{\"b\":1},\"a\":null}\n{\"a\":null,\"a\":{\"b\":3}}\n";
    let (got, _) = read(Format::JsonLines, lines, &["/a/b", "a"]);
    assert_eq!(got.rows(), [["-", "n2"], ["-", "j{\"c\":2}"], ["-", "-"], ["n3", "j{\"b\":3}"]]);
}

#[test]
fn a_name_with_points_is_a_nested_member_where_no_member_has_it() {
    let fields = ["host.name", "host.ip", "/host/name", "tags.1", "a.b.c"];
    for (line, expected) in [
        (r#"{"host":{"name":"web","ip":1},"tags":[5,6]}"#, ["web", "1", "web", "6", ""]),
        (r#"{"host.name":"flat","host":{"name":"web"}}"#, ["flat", "", "web", "", ""]),
        (r#"{"host":{"name":"web"},"host.name":"flat"}"#, ["flat", "", "web", "", ""]),
        (r#"{"host":{"name":"we\u0062"},"a":{"b":{"c":2}}}"#, ["web", "", "web", "", "2"]),
        (r#"{"host":"web","a.b.c":3,"a":{"b":{"c":2}}}"#, ["", "", "", "", "3"]),
        (r#"{"a":{"b":{"d":1}},"host":null}"#, ["", "", "", "", ""]),
    ] {
        let mut scanner = JsonScanner::new(&fields, 9).unwrap();
        let mut row = Row::new(fields.len());
        // The second line is read by the keys of the first one.
        let block = Bytes::from(format!("{line}\n{line}\n"));
        let ScannedLine::Record(end) = scanner.scan(&block, 0, &mut row).unwrap() else {
            panic!("{line}")
        };
        assert_eq!(texts_of(&row), expected, "{line}");
        scanner.scan(&block, end + 1, &mut row).unwrap();
        assert_eq!(texts_of(&row), expected, "again: {line}");
    }
}

/// The values of a row as text.
fn texts_of(row: &Row) -> Vec<String> {
    fields_of(row)
        .into_iter()
        .map(|field| match field {
            Field::Missing => String::new(),
            Field::Bool(value) => value.to_string(),
            Field::Number(text) | Field::Text(text) => text,
        })
        .collect()
}

#[test]
fn nesting_is_bounded_before_anything_recurses() {
    let nested =
        |depth: usize| format!("{{\"a\":{}1{}}}\n", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let lines = nested(128)
        + &nested(129)
        + &nested(3)
        + &format!("{{\"a\":{}\n", "{\"a\":".repeat(1_000_000));
    for field in ["a", "b", "/a/0/0"] {
        let (got, stats) = read(Format::JsonLines, lines.as_bytes(), &[field]);
        assert_eq!((stats.records(), stats.dead_letters()), (4, 2), "{field}");
        let reasons = got.dead();
        assert!(reasons[0].0 == 2 && reasons[1].0 == 4, "{reasons:?}");
        assert!(
            reasons.iter().all(|(_, reason)| reason.contains("nested deeper than the limit")),
            "{reasons:?}"
        );
    }
}

#[test]
fn dead_letters_have_their_place_and_reason() {
    let lines: &[u8] = b"{\"a\":1}\n\n[1]\n{\"a\":1} x\r\n{\"a\":\"\xff\"}\n \t\r\n\
                         {\"a\":\"\\ud800\"}\n{\"a\":\"x\n\"b\"\n{\"a\":2}";
    let (got, stats) = read(Format::JsonLines, lines, &["a"]);
    let expected = [
        (3, "invalid JSON: a JSON value that is not an object, column 1"),
        (4, "invalid JSON: text after the JSON object, column 9"),
        (5, "not UTF-8"),
        (7, "invalid JSON: a lone surrogate in a string, column 7"),
        (8, "invalid JSON: a string that is not closed, column 8"),
        (9, "invalid JSON: a JSON value that is not an object, column 1"),
    ];
    assert_eq!(got.dead(), expected);
    assert_eq!(got.rows(), [["n1"], ["n2"]]);
    assert_eq!(stats.files[0].lines, 10);
}

#[test]
fn a_file_in_another_format_gives_a_hint() {
    let text = error_of(Format::Auto, b"started in 3 ms\n", &["status"]);
    assert_eq!(text.kind(), ErrorKind::InvalidArgument);
    assert!(text.message().contains("in: ") && text.message().contains("plain lines"), "{text}");
}
