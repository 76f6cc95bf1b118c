//! Aggregates: what a record costs in each, and what a merge costs.
//!
//! Data: 1 M records with seeded random keys and numbers. `streamgauge` is the aggregate alone,
//! `pipeline` the whole engine around it; `naive` is what one would write by hand with the standard
//! library for the same answer, or for a worse one where that is said.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::hint::black_box;
use streamgauge::prelude::*;
use streamgauge::sketch::SpaceSaving;

const RECORDS: usize = 1_000_000;
/// Records of one batch of a pipeline.
const BATCH: usize = 1000;
const COUNTRIES: u64 = 200;
const USERS: u64 = 100_000;

struct Hit {
    country: u32,
    url: String,
    user: u64,
    bytes: u64,
    latency: f64,
}

fn hits() -> Vec<Hit> {
    let mut state = 1u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    // The product of two uniform numbers is skewed enough for keys.
    let hit = |_| Hit {
        country: (random() % COUNTRIES) as u32,
        url: format!("/articles/{:04}/index.html", random() % 100 * (random() % 100)),
        user: random() % USERS,
        bytes: random() % 100_000,
        latency: (random() % 1_000_000) as f64 * 0.001,
    };
    (0..RECORDS).map(hit).collect()
}

fn ours<A: Aggregate<Hit>>(aggregate: &A, hits: &[Hit]) -> A::Output {
    let mut accumulator = aggregate.init();
    for hit in hits {
        if aggregate.check(Some(&accumulator), hit).is_ok() {
            aggregate.add(&mut accumulator, hit, Timestamp::from_millis(0));
        }
    }
    aggregate.output(&accumulator)
}

fn through_pipeline<A: Aggregate<Hit>>(aggregate: A, hits: &[Hit]) -> A::Output {
    let mut pipeline = Pipeline::builder()
        .event_time(|_: &Hit| Timestamp::from_millis(0))
        .aggregate(aggregate)
        .build()
        .expect("a valid pipeline");
    for batch in hits.chunks(BATCH) {
        pipeline.push_batch(batch).expect("no limit is near");
    }
    pipeline.finish();
    pipeline.drain().next().expect("there are records").expect("no limit is near").value
}

/// Runs both on the same hits, after checking that they agree.
fn beside<A: Aggregate<Hit>, V: PartialEq + Debug>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (name, hits): (&str, &[Hit]),
    (aggregate, answer): (A, impl Fn(A::Output) -> V),
    naive: impl Fn(&[Hit]) -> V,
) {
    assert_eq!(answer(ours(&aggregate, hits)), naive(hits), "{name}");
    group.bench_function(format!("streamgauge/{name}"), |b| {
        b.iter(|| black_box(ours(&aggregate, hits)))
    });
    group.bench_function(format!("naive/{name}"), |b| b.iter(|| black_box(naive(hits))));
}

fn grouped(hits: &[Hit]) -> Vec<(u32, (u64, i128))> {
    let mut groups: HashMap<u32, (u64, i128)> = HashMap::new();
    for hit in hits {
        let group = groups.entry(hit.country).or_default();
        *group = (group.0 + 1, group.1 + i128::from(hit.bytes));
    }
    groups.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()
}

fn top(hits: &[Hit]) -> Vec<(String, u64)> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    hits.iter().for_each(|hit| *counts.entry(&hit.url).or_default() += 1);
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    rows.into_iter().take(10).map(|(url, count)| (url.to_string(), count)).collect()
}

fn variance_in_two_passes(hits: &[Hit]) -> f64 {
    let mean = hits.iter().map(|hit| hit.latency).sum::<f64>() / hits.len() as f64;
    hits.iter().map(|hit| (hit.latency - mean) * (hit.latency - mean)).sum::<f64>()
        / (hits.len() - 1) as f64
}

