//! What a member does with single events.

use super::super::member::Member;
use super::super::order::{End, Order, Report, Workers};
use crate::adapter::kafka::read_topic::{ReadTopic, TopicEvent, shard_of};
use crate::adapter::worker::Clock;
use crate::error::Error;
use crate::record::{Position, Record, Sequence};
use crate::time::Timestamp;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// What happened, in order, by topic and workers.
type Log = Rc<RefCell<Vec<String>>>;

struct Topic {
    log: Log,
    events: Rc<RefCell<VecDeque<TopicEvent>>>,
}

impl Topic {
    fn note(&self, what: String) -> Result<(), Error> {
        self.log.borrow_mut().push(what);
        Ok(())
    }
}

impl ReadTopic for Topic {
    fn partitions(&mut self) -> Result<Vec<i32>, Error> {
        Ok(vec![0, 1])
    }

    fn bounds(&mut self, _: i32) -> Result<Range<u64>, Error> {
        Ok(2..1_000_000)
    }

    fn offset_at(&mut self, _: i32, _: Timestamp) -> Result<u64, Error> {
        Ok(0)
    }

    fn begin(&mut self, partitions: &[(i32, u64)]) -> Result<(), Error> {
        self.note(format!("begin {partitions:?}"))
    }

    fn leave(&mut self, partitions: &[i32]) -> Result<(), Error> {
        self.note(format!("leave {partitions:?}"))
    }

    fn seek(&mut self, partition: i32, next: u64) -> Result<(), Error> {
        self.note(format!("seek {partition} {next}"))
    }

    fn pause(&mut self, partition: i32, is_paused: bool) -> Result<(), Error> {
        self.note(format!("pause {partition} {is_paused}"))
    }

    fn commit(&mut self, positions: &[(i32, u64)]) -> Result<(), Error> {
        self.note(format!("commit {positions:?}"))
    }

    fn poll(&mut self, _: Duration) -> Result<Vec<TopicEvent>, Error> {
        Ok(self.events.borrow_mut().pop_front().into_iter().collect())
    }
}

struct Hands {
    log: Log,
    reports: Vec<(i32, Report)>,
}

impl Workers for Hands {
    fn start(&mut self, partition: i32) {
        self.log.borrow_mut().push(format!("start {partition}"));
    }

    fn order(&mut self, partition: i32, order: Order) {
        let what = match order {
            Order::Process(batch) => format!("{} records", batch.records.len()),
            Order::Leave => "end with a save".to_owned(),
            Order::Lose => "end without a save".to_owned(),
        };
        self.log.borrow_mut().push(format!("{partition}: {what}"));
    }

    fn reports(&mut self, _: Duration) -> Vec<(i32, Report)> {
        std::mem::take(&mut self.reports)
    }
}

struct Now(i64);

impl Clock for Now {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }

    fn sleep(&mut self, _: Duration) {}
}

struct Scene {
    member: Member<Topic>,
    hands: Hands,
    events: Rc<RefCell<VecDeque<TopicEvent>>>,
    clock: Now,
    log: Log,
}

impl Scene {
    fn new() -> Self {
        let (log, events) = (Log::default(), Rc::<RefCell<VecDeque<_>>>::default());
        let topic = Topic { log: log.clone(), events: events.clone() };
        let hands = Hands { log: log.clone(), reports: Vec::new() };
        Scene { member: Member::new(topic, "clicks"), hands, events, clock: Now(0), log }
    }

    /// Makes these happen, lets the member work, and returns what it did.
    fn step(&mut self, events: Vec<TopicEvent>, reports: Vec<(i32, Report)>) -> Vec<String> {
        self.events.borrow_mut().extend(events);
        self.hands.reports.extend(reports);
        for _ in 0..4 {
            self.member.step(&mut self.hands, &mut self.clock).unwrap();
        }
        self.log.take()
    }

    /// Begins to read the partitions 0 and 1.
    fn read(&mut self) {
        let opened = |last: Option<u64>| Report::Opened(last.map(Sequence::new));
        let started = self.step(vec![TopicEvent::Assigned(vec![0, 1])], Vec::new());
        assert_eq!(started, ["start 0", "start 1"]);
        assert_eq!(self.step(Vec::new(), vec![(0, opened(Some(7)))]), [""; 0]);
        let begun = self.step(Vec::new(), vec![(1, opened(None))]);
        assert_eq!(begun, ["begin [(0, 8), (1, 2)]"], "after the state, or the oldest record");
    }
}

fn records(partition: i32, bytes: usize) -> TopicEvent {
    let record = Record {
        partition_key: Default::default(),
        data: vec![b'x'; bytes].into(),
        arrival: Timestamp::from_millis(0),
        position: Position { shard: shard_of("clicks", partition), sequence: Sequence::new(8u64) },
        headers: Default::default(),
    };
    TopicEvent::Records(partition, vec![record])
}

