//! Every pipeline file of `tests/data/pipelines`, which together use the whole language, gives the
//! same bytes as a run over a file, as a function of Lambda and as a worker of the KCL. A further
//! file there is a further case. Those of `tests/data/queries` are not for one Parquet file: they
//! have several queries, or columns of several kinds.

use super::{Folder, streamgauge, streamgauge_reading};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use streamgauge::adapter::kcl::{Batch, Message, StartingPoint};
use streamgauge::record::{Position, Record, Sequence, ShardId};
use streamgauge::time::Timestamp;

const FIRST: u64 = 1_711_700_000_000;
/// The time of the records that complete all windows before them.
const FAR: u64 = 1_900_000_000_000;
const SHARD: &str = "shardId-000000000000";

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = format!("{}/tests/data/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Records of three days, with disorder, late ones, missing fields and lines that are no records.
fn records() -> Vec<String> {
    let mut records = Vec::new();
    for n in 0..900u64 {
        let disorder = if n % 43 == 42 { 9_000_000 } else { n * 7919 % 11 * 60_000 };
        let ts = FIRST + n * 300_000 - disorder;
        let country = ["DE", "FR", "IT", "US"][(n * n % 7 % 4) as usize];
        let status = [200, 200, 204, 301, 404, 500, 503][(n * 31 % 7) as usize];
        let agent = ["Mozilla/5.0", "curl/8.1", "Opera/9.8"][(n % 3) as usize];
        let (user, ms, bytes) = (n % 17, n * 7907 % 997, n * 104_729 % 5_000);
        let bytes = if n % 29 == 3 { "null".to_owned() } else { bytes.to_string() };
        let size = if n % 31 == 5 { "\"large\"".to_owned() } else { (n % 90).to_string() };
        let path = ["shop", "health", "cart"][(n % 5 % 3) as usize];
        let sku = ["tea", "mug", "tin"][(n % 7 % 3) as usize];
        let items = match n % 11 {
            5 => "null".to_owned(),
            6 => "[]".to_owned(),
            _ => format!("[{{\"sku\":\"{sku}\",\"n\":{}}},{{\"sku\":\"pot\",\"n\":1}}]", n % 9),
        };
        records.push(match n % 97 {
            96 => format!("{{\"ts\":{ts},\"country\":"),
            _ => format!(
                "{{\"ts\":{ts},\"country\":\"{country}\",\"status\":{status},\"user\":\"u{user}\",\
                 \"ms\":{ms},\"bytes\":{bytes},\"size\":{size},\"agent\":\"{agent}\",\
                 \"items\":{items},\
                 \"url\":\"https://example.org/{path}/{}?q={n}\"}}",
                n % 6
            ),
        });
    }
    let far = format!(
        "{{\"ts\":{FAR},\"country\":\"DE\",\"status\":200,\"user\":\"u1\",\"ms\":1,\"bytes\":1,\
         \"size\":1,\"agent\":\"x\",\"items\":[{{\"sku\":\"tea\"}}],\"url\":\"https://example.org/shop/1\"}}"
    );
    records.extend([far.clone(), far]);
    records
}

/// Returns the rows of windows before the far records, one query after the other: they have an
/// order of their own.
fn before_far(rows: &str) -> String {
    let row = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    let is_before = |line: &&str| !row(line)["window"]["end"].as_str().unwrap().starts_with("2030");
    let mut rows: Vec<&str> = rows.split_inclusive('\n').filter(is_before).collect();
    rows.sort_by_key(|line| row(line)["query"].to_string());
    rows.concat()
}

fn record(number: usize, data: &str) -> Record {
    let position =
        Position { shard: ShardId::new(SHARD), sequence: Sequence::new(number as u64 + 1) };
    let arrival = Timestamp::from_millis(FAR as i64);
    Record {
        partition_key: "k".into(),
        data: data.as_bytes().to_vec().into(),
        arrival,
        position,
        headers: Default::default(),
    }
}

/// The rows of a worker of the KCL, which is killed in the middle.
fn of_kcl(folder: &Folder, pipeline: &str, records: &[String]) -> String {
    let checkpoint =
        r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
    let start =
        Message::Initialize { shard: ShardId::new(SHARD), from: StartingPoint::TrimHorizon };
    let (state, out) = (folder.path("state"), folder.path("rows.jsonl"));
    let arguments = ["kcl", "--pipeline", pipeline, "--state", &state, "--out", &out];
    let half = records.len() / 2;
    for (from, to, is_last) in [(0, half, false), (half - 20, records.len(), true)] {
        let mut messages = vec![start.to_json()];
        for (index, part) in records[from..to].chunks(37).enumerate() {
            let mut batch = Batch::default();
            batch.millis_behind_latest = Some(0);
            let number = from + index * 37;
            batch.records =
                part.iter().enumerate().map(|(at, data)| record(number + at, data)).collect();
            messages.push(Message::ProcessRecords(batch).to_json());
            messages.push(checkpoint.to_owned());
        }
        if is_last {
            messages.push(r#"{"action":"leaseLost"}"#.to_owned());
        }
        let input = messages.join("\n") + "\n";
        let arguments = [&arguments[..], &["--save-records", "1"]].concat();
        let run = streamgauge_reading(&arguments, input.as_bytes());
        assert_eq!(run.code, Some(i32::from(!is_last)), "{}", run.stderr);
    }
    folder.read("rows.jsonl")
}

/// The rows of a function of Lambda that keeps its state in a store.
#[cfg(feature = "lambda")]
fn of_lambda(pipeline: &str, records: &[String]) -> String {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use streamgauge::adapter::JsonLinesSink;

    #[derive(Clone, Default)]
    struct Rows(Arc<Mutex<Vec<u8>>>);

    impl Write for Rows {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let rows = Rows::default();
    of_lambda_into(declared(pipeline), records, JsonLinesSink::new(rows.clone()));
    let written = rows.0.lock().unwrap().clone();
    String::from_utf8(written).unwrap()
}

#[cfg(feature = "lambda")]
fn declared(pipeline: &str) -> streamgauge::adapter::Declared {
    use streamgauge::adapter::{Declared, read_pipeline};
    let spec = read_pipeline(pipeline.as_ref()).unwrap();
    Declared::compile(&spec, streamgauge::rows::CompileOptions::default()).unwrap()
}

/// Runs such a function with a sink.
#[cfg(feature = "lambda")]
fn of_lambda_into(
    pipeline: streamgauge::adapter::Declared,
    records: &[String],
    sink: impl streamgauge::adapter::Sink<streamgauge::adapter::Declared> + Send + 'static,
) {
    use base64_simd::STANDARD;
    use serde_json::json;
    use streamgauge::adapter::lambda::Handler;
    use streamgauge::store::MemoryStore;

    let handler = Handler::new(pipeline, sink).unwrap();
    let mut handler = handler.stored(MemoryStore::new());
    for (index, part) in records.chunks(41).enumerate() {
        let event = |(at, data): (usize, &String)| {
            let number = index * 41 + at + 1;
            json!({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0", "partitionKey": "k",
                    "sequenceNumber": number.to_string(),
                    "data": STANDARD.encode_to_string(data),
                    "approximateArrivalTimestamp": 1_900_000_000.0,
                },
                "eventSource": "aws:kinesis", "eventVersion": "1.0",
                "eventID": format!("{SHARD}:{number}"), "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::123456789012:role/r",
                "awsRegion": "us-east-1",
                "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
            })
        };
        let events: Vec<Value> = part.iter().enumerate().map(event).collect();
        let bytes = json!({ "Records": events }).to_string();
        handler.handle_bytes(bytes.as_bytes(), Timestamp::from_millis(FAR as i64)).unwrap();
    }
}

#[test]
fn s260_a_pipeline_gives_the_same_bytes_in_a_run_in_lambda_and_in_the_kcl() {
    let files = [files("pipelines"), files("queries")].concat();
    assert!(files.len() >= 12);
    let records = records();
    for pipeline in files {
        let name = pipeline.file_stem().unwrap().to_string_lossy().into_owned();
        let pipeline = pipeline.to_str().unwrap();
        let folder = Folder::new(&format!("pipelines_{name}"));
        let file = folder.file("records.jsonl", records.join("\n") + "\n");
        let run = streamgauge(&["run", &file, "--pipeline", pipeline, "--output", "json"]);
        let expected = before_far(&run.succeeded().stdout);
        assert!(expected.lines().count() >= 4, "{name}: {expected}");
        assert_eq!(before_far(&of_kcl(&folder, pipeline, &records)), expected, "{name}");
        #[cfg(feature = "lambda")]
        assert_eq!(before_far(&of_lambda(pipeline, &records)), expected, "{name}");
    }
}

/// A window is a file, and several deliveries of its rows are that file.
#[cfg(feature = "lambda")]
#[test]
fn s304_a_function_writes_the_rows_of_a_run_to_files() {
    use streamgauge::adapter::{AnswerFiles, AnswerFilesOptions, RowSink};
    let records = records();
    let folder = Folder::new("pipelines_files");
    let file = folder.file("records.jsonl", records.join("\n") + "\n");
    for pipeline in files("pipelines") {
        let name = pipeline.file_stem().unwrap().to_string_lossy().into_owned();
        let pipeline = pipeline.to_str().unwrap();
        let run = streamgauge(&["run", &file, "--pipeline", pipeline, "--output", "json"]);
        let expected = before_far(&run.succeeded().stdout);
        let place = folder.path(&format!("{name}/"));
        let mut before = None;
        for _ in 0..2 {
            let pipeline = declared(pipeline);
            let options = AnswerFilesOptions::default();
            let rows = AnswerFiles::open(&place, pipeline.pipeline(), options).unwrap();
            of_lambda_into(pipeline, &records, RowSink::new(rows).with_source(true));
            let found = super::answer_files::files(&place);
            assert!(before.is_none_or(|before| before == found), "{name}: a retry");
            before = Some(found);
        }
        let found = before_far(&super::answer_files::text(&before.unwrap()));
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&found), sorted(&expected), "{name}");
    }
}
