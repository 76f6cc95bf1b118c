//! The reductions of sketches that make a state fit into a number of bytes.

/// The reductions that made a snapshot fit.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder()
///     .aggregate(top_k_value(3, |number: &u64| *number))
///     .build()?;
/// for number in 0..10_000 {
///     pipeline.push(&(number % 5_000))?;
/// }
/// let (snapshot, reductions) = pipeline.snapshot_within(10_000)?;
/// assert!(snapshot.bytes().len() <= 10_000 && reductions.bytes_before > 10_000);
/// // Counts of the restored pipeline are wrong by at most this share of all records.
/// assert!(0.0 < reductions.tolerance && reductions.tolerance < 0.01);
/// # Ok::<(), Error>(())
/// ```
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
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// # let mut pipeline = Pipeline::builder()
/// #     .aggregate((count(), top_k_value(3, |number: &u64| *number).counters(5_000)))
/// #     .build()?;
/// # for number in 0..10_000 {
/// #     pipeline.push(&(number % 5_000))?;
/// # }
/// // A pipeline of `(count(), top_k_value(3, ..))`: the count stays exact.
/// let (_, reductions) = pipeline.snapshot_within(10_000)?;
/// assert_eq!(reductions.reduced.len(), 1);
/// assert!(reductions.reduced[0].aggregate.starts_with("top 3 of u64"));
/// # Ok::<(), Error>(())
/// ```
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

    /// Adds what was reduced elsewhere to the same tolerance.
    #[cfg(feature = "spec")]
    pub(crate) fn add(&mut self, other: Reductions) {
        for Reduced { aggregate, accumulators } in other.reduced {
            match self.reduced.iter_mut().find(|reduced| reduced.aggregate == aggregate) {
                Some(reduced) => {
                    reduced.accumulators = reduced.accumulators.saturating_add(accumulators);
                }
                None => self.reduced.push(Reduced { aggregate, accumulators }),
            }
        }
    }

    /// Counts a reduced accumulator of the aggregate. Called by
    /// [`Persistence::reduce`](super::Persistence::reduce).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let (_, mut reductions) = pipeline.snapshot_within(10_000)?;
    /// reductions.note("my sketch"); // as `Persistence::reduce` does, once per accumulator
    /// reductions.note("my sketch");
    /// assert_eq!((reductions.reduced.len(), reductions.reduced[0].accumulators), (1, 2));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn note(&mut self, aggregate: &str) {
        match self.reduced.iter_mut().find(|reduced| reduced.aggregate == aggregate) {
            Some(reduced) => reduced.accumulators = reduced.accumulators.saturating_add(1),
            None => self.reduced.push(Reduced { aggregate: aggregate.to_owned(), accumulators: 1 }),
        }
    }

    /// Returns true if nothing was reduced.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pipeline = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let (_, reductions) = pipeline.snapshot_within(10_000)?; // it fits as it is
    /// assert!(reductions.is_empty() && reductions.tolerance == 0.0);
    /// assert!(pipeline.snapshot_within(10).is_err()); // a count cannot be made coarser
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.reduced.is_empty()
    }
}
