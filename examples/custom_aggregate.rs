//! An aggregate of one's own: the geometric mean. It works wherever a built-in does, in tuples and
//! in groups.
//!
//! `cargo run --example custom_aggregate`

use streamgauge::aggregate::ExactSum;
use streamgauge::prelude::*;

struct Hit {
    ts: i64,
    country: &'static str,
    latency_ms: f64,
}

/// The geometric mean of a number above 0: exp of the mean of its logarithms.
struct GeometricMean<F>(F);

impl<F: Fn(&Hit) -> f64> Aggregate<Hit> for GeometricMean<F> {
    /// How many numbers there were, and the exact sum of their logarithms, so that the order of the
    /// records does not show.
    type Accumulator = (u64, ExactSum);
    type Output = Option<f64>;

    fn init(&self) -> (u64, ExactSum) {
        (0, ExactSum::default())
    }

    fn check(&self, _accumulator: Option<&(u64, ExactSum)>, hit: &Hit) -> Result<(), Error> {
        let number = (self.0)(hit);
        if number > 0.0 && number.is_finite() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidRecord,
            format!("the geometric mean of {number}; only numbers above 0 have one"),
        ))
    }

    fn add(&self, (n, logarithms): &mut (u64, ExactSum), hit: &Hit, _time: Timestamp) {
        *n += 1;
        logarithms.add((self.0)(hit).ln());
    }

    fn merge(&self, into: &mut (u64, ExactSum), from: &(u64, ExactSum)) -> Result<(), Error> {
        into.0 += from.0;
        into.1.merge(&from.1);
        Ok(())
    }

    fn output(&self, (n, logarithms): &(u64, ExactSum)) -> Option<f64> {
        (*n > 0).then(|| logarithms.divided_by(*n).exp())
    }
}

/// Sixty hits, one a second; the last of them has a latency that has no logarithm, and becomes a
/// dead letter.
fn hits() -> impl Iterator<Item = Hit> {
    (0..60u32).map(|n| Hit {
        ts: 1_704_067_200_000 + i64::from(n) * 1_000,
        country: ["DE", "FR"][n as usize % 2],
        latency_ms: if n == 59 { 0.0 } else { f64::from(1 << (n % 6)) },
    })
}

fn main() -> Result<(), Error> {
    let latency = || GeometricMean(|hit: &Hit| hit.latency_ms);
    let mut pipeline = Pipeline::builder()
        .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
        .window(minutes(1))
        .aggregate((
            count(),
            mean(|hit: &Hit| hit.latency_ms),
            latency(),
            group_by(|hit: &Hit| hit.country, latency()),
        ))
        .build()?;

    let mut lines = Vec::new();
    for emission in pipeline.over(hits()) {
        let (count, mean, geometric, by_country) = emission.value;
        lines.push(format!(
            "{count} hits, mean {:.2} ms, geometric mean {:.2} ms",
            mean.unwrap_or(0.0),
            geometric.unwrap_or(0.0)
        ));
        for (country, geometric) in &by_country {
            lines.push(format!("    {country}: {:.2} ms", geometric.unwrap_or(0.0)));
        }
    }
    lines.push(format!("{} dead letter", pipeline.stats().dead_letters));
    print(&lines)
}

/// To standard output, whose reader may be gone.
fn print(lines: &[String]) -> Result<(), Error> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{}", lines.join("\n")) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Io, "cannot print").with_source(error))
        }
        _ => Ok(()),
    }
}
