//! A record decoded to the fields that a pipeline names, and no others.
//!
//! A [`Row`] is created once and reused for every record. Its values refer to the bytes they were
//! read from (a reference-counted [`Block`] that many records share), so filling a row allocates
//! nothing. Only unescaped text is copied, into a buffer that is reused.
//!
//! A field is identified by its *slot*: its index in the list of field names that the compiled
//! pipeline returns.

use super::block::Block;
use super::digits::digits_at;
use super::key::{KeyForm, write_time};
use super::not_a_time::NotATime;
use super::null::Nulls;
use super::number::{NotANumber, PreparedNumber, number_of};
use super::scratch::Scratch;
use super::span::{KeyBytes, Span};
use super::time_field::TimeField;
use super::time_words::read_known;
use super::value::Value;
use crate::time::Timestamp;
use bytes::Bytes;
use std::ops::Range;

#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Missing,
    Bool(bool),
    Number(Span),
    /// A number of a few digits only: their position and their value. It fits into the 16 bytes of
    /// the other variants.
    Integer {
        start: u32,
        len: u8,
        value: i64,
    },
    Text(Span),
    Untyped(Span),
    Json(Span),
    /// The span is in `unescaped`, not in `source`.
    Unescaped(Span),
    /// An integer that an expression computed.
    Computed(i64),
    /// A float that an expression computed.
    Float(f64),
    /// A number of more than 64 bits that an expression computed, as digits in `unescaped`.
    Wide(Span),
    /// Text of a source that does not distinguish text from numbers, in `unescaped`.
    CopiedUntyped(Span),
    /// An array or object, in `unescaped`.
    CopiedJson(Span),
}

/// A record decoded to the fields that a pipeline names.
///
/// # Example
/// ```
/// use streamgauge::row::{Row, Value};
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
    pub(super) source: Block,
    pub(super) unescaped: String,
    pub(super) fields: Vec<Field>,
    prepared: Prepared,
    /// Fields as they were read, to be given back.
    kept: Vec<Field>,
    pub(super) scratch: Scratch,
}

/// Values derived from the fields once, for all aggregates that need them. The pipeline's plan
/// knows the index of each.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) numbers: Vec<PreparedNumber>,
    pub(crate) keys: Vec<KeyBytes>,
    /// For each test, true if the row passes it.
    pub(crate) tests: Vec<bool>,
    pub(crate) group: KeyBytes,
    /// The bytes of keys that are not the text of a field.
    pub(crate) encoded: Vec<u8>,
}

/// How fields are read as numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberReading<'a> {
    pub(crate) slots: &'a [usize],
    /// For each field, true if a value that is not a number is accepted if it can be ordered.
    pub(crate) any_order: &'a [bool],
    pub(crate) nulls: &'a Nulls,
    pub(crate) time: Option<&'a TimeField>,
    pub(crate) bytes_max: usize,
}

impl NumberReading<'_> {
    /// Returns the time of a value, if it is a time.
    fn time_of(&self, slot: usize, value: Value<'_>) -> Option<Timestamp> {
        let own = self
            .time
            .filter(|field| field.slot == slot)
            .and_then(|field| field.format.read(value).ok());
        own.or_else(|| match value {
            Value::Text(text) | Value::Untyped(text) => {
                read_known(text.as_bytes()).map(Timestamp::from_millis)
            }
            _ => None,
        })
    }
}

/// The reason why a field cannot be a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotAKey {
    /// The field is a number that is too large or too near to zero.
    OutOfRange,
    /// The key takes this many bytes, more than the limit.
    TooLong(usize),
}

