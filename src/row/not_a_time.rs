//! The reason why a value is not a time.

use std::fmt;

/// The reason why a value is not a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NotATime {
    /// The record does not have the field, or it is null or empty.
    Missing,
    /// The value is not in the format.
    Malformed,
    /// The time is more than 292 million years from the epoch.
    OutOfRange,
    /// The text has no year, such as `Jan  2 03:04:05`.
    NoYear,
    /// The text has a date of which the first number could be the day or the month, such as
    /// `01/02/2024`.
    DayOrMonth,
    /// The text has the abbreviation of a time zone, such as `CST`, which several zones have.
    ZoneAbbreviated,
    /// The text has the name of a time zone that is not known.
    UnknownZone,
    /// The clocks of the time zone in the text show this time twice or never, because they were
    /// changed.
    TwiceInZone,
}

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotATime::Missing => "is missing",
            NotATime::Malformed => "is not a time",
            NotATime::OutOfRange => "is out of the range of times",
            NotATime::NoYear => {
                "is a time without a year: --year gives it, or --time-format syslog takes it from \
                 the file"
            }
            NotATime::DayOrMonth => {
                "could be day/month or month/day: --time-format '%d/%m/%Y %H:%M:%S' or \
                 '%m/%d/%Y %H:%M:%S' says which"
            }
            NotATime::ZoneAbbreviated => {
                "has a zone that several have in common: a pattern reads it as UTC, such as \
                 --time-format '%Y-%m-%d %H:%M:%S CST'"
            }
            NotATime::UnknownZone => "has a time zone that is not known",
            NotATime::TwiceInZone => {
                "is a time that the clocks of its zone show twice or never: only an offset, such \
                 as +01:00, says which"
            }
        })
    }
}

pub(super) fn to_millis(time: jiff::Timestamp) -> Result<i64, NotATime> {
    i64::try_from(time.as_nanosecond().div_euclid(1_000_000)).map_err(|_| NotATime::OutOfRange)
}
