//! AWS's wire formats: a Lambda event and the MultiLangDaemon's lines to records, and to a count by
//! page; the event through a whole handler, with a declared pipeline.
//!
//! Data: 10,000 clicks of about 80 bytes, the 6.3 MB event of `tests/kit/make_events.py`; 10,000
//! records of 100 bytes in one line of the daemon; a KPL aggregate of 1,000 user records. The
//! peers: `aws_lambda_events` and a plain serde_json loop, each with `serde_json::Value` and a hash
//! map, as in AWS's samples.

use base64_simd::STANDARD;
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hint::black_box;
use streamgauge::Control;
use streamgauge::adapter::kcl::{Message, Session};
use streamgauge::adapter::lambda::{Handler, KinesisEvent};
use streamgauge::adapter::{Declared, Sink, each};
use streamgauge::query::PipelineSpec;
use streamgauge::record::{Record, ShardId};
use streamgauge::rows::{CompileOptions, RowEmission};
use streamgauge::time::Timestamp;

const RECORDS: usize = 10_000;

type Counts = HashMap<String, u64>;

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn click(index: usize, state: &mut u64) -> String {
    let page = match random(state) % 5 {
        0 => "/home".to_owned(),
        1 => "/cart".to_owned(),
        2 => format!("/item/{}", random(state) % 400 + 1),
        3 => "/search".to_owned(),
        _ => "/login".to_owned(),
    };
    let referrer = ["google", "direct", "mail"][(random(state) % 3) as usize];
    let millis = 1_700_000_000_000 + index as u64 * 7;
    format!(
        r#"{{"page":"{page}","user":"u{:05}","ms":{millis},"ref":"{referrer}"}}"#,
        random(state) % 20_000
    )
}

fn number(index: usize) -> String {
    format!("4965{:052}", index as u128 * 1_208_925_819_614_629_174_706_176)
}

fn event() -> Vec<u8> {
    let mut state = 42;
    let record = |index| {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": format!("u{}", index % 997), "sequenceNumber": number(index),
                "data": STANDARD.encode_to_string(click(index, &mut state)), "approximateArrivalTimestamp": 1_700_000_000.0 + index as f64 / 1000.0,
            },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000003:{}", number(index)),
            "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-kinesis-role",
            "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
        })
    };
    json!({ "Records": (0..RECORDS).map(record).collect::<Vec<Value>>() }).to_string().into_bytes()
}

/// One `processRecords` of records of exactly 100 bytes, as the daemon orders its fields.
fn line() -> Vec<u8> {
    let mut state = 42;
    let record = |index| {
        let data = format!("{:<100}", click(index, &mut state));
        let data = STANDARD.encode_to_string(data);
        let number = number(index);
        let key = index % 997;
        format!(
            r#"{{"data":"{data}","partitionKey":"u{key}","sequenceNumber":"{number}","approximateArrivalTimestamp":1795492543577,"subSequenceNumber":0,"action":"record"}}"#
        )
    };
    let records: Vec<String> = (0..RECORDS).map(record).collect();
    format!(
        "{{\"action\":\"processRecords\",\"records\":[{}],\"millisBehindLatest\":0}}\n",
        records.join(",")
    )
    .into_bytes()
}

fn count(records: &[Record]) -> Counts {
    #[derive(Deserialize)]
    struct Click<'a> {
        page: &'a str,
    }
    let mut counts = Counts::new();
    for record in records {
        let click: Click<'_> =
            serde_json::from_slice(&record.data).expect("the benchmark makes valid input");
        match counts.get_mut(click.page) {
            Some(count) => *count += 1,
            None => drop(counts.insert(click.page.to_owned(), 1)),
        }
    }
    counts
}

fn count_value(counts: &mut Counts, data: &[u8]) {
    let click: Value = serde_json::from_slice(data).expect("the benchmark makes valid input");
    *counts
        .entry(click["page"].as_str().expect("the benchmark makes valid input").to_owned())
        .or_default() += 1;
}

