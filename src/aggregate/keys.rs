//! A key of several parts, each extracted by a closure of its own.

use super::extract::{ByReference, ByValue, KeyOf};
use crate::key::Key;

/// The keys of several extractors as one key, a pair or a triple. Made by
/// [`and_by`](super::GroupBy::and_by) and its like.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// struct Hit { country: String, status: u16 }
/// let pairs = distinct(|hit: &Hit| hit.country.as_str()).and_by(|hit: &Hit| &hit.status);
/// let mut pipeline = Pipeline::builder().aggregate(pairs).build()?;
/// let hits = [200, 404, 200].map(|status| Hit { country: "DE".into(), status });
/// let found = pipeline.over(hits).next().map(|emission| emission.value.value);
/// assert_eq!(found, Some(2)); // (DE, 200) and (DE, 404)
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Keys<T>(T);

/// An extractor of keys to which another can be joined. Nothing outside of the crate can implement
/// it.
pub trait Joinable: Sized {
    /// The type of both together.
    type Joined<E>;

    /// Joins another extractor.
    fn join<E>(self, other: E) -> Self::Joined<E>;
}

/// Makes the methods that add a key to those of an aggregate with the given other fields.
macro_rules! joined_keys {
    ($(#[$doc:meta])* $aggregate:ident<E $(, $inner:ident)?> { $($field:ident),* }) => {
        impl<E: super::keys::Joinable $(, $inner)?> $aggregate<E $(, $inner)?> {
            $(#[$doc])*
            #[must_use]
            pub fn and_by<R, K, F>(
                self,
                key: F,
            ) -> $aggregate<E::Joined<ByReference<R, K, F>> $(, $inner)?>
            where
                R: ?Sized,
                K: Key + ?Sized + 'static,
                F: for<'a> Fn(&'a R) -> &'a K,
            {
                $aggregate { key: self.key.join(ByReference::new(key)), $($field: self.$field),* }
            }

            /// Adds a computed key. Otherwise as [`and_by`](Self::and_by).
            ///
            /// # Example
            /// ```
            /// use streamgauge::prelude::*;
            /// struct Hit { country: String, status: u16 }
            /// let classes = group_by(|hit: &Hit| hit.country.as_str(), count());
            /// let classes = classes.and_by_value(|hit: &Hit| hit.status / 100);
            /// let mut pipeline = Pipeline::builder().aggregate(classes).build()?;
            /// let hits = [200, 503, 204].map(|status| Hit { country: "DE".into(), status });
            /// let groups = pipeline.over(hits).next().expect("the input has ended").value;
            /// assert_eq!(groups.rows, [(("DE".into(), 2), 2), (("DE".into(), 5), 1)]);
            /// # Ok::<(), Error>(())
            /// ```
            #[must_use]
            pub fn and_by_value<R, K, F>(
                self,
                key: F,
            ) -> $aggregate<E::Joined<ByValue<R, K, F>> $(, $inner)?>
            where
                R: ?Sized,
                K: Key<Owned = K> + 'static,
                F: Fn(&R) -> K,
            {
                $aggregate { key: self.key.join(ByValue::new(key)), $($field: self.$field),* }
            }
        }
    };
}
pub(super) use joined_keys;

impl<R: ?Sized, K: ?Sized, F> Joinable for ByReference<R, K, F> {
    type Joined<E> = Keys<(Self, E)>;

    fn join<E>(self, other: E) -> Keys<(Self, E)> {
        Keys((self, other))
    }
}

impl<R: ?Sized, K, F> Joinable for ByValue<R, K, F> {
    type Joined<E> = Keys<(Self, E)>;

    fn join<E>(self, other: E) -> Keys<(Self, E)> {
        Keys((self, other))
    }
}

impl<A, B> Joinable for Keys<(A, B)> {
    type Joined<E> = Keys<(A, B, E)>;

    fn join<E>(self, other: E) -> Keys<(A, B, E)> {
        let Keys((a, b)) = self;
        Keys((a, b, other))
    }
}

/// The owned form of the keys of an extractor.
type OwnedOf<E, R> = <<E as KeyOf<R>>::Key as Key>::Owned;

impl<R: ?Sized, A: KeyOf<R>, B: KeyOf<R>> KeyOf<R> for Keys<(A, B)>
where
    (OwnedOf<A, R>, OwnedOf<B, R>): Key<Owned = (OwnedOf<A, R>, OwnedOf<B, R>)>,
{
    type Key = (OwnedOf<A, R>, OwnedOf<B, R>);
    type Borrowed<'r>
        = (A::Borrowed<'r>, B::Borrowed<'r>)
    where
        R: 'r;

    #[inline]
    fn key<'r>(&self, record: &'r R) -> Self::Borrowed<'r> {
        let Keys((a, b)) = self;
        (a.key(record), b.key(record))
    }
}

impl<R: ?Sized, A: KeyOf<R>, B: KeyOf<R>, C: KeyOf<R>> KeyOf<R> for Keys<(A, B, C)>
where
    (OwnedOf<A, R>, OwnedOf<B, R>, OwnedOf<C, R>):
        Key<Owned = (OwnedOf<A, R>, OwnedOf<B, R>, OwnedOf<C, R>)>,
{
    type Key = (OwnedOf<A, R>, OwnedOf<B, R>, OwnedOf<C, R>);
    type Borrowed<'r>
        = (A::Borrowed<'r>, B::Borrowed<'r>, C::Borrowed<'r>)
    where
        R: 'r;

    #[inline]
    fn key<'r>(&self, record: &'r R) -> Self::Borrowed<'r> {
        let Keys((a, b, c)) = self;
        (a.key(record), b.key(record), c.key(record))
    }
}
