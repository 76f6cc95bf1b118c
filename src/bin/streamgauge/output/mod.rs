//! The answers, written: a table, JSON Lines or CSV.

mod cell;
mod csv;
pub(crate) mod digits;
mod sheet;
mod table;

pub(crate) use cell::printable;
pub(crate) use sheet::Shape;
pub(crate) use table::Terminal;

use self::csv::CsvWriter;
use self::sheet::{Reader, Sheet};
use self::table::TableWriter;
use std::io::{self, Write};
use streamgauge::spec::{JsonLines, RowEmission};

/// Writes emissions in the form that the user chose.
pub(crate) enum OutputWriter<W> {
    Table(Sheet, TableWriter<W>),
    Json(JsonLines, W),
    Csv(Sheet, CsvWriter<W>),
}

impl<W: Write> OutputWriter<W> {
    /// A table as wide as the terminal.
    pub(crate) fn table(shape: Shape, terminal: Terminal, out: W) -> Self {
        let sheet = Sheet::new(shape, Reader::Person);
        let writer = TableWriter::new(out, terminal, &sheet.header());
        OutputWriter::Table(sheet, writer)
    }

    /// CSV with a header.
    pub(crate) fn csv(shape: Shape, out: W) -> Self {
        let sheet = Sheet::new(shape, Reader::Program);
        let writer = CsvWriter::new(out, &sheet.header());
        OutputWriter::Csv(sheet, writer)
    }

    pub(crate) fn emission(&mut self, emission: &RowEmission) -> io::Result<()> {
        match self {
            OutputWriter::Table(sheet, writer) => sheet.lines(emission).into_iter().try_for_each(|line| writer.line(line)),
            OutputWriter::Json(lines, out) => lines.write(emission, out),
            OutputWriter::Csv(sheet, writer) => sheet.lines(emission).iter().try_for_each(|line| writer.line(line)),
        }
    }

    /// The rows to come are of windows that are not complete.
    pub(crate) fn set_incomplete(&mut self) {
        if let OutputWriter::Json(lines, _) = self {
            lines.set_complete(false);
        }
    }

    /// Hands on what has been written, while more may come.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            OutputWriter::Table(_, writer) => writer.flush(),
            OutputWriter::Json(_, out) => out.flush(),
            OutputWriter::Csv(_, writer) => writer.flush(),
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            OutputWriter::Csv(_, writer) => writer.finish(),
            _ => self.flush(),
        }
    }
}
