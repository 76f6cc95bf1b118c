//! Count, sum and sum of squares of floats, exact over the whole range of `f64`.

use crate::aggregate::exact_sum::{ExactSum, two_product};
use crate::aggregate::number::{Moments, count_overflow};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;

/// The exact moments of floats.
///
/// The square of a float has twice its bits and twice its exponent, so it is stored as two floats.
/// The squares of very large and very small numbers are stored separately and scaled, because they
/// would leave the range otherwise.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{FloatMoments, Moments};
/// let mut moments = FloatMoments::default();
/// for number in [1e15 + 4.0, 1e15 + 7.0, 1e15 + 13.0, 1e15 + 16.0] {
///     moments.add(number);
/// }
/// assert_eq!(moments.variance(), Some(30.0)); // nothing is lost beside the large mean
/// ```
#[derive(Clone, Debug, Default)]
pub struct FloatMoments {
    count: u64,
    sum: ExactSum,
    /// Squares of the numbers from `SMALL` to `LARGE`, and of zeros.
    squares: ExactSum,
    extreme: Option<Box<ExtremeSquares>>,
}

/// Squares that a float cannot hold, or whose error it cannot hold.
#[derive(Clone, Debug, Default)]
struct ExtremeSquares {
    /// Squares of numbers from `LARGE` up. Each number is first multiplied by 2^-600.
    large: ExactSum,
    /// Squares of numbers below `SMALL`. Each number is first multiplied by 2^600.
    small: ExactSum,
}

/// 2^500.
const LARGE: f64 = f64::from_bits((1023 + 500) << 52);
/// 2^-400. The error of the square of a number of at least this size is at least 2^-906, a normal
/// number.
const SMALL: f64 = f64::from_bits((1023 - 400) << 52);
/// 2^600.
const UP: f64 = f64::from_bits((1023 + 600) << 52);
/// 2^-600.
const DOWN: f64 = f64::from_bits((1023 - 600) << 52);

/// The power of two by which numbers are scaled for the evaluation, so that their products stay in
/// range.
#[derive(Clone, Copy, PartialEq)]
enum Scale {
    /// By 2^-600: some numbers are large.
    Down,
    /// No scaling.
    None,
    /// By 2^600: all numbers are below 2^-300.
    Up,
}

impl FloatMoments {
    /// Adds integers, given their count, their sum and the sum of their squares, each in exact
    /// parts.
    #[cfg(feature = "spec")]
    pub(super) fn add_many(&mut self, count: u64, sum: &ExactSum, squares: &ExactSum) {
        self.count = self.count.saturating_add(count);
        self.sum.merge(sum);
        self.squares.merge(squares);
    }

    fn scale(&self) -> Scale {
        let squares = self.squares.value();
        let any_large = self.extreme.as_ref().is_some_and(|extreme| extreme.large.value() > 0.0);
        if any_large || squares >= LARGE * 2f64.powi(300) {
            Scale::Down
        } else if squares < DOWN {
            Scale::Up
        } else {
            Scale::None
        }
    }

    /// Returns n Σx² - (Σx)² of scaled numbers. The terms are exact. If numbers have several
    /// scales, the part that underflows is below 2^-300 of the result, because a large and a small
    /// number differ so much.
    fn spread(&self, scale: Scale) -> f64 {
        let factor = match scale {
            Scale::Down => DOWN,
            Scale::None => 1.0,
            Scale::Up => UP,
        };
        let mut spread = ExactSum::default();
        let mut add_products = |left: f64, right: f64| {
            let (product, error) = two_product(left, right);
            spread.add(product);
            spread.add(error);
        };
        // 64 bits do not fit into one float, but the upper and the lower half each do.
        let (upper, lower) =
            ((self.count >> 32) as f64 * 4_294_967_296.0, (self.count & 0xffff_ffff) as f64);
        self.for_each_square(scale, |square| {
            add_products(upper, square);
            add_products(lower, square);
        });
        let mut parts = Vec::with_capacity(8);
        self.sum.for_each_scaled(factor, |part| parts.push(part));
        for left in &parts {
            parts.iter().for_each(|right| add_products(-left, *right));
        }
        spread.value().max(0.0)
    }

