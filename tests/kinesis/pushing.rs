//! Enhanced fan-out of the simulated Kinesis: subscriptions that break, fall silent, expire and are
//! refused.

use super::cloud::{Cloud, Handle};
use std::collections::BTreeMap;
use std::time::Duration;
use streamgauge::adapter::kinesis::{
    IteratorPlace, Pushed, PushedRecords, ReadFailure, ReadStream, ShardInfo, SubscribeToShards,
};
use streamgauge::record::SequenceNumber;
use streamgauge::{Error, ErrorKind, ShardId, Timestamp};

/// How long a subscription lives, in milliseconds: not as long as in Kinesis, so that a run has
/// several. And how long the next one has to wait.
const LIFE: i64 = 20_000;
const REFUSED: i64 = 5_000;

/// Events without records come this often.
const EVENT_EVERY: i64 = 2_000;

#[derive(Debug)]
struct Subscription {
    at: usize,
    begun: i64,
    event_due: i64,
    is_silent: bool,
}

/// The subscriptions of one process.
#[derive(Debug)]
pub(super) struct Pushing {
    stream: Handle,
    live: BTreeMap<ShardId, Subscription>,
    begun: BTreeMap<ShardId, i64>,
}

impl Pushing {
    pub(super) fn new(stream: Handle) -> Self {
        Pushing { stream, live: BTreeMap::new(), begun: BTreeMap::new() }
    }

    fn collect(&mut self) -> Vec<(ShardId, Pushed)> {
        let mut cloud = self.stream.0.borrow_mut();
        let mut events = Vec::new();
        for (id, subscription) in &mut self.live {
            events.extend(event(&mut cloud, id, subscription).map(|event| (id.clone(), event)));
        }
        for (id, event) in &events {
            if !matches!(event, Pushed::Records(_)) {
                self.live.remove(id);
            }
        }
        events
    }
}

fn event(cloud: &mut Cloud, id: &ShardId, subscription: &mut Subscription) -> Option<Pushed> {
    let (now, faults) = (cloud.now, cloud.faults);
    if subscription.is_silent {
        return None;
    }
    if now - subscription.begun > LIFE {
        cloud.seen.insert("over");
        return Some(Pushed::Over);
    }
    if cloud.dice.percent(faults / 4) {
        cloud.seen.insert("lost connection");
        let error = Error::new(ErrorKind::Io, "connection reset");
        return Some(Pushed::Failed(ReadFailure::Transient(error)));
    }
    if cloud.dice.percent(faults / 8) {
        cloud.seen.insert("silent");
        subscription.is_silent = true;
        return None;
    }
    let records_max = 1 + cloud.dice.below(30) as usize;
    let sequence = SequenceNumber::from(cloud.sequence);
    let shard = cloud.shards.get_mut(id).unwrap();
    let to = shard.records.len().min(subscription.at + records_max);
    let records = shard.records[subscription.at..to].to_vec();
    let is_end = to == shard.records.len() && shard.info.is_closed;
    if records.is_empty() && !is_end && now < subscription.event_due {
        return None;
    }
    (subscription.at, subscription.event_due) = (to, now + EVENT_EVERY);
    shard.delivered = shard.delivered.max(to);
    let behind = shard.records.get(to).map_or(0, |next| now - next.arrival.as_millis() + 1);
    // Where nothing is left, the number is that of no record.
    let last = records.last().map(|record| record.position.sequence.number.clone());
    let after = if behind == 0 { Some(sequence) } else { last };
    let millis_behind_latest = behind.max(0) as u64;
    Some(Pushed::Records(PushedRecords { records, after, millis_behind_latest, is_end }))
}

impl SubscribeToShards for Pushing {
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
        self.stream.list_shards()
    }

    fn subscribe(&mut self, shard: &ShardId, place: &IteratorPlace) -> Result<(), ReadFailure> {
        self.live.remove(shard);
        let now = self.stream.0.borrow().now;
        if self.begun.get(shard).is_some_and(|begun| now - begun < REFUSED) {
            self.stream.0.borrow_mut().seen.insert("in use");
            return Err(ReadFailure::Throttled);
        }
        let iterator = self.stream.iterator(shard, place)?;
        let cloud = self.stream.0.borrow();
        let (_, at, now, _) = cloud.iterators[&iterator];
        self.begun.insert(shard.clone(), now);
        let live = Subscription { at, begun: now, event_due: now, is_silent: false };
        self.live.insert(shard.clone(), live);
        Ok(())
    }

    fn unsubscribe(&mut self, shard: &ShardId) {
        self.live.remove(shard);
    }

    fn pushed(&mut self, longest: Duration) -> Vec<(ShardId, Pushed)> {
        self.stream.0.borrow_mut().advance(10);
        let events = self.collect();
        if !events.is_empty() {
            return events;
        }
        self.stream.0.borrow_mut().advance(longest.as_millis() as i64);
        self.collect()
    }

    fn now(&mut self) -> Timestamp {
        Timestamp::from_millis(self.stream.0.borrow().now)
    }
}