fn theirs(event: &[u8]) -> (Counts, i64) {
    let event: aws_lambda_events::event::kinesis::KinesisEvent =
        serde_json::from_slice(event).expect("the benchmark makes valid input");
    let (mut counts, mut arrivals) = (Counts::new(), 0);
    for record in event.records {
        arrivals += record.kinesis.approximate_arrival_timestamp.timestamp_millis();
        black_box((&record.kinesis.partition_key, &record.kinesis.sequence_number));
        count_value(&mut counts, &record.kinesis.data);
    }
    (counts, arrivals)
}

/// The whole way: the event, the records, de-aggregation, a declared pipeline, its answers, the
/// reply.
fn handler(
    answers: std::rc::Rc<std::cell::RefCell<Counts>>,
) -> Handler<Declared, impl Sink<Declared>> {
    let spec = PipelineSpec::from_toml("group = \"page\"\nagg = \"count\"\n", "pages.toml")
        .expect("a pipeline");
    let pipeline = Declared::compile(&spec, CompileOptions::default()).expect("a pipeline");
    let sink = each(move |emission: RowEmission| {
        let count = emission.values[0].to_string().parse().expect("a count is a number");
        answers.borrow_mut().insert(emission.group[0].to_string(), count);
        Ok(())
    });
    Handler::new(pipeline, sink).expect("it can be written down").stateless()
}

fn lambda(criterion: &mut Criterion) {
    let event = event();
    let expected = theirs(&event).0;
    assert_eq!(
        count(&KinesisEvent::from_slice(&event).expect("the benchmark makes valid input").records),
        expected
    );
    let mut group = criterion.benchmark_group("wire/lambda");
    group.throughput(Throughput::Bytes(event.len() as u64));
    group.bench_function("count/aws_lambda_events/10000", |bencher| {
        bencher.iter(|| theirs(black_box(&event)).0.len())
    });
    group.bench_function("count/streamgauge/10000", |bencher| {
        bencher.iter(|| {
            count(
                &KinesisEvent::from_slice(black_box(&event))
                    .expect("the benchmark makes valid input")
                    .records,
            )
            .len()
        });
    });
    let answers = std::rc::Rc::new(std::cell::RefCell::new(Counts::new()));
    let mut handler = handler(answers.clone());
    group.bench_function("handler/streamgauge/10000", |bencher| {
        bencher.iter(|| {
            answers.borrow_mut().clear();
            handler
                .handle_bytes(black_box(&event), Timestamp::from_millis(0))
                .expect("the benchmark makes valid input")
        });
    });
    assert_eq!(*answers.borrow(), expected);
    group.bench_function("records/streamgauge/10000", |bencher| {
        bencher.iter(|| {
            KinesisEvent::from_slice(black_box(&event))
                .expect("the benchmark makes valid input")
                .records
                .len()
        });
    });
    group.finish();
}

fn naive_line(line: &[u8]) -> Counts {
    let message: Value = serde_json::from_slice(line).expect("the benchmark makes valid input");
    let mut counts = Counts::new();
    for record in message["records"].as_array().expect("the benchmark makes valid input") {
        count_value(
            &mut counts,
            &STANDARD
                .decode_to_vec(record["data"].as_str().expect("the benchmark makes valid input"))
                .expect("the benchmark makes valid input"),
        );
    }
    counts
}

fn session_records(input: &[u8]) -> Vec<Record> {
    let mut session = Session::new(input, std::io::sink());
    let mut records = Vec::new();
    while let Some(message) = session.read().expect("the benchmark makes valid input") {
        if let Message::ProcessRecords(batch) = message {
            records = batch.records;
        }
        session.answer().expect("the benchmark makes valid input");
    }
    records
}

