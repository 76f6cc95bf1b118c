//! What becomes of records that could not be read: counted, the first few shown, all of them
//! written to a file if the user wants that.

use crate::failure::Failure;
use crate::lines_file::LinesFile;
use crate::output::printable;
use std::io::{self, Write};
use std::path::Path;
use streamgauge::adapter::files::{DeadLetter, RunState};

/// Dead letters that are shown on standard error.
const SHOWN_MAX: u64 = 5;

/// Characters of a dead letter's reason that are shown.
const REASON_SHOWN_MAX: usize = 300;

/// A dead letter as it is written down.
#[derive(serde::Serialize)]
struct Line<'a> {
    file: &'a str,
    line: u64,
    reason: &'a str,
    /// The record, cut where it is very long; what is not UTF-8 in it is replaced by U+FFFD.
    data: &'a str,
}

/// Takes dead letters.
pub(crate) struct DeadLetters {
    count: u64,
    file: Option<LinesFile>,
}

impl DeadLetters {
    /// Begins the file, if there is to be one. Of a run that goes on, what the state that it goes
    /// on from has of it stays: what a run that was killed wrote after that comes again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn new(path: Option<&Path>, resumed: Option<&RunState>) -> Result<Self, Failure> {
        Ok(DeadLetters {
            count: 0,
            file: path.map(|path| LinesFile::open(path, "dead letters", resumed)).transpose()?,
        })
    }

    /// The file as it is now belongs to the state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep_in(&mut self, state: &mut RunState) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), |file| file.keep_in(state))
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Counts a dead letter, shows it if it is among the first, and writes it down.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn take(&mut self, letter: &DeadLetter<'_>) -> Result<(), Failure> {
        self.count += 1;
        if self.count <= SHOWN_MAX && !cfg!(test) {
            let reason: String = printable(letter.reason).chars().take(REASON_SHOWN_MAX).collect();
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(
                io::stderr(),
                "dead letter: {}:{}: {reason}",
                printable(letter.file),
                letter.line
            );
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write(&Line {
            file: letter.file,
            line: letter.line,
            reason: letter.reason,
            data: &String::from_utf8_lossy(letter.bytes),
        })
    }

    /// Hands everything to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.file.as_mut().map_or(Ok(()), LinesFile::flush)
    }

    /// Hands everything to the file, and says how many were not shown.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if self.count > SHOWN_MAX {
            let more = self.count - SHOWN_MAX;
            let hint =
                if self.file.is_some() { "" } else { "; --dead-letters FILE writes them all down" };
            let _ = writeln!(io::stderr(), "note: {more} more dead letters{hint}");
        }
        Ok(())
    }
}
