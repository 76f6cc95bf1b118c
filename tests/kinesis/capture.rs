//! Captures of streams: what a replay gives, and files that are no captures.

use super::cloud::{Cloud, Dice, Event, FIRST_START, Handle};
use proptest::prelude::*;
use std::cell::RefCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use streamgauge::adapter::capture::{Call, Capture, CaptureReader, Entry, Header, Step};
use streamgauge::adapter::kinesis::{StreamProcessor, StreamReader};
use streamgauge::adapter::kinesis_records::Aggregator;
use streamgauge::adapter::worker::{
    Batch, Checkpoint, CheckpointOutcome, Clock, PipelineWork, ProcessorOptions, StatefulProcessor,
    StreamStart, StreamWork,
};
use streamgauge::adapter::{Declared, JsonLinesSink, Packing, Sink};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::store::MemoryStore;
use streamgauge::{Error, ErrorKind, Position, Record, Sequence, ShardId, Timestamp};

const PIPELINE: &str = r#"
time = "ts"
time_format = "ms"
window = "10s"
every = "5s"
max_delay = "1s"
max_ahead = "5s"
lateness = "20s"
where = "n > 3"
group = "c"
agg = "count, sum(n), p99(n), top(2, k)"
"#;

/// The lines and the dead letters of a run.
#[derive(Clone, Default)]
struct Told {
    lines: Rc<RefCell<Vec<u8>>>,
    letters: Rc<RefCell<Vec<String>>>,
}

impl Told {
    fn take(&self) -> (String, Vec<String>) {
        (String::from_utf8(self.lines.take()).unwrap(), self.letters.take())
    }
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn work(told: &Told, header: &Header) -> PipelineWork<Declared> {
    let spec = PipelineSpec::from_toml(PIPELINE, "hits.toml").unwrap();
    let pipeline = Declared::compile(&spec, CompileOptions::default()).unwrap();
    let told = told.clone();
    let open = move |_: &ShardId, _: &Declared| {
        let sink: Box<dyn Sink<Declared>> =
            Box::new(JsonLinesSink::new(told.clone()).with_source(true));
        Ok(sink)
    };
    header.set_up(PipelineWork::new(pipeline, open).unwrap()).emit_early(Duration::from_secs(3))
}

fn options(dice: &mut Dice, told: &Told) -> ProcessorOptions {
    let mut options = ProcessorOptions::default();
    options.every_records = 1 + dice.below(40);
    options.every = Duration::from_millis(dice.below(4_000));
    options.on_note = Box::new(|_| {});
    let told = told.clone();
    options.on_dead_letter =
        Some(Box::new(move |error| told.letters.borrow_mut().push(error.to_string())));
    options
}

/// Returns a payload: a record, one that is late or ahead, no JSON, an aggregate, or no text.
fn payload(dice: &mut Dice, at: i64) -> bytes::Bytes {
    let record = |dice: &mut Dice| {
        let ts = at - dice.below(8_000) as i64 + if dice.percent(3) { 60_000 } else { 0 };
        let (n, c, k) = (dice.below(100), dice.below(3), dice.below(9));
        format!("{{\"ts\":{ts},\"c\":\"{c}\",\"n\":{n},\"k\":\"k{k}\"}}")
    };
    match dice.below(12) {
        0 => "{\"ts\":".into(),
        1 => bytes::Bytes::from_static(&[0xFF, 0x00, b'"']),
        2 | 3 => {
            let mut aggregate = Aggregator::new();
            for _ in 0..=dice.below(4) {
                aggregate.add(b"key", None, record(dice).as_bytes());
            }
            aggregate.take().unwrap()
        }
        _ => record(dice).into(),
    }
}

/// Returns the path of a file that no other test has.
fn path() -> PathBuf {
    static FILES: AtomicU64 = AtomicU64::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("streamgauge-capture-{}-{number}", std::process::id()))
}

fn open(path: &std::path::Path, header: &Header) -> Capture {
    Capture::open(path.to_str().unwrap(), u64::MAX, header).unwrap()
}

