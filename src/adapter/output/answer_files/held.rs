//! The rows of a file that is not written yet.

use super::held_row::HeldRow;
use super::options::AnswerFormat;
use super::parquet_file::{self, Table};

use crate::error::Error;
use crate::row::OutputValue;
use crate::rows::{JsonLines, RowEmission};
use bytes::Bytes;

/// Maximum rows of a file in a directory, and of a row group of Parquet.
pub(super) const ROWS_MAX: usize = 131_072;

/// Maximum bytes of rows that are held until they are written, about as they are in memory.
pub(super) const HELD_BYTES_MAX: usize = 64 << 20;

/// Rows in the form in which the format needs them.
#[derive(Debug)]
pub(super) enum Held {
    Lines { lines: JsonLines, text: Vec<u8>, rows: usize },
    Rows { rows: Vec<HeldRow>, bytes: usize },
}

impl Held {
    pub(super) fn new(format: AnswerFormat) -> Self {
        match format {
            AnswerFormat::JsonLines => {
                Held::Lines { lines: JsonLines::default(), text: Vec::new(), rows: 0 }
            }
            AnswerFormat::Parquet => Held::Rows { rows: Vec::new(), bytes: 0 },
        }
    }

    pub(super) fn push(&mut self, row: &RowEmission, complete: bool) {
        match self {
            Held::Lines { lines, text, rows } => {
                lines.set_complete(complete);
                lines.append(row, text);
                *rows += 1;
            }
            Held::Rows { rows, bytes } => {
                *bytes += bytes_of(row);
                rows.push(HeldRow { row: row.clone(), complete });
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Held::Lines { rows, .. } => *rows == 0,
            Held::Rows { rows, .. } => rows.is_empty(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        let (rows, bytes) = match self {
            Held::Lines { rows, text, .. } => (*rows, text.len()),
            Held::Rows { rows, bytes } => (rows.len(), *bytes),
        };
        rows >= ROWS_MAX || bytes >= HELD_BYTES_MAX
    }

    /// Returns the rows as a whole file.
    ///
    /// # Errors
    /// Those of the format.
    pub(super) fn to_file(&self, table: &Table) -> Result<Bytes, Error> {
        match self {
            Held::Lines { text, .. } => Ok(text.clone().into()),
            Held::Rows { rows, .. } => parquet_file::to_file(table, rows),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Held::Lines { text, rows, .. } => {
                text.clear();
                *rows = 0;
            }
            Held::Rows { rows, bytes } => {
                rows.clear();
                *bytes = 0;
            }
        }
    }
}

/// Returns about how many bytes a row takes. It depends on its values alone, so that the same rows
/// are always split alike.
fn bytes_of(row: &RowEmission) -> usize {
    let values = row.group.iter().chain(&row.values).map(bytes_of_value);
    size_of::<HeldRow>() + values.sum::<usize>()
}

fn bytes_of_value(value: &OutputValue) -> usize {
    let heap = match value {
        OutputValue::Text(text) | OutputValue::Decimal(text) => text.len(),
        OutputValue::List(values) => values.iter().map(bytes_of_value).sum(),
        OutputValue::Top(rows) => rows.iter().map(|row| 32 + bytes_of_value(&row.key)).sum(),
        _ => 0,
    };
    size_of::<OutputValue>() + heap
}
