//! Sums: exact for integers, rounded once for floats.

use super::extract::{ByValue, ValueOf};
use super::number::{MaybeNumber, Number, SumOf, Total, WideOf, check_finite};
use super::persistence::durable_accumulator;
use super::{Aggregate, Hints, Invertible, Persistence};
use crate::durable::Durable;
use crate::error::Error;
use crate::time::Timestamp;

/// The sum of a number of the record. Created by [`sum()`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let balance = sum(|cents: &i64| *cents);
/// let mut accumulator = balance.init();
/// assert_eq!(balance.output(&accumulator), 0);
/// for cents in [i64::MAX, i64::MAX, -5] {
///     balance.add(&mut accumulator, &cents, Timestamp::from_millis(0));
/// }
/// assert_eq!(balance.output(&accumulator), 2 * i128::from(i64::MAX) - 5); // no overflow
/// ```
#[derive(Clone, Copy)]
pub struct Sum<N> {
    number: N,
}

/// Computes the sum of a number. For integers it is an exact `i128`. For floats it is an `f64`: the
/// exact sum, rounded once, so that it does not depend on the order of records, on batches, threads
/// or merges, bit by bit. It is 0 without records. A missing number (`None`) is skipped.
///
/// A float that is NaN or infinite makes its record a dead letter
/// ([`InvalidRecord`](crate::ErrorKind::InvalidRecord)). A sum past the range of `f64` is infinite,
/// and becomes finite again if later numbers bring it back.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, sum};
/// use streamgauge::Timestamp;
/// let seconds = sum(|x: &f64| *x);
/// let mut accumulator = seconds.init();
/// for _ in 0..10 {
///     seconds.add(&mut accumulator, &0.1, Timestamp::from_millis(0));
/// }
/// assert_eq!(seconds.output(&accumulator), 1.0);
/// ```
pub fn sum<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(number: F) -> Sum<ByValue<R, V, F>> {
    Sum { number: ByValue::new(number) }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Aggregate<R> for Sum<N> {
    type Accumulator = SumOf<N::Value>;
    type Output = WideOf<N::Value>;

    fn init(&self) -> Self::Accumulator {
        Self::Accumulator::default()
    }

    #[inline]
    fn check(&self, _accumulator: Option<&Self::Accumulator>, record: &R) -> Result<(), Error> {
        check_finite(self.number.value(record), "sum")
    }

    #[inline]
    fn add(&self, accumulator: &mut Self::Accumulator, record: &R, _time: Timestamp) {
        if let Some(number) = self.number.value(record).number() {
            accumulator.add(number.widen());
        }
    }

    fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error> {
        into.merge(from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        <SumOf<N::Value> as Total<WideOf<N::Value>>>::INVERTIBLE.then_some(self as _)
    }

    fn output(&self, accumulator: &Self::Accumulator) -> Self::Output {
        accumulator.total()
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

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>, S: Total<WideOf<N::Value>>> Persistence<R, S>
    for Sum<N>
{
    fn describe(&self) -> String {
        format!("sum of {}", <N::Value as MaybeNumber>::Number::NAME)
    }

    durable_accumulator!(S);
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Invertible<R, SumOf<N::Value>> for Sum<N> {
    fn is_exact(&self, accumulator: &SumOf<N::Value>) -> bool {
        accumulator.subtracts()
    }

    fn subtract(&self, from: &mut SumOf<N::Value>, part: &SumOf<N::Value>) -> bool {
        from.subtract(part)
    }
}
