//! The records inside of those that the KPL aggregated, numbered as Java workers number them, so
//! that a shard may move between them and this worker.

use crate::adapter::kinesis_records::kpl::{Aggregated, HashRange};
use crate::record::{Record, Sequence};

/// Splits aggregates. Those inside of them are left to the pipeline. An aggregate with user records
/// that cannot be read stays whole, and the pipeline reports it.
pub(super) fn split(records: Vec<Record>, range: Option<&HashRange>) -> Vec<Record> {
    let mut split = Vec::with_capacity(records.len());
    for record in records {
        match Aggregated::parse(&record.data) {
            Some(aggregated) if aggregated.user_records().count() == aggregated.count() => {
                push_all(&record, &aggregated, range, &mut split);
            }
            _ => split.push(record),
        }
    }
    split
}

fn push_all(
    record: &Record,
    aggregated: &Aggregated,
    range: Option<&HashRange>,
    split: &mut Vec<Record>,
) {
    for user in aggregated.user_records() {
        let is_outside =
            |range: &HashRange| user.hash_key().is_some_and(|key| !range.contains(key));
        if range.is_some_and(is_outside) {
            continue;
        }
        let mut part = record.clone();
        part.position.sequence =
            Sequence { number: record.position.sequence.number.clone(), sub: user.sub };
        (part.partition_key, part.data) = (user.partition_key, user.data);
        split.push(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::kinesis_records::kpl::hash_key;
    use crate::record::{Position, ShardId};
    use crate::time::Timestamp;

    fn record(data: Vec<u8>) -> Record {
        let position = Position { shard: ShardId::new("s"), sequence: Sequence::new(7u64) };
        let arrival = Timestamp::from_millis(0);
        Record {
            partition_key: "outer".into(),
            data: data.into(),
            arrival,
            position,
            headers: Default::default(),
        }
    }

    /// An aggregate of two user records with the keys `a` and `b`, as the KPL makes it.
    fn aggregate() -> Vec<u8> {
        use md5::{Digest, Md5};
        let message = b"\x0a\x01a\x0a\x01b\x1a\x05\x08\x00\x1a\x01x\x1a\x05\x08\x01\x1a\x01y";
        let mut data = b"\xF3\x89\x9A\xC2".to_vec();
        data.extend_from_slice(message);
        data.extend_from_slice(&Md5::digest(message));
        data
    }

    #[test]
    fn s270_user_records_have_the_numbers_that_java_workers_give_them() {
        let of = |range: Option<&HashRange>| {
            let split = split(vec![record(b"plain".to_vec()), record(aggregate())], range);
            let parts = split.into_iter();
            parts.map(|part| (part.data.to_vec(), part.position.sequence.sub)).collect::<Vec<_>>()
        };
        let all = [(b"plain".to_vec(), 0), (b"x".to_vec(), 0), (b"y".to_vec(), 1)];
        assert_eq!(of(None), all);
        // That of another shard is dropped, and the number of the other one stays.
        let of_b = HashRange { start: hash_key(b"b"), end: hash_key(b"b") };
        assert_eq!(of(Some(&of_b)), [(b"plain".to_vec(), 0), (b"y".to_vec(), 1)]);
    }
}
