//! The observer of a run: answers, dead letters, progress and state.

use crate::answers::{Answers, UnsureRows};
use crate::copy::Trace;
use crate::dead_letters::DeadLetters;
use crate::early::EarlyAnswers;
use crate::failure::Failure;
use crate::hints::Hints;
use crate::inputs::Inputs;
use crate::interrupt::{Interrupt, Signal};
use crate::late_records::LateRecords;
use crate::output::digits::count;
use crate::output::printable;
use crate::progress::Progress;
use crate::standard_error::say;
use crate::state::State;
use crate::summary::Summary;
use crate::view::Counts;
use std::io::Write;
use std::num::{NonZeroU64, NonZeroUsize};
use streamgauge::adapter::files::{
    self, DeadLetter, FilePipelines, FilesOptions, FilesStats, Format, Input, LateRecord, Opened,
    PipelineObserver,
};
use streamgauge::rows::RowPipeline;
use streamgauge::{Control, Error, ErrorKind, Sequence, ShardId, Stats};

/// Inputs whose notes are shown.
pub(crate) const NOTED_MAX: u64 = 3;

/// Dead letters without any other record before the early hint.
const RECORDS_UNTIL_HINT: u64 = 100;

/// The name of the shard of a file in its pipeline, if there is a state.
const FILE: &str = "file";

/// Options of a run.
pub(crate) struct SinkOptions {
    pub(crate) letters: DeadLetters,
    pub(crate) late: LateRecords,
    pub(crate) progress: Progress,
    /// True if the first dead letter ends the run.
    pub(crate) strict: bool,
    /// True if a reader may wait for each answer: the input has no known end.
    pub(crate) live: bool,
    /// True if notes are omitted.
    pub(crate) quiet: bool,
    /// The state of the run, if it is saved.
    pub(crate) state: Option<State>,
    /// Threads for the answers at the end.
    pub(crate) threads: NonZeroUsize,
    /// The signals that end the run.
    pub(crate) interrupt: Interrupt,
    pub(crate) hints: Hints,
    /// The limit of the engine's state.
    pub(crate) state_bytes_max: u64,
    /// When open windows are answered while the input flows.
    pub(crate) early: Option<EarlyAnswers>,
    /// Of every how many records somebody is told what became of one.
    pub(crate) trace: Option<(NonZeroU64, Trace)>,
}

/// Observes a run.
pub(crate) struct Sink<W> {
    pub(crate) inputs: Inputs,
    pub(crate) answers: Answers<W>,
    pub(crate) letters: DeadLetters,
    pub(crate) late: LateRecords,
    pub(crate) progress: Progress,
    pub(crate) hints: Hints,
    early: Option<EarlyAnswers>,
    trace: Option<(NonZeroU64, Trace)>,
    strict: bool,
    live: bool,
    quiet: bool,
    pub(crate) state: Option<State>,
    threads: NonZeroUsize,
    pub(crate) interrupt: Interrupt,
    state_bytes_max: u64,
    /// True if records are passed on as rows, and nothing else is answered.
    passes_on: bool,
    /// True after all whole records have been read. The rest must not get into the state.
    in_tails: bool,
    /// A pipeline with the records of lines without an end, which may change later. It knows the
    /// rows of these records.
    tails: Option<RowPipeline>,
    /// True if answers were written since the last flush.
    unflushed: bool,
    /// The progress in the current input: its index, bytes of whole records, and all bytes,
    /// decompressed.
    reading: Option<(usize, u64, u64)>,
    /// Inputs with notes.
    pub(crate) noted: u64,
    /// Records, dead letters included.
    pub(crate) records: u64,
    /// Bytes of the input so far, decompressed.
    pub(crate) bytes: u64,
    /// The names of the fields that no record had.
    pub(crate) unseen: Vec<String>,
    /// Why the sink ended the run, if it did.
    failure: Option<Failure>,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(inputs: Inputs, answers: Answers<W>, options: SinkOptions) -> Self {
        let mut answers = answers;
        answers.complete(Inputs::completed_to(inputs.pipelines.first(), options.state.as_ref()));
        let of_stream = options.state.as_ref().is_some_and(|state| state.run.is_stream());
        let pipeline = inputs.pipelines.first().filter(|_| of_stream);
        pipeline.into_iter().for_each(|pipeline| answers.continue_from(pipeline));
        Sink {
            passes_on: inputs
                .pipelines
                .first()
                .is_some_and(|pipeline| pipeline.passes_on() && pipeline.queries().count() == 1),
            inputs,
            answers,
            letters: options.letters,
            late: options.late,
            progress: options.progress,
            strict: options.strict,
            live: options.live,
            quiet: options.quiet,
            state: options.state,
            threads: options.threads,
            interrupt: options.interrupt,
            state_bytes_max: options.state_bytes_max,
            hints: options.hints,
            early: options.early,
            trace: options.trace,
            in_tails: false,
            tails: None,
            unflushed: false,
            reading: None,
            noted: 0,
            records: 0,
            bytes: 0,
            unseen: Vec::new(),
            failure: None,
        }
    }

