//! Sliding by subtraction gives the answers of sliding by merges, bit by bit, also if a sketch is
//! not exact and if the run is cut by snapshots.

use super::{Step, options, rules, steps, take};
use crate::reference::Rules;
use proptest::prelude::*;
use streamgauge::aggregate::Persistence;
use streamgauge::codec::{Reader, Writer};
use streamgauge::engine::{Engine, Shard};
use streamgauge::prelude::*;

/// Hides that an aggregate is invertible.
struct Hidden<A>(A);

impl<A: Aggregate<u64>> Aggregate<u64> for Hidden<A> {
    type Accumulator = A::Accumulator;
    type Output = A::Output;

    fn init(&self) -> A::Accumulator {
        self.0.init()
    }

    fn check(&self, accumulator: Option<&A::Accumulator>, record: &u64) -> Result<(), Error> {
        self.0.check(accumulator, record)
    }

    fn add(&self, accumulator: &mut A::Accumulator, record: &u64, time: Timestamp) {
        self.0.add(accumulator, record, time);
    }

    fn merge(&self, into: &mut A::Accumulator, from: &A::Accumulator) -> Result<(), Error> {
        self.0.merge(into, from)
    }

    fn output(&self, accumulator: &A::Accumulator) -> A::Output {
        self.0.output(accumulator)
    }

    fn persistence(&self) -> Result<&dyn Persistence<u64, Self::Accumulator>, Error> {
        self.0.persistence()?;
        Ok(self)
    }
}

impl<A: Aggregate<u64>> Persistence<u64, A::Accumulator> for Hidden<A> {
    fn describe(&self) -> String {
        String::from("hidden")
    }

    fn encode(&self, accumulator: &A::Accumulator, writer: &mut Writer) -> Result<(), Error> {
        self.0.persistence()?.encode(accumulator, writer)
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<A::Accumulator, Error> {
        self.0.persistence()?.decode(reader)
    }
}

/// Sums, groups that come and go, also past their limit, tops and distinct counts that are exact in
/// only some windows, percentiles of numbers with and without fractions.
fn aggregate(groups_max: usize) -> impl Aggregate<u64, Output: std::fmt::Debug> {
    (
        count(),
        sum(|id: &u64| *id as i64 - 30),
        mean(|id: &u64| id % 5),
        filtered(|id: &u64| id.is_multiple_of(2), count()),
        top_k_value(3, |id: &u64| id % 23).counters(5),
        distinct_value(|id: &u64| id % 7).exact_up_to(5).precision(10),
        quantile(
            0.7,
            |id: &u64| if id.is_multiple_of(9) { *id as f64 / 2.0 } else { *id as f64 - 20.0 },
        ),
        quantile(0.4, |id: &u64| {
            f64::from_bits((id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1) % f64::MAX.to_bits())
        }),
        group_by_value(
            |id: &u64| id % 3,
            (distinct_value(|id: &u64| id / 3 % 5), quantiles([0.0, 0.5, 1.0], |id: &u64| id % 11)),
        ),
        group_by_value(
            |id: &u64| id / 4 % 9,
            (count(), top_k_value(1, |id: &u64| id % 3).counters(2)),
        )
        .groups_max(groups_max),
    )
}

/// Returns all emissions in printed form. With `cuts` the engine is restored from its own snapshot
/// whenever emissions are fetched.
fn emissions<A: Aggregate<u64, Output: std::fmt::Debug>>(
    aggregate: impl Fn() -> A,
    rules: &Rules,
    steps: &[Step],
    cuts: bool,
) -> Vec<String> {
    let open = |engine: &mut Engine<u64, A>| -> Vec<Shard> {
        (0..2)
            .map(|shard| engine.open_shard(ShardId::new(format!("shard-{shard}"))).unwrap())
            .collect()
    };
    let mut engine = Engine::new(aggregate(), options(rules)).unwrap();
    let mut handles = open(&mut engine);
    let mut said = vec![];
    for (id, step) in steps.iter().enumerate() {
        take(&mut engine, &handles, step, &(id as u64), &(id as u64));
        if let Step::Drain = step {
            while let Some(emission) = engine.next_emission().unwrap() {
                said.push(format!("{emission:?}"));
            }
            if cuts {
                let snapshot = engine.snapshot().unwrap();
                engine = Engine::new(aggregate(), options(rules)).unwrap();
                engine.restore(&snapshot).unwrap();
                handles = open(&mut engine);
            }
        }
    }
    engine.finish();
    while let Some(emission) = engine.next_emission().unwrap() {
        said.push(format!("{emission:?}"));
    }
    said
}

proptest! {
    #![proptest_config(crate::cases(500))]

    #[test]
    fn subtracting_equals_merging(
        rules in rules(),
        steps in steps(2),
        groups_max in 2usize..10,
        cuts: bool,
    ) {
        let merged = emissions(|| Hidden(aggregate(groups_max)), &rules, &steps, false);
        prop_assert_eq!(emissions(|| aggregate(groups_max), &rules, &steps, cuts), merged);
    }
}

/// With sliding windows: in some of them neighbours must be joined, and in others, which share
/// panes with them, not.
#[test]
fn s29_only_a_windows_own_records_join_its_buckets() {
    // Doubles with random bits, 500 to 4,000 per pane.
    let value = |id: &u64| {
        f64::from_bits((id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1) % f64::MAX.to_bits())
    };
    let rows = |pane: u64| 500 + pane * pane * 937 % 3500;
    let aggregate = || quantiles([0.1, 0.5, 0.9], value);
    fn emissions<A: Aggregate<u64, Output = [Option<streamgauge::sketch::Estimate<f64>>; 3]>>(
        aggregate: A,
        rows: impl Fn(u64) -> u64,
    ) -> Vec<[f64; 9]> {
        let mut options = streamgauge::engine::EngineOptions::default();
        options.windows = Sliding::new(millis(40), millis(10)).unwrap().into();
        let mut engine = Engine::new(aggregate, options).unwrap();
        let shard = engine.open_shard(ShardId::new("s")).unwrap();
        let (mut id, mut said) = (0, vec![]);
        for pane in 0..24u64 {
            for _ in 0..rows(pane) {
                engine.push(shard, &id, Timestamp::from_millis(pane as i64 * 10)).unwrap();
                id += 1;
            }
            if pane == 23 {
                engine.finish();
            }
            while let Some(emission) = engine.next_emission().unwrap() {
                let bounds = emission.value.map(|estimate| {
                    estimate
                        .map(|estimate| [estimate.lower, estimate.value, estimate.upper])
                        .unwrap()
                });
                said.push(bounds.concat().try_into().unwrap());
            }
        }
        said
    }
    let (sliding, merging) = (emissions(aggregate(), rows), emissions(Hidden(aggregate()), rows));
    assert!(sliding == merging && sliding.len() == 27);
    let widths: Vec<f64> =
        sliding.iter().map(|[lower, _, upper, ..]| upper / lower - 1.0).collect();
    let joined = widths.iter().filter(|width| **width > 0.01).count();
    assert!((3..=24).contains(&joined), "{joined} of {}", widths.len());
    // After a joined window comes one that is not.
    assert!(widths.windows(2).any(|pair| pair[0] > 0.01 && pair[1] < 0.01), "{widths:?}");
}
