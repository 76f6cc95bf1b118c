//! Snapshots: any bytes are refused or restored, and what is restored works: it takes records,
//! gives answers, and is written and read again.
#![cfg_attr(fuzzing, no_main)]

mod envelope;
mod shim;

use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::Summary;

fn engine(sliding: bool) -> Engine<u64, impl Aggregate<u64, Output: std::fmt::Debug>> {
    let mut options = EngineOptions::default();
    options.windows = if sliding { Sliding::new(millis(25), millis(10)).expect("a slide").into() } else { Tumbling::new(millis(10)).expect("a size").into() };
    options.allowed_lateness = millis(15);
    options.limits.state_bytes_max = 64 << 20;
    Engine::new(envelope::aggregate(), options).expect("options in range")
}

fn check(bytes: &[u8]) {
    let _ = Summary::of(bytes.to_vec());
    let _ = Snapshot::from_bytes(bytes.to_vec());
    let [kind, sections @ ..] = bytes else { return };
    let mut engine = engine(kind % 2 == 1);
    let whole = engine.snapshot().expect("every aggregate is durable");
    let Ok(snapshot) = Snapshot::from_bytes(envelope::around(whole.bytes(), sections)) else { return };
    let _ = Summary::of(snapshot.bytes().clone());
    if engine.restore(&snapshot).is_err() {
        assert_eq!(engine.snapshot().expect("nothing has changed").bytes(), whole.bytes());
        return;
    }
    let again = engine.snapshot().expect("what was read is written");
    engine.restore(&again).expect("what was written is read");
    assert_eq!(engine.snapshot().expect("and again").bytes(), again.bytes());
    let _ = engine.snapshot_within(again.bytes().len() / 2);
    let Ok(shard) = engine.open_shard(ShardId::new("shard")) else { return };
    for (time, record) in [(5, 7), (-20, 8), (100, 9)] {
        let _ = engine.push_at(shard, &Sequence::new(record), &record, Timestamp::from_millis(time));
    }
    engine.finish();
    // Forged counters make sums overflow: an error, and no panic.
    while let Ok(Some(emission)) = engine.next_emission() {
        let _ = format!("{:?}", emission.value);
    }
}

shim::target!(check);
