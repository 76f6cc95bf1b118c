//! How far a run has come, on a terminal's standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// A run shorter than this shows no progress.
const QUIET: Duration = Duration::from_millis(500);

/// A progress bar that appears when a run takes long, and only where somebody sees it.
pub(crate) struct Progress {
    started: Instant,
    /// Bytes of all inputs as they lie on the disk; `None` if that is not known, as of standard input.
    total: Option<u64>,
    visible: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(total: Option<u64>) -> Self {
        Progress { started: Instant::now(), total, visible: io::stderr().is_terminal(), bar: None }
    }

    /// Since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// So many bytes have been read, as they lie on the disk.
    pub(crate) fn advance(&mut self, bytes: u64) {
        if !self.visible {
            return;
        }
        if self.bar.is_none() && self.started.elapsed() > QUIET {
            self.bar = Some(bar(self.total, self.started.elapsed()));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    /// Takes the bar away, so that something else can be written.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>, elapsed: Duration) -> ProgressBar {
    let template = match total {
        Some(_) => "{bar:30} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
        None => "{spinner} {bytes}  {bytes_per_sec}",
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5)).with_elapsed(elapsed);
    // The templates are constants; a style that did not parse would leave the default one.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
