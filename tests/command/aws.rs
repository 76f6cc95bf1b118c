//! Events and messages of AWS that once had wrong answers, run through the real command. They are
//! in `tests/data/aws`.

use super::{Folder, Run, streamgauge, streamgauge_reading};
use serde_json::{Value, json};
use std::fs;

/// Copies the file of a case into the folder and returns its path.
fn case(folder: &Folder, name: &str) -> String {
    let path = super::project_file(&format!("tests/data/aws/{name}"));
    folder.file(name, fs::read(path).unwrap())
}

/// Returns lines without their windows: group, count and sum.
fn rows(text: &str) -> Vec<Value> {
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| json!({"start": row["window"]["start"], "c": row["group"]["c"], "count": row["count"], "b": row["b"]})).collect()
}

const MINUTE: &str = "2023-11-14T22:13:00.000Z";

fn row(count: u64, b: u64) -> Value {
    json!({"start": MINUTE, "c": "de", "count": count, "b": b})
}

/// Runs `streamgauge kcl` on the messages of a daemon. Returns the rows of the output, and the run.
fn kcl(folder: &Folder, pipeline: &str, messages: &[u8], arguments: &[&str]) -> (Vec<Value>, Run) {
    let (pipeline, state, out) =
        (case(folder, pipeline), folder.path("state"), folder.path("out.jsonl"));
    let run = streamgauge_reading(
        &[&["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out], arguments].concat(),
        messages,
    );
    let rows = rows(&fs::read_to_string(out).unwrap_or_default());
    (rows, run)
}

#[test]
fn s101_an_aggregate_inside_an_aggregate_loses_nothing() {
    let folder = Folder::new("aws_nested");
    let messages = fs::read(case(&folder, "4-aggregate-of-aggregates.jsonl")).unwrap();
    let (rows, run) = kcl(&folder, "event-time.toml", &messages, &[]);
    run.succeeded();
    assert_eq!((rows, run.stderr.as_str()), (vec![row(6, 18)], ""));
}

#[test]
fn s101_records_without_sub_sequence_numbers_are_read() {
    let folder = Folder::new("aws_no_subs");
    let messages = fs::read(case(&folder, "5-no-sub-numbers.jsonl")).unwrap();
    let (rows, run) = kcl(&folder, "event-time.toml", &messages, &[]);
    run.succeeded();
    assert_eq!(rows, [row(4, 20)]);
}

/// Returns a record of the daemon with this text as payload.
fn record(number: u64, text: &str) -> Value {
    let data = base64_simd::STANDARD.encode_to_string(text.as_bytes());
    json!({"action": "record", "data": data, "partitionKey": "k", "sequenceNumber": number.to_string(), "subSequenceNumber": 0})
}

fn process(records: &[Value]) -> String {
    let initialize = json!({"action": "initialize", "shardId": "shardId-0", "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0});
    let batch = json!({"action": "processRecords", "records": records, "millisBehindLatest": 0});
    let taken = json!({"action": "checkpoint", "sequenceNumber": null, "subSequenceNumber": null, "error": null});
    let lines = [
        &initialize,
        &batch,
        &json!({"action": "shutdownRequested"}),
        &taken,
        &json!({"action": "leaseLost"}),
    ];
    lines.map(|line| line.to_string() + "\n").concat()
}

const NEXT_MINUTE: &str = r#"{"c":"de","b":5,"ts":1700000200}"#;

#[test]
fn s100_a_missing_arrival_time_is_an_error_only_if_it_is_used() {
    let folder = Folder::new("aws_kcl_no_arrival");
    let messages =
        process(&[record(1, r#"{"c":"de","b":5,"ts":1700000000}"#), record(2, NEXT_MINUTE)]);
    let (rows, run) = kcl(&folder, "event-time.toml", messages.as_bytes(), &[]);
    assert_eq!((rows, run.stderr.as_str()), (vec![row(1, 5)], ""));
    let folder = Folder::new("aws_kcl_no_arrival_used");
    let (rows, run) = kcl(&folder, "arrival-time.toml", messages.as_bytes(), &[]);
    assert_eq!(rows, Vec::<Value>::new());
    run.says(&["shardId-0:1: the record has no arrival time"]);
}

#[test]
fn s102_lines_in_a_record_are_records_with_that_packing() {
    let folder = Folder::new("aws_kcl_lines");
    let lines = "{\"c\":\"de\",\"b\":5,\"ts\":1700000000}\n\n\
                 {\"c\":\"de\",\"b\":6,\"ts\":1700000001}\nnone\n";
    let messages = process(&[record(1, lines), record(1, lines), record(2, NEXT_MINUTE)]);
    let (rows, run) = kcl(&folder, "event-time.toml", messages.as_bytes(), &["--packing", "lines"]);
    assert_eq!(rows, [row(2, 11)]);
    run.says(&["1 dead letter so far", "dead letters in all: 1"]);
    streamgauge(&["kcl", "--pipeline", "p", "--state", "s", "--out", "o", "--packing", "zip"])
        .failed(2, &["log-events"]);
}

#[test]
fn an_access_log_on_a_stream_without_a_format_gets_a_hint() {
    let folder = Folder::new("aws_kcl_format");
    let line = "10.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200 5";
    let pipeline = folder.file("log.toml", "window = \"1m\"\n");
    let messages = process(&[record(1, line)]);
    let (state, out) = (folder.path("state"), folder.path("out"));
    let run = streamgauge_reading(
        &["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out],
        messages.as_bytes(),
    );
    run.says(&["it is a line of an access log: say format = \"clf\""]);
}

#[cfg(feature = "lambda-runtime")]
mod lambda {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    /// The replies of the function to its events, in order: the last part of the path and the body.
    struct Answered {
        replies: Vec<(String, Value)>,
        stdout: String,
        stderr: String,
    }

    impl Answered {
        /// Returns the reasons of the dead letters and errors on standard error.
        fn letters(&self) -> Vec<Value> {
            self.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        }
    }

    /// Reads the first line and the body of a request.
    fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            lines.iter().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix(name).map(|value| value.trim().to_owned())
            })
        };
        let mut body = Vec::new();
        if let Some(length) = header("content-length:") {
            body.resize(length.parse().unwrap(), 0);
            stream.read_exact(&mut body).ok()?;
        } else if header("transfer-encoding:").is_some() {
            loop {
                let mut size = String::new();
                stream.read_line(&mut size).ok()?;
                let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
                stream.read_exact(&mut chunk).ok()?;
                body.extend(&chunk[..chunk.len() - 2]);
                if chunk.len() == 2 {
                    break;
                }
            }
        }
        Some((lines.first()?.clone(), body))
    }

    /// Runs the function on the events, with a Runtime API.
    fn invoke(events: &[String], variables: &[(&str, &str)]) -> Answered {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
        command
            .arg("lambda")
            .envs(variables.iter().copied())
            .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string());
        for (name, value) in [("NAME", "f"), ("MEMORY_SIZE", "512"), ("VERSION", "1")] {
            command.env(format!("AWS_LAMBDA_FUNCTION_{name}"), value);
        }
        let mut function = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut replies, mut given) = (Vec::new(), 0);
        'connections: while replies.len() < events.len() {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            while let Some((line, body)) = request(&mut stream) {
                let (head, answer) = match line.starts_with("GET") {
                    true if given == events.len() => break 'connections,
                    true => {
                        given += 1;
                        let head = "Lambda-Runtime-Aws-Request-Id: r\r\n\
                                    Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
                                    Lambda-Runtime-Invoked-Function-Arn: \
                                    arn:aws:lambda:r:1:function:f\r\n";
                        ("200 OK\r\n".to_owned() + head, events[given - 1].as_str())
                    }
                    false => {
                        let kind =
                            line.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
                        replies.push((kind, serde_json::from_slice(&body).unwrap_or(Value::Null)));
                        ("202 Accepted\r\n".to_owned(), "{}")
                    }
                };
                let answer = format!(
                    "HTTP/1.1 {head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n\
                     {answer}",
                    answer.len()
                );
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        }
        function.kill().unwrap();
        let output = function.wait_with_output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        Answered { replies, stdout, stderr }
    }

    fn event(name: &str) -> String {
        fs::read_to_string(super::super::project_file(&format!("tests/data/aws/{name}"))).unwrap()
    }

    const STATELESS: (&str, &str) = ("STREAMGAUGE_MODE", "stateless");

    #[test]
    fn s65_an_event_of_sqs_is_an_error_that_names_it() {
        let folder = Folder::new("aws_sqs");
        let pipeline = case(&folder, "arrival-time.toml");
        let state = folder.path("state");
        for mode in
            [&[STATELESS][..], &[("STREAMGAUGE_MODE", "store"), ("STREAMGAUGE_STATE", &state)], &[]]
        {
            let answered = invoke(
                &[event("1-sqs-event.json")],
                &[mode, &[("STREAMGAUGE_PIPELINE", &pipeline)]].concat(),
            );
            let (kind, body) = &answered.replies[0];
            assert!(
                kind == "error"
                    && body["errorMessage"]
                        .as_str()
                        .unwrap()
                        .contains("eventSource is \"aws:sqs\""),
                "{kind} {body}"
            );
        }
    }

    #[test]
    fn s100_a_record_without_an_arrival_time_counts_if_it_has_an_event_time() {
        let folder = Folder::new("aws_no_arrival");
        for (name, expected, letters) in
            [("event-time.toml", vec![row(2, 10)], 0), ("arrival-time.toml", vec![row(1, 5)], 1)]
        {
            let answered = invoke(
                &[event("6-no-arrival.json")],
                &[STATELESS, ("STREAMGAUGE_PIPELINE", &case(&folder, name))],
            );
            assert_eq!(
                (rows(&answered.stdout), answered.letters().len()),
                (expected, letters),
                "{name}"
            );
            for letter in answered.letters() {
                assert_eq!(
                    (&letter["shard"], &letter["sequence"]),
                    (&json!("shardId-000000000003"), &json!("100"))
                );
                assert!(
                    letter["reason"].as_str().unwrap().contains("has no arrival time"),
                    "{letter}"
                );
            }
        }
    }

    #[test]
    fn the_arn_of_a_consumer_names_its_stream() {
        let folder = Folder::new("aws_fan_out");
        let (pipeline, partials) = (case(&folder, "event-time.toml"), folder.path("partials"));
        let events = ["7-fan-out-clicks.json", "7-fan-out-views.json"].map(event);
        let variables =
            [STATELESS, ("STREAMGAUGE_PIPELINE", &pipeline), ("STREAMGAUGE_PARTIALS", &partials)];
        assert_eq!(invoke(&events, &variables).replies.len(), 2);
        let merged = streamgauge(&["merge", "--pipeline", &pipeline, &partials]);
        assert_eq!(rows(&merged.succeeded().stdout), [row(2, 10)]);
        merged.says(&["sources 2"]);
    }

    #[test]
    fn s102_lines_in_a_record_are_records_with_that_packing() {
        let folder = Folder::new("aws_lines");
        let (pipeline, state) = (case(&folder, "event-time.toml"), folder.path("state"));
        let of = |variables: &[(&str, &str)]| {
            invoke(
                &vec![event("8-lines-in-a-record.json"); 2],
                &[variables, &[("STREAMGAUGE_PIPELINE", &pipeline)]].concat(),
            )
        };
        let answered = of(&[STATELESS, ("STREAMGAUGE_PACKING", "lines")]);
        assert_eq!(rows(&answered.stdout), [row(2, 10), row(2, 10)]);
        // A record that comes again counts once.
        let store = [
            ("STREAMGAUGE_MODE", "store"),
            ("STREAMGAUGE_STATE", state.as_str()),
            ("STREAMGAUGE_PACKING", "lines"),
        ];
        assert_eq!(of(&store).replies.len(), 2);
        let left = streamgauge(&["finish", "--pipeline", &pipeline, "--state", &state]);
        assert_eq!(rows(&left.succeeded().stdout), [row(2, 10)]);
        assert!(left.stdout.contains(",\"complete\":false,"), "{}", left.stdout);
        assert!(
            of(&[STATELESS]).letters()[0]["reason"]
                .as_str()
                .unwrap()
                .contains("or the packing lines")
        );
    }

    #[test]
    fn partials_of_a_pipeline_without_time_merge() {
        let folder = Folder::new("aws_merge_arrival");
        let (pipeline, partials) = (case(&folder, "arrival-time.toml"), folder.path("partials"));
        let variables =
            [("STREAMGAUGE_PIPELINE", pipeline.as_str()), ("STREAMGAUGE_PARTIALS", &partials)];
        assert_eq!(invoke(&[event("2-window-final.json")], &variables).replies.len(), 1);
        let merged = streamgauge(&["merge", "--pipeline", &pipeline, &partials]);
        assert_eq!(rows(&merged.succeeded().stdout), [row(1, 5)]);
        // The same pipeline in another spelling.
        let other =
            folder.file("other.toml", "window = \"60s\"\ntime_format = \"auto\"\ntime = \"ts\"\n");
        streamgauge(&["merge", "--pipeline", &other, &partials])
            .failed(1, &["the state is of another pipeline"]);
        let other = folder.file(
            "other.toml",
            "window = \"60s\"\ngroup = [\"c\"]\nagg = \"count,sum( b ) as b\"\n",
        );
        assert_eq!(
            streamgauge(&["merge", "--pipeline", &other, &partials]).succeeded().stdout,
            merged.stdout
        );
    }
}
