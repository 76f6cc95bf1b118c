//! What takes the records of a run: the pipeline, with the output, the dead letters and the progress around it.

use crate::dead_letters::DeadLetters;
use crate::failure::Failure;
use crate::output::OutputWriter;
use crate::progress::Progress;
use std::io::Write;
use std::sync::Arc;
use streamgauge::adapter::files::{DeadLetter, FilesStats, RowSink};
use streamgauge::engine::Shard;
use streamgauge::spec::{PreparedRows, Row, RowOutcome, RowPipeline, RowPreparer, Value};
use streamgauge::{Error, ErrorKind, ShardId, Timestamp, Window};

/// How a run is to go, and what stands beside it.
pub(crate) struct SinkOptions {
    pub(crate) letters: DeadLetters,
    pub(crate) progress: Progress,
    /// The first dead letter ends the run.
    pub(crate) strict: bool,
    /// Whether somebody may wait for each answer: the input has no end that is known.
    pub(crate) live: bool,
}

/// Takes the records of a run.
pub(crate) struct Sink<W> {
    pub(crate) pipeline: RowPipeline,
    output: OutputWriter<W>,
    pub(crate) letters: DeadLetters,
    pub(crate) progress: Progress,
    strict: bool,
    live: bool,
    shards: Vec<Shard>,
    /// Records, dead letters included.
    pub(crate) records: u64,
    /// Bytes of the input so far, decompressed.
    pub(crate) bytes: u64,
    /// Windows that have come out, revisions not counted.
    pub(crate) windows: u64,
    last_window: Option<Option<Window>>,
    /// Whether there was a row of the groups past the limit.
    pub(crate) other: bool,
    /// Slots of the fields that no record had so far.
    unseen: Vec<usize>,
    /// Why the sink ended the run, if it did.
    failure: Option<Failure>,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(pipeline: RowPipeline, output: OutputWriter<W>, options: SinkOptions) -> Self {
        let unseen = (0..pipeline.fields().len()).collect();
        Sink {
            pipeline,
            output,
            letters: options.letters,
            progress: options.progress,
            strict: options.strict,
            live: options.live,
            shards: Vec::new(),
            records: 0,
            bytes: 0,
            windows: 0,
            last_window: None,
            other: false,
            unseen,
            failure: None,
        }
    }

    /// The names of the fields that no record had.
    pub(crate) fn unseen(&self) -> Vec<&str> {
        let fields = self.pipeline.fields();
        self.unseen.iter().filter_map(|slot| fields.get(*slot)).map(String::as_str).collect()
    }

    /// Why the run ended with this error.
    pub(crate) fn failure(&mut self, error: &Error) -> Failure {
        self.failure.take().unwrap_or_else(|| Failure::run(error))
    }

    /// The input has ended, or as much of it as could be read: every window comes out.
    ///
    /// # Errors
    /// A limit, or an output that cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.pipeline.finish();
        self.progress.clear();
        self.drain().map_err(|error| self.failure(&error))?;
        self.output.finish().map_err(|error| Failure::output(&error))
    }

    /// Writes the emissions that are complete.
    fn drain(&mut self) -> Result<(), Error> {
        let mut written = false;
        while let Some(emission) = self.pipeline.next_emission()? {
            if !written {
                self.progress.clear();
            }
            written = true;
            if self.last_window != Some(emission.window) {
                self.windows += u64::from(emission.revision == 0);
                self.last_window = Some(emission.window);
            }
            self.other |= emission.is_other();
            if let Err(error) = self.output.emission(&emission) {
                return Err(self.end(Failure::output(&error)));
            }
        }
        match written && self.live {
            true => self.output.flush().map_err(|error| self.end(Failure::output(&error))),
            false => Ok(()),
        }
    }

    /// Ends the run: the failure is kept, the error travels.
    fn end(&mut self, failure: Failure) -> Error {
        let message = failure.message().unwrap_or("the reader of the output has gone").to_owned();
        self.failure = Some(failure);
        Error::new(ErrorKind::Io, message)
    }

    /// Counts a record, unless it is to become a dead letter for this reason.
    fn taken(&mut self, outcome: RowOutcome) -> Option<String> {
        match outcome {
            RowOutcome::DeadLetter(reason) => Some(reason),
            _ => {
                self.records += 1;
                None
            }
        }
    }
}

#[cold]
fn not_opened(file: usize) -> String {
    format!("input {file} was not opened")
}

impl<W: Write> RowSink for Sink<W> {
    fn fields(&self) -> &[String] {
        self.pipeline.fields()
    }

    fn open_shard(&mut self, _file: usize, shard: ShardId) -> Result<(), Error> {
        let shard = self.pipeline.open_shard(shard)?;
        self.shards.push(shard);
        Ok(())
    }

    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<String>, Error> {
        if !self.unseen.is_empty() {
            self.unseen.retain(|slot| row.value(*slot) == Value::Missing);
        }
        let Some(shard) = self.shards.get(file) else { return Ok(Some(not_opened(file))) };
        // Without a time field there is one window over everything, so any arrival time will do.
        let outcome = self.pipeline.push(*shard, row, Timestamp::from_millis(0), None)?;
        Ok(self.taken(outcome))
    }

    fn preparer(&self) -> Option<Arc<RowPreparer>> {
        Some(self.pipeline.preparer())
    }

    fn prepared(&mut self, file: usize, rows: &mut PreparedRows, index: usize) -> Result<Option<String>, Error> {
        if !self.unseen.is_empty() {
            self.unseen.retain(|slot| !rows.has_seen(index, *slot));
        }
        let Some(shard) = self.shards.get(file) else { return Ok(Some(not_opened(file))) };
        let outcome = self.pipeline.push_prepared(*shard, rows, index)?;
        Ok(self.taken(outcome))
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        self.records += 1;
        self.progress.clear();
        if let Err(failure) = self.letters.take(letter) {
            return Err(self.end(failure));
        }
        match self.strict {
            true => Err(self.end(Failure::Run(format!("{}:{}: {} (--strict)", letter.file, letter.line, letter.reason)))),
            false => Ok(()),
        }
    }

    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error> {
        self.bytes = stats.bytes_decompressed();
        self.drain()?;
        self.progress.advance(stats.bytes_read());
        Ok(())
    }

    fn close_shard(&mut self, file: usize) -> Result<(), Error> {
        if let Some(shard) = self.shards.get(file) {
            self.pipeline.close_shard(*shard);
        }
        Ok(())
    }
}
