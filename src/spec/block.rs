//! The bytes that rows point into.

use bytes::Bytes;
use std::sync::Arc;

/// Bytes of many records, shared by the rows that point into them.
///
/// A block that was found to be text as a whole gives out its values without looking at their bytes again; a value of any other
/// block is checked whenever it is asked for, which costs some 10 ns. `Arc<String>` rather than `Arc<str>`: a buffer becomes one,
/// and is got back from it, without being copied.
#[derive(Clone, Debug)]
pub struct Block(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Text(Arc<String>),
    Bytes(Bytes),
}

impl Block {
    /// A block of these bytes; it is one of text if they are UTF-8. Cost: one pass, no copy.
    ///
    /// # Example
    /// ```
    /// use streamgauge::spec::Block;
    /// assert!(Block::from_vec(b"DE,200".to_vec()).is_text());
    /// assert!(!Block::from_vec(b"DE,\xff".to_vec()).is_text());
    /// ```
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Block(Kind::Text(Arc::new(text))),
            Err(error) => Block(Kind::Bytes(error.into_bytes().into())),
        }
    }

    /// Whether the whole block is known to be UTF-8.
    pub fn is_text(&self) -> bool {
        matches!(self.0, Kind::Text(_))
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Text(text) => text.as_bytes(),
            Kind::Bytes(bytes) => bytes,
        }
    }

    /// The bytes, if the whole block is known to be UTF-8.
    #[inline]
    pub(super) fn known_text(&self) -> Option<&[u8]> {
        if let Kind::Text(text) = &self.0 { Some(text.as_bytes()) } else { None }
    }

    /// Whether nobody else points into the block.
    pub fn is_unique(&self) -> bool {
        match &self.0 {
            Kind::Text(text) => Arc::strong_count(text) == 1,
            Kind::Bytes(bytes) => bytes.is_unique(),
        }
    }

    /// The buffer of a block of text that nobody else points into, to be filled again.
    pub fn into_vec(self) -> Option<Vec<u8>> {
        match self.0 {
            Kind::Text(text) => Arc::try_unwrap(text).ok().map(String::into_bytes),
            Kind::Bytes(_) => None,
        }
    }

    /// The text at these offsets; empty if they are outside of the block, or not text.
    #[inline]
    pub(super) fn text(&self, start: usize, end: usize) -> &str {
        match &self.0 {
            Kind::Text(text) => text.get(start..end).unwrap_or_default(),
            Kind::Bytes(bytes) => std::str::from_utf8(bytes.get(start..end).unwrap_or_default()).unwrap_or_default(),
        }
    }

    /// Whether the other is this very block.
    #[inline]
    pub(super) fn is_same(&self, other: &Block) -> bool {
        match (&self.0, &other.0) {
            (Kind::Text(this), Kind::Text(other)) => Arc::ptr_eq(this, other),
            (Kind::Bytes(this), Kind::Bytes(other)) => this.as_ptr() == other.as_ptr() && this.len() == other.len(),
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
        let block = Block::from_vec("aéb".as_bytes().to_vec());
        assert_eq!((block.text(0, 3), block.text(0, 2), block.text(3, 9)), ("aé", "", ""));
        let block = Block::from(Bytes::from_static("aéb".as_bytes()));
        assert_eq!((block.text(0, 3), block.text(0, 2), block.text(3, 9)), ("aé", "", ""));
    }

    #[test]
    fn a_buffer_comes_back_once_nobody_points_into_it() {
        let block = Block::from_vec(b"abc".to_vec());
        let other = block.clone();
        assert!(block.is_same(&other) && !block.is_unique());
        assert_eq!(block.into_vec(), None);
        assert_eq!(other.into_vec(), Some(b"abc".to_vec()));
    }
}
