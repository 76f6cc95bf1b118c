//! Deliveries that are not records.

use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;

/// A delivery of a transport that could not be read as a record: a field is missing or is not what
/// it should be.
///
/// It is not dropped: the caller makes a dead letter of it, or stops before it.
/// [`records_before`](Rejected::records_before) says where among the good records of the same batch
/// it stood.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected {
    /// Its index in the batch as delivered, from 0.
    pub index: usize,
    /// How many good records of the batch stand before it.
    pub records_before: usize,
    /// Its shard, unless that is what could not be read.
    pub shard: Option<ShardId>,
    /// Its place in the shard, unless that is what could not be read.
    pub sequence: Option<Sequence>,
    /// When it arrived at the stream, if that could be read.
    pub arrival: Option<Timestamp>,
    /// The payload as far as it could be read: decoded, or the text that is not base64, or nothing.
    pub data: Bytes,
    /// Which field, what is wrong with it and with which value.
    pub error: Error,
}
