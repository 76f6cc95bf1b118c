//! What takes the records of a run: the pipeline, with the answers, the dead letters, the progress and the state around it.

use crate::answers::Answers;
use crate::dead_letters::DeadLetters;
use crate::failure::Failure;
use crate::hints::Hints;
use crate::interrupt::{Interrupt, Signal};
use crate::late_records::LateRecords;
use crate::output::printable;
use crate::progress::Progress;
use crate::session::say;
use crate::state::State;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use streamgauge::adapter::files::{DeadLetter, FilesStats, Format, LateRecord, Refusal, RowSink};
use streamgauge::adapter::kcl::{Clock, SystemClock};
use streamgauge::engine::Shard;
use streamgauge::spec::{PreaggregatedRows, PreparedRows, Row, RowOutcome, RowPipeline, RowPreparer, Value};
use streamgauge::{Error, ErrorKind, Sequence, ShardId, Stats, Timestamp};

/// Inputs of which a note is shown.
pub(crate) const NOTED_MAX: u64 = 3;

/// Dead letters, and no other record, after which it is told what may be wrong.
const RECORDS_UNTIL_HINT: u64 = 100;

/// How a run is to go, and what stands beside it.
pub(crate) struct SinkOptions {
    pub(crate) letters: DeadLetters,
    pub(crate) late: LateRecords,
    pub(crate) progress: Progress,
    /// The first dead letter ends the run.
    pub(crate) strict: bool,
    /// Whether somebody may wait for each answer: the input has no end that is known.
    pub(crate) live: bool,
    /// Whether notes are left out.
    pub(crate) quiet: bool,
    /// Where the state of the run is kept, if it is.
    pub(crate) state: Option<State>,
    /// Threads that the answers at the end may be computed on.
    pub(crate) threads: NonZeroUsize,
    /// What may end the run.
    pub(crate) interrupt: Interrupt,
    /// Whether the clock at reading is the arrival time of records.
    pub(crate) reads_clock: bool,
    pub(crate) hints: Hints,
}

/// Takes the records of a run.
pub(crate) struct Sink<W> {
    pub(crate) pipeline: RowPipeline,
    pub(crate) answers: Answers<W>,
    pub(crate) letters: DeadLetters,
    pub(crate) late: LateRecords,
    pub(crate) progress: Progress,
    pub(crate) hints: Hints,
    strict: bool,
    reads_clock: bool,
    live: bool,
    quiet: bool,
    state: Option<State>,
    threads: NonZeroUsize,
    interrupt: Interrupt,
    /// Whether whole records have all been taken, and what is left must not get into the state.
    in_tails: bool,
    /// Whether answers were handed on since the last flush.
    unflushed: bool,
    /// What the pipeline had counted before this run.
    before: Stats,
    shards: Vec<Shard>,
    /// The inputs' names.
    names: Vec<String>,
    /// Inputs of which something was noted.
    pub(crate) noted: u64,
    /// Records, dead letters included.
    pub(crate) records: u64,
    /// Bytes of the input so far, decompressed.
    pub(crate) bytes: u64,
    /// Slots of the fields that no record had so far.
    unseen: Vec<usize>,
    /// Why the sink ended the run, if it did.
    failure: Option<Failure>,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(mut pipeline: RowPipeline, answers: Answers<W>, options: SinkOptions) -> Self {
        pipeline.hand_out_late(options.late.are_wanted());
        let unseen = (0..pipeline.fields().len()).collect();
        Sink {
            before: pipeline.stats(),
            pipeline,
            answers,
            letters: options.letters,
            late: options.late,
            progress: options.progress,
            strict: options.strict,
            reads_clock: options.reads_clock,
            live: options.live,
            quiet: options.quiet,
            state: options.state,
            threads: options.threads,
            interrupt: options.interrupt,
            hints: options.hints,
            in_tails: false,
            unflushed: false,
            shards: Vec::new(),
            names: Vec::new(),
            noted: 0,
            records: 0,
            bytes: 0,
            unseen,
            failure: None,
        }
    }

    /// The names of the fields that no record had.
    pub(crate) fn unseen(&self) -> Vec<&str> {
        let fields = self.pipeline.fields();
        self.unseen.iter().filter_map(|slot| fields.get(*slot)).map(String::as_str).collect()
    }

    /// The signal that ended the run, if its reading ended so. An input without an end that is known can end because its writer was asked to end by the same signal.
    pub(crate) fn interrupted(&self, read: &Result<(), Error>) -> Option<Signal> {
        let other_failure = self.failure.as_ref().is_some_and(|failure| !matches!(failure, Failure::Interrupted(_)));
        self.interrupt.signal().filter(|_| !other_failure && (self.live || read.is_err()))
    }

