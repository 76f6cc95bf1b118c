//! The calls of one stream with the AWS SDK.

use super::put_records::{Entry, PutRecords};
use super::read_stream::{IteratorPlace, ReadFailure, ReadStream, RecordPage, ShardInfo};
use crate::adapter::aws::{Blocking, ClientOptions, load};
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::error::{Error, ErrorKind};
use crate::record::{Position, Record, Sequence, ShardId};
use crate::time::Timestamp;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, Shard, ShardIteratorType};
use std::fmt;
use std::future::Future;
use std::thread;
use std::time::Duration;

/// Maximum records of one GetRecords call: Kinesis' limit.
const PAGE_RECORDS_MAX: i32 = 10_000;

/// How long one attempt of a read may take. A page has up to 10 MiB.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads one stream, and puts records into it. The interface is blocking: each call runs on a small
/// runtime of the client, which its clones share.
#[derive(Clone)]
pub struct StreamClient {
    pub(super) client: Client,
    /// Reads are paced and repeated by the reader, which counts each call, and not by the SDK.
    pub(super) reads: Client,
    pub(super) stream: String,
    pub(super) blocking: Blocking,
}

impl StreamClient {
    /// Creates a client of the stream. Region, credentials and endpoint come from the `AWS_...`
    /// environment variables, the profile, the container or the instance, as for all of AWS's
    /// tools.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses what a runtime needs.
    pub fn connect(stream: &str) -> Result<Self, Error> {
        StreamClient::connect_with(stream, ClientOptions::default())
    }

    /// Creates a client of the stream at another place than the environment says.
    ///
    /// # Errors
    /// Those of [`connect`](StreamClient::connect).
    pub fn connect_with(stream: &str, options: ClientOptions) -> Result<Self, Error> {
        let (blocking, config) = load(options)?;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(READ_TIMEOUT).build();
        let reads = aws_sdk_kinesis::config::Builder::from(&config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Ok(StreamClient {
            client: Client::new(&config),
            reads: Client::from_conf(reads),
            stream: stream.to_owned(),
            blocking,
        })
    }

    /// Makes a call that reads, and says what a failure means.
    fn read<T: Send, E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
        &self,
        call: impl Future<Output = Result<T, SdkError<E>>> + Send,
    ) -> Result<T, ReadFailure> {
        let done = self.blocking.wait(call).map_err(ReadFailure::Fatal)?;
        done.map_err(|error| failure(&error, &self.stream))
    }
}

impl ReadStream for StreamClient {
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
        let mut shards = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // A page after the first is named by its token alone.
            let call = match next.take() {
                Some(token) => self.reads.list_shards().next_token(token),
                None => self.reads.list_shards().stream_name(&self.stream),
            };
            let page = self.read(call.send())?;
            for shard in page.shards() {
                shards.push(shard_info(shard).map_err(ReadFailure::Fatal)?);
            }
            match page.next_token() {
                Some(token) => next = Some(token.to_owned()),
                None => return Ok(shards),
            }
        }
    }

    fn iterator(&mut self, shard: &ShardId, place: &IteratorPlace) -> Result<String, ReadFailure> {
        let call = self.reads.get_shard_iterator().stream_name(&self.stream);
        let call = call.shard_id(shard.as_str());
        let call = match place {
            IteratorPlace::TrimHorizon => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            IteratorPlace::Latest => call.shard_iterator_type(ShardIteratorType::Latest),
            IteratorPlace::AtTime(time) => call
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(DateTime::from_millis(time.as_millis())),
            IteratorPlace::After(number) => call
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(number.as_str()),
        };
        let given = self.read(call.send())?;
        given.shard_iterator().map(str::to_owned).ok_or_else(|| {
            let message = format!("the stream gives no iterator of {shard}");
            ReadFailure::Transient(Error::new(ErrorKind::Io, message))
        })
    }

    fn records(&mut self, requests: &[(ShardId, String)]) -> Vec<Result<RecordPage, ReadFailure>> {
        let runtime = match self.blocking.runtime() {
            Ok(runtime) => runtime,
            Err(error) => return vec![Err(ReadFailure::Fatal(error))],
        };
        let calls: Vec<_> = requests
            .iter()
            .map(|(_, iterator)| {
                let call = self.reads.get_records().shard_iterator(iterator);
                runtime.spawn(call.limit(PAGE_RECORDS_MAX).send())
            })
            .collect();
        let answers = self.blocking.wait(async move {
            let mut answers = Vec::with_capacity(calls.len());
            for call in calls {
                answers.push(call.await);
            }
            answers
        });
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return vec![Err(ReadFailure::Fatal(error))],
        };
        requests
            .iter()
            .zip(answers)
            .map(|((shard, _), answer)| match answer {
                Ok(Ok(page)) => record_page(shard, page).map_err(ReadFailure::Fatal),
                Ok(Err(error)) => Err(failure(&error, &self.stream)),
                Err(error) => {
                    let message = "a call of the Kinesis client did not end";
                    Err(ReadFailure::Fatal(Error::new(ErrorKind::Io, message).with_source(error)))
                }
            })
            .collect()
    }
}

