//! Files: from bytes to rows, by format, beside the way one would write it without a scanner.
//!
//! Data: 200,000 records of the generated log (`examples/generate`), 27 MB as JSON Lines, 13 MB as
//! CSV, 24 MB as combined log, in memory. All implementations of a group add up the lengths of the
//! same fields and must agree. The naive baselines are `serde_json::Value` a line, the `csv`
//! crate's records, and a regular expression.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use std::hint::black_box;
use std::io::Cursor;
use streamgauge::adapter::files::{
    DeadLetter, FilesOptions, FilesStats, Format, Input, Refusal, RowSink, run,
};
use streamgauge::row::{Row, Value};
use streamgauge::{Error, ShardId};

#[path = "../examples/generate/log.rs"]
#[allow(dead_code, reason = "the example names layouts by extension")]
pub(crate) mod log;

const RECORDS: u64 = 200_000;

/// Adds up the lengths of all values.
struct Lengths {
    fields: Vec<String>,
    sum: usize,
}

impl RowSink for Lengths {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn open_shard(&mut self, _: usize, _: ShardId) -> Result<(), Error> {
        Ok(())
    }

    fn row(&mut self, _: usize, row: &mut Row) -> Result<Option<Refusal>, Error> {
        for slot in 0..row.slots() {
            self.sum += match row.value(slot) {
                Value::Number(text)
                | Value::Text(text)
                | Value::Untyped(text)
                | Value::Json(text) => text.len(),
                Value::Missing | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => 0,
            };
        }
        Ok(None)
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        panic!("{letter:?}")
    }

    fn pause(&mut self, _: &FilesStats) -> Result<(), Error> {
        Ok(())
    }

    fn close_shard(&mut self, _: usize) -> Result<(), Error> {
        Ok(())
    }
}

fn ours(bytes: &'static [u8], format: Format, fields: &[&str]) -> usize {
    let mut sink =
        Lengths { fields: fields.iter().map(|field| (*field).to_owned()).collect(), sum: 0 };
    let stats = run(
        vec![Input::from_reader("in", Cursor::new(bytes))],
        &FilesOptions::with_format(format),
        &mut sink,
    )
    .expect("well-formed");
    assert_eq!(stats.records(), RECORDS);
    sink.sum
}

fn generated(layout: log::Layout) -> &'static [u8] {
    let mut bytes = Vec::new();
    log::write(&mut bytes, layout, RECORDS, 1).expect("memory");
    Box::leak(bytes.into_boxed_slice())
}

/// One implementation: its answer is checked, then its time taken.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    expected: usize,
    sum: impl Fn() -> usize,
) {
    assert_eq!(sum(), expected, "{name}");
    group.bench_function(name, |bencher| bencher.iter(|| black_box(sum())));
}

fn json(criterion: &mut Criterion, name: &str, fields: &'static [&'static str]) {
    let bytes = generated(log::Layout::JsonLines);
    let mut group = criterion.benchmark_group(format!("files/jsonl/{name}"));
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    let lines = || bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let text_len = |value: &serde_json::Value| {
        value.as_str().map_or_else(|| value.to_string().len(), str::len)
    };
    let naive = || -> usize {
        let values = lines().map(|line| serde_json::from_slice(line).expect("well-formed"));
        values
            .map(|value: serde_json::Value| {
                fields.iter().map(|field| text_len(&value[*field])).sum::<usize>()
            })
            .sum()
    };
    let expected = naive();
    measure(&mut group, "ours/log", expected, || ours(bytes, Format::JsonLines, fields));
    measure(&mut group, "serde_json_value/log", expected, naive);
    measure(&mut group, "serde_json_visitor/log", expected, || {
        lines().map(|line| visitor::lengths(line, fields)).sum()
    });
    group.finish();
}

/// The library path: `serde_json` with a visitor that borrows the named fields and ignores the
/// rest.
mod visitor {
    use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
    use serde_json::value::RawValue;
    use std::fmt;

    struct Named<'a>(&'a [&'a str]);

    impl<'de> DeserializeSeed<'de> for Named<'_> {
        type Value = usize;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
            deserializer.deserialize_map(self)
        }
    }

    impl<'de> Visitor<'de> for Named<'_> {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<usize, A::Error> {
            let mut sum = 0;
            while let Some(key) = members.next_key::<&str>()? {
                if self.0.contains(&key) {
                    sum += members.next_value::<&RawValue>()?.get().trim_matches('"').len();
                } else {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            Ok(sum)
        }
    }

    pub(crate) fn lengths(line: &[u8], fields: &[&str]) -> usize {
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        Named(fields).deserialize(&mut deserializer).expect("well-formed")
    }
}

fn csv(criterion: &mut Criterion) {
    let bytes = generated(log::Layout::Csv);
    let mut group = criterion.benchmark_group("files/csv/4_of_7");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    let by_crate = || -> usize {
        let mut reader = csv::Reader::from_reader(bytes);
        let mut record = csv::ByteRecord::new();
        let mut sum = 0;
        while reader.read_byte_record(&mut record).expect("well-formed") {
            sum += [0, 3, 5, 6].iter().map(|column| record[*column].len()).sum::<usize>();
        }
        sum
    };
    measure(&mut group, "ours/log", by_crate(), || {
        ours(bytes, Format::Csv, &["ts", "country", "latency_ms", "bytes"])
    });
    measure(&mut group, "csv_byte_record/log", by_crate(), by_crate);
    group.finish();
}

fn clf(criterion: &mut Criterion) {
    let bytes = generated(log::Layout::Combined);
    let text = std::str::from_utf8(bytes).expect("generated as text");
    let mut group = criterion.benchmark_group("files/clf/4_of_11");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    let pattern = r#"^\S+ \S+ \S+ \[([^\]]+)\] "\S+ (\S+) \S+" (\d+) (\d+)"#;
    let pattern = regex::Regex::new(pattern).expect("well-formed");
    let by_regex = || -> usize {
        let groups = text.lines().filter_map(|line| pattern.captures(line));
        groups.map(|found| (1..=4).map(|group| found[group].len()).sum::<usize>()).sum()
    };
    measure(&mut group, "ours/log", by_regex(), || {
        ours(bytes, Format::Clf, &["time", "path", "status", "bytes"])
    });
    measure(&mut group, "regex/log", by_regex(), by_regex);
    group.finish();
}

pub(crate) fn benches(criterion: &mut Criterion) {
    json(criterion, "2_of_7", &["ts", "url"]);
    json(criterion, "4_of_7", &["ts", "country", "latency_ms", "bytes"]);
    csv(criterion);
    clf(criterion);
}
