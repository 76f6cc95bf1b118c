//! Deliveries that are not records.

use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;

/// A delivery that could not be read as a record, because a field is missing or wrong.
///
/// It is not dropped: the caller makes a dead letter of it, or stops before it.
/// [`records_before`](Rejected::records_before) is its place among the good records of the same
/// batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected {
    /// Its index in the delivered batch, from 0.
    pub index: usize,
    /// The number of good records of the batch before it.
    pub records_before: usize,
    /// Its shard, unless the shard itself could not be read.
    pub shard: Option<ShardId>,
    /// Its position in the shard, unless the position itself could not be read.
    pub sequence: Option<Sequence>,
    /// The time when it arrived at the stream, if that could be read.
    pub arrival: Option<Timestamp>,
    /// The payload as far as it could be read: decoded, or the text that is not base64, or nothing.
    pub data: Bytes,
    /// The field, and what is wrong with which value.
    pub error: Error,
}
