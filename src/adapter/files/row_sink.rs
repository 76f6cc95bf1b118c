//! The sink for the records of a run over files.

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

/// Receives the records row by row. A declared pipeline does not need one: see
/// [`run_pipeline`](super::run_pipeline).
///
/// An error from any of its methods ends the run, and [`run`](super::run) returns it.
pub trait RowSink {
    /// Returns the fields to read, by slot: names, or JSON pointers, which begin with `/`.
    fn fields(&self) -> &[String];

    /// Opens the shard of an input. Called for every input, in order, before the first record of
    /// any input. So the watermark of a file that is read later holds back the files before it, and
    /// its records are not late only because they were read last.
    ///
    /// # Errors
    /// Any error ends the run.
    fn open_shard(&mut self, file: usize, shard: ShardId) -> Result<(), Error>;

    /// Receives a record of the input `file`. Returns `Ok(Some(refusal))` if the record was
    /// refused; it is then reported to [`dead_letter`](RowSink::dead_letter) or
    /// [`late`](RowSink::late).
    ///
    /// # Errors
    /// Any error ends the run.
    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error>;

    /// Receives the line of the next record of an input, counted from 1. Default: it is ignored.
    #[inline]
    fn at_line(&mut self, file: usize, line: u64) {
        let _ = (file, line);
    }

    /// Puts the next row of a record into `row`, before [`row`](RowSink::row) receives it: a sink
    /// may make several of a record, or none. `index` is the number of earlier ones. Returns false
    /// if there is no further one. Default: the record is one row.
    ///
    /// # Errors
    /// The reason for which the record is refused.
    #[inline]
    fn next_row(&mut self, file: usize, row: &mut Row, index: usize) -> Result<bool, Refusal> {
        let _ = (file, row);
        Ok(index == 0)
    }

    /// Called for input that could not be decoded, and for a record that the sink refused. An
    /// error, for example for the first dead letter of a strict run, ends the run.
    ///
    /// # Errors
    /// Any error ends the run.
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error>;

    /// Receives a record that the sink refused as [late](Refusal::Late). Default: nothing more
    /// happens with it.
    ///
    /// # Errors
    /// Any error ends the run.
    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        let _ = record;
        Ok(())
    }

    /// Called between blocks of a few hundred kilobytes, and at the end of each input: the moment
    /// to drain emissions and to show progress.
    ///
    /// # Errors
    /// Any error ends the run.
    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error>;

    /// Returns the offset from which the input is to be read: the
    /// [`FileStats::offset`](super::FileStats::offset) at which an earlier run stopped. Records
    /// before it are skipped. Called when the input is opened. Default: 0, the beginning.
    ///
    /// # Errors
    /// Any error ends the run.
    fn resume_at(&mut self, file: usize, opened: &Opened<'_>) -> Result<u64, Error> {
        let _ = (file, opened);
        Ok(0)
    }

    /// Returns true if a last record of the input without a line end is deferred, as
    /// [`FilesOptions::defer_tails`](super::FilesOptions::defer_tails) says. Default: true.
    fn defers_tail(&self, file: usize) -> bool {
        let _ = file;
        true
    }

    /// Receives the format of the input, and its first bytes for messages. Called before the first
    /// record. Default: they are ignored.
    fn beginning(&mut self, file: usize, format: Format, bytes: &[u8]) {
        let _ = (file, format, bytes);
    }

    /// Receives a note on how the input is read, if that is not certain. The note is a sentence
    /// whose subject is the input: `is read as plain lines:`, then the reason, and how to choose
    /// another format. Called before the first record. Default: the note is ignored.
    ///
    /// # Errors
    /// Any error ends the run.
    fn note(&mut self, file: usize, note: &str) -> Result<(), Error> {
        let _ = (file, note);
        Ok(())
    }

    /// Called after all inputs have been read, before the tails that
    /// [`FilesOptions::defer_tails`](super::FilesOptions::defer_tails) has deferred. Called with
    /// that option only.
    ///
    /// # Errors
    /// Any error ends the run.
    fn before_tails(&mut self, stats: &FilesStats) -> Result<(), Error> {
        let _ = stats;
        Ok(())
    }

    /// Closes the shard of an input that has been read to its end: it no longer holds the watermark
    /// back.
    ///
    /// # Errors
    /// Any error ends the run.
    fn close_shard(&mut self, file: usize) -> Result<(), Error>;
}

/// How a sink applies the rows of a block together. It is not part of [`RowSink`], so that prepared
/// rows stay out of that public trait.
pub(super) trait TakeBlocks<S> {
    /// Returns the preparer for other threads. Default: none, and every record goes to
    /// [`RowSink::row`].
    fn preparer(sink: &S) -> Option<Arc<RowPreparer>> {
        let _ = sink;
        None
    }

    /// Returns true if prepared records are faster to apply than records one by one, also if one
    /// thread does both. Default: false.
    fn gains_by_blocks(sink: &S) -> bool {
        let _ = sink;
        false
    }

    /// Applies prepared records of the input `file`, from the first one not applied up to the row
    /// `until`, or up to the first one that the sink refuses. Returns the index of that one and the
    /// refusal. The refused record is reported, and the rest comes again.
    ///
    /// # Errors
    /// Any error ends the run.
    fn prepared(
        sink: &mut S,
        file: usize,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Refusal)>, Error> {
        let _ = (sink, file, rows, until);
        Ok(None)
    }

    /// Applies all records of a block of the input `file`, which were prepared and aggregated.
    /// Returns false if it applies none of them; they then come one by one.
    ///
    /// # Errors
    /// Any error ends the run.
    fn preaggregated(sink: &mut S, file: usize, rows: &PreaggregatedRows) -> Result<bool, Error> {
        let _ = (sink, file, rows);
        Ok(false)
    }
}

/// Applies every row on its own.
pub(super) struct RowsOnly;

impl<S: RowSink> TakeBlocks<S> for RowsOnly {}
