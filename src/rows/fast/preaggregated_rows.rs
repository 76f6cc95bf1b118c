//! Rows of a block, prepared and aggregated by any thread, to be pushed all at once by one.

use super::preparer::{Preparation, RowPreparer};
use crate::engine::Preaggregated;
use crate::row::Row;
use crate::row::Value;
use crate::rows::row_aggregate::RowAccumulator;
use crate::time::Timestamp;

/// The accumulators of the rows of one block: a few bytes for each group, where
/// [`PreparedRows`](super::PreparedRows) are some for each row.
///
/// A pipeline has them only where the merge of its accumulators is exact and cheap: counts, sums,
/// means and extremes, by groups of which more are not refused. It takes them only if the order of
/// the rows shows in nothing; otherwise the rows are to be read again.
#[derive(Debug)]
pub(crate) struct PreaggregatedRows {
    pub(in crate::rows) records: Preaggregated<RowAccumulator>,
    /// Rows that did not pass the filter.
    pub(in crate::rows) filtered: usize,
    /// The slots that no row has.
    unseen: Vec<usize>,
}

impl PreaggregatedRows {
    /// No rows yet; `None` for a pipeline whose rows cannot be aggregated apart.
    pub(crate) fn new(preparer: &RowPreparer) -> Option<Self> {
        preparer.preaggregation.as_ref()?;
        Some(PreaggregatedRows {
            records: Preaggregated::new(),
            filtered: 0,
            unseen: (0..preparer.slots()).collect(),
        })
    }

    /// Prepares a row and adds it. False if it cannot be: then these rows are of no use, and each
    /// is to be pushed by itself.
    #[inline]
    #[must_use]
    pub(crate) fn add(
        &mut self,
        preparer: &RowPreparer,
        row: &mut Row,
        arrival: Timestamp,
    ) -> bool {
        if !self.unseen.is_empty() {
            self.unseen.retain(|slot| row.value(*slot) == Value::Missing);
        }
        match (preparer.prepare(row, arrival), &preparer.preaggregation) {
            (Preparation::Record(time), Some(preaggregation)) => {
                preaggregation.add(&mut self.records, row, time)
            }
            (Preparation::Filtered(time), _) => {
                self.filtered += 1;
                self.records.skip(time);
                true
            }
            _ => false,
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.records.records() + self.filtered
    }

    /// Whether taking the accumulators is likely to cost much less than taking the rows.
    pub(crate) fn pays(&self, preparer: &RowPreparer) -> bool {
        preparer
            .preaggregation
            .as_ref()
            .is_some_and(|preaggregation| preaggregation.pays(&self.records))
    }

    /// Whether a row has the field.
    pub(crate) fn has_seen(&self, slot: usize) -> bool {
        !self.unseen.contains(&slot)
    }
}
