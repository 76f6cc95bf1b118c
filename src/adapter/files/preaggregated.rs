//! Blocks aggregated by the thread that decodes them, as long as that pays.

use crate::formats::decode::{Decoder, RecordSpan, Records, TakeRecords};
use crate::formats::decode_error::DecodeError;
use crate::row::Row;
use crate::rows::{PreaggregatedRows, RowPreparer};
use crate::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks that are taken row by row after one whose aggregates were for nothing, or cost as much as
/// they spared: a fixed number at first, and twice the number each further time.
const PAUSE_MIN: usize = 16;
const PAUSE_MAX: usize = 1024;

/// When records are said to have come: without a time field there is one window over everything, so
/// any time will do.
pub(super) const ARRIVAL: Timestamp = Timestamp::from_millis(0);

/// What was aggregated of a block.
pub(super) struct PreaggregatedBlock {
    pub(super) rows: PreaggregatedRows,
    pub(super) lines: u64,
}

/// Aggregates blocks apart from the pipeline that is to take them.
pub(super) struct Preaggregating {
    preparer: Arc<RowPreparer>,
    pace: Mutex<Pace>,
}

/// Whether to try.
struct Pace {
    /// So many blocks are still to be taken row by row.
    pause: usize,
    /// So many the next time.
    next_pause: usize,
    /// Whether the last block was refused.
    refused: bool,
}

/// What ends the decoding of a block that cannot be aggregated apart.
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

    /// Decodes and aggregates the records of a block; `None` where they are to be taken row by row.
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

    /// Whether the last block was taken as it was aggregated.
    pub(super) fn tell(&self, taken: bool) {
        let mut pace = self.pace();
        let refused_again = std::mem::replace(&mut pace.refused, !taken);
        match (taken, refused_again) {
            (true, _) => pace.next_pause = PAUSE_MIN,
            // Once is no matter: a window fires. Twice, and they fire often, or records are late.
            (false, true) => pace.pause(),
            (false, false) => {}
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// Whether the next block is to be aggregated.
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

    /// How many blocks are taken row by row until one is tried again.
    fn pause(of: &Preaggregating) -> usize {
        (0..).take_while(|_| !of.pace().begins()).count()
    }

    #[test]
    fn what_does_not_pay_is_tried_ever_more_seldom() {
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
