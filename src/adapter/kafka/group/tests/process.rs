//! A process of the group: its member, its workers, and how they reach the world.

use super::super::member::Member;
use super::super::order::{End, Order, Report, Workers};
use super::super::partition_run::PartitionRun;
use super::{World, world};
use crate::adapter::kafka::read_topic::{ReadTopic, TopicEvent, shard_of};
use crate::adapter::simulation::START;
use crate::adapter::worker::{Clock, PipelineWork, ProcessorOptions, StatefulProcessor};
use crate::adapter::{Declared, PartialSink};
use crate::error::{Error, ErrorKind};
use crate::record::Record;
use crate::rows::CompileOptions;
use crate::snapshot::Partial;
use crate::store::{MemoryStore, Store, Version, VersionedBytes};
use crate::time::Timestamp;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

type Run = PartitionRun<PipelineWork<Declared>, SimStore>;
type Processor = StatefulProcessor<PipelineWork<Declared>, SimStore>;

pub(super) struct Process {
    name: String,
    member: RefCell<Member<SimTopic>>,
    is_member_busy: Cell<bool>,
    workers: RefCell<BTreeMap<u64, Worker>>,
    reports: RefCell<VecDeque<(i32, Report)>>,
    next: Cell<u64>,
    dead: Cell<bool>,
    stopping: Cell<bool>,
    over: Cell<bool>,
}

/// The worker of a partition. The run is not here while it is in a call.
struct Worker {
    partition: i32,
    orders: VecDeque<Order>,
    run: Option<Run>,
    is_busy: bool,
}

fn process(name: &str) -> Option<Rc<Process>> {
    world().processes.borrow().iter().find(|process| process.name == name).cloned()
}

fn is_dead(name: &str) -> bool {
    process(name).is_none_or(|process| process.dead.get())
}

fn died() -> Error {
    Error::new(ErrorKind::Unsupported, "the process is dead")
}

impl Process {
    pub(super) fn new(name: &str) -> Rc<Self> {
        let topic = SimTopic {
            process: name.to_owned(),
            joined: false,
            places: BTreeMap::new(),
            paused: Vec::new(),
        };
        Rc::new(Process {
            name: name.to_owned(),
            member: RefCell::new(Member::new(topic, "clicks")),
            is_member_busy: Cell::new(false),
            workers: RefCell::default(),
            reports: RefCell::default(),
            next: Cell::new(0),
            dead: Cell::new(false),
            stopping: Cell::new(false),
            over: Cell::new(false),
        })
    }

    pub(super) fn kill(&self) {
        self.dead.set(true);
    }

    pub(super) fn stop(&self) {
        self.stopping.set(true);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get() || self.dead.get()
    }

    /// The member or one of the workers does something.
    pub(super) fn turn(self: &Rc<Self>, world: &World) {
        let idle: Vec<u64> = (self.workers.borrow().iter())
            .filter(|(_, worker)| !worker.is_busy)
            .map(|(id, _)| *id)
            .collect();
        match world.random.below(idle.len() as u64 + 1) {
            0 if !self.is_member_busy.get() => self.turn_of_member(world),
            0 => {}
            index => self.turn_of_worker(idle[index as usize - 1], world),
        }
    }

    fn turn_of_member(self: &Rc<Self>, world: &World) {
        self.is_member_busy.set(true);
        let mut member = self.member.borrow_mut();
        let mut hands = Hands(self.clone());
        if self.stopping.get() {
            member.leave(&mut hands);
        }
        let stepped = member.step(&mut hands, &mut SimClock);
        if std::env::var_os("STREAMGAUGE_SIMULATION").is_some() {
            for note in member.take_notes() {
                println!("{:>8} {} {note}", world.now.get(), self.name);
            }
        }
        self.is_member_busy.set(false);
        match stepped {
            Ok(true) => {}
            Ok(false) => {
                world.broker.borrow_mut().remove(&self.name);
                self.over.set(true);
            }
            Err(error) => {
                // A live process ends with an error only if its store fails for too long.
                assert!(self.dead.get() || error.kind() == ErrorKind::Io, "{error}");
                world.note("process failed");
                self.dead.set(true);
            }
        }
    }

