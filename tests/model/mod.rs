//! The engine compared with the slow reference that stores every record, with random windows,
//! disorder, lateness, shards and batches.

mod batches;
#[cfg(feature = "spec")]
mod calendar;
mod invertible;
mod rows;
mod sessions;
mod waiting;

use crate::reference::{Fate, Fired, Reference, Rules};
use proptest::prelude::*;
use streamgauge::aggregate::Persistence;
use streamgauge::codec::{Reader, Writer};
use streamgauge::engine::{Engine, EngineOptions, Shard};
use streamgauge::prelude::*;

/// The record that [`Keep`] refuses.
pub(crate) const REFUSED: u64 = u64::MAX;

/// Stores the records themselves, so that no record can be lost, doubled or in the wrong window
/// unnoticed.
pub(crate) struct Keep;

impl Aggregate<u64> for Keep {
    type Accumulator = Vec<u64>;
    type Output = Vec<u64>;

    fn init(&self) -> Vec<u64> {
        vec![]
    }

    fn check(&self, _: Option<&Vec<u64>>, record: &u64) -> Result<(), Error> {
        match *record {
            REFUSED => Err(Error::new(ErrorKind::InvalidRecord, "refused")),
            _ => Ok(()),
        }
    }

    fn add(&self, kept: &mut Vec<u64>, record: &u64, _time: Timestamp) {
        kept.push(*record);
    }

    fn merge(&self, into: &mut Vec<u64>, from: &Vec<u64>) -> Result<(), Error> {
        into.extend(from);
        Ok(())
    }

    fn output(&self, kept: &Vec<u64>) -> Vec<u64> {
        let mut sorted = kept.clone();
        sorted.sort_unstable();
        sorted
    }

    fn persistence(&self) -> Result<&dyn Persistence<u64, Self::Accumulator>, Error> {
        Ok(self)
    }
}

impl Persistence<u64, Vec<u64>> for Keep {
    fn describe(&self) -> String {
        String::from("keep")
    }

    fn encode(&self, kept: &Vec<u64>, writer: &mut Writer) -> Result<(), Error> {
        writer.usize(kept.len());
        kept.iter().for_each(|id| writer.u64(*id));
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<Vec<u64>, Error> {
        (0..reader.count(1)?).map(|_| reader.u64()).collect()
    }
}

pub(crate) fn options(rules: &Rules) -> EngineOptions {
    let millis = |n: i64| millis(n as u64);
    let mut options = EngineOptions::default();
    options.windows = match rules.days.is_empty() {
        true => Sliding::new(millis(rules.size), millis(rules.slide))
            .unwrap()
            .offset(millis(rules.offset))
            .into(),
        #[cfg(feature = "spec")]
        false => calendar::windows(rules),
        #[cfg(not(feature = "spec"))]
        false => panic!("there are no time zones"),
    };
    options.out_of_orderness = rules.out_of_orderness.map(millis);
    options.allowed_lateness = millis(rules.lateness);
    options.emit_empty = rules.emit_empty;
    options.idle_after = rules.idle_after.map(millis);
    options
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Push {
        shard: usize,
        time: i64,
    },
    /// A record that the aggregate refuses.
    Refuse {
        shard: usize,
        time: i64,
    },
    /// A record that a filter drops or that cannot be decoded, with its time if that can be read.
    PassOver {
        shard: usize,
        time: Option<i64>,
    },
    /// Advances the caller's clock to this time.
    Advance {
        now: i64,
    },
    Close {
        shard: usize,
    },
    Drain,
}

pub(crate) fn rules() -> impl Strategy<Value = Rules> {
    let windows = prop_oneof![(1i64..40).prop_map(|size| (size, size)), (1i64..40, 1i64..40)];
    let bound = prop_oneof![Just(None), (0i64..30).prop_map(Some)];
    let idle_after = prop::option::of(1i64..40);
    (windows, 0i64..50, bound, prop_oneof![Just(0i64), 0i64..40], any::<bool>(), idle_after)
        .prop_map(|((size, slide), offset, out_of_orderness, lateness, emit_empty, idle_after)| {
            let days = vec![];
            Rules { days, size, slide, offset, out_of_orderness, lateness, emit_empty, idle_after }
        })
}

/// Records that advance with disorder and large jumps, some of them skipped or refused, on shards
/// that may close or become idle, with a clock that sometimes stands still.
pub(crate) fn steps(shards: usize) -> impl Strategy<Value = Vec<Step>> {
    let push = (0..shards, -25i64..25, 0i64..6, prop::bool::weighted(0.05), 0u8..20);
    let step = prop_oneof![20 => push.prop_map(Made::Record), 4 => Just(Made::Drain), 3 => (0i64..30).prop_map(Made::Advance)];
    let close = prop::option::weighted(0.3, (0..shards, 0usize..100));
    (prop::collection::vec(step, 0..100), close, -100i64..100).prop_map(|(steps, close, start)| {
        let (mut now, mut clock) = (start, 1000);
        let mut steps: Vec<Step> = steps
            .into_iter()
            .map(|step| match step {
                Made::Drain => Step::Drain,
                Made::Advance(by) => {
                    clock += by;
                    Step::Advance { now: clock }
                }
                Made::Record((shard, jitter, forward, leap, kind)) => {
                    now += forward + if leap { 150 } else { 0 };
                    let time = now + jitter;
                    match kind {
                        0..3 => Step::PassOver { shard, time: Some(time) },
                        3 => Step::PassOver { shard, time: None },
                        4 => Step::Refuse { shard, time },
                        _ => Step::Push { shard, time },
                    }
                }
            })
            .collect();
        if let Some((shard, at)) = close {
            steps.insert(at.min(steps.len()), Step::Close { shard });
        }
        steps
    })
}

/// The content of a step before its times are known.
#[derive(Clone, Debug)]
enum Made {
    Record((usize, i64, i64, bool, u8)),
    Advance(i64),
    Drain,
}

/// Applies a step other than draining.
pub(crate) fn take<R: 'static, A: Aggregate<R>>(
    engine: &mut Engine<R, A>,
    handles: &[Shard],
    step: &Step,
    record: &R,
    refused: &R,
) -> Option<Outcome> {
    let at = Timestamp::from_millis;
    match *step {
        Step::Push { shard, time } => {
            return Some(engine.push(handles[shard], record, at(time)).unwrap());
        }
        Step::Refuse { shard, time } => {
            return Some(engine.push(handles[shard], refused, at(time)).unwrap());
        }
        Step::PassOver { shard, time } => {
            engine.skip(handles[shard], None, Outcome::Filtered, time.map(at))
        }
        Step::Advance { now } => engine.advance(at(now)),
        Step::Close { shard } => engine.close_shard(handles[shard]),
        Step::Drain => {}
    }
    None
}

