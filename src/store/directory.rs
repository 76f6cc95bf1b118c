//! A store in a directory: one file per key.
//!
//! A save writes a temporary file in the same folder, syncs it, renames it over the key's file, and
//! syncs the folder. After a crash at any point, the key's file is the old one or the new one, and
//! complete. A temporary file that a crash left behind is never read; the next save of its key
//! replaces it. A lock on a file beside the key's file excludes other savers of the key. The
//! operating system releases the lock when the process ends.
//!
//! After a failed sync the content of the disk is unknown, and a second sync gives no honest answer
//! (the pages may be marked clean). The store therefore refuses further saves until it is opened
//! again.

use super::{Store, Version, VersionedBytes, check_key, conflict, file_name, key_of};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The ending of the names of the files.
const STATE: &str = ".state";
const TEMPORARY: &str = ".state.new";
const LOCK: &str = ".lock";

/// The largest file that is read. Default of [`DirectoryStore::bytes_max`].
const BYTES_MAX: u64 = 1 << 30;

/// Stores each key's bytes in a file of a directory. The file's name is the key (characters other
/// than `a-z A-Z 0-9 . _ -` as `%` and two hexadecimal digits) and `.state`.
///
/// Versions are hashes of the content, so that system tools can copy a file and put a copy back.
/// Locks do not work on all network file systems; use an object store to share state between
/// machines.
///
/// # Example
/// ```
/// # let folder = std::env::temp_dir().join(format!("streamgauge-store-{}", std::process::id()));
/// use streamgauge::store::{DirectoryStore, Store};
/// let store = DirectoryStore::open(&folder)?;
/// store.save("eu/shard-0", b"state".as_slice().into(), None)?;
/// assert_eq!(store.list("eu/")?, ["eu/shard-0"]);
/// assert!(folder.join("eu%2fshard-0.state").exists()); // one file per key
/// # std::fs::remove_dir_all(&folder).expect("the directory exists");
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Debug)]
pub struct DirectoryStore {
    folder: PathBuf,
    bytes_max: u64,
    sync: fn(&File) -> io::Result<()>,
    /// True if a sync has failed.
    poisoned: AtomicBool,
}

impl DirectoryStore {
    /// Opens the store in this folder, and creates the folder if it does not exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the folder cannot be created or is not a folder.
    ///
    /// # Example
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("streamgauge-new-{}", std::process::id()));
    /// use streamgauge::ErrorKind;
    /// use streamgauge::store::DirectoryStore;
    /// DirectoryStore::open(folder.join("a/new/folder"))?;
    /// std::fs::write(folder.join("file"), "").expect("a new file");
    /// let refused = DirectoryStore::open(folder.join("file")).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Io); // not a folder
    /// # std::fs::remove_dir_all(&folder).expect("the directory exists");
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        fs::create_dir_all(&folder)
            .map_err(|error| failed("cannot make the folder", &folder, error))?;
        Ok(DirectoryStore {
            folder,
            bytes_max: BYTES_MAX,
            sync: File::sync_all,
            poisoned: AtomicBool::new(false),
        })
    }

    /// Sets the largest number of bytes that one key may load or save. Default: 1 GiB.
    ///
    /// # Example
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("streamgauge-max-{}", std::process::id()));
    /// use streamgauge::ErrorKind;
    /// use streamgauge::store::{DirectoryStore, Store};
    /// let store = DirectoryStore::open(&folder)?.bytes_max(4);
    /// store.save("shard-0", b"fits".as_slice().into(), None)?;
    /// let refused = store.save("shard-1", b"longer".as_slice().into(), None).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    /// # std::fs::remove_dir_all(&folder).expect("the directory exists");
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    #[must_use]
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    fn path(&self, key: &str, ending: &str) -> PathBuf {
        self.folder.join(file_name(key, ending))
    }

    fn read(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        let path = self.path(key, STATE);
        check_regular(&path)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("cannot open", &path, error)),
        };
        let mut bytes = Vec::new();
        file.take(self.bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| failed("cannot read", &path, error))?;
        self.check_size(bytes.len(), &path)?;
        let version = Version::of(&bytes);
        Ok(Some(VersionedBytes { bytes: bytes.into(), version }))
    }

    fn check_size(&self, bytes: usize, path: &Path) -> Result<(), Error> {
        if bytes as u64 <= self.bytes_max {
            return Ok(());
        }
        let message = format!(
            "{} takes over {} bytes, the limit of this store",
            path.display(),
            self.bytes_max
        );
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }

    fn check_sound(&self) -> Result<(), Error> {
        if !self.poisoned.load(Ordering::Acquire) {
            return Ok(());
        }
        let message = format!(
            "a sync failed before, so it is not known what {} holds: open the store again",
            self.folder.display()
        );
        Err(Error::new(ErrorKind::Io, message))
    }

    /// Waits until no other saver has locked the key.
    fn lock(&self, key: &str) -> Result<File, Error> {
        let path = self.path(key, LOCK);
        check_regular(&path)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let locked = file.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|error| failed("cannot lock", &path, error))
    }

    fn sync(&self, file: &File, path: &Path) -> Result<(), Error> {
        (self.sync)(file).map_err(|error| {
            self.poisoned.store(true, Ordering::Release);
            failed("cannot sync", path, error)
        })
    }

    fn sync_folder(&self) -> Result<(), Error> {
        // Only Unix allows opening and syncing a folder. On other systems a rename is as durable as
        // the file system makes it.
        if cfg!(unix) {
            let folder = File::open(&self.folder)
                .map_err(|error| failed("cannot open the folder", &self.folder, error))?;
            self.sync(&folder, &self.folder)?;
        }
        Ok(())
    }

    fn replace(&self, key: &str, bytes: &[u8]) -> Result<(), Error> {
        let (temporary, path) = (self.path(key, TEMPORARY), self.path(key, STATE));
        check_regular(&temporary)?;
        let written =
            File::create(&temporary).and_then(|mut file| file.write_all(bytes).map(|()| file));
        let file = written.map_err(|error| failed("cannot write", &temporary, error))?;
        self.sync(&file, &temporary)?;
        drop(file);
        fs::rename(&temporary, &path)
            .map_err(|error| failed("cannot put in place", &path, error))?;
        self.sync_folder()
    }
}

