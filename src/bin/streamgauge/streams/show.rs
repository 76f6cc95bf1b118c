//! Streams and their shards, as a table or as JSON.

use super::advice::{HOT, advice, percent};
use super::arguments::StreamsOutput;
use super::figures;
use super::sample::{Sample, ShardSample};
use crate::output::cell::{Cell, unmistakable};
use crate::output::digits;
use crate::output::table::TableWriter;
use crate::session::terminal;
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal, Write};
use streamgauge::adapter::kinesis::{ShardInfo, StreamMetrics, StreamSummary};

/// A stream, and what is known of it.
pub(super) struct Shown {
    pub(super) region: String,
    pub(super) stream: StreamSummary,
    pub(super) shards: Vec<ShardInfo>,
    pub(super) sample: Option<Sample>,
    pub(super) metrics: Option<StreamMetrics>,
}

impl Shown {
    /// Returns what to do about the stream.
    fn advice(&self) -> Vec<String> {
        let metrics = self.metrics.iter();
        let mut all: Vec<String> =
            metrics.flat_map(|metrics| figures::advice(&self.stream, metrics)).collect();
        all.extend(self.sample.iter().flat_map(|sample| advice(&self.stream, sample)));
        all
    }

    /// Returns why CloudWatch's figures of the stream or of its shards are missing. Without shards
    /// nobody asked for theirs.
    fn note(&self, with_shards: bool) -> Option<String> {
        let metrics = self.metrics.as_ref()?;
        let is_wanted = with_shards || metrics.stream == Default::default();
        let note = figures::note(&self.stream, metrics).filter(|_| is_wanted)?;
        Some(match &self.sample {
            Some(sample) => format!(
                "{note} What is shown of shards is a sample of {} s.",
                digits::rounded(sample.seconds, 3)
            ),
            None => note,
        })
    }
}

/// Writes streams, and with `shards` each with its shards.
///
/// # Errors
/// Standard output cannot be written to.
pub(super) fn show(all: &[Shown], output: Option<StreamsOutput>, shards: bool) -> io::Result<()> {
    let is_terminal = io::stdout().is_terminal();
    let is_table = match output {
        Some(output) => output == StreamsOutput::Table,
        None => is_terminal,
    };
    let mut out = io::stdout().lock();
    if !is_table {
        for shown in all {
            writeln!(out, "{}", object(shown, shards))?;
        }
        return out.flush();
    }
    write_table(&mut out, &STREAM_COLUMNS, all.iter().map(stream_cells).collect())?;
    for shown in all.iter().filter(|_| shards) {
        writeln!(out)?;
        write_table(&mut out, &SHARD_COLUMNS, shard_lines(shown))?;
    }
    let lines = all.iter().filter_map(|shown| {
        shown.metrics.as_ref().map(|metrics| figures::lines(&shown.stream, metrics))
    });
    let lines: Vec<Vec<Cell>> = lines.flatten().collect();
    if !lines.is_empty() {
        writeln!(out)?;
        write_table(&mut out, &figures::COLUMNS, lines)?;
    }
    for shown in all {
        for said in shown.note(shards).into_iter().chain(shown.advice()) {
            writeln!(out, "\n{said}")?;
        }
    }
    out.flush()
}

fn write_table(out: &mut impl Write, header: &[&str], lines: Vec<Vec<Cell>>) -> io::Result<()> {
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    let mut table = TableWriter::new(out, terminal(io::stdout().is_terminal()), &header);
    for line in lines {
        table.line(line)?;
    }
    table.flush()
}

const STREAM_COLUMNS: [&str; 8] =
    ["region", "stream", "status", "mode", "shards", "hours kept", "encrypted", "consumers"];

fn stream_cells(shown: &Shown) -> Vec<Cell> {
    let stream = &shown.stream;
    let number = |number: u32| Cell::Number(digits::count(number.into()));
    vec![
        Cell::Text(shown.region.clone()),
        Cell::Text(unmistakable(&stream.name)),
        Cell::Text(stream.status.clone()),
        Cell::Text(mode(stream).to_owned()),
        number(stream.open_shards),
        number(stream.retention_hours),
        Cell::Text(if stream.is_encrypted { "yes" } else { "no" }.to_owned()),
        number(stream.consumers),
    ]
}

