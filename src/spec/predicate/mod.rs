//! Which records a pipeline takes: `status >= 500 and not (path contains '/health')`.
//!
//! A comparison is `field OP value`, with `== != < <= > >=`, `in`, `contains` and `matches`; `exists field` asks whether the record has the
//! field. They are joined by `not`, `and`, `or` (which bind in this order, tightest first) and parentheses.
//!
//! - A value in quotes is text, and is compared with the field's text as the source wrote it, by code point. An unquoted number is
//!   compared as a number, exactly; text that is numeric counts as one. `true` and `false` are compared with truth values.
//! - A comparison with a field that is missing, null, or empty text of an untyped source is false, with `!=` too. In an untyped source the
//!   usual null markers (`NA`, `NULL` and so on) count as missing where the value is a number. So `not (x > 5)` is true, and `x <= 5` is
//!   false, for a record without `x`.
//! - Of a field that is there but is of another kind than the value, `!=` is true and every other comparison is false.
//! - `in` takes a list, `('a', 'b')` or `['a', 'b']`, and is true if one of the list is equal. `contains` and `matches` take text and look at
//!   the field's text; `matches` takes a regular expression of the `regex` crate, in time linear in the text, and is true if it is found
//!   anywhere.

mod parse;
#[cfg(test)]
mod tests;

use super::number::{Number, number_of};
use super::row::{Row, Value};
use std::cmp::Ordering;

/// Which records a pipeline takes.
#[derive(Clone, Debug)]
pub(super) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    Exists(usize),
    Compare(usize, Operator, Literal),
    In(usize, Vec<Literal>),
    Contains(usize, String),
    Matches(usize, regex::Regex),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Operator::Equal => order.is_eq(),
            Operator::Unequal => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The value that a field is compared with.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Literal {
    Number(Number),
    Text(String),
    Bool(bool),
}

impl Predicate {
    /// The largest slot that is looked at.
    pub(super) fn slot_max(&self) -> Option<usize> {
        match self {
            Predicate::All(parts) | Predicate::Any(parts) => parts.iter().filter_map(Predicate::slot_max).max(),
            Predicate::Not(part) => part.slot_max(),
            Predicate::Exists(slot)
            | Predicate::Compare(slot, ..)
            | Predicate::In(slot, _)
            | Predicate::Contains(slot, _)
            | Predicate::Matches(slot, _) => Some(*slot),
        }
    }

    /// Whether the row passes. Allocates nothing.
    pub(super) fn holds(&self, row: &Row) -> bool {
        match self {
            Predicate::All(parts) => parts.iter().all(|part| part.holds(row)),
            Predicate::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Predicate::Not(part) => !part.holds(row),
            Predicate::Exists(slot) => !row.value(*slot).is_missing(),
            Predicate::Compare(slot, operator, literal) => literal.compares(*operator, row.value(*slot)),
            Predicate::In(slot, literals) => literals.iter().any(|literal| literal.compares(Operator::Equal, row.value(*slot))),
            Predicate::Contains(slot, part) => text_of(row.value(*slot)).is_some_and(|text| text.contains(part)),
            Predicate::Matches(slot, regex) => text_of(row.value(*slot)).is_some_and(|text| regex.is_match(text)),
        }
    }
}

impl Literal {
    #[inline]
    fn compares(&self, operator: Operator, value: Value<'_>) -> bool {
        if value.is_missing() {
            return false;
        }
        let order = match self {
            Literal::Number(number) => match number_of(value) {
                Ok(Some(value)) => Some(value.cmp(number)),
                Ok(None) => return false,
                Err(_) => None,
            },
            Literal::Text(literal) => text_of(value).map(|text| text.cmp(literal)),
            Literal::Bool(literal) => bool_of(value).map(|value| value.cmp(literal)),
        };
        match order {
            Some(order) => operator.holds(order),
            None => operator == Operator::Unequal,
        }
    }
}

fn text_of(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Missing | Value::Untyped("") => None,
        Value::Number(text) | Value::Text(text) | Value::Untyped(text) => Some(text),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
    }
}

fn bool_of(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(value),
        Value::Untyped("true") => Some(true),
        Value::Untyped("false") => Some(false),
        _ => None,
    }
}
