//! The state of a run that follows its files.

use super::identity::FileId;
use super::state::{CountedFile, RunState, refused};
use crate::error::Error;
use crate::formats::format::Format;
use crate::time::Timestamp;
use std::path::PathBuf;

impl RunState {
    /// Returns the time until which all records were written, if the years of times depend on it:
    /// the latest one of all runs, of which this one has `written_until`.
    pub fn written_until(&mut self, written_until: Option<Timestamp>) -> Option<Timestamp> {
        let known = &mut self.following.written_until;
        *known = (*known).max(written_until);
        written_until.and(*known)
    }

    /// Begins a run that follows its files.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if the state has a pipeline for each of
    /// several files, whose windows cannot be joined.
    pub fn begin_following(&mut self) -> Result<(), Error> {
        if !self.stream && !self.files.is_empty() {
            return Err(refused(
                "the state is of a run without --follow over several files, or without \
                 --max-delay: begin with another --state",
            ));
        }
        self.stream = true;
        Ok(())
    }

    /// Returns true if the run that saved the state followed its files.
    pub(in crate::adapter::files) fn has_followed(&self) -> bool {
        self.following.follows
    }

    /// Returns the files of the state.
    pub(in crate::adapter::files) fn followed(&self) -> &[CountedFile] {
        &self.files
    }

    /// Replaces the files of the state. The snapshot of their pipeline is set after that.
    pub(in crate::adapter::files) fn set_followed(&mut self, files: Vec<CountedFile>) {
        (self.files, self.following.follows) = (files, true);
    }
}

impl CountedFile {
    /// A file at a path of which nothing was counted. `format` is what it is read as if its first
    /// lines do not say it.
    pub(in crate::adapter::files) fn fresh(path: PathBuf, format: Format) -> Self {
        CountedFile { path, format, ..CountedFile::default() }
    }

    /// A file that is not read, beside the one at a path.
    pub(in crate::adapter::files) fn unread(path: PathBuf, id: FileId) -> Self {
        CountedFile { path, id, retired: true, ..CountedFile::default() }
    }
}
