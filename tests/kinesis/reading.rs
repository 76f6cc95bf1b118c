//! Streams that are read while they are split and merged, calls fail and processes are killed.

use super::cloud::{Cloud, Dice, Event, FIRST_START, Handle};
use super::pushing::Pushing;
use md5::{Digest, Md5};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use streamgauge::adapter::kinesis::{FanOut, ReadStream, StreamProcessor, StreamReader};
use streamgauge::adapter::worker::{
    PipelineWork, ProcessorOptions, StatefulProcessor, StreamStart, StreamWork,
};
use streamgauge::adapter::{Declared, ExactFile, JsonLinesSink, RecordPipeline, Sink};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::store::MemoryStore;
use streamgauge::{Control, Error, ErrorKind, Position, Record, Sequence, ShardId, Timestamp};

pub(super) const PIPELINE: &str = r#"
time = "ts"
time_format = "ms"
window = "10s"
max_delay = "10m"
max_ahead = "off"
group = "c"
agg = "count, sum(n), distinct(k)"
"#;

/// Several queries over the same records.
const QUERIES: &str = r#"
time = "ts"
time_format = "ms"
max_delay = "10m"
max_ahead = "off"
[[query]]
name = "hits"
window = "10s"
group = "c"
agg = "count, sum(n), distinct(k)"
[[query]]
name = "thirds"
window = "30s"
every = "7s"
where = "n % 3 = 0"
[[query]]
name = "visits"
session = "700ms"
group = "k"
"#;

/// Records arrive from here on. Before it only the backlog is there.
const QUIET_UNTIL: i64 = 20_000;

/// Seeds from here on read by enhanced fan-out.
const PUSHED: u64 = 1 << 32;

type Reading = StreamProcessor<Box<dyn ReadStream>, PipelineWork<Declared>, Arc<MemoryStore>>;

pub(super) fn spec(toml: &str) -> PipelineSpec {
    PipelineSpec::from_toml(toml, "hits.toml").unwrap()
}

pub(super) fn declared(toml: &str) -> Declared {
    Declared::compile(&spec(toml), CompileOptions::default()).unwrap()
}

/// What happens to a stream, and the payloads that its answers are of, by the time of their
/// arrival.
pub(super) struct Script {
    pub(super) events: Vec<(i64, Event)>,
    pub(super) payloads: Vec<(i64, String)>,
}

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut events = Vec::new();
        let mut payloads = Vec::new();
        let records = 100 + dice.below(400);
        for index in 0..records {
            // A tenth is there before the first start.
            let at = match index < records / 10 {
                true => index as i64,
                false => QUIET_UNTIL + (index * 100) as i64 + dice.below(90) as i64,
            };
            let (ts, c) = (at - dice.below(5_000) as i64, dice.below(3));
            let payload =
                format!("{{\"ts\":{ts},\"c\":\"{c}\",\"n\":{index},\"k\":{}}}", index % 7);
            let key = format!("key-{}", dice.below(50));
            events.push((at, Event::Put { key, data: payload.clone().into() }));
            payloads.push((at, payload));
        }
        let until = events.last().map_or(0, |(at, _)| *at) as u64;
        for _ in 0..dice.below(6) {
            let at = 1 + dice.below(until) as i64;
            events.push((at, if dice.percent(50) { Event::Split } else { Event::Merge }));
        }
        events.sort_by_key(|(at, _)| *at);
        Script { events, payloads }
    }

    /// Returns the lines of a batch over the payloads that arrived from this time on.
    pub(super) fn expected(&self, toml: &str, from: i64) -> String {
        let mut pipeline = declared(toml);
        let shard = pipeline.open_shard(ShardId::new("all")).unwrap();
        for (index, (_, payload)) in self.payloads.iter().filter(|(at, _)| *at >= from).enumerate()
        {
            let sequence = Sequence::new(index as u64);
            let record = Record {
                partition_key: "".into(),
                data: payload.clone().into(),
                arrival: Timestamp::from_millis(0),
                position: Position { shard: ShardId::new("all"), sequence },
                headers: Default::default(),
            };
            pipeline.push(shard, &record).unwrap();
        }
        pipeline.finish();
        let mut out = Vec::new();
        JsonLinesSink::new(&mut out).drain(&mut pipeline, "all").unwrap();
        String::from_utf8(out).unwrap()
    }
}