/// Returns what a failed call means for a reader.
pub(super) fn failure<E, R>(error: &SdkError<E, R>, stream: &str) -> ReadFailure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let code = error.code();
    let reason = match (code, error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => DisplayErrorContext(error).to_string(),
    };
    let error_of =
        || Error::new(ErrorKind::Io, format!("cannot read the stream {stream:?}: {reason}"));
    match code {
        Some("ExpiredIteratorException") => ReadFailure::IteratorExpired,
        Some(
            "ProvisionedThroughputExceededException"
            | "LimitExceededException"
            | "KMSThrottlingException"
            | "ThrottlingException"
            | "Throttling",
        ) => ReadFailure::Throttled,
        Some(
            "InternalFailure"
            | "InternalFailureException"
            | "ServiceUnavailable"
            | "ResourceInUseException",
        ) => ReadFailure::Transient(error_of()),
        Some(_) => ReadFailure::Fatal(error_of()),
        None if matches!(error, SdkError::ConstructionFailure(_)) => ReadFailure::Fatal(error_of()),
        None => ReadFailure::Transient(error_of()),
    }
}

fn shard_info(shard: &Shard) -> Result<ShardInfo, Error> {
    let range = match shard.hash_key_range() {
        Some(range) => Some(HashRange::parse(range.starting_hash_key(), range.ending_hash_key())?),
        None => None,
    };
    let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
    Ok(ShardInfo {
        id: ShardId::new(shard.shard_id()),
        parents: parents.into_iter().flatten().map(ShardId::new).collect(),
        range,
        is_closed: shard
            .sequence_number_range()
            .is_some_and(|range| range.ending_sequence_number().is_some()),
    })
}

fn record_page(shard: &ShardId, page: GetRecordsOutput) -> Result<RecordPage, Error> {
    let behind = page.millis_behind_latest.map(|millis| u64::try_from(millis).unwrap_or(0));
    let records = records_of(shard, page.records)?;
    Ok(RecordPage { records, next: page.next_shard_iterator, millis_behind_latest: behind })
}

/// Returns the records of a shard in the form of this crate.
pub(super) fn records_of(
    shard: &ShardId,
    delivered: Vec<aws_sdk_kinesis::types::Record>,
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::with_capacity(delivered.len());
    for record in delivered {
        let arrival = record.approximate_arrival_timestamp.and_then(|time| time.to_millis().ok());
        let number = record.sequence_number.parse();
        let number = number.map_err(|error: Error| error.at(shard))?;
        records.push(Record {
            partition_key: record.partition_key.unwrap_or_default().into(),
            data: record.data.into_inner().into(),
            arrival: arrival.map_or(Record::ARRIVAL_UNKNOWN, Timestamp::from_millis),
            position: Position { shard: shard.clone(), sequence: Sequence { number, sub: 0 } },
            headers: Default::default(),
        });
    }
    Ok(records)
}

impl PutRecords for StreamClient {
    fn put_records(&mut self, entries: &[Entry]) -> Result<Vec<Option<String>>, Error> {
        let failed = |message: String| Error::new(ErrorKind::Io, message);
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let record = PutRecordsRequestEntry::builder()
                .partition_key(&entry.partition_key)
                .set_explicit_hash_key(entry.hash_key.map(|key| key.to_string()))
                .data(Blob::new(entry.data.to_vec()));
            records.push(record.build().map_err(|error| {
                failed(format!("a record for {:?} cannot be made", self.stream)).with_source(error)
            })?);
        }
        let sent = self.blocking.wait(
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

impl fmt::Debug for StreamClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamClient").field("stream", &self.stream).finish_non_exhaustive()
    }
}
