//! The counts of a run while it goes on.

use streamgauge::Timestamp;

/// The counts of a run so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Records, dead letters included.
    pub(crate) records: u64,
    pub(crate) filtered: u64,
    pub(crate) late: u64,
    pub(crate) dead_letters: u64,
    /// Approximate bytes of all accumulators, and their limit.
    pub(crate) state_bytes: u64,
    pub(crate) state_bytes_max: u64,
    /// The latest event time.
    pub(crate) latest: Option<Timestamp>,
}

/// Shows a run while it goes on.
pub(crate) trait Watcher {
    /// Returns the counts of the run that were told last.
    fn counts(&self) -> Counts;

    /// Takes the counts of the run each time that they have changed: nobody knows when the next
    /// records come. O(1).
    fn tell(&mut self, counts: Counts);
}
