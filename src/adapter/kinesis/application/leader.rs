//! The leader of an application: makes rows for shards without one, and gives leases to workers.

use super::assignment::{self, Decision, Observations, Report};
use super::lease::{self, Lease, shortened};
use super::lock::LeaderLock;
use super::notes::Notes;
use super::settings::Settings;
use super::shards;
use super::table::{self, Condition, Item, Kind, LeaseTable, TableError, Update, Value};
use super::time::{Moment, Time};
use crate::adapter::kinesis::{ReadFailure, ReadStream};
use crate::error::{Error, ErrorKind};
use std::time::Duration;

pub(super) const REPORTED: &str = "lut";
const FIGURES: &str = "sts";

/// How often a hole in the hash keys must be seen before it counts: rows are read one by one, while
/// others create and delete them.
const HOLE_LOOKS: u32 = 2;

/// Number of runs that failed one after the other, after which another worker may lead.
const FAILURES_MAX: u32 = 3;

/// One worker's part in leading the application.
#[derive(Debug)]
pub(super) struct Leader {
    settings: Settings,
    lock: LeaderLock,
    look_due: Duration,
    run_due: Duration,
    leads: bool,
    observed: Observations,
    reports: Vec<Report>,
    reports_due: Duration,
    holes: u32,
    failures: u32,
    notes: Notes,
}

impl Leader {
    pub(super) fn new(settings: &Settings, notes: Notes) -> Self {
        Leader {
            settings: settings.clone(),
            lock: LeaderLock::new(&settings.worker, settings.silence(), settings.seed),
            look_due: Duration::ZERO,
            run_due: Duration::ZERO,
            leads: false,
            observed: Observations::default(),
            reports: Vec::new(),
            reports_due: Duration::ZERO,
            holes: 0,
            failures: 0,
            notes,
        }
    }

