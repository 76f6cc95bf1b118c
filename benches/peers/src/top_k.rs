//! Top-k: ours, the peers', an exact map.

use crate::streams::{Stream, rank_of_url};
use crate::timing::nanos;
use asap_sketchlib::DataInput;
use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use std::collections::HashMap;
use std::hint::black_box;
use streamgauge::sketch::SpaceSaving;

/// A row of an answer: rank, count, and bounds where there are any.
pub struct Row {
    pub rank: u32,
    pub count: u64,
    pub bounds: Option<(u64, u64)>,
}

pub struct Outcome {
    pub nanos: f64,
    pub bytes: usize,
    pub top: Vec<Row>,
}

pub type Run = fn(&Stream, usize) -> Outcome;

pub const TOP: usize = 100;

/// Name, whether every row has bounds, and the runs over text and over integers.
pub const CONTESTANTS: &[(&str, bool, Run, Run)] = &[
    ("streamgauge", true, ours_text, ours_integers),
    ("streamgauge, one by one", true, ours_text_single, ours_integers_single),
    ("datasketches FrequentItems", true, datasketches_text, datasketches_integers),
    ("asap_sketchlib SpaceSaving", true, asap_text, asap_integers),
    ("topk FilteredSpaceSaving", true, topk_text, topk_integers),
    ("sketches SpaceSaving", true, sketches_text, sketches_integers),
    ("streaming_algorithms Top", false, streaming_text, streaming_integers),
    ("heavykeeper Bucketed", false, bucketed_text, bucketed_integers),
    ("heavykeeper Cuckoo", false, cuckoo_text, cuckoo_integers),
    ("exact hashbrown map", true, exact_text, exact_integers),
];

fn rank_of_integer(stream: &Stream) -> HashMap<u64, u32> {
    // Only the keys that an answer can hold: the heaviest ten thousand, and whoever else comes out
    // is given no rank.
    (0..stream.counts.len().min(4_000_000) as u32).map(|rank| (crate::streams::key(rank), rank)).collect()
}

thread_local! {
    static RANKS: std::cell::RefCell<HashMap<u64, u32>> = std::cell::RefCell::default();
}

fn rank(stream: &Stream, key: u64) -> u32 {
    RANKS.with_borrow_mut(|ranks| {
        if ranks.is_empty() {
            *ranks = rank_of_integer(stream);
        }
        ranks.get(&key).copied().unwrap_or(u32::MAX)
    })
}

fn ours(nanos: f64, bytes: usize, top: Vec<(u32, u64, u64, u64)>) -> Outcome {
    Outcome { nanos, bytes, top: top.into_iter().map(|(rank, count, lower, upper)| Row { rank, count, bounds: Some((lower, upper)) }).collect() }
}

fn ours_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = SpaceSaving::<str>::with_capacity(m).expect("a capacity in range");
    let nanos = nanos(|| sketch.add_batch(urls.iter().copied()));
    ours(nanos, sketch.resident_bytes(), sketch.top(TOP).iter().map(|row| (rank_of_url(&row.key), row.count, row.lower, row.upper)).collect())
}

fn ours_text_single(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = SpaceSaving::<str>::with_capacity(m).expect("a capacity in range");
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.add(url, 1)));
    ours(nanos, sketch.resident_bytes(), sketch.top(TOP).iter().map(|row| (rank_of_url(&row.key), row.count, row.lower, row.upper)).collect())
}

fn ours_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = SpaceSaving::<u64>::with_capacity(m).expect("a capacity in range");
    let nanos = nanos(|| sketch.add_batch(&stream.integers));
    ours(nanos, sketch.resident_bytes(), sketch.top(TOP).iter().map(|row| (rank(stream, row.key), row.count, row.lower, row.upper)).collect())
}

fn ours_integers_single(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = SpaceSaving::<u64>::with_capacity(m).expect("a capacity in range");
    let nanos = nanos(|| stream.integers.iter().for_each(|key| sketch.add(key, 1)));
    ours(nanos, sketch.resident_bytes(), sketch.top(TOP).iter().map(|row| (rank(stream, row.key), row.count, row.lower, row.upper)).collect())
}

