//! The streams of an account in one region: listed, described, created, scaled.

use crate::adapter::aws::{Blocking, ClientOptions, load};
use crate::error::{Error, ErrorKind};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::types::{
    EncryptionType, ScalingType, StreamDescriptionSummary, StreamMode, StreamModeDetails,
};
use std::fmt;
use std::future::Future;

/// What Kinesis says of a stream: DescribeStreamSummary.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct StreamSummary {
    /// Its name.
    pub name: String,
    /// CREATING, ACTIVE, UPDATING or DELETING.
    pub status: String,
    /// True if Kinesis decides on the shards (on-demand mode), false if the owner does.
    pub is_on_demand: bool,
    /// The shards that get records.
    pub open_shards: u32,
    /// How long a record is kept, in hours.
    pub retention_hours: u32,
    /// True if records are encrypted at rest with a key of KMS.
    pub is_encrypted: bool,
    /// The consumers that are registered for enhanced fan-out.
    pub consumers: u32,
}

/// A client for the streams of an account in one region. The calls block. Those that Kinesis
/// throttles are repeated by the SDK.
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kinesis::{ClientOptions, Streams};
/// let streams = Streams::connect(ClientOptions::default())?;
/// for name in streams.names()? {
///     println!("{name}: {} shards", streams.summary(&name)?.open_shards);
/// }
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct Streams {
    client: Client,
    region: Option<String>,
    blocking: Blocking,
}

impl Streams {
    /// Creates a client. What the options do not say comes from the environment, as for
    /// [`StreamClient::connect`](super::StreamClient::connect).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses what a runtime needs.
    pub fn connect(options: ClientOptions) -> Result<Self, Error> {
        let (blocking, config) = load(options)?;
        let region = config.region().map(|region| region.as_ref().to_owned());
        Ok(Streams { client: Client::new(&config), region, blocking })
    }

    /// Returns the region, if the options or the environment name one.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the names of all streams, in alphabetical order: ListStreams with all of its pages.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with what Kinesis says. This holds for all calls.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        loop {
            let call = self.client.list_streams();
            let last = names.last().cloned();
            let call = call.set_exclusive_start_stream_name(last).send();
            let page = self.call("list the streams", call)?;
            names.extend_from_slice(page.stream_names());
            if !page.has_more_streams() || page.stream_names().is_empty() {
                return Ok(names);
            }
        }
    }

    /// Returns what Kinesis says of a stream.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], also if there is no such stream.
    pub fn summary(&self, name: &str) -> Result<StreamSummary, Error> {
        let what = format!("describe the stream {name:?}");
        let call = self.client.describe_stream_summary().stream_name(name).send();
        let answer = self.call(&what, call)?;
        let summary = answer.stream_description_summary().map(|said| summary(name, said));
        summary
            .ok_or_else(|| Error::new(ErrorKind::Io, format!("cannot {what}: the answer is empty")))
    }

    /// Creates a stream with this number of shards, or in on-demand mode without one. It can be
    /// used when its status is ACTIVE.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], also if there is a stream of this name.
    pub fn create(&self, name: &str, shards: Option<u32>) -> Result<(), Error> {
        let what = format!("create the stream {name:?}");
        let mode = match shards {
            Some(_) => StreamMode::Provisioned,
            None => StreamMode::OnDemand,
        };
        let mode = StreamModeDetails::builder().stream_mode(mode).build();
        let mode = mode.map_err(|error| refused(&what, &error.to_string()))?;
        let call = self.client.create_stream().stream_name(name).stream_mode_details(mode);
        let call =
            call.set_shard_count(shards.map(|shards| i32::try_from(shards).unwrap_or(i32::MAX)));
        self.call(&what, call.send()).map(drop)
    }

    /// Splits and merges shards until their number is `shards`, with hash ranges of equal size:
    /// UpdateShardCount. Kinesis at most doubles or halves their number in one call, and takes 10
    /// calls a stream in 24 hours. The stream is UPDATING meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], also for a stream in on-demand mode.
    pub fn set_shards(&self, name: &str, shards: u32) -> Result<(), Error> {
        let what = format!("scale the stream {name:?} to {shards} shards");
        let call = self.client.update_shard_count().stream_name(name);
        let call = call.scaling_type(ScalingType::UniformScaling);
        let call = call.target_shard_count(i32::try_from(shards).unwrap_or(i32::MAX));
        self.call(&what, call.send()).map(drop)
    }

    fn call<T: Send, E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, SdkError<E>>> + Send,
    ) -> Result<T, Error> {
        self.blocking.wait(call)?.map_err(|error| match (error.code(), error.message()) {
            (Some(code), Some(message)) => refused(what, &format!("{code}: {message}")),
            _ => refused(what, &DisplayErrorContext(&error).to_string()),
        })
    }
}

fn refused(what: &str, why: &str) -> Error {
    Error::new(ErrorKind::Io, format!("cannot {what}: {why}"))
}

fn summary(name: &str, said: &StreamDescriptionSummary) -> StreamSummary {
    let mode = said.stream_mode_details().map(StreamModeDetails::stream_mode);
    let whole = |number: i32| u32::try_from(number).unwrap_or(0);
    StreamSummary {
        name: name.to_owned(),
        status: said.stream_status().as_str().to_owned(),
        is_on_demand: mode == Some(&StreamMode::OnDemand),
        open_shards: whole(said.open_shard_count()),
        retention_hours: whole(said.retention_period_hours()),
        is_encrypted: said.encryption_type() == Some(&EncryptionType::Kms),
        consumers: said.consumer_count().map_or(0, whole),
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("region", &self.region).finish_non_exhaustive()
    }
}
