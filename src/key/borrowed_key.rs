//! A key as it is looked up: borrowed from a record, or computed of it.

use super::{Key, with_joined};
use crate::hash::{Seed, hash_bytes};
use std::cmp::Ordering;
use std::hash::Hash;

mod sealed {
    pub trait Sealed {}
}

/// A key as a record gives it: a reference to a [`Key`] inside the record, a [`ComputedKey`], or a
/// pair or triple of these. It is copied into its owned form only where it is new. Sealed.
///
/// # Example
/// ```
/// use streamgauge::key::{BorrowedKey, ComputedKey};
/// let (country, status) = (String::from("DE"), 404u16);
/// let key = (country.as_str(), ComputedKey(status / 100)); // nothing is copied
/// let kept: (Box<str>, u16) = key.to_key();
/// assert!(key.is(&kept) && !("FR", ComputedKey(4u16)).is(&kept));
/// ```
pub trait BorrowedKey: sealed::Sealed + Hash {
    /// The owned form of the key, as tables store it.
    type Owned;

    /// Returns true if the stored key equals this one.
    fn is(&self, kept: &Self::Owned) -> bool;

    /// Compares with a stored key, in ascending order.
    fn compare(&self, kept: &Self::Owned) -> Ordering;

    /// Returns an owned copy of the key.
    fn to_key(&self) -> Self::Owned;

    /// Calls `f` with the key's bytes.
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T;

    /// Returns the stable hash of the key with a seed: that of the owned key.
    #[inline]
    fn stable_hash(&self, seed: Seed) -> u64 {
        self.with_bytes(|bytes| hash_bytes(seed, bytes))
    }
}

impl<K: Key + ?Sized> sealed::Sealed for &K {}

impl<K: Key + ?Sized> BorrowedKey for &K {
    type Owned = K::Owned;

    #[inline]
    fn is(&self, kept: &K::Owned) -> bool {
        K::is(self, kept)
    }

    #[inline]
    fn compare(&self, kept: &K::Owned) -> Ordering {
        K::cmp(self, std::borrow::Borrow::borrow(kept))
    }

    #[inline]
    fn to_key(&self) -> K::Owned {
        K::to_key(self)
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        K::with_bytes(self, f)
    }

    #[inline]
    fn stable_hash(&self, seed: Seed) -> u64 {
        K::stable_hash(self, seed)
    }
}

/// A key that is computed of a record, and not a reference into it.
///
/// # Example
/// ```
/// use streamgauge::Seed;
/// use streamgauge::key::{BorrowedKey, ComputedKey};
/// // The same key as the reference.
/// assert_eq!(ComputedKey(7u64).stable_hash(Seed::PUBLIC), (&7u64).stable_hash(Seed::PUBLIC));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ComputedKey<K>(pub K);

impl<K: Key> sealed::Sealed for ComputedKey<K> {}

impl<K: Key> BorrowedKey for ComputedKey<K> {
    type Owned = K::Owned;

    #[inline]
    fn is(&self, kept: &K::Owned) -> bool {
        self.0.is(kept)
    }

    #[inline]
    fn compare(&self, kept: &K::Owned) -> Ordering {
        self.0.cmp(std::borrow::Borrow::borrow(kept))
    }

    #[inline]
    fn to_key(&self) -> K::Owned {
        self.0.to_key()
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        self.0.with_bytes(f)
    }

    #[inline]
    fn stable_hash(&self, seed: Seed) -> u64 {
        self.0.stable_hash(seed)
    }
}

impl<A: BorrowedKey, B: BorrowedKey> sealed::Sealed for (A, B) {}

impl<A: BorrowedKey, B: BorrowedKey> BorrowedKey for (A, B) {
    type Owned = (A::Owned, B::Owned);

    #[inline]
    fn is(&self, kept: &Self::Owned) -> bool {
        self.0.is(&kept.0) && self.1.is(&kept.1)
    }

    fn compare(&self, kept: &Self::Owned) -> Ordering {
        self.0.compare(&kept.0).then_with(|| self.1.compare(&kept.1))
    }

    fn to_key(&self) -> Self::Owned {
        (self.0.to_key(), self.1.to_key())
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        self.0.with_bytes(|a| self.1.with_bytes(|b| with_joined(&[a, b], f)))
    }
}

impl<A: BorrowedKey, B: BorrowedKey, C: BorrowedKey> sealed::Sealed for (A, B, C) {}

impl<A: BorrowedKey, B: BorrowedKey, C: BorrowedKey> BorrowedKey for (A, B, C) {
    type Owned = (A::Owned, B::Owned, C::Owned);

    #[inline]
    fn is(&self, kept: &Self::Owned) -> bool {
        self.0.is(&kept.0) && self.1.is(&kept.1) && self.2.is(&kept.2)
    }

    fn compare(&self, kept: &Self::Owned) -> Ordering {
        let first = self.0.compare(&kept.0).then_with(|| self.1.compare(&kept.1));
        first.then_with(|| self.2.compare(&kept.2))
    }

    fn to_key(&self) -> Self::Owned {
        (self.0.to_key(), self.1.to_key(), self.2.to_key())
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        let (a, b, c) = self;
        a.with_bytes(|a| b.with_bytes(|b| c.with_bytes(|c| with_joined(&[a, b, c], f))))
    }
}

/// A borrowed key that is looked up in a table of owned keys.
#[derive(Hash)]
pub(crate) struct LookupKey<V>(pub(crate) V);

impl<V: BorrowedKey> hashbrown::Equivalent<V::Owned> for LookupKey<V> {
    #[inline]
    fn equivalent(&self, kept: &V::Owned) -> bool {
        self.0.is(kept)
    }
}
