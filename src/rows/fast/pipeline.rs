//! The rest of a pipeline's work, where any thread has done the part that looks at rows alone.

use super::finished_rows::FinishedRows;
use super::preaggregated_rows::PreaggregatedRows;
use super::prepared_rows::{NextRows, PreparedRows, Upcoming};
use super::preparer::RowPreparer;
use crate::engine::{Control, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::rows::RowPipeline;
use std::num::NonZeroUsize;
use std::sync::Arc;

impl RowPipeline {
    /// The part of [`push`](RowPipeline::push) that any thread can do.
    pub(crate) fn preparer(&self) -> Arc<RowPreparer> {
        self.preparer.clone()
    }

    /// Returns true if [prepared](RowPipeline::preparer) rows are faster to take than single ones,
    /// because the memory of the groups does not fit into the caches of the CPU.
    pub(crate) fn is_spread(&self) -> bool {
        self.others.is_empty() && self.engine.is_spread()
    }

    /// Takes the rows that this pipeline's [`preparer`](RowPipeline::preparer) prepared, from the
    /// first one that was not taken on and up to the row `until`, or to the first one that becomes
    /// a dead letter, or is late where [that is to be told](RowPipeline::hand_out_late): its index,
    /// and its outcome. Up to one that completes a window, too, so that the window can be fetched.
    /// The rest of [`push`](RowPipeline::push), for records without sequence numbers; what became
    /// of them shows in [`stats`](Control::stats).
    ///
    /// # Errors
    /// As [`push`](RowPipeline::push), for the row that comes after those
    /// [taken](PreparedRows::taken).
    pub(crate) fn push_prepared(
        &mut self,
        shard: Shard,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Outcome<String>)>, Error> {
        match self.others.is_empty() {
            true => self.push_own_prepared(shard, rows, until),
            false => self.push_prepared_to_all(shard, rows, until),
        }
    }

    /// The same for the one query of this pipeline, or for its first.
    pub(in crate::rows) fn push_own_prepared(
        &mut self,
        shard: Shard,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Outcome<String>)>, Error> {
        while let Some(next) = rows.next(until) {
            let told = match next {
                NextRows::Records(records) => self.push_records(shard, rows, records)?,
                NextRows::Filtered(rows, latest) => {
                    self.engine.skip_filtered(shard, rows, latest);
                    None
                }
                NextRows::DeadLetter(reason, _) if self.engine.is_strict() => {
                    return Err(Error::new(ErrorKind::InvalidRecord, reason));
                }
                NextRows::DeadLetter(reason, time) => {
                    self.engine.skip(shard, None, Outcome::DeadLetter(()), time);
                    Some(Outcome::DeadLetter(reason.into()))
                }
            };
            if let Some(outcome) = told {
                return Ok(Some((rows.taken_here() - 1, outcome)));
            }
            if self.engine.is_due() {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Takes all of the rows that were aggregated apart, or none: false where only pushing one
    /// after the other can say what is to become of each, as when a window fires in between. The
    /// state is then the one after pushing them so, but for which `state_bytes` were measured.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit that the user
    /// chose to be an error.
    pub(crate) fn push_preaggregated(
        &mut self,
        shard: Shard,
        rows: &PreaggregatedRows,
    ) -> Result<bool, Error> {
        let taken = self.engine.push_preaggregated(shard, &rows.records)?;
        if taken {
            // Their times are among those of the records.
            self.engine.skip_filtered(shard, rows.filtered, None);
        }
        Ok(taken)
    }

    /// Whether [`push_prepared`](RowPipeline::push_prepared) tells of each row that is late, as it
    /// does of a dead letter. Default: late rows are counted only.
    pub(crate) fn hand_out_late(&mut self, hand_out: bool) {
        self.hands_out_late = hand_out;
        self.others.iter_mut().for_each(|other| other.hands_out_late = hand_out);
    }

    /// Takes the next `records` records, or fewer: up to the first one that must be reported.
    fn push_records(
        &mut self,
        shard: Shard,
        rows: &mut PreparedRows,
        records: usize,
    ) -> Result<Option<Outcome<String>>, Error> {
        let (hands_out_late, mut told) = (self.hands_out_late, None);
        self.engine.push_batch(shard, &mut Upcoming(rows, records), |_, outcome| {
            told = match outcome {
                Outcome::DeadLetter(()) => Some(outcome),
                Outcome::Late(_) => Some(outcome).filter(|_| hands_out_late),
                _ => None,
            };
            told.is_none()
        })?;
        Ok(told.map(|outcome| outcome.map_dead_letter(|()| self.refusal())))
    }

    /// Takes out the windows that are to come after [`finish`](Control::finish), in two to
    /// `parts` parts for as many threads, or none: see [`Engine::split_finished`]. What this
    /// pipeline still gives itself comes before theirs.
    pub(crate) fn split_finished(&mut self, parts: NonZeroUsize) -> Vec<FinishedRows> {
        // The rows of the first query come before those of the others.
        if !self.others.is_empty() || self.select.is_some() {
            return Vec::new();
        }
        let parts = self.engine.split_finished(parts).into_iter();
        parts.map(|part| FinishedRows::new(part, self.answers.clone())).collect()
    }
}
