//! A simulated Kinesis: a stream whose records arrive, whose shards are split and merged and whose
//! calls fail as the clock goes on, all decided by a seed.

use bytes::Bytes;
use md5::{Digest, Md5};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use streamgauge::adapter::kinesis::{
    IteratorPlace, ReadFailure, ReadStream, RecordPage, ShardInfo,
};
use streamgauge::adapter::kinesis_records::kpl::HashRange;
use streamgauge::adapter::worker::Clock;
use streamgauge::record::SequenceNumber;
use streamgauge::{Error, ErrorKind, Position, Record, Sequence, ShardId, Timestamp};

/// How long an iterator can be used, in milliseconds.
const ITERATOR_LIFE: i64 = 300_000;

/// When the first reader starts.
pub(super) const FIRST_START: i64 = 1_000;

/// A generator of numbers from a seed.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// Returns true in this share of the cases.
    pub(super) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) info: ShardInfo,
    pub(super) records: Vec<Record>,
    /// Records up to here were delivered at least once.
    pub(super) delivered: usize,
    called_at: Option<i64>,
    closed_at: Option<i64>,
}

/// An event of the stream's life.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Put { key: String, data: Bytes },
    Split,
    Merge,
}

/// The stream.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) now: i64,
    pub(super) dice: Dice,
    /// The share of calls that fail, of each kind, in percent.
    pub(super) faults: u64,
    pub(super) shards: BTreeMap<ShardId, Shard>,
    future: Vec<(i64, Event)>,
    /// The shard, the place, the time at which it was made, and the first place of its reader.
    pub(super) iterators: BTreeMap<String, (ShardId, usize, i64, usize)>,
    pub(super) sequence: u64,
    /// Kinds of what happened, so that a test can tell that it did.
    pub(super) seen: BTreeSet<&'static str>,
}

/// A handle of the stream: the reader's transport, and its clock.
#[derive(Clone, Debug)]
pub(super) struct Handle(pub(super) Rc<RefCell<Cloud>>);

impl Cloud {
    /// Creates a stream with this number of shards. The events are in order of time.
    pub(super) fn new(seed: u64, shards: u32, faults: u64, mut events: Vec<(i64, Event)>) -> Self {
        events.reverse();
        let mut cloud = Cloud {
            now: 0,
            dice: Dice::new(seed ^ 0xC10D),
            faults,
            shards: BTreeMap::new(),
            future: events,
            iterators: BTreeMap::new(),
            sequence: 1000,
            seen: BTreeSet::new(),
        };
        let width = u128::MAX / u128::from(shards);
        for index in 0..u128::from(shards) {
            let last = index + 1 == u128::from(shards);
            let end = if last { u128::MAX } else { (index + 1) * width - 1 };
            cloud.add(Vec::new(), HashRange { start: index * width, end });
        }
        cloud
    }

    fn add(&mut self, parents: Vec<ShardId>, range: HashRange) {
        let id = ShardId::new(format!("shardId-{:012}", self.shards.len()));
        let info = ShardInfo { id: id.clone(), parents, range: Some(range), is_closed: false };
        self.shards.insert(
            id,
            Shard { info, records: Vec::new(), delivered: 0, called_at: None, closed_at: None },
        );
    }

    fn open(&self) -> Vec<(ShardId, HashRange)> {
        let open = self.shards.values().filter(|shard| !shard.info.is_closed);
        let mut open: Vec<_> =
            open.map(|shard| (shard.info.id.clone(), shard.info.range.unwrap())).collect();
        open.sort_by_key(|(_, range)| range.start);
        open
    }

