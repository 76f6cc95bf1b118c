//! The last partial of a window is marked as the last: with any lateness, after a restore, and for
//! windows that were answered early.

use crate::model::{Keep, REFUSED, Step, options, rules, steps, take};
use crate::reference::{Reference, Rules};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use streamgauge::engine::Engine;
use streamgauge::merger::{Merger, MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::Partial;

/// An engine of two shards whose windows are fetched as partials.
struct Source<'a> {
    rules: &'a Rules,
    engine: Engine<u64, Keep>,
    given: Vec<Partial>,
}

impl<'a> Source<'a> {
    fn new(rules: &'a Rules) -> Self {
        Source { rules, engine: Engine::new(Keep, options(rules)).unwrap(), given: vec![] }
    }

    fn fetch(&mut self) {
        while let Some(partial) = self.engine.next_partial("source").unwrap() {
            self.given.push(Partial::from_bytes(partial.into_bytes()).unwrap());
        }
    }

    /// Applies the steps. Windows are answered early after every `every` steps, and the engine is
    /// restored from its snapshot before each step in `cuts`.
    fn run(mut self, steps: &[Step], every: usize, cuts: &BTreeSet<usize>) -> Vec<Partial> {
        for (index, step) in steps.iter().enumerate() {
            if cuts.contains(&index) {
                self.engine = Engine::from_snapshot(
                    Keep,
                    options(self.rules),
                    &self.engine.snapshot().unwrap(),
                )
                .unwrap();
            }
            let handles = ["shard-0", "shard-1"]
                .map(|name| self.engine.open_shard(ShardId::new(name)).unwrap());
            take(&mut self.engine, &handles, step, &(index as u64), &REFUSED);
            if index % every == every - 1 {
                self.engine.fire_early().unwrap();
            }
            if let Step::Drain = step {
                self.fetch();
            }
        }
        self.engine.finish();
        self.fetch();
        self.given
    }
}

/// Returns the last answer of each window.
fn expected(rules: &Rules, steps: &[Step]) -> BTreeMap<i64, Vec<u64>> {
    let mut reference = Reference::new(rules.clone(), 2);
    for (id, step) in steps.iter().enumerate() {
        match *step {
            Step::Push { shard, time } => drop(reference.push(shard, time, id as u64, false)),
            Step::Refuse { shard, time } => drop(reference.push(shard, time, id as u64, true)),
            Step::PassOver { shard, time } => reference.see(shard, time),
            Step::Advance { now } => reference.advance(now),
            Step::Close { shard } => reference.close(shard),
            Step::Drain => {}
        }
    }
    reference.finish();
    reference.emissions.into_iter().map(|(start, _, _, records)| (start, records)).collect()
}

fn start(window: Option<Window>) -> i64 {
    window.expect("periodic windows").start().as_millis()
}

fn merger(rules: &Rules) -> Merger<u64, Keep> {
    let mut one = MergerOptions::default();
    one.sources = Some(1);
    Merger::new(Engine::new(Keep, options(rules)).unwrap(), one).unwrap()
}

