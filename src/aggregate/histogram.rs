//! The number of records in each of given buckets.

use super::extract::{ByValue, ValueOf};
use super::number::{MaybeNumber, Number, check_finite, count_overflow};
use super::{Aggregate, Hints, Invertible, Persistence};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::time::Timestamp;

/// Maximum number of bounds of a histogram.
const BOUNDS_MAX: usize = 1000;

/// Counts records by buckets of a number. Created by [`histogram`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let sizes = group_by_value(|size: &u64| size % 2, histogram(|size: &u64| *size, [10, 100]));
/// let mut pipeline = Pipeline::builder().aggregate(sizes).build()?;
/// let groups = pipeline.over([4, 12, 14]).next().expect("the input has ended").value;
/// assert_eq!(groups.find(&0).map(|found| found.counts.clone()), Some(vec![1, 2, 0]));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Histogram<N, B> {
    number: N,
    bounds: Box<[B]>,
}

/// The answer of [`histogram`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let sizes = histogram(|size: &u64| *size, [10]);
/// let mut pipeline = Pipeline::builder().aggregate(sizes).build()?;
/// let found = pipeline.over([1, 2, 10]).next().expect("the input has ended").value;
/// assert_eq!((found.bounds, found.counts), (vec![10], vec![2, 1]));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BucketCounts<B> {
    /// The bounds between the buckets, in ascending order.
    pub bounds: Vec<B>,
    /// The number of records in each bucket, one more than there are bounds.
    pub counts: Vec<u64>,
}

impl<B: Copy> BucketCounts<B> {
    /// Returns each bucket as its bounds and its count. A number is in the bucket if it is at least
    /// the first bound and below the second. The first bucket has no lower bound, the last no upper
    /// bound.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let sizes = histogram(|size: &u64| *size, [10, 100]);
    /// let mut pipeline = Pipeline::builder().aggregate(sizes).build()?;
    /// let found = pipeline.over([9, 10, 11]).next().expect("the input has ended").value;
    /// let buckets: Vec<_> = found.buckets().collect();
    /// assert_eq!(buckets, [(None, Some(10), 1), (Some(10), Some(100), 2), (Some(100), None, 0)]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = (Option<B>, Option<B>, u64)> + '_ {
        let lower = std::iter::once(None).chain(self.bounds.iter().copied().map(Some));
        let upper = self.bounds.iter().copied().map(Some).chain(std::iter::once(None));
        lower.zip(upper).zip(&self.counts).map(|((lower, upper), count)| (lower, upper, *count))
    }
}

/// Counts records by buckets of a number. The bounds between the buckets are in ascending order, at
/// most 1,000: `histogram(|hit: &Hit| hit.latency_ms, [10, 100, 1_000])` has four buckets. A number
/// that equals a bound is in the bucket above it. For buckets that need not be known before, use
/// [`log_histogram`](super::log_histogram()).
///
/// Counts are exact. A missing number (`None`) is skipped; NaN and infinities make their record a
/// dead letter.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, histogram};
/// use streamgauge::Timestamp;
/// let latency = histogram(|millis: &f64| *millis, [0.5, 2.5]);
/// let mut accumulator = latency.init();
/// for millis in [0.1, 0.5, 2.0, 99.0] {
///     latency.add(&mut accumulator, &millis, Timestamp::from_millis(0));
/// }
/// assert_eq!(latency.output(&accumulator).counts, [1, 2, 1]);
/// assert!(histogram(|millis: &f64| *millis, [2.5, 0.5]).validate().is_err());
/// ```
pub fn histogram<R, V, F>(
    number: F,
    bounds: impl IntoIterator<Item = V::Number>,
) -> Histogram<ByValue<R, V, F>, V::Number>
where
    R: ?Sized,
    V: MaybeNumber,
    F: Fn(&R) -> V,
{
    Histogram::new(ByValue::new(number), bounds.into_iter().collect())
}

impl<N, B: Number> Histogram<N, B> {
    pub(crate) fn new(number: N, bounds: Box<[B]>) -> Self {
        Histogram { number, bounds }
    }

