//! A template: the keys of the last line, in order, for fast reading of lines with the same keys.
//!
//! Logs written by machines repeat their keys. If a line has the same bytes between two values as
//! the last line, one masked comparison of 16 bytes replaces the parsing of separator, key and
//! colon and the lookup of the key. If the value is a string without escapes or a number, one or
//! two vectors of bytes find its end, or confirm that it has the usual length. Equal bytes are
//! equal tokens, so the guess cannot change the result. Any other member is read in the general
//! way, one at a time.

use super::json_fields::{FieldTree, NONE, NodeIndex};
use super::json_tokens::{digit_stops, number, string_stop, string_stops};
use crate::row::Row;
use crate::row::first_digits;
use wide::u8x16;

/// Maximum number of keys that are remembered. Further keys are looked up.
const STEPS_MAX: usize = 64;
/// Maximum bytes between two values that are remembered. Longer keys are looked up.
const LITERAL_BYTES_MAX: usize = 31;
/// Number of bytes that are compared at once, and a mask with one bit for each.
const VECTOR: usize = 16;
const ALL: u32 = 0xffff;
/// Number of bytes that must follow for the fast path: a literal, a quote and two vectors.
const AHEAD: usize = 64;
/// Maximum number of remembered keys that are skipped if optional fields are absent.
const STEPS_AHEAD: usize = 8;

/// Maximum number of values per step and block that may have an unexpected length. After that no
/// length is expected.
const SURPRISES_MAX: u8 = 16;

/// The value is not requested.
const UNASKED: usize = usize::MAX;
/// The value, or a value below it, fills more than one slot.
const SEVERAL: usize = usize::MAX - 1;

/// The text between the values of a line.
#[derive(Clone, Debug)]
pub(super) struct Template {
    steps: Vec<Step>,
    /// The number of slots of the rows.
    slots: usize,
    /// True if every slot is filled by some step.
    fills: bool,
}

/// The bytes between two values, and their meaning. The struct is flat, so that the steps of a line
/// are read in sequence.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The first 16 bytes, and the bytes after them.
    head: u8x16,
    tail: u8x16,
    /// The positions of the two vectors that are not part of the step.
    beyond: [u32; 2],
    node: NodeIndex,
    len: u8,
    /// For a step of at most 16 bytes and at most one slot, the positions that are not part of it.
    /// For any other step, a value that never results from a comparison.
    beyond_plain: u32,
    /// The slot that the value fills, [`UNASKED`], or [`SEVERAL`].
    slot: usize,
    usual: UsualLength,
}

/// The usual length of a step's value.
///
/// Everything after a value begins at its end, so the processor waits until the end is found. If
/// the end is expected and only checked, it need not wait. Many values (times, identifiers, codes)
/// always have the same length.
#[derive(Clone, Copy, Debug)]
struct UsualLength {
    /// The bytes of the text, or the number of digits.
    len: u8,
    /// How often the length was unexpected in this block.
    surprises: u8,
    /// The bits of the value and of the byte after it, and the last of these bits.
    through: u16,
    last: u16,
}

impl UsualLength {
    /// No length is expected: no mask of stops matches.
    const NONE: UsualLength = UsualLength { len: 0, surprises: 0, through: 0, last: 1 };

    #[inline(always)]
    fn len(&self) -> usize {
        usize::from(self.len) & (VECTOR - 1)
    }

    /// Returns true if the first of these stops is at the expected position.
    #[inline(always)]
    fn is(&self, stops: u32) -> bool {
        stops & u32::from(self.through) == u32::from(self.last)
    }

    /// Records an unexpected length.
    #[inline(always)]
    fn was(&mut self, len: usize) {
        if self.surprises < SURPRISES_MAX {
            self.learn(len);
        }
    }

    #[cold]
    #[inline(never)]
    fn learn(&mut self, len: usize) {
        let surprises = self.surprises + 1;
        *self = UsualLength { surprises, ..UsualLength::NONE };
        if len < VECTOR && surprises < SURPRISES_MAX {
            (self.len, self.last) = (len as u8, 1 << len);
            self.through = self.last | (self.last - 1);
        }
    }
}

impl Step {
    /// Creates a step from the bytes before a value; `None` if they are too long.
    pub(super) fn new(literal: &[u8], node: NodeIndex, fields: &FieldTree) -> Option<Step> {
        let len = literal.len();
        if len > LITERAL_BYTES_MAX {
            return None;
        }
        let mut bytes = [[0; VECTOR]; 2];
        bytes.as_flattened_mut()[..len].copy_from_slice(literal);
        let beyond = [0, VECTOR].map(|from| ALL & (ALL << len.saturating_sub(from).min(VECTOR)));
        let slot = if node == NONE { UNASKED } else { fields.only_slot(node).unwrap_or(SEVERAL) };
        let [head, tail] = bytes.map(u8x16::new);
        let beyond_plain = if len <= VECTOR && slot != SEVERAL { beyond[0] } else { !ALL };
        Some(Step {
            head,
            tail,
            beyond,
            beyond_plain,
            node,
            len: len as u8,
            slot,
            usual: UsualLength::NONE,
        })
    }

