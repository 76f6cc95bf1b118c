//! The keys of the last line, remembered in order, and the quick reading of lines that have the
//! same.
//!
//! Machine-written logs repeat their keys. Where a line has the same bytes between two values as
//! the last one had, one masked comparison of 16 bytes replaces the parsing of separator, key and
//! colon and the look-up of the key; and where the value is a string without escapes or a number,
//! one or two vectors of bytes tell where it ends, or that it ends where those before it did. Equal
//! bytes are equal tokens, so the guess cannot change the result; whatever is anything else is left
//! to the general way, one member at a time.

use super::json_fields::{FieldTree, NONE, NodeIndex};
use super::json_tokens::{digit_stops, number, string_stop, string_stops};
use crate::row::Row;
use crate::row::first_digits;
use wide::u8x16;

/// Keys that are remembered of a line; further ones are looked up.
const STEPS_MAX: usize = 64;
/// Bytes between two values that are remembered; longer keys are looked up.
const LITERAL_BYTES_MAX: usize = 31;
/// Bytes that are compared at once, and a bit for each of them.
const VECTOR: usize = 16;
const ALL: u32 = 0xffff;
/// Bytes that must follow for the quick way: a literal, a quote and two vectors.
const AHEAD: usize = 64;
/// How far ahead a key is sought among the remembered ones when optional fields are absent.
const STEPS_AHEAD: usize = 8;

/// Values of a step in a block that may be of another length than expected, until none is expected
/// any more.
const SURPRISES_MAX: u8 = 16;

/// Nobody asked for the value.
const UNASKED: usize = usize::MAX;
/// More than one slot hangs on the value, or what is below it.
const SEVERAL: usize = usize::MAX - 1;

/// What stood between the values of a line.
#[derive(Clone, Debug)]
pub(super) struct Template {
    steps: Vec<Step>,
    /// Of the rows that are filled.
    slots: usize,
    /// Whether each slot is the one that some step fills.
    fills: bool,
}

/// The bytes that stood between two values, and what they mean. Flat, so that a line's steps are
/// read one after the other.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The first 16 bytes, and those after them.
    head: u8x16,
    tail: u8x16,
    /// Which places of the two hold no byte of the step.
    beyond: [u32; 2],
    node: NodeIndex,
    len: u8,
    /// Of a step of which nothing but the first 16 bytes and one slot are to be looked at, the
    /// places that hold no byte of it; of any other what no comparison gives.
    beyond_plain: u32,
    /// The slot that the value fills, [`UNASKED`], or [`SEVERAL`].
    slot: usize,
    usual: Usual,
}

/// How long the value of a step is usually.
///
/// Where a value ends is where everything after it begins, so the processor waits for each to be
/// found. Where it is expected and only checked, it need not wait: many values (times, identifiers,
/// codes) are always of one length.
#[derive(Clone, Copy, Debug)]
struct Usual {
    /// The text of so many bytes, or so many digits.
    len: u8,
    /// How often it was another length than expected, in this block.
    surprises: u8,
    /// The bits of the value and of the one byte after it; of which the last.
    through: u16,
    last: u16,
}

impl Usual {
    /// Nothing is expected: no stops are these.
    const NONE: Usual = Usual { len: 0, surprises: 0, through: 0, last: 1 };

    #[inline(always)]
    fn len(&self) -> usize {
        usize::from(self.len) & (VECTOR - 1)
    }

    /// Whether the first of these stops is where it is expected.
    #[inline(always)]
    fn is(&self, stops: u32) -> bool {
        stops & u32::from(self.through) == u32::from(self.last)
    }

    /// The value was as long as this, which was not expected.
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
        *self = Usual { surprises, ..Usual::NONE };
        if len < VECTOR && surprises < SURPRISES_MAX {
            (self.len, self.last) = (len as u8, 1 << len);
            self.through = self.last | (self.last - 1);
        }
    }
}

