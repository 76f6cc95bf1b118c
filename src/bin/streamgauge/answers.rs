//! Where the answers go: rows to standard output, or partials to a store.

use crate::ahead::Ahead;
use crate::answered::Answered;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::OutputWriter;
use std::io::Write;
use std::num::NonZeroUsize;
use streamgauge::hash::hash_bytes;
use streamgauge::spec::{JsonLines, RowEmission, RowPipeline};
use streamgauge::store::{PartialStore, Store};
use streamgauge::{Error, Seed, Timestamp, Window};

/// What becomes of a window's answer.
pub(crate) enum Destination<W> {
    Rows(OutputWriter<W>),
    Partials {
        store: PartialStore<Box<dyn Store>>,
        /// Who the partials are from.
        source: String,
    },
}

/// Fetches the answers of a pipeline and hands them on.
pub(crate) struct Answers<W> {
    destination: Destination<W>,
    /// What earlier runs said of windows that can be answered anew; `None` where nothing is kept between runs.
    answered: Option<Answered>,
    lines: JsonLines,
    /// Windows that have come out, each once however often it was revised.
    pub(crate) windows: u64,
    /// Rows, or partials, that have come out.
    pub(crate) rows: u64,
    /// The last of the windows that have come out, by end and start.
    furthest: Option<(Timestamp, Timestamp)>,
    last_window: Option<Option<Window>>,
    /// Whether there was a row of the groups past the limit.
    pub(crate) other: bool,
    /// What ends the handing on of answers at the end of the input, where it does.
    stop: Option<Interrupt>,
}

impl<W: Write> Answers<W> {
    pub(crate) fn new(destination: Destination<W>, answered: Option<Answered>, pipeline: &RowPipeline) -> Self {
        Answers {
            destination,
            answered,
            lines: JsonLines::new(pipeline),
            windows: 0,
            rows: 0,
            furthest: None,
            last_window: None,
            other: false,
            stop: None,
        }
    }

    /// Returns true if partials are kept, instead of rows that are written.
    pub(crate) fn is_of_partials(&self) -> bool {
        matches!(self.destination, Destination::Partials { .. })
    }

    /// What has been answered, to be kept for the next run.
    pub(crate) fn answered(&self) -> Option<&Answered> {
        self.answered.as_ref()
    }

    /// Returns true if an answer has come out that is of no window.
    pub(crate) fn is_without_windows(&self) -> bool {
        self.last_window == Some(None)
    }

    /// From now on a signal ends the handing on of answers.
    pub(crate) fn stop_by(&mut self, interrupt: Interrupt) {
        self.stop = Some(interrupt);
    }

    /// From now on answers are of windows that the end of the run has cut short, and say so where their form has a place for it.
    pub(crate) fn set_incomplete(&mut self) {
        if let Destination::Rows(output) = &mut self.destination {
            output.set_incomplete();
        }
    }

    /// Hands on the answers that are complete; whether there were any. `ending` says that they are complete only because the input has ended, and that more may be
    /// said of their windows when it has grown.
    ///
    /// # Errors
    /// A limit, or answers that cannot be written.
    pub(crate) fn drain(&mut self, pipeline: &mut RowPipeline, ending: bool) -> Result<bool, Failure> {
        match &self.destination {
            Destination::Rows(_) => self.drain_rows(|| pipeline.next_emission(), ending),
            Destination::Partials { .. } => self.drain_partials(pipeline, ending),
        }
    }

    /// As [`drain`](Answers::drain) at the end of the input, on so many threads where there are many windows to be merged: the answers of the later ones are computed
    /// while the earlier ones are handed on.
    ///
    /// # Errors
    /// As [`drain`](Answers::drain).
    pub(crate) fn drain_ended(&mut self, pipeline: &mut RowPipeline, threads: NonZeroUsize) -> Result<bool, Failure> {
        let parts = match &self.destination {
            Destination::Rows(_) => pipeline.split_finished(threads),
            Destination::Partials { .. } => Vec::new(),
        };
        std::thread::scope(|scope| {
            // The first, too, which this thread could answer itself: a system may put a new thread on the core of the one that made it, where it would wait for this one.
            let parts: Vec<_> = parts.into_iter().map(|part| scope.spawn(|| Ahead::compute(part))).collect();
            let mut written = self.drain(pipeline, true)?;
            for part in parts {
                let mut part = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                written |= self.drain_rows(|| part.next(), true)?;
            }
            Ok(written)
        })
    }

