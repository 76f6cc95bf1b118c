//! Aggregated records of the KPL: no bytes panic, nothing gets lost uncounted, and what comes out are slices of what went in.
//!
//! The first byte says whether the rest is a message to be put between the magic bytes and its right digest, or a whole record.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use bytes::Bytes;
use md5::{Digest, Md5};
use streamgauge::adapter::kpl::{Aggregated, HashRange, deaggregate};
use streamgauge::record::{Position, Record, Sequence, ShardId};
use streamgauge::time::Timestamp;

fn check(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let data = match mode % 2 {
        0 => Bytes::from([&[0xF3, 0x89, 0x9A, 0xC2][..], rest, &Md5::digest(rest)[..]].concat()),
        _ => Bytes::copy_from_slice(rest),
    };
    let position = Position { shard: ShardId::new("shard"), sequence: Sequence::new(42u64) };
    let record = Record { partition_key: Bytes::new(), data: data.clone(), arrival: Timestamp::from_millis(0), position };
    let (mut all, mut half) = (Vec::new(), Vec::new());
    let counts = deaggregate(record.clone(), None, &mut all);
    assert_eq!(counts.records, all.len() as u64);
    let Some(aggregated) = Aggregated::parse(&data) else {
        assert_eq!(all, [record]);
        return;
    };
    assert_eq!((counts.aggregates, counts.records + counts.unreadable), (1, aggregated.count() as u64));
    let span = data.as_ptr_range();
    assert!(all.iter().all(|record| record.data.is_empty() || span.contains(&record.data.as_ptr())));
    assert!(all.iter().enumerate().all(|(index, record)| record.position.sequence.sub == index as u64));
    let filtered = deaggregate(record, Some(&HashRange { start: 0, end: u128::MAX / 2 }), &mut half);
    assert_eq!((filtered.records + filtered.outside_range, filtered.unreadable), (counts.records, counts.unreadable));
    assert!(half.iter().all(|record| all.contains(record)));
}

shim::target!(check);
