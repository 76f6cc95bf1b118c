//! The values of a column, and the type that holds all of them exactly.

use crate::row::{Number, OutputValue};
use std::borrow::Cow;

/// The largest integer of 38 decimal digits.
const WIDE_MAX: i128 = 10i128.pow(38) - 1;

/// A value of a column.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    /// Returns a value as a cell: of an estimate the estimate alone, of a list its JSON.
    pub(super) fn of(value: &'a OutputValue) -> Self {
        match value {
            OutputValue::Null => Cell::Null,
            OutputValue::Bool(truth) => Cell::Bool(*truth),
            OutputValue::Integer(integer) => Cell::Integer(*integer),
            // JSON has no number for it either.
            OutputValue::Float(float) if !float.is_finite() => Cell::Null,
            OutputValue::Float(float) => Cell::Float(*float),
            OutputValue::Text(text) | OutputValue::Decimal(text) => Cell::Text(text.into()),
            OutputValue::Estimate { value: Number::Int(integer), .. } => Cell::Integer(*integer),
            OutputValue::Estimate { value: Number::Float(float), .. } => Cell::Float(*float),
            other => Cell::Text(serde_json::to_string(other).unwrap_or_default().into()),
        }
    }

    /// Returns the value as text; `None` for a missing one.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Cell::Null => None,
            Cell::Bool(truth) => Some(truth.to_string().into()),
            Cell::Integer(integer) => Some(integer.to_string().into()),
            Cell::Float(float) => {
                Some(serde_json::to_string(&Number::Float(*float)).unwrap_or_default().into())
            }
            Cell::Text(text) => Some(Cow::Borrowed(text)),
        }
    }
}

/// The type of a column, or of a part of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leaf {
    Bool,
    /// An integer of 64 bits.
    Integer,
    /// A decimal of 38 digits without fraction.
    Wide,
    Float,
    Text,
    /// Milliseconds since 1970 in UTC.
    Time,
}

/// The kinds of values that a column has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Seen {
    bools: bool,
    integers: bool,
    /// Integers that 64 bits do not hold.
    wide: bool,
    /// Integers that 38 decimal digits do not hold.
    huge: bool,
    /// Integers that a float does not hold exactly.
    inexact: bool,
    floats: bool,
    texts: bool,
}

impl Seen {
    pub(super) fn of<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Self {
        let mut seen = Seen::default();
        cells.for_each(|cell| seen.add(&cell));
        seen
    }

    fn add(&mut self, cell: &Cell<'_>) {
        match cell {
            Cell::Null => {}
            Cell::Bool(_) => self.bools = true,
            Cell::Integer(integer) => {
                self.integers = true;
                self.wide |= i64::try_from(*integer).is_err();
                self.huge |= !(-WIDE_MAX..=WIDE_MAX).contains(integer);
                self.inexact |= (*integer as f64) as i128 != *integer;
            }
            Cell::Float(_) => self.floats = true,
            Cell::Text(_) => self.texts = true,
        }
    }

    /// Returns the first type that holds all values exactly. Values of several kinds are text.
    pub(super) fn leaf(self) -> Leaf {
        let all = [Leaf::Bool, Leaf::Integer, Leaf::Wide, Leaf::Float];
        let is_empty = self == Seen::default();
        let fits = all.into_iter().find(|leaf| !is_empty && leaf.holds(self));
        fits.unwrap_or(Leaf::Text)
    }
}

impl Leaf {
    /// Returns true if a column of this type holds such values exactly.
    pub(super) fn holds(self, seen: Seen) -> bool {
        let Seen { bools, integers, wide, huge, inexact, floats, texts } = seen;
        match self {
            Leaf::Bool => !(integers || floats || texts),
            Leaf::Integer | Leaf::Time => !(bools || floats || texts || wide),
            Leaf::Wide => !(bools || floats || texts || huge),
            Leaf::Float => !(bools || texts || inexact),
            Leaf::Text => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell() -> impl Strategy<Value = OutputValue> {
        prop_oneof![
            Just(OutputValue::Null),
            any::<bool>().prop_map(OutputValue::Bool),
            (-100i128..100).prop_map(OutputValue::Integer),
            any::<i64>().prop_map(|integer| OutputValue::Integer(integer.into())),
            any::<i128>().prop_map(OutputValue::Integer),
            any::<f64>().prop_map(OutputValue::Float),
            ".{0,3}".prop_map(OutputValue::Text),
        ]
    }

    proptest! {
        /// A value that is read back is the one that was written, whatever else is in its column.
        #[test]
        fn a_type_holds_every_value_of_its_column(
            values in prop::collection::vec(cell(), 0..6),
        ) {
            let leaf = Seen::of(values.iter().map(Cell::of)).leaf();
            for cell in values.iter().map(Cell::of) {
                let is_held = match (&cell, leaf) {
                    (Cell::Null, _) | (_, Leaf::Text) => true,
                    (Cell::Bool(_), leaf) => leaf == Leaf::Bool,
                    (Cell::Integer(integer), Leaf::Integer) => i64::try_from(*integer).is_ok(),
                    (Cell::Integer(integer), Leaf::Wide) => integer.to_string().len() <= 39,
                    (Cell::Integer(integer), Leaf::Float) => *integer as f64 as i128 == *integer,
                    (Cell::Float(_), leaf) => leaf == Leaf::Float,
                    _ => false,
                };
                prop_assert!(is_held, "{cell:?} in {leaf:?}");
            }
        }
    }
}
