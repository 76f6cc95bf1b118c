//! Answers as JSON Lines: one object a line for each window and group.

use super::emission::{RowKey, RowLine};
use crate::rows::RowEmission;
use std::io;

/// Writes emissions as JSON Lines:
/// `{"window":{"start":"2013-01-01T10:00:00.000Z","end":"2013-01-01T11:00:00.000Z"},"group":{"country":"DE"},"revision":0,"count":12}`.
///
/// Times are those of the pipeline's [time zone](super::RowPipeline::time_zone), with its offset.
/// `window` is null without one, `group` is absent without groups, and the columns follow in their
/// order. A row that takes back an earlier one has `"retracted":true` and no columns. Equal answers
/// are equal bytes.
#[derive(Clone, Copy, Debug)]
pub struct JsonLines {
    /// Whether the windows of the rows are complete.
    complete: bool,
}

impl Default for JsonLines {
    fn default() -> Self {
        JsonLines { complete: true }
    }
}

impl JsonLines {
    /// Sets whether the rows to come are of complete windows. Each of the others has
    /// `"complete":false`. Default: true.
    pub fn set_complete(&mut self, complete: bool) {
        self.complete = complete;
    }

    /// Writes an emission and the end of its line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, emission: &RowEmission, out: &mut impl io::Write) -> io::Result<()> {
        let mut line = Vec::with_capacity(256);
        self.append(emission, &mut line);
        out.write_all(&line)
    }

    /// Appends an emission and the end of its line.
    pub fn append(&self, emission: &RowEmission, line: &mut Vec<u8>) {
        let row = RowLine { row: emission, complete: self.complete };
        // Text and numbers have a form in JSON, and writing to a vector does not fail.
        let written = serde_json::to_writer(&mut *line, &row);
        debug_assert!(written.is_ok(), "{written:?}");
        line.push(b'\n');
    }

    /// Appends what the line of an emission begins with, and what names its answer: the query if
    /// there are several, the window and the group. All revisions of an answer have the same key.
    pub fn append_key(emission: &RowEmission, key: &mut Vec<u8>) {
        let written = serde_json::to_writer(&mut *key, &RowKey(emission));
        debug_assert!(written.is_ok(), "{written:?}");
    }
}