    /// Lets time pass, with all that happens until then.
    pub(super) fn advance(&mut self, millis: i64) {
        self.now += millis;
        while self.future.last().is_some_and(|(at, _)| *at <= self.now) {
            let Some((at, event)) = self.future.pop() else { return };
            match event {
                Event::Put { key, data } => {
                    let hash = u128::from_be_bytes(Md5::digest(key.as_bytes()).into());
                    self.put(at, hash, (&key, data))
                }
                Event::Split => self.split(),
                Event::Merge => self.merge(),
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.future.is_empty()
    }

    fn put(&mut self, at: i64, hash: u128, (key, data): (&str, Bytes)) {
        let (id, _) = self.open().into_iter().find(|(_, range)| range.contains(hash)).unwrap();
        self.sequence += 1 + self.dice.below(3);
        let sequence = Sequence::new(self.sequence);
        let position = Position { shard: id.clone(), sequence };
        let arrival = Timestamp::from_millis(at);
        let record = Record {
            partition_key: key.to_owned().into(),
            data,
            arrival,
            position,
            headers: Default::default(),
        };
        self.shards.get_mut(&id).unwrap().records.push(record);
    }

    /// Puts a record on every open shard.
    pub(super) fn put_everywhere(&mut self, data: &Bytes) {
        for (_, range) in self.open() {
            self.put(self.now, range.start, ("end", data.clone()));
        }
    }

    fn split(&mut self) {
        let open = self.open();
        let (id, range) = open[self.dice.below(open.len() as u64) as usize].clone();
        let middle = range.start + (range.end - range.start) / 2;
        self.close(&id);
        self.add(vec![id.clone()], HashRange { start: range.start, end: middle });
        self.add(vec![id], HashRange { start: middle + 1, end: range.end });
    }

    fn close(&mut self, id: &ShardId) {
        let shard = self.shards.get_mut(id).unwrap();
        (shard.info.is_closed, shard.closed_at) = (true, Some(self.now));
    }

    fn merge(&mut self) {
        let open = self.open();
        if open.len() < 2 {
            return;
        }
        let at = self.dice.below(open.len() as u64 - 1) as usize;
        let ((one, lower), (other, upper)) = (open[at].clone(), open[at + 1].clone());
        for id in [&one, &other] {
            self.close(id);
        }
        self.add(vec![one, other], HashRange { start: lower.start, end: upper.end });
    }

    /// Declares that another process reads now, which knows of no earlier call.
    pub(super) fn forget_calls(&mut self) {
        self.shards.values_mut().for_each(|shard| shard.called_at = None);
    }

    /// Returns a failure of the transport, sometimes.
    fn fault(&mut self) -> Result<(), ReadFailure> {
        if self.dice.percent(self.faults) {
            self.seen.insert("throttled");
            return Err(ReadFailure::Throttled);
        }
        if self.dice.percent(self.faults) {
            self.seen.insert("lost connection");
            return Err(ReadFailure::Transient(Error::new(ErrorKind::Io, "connection reset")));
        }
        Ok(())
    }

    fn page(&mut self, iterator: &str) -> Result<RecordPage, ReadFailure> {
        self.fault()?;
        let (id, mut from, made, first) = self.iterators[iterator].clone();
        if self.now - made > ITERATOR_LIFE || self.dice.percent(self.faults) {
            self.seen.insert("expired");
            return Err(ReadFailure::IteratorExpired);
        }
        if self.dice.percent(self.faults) && from > first {
            self.seen.insert("twice");
            from -= 1 + self.dice.below((from - first).min(5) as u64) as usize;
        }
        let is_empty = self.dice.percent(2 * self.faults);
        let records_max = if is_empty { 0 } else { 1 + self.dice.below(40) as usize };
        let now = self.now;
        let shard = self.shards.get_mut(&id).unwrap();
        let to = shard.records.len().min(from + records_max);
        let records = shard.records[from..to].to_vec();
        shard.delivered = shard.delivered.max(to);
        let behind = shard.records.get(to).map_or(0, |next| now - next.arrival.as_millis() + 1);
        let is_end = to == shard.records.len() && shard.info.is_closed;
        if records.is_empty() && behind > 0 {
            self.seen.insert("empty in the middle");
        }
        let next = if is_end { None } else { Some(self.iterate(id, to, first)) };
        Ok(RecordPage { records, next, millis_behind_latest: u64::try_from(behind).ok() })
    }

    fn iterate(&mut self, id: ShardId, at: usize, first: usize) -> String {
        let name = format!("iterator-{}", self.iterators.len());
        self.iterators.insert(name.clone(), (id, at, self.now, first));
        name
    }
}

impl ReadStream for Handle {
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
        let mut cloud = self.0.borrow_mut();
        cloud.advance(5);
        cloud.fault()?;
        Ok(cloud.shards.values().map(|shard| shard.info.clone()).collect())
    }

    fn iterator(&mut self, id: &ShardId, place: &IteratorPlace) -> Result<String, ReadFailure> {
        let mut cloud = self.0.borrow_mut();
        cloud.advance(5);
        cloud.fault()?;
        let parents = cloud.shards[id].info.parents.clone();
        for parent in &parents {
            let parent = &cloud.shards[parent];
            // A reader that begins with the latest record passes over what was closed before.
            let is_old = parent.closed_at.is_some_and(|at| at < FIRST_START + 5_000);
            let all = parent.delivered == parent.records.len() && parent.info.is_closed;
            assert!(
                all || is_old,
                "{id} is read at {place:?} before the end of {:?} of {}, closed at {:?}",
                parent.delivered,
                parent.records.len(),
                parent.closed_at
            );
        }
        let records = &cloud.shards[id].records;
        let number =
            |record: &Record| -> SequenceNumber { record.position.sequence.number.clone() };
        let at = match place {
            IteratorPlace::TrimHorizon => 0,
            IteratorPlace::Latest => records.len(),
            IteratorPlace::AtTime(time) => records.partition_point(|record| record.arrival < *time),
            IteratorPlace::After(after) => {
                records.partition_point(|record| number(record) <= *after)
            }
        };
        Ok(cloud.iterate(id.clone(), at, at))
    }

    fn records(&mut self, requests: &[(ShardId, String)]) -> Vec<Result<RecordPage, ReadFailure>> {
        let mut cloud = self.0.borrow_mut();
        let now = cloud.now;
        for (id, _) in requests {
            let shard = cloud.shards.get_mut(id).unwrap();
            let called_at = shard.called_at.replace(now);
            assert!(called_at.is_none_or(|before| now - before >= 200), "{id} is called too soon");
        }
        let share = cloud.faults / 4;
        let slow = cloud.dice.percent(share);
        cloud.advance(if slow { ITERATOR_LIFE + 1 } else { 20 });
        requests.iter().map(|(_, iterator)| cloud.page(iterator)).collect()
    }
}

impl Clock for Handle {
    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(self.0.borrow().now)
    }

    fn sleep(&mut self, length: Duration) {
        self.0.borrow_mut().advance(length.as_millis() as i64);
    }
}