fn drain(engine: &mut Engine<u64, Keep>, into: &mut Vec<Fired>) {
    while let Some(emission) = engine.next_emission().unwrap() {
        let window = emission.window.expect("periodic windows");
        into.push((
            window.start().as_millis(),
            window.end().as_millis(),
            emission.revision,
            emission.value,
        ));
    }
}

fn fate(outcome: Outcome) -> Fate {
    match outcome {
        Outcome::Applied => Fate::Applied,
        Outcome::Late(_) => Fate::Late,
        Outcome::BetweenWindows => Fate::BetweenWindows,
        Outcome::DeadLetter(()) => Fate::DeadLetter,
        other => panic!("{other:?} is nothing that the engine alone says"),
    }
}

/// Runs both, and returns the emissions of the engine.
fn run(rules: &Rules, shards: usize, steps: &[Step], drains: bool) -> (Vec<Fired>, Vec<Fired>) {
    let mut reference = Reference::new(rules.clone(), shards);
    let mut engine = Engine::new(Keep, options(rules)).unwrap();
    let handles: Vec<Shard> = (0..shards)
        .map(|shard| engine.open_shard(ShardId::new(format!("shard-{shard}"))).unwrap())
        .collect();
    let mut emitted = vec![];
    for (id, step) in steps.iter().enumerate() {
        let outcome = take(&mut engine, &handles, step, &(id as u64), &REFUSED);
        let expected = match *step {
            Step::Push { shard, time } => Some(reference.push(shard, time, id as u64, false)),
            Step::Refuse { shard, time } => Some(reference.push(shard, time, id as u64, true)),
            _ => None,
        };
        assert_eq!(outcome.map(fate), expected, "{id}: {step:?}");
        match *step {
            Step::PassOver { shard, time } => reference.see(shard, time),
            Step::Advance { now } => reference.advance(now),
            Step::Close { shard } => reference.close(shard),
            Step::Drain if drains => drain(&mut engine, &mut emitted),
            _ => {}
        }
    }
    engine.finish();
    reference.finish();
    drain(&mut engine, &mut emitted);
    assert_eq!(engine.stats().open_panes, 0, "nothing stays behind");
    assert_eq!(engine.stats().emitted, emitted.len() as u64);
    (emitted, reference.emissions)
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn s10_the_engine_equals_the_reference(
        rules in rules(),
        (shards, steps) in (1usize..4).prop_flat_map(|shards| (Just(shards), steps(shards))),
    ) {
        let (emitted, expected) = run(&rules, shards, &steps, true);
        prop_assert_eq!(emitted, expected);
    }

    #[test]
    fn s33_the_moment_of_fetching_does_not_matter(rules in rules(), steps in steps(2)) {
        prop_assert_eq!(run(&rules, 2, &steps, true).0, run(&rules, 2, &steps, false).0);
    }
}

