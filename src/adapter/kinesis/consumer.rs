//! The calls of enhanced fan-out with the AWS SDK.

use super::client::{StreamClient, failure, records_of};
use super::fan_out::{Pushed, PushedRecords, SubscribeToShards};
use super::read_stream::{IteratorPlace, ReadFailure, ReadStream, ShardInfo};
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::time::Timestamp;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{
    ConsumerStatus, ShardIteratorType, StartingPosition, SubscribeToShardEvent,
    SubscribeToShardEventStream,
};
use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Events of all shards that wait at once. Kinesis waits when there are more.
const EVENTS_MAX: usize = 4;

/// How often, and how many times, a new consumer is looked at until it is active.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS: u32 = 120;

/// A consumer that is registered with a stream for enhanced fan-out. Its subscriptions end when it
/// is dropped.
pub struct Consumer {
    stream: StreamClient,
    arn: String,
    /// The present subscription of each shard, by its number.
    tasks: BTreeMap<ShardId, (u64, JoinHandle<()>)>,
    subscriptions: u64,
    sender: Sender<(ShardId, u64, Pushed)>,
    receiver: Receiver<(ShardId, u64, Pushed)>,
}

impl Consumer {
    /// Creates the client of a consumer by its ARN.
    pub fn new(stream: StreamClient, arn: &str) -> Self {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        let arn = arn.to_owned();
        Consumer { stream, arn, tasks: BTreeMap::new(), subscriptions: 0, sender, receiver }
    }

    /// Returns the ARN of the consumer of this name. One that is not there is registered. Waits
    /// until it is active.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with what Kinesis says, for example because there are 20 consumers.
    pub fn register(stream: &StreamClient, name: &str) -> Result<String, Error> {
        let arn = stream_arn(stream)?;
        for _ in 0..LOOKS {
            match find(stream, &arn, name)? {
                Some((consumer, ConsumerStatus::Active)) => return Ok(consumer),
                Some(_) => {}
                None => create(stream, &arn, name)?,
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(Error::new(ErrorKind::Io, format!("the consumer {name:?} does not become active")))
    }
}

/// Returns the ARN and the status of a consumer, if it is there.
fn find(
    stream: &StreamClient,
    arn: &str,
    name: &str,
) -> Result<Option<(String, ConsumerStatus)>, Error> {
    let call = stream.client.describe_stream_consumer().stream_arn(arn).consumer_name(name);
    match stream.blocking.wait(call.send())? {
        Ok(found) => Ok(found
            .consumer_description
            .map(|consumer| (consumer.consumer_arn, consumer.consumer_status))),
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(cannot("find", name, &error)),
    }
}

fn create(stream: &StreamClient, arn: &str, name: &str) -> Result<(), Error> {
    let call = stream.client.register_stream_consumer().stream_arn(arn).consumer_name(name);
    match stream.blocking.wait(call.send())? {
        Ok(_) => Ok(()),
        // Another process registers it at this moment.
        Err(error) if error.code() == Some("ResourceInUseException") => Ok(()),
        Err(error) => Err(cannot("register", name, &error)),
    }
}

fn stream_arn(stream: &StreamClient) -> Result<String, Error> {
    let call = stream.client.describe_stream_summary().stream_name(&stream.stream);
    let described = stream.blocking.wait(call.send())?;
    let described = described.map_err(|error| cannot("describe", &stream.stream, &error))?;
    let summary = described.stream_description_summary;
    summary.map(|summary| summary.stream_arn).ok_or_else(|| {
        Error::new(ErrorKind::Io, format!("the stream {:?} has no description", stream.stream))
    })
}

fn cannot<E>(verb: &str, name: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match failure(error, name) {
        ReadFailure::Transient(error) | ReadFailure::Fatal(error) => error.at(verb),
        _ => Error::new(ErrorKind::Io, format!("cannot {verb} {name:?}: too many calls")),
    }
}

impl SubscribeToShards for Consumer {
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
        self.stream.list_shards()
    }

    fn subscribe(&mut self, shard: &ShardId, place: &IteratorPlace) -> Result<(), ReadFailure> {
        self.unsubscribe(shard);
        self.subscriptions += 1;
        let number = self.subscriptions;
        let reads: &Client = &self.stream.reads;
        let call = reads.subscribe_to_shard().consumer_arn(&self.arn).shard_id(shard.as_str());
        let call = call.starting_position(starting_position(place)?);
        let opened = self.stream.blocking.wait(call.send()).map_err(ReadFailure::Fatal)?;
        let opened = opened.map_err(|error| refusal(&error, &self.stream.stream))?;
        let mut events = opened.event_stream;
        let (to, id, stream) = (self.sender.clone(), shard.clone(), self.stream.stream.clone());
        let runtime = self.stream.blocking.runtime().map_err(ReadFailure::Fatal)?;
        let task = runtime.spawn(async move {
            loop {
                let pushed = match events.recv().await {
                    Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event))) => {
                        pushed(&id, event)
                    }
                    // An event of a kind that came later.
                    Ok(Some(_)) => continue,
                    Ok(None) => Pushed::Over,
                    Err(error) => Pushed::Failed(refusal(&error, &stream)),
                };
                let is_last = !matches!(pushed, Pushed::Records(_));
                if to.send((id.clone(), number, pushed)).await.is_err() || is_last {
                    return;
                }
            }
        });
        self.tasks.insert(shard.clone(), (number, task));
        Ok(())
    }

    fn unsubscribe(&mut self, shard: &ShardId) {
        if let Some((_, task)) = self.tasks.remove(shard) {
            task.abort();
        }
    }

    fn pushed(&mut self, longest: Duration) -> Vec<(ShardId, Pushed)> {
        let receiver = &mut self.receiver;
        let waited = self.stream.blocking.wait(async { timeout(longest, receiver.recv()).await });
        let mut pushed: Vec<_> = waited.ok().and_then(Result::ok).flatten().into_iter().collect();
        while let Ok(more) = self.receiver.try_recv() {
            pushed.push(more);
        }
        // Those of earlier subscriptions come again.
        pushed.retain(|(shard, number, _)| {
            self.tasks.get(shard).is_some_and(|(present, _)| present == number)
        });
        pushed.into_iter().map(|(shard, _, pushed)| (shard, pushed)).collect()
    }

    fn now(&mut self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.tasks.values().for_each(|(_, task)| task.abort());
    }
}

