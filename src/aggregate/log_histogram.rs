//! The number of records in buckets that grow with the number.

use super::extract::ByValue;
use super::number::MaybeNumber;
use super::over_log_histogram::{HistogramAnswer, OverLogHistogram};
use crate::error::Error;
use crate::sketch::{Bucket, LogHistogram};

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
pub type LogBuckets<N> = OverLogHistogram<N, AllBuckets>;

/// The buckets of a [`LogHistogram`], as the answer of an aggregate.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{AllBuckets, HistogramAnswer};
/// use streamgauge::sketch::LogHistogram;
/// let mut numbers = LogHistogram::with_accuracy(0.2)?;
/// [2.0, 2.5, 3.0].into_iter().try_for_each(|number| numbers.add(number, 1))?;
/// assert_eq!(AllBuckets.read(&numbers).len(), 2);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllBuckets;

/// Counts records by buckets that grow with the number, for numbers whose size is not known before.
/// The answer has the [`Bucket`]s with at least one number, in ascending order. Counts are exact.
///
/// There are two buckets for each doubling: from 2 to below 3, from 3 to below 4, from 4 to below
/// 6, and so on. The bounds do not depend on the numbers. [`accuracy`](OverLogHistogram::accuracy)
/// gives narrower buckets. For given bounds use [`histogram`](super::histogram()). A missing number
/// (`None`) is skipped; NaN and infinities make their record a dead letter.
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
/// assert_eq!((buckets[1].lower, buckets[1].upper), (1.0, 1.5));
/// assert_eq!((buckets[2].lower, buckets[2].upper), (768.0, 1024.0));
/// ```
pub fn log_histogram<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(
    number: F,
) -> LogBuckets<ByValue<R, V, F>> {
    LogBuckets::new(ByValue::new(number))
}

impl<N> LogBuckets<N> {
    pub(crate) fn new(number: N) -> Self {
        LogBuckets::within(DEFAULT_BUCKET_ACCURACY, AllBuckets, number)
    }
}

impl HistogramAnswer for AllBuckets {
    type Output = Vec<Bucket>;

    const NAME: &'static str = "log_histogram";

    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    fn describe(&self) -> String {
        "buckets".into()
    }

    fn read(&self, histogram: &LogHistogram) -> Vec<Bucket> {
        histogram.buckets()
    }
}
