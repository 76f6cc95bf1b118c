//! The part of reading a whole stream that no transport changes.

use super::batch::Batch;
use super::checkpoint::{Checkpoint, CheckpointOutcome};
use super::clock::Clock;
use super::many_shards::ManyShards;
use super::processor::StatefulProcessor;
use super::shard_work::ShardWork;
use super::stream_work::StreamWork;
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, ShardId};
use crate::store::Store;

/// A stream or a topic whose shards are all read by this process. Its state and the positions in
/// all shards are one save.
#[derive(Debug)]
pub(in crate::adapter) struct WholeStream<W, S> {
    processor: StatefulProcessor<StreamWork<W>, S>,
    /// What is read, for errors: `stream` or `topic`.
    kind: &'static str,
    records: u64,
}

impl<W: ManyShards, S: Store> WholeStream<W, S> {
    /// Restores the state under the name of the stream.
    ///
    /// # Errors
    /// Those of [`StatefulProcessor::open`].
    pub(in crate::adapter) fn open(
        (kind, name): (&'static str, &str),
        mut processor: StatefulProcessor<StreamWork<W>, S>,
        clock: &mut dyn Clock,
    ) -> Result<Self, Error> {
        processor.open(&ShardId::new(name), None, clock.now())?;
        Ok(WholeStream { processor, kind, records: 0 })
    }

    /// Processes a batch of a shard.
    ///
    /// # Errors
    /// Those of [`process`](WholeStream::process).
    pub(in crate::adapter) fn process_of(
        &mut self,
        shard: &ShardId,
        batch: &Batch,
        clock: &mut dyn Clock,
    ) -> Result<(), Error> {
        self.processor.work_mut().select(shard);
        self.records = self.records.saturating_add(batch.records.len() as u64);
        self.process(batch, clock)
    }

    /// Processes a batch of the shard that was selected last.
    ///
    /// # Errors
    /// Those of [`StatefulProcessor::process`], and [`ErrorKind::Conflict`] if another process has
    /// taken the stream over.
    pub(in crate::adapter) fn process(
        &mut self,
        batch: &Batch,
        clock: &mut dyn Clock,
    ) -> Result<(), Error> {
        self.processor.process(batch, &mut Positions(clock))?;
        self.check_owner()
    }

    /// Emits the complete answers and saves.
    ///
    /// # Errors
    /// Those of [`process`](WholeStream::process).
    pub(in crate::adapter) fn shut_down(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        self.processor.shut_down(&mut Positions(clock))?;
        self.check_owner()
    }

    fn check_owner(&self) -> Result<(), Error> {
        match self.processor.failure() {
            Some(failure) if failure.kind() == ErrorKind::Conflict => {
                let message =
                    format!("another process reads the {} with the same state", self.kind);
                Err(Error::new(ErrorKind::Conflict, message))
            }
            Some(failure) => Err(Error::new(failure.kind(), failure.to_string())),
            None => Ok(()),
        }
    }

    /// Emits all windows as they are, and saves nothing.
    ///
    /// # Errors
    /// Those of the pipeline and of the sink.
    pub(in crate::adapter) fn finish(&mut self) -> Result<(), Error> {
        self.processor.work_mut().finish();
        self.processor.work_mut().emit()
    }

    #[cfg(feature = "kinesis")]
    pub(in crate::adapter) fn work(&self) -> &StreamWork<W> {
        self.processor.work()
    }

    pub(in crate::adapter) fn work_mut(&mut self) -> &mut StreamWork<W> {
        self.processor.work_mut()
    }

    /// Returns the number of records that were delivered to this process.
    pub(in crate::adapter) fn records(&self) -> u64 {
        self.records
    }

    /// Returns the number of records that could not be decoded or aggregated in this process.
    pub(in crate::adapter) fn dead_letters(&self) -> u64 {
        self.processor.dead_letters()
    }
}

/// The positions are part of the state, so there is nothing else to do for a checkpoint.
struct Positions<'a>(&'a mut dyn Clock);

impl Checkpoint for Positions<'_> {
    fn clock(&mut self) -> &mut dyn Clock {
        self.0
    }

    fn checkpoint(&mut self, _: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
        Ok(CheckpointOutcome::Accepted)
    }
}
