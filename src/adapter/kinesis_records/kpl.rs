//! Records that the Kinesis Producer Library (KPL) aggregated, split into user records.
//!
//! An aggregated record has this form, according to the KPL's `aggregation-format.md`:
//! ```text
//! F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf bytes
//! AggregatedRecord { 1: partition_key_table[], 2: explicit_hash_key_table[], 3: records[] }
//! Record           { 1: partition_key_index, 2: explicit_hash_key_index (optional), 3: data, 4: tags[] }
//! ```
//! AWS Lambda delivers it unchanged; the MultiLangDaemon splits it.
//!
//! Bytes that are not a valid aggregate are an ordinary record and pass unchanged, as in the
//! Kinesis Client Library: other magic, 16 bytes or fewer after it, another MD5, broken protobuf,
//! or a missing required field. An index outside of its table in an otherwise valid aggregate is a
//! defect of the producer, because the MD5 agrees. The user records before it are kept, and the
//! rest counts as [`unreadable`](Deaggregation::unreadable).
//!
//! # After a reshard
//! The KPL chooses the shard itself. If its map of shards is old, an aggregate arrives on a shard
//! to which some of its user records do not belong; the KPL notices that and sends those again.
//! [`HashRange`] is the filter for them: a user record whose hash key is outside of the shard's
//! range is dropped and counted.
//!
//! # Cost
//! O(bytes), mostly the MD5 (about 600 MB a second). Payloads and keys are slices of the aggregate,
//! not copies. An ordinary record costs a comparison of four bytes.

use crate::error::{Error, ErrorKind};
use crate::record::{Position, Record, Sequence};
use bytes::Bytes;
use md5::{Digest, Md5};
use std::iter::FusedIterator;
use std::ops::Range;

pub(super) const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];
pub(super) const DIGEST_BYTES: usize = 16;

/// Maximum user records of one aggregate. A larger one passes unchanged. A record of Kinesis'
/// largest size, 10 MiB, contains over a million user records only if they are almost empty.
const USER_RECORDS_MAX: usize = 1_000_000;

/// Maximum depth of aggregates inside of aggregates. A deeper one is an ordinary record.
pub const NESTING_MAX: usize = 16;

/// Returns true if a payload begins like an aggregate.
pub(crate) fn is_marked(data: &[u8]) -> bool {
    data.starts_with(&MAGIC)
}

/// The hash keys of a shard, both ends included, as in Kinesis' `HashKeyRange`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashRange {
    /// `StartingHashKey`.
    pub start: u128,
    /// `EndingHashKey`.
    pub end: u128,
}

impl HashRange {
    /// Parses a range from two decimal texts, as `ListShards` returns them.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if one is not a decimal integer below 2^128;
    /// [`ErrorKind::InvalidArgument`] if the end is before the start.
    pub fn parse(start: &str, end: &str) -> Result<Self, Error> {
        let key = |text: &str, name: &str| {
            text.parse::<u128>().map_err(|_| {
                Error::new(
                    ErrorKind::Parse,
                    format!("the {name} hash key {text:?} is not an integer from 0 to 2^128 - 1"),
                )
            })
        };
        let range = HashRange { start: key(start, "starting")?, end: key(end, "ending")? };
        if range.start > range.end {
            return Err(Error::invalid(format!(
                "the ending hash key {end} is before the starting one {start}"
            )));
        }
        Ok(range)
    }

    /// Returns true if a hash key belongs to the shard.
    pub fn contains(&self, hash_key: u128) -> bool {
        self.start <= hash_key && hash_key <= self.end
    }
}

/// Returns the hash key by which Kinesis chooses the shard of a partition key: its MD5, as a
/// big-endian number.
pub(crate) fn hash_key(partition_key: &[u8]) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}

/// One of the records in an aggregate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserRecord {
    /// The key from the producer.
    pub partition_key: Bytes,
    /// The hash key from the producer in decimal digits, instead of the partition key's MD5.
    pub explicit_hash_key: Option<Bytes>,
    /// Its payload.
    pub data: Bytes,
    /// Its index in the aggregate, from 0: the sub-sequence number.
    pub sub: u64,
}

