//! The bytes of every released format version can be read for ever: see tests/golden/README.md.

use super::resume::{Hit, every_aggregate, hit};
use std::fmt::Write;
use std::path::PathBuf;
use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::merger::{Merger, MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::Partial;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(name)
}

/// Returns the bytes of the file. When blessing, creates the bytes and writes them there.
fn golden(name: &str, made: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    if std::env::var_os("STREAMGAUGE_BLESS").is_some() {
        std::fs::write(path(name), made()).unwrap();
    }
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn engine() -> Engine<Hit, impl Aggregate<Hit, Output: std::fmt::Debug>> {
    let mut options = EngineOptions::default();
    options.windows = Sliding::new(millis(25), millis(10)).unwrap().into();
    options.out_of_orderness = Some(millis(5));
    options.allowed_lateness = millis(20);
    options.name = String::from("golden");
    Engine::new(every_aggregate(), options).unwrap()
}

/// Records `from..to`, on two shards with positions, partly out of order.
fn push(engine: &mut Engine<Hit, impl Aggregate<Hit>>, from: usize, to: usize) {
    let shards = ["shardId-000000000000", "shardId-000000000001"]
        .map(|name| engine.open_shard(ShardId::new(name)).unwrap());
    for index in from..to {
        let number: streamgauge::SequenceNumber =
            format!("4968050000000000000000000000000000000000000000000000{index:04}")
                .parse()
                .unwrap();
        let time = index as i64 - [0, 3, 0, 12, 20][index % 5];
        engine
            .push_at(
                shards[index % 2],
                &Sequence::new(number),
                &hit(index),
                Timestamp::from_millis(time),
            )
            .unwrap();
    }
}

fn said(engine: &mut Engine<Hit, impl Aggregate<Hit, Output: std::fmt::Debug>>) -> String {
    let mut text = String::new();
    while let Some(emission) = engine.next_emission().unwrap() {
        writeln!(text, "{:?} {} {:?}", emission.window, emission.revision, emission.value).unwrap();
    }
    text
}

fn partial(source: &str, from: usize, to: usize) -> Partial {
    let mut engine = engine();
    push(&mut engine, from, to);
    std::iter::from_fn(|| engine.next_partial(source).unwrap()).nth(3).unwrap()
}

fn merger() -> Merger<Hit, impl Aggregate<Hit, Output: std::fmt::Debug>> {
    let mut options = MergerOptions::default();
    options.sources = Some(3);
    Merger::new(engine(), options).unwrap()
}

#[test]
fn s51_a_golden_snapshot_continues_and_is_written_unchanged() {
    let bytes = golden("snapshot.bin", || {
        let mut engine = engine();
        push(&mut engine, 0, 120);
        engine.snapshot().unwrap().into_bytes().to_vec()
    });
    let snapshot = Snapshot::from_bytes(bytes.clone()).unwrap();
    let mut engine = engine();
    engine.restore(&snapshot).unwrap();
    assert_eq!(engine.snapshot().unwrap().bytes(), &bytes, "version 1 is written as it always was");
    push(&mut engine, 100, 200);
    assert_eq!(engine.stats().duplicates, 20);
    engine.finish();
    let text = said(&mut engine);
    let expected = golden("snapshot.txt", || text.clone().into_bytes());
    assert_eq!(text, String::from_utf8(expected).unwrap());
}

#[test]
fn golden_partials_and_mergers_are_merged() {
    let bytes = golden("partial.bin", || partial("source-1", 0, 120).into_bytes().to_vec());
    let saved = golden("merger.bin", || {
        let mut merger = merger();
        for (source, from) in [("source-2", 40), ("source-3", 7)] {
            merger.add(&partial(source, from, from + 90), Timestamp::from_millis(5)).unwrap();
        }
        merger.snapshot().to_vec()
    });
    let mut merger = merger();
    merger.restore(saved.clone().into()).unwrap();
    assert_eq!(merger.snapshot(), saved);
    merger.add(&Partial::from_bytes(bytes).unwrap(), Timestamp::from_millis(6)).unwrap();
    merger.finish();
    let mut text = String::new();
    while let Some(merged) = merger.next_merged().unwrap() {
        writeln!(text, "{merged:?}").unwrap();
    }
    let expected = golden("merger.txt", || text.clone().into_bytes());
    assert_eq!(text, String::from_utf8(expected).unwrap());
}

/// With windows that were given as partials and have not closed, and windows that were answered
/// early.
#[test]
fn s51_a_golden_snapshot_of_partials_continues_and_is_written_unchanged() {
    let bytes = golden("given.bin", || {
        let mut engine = engine();
        push(&mut engine, 0, 120);
        while engine.next_partial("source").unwrap().is_some() {}
        engine.fire_early().unwrap();
        engine.next_partial("source").unwrap().unwrap();
        engine.snapshot().unwrap().into_bytes().to_vec()
    });
    let mut engine = engine();
    engine.restore(&Snapshot::from_bytes(bytes.clone()).unwrap()).unwrap();
    assert_eq!(engine.snapshot().unwrap().bytes(), &bytes);
    push(&mut engine, 120, 160);
    engine.finish();
    let mut text = String::new();
    while let Some(partial) = engine.next_partial("source").unwrap() {
        writeln!(text, "{:?} {} {}", partial.window(), partial.revision(), partial.is_final())
            .unwrap();
    }
    let expected = golden("given.txt", || text.clone().into_bytes());
    assert_eq!(text, String::from_utf8(expected).unwrap());
}

/// With windows that were answered and dropped.
#[test]
fn a_golden_merger_remembers_what_it_dropped() {
    let saved = golden("dropped.bin", || {
        let mut merger = merger();
        merger.add(&partial("source-1", 0, 120), Timestamp::from_millis(5)).unwrap();
        merger.finish();
        assert!(merger.next_merged().unwrap().is_some());
        merger.advance(Timestamp::from_millis(10_000_000));
        merger.snapshot().to_vec()
    });
    let mut merger = merger();
    merger.restore(saved.clone().into()).unwrap();
    assert_eq!(merger.snapshot(), saved);
    assert_eq!(merger.kept(), (0, 0));
    assert_eq!(
        merger.add(&partial("source-2", 0, 120), Timestamp::from_millis(0)).unwrap(),
        streamgauge::merger::Added::Late
    );
}
