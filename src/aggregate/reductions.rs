//! The reductions of sketches that make a state fit into a number of bytes.

/// The reductions that made a snapshot fit.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reductions {
    /// The error of the reduced sketches: a share of the total for counts (top-k, frequency), of
    /// the value for other aggregates. 0 if nothing was reduced.
    pub tolerance: f64,
    /// The bytes of the whole state before the reduction.
    pub bytes_before: usize,
    /// The bytes of the snapshot.
    pub bytes_after: usize,
    /// The reduced aggregates, in the order in which they were first reduced.
    pub reduced: Vec<Reduced>,
}

/// An aggregate whose accumulators were reduced.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reduced {
    /// The aggregate's description.
    pub aggregate: String,
    /// The number of its reduced accumulators: one per pane and group.
    pub accumulators: u64,
}

impl Reductions {
    pub(crate) fn none(bytes: usize) -> Self {
        Reductions { tolerance: 0.0, bytes_before: bytes, bytes_after: bytes, reduced: Vec::new() }
    }

    pub(crate) fn new(tolerance: f64, bytes_before: usize) -> Self {
        Reductions { tolerance, bytes_before, bytes_after: bytes_before, reduced: Vec::new() }
    }

    /// Counts a reduced accumulator of the aggregate. Called by
    /// [`Persistence::reduce`](super::Persistence::reduce).
    pub fn note(&mut self, aggregate: &str) {
        match self.reduced.iter_mut().find(|reduced| reduced.aggregate == aggregate) {
            Some(reduced) => reduced.accumulators = reduced.accumulators.saturating_add(1),
            None => self.reduced.push(Reduced { aggregate: aggregate.to_owned(), accumulators: 1 }),
        }
    }

    /// Returns true if nothing was reduced.
    pub fn is_empty(&self) -> bool {
        self.reduced.is_empty()
    }
}
