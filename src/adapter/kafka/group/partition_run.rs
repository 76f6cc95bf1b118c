//! The way of one partition through its worker: open, process, leave.

use super::order::{End, Order, Report, bytes_of};
use crate::adapter::kafka::start::offset_of;
use crate::adapter::worker::{
    Batch, Checkpoint, CheckpointOutcome, Clock, ShardWork, StatefulProcessor,
};
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, ShardId};
use crate::store::Store;

/// The work on one partition.
pub(super) struct PartitionRun<W, S> {
    processor: StatefulProcessor<W, S>,
    /// True if all records of the partition were delivered.
    is_at_end: bool,
}

impl<W: ShardWork, S: Store> PartitionRun<W, S> {
    /// Opens the partition, and reports the position of its state.
    pub(super) fn open(
        mut processor: StatefulProcessor<W, S>,
        shard: &ShardId,
        (clock, report): (&mut dyn Clock, &mut dyn FnMut(Report)),
    ) -> Result<Self, Error> {
        processor.open(shard, None, clock.now())?;
        report(Report::Opened(processor.work().applied().cloned()));
        Ok(PartitionRun { processor, is_at_end: false })
    }

    /// Does what the member wants; without an order, what the clock wants. Returns why the worker
    /// ends, if it does.
    pub(super) fn step(
        &mut self,
        order: Option<Order>,
        around: (&mut dyn Clock, &mut dyn FnMut(Report)),
    ) -> Option<End> {
        match self.try_step(order, around) {
            Ok(end) => end,
            Err(error) if error.kind() == ErrorKind::Conflict => Some(End::Conflict),
            Err(error) => Some(End::Failed(error)),
        }
    }

    fn try_step(
        &mut self,
        order: Option<Order>,
        (clock, report): (&mut dyn Clock, &mut dyn FnMut(Report)),
    ) -> Result<Option<End>, Error> {
        match order {
            Some(Order::Lose) => {
                self.processor.release();
                return Ok(Some(End::Ordered));
            }
            Some(Order::Leave) => {
                self.processor.shut_down(&mut Commits { clock, report })?;
                // A conflict changes nothing: the partition leaves.
                self.processor.release();
                return Ok(Some(End::Ordered));
            }
            Some(Order::Process(batch)) => {
                self.is_at_end = batch.millis_behind_latest == Some(0);
                let bytes = bytes_of(&batch);
                self.processor.process(&batch, &mut Commits { clock, report })?;
                report(Report::Processed(bytes));
            }
            None => {
                let millis_behind_latest = self.is_at_end.then_some(0);
                let batch = Batch { millis_behind_latest, ..Batch::default() };
                self.processor.process(&batch, &mut Commits { clock, report })?;
            }
        }
        Ok(self.processor.failure().is_some().then_some(End::Conflict))
    }
}

/// Reports positions as they are saved.
struct Commits<'a> {
    clock: &'a mut dyn Clock,
    report: &'a mut dyn FnMut(Report),
}

impl Checkpoint for Commits<'_> {
    fn clock(&mut self) -> &mut dyn Clock {
        self.clock
    }

    fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
        if let Some(upto) = upto {
            (self.report)(Report::Saved(offset_of(upto)?.saturating_add(1)));
        }
        Ok(CheckpointOutcome::Accepted)
    }
}
