//! Values that expressions compute, and the room that computing them takes.
//!
//! A computed value is in a slot of the row behind those of the fields, so that everything that
//! reads a field reads it, too.

use super::fields::{Field, Row};
use super::number::Number;
use super::span::Span;
use super::value::Value;
use crate::time::Timestamp;
use regex::Regex;
use std::fmt::Write;

/// The place of a text that was computed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextPlace {
    /// There is no text.
    Missing,
    /// A part of the record's own bytes.
    Source(Span),
    /// A part of unescaped text.
    Unescaped(Span),
    /// The text in the scratch.
    Scratch,
}

impl Row {
    /// Adds slots for computed values behind those of the fields, if they are not there.
    #[inline]
    pub(crate) fn set_slots(&mut self, slots: usize) {
        if self.fields.len() < slots {
            self.fields.resize(slots, Field::Missing);
        }
    }

    /// Sets a slot to a number that was computed.
    #[inline]
    pub(crate) fn set_computed(&mut self, slot: usize, number: Number) {
        let field = match number {
            Number::Float(float) => match Number::of_float(float) {
                Number::Float(float) => Field::Float(float),
                Number::Int(integer) => self.field_of(integer),
            },
            Number::Int(integer) => self.field_of(integer),
        };
        self.set_field(slot, field);
    }

    /// Sets a slot to an integer that was computed.
    #[inline]
    pub(crate) fn set_computed_integer(&mut self, slot: usize, integer: i64) {
        self.set_field(slot, Field::Computed(integer));
    }

    /// Sets a slot to a time that was computed, as text.
    pub(crate) fn set_time_text(&mut self, slot: usize, millis: i64) {
        let start = self.unescaped.len();
        let _ = write!(self.unescaped, "{}", Timestamp::from_millis(millis));
        self.set_field(slot, Field::Unescaped(Span::of(start..self.unescaped.len())));
    }

    fn field_of(&mut self, integer: i128) -> Field {
        match i64::try_from(integer) {
            Ok(integer) => Field::Computed(integer),
            Err(_) => {
                let start = self.unescaped.len();
                let _ = write!(self.unescaped, "{integer}");
                Field::Wide(Span::of(start..self.unescaped.len()))
            }
        }
    }

    /// Sets a slot to a value from elsewhere. Copies its text.
    pub(crate) fn set_value(&mut self, slot: usize, value: Value<'_>) {
        let field = match value {
            Value::Missing => Field::Missing,
            Value::Bool(truth) => Field::Bool(truth),
            Value::Integer(integer) => Field::Computed(integer),
            Value::Float(float) => Field::Float(float),
            Value::Number(text) => Field::Wide(self.copied(text)),
            Value::Text(text) => Field::Unescaped(self.copied(text)),
            Value::Untyped(text) => Field::CopiedUntyped(self.copied(text)),
            Value::Json(text) => Field::CopiedJson(self.copied(text)),
        };
        self.set_field(slot, field);
    }

    /// Removes the unescaped text behind this many bytes. No slot may refer to it any more.
    pub(crate) fn truncate_unescaped(&mut self, bytes: usize) {
        self.unescaped.truncate(bytes);
    }

    fn copied(&mut self, text: &str) -> Span {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        Span::of(start..self.unescaped.len())
    }

    /// Sets a slot to the value of another slot.
    #[inline]
    pub(crate) fn copy_field(&mut self, slot: usize, from: usize) {
        let field = self.fields.get(from).copied().unwrap_or(Field::Missing);
        self.set_field(slot, field);
    }

    /// Takes the text of the scratch, to be given back by [`set_text_at`](Row::set_text_at).
    #[inline]
    pub(crate) fn take_scratch(&mut self) -> String {
        std::mem::take(&mut self.scratch.text)
    }

    /// Returns where a text is. Text that is neither in the record nor in the unescaped text is
    /// copied into the scratch.
    #[inline]
    pub(crate) fn place_of(&self, text: &str, scratch: &mut String) -> TextPlace {
        if let Some(span) = span_in(text, self.source.as_bytes()) {
            return TextPlace::Source(span);
        }
        if let Some(span) = span_in(text, self.unescaped.as_bytes()) {
            return TextPlace::Unescaped(span);
        }
        scratch.clear();
        scratch.push_str(text);
        TextPlace::Scratch
    }

