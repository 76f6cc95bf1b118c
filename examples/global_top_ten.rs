//! The ten most wanted URLs of every minute, over all shards of a stream: `cargo run --example
//! global_top_ten --features kcl`.
//!
//! Stage one is a process a shard: it counts, and puts each window as a partial into a second
//! stream, with the window as partition key. Stage two merges them. Both are the processors that
//! the Kinesis Client Library would run; here the daemon is played, and the second stream is a
//! vector. On the way a process is killed, and partials come twice: the answer is that of one
//! process that sees every record once.

#![allow(clippy::print_stdout, reason = "an example shows what it has found")]

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;
use streamgauge::adapter::kcl::{
    self, AnswerSink, Batch, MergerWork, Message, PipelineWork, ProcessorOptions, RecordProcessor,
    Session, StartingPoint, StatefulProcessor, SystemClock,
};
use streamgauge::adapter::{Decoding, PartialSink};
use streamgauge::merger::{Merged, Merger, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::record::Record;
use streamgauge::sketch::TopRow;
use streamgauge::snapshot::Partial;
use streamgauge::store::{MemoryStore, Store};

const SHARDS: u64 = 4;

struct Hit {
    time: Timestamp,
    url: String,
}

type Top = Vec<TopRow<Box<str>>>;

/// What both stages, and whoever else asks, compute.
fn pipeline() -> Result<Pipeline<Hit, impl Aggregate<Hit, Output = Top>>, streamgauge::Error> {
    let builder =
        Pipeline::builder().name("hits, v1").event_time(|hit: &Hit| hit.time).window(minutes(1));
    builder.out_of_orderness(seconds(5)).aggregate(top_k(10, |hit: &Hit| hit.url.as_str())).build()
}

/// Two and a half minutes of hits; the URL of rank n comes about 1/n as often as the first.
fn hits() -> Vec<(u64, Record)> {
    let mut random = 1u64;
    let mut hits = Vec::new();
    for index in 0..15_000u64 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let rank = (5000f64.powf((random >> 11) as f64 / (1u64 << 53) as f64)) as u64;
        let shard = (random >> 3) % SHARDS;
        let position = Position { shard: name(shard), sequence: Sequence::new(1000 + index) };
        let arrival = Timestamp::from_millis(1_700_000_000_000 + index as i64 * 10);
        hits.push((
            shard,
            Record {
                partition_key: "k".into(),
                data: format!("/page/{rank}").into(),
                arrival,
                position,
                headers: Default::default(),
            },
        ));
    }
    hits
}

fn name(shard: u64) -> ShardId {
    ShardId::new(format!("shardId-{shard:012}"))
}

fn decode(record: &Record) -> Result<Hit, std::str::Utf8Error> {
    Ok(Hit { time: record.arrival, url: std::str::from_utf8(&record.data)?.to_owned() })
}

/// Plays the daemon: the records in batches, a checkpoint taken after each, and the end of the
/// shard unless the process is `killed` before.
fn deliver(
    shard: &ShardId,
    records: &[Record],
    killed: bool,
    processor: &mut dyn RecordProcessor,
) -> Result<(), streamgauge::Error> {
    const TAKEN: &str =
        r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
    let mut said = vec![
        Message::Initialize { shard: shard.clone(), from: StartingPoint::TrimHorizon }.to_json(),
    ];
    for records in records.chunks(500) {
        let mut batch = Batch::default();
        (batch.records, batch.millis_behind_latest) = (records.to_vec(), Some(0));
        said.extend([Message::ProcessRecords(batch).to_json(), TAKEN.into()]);
    }
    if !killed {
        said.extend([
            Message::ShutdownRequested.to_json(),
            TAKEN.into(),
            Message::LeaseLost.to_json(),
        ]);
    }
    let input = said.join("\n") + "\n";
    kcl::run(&mut Session::new(input.as_bytes(), std::io::sink()), processor, &mut SystemClock)
        .map(drop)
}

