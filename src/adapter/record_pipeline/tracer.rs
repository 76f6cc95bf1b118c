//! Every Nth record, for a person who asks what became of it.

use std::fmt;
use std::num::NonZeroU64;

/// Receives what became of a record.
type Take = Box<dyn FnMut(&str) + Send>;

/// Chooses every Nth record, and passes on what became of it.
pub(super) struct Tracer {
    every: NonZeroU64,
    records: u64,
    take: Take,
}

impl Tracer {
    pub(super) fn new(every: NonZeroU64, take: Take) -> Self {
        Tracer { every, records: 0, take }
    }

    /// Counts a record. Calls for the text if it is the Nth.
    pub(super) fn count(&mut self, text: impl FnOnce() -> String) {
        self.records += 1;
        if self.records.is_multiple_of(self.every.get()) {
            (self.take)(&format!("record {}: {}", self.records, text()));
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("every", &self.every).finish_non_exhaustive()
    }
}