/// Runs and answers open windows early at some of the steps, and restores the engine from its
/// snapshot after each. Returns each emission, and true if it is an early one.
fn run_answered_early(rules: &Rules, steps: &[Step], every: usize) -> Vec<(Fired, bool)> {
    let mut engine = Engine::new(Keep, options(rules)).unwrap();
    let name = || ShardId::new("shard-0");
    let mut shard = engine.open_shard(name()).unwrap();
    let mut emitted = vec![];
    for (id, step) in steps.iter().enumerate() {
        take(&mut engine, &[shard], step, &(id as u64), &REFUSED);
        if id % every == 0 {
            let (mut in_turn, mut early) = (vec![], vec![]);
            drain(&mut engine, &mut in_turn);
            engine.fire_early().unwrap();
            drain(&mut engine, &mut early);
            emitted.extend(
                in_turn
                    .into_iter()
                    .map(|fired| (fired, false))
                    .chain(early.into_iter().map(|fired| (fired, true))),
            );
            engine =
                Engine::from_snapshot(Keep, options(rules), &engine.snapshot().unwrap()).unwrap();
            shard = engine.open_shard(name()).unwrap();
        }
    }
    engine.finish();
    let mut in_turn = vec![];
    drain(&mut engine, &mut in_turn);
    emitted.extend(in_turn.into_iter().map(|fired| (fired, false)));
    emitted
}

proptest! {
    #![proptest_config(crate::cases(300))]

    /// An early answer contains all records so far and closes nothing, and later answers have
    /// higher revisions. No early answer is repeated.
    #[test]
    fn s63_an_early_firing_changes_no_final_answer(
        mut rules in rules(),
        steps in steps(1),
        every in 1usize..20,
    ) {
        rules.emit_empty = false;
        let mut finals = std::collections::BTreeMap::new();
        for (start, _, _, records) in run(
            &rules,
            1,
            &steps
                .iter()
                .filter(|step| !matches!(step, Step::Close { .. }))
                .cloned()
                .collect::<Vec<_>>(),
            true,
        )
        .0
        {
            finals.insert(start, records);
        }
        let mut last: std::collections::BTreeMap<i64, (u32, Vec<u64>)> =
            std::collections::BTreeMap::new();
        for ((start, _, revision, records), early) in run_answered_early(
            &rules,
            &steps
                .iter()
                .filter(|step| !matches!(step, Step::Close { .. }))
                .cloned()
                .collect::<Vec<_>>(),
            every,
        ) {
            let known = last.insert(start, (revision, records.clone()));
            prop_assert_eq!(known.as_ref().map_or(0, |(revision, _)| revision + 1), revision);
            prop_assert!(!early || known.is_none_or(|(_, before)| before != records), "{start}");
        }
        let last: std::collections::BTreeMap<i64, Vec<u64>> =
            last.into_iter().map(|(start, (_, records))| (start, records)).collect();
        prop_assert_eq!(last, finals);
    }
}

#[test]
fn a_window_that_fired_early_is_final_only_at_its_end() {
    let mut options = EngineOptions::default();
    options.windows = Tumbling::new(millis(10)).unwrap().into();
    let mut engine = Engine::new(Keep, options).unwrap();
    let shard = engine.open_shard(ShardId::new("s")).unwrap();
    let push = |engine: &mut Engine<u64, Keep>, time| {
        engine.push(shard, &1, Timestamp::from_millis(time)).unwrap()
    };
    push(&mut engine, 5);
    engine.fire_early().unwrap();
    push(&mut engine, 25);
    let partials: Vec<_> = std::iter::from_fn(|| engine.next_partial("s").unwrap()).collect();
    let shown: Vec<_> =
        partials.iter().map(|partial| (partial.revision(), partial.is_final())).collect();
    assert_eq!(
        shown,
        [(0, false), (1, true)],
        "the first was fetched after its window was complete"
    );
    engine.fire_early().unwrap();
    let early = engine.next_partial("s").unwrap().unwrap();
    assert_eq!((early.revision(), early.is_final()), (0, false));
}

#[test]
fn s63_only_windows_with_new_records_fire_early_again() {
    let mut options = EngineOptions::default();
    options.windows = Tumbling::new(millis(10)).unwrap().into();
    options.out_of_orderness = Some(millis(100));
    let mut engine = Engine::new(Keep, options).unwrap();
    let shard = engine.open_shard(ShardId::new("s")).unwrap();
    let answered = |engine: &mut Engine<u64, Keep>, record: Option<(u64, i64)>| {
        match record {
            Some((id, time)) => {
                engine.push(shard, &id, Timestamp::from_millis(time)).unwrap();
            }
            None => engine.skip(shard, None, Outcome::Filtered, Some(Timestamp::from_millis(60))),
        }
        engine.fire_early().unwrap();
        let mut emitted = vec![];
        drain(engine, &mut emitted);
        emitted
    };
    assert_eq!(answered(&mut engine, Some((1, 5))), [(0, 10, 0, vec![1])]);
    assert_eq!(answered(&mut engine, None), []);
    assert_eq!(answered(&mut engine, Some((REFUSED, 15))), []);
    assert_eq!(answered(&mut engine, Some((2, 15))), [(10, 20, 0, vec![2])]);
    assert_eq!(answered(&mut engine, Some((3, 5))), [(0, 10, 1, vec![1, 3])]);
    assert_eq!(
        answered(&mut engine, Some((4, 110))),
        [(0, 10, 2, vec![1, 3]), (110, 120, 0, vec![4])],
        "the first in its turn"
    );
}
