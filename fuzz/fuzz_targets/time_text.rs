//! Times as records write them: no text and no pattern panics, and what one format reads another
//! reads as the same time.
//!
//! The first line is a pattern, the rest is the text.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use streamgauge::row::{NotATime, TimeFormat, Value};
use streamgauge::Timestamp;

/// RFC 3339 has four digits for a year.
const YEARS: std::ops::Range<i64> = -62_135_596_800_000..253_402_300_800_000;

fn read(format: &str, text: &str) -> Result<Timestamp, NotATime> {
    let format: TimeFormat = format.parse().expect("a format that exists");
    let time = format.read(Value::Text(text));
    assert_eq!(time, format.read(Value::Untyped(text)), "{text:?} by {format}");
    assert_eq!(time, format.read(Value::Text(&format!(" {text}\t"))), "{text:?} by {format}, with spaces around");
    time
}

fn check(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    let (pattern, text) = input.split_once('\n').unwrap_or(("", input));
    let auto = read("auto", text);
    for named in ["s", "ms", "us", "ns"] {
        // What is a number in one unit is one in every other, and then `auto` says by its digits
        // which, or that it is a date.
        assert_eq!(read(named, text) == Err(NotATime::Malformed), read("s", text) == Err(NotATime::Malformed), "{text:?} by {named}");
    }
    for named in ["rfc3339", "clf"] {
        if let Ok(time) = read(named, text) {
            assert_eq!(auto, Ok(time), "{text:?} by {named}");
        }
    }
    // Only times without a year are read in another way.
    let until = Timestamp::from_millis(1_700_000_000_000);
    let dated = TimeFormat::Syslog(Some(until)).read(Value::Text(text));
    match (auto, dated) {
        (Ok(time), dated) => assert_eq!(dated, Ok(time), "{text:?} by syslog"),
        (Err(_), Ok(time)) => {
            let ahead = time.as_millis() - until.as_millis();
            assert!(ahead <= 86_400_000, "{text:?} by syslog is {time}");
        }
        (Err(_), Err(_)) => {}
    }
    if let Ok(time) = auto
        && YEARS.contains(&time.as_millis())
    {
        assert_eq!(read("rfc3339", &time.to_string()), Ok(time), "{text:?}");
    }
    if pattern.contains('%')
        && let Ok(format) = pattern.parse::<TimeFormat>()
    {
        let _ = format.read(Value::Text(text));
    }
}

shim::target!(check);
