//! One followed file: what was counted of it, and the reading of what comes.

use super::context::{BLOCK_BYTES, Context};
use crate::adapter::files::beginning::{Begun, begin, is_certain};
use crate::adapter::files::blocks::{BlockReader, Piece};
use crate::adapter::files::fetcher::Fetcher;
use crate::adapter::files::observer::PipelineObserver;
use crate::adapter::files::row_sink::RowSink;
use crate::adapter::files::run_pipeline::PipelineSink;
use crate::adapter::files::run_state::{
    CountedBytes, CountedFile, FileId, Fingerprint, byte_order_mark, unreadable,
};
use crate::adapter::files::source::Source;
use crate::adapter::files::taking::Taking;
use crate::error::Error;
use crate::formats::decode::Decoder;
use crate::formats::format::Format;
use crate::row::Row;
use crate::time::Timestamp;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

pub(super) use crate::adapter::files::fetcher::Fetched;

/// With this number of bytes a format that is not certain is decided as for other files.
const DECIDED_BYTES: u64 = 64 << 10;

/// A file that is followed.
pub(super) struct FollowedFile {
    /// Its name in messages.
    pub(super) name: String,
    pub(super) file: File,
    pub(super) counted: CountedFile,
    /// The counted bytes, on disk.
    pub(super) bytes: CountedBytes,
    reading: Option<Reading>,
    /// Size and time of change when the file was at its end.
    at_end: Option<(u64, Option<SystemTime>)>,
    /// The largest size that was seen.
    seen_len: u64,
    /// The size at which the format was looked for last.
    looked_at: Option<u64>,
    /// Lines that were counted.
    lines: u64,
    /// When the last bytes came.
    pub(super) busy_at: Timestamp,
    /// True if another file has taken its place.
    pub(super) is_rotated: bool,
    /// True if nothing more is read of it.
    pub(super) is_over: bool,
    /// A note on how it is read.
    pub(super) note: Option<String>,
    /// True after the note that the format is not certain.
    is_waiting: bool,
}

/// The records of a file from an offset on.
struct Reading {
    fetcher: Fetcher,
    decoder: Decoder,
    row: Row,
    /// False for compressed or converted bytes, which are read to their end once.
    grows: bool,
}

/// The next bytes of a file.
pub(super) enum Next {
    /// The file has no new bytes yet.
    Nothing,
    /// The file does not begin with its counted bytes any more.
    Cut,
    /// Records, with the bytes that are counted with them.
    Piece(Box<(Fetched, CountedBytes)>),
}

