//! What a closure of the user's takes out of a record, with its types: how a constructor such as
//! [`sum`](super::sum()) remembers them.

use crate::key::Key;
use std::marker::PhantomData;

/// A closure that takes an owned value out of a record of type `R`.
pub struct ByValue<R: ?Sized, V, F> {
    extract: F,
    marker: PhantomData<fn(&R) -> V>,
}

/// A closure that points at a key inside a record of type `R`, so that a known key is never copied.
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

// By hand, because a derive would ask `R` and `V` to be `Clone` too.
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

/// Takes a value out of a record. Implemented by [`ByValue`]; a type of one's own that names its
/// parts can implement it too.
///
/// The same record must give the same value every time: a value is asked for once to be checked and
/// once to be added.
pub trait ValueOf<R: ?Sized> {
    /// The value's type.
    type Value;

    /// The value of a record.
    fn value(&self, record: &R) -> Self::Value;
}

impl<R: ?Sized, V, F: Fn(&R) -> V> ValueOf<R> for ByValue<R, V, F> {
    type Value = V;

    #[inline]
    fn value(&self, record: &R) -> V {
        (self.extract)(record)
    }
}

/// Shows the key of a record. Implemented by [`ByReference`] for keys that are inside the record,
/// and by [`ByValue`] for computed ones.
///
/// The same record must give the same key every time.
pub trait KeyOf<R: ?Sized> {
    /// The key's type, as it is looked up.
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
