//! Passes the records of an input to the sink, in order, and reports input that is not a record.

use crate::adapter::files::blocks::Piece;
use crate::adapter::files::fetcher::Fetched;
use crate::adapter::files::late::{LateRecord, Refusal};
use crate::adapter::files::preaggregated::{PreaggregatedBlock, Preaggregating};
use crate::adapter::files::prepared::Made;
use crate::adapter::files::row_sink::{RowSink, TakeBlocks};
use crate::adapter::files::stats::{FileStats, FilesStats};
use crate::error::Error;
use crate::formats::decode::{Decoder, RecordSpan, Records, TakeRecords};
use crate::formats::decode_error::{DEAD_LETTER_BYTES_MAX, DeadLetter, DecodeError};
use crate::row::Block;
use crate::row::Row;

/// Passes the records of one input to the sink, in order.
pub(super) struct Taking<'a, S> {
    pub(super) file: usize,
    pub(super) stats: &'a mut FilesStats,
    pub(super) sink: &'a mut S,
}

impl<S: RowSink> Taking<'_, S> {
    pub(super) fn counts(&mut self) -> &mut FileStats {
        // `run_into` has added the counts of this input before reading it.
        &mut self.stats.files[self.file]
    }

    /// Begins a piece.
    pub(super) fn begin(&mut self, fetched: &Fetched) {
        let counts = self.counts();
        counts.lines += fetched.passed_lines;
        (counts.bytes_read, counts.bytes_decompressed) =
            (fetched.bytes_read, fetched.bytes_decompressed);
    }

    /// Ends a piece: updates the offset of the input and calls the sink's `pause`.
    pub(super) fn end(&mut self, fetched: &Fetched) -> Result<(), Error> {
        self.counts().offset = fetched.offset;
        self.sink.pause(self.stats)
    }

    /// Decodes the records of a block and passes them on one by one.
    pub(super) fn block(
        &mut self,
        records: Records<'_>,
        (decoder, row): (&mut Decoder, &mut Row),
    ) -> Result<(), Error> {
        let first_line = self.counts().lines;
        let mut rows = RowByRow { block: records.block, first_line, taken: 0, taking: self };
        let lines = records.decode(decoder, row, &mut rows);
        let taken = rows.taken;
        self.counts().records += taken;
        self.counts().lines += lines?;
        Ok(())
    }

    /// Passes the aggregates of a block to the sink. Returns false if the sink refuses them.
    pub(super) fn preaggregated<B: TakeBlocks<S>>(
        &mut self,
        block: &PreaggregatedBlock,
        of: &Preaggregating,
    ) -> Result<bool, Error> {
        let taken = B::preaggregated(self.sink, self.file, &block.rows)?;
        of.tell(taken);
        if taken {
            self.counts().records += block.rows.len() as u64;
            self.counts().lines += block.lines;
        }
        Ok(taken)
    }

    /// Passes the prepared rows of a block to the sink.
    pub(super) fn prepared<B: TakeBlocks<S>>(
        &mut self,
        block: &Block,
        made: &mut Made,
    ) -> Result<(), Error> {
        let first_line = self.counts().lines;
        let mut flawed = made.flawed.iter();
        loop {
            let next = flawed.next();
            let until = next.map_or(made.rows.len(), |flawed| flawed.rows);
            while made.rows.taken() < until {
                let before = made.rows.taken();
                let refused = B::prepared(self.sink, self.file, &mut made.rows, until)?;
                let taken = made.rows.taken() - before;
                if taken == 0 {
                    return Err(Error::invalid(
                        "a sink has a preparer and takes no prepared records",
                    ));
                }
                self.counts().records += (taken - usize::from(refused.is_some())) as u64;
                if let Some((index, refusal)) = refused {
                    let place = made
                        .places
                        .get(index)
                        .ok_or_else(|| Error::invalid("a sink refuses a row that there is not"))?;
                    self.refused(first_line, *place, (&refusal, block))?;
                }
            }
            match next {
                Some(flawed) => self.dead_letter_at(
                    first_line,
                    flawed.place,
                    (&flawed.flaw.to_string(), block),
                )?,
                None => break,
            }
        }
        self.counts().lines += made.lines;
        Ok(())
    }

    /// Reports a piece that is not a block: a line over the limit, or the failure of the input.
    #[cold]
    pub(super) fn other(&mut self, fetched: &Fetched) -> Result<(), Error> {
        match &fetched.piece {
            Ok(Piece::Block(_) | Piece::Unread(_) | Piece::Tail(_)) => Ok(()),
            // A header over the limit was read before, when the decoder was created.
            Ok(Piece::TooLong { .. }) if fetched.framed.header => {
                self.counts().lines += 1;
                Ok(())
            }
            Ok(Piece::TooLong { head, .. }) => {
                let line = self.counts().lines + 1;
                self.counts().lines = line;
                self.dead_letter(
                    line,
                    &DecodeError::TooLong { limit: fetched.framed.record_bytes_max }.to_string(),
                    head,
                )
            }
            Err(error) => {
                let (records, bytes) = (self.counts().records, fetched.bytes_decompressed);
                Err(Error::new(
                    error.kind(),
                    format!("{error}; read before it: {records} records, {bytes} bytes"),
                ))
            }
        }
    }

    /// Reports a record that the sink refused. `first_line` is the number of lines of the input
    /// before its block.
    #[cold]
    fn refused(
        &mut self,
        first_line: u64,
        place: RecordSpan,
        (refusal, block): (&Refusal, &Block),
    ) -> Result<(), Error> {
        match *refusal {
            Refusal::DeadLetter(ref reason) => {
                self.dead_letter_at(first_line, place, (reason, block))
            }
            Refusal::Late { time, watermark } => {
                let bytes = shown(&block.as_bytes()[place.start..place.end]);
                let line = first_line + place.lines + 1;
                self.counts().records += 1;
                self.sink.late(&LateRecord {
                    file: &self.stats.files[self.file].name,
                    line,
                    time,
                    watermark,
                    bytes,
                })
            }
        }
    }

    /// Reports a dead letter. `first_line` is the number of lines of the input before its block.
    #[cold]
    fn dead_letter_at(
        &mut self,
        first_line: u64,
        place: RecordSpan,
        (reason, block): (&str, &Block),
    ) -> Result<(), Error> {
        self.dead_letter(
            first_line + place.lines + 1,
            reason,
            &block.as_bytes()[place.start..place.end],
        )
    }

    #[cold]
    fn dead_letter(&mut self, line: u64, reason: &str, bytes: &[u8]) -> Result<(), Error> {
        let counts = self.counts();
        counts.records += 1;
        counts.dead_letters += 1;
        let letter = DeadLetter {
            file: &self.stats.files[self.file].name,
            line,
            reason,
            bytes: shown(bytes),
        };
        self.sink.dead_letter(&letter)
    }
}