impl FollowedFile {
    /// Follows an open file. `counted` says where it is continued.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn of(
        name: String,
        file: File,
        mut counted: CountedFile,
        now: Timestamp,
    ) -> io::Result<Self> {
        let found = file.metadata()?;
        counted.id = FileId::of(&found);
        counted.retired = false;
        let bytes = CountedBytes::read(&file, counted.fingerprint.len.min(found.len()))?;
        Ok(FollowedFile {
            name,
            file,
            counted,
            bytes,
            reading: None,
            at_end: None,
            seen_len: 0,
            looked_at: None,
            lines: 0,
            busy_at: now,
            is_rotated: false,
            is_over: false,
            note: None,
            is_waiting: false,
        })
    }

    pub(super) fn id(&self) -> FileId {
        self.counted.id
    }

    /// Returns true if bytes of the file were counted.
    pub(super) fn has_counted(&self) -> bool {
        self.counted.offset > 0
    }

    /// Reads the file again from its beginning. Nothing of it was counted.
    pub(super) fn begin_again(&mut self) {
        (self.reading, self.looked_at, self.at_end) = (None, None, None);
        (self.seen_len, self.bytes) = (0, CountedBytes::default());
    }

    /// Returns the bytes that were seen but not read.
    pub(super) fn unread(&mut self) -> u64 {
        self.seen_len.saturating_sub(self.position())
    }

    /// Returns true if the file does not begin with its counted bytes any more.
    pub(super) fn is_cut(&mut self) -> Result<bool, Error> {
        let len = self.file.metadata().map_err(|error| self.failed(error))?.len();
        if self.reading.as_ref().is_some_and(|reading| !reading.grows) {
            return Ok(false);
        }
        let is_whole = self.bytes.fingerprint().is_of(&self.file);
        Ok(len < self.position() || !is_whole.map_err(|error| self.failed(error))?)
    }

    /// Returns the bytes on disk that were read.
    fn position(&mut self) -> u64 {
        let (counted, seen) = (self.bytes.len(), self.seen_len);
        self.reading
            .as_mut()
            .map_or(seen, |reading| reading.fetcher.reader().source().bytes_read().max(counted))
    }

    #[cold]
    fn failed(&self, error: io::Error) -> Error {
        unreadable(Path::new(&self.name), error)
    }

    /// Fetches the next records.
    ///
    /// # Errors
    /// The file cannot be read, or lacks a field.
    pub(super) fn next<O: PipelineObserver>(
        &mut self,
        context: &Context,
        into: &mut Taking<'_, PipelineSink<'_, '_, O>>,
    ) -> Result<Next, Error> {
        let found = self.file.metadata().map_err(|error| self.failed(error))?;
        let is_now = (found.len(), found.modified().ok());
        if self.is_over || self.at_end == Some(is_now) {
            return Ok(Next::Nothing);
        }
        let grows = self.reading.as_ref().is_none_or(|reading| reading.grows);
        if grows && found.len() < self.position() {
            return Ok(Next::Cut);
        }
        self.seen_len = self.seen_len.max(found.len());
        if self.reading.is_none() && !self.begin(context, false)? {
            return Ok(Next::Nothing);
        }
        let Some(reading) = &mut self.reading else { return Ok(Next::Nothing) };
        if let Some(format) = self.looked_at.take().map(|_| self.counted.format.clone()) {
            into.sink.beginning(into.file, format, reading.fetcher.reader().peek()?.bytes);
        }
        let Some(fetched) = reading.fetcher.next() else {
            // Bytes that came after the look at the size change it.
            self.at_end = Some(is_now);
            self.is_over = !reading.grows;
            return Ok(Next::Nothing);
        };
        let grows = reading.grows;
        let mut bytes = self.bytes.clone();
        if let Ok(Piece::Block(block)) = &fetched.piece {
            bytes.extend(&block.as_bytes()[fetched.from..]);
        }
        // After the reading, so that the bytes are of the same file as those before them.
        if grows && !bytes.fingerprint().is_of(&self.file).map_err(|error| self.failed(error))? {
            return Ok(Next::Cut);
        }
        Ok(Next::Piece(Box::new((fetched, bytes))))
    }

    /// Applies records.
    ///
    /// # Errors
    /// Those of [`read_into`](crate::adapter::files::read_into).
    pub(super) fn apply<S: RowSink>(
        &mut self,
        (fetched, bytes): (Fetched, CountedBytes),
        taking: &mut Taking<'_, S>,
    ) -> Result<(), Error> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        let before = self.counted.offset;
        let counts = taking.counts();
        if counts.name != self.name {
            counts.name.clone_from(&self.name);
        }
        counts.lines = self.lines + fetched.passed_lines;
        if let Some(line) = reading.fetcher.passed_directive() {
            reading.decoder.directive(&line);
        }
        match &fetched.piece {
            Ok(Piece::Block(block) | Piece::Tail(block)) => {
                let records = fetched.records(block);
                taking.block(records, (&mut reading.decoder, &mut reading.row))?;
            }
            _ => taking.other(&fetched)?,
        }
        self.counted.offset = fetched.offset;
        self.bytes = bytes;
        let tail = match &fetched.piece {
            Ok(Piece::Tail(_)) => reading.fetcher.reader().tail_bytes(),
            _ => 0,
        };
        self.counted.offset += tail;
        if matches!(&fetched.piece, Ok(Piece::TooLong { .. })) || tail > 0 {
            let len = self.counted.offset + byte_order_mark(&self.file);
            // A file that is gone has no more bytes to compare with.
            self.bytes = CountedBytes::read(&self.file, len).unwrap_or_default();
        }
        let counts = taking.counts();
        self.lines = counts.lines;
        let read = self.counted.offset.saturating_sub(before);
        counts.bytes_read += read;
        counts.bytes_decompressed += read;
        Ok(())
    }

    /// Reads a rotated file to its end although its format is not certain. Returns true if there is
    /// something to read.
    ///
    /// # Errors
    /// The file lacks a field.
    pub(super) fn begin_anyway(&mut self, context: &Context) -> Result<bool, Error> {
        if self.is_over || self.reading.is_some() || !self.begin(context, true)? {
            return Ok(false);
        }
        if let Some(reading) = &mut self.reading {
            reading.grows = false;
            reading.fetcher.reader().set_grows(false);
        }
        Ok(true)
    }

    /// Returns the last record if it has no end, for a file of which nothing more is read.
    pub(super) fn tail(&mut self) -> Option<Fetched> {
        let reading = self.reading.as_mut()?;
        reading.fetcher.reader().end();
        reading.fetcher.next().filter(|fetched| fetched.piece.is_ok())
    }

    /// Finds the format, if there are enough lines for it.
    fn begin(&mut self, context: &Context, is_all: bool) -> Result<bool, Error> {
        let len = self.seen_len;
        if self.looked_at.replace(len) == Some(len) && !is_all || len == 0 {
            return Ok(false);
        }
        (&self.file).seek(SeekFrom::Start(0)).map_err(|error| self.failed(error))?;
        let file = self.file.try_clone().map_err(|error| self.failed(error))?;
        let mut source = Source::of_file(self.name.clone(), file, &context.options.limits)?;
        source.allow_cuts();
        let mut reader = BlockReader::new(
            source,
            context.options.block_bytes.unwrap_or(BLOCK_BYTES),
            context.options.limits.record_bytes_max,
        );
        let is_line = memchr::memchr(b'\n', reader.peek()?.bytes).is_some();
        let is_plain = |reader: &BlockReader| reader.source().regular_file().is_some();
        if !is_line && !is_all && is_plain(&reader) {
            return Ok(false);
        }
        let mut options = context.options.clone();
        if self.counted.offset > 0 && self.counted.format != Format::Auto {
            options.format = self.counted.format.clone();
        }
        let fields = &context.fields;
        let mut is_certain = is_certain(&mut reader, &options, fields)?;
        if !is_certain && self.counted.format != Format::Auto {
            // It is read as the file before it.
            options.format = self.counted.format.clone();
            is_certain = true;
        }
        if !is_certain && is_plain(&reader) && !is_all && len < DECIDED_BYTES {
            if !std::mem::replace(&mut self.is_waiting, true) {
                let waits = "waits for more lines: its format is not certain; --format names it";
                self.note = Some(waits.to_owned());
            }
            return Ok(false);
        }
        let Begun { format, decoder, note } = begin(&mut reader, &options, fields)?;
        let grows = is_plain(&reader);
        self.note = match (note, grows) {
            (None, false) => Some("is read to its end once, and not followed".to_owned()),
            (note, _) => note,
        };
        if grows {
            reader.set_grows(true);
        }
        if grows && self.counted.offset == 0 {
            let mark = CountedBytes::read(&self.file, byte_order_mark(&self.file));
            self.bytes = mark.map_err(|error| self.failed(error))?;
        }
        self.counted.format = format;
        let fetcher = Fetcher::new(reader, &decoder, self.counted.offset);
        let row = Row::new(context.fields.len());
        self.reading = Some(Reading { fetcher, decoder, row, grows });
        Ok(true)
    }

    /// Returns how much was counted, for the state.
    ///
    /// # Errors
    /// The file cannot be examined.
    pub(super) fn record(&self) -> Result<CountedFile, Error> {
        let failed = |error| self.failed(error);
        let len = self.file.metadata().map_err(failed)?.len();
        let mut counted = self.counted.clone();
        let grows = self.reading.as_ref().is_none_or(|reading| reading.grows);
        (counted.fingerprint, counted.unread) = match (counted.offset, grows) {
            (0, _) => (CountedBytes::default().fingerprint(), len),
            (_, true) => (self.bytes.fingerprint(), len.saturating_sub(self.bytes.len())),
            (_, false) => {
                let whole = Fingerprint::of(&self.file, len).map_err(failed)?;
                (whole, u64::from(!self.is_over))
            }
        };
        Ok(counted)
    }
}
