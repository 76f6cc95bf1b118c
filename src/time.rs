//! Points in time, durations, and the only function that rounds a time down to a period.
//!
//! Event time is a [`Timestamp`]: signed 64-bit milliseconds since the Unix epoch, UTC. Lengths of
//! time are [`std::time::Duration`]s of whole milliseconds. [`seconds`], [`minutes`] and similar
//! functions create them; [`parse_duration`] parses text such as `"1m30s"`. Arithmetic that leaves
//! the range returns an error or `None`; it never wraps.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// # Example
/// ```
/// use streamgauge::Timestamp;
/// let t = Timestamp::from_millis(1_356_998_400_000);
/// assert_eq!(t.to_string(), "2013-01-01T00:00:00.000Z");
/// assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59.999Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest timestamp, about 292 million years before the epoch.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// assert!(Timestamp::MIN < Timestamp::from_millis(-1));
    /// assert_eq!(Timestamp::MIN.checked_sub(millis(1)), None);
    /// ```
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest timestamp, about 292 million years after the epoch.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// assert_eq!(Timestamp::MAX.to_string(), "+292278994-08-17T07:12:55.807Z");
    /// assert_eq!(Timestamp::MAX.checked_add(millis(1)), None);
    /// ```
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// Returns the time `millis` milliseconds after the epoch, or before it if negative.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Timestamp;
    /// assert_eq!(Timestamp::from_millis(1_500).to_string(), "1970-01-01T00:00:01.500Z");
    /// assert!(Timestamp::from_millis(-1) < Timestamp::from_millis(0));
    /// ```
    #[inline]
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Returns the time `seconds` seconds after the epoch, or `None` if it is out of range.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Timestamp;
    /// assert_eq!(Timestamp::from_seconds(2), Some(Timestamp::from_millis(2_000)));
    /// assert_eq!(Timestamp::from_seconds(i64::MAX), None); // not a wrapped time
    /// ```
    pub const fn from_seconds(seconds: i64) -> Option<Self> {
        match seconds.checked_mul(1000) {
            Some(millis) => Some(Timestamp(millis)),
            None => None,
        }
    }

    /// Returns the milliseconds since the epoch.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let (start, end) = (Timestamp::from_millis(-500), Timestamp::from_millis(1_000));
    /// assert_eq!(end.as_millis() - start.as_millis(), 1_500);
    /// ```
    #[inline]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time `length` later, or `None` if it is out of range.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let noon = Timestamp::from_millis(12 * 3_600_000);
    /// assert_eq!(noon.checked_add(hours(1)).map(Timestamp::as_millis), Some(13 * 3_600_000));
    /// assert_eq!(noon.checked_add(std::time::Duration::MAX), None);
    /// ```
    pub fn checked_add(self, length: Duration) -> Option<Self> {
        self.0.checked_add(i64::try_from(length.as_millis()).ok()?).map(Timestamp)
    }

    /// Returns the time `length` earlier, or `None` if it is out of range.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let epoch = Timestamp::from_millis(0);
    /// assert_eq!(epoch.checked_sub(seconds(1)).map(Timestamp::as_millis), Some(-1_000));
    /// assert_eq!(Timestamp::MIN.checked_sub(seconds(1)), None);
    /// ```
    pub fn checked_sub(self, length: Duration) -> Option<Self> {
        self.0.checked_sub(i64::try_from(length.as_millis()).ok()?).map(Timestamp)
    }
}

/// Writes RFC 3339 in UTC with milliseconds, as in `2013-01-01T10:00:00.000Z`. Years outside 0000
/// to 9999 have a sign and at least six digits (the expanded form of ISO 8601).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0.div_euclid(MILLIS_PER_DAY), self.0.rem_euclid(MILLIS_PER_DAY));
        let (year, month, day) = civil_from_days(days);
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+07}")?,
        }
        let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", millis % 1000)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads the form that `Display` writes, and no other.
///
/// # Example
/// ```
/// use streamgauge::{ErrorKind, Timestamp};
/// let time: Timestamp = "2013-01-01T10:00:00.000Z".parse()?;
/// assert_eq!(time.as_millis(), 1_357_034_400_000);
/// let refused = "2013-01-01".parse::<Timestamp>().unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Parse);
/// # Ok::<(), streamgauge::Error>(())
/// ```
impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read_displayed(text).filter(|time| time.to_string() == text).ok_or_else(|| {
            let message = format!("{text:?} is not a time as in \"2013-01-01T10:00:00.000Z\"");
            Error::new(ErrorKind::Parse, message)
        })
    }
}

