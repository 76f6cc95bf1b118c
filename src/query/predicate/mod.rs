//! Which records a pipeline takes: `status >= 500 and not (path contains '/health')`.
//!
//! A comparison is `field OP value`, with `== != < <= > >=`, `in`, `contains` and `matches`;
//! `exists field` asks whether the record has the field. They are joined by `not`, `and`, `or`
//! (which bind in this order, tightest first) and parentheses.
//!
//! - How a value of a record compares with the one that is written is said in
//!   [`literal`](super::literal).
//! - A comparison with a field that is missing, null, or empty text of an untyped source is false,
//!   with `!=` too. So `not (x > 5)` is true, and `x <= 5` is false, for a record without `x`. What
//!   else counts as missing is said in [`null`](super::null).
//! - `in` takes a list, `('a', 'b')` or `['a', 'b']`, and is true if one of the list is equal.
//!   `contains` and `matches` take text and look at the field's text, which of a number is the one
//!   that answers have, however the number is written. `contains` of a JSON array is true if an
//!   element is equal to the text. `matches` takes a regular expression of the `regex` crate, in
//!   time linear in the text, and is true if it is found anywhere.

mod parse;
#[cfg(test)]
mod tests;

use super::literal::{Literal, Operator, TextLiteral};
use crate::error::Error;
use crate::row::Row;
use crate::row::Value;
use crate::row::json_array::any_element;
use crate::row::key::{self, KeyForm};
use std::borrow::Cow;

/// Which records a pipeline takes.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    Exists(usize),
    Compare(usize, Operator, Literal),
    In(usize, Vec<Literal>),
    Contains(usize, TextLiteral),
    Matches(usize, regex::Regex),
}

/// What takes a field that a predicate looks at, and what it is compared with.
type TakeField<'a> = dyn FnMut(usize, Option<(Operator, &mut Literal)>) -> Result<(), Error> + 'a;

impl Predicate {
    /// The largest slot that is looked at.
    pub(crate) fn slot_max(&self) -> Option<usize> {
        match self {
            Predicate::All(parts) | Predicate::Any(parts) => {
                parts.iter().filter_map(Predicate::slot_max).max()
            }
            Predicate::Not(part) => part.slot_max(),
            Predicate::Exists(slot)
            | Predicate::Compare(slot, ..)
            | Predicate::In(slot, _)
            | Predicate::Contains(slot, _)
            | Predicate::Matches(slot, _) => Some(*slot),
        }
    }

    /// Whether the row passes. Allocates nothing.
    pub(crate) fn holds(&self, row: &Row) -> bool {
        match self {
            Predicate::All(parts) => parts.iter().all(|part| part.holds(row)),
            Predicate::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Predicate::Not(part) => !part.holds(row),
            Predicate::Exists(slot) => !row.value(*slot).is_missing(),
            Predicate::Compare(slot, operator, literal) => {
                literal.compares(*operator, row.value(*slot))
            }
            Predicate::In(slot, literals) => {
                literals.iter().any(|literal| literal.compares(Operator::Equal, row.value(*slot)))
            }
            Predicate::Contains(slot, part) => contains(row.value(*slot), part),
            Predicate::Matches(slot, regex) => {
                text_of(row.value(*slot)).is_some_and(|text| regex.is_match(&text))
            }
        }
    }

    /// Calls `take` for each field that is looked at, with what it is compared with, if it is.
    pub(crate) fn each_field(&mut self, take: &mut TakeField<'_>) -> Result<(), Error> {
        match self {
            Predicate::All(parts) | Predicate::Any(parts) => {
                parts.iter_mut().try_for_each(|part| part.each_field(take))
            }
            Predicate::Not(part) => part.each_field(take),
            Predicate::Exists(slot)
            | Predicate::Contains(slot, _)
            | Predicate::Matches(slot, _) => take(*slot, None),
            Predicate::Compare(slot, operator, literal) => take(*slot, Some((*operator, literal))),
            Predicate::In(slot, literals) => literals
                .iter_mut()
                .try_for_each(|literal| take(*slot, Some((Operator::Equal, literal)))),
        }
    }
}

/// Whether an element of an array is equal to the part, or the text of any other value has it
/// somewhere.
fn contains(value: Value<'_>, part: &TextLiteral) -> bool {
    match value {
        Value::Json(text) if text.starts_with('[') => {
            any_element(text, |element| part.compares(Operator::Equal, element))
        }
        value => text_of(value).is_some_and(|text| text.contains(&part.text)),
    }
}

/// The text of a value. A number has one text, however it is written: that of the answers.
fn text_of(value: Value<'_>) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::Missing | Value::Untyped("") => return None,
        Value::Number(text) if is_plain_integer(text) => text.into(),
        Value::Number(text) => number_text(text).into(),
        Value::Text(text) | Value::Untyped(text) | Value::Json(text) => text.into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
    })
}

/// Whether a JSON number is written as integers are in answers.
fn is_plain_integer(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cold]
fn number_text(text: &str) -> String {
    let mut key = Vec::new();
    KeyForm::of(Value::Number(text)).write(&mut key);
    key::decode(&key).to_string()
}