    /// Returns true if the other step has the same bytes.
    fn is_same(&self, other: &Step) -> bool {
        (self.len, self.head, self.tail) == (other.len, other.head, other.tail)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        // A mask instead of a check, because no literal is longer.
        usize::from(self.len) & LITERAL_BYTES_MAX
    }

    #[inline(always)]
    fn has_head(&self, bytes: &[u8; VECTOR]) -> bool {
        u8x16::new(*bytes).simd_eq(self.head).to_bitmask() | self.beyond[0] == ALL
    }

    #[inline]
    fn has_tail(&self, bytes: &[u8; VECTOR]) -> bool {
        u8x16::new(*bytes).simd_eq(self.tail).to_bitmask() | self.beyond[1] == ALL
    }

    /// Returns the offset of the value, if the step's bytes are at `at`.
    #[inline]
    fn value_at(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let (head, tail) = bytes.get(at..)?.split_first_chunk()?;
        (self.has_head(head) && self.has_tail(tail.first_chunk()?)).then_some(at + self.len())
    }

    /// Returns true if the step's bytes are next and the value fills at most one slot.
    #[inline(always)]
    fn begins(&self, ahead: &[u8; AHEAD]) -> bool {
        let (head, tail) = (ahead.first_chunk(), ahead[VECTOR..].first_chunk());
        let same =
            head.map_or(0, |head: &[u8; VECTOR]| u8x16::new(*head).simd_eq(self.head).to_bitmask());
        let is_head = same | self.beyond[0] == ALL;
        same | self.beyond_plain == ALL
            || is_head && self.slot != SEVERAL && tail.is_some_and(|tail| self.has_tail(tail))
    }

    /// Reads a value of a common kind into the row. `ahead` are the bytes at `at`. Returns the end
    /// of the value in `ahead`.
    #[inline(always)]
    fn read(&mut self, ahead: &[u8; AHEAD], at: usize, row: &mut Row) -> Option<usize> {
        let start = self.len();
        if ahead[start] == b'"' {
            let stop = self.short_text_end(ahead, start + 1)?;
            row.set_text(self.slot, at + start + 1..at + stop);
            return Some(stop + 1);
        }
        let digits = ahead[start..].first_chunk()?;
        let count = self.digits_ahead(digits);
        let next = ahead[start + count];
        // Bytes that continue a number are above the comma, which usually follows it.
        let goes_on = next > b',' && matches!(next, b'.' | b'e' | b'E');
        if count.wrapping_sub(1) >= VECTOR - 1 || (count > 1 && begins_with_zero(digits)) || goes_on
        {
            return None;
        }
        row.set_integer(self.slot, at + start, count, || first_digits(digits, count));
        Some(start + count)
    }

    /// Returns the number of digits at the beginning of the bytes.
    #[inline(always)]
    fn digits_ahead(&mut self, digits: &[u8; VECTOR]) -> usize {
        let stops = digit_stops(digits);
        if self.usual.is(stops) {
            return self.usual.len();
        }
        let count = (stops | (ALL + 1)).trailing_zeros() as usize;
        self.usual.was(count);
        count
    }

    /// Returns the end of a text, given the offset after its opening quote: the closing quote, if
    /// it is near and there is no escape before it.
    #[inline(always)]
    fn short_text_end(&mut self, ahead: &[u8; AHEAD], start: usize) -> Option<usize> {
        let stops = string_stops(ahead[start..].first_chunk()?);
        let usual = start + self.usual.len();
        if self.usual.is(stops) && ahead[usual] == b'"' {
            return Some(usual);
        }
        let stop = if stops != 0 {
            start + stops.trailing_zeros() as usize
        } else {
            // Two vectors fit after any literal.
            let stops = string_stops(ahead[start + VECTOR..].first_chunk()?);
            start + VECTOR + (stops | (ALL + 1)).trailing_zeros() as usize
        };
        let stop = stop & (AHEAD - 1);
        self.usual.was(stop - start);
        (ahead[stop] == b'"').then_some(stop)
    }