#[test]
fn s328_a_partition_is_saved_before_the_group_learns_that_it_is_free() {
    let mut scene = Scene::new();
    scene.read();
    let revoked = scene.step(vec![TopicEvent::Revoked(vec![1])], Vec::new());
    assert_eq!(revoked, ["1: end with a save"]);
    // The save is slow, and the other partition goes on.
    let events = vec![records(0, 10), records(1, 10)];
    assert_eq!(scene.step(events, Vec::new()), ["0: 1 records"]);
    let ended = vec![(1, Report::Saved(9)), (1, Report::Ended(End::Ordered))];
    assert_eq!(scene.step(Vec::new(), ended), ["commit [(1, 9)]", "leave [1]"]);
}

#[test]
fn s380_positions_are_committed_again_because_a_commit_may_be_lost() {
    let mut scene = Scene::new();
    scene.read();
    scene.step(vec![records(0, 10)], Vec::new());
    let saved = scene.step(Vec::new(), vec![(0, Report::Saved(9))]);
    assert_eq!(saved, ["commit [(0, 9)]"]);
    scene.clock.0 += 6_000;
    // Also that of a partition that has saved nothing since it was opened.
    assert_eq!(scene.step(Vec::new(), Vec::new()), ["commit [(0, 9), (1, 2)]"]);
    assert_eq!(scene.step(Vec::new(), Vec::new()), [""; 0]);
}

#[test]
fn s328_a_partition_that_is_lost_is_not_saved() {
    let mut scene = Scene::new();
    scene.read();
    let lost = scene.step(vec![TopicEvent::Lost(vec![0, 1])], Vec::new());
    assert_eq!(lost, ["0: end without a save", "1: end without a save"]);
    // The group gives one back before the worker has ended.
    let events = vec![TopicEvent::Assigned(vec![0])];
    let reports = vec![(1, Report::Ended(End::Ordered))];
    assert_eq!(scene.step(events, reports), [""; 0]);
    let ended = scene.step(Vec::new(), vec![(0, Report::Ended(End::Ordered))]);
    assert_eq!(ended, ["leave [0, 1]", "start 0"]);
}

#[test]
fn s328_a_partition_that_is_taken_away_before_it_is_read_is_not_begun() {
    let mut scene = Scene::new();
    scene.step(vec![TopicEvent::Assigned(vec![0, 1])], Vec::new());
    let lost = scene.step(vec![TopicEvent::Lost(vec![1])], Vec::new());
    assert_eq!(lost, ["1: end without a save"]);
    let reports = vec![(0, Report::Opened(None)), (1, Report::Ended(End::Ordered))];
    assert_eq!(scene.step(Vec::new(), reports), ["begin [(0, 2)]", "leave [1]"]);
}

#[test]
fn s328_a_partition_whose_state_another_process_took_is_opened_again_only_after_a_pause() {
    let mut scene = Scene::new();
    scene.read();
    let conflict = vec![(0, Report::Ended(End::Conflict))];
    assert_eq!(scene.step(vec![records(0, 10)], conflict), [""; 0]);
    scene.clock.0 += 2_000;
    assert_eq!(scene.step(Vec::new(), Vec::new()), ["start 0"]);
    let opened = vec![(0, Report::Opened(Some(Sequence::new(99u64))))];
    assert_eq!(scene.step(Vec::new(), opened), ["seek 0 100"]);
}

#[test]
fn s329_a_member_that_leaves_saves_everything_first() {
    let mut scene = Scene::new();
    scene.read();
    scene.member.leave(&mut scene.hands);
    assert_eq!(scene.log.take(), ["0: end with a save", "1: end with a save"]);
    scene.hands.reports = vec![(0, Report::Ended(End::Ordered))];
    assert!(scene.member.step(&mut scene.hands, &mut scene.clock).unwrap());
    scene.hands.reports = vec![(1, Report::Ended(End::Ordered))];
    assert!(!scene.member.step(&mut scene.hands, &mut scene.clock).unwrap());
}

#[test]
fn s330_a_partition_whose_work_stands_still_is_held_back() {
    let mut scene = Scene::new();
    scene.read();
    assert_eq!(scene.step(vec![records(0, 9 << 20)], Vec::new()), ["0: 1 records"]);
    // At first nothing is read, and then everything but this partition.
    let waiting = scene.step(vec![records(1, 10)], Vec::new());
    assert_eq!(waiting, [""; 0]);
    scene.clock.0 += 2_000;
    assert_eq!(scene.step(Vec::new(), Vec::new()), ["pause 0 true", "1: 1 records"]);
    let done = scene.step(Vec::new(), vec![(0, Report::Processed(9 << 20))]);
    assert_eq!(done, ["pause 0 false"]);
}
