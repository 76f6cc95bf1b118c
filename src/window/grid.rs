//! The arithmetic of windows and panes: pure functions of size, slide and offset.
//!
//! Windows start at `offset + k * slide` and end `size` later. All starts and ends divide time into
//! *panes*: the longest intervals that are completely inside or completely outside each window. A
//! slide contains one pane if the slide divides the size. Otherwise it contains two: one of `size
//! mod slide` and one of the rest ("paired windows", Krishnamurthy, Wu and Franklin, *On-the-fly
//! sharing for streamed aggregation*, 2006). This never gives more panes than the greatest common
//! divisor as pane length, which would be 1 ms for 5 min every 7.001 s.

use crate::time::floor_to_period;

/// An interval of time that is completely inside or completely outside every window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pane {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Pane {
    #[inline]
    pub(crate) fn contains(self, time: i64) -> bool {
        self.start <= time && time < self.end
    }
}

/// The place of a time relative to windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// The time is in this pane, and therefore in at least one window.
    In(Pane),
    /// The time is between two windows.
    Between,
    /// The time is so near an end of the range that a window around it would leave the range.
    OutOfRange,
}

/// Periodic windows. All values are in milliseconds, with `0 < size, slide <= i64::MAX / 4` and `0
/// <= offset < slide`. Those of a calendar are in days or months.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Grid {
    pub(super) size: i64,
    pub(super) slide: i64,
    pub(super) offset: i64,
}

impl Grid {
    pub(super) fn place(self, time: i64, lateness: i64) -> Place {
        let reach = self.size.max(self.slide);
        let in_range = time.checked_sub(reach).is_some()
            && time.checked_add(reach).and_then(|far| far.checked_add(lateness)).is_some();
        if !in_range {
            return Place::OutOfRange;
        }
        let start = self.floor(time);
        // The part of the size after the last whole slide. Each slide is cut there.
        let cut = start + self.size % self.slide;
        if time < cut {
            return Place::In(Pane { start, end: cut });
        }
        if self.size < self.slide {
            return Place::Between;
        }
        Place::In(Pane { start: cut, end: start + self.slide })
    }

    /// Returns the last window start at or before `time`, or `i64::MIN` if it is out of range.
    pub(super) fn floor(self, time: i64) -> i64 {
        floor_to_period(time, self.slide, self.offset).unwrap_or(i64::MIN)
    }

    /// Returns the first window start at or after `time`.
    pub(super) fn ceil(self, time: i64) -> i64 {
        match self.floor(time) {
            start if start == time => start,
            start => start.saturating_add(self.slide),
        }
    }
}
