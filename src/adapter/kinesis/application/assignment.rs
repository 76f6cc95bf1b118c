//! Which worker gets which lease: decisions of the leader, without any call.

use super::lease::Lease;
use super::time::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a hand-over may take, besides the failover time, before the leader ends it.
const HAND_OVER_MAX: Duration = Duration::from_secs(30);

/// How old the report of a worker may be: two reports of a Java worker.
pub(super) const REPORT_AGE_MAX: Duration = Duration::from_secs(60);

/// A change of one lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// Nobody renews it: the worker gets it at once.
    Assign { key: String, to: String },
    /// Its owner is asked to hand it over.
    HandOver { key: String, to: String },
}

impl Decision {
    /// Returns the key of the lease, if the worker gets it at once.
    pub(super) fn assigned_to(&self, worker: &str) -> Option<&str> {
        match self {
            Decision::Assign { key, to } if to == worker => Some(key),
            _ => None,
        }
    }
}

/// The report of a worker, as its row has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Report {
    pub(super) worker: String,
    /// The time of its last report by its own clock, in seconds.
    pub(super) seconds: u64,
    /// True if its last figures say that it cannot work.
    pub(super) is_failing: bool,
}

/// A row that is watched, and since when it has been as it is.
#[derive(Debug)]
struct Watched<T> {
    value: T,
    since: Duration,
}

/// The owner of a lease, and the one before it while it is handed over.
type Owners = (Option<String>, Option<String>);

/// What the leader remembers of earlier looks. Whether a worker lives is judged by the time of this
/// leader alone, during which a row did not change: clocks of workers may be wrong.
#[derive(Debug, Default)]
pub(super) struct Observations {
    counters: BTreeMap<String, Watched<u64>>,
    owners: BTreeMap<String, Watched<Owners>>,
    reports: BTreeMap<String, Watched<u64>>,
    /// The workers whose report has changed while it was watched.
    reporting: BTreeSet<String>,
    /// The workers that stopped renewing their leases, with the last report at that time.
    doubted: BTreeMap<String, u64>,
}

impl Observations {
    /// Takes a look at all rows.
    pub(super) fn look(&mut self, leases: &[Lease], reports: &[Report], now: Moment) {
        let counters = leases.iter().map(|lease| (lease.key.clone(), lease.counter));
        watch(&mut self.counters, counters, now);
        let owners = leases
            .iter()
            .map(|lease| (lease.key.clone(), (lease.owner.clone(), lease.handing_over.clone())));
        watch(&mut self.owners, owners, now);
        let seconds = reports.iter().map(|report| (report.worker.clone(), report.seconds));
        let changed = watch(&mut self.reports, seconds, now);
        self.reporting.extend(changed);
        self.reporting.retain(|worker| self.reports.contains_key(worker));
    }

    /// Doubts the workers that stop renewing their leases, until they report again: the row of one
    /// that has died may be young, and without leases it would get some again.
    fn doubt(&mut self, (leases, reports): (&[Lease], &[Report]), failover: Duration, now: Moment) {
        let mut has_living = BTreeMap::<&str, bool>::new();
        for lease in leases {
            if let Some(holder) = lease.holder() {
                *has_living.entry(holder).or_default() |= !self.is_dead(lease, failover, now);
            }
        }
        for report in reports {
            match has_living.get(report.worker.as_str()) {
                Some(false) => {
                    self.doubted.insert(report.worker.clone(), report.seconds);
                }
                Some(true) => {
                    self.doubted.remove(&report.worker);
                }
                None => {}
            }
        }
        self.doubted.retain(|worker, seconds| {
            reports.iter().any(|report| report.worker == *worker && report.seconds == *seconds)
        });
    }

    /// Returns true if a lease was not renewed for the failover time, or has no holder.
    fn is_dead(&self, lease: &Lease, failover: Duration, now: Moment) -> bool {
        lease.holder().is_none() || waited(&self.counters, &lease.key, now) > failover
    }

