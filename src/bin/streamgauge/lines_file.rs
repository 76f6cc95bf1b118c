//! A file of JSON Lines beside the answers: dead letters, or late records.

use crate::failure::Failure;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes one JSON object a line.
pub(crate) struct LinesFile {
    path: PathBuf,
    /// What the lines are, for errors.
    what: &'static str,
    file: BufWriter<File>,
}

impl LinesFile {
    /// Makes the file anew, or goes on with it.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn open(path: &Path, what: &'static str, go_on: bool) -> Result<Self, Failure> {
        match File::options().create(true).write(true).append(go_on).truncate(!go_on).open(path) {
            Ok(file) => Ok(LinesFile { path: path.to_owned(), what, file: BufWriter::new(file) }),
            Err(error) => Err(unwritable(path, what, &error)),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&mut self, line: &impl serde::Serialize) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(io::Error::from).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|error| unwritable(&self.path, self.what, &error))
    }

    /// Hands everything to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| unwritable(&self.path, self.what, &error))
    }
}

fn unwritable(path: &Path, what: &str, error: &io::Error) -> Failure {
    Failure::Run(format!("{}: {what} cannot be written: {error}", path.display()))
}
