//! An aggregate of only those records that pass a test, or that have a part.

use super::{Aggregate, Hints, Invertible, Persistence, Reductions, description, seed_fingerprint};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::time::Timestamp;
use std::marker::PhantomData;

/// An aggregate of the records that pass a test, or of a part that not all records have. Created by
/// [`filtered`] and [`if_present`].
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
    part: P,
    inner: A,
}

/// What of a record an aggregate is computed of, where there is any. Nothing outside of the crate
/// can implement it.
pub trait PartOf<R: ?Sized> {
    /// The type of the part.
    type Part: ?Sized;

    /// The word that stands before the inner aggregate in a pipeline's description.
    const WORD: &'static str;

    /// Returns the part, or `None` if the record has none.
    fn part<'a>(&self, record: &'a R) -> Option<&'a Self::Part>;
}

/// The whole record, if it passes the test.
impl<R: ?Sized, P: Fn(&R) -> bool> PartOf<R> for P {
    type Part = R;

    const WORD: &'static str = "filtered";

    #[inline]
    fn part<'a>(&self, record: &'a R) -> Option<&'a R> {
        self(record).then_some(record)
    }
}

/// A closure that returns a part of a record, which may be missing.
pub struct Present<R: ?Sized, T: ?Sized, F> {
    extract: F,
    marker: PhantomData<fn(&R) -> *const T>,
}

// Not derived, because a derive would require `Clone` of `R` and `T`.
impl<R: ?Sized, T: ?Sized, F: Clone> Clone for Present<R, T, F> {
    fn clone(&self) -> Self {
        Present { extract: self.extract.clone(), marker: PhantomData }
    }
}

impl<R: ?Sized, T: ?Sized, F: Copy> Copy for Present<R, T, F> {}

impl<R: ?Sized, T: ?Sized, F: for<'a> Fn(&'a R) -> Option<&'a T>> PartOf<R> for Present<R, T, F> {
    type Part = T;

    const WORD: &'static str = "present";

    #[inline]
    fn part<'a>(&self, record: &'a R) -> Option<&'a T> {
        (self.extract)(record)
    }
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
    Filtered { part: predicate, inner }
}

/// Computes `inner` of a part of the record, as if each part were a record. A record without the
/// part is skipped: so a missing key is no key of a [`distinct`](super::distinct()), a
/// [`top_k`](super::top_k()) or a [`group_by`](super::group_by()). Numbers need no such help: the
/// aggregates of a number take an `Option` and skip what is missing.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// struct Hit { user: Option<String>, bytes: u64 }
/// let users = if_present(|hit: &Hit| hit.user.as_deref(), distinct(|user: &str| user));
/// let mut pipeline = Pipeline::builder().aggregate((sum(|hit: &Hit| hit.bytes), users)).build()?;
/// let hits = [Some("ann"), None, Some("ann")].map(|user| Hit { user: user.map(str::to_string), bytes: 1 });
/// let (bytes, users) = pipeline.over(hits).next().expect("the input has ended").value;
/// assert_eq!((bytes, users.value), (3, 1));
/// # Ok::<(), Error>(())
/// ```
pub fn if_present<R, T, F, A>(part: F, inner: A) -> Filtered<Present<R, T, F>, A>
where
    R: ?Sized,
    T: ?Sized,
    F: for<'a> Fn(&'a R) -> Option<&'a T>,
    A: Aggregate<T>,
{
    Filtered { part: Present { extract: part, marker: PhantomData }, inner }
}

impl<R: ?Sized, P: PartOf<R>, A: Aggregate<P::Part>> Aggregate<R> for Filtered<P, A> {
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
        match self.part.part(record) {
            Some(part) => self.inner.check(accumulator, part),
            None => Ok(()),
        }
    }

    #[inline]
    fn add(&self, accumulator: &mut A::Accumulator, record: &R, time: Timestamp) {
        if let Some(part) = self.part.part(record) {
            self.inner.add(accumulator, part, time);
        }
    }

    #[inline]
    fn try_add(
        &self,
        accumulator: &mut A::Accumulator,
        record: &R,
        time: Timestamp,
    ) -> Result<(), Error> {
        match self.part.part(record) {
            Some(part) => self.inner.try_add(accumulator, part, time),
            None => Ok(()),
        }
    }

    fn merge(&self, into: &mut A::Accumulator, from: &A::Accumulator) -> Result<(), Error> {
        self.inner.merge(into, from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, A::Accumulator>> {
        self.inner.inverse().map(|_| self as _)
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

impl<R: ?Sized, P: PartOf<R>, A: Aggregate<P::Part>> Invertible<R, A::Accumulator>
    for Filtered<P, A>
{
    fn prepare(&self, accumulator: &mut A::Accumulator) {
        self.inner.inverse().into_iter().for_each(|inverse| inverse.prepare(accumulator));
    }

    fn is_exact(&self, accumulator: &A::Accumulator) -> bool {
        self.inner.inverse().is_some_and(|inverse| inverse.is_exact(accumulator))
    }

    fn subtract(&self, from: &mut A::Accumulator, part: &A::Accumulator) -> bool {
        self.inner.inverse().is_some_and(|inverse| inverse.subtract(from, part))
    }
}

impl<R: ?Sized, P: PartOf<R>, A: Aggregate<P::Part>> Persistence<R, A::Accumulator>
    for Filtered<P, A>
{
    fn describe(&self) -> String {
        format!("{} {}", P::WORD, description::<P::Part, A>(&self.inner))
    }

    fn seed_fingerprint(&self) -> u64 {
        seed_fingerprint::<P::Part, A>(&self.inner)
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
