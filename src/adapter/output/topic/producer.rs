//! The producer that outputs share, and what each of them waits for.

use crate::adapter::brokers::{Tokens, TopicOptions, cannot_be_made, failed_at};
use crate::error::Error;
use rdkafka::client::OAuthToken;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a question to the brokers may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum bytes of records of one output that no broker has acknowledged. Beyond it the output
/// waits.
const UNACKNOWLEDGED_BYTES_MAX: usize = 16 << 20;

/// How long an output waits before it looks again if the queue of the producer is full.
const PAUSE: Duration = Duration::from_millis(50);

/// Properties of librdkafka that the producer sets itself, because its guarantees need them.
const OWN_PROPERTIES: [&str; 5] =
    ["enable.idempotence", "acks", "request.required.acks", "transactional.id", "partitioner"];

/// Properties that a reader beside it may have, and that a producer does not know.
const OF_READERS: [&str; 4] = [
    "partition.assignment.strategy",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "group.protocol",
];

/// A connection to the brokers that outputs share. Records are sent once and in order, also if a
/// broker fails in between (`enable.idempotence`), and count as written when all replicas in sync
/// have them (`acks=all`).
#[derive(Clone)]
pub struct TopicProducer {
    producer: Arc<ThreadedProducer<Reports>>,
}

impl TopicProducer {
    /// Connects to the brokers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a property that does
    /// not exist or that the producer sets itself.
    pub fn connect(options: &TopicOptions) -> Result<Self, Error> {
        let mut config = ClientConfig::new();
        config.set("client.id", "streamgauge");
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        // That of Kafka's own clients, so that equal keys are in the same partition for all.
        config.set("partitioner", "murmur2_random");
        let mut options = options.clone();
        options.properties.retain(|(name, _)| !OF_READERS.contains(&name.as_str()));
        options.apply(&mut config, &OWN_PROPERTIES)?;
        let tokens = Tokens::new(options.token_command.as_deref());
        let producer: ThreadedProducer<Reports> =
            config.create_with_context(Reports(tokens)).map_err(cannot_be_made)?;
        Ok(TopicProducer { producer: Arc::new(producer) })
    }

    /// Returns the number of partitions of a topic.
    pub(super) fn partitions(&self, topic: &str) -> Result<usize, Error> {
        let failed = |error: KafkaError| failed_at(&format!("kafka:{topic}"), &error);
        let metadata =
            self.producer.client().fetch_metadata(Some(topic), CALL_TIMEOUT).map_err(failed)?;
        let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
        match metadata.topics().iter().find(|of| of.name() == topic) {
            Some(found) => match found.error() {
                Some(error) => Err(failed(KafkaError::MetadataFetch(error.into()))),
                None if found.partitions().is_empty() => Err(failed(unknown)),
                None => Ok(found.partitions().len()),
            },
            None => Err(failed(unknown)),
        }
    }
}

impl fmt::Debug for TopicProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicProducer").finish_non_exhaustive()
    }
}

/// The records of one output to a topic.
#[derive(Debug)]
pub(super) struct TopicWriter {
    producer: TopicProducer,
    topic: String,
    deliveries: Arc<Deliveries>,
}

impl TopicWriter {
    pub(super) fn new(producer: TopicProducer, topic: &str) -> Self {
        TopicWriter { producer, topic: topic.to_owned(), deliveries: Arc::default() }
    }

    /// Sends a record, to a partition or to that of its key. Waits while too many bytes are on
    /// their way.
    pub(super) fn send(
        &self,
        partition: Option<i32>,
        key: &[u8],
        payload: &[u8],
    ) -> Result<(), Error> {
        let bytes = key.len() + payload.len();
        let room =
            |on_way: &OnWay| on_way.bytes == 0 || on_way.bytes + bytes <= UNACKNOWLEDGED_BYTES_MAX;
        drop(self.deliveries.wait_until(room));
        self.deliveries.lock().add(bytes);
        let opaque = Box::new((self.deliveries.clone(), bytes));
        let mut record = BaseRecord::with_opaque_to(&self.topic, opaque).key(key).payload(payload);
        record.partition = partition;
        loop {
            match self.producer.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, again)) if is_full(&error) => {
                    record = again;
                    std::thread::sleep(PAUSE);
                }
                Err((error, _)) => {
                    self.deliveries.lock().remove(bytes);
                    return Err(self.failed(&error));
                }
            }
        }
    }

    /// Waits until all records are acknowledged.
    ///
    /// # Errors
    /// The first record that was not, within `delivery.timeout.ms` (5 min).
    pub(super) fn flush(&self) -> Result<(), Error> {
        let mut on_way = self.deliveries.wait_until(|on_way| on_way.records == 0);
        match on_way.failure.take() {
            Some(error) => Err(self.failed(&error)),
            None => Ok(()),
        }
    }

    fn failed(&self, error: &KafkaError) -> Error {
        failed_at(&format!("kafka:{}: a record was not written", self.topic), error)
    }

    /// Returns the number of bytes that no broker has acknowledged.
    #[cfg(test)]
    pub(super) fn unacknowledged(&self) -> usize {
        self.deliveries.lock().bytes
    }

    /// Returns the number of partitions of the topic.
    pub(super) fn partitions(&self) -> Result<usize, Error> {
        self.producer.partitions(&self.topic)
    }
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// The records of an output that are on their way.
#[derive(Debug, Default)]
struct Deliveries {
    on_way: Mutex<OnWay>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct OnWay {
    records: usize,
    bytes: usize,
    /// The first failure since the last flush.
    failure: Option<KafkaError>,
}

impl OnWay {
    fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.records -= 1;
        self.bytes -= bytes;
    }
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, OnWay> {
        self.on_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(&self, done: impl Fn(&OnWay) -> bool) -> MutexGuard<'_, OnWay> {
        let waited = self.changed.wait_while(self.lock(), |on_way| !done(on_way));
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears what became of each record, and gets tokens.
struct Reports(Tokens);

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.next()
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<(Arc<Deliveries>, usize)>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Self::DeliveryOpaque) {
        let (deliveries, bytes) = *opaque;
        let mut on_way = deliveries.lock();
        on_way.remove(bytes);
        if let Err((error, _)) = result {
            on_way.failure.get_or_insert_with(|| error.clone());
        }
        drop(on_way);
        deliveries.changed.notify_all();
    }
}
