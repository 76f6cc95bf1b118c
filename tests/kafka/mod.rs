//! Topics of Kafka read by one process, over a simulated topic.

mod topic;
mod traps;

use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use streamgauge::adapter::kafka::TopicProcessor;
use streamgauge::adapter::worker::{
    Clock, PipelineWork, ProcessorOptions, StatefulProcessor, StreamStart, StreamWork,
};
use streamgauge::adapter::{Declared, RecordPipeline, each};
use streamgauge::prelude::*;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines, RowEmission};
use streamgauge::store::MemoryStore;
use streamgauge::{Error, ErrorKind, Timestamp};
use topic::Topic;

const PIPELINE: &str = "
time = \"ts\"
time_format = \"ms\"
window = \"1s\"
max_ahead = \"off\"
max_delay = \"0s\"
agg = \"count\"
";

type Reader = TopicProcessor<Topic, PipelineWork<Declared>, Arc<MemoryStore>>;

/// A clock that a test sets.
struct TestClock(i64);

impl Clock for TestClock {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }

    fn sleep(&mut self, length: Duration) {
        self.0 += length.as_millis() as i64;
    }
}

/// An application with one process at a time.
struct Application {
    topic: Topic,
    store: Arc<MemoryStore>,
    lines: Rc<RefCell<Vec<String>>>,
    clock: TestClock,
    idle_after: Option<Duration>,
    pipeline: String,
}

impl Application {
    fn new(topic: &Topic) -> Self {
        Application {
            topic: topic.clone(),
            store: Arc::new(MemoryStore::new()),
            lines: Rc::default(),
            clock: TestClock(1_000_000),
            idle_after: None,
            pipeline: PIPELINE.to_owned(),
        }
    }

    fn start(&mut self, from: StreamStart) -> Result<Reader, Error> {
        let spec = PipelineSpec::from_toml(&self.pipeline, "hits.toml")?;
        let pipeline = Declared::compile(&spec, CompileOptions::default())?;
        let lines = self.lines.clone();
        let work = PipelineWork::new(pipeline, move |_, _| {
            let lines = lines.clone();
            Ok(Box::new(each(move |row: RowEmission| {
                let mut line = Vec::new();
                JsonLines::default().append(&row, &mut line);
                lines.borrow_mut().push(String::from_utf8(line).unwrap());
                Ok(())
            })))
        })?;
        let work = match self.idle_after {
            Some(length) => work.idle_after(length),
            None => work,
        };
        let mut options = ProcessorOptions::default();
        options.every_records = 1;
        let processor = StatefulProcessor::new(StreamWork::new(work), self.store.clone(), options);
        TopicProcessor::open("clicks", from, (self.topic.clone(), processor), &mut self.clock)
    }

    /// Reads until the topic has nothing more.
    fn read(&mut self, reader: &mut Reader) -> Result<(), Error> {
        for _ in 0..20 {
            reader.step(&mut self.clock)?;
            self.clock.0 += 200;
        }
        Ok(())
    }

    /// Returns the counts of the windows that are out, by the second of their start.
    fn counts(&self) -> Vec<(i64, u64)> {
        let lines = self.lines.borrow();
        let count = |line: &String| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let start: Timestamp = row["window"]["start"].as_str().unwrap().parse().unwrap();
            (start.as_millis() / 1000, row["count"].as_u64().unwrap())
        };
        lines.iter().map(count).collect()
    }
}

/// A record of a second.
fn at(second: i64) -> String {
    format!("{{\"ts\":{}}}", second * 1000)
}

#[test]
fn s320_each_record_of_a_topic_counts_once_over_crashes_and_holes_in_offsets() {
    let topic = Topic::new(2);
    let mut application = Application::new(&topic);
    for second in 0..30 {
        topic.put(0, &at(second));
        topic.skip(0, second as u64 % 3); // markers of transactions, deleted keys
        topic.put(1, &at(second));
    }
    // Processes that end without a word, each after a few records.
    for _ in 0..200 {
        let mut reader = application.start(StreamStart::TrimHorizon).unwrap();
        topic.deliver_at_most(3);
        application.clock.0 += 1000;
        reader.step(&mut application.clock).unwrap();
    }
    let counts = application.counts();
    assert_eq!(counts, (0..29).map(|second| (second, 2)).collect::<Vec<_>>());
}

