//! Snapshots: what it costs to write 10,000 rows of a top-k down and to read them, beside JSON.
//!
//! Data: 10,000 URL-like keys of 20 to 40 bytes with counts by Zipf's law. Each size is checked
//! against what was promised.

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use streamgauge::prelude::*;
use streamgauge::snapshot::base64_len;

const ROWS: u64 = 10_000;

fn key(rank: u64) -> String {
    let id = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    format!("/shop/{}/product/{id:07}", ["books", "music", "garden", "kitchen"][(id % 4) as usize])
}

fn count(rank: u64) -> u64 {
    (100_000.0 / (rank as f64).powf(1.1)) as u64 + 1
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let pipeline = || {
        Pipeline::builder()
            .aggregate(top_k(10, |key: &String| key.as_str()))
            .build()
            .expect("a pipeline")
    };
    let mut whole = pipeline();
    for rank in 1..=ROWS {
        let key = key(rank);
        (0..count(rank)).for_each(|_| {
            black_box(whole.push(&key).expect("no limit is reached"));
        });
    }
    let snapshot = whole.snapshot().expect("a top-k can be written down");
    let characters = base64_len(snapshot.bytes().len()) as f64 / ROWS as f64;
    assert!(characters <= 12.0, "{characters} characters of base64 a row");

    let mut group = criterion.benchmark_group("snapshot/encode");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("streamgauge/10k-rows", |bencher| {
        bencher.iter(|| whole.snapshot().expect("as above").into_bytes().len())
    });
    group.bench_function("json/10k-rows", |bencher| {
        let rows: Vec<(String, u64, u64)> =
            (1..=ROWS).map(|rank| (key(rank), count(rank), 0)).collect();
        bencher.iter(|| {
            let mut sorted: Vec<&(String, u64, u64)> = rows.iter().collect();
            sorted.sort_unstable();
            serde_json::to_vec(&sorted).expect("rows are JSON").len()
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("snapshot/decode");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("streamgauge/10k-rows", |bencher| {
        let mut restored = pipeline();
        bencher.iter(|| restored.restore(&snapshot).expect("it was just written"));
        assert_eq!(restored.snapshot().expect("as above").bytes(), snapshot.bytes());
    });
    group.bench_function("json/10k-rows", |bencher| {
        let rows: Vec<(String, u64, u64)> =
            (1..=ROWS).map(|rank| (key(rank), count(rank), 0)).collect();
        let json = serde_json::to_vec(&rows).expect("rows are JSON");
        bencher.iter(|| {
            let rows: Vec<(String, u64, u64)> =
                serde_json::from_slice(&json).expect("it was just written");
            rows.into_iter()
                .map(|(key, count, error)| (key, (count, error)))
                .collect::<std::collections::HashMap<_, _>>()
                .len()
        });
    });
    group.finish();
}
