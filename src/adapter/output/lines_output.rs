//! Rows as JSON Lines.

use super::row_output::RowOutput;
use crate::error::{Error, ErrorKind};
use crate::rows::{JsonLines, RowEmission};
use std::io::Write;

/// Rows as JSON Lines to a writer.
#[derive(Debug)]
pub struct LinesOutput<W> {
    lines: JsonLines,
    out: W,
    source: Option<String>,
    line: Vec<u8>,
}

impl<W: Write> LinesOutput<W> {
    /// Creates the output.
    pub fn new(out: W) -> Self {
        LinesOutput { lines: JsonLines::default(), out, source: None, line: Vec::new() }
    }
}

impl<W: Write> RowOutput for LinesOutput<W> {
    fn set_complete(&mut self, complete: bool) {
        self.lines.set_complete(complete);
    }

    fn set_source(&mut self, source: &str) {
        self.source = Some(source.to_owned());
    }

    fn push(&mut self, row: &RowEmission) -> Result<(), Error> {
        self.line.clear();
        append_of_source(self.lines, self.source.as_deref(), row, &mut self.line);
        self.out.write_all(&self.line).map_err(cannot_write)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(cannot_write)
    }
}

#[cold]
fn cannot_write(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write the answers").with_source(error)
}

/// Appends a row as a line, which begins with its source if there is one.
pub(super) fn append_of_source(
    lines: JsonLines,
    source: Option<&str>,
    row: &RowEmission,
    text: &mut Vec<u8>,
) {
    after_source(source, text, |text| lines.append(row, text));
}

/// Appends the key of a row, which begins with its source if there is one.
#[cfg(feature = "kafka")]
pub(super) fn append_key_of_source(source: Option<&str>, row: &RowEmission, key: &mut Vec<u8>) {
    after_source(source, key, |key| JsonLines::append_key(row, key));
}

/// Appends an object, whose first field is the source if there is one.
fn after_source(source: Option<&str>, text: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    let Some(source) = source else { return append(text) };
    text.extend_from_slice(b"{\"source\":");
    // Writing text to a vector does not fail.
    let _ = serde_json::to_writer(&mut *text, source);
    let start = text.len();
    append(text);
    text[start] = b',';
}
