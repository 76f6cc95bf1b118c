//! Windows that follow each other without overlap or gap.

use super::Windows;
use crate::error::Error;
use crate::time::whole_millis;
use std::time::Duration;

/// Windows of one size, each starting where the one before it ends. A record is in exactly one
/// window.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let daily = Tumbling::new(days(1))?.offset(hours(6)); // days that begin at 06:00 UTC
/// # let _ = daily;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tumbling {
    size: i64,
    /// In milliseconds.
    offset: i128,
}

impl Tumbling {
    /// Creates windows of this size, aligned to the epoch.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the size is zero, is
    /// not a whole number of milliseconds, or is over 73 million years.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// assert!(Tumbling::new(days(7)).is_ok());
    /// assert_eq!(Tumbling::new(millis(0)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// // Half a millisecond is refused, not rounded.
    /// assert!(Tumbling::new(std::time::Duration::from_micros(500)).is_err());
    /// ```
    pub fn new(size: Duration) -> Result<Self, Error> {
        match whole_millis(size, "a window size")? {
            0 => Err(Error::invalid("a window size of 0 holds no records; at least 1 ms")),
            size => Ok(Tumbling { size, offset: 0 }),
        }
    }

    /// Shifts all windows by `offset`, reduced modulo the size, in whole milliseconds. Default: 0.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// // The epoch was a Thursday: weeks that begin on a Monday start 4 days after it.
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .window(Tumbling::new(days(7))?.offset(days(4)))
    ///     .aggregate(count())
    ///     .build()?;
    /// let window = pipeline.over([0]).next().and_then(|emission| emission.window);
    /// assert!(window.is_some_and(|week| week.to_string().starts_with("[1969-12-29T00:00")));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn offset(self, offset: Duration) -> Self {
        Tumbling { offset: offset.as_millis() as i128, ..self }
    }

    /// Shifts all windows by `offset` into the past: see [`offset`](Tumbling::offset).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let windows = Tumbling::new(hours(6))?;
    /// assert_eq!(
    ///     Windows::from(windows.offset_back(hours(1))),
    ///     Windows::from(windows.offset(hours(5))),
    /// );
    /// # Ok::<(), Error>(())
    /// ```
    pub fn offset_back(self, offset: Duration) -> Self {
        Tumbling { offset: -(offset.as_millis() as i128), ..self }
    }
}

impl From<Tumbling> for Windows {
    fn from(windows: Tumbling) -> Self {
        Windows::periodic(windows.size, windows.size, windows.offset)
    }
}
