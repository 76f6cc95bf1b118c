//! Work on many shards of a stream at once.

use super::batch::Batch;
use super::shard_work::ShardWork;
use super::work_call::WorkCall;
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;

/// A shard that is read.
#[derive(Debug)]
pub struct OpenShard {
    /// The hash keys whose records are in the shard.
    pub range: Option<HashRange>,
    /// When the shard was busy last, if that is known.
    pub busy_at: Option<Timestamp>,
    /// True if the shard has records that were not read.
    pub is_behind: bool,
}

/// The work of a [`StreamWork`](super::StreamWork): one that can follow many shards at once.
/// [`PipelineWork`](super::PipelineWork) and [`MergerWork`](super::MergerWork) can.
pub trait ManyShards: ShardWork {
    /// Tells who watches of a call, before it has an effect. Default: nobody watches.
    fn tell(&mut self, _: WorkCall<'_>) {}

    /// Replaces the state as [`ShardWork::restore`] does, and tells nobody.
    ///
    /// # Errors
    /// Those of [`ShardWork::restore`].
    fn restore_silently(&mut self, state: Option<&Bytes>) -> Result<(), Error> {
        self.restore(state)
    }

    /// Opens the place of the answers from this source.
    ///
    /// # Errors
    /// Any error ends the run. This holds for all methods.
    fn open_source(&mut self, source: &ShardId) -> Result<(), Error>;

    /// Follows a shard, which may be known from a restored state.
    ///
    /// # Errors
    /// There are too many shards.
    fn open_shard(&mut self, id: &ShardId, parents: &[ShardId]) -> Result<(), Error>;

    /// Ends a shard.
    ///
    /// # Errors
    /// There are too many shards.
    fn close_shard(&mut self, id: &ShardId) -> Result<(), Error>;

    /// Takes the records of a shard up to this one for applied.
    ///
    /// # Errors
    /// There are too many shards.
    fn skip_shard_to(&mut self, id: &ShardId, sequence: &Sequence) -> Result<(), Error>;

    /// Returns the last applied record of each shard that is known.
    ///
    /// # Errors
    /// There are too many shards.
    fn positions(&mut self) -> Result<BTreeMap<ShardId, Option<Sequence>>, Error>;

    /// Applies a batch of one shard, as [`ShardWork::apply`]. Returns true if it made the shard
    /// busy.
    ///
    /// # Errors
    /// Those of [`ShardWork::apply`].
    fn apply_to(
        &mut self,
        shard: (&ShardId, Option<&HashRange>),
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<bool, Error>;

    /// Moves the clock, as [`ShardWork::advance`].
    ///
    /// # Errors
    /// Those of [`ShardWork::advance`].
    fn advance_all(
        &mut self,
        open: &mut BTreeMap<ShardId, OpenShard>,
        now: Timestamp,
    ) -> Result<bool, Error>;

    /// Ends the input, so that every window is complete.
    fn finish(&mut self);
}
