//! A histogram of relative error: quantiles of numbers, deterministic and merging exactly.

mod bucket;
mod durable;
mod side;
mod subtract;

use super::Estimate;
use crate::error::{Error, ErrorKind};
use bucket::{bucket_of, bucket_of_normal, edges};
use side::{Entry, Side};

/// Bits of a number's mantissa that choose its bucket, at most: 8192 buckets per doubling.
const RESOLUTION_MAX: u32 = 13;

/// Doublings of which all buckets may have numbers, on either side of 0, before neighbours are
/// joined.
const DOUBLINGS_FULL: usize = 64;

/// Buckets that may have numbers, on either side of 0, whatever the accuracy: more than two for
/// each doubling that there is, so that joining ends. They are those of 64 doublings at an accuracy
/// of 0.0039.
const BUCKETS_MAX_LEAST: usize = DOUBLINGS_FULL << 7;

/// Integers up to here are exact in a double, and doubles from here on are all integers.
const INTEGERS_ALL: f64 = 4_503_599_627_370_496.0;

/// Quantiles of numbers: each within a share of its value, from as many bytes as the numbers'
/// spread takes.
///
/// # Guarantee
/// `quantile(q)` is the nearest rank: the smallest number that at least a share `q` of all is not
/// above, number `ceil(q * n)` in order. It comes with certain bounds, `lower <= true <= upper`,
/// and `value` differs from the true one by at most [`accuracy`](LogHistogram::accuracy) times the
/// true one, whichever finite numbers there are. The first and the last in order are exact, and so
/// are integers up to `1 / accuracy` as long as all numbers are integers.
///
/// The accuracy is the one asked for as long as the numbers of each sign lie in at most
/// [`buckets_max`](LogHistogram::buckets_max) buckets. Empty buckets do not count: 0.1 beside 1e300
/// takes two. Past that all buckets are joined in pairs, which halves the accuracy everywhere
/// alike, until they are few enough. `accuracy` then gives the new one, and so do the bounds of
/// every quantile.
///
/// # How
/// Buckets are of one relative width, as in DDSketch (Masson, Rim and Lee, *DDSketch: a fast and
/// fully-mergeable quantile sketch with relative-error guarantees*, PVLDB 12, 2019), with the
/// linearly interpolated logarithm for a mapping: a number's bucket is its exponent and the first
/// bits of its mantissa, cut from its binary form. So no logarithm is computed, whose last bit
/// could depend on the machine; a bucket's edges are exact; and halving the resolution drops one
/// bit. The price is up to 44 % more buckets than the logarithm needs.
///
/// Buckets are joined in pairs, as in UDDSketch (Epicoco, Melle, Cafaro, Pulimeno and Morleo,
/// *UDDSketch: accurate tracking of quantiles in data streams*, IEEE Access 8, 2020). How often
/// follows from which buckets have numbers: so what a histogram holds depends on the numbers alone,
/// not on their order or on how they were merged.
///
/// # When not to use it
/// For exact quantiles of few numbers sort them. For shares of a *count* (`which keys`) see
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
    /// Bits of the mantissa in a bucket's number.
    resolution: u8,
    /// The bits that were asked for; as many or more.
    resolution_asked: u8,
    integers: bool,
    positive: Side,
    /// The magnitudes of the numbers below 0.
    negative: Option<Box<Side>>,
    zeros: u64,
    count: u64,
    min: f64,
    max: f64,
    /// What the parts were, if this is their merge and they may be subtracted.
    parts: Option<Box<subtract::Parts>>,
}

impl LogHistogram {
    /// A histogram whose quantiles are wrong by at most a share `alpha` of their value.
    ///
    /// The accuracy is the next better one of 1 / (2^(bits + 1) + 1): 0.2, 0.11, 0.059, 0.030,
    /// 0.015, 0.0078, 0.0039 and so on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] unless `alpha` is from 0.0000611 to below 1.
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

