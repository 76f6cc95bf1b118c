//! The types that can be a key of a group, a top-k, a distinct count or a frequency.

mod borrowed_key;
mod byte_key;

pub use borrowed_key::{BorrowedKey, ComputedKey};
pub use byte_key::ByteKey;

pub(crate) use borrowed_key::LookupKey;

use crate::hash::{Seed, hash_bytes, hash_u64};
use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;

/// A key: a value that is compared, ordered and hashed in the same way everywhere.
///
/// A key is looked up in borrowed form (`&str`) and copied into its owned form (`Box<str>`) only if
/// it is new, so a known key costs no allocation. Implemented for `str`, `[u8]`, integers, `bool`,
/// `char`, and pairs and triples of owned keys.
///
/// # Laws
/// - `Self::from_bytes(bytes of k) == Some(k.to_key())` for every key `k`: the bytes identify the
///   key.
/// - Equal keys have equal bytes and different keys have different bytes, on every platform and in
///   every version.
/// - `Owned` orders, compares and hashes as `Self` does ([`Borrow`]'s contract).
/// - The bytes of text, integers, `bool` and `char` have the same order as the keys. The bytes of
///   pairs and triples may have another order.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// // The same key in any width has the same hash, so sketches of `u32` and `u64` agree.
/// assert_eq!(7u32.stable_hash(Seed::PUBLIC), 7u64.stable_hash(Seed::PUBLIC));
/// // The bytes identify the key, and those of integers have their order.
/// let bytes = |key: &i16| key.with_bytes(<[u8]>::to_vec);
/// assert!(bytes(&-1) < bytes(&0) && bytes(&0) < bytes(&256));
/// assert_eq!(i16::from_bytes(&bytes(&-1)), Some(-1));
/// assert_eq!(i16::from_bytes(&[1, 2, 3]), None);
/// ```
pub trait Key: Eq + Ord + Hash {
    /// The name of the kind of key, which never changes. It is part of a pipeline's description.
    /// Default: `"key"`.
    const NAME: &'static str = "key";

    /// True if the order of keys is the order of their [bytes](Key::with_bytes). Many keys are
    /// sorted faster then. Default: false.
    const HAS_ORDER_OF_BYTES: bool = false;

    /// The owned form of the key, as tables store it.
    type Owned: Borrow<Self> + Clone + Eq + Ord + Hash + Debug + Send + Sync + 'static;

    /// Returns an owned copy of the key.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Key;
    /// let line = String::from("GET /index.html");
    /// let owned: Box<str> = line[4..].to_key(); // outlives the line
    /// assert_eq!(&*owned, "/index.html");
    /// ```
    fn to_key(&self) -> Self::Owned;

    /// Calls `f` with the key's bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Key;
    /// // Different keys have different bytes: of a pair, too.
    /// let bytes = |pair: &(String, String)| pair.with_bytes(<[u8]>::to_vec);
    /// assert_ne!(bytes(&("a".into(), "bc".into())), bytes(&("ab".into(), "c".into())));
    /// ```
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T;

    /// Returns the key with these bytes, or `None` if no key has these bytes.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Key;
    /// assert_eq!(<str as Key>::from_bytes(b"/a").as_deref(), Some("/a"));
    /// assert_eq!(<str as Key>::from_bytes(b"\xff"), None); // not UTF-8
    /// assert_eq!(bool::from_bytes(&[2]), None);
    /// ```
    fn from_bytes(bytes: &[u8]) -> Option<Self::Owned>;

    /// Returns the stable hash of the key with a seed.
    ///
    /// # Example
    /// ```
    /// use streamgauge::{Key, Seed};
    /// // A borrowed key and its owned form have the same hash, in every process.
    /// assert_eq!("/a".stable_hash(Seed::PUBLIC), String::from("/a").stable_hash(Seed::PUBLIC));
    /// ```
    #[inline]
    fn stable_hash(&self, seed: Seed) -> u64 {
        self.with_bytes(|bytes| hash_bytes(seed, bytes))
    }

    /// Returns true if the stored key equals this one: as `==`, but may be cheaper.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Key;
    /// let kept: Box<str> = "/a".to_key();
    /// assert!("/a".is(&kept) && !"/b".is(&kept));
    /// ```
    #[inline]
    fn is(&self, kept: &Self::Owned) -> bool {
        self == kept.borrow()
    }

    /// Returns the heap bytes of the owned key.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Key;
    /// assert_eq!(<str as Key>::heap_bytes(&"/index.html".to_key()), 11);
    /// assert_eq!(u64::heap_bytes(&7), 0); // stored in the table itself
    /// ```
    fn heap_bytes(key: &Self::Owned) -> usize;
}

impl Key for str {
    const NAME: &'static str = "text";
    const HAS_ORDER_OF_BYTES: bool = true;

    type Owned = Box<str>;