impl Store for DirectoryStore {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        check_key(key)?;
        self.read(key)
    }

    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error> {
        check_key(key)?;
        self.check_sound()?;
        self.check_size(bytes.len(), &self.path(key, STATE))?;
        let _lock = self.lock(key)?;
        let found = self.read(key)?.map(|stored| stored.version);
        if found.as_ref() != expected {
            return Err(conflict(key, expected, found.as_ref()));
        }
        self.replace(key, &bytes)?;
        Ok(Version::of(&bytes))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let entries = fs::read_dir(&self.folder)
            .map_err(|error| failed("cannot list", &self.folder, error))?;
        let mut keys = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed("cannot list", &self.folder, error))?;
            // Files that belong to no key are not part of the store.
            let key = entry.file_name().to_str().and_then(|name| key_of(name, STATE));
            keys.extend(key.filter(|key| key.starts_with(prefix)));
        }
        keys.sort_unstable();
        Ok(keys)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        check_key(key)?;
        self.check_sound()?;
        let _lock = self.lock(key)?;
        let path = self.path(key, STATE);
        match fs::remove_file(&path) {
            // The lock's file stays: if it were removed while another saver waits for it, two
            // savers could have the lock.
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("cannot remove", &path, error)),
        }
    }
}

/// Refuses a pipe or a device, because opening or reading it could block for ever.
fn check_regular(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let message = format!(
                "{} is not a regular file: remove it, or use another directory",
                path.display()
            );
            Err(Error::new(ErrorKind::Io, message))
        }
        // A missing file can be created. Other errors appear when it is opened.
        _ => Ok(()),
    }
}

#[cold]
fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{what} {}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("streamgauge-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn after_a_failed_sync_it_refuses_to_save_until_it_is_opened_anew() {
        let folder = folder("sync");
        let mut store = DirectoryStore::open(&folder).unwrap();
        let first = store.save("a", Bytes::from_static(b"1"), None).unwrap();
        store.sync = |_| Err(io::Error::other("no space"));
        assert!(
            store
                .save("a", Bytes::from_static(b"2"), Some(&first))
                .unwrap_err()
                .to_string()
                .contains("no space")
        );
        store.sync = File::sync_all;
        assert!(
            store
                .save("a", Bytes::from_static(b"3"), Some(&first))
                .unwrap_err()
                .to_string()
                .contains("open the store again")
        );
        let reopened = DirectoryStore::open(&folder).unwrap();
        assert_eq!(
            &reopened.load("a").unwrap().unwrap().bytes[..],
            b"1",
            "the file that was not synced is not in place"
        );
        reopened.save("a", Bytes::from_static(b"4"), Some(&first)).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_crash_left_behind_is_neither_read_nor_in_the_way() {
        let folder = folder("leftover");
        let store = DirectoryStore::open(&folder).unwrap();
        fs::write(folder.join("a.state.new"), b"half").unwrap();
        fs::write(folder.join("notes.txt"), b"mine").unwrap();
        assert_eq!(store.load("a").unwrap(), None);
        store.save("a", Bytes::from_static(b"whole"), None).unwrap();
        assert_eq!(store.list("").unwrap(), ["a"]);
        assert_eq!(&store.load("a").unwrap().unwrap().bytes[..], b"whole");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let folder = folder("limit");
        let store = DirectoryStore::open(&folder).unwrap().bytes_max(3);
        assert_eq!(
            store.save("a", Bytes::from_static(b"1234"), None).unwrap_err().kind(),
            ErrorKind::LimitExceeded
        );
        fs::write(folder.join("a.state"), b"1234").unwrap();
        assert_eq!(store.load("a").unwrap_err().kind(), ErrorKind::LimitExceeded);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn what_is_not_a_regular_file_is_refused_and_not_waited_for() {
        let folder = folder("pipe");
        let store = DirectoryStore::open(&folder).unwrap();
        for name in ["a.state", "a.state.new", "a.lock"] {
            let pipe = folder.join(name);
            let _ = fs::remove_file(&pipe);
            let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
            assert!(made.success());
            let error = store
                .load("a")
                .and_then(|_| store.save("a", Bytes::from_static(b"1"), None))
                .unwrap_err();
            assert!(error.to_string().contains("is not a regular file"), "{error}");
            fs::remove_file(pipe).unwrap();
        }
        store.save("a", Bytes::from_static(b"1"), None).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
