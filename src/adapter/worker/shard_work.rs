//! What a shard's records are for.

use super::batch::Batch;
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;

/// The work on the records of one shard, as state that can be written down.
/// [`PipelineWork`](super::PipelineWork) runs a pipeline, [`MergerWork`](super::MergerWork) merges
/// partials.
pub trait ShardWork {
    /// Opens the place where answers go. Called first, when the shard is known.
    ///
    /// # Errors
    /// Whatever is to end the run, here and below.
    fn open(&mut self, shard: &ShardId) -> Result<(), Error>;

    /// Replaces the state by one that was saved; `None`: by that of a shard that begins.
    ///
    /// # Errors
    /// If the state is of other work.
    fn restore(&mut self, state: Option<&Bytes>) -> Result<(), Error>;

    /// Adopts state that an ended shard has [handed over](ShardWork::hand_over), before the first
    /// record.
    ///
    /// # Errors
    /// If the state is of other work.
    fn adopt(&mut self, handed_over: &Bytes) -> Result<(), Error>;

    /// Applies the records of a batch, except those that were applied before. Gives `dead_letter`
    /// each that cannot be decoded or aggregated.
    ///
    /// # Errors
    /// Whatever is to end the run before these records are checkpointed.
    fn apply(
        &mut self,
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error>;

    /// Moves the clock to `now`. Returns true if that may have completed an answer. Not called
    /// while the shard is behind.
    fn advance(&mut self, now: Timestamp) -> bool;

    /// Returns true if the next answers follow from something that no saved state has, as when the
    /// clock has completed a window. The state is then saved before they are emitted, so that a
    /// process that starts over gives the same answers.
    fn is_ahead(&self) -> bool;

    /// Emits the answers that are complete.
    ///
    /// # Errors
    /// If they cannot be handed on: they come again after the next start.
    fn emit(&mut self) -> Result<(), Error>;

    /// The state. Answers that are complete and not emitted are part of it.
    ///
    /// # Errors
    /// If it cannot be written down.
    fn state(&mut self) -> Result<Bytes, Error>;

    /// The state that other shards are to adopt, as the shard has ended. Answers that are complete
    /// were emitted.
    ///
    /// # Errors
    /// If it cannot be written down.
    fn hand_over(&mut self) -> Result<Vec<Bytes>, Error>;

    /// Returns true if every shard that begins afterwards adopts what was handed over, so that
    /// having it twice must not count it twice; false if exactly one does.
    fn is_shared(&self) -> bool;

    /// The place of the last record that was applied.
    fn applied(&self) -> Option<&Sequence>;

    /// Number of records that came too late for all of their windows, in this process, and whether
    /// they are handed out. Default: none.
    fn late(&self) -> (u64, bool) {
        (0, false)
    }
}