/// Reads `-MM-DDTHH:MM:SS.mmmZ` behind a year. The caller checks the separators.
fn read_displayed(text: &str) -> Option<Timestamp> {
    const YEAR_BYTES_MAX: usize = 10;
    let (year, rest) = text.split_at_checked(text.len().checked_sub(20)?)?;
    let number = |from: usize, to: usize| rest.get(from..to)?.parse::<i64>().ok();
    let year = year.parse().ok().filter(|_| year.len() <= YEAR_BYTES_MAX)?;
    let days = days_from_civil(year, number(1, 3)?, number(4, 6)?)?;
    let seconds = (number(7, 9)? * 60 + number(10, 12)?) * 60 + number(13, 15)?;
    let millis = i128::from(days) * i128::from(MILLIS_PER_DAY)
        + i128::from(seconds * 1000 + number(16, 19)?);
    i64::try_from(millis).ok().map(Timestamp)
}

pub(crate) const MILLIS_PER_DAY: i64 = 86_400_000;

/// Returns year, month and day of the day `days` after the epoch, in the proleptic Gregorian
/// calendar: Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Returns the days from 1970-01-01 to the first day of a month, which is 1 to 12: the inverse of
/// [`civil_from_days`].
pub(crate) fn days_from_month(year: i64, month: i64) -> i64 {
    let (year, month_index) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_index + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns a day of the proleptic Gregorian calendar as days since the epoch; `None` if there is no
/// such day.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = DAYS.get(usize::try_from(month - 1).ok()?)? + i64::from(leap && month == 2);
    if !(1..=length).contains(&day) {
        return None;
    }
    Some(days_from_month(year, month) + day - 1)
}

/// Returns the largest `offset + n * period` that is not after `millis`, where `n` is any integer.
/// Returns `None` if it is out of range.
///
/// This is the only function of the crate that rounds a time down. `period` must be positive.
#[inline]
pub(crate) fn floor_to_period(millis: i64, period: i64, offset: i64) -> Option<i64> {
    debug_assert!(period > 0);
    // Most offsets are already reduced, and the division costs more than everything else here.
    let offset = if (0..period).contains(&offset) { offset } else { offset.rem_euclid(period) };
    // Both operands are in [0, period), so the difference cannot overflow. `millis - offset` could.
    let phase = millis.rem_euclid(period) - offset;
    millis.checked_sub(if phase < 0 { phase + period } else { phase })
}

/// Returns `n` milliseconds.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// assert_eq!(millis(1_500), std::time::Duration::from_millis(1_500));
/// assert!(Tumbling::new(millis(250)).is_ok()); // four windows per second
/// ```
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Returns `n` seconds.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// assert_eq!(minutes(1) + seconds(30), seconds(90));
/// ```
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Returns `n` minutes of 60 seconds.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// assert_eq!(minutes(2), seconds(120));
/// ```
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60))
}

/// Returns `n` hours of 60 minutes.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// assert_eq!(hours(1) + minutes(30), minutes(90));
/// ```
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(3600))
}

/// Returns `n` days of 24 hours.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// assert_eq!(days(1), hours(24)); // always: event time is UTC, without daylight saving
/// ```
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(86_400))
}