    /// Returns true if the run can go on later from where it stopped.
    pub(crate) fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// A signal has ended the run: the windows that it has come out, unless a later run goes on with them.
    ///
    /// # Errors
    /// A limit, or an output that cannot be written.
    pub(crate) fn finish_interrupted(&mut self) -> Result<(), Failure> {
        self.progress.clear();
        if self.has_state() {
            return self.answers.finish();
        }
        self.answers.set_incomplete();
        if self.answers.is_of_partials() {
            // These are not the last ones of their windows.
            self.pipeline.answer_open().map_err(|error| Failure::run(&error))?;
            self.answers.drain(&mut self.pipeline, true)?;
        } else {
            self.pipeline.finish();
            self.answers.drain_ended(&mut self.pipeline, self.threads)?;
        }
        self.answers.finish()
    }

    /// All records so far are dead letters: says why, if that is clear.
    #[cold]
    fn hint_early(&mut self) {
        let unseen = self.unseen().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let hint = self.hints.early(&unseen.iter().map(String::as_str).collect::<Vec<_>>(), self.records);
        if let Some(hint) = hint.filter(|_| !self.quiet) {
            self.progress.clear();
            say(&hint);
        }
    }

    /// Why the run ended with this error.
    pub(crate) fn failure(&mut self, error: &Error) -> Failure {
        self.failure.take().unwrap_or_else(|| Failure::run(error))
    }

    /// What the pipeline has counted in this run.
    pub(crate) fn stats(&self) -> Stats {
        let (mut stats, before) = (self.pipeline.stats(), self.before);
        for (now, before) in [
            (&mut stats.applied, before.applied),
            (&mut stats.filtered, before.filtered),
            (&mut stats.late, before.late),
            (&mut stats.between_windows, before.between_windows),
        ] {
            *now = now.saturating_sub(before);
        }
        stats
    }

