//! Formats of event times in records.

use super::decimal::Decimal;
use super::digits::digits;
use super::not_a_time::{NotATime, to_millis};
use super::time_pattern::{check_pattern, read_pattern};
use super::time_text::{compact_civil, read_clf, read_iso};
use super::time_words::{read_common, read_words};
use super::value::Value;
use crate::error::{Error, ErrorKind};
use crate::nearest::nearest;
use crate::time::Timestamp;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The format of the field that holds the event time.
///
/// In every format the part below a millisecond is rounded down, also before 1970, and text without
/// a zone is UTC.
///
/// # Example
/// ```
/// use streamgauge::row::{TimeFormat, Value};
/// let format: TimeFormat = "auto".parse()?;
/// let time = format.read(Value::Number("1356998400.5")).unwrap();
/// assert_eq!(time.to_string(), "2013-01-01T00:00:00.500Z");
/// assert_eq!(format.read(Value::Text("2013-01-01 00:00:00.5")).unwrap(), time);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum TimeFormat {
    /// The format is decided for each value.
    ///
    /// A number, or text that spells a number, is a date if its digits can hardly mean anything
    /// else: from 19000101 to 20991231 `YYYYMMDD`, from 190001010000 to 209912312359
    /// `YYYYMMDDHHMM`, from 19000101000000 to 20991231235959 `YYYYMMDDHHMMSS`, the same followed by
    /// the digits of milliseconds (17 digits) or microseconds (20 digits), or with a fraction. A
    /// number in these ranges that is not a date, such as 20240132, is not a time. Any other number
    /// is interpreted by its size n (without sign): seconds below 10^11 (before the year 5138),
    /// milliseconds below 10^14, microseconds below 10^17, and nanoseconds above.
    ///
    /// Other text is a date `YYYY-MM-DD` or `YYYY/MM/DD`, alone or followed by `T` or a space and a
    /// time of day; the basic form `YYYYMMDDTHHMMSS`; or the time of an access log. A fraction of
    /// the second may follow a point or a comma. A zone is `Z`, `UTC`, `GMT` or an offset such as
    /// `+01:00`, `+0100` or `+01`, with or without a space in front.
    ///
    /// Rarer text is read too: dates with the name of the month, such as those of RFC 2822, of
    /// `asctime` and of `date` (`Tue, 02 Jan 2024 03:04:05 +0100`, `Tue Jan  2 03:04:05 2024`,
    /// `02-Jan-2024 03:04:05`, `Jan 2, 2024 3:04:05 PM`); 14 digits with a zone
    /// (`20240102030405Z`); and, in all of these, the name of a time zone (`Europe/Berlin`, also in
    /// brackets behind an offset). Text that could mean two times is not a time, and the reason
    /// says how to read it: `01/02/2024`, a time without a year, an abbreviation such as `CST`, and
    /// a time of a named zone that its clocks show twice.
    #[default]
    Auto,
    /// Seconds since the epoch, with or without a fraction.
    Seconds,
    /// Milliseconds since the epoch.
    Millis,
    /// Microseconds since the epoch.
    Micros,
    /// Nanoseconds since the epoch.
    Nanos,
    /// RFC 3339, such as `2013-01-01T10:00:00.123+01:00`, and the similar forms that `auto` reads.
    /// A zone is required.
    Rfc3339,
    /// The time of an Apache or nginx access log, such as `10/Oct/2000:13:55:36 -0700`, also with a
    /// fraction of the second.
    Clf,
    /// As `auto`, and times without a year, as syslog writes them: `Jan  2 03:04:05`, or
    /// `01-02 03:04:05` with the month first. The year is the latest one that puts the time at or
    /// before this instant, such as that at which the file was last written. Without an instant
    /// such a time is refused.
    Syslog(Option<Timestamp>),
    /// A strptime pattern with `%` directives as in `jiff`
    /// (<https://docs.rs/jiff/latest/jiff/fmt/strtime/index.html#conversion-specifications>), such
    /// as `%d.%m.%Y %H:%M:%S`. A pattern without a time of day means the first moment of the day. A
    /// fraction may follow `%s`, the seconds since the epoch: `%s.%f`.
    Pattern(String),
}

const NAMES: [(&str, TimeFormat); 8] = [
    ("auto", TimeFormat::Auto),
    ("s", TimeFormat::Seconds),
    ("ms", TimeFormat::Millis),
    ("us", TimeFormat::Micros),
    ("ns", TimeFormat::Nanos),
    ("rfc3339", TimeFormat::Rfc3339),
    ("clf", TimeFormat::Clf),
    ("syslog", TimeFormat::Syslog(None)),
];