    /// Reads the inputs into the pipelines.
    ///
    /// # Errors
    /// Those of [`files::read_into`].
    pub(crate) fn read(&mut self, inputs: Vec<Input>, options: &FilesOptions) -> Result<(), Error> {
        // The pipelines are lent to the reading, which also borrows this sink.
        let mut pipelines = std::mem::take(&mut self.inputs.pipelines);
        let mut into = match (&self.state, pipelines.as_mut_slice()) {
            (None, [pipeline]) => FilePipelines::one(pipeline),
            // The state does not depend on the form of a path.
            (_, all) => FilePipelines::several(all, self.inputs.indices(), ShardId::new(FILE)),
        };
        let read = files::read_into(inputs, options, &mut into, self);
        self.records = into.records();
        self.unseen = into.unseen_fields().map(str::to_owned).collect();
        self.hints.set_refused(into.refused());
        self.tails = into.take_copy();
        self.inputs.pipelines = pipelines;
        read.map(drop)
    }

    /// Returns the signal that ended the run, if reading ended because of a signal. An input
    /// without a known end can end because the same signal ended its writer.
    pub(crate) fn interrupted(&self, read: &Result<(), Error>) -> Option<Signal> {
        let other_failure = self
            .failure
            .as_ref()
            .is_some_and(|failure| !matches!(failure, Failure::Interrupted(_)));
        self.interrupt.signal().filter(|_| !other_failure && (self.live || read.is_err()))
    }

    /// Returns true if every record is a dead letter, those of earlier runs included.
    pub(crate) fn is_all_dead(&self) -> bool {
        let retired = self.state.as_ref().is_some_and(|state| {
            let run = &state.run;
            (0..run.len()).any(|file| run.is_retired(file) && run.offset(file) > 0)
        });
        let took_before = retired || self.inputs.took_before();
        self.records > 0 && self.letters.count() == self.records && !took_before
    }

    /// Returns true if a later run can continue from where this one stopped.
    pub(crate) fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// Writes the open windows after a signal has ended the run, unless a later run continues them.
    ///
    /// # Errors
    /// A limit, or an output that cannot be written.
    pub(crate) fn finish_interrupted(&mut self) -> Result<(), Failure> {
        self.progress.clear();
        if self.has_state() {
            return self.finish_answers();
        }
        self.answers.set_incomplete();
        if self.answers.is_of_partials() {
            // These are not the final answers of their windows.
            if let Some(pipeline) = self.inputs.pipelines.first_mut() {
                pipeline.fire_early().map_err(|error| Failure::run(&error))?;
                self.answers.drain(pipeline)?;
            }
        } else {
            self.drain_ended()?;
        }
        self.finish_answers()
    }

    /// Leaves the groups of the last answers to the end of the process, which needs not drop each.
    pub(crate) fn forget_pipelines(&mut self) {
        std::mem::forget(std::mem::take(&mut self.inputs.pipelines));
    }

    /// Returns notes on values for which expressions were null.
    pub(crate) fn null_notes(&self) -> Vec<String> {
        let counts = self.inputs.pipelines.iter().map(|pipeline| pipeline.null_counts());
        let (mut other_kind, mut by_zero, mut empty) = (0, 0, 0);
        for counts in counts {
            other_kind += counts.other_kind;
            by_zero += counts.divisions_by_zero;
            empty += counts.without_elements;
        }
        let note = |of: u64, what: &str| {
            (of > 0).then(|| format!("note: {} times {what}, which is null\n", count(of)))
        };
        let kinds = note(other_kind, "a condition met a value of another kind");
        let by_zero = note(by_zero, "a division was by zero");
        let empty = (empty > 0).then(|| {
            let empty = count(empty);
            format!("note: records without an element of --unnest, which count as none: {empty}\n")
        });
        kinds.into_iter().chain(by_zero).chain(empty).collect()
    }