    fn turn_of_worker(self: &Rc<Self>, id: u64, world: &World) {
        let mut workers = self.workers.borrow_mut();
        let Some(worker) = workers.get_mut(&id) else { return };
        worker.is_busy = true;
        let (partition, run) = (worker.partition, worker.run.take());
        // One that has no run yet opens the partition first.
        let order = run.as_ref().and_then(|_| worker.orders.pop_front());
        drop(workers);
        let mut report = |report| self.reports.borrow_mut().push_back((partition, report));
        let (run, end) = match run {
            None => {
                let shard = shard_of("clicks", partition);
                let name = self.name.clone();
                let made = processor(&name, world)
                    .and_then(|made| Run::open(made, &shard, (&mut SimClock, &mut report)));
                match made {
                    Ok(run) => (Some(run), None),
                    Err(error) => (None, Some(End::Failed(error))),
                }
            }
            Some(mut run) => {
                let end = run.step(order, (&mut SimClock, &mut report));
                (Some(run), end)
            }
        };
        let mut workers = self.workers.borrow_mut();
        match end {
            Some(end) => {
                if matches!(end, End::Conflict) {
                    world.note("conflict");
                }
                workers.remove(&id);
                self.reports.borrow_mut().push_back((partition, Report::Ended(end)));
            }
            None => {
                if let Some(worker) = workers.get_mut(&id) {
                    (worker.run, worker.is_busy) = (run, false);
                }
            }
        }
    }
}

fn processor(name: &str, world: &World) -> Result<Processor, Error> {
    let pipeline = Declared::compile(&world.spec, CompileOptions::default())?;
    let owner = name.to_owned();
    let mut work = PipelineWork::new(pipeline, move |_, _| {
        let owner = owner.clone();
        let put = move |partial: &Partial| emit(&owner, partial);
        Ok(Box::new(PartialSink::new(put)))
    })?;
    if let Some(idle_after) = world.idle_after {
        work = work.idle_after(idle_after);
    }
    let options = ProcessorOptions {
        every_records: 1 + world.random.below(20),
        every: Duration::from_millis(world.random.below(5_000)),
        on_note: Box::new(|_| {}),
        ..ProcessorOptions::default()
    };
    Ok(StatefulProcessor::new(work, SimStore { process: name.to_owned() }, options))
}

/// Takes a window that a worker emits.
fn emit(name: &str, partial: &Partial) -> Result<(), Error> {
    let world = world();
    if is_dead(name) {
        return Err(died());
    }
    world.emitted.add(partial);
    Ok(())
}

/// The workers, as the member reaches them.
struct Hands(Rc<Process>);

impl Workers for Hands {
    fn start(&mut self, partition: i32) {
        let id = self.0.next.get();
        self.0.next.set(id + 1);
        let worker = Worker { partition, orders: VecDeque::new(), run: None, is_busy: false };
        self.0.workers.borrow_mut().insert(id, worker);
    }

    fn order(&mut self, partition: i32, order: Order) {
        let mut workers = self.0.workers.borrow_mut();
        if let Some(worker) = workers.values_mut().rev().find(|of| of.partition == partition) {
            worker.orders.push_back(order);
        }
    }

    fn reports(&mut self, wait: Duration) -> Vec<(i32, Report)> {
        if !wait.is_zero() {
            world().run_for(wait.as_millis() as i64);
        }
        self.0.reports.take().into()
    }
}

struct SimClock;

impl Clock for SimClock {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(START + world().now.get())
    }

    fn sleep(&mut self, length: Duration) {
        world().run_for(length.as_millis() as i64);
    }
}

/// The topic as one process reaches it.
struct SimTopic {
    process: String,
    joined: bool,
    places: BTreeMap<i32, u64>,
    paused: Vec<i32>,
}

impl ReadTopic for SimTopic {
    fn partitions(&mut self) -> Result<Vec<i32>, Error> {
        let world = world();
        let partitions = world.broker.borrow().open_partitions(world.now.get());
        Ok(partitions)
    }

