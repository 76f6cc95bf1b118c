//! The computation on a shard's records.

use super::batch::Batch;
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;

/// The computation on the records of one shard, with state that can be saved.
/// [`PipelineWork`](super::PipelineWork) runs a pipeline, [`MergerWork`](super::MergerWork) merges
/// partials.
pub trait ShardWork {
    /// Opens the place of the answers. Called first, when the shard is known.
    ///
    /// # Errors
    /// Any error ends the run. This holds for all methods.
    fn open(&mut self, shard: &ShardId) -> Result<(), Error>;

    /// Replaces the state by a saved one, or with `None` by that of a new shard.
    ///
    /// # Errors
    /// The state belongs to other work.
    fn restore(&mut self, state: Option<&Bytes>) -> Result<(), Error>;

    /// Adopts state that an ended shard has [handed over](ShardWork::hand_over), before the first
    /// record.
    ///
    /// # Errors
    /// The state belongs to other work.
    fn adopt(&mut self, handed_over: &Bytes) -> Result<(), Error>;

    /// Marks all records up to this one as applied, because the shard begins after it.
    ///
    /// # Errors
    /// The work has no shard.
    fn skip_to(&mut self, sequence: &Sequence) -> Result<(), Error>;

    /// Applies the records of a batch, except those that were applied before. Passes the error of
    /// each record that cannot be decoded or aggregated to `dead_letter`.
    ///
    /// # Errors
    /// Any error ends the run before these records are checkpointed.
    fn apply(
        &mut self,
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error>;

    /// Moves the clock to `now`. Returns true if that may have made an answer. Not called while the
    /// shard is behind.
    ///
    /// # Errors
    /// Any error ends the run.
    fn advance(&mut self, now: Timestamp) -> Result<bool, Error>;

    /// Returns true if the next answers depend on something that no saved state has, for example
    /// because the clock has completed a window. The state is then saved before they are emitted,
    /// so that a process that starts again gives the same answers.
    fn is_ahead(&self) -> bool;

    /// Emits the complete answers.
    ///
    /// # Errors
    /// The answers cannot be written. They come again after the next start.
    fn emit(&mut self) -> Result<(), Error>;

    /// Returns the state, with the complete answers that were not emitted.
    ///
    /// # Errors
    /// The state has no encoding.
    fn state(&mut self) -> Result<Bytes, Error>;

    /// Returns the state for other shards to adopt, because the shard has ended. Complete answers
    /// were emitted before. What no other shard can adopt becomes answers, and the work
    /// [is ahead](ShardWork::is_ahead).
    ///
    /// # Errors
    /// The state has no encoding.
    fn hand_over(&mut self) -> Result<Vec<Bytes>, Error>;

    /// Returns true if every later shard adopts the state that was handed over, so that a second
    /// copy must not count twice; false if exactly one adopts it.
    fn is_shared(&self) -> bool;

    /// Returns the position of the last applied record.
    fn applied(&self) -> Option<&Sequence>;

    /// Returns the number of late records in this process, and true if they are reported one by
    /// one. Default: none.
    fn late(&self) -> (u64, bool) {
        (0, false)
    }
}
