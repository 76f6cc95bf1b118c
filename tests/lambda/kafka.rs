//! Events of Kafka: each partition is a shard, whatever a mapping of Kafka does with its batches.

use base64_simd::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use streamgauge::adapter::lambda::{Handler, KafkaEvent, Reply};
use streamgauge::adapter::{Declared, PartialSink, RecordPipeline, each_of_source};
use streamgauge::merger::{MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines, RowEmission};
use streamgauge::snapshot::Partial;
use streamgauge::store::{MemoryStore, Store, Version, VersionedBytes};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_900_000);

const PAGES: &str = "window = '10s'\nmax_delay = '2s'\n\
    group = ['page', '_headers.a']\nagg = ['count', 'sum(n)']\n";

fn declared(pipeline: &str, strict: bool) -> Declared {
    let spec = PipelineSpec::from_toml(pipeline, "p.toml").unwrap();
    let mut options = CompileOptions::default();
    options.strict = strict;
    Declared::compile(&spec, options).unwrap()
}

/// A record of a partition.
#[derive(Clone, Debug)]
struct Put {
    offset: u64,
    time: i64,
    /// `None` is a tombstone.
    value: Option<String>,
}

impl Put {
    fn is_good(&self) -> bool {
        self.value.as_ref().is_none_or(|value| value.starts_with('{'))
    }

    /// The headers as Lambda has them, and the value of `a`.
    fn headers(&self) -> (Value, Option<&'static [u8]>) {
        match self.offset % 6 {
            0 => (json!([]), None),
            1 => (json!([{"a": [120]}]), Some(b"x")),
            2 => (json!([{"b": [1]}, {"a": [120]}, {"a": [-61, -87]}]), Some("é".as_bytes())),
            3 => (json!([{"a": [120]}, {"a": null}]), None),
            4 => (json!([{"a": [1, -1]}]), Some(b"\x01\xff")),
            _ => (json!([{"a": [], "b": [120]}]), Some(b"")),
        }
    }

    fn json(&self) -> Value {
        json!({"topic": "clicks", "partition": 0, "offset": self.offset, "timestamp": self.time,
            "timestampType": "CREATE_TIME", "key": "aw==", "headers": self.headers().0,
            "value": self.value.as_ref().map(|value| STANDARD.encode_to_string(value))})
    }

    fn record(&self, partition: &str) -> Record {
        let mut headers = Headers::default();
        headers.set(&"a".into(), self.headers().1.map(Bytes::from_static));
        Record {
            partition_key: "k".into(),
            data: self.value.clone().unwrap_or_default().into(),
            arrival: Timestamp::from_millis(self.time),
            position: Position {
                shard: ShardId::new(partition),
                sequence: Sequence::new(self.offset),
            },
            headers,
        }
    }
}