    /// Returns the time until the first lease of another worker is dead if it is not renewed.
    pub(super) fn first_death(
        &self,
        leases: &[Lease],
        (me, failover): (&str, Duration),
        now: Moment,
    ) -> Option<Duration> {
        let others = leases.iter().filter(|lease| lease.holder().is_some_and(|name| name != me));
        let waits = others.map(|lease| waited(&self.counters, &lease.key, now));
        waits.filter_map(|wait| failover.checked_sub(wait)).min()
    }

    /// Returns true if a worker reports. At its first look the leader can only compare clocks.
    fn is_reporting(&self, report: &Report, now: Moment) -> bool {
        let watched = waited(&self.reports, &report.worker, now);
        let is_close = report.seconds.abs_diff(now.seconds()) <= REPORT_AGE_MAX.as_secs();
        !report.is_failing
            && !self.doubted.contains_key(&report.worker)
            && watched <= REPORT_AGE_MAX
            && (is_close || self.reporting.contains(&report.worker))
    }

    /// Returns the workers whose row is a day old, and did not change while it was watched.
    pub(super) fn forgotten<'a>(&self, reports: &'a [Report], now: Moment) -> Vec<&'a Report> {
        const DAY: u64 = 86_400;
        let is_old = |report: &&Report| {
            report.seconds.saturating_add(DAY) < now.seconds()
                && waited(&self.reports, &report.worker, now) > REPORT_AGE_MAX
        };
        reports.iter().filter(is_old).collect()
    }
}

/// Notes the present values. Returns the keys whose value has changed.
fn watch<T: PartialEq>(
    watched: &mut BTreeMap<String, Watched<T>>,
    present: impl Iterator<Item = (String, T)>,
    now: Moment,
) -> Vec<String> {
    let mut changed = Vec::new();
    let mut next = BTreeMap::new();
    for (key, value) in present {
        let kept = match watched.remove(&key) {
            Some(before) if before.value == value => before,
            before => {
                changed.extend(before.map(|_| key.clone()));
                Watched { value, since: now.elapsed }
            }
        };
        next.insert(key, kept);
    }
    *watched = next;
    changed
}

fn waited<T>(watched: &BTreeMap<String, Watched<T>>, key: &str, now: Moment) -> Duration {
    watched.get(key).map_or(Duration::ZERO, |row| now.elapsed.saturating_sub(row.since))
}

/// Returns the changes that give each lease without a living holder to a worker, end hand-overs
/// that take too long, and even out the number of leases. `me` always lives.
pub(super) fn decide(
    (leases, reports): (&[Lease], &[Report]),
    observed: &mut Observations,
    (me, failover): (&str, Duration),
    now: Moment,
) -> Vec<Decision> {
    observed.doubt((leases, reports), failover, now);
    let observed = &*observed;
    let is_dead = |lease: &Lease| observed.is_dead(lease, failover, now);
    let mut loads = Loads::new((leases, reports), observed, (me, failover), now);
    let mut decisions = Vec::new();
    for lease in leases {
        let waited = waited(&observed.owners, &lease.key, now);
        let is_stuck = lease.handing_over.is_some() && waited > HAND_OVER_MAX + failover;
        let to = match () {
            _ if is_dead(lease) => loads.least(lease.is_ended()),
            // The one that was to get it anyway.
            _ if is_stuck => lease.owner.clone(),
            _ => continue,
        };
        decisions.extend(to.map(|to| Decision::Assign { key: lease.key.clone(), to }));
    }
    let can_move =
        |lease: &&Lease| !is_dead(lease) && !lease.is_ended() && lease.handing_over.is_none();
    let movable: Vec<&Lease> = leases.iter().filter(can_move).collect();
    while let Some((key, to)) = loads.next_move(&movable) {
        decisions.push(Decision::HandOver { key, to });
    }
    decisions
}

/// The leases of each living worker, without those of ended shards.
struct Loads(BTreeMap<String, BTreeSet<String>>);

