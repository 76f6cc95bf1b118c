//! Properties of the crate's own aggregates that allow the engine to skip work.

/// Properties of all accumulators of an aggregate. Every aggregate of a user has
/// [`Hints::UNKNOWN`].
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    /// True if [`check`](super::Aggregate::check) may read the accumulator. If false, a `group_by`
    /// around it does not look up the group of a record to check it.
    pub(crate) checks_accumulator: bool,
    /// True if [`state_bytes`](super::Aggregate::state_bytes) may change when records are added. If
    /// false, a `group_by` around it does not call it before and after each record.
    pub(crate) grows: bool,
}

impl Hints {
    /// Nothing is known, so no work is skipped.
    pub(crate) const UNKNOWN: Hints = Hints { checks_accumulator: true, grows: true };

    /// The check reads only the record.
    pub(crate) const CHECKS_RECORD: Hints = Hints { checks_accumulator: false, grows: true };

    /// The hints of an empty tuple.
    pub(crate) const NOTHING: Hints = Hints { checks_accumulator: false, grows: false };

    /// Returns the hints of two aggregates that are computed together.
    #[inline]
    pub(crate) const fn and(self, other: Hints) -> Hints {
        Hints {
            checks_accumulator: self.checks_accumulator || other.checks_accumulator,
            grows: self.grows || other.grows,
        }
    }
}

/// What an aggregate reads for a record, in the order in which it is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reads {
    /// The place in an index.
    Place,
    /// The row, which is found by that place.
    Row,
}

/// An aggregate that knows how much a merge can make an accumulator grow: the aggregates of a
/// declared pipeline, whose blocks may be aggregated on any thread and merged.
#[cfg(feature = "spec")]
pub(crate) trait Growth<R: ?Sized>: super::Aggregate<R> {
    /// Upper bound on how much `state_bytes(into)` can grow when the records of `from` are added to
    /// `into`, one by one or by a merge. Default: 0 if it does not grow; otherwise enough for new
    /// entries for all of `from` and for a table of `into` that doubles.
    fn growth_max(&self, into: &Self::Accumulator, from: &Self::Accumulator) -> usize {
        if self.hints().grows { self.state_bytes(into) + 2 * self.state_bytes(from) } else { 0 }
    }
}
