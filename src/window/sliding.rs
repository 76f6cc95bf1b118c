//! Windows that overlap, or that leave gaps.

use super::Windows;
use crate::error::Error;
use crate::time::whole_millis;
use std::time::Duration;

/// Windows of one size, beginning every slide. A record is in every window whose interval contains
/// it.
///
/// The size need not be a multiple of the slide. With a slide above the size there are gaps, and
/// records between two windows are counted as such. However many windows a record is in, it is
/// added once, to its pane; a slide then costs an amortised constant number of merges.
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
    offset: Duration,
}

impl Sliding {
    /// Windows of this size, one beginning every `slide`, aligned to the epoch.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if either is zero, not
    /// whole milliseconds, or over 73 million years.
    pub fn new(size: Duration, slide: Duration) -> Result<Self, Error> {
        let (size, slide) = (whole_millis(size, "a window size")?, whole_millis(slide, "a slide")?);
        if size == 0 || slide == 0 {
            return Err(Error::invalid(format!(
                "a window size of {size} ms with a slide of {slide} ms: both are at least 1 ms"
            )));
        }
        Ok(Sliding { size, slide, offset: Duration::ZERO })
    }

    /// The same windows, beginning this much after a multiple of the slide. What is left of the
    /// offset after whole slides counts, in whole milliseconds. Default: 0.
    pub fn offset(self, offset: Duration) -> Self {
        Sliding { offset, ..self }
    }
}

impl From<Sliding> for Windows {
    fn from(windows: Sliding) -> Self {
        Windows::periodic(windows.size, windows.slide, windows.offset)
    }
}
