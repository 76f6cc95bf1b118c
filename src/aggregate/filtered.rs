//! An aggregate of only those records that pass a test.

use super::{Aggregate, Hints, Invertible, Persistence, Reductions, description, seed_fingerprint};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::time::Timestamp;

/// An aggregate of the records that pass a test. Created by [`filtered`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// // Part of one pass over the records, unlike `Builder::filter`, which drops them for all.
/// let share = (count(), filtered(|status: &u16| *status >= 500, count()));
/// let mut pipeline = Pipeline::builder().aggregate(share).build()?;
/// let found = pipeline.over([200, 503, 404]).next().map(|emission| emission.value);
/// assert_eq!(found, Some((3, 1)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Filtered<P, A> {
    predicate: P,
    inner: A,
}

/// Computes `inner` of only those records for which `predicate` returns true. `inner` does not even
/// check the other records, so a filter can keep NaN from it.
///
/// The predicate is called once per record. Inside a tuple, and if a record opens a pane or a
/// group, it is called twice: before the check and before the addition.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, filtered, sum};
/// use streamgauge::Timestamp;
/// let known = filtered(|x: &f64| !x.is_nan(), sum(|x: &f64| *x));
/// let mut accumulator = known.init();
/// for x in [1.5, f64::NAN] {
///     known.try_add(&mut accumulator, &x, Timestamp::from_millis(0))?;
/// }
/// assert_eq!(known.output(&accumulator), 1.5);
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub fn filtered<R: ?Sized, P: Fn(&R) -> bool, A: Aggregate<R>>(
    predicate: P,
    inner: A,
) -> Filtered<P, A> {
    Filtered { predicate, inner }
}

impl<R: ?Sized, P: Fn(&R) -> bool, A: Aggregate<R>> Aggregate<R> for Filtered<P, A> {
    type Accumulator = A::Accumulator;
    type Output = A::Output;

    fn validate(&self) -> Result<(), Error> {
        self.inner.validate()
    }

    fn init(&self) -> A::Accumulator {
        self.inner.init()
    }

    #[inline]
    fn check(&self, accumulator: Option<&A::Accumulator>, record: &R) -> Result<(), Error> {
        if (self.predicate)(record) { self.inner.check(accumulator, record) } else { Ok(()) }
    }

    #[inline]
    fn add(&self, accumulator: &mut A::Accumulator, record: &R, time: Timestamp) {
        if (self.predicate)(record) {
            self.inner.add(accumulator, record, time);
        }
    }

    #[inline]
    fn try_add(
        &self,
        accumulator: &mut A::Accumulator,
        record: &R,
        time: Timestamp,
    ) -> Result<(), Error> {
        if (self.predicate)(record) {
            self.inner.try_add(accumulator, record, time)
        } else {
            Ok(())
        }
    }

    fn merge(&self, into: &mut A::Accumulator, from: &A::Accumulator) -> Result<(), Error> {
        self.inner.merge(into, from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, A::Accumulator>> {
        self.inner.inverse()
    }

    fn output(&self, accumulator: &A::Accumulator) -> A::Output {
        self.inner.output(accumulator)
    }

    #[inline]
    fn state_bytes(&self, accumulator: &A::Accumulator) -> usize {
        self.inner.state_bytes(accumulator)
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        self.inner.persistence()?;
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        self.inner.hints()
    }
}

impl<R: ?Sized, P: Fn(&R) -> bool, A: Aggregate<R>> Persistence<R, A::Accumulator>
    for Filtered<P, A>
{
    fn describe(&self) -> String {
        format!("filtered {}", description::<R, A>(&self.inner))
    }

    fn seed_fingerprint(&self) -> u64 {
        seed_fingerprint::<R, A>(&self.inner)
    }

    fn encode(&self, accumulator: &A::Accumulator, writer: &mut Writer) -> Result<(), Error> {
        self.inner.persistence()?.encode(accumulator, writer)
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<A::Accumulator, Error> {
        self.inner.persistence()?.decode(reader)
    }

    fn reduce(
        &self,
        accumulator: &mut A::Accumulator,
        tolerance: f64,
        reductions: &mut Reductions,
    ) {
        if let Ok(persistence) = self.inner.persistence() {
            persistence.reduce(accumulator, tolerance, reductions);
        }
    }
}
