//! The value of the record in which another value is largest or smallest.

use super::extract::{ByValue, ValueOf};
use super::extrema::{KeptOf, MaybeRanked, Ranked, RankedOf, check_ranked};
use super::number::MaybeNumber;
use super::{Aggregate, Hints, Persistence};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;
use crate::time::Timestamp;
use std::cmp::Ordering;

/// The value of the record with the largest number. Created by [`max_by`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// struct Hit { url: &'static str, millis: u32 }
/// let slowest = group_by(
///     |hit: &Hit| hit.url,
///     max_by(|hit: &Hit| hit.millis, |hit: &Hit| hit.millis),
/// );
/// let mut pipeline = Pipeline::builder().aggregate(slowest).build()?;
/// let hits = [("/a", 10), ("/a", 30)].map(|(url, millis)| Hit { url, millis });
/// let groups = pipeline.over(hits).next().expect("the input has ended").value;
/// assert_eq!(groups.find("/a"), Some(&Some(30)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct MaxBy<V, N> {
    value: V,
    by: N,
}

impl<V, N> MaxBy<V, N> {
    pub(crate) fn new(value: V, by: N) -> Self {
        MaxBy { value, by }
    }
}

/// The value of the record with the smallest number. Created by [`min_by`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let coldest = min_by(|day: &(u8, f64)| day.0, |day: &(u8, f64)| day.1);
/// let mut pipeline = Pipeline::builder().aggregate(coldest).build()?;
/// let found = pipeline.over([(1, 4.0), (2, -2.5), (3, 0.0)]).next();
/// assert_eq!(found.and_then(|emission| emission.value), Some(2));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct MinBy<V, N> {
    value: V,
    by: N,
}

impl<V, N> MinBy<V, N> {
    pub(crate) fn new(value: V, by: N) -> Self {
        MinBy { value, by }
    }
}

/// Returns the value of the record with the largest number `by`: `max_by(|hit: &Hit|
/// hit.url.clone(), |hit: &Hit| hit.latency_ms)` is the slowest URL. `None` without records.
///
/// Of several records with this number, it is the largest value ([`Durable::order`]). So the answer
/// does not depend on the order of records, on batches or on merges. A record whose number is
/// missing (`None`) is skipped, and NaN makes its record a dead letter. `value` is called only if
/// its record may be kept.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, max_by};
/// use streamgauge::Timestamp;
/// struct Hit { url: &'static str, millis: u32 }
/// let slowest = max_by(|hit: &Hit| hit.url.to_string(), |hit: &Hit| hit.millis);
/// let mut accumulator = slowest.init();
/// assert_eq!(slowest.output(&accumulator), None);
/// for (url, millis) in [("/a", 20), ("/c", 90), ("/b", 90)] {
///     slowest.add(&mut accumulator, &Hit { url, millis }, Timestamp::from_millis(0));
/// }
/// assert_eq!(slowest.output(&accumulator).as_deref(), Some("/c")); // it is larger than /b
/// ```
pub fn max_by<R, V, N, F, G>(value: F, by: G) -> MaxBy<ByValue<R, V, F>, ByValue<R, N, G>>
where
    R: ?Sized,
    V: Durable + Clone + Send + Sync + 'static,
    N: MaybeNumber,
    F: Fn(&R) -> V,
    G: Fn(&R) -> N,
{
    MaxBy::new(ByValue::new(value), ByValue::new(by))
}

/// Returns the value of the record with the smallest number `by`, and of several records with this
/// number the smallest value. Otherwise as [`max_by`].
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, min_by};
/// use streamgauge::Timestamp;
/// let cheapest = min_by(|offer: &(&str, u32)| offer.0.to_string(), |offer: &(&str, u32)| offer.1);
/// let mut accumulator = cheapest.init();
/// for offer in [("tea", 3), ("water", 1), ("wine", 9)] {
///     cheapest.add(&mut accumulator, &offer, Timestamp::from_millis(0));
/// }
/// assert_eq!(cheapest.output(&accumulator).as_deref(), Some("water"));
/// ```
pub fn min_by<R, V, N, F, G>(value: F, by: G) -> MinBy<ByValue<R, V, F>, ByValue<R, N, G>>
where
    R: ?Sized,
    V: Durable + Clone + Send + Sync + 'static,
    N: MaybeNumber,
    F: Fn(&R) -> V,
    G: Fn(&R) -> N,
{
    MinBy::new(ByValue::new(value), ByValue::new(by))
}

