//! Comma-separated values according to RFC 4180, with a header and line feeds.
//!
//! Quotes separate values that are written alike, as in PostgreSQL's `COPY`: a missing value is
//! nothing between two commas, and empty text is `""`. Text that reads as a number, a boolean or
//! `(other)` is in quotes too. Numbers, booleans and times never are.

use super::cell::{Cell, OTHER};
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
        write_fields(&mut self.out, cells.iter().map(|cell| (cell.as_str(), is_ambiguous(cell))))
    }

    /// Flushes the output. Writes the header even if there are no lines.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the header if no line has written it.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write_header()?;
        self.out.flush()
    }

    fn write_header(&mut self) -> io::Result<()> {
        match self.header.take() {
            Some(header) => {
                write_fields(&mut self.out, header.iter().map(|name| (name.as_str(), false)))
            }
            None => Ok(()),
        }
    }
}

/// Returns true if the cell is text that would read as another value without quotes.
fn is_ambiguous(cell: &Cell) -> bool {
    let Cell::Text(text) = cell else { return false };
    text.is_empty()
        || ["true", "false", OTHER].contains(&text.as_str())
        || text.trim().parse::<f64>().is_ok()
}

/// Writes fields. A field is in quotes if its characters or the caller require it.
fn write_fields<'a>(
    out: &mut impl Write,
    fields: impl Iterator<Item = (&'a str, bool)>,
) -> io::Result<()> {
    for (index, (field, quoted)) in fields.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match quoted || field.contains([',', '"', '\n', '\r']) {
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

    /// Reads one line of CSV with an independent reader.
    fn read_back(text: &str) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        record.iter().map(str::to_owned).collect()
    }

    proptest! {
        #[test]
        fn written_csv_is_read_back(fields in prop::collection::vec("[a-z,\"\r\n é]{1,12}", 1..6)) {
            let mut out = Vec::new();
            CsvWriter::new(&mut out, &[])
                .line(&fields.iter().cloned().map(Cell::Text).collect::<Vec<_>>())
                .unwrap();
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(read_back(text.strip_prefix('\n').unwrap()), fields);
        }
    }

    fn line(cells: &[Cell]) -> String {
        let mut out = Vec::new();
        CsvWriter::new(&mut out, &[]).line(cells).unwrap();
        String::from_utf8(out).unwrap().trim_start_matches('\n').to_owned()
    }

    #[test]
    fn s94_values_that_differ_are_written_differently() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let number = |text: &str| Cell::Number(text.to_owned());
        let cells = [
            Cell::Empty,
            text(""),
            number("0"),
            text("0"),
            number("true"),
            text("true"),
            Cell::Other,
            text("(other)"),
            text("abc"),
        ];
        assert_eq!(line(&cells), ",\"\",0,\"0\",true,\"true\",(other),\"(other)\",abc\n");
        for like_a_number in ["007", "1.10", " 7", "1e5", "-0", "+1", "nan"] {
            assert_eq!(line(&[text(like_a_number)]), format!("\"{like_a_number}\"\n"));
        }
        for other in ["12ms", "1,5", "-", "NA", "2024-01-01", "10.0.0.1"] {
            assert_eq!(line(&[text(other)]).starts_with('"'), other.contains(','), "{other}");
        }
    }

    #[test]
    fn no_lines_leave_the_header() {
        let mut out = Vec::new();
        CsvWriter::new(&mut out, &["a,b".to_owned(), "c".to_owned()]).finish().unwrap();
        assert_eq!(out, b"\"a,b\",c\n");
    }
}
