//! Fields whose values are taken as they are, and their comparison with each other.

use super::tree::{Any, LookupTree, Reading};
use super::why::{Why, WhyKind};
use crate::query::literal::Operator;
use crate::row::interval_text::read_interval;
use crate::row::number::number_of;
use crate::row::time_words::read_known;
use crate::row::{Number, Row, Value};
use std::cmp::Ordering;

impl Any {
    /// Returns the slot that has the value; `None` for null.
    #[inline]
    pub(super) fn slot(&self, row: &Row) -> Result<Option<usize>, Why> {
        Ok(match self {
            Any::Missing => None,
            Any::Field(slot) => Some(*slot),
            Any::Case(case) => return case.chosen(row)?.slot(row),
            Any::Coalesce(parts) => {
                for part in parts {
                    if let Some(slot) = part.slot(row)?
                        && !row.value(slot).is_missing()
                    {
                        return Ok(Some(slot));
                    }
                }
                None
            }
            Any::Extreme(extreme, parts) => {
                let present = parts.iter().map(|part| {
                    let slot = part.slot(row)?;
                    Ok(slot.filter(|slot| !row.value(*slot).is_missing()))
                });
                return extreme.of(present, |a, b| {
                    order(row.value(*a), row.value(*b)).unwrap_or(Ordering::Equal)
                });
            }
        })
    }

    /// Returns the value.
    #[inline]
    pub(super) fn value<'r>(&self, row: &'r Row) -> Result<Value<'r>, Why> {
        Ok(match self {
            Any::Field(slot) => row.value(*slot),
            any => any.slot(row)?.map_or(Value::Missing, |slot| row.value(slot)),
        })
    }
}

impl LookupTree {
    /// Returns the value; missing if the key is null or in no row.
    #[inline]
    pub(super) fn value(&self, row: &Row) -> Result<Value<'_>, Why> {
        let found = self.key.eval(row)?.and_then(|key| self.table.row(&key));
        Ok(found.map_or(Value::Missing, |found| self.table.value(found, self.column)))
    }
}

impl Reading {
    /// Returns the field as a number.
    #[inline(never)]
    pub(super) fn number(&self, row: &Row) -> Result<Option<Number>, Why> {
        if let Some(integer) = row.digits(self.slot) {
            return Ok(Some(Number::Int(i128::from(integer))));
        }
        match number_of(row.value(self.slot)) {
            Ok(number) => Ok(number),
            Err(_) => self.of_other_kind(row, WhyKind::NotANumber).map(|()| None),
        }
    }

    /// Returns the milliseconds of the field as a duration.
    pub(super) fn duration(&self, row: &Row) -> Result<Option<Number>, Why> {
        let millis = match row.value(self.slot) {
            value if value.is_missing() => return Ok(None),
            Value::Text(text) | Value::Untyped(text) => read_interval(text),
            _ => None,
        };
        match millis {
            Some(millis) => Ok(Some(Number::Int(millis.into()))),
            None => self.of_other_kind(row, WhyKind::NotADuration).map(|()| None),
        }
    }

    /// Returns an error for a value of another kind, unless it is null here.
    #[cold]
    pub(super) fn of_other_kind(&self, row: &Row, kind: WhyKind) -> Result<(), Why> {
        if self.shared.nulls.contain(row.value(self.slot)) {
            return Ok(());
        }
        if !self.lenient {
            return Err(kind.at(self.place));
        }
        self.shared.count_other_kind();
        Ok(())
    }
}

/// Compares two values that are not missing; `None` if they are of two kinds.
///
/// Both are numbers, or both are text. Text beside a number is the number that it spells. Text of a
/// source that does not distinguish text from numbers is a number if both spell one.
pub(super) fn compare(operator: Operator, left: Value<'_>, right: Value<'_>) -> Option<bool> {
    order(left, right).map(|order| operator.holds(order))
}

fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right) | Value::Untyped(right))
        | (Value::Untyped(left), Value::Text(right)) => Some(text_order(left, right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(&right)),
        (Value::Json(left), Value::Json(right)) => Some(left.cmp(right)),
        _ => match (number_of(left), number_of(right)) {
            (Ok(Some(left)), Ok(Some(right))) => Some(left.cmp(&right)),
            _ => match (left, right) {
                (Value::Untyped(left), Value::Untyped(right)) => Some(text_order(left, right)),
                _ => None,
            },
        },
    }
}

/// The order of two texts: by time if both are times.
fn text_order(left: &str, right: &str) -> Ordering {
    match (read_known(left.as_bytes()), read_known(right.as_bytes())) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_compare_as_numbers_or_as_text() {
        let compare = |operator, left, right| super::compare(operator, left, right);
        let less = |left, right| compare(Operator::Less, left, right);
        assert_eq!(less(Value::Number("9"), Value::Number("10")), Some(true));
        assert_eq!(less(Value::Number("9"), Value::Text("10")), Some(true));
        assert_eq!(less(Value::Untyped("9"), Value::Untyped("10")), Some(true));
        assert_eq!(less(Value::Text("9"), Value::Text("10")), Some(false));
        assert_eq!(less(Value::Untyped("b"), Value::Untyped("10")), Some(false));
        assert_eq!(less(Value::Number("9"), Value::Text("x")), None);
        assert_eq!(less(Value::Bool(true), Value::Number("1")), None);
        assert_eq!(less(Value::Bool(false), Value::Bool(true)), Some(true));
        assert_eq!(
            compare(
                Operator::Equal,
                Value::Text("2025-10-26T02:00:00+02:00"),
                Value::Untyped("2025-10-26")
            ),
            Some(true)
        );
    }
}
