//! Where a part of an expression is in its text, for the sentence of a dead letter.

use super::why::{Why, WhyKind};
use crate::query::field::Fields;
use crate::row::number::number_of;
use crate::row::{Row, Value};
use std::fmt::Write;

/// The places of an expression at which computing it can fail.
#[derive(Debug, Default)]
pub(super) struct Source {
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    column: usize,
    /// The part of the expression that is there, as it is written.
    written: Box<str>,
    /// The field, if the part is one.
    slot: Option<usize>,
}

impl Source {
    /// Adds a place, and returns its index. An expression has at most 10,000 nodes.
    pub(super) fn add(&mut self, column: usize, written: &str, slot: Option<usize>) -> u16 {
        self.places.push(Place { column, written: written.into(), slot });
        u16::try_from(self.places.len() - 1).unwrap_or(u16::MAX)
    }

    /// Returns a sentence with column, name and value, as in `column 9: bytes: "abc" is not a
    /// number`.
    #[cold]
    pub(super) fn sentence(&self, why: Why, row: &Row, fields: &Fields) -> String {
        let Some(place) = self.places.get(usize::from(why.place)) else {
            return why.kind.words().to_owned();
        };
        let mut text = format!("column {}: ", place.column);
        let _ = match place.slot {
            Some(slot) => {
                let value = row.value(slot);
                let words = match (why.kind, number_of(value)) {
                    (WhyKind::NotANumber, Err(why)) => why.to_string(),
                    (kind, _) => kind.words().to_owned(),
                };
                let name = match fields.name(slot) {
                    "" => shortened(&place.written),
                    name => name.to_owned(),
                };
                write!(text, "{name}: {} {words}", shown(value))
            }
            None => write!(text, "{} {}", shortened(&place.written), why.kind.words()),
        };
        text
    }
}

/// Returns a value as an error shows it. Text is in quotes.
#[cold]
pub(in crate::rows) fn shown(value: Value<'_>) -> String {
    match value {
        Value::Missing => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) | Value::Json(text) => shortened(text),
        Value::Text(text) | Value::Untyped(text) => format!("{:?}", shortened(text)),
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => float.to_string(),
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.chars().count() <= SHOWN {
        text.into()
    } else {
        text.chars().take(SHOWN).chain("...".chars()).collect()
    }
}
