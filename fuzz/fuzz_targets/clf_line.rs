//! Access logs: no line panics, answers do not depend on block boundaries, and every field is a
//! part of its line.
#![cfg_attr(fuzzing, no_main)]

mod recorder;
mod shim;

use recorder::{Event, events, told};
use streamgauge::adapter::files::{Format, Input};

const FIELDS: [&str; 11] = ["host", "ident", "user", "time", "method", "path", "protocol", "status", "bytes", "referer", "agent"];

fn check(bytes: &[u8]) {
    let input = Input::from_reader("in", std::io::Cursor::new(bytes.to_vec()));
    let (whole, _, result) = told(input, Format::Clf, &FIELDS, 1 << 20);
    // Certainly not text, or compressed and damaged.
    if result.is_err() {
        return;
    }
    assert_eq!(whole, events(bytes, Format::Clf, &FIELDS, 64));
    let mut lines = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    for event in whole {
        let line = lines.next().expect("an event comes of a line");
        if let Event::Row(values) = event {
            let line = std::str::from_utf8(line).expect("a record is UTF-8");
            assert!(values.iter().all(|value| line.contains(value.as_str())), "{values:?} in {line:?}");
        }
    }
    assert_eq!(lines.next(), None);
}

shim::target!(check);