    /// Adds a number `weight` times. O(1); amortised over the growth of the buckets, and O(log
    /// buckets) for a number far from most others. A weight of 0 does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`] if the number is NaN or infinite; nothing has changed then.
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
        // A cast there and back is the test for an integer; a number it cuts off at 2^63 is one by
        // its size.
        self.integers &= (value as i64) as f64 == value || value.abs() >= INTEGERS_ALL;
        let is_in_run = value >= f64::MIN_POSITIVE
            && self.positive.add_to_run(bucket_of_normal(value, self.bits()), weight);
        if !is_in_run {
            self.add_elsewhere(value, weight);
        }
        Ok(())
    }

    /// Adds a number that is not in the positive run: one of another bucket, 0, or one below 0.
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

    /// How many buckets of each sign may have numbers before neighbours are joined: 8192, or 64
    /// doublings of them at an accuracy that is better than 0.0039.
    #[inline]
    pub fn buckets_max(&self) -> usize {
        BUCKETS_MAX_LEAST.max(DOUBLINGS_FULL << self.resolution_asked)
    }

    /// Joins neighbours until no more buckets than allowed have numbers. What is left is the finest
    /// resolution at which they are few enough: more numbers never have fewer buckets, so neither
    /// the order of the numbers nor that of merges matters.
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

    /// The number at rank `ceil(q * n)`; `None` without numbers, or if `q` is not between 0 and 1.
    /// O(buckets).
    ///
    /// The product is that of the decimal number `q` (see [`nearest_rank`]). `q = 0` is the
    /// minimum.
    pub fn quantile(&self, q: f64) -> Option<Estimate<f64>> {
        let rank = nearest_rank(q, self.count)?;
        if rank == 1 {
            return Some(Estimate::exact(self.min()?));
        }
        if rank == self.count {
            return Some(Estimate::exact(self.max()?));
        }
        Some(self.at_rank(rank))
    }

    /// The number at a rank from 1 to the count.
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
        // Only a count that has saturated gets here.
        Estimate::exact(self.max)
    }

    /// The smallest and the largest magnitude of a bucket.
    fn edges(&self, side: &Side, bucket: i32) -> (f64, f64) {
        let (low, high) = edges(bucket, self.bits());
        (if side.floor() == Some(bucket) { 0.0 } else { low }, high)
    }

    /// Bounds cut to what is known of all numbers, and between them the value of the smallest
    /// relative error at both ends.
    fn tightened(&self, lower: f64, upper: f64) -> Estimate<f64> {
        let (mut lower, mut upper) = (lower.max(self.min), upper.min(self.max));
        if self.integers {
            (lower, upper) = (lower.ceil(), upper.floor());
        }
        let (near, far) = if lower >= 0.0 { (lower, upper) } else { (upper, lower) };
        // The harmonic mean, written so that nothing overflows.
        let value = if near == 0.0 { far / 2.0 } else { near + (far - near) / (1.0 + far / near) };
        Estimate { value: value.clamp(lower, upper), lower, upper }
    }

    /// Adds what `other` has seen; the result is what one histogram of all numbers would hold, to
    /// the bit.
    ///
    /// If the accuracies differ the result has the coarser one. O(buckets).
    ///
    /// # Errors
    /// None today; the signature leaves room.
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

    /// Halves the resolution, and with it the bytes; the accuracy is about twice as coarse, and the
    /// bounds say so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there are but two buckets per doubling.
    pub fn coarsen(&mut self) -> Result<(), Error> {
        if self.resolution <= 1 {
            return Err(Error::invalid(
                "a histogram of two buckets per doubling cannot be coarsened",
            ));
        }
        self.coarsen_to(self.resolution - 1, self.resolution_asked);
        Ok(())
    }

    /// Lowers the resolution, and the one that was asked for, to these, where they are higher.
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

    /// How many numbers, weights included; it stays at `u64::MAX`.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the count has reached `u64::MAX`, so that ranks may be off.
    pub fn saturated(&self) -> bool {
        self.count == u64::MAX
    }

    /// The smallest number, exactly.
    pub fn min(&self) -> Option<f64> {
        // Adding 0 turns -0 into 0.
        (self.count > 0).then_some(self.min + 0.0)
    }

    /// The largest number, exactly.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max + 0.0)
    }

    /// The largest relative error of a quantile: 1 / (2^(bits + 1) + 1), of the bits that are left
    /// after joining and coarsening.
    pub fn accuracy(&self) -> f64 {
        accuracy_of(self.bits())
    }

    /// Bytes in memory, those on the heap included.
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

/// Half the widest bucket, [1, 1 + 2^-bits), relative to its harmonic middle.
fn accuracy_of(bits: u32) -> f64 {
    1.0 / (f64::from(2u32 << bits) + 1.0)
}

/// The nearest rank of the quantile `q` among `n`: `ceil(q * n)`, and at least 1; `None` if `n` is
/// 0 or `q` not from 0 to 1.
///
/// `q` is taken as the shortest decimal number that it is the double of: 0.07 of 100 is rank 7,
/// although the double next to 0.07 is a little larger, and so 8 would be its nearest rank.
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
        // Both are integers below 2^53, so the division rounds once: it gives back `q` if the
        // decimal number is `q`'s.
        let digits = (q * scale as f64).round();
        if digits / scale as f64 == q {
            let rank = (u128::from(digits as u64) * u128::from(n)).div_ceil(u128::from(scale));
            return u64::try_from(rank.max(1)).ok();
        }
        scale *= 10;
    }
    Some(((q * n as f64).ceil() as u64).clamp(1, n))
}

/// A histogram of these numbers, for tests.
#[cfg(test)]
fn histogram(numbers: &[f64]) -> LogHistogram {
    let mut histogram = LogHistogram::with_accuracy(0.02).expect("in range");
    numbers.iter().for_each(|number| histogram.add(*number, 1).expect("finite"));
    histogram
}
