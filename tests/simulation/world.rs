//! Workers that own shards, and the events that happen to them.
//!
//! There are two topologies. *One*: one worker has all shards and gives emissions, which are
//! upserted by window. *Many*: every shard has an owner, sometimes two at the same time, which
//! gives partials. They are delivered late, out of order and more than once, and merged.

use super::source::{Hit, Stream};
use super::store::{Fault, FaultyStore};
use super::{Answers, Random};
use std::collections::BTreeMap;
use streamgauge::aggregate::Groups;
use streamgauge::engine::{RecentIds, Shard};
use streamgauge::merger::{Merger, MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::Partial;
use streamgauge::store::Version;

type Answer = Groups<Box<str>, (u64, i128)>;

pub(super) struct Outcome {
    pub(super) answers: Answers,
    pub(super) expected: Answers,
    pub(super) events: BTreeMap<&'static str, u64>,
}

/// Shards that one worker owns at a time.
struct Job {
    key: String,
    shards: Vec<usize>,
    workers: Vec<Worker>,
    done: bool,
}

struct Worker {
    pipeline: streamgauge::pipeline::BoxedPipeline<Hit, Answer>,
    /// By shard: its handle, once it is opened.
    handles: BTreeMap<usize, Shard>,
    /// By shard: the next record to read.
    cursors: BTreeMap<usize, usize>,
    version: Option<Version>,
    phase: Phase,
    finished: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Apply,
    Emit,
    Save,
    Checkpoint,
}

/// What happens to a worker after a step.
enum Fate {
    Lives,
    Dies,
}

struct World {
    random: Random,
    stream: Stream,
    store: FaultyStore,
    many: bool,
    lateness: u64,
    idle_after: Option<u64>,
    clock: i64,
    /// The emissions of topology one.
    emitted: Answers,
    /// The partials of topology many that are not delivered yet.
    shipped: Vec<Partial>,
    arrived: Vec<Partial>,
    events: BTreeMap<&'static str, u64>,
}

fn aggregate() -> impl Aggregate<Hit, Output = Answer> + Send {
    group_by(|hit: &Hit| hit.group.as_str(), (count(), sum(|hit: &Hit| hit.value)))
}

pub(super) fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let stream = Stream::new(&mut random);
    let many = random.chance(50);
    // Windows fire without idle shards. Their later records are late, so the lateness must be long
    // enough. A session that fired so may become longer. If a worker crashes then, before the state
    // is saved, the next one may see that at once, and never take the row back.
    let may_idle = !many && !stream.sessions;
    let idle_after = (may_idle && random.chance(50)).then(|| 1 + random.below(200) as u64);
    let lateness = if idle_after.is_some() {
        1_000_000
    } else {
        random.below(2) as u64 * random.below(50) as u64
    };
    let mut world = World {
        random,
        stream,
        store: FaultyStore::new(),
        many,
        lateness,
        idle_after,
        clock: 0,
        emitted: Answers::new(),
        shipped: vec![],
        arrived: vec![],
        events: BTreeMap::new(),
    };
    world.run()
}

impl World {
    fn run(&mut self) -> Outcome {
        let mut jobs = self.jobs();
        while let Some(index) = self.choose(&jobs) {
            let mut job = std::mem::replace(
                &mut jobs[index],
                Job { key: String::new(), shards: vec![], workers: vec![], done: false },
            );
            self.step(&mut job);
            jobs[index] = job;
        }
        self.note("reshard", self.stream.reshards);
        self.note("producer retry", self.stream.retried);
        let answers = if self.many { self.merge() } else { std::mem::take(&mut self.emitted) };
        Outcome {
            answers,
            expected: self.stream.expected(),
            events: std::mem::take(&mut self.events),
        }
    }

    fn note(&mut self, event: &'static str, times: u64) {
        *self.events.entry(event).or_default() += times;
    }

    fn jobs(&self) -> Vec<Job> {
        let all = 0..self.stream.shards.len();
        let job = |key: String, shards| Job { key, shards, workers: vec![], done: false };
        match self.many {
            false => vec![job(String::from("all"), all.collect())],
            true => {
                all.map(|shard| job(self.stream.shards[shard].name.clone(), vec![shard])).collect()
            }
        }
    }

    /// Chooses a job that can continue: the parents of its shards, if other jobs own them, are
    /// done.
    fn choose(&mut self, jobs: &[Job]) -> Option<usize> {
        let is_done = |shard: &usize| !self.many || jobs[*shard].done;
        let parents_done = |job: &Job| {
            job.shards.iter().all(|shard| self.stream.shards[*shard].parents.iter().all(is_done))
        };
        let ready: Vec<usize> = (0..jobs.len())
            .filter(|index| !jobs[*index].done && parents_done(&jobs[*index]))
            .collect();
        (!ready.is_empty()).then(|| ready[self.random.below(ready.len())])
    }

