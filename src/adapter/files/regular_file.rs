//! Regular files, which any thread can read at any offset.
//!
//! The last newline of a block is its end. In a regular file it is found in the last bytes of the
//! block, so that the thread that locates the block need not read the rest. So several threads can
//! read their blocks at the same time, and no thread waits for another one's reading.

use crate::error::{Error, ErrorKind};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes that are searched for a newline at a time.
const LOOK_BYTES: usize = 4096;

/// A regular file that is not compressed.
#[derive(Debug)]
pub(crate) struct RegularFile {
    name: String,
    file: File,
}

impl RegularFile {
    pub(super) fn new(name: String, file: File) -> Self {
        RegularFile { name, file }
    }

    /// Moves the file's own offset there, for readers that read on from it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system reports an error.
    pub(super) fn go_to(&self, at: u64) -> Result<(), Error> {
        let gone = (&self.file).seek(SeekFrom::Start(at));
        gone.map(drop).map_err(|error| self.failed(error))
    }

    /// Fills a buffer with the bytes from there on.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system reports an error, or the file has become shorter.
    pub(super) fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<(), Error> {
        read_exact_at(&self.file, buffer, at).map_err(|error| self.failed(error))
    }

    #[cold]
    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => became_shorter(&self.name),
            _ => Error::new(ErrorKind::Io, format!("{}: reading failed", self.name))
                .with_source(error),
        }
    }

    /// Returns the lines that end in the next `bytes` bytes. Returns `None` if the file has fewer
    /// bytes, or if no line ends in them.
    pub(super) fn lines(self: &Arc<Self>, at: u64, bytes: usize) -> Option<FileRange> {
        let mut look = [0; LOOK_BYTES];
        let mut to = bytes;
        while to > 0 {
            let from = to.saturating_sub(LOOK_BYTES);
            let looked = &mut look[..to - from];
            read_exact_at(&self.file, looked, at.checked_add(from as u64)?).ok()?;
            if let Some(newline) = memchr::memrchr(b'\n', looked) {
                return Some(FileRange { file: self.clone(), at, len: from + newline + 1 });
            }
            to = from;
        }
        None
    }
}

/// A range of bytes of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileRange {
    file: Arc<RegularFile>,
    at: u64,
    len: usize,
}

impl FileRange {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Reads the range into a buffer of its length.
    ///
    /// # Errors
    /// As [`RegularFile::read_at`].
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<(), Error> {
        self.file.read_at(self.at, buffer)
    }
}

/// Returns the error for a file that was cut while it was read. Without it the missing records
/// would be lost silently.
#[cold]
pub(super) fn became_shorter(name: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{name}: it became shorter while it was read: read it again"))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

/// On systems that cannot read at an offset without moving the shared offset of the file, blocks
/// are not located ahead.
#[cfg(not(unix))]
fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_located_and_read_up_to_the_end_of_the_file() {
        let path =
            std::env::temp_dir().join(format!("streamgauge-regular-file-{}", std::process::id()));
        let long = "x".repeat(3 * LOOK_BYTES);
        std::fs::write(&path, format!("one\ntwo\n{long}\nend")).unwrap();
        let file = Arc::new(RegularFile::new("a file".to_owned(), File::open(&path).unwrap()));
        let read = |at, bytes| {
            file.lines(at, bytes).map(|lines| {
                let mut buffer = vec![0; lines.len()];
                lines.read(&mut buffer).unwrap();
                String::from_utf8(buffer).unwrap()
            })
        };
        assert_eq!(read(0, 7).as_deref(), Some("one\n"));
        assert_eq!(read(0, 8).as_deref(), Some("one\ntwo\n"));
        assert_eq!(
            read(4, 4 + 2 * LOOK_BYTES).as_deref(),
            Some("two\n"),
            "newlines are looked for up to the beginning"
        );
        assert_eq!(read(8, 2 * LOOK_BYTES), None, "no line ends there");
        assert_eq!(read(8, 3 * LOOK_BYTES + 4).unwrap().len(), 3 * LOOK_BYTES + 1);
        assert_eq!(read(8, 3 * LOOK_BYTES + 5), None, "that is past the end, where more may come");
        assert_eq!((read(u64::MAX, 10), read(0, 0)), (None, None));

        let lines = file.lines(0, 8).unwrap();
        std::fs::write(&path, "one").unwrap();
        let error = lines.read(&mut [0; 8]).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Io, "a file: it became shorter while it was read: read it again")
        );
        std::fs::remove_file(&path).unwrap();
    }
}
