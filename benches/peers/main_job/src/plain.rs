//! The four tasks as one writes them in an afternoon: `serde_json`, `HashMap`, everything in
//! memory.
//!
//! `plain T1|T2|T3|T4 FILE.jsonl OUT.csv`

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

#[derive(Deserialize)]
struct Hit {
    ts: i64,
    user_id: String,
    url: String,
    country: String,
    latency_ms: u64,
    bytes: u64,
}

const MINUTE: i64 = 60_000;
const PANE: i64 = 10_000;
const PANES: i64 = 30;

type Out = BufWriter<File>;
type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, file, out] = arguments.as_slice() else { return Err("usage: plain TASK FILE OUT".into()) };
    let hits = BufReader::new(File::open(file)?).lines();
    let hits = hits.map(|line| Ok(serde_json::from_str::<Hit>(&line?)?));
    let mut out = BufWriter::new(File::create(out)?);
    match task.as_str() {
        "T1" => sums(hits, &mut out),
        "T2" => tops(hits, &mut out),
        "T3" => sliding_tops(hits, &mut out),
        "T4" => sliding_groups(hits, &mut out),
        other => Err(format!("{other} is no task").into()),
    }
}

fn sums(hits: impl Iterator<Item = Result<Hit, Box<dyn Error>>>, out: &mut Out) -> Outcome {
    let mut groups: HashMap<(i64, String), (u64, u64, u64)> = HashMap::new();
    for hit in hits {
        let hit = hit?;
        let group = groups.entry((hit.ts.div_euclid(MINUTE) * MINUTE, hit.country)).or_default();
        *group = (group.0 + 1, group.1 + hit.bytes, group.2 + hit.latency_ms);
    }
    for ((start, country), (count, bytes, latency)) in groups.into_iter().collect::<BTreeMap<_, _>>() {
        writeln!(out, "{start},{country},{count},{bytes},{:.6}", latency as f64 / count as f64)?;
    }
    Ok(())
}

fn write_top(out: &mut Out, start: i64, urls: &HashMap<&str, u64>) -> Outcome {
    let mut ranked: Vec<_> = urls.iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (url, count) in ranked.into_iter().take(10) {
        writeln!(out, "{start},{url},{count}")?;
    }
    Ok(())
}

fn counts(
    hits: impl Iterator<Item = Result<Hit, Box<dyn Error>>>,
    size: i64,
) -> Result<BTreeMap<i64, HashMap<String, u64>>, Box<dyn Error>> {
    let mut panes: BTreeMap<i64, HashMap<String, u64>> = BTreeMap::new();
    for hit in hits {
        let hit = hit?;
        *panes.entry(hit.ts.div_euclid(size) * size).or_default().entry(hit.url).or_default() += 1;
    }
    Ok(panes)
}

fn tops(hits: impl Iterator<Item = Result<Hit, Box<dyn Error>>>, out: &mut Out) -> Outcome {
    for (start, urls) in counts(hits, MINUTE)? {
        write_top(out, start, &urls.iter().map(|(url, count)| (url.as_str(), *count)).collect())?;
    }
    Ok(())
}

/// The starts of all windows that hold one of the panes.
fn windows<T>(panes: &BTreeMap<i64, T>) -> std::collections::BTreeSet<i64> {
    panes.keys().flat_map(|pane| (0..PANES).map(move |back| pane - back * PANE)).collect()
}

fn sliding_tops(hits: impl Iterator<Item = Result<Hit, Box<dyn Error>>>, out: &mut Out) -> Outcome {
    let panes = counts(hits, PANE)?;
    for start in windows(&panes) {
        let mut urls: HashMap<&str, u64> = HashMap::new();
        for (url, count) in panes.range(start..start + PANES * PANE).flat_map(|(_, urls)| urls) {
            *urls.entry(url).or_default() += count;
        }
        write_top(out, start, &urls)?;
    }
    Ok(())
}

fn sliding_groups(hits: impl Iterator<Item = Result<Hit, Box<dyn Error>>>, out: &mut Out) -> Outcome {
    let mut panes: BTreeMap<i64, HashMap<String, (Vec<u64>, HashSet<String>)>> = BTreeMap::new();
    for hit in hits {
        let hit = hit?;
        let group = panes.entry(hit.ts.div_euclid(PANE) * PANE).or_default().entry(hit.country).or_default();
        group.0.push(hit.latency_ms);
        group.1.insert(hit.user_id);
    }
    for start in windows(&panes) {
        let mut groups: BTreeMap<&str, (Vec<u64>, HashSet<&str>)> = BTreeMap::new();
        for (country, (latencies, users)) in panes.range(start..start + PANES * PANE).flat_map(|(_, groups)| groups) {
            let group = groups.entry(country).or_default();
            group.0.extend(latencies);
            group.1.extend(users.iter().map(String::as_str));
        }
        for (country, (mut latencies, users)) in groups {
            latencies.sort_unstable();
            let count = latencies.len();
            writeln!(out, "{start},{country},{count},{},{}", latencies[(count * 99).div_ceil(100) - 1], users.len())?;
        }
    }
    Ok(())
}
