//! `tests/data/kpl/vectors.jsonl`: blobs, and the user records into which the libraries of AWS
//! split them.

use bytes::Bytes;
use serde::Deserialize;
use streamgauge::adapter::kinesis_records::Aggregator;
use streamgauge::adapter::kinesis_records::kpl::{Aggregated, deaggregate};
use streamgauge::record::{Position, Record, Sequence, ShardId};
use streamgauge::time::Timestamp;

#[derive(Deserialize)]
struct Vector {
    name: String,
    aggregated: bool,
    count: usize,
    records: Option<Vec<Expected>>,
    hex: String,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "camelCase")]
struct Expected {
    partition_key: String,
    explicit_hash_key: Option<String>,
    sub: u64,
    data_hex: String,
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_vector_is_split_as_by_awss_libraries() {
    let vectors = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/kpl/vectors.jsonl"
    ))
    .unwrap();
    let mut seen = 0;
    for line in vectors.lines() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let data = Bytes::from(unhex(&vector.hex));
        let position = Position {
            shard: ShardId::new("shardId-000000000000"),
            sequence: Sequence::new(42u64),
        };
        let record = Record {
            partition_key: Bytes::from_static(b"outer"),
            data: data.clone(),
            arrival: Timestamp::from_millis(9),
            position,
            headers: Default::default(),
        };
        let mut records = Vec::new();
        let counts = deaggregate(record.clone(), None, &mut records);
        assert_eq!(
            (records.len(), counts.aggregates),
            (vector.count, u64::from(vector.aggregated)),
            "{}",
            vector.name
        );
        seen += 1;
        let Some(expected) = vector.records else {
            assert_eq!(records, [record], "{}", vector.name);
            continue;
        };
        let user_records = Aggregated::parse(&data).unwrap();
        let got: Vec<Expected> = user_records
            .user_records()
            .map(|user| Expected {
                partition_key: text(&user.partition_key),
                explicit_hash_key: user.explicit_hash_key.as_deref().map(text),
                sub: user.sub,
                data_hex: hex(&user.data),
            })
            .collect();
        assert_eq!(got, expected, "{}", vector.name);
        for (record, expected) in records.iter().zip(&expected) {
            assert_eq!(
                (text(&record.partition_key), hex(&record.data)),
                (expected.partition_key.clone(), expected.data_hex.clone())
            );
            assert_eq!(
                record.position.sequence,
                Sequence { number: 42u64.into(), sub: expected.sub }
            );
        }
    }
    assert_eq!(seen, 11);
}

#[test]
fn s217_an_aggregate_has_the_bytes_of_awss_libraries() {
    let vectors = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/kpl/vectors.jsonl"
    ))
    .unwrap();
    let mut equal = Vec::new();
    for line in vectors.lines() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let data = Bytes::from(unhex(&vector.hex));
        let Some(aggregated) = Aggregated::parse(&data) else { continue };
        let mut aggregator = Aggregator::new();
        for user in aggregated.user_records() {
            let hash_key = user.explicit_hash_key.as_ref().map(|key| text(key).parse().unwrap());
            aggregator.add(&user.partition_key, hash_key, &user.data);
        }
        if aggregator.take().is_some_and(|blob| blob == data) {
            equal.push(vector.name);
        }
    }
    // `with_tags` has what the aggregator does not write.
    assert_eq!(
        equal,
        ["lib_three_keys", "lib_shared_keys", "mixed_explicit_hash", "single_record"]
    );
}
