//! What a run has told those who publish it while it goes on.

use crate::view::Counts;
use crate::view::kept::Kept;
use crate::view::waiting::Waiting;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a run has told so far.
pub(super) struct Told {
    pub(super) kept: Kept,
    pub(super) counts: Counts,
    /// Answers of windows, revisions included.
    pub(super) windows: u64,
    /// Rises with every row.
    pub(super) version: u64,
    /// What is pushed, if something is.
    pub(super) pushing: Option<Pushing>,
}

/// What became of metrics that are pushed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pushes {
    /// Requests that were answered with success.
    pub(super) taken: u64,
    /// Requests without an answer, and those that were refused.
    pub(super) failed: u64,
    /// Points that a receiver has refused.
    pub(super) refused_points: u64,
}

/// What is pushed, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Pushing {
    pub(super) pushes: Pushes,
    /// The histograms of windows that have closed.
    pub(super) waiting: Waiting,
}

/// What a run has told, shared with the threads that publish it.
#[derive(Clone)]
pub(crate) struct SharedTold(Arc<Mutex<Told>>);

impl SharedTold {
    pub(super) fn new(kept: Kept) -> Self {
        let told = Told { kept, counts: Counts::default(), windows: 0, version: 0, pushing: None };
        SharedTold(Arc::new(Mutex::new(told)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