/// Returns the duration in milliseconds. `what` names the duration in the error.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the duration is not a whole number of milliseconds, or is more
/// than `i64::MAX / 4` milliseconds.
pub(crate) fn whole_millis(length: Duration, what: &str) -> Result<i64, Error> {
    if !length.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(Error::invalid(format!(
            "{what} of {length:?} is not a whole number of milliseconds"
        )));
    }
    match i64::try_from(length.as_millis()) {
        // A quarter of the range leaves room for the sum of a few such lengths.
        Ok(millis) if millis <= i64::MAX / 4 => Ok(millis),
        _ => Err(Error::invalid(format!(
            "{what} of {length:?} is too long; at most 73 million years"
        ))),
    }
}

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Parses a duration: numbers with the units `ms`, `s`, `m`, `h`, `d`, as in `"10s"`, `"1m30s"`,
/// `"500ms"`. `"0"` needs no unit.
///
/// # Errors
/// [`ErrorKind::Parse`] if the text is empty, has an unknown unit or no unit, or is more than
/// `i64::MAX` milliseconds.
///
/// # Example
/// ```
/// use streamgauge::time::{millis, parse_duration};
/// assert_eq!(parse_duration("1m30s")?, millis(90_000));
/// assert!(parse_duration("10").is_err());
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    let wrong = |why: &str| {
        Error::new(
            ErrorKind::Parse,
            format!("{text:?} is not a duration such as 10s, 1m30s or 500ms: {why}"),
        )
    };
    let mut rest = text.trim();
    match rest {
        "" => return Err(wrong("it is empty")),
        "0" => return Ok(Duration::ZERO),
        _ => {}
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err(wrong("a number is missing"));
        }
        let letters =
            after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(wrong("the units are ms, s, m, h and d"));
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        total =
            part.and_then(|part| total.checked_add(part)).ok_or_else(|| wrong("it is too long"))?;
        rest = after;
    }
    if total > i64::MAX as u64 {
        return Err(wrong("it is too long"));
    }
    Ok(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_agrees_with_known_dates() {
        let shown = |millis| Timestamp::from_millis(millis).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(shown(-62_167_219_200_000), "0000-01-01T00:00:00.000Z");
        assert_eq!(shown(-62_167_219_200_001), "-000001-12-31T23:59:59.999Z");
        assert_eq!(shown(253_402_300_800_000), "+010000-01-01T00:00:00.000Z");
        assert_eq!(shown(i64::MAX), "+292278994-08-17T07:12:55.807Z");
        assert_eq!(shown(i64::MIN), "-292275055-05-16T16:47:04.192Z");
    }

    #[test]
    fn the_displayed_form_is_read_and_no_other() {
        let (day, bound) = (86_400_000, 253_402_300_800_000);
        for millis in [0, -1, day - 1, bound, -bound, i64::MAX, i64::MIN, i64::MIN + 1] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
        for wrong in [
            "",
            "2013-01-01",
            "2013-01-01T10:00:00Z",
            "2013-01-01 10:00:00.000Z",
            "2013-13-01T10:00:00.000Z",
            "2013-02-29T10:00:00.000Z",
            "2013-01-01T24:00:00.000Z",
            "2013-01-01T10:00:00.+00Z",
            "+2013-01-01T10:00:00.000Z",
            "+999999999999999999-01-01T10:00:00.000Z",
            "+292278994-08-17T07:12:55.808Z",
            "é013-01-01T10:00:00.000Z",
            "2013-01-0éT10:00:00.00Z",
        ] {
            assert_eq!(wrong.parse::<Timestamp>().unwrap_err().kind(), ErrorKind::Parse, "{wrong}");
        }
    }

    #[test]
    fn floor_is_a_floor_for_negative_times_and_at_the_ends() {
        assert_eq!(floor_to_period(-1, 10, 0), Some(-10));
        assert_eq!(floor_to_period(0, 10, 0), Some(0));
        assert_eq!(floor_to_period(9, 10, 3), Some(3));
        assert_eq!(floor_to_period(2, 10, 3), Some(-7));
        assert_eq!(floor_to_period(2, 10, -7), Some(-7));
        assert_eq!(floor_to_period(i64::MIN, 10, 0), None);
        assert_eq!(floor_to_period(i64::MIN + 10, 10, 0), Some(i64::MIN + 8));
        assert_eq!(floor_to_period(i64::MAX, 10, i64::MIN), Some(i64::MAX - 5));
    }

    #[test]
    fn durations_are_read_and_refused() {
        assert_eq!(parse_duration("500ms").unwrap(), millis(500));
        assert_eq!(parse_duration("1d2h3m4s5ms").unwrap(), millis(93_784_005));
        for wrong in [
            "",
            " ",
            "10",
            "s",
            "10x",
            "1.5s",
            "-1s",
            "10 s",
            "99999999999999999999s",
            "9223372036854775808ms",
            "1mm",
            "é",
        ] {
            assert_eq!(parse_duration(wrong).unwrap_err().kind(), ErrorKind::Parse, "{wrong:?}");
        }
    }

    #[test]
    fn a_length_of_part_of_a_millisecond_is_refused() {
        assert_eq!(
            whole_millis(Duration::from_micros(1500), "window size").unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
        assert_eq!(
            whole_millis(Duration::MAX, "window size").unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
        assert_eq!(whole_millis(minutes(5), "window size").unwrap(), 300_000);
    }
}
