//! Windows: what a record costs in tumbling and sliding windows, and what a slide costs in the
//! whole engine.
//!
//! Data: 1 M records of 3 fields, in order but for a jitter of 5 s, over 30 minutes. The naive
//! baseline keeps a map from window to answer and adds each record to all of its windows.

use criterion::{Criterion, Throughput};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hint::black_box;
use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::prelude::*;
use streamgauge::window::{IntoWindows, Session};

struct Hit {
    ts: i64,
    bytes: u64,
    key: u64,
}

const RECORDS: usize = 1_000_000;
const SPAN_MS: i64 = 30 * 60 * 1000;

fn hits() -> Vec<Hit> {
    let mut state = 1u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let hit = |index: usize| {
        let jitter = (random() % 10_001) as i64 - 5000;
        Hit {
            ts: index as i64 * SPAN_MS / RECORDS as i64 + jitter,
            bytes: random() % 1000,
            key: random(),
        }
    };
    (0..RECORDS).map(hit).collect()
}

fn naive(hits: &[Hit], size: i64, slide: i64) -> (u64, i128) {
    let mut windows: BTreeMap<i64, (u64, i128)> = BTreeMap::new();
    for hit in hits {
        let mut start = hit.ts.div_euclid(slide) * slide;
        while start + size > hit.ts {
            let answer = windows.entry(start).or_default();
            *answer = (answer.0 + 1, answer.1 + i128::from(hit.bytes));
            start -= slide;
        }
    }
    windows.values().fold((0, 0), |sum, answer| (sum.0 + answer.0, sum.1 + answer.1))
}

fn ours(hits: &[Hit], windows: impl IntoWindows) -> (u64, i128) {
    let mut pipeline = Pipeline::builder()
        .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
        .out_of_orderness(seconds(10))
        .window(windows)
        .aggregate((count(), sum(|hit: &Hit| hit.bytes)))
        .build()
        .expect("valid");
    pipeline.push_batch(hits).expect("no limit is near");
    pipeline.finish();
    pipeline
        .drain()
        .map(|emission| emission.expect("no limit is near").value)
        .fold((0, 0), |sum, (n, bytes)| (sum.0 + n, sum.1 + bytes))
}

/// Three fields.
struct Click {
    ts: i64,
    country: u32,
    bytes: u32,
}

/// The hits as clicks of 200 countries, in the order of time.
fn clicks(hits: &[Hit]) -> Vec<Click> {
    let mut clicks: Vec<Click> = hits
        .iter()
        .map(|hit| Click { ts: hit.ts, country: (hit.key % 200) as u32, bytes: hit.bytes as u32 })
        .collect();
    clicks.sort_by_key(|click| click.ts);
    clicks
}

/// Rows of (window, country, count, sum).
type Rows = Vec<(i64, u32, u64, i128)>;

/// Count and sum by country, a minute at a time; pushed as one batch, or record by record.
fn by_country(clicks: &[Click], whole: bool) -> Rows {
    let mut pipeline = Pipeline::builder()
        .event_time(|click: &Click| Timestamp::from_millis(click.ts))
        .window(Tumbling::new(minutes(1)).expect("valid"))
        .aggregate(group_by(
            |click: &Click| &click.country,
            (count(), sum(|click: &Click| click.bytes)),
        ))
        .build()
        .expect("valid");
    match whole {
        true => pipeline.push_batch(clicks).expect("no limit is near"),
        false => clicks.iter().for_each(|click| {
            assert_eq!(pipeline.push(click).expect("no limit is near"), Outcome::Applied)
        }),
    }
    pipeline.finish();
    let mut rows = vec![];
    for emission in pipeline.drain().map(|emission| emission.expect("no limit is near")) {
        let start = emission.window.map_or(0, |window| window.start().as_millis());
        rows.extend(
            emission.value.rows.into_iter().map(|(country, (n, bytes))| (start, country, n, bytes)),
        );
    }
    rows
}

