//! Answers against oracles that keep every record.

use super::{Hit, answer, hits};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use streamgauge::aggregate::*;
use streamgauge::sketch::Estimate;

fn close(ours: f64, theirs: f64, scale: f64) -> bool {
    (ours - theirs).abs() <= 1e-9 * scale.abs().max(f64::MIN_POSITIVE)
}

fn counts<'a, K: Ord>(hits: &'a [Hit], key: impl Fn(&'a Hit) -> K) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    hits.iter().for_each(|hit| *counts.entry(key(hit)).or_default() += 1);
    counts
}

proptest! {
    #![proptest_config(crate::cases(100))]

    #[test]
    fn integers_are_exact(hits in hits()) {
        let n = hits.len() as i128;
        let total: i128 = hits.iter().map(|hit| i128::from(hit.bytes)).sum();
        prop_assert_eq!(answer(&count(), &hits), hits.len() as u64);
        prop_assert_eq!(answer(&sum(|hit: &Hit| hit.bytes), &hits), total);
        prop_assert_eq!(
            answer(&sum(|hit: &Hit| hit.change), &hits),
            hits.iter().map(|hit| i128::from(hit.change)).sum::<i128>()
        );
        let mean = answer(&mean(|hit: &Hit| hit.bytes), &hits);
        prop_assert_eq!(mean.is_some(), n > 0);
        if let Some(mean) = mean {
            // The exact mean is nearer to the answer than to its neighbours: |2 n mean - 2 total|
            // <= n ulp.
            let (below, above) = (mean.next_down() as i128, mean.next_up() as i128);
            prop_assert!(below * n <= total && total <= (above + 1) * n, "{} {}", mean, total);
        }
        prop_assert_eq!(
            answer(&min(|hit: &Hit| hit.change), &hits),
            hits.iter().map(|hit| hit.change).min()
        );
        prop_assert_eq!(
            answer(&max(|hit: &Hit| hit.change), &hits),
            hits.iter().map(|hit| hit.change).max()
        );
    }

    #[test]
    fn floats_agree_with_the_textbook(hits in hits()) {
        let loads: Vec<f64> = hits.iter().map(|hit| f64::from(hit.load)).collect();
        let n = loads.len() as f64;
        // Loads are below 1000 with 24 bits each, so a plain sum of a hundred of them is exact in
        // 53 bits, but for tiny ones.
        let total: f64 = loads.iter().sum();
        prop_assert!(close(answer(&sum(|hit: &Hit| hit.load), &hits), total, 1e5));
        prop_assert_eq!(
            answer(&min(|hit: &Hit| hit.load), &hits),
            hits.iter().map(|hit| hit.load).min_by(f32::total_cmp)
        );
        if let Some(variance) = answer(&variance(|hit: &Hit| hit.load), &hits) {
            let mean = total / n;
            let squares: f64 = loads.iter().map(|x| (x - mean) * (x - mean)).sum();
            prop_assert!(close(variance, squares / (n - 1.0), 1e6));
            let stddev = answer(&stddev(|hit: &Hit| hit.load), &hits).unwrap();
            prop_assert!(close(stddev, variance.sqrt(), 1e3));
            prop_assert!(close(answer(&mean_of_loads(), &hits).unwrap(), mean, 1e3));
        } else {
            prop_assert!(hits.len() < 2);
        }
    }

    #[test]
    fn first_and_last_are_by_event_time_and_order(hits in hits()) {
        let numbered: Vec<(i64, usize)> =
            hits.iter().enumerate().map(|(index, hit)| (hit.time, index)).collect();
        let url = |at: Option<&(i64, usize)>| at.map(|&(_, index)| hits[index].url.clone());
        prop_assert_eq!(
            answer(&first(|hit: &Hit| hit.url.clone()), &hits),
            url(numbered.iter().min())
        );
        prop_assert_eq!(
            answer(&last(|hit: &Hit| hit.url.clone()), &hits),
            url(numbered.iter().max())
        );
    }

    #[test]
    fn s31_sketches_that_fit_are_exact(hits in hits()) {
        let urls = counts(&hits, |hit| hit.url.as_str());
        prop_assert_eq!(
            answer(&distinct(|hit: &Hit| hit.url.as_str()), &hits),
            Estimate::exact(urls.len() as u64)
        );
        let mut ranked: Vec<(&str, u64)> = urls.iter().map(|(url, count)| (*url, *count)).collect();
        ranked.sort_by_key(|&(url, count)| (std::cmp::Reverse(count), url));
        let top = answer(&top_k(5, |hit: &Hit| hit.url.as_str()), &hits);
        let rows: Vec<(&str, u64, u64, u64)> =
            top.iter().map(|row| (&*row.key, row.count, row.lower, row.upper)).collect();
        prop_assert_eq!(
            rows,
            ranked.iter().take(5).map(|&(url, n)| (url, n, n, n)).collect::<Vec<_>>()
        );
        prop_assert!(top.iter().all(|row| row.is_exact() && row.guaranteed));
        let sketch = answer(&frequencies(|hit: &Hit| hit.url.as_str()), &hits);
        prop_assert!(sketch.is_exact());
        for (url, count) in &urls {
            let frequency = frequency(|hit: &Hit| hit.url.as_str(), *url);
            prop_assert_eq!(answer(&frequency, &hits), Estimate::exact(*count));
            prop_assert_eq!(sketch.estimate(*url), Estimate::exact(*count));
            let estimate = answer(&frequency.exact_within(0), &hits);
            prop_assert!(
                estimate.lower <= *count && *count <= estimate.upper,
                "{:?} of {}",
                estimate,
                count
            );
        }
    }

    #[test]
    fn quantiles_are_nearest_ranks(hits in hits(), q in 0.0f64..=1.0) {
        let rank = ((q * hits.len() as f64).ceil() as usize).clamp(1, hits.len().max(1));
        let exact = |value: fn(&Hit) -> f64| {
            let mut values: Vec<f64> = hits.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(rank - 1).copied()
        };
        let load = answer(&quantile(q, |hit: &Hit| hit.load), &hits);
        prop_assert_eq!(load.is_some(), !hits.is_empty());
        if let (Some(ours), Some(exact)) = (load, exact(|hit| f64::from(hit.load))) {
            prop_assert!(ours.lower <= exact && exact <= ours.upper, "{:?} of {}", ours, exact);
            prop_assert!(
                (ours.value - exact).abs() <= 0.005 * exact.abs(),
                "{:?} of {}",
                ours,
                exact
            );
        }
        // Numbers from 1e-308 to 1e308 need more buckets than a histogram has. The bounds report
        // that, and hold.
        if let (Some(ours), Some(exact)) =
            (answer(&quantile(q, |hit: &Hit| hit.latency), &hits), exact(|hit| hit.latency))
        {
            prop_assert!(ours.lower <= exact && exact <= ours.upper, "{:?} of {}", ours, exact);
        }
    }

    #[test]
    fn groups_are_a_sorted_map(hits in hits(), limit in 1usize..20) {
        let mut groups: BTreeMap<&str, (u64, i128)> = BTreeMap::new();
        for hit in &hits {
            let group = groups.entry(&hit.url).or_default();
            *group = (group.0 + 1, group.1 + i128::from(hit.bytes));
        }
        let by_url = group_by(|hit: &Hit| hit.url.as_str(), (count(), sum(|hit: &Hit| hit.bytes)))
            .groups_max(limit);
        let answer = answer(&by_url, &hits);
        let rows: Vec<(&str, (u64, i128))> =
            answer.iter().map(|(url, totals)| (&**url, *totals)).collect();
        prop_assert_eq!(
            rows,
            groups.iter().take(limit).map(|(url, totals)| (*url, *totals)).collect::<Vec<_>>()
        );
        let rest = groups
            .values()
            .skip(limit)
            .fold((0, 0), |sum, totals| (sum.0 + totals.0, sum.1 + totals.1));
        match answer.other {
            Some(other) => {
                prop_assert_eq!(other.records, rest.0);
                prop_assert_eq!(other.value, rest);
            }
            None => prop_assert_eq!(rest.0, 0),
        }
    }
}

