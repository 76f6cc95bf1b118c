//! The number of records in buckets that grow with the number.

use super::extract::{ByValue, ValueOf};
use super::number::MaybeNumber;
use super::{Aggregate, Hints, Invertible, Persistence, Quantiles, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::sketch::{Bucket, LogHistogram};
use crate::time::Timestamp;

/// Default relative accuracy: two buckets for each doubling of the number.
const DEFAULT_BUCKET_ACCURACY: f64 = 0.2;

/// Counts records by buckets that grow with the number. Created by [`log_histogram`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let latency = log_histogram(|millis: &u32| *millis).accuracy(0.05);
/// let mut pipeline = Pipeline::builder().aggregate(latency).build()?;
/// let buckets = pipeline.over(1..=1_000).next().expect("the input has ended").value;
/// assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 1_000);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct LogBuckets<N> {
    of: Quantiles<N, 0>,
}

/// Counts records by buckets that grow with the number, for numbers whose size is not known before.
/// The answer has the [`Bucket`]s with at least one number, in ascending order. Counts are exact.
/// The first bucket begins with the smallest number, and the last ends with the largest.
///
/// There are two buckets for each doubling; [`accuracy`](LogBuckets::accuracy) gives narrower ones.
/// For given bounds use [`histogram`](super::histogram()). A missing number (`None`) is skipped; NaN
/// and infinities make their record a dead letter.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, log_histogram};
/// use streamgauge::Timestamp;
/// let latency = log_histogram(|millis: &f64| *millis);
/// let mut accumulator = latency.init();
/// for millis in [0.0, 1.2, 1.3, 900.0] {
///     latency.add(&mut accumulator, &millis, Timestamp::from_millis(0));
/// }
/// let buckets = latency.output(&accumulator);
/// assert_eq!(buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [1, 2, 1]);
/// assert!(buckets[1].lower <= 1.2 && 1.3 <= buckets[1].upper);
/// assert_eq!((buckets[0].lower, buckets[2].upper), (0.0, 900.0));
/// ```
pub fn log_histogram<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(
    number: F,
) -> LogBuckets<ByValue<R, V, F>> {
    LogBuckets { of: super::quantiles([], number).accuracy(DEFAULT_BUCKET_ACCURACY) }
}

impl<N> LogBuckets<N> {
    /// Sets the relative accuracy: a bucket is at most about twice as wide, as a share of its
    /// numbers. Default: 0.2. See [`LogHistogram::with_accuracy`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let buckets = |alpha| {
    ///     let latency = log_histogram(|millis: &u32| *millis).accuracy(alpha);
    ///     let mut pipeline = Pipeline::builder().aggregate(latency).build()?;
    ///     Ok::<_, Error>(pipeline.over(1..=1_000).next().map_or(0, |found| found.value.len()))
    /// };
    /// assert!(buckets(0.2)? < buckets(0.05)?);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn accuracy(mut self, alpha: f64) -> Self {
        self.of = self.of.accuracy(alpha);
        self
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Aggregate<R> for LogBuckets<N> {
    type Accumulator = LogHistogram;
    type Output = Vec<Bucket>;

    fn validate(&self) -> Result<(), Error> {
        self.of.validate()
    }

    fn init(&self) -> LogHistogram {
        self.of.init()
    }

    #[inline]
    fn check(&self, accumulator: Option<&LogHistogram>, record: &R) -> Result<(), Error> {
        self.of.check(accumulator, record)
    }

    #[inline]
    fn add(&self, accumulator: &mut LogHistogram, record: &R, time: Timestamp) {
        self.of.add(accumulator, record, time);
    }

    fn merge(&self, into: &mut LogHistogram, from: &LogHistogram) -> Result<(), Error> {
        into.merge(from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, LogHistogram>> {
        self.of.inverse()
    }

    fn output(&self, accumulator: &LogHistogram) -> Vec<Bucket> {
        accumulator.buckets()
    }

    #[inline]
    fn state_bytes(&self, accumulator: &LogHistogram) -> usize {
        accumulator.resident_bytes()
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::CHECKS_RECORD
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Persistence<R, LogHistogram> for LogBuckets<N> {
    fn describe(&self) -> String {
        format!("buckets, {}", Persistence::<R, _>::describe(&self.of))
    }

    fn encode(&self, accumulator: &LogHistogram, writer: &mut Writer) -> Result<(), Error> {
        accumulator.encode(writer);
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<LogHistogram, Error> {
        Persistence::<R, _>::decode(&self.of, reader)
    }

    fn reduce(&self, accumulator: &mut LogHistogram, tolerance: f64, reductions: &mut Reductions) {
        Persistence::<R, _>::reduce(&self.of, accumulator, tolerance, reductions);
    }
}
