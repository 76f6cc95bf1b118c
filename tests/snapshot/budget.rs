//! A state that must fit into a number of bytes.

use crate::simulation::Random;
use std::collections::HashMap;
use streamgauge::prelude::*;
use streamgauge::snapshot::{base64_len, bytes_in_base64};

/// Zipf by inversion of the continuous law: rank 1 to `ranks`, exponent above 1.
pub(crate) struct Zipf {
    exponent: f64,
    tail: f64,
}

impl Zipf {
    pub(crate) fn new(exponent: f64, ranks: u64) -> Self {
        Zipf { exponent, tail: 1.0 - (ranks as f64).powf(1.0 - exponent) }
    }

    pub(crate) fn rank(&self, random: &mut Random) -> u64 {
        let uniform = (random.next() >> 11) as f64 / (1u64 << 53) as f64;
        (1.0 - uniform * self.tail).powf(1.0 / (1.0 - self.exponent)) as u64
    }
}

struct Hit {
    time: i64,
    url: String,
    group: u16,
}

fn hits(count: usize, urls: u64) -> impl Iterator<Item = Hit> {
    let (mut random, zipf) = (Random::new(11), Zipf::new(1.1, urls));
    (0..count).map(move |index| {
        let rank = zipf.rank(&mut random);
        // URL-like, 20 to 40 bytes, in no order.
        let id = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 36;
        Hit {
            time: (index as i64 * 300_000) / count as i64,
            url: format!(
                "/shop/{}/product/{id:09}",
                ["books", "music", "garden", "kitchen"][(id % 4) as usize]
            ),
            group: (random.next() % 200) as u16,
        }
    })
}

/// The top 10 of over 1 M distinct URLs and counts for 200 groups, in 5 min every 10 s. The limit
/// of Lambda's window state is 1 MB.
#[test]
fn a_top_ten_of_a_million_urls_fits_lambdas_state_and_is_correct() {
    let full = std::env::var_os("STREAMGAUGE_FULL").is_some();
    let count = if full || !cfg!(debug_assertions) { 7_000_000 } else { 200_000 };
    let pipeline = || {
        Pipeline::builder()
            .event_time(|hit: &Hit| Timestamp::from_millis(hit.time))
            .window(Sliding::new(minutes(5), seconds(10)).unwrap())
            .aggregate((
                top_k(10, |hit: &Hit| hit.url.as_str()),
                group_by(|hit: &Hit| &hit.group, streamgauge::aggregate::count()),
            ))
            .build()
            .unwrap()
    };
    let mut whole = pipeline();
    let (mut exact, mut groups) = (HashMap::<String, u64>::new(), HashMap::<u16, u64>::new());
    for hit in hits(count, 40_000_000) {
        whole.push(&hit).unwrap();
        *groups.entry(hit.group).or_default() += 1;
        *exact.entry(hit.url).or_default() += 1;
    }
    if count == 7_000_000 {
        assert!(exact.len() > 1_000_000, "{} distinct", exact.len());
    }
    let budget = bytes_in_base64(1_000_000);
    let (snapshot, reductions) = whole.snapshot_within(budget).unwrap();
    assert!(base64_len(snapshot.bytes().len()) <= 1_000_000);
    assert!(
        snapshot.bytes().len() * 10 > budget * 8,
        "most of the budget is used: {}",
        snapshot.bytes().len()
    );
    assert!(reductions.tolerance > 0.0 && reductions.reduced.len() == 1, "{reductions:?}");

    let mut restored = pipeline();
    restored.restore(&snapshot).unwrap();
    restored.finish();
    // The last windows hold fewer and fewer panes: the one that holds all is from 0 to 5 min.
    let wanted = Window::new(Timestamp::from_millis(0), Timestamp::from_millis(300_000));
    let emission = restored
        .drain()
        .map(Result::unwrap)
        .find(|emission| emission.window == Some(wanted))
        .unwrap();
    let (top, counts) = emission.value;
    let mut ranked: Vec<(&String, &u64)> = exact.iter().collect();
    ranked.sort_unstable_by_key(|(url, count)| (std::cmp::Reverse(**count), url.as_str()));
    let expected: Vec<&str> = ranked.iter().take(10).map(|(url, _)| url.as_str()).collect();
    assert_eq!(
        top.iter().map(|row| &*row.key).collect::<Vec<_>>(),
        expected,
        "recall@10 is 1, in order"
    );
    for row in &top {
        let true_count = exact[&*row.key];
        assert!(
            row.lower <= true_count && true_count <= row.upper,
            "{row:?} and truly {true_count}"
        );
        let allowed = count as f64 * reductions.tolerance * 1.01 + 31.0;
        assert!((row.upper - row.lower) as f64 <= allowed, "{row:?} is wider than {allowed}");
    }
    assert_eq!(counts.rows.len(), 200);
    assert!(
        counts.iter().all(|(group, count)| groups[group] == *count),
        "what is no sketch stays exact"
    );
}

