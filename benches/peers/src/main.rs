//! Measures streamgauge's sketches beside other crates' in one run, and prints the tables as
//! Markdown.
//!
//! `cargo run --release` prints all tables; see `--help`.

mod count_min;
mod extremes;
mod streams;
mod timing;
mod top_k;

use streams::Stream;
use timing::median;

const HELP: &str = "\
usage: streamgauge-peers [TABLE]... [--records N] [--rounds N] [--only NAME]
tables: count-min top-k merge bytes flood (all unless named)
--records N   records of a stream, 10000000 unless given
--rounds N    rounds of which the median is taken, 5 unless given; the contestants take turns within a round
--only NAME   only contestants whose name contains NAME";

struct Options {
    tables: Vec<String>,
    records: usize,
    rounds: usize,
    only: String,
}

impl Options {
    fn from_arguments() -> Result<Options, String> {
        let mut options = Options { tables: Vec::new(), records: 10_000_000, rounds: 5, only: String::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--records" => options.records = value()?.parse().map_err(|error| format!("--records: {error}"))?,
                "--rounds" => options.rounds = value()?.parse().map_err(|error| format!("--rounds: {error}"))?,
                "--only" => options.only = value()?,
                name if name.starts_with('-') => return Err(String::from(HELP)),
                name => options.tables.push(name.into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, table: &str) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|name| name == table)
    }

    fn lets_in(&self, name: &str) -> bool {
        self.only.split(',').any(|part| name.contains(part))
    }
}

fn main() {
    let options = Options::from_arguments().unwrap_or_else(|message| {
        eprintln!("{message}");
        std::process::exit(2)
    });
    let streams = [(1.1, 1_000_000), (0.8, 10_000_000), (0.0, 10_000_000)];
    for (index, (law, distinct)) in streams.into_iter().enumerate() {
        let stream = Stream::new(law, distinct, options.records, 1 + index as u64);
        if options.wants("count-min") {
            for (width, depth) in [(4096, 5), (1 << 20, 4)] {
                count_min_table(&stream, width, depth, &options);
            }
        }
        if options.wants("top-k") {
            top_k_table(&stream, 1000, &options);
        }
        if options.wants("merge") {
            extremes::merge(&stream, 1000);
        }
        if options.wants("bytes") && law == 0.8 {
            extremes::equal_bytes(&stream, 48 << 10);
        }
    }
    if options.wants("flood") {
        extremes::flood(options.rounds);
    }
}

fn count_min_table(stream: &Stream, width: usize, depth: usize, options: &Options) {
    println!("\n### Count-min, {width} x {depth}: {}\n", stream.name);
    println!("| | text, ns/update | integers, ns/update | KiB | worst error / total | share over e / width |");
    println!("|---|---|---|---|---|---|");
    // The heaviest ten thousand and as many spread over the rest.
    let step = (stream.counts.len() / 10_000).max(1);
    let probes: Vec<u32> = (0..10_000).chain((10_000..stream.counts.len() as u32).step_by(step)).collect();
    let contestants: Vec<_> = count_min::CONTESTANTS.iter().filter(|contestant| options.lets_in(contestant.0)).collect();
    let mut nanos = vec![(Vec::new(), Vec::new()); contestants.len()];
    let mut last = Vec::new();
    for _ in 0..options.rounds {
        last.clear();
        for ((_, text, integers), (text_nanos, integer_nanos)) in contestants.iter().zip(&mut nanos) {
            let outcome = text(stream, width, depth, &probes);
            text_nanos.push(outcome.nanos);
            integer_nanos.push(integers(stream, width, depth, &probes).nanos);
            last.push(outcome);
        }
    }
    let records = stream.len() as f64;
    for ((contestant, outcome), (text, integers)) in contestants.iter().zip(&last).zip(&mut nanos) {
        let errors = || outcome.estimates.iter().zip(&probes).map(|(&got, &rank)| got as f64 - f64::from(stream.counts[rank as usize]));
        let bound = std::f64::consts::E / width as f64 * records;
        println!(
            "| {} | {:.1} | {:.1} | {} | {:.1e} | {:.4} % |{}",
            contestant.0,
            median(text) / records,
            median(integers) / records,
            outcome.bytes / 1024,
            errors().fold(0.0, f64::max) / records,
            100.0 * errors().filter(|&error| error > bound).count() as f64 / probes.len() as f64,
            if errors().any(|error| error < 0.0) { " BELOW THE TRUE COUNT" } else { "" }
        );
    }
}

fn top_k_table(stream: &Stream, m: usize, options: &Options) {
    println!("\n### Top-k, {m} counters: {}\n", stream.name);
    println!("| | text, ns/update | integers, ns/update | KiB (text) | KiB (integers) | recall@100 | mean width of the bounds / count |");
    println!("|---|---|---|---|---|---|---|");
    let contestants: Vec<_> = top_k::CONTESTANTS.iter().filter(|contestant| options.lets_in(contestant.0)).collect();
    let mut nanos = vec![(Vec::new(), Vec::new()); contestants.len()];
    let mut last = Vec::new();
    for _ in 0..options.rounds {
        last.clear();
        for ((_, _, text, integers), (text_nanos, integer_nanos)) in contestants.iter().zip(&mut nanos) {
            let outcome = text(stream, m);
            text_nanos.push(outcome.nanos);
            let of_integers = integers(stream, m);
            integer_nanos.push(of_integers.nanos);
            last.push((outcome, of_integers.bytes));
        }
    }
    let truth = stream.true_top(top_k::TOP);
    let records = stream.len() as f64;
    for ((contestant, (outcome, integer_bytes)), (text, integers)) in contestants.iter().zip(&last).zip(&mut nanos) {
        let least = truth.last().map_or(0, |&rank| stream.counts[rank as usize]);
        let count = |rank: u32| stream.counts.get(rank as usize).copied().unwrap_or(0);
        let found = outcome.top.iter().filter(|row| count(row.rank) >= least).count();
        let wrong = outcome.top.iter().any(|row| {
            row.bounds.is_some_and(|(lower, upper)| !(lower..=upper).contains(&u64::from(count(row.rank))))
        });
        let widths: Vec<f64> =
            outcome.top.iter().filter_map(|row| row.bounds.map(|(lower, upper)| (upper - lower) as f64 / f64::from(count(row.rank).max(1)))).collect();
        let width = if widths.is_empty() { String::from("none") } else { format!("{:.3}", widths.iter().sum::<f64>() / widths.len() as f64) };
        println!(
            "| {} | {:.1} | {:.1} | {} | {} | {:.2} | {} |{}",
            contestant.0,
            median(text) / records,
            median(integers) / records,
            outcome.bytes / 1024,
            integer_bytes / 1024,
            found as f64 / truth.len() as f64,
            width,
            if wrong { " WRONG BOUNDS" } else { "" }
        );
    }
}
