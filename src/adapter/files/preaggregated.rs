//! Blocks that are aggregated by the thread that decodes them, while that pays off.

use crate::formats::decode::{Decoder, RecordSpan, Records, TakeRecords};
use crate::formats::decode_error::DecodeError;
use crate::row::Row;
use crate::rows::{PreaggregatedRows, RowPreparer};
use crate::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks that are processed row by row after an attempt that was refused or cost as much as it
/// saved. The number doubles with each further attempt.
const PAUSE_MIN: usize = 16;
const PAUSE_MAX: usize = 1024;

/// The arrival time of records. Without a time field one window covers everything, so any time will
/// do.
pub(super) const ARRIVAL: Timestamp = Timestamp::from_millis(0);

/// The aggregates of a block.
pub(super) struct PreaggregatedBlock {
    pub(super) rows: PreaggregatedRows,
    pub(super) lines: u64,
}

/// Aggregates blocks outside of the pipeline that will merge them.
pub(super) struct Preaggregating {
    preparer: Arc<RowPreparer>,
    pace: Mutex<Pace>,
}

/// Decides whether the next block is aggregated.
struct Pace {
    /// Blocks that are still to be processed row by row.
    pause: usize,
    /// Length of the next pause.
    next_pause: usize,
    /// True if the last block was refused.
    refused: bool,
}

/// Stops the decoding of a block that cannot be aggregated outside of the pipeline.
struct NotApart;

/// Aggregates the records of a block, one after the other.
struct Preaggregate<'a> {
    preparer: &'a RowPreparer,
    rows: &'a mut PreaggregatedRows,
}

impl TakeRecords for Preaggregate<'_> {
    type Stop = NotApart;

    #[inline(always)]
    fn record(&mut self, row: &mut Row, _: RecordSpan) -> Result<(), NotApart> {
        if self.rows.add(self.preparer, row, ARRIVAL) { Ok(()) } else { Err(NotApart) }
    }

    #[cold]
    fn undecodable(&mut self, _: DecodeError, _: RecordSpan) -> Result<(), NotApart> {
        Err(NotApart)
    }
}

impl Preaggregating {
    pub(super) fn new(preparer: Arc<RowPreparer>) -> Self {
        Preaggregating {
            preparer,
            pace: Mutex::new(Pace { pause: 0, next_pause: PAUSE_MIN, refused: false }),
        }
    }

    /// Decodes and aggregates the records of a block. Returns `None` if they are to be processed
    /// row by row.
    pub(super) fn block(
        &self,
        records: Records<'_>,
        (decoder, row): (&mut Decoder, &mut Row),
    ) -> Option<PreaggregatedBlock> {
        let mut rows = if self.pace().begins() {
            PreaggregatedRows::new(&self.preparer)?
        } else {
            return None;
        };
        match records.decode(
            decoder,
            row,
            &mut Preaggregate { preparer: &self.preparer, rows: &mut rows },
        ) {
            Ok(lines) if rows.pays(&self.preparer) => Some(PreaggregatedBlock { rows, lines }),
            _ => {
                self.pace().pause();
                None
            }
        }
    }

    /// Reports whether the pipeline merged the aggregates of the last block.
    pub(super) fn tell(&self, taken: bool) {
        let mut pace = self.pace();
        let refused_again = std::mem::replace(&mut pace.refused, !taken);
        match (taken, refused_again) {
            (true, _) => pace.next_pause = PAUSE_MIN,
            // One refusal is normal, because a window fires. Two refusals mean that windows fire
            // often, or that records are late.
            (false, true) => pace.pause(),
            (false, false) => {}
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// Returns true if the next block is to be aggregated.
    fn begins(&mut self) -> bool {
        let begins = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        begins
    }

    fn pause(&mut self) {
        self.pause = self.next_pause;
        self.next_pause = (self.next_pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::PipelineSpec;
    use crate::rows::CompileOptions;

    /// Returns the number of blocks processed row by row until the next attempt.
    fn pause(of: &Preaggregating) -> usize {
        (0..).take_while(|_| !of.pace().begins()).count()
    }

    #[test]
    fn failed_preaggregation_is_tried_less_and_less_often() {
        let pipeline = PipelineSpec::from_toml("agg = \"count\"\n", "test")
            .unwrap()
            .compile(&CompileOptions::default())
            .unwrap();
        let blocks = Preaggregating::new(pipeline.preparer());
        blocks.tell(false);
        assert_eq!(pause(&blocks), 0, "a window may have fired");
        let pauses: Vec<_> = (0..9)
            .map(|_| {
                blocks.tell(false);
                pause(&blocks)
            })
            .collect();
        assert_eq!(pauses, [16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
        blocks.tell(true);
        blocks.tell(false);
        assert_eq!(pause(&blocks), 0, "the one before was taken");
        blocks.tell(false);
        assert_eq!(pause(&blocks), 16);
    }
}