proptest! {
    #![proptest_config(crate::cases(400))]

    #[test]
    fn s83_each_window_has_one_last_partial_whatever_the_lateness(
        rules in rules(),
        steps in steps(2),
        every in 1usize..60,
        cuts in prop::collection::btree_set(0usize..102, 0..4),
    ) {
        let whole = Source::new(&rules).run(&steps, every, &BTreeSet::new());
        let cut = Source::new(&rules).run(&steps, every, &cuts);
        let bytes = |partials: &[Partial]| {
            partials.iter().map(|partial| partial.bytes().clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(bytes(&cut), bytes(&whole), "as one that was not cut");
        let mut last = BTreeMap::new();
        for partial in &whole {
            let before: Option<(u32, bool)> =
                last.insert(start(partial.window()), (partial.revision(), partial.is_final()));
            prop_assert!(
                before.is_none_or(|(_, is_final)| !is_final),
                "nothing follows the last: \
                    {:?}",
                partial
            );
            prop_assert_eq!(before.map_or(0, |(revision, _)| revision + 1), partial.revision());
        }
        prop_assert!(last.values().all(|(_, is_final)| *is_final), "{:?}", whole);
        // So a merger that waits for one source gives every window completely, and needs no end of
        // its own.
        let mut merger = merger(&rules);
        let mut values = BTreeMap::new();
        for partial in &whole {
            merger.add(partial, Timestamp::from_millis(0)).unwrap();
            while let Some(merged) = merger.next_merged().unwrap() {
                prop_assert!(merged.complete && merged.revision == 0);
                values.insert(start(merged.window), merged.value);
            }
        }
        prop_assert_eq!(values, expected(&rules, &steps));
    }
}

fn tumbling(lateness: i64) -> Rules {
    Rules {
        days: vec![],
        size: 10,
        slide: 10,
        offset: 0,
        out_of_orderness: Some(0),
        lateness,
        emit_empty: false,
        idle_after: None,
    }
}

fn pushes(times: &[i64]) -> Vec<Step> {
    times.iter().map(|time| Step::Push { shard: 0, time: *time }).chain([Step::Drain]).collect()
}

#[test]
fn s83_a_window_that_fires_before_it_closes_has_a_last_partial_when_it_does() {
    let rules = tumbling(50);
    let mut source = Source::new(&rules);
    let shard = source.engine.open_shard(ShardId::new("a")).unwrap();
    for (id, time) in [1, 12, 3, 25, 4, 80, 200].into_iter().enumerate() {
        source.engine.push(shard, &(id as u64), Timestamp::from_millis(time)).unwrap();
        source.fetch();
    }
    let shown: Vec<_> = source
        .given
        .iter()
        .map(|partial| (start(partial.window()), partial.revision(), partial.is_final()))
        .collect();
    let first = [
        (0, 0, false),
        (0, 1, false),
        (10, 0, false),
        (0, 2, false),
        (0, 3, true),
        (10, 1, true),
        (20, 0, true),
        (80, 0, true),
    ];
    assert_eq!(shown, first);
    source.engine.finish();
    source.fetch();
    assert_eq!(
        source.given[8..]
            .iter()
            .map(|partial| (start(partial.window()), partial.is_final()))
            .collect::<Vec<_>>(),
        [(200, true)]
    );
}

#[test]
fn s49_a_final_partial_is_final_after_a_restore_too() {
    let rules = tumbling(0);
    let steps = [pushes(&[1]), pushes(&[2, 30, 31])].concat();
    let shown = |cuts: &BTreeSet<usize>| {
        // Answered early, and fetched only after it is complete.
        let mut steps = steps.clone();
        steps.remove(1);
        let partials = Source::new(&rules).run(&steps, 1, cuts);
        partials
            .iter()
            .filter(|partial| start(partial.window()) == 0)
            .map(|partial| (partial.revision(), partial.is_final()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&BTreeSet::from([1])), shown(&BTreeSet::new()));
    assert_eq!(shown(&BTreeSet::new()).iter().filter(|(_, is_final)| *is_final).count(), 1);
}

#[test]
fn s68_windows_that_were_returned_are_not_handed_over() {
    let rules = tumbling(50);
    let mut source = Source::new(&rules);
    let shard = source.engine.open_shard(ShardId::new("a")).unwrap();
    for time in [1, 12, 25] {
        source.engine.push(shard, &0, Timestamp::from_millis(time)).unwrap();
    }
    source.fetch();
    assert_eq!(
        source.given.iter().map(|partial| start(partial.window())).collect::<Vec<_>>(),
        [0, 10]
    );
    source.engine.hand_over();
    source.given.clear();
    source.fetch();
    assert_eq!(
        source.given.iter().map(|partial| start(partial.window())).collect::<Vec<_>>(),
        [20]
    );
}