impl FromStr for TimeFormat {
    type Err = Error;

    /// Parses `auto`, `s`, `ms`, `us`, `ns`, `rfc3339`, `clf`, `syslog` or a pattern, which has at
    /// least one `%`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the text is not such a name, or is a pattern that cannot be right:
    /// one with an unknown directive, without a date, or with a part that is read but not used.
    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some((_, format)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(format.clone());
        }
        if !text.contains('%') {
            let hint = nearest(text, NAMES.iter().map(|(name, _)| *name));
            let message = format!(
                "{text:?} is not a time format{hint}; the formats are auto, s, ms, us, ns, rfc3339, clf, syslog and patterns with %"
            );
            return Err(Error::new(ErrorKind::Parse, message));
        }
        check_pattern(text)?;
        Ok(TimeFormat::Pattern(text.into()))
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeFormat::Pattern(pattern) => f.write_str(pattern),
            TimeFormat::Syslog(_) => f.write_str("syslog"),
            named => f.write_str(
                NAMES.iter().find(|(_, format)| format == named).map_or("", |(name, _)| name),
            ),
        }
    }
}

impl TimeFormat {
    /// Reads the time of a value. Allocates nothing except for patterns.
    ///
    /// # Errors
    /// [`NotATime`] tells why the value is not a time. The record is then a dead letter.
    #[inline]
    pub fn read(&self, value: Value<'_>) -> Result<Timestamp, NotATime> {
        let text = match value {
            Value::Number(text) | Value::Text(text) | Value::Untyped(text) => text.trim_ascii(),
            Value::Missing => return Err(NotATime::Missing),
            Value::Integer(integer) => return self.read(Value::Number(&integer.to_string())),
            Value::Float(float) => return self.read(Value::Number(&float.to_string())),
            Value::Bool(_) | Value::Json(_) => return Err(NotATime::Malformed),
        };
        if text.is_empty() {
            return Err(NotATime::Missing);
        }
        let millis = match self {
            TimeFormat::Auto => read_any(text, None),
            TimeFormat::Syslog(until) => read_any(text, until.map(Timestamp::as_millis)),
            TimeFormat::Seconds => read_number(text, 3),
            TimeFormat::Millis => read_number(text, 0),
            TimeFormat::Micros => read_number(text, -3),
            TimeFormat::Nanos => read_number(text, -6),
            TimeFormat::Rfc3339 => read_rfc3339(text),
            TimeFormat::Clf => read_clf(text.as_bytes()).ok_or(NotATime::Malformed),
            TimeFormat::Pattern(pattern) => read_pattern(pattern, text),
        };
        millis.map(Timestamp::from_millis)
    }
}

impl TimeFormat {
    /// Returns the integers that are milliseconds in this format. Most times are, and need no other
    /// check.
    pub(super) fn usual_millis(&self) -> Range<i64> {
        match self {
            TimeFormat::Auto | TimeFormat::Syslog(_) => MILLIS_USUAL,
            TimeFormat::Millis => i64::MIN..i64::MAX,
            _ => 0..0,
        }
    }

    /// Reads the time of a value of a few digits. Returns `None` in the text formats.
    pub(super) fn read_digits(&self, integer: i64) -> Option<Result<Timestamp, NotATime>> {
        let millis = match self {
            TimeFormat::Auto | TimeFormat::Syslog(_) => read_integer(integer),
            TimeFormat::Seconds => scale(integer, 3),
            TimeFormat::Millis => scale(integer, 0),
            TimeFormat::Micros => scale(integer, -3),
            TimeFormat::Nanos => scale(integer, -6),
            TimeFormat::Rfc3339 | TimeFormat::Clf | TimeFormat::Pattern(_) => return None,
        };
        Some(millis.map(Timestamp::from_millis))
    }
}

/// Reads a number in units of 10^-3-`power` seconds, and returns milliseconds.
#[inline]
fn read_number(text: &str, power: i64) -> Result<i64, NotATime> {
    if let Some(integer) = digits(text.as_bytes()) {
        return scale(integer, power);
    }
    let decimal = Decimal::scan(text).ok_or(NotATime::Malformed)?;
    decimal.scaled_floor(power).ok_or(NotATime::OutOfRange)
}

fn scale(integer: i64, power: i64) -> Result<i64, NotATime> {
    match power {
        0 => Ok(integer),
        3 => integer.checked_mul(1000).ok_or(NotATime::OutOfRange),
        -3 => Ok(integer.div_euclid(1000)),
        _ => Ok(integer.div_euclid(1_000_000)),
    }
}