/// Repeats a capture, and returns what it tells.
fn replay(bytes: &[u8]) -> Result<(String, Vec<String>), Error> {
    let told = Told::default();
    let (mut header, mut stream) = (None, None);
    let mut shards = std::collections::BTreeMap::new();
    for entry in CaptureReader::new(bytes) {
        let (source, step) = match entry? {
            Entry::Header(found) => {
                header = Some(found);
                continue;
            }
            Entry::Call(Call { source, step, .. }) => (source, step),
            _ => continue,
        };
        let header = header.as_ref().unwrap();
        let is_stream = header.kind == streamgauge::adapter::capture::CaptureKind::Stream;
        if matches!(step, Step::Begin) {
            match is_stream {
                true => stream = Some(StreamWork::new(work(&told, header))),
                false => drop(shards.insert(source.clone(), work(&told, header))),
            }
        }
        let mut letter = |error: Error| told.letters.borrow_mut().push(error.to_string());
        let no_begin = || Error::new(ErrorKind::Parse, "a call before the first one");
        match (&mut stream, shards.get_mut(&source)) {
            (Some(work), _) => step.repeat_on_stream(&source, work, &mut letter)?,
            (None, work) => {
                let work = work.ok_or_else(no_begin)?;
                step.repeat_on_shard(&source, work, &mut letter)?;
            }
        }
    }
    Ok(told.take())
}

/// Reads a stream that is split and merged, with processes that end and are started again.
/// Returns the capture and what was told.
fn stream_run(seed: u64) -> (Vec<u8>, (String, Vec<String>)) {
    let mut dice = Dice::new(seed);
    let mut events = Vec::new();
    for index in 0..60 + dice.below(150) {
        let at = FIRST_START + (index * 150) as i64;
        let (key, data) = (format!("key-{}", dice.below(50)), payload(&mut dice, at));
        events.push((at, Event::Put { key, data }));
        if dice.percent(2) {
            events.push((at, if dice.percent(50) { Event::Split } else { Event::Merge }));
        }
    }
    let cloud = Cloud::new(seed, 1 + dice.below(3) as u32, dice.below(2) * 4, events);
    let stream = Handle(Rc::new(RefCell::new(cloud)));
    stream.0.borrow_mut().advance(FIRST_START);
    let (told, store, path) = (Told::default(), Arc::new(MemoryStore::new()), path());
    let header = Header::of_worker(true, Packing::Kpl, Some(Duration::from_secs(4)));
    let mut clock = stream.clone();
    loop {
        stream.0.borrow_mut().forget_calls();
        let capture = open(&path, &header);
        let work = StreamWork::new(work(&told, &header).on_call(capture.of_calls()));
        let processor = StatefulProcessor::new(work, store.clone(), options(&mut dice, &told));
        let reader = StreamReader::new(stream.clone(), seed);
        let place = (reader, processor);
        let Ok(mut reading) =
            StreamProcessor::open("hits", StreamStart::TrimHorizon, place, &mut clock)
        else {
            continue;
        };
        for _ in 0..1 + dice.below(400) {
            reading.step(&mut clock).unwrap();
            stream.0.borrow_mut().advance(dice.below(200) as i64);
        }
        if dice.percent(50) {
            reading.shut_down(&mut clock).unwrap();
        }
        if stream.0.borrow().is_over() {
            reading.finish().unwrap();
            break;
        }
    }
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    (bytes, told.take())
}

/// A source of one shard, with a clock that the test sets.
struct Source(i64);

impl Clock for Source {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }

    fn sleep(&mut self, length: Duration) {
        self.0 += length.as_millis() as i64;
    }
}

impl Checkpoint for Source {
    fn clock(&mut self) -> &mut dyn Clock {
        self
    }

    fn checkpoint(&mut self, _: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
        Ok(CheckpointOutcome::Accepted)
    }
}