/// The whole child, as `streamgauge kcl` runs it, from its input to its windows: how many records
/// were applied.
#[cfg(feature = "spec")]
fn child(input: &[u8]) -> u64 {
    use streamgauge::adapter::kcl::{
        self, PipelineWork, ProcessorOptions, StatefulProcessor, SystemClock,
    };
    use streamgauge::adapter::{Declared, each};
    use streamgauge::query::PipelineSpec;
    use streamgauge::rows::CompileOptions;
    let toml = "time = \"ms\"\ntime_format = \"ms\"\nwindow = \"10s\"\nagg = \"count, sum(ms), top(10, page)\"\n";
    let spec = PipelineSpec::from_toml(toml, "bench").expect("the benchmark makes valid input");
    let pipeline = Declared::compile(&spec, CompileOptions::default())
        .expect("the benchmark makes valid input");
    let work = PipelineWork::new(pipeline, |_, _| {
        Ok(Box::new(each(|row| {
            black_box(&row);
            Ok(())
        })))
    });
    let mut options = ProcessorOptions::default();
    options.on_note = Box::new(|_| {});
    let store = streamgauge::store::MemoryStore::new();
    let mut processor =
        StatefulProcessor::new(work.expect("the benchmark makes valid input"), store, options);
    kcl::run(&mut Session::new(input, std::io::sink()), &mut processor, &mut SystemClock)
        .expect("the benchmark makes valid input");
    processor.work().pipeline().stats().applied
}

fn kcl(criterion: &mut Criterion) {
    let line = line();
    let initialize = &b"{\"action\":\"initialize\",\"shardId\":\"s\",\"sequenceNumber\":\"LATEST\",\"subSequenceNumber\":0}\n"[..];
    let input = [initialize, &line].concat();
    assert_eq!(count(&session_records(&input)), naive_line(&line));
    let shard = ShardId::new("s");
    let mut group = criterion.benchmark_group("wire/kcl");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("count/serde_json/10000x100", |bencher| {
        bencher.iter(|| naive_line(black_box(&line)).len())
    });
    group.bench_function("count/streamgauge/10000x100", |bencher| {
        bencher.iter(|| count(&session_records(black_box(&input))).len())
    });
    #[cfg(feature = "spec")]
    {
        assert_eq!(child(&input), RECORDS as u64);
        group.bench_function("child/streamgauge/10000x100", |bencher| {
            bencher.iter(|| child(black_box(&input)))
        });
    }
    group.bench_function("records/streamgauge/10000x100", |bencher| {
        bencher.iter(|| {
            match Message::parse(black_box(&line), &shard).expect("the benchmark makes valid input")
            {
                Message::ProcessRecords(batch) => batch.records.len(),
                _ => 0,
            }
        });
    });
    group.finish();
}

fn kpl(criterion: &mut Criterion) {
    use md5::{Digest, Md5};
    use streamgauge::adapter::kinesis_records::kpl::Aggregated;
    let (mut message, mut state) = (vec![0x0A, 0x01, b'k'], 42);
    for index in 0..1000 {
        let click = click(index, &mut state);
        assert!(click.len() < 120);
        message.extend_from_slice(&[
            0x1A,
            click.len() as u8 + 4,
            0x08,
            0x00,
            0x1A,
            click.len() as u8,
        ]);
        message.extend_from_slice(click.as_bytes());
    }
    let data =
        Bytes::from([&[0xF3, 0x89, 0x9A, 0xC2][..], &message, &Md5::digest(&message)[..]].concat());
    let mut group = criterion.benchmark_group("wire/kpl");
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("user_records/streamgauge/1000", |bencher| {
        bencher.iter(|| {
            let aggregated =
                Aggregated::parse(black_box(&data)).expect("the benchmark makes valid input");
            let bytes: usize = aggregated.user_records().map(|user| user.data.len()).sum();
            assert_eq!(aggregated.count(), 1000);
            bytes
        });
    });
    group.bench_function("digest/md-5/1000", |bencher| {
        bencher.iter(|| Md5::digest(black_box(&message)))
    });
    group.finish();
}

pub(crate) fn benches(criterion: &mut Criterion) {
    lambda(criterion);
    kcl(criterion);
    kpl(criterion);
}