fn datasketches_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = FrequentItemsSketch::<String>::new(map_size(m)).expect("a map size in range");
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.update_ref(url)));
    let rows = sketch.frequent_items(ErrorType::NoFalseNegatives);
    let top = rows.iter().take(TOP).map(|row| (rank_of_url(row.item()), row.estimate(), row.lower_bound(), row.upper_bound())).collect();
    ours(nanos, sketch.current_map_capacity() * 4 / 3 * 34 + rows.iter().map(|row| row.item().len()).sum::<usize>(), top)
}

fn datasketches_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = FrequentItemsSketch::<u64>::new(map_size(m)).expect("a map size in range");
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| sketch.update(key)));
    let rows = sketch.frequent_items(ErrorType::NoFalseNegatives);
    let top = rows.iter().take(TOP).map(|row| (rank(stream, *row.item()), row.estimate(), row.lower_bound(), row.upper_bound())).collect();
    ours(nanos, sketch.current_map_capacity() * 4 / 3 * 18, top)
}

/// Its map is three quarters full at most, so this is the smallest that has room for `m`.
fn map_size(m: usize) -> usize {
    (m * 4 / 3).next_power_of_two()
}

fn asap_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = asap_sketchlib::SpaceSaving::<asap_sketchlib::DefaultXxHasher>::with_capacity(m);
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.update(&DataInput::Str(url))));
    asap(stream, nanos, &sketch)
}

fn asap_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = asap_sketchlib::SpaceSaving::<asap_sketchlib::DefaultXxHasher>::with_capacity(m);
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| sketch.update(&DataInput::U64(key))));
    asap(stream, nanos, &sketch)
}

fn asap(stream: &Stream, nanos: f64, sketch: &asap_sketchlib::SpaceSaving) -> Outcome {
    let top = sketch.top_k(TOP).into_iter().map(|(key, count, error)| {
        let rank = match key.as_data_input() {
            DataInput::Str(url) => rank_of_url(url),
            DataInput::String(url) => rank_of_url(&url),
            DataInput::U64(key) => rank(stream, key),
            _ => u32::MAX,
        };
        (rank, count, count - error, count)
    });
    ours(nanos, sketch.capacity() * 120, top.collect())
}

fn topk_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = topk::FilteredSpaceSaving::<&str>::new(m);
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.insert(url, 1)));
    let top = sketch.into_sorted_vec().into_iter().take(TOP);
    ours(nanos, m * 100, top.map(|(url, c)| (rank_of_url(url), c.estimated_count(), c.estimated_count() - c.associated_error(), c.estimated_count())).collect())
}

fn topk_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = topk::FilteredSpaceSaving::<u64>::new(m);
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| sketch.insert(key, 1)));
    let top = sketch.into_sorted_vec().into_iter().take(TOP);
    ours(nanos, m * 100, top.map(|(key, c)| (rank(stream, key), c.estimated_count(), c.estimated_count() - c.associated_error(), c.estimated_count())).collect())
}

fn sketches_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = sketches::space_saving::SpaceSaving::<&str>::new(m).expect("a capacity in range");
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.insert(url)));
    ours(nanos, m * 100, sketch.top_k(TOP).into_iter().map(|(url, count, error)| (rank_of_url(url), count, count - error, count)).collect())
}

fn sketches_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = sketches::space_saving::SpaceSaving::<u64>::new(m).expect("a capacity in range");
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| sketch.insert(key)));
    ours(nanos, m * 100, sketch.top_k(TOP).into_iter().map(|(key, count, error)| (rank(stream, key), count, count - error, count)).collect())
}

