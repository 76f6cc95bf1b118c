//! Records of a shard, as a source delivers them.

use crate::adapter::Rejected;
use crate::record::{Record, Sequence};

/// Records of one shard that a source delivers together; they may have been delivered before.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Batch {
    /// The records in the order of the shard.
    pub records: Vec<Record>,
    /// Deliveries that could not be read as records.
    pub rejected: Vec<Rejected>,
    /// How far behind the end of the shard the records are, in milliseconds, if the source knows.
    pub millis_behind_latest: Option<u64>,
}

impl Batch {
    /// Returns true if the shard has, or may have, records that were not delivered yet.
    pub(super) fn is_behind(&self) -> bool {
        self.millis_behind_latest != Some(0)
    }

    /// Returns the number of deliveries, readable or not.
    pub(super) fn deliveries(&self) -> u64 {
        (self.records.len() + self.rejected.len()) as u64
    }

    /// Returns the last position, rejected deliveries included.
    pub(super) fn last(&self) -> Option<Sequence> {
        let record = self.records.last().map(|record| record.position.sequence.clone());
        self.last_rejected().max(record)
    }

    /// Returns the last position of a rejected delivery.
    pub(super) fn last_rejected(&self) -> Option<Sequence> {
        self.rejected.iter().filter_map(|rejected| rejected.sequence.clone()).max()
    }
}
