//! Logs of servers and services: no line, pattern or format string panics; answers do not depend on
//! block boundaries; and every value of a pattern is a part of its line.
//!
//! The first line is a format string, a pattern or an expression, the rest are lines.
#![cfg_attr(fuzzing, no_main)]

mod recorder;
mod shim;

use recorder::{events, told};
use streamgauge::adapter::files::{Format, Input};

fn check(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (first, lines) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let mut formats = vec![
        (Format::Logfmt, &["a", "level"][..]),
        (Format::Alb, &["time", "path", "host"][..]),
        (Format::S3, &["time", "path", "status"][..]),
        (Format::Vpc, &["bytes"][..]),
        (Format::W3c, &["time"][..]),
    ];
    if let Ok(text) = std::str::from_utf8(first) {
        formats.extend(Format::Auto.with_log_format(text).map(|format| (format, &["status"][..])));
        formats.extend(Format::Auto.with_pattern(text).map(|format| (format, &["a"][..])));
        formats.extend(Format::Auto.with_regex(text).map(|format| (format, &["a"][..])));
    }
    for (format, fields) in formats {
        if matches!(&format, Format::Server(_) | Format::Pattern(_) | Format::Regex(_)) {
            assert_eq!(format.to_string().parse::<Format>().ok(), Some(format.clone()));
        }
        let input = Input::from_reader("in", std::io::Cursor::new(lines.to_vec()));
        let (whole, _, result) = told(input, format.clone(), fields, 1 << 20);
        // Certainly not text, compressed and damaged, or without the field.
        if result.is_ok() {
            assert_eq!(whole, events(lines, format, fields, 64));
        }
    }
}

shim::target!(check);
