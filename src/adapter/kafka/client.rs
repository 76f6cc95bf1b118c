//! The calls to Kafka's brokers, by librdkafka.

use super::events::Events;
use super::read_topic::{ReadTopic, TopicEvent, shard_of};
use crate::adapter::brokers::{Tokens, TopicOptions, cannot_be_made, failed, is_final};
use crate::adapter::transport::payloads::Payloads;
use crate::error::{Error, ErrorKind};
use crate::record::{Headers, Position, Record, Sequence, ShardId};
use crate::time::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How long a question to the brokers may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of attempts of such a question, for example while a partition has no leader.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// How often, and how long at most each time, the first token is waited for.
const TOKEN_POLLS: u32 = 20;
const TOKEN_POLL: Duration = Duration::from_millis(200);

/// How many events of the client are read for the reason of an error.
const NOTE_POLLS: u32 = 100;

/// Maximum number of records that one call of [`ReadTopic::poll`] returns.
const RECORDS_MAX: usize = 8_192;

/// The group of a reader of all partitions. It never joins it.
const NO_GROUP: &str = "streamgauge";

/// Properties of librdkafka that the reader sets itself, because its guarantees need them.
const OWN_PROPERTIES: [&str; 7] = [
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
    "isolation.level",
    "allow.auto.create.topics",
];

/// Reads one topic by librdkafka.
pub struct TopicClient {
    consumer: BaseConsumer<Events>,
    topic: String,
    shards: BTreeMap<i32, ShardId>,
    payloads: Payloads,
    /// The names of the headers that records have.
    headers: Vec<Arc<str>>,
    /// True if a group assigns the partitions.
    is_member: bool,
    /// True once partitions are delivered.
    has_begun: bool,
}

impl TopicClient {
    /// Creates a reader of a topic. Joins the group, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a property that does not exist or that the reader sets
    /// itself.
    pub fn connect(topic: &str, options: &TopicOptions) -> Result<Self, Error> {
        let mut config = ClientConfig::new();
        config.set("client.id", "streamgauge");
        config.set("group.id", options.group.as_deref().unwrap_or(NO_GROUP));
        config.set("partition.assignment.strategy", "cooperative-sticky");
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // Positions are in the state. One that the topic does not have must not move silently.
        config.set("auto.offset.reset", "error");
        config.set("enable.partition.eof", "true");
        config.set("isolation.level", "read_committed");
        config.set("allow.auto.create.topics", "false");
        // What is fetched ahead is memory: this much, and one more answer of each broker.
        config.set("queued.max.messages.kbytes", "16384");
        if options.group.is_none() {
            // Nobody waits for a reader of all partitions whose sink stands still.
            config.set("max.poll.interval.ms", "86400000");
        }
        options.apply(&mut config, &OWN_PROPERTIES)?;
        let tokens = Tokens::new(options.token_command.as_deref());
        let consumer: BaseConsumer<Events> =
            config.create_with_context(Events::new(tokens)).map_err(cannot_be_made)?;
        wait_for_token(&consumer)?;
        let is_member = options.group.is_some();
        if is_member {
            consumer.subscribe(&[topic]).map_err(failed)?;
        }
        Ok(TopicClient {
            consumer,
            topic: topic.to_owned(),
            shards: BTreeMap::new(),
            payloads: Payloads::default(),
            headers: options.headers.clone(),
            is_member,
            has_begun: false,
        })
    }