#[test]
fn a_state_that_cannot_fit_is_refused_and_nothing_changes() {
    let mut pipeline =
        Pipeline::builder().aggregate(group_by(|key: &u64| key, count())).build().unwrap();
    pipeline.push_batch(&(0..1000).collect::<Vec<u64>>()).unwrap();
    let before = pipeline.snapshot().unwrap();
    assert_eq!(pipeline.snapshot_within(1000).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!(pipeline.snapshot().unwrap().bytes(), before.bytes());
    let (same, reductions) = pipeline.snapshot_within(before.bytes().len()).unwrap();
    assert_eq!(same.bytes(), before.bytes());
    assert!(reductions.is_empty());
}

/// Every kind of sketch, reduced step by step: each is smaller, its bounds hold, and it can still
/// be merged with sketches that were not reduced.
#[test]
fn s52_every_sketch_keeps_its_bounds_at_every_size() {
    let aggregate = || {
        (
            top_k(5, |n: &u64| n),
            distinct(|n: &u64| n),
            frequency(|n: &u64| n, &1),
            quantile(0.9, |n: &u64| *n),
            group_by_value(|n: &u64| n % 3, distinct(|n: &u64| n).exact_up_to(100_000)),
        )
    };
    let build = || Pipeline::builder().aggregate(aggregate()).build().unwrap();
    let (mut random, zipf) = (Random::new(5), Zipf::new(1.2, 100_000));
    let numbers: Vec<u64> = (0..40_000).map(|_| zipf.rank(&mut random)).collect();
    let (before, after) = numbers.split_at(30_000);
    let mut whole = build();
    whole.push_batch(before).unwrap();
    let all = whole.snapshot().unwrap().bytes().len();
    let smallest = whole.snapshot_within(0).unwrap_err().to_string();
    let smallest: usize = smallest.split_whitespace().nth(3).unwrap().parse().unwrap();
    let mut last = f64::INFINITY;
    for step in 0..=6 {
        let budget = smallest + (all - smallest) * step / 6;
        let (snapshot, reductions) = whole.snapshot_within(budget).unwrap();
        assert!(reductions.tolerance <= last, "more bytes, less error");
        last = reductions.tolerance;
        let mut restored = build();
        restored.restore(&snapshot).unwrap();
        restored.push_batch(after).unwrap();
        restored.finish();
        let (top, distinct, one, p90, groups) = restored.next_emission().unwrap().unwrap().value;
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let times = |key: u64| numbers.iter().filter(|n| **n == key).count() as u64;
        assert!(top.iter().all(|row| row.lower <= times(row.key) && times(row.key) <= row.upper));
        assert_eq!(top.len(), 5);
        assert!(one.lower <= times(1) && times(1) <= one.upper);
        let rank = sorted[(sorted.len() * 9).div_ceil(10) - 1] as f64;
        let p90 = p90.unwrap();
        assert!(p90.lower <= rank && rank <= p90.upper, "{p90:?} and truly {rank}");
        sorted.dedup();
        // The interval of a distinct count holds for one answer. For the 28 here it is twice as
        // wide (S370).
        let holds = |estimate: &streamgauge::sketch::Estimate<u64>, truth: u64| {
            let reach = estimate.value - estimate.lower.min(2 * estimate.value - estimate.upper);
            truth.abs_diff(estimate.value) <= 2 * reach
        };
        assert!(holds(&distinct, sorted.len() as u64), "{distinct:?} and truly {}", sorted.len());
        for (key, estimate) in &groups {
            let truth = sorted.iter().filter(|n| **n % 3 == *key).count() as u64;
            assert!(holds(estimate, truth), "{estimate:?} and truly {truth}");
        }
    }
    assert_eq!(last, 0.0, "with all the bytes nothing is lost");
}
