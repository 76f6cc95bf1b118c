//! The numbers of a histogram in buckets whose edges are powers of one base, as other tools take
//! them.

use super::{LogHistogram, side::Entry};

/// The finest scale: 2^20 buckets per doubling.
const SCALE_MAX: i32 = 20;

/// The coarsest scale: a bucket has 1,024 doublings.
const SCALE_MIN: i32 = -10;

/// Numbers in buckets of base `2^(2^-scale)`, as the exponential histograms of OpenTelemetry have
/// them. Created by [`LogHistogram::exponential`].
///
/// # Example
/// ```
/// use streamgauge::sketch::LogHistogram;
/// let mut millis = LogHistogram::with_accuracy(0.005)?;
/// [0.0, 3.0, 3.0, 1_000.0].into_iter().try_for_each(|number| millis.add(number, 1))?;
/// let buckets = millis.exponential(160);
/// assert_eq!((buckets.zeros, buckets.negative.counts.len()), (1, 0));
/// assert_eq!(buckets.positive.counts.iter().sum::<u64>(), 3);
/// // 160 buckets for numbers from 3 to 1,000: 16 buckets per doubling.
/// assert_eq!(buckets.scale, 4);
/// assert!(buckets.accuracy() < 0.05);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct ExponentialBuckets {
    /// The base of the buckets' edges is `2^(2^-scale)`.
    pub scale: i32,
    /// The number of zeros.
    pub zeros: u64,
    /// The buckets of positive numbers.
    pub positive: ExponentialSide,
    /// The buckets of negative numbers, by their magnitudes.
    pub negative: ExponentialSide,
    /// The smallest number, exactly; `None` without numbers.
    pub min: Option<f64>,
    /// The largest number, exactly; `None` without numbers.
    pub max: Option<f64>,
    /// The accuracy of the histogram.
    accuracy: f64,
}

/// The buckets of the numbers of one sign. Bucket `i` has the magnitudes above `base^i` and up to
/// `base^(i + 1)`.
///
/// # Example
/// ```
/// use streamgauge::sketch::LogHistogram;
/// let mut numbers = LogHistogram::with_accuracy(0.2)?;
/// numbers.add(-3.0, 5)?;
/// let side = numbers.exponential(1).negative;
/// assert_eq!(side.counts, [5]);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ExponentialSide {
    /// The index of the first bucket.
    pub offset: i32,
    /// The number of numbers in each bucket from the first one; the first and the last are not 0.
    pub counts: Vec<u64>,
}

impl ExponentialBuckets {
    /// Returns the largest relative error of a quantile that is read of these buckets, whichever
    /// number of its bucket is taken: `base * (1 + a) - 1`, where `a` is the
    /// [accuracy](LogHistogram::accuracy) of the histogram. The first and the last number are
    /// exact.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.01)?;
    /// (1..=1_000).try_for_each(|number| numbers.add(f64::from(number), 1))?;
    /// // More buckets are finer ones, but never much finer than those of the histogram.
    /// let [few, many] = [20, 10_000].map(|buckets| numbers.exponential(buckets).accuracy());
    /// assert!(many < 0.02 && few > 0.3);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn accuracy(&self) -> f64 {
        base(self.scale) * (1.0 + self.accuracy) - 1.0
    }
}

impl LogHistogram {
    /// Returns the numbers in at most `buckets_max` buckets of each sign, in ascending order, whose
    /// edges are powers of one base. All counts are kept. O(buckets).
    ///
    /// Each number is in the bucket of the value that [`quantile`](LogHistogram::quantile) has for
    /// it. The base is the finest one for which the buckets are enough, but at most one doubling
    /// finer than the buckets here, since finer ones know no more.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::LogHistogram;
    /// let mut numbers = LogHistogram::with_accuracy(0.2)?;
    /// [1.5, 3.0, 6.0].into_iter().try_for_each(|number| numbers.add(number, 1))?;
    /// let buckets = numbers.exponential(3);
    /// assert_eq!((buckets.scale, buckets.positive.offset), (0, 0));
    /// assert_eq!(buckets.positive.counts, [1, 1, 1]); // (1, 2], (2, 4] and (4, 8]
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn exponential(&self, buckets_max: usize) -> ExponentialBuckets {
        let numbers = self.representatives();
        let of_sign = |is_positive: bool| {
            let of_sign = numbers.iter().filter(move |(number, _)| match is_positive {
                true => *number > 0.0,
                false => *number < 0.0,
            });
            of_sign.map(|(number, count)| (number.abs(), *count))
        };
        let fits = |is_positive: bool, scale: i32| {
            let indices = of_sign(is_positive).map(|(number, _)| index(number, scale));
            let range = indices.fold(None, |range: Option<(i64, i64)>, index| {
                Some(range.map_or((index, index), |(low, high)| (low.min(index), high.max(index))))
            });
            range.is_none_or(|(low, high)| {
                usize::try_from(high - low).is_ok_and(|span| span < buckets_max.max(1))
            })
        };
        let finest = (self.bits() as i32 + 1).min(SCALE_MAX);
        let scales = (SCALE_MIN..=finest).rev();
        let scale = scales.into_iter().find(|scale| fits(true, *scale) && fits(false, *scale));
        let scale = scale.unwrap_or(SCALE_MIN);
        ExponentialBuckets {
            scale,
            zeros: self.zeros,
            positive: ExponentialSide::of(of_sign(true), scale),
            negative: ExponentialSide::of(of_sign(false), scale),
            min: self.min(),
            max: self.max(),
            accuracy: self.accuracy(),
        }
    }