/// The integers that are milliseconds by their size, unless they are dates.
const MILLIS: Range<i64> = 100_000_000_000..100_000_000_000_000;

/// The integers of 13 digits, none of which is a date: from September 2001 to the year 2286.
const MILLIS_USUAL: Range<i64> = 1_000_000_000_000..10_000_000_000_000;

/// Interprets an integer without a sign by its digits: as a date, or as a number of some unit.
#[inline]
fn read_integer(integer: i64) -> Result<i64, NotATime> {
    match compact_parts(integer) {
        None => scale(integer, unit_of_integer(integer)),
        Some((date, clock, millis)) => {
            compact_civil(date, clock).map(|time| time + millis).ok_or(NotATime::Malformed)
        }
    }
}

/// Returns the date `YYYYMMDD`, the time of day `HHMMSS` and the milliseconds of an integer in a
/// range of such digits: see [`TimeFormat::Auto`].
#[inline]
fn compact_parts(integer: i64) -> Option<(i64, i64, i64)> {
    const DAY: i64 = 1_000_000;
    match integer {
        19_000_101..=20_991_231 => Some((integer, 0, 0)),
        190_001_010_000..=209_912_312_359 => Some((integer / 10_000, integer % 10_000 * 100, 0)),
        19_000_101_000_000..=20_991_231_235_959 => Some((integer / DAY, integer % DAY, 0)),
        19_000_101_000_000_000..=20_991_231_235_959_999 => {
            Some((integer / 1000 / DAY, integer / 1000 % DAY, integer % 1000))
        }
        _ => None,
    }
}

/// As [`read_integer`], for a number that is not written as a few digits.
fn read_decimal(decimal: &Decimal<'_>) -> Result<i64, NotATime> {
    let magnitude = decimal.magnitude().unwrap_or(0);
    // With 14 digits or more, and with a fraction, the digits of the seconds decide.
    let seconds = match magnitude {
        13 | 16 | 19 => {
            decimal.scaled_floor(13 - magnitude).filter(|seconds| compact_parts(*seconds).is_some())
        }
        7 | 11 => decimal.scaled_floor(0).filter(|whole| compact_parts(*whole).is_some()),
        _ => None,
    };
    match seconds.filter(|_| !decimal.is_negative()) {
        None => decimal.scaled_floor(unit_of(magnitude)).ok_or(NotATime::OutOfRange),
        Some(seconds) if magnitude >= 13 => {
            let millis =
                decimal.scaled_floor(16 - magnitude).ok_or(NotATime::OutOfRange)? - seconds * 1000;
            read_integer(seconds).map(|time| time + millis)
        }
        // A day or a minute has no fraction.
        Some(whole) if decimal.is_whole() => read_integer(whole),
        Some(_) => Err(NotATime::Malformed),
    }
}

/// Returns the unit of an integer without a sign, by its size. As [`unit_of`], without computing
/// the magnitude first.
#[inline]
fn unit_of_integer(integer: i64) -> i64 {
    match integer {
        _ if integer < MILLIS.start => 3,
        _ if integer < MILLIS.end => 0,
        ..100_000_000_000_000_000 => -3,
        _ => -6,
    }
}

/// Returns the unit of a number by its magnitude, the power of ten of the first digit.
fn unit_of(magnitude: i64) -> i64 {
    match magnitude {
        ..11 => 3,
        11..14 => 0,
        14..17 => -3,
        _ => -6,
    }
}

fn read_any(text: &str, until: Option<i64>) -> Result<i64, NotATime> {
    if let Some(integer) = digits(text.as_bytes()) {
        return read_integer(integer);
    }
    match Decimal::scan(text) {
        Some(decimal) => read_decimal(&decimal),
        None => read_common(text.as_bytes()).map_or_else(|| read_rarer(text, until), Ok),
    }
}

fn read_rfc3339(text: &str) -> Result<i64, NotATime> {
    match read_iso(text.as_bytes()) {
        Some(civil) if civil.offset_minutes().is_some() => Ok(civil.to_millis()),
        _ => read_with_jiff(text),
    }
}

/// Reads text in a rarer spelling. The reason of the reader of words is kept, since it can say more
/// than that the text is not a time.
#[cold]
fn read_rarer(text: &str, until: Option<i64>) -> Result<i64, NotATime> {
    read_words(text.as_bytes(), until).or_else(|why| read_with_jiff(text).map_err(|_| why))
}

