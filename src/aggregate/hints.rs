//! What the crate's own aggregates tell the engine, so that it can skip work.

/// What holds of all accumulators of an aggregate. Every aggregate of a user has
/// [`Hints::UNKNOWN`].
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    /// Whether [`check`](super::Aggregate::check) may look at the accumulator. If not, a `group_by`
    /// around it does not look up the group of a record to check it.
    pub(crate) checks_accumulator: bool,
    /// Whether [`state_bytes`](super::Aggregate::state_bytes) may change as records are added. If not, a
    /// `group_by` around it does not ask before and after each record.
    pub(crate) grows: bool,
}

impl Hints {
    /// Nothing is known, so that everything is looked at.
    pub(crate) const UNKNOWN: Hints = Hints { checks_accumulator: true, grows: true };

    /// The check looks at the record alone.
    pub(crate) const CHECKS_RECORD: Hints = Hints { checks_accumulator: false, grows: true };

    /// Of nothing at all.
    pub(crate) const NOTHING: Hints = Hints { checks_accumulator: false, grows: false };

    /// The hints of two aggregates that are computed together.
    #[inline]
    pub(crate) const fn and(self, other: Hints) -> Hints {
        Hints {
            checks_accumulator: self.checks_accumulator || other.checks_accumulator,
            grows: self.grows || other.grows,
        }
    }
}

/// An aggregate that knows by how much a merge can make an accumulator grow: those of a declared
/// pipeline, whose blocks may be aggregated on any thread and merged.
#[cfg(feature = "spec")]
pub(crate) trait Growth<R: ?Sized>: super::Aggregate<R> {
    /// Upper bound on how much `state_bytes(into)` grows when the records of `from` are added to
    /// it, one by one or by a merge. Default: 0 if it does not grow; otherwise as if nothing were
    /// known of it and a table had to double for it.
    fn growth_max(&self, into: &Self::Accumulator, from: &Self::Accumulator) -> usize {
        if self.hints().grows { self.state_bytes(into) + 2 * self.state_bytes(from) } else { 0 }
    }
}
