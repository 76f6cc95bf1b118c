//! A deterministic simulation of a deployment. One seed decides the records, their disorder,
//! batches, redeliveries, crashes, stale owners, a store that loses its last write, reshards and
//! jumps of the clock. The final answers are always those of a batch query over all records.
//!
//! `STREAMGAUGE_SIMULATION=n` runs seed n, `STREAMGAUGE_SIMULATIONS=n` runs n seeds, and
//! `STREAMGAUGE_FULL=1` a hundred thousand.

#[cfg(feature = "kcl")]
mod kcl;
mod source;
mod store;
mod world;

use std::collections::BTreeMap;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Returns a number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Count and sum by group, by window.
pub(crate) type Answers = BTreeMap<(i64, i64), BTreeMap<String, (u64, i128)>>;

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("STREAMGAUGE_SIMULATION") {
        return seed..seed + 1;
    }
    let full = std::env::var_os("STREAMGAUGE_FULL").is_some();
    0..number("STREAMGAUGE_SIMULATIONS").unwrap_or(if full { 100_000 } else { 1000 })
}

fn differences(said: &Answers, expected: &Answers) -> Vec<String> {
    let windows: std::collections::BTreeSet<_> = said.keys().chain(expected.keys()).collect();
    let differ = windows.into_iter().filter(|window| said.get(window) != expected.get(window));
    differ
        .map(|window| {
            format!("{window:?}: {:?} and not {:?}", said.get(window), expected.get(window))
        })
        .collect()
}

#[test]
fn s53_the_final_answers_equal_a_batch_query_whatever_happens() {
    let mut events = BTreeMap::<&'static str, u64>::new();
    for seed in seeds() {
        let run = std::panic::catch_unwind(|| world::run(seed));
        let outcome =
            run.unwrap_or_else(|_| panic!("it panicked with STREAMGAUGE_SIMULATION={seed}"));
        let (differ, windows) =
            (differences(&outcome.answers, &outcome.expected), outcome.expected.len());
        assert!(
            differ.is_empty(),
            "with STREAMGAUGE_SIMULATION={seed}, of {windows} windows {} differ:\n{}",
            differ.len(),
            differ.join("\n")
        );
        outcome
            .events
            .into_iter()
            .for_each(|(event, times)| *events.entry(event).or_default() += times);
    }
    if seeds().end - seeds().start >= 1000 {
        // A simulation in which nothing happens would prove nothing.
        let kinds = [
            "crash",
            "conflict",
            "lost write",
            "unknown write",
            "reshard",
            "redelivery",
            "duplicate",
            "producer retry",
            "clock leap",
            "revision",
        ];
        for kind in kinds {
            assert!(
                events.get(kind).copied().unwrap_or(0) > 100,
                "{kind} hardly ever happens: {events:?}"
            );
        }
        println!("{events:?}");
    }
}