    /// Explains why all records so far are dead letters, if that is clear.
    #[cold]
    fn hint_early(&mut self, pipelines: &FilePipelines<'_>) {
        self.hints.set_refused(pipelines.refused());
        let unseen: Vec<String> = pipelines.unseen_fields().map(str::to_owned).collect();
        let hint = self.hints.early(&unseen, pipelines.records());
        if let Some(hint) = hint.filter(|_| !self.quiet) {
            self.progress.clear();
            say(&hint);
        }
    }

    /// Returns why the run ended with this error.
    pub(crate) fn failure(&mut self, error: &Error) -> Failure {
        self.failure.take().unwrap_or_else(|| Failure::run(error))
    }

    /// Returns the notes on late records, one for each query that has some.
    pub(crate) fn late_notes(&self) -> Vec<String> {
        let stats = self.inputs.stats().into_iter();
        let of =
            |(name, stats): (Option<&str>, Stats)| self.late.note((name, stats.late), self.records);
        self.answers.names().zip(stats).filter_map(of).collect()
    }

    /// What the run has counted so far.
    pub(crate) fn summary(&self) -> Summary {
        let (mut stats, mut queries) = (Stats::default(), Vec::new());
        for (name, of_query) in self.answers.names().zip(self.inputs.stats()) {
            stats.add(&of_query);
            queries.extend(name.map(|name| (name.to_owned(), of_query)));
        }
        Summary {
            records: self.records,
            queries,
            applied: stats.applied,
            filtered: stats.filtered,
            dead_letters: self.letters.count(),
            late: stats.late,
            between_windows: stats.between_windows,
            windows: self.answers.windows,
            rows: self.answers.rows,
            partials: self.answers.is_of_partials(),
            elapsed: self.progress.elapsed(),
            bytes: self.bytes,
        }
    }

    /// Ends the answers, with what was counted.
    fn finish_answers(&mut self) -> Result<(), Failure> {
        self.answers.set_facts(&self.summary());
        self.answers.finish()
    }