fn mean_of_loads() -> impl Aggregate<Hit, Output = Option<f64>> {
    mean(|hit: &Hit| hit.load)
}

#[test]
fn a_large_distinct_count_lies_within_its_bounds() {
    // Three standard errors, computed from the precision. 1 in 370 seeds would fail by chance;
    // these do not.
    for (seed, n) in [(1u64, 5_000u64), (2, 100_000), (3, 400_000)] {
        let users = distinct_value(|id: &u64| *id).seeded(streamgauge::Seed::new(seed));
        let mut accumulator = Aggregate::<u64>::init(&users);
        let ids: BTreeSet<u64> = (0..n).map(|id| id * 2 + seed).collect();
        for id in &ids {
            users.add(&mut accumulator, id, streamgauge::Timestamp::from_millis(0));
        }
        let estimate = Aggregate::<u64>::output(&users, &accumulator);
        assert!(estimate.lower <= estimate.value && estimate.value <= estimate.upper);
        let error = 3.0 * 1.04 / 2f64.powi(i32::from(DISTINCT_PRECISION)).sqrt();
        assert!(
            (estimate.value as f64 - n as f64).abs() <= error * n as f64,
            "{estimate:?} of {n}"
        );
        assert!(
            Aggregate::<u64>::state_bytes(&users, &accumulator) < 20_000,
            "the sketch has taken over"
        );
    }
}
