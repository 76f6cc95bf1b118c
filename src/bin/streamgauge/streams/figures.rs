//! What CloudWatch has of a stream and its shards: as a table, as JSON, and what to do.

use super::advice::{HOT, percent};
use super::sample::{SHARD_BYTES, SHARD_RECORDS};
use crate::output::cell::Cell;
use crate::output::digits;
use serde_json::{Value, json};
use streamgauge::adapter::kinesis::{MinuteFigures, StreamMetrics, StreamSummary, Throughput};

/// The bytes that the consumers of a shard get in a second, if they share its throughput.
const SHARD_BYTES_OUT: f64 = 2_000_000.0;

/// If consumers are behind by more than this part of the time that records are kept, they may lose
/// some.
const BEHIND: f64 = 0.5;

pub(super) const COLUMNS: [&str; 8] = [
    "by CloudWatch",
    "records/s",
    "bytes/s",
    "busiest minute %",
    "bytes read/s",
    "behind s",
    "refused writes",
    "refused reads",
];

/// Returns a line for the stream, and one for each shard with figures.
pub(super) fn lines(stream: &StreamSummary, metrics: &StreamMetrics) -> Vec<Vec<Cell>> {
    let shards = metrics.shards.iter().map(|(id, shard)| (id.to_string(), 1, shard));
    let all = std::iter::once((stream.name.clone(), stream.open_shards, &metrics.stream));
    let number = |number: Option<f64>, digits: usize| match number {
        Some(number) => Cell::Number(digits::with_separators(&digits::rounded(number, digits))),
        None => Cell::Null,
    };
    let line = |(name, shards, throughput): (String, u32, &Throughput)| {
        let rate = |figures| number(per_second(figures, metrics), 4);
        let busy = match busy(throughput, shards) {
            Some(busy) => Cell::Number(percent(busy) + if busy >= HOT { " (hot)" } else { "" }),
            None => Cell::Null,
        };
        vec![
            Cell::Text(name),
            rate(throughput.records_in),
            rate(throughput.bytes_in),
            busy,
            rate(throughput.bytes_out),
            number(throughput.age_millis.map(|age| age.largest / 1e3), 4),
            number(throughput.writes_refused.map(|refused| refused.sum), 9),
            number(throughput.reads_refused.map(|refused| refused.sum), 9),
        ]
    };
    all.chain(shards).map(line).collect()
}

/// Returns the figures as an object of JSON.
pub(super) fn object(stream: &StreamSummary, metrics: &StreamMetrics) -> Value {
    let object = |shards: u32, throughput: &Throughput| {
        json!({
            "records_per_second": per_second(throughput.records_in, metrics),
            "bytes_per_second": per_second(throughput.bytes_in, metrics),
            "busiest_minute": busy(throughput, shards),
            "bytes_read_per_second": per_second(throughput.bytes_out, metrics),
            "behind_ms": throughput.age_millis.map(|age| age.largest),
            "refused_writes": throughput.writes_refused.map(|refused| refused.sum),
            "refused_reads": throughput.reads_refused.map(|refused| refused.sum),
        })
    };
    let mut all = object(stream.open_shards, &metrics.stream);
    all["seconds"] = json!(metrics.seconds);
    let shards = metrics.shards.iter().map(|(id, shard)| {
        let mut object = object(1, shard);
        object["shard"] = json!(id.as_str());
        object
    });
    all["shards"] = shards.collect();
    all
}

/// Returns what to do about a stream, one sentence or two for each finding.
pub(super) fn advice(stream: &StreamSummary, metrics: &StreamMetrics) -> Vec<String> {
    let mut advice = Vec::new();
    for (id, shard) in &metrics.shards {
        if let Some(busy) = busy(shard, 1).filter(|busy| *busy >= HOT) {
            advice.push(format!(
                "{id} was {} % busy in its busiest minute: streamgauge streams describe {} \
                 --sample 30s tells whether a single partition key is the cause.",
                percent(busy),
                stream.name,
            ));
        }
    }
    let sum = |figures: Option<MinuteFigures>| figures.map_or(0.0, |figures| figures.sum);
    let refused = sum(metrics.stream.writes_refused);
    if refused > 0.0 {
        advice.push(format!(
            "{} records were refused, since their shard was full: more shards, or keys that are \
             spread better, prevent that.",
            digits::rounded(refused, 9),
        ));
    }
    let refused = sum(metrics.stream.reads_refused);
    let read = metrics.stream.bytes_out.map_or(0.0, |read| read.largest / 60.0);
    let read = read / SHARD_BYTES_OUT / f64::from(stream.open_shards.max(1));
    if refused > 0.0 || read >= HOT {
        advice.push(format!(
            "{} calls of consumers were refused, and the consumers used {} % of what the shards \
             give in the busiest minute: a consumer by enhanced fan-out has a throughput of its \
             own.",
            digits::rounded(refused, 9),
            percent(read),
        ));
    }
    let age = metrics.stream.age_millis.map_or(0.0, |age| age.largest / 3_600_000.0);
    if age > BEHIND * f64::from(stream.retention_hours) {
        advice.push(format!(
            "Consumers were {} hours behind, and records are kept for {}: keep them longer, or \
             consumers lose some.",
            digits::rounded(age, 3),
            stream.retention_hours,
        ));
    }
    advice
}

