//! Windows: the intervals of event time to which a record belongs, their panes, and when they are
//! complete.
//!
//! A window is half-open, `[start, end)`, and aligned to the Unix epoch plus an offset, never to
//! the first record. [`Tumbling`] windows follow each other, [`Sliding`] windows overlap (or leave
//! gaps), and [`Global`] is one window over everything.
//!
//! ```
//! use streamgauge::prelude::*;
//! let windows = Windows::from(Sliding::new(minutes(5), seconds(10))?);
//! assert_eq!(windows.panes_per_window(), 30);
//! # Ok::<(), Error>(())
//! ```

mod grid;
mod into_windows;
mod pane_map;
mod panes;
mod running;
mod sliding;
mod tumbling;
mod two_stacks;
mod watermark;

pub use grid::{Global, Windows};
pub(crate) use grid::{Pane, Place, Schedule};
pub use into_windows::IntoWindows;
pub(crate) use panes::Panes;
pub use sliding::Sliding;
pub use tumbling::Tumbling;
pub(crate) use two_stacks::{Boundary, TwoStacks, WindowMerge};
pub(crate) use watermark::Watermarks;

use crate::time::Timestamp;
use std::fmt;

/// A half-open interval of event time, `[start, end)`. Windows order by end, then start, as
/// emissions do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Window {
    end: Timestamp,
    start: Timestamp,
}

impl Window {
    /// Creates the window `[start, end)`. If `end <= start`, the window contains nothing.
    pub const fn new(start: Timestamp, end: Timestamp) -> Self {
        Window { end, start }
    }

    /// Returns the first millisecond inside.
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// Returns the first millisecond after the window.
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Returns true if the time is inside.
    pub fn contains(self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