fn by_country_by_hand(clicks: &[Click]) -> Rows {
    let mut windows: BTreeMap<i64, HashMap<u32, (u64, i128)>> = BTreeMap::new();
    for click in clicks {
        let group = windows
            .entry(click.ts.div_euclid(60_000) * 60_000)
            .or_default()
            .entry(click.country)
            .or_default();
        *group = (group.0 + 1, group.1 + i128::from(click.bytes));
    }
    let rows = windows.into_iter().flat_map(|(start, groups)| {
        groups
            .into_iter()
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .map(move |(country, (n, bytes))| (start, country, n, bytes))
    });
    rows.collect()
}

/// Records that come in order, a millisecond apart: with a slide of a millisecond each completes a
/// window.
const SLIDES: i64 = 100_000;

/// The answers of all windows of `size` panes, one record a pane, added up.
fn slide_by_slide<A: Aggregate<i64>>(
    aggregate: A,
    size: u64,
    value: impl Fn(A::Output) -> i64,
) -> i64 {
    let mut options = EngineOptions::default();
    options.windows = Sliding::new(millis(size), millis(1)).expect("valid").into();
    options.out_of_orderness = Some(millis(0));
    let mut engine = Engine::new(aggregate, options).expect("valid");
    let shard = engine.open_shard(ShardId::new("")).expect("one shard");
    let mut total = 0;
    for time in 0..SLIDES {
        engine
            .push(shard, &(time * 7919 % 1000), Timestamp::from_millis(time))
            .expect("no limit is near");
        while let Some(emission) = engine.next_emission().expect("no limit is near") {
            total += value(emission.value);
        }
    }
    total
}

/// The same by a queue and a running sum, without windows, time or lateness: the windows of the
/// first `SLIDES - 1` records.
fn queue_and_sum(size: u64) -> i64 {
    let (mut queue, mut sum, mut total) = (VecDeque::new(), 0, 0);
    for time in 0..SLIDES - 1 {
        let number = time * 7919 % 1000;
        queue.push_back(number);
        sum += number;
        if queue.len() as u64 > size {
            sum -= queue.pop_front().unwrap_or(0);
        }
        total += sum;
    }
    total
}

/// What a slide costs, whatever the number of panes in a window.
fn slides(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("windows/slide");
    group.throughput(Throughput::Elements(SLIDES as u64)).sample_size(10);
    for size in [16, 256, 4096] {
        let by_sum = || slide_by_slide(sum(|x: &i64| *x), size, |sum| sum as i64);
        assert_eq!(by_sum(), queue_and_sum(size), "sum of {size} panes");
        group.bench_function(format!("subtracting/sum of {size} panes"), |b| {
            b.iter(|| black_box(by_sum()))
        });
        let by_max = || slide_by_slide(max(|x: &i64| *x), size, |max| max.unwrap_or(0));
        group.bench_function(format!("two stacks/max of {size} panes"), |b| {
            b.iter(|| black_box(by_max()))
        });
        group.bench_function(format!("queue/sum of {size} panes"), |b| {
            b.iter(|| black_box(queue_and_sum(size)))
        });
    }
    group.finish();
}

/// 3,000 groups in 3 s, then a leap of event time over the 3,600 windows that they are in.
fn leap() -> Vec<(i64, u64)> {
    (0..3000).map(|n| (n, n as u64)).chain((0..12).map(|n| (7_200_000 + n, 1))).collect()
}

/// How many windows and rows there are, and the records in them, in windows of 1 h every second.
/// Nothing is fetched before the end.
fn leaping(records: &[(i64, u64)]) -> (u64, u64, u64) {
    let mut pipeline = Pipeline::builder()
        .event_time(|record: &(i64, u64)| Timestamp::from_millis(record.0))
        .window(Sliding::new(hours(1), seconds(1)).expect("valid"))
        .aggregate(group_by_value(|record: &(i64, u64)| record.1, count()))
        .build()
        .expect("valid");
    pipeline.push_batch(records).expect("windows that wait take no memory");
    pipeline.finish();
    pipeline.drain().map(|emission| emission.expect("no limit is near").value).fold(
        (0, 0, 0),
        |(windows, rows, records), groups| {
            (
                windows + 1,
                rows + groups.rows.len() as u64,
                records + groups.rows.iter().map(|(_, n)| n).sum::<u64>(),
            )
        },
    )
}