    fn bounds(&mut self, partition: i32) -> Result<Range<u64>, Error> {
        let world = world();
        let broker = world.broker.borrow();
        let records = &broker.partitions[partition as usize].records;
        let arrived = records.iter().filter(|(at, _)| *at <= world.now.get()).map(|(_, of)| of);
        Ok(0..arrived.last().map_or(0, |last| offset(last) + 1))
    }

    fn offset_at(&mut self, _: i32, _: Timestamp) -> Result<u64, Error> {
        Ok(0)
    }

    fn begin(&mut self, partitions: &[(i32, u64)]) -> Result<(), Error> {
        self.places.extend(partitions.iter().copied());
        world().broker.borrow_mut().answered(&self.process, &[]);
        Ok(())
    }

    fn leave(&mut self, partitions: &[i32]) -> Result<(), Error> {
        self.places.retain(|partition, _| !partitions.contains(partition));
        world().broker.borrow_mut().answered(&self.process, partitions);
        Ok(())
    }

    fn seek(&mut self, partition: i32, next: u64) -> Result<(), Error> {
        self.places.insert(partition, next);
        Ok(())
    }

    fn pause(&mut self, partition: i32, is_paused: bool) -> Result<(), Error> {
        self.paused.retain(|other| *other != partition);
        if is_paused {
            self.paused.push(partition);
        }
        Ok(())
    }

    fn commit(&mut self, positions: &[(i32, u64)]) -> Result<(), Error> {
        let world = world();
        if world.random.chance(300) {
            world.note("lost commit");
            return Ok(());
        }
        world.broker.borrow_mut().committed.extend(positions.iter().copied());
        Ok(())
    }

    fn poll(&mut self, _: Duration) -> Result<Vec<TopicEvent>, Error> {
        let world = world();
        if world.faults.get() && world.random.chance(3) {
            world.note("slow poll");
            world.run_for(world.random.below(30_000) as i64);
        }
        if is_dead(&self.process) {
            return Err(died());
        }
        let mut events = world.broker.borrow_mut().hear(&self.process, &mut self.joined, &world);
        for event in &mut events {
            if let TopicEvent::Lost(partitions) = event {
                *partitions = self.places.keys().copied().collect();
            }
        }
        if !events.is_empty() {
            return Ok(events);
        }
        let broker = world.broker.borrow();
        for (partition, place) in &mut self.places {
            if self.paused.contains(partition) || world.random.chance(300) {
                continue;
            }
            let all = &broker.partitions[*partition as usize].records;
            let most = 1 + world.random.below(15) as usize;
            let ahead = all.iter().filter(|(_, record)| offset(record) >= *place);
            let arrived = ahead.filter(|(at, _)| *at <= world.now.get());
            let records: Vec<Record> = arrived.take(most).map(|(_, of)| of.clone()).collect();
            match records.last() {
                Some(last) => {
                    *place = offset(last) + 1;
                    events.push(TopicEvent::Records(*partition, records));
                }
                None => events.push(TopicEvent::AtEnd(*partition)),
            }
        }
        Ok(events)
    }
}

pub(super) fn offset(record: &Record) -> u64 {
    record.position.sequence.number.as_str().parse().unwrap()
}

/// The store as one process reaches it.
struct SimStore {
    process: String,
}

impl SimStore {
    fn call<T>(&self, call: impl Fn(&MemoryStore) -> Result<T, Error>) -> Result<T, Error> {
        let world = world();
        let lost = || Error::new(ErrorKind::Io, "the connection was lost");
        if is_dead(&self.process) {
            return Err(died());
        }
        if !world.faults.get() {
            return call(&world.store);
        }
        match world.random.below(1000) {
            0..20 => {
                world.note("slow save");
                let early = world.random.chance(500).then(|| call(&world.store));
                world.run_for(world.random.below(40_000) as i64);
                match is_dead(&self.process) {
                    true => Err(died()),
                    false => early.unwrap_or_else(|| call(&world.store)),
                }
            }
            20..30 => Err(lost()),
            30..40 => {
                world.note("lost answer");
                call(&world.store).and(Err(lost()))
            }
            _ => call(&world.store),
        }
    }
}

impl Store for SimStore {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        self.call(|store| store.load(key))
    }

    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error> {
        self.call(|store| store.save(key, bytes.clone(), expected))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        world().store.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.call(|store| store.delete(key))
    }
}
