//! Aggregates: what is computed of the records of a window.
//!
//! An [`Aggregate`] is a *specification* (which field, which `k`, which seed) and works on an
//! *accumulator*, plain data of which the engine keeps one per pane. Accumulators of the same
//! specification merge, and merging is the same as having seen the records of both: that is what
//! makes sliding windows, shards and threads agree.
//!
//! A keyed aggregation is an aggregate ([`group_by`]), and so is a tuple of aggregates, so that
//! `(count(), sum(bytes), group_by(country, top_k(10, url)))` composes freely.

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
mod invertible;
mod mean;
mod number;
mod persistence;
mod quantile;
mod reductions;
mod sum;
mod top_k;
mod tuples;
mod variance;
mod wide;

pub use count::{Count, count};
pub use distinct::{
    DISTINCT_EXACT_MAX, DISTINCT_PRECISION, Distinct, DistinctAccumulator, distinct, distinct_value,
};
pub use exact_sum::ExactSum;
pub use extract::{ByReference, ByValue, KeyOf, ValueOf};
pub use extrema::{Max, Min, max, min};
pub use filtered::{Filtered, filtered};
pub use first_last::{First, Last, first, last};
pub use frequency::{
    Frequencies, Frequency, frequencies, frequencies_value, frequency, frequency_value,
};
pub use group_by::{GroupBy, GroupByAccumulator, Overflow, group_by, group_by_value};
pub use groups::{Groups, Other};
pub use invertible::Invertible;
pub use mean::{Mean, MeanAccumulator, mean};
pub use number::{IntegerSum, Moments, Number, Total, Wide};
pub use persistence::{DynPersistence, Persistence};
pub use quantile::{Quantile, Quantiles, quantile, quantiles};
pub use reductions::{Reduced, Reductions};
pub use sum::{Sum, sum};
pub use top_k::{DEFAULT_COUNTERS, TopK, top_k, top_k_value};
pub use variance::{FloatMoments, IntegerMoments, Stddev, Variance, stddev, variance};

#[cfg(feature = "spec")]
pub(crate) use hints::Growth;
pub(crate) use hints::Hints;
pub(crate) use persistence::{description, seed_fingerprint};

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::time::Timestamp;

/// What is computed of the records of a window. `R` is the type of the records.
///
/// An aggregate of your own needs four methods: [`init`](Aggregate::init),
/// [`add`](Aggregate::add), [`merge`](Aggregate::merge) and [`output`](Aggregate::output). It then
/// works in pipelines, tuples and groups. Implement [`check`](Aggregate::check) to refuse records,
/// and [`Persistence`] for snapshots, partials and state stores: a pipeline without it is refused
/// by name when it is built with one of these.
///
/// # Laws
/// For any records `r`, with `fold` for adding them one after the other to a fresh accumulator:
/// - *identity*: merging a fresh accumulator, into or from, changes no output;
/// - *associativity*: `merge(merge(a, b), c)` and `merge(a, merge(b, c))` have the same output;
/// - *replay*: `merge(fold(x), fold(y))` has the output of `fold(x then y)`;
/// - `output` changes nothing.
///
/// Exact aggregates keep them to the bit. A sketch that has begun to approximate keeps them within
/// its stated bounds, and gives the same output for the same records in the same order.
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

    /// The answer.
    type Output;

    /// Whether the specification is a sensible one; asked once, when a pipeline is built. Default:
    /// it is.
    ///
    /// Constructors such as [`top_k`] take any number, so that they stay short; this is where a `k`
    /// of 0 is found. Wrappers and tuples ask what they contain. The other methods do not panic on
    /// a specification that was never asked about; what they answer is then not specified.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], saying which value is wrong and what would be right.
    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// A fresh accumulator, of no records.
    fn init(&self) -> Self::Accumulator;

    /// Whether [`add`](Aggregate::add) can take this record; called before it, with the accumulator
    /// it will be added to, or `None` if that is yet to be made. Default: it can.
    ///
    /// A record is added to all aggregates of a tuple or to none, so what can be wrong with it is
    /// found here, not in `add`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`] if the record has to become a dead letter, such as a NaN;
    /// [`ErrorKind::LimitExceeded`] if it would pass a limit.
    #[inline]
    fn check(&self, accumulator: Option<&Self::Accumulator>, record: &R) -> Result<(), Error> {
        let _ = (accumulator, record);
        Ok(())
    }

    /// Adds a record with its event time.
    fn add(&self, accumulator: &mut Self::Accumulator, record: &R, time: Timestamp);

    /// Adds a record if [`check`](Aggregate::check) lets it; otherwise the accumulator stays as it
    /// is. What the engine calls for most records. Default: the one and then the other; worth
    /// implementing where both would look for the same thing.
    ///
    /// # Errors
    /// Those of [`check`](Aggregate::check).
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

    /// Adds what `from` has seen to `into`. `from`'s records are taken as having come after
    /// `into`'s.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the accumulators are not of this specification,
    /// [`ErrorKind::LimitExceeded`] if the merged one would pass a limit. `into` may then be used
    /// no more.
    fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error>;

    /// The means to take back what was merged, if there are any: a window that slides is then kept
    /// by adding and subtracting panes. Default: none.
    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        None
    }

    /// The answer of the records so far. The accumulator can go on.
    fn output(&self, accumulator: &Self::Accumulator) -> Self::Output;

    /// Approximate bytes of the accumulator, what it holds on the heap included. Default: its size
    /// without the heap.
    fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
        size_of_val(accumulator)
    }

    /// How accumulators are written down, for snapshots, partials and stores: `Ok(self)` of an
    /// aggregate that implements [`Persistence`]. Default: they cannot be.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the name of the aggregate's type, or of the one inside of it
    /// that cannot be written down: such a pipeline works everywhere but with those.
    fn persistence(&self) -> Result<DynPersistence<'_, R, Self>, Error> {
        Err(persistence::no_persistence::<Self>())
    }

    /// What the engine need not look at. Not part of the interface: the default is right for every
    /// aggregate.
    #[doc(hidden)]
    #[inline]
    fn hints(&self) -> hints::Hints {
        hints::Hints::UNKNOWN
    }
}
