//! A file that one process appends to, and that can be cut back to where a saved state knows it.

use crate::codec::checksum;
use crate::error::{Error, ErrorKind};
use std::cell::RefCell;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

/// Bytes at the end of a marked part that must be unchanged for the file to be cut.
const END_BYTES: u64 = 4096;

/// The end of a file at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputMark {
    /// The bytes up to there.
    pub bytes: u64,
    /// The checksum of the last of these bytes.
    pub end: u64,
}

/// A writer of whole lines to the end of a file that no other process writes to. A clone writes to
/// the same file.
///
/// Lines are held until [`flush`](Write::flush). A state that is saved has a
/// [`mark`](ExactFile::mark) of the file; when it is restored, [`rewind`](ExactFile::rewind) cuts
/// off what was written after that.
#[derive(Clone, Debug)]
pub struct ExactFile(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    file: File,
    held: Vec<u8>,
}

impl ExactFile {
    /// Opens the file at this path, and creates it if it does not exist. It stays locked until the
    /// last clone is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if another process has it open; [`ErrorKind::Io`] for errors of the
    /// operating system.
    pub fn open(path: impl AsRef<Path>) -> Result<ExactFile, Error> {
        let path = path.as_ref();
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Io, format!("cannot open {}", path.display())).with_source(error)
        };
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(ExactFile(Rc::new(RefCell::new(Inner { file, held: Vec::new() })))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process writes to {}", path.display());
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    /// Returns the end of the file. Lines that are held are not part of it.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn mark(&mut self) -> io::Result<OutputMark> {
        let mut inner = self.0.borrow_mut();
        let bytes = inner.file.metadata()?.len();
        Ok(OutputMark { bytes, end: inner.end_of(bytes)? })
    }

    /// Cuts the file at a mark. Returns false, and changes nothing, if the file is another one or
    /// was cut since, as by the rotation of logs. Lines that are held are dropped.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn rewind(&mut self, mark: &OutputMark) -> io::Result<bool> {
        let mut inner = self.0.borrow_mut();
        inner.held.clear();
        let is_same =
            inner.file.metadata()?.len() >= mark.bytes && inner.end_of(mark.bytes)? == mark.end;
        if is_same {
            inner.file.set_len(mark.bytes)?;
        }
        Ok(is_same)
    }
}

impl Inner {
    /// Returns the checksum of the last bytes before this length.
    fn end_of(&mut self, length: u64) -> io::Result<u64> {
        let bytes = length.min(END_BYTES);
        self.file.seek(SeekFrom::Start(length - bytes))?;
        let mut end = Vec::new();
        (&mut self.file).take(bytes).read_to_end(&mut end)?;
        Ok(checksum(&end))
    }
}

impl Write for ExactFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        if inner.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut inner.held);
        inner.file.write_all(&held)?;
        inner.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn path(name: &str) -> std::path::PathBuf {
        let name = format!("streamgauge-exact-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&path);
        path
    }

    fn write(file: &mut ExactFile, text: &str) {
        file.write_all(text.as_bytes()).unwrap();
        file.flush().unwrap();
    }

    #[test]
    fn what_was_written_after_a_mark_is_cut_off() {
        let path = path("cut");
        let mut file = ExactFile::open(&path).unwrap();
        let empty = file.mark().unwrap();
        write(&mut file, &"long\n".repeat(2000));
        let mark = file.mark().unwrap();
        write(&mut file, "lost\nhal");
        file.write_all(b"held\n").unwrap();
        drop(file);
        let mut file = ExactFile::open(&path).unwrap();
        assert!(file.rewind(&mark).unwrap());
        write(&mut file, "again\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "long\n".repeat(2000) + "again\n");
        assert!(file.rewind(&empty).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn another_file_is_not_cut() {
        let path = path("other");
        let mut file = ExactFile::open(&path).unwrap();
        write(&mut file, "one\ntwo\n");
        let mark = file.mark().unwrap();
        for other in ["", "one\n", "six\nten\nnine\n"] {
            fs::write(&path, other).unwrap();
            assert!(!file.rewind(&mark).unwrap(), "{other:?}");
            write(&mut file, "more\n");
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{other}more\n"));
        }
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_has_one_writer() {
        let path = path("lock");
        let file = ExactFile::open(&path).unwrap();
        let _clone = file.clone();
        assert_eq!(ExactFile::open(&path).unwrap_err().kind(), ErrorKind::Conflict);
        drop(file);
        assert_eq!(ExactFile::open(&path).unwrap_err().kind(), ErrorKind::Conflict);
        drop(_clone);
        ExactFile::open(&path).unwrap();
        fs::remove_file(path).unwrap();
    }
}
