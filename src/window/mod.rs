//! Windows: which stretch of event time a record belongs to, and the panes they are cut into.

use crate::time::Timestamp;
use std::fmt;

/// A half-open stretch of event time, `[start, end)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Window {
    // `end` first: windows order by end, then start, as emissions do.
    end: Timestamp,
    start: Timestamp,
}

impl Window {
    /// The window `[start, end)`.
    pub(crate) const fn new(start: Timestamp, end: Timestamp) -> Self {
        Window { end, start }
    }

    /// The first millisecond inside.
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The first millisecond after it.
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Whether a time lies inside.
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
