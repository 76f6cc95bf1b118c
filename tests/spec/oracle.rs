//! Random records in declared pipelines, compared with a computation that stores all records.

use super::{drain, pipeline, push_json};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use streamgauge::Control;

#[derive(Clone, Debug)]
struct Hit {
    ts: i64,
    group: u8,
    number: Option<i64>,
    url: u8,
}

fn hit() -> impl Strategy<Value = Hit> {
    (-50i64..200, 0u8..3, prop::option::of(-100i64..100), 0u8..5)
        .prop_map(|(ts, group, number, url)| Hit { ts, group, number, url })
}

fn line(hit: &Hit) -> String {
    json!({"ts": hit.ts, "g": format!("g{}", hit.group), "x": hit.number, "url": format!("/{}", hit.url)}).to_string()
}

/// The top, by count descending, then key ascending.
fn top(hits: &[&Hit], k: usize) -> Value {
    let mut counts = BTreeMap::<String, u64>::new();
    hits.iter().for_each(|hit| *counts.entry(format!("/{}", hit.url)).or_default() += 1);
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let row = |(key, count): &(String, u64)| json!({"key": key, "count": count, "lower": count, "upper": count, "guaranteed": true});
    rows.iter().take(k).map(row).collect()
}

/// Counts numbers in buckets whose bounds are 1, 1.5, 2, 3, 4, 6 and so on, found by steps.
fn buckets(numbers: &[i64]) -> Value {
    let mut counts = BTreeMap::<i64, (String, u64)>::new();
    for number in numbers {
        let (mut low, mut high) = (2, 3);
        while high <= number.abs() {
            (low, high) = (high, low * 2);
        }
        let (place, name) = match *number {
            0 => (0, "0".to_owned()),
            1 => (1, "1 to 1.5".to_owned()),
            -1 => (-1, "-1.5 to -1".to_owned()),
            number if number > 0 => (low, format!("{low} to {high}")),
            _ => (-low, format!("-{high} to -{low}")),
        };
        counts.entry(place).or_insert((name, 0)).1 += 1;
    }
    let row = |(key, count): &(String, u64)| json!({"key": key, "count": count, "lower": count, "upper": count, "guaranteed": true});
    counts.values().map(row).collect()
}

fn expected(hits: &[&Hit]) -> Value {
    let mut numbers: Vec<i64> = hits.iter().filter_map(|hit| hit.number).collect();
    numbers.sort_unstable();
    let sum: i64 = numbers.iter().sum();
    let some = |value: Value| if numbers.is_empty() { Value::Null } else { value };
    json!({
        "count": hits.len(),
        "present": numbers.len(),
        "sum": some(json!(sum)),
        "mean": some(json!(sum as f64 / numbers.len() as f64)),
        "min": numbers.first(),
        "max": numbers.last(),
        "median": numbers.get(numbers.len().div_ceil(2).saturating_sub(1)).map(|median| *median as f64),
        "middle": numbers.get(numbers.len() / 2).map(|high| {
            let low = numbers[(numbers.len() - 1) / 2];
            (low + high) as f64 / 2.0
        }),
        "top": top(hits, 2),
        "buckets": buckets(&numbers),
    })
}

proptest! {
    #![proptest_config(crate::cases(128))]

    #[test]
    fn s114_answers_equal_those_of_an_oracle_that_keeps_every_record(
        hits in prop::collection::vec(hit(), 0..60),
        size in 1i64..40,
        slide in 1i64..40,
        offset in 0i64..40,
    ) {
        let toml = format!(
            "time = 'ts'\ntime_format = 's'\nwindow = '{size}s'\nevery = '{slide}s'\n\
                 offset = '{offset}s'\ngroup = 'g'\nwhere = \"url != '/4'\"\n\
                 agg = 'count, count(x) as present, sum(x) as sum, mean(x) as mean, min(x) as min, \
                 max(x) as max, p50(x) as median, median(x) as middle, top(2, url) as top, \
                 histogram(x) as buckets'"
        );
        let mut pipeline = pipeline(&toml);
        hits.iter().for_each(|hit| {
            push_json(&mut pipeline, "s", &line(hit));
        });
        pipeline.finish();

        let mut windows = BTreeMap::<(i64, u8), Vec<&Hit>>::new();
        for hit in hits.iter().filter(|hit| hit.url != 4) {
            for start in hit.ts - size + 1..=hit.ts {
                if (start - offset).rem_euclid(slide) == 0 {
                    windows.entry((start, hit.group)).or_default().push(hit);
                }
            }
        }
        let mut actual = Vec::new();
        for text in drain(&mut pipeline) {
            let mut row: Value = serde_json::from_str(&text).unwrap();
            let start: jiff::Timestamp = row["window"]["start"].as_str().unwrap().parse().unwrap();
            let group = row["group"]["g"].as_str().unwrap().to_string();
            // The numbers are small integers, and their histogram is exact.
            for name in ["median", "middle"] {
                row[name] = row[name]["value"].clone();
            }
            let columns = [
                "count", "present", "sum", "mean", "min", "max", "median", "middle", "top",
                "buckets",
            ];
            let columns: serde_json::Map<String, Value> =
                columns.iter().map(|name| (name.to_string(), row[*name].clone())).collect();
            actual.push((start.as_second(), group, Value::from(columns)));
        }
        // Written and read like the answer, because `serde_json` reads floats only to within the
        // last place.
        let reread = |value: Value| serde_json::from_str::<Value>(&value.to_string()).unwrap();
        let wanted: Vec<_> = windows
            .iter()
            .map(|((start, group), hits)| (*start, format!("g{group}"), reread(expected(hits))))
            .collect();
        prop_assert_eq!(actual, wanted);
    }

    #[test]
    fn answers_do_not_depend_on_the_order_of_records(
        hits in prop::collection::vec(hit(), 0..40),
        seed: u64,
    ) {
        let toml = "group = 'g'\nlimit_groups = 2\nagg = 'count, sum(x), mean(x), stddev(x), \
                        distinct(url), p90(x), top(3, url)'";
        let run = |hits: &[Hit]| {
            let mut pipeline = pipeline(toml);
            hits.iter().for_each(|hit| {
                push_json(&mut pipeline, "s", &line(hit));
            });
            pipeline.finish();
            drain(&mut pipeline)
        };
        let mut shuffled = hits.clone();
        let mut state = seed;
        for index in (1..shuffled.len()).rev() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(index, (state >> 33) as usize % (index + 1));
        }
        prop_assert_eq!(run(&hits), run(&shuffled));
    }
}
