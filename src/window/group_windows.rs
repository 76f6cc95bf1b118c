//! The rules of windows that each group has of its own: which records belong to one, and whether they
//! join.

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

    /// Returns true if a record at `time` belongs to the window `[start, end)` of its group.
    #[inline]
    pub(crate) fn takes(self, (start, end): (i64, i64), time: i64) -> bool {
        match self {
            GroupWindows::Session { gap } => time < end && start < time + gap,
            GroupWindows::Stagger { .. } => start <= time && time < end,
        }
    }

    /// Returns true if all windows that a record belongs to are joined.
    pub(crate) fn joins(self) -> bool {
        matches!(self, GroupWindows::Session { .. })
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
