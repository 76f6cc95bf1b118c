//! What takes the records of a run: the pipeline, with the answers, the dead letters, the progress
//! and the state around it.

use crate::answers::{Answers, UnsureRows};
use crate::dead_letters::DeadLetters;
use crate::failure::Failure;
use crate::hints::Hints;
use crate::inputs::{Inputs, hold};
use crate::interrupt::{Interrupt, Signal};
use crate::late_records::LateRecords;
use crate::output::printable;
use crate::progress::Progress;
use crate::session::say;
use crate::state::State;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use streamgauge::adapter::files::{
    DeadLetter, FilesStats, Format, LateRecord, Opened, Refusal, RowSink,
};
use streamgauge::adapter::worker::{Clock, SystemClock};
use streamgauge::engine::Shard;
use streamgauge::row::{Row, Value};
use streamgauge::rows::{PreaggregatedRows, PreparedRows, RowPipeline, RowPreparer};
use streamgauge::{Control, Error, ErrorKind, Outcome, Sequence, ShardId, Stats, Timestamp};

/// Inputs of which a note is shown.
pub(crate) const NOTED_MAX: u64 = 3;

/// Dead letters, and no other record, after which it is told what may be wrong.
const RECORDS_UNTIL_HINT: u64 = 100;

/// The name of the shard that a file is to its pipeline, where the state is kept.
const FILE: &str = "file";

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
    inputs: Inputs,
    fields: Vec<String>,
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
    /// Takes the records of lines without an end, which may become others, beside the pipeline that
    /// answers them: it says which rows they are in.
    tails: Option<(RowPipeline, Shard)>,
    /// Whether answers were handed on since the last flush.
    unflushed: bool,
    /// How far the input that is being read has come: its index, bytes of whole records, and all
    /// bytes, decompressed.
    reading: Option<(usize, u64, u64)>,
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
    pub(crate) fn new(mut inputs: Inputs, answers: Answers<W>, options: SinkOptions) -> Self {
        inputs
            .pipelines
            .iter_mut()
            .for_each(|pipeline| pipeline.hand_out_late(options.late.are_wanted()));
        let fields =
            inputs.pipelines.first().map_or(&[][..], |pipeline| pipeline.fields()).to_vec();
        let unseen = (0..fields.len()).collect();
        let mut answers = answers;
        answers.complete(inputs.completed_to(options.state.as_ref()));
        Sink {
            inputs,
            fields,
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
            tails: None,
            unflushed: false,
            reading: None,
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
        self.unseen.iter().filter_map(|slot| self.fields.get(*slot)).map(String::as_str).collect()
    }

    /// The signal that ended the run, if its reading ended so. An input without an end that is
    /// known can end because its writer was asked to end by the same signal.
    pub(crate) fn interrupted(&self, read: &Result<(), Error>) -> Option<Signal> {
        let other_failure = self
            .failure
            .as_ref()
            .is_some_and(|failure| !matches!(failure, Failure::Interrupted(_)));
        self.interrupt.signal().filter(|_| !other_failure && (self.live || read.is_err()))
    }

    /// Returns true if every record is a dead letter, those of the runs before included.
    pub(crate) fn is_all_dead(&self) -> bool {
        let retired = self.state.as_ref().is_some_and(|state| {
            let run = &state.run;
            (0..run.len()).any(|file| run.is_retired(file) && run.offset(file) > 0)
        });
        let took_before = retired || self.inputs.took_before();
        self.records > 0 && self.letters.count() == self.records && !took_before
    }

    /// Returns true if the run can go on later from where it stopped.
    pub(crate) fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// A signal has ended the run: the windows that it has come out, unless a later run goes on
    /// with them.
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
            if let Some(pipeline) = self.inputs.pipelines.first_mut() {
                pipeline.fire_early().map_err(|error| Failure::run(&error))?;
                self.answers.drain(pipeline)?;
            }
        } else {
            self.drain_ended()?;
        }
        self.answers.finish()
    }

    /// All records so far are dead letters: says why, if that is clear.
    #[cold]
    fn hint_early(&mut self) {
        let unseen = self.unseen().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let hint =
            self.hints.early(&unseen.iter().map(String::as_str).collect::<Vec<_>>(), self.records);
        if let Some(hint) = hint.filter(|_| !self.quiet) {
            self.progress.clear();
            say(&hint);
        }
    }

    /// Why the run ended with this error.
    pub(crate) fn failure(&mut self, error: &Error) -> Failure {
        self.failure.take().unwrap_or_else(|| Failure::run(error))
    }

    /// What the pipelines have counted in this run.
    pub(crate) fn stats(&self) -> Stats {
        self.inputs.stats()
    }

    /// The input has ended, or as much of it as could be read: every window comes out.
    ///
    /// # Errors
    /// A limit, or an output that cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.progress.clear();
        self.answers.stop_by(self.interrupt.clone());
        let drained = self.tell_unsure().and_then(|()| self.drain_ended()).and_then(|()| {
            if self.inputs.are_all_answered(self.state.as_ref()) {
                self.answers.take_back(None)?;
            }
            Ok(())
        });
        if let Err(Failure::Interrupted(_)) = drained {
            self.answers.finish()?;
        }
        drained.and_then(|()| self.answers.finish()).map_err(|failure| self.not_taken(failure))
    }

    /// Says which rows have records that may become others.
    fn tell_unsure(&mut self) -> Result<(), Failure> {
        let Some((mut tails, _)) = self.tails.take() else { return Ok(()) };
        let mut unsure = UnsureRows::new();
        tails.finish();
        while let Some(row) = tails.next_emission().map_err(|error| Failure::run(&error))? {
            unsure.entry(row.window).or_default().push(row.group);
        }
        self.answers.set_unsure(unsure);
        Ok(())
    }

    /// Hands on all windows that are left.
    fn drain_ended(&mut self) -> Result<(), Failure> {
        let run =
            self.state.as_ref().map(|state| &state.run).filter(|run| !self.inputs.is_one(run));
        match (run, self.inputs.pipelines.first_mut()) {
            (Some(run), _) => {
                let mut files = self.inputs.merge(run)?;
                self.answers.drain_merged(&mut files).map(drop)
            }
            (None, Some(pipeline)) => {
                pipeline.finish();
                self.answers.drain_ended(pipeline, self.threads).map(drop)
            }
            (None, None) => Ok(()),
        }
    }

    /// Answers of a run with a state whose reader has gone come again: that is told, since it is no
    /// end that was wanted.
    fn not_taken(&self, failure: Failure) -> Failure {
        match failure {
            Failure::ClosedPipe if self.answers.are_kept() => Failure::Run(
                "the reader of the standard output has gone; the answers that it has not taken come again when the run is started again"
                    .to_owned(),
            ),
            failure => failure,
        }
    }

    /// Hands on the answers that are complete, before a further record is taken, or holds them
    /// where another file may still add to them.
    #[cold]
    fn hand_on_due(&mut self, file: usize) -> Result<(), Error> {
        if self.state.as_ref().is_some_and(|state| !state.run.is_stream()) {
            return self.hold_complete(file);
        }
        let Some(pipeline) = self.inputs.pipelines.first_mut() else { return Ok(()) };
        self.unflushed |= self.answers.drain(pipeline).map_err(|failure| self.end(failure))?;
        Ok(())
    }

    /// Hands on the answers that are complete, and shows them to somebody who waits.
    fn drain(&mut self) -> Result<(), Error> {
        self.hand_on_due(self.reading.map_or(0, |(file, _, _)| file))?;
        match std::mem::take(&mut self.unflushed) && self.live {
            true => self.answers.flush().map_err(|failure| self.end(failure)),
            false => Ok(()),
        }
    }

    fn hold_complete(&mut self, file: usize) -> Result<(), Error> {
        let (Some(input), Some(state)) = (self.inputs.inputs.get(file), &mut self.state) else {
            return Ok(());
        };
        let Some(pipeline) = self
            .inputs
            .pipelines
            .get_mut(input.pipeline)
            .filter(|_| state.run.is_judged(input.file))
        else {
            return Ok(());
        };
        while let Some(partial) = pipeline.next_partial("")? {
            hold(&mut state.run, input.file, partial);
        }
        Ok(())
    }

    /// Takes into the state how far the input that is being read has come, and what its pipeline
    /// has of it.
    fn take_place(&mut self) -> Result<(), Error> {
        let (Some((reading, offset, bytes)), Some(state)) = (self.reading, &mut self.state) else {
            return Ok(());
        };
        let Some(input) = self.inputs.inputs.get(reading).copied() else { return Ok(()) };
        let Some(pipeline) = self.inputs.pipelines.get_mut(input.pipeline) else { return Ok(()) };
        if let Some(shard) = input.shard {
            pipeline.set_applied(shard, &Sequence::new(offset));
        }
        state.run.reach(offset, bytes.saturating_sub(offset))?;
        state.run.set_snapshot(input.file, Some(pipeline.snapshot()?));
        let complete_to =
            pipeline.watermark().filter(|_| state.run.is_stream() && !pipeline.is_revised());
        self.answers.set_complete_to(complete_to);
        Ok(())
    }

    /// Saves the state at the place that the inputs have been read to. What it does not hold any
    /// more is where it is to be: answers and dead letters.
    fn save(&mut self) -> Result<(), Error> {
        if self.state.is_none() {
            return self
                .answers
                .flush()
                .and_then(|()| self.letters.flush())
                .and_then(|()| self.late.flush())
                .map_err(|failure| self.end(failure));
        }
        // Windows that the state has completed are not looked at again.
        let taken = match self.inputs.completed_to(self.state.as_ref()) {
            Some(end) => self.answers.take_back(Some(end)),
            None => Ok(()),
        };
        let flushed = taken.and_then(|()| self.answers.flush());
        flushed.map_err(|failure| self.end(failure))?;
        self.take_place()?;
        let Some(state) = &mut self.state else { return Ok(()) };
        let kept =
            self.letters.keep_in(&mut state.run).and_then(|()| self.late.keep_in(&mut state.run));
        let saved = kept.and_then(|()| state.save());
        saved.map_err(|failure| self.end(failure))
    }

    /// Ends the run: the failure is kept, the error travels.
    fn end(&mut self, failure: Failure) -> Error {
        let failure = self.not_taken(failure);
        let message = failure.message().unwrap_or("the reader of the output has gone").to_owned();
        self.failure = Some(failure);
        Error::new(ErrorKind::Io, message)
    }

    /// Why a record of this outcome is to be handed out, if it is; it is counted then.
    #[cold]
    fn refusal(&mut self, file: usize, outcome: Outcome<String>) -> Option<Refusal> {
        match outcome {
            Outcome::DeadLetter(reason) => {
                self.hints.refuse();
                Some(Refusal::DeadLetter(reason))
            }
            Outcome::Late(time) if self.late.are_wanted() => {
                let watermark = self.inputs.of(file).and_then(|(pipeline, _)| pipeline.watermark());
                Some(Refusal::Late { time, watermark })
            }
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
        &self.fields
    }

    fn open_shard(&mut self, file: usize, shard: ShardId) -> Result<(), Error> {
        self.names.push(shard.to_string());
        // The state does not depend on how a path is written.
        let shard = if self.state.is_some() { ShardId::new(FILE) } else { shard };
        let Some(input) = self.inputs.inputs.get_mut(file) else { return Ok(()) };
        let Some(pipeline) = self.inputs.pipelines.get_mut(input.pipeline) else { return Ok(()) };
        let shard = pipeline.open_shard(shard)?;
        // An earlier run may have read it to its end, and it may have grown.
        pipeline.reopen_shard(shard);
        input.shard = Some(shard);
        Ok(())
    }

    fn row(&mut self, file: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
        if !self.unseen.is_empty() {
            self.unseen.retain(|slot| row.value(*slot) == Value::Missing);
        }
        let Some((pipeline, shard)) = self.inputs.of(file) else {
            return Ok(Some(Refusal::DeadLetter(not_opened(file))));
        };
        // Without a time field there is one window over everything, so any arrival time will do.
        let arrival = if self.reads_clock { SystemClock.now() } else { Timestamp::from_millis(0) };
        if let Some((tails, shard)) = &mut self.tails {
            tails.push(*shard, row, arrival, None)?;
        }
        let outcome = pipeline.push(shard, row, arrival, None)?;
        let due = pipeline.is_due();
        let refusal = match outcome {
            Outcome::Applied | Outcome::Filtered => None,
            outcome => self.refusal(file, outcome),
        };
        self.records += u64::from(refusal.is_none());
        if due {
            self.hand_on_due(file)?;
        }
        Ok(refusal)
    }

    fn preparer(&self) -> Option<Arc<RowPreparer>> {
        // Records that are judged against the clock are taken one by one, when they are read.
        // Of the last file records can be late, and the times of those that are filtered count.
        self.inputs
            .pipelines
            .last()
            .filter(|_| !self.reads_clock)
            .map(|pipeline| pipeline.preparer())
    }

    fn prepared(
        &mut self,
        file: usize,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Refusal)>, Error> {
        if self.inputs.of(file).is_none() {
            return Err(Error::new(ErrorKind::InvalidArgument, not_opened(file)));
        }
        let before = rows.taken();
        let refused = loop {
            let Some((pipeline, shard)) = self.inputs.of(file) else { break None };
            let told = pipeline.push_prepared(shard, rows, until)?;
            if pipeline.is_due() {
                self.hand_on_due(file)?;
            }
            let refused = told.and_then(|(index, outcome)| {
                self.refusal(file, outcome).map(|refusal| (index, refusal))
            });
            if refused.is_some() || rows.taken() >= until {
                break refused;
            }
        };
        self.records += (rows.taken() - before - usize::from(refused.is_some())) as u64;
        self.unseen.retain(|slot| !rows.has_seen(*slot));
        Ok(refused)
    }

    fn preaggregated(&mut self, file: usize, rows: &PreaggregatedRows) -> Result<bool, Error> {
        let Some((pipeline, shard)) = self.inputs.of(file) else { return Ok(false) };
        let records = rows.len() as u64;
        let taken = pipeline.push_preaggregated(shard, rows)?;
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
            true => Err(self.end(Failure::Run(format!(
                "{}:{}: {} (--strict)",
                letter.file, letter.line, letter.reason
            )))),
            false => Ok(()),
        }
    }

    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        self.records += 1;
        self.late.take(record).map_err(|failure| self.end(failure))
    }

    fn pause(&mut self, stats: &FilesStats) -> Result<(), Error> {
        self.bytes = stats.bytes_decompressed();
        if !self.in_tails {
            let current = stats
                .files
                .len()
                .checked_sub(1)
                .and_then(|file| stats.files.get(file).map(|counts| (file, counts)));
            self.reading =
                current.map(|(file, counts)| (file, counts.offset, counts.bytes_decompressed));
        }
        self.drain()?;
        if self.hints.is_silent()
            && self.records >= RECORDS_UNTIL_HINT
            && self.letters.count() == self.records
        {
            self.hint_early();
        }
        self.progress.advance(stats.bytes_read());
        let signal = self.interrupt.signal();
        if !self.in_tails
            && self.state.as_ref().is_some_and(|state| signal.is_some() || state.is_due())
        {
            self.save()?;
        }
        signal.map_or(Ok(()), |signal| Err(self.end(Failure::Interrupted(signal))))
    }

    fn resume_at(&mut self, file: usize, opened: &Opened<'_>) -> Result<u64, Error> {
        if self.state.is_none() {
            return Ok(0);
        }
        // The input before it has been read to its end.
        self.take_place()?;
        self.reading = None;
        let (Some(state), Some(input)) = (&mut self.state, self.inputs.inputs.get(file)) else {
            return Ok(0);
        };
        let place = input.file;
        if let Some(counted) = state.run.other_format(place, opened.format) {
            let begun = self.inputs.begin_anew(file, &state.run, counted);
            let shard = begun.and_then(|pipeline| match pipeline {
                Some(pipeline) => pipeline
                    .open_shard(ShardId::new(FILE))
                    .map(Some)
                    .map_err(|error| Failure::run(&error)),
                None => Ok(None),
            });
            let shard = shard.map_err(|failure| self.end(failure))?;
            if let (Some(input), Some(shard)) = (self.inputs.inputs.get_mut(file), shard) {
                input.shard = Some(shard);
            }
            self.state.iter_mut().for_each(|state| state.run.rewind(place));
        }
        let Some(state) = &mut self.state else { return Ok(0) };
        state.run.open(place, opened)
    }

    fn beginning(&mut self, _file: usize, format: Format, bytes: &[u8]) {
        self.hints.look(format, bytes);
    }

    fn note(&mut self, file: usize, note: &str) -> Result<(), Error> {
        self.noted += 1;
        let Some(name) = self.names.get(file).filter(|_| self.noted <= NOTED_MAX && !self.quiet)
        else {
            return Ok(());
        };
        self.progress.clear();
        say(&format!("note: {} {}\n", printable(name), printable(note)));
        Ok(())
    }

    fn defers_tail(&self, file: usize) -> bool {
        // In a stream what follows a line without an end says that nothing is added to it.
        let stream = self.state.as_ref().is_some_and(|state| state.run.is_stream());
        !stream || file + 1 == self.inputs.inputs.len()
    }

    fn before_tails(&mut self, _: &FilesStats) -> Result<(), Error> {
        self.drain()?;
        self.save()?;
        // What comes now is answered, and read again by the next run.
        self.in_tails = true;
        if self.state.is_some() {
            let mut tails = self.inputs.of_tails().map_err(|failure| self.end(failure))?;
            let shard = tails.open_shard(ShardId::new(FILE))?;
            self.tails = Some((tails, shard));
        }
        Ok(())
    }

    fn close_shard(&mut self, file: usize) -> Result<(), Error> {
        let stream = self.state.as_ref().is_some_and(|state| state.run.is_stream());
        let last = file + 1 == self.inputs.inputs.len();
        if let Some((pipeline, shard)) = self.inputs.of(file).filter(|_| last || !stream) {
            pipeline.close_shard(shard);
        }
        Ok(())
    }
}