#[test]
fn s321_a_topic_begins_where_the_first_start_says_and_nothing_is_passed_over_later() {
    let topic = Topic::new(2);
    topic.put(0, &at(1));
    let mut application = Application::new(&topic);
    // The process ends before the first record.
    drop(application.start(StreamStart::Latest).unwrap());
    topic.put(0, &at(2));
    topic.put(1, &at(2));
    topic.add_partition();
    topic.put(2, &at(2));
    for partition in 0..3 {
        topic.put(partition, &at(9));
    }
    let mut reader = application.start(StreamStart::Latest).unwrap();
    application.read(&mut reader).unwrap();
    assert_eq!(application.counts(), [(2, 3)]);
}

#[test]
fn s321_a_topic_begins_at_a_time() {
    let topic = Topic::new(1);
    topic.put(0, &at(1));
    topic.put(0, &at(2));
    topic.put(0, &at(3));
    let mut application = Application::new(&topic);
    // The time of a record in the simulated topic is its offset in seconds.
    let from = StreamStart::AtTime(Timestamp::from_millis(1_000));
    let mut reader = application.start(from).unwrap();
    application.read(&mut reader).unwrap();
    assert_eq!(application.counts(), [(2, 1)]);
}

#[test]
fn s322_a_partition_that_is_added_while_the_topic_is_read_is_found() {
    let topic = Topic::new(1);
    let mut application = Application::new(&topic);
    let mut reader = application.start(StreamStart::TrimHorizon).unwrap();
    topic.put(0, &at(1));
    application.read(&mut reader).unwrap();
    topic.add_partition();
    topic.put(1, &at(1));
    application.clock.0 += 60_000;
    application.read(&mut reader).unwrap();
    topic.put(0, &at(9));
    topic.put(1, &at(9));
    application.read(&mut reader).unwrap();
    assert_eq!(application.counts(), [(1, 2)]);
    assert!(reader.take_notes().iter().any(|note| note.contains("partitions were added: 1")));
}

#[test]
fn s323_records_that_were_deleted_before_they_were_read_are_told() {
    let topic = Topic::new(1);
    let mut application = Application::new(&topic);
    topic.put(0, &at(1));
    let mut reader = application.start(StreamStart::TrimHorizon).unwrap();
    application.read(&mut reader).unwrap();
    drop(reader);
    for second in 2..6 {
        topic.put(0, &at(second));
    }
    topic.delete_before(0, 3);
    let mut reader = application.start(StreamStart::TrimHorizon).unwrap();
    let notes = reader.take_notes().join("\n");
    assert!(notes.contains("clicks-0: the topic has deleted offsets 1 to 2"), "{notes}");
    application.read(&mut reader).unwrap();
    assert_eq!(application.counts(), [(1, 1), (4, 1)]);
}

#[test]
fn s323_a_topic_that_was_created_again_is_refused() {
    let topic = Topic::new(2);
    let mut application = Application::new(&topic);
    topic.put(0, &at(1));
    topic.put(0, &at(2));
    let mut reader = application.start(StreamStart::TrimHorizon).unwrap();
    application.read(&mut reader).unwrap();
    drop(reader);
    for again in [Topic::new(2), Topic::new(1)] {
        application.topic = again;
        let error = application.start(StreamStart::TrimHorizon).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        assert!(error.to_string().contains("created again"), "{error}");
    }
}

#[test]
fn s324_a_second_process_with_the_same_state_stops_the_first() {
    let topic = Topic::new(1);
    let mut application = Application::new(&topic);
    let mut first = application.start(StreamStart::TrimHorizon).unwrap();
    drop(application.start(StreamStart::TrimHorizon).unwrap());
    topic.put(0, &at(1));
    let error = application.read(&mut first).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("another process reads the topic"), "{error}");
}

