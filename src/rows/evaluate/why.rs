//! Why an expression has no value for a row.

use crate::row::null::Nulls;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why an expression has no value for a row: the place in the expression, and the kind. It is
/// small, and no text is made before somebody asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::rows) struct Why {
    /// The index of the place, see [`Source`](super::source::Source).
    pub(super) place: u16,
    pub(super) kind: WhyKind,
}

/// The kinds of [`Why`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::rows) enum WhyKind {
    /// The value is not a number, and one is needed.
    NotANumber,
    /// The value is not a time, and one is needed.
    NotATime,
    /// The value is not a duration, and one is needed.
    NotADuration,
    /// True or false is needed, and the value is neither.
    NotATruth,
    /// An integer has more than 128 bits.
    Overflow,
    /// A float is larger than the largest finite one.
    Infinite,
    /// A time is more than 292 million years from the epoch.
    TimeOutOfRange,
    /// A text is longer than [`TEXT_BYTES_MAX`].
    TooLong,
}

/// The maximum length of a text that an expression makes. It bounds what nested calls of `replace`
/// and `concat` can cost.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;

impl WhyKind {
    /// Returns the reason at a place.
    #[cold]
    pub(super) fn at(self, place: u16) -> Why {
        Why { place, kind: self }
    }

    /// Returns the end of a sentence that begins with the value or the expression.
    pub(super) fn words(self) -> &'static str {
        match self {
            WhyKind::NotANumber => "is not a number",
            WhyKind::NotATime => "is not a time",
            WhyKind::NotADuration => "is not a duration such as 90s, 1 hour 30 minutes or 01:30:00",
            WhyKind::NotATruth => "is neither true nor false",
            WhyKind::Overflow => "is an integer of more than 128 bits",
            WhyKind::Infinite => "is out of range: the largest number is 1.7976931348623157e308",
            WhyKind::TimeOutOfRange => "is out of the range of times",
            WhyKind::TooLong => "is a text of more than 1 MiB",
        }
    }
}

/// What all expressions of a pipeline share: which texts mean a missing value, and counts of values
/// that conditions took for null. Any thread may count.
#[derive(Debug, Default)]
pub(in crate::rows) struct Shared {
    pub(super) nulls: Nulls,
    other_kind: AtomicU64,
    divisions_by_zero: AtomicU64,
    without_elements: AtomicU64,
}

/// How often an expression was null though its fields have values, and other values that were
/// passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct NullCounts {
    /// Values of another kind than a condition asks for, such as text beside a number.
    pub other_kind: u64,
    /// Divisions by zero.
    pub divisions_by_zero: u64,
    /// Records whose array, which is unnested, is missing or has no elements.
    pub without_elements: u64,
}

impl Shared {
    pub(in crate::rows) fn new(nulls: Nulls) -> Self {
        Shared { nulls, ..Shared::default() }
    }

    /// Counts a value of another kind than a condition asks for, which is null there.
    #[cold]
    pub(super) fn count_other_kind(&self) {
        self.other_kind.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a division by zero, which is null.
    #[cold]
    pub(super) fn count_division_by_zero(&self) {
        self.divisions_by_zero.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a record without elements, which is no record.
    pub(in crate::rows) fn count_without_elements(&self) {
        self.without_elements.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns what was counted.
    pub(in crate::rows) fn counts(&self) -> NullCounts {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        NullCounts {
            other_kind: count(&self.other_kind),
            divisions_by_zero: count(&self.divisions_by_zero),
            without_elements: count(&self.without_elements),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_small() {
        assert_eq!(size_of::<Why>(), 4);
    }
}
