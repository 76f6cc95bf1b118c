//! Count-min: ours, the peers', an exact map. All at the same width and depth.

use crate::streams::{Stream, key};
use crate::timing::nanos;
use asap_sketchlib::{DataInput, FastPath, Vector2D};
use streamgauge::sketch::CountMin;

pub struct Outcome {
    pub nanos: f64,
    pub bytes: usize,
    /// The estimates of the probed ranks.
    pub estimates: Vec<u64>,
}

pub type Run = fn(&Stream, usize, usize, &[u32]) -> Outcome;

/// Name, and the runs over text and over integers.
pub const CONTESTANTS: &[(&str, Run, Run)] = &[
    ("streamgauge", ours_text, ours_integers),
    ("streamgauge, one by one", ours_text_single, ours_integers_single),
    ("streamgauge, conservative", ours_text_conservative, ours_integers_conservative),
    ("asap_sketchlib (i32)", asap_text, asap_integers),
    ("cmsketch + ahash (u32)", cmsketch_text, cmsketch_integers),
    ("datasketches (u64)", datasketches_text, datasketches_integers),
    ("sketches (u64)", sketches_text, sketches_integers),
    ("streaming_algorithms (u32)", streaming_text, streaming_integers),
];

fn text_of(probes: &[u32]) -> impl Iterator<Item = String> {
    probes.iter().map(|&rank| Stream::url_of(rank))
}

fn new(width: usize, depth: usize) -> CountMin {
    CountMin::with_shape(width, depth).expect("a shape in range")
}

fn ours(sketch: CountMin, nanos: f64, estimates: Vec<u64>) -> Outcome {
    Outcome { nanos, bytes: sketch.resident_bytes(), estimates }
}

fn ours_text(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let mut sketch = new(width, depth);
    let nanos = nanos(|| sketch.add_batch(urls.iter().copied()));
    let estimates = text_of(probes).map(|url| sketch.estimate(url.as_str()).value).collect();
    ours(sketch, nanos, estimates)
}

fn ours_text_single(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let mut sketch = new(width, depth);
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.add(url, 1)));
    let estimates = text_of(probes).map(|url| sketch.estimate(url.as_str()).value).collect();
    ours(sketch, nanos, estimates)
}

fn ours_text_conservative(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let mut sketch = new(width, depth).conservative();
    let nanos = nanos(|| sketch.add_batch(urls.iter().copied()));
    let estimates = text_of(probes).map(|url| sketch.estimate(url.as_str()).value).collect();
    ours(sketch, nanos, estimates)
}

fn ours_integers(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let mut sketch = new(width, depth);
    let nanos = nanos(|| sketch.add_batch(&stream.integers));
    let estimates = probes.iter().map(|&rank| sketch.estimate(&key(rank)).value).collect();
    ours(sketch, nanos, estimates)
}

fn ours_integers_single(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let mut sketch = new(width, depth);
    let nanos = nanos(|| stream.integers.iter().for_each(|key| sketch.add(key, 1)));
    let estimates = probes.iter().map(|&rank| sketch.estimate(&key(rank)).value).collect();
    ours(sketch, nanos, estimates)
}

fn ours_integers_conservative(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let mut sketch = new(width, depth).conservative();
    let nanos = nanos(|| sketch.add_batch(&stream.integers));
    let estimates = probes.iter().map(|&rank| sketch.estimate(&key(rank)).value).collect();
    ours(sketch, nanos, estimates)
}

fn asap_text(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let mut sketch = asap_sketchlib::CountMinSketch::<Vector2D<i32>, FastPath>::with_dimensions(depth, width);
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.update(&DataInput::Str(url))));
    let estimates = text_of(probes).map(|url| sketch.estimate(&DataInput::Str(&url)) as u64).collect();
    Outcome { nanos, bytes: width * depth * 4, estimates }
}

fn asap_integers(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let mut sketch = asap_sketchlib::CountMinSketch::<Vector2D<i32>, FastPath>::with_dimensions(depth, width);
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| sketch.update(&DataInput::U64(key))));
    let estimates = probes.iter().map(|&rank| sketch.estimate(&DataInput::U64(key(rank))) as u64).collect();
    Outcome { nanos, bytes: width * depth * 4, estimates }
}

