//! The built function with a real Runtime API, and with an event source mapping over a real Kinesis
//! stream with two shards, lost replies, cold starts, bisected batches and a reshard. Its answers
//! are those of `streamgauge run` over the same records in a file, byte by byte.
//!
//! scripts/test-lambda starts the services and runs it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const BINARY: &str = env!("CARGO_BIN_EXE_streamgauge");

fn kit(script: &str) -> Command {
    let folder = std::env::var("STREAMGAUGE_KIT")
        .expect("scripts/test-lambda names where the kit is installed");
    let mut command = Command::new(Path::new(&folder).join("venv/bin/python3"));
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kit").join(script))
        .stdin(Stdio::null());
    command
}

/// Runs a script of the kit and returns its output.
fn run_kit(script: &str, arguments: &[&str]) -> String {
    let output = kit(script).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{script} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A new folder for a test's files.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("streamgauge-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn millis_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The function behind a Runtime API.
struct Function {
    lambda: Child,
    port: u16,
    output: PathBuf,
}

impl Function {
    /// Starts it from a binary that is named bootstrap, as Lambda does.
    fn start(folder: &Path, variables: &[(&str, &str)]) -> Function {
        let (bootstrap, output) = (folder.join("bootstrap"), folder.join("answers.jsonl"));
        fs::copy(BINARY, &bootstrap).unwrap();
        fs::write(&output, "").unwrap();
        let mut command = kit("local_lambda.py");
        command.arg("0").arg(&output).args(["--lose", "5", "--restart", "7", "--"]).arg(bootstrap);
        let mut lambda =
            command.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(lambda.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Function { lambda, port: line.trim().parse().unwrap(), output }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/2015-03-31/functions/f/invocations", self.port)
    }

    /// Invokes it with an event of a schedule.
    fn tick(&self) {
        let event = json!({ "version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} }).to_string();
        println!("tick: {}", self.invoke(&event));
    }

    /// Invokes it with an event, and returns the line of the status.
    fn invoke(&self, event: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: l\r\n\
             Content-Length: {}\r\n\r\n",
            event.len()
        );
        stream.write_all(format!("{head}{event}").as_bytes()).unwrap();
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).unwrap();
        status.trim().to_owned()
    }

    /// Returns the answers in order of arrival, by stream and shard, without the source at the
    /// beginning of each line. With `once`, leaves out a line that came before.
    fn answers(&self, once: bool) -> BTreeMap<String, Vec<String>> {
        let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for line in fs::read_to_string(&self.output).unwrap().lines() {
            let (source, rest) =
                line.strip_prefix("{\"source\":\"").unwrap().split_once("\",").unwrap();
            let shard = source.split([':', '/']).nth(1).unwrap_or_default();
            if seen.insert(line.to_owned()) || !once {
                answers.entry(shard.to_owned()).or_default().push(format!("{{{rest}"));
            }
        }
        answers
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // TERM, so that it ends the function's process too.
        let _ = Command::new("kill").arg(self.lambda.id().to_string()).status();
        let _ = self.lambda.wait();
    }
}

/// The number of records of [`put_pulses`].
const RECORDS: usize = 600;

/// Puts records in pulses, with a reshard after the second.
fn put_pulses(stream: &str, folder: &Path) {
    let mut index = 0u64;
    for pulse in 0..4u64 {
        let file = folder.join("pulse.jsonl");
        let lines: Vec<String> = (0..150)
            .map(|_| {
                index += 1;
                let jitter = (index * 7919 % 1500) as i64;
                json!({ "page": format!("/p{}", index % 11), "user": format!("u{}", index * index % 23), "n": index, "ts": millis_now() - jitter }).to_string()
            })
            .collect();
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        run_kit("put_records.py", &["file", stream, file.to_str().unwrap()]);
        if pulse == 1 {
            run_kit(
                "put_records.py",
                &["split", stream, "shardId-000000000000", &(1u128 << 126).to_string()],
            );
        }
        std::thread::sleep(Duration::from_millis(2500));
    }
    assert_eq!(index as usize, RECORDS);
}

/// The records of each shard, one JSON object a line, with the arrival time as `at`.
fn dumped(stream: &str) -> BTreeMap<String, Vec<String>> {
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in run_kit("put_records.py", &["dump", stream]).lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record["data"]["at"] = record["arrival"].clone();
        shards
            .entry(record["shard"].as_str().unwrap().to_owned())
            .or_default()
            .push(record["data"].to_string());
    }
    shards
}

/// Returns the output of `streamgauge run` over these lines.
fn run_over(lines: &[String], folder: &Path, arguments: &[&str]) -> Vec<String> {
    let file = folder.join("shard.jsonl");
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let output = Command::new(BINARY)
        .arg("run")
        .arg(&file)
        .args(["--output", "json"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn pipeline(folder: &Path, text: &str) -> String {
    let path = folder.join("pipeline.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Delivers to the function a stream that is still being written.
fn deliver(stream: &str, function: &Function, folder: &Path, arguments: &[&str]) {
    run_kit("put_records.py", &["create", stream, "2"]);
    let url = function.url();
    let mut command = kit("esm.py");
    command
        .args([stream, &url, "--batch", "60", "--retries", "20", "--bisect", "--report"])
        .args(["--seconds", "240", "--records", &RECORDS.to_string()])
        .args(arguments);
    let mapping = command.stdout(Stdio::piped()).spawn().unwrap();
    put_pulses(stream, folder);
    let output = mapping.wait_with_output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "the mapping gave records up");
}

fn total(answers: &BTreeMap<String, Vec<String>>) -> u64 {
    let counts = answers
        .values()
        .flatten()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["count"].as_u64().unwrap());
    counts.sum()
}

#[test]
#[ignore = "needs the kit: run by scripts/test-lambda"]
fn s60_s67_tumbling_windows_of_a_real_stream_equal_those_of_a_file() {
    let folder = folder("tumbling");
    let path = pipeline(
        &folder,
        "window = \"4s\"\ngroup = \"page\"\nagg = \"count, sum(n) as n, top(3, user)\"\n",
    );
    let function =
        Function::start(&folder, &[("STREAMGAUGE_PIPELINE", &path), ("STREAMGAUGE_SOURCE", "1")]);
    deliver("lambda-tumbling", &function, &folder, &["--window", "4"]);
    // A last invocation whose reply was lost is repeated, and gives the same lines.
    let answers = function.answers(true);
    let shards = dumped("lambda-tumbling");
    assert!(shards.len() >= 4, "two shards, of which one was split: {:?}", shards.keys());
    for (shard, lines) in &shards {
        let expected =
            run_over(lines, &folder, &["--pipeline", &path, "--time", "at", "--time-format", "ms"]);
        assert_eq!(answers.get(shard), Some(&expected), "{shard}");
    }
    assert_eq!(total(&answers), RECORDS as u64);
    fs::remove_dir_all(folder).unwrap();
}

/// Returns the variables of a function that keeps its state in a directory.
fn with_store<'a>(pipeline: &'a str, state: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("STREAMGAUGE_PIPELINE", pipeline),
        ("STREAMGAUGE_SOURCE", "1"),
        ("STREAMGAUGE_MODE", "store"),
        ("STREAMGAUGE_STATE", state),
        ("STREAMGAUGE_IDLE", "0s"),
    ]
}

/// S61, S63, S67
#[test]
#[ignore = "needs the kit: run by scripts/test-lambda"]
fn s67_sliding_windows_with_a_store_equal_those_of_a_file() {
    let folder = folder("store");
    let text = "time = \"ts\"\ntime_format = \"ms\"\nwindow = \"4s\"\nevery = \"1s\"\n\
                max_delay = \"2s\"\ngroup = \"page\"\nagg = \"count, p90(n), distinct(user)\"\n";
    let path = pipeline(&folder, text);
    let state = folder.join("state");
    let variables = with_store(&path, state.to_str().unwrap());
    let function = Function::start(&folder, &variables);
    deliver("lambda-store", &function, &folder, &[]);
    function.tick();
    function.tick();
    let answers = function.answers(false);
    let shards = dumped("lambda-store");
    assert!(shards.len() >= 4, "two shards, of which one was split: {:?}", shards.keys());
    for (shard, lines) in &shards {
        assert_eq!(
            answers.get(shard),
            Some(&run_over(lines, &folder, &["--pipeline", &path])),
            "{shard}"
        );
    }
    assert_eq!(total(&answers), 4 * RECORDS as u64, "each record is in four windows");
    fs::remove_dir_all(folder).unwrap();
}

/// Returns an event of Kafka with records of several partitions.
fn event_of_kafka(records: &BTreeMap<usize, Vec<(usize, String)>>) -> String {
    let records: serde_json::Map<String, Value> = records
        .iter()
        .map(|(partition, records)| {
            let record = |(offset, line): &(usize, String)| {
                json!({ "topic": "clicks", "partition": partition, "offset": offset, "timestamp": 1_700_000_100_000u64,
                    "timestampType": "CREATE_TIME", "key": null, "headers": [],
                    "value": base64_simd::STANDARD.encode_to_string(line) })
            };
            (format!("clicks-{partition}"), records.iter().map(record).collect())
        })
        .collect();
    json!({ "eventSource": "aws:kafka", "eventSourceArn": "arn:aws:kafka:r:1:cluster/c/u",
        "bootstrapServers": "b:9092", "records": records })
    .to_string()
}

/// The replies of some invocations are lost, and the process is ended now and then. As a mapping of
/// Kafka, an event whose reply was lost is sent again, with more records behind.
#[test]
#[ignore = "needs the kit: run by scripts/test-lambda"]
fn s67_s335_events_of_kafka_with_a_store_equal_a_file_for_each_partition() {
    let folder = folder("kafka");
    let text = "time = \"ts\"\ntime_format = \"ms\"\nwindow = \"10s\"\nevery = \"5s\"\n\
                group = \"page\"\nagg = \"count, p90(n), distinct(user)\"\n";
    let path = pipeline(&folder, text);
    let state = folder.join("state");
    let variables = with_store(&path, state.to_str().unwrap());
    let function = Function::start(&folder, &variables);
    let mut lines: Vec<Vec<String>> = vec![Vec::new(); 3];
    let mut pending: BTreeMap<usize, Vec<(usize, String)>> = BTreeMap::new();
    let mut lost = 0;
    for index in 0..RECORDS {
        let partition = index * index % 7 % 3;
        // Offsets have holes, as after transactions.
        let offset = lines[partition].len() * 2;
        let line = json!({ "page": format!("/p{}", index % 11), "user": format!("u{}", index % 23),
            "n": index, "ts": 1_700_000_000_000u64 + index as u64 * 70 })
        .to_string();
        lines[partition].push(line.clone());
        pending.entry(partition).or_default().push((offset, line));
        if index % 25 == 24 {
            match function.invoke(&event_of_kafka(&pending)).contains(" 200 ") {
                true => pending.clear(),
                false => lost += 1,
            }
        }
    }
    if !pending.is_empty() {
        let repeated = (0..5).any(|_| function.invoke(&event_of_kafka(&pending)).contains(" 200 "));
        assert!(repeated, "the last event is taken");
    }
    assert!(lost > 2, "replies are lost: {lost}");
    function.tick();
    function.tick();
    let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(&function.output).unwrap().lines() {
        let (source, rest) =
            line.strip_prefix("{\"source\":\"").unwrap().split_once("\",").unwrap();
        let partition = source.rsplit('/').next().unwrap_or_default().to_owned();
        answers.entry(partition).or_default().push(format!("{{{rest}"));
    }
    for (partition, lines) in lines.iter().enumerate() {
        let expected = run_over(lines, &folder, &["--pipeline", &path]);
        assert_eq!(answers.get(&format!("clicks-{partition}")), Some(&expected), "{partition}");
    }
    assert_eq!(total(&answers), 2 * RECORDS as u64, "each record is in two windows");
    fs::remove_dir_all(folder).unwrap();
}

/// S66, S67: through the Runtime API alone, the same bytes.
#[test]
#[ignore = "needs the kit: run by scripts/test-lambda"]
fn s67_a_batch_prints_the_bytes_of_a_run() {
    let folder = folder("stateless");
    let path =
        pipeline(&folder, "group = \"page\"\nagg = \"count, distinct(user), top(5, user)\"\n");
    let (event, output) = (folder.join("event.json"), folder.join("answers.jsonl"));
    run_kit("make_events.py", &["10000", event.to_str().unwrap()]);
    let variables = [("STREAMGAUGE_PIPELINE", path.as_str()), ("STREAMGAUGE_MODE", "stateless")];
    let script = format!("exec {BINARY} lambda > {}", output.display());
    let stub = kit("stub_runtime.py")
        .arg(&event)
        .args(["1", "--", "sh", "-c", &script])
        .envs(variables)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stub.stdout);
    assert!(
        stub.status.success() && said.contains("batchItemFailures"),
        "{said} {}",
        String::from_utf8_lossy(&stub.stderr)
    );
    let json: Value = serde_json::from_slice(&fs::read(&event).unwrap()).unwrap();
    let data = |record: &Value| {
        base64_simd::STANDARD.decode_to_vec(record["kinesis"]["data"].as_str().unwrap()).unwrap()
    };
    let lines: Vec<String> = json["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| String::from_utf8(data(record)).unwrap())
        .collect();
    let expected = run_over(&lines, &folder, &["--pipeline", &path]).join("\n") + "\n";
    assert!(fs::read_to_string(&output).unwrap() == expected && lines.len() == 10_000);
    fs::remove_dir_all(folder).unwrap();
}

/// Without Lambda, and with wrong settings, it says what is missing.
#[test]
fn without_lambda_the_function_ends_with_an_error() {
    let folder = folder("alone");
    let path = pipeline(&folder, "agg = \"count\"\n");
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(BINARY);
        let cleared = [
            "STREAMGAUGE_PIPELINE",
            "STREAMGAUGE_MODE",
            "STREAMGAUGE_STATE",
            "AWS_LAMBDA_RUNTIME_API",
        ];
        for name in cleared {
            command.env_remove(name);
        }
        let output = command.arg("lambda").envs(variables.iter().copied()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (variables, code, words) in [
        (&[][..], 2, "STREAMGAUGE_PIPELINE is not set"),
        (
            &[("STREAMGAUGE_PIPELINE", "nowhere.toml")],
            1,
            "nowhere.toml: the pipeline file cannot be read",
        ),
        (
            &[("STREAMGAUGE_PIPELINE", &path), ("STREAMGAUGE_MODE", "store")],
            2,
            "STREAMGAUGE_STATE is not set",
        ),
        (
            &[("STREAMGAUGE_PIPELINE", &path)],
            1,
            "AWS_LAMBDA_RUNTIME_API is not set: this must be started by AWS Lambda",
        ),
    ] {
        let (found, said) = run(variables);
        assert!(found == Some(code) && said.contains(words), "{found:?}: {said}");
    }
    fs::remove_dir_all(folder).unwrap();
}
