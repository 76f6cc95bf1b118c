//! Windows: the intervals of event time to which a record belongs, their panes, and when they are
//! complete.
//!
//! A window is half-open, `[start, end)`, and aligned to the Unix epoch plus an offset, never to
//! the first record. [`Tumbling`] windows follow each other, [`Sliding`] windows overlap (or leave
//! gaps), [`Calendar`] windows are days, weeks or months of a time zone, and [`Global`] is one
//! window over everything. [`Session`] and [`Stagger`] windows begin with records: each group has
//! its own. [`Rows`] windows are a number of records of each group.
//!
//! ```
//! use streamgauge::prelude::*;
//! let windows = Windows::from(Sliding::new(minutes(5), seconds(10))?);
//! assert_eq!(windows.panes_per_window(), 30);
//! # Ok::<(), Error>(())
//! ```

mod by_start;
mod calendar;
mod calendar_grid;
mod grid;
mod group_windows;
mod into_windows;
mod pane_map;
mod panes;
mod row_rule;
mod rows;
mod running;
mod schedule;
mod session;
mod sliding;
mod timers;
mod tumbling;
mod two_stacks;
mod watermark;
#[cfg(feature = "serde")]
mod window_text;
mod zone;

pub(crate) use by_start::ByStart;
pub use calendar::{Calendar, Period};
pub(crate) use grid::{Pane, Place};
pub(crate) use group_windows::GroupWindows;
pub use into_windows::IntoWindows;
pub(crate) use panes::Panes;
pub(crate) use row_rule::RowRule;
pub use rows::Rows;
pub(crate) use schedule::Schedule;
pub use schedule::{Global, Windows};
pub use session::{Session, Stagger};
pub use sliding::Sliding;
pub(crate) use timers::Timers;
pub use tumbling::Tumbling;
pub(crate) use two_stacks::{Boundary, TwoStacks, WindowMerge};
pub(crate) use watermark::Watermarks;
#[cfg(feature = "spec")]
pub use zone::TimeZone;

use crate::time::Timestamp;
use std::fmt;

/// A half-open interval of event time, `[start, end)`. Windows order by end, then start, as
/// emissions do.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let at = Timestamp::from_millis;
/// let window = |start, end| Window::new(at(start), at(end));
/// let mut windows = [window(5_000, 15_000), window(0, 10_000), window(8_000, 9_000)];
/// windows.sort(); // by end, as windows become complete
/// assert_eq!(windows, [window(8_000, 9_000), window(0, 10_000), window(5_000, 15_000)]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "window_text::WindowText", into = "window_text::WindowText")
)]
pub struct Window {
    end: Timestamp,
    start: Timestamp,
    /// 0 if windows are intervals of time.
    number: u64,
}

impl Window {
    /// Creates the window `[start, end)`. If `end <= start`, the window contains nothing.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let at = Timestamp::from_millis;
    /// let window = Window::new(at(0), at(10_000));
    /// assert_eq!(window.to_string(), "[1970-01-01T00:00:00.000Z, 1970-01-01T00:00:10.000Z)");
    /// assert!(!Window::new(at(5), at(5)).contains(at(5))); // empty
    /// ```
    pub const fn new(start: Timestamp, end: Timestamp) -> Self {
        Window { end, start, number: 0 }
    }

    /// Creates window `number` of a group. Without event times it has no start and end.
    pub(crate) fn of_rows(number: u64, times: Option<(Timestamp, Timestamp)>) -> Self {
        let zero = Timestamp::from_millis(0);
        let (start, end) = times.unwrap_or((zero, zero));
        Window { end, start, number }
    }

    /// Returns the number of the window among those of its group, from 1, if windows are a
    /// [number of records](Rows). Its start is then the earliest event time, and its end the
    /// millisecond after the latest one.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Rows;
    /// let mut pipeline = Pipeline::builder()
    ///     .event_time(|at: &i64| Timestamp::from_millis(*at))
    ///     .window(Rows::new(2)?)
    ///     .aggregate(count())
    ///     .build()?;
    /// let window = pipeline.over([7_000, 3_000]).next().and_then(|emission| emission.window);
    /// let window = window.expect("two records");
    /// assert_eq!((window.number(), window.start().as_millis()), (Some(1), 3_000));
    /// assert_eq!(window.end().as_millis(), 7_001);
    /// assert_eq!(Window::new(window.start(), window.end()).number(), None);
    /// # Ok::<(), Error>(())
    /// ```
    pub const fn number(self) -> Option<u64> {
        match self.number {
            0 => None,
            number => Some(number),
        }
    }

    /// Returns true if the window has a start and an end. A window of a number of records without
    /// event times has none.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::window::Rows;
    /// let mut pipeline =
    ///     Pipeline::builder::<str>().window(Rows::new(1)?).aggregate(count()).build()?;
    /// pipeline.push("a line")?;
    /// let window = pipeline.next_emission()?.and_then(|emission| emission.window);
    /// assert_eq!(window.map(|window| (window.number(), window.is_timed())), Some((Some(1), false)));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_timed(self) -> bool {
        self.number == 0 || self.start < self.end
    }

    /// Returns the first millisecond inside.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # let mut pipeline = Pipeline::builder()
    /// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
    /// #     .window(seconds(10))
    /// #     .aggregate(count())
    /// #     .build()?;
    /// // Aligned to the epoch, not to the first record.
    /// let window = pipeline.over([14_000]).next().and_then(|emission| emission.window);
    /// assert_eq!(window.map(|window| window.start().as_millis()), Some(10_000));
    /// # Ok::<(), Error>(())
    /// ```
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// Returns the first millisecond after the window.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let at = Timestamp::from_millis;
    /// let (first, second) = (Window::new(at(0), at(10)), Window::new(at(10), at(20)));
    /// assert_eq!(first.end(), second.start()); // no gap, and no time in both
    /// assert!(!first.contains(first.end()) && second.contains(first.end()));
    /// ```
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Returns true if the time is inside.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let window = Window::new(Timestamp::from_millis(0), Timestamp::from_millis(10_000));
    /// assert!(window.contains(Timestamp::from_millis(0)));
    /// assert!(window.contains(Timestamp::from_millis(9_999)));
    /// assert!(!window.contains(Timestamp::from_millis(10_000))); // half-open
    /// ```
    pub fn contains(self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "[{}, {})", self.start, self.end),
            number if self.is_timed() => write!(f, "#{number} [{}, {})", self.start, self.end),
            number => write!(f, "#{number}"),
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
