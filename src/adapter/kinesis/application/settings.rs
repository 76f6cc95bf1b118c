//! What one worker of an application knows from its user.

use crate::adapter::worker::StreamStart;
use std::time::Duration;

/// The reporting interval of Java workers. Ours is not longer.
const REPORT_EVERY_MAX: Duration = Duration::from_secs(30);

/// The settings of one worker.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The name of the worker, which no other one has.
    pub(super) worker: String,
    /// A number that no other process of this worker has.
    pub(super) seed: u64,
    /// Where shards begin that have no row yet.
    pub(super) start: StreamStart,
    /// A lease that was not renewed for this time is given to another worker.
    pub(super) failover: Duration,
    /// True if records that the KPL aggregated are split.
    pub(super) splits_aggregates: bool,
}

impl Settings {
    /// The pause between two looks for new leases, of a worker that does not lead.
    pub(super) fn discover_every(&self) -> Duration {
        self.failover / 2
    }

    /// The pause between two looks at who leads. Two may fail before another worker leads.
    pub(super) fn lock_every(&self) -> Duration {
        self.silence() / 3
    }

    /// How long this worker may be silent as the leader: 20 s with the usual failover time.
    pub(super) fn silence(&self) -> Duration {
        self.failover.saturating_mul(2)
    }

    pub(super) fn report_every(&self) -> Duration {
        self.failover.saturating_mul(3).min(REPORT_EVERY_MAX)
    }
}
