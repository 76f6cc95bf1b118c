//! `--log`: standard error as events.

use super::{Folder, hits, streamgauge};
use serde_json::Value;

const FLAGS: [&str; 7] = ["run", "--time", "ts", "--window", "10s", "--agg", "count"];

fn events(stderr: &str) -> Vec<Value> {
    let event =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    stderr.lines().map(event).collect()
}

#[test]
fn s317_every_line_is_an_event_with_time_and_level() {
    let folder = Folder::new("s317_events");
    let log = folder.file("hits.jsonl", hits(100) + "no record\u{1b}[31m\n");
    let flags = ["--output", "json", "--log", "json", &log];
    let run = streamgauge(&[&FLAGS[..], &flags].concat());
    let plain = streamgauge(&[&FLAGS[..], &["--output", "json", &log]].concat());
    assert_eq!(run.succeeded().stdout, plain.succeeded().stdout, "the answers do not change");
    let events = events(&run.stderr);
    let of = |level: &str| events.iter().filter(|event| event["level"] == level).count();
    assert_eq!((of("WARN"), of("ERROR")), (1, 0), "{}", run.stderr);
    let summary = events.iter().find(|event| event["level"] == "INFO").unwrap();
    let message = summary["message"].as_str().unwrap();
    assert!(message.starts_with("records 101, applied 100"), "{message}");
    assert!(summary["timestamp"].as_str().unwrap().ends_with('Z'));
    let text = streamgauge(&[&FLAGS[..], &["--output", "json", "--log", "text", &log]].concat());
    assert!(text.stderr.lines().all(|line| line.contains("streamgauge: ")), "{}", text.stderr);
    assert!(text.stderr.contains(" WARN streamgauge: dead letter: "), "{}", text.stderr);
    assert!(text.stderr.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn s317_an_error_is_an_event_and_the_level_leaves_out_what_is_below_it() {
    let failed = streamgauge(&[&FLAGS[..], &["--log", "json", "/no/such/file"]].concat());
    failed.failed(1, &[]);
    let events = events(&failed.stderr);
    assert_eq!((events.len(), &events[0]["level"]), (1, &Value::from("ERROR")));
    let folder = Folder::new("s317_level");
    let log = folder.file("hits.jsonl", hits(10) + "no record\n");
    let flags = ["--log", "json", "--log-level", "error", &log];
    let run = streamgauge(&[&FLAGS[..], &flags].concat());
    assert_eq!(run.succeeded().stderr, "");
    streamgauge(&["--log-level", "warn", "check", &log]).failed(2, &["--log"]);
}

#[test]
fn s317_a_worker_of_the_kcl_tells_events() {
    let folder = Folder::new("s317_kcl");
    let pipeline = folder.file("p.toml", "window = '1m'\ntime = 'ts'\n");
    let state = folder.path("state");
    let out = folder.path("rows.jsonl");
    let flags = ["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out, "--log", "json"];
    let run = super::streamgauge_reading(&flags, b"no message\n");
    let events = events(&run.stderr);
    assert_eq!(events.last().unwrap()["level"], "ERROR", "{}", run.stderr);
}