    fn to_key(&self) -> Box<str> {
        self.into()
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(self.as_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Box<str>> {
        std::str::from_utf8(bytes).ok().map(Into::into)
    }

    fn heap_bytes(key: &Box<str>) -> usize {
        key.len()
    }
}

impl Key for [u8] {
    const NAME: &'static str = "bytes";
    const HAS_ORDER_OF_BYTES: bool = true;

    type Owned = ByteKey;

    fn to_key(&self) -> ByteKey {
        self.into()
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(self)
    }

    fn from_bytes(bytes: &[u8]) -> Option<ByteKey> {
        Some(bytes.into())
    }

    #[inline]
    fn is(&self, kept: &ByteKey) -> bool {
        kept.is(self)
    }

    fn heap_bytes(key: &ByteKey) -> usize {
        key.heap_bytes()
    }
}

macro_rules! owned_keys {
    ($($(#[$doc:meta])* $owned:ty, $name:literal, $from:expr, $heap_bytes:expr;)*) => {$(
        $(#[$doc])*
        impl Key for $owned {
            const NAME: &'static str = $name;
            const HAS_ORDER_OF_BYTES: bool = true;

            type Owned = $owned;

            fn to_key(&self) -> $owned {
                self.clone()
            }

            #[inline]
            fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
                f(AsRef::<[u8]>::as_ref(&**self))
            }

            fn from_bytes(bytes: &[u8]) -> Option<$owned> {
                let from: fn(&[u8]) -> Option<$owned> = $from;
                from(bytes)
            }

            fn heap_bytes(key: &$owned) -> usize {
                let heap_bytes: fn(&$owned) -> usize = $heap_bytes;
                heap_bytes(key)
            }
        }
    )*};
}
owned_keys! {
    /// An owned `str`, for keys that are computed.
    String, "text", |bytes| std::str::from_utf8(bytes).ok().map(Into::into), String::capacity;
    /// The owned form of `str`, as it stands in a pair or triple.
    Box<str>, "text", |bytes| std::str::from_utf8(bytes).ok().map(Into::into), |key| key.len();
    /// The owned form of `[u8]`, as it stands in a pair or triple.
    ByteKey, "bytes", |bytes| Some(bytes.into()), ByteKey::heap_bytes;
}

macro_rules! integer_keys {
    ($($integer:ty => $wide:ty),*) => {$(
        impl Key for $integer {
            const NAME: &'static str = stringify!($integer);
            const HAS_ORDER_OF_BYTES: bool = true;

            type Owned = $integer;

            #[inline]
            fn to_key(&self) -> $integer {
                *self
            }

            #[inline]
            fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
                // Big-endian with the sign bit flipped: the bytes have the order of the integers,
                // and neighbouring integers share a prefix.
                f(&(*self ^ <$integer>::MIN).to_be_bytes())
            }

            fn from_bytes(bytes: &[u8]) -> Option<$integer> {
                bytes.try_into().ok().map(|bytes| <$integer>::from_be_bytes(bytes) ^ <$integer>::MIN)
            }

            #[inline]
            fn stable_hash(&self, seed: Seed) -> u64 {
                // Sign extension makes the hash independent of the width of the type.
                hash_u64(seed, *self as $wide as u64)
            }

            fn heap_bytes(_: &$integer) -> usize {
                0
            }
        }
    )*};
}
integer_keys!(u8 => u64, u16 => u64, u32 => u64, u64 => u64, i8 => i64, i16 => i64, i32 => i64, i64 => i64);

impl Key for bool {
    const NAME: &'static str = "bool";
    const HAS_ORDER_OF_BYTES: bool = true;

    type Owned = bool;

    fn to_key(&self) -> bool {
        *self
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(&[u8::from(*self)])
    }

    fn from_bytes(bytes: &[u8]) -> Option<bool> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn heap_bytes(_: &bool) -> usize {
        0
    }
}

impl Key for char {
    const NAME: &'static str = "char";
    const HAS_ORDER_OF_BYTES: bool = true;

    type Owned = char;

    fn to_key(&self) -> char {
        *self
    }

    #[inline]
    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(&u32::from(*self).to_be_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Option<char> {
        bytes.try_into().ok().map(u32::from_be_bytes).and_then(char::from_u32)
    }

    fn heap_bytes(_: &char) -> usize {
        0
    }
}

/// Calls `f` with the bytes of all parts. Each part but the last follows its length (4 bytes,
/// little-endian).
fn with_joined<T>(parts: &[&[u8]], f: impl FnOnce(&[u8]) -> T) -> T {
    let mut joined = smallvec::SmallVec::<[u8; 128]>::new();
    for (index, part) in parts.iter().enumerate() {
        if index + 1 < parts.len() {
            // The length of a part of 4 GiB or more does not fit. The limits of the crate let no
            // such part through.
            joined.extend_from_slice(&(part.len() as u32).to_le_bytes());
        }
        joined.extend_from_slice(part);
    }
    f(&joined)
}

/// Splits joined bytes into the first part and the rest.
fn split_joined(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

impl<A, B> Key for (A, B)
where
    A: Key<Owned = A> + Clone + Debug + Send + Sync + 'static,
    B: Key<Owned = B> + Clone + Debug + Send + Sync + 'static,
{
    const NAME: &'static str = "pair";

    type Owned = (A, B);

    fn to_key(&self) -> (A, B) {
        self.clone()
    }

    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        self.0.with_bytes(|a| self.1.with_bytes(|b| with_joined(&[a, b], f)))
    }

    fn from_bytes(bytes: &[u8]) -> Option<(A, B)> {
        let (a, b) = split_joined(bytes)?;
        Some((A::from_bytes(a)?, B::from_bytes(b)?))
    }

    fn heap_bytes(key: &(A, B)) -> usize {
        A::heap_bytes(&key.0) + B::heap_bytes(&key.1)
    }
}

impl<A, B, C> Key for (A, B, C)
where
    A: Key<Owned = A> + Clone + Debug + Send + Sync + 'static,
    B: Key<Owned = B> + Clone + Debug + Send + Sync + 'static,
    C: Key<Owned = C> + Clone + Debug + Send + Sync + 'static,
{
    const NAME: &'static str = "triple";

    type Owned = (A, B, C);

    fn to_key(&self) -> (A, B, C) {
        self.clone()
    }

    fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        self.0.with_bytes(|a| {
            self.1.with_bytes(|b| self.2.with_bytes(|c| with_joined(&[a, b, c], f)))
        })
    }

    fn from_bytes(bytes: &[u8]) -> Option<(A, B, C)> {
        let (a, rest) = split_joined(bytes)?;
        let (b, c) = split_joined(rest)?;
        Some((A::from_bytes(a)?, B::from_bytes(b)?, C::from_bytes(c)?))
    }

    fn heap_bytes(key: &(A, B, C)) -> usize {
        A::heap_bytes(&key.0) + B::heap_bytes(&key.1) + C::heap_bytes(&key.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip<K: Key + ?Sized>(key: &K) {
        let back = key.with_bytes(K::from_bytes).expect("a key's own bytes name it");
        assert!(back.borrow() == key);
    }

    #[test]
    fn bytes_name_the_key() {
        round_trip("");
        round_trip("/a");
        round_trip(&b"\xff\x00"[..]);
        round_trip(&-3i64);
        round_trip(&'ß');
        round_trip(&(String::from("DE"), 404u16));
        round_trip(&(Box::<str>::from("DE"), ByteKey::from(&b"\xff"[..])));
        round_trip(&(String::from("a"), String::new(), true));
    }

    proptest! {
        #[test]
        fn keys_with_the_order_of_bytes_have_it(
            texts: (String, String),
            bytes: (Vec<u8>, Vec<u8>),
            integers: (i16, i16),
            others: (u64, u64),
            chars: (char, char),
            bools: (bool, bool),
        ) {
            fn agree<K: Key + ?Sized>(a: &K, b: &K) -> bool {
                let bytes = |key: &K| key.with_bytes(<[u8]>::to_vec);
                K::HAS_ORDER_OF_BYTES && bytes(a).cmp(&bytes(b)) == a.cmp(b)
            }
            prop_assert!(agree(texts.0.as_str(), texts.1.as_str()) && agree(&texts.0, &texts.1));
            prop_assert!(agree(&bytes.0[..], &bytes.1[..]));
            prop_assert!(agree(&ByteKey::from(&bytes.0[..]), &ByteKey::from(&bytes.1[..])));
            prop_assert!(agree(&integers.0, &integers.1) && agree(&others.0, &others.1));
            prop_assert!(agree(&chars.0, &chars.1) && agree(&bools.0, &bools.1));
        }
    }

    #[test]
    fn bytes_of_integers_order_as_the_integers() {
        let bytes = |key: i32| key.with_bytes(<[u8]>::to_vec);
        let ascending = [i32::MIN, -256, -1, 0, 1, 255, 256, i32::MAX];
        assert!(ascending.windows(2).all(|pair| bytes(pair[0]) < bytes(pair[1])));
        assert!(255u16.with_bytes(<[u8]>::to_vec) < 256u16.with_bytes(<[u8]>::to_vec));
    }

    #[test]
    fn joined_parts_do_not_run_together() {
        let left = (String::from("ab"), String::from("c"));
        let right = (String::from("a"), String::from("bc"));
        assert_ne!(left.with_bytes(<[u8]>::to_vec), right.with_bytes(<[u8]>::to_vec));
    }

    #[test]
    fn the_hash_of_an_integer_does_not_depend_on_its_width() {
        let seed = Seed::PUBLIC;
        assert_eq!(5u8.stable_hash(seed), 5u64.stable_hash(seed));
        assert_eq!((-5i8).stable_hash(seed), (-5i64).stable_hash(seed));
    }
}
