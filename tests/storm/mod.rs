//! A model of Storm: it delivers tuples in any order, again and again, kills processes at any
//! moment and loses rows on their way; the answers are those of one run.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use streamgauge::adapter::storm::{
    Bolt, BoltOptions, Message, Output, Reply, Setup, TupleWork, run,
};
use streamgauge::adapter::worker::{Clock, ProcessorOptions};
use streamgauge::adapter::{Declared, JsonLinesSink, RecordPipeline, Sink};
use streamgauge::prelude::*;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines};
use streamgauge::store::{MemoryStore, Store, Version, VersionedBytes};

const START: i64 = 1_700_000_000_000;

const PAGES: &str = "time = 'ts'\nwindow = '10s'\nmax_delay = '0s'\ngroup = 'page'\n\
                     agg = ['count', 'sum(n) as n']\n";

const SETUP: &str = r#"{"pidDir":"PIDS","conf":{},"context":{"taskid":4,"componentid":"gauge",
    "task->component":{"3":"gauge","4":"gauge","5":"spout"},
    "source->stream->fields":{"spout":{"default":["id","ts","page","n"]}}}}"#;

/// A clock that goes on by a millisecond whenever somebody looks.
#[derive(Clone, Default)]
struct StepClock(Arc<AtomicU64>);

impl Clock for StepClock {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(START + self.0.fetch_add(1, Ordering::Relaxed) as i64)
    }

    fn sleep(&mut self, length: Duration) {
        self.0.fetch_add(length.as_millis() as u64, Ordering::Relaxed);
    }
}

/// A store that processes share. A save can be the last thing that a process does.
#[derive(Clone, Default)]
struct Deadly {
    store: Arc<MemoryStore>,
    /// 0: saves work. 1: the process ends before the next save. 2: after it.
    fate: Arc<AtomicU64>,
}

