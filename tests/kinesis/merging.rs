//! The second stage: partials that are the records of a stream, merged by one process.

use super::cloud::{Cloud, Dice, Event, FIRST_START, Handle};
use super::reading::{PIPELINE, Script, by_row, declared, spec};
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use streamgauge::adapter::kinesis::{StreamProcessor, StreamReader};
use streamgauge::adapter::worker::{
    AnswerSink, MergerWork, ProcessorOptions, StatefulProcessor, StreamStart, StreamWork,
};
use streamgauge::adapter::{ExactFile, RecordPipeline};
use streamgauge::merger::MergerOptions;
use streamgauge::rows::{CompileOptions, JsonLines, MergedRow, RowMerger};
use streamgauge::store::MemoryStore;
use streamgauge::{Control, Error, Position, Record, Sequence, ShardId, Timestamp};

/// Longer than any test in simulated time.
const LONG: Duration = Duration::from_secs(86_400);

/// Enough to read again what was not saved, and for the deadline of the last window, if no call
/// fails meanwhile: a single slow one takes longer.
const CALM_MILLIS: i64 = 60_000;

type Merging = StreamProcessor<Handle, MergerWork<RowMerger>, Arc<MemoryStore>>;

/// Merged rows in a file.
struct Rows(ExactFile);

impl AnswerSink<MergedRow> for Rows {
    fn put(&mut self, row: MergedRow) -> Result<(), Error> {
        let mut line = Vec::new();
        JsonLines::default().append(&row.emission, &mut line);
        self.0.write_all(&line).unwrap();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.0.flush().unwrap();
        Ok(())
    }
}

/// Returns the partials of three sources, as records that arrive one after the other, with splits
/// and merges of shards.
fn partials(script: &Script, dice: &mut Dice) -> Vec<(i64, Event)> {
    let mut events = Vec::new();
    for source in ["s0", "s1", "s2"] {
        let mut pipeline = declared(PIPELINE);
        let shard = pipeline.open_shard(ShardId::new(source)).unwrap();
        for (index, (_, payload)) in script.payloads.iter().enumerate() {
            if !format!("s{}", index % 3).eq(source) {
                continue;
            }
            let sequence = Sequence::new(index as u64);
            let record = Record {
                partition_key: "".into(),
                data: payload.clone().into(),
                arrival: Timestamp::from_millis(0),
                position: Position { shard: ShardId::new(source), sequence },
                headers: Default::default(),
            };
            pipeline.push(shard, &record).unwrap();
        }
        pipeline.finish();
        while let Some(partial) = pipeline.next_partial(source).unwrap() {
            let key = partial.window().unwrap().end().as_millis().to_string();
            let at = FIRST_START + dice.below(60_000) as i64;
            events.push((at, Event::Put { key, data: partial.into_bytes() }));
        }
    }
    for _ in 0..dice.below(4) {
        let at = FIRST_START + dice.below(60_000) as i64;
        events.push((at, if dice.percent(50) { Event::Split } else { Event::Merge }));
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

fn start(
    (stream, store): (&Handle, &Arc<MemoryStore>),
    path: &std::path::Path,
    seed: u64,
) -> Result<Merging, Error> {
    stream.0.borrow_mut().forget_calls();
    let file = ExactFile::open(path)?;
    let mut options = MergerOptions::default();
    (options.deadline, options.retention) = (Some(Duration::from_secs(5)), LONG);
    let mut compile = CompileOptions::default();
    compile.arrival_times = true;
    let merger = spec(PIPELINE).compile(&compile)?.into_merger(options)?;
    let lines = file.clone();
    let work = MergerWork::new(merger, move |_| {
        let rows: Box<dyn AnswerSink<MergedRow>> = Box::new(Rows(lines.clone()));
        Ok(rows)
    });
    let mut options = ProcessorOptions::default();
    (options.every_records, options.every) = (7, Duration::from_secs(2));
    options.on_note = Box::new(|note| assert!(note.contains("another owner has saved"), "{note}"));
    let processor =
        StatefulProcessor::new(StreamWork::new(work).output(file), store.clone(), options);
    let reader = StreamReader::new(stream.clone(), seed);
    StreamProcessor::open(
        "partials",
        StreamStart::TrimHorizon,
        (reader, processor),
        &mut stream.clone(),
    )
}

fn is_delivered(stream: &Handle) -> bool {
    let cloud = stream.0.borrow();
    cloud.is_over() && cloud.shards.values().all(|shard| shard.delivered == shard.records.len())
}

fn without_revision(lines: &str) -> Vec<String> {
    let rows = by_row(lines).into_values();
    rows.map(|line| {
        let mut row: serde_json::Value = serde_json::from_str(&line).unwrap();
        row.as_object_mut().unwrap().remove("revision");
        row.to_string()
    })
    .collect()
}

#[test]
fn s276_merged_partials_of_a_stream_are_the_batch_answer_and_each_revision_once() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed ^ 0x3A3A);
        let script = Script::new(seed);
        let events = partials(&script, &mut dice);
        let (shards, faults) = (1 + dice.below(3) as u32, dice.below(3) * 4);
        let cloud = Cloud::new(seed, shards, faults, events);
        let stream = Handle(Rc::new(RefCell::new(cloud)));
        stream.0.borrow_mut().advance(FIRST_START);
        let store = Arc::new(MemoryStore::new());
        let path = std::env::temp_dir()
            .join(format!("streamgauge-merging-{}-{seed}.jsonl", std::process::id()));
        let mut merging = None;
        let (mut starts, mut steps) = (0, 0);
        // When each record was delivered once: nobody is killed and no call fails afterwards.
        let mut delivered_at = None;
        while delivered_at.is_none_or(|at| stream.0.borrow().now < at + CALM_MILLIS) {
            steps += 1;
            assert!(steps < 200_000, "seed {seed}: it does not come to an end");
            let mut process: Merging = match merging.take() {
                Some(process) => process,
                None => {
                    starts += 1;
                    match start((&stream, &store), &path, seed + starts) {
                        Ok(process) => process,
                        // The first listing fails where three attempts do.
                        Err(error) => {
                            assert!(faults > 0 && starts < 100, "seed {seed}: {error}");
                            continue;
                        }
                    }
                }
            };
            process.step(&mut stream.clone()).unwrap();
            if delivered_at.is_none() && is_delivered(&stream) {
                let mut cloud = stream.0.borrow_mut();
                (delivered_at, cloud.faults) = (Some(cloud.now), 0);
            }
            let is_killed = dice.percent(2) && delivered_at.is_none();
            merging = (!is_killed).then_some(process);
        }
        merging.unwrap().shut_down(&mut stream.clone()).unwrap();
        let found = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let rows = found.lines().count();
        let distinct: std::collections::BTreeSet<&str> = found.lines().collect();
        assert_eq!(rows, distinct.len(), "seed {seed}: a line is there twice");
        assert_eq!(
            without_revision(&found),
            without_revision(&script.expected(PIPELINE, 0)),
            "seed {seed}"
        );
    }
}
