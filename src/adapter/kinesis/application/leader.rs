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
            holes: 0,
            failures: 0,
            notes,
        }
    }

    /// Does what is due. Returns true if it has given a lease to this worker.
    ///
    /// # Errors
    /// What no repetition helps against.
    pub(super) fn step(
        &mut self,
        stream: &mut dyn ReadStream,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<bool, Error> {
        let now = time.now();
        if now.elapsed >= self.look_due {
            self.look_due = now.elapsed + self.settings.silence() / 4;
            self.look(table, time)?;
        }
        if !self.leads || !self.lock.is_held(now) || now.elapsed < self.run_due {
            return Ok(false);
        }
        self.run_due = now.elapsed + self.settings.failover;
        let run = self.run(stream, table, time);
        match run {
            Ok(has_new) => {
                self.failures = 0;
                Ok(has_new)
            }
            Err(TableError::Fatal(error)) => Err(error),
            Err(error) => {
                self.failures += 1;
                self.notes.failed("leases cannot be assigned", &error);
                if self.failures >= FAILURES_MAX {
                    self.release(table);
                }
                Ok(false)
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
            self.run_due = Duration::ZERO;
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
        self.look_due = self.look_due.saturating_add(self.settings.silence() / 4);
    }

    fn run(
        &mut self,
        stream: &mut dyn ReadStream,
        table: &dyn LeaseTable,
        time: &dyn Time,
    ) -> Result<bool, TableError> {
        let mut leases = self.leases(table)?;
        if self.is_hole(&leases) {
            self.create_missing(&leases, stream, table)?;
            leases = self.leases(table)?;
        }
        let reports = self.reports(table)?;
        let now = time.now();
        self.observed.look(&leases, &reports, now);
        let parties = (self.settings.worker.as_str(), self.settings.failover);
        let decisions = assignment::decide((&leases, &reports), &mut self.observed, parties, now);
        let mut has_new = false;
        for decision in &decisions {
            let done = self.carry_out(decision, &leases, table)?;
            has_new |= done && decision.assigns_to(&self.settings.worker);
        }
        self.forget(&reports, table, now)?;
        Ok(has_new)
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

    /// Deletes the rows of workers that ended long ago.
    fn forget(
        &mut self,
        reports: &[Report],
        table: &dyn LeaseTable,
        now: Moment,
    ) -> Result<(), TableError> {
        for report in self.observed.forgotten(reports, now) {
            let unchanged = Condition::Is(REPORTED, Value::number(report.seconds));
            match table.delete(Kind::Worker, &report.worker, &[unchanged]) {
                Ok(()) | Err(TableError::Refused) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
        assert!(leader.step(&mut OneShard, &table, &time).unwrap());
        let owner = |key| table.get(Kind::Lease, key).unwrap().unwrap().remove(lease::OWNER);
        assert_eq!((owner("shardId-1"), owner("broken")), (Some(Value::text("me")), None));
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
            let mut leader = leader().0;
            for _ in 0..4 {
                let _ = leader.step(&mut OneShard, &table, &time);
                time.pass(Duration::from_secs(70));
            }
        }
    }
}
