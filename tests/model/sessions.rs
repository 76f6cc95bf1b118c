//! Sessions and staggered windows of each group, compared with a slow engine that keeps all records
//! of every window in a list.

use proptest::prelude::*;
use std::collections::BTreeMap;
use streamgauge::engine::{Engine, EngineOptions, Shard};
use streamgauge::prelude::*;
use streamgauge::window::{Session, Stagger};

use super::Keep;

/// Groups by the remainder of the record's number.
const GROUPS: u64 = 3;

#[derive(Clone, Copy, Debug)]
struct Rules {
    staggers: bool,
    length: i64,
    out_of_orderness: Option<i64>,
    lateness: i64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push {
        shard: usize,
        time: i64,
    },
    Drain,
    /// The engine goes on from its snapshot.
    Restore,
    /// What is open is answered before its turn.
    Early,
}

/// End, start, revision, whether it is taken back, and the records of each group.
type Said = (i64, i64, u32, bool, Vec<(u64, Vec<u64>)>);

/// A window of a group.
#[derive(Clone, Debug)]
struct Open {
    group: u64,
    start: i64,
    end: i64,
    records: Vec<u64>,
    revision: Option<u32>,
    changed: bool,
    /// It has ended and was answered, and late records may come.
    complete: bool,
}

struct Slow {
    rules: Rules,
    seen: Vec<Option<i64>>,
    watermark: i64,
    open: Vec<Open>,
    said: Vec<Said>,
}

impl Slow {
    /// Says what is known of windows at once. Those of one window and revision are one answer.
    fn say(&mut self, mut windows: Vec<(Open, u32)>, retracted: bool) {
        windows.sort_by_key(|(open, revision)| (open.end, open.start, *revision, open.group));
        let place = |(open, revision): &(Open, u32)| (open.end, open.start, *revision);
        for same in windows.chunk_by(|one, other| place(one) == place(other)) {
            let (end, start, revision) = place(&same[0]);
            let groups = same.iter().map(|(open, _)| {
                let mut records = open.records.clone();
                records.sort_unstable();
                (open.group, records)
            });
            self.said.push((end, start, revision, retracted, groups.collect()));
        }
    }

    /// Returns true if the record is taken.
    fn push(&mut self, shard: usize, time: i64, record: u64) -> bool {
        let Rules { staggers, length, lateness, .. } = self.rules;
        let group = record % GROUPS;
        let (mut mine, mut others): (Vec<Open>, Vec<Open>) =
            self.open.drain(..).partition(|open| {
                open.group == group
                    && time < open.end
                    && if staggers { open.start <= time } else { open.start < time + length }
            });
        mine.sort_by_key(|open| open.start);
        let late = mine.is_empty() && time + length - 1 + lateness <= self.watermark;
        if late {
            self.open = others;
        } else {
            if staggers && mine.len() > 1 {
                others.extend(mine.drain(1..));
            }
            let fresh = Open {
                group,
                start: time,
                end: time + length,
                records: vec![],
                revision: None,
                changed: true,
                complete: false,
            };
            let mut joined = mine.first().cloned().unwrap_or(fresh);
            for open in &mine {
                (joined.start, joined.end) =
                    (joined.start.min(open.start), joined.end.max(open.end));
            }
            if !staggers {
                (joined.start, joined.end) =
                    (joined.start.min(time), joined.end.max(time + length));
            }
            joined.records = mine.iter().flat_map(|open| open.records.clone()).collect();
            joined.records.push(record);
            joined.changed = true;
            joined.revision = None;
            // An answer that a window has had holds only if the window is the same.
            let mut gone = vec![];
            for open in mine.iter().filter(|open| open.revision.is_some()) {
                match (open.start, open.end) == (joined.start, joined.end) {
                    true => joined.revision = open.revision,
                    false => gone.push((open.clone(), open.revision.map_or(0, |last| last + 1))),
                }
            }
            self.say(gone, true);
            joined.complete = joined.end - 1 <= self.watermark;
            if joined.complete {
                self.answer(&mut joined);
            }
            others.push(joined);
            self.open = others;
        }
        self.seen[shard] = self.seen[shard].max(Some(time));
        if let Some(bound) = self.rules.out_of_orderness {
            let lowest =
                self.seen.iter().map(|seen| seen.map_or(i64::MIN, |seen| seen - bound - 1));
            self.watermark = self.watermark.max(lowest.min().unwrap());
        }
        self.close();
        !late
    }

