//! A member of a consumer group: answers the group, passes records on to the workers of its
//! partitions, and holds a partition back whose worker is slow.

use super::order::{End, Order, Report, Workers, bytes_of};
use crate::adapter::kafka::read_topic::{ReadTopic, TopicEvent, shard_of};
use crate::adapter::kafka::start::{self, Beginning};
use crate::adapter::worker::{Batch, Clock};
use crate::error::Error;
use crate::record::{Record, Sequence};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long one step waits for records, and while a worker is behind.
const WAIT: Duration = Duration::from_millis(50);

/// The bytes of records that wait for the worker of a partition. Beyond it nothing is read for a
/// short time, and then the partition is held back.
const QUEUE_BYTES_MAX: usize = 8 << 20;

/// How long reading waits for a slow worker, in milliseconds. To hold a partition back means to
/// fetch again later what was fetched ahead, so it is for workers that stand still.
const PATIENCE: i64 = 1_000;

/// The pause before a partition is opened again whose state another process has taken over, in
/// milliseconds. Until then the group may say that the partition is not this member's.
const REOPEN_AFTER: i64 = 1_000;

/// How often the positions are committed again, in milliseconds. A commit gets lost while the group
/// rebalances, and a partition without new records makes no other one. Java's consumers commit as
/// often by themselves.
const COMMIT_EVERY: i64 = 5_000;

/// A member of a group.
#[derive(Debug)]
pub(super) struct Member<T> {
    pub(super) topic: T,
    name: String,
    partitions: BTreeMap<i32, Held>,
    committed_at: Timestamp,
    /// Changes that the group waits for, in order.
    answers: Vec<Answer>,
    is_leaving: bool,
    notes: Vec<String>,
}

/// A partition that this process works on.
#[derive(Debug)]
struct Held {
    phase: Phase,
    /// Bytes that wait for the worker.
    queued: usize,
    /// When there were too many of them.
    full_since: Option<Timestamp>,
    is_paused: bool,
    /// True if the topic delivers the partition.
    is_delivered: bool,
    /// The records before this offset are in the saved state.
    saved: Option<u64>,
}

#[derive(Debug)]
enum Phase {
    /// The worker reads the state.
    Opening,
    /// The position is known. The group does not know yet that reading begins.
    Opened(Option<Sequence>),
    Reading,
    /// The worker was told to end.
    Ending,
    /// Another process took over the state at that time.
    Disputed(Timestamp),
}

/// What the group waits for.
#[derive(Debug)]
enum Answer {
    /// Begin with these partitions, when their positions are known.
    Begin(Vec<i32>),
    /// Leave these, when their workers have ended.
    Leave(Vec<i32>),
}

impl<T: ReadTopic> Member<T> {
    pub(super) fn new(topic: T, name: &str) -> Self {
        Member {
            topic,
            name: name.to_owned(),
            partitions: BTreeMap::new(),
            committed_at: Timestamp::from_millis(0),
            answers: Vec::new(),
            is_leaving: false,
            notes: Vec::new(),
        }
    }

