//! Windows that overlap or leave gaps.

use super::Windows;
use crate::error::Error;
use crate::time::whole_millis;
use std::time::Duration;

/// Windows of one size that start at every multiple of the slide. A record is in every window whose
/// interval contains it.
///
/// The size need not be a multiple of the slide. If the slide is larger than the size there are
/// gaps, and records between two windows are counted as such. A record is added once, to its pane,
/// however many windows contain it. A slide costs an amortised constant number of merges.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let last_five_minutes_every_ten_seconds = Sliding::new(minutes(5), seconds(10))?;
/// # let _ = last_five_minutes_every_ten_seconds;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sliding {
    size: i64,
    slide: i64,
    /// In milliseconds.
    offset: i128,
}

impl Sliding {
    /// Creates windows of this size, one starting at every multiple of `slide` since the epoch.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if either is zero, is not
    /// a whole number of milliseconds, or is over 73 million years.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .window(Sliding::new(seconds(20), seconds(10))?)
    ///     .aggregate(count())
    ///     .build()?;
    /// let counts: Vec<u64> = pipeline.over([5_000, 15_000]).map(|found| found.value).collect();
    /// assert_eq!(counts, [1, 2, 1]); // [-10 s, 10 s), [0 s, 20 s), [10 s, 30 s)
    /// assert!(Sliding::new(seconds(20), seconds(0)).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new(size: Duration, slide: Duration) -> Result<Self, Error> {
        let (size, slide) = (whole_millis(size, "a window size")?, whole_millis(slide, "a slide")?);
        if size == 0 || slide == 0 {
            return Err(Error::invalid(format!(
                "a window size of {size} ms with a slide of {slide} ms: both are at least 1 ms"
            )));
        }
        Ok(Sliding { size, slide, offset: 0 })
    }

    /// Shifts all windows by `offset`, reduced modulo the slide, in whole milliseconds. Default: 0.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let hourly = Sliding::new(days(1), hours(1))?;
    /// // Modulo the slide: 90 minutes are 30.
    /// assert_eq!(
    ///     Windows::from(hourly.offset(minutes(90))),
    ///     Windows::from(hourly.offset(minutes(30))),
    /// );
    /// # Ok::<(), Error>(())
    /// ```
    pub fn offset(self, offset: Duration) -> Self {
        Sliding { offset: offset.as_millis() as i128, ..self }
    }

    /// Shifts all windows by `offset` into the past: see [`offset`](Sliding::offset).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let windows = Sliding::new(hours(6), hours(3))?;
    /// assert_eq!(
    ///     Windows::from(windows.offset_back(hours(1))),
    ///     Windows::from(windows.offset(hours(2))),
    /// );
    /// # Ok::<(), Error>(())
    /// ```
    pub fn offset_back(self, offset: Duration) -> Self {
        Sliding { offset: -(offset.as_millis() as i128), ..self }
    }
}

impl From<Sliding> for Windows {
    fn from(windows: Sliding) -> Self {
        Windows::periodic(windows.size, windows.slide, windows.offset)
    }
}
