//! Rows and partials in topics of a simulated broker.

#![cfg(feature = "spec")]

use super::producer::TopicWriter;
use super::{TopicProducer, TopicRows, TopicTarget};
use crate::adapter::kafka::{ReadTopic, TopicClient, TopicEvent, TopicOptions};
use crate::adapter::{Declared, PartialTarget, RecordPipeline, RowOutput};
use crate::engine::Control;
use crate::error::ErrorKind;
use crate::query::PipelineSpec;
use crate::record::{Position, Record, Sequence, ShardId};
use crate::rows::{CompileOptions, RowEmission};
use crate::snapshot::Partial;
use crate::time::Timestamp;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(partitions: i32) -> (Cluster, TopicOptions) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("answers", partitions, 1).unwrap();
    let options = TopicOptions { brokers: cluster.bootstrap_servers(), ..TopicOptions::default() };
    (cluster, options)
}

/// Returns everything that is in the topic: partition, key and payload.
fn content(options: &TopicOptions, partitions: i32) -> Vec<(i32, String, Vec<u8>)> {
    let mut client = TopicClient::connect("answers", options).unwrap();
    let all: Vec<(i32, u64)> = (0..partitions).map(|partition| (partition, 0)).collect();
    client.begin(&all).unwrap();
    let (mut found, mut at_end) = (Vec::new(), BTreeSet::new());
    while at_end.len() < all.len() {
        for event in client.poll(Duration::from_millis(100)).unwrap() {
            match event {
                TopicEvent::Records(partition, records) => {
                    found.extend(records.into_iter().map(|record| {
                        let key = String::from_utf8(record.partition_key.to_vec()).unwrap();
                        (partition, key, record.data.to_vec())
                    }));
                }
                TopicEvent::AtEnd(partition) => {
                    at_end.insert(partition);
                }
                _ => {}
            }
        }
    }
    found
}

