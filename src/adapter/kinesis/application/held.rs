//! A lease that this worker has.

use super::lease::{self, Lease, LeaseCheckpoint};
use super::table::{Condition, Kind, LeaseTable, TableError, Update, Value};
use super::time::{Moment, Time};
use crate::record::ShardId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// Number of attempts of a write whose row has changed. More than two mean that somebody else
/// writes it.
const WRITE_TRIES: usize = 4;

/// The pause between a write and the renewal that follows: there is time for a second attempt.
pub(super) fn renew_every(failover: Duration) -> Duration {
    failover * 2 / 5
}

/// What became of a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Held,
    /// Another worker has it, or may have it because it was not renewed in time.
    Lost,
    /// It was given back or handed over, or its row was deleted.
    Gone,
}

/// A lease that this worker has, unless it was lost.
///
/// The owner's writes are conditional on the counter and raise it. So a write that follows one
/// whose answer was lost, or one of another worker, is refused, and the row tells which of the two
/// it was.
#[derive(Debug)]
pub(super) struct HeldLease {
    key: String,
    worker: String,
    counter: u64,
    checkpoint: LeaseCheckpoint,
    /// The worker that it is to be handed over to.
    next: Option<String>,
    standing: Standing,
    /// When the last write that succeeded was begun.
    renewed_at: Duration,
    /// When the last write was begun, whatever became of it.
    tried_at: Duration,
    failover: Duration,
    /// Bytes that were read since a time, and the smoothed rate before it.
    bytes: u64,
    counted_from: Duration,
    rate: f64,
}

impl HeldLease {
    /// Creates the lease from its row, which this worker has read after `now`. It counts as held
    /// once it was renewed.
    pub(super) fn new(row: &Lease, worker: &str, failover: Duration, now: Moment) -> Self {
        HeldLease {
            key: row.key.clone(),
            worker: worker.to_owned(),
            counter: row.counter,
            checkpoint: row.checkpoint.clone(),
            next: None,
            standing: Standing::Held,
            renewed_at: now.elapsed,
            tried_at: now.elapsed,
            failover,
            bytes: 0,
            counted_from: now.elapsed,
            rate: 0.0,
        }
    }

    /// Returns the last checkpoint in the row.
    pub(super) fn checkpoint(&self) -> &LeaseCheckpoint {
        &self.checkpoint
    }

    /// Returns true if no other worker can have the lease yet. Afterwards nothing may be emitted.
    pub(super) fn is_held(&self, now: Moment) -> bool {
        self.standing == Standing::Held
            && now.elapsed.saturating_sub(self.renewed_at) <= self.failover
    }

    /// Returns true if the leader asked for a hand-over.
    pub(super) fn is_asked(&self) -> bool {
        self.next.is_some()
    }

