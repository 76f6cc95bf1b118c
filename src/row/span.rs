//! Positions of text in the bytes of a record.

use super::block::Block;
use std::ops::Range;

/// A range in a record's block, or in its unescaped text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(crate) fn of(range: Range<usize>) -> Span {
        // The bytes that spans refer to are never longer than `u32::MAX`: see `Row::begin_in`.
        Span { start: range.start as u32, end: range.end as u32 }
    }

    #[inline]
    pub(super) fn of_digits(start: u32, len: u8) -> Span {
        Span { start, end: start.saturating_add(u32::from(len)) }
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    #[inline]
    pub(crate) fn bytes(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Returns this part of a text.
    #[inline]
    pub(super) fn of_text(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    #[inline]
    pub(super) fn text(self, block: &Block) -> &str {
        block.text(self.start as usize, self.end as usize)
    }
}

/// The position of a key's bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum KeyBytes {
    #[default]
    Missing,
    /// The text of a field.
    Source(Span),
    /// The unescaped text of a field.
    Unescaped(Span),
    Encoded(Span),
}
