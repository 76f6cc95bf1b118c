//! Progress of event time in a function: windows fire, and the schedule answers them, whatever the
//! outcome of the records.

use base64_simd::STANDARD;
use serde_json::json;
use std::sync::{Arc, Mutex};
use streamgauge::adapter::lambda::Handler;
use streamgauge::adapter::{Declared, RecordPipeline, Sink, each};
use streamgauge::prelude::*;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, RowEmission};
use streamgauge::store::MemoryStore;

/// The minute that the first record is in.
const MINUTE: i64 = 1_700_000_040_000;

/// A function in stored mode and its output: the minute of each answer, its revision and its count.
struct Function<P, S> {
    handler: Handler<P, S>,
    said: Arc<Mutex<Vec<(i64, u32, String)>>>,
    records: u64,
}

fn function(pipeline: &str) -> Function<Declared, impl Sink<Declared>> {
    let spec = PipelineSpec::from_toml(pipeline, "p.toml").unwrap();
    let pipeline = Declared::compile(&spec, CompileOptions::default()).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = said.clone();
    let sink = each(move |row: RowEmission| {
        let minute = (row.window.unwrap().start().as_millis() - MINUTE) / 60_000;
        kept.lock().unwrap().push((minute, row.revision, row.values[0].to_string()));
        Ok(())
    });
    Function {
        handler: Handler::new(pipeline, sink).unwrap().stored(MemoryStore::new()),
        said,
        records: 0,
    }
}

impl<P: RecordPipeline, S: Sink<P>> Function<P, S> {
    /// Returns the output for a batch of these payloads that arrive this many seconds after the
    /// minute.
    fn batch(&mut self, payloads: &[&str], seconds: i64) -> Vec<(i64, u32, String)> {
        let record = |payload: &&str| {
            self.records += 1;
            json!({
                "eventID": format!("shardId-000000000003:{}", self.records), "eventSourceARN": "arn:aws:kinesis:us-east-1:1:stream/clicks",
                "kinesis": {
                    "partitionKey": "k", "sequenceNumber": self.records.to_string(), "data": STANDARD.encode_to_string(payload),
                    "approximateArrivalTimestamp": (MINUTE / 1000 + seconds) as f64,
                },
            })
        };
        let event =
            json!({ "Records": payloads.iter().map(record).collect::<Vec<_>>() }).to_string();
        self.handler.handle_bytes(event.as_bytes(), at(seconds)).unwrap();
        std::mem::take(&mut self.said.lock().unwrap())
    }

