//! A record decoded to the fields that a pipeline names, and no others.
//!
//! A [`Row`] is made once and filled again for every record. Its values point into the bytes they were read from (a
//! reference-counted [`Bytes`] block that many rows share), so filling one allocates nothing; only text that had to be unescaped is
//! copied, into a buffer that is kept.
//!
//! Fields are known by their *slot*: their index in the list of field names that the compiled pipeline gives out.

use bytes::Bytes;
use smallvec::SmallVec;
use std::ops::Range;

/// The value of one field, as the source wrote it; numbers are not parsed before somebody asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// The record does not have the field, or it is null.
    Missing,
    /// A truth value.
    Bool(bool),
    /// A number, in the source's own (JSON) notation.
    Number(&'a str),
    /// Text that the source marks as text, such as a JSON string.
    Text(&'a str),
    /// Text of a source that does not tell text from numbers, such as CSV.
    Untyped(&'a str),
}

impl Value<'_> {
    /// Whether there is no value: the field is missing or null, or empty text of an untyped source, which has no other way to say so.
    #[inline]
    pub fn is_missing(self) -> bool {
        match self {
            Value::Missing => true,
            Value::Untyped(text) => text.is_empty(),
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Missing,
    Bool(bool),
    Number(Span),
    Text(Span),
    Untyped(Span),
    /// In `unescaped`, not in `source`.
    Unescaped(Span),
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(range: Range<usize>) -> Span {
        // Blocks are capped far below 4 GiB by `Limits::record_bytes_max` and the readers' block size; a span that does not fit
        // reads as empty rather than as another one's bytes.
        match (u32::try_from(range.start), u32::try_from(range.end)) {
            (Ok(start), Ok(end)) => Span { start, end },
            _ => Span { start: 0, end: 0 },
        }
    }

    fn text(self, bytes: &[u8]) -> &str {
        let bytes = bytes.get(self.start as usize..self.end as usize).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// A record decoded to the fields that a pipeline names.
///
/// # Example
/// ```
/// use streamgauge::spec::{Row, Value};
/// let mut row = Row::new(2);
/// row.begin(&bytes::Bytes::from_static(b"DE,200"));
/// row.set_untyped(0, 0..2);
/// row.set_untyped(1, 3..6);
/// assert_eq!(row.value(0), Value::Untyped("DE"));
/// row.begin(&bytes::Bytes::from_static(b""));
/// assert_eq!(row.value(0), Value::Missing);
/// ```
#[derive(Debug)]
pub struct Row {
    source: Bytes,
    unescaped: Vec<u8>,
    fields: SmallVec<[Field; 8]>,
    /// The encoded key of the row's group, written by the compiled pipeline before aggregation.
    pub(super) group: Vec<u8>,
}

impl Row {
    /// A row with so many slots, all missing.
    pub fn new(slots: usize) -> Self {
        let fields = SmallVec::from_elem(Field::Missing, slots);
        Row { source: Bytes::new(), unescaped: Vec::new(), fields, group: Vec::new() }
    }

    /// How many slots the row has.
    pub fn slots(&self) -> usize {
        self.fields.len()
    }

    /// Starts the next record: all fields missing, their values to be found in `source`.
    #[inline]
    pub fn begin(&mut self, source: &Bytes) {
        // Most records share the last one's block: compare before touching the reference count.
        if self.source.as_ptr() != source.as_ptr() || self.source.len() != source.len() {
            self.source = source.clone();
        }
        self.unescaped.clear();
        self.fields.fill(Field::Missing);
    }

    /// Sets a truth value. A slot that does not exist is ignored, here and below.
    #[inline]
    pub fn set_bool(&mut self, slot: usize, value: bool) {
        self.set(slot, Field::Bool(value));
    }

    /// Sets a field to missing, as for a null.
    #[inline]
    pub fn set_missing(&mut self, slot: usize) {
        self.set(slot, Field::Missing);
    }

    /// Sets a number: the range of its digits in the source, which must be UTF-8.
    #[inline]
    pub fn set_number(&mut self, slot: usize, range: Range<usize>) {
        self.set(slot, Field::Number(Span::of(range)));
    }

    /// Sets text that the source marks as such: its range in the source, which must be UTF-8.
    #[inline]
    pub fn set_text(&mut self, slot: usize, range: Range<usize>) {
        self.set(slot, Field::Text(Span::of(range)));
    }

    /// Sets text of a source that does not tell text from numbers: its range in the source, which must be UTF-8.
    #[inline]
    pub fn set_untyped(&mut self, slot: usize, range: Range<usize>) {
        self.set(slot, Field::Untyped(Span::of(range)));
    }

    /// Sets text that is not in the source as such, such as a string with escapes: it is copied.
    pub fn set_unescaped(&mut self, slot: usize, text: &str) {
        let start = self.unescaped.len();
        self.unescaped.extend_from_slice(text.as_bytes());
        self.set(slot, Field::Unescaped(Span::of(start..self.unescaped.len())));
    }

    /// The value of a slot; [`Value::Missing`] if there is no such slot.
    #[inline]
    pub fn value(&self, slot: usize) -> Value<'_> {
        match self.fields.get(slot).copied().unwrap_or(Field::Missing) {
            Field::Missing => Value::Missing,
            Field::Bool(value) => Value::Bool(value),
            Field::Number(span) => Value::Number(span.text(&self.source)),
            Field::Text(span) => Value::Text(span.text(&self.source)),
            Field::Untyped(span) => Value::Untyped(span.text(&self.source)),
            Field::Unescaped(span) => Value::Text(span.text(&self.unescaped)),
        }
    }

    #[inline]
    fn set(&mut self, slot: usize, field: Field) {
        if let Some(place) = self.fields.get_mut(slot) {
            *place = field;
        }
    }
}