impl Store for Deadly {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        self.store.load(key)
    }

    fn save(
        &self,
        key: &str,
        bytes: bytes::Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, Error> {
        let killed = || Err(Error::new(ErrorKind::Unsupported, "killed"));
        match self.fate.swap(0, Ordering::Relaxed) {
            0 => self.store.save(key, bytes, expected),
            1 => killed(),
            _ => self.store.save(key, bytes, expected).and_then(|_| killed()),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.store.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.store.delete(key)
    }
}

type TestBolt = Bolt<Declared, Deadly, StepClock>;

fn declared(pipeline: &str, strict: bool) -> Declared {
    let spec = PipelineSpec::from_toml(pipeline, "p.toml").unwrap();
    let mut options = CompileOptions::default();
    options.strict = strict;
    Declared::compile(&spec, options).unwrap()
}

fn work(pipeline: &str, strict: bool) -> TupleWork<Declared> {
    let sink = |rows| -> Box<dyn Sink<Declared>> { Box::new(JsonLinesSink::new(rows)) };
    TupleWork::new(declared(pipeline, strict), sink, |work| work).unwrap()
}

fn open(work: TupleWork<Declared>, store: &Deadly, clock: &StepClock, id: bool) -> TestBolt {
    let mut reading = BoltOptions::default();
    reading.id = id.then(|| "id".to_owned());
    let mut options = ProcessorOptions::default();
    options.on_note = Box::new(|_| {});
    let setup = Setup::parse(SETUP.as_bytes()).unwrap();
    Bolt::open(&setup, (work, store.clone()), (reading, options), clock.clone()).unwrap()
}

/// A tuple of the spout. A strict pipeline refuses one without a number `n`.
#[derive(Clone, Debug)]
struct Item {
    ts: i64,
    page: &'static str,
    n: Option<u64>,
}

impl Item {
    fn values(&self, id: usize) -> Value {
        let n = self.n.map_or(json!("many"), |n| json!(n));
        json!([format!("id-{id}"), self.ts, self.page, n])
    }

    fn message(&self, id: usize, delivery: u64) -> Message {
        let text = json!({"id": delivery.to_string(), "comp": "spout", "stream": "default",
            "task": 5, "tuple": self.values(id)});
        Message::parse(text.to_string().as_bytes()).unwrap()
    }
}

/// Returns items of a few windows, each with its window.
fn items() -> impl Strategy<Value = Vec<Vec<Item>>> {
    let item = (0i64..10_000, 0usize..3, 0u64..12);
    let window = prop::collection::vec(item, 1..12);
    prop::collection::vec(window, 1..5).prop_map(|windows| {
        let item = |start: i64, (ts, page, n): (i64, usize, u64)| Item {
            ts: start + ts,
            page: ["/a", "/b", "/c"][page],
            n: (n > 0).then_some(n),
        };
        let windows = windows.into_iter().enumerate();
        windows
            .map(|(index, window)| {
                let start = START + 10_000 * index as i64;
                window.into_iter().map(|parts| item(start, parts)).collect()
            })
            .collect()
    })
}

fn expected(windows: &[Vec<Item>]) -> BTreeSet<String> {
    let mut pipeline = declared(PAGES, false);
    let shard = pipeline.open_shard(ShardId::new("s")).unwrap();
    let mut lines = BTreeSet::new();
    for (number, item) in windows.iter().flatten().enumerate() {
        let values = item.values(0);
        let data = json!({"ts": values[1], "page": values[2], "n": values[3]}).to_string();
        let sequence = Sequence::new(number as u64 + 1);
        let position = Position { shard: ShardId::new("s"), sequence };
        let arrival = Timestamp::from_millis(START);
        let record = Record {
            partition_key: "".into(),
            data: data.into(),
            arrival,
            position,
            headers: Default::default(),
        };
        RecordPipeline::push(&mut pipeline, shard, &record).unwrap();
    }
    pipeline.finish();
    while let Some(row) = pipeline.next_emission().unwrap() {
        let mut line = Vec::new();
        JsonLines::default().append(&row, &mut line);
        lines.insert(String::from_utf8(line).unwrap().trim().to_owned());
    }
    lines
}

/// The model. Each number of the list decides what happens next.
struct Storm<'a> {
    fates: &'a [u8],
    at: usize,
    strict: bool,
    store: Deadly,
    clock: StepClock,
    bolt: Option<TestBolt>,
    /// The item of each delivery.
    deliveries: BTreeMap<String, usize>,
    /// Rows that arrived.
    rows: BTreeSet<String>,
    /// How often each item was refused.
    refused: BTreeMap<usize, u32>,
}

