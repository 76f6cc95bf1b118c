//! An aggregate of one's own: the geometric mean, in a tuple, in groups and over sliding windows, like one that was built in.
//!
//! `cargo run --example custom_aggregate`

use streamgauge::prelude::*;

struct Hit {
    ts: i64,
    country: &'static str,
    latency_ms: f64,
}

/// The geometric mean of a positive number: `exp` of the mean of the logarithms.
struct GeometricMean<F>(F);

impl<F: Fn(&Hit) -> f64> Aggregate<Hit> for GeometricMean<F> {
    /// How many, and the sum of their logarithms.
    type Accumulator = (u64, f64);
    type Output = Option<f64>;

    fn init(&self) -> (u64, f64) {
        (0, 0.0)
    }

    fn check(&self, _: Option<&(u64, f64)>, hit: &Hit) -> Result<(), Error> {
        let value = (self.0)(hit);
        match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InvalidRecord, format!("{value} has no logarithm"))),
        }
    }

    fn add(&self, (n, logs): &mut (u64, f64), hit: &Hit, _time: Timestamp) {
        *n += 1;
        *logs += (self.0)(hit).ln();
    }

    fn merge(&self, into: &mut (u64, f64), from: &(u64, f64)) -> Result<(), Error> {
        into.0 += from.0;
        into.1 += from.1;
        Ok(())
    }

    fn output(&self, &(n, logs): &(u64, f64)) -> Option<f64> {
        (n > 0).then(|| (logs / n as f64).exp())
    }
}

fn main() -> Result<(), Error> {
    let hits = (0..600u32).map(|n| Hit {
        ts: i64::from(n) * 1_000,
        country: ["DE", "FR"][n as usize % 2],
        // Every hundredth has no latency, and becomes a dead letter.
        latency_ms: f64::from(n % 100),
    });
    let mut pipeline = Pipeline::builder()
        .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
        .window(Sliding::new(minutes(5), minutes(1))?)
        .aggregate((count(), group_by(|hit: &Hit| hit.country, GeometricMean(|hit: &Hit| hit.latency_ms))))
        .build()?;

    let mut out = std::io::stdout().lock();
    for emission in pipeline.over(hits) {
        let (count, means) = emission.value;
        let window = emission.window.expect("the pipeline has windows");
        let means: Vec<String> = means.iter().map(|(country, mean)| format!("{country} {:.2} ms", mean.unwrap_or(f64::NAN))).collect();
        if write_line(&mut out, &format!("{window}: {count} hits, {}", means.join(", "))).is_err() {
            // The reader has gone.
            return Ok(());
        }
    }
    assert_eq!(pipeline.stats().dead_letters, 6);
    Ok(())
}

fn write_line(out: &mut impl std::io::Write, line: &str) -> std::io::Result<()> {
    writeln!(out, "{line}")
}