/// A pipeline that has read ten records of two groups in each of three minutes.
fn pipeline() -> Declared {
    let text = "window = \"1m\"\ngroup = \"c\"\nagg = \"count\"\n";
    let spec = PipelineSpec::from_toml(text, "hits.toml").unwrap();
    let mut hits = Declared::compile(&spec, CompileOptions::default()).unwrap();
    let shard_id = ShardId::new("clicks-0");
    let shard = hits.open_shard(shard_id.clone()).unwrap();
    for number in 0..60u64 {
        let record = Record {
            partition_key: "".into(),
            data: format!(r#"{{"c":"g{}"}}"#, number % 2).into(),
            arrival: Timestamp::from_millis(number as i64 * 3_000),
            position: Position { shard: shard_id.clone(), sequence: Sequence::new(number) },
            headers: Default::default(),
        };
        hits.push(shard, &record).unwrap();
    }
    hits.finish();
    hits
}

fn rows() -> Vec<RowEmission> {
    let mut hits = pipeline();
    std::iter::from_fn(|| hits.next_emission().unwrap()).collect()
}

fn partials(source: &str) -> Vec<Partial> {
    let mut hits = pipeline();
    std::iter::from_fn(|| hits.next_partial(source).unwrap()).collect()
}

#[test]
fn s350_rows_that_come_again_have_the_same_keys_and_content() {
    let (_cluster, options) = cluster(3);
    let write = |source: Option<&str>| {
        let producer = TopicProducer::connect(&options).unwrap();
        let mut answers = TopicRows::open(producer, "answers").unwrap();
        source.iter().for_each(|source| answers.set_source(source));
        rows().iter().for_each(|row| answers.push(row).unwrap());
        answers.flush().unwrap();
    };
    write(None);
    let once = content(&options, 3);
    assert_eq!(once.len(), 6);
    for (_, key, row) in &once {
        let line = String::from_utf8(row.clone()).unwrap();
        // What names the answer is what the row begins with.
        let rest = line.strip_prefix(key.strip_suffix('}').unwrap()).unwrap();
        assert!(rest.starts_with(",\"revision\":0,"), "{key} {line}");
        assert!(line.ends_with('}'), "{line}");
    }
    // A crash before the save: all rows come again, and a compacted topic has what it had.
    write(None);
    let twice = content(&options, 3);
    assert_eq!(twice.len(), 12);
    let compacted = |records: &[(i32, String, Vec<u8>)]| -> BTreeMap<(i32, String), Vec<u8>> {
        records.iter().cloned().map(|(at, key, row)| ((at, key), row)).collect()
    };
    assert_eq!(compacted(&twice), compacted(&once));
    assert_eq!(compacted(&once).len(), 6);
    // Rows of one partition of a source have other keys.
    write(Some("clicks-0"));
    let of_source = content(&options, 3);
    assert_eq!(compacted(&of_source).len(), 12);
    assert!(
        of_source.iter().any(|(_, key, _)| key.starts_with(r#"{"source":"clicks-0","window""#))
    );
}

#[test]
fn s351_a_row_that_no_broker_acknowledges_is_an_error() {
    let (cluster, options) = cluster(1);
    let producer = TopicProducer::connect(&options).unwrap();
    let mut answers = TopicRows::open(producer, "answers").unwrap();
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::Produce, &[refused]);
    let rows = rows();
    answers.push(&rows[0]).unwrap();
    let error = answers.flush().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("kafka:answers: a record was not written"), "{error}");
    assert_eq!(content(&options, 1).len(), 0);
}

#[test]
fn s351_an_error_that_passes_is_tried_again_and_nothing_is_there_twice() {
    let (cluster, options) = cluster(1);
    let producer = TopicProducer::connect(&options).unwrap();
    let mut answers = TopicRows::open(producer, "answers").unwrap();
    let passing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    cluster.request_errors(RDKafkaApiKey::Produce, &[passing, passing]);
    rows().iter().for_each(|row| answers.push(row).unwrap());
    answers.flush().unwrap();
    assert_eq!(content(&options, 1).len(), 6);
}

#[test]
fn s351_the_bytes_that_wait_for_a_broker_are_bounded() {
    let (cluster, options) = cluster(1);
    cluster.broker_round_trip_time(-1, Duration::from_millis(20)).unwrap();
    let writer = TopicWriter::new(TopicProducer::connect(&options).unwrap(), "answers");
    let payload = vec![b'x'; 900_000];
    for _ in 0..40 {
        writer.send(None, b"k", &payload).unwrap();
        assert!(writer.unacknowledged() <= 16 << 20);
    }
    writer.flush().unwrap();
    assert_eq!(writer.unacknowledged(), 0);
}

#[test]
fn s352_the_partials_of_a_window_are_in_one_partition() {
    let (_cluster, options) = cluster(4);
    let producer = TopicProducer::connect(&options).unwrap();
    let mut target = TopicTarget::open(producer, "answers").unwrap();
    for source in ["a", "b", "a"] {
        partials(source).iter().for_each(|partial| target.put(partial).unwrap());
    }
    target.flush().unwrap();
    let found = content(&options, 4);
    assert_eq!(found.len(), 9);
    let mut places: BTreeMap<i64, BTreeSet<i32>> = BTreeMap::new();
    let mut keys: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (partition, key, bytes) in found {
        let partial = Partial::from_bytes(bytes.clone()).unwrap();
        assert!(key.ends_with(&format!("/{}", partial.source())), "{key}");
        places.entry(partial.window().unwrap().start().as_millis()).or_default().insert(partition);
        keys.entry(key).or_default().insert(bytes);
    }
    assert!(places.len() == 3 && places.values().all(|partitions| partitions.len() == 1));
    // One key for each window and source, with one content.
    assert!(keys.len() == 6 && keys.values().all(|contents| contents.len() == 1));
}

#[test]
fn what_the_promises_need_cannot_be_set() {
    let mut options = TopicOptions { brokers: "127.0.0.1:9".to_owned(), ..TopicOptions::default() };
    options.properties = vec![("acks".to_owned(), "1".to_owned())];
    let error = TopicProducer::connect(&options).unwrap_err();
    assert!(error.to_string().contains("acks cannot be set"), "{error}");
}
