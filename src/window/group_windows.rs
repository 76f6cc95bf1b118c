//! The rules of windows that each group has of its own: which records belong to one, and whether
//! they join.

use super::by_start::ByStart;
#[cfg(feature = "spec")]
use std::time::Duration;

/// Windows that each group has of its own, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GroupWindows {
    Session { gap: i64 },
    Stagger { size: i64 },
}

impl GroupWindows {
    /// Returns the length of a window of one record.
    pub(crate) fn length(self) -> i64 {
        match self {
            GroupWindows::Session { gap } => gap,
            GroupWindows::Stagger { size } => size,
        }
    }

    /// Returns the first of the windows of a group that a record at `time` belongs to.
    #[inline]
    pub(crate) fn first_around<T>(
        self,
        windows: &ByStart<T>,
        end: impl Fn(&T) -> i64,
        time: i64,
    ) -> Option<(i64, &T)> {
        match self {
            // They do not overlap: the last one from before may go on until then, and the next one
            // may begin within the gap.
            GroupWindows::Session { gap } => {
                let before = windows.last_in(i64::MIN..=time);
                let before = before.filter(|(_, window)| time < end(window));
                let after = || windows.first_in(time..=time + (gap - 1));
                before.or_else(after)
            }
            GroupWindows::Stagger { size } => {
                windows.first_in(time.saturating_sub(size - 1)..=time)
            }
        }
    }

    /// Returns the session after the one that starts at `start`, if a record at `time` belongs to
    /// both.
    #[inline]
    pub(crate) fn next_around<T>(self, windows: &ByStart<T>, start: i64, time: i64) -> Option<i64> {
        let GroupWindows::Session { gap } = self else { return None };
        if time + gap <= start {
            return None;
        }
        windows.first_in(start + 1..=time + (gap - 1)).map(|(start, _)| start)
    }

    /// Returns the window that ends at `end`, or has grown from one that ended there.
    #[inline]
    pub(crate) fn that_ended_at<T>(self, windows: &ByStart<T>, end: i64) -> Option<(i64, &T)> {
        match self {
            GroupWindows::Session { .. } => windows.last_in(i64::MIN..=end - 1),
            GroupWindows::Stagger { size } => windows.first_in(end - size..=end - size),
        }
    }

    /// Returns the last window that cannot be beside one with these bounds: sessions that overlap
    /// join, and other windows if they are the same.
    pub(crate) fn met<T>(
        self,
        windows: &ByStart<T>,
        end_of: impl Fn(&T) -> i64,
        (start, end): (i64, i64),
    ) -> Option<i64> {
        let met = match self {
            GroupWindows::Session { .. } => {
                let before = windows.last_in(i64::MIN..=end - 1);
                before.filter(|(_, window)| start < end_of(window))
            }
            GroupWindows::Stagger { .. } => windows.first_in(start..=start),
        };
        met.map(|(start, _)| start)
    }

    /// Returns the bounds of a window after a record at `time`, which belongs to it.
    #[inline]
    pub(crate) fn grown(self, (start, end): (i64, i64), time: i64) -> (i64, i64) {
        match self {
            GroupWindows::Session { gap } => (start.min(time), end.max(time + gap)),
            GroupWindows::Stagger { .. } => (start, end),
        }
    }

    /// Returns true if a window of a group can have these bounds.
    pub(crate) fn fits(self, (start, end): (i64, i64)) -> bool {
        let length = end.checked_sub(start);
        match self {
            GroupWindows::Session { gap } => {
                length.is_none_or(|length| length >= gap) && start < end
            }
            GroupWindows::Stagger { size } => length == Some(size),
        }
    }

    /// Returns a description for people.
    #[cfg(feature = "spec")]
    pub(super) fn words(self) -> String {
        let length = Duration::from_millis(self.length().unsigned_abs());
        match self {
            GroupWindows::Session { .. } => {
                format!("sessions of each group, with a gap of {length:?}")
            }
            GroupWindows::Stagger { .. } => {
                format!("{length:?} from the first record of each group")
            }
        }
    }

    pub(super) fn describe(self) -> String {
        match self {
            GroupWindows::Session { gap } => format!("sessions with a gap of {gap} ms"),
            GroupWindows::Stagger { size } => format!("staggered windows of {size} ms"),
        }
    }
}
