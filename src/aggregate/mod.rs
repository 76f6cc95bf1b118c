//! Aggregates: what a window computes from its records.
//!
//! An [`Aggregate`] is a *specification* (which field, which `k`, which seed). It works on an
//! *accumulator*, plain data of which the engine keeps one per pane. Accumulators of the same
//! specification can be merged, and the merge equals an accumulator of the records of both.
//! Therefore sliding windows, shards and threads give the same answers.
//!
//! A keyed aggregation is an aggregate ([`group_by`]), and so is a tuple of aggregates, so that
//! `(count(), sum(bytes), group_by(country, top_k(10, url)))` can be composed freely.

mod bools;
mod count;
mod distinct;
mod empty;
mod exact_sum;
pub(crate) mod extract;
mod extrema;
mod filtered;
mod first_last;
mod frequency;
mod group_by;
mod groups;
mod hints;
mod histogram;
mod invertible;
mod keys;
mod log_histogram;
mod max_by;
mod mean;
mod number;
mod over_log_histogram;
mod partition;
mod per_group;
mod persistence;
mod quantile;
mod reductions;
mod sum;
mod top_k;
mod top_k_by_weight;
mod tuples;
mod variance;
mod wide;

pub use bools::{BoolAnd, BoolOr, bool_and, bool_or};
pub use count::{Count, count};
#[cfg(feature = "spec")]
pub(crate) use distinct::distinct_errors;
pub use distinct::{
    DISTINCT_EXACT_MAX, DISTINCT_PRECISION, Distinct, DistinctAccumulator, distinct, distinct_value,
};
pub use exact_sum::ExactSum;
pub use extract::{ByReference, ByValue, KeyOf, ValueOf};
pub use extrema::{Max, Min, max, min};
pub use filtered::{Filtered, Present, filtered, if_present};
pub use first_last::{First, Last, first, last};
pub use frequency::{
    Frequencies, Frequency, frequencies, frequencies_value, frequency, frequency_value,
};
pub use group_by::{GroupBy, GroupByAccumulator, Overflow, group_by, group_by_value};
pub use groups::{Groups, Other};
pub use histogram::{BucketCounts, Histogram, histogram};
pub use invertible::Invertible;
pub use keys::Keys;
pub use log_histogram::{AllBuckets, LogBuckets, log_histogram};
pub use max_by::{MaxBy, MinBy, max_by, min_by};
pub use mean::{Mean, MeanAccumulator, mean};
pub use number::{IntegerSum, MaybeNumber, Moments, Number, Total, Wide};
pub use over_log_histogram::{HistogramAnswer, OverLogHistogram};
pub(crate) use partition::{Partition, Parts, PartsVisitor};
pub use per_group::PerGroup;
pub use persistence::Persistence;
pub use quantile::{DEFAULT_ACCURACY, Quantile, Quantiles, quantile, quantiles};
pub use reductions::{Reduced, Reductions};
pub use sum::{Sum, sum};
pub use top_k::{COUNTERS_MAX, DEFAULT_COUNTERS, TopK, top_k, top_k_value};
pub use top_k_by_weight::{TopKByWeight, top_k_by_weight};
pub use variance::{FloatMoments, IntegerMoments, Stddev, Variance, stddev, variance};
#[cfg(feature = "spec")]
pub(crate) use {group_by::ByKey, partition::AllRecords};

#[cfg(feature = "spec")]
pub(crate) use extrema::Ranked;
#[cfg(feature = "spec")]
pub(crate) use group_by::OrderedGroups;
#[cfg(feature = "spec")]
pub(crate) use hints::Growth;
pub(crate) use hints::{Hints, Reads};
#[cfg(feature = "spec")]
pub(crate) use max_by::KeptValue;
#[cfg(feature = "spec")]
pub(crate) use number::sealed::Sealed;
pub(crate) use persistence::{description, seed_fingerprint};

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::time::Timestamp;

