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
pub(in crate::adapter::files) const FOLDER_ENTRIES_MAX: usize = 10_000;

/// The system's identity of a file, independent of its name: device, inode, and time of birth,
/// because inodes are reused.
///
/// All are 0 on systems that do not tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(in crate::adapter::files) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Nanoseconds since the epoch; 0 if the file system does not keep it.
    pub(super) born: u64,
}

impl FileId {
    pub(in crate::adapter::files) fn of(found: &Metadata) -> Self {
        let born =
            found.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let born = born.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let (device, inode) = device_and_inode(found);
        FileId { device, inode, born }
    }

    /// Returns true if the system gives files an identity.
    pub(in crate::adapter::files) fn is_known(self) -> bool {
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
pub(in crate::adapter::files) struct Fingerprint {
    /// The offset, in bytes on disk.
    pub(in crate::adapter::files) len: u64,
    pub(super) head: u64,
    pub(super) tail: u64,
}

impl Fingerprint {
    /// Returns the fingerprint of the first `len` bytes.
    ///
    /// # Errors
    /// Errors of reading; [`io::ErrorKind::UnexpectedEof`] if the file has fewer bytes.
    pub(in crate::adapter::files) fn of(file: &File, len: u64) -> io::Result<Self> {
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
    pub(in crate::adapter::files) fn is_of(&self, file: &File) -> io::Result<bool> {
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

/// The first bytes of a file and the last ones before an offset, of which the fingerprint is made.
#[derive(Clone, Debug, Default)]
pub(in crate::adapter::files) struct CountedBytes {
    len: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl CountedBytes {
    /// Reads those of the first `len` bytes of a file.
    ///
    /// # Errors
    /// Errors of reading; [`io::ErrorKind::UnexpectedEof`] if the file has fewer bytes.
    pub(in crate::adapter::files) fn read(file: &File, len: u64) -> io::Result<Self> {
        let looked_at = len.min(FINGERPRINT_BYTES) as usize;
        let (mut head, mut tail) = (vec![0; looked_at], vec![0; looked_at]);
        read_exact_at(file, &mut head, 0)?;
        read_exact_at(file, &mut tail, len - looked_at as u64)?;
        Ok(CountedBytes { len, head, tail })
    }

    /// Returns the offset.
    pub(in crate::adapter::files) fn len(&self) -> u64 {
        self.len
    }

    /// Moves the offset behind the bytes that follow.
    pub(in crate::adapter::files) fn extend(&mut self, bytes: &[u8]) {
        let max = FINGERPRINT_BYTES as usize;
        let missing = max - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(max)..]);
        self.tail.drain(..self.tail.len().saturating_sub(max));
        self.len += bytes.len() as u64;
    }

    /// Returns the fingerprint of the bytes before the offset.
    pub(in crate::adapter::files) fn fingerprint(&self) -> Fingerprint {
        let [head, tail] = [&self.head, &self.tail].map(|bytes| hash_bytes(Seed::PUBLIC, bytes));
        Fingerprint { len: self.len, head, tail }
    }

    /// Returns true if the bytes before the offset and those of a file begin alike, as far as both
    /// go. Returns false if either has none.
    ///
    /// # Errors
    /// Errors of reading.
    pub(in crate::adapter::files) fn begins_as(&self, file: &File) -> io::Result<bool> {
        let len = file.metadata()?.len().min(self.head.len() as u64) as usize;
        let mut bytes = vec![0; len];
        read_exact_at(file, &mut bytes, 0)?;
        Ok(len > 0 && bytes == self.head[..len])
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
pub(in crate::adapter::files) struct OpenFile {
    pub(in crate::adapter::files) file: File,
    pub(in crate::adapter::files) id: FileId,
    pub(in crate::adapter::files) size: u64,
}

impl OpenFile {
    /// # Errors
    /// [`ErrorKind::Io`], naming the path.
    pub(in crate::adapter::files) fn open(path: &Path) -> Result<Self, Error> {
        let opened = File::open(path).and_then(OpenFile::of);
        opened.map_err(|error| unreadable(path, error))
    }

    pub(in crate::adapter::files) fn of(file: File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(OpenFile { id: FileId::of(&found), size: found.len(), file })
    }
}

#[cold]
pub(in crate::adapter::files) fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{}: cannot be read", path.display())).with_source(error)
}

/// Searches near a path for the file that was there before.
pub(in crate::adapter::files) struct Search<'a> {
    pub(super) path: &'a Path,
    pub(super) id: FileId,
    pub(super) fingerprint: &'a Fingerprint,
}

impl Search<'_> {
    /// Returns the same file under any name.
    pub(in crate::adapter::files) fn renamed(&self) -> Option<(PathBuf, OpenFile)> {
        self.find(|_, id| id == self.id && id.is_known())
    }

    /// Returns a copy of the file: its name begins with the name of the file. `others` are files
    /// that it cannot be.
    pub(in crate::adapter::files) fn copied(
        &self,
        others: &[FileId],
    ) -> Option<(PathBuf, OpenFile)> {
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