    /// Writes every window after the input has ended, or could not be read further.
    ///
    /// # Errors
    /// A limit, or an output that cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.progress.clear();
        self.answers.stop_by(self.interrupt.clone());
        let pipelines = self.inputs.pipelines.iter();
        self.answers
            .set_latest(pipelines.filter_map(|pipeline| pipeline.latest_event_time()).max());
        let drained = self.tell_unsure().and_then(|()| self.drain_ended()).and_then(|()| {
            // What was answered before, and is not now, has no rows any more.
            self.answers.take_back(None)
        });
        if let Err(Failure::Interrupted(_)) = drained {
            self.finish_answers()?;
        }
        drained.and_then(|()| self.finish_answers()).map_err(|failure| self.not_taken(failure))
    }

    /// Determines the rows whose records may change.
    fn tell_unsure(&mut self) -> Result<(), Failure> {
        let Some(mut tails) = self.tails.take() else { return Ok(()) };
        if self.passes_on {
            return Ok(());
        }
        let mut unsure = UnsureRows::new();
        tails.finish();
        while let Some(row) = tails.next_emission().map_err(|error| Failure::run(&error))? {
            let query = self.answers.query_of(&row.form);
            unsure.entry((query, row.window)).or_default().push(row.group);
        }
        self.answers.set_unsure(unsure);
        Ok(())
    }

    /// Writes all remaining windows.
    fn drain_ended(&mut self) -> Result<(), Failure> {
        if self.passes_on {
            let mut pipelines = self.inputs.pipelines.iter_mut();
            return pipelines.try_for_each(|pipeline| self.answers.drain(pipeline).map(drop));
        }
        let run =
            self.state.as_ref().map(|state| &state.run).filter(|run| !self.inputs.is_one(run));
        match (run, self.inputs.pipelines.first_mut()) {
            (Some(run), _) => {
                let mut queries = self.inputs.merge(run)?;
                queries.iter_mut().try_for_each(|query| self.answers.drain_merged(query).map(drop))
            }
            (None, Some(pipeline)) => self.answers.drain_ended(pipeline, self.threads).map(drop),
            (None, None) => Ok(()),
        }
    }

    /// Adds to a failure that the next run repeats the answers, if the reader of a run with a state
    /// has gone: that end was not intended.
    fn not_taken(&self, failure: Failure) -> Failure {
        match failure {
            Failure::ClosedPipe if self.answers.are_kept() => Failure::Run(
                "the reader of the standard output has gone; the answers that it has not taken come again when the run is started again"
                    .to_owned(),
            ),
            failure => failure,
        }
    }

    /// Flushes the answers for a reader that waits.
    fn show(&mut self) -> Result<(), Error> {
        match std::mem::take(&mut self.unflushed) && self.live {
            true => self.answers.flush().map_err(|failure| self.end(failure)),
            false => Ok(()),
        }
    }

    /// Tells who watches the run, if somebody does, what was counted and what open windows have.
    fn tell_watcher(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        let Some(output) = self.answers.watched() else { return Ok(()) };
        let Some(watcher) = output.watcher() else { return Ok(()) };
        let records = pipelines.records();
        let pipeline = pipelines.of(0)?.0;
        let stats = pipeline.stats();
        watcher.tell(Counts {
            records,
            filtered: stats.filtered,
            late: stats.late,
            dead_letters: self.letters.count(),
            state_bytes: stats.state_bytes,
            state_bytes_max: self.state_bytes_max,
            latest: pipeline.latest_event_time(),
        });
        match output.live() {
            Some(live) => live.look_early(pipeline, RowPipeline::next_emission),
            None => Ok(()),
        }
    }

    /// Shows answers, hints and progress between two blocks.
    pub(crate) fn go_on(
        &mut self,
        stats: &FilesStats,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<(), Error> {
        self.answer_early(pipelines)?;
        self.show()?;
        if self.hints.is_silent()
            && pipelines.records() >= RECORDS_UNTIL_HINT
            && self.letters.count() == pipelines.records()
        {
            self.hint_early(pipelines);
        }
        self.progress.advance(stats.bytes_read());
        self.tell_watcher(pipelines)
    }

    /// Answers the open windows, if it is time.
    fn answer_early(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        let records = pipelines.records();
        if self.early.as_mut().is_some_and(|early| early.is_due(records)) {
            let (pipeline, _) = pipelines.of(0)?;
            pipeline.fire_early()?;
            self.unflushed |= self.answers.drain(pipeline).map_err(|failure| self.end(failure))?;
        }
        Ok(())
    }

    /// Records in the state the progress in the current input, and the content of its pipeline.
    fn take_place(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        let (Some((reading, offset, bytes)), Some(state)) = (self.reading, &mut self.state) else {
            return Ok(());
        };
        let Some(input) = self.inputs.inputs.get(reading) else { return Ok(()) };
        let (pipeline, shard) = pipelines.of(reading)?;
        pipeline.set_applied(shard, &Sequence::new(offset));
        state.run.reach(offset, bytes.saturating_sub(offset))?;
        state.run.set_snapshot(input.file, Some(pipeline.snapshot()?));
        Ok(())
    }

    /// Saves the state at the current position of the inputs. Answers and dead letters that it no
    /// longer contains have been written.
    fn save(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        self.save_with(pipelines, Sink::take_place)
    }

    /// Like [`save`](Sink::save), where `take_place` records the positions of the inputs.
    pub(crate) fn save_with<'p>(
        &mut self,
        pipelines: &mut FilePipelines<'p>,
        take_place: impl FnOnce(&mut Self, &mut FilePipelines<'p>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.state.is_none() {
            return self
                .answers
                .flush()
                .and_then(|()| self.letters.flush())
                .and_then(|()| self.late.flush())
                .map_err(|failure| self.end(failure));
        }
        // Windows that the state has completed are answered again by late records alone.
        let taken = match Inputs::answered_to(pipelines.first(), self.state.as_ref()) {
            Some(end) => self.answers.take_back(Some(end)),
            None => Ok(()),
        };
        let flushed = taken.and_then(|()| self.answers.flush());
        flushed.map_err(|failure| self.end(failure))?;
        take_place(self, pipelines)?;
        let Some(state) = &mut self.state else { return Ok(()) };
        let kept =
            self.letters.keep_in(&mut state.run).and_then(|()| self.late.keep_in(&mut state.run));
        let saved = kept.and_then(|()| state.save());
        // Only now: a run that continues from an older state answers these windows again.
        let of_stream = pipelines.first().filter(|_| state.run.is_stream());
        let complete = of_stream.filter(|pipeline| !pipeline.is_revised());
        let complete_to = complete.and_then(RowPipeline::watermark);
        saved.map_err(|failure| self.end(failure))?;
        self.answers.set_complete_to(complete_to);
        Ok(())
    }

    /// Ends the run: the failure is kept, the error is returned.
    fn end(&mut self, failure: Failure) -> Error {
        let failure = self.not_taken(failure);
        let message = failure.message().unwrap_or("the reader of the output has gone").to_owned();
        self.failure = Some(failure);
        Error::new(ErrorKind::Io, message)
    }
}