    /// Returns the name of the topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    fn list(&self, partitions: impl IntoIterator<Item = (i32, Offset)>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            // Every offset that comes here has an encoding.
            let _ = list.add_partition_offset(&self.topic, partition, offset);
        }
        list
    }

    /// Asks the brokers, again if a short wait may help.
    fn ask<T>(&self, ask: impl Fn(&Self) -> Result<T, KafkaError>) -> Result<T, Error> {
        let mut tries = 1;
        loop {
            match ask(self) {
                Ok(answer) => return Ok(answer),
                Err(error) if tries >= TRIES || is_final(&error) => {
                    return Err(self.explained(error));
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
            tries += 1;
        }
    }

    /// Returns the error of a question. Before the first record is delivered, what the client has
    /// noted says why no broker answers, such as a wrong password.
    fn explained(&self, error: KafkaError) -> Error {
        let error = failed(error);
        if self.has_begun {
            return error;
        }
        for _ in 0..NOTE_POLLS {
            self.consumer.poll(Duration::ZERO);
        }
        match last_note(&self.consumer) {
            Some(note) => Error::new(error.kind(), format!("{} ({note})", error.message())),
            None => error,
        }
    }

    fn is_cooperative(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }
}

impl ReadTopic for TopicClient {
    fn partitions(&mut self) -> Result<Vec<i32>, Error> {
        self.ask(|client| {
            let metadata = client.consumer.fetch_metadata(Some(&client.topic), CALL_TIMEOUT)?;
            let topic = metadata.topics().iter().find(|topic| topic.name() == client.topic);
            let unknown = RDKafkaErrorCode::UnknownTopicOrPartition;
            let topic = topic.ok_or(KafkaError::MetadataFetch(unknown))?;
            match topic.error() {
                Some(error) => Err(KafkaError::MetadataFetch(error.into())),
                None => Ok(topic.partitions().iter().map(|partition| partition.id()).collect()),
            }
        })
    }

    fn bounds(&mut self, partition: i32) -> Result<Range<u64>, Error> {
        let ask = |client: &Self| {
            client.consumer.fetch_watermarks(&client.topic, partition, CALL_TIMEOUT)
        };
        let (low, high) = self.ask(ask)?;
        Ok(u64::try_from(low).unwrap_or(0)..u64::try_from(high).unwrap_or(0))
    }

    fn offset_at(&mut self, partition: i32, time: Timestamp) -> Result<u64, Error> {
        let found = self.ask(|client| {
            let list = client.list([(partition, Offset::Offset(time.as_millis().max(0)))]);
            client.consumer.offsets_for_times(list, CALL_TIMEOUT)
        })?;
        match found.elements().first().map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Ok(u64::try_from(offset).unwrap_or(0)),
            _ => Ok(self.bounds(partition)?.end),
        }
    }

    fn begin(&mut self, partitions: &[(i32, u64)]) -> Result<(), Error> {
        self.has_begun = true;
        let list = self.list(offsets(partitions));
        let begun = match self.is_member && !self.is_cooperative() {
            true => self.consumer.assign(&list),
            false => self.consumer.incremental_assign(&list),
        };
        begun.map_err(failed)
    }

    fn leave(&mut self, partitions: &[i32]) -> Result<(), Error> {
        let left = match self.is_member && !self.is_cooperative() {
            true => self.consumer.unassign(),
            false => {
                let list = partitions.iter().map(|partition| (*partition, Offset::Invalid));
                self.consumer.incremental_unassign(&self.list(list))
            }
        };
        left.map_err(failed)
    }

    fn seek(&mut self, partition: i32, next: u64) -> Result<(), Error> {
        self.consumer.seek(&self.topic, partition, offset(next), CALL_TIMEOUT).map_err(failed)
    }

    fn pause(&mut self, partition: i32, is_paused: bool) -> Result<(), Error> {
        let list = self.list([(partition, Offset::Invalid)]);
        let done = match is_paused {
            true => self.consumer.pause(&list),
            false => self.consumer.resume(&list),
        };
        done.map_err(failed)
    }

    fn commit(&mut self, positions: &[(i32, u64)]) -> Result<(), Error> {
        let list = self.list(offsets(positions));
        self.consumer.commit(&list, CommitMode::Async).map_err(failed)
    }

    fn poll(&mut self, wait: Duration) -> Result<Vec<TopicEvent>, Error> {
        let (mut events, mut records, mut wait) = (Vec::new(), 0, wait);
        // The place of the last records of each partition among the events.
        let mut places: BTreeMap<i32, usize> = BTreeMap::new();
        while records < RECORDS_MAX {
            let polled = self.consumer.poll(wait);
            wait = Duration::ZERO;
            match polled {
                None => break,
                Some(Ok(message)) => {
                    let partition = message.partition();
                    let record =
                        record(&message, (&self.topic, &mut self.shards), &mut self.payloads);
                    records += 1;
                    let Some(mut record) = record else { continue };
                    if !self.headers.is_empty() {
                        record.headers = headers(&message, &self.headers, &mut self.payloads);
                    }
                    let place = places.entry(partition).or_insert_with(|| {
                        events.push(TopicEvent::Records(partition, Vec::new()));
                        events.len() - 1
                    });
                    if let Some(TopicEvent::Records(_, list)) = events.get_mut(*place) {
                        list.push(record);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    places.remove(&partition);
                    events.push(TopicEvent::AtEnd(partition));
                }
                // The context has taken a note of it.
                Some(Err(error)) => check_survives(error)?,
            }
        }
        events.extend(self.consumer.context().take());
        Ok(events)
    }
}

impl Drop for TopicClient {
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}

impl fmt::Debug for TopicClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicClient").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Lets the client get its first token, without which no question is answered. Only `poll` runs the
/// command.
fn wait_for_token(consumer: &BaseConsumer<Events>) -> Result<(), Error> {
    for _ in 0..TOKEN_POLLS {
        if !consumer.context().tokens.is_waiting() {
            return Ok(());
        }
        if let Some(Err(error)) = consumer.poll(TOKEN_POLL) {
            check_survives(error)?;
        }
    }
    let said = last_note(consumer);
    let message =
        format!("Kafka: there is no token: {}", said.as_deref().unwrap_or("no command was run"));
    Err(Error::new(ErrorKind::Io, message))
}

/// Returns the last thing that the client has noted, and forgets the others. That all connections
/// are down follows from what it has noted before.
fn last_note(consumer: &BaseConsumer<Events>) -> Option<String> {
    let notes = consumer.context().take().into_iter().rev();
    let mut notes = notes.filter_map(|event| match event {
        TopicEvent::Note(note) => Some(note),
        _ => None,
    });
    notes.find(|note| !note.contains("AllBrokersDown"))
}

fn offset(next: u64) -> Offset {
    Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX))
}

