//! Count, sum and sum of squares of integers, in as many bits as they can need.

use crate::aggregate::number::{Moments, count_overflow};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;

/// The exact moments of integers below 2^64 in magnitude.
///
/// Nothing can overflow. For n < 2^64 numbers the sum of the positive ones is below 2^128, and so
/// is that of the negative ones; the sum of squares is below 2^192.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{IntegerMoments, Moments};
/// let moments_of = |numbers: &[i128]| {
///     let mut moments = IntegerMoments::default();
///     numbers.iter().for_each(|number| moments.add(*number));
///     moments
/// };
/// let largest = i128::from(u64::MAX);
/// assert_eq!(moments_of(&[largest, largest, largest]).variance(), Some(0.0));
/// assert_eq!(moments_of(&[largest]).variance(), None); // fewer than two numbers
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegerMoments {
    count: u64,
    positive: u128,
    negative: u128,
    squares: u128,
    /// How many times `squares` has passed 2^128.
    squares_carry: u64,
}

impl IntegerMoments {
    /// Adds these integers to the moments of floats, exactly.
    #[cfg(feature = "spec")]
    pub(crate) fn add_to(&self, floats: &mut super::FloatMoments) {
        let (mut sum, mut squares) =
            (crate::aggregate::ExactSum::default(), crate::aggregate::ExactSum::default());
        sum.add_magnitude(self.positive, 1.0);
        sum.add_magnitude(self.negative, -1.0);
        squares.add_magnitude(self.squares, 1.0);
        squares.add_magnitude(u128::from(self.squares_carry), 2f64.powi(128));
        floats.add_many(self.count, &sum, &squares);
    }

    /// Returns n Σx² - (Σx)² as a float, rounded once.
    fn spread(&self) -> f64 {
        let n = u128::from(self.count);
        // (carry 2^128 + high 2^64 + low) n, limb by limb.
        let low = (self.squares & LOW) * n;
        let middle = (self.squares >> 64) * n + (low >> 64);
        let high = u128::from(self.squares_carry) * n + (middle >> 64);
        let product = Wide256 { high, low: (middle & LOW) << 64 | low & LOW };
        product.minus(Wide256::square(self.positive.abs_diff(self.negative))).to_f64()
    }
}

impl Moments<i128> for IntegerMoments {
    #[inline]
    fn add(&mut self, number: i128) {
        let magnitude = number.unsigned_abs() & LOW;
        self.count = self.count.saturating_add(1);
        // Each number is below 2^64 and there are fewer than 2^64 of them, so these two cannot pass
        // 2^128.
        if number < 0 {
            self.negative = self.negative.saturating_add(magnitude);
        } else {
            self.positive = self.positive.saturating_add(magnitude);
        }
        let (squares, carried) = self.squares.overflowing_add(magnitude * magnitude);
        self.squares = squares;
        self.squares_carry = self.squares_carry.saturating_add(u64::from(carried));
    }

    fn merge(&mut self, from: &Self) -> Result<(), Error> {
        self.count = self.count.checked_add(from.count).ok_or_else(count_overflow)?;
        // The count fits, so these sums fit too.
        self.positive = self.positive.saturating_add(from.positive);
        self.negative = self.negative.saturating_add(from.negative);
        let (squares, carried) = self.squares.overflowing_add(from.squares);
        self.squares = squares;
        self.squares_carry = self
            .squares_carry
            .saturating_add(from.squares_carry)
            .saturating_add(u64::from(carried));
        Ok(())
    }

    fn variance(&self) -> Option<f64> {
        (self.count >= 2).then(|| self.spread() / self.count as f64 / (self.count - 1) as f64)
    }

    fn stddev(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }
}

impl Durable for IntegerMoments {
    fn write(&self, writer: &mut Writer) {
        writer.u64(self.count);
        writer.u128(self.positive);
        writer.u128(self.negative);
        writer.u128(self.squares);
        writer.u64(self.squares_carry);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(IntegerMoments {
            count: reader.u64()?,
            positive: reader.u128()?,
            negative: reader.u128()?,
            squares: reader.u128()?,
            squares_carry: reader.u64()?,
        })
    }
}

const LOW: u128 = u64::MAX as u128;

/// An unsigned integer of 256 bits.
#[derive(Clone, Copy)]
struct Wide256 {
    high: u128,
    low: u128,
}

