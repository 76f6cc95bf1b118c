//! The memory that decoding allocates is bounded for any bytes.

use super::resume::{every_aggregate, hit};
use crate::simulation::Random;
use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::hash::hash_bytes;
use streamgauge::prelude::*;
use streamgauge::snapshot::{Partial, Summary};

const MEBIBYTE: usize = 1 << 20;
const SPARE: u64 = 64 << 10;

fn engine()
-> Engine<super::resume::Hit, impl Aggregate<super::resume::Hit, Output: std::fmt::Debug>> {
    let mut options = EngineOptions::default();
    options.windows = Sliding::new(millis(50), millis(10)).unwrap().into();
    options.out_of_orderness = None;
    Engine::new(every_aggregate(), options).unwrap()
}

fn filled(
    records: usize,
) -> Engine<super::resume::Hit, impl Aggregate<super::resume::Hit, Output: std::fmt::Debug>> {
    let mut engine = engine();
    let shard = engine.open_shard(ShardId::new("s")).unwrap();
    for index in 0..records {
        engine.push(shard, &hit(index), Timestamp::from_millis(index as i64)).unwrap();
    }
    engine
}

/// Damages a few bytes and corrects length and checksum, so that the damage is found further
/// inside.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = 34 + random.below(bytes.len() - 42);
        bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random.next() as u8][random.below(6)];
    }
    let body = bytes.len() - 8;
    let sum = hash_bytes(Seed::new(0), &bytes[..body]);
    bytes[body..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Returns the largest number of bytes that are allocated at a time, in addition to those before.
fn peak(decode: impl FnOnce()) -> u64 {
    allocation_counter::measure(decode).bytes_max
}

#[test]
fn any_mebibyte_is_decoded_in_little_memory() {
    let mut random = Random::new(1);
    let mut inputs: Vec<Vec<u8>> = vec![
        vec![0; MEBIBYTE],
        vec![0xff; MEBIBYTE],
        (0..MEBIBYTE).map(|_| random.next() as u8).collect(),
    ];
    let snapshot = filled(15_000).snapshot().unwrap().into_bytes();
    assert!(snapshot.len() > MEBIBYTE / 2, "{}", snapshot.len());
    inputs.push(snapshot[..snapshot.len().min(MEBIBYTE)].to_vec());
    inputs.extend((0..4).map(|_| damaged(&snapshot, &mut random)));
    inputs.push(snapshot.to_vec());
    for input in inputs {
        let (most, bytes) = (4 * input.len() as u64 + SPARE, bytes::Bytes::from(input));
        let reads: [fn(bytes::Bytes); 3] = [
            |b| drop(Snapshot::from_bytes(b)),
            |b| drop(Partial::from_bytes(b)),
            |b| drop(Summary::of(b)),
        ];
        for read in reads {
            let bytes = bytes.clone();
            let used = peak(|| read(bytes));
            assert!(used <= most, "{used} bytes for {} bytes", most - SPARE);
        }
    }
}

#[test]
fn a_restored_state_takes_the_memory_of_the_saved_one() {
    let mut random = Random::new(2);
    for records in [100, 1_000] {
        let saved = filled(records).snapshot().unwrap();
        let whole = peak(|| engine().restore(&saved).unwrap());
        for round in 0..60 {
            let Ok(snapshot) = Snapshot::from_bytes(damaged(saved.bytes(), &mut random)) else {
                continue;
            };
            let used = peak(|| drop(engine().restore(&snapshot)));
            assert!(
                used <= 2 * whole + SPARE,
                "round {round}: {used} bytes, and {whole} for the state that was saved, {} bytes",
                saved.bytes().len()
            );
        }
    }
}