impl UserRecord {
    /// Returns the hash key that decides on the shard: the explicit one, or the partition key's
    /// MD5. Returns `None` if the explicit one is not an integer below 2^128.
    pub(crate) fn hash_key(&self) -> Option<u128> {
        match &self.explicit_hash_key {
            None => Some(hash_key(&self.partition_key)),
            Some(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        }
    }
}

/// A valid aggregate that was not split yet.
///
/// # Example
/// ```
/// use streamgauge::adapter::kinesis_records::kpl::Aggregated;
/// let ordinary = bytes::Bytes::from_static(b"{\"page\":\"/home\"}");
/// assert!(Aggregated::parse(&ordinary).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Aggregated {
    /// The protobuf message.
    message: Bytes,
    partition_keys: Vec<Range<usize>>,
    explicit_hash_keys: Vec<Range<usize>>,
    count: usize,
}

impl Aggregated {
    /// Parses an aggregate. Returns `None` for anything else, which is an ordinary record.
    ///
    /// Cost: O(bytes). Only the two tables are allocated.
    pub fn parse(data: &Bytes) -> Option<Self> {
        if !data.starts_with(&MAGIC) || data.len() <= MAGIC.len() + DIGEST_BYTES {
            return None;
        }
        let end = data.len() - DIGEST_BYTES;
        let message = data.slice(MAGIC.len()..end);
        if Md5::digest(&message)[..] != data[end..] {
            return None;
        }
        let mut aggregated = Aggregated {
            message,
            partition_keys: Vec::new(),
            explicit_hash_keys: Vec::new(),
            count: 0,
        };
        let message = aggregated.message.clone();
        let mut fields = ProtobufFields::new(&message, 0);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (1, ProtobufValue::Bytes(key)) => aggregated.partition_keys.push(key),
                (2, ProtobufValue::Bytes(key)) => aggregated.explicit_hash_keys.push(key),
                (3, ProtobufValue::Bytes(record)) => {
                    ProtobufRecord::parse(&message, record)?;
                    aggregated.count += 1;
                }
                _ => {}
            }
        }
        (aggregated.count <= USER_RECORDS_MAX).then_some(aggregated)
    }

    /// Returns the number of user records, those with an index outside of its table included.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the user records in order, up to the first one with an index outside of its table.
    pub fn user_records(&self) -> UserRecords<'_> {
        UserRecords { aggregated: self, fields: ProtobufFields::new(&self.message, 0), sub: 0 }
    }

    fn user_record(&self, inner: ProtobufRecord, sub: u64) -> Option<UserRecord> {
        let entry = |table: &[Range<usize>], index: u64| {
            let range = table.get(usize::try_from(index).ok()?)?.clone();
            Some(self.message.slice(range))
        };
        let explicit_hash_key = match inner.explicit_hash_key_index {
            None => None,
            Some(index) => Some(entry(&self.explicit_hash_keys, index)?),
        };
        let partition_key = entry(&self.partition_keys, inner.partition_key_index)?;
        Some(UserRecord {
            partition_key,
            explicit_hash_key,
            data: self.message.slice(inner.data),
            sub,
        })
    }
}

/// The user records of an [`Aggregated`].
#[derive(Clone, Debug)]
pub struct UserRecords<'a> {
    aggregated: &'a Aggregated,
    fields: ProtobufFields<'a>,
    sub: u64,
}

impl Iterator for UserRecords<'_> {
    type Item = UserRecord;

    fn next(&mut self) -> Option<UserRecord> {
        loop {
            // `Aggregated::parse` has checked the whole message, so that no field is broken.
            let (number, value) = self.fields.next_field()??;
            let (3, ProtobufValue::Bytes(range)) = (number, value) else { continue };
            let inner = ProtobufRecord::parse(&self.aggregated.message, range)?;
            let record = self.aggregated.user_record(inner, self.sub);
            self.sub += 1;
            if record.is_none() {
                self.fields.end();
            }
            return record;
        }
    }
}

impl FusedIterator for UserRecords<'_> {}

