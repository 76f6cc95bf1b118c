//! What the run and its screen share.

use super::draw::{Heading, Notice, Scene};
use super::facts::{Clock, Phase};
use super::limits::NOTICES_MAX;
use crate::view::Counts;
use crate::view::kept::Kept;
use crate::view::text::{head, visible};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use streamgauge::adapter::worker::{Clock as _, SystemClock};

/// Characters of a notice that are kept.
const NOTICE_CHARS: usize = 500;

/// What the run has told so far.
pub(super) struct State {
    pub(super) kept: Kept,
    pub(super) counts: Counts,
    pub(super) phase: Phase,
    notices: VecDeque<Notice>,
    /// Rises with every change.
    pub(super) version: u64,
}

impl State {
    pub(super) fn new(kept: Kept) -> Self {
        State {
            kept,
            counts: Counts::default(),
            phase: Phase::default(),
            notices: VecDeque::new(),
            version: 0,
        }
    }

    /// Takes a notice. Past the limit the oldest one is left out.
    pub(super) fn notice(&mut self, time: String, text: &str) {
        let text = visible(head(text.trim_end(), NOTICE_CHARS));
        let is_loss = ["dead letter", "late", "error"].iter().any(|word| text.starts_with(word));
        if self.notices.len() >= NOTICES_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(Notice { time, text, is_loss });
        self.version += 1;
    }

    /// Returns what the screen shows of it.
    pub(super) fn scene<'a>(&'a self, heading: &'a Heading, clock: Clock) -> Scene<'a> {
        Scene {
            kept: &self.kept,
            counts: &self.counts,
            phase: self.phase,
            notices: &self.notices,
            heading,
            clock,
        }
    }
}

/// A handle of what the run and its screen share.
#[derive(Clone)]
pub(super) struct Feed {
    state: Arc<Mutex<State>>,
    heading: Arc<Heading>,
}

impl Feed {
    pub(super) fn new(kept: Kept, heading: Heading) -> Self {
        Feed { state: Arc::new(Mutex::new(State::new(kept))), heading: Arc::new(heading) }
    }

    pub(super) fn heading(&self) -> &Heading {
        &self.heading
    }

    /// Returns the state. It is not written to the terminal while it is locked, so the run does not
    /// wait for the terminal.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.version += 1;
    }

    /// Takes lines that the command has to say.
    pub(super) fn say(&self, text: &str) {
        let now = SystemClock.now().as_millis();
        let time = self.heading.zone.time_of_day_in_full(now);
        let mut state = self.state();
        text.lines().for_each(|line| state.notice(time.clone(), line));
    }
}
