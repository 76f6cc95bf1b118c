//! What to do about a stream, by stated rules: docs/KINESIS.md has them for users.

use super::sample::{SHARD_BYTES, SHARD_RECORDS, Sample, ShardSample};
use crate::output::digits::rounded;
use streamgauge::adapter::kinesis::StreamSummary;

/// How busy shards should be: the rest is for peaks and for uneven keys.
const AIM: f64 = 0.6;

/// A shard that is busier than this is hot.
pub(super) const HOT: f64 = 0.8;

/// If one key has this share of a hot shard's bytes, splitting does not help.
const ONE_KEY: f64 = 0.5;

/// Prices in US dollars, those of us-east-1. Of the provisioned mode: a shard and hour, a million
/// units of up to 25 KB. Of the on-demand mode: a stream and hour, a GB that comes in, a GB that a
/// consumer reads.
const SHARD_HOUR: f64 = 0.015;
const UNITS: f64 = 0.014;
const UNIT_BYTES: f64 = 25_000.0;
const STREAM_HOUR: f64 = 0.04;
const GB_IN: f64 = 0.08;
const GB_OUT: f64 = 0.04;

/// Hours of a month, for prices.
const HOURS: f64 = 730.0;

/// Returns the number of shards for what a sample has, so that each is about 60 % busy.
pub(super) fn shards_needed(sample: &Sample) -> u32 {
    let records = sample.records_a_second() / (SHARD_RECORDS * AIM);
    let bytes = sample.bytes_a_second() / (SHARD_BYTES * AIM);
    // A float beyond the range becomes the largest number.
    (records.max(bytes).ceil() as u32).max(1)
}

/// Returns what to do about a stream, one sentence or two for each finding.
pub(super) fn advice(stream: &StreamSummary, sample: &Sample) -> Vec<String> {
    let mut advice: Vec<String> =
        sample.shards.iter().filter_map(|shard| hot_shard(stream, shard, sample.seconds)).collect();
    if !stream.is_on_demand {
        advice.extend(other_number(stream, sample));
        advice.extend(cheaper_mode(stream, sample));
    }
    advice
}

fn hot_shard(stream: &StreamSummary, shard: &ShardSample, seconds: f64) -> Option<String> {
    let busy = shard.use_of_limit(seconds);
    if busy < HOT {
        return None;
    }
    let id = &shard.info.id;
    let top = shard.top_keys().into_iter().next();
    let of_shard = |row: u64| row as f64 / shard.bytes.max(1) as f64;
    if let Some(key) = top.filter(|row| of_shard(row.lower) >= ONE_KEY) {
        return Some(format!(
            "{id} is {} % busy, and the partition key {:?} has at least {} % of its bytes: \
             splitting does not help. Spread that key, for example by a number behind it.",
            percent(busy),
            key.key,
            percent(of_shard(key.lower)),
        ));
    }
    let split = match (stream.is_on_demand, shard.info.range) {
        (false, Some(range)) if range.start < range.end => format!(
            ": split it, by aws kinesis split-shard --stream-name {} --shard-to-split {id} \
             --new-starting-hash-key {}",
            stream.name,
            range.start + (range.end - range.start) / 2 + 1,
        ),
        (true, _) => ": Kinesis splits it by itself within some minutes".to_owned(),
        _ => ": split it".to_owned(),
    };
    Some(format!("{id} is {} % busy{split}.", percent(busy)))
}

fn other_number(stream: &StreamSummary, sample: &Sample) -> Option<String> {
    let needed = shards_needed(sample);
    let is_less = u64::from(needed) * 2 <= u64::from(stream.open_shards);
    let is_more = needed > stream.open_shards;
    let why = if is_more { "are too busy" } else { "have little to do" };
    (is_less || is_more).then(|| {
        format!(
            "The {} shards {why}: {needed} would be at most 60 % busy with this sample. \
             streamgauge streams scale {} --to {needed} changes that.",
            stream.open_shards, stream.name,
        )
    })
}

/// Compares the prices of an hour like the sample in both modes, with one consumer.
fn cheaper_mode(stream: &StreamSummary, sample: &Sample) -> Option<String> {
    let (records, bytes) = (sample.records_a_second(), sample.bytes_a_second());
    let units = records.max(bytes / UNIT_BYTES) * 3600.0;
    let provisioned = f64::from(stream.open_shards) * SHARD_HOUR + units / 1e6 * UNITS;
    let on_demand = STREAM_HOUR + bytes * 3600.0 / 1e9 * (GB_IN + GB_OUT);
    (on_demand < provisioned).then(|| {
        format!(
            "If it is always like this sample, on-demand mode is cheaper: about {} dollars a month \
             instead of {} at the prices of us-east-1, with one consumer.",
            rounded(on_demand * HOURS, 3),
            rounded(provisioned * HOURS, 3),
        )
    })
}

/// Returns a part as a whole number of percent.
pub(super) fn percent(part: f64) -> String {
    format!("{:.0}", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(open_shards: u32) -> StreamSummary {
        let mut stream = StreamSummary::default();
        (stream.name, stream.open_shards) = ("clicks".to_owned(), open_shards);
        stream
    }

    #[test]
    fn s292_shards_are_as_many_as_the_nearer_limit_needs() {
        for (records, bytes, needed) in [
            (0, 0, 1),
            (600, 0, 1),
            (601, 0, 2),
            (10, 600_000, 1),
            (10, 600_001, 2),
            (6_000, 100, 10),
            (100, 6_000_000, 10),
        ] {
            let sample = Sample::of(&[(records, bytes, &[])]);
            assert_eq!(shards_needed(&sample), needed, "{records} records, {bytes} bytes");
        }
    }

    #[test]
    fn s292_a_hot_shard_is_split_unless_one_key_makes_it_hot() {
        let spread =
            Sample::of(&[(100, 900_000, &[("a", 300_000), ("b", 300_000)]), (1, 100, &[])]);
        let said = advice(&stream(2), &spread);
        assert!(said[0].contains("shardId-000000000000 is 90 % busy: split it"), "{said:?}");
        let one = Sample::of(&[(100, 900_000, &[("a", 700_000), ("b", 200_000)]), (1, 100, &[])]);
        let said = advice(&stream(2), &one);
        assert!(said[0].contains("\"a\" has at least 78 % of its bytes"), "{said:?}");
        let calm = Sample::of(&[(100, 500_000, &[]), (100, 500_000, &[])]);
        assert_eq!(advice(&stream(2), &calm), Vec::<String>::new());
    }

    #[test]
    fn too_many_and_too_few_shards_are_told() {
        let quiet = Sample::of(&[(1, 100, &[] as &[(&str, u64)]); 8]);
        let said = advice(&stream(8), &quiet).join("\n");
        assert!(said.contains("The 8 shards have little to do: 1 would be"), "{said}");
        assert!(said.contains("on-demand mode is cheaper: about 29.5 dollars"), "{said}");
        let busy = Sample::of(&[(700, 1_000, &[]), (700, 1_000, &[])]);
        let said = advice(&stream(2), &busy).join("\n");
        assert!(said.contains("The 2 shards are too busy: 3 would be"), "{said}");
    }
}
