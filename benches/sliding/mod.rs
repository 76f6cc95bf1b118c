//! The sliding aggregation alone, without an engine around it: what it costs to put a pane in, take
//! one out and say the window's answer; the slowest of many such slides; and what a record costs
//! that comes late.
//!
//! The library shows none of it, so the files of its room are compiled here once more. The baseline
//! is a plain two-stacks-lite over numbers (Tangwongsan, Hirzel and Schneider, VLDB Journal 30,
//! 2021): one queue, its older part turned into running totals in place.

use criterion::{Criterion, Throughput};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};
use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::prelude::*;

#[path = "../../src/window/pane_map.rs"]
#[allow(dead_code, unused_imports, reason = "what only the unit tests need of it is not used here")]
mod pane_map;
#[path = "../../src/window/panes.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "what only the engine and the unit tests need of it is not used here"
)]
mod panes;
#[path = "../../src/window/running.rs"]
mod running;
#[path = "../../src/window/two_stacks.rs"]
#[allow(dead_code, reason = "what only snapshots need of it is not used here")]
mod two_stacks;

use panes::Panes;
use two_stacks::{TwoStacks, WindowMerge};

/// As in `src/window/grid.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pane {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Pane {
    fn contains(self, time: i64) -> bool {
        self.start <= time && time < self.end
    }
}

/// The number that is in the pane of a time.
fn number(time: i64) -> i64 {
    time * 7919 % 1000
}

/// The library's panes and their sliding merge, one pane a millisecond.
struct Ours<A: Aggregate<i64>> {
    aggregate: A,
    panes: Panes<A::Accumulator>,
    stacks: TwoStacks<A::Accumulator>,
    size: i64,
    now: i64,
}

impl<A: Aggregate<i64>> Ours<A> {
    fn new(aggregate: A, size: i64) -> Self {
        Ours { aggregate, panes: Panes::new(), stacks: TwoStacks::new(), size, now: 0 }
    }

    /// A pane enters, the window is asked for, and once it is full one leaves.
    fn slide(&mut self) -> A::Output {
        let (start, end) = (self.now + 1 - self.size, self.now + 1);
        let mut pane = self.aggregate.init();
        self.aggregate.add(&mut pane, &number(self.now), Timestamp::from_millis(self.now));
        self.panes.open(Pane { start: self.now, end }, pane);
        let slid =
            self.stacks.slide(start, end, &self.panes, &self.aggregate).expect("no limit is near");
        let answer = match &slid {
            WindowMerge::New(merged) => self.aggregate.output(merged),
            WindowMerge::Running(merged) => self.aggregate.output(merged),
            WindowMerge::Empty => self.aggregate.output(&self.aggregate.init()),
        };
        if self.panes.first_start().is_some_and(|first| first <= start)
            && let Some((pane, accumulator)) = self.panes.close_first()
        {
            self.stacks.leave(pane, &accumulator, &self.aggregate);
        }
        self.now += 1;
        answer
    }
}

/// Two-stacks-lite over numbers.
struct Lite {
    queue: VecDeque<i64>,
    /// So many of the front are totals of themselves and all after them in the front.
    front: usize,
    back: i64,
    combine: fn(i64, i64) -> i64,
    identity: i64,
    size: usize,
    now: i64,
}

impl Lite {
    fn new(combine: fn(i64, i64) -> i64, identity: i64, size: i64) -> Self {
        Lite {
            queue: VecDeque::new(),
            front: 0,
            back: identity,
            combine,
            identity,
            size: size as usize,
            now: 0,
        }
    }

    fn slide(&mut self) -> i64 {
        let number = number(self.now);
        self.now += 1;
        self.queue.push_back(number);
        self.back = (self.combine)(self.back, number);
        let front = if self.front > 0 {
            self.queue.front().copied().unwrap_or(self.identity)
        } else {
            self.identity
        };
        let answer = (self.combine)(front, self.back);
        if self.queue.len() >= self.size {
            if self.front == 0 {
                let mut total = self.identity;
                for number in self.queue.iter_mut().rev() {
                    total = (self.combine)(*number, total);
                    *number = total;
                }
                (self.front, self.back) = (self.queue.len(), self.identity);
            }
            self.queue.pop_front();
            self.front -= 1;
        }
        answer
    }
}

fn add(left: i64, right: i64) -> i64 {
    left + right
}

