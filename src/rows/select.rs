//! Records that are passed on as rows: the key `select`.

use super::emission::{RowEmission, RowForm};
use crate::error::{Error, ErrorKind};
use crate::query::PipelineSpec;
use crate::record::{Sequence, ShardId};
use crate::row::key::{self, KeyForm};
use crate::row::{OutputValue, Row};
use std::collections::VecDeque;
use std::sync::Arc;

/// The names of a row's key.
const KEY: [&str; 2] = ["shard", "position"];

/// Approximate bytes of a row beside its texts.
const ROW_BYTES: usize = size_of::<RowEmission>() + 2 * size_of::<OutputValue>();

/// Where the record is that comes next.
#[derive(Debug, Default)]
enum Place {
    /// Unknown: rows are numbered.
    #[default]
    Numbered,
    /// A position in a stream.
    Position(String),
    /// A line of an input.
    Line(String, u64),
}

/// The rows of records that are passed on, until they are fetched.
#[derive(Debug)]
pub(super) struct Select {
    slots: Vec<usize>,
    form: Arc<RowForm>,
    rows: VecDeque<RowEmission>,
    /// Approximate bytes of the rows.
    bytes: usize,
    bytes_max: usize,
    place: Place,
    /// The element of the record, if its array is unnested, from 1.
    element: Option<usize>,
    /// Rows so far, by which they are numbered.
    count: u64,
}

impl Select {
    /// Creates the rows of columns, each a name and a slot. `query` is the name of the query.
    pub(super) fn new(
        columns: Vec<(String, usize)>,
        query: Option<String>,
        bytes_max: usize,
    ) -> Self {
        let (names, slots) = columns.into_iter().unzip();
        let group = KEY.map(str::to_owned).to_vec();
        Select {
            slots,
            form: Arc::new(RowForm { query, group, columns: names, ..RowForm::default() }),
            rows: VecDeque::new(),
            bytes: 0,
            bytes_max,
            place: Place::Numbered,
            element: None,
            count: 0,
        }
    }

    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    pub(super) fn form(&self) -> &Arc<RowForm> {
        &self.form
    }

    /// Sets the position of the record that comes next: `part` counts the records of one position.
    pub(super) fn set_position(&mut self, sequence: &Sequence, part: u64) {
        let text = match sequence.sub.saturating_add(part) {
            0 => sequence.number.to_string(),
            sub => format!("{}:{sub}", sequence.number),
        };
        self.place = Place::Position(text);
    }

    /// Sets the input and the line of the record that comes next.
    #[cfg_attr(not(feature = "files"), allow(dead_code, reason = "only files have lines"))]
    pub(super) fn set_line(&mut self, input: &str, line: u64) {
        match &mut self.place {
            Place::Line(name, known) if name == input => *known = line,
            place => *place = Place::Line(input.to_owned(), line),
        }
    }

    /// Sets the element of the record that the next row is, from 0.
    pub(super) fn set_element(&mut self, index: usize) {
        self.element = Some(index + 1);
    }

    /// Returns the values of a row.
    ///
    /// # Errors
    /// The slot of a number that is out of range.
    pub(super) fn values(&self, row: &Row) -> Result<Vec<OutputValue>, usize> {
        let mut bytes = Vec::new();
        let value = |slot: &usize| {
            bytes.clear();
            match KeyForm::of(row.value(*slot)) {
                KeyForm::OutOfRange(_) => Err(*slot),
                form => {
                    form.write(&mut bytes);
                    Ok(key::decode(&bytes))
                }
            }
        };
        self.slots.iter().map(value).collect()
    }

    /// Returns an error if too many rows wait to be fetched.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`].
    pub(super) fn check_room(&self) -> Result<(), Error> {
        let (bytes, limit) = (self.bytes, self.bytes_max);
        if bytes < limit {
            return Ok(());
        }
        let message =
            format!("{bytes} bytes of rows wait to be fetched, over the limit of {limit}");
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }

    /// Adds the row of a record of this shard.
    pub(super) fn push(&mut self, shard: Option<&ShardId>, values: Vec<OutputValue>) {
        self.count = self.count.saturating_add(1);
        let (shard, position) = match &self.place {
            Place::Line(input, line) => (input.clone(), Err(i128::from(*line))),
            place => {
                let shard = shard.map_or_else(String::new, ToString::to_string);
                match place {
                    Place::Position(position) => (shard, Ok(position.clone())),
                    _ => (shard, Err(i128::from(self.count))),
                }
            }
        };
        let position = match (position, self.element) {
            (Ok(text), None) => OutputValue::Text(text),
            (Err(number), None) => OutputValue::Integer(number),
            (Ok(text), Some(element)) => OutputValue::Text(format!("{text}/{element}")),
            (Err(number), Some(element)) => OutputValue::Text(format!("{number}/{element}")),
        };
        let group = vec![OutputValue::Text(shard), position];
        let row = RowEmission { window: None, revision: 0, group, values, form: self.form.clone() };
        self.bytes = self.bytes.saturating_add(bytes_of(&row));
        self.rows.push_back(row);
    }

    /// Returns the next row, and whether more are left.
    pub(super) fn next(&mut self) -> Option<(RowEmission, bool)> {
        let row = self.rows.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes_of(&row));
        Some((row, !self.rows.is_empty()))
    }

    /// Forgets the rows, after another state was restored.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.bytes = 0;
    }
}

fn bytes_of(row: &RowEmission) -> usize {
    let text = |value: &OutputValue| match value {
        OutputValue::Text(text) | OutputValue::Decimal(text) => text.len(),
        _ => 0,
    };
    let texts: usize = row.group.iter().chain(&row.values).map(text).sum();
    ROW_BYTES + texts + row.values.len() * size_of::<OutputValue>()
}

impl PipelineSpec {
    /// Refuses the keys that `select` has no use for. Returns such a key, and why.
    pub(super) fn check_select(&self) -> Result<(), (&'static str, Error)> {
        let given = |list: &Option<Vec<String>>| list.is_some();
        let keys = [
            ("agg", given(&self.agg)),
            ("group", given(&self.group)),
            ("having", given(&self.having)),
            ("sort", given(&self.sort)),
            ("limit", self.limit.is_some()),
            ("limit_groups", self.limit_groups.is_some()),
            ("window", self.window.is_some()),
            ("every", self.every.is_some()),
            ("offset", self.offset.is_some()),
            ("session", self.session.is_some()),
            ("stagger", self.stagger.is_some()),
            ("rows", self.rows.is_some()),
            ("lateness", self.lateness.is_some()),
        ];
        match keys.into_iter().find(|(_, given)| *given && self.select.is_some()) {
            None => Ok(()),
            Some((key, _)) => {
                let why = "select passes each record on as a row, without windows, groups and \
                           aggregates: give one or the other";
                Err((key, Error::invalid(why)))
            }
        }
    }
}