/// Records whose offsets have holes, as after aborted transactions and compaction.
fn puts() -> impl Strategy<Value = Vec<Put>> {
    let put = (1u64..4, 0i64..3000, 0u8..12);
    prop::collection::vec(put, 0..60).prop_map(|puts| {
        let (mut offset, mut clock) = (0, 1_700_000_000_000);
        let mut put = |(hole, step, kind): (u64, i64, u8)| {
            offset += hole;
            clock += step;
            let page = ["/a", "/b", "/c"][usize::from(kind) % 3];
            let value = match kind {
                0 => None,
                1 => Some("oops".to_owned()),
                _ => Some(format!(r#"{{"page":"{page}","n":{offset}}}"#)),
            };
            Put { offset, time: clock - i64::from(kind) * 300, value }
        };
        puts.into_iter().map(&mut put).collect()
    })
}

fn event(batches: &[(String, Vec<Put>)]) -> Vec<u8> {
    let records: serde_json::Map<String, Value> = batches
        .iter()
        .map(|(name, puts)| (name.clone(), puts.iter().map(Put::json).collect()))
        .collect();
    json!({"eventSource": "aws:kafka", "eventSourceArn": "arn:aws:kafka:r:1:cluster/c/u",
        "records": records})
    .to_string()
    .into_bytes()
}

/// The lines of rows of each source, each once.
type Lines = BTreeMap<String, Vec<String>>;

fn add(lines: &mut Lines, source: &str, row: &RowEmission) {
    let mut line = Vec::new();
    JsonLines::default().append(row, &mut line);
    let line = String::from_utf8(line).unwrap();
    let all = lines.entry(source.to_owned()).or_default();
    // After a lost reply a row can be written again, with the same content.
    if !all.contains(&line) {
        all.push(line);
    }
}

/// The lines of one run over the records of each partition.
fn expected(partitions: &[(String, Vec<Put>)]) -> Lines {
    let mut lines = Lines::new();
    for (name, puts) in partitions {
        let mut pipeline = declared(PAGES, false);
        let shard = pipeline.open_shard(ShardId::new(name.as_str())).unwrap();
        for put in puts.iter().filter(|put| put.value.is_some()) {
            RecordPipeline::push(&mut pipeline, shard, &put.record(name)).unwrap();
            while let Some(row) = pipeline.next_emission().unwrap() {
                add(&mut lines, name, &row);
            }
        }
    }
    lines
}

/// A store that the functions share.
#[derive(Clone, Default)]
struct Shared(Arc<MemoryStore>);

impl Store for Shared {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        self.0.load(key)
    }

    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error> {
        self.0.save(key, bytes, expected)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.0.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.delete(key)
    }
}

/// A model of a mapping of Kafka: an event has batches of several partitions, replies are lost,
/// batches are halved, and of a refused batch only what the reply names comes again.
struct Mapping<'a> {
    fates: &'a [u8],
    at: usize,
    /// The number of records that were given up.
    dropped: usize,
}