/// Counts of the splitting. Sums saturate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Deaggregation {
    /// Records that were aggregates.
    pub aggregates: u64,
    /// Resulting records: user records, and the ordinary ones.
    pub records: u64,
    /// User records dropped because their hash key is outside of the shard's range.
    pub outside_range: u64,
    /// User records dropped because they, or one before them in their aggregate, refer to a key
    /// that is not in the aggregate.
    pub unreadable: u64,
}

impl Deaggregation {
    /// Adds other counts.
    pub fn merge(&mut self, other: Deaggregation) {
        self.aggregates = self.aggregates.saturating_add(other.aggregates);
        self.records = self.records.saturating_add(other.records);
        self.outside_range = self.outside_range.saturating_add(other.outside_range);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
    }
}

/// Appends the user records of `record` to `records`, or `record` itself if it is not an aggregate.
/// A user record that is itself an aggregate is split, too, down to [`NESTING_MAX`] levels.
///
/// User records keep the aggregate's shard, sequence number and arrival time. Their sub-sequence
/// number is their index, counted through all aggregates inside; the index of a dropped record is
/// not used again. A record whose sub-sequence number is not 0 has been split before and passes
/// unchanged. With a `range`, user records outside of it are dropped and counted; one whose
/// explicit hash key is not a number stays. The content of a user record stays with it.
pub fn deaggregate(
    record: Record,
    range: Option<&HashRange>,
    records: &mut Vec<Record>,
) -> Deaggregation {
    match record.position.sequence.sub {
        0 => take_apart(record, range, records),
        _ => pass_through(record, records),
    }
}

/// Like [`deaggregate`], for any sub-sequence number of the record.
pub(crate) fn take_apart(
    record: Record,
    range: Option<&HashRange>,
    records: &mut Vec<Record>,
) -> Deaggregation {
    let Some(aggregated) = Aggregated::parse(&record.data) else {
        return pass_through(record, records);
    };
    let mut apart =
        TakingApart { outer: &record, records, counts: Deaggregation::default(), index: 0 };
    apart.take(&aggregated, range, NESTING_MAX);
    apart.counts
}

fn pass_through(record: Record, records: &mut Vec<Record>) -> Deaggregation {
    records.push(record);
    Deaggregation { records: 1, ..Deaggregation::default() }
}

/// A record that is being split.
struct TakingApart<'a> {
    outer: &'a Record,
    records: &'a mut Vec<Record>,
    counts: Deaggregation,
    /// The index of the next user record.
    index: u64,
}

impl TakingApart<'_> {
    /// Adds the user records of an aggregate, and those of aggregates in it up to `depth` levels,
    /// the aggregate itself included.
    fn take(&mut self, aggregated: &Aggregated, range: Option<&HashRange>, depth: usize) {
        self.counts.aggregates += 1;
        let mut read = 0;
        for user in aggregated.user_records() {
            read += 1;
            let outside =
                |range: &HashRange| user.hash_key().is_some_and(|key| !range.contains(key));
            if range.is_some_and(outside) {
                self.counts.outside_range += 1;
                self.index += 1;
                continue;
            }
            match self.inner(&user, depth) {
                Some(inner) => self.take(&inner, None, depth - 1),
                None => self.push(user),
            }
        }
        self.counts.unreadable += aggregated.count() as u64 - read;
    }

    /// Returns the aggregate in a user record, if it is to be split.
    fn inner(&self, user: &UserRecord, depth: usize) -> Option<Aggregated> {
        if depth <= 1 || !is_marked(&user.data) {
            return None;
        }
        let inner = Aggregated::parse(&user.data)?;
        (self.index as usize + inner.count() <= USER_RECORDS_MAX).then_some(inner)
    }

    fn push(&mut self, user: UserRecord) {
        let Position { shard, sequence } = &self.outer.position;
        let sequence = Sequence { number: sequence.number.clone(), sub: self.index };
        self.records.push(Record {
            partition_key: user.partition_key,
            data: user.data,
            arrival: self.outer.arrival,
            position: Position { shard: shard.clone(), sequence },
            headers: Default::default(),
        });
        self.index += 1;
        self.counts.records += 1;
    }
}

