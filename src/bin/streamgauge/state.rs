//! The state of a run, kept in a store while it goes, for the run that is started after it.

use crate::answered::Answered;
use crate::failure::Failure;
use std::time::{Duration, Instant};
use streamgauge::spec::RowPipeline;
use streamgauge::store::{self, Store, Version};
use streamgauge::{Error, ErrorKind, Snapshot, Timestamp};

/// The state's key in the store.
const STATE: &str = "run";

/// The key of what was answered at the end of the input.
const ANSWERED: &str = "answered";

/// The longest time between two saves.
const PAUSE_MAX: Duration = Duration::from_millis(800);

/// The shortest one.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Between two saves at least so many times as long as a save takes goes by.
const PAUSE_PER_SAVE: u32 = 20;

/// Keeps the state of a run.
pub(crate) struct State {
    store: Box<dyn Store>,
    place: String,
    version: Option<Version>,
    saved_at: Instant,
    pause: Duration,
}

impl State {
    /// Opens the store; restores the pipeline's state from it, if it has any.
    ///
    /// # Errors
    /// A store that cannot be read, or state of another pipeline.
    pub(crate) fn resume(place: &str, pipeline: &mut RowPipeline) -> Result<(State, Answered), Failure> {
        let at = |error: Error| Failure::run(&error.at(place));
        let store = store::open(place).map_err(at)?;
        let state = store.load(STATE).map_err(at)?;
        if let Some(state) = &state {
            let snapshot = Snapshot::from_bytes(state.bytes.clone()).map_err(at)?;
            pipeline.restore(&snapshot).map_err(at)?;
        }
        let answered = match store.load(ANSWERED).map_err(at)? {
            Some(stored) => Answered::from_json(&stored.bytes).map_err(at)?,
            None => Answered::default(),
        };
        let version = state.map(|state| state.version);
        Ok((State { store, place: place.to_owned(), version, saved_at: Instant::now(), pause: PAUSE_MIN }, answered))
    }

    /// Whether there was a state to go on from.
    pub(crate) fn has_resumed(&self) -> bool {
        self.version.is_some()
    }

    /// Whether it is time to save.
    pub(crate) fn is_due(&self) -> bool {
        self.saved_at.elapsed() >= self.pause
    }

    /// Saves the state. What was fetched of the pipeline must be where it is to be.
    ///
    /// # Errors
    /// A store that cannot be written, or that another run has written to.
    pub(crate) fn save(&mut self, pipeline: &RowPipeline) -> Result<(), Failure> {
        let begun = Instant::now();
        let saved = pipeline.snapshot().and_then(|snapshot| self.store.save(STATE, snapshot.into_bytes(), self.version.as_ref()));
        self.version = Some(saved.map_err(|error| self.failed(error))?);
        self.pause = (begun.elapsed() * PAUSE_PER_SAVE).clamp(PAUSE_MIN, PAUSE_MAX);
        self.saved_at = Instant::now();
        Ok(())
    }

    /// Keeps what was answered at the end of the input.
    ///
    /// # Errors
    /// As [`save`](State::save).
    pub(crate) fn keep_answered(&self, answered: &Answered, complete_to: Option<Timestamp>) -> Result<(), Failure> {
        let save = || {
            let before = self.store.load(ANSWERED)?.map(|stored| stored.version);
            self.store.save(ANSWERED, answered.to_json(complete_to).into(), before.as_ref())
        };
        save().map(drop).map_err(|error| self.failed(error))
    }

    #[cold]
    fn failed(&self, error: Error) -> Failure {
        let hint = if error.kind() == ErrorKind::Conflict { "; does another run keep its state there?" } else { "" };
        Failure::Run(format!("{}: {error}{hint}", self.place))
    }
}
