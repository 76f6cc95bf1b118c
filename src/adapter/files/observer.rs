//! Who follows a run of a pipeline over files.

use crate::adapter::files::late::LateRecord;
use crate::adapter::files::pipelines::FilePipelines;
use crate::adapter::files::source::Opened;
use crate::adapter::files::stats::FilesStats;
use crate::error::Error;
use crate::formats::decode_error::DeadLetter;
use crate::formats::format::Format;
use crate::rows::{RowEmission, RowPipeline};

/// Follows a run of a pipeline over files: takes its answers and what could not be answered.
///
/// Every method has a default, so that an observer writes those that it needs:
/// [`emission`](PipelineObserver::emission) usually, and
/// [`dead_letter`](PipelineObserver::dead_letter). An error from any of them ends the run and is
/// returned by it. See [`run_pipeline`](super::run_pipeline) for an example.
pub trait PipelineObserver {
    /// Takes a row of the answer. Rows come by window end, window start, then group.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn emission(&mut self, row: RowEmission) -> Result<(), Error> {
        let _ = row;
        Ok(())
    }

    /// Takes a record that could not be decoded or aggregated. Default: it is counted only.
    ///
    /// # Errors
    /// Whatever ends the run, such as for the first one of a strict run.
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        let _ = letter;
        Ok(())
    }

    /// Returns true if late records are to be handed to [`late`](PipelineObserver::late). Asked
    /// once, before the first record. Default: they are counted only.
    fn takes_late(&self) -> bool {
        false
    }

    /// Takes a record all of whose windows had closed.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        let _ = record;
        Ok(())
    }

    /// Says how the input of this name is read where that is not certain, in a sentence whose
    /// subject is the input: `is read as plain lines:`, why, and how to choose. Called before its
    /// first record.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn note(&mut self, input: &str, note: &str) -> Result<(), Error> {
        let _ = (input, note);
        Ok(())
    }

    /// Says how far the run has come: called after each block of a few hundred kilobytes, and at
    /// the end of each input, before the windows that are complete are drained.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn progress(&mut self, stats: &FilesStats) -> Result<(), Error> {
        let _ = stats;
        Ok(())
    }

    /// Returns true if the run is to stop: asked after each block, and between two rows of the
    /// answer at the end. Nothing more is read then, and windows that are open are not answered:
    /// the pipeline still has them. Default: the run goes on to its end.
    fn should_stop(&mut self) -> bool {
        false
    }

    /// Takes the windows of an input's pipeline that are complete. Default: each row goes to
    /// [`emission`](PipelineObserver::emission). One that wants partials of windows instead fetches
    /// those here, by [`next_partial`](crate::Control::next_partial).
    ///
    /// # Errors
    /// As [`RowPipeline::next_emission`], and whatever ends the run.
    fn drain(&mut self, input: usize, pipeline: &mut RowPipeline) -> Result<(), Error> {
        let _ = input;
        while let Some(row) = pipeline.next_emission()? {
            self.emission(row)?;
        }
        Ok(())
    }

    /// The time to save state: called after each block, when the windows that are complete have
    /// been drained. What the pipelines have is that of the records of `stats`.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn pause(
        &mut self,
        stats: &FilesStats,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<(), Error> {
        let _ = (stats, pipelines);
        Ok(())
    }

    /// Where the input is to be read from: the [`FileStats::offset`](super::FileStats::offset) at
    /// which an earlier run stopped, whose records are passed over. Asked when the input is opened
    /// to be read. Default: 0, its beginning.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn resume_at(
        &mut self,
        input: usize,
        opened: &Opened<'_>,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<u64, Error> {
        let _ = (input, opened, pipelines);
        Ok(0)
    }

    /// The format of the input, and its first bytes, which a message can quote. Called before its
    /// first record.
    fn beginning(&mut self, input: usize, format: Format, bytes: &[u8]) {
        let _ = (input, format, bytes);
    }

    /// Every input has been read but for the tails that
    /// [`FilesOptions::defer_tails`](super::FilesOptions::defer_tails) kept back, which come now.
    /// Called with that option only, when the windows that are complete have been drained.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn before_tails(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        let _ = pipelines;
        Ok(())
    }
}
