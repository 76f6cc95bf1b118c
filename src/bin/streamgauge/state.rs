//! The state of a run, saved in a store during the run for the next one.

use crate::failure::Failure;
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamgauge::adapter::files::{RunAnswers, RunState};
use streamgauge::rows::RowPipeline;
use streamgauge::store::{Store, Version};
use streamgauge::{Error, ErrorKind, Timestamp};

/// The state's key in the store.
const STATE: &str = "run";

/// The key of the answers.
const ANSWERED: &str = "answered";

/// The maximum time between two saves.
const PAUSE_MAX: Duration = Duration::from_millis(800);

/// The minimum time.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The time between two saves is at least this multiple of the time that a save takes.
const PAUSE_PER_SAVE: u32 = 20;

/// The place of the state, and the version that was read there.
struct Kept {
    store: Arc<dyn Store>,
    place: String,
    key: &'static str,
    version: Option<Version>,
    /// Identifies the pipeline of the state.
    pipeline: Arc<RowPipeline>,
}

impl Kept {
    fn failed(&self, error: Error) -> Failure {
        let hint = if error.kind() == ErrorKind::Conflict {
            "; does another run keep its state there?"
        } else {
            ""
        };
        Failure::Run(format!("{}: {error}{hint}", self.place))
    }

    fn save(&mut self, bytes: bytes::Bytes) -> Result<(), Failure> {
        let saved = self.store.save(self.key, bytes, self.version.as_ref());
        self.version = Some(saved.map_err(|error| self.failed(error))?);
        Ok(())
    }
}

/// Saves the state of a run.
pub(crate) struct State {
    kept: Kept,
    /// The progress of the run.
    pub(crate) run: RunState,
    saved_at: Instant,
    pause: Duration,
    /// Number of times that a test could have saved.
    #[cfg(test)]
    chances: std::cell::Cell<u32>,
}

/// Saves the answers of a run.
pub(crate) struct KeptAnswers {
    kept: Kept,
    /// Windows up to this end cannot be answered again by a run that continues from the last saved
    /// state.
    pub(crate) complete_to: Option<Timestamp>,
}

/// The state that earlier runs have left.
pub(crate) struct Resumed {
    pub(crate) state: State,
    pub(crate) answers: RunAnswers,
    pub(crate) kept_answers: KeptAnswers,
}

impl Resumed {
    /// Reads the state that earlier runs of the pipeline have left in the store.
    ///
    /// # Errors
    /// A store that cannot be read, or state of another pipeline.
    pub(crate) fn read(
        store: Arc<dyn Store>,
        place: &str,
        pipeline: RowPipeline,
    ) -> Result<Resumed, Failure> {
        let at = |error: Error| Failure::Run(format!("{place}: {error}"));
        let pipeline = Arc::new(pipeline);
        let [state, answered] = [STATE, ANSWERED].map(|key| store.load(key));
        let (state, answered) = (state.map_err(at)?, answered.map_err(at)?);
        let run = state
            .as_ref()
            .map(|stored| RunState::from_bytes(stored.bytes.clone(), &pipeline))
            .transpose()
            .map_err(at)?;
        let answers = answered
            .as_ref()
            .map(|stored| RunAnswers::from_bytes(stored.bytes.clone(), &pipeline))
            .transpose()
            .map_err(at)?;
        let kept = |key, version| Kept {
            store: store.clone(),
            place: place.to_owned(),
            key,
            version,
            pipeline: pipeline.clone(),
        };
        let state = State {
            kept: kept(STATE, state.map(|stored| stored.version)),
            run: run.unwrap_or_default(),
            saved_at: Instant::now(),
            pause: PAUSE_MIN,
            #[cfg(test)]
            chances: std::cell::Cell::default(),
        };
        let kept_answers = KeptAnswers {
            kept: kept(ANSWERED, answered.map(|stored| stored.version)),
            complete_to: None,
        };
        Ok(Resumed { state, answers: answers.unwrap_or_default(), kept_answers })
    }
}

impl State {
    /// Returns true if there was a state.
    pub(crate) fn has_resumed(&self) -> bool {
        self.kept.version.is_some()
    }

    /// Returns true if it is time to save.
    #[cfg(not(test))]
    pub(crate) fn is_due(&self) -> bool {
        self.saved_at.elapsed() >= self.pause
    }

    /// Returns true at every third chance, so that a test is also killed, and begins another file,
    /// with progress that is not saved.
    #[cfg(test)]
    pub(crate) fn is_due(&self) -> bool {
        self.chances.set(self.chances.get() + 1);
        self.chances.get().is_multiple_of(3)
    }

    /// Saves the state. Everything that the pipelines no longer hold must have been written.
    ///
    /// # Errors
    /// A store that cannot be written, or that another run has written to.
    pub(crate) fn save(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        self.kept.save(self.run.to_bytes(&self.kept.pipeline))?;
        self.pause = (begun.elapsed() * PAUSE_PER_SAVE).clamp(PAUSE_MIN, PAUSE_MAX);
        self.saved_at = Instant::now();
        Ok(())
    }
}

impl KeptAnswers {
    /// Saves the answers that were given, or are about to be.
    ///
    /// # Errors
    /// Those of [`save`](State::save).
    pub(crate) fn save(&mut self, answers: &mut RunAnswers) -> Result<(), Failure> {
        let bytes = answers.to_bytes(&self.kept.pipeline, self.complete_to);
        self.kept.save(bytes)
    }
}