    fn drain_rows(&mut self, mut next_row: impl FnMut() -> Result<Option<RowEmission>, Error>, ending: bool) -> Result<bool, Failure> {
        let mut written = false;
        // The rows of a window that was answered before, or may be again: looked at together.
        let mut held: Vec<RowEmission> = Vec::new();
        loop {
            if let Some(signal) = self.stop.as_ref().and_then(Interrupt::signal) {
                return Err(Failure::Interrupted(signal));
            }
            let next = next_row().map_err(|error| Failure::run(&error))?;
            let same = |row: &RowEmission| next.as_ref().is_some_and(|next| (next.window, next.revision) == (row.window, row.revision));
            if held.last().is_some_and(|last| !same(last)) {
                written |= self.settle(&mut held, ending)?;
            }
            match next {
                None => return Ok(written),
                Some(row) if self.answered.as_ref().is_some_and(|answered| ending || answered.knows(row.window)) => held.push(row),
                Some(row) => {
                    written = true;
                    self.write(&row)?;
                }
            }
        }
    }

    /// Writes the rows of one window, unless they were written before; as a higher revision if other ones were.
    fn settle(&mut self, held: &mut Vec<RowEmission>, ending: bool) -> Result<bool, Failure> {
        let (Some(answered), Some(first)) = (&mut self.answered, held.first()) else { return Ok(false) };
        let (window, revision) = (first.window, first.revision);
        let mut content = Vec::new();
        for row in held.iter_mut() {
            row.revision = 0;
            self.lines.append(row, &mut content);
        }
        let revision = answered.judge(window, revision, hash_bytes(Seed::PUBLIC, &content), ending);
        for mut row in held.drain(..) {
            let Some(revision) = revision else { continue };
            row.revision = revision;
            self.write(&row)?;
        }
        Ok(revision.is_some())
    }

    fn write(&mut self, row: &RowEmission) -> Result<(), Failure> {
        self.count(row.window, row.revision);
        self.other |= row.is_other();
        match &mut self.destination {
            Destination::Rows(output) => output.emission(row).map_err(|error| Failure::output(&error)),
            Destination::Partials { .. } => Ok(()),
        }
    }

    fn drain_partials(&mut self, pipeline: &mut RowPipeline, ending: bool) -> Result<bool, Failure> {
        let mut written = false;
        let run = |error| Failure::run(&error);
        while let Destination::Partials { store, source } = &self.destination
            && let Some(partial) = pipeline.next_partial(source).map_err(run)?
        {
            let content = hash_bytes(Seed::PUBLIC, partial.with_revision(0).map_err(run)?.bytes());
            let judged = match &mut self.answered {
                Some(answered) => answered.judge(partial.window(), partial.revision(), content, ending),
                None => Some(partial.revision()),
            };
            let Some(revision) = judged else { continue };
            store.put(&partial.with_revision(revision).map_err(run)?).map_err(run)?;
            self.count(partial.window(), revision);
            written = true;
        }
        Ok(written)
    }

    fn count(&mut self, window: Option<Window>, revision: u32) {
        self.rows += 1;
        if self.last_window == Some(window) {
            return;
        }
        self.last_window = Some(window);
        // Windows come out by their end, so one that lies behind came out before, unless this is its first answer.
        let place = window.map(|window| (window.end(), window.start()));
        let new = revision == 0 || place > self.furthest;
        self.windows += u64::from(new);
        self.furthest = self.furthest.max(place);
    }

    /// Hands on what has been written, while more may come.
    ///
    /// # Errors
    /// An output that cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.destination {
            Destination::Rows(output) => output.flush().map_err(|error| Failure::output(&error)),
            // A put returns when the partial is kept.
            Destination::Partials { .. } => Ok(()),
        }
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// An output that cannot be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        match &mut self.destination {
            Destination::Rows(output) => output.finish().map_err(|error| Failure::output(&error)),
            Destination::Partials { .. } => Ok(()),
        }
    }
}
