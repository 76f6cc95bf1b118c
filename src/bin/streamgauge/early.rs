//! Answers of open windows while input flows.

use crate::failure::Failure;
use crate::session::say;
use crate::settings::Settings;
use std::time::{Duration, Instant};
use streamgauge::Error;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;

/// When open windows are answered before they are complete.
pub(crate) struct EarlyAnswers {
    interval: Duration,
    last: Instant,
    /// The number of records at that time.
    records: u64,
}

impl EarlyAnswers {
    /// Returns when windows of a run are answered early, if they are.
    ///
    /// # Errors
    /// Wrong usage.
    pub(crate) fn of_run(settings: &Settings, live: bool) -> Result<Option<Self>, Failure> {
        let mut options = CompileOptions::default();
        options.flags = Some(settings.flags.clone());
        let interval = settings.spec.early_interval(&options);
        let Some(interval) = interval.map_err(|error| Failure::usage(&error))? else {
            return Ok(None);
        };
        if settings.durable.partials.is_some() {
            return Err(Failure::usage(&has_partials()));
        }
        if settings.durable.state.is_some() {
            let why = "--state: the next run would give the same revisions with other content";
            return Err(Failure::Usage(format!("emit_early does not go with {why}")));
        }
        let is_flag = settings.flags.contains(&"emit_early");
        let why = "works for standard input and pipes only: over regular files the answers are soon \
                   complete";
        match (live, is_flag) {
            (true, _) => Ok(Some(EarlyAnswers { interval, last: Instant::now(), records: 0 })),
            (false, true) => Err(Failure::Usage(format!("--emit-early {why}"))),
            (false, false) => {
                if !settings.quiet {
                    say(&format!("note: emit_early {why}: it is ignored\n"));
                }
                Ok(None)
            }
        }
    }

    /// Returns true if it is time for the next answers, and records came since the last ones.
    pub(crate) fn is_due(&mut self, records: u64) -> bool {
        let is_due = self.records != records && self.last.elapsed() >= self.interval;
        if is_due {
            (self.last, self.records) = (Instant::now(), records);
        }
        is_due
    }
}

/// Returns how often windows of a stream are answered before they are complete.
///
/// # Errors
/// A duration that cannot be read, or partials, which such answers have not.
pub(crate) fn of_stream(
    spec: &PipelineSpec,
    options: &CompileOptions,
    partials: Option<&str>,
) -> Result<Option<Duration>, Error> {
    match (spec.early_interval(options)?, partials) {
        (Some(_), Some(_)) => Err(has_partials()),
        (interval, _) => Ok(interval),
    }
}

fn has_partials() -> Error {
    let message = "emit_early is for answers: partials are merged when they are final, so leave out \
                   one of emit_early and --partials";
    Error::new(streamgauge::ErrorKind::InvalidArgument, message)
}