/// Its constructor takes an error and a confidence from which it computes 2 / error and -log2(1 -
/// confidence).
fn cmsketch(width: usize, depth: usize) -> cmsketch::CMSketchU32 {
    cmsketch::CMSketchU32::new(2.0 / width as f64, 1.0 - 0.5f64.powi(depth as i32))
}

fn cmsketch_text(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let hash = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut sketch = cmsketch(width, depth);
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.inc(hash.hash_one(url))));
    let estimates = text_of(probes).map(|url| sketch.estimate(hash.hash_one(url.as_str())).into()).collect();
    Outcome { nanos, bytes: sketch.width() * sketch.depth() * 4, estimates }
}

fn cmsketch_integers(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let hash = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut sketch = cmsketch(width, depth);
    let nanos = nanos(|| stream.integers.iter().for_each(|key| sketch.inc(hash.hash_one(key))));
    let estimates = probes.iter().map(|&rank| sketch.estimate(hash.hash_one(key(rank))).into()).collect();
    Outcome { nanos, bytes: sketch.width() * sketch.depth() * 4, estimates }
}

fn datasketches_text(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let mut sketch = datasketches::countmin::CountMinSketch::<u64>::new(depth as u8, width as u32).expect("a shape in range");
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.update(url)));
    let estimates = text_of(probes).map(|url| sketch.estimate(url.as_str())).collect();
    Outcome { nanos, bytes: width * depth * 8, estimates }
}

fn datasketches_integers(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let mut sketch = datasketches::countmin::CountMinSketch::<u64>::new(depth as u8, width as u32).expect("a shape in range");
    let nanos = nanos(|| stream.integers.iter().for_each(|key| sketch.update(key)));
    let estimates = probes.iter().map(|&rank| sketch.estimate(key(rank))).collect();
    Outcome { nanos, bytes: width * depth * 8, estimates }
}

fn sketches_text(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let mut sketch = sketches::count_min_sketch::CountMinSketch::with_dimensions(width, depth, 1).expect("a shape in range");
    let nanos = nanos(|| urls.iter().for_each(|&url| sketch.increment(url)));
    let estimates = text_of(probes).map(|url| sketch.estimate(url.as_str())).collect();
    Outcome { nanos, bytes: width * depth * 8, estimates }
}

fn sketches_integers(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let mut sketch = sketches::count_min_sketch::CountMinSketch::with_dimensions(width, depth, 1).expect("a shape in range");
    let nanos = nanos(|| stream.integers.iter().for_each(|&key| sketch.increment_u64(key)));
    let estimates = probes.iter().map(|&rank| sketch.estimate_u64(key(rank))).collect();
    Outcome { nanos, bytes: width * depth * 8, estimates }
}

fn streaming<K: std::hash::Hash + ?Sized>(width: usize, depth: usize) -> streaming_algorithms::CountMinSketch<K, u32> {
    // It computes the width as 2 / tolerance and the depth as -log2(1 - probability), rounded down.
    streaming_algorithms::CountMinSketch::new(1.0 - 0.999 * 0.5f64.powi(depth as i32), 2.0 / width as f64, ())
}

fn streaming_text(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let urls = stream.urls();
    let mut sketch = streaming::<str>(width, depth);
    let nanos = nanos(|| urls.iter().for_each(|&url| drop(sketch.push(url, &1))));
    let estimates = text_of(probes).map(|url| sketch.get(url.as_str()).into()).collect();
    Outcome { nanos, bytes: width * depth * 4, estimates }
}

fn streaming_integers(stream: &Stream, width: usize, depth: usize, probes: &[u32]) -> Outcome {
    let mut sketch = streaming::<u64>(width, depth);
    let nanos = nanos(|| stream.integers.iter().for_each(|key| drop(sketch.push(key, &1))));
    let estimates = probes.iter().map(|&rank| sketch.get(&key(rank)).into()).collect();
    Outcome { nanos, bytes: width * depth * 4, estimates }
}
