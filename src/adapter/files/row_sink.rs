//! What takes the records of a run over files.

use crate::adapter::files::late::{LateRecord, Refusal};
use crate::adapter::files::source::Opened;
use crate::adapter::files::stats::FilesStats;
use crate::error::Error;
use crate::formats::decode_error::DeadLetter;
use crate::formats::format::Format;
use crate::record::ShardId;
use crate::row::Row;
use crate::rows::{PreaggregatedRows, PreparedRows, RowPreparer};
use std::sync::Arc;

/// What takes the records, row by row. A declared pipeline needs none: see
/// [`run_pipeline`](super::run_pipeline).
///
/// An error from any of its methods ends the run and is returned by [`run`](super::run).
pub trait RowSink {
    /// The fields to read, by slot: names, or JSON pointers where they begin with `/`.
    fn fields(&self) -> &[String];

    /// An input exists. Called for every input, in order, before the first record of any: so the
    /// watermark of a file that is read later holds back those read before it, and nothing in it is
    /// late for having been read last.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn open_shard(&mut self, file: usize, shard: ShardId) -> Result<(), Error>;

    /// Takes a record of the input `file`. `Ok(Some(refusal))` says that it was not taken, and is
    /// to be handed out: to [`dead_letter`](RowSink::dead_letter) or [`late`](RowSink::late).
    ///
    /// # Errors
    /// Whatever ends the run.
    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error>;

    /// Called for input that could not be decoded, and for a record that the sink refused. An
    /// error, such as for the first one of a strict run, ends the run.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error>;

    /// Takes a record that came late, of a sink that [hands such out](Refusal::Late). Default:
    /// nothing more is done about it.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        let _ = record;
        Ok(())
    }

    /// Called between blocks of a few hundred kilobytes, and at the end of each input: time to
    /// drain emissions and to show progress.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error>;

    /// Where the input is to be read from: the [`FileStats::offset`](super::FileStats::offset) at
    /// which an earlier run stopped, whose records are passed over. Asked when the input is opened
    /// to be read. Default: 0, its beginning.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn resume_at(&mut self, file: usize, opened: &Opened<'_>) -> Result<u64, Error> {
        let _ = (file, opened);
        Ok(0)
    }

    /// Returns true if a last record of the input that has no line end is kept back, where
    /// [`FilesOptions::defer_tails`](super::FilesOptions::defer_tails) says so. Default: it is.
    fn defers_tail(&self, file: usize) -> bool {
        let _ = file;
        true
    }

    /// The format of the input, and its first bytes, which a message can quote. Called before its
    /// first record. Default: they are not looked at.
    fn beginning(&mut self, file: usize, format: Format, bytes: &[u8]) {
        let _ = (file, format, bytes);
    }

    /// Says how the input is read where that is not certain, in a sentence whose subject is the
    /// input: `is read as plain lines:`, why, and how to choose. Called before its first record.
    /// Default: nobody is told.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn note(&mut self, file: usize, note: &str) -> Result<(), Error> {
        let _ = (file, note);
        Ok(())
    }

    /// Every input has been read but for the tails that
    /// [`FilesOptions::defer_tails`](super::FilesOptions::defer_tails) kept back, which come now.
    /// Called with that option only.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn before_tails(&mut self, stats: &FilesStats) -> Result<(), Error> {
        let _ = stats;
        Ok(())
    }

    /// The input has been read to its end: it holds no watermark back any more.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn close_shard(&mut self, file: usize) -> Result<(), Error>;
}

/// How a sink takes the rows of a block together. A type of its own beside [`RowSink`], so that
/// what rows are prepared to is no part of that trait.
pub(super) trait TakeBlocks<S> {
    /// The part of the work that other threads may do. Default: none, and every record comes to
    /// [`RowSink::row`].
    fn preparer(sink: &S) -> Option<Arc<RowPreparer>> {
        let _ = sink;
        None
    }

    /// Takes records of the input `file` that the preparer prepared, from the first that was not
    /// taken on and up to the row `until`, or to the first that the sink refuses: its index, and
    /// the refusal. It is handed out, and the rest is given again.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn prepared(
        sink: &mut S,
        file: usize,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Refusal)>, Error> {
        let _ = (sink, file, rows, until);
        Ok(None)
    }

    /// Takes all records of a block of the input `file`, which were prepared and aggregated.
    /// Returns false if it takes none of them; they then come one by one.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn preaggregated(sink: &mut S, file: usize, rows: &PreaggregatedRows) -> Result<bool, Error> {
        let _ = (sink, file, rows);
        Ok(false)
    }
}

/// Takes every row by itself.
pub(super) struct RowsOnly;

impl<S: RowSink> TakeBlocks<S> for RowsOnly {}
