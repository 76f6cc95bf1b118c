//! Some of the windows that are left when an input has ended, as rows.

use crate::engine::FinishedPart;
use crate::error::Error;
use crate::row::Row;
use crate::rows::RowEmission;
use crate::rows::answers::AnswerPlan;
use crate::rows::pending_rows::PendingRows;
use crate::rows::row_aggregate::RowAggregate;
use std::fmt;
use std::sync::Arc;

/// A part of the windows that were left in a pipeline: see
/// [`RowPipeline::split_finished`](super::RowPipeline::split_finished).
pub(crate) struct FinishedRows {
    part: FinishedPart<Row, RowAggregate>,
    answers: Arc<AnswerPlan>,
    pending: PendingRows,
}

impl FinishedRows {
    pub(in crate::rows) fn new(
        part: FinishedPart<Row, RowAggregate>,
        answers: Arc<AnswerPlan>,
    ) -> Self {
        FinishedRows { part, answers, pending: PendingRows::default() }
    }

    /// The next row of the answer: by window end, then start, then group ascending.
    ///
    /// # Errors
    /// As [`RowPipeline::next_emission`](super::RowPipeline::next_emission).
    pub(crate) fn next_emission(&mut self) -> Result<Option<RowEmission>, Error> {
        self.pending.next(&self.answers, || self.part.next_emission())
    }

    /// As [`RowPipeline::fill_next`](super::RowPipeline::fill_next).
    pub(crate) fn fill_next(&mut self, row: &mut RowEmission) -> Result<bool, Error> {
        self.pending.fill(&self.answers, row, || self.part.next_emission())
    }
}

impl fmt::Debug for FinishedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedRows").field("answers", &self.answers).finish_non_exhaustive()
    }
}