    /// Reads a value of another kind into the row, a long text or any number. `rest` is the end of
    /// `bytes`. Returns the bytes after the value.
    #[inline(never)]
    fn read_rarer<'a>(&self, bytes: &'a [u8], rest: &'a [u8], row: &mut Row) -> Option<&'a [u8]> {
        let start = bytes.len() - rest.len() + self.len();
        match bytes.get(start)? {
            b'"' => {
                let stop = string_stop(bytes, start + 1);
                let (quote, rest) = bytes.get(stop..)?.split_first()?;
                row.set_text(self.slot, start + 1..stop);
                (*quote == b'"').then_some(rest)
            }
            b'-' | b'0'..=b'9' => {
                let end = number(bytes, start).ok()?;
                row.set_number(self.slot, start..end);
                bytes.get(end..)
            }
            _ => None,
        }
    }
}

/// Returns true if the first byte is a zero. Reads a word, because single bytes are slow to extract
/// from a vector register.
#[inline(always)]
fn begins_with_zero(digits: &[u8; VECTOR]) -> bool {
    digits.first_chunk().is_some_and(|word| u64::from_le_bytes(*word) as u8 == b'0')
}

impl Template {
    /// Returns true if no step is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Creates a template for rows with this many slots.
    pub(super) fn new(slots: usize) -> Self {
        Template { steps: Vec::new(), slots, fills: false }
    }

    /// Returns true if the steps together set every slot of a row with this many slots, so that the
    /// row need not be cleared before.
    #[inline(always)]
    pub(super) fn fills(&self, slots: usize) -> bool {
        self.fills && slots == self.slots
    }

    /// Sets to missing all slots that the first `steps` steps do not fill.
    pub(super) fn clear_others(&self, steps: usize, row: &mut Row) {
        let followed = self.steps.get(..steps).unwrap_or_default();
        for slot in (0..self.slots).filter(|slot| followed.iter().all(|step| step.slot != *slot)) {
            row.set_missing(slot);
        }
    }

    /// Reads members into the row, beginning with step `from` and with `rest`, the end of `bytes`,
    /// while they match the steps and are of a common form. Returns the bytes after them, and the
    /// number of steps left.
    #[inline(always)]
    pub(super) fn follow<'a>(
        &mut self,
        from: usize,
        bytes: &'a [u8],
        mut rest: &'a [u8],
        row: &mut Row,
    ) -> (&'a [u8], usize) {
        let steps = self.steps.get_mut(from..).unwrap_or_default();
        let mut left = steps.len();
        for guess in steps {
            let Some(ahead) = rest.first_chunk().filter(|ahead| guess.begins(ahead)) else { break };
            if let Some(end) = guess.read(ahead, bytes.len() - rest.len(), row) {
                rest = &rest[end..];
            } else if let Some(after) = guess.read_rarer(bytes, rest, row) {
                rest = after;
            } else {
                break;
            }
            left -= 1;
        }
        (rest, left)
    }

    /// Starts another block, in which values may have other lengths.
    pub(super) fn begin_block(&mut self) {
        self.steps.iter_mut().for_each(|step| step.usual.surprises = 0);
    }

    /// Returns the offset and the node of the next value, if the next bytes match the step.
    #[inline]
    pub(super) fn value_at(
        &self,
        step: usize,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, NodeIndex)> {
        let guess = self.steps.get(step)?;
        Some((guess.value_at(bytes, at)?, guess.node))
    }

    /// Removes all steps.
    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.fills = false;
    }

    /// Returns the number of steps.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Stores a step that was not at its expected index. Returns the index of the next expected
    /// step.
    #[cold]
    pub(super) fn remember(&mut self, index: usize, first: bool, new: Option<Step>) -> usize {
        let next = self.place(index, first, new);
        // Without steps this is false even if there are no slots, because a line can resemble the
        // one before only if there was one.
        self.fills = !self.steps.is_empty()
            && (0..self.slots).all(|slot| self.steps.iter().any(|step| step.slot == slot));
        next
    }

    fn place(&mut self, index: usize, first: bool, new: Option<Step>) -> usize {
        let steps = &mut self.steps;
        // Only the first step may begin with a brace, and only the first key is compared with it,
        // whatever is remembered of that key. Otherwise a brace between two values would count as a
        // separator.
        let Some(new) = new else { return index.max(1) };
        if first {
            match steps.first_mut() {
                Some(place) => *place = new,
                None => steps.push(new),
            }
            return 1;
        }
        let index = index.max(1);
        if let Some(ahead) =
            steps.iter().skip(index).take(STEPS_AHEAD).position(|known| known.is_same(&new))
        {
            return index + ahead + 1;
        }
        if steps.is_empty() || steps.len() >= STEPS_MAX || index > steps.len() {
            return index;
        }
        steps.insert(index, new);
        index + 1
    }
}
