//! The KCL processor in a simulated deployment. Each shard has a daemon whose processes take the
//! shard over from each other, crash at any operation of the store, the sink or the pipe, meet a
//! flaky store and refused checkpoints, and hand windows over when shards are split and merged.

use super::source::{Hit, ShardLog, Stream};
use super::world::merged_so_far;
use super::{Answers, Random, differences, seeds};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use streamgauge::adapter::kcl::{
    self, Batch, Clock, Message, PipelineWork, ProcessorOptions, Reply, Session, StartingPoint,
    StatefulProcessor,
};
use streamgauge::adapter::{Decoding, PartialSink, RecordPipeline, Sink};
use streamgauge::engine::RecentIds;
use streamgauge::merger::{Merger, MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::record::Record;
use streamgauge::snapshot::Partial;
use streamgauge::store::{MemoryStore, Store, Version, VersionedBytes};

/// Decreases by one with each operation. At 0 the process is dead.
#[derive(Clone)]
struct Fuse(Arc<AtomicI64>);

impl Fuse {
    fn new(operations: i64) -> Self {
        Fuse(Arc::new(AtomicI64::new(operations)))
    }

    fn is_dead(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= 0
    }

    /// Calls `operation`, unless the process dies before; `None` if it died before or after.
    fn burn<T>(&self, operation: impl FnOnce() -> T) -> Option<T> {
        if self.is_dead() {
            return None;
        }
        // The last two steps are one operation: dead before it, or after it.
        let left = self.0.fetch_sub(2, Ordering::Relaxed) - 2;
        if left < 0 {
            return None;
        }
        let done = operation();
        (left > 0).then_some(done)
    }
}

fn dead() -> Error {
    Error::new(ErrorKind::Unsupported, "the process is dead")
}

/// The store as one process accesses it.
struct ProcessStore {
    inner: Arc<MemoryStore>,
    fuse: Fuse,
    /// One operation in this many fails, after or before it was done.
    flaky: i64,
    operations: AtomicI64,
}

impl ProcessStore {
    fn operate<T>(&self, operation: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let number = 1 + self.operations.fetch_add(1, Ordering::Relaxed);
        let lost = || Error::new(ErrorKind::Io, "the connection was lost");
        self.fuse
            .burn(|| match number % self.flaky {
                0 if number % 2 == 0 => Err(lost()),
                0 => operation().and_then(|_| Err(lost())),
                _ => operation(),
            })
            .unwrap_or_else(|| Err(dead()))
    }
}

impl Store for ProcessStore {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        self.operate(|| self.inner.load(key))
    }

    fn save(
        &self,
        key: &str,
        bytes: bytes::Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, Error> {
        self.operate(|| self.inner.save(key, bytes, expected))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        // The processor does not retry it, so a failure could only cause a crash.
        self.fuse.burn(|| self.inner.list(prefix)).unwrap_or_else(|| Err(dead()))
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.operate(|| self.inner.delete(key))
    }
}

/// The daemon's data of a shard.
#[derive(Default)]
struct Lease {
    /// The number of the process that has it.
    holder: u64,
    checkpoint: Option<Sequence>,
    ended: bool,
    /// Checkpoints that were refused, and those that were accepted.
    refused: u64,
    taken: u64,
}

/// One process's end of the pipe, and the daemon behind it.
struct Line {
    process: u64,
    lease: Rc<RefCell<Lease>>,
    fuse: Fuse,
    input: Vec<u8>,
    read: usize,
    written: Vec<u8>,
    /// The last record that the daemon has given.
    delivered: Option<Sequence>,
    shard_end: bool,
    random: Random,
}

impl Line {
    fn say(&mut self, message: &str) {
        self.input.extend_from_slice(message.as_bytes());
        self.input.push(b'\n');
    }

    fn hear(&mut self) {
        while let Some(end) = self.written.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.written.drain(..=end).collect();
            if let Ok(Reply::Checkpoint { sequence, sub }) = Reply::parse(line.trim_ascii()) {
                let error = self
                    .checkpoint(sequence.map(|number| Sequence { number, sub: sub.unwrap_or(0) }));
                let error = error.map_or(String::from("null"), |error| format!("{error:?}"));
                self.say(&format!(r#"{{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":{error}}}"#));
            }
        }
    }

    fn checkpoint(&mut self, upto: Option<Sequence>) -> Option<&'static str> {
        let mut lease = self.lease.borrow_mut();
        lease.refused += 1;
        if lease.holder != self.process {
            return Some("ShutdownException");
        }
        match self.random.below(12) {
            0 => return Some("ThrottlingException"),
            1 => return Some("KinesisClientLibDependencyException"),
            2 if !self.shard_end => return Some("SomeOtherException"),
            _ => {}
        }
        let upto = match upto {
            None if self.shard_end => {
                lease.ended = true;
                return None;
            }
            None => self.delivered.clone(),
            upto => upto,
        };
        assert!(
            upto <= self.delivered,
            "{upto:?} was never given, only up to {:?}",
            self.delivered
        );
        assert!(
            upto >= lease.checkpoint,
            "{upto:?} is before the last checkpoint {:?}",
            lease.checkpoint
        );
        lease.checkpoint = upto;
        lease.refused -= 1;
        lease.taken += 1;
        None
    }
}

#[derive(Clone)]
struct Pipe(Rc<RefCell<Line>>, Vec<u8>);

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Pipe {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.1.is_empty() {
            let mut line = self.0.borrow_mut();
            let fuse = line.fuse.clone();
            let from = line.read;
            line.read = line.input.len();
            self.1 = fuse.burn(|| line.input[from..].to_vec()).unwrap_or_default();
        }
        Ok(&self.1)
    }

    fn consume(&mut self, count: usize) {
        self.1.drain(..count);
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut line = self.0.borrow_mut();
        let fuse = line.fuse.clone();
        fuse.burn(|| line.written.extend_from_slice(bytes))
            .ok_or_else(|| io::Error::other("the process is dead"))?;
        line.hear();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open_sink<P: RecordPipeline + 'static>(
    partials: Rc<RefCell<Vec<Partial>>>,
    fuse: Fuse,
) -> impl FnMut(&ShardId, &P) -> Result<Box<dyn Sink<P>>, Error> {
    move |_, _| {
        let (partials, fuse) = (partials.clone(), fuse.clone());
        let put = move |partial: &Partial| {
            fuse.burn(|| partials.borrow_mut().push(partial.clone())).ok_or_else(dead)
        };
        Ok(Box::new(PartialSink::new(put)))
    }
}

/// A clock that the test sets, and that sleeping advances.
#[derive(Clone)]
struct HandClock(Rc<RefCell<i64>>);

impl Clock for HandClock {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(*self.0.borrow())
    }

    fn sleep(&mut self, length: Duration) {
        *self.0.borrow_mut() += length.as_millis() as i64;
    }
}

