//! The bytes that rows refer to.

use bytes::Bytes;
use std::sync::Arc;

/// Bytes of many records, shared by the rows that refer to them.
///
/// A block is checked once whether it is all UTF-8. It uses `Arc<String>` instead of `Arc<str>`, so
/// that a buffer becomes a block and can be recovered from it without a copy.
#[derive(Clone, Debug)]
pub(crate) struct Block(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// UTF-8 text. Its values are returned without a check of their bytes.
    Text(Arc<String>),
    /// UTF-8 text, checked about four times as fast. A value is checked again if it is read as
    /// text. Keys, integers and times in digits are not read as text.
    Checked(Arc<Vec<u8>>),
    /// Bytes that were not checked or are not UTF-8. Each value is checked whenever it is read.
    Bytes(Bytes),
}

impl Block {
    /// Creates a block. It is a block of text if the bytes are UTF-8. Cost: one pass, no copy.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Block(Kind::Text(Arc::new(text))),
            Err(error) => Block(Kind::Bytes(error.into_bytes().into())),
        }
    }

    /// As [`from_vec`](Block::from_vec), for values that are rarely read as text.
    pub(crate) fn checked(bytes: Vec<u8>) -> Self {
        match simdutf8::basic::from_utf8(&bytes) {
            Ok(_) => Block(Kind::Checked(Arc::new(bytes))),
            Err(_) => Block(Kind::Bytes(bytes.into())),
        }
    }

    /// Returns true if the whole block is known to be UTF-8.
    pub(crate) fn is_text(&self) -> bool {
        !matches!(self.0, Kind::Bytes(_))
    }

    /// Returns the bytes.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Text(text) => text.as_bytes(),
            Kind::Checked(bytes) => bytes,
            Kind::Bytes(bytes) => bytes,
        }
    }

    /// Returns the bytes if the whole block is known to be UTF-8.
    #[inline]
    pub(super) fn known_text(&self) -> Option<&[u8]> {
        self.is_text().then(|| self.as_bytes())
    }

    /// Returns true if no row or other clone refers to the block.
    pub(crate) fn is_unique(&self) -> bool {
        match &self.0 {
            Kind::Text(text) => Arc::strong_count(text) == 1,
            Kind::Checked(bytes) => Arc::strong_count(bytes) == 1,
            Kind::Bytes(bytes) => bytes.is_unique(),
        }
    }

    /// Returns the buffer of a text block for reuse, if nothing else refers to the block.
    pub(crate) fn into_vec(self) -> Option<Vec<u8>> {
        match self.0 {
            Kind::Text(text) => Arc::try_unwrap(text).ok().map(String::into_bytes),
            Kind::Checked(bytes) => Arc::try_unwrap(bytes).ok(),
            Kind::Bytes(_) => None,
        }
    }

    /// Returns the text at these offsets. Returns empty text if the offsets are outside the block
    /// or the bytes are not UTF-8.
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

    /// Returns true if the other is the same block, not only an equal one.
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
    /// Creates a block without checking its bytes.
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
