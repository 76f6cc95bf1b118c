//! The numbers that can be aggregated, and their exact arithmetic.

use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::{Error, ErrorKind};
use std::cmp::Ordering;
use std::fmt::Debug;

pub(crate) mod sealed {
    pub trait Sealed {}

    pub trait Maybe {}
}

/// A number: an integer type of up to 64 bits, `f32` or `f64`. Sealed: no other type implements it.
///
/// # Example
/// ```
/// use streamgauge::aggregate::Number;
/// use streamgauge::prelude::*;
/// /// The range of a number of any type.
/// fn range<N: Number>(numbers: &[N]) -> Result<Option<(Option<N>, Option<N>)>, Error> {
///     let range = (min(|number: &N| *number), max(|number: &N| *number));
///     let mut pipeline = Pipeline::builder().aggregate(range).build()?;
///     Ok(pipeline.over(numbers).next().map(|emission| emission.value))
/// }
/// assert_eq!(range(&[2.5, -1.0])?, Some((Some(-1.0), Some(2.5))));
/// assert_eq!(range::<u8>(&[])?, None);
/// # Ok::<(), Error>(())
/// ```
pub trait Number: sealed::Sealed + Durable + Copy + Debug + Send + Sync + 'static {
    /// The type of its sums: `i128` for integers, `f64` for floats.
    type Wide: Wide;

    /// Returns the number in the wide type, exactly.
    fn widen(self) -> Self::Wide;

    /// Returns the nearest `f64`. Exact except for integers above 2^53.
    fn to_f64(self) -> f64;

    /// Compares in ascending order. Floats have the total order of IEEE 754, in which -0.0 is below
    /// 0.0.
    fn compare(&self, other: &Self) -> Ordering;

    /// Returns true if the number is NaN.
    fn is_nan(self) -> bool;

    /// Returns true if the number is neither NaN nor infinite. Integers always are finite.
    fn is_finite(self) -> bool;
}

macro_rules! integer_numbers {
    ($($integer:ty),*) => {$(
        impl sealed::Sealed for $integer {}

        impl Number for $integer {
            type Wide = i128;

            #[inline]
            fn widen(self) -> i128 {
                self as i128
            }

            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline]
            fn compare(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }

            #[inline]
            fn is_nan(self) -> bool {
                false
            }

            #[inline]
            fn is_finite(self) -> bool {
                true
            }
        }
    )*};
}
integer_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

macro_rules! float_numbers {
    ($($float:ty),*) => {$(
        impl sealed::Sealed for $float {}

        impl Number for $float {
            type Wide = f64;

            #[inline]
            fn widen(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn compare(&self, other: &Self) -> Ordering {
                self.total_cmp(other)
            }

            #[inline]
            fn is_nan(self) -> bool {
                <$float>::is_nan(self)
            }

            #[inline]
            fn is_finite(self) -> bool {
                <$float>::is_finite(self)
            }
        }
    )*};
}
float_numbers!(f32, f64);

/// A number, or a number that may be missing: any [`Number`], or an `Option` of one. An aggregate
/// skips a missing number. Sealed.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// struct Hit { latency_ms: Option<u32> }
/// let latency = (mean(|hit: &Hit| hit.latency_ms), max(|hit: &Hit| hit.latency_ms));
/// let mut pipeline = Pipeline::builder().aggregate((count(), latency)).build()?;
/// let hits = [Some(10), None, Some(20)].map(|latency_ms| Hit { latency_ms });
/// let answer = pipeline.over(hits).next().expect("the input has ended").value;
/// assert_eq!(answer, (3, (Some(15.0), Some(20)))); // the mean of two
/// # Ok::<(), Error>(())
/// ```
pub trait MaybeNumber: sealed::Maybe {
    /// The type of the number where there is one.
    type Number: Number;

    /// Returns the number, or `None` if it is missing.
    fn number(self) -> Option<Self::Number>;
}

impl<N: Number> sealed::Maybe for N {}

impl<N: Number> MaybeNumber for N {
    type Number = N;

    #[inline]
    fn number(self) -> Option<N> {
        Some(self)
    }
}

impl<N: Number> sealed::Maybe for Option<N> {}

impl<N: Number> MaybeNumber for Option<N> {
    type Number = N;

    #[inline]
    fn number(self) -> Option<N> {
        self
    }
}

/// The wide type of the numbers of an extracted value.
pub(super) type WideOf<V> = <<V as MaybeNumber>::Number as Number>::Wide;

/// The exact sum of the numbers of an extracted value.
pub(super) type SumOf<V> = <WideOf<V> as Wide>::Sum;

/// Checks that the number is finite or missing.
///
/// # Errors
/// [`ErrorKind::InvalidRecord`] with the number and the name of the aggregate.
#[inline]
pub(super) fn check_finite(value: impl MaybeNumber, aggregate: &str) -> Result<(), Error> {
    match value.number() {
        Some(number) if !number.is_finite() => Err(not_finite(number, aggregate)),
        _ => Ok(()),
    }
}

/// The wide type of numbers: `i128` or `f64`. Sealed.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let bytes = sum(|bytes: &u64| *bytes);
/// let mut accumulator = bytes.init();
/// for number in [u64::MAX, u64::MAX] {
///     bytes.add(&mut accumulator, &number, Timestamp::from_millis(0));
/// }
/// // The sum of integers is an `i128`: it does not overflow.
/// assert_eq!(bytes.output(&accumulator), 2 * i128::from(u64::MAX));
/// ```
pub trait Wide: sealed::Sealed + Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The exact running sum.
    type Sum: Total<Self>;

    /// The exact running count, sum and sum of squares.
    type Moments: Moments<Self>;

    /// Returns the number as a weight: `None` unless it is a whole number from 0 to 2^64 - 1.
    fn to_weight(self) -> Option<u64>;
}