    fn step(&mut self, job: &mut Job) {
        if job.workers.is_empty() || (self.many && job.workers.len() < 2 && self.random.chance(3)) {
            let worker = self.start(job);
            job.workers.push(worker);
        }
        let index = self.random.below(job.workers.len());
        // A job of many steps would never end if every step could crash for ever.
        let crashes =
            self.random.chance(4) && self.events.get("crash").is_none_or(|crashes| *crashes < 20);
        // Before the step or after it.
        let before = self.random.chance(50);
        let mut fate = Fate::Lives;
        if !(crashes && before) {
            let mut worker = job.workers.swap_remove(index);
            fate = self.work(&mut worker, job);
            job.workers.insert(index, worker);
        }
        if crashes || matches!(fate, Fate::Dies) {
            if job.workers.len() > index {
                job.workers.remove(index);
            }
            self.note("crash", u64::from(crashes));
            if self.random.chance(20) && self.store.lose_last_write(&job.key) {
                self.note("lost write", 1);
            }
        }
        if job.done {
            job.workers.clear();
        }
    }

    /// Creates a worker with the state from the store.
    fn start(&mut self, job: &Job) -> Worker {
        let mut builder = Pipeline::builder()
            .event_time(|hit: &Hit| Timestamp::from_millis(hit.time))
            .window(self.stream.windows())
            .out_of_orderness(millis(self.stream.disorder as u64))
            .allowed_lateness(millis(self.lateness));
        if let Some(idle_after) = self.idle_after {
            builder = builder.idle_after(millis(idle_after));
        }
        if self.stream.retries {
            // As large as the number of records: with several shards any number of records may come
            // between a record and its repetition.
            builder = builder
                .deduplicate_by(|hit: &Hit| hit.id.as_str(), RecentIds::new(256, 1e-9).unwrap());
        }
        let mut pipeline = builder.aggregate(aggregate()).build().unwrap();
        let stored = self.store.load(&job.key);
        if let Some(stored) = &stored {
            pipeline.restore(&Snapshot::from_bytes(stored.bytes.clone()).unwrap()).unwrap();
        }
        let mut cursors = BTreeMap::new();
        let mut handles = BTreeMap::new();
        for shard in &job.shards {
            let log = &self.stream.shards[*shard];
            let known = stored.is_some()
                && pipeline.engine().shards().iter().any(|id| id.as_str() == log.name);
            if log.parents.is_empty() || self.many || known {
                handles
                    .insert(*shard, pipeline.open_shard(ShardId::new(log.name.as_str())).unwrap());
            }
            // The source continues after its checkpoint, or after the state if that is behind the
            // checkpoint.
            let applied =
                handles.get(shard).and_then(|handle| pipeline.engine().applied(*handle)).cloned();
            let after_applied = applied.map_or(0, |applied| {
                log.records
                    .iter()
                    .take_while(|(number, _)| Sequence::new(*number) <= applied)
                    .count()
            });
            cursors.insert(*shard, after_applied.min(log.checkpoint));
        }
        Worker {
            pipeline: pipeline.boxed(),
            handles,
            cursors,
            version: stored.map(|stored| stored.version),
            phase: Phase::Apply,
            finished: false,
        }
    }

    fn work(&mut self, worker: &mut Worker, job: &mut Job) -> Fate {
        match worker.phase {
            Phase::Apply => self.apply(worker, job),
            Phase::Emit => self.emit(worker, job),
            Phase::Save => return self.save(worker, job),
            Phase::Checkpoint => {
                for (shard, cursor) in &worker.cursors {
                    let log = &mut self.stream.shards[*shard];
                    log.checkpoint = log.checkpoint.max(*cursor);
                }
                job.done = worker.finished;
                worker.phase = Phase::Apply;
            }
        }
        Fate::Lives
    }

    /// Applies a batch of one shard, or the end.
    fn apply(&mut self, worker: &mut Worker, job: &Job) {
        worker.phase = Phase::Emit;
        if self.random.chance(10) {
            // Forwards and backwards: a clock that is set back is ignored.
            self.clock += self.random.below(400) as i64 - 100;
            self.note("clock leap", 1);
        }
        worker.pipeline.advance(Timestamp::from_millis(self.clock));
        self.open_children(worker, job);
        let unread =
            |shard: &&usize| worker.cursors[*shard] < self.stream.shards[**shard].records.len();
        let ready: Vec<usize> = worker.handles.keys().filter(unread).copied().collect();
        if ready.is_empty() {
            // Every shard is opened and read: a child is opened when its parents are.
            worker.pipeline.finish();
            worker.finished = true;
            return;
        }
        let shard = ready[self.random.below(ready.len())];
        let mut cursor = worker.cursors[&shard];
        if self.random.chance(10) && cursor > 0 {
            cursor -= 1 + self.random.below(cursor);
            self.note("redelivery", 1);
        }
        let records = &self.stream.shards[shard].records;
        let end = (cursor + 1 + self.random.below(10)).min(records.len());
        let mut duplicates = 0;
        for (number, hit) in &records[cursor..end] {
            let outcome = worker
                .pipeline
                .push_to(worker.handles[&shard], Some(&Sequence::new(*number)), hit)
                .unwrap();
            assert!(
                !matches!(
                    outcome,
                    streamgauge::Outcome::Late(_) | streamgauge::Outcome::DeadLetter(())
                ),
                "{outcome:?} {hit:?}"
            );
            duplicates += u64::from(outcome == streamgauge::Outcome::Duplicate);
        }
        worker.cursors.insert(shard, end.max(worker.cursors[&shard]));
        self.clock += self.random.below(20) as i64;
        self.note("duplicate", duplicates);
    }

