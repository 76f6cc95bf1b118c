//! Windows that shards which have ended hand over to a shard that continues.

use proptest::prelude::*;
use std::collections::BTreeMap;
use streamgauge::engine::{Engine, EngineOptions, Shard};
use streamgauge::prelude::*;
use streamgauge::snapshot::Partial;

/// The last answer of each source and window: records and the sum of their times.
type Answers = BTreeMap<(usize, Window), (u64, i128)>;

type Records = Vec<i64>;

#[derive(Clone, Copy, Debug)]
struct Rules {
    size: u64,
    slide: u64,
    lateness: u64,
}

fn engine(rules: Rules) -> (Engine<i64, impl Aggregate<i64, Output = (u64, i128)>>, Shard) {
    let mut options = EngineOptions::default();
    options.windows = Sliding::new(millis(rules.size), millis(rules.slide)).unwrap().into();
    options.out_of_orderness = Some(millis(20));
    options.allowed_lateness = millis(rules.lateness);
    let mut engine = Engine::new((count(), sum(|time: &i64| *time)), options).unwrap();
    let shard = engine.open_shard(ShardId::new("shard")).unwrap();
    (engine, shard)
}

fn drain<A: Aggregate<i64, Output = (u64, i128)>>(
    source: usize,
    engine: &mut Engine<i64, A>,
    answers: &mut Answers,
) {
    while let Some(emission) = engine.next_emission().unwrap() {
        answers.insert((source, emission.window.unwrap()), emission.value);
    }
}

/// Returns the answers of the parents before they end in `answers`, and the partials that they hand
/// over.
fn parents(rules: Rules, logs: &[Records], answers: &mut Answers) -> Vec<Partial> {
    let mut handed_over = vec![];
    for (source, log) in logs.iter().enumerate() {
        let (mut engine, shard) = engine(rules);
        for time in log {
            engine.push(shard, time, Timestamp::from_millis(*time)).unwrap();
        }
        drain(source, &mut engine, answers);
        engine.finish();
        while let Some(partial) = engine.next_partial("parent").unwrap() {
            assert!(
                !answers.contains_key(&(source, partial.window().unwrap())),
                "a window that is out is not handed over"
            );
            handed_over.push(partial);
        }
    }
    handed_over
}

/// Returns all windows of all records, by trying each.
fn expected(rules: Rules, records: impl Iterator<Item = i64>) -> BTreeMap<Window, (u64, i128)> {
    let mut expected = BTreeMap::<Window, (u64, i128)>::new();
    for time in records {
        for start in time - rules.size as i64 + 1..=time {
            if start.rem_euclid(rules.slide as i64) == 0 {
                let window = Window::new(
                    Timestamp::from_millis(start),
                    Timestamp::from_millis(start + rules.size as i64),
                );
                let (records, sum) = expected.entry(window).or_default();
                (*records, *sum) = (*records + 1, *sum + i128::from(time));
            }
        }
    }
    expected
}

/// Records with increasing times, out of order by at most 20.
fn log(steps: Vec<(i64, i64)>) -> Records {
    let mut clock = 0;
    steps.into_iter().map(|(step, back)| (clock + step - back, clock += step).0).collect()
}

fn logs() -> impl Strategy<Value = Records> {
    prop::collection::vec((0..15i64, 0..20i64), 0..40).prop_map(log)
}

proptest! {
    #[test]
    fn s68_nothing_is_lost_or_doubled_when_windows_are_handed_over(
        parent_logs in prop::collection::vec(logs(), 1..3),
        child_logs in prop::collection::vec(logs(), 1..3),
        (size, slide, lateness) in (1..40u64, 1..40u64, prop::sample::select(vec![0u64, 25])),
        cut in 0..40usize,
    ) {
        let rules = Rules { size, slide, lateness };
        let mut answers = Answers::new();
        let handed_over = parents(rules, &parent_logs, &mut answers);
        for (index, log) in child_logs.iter().enumerate() {
            let (mut child, mut shard) = engine(rules);
            // Any child may have them, but only one.
            if index == 0 {
                handed_over.iter().for_each(|partial| child.adopt(partial).unwrap());
            }
            for (position, time) in log.iter().enumerate() {
                if position == cut {
                    let snapshot =
                        Snapshot::from_bytes(child.snapshot().unwrap().into_bytes()).unwrap();
                    (child, shard) = engine(rules);
                    child.restore(&snapshot).unwrap();
                    assert_eq!(child.snapshot().unwrap().bytes(), snapshot.bytes());
                }
                child.push(shard, time, Timestamp::from_millis(*time)).unwrap();
                drain(100 + index, &mut child, &mut answers);
            }
            prop_assert_eq!(child.stats().late, 0);
            child.finish();
            drain(100 + index, &mut child, &mut answers);
        }
        let mut merged = BTreeMap::<Window, (u64, i128)>::new();
        for ((_, window), (records, sum)) in answers {
            let (all, total) = merged.entry(window).or_default();
            (*all, *total) = (*all + records, *total + sum);
        }
        prop_assert_eq!(
            merged,
            expected(rules, parent_logs.into_iter().chain(child_logs).flatten())
        );
    }
}

#[test]
fn a_window_of_another_pipeline_or_one_that_has_fired_is_refused() {
    let rules = Rules { size: 10, slide: 10, lateness: 0 };
    let mut answers = Answers::new();
    let handed_over = parents(rules, &[vec![5]], &mut answers);
    let (mut other, _) = engine(Rules { size: 20, ..rules });
    assert_eq!(other.adopt(&handed_over[0]).unwrap_err().kind(), ErrorKind::Mismatch);
    let (mut late, shard) = engine(rules);
    for time in [5, 100] {
        late.push(shard, &time, Timestamp::from_millis(time)).unwrap();
    }
    drain(0, &mut late, &mut answers);
    assert_eq!(late.adopt(&handed_over[0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn s71_the_watermark_of_a_quiet_shard_can_be_advanced_without_a_record() {
    let (mut engine, shard) = engine(Rules { size: 10, slide: 10, lateness: 0 });
    engine.push(shard, &5, Timestamp::from_millis(5)).unwrap();
    engine.advance_watermark(shard, Timestamp::from_millis(9));
    assert!(engine.next_emission().unwrap().is_none());
    engine.advance_watermark(shard, Timestamp::from_millis(10));
    assert_eq!(engine.next_emission().unwrap().map(|emission| emission.value), Some((1, 5)));
    engine.advance_watermark(shard, Timestamp::from_millis(0));
    assert_eq!(engine.watermark(), Some(Timestamp::from_millis(9)), "it never falls");
}