impl<W: Write> PipelineObserver for Sink<W> {
    fn drain(&mut self, file: usize, pipeline: &mut RowPipeline) -> Result<(), Error> {
        if self.passes_on && self.state.is_some() {
            // A line without an end is passed on by the run that finds its end.
            while let Some(row) = pipeline.next_emission()? {
                if !self.in_tails {
                    self.answers.give_row(row).map_err(|failure| self.end(failure))?;
                }
            }
            return Ok(());
        }
        let (Some(state), Some(input)) = (&mut self.state, self.inputs.inputs.get(file)) else {
            self.unflushed |= self.answers.drain(pipeline).map_err(|failure| self.end(failure))?;
            return Ok(());
        };
        if state.run.is_stream() {
            return self.answers.drain(pipeline).map(drop).map_err(|failure| self.end(failure));
        }
        // Another file may still add to complete windows.
        if state.run.is_judged(input.file) {
            while let Some(partial) = pipeline.next_partial("")? {
                state.run.hold(input.file, partial);
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
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

    fn trace_every(&self) -> Option<NonZeroU64> {
        self.trace.as_ref().map(|(every, _)| *every)
    }

    fn trace(&mut self, text: &str) {
        if let Some((_, tell)) = &mut self.trace {
            tell(text);
        }
    }

    fn takes_late(&self) -> bool {
        self.late.are_wanted()
    }

    fn late(&mut self, record: &LateRecord<'_>) -> Result<(), Error> {
        self.late.take(record).map_err(|failure| self.end(failure))
    }

    fn progress(&mut self, stats: &FilesStats) -> Result<(), Error> {
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
        Ok(())
    }

    fn pause(
        &mut self,
        stats: &FilesStats,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<(), Error> {
        self.go_on(stats, pipelines)?;
        let signal = self.interrupt.signal();
        if !self.in_tails
            && self.state.as_ref().is_some_and(|state| signal.is_some() || state.is_due())
        {
            self.save(pipelines)?;
        }
        signal.map_or(Ok(()), |signal| Err(self.end(Failure::Interrupted(signal))))
    }

    fn resume_at(
        &mut self,
        file: usize,
        opened: &Opened<'_>,
        pipelines: &mut FilePipelines<'_>,
    ) -> Result<u64, Error> {
        if self.state.is_none() {
            return Ok(0);
        }
        // The previous input has been read to its end.
        self.take_place(pipelines)?;
        self.reading = None;
        let (Some(state), Some(input)) = (&mut self.state, self.inputs.inputs.get(file).copied())
        else {
            return Ok(0);
        };
        if let Some(counted) = state.run.other_format(input.file, opened.format.clone()) {
            let begun = self.inputs.begin_again(input, &state.run, counted);
            if let Some(pipeline) = begun.map_err(|failure| self.end(failure))? {
                let old = pipelines.replace(file, pipeline)?;
                self.inputs.forget(&old);
            }
            self.state.iter_mut().for_each(|state| state.run.rewind(input.file));
        }
        let Some(state) = &mut self.state else { return Ok(0) };
        state.run.open(input.file, opened)
    }

    fn beginning(&mut self, _file: usize, format: Format, bytes: &[u8]) {
        self.hints.look(format, bytes);
    }

    fn note(&mut self, name: &str, note: &str) -> Result<(), Error> {
        self.noted += 1;
        if self.noted > NOTED_MAX || self.quiet {
            return Ok(());
        }
        self.progress.clear();
        say(&format!("note: {} {}\n", printable(name), printable(note)));
        Ok(())
    }

    fn before_tails(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        self.save(pipelines)?;
        // The following records are answered now, and read again by the next run.
        self.in_tails = true;
        if self.state.is_some() {
            pipelines.copy_to(self.inputs.of_tails().map_err(|failure| self.end(failure))?)?;
        }
        Ok(())
    }
}
