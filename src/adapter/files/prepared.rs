//! Blocks decoded and prepared by any thread, to be taken in their order by one.

use crate::adapter::files::blocks::{BlockReader, Piece};
use crate::adapter::formats::decode::{Cursor, Decoder, Framed};
use crate::adapter::formats::flaw::Flaw;
use crate::error::{Error, ErrorKind};
use crate::parallel::Work;
use crate::spec::{Block, PreaggregatedRows, PreparedRows, Row, RowPreparer};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A piece of an input, and how far the input had been read with it.
pub(super) struct Fetched {
    pub(super) piece: Result<Piece, Error>,
    /// Whether the input's header is the first record of it.
    pub(super) header: bool,
    /// Where in a block the records that are to be taken begin.
    pub(super) from: usize,
    /// Lines that were passed over since the piece before.
    pub(super) passed_lines: u64,
    /// Bytes of the input, decompressed, up to the end of the piece; of a tail, up to its beginning.
    pub(super) offset: u64,
    pub(super) bytes_read: u64,
    pub(super) bytes_decompressed: u64,
}

/// Fetches an input piece by piece, and passes over what an earlier run has taken.
pub(super) struct Fetcher {
    reader: BlockReader,
    header: bool,
    offset: u64,
    resume_at: u64,
}

impl Fetcher {
    /// Fetches what comes after `resume_at` bytes. `header` says whether the first record is one.
    pub(super) fn new(reader: BlockReader, header: bool, resume_at: u64) -> Self {
        Fetcher { reader, header, offset: 0, resume_at }
    }

    pub(super) fn reader(&mut self) -> &mut BlockReader {
        &mut self.reader
    }

    /// Bytes of the input, decompressed, of all pieces so far but the tail.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next piece; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Option<Fetched> {
        let mut passed_lines = 0;
        loop {
            let piece = self.reader.next();
            let before = self.offset;
            let from = match &piece {
                Ok(None) | Ok(Some(Piece::Tail(_))) if before < self.resume_at => {
                    return Some(self.fetched(Err(self.is_shorter()), passed_lines, 0));
                }
                Ok(Some(Piece::Block(block))) => {
                    let bytes = block.as_bytes();
                    self.offset += bytes.len() as u64;
                    let passed =
                        usize::try_from(self.resume_at.saturating_sub(before)).map_or(bytes.len(), |passed| passed.min(bytes.len()));
                    passed_lines += memchr::memchr_iter(b'\n', &bytes[..passed]).count() as u64;
                    passed
                }
                Ok(Some(Piece::TooLong { len, .. })) => {
                    self.offset += len;
                    passed_lines += u64::from(before < self.resume_at);
                    0
                }
                _ => 0,
            };
            // A header is the first of what was passed over.
            self.header &= before >= self.resume_at || self.resume_at == 0;
            match piece.transpose()? {
                Ok(Piece::Block(_) | Piece::TooLong { .. }) if before < self.resume_at && self.offset <= self.resume_at => {}
                piece => return Some(self.fetched(piece, passed_lines, from)),
            }
        }
    }

    fn fetched(&mut self, piece: Result<Piece, Error>, passed_lines: u64, from: usize) -> Fetched {
        let (bytes_read, bytes_decompressed) = (self.reader.source().bytes_read(), self.reader.bytes_decompressed());
        let header = std::mem::take(&mut self.header);
        Fetched { piece, header, from, passed_lines, offset: self.offset, bytes_read, bytes_decompressed }
    }

    #[cold]
    fn is_shorter(&self) -> Error {
        let (offset, resume_at) = (self.offset, self.resume_at);
        let message = format!(
            "the input ends after {offset} bytes, and {resume_at} had been read of it: it is not the file that it was, and may only grow"
        );
        Error::new(ErrorKind::Mismatch, message).at(self.reader.source().name())
    }
}

/// Where in its block a record is, or what should have been one.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Lines before it in the block.
    pub(super) lines: u64,
}

/// What should have been a record.
pub(super) struct Flawed {
    pub(super) flaw: Flaw,
    pub(super) place: Place,
    /// The prepared rows before it.
    pub(super) rows: usize,
}

/// A piece with what was made of it.
pub(super) struct PreparedPiece {
    pub(super) fetched: Fetched,
    pub(super) made: Made,
}

/// What was made of a block. Its memory goes back to the thread that made it: were it freed by another, the allocator would mix up what both write to all the time, and
/// each write would wait for the other thread's cache.
pub(super) struct Made {
    /// The number of the thread.
    thread: usize,
    /// The rows aggregated, in the place of all of the following but the lines.
    pub(super) preaggregated: Option<PreaggregatedRows>,
    pub(super) rows: PreparedRows,
    /// Of each row. Looked at for dead letters only.
    pub(super) places: Vec<Place>,
    pub(super) flawed: Vec<Flawed>,
    /// Lines of the block.
    pub(super) lines: u64,
}

/// Blocks that are prepared row by row after one whose aggregates were for nothing, or cost as much as they spared.
const BLOCKS_ROW_BY_ROW: usize = 16;

