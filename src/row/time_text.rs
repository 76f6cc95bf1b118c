//! Readers of times written as text, for the formats that are common enough to avoid a general
//! parser.
//!
//! They allocate nothing. Forms that they do not know are read by `jiff`, see
//! [`TimeFormat`](super::TimeFormat).

use super::digits::digits;
use crate::time::days_from_civil;

/// Returns the milliseconds of a time of day. A leap second, `:60`, counts as the second before it,
/// as in `jiff`.
#[inline]
pub(super) fn time_of_day(hour: i64, minute: i64, second: i64) -> Option<i64> {
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second.min(59)) * 1000)
}

/// The result of a reader of text, which can be converted to milliseconds since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Civil {
    /// Milliseconds since the epoch as if the offset were zero, rounded down.
    millis: i64,
    /// Minutes east of UTC; `None` if the text has no zone.
    offset: Option<i64>,
}

impl Civil {
    /// Returns milliseconds since the epoch. Without a zone the time is UTC.
    pub(super) fn to_millis(self) -> i64 {
        self.millis - self.offset.unwrap_or(0) * 60_000
    }

    /// Returns the minutes east of UTC; `None` if the text has no zone.
    pub(super) fn offset_minutes(self) -> Option<i64> {
        self.offset
    }
}

/// Reads `YYYY-MM-DD` or `YYYY/MM/DD`, optionally followed by `T` or a space,
/// `HH:MM[:SS[.fraction]]`, and optionally a [zone](read_zone): RFC 3339 (section 5.6) and common
/// variants. Also reads the basic form of ISO 8601, `YYYYMMDDTHHMMSS`.
#[inline]
pub(super) fn read_iso(text: &[u8]) -> Option<Civil> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let [y0, y1, y2, y3, between, m0, m1, also_between, d0, d1] = *date;
    if between != also_between || !matches!(between, b'-' | b'/') {
        return read_basic_iso(text);
    }
    let days = days_from_civil(digits(&[y0, y1, y2, y3])?, digits(&[m0, m1])?, digits(&[d0, d1])?)?;
    let midnight = days * 86_400_000;
    let Some((separator, rest)) = rest.split_first() else {
        return Some(Civil { millis: midnight, offset: None });
    };
    if ![b'T', b't', b' '].contains(separator) {
        return None;
    }
    let (clock, rest) = rest.split_first_chunk::<5>()?;
    let [h0, h1, b':', n0, n1] = *clock else { return None };
    let (second, rest) = match rest {
        [b':', s0, s1, rest @ ..] => (digits(&[*s0, *s1])?, rest),
        _ => (0, rest),
    };
    let (millis, rest) = read_fraction(rest)?;
    let time = time_of_day(digits(&[h0, h1])?, digits(&[n0, n1])?, second)? + millis;
    let offset = if rest.is_empty() { None } else { Some(read_zone(rest)?) };
    Some(Civil { millis: midnight + time, offset })
}

/// Reads `YYYYMMDD`, `T` or a space, `HHMM[SS[.fraction]]`, and optionally a [zone](read_zone).
#[cold]
fn read_basic_iso(text: &[u8]) -> Option<Civil> {
    let (date, rest) = text.split_first_chunk::<8>()?;
    let [b'T' | b't' | b' ', rest @ ..] = rest else { return None };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (clock, rest) = rest.split_at(end);
    let clock = match clock.len() {
        4 => digits(clock)? * 100,
        6 => digits(clock)?,
        _ => return None,
    };
    let (millis, rest) = read_fraction(rest)?;
    let midnight_and_time = compact_civil(digits(date)?, clock)?;
    let offset = if rest.is_empty() { None } else { Some(read_zone(rest)?) };
    Some(Civil { millis: midnight_and_time + millis, offset })
}

/// Returns the milliseconds since the epoch of a date `YYYYMMDD` and a time of day `HHMMSS`, both
/// given as numbers.
pub(super) fn compact_civil(date: i64, clock: i64) -> Option<i64> {
    let days = days_from_civil(date / 10_000, date / 100 % 100, date % 100)?;
    Some(days * 86_400_000 + time_of_day(clock / 10_000, clock / 100 % 100, clock % 100)?)
}

