//! What sketches gave up so that a state fits into so many bytes.

/// What was given up so that a snapshot fits.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reductions {
    /// The error that sketches were brought to: a share of the total for counts (top-k, frequency),
    /// of the value for the rest. 0 if nothing was reduced.
    pub tolerance: f64,
    /// Bytes of the whole state.
    pub bytes_before: usize,
    /// Bytes of the snapshot.
    pub bytes_after: usize,
    /// What was reduced, by aggregate, in the order they were first met.
    pub reduced: Vec<Reduced>,
}

/// An aggregate whose accumulators were reduced.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reduced {
    /// The aggregate's description.
    pub aggregate: String,
    /// How many of its accumulators: one per pane and group.
    pub accumulators: u64,
}

impl Reductions {
    pub(crate) fn none(bytes: usize) -> Self {
        Reductions { tolerance: 0.0, bytes_before: bytes, bytes_after: bytes, reduced: Vec::new() }
    }

    pub(crate) fn new(tolerance: f64, bytes_before: usize) -> Self {
        Reductions { tolerance, bytes_before, bytes_after: bytes_before, reduced: Vec::new() }
    }

    /// Notes that an accumulator of the aggregate was reduced; to be called by
    /// [`Persistence::reduce`](super::Persistence::reduce).
    pub fn note(&mut self, aggregate: &str) {
        match self.reduced.iter_mut().find(|reduced| reduced.aggregate == aggregate) {
            Some(reduced) => reduced.accumulators = reduced.accumulators.saturating_add(1),
            None => self.reduced.push(Reduced { aggregate: aggregate.to_owned(), accumulators: 1 }),
        }
    }

    /// Whether nothing had to be given up.
    pub fn is_empty(&self) -> bool {
        self.reduced.is_empty()
    }
}