fn mode(stream: &StreamSummary) -> &'static str {
    if stream.is_on_demand { "on-demand" } else { "provisioned" }
}

const SHARD_COLUMNS: [&str; 6] =
    ["shard", "part of keys %", "records/s", "bytes/s", "busy %", "keys with most bytes"];

fn shard_lines(shown: &Shown) -> Vec<Vec<Cell>> {
    let Some(sample) = &shown.sample else {
        let line = |shard: &ShardInfo| {
            let mut line = vec![Cell::Text(shard.id.to_string()), part_of_keys(shard)];
            line.resize(SHARD_COLUMNS.len(), Cell::Empty);
            line
        };
        return shown.shards.iter().map(line).collect();
    };
    let rate = |count: u64| Cell::Number(rounded(count as f64 / sample.seconds));
    let line = |shard: &ShardSample| {
        let busy = shard.use_of_limit(sample.seconds);
        let mark = if busy >= HOT { " (hot)" } else { "" };
        vec![
            Cell::Text(shard.info.id.to_string()),
            part_of_keys(&shard.info),
            rate(shard.records),
            rate(shard.bytes),
            Cell::Number(percent(busy) + mark),
            Cell::Text(keys(shard)),
        ]
    };
    sample.shards.iter().map(line).collect()
}

fn rounded(rate: f64) -> String {
    digits::with_separators(&digits::rounded(rate, 4))
}

/// Returns the part of all hash keys that a shard has.
fn hash_part(shard: &ShardInfo) -> Option<f64> {
    let range = shard.range?;
    Some((range.end.saturating_sub(range.start)) as f64 / u128::MAX as f64)
}

fn part_of_keys(shard: &ShardInfo) -> Cell {
    hash_part(shard).map_or(Cell::Null, |part| Cell::Number(digits::rounded(part * 100.0, 3)))
}

/// Returns the keys with most bytes and their parts, as text.
fn keys(shard: &ShardSample) -> String {
    let part = |bytes: u64| percent(bytes as f64 / shard.bytes.max(1) as f64);
    let rows = shard.top_keys();
    let rows = rows.iter().map(|row| format!("{} {} %", unmistakable(&row.key), part(row.count)));
    rows.collect::<Vec<_>>().join(", ")
}

/// Returns a stream as an object of JSON.
fn object(shown: &Shown, with_shards: bool) -> Value {
    let stream = &shown.stream;
    let mut object = Map::new();
    let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
    set("region", json!(shown.region));
    set("stream", json!(stream.name));
    set("status", json!(stream.status));
    set("mode", json!(mode(stream)));
    set("open_shards", json!(stream.open_shards));
    set("retention_hours", json!(stream.retention_hours));
    set("encrypted", json!(stream.is_encrypted));
    set("consumers", json!(stream.consumers));
    if let Some(sample) = &shown.sample {
        set("sample_seconds", json!(sample.seconds));
        set("shards", sample.shards.iter().map(|shard| sampled(shard, sample.seconds)).collect());
    } else if with_shards {
        set("shards", shown.shards.iter().map(shard).collect());
    }
    if let Some(metrics) = &shown.metrics {
        set("cloudwatch", figures::object(stream, metrics));
        set("note", json!(shown.note(with_shards)));
    }
    if shown.sample.is_some() || shown.metrics.is_some() {
        set("advice", json!(shown.advice()));
    }
    Value::Object(object)
}

fn shard(shard: &ShardInfo) -> Value {
    json!({ "shard": shard.id.as_str(), "part_of_keys": hash_part(shard) })
}

fn sampled(sampled: &ShardSample, seconds: f64) -> Value {
    let mut object = shard(&sampled.info);
    object["records_per_second"] = json!(sampled.records as f64 / seconds);
    object["bytes_per_second"] = json!(sampled.bytes as f64 / seconds);
    object["busy"] = json!(sampled.use_of_limit(seconds));
    let rows = sampled.top_keys();
    let rows = rows.iter().map(
        |row| json!({ "key": row.key, "bytes": row.count, "lower": row.lower, "upper": row.upper }),
    );
    object["keys"] = rows.collect();
    object
}
