//! A run that is cut and restored says what the run that was not cut says, wherever the cut is.

use crate::model::{Keep, Step, options, rules, steps};
use crate::reference::Rules;
use proptest::prelude::*;
use streamgauge::engine::{Engine, Shard};
use streamgauge::prelude::*;

/// Window, revision and answer.
type Said<V> = (Option<Window>, u32, V);

/// An engine with shards "shard-0", "shard-1" and so on, and what it has said.
struct Run<R: 'static, A: Aggregate<R>> {
    engine: Engine<R, A>,
    handles: Vec<Shard>,
    said: Vec<Said<A::Output>>,
}

impl<R: 'static, A: Aggregate<R>> Run<R, A> {
    fn new(mut engine: Engine<R, A>, shards: usize) -> Self {
        let handles = (0..shards).map(|shard| engine.open_shard(ShardId::new(format!("shard-{shard}"))).unwrap()).collect();
        Run { engine, handles, said: vec![] }
    }

    /// Through bytes and back, into an engine that is new.
    fn cut(&mut self, aggregate: A, rules: &Rules) {
        let snapshot = self.engine.snapshot().unwrap();
        let stats = self.engine.stats();
        let read = Snapshot::from_bytes(snapshot.into_bytes().to_vec()).unwrap();
        let restored = Engine::from_snapshot(aggregate, options(rules), &read).unwrap();
        assert_eq!(restored.snapshot().unwrap().bytes(), read.bytes(), "what is restored is what was written");
        assert_eq!(restored.stats().applied, stats.applied);
        assert_eq!(restored.watermark(), self.engine.watermark());
        let shards = self.handles.len();
        let said = std::mem::take(&mut self.said);
        *self = Run { said, ..Run::new(restored, shards) };
    }

    fn drain(&mut self) {
        while let Some(emission) = self.engine.next_emission().unwrap() {
            self.said.push((emission.window, emission.revision, emission.value));
        }
    }
}

/// Runs the steps, cut before each step in `cuts`; `record` makes the record of a step's index.
fn run<R: 'static, A: Aggregate<R>>(
    rules: &Rules,
    (aggregate, record): (impl Fn() -> A, impl Fn(usize) -> R),
    steps: &[Step],
    cuts: &[usize],
) -> (Vec<Said<A::Output>>, Stats) {
    let mut run = Run::new(Engine::new(aggregate(), options(rules)).unwrap(), 3);
    for (index, step) in steps.iter().enumerate() {
        if cuts.contains(&index) {
            run.cut(aggregate(), rules);
        }
        match *step {
            Step::Push { shard, time } => {
                run.engine.push(run.handles[shard], &record(index), Timestamp::from_millis(time)).unwrap();
            }
            Step::Close { shard } => run.engine.close_shard(run.handles[shard]),
            Step::Drain => run.drain(),
        }
    }
    if cuts.contains(&steps.len()) {
        run.cut(aggregate(), rules);
    }
    run.engine.finish();
    if cuts.contains(&(steps.len() + 1)) {
        run.cut(aggregate(), rules);
    }
    run.drain();
    let stats = run.engine.stats();
    (run.said, stats)
}

fn keep() -> (impl Fn() -> Keep, impl Fn(usize) -> u64) {
    (|| Keep, |index| index as u64)
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn a_cut_anywhere_changes_no_emission(rules in rules(), steps in steps(3), cuts in prop::collection::vec(0usize..102, 0..4)) {
        let whole = run(&rules, keep(), &steps, &[]);
        prop_assert_eq!(run(&rules, keep(), &steps, &cuts).0, whole.0);
    }
}

proptest! {
    #![proptest_config(crate::cases(20))]

    #[test]
    fn a_cut_everywhere_changes_no_emission(rules in rules(), steps in steps(3)) {
        let everywhere: Vec<usize> = (0..steps.len() + 2).collect();
        let whole = run(&rules, keep(), &steps, &[]);
        prop_assert_eq!(&run(&rules, keep(), &steps, &everywhere).0, &whole.0);
        for cut in everywhere {
            prop_assert_eq!(&run(&rules, keep(), &steps, &[cut]).0, &whole.0);
        }
    }
}