/// Delivers batches of two shards, some of them again, to processes that are killed.
fn shards_run(seed: u64) -> (Vec<u8>, (String, Vec<String>)) {
    let mut dice = Dice::new(seed);
    let (told, store, path) = (Told::default(), Arc::new(MemoryStore::new()), path());
    let idle_after = dice.percent(70).then_some(Duration::from_secs(4));
    let header = Header::of_worker(false, Packing::Kpl, idle_after);
    let mut source = Source(FIRST_START);
    let mut number = 0;
    for _ in 0..6 {
        let shard = ShardId::new(format!("shard-{}", dice.below(2)));
        let work = work(&told, &header).on_call(open(&path, &header).of_calls());
        let mut processor = StatefulProcessor::new(work, store.clone(), options(&mut dice, &told));
        processor.open(&shard, None, source.now()).unwrap();
        for _ in 0..dice.below(20) {
            let mut batch = Batch::default();
            batch.millis_behind_latest = dice.percent(80).then_some(0);
            number -= dice.below(number.min(3) + 1);
            for _ in 0..dice.below(8) {
                number += 1;
                let (sequence, arrival) = (Sequence::new(number), source.now());
                let position = Position { shard: shard.clone(), sequence };
                let arrival = if dice.percent(5) { Record::ARRIVAL_UNKNOWN } else { arrival };
                let data = payload(&mut dice, source.0);
                batch.records.push(Record {
                    partition_key: "k".into(),
                    data,
                    arrival,
                    position,
                    headers: Default::default(),
                });
            }
            processor.process(&batch, &mut source).unwrap();
            source.0 += dice.below(3_000) as i64;
        }
        match dice.below(4) {
            0 => processor.end(&mut source).unwrap(),
            1 | 2 => processor.shut_down(&mut source).unwrap(),
            _ => {}
        }
    }
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    (bytes, told.take())
}

#[test]
fn s310_a_replayed_capture_gives_the_rows_and_dead_letters_of_the_run() {
    let (mut rows, mut letters) = (0, 0);
    for seed in 0..20 {
        for (capture, said) in [stream_run(seed), shards_run(seed)] {
            let again = replay(&capture).unwrap();
            assert_eq!(again.1, said.1, "seed {seed}: dead letters");
            assert_eq!(again.0, said.0, "seed {seed}: rows");
            (rows, letters) = (rows + said.0.lines().count(), letters + said.1.len());
        }
    }
    assert!(rows > 500 && letters > 50, "{rows} rows and {letters} dead letters");
}

proptest! {
    #![proptest_config(crate::cases(100))]

    #[test]
    fn s311_captures_with_bytes_changed_never_panic(
        seed in 0u64..8,
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        cut in 0usize..9,
    ) {
        let (mut capture, _) = shards_run(seed);
        let at = at.index(capture.len());
        let end = (at + cut).min(capture.len());
        capture.splice(at..end, bytes);
        if let Err(error) = replay(&capture) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn s311_a_file_that_is_no_capture_is_refused() {
    for (text, words) in [
        ("{\"ts\":1}\n", "not a line of a capture"),
        ("{\"source\":\"s\",\"call\":\"emit\"}\n", "its first line is no header"),
        ("{\"capture\":2,\"of\":\"shard\"}\n", "a capture of version 2"),
        ("{\"capture\":1,\"of\":\"queue\"}\n", "known are shard, stream, lambda and pipe"),
        ("{\"capture\":1,\"of\":\"shard\"}\n{\"source\":\"s\",\"call\":\"em", "line 2: "),
        ("{\"capture\":1,\"of\":\"shard\"}\n{\"source\":\"s\",\"call\":\"x\"}", "unknown call"),
    ] {
        let error = replay(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn s312_a_capture_has_a_limit_and_never_ends_a_run() {
    let path = path();
    let header = Header::new(streamgauge::adapter::capture::CaptureKind::Pipe);
    let mut capture = Capture::open(path.to_str().unwrap(), 500, &header).unwrap();
    for index in 0..100 {
        capture.chunk(Timestamp::from_millis(index), b"a line of some length\n");
    }
    drop(capture);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!((300..=500).contains(&bytes.len()), "{} bytes", bytes.len());
    let entries: Result<Vec<Entry>, Error> = CaptureReader::new(bytes.as_slice()).collect();
    assert!(matches!(entries.unwrap().last(), Some(Entry::Cut)));
}
