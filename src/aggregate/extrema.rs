//! The smallest and the largest number.

use super::extract::{ByValue, ValueOf};
use super::number::{MaybeNumber, Number};
use super::{Aggregate, Hints, Persistence};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::fmt::Debug;

/// The minimum of a number of the record. Created by [`min`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let coldest = min(|celsius: &f64| *celsius);
/// let mut pipeline = Pipeline::builder().aggregate(coldest).build()?;
/// let found = pipeline.over([4.0, -2.5, f64::NAN]).next().map(|emission| emission.value);
/// assert_eq!(found, Some(Some(-2.5)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Min<N> {
    number: N,
}

impl<N> Min<N> {
    pub(crate) fn new(number: N) -> Self {
        Min { number }
    }
}

/// The maximum of a number of the record. Created by [`max`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let slowest = max(|millis: &u32| *millis);
/// let mut accumulator = slowest.init();
/// slowest.merge(&mut accumulator, &Some(7))?; // the accumulator is the number itself
/// slowest.merge(&mut accumulator, &None)?;
/// assert_eq!(slowest.output(&accumulator), Some(7));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Max<N> {
    number: N,
}

impl<N> Max<N> {
    pub(crate) fn new(number: N) -> Self {
        Max { number }
    }
}

/// Computes the minimum of a number, in the number's own type; `None` without records. A missing
/// number (`None`) is skipped.
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
pub fn min<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(number: F) -> Min<ByValue<R, V, F>> {
    Min::new(ByValue::new(number))
}

/// Computes the maximum of a number. Otherwise as [`min`].
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, max};
/// use streamgauge::Timestamp;
/// let slowest = max(|millis: &u32| *millis);
/// let mut accumulator = slowest.init();
/// assert_eq!(slowest.output(&accumulator), None);
/// for millis in [20, 900, 30] {
///     slowest.add(&mut accumulator, &millis, Timestamp::from_millis(0));
/// }
/// assert_eq!(slowest.output(&accumulator), Some(900));
/// ```
pub fn max<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(number: F) -> Max<ByValue<R, V, F>> {
    Max::new(ByValue::new(number))
}

/// A value that is compared with the one that is kept so far: any number. Nothing outside of the
/// crate can implement it.
pub trait Ranked {
    /// What is kept of the value.
    type Kept: Durable + Clone + Debug + Send + Sync + 'static;

    /// How the value compares with the one that is kept.
    fn rank(&self, kept: &Self::Kept) -> Ordering;

    /// The value, to be kept.
    fn keep(self) -> Self::Kept;

    /// How a value that was kept elsewhere compares with the one that is kept here.
    fn rank_kept(new: &Self::Kept, kept: &Self::Kept) -> Ordering;

    /// Returns true if it has no order.
    fn is_nan(kept: &Self::Kept) -> bool;
}

impl<V: Number> Ranked for V {
    type Kept = V;

    #[inline]
    fn rank(&self, kept: &V) -> Ordering {
        self.compare(kept)
    }

    #[inline]
    fn keep(self) -> V {
        self
    }

    #[inline]
    fn rank_kept(new: &V, kept: &V) -> Ordering {
        new.compare(kept)
    }

    #[inline]
    fn is_nan(kept: &V) -> bool {
        Number::is_nan(*kept)
    }
}

/// A [`Ranked`] value that may be missing. Nothing outside of the crate can implement it.
pub trait MaybeRanked {
    /// The type of the value where there is one.
    type Ranked: Ranked;

    /// Returns the value, or `None` if it is missing.
    fn ranked(self) -> Option<Self::Ranked>;
}

impl<V: Ranked> MaybeRanked for V {
    type Ranked = V;

    #[inline]
    fn ranked(self) -> Option<V> {
        Some(self)
    }
}

impl<V: Number> MaybeRanked for Option<V> {
    type Ranked = V;

    #[inline]
    fn ranked(self) -> Option<V> {
        self
    }
}

pub(super) type RankedOf<V> = <V as MaybeRanked>::Ranked;
pub(super) type KeptOf<V> = <RankedOf<V> as Ranked>::Kept;

#[inline]
fn keep<V: Ranked>(kept: &mut Option<V::Kept>, value: V, wanted: Ordering) {
    match kept {
        Some(best) if value.rank(best) != wanted => {}
        _ => *kept = Some(value.keep()),
    }
}

/// Checks that the value has an order or is missing.
///
/// # Errors
/// [`ErrorKind::InvalidRecord`] with the name of the aggregate.
#[inline]
pub(super) fn check_ranked<V: MaybeRanked>(value: V, aggregate: &str) -> Result<(), Error> {
    match value.ranked().map(Ranked::keep) {
        Some(value) if RankedOf::<V>::is_nan(&value) => Err(nan(aggregate)),
        _ => Ok(()),
    }
}

#[cold]
fn nan(aggregate: &str) -> Error {
    Error::new(ErrorKind::InvalidRecord, format!("{aggregate} of NaN; NaN has no order"))
}

macro_rules! extremum {
    ($aggregate:ident, $name:literal, $wanted:expr) => {
        impl<R: ?Sized, N: ValueOf<R, Value: MaybeRanked>> Aggregate<R> for $aggregate<N> {
            type Accumulator = Option<KeptOf<N::Value>>;
            type Output = Option<KeptOf<N::Value>>;

            fn init(&self) -> Option<KeptOf<N::Value>> {
                None
            }

            #[inline]
            fn check(
                &self,
                _accumulator: Option<&Option<KeptOf<N::Value>>>,
                record: &R,
            ) -> Result<(), Error> {
                check_ranked(self.number.value(record), $name)
            }

            #[inline]
            fn add(
                &self,
                accumulator: &mut Option<KeptOf<N::Value>>,
                record: &R,
                _time: Timestamp,
            ) {
                if let Some(value) = self.number.value(record).ranked() {
                    keep(accumulator, value, $wanted);
                }
            }

            fn merge(
                &self,
                into: &mut Option<KeptOf<N::Value>>,
                from: &Option<KeptOf<N::Value>>,
            ) -> Result<(), Error> {
                let Some(from) = from else { return Ok(()) };
                let replaces = |kept: &_| RankedOf::<N::Value>::rank_kept(from, kept) == $wanted;
                if into.as_ref().is_none_or(replaces) {
                    *into = Some(from.clone());
                }
                Ok(())
            }

            fn output(&self, accumulator: &Option<KeptOf<N::Value>>) -> Option<KeptOf<N::Value>> {
                accumulator.clone()
            }

            #[inline]
            fn state_bytes(&self, accumulator: &Option<KeptOf<N::Value>>) -> usize {
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

        impl<R: ?Sized, N: ValueOf<R, Value: MaybeRanked>> Persistence<R, Option<KeptOf<N::Value>>>
            for $aggregate<N>
        {
            fn describe(&self) -> String {
                format!(concat!($name, " of {}"), KeptOf::<N::Value>::NAME)
            }

            fn encode(
                &self,
                accumulator: &Option<KeptOf<N::Value>>,
                writer: &mut Writer,
            ) -> Result<(), Error> {
                accumulator.write(writer);
                Ok(())
            }

            fn decode(&self, reader: &mut Reader<'_>) -> Result<Option<KeptOf<N::Value>>, Error> {
                match Durable::read(reader)? {
                    Some(kept) if RankedOf::<N::Value>::is_nan(&kept) => {
                        Err(reader.corrupt(concat!($name, " of NaN")))
                    }
                    kept => Ok(kept),
                }
            }
        }
    };
}
extremum!(Min, "min", Ordering::Less);
extremum!(Max, "max", Ordering::Greater);