fn numbers(group: &mut BenchmarkGroup<'_, WallTime>, hits: &[Hit]) {
    let rounded = |x: f64| (x * 1e3).round();
    let bytes = (count(), sum(|hit: &Hit| hit.bytes));
    beside(group, ("count and sum of u64", hits), (bytes, |both| both), |hits| {
        (hits.len() as u64, hits.iter().map(|hit| i128::from(hit.bytes)).sum())
    });
    // By hand the sum depends on the order of the records: it is compared to three decimals.
    let latency = sum(|hit: &Hit| hit.latency);
    beside(group, ("sum of f64", hits), (latency, rounded), |hits| {
        rounded(hits.iter().map(|hit| hit.latency).sum())
    });
    let spread = variance(|hit: &Hit| hit.latency);
    beside(
        group,
        ("variance of f64", hits),
        (spread, |v| rounded(v.expect("many records"))),
        |hits| rounded(variance_in_two_passes(hits)),
    );
    // By hand exactly, by keeping and sorting all numbers; ours within its stated error.
    let median = quantiles([0.5], |hit: &Hit| hit.latency);
    let within = |x: f64| (x / 500.0 * 50.0).round();
    beside(
        group,
        ("median of f64", hits),
        (median, |[m]| within(m.expect("many records").value)),
        |hits| {
            let mut latencies: Vec<f64> = hits.iter().map(|hit| hit.latency).collect();
            let rank = latencies.len() / 2 - 1;
            within(*latencies.select_nth_unstable_by(rank, f64::total_cmp).1)
        },
    );
}

fn keys(group: &mut BenchmarkGroup<'_, WallTime>, hits: &[Hit]) {
    let by_country = || group_by(|hit: &Hit| &hit.country, (count(), sum(|hit: &Hit| hit.bytes)));
    let name = "count and sum by u32";
    beside(group, (name, hits), (by_country(), |groups| groups.rows), grouped);
    assert_eq!(through_pipeline(by_country(), hits).rows, grouped(hits), "{name}");
    group.bench_function(format!("pipeline/{name}"), |b| {
        b.iter(|| black_box(through_pipeline(by_country(), hits)))
    });

    let urls = top_k(10, |hit: &Hit| hit.url.as_str());
    beside(
        group,
        ("top 10 by str", hits),
        (urls, |rows: Vec<_>| {
            rows.into_iter().map(|row| (String::from(row.key), row.count)).collect::<Vec<_>>()
        }),
        top,
    );
    // In 1000 counters, beside the bare sketch: what the aggregate and the pipeline add to it.
    let urls = || top_k(10, |hit: &Hit| hit.url.as_str()).counters(1000);
    let bare = |hits: &[Hit]| {
        let mut sketch = SpaceSaving::<str>::with_capacity(1000).expect("in range");
        hits.iter().for_each(|hit| sketch.add(hit.url.as_str(), 1));
        sketch.top(10)
    };
    beside(group, ("top 10 by str, 1000 counters", hits), (urls(), |rows| rows), bare);
    assert_eq!(through_pipeline(urls(), hits), bare(hits));
    group.bench_function("pipeline/top 10 by str, 1000 counters", |b| {
        b.iter(|| black_box(through_pipeline(urls(), hits)))
    });

    // By hand exactly; ours within its stated error.
    let users = distinct(|hit: &Hit| &hit.user);
    let within = |n: u64| (n as f64 / USERS as f64 * 10.0).round();
    beside(group, ("distinct u64", hits), (users, |n| within(n.value)), |hits| {
        within(hits.iter().map(|hit| hit.user).collect::<HashSet<_>>().len() as u64)
    });
    let by_url = frequencies(|hit: &Hit| hit.url.as_str());
    beside(group, ("frequencies by str", hits), (by_url, |sketch| sketch.total()), |hits| {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        hits.iter().for_each(|hit| *counts.entry(&hit.url).or_default() += 1);
        counts.values().sum()
    });
}

