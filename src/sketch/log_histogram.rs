//! A histogram with a relative error: quantiles of numbers, deterministic, with exact merges.

mod bucket;
mod durable;
mod exponential;
mod side;
mod subtract;

pub use exponential::{ExponentialBuckets, ExponentialSide};

use super::Estimate;
use crate::error::{Error, ErrorKind};
use bucket::{bucket_of, bucket_of_normal, edges, next_edge};
use side::{Entry, Side};

/// Maximum number of mantissa bits that choose the bucket: 8192 buckets per doubling.
const RESOLUTION_MAX: u32 = 13;

/// The number of doublings that may be completely full, on either side of 0, before neighbouring
/// buckets are joined.
const DOUBLINGS_FULL: usize = 64;

/// Minimum of the number of buckets with numbers, on either side of 0, at any accuracy. It is more
/// than two per existing doubling, so joining ends. It is the number for 64 doublings at an
/// accuracy of 0.0039.
const BUCKETS_MAX_LEAST: usize = DOUBLINGS_FULL << 7;

/// Integers up to this one are exact in a double, and all larger doubles are integers.
const INTEGERS_ALL: f64 = 4_503_599_627_370_496.0;

/// A bucket of a [`LogHistogram`], with at least one number.
///
/// # Example
/// ```
/// use streamgauge::sketch::{Bucket, LogHistogram};
/// let mut numbers = LogHistogram::with_accuracy(0.01)?;
/// numbers.add(5.0, 2)?;
/// assert_eq!(numbers.buckets(), [Bucket { lower: 5.0, upper: 5.0625, count: 2 }]);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bucket {
    /// Positive numbers of the bucket are at least this, negative ones are above it.
    pub lower: f64,
    /// Positive numbers of the bucket are below this, negative ones are at most this.
    pub upper: f64,
    /// The number of numbers.
    pub count: u64,
}

/// Quantiles of numbers, each with a bounded relative error. The bytes depend on the spread of the
/// numbers.
///
/// # Guarantee
/// `quantile(q)` is the nearest rank: number `ceil(q * n)` in order, that is, the smallest number
/// such that at least a share `q` of all numbers is not above it. Its bounds are certain, `lower <=
/// true <= upper`, and `value` differs from the true quantile by at most
/// [`accuracy`](LogHistogram::accuracy) times the true quantile, for all finite numbers. The first
/// and the last in order are exact. Integers up to `1 / accuracy` are exact too, as long as all
/// numbers are integers.
///
/// The accuracy is the requested one while the numbers of each sign lie in at most
/// [`buckets_max`](LogHistogram::buckets_max) buckets. Empty buckets do not count: 0.1 and 1e300
/// take two. Past that, all buckets are joined in pairs until they are few enough. Each time the
/// accuracy becomes half as good, everywhere alike. `accuracy` and the bounds of every quantile
/// then tell the new accuracy.
///
/// # How it works
/// All buckets have the same relative width, as in DDSketch (Masson, Rim and Lee, *DDSketch: a fast
/// and fully-mergeable quantile sketch with relative-error guarantees*, PVLDB 12, 2019), with the
/// linearly interpolated logarithm as the mapping: the bucket of a number is its exponent and the
/// first bits of its mantissa, cut from its binary form. No logarithm is computed, whose last bit
/// could depend on the machine. The edges of a bucket are exact, and half the resolution is one bit
/// fewer. The price is up to 44 % more buckets than with a logarithm.
///
/// Buckets are joined in pairs, as in UDDSketch (Epicoco, Melle, Cafaro, Pulimeno and Morleo,
/// *UDDSketch: accurate tracking of quantiles in data streams*, IEEE Access 8, 2020). The number of
/// joins follows from the set of buckets that have numbers. So the content of a histogram depends
/// only on the numbers, not on their order or on merges.
///
/// # When not to use it
/// For exact quantiles of few numbers, sort them. For the *counts of keys* use
/// [`SpaceSaving`](super::SpaceSaving).
///
/// # Example
/// ```
/// use streamgauge::sketch::LogHistogram;
/// let mut latencies = LogHistogram::with_accuracy(0.005)?;
/// for millis in 1..=1000 {
///     latencies.add(f64::from(millis), 1)?;
/// }
/// let p99 = latencies.quantile(0.99).unwrap();
/// assert!(p99.lower <= 990.0 && 990.0 <= p99.upper && (p99.value - 990.0).abs() <= 0.005 * 990.0);
/// assert_eq!(latencies.quantile(0.05).unwrap().value, 50.0); // exact: an integer below 1 / 0.005
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogHistogram {
    /// The number of mantissa bits in the number of a bucket.
    resolution: u8,
    /// The requested number of bits; at least `resolution`.
    resolution_asked: u8,
    integers: bool,
    positive: Side,
    /// The magnitudes of the numbers below 0.
    negative: Option<Box<Side>>,
    zeros: u64,
    count: u64,
    min: f64,
    max: f64,
    /// Data of the merged parts, if this histogram is a merge from which parts can be subtracted.
    parts: Option<Box<subtract::Parts>>,
}