/// Reads a fraction of a second, if there is one. Returns its milliseconds and the rest of the
/// text.
#[inline]
pub(super) fn read_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', fraction @ ..] = text else { return Some((0, text)) };
    let end = fraction.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
    let (fraction, rest) = fraction.split_at(end);
    if fraction.is_empty() {
        return None;
    }
    // Drops the part below a millisecond. This rounds down, even before the epoch, because a
    // fraction counts up within its second.
    let millis = fraction
        .iter()
        .chain(b"00")
        .take(3)
        .fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'));
    Some((millis, rest))
}

/// Reads a zone to the end of the text: `Z`, `UTC`, `GMT`, `UT`, or an [offset](read_offset), optionally
/// after spaces. One of these names may follow an offset of zero, as Go writes it (`+0000 UTC`).
/// Returns minutes east of UTC.
#[inline]
pub(super) fn read_zone(text: &[u8]) -> Option<i64> {
    read_offset(text).or_else(|| read_rarer_zone(text))
}

#[cold]
fn read_rarer_zone(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let is_utc = |name: &[u8]| {
        [&b"Z"[..], b"UTC", b"GMT", b"UT"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let (offset, name) =
        text.split_at(text.iter().position(|byte| *byte == b' ').unwrap_or(text.len()));
    match name.trim_ascii_start() {
        [] if is_utc(offset) => Some(0),
        [] => read_offset(offset),
        name => read_offset(offset).filter(|minutes| *minutes == 0 && is_utc(name)),
    }
}

/// Reads `Z`, `+HH:MM`, `+HHMM` or `+HH` (or with a minus) to the end. Returns minutes east of UTC.
fn read_offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *text {
        [b'Z' | b'z'] => return Some(0),
        [sign, h0, h1, b':', m0, m1] | [sign, h0, h1, m0, m1] => (sign, [h0, h1], [m0, m1]),
        [sign, h0, h1] => (sign, [h0, h1], *b"00"),
        _ => return None,
    };
    let (hours, minutes) = (digits(&hours)?, digits(&minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    match sign {
        b'+' => Some(hours * 60 + minutes),
        b'-' => Some(-(hours * 60 + minutes)),
        _ => None,
    }
}

/// Reads the time of an Apache access log, `10/Oct/2000:13:55:36 -0700`, with or without a fraction
/// of the second, and with or without brackets. Returns milliseconds since the epoch.
pub(super) fn read_clf(text: &[u8]) -> Option<i64> {
    let text = match text {
        [b'[', inner @ .., b']'] => inner,
        text => text,
    };
    let (date, rest) = text.split_first_chunk::<20>()?;
    let [d0, d1, b'/', month @ .., b'/', y0, y1, y2, y3, b':', h0, h1, b':', n0, n1, b':', s0, s1] =
        date
    else {
        return None;
    };
    let month = 1 + MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64;
    let days = days_from_civil(digits(&[*y0, *y1, *y2, *y3])?, month, digits(&[*d0, *d1])?)?;
    let time = time_of_day(digits(&[*h0, *h1])?, digits(&[*n0, *n1])?, digits(&[*s0, *s1])?)?;
    let (millis, rest) = read_fraction(rest)?;
    let [b' ', zone @ ..] = rest else { return None };
    Some(days * 86_400_000 + time + millis - read_zone(zone)? * 60_000)
}

pub(super) const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn iso(text: &str) -> Option<i64> {
        read_iso(text.as_bytes()).map(Civil::to_millis)
    }

    #[test]
    fn the_usual_ways_of_writing_are_read() {
        assert_eq!(iso("1970-01-01"), Some(0));
        assert_eq!(iso("1970-01-01 00:01"), Some(60_000));
        assert_eq!(iso("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(iso("1970-01-01t00:00:01.5z"), Some(1500));
        assert_eq!(iso("1970-01-01 01:00:00,123456+0100"), Some(123));
        assert_eq!(iso("1969-12-31T18:30:00-05:30"), Some(0));
        assert_eq!(iso("1969-12-31T23:59:59.9999Z"), Some(-1));
        for utc in
            ["", "Z", " Z", "UTC", " utc", " GMT", "  +0000", " +00:00", " +0000 UTC", "-00:00 Z"]
        {
            assert_eq!(iso(&format!("1970-01-01 00:00:01.5{utc}")), Some(1500), "{utc}");
            assert_eq!(iso(&format!("1970/01/01T00:00:01{utc}")), Some(1000), "{utc}");
            assert_eq!(iso(&format!("19700101T000001,5{utc}")), Some(1500), "{utc}");
        }
        assert_eq!(iso("1970-01-01 01:00:00 +0100"), Some(0));
        assert_eq!(iso("1970-01-01T00:00:00.1239999999999Z"), Some(123));
        assert_eq!(iso("19700101T0001Z"), Some(60_000));
        assert_eq!(iso("19700101 010000+01"), Some(0));
        let leap_second = "2016-12-31T23:59:60.5Z";
        assert_eq!(iso(leap_second), iso("2016-12-31T23:59:59.5Z"));
        assert_eq!(
            iso(leap_second),
            leap_second.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond())
        );
        for wrong in [
            "",
            "1970",
            "1970-13-01",
            "1970-02-30",
            "1970-00-01",
            "1970-01-00",
            "1900-02-29",
            "1970-01-01T",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:61Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00 X",
            "1970-01-01T00:00:00 +0100 UTC",
            "1970-01-01T00:00:00+0000 CET",
            "1970/01-01",
            "19700101",
            "19700101T000",
            "19700132T000000",
            "19700101T240000",
            "1970-01-01T00:00:00Zx",
            "1970-01-01x00:00:00Z",
            "197é-01-01",
        ] {
            assert_eq!(iso(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn access_log_times_are_read() {
        let millis = Some(971_211_336_000);
        assert_eq!(read_clf(b"10/Oct/2000:13:55:36 -0700"), millis);
        assert_eq!(read_clf(b"[10/Oct/2000:13:55:36 -0700]"), millis);
        assert_eq!(read_clf(b"10/oct/2000:20:55:36 Z"), millis);
        assert_eq!(read_clf(b"10/Oct/2000:20:55:36 UTC"), millis);
        assert_eq!(
            read_clf(b"[10/Oct/2000:13:55:36.789 -0700]"),
            millis.map(|millis| millis + 789)
        );
        assert_eq!(read_clf(b"10/Oct/2000:13:55:36,7899 -0700"), millis.map(|millis| millis + 789));
        for wrong in [
            "",
            "10/Okt/2000:13:55:36 -0700",
            "32/Oct/2000:13:55:36 -0700",
            "10/Oct/2000:13:55:36",
            "10/Oct/2000:13:55:36. -0700",
            "10/Oct/2000 13:55:36 -0700",
        ] {
            assert_eq!(read_clf(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn reading_agrees_with_jiff(
            seconds in -62_000_000_000i64..253_000_000_000,
            nanos in 0i32..1_000_000_000,
            places in 0usize..10,
        ) {
            let time = jiff::Timestamp::new(seconds, 0).unwrap();
            let fraction = if places == 0 {
                String::new()
            } else {
                format!(".{}", &format!("{nanos:09}")[..places])
            };
            let text = time.to_string().replace('Z', &format!("{fraction}Z"));
            let expected =
                text.parse::<jiff::Timestamp>().unwrap().as_nanosecond().div_euclid(1_000_000);
            prop_assert_eq!(iso(&text).map(i128::from), Some(expected), "{}", text);
        }

        #[test]
        fn dates_exist_here_if_they_do_in_jiff(
            year in 0i16..=9999,
            month in 0i8..14,
            day in 0i8..33,
            offset in -1439i64..1440,
        ) {
            let sign = if offset < 0 { '-' } else { '+' };
            let text = format!(
                "{year:04}-{month:02}-{day:02}T12:34:56{sign}{:02}:{:02}",
                offset.abs() / 60,
                offset.abs() % 60
            );
            // jiff's range ends a little before the end of the year 9999.
            prop_assume!((1..9999).contains(&year));
            let expected = text
                .parse::<jiff::Timestamp>()
                .ok()
                .map(|time| time.as_nanosecond().div_euclid(1_000_000));
            prop_assert_eq!(iso(&text).map(i128::from), expected, "{}", text);
        }

        #[test]
        fn any_text_is_no_danger(text: String, near in "[0-9]{2,8}[-/T ]?[0-9A-Z:/]{0,20}[., \
                                                        ]{0,2}[0-9+Z: ]{0,9}") {
            for text in [text, near] {
                read_iso(text.as_bytes());
                read_clf(text.as_bytes());
            }
        }
    }
}
