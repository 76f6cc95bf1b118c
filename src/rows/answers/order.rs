//! The order of the rows of a window, and which of them are given.

use crate::key::ByteKey;
use crate::query::aggregates::SortKey;
use crate::row::{Number, OutputValue};
use std::cmp::Ordering;

/// A row: its group, its columns, and the values that it is ordered by.
type Row = (ByteKey, Vec<OutputValue>, Vec<OutputValue>);

/// The rows of a window that hold.
pub(super) struct Ordered<'a> {
    sort: &'a [SortKey],
    limit: Option<usize>,
    rows: Vec<Row>,
}

impl<'a> Ordered<'a> {
    pub(super) fn new(sort: &'a [SortKey], limit: Option<usize>) -> Self {
        Ordered { sort, limit, rows: Vec::new() }
    }

    /// Adds a row. Rows come by their groups, ascending.
    pub(super) fn push(&mut self, key: ByteKey, columns: Vec<OutputValue>, by: Vec<OutputValue>) {
        self.rows.push((key, columns, by));
    }

    /// Returns the rows in their order, and the groups of those past the limit.
    pub(super) fn finish(mut self) -> (Vec<(ByteKey, Vec<OutputValue>)>, Vec<ByteKey>) {
        if !self.sort.is_empty() {
            // Equal rows stay in the order of their groups.
            self.rows.sort_by(|(_, _, a), (_, _, b)| compare(self.sort, a, b));
        }
        let limit = self.limit.unwrap_or(usize::MAX).min(self.rows.len());
        let cut = self.rows.split_off(limit).into_iter().map(|(key, ..)| key).collect();
        (self.rows.into_iter().map(|(key, columns, _)| (key, columns)).collect(), cut)
    }
}

fn compare(sort: &[SortKey], a: &[OutputValue], b: &[OutputValue]) -> Ordering {
    let keys = sort.iter().zip(a.iter().zip(b));
    keys.map(|(key, (a, b))| by_value(a, b, key.is_descending))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Orders two values: numbers, then truth values, then text, then what has no value, which comes
/// last in either direction.
fn by_value(a: &OutputValue, b: &OutputValue, is_descending: bool) -> Ordering {
    let (a_rank, b_rank) = (rank(a), rank(b));
    if a_rank == NOTHING || b_rank == NOTHING {
        return a_rank.cmp(&b_rank);
    }
    let order = a_rank.cmp(&b_rank).then_with(|| match (a, b) {
        (OutputValue::Bool(a), OutputValue::Bool(b)) => a.cmp(b),
        (OutputValue::Text(a), OutputValue::Text(b)) => a.cmp(b),
        _ => number(a).cmp(&number(b)),
    });
    if is_descending { order.reverse() } else { order }
}

/// The rank of what has no value.
const NOTHING: u8 = 3;

fn rank(value: &OutputValue) -> u8 {
    match value {
        OutputValue::Bool(_) => 1,
        OutputValue::Text(_) => 2,
        value if number(value).is_some() => 0,
        _ => NOTHING,
    }
}

fn number(value: &OutputValue) -> Option<Number> {
    match value {
        OutputValue::Integer(integer) => Some(Number::Int(*integer)),
        OutputValue::Float(float) => Some(Number::Float(*float)),
        OutputValue::Decimal(text) => Number::parse(text).ok(),
        OutputValue::Estimate { value, .. } => Some(*value),
        _ => None,
    }
}
