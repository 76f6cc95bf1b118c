//! Members of one group in a simulated world. A seed decides the partitions and records, whether
//! the group rebalances eagerly or cooperatively, members that come, end, die and stand still,
//! saves that are slow or whose answers are lost, and partitions that are added. The merged answers
//! are always those of a batch query, and no window is ever emitted with other content under the
//! same revision.
//!
//! `STREAMGAUGE_SIMULATION=n` runs seed n, `STREAMGAUGE_SIMULATIONS=n` runs n seeds, and
//! `STREAMGAUGE_FULL=1` ten thousand.

#![cfg(feature = "spec")]

mod broker;
mod member;
mod process;

use self::broker::Broker;
use self::process::Process;
use crate::adapter::worker::{Phase, ShardState};
use crate::merger::{MergerControl, MergerOptions};
use crate::query::PipelineSpec;
use crate::rows::CompileOptions;
use crate::snapshot::{Partial, Snapshot, Summary};
use crate::store::{MemoryStore, Store};
use crate::time::Timestamp;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// How far a record may be behind the latest one of its partition.
const DISORDER: i64 = 3_000;
const WINDOW: i64 = 10_000;
/// The event time of the records that complete all windows.
const LAST: i64 = 1_900_000_000_000;
const START: i64 = 1_700_000_000_000;
/// No run may take longer after the last fault: nothing may be stuck.
const CALM_MAX: i64 = 1_200_000;

type Events = BTreeMap<&'static str, u64>;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(Cell<u64>);

impl Random {
    fn below(&self, bound: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }

    fn chance(&self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

struct World {
    random: Random,
    /// Milliseconds since the start.
    now: Cell<i64>,
    depth: Cell<u32>,
    faults: Cell<bool>,
    broker: RefCell<Broker>,
    store: MemoryStore,
    partials: RefCell<Vec<Partial>>,
    emitted: RefCell<BTreeMap<(String, i64, u32, bool), Bytes>>,
    processes: RefCell<Vec<Rc<Process>>>,
    started: Cell<u64>,
    idle_after: Option<Duration>,
    spec: PipelineSpec,
    events: RefCell<Events>,
}

thread_local!(static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) });

fn world() -> Rc<World> {
    WORLD.with(|world| world.borrow().clone().unwrap())
}

impl World {
    fn note(&self, event: &'static str) {
        *self.events.borrow_mut().entry(event).or_default() += 1;
    }

    /// Lets the others work for a time, while one is in a call.
    fn run_for(&self, length: i64) {
        let end = self.now.get() + length;
        self.depth.set(self.depth.get() + 1);
        while self.depth.get() < 4 && self.now.get() < end {
            self.turn();
        }
        self.depth.set(self.depth.get() - 1);
        self.now.set(self.now.get().max(end));
    }

    /// One process does something.
    fn turn(&self) {
        self.now.set(self.now.get() + self.random.below(120) as i64);
        self.broker.borrow_mut().turn(self);
        let processes = self.processes.borrow().clone();
        if !processes.is_empty() {
            let process = &processes[self.random.below(processes.len() as u64) as usize];
            process.turn(self);
        }
        self.processes.borrow_mut().retain(|process| !process.is_over());
    }

    fn start_process(&self) {
        self.started.set(self.started.get() + 1);
        let name = format!("p{}", self.started.get());
        self.processes.borrow_mut().push(Process::new(&name));
    }

    /// True if the committed offset of every partition is behind its last record.
    fn has_no_lag(&self) -> bool {
        let broker = self.broker.borrow();
        broker.partitions.iter().zip(0..).all(|(partition, number)| {
            let last = partition.records.last().map(|(_, record)| process::offset(record) + 1);
            broker.committed.get(&number).copied() == last
        })
    }

    /// True if the state of every partition has its last record.
    fn is_done(&self) -> bool {
        self.broker.borrow().partitions.iter().all(|partition| {
            let Some(last) = partition.records.last() else { return true };
            let position = &last.1.position;
            let number = position.sequence.number.as_str().to_owned();
            self.applied(position.shard.as_str()) == Some((number, 0))
        })
    }

    fn applied(&self, key: &str) -> Option<(String, u64)> {
        let stored = self.store.load(key).unwrap()?;
        match ShardState::from_bytes(&stored.bytes).unwrap().phase {
            Phase::Running { state, .. } => {
                let state = Snapshot::from_bytes(state).unwrap();
                let summary = Summary::of(state.into_bytes()).unwrap();
                summary.shards.first().and_then(|shard| shard.applied.clone())
            }
            _ => None,
        }
    }
}

type Answers = BTreeMap<(i64, String), (u64, i64)>;

fn expected(broker: &Broker) -> Answers {
    let mut answers = Answers::new();
    for (_, record) in broker.partitions.iter().flat_map(|partition| &partition.records) {
        let hit: serde_json::Value = serde_json::from_slice(&record.data).unwrap();
        let time = hit["ts"].as_i64().unwrap();
        if time < LAST {
            let key = (time / WINDOW * WINDOW, hit["g"].as_str().unwrap().to_owned());
            let (count, sum) = answers.entry(key).or_default();
            *count += 1;
            *sum += hit["v"].as_i64().unwrap();
        }
    }
    answers
}

