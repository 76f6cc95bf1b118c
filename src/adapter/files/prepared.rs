//! Blocks decoded and prepared by any thread, to be taken in their order by one.

use crate::adapter::files::blocks::{BlockReader, Piece};
use crate::adapter::files::decode::{Cursor, Decoder, Framed};
use crate::adapter::files::flaw::Flaw;
use crate::error::Error;
use crate::parallel::Work;
use crate::spec::{Block, PreparedRows, Row, RowPreparer};
use crate::time::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// A piece of an input, and how far the input had been read with it.
pub(super) struct Fetched {
    pub(super) piece: Result<Piece, Error>,
    /// Whether the input's header is the first record of it.
    pub(super) header: bool,
    pub(super) bytes_read: u64,
    pub(super) bytes_decompressed: u64,
}

impl Fetched {
    /// The next piece; `None` at the end of the input.
    pub(super) fn next(reader: &mut BlockReader, header: &mut bool) -> Option<Fetched> {
        let piece = reader.next().transpose()?;
        let (bytes_read, bytes_decompressed) = (reader.source().bytes_read(), reader.bytes_decompressed());
        Some(Fetched { piece, header: std::mem::take(header), bytes_read, bytes_decompressed })
    }
}

/// A record of a block, or what should have been one.
pub(super) struct Record {
    /// What is wrong with it, if it is none. Otherwise it is one of the prepared rows.
    pub(super) flaw: Option<Flaw>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Lines before it in the block.
    pub(super) lines: u64,
}

/// A piece with what was made of it.
pub(super) struct PreparedPiece {
    pub(super) fetched: Fetched,
    pub(super) made: Made,
}

/// What was made of a block.
pub(super) struct Made {
    pub(super) records: Vec<Record>,
    pub(super) rows: PreparedRows,
    /// Lines of the block.
    pub(super) lines: u64,
}

/// The work that threads share.
pub(super) struct Preparing {
    decoder: Decoder,
    preparer: Arc<RowPreparer>,
    record_bytes_max: usize,
    slots: usize,
    /// Made before, and free to be made again.
    spare: Mutex<Vec<Made>>,
}

impl Preparing {
    pub(super) fn new(decoder: Decoder, preparer: Arc<RowPreparer>, record_bytes_max: usize, slots: usize) -> Self {
        Preparing { decoder, preparer, record_bytes_max, slots, spare: Mutex::new(Vec::new()) }
    }

    fn room(&self) -> Made {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Made { records: Vec::new(), rows: PreparedRows::new(&self.preparer), lines: 0 })
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
    type Tools = (Decoder, Row);

    fn tools(&self) -> (Decoder, Row) {
        (self.decoder.clone(), Row::new(self.slots))
    }

    fn work(&self, (decoder, row): &mut (Decoder, Row), fetched: Fetched) -> PreparedPiece {
        let mut made = self.room();
        made.records.clear();
        made.lines = 0;
        let Ok(Piece::Block(block)) = &fetched.piece else { return PreparedPiece { fetched, made } };
        made.rows.begin(block);
        let mut cursor = Cursor::default();
        let mut framed = Framed { header: fetched.header, record_bytes_max: self.record_bytes_max };
        while cursor.offset < block.as_bytes().len() {
            let start = cursor;
            let Some(record) = decoder.record(block, &mut framed, &mut cursor, row) else { continue };
            if record.is_ok() {
                // Without a time field there is one window over everything, so any arrival time will do.
                made.rows.add(&self.preparer, row, Timestamp::from_millis(0));
            }
            made.records.push(Record { flaw: record.err(), start: start.offset, end: cursor.offset, lines: start.lines });
        }
        made.lines = cursor.lines;
        row.begin_in(&Block::default());
        PreparedPiece { fetched, made }
    }
}
