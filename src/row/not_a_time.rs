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
}

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotATime::Missing => "is missing",
            NotATime::Malformed => "is not a time",
            NotATime::OutOfRange => "is out of the range of times",
        })
    }
}

pub(super) fn to_millis(time: jiff::Timestamp) -> Result<i64, NotATime> {
    i64::try_from(time.as_nanosecond().div_euclid(1_000_000)).map_err(|_| NotATime::OutOfRange)
}
