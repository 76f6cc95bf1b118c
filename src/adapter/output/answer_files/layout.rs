//! The columns of a file of Parquet.

use super::cells::{Cell, Leaf};
use super::held_row::HeldRow;
use crate::error::Error;
use crate::row::{Number, OutputValue, TopValue};
use crate::rows::{ColumnKind, Query, ValueType};
use crate::time::Timestamp;
use crate::window::Window;
use std::collections::HashSet;

/// What a column has of each row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    WindowStart,
    WindowEnd,
    WindowNumber,
    Group(usize),
    Revision,
    Complete,
    Retracted,
    /// True in the row of the groups past the limit.
    Other,
    /// The value of a column, with its type if the query says it.
    Value(usize, Option<ValueType>),
    Lower(usize, Option<ValueType>),
    Upper(usize, Option<ValueType>),
    Top(usize),
}

/// Returns the columns of a query's rows, with their names.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if two columns have one name.
pub(super) fn fields(query: Query<'_>) -> Result<Vec<(String, Field)>, Error> {
    let named = |name: &str, field: Field| (name.to_owned(), field);
    let mut fields = Vec::new();
    if query.windows().are_timed() {
        fields.push(named("window_start", Field::WindowStart));
        fields.push(named("window_end", Field::WindowEnd));
    }
    if query.windows().is_of_rows() {
        fields.push(named("window_number", Field::WindowNumber));
    }
    let groups = &query.form().group;
    fields.extend(groups.iter().enumerate().map(|(at, name)| named(name, Field::Group(at))));
    if !groups.is_empty() {
        fields.push(named("other", Field::Other));
    }
    fields.push(named("revision", Field::Revision));
    fields.push(named("complete", Field::Complete));
    fields.push(named("retracted", Field::Retracted));
    for (at, column) in query.columns().iter().enumerate() {
        let (name, values) = (&column.name, column.values);
        match column.kind {
            ColumnKind::Top => fields.push(named(name, Field::Top(at))),
            ColumnKind::Estimate => {
                fields.push(named(name, Field::Value(at, values)));
                fields.push(named(&format!("{name}_lower"), Field::Lower(at, values)));
                fields.push(named(&format!("{name}_upper"), Field::Upper(at, values)));
            }
            _ => fields.push(named(name, Field::Value(at, values))),
        }
    }
    let mut names = HashSet::new();
    match fields.iter().find(|(name, _)| !names.insert(name.as_str())) {
        None => Ok(fields),
        Some((name, _)) => Err(Error::invalid(format!(
            "two columns of the Parquet files would have the name {name:?}: give one of them \
             another name, as in 'count as hits'"
        ))),
    }
}

impl Field {
    /// Returns the value of a row in this column. That of a list is in its [rows](Field::top).
    pub(super) fn of<'a>(self, held: &'a HeldRow) -> Cell<'a> {
        let row = &held.row;
        let timed = || row.window.filter(|window| window.is_timed());
        match self {
            Field::WindowStart => timed().map_or(Cell::Null, |window| millis(window.start())),
            Field::WindowEnd => timed().map_or(Cell::Null, |window| millis(window.end())),
            Field::WindowNumber => {
                let number = row.window.and_then(Window::number);
                number.map_or(Cell::Null, |number| Cell::Integer(number.into()))
            }
            Field::Group(_) if row.is_other() => Cell::Null,
            Field::Group(at) => row.group.get(at).map_or(Cell::Null, Cell::of),
            Field::Other => Cell::Bool(row.is_other()),
            Field::Revision => Cell::Integer(row.revision.into()),
            Field::Complete => Cell::Bool(held.complete),
            Field::Retracted => Cell::Bool(row.is_retracted()),
            Field::Value(at, _) => row.values.get(at).map_or(Cell::Null, Cell::of),
            Field::Lower(at, _) | Field::Upper(at, _) => match row.values.get(at) {
                Some(OutputValue::Estimate { lower, .. }) if matches!(self, Field::Lower(..)) => {
                    number(*lower)
                }
                Some(OutputValue::Estimate { upper, .. }) => number(*upper),
                _ => Cell::Null,
            },
            Field::Top(_) => Cell::Null,
        }
    }

    /// Returns the types of the column, or of each part of an element of a list, where they do not
    /// depend on the rows. The others are those of the values.
    pub(super) fn declared(self) -> Vec<Option<Leaf>> {
        let leaf = match self {
            Field::WindowStart | Field::WindowEnd => Some(Leaf::Time),
            Field::WindowNumber | Field::Revision => Some(Leaf::Integer),
            Field::Complete | Field::Retracted | Field::Other => Some(Leaf::Bool),
            Field::Group(_) => None,
            Field::Value(_, values) | Field::Lower(_, values) | Field::Upper(_, values) => {
                values.map(leaf_of)
            }
            Field::Top(_) => {
                let count = Some(Leaf::Integer);
                return vec![None, count, count, count, Some(Leaf::Bool)];
            }
        };
        vec![leaf]
    }

    /// Returns the rows of a list, `None` for a missing one.
    pub(super) fn top(self, held: &HeldRow) -> Option<&[TopValue]> {
        let Field::Top(at) = self else { return None };
        match held.row.values.get(at) {
            Some(OutputValue::Top(rows)) => Some(rows),
            _ => None,
        }
    }
}

fn leaf_of(values: ValueType) -> Leaf {
    match values {
        ValueType::Bool => Leaf::Bool,
        ValueType::Integer => Leaf::Integer,
        ValueType::Float => Leaf::Float,
        ValueType::Text => Leaf::Text,
    }
}

fn millis(time: Timestamp) -> Cell<'static> {
    Cell::Integer(time.as_millis().into())
}

fn number(number: Number) -> Cell<'static> {
    match number {
        Number::Int(integer) => Cell::Integer(integer),
        Number::Float(float) => Cell::Float(float),
    }
}
