//! The answers: rows to standard output, or partials to a store.

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::merged::MergedFiles;
use crate::output::OutputWriter;
use crate::state::KeptAnswers;
use crate::summary::Summary;
use crate::view::Counts;
use crate::view::html::Facts;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use streamgauge::adapter::files::{Judgement, QueryWindow, RunAnswers, last_rows};
use streamgauge::hash::hash_bytes;
use streamgauge::row::OutputValue;
use streamgauge::rows::{JsonLines, Query, RowEmission, RowForm, RowPipeline};
use streamgauge::snapshot::Partial;
use streamgauge::store::{PartialStore, Store};
use streamgauge::{Control, Error, Seed, Timestamp, Window};

/// Where the answer of a window goes.
pub(crate) enum Destination<W> {
    Rows(Box<OutputWriter<W>>),
    Partials {
        store: PartialStore<Box<dyn Store>>,
        /// The source of the partials.
        source: String,
    },
}

/// Maximum answers that wait until they are recorded as given.
const WAITING_MAX: usize = 1 << 16;

/// The answers given before, so that answers that are given again stay consistent.
pub(crate) struct GivenAnswers {
    pub(crate) answers: RunAnswers,
    /// The place of the answers between runs, if they are saved.
    pub(crate) kept: Option<KeptAnswers>,
    /// True if a row can be retracted, because groups are limited.
    pub(crate) retracts: bool,
    /// Rows with records that may change.
    pub(crate) unsure: UnsureRows,
}

/// Groups of rows that can be retracted, by query and window.
pub(crate) type UnsureRows = HashMap<QueryWindow, Vec<Vec<OutputValue>>>;

/// An answer that waits to be written.
enum Waiting {
    Row(RowEmission),
    Partial(Box<Partial>),
    /// The partial of a window that has no records any more.
    Removed(QueryWindow, u32),
}

impl GivenAnswers {
    pub(crate) fn new(answers: RunAnswers, kept: Option<KeptAnswers>, retracts: bool) -> Self {
        GivenAnswers { answers, kept, retracts, unsure: UnsureRows::new() }
    }

    /// Returns the groups of a window's rows that can be retracted: all of them, or those whose
    /// rows could be retracted when they were given before, and those that are unsure now.
    fn unsure_groups(&self, window: QueryWindow, rows: &[RowEmission]) -> Vec<Vec<OutputValue>> {
        if self.retracts {
            let given = rows.iter().filter(|row| !row.is_retracted());
            return given.map(|row| row.group.clone()).collect();
        }
        let now = self.unsure.get(&window).map_or(&[][..], |groups| groups);
        let before = self.answers.unsure(window);
        if now.is_empty() && before.is_empty() {
            return Vec::new();
        }
        let mut unsure: HashSet<String> =
            now.iter().chain(&before).map(|group| name(group)).collect();
        let groups = rows.iter().map(|row| &row.group);
        groups.filter(|group| unsure.remove(&name(group))).cloned().collect()
    }
}

/// Returns a text that no other group has.
fn name(group: &[OutputValue]) -> String {
    format!("{group:?}")
}

/// Returns the rows that retract other rows.
fn retracted(
    window: Option<Window>,
    judged: &Judgement,
    form: &Arc<RowForm>,
) -> impl Iterator<Item = RowEmission> + use<> {
    let (revision, form) = (judged.revision, form.clone());
    judged.retracted.clone().into_iter().map(move |group| RowEmission {
        window,
        revision,
        group,
        values: Vec::new(),
        form: form.clone(),
    })
}

/// What is known of the answers of one query.
struct QueryAnswers {
    form: Arc<RowForm>,
    /// True if an answer of a window is of some of its groups.
    is_of_groups: bool,
    /// The last answered window, by end and start.
    furthest: Option<(Timestamp, Timestamp)>,
    last_window: Option<Option<Window>>,
}

/// Fetches the answers of a pipeline and writes them.
pub(crate) struct Answers<W> {
    destination: Destination<W>,
    /// `None` if each window is answered once.
    given: Option<GivenAnswers>,
    waiting: Vec<Waiting>,
    lines: JsonLines,
    /// In the order of the pipeline.
    queries: Vec<QueryAnswers>,
    /// Windows that were answered; each counts once, whatever its number of revisions.
    pub(crate) windows: u64,
    /// Rows or partials that were written.
    pub(crate) rows: u64,
    /// True if there was a row of the groups past the limit.
    pub(crate) other: bool,
    /// The signal that can stop the answers at the end of the input.
    stop: Option<Interrupt>,
}

impl QueryAnswers {
    fn new(query: Query<'_>) -> Self {
        let windows = query.windows();
        QueryAnswers {
            form: query.form().clone(),
            is_of_groups: windows.is_per_group() || windows.is_of_rows(),
            furthest: None,
            last_window: None,
        }
    }
}