/// Returns the part of a record's bytes that is reported.
fn shown(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    &bytes[..bytes.len().min(DEAD_LETTER_BYTES_MAX)]
}

/// Passes the records of a block to the sink one by one.
struct RowByRow<'t, 'a, S> {
    block: &'t Block,
    /// Lines of the input before the block.
    first_line: u64,
    /// Records that were passed on but not counted yet.
    taken: u64,
    taking: &'t mut Taking<'a, S>,
}

impl<S: RowSink> TakeRecords for RowByRow<'_, '_, S> {
    type Stop = Error;

    #[inline(always)]
    fn record(&mut self, row: &mut Row, place: RecordSpan) -> Result<(), Error> {
        self.taking.sink.at_line(self.taking.file, self.first_line + place.lines + 1);
        for index in 0.. {
            let taking = &mut *self.taking;
            let refusal = match taking.sink.next_row(taking.file, row, index) {
                Ok(false) => break,
                Ok(true) => taking.sink.row(taking.file, row)?,
                Err(refusal) => Some(refusal),
            };
            let Some(refusal) = refusal else {
                self.taken += 1;
                continue;
            };
            taking.refused(self.first_line, place, (&refusal, self.block))?;
        }
        Ok(())
    }

    #[cold]
    fn undecodable(&mut self, flaw: DecodeError, place: RecordSpan) -> Result<(), Error> {
        self.taking.dead_letter_at(self.first_line, place, (&flaw.to_string(), self.block))
    }
}