/// The same by a map of the groups of one window after the other.
fn leaping_by_hand(records: &[(i64, u64)]) -> (u64, u64, u64) {
    let mut sum = (0, 0, 0);
    for start in (-3_600_000..=7_200_000).step_by(1000) {
        let mut groups = BTreeMap::<u64, u64>::new();
        let from = records.partition_point(|(time, _)| *time < start);
        for (_, group) in records[from..].iter().take_while(|(time, _)| *time < start + 3_600_000) {
            *groups.entry(*group).or_default() += 1;
        }
        sum = (
            sum.0 + u64::from(!groups.is_empty()),
            sum.1 + groups.len() as u64,
            sum.2 + groups.values().sum::<u64>(),
        );
    }
    sum
}

/// Many windows that become due at once.
fn leaps(criterion: &mut Criterion) {
    let records = leap();
    let expected = leaping_by_hand(&records);
    assert_eq!(leaping(&records), expected);
    let mut group = criterion.benchmark_group("windows/leap");
    group.throughput(Throughput::Elements(expected.1)).sample_size(10);
    group.bench_function("streamgauge/1 h every 1 s of 3000 groups", |b| {
        b.iter(|| black_box(leaping(&records)))
    });
    group.bench_function("naive/1 h every 1 s of 3000 groups", |b| {
        b.iter(|| black_box(leaping_by_hand(&records)))
    });
    group.finish();
}

fn grouped(hits: &[Hit], windows: impl IntoWindows, groups: u64) -> (u64, u64) {
    let mut pipeline = Pipeline::builder()
        .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
        .out_of_orderness(seconds(10))
        .window(windows)
        .aggregate(group_by_value(
            move |hit: &Hit| (hit.key % groups) as u32,
            (count(), sum(|hit: &Hit| hit.bytes)),
        ))
        .build()
        .expect("valid");
    pipeline.push_batch(hits).expect("no limit is near");
    pipeline.finish();
    let (mut windows, mut records) = (0, 0);
    for emission in pipeline.drain() {
        windows += 1;
        records +=
            emission.expect("no limit is near").value.rows.iter().map(|(_, (n, _))| n).sum::<u64>();
    }
    (windows, records)
}

/// How the cost grows with the number of windows, of groups, and of panes in a window: the same
/// records each time.
fn scale(criterion: &mut Criterion, hits: &[Hit]) {
    let mut group = criterion.benchmark_group("windows/scale");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    for (name, size) in [("30 windows", 60_000), ("300 windows", 6000), ("3000 windows", 600)] {
        let windows = || Tumbling::new(millis(size)).expect("valid");
        assert_eq!(grouped(hits, windows(), 10).1, RECORDS as u64, "{name}");
        group.bench_function(format!("streamgauge/{name} of 10 groups"), |b| {
            b.iter(|| black_box(grouped(hits, windows(), 10)))
        });
    }
    for groups in [10, 1000, 100_000] {
        let windows = || Tumbling::new(minutes(5)).expect("valid");
        assert_eq!(grouped(hits, windows(), groups).1, RECORDS as u64, "{groups} groups");
        group.bench_function(format!("streamgauge/6 windows of {groups} groups"), |b| {
            b.iter(|| black_box(grouped(hits, windows(), groups)))
        });
    }
    for slide in [60, 10, 1] {
        let windows = || Sliding::new(minutes(5), seconds(slide)).expect("valid");
        assert_eq!(grouped(hits, windows(), 10).1, RECORDS as u64 * 300 / slide, "every {slide} s");
        group.bench_function(format!("streamgauge/5 m every {slide} s of 10 groups"), |b| {
            b.iter(|| black_box(grouped(hits, windows(), 10)))
        });
    }
    group.finish();
}