/// A user record in its protobuf form.
struct ProtobufRecord {
    partition_key_index: u64,
    explicit_hash_key_index: Option<u64>,
    data: Range<usize>,
}

impl ProtobufRecord {
    /// Parses the message `range` of `message`. Returns `None` if it is broken or a required field
    /// is missing.
    fn parse(message: &[u8], range: Range<usize>) -> Option<Self> {
        let (mut partition_key_index, mut explicit_hash_key_index, mut data) = (None, None, None);
        let mut fields = ProtobufFields::new(message.get(..range.end)?, range.start);
        while let Some((number, value)) = fields.next_field()? {
            match (number, value) {
                (1, ProtobufValue::Varint(index)) => partition_key_index = Some(index),
                (2, ProtobufValue::Varint(index)) => explicit_hash_key_index = Some(index),
                (3, ProtobufValue::Bytes(bytes)) => data = Some(bytes),
                _ => {}
            }
        }
        Some(ProtobufRecord {
            partition_key_index: partition_key_index?,
            explicit_hash_key_index,
            data: data?,
        })
    }
}

/// The fields of a protobuf message (<https://protobuf.dev/programming-guides/encoding/>), from
/// `at` to the end of `bytes`.
#[derive(Clone, Debug)]
struct ProtobufFields<'a> {
    bytes: &'a [u8],
    at: usize,
}

enum ProtobufValue {
    Varint(u64),
    /// A length-delimited field, as a range of the whole message.
    Bytes(Range<usize>),
    /// A fixed-width field. No field of this schema is one.
    Fixed,
}