/// Computes an answer from the records of a window. `R` is the type of the records.
///
/// An aggregate of your own needs four methods: [`init`](Aggregate::init), [`add`](Aggregate::add),
/// [`merge`](Aggregate::merge) and [`output`](Aggregate::output). It then works in pipelines,
/// tuples and groups. Implement [`check`](Aggregate::check) to refuse records, and [`Persistence`]
/// for snapshots, partials and state stores. Without it, building a pipeline with one of these
/// fails with an error that names the aggregate.
///
/// # Laws
/// For any records `r`, where `fold` adds them one after another to a fresh accumulator:
/// - *identity*: merging a fresh accumulator, in either direction, changes no output;
/// - *associativity*: `merge(merge(a, b), c)` and `merge(a, merge(b, c))` have the same output;
/// - *replay*: `merge(fold(x), fold(y))` has the output of `fold(x then y)`;
/// - `output` changes nothing.
///
/// Exact aggregates obey these laws bit by bit. An approximate sketch obeys them within its stated
/// bounds, and gives the same output for the same records in the same order.
///
/// # Example: the geometric mean
/// ```
/// use streamgauge::prelude::*;
///
/// struct GeometricMean;
///
/// impl Aggregate<f64> for GeometricMean {
///     type Accumulator = (u64, f64);
///     type Output = Option<f64>;
///     fn init(&self) -> (u64, f64) {
///         (0, 0.0)
///     }
///     fn add(&self, (n, logs): &mut (u64, f64), record: &f64, _time: Timestamp) {
///         *n += 1;
///         *logs += record.ln();
///     }
///     fn merge(&self, into: &mut (u64, f64), from: &(u64, f64)) -> Result<(), Error> {
///         into.0 += from.0;
///         into.1 += from.1;
///         Ok(())
///     }
///     fn output(&self, &(n, logs): &(u64, f64)) -> Option<f64> {
///         (n > 0).then(|| (logs / n as f64).exp())
///     }
/// }
///
/// let both = (count(), GeometricMean);
/// let mut accumulator = both.init();
/// for x in [2.0, 8.0] {
///     both.add(&mut accumulator, &x, Timestamp::from_millis(0));
/// }
/// let (n, mean) = both.output(&accumulator);
/// assert_eq!(n, 2);
/// assert!((mean.unwrap() - 4.0).abs() < 1e-12);
/// ```
pub trait Aggregate<R: ?Sized> {
    /// The state that grows with the records: plain data.
    type Accumulator: Clone + Send + Sync + 'static;

    /// The type of the answer.
    type Output;

    /// Checks the specification. Called once, when a pipeline is built. Default: accepts
    /// everything.
    ///
    /// Constructors such as [`top_k`] accept any number, so that calls stay short; this method
    /// refuses a `k` of 0. Wrappers and tuples call it for their parts. The other methods must not
    /// panic for a specification that was not validated; their results are then unspecified.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], which tells the wrong value and the right range.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pages = top_k(0, |page: &str| page); // no error here
    /// assert_eq!(pages.validate().unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// ```
    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Returns a fresh accumulator without records.
    fn init(&self) -> Self::Accumulator;

    /// Checks that [`add`](Aggregate::add) can add this record. Called before `add`, with the
    /// accumulator to which the record will be added, or `None` if it does not exist yet. Default:
    /// accepts every record.
    ///
    /// A record is added to all aggregates of a tuple or to none, so errors must be found here, not
    /// in `add`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`] if the record must become a dead letter, for example because of
    /// a NaN; [`ErrorKind::LimitExceeded`] if it would pass a limit.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let both = (count(), sum(|number: &f64| *number));
    /// // The count could take the record, but a record is added to all of a tuple or to none.
    /// let refused = both.check(None, &f64::NAN).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::InvalidRecord);
    /// ```
    #[inline]
    fn check(&self, accumulator: Option<&Self::Accumulator>, record: &R) -> Result<(), Error> {
        let _ = (accumulator, record);
        Ok(())
    }

    /// Adds a record with its event time.
    fn add(&self, accumulator: &mut Self::Accumulator, record: &R, time: Timestamp);

    /// Adds a record if [`check`](Aggregate::check) accepts it; otherwise the accumulator is
    /// unchanged. The engine calls it for most records. Default: calls `check`, then `add`.
    /// Implement it if both would look up the same thing.
    ///
    /// # Errors
    /// Those of [`check`](Aggregate::check).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let total = sum(|number: &f64| *number);
    /// let mut accumulator = total.init();
    /// assert!(total.try_add(&mut accumulator, &2.5, Timestamp::from_millis(0)).is_ok());
    /// assert!(total.try_add(&mut accumulator, &f64::NAN, Timestamp::from_millis(0)).is_err());
    /// assert_eq!(total.output(&accumulator), 2.5); // unchanged
    /// ```
    #[inline]
    fn try_add(
        &self,
        accumulator: &mut Self::Accumulator,
        record: &R,
        time: Timestamp,
    ) -> Result<(), Error> {
        self.check(Some(accumulator), record)?;
        self.add(accumulator, record, time);
        Ok(())
    }

