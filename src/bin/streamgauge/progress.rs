//! The progress of a run, on a terminal's standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A run shorter than this shows no progress.
const QUIET: Duration = Duration::from_millis(500);

/// At most 78 columns with the widest numbers, such as `1023.99 GiB`.
const OF_A_TOTAL: &str =
    "{bar:16} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";

const WITHOUT_END: &str = "{spinner} {bytes}  {bytes_per_sec}";

/// A progress bar that appears if a run takes long, and only on a terminal.
pub(crate) struct Progress {
    started: Instant,
    /// Bytes of all inputs on disk; `None` if that is not known, as for standard input.
    total: Option<u64>,
    visible: bool,
    bar: Bar,
}

/// The bar, while it is visible.
#[derive(Clone, Default)]
pub(crate) struct Bar(Arc<Mutex<Option<ProgressBar>>>);

impl Bar {
    fn with<R>(&self, act: impl FnOnce(&mut Option<ProgressBar>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes the bar, so that something else can be written.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.with(Option::take) {
            bar.finish_and_clear();
        }
    }
}

impl Progress {
    pub(crate) fn new(total: Option<u64>, quiet: bool) -> Self {
        let visible = io::stderr().is_terminal() && !quiet;
        Progress { started: Instant::now(), total, visible, bar: Bar::default() }
    }

    /// Returns the time since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sets the number of bytes read, as on disk.
    pub(crate) fn advance(&mut self, bytes: u64) {
        if !self.visible {
            return;
        }
        let (total, elapsed) = (self.total, self.started.elapsed());
        self.bar.with(|shown| {
            if shown.is_none() && elapsed > QUIET {
                *shown = Some(bar(total, elapsed).with_position(bytes));
            }
            if let Some(bar) = shown {
                bar.set_position(bytes);
            }
        });
    }

    /// Returns the bar, for other writers on the same terminal.
    pub(crate) fn bar(&self) -> &Bar {
        &self.bar
    }

    /// Removes the bar, so that something else can be written.
    pub(crate) fn clear(&mut self) {
        self.bar.clear();
    }
}

fn bar(total: Option<u64>, elapsed: Duration) -> ProgressBar {
    let template = if total.is_some() { OF_A_TOTAL } else { WITHOUT_END };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5))
        .with_elapsed(elapsed);
    // The templates are constants. One that did not parse would leave the default style.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
