//! Aggregated records of the KPL: no bytes panic, nothing gets lost uncounted, and what comes out
//! are slices of what went in.
//!
//! The first byte says what the rest is: a message to be put between the magic bytes and its right
//! digest, a whole record, or a message that is put so into a user record of an aggregate that
//! holds nothing else.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use bytes::Bytes;
use md5::{Digest, Md5};
use streamgauge::adapter::kinesis_records::kpl::{Aggregated, HashRange, deaggregate};
use streamgauge::record::{Position, Record, Sequence, ShardId};
use streamgauge::time::Timestamp;

fn check(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let seal = |message: &[u8]| [&[0xF3, 0x89, 0x9A, 0xC2][..], message, &Md5::digest(message)[..]].concat();
    let data = match mode % 3 {
        0 => Bytes::from(seal(rest)),
        1 => Bytes::copy_from_slice(rest),
        _ => Bytes::from(seal(&holding(&seal(rest)))),
    };
    let position = Position { shard: ShardId::new("shard"), sequence: Sequence::new(42u64) };
    let record = Record {
        partition_key: Bytes::new(),
        data: data.clone(),
        arrival: Timestamp::from_millis(0),
        position,
        headers: Default::default(),
    };
    let (mut all, mut half) = (Vec::new(), Vec::new());
    let counts = deaggregate(record.clone(), None, &mut all);
    assert_eq!(counts.records, all.len() as u64);
    let Some(aggregated) = Aggregated::parse(&data) else {
        assert_eq!(all, [record]);
        return;
    };
    assert!(counts.aggregates > 1 || counts.records + counts.unreadable == aggregated.count() as u64);
    let span = data.as_ptr_range();
    assert!(all.iter().all(|record| record.data.is_empty() || span.contains(&record.data.as_ptr())));
    assert!(all.iter().enumerate().all(|(index, record)| record.position.sequence.sub == index as u64));
    let filtered = deaggregate(record, Some(&HashRange { start: 0, end: u128::MAX / 2 }), &mut half);
    // An aggregate that is dropped is one user record, whatever it holds.
    if counts.aggregates == 1 {
        assert_eq!((filtered.records + filtered.outside_range, filtered.unreadable), (counts.records, counts.unreadable));
        assert!(half.iter().all(|record| all.contains(record)));
    }
}

/// A message with one key and one user record of this payload.
fn holding(payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| [bytes as u8 | 0x80, (bytes >> 7) as u8 | 0x80, (bytes >> 14) as u8 | 0x80, (bytes >> 21) as u8 & 0x7F];
    let user = [&[0x08, 0, 0x1A][..], &length(payload.len()), payload].concat();
    [&[0x0A, 1, b'k', 0x1A][..], &length(user.len()), &user].concat()
}

shim::target!(check);