    /// Calls `f` with numbers whose sum is Σx² of scaled numbers.
    fn for_each_square(&self, scale: Scale, mut f: impl FnMut(f64)) {
        // How many times the squares were scaled by 2^1200 more than requested.
        let offset = match scale {
            Scale::Down => 1,
            Scale::None => 0,
            Scale::Up => -1,
        };
        let mut each = |squares: &ExactSum, times: i32| {
            let step = if times > 0 { DOWN } else { UP };
            squares.for_each_scaled(if times == 0 { 1.0 } else { step }, |part| {
                // `for_each_scaled` applies a factor of 2^±600, and this line the rest.
                f((1..2 * times.abs()).fold(part, |part, _| part * step));
            });
        };
        each(&self.squares, offset);
        if let Some(extreme) = &self.extreme {
            each(&extreme.large, offset - 1);
            each(&extreme.small, offset + 1);
        }
    }

    /// Returns the variance of scaled numbers.
    fn scaled_variance(&self, scale: Scale) -> Option<f64> {
        (self.count >= 2).then(|| self.spread(scale) / self.count as f64 / (self.count - 1) as f64)
    }
}

impl Moments<f64> for FloatMoments {
    #[inline]
    fn add(&mut self, number: f64) {
        self.count = self.count.saturating_add(1);
        self.sum.add(number);
        let magnitude = number.abs();
        let (number, squares) = if (SMALL..LARGE).contains(&magnitude) || magnitude == 0.0 {
            (number, &mut self.squares)
        } else if magnitude >= LARGE {
            (number * DOWN, &mut self.extreme.get_or_insert_default().large)
        } else {
            (number * UP, &mut self.extreme.get_or_insert_default().small)
        };
        let (square, error) = two_product(number, number);
        squares.add(square);
        squares.add(error);
    }

    fn merge(&mut self, from: &Self) -> Result<(), Error> {
        self.count = self.count.checked_add(from.count).ok_or_else(count_overflow)?;
        self.sum.merge(&from.sum);
        self.squares.merge(&from.squares);
        if let Some(from) = &from.extreme {
            let extreme = self.extreme.get_or_insert_default();
            extreme.large.merge(&from.large);
            extreme.small.merge(&from.small);
        }
        Ok(())
    }

    fn variance(&self) -> Option<f64> {
        let scale = self.scale();
        let variance = self.scaled_variance(scale)?;
        Some(match scale {
            Scale::Down => variance * UP * UP,
            Scale::None => variance,
            Scale::Up => variance * DOWN * DOWN,
        })
    }

    fn stddev(&self) -> Option<f64> {
        let scale = self.scale();
        let root = self.scaled_variance(scale)?.sqrt();
        Some(match scale {
            Scale::Down => root * UP,
            Scale::None => root,
            Scale::Up => root * DOWN,
        })
    }
}

