//! Who leads: the item of the DynamoDB lock client.

use super::table::{self, Condition, Item, Kind, LeaseTable, TableError, Update, Value};
use super::time::{Moment, Time};
use crate::error::{Error, ErrorKind};
use std::time::Duration;

/// The key of the item.
pub(super) const LEADER: &str = "Leader";

const OWNER: &str = "ownerName";
const DURATION: &str = "leaseDuration";
const VERSION: &str = "recordVersionNumber";
const RELEASED: &str = "isReleased";

/// The silence that an item allows whose duration cannot be read: that of Java workers.
const SILENCE_UNKNOWN: Duration = Duration::from_secs(120);

/// The lock of the leader, as one worker knows it. No clocks of two workers are compared: a worker
/// takes over after it has seen the same version for the whole duration.
#[derive(Debug)]
pub(super) struct LeaderLock {
    worker: String,
    /// How long this worker may be silent as the leader. It is written into the item, so that Java
    /// workers keep to it as well.
    silence: Duration,
    /// A number that this process makes versions of.
    seed: u64,
    versions: u64,
    /// The version of this worker, while it leads, and when it was written.
    mine: Option<(String, Duration)>,
    /// The version of another leader, and when it was seen first.
    seen: Option<(String, Duration)>,
}

impl LeaderLock {
    /// Creates the lock of a worker that does not lead. No two processes may have the same worker
    /// and seed.
    pub(super) fn new(worker: &str, silence: Duration, seed: u64) -> Self {
        LeaderLock { worker: worker.to_owned(), silence, seed, versions: 0, mine: None, seen: None }
    }

    /// Returns true if this worker leads, and no other one can lead yet.
    pub(super) fn is_held(&self, now: Moment) -> bool {
        let is_fresh = |at: Duration| now.elapsed.saturating_sub(at) < self.silence;
        self.mine.as_ref().is_some_and(|(_, at)| is_fresh(*at))
    }