/// Returns why shards are shown by a sample, or not at all.
pub(super) fn note(stream: &StreamSummary, metrics: &StreamMetrics) -> Option<String> {
    let name = &stream.name;
    let minutes = metrics.seconds / 60;
    if metrics.stream == Throughput::default() && metrics.shards.is_empty() {
        return Some(format!(
            "CloudWatch has no figures of {name} in the last {minutes} minutes: nothing came, or \
             the figures are late."
        ));
    }
    metrics.shards.is_empty().then(|| {
        format!(
            "CloudWatch has no figures of single shards of {name}: aws kinesis \
             enable-enhanced-monitoring --stream-name {name} --shard-level-metrics ALL turns them \
             on, and they are paid for."
        )
    })
}

fn per_second(figures: Option<MinuteFigures>, metrics: &StreamMetrics) -> Option<f64> {
    figures.map(|figures| figures.sum / metrics.seconds as f64)
}

/// Returns how busy shards were in the busiest minute: by records or bytes, whichever is nearer to
/// the limit.
fn busy(throughput: &Throughput, shards: u32) -> Option<f64> {
    let part = |figures: Option<MinuteFigures>, limit: f64| {
        figures.map(|figures| figures.largest / 60.0 / limit / f64::from(shards.max(1)))
    };
    let records = part(throughput.records_in, SHARD_RECORDS);
    let bytes = part(throughput.bytes_in, SHARD_BYTES);
    records.into_iter().chain(bytes).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge::ShardId;

    fn figures(sum: f64, largest: f64) -> Option<MinuteFigures> {
        let mut figures = MinuteFigures::default();
        (figures.sum, figures.largest) = (sum, largest);
        Some(figures)
    }

    fn stream() -> StreamSummary {
        let mut stream = StreamSummary::default();
        (stream.name, stream.open_shards) = ("clicks".to_owned(), 2);
        stream.retention_hours = 24;
        stream
    }

    #[test]
    fn s277_advice_follows_from_the_busiest_minute() {
        let mut metrics = StreamMetrics::default();
        metrics.seconds = 900;
        assert_eq!(advice(&stream(), &metrics), Vec::<String>::new());
        metrics.stream.bytes_in = figures(9e6, 60e6);
        metrics.stream.age_millis = figures(0.0, 13.0 * 3_600_000.0);
        metrics.stream.writes_refused = figures(5.0, 5.0);
        metrics.stream.bytes_out = figures(0.0, 216e6);
        let mut hot = Throughput::default();
        hot.records_in = figures(48_000.0, 48_000.0);
        metrics.shards.insert(ShardId::new("shardId-1"), hot);
        hot.records_in = figures(90_000.0, 47_000.0);
        metrics.shards.insert(ShardId::new("shardId-2"), hot);
        let said = advice(&stream(), &metrics);
        for (said, part) in said.iter().zip([
            "shardId-1 was 80 % busy in its busiest minute",
            "5 records were refused",
            "used 90 % of what the shards give",
            "Consumers were 13 hours behind, and records are kept for 24",
        ]) {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(said.len(), 4);
        let object = object(&stream(), &metrics);
        assert_eq!(object["bytes_per_second"], json!(10_000.0));
        assert_eq!(object["busiest_minute"], json!(0.5));
        assert_eq!(object["shards"][1]["busiest_minute"], json!(47.0 / 60.0));
        assert_eq!(object["records_per_second"], json!(null));
    }

    #[test]
    fn s277_a_note_says_which_figures_are_missing() {
        let mut metrics = StreamMetrics::default();
        metrics.seconds = 900;
        let said = note(&stream(), &metrics).unwrap();
        assert!(said.contains("no figures of clicks in the last 15 minutes"), "{said}");
        metrics.stream.bytes_in = figures(1.0, 1.0);
        assert!(note(&stream(), &metrics).unwrap().contains("of single shards of clicks"));
        metrics.shards.insert(ShardId::new("s"), Throughput::default());
        assert_eq!(note(&stream(), &metrics), None);
    }
}
