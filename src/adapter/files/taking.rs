//! The taking of what was read, in order: each record to the sink, and what is none to where it is
//! told.

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

/// What takes the records of one input, in their order.
pub(super) struct Taking<'a, S> {
    pub(super) file: usize,
    pub(super) stats: &'a mut FilesStats,
    pub(super) sink: &'a mut S,
}

impl<S: RowSink> Taking<'_, S> {
    pub(super) fn counts(&mut self) -> &mut FileStats {
        // `run_into` has pushed the counts of this input before reading it.
        &mut self.stats.files[self.file]
    }

    /// A piece is about to be taken.
    pub(super) fn begin(&mut self, fetched: &Fetched) {
        let counts = self.counts();
        counts.lines += fetched.passed_lines;
        (counts.bytes_read, counts.bytes_decompressed) =
            (fetched.bytes_read, fetched.bytes_decompressed);
    }

    /// A piece has been taken: says how far the input has come.
    pub(super) fn end(&mut self, fetched: &Fetched) -> Result<(), Error> {
        self.counts().offset = fetched.offset;
        self.sink.pause(self.stats)
    }

    /// Decodes the records of a block and takes them one by one.
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

    /// Takes what was aggregated of a block, or nothing of it.
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

    /// Takes what was prepared of a block.
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

    /// Takes a piece that is not a block: a line that is too long, or the failure of the input.
    #[cold]
    pub(super) fn other(&mut self, fetched: &Fetched) -> Result<(), Error> {
        match &fetched.piece {
            Ok(Piece::Block(_) | Piece::Unread(_) | Piece::Tail(_)) => Ok(()),
            // A header longer than the limit has been read already, when the decoder was made.
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

    /// A record of a block whose first line comes after so many of its input, which the sink did
    /// not take.
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

    /// A dead letter of a block whose first line comes after so many of its input.
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

/// What is handed out of a record's bytes.
fn shown(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    &bytes[..bytes.len().min(DEAD_LETTER_BYTES_MAX)]
}

/// Takes the records of a block one by one.
struct RowByRow<'t, 'a, S> {
    block: &'t Block,
    /// Lines of the input before the block.
    first_line: u64,
    /// Records that were taken and are yet to be counted.
    taken: u64,
    taking: &'t mut Taking<'a, S>,
}

impl<S: RowSink> TakeRecords for RowByRow<'_, '_, S> {
    type Stop = Error;

    #[inline(always)]
    fn record(&mut self, row: &mut Row, place: RecordSpan) -> Result<(), Error> {
        if let Some(refusal) = self.taking.sink.row(self.taking.file, row)? {
            return self.taking.refused(self.first_line, place, (&refusal, self.block));
        }
        self.taken += 1;
        Ok(())
    }

    #[cold]
    fn undecodable(&mut self, flaw: DecodeError, place: RecordSpan) -> Result<(), Error> {
        self.taking.dead_letter_at(self.first_line, place, (&flaw.to_string(), self.block))
    }
}
