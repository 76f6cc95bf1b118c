//! A worker among others: it reports that it lives, finds leases that were given to it, and renews
//! them.

use super::held::{HeldLease, SharedLease};
use super::leader::REPORTED;
use super::lease::Lease;
use super::notes::Notes;
use super::settings::Settings;
use super::table::{Kind, LeaseTable, TableError, Update, Value};
use super::time::Time;
use crate::error::Error;
use std::collections::BTreeMap;
use std::time::Duration;

/// Number of attempts to give leases back at the end. Afterwards they go to others as those of a
/// worker that has died.
const LEAVE_TRIES: usize = 4;

/// One worker's part in having leases.
#[derive(Debug)]
pub(super) struct Member {
    settings: Settings,
    held: BTreeMap<String, SharedLease>,
    /// The leases that the leader in this process has seen to be this worker's.
    seen: Option<Vec<String>>,
    report_due: Duration,
    discovery_due: Duration,
    notes: Notes,
}

impl Member {
    pub(super) fn new(settings: &Settings, notes: Notes) -> Self {
        Member {
            settings: settings.clone(),
            held: BTreeMap::new(),
            seen: None,
            report_due: Duration::ZERO,
            discovery_due: Duration::ZERO,
            notes,
        }
    }

    /// Takes those of these leases that are new, at the next step. They are what the leader in this
    /// process has seen to be this worker's, so a look of its own is not needed.
    pub(super) fn expect(&mut self, seen: Vec<String>) {
        self.seen = Some(seen);
    }

    /// Forgets a lease that was lost or given away. It may come back.
    pub(super) fn forget(&mut self, key: &str) {
        self.held.remove(key);
    }

    /// Does what is due. Returns the leases that this worker has got, each with its row.
    ///
    /// # Errors
    /// What no repetition helps against.
    pub(super) fn step(
        &mut self,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<Vec<(SharedLease, Lease)>, Error> {
        // First of all the leases: they must not wait for anything else.
        self.renew_if_due(table, time)?;
        let now = time.now().elapsed;
        if now >= self.report_due {
            self.report_due = now + self.settings.report_every();
            let seconds = Value::number(time.now().seconds());
            let report = Update::default().set(REPORTED, seconds);
            let done = table.update(Kind::Worker, &self.settings.worker, &report);
            self.passed("this worker cannot report", done)?;
        }
        let found = match self.seen.take() {
            Some(keys) => {
                // The next look of the leader comes before.
                self.discovery_due = now + self.settings.failover * 2;
                self.take_new(keys, table, time)
            }
            None if now >= self.discovery_due => {
                self.discovery_due = now + self.settings.discover_every();
                let owned = table.owned_by(&self.settings.worker);
                owned.and_then(|keys| self.take_new(keys, table, time))
            }
            None => return Ok(Vec::new()),
        };
        Ok(self.passed("new leases cannot be found", found)?.unwrap_or_default())
    }

    /// Returns the result of a call, or a note if it may succeed later.
    fn passed<T>(&self, what: &str, result: Result<T, TableError>) -> Result<Option<T>, Error> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(TableError::Fatal(error)) => Err(error),
            Err(error) => {
                self.notes.failed(what, &error);
                Ok(None)
            }
        }
    }

    /// Renews the leases that it is time for: all that a worker does that is about to end.
    ///
    /// # Errors
    /// What no repetition helps against.
    pub(super) fn renew_if_due(
        &mut self,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<(), Error> {
        for (key, lease) in &self.held {
            // One that is used is being written by the thread of its shard.
            let Some(mut lease) = lease.try_lock() else { continue };
            let renewed = lease.renew_if_due(table, time);
            self.passed(&format!("{key}: the lease cannot be renewed"), renewed)?;
        }
        Ok(())
    }

    /// Takes the leases that this worker does not have yet.
    fn take_new(
        &mut self,
        keys: Vec<String>,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<Vec<(SharedLease, Lease)>, TableError> {
        let mut found = Vec::new();
        for key in keys {
            if self.held.contains_key(&key) {
                continue;
            }
            match self.take(&key, table, time) {
                Ok(taken) => found.extend(taken),
                Err(TableError::Fatal(error)) => return Err(TableError::Fatal(error)),
                // Those that were taken must be returned.
                Err(error) => self.notes.failed(&format!("{key} cannot be taken"), &error),
            }
        }
        Ok(found)
    }

    /// Takes a lease, if its row says that this worker has it. The index of owners is late, and the
    /// leader's look may be late, too.
    fn take(
        &mut self,
        key: &str,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<Option<(SharedLease, Lease)>, TableError> {
        let now = time.now();
        let Some(item) = table.get(Kind::Lease, key)? else { return Ok(None) };
        let row = match Lease::from_item(key, &item) {
            Ok(row) => row,
            Err(reason) => {
                self.notes.ignored(key, &reason);
                return Ok(None);
            }
        };
        let worker = self.settings.worker.as_str();
        if row.owner.as_deref() != Some(worker) || row.handing_over.is_some() {
            return Ok(None);
        }
        let mut lease = HeldLease::new(&row, worker, self.settings.failover, now);
        if !lease.confirm(table, time)? {
            return Ok(None);
        }
        let lease = SharedLease::new(lease);
        self.held.insert(key.to_owned(), lease.clone());
        Ok(Some((lease, row)))
    }

    /// Says that this worker has ended, so that no leader gives it leases, and gives those away
    /// that still bear its name: it may have got them a moment before. It must read no shard any
    /// more.
    pub(super) fn leave(&mut self, table: &dyn LeaseTable) {
        match table.delete(Kind::Worker, &self.settings.worker, &[]) {
            Ok(()) | Err(TableError::Refused) => {}
            Err(error) => self.notes.failed("the worker's row cannot be deleted", &error),
        }
        for attempt in 1..=LEAVE_TRIES {
            match self.release_all(table) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) if attempt == LEAVE_TRIES => {
                    self.notes.failed("leases cannot be given back", &error)
                }
                Err(_) => {}
            }
        }
    }

    /// Returns true if no row bore the name of this worker.
    fn release_all(&self, table: &dyn LeaseTable) -> Result<bool, TableError> {
        let mut found = false;
        for (key, item) in table.scan(Kind::Lease)? {
            let row = Lease::from_item(&key, &item).ok();
            let Some(update) = row.and_then(|row| row.release(&self.settings.worker)) else {
                continue;
            };
            found = true;
            match table.update(Kind::Lease, &key, &update) {
                Ok(()) => self.notes.say(&format!("{key}: the lease is given back unread")),
                // Somebody has changed the row meanwhile, or the change happened already.
                Err(TableError::Refused) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(!found)
    }
}