fn starting_position(place: &IteratorPlace) -> Result<StartingPosition, ReadFailure> {
    let position = match place {
        IteratorPlace::TrimHorizon => {
            StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon)
        }
        IteratorPlace::Latest => StartingPosition::builder().r#type(ShardIteratorType::Latest),
        IteratorPlace::AtTime(time) => StartingPosition::builder()
            .r#type(ShardIteratorType::AtTimestamp)
            .timestamp(DateTime::from_millis(time.as_millis())),
        IteratorPlace::After(number) => StartingPosition::builder()
            .r#type(ShardIteratorType::AfterSequenceNumber)
            .sequence_number(number.as_str()),
    };
    position.build().map_err(|error| {
        let message = "a starting position cannot be made";
        ReadFailure::Fatal(Error::new(ErrorKind::Io, message).with_source(error))
    })
}

/// Returns what a failed subscription means. One that is too young, or in use, has to wait.
fn refusal<E, R>(error: &SdkError<E, R>, stream: &str) -> ReadFailure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match error.code() {
        Some("ResourceInUseException") => ReadFailure::Throttled,
        _ => failure(error, stream),
    }
}

fn pushed(shard: &ShardId, event: SubscribeToShardEvent) -> Pushed {
    let is_end = event.child_shards.is_some_and(|children| !children.is_empty());
    match records_of(shard, event.records) {
        Ok(records) => Pushed::Records(PushedRecords {
            records,
            after: event.continuation_sequence_number.parse().ok(),
            millis_behind_latest: u64::try_from(event.millis_behind_latest).unwrap_or(0),
            is_end,
        }),
        Err(error) => Pushed::Failed(ReadFailure::Fatal(error)),
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("arn", &self.arn).finish_non_exhaustive()
    }
}