/// A value that is kept beside the number of its record: any [`Durable`] one. Nothing outside of
/// the crate can implement it.
pub trait KeptValue {
    /// The type of the value as it is kept.
    type Owned: Durable + Clone + Send + Sync + 'static;

    /// Returns the value, to be kept.
    fn into_owned(self) -> Self::Owned;

    /// Compares with a value that was kept before, in an order in which no two different values are
    /// equal.
    fn order_with(&self, kept: &Self::Owned) -> Ordering;
}

impl<V: Durable + Clone + Send + Sync + 'static> KeptValue for V {
    type Owned = V;

    #[inline]
    fn into_owned(self) -> V {
        self
    }

    #[inline]
    fn order_with(&self, kept: &V) -> Ordering {
        self.order(kept)
    }
}

type OwnedOf<V> = <V as KeptValue>::Owned;

/// The number and the value of the best record.
type Best<N, V> = Option<(KeptOf<N>, OwnedOf<V>)>;

macro_rules! best {
    ($aggregate:ident, $name:literal, $wanted:expr) => {
        impl<R: ?Sized, V, N> Aggregate<R> for $aggregate<V, N>
        where
            V: ValueOf<R, Value: KeptValue>,
            N: ValueOf<R, Value: MaybeRanked>,
        {
            type Accumulator = Best<N::Value, V::Value>;
            type Output = Option<OwnedOf<V::Value>>;

            fn init(&self) -> Self::Accumulator {
                None
            }

            #[inline]
            fn check(
                &self,
                _accumulator: Option<&Self::Accumulator>,
                record: &R,
            ) -> Result<(), Error> {
                check_ranked(self.by.value(record), $name)
            }

            #[inline]
            fn add(&self, accumulator: &mut Self::Accumulator, record: &R, _time: Timestamp) {
                let Some(by) = self.by.value(record).ranked() else { return };
                let rank = accumulator.as_ref().map_or($wanted, |(kept, _)| by.rank(kept));
                if rank == $wanted.reverse() {
                    return;
                }
                let value = self.value.value(record);
                match accumulator {
                    Some((_, kept)) if rank.is_eq() => {
                        if value.order_with(kept) == $wanted {
                            *kept = value.into_owned();
                        }
                    }
                    _ => *accumulator = Some((by.keep(), value.into_owned())),
                }
            }

            fn merge(
                &self,
                into: &mut Self::Accumulator,
                from: &Self::Accumulator,
            ) -> Result<(), Error> {
                let Some((by, value)) = from else { return Ok(()) };
                let replaces = into.as_ref().is_none_or(|(kept_by, kept)| {
                    let rank = RankedOf::<N::Value>::rank_kept(by, kept_by);
                    rank.then_with(|| value.order(kept)) == $wanted
                });
                if replaces {
                    into.clone_from(from);
                }
                Ok(())
            }

            fn output(&self, accumulator: &Self::Accumulator) -> Self::Output {
                accumulator.as_ref().map(|(_, value)| value.clone())
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

        impl<R: ?Sized, V, N> Persistence<R, Best<N::Value, V::Value>> for $aggregate<V, N>
        where
            V: ValueOf<R, Value: KeptValue>,
            N: ValueOf<R, Value: MaybeRanked>,
        {
            fn describe(&self) -> String {
                let (value, by) = (OwnedOf::<V::Value>::NAME, KeptOf::<N::Value>::NAME);
                format!(concat!($name, " of {}, {}"), value, by)
            }

            fn encode(
                &self,
                accumulator: &Best<N::Value, V::Value>,
                writer: &mut Writer,
            ) -> Result<(), Error> {
                accumulator.write(writer);
                Ok(())
            }

            fn decode(&self, reader: &mut Reader<'_>) -> Result<Best<N::Value, V::Value>, Error> {
                match Durable::read(reader)? {
                    Some((by, _)) if RankedOf::<N::Value>::is_nan(&by) => {
                        Err(reader.corrupt(concat!($name, " of NaN")))
                    }
                    best => Ok(best),
                }
            }
        }
    };
}
best!(MaxBy, "max_by", Ordering::Greater);
best!(MinBy, "min_by", Ordering::Less);
