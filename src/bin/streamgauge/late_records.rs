//! Late records: the pipeline counts them, the end of a run reports them, and all of them are
//! written to a file if the user wants that.

use crate::failure::Failure;
use crate::lines_file::LinesFile;
use crate::output::digits::count;
use std::path::Path;
use streamgauge::adapter::files::{LateRecord, RunState};

/// The JSON line of a late record.
#[derive(serde::Serialize)]
struct LateRecordLine<'a> {
    file: &'a str,
    line: u64,
    time: String,
    /// The watermark when the record came.
    watermark: Option<String>,
    /// The record, cut if it is very long. Bytes that are not UTF-8 are replaced by U+FFFD.
    data: &'a str,
}

/// Writes late records.
pub(crate) struct LateRecords(Option<LinesFile>);

impl LateRecords {
    /// Opens the file, if there is one; see [`LinesFile::open`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn new(path: Option<&Path>, resumed: Option<&RunState>) -> Result<Self, Failure> {
        Ok(LateRecords(
            path.map(|path| LinesFile::open(path, "late records", resumed)).transpose()?,
        ))
    }

    /// Records that the file up to its current end belongs to the state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep_in(&mut self, state: &mut RunState) -> Result<(), Failure> {
        self.0.as_mut().map_or(Ok(()), |file| file.keep_in(state))
    }

    /// Returns true if late records are written.
    pub(crate) fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Writes a late record.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn take(&mut self, record: &LateRecord<'_>) -> Result<(), Failure> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        file.write(&LateRecordLine {
            file: record.file,
            line: record.line,
            time: record.time.to_string(),
            watermark: record.watermark.map(|watermark| watermark.to_string()),
            data: &String::from_utf8_lossy(record.bytes),
        })
    }

    /// Flushes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.as_mut().map_or(Ok(()), LinesFile::flush)
    }

    /// Returns the note at the end of a run on the number of late records of a query.
    pub(crate) fn note(&self, (name, late): (Option<&str>, u64), records: u64) -> Option<String> {
        let of = name.map_or_else(String::new, |name| format!("query {name}: "));
        let hint = if self.are_wanted() { "" } else { ";\n  --late FILE writes them to a file" };
        (late > 0).then(|| {
            let are = if late == 1 { "is" } else { "are" };
            let (late, records) = (count(late), count(records));
            format!(
                "note: {of}{late} of {records} records came late and {are} in no window\n  \
                 --max-delay DURATION waits longer for such records, or `unbounded` for all{hint}\n"
            )
        })
    }
}
