//! The output of a run that is shown on a screen.

use super::draw::Heading;
use super::facts::Phase;
use super::feed::Feed;
use super::limits::{EARLY_EVERY, EARLY_PANES_MAX, EARLY_PAUSE, EARLY_STATE_BYTES_MAX};
use super::screen::Screen;
use super::terminal;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::digits::count;
use crate::standard_error;
use crate::view::columns::aliases;
use crate::view::html::Origin;
use crate::view::kept::GROUPS_MAX;
use crate::view::kept::Kept;
use crate::view::text::visible;
use crate::view::{Counts, Watcher};
use std::io::{self, IsTerminal};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::RowEmission;
use streamgauge::{Control, Error, Stats};

/// The least time between two notices of late records.
const LATE_EVERY: Duration = Duration::from_secs(1);

/// Takes the answers of a run and shows them while it goes on.
pub(crate) struct LiveWriter {
    feed: Feed,
    interrupt: Interrupt,
    thread: Option<JoinHandle<io::Result<()>>>,
    /// The rows of the last window that has closed, to be printed at the end.
    last: Vec<RowEmission>,
    /// False if the rows to come are of incomplete windows.
    is_complete: bool,
    /// Late records that notices have told of, and the time of the last of these notices.
    late: u64,
    late_at: Option<Instant>,
    early_at: Option<Instant>,
    /// How long the last early answers took.
    early_took: Duration,
    early: u64,
}

impl LiveWriter {
    /// Takes the terminal and shows the screen.
    ///
    /// # Errors
    /// Wrong usage: standard output is not a terminal, or the terminal cannot be controlled.
    pub(crate) fn start(
        (group_names, columns): (Vec<String>, Vec<String>),
        origin: Origin,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        if !io::stdout().is_terminal() {
            let message = "--live needs a terminal on standard output: without one use --output";
            return Err(Failure::Usage(message.to_owned()));
        }
        let feed = Feed::new(Kept::new(group_names, columns), heading(&origin));
        let frames = terminal::take().map_err(|error| {
            Failure::Usage(format!("--live needs a terminal that it can control: {error}"))
        })?;
        let notices = feed.clone();
        standard_error::hold(move |text| notices.say(text));
        let mut screen = Screen::new(feed.clone(), interrupt.clone(), origin);
        let shown = interrupt.clone();
        let thread = thread::Builder::new().name("screen".to_owned()).spawn(move || {
            // Also after a panic of this thread nobody waits for a screen that has gone.
            let _end = End(shown);
            screen.show(frames)
        });
        let thread = thread.map_err(|error| {
            terminal::give_back();
            standard_error::release();
            Failure::Run(format!("the screen has no thread: {error}"))
        })?;
        Ok(LiveWriter {
            feed,
            interrupt: interrupt.clone(),
            thread: Some(thread),
            is_complete: true,
            last: Vec::new(),
            late: 0,
            late_at: None,
            early_at: None,
            early_took: Duration::ZERO,
            early: 0,
        })
    }

    /// Takes a row of a window that has closed.
    pub(crate) fn emission(&mut self, row: &RowEmission) {
        let is_next = |last: &RowEmission| {
            (last.window, last.revision) != (row.window, row.revision) && self.is_complete
        };
        if self.last.first().is_some_and(is_next) {
            self.last.clear();
        }
        let is_same = self.last.first().is_none_or(|last| last.window == row.window);
        if is_same && self.last.len() < GROUPS_MAX {
            self.last.push(row.clone());
        }
        self.feed.change(|state| state.kept.take(row, None));
    }

    /// Declares that the following rows belong to incomplete windows.
    pub(crate) fn set_incomplete(&mut self) {
        self.is_complete = false;
    }