impl Wide256 {
    fn square(x: u128) -> Self {
        let (a, b) = (x >> 64, x & LOW);
        let (ab, bb) = (a * b, b * b);
        // x² = a² 2^128 + 2ab 2^64 + b²; 2ab 2^64 has its low 63 bits of ab in the lower half.
        let (low, carry) = bb.overflowing_add(ab << 65);
        Wide256 { high: a * a + (ab >> 63) + u128::from(carry), low }
    }

    /// Returns the difference, or 0 if it would be negative, which the Cauchy-Schwarz inequality
    /// excludes.
    fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        match self
            .high
            .checked_sub(other.high)
            .and_then(|high| high.checked_sub(u128::from(borrow)))
        {
            Some(high) => Wide256 { high, low },
            None => Wide256 { high: 0, low: 0 },
        }
    }

    /// Returns the nearest float, ties to even.
    fn to_f64(self) -> f64 {
        if self.high == 0 {
            return self.low as f64;
        }
        // The upper 128 significant bits, with the lowest one set if further bits follow. It is far
        // below the precision of f64.
        let shift = self.high.leading_zeros();
        let (top, rest) = if shift == 0 {
            (self.high, self.low)
        } else {
            (self.high << shift | self.low >> (128 - shift), self.low << shift)
        };
        (top | u128::from(rest != 0)) as f64 * 2f64.powi(128 - shift as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(numbers: &[i128]) -> IntegerMoments {
        let mut moments = IntegerMoments::default();
        numbers.iter().for_each(|&number| moments.add(number));
        moments
    }

    #[test]
    fn the_largest_integers_do_not_overflow() {
        let max = i128::from(u64::MAX);
        assert_eq!(moments(&[max, max, max]).variance(), Some(0.0));
        // The variance of 0 and m is m² / 2.
        assert_eq!(moments(&[0, max]).variance(), Some(2f64.powi(127)));
        assert_eq!(
            moments(&[i128::from(i64::MIN), i128::from(i64::MAX)]).stddev(),
            Some(2f64.powi(63) * 2f64.sqrt())
        );
        let mut many = moments(&[0, max]);
        for _ in 0..62 {
            let copy = many;
            many.merge(&copy).unwrap();
        }
        // 2^62 of each: the population variance is m² / 4, and n / (n - 1) is 1 to the last place.
        assert_eq!(many.variance(), Some(2f64.powi(126)));
        let copy = many;
        assert!(many.merge(&copy).is_err(), "2^64 numbers cannot be counted");
    }

    #[test]
    fn nothing_cancels() {
        let base = 1_000_000_000_000_000_000i128;
        assert_eq!(moments(&[base + 4, base + 7, base + 13, base + 16]).variance(), Some(30.0));
        assert_eq!(moments(&[5]).variance(), None);
        assert_eq!(moments(&[]).variance(), None);
    }

    proptest! {
        #[test]
        fn squares_agree_with_128_bits(x in 0u128..1 << 64, y in any::<u128>()) {
            prop_assert_eq!(Wide256::square(x).low, x * x);
            prop_assert_eq!(Wide256::square(x).high, 0);
            // (2^64 z)² = 2^128 z²
            let z = y >> 64;
            prop_assert_eq!(Wide256::square(z << 64).high, z * z);
            prop_assert_eq!(Wide256::square(z << 64).low, 0);
            // (y + 1)² - y² = 2y + 1
            let y = y >> 1;
            let difference = Wide256::square(y + 1).minus(Wide256::square(y));
            prop_assert_eq!((difference.high, difference.low), (0, 2 * y + 1));
        }

        #[test]
        fn the_variance_is_the_one_of_shifted_numbers(
            numbers in prop::collection::vec(-1000i128..1000, 2..50),
            shift in -(1i128 << 62)..1 << 62,
        ) {
            let n = numbers.len() as f64;
            let sum = numbers.iter().sum::<i128>() as f64;
            let squares = numbers.iter().map(|x| x * x).sum::<i128>() as f64;
            let expected = (n * squares - sum * sum) / n / (n - 1.0);
            let shifted: Vec<i128> = numbers.iter().map(|x| x + shift).collect();
            prop_assert_eq!(moments(&shifted).variance(), Some(expected));
        }
    }
}
