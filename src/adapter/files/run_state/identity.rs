//! The identity of a file: device and inode, and the bytes that were counted.

use crate::error::{Error, ErrorKind};
use crate::hash::{Seed, hash_bytes};
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes that a fingerprint covers at the beginning of a file, and before the end of the counted
/// part.
const FINGERPRINT_BYTES: u64 = 4096;

/// Maximum entries of a folder that are searched for a file under another name.
const FOLDER_ENTRIES_MAX: usize = 10_000;

/// The system's identity of a file, independent of its name: device, inode, and time of birth,
/// because inodes are reused.
///
/// All are 0 on systems that do not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Nanoseconds since the epoch; 0 if the file system does not keep it.
    pub(super) born: u64,
}

impl FileId {
    pub(super) fn of(found: &Metadata) -> Self {
        let born =
            found.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let born = born.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let (device, inode) = device_and_inode(found);
        FileId { device, inode, born }
    }

    /// Returns true if the system gives files an identity.
    pub(super) fn is_known(self) -> bool {
        self.inode != 0
    }
}

#[cfg(unix)]
fn device_and_inode(found: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn device_and_inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// The hashes of a file's first bytes, and of the last ones before an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fingerprint {
    /// The offset, in bytes on disk.
    pub(super) len: u64,
    pub(super) head: u64,
    pub(super) tail: u64,
}

impl Fingerprint {
    /// Returns the fingerprint of the first `len` bytes.
    ///
    /// # Errors
    /// Errors of reading; [`io::ErrorKind::UnexpectedEof`] if the file has fewer bytes.
    pub(super) fn of(file: &File, len: u64) -> io::Result<Self> {
        let looked_at = len.min(FINGERPRINT_BYTES);
        Ok(Fingerprint {
            len,
            head: hash_at(file, 0, looked_at)?,
            tail: hash_at(file, len - looked_at, looked_at)?,
        })
    }

    /// Returns true if the file begins with the bytes of this fingerprint.
    ///
    /// # Errors
    /// Errors of reading.
    pub(super) fn is_of(&self, file: &File) -> io::Result<bool> {
        match Fingerprint::of(file, self.len) {
            Ok(found) => Ok(found == *self),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Fingerprint {
    /// Returns true if a stream of bytes begins as the file does.
    pub(super) fn begins(&self, mut read: impl FnMut(&mut [u8]) -> Result<usize, Error>) -> bool {
        let mut bytes = vec![0; self.len.min(FINGERPRINT_BYTES) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match read(&mut bytes[filled..]) {
                Ok(len) if len > 0 => filled += len,
                _ => return false,
            }
        }
        hash_bytes(Seed::PUBLIC, &bytes) == self.head
    }
}

fn hash_at(file: &File, at: u64, len: u64) -> io::Result<u64> {
    let mut bytes = vec![0; len as usize];
    read_exact_at(file, &mut bytes, at)?;
    Ok(hash_bytes(Seed::PUBLIC, &bytes))
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    // The offset of the file is restored for its reader.
    let mut file = file;
    let stood = file.stream_position()?;
    file.seek(SeekFrom::Start(at))?;
    let read = file.read_exact(bytes);
    file.seek(SeekFrom::Start(stood))?;
    read
}

/// An open file, for comparison.
pub(super) struct OpenFile {
    pub(super) file: File,
    pub(super) id: FileId,
    pub(super) size: u64,
}

impl OpenFile {
    /// # Errors
    /// [`ErrorKind::Io`], naming the path.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let opened = File::open(path).and_then(OpenFile::of);
        opened.map_err(|error| unreadable(path, error))
    }

    pub(super) fn of(file: File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(OpenFile { id: FileId::of(&found), size: found.len(), file })
    }
}

#[cold]
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{}: cannot be read", path.display())).with_source(error)
}

/// Searches near a path for the file that was there before.
pub(super) struct Search<'a> {
    pub(super) path: &'a Path,
    pub(super) id: FileId,
    pub(super) fingerprint: &'a Fingerprint,
}

impl Search<'_> {
    /// Returns the same file under any name.
    pub(super) fn renamed(&self) -> Option<(PathBuf, OpenFile)> {
        self.find(|_, id| id == self.id && id.is_known())
    }

    /// Returns a copy of the file: its name begins with the name of the file. `others` are files
    /// that it cannot be.
    pub(super) fn copied(&self, others: &[FileId]) -> Option<(PathBuf, OpenFile)> {
        let name = self.path.file_name()?.to_string_lossy().into_owned();
        self.find(|other, id| {
            self.fingerprint.len > 0
                && other.starts_with(&name)
                && *other != name
                && !others.contains(&id)
        })
    }

    fn find(&self, is_candidate: impl Fn(&str, FileId) -> bool) -> Option<(PathBuf, OpenFile)> {
        let entries = std::fs::read_dir(self.path.parent()?).ok()?.take(FOLDER_ENTRIES_MAX);
        entries.flatten().find_map(|entry| {
            let found = entry.metadata().ok().filter(Metadata::is_file)?;
            if !is_candidate(&entry.file_name().to_string_lossy(), FileId::of(&found)) {
                return None;
            }
            let open = OpenFile::open(&entry.path()).ok()?;
            self.fingerprint.is_of(&open.file).is_ok_and(|same| same).then(|| (entry.path(), open))
        })
    }
}
