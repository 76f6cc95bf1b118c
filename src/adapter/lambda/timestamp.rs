//! Seconds since the epoch as a JSON number, to exact milliseconds.

use crate::adapter::transport::json::excerpt;
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;

/// Returns the time of a decimal number of seconds since the epoch, rounded down to the
/// millisecond.
///
/// Reads the digits, never a float: `1700000000.007` has no exact `f64`. Accepts all of JSON's
/// notation, for example `1.700000000007E9`, as Java writes it.
///
/// # Errors
/// [`ErrorKind::Parse`] if the text is not a JSON number; [`ErrorKind::TimeOutOfRange`] if the time
/// is outside of the range of [`Timestamp`].
pub(super) fn parse_seconds(text: &str) -> Result<Timestamp, Error> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)),
        None => (unsigned, Some(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.filter(|_| digits(whole) && digits(fraction)).ok_or_else(|| {
        Error::new(
            ErrorKind::Parse,
            format!(
                "{:?} is not a number of seconds since 1970 such as 1700000000.007",
                excerpt(text, 60)
            ),
        )
    })?;
    let out_of_range = || {
        Error::new(
            ErrorKind::TimeOutOfRange,
            format!("{} seconds since 1970 is not a time that can be held", excerpt(text, 60)),
        )
    };
    // The digits of the millisecond number: those of the mantissa, up to three places past the
    // (moved) point.
    let places = (whole.len() as i64).saturating_add(exponent).saturating_add(3);
    let (mut millis, mut inexact) = (0i64, false);
    for (place, digit) in
        whole.bytes().chain(fraction.bytes()).map(|byte| i64::from(byte - b'0')).enumerate()
    {
        match (place as i64) < places {
            true => {
                millis = millis
                    .checked_mul(10)
                    .and_then(|millis| millis.checked_sub(digit))
                    .ok_or_else(out_of_range)?
            }
            false => inexact |= digit != 0,
        }
    }
    // Zeros that the notation leaves out. 0E99 is zero; any other number is out of range after at
    // most 19 of them.
    let missing = places.saturating_sub((whole.len() + fraction.len()) as i64);
    for _ in 0..if millis == 0 { 0 } else { missing.max(0) } {
        millis = millis.checked_mul(10).ok_or_else(out_of_range)?;
    }
    // `millis` is negative up to here, because the negative range is larger by one.
    let millis = match negative {
        true => millis.checked_sub(i64::from(inexact)),
        false => millis.checked_neg(),
    };
    millis.map(Timestamp::from_millis).ok_or_else(out_of_range)
}

/// Returns a decimal exponent. One that is too large for an `i64` is cut to its range.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(text: &str) -> i64 {
        parse_seconds(text).unwrap().as_millis()
    }

    #[test]
    fn every_notation_of_json_is_exact() {
        for (text, expected) in [
            ("1700000000.0", 1_700_000_000_000),
            ("1700000000.05", 1_700_000_000_050),
            ("1700000001", 1_700_000_001_000),
            ("1700000001.007", 1_700_000_001_007),
            ("1.700000001007E9", 1_700_000_001_007),
            ("17000000010070e-4", 1_700_000_001_007),
            ("17E+8", 1_700_000_000_000),
            ("1700000001.0079", 1_700_000_001_007),
            ("1700000001.00699999999999999999999999999999999999999999", 1_700_000_001_006),
            ("0", 0),
            ("-0.0", 0),
            ("0e999999999999999999999", 0),
            ("1e-999999999999999999999", 0),
            ("-1e-999999999999999999999", -1),
            ("-0.0001", -1),
            ("-1.5", -1500),
            ("9223372036854775.807", i64::MAX),
            ("-9223372036854775.808", i64::MIN),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }

    #[test]
    fn text_that_is_not_a_number_or_a_time_is_refused() {
        for wrong in [
            "", "-", "1.", ".5", "1e", "1e+", "1e1.5", "1_000", " 1", "0x10", "null", "\"1\"",
            "NaN", "1.5.5", "--1", "1e--5",
        ] {
            assert_eq!(parse_seconds(wrong).unwrap_err().kind(), ErrorKind::Parse, "{wrong:?}");
        }
        let nines = "9".repeat(100_000);
        for wrong in [
            "9223372036854775.808",
            "-9223372036854775.8081",
            "1e300",
            "1e9999999999999999999999",
            "-1e17",
            &nines,
        ] {
            let error = parse_seconds(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimeOutOfRange, "{error}");
            assert!(error.to_string().len() < 200);
        }
    }

    proptest! {
        #[test]
        fn a_written_time_is_read_back(
            millis in -10_000_000_000_000i64..10_000_000_000_000,
            shift in 0usize..12,
            tail in "[0-9]{0,5}",
        ) {
            let sign = if millis < 0 { "-" } else { "" };
            let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
            prop_assert_eq!(
                parse_seconds(&format!("{sign}{seconds}.{rest:03}")).unwrap().as_millis(),
                millis
            );
            // The same number, with its point moved.
            let digits = format!("{:016}", millis.unsigned_abs());
            let (whole, fraction) = digits.split_at(digits.len() - 1 - shift);
            let moved = format!("{sign}{whole}.{fraction}e{}", shift as i64 - 2);
            prop_assert_eq!(parse_seconds(&moved).unwrap().as_millis(), millis, "{}", moved);
            // Digits past the millisecond make a time later, within the same millisecond.
            let below = i64::from(millis < 0 && tail.bytes().any(|digit| digit != b'0'));
            prop_assert_eq!(
                parse_seconds(&format!("{sign}{seconds}.{rest:03}{tail}")).unwrap().as_millis(),
                millis - below
            );
        }

        #[test]
        fn no_text_causes_a_panic(text in "[-+0-9eE.]{0,30}") {
            let read = parse_seconds(&text);
            if let (Ok(read), Ok(float)) = (read, text.parse::<f64>()) {
                prop_assert!(
                    (read.as_millis() as f64 - float * 1000.0).abs() <= 1.0 + float.abs(),
                    "{} {:?}",
                    text,
                    read
                );
            }
        }
    }
}
