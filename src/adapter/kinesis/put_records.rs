//! One PutRecords call, with any client.

use crate::error::Error;
use bytes::Bytes;
use std::time::Duration;

/// A record for the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Decides the shard, by its MD5.
    pub partition_key: String,
    /// Decides the shard instead of the partition key's MD5.
    pub hash_key: Option<u128>,
    /// The payload.
    pub data: Bytes,
}

impl Entry {
    /// Returns the bytes that count against the limits of a stream.
    pub(super) fn bytes(&self) -> usize {
        self.partition_key.len() + self.data.len()
    }
}

/// Puts records into a stream: one PutRecords call.
pub trait PutRecords {
    /// Puts records. Returns for each record, in order, `None` if it is in the stream, otherwise
    /// the error code.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the whole call failed. The caller may repeat it.
    fn put_records(&mut self, entries: &[Entry]) -> Result<Vec<Option<String>>, Error>;

    /// Waits for this length of time.
    fn pause(&mut self, length: Duration);
}
