//! PutRecords with the AWS SDK.

use super::put_records::{Entry, PutRecords};
use crate::error::{Error, ErrorKind};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use std::fmt;
use std::future::Future;
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Puts records into one stream. The interface is blocking: each call runs on a small runtime of
/// the client.
pub struct StreamClient {
    client: Client,
    stream: String,
    /// `None` only during drop.
    runtime: Option<Runtime>,
}

impl StreamClient {
    /// Creates a client of the stream. Region, credentials and endpoint come from the `AWS_...`
    /// environment variables, the profile, the container or the instance, as for all of AWS's
    /// tools.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses what a runtime needs.
    pub fn connect(stream: &str) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(ErrorKind::Io, "cannot start the Kinesis client's runtime")
                .with_source(error)
        })?;
        let config =
            wait(&runtime, aws_config::load_defaults(aws_config::BehaviorVersion::latest()))?;
        Ok(StreamClient {
            client: Client::new(&config),
            stream: stream.to_owned(),
            runtime: Some(runtime),
        })
    }
}

/// Waits for a future, on a thread that belongs to no runtime.
fn wait<T: Send>(runtime: &Runtime, future: impl Future<Output = T> + Send) -> Result<T, Error> {
    let joined = thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join());
    joined.map_err(|_| Error::new(ErrorKind::Io, "the Kinesis client's runtime has ended"))
}

impl PutRecords for StreamClient {
    fn put_records(&mut self, entries: &[Entry]) -> Result<Vec<Option<String>>, Error> {
        let failed = |message: String| Error::new(ErrorKind::Io, message);
        let Some(runtime) = &self.runtime else {
            return Err(failed(String::from("the Kinesis client's runtime has ended")));
        };
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let record = PutRecordsRequestEntry::builder()
                .partition_key(&entry.partition_key)
                .data(Blob::new(entry.data.to_vec()));
            records.push(record.build().map_err(|error| {
                failed(format!("a record for {:?} cannot be made", self.stream)).with_source(error)
            })?);
        }
        let sent = wait(
            runtime,
            self.client.put_records().stream_name(&self.stream).set_records(Some(records)).send(),
        )?;
        let sent = sent.map_err(|error| {
            failed(format!("cannot put records into the stream {:?}", self.stream))
                .with_source(error)
        })?;
        Ok(sent.records().iter().map(|result| result.error_code().map(str::to_owned)).collect())
    }

    fn pause(&mut self, length: Duration) {
        thread::sleep(length);
    }
}

impl Drop for StreamClient {
    fn drop(&mut self) {
        // Waiting for the runtime would panic inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for StreamClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamClient").field("stream", &self.stream).finish_non_exhaustive()
    }
}
