//! Several queries in one pass, beside each of them alone: all three should cost at most 1.6 times
//! the dearest one. The naive way is one run for each query, the sum of the three.
//!
//! Data: 200,000 records of the generated log (`examples/generate`) as JSON Lines, 27 MB in memory,
//! on one thread.

use crate::files::log;
use criterion::{Criterion, Throughput};
use std::hint::black_box;
use std::io::Cursor;
use streamgauge::Error;
use streamgauge::adapter::files::{FilesOptions, Format, Input, PipelineObserver, run_pipeline};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, RowEmission};

const RECORDS: u64 = 200_000;

const TOP: &str = "time = 'ts'\nwindow = '1m'\n";

const QUERIES: [(&str, &str); 3] = [
    ("traffic", "group = 'country'\nagg = 'count, sum(bytes)'\n"),
    ("errors", "where = 'status >= 500'\ngroup = 'url'\nwindow = '5m'\n"),
    ("latency", "agg = 'p99(latency_ms), max(latency_ms)'\n"),
];

/// Counts rows.
#[derive(Default)]
struct Rows(usize);

impl PipelineObserver for Rows {
    fn emission(&mut self, _: RowEmission) -> Result<(), Error> {
        self.0 += 1;
        Ok(())
    }
}

/// Returns the number of rows of an answer.
fn rows(toml: &str, bytes: &'static [u8]) -> usize {
    let spec = PipelineSpec::from_toml(toml, "bench.toml").expect("a pipeline");
    let mut pipeline = spec.compile(&CompileOptions::default()).expect("a pipeline");
    let inputs = vec![Input::from_reader("in", Cursor::new(bytes))];
    let options = FilesOptions::with_format(Format::JsonLines);
    let mut rows = Rows::default();
    let stats = run_pipeline(inputs, &options, &mut pipeline, &mut rows).expect("well-formed");
    assert_eq!((stats.records(), stats.dead_letters()), (RECORDS, 0));
    rows.0
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut bytes = Vec::new();
    log::write(&mut bytes, log::Layout::JsonLines, RECORDS, 1).expect("memory");
    let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
    let mut group = criterion.benchmark_group("queries/three");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    let table = |(name, keys): &(&str, &str)| format!("[[query]]\nname = '{name}'\n{keys}");
    let mut together = TOP.to_owned();
    together.extend(QUERIES.iter().map(table));
    let one_by_one: Vec<(&str, String)> =
        QUERIES.iter().map(|query| (query.0, format!("{TOP}{}", table(query)))).collect();
    let expected: usize = one_by_one.iter().map(|(_, toml)| rows(toml, bytes)).sum();
    assert_eq!(rows(&together, bytes), expected);
    for (name, toml) in &one_by_one {
        group.bench_function(format!("alone/{name}"), |bencher| {
            bencher.iter(|| black_box(rows(toml, bytes)));
        });
    }
    group.bench_function("one_pass", |bencher| {
        bencher.iter(|| black_box(rows(&together, bytes)));
    });
    group.finish();
}