/// Reads text that the readers above do not know, such as years with a sign.
#[cold]
fn read_with_jiff(text: &str) -> Result<i64, NotATime> {
    text.parse::<jiff::Timestamp>().map_err(|_| NotATime::Malformed).and_then(to_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::fmt::strtime;
    use proptest::prelude::*;

    fn read(format: &str, text: &str) -> Result<i64, NotATime> {
        format.parse::<TimeFormat>().unwrap().read(Value::Untyped(text)).map(Timestamp::as_millis)
    }

    #[test]
    fn numbers_are_read_exactly_and_rounded_down() {
        assert_eq!(read("s", "1700000000.123"), Ok(1_700_000_000_123));
        assert_eq!(read("s", "1700000000.1239999"), Ok(1_700_000_000_123));
        assert_eq!(read("s", "-0.0001"), Ok(-1));
        assert_eq!(read("s", "1.7e9"), Ok(1_700_000_000_000));
        assert_eq!(read("ms", "-1.5"), Ok(-2));
        assert_eq!(read("us", "-1"), Ok(-1));
        assert_eq!(read("ns", "1700000000123456789"), Ok(1_700_000_000_123));
        assert_eq!(read("ms", "9223372036854775807"), Ok(i64::MAX));
        assert_eq!(read("ms", "9223372036854775808"), Err(NotATime::OutOfRange));
        assert_eq!(read("s", "9223372036854775807"), Err(NotATime::OutOfRange));
        assert_eq!(read("s", "1e30"), Err(NotATime::OutOfRange));
        assert_eq!(read("ms", "soon"), Err(NotATime::Malformed));
        assert_eq!(read("ms", ""), Err(NotATime::Missing));
    }

    #[test]
    fn auto_goes_by_magnitude() {
        assert_eq!(read("auto", "99999999999"), Ok(99_999_999_999_000));
        assert_eq!(read("auto", "100000000000"), Ok(100_000_000_000));
        assert_eq!(read("auto", "99999999999999"), Ok(99_999_999_999_999));
        assert_eq!(read("auto", "100000000000000"), Ok(100_000_000_000));
        assert_eq!(read("auto", "99999999999999999"), Ok(99_999_999_999_999));
        assert_eq!(read("auto", "100000000000000000"), Ok(100_000_000_000));
        assert_eq!(read("auto", "-1700000000.5"), Ok(-1_700_000_000_500));
        assert_eq!(read("auto", "0"), Ok(0));
        assert_eq!(read("auto", "1700000000123456789"), Ok(1_700_000_000_123));
    }

    #[test]
    fn s92_auto_reads_digits_that_are_a_date_as_one() {
        let day = 1_704_153_600_000;
        let time = day + (3 * 3600 + 4 * 60 + 5) * 1000;
        for (text, millis) in [
            ("20240102", day),
            ("20240102.0", day),
            ("2.0240102e7", day),
            ("202401020304", time - 5000),
            ("20240102030405", time),
            ("20240102030405.1239", time + 123),
            ("20240102030405123", time + 123),
            ("20240102030405123456", time + 123),
            ("20240102030405123456.7", time + 123),
            ("19000101", -2_208_988_800_000),
            ("20991231235959999", 4_102_444_799_999),
        ] {
            assert_eq!(read("auto", text), Ok(millis), "{text}");
        }
        for text in [
            "20240132",
            "20241302",
            "202401022460",
            "20240102030461",
            "20240230000000",
            "20240102.5",
            "202401020304.5",
        ] {
            assert_eq!(read("auto", text), Err(NotATime::Malformed), "{text}");
        }
        // Digits that are not a date, or may well be seconds, are numbers: 10 digits are seconds up
        // to the year 2286.
        for (text, millis) in [
            ("18991231", 18_991_231_000),
            ("20991232", 20_991_232_000),
            ("-20240102", -20_240_102_000),
            ("2024010203", 2_024_010_203_000),
            ("189912312359", 189_912_312_359),
            ("209912312360", 209_912_312_360),
            ("18991231235959", 18_991_231_235_959),
            ("20991231235960", 20_991_231_235_960),
        ] {
            assert_eq!(read("auto", text), Ok(millis), "{text}");
        }
        // A given unit always applies.
        assert_eq!(read("s", "20240102"), Ok(20_240_102_000));
        assert_eq!(read("ms", "20240102030405"), Ok(20_240_102_030_405));
    }

    #[test]
    fn auto_knows_text() {
        assert_eq!(read("auto", "2013-01-01"), Ok(1_356_998_400_000));
        assert_eq!(read("auto", "2013-01-01 00:00:00"), Ok(1_356_998_400_000));
        assert_eq!(read("auto", "2013-01-01T01:00:00+01:00"), Ok(1_356_998_400_000));
        assert_eq!(read("auto", "01/Jan/2013:00:00:00 +0000"), Ok(1_356_998_400_000));
        assert_eq!(
            read("auto", "2013-01-01T01:00:00.0000000001+01:00[Europe/Berlin]"),
            Ok(1_356_998_400_000)
        );
        assert_eq!(read("auto", "-000001-01-01T00:00:00Z"), Ok(-62_198_755_200_000));
        for text in [
            "2013-01-01 00:00:00 UTC",
            "2013-01-01 01:00:00 +0100",
            "2013/01/01",
            "20130101T000000Z",
            "20130101 000000",
        ] {
            assert_eq!(read("auto", text), Ok(1_356_998_400_000), "{text}");
        }
        assert_eq!(read("auto", "[01/Jan/2013:00:00:00.250 +0000]"), Ok(1_356_998_400_250));
        assert_eq!(read("auto", "yesterday"), Err(NotATime::Malformed));
    }

    #[test]
    fn rfc3339_requires_a_zone() {
        assert_eq!(read("rfc3339", "2013-01-01T00:00:00Z"), Ok(1_356_998_400_000));
        assert_eq!(read("rfc3339", "2013-01-01T00:00:00"), Err(NotATime::Malformed));
        assert_eq!(read("rfc3339", "2013-01-01 00:00:00 GMT"), Ok(1_356_998_400_000));
        assert_eq!(read("rfc3339", "1356998400"), Err(NotATime::Malformed));
        assert_eq!(read("clf", "2013-01-01T00:00:00Z"), Err(NotATime::Malformed));
    }

    #[test]
    fn patterns_are_read() {
        assert_eq!(read("%d.%m.%Y %H:%M:%S", "01.01.2013 00:00:01"), Ok(1_356_998_401_000));
        assert_eq!(read("%d.%m.%Y %H:%M:%S%.f", "31.12.1969 23:59:59.9999"), Ok(-1));
        assert_eq!(read("%Y%m%d", "20130101"), Ok(1_356_998_400_000));
        assert_eq!(read("%Y-%m-%d %H:%M %z", "2013-01-01 01:00 +0100"), Ok(1_356_998_400_000));
        assert_eq!(read("%s", "1356998400"), Ok(1_356_998_400_000));
        assert_eq!(read("%Y-%m-%d %H", "2013-01-01 05"), Ok(1_357_016_400_000));
        assert_eq!(read("%Y%m%d", "20130132"), Err(NotATime::Malformed));
    }

    #[test]
    fn a_format_that_does_not_exist_is_refused_with_a_hint() {
        let error = "rfc339".parse::<TimeFormat>().unwrap_err();
        assert!(error.to_string().contains("did you mean \"rfc3339\""), "{error}");
        assert_eq!("%Y-%!".parse::<TimeFormat>().unwrap_err().kind(), ErrorKind::Parse);
        for (name, format) in NAMES {
            assert_eq!(format.to_string(), name);
        }
    }

    proptest! {
        #[test]
        fn reading_agrees_with_jiff(
            nanos in -62_135_596_800_000_000_000i128..253_402_207_200_000_000_000,
        ) {
            let time = jiff::Timestamp::from_nanosecond(nanos).unwrap();
            let expected = Ok(i64::try_from(nanos.div_euclid(1_000_000)).unwrap());
            let clf = strtime::format("%d/%b/%Y:%H:%M:%S +0000", time).unwrap();
            prop_assert_eq!(read("auto", &time.to_string()), expected);
            prop_assert_eq!(read("rfc3339", &time.to_string()), expected);
            prop_assert_eq!(read("ns", &nanos.to_string()), expected);
            prop_assert_eq!(
                read("clf", &clf),
                Ok(i64::try_from(nanos.div_euclid(1_000_000_000) * 1000).unwrap())
            );
            prop_assert_eq!(read("%FT%T%.fZ", &time.to_string()), expected);
        }

        #[test]
        fn any_text_is_no_danger(text: String, pattern in "(%[a-zA-Z]|.){0,5}") {
            for (_, format) in NAMES {
                let _ = format.read(Value::Text(&text));
            }
            if let Ok(format) = pattern.parse::<TimeFormat>() {
                let _ = format.read(Value::Text(&text));
            }
        }
    }
}
