//! The observer of a run of a pipeline over files.

use crate::adapter::files::late::LateRecord;
use crate::adapter::files::pipelines::FilePipelines;
use crate::adapter::files::source::Opened;
use crate::adapter::files::stats::FilesStats;
use crate::error::Error;
use crate::formats::decode_error::DeadLetter;
use crate::formats::format::Format;
use crate::rows::{RowEmission, RowPipeline};
use std::num::NonZeroU64;

/// Observes a run of a pipeline over files: receives its answers and the records without an answer.
///
/// Every method has a default, so that an observer implements only those that it needs: usually
/// [`emission`](PipelineObserver::emission) and [`dead_letter`](PipelineObserver::dead_letter). An
/// error from any of them ends the run, and the run returns it. See
/// [`run_pipeline`](super::run_pipeline) for an example.
pub trait PipelineObserver {
    /// Receives a row of the answer. Rows come by window end, window start, then group.
    ///
    /// # Errors
    /// Any error ends the run.
    fn emission(&mut self, row: RowEmission) -> Result<(), Error> {
        let _ = row;
        Ok(())
    }

    /// Receives a record that could not be decoded or aggregated. Default: it is only counted.
    ///
    /// # Errors
    /// Any error ends the run, for example the one for the first dead letter of a strict run.
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        let _ = letter;
        Ok(())
    }

    /// Returns true if late records should go to [`late`](PipelineObserver::late). Called once,
    /// before the first record. Default: they are only counted.
    fn takes_late(&self) -> bool {
        false
    }

    /// Receives a record all of whose windows had closed.
    ///
    /// # Errors
    /// Any error ends the run.
    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        let _ = record;
        Ok(())
    }

    /// Returns of every how many records one goes to [`trace`](PipelineObserver::trace). Called
    /// once, before the first record. Records are then applied one by one. Default: none.
    fn trace_every(&self) -> Option<NonZeroU64> {
        None
    }

    /// Receives what became of a record, and why: see [`RowPipeline::trace`].
    fn trace(&mut self, text: &str) {
        let _ = text;
    }

    /// Receives a note on how the input of this name is read, if that is not certain. The note is a
    /// sentence whose subject is the input: `is read as plain lines:`, then the reason, and how to
    /// choose another format. Called before the first record of the input.
    ///
    /// # Errors
    /// Any error ends the run.
    fn note(&mut self, input: &str, note: &str) -> Result<(), Error> {
        let _ = (input, note);
        Ok(())
    }

    /// Receives the progress of the run: called after each block of a few hundred kilobytes, and at
    /// the end of each input, before the complete windows are drained.
    ///
    /// # Errors
    /// Any error ends the run.
    fn progress(&mut self, stats: &FilesStats) -> Result<(), Error> {
        let _ = stats;
        Ok(())
    }

    /// Returns true if the run should stop: called after each block, and between two rows of the
    /// answer at the end. After that nothing more is read, and open windows are not answered: they
    /// stay in the pipeline. Default: the run goes on to its end.
    fn should_stop(&mut self) -> bool {
        false
    }

    /// Drains the complete windows of an input's pipeline. Default: each row goes to
    /// [`emission`](PipelineObserver::emission). An observer that needs partials of windows fetches
    /// them here, by [`next_partial`](crate::Control::next_partial).
    ///
    /// # Errors
    /// Errors of [`RowPipeline::next_emission`]; any other error ends the run, too.
    fn drain(&mut self, input: usize, pipeline: &mut RowPipeline) -> Result<(), Error> {
        let _ = input;
        while let Some(row) = pipeline.next_emission()? {
            self.emission(row)?;
        }
        Ok(())
    }

    /// The moment to save state: called after each block, after the complete windows have been
    /// drained. The pipelines have exactly the records of `stats`.
    ///
    /// # Errors
    /// Any error ends the run.
    fn pause(
        &mut self,
        stats: &FilesStats,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<(), Error> {
        let _ = (stats, pipelines);
        Ok(())
    }

    /// Returns the offset from which the input is to be read: the
    /// [`FileStats::offset`](super::FileStats::offset) at which an earlier run stopped. Records
    /// before it are skipped. Called when the input is opened. Default: 0, the beginning.
    ///
    /// # Errors
    /// Any error ends the run.
    fn resume_at(
        &mut self,
        input: usize,
        opened: &Opened<'_>,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<u64, Error> {
        let _ = (input, opened, pipelines);
        Ok(0)
    }

    /// Receives the format of the input, and its first bytes for messages. Called before the first
    /// record.
    fn beginning(&mut self, input: usize, format: Format, bytes: &[u8]) {
        let _ = (input, format, bytes);
    }

    /// Called after all inputs have been read and the complete windows have been drained, before
    /// the tails that [`FilesOptions::defer_tails`](super::FilesOptions::defer_tails) has deferred.
    /// Called with that option only.
    ///
    /// # Errors
    /// Any error ends the run.
    fn before_tails(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        let _ = pipelines;
        Ok(())
    }
}