fn streaming_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = streaming_algorithms::Top::<&str, usize>::new(m, 0.01, 0.001, ());
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.push(url, &1)));
    let top = sketch.iter().take(TOP).map(|(url, &count)| Row { rank: rank_of_url(url), count: count as u64, bounds: None }).collect();
    Outcome { nanos, bytes: m * 100 + 4096 * 7 * 8, top }
}

fn streaming_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = streaming_algorithms::Top::<u64, usize>::new(m, 0.01, 0.001, ());
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| sketch.push(key, &1)));
    let top = sketch.iter().take(TOP).map(|(&key, &count)| Row { rank: rank(stream, key), count: count as u64, bounds: None }).collect();
    Outcome { nanos, bytes: m * 100 + 4096 * 7 * 8, top }
}

/// As its documentation advises: the width a power of two, depth 4, decay 0.9; as many cells as 2
/// for each of the m counters.
fn bucketed_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = heavykeeper::BucketedTopK::<String>::new(m, (m / 2).next_power_of_two(), 4, 0.9);
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.add(url, 1)));
    let top = sketch.list().into_iter().take(TOP).map(|node| Row { rank: rank_of_url(&node.item), count: node.count, bounds: None });
    Outcome { nanos, bytes: sketch.mem_bytes(|key| key.len()), top: top.collect() }
}

fn bucketed_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = heavykeeper::BucketedTopK::<u64>::new(m, (m / 2).next_power_of_two(), 4, 0.9);
    let nanos = nanos(|| stream.integers.iter().for_each(|key| sketch.add(key, 1)));
    let top = sketch.list().into_iter().take(TOP).map(|node| Row { rank: rank(stream, node.item), count: node.count, bounds: None });
    Outcome { nanos, bytes: sketch.mem_bytes(|_| 0), top: top.collect() }
}

fn cuckoo_text(stream: &Stream, m: usize) -> Outcome {
    let urls = stream.urls();
    let mut sketch = heavykeeper::CuckooTopK::<String>::new(m, (m / 2).next_power_of_two(), 4, 0.9);
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.add(url, 1)));
    let top = sketch.list().into_iter().take(TOP).map(|node| Row { rank: rank_of_url(&node.item), count: node.count, bounds: None });
    Outcome { nanos, bytes: sketch.mem_bytes(|key| key.len()), top: top.collect() }
}

fn cuckoo_integers(stream: &Stream, m: usize) -> Outcome {
    let mut sketch = heavykeeper::CuckooTopK::<u64>::new(m, (m / 2).next_power_of_two(), 4, 0.9);
    let nanos = nanos(|| stream.integers.iter().for_each(|key| sketch.add(key, 1)));
    let top = sketch.list().into_iter().take(TOP).map(|node| Row { rank: rank(stream, node.item), count: node.count, bounds: None });
    Outcome { nanos, bytes: sketch.mem_bytes(|_| 0), top: top.collect() }
}

fn exact_text(stream: &Stream, _: usize) -> Outcome {
    let urls = stream.urls();
    let mut map = hashbrown::HashMap::<String, u64, foldhash::fast::FixedState>::default();
    let nanos = nanos(|| urls.iter().for_each(|&url| *map.entry_ref(url).or_insert(0) += 1));
    let bytes = map.allocation_size() + map.keys().map(String::len).sum::<usize>();
    let mut top: Vec<_> = map.iter().map(|(url, &count)| (rank_of_url(url), count, count, count)).collect();
    top.sort_by_key(|row| (std::cmp::Reverse(row.1), row.0));
    top.truncate(TOP);
    ours(nanos, bytes, top)
}

fn exact_integers(stream: &Stream, _: usize) -> Outcome {
    let mut map = hashbrown::HashMap::<u64, u64, foldhash::fast::FixedState>::default();
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| *map.entry(key).or_insert(0) += 1));
    let mut top: Vec<_> = black_box(&map).iter().map(|(&key, &count)| (rank(stream, key), count, count, count)).collect();
    top.sort_by_key(|row| (std::cmp::Reverse(row.1), row.0));
    top.truncate(TOP);
    ours(nanos, map.allocation_size(), top)
}
