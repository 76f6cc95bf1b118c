//! Comma-separated values after RFC 4180, with a header and line feeds.

use super::cell::Cell;
use std::io::{self, Write};

/// Writes lines of cells as CSV.
pub(crate) struct CsvWriter<W> {
    out: W,
    /// The header, until it is written.
    header: Option<Vec<String>>,
}

impl<W: Write> CsvWriter<W> {
    pub(crate) fn new(out: W, header: &[String]) -> Self {
        CsvWriter { out, header: Some(header.to_vec()) }
    }

    /// Writes a line, which has a cell for every column.
    pub(crate) fn line(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.write_header()?;
        write_fields(&mut self.out, cells.iter().map(Cell::as_str))
    }

    /// Hands everything on; a file without lines has its header all the same.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the header if no line has made that necessary before.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write_header()?;
        self.out.flush()
    }

    fn write_header(&mut self) -> io::Result<()> {
        match self.header.take() {
            Some(header) => write_fields(&mut self.out, header.iter().map(String::as_str)),
            None => Ok(()),
        }
    }
}

fn write_fields<'a>(out: &mut impl Write, fields: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match field.contains([',', '"', '\n', '\r']) {
            true => write!(out, "\"{}\"", field.replace('"', "\"\""))?,
            false => out.write_all(field.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads one line of CSV with a reader that is not ours.
    fn read_back(text: &str) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        record.iter().map(str::to_owned).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(fields in prop::collection::vec("[a-z,\"\r\n é]{1,12}", 1..6)) {
            let mut out = Vec::new();
            CsvWriter::new(&mut out, &[]).line(&fields.iter().cloned().map(Cell::Text).collect::<Vec<_>>()).unwrap();
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(read_back(text.strip_prefix('\n').unwrap()), fields);
        }
    }

    #[test]
    fn no_lines_leave_the_header() {
        let mut out = Vec::new();
        CsvWriter::new(&mut out, &["a,b".to_owned(), "c".to_owned()]).finish().unwrap();
        assert_eq!(out, b"\"a,b\",c\n");
    }
}
