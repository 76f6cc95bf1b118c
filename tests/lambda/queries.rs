//! Several queries in functions and workers: each answers what it answers in one pipeline that gets
//! every record once.

use crate::kcl::{Daemon, StepClock, initialize};
use base64_simd::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use streamgauge::adapter::kcl::{
    Batch, Message, PipelineWork, ProcessorOptions, StartingPoint, StatefulProcessor,
};
use streamgauge::adapter::lambda::Handler;
use streamgauge::adapter::{Declared, RecordPipeline, each};
use streamgauge::prelude::*;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines, RowEmission};
use streamgauge::store::MemoryStore;

const QUERIES: &str = "time = 'ts'\nmax_delay = '1s'\n\
                       [[query]]\nname = 'hits'\nwindow = '10s'\ngroup = 'k'\n\
                       [[query]]\nname = 'sums'\nwindow = '20s'\nevery = '5s'\nagg = 'sum(n)'\n\
                       [[query]]\nname = 'few'\nwindow = '7s'\nwhere = 'n < 40'\nlateness = '2s'\n\
                       [[query]]\nname = 'big'\nwhere = 'n > 70'\nselect = 'k, n'\n";

/// 2023-11-14T22:12:00Z.
const START: i64 = 1_699_999_920_000;

/// The lines of rows, each once, by query.
type Lines = BTreeMap<String, Vec<String>>;

fn declared() -> Declared {
    let spec = PipelineSpec::from_toml(QUERIES, "p.toml").unwrap();
    Declared::compile(&spec, CompileOptions::default()).unwrap()
}

fn line(row: &RowEmission) -> String {
    let mut line = Vec::new();
    JsonLines::default().append(row, &mut line);
    // A function names a shard with its stream.
    String::from_utf8(line).unwrap().replace("clicks/s", "s")
}

fn payload(n: usize) -> Vec<u8> {
    match n % 23 {
        22 => b"oops".to_vec(),
        21 => format!("{{\"ts\":{},\"n\":\"x\"}}", START + 500 * n as i64).into_bytes(),
        _ => {
            let time = START + 500 * n as i64 - 900 * (n % 4) as i64;
            format!("{{\"ts\":{time},\"k\":\"k{}\",\"n\":{n}}}", n % 3).into_bytes()
        }
    }
}

fn record(n: usize) -> Record {
    let sequence = Sequence::new(n as u64 + 1);
    let position = Position { shard: ShardId::new("s"), sequence };
    let (data, arrival) = (payload(n).into(), Timestamp::from_millis(START + 500 * n as i64));
    Record { partition_key: "k".into(), data, arrival, position, headers: Default::default() }
}

fn add(lines: &mut Lines, row: &RowEmission) {
    let all = lines.entry(row.form.query.clone().unwrap()).or_default();
    let line = line(row);
    // After a crash a row can be written again, with the same content.
    if !all.contains(&line) {
        all.push(line);
    }
}

fn expected(records: usize, finish: bool) -> Lines {
    let (mut pipeline, mut lines) = (declared(), Lines::new());
    let shard = pipeline.open_shard(ShardId::new("s")).unwrap();
    for n in 0..records {
        RecordPipeline::push(&mut pipeline, shard, &record(n)).unwrap();
        while let Some(row) = pipeline.next_emission().unwrap() {
            add(&mut lines, &row);
        }
    }
    if finish {
        pipeline.finish();
        while let Some(row) = pipeline.next_emission().unwrap() {
            add(&mut lines, &row);
        }
    }
    lines
}

/// Returns all lines of runs over each batch by itself, in their order.
fn batch_by_batch(batches: &[Range<usize>]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches {
        let mut pipeline = declared();
        let shard = pipeline.open_shard(ShardId::new("s")).unwrap();
        for n in batch.clone() {
            RecordPipeline::push(&mut pipeline, shard, &record(n)).unwrap();
        }
        pipeline.finish();
        while let Some(row) = pipeline.next_emission().unwrap() {
            lines.push(line(&row));
        }
    }
    lines
}

fn event(records: Range<usize>) -> Value {
    let record = |n: usize| {
        json!({
            "eventID": format!("s:{}", n + 1),
            "eventSourceARN": "arn:aws:kinesis:us-east-1:1:stream/clicks",
            "kinesis": {
                "partitionKey": "k", "sequenceNumber": (n + 1).to_string(),
                "data": STANDARD.encode_to_string(payload(n)),
                "approximateArrivalTimestamp": (START + 500 * n as i64) as f64 / 1000.0,
            }
        })
    };
    json!({ "Records": records.map(record).collect::<Vec<_>>() })
}

