//! The loop with state as a processor of the daemon's records.

use super::checkpointer::Checkpointer;
use super::processor::RecordProcessor;
use super::protocol::StartingPoint;
use crate::adapter::worker::{Batch, ShardWork, StatefulProcessor};
use crate::error::Error;
use crate::record::ShardId;
use crate::store::Store;
use crate::time::Timestamp;

impl<W: ShardWork, S: Store> RecordProcessor for StatefulProcessor<W, S> {
    fn initialize(
        &mut self,
        shard: &ShardId,
        from: &StartingPoint,
        now: Timestamp,
    ) -> Result<(), Error> {
        let checkpoint = match from {
            StartingPoint::After(sequence) => Some(sequence),
            _ => None,
        };
        self.open(shard, checkpoint, now)
    }

    fn process(&mut self, batch: &Batch, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error> {
        StatefulProcessor::process(self, batch, checkpointer)
    }

    fn lease_lost(&mut self) -> Result<(), Error> {
        self.release();
        Ok(())
    }

    fn shard_ended(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error> {
        self.end(checkpointer)
    }

    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error> {
        self.shut_down(checkpointer)
    }
}