/// The lines of all processes, in memory.
#[derive(Clone, Default)]
struct Lines(Rc<RefCell<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the answers go.
#[derive(Clone)]
enum Output {
    Memory(Lines),
    File(std::path::PathBuf),
}

/// Starts a process that reads the stream.
fn start(
    toml: &str,
    stream: &Handle,
    store: &Arc<MemoryStore>,
    (output, from, seed): (&Output, StreamStart, u64),
) -> Result<Reading, Error> {
    stream.0.borrow_mut().forget_calls();
    let file = match output {
        Output::File(path) => Some(ExactFile::open(path)?),
        Output::Memory(_) => None,
    };
    let (lines, out) = (output.clone(), file.clone());
    let work = PipelineWork::new(declared(toml), move |_, _| {
        Ok(match (&lines, &out) {
            (_, Some(file)) => Box::new(JsonLinesSink::new(file.clone())),
            (Output::Memory(lines), _) => Box::new(JsonLinesSink::new(lines.clone())),
            _ => unreachable!("a file is open"),
        })
    })?;
    let mut work = StreamWork::new(work);
    if let Some(file) = file {
        work = work.output(file);
    }
    let mut options = ProcessorOptions::default();
    (options.every_records, options.every) = (30, Duration::from_secs(2));
    options.on_note = Box::new(|note| assert!(note.contains("another owner has saved"), "{note}"));
    let processor = StatefulProcessor::new(work, store.clone(), options);
    let transport: Box<dyn ReadStream> = match seed >= PUSHED {
        true => Box::new(FanOut::new(Pushing::new(stream.clone()))),
        false => Box::new(stream.clone()),
    };
    let reader = StreamReader::new(transport, seed);
    StreamProcessor::open("hits", from, (reader, processor), &mut stream.clone())
}

/// Reads a stream to its end, with processes that are killed or end in order. Returns the faults
/// that there were.
fn read_all(
    toml: &str,
    script: &Script,
    output: &Output,
    (from, seed): (StreamStart, u64),
) -> Handle {
    let mut dice = Dice::new(seed ^ 0x5EED);
    let (shards, faults) = (1 + dice.below(5) as u32, dice.below(3) * 4);
    let cloud = Cloud::new(seed, shards, faults, script.events.clone());
    let stream = Handle(Rc::new(RefCell::new(cloud)));
    stream.0.borrow_mut().advance(FIRST_START);
    let store = Arc::new(MemoryStore::new());
    let mut reading = None;
    let (mut steps, mut ended_at) = (0, None);
    loop {
        let mut process = match reading.take() {
            Some(reading) => reading,
            None => match start(toml, &stream, &store, (output, from, seed + steps)) {
                Ok(reading) => reading,
                // The first listing fails where three attempts do.
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
                    continue;
                }
            },
        };
        process.step(&mut stream.clone()).unwrap();
        steps += 1;
        assert!(steps < 200_000, "it does not come to an end");
        let is_over = stream.0.borrow().is_over();
        if is_over && ended_at.is_none() {
            let end = "{\"ts\":9000000000000,\"c\":\"end\",\"n\":0,\"k\":0}".into();
            stream.0.borrow_mut().put_everywhere(&end);
            ended_at = Some(stream.0.borrow().now);
        }
        let is_complete = process
            .work()
            .work()
            .pipeline()
            .watermark()
            .is_some_and(|time| time.as_millis() > 8_000_000_000_000);
        if is_complete {
            process.shut_down(&mut stream.clone()).unwrap();
            return stream;
        }
        match dice.below(150) {
            0 => drop(process),
            1 => {
                process.shut_down(&mut stream.clone()).unwrap();
                drop(process);
                stream.0.borrow_mut().advance(dice.below(20_000) as i64);
            }
            _ => reading = Some(process),
        }
    }
}

/// Returns the last line of each window and group, in order. Of two lines of the same revision the
/// content is the same.
pub(super) fn by_row(lines: &str) -> BTreeMap<(i64, String), String> {
    let mut rows = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let window = row["window"]["start"].to_string();
        let (group, revision) = (row["group"].to_string(), row["revision"].as_u64().unwrap());
        let before = seen.insert((window.clone(), group.clone(), revision), line.to_owned());
        assert!(before.is_none_or(|before| before == line), "{line}");
        rows.insert((window.len() as i64, window + &group), line.to_owned());
    }
    rows
}

/// Reads a stream for each seed. Returns the kinds of what happened.
fn whatever_happens(seeds: std::ops::Range<u64>) -> Vec<&'static str> {
    let mut seen = std::collections::BTreeSet::new();
    for seed in seeds {
        let script = Script::new(seed);
        let (from, counted) = match seed % 3 {
            0 => (StreamStart::TrimHorizon, 0),
            1 => (StreamStart::Latest, QUIET_UNTIL),
            _ => (StreamStart::AtTime(Timestamp::from_millis(7)), 7),
        };
        let lines = Lines::default();
        let stream = read_all(PIPELINE, &script, &Output::Memory(lines.clone()), (from, seed));
        seen.extend(stream.0.borrow().seen.iter().copied());
        let found = String::from_utf8(lines.0.take()).unwrap();
        assert_eq!(by_row(&found), by_row(&script.expected(PIPELINE, counted)), "seed {seed}");
    }
    seen.into_iter().collect()
}

#[test]
fn s210_s211_s212_s214_every_record_counts_once_whatever_happens() {
    let seeds = std::env::var("STREAMGAUGE_FULL").map_or(150, |_| 10_000);
    assert_eq!(
        whatever_happens(0..seeds),
        ["empty in the middle", "expired", "lost connection", "throttled", "twice"]
    );
}

