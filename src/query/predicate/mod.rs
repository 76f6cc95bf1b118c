//! Predicates, which select the records of a pipeline: `status >= 500 and not (path contains
//! '/health')`.
//!
//! A comparison is `field OP value`, with `== != < <= > >=`, `in`, `contains` and `matches`.
//! `exists field` tests whether the record has the field. Comparisons are combined with `not`,
//! `and`, `or` (which bind in this order, tightest first) and parentheses.
//!
//! - [`literal`](super::literal) documents how a value of a record is compared with a literal.
//! - A comparison is false if the field is missing, null, or empty text of an untyped source, even
//!   with `!=`. So for a record without `x`, `not (x > 5)` is true and `x <= 5` is false.
//!   [`null`](crate::row::null) documents what else counts as missing.
//! - `in` takes a list, `('a', 'b')` or `['a', 'b']`, and is true if an element of the list is
//!   equal. `contains` and `matches` take text and test the field's text. The text of a number is
//!   the one that answers have, however the number is written. `contains` of a JSON array is true
//!   if an element is equal to the text. `matches` takes a regular expression of the `regex` crate,
//!   in time linear in the text, and is true if it matches anywhere.

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

/// A condition on records.
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

/// A function that receives a field of a predicate, and the comparison if there is one.
type TakeField<'a> = dyn FnMut(usize, Option<(Operator, &mut Literal)>) -> Result<(), Error> + 'a;

impl Predicate {
    /// Returns the largest slot that the predicate reads.
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

    /// Returns true if the row passes. Allocates nothing.
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

    /// Calls `take` for each field that the predicate reads, with its comparison if there is one.
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

/// Returns true if an element of an array is equal to `part`, or if the text of any other value
/// contains it.
fn contains(value: Value<'_>, part: &TextLiteral) -> bool {
    match value {
        Value::Json(text) if text.starts_with('[') => {
            any_element(text, |element| part.compares(Operator::Equal, element))
        }
        value => text_of(value).is_some_and(|text| text.contains(&part.text)),
    }
}

/// Returns the text of a value. A number has one text, that of the answers, however it is written.
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

/// Returns true if a JSON number is written as answers write integers.
fn is_plain_integer(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cold]
fn number_text(text: &str) -> String {
    let mut key = Vec::new();
    KeyForm::of(Value::Number(text)).write(&mut key);
    key::decode(&key).to_string()
}
