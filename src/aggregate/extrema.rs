//! The smallest and the largest number.

use super::extract::{ByValue, ValueOf};
use super::number::Number;
use super::{Aggregate, DynPersistence, Hints, Persistence};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use std::cmp::Ordering;

/// The minimum of a number of the record. Created by [`min`].
#[derive(Clone, Copy)]
pub struct Min<N> {
    number: N,
}

/// The maximum of a number of the record. Created by [`max`].
#[derive(Clone, Copy)]
pub struct Max<N> {
    number: N,
}

/// Computes the minimum of a number, in the number's own type; `None` without records.
///
/// Floats are compared by the total order of IEEE 754: -0.0 is below 0.0, infinities are allowed,
/// and NaN makes its record a dead letter.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, max, min};
/// use streamgauge::Timestamp;
/// let range = (min(|x: &f32| *x), max(|x: &f32| *x));
/// let mut accumulator = range.init();
/// for x in [2.5, -1.0] {
///     range.add(&mut accumulator, &x, Timestamp::from_millis(0));
/// }
/// assert_eq!(range.output(&accumulator), (Some(-1.0), Some(2.5)));
/// assert!(range.check(None, &f32::NAN).is_err());
/// ```
pub fn min<R: ?Sized, V: Number, F: Fn(&R) -> V>(number: F) -> Min<ByValue<R, V, F>> {
    Min { number: ByValue::new(number) }
}

/// Computes the maximum of a number. Otherwise as [`min`].
pub fn max<R: ?Sized, V: Number, F: Fn(&R) -> V>(number: F) -> Max<ByValue<R, V, F>> {
    Max { number: ByValue::new(number) }
}

#[inline]
fn keep<V: Number>(kept: &mut Option<V>, number: V, wanted: Ordering) {
    match kept {
        Some(best) if number.compare(best) != wanted => {}
        _ => *kept = Some(number),
    }
}

#[cold]
fn nan(aggregate: &str) -> Error {
    Error::new(ErrorKind::InvalidRecord, format!("{aggregate} of NaN; NaN has no order"))
}

macro_rules! extremum {
    ($aggregate:ident, $name:literal, $wanted:expr) => {
        impl<R: ?Sized, N: ValueOf<R, Value: Number>> Aggregate<R> for $aggregate<N> {
            type Accumulator = Option<N::Value>;
            type Output = Option<N::Value>;

            fn init(&self) -> Option<N::Value> {
                None
            }

            #[inline]
            fn check(
                &self,
                _accumulator: Option<&Option<N::Value>>,
                record: &R,
            ) -> Result<(), Error> {
                if self.number.value(record).is_nan() { Err(nan($name)) } else { Ok(()) }
            }

            #[inline]
            fn add(&self, accumulator: &mut Option<N::Value>, record: &R, _time: Timestamp) {
                keep(accumulator, self.number.value(record), $wanted);
            }

            fn merge(
                &self,
                into: &mut Option<N::Value>,
                from: &Option<N::Value>,
            ) -> Result<(), Error> {
                if let Some(number) = *from {
                    keep(into, number, $wanted);
                }
                Ok(())
            }

            fn output(&self, accumulator: &Option<N::Value>) -> Option<N::Value> {
                *accumulator
            }

            fn persistence(&self) -> Result<DynPersistence<'_, R, Self>, Error> {
                Ok(self)
            }

            #[inline]
            fn hints(&self) -> Hints {
                Hints::CHECKS_RECORD
            }
        }

        impl<R: ?Sized, N: ValueOf<R, Value: Number>> Persistence<R> for $aggregate<N> {
            fn describe(&self) -> String {
                format!(concat!($name, " of {}"), N::Value::NAME)
            }

            fn encode(
                &self,
                accumulator: &Option<N::Value>,
                writer: &mut Writer,
            ) -> Result<(), Error> {
                accumulator.write(writer);
                Ok(())
            }

            fn decode(&self, reader: &mut Reader<'_>) -> Result<Option<N::Value>, Error> {
                match Durable::read(reader)? {
                    Some(number) if N::Value::is_nan(number) => {
                        Err(reader.corrupt(concat!($name, " of NaN")))
                    }
                    number => Ok(number),
                }
            }
        }
    };
}
extremum!(Min, "min", Ordering::Less);
extremum!(Max, "max", Ordering::Greater);