impl LogHistogram {
    /// Creates a histogram whose quantiles have a relative error of at most `alpha`.
    ///
    /// The accuracy is the next better one of 1 / (2^(bits + 1) + 1): 0.2, 0.11, 0.059, 0.030,
    /// 0.015, 0.0078, 0.0039 and so on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] unless `alpha` is at least 0.0000611 and below 1.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let latencies = LogHistogram::with_accuracy(0.01)?;
    /// assert!(latencies.accuracy() <= 0.01); // 0.0078, the next better one
    /// assert!(LogHistogram::with_accuracy(0.0).is_err());
    /// assert!(LogHistogram::with_accuracy(1.0).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn with_accuracy(alpha: f64) -> Result<Self, Error> {
        let resolution = (1..=RESOLUTION_MAX).find(|&bits| accuracy_of(bits) <= alpha);
        let Some(resolution) = resolution.filter(|_| alpha < 1.0) else {
            return Err(Error::invalid(format!(
                "an accuracy of {alpha} is out of range: {:.7} to below 1",
                accuracy_of(RESOLUTION_MAX)
            )));
        };
        Ok(LogHistogram::empty(resolution as u8, resolution as u8))
    }

    fn empty(resolution: u8, resolution_asked: u8) -> Self {
        LogHistogram {
            resolution,
            resolution_asked,
            integers: true,
            positive: Side::default(),
            negative: None,
            zeros: 0,
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            parts: None,
        }
    }

    /// Adds a number `weight` times. O(1), amortised over the growth of the buckets; O(log buckets)
    /// for a number far from most others. A weight of 0 does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`] if the number is NaN or infinite. The histogram is then
    /// unchanged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut latencies = LogHistogram::with_accuracy(0.01)?;
    /// latencies.add(3.0, 99)?; // 99 times
    /// latencies.add(800.0, 1)?;
    /// assert_eq!(latencies.quantile(0.99).map(|found| found.value), Some(3.0));
    /// assert!(latencies.add(f64::NAN, 1).is_err());
    /// assert_eq!(latencies.count(), 100);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    #[inline]
    pub fn add(&mut self, value: f64, weight: u64) -> Result<(), Error> {
        if !value.is_finite() {
            return Err(refused(value));
        }
        if weight == 0 {
            return Ok(());
        }
        self.count = self.count.saturating_add(weight);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // A cast to an integer and back tests for an integer. The cast saturates at 2^63, but
        // doubles of that size are always integers.
        self.integers &= (value as i64) as f64 == value || value.abs() >= INTEGERS_ALL;
        let is_in_run = value >= f64::MIN_POSITIVE
            && self.positive.add_to_run(bucket_of_normal(value, self.bits()), weight);
        if !is_in_run {
            self.add_elsewhere(value, weight);
        }
        Ok(())
    }

    /// Adds a number outside the positive run: of another bucket, 0, or below 0.
    #[inline(never)]
    fn add_elsewhere(&mut self, value: f64, weight: u64) {
        let (bits, buckets_max) = (self.bits(), self.buckets_max());
        if value > 0.0 {
            self.positive.add(bucket_of(value, bits), weight, buckets_max);
        } else if value < 0.0 {
            self.negative.get_or_insert_default().add(bucket_of(-value, bits), weight, buckets_max);
        } else {
            self.zeros = self.zeros.saturating_add(weight);
        }
        self.join_past_limit();
    }

    #[inline]
    fn bits(&self) -> u32 {
        u32::from(self.resolution)
    }

    /// Returns the maximum number of buckets of each sign that may have numbers before neighbours
    /// are joined: 8192, or 64 full doublings if the accuracy is better than 0.0039.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.01)?;
    /// let asked = numbers.accuracy();
    /// // 600 doublings from the smallest number to the largest: more buckets than are allowed.
    /// for step in 0..2 * numbers.buckets_max() {
    ///     numbers.add(2f64.powf(step as f64 / numbers.buckets_max() as f64 * 300.0), 1)?;
    /// }
    /// assert!(asked < numbers.accuracy() && numbers.accuracy() < 0.1); // coarser, and it says so
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    #[inline]
    pub fn buckets_max(&self) -> usize {
        BUCKETS_MAX_LEAST.max(DOUBLINGS_FULL << self.resolution_asked)
    }

    /// Joins neighbours until the number of buckets with numbers is allowed. The result has the
    /// finest resolution for which that is so. More numbers never have fewer buckets, so neither
    /// the order of the numbers nor the order of merges matters.
    fn join_past_limit(&mut self) {
        while self.has_too_many() && self.resolution > 1 {
            self.coarsen_to(self.resolution - 1, self.resolution_asked);
        }
    }

    fn has_too_many(&self) -> bool {
        let buckets_max = self.buckets_max();
        self.positive.has_more_than(buckets_max)
            || self.negative.as_ref().is_some_and(|side| side.has_more_than(buckets_max))
    }

    /// Returns the number at rank `ceil(q * n)`. Returns `None` without numbers, or if `q` is not
    /// between 0 and 1. O(buckets).
    ///
    /// The product is computed with the decimal number `q` (see [`nearest_rank`]). `q = 0` is the
    /// minimum.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut latencies = LogHistogram::with_accuracy(0.01)?;
    /// assert_eq!(latencies.quantile(0.5), None); // no numbers
    /// for millis in 1..=10_000 {
    ///     latencies.add(f64::from(millis), 1)?;
    /// }
    /// let p99 = latencies.quantile(0.99).expect("10,000 numbers");
    /// assert!((p99.value - 9_900.0).abs() <= 0.01 * 9_900.0);
    /// assert!(p99.lower <= 9_900.0 && 9_900.0 <= p99.upper);
    /// assert_eq!(latencies.quantile(1.0).map(|found| found.value), Some(10_000.0)); // the maximum
    /// assert_eq!(latencies.quantile(99.0), None); // 0.99 was meant
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn quantile(&self, q: f64) -> Option<Estimate<f64>> {
        self.at_known_rank(nearest_rank(q, self.count)?)
    }

    /// The number in the middle, or the mean of the two numbers in the middle; `None` without
    /// numbers. O(buckets).
    ///
    /// Its bounds hold as those of [`quantile`](LogHistogram::quantile) do.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.01)?;
    /// assert_eq!(numbers.median(), None);
    /// [1.0, 2.0, 3.0, 10.0].into_iter().try_for_each(|number| numbers.add(number, 1))?;
    /// assert_eq!(numbers.median().map(|found| found.value), Some(2.5)); // of an even number
    /// assert_eq!(numbers.quantile(0.5).map(|found| found.value), Some(2.0)); // one of them
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn median(&self) -> Option<Estimate<f64>> {
        if self.count == 0 {
            return None;
        }
        let (lower, upper) = (self.count.div_ceil(2), self.count / 2 + 1);
        let [low, high] = [lower, upper].map(|rank| self.at_known_rank(rank));
        let (low, high) = (low?, high?);
        Some(Estimate {
            value: low.value.midpoint(high.value),
            lower: low.lower.midpoint(high.lower),
            upper: low.upper.midpoint(high.upper),
        })
    }

    /// Returns the number at a rank from 1 to the count, of which the first and the last are known
    /// exactly.
    fn at_known_rank(&self, rank: u64) -> Option<Estimate<f64>> {
        match rank {
            1 => self.min().map(Estimate::exact),
            last if last == self.count => self.max().map(Estimate::exact),
            rank => Some(self.at_rank(rank)),
        }
    }

    /// Returns the number at a rank from 1 to the count.
    fn at_rank(&self, rank: u64) -> Estimate<f64> {
        let mut before = 0u64;
        if let Some(negative) = &self.negative {
            for Entry { bucket, count } in negative.ascending().rev() {
                before = before.saturating_add(count);
                if before >= rank {
                    let (low, high) = self.edges(negative, bucket);
                    return self.tightened(-high, -low);
                }
            }
        }
        before = before.saturating_add(self.zeros);
        if before >= rank {
            return Estimate::exact(0.0);
        }
        if let Some(bucket) = self.positive.at_rank(rank - before) {
            let (low, high) = self.edges(&self.positive, bucket);
            return self.tightened(low, high);
        }
        // Only possible if the count is saturated.
        Estimate::exact(self.max)
    }

    /// Returns the buckets that have numbers, in ascending order. O(buckets).
    ///
    /// The bounds of a bucket do not depend on the numbers, and the upper bound of a bucket is the
    /// lower bound of the next one. The magnitude of a number is at least the bound closer to 0,
    /// and below the other one. 0 has a bucket of its own, from 0 to 0. The upper bound of the
    /// largest doubles is infinite.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.2)?;
    /// [-7.0, 0.0, 0.0, 3.0].into_iter().try_for_each(|number| numbers.add(number, 1))?;
    /// let buckets = numbers.buckets();
    /// assert_eq!(buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [1, 2, 1]);
    /// assert_eq!((buckets[0].lower, buckets[0].upper), (-8.0, -6.0));
    /// assert_eq!((buckets[2].lower, buckets[2].upper), (3.0, 4.0));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn buckets(&self) -> Vec<Bucket> {
        let bounds = |side: &Side, bucket| {
            let (low, _) = self.edges(side, bucket);
            (low, next_edge(bucket, self.bits()))
        };
        let negative = self.negative.iter().flat_map(|side| {
            side.ascending().rev().map(move |Entry { bucket, count }| {
                let (low, next) = bounds(side, bucket);
                Bucket { lower: -next, upper: -low, count }
            })
        });
        let zeros = Bucket { lower: 0.0, upper: 0.0, count: self.zeros };
        let positive = self.positive.ascending().map(|Entry { bucket, count }| {
            let (lower, upper) = bounds(&self.positive, bucket);
            Bucket { lower, upper, count }
        });
        negative.chain((self.zeros > 0).then_some(zeros)).chain(positive).collect()
    }

    /// Returns the smallest and the largest magnitude of a bucket.
    fn edges(&self, side: &Side, bucket: i32) -> (f64, f64) {
        let (low, high) = edges(bucket, self.bits());
        (if side.floor() == Some(bucket) { 0.0 } else { low }, high)
    }

    /// Narrows the bounds to the minimum and the maximum of all numbers. `value` is the one between
    /// the bounds with the smallest relative error at both ends.
    fn tightened(&self, lower: f64, upper: f64) -> Estimate<f64> {
        let (mut lower, mut upper) = (lower.max(self.min), upper.min(self.max));
        if self.integers {
            (lower, upper) = (lower.ceil(), upper.floor());
        }
        let (near, far) = if lower >= 0.0 { (lower, upper) } else { (upper, lower) };
        // The harmonic mean, in a form that cannot overflow.
        let value = if near == 0.0 { far / 2.0 } else { near + (far - near) / (1.0 + far / near) };
        Estimate { value: value.clamp(lower, upper), lower, upper }
    }

    /// Adds the numbers of `other`. The result equals one histogram of all numbers, bit by bit.
    ///
    /// If the accuracies differ, the result has the coarser one. O(buckets).
    ///
    /// # Errors
    /// None today. The `Result` leaves room for future errors.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut ours = LogHistogram::with_accuracy(0.01)?;
    /// let mut theirs = LogHistogram::with_accuracy(0.1)?;
    /// ours.add(1.0, 1)?;
    /// theirs.add(2.0, 1)?;
    /// ours.merge(&theirs)?;
    /// assert_eq!((ours.count(), ours.max()), (2, Some(2.0)));
    /// assert_eq!(ours.accuracy(), theirs.accuracy()); // the coarser one
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let is_alike =
            other.resolution == self.resolution && other.resolution_asked == self.resolution_asked;
        match &mut self.parts {
            Some(parts) if is_alike => parts.enter(other),
            parts => *parts = None,
        }
        let mut coarsened;
        let mut other = other;
        if !is_alike {
            self.coarsen_to(other.resolution, other.resolution_asked);
            coarsened = other.clone();
            coarsened.coarsen_to(self.resolution, self.resolution_asked);
            other = &coarsened;
        }
        let buckets_max = self.buckets_max();
        self.positive.merge(&other.positive, buckets_max);
        if let Some(negative) = &other.negative {
            self.negative.get_or_insert_default().merge(negative, buckets_max);
        }
        self.zeros = self.zeros.saturating_add(other.zeros);
        self.count = self.count.saturating_add(other.count);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.integers &= other.integers;
        self.join_past_limit();
        Ok(())
    }

    /// Halves the resolution, and with it the bytes. The accuracy becomes about twice as coarse,
    /// and the bounds become wider accordingly.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there are only two buckets per doubling.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.01)?;
    /// let before = numbers.accuracy();
    /// numbers.coarsen()?;
    /// assert!(before < numbers.accuracy() && numbers.accuracy() < 2.1 * before);
    /// while numbers.coarsen().is_ok() {}
    /// assert_eq!(numbers.accuracy(), 0.2); // the coarsest
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn coarsen(&mut self) -> Result<(), Error> {
        if self.resolution <= 1 {
            return Err(Error::invalid(
                "a histogram of two buckets per doubling cannot be coarsened",
            ));
        }
        self.coarsen_to(self.resolution - 1, self.resolution_asked);
        Ok(())
    }

    /// Lowers the resolution and the requested resolution to these values, if they are higher.
    fn coarsen_to(&mut self, resolution: u8, resolution_asked: u8) {
        if resolution >= self.resolution && resolution_asked >= self.resolution_asked {
            return;
        }
        let bits = u32::from(self.resolution.saturating_sub(resolution));
        self.parts = None;
        self.resolution = self.resolution.min(resolution);
        self.resolution_asked = self.resolution_asked.min(resolution_asked);
        let buckets_max = self.buckets_max();
        self.positive = self.positive.coarsened(bits, buckets_max);
        if let Some(negative) = &mut self.negative {
            **negative = negative.coarsened(bits, buckets_max);
        }
    }

    /// Returns the sum of all weights. It saturates at `u64::MAX`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.01)?;
    /// numbers.add(2.5, 3)?;
    /// numbers.add(9.0, 0)?; // does nothing
    /// assert_eq!((numbers.count(), numbers.max()), (3, Some(2.5)));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns true if the count has reached `u64::MAX`, so that ranks may be wrong.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.01)?;
    /// numbers.add(1.0, u64::MAX - 1)?;
    /// assert!(!numbers.saturated());
    /// numbers.add(2.0, 5)?;
    /// assert!(numbers.saturated() && numbers.count() == u64::MAX);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn saturated(&self) -> bool {
        self.count == u64::MAX
    }

    /// Returns the smallest number, exactly.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.1)?;
    /// assert_eq!(numbers.min(), None);
    /// numbers.add(0.123_456, 1)?;
    /// numbers.add(-7.25, 1)?;
    /// assert_eq!(numbers.min(), Some(-7.25)); // exact, at any accuracy
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn min(&self) -> Option<f64> {
        // Adding 0 changes -0 into 0.
        (self.count > 0).then_some(self.min + 0.0)
    }

    /// Returns the largest number, exactly.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.1)?;
    /// assert_eq!(numbers.max(), None);
    /// numbers.add(123.456, 1)?;
    /// assert_eq!(numbers.max(), Some(123.456)); // exact, at any accuracy
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max + 0.0)
    }

    /// Returns the largest relative error of a quantile: 1 / (2^(bits + 1) + 1), where `bits` is
    /// the resolution after joining and coarsening.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.05)?;
    /// for n in 1..=1_000 {
    ///     numbers.add(f64::from(n).powi(3), 1)?;
    /// }
    /// let median = numbers.quantile(0.5).map_or(0.0, |found| found.value);
    /// assert!((median - 500f64.powi(3)).abs() <= numbers.accuracy() * 500f64.powi(3));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn accuracy(&self) -> f64 {
        accuracy_of(self.bits())
    }

    /// Returns the bytes in memory, including the heap.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.01)?;
    /// for _ in 0..100_000 {
    ///     numbers.add(0.25, 1)?;
    /// }
    /// // The bytes grow with the spread of the numbers, not with their count.
    /// assert!(numbers.resident_bytes() < 2_000);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn resident_bytes(&self) -> usize {
        let parts = self.parts.as_ref().map_or(0, |parts| parts.resident_bytes());
        let negative =
            self.negative.as_ref().map_or(0, |side| size_of::<Side>() + side.heap_bytes());
        size_of::<Self>() + self.positive.heap_bytes() + negative + parts
    }
}

