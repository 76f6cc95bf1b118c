//! A first pipeline: hits of a web server, per sliding window of five minutes: how many, how many
//! bytes, and the URLs most wanted in each country.
//!
//! `cargo run --example quickstart`

use streamgauge::prelude::*;

struct Hit {
    ts: i64,
    url: String,
    country: &'static str,
    status: u16,
    bytes: u64,
}

/// A thousand hits, one a second.
fn hits() -> impl Iterator<Item = Hit> {
    (0..1_000u32).map(|n| Hit {
        ts: 1_704_067_200_000 + i64::from(n) * 1_000,
        url: format!("/page/{}", n % 7 * n % 5),
        country: ["DE", "FR", "JP"][n as usize % 3],
        status: if n % 50 == 0 { 503 } else { 200 },
        bytes: u64::from(n % 100) * 10,
    })
}

fn main() -> Result<(), Error> {
    let mut pipeline = Pipeline::builder()
        .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
        .out_of_orderness(seconds(5))
        .filter(|hit| hit.status < 500)
        .window(Sliding::new(minutes(5), minutes(1))?)
        .aggregate((
            count(),
            sum(|hit: &Hit| hit.bytes),
            group_by(|hit: &Hit| hit.country, top_k(2, |hit: &Hit| hit.url.as_str())),
        ))
        .build()?;

    let mut lines = Vec::new();
    for emission in pipeline.over(hits()) {
        let (count, bytes, top_by_country) = emission.value;
        let window = emission.window.expect("the pipeline has windows");
        lines.push(format!("{window}: {count} hits, {bytes} bytes"));
        for (country, top) in top_by_country.iter() {
            let urls: Vec<String> =
                top.iter().map(|row| format!("{} ({})", row.key, row.count)).collect();
            lines.push(format!("    {country}: {}", urls.join(", ")));
        }
    }
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