impl Loads {
    fn new(
        (leases, reports): (&[Lease], &[Report]),
        observed: &Observations,
        (me, failover): (&str, Duration),
        now: Moment,
    ) -> Self {
        let is_dead = |lease: &Lease| observed.is_dead(lease, failover, now);
        let living = reports.iter().filter(|report| observed.is_reporting(report, now));
        let living = living.map(|report| report.worker.clone());
        let mut loads: BTreeMap<String, BTreeSet<String>> =
            living.chain([me.to_owned()]).map(|worker| (worker, BTreeSet::new())).collect();
        for lease in leases.iter().filter(|lease| !is_dead(lease) && !lease.is_ended()) {
            // One that is handed over counts where it goes.
            if let Some(load) = lease.owner.as_ref().and_then(|owner| loads.get_mut(owner)) {
                load.insert(lease.key.clone());
            }
        }
        Loads(loads)
    }

    /// Returns the worker with the fewest leases, which gets one more.
    fn least(&mut self, is_ended: bool) -> Option<String> {
        let (worker, load) = self.0.iter_mut().min_by_key(|(_, load)| load.len())?;
        if !is_ended {
            // Only the number counts.
            load.insert(format!("+{}", load.len()));
        }
        Some(worker.clone())
    }

    /// Returns the next lease that goes from a worker with more leases to one with fewer.
    fn next_move(&mut self, movable: &[&Lease]) -> Option<(String, String)> {
        let (least, few) = self.0.iter().min_by_key(|(_, load)| load.len())?;
        let (least, few) = (least.clone(), few.len());
        let is_much = |load: &BTreeSet<String>| load.len() >= few + 2;
        let mut much: Vec<_> = self.0.iter().filter(|(_, load)| is_much(load)).collect();
        much.sort_by_key(|(_, load)| std::cmp::Reverse(load.len()));
        let found = much.into_iter().find_map(|(worker, load)| {
            let is_here =
                |lease: &&&Lease| load.contains(&lease.key) && lease.owner.as_ref() == Some(worker);
            movable.iter().find(is_here).map(|lease| (worker.clone(), lease.key.clone()))
        });
        let (from, key) = found?;
        self.0.get_mut(&from)?.remove(&key);
        self.0.get_mut(&least)?.insert(key.clone());
        Some((key, least))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::LeaseCheckpoint;
    use super::*;
    use crate::record::ShardId;
    use crate::time::Timestamp;

    const FAILOVER: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Moment {
        Moment {
            wall: Timestamp::from_millis(1_800_000_000_000 + seconds as i64 * 1000),
            elapsed: Duration::from_secs(seconds),
        }
    }

    fn lease(key: &str, owner: Option<&str>, counter: u64) -> Lease {
        let mut lease = Lease::new(&ShardId::new(key), LeaseCheckpoint::TrimHorizon);
        (lease.owner, lease.counter) = (owner.map(str::to_owned), counter);
        lease
    }

    fn report(worker: &str, seconds: u64) -> Report {
        Report { worker: worker.to_owned(), seconds, is_failing: false }
    }

    fn assign(key: &str, to: &str) -> Decision {
        Decision::Assign { key: key.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn free_leases_are_spread_over_the_living() {
        let leases: Vec<Lease> =
            ["a", "b", "c", "d"].map(|key| lease(key, None, 0)).into_iter().collect();
        let reports = [report("me", at(0).seconds()), report("other", at(0).seconds())];
        let mut observed = Observations::default();
        observed.look(&leases, &reports, at(0));
        assert_eq!(
            decide((&leases, &reports), &mut observed, ("me", FAILOVER), at(0)),
            [assign("a", "me"), assign("b", "other"), assign("c", "me"), assign("d", "other")]
        );
    }

    #[test]
    fn a_lease_is_dead_after_the_failover_time_of_this_leader_alone() {
        let reports = [report("me", at(0).seconds()), report("gone", at(9).seconds())];
        let leases = [lease("a", Some("gone"), 7), lease("b", Some("me"), 1)];
        let mut observed = Observations::default();
        observed.look(&leases, &reports, at(0));
        let mine = |counter| [leases[0].clone(), lease("b", Some("me"), counter)];
        observed.look(&mine(2), &reports, at(10));
        let decide_at = |observed: &mut Observations, counter, seconds| {
            decide((&mine(counter), &reports), observed, ("me", FAILOVER), at(seconds))
        };
        assert_eq!(decide_at(&mut observed, 2, 10), []);
        observed.look(&mine(3), &reports, at(11));
        // Its row is young, but none of its leases is renewed.
        assert_eq!(decide_at(&mut observed, 3, 11), [assign("a", "me")]);
    }

    #[test]
    fn s273_a_worker_that_renewed_none_of_its_leases_gets_none_until_it_reports() {
        let reports = [report("me", at(0).seconds()), report("gone", at(9).seconds())];
        let mut observed = Observations::default();
        let leases = [lease("a", Some("gone"), 7)];
        observed.look(&leases, &reports, at(0));
        observed.look(&leases, &reports, at(11));
        let found = decide((&leases, &reports), &mut observed, ("me", FAILOVER), at(11));
        assert_eq!(found, [assign("a", "me")]);
        let mine = [lease("a", Some("me"), 8), lease("b", Some("me"), 4)];
        observed.look(&mine, &reports, at(12));
        assert_eq!(decide((&mine, &reports), &mut observed, ("me", FAILOVER), at(12)), []);
        let reports = [report("me", at(0).seconds()), report("gone", at(13).seconds())];
        observed.look(&mine, &reports, at(13));
        let back = decide((&mine, &reports), &mut observed, ("me", FAILOVER), at(13));
        assert_eq!(back.len(), 1, "{back:?}");
    }

    #[test]
    fn s266_clocks_of_workers_may_be_wrong() {
        let leases = [lease("a", None, 0)];
        let century = 4_102_444_800; // 2100
        let look = |observed: &mut Observations, seconds: u64, reported: u64| {
            let reports = [report("ahead", reported)];
            observed.look(&leases, &reports, at(seconds));
            decide((&leases, &reports), observed, ("me", FAILOVER), at(seconds))
        };
        let mut observed = Observations::default();
        assert_eq!(look(&mut observed, 0, century), [assign("a", "me")], "nobody knows yet");
        assert_eq!(look(&mut observed, 30, century + 30), [assign("a", "ahead")], "it reports");
        assert_eq!(look(&mut observed, 95, century + 30), [assign("a", "me")], "not any more");
        let reports = [report("old", 5), report("ahead", century)];
        observed.look(&leases, &reports, at(100));
        assert!(observed.forgotten(&reports, at(130)).is_empty());
        assert_eq!(observed.forgotten(&reports, at(200)), [&reports[0]]);
    }

    #[test]
    fn leases_are_evened_out_one_hand_over_each() {
        let mut leases: Vec<Lease> =
            ["a", "b", "c", "d", "e"].map(|key| lease(key, Some("me"), 1)).into_iter().collect();
        let reports = [report("me", at(0).seconds()), report("new", at(0).seconds())];
        let mut observed = Observations::default();
        observed.look(&leases, &reports, at(0));
        let found = decide((&leases, &reports), &mut observed, ("me", FAILOVER), at(0));
        let hand_over =
            |key: &str| Decision::HandOver { key: key.to_owned(), to: "new".to_owned() };
        assert_eq!(found, [hand_over("a"), hand_over("b")]);
        for lease in &mut leases[..2] {
            lease.handing_over = lease.owner.replace("new".to_owned());
        }
        observed.look(&leases, &reports, at(1));
        assert_eq!(decide((&leases, &reports), &mut observed, ("me", FAILOVER), at(1)), []);
        // It takes too long, although the owner renews the leases.
        for lease in &mut leases {
            lease.counter += 1;
        }
        let reports = [report("me", at(42).seconds()), report("new", at(42).seconds())];
        observed.look(&leases, &reports, at(42));
        assert_eq!(
            decide((&leases, &reports), &mut observed, ("me", FAILOVER), at(42)),
            [assign("a", "new"), assign("b", "new")]
        );
    }

    #[test]
    fn ended_shards_count_for_nobody_and_do_not_move() {
        let mut leases: Vec<Lease> =
            ["a", "b", "c"].map(|key| lease(key, Some("me"), 1)).into_iter().collect();
        for lease in &mut leases {
            lease.checkpoint = LeaseCheckpoint::ShardEnd;
        }
        let reports = [report("new", at(0).seconds())];
        let mut observed = Observations::default();
        observed.look(&leases, &reports, at(0));
        assert_eq!(decide((&leases, &reports), &mut observed, ("me", FAILOVER), at(0)), []);
    }
}
