//! A histogram of relative error: quantiles of numbers, deterministic and merging exactly.

mod durable;
mod subtract;

use super::Estimate;
use super::counters::Counters;
use crate::error::{Error, ErrorKind};
use std::ops::Range;

/// Bits of a number's mantissa that choose its bucket, at most: 8192 buckets per doubling.
const RESOLUTION_MAX: u32 = 13;

/// Doublings between the smallest and the largest magnitude that are told apart, on either side of 0. Below them the smallest
/// buckets are one.
const DOUBLINGS_MAX: u32 = 64;

/// Explicit bits of a double's mantissa.
const MANTISSA_BITS: u32 = 52;

/// Integers up to here are exact in a double, and doubles from here on are all integers.
const INTEGERS_ALL: f64 = 4_503_599_627_370_496.0;

/// Quantiles of numbers: each within a share of its value, from as many bytes as the numbers' spread takes.
///
/// # Guarantee
/// `quantile(q)` is the nearest rank: the smallest number that at least a share `q` of all is not above, number `ceil(q * n)` in order.
/// It comes with certain bounds, `lower <= true <= upper`, and `value` differs from the true one by at most
/// [`accuracy`](LogHistogram::accuracy) times the true one. The first and the last in order are exact, and so are integers up to
/// `1 / accuracy` as long as all numbers are integers.
///
/// # How
/// Buckets are of one relative width, as in DDSketch (Masson, Rim and Lee, *DDSketch: a fast and fully-mergeable quantile sketch with
/// relative-error guarantees*, PVLDB 12, 2019), with the linearly interpolated logarithm for a mapping: a number's bucket is its exponent
/// and the first bits of its mantissa, cut from its binary form. So no logarithm is computed, whose last bit could depend on the machine; a bucket's
/// edges are exact; and halving the resolution drops one bit. The price is up to 44 % more buckets than the logarithm needs.
///
/// Numbers closer to 0 than 2^-1022 keep certain bounds but not the relative accuracy. Where numbers of one sign spread over more than
/// 64 doublings, the smallest magnitudes share a bucket, and its bounds say so. What a histogram holds depends on the numbers alone, not on
/// their order or on how they were merged.
///
/// # When not to use it
/// For exact quantiles of few numbers sort them. For shares of a *count* (`which keys`) see [`SpaceSaving`](super::SpaceSaving).
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
    resolution: u32,
    positive: Side,
    negative: Side,
    zeros: u64,
    count: u64,
    min: f64,
    max: f64,
    integers: bool,
    /// What the parts were, if this is their merge and they may be subtracted.
    parts: Option<Box<subtract::Parts>>,
}

impl LogHistogram {
    /// A histogram whose quantiles are wrong by at most a share `alpha` of their value.
    ///
    /// The accuracy is the next better one of 1 / (2^(bits + 1) + 1): 0.2, 0.11, 0.059, 0.030, 0.015, 0.0078, 0.0039 and so on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] unless `alpha` is from 0.0000611 to below 1.
    pub fn with_accuracy(alpha: f64) -> Result<Self, Error> {
        let resolution = (1..=RESOLUTION_MAX).find(|&bits| accuracy_of(bits) <= alpha);
        let Some(resolution) = resolution.filter(|_| alpha < 1.0) else {
            return Err(Error::invalid(format!("an accuracy of {alpha} is out of range: {:.7} to below 1", accuracy_of(RESOLUTION_MAX))));
        };
        Ok(LogHistogram {
            resolution,
            positive: Side::default(),
            negative: Side::default(),
            zeros: 0,
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            integers: true,
            parts: None,
        })
    }