    /// Returns the worker that it is to be handed over to.
    pub(super) fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Counts bytes that were read.
    pub(super) fn count(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Renews the lease if it is time for that: a checkpoint renews it too.
    ///
    /// # Errors
    /// The lease may have been renewed or not. It is tried again soon.
    pub(super) fn renew_if_due(
        &mut self,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<(), TableError> {
        let now = time.now().elapsed;
        let is_due = now.saturating_sub(self.renewed_at) >= renew_every(self.failover)
            && now.saturating_sub(self.tried_at) >= self.failover / 10;
        match is_due && self.standing == Standing::Held {
            true => self.confirm(table, time).map(drop),
            false => Ok(()),
        }
    }

    /// Renews the lease at once. Returns false if it is lost.
    ///
    /// # Errors
    /// The lease may have been renewed or not. It may be tried again.
    pub(super) fn confirm(
        &mut self,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<bool, TableError> {
        self.write(Update::default(), table, time)
    }

    /// Writes a checkpoint. Returns false if the lease is lost.
    ///
    /// # Errors
    /// The checkpoint may have been written or not. It may be tried again.
    pub(super) fn save_checkpoint(
        &mut self,
        checkpoint: &LeaseCheckpoint,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<bool, TableError> {
        let mut change = Update::default()
            .set(lease::CHECKPOINT, Value::text(checkpoint.to_string()))
            .set(lease::SUB_SEQUENCE, Value::number(checkpoint.sub()))
            .set(lease::SWITCHES, Value::number(0));
        for name in lease::PENDING {
            change = change.remove(name);
        }
        let written = self.write(change, table, time)?;
        if written {
            self.checkpoint = checkpoint.clone();
        }
        Ok(written)
    }

    /// Returns the smoothed rate of bytes, if it is time for it. Java workers are balanced by it.
    fn next_rate(&self, now: Moment) -> Option<f64> {
        let waited = now.elapsed.saturating_sub(self.counted_from);
        let kilobytes = self.bytes as f64 / 1024.0;
        let rate = (self.rate + kilobytes / waited.as_secs_f64().max(1.0)) / 2.0;
        (waited >= renew_every(self.failover)).then_some(rate)
    }

    /// Writes the row as its owner. Returns false if the lease is lost.
    fn write(
        &mut self,
        change: Update,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<bool, TableError> {
        for _ in 0..WRITE_TRIES {
            let now = time.now();
            if !self.is_held(now) {
                self.lose();
                return Ok(false);
            }
            let raised = Value::number(self.counter.saturating_add(1));
            let mut update = change
                .clone()
                .set(lease::COUNTER, raised)
                .only_if(Condition::Is(lease::COUNTER, Value::number(self.counter)));
            if self.next.is_none() {
                update = update.only_if(Condition::Lacks(lease::HANDING_OVER));
            }
            let rate = self.next_rate(now);
            if let Some(rate) = rate {
                update = update.set(lease::THROUGHPUT, Value::number(format!("{rate:.3}")));
            }
            self.tried_at = now.elapsed;
            match table.update(Kind::Lease, &self.key, &update) {
                Ok(()) => {
                    self.counter = self.counter.saturating_add(1);
                    self.renewed_at = now.elapsed;
                    if let Some(rate) = rate {
                        (self.rate, self.bytes, self.counted_from) = (rate, 0, now.elapsed);
                    }
                    return Ok(true);
                }
                Err(TableError::Refused) if self.settle(table)? => {}
                Err(TableError::Refused) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Err(TableError::Throttled)
    }

    /// Finds out why a write was refused. Returns false if the lease is lost.
    fn settle(&mut self, table: &dyn LeaseTable) -> Result<bool, TableError> {
        let row = table.get(Kind::Lease, &self.key)?;
        let row = row.and_then(|item| Lease::from_item(&self.key, &item).ok());
        let Some(row) = row.filter(|row| row.holder() == Some(&self.worker)) else {
            self.lose();
            return Ok(false);
        };
        // A counter that is higher by one: an earlier write has happened, and its answer was lost.
        if row.counter != self.counter && Some(row.counter) != self.counter.checked_add(1) {
            self.lose();
            return Ok(false);
        }
        self.counter = row.counter;
        self.next = row.handing_over.and(row.owner);
        Ok(true)
    }

    /// Gives the lease away: to the worker that the leader has chosen, or back. What was applied
    /// must be saved and checkpointed before.
    ///
    /// # Errors
    /// The lease may have been given away or not. It may be tried again.
    pub(super) fn give_away(&mut self, table: &dyn LeaseTable) -> Result<(), TableError> {
        for _ in 0..WRITE_TRIES {
            if self.standing != Standing::Held {
                return Ok(());
            }
            let row = Lease {
                owner: self.next.clone().or_else(|| Some(self.worker.clone())),
                handing_over: self.next.as_ref().map(|_| self.worker.clone()),
                counter: self.counter,
                ..Lease::new(&ShardId::new(self.key.as_str()), self.checkpoint.clone())
            };
            let Some(update) = row.release(&self.worker) else { return Ok(()) };
            match table.update(Kind::Lease, &self.key, &update) {
                Ok(()) => self.standing = Standing::Gone,
                Err(TableError::Refused) => {
                    self.settle(table)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes the row of an ended shard. Returns false if somebody else has it.
    ///
    /// # Errors
    /// The row may have been deleted or not. It may be tried again.
    pub(super) fn delete(&mut self, table: &dyn LeaseTable) -> Result<(), TableError> {
        let is_mine = [Condition::Is(lease::OWNER, Value::text(&self.worker))];
        match table.delete(Kind::Lease, &self.key, &is_mine) {
            Ok(()) | Err(TableError::Refused) => {
                self.standing = Standing::Gone;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Stops using the lease.
    pub(super) fn lose(&mut self) {
        if self.standing == Standing::Held {
            self.standing = Standing::Lost;
        }
    }
}

/// A lease that is renewed by one thread, while another reads its shard.
#[derive(Clone, Debug)]
pub(super) struct SharedLease(Arc<Mutex<HeldLease>>);

impl SharedLease {
    pub(super) fn new(lease: HeldLease) -> Self {
        SharedLease(Arc::new(Mutex::new(lease)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HeldLease> {
        // A lease has no state that a panic could leave half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `None` while another thread uses the lease.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, HeldLease>> {
        match self.0.try_lock() {
            Ok(lease) => Some(lease),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory_table::{HandTime, MemoryTable};
    use super::*;
    use crate::record::Sequence;

    const FAILOVER: Duration = Duration::from_secs(10);
    const KEY: &str = "shardId-0";

    fn after(number: u64) -> LeaseCheckpoint {
        LeaseCheckpoint::After(Sequence::new(number))
    }

    /// A lease of this worker, and its table.
    fn held() -> (MemoryTable, HandTime, HeldLease) {
        let (table, time) = (MemoryTable::default(), HandTime::default());
        let row = Lease::new(&ShardId::new(KEY), LeaseCheckpoint::TrimHorizon);
        table.put(Kind::Lease, KEY, row.to_item());
        let give = Update::default().set(lease::OWNER, Value::text("me"));
        table.update(Kind::Lease, KEY, &give).unwrap();
        let mut lease = HeldLease::new(&row, "me", FAILOVER, time.now());
        assert!(lease.confirm(&table, &time).unwrap());
        (table, time, lease)
    }

    fn row(table: &MemoryTable) -> Lease {
        Lease::from_item(KEY, &table.get(Kind::Lease, KEY).unwrap().unwrap()).unwrap()
    }

    /// What a leader writes.
    fn lead(table: &MemoryTable, update: Update) {
        table.update(Kind::Lease, KEY, &update).unwrap();
    }

    #[test]
    fn s264_a_lease_that_was_not_renewed_in_time_is_lost_by_the_own_clock() {
        let (table, time, mut lease) = held();
        time.pass(FAILOVER);
        assert!(lease.is_held(time.now()));
        assert!(lease.confirm(&table, &time).unwrap());
        time.pass(FAILOVER + Duration::from_millis(1));
        assert!(!lease.is_held(time.now()));
        assert!(!lease.save_checkpoint(&after(7), &table, &time).unwrap());
        assert_eq!(row(&table).checkpoint, LeaseCheckpoint::TrimHorizon);
    }

    #[test]
    fn s264_a_lease_of_another_worker_takes_no_checkpoint() {
        let (table, time, mut lease) = held();
        lead(
            &table,
            Update::default().set(lease::OWNER, Value::text("other")).raise(lease::COUNTER),
        );
        assert!(!lease.save_checkpoint(&after(7), &table, &time).unwrap());
        assert!(!lease.is_held(time.now()));
        assert_eq!(row(&table).checkpoint, LeaseCheckpoint::TrimHorizon);
    }

    #[test]
    fn s265_a_write_whose_answer_was_lost_is_recognised() {
        let (table, time, mut lease) = held();
        table.lose_next_answer();
        time.pass(Duration::from_secs(5));
        let lost = lease.confirm(&table, &time).unwrap_err();
        assert!(matches!(lost, TableError::Unknown(_)));
        table.lose_next_answer();
        assert!(lease.save_checkpoint(&after(7), &table, &time).is_err());
        assert!(lease.save_checkpoint(&after(9), &table, &time).unwrap());
        assert_eq!((row(&table).checkpoint, row(&table).counter), (after(9), 4));
        assert!(lease.is_held(time.now()));
    }

    #[test]
    fn a_hand_over_is_noticed_and_the_lease_kept_until_it_is_done() {
        let (table, time, mut lease) = held();
        let ask = Update::default()
            .set(lease::OWNER, Value::text("next"))
            .set(lease::HANDING_OVER, Value::text("me"));
        lead(&table, ask);
        assert!(!lease.is_asked());
        assert!(lease.save_checkpoint(&after(3), &table, &time).unwrap());
        assert_eq!(lease.next(), Some("next"));
        assert!(lease.save_checkpoint(&after(4), &table, &time).unwrap());
        lease.give_away(&table).unwrap();
        let row = row(&table);
        assert_eq!((row.owner.as_deref(), row.handing_over), (Some("next"), None));
        assert_eq!(row.checkpoint, after(4));
        assert!(!lease.is_held(time.now()));
    }

    #[test]
    fn s269_a_lease_is_given_back_also_after_a_lost_answer() {
        let (table, time, mut lease) = held();
        table.lose_next_answer();
        assert!(lease.save_checkpoint(&after(3), &table, &time).is_err());
        lease.give_away(&table).unwrap();
        assert_eq!((row(&table).owner, row(&table).checkpoint), (None, after(3)));
        lead(&table, Update::default().set(lease::OWNER, Value::text("other")));
        lease.give_away(&table).unwrap();
        assert_eq!(row(&table).owner.as_deref(), Some("other"), "it is given away once");
    }
}
