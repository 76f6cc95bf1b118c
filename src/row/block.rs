//! The bytes that rows point into.

use bytes::Bytes;
use std::sync::Arc;

/// Bytes of many records, shared by the rows that point into them.
///
/// Whether a block is text as a whole is found out once. `Arc<String>` rather than `Arc<str>`: a
/// buffer becomes one, and is got back from it, without being copied.
#[derive(Clone, Debug)]
pub struct Block(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Text, which gives out its values without looking at their bytes again.
    Text(Arc<String>),
    /// Text that was checked some four times as fast. A value is checked again where it is wanted
    /// as text, which keys, integers and times in digits are not.
    Checked(Arc<Vec<u8>>),
    /// Bytes that were not looked at, or are not text: each value is checked whenever it is asked
    /// for.
    Bytes(Bytes),
}

impl Block {
    /// A block of these bytes; it is one of text if they are UTF-8. Cost: one pass, no copy.
    ///
    /// # Example
    /// ```
    /// use streamgauge::row::Block;
    /// assert!(Block::from_vec(b"DE,200".to_vec()).is_text());
    /// assert!(!Block::from_vec(b"DE,\xff".to_vec()).is_text());
    /// ```
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Block(Kind::Text(Arc::new(text))),
            Err(error) => Block(Kind::Bytes(error.into_bytes().into())),
        }
    }

    /// As [`from_vec`](Block::from_vec), for values that are seldom wanted as text.
    #[cfg_attr(
        not(feature = "files"),
        allow(dead_code, reason = "files are read in blocks, records of streams are not")
    )]
    pub(crate) fn checked(bytes: Vec<u8>) -> Self {
        match simdutf8::basic::from_utf8(&bytes) {
            Ok(_) => Block(Kind::Checked(Arc::new(bytes))),
            Err(_) => Block(Kind::Bytes(bytes.into())),
        }
    }

    /// Whether the whole block is known to be UTF-8.
    pub fn is_text(&self) -> bool {
        !matches!(self.0, Kind::Bytes(_))
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Text(text) => text.as_bytes(),
            Kind::Checked(bytes) => bytes,
            Kind::Bytes(bytes) => bytes,
        }
    }

    /// The bytes, if the whole block is known to be UTF-8.
    #[inline]
    pub(super) fn known_text(&self) -> Option<&[u8]> {
        self.is_text().then(|| self.as_bytes())
    }

    /// Whether nobody else points into the block.
    pub fn is_unique(&self) -> bool {
        match &self.0 {
            Kind::Text(text) => Arc::strong_count(text) == 1,
            Kind::Checked(bytes) => Arc::strong_count(bytes) == 1,
            Kind::Bytes(bytes) => bytes.is_unique(),
        }
    }

    /// The buffer of a block of text that nobody else points into, to be filled again.
    pub fn into_vec(self) -> Option<Vec<u8>> {
        match self.0 {
            Kind::Text(text) => Arc::try_unwrap(text).ok().map(String::into_bytes),
            Kind::Checked(bytes) => Arc::try_unwrap(bytes).ok(),
            Kind::Bytes(_) => None,
        }
    }

    /// The text at these offsets; empty if they are outside of the block, or not text.
    #[inline]
    pub(super) fn text(&self, start: usize, end: usize) -> &str {
        match &self.0 {
            Kind::Text(text) => text.get(start..end).unwrap_or_default(),
            Kind::Checked(_) | Kind::Bytes(_) => {
                std::str::from_utf8(self.as_bytes().get(start..end).unwrap_or_default())
                    .unwrap_or_default()
            }
        }
    }

    /// Whether the other is this very block.
    #[inline]
    pub(super) fn is_same(&self, other: &Block) -> bool {
        match (&self.0, &other.0) {
            (Kind::Text(this), Kind::Text(other)) => Arc::ptr_eq(this, other),
            (Kind::Checked(this), Kind::Checked(other)) => Arc::ptr_eq(this, other),
            (Kind::Bytes(this), Kind::Bytes(other)) => {
                this.as_ptr() == other.as_ptr() && this.len() == other.len()
            }
            _ => false,
        }
    }
}

impl From<Bytes> for Block {
    /// A block of bytes that are not looked at.
    fn from(bytes: Bytes) -> Self {
        Block(Kind::Bytes(bytes))
    }
}

impl Default for Block {
    fn default() -> Self {
        Block(Kind::Bytes(Bytes::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_characters_or_not_at_all() {
        let bytes = "aéb".as_bytes();
        for block in [
            Block::from_vec(bytes.to_vec()),
            Block::checked(bytes.to_vec()),
            Block::from(Bytes::from_static(bytes)),
        ] {
            assert_eq!((block.text(0, 3), block.text(0, 2), block.text(3, 9)), ("aé", "", ""));
        }
    }

    #[test]
    fn what_is_not_text_is_known_by_either_check() {
        for make in [Block::from_vec, Block::checked] {
            assert!(make("é".into()).is_text() && !make(b"\xc3".to_vec()).is_text());
            assert_eq!(
                (make(b"a".to_vec()).known_text(), make(b"\xc3".to_vec()).known_text()),
                (Some(b"a".as_slice()), None)
            );
        }
    }

    #[test]
    fn a_buffer_comes_back_once_nobody_points_into_it() {
        for make in [Block::from_vec, Block::checked] {
            let block = make(b"abc".to_vec());
            let other = block.clone();
            assert!(block.is_same(&other) && !block.is_unique());
            assert_eq!(block.into_vec(), None);
            assert_eq!(other.into_vec(), Some(b"abc".to_vec()));
        }
    }
}