fn merged(world: &World) -> Answers {
    let options = MergerOptions { deadline: Some(Duration::ZERO), ..MergerOptions::default() };
    let compile = CompileOptions { arrival_times: true, ..CompileOptions::default() };
    let mut merger = world.spec.compile(&compile).unwrap().into_merger(options).unwrap();
    for partial in world.partials.take() {
        merger.add(&partial, Timestamp::from_millis(0)).unwrap();
    }
    merger.finish();
    let mut answers = Answers::new();
    while let Some(row) = merger.next_row().unwrap() {
        let start = row.emission.window.unwrap().start().as_millis();
        let json = serde_json::to_value(&row).unwrap();
        let group = json["group"]["g"].as_str().unwrap().to_owned();
        if start < LAST / WINDOW * WINDOW {
            let found = (json["count"].as_u64().unwrap(), json["v"].as_i64().unwrap());
            answers.insert((start, group), found);
        }
    }
    answers
}

fn run(seed: u64) -> Events {
    let random = Random(Cell::new(seed ^ 0x6b61_666b_6100));
    let idle_after = random.chance(300).then(|| Duration::from_secs(5 + random.below(20)));
    let lateness = if idle_after.is_some() { "lateness = \"10h\"\n" } else { "" };
    let text = format!(
        "time = \"ts\"\ntime_format = \"ms\"\nwindow = \"10s\"\nmax_delay = \"3s\"\n\
         max_ahead = \"off\"\n{lateness}group = \"g\"\nagg = \"count, sum(v) as v\"\n"
    );
    let broker = Broker::new(&random);
    let last = broker.partitions.iter().flat_map(|partition| &partition.records);
    let calm = last.map(|(at, _)| *at).max().unwrap() + random.below(60_000) as i64;
    let world = Rc::new(World {
        random,
        now: Cell::new(0),
        depth: Cell::new(0),
        faults: Cell::new(true),
        broker: RefCell::new(broker),
        store: MemoryStore::new(),
        partials: RefCell::default(),
        emitted: RefCell::default(),
        processes: RefCell::default(),
        started: Cell::new(0),
        idle_after,
        spec: PipelineSpec::from_toml(&text, "simulation").unwrap(),
        events: RefCell::default(),
    });
    WORLD.with(|slot| *slot.borrow_mut() = Some(world.clone()));
    world.start_process();
    while world.now.get() < calm {
        world.turn();
        disturb(&world);
    }
    world.faults.set(false);
    let mut turns = 0;
    while turns % 64 != 0 || !world.is_done() || !world.has_no_lag() {
        turns += 1;
        world.turn();
        if world.processes.borrow().iter().all(|process| process.is_stopping()) {
            world.start_process();
        }
        assert!(world.now.get() < calm + CALM_MAX, "stuck: {:#?}", world.broker.borrow().group);
    }
    world.processes.borrow().iter().for_each(|process| process.stop());
    while !world.processes.borrow().is_empty() {
        world.turn();
        assert!(world.now.get() < calm + 2 * CALM_MAX, "a process does not end");
    }
    let (found, expected) = (merged(&world), expected(&world.broker.borrow()));
    WORLD.with(|slot| *slot.borrow_mut() = None);
    assert_eq!(found, expected);
    world.events.take()
}

/// Members come, are killed, or are told to end.
fn disturb(world: &World) {
    let count = world.processes.borrow().len() as u64;
    let one = |world: &World| {
        let index = world.random.below(count) as usize;
        world.processes.borrow()[index].clone()
    };
    match world.random.below(600) {
        0 | 1 if count < 4 => world.start_process(),
        2 if count > 0 => {
            one(world).stop();
            world.note("stop");
        }
        3 if count > 0 => {
            one(world).kill();
            world.note("kill");
        }
        4.. if count == 0 => world.start_process(),
        _ => {}
    }
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("STREAMGAUGE_SIMULATION") {
        return seed..seed + 1;
    }
    let full = std::env::var_os("STREAMGAUGE_FULL").is_some();
    0..number("STREAMGAUGE_SIMULATIONS").unwrap_or(if full { 10_000 } else { 200 })
}

#[test]
fn s327_the_merged_answers_equal_a_batch_query_whatever_happens_to_members() {
    let mut events = Events::new();
    for seed in seeds() {
        let run = std::panic::catch_unwind(|| run(seed));
        let happened =
            run.unwrap_or_else(|_| panic!("it failed with STREAMGAUGE_SIMULATION={seed}"));
        happened.into_iter().for_each(|(event, times)| *events.entry(event).or_default() += times);
    }
    println!("{events:?}");
    if seeds().end - seeds().start >= 200 {
        let kinds = [
            "kill",
            "stop",
            "slow save",
            "lost answer",
            "slow poll",
            "eager",
            "cooperative",
            "expired",
            "lost partitions",
            "moved",
            "conflict",
            "partition added",
            "lost commit",
        ];
        for kind in kinds {
            let times = events.get(kind).copied().unwrap_or(0);
            assert!(times > 3, "{kind} hardly ever happens: {events:?}");
        }
    }
}
