//! A batch equals its records one by one: emissions, counts, refusals, calls of the late sink, and
//! the bytes of every snapshot in between.

use super::rules;
use crate::reference::Rules;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use streamgauge::prelude::*;

#[derive(Clone, Debug)]
struct Item {
    time: i64,
    number: f64,
    passes: bool,
}

/// Runs in one pane, jumps between a few panes, and large jumps. Some records are refused, some are
/// filtered.
fn items() -> impl Strategy<Value = Vec<Item>> {
    let spread = prop_oneof![3 => Just(1i64), 2 => Just(40), 1 => Just(120)];
    let item =
        (0i64..1000, 0i64..3, prop::bool::weighted(0.004), 0u8..40, prop::bool::weighted(0.95));
    (spread, prop::collection::vec(item, 0..400)).prop_map(|(spread, items)| {
        let mut now = 0;
        let item = |(jitter, forward, leap, number, passes): (i64, i64, bool, u8, bool)| {
            now += if leap { 300 } else { i64::from(forward == 2) };
            let number = if number == 39 { f64::NAN } else { f64::from(number) };
            Item { time: now - jitter % spread, number, passes }
        };
        items.into_iter().map(item).collect()
    })
}

/// What happens to groups past their limit, and whether refusals are errors.
#[derive(Clone, Copy, Debug)]
struct Refusals {
    groups_max: usize,
    overflow: Overflow,
    strict: bool,
    filters: bool,
}

type Told = Arc<Mutex<Vec<i64>>>;

fn pipeline(
    rules: &Rules,
    refusals: Refusals,
    told: &Told,
) -> Pipeline<Item, impl Aggregate<Item, Output: std::fmt::Debug> + use<>> {
    let length = |n: i64| millis(n as u64);
    let told = told.clone();
    let mut builder = Pipeline::builder()
        .event_time(|item: &Item| Timestamp::from_millis(item.time))
        .window(
            Sliding::new(length(rules.size), length(rules.slide))
                .unwrap()
                .offset(length(rules.offset)),
        )
        .allowed_lateness(length(rules.lateness))
        .emit_empty(rules.emit_empty)
        .strict(refusals.strict)
        .on_late(move |_, time| told.lock().unwrap().push(time.as_millis()));
    builder = match rules.out_of_orderness {
        Some(bound) => builder.out_of_orderness(length(bound)),
        None => builder.unbounded_out_of_orderness(),
    };
    if refusals.filters {
        builder = builder.filter(|item| item.passes);
    }
    let groups = group_by_value(
        |item: &Item| item.number.to_bits() % 7,
        (count(), top_k_value(1, |item: &Item| item.time % 5).counters(2)),
    );
    let groups = groups.groups_max(refusals.groups_max).overflow(refusals.overflow);
    builder
        .aggregate((count(), sum(|item: &Item| item.number), last(|item: &Item| item.time), groups))
        .build()
        .unwrap()
}

/// Returns everything observable of a run: the result of each batch, and then the emissions, the
/// counts, the calls of the late sink, and the state.
fn run(rules: &Rules, refusals: Refusals, batches: &[&[Item]], whole: bool) -> Vec<String> {
    let told = Told::default();
    let mut pipeline = pipeline(rules, refusals, &told);
    // A shard that holds the watermark back for some time.
    pipeline.open_shard(ShardId::new("")).unwrap();
    let other = pipeline.open_shard(ShardId::new("quiet")).unwrap();
    let mut seen = vec![];
    for (index, batch) in batches.iter().enumerate() {
        if index == 1 {
            pipeline.close_shard(other);
        }
        let taken = match whole {
            true => pipeline.push_batch(batch),
            false => batch.iter().try_for_each(|item| pipeline.push(item).map(|_| ())),
        };
        if index % 3 == 2 {
            seen.extend(pipeline.drain().map(|emission| format!("{emission:?}")));
        }
        let late = std::mem::take(&mut *told.lock().unwrap());
        let refusal = pipeline.engine().refusal().map(ToString::to_string);
        let state = pipeline.snapshot().unwrap().bytes().to_vec();
        seen.push(format!("{taken:?} {:?} {late:?} {refusal:?} {state:?}", pipeline.stats()));
    }
    pipeline.finish();
    seen.extend(pipeline.drain().map(|emission| format!("{emission:?}")));
    seen
}

fn refusals() -> impl Strategy<Value = Refusals> {
    let overflow = prop_oneof![Just(Overflow::Other), Just(Overflow::Error)];
    (3usize..9, overflow, prop::bool::weighted(0.2), any::<bool>()).prop_map(
        |(groups_max, overflow, strict, filters)| Refusals {
            groups_max,
            overflow,
            strict,
            filters,
        },
    )
}

/// The state is measured once in several thousand records: in a batch, after the same number.
#[test]
fn a_batch_is_measured_as_often_as_its_records() {
    let run = |windows: Windows, whole: bool| {
        let mut limits = Limits::default();
        limits.state_bytes_max = 1_000_000;
        let builder = Pipeline::builder()
            .event_time(|n: &u64| Timestamp::from_millis(*n as i64 % 100))
            .window(windows)
            .limits(limits);
        let mut pipeline =
            builder.aggregate(group_by_value(|n: &u64| *n, count())).build().unwrap();
        let records: Vec<u64> = (0..50_000).collect();
        let refused = match whole {
            true => pipeline.push_batch(&records),
            false => records.iter().try_for_each(|record| pipeline.push(record).map(|_| ())),
        };
        (refused.unwrap_err().to_string(), pipeline.stats())
    };
    let windows: [fn() -> Windows; 2] = [
        || Tumbling::new(seconds(1)).unwrap().into(),
        || Sliding::new(millis(100), millis(20)).unwrap().into(),
    ];
    for windows in windows {
        assert_eq!(run(windows(), true), run(windows(), false));
    }
}

proptest! {
    #![proptest_config(crate::cases(if cfg!(debug_assertions) { 300 } else { 5000 }))]

    #[test]
    fn s33_a_batch_is_its_records_one_by_one(
        rules in rules(),
        refusals in refusals(),
        items in items(),
        cut in prop_oneof![Just(1usize), 2usize..40, Just(400)],
    ) {
        let batches: Vec<&[Item]> = items.chunks(cut).collect();
        prop_assert_eq!(
            run(&rules, refusals, &batches, true),
            run(&rules, refusals, &batches, false)
        );
    }
}
