//! Windows: what a record costs in tumbling and sliding windows, and what a slide costs.
//!
//! Data: 1 M records of 3 fields, in order but for a jitter of 5 s, over 30 minutes. The naive baseline keeps a map from window to
//! answer and adds each record to all of its windows.

use criterion::{Criterion, Throughput};
use std::collections::BTreeMap;
use std::hint::black_box;
use streamgauge::prelude::*;

struct Hit {
    ts: i64,
    bytes: u64,
}

const RECORDS: usize = 1_000_000;
const SPAN_MS: i64 = 30 * 60 * 1000;

fn hits() -> Vec<Hit> {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let hit = |index: usize| {
        let jitter = (random() % 10_001) as i64 - 5000;
        Hit { ts: index as i64 * SPAN_MS / RECORDS as i64 + jitter, bytes: random() % 1000 }
    };
    (0..RECORDS).map(hit).collect()
}

fn naive(hits: &[Hit], size: i64, slide: i64) -> (u64, i128) {
    let mut windows: BTreeMap<i64, (u64, i128)> = BTreeMap::new();
    for hit in hits {
        let mut start = hit.ts.div_euclid(slide) * slide;
        while start + size > hit.ts {
            let answer = windows.entry(start).or_default();
            *answer = (answer.0 + 1, answer.1 + i128::from(hit.bytes));
            start -= slide;
        }
    }
    windows.values().fold((0, 0), |sum, answer| (sum.0 + answer.0, sum.1 + answer.1))
}

fn ours(hits: &[Hit], windows: impl Into<Windows>) -> (u64, i128) {
    let mut pipeline = Pipeline::builder()
        .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
        .out_of_orderness(seconds(10))
        .window(windows)
        .aggregate((count(), sum(|hit: &Hit| hit.bytes)))
        .build()
        .expect("valid");
    pipeline.push_batch(hits).expect("no limit is near");
    pipeline.finish();
    pipeline.drain().map(|emission| emission.expect("no limit is near").value).fold((0, 0), |sum, (n, bytes)| (sum.0 + n, sum.1 + bytes))
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let hits = hits();
    let mut group = criterion.benchmark_group("windows/push");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    for (name, size, slide) in [("tumbling 1 m", 60, 60), ("sliding 5 m every 10 s", 300, 10), ("sliding 5 m every 7 s", 300, 7)] {
        let windows = || Sliding::new(seconds(size), seconds(slide)).expect("valid");
        let expected = naive(&hits, size as i64 * 1000, slide as i64 * 1000);
        assert_eq!(ours(&hits, windows()), expected, "{name}");
        group.bench_function(format!("streamgauge/{name}"), |b| b.iter(|| black_box(ours(&hits, windows()))));
        group.bench_function(format!("naive/{name}"), |b| b.iter(|| black_box(naive(&hits, size as i64 * 1000, slide as i64 * 1000))));
    }
    group.finish();
}