    /// Says what is known of a window, with the next revision.
    fn answer(&mut self, open: &mut Open) {
        let revision = open.revision.map_or(0, |last| last + 1);
        (open.revision, open.changed) = (Some(revision), false);
        self.say(vec![(open.clone(), revision)], false);
    }

    fn close(&mut self) {
        let (watermark, lateness) = (self.watermark, self.rules.lateness);
        let mut said = vec![];
        for open in &mut self.open {
            if !open.complete && open.end - 1 <= watermark {
                open.complete = true;
                let revision = open.revision.map_or(0, |last| last + 1);
                (open.revision, open.changed) = (Some(revision), false);
                said.push((open.clone(), revision));
            }
        }
        self.say(said, false);
        self.open.retain(|open| open.end - 1 + lateness > watermark);
    }

    fn early(&mut self) {
        let changed = self.open.iter_mut().filter(|open| open.changed && !open.complete);
        let said = changed.map(|open| {
            open.changed = false;
            let revision = open.revision.map_or(0, |last| last + 1);
            open.revision = Some(revision);
            (open.clone(), revision)
        });
        let said = said.collect();
        self.say(said, false);
    }
}

type Grouped = Engine<u64, GroupedKeep>;
type GroupedKeep = streamgauge::aggregate::GroupBy<
    streamgauge::aggregate::ByValue<u64, u64, fn(&u64) -> u64>,
    Keep,
>;

fn keep() -> GroupedKeep {
    fn group(record: &u64) -> u64 {
        record % GROUPS
    }
    group_by_value(group as fn(&u64) -> u64, Keep)
}

fn options(rules: Rules) -> EngineOptions {
    let length = millis(rules.length as u64);
    let mut options = EngineOptions::default();
    options.windows = match rules.staggers {
        true => Stagger::new(length).unwrap().into(),
        false => Session::new(length).unwrap().into(),
    };
    options.allowed_lateness = millis(rules.lateness as u64);
    options.out_of_orderness = rules.out_of_orderness.map(|bound| millis(bound as u64));
    options
}

fn drain(engine: &mut Grouped, said: &mut Vec<Said>) {
    while let Some(emission) = engine.next_emission().unwrap() {
        let window = emission.window.expect("a window");
        let Emission { revision, retracted, value, .. } = emission;
        let (end, start) = (window.end().as_millis(), window.start().as_millis());
        said.push((end, start, revision, retracted, value.rows));
    }
}

fn open(engine: &mut Grouped) -> Vec<Shard> {
    ["one", "two"].map(|name| engine.open_shard(ShardId::new(name)).unwrap()).to_vec()
}

fn run(rules: Rules, steps: &[Step], drains: bool) -> (Vec<Said>, Vec<Said>) {
    let mut slow =
        Slow { rules, seen: vec![None; 2], watermark: i64::MIN, open: vec![], said: vec![] };
    let mut engine = Engine::new(keep(), options(rules)).unwrap();
    let (mut shards, mut said) = (open(&mut engine), vec![]);
    for (record, step) in steps.iter().enumerate() {
        match *step {
            Step::Push { shard, time } => {
                let at = Timestamp::from_millis(time);
                let outcome = engine.push(shards[shard], &(record as u64), at).unwrap();
                let taken = slow.push(shard, time, record as u64);
                let expected = if taken { Outcome::Applied } else { Outcome::Late(at) };
                assert_eq!(outcome, expected);
            }
            Step::Drain if drains => drain(&mut engine, &mut said),
            Step::Drain => {}
            Step::Restore => {
                let snapshot = engine.snapshot().unwrap();
                engine = Engine::from_snapshot(keep(), options(rules), &snapshot).unwrap();
                shards = open(&mut engine);
                assert_eq!(engine.snapshot().unwrap().bytes(), snapshot.bytes());
            }
            Step::Early => {
                engine.fire_early().unwrap();
                slow.early();
            }
        }
    }
    engine.finish();
    slow.watermark = i64::MAX / 2;
    slow.close();
    drain(&mut engine, &mut said);
    assert_eq!(engine.stats().open_panes, 0, "nothing stays behind");
    (said, slow.said)
}