    /// Takes the answers of the open windows so far, if that is cheap enough.
    ///
    /// # Errors
    /// Those of the pipeline.
    pub(crate) fn look_early<P: Control>(
        &mut self,
        pipeline: &mut P,
        next: impl Fn(&mut P) -> Result<Option<RowEmission>, Error>,
    ) -> Result<(), Error> {
        let Stats { open_panes, state_bytes, .. } = pipeline.stats();
        let pause = EARLY_EVERY.max(self.early_took * EARLY_PAUSE);
        if open_panes > EARLY_PANES_MAX
            || state_bytes > EARLY_STATE_BYTES_MAX
            || self.early_at.is_some_and(|at| at.elapsed() < pause)
        {
            return Ok(());
        }
        let begin = Instant::now();
        self.early += 1;
        pipeline.fire_early()?;
        while let Some(row) = next(pipeline)? {
            let early = self.early;
            self.feed.change(|state| state.kept.take(&row, Some(early)));
        }
        (self.early_took, self.early_at) = (begin.elapsed(), Some(Instant::now()));
        Ok(())
    }

    /// Ends the run. Unless a key or a signal has ended it, the screen stays until a key ends it.
    /// Returns the rows of the last window that has closed.
    ///
    /// # Errors
    /// Errors of the terminal.
    pub(crate) fn finish(&mut self) -> io::Result<Vec<RowEmission>> {
        self.feed.change(|state| state.phase = Phase::Ended);
        self.join()?;
        Ok(std::mem::take(&mut self.last))
    }

    /// Like [`finish`](LiveWriter::finish), at once: the run has failed.
    ///
    /// # Errors
    /// Errors of the terminal.
    pub(crate) fn close(&mut self) -> io::Result<Vec<RowEmission>> {
        self.feed.change(|state| state.phase = Phase::Closing);
        self.join()?;
        Ok(std::mem::take(&mut self.last))
    }

    /// Waits for the screen, and gives the terminal back.
    fn join(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let shown = thread.join();
        terminal::give_back();
        self.interrupt.arm();
        standard_error::release();
        shown.unwrap_or_else(|_| Err(io::Error::other("the screen has failed")))
    }
}

impl Watcher for LiveWriter {
    fn counts(&self) -> Counts {
        self.feed.state().counts
    }

    fn tell(&mut self, counts: Counts) {
        if self.counts() == counts {
            return;
        }
        let now = Instant::now();
        self.feed.change(|state| state.counts = counts);
        let late = counts.late.saturating_sub(self.late);
        let is_soon = |at: Instant| now.duration_since(at) < LATE_EVERY;
        if late > 0 && !self.late_at.is_some_and(is_soon) {
            (self.late, self.late_at) = (counts.late, Some(now));
            let records = if late == 1 { "record" } else { "records" };
            self.feed.say(&format!("late: {} {records}", count(late)));
        }
    }
}

impl Drop for LiveWriter {
    fn drop(&mut self) {
        // The error of the run itself is reported.
        drop(self.close());
    }
}

/// Ends the run with the thread of its screen.
struct End(Interrupt);

impl Drop for End {
    fn drop(&mut self) {
        terminal::give_back();
        self.0.arm();
        if thread::panicking() {
            self.0.quit();
        }
    }
}

/// Returns what the screen tells of the pipeline.
fn heading(origin: &Origin) -> Heading {
    let words = origin.spec.as_ref().map_or_else(Default::default, |spec| {
        let inputs = inputs(origin);
        [words(&inputs, spec, true), words(&inputs, spec, false)]
    });
    let aggregates = origin.spec.as_ref().and_then(|spec| spec.agg.as_deref());
    let expressions = aliases(aggregates.unwrap_or_default());
    Heading { words, expressions, zone: origin.zone.clone() }
}

fn inputs(origin: &Origin) -> String {
    match origin.inputs.as_slice() {
        [one] if one == "-" => "stdin".to_owned(),
        [one] => visible(one),
        inputs => format!("{} inputs", inputs.len()),
    }
}

fn words(inputs: &str, spec: &PipelineSpec, is_full: bool) -> String {
    let mut parts = vec![inputs.to_owned()];
    let mut part = |name: &str, value: Option<&str>| {
        parts.extend(value.map(|value| format!("{name} {}", visible(value))));
    };
    part("window", spec.window.as_deref());
    part("every", spec.every.as_deref());
    part("session", spec.session.as_deref());
    part("stagger", spec.stagger.as_deref());
    part("by", spec.time.as_deref());
    if is_full {
        part("max delay", spec.max_delay.as_deref());
        part("where", spec.filter.as_ref().map(|filter| filter.join(" and ")).as_deref());
    }
    parts.join(" · ")
}
