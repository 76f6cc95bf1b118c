//! Records inside records, with any nesting, order and redelivery: both adapters give the answers
//! of the flat records.

use crate::kcl::{Daemon, StepClock, initialize};
use base64_simd::STANDARD;
use md5::{Digest, Md5};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use streamgauge::adapter::kcl::{
    Batch, Message, PipelineWork, ProcessorOptions, StartingPoint, StatefulProcessor,
};
use streamgauge::adapter::lambda::Handler;
use streamgauge::adapter::{Declared, Packing, each};
use streamgauge::prelude::*;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::snapshot::Summary;
use streamgauge::store::{MemoryStore, Store};

/// The content of a record.
#[derive(Clone, Debug)]
enum Node {
    /// This many lines, each of which is a record.
    Lines(u8),
    Aggregate(Vec<Node>),
    /// An aggregate with another digest: a record that cannot be decoded.
    Damaged,
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![6 => (1u8..4).prop_map(Node::Lines), 1 => Just(Node::Damaged)];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop::collection::vec(inner, 0..6).prop_map(Node::Aggregate)
    })
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len(), out);
    out.extend_from_slice(bytes);
}

impl Node {
    fn payload(&self) -> Vec<u8> {
        match self {
            Node::Lines(lines) => "{\"n\":1}\n".repeat(usize::from(*lines)).into_bytes(),
            Node::Damaged => [&[0xF3, 0x89, 0x9A, 0xC2][..], &[7; 30]].concat(),
            Node::Aggregate(nodes) => {
                let mut message = Vec::new();
                field(1, b"k", &mut message);
                for node in nodes {
                    let mut user = vec![0x08, 0];
                    field(3, &node.payload(), &mut user);
                    field(3, &user, &mut message);
                }
                [&[0xF3, 0x89, 0x9A, 0xC2][..], &message, &Md5::digest(&message)[..]].concat()
            }
        }
    }

    /// Returns the number of records in it, and of those that cannot be decoded.
    fn counts(&self) -> (u64, u64) {
        match self {
            Node::Lines(lines) => (u64::from(*lines), 0),
            Node::Damaged => (0, 1),
            Node::Aggregate(nodes) => {
                nodes.iter().map(Node::counts).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
            }
        }
    }
}

fn pipeline() -> Declared {
    let spec = PipelineSpec::from_toml("window = \"1m\"\nagg = \"sum(n) as n\"\n", "p").unwrap();
    Declared::compile(&spec, CompileOptions::default()).unwrap()
}

/// Returns the records applied and the dead letters of all states.
fn counted(store: &MemoryStore) -> (u64, u64) {
    let load = |key: &String| {
        Summary::of(store.load(key).unwrap().unwrap().bytes).unwrap().records.unwrap()
    };
    let records = store.list("").unwrap().iter().map(load).collect::<Vec<_>>();
    (
        records.iter().map(|records| records.applied).sum(),
        records.iter().map(|records| records.dead_letters).sum(),
    )
}

const ARRIVAL: i64 = 1_700_000_000_000;

fn lambda_record(number: usize, node: &Node) -> Value {
    json!({
        "eventID": format!("s:{number}"), "eventSourceARN": "arn:aws:kinesis:r:1:stream/x", "eventSource": "aws:kinesis",
        "kinesis": {"partitionKey": "k", "sequenceNumber": number.to_string(), "data": STANDARD.encode_to_string(node.payload()),
            "approximateArrivalTimestamp": ARRIVAL as f64 / 1000.0}
    })
}

/// Returns the records as the daemon delivers them: aggregates are unpacked one level deep.
fn daemon_records(first: usize, nodes: &[Node]) -> String {
    let mut batch = Batch::default();
    for (number, node) in (first as u64..).zip(nodes) {
        let users = match node {
            Node::Aggregate(users) => users.clone(),
            other => vec![other.clone()],
        };
        for (user, sub) in users.iter().zip(0u64..) {
            let position = Position {
                shard: ShardId::new("s"),
                sequence: Sequence { number: number.into(), sub },
            };
            let data = user.payload().into();
            batch.records.push(Record {
                partition_key: "k".into(),
                data,
                arrival: Timestamp::from_millis(ARRIVAL),
                position,
                headers: Default::default(),
            });
        }
    }
    Message::ProcessRecords(batch).to_json()
}

