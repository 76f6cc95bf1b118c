//! What a member of a group and the worker of a partition tell each other.

use crate::adapter::worker::Batch;
use crate::error::Error;
use crate::record::Sequence;
use std::time::Duration;

/// What the member wants of a partition's worker.
#[derive(Debug)]
pub(super) enum Order {
    /// Process these records.
    Process(Batch),
    /// Emit, save and end, because the group gives the partition to another member.
    Leave,
    /// End without a save: another member may have the partition already.
    Lose,
}

/// What a partition's worker tells the member.
#[derive(Debug)]
pub(super) enum Report {
    /// The state was read. It has the records up to this one.
    Opened(Option<Sequence>),
    /// A batch of this many bytes was processed.
    Processed(usize),
    /// The records before this offset are in the saved state.
    Saved(u64),
    /// The worker has ended.
    Ended(End),
}

/// Why a worker has ended.
#[derive(Debug)]
pub(super) enum End {
    /// The member wanted it.
    Ordered,
    /// Another process has taken over the state of the partition.
    Conflict,
    /// The work failed.
    Failed(Error),
}

/// The workers of one process, one for each of its partitions.
pub(super) trait Workers {
    /// Starts the worker of a partition, which has none.
    fn start(&mut self, partition: i32);

    /// Passes an order to the worker of a partition. One that has ended does not get it.
    fn order(&mut self, partition: i32, order: Order);

    /// Returns what workers have reported, in the order of each. Waits for at most this time for
    /// the first report.
    fn reports(&mut self, wait: Duration) -> Vec<(i32, Report)>;
}

/// Returns the bytes that a batch takes in memory.
pub(super) fn bytes_of(batch: &Batch) -> usize {
    let of_records: usize =
        batch.records.iter().map(|record| record.data.len() + record.partition_key.len()).sum();
    of_records + size_of_val(&batch.records[..])
}
