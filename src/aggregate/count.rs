//! The number of records.

use super::persistence::durable_accumulator;
use super::{Aggregate, Hints, Invertible, Persistence};
use crate::error::Error;
use crate::time::Timestamp;

/// Counts records. Created by [`count`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let count = count();
/// let mut accumulator = Aggregate::<str>::init(&count);
/// assert_eq!(Aggregate::<str>::output(&count, &accumulator), 0);
/// count.add(&mut accumulator, "a line", Timestamp::from_millis(0));
/// Aggregate::<str>::merge(&count, &mut accumulator, &41)?; // a plain `u64`, as of another pane
/// assert_eq!(Aggregate::<str>::output(&count, &accumulator), 42);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Count;

/// Counts records exactly. The answer is a `u64`; it is 0 without records.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, count, filtered};
/// use streamgauge::Timestamp;
/// let both = (count(), filtered(|status: &u16| *status >= 500, count()));
/// let mut accumulator = both.init();
/// for status in [200, 503, 200] {
///     both.add(&mut accumulator, &status, Timestamp::from_millis(0));
/// }
/// assert_eq!(both.output(&accumulator), (3, 1));
/// ```
pub fn count() -> Count {
    Count
}

impl<R: ?Sized> Aggregate<R> for Count {
    type Accumulator = u64;
    type Output = u64;

    fn init(&self) -> u64 {
        0
    }

    #[inline]
    fn add(&self, accumulator: &mut u64, _record: &R, _time: Timestamp) {
        // 2^64 records take 584 years at one record per nanosecond.
        *accumulator = accumulator.saturating_add(1);
    }

    fn merge(&self, into: &mut u64, from: &u64) -> Result<(), Error> {
        *into = into.checked_add(*from).ok_or_else(super::number::count_overflow)?;
        Ok(())
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        Some(self)
    }

    #[inline]
    fn output(&self, accumulator: &u64) -> u64 {
        *accumulator
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::CHECKS_RECORD
    }
}

impl<R: ?Sized> Persistence<R, u64> for Count {
    fn describe(&self) -> String {
        String::from("count")
    }

    durable_accumulator!(u64);
}

impl<R: ?Sized> Invertible<R, u64> for Count {
    fn is_exact(&self, records: &u64) -> bool {
        // A count of `u64::MAX` may be saturated.
        *records < u64::MAX
    }

    fn subtract(&self, from: &mut u64, part: &u64) -> bool {
        let rest = from.checked_sub(*part);
        *from = rest.unwrap_or(0);
        rest.is_some()
    }
}
