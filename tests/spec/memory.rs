//! The memory of groups: what docs/PERFORMANCE.md shows of each aggregate, and what a pipeline
//! expects.
//!
//! `STREAMGAUGE_WRITE_DOCUMENTS=1` writes the measured table into the document.

use super::pipeline;
use crate::simulation::Random;
use std::fs;
use std::path::Path;
use streamgauge::row::FieldValue;
use streamgauge::{Control, ShardId, Timestamp};

const DOCUMENT: &str = "docs/PERFORMANCE.md";
const HEADING: &str = "| bytes of a group | 1 record | 2 | 10 | 100 | 10,000 |";
const RECORDS: [usize; 5] = [1, 2, 10, 100, 10_000];
const AGGREGATES: [&str; 14] = [
    "count",
    "sum(bytes)",
    "count, mean(ratio)",
    "min(bytes)",
    "min(url)",
    "variance(bytes)",
    "first(url)",
    "max_by(url, bytes)",
    "distinct(url)",
    "p99(latency_ms)",
    "p99(ratio)",
    "top(10, url)",
    "top(10, url by bytes)",
    "count, sum(bytes), p99(latency_ms), distinct(url)",
];

/// Returns the bytes that each of `groups` groups keeps on the heap, and those that its pipeline
/// expects. Three of ten URLs of a group are the same.
fn group_bytes(query: &str, groups: usize, records: usize) -> (f64, f64) {
    let toml = format!("group = \"user_id\"\n{query}");
    let (mut pipeline, mut random) = (pipeline(&toml), Random::new(1));
    let expected = pipeline.explain().expected_bytes(groups, records as u64);
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    let mut push = |user: usize, page: usize, number: usize| {
        let user = format!("u{:08x}", (user as u32).wrapping_mul(0x9e37_79b1));
        let (url, ratio) = (format!("/users/{page:07}/index.html"), number as f64 / 7.0);
        let (bytes, latency) = (number as u64 * 31 % 100_000, number as u64 % 990 + 10);
        let fields: [(&str, &dyn FieldValue); 6] = [
            ("ts", &0u64),
            ("user_id", &user.as_str()),
            ("url", &url.as_str()),
            ("latency_ms", &latency),
            ("bytes", &bytes),
            ("ratio", &ratio),
        ];
        pipeline.push_fields(shard, &fields, Timestamp::from_millis(0), None).unwrap();
    };
    // What the pipeline itself needs is there with its first group.
    push(usize::MAX, 0, 0);
    let grown = allocation_counter::measure(|| {
        for record in 0..groups * records {
            let page = if random.below(10) < 3 { 0 } else { random.below(10_000_000) };
            push(record % groups, page, random.below(1_000_000));
        }
    });
    let each = |bytes: f64| bytes / groups as f64;
    (each(grown.bytes_current as f64), each(expected as f64))
}

/// Returns the line of a pipeline with these aggregates.
fn aggregating(aggregates: &str) -> String {
    format!("agg = \"{aggregates}\"")
}

/// Returns a number of groups that fills a table.
fn groups_of(records: usize) -> usize {
    (1 << (6_000 / records).clamp(16, 1_024).ilog2()) - 4
}

/// Returns the number with two digits.
fn rounded(number: f64) -> u64 {
    let unit = 10f64.powf(number.max(1.0).log10().floor() - 1.0).max(1.0);
    ((number / unit).round() * unit) as u64
}

fn measured_rows() -> Vec<String> {
    let row = |aggregates: &&str| {
        let cells = RECORDS.map(|records| {
            let (bytes, _) = group_bytes(&aggregating(aggregates), groups_of(records), records);
            rounded(bytes).to_string()
        });
        format!("| `{aggregates}` | {} |", cells.join(" | "))
    };
    AGGREGATES.iter().map(row).collect()
}

/// The numbers of a row of the table.
fn numbers(row: &str) -> Vec<f64> {
    row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect()
}

#[test]
fn the_document_shows_the_bytes_of_a_group() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| *line == HEADING).unwrap() + 2;
    let len = lines[start..].iter().take_while(|line| line.starts_with('|')).count();
    let (shown, rows) = (&lines[start..start + len], measured_rows());
    if std::env::var_os("STREAMGAUGE_WRITE_DOCUMENTS").is_some() {
        let rows = rows.iter().map(String::as_str);
        let all =
            lines[..start].iter().copied().chain(rows).chain(lines[start + len..].iter().copied());
        fs::write(&path, all.collect::<Vec<_>>().join("\n") + "\n").unwrap();
        return;
    }
    assert_eq!(shown.len(), rows.len(), "{DOCUMENT}: {rows:#?}");
    for (shown, row) in shown.iter().zip(&rows) {
        let close = |(shown, now): (f64, f64)| (shown / now - 1.0).abs() <= 0.1;
        let (old, new) = (numbers(shown), numbers(row));
        assert!(
            old.len() == new.len() && old.into_iter().zip(new).all(close),
            "{DOCUMENT} shows the first row, measured is the second:\n{shown}\n{row}"
        );
    }
}

#[test]
fn s294_a_pipeline_expects_its_memory_within_a_factor_of_two() {
    let more = [
        "count, sum(bytes), mean(latency_ms), min(bytes), max(bytes)",
        "count, p50(latency_ms), p99(latency_ms), max(latency_ms)",
        "first(url), last(url), count",
        "top(5, url), distinct(url), count",
        "stddev(ratio), mean(ratio)",
        "min_by(url, ratio), max_by(url, ratio)",
    ];
    let expect = |query: &str, records| {
        let (bytes, expected) = group_bytes(query, groups_of(records), records);
        assert!(
            bytes / 2.0 <= expected && expected <= bytes * 2.0,
            "{query}, {records} records of a group: {bytes:.0} bytes, not {expected:.0}"
        );
    };
    for aggregates in AGGREGATES.iter().chain(&more) {
        for records in [1, 2, 5, 30, 1_000] {
            expect(&aggregating(aggregates), records);
        }
    }
    let windows = ["window = '1m'", "window = '5m'\nevery = '10s'", "session = '30s'"];
    for window in windows {
        for aggregates in ["count", "sum(bytes), p99(latency_ms)", "distinct(url)", "top(10, url)"]
        {
            let query = format!("time = 'ts'\n{window}\n{}", aggregating(aggregates));
            [1, 5, 100].into_iter().for_each(|records| expect(&query, records));
        }
    }
}
