//! What the simulations of processes that share a stream have in common: random numbers, records
//! and their answers, and the run over many seeds.
//!
//! `STREAMGAUGE_SIMULATION=n` runs seed n, `STREAMGAUGE_SIMULATIONS=n` runs n seeds, and
//! `STREAMGAUGE_FULL=1` ten thousand.

#![cfg(all(feature = "spec", any(feature = "dynamodb", feature = "kafka")))]

use crate::merger::{MergerControl, MergerOptions};
use crate::query::PipelineSpec;
use crate::record::Record;
use crate::rows::CompileOptions;
use crate::snapshot::Partial;
use crate::time::Timestamp;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::env;
use std::ops::Range;
use std::time::Duration;

/// How far a record may be behind the latest one of its shard.
pub(crate) const DISORDER: i64 = 3_000;
/// The length of a window.
const WINDOW: i64 = 10_000;
/// The event time of the records that complete all windows.
const LAST: i64 = 1_900_000_000_000;
/// The time at which a simulation begins.
pub(crate) const START: i64 = 1_700_000_000_000;
/// No run may take longer after the last fault: nothing may be stuck.
pub(crate) const CALM_MAX: i64 = 1_200_000;
/// The payload of a record that completes all windows.
pub(crate) const LAST_PAYLOAD: &str = r#"{"ts":1900000000000,"g":"end","v":0}"#;

/// How often each kind of event has happened.
pub(crate) type Events = BTreeMap<&'static str, u64>;

/// Count and sum of each window and group.
pub(crate) type Answers = BTreeMap<(i64, String), (u64, i64)>;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(Cell::new(seed))
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }

    pub(crate) fn chance(&self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// Returns the payload of a record that arrives at a time after the start.
    pub(crate) fn payload(&self, arrival: i64) -> String {
        let time = START + arrival - self.below(DISORDER as u64) as i64;
        format!(r#"{{"ts":{time},"g":"g{}","v":{}}}"#, self.below(3), self.below(100))
    }

    /// Returns a pipeline, and the time after which the clock completes windows, if it does.
    pub(crate) fn pipeline(&self) -> (PipelineSpec, Option<Duration>) {
        let idle_after = self.chance(300).then(|| Duration::from_secs(5 + self.below(20)));
        let lateness = if idle_after.is_some() { "lateness = \"10h\"\n" } else { "" };
        let text = format!(
            "time = \"ts\"\ntime_format = \"ms\"\nwindow = \"10s\"\nmax_delay = \"3s\"\n\
             max_ahead = \"off\"\n{lateness}group = \"g\"\nagg = \"count, sum(v) as v\"\n"
        );
        (PipelineSpec::from_toml(&text, "simulation").unwrap(), idle_after)
    }
}

/// The windows that were emitted.
#[derive(Default)]
pub(crate) struct Emitted {
    partials: RefCell<Vec<Partial>>,
    first: RefCell<BTreeMap<(String, i64, u32, bool), Bytes>>,
}

impl Emitted {
    /// Adds a window. It must not come again with other content under the same revision.
    pub(crate) fn add(&self, partial: &Partial) {
        let end = partial.window().unwrap().end().as_millis();
        // One that is emitted again later may be final, because more records have passed it.
        let key = (partial.source().to_owned(), end, partial.revision(), partial.is_final());
        let mut all = self.first.borrow_mut();
        let first = all.entry(key.clone()).or_insert_with(|| partial.bytes().clone());
        assert_eq!(first, partial.bytes(), "{key:?} is emitted with other content");
        self.partials.borrow_mut().push(partial.clone());
    }

    /// Returns the merged answers of all windows.
    pub(crate) fn merged(&self, spec: &PipelineSpec) -> Answers {
        let options = MergerOptions { deadline: Some(Duration::ZERO), ..MergerOptions::default() };
        let compile = CompileOptions { arrival_times: true, ..CompileOptions::default() };
        let mut merger = spec.compile(&compile).unwrap().into_merger(options).unwrap();
        for partial in self.partials.take() {
            merger.add(&partial, Timestamp::from_millis(0)).unwrap();
        }
        merger.finish();
        let mut answers = Answers::new();
        while let Some(row) = merger.next_row().unwrap() {
            let start = row.emission.window.unwrap().start().as_millis();
            let json = serde_json::to_value(&row).unwrap();
            let group = json["group"]["g"].as_str().unwrap().to_owned();
            if start < LAST / WINDOW * WINDOW {
                let found = (json["count"].as_u64().unwrap(), json["v"].as_i64().unwrap());
                answers.insert((start, group), found);
            }
        }
        answers
    }
}

/// Returns the answers of a batch query over the records.
pub(crate) fn expected<'a>(records: impl Iterator<Item = &'a Record>) -> Answers {
    let mut answers = Answers::new();
    for record in records {
        let hit: serde_json::Value = serde_json::from_slice(&record.data).unwrap();
        let time = hit["ts"].as_i64().unwrap();
        if time < LAST {
            let key = (time / WINDOW * WINDOW, hit["g"].as_str().unwrap().to_owned());
            let (count, sum) = answers.entry(key).or_default();
            *count += 1;
            *sum += hit["v"].as_i64().unwrap();
        }
    }
    answers
}

fn seeds() -> Range<u64> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("STREAMGAUGE_SIMULATION") {
        return seed..seed + 1;
    }
    let full = env::var_os("STREAMGAUGE_FULL").is_some();
    0..number("STREAMGAUGE_SIMULATIONS").unwrap_or(if full { 10_000 } else { 200 })
}

/// Runs all seeds. Each kind of event must happen now and then.
pub(crate) fn run_seeds(run: fn(u64) -> Events, kinds: &[&str]) {
    let mut events = Events::new();
    for seed in seeds() {
        let run = std::panic::catch_unwind(|| run(seed));
        let happened =
            run.unwrap_or_else(|_| panic!("it failed with STREAMGAUGE_SIMULATION={seed}"));
        happened.into_iter().for_each(|(event, times)| *events.entry(event).or_default() += times);
    }
    println!("{events:?}");
    if seeds().end - seeds().start >= 200 {
        for kind in kinds {
            let times = events.get(kind).copied().unwrap_or(0);
            assert!(times > 3, "{kind} hardly ever happens: {events:?}");
        }
    }
}
