//! Aggregates in the form of the KPL, written: the reverse of [`kpl`](super::kpl).

use super::kpl::{DIGEST_BYTES, MAGIC};
use bytes::Bytes;
use md5::{Digest, Md5};
use std::collections::BTreeMap;

/// Collects records to one aggregate, which consumers split again.
///
/// Each distinct partition key and hash key is in the aggregate once. The bytes are those of AWS's
/// own libraries.
///
/// # Example
/// ```
/// use streamgauge::adapter::kinesis_records::Aggregator;
/// use streamgauge::adapter::kinesis_records::kpl::Aggregated;
/// let mut aggregator = Aggregator::new();
/// aggregator.add(b"user-1", None, b"a click");
/// aggregator.add(b"user-1", None, b"another");
/// let blob = aggregator.take().expect("it has records");
/// assert_eq!(Aggregated::parse(&blob).map(|aggregated| aggregated.count()), Some(2));
/// assert_eq!(aggregator.take(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Aggregator {
    partition_keys: Table,
    hash_keys: Table,
    /// The encoded records.
    records: Vec<u8>,
    count: usize,
}

/// The keys of an aggregate, with their index.
#[derive(Clone, Debug, Default)]
struct Table {
    indexes: BTreeMap<Vec<u8>, u64>,
    encoded: Vec<u8>,
}

impl Table {
    /// Returns the index of a key, which is added if it is new.
    fn index(&mut self, field: u64, key: &[u8]) -> u64 {
        if let Some(index) = self.indexes.get(key) {
            return *index;
        }
        let index = self.indexes.len() as u64;
        self.indexes.insert(key.to_vec(), index);
        put_bytes(field, key, &mut self.encoded);
        index
    }
}

impl Aggregator {
    /// Creates an aggregator without records.
    pub fn new() -> Self {
        Aggregator::default()
    }

    /// Adds a record. With a hash key, that and not the partition key's MD5 decides to which shard
    /// it belongs.
    pub fn add(&mut self, partition_key: &[u8], hash_key: Option<u128>, data: &[u8]) {
        let mut record = Vec::with_capacity(data.len() + 16);
        put_number(1, self.partition_keys.index(1, partition_key), &mut record);
        if let Some(hash_key) = hash_key {
            let index = self.hash_keys.index(2, hash_key.to_string().as_bytes());
            put_number(2, index, &mut record);
        }
        put_bytes(3, data, &mut record);
        put_bytes(3, &record, &mut self.records);
        self.count += 1;
    }

    /// Returns the number of records.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the bytes of the aggregate as it is.
    pub fn bytes(&self) -> usize {
        let message =
            self.partition_keys.encoded.len() + self.hash_keys.encoded.len() + self.records.len();
        MAGIC.len() + message + DIGEST_BYTES
    }

    /// Returns the aggregate, and begins with another one. Returns `None` without records.
    pub fn take(&mut self) -> Option<Bytes> {
        if self.count == 0 {
            return None;
        }
        let mut blob = Vec::with_capacity(self.bytes());
        blob.extend_from_slice(&MAGIC);
        for part in [&self.partition_keys.encoded, &self.hash_keys.encoded, &self.records] {
            blob.extend_from_slice(part);
        }
        let digest = Md5::digest(&blob[MAGIC.len()..]);
        blob.extend_from_slice(&digest);
        *self = Aggregator::new();
        Some(blob.into())
    }
}

fn put_varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Appends a protobuf field of wire type 0.
fn put_number(field: u64, value: u64, into: &mut Vec<u8>) {
    put_varint(field << 3, into);
    put_varint(value, into);
}

/// Appends a protobuf field of wire type 2.
fn put_bytes(field: u64, bytes: &[u8], into: &mut Vec<u8>) {
    put_varint(field << 3 | 2, into);
    put_varint(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::super::kpl::Aggregated;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_added_comes_out(
            records in prop::collection::vec(
                ("[a-z]{0,2}", prop::option::of(0u128..3), prop::collection::vec(any::<u8>(), 0..300)),
                1..40,
            ),
        ) {
            let mut aggregator = Aggregator::new();
            for (key, hash, data) in &records {
                aggregator.add(key.as_bytes(), *hash, data);
            }
            let (bytes, count) = (aggregator.bytes(), aggregator.count());
            let blob = aggregator.take().unwrap();
            prop_assert_eq!((blob.len(), records.len()), (bytes, count));
            let aggregated = Aggregated::parse(&blob).unwrap();
            let found: Vec<_> = aggregated
                .user_records()
                .map(|user| {
                    let hash = user.explicit_hash_key.as_ref().and_then(|_| user.hash_key());
                    (String::from_utf8(user.partition_key.to_vec()).unwrap(), hash, user.data.to_vec())
                })
                .collect();
            prop_assert_eq!(found, records);
        }
    }
}
