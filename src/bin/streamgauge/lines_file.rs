//! A file of JSON Lines besides the answers: dead letters, or late records.

use crate::failure::Failure;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use streamgauge::adapter::files::RunState;

/// Writes one JSON object a line.
pub(crate) struct LinesFile {
    path: PathBuf,
    /// The kind of the lines, for errors.
    what: &'static str,
    file: BufWriter<File>,
}

impl LinesFile {
    /// Opens the file. A run that continues keeps the part that its state knows of. Lines that a
    /// killed run wrote after that are removed, because they come again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn open(
        path: &Path,
        what: &'static str,
        resumed: Option<&RunState>,
    ) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Err(Failure::Usage(format!(
                "{what} go to a file, and standard output has the answers: give a name, such as ./- for a file of that name"
            )));
        }
        match open(path, what, resumed) {
            Ok(file) => Ok(LinesFile { path: path.to_owned(), what, file: BufWriter::new(file) }),
            Err(error) => Err(unwritable(path, what, &error)),
        }
    }

    /// Records that the file up to its current end belongs to the state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep_in(&mut self, state: &mut RunState) -> Result<(), Failure> {
        self.flush()?;
        let file = self.file.get_ref();
        // A pipe or a device cannot be cut.
        match file.metadata().is_ok_and(|found| found.is_file()) {
            true => state
                .set_lines(self.what, file)
                .map_err(|error| Failure::run(&error.at(self.path.display()))),
            false => Ok(()),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&mut self, line: &impl serde::Serialize) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.file, line)
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|error| unwritable(&self.path, self.what, &error))
    }

    /// Flushes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| unwritable(&self.path, self.what, &error))
    }
}

fn open(path: &Path, what: &str, resumed: Option<&RunState>) -> io::Result<File> {
    let regular = path.metadata().map_or(true, |found| found.is_file());
    if !regular {
        return File::options().write(true).open(path);
    }
    let Some(state) = resumed else {
        return File::options().create(true).truncate(true).read(true).write(true).open(path);
    };
    let mut file =
        File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    if let Some(len) = state.lines_len(what, &file).map_err(io::Error::other)? {
        file.set_len(len)?;
    }
    let len = file.seek(SeekFrom::End(0))?;
    // Another file than that of the previous run may end within a line.
    let mut last = [b'\n'];
    if len > 0 {
        file.seek(SeekFrom::Start(len - 1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn unwritable(path: &Path, what: &str, error: &io::Error) -> Failure {
    Failure::Run(format!("{}: {what} cannot be written: {error}", path.display()))
}
