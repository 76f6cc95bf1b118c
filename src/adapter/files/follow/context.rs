//! What all logs share.

use super::folder::Folder;
use crate::adapter::files::options::FilesOptions;
use crate::adapter::files::run_state::{CountedFile, FileId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 32 << 10;
/// How long a rotated file is read after its last byte: a program may still have it open.
pub(super) const ROTATED: i64 = 60_000;
/// Maximum files of a log that are open at the same time, once they were read to their end.
pub(super) const ROTATED_MAX: usize = 16;

/// A file that no log is to begin with.
pub(super) struct Known {
    /// The path of the log that it belongs to; `None` for an output.
    pub(super) log: Option<PathBuf>,
    /// True if the log reads it, or has read it.
    pub(super) is_read: bool,
    /// How often in a row it was not found in the folder.
    pub(super) misses: u32,
}

impl Known {
    pub(super) fn of(log: &Path, is_read: bool) -> Known {
        Known { log: Some(log.to_owned()), is_read, misses: 0 }
    }

    /// Returns true if it may be a copy of a file that is read.
    pub(super) fn may_be_copy(&self) -> bool {
        self.log.is_some() && !self.is_read
    }
}

/// What all logs share.
pub(super) struct Context {
    pub(super) options: FilesOptions,
    pub(super) fields: Vec<String>,
    pub(super) now: Timestamp,
    pub(super) folders: BTreeMap<PathBuf, Folder>,
    /// Files that are followed, or are not to be followed.
    pub(super) known: HashMap<FileId, Known>,
    /// True if the state is of a run that followed its files.
    pub(super) has_followed: bool,
    /// Files of the state that no log reads.
    pub(super) left: Vec<CountedFile>,
}
