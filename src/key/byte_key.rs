//! A key of bytes that is stored inline if it is short.

use crate::hash::short_words;
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

/// Bytes that are stored inline. Most URLs, user agent families and identifiers fit. A row of a
/// top-k, with its count, is then 48 bytes.
const IN_PLACE: usize = 32;

/// An owned key of bytes. It reads, compares, orders and hashes like a slice.
///
/// Up to 32 bytes are stored inline, in the memory of the table: a lookup has one cache miss less
/// than for a key on the heap, and inserting or dropping the key does not call the allocator.
///
/// # Example
/// ```
/// use streamgauge::key::ByteKey;
/// let key = ByteKey::from(b"/index.html".as_slice());
/// assert!(key.starts_with(b"/index"));
/// assert!(ByteKey::from(b"a".as_slice()) < ByteKey::from(b"b".as_slice()));
/// ```
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteKey(SmallVec<[u8; IN_PLACE]>);

impl ByteKey {
    /// Returns true if the key has these bytes. As `==`, but inline keys need no call.
    #[inline]
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        let own: &[u8] = &self.0;
        if own.len() != bytes.len() {
            return false;
        }
        match (short_words(own), short_words(bytes)) {
            (Some(own), Some(bytes)) => own == bytes,
            _ if own.len() <= IN_PLACE => {
                own.first_chunk::<16>() == bytes.first_chunk::<16>()
                    && own.last_chunk::<16>() == bytes.last_chunk::<16>()
            }
            _ => own == bytes,
        }
    }

    /// Returns the heap bytes. They depend only on the length, so a copy has the same.
    pub(crate) fn heap_bytes(&self) -> usize {
        if self.0.len() > IN_PLACE { self.0.len() } else { 0 }
    }
}

/// Returns 16 to 32 bytes padded with zeros, or `None` for other lengths. Copies two halves that
/// overlap, so there is no loop and no call.
#[inline]
fn in_place(bytes: &[u8]) -> Option<[u8; IN_PLACE]> {
    const HALF: usize = IN_PLACE / 2;
    let (first, last) = (bytes.first_chunk::<HALF>()?, bytes.last_chunk::<HALF>()?);
    let mut all = [0; IN_PLACE];
    *all.first_chunk_mut()? = *first;
    *all.get_mut(bytes.len() - HALF..)?.first_chunk_mut()? = *last;
    Some(all)
}

impl From<&[u8]> for ByteKey {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        ByteKey(match in_place(bytes) {
            Some(all) => SmallVec::from_buf_and_len(all, bytes.len()),
            None => SmallVec::from_slice(bytes),
        })
    }
}

/// Clones through the slice, because the vector's own `clone` copies byte by byte.
impl Clone for ByteKey {
    #[inline]
    fn clone(&self) -> Self {
        ByteKey::from(&*self.0)
    }
}

impl Borrow<[u8]> for ByteKey {
    #[inline]
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for ByteKey {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ByteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ByteKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.deref().serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ByteKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| ByteKey::from(bytes.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Map;

    #[test]
    fn a_short_key_is_in_place_and_any_is_found_as_a_slice() {
        assert_eq!(size_of::<ByteKey>(), 40);
        let keys: Vec<Vec<u8>> = [0, 1, 31, 32, 33, 500].map(|length| vec![7; length]).into();
        let map: Map<ByteKey, usize> =
            keys.iter().map(|key| (ByteKey::from(key.as_slice()), key.len())).collect();
        for key in &keys {
            let kept = ByteKey::from(key.as_slice());
            assert_eq!((map.get(key.as_slice()), &*kept), (Some(&key.len()), key.as_slice()));
            assert_eq!(kept.heap_bytes() > 0, key.len() > 32, "{} bytes", key.len());
            assert_eq!((&kept.clone(), kept.clone().heap_bytes()), (&kept, kept.heap_bytes()));
            assert_eq!(format!("{kept:?}"), format!("{key:?}"));
        }
        assert!(ByteKey::from(b"a".as_slice()) < ByteKey::from(b"ab".as_slice()));
    }

    #[test]
    fn a_key_is_its_bytes_and_no_others() {
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).collect();
            let key = ByteKey::from(bytes.as_slice());
            assert!(key.is(&bytes));
            assert!(
                !key.is(&[bytes.as_slice(), b"\0"].concat())
                    && bytes.split_last().is_none_or(|(_, shorter)| !key.is(shorter))
            );
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] ^= 0x40;
                assert!(!key.is(&other), "{length} bytes, another at {at}");
            }
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_writes_and_reads_it_as_bytes() {
        let key = ByteKey::from(b"ab".as_slice());
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(
            (text.as_str(), serde_json::from_str::<ByteKey>(&text).unwrap()),
            ("[97,98]", key)
        );
    }
}