impl Storm<'_> {
    fn fate(&mut self) -> usize {
        let fate = self.fates[self.at % self.fates.len()];
        self.at += 1;
        usize::from(fate) + self.at / self.fates.len()
    }

    fn bolt(&mut self) -> &mut TestBolt {
        let new = || open(work(PAGES, self.strict), &self.store, &self.clock, true);
        self.bolt.get_or_insert_with(new)
    }

    /// Delivers the items of a window until all of their tuples are done.
    fn window(&mut self, first: usize, items: &[Item]) {
        let mut todo: BTreeSet<usize> = (0..items.len()).collect();
        while !todo.is_empty() {
            let mut messages = Vec::new();
            for _ in 0..1 + self.fate() % 5 {
                let next = self.fate() % todo.len();
                let item = *todo.iter().nth(next).unwrap();
                let delivery = self.deliveries.len() as u64;
                self.deliveries.insert(format!("\"{delivery}\""), first + item);
                messages.push(items[item].message(first + item, delivery));
            }
            match self.fate() % 6 {
                0 => messages.push(Message::Tick("\"-1\"".to_owned())),
                1 => messages.insert(0, Message::Other),
                _ => {}
            }
            let (done, failed) = self.deliver(messages);
            for item in done.difference(&failed) {
                todo.remove(&(item - first));
            }
            let given_up = |refused: &u32| *refused > 2;
            todo.retain(|item| !self.refused.get(&(first + item)).is_some_and(given_up));
        }
    }

    /// Returns the items that were acked, and those whose rows were lost.
    fn deliver(&mut self, messages: Vec<Message>) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let fate = match self.fate() % 7 {
            fate @ 1..3 => fate as u64,
            _ => 0,
        };
        self.store.fate.store(fate, Ordering::Relaxed);
        // The first call of a process sends what the one before may not have sent.
        let is_new = self.bolt.is_none();
        let begun = if is_new { self.bolt().process(Vec::new()) } else { Ok(Vec::new()) };
        let replies = match begun {
            Ok(first) => self.bolt().process(messages).map(|more| [first, more].concat()),
            killed => killed,
        };
        self.store.fate.store(0, Ordering::Relaxed);
        let (mut done, mut failed) = (BTreeSet::new(), BTreeSet::new());
        let Ok(mut replies) = replies else {
            self.bolt = None;
            return (done, failed);
        };
        if self.fate().is_multiple_of(6) {
            // The process is killed while it writes.
            replies.truncate(self.fate() % (replies.len() + 1));
            self.bolt = None;
        }
        for reply in replies {
            match reply {
                Reply::Ack(id) if id != "\"-1\"" => {
                    done.insert(self.deliveries[&id]);
                }
                Reply::Fail(id) => *self.refused.entry(self.deliveries[&id]).or_default() += 1,
                Reply::Emit { anchor, text } => {
                    let is_lost = anchor.is_some() && self.fate().is_multiple_of(4);
                    match anchor {
                        Some(anchor) if is_lost => {
                            failed.insert(self.deliveries[&anchor]);
                        }
                        _ => {
                            self.rows.insert(String::from_utf8(text.to_vec()).unwrap());
                        }
                    }
                }
                _ => {}
            }
        }
        (done, failed)
    }
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn s340_s342_tuples_with_ids_count_once_whatever_storm_does(
        mut windows in items(),
        strict in any::<bool>(),
        fates in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        // The last one completes all windows.
        let last = Item { ts: START + 1_000_000, page: "/end", n: Some(1) };
        let mut storm = Storm {
            fates: &fates,
            at: 0,
            strict,
            store: Deadly::default(),
            clock: StepClock::default(),
            bolt: None,
            deliveries: BTreeMap::new(),
            rows: BTreeSet::new(),
            refused: BTreeMap::new(),
        };
        let mut first = 0;
        for window in &windows {
            storm.window(first, window);
            first += window.len();
        }
        storm.window(first, &[last]);
        let bad: usize = windows.iter().flatten().filter(|item| item.n.is_none()).count();
        prop_assert_eq!(storm.refused.len(), if strict { bad } else { 0 });
        if strict {
            windows.iter_mut().for_each(|window| window.retain(|item| item.n.is_some()));
        }
        prop_assert_eq!(storm.rows, expected(&windows));
    }
}

fn item(ts: i64) -> Item {
    Item { ts: START + ts, page: "/a", n: Some(1) }
}

fn rows(replies: &[Reply]) -> Vec<(Option<&str>, u64)> {
    let row = |reply: &'_ Reply| match reply {
        Reply::Emit { anchor, text } => {
            let row: Value = serde_json::from_slice(text).unwrap();
            // The model's rows have one group.
            Some((anchor.clone(), row["count"].as_u64().unwrap()))
        }
        _ => None,
    };
    let found = replies.iter().filter_map(row);
    found.map(|(anchor, count)| (anchor.map(|anchor| &*anchor.leak()), count)).collect()
}