    /// Does what is due. Returns the leases of this worker, if it leads and has looked at all rows.
    ///
    /// # Errors
    /// What no repetition helps against.
    pub(super) fn step(
        &mut self,
        stream: &mut dyn ReadStream,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<Option<Vec<String>>, Error> {
        let now = time.now();
        if now.elapsed >= self.look_due {
            self.look_due = now.elapsed + self.settings.lock_every();
            self.look(table, time)?;
        }
        if !self.leads || !self.lock.is_held(now) || now.elapsed < self.run_due {
            return Ok(None);
        }
        self.run_due = now.elapsed + self.settings.failover;
        let run = self.run(stream, table, time);
        match run {
            Ok(mine) => {
                self.failures = 0;
                Ok(Some(mine))
            }
            Err(TableError::Fatal(error)) => Err(error),
            Err(error) => {
                self.failures += 1;
                self.notes.failed("leases cannot be assigned", &error);
                if self.failures >= FAILURES_MAX {
                    self.release(table);
                }
                Ok(None)
            }
        }
    }

    fn look(&mut self, table: &dyn LeaseTable, time: &dyn Time) -> Result<(), Error> {
        let led = self.leads;
        match self.lock.look(table, time) {
            Ok(leads) => self.leads = leads,
            Err(TableError::Fatal(error)) => return Err(error),
            Err(error) => self.notes.failed("the leader cannot be found out", &error),
        }
        if self.leads && !led {
            // What an earlier leader saw is not known.
            (self.observed, self.holes, self.failures) = (Observations::default(), 0, 0);
            (self.run_due, self.reports_due) = (Duration::ZERO, Duration::ZERO);
            self.notes.say("this worker leads the application");
        }
        Ok(())
    }

    /// Lets another worker lead.
    pub(super) fn release(&mut self, table: &dyn LeaseTable) {
        if let Err(error) = self.lock.release(table) {
            self.notes.failed("the leadership cannot be given back", &error);
        }
        (self.leads, self.failures) = (false, 0);
        self.look_due = self.look_due.saturating_add(self.settings.lock_every());
    }

    fn run(
        &mut self,
        stream: &mut dyn ReadStream,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<Vec<String>, TableError> {
        let mut leases = self.leases(table)?;
        if self.is_hole(&leases) {
            self.create_missing(&leases, stream, table)?;
            leases = self.leases(table)?;
        }
        let now = time.now();
        let mut decisions = Vec::new();
        if now.elapsed < self.reports_due {
            decisions = self.decide(&leases, now);
        }
        // Nothing is decided by old reports: a worker may have ended meanwhile.
        if !decisions.is_empty() || now.elapsed >= self.reports_due {
            self.reports = self.reports(table)?;
            self.reports_due = now.elapsed + self.settings.failover;
            decisions = self.decide(&leases, now);
            self.forget(table, now)?;
        }
        let me = self.settings.worker.clone();
        let is_mine = |lease: &&Lease| lease.owner.as_ref() == Some(&me);
        let mut mine: Vec<String> =
            leases.iter().filter(is_mine).map(|lease| lease.key.clone()).collect();
        for decision in &decisions {
            let done = self.carry_out(decision, &leases, table)?;
            if done && let Some(key) = decision.assigned_to(&me) {
                mine.push(key.to_owned());
            }
        }
        self.run_due = now.elapsed + self.pause(&leases, now);
        Ok(mine)
    }

    fn decide(&mut self, leases: &[Lease], now: Moment) -> Vec<Decision> {
        self.observed.look(leases, &self.reports, now);
        let parties = (self.settings.worker.as_str(), self.settings.failover);
        assignment::decide((leases, &self.reports), &mut self.observed, parties, now)
    }

    /// Returns the pause until the next look at the leases. It comes as soon as one of another
    /// worker can be dead. Without such a lease only new workers can come.
    fn pause(&self, leases: &[Lease], now: Moment) -> Duration {
        let failover = self.settings.failover;
        let parties = (self.settings.worker.as_str(), failover);
        match self.observed.first_death(leases, parties, now) {
            Some(length) => (length + Duration::from_millis(1)).clamp(failover / 50, failover / 2),
            None => failover,
        }
    }

    /// Deletes the rows of workers that ended long ago.
    fn forget(&self, table: &dyn LeaseTable, now: Moment) -> Result<(), TableError> {
        for report in self.observed.forgotten(&self.reports, now) {
            let unchanged = Condition::Is(REPORTED, Value::number(report.seconds));
            match table.delete(Kind::Worker, &report.worker, &[unchanged]) {
                Ok(()) | Err(TableError::Refused) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn leases(&mut self, table: &dyn LeaseTable) -> Result<Vec<Lease>, TableError> {
        let mut leases = Vec::new();
        for (key, item) in table.scan(Kind::Lease)? {
            if key.contains(':') {
                let message = format!(
                    "the lease {:?} is of an application that reads several streams, which this \
                     command does not do",
                    shortened(&key)
                );
                return Err(TableError::Fatal(Error::new(ErrorKind::Unsupported, message)));
            }
            match Lease::from_item(&key, &item) {
                Ok(lease) => leases.push(lease),
                Err(reason) => self.notes.ignored(&key, &reason),
            }
        }
        leases.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(leases)
    }

    fn reports(&mut self, table: &dyn LeaseTable) -> Result<Vec<Report>, TableError> {
        let mut reports = Vec::new();
        for (worker, item) in table.scan(Kind::Worker)? {
            match table::integer(&item, REPORTED) {
                Some(seconds) => {
                    reports.push(Report { worker, seconds, is_failing: is_failing(&item) })
                }
                None => self.notes.ignored(&worker, &format!("{REPORTED} is not an integer")),
            }
        }
        Ok(reports)
    }

    /// Returns true if shards have no rows, and it was so at the last look too.
    fn is_hole(&mut self, leases: &[Lease]) -> bool {
        if leases.is_empty() {
            return true;
        }
        match shards::covers_all(leases) {
            true => self.holes = 0,
            false => self.holes += 1,
        }
        self.holes >= HOLE_LOOKS
    }

    fn create_missing(
        &mut self,
        leases: &[Lease],
        stream: &mut dyn ReadStream,
        table: &dyn LeaseTable,
    ) -> Result<(), TableError> {
        let listed = stream.list_shards().map_err(|failure| match failure {
            ReadFailure::Throttled | ReadFailure::IteratorExpired => TableError::Throttled,
            ReadFailure::Transient(error) => TableError::Unknown(error),
            ReadFailure::Fatal(error) => TableError::Fatal(error),
        })?;
        let rows = leases.iter().map(|lease| lease.key.clone()).collect();
        for lease in shards::missing(&listed, &rows, self.settings.start) {
            shards::create(&lease, table)?;
        }
        self.holes = 0;
        Ok(())
    }

    /// Returns true if it was done: the lease is as it was read.
    fn carry_out(
        &mut self,
        decision: &Decision,
        leases: &[Lease],
        table: &dyn LeaseTable,
    ) -> Result<bool, TableError> {
        let (Decision::Assign { key, to } | Decision::HandOver { key, to }) = decision;
        let Some(lease) = leases.iter().find(|lease| lease.key == *key) else { return Ok(false) };
        let owner = lease.owner.as_deref();
        let update = Update::default()
            .set(lease::OWNER, Value::text(to))
            .only_if(Condition::Exists)
            .only_if(Condition::is_text(lease::OWNER, owner))
            .only_if(Condition::is_text(lease::HANDING_OVER, lease.handing_over.as_deref()));
        let update = match (decision, owner) {
            (Decision::Assign { .. }, _) => {
                let update = update.remove(lease::HANDING_OVER).raise(lease::COUNTER);
                match owner.is_some_and(|owner| owner != to) {
                    true => update.raise(lease::SWITCHES),
                    false => update,
                }
            }
            // The counter stays: the owner goes on until it has noticed.
            (Decision::HandOver { .. }, Some(owner)) => {
                update.set(lease::HANDING_OVER, Value::text(owner))
            }
            (Decision::HandOver { .. }, None) => return Ok(false),
        };
        match table.update(Kind::Lease, key, &update) {
            Ok(()) => Ok(true),
            Err(TableError::Refused) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Returns true if the last figure of any kind is -1: the worker cannot measure it.
fn is_failing(item: &Item) -> bool {
    let Some(Value::Map(figures)) = item.get(FIGURES) else { return false };
    figures.values().any(|values| {
        let Value::List(values) = values else { return false };
        let Some(Value::Number(last)) = values.last() else { return false };
        last.parse::<f64>().is_ok_and(|last| last < 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::super::member::Member;
    use super::super::memory_table::{HandTime, MemoryTable};
    use super::*;
    use crate::adapter::kinesis::{IteratorPlace, RecordPage, ShardInfo};
    use crate::adapter::worker::StreamStart;
    use crate::record::ShardId;
    use proptest::prelude::*;
    use std::sync::{Arc, Mutex};

    struct OneShard;

    impl ReadStream for OneShard {
        fn list_shards(&mut self) -> Result<Vec<ShardInfo>, ReadFailure> {
            let id = ShardId::new("shardId-0");
            Ok(vec![ShardInfo { id, parents: Vec::new(), range: None, is_closed: false }])
        }

        fn iterator(&mut self, _: &ShardId, _: &IteratorPlace) -> Result<String, ReadFailure> {
            Ok(String::new())
        }

        fn records(&mut self, _: &[(ShardId, String)]) -> Vec<Result<RecordPage, ReadFailure>> {
            Vec::new()
        }
    }

    fn settings() -> Settings {
        Settings {
            worker: "me".to_owned(),
            seed: 1,
            start: StreamStart::TrimHorizon,
            failover: Duration::from_secs(10),
            splits_aggregates: true,
        }
    }

    fn leader() -> (Leader, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let to = said.clone();
        let notes = Notes::new(Arc::new(move |note| to.lock().unwrap().push(note.to_owned())));
        (Leader::new(&settings(), notes), said)
    }

    #[test]
    fn s268_rows_that_are_no_leases_are_ignored_with_a_note() {
        let (table, time) = (MemoryTable::default(), HandTime::default());
        let of = |name: &str, value| Item::from([(name.to_owned(), value)]);
        table.put(Kind::Lease, "broken", of("checkpoint", Value::text("TRIM_HORIZON")));
        table.put(Kind::Worker, "odd", of("lut", Value::text("yesterday")));
        table.put(Kind::Worker, "late", of("lut", Value::number("4102444800")));
        let mut good =
            Lease::new(&ShardId::new("shardId-1"), lease::LeaseCheckpoint::TrimHorizon).to_item();
        good.insert("something new".to_owned(), Value::Other);
        table.put(Kind::Lease, "shardId-1", good);
        let (mut leader, said) = leader();
        let mine = leader.step(&mut OneShard, &table, &time).unwrap();
        assert_eq!(mine, Some(vec!["shardId-1".to_owned()]));
        let owner = |key| table.get(Kind::Lease, key).unwrap().unwrap().remove(lease::OWNER);
        assert_eq!((owner("shardId-1"), owner("broken")), (Some(Value::text("me")), None));
        let row = table.get(Kind::Lease, "shardId-1").unwrap().unwrap();
        assert_eq!(row.get("something new"), Some(&Value::Other), "it stays");
        let said = said.lock().unwrap().join("\n");
        assert!(said.contains("the row \"broken\" is ignored: leaseCounter is missing"), "{said}");
        assert!(said.contains("the row \"odd\" is ignored: lut is not an integer"), "{said}");
    }

    #[test]
    fn the_leases_of_several_streams_are_refused() {
        let (table, time) = (MemoryTable::default(), HandTime::default());
        table.put(Kind::Lease, "123:clicks:456:shardId-0", Item::new());
        let refused = leader().0.step(&mut OneShard, &table, &time).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("several streams"), "{refused}");
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            "[A-Z_0-9]{0,20}".prop_map(Value::Text),
            "-?[0-9]{0,30}|NaN|1e400".prop_map(Value::Number),
            prop::collection::btree_set("[a-z]{0,3}", 0..3).prop_map(Value::Texts),
            Just(Value::List(vec![Value::Other])),
            Just(Value::Map([("a".to_owned(), Value::List(vec![Value::number(-1)]))].into())),
            Just(Value::Other),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<(String, Item)>> {
        let name = prop::sample::select(vec![
            "leaseCounter",
            "checkpoint",
            "checkpointSubSequenceNumber",
            "leaseOwner",
            "lut",
            "checkpointOwner",
            "startingHashKey",
            "endingHashKey",
            "parentShardId",
            "sts",
            "childShardIds",
            "recordVersionNumber",
            "leaseDuration",
            "isReleased",
            "ownerName",
        ]);
        let item = prop::collection::btree_map(name.prop_map(str::to_owned), value(), 0..8);
        prop::collection::vec(("[a-z0-9-]{0,8}", item), 0..5)
    }

    proptest! {
        #[test]
        fn s268_no_rows_cause_a_panic(
            leases in rows(),
            workers in rows(),
            lock in rows(),
            skew in any::<i64>(),
        ) {
            let (table, time) = (MemoryTable::default(), HandTime::default());
            time.set_wall(skew);
            leases.into_iter().for_each(|(key, item)| table.put(Kind::Lease, &key, item));
            workers.into_iter().for_each(|(key, item)| table.put(Kind::Worker, &key, item));
            lock.into_iter().for_each(|(_, item)| table.put(Kind::Coordinator, "Leader", item));
            let (mut leader, notes) = (leader().0, Notes::new(Arc::new(|_| {})));
            let mut member = Member::new(&settings(), notes);
            for _ in 0..4 {
                if let Ok(Some(seen)) = leader.step(&mut OneShard, &table, &time) {
                    member.expect(seen);
                }
                let _ = member.step(&table, &time);
                time.pass(Duration::from_secs(70));
            }
        }
    }
}