    /// Returns a value for each bucket and its count, and the exact first and last numbers.
    fn representatives(&self) -> Vec<(f64, u64)> {
        let negative = self.negative.iter().flat_map(|side| {
            side.ascending().rev().map(move |Entry { bucket, count }| {
                let (low, high) = self.edges(side, bucket);
                (self.tightened(-high, -low).value, count)
            })
        });
        let positive = self.positive.ascending().map(|Entry { bucket, count }| {
            let (low, high) = self.edges(&self.positive, bucket);
            (self.tightened(low, high).value, count)
        });
        let zeros = (self.zeros > 0).then_some((0.0, self.zeros));
        let mut numbers: Vec<(f64, u64)> = negative.chain(zeros).chain(positive).collect();
        let ends = [(self.min(), 0), (self.max(), numbers.len().saturating_sub(1))];
        for (end, index) in ends {
            let (Some(end), Some(at)) = (end, numbers.get_mut(index)) else { continue };
            // Zeros are exact.
            if at.0 != 0.0 && at.1 > 0 {
                at.1 -= 1;
                numbers.push((end, 1));
            }
        }
        numbers.retain(|(_, count)| *count > 0);
        numbers
    }
}

impl ExponentialSide {
    fn of(numbers: impl Iterator<Item = (f64, u64)>, scale: i32) -> Self {
        let mut indexed: Vec<(i64, u64)> =
            numbers.map(|(number, count)| (index(number, scale), count)).collect();
        indexed.sort_unstable();
        let (Some((first, _)), Some((last, _))) = (indexed.first(), indexed.last()) else {
            return ExponentialSide::default();
        };
        let (first, last) = (*first, *last);
        let mut counts = vec![0u64; usize::try_from(last - first + 1).unwrap_or_default()];
        for (index, count) in indexed {
            let at = usize::try_from(index - first).ok().and_then(|at| counts.get_mut(at));
            if let Some(at) = at {
                *at = at.saturating_add(count);
            }
        }
        ExponentialSide { offset: i32::try_from(first).unwrap_or_default(), counts }
    }
}

fn base(scale: i32) -> f64 {
    f64::from(-scale).exp2().exp2()
}

/// Returns the bucket of a magnitude above 0.
fn index(number: f64, scale: i32) -> i64 {
    (number.log2() * f64::from(scale).exp2()).ceil() as i64 - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the lower and the upper bound of each number, in ascending order.
    fn bounds(buckets: &ExponentialBuckets) -> Vec<(f64, f64)> {
        let edges = |index: i64| (index as f64 * f64::from(-buckets.scale).exp2()).exp2();
        let of_side = |side: &ExponentialSide| {
            let indices = side.counts.iter().enumerate();
            let bounds = indices.flat_map(|(at, count)| {
                let index = i64::from(side.offset) + at as i64;
                std::iter::repeat_n((edges(index), edges(index + 1)), *count as usize)
            });
            bounds.collect::<Vec<_>>()
        };
        let negative = of_side(&buckets.negative).into_iter().rev();
        let negative = negative.map(|(low, high)| (-high, -low));
        let zeros = std::iter::repeat_n((0.0, 0.0), buckets.zeros as usize);
        negative.chain(zeros).chain(of_side(&buckets.positive)).collect()
    }

    fn check(numbers: &mut [f64], accuracy: f64, buckets_max: usize) -> Result<(), TestCaseError> {
        let mut histogram = LogHistogram::with_accuracy(accuracy).unwrap();
        numbers.iter().for_each(|number| histogram.add(*number, 1).unwrap());
        let buckets = histogram.exponential(buckets_max);
        numbers.sort_by(f64::total_cmp);
        for side in [&buckets.positive, &buckets.negative] {
            prop_assert!(side.counts.len() <= buckets_max);
            prop_assert!(side.counts.first() != Some(&0) && side.counts.last() != Some(&0));
        }
        let bounds = bounds(&buckets);
        prop_assert_eq!(bounds.len(), numbers.len(), "every number is counted once");
        let allowed = buckets.accuracy() + 1e-9;
        for (number, (low, high)) in numbers.iter().zip(&bounds) {
            for read in [low, high] {
                let error = (read - number).abs();
                prop_assert!(
                    error <= allowed * number.abs() || !read.is_finite() || *read == 0.0,
                    "{number} is read as {read}, error {} of {allowed}",
                    error / number.abs()
                );
            }
        }
        let ends = [(buckets.min, bounds.first()), (buckets.max, bounds.last())];
        for (end, bounds) in ends {
            let (Some(end), Some((low, high))) = (end, bounds) else { continue };
            let slack = end.abs() * 1e-9;
            prop_assert!(low - slack <= end && end <= high + slack, "{end} in {low} to {high}");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn s316_a_quantile_of_the_buckets_is_within_the_stated_error(
            mut numbers in proptest::collection::vec(
                prop_oneof![
                    -1e3f64..1e3,
                    1e-6f64..1e9,
                    Just(0.0),
                    (1u32..2_000).prop_map(f64::from)
                ],
                0..200,
            ),
            accuracy in prop_oneof![Just(0.2), Just(0.05), Just(0.005), Just(0.0005)],
            buckets_max in 2usize..400,
        ) {
            check(&mut numbers, accuracy, buckets_max)?;
        }

        #[test]
        fn s316_buckets_take_all_finite_numbers(
            mut numbers in proptest::collection::vec(any::<f64>(), 0..50),
            buckets_max in 3usize..400,
        ) {
            numbers.retain(|number| number.is_finite());
            check(&mut numbers, 0.005, buckets_max)?;
        }
    }
}
