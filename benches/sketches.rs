//! Sketches: what an update costs, beside an exact map and a sorted list.
//!
//! Data: 1 M text keys of 20 bytes or so by Zipf's law over 200,000, and as many latencies. Every
//! group checks its answer against the exact one. `benches/peers` measures other crates on more
//! streams.

use criterion::{Criterion, Throughput};
use std::collections::HashMap;
use std::hint::black_box;
use streamgauge::sketch::{CountMin, LogHistogram, SpaceSaving, nearest_rank};

const RECORDS: usize = 1_000_000;
const DISTINCT: f64 = 200_000.0;

fn uniform(count: usize) -> impl Iterator<Item = f64> {
    let mut state = 1u64;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    })
    .take(count)
}

/// Key number k has a density of 1/k: `exp(u * ln(n))`.
fn keys() -> Vec<String> {
    uniform(RECORDS)
        .map(|u| format!("/page/{:08x}/view", (u * DISTINCT.ln()).exp() as u32))
        .collect()
}

fn exact(keys: &[String]) -> HashMap<&str, u64> {
    let mut counts = HashMap::new();
    keys.iter().for_each(|key| *counts.entry(key.as_str()).or_insert(0) += 1);
    counts
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let keys = keys();
    let counts = exact(&keys);
    top_k(criterion, &keys, &counts);
    count_min(criterion, &keys, &counts);
    quantile(criterion);
}

fn top_k(criterion: &mut Criterion, keys: &[String], counts: &HashMap<&str, u64>) {
    let mut ranked: Vec<(&str, u64)> = counts.iter().map(|(key, count)| (*key, *count)).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let run = |capacity: usize| {
        let mut sketch = SpaceSaving::<str>::with_capacity(capacity).expect("a shape in range");
        sketch.add_batch(keys.iter().map(String::as_str));
        sketch
    };
    for (capacity, name) in [(1 << 18, "exact"), (1000, "sketch")] {
        for (row, (key, count)) in run(capacity).top(10).iter().zip(&ranked) {
            assert_eq!(&*row.key, *key, "{name}");
            assert!(row.lower <= *count && *count <= row.upper, "{name}: {row:?} for {count}");
        }
    }
    let mut group = criterion.benchmark_group("sketches/top_k");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    group.bench_function("naive_map/zipf", |b| b.iter(|| exact(black_box(keys)).len()));
    group.bench_function("space_saving_1000/zipf", |b| b.iter(|| run(1000).len()));
    group.bench_function("space_saving_exact/zipf", |b| b.iter(|| run(1 << 18).len()));
    group.finish();
}

fn count_min(criterion: &mut Criterion, keys: &[String], counts: &HashMap<&str, u64>) {
    let run = |width: usize, depth: usize| {
        let mut sketch = CountMin::with_shape(width, depth).expect("a shape in range");
        sketch.add_batch(keys.iter().map(String::as_str));
        sketch
    };
    let sketch = run(4096, 5);
    let beyond =
        counts.iter().filter(|(key, count)| sketch.estimate(**key).lower > **count).count();
    assert!(counts.iter().all(|(key, count)| sketch.estimate(*key).upper >= *count));
    assert!((beyond as f64) < (1.0 - sketch.confidence()) * counts.len() as f64, "{beyond}");
    let mut group = criterion.benchmark_group("sketches/count_min");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    group.bench_function("naive_map/zipf", |b| b.iter(|| exact(black_box(keys)).len()));
    group.bench_function("4096x5/zipf", |b| b.iter(|| run(4096, 5).total()));
    group.bench_function("1048576x4/zipf", |b| b.iter(|| run(1 << 20, 4).total()));
    group.finish();
}

fn quantile(criterion: &mut Criterion) {
    let latencies: Vec<f64> =
        uniform(RECORDS).map(|u| (-u.max(1e-9).ln() * 120.0).ceil()).collect();
    let sorted = || {
        let mut sorted = latencies.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[nearest_rank(0.99, sorted.len() as u64).expect("numbers there are") as usize - 1]
    };
    let sketched = || {
        let mut histogram = LogHistogram::with_accuracy(0.005).expect("a shape in range");
        latencies.iter().for_each(|latency| histogram.add(*latency, 1).expect("a finite number"));
        histogram.quantile(0.99).expect("numbers there are")
    };
    let (truth, estimate) = (sorted(), sketched());
    assert!(
        estimate.lower <= truth
            && truth <= estimate.upper
            && (estimate.value - truth).abs() <= 0.005 * truth,
        "{estimate:?} {truth}"
    );
    let mut group = criterion.benchmark_group("sketches/quantile");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    group.bench_function("naive_sort/latency", |b| b.iter(sorted));
    group.bench_function("log_histogram/latency", |b| b.iter(sketched));
    group.finish();
}
