//! Answers that were computed before they were fetched.
//!
//! A complete window waits to be fetched, and is computed then. Only if a record is about to change
//! a pane of such a window, the answer is computed before, and is kept here.

use super::firing::Fired;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use std::collections::VecDeque;

/// The accumulators of fired windows, the oldest first; `None` for those without a record.
#[derive(Clone, Debug)]
pub(super) struct Pending<T> {
    /// Each with its counted bytes.
    queue: VecDeque<(Fired<Option<T>>, usize)>,
    bytes: usize,
}

impl<T> Pending<T> {
    pub(super) fn new() -> Self {
        Pending { queue: VecDeque::new(), bytes: 0 }
    }

    /// Adds an answer whose accumulator takes this number of bytes.
    pub(super) fn push(&mut self, fired: Fired<Option<T>>, accumulator_bytes: usize) {
        // The queue itself counts too, because there may be many windows without a record.
        let bytes = accumulator_bytes + size_of::<Fired<Option<T>>>();
        self.bytes += bytes;
        self.queue.push_back((fired, bytes));
    }

    pub(super) fn front(&self) -> Option<&Fired<Option<T>>> {
        self.queue.front().map(|(fired, _)| fired)
    }

    pub(super) fn pop(&mut self) -> Option<Fired<Option<T>>> {
        let (fired, bytes) = self.queue.pop_front()?;
        self.bytes -= bytes;
        Some(fired)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Fired<Option<T>>> {
        self.queue.iter().map(|(fired, _)| fired)
    }

    /// Returns the approximate bytes of all answers.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Returns an error if there is no room for more answers. `rest` is what is left for them of the
/// state.
pub(super) fn check_room(
    (answers, bytes): (usize, usize),
    limits: &Limits,
    rest: usize,
) -> Result<(), Error> {
    if bytes <= limits.pending_bytes_max && bytes <= rest {
        return Ok(());
    }
    let message = format!(
        "{answers} answers that were not fetched take about {bytes} bytes, over what \
         Limits::pending_bytes_max or Limits::state_bytes_max \
         allows: fetch the answers that are complete (next_emission), then push again"
    );
    Err(Error::new(ErrorKind::LimitExceeded, message))
}
