//! The twin of the time zones where the feature `spec` is off: there are none.

/// A time zone. No value exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TimeZone {}

impl TimeZone {
    pub(crate) fn name(&self) -> &str {
        match *self {}
    }

    pub(crate) fn first_at(&self, _: i64) -> i64 {
        match *self {}
    }
}
