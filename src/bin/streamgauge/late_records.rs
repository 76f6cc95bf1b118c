//! What becomes of records that came late: counted by the pipeline, told at the end, all of them
//! written to a file if the user wants that.

use crate::failure::Failure;
use crate::lines_file::LinesFile;
use crate::output::digits::count;
use std::path::Path;
use streamgauge::adapter::files::{LateRecord, RunState};

/// A late record as it is written down.
#[derive(serde::Serialize)]
struct Line<'a> {
    file: &'a str,
    line: u64,
    time: String,
    /// The watermark when the record came.
    watermark: Option<String>,
    /// The record, cut where it is very long; what is not UTF-8 in it is replaced by U+FFFD.
    data: &'a str,
}

/// Takes late records.
pub(crate) struct LateRecords(Option<LinesFile>);

impl LateRecords {
    /// Begins the file, if there is to be one, or goes on with it: see [`LinesFile::open`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn new(path: Option<&Path>, resumed: Option<&RunState>) -> Result<Self, Failure> {
        Ok(LateRecords(
            path.map(|path| LinesFile::open(path, "late records", resumed)).transpose()?,
        ))
    }

    /// The file as it is now belongs to the state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep_in(&mut self, state: &mut RunState) -> Result<(), Failure> {
        self.0.as_mut().map_or(Ok(()), |file| file.keep_in(state))
    }

    /// Returns true if late records are to be written down.
    pub(crate) fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Writes a late record down.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn take(&mut self, record: &LateRecord<'_>) -> Result<(), Failure> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        file.write(&Line {
            file: record.file,
            line: record.line,
            time: record.time.to_string(),
            watermark: record.watermark.map(|watermark| watermark.to_string()),
            data: &String::from_utf8_lossy(record.bytes),
        })
    }

    /// Hands everything to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.as_mut().map_or(Ok(()), LinesFile::flush)
    }

    /// The note at the end of a run: how many of its records came late.
    pub(crate) fn note(&self, late: u64, records: u64) -> Option<String> {
        let hint = if self.are_wanted() { "" } else { ";\n  --late FILE writes them down" };
        (late > 0).then(|| {
            let are = if late == 1 { "is" } else { "are" };
            let (late, records) = (count(late), count(records));
            format!(
                "note: {late} of {records} records came late and {are} in no window\n  \
                 --max-delay DURATION waits longer for such records, or `unbounded` for all{hint}\n"
            )
        })
    }
}
