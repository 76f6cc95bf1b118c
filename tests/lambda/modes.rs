//! Whatever the mapping does, the answers of a handler are those of one run over the records.

use crate::lambda::mapping::{Mapping, Run};
use crate::lambda::stream::{Put, User, puts};
use crate::model::Keep;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use streamgauge::adapter::lambda::Handler;
use streamgauge::adapter::{Decoding, PartialSink, RecordPipeline, Sink, each_of_source};
use streamgauge::merger::{Merger, MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::Partial;
use streamgauge::store::{MemoryStore, Store};

/// A record's identity is in the low bits, and its event time in the bits above.
const TIME_SHIFT: u32 = 20;

#[derive(Clone, Copy, Debug)]
struct Shape {
    size: u64,
    slide: u64,
    out_of_orderness: Option<u64>,
    lateness: u64,
    strict: bool,
}

fn shape(strict: impl Strategy<Value = bool>) -> impl Strategy<Value = Shape> {
    (
        1u64..80,
        1u64..80,
        prop::option::weighted(0.8, 0u64..60),
        prop_oneof![Just(0u64), 0u64..60],
        any::<bool>(),
        strict,
    )
        .prop_map(|(size, slide, out_of_orderness, lateness, tumbling, strict)| {
            let slide = if tumbling { size } else { slide };
            Shape { size, slide, out_of_orderness, lateness, strict }
        })
}

impl Shape {
    fn pipeline(self) -> Pipeline<u64, Keep> {
        let builder = Pipeline::builder()
            .event_time(|packed: &u64| Timestamp::from_millis((packed >> TIME_SHIFT) as i64))
            .window(Sliding::new(millis(self.size), millis(self.slide)).unwrap())
            .allowed_lateness(millis(self.lateness))
            .strict(self.strict);
        let builder = match self.out_of_orderness {
            Some(length) => builder.out_of_orderness(millis(length)),
            None => builder.unbounded_out_of_orderness(),
        };
        builder.aggregate(Keep).build().unwrap()
    }

    fn records(self) -> impl RecordPipeline<Emission = Emission<Vec<u64>>> {
        Decoding::new(self.pipeline(), |record: &Record| {
            let text = std::str::from_utf8(&record.data).map_err(|error| error.to_string())?;
            let (id, time) = text.split_once(' ').ok_or("one word")?;
            let number =
                |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
            Ok::<u64, String>(number(time)? << TIME_SHIFT | number(id)?)
        })
    }

    /// Returns the last answer of each window over several runs of records, computed separately and
    /// added up.
    fn expected(
        self,
        runs: &[Vec<Put>],
        taken: impl Fn(&Put) -> Vec<User>,
    ) -> BTreeMap<i64, Vec<u64>> {
        let mut sum = BTreeMap::new();
        for run in runs {
            let mut pipeline = self.pipeline();
            let mut answers = BTreeMap::new();
            for user in run.iter().flat_map(&taken) {
                pipeline.push(&((user.time as u64) << TIME_SHIFT | user.id)).unwrap();
            }
            pipeline.finish();
            for emission in pipeline.drain() {
                let emission = emission.unwrap();
                answers.insert(start(&emission), emission.value);
            }
            add(&mut sum, answers);
        }
        sum
    }
}

fn start(emission: &Emission<Vec<u64>>) -> i64 {
    emission.window.unwrap().start().as_millis()
}

fn add(sum: &mut BTreeMap<i64, Vec<u64>>, answers: BTreeMap<i64, Vec<u64>>) {
    for (window, records) in answers {
        sum.entry(window).or_default().extend(records);
    }
    sum.values_mut().for_each(|records| records.sort_unstable());
}

/// Rows as a consumer stores them, by source and window. Equal revisions always have the same
/// content.
#[derive(Clone, Default)]
struct Rows(Arc<Mutex<BTreeMap<(String, i64), Row>>>);

/// The last revision and its records.
type Row = (u32, Vec<u64>);

impl Rows {
    fn sink<P: RecordPipeline<Emission = Emission<Vec<u64>>>>(&self) -> impl Sink<P> + use<P> {
        let rows = self.0.clone();
        each_of_source(move |source: &str, emission: Emission<Vec<u64>>| {
            let mut rows = rows.lock().unwrap();
            let row = rows.entry((source.to_owned(), start(&emission))).or_default();
            if row.1.is_empty() || row.0 <= emission.revision {
                assert!(
                    row.1.is_empty() || row.0 < emission.revision || row.1 == emission.value,
                    "{source}: {row:?} and {emission:?}"
                );
                *row = (emission.revision, emission.value);
            }
            Ok(())
        })
    }

    fn sum(&self) -> BTreeMap<i64, Vec<u64>> {
        let mut sum = BTreeMap::new();
        for ((_, window), (_, records)) in self.0.lock().unwrap().iter() {
            add(&mut sum, BTreeMap::from([(*window, records.clone())]));
        }
        sum
    }
}

fn mapping(window: impl Strategy<Value = i64>) -> impl Strategy<Value = Mapping> {
    let fates = prop::collection::vec(any::<u8>(), 1..40);
    (window, any::<bool>(), any::<bool>(), fates).prop_map(|(window, bisect, ends_early, fates)| {
        Mapping { window, bisect, ends_early, fates }
    })
}

/// Returns the records that a handler with a state applies: if lenient, all good ones; if strict,
/// those of an aggregate before its first bad one, when the mapping gives it up.
fn taken(strict: bool) -> impl Fn(&Put) -> Vec<User> {
    move |put: &Put| match (strict, put.unreadable) {
        (_, true) => Vec::new(),
        (false, _) => put.good().collect(),
        (true, _) => put.users.iter().copied().take_while(|user| user.good).collect(),
    }
}

/// A function that is restarted in about half of the cases.
fn deliver<P, S>(
    mapping: &Mapping,
    shards: &[(&str, &[Put])],
    new: impl Fn() -> Handler<P, S>,
) -> Vec<Run>
where
    P: RecordPipeline,
    S: Sink<P>,
{
    let mut handler = new();
    let mut invocations = 0;
    let mut function = |event: &[u8]| {
        invocations += 1;
        if invocations % 3 == 0 {
            handler = new();
        }
        let now = Timestamp::from_millis(1_700_000_000_000 + invocations);
        handler
            .handle_bytes(event, now)
            .map(|reply| reply.to_json())
            .map_err(|error| error.to_string())
    };
    shards.iter().map(|(name, puts)| mapping.deliver(name, puts, &mut function)).collect()
}

proptest! {
    #![proptest_config(crate::cases(150))]

    /// Lambda's own windows.
    #[test]
    fn s60_s62_tumbling_windows_equal_those_of_one_run(
        shape in shape(any::<bool>()),
        mapping in mapping(20i64..400),
        first in puts(true),
        second in puts(true),
    ) {
        let rows = Rows::default();
        let runs = deliver(&mapping, &[("shard-a", &first), ("shard-b", &second)], || {
            Handler::new(shape.records(), rows.sink()).unwrap().tumbling()
        });
        let segments: Vec<Vec<Put>> = runs.iter().flat_map(|run| run.segments.clone()).collect();
        prop_assert_eq!(rows.sum(), shape.expected(&segments, taken(shape.strict)));
        let given_up = runs.iter().map(|run| run.dropped.len()).sum::<usize>();
        let flawed = first.iter().chain(&second).filter(|put| !put.is_good()).count();
        prop_assert_eq!(
            given_up,
            if shape.strict { flawed } else { 0 },
            "only what is flawed is \
                given up"
        );
    }

    /// With a store whose saves fail, or seem to fail.
    #[test]
    fn s61_windows_with_a_store_equal_those_of_one_run(
        shape in shape(any::<bool>()),
        mapping in mapping(Just(0)),
        first in puts(true),
        second in puts(true),
    ) {
        let rows = Rows::default();
        let store = Arc::new(MemoryStore::new());
        let fates =
            Arc::new(AtomicU64::new(mapping.fates.iter().map(|fate| u64::from(*fate)).sum()));
        let new = || {
            Handler::new(shape.records(), rows.sink())
                .unwrap()
                .stored(Flaky { store: store.clone(), fates: fates.clone() })
        };
        let runs = deliver(&mapping, &[("shard-a", &first), ("shard-b", &second)], new);
        // The last windows, which no later record completes.
        let later = Timestamp::from_millis(1_700_000_000_000 + 3_600_000);
        while new().answer_idle(later).is_err() {}
        prop_assert_eq!(
            Handler::new(shape.records(), rows.sink())
                .unwrap()
                .stored(Shared(store.clone()))
                .answer_idle(later)
                .unwrap(),
            0,
            "all are answered"
        );
        let segments: Vec<Vec<Put>> = runs.iter().flat_map(|run| run.segments.clone()).collect();
        prop_assert_eq!(rows.sum(), shape.expected(&segments, taken(shape.strict)));
    }

    /// Without state: partials are merged. Lambda does not halve batches here.
    #[test]
    fn s66_merged_partials_of_batches_equal_one_run(
        shape in shape(any::<bool>()),
        mapping in mapping(Just(0)),
        puts in puts(true),
    ) {
        let shape = Shape { out_of_orderness: None, lateness: 0, ..shape };
        let mapping = Mapping { bisect: false, ..mapping };
        let kept = Arc::new(Mutex::new(Vec::new()));
        let new = || {
            let kept = kept.clone();
            let target = move |partial: &Partial| {
                kept.lock().unwrap().push(partial.clone());
                Ok(())
            };
            Handler::new(shape.records(), PartialSink::new(target)).unwrap().stateless()
        };
        let runs = deliver(&mapping, &[("shard-a", &puts)], new);
        let mut options = MergerOptions::default();
        options.sources = Some(1_000_000);
        let mut merger = Merger::new(shape.pipeline().into_engine(), options).unwrap();
        for partial in kept.lock().unwrap().iter() {
            merger.add(partial, Timestamp::from_millis(0)).unwrap();
        }
        merger.finish();
        let mut merged = BTreeMap::new();
        while let Some(answer) = merger.next_merged().unwrap() {
            merged.insert(answer.window.unwrap().start().as_millis(), answer.value);
        }
        // No record of a refused aggregate is applied: it comes again as a whole.
        let whole = |put: &Put| match shape.strict && !put.is_good() {
            true => Vec::new(),
            false => put.good().collect(),
        };
        prop_assert_eq!(merged, shape.expected(&runs[0].segments, whole));
    }
}

/// A store that several handlers share, as functions share a bucket.
#[derive(Clone)]
struct Shared(Arc<MemoryStore>);

impl Store for Shared {
    fn load(&self, key: &str) -> Result<Option<streamgauge::store::VersionedBytes>, Error> {
        self.0.load(key)
    }

    fn save(
        &self,
        key: &str,
        bytes: bytes::Bytes,
        expected: Option<&streamgauge::store::Version>,
    ) -> Result<streamgauge::store::Version, Error> {
        self.0.save(key, bytes, expected)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.0.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.delete(key)
    }
}

/// A store in which some saves fail, before or after the bytes are saved. So a process can end
/// between any two steps.
struct Flaky {
    store: Arc<MemoryStore>,
    fates: Arc<AtomicU64>,
}

impl Store for Flaky {
    fn load(&self, key: &str) -> Result<Option<streamgauge::store::VersionedBytes>, Error> {
        self.store.load(key)
    }

    fn save(
        &self,
        key: &str,
        bytes: bytes::Bytes,
        expected: Option<&streamgauge::store::Version>,
    ) -> Result<streamgauge::store::Version, Error> {
        let failed = || Err(Error::new(ErrorKind::Io, "the network has gone"));
        match self.fates.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60 {
            0..3 => failed(),
            3..6 => self.store.save(key, bytes, expected).and_then(|_| failed()),
            _ => self.store.save(key, bytes, expected),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.store.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.store.delete(key)
    }
}

/// A store in which another process does something right before the next save.
struct Overtaken {
    store: Arc<MemoryStore>,
    other: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Store for Overtaken {
    fn load(&self, key: &str) -> Result<Option<streamgauge::store::VersionedBytes>, Error> {
        self.store.load(key)
    }

    fn save(
        &self,
        key: &str,
        bytes: bytes::Bytes,
        expected: Option<&streamgauge::store::Version>,
    ) -> Result<streamgauge::store::Version, Error> {
        if let Some(other) = self.other.lock().unwrap().take() {
            other();
        }
        self.store.save(key, bytes, expected)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.store.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.store.delete(key)
    }
}

/// Of two processes that compete for a shard one fails, and a warm process reads what the other one
/// saved.
#[test]
fn s61_a_process_that_was_overtaken_fails_without_a_wrong_answer() {
    let shape =
        Shape { size: 10, slide: 10, out_of_orderness: Some(0), lateness: 0, strict: false };
    let (rows, store) = (Rows::default(), Arc::new(MemoryStore::new()));
    let put = |number: u64| {
        let user = User { id: number, time: 1_700_000_000_000 + 4 * number as i64, good: true };
        Put { number, arrival: user.time, users: vec![user], aggregated: false, unreadable: false }
    };
    let event = |numbers: std::ops::Range<u64>| {
        serde_json::json!({ "Records": numbers.map(|number| put(number).json("shard-a")).collect::<Vec<_>>() }).to_string()
    };
    let now = Timestamp::from_millis(1_700_000_000_000);
    let other_event = event(0..10);
    let (other_rows, other_store) = (rows.clone(), store.clone());
    let other = move || {
        let mut other =
            Handler::new(shape.records(), other_rows.sink()).unwrap().stored(Shared(other_store));
        drop(other.handle_bytes(other_event.as_bytes(), now).unwrap());
    };
    let overtaken = Overtaken { store: store.clone(), other: Mutex::new(Some(Box::new(other))) };
    let mut first = Handler::new(shape.records(), rows.sink()).unwrap().stored(overtaken);
    let error = first.handle_bytes(event(0..10).as_bytes(), now).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    first.handle_bytes(event(0..10).as_bytes(), now).unwrap();
    assert_eq!((first.invocation().duplicates, first.invocation().applied), (10, 0));
    // The first is warm with its own saved state; meanwhile a second one continues.
    let mut second =
        Handler::new(shape.records(), rows.sink()).unwrap().stored(Shared(store.clone()));
    second.handle_bytes(event(10..15).as_bytes(), now).unwrap();
    first.handle_bytes(event(15..20).as_bytes(), now).unwrap();
    second.answer_idle(Timestamp::from_millis(1_700_000_100_000)).unwrap();
    let all: Vec<Put> = (0..20).map(put).collect();
    assert_eq!(rows.sum(), shape.expected(&[all], taken(false)));
}
