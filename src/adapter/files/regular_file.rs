//! Regular files, of which any thread can read any stretch.
//!
//! Where a block ends is told by the last newline in it. Of a regular file that is found by looking
//! at the block's last bytes alone, so that the thread whose turn it is need not read the rest:
//! many threads read their blocks at once, and none waits for another's reading.

use crate::error::{Error, ErrorKind};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes that are looked at for a newline at a time.
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

    /// Goes on there, for whoever reads the file from where it stands.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub(super) fn go_to(&self, at: u64) -> Result<(), Error> {
        let gone = (&self.file).seek(SeekFrom::Start(at));
        gone.map(drop).map_err(|error| self.failed(error))
    }

    /// Fills a buffer from there on.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses, or the file has become shorter.
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
    pub(super) fn lines(self: &Arc<Self>, at: u64, bytes: usize) -> Option<Stretch> {
        let mut look = [0; LOOK_BYTES];
        let mut to = bytes;
        while to > 0 {
            let from = to.saturating_sub(LOOK_BYTES);
            let looked = &mut look[..to - from];
            read_exact_at(&self.file, looked, at.checked_add(from as u64)?).ok()?;
            if let Some(newline) = memchr::memrchr(b'\n', looked) {
                return Some(Stretch { file: self.clone(), at, len: from + newline + 1 });
            }
            to = from;
        }
        None
    }
}

/// Some bytes of a file.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    file: Arc<RegularFile>,
    at: u64,
    len: usize,
}

impl Stretch {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Reads it into a buffer of its length.
    ///
    /// # Errors
    /// As [`RegularFile::read_at`].
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<(), Error> {
        self.file.read_at(self.at, buffer)
    }
}

/// A file was cut under the hands of its reader: what is missing would be lost without a word.
#[cold]
pub(super) fn became_shorter(name: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{name}: it became shorter while it was read: read it again"))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

/// Where a file cannot be read without moving the place that all who read it share, no lines are
/// found ahead.
#[cfg(not(unix))]
fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_found_and_read_as_long_as_they_are_there() {
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
