//! The caller's clock.

use crate::time::Timestamp;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time and waits. Tests pass a clock that they set.
pub trait Clock {
    /// Returns the current time.
    fn now(&mut self) -> Timestamp;

    /// Waits for this length of time.
    fn sleep(&mut self, length: Duration);
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&mut self) -> Timestamp {
        // A clock before 1970 is so wrong that a negative time would not help.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep(&mut self, length: Duration) {
        thread::sleep(length);
    }
}

impl<C: Clock + ?Sized> Clock for &mut C {
    fn now(&mut self) -> Timestamp {
        (**self).now()
    }

    fn sleep(&mut self, length: Duration) {
        (**self).sleep(length);
    }
}
