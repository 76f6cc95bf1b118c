//! The rule of windows of a number of records: their parts, and what they are called.

/// Windows of a number of records of each group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RowRule {
    /// The records of a window.
    pub(super) rows: u64,
    /// The records between two answers, from 1 to `rows`.
    pub(super) every: u64,
    /// True if the records have event times, so that windows have a start and an end.
    pub(super) timed: bool,
}

impl RowRule {
    /// Returns true if the records have event times, so that windows have a start and an end.
    pub(crate) fn is_timed(self) -> bool {
        self.timed
    }

    /// Returns the number of records between two answers of a group.
    pub(crate) fn step(self) -> u64 {
        self.every
    }

    /// Returns the number of records of a part. Windows begin and end where parts do.
    pub(crate) fn part(self) -> u64 {
        let (mut a, mut b) = (self.rows, self.every);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    }

    /// Returns the largest number of parts of a window.
    pub(crate) fn parts(self) -> usize {
        usize::try_from(self.rows / self.part()).unwrap_or(usize::MAX)
    }

    /// Returns the number of parts of a window's records so far, if the group has had `records`
    /// records.
    pub(crate) fn parts_of(self, number: u64, records: u64) -> usize {
        let end = number.saturating_mul(self.every);
        let start = end.saturating_sub(self.rows) / self.part();
        usize::try_from(records.div_ceil(self.part()).saturating_sub(start)).unwrap_or(usize::MAX)
    }

    /// Returns a description for people.
    #[cfg(feature = "spec")]
    pub(super) fn words(self) -> String {
        let RowRule { rows, every, .. } = self;
        match (rows, every) {
            (rows, every) if rows == every => format!("each {rows} records of a group"),
            (rows, 1) => format!("the last {rows} records of a group, at each of its records"),
            (rows, every) => {
                format!("the last {rows} records of a group, after every {every} of them")
            }
        }
    }

    pub(super) fn describe(self) -> String {
        let times = if self.timed { "" } else { " without times" };
        format!("windows of {} records every {} records{times}", self.rows, self.every)
    }
}
