//! Reads a capture.

use super::calls::Call;
use super::header::Header;
use super::line::{Line, payload_bytes};
use crate::error::{Error, ErrorKind};
use crate::store;
use crate::time::Timestamp;
use bytes::Bytes;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};

/// Bytes of a line, at most.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// A part of a capture.
#[derive(Debug)]
#[non_exhaustive]
pub enum Entry {
    /// What the following entries are of. A file that several processes have continued has several.
    Header(Header),
    /// A call of a worker's work.
    Call(Call),
    /// An event of a Lambda function, and when it came.
    Event {
        /// The clock.
        at: Timestamp,
        /// The event.
        data: Bytes,
    },
    /// Bytes of a pipe, and when they came.
    Chunk {
        /// The clock.
        at: Timestamp,
        /// The bytes.
        data: Bytes,
    },
    /// The capture has reached its limit: more came than it has.
    Cut,
}

/// The entries of a capture, in their order. After an error there are no more.
#[derive(Debug)]
pub struct CaptureReader<R> {
    input: R,
    line: u64,
    buffer: Vec<u8>,
    has_header: bool,
    has_failed: bool,
}

impl<R: BufRead> CaptureReader<R> {
    /// Creates the reader.
    pub fn new(input: R) -> Self {
        CaptureReader { input, line: 0, buffer: Vec::new(), has_header: false, has_failed: false }
    }

    fn read(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            self.buffer.clear();
            let read = self.input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.buffer);
            let failed = |error| Error::new(ErrorKind::Io, "cannot be read").with_source(error);
            if read.map_err(failed)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.buffer.len() as u64 >= LINE_BYTES_MAX {
                let message = format!("a line of more than {LINE_BYTES_MAX} bytes");
                return Err(Error::new(ErrorKind::LimitExceeded, message));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return self.entry().map(Some);
            }
        }
    }

    fn entry(&mut self) -> Result<Entry, Error> {
        let line: Line = serde_json::from_slice(&self.buffer).map_err(|error| {
            let what = "not a line of a capture";
            let cut = if self.buffer.ends_with(b"\n") { "" } else { ", and it has no end" };
            Error::new(ErrorKind::Parse, format!("{what}{cut}: {error}"))
        })?;
        if let Some(header) = Header::of_line(&line)? {
            self.has_header = true;
            return Ok(Entry::Header(header));
        }
        if !self.has_header {
            return Err(Error::new(ErrorKind::Parse, "not a capture: its first line is no header"));
        }
        if line.cut {
            return Ok(Entry::Cut);
        }
        let at = Timestamp::from_millis(line.at.unwrap_or(0));
        match line.call.as_deref() {
            Some("event") => Ok(Entry::Event { at, data: payload_bytes(line.text, line.base64)? }),
            Some("chunk") => Ok(Entry::Chunk { at, data: payload_bytes(line.text, line.base64)? }),
            _ => Call::of_line(line).map(Entry::Call),
        }
    }
}

impl<R: BufRead> Iterator for CaptureReader<R> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        match self.read() {
            Ok(entry) => entry.map(Ok),
            Err(error) => {
                self.has_failed = true;
                Some(Err(error.at(format_args!("line {}", self.line))))
            }
        }
    }
}

/// Returns the entries of a capture: of a file, or of `s3://BUCKET/PREFIX` (feature
/// `object-store`). Entries from S3 are in the order of their times.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be opened; those of [`store::open`] and of its calls.
pub fn read_all(
    place: &str,
) -> Result<Box<dyn Iterator<Item = Result<Entry, Error>> + Send>, Error> {
    if !place.starts_with("s3://") {
        let file = File::open(place).map_err(|error| {
            Error::new(ErrorKind::Io, format!("{place}: cannot be read")).with_source(error)
        })?;
        return Ok(Box::new(CaptureReader::new(BufReader::new(file))));
    }
    let store = store::open(place)?;
    let mut entries = Vec::new();
    for key in store.list("capture-")? {
        if let Some(found) = store.load(&key)? {
            let read = CaptureReader::new(Cursor::new(found.bytes));
            let read = read.collect::<Result<Vec<Entry>, Error>>();
            entries.extend(read.map_err(|error| error.at(&key))?);
        }
    }
    // A stable sort: headers come first, and the events of a process keep their order.
    entries.sort_by_key(|entry| match entry {
        Entry::Header(_) => (0, 0),
        Entry::Event { at, .. } | Entry::Chunk { at, .. } => (1, at.as_millis()),
        Entry::Call(_) | Entry::Cut => (1, i64::MAX),
    });
    Ok(Box::new(entries.into_iter().map(Ok)))
}
