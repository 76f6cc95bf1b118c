//! The reading of one shard: its iterator, its pace, and what follows a failure.

use super::pace::{self, Jitter};
use super::read_stream::{IteratorPlace, ReadFailure, ReadStream, RecordPage};
use crate::error::Error;
use crate::record::ShardId;
use crate::time::Timestamp;
use std::time::Duration;

/// Number of failures of a shard, or of the listing, one after the other, before the reader gives
/// up. Throttling is not counted.
const FAILURES_MAX: u32 = 20;

/// A place in a shard, from which it is read.
#[derive(Debug)]
pub(super) struct Cursor {
    iterator: Option<String>,
    /// Where another iterator begins, if this one expires.
    place: IteratorPlace,
    /// The time of the next call.
    pub(super) due: Timestamp,
    failures: u32,
    pub(super) millis_behind: Option<u64>,
}

impl Cursor {
    /// Creates a cursor that may be read at once.
    pub(super) fn new(place: IteratorPlace, now: Timestamp) -> Self {
        Cursor { iterator: None, place, due: now, failures: 0, millis_behind: None }
    }

    /// Returns the iterator of the next page; `None` before it is known.
    ///
    /// # Errors
    /// Those of [`failed`](Cursor::failed).
    pub(super) fn iterator(
        &mut self,
        shard: &ShardId,
        stream: &mut (impl ReadStream + ?Sized),
        (now, jitter): (Timestamp, &mut Jitter),
    ) -> Result<Option<String>, Error> {
        if self.iterator.is_none() {
            match stream.iterator(shard, &self.place) {
                Ok(iterator) => self.iterator = Some(iterator),
                Err(failure) => self.failed(failure, now, jitter)?,
            }
            if self.place == IteratorPlace::Latest {
                self.place = IteratorPlace::AtTime(now);
            }
        }
        Ok(self.iterator.clone())
    }

    /// Moves behind a page. `quiet` is the pause at the end of the shard; without it there is no
    /// pause between two calls. Returns false at the end of the shard.
    pub(super) fn take(
        &mut self,
        page: &RecordPage,
        now: Timestamp,
        quiet: Option<Duration>,
    ) -> bool {
        let pause = quiet.map_or(Duration::ZERO, |quiet| pace::pause_after_page(page, quiet));
        (self.failures, self.due) = (0, pace::after(now, pause));
        self.millis_behind = page.millis_behind_latest;
        if let Some(last) = page.records.last() {
            self.place = IteratorPlace::After(last.position.sequence.number.clone());
        }
        self.iterator.clone_from(&page.next);
        self.iterator.is_some()
    }

    /// Waits after a failure, longer each time.
    ///
    /// # Errors
    /// A failure that no repetition helps against, or too many one after the other.
    pub(super) fn failed(
        &mut self,
        failure: ReadFailure,
        now: Timestamp,
        jitter: &mut Jitter,
    ) -> Result<(), Error> {
        if matches!(failure, ReadFailure::IteratorExpired) {
            self.iterator = None;
            self.due = pace::after(now, pace::CALL_PAUSE);
            return Ok(());
        }
        self.failures = self.failures.saturating_add(1);
        self.due = pace::after(now, jitter.pause_after(self.failures));
        give_up(failure, self.failures)
    }
}

/// Returns the error of a failure that should not be repeated.
pub(super) fn give_up(failure: ReadFailure, failures: u32) -> Result<(), Error> {
    match failure {
        ReadFailure::Fatal(error) => Err(error),
        ReadFailure::Transient(error) if failures >= FAILURES_MAX => Err(error),
        _ => Ok(()),
    }
}
