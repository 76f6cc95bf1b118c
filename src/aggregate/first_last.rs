//! The value of the earliest and of the latest record.

use super::extract::{ByValue, ValueOf};
use super::persistence::durable_accumulator;
use super::{Aggregate, Hints, Persistence};
use crate::durable::Durable;
use crate::error::Error;
use crate::time::Timestamp;

/// The value of the record with the earliest event time. Created by [`first`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let opening = first(|(_, price): &(i64, u64)| *price);
/// let mut accumulator = opening.init();
/// for record in [(20, 101), (10, 100), (10, 99)] {
///     opening.add(&mut accumulator, &record, Timestamp::from_millis(record.0));
/// }
/// // By event time. Of two records at 10 ms it is the one that was added first.
/// assert_eq!(opening.output(&accumulator), Some(100));
/// ```
#[derive(Clone, Copy)]
pub struct First<V> {
    value: V,
}

impl<V> First<V> {
    pub(crate) fn new(value: V) -> Self {
        First { value }
    }
}

/// The value of the record with the latest event time. Created by [`last`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let state = last(|state: &&str| state.to_string());
/// let [mut one, mut other] = [state.init(), state.init()];
/// state.add(&mut one, &"up", Timestamp::from_millis(5));
/// state.add(&mut other, &"down", Timestamp::from_millis(5));
/// state.merge(&mut one, &other)?; // the merged records count as added later
/// assert_eq!(state.output(&one).as_deref(), Some("down"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Last<V> {
    value: V,
}

impl<V> Last<V> {
    pub(crate) fn new(value: V) -> Self {
        Last { value }
    }
}

/// Returns the value of the record with the earliest *event time*, or `None` without records. If
/// several records have this time, it is the value of the one that was added first; the records of
/// a merged accumulator count as added later. The closure is called only if its value is stored.
/// The value is part of snapshots: see [`Durable`]. A value that is `None` is a value: to skip such
/// records, use [`if_present`](super::if_present()).
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, first, last};
/// use streamgauge::Timestamp;
/// let ends = (first(|page: &&str| page.to_string()), last(|page: &&str| page.to_string()));
/// let mut accumulator = ends.init();
/// for (millis, page) in [(20, "/cart"), (10, "/"), (30, "/bye")] {
///     ends.add(&mut accumulator, &page, Timestamp::from_millis(millis));
/// }
/// assert_eq!(ends.output(&accumulator), (Some("/".to_string()), Some("/bye".to_string())));
/// ```
pub fn first<R: ?Sized, V: Durable + Clone + Send + Sync + 'static, F: Fn(&R) -> V>(
    value: F,
) -> First<ByValue<R, V, F>> {
    First::new(ByValue::new(value))
}

/// Returns the value of the record with the latest *event time*, or `None` without records. If
/// several records have this time, it is the value of the one that was added last; the records of a
/// merged accumulator count as added later. The closure is called only if its value is stored.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, last};
/// use streamgauge::Timestamp;
/// let closing = last(|(_, price): &(i64, u64)| *price);
/// let mut accumulator = closing.init();
/// assert_eq!(closing.output(&accumulator), None);
/// for record in [(20, 101), (10, 100), (20, 102)] {
///     closing.add(&mut accumulator, &record, Timestamp::from_millis(record.0));
/// }
/// // By event time. Of two records at 20 ms it is the one that was added last.
/// assert_eq!(closing.output(&accumulator), Some(102));
/// ```
pub fn last<R: ?Sized, V: Durable + Clone + Send + Sync + 'static, F: Fn(&R) -> V>(
    value: F,
) -> Last<ByValue<R, V, F>> {
    Last::new(ByValue::new(value))
}

macro_rules! end {
    ($aggregate:ident, $name:literal, $replaces:expr) => {
        impl<R: ?Sized, E: ValueOf<R, Value: Durable + Clone + Send + Sync + 'static>> Aggregate<R>
            for $aggregate<E>
        {
            type Accumulator = Option<(Timestamp, E::Value)>;
            type Output = Option<E::Value>;

            fn init(&self) -> Self::Accumulator {
                None
            }

            #[inline]
            fn add(&self, accumulator: &mut Self::Accumulator, record: &R, time: Timestamp) {
                let replaces: fn(Timestamp, Timestamp) -> bool = $replaces;
                if accumulator.as_ref().is_none_or(|(kept, _)| replaces(time, *kept)) {
                    *accumulator = Some((time, self.value.value(record)));
                }
            }

            fn merge(
                &self,
                into: &mut Self::Accumulator,
                from: &Self::Accumulator,
            ) -> Result<(), Error> {
                let replaces: fn(Timestamp, Timestamp) -> bool = $replaces;
                if let Some((time, _)) = from
                    && into.as_ref().is_none_or(|(kept, _)| replaces(*time, *kept))
                {
                    into.clone_from(from);
                }
                Ok(())
            }

            fn output(&self, accumulator: &Self::Accumulator) -> Option<E::Value> {
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

        impl<R: ?Sized, E: ValueOf<R, Value: Durable + Clone + Send + Sync + 'static>>
            Persistence<R, Option<(Timestamp, E::Value)>> for $aggregate<E>
        {
            fn describe(&self) -> String {
                format!(concat!($name, " of {}"), E::Value::NAME)
            }

            durable_accumulator!(Option<(Timestamp, E::Value)>);
        }
    };
}
end!(First, "first", |time, kept| time < kept);
end!(Last, "last", |time, kept| time >= kept);