    /// Returns the index of the bucket of a number.
    #[inline]
    fn bucket(&self, number: B) -> usize {
        // 0.0 and -0.0 are one bound.
        let reached = |bound: &B| bound.compare(&number).is_le() || bound.widen() == number.widen();
        self.bounds.partition_point(reached)
    }
}

type NumberOf<V> = <V as MaybeNumber>::Number;

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Aggregate<R>
    for Histogram<N, NumberOf<N::Value>>
{
    type Accumulator = Box<[u64]>;
    type Output = BucketCounts<NumberOf<N::Value>>;

    fn validate(&self) -> Result<(), Error> {
        if self.bounds.is_empty() || self.bounds.len() > BOUNDS_MAX {
            let bounds = self.bounds.len();
            let message = format!("{bounds} bounds of a histogram; from 1 to {BOUNDS_MAX}");
            return Err(Error::invalid(message));
        }
        if let Some(bound) = self.bounds.iter().find(|bound| !bound.is_finite()) {
            return Err(Error::invalid(format!("{bound:?} as a bound of a histogram")));
        }
        let falls = |pair: &[NumberOf<N::Value>]| match pair {
            [low, high] => !low.compare(high).is_lt() || low.widen() == high.widen(),
            _ => false,
        };
        match self.bounds.windows(2).find(|pair| falls(pair)) {
            Some(pair) => {
                Err(Error::invalid(format!("the bounds {pair:?} of a histogram do not ascend")))
            }
            None => Ok(()),
        }
    }

    fn init(&self) -> Box<[u64]> {
        vec![0; self.bounds.len() + 1].into()
    }

    #[inline]
    fn check(&self, _accumulator: Option<&Box<[u64]>>, record: &R) -> Result<(), Error> {
        check_finite(self.number.value(record), "histogram")
    }

    #[inline]
    fn add(&self, accumulator: &mut Box<[u64]>, record: &R, _time: Timestamp) {
        if let Some(number) = self.number.value(record).number()
            && let Some(count) = accumulator.get_mut(self.bucket(number))
        {
            *count = count.saturating_add(1);
        }
    }

    fn merge(&self, into: &mut Box<[u64]>, from: &Box<[u64]>) -> Result<(), Error> {
        let sums = into.iter().zip(from).map(|(into, from)| into.checked_add(*from));
        *into = sums.collect::<Option<_>>().ok_or_else(count_overflow)?;
        Ok(())
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        Some(self)
    }

    fn output(&self, accumulator: &Box<[u64]>) -> Self::Output {
        BucketCounts { bounds: self.bounds.to_vec(), counts: accumulator.to_vec() }
    }

    #[inline]
    fn state_bytes(&self, accumulator: &Box<[u64]>) -> usize {
        size_of_val(accumulator) + size_of_val(&**accumulator)
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints { grows: false, ..Hints::CHECKS_RECORD }
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Persistence<R, Box<[u64]>>
    for Histogram<N, NumberOf<N::Value>>
{
    fn describe(&self) -> String {
        format!("histogram {:?}", self.bounds)
    }

    fn encode(&self, accumulator: &Box<[u64]>, writer: &mut Writer) -> Result<(), Error> {
        accumulator.iter().for_each(|count| writer.u64(*count));
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<Box<[u64]>, Error> {
        (0..=self.bounds.len()).map(|_| reader.u64()).collect()
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Invertible<R, Box<[u64]>>
    for Histogram<N, NumberOf<N::Value>>
{
    fn is_exact(&self, accumulator: &Box<[u64]>) -> bool {
        accumulator.iter().all(|count| *count < u64::MAX)
    }

    fn subtract(&self, from: &mut Box<[u64]>, part: &Box<[u64]>) -> bool {
        let rest = from.iter().zip(part).map(|(from, part)| from.checked_sub(*part));
        match rest.collect() {
            Some(rest) => *from = rest,
            None => return false,
        }
        true
    }
}
