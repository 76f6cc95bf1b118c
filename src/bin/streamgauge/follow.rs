//! `--follow`: a run that goes on after the end of its files.

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::one_file;
use crate::session::is_stream;
use crate::settings::{Follow, Settings};
use crate::sink::Sink;
use crate::standard_error::say;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use streamgauge::adapter::files::{FilePipelines, FilesOptions, FollowedFiles};
use streamgauge::adapter::worker::{Clock, SystemClock};
use streamgauge::row::TimeFormat;
use streamgauge::{Control, Error, ErrorKind};

/// Time between two looks at files that have nothing new.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Refuses inputs and settings that a run without an end cannot have.
///
/// # Errors
/// Wrong usage, with the way out.
pub(crate) fn check(settings: &Settings) -> Result<(), Failure> {
    let spec = &settings.spec;
    let wrong = |message: &str| Err(Failure::Usage(format!("--follow {message}")));
    if settings.files.iter().any(|path| is_stream(path)) {
        return wrong(
            "needs files; standard input, pipes and devices are read as they come without it",
        );
    }
    if spec.max_delay.as_deref() == Some("unbounded") {
        return wrong("has no end, so --max-delay unbounded would never give a window");
    }
    let format = spec.time_format.as_deref().and_then(|text| text.parse().ok());
    if matches!(format, Some(TimeFormat::Syslog(_))) && spec.year.is_none() {
        return wrong("with --time-format syslog needs the --year of the records to come");
    }
    Ok(())
}

impl<W: Write> Sink<W> {
    /// Follows the files until there is a signal.
    ///
    /// # Errors
    /// Those of [`FollowedFiles::step`], and answers or state that cannot be written.
    pub(crate) fn follow(
        &mut self,
        settings: &Settings,
        follow: &Follow,
        options: &FilesOptions,
    ) -> Result<(), Error> {
        let state = self.state.as_ref().map(|state| &state.run);
        let mut followed = FollowedFiles::new(&settings.files, options, state)?;
        if let Some(idle_after) = follow.idle_after {
            followed.set_idle_after(idle_after);
        }
        for output in one_file::existing_outputs(settings) {
            followed.exclude(&output);
        }
        if !settings.quiet {
            followed.missing().for_each(tell_missing);
        }
        let mut pipelines = std::mem::take(&mut self.inputs.pipelines);
        let mut into = match pipelines.as_mut_slice() {
            [pipeline] => FilePipelines::one(pipeline),
            _ => return Err(Error::new(ErrorKind::InvalidArgument, "--follow has one pipeline")),
        };
        let read = self.follow_into(&mut into, &mut followed);
        self.records = into.records();
        self.unseen = into.unseen_fields().map(str::to_owned).collect();
        self.hints.set_refused(into.refused());
        self.inputs.pipelines = pipelines;
        read
    }

    fn follow_into(
        &mut self,
        pipelines: &mut FilePipelines<'_>,
        followed: &mut FollowedFiles,
    ) -> Result<(), Error> {
        let interrupt: Interrupt = self.interrupt.clone();
        // The first state knows the files that are not to be read.
        let mut has_unsaved = true;
        while interrupt.signal().is_none() {
            let has_read = followed.step(SystemClock.now(), pipelines, self)?;
            has_unsaved |= has_read;
            self.go_on(followed.stats(), pipelines)?;
            if has_unsaved && self.state.as_ref().is_none_or(|state| state.is_due()) {
                self.save_followed(pipelines, followed)?;
                has_unsaved = false;
            }
            if !has_read {
                let rest = interrupt.rest(LOOK_EVERY);
                rest.map_err(|error| Error::new(ErrorKind::Io, "cannot wait").with_source(error))?;
            }
        }
        self.save_followed(pipelines, followed)
    }

    /// Saves the state, with how much of each file was counted.
    fn save_followed(
        &mut self,
        pipelines: &mut FilePipelines<'_>,
        followed: &FollowedFiles,
    ) -> Result<(), Error> {
        self.save_with(pipelines, |sink, pipelines| {
            let Some(state) = &mut sink.state else { return Ok(()) };
            let Some(pipeline) = pipelines.first() else { return Ok(()) };
            followed.record(&mut state.run)?;
            state.run.set_snapshot(0, Some(pipeline.snapshot()?));
            Ok(())
        })
    }
}

fn tell_missing(path: &Path) {
    say(&format!("note: {} does not exist yet: it is waited for\n", path.display()));
}
