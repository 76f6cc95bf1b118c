//! A run that is cut and restored at any point gives the answers of a run that is not cut.

use crate::model::{Keep, Step, options, rules, steps, take};
use crate::reference::Rules;
use proptest::prelude::*;
use streamgauge::aggregate::Persistence;
use streamgauge::codec::{Reader, Writer};
use streamgauge::engine::{Engine, EngineOptions, Shard};
use streamgauge::prelude::*;

/// Window, revision and answer.
type Said<V> = (Option<Window>, u32, V);

/// An engine with shards "shard-0", "shard-1" and so on, and its answers.
struct Run<R: 'static, A: Aggregate<R>> {
    engine: Engine<R, A>,
    handles: Vec<Shard>,
    said: Vec<Said<A::Output>>,
}

impl<R: 'static, A: Aggregate<R>> Run<R, A> {
    fn new(mut engine: Engine<R, A>, shards: usize) -> Self {
        let handles = (0..shards)
            .map(|shard| engine.open_shard(ShardId::new(format!("shard-{shard}"))).unwrap())
            .collect();
        Run { engine, handles, said: vec![] }
    }

    /// Restores the state from its snapshot into a new engine.
    fn cut(&mut self, aggregate: A, rules: &Rules) {
        let snapshot = self.engine.snapshot().unwrap();
        let stats = self.engine.stats();
        let read = Snapshot::from_bytes(snapshot.into_bytes().to_vec()).unwrap();
        let restored = Engine::from_snapshot(aggregate, options(rules), &read).unwrap();
        assert_eq!(
            restored.snapshot().unwrap().bytes(),
            read.bytes(),
            "what is restored is what was written"
        );
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

/// Runs the steps, with a restore before each step in `cuts`. `record` creates the record of a
/// step's index.
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
        take(&mut run.engine, &run.handles, step, &record(index), &record(index));
        if let Step::Drain = step {
            run.drain();
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
    fn a_cut_anywhere_changes_no_emission(
        rules in rules(),
        steps in steps(3),
        cuts in prop::collection::vec(0usize..102, 0..4),
    ) {
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

/// Stores the order in which records were added and accumulators merged, on which an approximate
/// answer may depend. The order is not sorted.
struct Trace;

impl Aggregate<u64> for Trace {
    type Accumulator = String;
    type Output = String;

    fn init(&self) -> String {
        String::new()
    }

    fn add(&self, trace: &mut String, record: &u64, _time: Timestamp) {
        trace.push_str(&format!("{record},"));
    }

    fn merge(&self, into: &mut String, from: &String) -> Result<(), Error> {
        *into = format!("({into}+{from})");
        Ok(())
    }

    fn output(&self, trace: &String) -> String {
        trace.clone()
    }

    fn persistence(&self) -> Result<&dyn Persistence<u64, Self::Accumulator>, Error> {
        Ok(self)
    }
}

impl Persistence<u64, String> for Trace {
    fn describe(&self) -> String {
        String::from("trace")
    }

    fn encode(&self, trace: &String, writer: &mut Writer) -> Result<(), Error> {
        writer.bytes(trace.as_bytes());
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<String, Error> {
        reader.text().map(String::from)
    }
}

/// A record with a field for every aggregate.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    url: String,
    country: String,
    status: u16,
    bytes: i64,
    seconds: f64,
}

pub(super) fn hit(index: usize) -> Hit {
    // Some keys often, many seldom; integers of either sign, floats of any size.
    let mixed = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Hit {
        url: format!("/{}", if mixed.is_multiple_of(3) { mixed % 4 } else { mixed % 60 }),
        country: format!("C{}", mixed % 7),
        status: 200 + (mixed % 4) as u16 * 100,
        bytes: (mixed >> 3) as i64 - (1 << 59),
        seconds: (mixed % 1000) as f64 * 10f64.powi((mixed % 40) as i32 - 20),
    }
}

/// The last early answer of an open window is known after a restart, for every aggregate.
#[test]
fn s63_a_restart_repeats_no_early_answer() {
    let options = || {
        let mut options = EngineOptions::default();
        options.windows = Sliding::new(millis(50), millis(20)).unwrap().into();
        options.out_of_orderness = None;
        options
    };
    let mut engine = Engine::new(every_aggregate(), options()).unwrap();
    let shard = engine.open_shard(ShardId::new("s")).unwrap();
    for index in 0..300 {
        engine.push(shard, &hit(index), Timestamp::from_millis(index as i64)).unwrap();
    }
    let drain = |engine: &mut Engine<Hit, _>| {
        std::iter::from_fn(|| engine.next_emission().unwrap()).count()
    };
    engine.fire_early().unwrap();
    assert_eq!(drain(&mut engine), 17);
    let mut restored =
        Engine::from_snapshot(every_aggregate(), options(), &engine.snapshot().unwrap()).unwrap();
    restored.fire_early().unwrap();
    assert_eq!(drain(&mut restored), 0);
    let shard = restored.open_shard(ShardId::new("s")).unwrap();
    restored.push(shard, &hit(7), Timestamp::from_millis(299)).unwrap();
    restored.fire_early().unwrap();
    assert_eq!(drain(&mut restored), 2);
}

/// Every aggregate, with sketches so small that they overflow.
pub(super) fn every_aggregate() -> impl Aggregate<Hit, Output: std::fmt::Debug> {
    let numbers = (
        sum(|hit: &Hit| hit.bytes),
        sum(|hit: &Hit| hit.seconds),
        mean(|hit: &Hit| hit.bytes),
        mean(|hit: &Hit| hit.seconds),
        variance(|hit: &Hit| hit.bytes),
        stddev(|hit: &Hit| hit.seconds),
        min(|hit: &Hit| hit.seconds),
        max(|hit: &Hit| hit.bytes),
        quantile(0.9, |hit: &Hit| hit.seconds).accuracy(0.1),
        quantiles([0.1, 0.5], |hit: &Hit| hit.bytes),
    );
    let keys = (
        top_k(3, |hit: &Hit| hit.url.as_str()).counters(4).seeded(Seed::new(7)),
        distinct(|hit: &Hit| hit.url.as_str()).exact_up_to(5).precision(10),
        distinct_value(|hit: &Hit| hit.status),
        frequency(|hit: &Hit| hit.url.as_str(), "/1").error(0.2, 0.8),
        first(|hit: &Hit| hit.url.clone()),
        last(|hit: &Hit| hit.status),
    );
    let groups = (
        group_by(
            |hit: &Hit| hit.country.as_str(),
            (count(), top_k(2, |hit: &Hit| hit.url.as_str()).counters(2)),
        ),
        group_by_value(
            |hit: &Hit| hit.status,
            group_by(|hit: &Hit| hit.url.as_str(), count()).groups_max(5),
        ),
        filtered(|hit: &Hit| hit.status < 400, count()),
    );
    (count(), numbers, keys, groups)
}

proptest! {
    #![proptest_config(crate::cases(150))]

    #[test]
    fn a_cut_changes_no_order_of_merges(
        rules in rules(),
        steps in steps(3),
        cuts in prop::collection::vec(0usize..102, 0..4),
    ) {
        let trace = || (|| Trace, |index: usize| index as u64);
        prop_assert_eq!(run(&rules, trace(), &steps, &cuts).0, run(&rules, trace(), &steps, &[]).0);
    }

    #[test]
    fn s49_a_cut_anywhere_changes_no_answer_of_any_aggregate(
        rules in rules(),
        steps in steps(3),
        cuts in prop::collection::vec(0usize..102, 0..4),
    ) {
        let whole = run(&rules, (every_aggregate, hit), &steps, &[]);
        let cut = run(&rules, (every_aggregate, hit), &steps, &cuts);
        prop_assert_eq!(format!("{:?}", cut.0), format!("{:?}", whole.0));
        prop_assert_eq!(
            (cut.1.applied, cut.1.late, cut.1.emitted),
            (whole.1.applied, whole.1.late, whole.1.emitted)
        );
    }
}

proptest! {
    #![proptest_config(crate::cases(150))]

    #[test]
    fn s33_the_moment_of_fetching_changes_no_byte(rules in rules(), steps in steps(3)) {
        let unfetched: Vec<Step> = steps
            .iter()
            .map(|step| {
                if let Step::Drain = step {
                    Step::PassOver { shard: 0, time: None }
                } else {
                    step.clone()
                }
            })
            .collect();
        let trace = || (|| Trace, |index: usize| index as u64);
        prop_assert_eq!(
            run(&rules, trace(), &unfetched, &[]).0,
            run(&rules, trace(), &steps, &[]).0
        );
        let every =
            |steps: &[Step]| format!("{:?}", run(&rules, (every_aggregate, hit), steps, &[]).0);
        prop_assert_eq!(every(&unfetched), every(&steps));
    }
}

#[test]
fn s50_a_snapshot_of_another_pipeline_seed_or_lateness_is_refused_with_the_difference() {
    let windows = |size| {
        let mut options = EngineOptions::default();
        options.windows = Tumbling::new(millis(size)).unwrap().into();
        options.allowed_lateness = millis(5);
        options
    };
    let with = |seed, options| {
        Engine::new(top_k(1, |key: &String| key.as_str()).seeded(Seed::new(seed)), options).unwrap()
    };
    let engine = |size, seed| with(seed, windows(size));
    let saved = engine(10, 1).snapshot().unwrap();
    engine(10, 1).restore(&saved).unwrap();
    let refused = |mut engine: Engine<String, _>| {
        let error = engine.restore(&saved).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        error.to_string()
    };
    assert!(refused(engine(20, 1)).contains("windows of 20 ms"));
    assert!(refused(engine(10, 2)).contains("another seed"));
    let mut longer = windows(10);
    longer.allowed_lateness = millis(6);
    assert!(refused(with(1, longer)).contains("allowed lateness"));
}

#[test]
fn a_state_past_a_limit_is_refused_and_the_engine_is_unchanged() {
    let mut engine = Engine::new(
        Keep,
        options(&Rules {
            days: vec![],
            size: 10,
            slide: 10,
            offset: 0,
            out_of_orderness: None,
            lateness: 0,
            emit_empty: false,
            idle_after: None,
        }),
    )
    .unwrap();
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    for time in [5, 15, 25] {
        engine.push(shard, &(time as u64), Timestamp::from_millis(time)).unwrap();
    }
    let saved = engine.snapshot().unwrap();
    let mut tight = options(&Rules {
        days: vec![],
        size: 10,
        slide: 10,
        offset: 0,
        out_of_orderness: None,
        lateness: 0,
        emit_empty: false,
        idle_after: None,
    });
    tight.limits.panes_max = 2;
    let mut small = Engine::new(Keep, tight).unwrap();
    let shard = small.open_shard(ShardId::new("b")).unwrap();
    small.push(shard, &1, Timestamp::from_millis(1)).unwrap();
    assert_eq!(small.restore(&saved).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!((small.stats().applied, small.stats().open_panes), (1, 1));
}

#[test]
fn an_aggregate_without_an_encoding_is_an_error_with_its_name() {
    struct Plain;
    impl Aggregate<u64> for Plain {
        type Accumulator = u64;
        type Output = u64;

        fn init(&self) -> u64 {
            0
        }

        fn add(&self, sum: &mut u64, record: &u64, _time: Timestamp) {
            *sum += record;
        }

        fn merge(&self, into: &mut u64, from: &u64) -> Result<(), Error> {
            *into += from;
            Ok(())
        }

        fn output(&self, sum: &u64) -> u64 {
            *sum
        }
    }
    fn refusal<A: Aggregate<u64>>(aggregate: A) -> String {
        let pipeline = Pipeline::builder().aggregate(aggregate).build().unwrap();
        let error = pipeline.snapshot().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        error.to_string()
    }
    // With its own name, before the first record.
    assert!(refusal(Plain).contains(
        "resume::an_aggregate_without_an_encoding_is_an_error_with_its_name::Plain cannot"
    ));
    let inside = refusal((count(), group_by(|key: &u64| key, filtered(|_: &u64| true, (Plain,)))));
    assert!(inside.contains("the aggregate suite::snapshot::resume::"), "{inside}");
    assert!(inside.contains("::Plain cannot"), "{inside}");
    let engine = Engine::new(Plain, EngineOptions::default()).unwrap();
    let mut options = streamgauge::merger::MergerOptions::default();
    options.sources = Some(1);
    let merger = streamgauge::merger::Merger::new(engine, options);
    assert_eq!(merger.err().unwrap().kind(), ErrorKind::Unsupported);
}

#[test]
fn records_without_a_shard_continue_in_the_restored_shard() {
    let build = || {
        Pipeline::builder()
            .event_time(|at: &i64| Timestamp::from_millis(*at))
            .window(Tumbling::new(millis(10)).unwrap())
            .aggregate(count())
            .build()
            .unwrap()
    };
    let mut before = build();
    let first = before.open_shard(ShardId::new("first")).unwrap();
    before.close_shard(first);
    before.push(&12).unwrap();
    let snapshot = before.snapshot().unwrap();
    // Here the shard for records without a shard is the first; there it is the second.
    let mut after = build();
    after.push(&3).unwrap();
    let mut boxed = after.boxed();
    boxed.control_mut().restore(&snapshot).unwrap();
    boxed.push(&25).unwrap();
    let emission = boxed.next_emission().unwrap().expect("25 completes the window of 12");
    assert_eq!((emission.window.unwrap().start().as_millis(), emission.value), (10, 1));
    assert_eq!(boxed.shards(), [ShardId::new("first"), ShardId::new("")]);
}

#[test]
fn a_boxed_pipeline_has_all_of_control() {
    let build = || {
        let windows = Tumbling::new(millis(10)).unwrap();
        let builder = Pipeline::builder().event_time(|at: &i64| Timestamp::from_millis(*at));
        builder.window(windows).aggregate(count()).build().unwrap().boxed()
    };
    let (mut parent, mut child) = (build(), build());
    parent.push_batch(&[1, 2, 3]).unwrap();
    parent.fire_early().unwrap();
    assert_eq!(parent.next_emission().unwrap().map(|emission| emission.value), Some(3));
    parent.hand_over();
    assert!(parent.is_due());
    child.adopt(&parent.next_partial("parent").unwrap().unwrap()).unwrap();
    let shard = child.open_shard(ShardId::new("child")).unwrap();
    child.push_to(shard, Some(&Sequence::new(7u64)), &4).unwrap();
    assert_eq!(child.applied(shard), Some(&Sequence::new(7u64)));
    child.close_shard(shard);
    child.reopen_shard(shard);
    child.advance_watermark(shard, Timestamp::from_millis(10));
    assert_eq!(child.watermark(), Some(Timestamp::from_millis(9)));
    assert_eq!(child.next_emission().unwrap().map(|emission| emission.value), Some(4));
    assert_eq!(child.fingerprint(), parent.fingerprint());
    assert!(!child.is_strict() && child.refusal().is_none());
}