/// Four records of each of 100,000 users in the first 20 seconds of each of 10 minutes, in the
/// order of time: 1 M sessions, and as many pairs of a minute and a user.
fn visits() -> Vec<Click> {
    let mut state = 7u64;
    let mut visits: Vec<Click> = (0..4_000_000u32)
        .map(|index| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (minute, user) = (index / 400_000, index % 100_000);
            let ts = i64::from(minute) * 60_000 + (state >> 33) as i64 % 20_000;
            Click { ts, country: user, bytes: 1 }
        })
        .collect();
    visits.sort_by_key(|visit| visit.ts);
    visits
}

/// Returns the number of rows and of records.
fn by_user(visits: &[Click], windows: impl IntoWindows) -> (u64, u64) {
    let mut pipeline = Pipeline::builder()
        .event_time(|visit: &Click| Timestamp::from_millis(visit.ts))
        .window(windows)
        .aggregate(group_by(|visit: &Click| &visit.country, count()))
        .build()
        .expect("valid");
    let (mut rows, mut records) = (0, 0);
    for batch in visits.chunks(1000) {
        pipeline.push_batch(batch).expect("no limit is near");
        for emission in pipeline.drain() {
            let groups = emission.expect("no limit is near").value.rows;
            rows += groups.len() as u64;
            records += groups.iter().map(|(_, count)| count).sum::<u64>();
        }
    }
    pipeline.finish();
    for emission in pipeline.drain() {
        let groups = emission.expect("no limit is near").value.rows;
        rows += groups.len() as u64;
        records += groups.iter().map(|(_, count)| count).sum::<u64>();
    }
    (rows, records)
}

fn sessions(criterion: &mut Criterion) {
    let visits = visits();
    let mut group = criterion.benchmark_group("windows/1 M of 100,000 groups");
    group.throughput(Throughput::Elements(visits.len() as u64)).sample_size(10);
    let all = (1_000_000, 4_000_000);
    group.bench_function("tumbling", |b| {
        b.iter(|| {
            let windows = Tumbling::new(minutes(1)).expect("valid");
            assert_eq!(by_user(black_box(&visits), windows), all);
        });
    });
    group.bench_function("sessions", |b| {
        b.iter(|| {
            let windows = Session::new(seconds(30)).expect("valid");
            assert_eq!(by_user(black_box(&visits), windows), all);
        });
    });
    group.finish();
}

pub(crate) fn benches(criterion: &mut Criterion) {
    sessions(criterion);
    let hits = hits();
    let mut group = criterion.benchmark_group("windows/push");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    // Tumbling windows of 10 s have the panes of the sliding ones: what is left between these two
    // is sliding alone, and not records that jump between panes.
    let shapes = [
        ("tumbling 1 m", 60, 60),
        ("tumbling 10 s", 10, 10),
        ("sliding 5 m every 10 s", 300, 10),
        ("sliding 5 m every 7 s", 300, 7),
    ];
    for (name, size, slide) in shapes {
        let windows = || Sliding::new(seconds(size), seconds(slide)).expect("valid");
        let expected = naive(&hits, size as i64 * 1000, slide as i64 * 1000);
        assert_eq!(ours(&hits, windows()), expected, "{name}");
        group.bench_function(format!("streamgauge/{name}"), |b| {
            b.iter(|| black_box(ours(&hits, windows())))
        });
        group.bench_function(format!("naive/{name}"), |b| {
            b.iter(|| black_box(naive(&hits, size as i64 * 1000, slide as i64 * 1000)))
        });
    }
    let clicks = clicks(&hits);
    let expected = by_country_by_hand(&clicks);
    for (name, whole) in [("a batch", true), ("one by one", false)] {
        assert!(by_country(&clicks, whole) == expected, "{name}");
        group.bench_function(format!("streamgauge/3 fields by u32, {name}"), |b| {
            b.iter(|| black_box(by_country(&clicks, whole)))
        });
    }
    group.bench_function("naive/3 fields by u32", |b| {
        b.iter(|| black_box(by_country_by_hand(&clicks)))
    });
    group.finish();
    slides(criterion);
    leaps(criterion);
    scale(criterion, &hits);
}
