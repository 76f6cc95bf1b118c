//! The sketches keep their documented bounds. Measured over fixed seeds: 100 trials in the quick
//! run and 10,000 in the full one (`STREAMGAUGE_FULL=1`). Tolerances are computed from the number
//! of trials, not written by hand.

mod all_at_once;
mod count_min;
mod count_min_exact;
mod distinct;
mod hostile;
mod log_histogram;
mod merge_trees;
mod peers;
mod space_saving;

use std::collections::BTreeMap;

/// Returns the number of trials of a measurement.
fn trials() -> u64 {
    if std::env::var_os("STREAMGAUGE_FULL").is_some_and(|value| value == "1") {
        10_000
    } else {
        100
    }
}

/// Returns the largest credible number of failures of `trials` independent trials that fail with a
/// probability of at most `p`: five standard deviations above the mean, which is exceeded by chance
/// once in three million times.
fn failures_credible(trials: u64, p: f64) -> u64 {
    let mean = trials as f64 * p;
    (mean + 5.0 * (mean * (1.0 - p)).sqrt()).ceil() as u64
}

/// SplitMix64, so that a seed determines a trial.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The shapes of the streams.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// All keys equally often.
    Uniform,
    /// Key number k about 1/k as often as the first: `exp(u * ln(n))` has that density.
    Zipf,
    /// A run of keys that each come once, then frequent ones, which come when all counters are
    /// used.
    LateHeavy,
    /// Keys in turn: every key is evicted just before it comes again.
    Cyclic,
}

const SHAPES: [Shape; 4] = [Shape::Uniform, Shape::Zipf, Shape::LateHeavy, Shape::Cyclic];

/// A stream of keys below `distinct`.
fn stream(shape: Shape, distinct: u64, records: u64, random: &mut Random) -> Vec<u64> {
    let zipf = |random: &mut Random| {
        ((random.unit() * (distinct as f64).ln()).exp() as u64 - 1).min(distinct - 1)
    };
    (0..records)
        .map(|at| match shape {
            Shape::Uniform => random.below(distinct),
            Shape::Zipf => zipf(random),
            Shape::LateHeavy if at < records / 2 => at % distinct,
            Shape::LateHeavy => zipf(random),
            Shape::Cyclic => at % distinct,
        })
        .collect()
}

/// Returns the true counts.
fn counts(stream: &[u64]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    stream.iter().for_each(|&key| *counts.entry(key).or_insert(0) += 1);
    counts
}
