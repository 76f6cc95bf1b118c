//! The sample variance and its square root.
//!
//! Both are computed from the exact count, sum and sum of squares, as (n Σx² - (Σx)²) / (n (n - 1))
//! with an exact numerator. There is no cancellation for any mean, and the answer does not depend
//! on the order of records, batches, threads or merges. The running-mean formulas of Welford and
//! Chan have neither property.

mod floats;
mod integers;

pub use floats::FloatMoments;
pub use integers::IntegerMoments;

use super::extract::{ByValue, ValueOf};
use super::number::{MaybeNumber, Moments, Number, Wide, WideOf, check_finite};
use super::persistence::durable_accumulator;
use super::{Aggregate, Hints, Persistence};
use crate::durable::Durable;
use crate::error::Error;
use crate::time::Timestamp;

/// The sample variance of a number of the record. Created by [`variance`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let jitter = variance(|millis: &u32| *millis);
/// let mut accumulator = jitter.init();
/// jitter.add(&mut accumulator, &10, Timestamp::from_millis(0));
/// assert_eq!(jitter.output(&accumulator), None); // of one record
/// jitter.add(&mut accumulator, &14, Timestamp::from_millis(0));
/// assert_eq!(jitter.output(&accumulator), Some(8.0));
/// ```
#[derive(Clone, Copy)]
pub struct Variance<N> {
    number: N,
}

impl<N> Variance<N> {
    pub(crate) fn new(number: N) -> Self {
        Variance { number }
    }
}

/// The sample standard deviation of a number of the record. Created by [`stddev`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let both = (mean(|millis: &u32| *millis), stddev(|millis: &u32| *millis));
/// let mut pipeline = Pipeline::builder().aggregate(both).build()?;
/// let answer = pipeline.over([10, 10, 16]).next().expect("the input has ended").value;
/// assert_eq!(answer, (Some(12.0), Some(12f64.sqrt())));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Stddev<N> {
    number: N,
}

/// Computes the *sample* variance of a number (divisor n - 1), or `None` for fewer than two
/// records. A missing number (`None`) is skipped. The variance is within 2 units in the last place of the exact variance, for any mean. NaN and
/// infinities make their record a dead letter. A variance past the range of `f64` is infinite.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, variance};
/// use streamgauge::Timestamp;
/// let spread = variance(|x: &f64| *x);
/// let mut accumulator = spread.init();
/// for x in [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0] {
///     spread.add(&mut accumulator, &x, Timestamp::from_millis(0));
/// }
/// assert_eq!(spread.output(&accumulator), Some(30.0));
/// ```
pub fn variance<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(
    number: F,
) -> Variance<ByValue<R, V, F>> {
    Variance::new(ByValue::new(number))
}

/// Computes the *sample* standard deviation of a number, the square root of [`variance`]. It is
/// finite even if the variance is not.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, stddev, variance};
/// use streamgauge::Timestamp;
/// let spread = (stddev(|x: &f64| *x), variance(|x: &f64| *x));
/// let mut accumulator = spread.init();
/// for x in [-1e200, 1e200] {
///     spread.add(&mut accumulator, &x, Timestamp::from_millis(0));
/// }
/// let (deviation, variance) = spread.output(&accumulator);
/// assert_eq!(variance, Some(f64::INFINITY)); // past the range
/// assert!(deviation.is_some_and(|x| (x / 2f64.sqrt() / 1e200 - 1.0).abs() < 1e-15));
/// ```
pub fn stddev<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(number: F) -> Stddev<ByValue<R, V, F>> {
    Stddev { number: ByValue::new(number) }
}

macro_rules! spread {
    ($aggregate:ident, $answer:ident, $name:literal) => {
        impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Aggregate<R> for $aggregate<N> {
            type Accumulator = <WideOf<N::Value> as Wide>::Moments;
            type Output = Option<f64>;

            fn init(&self) -> Self::Accumulator {
                Self::Accumulator::default()
            }

            #[inline]
            fn check(
                &self,
                _accumulator: Option<&Self::Accumulator>,
                record: &R,
            ) -> Result<(), Error> {
                check_finite(self.number.value(record), $name)
            }

            #[inline]
            fn add(&self, accumulator: &mut Self::Accumulator, record: &R, _time: Timestamp) {
                if let Some(number) = self.number.value(record).number() {
                    accumulator.add(number.widen());
                }
            }

            fn merge(
                &self,
                into: &mut Self::Accumulator,
                from: &Self::Accumulator,
            ) -> Result<(), Error> {
                into.merge(from)
            }

            fn output(&self, accumulator: &Self::Accumulator) -> Option<f64> {
                accumulator.$answer()
            }

            #[inline]
            fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
                size_of_val(accumulator) + accumulator.heap_bytes()
            }

            fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
                Ok(self)
            }

            #[inline]
            fn hints(&self) -> Hints {
                Hints::CHECKS_RECORD
            }
        }

        impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>, M: Moments<WideOf<N::Value>>>
            Persistence<R, M> for $aggregate<N>
        {
            fn describe(&self) -> String {
                format!(concat!($name, " of {}"), <N::Value as MaybeNumber>::Number::NAME)
            }

            durable_accumulator!(M);
        }
    };
}
spread!(Variance, variance, "variance");
spread!(Stddev, stddev, "stddev");