impl Mapping<'_> {
    fn fate(&mut self) -> usize {
        let fate = self.fates[self.at % self.fates.len()];
        self.at += 1;
        usize::from(fate) + self.at / self.fates.len()
    }

    fn run(&mut self, partitions: &[(String, Vec<Put>)], function: &mut dyn FnMut(&[u8]) -> Reply) {
        let mut rest: Vec<(String, Vec<Put>)> = partitions.to_vec();
        while rest.iter().any(|(_, puts)| !puts.is_empty()) {
            let mut batches = Vec::new();
            for (name, puts) in &mut rest {
                let size = (self.fate() % 7).min(puts.len());
                if size > 0 {
                    batches.push((name.clone(), puts.drain(..size).collect::<Vec<_>>()));
                }
            }
            self.batch(batches, function);
        }
    }

    fn batch(
        &mut self,
        batches: Vec<(String, Vec<Put>)>,
        function: &mut dyn FnMut(&[u8]) -> Reply,
    ) {
        let mut rest = batches;
        for attempt in 0.. {
            if rest.iter().all(|(_, puts)| puts.is_empty()) {
                return;
            }
            let reply = function(&event(&rest));
            match self.fate() % 5 {
                0 => continue,
                1 if attempt < 3 => {
                    // Halved, each half of each partition.
                    let tail = |(name, puts): &mut (String, Vec<Put>)| {
                        (name.clone(), puts.split_off(puts.len() / 2))
                    };
                    let second = rest.iter_mut().map(tail).collect();
                    self.batch(rest, function);
                    return self.batch(second, function);
                }
                _ => {}
            }
            let named =
                |name: &str, put: &Put| reply.offsets().contains(&(ShardId::new(name), put.offset));
            let count: usize = rest.iter().map(|(_, puts)| puts.len()).sum();
            for (name, puts) in &mut rest {
                puts.retain(|put| named(name, put));
            }
            let left: usize = rest.iter().map(|(_, puts)| puts.len()).sum();
            assert_eq!(left, reply.offsets().len(), "only records of the batch are named");
            if left == count {
                // Given up after retries: the first records of all partitions are refused ones.
                rest.iter_mut().filter(|(_, puts)| !puts.is_empty()).for_each(|(_, puts)| {
                    assert!(!puts.remove(0).is_good());
                    self.dropped += 1;
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(150))]

    #[test]
    fn s334_s335_s336_partitions_with_a_store_equal_one_run_each(
        first in puts(),
        second in puts(),
        third in puts(),
        strict in any::<bool>(),
        fates in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let names = ["clicks-0", "clicks-1", "other.topic-10"].map(str::to_owned);
        let partitions: Vec<(String, Vec<Put>)> =
            names.into_iter().zip([first, second, third]).collect();
        let (store, lines) = (Shared::default(), Arc::new(Mutex::new(Lines::new())));
        let new = || {
            let lines = lines.clone();
            let sink = each_of_source(move |source: &str, row: RowEmission| {
                add(&mut lines.lock().unwrap(), source, &row);
                Ok(())
            });
            Handler::new(declared(PAGES, strict), sink).unwrap().stored(store.clone())
        };
        let mut handler = new();
        let mut invocations = 0;
        let mut mapping = Mapping { fates: &fates, at: 0, dropped: 0 };
        mapping.run(&partitions, &mut |event| {
            invocations += 1;
            if invocations % 3 == 0 {
                handler = new();
            }
            handler.handle_bytes(event, NOW).unwrap()
        });
        let bad = partitions.iter().flat_map(|(_, puts)| puts).filter(|put| !put.is_good());
        prop_assert_eq!(mapping.dropped, if strict { bad.count() } else { 0 });
        let mut good = partitions.clone();
        if strict {
            good.iter_mut().for_each(|(_, puts)| puts.retain(Put::is_good));
        }
        prop_assert_eq!(&*lines.lock().unwrap(), &expected(&good));
    }

    /// No text of a similar form makes a handler panic.
    #[test]
    fn s65_s335_hostile_events_of_kafka_do_not_panic(
        replaced in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12), 0..4),
    ) {
        let mut text = String::from_utf8(fixture()).unwrap();
        for (at, with) in replaced {
            let with = ["null", "\"", "{", "]", "-", "1e999", "99999999999999999999", ":", ",",
                "\\u0000", "clicks-0", "[[]]"][with];
            let at = at.index(text.len());
            text.replace_range(at..at + 1, with);
        }
        for strict in [false, true] {
            let sink = || each_of_source(|_: &str, _: RowEmission| Ok(()));
            let new = || Handler::new(declared(PAGES, strict), sink()).unwrap();
            for mut handler in [new().stored(MemoryStore::new()), new().stateless(), new()] {
                if let Ok(reply) = handler.handle_bytes(text.as_bytes(), NOW) {
                    prop_assert!(strict || reply.offsets().is_empty());
                }
            }
        }
    }
}

fn fixture() -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/lambda/06-kafka.json", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
}

/// The rows of the fixture without a state, and the reply.
fn rows_of(pipeline: &str, strict: bool) -> (Vec<String>, Result<Reply, Error>, u64) {
    let rows = Arc::new(Mutex::new(Vec::new()));
    let kept = rows.clone();
    let sink = each_of_source(move |source: &str, row: RowEmission| {
        let mut line = Vec::new();
        JsonLines::default().append(&row, &mut line);
        kept.lock().unwrap().push(format!("{source} {}", String::from_utf8(line).unwrap().trim()));
        Ok(())
    });
    let mut handler = Handler::new(declared(pipeline, strict), sink).unwrap().stateless();
    let reply = handler.handle_bytes(&fixture(), NOW);
    let dead_letters = handler.invocation().dead_letters;
    assert_eq!(handler.invocation().shard, None, "the event has two");
    drop(handler);
    (Arc::into_inner(rows).unwrap().into_inner().unwrap(), reply, dead_letters)
}