/// The work that threads share.
pub(super) struct Preparing {
    decoder: Decoder,
    preparer: Arc<RowPreparer>,
    record_bytes_max: usize,
    slots: usize,
    /// So many blocks are still to be prepared row by row before one is aggregated apart again.
    row_by_row: AtomicUsize,
    /// Made before, and free to be made again.
    spare: Mutex<Vec<Made>>,
    /// How many threads there are so far.
    threads: AtomicUsize,
}

/// What a thread has for itself.
pub(super) struct Tools {
    decoder: Decoder,
    row: Row,
    /// Its number.
    thread: usize,
}

impl Preparing {
    pub(super) fn new(decoder: Decoder, preparer: Arc<RowPreparer>, record_bytes_max: usize, slots: usize) -> Self {
        Preparing {
            decoder,
            preparer,
            record_bytes_max,
            slots,
            row_by_row: AtomicUsize::new(0),
            spare: Mutex::new(Vec::new()),
            threads: AtomicUsize::new(0),
        }
    }

    /// What this thread has made before, or new room.
    fn room(&self, thread: usize) -> Made {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let own = spare.iter().position(|made| made.thread == thread);
        own.map(|index| spare.swap_remove(index)).unwrap_or_else(|| Made {
            thread,
            preaggregated: None,
            rows: PreparedRows::new(&self.preparer),
            places: Vec::new(),
            flawed: Vec::new(),
            lines: 0,
        })
    }

    /// Aggregating a block apart did not pay: the next ones are prepared row by row.
    pub(super) fn turn_to_rows(&self) {
        self.row_by_row.store(BLOCKS_ROW_BY_ROW, Ordering::Relaxed);
    }

    /// Whether to aggregate the next block apart.
    fn turns_to_aggregates(&self) -> bool {
        let left = self.row_by_row.load(Ordering::Relaxed);
        if left > 0 {
            // Another thread may do the same; it is an estimate.
            self.row_by_row.store(left - 1, Ordering::Relaxed);
        }
        left == 0
    }

    /// Decodes and aggregates the block; `None` where it must be taken row by row.
    fn preaggregate(&self, Tools { decoder, row, .. }: &mut Tools, fetched: &Fetched, block: &Block) -> Option<(PreaggregatedRows, u64)> {
        let mut rows = PreaggregatedRows::new(&self.preparer)?;
        let mut cursor = Cursor { offset: fetched.from, lines: 0 };
        let mut framed = Framed { header: fetched.header, record_bytes_max: self.record_bytes_max };
        while cursor.offset < block.as_bytes().len() {
            match decoder.record(block, &mut framed, &mut cursor, row) {
                None => {}
                Some(Ok(())) if rows.add(&self.preparer, row, Timestamp::from_millis(0)) => {}
                Some(_) => {
                    self.turn_to_rows();
                    return None;
                }
            }
        }
        if !rows.pays(&self.preparer) {
            self.turn_to_rows();
            return None;
        }
        Some((rows, cursor.lines))
    }

    /// Decodes the block and prepares its rows.
    fn prepare(&self, Tools { decoder, row, .. }: &mut Tools, fetched: &Fetched, block: &Block, made: &mut Made) {
        made.rows.begin(block);
        let mut cursor = Cursor { offset: fetched.from, lines: 0 };
        let mut framed = Framed { header: fetched.header, record_bytes_max: self.record_bytes_max };
        while cursor.offset < block.as_bytes().len() {
            let start = cursor;
            let Some(record) = decoder.record(block, &mut framed, &mut cursor, row) else { continue };
            let place = Place { start: start.offset, end: cursor.offset, lines: start.lines };
            match record {
                Ok(()) => {
                    // Without a time field there is one window over everything, so any arrival time will do.
                    made.rows.add(&self.preparer, row, Timestamp::from_millis(0));
                    made.places.push(place);
                }
                Err(flaw) => made.flawed.push(Flawed { flaw, place, rows: made.rows.len() }),
            }
        }
        made.lines = cursor.lines;
    }

    /// Takes back what has been looked at.
    pub(super) fn give_back(&self, mut made: Made) {
        // The block is let go, so that its buffer can be filled again.
        made.rows.begin(&Block::default());
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(made);
    }
}

impl Work for Preparing {
    type Item = Fetched;
    type Result = PreparedPiece;
    type Tools = Tools;

    fn tools(&self) -> Tools {
        let thread = self.threads.fetch_add(1, Ordering::Relaxed);
        Tools { decoder: self.decoder.clone(), row: Row::new(self.slots), thread }
    }

    fn work(&self, tools: &mut Tools, fetched: Fetched) -> PreparedPiece {
        let mut made = self.room(tools.thread);
        made.places.clear();
        made.flawed.clear();
        (made.preaggregated, made.lines) = (None, 0);
        let Ok(Piece::Block(block)) = &fetched.piece else { return PreparedPiece { fetched, made } };
        let aggregates = if self.turns_to_aggregates() { self.preaggregate(tools, &fetched, block) } else { None };
        match aggregates {
            Some((rows, lines)) => (made.preaggregated, made.lines) = (Some(rows), lines),
            None => self.prepare(tools, &fetched, block, &mut made),
        }
        tools.row.begin_in(&Block::default());
        PreparedPiece { fetched, made }
    }
}
