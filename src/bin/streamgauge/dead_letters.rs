//! Records that could not be read: they are counted, the first few are shown, and all of them are
//! written to a file if the user wants that.

use crate::failure::Failure;
use crate::lines_file::LinesFile;
use crate::output::printable;
use crate::standard_error::say;
use std::path::Path;
use streamgauge::adapter::files::{DeadLetter, RunState};

/// Dead letters that are shown on standard error.
const SHOWN_MAX: u64 = 5;

/// Characters of a dead letter's reason that are shown.
const REASON_SHOWN_MAX: usize = 300;

/// The JSON line of a dead letter.
#[derive(serde::Serialize)]
struct DeadLetterLine<'a> {
    file: &'a str,
    line: u64,
    reason: &'a str,
    /// The record, cut if it is very long. Bytes that are not UTF-8 are replaced by U+FFFD.
    data: &'a str,
}

/// Counts, shows and writes dead letters.
pub(crate) struct DeadLetters {
    count: u64,
    file: Option<LinesFile>,
}

impl DeadLetters {
    /// Opens the file, if there is one; see [`LinesFile::open`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn new(path: Option<&Path>, resumed: Option<&RunState>) -> Result<Self, Failure> {
        Ok(DeadLetters {
            count: 0,
            file: path.map(|path| LinesFile::open(path, "dead letters", resumed)).transpose()?,
        })
    }

    /// Records that the file up to its current end belongs to the state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep_in(&mut self, state: &mut RunState) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), |file| file.keep_in(state))
    }

    /// Returns the number of dead letters.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Counts a dead letter, shows it if it is one of the first, and writes it to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn take(&mut self, letter: &DeadLetter<'_>) -> Result<(), Failure> {
        self.count += 1;
        if self.count <= SHOWN_MAX && !cfg!(test) {
            let reason: String = printable(letter.reason).chars().take(REASON_SHOWN_MAX).collect();
            let (file, line) = (printable(letter.file), letter.line);
            say(&format!("dead letter: {file}:{line}: {reason}\n"));
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write(&DeadLetterLine {
            file: letter.file,
            line: letter.line,
            reason: letter.reason,
            data: &String::from_utf8_lossy(letter.bytes),
        })
    }

    /// Flushes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), LinesFile::flush)
    }

    /// Flushes the file, and reports how many dead letters were not shown.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if self.count > SHOWN_MAX {
            let more = self.count - SHOWN_MAX;
            let hint =
                if self.file.is_some() { "" } else { "; --dead-letters FILE writes all of them" };
            say(&format!("note: {more} more dead letters{hint}\n"));
        }
        Ok(())
    }
}
