//! One PutRecords call, whoever makes it.

use crate::error::Error;
use bytes::Bytes;
use std::time::Duration;

/// A record to be put.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Decides the shard.
    pub partition_key: String,
    /// The payload.
    pub data: Bytes,
}

impl Entry {
    /// Bytes that count against the limits of a stream.
    pub(super) fn bytes(&self) -> usize {
        self.partition_key.len() + self.data.len()
    }
}

/// Puts records into a stream: one PutRecords call.
pub trait PutRecords {
    /// Puts records. Returns for each, in their order, `None` if it is in the stream, otherwise the
    /// error code.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the whole call failed, which the caller may do
    /// again.
    fn put_records(&mut self, entries: &[Entry]) -> Result<Vec<Option<String>>, Error>;

    /// Waits for this length of time.
    fn pause(&mut self, length: Duration);
}