/// Batches that overlap, as after a lost reply.
fn batches(cuts: &[(usize, usize)], records: usize) -> Vec<Range<usize>> {
    let (mut batches, mut reached) = (Vec::new(), 0);
    for (length, again) in cuts {
        let from = reached - again.min(&reached);
        let to = (reached + length).min(records);
        batches.push(from..to);
        reached = to;
    }
    batches.push(reached..records);
    batches.retain(|batch| !batch.is_empty());
    batches
}

proptest! {
    #![proptest_config(crate::cases(40))]

    #[test]
    fn s225_functions_and_workers_answer_each_query_as_one_pipeline(
        cuts in prop::collection::vec((1..40usize, 0..9usize), 0..6),
        crash in 0..7usize,
    ) {
        let records = 120;
        let batches = batches(&cuts, records);
        let lines = Arc::new(Mutex::new(Lines::new()));
        let sink = || {
            let lines = lines.clone();
            each(move |row: RowEmission| {
                add(&mut lines.lock().unwrap(), &row);
                Ok(())
            })
        };
        let now = Timestamp::from_millis(START + 60_000);
        // A function that keeps its state in a store.
        let store = Arc::new(MemoryStore::new());
        let mut handler = Handler::new(declared(), sink()).unwrap().stored(store);
        for batch in &batches {
            handler.handle_bytes(event(batch.clone()).to_string().as_bytes(), now).unwrap();
        }
        let streamed = expected(records, false);
        prop_assert_eq!(&std::mem::take(&mut *lines.lock().unwrap()), &streamed);
        // A function with Lambda's own windows.
        let mut handler = Handler::new(declared(), sink()).unwrap().tumbling();
        let (mut state, mut reached) = (json!({}), 0);
        for batch in batches.iter().cloned().chain(std::iter::once(records..records)) {
            let is_final = batch.is_empty();
            let mut event = event(reached.max(batch.start)..batch.end.max(reached));
            reached = reached.max(batch.end);
            event["window"] =
                json!({"start": "2023-11-14T22:12:00Z", "end": "2023-11-14T22:14:00Z"});
            event["state"] = state.clone();
            event["shardId"] = json!("s");
            event["isFinalInvokeForWindow"] = json!(is_final);
            event["isWindowTerminatedEarly"] = json!(false);
            let reply = handler.handle_bytes(event.to_string().as_bytes(), now).unwrap();
            if let Some(next) = reply.state() {
                state = serde_json::from_str(next.json()).unwrap();
            }
        }
        prop_assert_eq!(&std::mem::take(&mut *lines.lock().unwrap()), &expected(records, true));
        // A worker of the KCL, which is killed after some batch.
        let store = Arc::new(MemoryStore::new());
        let killed = crash.min(batches.len());
        for part in [&batches[..killed], &batches[killed.saturating_sub(1)..]] {
            let open = sink();
            let open = Arc::new(Mutex::new(Some(open)));
            let work = PipelineWork::new(declared(), move |_, _| {
                Ok(Box::new(open.lock().unwrap().take().unwrap()))
            });
            let mut options = ProcessorOptions::default();
            options.every_records = 1;
            options.on_dead_letter = Some(Box::new(|_| {}));
            options.on_note = Box::new(|_| {});
            let mut processor =
                StatefulProcessor::new(work.unwrap(), store.clone(), options);
            let messages = part.iter().map(|batch| {
                let mut message = Batch::default();
                message.records = batch.clone().map(record).collect();
                Message::ProcessRecords(message).to_json()
            });
            let first = initialize("s", StartingPoint::TrimHorizon);
            let daemon = Daemon::new(std::iter::once(first).chain(messages));
            drop(daemon.run(&mut processor, &mut StepClock::new(0)));
        }
        prop_assert_eq!(&std::mem::take(&mut *lines.lock().unwrap()), &streamed);
    }
    #[test]
    fn s225_a_function_without_a_state_answers_each_query_for_each_batch(
        cuts in prop::collection::vec((1..40usize, 0..9usize), 0..6),
    ) {
        let batches = batches(&cuts, 120);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = {
            let lines = lines.clone();
            each(move |row: RowEmission| {
                lines.lock().unwrap().push(line(&row));
                Ok(())
            })
        };
        let now = Timestamp::from_millis(START + 60_000);
        let mut handler = Handler::new(declared(), sink).unwrap().stateless();
        for batch in &batches {
            handler.handle_bytes(event(batch.clone()).to_string().as_bytes(), now).unwrap();
        }
        let lines = std::mem::take(&mut *lines.lock().unwrap());
        prop_assert_eq!(lines, batch_by_batch(&batches));
    }
}
