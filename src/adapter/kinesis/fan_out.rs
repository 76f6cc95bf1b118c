//! Enhanced fan-out: each shard pushes its records to the subscriptions of a consumer.

use super::pace;
use super::read_stream::{IteratorPlace, ReadFailure, ReadStream, RecordPage, ShardInfo};
use crate::error::{Error, ErrorKind};
use crate::record::{Record, SequenceNumber, ShardId};
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long one wait for events may take, so that a caller sees a signal soon.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// A subscription that is silent for this time is dropped. Kinesis sends an event each few seconds,
/// also without records; a connection that is half open sends nothing.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// An event of a subscription: the records that a shard pushes, and its position. Shards without
/// new records send events without records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushedRecords {
    /// The records in the order of the shard.
    pub records: Vec<Record>,
    /// Where the next subscription continues: after this number, which may be that of no record.
    pub after: Option<SequenceNumber>,
    /// How far behind the end of the shard the records are.
    pub millis_behind_latest: u64,
    /// True at the end of a closed shard: the event names the shards that follow.
    pub is_end: bool,
}

/// What a subscription brings.
#[derive(Debug)]
pub enum Pushed {
    /// Records.
    Records(PushedRecords),
    /// The subscription is over, as each is after 5 minutes.
    Over,
    /// The subscription has failed.
    Failed(ReadFailure),
}

/// The calls of enhanced fan-out, with any client. [`Consumer`](super::Consumer) makes them with
/// the AWS SDK; a test can implement them itself. They block.
pub trait SubscribeToShards {
    /// Returns all shards of the stream.
    ///
    /// # Errors
    /// See [`ReadFailure`].
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure>;

    /// Begins a subscription of a shard: SubscribeToShard.
    ///
    /// # Errors
    /// See [`ReadFailure`]. If the last subscription is too young, or another one is in use, that
    /// is [`ReadFailure::Throttled`].
    fn subscribe(&mut self, shard: &ShardId, place: &IteratorPlace) -> Result<(), ReadFailure>;

    /// Ends the subscription of a shard, if there is one.
    fn unsubscribe(&mut self, shard: &ShardId);

    /// Returns what the subscriptions have brought, and waits for it at most this time.
    fn pushed(&mut self, longest: Duration) -> Vec<(ShardId, Pushed)>;

    /// Returns the time.
    fn now(&mut self) -> Timestamp;
}

/// Reads a stream by the subscriptions of a consumer. A shard has a throughput of its own for each
/// consumer, and its records come at once. It is a [`ReadStream`]: a page is what a shard has
/// pushed.
///
/// A subscription that is over, has failed or is silent is followed by another one, which continues
/// after the last event.
#[derive(Debug)]
pub struct FanOut<T> {
    transport: T,
    subscriptions: BTreeMap<ShardId, Subscription>,
}

#[derive(Debug)]
struct Subscription {
    /// Where the next subscription begins.
    place: IteratorPlace,
    /// The time of the last event, if it lives.
    heard_at: Option<Timestamp>,
    millis_behind: Option<u64>,
    pushed: VecDeque<Pushed>,
}

impl<T: SubscribeToShards> FanOut<T> {
    /// Creates a reader without subscriptions.
    pub fn new(transport: T) -> Self {
        FanOut { transport, subscriptions: BTreeMap::new() }
    }

    /// Subscribes if there is no subscription.
    fn subscribe(&mut self, shard: &ShardId) -> Result<(), ReadFailure> {
        let now = self.transport.now();
        let Some(subscription) = self.subscriptions.get_mut(shard) else {
            let message = format!("{shard} has no place to begin at");
            return Err(ReadFailure::Fatal(Error::invalid(message)));
        };
        if subscription.heard_at.is_some() || !subscription.pushed.is_empty() {
            return Ok(());
        }
        self.transport.subscribe(shard, &subscription.place)?;
        subscription.heard_at = Some(now);
        // If it fails before its first event, nothing that came meanwhile may be skipped.
        if subscription.place == IteratorPlace::Latest {
            subscription.place = IteratorPlace::AtTime(now);
        }
        Ok(())
    }

    /// Waits for events of any subscription, unless there are some already.
    fn wait(&mut self) {
        let has_some = self.subscriptions.values().any(|one| !one.pushed.is_empty());
        let longest = if has_some { Duration::ZERO } else { WAIT_MAX };
        let pushed = self.transport.pushed(longest);
        let now = self.transport.now();
        for (shard, event) in pushed {
            let Some(subscription) = self.subscriptions.get_mut(&shard) else { continue };
            subscription.heard_at = matches!(event, Pushed::Records(_)).then_some(now);
            subscription.pushed.push_back(event);
        }
    }

    /// Returns what came from a shard.
    fn page(&mut self, shard: &ShardId) -> Result<RecordPage, ReadFailure> {
        let now = self.transport.now();
        let Some(subscription) = self.subscriptions.get_mut(shard) else {
            return Err(ReadFailure::IteratorExpired);
        };
        let mut page = RecordPage {
            next: Some(String::new()),
            millis_behind_latest: subscription.millis_behind,
            ..RecordPage::default()
        };
        match subscription.pushed.pop_front() {
            Some(Pushed::Records(pushed)) => {
                if let Some(after) = pushed.after {
                    subscription.place = IteratorPlace::After(after);
                }
                subscription.millis_behind = Some(pushed.millis_behind_latest);
                page.millis_behind_latest = subscription.millis_behind;
                page.records = pushed.records;
                if pushed.is_end {
                    page.next = None;
                    self.forget(shard);
                }
            }
            Some(Pushed::Failed(failure)) => return Err(failure),
            // Kinesis refuses a subscription that follows at once, if the last one was young.
            Some(Pushed::Over) => return Err(ReadFailure::Throttled),
            None => {
                let silent = subscription.heard_at.map(|heard| pace::between(heard, now));
                if silent.is_some_and(|silent| silent > SILENCE_MAX) {
                    subscription.heard_at = None;
                    self.transport.unsubscribe(shard);
                    let message = format!("{shard} is silent: its subscription is begun again");
                    return Err(ReadFailure::Transient(Error::new(ErrorKind::Io, message)));
                }
            }
        }
        Ok(page)
    }

    fn forget(&mut self, shard: &ShardId) {
        self.transport.unsubscribe(shard);
        self.subscriptions.remove(shard);
    }
}

impl<T: SubscribeToShards> ReadStream for FanOut<T> {
    fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
        self.transport.list_shards()
    }

    /// Notes where the subscription begins. There is no iterator.
    fn iterator(&mut self, shard: &ShardId, place: &IteratorPlace) -> Result<String, ReadFailure> {
        self.forget(shard);
        let subscription = Subscription {
            place: place.clone(),
            heard_at: None,
            millis_behind: None,
            pushed: VecDeque::new(),
        };
        self.subscriptions.insert(shard.clone(), subscription);
        Ok(String::new())
    }

    fn records(&mut self, requests: &[(ShardId, String)]) -> Vec<Result<RecordPage, ReadFailure>> {
        let subscribed: Vec<_> = requests.iter().map(|(shard, _)| self.subscribe(shard)).collect();
        if subscribed.iter().any(Result::is_ok) {
            self.wait();
        }
        let pages = requests.iter().zip(subscribed);
        pages.map(|((shard, _), subscribed)| subscribed.and_then(|()| self.page(shard))).collect()
    }

    fn is_pushed(&self) -> bool {
        true
    }
}
