//! The answers, written: a table, JSON Lines or CSV.

mod cell;
mod csv;
mod sheet;
mod table;

pub(crate) use cell::printable;
pub(crate) use sheet::{ColumnKind, Shape};
pub(crate) use table::Terminal;

use self::csv::CsvWriter;
use self::sheet::{Reader, Sheet};
use self::table::TableWriter;
use crate::arguments::OutputArgument;
use std::io::{self, Write};
use streamgauge::spec::{JsonLines, RowEmission};

/// Writes emissions in the form that the user chose.
pub(crate) enum OutputWriter<W> {
    Table(Sheet, TableWriter<W>),
    Json(JsonLines, W),
    Csv(Sheet, CsvWriter<W>),
}
