//! Windows of a number of records, compared with lists of all records of each group.

use super::{Keep, REFUSED};
use proptest::prelude::*;
use streamgauge::aggregate::{ByValue, GroupBy};
use streamgauge::engine::{Engine, EngineOptions, Shard};
use streamgauge::prelude::*;
use streamgauge::window::Rows;

/// Groups by the remainder of the record's number.
const GROUPS: u64 = 3;

#[derive(Clone, Copy, Debug)]
struct Rules {
    rows: u64,
    every: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push {
        shard: usize,
        time: i64,
    },
    /// A record that the aggregate refuses.
    Refused,
    Drain,
    /// The engine continues from its snapshot.
    Restore,
    /// Open windows are answered before their turn.
    Early,
}

/// Number, start, end, revision, whether it is taken back, and the records of each group.
type Said = (u64, i64, i64, u32, bool, Vec<(u64, Vec<u64>)>);

#[derive(Clone, Debug, Default)]
struct Group {
    records: Vec<(i64, u64)>,
    changed: bool,
    /// The last answer of the open window.
    last: Option<(i64, i64, u32)>,
}

struct Slow {
    rules: Rules,
    groups: Vec<Group>,
    said: Vec<Said>,
}

impl Slow {
    /// Returns the answers of the last window of a group that has a record.
    fn answer(&self, group: usize) -> (Vec<Said>, (i64, i64, u32)) {
        let Rules { rows, every } = self.rules;
        let all = &self.groups[group].records;
        let number = (all.len() as u64).div_ceil(every);
        let first = (number * every).saturating_sub(rows) as usize;
        let window = &all[first..];
        let start = window.iter().map(|(time, _)| *time).min().unwrap();
        let end = window.iter().map(|(time, _)| *time).max().unwrap() + 1;
        let mut ids: Vec<u64> = window.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        let groups = vec![(group as u64, ids)];
        let (mut said, mut revision) = (vec![], 0);
        match self.groups[group].last {
            Some((old_start, old_end, old)) if (old_start, old_end) == (start, end) => {
                revision = old + 1;
            }
            Some((start, end, old)) => {
                said.push((number, start, end, old + 1, true, groups.clone()));
            }
            None => {}
        }
        said.push((number, start, end, revision, false, groups));
        (said, (start, end, revision))
    }

    fn push(&mut self, time: i64, id: u64) {
        let group = (id % GROUPS) as usize;
        self.groups[group].records.push((time, id));
        self.groups[group].changed = true;
        if (self.groups[group].records.len() as u64).is_multiple_of(self.rules.every) {
            self.said.extend(self.answer(group).0);
            (self.groups[group].last, self.groups[group].changed) = (None, false);
        }
    }

    /// Answers the open windows, or those that have changed.
    fn answer_open(&mut self, all: bool) {
        let mut said = vec![];
        for group in 0..self.groups.len() {
            let records = self.groups[group].records.len() as u64;
            let wanted = all || self.groups[group].changed;
            if wanted && !records.is_multiple_of(self.rules.every) {
                let (more, last) = self.answer(group);
                said.extend(more);
                (self.groups[group].last, self.groups[group].changed) = (Some(last), false);
            }
        }
        let place = |said: &Said| (!said.4, said.2, said.1, said.0, said.3);
        said.sort_by_key(|said| (place(said), said.5[0].0));
        for same in said.chunk_by(|one, other| place(one) == place(other)) {
            let (number, start, end, revision, retracted, _) = same[0];
            let groups = same.iter().flat_map(|said| said.5.clone()).collect();
            self.said.push((number, start, end, revision, retracted, groups));
        }
    }
}

type GroupedKeep = GroupBy<ByValue<u64, u64, fn(&u64) -> u64>, Keep>;

fn keep() -> GroupedKeep {
    fn group(record: &u64) -> u64 {
        record % GROUPS
    }
    group_by_value(group as fn(&u64) -> u64, Keep)
}

fn options(Rules { rows, every }: Rules) -> EngineOptions {
    let mut options = EngineOptions::default();
    options.windows = Rows::new(rows).unwrap().every(every).unwrap().into();
    options
}