    /// Adds the records of `from` to `into`. The records of `from` count as later than those of
    /// `into`.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the accumulators do not belong to this specification,
    /// [`ErrorKind::LimitExceeded`] if the merged accumulator would pass a limit. `into` must then
    /// be discarded.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let ends = (first(|at: &u64| *at), last(|at: &u64| *at));
    /// let [mut one, mut other] = [ends.init(), ends.init()];
    /// ends.add(&mut one, &1, Timestamp::from_millis(1));
    /// ends.add(&mut other, &2, Timestamp::from_millis(2));
    /// ends.merge(&mut one, &other)?; // as if all records had been added to one
    /// assert_eq!(ends.output(&one), (Some(1), Some(2)));
    /// # Ok::<(), Error>(())
    /// ```
    fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error>;

    /// Returns the inverse of `merge`, if there is one. A sliding window then adds and subtracts
    /// panes. Default: `None`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// assert!(Aggregate::<u64>::inverse(&count()).is_some());
    /// assert!(max(|number: &u64| *number).inverse().is_none()); // what was the second largest?
    /// ```
    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        None
    }

    /// Returns what windows of each group need, if the aggregate is one of groups. Default: `None`,
    /// all records are of one group.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let by_parity = group_by_value(|number: &u64| number % 2, count());
    /// assert!(by_parity.per_group().is_some());
    /// assert!(Aggregate::<u64>::per_group(&count()).is_none());
    /// ```
    fn per_group(&self) -> Option<&dyn PerGroup<R, Self::Accumulator>> {
        None
    }

    /// Returns true if an accumulator has enough memory that [`prefetch`](Aggregate::prefetch)
    /// before a number of records saves time. Not part of the public interface. Default: false.
    #[doc(hidden)]
    #[inline]
    fn is_spread(&self, accumulator: &Self::Accumulator) -> bool {
        let _ = accumulator;
        false
    }

    /// Asks the CPU to load what adding the record reads. Not part of the public interface.
    /// Default: nothing is loaded.
    #[doc(hidden)]
    #[inline]
    fn prefetch(&self, accumulator: &Self::Accumulator, record: &R, reads: hints::Reads) {
        let _ = (accumulator, record, reads);
    }

    /// Calls a visitor with the parts of the aggregate, one for each group. Not part of the public
    /// interface. Default: all records are of one group.
    #[doc(hidden)]
    fn visit_parts<V: partition::PartsVisitor<R, Self>>(&self, visitor: V) -> V::Output
    where
        Self: Sized,
    {
        visitor.visit::<partition::AllRecords>()
    }

    /// Returns the answer for the records so far. More records may follow.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let longest = max(|length: &u64| *length);
    /// let mut accumulator = longest.init();
    /// assert_eq!(longest.output(&accumulator), None);
    /// longest.add(&mut accumulator, &3, Timestamp::from_millis(0));
    /// assert_eq!(longest.output(&accumulator), Some(3));
    /// longest.add(&mut accumulator, &9, Timestamp::from_millis(0)); // it goes on
    /// assert_eq!(longest.output(&accumulator), Some(9));
    /// ```
    fn output(&self, accumulator: &Self::Accumulator) -> Self::Output;

    /// Returns the approximate bytes of the accumulator, including its heap. Default: its size
    /// without the heap.
    fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
        size_of_val(accumulator)
    }

    /// Returns the encoding of accumulators, for snapshots, partials and stores: `Ok(self)` for an
    /// aggregate that implements [`Persistence`]. Default: an error.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the name of the aggregate's type, or of the type inside it,
    /// that has no encoding. Such a pipeline works everywhere except with snapshots, partials and
    /// stores.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// # struct Newest;
    /// # impl Aggregate<u64> for Newest {
    /// #     type Accumulator = u64;
    /// #     type Output = u64;
    /// #     fn init(&self) -> u64 {
    /// #         0
    /// #     }
    /// #     fn add(&self, newest: &mut u64, record: &u64, _time: Timestamp) {
    /// #         *newest = *record;
    /// #     }
    /// #     fn merge(&self, into: &mut u64, from: &u64) -> Result<(), Error> {
    /// #         *into = *from;
    /// #         Ok(())
    /// #     }
    /// #     fn output(&self, newest: &u64) -> u64 {
    /// #         *newest
    /// #     }
    /// # }
    /// // `Newest` is an aggregate of your own without `Persistence`: it runs, but is not saved.
    /// let pipeline = Pipeline::builder().aggregate((count(), Newest)).build()?;
    /// let refused = pipeline.snapshot().unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Unsupported);
    /// assert!(refused.message().contains("Newest"));
    /// # Ok::<(), Error>(())
    /// ```
    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Err(persistence::no_persistence::<Self>())
    }

    /// Returns properties that allow the engine to skip work. Not part of the public interface: the
    /// default is right for every aggregate.
    #[doc(hidden)]
    #[inline]
    fn hints(&self) -> hints::Hints {
        hints::Hints::UNKNOWN
    }
}