fn merges(group: &mut BenchmarkGroup<'_, WallTime>, hits: &[Hit]) {
    let by_country = group_by(|hit: &Hit| &hit.country, (count(), sum(|hit: &Hit| hit.bytes)));
    let shards: Vec<_> = hits.chunks(RECORDS / 100).collect();
    let fold = |hits: &[Hit]| {
        let mut accumulator = by_country.init();
        hits.iter()
            .for_each(|hit| by_country.add(&mut accumulator, hit, Timestamp::from_millis(0)));
        accumulator
    };
    let ours: Vec<_> = shards.iter().map(|shard| fold(shard)).collect();
    let by_hand: Vec<_> =
        shards.iter().map(|shard| grouped(shard).into_iter().collect::<HashMap<_, _>>()).collect();
    let merge_ours = || {
        let mut all = by_country.init();
        ours.iter().for_each(|shard| by_country.merge(&mut all, shard).expect("no limit is near"));
        by_country.output(&all).rows
    };
    let merge_by_hand = || {
        let mut all: HashMap<u32, (u64, i128)> = HashMap::new();
        for (country, totals) in by_hand.iter().flatten() {
            let group = all.entry(*country).or_default();
            *group = (group.0 + totals.0, group.1 + totals.1);
        }
        all.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(merge_ours(), merge_by_hand());
    group.throughput(Throughput::Elements(100 * COUNTRIES));
    group.bench_function("streamgauge/100 shards of 200 groups", |b| {
        b.iter(|| black_box(merge_ours()))
    });
    group.bench_function("naive/100 shards of 200 groups", |b| {
        b.iter(|| black_box(merge_by_hand()))
    });
}

/// A slide of a window of 60 panes and its answer: by subtraction of a pane, and naively by merging
/// all panes again.
fn distinct_slides(group: &mut BenchmarkGroup<'_, WallTime>) {
    const PANES: usize = 60;
    for keys in [1_000u64, 10_000, 100_000] {
        let users = distinct_value(|user: &u64| *user);
        let pane = |number: u64| {
            let mut pane = Aggregate::<u64>::init(&users);
            (number * keys / 2..).take(keys as usize).for_each(|user| {
                users.add(&mut pane, &user, Timestamp::from_millis(0));
            });
            pane
        };
        let panes: Vec<_> = (0..2 * PANES as u64).map(pane).collect();
        let pane = |number: usize| &panes[number % panes.len()];
        let inverse = Aggregate::<u64>::inverse(&users).expect("distinct counts are invertible");
        let merge = |into: &mut _, from: &_| {
            Aggregate::<u64>::merge(&users, into, from).expect("no limit is near");
        };
        let merged = |first: usize| {
            let mut merged = pane(first).clone();
            (first + 1..first + PANES).for_each(|number| merge(&mut merged, pane(number)));
            Aggregate::<u64>::output(&users, &merged)
        };
        let mut sliding = panes[0].clone();
        inverse.prepare(&mut sliding);
        (1..PANES).for_each(|number| merge(&mut sliding, pane(number)));
        let mut first = 0;
        let mut slide = || {
            assert!(inverse.subtract(&mut sliding, pane(first)), "it was merged");
            merge(&mut sliding, pane(first + PANES));
            first += 1;
            Aggregate::<u64>::output(&users, &sliding)
        };
        assert_eq!(slide(), merged(1));
        let name = |who: &str| format!("{who}/distinct, 60 panes of {keys}");
        group.bench_function(name("streamgauge"), |b| b.iter(|| black_box(slide())));
        group.bench_function(name("naive"), |b| b.iter(|| black_box(merged(0))));
    }
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let hits = hits();
    let mut group = criterion.benchmark_group("aggregates/add");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    numbers(&mut group, &hits);
    keys(&mut group, &hits);
    group.finish();
    let mut group = criterion.benchmark_group("aggregates/merge");
    merges(&mut group, &hits);
    group.finish();
    let mut group = criterion.benchmark_group("aggregates/slide");
    distinct_slides(&mut group);
    group.finish();
}