#[test]
fn s331_the_key_of_a_record_is_a_field() {
    let text = PIPELINE.replace("agg =", "group = \"_key\"\nagg =");
    let spec = PipelineSpec::from_toml(&text, "hits.toml").unwrap();
    let mut pipeline = Declared::compile(&spec, CompileOptions::default()).unwrap();
    let shard = pipeline.open_shard(ShardId::new("clicks-0")).unwrap();
    let keys: [(&[u8], &str); 5] = [
        (b"a", "{\"ts\":1}"),
        (b"a", "{\"ts\":2}"),
        (b"b", "{\"ts\":3,\"_key\":\"own\"}"),
        (b"", "{\"ts\":4}"),
        (b"\xff", "{\"ts\":5}"),
    ];
    for (offset, (key, data)) in keys.into_iter().enumerate() {
        let record = Record {
            partition_key: key.to_vec().into(),
            data: data.into(),
            arrival: Timestamp::from_millis(0),
            position: Position {
                shard: ShardId::new("clicks-0"),
                sequence: Sequence::new(offset as u64),
            },
            headers: Default::default(),
        };
        pipeline.push(shard, &record).unwrap();
    }
    pipeline.finish();
    let mut found = Vec::new();
    while let Some(row) = pipeline.next_emission().unwrap() {
        let row = serde_json::to_value(&row).unwrap();
        found.push((row["group"]["_key"].clone(), row["count"].clone()));
    }
    found.sort_by_key(|(key, _)| key.to_string());
    let expected = [("a".into(), 2.into()), ("own".into(), 1.into()), (Value::Null, 2.into())];
    assert_eq!(found, expected);
}

/// The index of a header's name, and its value; `None` is null.
type Header = (usize, Option<Vec<u8>>);

const NAMES: [&str; 4] = ["trace", "x-tenant", "a.b", "other"];

const BY_HEADER: &str = "window = '1m'\nlet = ['tenant = _headers.\"x-tenant\"']\n\
                         group = ['_headers.trace', 'tenant', '_headers.a.b']\n\
                         agg = ['count', 'sum(_headers.trace) as total']\n";

/// Runs the pipeline over records with these headers, one at a time. Returns its rows.
fn rows_by_header(records: &[(Vec<Header>, &str)]) -> Vec<Value> {
    let spec = PipelineSpec::from_toml(BY_HEADER, "hits.toml").unwrap();
    let mut pipeline = Declared::compile(&spec, CompileOptions::default()).unwrap();
    let mut names = pipeline.headers();
    names.sort();
    assert_eq!(names, [Arc::from("a.b"), "trace".into(), "x-tenant".into()]);
    let shard = pipeline.open_shard(ShardId::new("clicks-0")).unwrap();
    for (offset, (headers, data)) in records.iter().enumerate() {
        let position =
            Position { shard: ShardId::new("clicks-0"), sequence: Sequence::new(offset as u64) };
        let arrival = Timestamp::from_millis(0);
        let data = data.to_string().into();
        let mut record = Record {
            partition_key: "".into(),
            data,
            arrival,
            position,
            headers: Headers::default(),
        };
        for (name, value) in headers {
            record.headers.set(&NAMES[*name].into(), value.clone().map(Into::into));
        }
        pipeline.push(shard, &record).unwrap();
    }
    pipeline.finish();
    let mut rows = Vec::new();
    while let Some(row) = pipeline.next_emission().unwrap() {
        let row = serde_json::to_value(&row).unwrap();
        rows.push(json!([row["group"], row["count"], row["total"]]));
    }
    rows
}

#[test]
fn s333_the_headers_of_a_record_are_fields() {
    let text = |name, text: &str| (name, Some(text.as_bytes().to_vec()));
    let rows = rows_by_header(&[
        (vec![text(0, "7"), text(1, "x"), text(2, "dots"), text(3, "unread")], "{}"),
        (vec![text(0, "8"), text(1, "x"), text(0, "7")], "{\"_headers.a.b\":\"dots\"}"),
        (vec![text(0, "7"), (0, None)], "{}"),
        (vec![(0, Some(b"\xff".to_vec())), text(1, "")], "{}"),
        (vec![text(0, "8")], "{\"_headers\":{\"trace\":\"9\"}}"),
    ]);
    let key = |trace: Value, tenant: Value, dots: Value| json!({"_headers.trace": trace, "tenant": tenant, "_headers.a.b": dots});
    let mut expected = vec![
        json!([key(Value::Null, "".into(), Value::Null), 1, null]),
        json!([key(Value::Null, Value::Null, Value::Null), 1, null]),
        json!([key("7".into(), "x".into(), "dots".into()), 2, 14]),
        json!([key("9".into(), Value::Null, Value::Null), 1, 9]),
    ];
    let order = |row: &Value| row.to_string();
    let mut rows = rows;
    rows.sort_by_key(order);
    expected.sort_by_key(order);
    assert_eq!(rows, expected);
}