    /// Saves all partitions, and takes no new ones. The member has left when
    /// [`step`](Member::step) returns false.
    pub(super) fn leave(&mut self, workers: &mut dyn Workers) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            let all: Vec<i32> = self.partitions.keys().copied().collect();
            self.end(&all, || Order::Leave, workers);
        }
    }

    /// Returns what an operator should know of the time since the last call.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Takes the reports of the workers, and the events of the topic. Returns false if the member
    /// has left.
    ///
    /// # Errors
    /// Those of the topic, and the first one of a worker.
    pub(super) fn step(
        &mut self,
        workers: &mut dyn Workers,
        clock: &mut dyn Clock,
    ) -> Result<bool, Error> {
        let now = clock.now();
        self.hear(workers.reports(Duration::ZERO), now)?;
        self.reopen(workers, now)?;
        self.answer(workers)?;
        self.commit_again(now);
        if self.is_leaving && self.partitions.is_empty() {
            return Ok(false);
        }
        if self.hold_back(now)? {
            let reports = workers.reports(WAIT);
            self.hear(reports, now)?;
            return Ok(true);
        }
        for event in self.topic.poll(WAIT)? {
            self.take(event, workers);
        }
        Ok(true)
    }

    fn take(&mut self, event: TopicEvent, workers: &mut dyn Workers) {
        match event {
            TopicEvent::Records(partition, records) => {
                self.pass_on(partition, records, None, workers)
            }
            TopicEvent::AtEnd(partition) => self.pass_on(partition, Vec::new(), Some(0), workers),
            TopicEvent::Assigned(partitions) => {
                self.say("given", &partitions);
                self.answers.push(Answer::Begin(partitions));
            }
            TopicEvent::Revoked(partitions) => {
                self.say("giving back", &partitions);
                self.take_away(partitions, || Order::Leave, workers);
            }
            TopicEvent::Lost(partitions) => {
                self.say("lost", &partitions);
                self.take_away(partitions, || Order::Lose, workers);
            }
            TopicEvent::Note(note) => self.notes.push(note),
        }
    }

    /// Takes a note on partitions that come or leave. A rebalance may move none.
    fn say(&mut self, what: &str, partitions: &[i32]) {
        if !partitions.is_empty() {
            let names: Vec<String> = partitions.iter().map(i32::to_string).collect();
            self.notes.push(format!("{}: {what} partitions {}", self.name, names.join(", ")));
        }
    }

    fn pass_on(
        &mut self,
        partition: i32,
        records: Vec<Record>,
        behind: Option<u64>,
        workers: &mut dyn Workers,
    ) {
        // Records of a partition that leaves come again to the member that gets it.
        let held = self.partitions.get_mut(&partition);
        let Some(held) = held.filter(|held| matches!(held.phase, Phase::Reading)) else { return };
        let mut batch = Batch::default();
        (batch.records, batch.millis_behind_latest) = (records, behind);
        held.queued += bytes_of(&batch);
        workers.order(partition, Order::Process(batch));
    }

    /// Ends the work on partitions that the group takes away, also on those that it has given just
    /// before.
    fn take_away(
        &mut self,
        partitions: Vec<i32>,
        order: impl Fn() -> Order,
        workers: &mut dyn Workers,
    ) {
        for answer in &mut self.answers {
            if let Answer::Begin(pending) = answer {
                pending.retain(|partition| !partitions.contains(partition));
            }
        }
        self.end(&partitions, order, workers);
        self.answers.push(Answer::Leave(partitions));
    }

    /// Tells workers to end.
    fn end(&mut self, partitions: &[i32], order: impl Fn() -> Order, workers: &mut dyn Workers) {
        for partition in partitions {
            let Some(held) = self.partitions.get_mut(partition) else { continue };
            if matches!(held.phase, Phase::Disputed(_)) {
                self.partitions.remove(partition);
                continue;
            }
            held.phase = Phase::Ending;
            workers.order(*partition, order());
        }
    }

    fn hear(&mut self, reports: Vec<(i32, Report)>, now: Timestamp) -> Result<(), Error> {
        for (partition, report) in reports {
            let Some(held) = self.partitions.get_mut(&partition) else { continue };
            match report {
                Report::Opened(applied) => {
                    if matches!(held.phase, Phase::Opening) {
                        held.phase = Phase::Opened(applied);
                    }
                }
                Report::Processed(bytes) => held.queued = held.queued.saturating_sub(bytes),
                Report::Saved(next) => {
                    held.saved = Some(next);
                    commit(&mut self.topic, &[(partition, next)]);
                }
                Report::Ended(End::Ordered) => drop(self.partitions.remove(&partition)),
                Report::Ended(End::Conflict) => match held.phase {
                    Phase::Ending => drop(self.partitions.remove(&partition)),
                    _ => {
                        held.phase = Phase::Disputed(now);
                        let shard = shard_of(&self.name, partition);
                        self.notes.push(format!("{shard}: another process has taken it over"));
                    }
                },
                Report::Ended(End::Failed(error)) => {
                    self.partitions.remove(&partition);
                    return Err(error.at(shard_of(&self.name, partition)));
                }
            }
        }
        Ok(())
    }

    /// Commits the positions of all partitions again, if it is time.
    fn commit_again(&mut self, now: Timestamp) {
        if now.as_millis().saturating_sub(self.committed_at.as_millis()) < COMMIT_EVERY {
            return;
        }
        self.committed_at = now;
        let reading =
            self.partitions.iter().filter(|(_, held)| matches!(held.phase, Phase::Reading));
        let positions: Vec<(i32, u64)> =
            reading.filter_map(|(partition, held)| Some((*partition, held.saved?))).collect();
        commit(&mut self.topic, &positions);
    }

    /// Begins again with partitions whose state another process had taken over, if the group still
    /// says that they are this member's.
    fn reopen(&mut self, workers: &mut dyn Workers, now: Timestamp) -> Result<(), Error> {
        let mut opened = Vec::new();
        for (partition, held) in &mut self.partitions {
            match &held.phase {
                Phase::Disputed(since)
                    if now.as_millis().saturating_sub(since.as_millis()) >= REOPEN_AFTER =>
                {
                    (held.phase, held.queued) = (Phase::Opening, 0);
                    workers.start(*partition);
                }
                Phase::Opened(applied) if held.is_delivered => {
                    opened.push((*partition, applied.clone()));
                }
                _ => {}
            }
        }
        for (partition, applied) in opened {
            let next = self.find(partition, applied.as_ref())?;
            self.topic.seek(partition, next)?;
            self.set_reading(partition, next);
        }
        Ok(())
    }

    /// Returns the offset from which a partition is read, after the position in its state.
    fn find(&mut self, partition: i32, applied: Option<&Sequence>) -> Result<u64, Error> {
        let of = (self.name.as_str(), partition);
        let place = start::find(&mut self.topic, of, applied, Beginning::Added)?;
        self.notes.extend(place.note);
        Ok(place.next)
    }

    fn set_reading(&mut self, partition: i32, next: u64) {
        if let Some(held) = self.partitions.get_mut(&partition) {
            (held.phase, held.is_delivered, held.saved) = (Phase::Reading, true, Some(next));
        }
    }

    /// Answers the group, as far as the workers are ready.
    fn answer(&mut self, workers: &mut dyn Workers) -> Result<(), Error> {
        while let Some(first) = self.answers.first() {
            match first {
                Answer::Leave(partitions) => {
                    if partitions.iter().any(|number| self.partitions.contains_key(number)) {
                        return Ok(());
                    }
                    self.topic.leave(partitions)?;
                }
                Answer::Begin(partitions) => {
                    let partitions = partitions.clone();
                    if !self.is_ready(&partitions, workers) {
                        return Ok(());
                    }
                    self.begin(&partitions)?;
                }
            }
            self.answers.remove(0);
        }
        Ok(())
    }

    /// Starts the workers of partitions that have none. Returns true if all positions are known, or
    /// not needed.
    fn is_ready(&mut self, partitions: &[i32], workers: &mut dyn Workers) -> bool {
        if self.is_leaving {
            return true;
        }
        let mut is_ready = true;
        for partition in partitions {
            let held = self.partitions.entry(*partition).or_insert_with(|| {
                workers.start(*partition);
                Held::new()
            });
            is_ready &= matches!(held.phase, Phase::Opened(_) | Phase::Reading);
        }
        is_ready
    }

    fn begin(&mut self, partitions: &[i32]) -> Result<(), Error> {
        let mut places = Vec::new();
        for partition in partitions {
            let held = self.partitions.get(partition);
            let Some(Phase::Opened(applied)) = held.map(|held| &held.phase) else { continue };
            let applied = applied.clone();
            places.push((*partition, self.find(*partition, applied.as_ref())?));
        }
        self.topic.begin(&places)?;
        places.iter().for_each(|(partition, next)| self.set_reading(*partition, *next));
        Ok(())
    }

    /// Holds back partitions whose workers are slow, and continues others. Returns true while it
    /// is better to wait for a worker than to read.
    fn hold_back(&mut self, now: Timestamp) -> Result<bool, Error> {
        let mut waits = false;
        for (partition, held) in &mut self.partitions {
            if held.queued <= QUEUE_BYTES_MAX {
                held.full_since = None;
                if held.is_paused && held.queued <= QUEUE_BYTES_MAX / 2 {
                    held.is_paused = false;
                    self.topic.pause(*partition, false)?;
                }
                continue;
            }
            let since = *held.full_since.get_or_insert(now);
            let is_slow = now.as_millis().saturating_sub(since.as_millis()) >= PATIENCE;
            if is_slow && !held.is_paused {
                held.is_paused = true;
                self.topic.pause(*partition, true)?;
            }
            waits |= !held.is_paused;
        }
        Ok(waits)
    }
}

impl Held {
    fn new() -> Self {
        Held {
            phase: Phase::Opening,
            queued: 0,
            full_since: None,
            is_paused: false,
            is_delivered: false,
            saved: None,
        }
    }
}

/// Commits positions for programs that show the lag. A failure harms nothing: the positions that
/// count are in the state.
fn commit(topic: &mut impl ReadTopic, positions: &[(i32, u64)]) {
    if !positions.is_empty() {
        let _ = topic.commit(positions);
    }
}