impl sealed::Sealed for i128 {}

/// An exact running sum of wide numbers. It does not depend on the order of additions.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{ExactSum, Total};
/// let mut ascending = ExactSum::default();
/// let mut descending = ExactSum::default();
/// for power in 0..50 {
///     Total::add(&mut ascending, 2f64.powi(power) * 0.1);
///     Total::add(&mut descending, 2f64.powi(49 - power) * 0.1);
/// }
/// assert_eq!(ascending.total(), descending.total()); // to the bit, in any order
/// ```
pub trait Total<W>: Durable + Clone + Debug + Default + Send + Sync + 'static {
    /// Adds a number, which must be finite.
    fn add(&mut self, number: W);

    /// Adds another sum.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] if an integer sum leaves the range of `i128`.
    fn merge(&mut self, from: &Self) -> Result<(), Error>;

    /// Subtracts another sum, which was added before. Returns false if that is not possible.
    /// Default: not possible.
    fn subtract(&mut self, part: &Self) -> bool {
        let _ = part;
        false
    }

    /// True if [`subtract`](Total::subtract) is possible.
    const INVERTIBLE: bool = false;

    /// Returns true if parts can be subtracted from this sum. Default: as of every sum of the type.
    fn subtracts(&self) -> bool {
        Self::INVERTIBLE
    }

    /// Returns the sum. For floats it is rounded once.
    fn total(&self) -> W;

    /// Returns the sum divided by `n`, which must not be 0.
    fn quotient(&self, n: u64) -> f64;
}

/// An exact running count, sum and sum of squares of wide numbers. It does not depend on the order
/// of additions.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{IntegerMoments, Moments};
/// let mut moments = IntegerMoments::default();
/// assert_eq!(moments.variance(), None);
/// for number in [2, 4, 6] {
///     moments.add(number);
/// }
/// assert_eq!(moments.variance(), Some(4.0)); // divided by n - 1
/// ```
pub trait Moments<W>: Durable + Clone + Debug + Default + Send + Sync + 'static {
    /// Adds a number, which must be finite.
    fn add(&mut self, number: W);

    /// Adds the numbers of another accumulator.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] if the count would pass `u64::MAX`.
    fn merge(&mut self, from: &Self) -> Result<(), Error>;

    /// Returns the sample variance (divisor n - 1), or `None` for fewer than two numbers.
    fn variance(&self) -> Option<f64>;

    /// Returns the square root of the sample variance. It is finite even if the variance is out of
    /// the range of `f64`.
    fn stddev(&self) -> Option<f64>;
}