    /// Returns the output for an event of the schedule.
    fn tick(&mut self, seconds: i64) -> Vec<(i64, u32, String)> {
        let answered = self.handler.answer_idle(at(seconds)).unwrap();
        let said = std::mem::take(&mut *self.said.lock().unwrap());
        assert_eq!(
            answered == 1,
            !said.is_empty(),
            "a shard counts as answered if something was said: {said:?}"
        );
        said
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(MINUTE + seconds * 1000)
}

/// Returns an answer with this minute, revision and count.
fn answer(minute: i64, revision: u32, count: u64) -> (i64, u32, String) {
    (minute, revision, count.to_string())
}

const BY_TIME: &str = "where = \"s >= 500\"\ntime = \"ts\"\ntime_format = \"s\"\nwindow = \"1m\"\n\
                       max_delay = \"0s\"\nagg = \"count, sum(b) as b\"\n";

const BY_ARRIVAL: &str =
    "where = \"s >= 500\"\nwindow = \"1m\"\nmax_delay = \"0s\"\nagg = \"count, sum(b) as b\"\n";

/// Errors per minute.
#[test]
fn s11_any_later_record_completes_a_window_whatever_its_outcome() {
    let first = r#"{"ts":1700000040,"s":500,"b":1}"#;
    for (pipeline, next, comes_out) in [
        (BY_TIME, r#"{"ts":1700000100,"s":200}"#, true),
        (BY_TIME, r#"{"ts":1700000099,"s":200}"#, false),
        (BY_TIME, r#"{"ts":"soon","s":200}"#, false),
        (BY_TIME, r#"{"ts":1700000100,"s":500,"b":"many"}"#, true),
        (BY_TIME, "{", false),
        (BY_ARRIVAL, r#"{"s":200}"#, true),
        (BY_ARRIVAL, r#"{"s":500,"b":"many"}"#, true),
        (BY_ARRIVAL, "{", true),
    ] {
        let mut function = function(pipeline);
        assert_eq!(function.batch(&[first], 1), []);
        let expected = if comes_out { vec![answer(0, 0, 1)] } else { vec![] };
        assert_eq!(function.batch(&[next], 60), expected, "{pipeline} {next}");
    }
}

/// Late records are handed out once.
#[test]
fn s78_late_records_are_counted_and_reported() {
    let mut function = function(BY_TIME);
    let late = Arc::new(Mutex::new(Vec::new()));
    let kept = late.clone();
    function.handler = function
        .handler
        .on_late(move |record| kept.lock().unwrap().push(serde_json::to_value(record).unwrap()));
    let hit = |second: i64| format!(r#"{{"ts":{},"s":500,"b":1}}"#, MINUTE / 1000 + second);
    assert_eq!(function.batch(&[&hit(1), &hit(60), &hit(2), &hit(61)], 61), [answer(0, 0, 1)]);
    assert_eq!((function.handler.invocation().late, function.handler.invocation().applied), (1, 3));
    let expected = json!({
        "shard": "shardId-000000000003", "sequence": "3", "time": "2023-11-14T22:14:02.000Z", "watermark": "2023-11-14T22:14:59.999Z", "data": hit(2),
    });
    assert_eq!(*late.lock().unwrap(), [expected]);
    function.records = 0;
    assert_eq!(function.batch(&[&hit(1), &hit(60), &hit(2), &hit(61)], 61), []);
    assert_eq!((function.handler.invocation().late, late.lock().unwrap().len()), (0, 1));
}

/// The answers of the schedule, and how often they come.
#[test]
fn s16_s63_the_schedule_repeats_no_answer() {
    let error = |second: i64| format!(r#"{{"ts":{},"s":500,"b":1}}"#, MINUTE / 1000 + second);
    let mut function = function(BY_TIME);
    assert_eq!(function.batch(&[&error(1)], 1), []);
    assert_eq!(function.batch(&[r#"{"ts":1700000041,"s":200}"#], 50), []);
    assert_eq!(function.tick(100), [], "a filtered record came less than a minute ago");
    // Records without a readable time do not prevent the shard from becoming idle.
    assert_eq!(function.batch(&["{"], 100), []);
    assert_eq!(function.tick(110), [answer(0, 0, 1)]);
    assert_eq!(function.tick(120), []);
    for second in [130, 200, 270] {
        assert_eq!(function.batch(&[r#"{"ts":1700000041,"s":200}"#, "{"], second), []);
        assert_eq!(function.tick(second + 61), [], "the records of the window are those of before");
    }
    assert_eq!(function.batch(&[&error(2)], 340), []);
    assert_eq!(function.tick(410), [answer(0, 1, 2)]);
    assert_eq!(
        function.batch(&[r#"{"ts":1700000100,"s":200}"#], 420),
        [answer(0, 2, 2)],
        "in its turn"
    );
    assert_eq!(function.tick(600), []);
}

/// Also for the program's own types.
#[test]
fn s79_records_of_a_far_future_are_dead_letters_or_stay_filtered() {
    use streamgauge::adapter::Decoding;
    use streamgauge::record::{Position, Record};
    const HOUR: i64 = 3_600_000;
    let build = || {
        let builder = Pipeline::builder()
            .event_time(|event: &(i64, bool)| Timestamp::from_millis(event.0))
            .filter(|event| event.1);
        let pipeline =
            builder.window(Tumbling::new(minutes(1)).unwrap()).aggregate(count()).build().unwrap();
        Decoding::new(pipeline, |record: &Record| {
            let text = std::str::from_utf8(&record.data).map_err(|error| error.to_string())?;
            Ok::<_, String>((
                text.trim_end_matches('-').parse::<i64>().map_err(|error| error.to_string())?,
                !text.ends_with('-'),
            ))
        })
    };
    let push =
        |hits: &mut dyn FnMut(&Record) -> String, number: u64, data: &str, arrival: Timestamp| {
            let position = Position { shard: ShardId::new("s"), sequence: Sequence::new(number) };
            hits(&Record {
                partition_key: "k".into(),
                data: data.as_bytes().to_vec().into(),
                arrival,
                position,
                headers: Default::default(),
            })
        };
    let run = |mut hits: Decoding<(i64, bool), _, _>, arrival: Timestamp| {
        let shard = hits.open_shard(ShardId::new("s")).unwrap();
        let mut taken = |record: &Record| format!("{:?}", hits.push(shard, record).unwrap());
        let said: Vec<String> = [HOUR + 1, HOUR, 5]
            .into_iter()
            .zip(1..)
            .map(|(time, number)| push(&mut taken, number, &time.to_string(), arrival))
            .collect();
        let filtered = push(&mut taken, 4, &format!("{}-", 2 * HOUR), arrival);
        (
            said.iter()
                .map(|said| said.split(['(', ' ']).next().unwrap().to_owned())
                .collect::<Vec<_>>(),
            filtered,
            hits.watermark().map_or(i64::MIN, Timestamp::as_millis),
        )
    };
    let arrived = Timestamp::from_millis(0);
    let words = |words: [&str; 3]| words.map(str::to_owned).to_vec();
    let filtered = || String::from("Filtered");
    assert_eq!(
        run(build(), arrived),
        (words(["DeadLetter", "Applied", "Late"]), filtered(), HOUR - 1)
    );
    assert_eq!(
        run(build().max_ahead(None), arrived),
        (words(["Applied", "Applied", "Late"]), filtered(), 2 * HOUR - 1)
    );
    assert_eq!(
        run(build().max_ahead(Some(millis(4))), arrived),
        (words(["DeadLetter", "DeadLetter", "DeadLetter"]), filtered(), i64::MIN)
    );
    assert_eq!(
        run(build(), Record::ARRIVAL_UNKNOWN),
        (words(["Applied", "Applied", "Late"]), filtered(), 2 * HOUR - 1)
    );
}