    /// Sets a slot to a text that was computed, and takes the scratch back.
    #[inline]
    pub(crate) fn set_text_at(&mut self, slot: usize, place: TextPlace, scratch: String) {
        let field = match place {
            TextPlace::Missing => Field::Missing,
            TextPlace::Source(span) => Field::Text(span),
            TextPlace::Unescaped(span) => Field::Unescaped(span),
            TextPlace::Scratch => {
                let start = self.unescaped.len();
                self.unescaped.push_str(&scratch);
                Field::Unescaped(Span::of(start..self.unescaped.len()))
            }
        };
        self.scratch.text = scratch;
        self.set_field(slot, field);
    }

    /// Returns a group of the first match of a regular expression, which has this number in the
    /// pipeline; `None` if nothing matches, or the group is not part of the match.
    pub(crate) fn captured<'t>(
        &self,
        (index, regex): (usize, &Regex),
        text: &'t str,
        group: usize,
    ) -> Option<&'t str> {
        if group == 0 {
            return regex.find(text).map(|found| found.as_str());
        }
        let Ok(mut locations) = self.scratch.locations.lock() else {
            return regex.captures(text)?.get(group).map(|found| found.as_str());
        };
        if locations.len() <= index {
            locations.resize(index + 1, None);
        }
        let own = locations.get_mut(index)?.get_or_insert_with(|| regex.capture_locations());
        regex.captures_read(own, text)?;
        let (start, end) = own.get(group)?;
        text.get(start..end)
    }

    #[inline]
    fn set_field(&mut self, slot: usize, field: Field) {
        if let Some(place) = self.fields.get_mut(slot) {
            *place = field;
        }
    }
}

/// Returns the position of a text that is a part of these bytes; `None` if it is elsewhere.
#[inline]
fn span_in(text: &str, bytes: &[u8]) -> Option<Span> {
    let start = (text.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)?;
    let end = start + text.len();
    (end <= bytes.len()).then(|| Span::of(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn text_that_is_a_part_of_the_record_is_not_copied() {
        let mut row = Row::new(3);
        row.begin(&Bytes::from_static(b"abcdef"));
        row.set_text(0, 1..5);
        row.set_unescaped(1, "xyz");
        let mut scratch = row.take_scratch();
        let Value::Text(source) = row.value(0) else { panic!("a text") };
        let place = row.place_of(&source[1..3], &mut scratch);
        assert!(matches!(place, TextPlace::Source(_)), "{place:?}");
        let Value::Text(unescaped) = row.value(1) else { panic!("a text") };
        let inside = row.place_of(&unescaped[1..], &mut scratch);
        assert!(matches!(inside, TextPlace::Unescaped(_)), "{inside:?}");
        let made = row.place_of("made", &mut scratch);
        assert!(matches!(made, TextPlace::Scratch), "{made:?}");
        row.set_text_at(2, made, scratch);
        assert_eq!(row.value(2), Value::Text("made"));
        row.set_text_at(2, place, String::new());
        assert_eq!(row.value(2), Value::Text("cd"));
        row.set_text_at(2, inside, String::new());
        assert_eq!(row.value(2), Value::Text("yz"));
    }

    #[test]
    fn a_computed_number_is_a_number_as_any() {
        let mut row = Row::new(4);
        row.begin(&Bytes::new());
        for (slot, number, shown) in [
            (0, Number::Int(-7), Value::Integer(-7)),
            (1, Number::Float(2.5), Value::Float(2.5)),
            (2, Number::Float(4.0), Value::Integer(4)),
            (3, Number::Int(1 << 70), Value::Number("1180591620717411303424")),
        ] {
            row.set_computed(slot, number);
            assert_eq!(row.value(slot), shown);
        }
        assert_eq!((row.integer(0), row.integer(1)), (Some(-7), None));
        row.copy_field(0, 3);
        assert_eq!(row.value(0), Value::Number("1180591620717411303424"));
    }

    #[test]
    fn groups_of_a_match_are_found_again_and_again() {
        let row = Row::new(0);
        let (slash, words) = (Regex::new("/(a+)(b)?").unwrap(), Regex::new("(x)(y)").unwrap());
        for _ in 0..2 {
            assert_eq!(row.captured((1, &slash), "..//aab", 1), Some("aa"));
            assert_eq!(row.captured((1, &slash), "/a", 2), None);
            assert_eq!(row.captured((0, &words), "xy", 2), Some("y"));
            assert_eq!(row.captured((0, &words), "xy", 0), Some("xy"));
            assert_eq!(row.captured((0, &words), "yx", 1), None);
        }
    }
}
