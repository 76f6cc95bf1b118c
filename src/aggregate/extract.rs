//! A user's closure that extracts a value or a key from a record, together with its types.
//! Constructors such as [`sum`](super::sum()) store it.

use crate::key::{BorrowedKey, ComputedKey, Key};
use std::marker::PhantomData;

/// A closure that returns an owned value of a record of type `R`.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{ByValue, Sum, sum};
/// // The parts of the type: the record, its number, and the closure.
/// let doubled: Sum<ByValue<u32, u32, fn(&u32) -> u32>> = sum(|number: &u32| number * 2);
/// # use streamgauge::prelude::*;
/// let mut accumulator = doubled.init();
/// doubled.add(&mut accumulator, &21, Timestamp::from_millis(0));
/// assert_eq!(doubled.output(&accumulator), 42);
/// ```
pub struct ByValue<R: ?Sized, V, F> {
    extract: F,
    marker: PhantomData<fn(&R) -> V>,
}

/// A closure that returns a reference to a key inside a record of type `R`, so that a known key is
/// never copied.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// struct Hit { url: String }
/// // The key stays inside the record: no string is copied for a known key.
/// let by_url = group_by(|hit: &Hit| hit.url.as_str(), count());
/// let mut pipeline = Pipeline::builder().aggregate(by_url).build()?;
/// pipeline.push(&Hit { url: "/a".into() })?;
/// # Ok::<(), Error>(())
/// ```
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
///
/// # Example
/// ```
/// use streamgauge::aggregate::{ByValue, ValueOf};
/// use streamgauge::prelude::*;
/// /// What a histogram and a sum of the same field have in common.
/// fn value_of<R>(field: &impl ValueOf<R, Value = u64>, record: &R) -> u64 {
///     field.value(record)
/// }
/// struct Size;
/// impl ValueOf<String> for Size {
///     type Value = u64;
///     fn value(&self, record: &String) -> u64 {
///         record.len() as u64
///     }
/// }
/// assert_eq!(value_of(&Size, &"four".to_string()), 4);
/// ```
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
///
/// # Example
/// ```
/// use streamgauge::aggregate::KeyOf;
/// struct FirstWord;
/// impl KeyOf<str> for FirstWord {
///     type Key = str;
///     type Borrowed<'r> = &'r str;
///     fn key<'r>(&self, line: &'r str) -> &'r str {
///         line.split(' ').next().unwrap_or_default()
///     }
/// }
/// assert_eq!(FirstWord.key("ERROR disk full"), "ERROR");
/// assert_eq!(FirstWord.key(""), "");
/// ```
pub trait KeyOf<R: ?Sized> {
    /// The type of the key.
    type Key: Key + ?Sized + 'static;

    /// The key as the record gives it: for most keys a reference into the record.
    type Borrowed<'r>: BorrowedKey<Owned = <Self::Key as Key>::Owned>
    where
        R: 'r;

    /// Returns the record's key.
    fn key<'r>(&self, record: &'r R) -> Self::Borrowed<'r>;
}

impl<R: ?Sized, K: Key + ?Sized + 'static, F: for<'a> Fn(&'a R) -> &'a K> KeyOf<R>
    for ByReference<R, K, F>
{
    type Key = K;
    type Borrowed<'r>
        = &'r K
    where
        R: 'r;

    #[inline]
    fn key<'r>(&self, record: &'r R) -> &'r K {
        (self.extract)(record)
    }
}

impl<R: ?Sized, K: Key + 'static, F: Fn(&R) -> K> KeyOf<R> for ByValue<R, K, F> {
    type Key = K;
    type Borrowed<'r>
        = ComputedKey<K>
    where
        R: 'r;

    #[inline]
    fn key(&self, record: &R) -> ComputedKey<K> {
        ComputedKey((self.extract)(record))
    }
}