    /// Opens shards whose parents were read with the parents' watermark, and closes the parents.
    fn open_children(&mut self, worker: &mut Worker, job: &Job) {
        let is_read = |worker: &Worker, shard: usize| {
            worker.handles.contains_key(&shard)
                && worker.cursors[&shard] >= self.stream.shards[shard].records.len()
        };
        for shard in job.shards.iter().copied() {
            let log = &self.stream.shards[shard];
            let read = !self.many && log.parents.iter().all(|parent| is_read(worker, *parent));
            if read && !worker.handles.contains_key(&shard) {
                let parents: Vec<Shard> =
                    log.parents.iter().map(|parent| worker.handles[parent]).collect();
                let handle = worker
                    .pipeline
                    .open_child_shard(ShardId::new(log.name.as_str()), &parents)
                    .unwrap();
                worker.handles.insert(shard, handle);
            }
        }
        for shard in job.shards.iter().copied() {
            let children = self.stream.children(shard);
            let followed = !children.is_empty()
                && children.iter().all(|child| worker.handles.contains_key(child));
            if followed && is_read(worker, shard) {
                worker.pipeline.close_shard(worker.handles[&shard]);
            }
        }
    }

    /// Emits one emission, so that a crash can come between any two.
    fn emit(&mut self, worker: &mut Worker, job: &Job) {
        let bounds = |window: Window| (window.start().as_millis(), window.end().as_millis());
        if self.many {
            match worker.pipeline.next_partial(&job.key).unwrap() {
                Some(partial) => {
                    self.note("revision", u64::from(partial.revision() > 0));
                    self.shipped.push(partial);
                }
                None => worker.phase = Phase::Save,
            }
            self.deliver();
            return;
        }
        match worker.pipeline.next_emission().unwrap() {
            Some(emission) => {
                self.note("revision", u64::from(emission.revision > 0));
                let groups =
                    emission.value.iter().map(|(key, value)| (key.to_string(), *value)).collect();
                assert!(!emission.retracted, "no record is late");
                self.emitted.insert(bounds(emission.window.unwrap()), groups);
            }
            None => worker.phase = Phase::Save,
        }
    }

    /// Delivers some partial, which may be delivered again.
    fn deliver(&mut self) {
        while !self.shipped.is_empty() && self.random.chance(40) {
            let index = self.random.below(self.shipped.len());
            let partial = if self.random.chance(30) {
                self.shipped[index].clone()
            } else {
                self.shipped.swap_remove(index)
            };
            self.arrived.push(partial);
        }
    }

    fn save(&mut self, worker: &mut Worker, job: &Job) -> Fate {
        let snapshot = worker.pipeline.snapshot().unwrap();
        self.store.fault.set(match self.random.below(100) {
            0..=2 => Fault::Unanswered,
            3..=5 => Fault::Refused,
            _ => Fault::None,
        });
        match self.store.save(&job.key, snapshot.into_bytes(), worker.version.as_ref()) {
            Ok(version) => {
                worker.version = Some(version);
                worker.phase = Phase::Checkpoint;
                Fate::Lives
            }
            Err(error) => {
                // Another owner has saved, or the result is unknown: start again from the store.
                self.note(
                    if error.kind() == ErrorKind::Conflict { "conflict" } else { "unknown write" },
                    1,
                );
                Fate::Dies
            }
        }
    }

    fn merge(&mut self) -> Answers {
        let mut options = MergerOptions::default();
        options.deadline = Some(millis(0));
        let engine = Pipeline::builder()
            .event_time(|hit: &Hit| Timestamp::from_millis(hit.time))
            .window(self.stream.windows())
            .aggregate(aggregate())
            .build()
            .unwrap()
            .into_engine();
        let mut merger = Merger::new(engine, options).unwrap();
        self.arrived.append(&mut self.shipped);
        let mut answers = Answers::new();
        for partial in &self.arrived {
            merger
                .add(
                    &Partial::from_bytes(partial.bytes().clone()).unwrap(),
                    Timestamp::from_millis(0),
                )
                .unwrap();
            answers.extend(merged_so_far(&mut merger));
        }
        // Sessions join, so they are merged when all are there.
        merger.finish();
        answers.extend(merged_so_far(&mut merger));
        answers
    }
}

/// Returns the answers that a merger has now.
pub(super) fn merged_so_far<A: Aggregate<Hit, Output = Answer>>(
    merger: &mut Merger<Hit, A>,
) -> Answers {
    let mut answers = Answers::new();
    while let Some(merged) = merger.next_merged().unwrap() {
        let window = merged.window.unwrap();
        let groups = merged.value.iter().map(|(key, value)| (key.to_string(), *value)).collect();
        answers.insert((window.start().as_millis(), window.end().as_millis()), groups);
    }
    answers
}