/// One process of a shard.
struct Process {
    /// Returns the result of the process, and true if it has found that another process has the
    /// shard.
    run: Box<dyn FnMut() -> (Result<kcl::End, Error>, bool)>,
    line: Rc<RefCell<Line>>,
    cursor: usize,
    said_last: bool,
}

struct World {
    random: Random,
    stream: Stream,
    store: Arc<MemoryStore>,
    leases: Vec<Rc<RefCell<Lease>>>,
    processes: Vec<Vec<Process>>,
    partials: Rc<RefCell<Vec<Partial>>>,
    clock: HandClock,
    started: u64,
    crashes: u64,
    lateness: u64,
    idle_after: Option<u64>,
    events: BTreeMap<&'static str, u64>,
}

/// Numbers that rise as (number, sub-sequence number) too: what the KPL aggregated.
fn sequence(number: u64) -> Sequence {
    Sequence { number: (1_000_000 + number / 3).into(), sub: number % 3 }
}

fn hit(record: &Record) -> Result<Hit, String> {
    let text = std::str::from_utf8(&record.data).map_err(|error| error.to_string())?;
    let mut parts = text.split('|');
    let mut next = || parts.next().ok_or("a part is missing").map_err(String::from);
    let (id, time, group, value) = (next()?.to_owned(), next()?, next()?.to_owned(), next()?);
    let number = |text: &str| text.parse::<i64>().map_err(|error| error.to_string());
    Ok(Hit { id, time: number(time)?, group, value: number(value)? })
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x6b63_6c00);
        let stream = Stream::new(&mut random);
        let idle_after = random.chance(40).then(|| 1 + random.below(200) as u64);
        // The clock completes windows for which records may still come: they must be accepted.
        let lateness = if idle_after.is_some() {
            1_000_000
        } else {
            random.below(2) as u64 * random.below(50) as u64
        };
        World {
            leases: stream.shards.iter().map(|_| Rc::default()).collect(),
            processes: stream.shards.iter().map(|_| vec![]).collect(),
            random,
            stream,
            store: Arc::default(),
            partials: Rc::default(),
            clock: HandClock(Rc::default()),
            started: 0,
            crashes: 0,
            lateness,
            idle_after,
            events: BTreeMap::new(),
        }
    }

    fn note(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    fn builder(
        &self,
    ) -> streamgauge::pipeline::Builder<
        Hit,
        impl Aggregate<Hit, Output = streamgauge::aggregate::Groups<Box<str>, (u64, i128)>> + use<>,
    > {
        let mut builder = Pipeline::builder()
            .event_time(|hit: &Hit| Timestamp::from_millis(hit.time))
            .window(self.stream.windows())
            .out_of_orderness(millis(self.stream.disorder as u64))
            .allowed_lateness(millis(self.lateness));
        if self.stream.retries {
            builder = builder
                .deduplicate_by(|hit: &Hit| hit.id.as_str(), RecentIds::new(256, 1e-9).unwrap());
        }
        builder.aggregate(group_by(
            |hit: &Hit| hit.group.as_str(),
            (count(), sum(|hit: &Hit| hit.value)),
        ))
    }

    /// Starts a process of the shard, which has the lease from then on.
    fn start(&mut self, shard: usize) {
        self.started += 1;
        // Few crash for ever: a shard would never come to its end.
        let operations = if self.crashes < 25 && self.random.chance(60) {
            1 + self.random.below(160) as i64
        } else {
            i64::MAX
        };
        let fuse = Fuse::new(operations);
        let lease = self.leases[shard].clone();
        lease.borrow_mut().holder = self.started;
        let line = Rc::new(RefCell::new(Line {
            process: self.started,
            lease: lease.clone(),
            fuse: fuse.clone(),
            input: vec![],
            read: 0,
            written: vec![],
            delivered: lease.borrow().checkpoint.clone(),
            shard_end: false,
            random: Random::new(self.random.next()),
        }));
        let flaky = if self.random.chance(30) { 3 + self.random.below(7) as i64 } else { i64::MAX };
        let store = ProcessStore {
            inner: self.store.clone(),
            fuse: fuse.clone(),
            flaky,
            operations: AtomicI64::new(0),
        };
        let open = open_sink(self.partials.clone(), fuse);
        let mut work =
            PipelineWork::new(Decoding::new(self.builder().build().unwrap(), hit), open).unwrap();
        if let Some(idle_after) = self.idle_after {
            work = work.idle_after(millis(idle_after));
        }
        let mut options = ProcessorOptions::default();
        options.every_records = 1 + self.random.below(15) as u64;
        options.every = millis(self.random.below(50) as u64);
        options.stale_after = millis(self.random.below(500) as u64);
        options.require_state = true;
        options.on_note = Box::new(|_| {});
        let mut processor = StatefulProcessor::new(work, store, options);
        let mut session = Session::new(Pipe(line.clone(), vec![]), Pipe(line.clone(), vec![]));
        let mut clock = self.clock.clone();
        let run = Box::new(move || {
            let end = kcl::run(&mut session, &mut processor, &mut clock);
            (end, processor.failure().is_some())
        });
        let after = lease.borrow().checkpoint.clone();
        let log = &self.stream.shards[shard].records;
        let cursor = log
            .iter()
            .take_while(|(number, _)| {
                after.as_ref().is_some_and(|after| sequence(*number) <= *after)
            })
            .count();
        let from = after.map_or(StartingPoint::TrimHorizon, StartingPoint::After);
        let name = ShardId::new(self.stream.shards[shard].name.as_str());
        line.borrow_mut().say(&Message::Initialize { shard: name, from }.to_json());
        self.processes[shard].push(Process { run, line, cursor, said_last: false });
    }

    fn step(&mut self) -> bool {
        let is_done = |shard: usize| self.leases[shard].borrow().ended;
        let ready: Vec<usize> = (0..self.stream.shards.len())
            .filter(|shard| {
                !is_done(*shard)
                    && self.stream.shards[*shard].parents.iter().all(|parent| is_done(*parent))
            })
            .collect();
        if ready.is_empty() {
            return false;
        }
        let shard = ready[self.random.below(ready.len())];
        if self.processes[shard].is_empty()
            || (self.processes[shard].len() < 3 && self.random.chance(5))
        {
            if !self.processes[shard].is_empty() {
                self.note("take-over");
            }
            self.start(shard);
        }
        *self.clock.0.borrow_mut() += if self.random.chance(5) {
            self.random.below(400) as i64
        } else {
            self.random.below(10) as i64
        };
        let index = self.random.below(self.processes[shard].len());
        let mut process = self.processes[shard].swap_remove(index);
        if self.converse(shard, &mut process) {
            self.processes[shard].push(process);
        }
        true
    }

    /// Sends a message to a process and handles its answer. Returns true if the process still
    /// lives.
    fn converse(&mut self, shard: usize, process: &mut Process) -> bool {
        let holds = self.leases[shard].borrow().holder == process.line.borrow().process;
        let all_given = process.cursor >= self.stream.shards[shard].records.len();
        let last = match self.random.below(100) {
            // The process or the daemon is killed.
            0..2 => return false,
            2..5 if holds => {
                process.line.borrow_mut().say(r#"{"action":"shutdownRequested"}"#);
                self.note("shutdown");
                false
            }
            5..7 => true,
            _ if !holds && self.random.chance(30) => true,
            _ if all_given && holds => {
                process.line.borrow_mut().shard_end = true;
                process.line.borrow_mut().say(r#"{"action":"shardEnded"}"#);
                process.said_last = true;
                false
            }
            _ => {
                let message = self.records(shard, process);
                process.line.borrow_mut().say(&message);
                false
            }
        };
        if last {
            process.line.borrow_mut().say(r#"{"action":"leaseLost"}"#);
        }
        let (ended, is_stale) = (process.run)();
        let crashed = process.line.borrow().fuse.is_dead();
        if crashed {
            self.crashes += 1;
            self.note("crash");
        } else if let Err(error) = &ended {
            // A live process gives up only for a reason: another one has the shard, or a required
            // checkpoint was not accepted.
            let expected = matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Io);
            assert!(expected, "{error}");
        }
        if is_stale {
            self.note("conflict");
        }
        if self.leases[shard].borrow().ended {
            self.note("shard end");
        }
        !(crashed || last || process.said_last || ended.is_err())
    }

    fn records(&mut self, shard: usize, process: &mut Process) -> String {
        let log = &self.stream.shards[shard];
        let end = (process.cursor + self.random.below(10)).min(log.records.len());
        let mut batch = Batch::default();
        for (number, hit) in &log.records[process.cursor..end] {
            let position =
                Position { shard: ShardId::new(log.name.as_str()), sequence: sequence(*number) };
            let data = format!("{}|{}|{}|{}", hit.id, hit.time, hit.group, hit.value).into();
            batch.records.push(Record {
                partition_key: "k".into(),
                data,
                arrival: Timestamp::from_millis(hit.time),
                position,
                headers: Default::default(),
            });
        }
        batch.millis_behind_latest = [Some(0), Some(0), Some(7), None][self.random.below(4)];
        process.cursor = end;
        let last = batch.records.last().map(|record| record.position.sequence.clone());
        let mut line = process.line.borrow_mut();
        line.delivered = last.or_else(|| line.delivered.clone());
        Message::ProcessRecords(batch).to_json()
    }

    fn merge(&mut self) -> Answers {
        let mut options = MergerOptions::default();
        options.deadline = Some(millis(0));
        let mut merger =
            Merger::new(self.builder().build().unwrap().into_engine(), options).unwrap();
        let mut partials = self.partials.take();
        // In any order, some of them twice.
        for _ in 0..partials.len() {
            let (one, other) =
                (self.random.below(partials.len()), self.random.below(partials.len()));
            partials.swap(one, other);
        }
        for partial in &partials {
            merger
                .add(
                    &Partial::from_bytes(partial.bytes().clone()).unwrap(),
                    Timestamp::from_millis(0),
                )
                .unwrap();
        }
        merger.finish();
        merged_so_far(&mut merger)
    }

    /// Opens a last shard after all shards without a child, with a record that completes all
    /// windows before it.
    fn follow_all(&mut self) {
        let leaves = (0..self.stream.shards.len())
            .filter(|shard| self.stream.children(*shard).is_empty())
            .collect();
        self.stream.shards.push(ShardLog::last(leaves, LAST));
        self.leases.push(Rc::default());
        self.processes.push(vec![]);
        while self.step() {}
    }
}

/// The time of the last shard's record.
const LAST: i64 = 1_000_000_000;

fn run(seed: u64) -> (Answers, Answers, BTreeMap<&'static str, u64>) {
    let mut world = World::new(seed);
    let expected = world.stream.expected();
    while world.step() {}
    world.follow_all();
    let mut answers = world.merge();
    // The clock may have completed some of its windows.
    answers.retain(|(_, end), _| *end < LAST);
    (answers, expected, world.events)
}

#[test]
fn s69_every_record_is_in_the_merged_answer_once_whatever_happens_to_processes() {
    let mut events = BTreeMap::<&'static str, u64>::new();
    // Each run is about forty conversations, so a quarter of the seeds takes as long as the other
    // simulation.
    for seed in seeds().step_by(4) {
        let run = std::panic::catch_unwind(|| run(seed));
        let (answers, expected, happened) =
            run.unwrap_or_else(|_| panic!("it panicked with STREAMGAUGE_SIMULATION={seed}"));
        let differ = differences(&answers, &expected);
        assert!(
            differ.is_empty(),
            "with STREAMGAUGE_SIMULATION={seed}, of {} windows {} differ:\n{}",
            expected.len(),
            differ.len(),
            differ.join("\n")
        );
        happened.into_iter().for_each(|(event, times)| *events.entry(event).or_default() += times);
    }
    if seeds().end - seeds().start >= 1000 {
        for kind in ["crash", "conflict", "take-over", "shutdown", "shard end"] {
            assert!(
                events.get(kind).copied().unwrap_or(0) > 50,
                "{kind} hardly ever happens: {events:?}"
            );
        }
        println!("{events:?}");
    }
}
