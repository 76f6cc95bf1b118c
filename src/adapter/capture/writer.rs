//! Writes a capture.

use super::header::{CaptureKind, Header};
use super::line::{Line, payload};
use crate::error::{Error, ErrorKind};
use crate::store::{self, Store};
use crate::time::Timestamp;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};

/// Bytes of a line without an end that a pipe's capture waits for, at most.
const PENDING_BYTES_MAX: usize = 64 * 1024;

/// The size of the line that ends a capture at its limit.
const CUT: &[u8] = b"{\"cut\":true}\n";

/// A capture that is being written. It never fails the run: if it cannot be written, or has reached
/// its limit, it ends with a note on standard error.
pub struct Capture {
    place: Place,
    bytes_max: u64,
    /// The line of the header.
    header: Vec<u8>,
    /// The beginning of a line of a pipe, and when it came.
    pending: (Option<Timestamp>, Vec<u8>),
    is_ended: bool,
}

enum Place {
    /// Lines of several processes may be in one file, each written by one call.
    File(File),
    /// A file for each event.
    Store { store: Box<dyn Store>, name: String, files: u64, bytes: u64 },
}

impl Capture {
    /// Opens a capture of at most this size. `place` is a file, which is continued, or for the
    /// events of a Lambda function also `s3://BUCKET/PREFIX` (feature `object-store`).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be opened; those of [`store::open`];
    /// [`ErrorKind::InvalidArgument`] for `s3://` if it is not the capture of a Lambda function.
    pub fn open(place: &str, bytes_max: u64, header: &Header) -> Result<Self, Error> {
        let mut capture = Capture {
            place: Place::open(place, header.kind)?,
            bytes_max,
            header: bytes(&header.to_line()),
            pending: (None, Vec::new()),
            is_ended: false,
        };
        if matches!(capture.place, Place::File(_)) {
            let header = capture.header.clone();
            capture.put(&header);
        }
        Ok(capture)
    }

    /// Adds an event of a Lambda function.
    pub fn event(&mut self, at: Timestamp, event: &[u8]) {
        self.write_bytes("event", at, event);
    }

    /// Adds bytes of a pipe, in whole lines where that is possible.
    pub fn chunk(&mut self, at: Timestamp, data: &[u8]) {
        if self.is_ended {
            return;
        }
        let (since, pending) = &mut self.pending;
        pending.extend_from_slice(data);
        let end = pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = if pending.len() - end > PENDING_BYTES_MAX { pending.len() } else { end };
        if end == 0 {
            since.get_or_insert(at);
            return;
        }
        let lines: Vec<u8> = pending.drain(..end).collect();
        *since = None;
        self.write_bytes("chunk", at, &lines);
    }

    fn write_bytes(&mut self, call: &str, at: Timestamp, data: &[u8]) {
        let (text, base64) = payload(data);
        let (call, at) = (Some(call.to_owned()), Some(at.as_millis()));
        self.write(&Line { call, at, text, base64, ..Line::default() });
    }

    pub(super) fn write(&mut self, line: &Line) {
        if !self.is_ended {
            self.put(&bytes(line));
        }
    }

    fn put(&mut self, line: &[u8]) {
        let taken = self.place.size().and_then(|size| {
            let more = (line.len() + CUT.len()) as u64;
            let fits = size.saturating_add(more) <= self.bytes_max;
            self.place.put(&self.header, if fits { line } else { CUT }).map(|()| fits)
        });
        match taken {
            Ok(true) => return,
            Ok(false) => {
                note(&format!("the capture has reached its limit of {} bytes", self.bytes_max))
            }
            Err(error) => note(&format!("the capture cannot be written: {error}")),
        }
        self.is_ended = true;
    }
}

/// Writes a note.
fn note(text: &str) {
    // If standard error is closed, there is no other place to report to.
    let _ = writeln!(io::stderr(), "streamgauge: {text}; it ends here, and the run goes on");
}

/// Returns a line with its end.
fn bytes(line: &Line) -> Vec<u8> {
    // A line has no value that JSON has not.
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

impl Place {
    fn open(place: &str, kind: CaptureKind) -> Result<Self, Error> {
        if !place.starts_with("s3://") {
            let file = File::options().create(true).append(true).open(place);
            return file.map(Place::File).map_err(|error| {
                let message = format!("{place}: the capture cannot be written");
                Error::new(ErrorKind::Io, message).with_source(error)
            });
        }
        if kind != CaptureKind::Lambda {
            return Err(Error::invalid(format!(
                "{place}: a worker writes its capture to a file; only that of a Lambda function \
                 can be in S3"
            )));
        }
        let name = format!("{:016x}", rand_of_process());
        Ok(Place::Store { store: store::open(place)?, name, files: 0, bytes: 0 })
    }

    /// Returns the size so far, what other processes wrote to the file included.
    fn size(&self) -> io::Result<u64> {
        match self {
            Place::File(file) => file.metadata().map(|found| found.len()),
            Place::Store { bytes, .. } => Ok(*bytes),
        }
    }

    fn put(&mut self, header: &[u8], line: &[u8]) -> io::Result<()> {
        match self {
            Place::File(file) => file.write_all(line),
            Place::Store { store, name, files, bytes } => {
                let key = format!("capture-{name}-{files:06}");
                let content = [header, line].concat();
                *bytes = bytes.saturating_add(content.len() as u64);
                *files += 1;
                store.save(&key, content.into(), None).map(drop).map_err(io::Error::other)
            }
        }
    }
}

/// Returns a number that other processes do not have.
fn rand_of_process() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let (Some(at), pending) = std::mem::take(&mut self.pending) {
            self.write_bytes("chunk", at, &pending);
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}