    /// The input has ended, or as much of it as could be read: every window comes out.
    ///
    /// # Errors
    /// A limit, or an output that cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let complete_to = self.pipeline.watermark().filter(|_| !self.pipeline.is_revised());
        self.pipeline.finish();
        self.progress.clear();
        self.answers.stop_by(self.interrupt.clone());
        let drained = self.answers.drain_ended(&mut self.pipeline, self.threads);
        if let Err(Failure::Interrupted(_)) = drained {
            self.answers.finish()?;
        }
        drained?;
        self.answers.finish()?;
        match (&self.state, self.answers.answered()) {
            (Some(state), Some(answered)) => state.keep_answered(answered, complete_to),
            _ => Ok(()),
        }
    }

    /// Hands on the answers that are complete, before a further record is taken: so they need not be kept.
    #[inline]
    fn hand_on(&mut self) -> Result<(), Error> {
        if self.pipeline.is_due() { self.hand_on_due() } else { Ok(()) }
    }

    #[cold]
    fn hand_on_due(&mut self) -> Result<(), Error> {
        self.unflushed |= self.answers.drain(&mut self.pipeline, false).map_err(|failure| self.end(failure))?;
        Ok(())
    }

    /// Hands on the answers that are complete, and shows them to somebody who waits.
    fn drain(&mut self) -> Result<(), Error> {
        self.hand_on_due()?;
        match std::mem::take(&mut self.unflushed) && self.live {
            true => self.answers.flush().map_err(|failure| self.end(failure)),
            false => Ok(()),
        }
    }

    /// Saves the state at the place that the inputs have been read to. What it does not hold any more is where it is to be: answers and dead letters.
    fn save(&mut self, stats: &FilesStats) -> Result<(), Error> {
        for (shard, file) in self.shards.iter().zip(&stats.files) {
            self.pipeline.set_applied(*shard, &Sequence::new(file.offset));
        }
        let flushed = self.answers.flush().and_then(|()| self.letters.flush()).and_then(|()| self.late.flush());
        let Some(state) = &mut self.state else { return Ok(()) };
        flushed.and_then(|()| state.save(&self.pipeline)).map_err(|failure| self.end(failure))
    }

    /// Ends the run: the failure is kept, the error travels.
    fn end(&mut self, failure: Failure) -> Error {
        let message = failure.message().unwrap_or("the reader of the output has gone").to_owned();
        self.failure = Some(failure);
        Error::new(ErrorKind::Io, message)
    }

    /// Why a record of this outcome is to be handed out, if it is; it is counted then.
    fn refusal(&mut self, outcome: RowOutcome) -> Option<Refusal> {
        match outcome {
            RowOutcome::DeadLetter(reason) => {
                self.hints.refuse();
                Some(Refusal::DeadLetter(reason))
            }
            RowOutcome::Late(time) if self.late.are_wanted() => Some(Refusal::Late { time, watermark: self.pipeline.watermark() }),
            _ => None,
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
        self.names.push(shard.to_string());
        let shard = self.pipeline.open_shard(shard)?;
        // An earlier run may have read it to its end, and it may have grown.
        self.pipeline.reopen_shard(shard);
        self.shards.push(shard);
        Ok(())
    }

    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
        if !self.unseen.is_empty() {
            self.unseen.retain(|slot| row.value(*slot) == Value::Missing);
        }
        let Some(shard) = self.shards.get(file) else { return Ok(Some(Refusal::DeadLetter(not_opened(file)))) };
        // Without a time field there is one window over everything, so any arrival time will do.
        let arrival = if self.reads_clock { SystemClock.now() } else { Timestamp::from_millis(0) };
        let outcome = self.pipeline.push(*shard, row, arrival, None)?;
        let refusal = self.refusal(outcome);
        self.records += u64::from(refusal.is_none());
        self.hand_on()?;
        Ok(refusal)
    }

    fn preparer(&self) -> Option<Arc<RowPreparer>> {
        // Records that are judged against the clock are taken one by one, when they are read.
        (!self.reads_clock).then(|| self.pipeline.preparer())
    }

    fn prepared(&mut self, file: usize, rows: &mut PreparedRows, until: usize) -> Result<Option<(usize, Refusal)>, Error> {
        let Some(shard) = self.shards.get(file) else { return Err(Error::new(ErrorKind::InvalidArgument, not_opened(file))) };
        let (shard, before) = (*shard, rows.taken());
        let refused = loop {
            let told = self.pipeline.push_prepared(shard, rows, until)?;
            self.hand_on()?;
            let refused = told.and_then(|(index, outcome)| self.refusal(outcome).map(|refusal| (index, refusal)));
            if refused.is_some() || rows.taken() >= until {
                break refused;
            }
        };
        self.records += (rows.taken() - before - usize::from(refused.is_some())) as u64;
        self.unseen.retain(|slot| !rows.has_seen(*slot));
        Ok(refused)
    }

    fn preaggregated(&mut self, file: usize, rows: &PreaggregatedRows) -> Result<bool, Error> {
        let Some(shard) = self.shards.get(file) else { return Ok(false) };
        let records = rows.len() as u64;
        let taken = self.pipeline.push_preaggregated(*shard, rows)?;
        if taken {
            self.records += records;
            self.unseen.retain(|slot| !rows.has_seen(*slot));
        }
        Ok(taken)
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        self.records += 1;
        self.hints.dead_letter(letter.reason);
        self.progress.clear();
        if let Err(failure) = self.letters.take(letter) {
            return Err(self.end(failure));
        }
        match self.strict {
            true => Err(self.end(Failure::Run(format!("{}:{}: {} (--strict)", letter.file, letter.line, letter.reason)))),
            false => Ok(()),
        }
    }

    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        self.records += 1;
        self.late.take(record).map_err(|failure| self.end(failure))
    }

    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error> {
        self.bytes = stats.bytes_decompressed();
        self.drain()?;
        if self.hints.is_silent() && self.records >= RECORDS_UNTIL_HINT && self.letters.count() == self.records {
            self.hint_early();
        }
        self.progress.advance(stats.bytes_read());
        let signal = self.interrupt.signal();
        if !self.in_tails && self.state.as_ref().is_some_and(|state| signal.is_some() || state.is_due()) {
            self.save(stats)?;
        }
        signal.map_or(Ok(()), |signal| Err(self.end(Failure::Interrupted(signal))))
    }

    fn resume_at(&self, file: usize) -> u64 {
        let applied = self.shards.get(file).and_then(|shard| self.pipeline.applied(*shard));
        applied.and_then(|sequence| sequence.number.as_str().parse().ok()).unwrap_or(0)
    }

    fn beginning(&mut self, _file: usize, format: Format, bytes: &[u8]) {
        self.hints.look(format, bytes);
    }

    fn note(&mut self, file: usize, note: &str) -> Result<(), Error> {
        self.noted += 1;
        let Some(name) = self.names.get(file).filter(|_| self.noted <= NOTED_MAX && !self.quiet) else { return Ok(()) };
        self.progress.clear();
        say(&format!("note: {} {}\n", printable(name), printable(note)));
        Ok(())
    }

    fn before_tails(&mut self, stats: &FilesStats) -> Result<(), Error> {
        self.drain()?;
        self.save(stats)?;
        // What comes now is answered, and read again by the next run.
        self.in_tails = true;
        Ok(())
    }

    fn close_shard(&mut self, file: usize) -> Result<(), Error> {
        if let Some(shard) = self.shards.get(file) {
            self.pipeline.close_shard(*shard);
        }
        Ok(())
    }
}