fn offsets(positions: &[(i32, u64)]) -> impl Iterator<Item = (i32, Offset)> {
    positions.iter().map(|(partition, next)| (*partition, offset(*next)))
}

/// Returns the error if the reading cannot go on after it. A connection comes back by itself.
fn check_survives(error: KafkaError) -> Result<(), Error> {
    let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            let message = "the topic has deleted the next record before it was read. Start again: \
                           reading continues with the oldest record, and says which offsets are \
                           lost";
            Err(Error::new(ErrorKind::Mismatch, message))
        }
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed,
        ) => Err(failed(error)),
        _ if is_fatal => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Returns the headers of a message that have these names. The last one of a name counts.
fn headers(message: &BorrowedMessage<'_>, names: &[Arc<str>], payloads: &mut Payloads) -> Headers {
    let mut headers = Headers::default();
    for header in message.headers().iter().flat_map(|all| all.iter()) {
        if let Some(name) = names.iter().find(|name| ***name == *header.key) {
            headers.set(name, header.value.map(|value| payloads.copy(value)));
        }
    }
    headers
}

/// Returns a message as a record. One without a payload deletes its key: `None`.
fn record(
    message: &BorrowedMessage<'_>,
    (topic, shards): (&str, &mut BTreeMap<i32, ShardId>),
    payloads: &mut Payloads,
) -> Option<Record> {
    let payload = message.payload()?;
    let partition = message.partition();
    let shard = shards.entry(partition).or_insert_with(|| shard_of(topic, partition));
    let offset = u64::try_from(message.offset()).unwrap_or(0);
    let arrival = message.timestamp().to_millis().map(Timestamp::from_millis);
    Some(Record {
        partition_key: message.key().map_or_else(Default::default, |key| payloads.copy(key)),
        data: payloads.copy(payload),
        arrival: arrival.unwrap_or(Record::ARRIVAL_UNKNOWN),
        position: Position { shard: shard.clone(), sequence: Sequence::new(offset) },
        headers: Default::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::{Header, OwnedHeaders};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

    fn options(brokers: &str) -> TopicOptions {
        TopicOptions { brokers: brokers.to_owned(), ..TopicOptions::default() }
    }

    /// Polls until the partition is at its end.
    fn read(client: &mut TopicClient, partition: i32) -> Vec<Record> {
        let mut found = Vec::new();
        loop {
            for event in client.poll(Duration::from_millis(100)).unwrap() {
                match event {
                    TopicEvent::Records(of, records) if of == partition => found.extend(records),
                    TopicEvent::AtEnd(of) if of == partition => return found,
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn s326_a_deletion_of_a_key_is_no_record() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("clicks", 2, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
        let to = || BaseRecord::<str, str>::to("clicks").partition(1).timestamp(7);
        producer.send(to().key("a").payload("1")).unwrap();
        producer.send(to().key("a")).unwrap();
        producer.send(to().payload("")).unwrap();
        producer.flush(Duration::from_secs(30)).unwrap();
        let mut client = TopicClient::connect("clicks", &options(&brokers)).unwrap();
        assert_eq!(client.partitions().unwrap(), [0, 1]);
        assert_eq!(client.bounds(1).unwrap(), 0..3);
        client.begin(&[(1, 0)]).unwrap();
        let records = read(&mut client, 1);
        let found = |record: &Record| {
            let Position { shard, sequence } = &record.position;
            let place = format!("{shard}:{} {}", sequence.number, record.arrival.as_millis());
            (place, record.partition_key.clone(), record.data.clone())
        };
        let found: Vec<_> = records.iter().map(found).collect();
        assert_eq!(
            found,
            [
                ("clicks-1:0 7".to_owned(), "a".into(), "1".into()),
                ("clicks-1:2 7".to_owned(), "".into(), "".into())
            ]
        );
        // A position in the middle, after the partition was given back.
        client.leave(&[1]).unwrap();
        client.begin(&[(1, 1)]).unwrap();
        assert_eq!(read(&mut client, 1).len(), 1);
    }

    #[test]
    fn s333_only_headers_that_are_asked_for_are_read_and_the_last_of_a_name_counts() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("clicks", 1, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
        let mut headers = OwnedHeaders::new();
        for (key, value) in
            [("a", Some("1")), ("b", Some("2")), ("a", Some("3")), ("b", None), ("c", Some(""))]
        {
            headers = headers.insert(Header { key, value });
        }
        let record = || BaseRecord::<str, str>::to("clicks").key("k").payload("{}");
        producer.send(record().headers(headers)).unwrap();
        producer.send(record()).unwrap();
        producer.flush(Duration::from_secs(30)).unwrap();
        let read_with = |names: &[&str]| {
            let mut options = options(&brokers);
            options.headers = names.iter().map(|name| (*name).into()).collect();
            let mut client = TopicClient::connect("clicks", &options).unwrap();
            client.begin(&[(0, 0)]).unwrap();
            let records = read(&mut client, 0);
            let text = |(name, value): (&Arc<str>, &bytes::Bytes)| format!("{name}={value:?}");
            records.iter().map(|record| record.headers.iter().map(text).collect()).collect()
        };
        let found: Vec<Vec<String>> = read_with(&["c", "a", "b"]);
        assert_eq!(found, [vec!["a=b\"3\"", "c=b\"\""], vec![]]);
        let found: Vec<Vec<String>> = read_with(&[]);
        assert_eq!(found, [Vec::<String>::new(), vec![]]);
    }

    #[test]
    fn a_topic_that_is_not_there_is_an_error() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("clicks", 1, 1).unwrap();
        let mut client =
            TopicClient::connect("cliks", &options(&cluster.bootstrap_servers())).unwrap();
        assert_eq!(client.partitions().unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn what_the_promises_need_cannot_be_set() {
        let mut options = options("127.0.0.1:9");
        options.properties = vec![("isolation.level".to_owned(), "read_uncommitted".to_owned())];
        let error = TopicClient::connect("clicks", &options).unwrap_err();
        assert!(error.to_string().contains("isolation.level cannot be set"), "{error}");
        options.properties = vec![("isolation.levels".to_owned(), "1".to_owned())];
        let error = TopicClient::connect("clicks", &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        // Secrets stay inside.
        options.properties = vec![("sasl.password".to_owned(), "hidden".to_owned())];
        assert!(!format!("{options:?}").contains("hidden"));
    }
}