#[test]
fn s337_a_tombstone_is_no_record() {
    let (rows, reply, dead_letters) = rows_of("agg = 'count'\n", false);
    assert_eq!(
        rows,
        [
            r#"clicks-1:15 {"window":null,"revision":0,"count":3}"#,
            r#"clicks-0:9223372036854775806 {"window":null,"revision":0,"count":2}"#
        ]
    );
    assert_eq!((reply.unwrap(), dead_letters), (Reply::done(), 1));
    let (rows, ..) = rows_of("format = 'lines'\nagg = 'count'\n", false);
    assert!(rows[0].contains(r#""count":3"#), "{rows:?}");
}

#[test]
fn s336_a_strict_reply_names_the_refused_record_and_all_after_it() {
    let (rows, reply, _) = rows_of("agg = 'count'\n", true);
    assert_eq!(rows.len(), 2);
    let failed = [19, 20].map(|offset| (ShardId::new("clicks-1"), offset));
    assert_eq!(reply.unwrap().offsets(), failed);
    let text = String::from_utf8(fixture()).unwrap();
    let sink = each_of_source(|_: &str, _: RowEmission| Ok(()));
    let mut handler = Handler::new(declared("agg = 'count'\n", true), sink).unwrap().stateless();
    let nameless = text.replace(r#""offset":20"#, r#""offset":null"#);
    let error = handler.handle_bytes(nameless.as_bytes(), NOW).unwrap_err();
    assert!(error.to_string().contains("records[\"clicks-1\"][3]: value \"?\""), "{error}");
    assert!(handler.invocation().failed);
}

#[test]
fn s65_an_event_of_kafka_has_no_tumbling_window() {
    let sink = each_of_source(|_: &str, _: RowEmission| Ok(()));
    let mut handler = Handler::new(declared(PAGES, false), sink).unwrap();
    let error = handler.handle_bytes(&fixture(), NOW).unwrap_err();
    assert!(error.to_string().contains("run in stored or stateless mode"), "{error}");
}

/// A batch that comes again whole gives the partials of the same sources.
#[test]
fn s66_s335_partials_of_a_repeated_batch_replace_each_other() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let target = {
        let kept = kept.clone();
        move |partial: &Partial| {
            kept.lock().unwrap().push(partial.clone());
            Ok(())
        }
    };
    let pipeline = declared("agg = 'sum(bytes) as bytes'\n", false);
    let mut handler = Handler::new(pipeline, PartialSink::new(target)).unwrap().stateless();
    let spec = PipelineSpec::from_toml("agg = 'sum(bytes) as bytes'\n", "p.toml").unwrap();
    let merged = spec.compile(&CompileOptions::default()).unwrap();
    let mut options = MergerOptions::default();
    options.sources = Some(2);
    let mut merger = merged.into_merger(options).unwrap();
    for _ in 0..2 {
        handler.handle_bytes(&fixture(), NOW).unwrap();
    }
    let partials = kept.lock().unwrap();
    assert_eq!(partials.len(), 4);
    for partial in partials.iter() {
        merger.add(partial, NOW).unwrap();
    }
    merger.finish();
    let row = merger.next_row().unwrap().unwrap();
    let mut line = Vec::new();
    JsonLines::default().append(&row.emission, &mut line);
    let line = String::from_utf8(line).unwrap();
    assert!(line.contains(r#""bytes":25"#), "each record once: {line}");
}

/// The event can be read without a handler.
#[test]
fn an_event_of_a_cluster_that_aws_does_not_manage_is_read_alike() {
    let msk = KafkaEvent::from_slice(&fixture()).unwrap();
    let text = String::from_utf8(fixture()).unwrap();
    for source in ["SelfManagedKafka", "aws:SelfManagedKafka"] {
        let own = text.replace("aws:kafka\"", &format!("{source}\""));
        let own = KafkaEvent::from_slice(own.as_bytes()).unwrap();
        assert_eq!(own.partitions.len(), 2);
        for (own, msk) in own.partitions.iter().zip(&msk.partitions) {
            assert_eq!(own.records, msk.records);
        }
    }
    assert_eq!(msk.partitions[1].headers(1).unwrap().len(), 2);
}
