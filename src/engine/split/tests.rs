//! Windows that are open at the end of the input give the same answers in parts as together: also
//! with inexact sketches, after windows that fired before the end, with gaps, and with merges that
//! lose information.

use crate::aggregate::{
    Aggregate, Persistence, count, distinct_value, group_by_value, max, sum, top_k_value,
};
use crate::codec::{Reader, Writer};
use crate::engine::{Control, Engine, EngineOptions};
use crate::error::Error;
use crate::record::ShardId;
use crate::time::{Timestamp, millis};
use crate::window::{Sliding, Tumbling};
use proptest::prelude::*;
use std::num::NonZeroUsize;

/// Sums, groups past their limit, percentiles, and tops that are exact in only some of the windows.
fn aggregate(groups_max: usize) -> impl Aggregate<u64, Output: std::fmt::Debug> + Clone {
    (
        count(),
        sum(|id: &u64| *id as i64 - 30),
        top_k_value(3, |id: &u64| id % 23).counters(7),
        distinct_value(|id: &u64| id % 50),
        group_by_value(
            |id: &u64| id / 4 % 9,
            (max(|id: &u64| *id), top_k_value(1, |id: &u64| id % 3).counters(2)),
        )
        .groups_max(groups_max),
    )
}

/// Returns the emissions of an engine that is split into at most `parts` parts, and the actual
/// number of parts; 0 if it was not split.
fn emissions<A>(
    aggregate: A,
    times: &[i64],
    options: &EngineOptions,
    parts: usize,
) -> (Vec<String>, usize)
where
    A: Aggregate<u64, Output: std::fmt::Debug> + Clone,
{
    let mut engine = Engine::new(aggregate, options.clone()).unwrap();
    let shard = engine.open_shard(ShardId::new("")).unwrap();
    let mut said = vec![];
    for (id, time) in times.iter().enumerate() {
        engine.push(shard, &(id as u64), Timestamp::from_millis(*time)).unwrap();
        // Half of the due windows are fetched sometimes, so that the stacks are in various states
        // at the end.
        if id % 50 == 0
            && let Some(emission) = engine.next_emission().unwrap()
        {
            said.push(format!("{emission:?}"));
        }
    }
    engine.finish();
    let parts = NonZeroUsize::new(parts).unwrap();
    let mut rest = engine.split_finished(parts);
    while let Some(emission) = engine.next_emission().unwrap() {
        said.push(format!("{emission:?}"));
    }
    for part in &mut rest {
        while let Some(emission) = part.next_emission().unwrap() {
            said.push(format!("{emission:?}"));
        }
    }
    (said, rest.len())
}

prop_compose! {
    fn options()(panes in 1u64..40, extra in 0u64..10, disorder in prop_oneof![Just(None), (0u64..500).prop_map(Some)]) -> EngineOptions {
        EngineOptions {
            windows: Sliding::new(millis(panes * 10 + extra), millis(10)).unwrap().into(),
            out_of_orderness: disorder.map(millis),
            ..EngineOptions::default()
        }
    }
}

/// Times that mostly increase, with gaps, and some late ones.
fn times() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![20 => 0i64..12, 3 => -80i64..0, 1 => 0i64..900];
    prop::collection::vec(step, 1..700).prop_map(|steps| {
        let mut now = 5000;
        steps
            .into_iter()
            .map(|step| {
                now += step.max(0);
                now + step.min(0)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn parts_equal_the_whole(
        times in times(),
        options in options(),
        parts in 2usize..6,
        groups_max in 2usize..10,
    ) {
        let (whole, _) = emissions(aggregate(groups_max), &times, &options, 1);
        let (split, count) = emissions(aggregate(groups_max), &times, &options, parts);
        prop_assert!(count <= parts && count != 1);
        prop_assert_eq!(split, whole);
        prop_assert_eq!(
            emissions(Kept, &times, &options, parts).0,
            emissions(Kept, &times, &options, 1).0
        );
    }
}

/// Keeps the records themselves, in the order of their merges.
#[derive(Clone)]
struct Kept;

impl Aggregate<u64> for Kept {
    type Accumulator = Vec<u64>;
    type Output = Vec<u64>;

    fn init(&self) -> Vec<u64> {
        vec![]
    }

    fn add(&self, kept: &mut Vec<u64>, record: &u64, _: Timestamp) {
        kept.push(*record);
    }

    fn merge(&self, into: &mut Vec<u64>, from: &Vec<u64>) -> Result<(), Error> {
        into.extend(from);
        Ok(())
    }

    fn output(&self, kept: &Vec<u64>) -> Vec<u64> {
        kept.clone()
    }

    fn persistence(&self) -> Result<&dyn Persistence<u64, Self::Accumulator>, Error> {
        Ok(self)
    }
}

impl Persistence<u64, Vec<u64>> for Kept {
    fn describe(&self) -> String {
        String::from("kept")
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

#[test]
fn many_windows_are_split_and_few_are_not() {
    let mut options = EngineOptions {
        windows: Sliding::new(millis(300), millis(10)).unwrap().into(),
        out_of_orderness: None,
        ..EngineOptions::default()
    };
    let times: Vec<i64> = (0..5000).collect();
    assert_eq!(emissions(count(), &times, &options, 4).1, 4);
    assert_eq!(emissions(count(), &times, &options, 9).1, 5, "529 windows of 30 panes");
    assert_eq!(emissions(count(), &times[..300], &options, 4).1, 0);
    options.windows = Tumbling::new(millis(10)).unwrap().into();
    assert_eq!(
        emissions(count(), &times[..160], &options, 4).1,
        2,
        "16 windows that are single panes"
    );
    assert_eq!(emissions(count(), &times[..150], &options, 4).1, 0);
}
