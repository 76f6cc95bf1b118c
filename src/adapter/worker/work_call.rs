//! What a computation on records is asked to do, for somebody who watches it.

use super::batch::Batch;
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::record::ShardId;
use crate::time::Timestamp;
use bytes::Bytes;

/// A call of a [`PipelineWork`](super::PipelineWork) or a [`StreamWork`](super::StreamWork). The
/// calls of a run, repeated in their order on new work of the same pipeline, give the same answers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum WorkCall<'a> {
    /// The first one: the shard or the stream, as the sink names the source of the answers.
    Begin(&'a ShardId),
    /// The state is replaced by a saved one.
    Restore(&'a Bytes),
    /// State of an ended shard is adopted.
    Adopt(&'a Bytes),
    /// A shard of a stream is followed.
    OpenShard {
        /// The shard.
        shard: &'a ShardId,
        /// The shards that it continues.
        parents: &'a [ShardId],
        /// Its hash keys, if they are known.
        range: Option<HashRange>,
    },
    /// A shard of a stream has ended.
    CloseShard(&'a ShardId),
    /// Records are applied.
    Apply {
        /// The shard of a stream; `None` if the work is that of one shard.
        shard: Option<&'a ShardId>,
        /// The records as they were delivered.
        batch: &'a Batch,
        /// The clock.
        now: Timestamp,
    },
    /// The clock moves.
    Advance(Timestamp),
    /// Complete answers are emitted.
    Emit,
    /// The open windows are handed over to other shards.
    HandOver,
    /// The input ends, and all windows are complete.
    Finish,
}

/// Receives the calls.
pub(super) type OnCall = Box<dyn FnMut(WorkCall<'_>)>;