#[test]
fn s341_tuples_without_an_id_count_at_least_once_and_their_rows_have_no_anchor() {
    let (store, clock) = (Deadly::default(), StepClock::default());
    let mut bolt = open(work(PAGES, false), &store, &clock, false);
    bolt.process(vec![item(0).message(0, 1), item(0).message(0, 2)]).unwrap();
    let replies = bolt.process(vec![item(20_000).message(1, 3)]).unwrap();
    assert_eq!(rows(&replies), [(None, 2)]);
    // A process that starts again does not know whether the row was sent.
    let replies = open(work(PAGES, false), &store, &clock, false).process(Vec::new()).unwrap();
    assert_eq!(rows(&replies), [(None, 2)]);
}

#[test]
fn s340_only_the_last_ids_are_known() {
    let (store, clock) = (Deadly::default(), StepClock::default());
    let mut bolt = open(work(PAGES, false).ids_max(2), &store, &clock, true);
    for id in [0, 1, 2, 2, 1, 0] {
        bolt.process(vec![item(0).message(id, 7)]).unwrap();
    }
    assert_eq!(bolt.work().repeated(), 2);
    let replies = bolt.process(vec![item(20_000).message(9, 8)]).unwrap();
    assert_eq!(rows(&replies), [(Some("\"8\""), 4)], "0 was forgotten");
}

#[test]
fn s342_a_row_comes_again_with_its_tuple_and_nothing_is_acked_before_it_is_saved() {
    let (store, clock) = (Deadly::default(), StepClock::default());
    let mut bolt = open(work(PAGES, false), &store, &clock, true);
    let replies = bolt.process(vec![item(0).message(0, 1)]).unwrap();
    assert_eq!(replies, [Reply::Ack("\"1\"".into())]);
    store.fate.store(2, Ordering::Relaxed);
    assert!(bolt.process(vec![item(20_000).message(1, 2)]).is_err());
    let mut bolt = open(work(PAGES, false), &store, &clock, true);
    assert_eq!(rows(&bolt.process(Vec::new()).unwrap()), [(None, 1)]);
    let again = bolt.process(vec![item(20_000).message(1, 3)]).unwrap();
    assert_eq!(rows(&again), [(Some("\"3\""), 1)]);
    assert_eq!(again[1], Reply::Ack("\"3\"".into()));
}

#[test]
fn s343_the_clock_completes_windows_at_ticks() {
    let (store, clock) = (Deadly::default(), StepClock::default());
    let sink = |rows| -> Box<dyn Sink<Declared>> { Box::new(JsonLinesSink::new(rows)) };
    let idle = |work: streamgauge::adapter::worker::PipelineWork<Declared>| {
        work.idle_after(Duration::from_secs(30))
    };
    let work = TupleWork::new(declared(PAGES, false), sink, idle).unwrap();
    let mut bolt = open(work, &store, &clock, true);
    bolt.process(vec![item(0).message(0, 1)]).unwrap();
    let tick = || vec![Message::Tick("\"-1\"".to_owned())];
    assert_eq!(bolt.process(tick()).unwrap(), [Reply::Ack("\"-1\"".into())]);
    clock.clone().sleep(Duration::from_secs(60));
    assert_eq!(rows(&bolt.process(tick()).unwrap()), [(None, 1)]);
}

