//! Members of one group in a simulated world. A seed decides the partitions and records, whether
//! the group rebalances eagerly or cooperatively, members that come, end, die and stand still,
//! saves that are slow or whose answers are lost, and partitions that are added. The merged answers
//! are always those of a batch query, and no window is ever emitted with other content under the
//! same revision.

#![cfg(feature = "spec")]

mod broker;
mod member;
mod process;

use self::broker::Broker;
use self::process::Process;
use crate::adapter::simulation::{CALM_MAX, Emitted, Events, Random, expected, run_seeds};
use crate::adapter::worker::{Phase, ShardState};
use crate::query::PipelineSpec;
use crate::snapshot::{Snapshot, Summary};
use crate::store::{MemoryStore, Store};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

struct World {
    random: Random,
    /// Milliseconds since the start.
    now: Cell<i64>,
    depth: Cell<u32>,
    faults: Cell<bool>,
    broker: RefCell<Broker>,
    store: MemoryStore,
    emitted: Emitted,
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

fn run(seed: u64) -> Events {
    let random = Random::new(seed ^ 0x6b61_666b_6100);
    let (spec, idle_after) = random.pipeline();
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
        emitted: Emitted::default(),
        processes: RefCell::default(),
        started: Cell::new(0),
        idle_after,
        spec,
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
    let found = world.emitted.merged(&world.spec);
    let expected = {
        let broker = world.broker.borrow();
        let records = broker.partitions.iter().flat_map(|partition| &partition.records);
        expected(records.map(|(_, record)| record))
    };
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

#[test]
fn s327_the_merged_answers_equal_a_batch_query_whatever_happens_to_members() {
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
    run_seeds(run, &kinds);
}
