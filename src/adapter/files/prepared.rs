//! Blocks that any thread decodes and prepares, and one thread applies in their order.

use crate::adapter::files::blocks::Piece;
use crate::adapter::files::buffers::Buffers;
use crate::adapter::files::fetcher::Fetched;
use crate::adapter::files::preaggregated::{ARRIVAL, PreaggregatedBlock, Preaggregating};
use crate::error::Error;
use crate::formats::decode::{Decoder, RecordSpan, Records, TakeRecords};
use crate::formats::decode_error::DecodeError;
use crate::parallel::Work;
use crate::row::Block;
use crate::row::Row;
use crate::rows::{PreparedRows, RowPreparer};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A delivery that could not be decoded as a record.
pub(super) struct Flawed {
    pub(super) flaw: DecodeError,
    pub(super) place: RecordSpan,
    /// The number of prepared rows before it.
    pub(super) rows: usize,
}

/// A piece, and its prepared rows.
pub(super) struct PreparedPiece {
    pub(super) fetched: Fetched,
    pub(super) made: Made,
}

/// The prepared rows of a block. Their memory goes back to the thread that allocated it: if another
/// thread freed it, the allocator would place data of both threads in the same cache lines, and
/// each write would wait for the other thread's cache.
pub(super) struct Made {
    /// The number of the thread that prepared the block.
    thread: usize,
    /// The aggregates of the block, instead of all of the following.
    pub(super) preaggregated: Option<PreaggregatedBlock>,
    pub(super) rows: PreparedRows,
    /// The span of each row, used for dead letters only.
    pub(super) places: Vec<RecordSpan>,
    pub(super) flawed: Vec<Flawed>,
    /// Lines of the block.
    pub(super) lines: u64,
}

impl Made {
    fn new(thread: usize, preparer: &RowPreparer) -> Self {
        Made {
            thread,
            preaggregated: None,
            rows: PreparedRows::new(preparer),
            places: Vec::new(),
            flawed: Vec::new(),
            lines: 0,
        }
    }

    /// Decodes the block and prepares its rows.
    fn prepare(
        &mut self,
        preparer: &RowPreparer,
        records: Records<'_>,
        (decoder, row): (&mut Decoder, &mut Row),
    ) {
        self.places.clear();
        self.flawed.clear();
        self.rows.begin(records.block);
        let Ok(lines) = records.decode(decoder, row, &mut Prepare { preparer, made: self });
        self.lines = lines;
    }

    /// Releases the block, so that its buffer can be reused.
    fn release_block(&mut self) {
        self.rows.begin(&Block::default());
    }
}

/// Blocks that are prepared by the thread that applies them.
pub(super) struct OwnBlocks {
    preparer: Arc<RowPreparer>,
    made: Made,
}

impl OwnBlocks {
    pub(super) fn new(preparer: Arc<RowPreparer>) -> Self {
        OwnBlocks { made: Made::new(0, &preparer), preparer }
    }

    /// Decodes a block, prepares its rows and calls `take` with them.
    pub(super) fn prepared(
        &mut self,
        records: Records<'_>,
        with: (&mut Decoder, &mut Row),
        take: impl FnOnce(&mut Made) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.made.prepare(&self.preparer, records, with);
        let taken = take(&mut self.made);
        self.made.release_block();
        taken
    }
}

/// The work that the threads share.
pub(super) struct Preparing {
    decoder: Decoder,
    preparer: Arc<RowPreparer>,
    pub(super) preaggregating: Preaggregating,
    slots: usize,
    /// Maximum buffers of a thread.
    buffers_max: usize,
    /// Results that were used, with memory to be reused.
    spare: Mutex<Vec<Made>>,
    /// The number of threads so far.
    threads: AtomicUsize,
}

/// The data of one thread.
pub(super) struct Tools {
    decoder: Decoder,
    row: Row,
    /// For the blocks that it reads itself.
    buffers: Buffers,
    /// The number of the thread.
    thread: usize,
}

impl Preparing {
    pub(super) fn new(
        decoder: Decoder,
        preparer: Arc<RowPreparer>,
        slots: usize,
        buffers_max: usize,
    ) -> Self {
        let preaggregating = Preaggregating::new(preparer.clone());
        Preparing {
            decoder,
            preparer,
            preaggregating,
            slots,
            buffers_max,
            spare: Mutex::new(Vec::new()),
            threads: AtomicUsize::new(0),
        }
    }

    /// Returns memory that this thread has used before, or new memory.
    fn room(&self, thread: usize) -> Made {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let own = spare.iter().position(|made| made.thread == thread);
        own.map(|index| spare.swap_remove(index))
            .unwrap_or_else(|| Made::new(thread, &self.preparer))
    }

    /// Takes back a result that was used.
    pub(super) fn give_back(&self, mut made: Made) {
        made.release_block();
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(made);
    }
}

/// Prepares the records of a block, one after the other.
struct Prepare<'a> {
    preparer: &'a RowPreparer,
    made: &'a mut Made,
}

impl TakeRecords for Prepare<'_> {
    type Stop = Infallible;

    #[inline(always)]
    fn record(&mut self, row: &mut Row, place: RecordSpan) -> Result<(), Infallible> {
        self.made.rows.add(self.preparer, row, ARRIVAL);
        self.made.places.push(place);
        Ok(())
    }

    #[cold]
    fn undecodable(&mut self, flaw: DecodeError, place: RecordSpan) -> Result<(), Infallible> {
        self.made.flawed.push(Flawed { flaw, place, rows: self.made.rows.len() });
        Ok(())
    }
}

impl Work for Preparing {
    type Item = Fetched;
    type Result = PreparedPiece;
    type Tools = Tools;

    fn tools(&self) -> Tools {
        let thread = self.threads.fetch_add(1, Ordering::Relaxed);
        Tools {
            decoder: self.decoder.clone(),
            row: Row::new(self.slots),
            buffers: Buffers::new(self.buffers_max),
            thread,
        }
    }

    fn work(&self, tools: &mut Tools, mut fetched: Fetched) -> PreparedPiece {
        let unread = fetched.unread().cloned();
        fetched.read(&mut tools.buffers);
        let mut made = self.room(tools.thread);
        made.preaggregated = None;
        let Ok(Piece::Block(block)) = &fetched.piece else {
            return PreparedPiece { fetched, made };
        };
        let records = fetched.records(block);
        made.preaggregated =
            self.preaggregating.block(records, (&mut tools.decoder, &mut tools.row));
        if made.preaggregated.is_none() {
            made.prepare(&self.preparer, records, (&mut tools.decoder, &mut tools.row));
        } else if let Some(unread) = unread {
            // If the aggregates are refused later, the block is read again. Its buffer, which is in
            // this thread's cache, is free for the next block.
            fetched.piece = Ok(Piece::Unread(unread));
        }
        tools.row.begin_in(&Block::default());
        PreparedPiece { fetched, made }
    }
}