#[cold]
fn refused(value: f64) -> Error {
    Error::new(
        ErrorKind::InvalidRecord,
        format!("{value} has no place among numbers: only finite ones are counted"),
    )
}

/// Returns half the width of the widest bucket, [1, 1 + 2^-bits), relative to its harmonic mean.
fn accuracy_of(bits: u32) -> f64 {
    1.0 / (f64::from(2u32 << bits) + 1.0)
}

/// Returns the nearest rank of the quantile `q` among `n` numbers: `ceil(q * n)`, at least 1.
/// Returns `None` if `n` is 0 or if `q` is not from 0 to 1.
///
/// `q` means the shortest decimal number whose double it is: 0.07 of 100 is rank 7, although the
/// double for 0.07 is slightly larger than 0.07 and would give rank 8.
///
/// # Example
/// ```
/// use streamgauge::sketch::nearest_rank;
/// assert_eq!(nearest_rank(0.07, 100), Some(7));
/// assert_eq!(nearest_rank(0.5, 5), Some(3));
/// assert_eq!(nearest_rank(0.0, 5), Some(1));
/// assert_eq!(nearest_rank(0.5, 0), None);
/// ```
pub fn nearest_rank(q: f64, n: u64) -> Option<u64> {
    if n == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let mut scale = 1u64;
    for _ in 0..=15 {
        // Both are integers below 2^53, so the division rounds once. It gives `q` again if and only
        // if the decimal number is that of `q`.
        let digits = (q * scale as f64).round();
        if digits / scale as f64 == q {
            let rank = (u128::from(digits as u64) * u128::from(n)).div_ceil(u128::from(scale));
            return u64::try_from(rank.max(1)).ok();
        }
        scale *= 10;
    }
    Some(((q * n as f64).ceil() as u64).clamp(1, n))
}

/// Creates a histogram of these numbers, for tests.
#[cfg(test)]
fn histogram(numbers: &[f64]) -> LogHistogram {
    let mut histogram = LogHistogram::with_accuracy(0.02).expect("in range");
    numbers.iter().for_each(|number| histogram.add(*number, 1).expect("finite"));
    histogram
}
