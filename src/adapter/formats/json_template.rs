//! The keys of the last line, remembered in order, and the quick reading of lines that have the same.
//!
//! Machine-written logs repeat their keys. Where a line has the same bytes between two values as the last one had, one masked
//! comparison of 16 bytes replaces the parsing of separator, key and colon and the look-up of the key; and where the value is a
//! string without escapes or a number, two vectors of bytes tell where it ends. Equal bytes are equal tokens, so the
//! guess cannot change the result; whatever is anything else is left to the general way, one member at a time.

use super::json_fields::{FieldTree, NONE, NodeIndex};
use super::json_tokens::{digits_ahead, number, string_stop, string_stops};
use crate::spec::{Row, first_digits};

/// Keys that are remembered of a line; further ones are looked up.
const STEPS_MAX: usize = 64;
/// Bytes between two values that are remembered; longer keys are looked up.
const LITERAL_BYTES_MAX: usize = 31;
/// Bytes that must follow for the quick way: a literal, a quote and a vector.
const AHEAD: usize = 64;
/// How far ahead a key is sought among the remembered ones when optional fields are absent.
const STEPS_AHEAD: usize = 8;

/// Nobody asked for the value.
const UNASKED: usize = usize::MAX;
/// More than one slot hangs on the value, or what is below it.
const SEVERAL: usize = usize::MAX - 1;

/// What stood between the values of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    steps: Vec<Step>,
}

/// The bytes that stood between two values, and what they mean.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The first 16 bytes as one little-endian word, and which of them count.
    word: u128,
    mask: u128,
    /// The bytes after the sixteenth.
    rest: Box<[u8]>,
    len: usize,
    node: NodeIndex,
    /// The slot that the value fills, [`UNASKED`], or [`SEVERAL`].
    slot: usize,
}

impl Step {
    /// What is remembered of the bytes before a value; nothing if they are too long.
    pub(super) fn new(literal: &[u8], node: NodeIndex, fields: &FieldTree) -> Option<Step> {
        let mut word = [0; 16];
        let mut mask = [0; 16];
        if literal.len() > LITERAL_BYTES_MAX {
            return None;
        }
        let (head, rest) = literal.split_at(literal.len().min(16));
        for ((to, kept), from) in word.iter_mut().zip(&mut mask).zip(head) {
            (*to, *kept) = (*from, 0xff);
        }
        let (word, mask) = (u128::from_le_bytes(word), u128::from_le_bytes(mask));
        let slot = if node == NONE { UNASKED } else { fields.only_slot(node).unwrap_or(SEVERAL) };
        Some(Step { word, mask, rest: rest.into(), len: literal.len(), node, slot })
    }

    /// Whether the other step's bytes are the same.
    fn is_same(&self, other: &Step) -> bool {
        (self.word, self.mask, &self.rest) == (other.word, other.mask, &other.rest)
    }

    #[inline(always)]
    fn begins(&self, head: &[u8; 16], rest: &[u8]) -> bool {
        (u128::from_le_bytes(*head) ^ self.word) & self.mask == 0 && (self.rest.is_empty() || rest.starts_with(&self.rest))
    }

    /// The offset of the value, if the step's bytes stand at `at`.
    #[inline]
    fn value_at(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let (head, rest) = bytes.get(at..)?.split_first_chunk::<16>()?;
        self.begins(head, rest).then_some(at + self.len)
    }

    /// Reads the step's bytes and a plain value behind them into the row, and gives the offset after it.
    #[inline(always)]
    fn read(&self, bytes: &[u8], at: usize, row: &mut Row) -> Option<usize> {
        let ahead = bytes.get(at..)?.first_chunk::<AHEAD>()?;
        let (head, rest) = ahead.split_first_chunk::<16>()?;
        if !self.begins(head, rest) || self.slot == SEVERAL {
            return None;
        }
        // A mask instead of a check: no literal is longer.
        let value = self.len & LITERAL_BYTES_MAX;
        let first = ahead[value];
        if first == b'"' {
            let start = at + value + 1;
            let stop = match string_stops(ahead[value + 1..].first_chunk::<16>()?) {
                0 => string_stop(bytes, start + 16),
                hits => start + hits.trailing_zeros() as usize,
            };
            if bytes.get(stop) != Some(&b'"') {
                return None;
            }
            row.set_text(self.slot, start..stop);
            return Some(stop + 1);
        }
        let digits = ahead[value..].first_chunk::<16>()?;
        let count = digits_ahead(digits);
        let (start, next) = (at + value, ahead[value + count]);
        if count == 0 || count == 16 || (first == b'0' && count > 1) || matches!(next, b'.' | b'e' | b'E') {
            let end = number_end(bytes, start, first)?;
            row.set_number(self.slot, start..end);
            return Some(end);
        }
        if self.slot != UNASKED {
            row.set_integer(self.slot, start, count, first_digits(digits, count));
        }
        Some(start + count)
    }
}

/// The end of a number that is not just a few digits.
#[inline(never)]
fn number_end(bytes: &[u8], start: usize, first: u8) -> Option<usize> {
    if matches!(first, b'-' | b'0'..=b'9') { number(bytes, start).ok() } else { None }
}

impl Template {
    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Reads members into the row, from `at` and the step `from` on, as long as they are as remembered and plain. Gives where it stopped,
    /// and the step that is to come.
    #[inline(never)]
    pub(super) fn follow(&self, from: usize, bytes: &[u8], mut at: usize, row: &mut Row) -> (usize, usize) {
        let mut step = from;
        for guess in self.steps.get(from..).unwrap_or_default() {
            let Some(end) = guess.read(bytes, at, row) else { break };
            (at, step) = (end, step + 1);
        }
        (at, step)
    }

    /// The value that comes next by what is remembered: its offset, and its node.
    #[inline]
    pub(super) fn value_at(&self, step: usize, bytes: &[u8], at: usize) -> Option<(usize, NodeIndex)> {
        let guess = self.steps.get(step)?;
        Some((guess.value_at(bytes, at)?, guess.node))
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.steps.clear();
    }

    /// Keeps a step that was not where the remembered ones said; returns the index of the step to expect next.
    #[cold]
    pub(super) fn remember(&mut self, index: usize, first: bool, new: Option<Step>) -> usize {
        let steps = &mut self.steps;
        // Only the first step may begin with the brace, and only the first key is ever compared with it, whatever is remembered of
        // that key; otherwise a brace between two values would be taken for a separator.
        let Some(new) = new else { return index.max(1) };
        if first {
            match steps.first_mut() {
                Some(place) => *place = new,
                None => steps.push(new),
            }
            return 1;
        }
        let index = index.max(1);
        if let Some(ahead) = steps.iter().skip(index).take(STEPS_AHEAD).position(|known| known.is_same(&new)) {
            return index + ahead + 1;
        }
        if steps.is_empty() || steps.len() >= STEPS_MAX || index > steps.len() {
            return index;
        }
        steps.insert(index, new);
        index + 1
    }
}