impl Row {
    /// Creates a row with this many slots, all missing.
    pub fn new(slots: usize) -> Self {
        let fields = vec![Field::Missing; slots];
        Row {
            source: Block::default(),
            unescaped: String::new(),
            fields,
            prepared: Prepared::default(),
            kept: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Returns the number of slots.
    pub fn slots(&self) -> usize {
        self.fields.len()
    }

    /// Starts the next record with all fields missing. Its values are in `source`, each of which is
    /// checked to be UTF-8.
    #[inline]
    pub fn begin(&mut self, source: &Bytes) {
        self.begin_in(&Block::from(source.clone()));
    }

    /// Starts the next record with all fields missing. Its values are in `block`.
    #[inline]
    pub(crate) fn begin_in(&mut self, block: &Block) {
        self.begin_in_keeping(block, false);
    }

    /// Starts the next record, whose values are in `block`. All fields are missing, unless
    /// `keeping` is true: then the caller must set every field before it reads one.
    #[inline(always)]
    pub(crate) fn begin_in_keeping(&mut self, block: &Block, keeping: bool) {
        // Most records have the block of the record before, so compare before changing the
        // reference count.
        if !self.source.is_same(block) {
            self.turn_to(block);
        }
        self.unescaped.clear();
        if !keeping {
            self.fields.fill(Field::Missing);
        }
    }

    #[inline(never)]
    fn turn_to(&mut self, block: &Block) {
        // `Limits::record_bytes_max` and the block size of the readers keep blocks far below 4 GiB.
        // In a larger block all values read as empty, instead of as wrong bytes.
        self.source = if u32::try_from(block.as_bytes().len()).is_ok() {
            block.clone()
        } else {
            Block::default()
        };
    }

    /// Sets a boolean. This method and the following ones ignore a slot that does not exist.
    #[inline]
    pub fn set_bool(&mut self, slot: usize, value: bool) {
        self.set(slot, Field::Bool(value));
    }

    /// Sets a field to missing, as for a null.
    #[inline]
    pub fn set_missing(&mut self, slot: usize) {
        self.set(slot, Field::Missing);
    }

    /// Sets a number, given the range of its digits in the source, which must be UTF-8.
    #[inline]
    pub fn set_number(&mut self, slot: usize, range: Range<usize>) {
        self.set(slot, Field::Number(Span::of(range)));
    }

    /// Sets a number of `len` ASCII digits, at most 18. Computes the value only if the slot exists.
    #[inline]
    pub(crate) fn set_integer(
        &mut self,
        slot: usize,
        start: usize,
        len: usize,
        value: impl FnOnce() -> i64,
    ) {
        if let Some(place) = self.fields.get_mut(slot) {
            *place = Field::Integer { start: start as u32, len: len as u8, value: value() };
        }
    }

    /// Sets text of a source that marks text as such, given its range, which must be UTF-8.
    #[inline]
    pub fn set_text(&mut self, slot: usize, range: Range<usize>) {
        self.set(slot, Field::Text(Span::of(range)));
    }

    /// Sets text of a source that does not distinguish text from numbers, given its range, which
    /// must be UTF-8.
    #[inline]
    pub fn set_untyped(&mut self, slot: usize, range: Range<usize>) {
        self.set(slot, Field::Untyped(Span::of(range)));
    }

    /// Sets an array or object, given the range of its JSON text, which must be UTF-8 and valid
    /// JSON.
    #[inline]
    pub fn set_json(&mut self, slot: usize, range: Range<usize>) {
        self.set(slot, Field::Json(Span::of(range)));
    }

    /// Sets text that is not in the source in this form, such as a string with escapes. Copies it.
    pub fn set_unescaped(&mut self, slot: usize, text: &str) {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        self.set(slot, Field::Unescaped(Span::of(start..self.unescaped.len())));
    }

    /// Returns the value of a slot; [`Value::Missing`] if there is no such slot.
    #[inline]
    pub fn value(&self, slot: usize) -> Value<'_> {
        match self.fields.get(slot).copied().unwrap_or(Field::Missing) {
            Field::Missing => Value::Missing,
            Field::Bool(value) => Value::Bool(value),
            Field::Number(span) => Value::Number(span.text(&self.source)),
            Field::Integer { start, len, .. } => {
                Value::Number(Span::of_digits(start, len).text(&self.source))
            }
            Field::Text(span) => Value::Text(span.text(&self.source)),
            Field::Untyped(span) => Value::Untyped(span.text(&self.source)),
            Field::Json(span) => Value::Json(span.text(&self.source)),
            Field::Unescaped(span) => Value::Text(span.of_text(&self.unescaped)),
            Field::Computed(integer) => Value::Integer(integer),
            Field::Float(float) => Value::Float(float),
            Field::Wide(span) => Value::Number(span.of_text(&self.unescaped)),
            Field::CopiedUntyped(span) => Value::Untyped(span.of_text(&self.unescaped)),
            Field::CopiedJson(span) => Value::Json(span.of_text(&self.unescaped)),
        }
    }

    /// Returns the integer of a slot that the source gave as a few digits only, or that was
    /// computed.
    #[inline(always)]
    pub(crate) fn integer(&self, slot: usize) -> Option<i64> {
        if let Some(Field::Integer { value, .. } | Field::Computed(value)) = self.fields.get(slot) {
            Some(*value)
        } else {
            None
        }
    }

    /// Returns the integer of a slot that has a few digits only, so that it is the same as a number
    /// and as text. Most numbers and times are.
    #[inline]
    pub(crate) fn digits(&self, slot: usize) -> Option<i64> {
        match self.fields.get(slot)? {
            Field::Integer { value, .. } | Field::Computed(value) => Some(*value),
            Field::Number(span) | Field::Text(span) | Field::Untyped(span) => {
                digits_at(self.source.as_bytes(), span.start as usize, span.end as usize)
            }
            Field::CopiedUntyped(span) => {
                digits_at(self.unescaped.as_bytes(), span.start as usize, span.end as usize)
            }
            _ => None,
        }
    }

    /// Returns the event time, from the field and in the format that the pipeline names.
    #[inline(always)]
    pub(crate) fn event_time(&self, field: &TimeField) -> Result<Timestamp, NotATime> {
        match self.integer(field.slot) {
            Some(integer) if field.is_usual(integer) => Ok(Timestamp::from_millis(integer)),
            _ => self.unusual_event_time(field),
        }
    }

    /// As [`event_time`](Row::event_time), for values that are not an integer of milliseconds.
    #[inline(never)]
    fn unusual_event_time(&self, field: &TimeField) -> Result<Timestamp, NotATime> {
        let digits = self.digits(field.slot);
        let time = digits.and_then(|integer| field.format.read_digits(integer));
        time.unwrap_or_else(|| field.format.read(self.value(field.slot)))
    }

    /// Sets the fields in `slots` to missing if their values are markers of missing values.
    pub(crate) fn clear_nulls(&mut self, slots: &[usize], nulls: &Nulls) {
        for &slot in slots {
            let may_be_one = match self.fields.get(slot) {
                Some(Field::Integer { .. } | Field::Number(_)) => nulls.has_numbers(),
                Some(Field::Text(_) | Field::Untyped(_) | Field::Unescaped(_)) => true,
                _ => false,
            };
            if may_be_one && nulls.contain(self.value(slot)) {
                self.set_missing(slot);
            }
        }
    }

    /// Keeps a copy of the fields in `slots`.
    pub(crate) fn keep_fields(&mut self, slots: &[usize]) {
        let Row { fields, kept, .. } = self;
        kept.clear();
        let of = |slot: &usize| fields.get(*slot).copied().unwrap_or(Field::Missing);
        kept.extend(slots.iter().map(of));
    }

    /// Sets the fields in `slots` to what [`keep_fields`](Row::keep_fields) has kept of them.
    pub(crate) fn give_back_fields(&mut self, slots: &[usize]) {
        let Row { fields, kept, .. } = self;
        for (slot, field) in slots.iter().zip(kept) {
            if let Some(place) = fields.get_mut(*slot) {
                *place = *field;
            }
        }
    }

    /// Starts to prepare the row for aggregates that need this many numbers, keys and tests. The
    /// caller must set all of them.
    #[inline(always)]
    pub(crate) fn begin_prepared(&mut self, numbers: usize, keys: usize, tests: usize) {
        let prepared = &mut self.prepared;
        prepared.encoded.clear();
        prepared.group = KeyBytes::Missing;
        if (prepared.numbers.len(), prepared.keys.len(), prepared.tests.len())
            != (numbers, keys, tests)
        {
            prepared.numbers.resize(numbers, PreparedNumber::Missing);
            prepared.keys.resize(keys, KeyBytes::Missing);
            prepared.tests.resize(tests, false);
        }
    }

    /// Stores whether the row passes a test.
    #[inline]
    pub(crate) fn prepare_test(&mut self, index: usize, passes: bool) {
        if let Some(place) = self.prepared.tests.get_mut(index) {
            *place = passes;
        }
    }

    /// Reads fields as numbers. The error holds the slot of the field that is not a number.
    #[inline(always)]
    pub(crate) fn prepare_numbers(
        &mut self,
        reading: &NumberReading<'_>,
    ) -> Result<(), (usize, NotANumber)> {
        let Row { fields, prepared, .. } = self;
        for (index, (place, &slot)) in prepared.numbers.iter_mut().zip(reading.slots).enumerate() {
            let Some(Field::Integer { value, .. } | Field::Computed(value)) = fields.get(slot)
            else {
                return self.prepare_numbers_from(index, reading);
            };
            *place = PreparedNumber::Short(*value);
        }
        Ok(())
    }

    /// Reads fields as numbers, beginning with one that is not a plain integer.
    #[inline(never)]
    fn prepare_numbers_from(
        &mut self,
        first: usize,
        reading: &NumberReading<'_>,
    ) -> Result<(), (usize, NotANumber)> {
        let mut numbers = reading.slots.iter().enumerate().skip(first);
        numbers.try_for_each(|(index, &slot)| {
            self.prepare_number(index, slot, reading).map_err(|why| (slot, why))
        })
    }

    fn prepare_number(
        &mut self,
        index: usize,
        slot: usize,
        reading: &NumberReading<'_>,
    ) -> Result<(), NotANumber> {
        let number = match self.digits(slot) {
            Some(integer) => PreparedNumber::Short(integer),
            None => match number_of(self.value(slot)) {
                Ok(number) => number.into(),
                Err(why) => self.prepare_no_number((index, slot), why, reading)?,
            },
        };
        if let Some(place) = self.prepared.numbers.get_mut(index) {
            *place = number;
        }
        Ok(())
    }

    /// Prepares a value that is not a number: it is missing, or accepted for its order.
    #[cold]
    fn prepare_no_number(
        &mut self,
        (index, slot): (usize, usize),
        why: NotANumber,
        reading: &NumberReading<'_>,
    ) -> Result<PreparedNumber, NotANumber> {
        if reading.nulls.contain(self.value(slot)) {
            return Ok(PreparedNumber::Missing);
        }
        if why != NotANumber::Other || !reading.any_order.get(index).copied().unwrap_or(false) {
            return Err(why);
        }
        let mut encoded = std::mem::take(&mut self.prepared.encoded);
        let start = encoded.len();
        let value = self.value(slot);
        match (value, reading.time_of(slot, value)) {
            (Value::Text(text) | Value::Untyped(text), Some(time)) => {
                write_time(time, text, &mut encoded)
            }
            _ => KeyForm::of(value).write(&mut encoded),
        }
        let end = encoded.len();
        self.prepared.encoded = encoded;
        match end - start > reading.bytes_max {
            true => Err(NotANumber::TooLong(end - start)),
            false => Ok(PreparedNumber::Ordered(KeyBytes::Encoded(Span::of(start..end)))),
        }
    }

    /// Returns the bytes by which a value that is not a number is ordered.
    pub(crate) fn order(&self, key: KeyBytes) -> &[u8] {
        self.copied_key(key)
    }

    /// Encodes a field as a key of at most `bytes_max` bytes.
    #[inline]
    pub(crate) fn prepare_key(
        &mut self,
        index: usize,
        slot: usize,
        bytes_max: usize,
    ) -> Result<(), NotAKey> {
        let key = self.key_of(slot, bytes_max)?;
        if let Some(place) = self.prepared.keys.get_mut(index) {
            *place = key;
        }
        Ok(())
    }

    /// Encodes several fields as one key. It is missing if all of them are. The error holds the
    /// slot of the field that does not fit.
    pub(crate) fn prepare_key_of(
        &mut self,
        index: usize,
        slots: &[usize],
        bytes_max: usize,
    ) -> Result<(), (usize, NotAKey)> {
        let is_missing =
            |slot: &usize| matches!(self.value(*slot), Value::Missing | Value::Untyped(""));
        let key = match slots.iter().all(is_missing) {
            true => KeyBytes::Missing,
            false => self.tuple_of(slots, bytes_max)?,
        };
        if let Some(place) = self.prepared.keys.get_mut(index) {
            *place = key;
        }
        Ok(())
    }

    /// Encodes a field, which may be missing, as the key of the row's group.
    #[inline(always)]
    pub(crate) fn prepare_group(&mut self, slot: usize, bytes_max: usize) -> Result<(), NotAKey> {
        if let Some(span) = self.plain_key(slot, bytes_max) {
            self.prepared.group = KeyBytes::Source(span);
            return Ok(());
        }
        self.prepared.group = match self.other_key_of(slot, bytes_max)? {
            KeyBytes::Missing => {
                let start = self.prepared.encoded.len();
                KeyForm::Missing.write(&mut self.prepared.encoded);
                KeyBytes::Encoded(Span::of(start..self.prepared.encoded.len()))
            }
            key => key,
        };
        Ok(())
    }

    /// Encodes several fields as the key of the row's group. The error holds the slot of the field
    /// that does not fit.
    pub(crate) fn prepare_group_of(
        &mut self,
        slots: &[usize],
        bytes_max: usize,
    ) -> Result<(), (usize, NotAKey)> {
        self.prepared.group = self.tuple_of(slots, bytes_max)?;
        Ok(())
    }

    /// Encodes several fields as a tuple.
    fn tuple_of(
        &mut self,
        slots: &[usize],
        bytes_max: usize,
    ) -> Result<KeyBytes, (usize, NotAKey)> {
        let mut encoded = std::mem::take(&mut self.prepared.encoded);
        let start = encoded.len();
        let mut refused = Ok(());
        for &slot in slots {
            let form = KeyForm::of(self.value(slot));
            form.write_part(&mut encoded);
            if let KeyForm::OutOfRange(_) = form {
                refused = Err((slot, NotAKey::OutOfRange));
            } else if encoded.len() - start > bytes_max {
                refused = Err((slot, NotAKey::TooLong(encoded.len() - start)));
            }
            if refused.is_err() {
                break;
            }
        }
        let key = KeyBytes::Encoded(Span::of(start..encoded.len()));
        self.prepared.encoded = encoded;
        refused.map(|()| key)
    }

    #[inline(always)]
    fn key_of(&mut self, slot: usize, bytes_max: usize) -> Result<KeyBytes, NotAKey> {
        match self.plain_key(slot, bytes_max) {
            Some(span) => Ok(KeyBytes::Source(span)),
            None => self.other_key_of(slot, bytes_max),
        }
    }

    /// Returns the span of a text that is its own key, if the block is known to be text. Only its
    /// first byte has to be checked.
    #[inline(always)]
    fn plain_key(&self, slot: usize, bytes_max: usize) -> Option<Span> {
        let (Field::Text(span) | Field::Untyped(span)) = self.fields.get(slot)? else {
            return None;
        };
        let text = span.bytes(self.source.known_text()?);
        let is_typed = matches!(self.fields.get(slot), Some(Field::Text(_)));
        (KeyForm::is_text_itself(text)
            && (is_typed || KeyForm::is_no_number(text))
            && span.len() <= bytes_max)
            .then_some(*span)
    }

    #[inline(never)]
    fn other_key_of(&mut self, slot: usize, bytes_max: usize) -> Result<KeyBytes, NotAKey> {
        match KeyForm::of(self.value(slot)) {
            KeyForm::Missing => Ok(KeyBytes::Missing),
            KeyForm::Text(text) if text.len() <= bytes_max => Ok(self.own_text(slot)),
            KeyForm::Text(text) => Err(NotAKey::TooLong(text.len())),
            _ => self.encode_key(slot, bytes_max),
        }
    }

    #[inline]
    fn own_text(&self, slot: usize) -> KeyBytes {
        match self.fields.get(slot) {
            Some(
                Field::Text(span) | Field::Untyped(span) | Field::Json(span) | Field::Number(span),
            ) => KeyBytes::Source(*span),
            Some(Field::Integer { start, len, .. }) => {
                KeyBytes::Source(Span::of_digits(*start, *len))
            }
            Some(
                Field::Unescaped(span)
                | Field::Wide(span)
                | Field::CopiedUntyped(span)
                | Field::CopiedJson(span),
            ) => KeyBytes::Unescaped(*span),
            Some(Field::Missing | Field::Bool(_) | Field::Computed(_) | Field::Float(_)) | None => {
                KeyBytes::Missing
            }
        }
    }

    fn encode_key(&mut self, slot: usize, bytes_max: usize) -> Result<KeyBytes, NotAKey> {
        let mut encoded = std::mem::take(&mut self.prepared.encoded);
        let start = encoded.len();
        let form = KeyForm::of(self.value(slot));
        form.write(&mut encoded);
        let out_of_range = matches!(form, KeyForm::OutOfRange(_));
        let end = encoded.len();
        self.prepared.encoded = encoded;
        match end - start {
            _ if out_of_range => Err(NotAKey::OutOfRange),
            length if length > bytes_max => Err(NotAKey::TooLong(length)),
            _ => Ok(KeyBytes::Encoded(Span::of(start..end))),
        }
    }

    /// Returns a prepared number. By reference, because usually only its kind and one word are
    /// read.
    #[inline]
    pub(crate) fn number(&self, index: usize) -> &PreparedNumber {
        self.prepared.numbers.get(index).unwrap_or(&PreparedNumber::Missing)
    }

    /// Returns true if the row passes the test.
    #[inline]
    pub(crate) fn passes(&self, index: usize) -> bool {
        self.prepared.tests.get(index).copied().unwrap_or(false)
    }

    /// Returns the prepared values.
    #[inline]
    pub(crate) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// Returns the prepared values, to be filled with values that were prepared elsewhere.
    #[inline]
    pub(crate) fn prepared_mut(&mut self) -> &mut Prepared {
        &mut self.prepared
    }

    /// Returns the bytes of unescaped text.
    #[inline]
    pub(crate) fn unescaped(&self) -> &[u8] {
        self.unescaped.as_bytes()
    }

    /// Returns a prepared key; `None` if the field is missing.
    #[inline]
    pub(crate) fn key(&self, index: usize) -> Option<&[u8]> {
        self.bytes_of(self.prepared.keys.get(index).copied().unwrap_or_default())
    }

    /// Returns the key of the row's group.
    #[inline]
    pub(crate) fn group_key(&self) -> &[u8] {
        match self.prepared.group {
            KeyBytes::Source(span) => span.bytes(self.source.as_bytes()),
            group => self.copied_key(group),
        }
    }

    #[inline(never)]
    fn copied_key(&self, key: KeyBytes) -> &[u8] {
        self.bytes_of(key).unwrap_or_default()
    }

    #[inline]
    fn bytes_of(&self, key: KeyBytes) -> Option<&[u8]> {
        match key {
            KeyBytes::Missing => None,
            KeyBytes::Source(span) => Some(span.bytes(self.source.as_bytes())),
            KeyBytes::Unescaped(span) => Some(span.bytes(self.unescaped.as_bytes())),
            KeyBytes::Encoded(span) => Some(span.bytes(&self.prepared.encoded)),
        }
    }

    #[inline]
    fn set(&mut self, slot: usize, field: Field) {
        if let Some(place) = self.fields.get_mut(slot) {
            *place = field;
        }
    }
}