/// The exact running sum of integers.
///
/// Additions cannot overflow: every number is below 2^64 in magnitude, so an overflow takes more
/// than 2^63 records, or 292 years at one record per nanosecond. If merges come that far, they
/// return an error, and additions saturate.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{IntegerSum, Total};
/// let mut sum = IntegerSum::default();
/// [i128::from(i64::MAX), 1, -1].into_iter().for_each(|number| sum.add(number));
/// assert_eq!(sum.total(), i128::from(i64::MAX));
/// ```
// Aligned like a word, so that it needs no padding beside other words such as a count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(Rust, packed(8))]
pub struct IntegerSum(pub(crate) i128);

impl Total<i128> for IntegerSum {
    #[inline]
    fn add(&mut self, number: i128) {
        match self.0.checked_add(number) {
            Some(sum) => self.0 = sum,
            None => self.saturate(number),
        }
    }

    fn merge(&mut self, from: &Self) -> Result<(), Error> {
        let sum = self.0.checked_add(from.0);
        self.0 = sum.ok_or_else(|| {
            Error::new(
                ErrorKind::LimitExceeded,
                format!("the sum {} + {} leaves 128 bits", self.total(), from.total()),
            )
        })?;
        Ok(())
    }

    const INVERTIBLE: bool = true;

    fn subtract(&mut self, part: &Self) -> bool {
        let rest = self.0.checked_sub(part.0);
        self.0 = rest.unwrap_or(0);
        rest.is_some()
    }

    fn total(&self) -> i128 {
        self.0
    }

    fn quotient(&self, n: u64) -> f64 {
        let magnitude = self.0.unsigned_abs();
        if magnitude == 0 {
            return 0.0;
        }
        // The dividend with its top bit set is at least 2^127, so the quotient has at least 63
        // bits. Its lowest bit is far below the precision of f64. Setting it if there is a
        // remainder makes the single rounding of `as` correct.
        let shift = magnitude.leading_zeros();
        let dividend = magnitude << shift;
        let divisor = u128::from(n.max(1));
        let quotient = (dividend / divisor) | u128::from(!dividend.is_multiple_of(divisor));
        let value = quotient as f64 * 0.5f64.powi(shift as i32);
        if self.0 < 0 { -value } else { value }
    }
}

impl IntegerSum {
    #[cold]
    fn saturate(&mut self, number: i128) {
        self.0 = self.0.saturating_add(number);
    }
}

impl Durable for IntegerSum {
    fn write(&self, writer: &mut Writer) {
        writer.i128(self.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.i128().map(IntegerSum)
    }
}

/// Returns the error for a count that passes its maximum.
pub(super) fn count_overflow() -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("the merged count passes {}", u64::MAX))
}

/// Returns the error for a float that cannot be aggregated.
#[cold]
fn not_finite<V: Number>(number: V, aggregate: &str) -> Error {
    Error::new(
        ErrorKind::InvalidRecord,
        format!("{aggregate} of {number:?}; only finite numbers can be aggregated"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quotient_is_rounded_once() {
        let quotient = |sum: i128, n| IntegerSum(sum).quotient(n);
        assert_eq!(quotient(0, 3), 0.0);
        assert_eq!(quotient(1, 3), 1.0 / 3.0);
        assert_eq!(quotient(-7, 2), -3.5);
        assert_eq!(quotient((1 << 53) + 1, 1), 9_007_199_254_740_992.0, "a tie goes to even");
        assert_eq!(
            quotient(((1 << 53) + 1) * 3 + 1, 3),
            9_007_199_254_740_994.0,
            "a little over the tie goes up"
        );
        assert_eq!(quotient(i128::MIN, 1), -(2f64.powi(127)));
    }

    #[test]
    fn a_sum_that_leaves_128_bits_is_refused() {
        let mut sum = IntegerSum(i128::MAX);
        assert_eq!(sum.merge(&IntegerSum(1)).unwrap_err().kind(), ErrorKind::LimitExceeded);
        assert_eq!(sum, IntegerSum(i128::MAX), "a refused merge changes nothing");
    }

    proptest! {
        #[test]
        fn a_quotient_of_exact_operands_is_the_hardware_s(
            sum in -(1i64 << 53)..1i64 << 53,
            n in 1u64..1 << 53,
        ) {
            prop_assert_eq!(IntegerSum(i128::from(sum)).quotient(n), sum as f64 / n as f64);
        }
    }
}