/// A number of slides at once, and the same one by one under a stopwatch.
fn measure(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    mut slide: impl FnMut() -> i64,
) {
    group.bench_function(name, |b| b.iter(|| black_box(slide())));
    let mut each: Vec<Duration> = vec![];
    group.bench_function(format!("stopwatch/{name}"), |b| {
        b.iter_custom(|slides| {
            let mut total = Duration::ZERO;
            for _ in 0..slides {
                let start = Instant::now();
                black_box(slide());
                each.push(start.elapsed());
                total += each.last().copied().unwrap_or_default();
            }
            total
        })
    });
    each.sort_unstable();
    let rank = |share: f64| each.get((each.len() as f64 * share) as usize).map(Duration::as_nanos);
    if let (Some(half), Some(most), Some(all)) = (rank(0.5), rank(0.99), rank(0.9999)) {
        eprintln!(
            "stopwatch/{name}: p50 {half} ns, p99 {most} ns, p99.99 {all} ns, of {} slides",
            each.len()
        );
    }
}

fn alone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sliding/alone");
    group.throughput(Throughput::Elements(1));
    for size in [16, 256, 4096, 16_384] {
        let by_sum = || Ours::new(sum(|x: &i64| *x), size);
        let by_max = || Ours::new(max(|x: &i64| *x), size);
        let (lite, lite_max) = (|| Lite::new(add, 0, size), || Lite::new(i64::max, i64::MIN, size));
        let (mut ours, mut theirs, mut most, mut their_most) =
            (by_sum(), lite(), by_max(), lite_max());
        for slide in 0..3 * size {
            assert_eq!(
                ours.slide(),
                i128::from(theirs.slide()),
                "sum of {size} panes, slide {slide}"
            );
            assert_eq!(
                most.slide(),
                Some(their_most.slide()),
                "max of {size} panes, slide {slide}"
            );
        }
        measure(&mut group, &format!("subtracting/sum of {size} panes"), || ours.slide() as i64);
        measure(&mut group, &format!("two stacks/max of {size} panes"), || {
            most.slide().unwrap_or(0)
        });
        measure(&mut group, &format!("lite/sum of {size} panes"), || theirs.slide());
        measure(&mut group, &format!("lite/max of {size} panes"), || their_most.slide());
    }
    group.finish();
}

/// Panes that are open while records come late.
const OPEN: i64 = 1 << 17;

/// An engine with one record in each of its windows of one pane, the clock at the end of the
/// last.
fn with_open_panes(
    out_of_orderness: i64,
    lateness: i64,
) -> (Engine<i64, impl Aggregate<i64, Output = i128>>, streamgauge::engine::Shard) {
    let mut options = EngineOptions::default();
    options.windows = Tumbling::new(millis(1)).expect("valid").into();
    options.out_of_orderness = Some(millis(out_of_orderness as u64));
    options.allowed_lateness = millis(lateness as u64);
    let mut engine = Engine::new(sum(|x: &i64| *x), options).expect("valid");
    let shard = engine.open_shard(ShardId::new("")).expect("one shard");
    for time in 0..=OPEN {
        engine.push(shard, &number(time), Timestamp::from_millis(time)).expect("no limit is near");
        while engine.next_emission().expect("no limit is near").is_some() {}
    }
    (engine, shard)
}

/// A record some panes back, by how it is still taken: it was waited for, so that it only goes
/// into its pane; or it is late within the allowed lateness, and its window is answered again.
fn late(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sliding/out of order");
    group.throughput(Throughput::Elements(1));
    for distance in [1i64, 64, 4096, 65_536] {
        for (name, out_of_orderness, lateness) in
            [("waited for", 2 * OPEN, 0), ("late", 0, 2 * OPEN)]
        {
            let (mut engine, shard) = with_open_panes(out_of_orderness, lateness);
            let mut step = 0i64;
            group.bench_function(format!("{name}, {distance} panes back"), |b| {
                b.iter(|| {
                    // Near that distance, never twice in a row in the same pane.
                    step += 1;
                    let time =
                        Timestamp::from_millis(OPEN - distance - step * 7 % (distance / 4 + 1));
                    let outcome = engine.push(shard, &1, time).expect("no limit is near");
                    assert_eq!(outcome, Outcome::Applied);
                    let mut again = None;
                    while let Some(emission) = engine.next_emission().expect("no limit is near") {
                        again = emission.window;
                    }
                    assert_eq!(again.map(|window| window.start()), (lateness > 0).then_some(time));
                })
            });
        }
    }
    group.finish();
}

pub(crate) fn benches(criterion: &mut Criterion) {
    alone(criterion);
    late(criterion);
}