fn drain(engine: &mut Engine<u64, GroupedKeep>, said: &mut Vec<Said>) {
    while let Some(emission) = engine.next_emission().unwrap() {
        let Emission { window, revision, retracted, value } = emission;
        let window = window.expect("a window");
        let number = window.number().expect("a number");
        let (start, end) = (window.start().as_millis(), window.end().as_millis());
        said.push((number, start, end, revision, retracted, value.rows));
    }
}

fn open(engine: &mut Engine<u64, GroupedKeep>) -> Vec<Shard> {
    ["one", "two"].map(|name| engine.open_shard(ShardId::new(name)).unwrap()).to_vec()
}

fn run(rules: Rules, steps: &[Step], drains: bool) -> (Vec<Said>, Vec<Said>) {
    let groups = vec![Group::default(); GROUPS as usize];
    let mut slow = Slow { rules, groups, said: vec![] };
    let mut engine = Engine::new(keep(), options(rules)).unwrap();
    let (mut shards, mut said) = (open(&mut engine), vec![]);
    for (id, step) in steps.iter().enumerate() {
        match *step {
            Step::Push { shard, time } => {
                let at = Timestamp::from_millis(time);
                let outcome = engine.push(shards[shard], &(id as u64), at).unwrap();
                assert_eq!(outcome, Outcome::Applied, "no record is late");
                slow.push(time, id as u64);
            }
            Step::Refused => {
                let at = Timestamp::from_millis(0);
                let outcome = engine.push(shards[0], &REFUSED, at).unwrap();
                assert_eq!(outcome, Outcome::DeadLetter(()));
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
                slow.answer_open(false);
            }
        }
    }
    engine.finish();
    slow.answer_open(true);
    drain(&mut engine, &mut said);
    drain(&mut engine, &mut said);
    (said, slow.said)
}

fn rules() -> impl Strategy<Value = Rules> {
    (1u64..9, any::<u64>()).prop_map(|(rows, every)| Rules { rows, every: every % rows + 1 })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (0usize..2, -40i64..40).prop_map(|(shard, time)| Step::Push { shard, time }),
        1 => Just(Step::Refused),
        3 => Just(Step::Drain),
        1 => Just(Step::Restore),
        1 => Just(Step::Early),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn s241_windows_of_rows_are_what_lists_of_records_say(rules in rules(), steps in steps()) {
        let (said, expected) = run(rules, &steps, true);
        prop_assert_eq!(said, expected);
    }

    #[test]
    fn s241_when_emissions_are_fetched_does_not_matter(rules in rules(), steps in steps()) {
        prop_assert_eq!(run(rules, &steps, true).0, run(rules, &steps, false).0);
    }
}

#[test]
fn s242_windows_of_rows_have_no_partials_and_no_other_options() {
    let rules = Rules { rows: 2, every: 1 };
    let mut engine = Engine::new(keep(), options(rules)).unwrap();
    assert!(!engine.has_partials());
    let error = engine.next_partial("one").unwrap_err();
    assert!(error.to_string().contains("of one ordered input"), "{error}");
    let mut merging = streamgauge::merger::MergerOptions::default();
    merging.sources = Some(1);
    let error = streamgauge::merger::Merger::new(engine, merging).err().unwrap();
    assert!(error.to_string().contains("cannot be merged"), "{error}");
    let mut late = options(rules);
    late.allowed_lateness = millis(1);
    let error = Engine::new(keep(), late).err().unwrap();
    assert!(error.to_string().contains("no record is late"), "{error}");
    let mut empty = options(rules);
    empty.emit_empty = true;
    assert_eq!(Engine::new(keep(), empty).err().unwrap().kind(), ErrorKind::InvalidArgument);
    for (rows, every) in [(10, 0), (10, 11), (100_000, 1)] {
        assert_eq!(
            Rows::new(rows).unwrap().every(every).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
}

#[test]
fn groups_with_windows_of_rows_are_limited() {
    let mut options = options(Rules { rows: 2, every: 2 });
    options.limits.groups_max = 2;
    let mut engine = Engine::new(keep(), options).unwrap();
    let shard = engine.open_shard(ShardId::new("")).unwrap();
    let mut push = |record| engine.push(shard, &record, Timestamp::from_millis(0));
    push(0).unwrap();
    push(1).unwrap();
    assert_eq!(push(2).unwrap_err().kind(), ErrorKind::LimitExceeded);
    push(3).unwrap();
}