#[test]
fn s272_fan_out_counts_every_record_once_whatever_happens() {
    let seeds = std::env::var("STREAMGAUGE_FULL").map_or(100, |_| 10_000);
    assert_eq!(
        whatever_happens(PUSHED..PUSHED + seeds),
        ["in use", "lost connection", "over", "silent", "throttled"]
    );
}

#[test]
fn s213_a_file_of_answers_is_that_of_a_run_byte_for_byte() {
    for seed in 1000..1012 {
        let path = std::env::temp_dir()
            .join(format!("streamgauge-stream-{}-{seed}.jsonl", std::process::id()));
        let script = Script::new(seed);
        read_all(PIPELINE, &script, &Output::File(path.clone()), (StreamStart::TrimHorizon, seed));
        let found = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found, script.expected(PIPELINE, 0), "seed {seed}");
    }
}

/// Returns the lines of each query, in their order.
fn by_query(lines: &str) -> BTreeMap<String, Vec<&str>> {
    let mut queries = BTreeMap::<_, Vec<_>>::new();
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        queries.entry(row["query"].to_string()).or_default().push(line);
    }
    queries
}

#[test]
fn s225_each_query_of_a_stream_has_the_rows_of_a_run() {
    for seed in 2000..2012 {
        let path = std::env::temp_dir()
            .join(format!("streamgauge-queries-{}-{seed}.jsonl", std::process::id()));
        let script = Script::new(seed);
        let output = Output::File(path.clone());
        read_all(QUERIES, &script, &output, (StreamStart::TrimHorizon, seed));
        let found = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let expected = script.expected(QUERIES, 0);
        assert_eq!(by_query(&expected).len(), 3, "seed {seed}");
        assert_eq!(by_query(&found), by_query(&expected), "seed {seed}");
    }
}

#[test]
fn s214_a_stream_does_not_begin_in_the_future() {
    let stream = Handle(Rc::new(RefCell::new(Cloud::new(5, 2, 0, Vec::new()))));
    let from = StreamStart::AtTime(Timestamp::from_millis(60_000));
    let output = Output::Memory(Lines::default());
    let error = start(PIPELINE, &stream, &Arc::default(), (&output, from, 1)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("in the future"), "{error}");
}

/// Returns an aggregate of the KPL with a record for each partition key.
fn aggregate(records: &[(&str, &str)]) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let keys = records.iter().flat_map(|(key, _)| field(1, key.as_bytes()));
    let parts = records.iter().enumerate().flat_map(|(index, (_, data))| {
        field(3, &[&[8, index as u8][..], &field(3, data.as_bytes())].concat())
    });
    let message: Vec<u8> = keys.chain(parts).collect();
    let digest = Md5::digest(&message);
    [&[0xF3, 0x89, 0x9A, 0xC2][..], &message, &digest].concat()
}

#[test]
fn s215_a_user_record_of_another_shard_is_dropped() {
    // The MD5 of "a" begins with 0c, that of "k" with 8c.
    let parts = [("a", r#"{"ts":1,"c":"low"}"#), ("k", r#"{"ts":2,"c":"high"}"#)];
    let put = |key: &str| (1, Event::Put { key: key.to_owned(), data: aggregate(&parts).into() });
    // The same aggregate on both shards, as after a reshard.
    let mut script = Script { events: vec![put("a"), put("k")], payloads: Vec::new() };
    script.payloads = parts.iter().map(|(_, payload)| (1, (*payload).to_owned())).collect();
    let stream = Handle(Rc::new(RefCell::new(Cloud::new(5, 2, 0, script.events.clone()))));
    stream.0.borrow_mut().advance(FIRST_START);
    let lines = Lines::default();
    let output = Output::Memory(lines.clone());
    let from = StreamStart::TrimHorizon;
    let mut reading = start(PIPELINE, &stream, &Arc::default(), (&output, from, 1)).unwrap();
    for _ in 0..20 {
        reading.step(&mut stream.clone()).unwrap();
    }
    reading.finish().unwrap();
    let found = String::from_utf8(lines.0.take()).unwrap();
    assert_eq!(by_row(&found), by_row(&script.expected(PIPELINE, 0)));
    assert_eq!(reading.records(), 2);
}

#[test]
fn s216_of_two_processes_with_the_same_state_the_older_one_stops() {
    let script = Script::new(3);
    let cloud = Cloud::new(3, 2, 0, script.events.clone());
    let stream = Handle(Rc::new(RefCell::new(cloud)));
    let (store, output) = (Arc::new(MemoryStore::new()), Output::Memory(Lines::default()));
    let with = (&output, StreamStart::TrimHorizon, 1);
    let mut older = start(PIPELINE, &stream, &store, with).unwrap();
    for _ in 0..50 {
        older.step(&mut stream.clone()).unwrap();
    }
    let mut newer = start(PIPELINE, &stream, &store, with).unwrap();
    let stopped = (0..2000).find_map(|_| {
        stream.0.borrow_mut().forget_calls();
        older.step(&mut stream.clone()).err()
    });
    let error = stopped.unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().starts_with("another process reads the stream"), "{error}");
    stream.0.borrow_mut().forget_calls();
    newer.step(&mut stream.clone()).unwrap();
}