impl<W: Write> Answers<W> {
    pub(crate) fn new(
        destination: Destination<W>,
        given: Option<GivenAnswers>,
        pipeline: &RowPipeline,
    ) -> Self {
        Answers {
            destination,
            given,
            waiting: Vec::new(),
            lines: JsonLines::default(),
            queries: pipeline.queries().map(QueryAnswers::new).collect(),
            windows: 0,
            rows: 0,
            other: false,
            stop: None,
        }
    }

    /// Returns true if partials are saved instead of rows written.
    pub(crate) fn is_of_partials(&self) -> bool {
        matches!(self.destination, Destination::Partials { .. })
    }

    /// Sets the end up to which a run that continues from the state saved now does not answer
    /// windows again.
    pub(crate) fn set_complete_to(&mut self, complete_to: Option<Timestamp>) {
        if let Some(kept) = self.given.as_mut().and_then(|given| given.kept.as_mut()) {
            kept.complete_to = complete_to;
        }
    }

    /// Returns true if an answer without a window was written.
    pub(crate) fn is_without_windows(&self) -> bool {
        self.queries.iter().any(|query| query.last_window == Some(None))
    }

    /// Returns the names of the queries, in the order of the pipeline.
    pub(crate) fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.queries.iter().map(|query| query.form.query.as_deref())
    }

    /// Returns the number of the query that has this form.
    pub(crate) fn query_of(&self, form: &RowForm) -> usize {
        let mut queries = self.queries.iter();
        queries.position(|query| query.form.query == form.query).unwrap_or_default()
    }

    /// Marks the windows up to this end as completed by an earlier run.
    pub(crate) fn complete(&mut self, end: Option<Timestamp>) {
        if let (Some(given), Some(end)) = (&mut self.given, end) {
            given.answers.complete(end);
        }
    }

    /// Marks the windows that are complete in the state from which the run continues.
    pub(crate) fn continue_from(&mut self, pipeline: &RowPipeline) {
        if let Some(given) = &mut self.given {
            given.answers.continue_from(pipeline);
        }
    }

    /// From now on a signal stops the answers.
    pub(crate) fn stop_by(&mut self, interrupt: Interrupt) {
        self.stop = Some(interrupt);
    }

    /// Marks the following answers as answers of windows that the end of the run has cut short, in
    /// the output formats that show it.
    pub(crate) fn set_incomplete(&mut self) {
        if let Destination::Rows(output) = &mut self.destination {
            output.set_incomplete();
        }
    }

    /// Takes the time of the last record, for an output that shows where the input ends.
    pub(crate) fn set_latest(&mut self, latest: Option<Timestamp>) {
        if let Destination::Rows(output) = &mut self.destination {
            output.set_latest(latest);
        }
    }

    /// Takes what the run has counted, for an output that tells it.
    pub(crate) fn set_facts(&mut self, summary: &Summary) {
        if let Destination::Rows(output) = &mut self.destination {
            output.set_facts(Facts::of_run(summary));
            if let Some(watcher) = output.watcher() {
                let Summary { records, filtered, late, dead_letters, .. } = *summary;
                let before = watcher.counts();
                watcher.tell(Counts { records, filtered, late, dead_letters, ..before });
            }
        }
    }

    /// Returns the writer of rows if somebody watches the run while it goes on.
    pub(crate) fn watched(&mut self) -> Option<&mut OutputWriter<W>> {
        match &mut self.destination {
            Destination::Rows(output) => output.watcher().is_some().then_some(output),
            Destination::Partials { .. } => None,
        }
    }

    /// Closes the screen of a run that has failed.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn close(&mut self) -> Result<(), Failure> {
        match &mut self.destination {
            Destination::Rows(output) => output.close().map_err(|error| Failure::output(&error)),
            Destination::Partials { .. } => Ok(()),
        }
    }

    /// Returns true if the next run repeats answers that cannot be written now.
    pub(crate) fn are_kept(&self) -> bool {
        self.given.as_ref().is_some_and(|given| given.kept.is_some())
    }

    /// Writes the complete answers. Returns true if there were any.
    ///
    /// # Errors
    /// A limit, or answers that cannot be written.
    pub(crate) fn drain(&mut self, pipeline: &mut RowPipeline) -> Result<bool, Failure> {
        match &self.destination {
            Destination::Rows(_) => self.drain_rows(|row| pipeline.fill_next(row)),
            Destination::Partials { .. } => {
                self.drain_partials(|source| pipeline.next_partial(source))
            }
        }
    }

    /// Writes a row that is passed on.
    ///
    /// # Errors
    /// Answers that cannot be written.
    pub(crate) fn give_row(&mut self, row: RowEmission) -> Result<(), Failure> {
        self.hand_out(Waiting::Row(row))
    }

    /// Writes the windows of several files.
    ///
    /// # Errors
    /// Those of [`drain`](Answers::drain).
    pub(crate) fn drain_merged(&mut self, files: &mut MergedFiles) -> Result<bool, Failure> {
        match &self.destination {
            Destination::Rows(_) => {
                self.drain_rows(|row| Ok(files.next_row()?.map(|next| *row = next).is_some()))
            }
            Destination::Partials { .. } => {
                self.drain_partials(|source| files.next_partial(source))
            }
        }
    }

    /// Like [`drain`](Answers::drain), at the end of the input: rows are computed on several
    /// threads.
    ///
    /// # Errors
    /// Those of [`drain`](Answers::drain).
    pub(crate) fn drain_ended(
        &mut self,
        pipeline: &mut RowPipeline,
        threads: NonZeroUsize,
    ) -> Result<bool, Failure> {
        match &self.destination {
            Destination::Rows(_) => last_rows(pipeline, threads, |next| self.drain_rows(next)),
            Destination::Partials { .. } => {
                pipeline.finish();
                self.drain(pipeline)
            }
        }
    }

    fn drain_rows(
        &mut self,
        mut next_row: impl FnMut(&mut RowEmission) -> Result<bool, Error>,
    ) -> Result<bool, Failure> {
        let mut written = false;
        // The rows of a window that may be answered again. They are judged together.
        let mut held: Vec<RowEmission> = Vec::new();
        let mut row = RowEmission::default();
        loop {
            if let Some(signal) = self.stop.as_ref().and_then(Interrupt::signal) {
                return Err(Failure::Interrupted(signal));
            }
            let is_row = next_row(&mut row).map_err(|error| Failure::run(&error))?;
            let same = |last: &RowEmission| {
                is_row
                    && (row.window, row.revision) == (last.window, last.revision)
                    && row.form.query == last.form.query
            };
            if held.last().is_some_and(|last| !same(last)) {
                written |= self.settle(&mut held)?;
            }
            if !is_row {
                return Ok(written);
            }
            if self.given.is_some() {
                held.push(row.take());
            } else {
                written = true;
                self.write_row(&row)?;
            }
        }
    }

    /// Writes the rows of one window, unless they were written before. If other rows were written
    /// before, these are a higher revision.
    fn settle(&mut self, held: &mut Vec<RowEmission>) -> Result<bool, Failure> {
        let Some(first) = held.first() else { return Ok(false) };
        let query = self.query_of(&first.form);
        let (window, revision, form) = ((query, first.window), first.revision, first.form.clone());
        let is_of_groups = self.queries.get(query).is_some_and(|query| query.is_of_groups);
        let Some(given) = &mut self.given else { return Ok(false) };
        let mut content = Vec::new();
        for row in held.iter_mut() {
            row.revision = 0;
            self.lines.append(row, &mut content);
        }
        let content = hash_bytes(Seed::PUBLIC, &content);
        let groups = given.unsure_groups(window, held);
        let gone = held.iter().filter(|row| row.is_retracted());
        let gone: Vec<_> = gone.map(|row| row.group.clone()).collect();
        let judged = match is_of_groups {
            true => given.answers.judge_groups(window, revision, content, (groups, gone)),
            false => {
                let gone: HashSet<String> = gone.iter().map(|group| name(group)).collect();
                given.answers.judge(window, revision, content, groups).map(|mut judged| {
                    // The pipeline retracts these itself.
                    judged.retracted.retain(|group| !gone.contains(&name(group)));
                    judged
                })
            }
        };
        let Some(judged) = judged else {
            held.clear();
            return Ok(false);
        };
        for mut row in held.drain(..).chain(retracted(window.1, &judged, &form)) {
            row.revision = judged.revision;
            self.give(Waiting::Row(row))?;
        }
        Ok(true)
    }

    /// Sets the rows that can be retracted, because a later run may read their last record
    /// differently.
    pub(crate) fn set_unsure(&mut self, rows: UnsureRows) {
        if let Some(given) = &mut self.given {
            given.unsure = rows;
        }
    }

    /// Retracts the rows of windows that have no records any more. All windows up to `end` must
    /// have been written, or all windows without it.
    ///
    /// # Errors
    /// Those of [`drain`](Answers::drain).
    pub(crate) fn take_back(&mut self, end: Option<Timestamp>) -> Result<(), Failure> {
        let Some(given) = self.given.as_mut().filter(|given| given.kept.is_some()) else {
            return Ok(());
        };
        for (window, judged) in given.answers.take_back(end) {
            if self.is_of_partials() {
                self.give(Waiting::Removed(window, judged.revision))?;
                continue;
            }
            let Some(form) = self.queries.get(window.0).map(|query| query.form.clone()) else {
                continue;
            };
            for row in retracted(window.1, &judged, &form) {
                self.give(Waiting::Row(row))?;
            }
        }
        Ok(())
    }

    fn drain_partials(
        &mut self,
        mut next: impl FnMut(&str) -> Result<Option<Partial>, Error>,
    ) -> Result<bool, Failure> {
        let mut written = false;
        let run = |error| Failure::run(&error);
        while let Destination::Partials { source, .. } = &self.destination
            && let Some(partial) = next(source).map_err(run)?
        {
            let content = hash_bytes(Seed::PUBLIC, partial.with_revision(0).map_err(run)?.bytes());
            let revision = match &mut self.given {
                Some(given) => {
                    // There are no partials of several queries.
                    let window = (0, partial.window());
                    let known = !given.answers.unsure(window).is_empty();
                    let unsure = known || given.retracts || given.unsure.contains_key(&window);
                    let groups = if unsure { vec![Vec::new()] } else { Vec::new() };
                    let judged = given.answers.judge(window, partial.revision(), content, groups);
                    judged.map(|judged| judged.revision)
                }
                None => Some(partial.revision()),
            };
            let Some(revision) = revision else { continue };
            self.give(Waiting::Partial(Box::new(partial.with_revision(revision).map_err(run)?)))?;
            written = true;
        }
        Ok(written)
    }

    /// Writes an answer. If answers are saved, it waits until it has been recorded.
    fn give(&mut self, answer: Waiting) -> Result<(), Failure> {
        if !self.are_kept() {
            return self.hand_out(answer);
        }
        self.waiting.push(answer);
        if self.waiting.len() >= WAITING_MAX { self.commit() } else { Ok(()) }
    }

    /// Records the waiting answers, then writes them. After a crash in between, the next run knows
    /// which answers may have been written.
    fn commit(&mut self) -> Result<(), Failure> {
        if let Some(given) = &mut self.given
            && let Some(kept) = &mut given.kept
            && given.answers.has_changed()
        {
            kept.save(&mut given.answers)?;
        }
        for answer in std::mem::take(&mut self.waiting) {
            self.hand_out(answer)?;
        }
        Ok(())
    }

    fn hand_out(&mut self, answer: Waiting) -> Result<(), Failure> {
        match &answer {
            Waiting::Row(row) => return self.write_row(row),
            Waiting::Partial(partial) => self.count((0, partial.window()), partial.revision()),
            Waiting::Removed(window, revision) => self.count(*window, *revision),
        }
        match (&mut self.destination, answer) {
            (Destination::Partials { store, .. }, Waiting::Partial(partial)) => {
                store.put(&partial).map_err(|error| Failure::run(&error))
            }
            (Destination::Partials { store, source }, Waiting::Removed(window, _)) => {
                store.remove(window.1, source).map_err(|error| Failure::run(&error))
            }
            _ => Ok(()),
        }
    }

    fn write_row(&mut self, row: &RowEmission) -> Result<(), Failure> {
        self.count((self.query_of(&row.form), row.window), row.revision);
        self.other |= row.is_other();
        match &mut self.destination {
            Destination::Rows(output) => {
                output.emission(row).map_err(|error| Failure::output(&error))
            }
            Destination::Partials { .. } => Ok(()),
        }
    }

    fn count(&mut self, (query, window): QueryWindow, revision: u32) {
        self.rows += 1;
        let Some(query) = self.queries.get_mut(query) else { return };
        if query.last_window == Some(window) {
            return;
        }
        query.last_window = Some(window);
        // Windows come in the order of their ends, so an earlier one was answered before, unless
        // this is its first answer.
        let place = window.map(|window| (window.end(), window.start()));
        let new = revision == 0 || place > query.furthest;
        self.windows += u64::from(new);
        query.furthest = query.furthest.max(place);
    }

    /// Flushes all answers so far. More may follow.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.commit()?;
        // A put returns after the partial is stored.
        if let Destination::Rows(output) = &mut self.destination {
            output.flush().map_err(|error| Failure::output(&error))?;
        }
        match &mut self.given {
            Some(given) if given.kept.is_some() => given.answers.hand_out(),
            Some(given) => given.answers.forget_old(),
            None => {}
        }
        Ok(())
    }

    /// Writes the end of the output.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if let Destination::Rows(output) = &mut self.destination {
            output.finish().map_err(|error| Failure::output(&error))?;
        }
        // They need not be repeated.
        match &mut self.given {
            Some(GivenAnswers { answers, kept: Some(kept), .. }) => kept.save(answers),
            _ => Ok(()),
        }
    }
}