impl<'a> ProtobufFields<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        ProtobufFields { bytes, at }
    }

    /// Makes this field the last one.
    fn end(&mut self) {
        self.at = self.bytes.len();
    }

    /// Returns the number and value of the next field; `Some(None)` at the end, `None` if the
    /// message is broken.
    ///
    /// Groups (wire types 3 and 4) count as broken: no version of the KPL's schema has one.
    fn next_field(&mut self) -> Option<Option<(u64, ProtobufValue)>> {
        if self.at >= self.bytes.len() {
            return Some(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        // Field numbers are 1 to 2^29 - 1.
        if number == 0 || number >= 1 << 29 {
            return None;
        }
        let value = match tag & 7 {
            0 => ProtobufValue::Varint(self.varint()?),
            1 => self.skip(8).map(|_| ProtobufValue::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                ProtobufValue::Bytes(self.skip(length)?)
            }
            5 => self.skip(4).map(|_| ProtobufValue::Fixed)?,
            _ => return None,
        };
        Some(Some((number, value)))
    }

    fn skip(&mut self, bytes: usize) -> Option<Range<usize>> {
        let start = self.at;
        let end = start.checked_add(bytes).filter(|end| *end <= self.bytes.len())?;
        self.at = end;
        Some(start..end)
    }

    /// At most ten bytes of seven bits each, the lowest first. Bits past the 64th are dropped, as
    /// in protobuf's own readers.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ShardId;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    /// A user record for a test aggregate: partition key index, explicit hash key index, payload.
    type Packed = (u64, Option<u64>, Vec<u8>);

    fn varint(mut value: u64, out: &mut Vec<u8>) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    fn field(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
        varint(number << 3 | 2, out);
        varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    fn seal(message: &[u8]) -> Bytes {
        Bytes::from([&MAGIC[..], message, &Md5::digest(message)[..]].concat())
    }

    fn pack(keys: &[&str], hash_keys: &[&str], records: &[Packed]) -> Bytes {
        let mut message = Vec::new();
        keys.iter().for_each(|key| field(1, key.as_bytes(), &mut message));
        hash_keys.iter().for_each(|key| field(2, key.as_bytes(), &mut message));
        for (key, hash_key, data) in records {
            let mut inner = vec![0x08];
            varint(*key, &mut inner);
            if let Some(index) = hash_key {
                inner.push(0x10);
                varint(*index, &mut inner);
            }
            field(3, data, &mut inner);
            field(3, &inner, &mut message);
        }
        seal(&message)
    }

    fn record(data: Bytes) -> Record {
        Record {
            partition_key: Bytes::from_static(b"outer"),
            data,
            arrival: Timestamp::from_millis(7),
            position: Position {
                shard: ShardId::new("shardId-000000000000"),
                sequence: Sequence::new(42u64),
            },
            headers: Default::default(),
        }
    }

    fn taken_apart(data: Bytes, range: Option<&HashRange>) -> (Vec<Record>, Deaggregation) {
        let mut records = Vec::new();
        let counts = deaggregate(record(data), range, &mut records);
        assert_eq!(counts.records, records.len() as u64);
        (records, counts)
    }

    fn subs(records: &[Record]) -> Vec<u64> {
        records.iter().map(|record| record.position.sequence.sub).collect()
    }

    #[test]
    fn user_records_point_into_the_aggregate() {
        let data = pack(&["k"], &[], &[(0, None, b"payload".to_vec())]);
        let (records, counts) = taken_apart(data.clone(), None);
        assert_eq!(
            (records[0].partition_key.as_ref(), records[0].data.as_ref()),
            (&b"k"[..], &b"payload"[..])
        );
        assert!(data.as_ptr_range().contains(&records[0].data.as_ptr()));
        assert_eq!(counts, Deaggregation { aggregates: 1, records: 1, ..Deaggregation::default() });
    }

    #[test]
    fn an_index_outside_of_its_table_keeps_the_records_before_it() {
        let plain = |key| (key, None, b"x".to_vec());
        let (records, counts) =
            taken_apart(pack(&["k"], &[], &[plain(0), plain(0), plain(1), plain(0)]), None);
        assert_eq!(subs(&records), [0, 1]);
        assert_eq!((counts.aggregates, counts.unreadable), (1, 2));
        let (records, counts) =
            taken_apart(pack(&["k"], &["5"], &[plain(0), (0, Some(1), b"x".to_vec())]), None);
        assert_eq!((subs(&records), counts.unreadable), (vec![0], 1));
        let (records, counts) = taken_apart(pack(&["k"], &[], &[plain(u64::MAX)]), None);
        assert_eq!((subs(&records), counts.unreadable), (vec![], 1));
    }

    #[test]
    fn records_of_a_sister_shard_are_dropped_and_counted_and_keep_their_numbers() {
        let high = (1u128 << 127).to_string();
        let by_hash = |hash| (0, Some(hash), b"x".to_vec());
        let data = pack(
            &["k"],
            &["5", &high, "no number"],
            &[by_hash(0), by_hash(1), by_hash(2), by_hash(0)],
        );
        let lower = HashRange::parse("0", &((1u128 << 127) - 1).to_string()).unwrap();
        let (records, counts) = taken_apart(data, Some(&lower));
        assert_eq!((subs(&records), counts.outside_range), (vec![0, 2, 3], 1));
        // The MD5 of "k" is 8ce4b16b22b58894aa86c421e8759df3: the upper half.
        let (records, counts) =
            taken_apart(pack(&["k"], &[], &[(0, None, b"x".to_vec())]), Some(&lower));
        assert_eq!((records.len(), counts.outside_range), (0, 1));
        assert_eq!(hash_key(b"k"), 0x8ce4_b16b_22b5_8894_aa86_c421_e875_9df3);
    }

    #[test]
    fn a_record_that_was_split_before_is_unchanged() {
        let mut inner = record(pack(&["k"], &[], &[(0, None, b"x".to_vec())]));
        inner.position.sequence.sub = 3;
        let mut records = Vec::new();
        deaggregate(inner.clone(), None, &mut records);
        assert_eq!(records, [inner]);
    }

    #[test]
    fn broken_protobuf_with_a_right_digest_is_unchanged() {
        let mut no_data = Vec::new();
        field(1, b"k", &mut no_data);
        field(3, &[0x08, 0x00], &mut no_data);
        let mut no_key = Vec::new();
        field(3, &[0x1A, 0x00], &mut no_key);
        let broken: [&[u8]; 7] = [
            &no_data,
            &no_key,
            &[0x0A, 0x05, b'k'],
            &[0x00, 0x00],
            &[0x0B, 0x0C],
            &[0x0F],
            &[0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        ];
        for message in broken {
            let data = seal(message);
            let (records, counts) = taken_apart(data.clone(), None);
            assert_eq!((records[0].data.clone(), counts.aggregates), (data, 0), "{message:02x?}");
        }
    }

    #[test]
    fn unknown_fields_of_every_width_are_skipped() {
        let mut message = vec![0x79];
        message.extend_from_slice(&[1; 8]);
        message.extend_from_slice(&[0x7D, 1, 1, 1, 1, 0x78, 0x96, 0x01]);
        field(15, b"later", &mut message);
        // The record comes before its table.
        field(3, &[0x08, 0x00, 0x1A, 0x01, b'x'], &mut message);
        field(1, b"k", &mut message);
        let (records, _) = taken_apart(seal(&message), None);
        assert_eq!(
            (records[0].partition_key.as_ref(), records[0].data.as_ref()),
            (&b"k"[..], &b"x"[..])
        );
    }

    #[test]
    fn an_aggregate_over_the_record_limit_is_unchanged() {
        let mut message = Vec::new();
        (0..=USER_RECORDS_MAX).for_each(|_| field(3, &[0x08, 0x00, 0x1A, 0x00], &mut message));
        assert!(Aggregated::parse(&seal(&message)).is_none());
    }

    #[test]
    fn valid_ranges_are_parsed_and_others_refused() {
        assert_eq!(HashRange::parse("0", "x").unwrap_err().kind(), ErrorKind::Parse);
        assert_eq!(
            HashRange::parse("0", &format!("{}0", u128::MAX)).unwrap_err().kind(),
            ErrorKind::Parse
        );
        assert_eq!(HashRange::parse("2", "1").unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert!(HashRange::parse("3", "3").unwrap().contains(3));
    }

    proptest! {
        #[test]
        fn packed_records_are_unpacked(
            keys in prop::collection::vec("[a-zé]{0,20}", 1..5),
            hashes in prop::collection::vec(any::<u128>().prop_map(|key| key.to_string()), 1..4),
            records in prop::collection::vec((0u64..7, prop::option::of(0u64..6), prop::collection::vec(any::<u8>(), 0..200)), 0..40),
            bounds in any::<(u128, u128)>(),
        ) {
            let range = HashRange { start: bounds.0.min(bounds.1), end: bounds.0.max(bounds.1) };
            let (key_texts, hash_texts): (Vec<&str>, Vec<&str>) = (
                keys.iter().map(String::as_str).collect(),
                hashes.iter().map(String::as_str).collect(),
            );
            let readable: Vec<&Packed> = records
                .iter()
                .take_while(|(key, hash, _)| {
                    *key < keys.len() as u64 && hash.is_none_or(|hash| hash < hashes.len() as u64)
                })
                .collect();
            let hash_of = |(key, hash, _): &Packed| match hash {
                Some(hash) => hashes[*hash as usize].parse::<u128>().unwrap(),
                None => u128::from_str_radix(
                    &format!("{:032x}", hash_key(keys[*key as usize].as_bytes())),
                    16,
                )
                .unwrap(),
            };
            let expected: Vec<(u64, &str, &[u8])> = readable
                .iter()
                .enumerate()
                .filter(|(_, record)| (range.start..=range.end).contains(&hash_of(record)))
                .map(|(sub, (key, _, data))| (sub as u64, key_texts[*key as usize], &data[..]))
                .collect();
            let (out, counts) = taken_apart(pack(&key_texts, &hash_texts, &records), Some(&range));
            let got: Vec<(u64, &str, &[u8])> = out
                .iter()
                .map(|r| {
                    (
                        r.position.sequence.sub,
                        std::str::from_utf8(&r.partition_key).unwrap(),
                        &r.data[..],
                    )
                })
                .collect();
            prop_assert_eq!(got, expected);
            prop_assert_eq!(counts.unreadable as usize, records.len() - readable.len());
            prop_assert_eq!((counts.outside_range + counts.records) as usize, readable.len());
        }

        #[test]
        fn no_message_causes_a_panic(message in prop::collection::vec(any::<u8>(), 1..80)) {
            taken_apart(seal(&message), None);
        }
    }
}
