//! What averages do not show: hostile keys, sixteen merged shards, equal bytes.

use crate::streams::{Random, Stream, key};
use crate::timing::{median, nanos};
use crate::top_k::TOP;
use asap_sketchlib::DataInput;
use datasketches::frequencies::FrequentItemsSketch;
use std::collections::HashMap;
use streamgauge::sketch::SpaceSaving;
use streamgauge::{Key, Seed};

/// Keys that all fall into one filter cell under the public seed, against as many random ones, each
/// round and round.
pub fn flood(rounds: usize) {
    const KEYS: usize = 50_000;
    const RECORDS: usize = 2_000_000;
    let mut random = Random(7);
    let chosen: Vec<u64> = std::iter::repeat_with(|| random.next()).filter(|key| key.stable_hash(Seed::PUBLIC) >> 50 == 0).take(KEYS).collect();
    let ordinary: Vec<u64> = std::iter::repeat_with(|| random.next()).take(KEYS).collect();
    println!("\n### Crafted keys, top-k of 1000 counters, {KEYS} integer keys round and round, ns/update\n");
    println!("| | random keys | chosen keys | ratio |");
    println!("|---|---|---|---|");
    for (name, seed) in [("public seed", Seed::PUBLIC), ("secret seed", Seed::new(random.next()))] {
        let (mut slow, mut fast) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            for (keys, times) in [(&chosen, &mut slow), (&ordinary, &mut fast)] {
                let mut sketch = SpaceSaving::<u64>::with_capacity(1000).expect("a capacity in range").seeded(seed);
                times.push(nanos(|| sketch.add_batch(keys.iter().cycle().take(RECORDS))) / RECORDS as f64);
            }
        }
        let (slow, fast) = (median(&mut slow), median(&mut fast));
        println!("| {name} | {fast:.1} | {slow:.1} | {:.2} |", slow / fast);
    }
}

/// 16 shards of a stream each in its own sketch, merged: the width of the bounds of the top ten
/// relative to the true counts.
pub fn merge(stream: &Stream, m: usize) {
    let shards: Vec<&[u64]> = stream.integers.chunks(stream.len().div_ceil(16)).collect();
    let truth: HashMap<u64, u64> = stream.true_top(10).into_iter().map(|rank| (key(rank), u64::from(stream.counts[rank as usize]))).collect();
    println!("\n### Sixteen merged shards, {m} counters, integers: {}\n", stream.name);
    println!("| | mean width of the top ten's bounds / count | held |");
    println!("|---|---|---|");
    let mut ours = SpaceSaving::<u64>::with_capacity(m).expect("a capacity in range");
    let mut theirs = FrequentItemsSketch::<u64>::new((m * 4 / 3).next_power_of_two()).expect("a size in range");
    let mut asap = asap_sketchlib::SpaceSaving::<asap_sketchlib::DefaultXxHasher>::with_capacity(m);
    for shard in shards {
        let mut part = SpaceSaving::<u64>::with_capacity(m).expect("a capacity in range");
        part.add_batch(shard);
        ours.merge(&part).expect("equal capacities");
        let mut part = FrequentItemsSketch::<u64>::new((m * 4 / 3).next_power_of_two()).expect("a size in range");
        shard.iter().for_each(|&key| part.update(key));
        theirs.merge(&part);
        let mut part = asap_sketchlib::SpaceSaving::<asap_sketchlib::DefaultXxHasher>::with_capacity(m);
        shard.iter().for_each(|&key| part.update(&DataInput::U64(key)));
        asap.merge(&part);
    }
    let row = |name: &str, bounds: &dyn Fn(u64) -> (u64, u64)| {
        let (mut width, mut held) = (0.0, 0);
        for (&key, &count) in &truth {
            let (lower, upper) = bounds(key);
            width += (upper - lower) as f64 / count as f64 / truth.len() as f64;
            held += u32::from((lower..=upper).contains(&count));
        }
        println!("| {name} | {width:.6} | {held} of {} |", truth.len());
    };
    row("streamgauge", &|key| (ours.estimate(&key).lower, ours.estimate(&key).upper));
    row("datasketches FrequentItems", &|key| (theirs.lower_bound(&key), theirs.upper_bound(&key)));
    row("asap_sketchlib SpaceSaving", &|key| {
        let value = DataInput::U64(key);
        (asap.estimate(&value).saturating_sub(asap.error(&value)), asap.upper_bound(&value))
    });
}

/// As much as 48 KiB hold, integer keys: the largest capacity that stays within them over the whole
/// stream.
pub fn equal_bytes(stream: &Stream, bytes: usize) {
    println!("\n### {} KiB, integers: {}\n", bytes / 1024, stream.name);
    println!("| | counters | bytes | recall@100 |");
    println!("|---|---|---|---|");
    let truth: Vec<u64> = stream.true_top(TOP).into_iter().map(key).collect();
    let recall = |found: &[u64]| found.iter().filter(|key| truth.contains(key)).count() as f64 / truth.len() as f64;
    for capacity in (100..=1000).rev().step_by(20) {
        let mut sketch = SpaceSaving::<u64>::with_capacity(capacity).expect("a capacity in range");
        sketch.add_batch(&stream.integers);
        if sketch.resident_bytes() <= bytes {
            let found: Vec<u64> = sketch.top(TOP).iter().map(|row| row.key).collect();
            println!("| streamgauge | {capacity} | {} | {:.2} |", sketch.resident_bytes(), recall(&found));
            break;
        }
    }
    // 256 buckets of 4 cells of 16 bytes, and a queue of 200 in what is left.
    let mut theirs = heavykeeper::BucketedTopK::<u64>::new(200, 512, 4, 0.9);
    stream.integers.iter().for_each(|key| theirs.add(key, 1));
    let found: Vec<u64> = theirs.list().into_iter().take(TOP).map(|node| node.item).collect();
    println!("| heavykeeper Bucketed (no bounds) | 200 | {} | {:.2} |", theirs.mem_bytes(|_| 0), recall(&found));
    let mut theirs = FrequentItemsSketch::<u64>::new(2048).expect("a size in range");
    stream.integers.iter().for_each(|&key| theirs.update(key));
    let rows = theirs.frequent_items(datasketches::frequencies::ErrorType::NoFalseNegatives);
    let found: Vec<u64> = rows.iter().take(TOP).map(|row| *row.item()).collect();
    println!("| datasketches FrequentItems | 1536 | {} | {:.2} |", 2048 * 18, recall(&found));
}