fn rules(late: bool) -> impl Strategy<Value = Rules> {
    let out_of_orderness = prop_oneof![Just(None), (0i64..40).prop_map(Some)];
    let lateness = if late { 1i64..80 } else { 0..1 };
    (any::<bool>(), 1i64..30, out_of_orderness, lateness).prop_map(
        |(staggers, length, out_of_orderness, lateness)| Rules {
            staggers,
            length,
            out_of_orderness,
            lateness,
        },
    )
}

fn steps(early: u32) -> impl Strategy<Value = Vec<Step>> {
    let push = (0usize..2, -40i64..20, 0i64..12);
    let step = prop_oneof![
        20 => push.prop_map(Some),
        3 => Just(None),
    ];
    let other = prop_oneof![
        3 => Just(Step::Drain),
        1 => Just(Step::Restore),
        early => Just(Step::Early),
    ];
    prop::collection::vec((step, other), 0..120).prop_map(|steps| {
        let mut now = 0;
        let steps = steps.into_iter().map(|(push, other)| match push {
            Some((shard, jitter, forward)) => {
                now += forward;
                Step::Push { shard, time: now + jitter }
            }
            None => other,
        });
        steps.collect()
    })
}

/// Returns the sessions of all records, found by sorting them.
fn sorted_sessions(records: &[(i64, u64)], gap: i64) -> BTreeMap<(i64, i64, u64), Vec<u64>> {
    let mut sessions = BTreeMap::new();
    for group in 0..GROUPS {
        let mut mine: Vec<_> = records.iter().filter(|(_, id)| id % GROUPS == group).collect();
        mine.sort_unstable();
        for run in mine.chunk_by(|before, after| after.0 < before.0 + gap) {
            let mut ids: Vec<u64> = run.iter().map(|(_, id)| *id).collect();
            ids.sort_unstable();
            sessions.insert((run[0].0, run[run.len() - 1].0 + gap, group), ids);
        }
    }
    sessions
}

fn by_group(said: Vec<Said>) -> BTreeMap<(i64, i64, u64), Vec<u64>> {
    let rows = said.into_iter().flat_map(|(end, start, _, _, groups)| {
        groups.into_iter().map(move |(group, ids)| ((start, end, group), ids))
    });
    rows.collect()
}

const YEAR: i64 = 365 * 24 * 3_600_000;

type Summed = Pipeline<
    (i64, u64),
    streamgauge::aggregate::GroupBy<
        streamgauge::aggregate::ByValue<(i64, u64), u64, fn(&(i64, u64)) -> u64>,
        streamgauge::aggregate::Count,
    >,
>;

/// Returns a pipeline that counts records of a time and a number, by group.
fn pipeline(rules: Rules) -> Summed {
    fn group(record: &(i64, u64)) -> u64 {
        record.1 % GROUPS
    }
    let options = options(rules);
    let mut builder = Pipeline::builder()
        .event_time(|record: &(i64, u64)| Timestamp::from_millis(record.0))
        .window(options.windows)
        .allowed_lateness(options.allowed_lateness);
    if let Some(bound) = options.out_of_orderness {
        builder = builder.out_of_orderness(bound);
    }
    builder.aggregate(group_by_value(group as fn(&(i64, u64)) -> u64, count())).build().unwrap()
}

/// Returns the sessions of records that come in this order, without a limit on their delay.
fn sessions_of(records: &[(i64, u64)], gap: i64) -> BTreeMap<(i64, i64, u64), Vec<u64>> {
    let rules = Rules { staggers: false, length: gap, out_of_orderness: None, lateness: 0 };
    let mut engine = Engine::new(keep(), options(rules)).unwrap();
    let shards = open(&mut engine);
    for (time, id) in records {
        engine.push(shards[0], id, Timestamp::from_millis(*time)).unwrap();
    }
    engine.finish();
    let mut said = vec![];
    drain(&mut engine, &mut said);
    by_group(said)
}

