//! Whether all records, or any, pass a test.

use super::extract::{ByValue, ValueOf};
use super::number::count_overflow;
use super::persistence::durable_accumulator;
use super::{Aggregate, Hints, Invertible, Persistence};
use crate::error::Error;
use crate::time::Timestamp;

/// True if a truth value is true in all records. Created by [`bool_and`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let healthy = bool_and(|status: &u16| *status < 500);
/// let mut pipeline = Pipeline::builder().aggregate(healthy).build()?;
/// let found = pipeline.over([200, 503]).next().and_then(|emission| emission.value);
/// assert_eq!(found, Some(false));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct BoolAnd<V> {
    value: V,
}

/// True if a truth value is true in any record. Created by [`bool_or`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let failed = group_by_value(|hit: &(u8, u16)| hit.0, bool_or(|hit: &(u8, u16)| hit.1 >= 500));
/// let mut pipeline = Pipeline::builder().aggregate(failed).build()?;
/// let groups = pipeline.over([(1, 200), (2, 200), (2, 503)]).next().expect("the end").value;
/// assert_eq!(groups.rows, [(1, Some(false)), (2, Some(true))]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct BoolOr<V> {
    value: V,
}

/// Returns true if a truth value, a `bool` or an `Option` of one, is true in all records in which
/// it is not missing; `None` without records. Counts both, so windows can slide by subtraction.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, bool_and};
/// use streamgauge::Timestamp;
/// let all = bool_and(|ok: &Option<bool>| *ok);
/// let mut accumulator = all.init();
/// assert_eq!(all.output(&accumulator), None);
/// all.add(&mut accumulator, &Some(true), Timestamp::from_millis(0));
/// all.add(&mut accumulator, &None, Timestamp::from_millis(0)); // skipped
/// assert_eq!(all.output(&accumulator), Some(true));
/// all.add(&mut accumulator, &Some(false), Timestamp::from_millis(0));
/// assert_eq!(all.output(&accumulator), Some(false));
/// ```
pub fn bool_and<R, V, F>(value: F) -> BoolAnd<ByValue<R, V, F>>
where
    R: ?Sized,
    V: Into<Option<bool>>,
    F: Fn(&R) -> V,
{
    BoolAnd { value: ByValue::new(value) }
}

/// Returns true if a truth value is true in any record. Otherwise as [`bool_and`].
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, bool_or};
/// use streamgauge::Timestamp;
/// let any = bool_or(|status: &u16| *status >= 500);
/// let mut accumulator = any.init();
/// any.add(&mut accumulator, &200, Timestamp::from_millis(0));
/// assert_eq!(any.output(&accumulator), Some(false));
/// any.add(&mut accumulator, &503, Timestamp::from_millis(0));
/// assert_eq!(any.output(&accumulator), Some(true));
/// ```
pub fn bool_or<R, V, F>(value: F) -> BoolOr<ByValue<R, V, F>>
where
    R: ?Sized,
    V: Into<Option<bool>>,
    F: Fn(&R) -> V,
{
    BoolOr { value: ByValue::new(value) }
}

/// The number of records with false and with true.
type Counts = (u64, u64);

macro_rules! bools {
    ($aggregate:ident, $name:literal, $answer:expr) => {
        impl<R: ?Sized, V: ValueOf<R, Value: Into<Option<bool>>>> Aggregate<R> for $aggregate<V> {
            type Accumulator = Counts;
            type Output = Option<bool>;

            fn init(&self) -> Counts {
                (0, 0)
            }

            #[inline]
            fn add(&self, (no, yes): &mut Counts, record: &R, _time: Timestamp) {
                match self.value.value(record).into() {
                    Some(true) => *yes = yes.saturating_add(1),
                    Some(false) => *no = no.saturating_add(1),
                    None => {}
                }
            }

            fn merge(&self, into: &mut Counts, from: &Counts) -> Result<(), Error> {
                let no = into.0.checked_add(from.0).ok_or_else(count_overflow)?;
                let yes = into.1.checked_add(from.1).ok_or_else(count_overflow)?;
                *into = (no, yes);
                Ok(())
            }

            fn inverse(&self) -> Option<&dyn Invertible<R, Counts>> {
                Some(self)
            }

            fn output(&self, &(no, yes): &Counts) -> Option<bool> {
                let answer: fn(u64, u64) -> bool = $answer;
                (no > 0 || yes > 0).then(|| answer(no, yes))
            }

            fn persistence(&self) -> Result<&dyn Persistence<R, Counts>, Error> {
                Ok(self)
            }

            #[inline]
            fn hints(&self) -> Hints {
                Hints { grows: false, ..Hints::CHECKS_RECORD }
            }
        }

        impl<R: ?Sized, V: ValueOf<R, Value: Into<Option<bool>>>> Persistence<R, Counts>
            for $aggregate<V>
        {
            fn describe(&self) -> String {
                String::from($name)
            }

            durable_accumulator!(Counts);
        }

        impl<R: ?Sized, V: ValueOf<R, Value: Into<Option<bool>>>> Invertible<R, Counts>
            for $aggregate<V>
        {
            fn is_exact(&self, &(no, yes): &Counts) -> bool {
                no < u64::MAX && yes < u64::MAX
            }

            fn subtract(&self, from: &mut Counts, part: &Counts) -> bool {
                let rest = (from.0.checked_sub(part.0), from.1.checked_sub(part.1));
                *from = (rest.0.unwrap_or(0), rest.1.unwrap_or(0));
                rest.0.is_some() && rest.1.is_some()
            }
        }
    };
}
bools!(BoolAnd, "bool_and", |no, _| no == 0);
bools!(BoolOr, "bool_or", |_, yes| yes > 0);
