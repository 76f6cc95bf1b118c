//! The folder of a log, in which its rotated files are.

use crate::adapter::files::run_state::{FOLDER_ENTRIES_MAX, FileId};
use crate::time::Timestamp;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A folder that changed this recently may change again without another time of change.
const RECENT: i64 = 2_000;

/// A file in a folder.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) modified: Option<SystemTime>,
}

/// When a folder was looked at, for one log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Folder {
    changed: Option<SystemTime>,
    looked_at: Option<Timestamp>,
}

impl Folder {
    /// Returns true if the folder may have other entries than when this was asked last.
    pub(super) fn has_changed(&mut self, path: &Path, now: Timestamp) -> bool {
        let changed = path.metadata().and_then(|found| found.modified()).ok();
        let millis = changed
            .and_then(|changed| changed.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_millis()).ok());
        let was_recent = millis.zip(self.looked_at).is_none_or(|(changed, looked_at)| {
            looked_at.as_millis().saturating_sub(changed) < RECENT
        });
        let has_changed = was_recent || changed != self.changed;
        (self.changed, self.looked_at) = (changed, Some(now));
        has_changed
    }
}

/// Returns the files of a folder whose name begins with this one and is longer.
pub(super) fn named_like(folder: &Path, name: &str) -> Vec<Entry> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<Entry> = entries
        .take(FOLDER_ENTRIES_MAX)
        .flatten()
        .filter(|entry| {
            let other = entry.file_name();
            let other = other.to_string_lossy();
            other.len() > name.len() && other.starts_with(name)
        })
        .filter_map(|entry| {
            let found = entry.path().metadata().ok().filter(Metadata::is_file)?;
            let (id, modified) = (FileId::of(&found), found.modified().ok());
            Some(Entry { path: entry.path(), id, modified })
        })
        .collect();
    found.sort_by(|one, other| (one.modified, &one.path).cmp(&(other.modified, &other.path)));
    found
}