    /// Adds a number so many times. O(1); amortised over the growth of the buckets. A weight of 0 does nothing.
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
        // A cast there and back is the test for an integer; a number it cuts off at 2^63 is one by its size.
        self.integers &= (value as i64) as f64 == value || value.abs() >= INTEGERS_ALL;
        if value > 0.0 {
            self.positive.add(self.bucket(value), weight, self.buckets_max());
        } else if value < 0.0 {
            self.negative.add(self.bucket(-value), weight, self.buckets_max());
        } else {
            self.zeros = self.zeros.saturating_add(weight);
        }
        Ok(())
    }

    /// The bucket of a magnitude: the order of doubles above 0 is that of their bits.
    #[inline]
    fn bucket(&self, magnitude: f64) -> u32 {
        (magnitude.to_bits() >> (MANTISSA_BITS - self.resolution)) as u32
    }

    #[inline]
    fn buckets_max(&self) -> u32 {
        DOUBLINGS_MAX << self.resolution
    }

    /// The number at rank `ceil(q * n)`, or `None` if there are no numbers or `q` is not from 0 to 1. O(buckets).
    ///
    /// The product is that of the decimal number `q` (see [`nearest_rank`]). `q = 0` is the minimum.
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
        for (bucket, count) in self.negative.descending() {
            before = before.saturating_add(count);
            if before >= rank {
                let (low, high) = self.edges(&self.negative, bucket);
                return self.tightened(-high, -low);
            }
        }
        before = before.saturating_add(self.zeros);
        if before >= rank {
            return Estimate::exact(0.0);
        }
        if let Some(index) = self.positive.counters.reaches(rank - before) {
            let (low, high) = self.edges(&self.positive, self.positive.first + index as u32);
            return self.tightened(low, high);
        }
        // Only a count that has saturated gets here.
        Estimate::exact(self.max)
    }

    /// The smallest and the largest magnitude of a bucket.
    fn edges(&self, side: &Side, bucket: u32) -> (f64, f64) {
        let shift = MANTISSA_BITS - self.resolution;
        let low = if side.collapsed && bucket == side.first { 0.0 } else { f64::from_bits(u64::from(bucket) << shift) };
        (low, f64::from_bits(((u64::from(bucket) + 1) << shift) - 1))
    }

    /// Bounds cut to what is known of all numbers, and between them the value of the smallest relative error at both ends.
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

    /// Adds what `other` has seen; the result is what one histogram of all numbers would hold, to the bit.
    ///
    /// If the accuracies differ the result has the coarser one. O(buckets).
    ///
    /// # Errors
    /// None today; the signature leaves room.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        match &mut self.parts {
            Some(parts) if other.resolution == self.resolution => parts.enter(other),
            parts => *parts = None,
        }
        let mut coarsened;
        let mut other = other;
        if other.resolution > self.resolution {
            coarsened = other.clone();
            coarsened.coarsen_to(self.resolution);
            other = &coarsened;
        }
        self.coarsen_to(other.resolution);
        let buckets_max = self.buckets_max();
        self.positive.merge(&other.positive, buckets_max);
        self.negative.merge(&other.negative, buckets_max);
        self.zeros = self.zeros.saturating_add(other.zeros);
        self.count = self.count.saturating_add(other.count);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.integers &= other.integers;
        Ok(())
    }

    /// Halves the resolution, and with it the bytes; the accuracy is about twice as coarse, and the bounds say so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there are but two buckets per doubling.
    pub fn coarsen(&mut self) -> Result<(), Error> {
        if self.resolution <= 1 {
            return Err(Error::invalid("a histogram of two buckets per doubling cannot be coarsened"));
        }
        self.coarsen_to(self.resolution - 1);
        Ok(())
    }

    fn coarsen_to(&mut self, resolution: u32) {
        let bits = self.resolution.saturating_sub(resolution);
        if bits > 0 {
            self.parts = None;
            self.resolution -= bits;
            let buckets_max = self.buckets_max();
            self.positive = self.positive.coarsened(bits, buckets_max);
            self.negative = self.negative.coarsened(bits, buckets_max);
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

    /// The largest relative error of a quantile: 1 / (2^(bits + 1) + 1).
    pub fn accuracy(&self) -> f64 {
        accuracy_of(self.resolution)
    }

    /// Bytes in memory, those on the heap included.
    pub fn resident_bytes(&self) -> usize {
        let parts = self.parts.as_ref().map_or(0, |parts| parts.resident_bytes());
        size_of::<Self>() + self.positive.counters.heap_bytes() + self.negative.counters.heap_bytes() + parts
    }
}

#[cold]
fn refused(value: f64) -> Error {
    Error::new(ErrorKind::InvalidRecord, format!("{value} has no place among numbers: only finite ones are counted"))
}

/// Half the widest bucket, [1, 1 + 2^-bits), relative to its harmonic middle.
fn accuracy_of(bits: u32) -> f64 {
    1.0 / (f64::from(2u32 << bits) + 1.0)
}

/// The buckets of one sign: counters of a run of bucket numbers.
#[derive(Clone, Debug)]
struct Side {
    /// The number of the first bucket.
    first: u32,
    counters: Counters,
    /// Whether smaller magnitudes than the first bucket's have been counted in it.
    collapsed: bool,
}

impl Default for Side {
    fn default() -> Self {
        Side { first: 0, counters: Counters::zeros(0), collapsed: false }
    }
}

impl Side {
    #[inline]
    fn add(&mut self, bucket: u32, weight: u64, buckets_max: u32) {
        let mut index = bucket.wrapping_sub(self.first) as usize;
        if index >= self.counters.len() {
            index = self.make_room(bucket, buckets_max);
        }
        self.counters.add(index, weight);
    }

    /// Extends the run to a bucket, and gives the index at which to count it.
    ///
    /// The run is never longer than `buckets_max`, so it ends at most so many below the largest occupied bucket, whatever came in
    /// whichever order; what lies below is counted in its first bucket.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, bucket: u32, buckets_max: u32) -> usize {
        let Some((lowest, highest)) = self.occupied() else {
            // Room for the numbers that are likely to follow: a quarter of a doubling or so on either side costs little.
            self.first = bucket.saturating_sub(4);
            self.counters = Counters::zeros(9.min(buckets_max as usize));
            return (bucket - self.first) as usize;
        };
        let high = highest.max(bucket);
        let cut = high.saturating_sub(buckets_max - 1);
        self.collapsed |= bucket < cut || lowest < cut;
        let bucket_kept = bucket.max(cut);
        let low = lowest.min(bucket).max(cut);
        // As much again on the side that grows.
        let spare = high - low + 1;
        let first = if bucket_kept < self.first { low.saturating_sub(spare).max(cut) } else { low };
        let room = buckets_max.min(high - first + 1 + if bucket > self.first { spare } else { 0 });
        self.counters = if lowest < first {
            let mut counters = Counters::zeros(room as usize);
            self.ascending().for_each(|(old, count)| counters.add((old.max(first) - first) as usize, count));
            counters
        } else {
            let kept = (lowest - self.first) as usize..(highest - self.first) as usize + 1;
            self.counters.moved(kept, (lowest - first) as usize, room as usize)
        };
        self.first = first;
        (bucket_kept - first) as usize
    }

    /// The first and the last bucket that hold anything.
    fn occupied(&self) -> Option<(u32, u32)> {
        let low = self.ascending().next()?.0;
        let high = self.descending().next()?.0;
        Some((low, high))
    }

    fn ascending(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..self.counters.len()).map(|index| (self.first + index as u32, self.counters.at(index))).filter(|(_, count)| *count > 0)
    }

    fn descending(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..self.counters.len()).rev().map(|index| (self.first + index as u32, self.counters.at(index))).filter(|(_, count)| *count > 0)
    }

    fn merge(&mut self, other: &Side, buckets_max: u32) {
        if let Some((start, range)) = self.place_of(other) {
            self.counters.add_range(start, &other.counters, range);
        } else {
            // The largest first: it decides what there is room for.
            other.descending().for_each(|(bucket, count)| self.add(bucket, count, buckets_max));
        }
        self.collapsed |= other.collapsed;
    }

    /// Where the other's counters go here, if there is room for all that are not 0: from which index on, and which of them.
    fn place_of(&self, other: &Side) -> Option<(usize, Range<usize>)> {
        let fits = |start: usize, range: Range<usize>| {
            let end = start.checked_add(range.len())?;
            (end <= self.counters.len()).then_some((start, range))
        };
        let start = |bucket: u32| bucket.wrapping_sub(self.first) as usize;
        fits(start(other.first), 0..other.counters.len()).or_else(|| {
            let (low, high) = other.occupied()?;
            fits(start(low), (low - other.first) as usize..(high - other.first) as usize + 1)
        })
    }

    fn coarsened(&self, bits: u32, buckets_max: u32) -> Side {
        let mut coarse = Side { collapsed: self.collapsed, ..Side::default() };
        for (bucket, count) in self.descending() {
            coarse.add(bucket >> bits, count, buckets_max);
        }
        coarse
    }
}

/// The nearest rank of the quantile `q` among `n`: `ceil(q * n)`, and at least 1; `None` if `n` is 0 or `q` not from 0 to 1.
///
/// `q` is taken as the shortest decimal number that it is the double of: 0.07 of 100 is rank 7, although the double next to 0.07 is a
/// little larger, and so 8 would be its nearest rank.
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
        // Both are integers below 2^53, so the division rounds once: it gives back `q` if the decimal number is `q`'s.
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