impl Step {
    /// What is remembered of the bytes before a value; nothing if they are too long.
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
            usual: Usual::NONE,
        })
    }

    /// Whether the other step's bytes are the same.
    fn is_same(&self, other: &Step) -> bool {
        (self.len, self.head, self.tail) == (other.len, other.head, other.tail)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        // A mask instead of a check: no literal is longer.
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

    /// The offset of the value, if the step's bytes stand at `at`.
    #[inline]
    fn value_at(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let (head, tail) = bytes.get(at..)?.split_first_chunk()?;
        (self.has_head(head) && self.has_tail(tail.first_chunk()?)).then_some(at + self.len())
    }

    /// Whether the step's bytes are those ahead, and at most one slot hangs on the value.
    #[inline(always)]
    fn begins(&self, ahead: &[u8; AHEAD]) -> bool {
        let (head, tail) = (ahead.first_chunk(), ahead[VECTOR..].first_chunk());
        let same =
            head.map_or(0, |head: &[u8; VECTOR]| u8x16::new(*head).simd_eq(self.head).to_bitmask());
        let is_head = same | self.beyond[0] == ALL;
        same | self.beyond_plain == ALL
            || is_head && self.slot != SEVERAL && tail.is_some_and(|tail| self.has_tail(tail))
    }

    /// Reads a value of the commonest kinds into the row, and gives where it ends among the bytes
    /// ahead, of which the first is at `at`.
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
        // What may go on a number is above the comma, which is what comes usually.
        let goes_on = next > b',' && matches!(next, b'.' | b'e' | b'E');
        if count.wrapping_sub(1) >= VECTOR - 1 || (count > 1 && begins_with_zero(digits)) || goes_on
        {
            return None;
        }
        row.set_integer(self.slot, at + start, count, || first_digits(digits, count));
        Some(start + count)
    }

    /// How many of the bytes, from the first on, are digits.
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

    /// The end of a text from the byte after its opening quote: its closing quote, if that is soon
    /// and no escape is before it.
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
            // Two vectors fit behind any literal.
            let stops = string_stops(ahead[start + VECTOR..].first_chunk()?);
            start + VECTOR + (stops | (ALL + 1)).trailing_zeros() as usize
        };
        let stop = stop & (AHEAD - 1);
        self.usual.was(stop - start);
        (ahead[stop] == b'"').then_some(stop)
    }

    /// Reads a value of another kind into the row, a long text or any number, and gives the bytes
    /// after it. `rest` are the last of `bytes`.
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

/// Whether the first of the bytes is a zero. Of a word, since they have been in a vector, out of
/// which single bytes are slow to come.
#[inline(always)]
fn begins_with_zero(digits: &[u8; VECTOR]) -> bool {
    digits.first_chunk().is_some_and(|word| u64::from_le_bytes(*word) as u8 == b'0')
}

impl Template {
    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A template for rows of so many slots.
    pub(super) fn new(slots: usize) -> Self {
        Template { steps: Vec::new(), slots, fills: false }
    }

    /// Whether following all steps sets every slot of a row of so many, so that it need not be
    /// cleared before.
    #[inline(always)]
    pub(super) fn fills(&self, slots: usize) -> bool {
        self.fills && slots == self.slots
    }

    /// Sets to missing the slots that the first steps, so many, do not fill.
    pub(super) fn clear_others(&self, steps: usize, row: &mut Row) {
        let followed = self.steps.get(..steps).unwrap_or_default();
        for slot in (0..self.slots).filter(|slot| followed.iter().all(|step| step.slot != *slot)) {
            row.set_missing(slot);
        }
    }

    /// Reads members into the row, from the step `from` on and where `rest`, the last of `bytes`,
    /// begins, as long as they are as remembered and plain. Gives the bytes after them, and how
    /// many steps are left.
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

    /// Other records begin, whose values may be of other lengths.
    pub(super) fn begin_block(&mut self) {
        self.steps.iter_mut().for_each(|step| step.usual.surprises = 0);
    }

    /// The value that comes next by what is remembered: its offset, and its node.
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

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.fills = false;
    }

    /// How many steps are remembered.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Keeps a step that was not where the remembered ones said; returns the index of the step to
    /// expect next.
    #[cold]
    pub(super) fn remember(&mut self, index: usize, first: bool, new: Option<Step>) -> usize {
        let next = self.place(index, first, new);
        // Of no steps it is not said, even if there are no slots: a line is like the one before
        // only if there was one.
        self.fills = !self.steps.is_empty()
            && (0..self.slots).all(|slot| self.steps.iter().any(|step| step.slot == slot));
        next
    }

    fn place(&mut self, index: usize, first: bool, new: Option<Step>) -> usize {
        let steps = &mut self.steps;
        // Only the first step may begin with the brace, and only the first key is ever compared
        // with it, whatever is remembered of that key; otherwise a brace between two values would
        // be taken for a separator.
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
