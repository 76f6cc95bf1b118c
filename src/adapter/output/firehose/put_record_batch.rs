//! One PutRecordBatch call, with any client.

use crate::error::Error;
use bytes::Bytes;
use std::time::Duration;

/// Puts records into a Firehose stream: one PutRecordBatch call.
pub trait PutRecordBatch {
    /// Puts records. Returns for each record, in order, `None` if it was accepted, otherwise the
    /// error code.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the whole call failed. The caller may repeat it.
    fn put_record_batch(&mut self, records: &[Bytes]) -> Result<Vec<Option<String>>, Error>;

    /// Waits for this length of time.
    fn pause(&mut self, length: Duration);
}