proptest! {
    #![proptest_config(crate::cases(100))]

    #[test]
    fn s101_s102_records_in_records_are_counted_once_each(
        nodes in prop::collection::vec(node(), 1..8),
        again in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..4),
    ) {
        let expected = nodes.iter().map(Node::counts).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        // A batch begins and ends anywhere in the records so far. The last batch is complete.
        let mut batches: Vec<(usize, usize)> = Vec::new();
        let mut reached = 0;
        for (from, to) in again {
            let (from, to) = (from.index(reached + 1), 1 + to.index(nodes.len()));
            batches.push((from.min(to - 1), to));
            reached = reached.max(to);
        }
        batches.push((reached.min(nodes.len() - 1), nodes.len()));

        let letters = Arc::new(Mutex::new(0));
        let (told, store) = (letters.clone(), Arc::new(MemoryStore::new()));
        let handler = Handler::new(pipeline(), each(|_| Ok(())))
            .unwrap()
            .stored(store.clone())
            .packing(Packing::Lines);
        let mut handler = handler.on_dead_letter(move |_| *told.lock().unwrap() += 1);
        for (from, to) in &batches {
            let records: Vec<Value> =
                (*from..*to).map(|index| lambda_record(index + 1, &nodes[index])).collect();
            handler
                .handle_bytes(
                    json!({ "Records": records }).to_string().as_bytes(),
                    Timestamp::from_millis(ARRIVAL),
                )
                .unwrap();
        }
        prop_assert_eq!(counted(&store), expected);
        prop_assert_eq!(*letters.lock().unwrap(), expected.1);

        let work = PipelineWork::new(pipeline(), |_, _| Ok(Box::new(each(|_| Ok(())))))
            .unwrap()
            .packing(Packing::Lines);
        let mut options = ProcessorOptions::default();
        let told = Arc::new(Mutex::new(0));
        let count = told.clone();
        options.on_dead_letter = Some(Box::new(move |_| *count.lock().unwrap() += 1));
        options.on_note = Box::new(|_| {});
        let mut processor = StatefulProcessor::new(work, MemoryStore::new(), options);
        let messages =
            batches.iter().map(|(from, to)| daemon_records(from + 1, &nodes[*from..*to]));
        let daemon = Daemon::new(
            std::iter::once(initialize("s", StartingPoint::TrimHorizon)).chain(messages),
        );
        daemon.run(&mut processor, &mut StepClock::new(0)).unwrap();
        let stats = processor.work().pipeline().stats();
        prop_assert_eq!((stats.applied, stats.dead_letters), expected);
        prop_assert_eq!(*told.lock().unwrap(), expected.1);
    }
}

/// Several invocations at the same time in one process: either each thread has its own handler with
/// a shared store, or all threads share one handler with a lock.
#[test]
fn concurrent_invocations_lose_nothing_and_count_nothing_twice() {
    let event = |thread: u64, number: u64| {
        let mut record = lambda_record(number as usize, &Node::Lines(1));
        record["eventID"] = json!(format!("shard-{}:{number}", thread % 2));
        json!({ "Records": [record] }).to_string()
    };
    let now = Timestamp::from_millis(ARRIVAL);
    let new = |store: &Arc<MemoryStore>| {
        Handler::new(pipeline(), each(|_| Ok(()))).unwrap().stored(store.clone())
    };
    for is_shared in [false, true] {
        let store = Arc::new(MemoryStore::new());
        let shared = Mutex::new(new(&store));
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let (event, store, shared, new) = (&event, &store, &shared, &new);
                scope.spawn(move || {
                    let mut own = new(store);
                    for number in 1..=50 {
                        // A conflict fails the invocation, and Lambda delivers again.
                        let mut handle = || match is_shared {
                            true => shared
                                .lock()
                                .unwrap()
                                .handle_bytes(event(thread, number).as_bytes(), now),
                            false => own.handle_bytes(event(thread, number).as_bytes(), now),
                        };
                        while let Err(error) = handle() {
                            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                        }
                    }
                });
            }
        });
        assert_eq!(
            counted(&store),
            (100, 0),
            "50 records of each of two shards, each delivered by two threads"
        );
    }
}