    /// Renews the lock, or takes it if it is free. Returns true if this worker leads.
    ///
    /// # Errors
    /// Those of the table. It may be tried again.
    pub(super) fn look(
        &mut self,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<bool, TableError> {
        let now = time.now();
        if self.is_held(now)
            && let Some((version, _)) = self.mine.clone()
            && self.write(Some(&version), table, now)?
        {
            return Ok(true);
        }
        self.mine = None;
        let Some(item) = table.get(Kind::Coordinator, LEADER)? else {
            return self.write(None, table, now);
        };
        let Some(version) = table::text(&item, VERSION).map(str::to_owned) else {
            // Not an item of the lock client. Nobody can lead until it is repaired.
            return Err(TableError::Fatal(Error::new(
                ErrorKind::Corrupt,
                format!("the item {LEADER:?} of the application has no {VERSION}"),
            )));
        };
        // A version of this process: an earlier write has happened, and its answer was lost.
        match version.starts_with(&self.prefix()) || self.is_free(&item, &version, now) {
            true => self.write(Some(&version), table, now),
            false => Ok(false),
        }
    }

    /// Returns the beginning of the versions that this process writes.
    fn prefix(&self) -> String {
        format!("{}/{:016x}/", self.worker, self.seed)
    }

    /// Returns true if the leader has released the lock, or was silent for too long.
    fn is_free(&mut self, item: &Item, version: &str, now: Moment) -> bool {
        if item.contains_key(RELEASED) {
            return true;
        }
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                self.seen = Some((version.to_owned(), now.elapsed));
                now.elapsed
            }
        };
        let millis = table::text(item, DURATION).and_then(|text| text.parse().ok());
        let silence = millis.map_or(SILENCE_UNKNOWN, Duration::from_millis);
        now.elapsed.saturating_sub(since) > silence
    }

    /// Writes the item in place of the one with this version. Returns true if it was written.
    fn write(
        &mut self,
        present: Option<&str>,
        table: &dyn LeaseTable,
        now: Moment,
    ) -> Result<bool, TableError> {
        self.versions += 1;
        let version = format!("{}{}", self.prefix(), self.versions);
        let content = [
            (OWNER, Value::text(&self.worker)),
            (DURATION, Value::text(self.silence.as_millis().to_string())),
            (VERSION, Value::text(&version)),
        ];
        let written = match present {
            None => {
                let item = content.map(|(name, value)| (name.to_owned(), value)).into();
                table.create(Kind::Coordinator, LEADER, item)
            }
            Some(present) => {
                let mut update = Update::default().remove(RELEASED);
                update.set = content.into();
                let update = update.only_if(Condition::Is(VERSION, Value::text(present)));
                table.update(Kind::Coordinator, LEADER, &update)
            }
        };
        match written {
            Ok(()) => {
                (self.mine, self.seen) = (Some((version, now.elapsed)), None);
                Ok(true)
            }
            // It may be this worker's own write, repeated: the next look tells.
            Err(TableError::Refused) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets another worker lead at once.
    ///
    /// # Errors
    /// Those of the table. Another worker then leads after the silence.
    pub(super) fn release(&mut self, table: &dyn LeaseTable) -> Result<(), TableError> {
        let Some((version, _)) = self.mine.take() else { return Ok(()) };
        let is_mine = [Condition::Is(VERSION, Value::text(version))];
        match table.delete(Kind::Coordinator, LEADER, &is_mine) {
            Ok(()) | Err(TableError::Refused) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory_table::{HandTime, MemoryTable};
    use super::*;

    const SILENCE: Duration = Duration::from_secs(20);

    fn java(version: &str) -> Item {
        Item::from([
            (OWNER.to_owned(), Value::text("java")),
            (DURATION.to_owned(), Value::text("120000")),
            (VERSION.to_owned(), Value::text(version)),
        ])
    }

    #[test]
    fn s266_one_worker_leads_until_it_is_silent() {
        let (table, time) = (MemoryTable::default(), HandTime::default());
        let mut locks = ["one", "two"].map(|name| LeaderLock::new(name, SILENCE, 7));
        let look =
            |locks: &mut [LeaderLock; 2], index: usize| locks[index].look(&table, &time).unwrap();
        assert!(look(&mut locks, 0));
        for _ in 0..10 {
            assert!(!look(&mut locks, 1));
            time.pass(Duration::from_secs(5));
            assert!(look(&mut locks, 0));
        }
        assert!(!look(&mut locks, 1));
        time.pass(SILENCE);
        assert!(!locks[0].is_held(time.now()), "it does not lead by its own clock");
        assert!(!look(&mut locks, 1), "the other one waits a little longer");
        time.pass(Duration::from_secs(1));
        assert!(look(&mut locks, 1));
        assert!(!look(&mut locks, 0));
        locks[1].release(&table).unwrap();
        assert!(look(&mut locks, 0));
    }

    #[test]
    fn s266_the_duration_in_the_item_counts() {
        let (table, time) = (MemoryTable::default(), HandTime::default());
        table.put(Kind::Coordinator, LEADER, java("a"));
        let mut lock = LeaderLock::new("me", SILENCE, 7);
        assert!(!lock.look(&table, &time).unwrap());
        time.pass(Duration::from_secs(119));
        assert!(!lock.look(&table, &time).unwrap());
        table.put(Kind::Coordinator, LEADER, java("b"));
        time.pass(Duration::from_secs(2));
        assert!(!lock.look(&table, &time).unwrap(), "Java has renewed it");
        time.pass(Duration::from_secs(121));
        assert!(lock.look(&table, &time).unwrap());
        let mut released = java("c");
        released.insert(RELEASED.to_owned(), Value::text("1"));
        table.put(Kind::Coordinator, LEADER, released);
        assert!(lock.look(&table, &time).unwrap());
        let item = table.get(Kind::Coordinator, LEADER).unwrap().unwrap();
        assert!(!item.contains_key(RELEASED));
        assert_eq!(table::text(&item, DURATION), Some("20000"));
    }

    #[test]
    fn a_lock_whose_answer_was_lost_is_the_own_one() {
        let (table, time) = (MemoryTable::default(), HandTime::default());
        let mut lock = LeaderLock::new("me", SILENCE, 7);
        table.lose_next_answer();
        assert!(lock.look(&table, &time).is_err());
        assert!(lock.look(&table, &time).unwrap());
        table.lose_next_answer();
        assert!(lock.look(&table, &time).is_err());
        time.pass(Duration::from_secs(15));
        assert!(lock.look(&table, &time).unwrap());
    }
}