#[test]
fn s344_a_second_process_of_a_task_ends_the_first() {
    let (store, clock) = (Deadly::default(), StepClock::default());
    let new = || open(work(PAGES, false), &store, &clock, true);
    let mut first = new();
    first.process(vec![item(0).message(0, 1)]).unwrap();
    let mut second = new();
    second.process(Vec::new()).unwrap();
    let error = first.process(vec![item(1).message(1, 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    second.process(vec![item(1).message(1, 3)]).unwrap();
    let replies = second.process(vec![item(20_000).message(2, 4)]).unwrap();
    assert_eq!(rows(&replies), [(Some("\"4\""), 2)]);
}

/// Runs a process over this input. Returns its output.
fn process(input: String) -> (Result<(), Error>, String) {
    let folder = std::env::temp_dir();
    let output = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let written = Output::new(Written(output.clone()));
    let input = std::io::Cursor::new(input.replace("PIDS", &folder.display().to_string()));
    let ended = run(input, &written, |setup| {
        let mut reading = BoltOptions::default();
        reading.id = Some("id".to_owned());
        let parts = (work(PAGES, false), Deadly::default());
        Bolt::open(setup, parts, (reading, ProcessorOptions::default()), StepClock::default())
    });
    let _ = std::fs::remove_file(folder.join(std::process::id().to_string()));
    let text = String::from_utf8(output.lock().unwrap().clone()).unwrap();
    (ended, text)
}

struct Written(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn frame(delivery: u64, ts: i64) -> String {
    let values = item(ts).values(delivery as usize);
    json!({"id": delivery.to_string(), "comp": "spout", "stream": "default", "task": 5,
        "tuple": values})
    .to_string()
        + "\nend\n"
}

#[test]
fn s345_a_process_shakes_hands_answers_heartbeats_and_ends_with_its_input() {
    let beat = "{\"id\":\"\",\"stream\":\"__heartbeat\",\"tuple\":[]}\nend\n";
    let input = format!("{SETUP}\nend\n{}{beat}[3]\nend\n{}", frame(1, 0), frame(2, 20_000));
    let (ended, output) = process(input);
    ended.unwrap();
    let lines: Vec<&str> = output.lines().filter(|line| *line != "end").collect();
    assert_eq!(lines[0], format!("{{\"pid\":{}}}", std::process::id()));
    for line in [r#"{"command":"sync"}"#, r#"{"command":"ack","id":"1"}"#] {
        assert_eq!(lines.iter().filter(|found| **found == line).count(), 1, "{output}");
    }
    assert!(output.contains(r#"{"command":"emit","anchors":["2"],"tuple":["{\"window\":"#));
    assert_eq!(lines.last(), Some(&r#"{"command":"ack","id":"2"}"#));
}

#[test]
fn s346_input_that_is_no_message_ends_the_process_with_an_error_that_storm_shows() {
    for (input, words) in [
        (String::from("{}\nend\n"), "this is not the first message of Storm"),
        (format!("{SETUP}\n"), "the input ends within a message"),
        (format!("{SETUP}\nend\n{}{{\"id\":", frame(1, 0)), "the input ends within a message"),
        (format!("{SETUP}\nend\nnonsense\nend\n"), "is not a message of Storm"),
        (format!("{SETUP}\nend\n{{}}\nend\n"), "neither a tuple nor a command"),
        (SETUP.replace("PIDS", "/nowhere/at/all") + "\nend\n", "cannot create /nowhere/at/all/"),
    ] {
        let (ended, output) = process(input);
        let error = ended.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(output.contains(r#"{"command":"error","msg":""#), "{output}");
    }
    let (ended, output) = process(String::new());
    assert!(ended.is_ok() && output.is_empty());
    // A tuple that has other values than its stream has fields is a dead letter.
    let few = frame(1, 0).replace(r#","/a",1]"#, "]");
    let (ended, output) = process(format!("{SETUP}\nend\n{few}{{\"command\":\"next\"}}\nend\n"));
    ended.unwrap();
    assert!(output.contains(r#"{"command":"ack","id":"1"}"#), "{output}");
}

proptest! {
    #![proptest_config(crate::cases(100))]

    #[test]
    fn s346_no_input_causes_a_panic(
        at in prop::collection::vec((any::<prop::sample::Index>(), 0usize..8), 0..4),
    ) {
        let mut input = format!("{SETUP}\nend\n{}{}", frame(1, 0), frame(2, 20_000));
        for (at, with) in at {
            let at = at.index(input.len());
            let with = ["\n", "end\n", "\"", "{", "]", "1e999", "null", "\nend\n"][with];
            if input.is_char_boundary(at) {
                input.replace_range(at..at + 1, with);
            }
        }
        let _ = process(input);
    }
}