impl Durable for FloatMoments {
    fn write(&self, writer: &mut Writer) {
        writer.u64(self.count);
        self.sum.write(writer);
        self.squares.write(writer);
        writer.bool(self.extreme.is_some());
        if let Some(extreme) = &self.extreme {
            extreme.large.write(writer);
            extreme.small.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (count, sum, squares) =
            (reader.u64()?, ExactSum::read(reader)?, ExactSum::read(reader)?);
        let mut extreme = None;
        if reader.bool()? {
            extreme = Some(Box::new(ExtremeSquares {
                large: ExactSum::read(reader)?,
                small: ExactSum::read(reader)?,
            }));
        }
        Ok(FloatMoments { count, sum, squares, extreme })
    }

    fn heap_bytes(&self) -> usize {
        let extreme = self.extreme.as_ref().map_or(0, |extreme| {
            size_of::<ExtremeSquares>() + extreme.large.heap_bytes() + extreme.small.heap_bytes()
        });
        self.sum.heap_bytes() + self.squares.heap_bytes() + extreme
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(numbers: &[f64]) -> FloatMoments {
        let mut moments = FloatMoments::default();
        numbers.iter().for_each(|&number| moments.add(number));
        moments
    }

    fn close(a: f64, b: f64) -> bool {
        a == b || ((a - b) / b).abs() <= 4.0 * f64::EPSILON
    }

    #[test]
    fn nothing_cancels() {
        for base in [1e9, 1e15] {
            let variance = moments(&[base + 4.0, base + 7.0, base + 13.0, base + 16.0]).variance();
            assert_eq!(variance, Some(30.0), "{base}");
        }
        let step = 2f64.powi(-20);
        assert_eq!(moments(&[1e9, 1e9 + step]).variance(), Some(step * step / 2.0));
        assert_eq!(moments(&[0.1; 1000]).variance(), Some(0.0));
        assert_eq!(moments(&[1.0]).variance(), None);
    }

    #[test]
    fn the_whole_range_is_right() {
        assert_eq!(moments(&[f64::MAX; 3]).stddev(), Some(0.0));
        assert_eq!(moments(&[1e308, -1e308]).variance(), Some(f64::INFINITY));
        assert!(close(moments(&[1e308, -1e308]).stddev().unwrap(), 1e308 * 2f64.sqrt()));
        assert!(close(moments(&[1e-300, -1e-300]).stddev().unwrap(), 1e-300 * 2f64.sqrt()));
        assert_eq!(moments(&[5e-324, -5e-324]).stddev(), Some(5e-324));
        let near = LARGE.next_down();
        assert!(close(moments(&[LARGE, near]).stddev().unwrap(), (LARGE - near) / 2f64.sqrt()));
        assert!(close(
            moments(&[SMALL, SMALL.next_down()]).stddev().unwrap(),
            (SMALL - SMALL.next_down()) / 2f64.sqrt()
        ));
        assert!(close(moments(&[1e200, 1.0, 1e-200]).stddev().unwrap(), 1e200 / 3f64.sqrt()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn scaling_by_a_power_of_two_scales_the_answer(
            numbers in prop::collection::vec(-1000i32..1000, 2..20),
            base in -(1i64 << 40)..1 << 40,
            exponent in -900i32..900,
        ) {
            // The slow oracle: integers of 128 bits.
            let (mut sum, mut squares) = (0i128, 0i128);
            for &x in &numbers {
                let x = i128::from(x) + i128::from(base);
                sum += x;
                squares += x * x;
            }
            let n = numbers.len() as i128;
            let variance = (n * squares - sum * sum) as f64 / n as f64 / (n - 1) as f64;
            let scaled: Vec<f64> = numbers
                .iter()
                .map(|&x| (f64::from(x) + base as f64) * 2f64.powi(exponent))
                .collect();
            let stddev = moments(&scaled).stddev().unwrap();
            prop_assert!(
                close(stddev, variance.sqrt() * 2f64.powi(exponent)),
                "{} {}",
                stddev,
                variance.sqrt() * 2f64.powi(exponent)
            );
        }

        #[test]
        fn order_and_merges_do_not_show(
            bits in prop::collection::vec(any::<u64>(), 2..30),
            at in any::<prop::sample::Index>(),
        ) {
            let numbers: Vec<f64> =
                bits.into_iter().map(f64::from_bits).filter(|x| x.is_finite()).collect();
            let (left, right) = numbers.split_at(at.index(numbers.len() + 1));
            let mut merged = moments(right);
            merged.merge(&moments(left)).unwrap();
            prop_assert_eq!(
                merged.variance().map(f64::to_bits),
                moments(&numbers).variance().map(f64::to_bits)
            );
            prop_assert_eq!(
                merged.stddev().map(f64::to_bits),
                moments(&numbers).stddev().map(f64::to_bits)
            );
        }
    }
}
