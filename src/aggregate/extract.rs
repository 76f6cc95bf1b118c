//! A user's closure that extracts a value or a key from a record, together with its types.
//! Constructors such as [`sum`](super::sum()) store it.

use crate::key::Key;
use std::marker::PhantomData;

/// A closure that returns an owned value of a record of type `R`.
pub struct ByValue<R: ?Sized, V, F> {
    extract: F,
    marker: PhantomData<fn(&R) -> V>,
}

/// A closure that returns a reference to a key inside a record of type `R`, so that a known key is
/// never copied.
pub struct ByReference<R: ?Sized, K: ?Sized, F> {
    extract: F,
    marker: PhantomData<fn(&R) -> *const K>,
}

impl<R: ?Sized, V, F: Fn(&R) -> V> ByValue<R, V, F> {
    pub(super) fn new(extract: F) -> Self {
        ByValue { extract, marker: PhantomData }
    }
}

impl<R: ?Sized, K: ?Sized, F: for<'a> Fn(&'a R) -> &'a K> ByReference<R, K, F> {
    pub(super) fn new(extract: F) -> Self {
        ByReference { extract, marker: PhantomData }
    }
}

// Not derived, because a derive would require `Clone` of `R` and `V`.
impl<R: ?Sized, V, F: Clone> Clone for ByValue<R, V, F> {
    fn clone(&self) -> Self {
        ByValue { extract: self.extract.clone(), marker: PhantomData }
    }
}

impl<R: ?Sized, V, F: Copy> Copy for ByValue<R, V, F> {}

impl<R: ?Sized, K: ?Sized, F: Clone> Clone for ByReference<R, K, F> {
    fn clone(&self) -> Self {
        ByReference { extract: self.extract.clone(), marker: PhantomData }
    }
}

impl<R: ?Sized, K: ?Sized, F: Copy> Copy for ByReference<R, K, F> {}

/// Extracts a value from a record. [`ByValue`] implements it; a type with names of its own can
/// implement it too.
///
/// The same record must give the same value every time, because the value is read once for the
/// check and once for the addition.
pub trait ValueOf<R: ?Sized> {
    /// The value's type.
    type Value;

    /// Returns the value of a record.
    fn value(&self, record: &R) -> Self::Value;
}

impl<R: ?Sized, V, F: Fn(&R) -> V> ValueOf<R> for ByValue<R, V, F> {
    type Value = V;

    #[inline]
    fn value(&self, record: &R) -> V {
        (self.extract)(record)
    }
}

/// Extracts the key of a record. [`ByReference`] implements it for keys inside the record, and
/// [`ByValue`] for computed keys.
///
/// The same record must give the same key every time.
pub trait KeyOf<R: ?Sized> {
    /// The borrowed type of the key, as it is looked up.
    type Key: Key + ?Sized + 'static;

    /// Calls `f` with the record's key.
    fn with_key<T>(&self, record: &R, f: impl FnOnce(&Self::Key) -> T) -> T;
}

impl<R: ?Sized, K: Key + ?Sized + 'static, F: for<'a> Fn(&'a R) -> &'a K> KeyOf<R>
    for ByReference<R, K, F>
{
    type Key = K;

    #[inline]
    fn with_key<T>(&self, record: &R, f: impl FnOnce(&K) -> T) -> T {
        f((self.extract)(record))
    }
}

impl<R: ?Sized, K: Key + 'static, F: Fn(&R) -> K> KeyOf<R> for ByValue<R, K, F> {
    type Key = K;

    #[inline]
    fn with_key<T>(&self, record: &R, f: impl FnOnce(&K) -> T) -> T {
        f(&(self.extract)(record))
    }
}
