//! The order of the rows of a window, and which of them are given.

use crate::query::aggregates::SortKey;
use crate::row::{Number, OutputValue};
use smallvec::SmallVec;
use std::cmp::Ordering;

/// Rows that are held beyond a limit, before those past it are dropped.
const ROWS_BEYOND: usize = 1024;

/// The rows of a window that hold.
pub(super) struct Ordered<'a, T> {
    sort: &'a [SortKey],
    limit: usize,
    rows: Vec<(T, Places)>,
    /// The rows past the limit; `None` if nobody asks for them.
    cut: Option<Vec<T>>,
}

/// What a row is ordered by.
type Places = SmallVec<[Place; 1]>;

/// A value that a row is ordered by. Kinds come in this order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Number(Number),
    Bool(bool),
    Text(String),
    /// What has no value comes last in either direction.
    Nothing,
}

impl From<OutputValue> for Place {
    fn from(value: OutputValue) -> Self {
        match value {
            OutputValue::Integer(integer) => Place::Number(Number::Int(integer)),
            OutputValue::Float(float) => Place::Number(Number::Float(float)),
            OutputValue::Decimal(text) => {
                Number::parse(&text).map_or(Place::Nothing, Place::Number)
            }
            OutputValue::Estimate { value, .. } => Place::Number(value),
            OutputValue::Bool(value) => Place::Bool(value),
            OutputValue::Text(text) => Place::Text(text),
            _ => Place::Nothing,
        }
    }
}

impl<'a, T> Ordered<'a, T> {
    /// Creates an order without rows. `keeps_cut` says if the rows past the limit are asked for.
    pub(super) fn new(sort: &'a [SortKey], limit: Option<usize>, keeps_cut: bool) -> Self {
        let limit = limit.unwrap_or(usize::MAX);
        Ordered { sort, limit, rows: Vec::new(), cut: keeps_cut.then(Vec::new) }
    }

    /// Adds a row. Rows come by their groups, ascending.
    pub(super) fn push(&mut self, row: T, by: impl Iterator<Item = OutputValue>) {
        self.rows.push((row, by.map(Place::from).collect()));
        if self.rows.len() >= self.limit.saturating_mul(2).saturating_add(ROWS_BEYOND) {
            self.shrink();
        }
    }

    /// Sorts the rows, and drops those past the limit.
    fn shrink(&mut self) {
        if !self.sort.is_empty() {
            // Equal rows stay in the order of their groups.
            self.rows.sort_by(|(_, a), (_, b)| compare(self.sort, a, b));
        }
        let past = self.rows.drain(self.limit.min(self.rows.len())..).map(|(row, _)| row);
        match &mut self.cut {
            Some(cut) => cut.extend(past),
            None => drop(past),
        }
    }

    /// Returns the rows in their order, and those past the limit if they were asked for.
    pub(super) fn finish(mut self) -> (Vec<T>, Vec<T>) {
        self.shrink();
        let rows = self.rows.into_iter().map(|(row, _)| row).collect();
        (rows, self.cut.unwrap_or_default())
    }
}

fn compare(sort: &[SortKey], a: &Places, b: &Places) -> Ordering {
    let keys = sort.iter().zip(a.iter().zip(b));
    keys.map(|(key, (a, b))| match (a, b) {
        (Place::Nothing, _) | (_, Place::Nothing) => a.cmp(b),
        _ if key.is_descending => b.cmp(a),
        _ => a.cmp(b),
    })
    .find(|order| order.is_ne())
    .unwrap_or(Ordering::Equal)
}
