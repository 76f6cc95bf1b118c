//! The client of a Firehose stream.

use super::put_record_batch::PutRecordBatch;
use crate::adapter::aws::{Blocking, ClientOptions, load};
use crate::error::{Error, ErrorKind};
use aws_sdk_firehose::Client;
use aws_sdk_firehose::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use bytes::Bytes;
use std::fmt;
use std::thread;
use std::time::Duration;

/// Puts records into one Firehose stream. The interface is blocking: each call runs on a small
/// runtime of the client.
pub struct FirehoseClient {
    client: Client,
    stream: String,
    blocking: Blocking,
}

impl FirehoseClient {
    /// Creates a client of the stream. Region, credentials and endpoint come from the `AWS_...`
    /// environment variables, the profile, the container or the instance, as for all of AWS's
    /// tools.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses what a runtime needs.
    pub fn connect(stream: &str) -> Result<Self, Error> {
        let (blocking, config) = load(ClientOptions::default())?;
        Ok(FirehoseClient { client: Client::new(&config), stream: stream.to_owned(), blocking })
    }
}

impl PutRecordBatch for FirehoseClient {
    fn put_record_batch(&mut self, records: &[Bytes]) -> Result<Vec<Option<String>>, Error> {
        let failed = |kind, message: &str| {
            Error::new(kind, format!("the Firehose stream {:?}: {message}", self.stream))
        };
        let record = |data: &Bytes| Record::builder().data(Blob::new(data.to_vec())).build();
        let records: Result<Vec<Record>, _> = records.iter().map(record).collect();
        let records = records.map_err(|error| failed(ErrorKind::Io, &error.to_string()))?;
        let call = self.client.put_record_batch().delivery_stream_name(&self.stream);
        let sent = self.blocking.wait(call.set_records(Some(records)).send())?;
        let sent = sent.map_err(|error| match (error.code(), error.message()) {
            (Some(code), message) => {
                let kind =
                    if is_transient(code) { ErrorKind::Io } else { ErrorKind::InvalidArgument };
                failed(kind, &format!("{code}: {}", message.unwrap_or_default()))
            }
            _ => failed(ErrorKind::Io, &DisplayErrorContext(error).to_string()),
        })?;
        let responses = sent.request_responses();
        Ok(responses.iter().map(|result| result.error_code().map(str::to_owned)).collect())
    }

    fn pause(&mut self, length: Duration) {
        thread::sleep(length);
    }
}

/// Returns true if a call that failed with this code can be repeated.
fn is_transient(code: &str) -> bool {
    [
        "ServiceUnavailableException",
        "ServiceUnavailable",
        "InternalFailure",
        "LimitExceededException",
    ]
    .contains(&code)
        || code.contains("Throttling")
}

impl fmt::Debug for FirehoseClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirehoseClient").field("stream", &self.stream).finish_non_exhaustive()
    }
}
