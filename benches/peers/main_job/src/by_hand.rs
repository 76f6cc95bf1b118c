//! The four tasks written by hand for this one file layout: what can be had by giving up everything
//! else.
//!
//! Fields are found at fixed distances from the quotes of the generated log's layout; nothing is
//! validated, nothing is late, there is one group and one time field, and windows are kept by
//! adding and subtracting dense counters. It is the ceiling that a general program is held against.
//!
//! `by_hand T1|T2|T3|T4 FILE.jsonl OUT.csv`

use ahash::AHashMap;
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read, Write};

const MINUTE: i64 = 60_000;
const PANE: i64 = 10_000;
const PANES: i64 = 30;
/// Latencies end at 30,000.
const LATENCIES: usize = 30_001;

type Out = BufWriter<File>;
type Outcome = Result<(), Box<dyn Error>>;

/// The fields of a line, as the generator writes them.
struct Hit<'a> {
    ts: i64,
    user: &'a [u8],
    url: &'a [u8],
    country: &'a [u8],
    rest: &'a [u8],
}

fn digits(bytes: &[u8]) -> u64 {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |number, byte| number * 10 + u64::from(byte - b'0'))
}

/// `{"ts":1704067201004,"user_id":"u1f58d1a8","url":"/users/0410245/index.html","country":"BR","status":200,"latency_ms":73,"bytes":30050}`
fn hit(line: &[u8]) -> Hit<'_> {
    let url = &line[49..];
    let end = memchr::memchr(b'"', url).unwrap_or(0);
    let country = &url[end + 13..];
    Hit { ts: digits(&line[6..19]) as i64, user: &line[31..40], url: &url[..end], country: &country[..2], rest: &country[2..] }
}

impl Hit<'_> {
    /// Latency and bytes, behind `","status":200,"latency_ms":`.
    fn numbers(&self) -> (u64, u64) {
        let latency = digits(&self.rest[28..]);
        let colon = memchr::memrchr(b':', self.rest).unwrap_or(0);
        (latency, digits(&self.rest[colon + 1..]))
    }
}

/// Calls `f` with every line of the file.
fn each(file: &str, mut f: impl FnMut(Hit<'_>)) -> Outcome {
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 256 << 10];
    let mut filled = 0;
    loop {
        let len = file.read(&mut buffer[filled..])?;
        filled += len;
        if len == 0 {
            return Ok(());
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            f(hit(&buffer[start..end]));
            start = end + 1;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}

/// Numbers for keys.
#[derive(Default)]
struct Names {
    numbers: AHashMap<Box<[u8]>, u32>,
    names: Vec<Box<[u8]>>,
}

impl Names {
    fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(name.into());
        self.numbers.insert(name.into(), self.names.len() as u32 - 1);
        self.names.len() as u32 - 1
    }

    fn name(&self, number: usize) -> String {
        String::from_utf8_lossy(&self.names[number]).into_owned()
    }
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, file, out] = arguments.as_slice() else { return Err("usage: by_hand TASK FILE OUT".into()) };
    let mut out = BufWriter::new(File::create(out)?);
    match task.as_str() {
        "T1" => sums(file, &mut out),
        "T2" => tops(file, &mut out),
        "T3" => sliding_tops(file, &mut out),
        "T4" => sliding_groups(file, &mut out),
        other => Err(format!("{other} is no task").into()),
    }
}

fn sums(file: &str, out: &mut Out) -> Outcome {
    let mut windows: BTreeMap<i64, BTreeMap<[u8; 2], (u64, u64, u64)>> = BTreeMap::new();
    each(file, |hit| {
        let (latency, bytes) = hit.numbers();
        let groups = windows.entry(hit.ts.div_euclid(MINUTE) * MINUTE).or_default();
        let group = groups.entry([hit.country[0], hit.country[1]]).or_default();
        *group = (group.0 + 1, group.1 + bytes, group.2 + latency);
    })?;
    for (start, groups) in windows {
        for (country, (count, bytes, latency)) in groups {
            let country = String::from_utf8_lossy(&country).into_owned();
            writeln!(out, "{start},{country},{count},{bytes},{:.6}", latency as f64 / count as f64)?;
        }
    }
    Ok(())
}

fn write_top(out: &mut Out, start: i64, counts: impl Iterator<Item = (usize, u32)>, names: &Names) -> Outcome {
    let mut best: Vec<(usize, u32)> = Vec::with_capacity(11);
    let before = |a: (usize, u32), b: (usize, u32)| a.1 > b.1 || (a.1 == b.1 && names.names[a.0] < names.names[b.0]);
    for counted in counts.filter(|counted| counted.1 > 0) {
        if best.len() == 10 && !before(counted, best[9]) {
            continue;
        }
        best.truncate(9);
        best.insert(best.partition_point(|other| before(*other, counted)), counted);
    }
    for (number, count) in best {
        writeln!(out, "{start},{},{count}", names.name(number))?;
    }
    Ok(())
}