/// State and checkpoint after every batch.
fn options() -> ProcessorOptions {
    let mut options = ProcessorOptions::default();
    (options.every_records, options.every) = (1, Duration::ZERO);
    options
}

/// Stage one: a process for a shard, which puts partials.
fn counter<'a>(
    store: &'a dyn Store,
    stream: &Rc<RefCell<Vec<Partial>>>,
) -> Result<impl RecordProcessor + 'a, streamgauge::Error> {
    let stream = stream.clone();
    let work = PipelineWork::new(Decoding::new(pipeline()?, decode), move |_, _| {
        let stream = stream.clone();
        let put = move |partial: &Partial| {
            stream.borrow_mut().push(partial.clone());
            Ok(())
        };
        Ok(Box::new(PartialSink::new(put)))
    })?;
    Ok(StatefulProcessor::new(work, store, options()))
}

/// Stage two: a process for a shard of the stream of partials.
fn merger<'a>(
    store: &'a dyn Store,
    answers: &Rc<RefCell<Vec<Merged<Top>>>>,
) -> Result<impl RecordProcessor + 'a, streamgauge::Error> {
    let mut merging = MergerOptions::default();
    merging.sources = Some(SHARDS as usize);
    let merger = Merger::new(pipeline()?.into_engine(), merging)?;
    let answers = answers.clone();
    let work = MergerWork::new(merger, move |_| {
        let answers = answers.clone();
        let put = move |answer: Merged<Top>| {
            answers.borrow_mut().push(answer);
            Ok(())
        };
        Ok(Box::new(put) as Box<dyn AnswerSink<Merged<Top>>>)
    });
    Ok(StatefulProcessor::new(work, store, options()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (states, stream) = (MemoryStore::new(), Rc::new(RefCell::new(Vec::new())));
    for shard in 0..SHARDS {
        let records: Vec<Record> =
            hits().into_iter().filter(|(of, _)| *of == shard).map(|(_, record)| record).collect();
        if shard == 2 {
            // Killed after 2000 records, it is started again, and everything is delivered again.
            deliver(&name(shard), &records[..2000], true, &mut counter(&states, &stream)?)?;
        }
        deliver(&name(shard), &records, false, &mut counter(&states, &stream)?)?;
    }

    let partials = stream.take();
    let record = |(index, partial): (usize, &Partial)| {
        let position = Position { shard: name(0), sequence: Sequence::new(index as u64 + 1) };
        Record {
            partition_key: "window".into(),
            data: partial.bytes().clone(),
            arrival: Timestamp::from_millis(0),
            position,
            headers: Default::default(),
        }
    };
    // The stream of partials has each twice.
    let records: Vec<Record> = partials.iter().chain(&partials).enumerate().map(record).collect();
    let (states, answers) = (MemoryStore::new(), Rc::new(RefCell::new(Vec::new())));
    deliver(&name(0), &records[..5], true, &mut merger(&states, &answers)?)?;
    deliver(&name(0), &records, false, &mut merger(&states, &answers)?)?;

    let mut one_process = pipeline()?;
    let every_hit: Vec<Hit> =
        hits().iter().map(|(_, record)| decode(record)).collect::<Result<_, _>>()?;
    let expected: Vec<_> =
        one_process.over(every_hit).map(|emission| (emission.window, emission.value)).collect();
    assert!(answers.borrow().len() >= 2);
    for (answer, (window, value)) in answers.take().iter().zip(&expected) {
        assert_eq!(
            (&answer.window, &answer.value, answer.sources, answer.complete),
            (window, value, SHARDS as usize, true)
        );
        let window = answer.window.ok_or("windows are tumbling")?;
        println!("{} to {}, of {} shards", window.start(), window.end(), answer.sources);
        for row in &answer.value {
            println!("  {:>6}  {}", row.count, row.key);
        }
    }
    Ok(())
}
