//! The clocks of a worker.

use crate::time::Timestamp;
use std::time::Duration;

/// A time as a worker knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    /// The time of day. Other workers' clocks may differ, so it only goes into rows that people
    /// and other programs read, and is compared with care.
    pub(super) wall: Timestamp,
    /// The time since some start. It never goes back, and all waiting is measured by it.
    pub(super) elapsed: Duration,
}

impl Moment {
    /// Returns the time of day in seconds since 1970.
    pub(super) fn seconds(&self) -> u64 {
        u64::try_from(self.wall.as_millis() / 1000).unwrap_or(0)
    }
}

/// Tells the time. Tests pass clocks that they set.
pub(super) trait Time {
    fn now(&self) -> Moment;
}

impl<T: Time + ?Sized> Time for &T {
    fn now(&self) -> Moment {
        (**self).now()
    }
}