fn counts(file: &str, size: i64) -> Result<(BTreeMap<i64, AHashMap<u32, u32>>, Names), Box<dyn Error>> {
    let (mut panes, mut names) = (BTreeMap::<i64, AHashMap<u32, u32>>::new(), Names::default());
    each(file, |hit| {
        let number = names.number(hit.url);
        *panes.entry(hit.ts.div_euclid(size) * size).or_default().entry(number).or_default() += 1;
    })?;
    Ok((panes, names))
}

fn tops(file: &str, out: &mut Out) -> Outcome {
    let (windows, names) = counts(file, MINUTE)?;
    for (start, urls) in windows {
        write_top(out, start, urls.iter().map(|(number, count)| (*number as usize, *count)), &names)?;
    }
    Ok(())
}

fn sliding_tops(file: &str, out: &mut Out) -> Outcome {
    let (mut panes, names) = counts(file, PANE)?;
    let (Some(first), Some(last)) = (panes.keys().next().copied(), panes.keys().next_back().copied()) else { return Ok(()) };
    let mut running = vec![0u32; names.names.len()];
    let mut inside: VecDeque<AHashMap<u32, u32>> = VecDeque::new();
    for end in (first..=last + (PANES - 1) * PANE).step_by(PANE as usize) {
        let pane = panes.remove(&end).unwrap_or_default();
        pane.iter().for_each(|(number, count)| running[*number as usize] += count);
        inside.push_back(pane);
        if inside.len() > PANES as usize {
            inside.pop_front().into_iter().flatten().for_each(|(number, count)| running[number as usize] -= count);
        }
        write_top(out, end - (PANES - 1) * PANE, running.iter().copied().enumerate(), &names)?;
    }
    Ok(())
}

/// A country's records of a pane, and the running state of its window.
#[derive(Default)]
struct Group {
    latencies: Vec<u16>,
    users: Vec<u32>,
}

struct Running {
    latencies: Vec<u32>,
    users: AHashMap<u32, u32>,
    count: u64,
}

impl Running {
    fn nearest_rank(&self) -> usize {
        let rank = (self.count * 99).div_ceil(100);
        let mut before = 0;
        self.latencies
            .iter()
            .position(|count| {
                before += u64::from(*count);
                before >= rank
            })
            .unwrap_or(0)
    }
}

fn sliding_groups(file: &str, out: &mut Out) -> Outcome {
    let (mut panes, mut countries, mut users) = (BTreeMap::<i64, Vec<Group>>::new(), Names::default(), Names::default());
    each(file, |hit| {
        let (country, user, (latency, _)) = (countries.number(hit.country) as usize, users.number(hit.user), hit.numbers());
        let pane = panes.entry(hit.ts.div_euclid(PANE) * PANE).or_default();
        if pane.len() <= country {
            pane.resize_with(country + 1, Group::default);
        }
        pane[country].latencies.push(latency as u16);
        pane[country].users.push(user);
    })?;
    let (Some(first), Some(last)) = (panes.keys().next().copied(), panes.keys().next_back().copied()) else { return Ok(()) };
    let fresh = || Running { latencies: vec![0; LATENCIES], users: AHashMap::new(), count: 0 };
    let mut running: Vec<Running> = countries.names.iter().map(|_| fresh()).collect();
    let mut inside: VecDeque<Vec<Group>> = VecDeque::new();
    let mut order: Vec<usize> = (0..running.len()).collect();
    order.sort_by(|a, b| countries.names[*a].cmp(&countries.names[*b]));
    for end in (first..=last + (PANES - 1) * PANE).step_by(PANE as usize) {
        let pane = panes.remove(&end).unwrap_or_default();
        for (running, group) in running.iter_mut().zip(&pane) {
            running.count += group.latencies.len() as u64;
            group.latencies.iter().for_each(|latency| running.latencies[*latency as usize] += 1);
            group.users.iter().for_each(|user| *running.users.entry(*user).or_default() += 1);
        }
        inside.push_back(pane);
        if inside.len() > PANES as usize {
            for (running, group) in running.iter_mut().zip(inside.pop_front().into_iter().flatten()) {
                running.count -= group.latencies.len() as u64;
                group.latencies.iter().for_each(|latency| running.latencies[*latency as usize] -= 1);
                for user in group.users {
                    if let Some(count) = running.users.get_mut(&user) {
                        *count -= 1;
                        if *count == 0 {
                            running.users.remove(&user);
                        }
                    }
                }
            }
        }
        for country in order.iter().copied().filter(|country| running[*country].count > 0) {
            let group = &running[country];
            let start = end - (PANES - 1) * PANE;
            writeln!(out, "{start},{},{},{},{}", countries.name(country), group.count, group.nearest_rank(), group.users.len())?;
        }
    }
    Ok(())
}