#[test]
fn s238_many_sessions_of_one_group_cost_as_much_as_those_of_many() {
    // A search that looked at all sessions of the group would take hours.
    let records = 100_000;
    for stride in [1, records - 1, 37_199] {
        let order = (0..records).map(|n| n * stride % records);
        let records: Vec<(i64, u64)> = order.map(|n| (n * 10, n as u64 * GROUPS)).collect();
        assert_eq!(sessions_of(&records, 10).len(), records.len());
    }
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn s162_windows_of_groups_are_what_the_slow_engine_says(rules in rules(false), steps in steps(1)) {
        let (said, expected) = run(rules, &steps, true);
        prop_assert_eq!(said, expected);
    }

    #[test]
    fn s162_when_emissions_are_fetched_does_not_matter(rules in rules(false), steps in steps(1)) {
        prop_assert_eq!(run(rules, &steps, true).0, run(rules, &steps, false).0);
    }

    #[test]
    fn s236_late_records_change_windows_as_the_slow_engine_says(
        rules in rules(true), steps in steps(1)
    ) {
        let (said, expected) = run(rules, &steps, true);
        prop_assert_eq!(&said, &expected);
        prop_assert_eq!(run(rules, &steps, false).0, expected);
    }

    #[test]
    fn s237_batches_of_any_size_give_the_same_state(
        rules in prop_oneof![rules(false), rules(true)], steps in steps(0), sizes in any::<u64>()
    ) {
        let mut times = vec![];
        let [mut singly, mut together] = [0, 1].map(|_| pipeline(rules));
        let check = |times: &mut Vec<(i64, u64)>, all: [&mut Summed; 2]| {
            let [singly, together] = all;
            for record in &*times {
                singly.push(record).unwrap();
            }
            let mut rest = times.as_slice();
            for turn in 0.. {
                let size = 1 + (sizes >> (turn % 58)) as usize % 64;
                let (batch, more) = rest.split_at(size.min(rest.len()));
                together.push_batch(batch).unwrap();
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            times.clear();
            assert_eq!(singly.snapshot().unwrap().bytes(), together.snapshot().unwrap().bytes());
        };
        for (record, step) in steps.iter().enumerate() {
            match *step {
                Step::Push { time, .. } => times.push((time, record as u64)),
                Step::Drain => {
                    check(&mut times, [&mut singly, &mut together]);
                    let said: Vec<_> = singly.drain().map(Result::unwrap).collect();
                    prop_assert_eq!(together.drain().map(Result::unwrap).collect::<Vec<_>>(), said);
                }
                Step::Restore | Step::Early => {}
            }
        }
        check(&mut times, [&mut singly, &mut together]);
        singly.finish();
        together.finish();
        let said: Vec<_> = singly.drain().map(Result::unwrap).collect();
        prop_assert_eq!(together.drain().map(Result::unwrap).collect::<Vec<_>>(), said);
    }

    #[test]
    fn s239_a_partial_has_the_last_rows_of_its_window(rules in rules(true), steps in steps(0)) {
        let mut rows = BTreeMap::new();
        for (end, start, _, retracted, groups) in run(rules, &steps, true).0 {
            for (group, records) in groups {
                match retracted {
                    true => drop(rows.remove(&(start, end, group))),
                    false => drop(rows.insert((start, end, group), records)),
                }
            }
        }
        let mut engine = Engine::new(keep(), options(rules)).unwrap();
        let (mut shards, mut given) = (open(&mut engine), BTreeMap::new());
        let mut give = |engine: &mut Grouped| {
            while let Some(partial) = engine.next_partial("").unwrap() {
                assert!(partial.is_final() && partial.revision() == 0);
                let mut alone = Engine::new(keep(), options(rules)).unwrap();
                alone.adopt(&partial).unwrap();
                alone.finish();
                let mut said = vec![];
                drain(&mut alone, &mut said);
                for (row, records) in by_group(said) {
                    assert_eq!(given.insert(row, records), None, "{row:?} is given twice");
                }
            }
        };
        for (record, step) in steps.iter().enumerate() {
            match *step {
                Step::Push { shard, time } => {
                    engine.push(shards[shard], &(record as u64), Timestamp::from_millis(time)).unwrap();
                }
                Step::Drain => give(&mut engine),
                Step::Restore => {
                    // Whether there are to be partials is known when the first one is fetched.
                    give(&mut engine);
                    let snapshot = engine.snapshot().unwrap();
                    engine = Engine::from_snapshot(keep(), options(rules), &snapshot).unwrap();
                    shards = open(&mut engine);
                }
                Step::Early => {}
            }
        }
        engine.finish();
        give(&mut engine);
        prop_assert_eq!(given, rows);
    }

    #[test]
    fn s238_sessions_of_far_times_are_those_of_the_sorted_records(
        gap in prop_oneof![Just(1i64), Just(100 * YEAR), 1..200 * YEAR],
        records in prop::collection::vec((-3_000i64..3_000, -2i64..3), 0..100),
        order in any::<u64>(),
    ) {
        // Multiples of the gap, one more and one less: at the edges of sessions.
        let far = i64::MAX - 1 - gap;
        let time = |(gaps, more): (i64, i64)| (gaps * gap + more).clamp(-far, far);
        let mut records: Vec<(i64, u64)> =
            records.into_iter().enumerate().map(|(id, at)| (time(at), id as u64)).collect();
        let expected = sorted_sessions(&records, gap);
        records.sort_by_key(|(_, id)| (*id as i64).wrapping_mul(order as i64 | 1));
        prop_assert_eq!(sessions_of(&records, gap), expected);
    }

    #[test]
    fn s162_sessions_are_those_of_the_sorted_records(
        gap in 1i64..20, records in prop::collection::vec(0i64..300, 0..100), order in any::<u64>()
    ) {
        let mut records: Vec<(i64, u64)> =
            records.into_iter().enumerate().map(|(id, time)| (time, id as u64)).collect();
        let expected = sorted_sessions(&records, gap);
        records.sort_by_key(|(time, id)| (time ^ *id as i64).wrapping_mul(order as i64 | 1));
        let rules = Rules { staggers: false, length: gap, out_of_orderness: None, lateness: 0 };
        let mut whole = Engine::new(keep(), options(rules)).unwrap();
        let shards = open(&mut whole);
        // The same in two halves, of which one goes on with the windows of the other.
        let mut halves = [0, 1].map(|_| Engine::new(keep(), options(rules)).unwrap());
        let handles: Vec<Vec<Shard>> = halves.iter_mut().map(open).collect();
        for (time, id) in &records {
            let at = Timestamp::from_millis(*time);
            whole.push(shards[0], id, at).unwrap();
            let half = (order >> (id % 60)) as usize & 1;
            halves[half].push(handles[half][0], id, at).unwrap();
        }
        let finished = |engine: &mut Grouped| {
            engine.finish();
            let mut said = vec![];
            drain(engine, &mut said);
            let order: Vec<_> = said.iter().map(|said| (said.0, said.1)).collect();
            assert!(order.is_sorted(), "by end, then start");
            by_group(said)
        };
        prop_assert_eq!(&finished(&mut whole), &expected);
        let [mut ended, mut going_on] = halves;
        ended.hand_over();
        while let Some(partial) = ended.next_partial("ended").unwrap() {
            going_on.adopt(&partial).unwrap();
        }
        prop_assert_eq!(&finished(&mut going_on), &expected);
    }
}

#[test]
fn windows_of_groups_are_never_empty() {
    let rules = Rules { staggers: false, length: 10, out_of_orderness: Some(0), lateness: 0 };
    let mut empty = options(rules);
    empty.emit_empty = true;
    assert_eq!(Engine::new(keep(), empty).err().unwrap().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn open_windows_of_groups_are_limited() {
    let rules = Rules { staggers: false, length: 10, out_of_orderness: None, lateness: 0 };
    let mut options = options(rules);
    options.limits.groups_max = 2;
    let mut engine = Engine::new(keep(), options).unwrap();
    let shard = engine.open_shard(ShardId::new("")).unwrap();
    let mut push = |record, time| engine.push(shard, &record, Timestamp::from_millis(time));
    push(0, 0).unwrap();
    push(0, 100).unwrap();
    assert_eq!(push(0, 200).unwrap_err().kind(), ErrorKind::LimitExceeded);
    push(0, 101).unwrap();
}
