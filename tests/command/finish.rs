//! `streamgauge finish`, which gives the open windows of an application that has ended, and
//! `streamgauge inspect` of all files that the command writes.

use super::{Folder, Run, hits, streamgauge, streamgauge_reading};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use streamgauge::adapter::kcl::{Batch, Message, StartingPoint};
use streamgauge::record::{Position, Record, Sequence, ShardId};

const PIPELINE: &str = "time = \"ts\"\nwindow = \"10s\"\nmax_delay = \"0s\"\ngroup = \"country\"\n\
                        agg = \"count, sum(bytes) as bytes\"\n";

const TAKEN: &str =
    r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const SHUTDOWN: &str = r#"{"action":"shutdownRequested"}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;
const LEASE_LOST: &str = r#"{"action":"leaseLost"}"#;

fn hit(second: u64) -> String {
    format!(
        r#"{{"ts":{},"country":"{}","bytes":{second}}}"#,
        1_700_000_000 + second,
        ["DE", "FR"][second as usize % 2]
    )
}

fn process(payloads: impl Iterator<Item = bytes::Bytes>) -> String {
    let mut batch = Batch::default();
    batch.millis_behind_latest = Some(0);
    for (data, number) in payloads.zip(1u64..) {
        let position = Position { shard: ShardId::new("x"), sequence: Sequence::new(number) };
        batch.records.push(Record {
            partition_key: "k".into(),
            data,
            arrival: Record::ARRIVAL_UNKNOWN,
            position,
            headers: Default::default(),
        });
    }
    Message::ProcessRecords(batch).to_json()
}

/// Runs a shard of an application over the records of these seconds.
fn shard(folder: &Folder, name: &str, seconds: impl Iterator<Item = u64>, end: &[&str]) {
    let (pipeline, state, out) =
        (folder.file("hits.toml", PIPELINE), folder.path("state"), folder.path("out"));
    fs::create_dir_all(&out).unwrap();
    let initialize =
        Message::Initialize { shard: ShardId::new(name), from: StartingPoint::TrimHorizon }
            .to_json();
    let records = process(seconds.map(|second| hit(second).into()));
    let messages = [&[initialize.as_str(), &records], end].concat().join("\n") + "\n";
    let partials = folder.path("partials");
    let arguments =
        ["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out, "--partials", &partials];
    streamgauge_reading(&arguments, messages.as_bytes()).succeeded();
}

/// Returns the sums of the rows by window and group.
fn sums<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, (u64, u64)> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let row: Value = serde_json::from_str(line).unwrap();
        let sum: &mut (u64, u64) = sums
            .entry(format!("{} {}", row["window"]["start"], row["group"]["country"]))
            .or_default();
        sum.0 += row["count"].as_u64().unwrap();
        sum.1 += row["bytes"].as_u64().unwrap();
    }
    sums
}

/// Returns the answer of one run over the records.
fn whole(folder: &Folder, seconds: u64) -> Run {
    let input: String = (0..seconds).map(|second| hit(second) + "\n").collect();
    streamgauge_reading(
        &["run", "--pipeline", &folder.path("hits.toml"), "--output", "json"],
        input.as_bytes(),
    )
}

/// Returns the files of a directory with their bytes, without locks.
fn files(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let kept = entries.filter(|path| path.extension().is_none_or(|extension| extension != "lock"));
    kept.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

#[test]
fn s103_the_open_windows_of_all_shards_are_written_once() {
    let folder = Folder::new("finish_kcl");
    let (even, odd) =
        ((0..45).filter(|second| second % 4 < 2), (0..45).filter(|second| second % 4 >= 2));
    shard(&folder, "shardId-0", even, &[SHARD_ENDED, TAKEN]);
    shard(&folder, "shardId-1", odd, &[SHUTDOWN, TAKEN, LEASE_LOST]);
    let (pipeline, state, out, partials) = (
        folder.path("hits.toml"),
        folder.path("state"),
        folder.path("out"),
        folder.path("partials"),
    );
    let arguments = ["finish", "--pipeline", &pipeline, "--state", &state];
    let mut seconds = 45;
    // First while no shard has the windows of the ended shard, then after another shard has taken
    // them over.
    for _ in 0..2 {
        let before = files(&state);
        let left = streamgauge(&arguments);
        left.succeeded().says(&["The state is as it was"]);
        assert_eq!(files(&state), before);
        assert!(
            left.stdout.lines().all(|line| line.contains(",\"complete\":false,"))
                && !left.stdout.is_empty(),
            "{}",
            left.stdout
        );
        let given: String =
            files(&out).into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
        assert_eq!(
            sums(given.lines().chain(left.stdout.lines())),
            sums(whole(&folder, seconds).stdout.lines())
        );
        shard(&folder, "shardId-2", 45..60, &[SHUTDOWN, TAKEN, LEASE_LOST]);
        seconds = 60;
    }
    // Partials of `finish`, merged with those of the application, give the answer of all records.
    // Lines of `finish` complete the lines of the application.
    streamgauge(&[&arguments[..], &["--partials", &partials]].concat()).succeeded();
    assert_eq!(
        streamgauge(&["merge", "--pipeline", &pipeline, &partials]).succeeded().stdout,
        whole(&folder, 60).stdout
    );
    streamgauge(&[&arguments[..], &["--out", &out]].concat()).succeeded();
    let given: String =
        files(&out).into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    assert_eq!(sums(given.lines()), sums(whole(&folder, 60).stdout.lines()));
}

#[test]
fn s103_a_state_that_cannot_be_finished_is_reported_and_the_others_are_written() {
    let folder = Folder::new("finish_odd");
    shard(&folder, "shardId-1", 0..5, &[SHUTDOWN, TAKEN, LEASE_LOST]);
    let (pipeline, state) = (folder.path("hits.toml"), folder.path("state"));
    folder.file("state/odd.state", "no state");
    let left = streamgauge(&["finish", "--pipeline", &pipeline, "--state", &state]);
    left.failed(1, &["odd: "]);
    assert_eq!(sums(left.stdout.lines()), sums(whole(&folder, 5).stdout.lines()));
    let other = folder.file("other.toml", "window = \"1m\"\n");
    streamgauge(&["finish", "--pipeline", &other, "--state", &state])
        .failed(1, &["another pipeline"]);
    streamgauge(&["finish", "--pipeline", &pipeline, "--state", &folder.path("none")])
        .failed(2, &["no such directory"]);
    let (log, run) = (folder.file("log", hits(30)), folder.path("run"));
    streamgauge(&["run", &log, "--state", &run]).succeeded();
    streamgauge(&["finish", "--pipeline", &pipeline, "--state", &run]).failed(1, &["run it again"]);
}

/// A second stage that was fed the partials, with windows that wait for a source that never comes.
fn second_stage(folder: &Folder) -> String {
    let (pipeline, state, out) =
        (folder.path("hits.toml"), folder.path("merge-state"), folder.path("merged.jsonl"));
    let partials = files(&folder.path("partials")).into_values().map(bytes::Bytes::from);
    let initialize =
        Message::Initialize { shard: ShardId::new("shardId-0"), from: StartingPoint::TrimHorizon }
            .to_json();
    let messages = [&initialize, &process(partials), SHUTDOWN, TAKEN, LEASE_LOST].join("\n") + "\n";
    let arguments = [
        "kcl",
        "--merge",
        "--sources",
        "9",
        "--deadline",
        "1h",
        "--pipeline",
        &pipeline,
        "--state",
        &state,
        "--out",
        &out,
    ];
    streamgauge_reading(&arguments, messages.as_bytes()).succeeded();
    state
}

#[test]
fn s103_windows_of_a_second_stage_are_merged() {
    let folder = Folder::new("finish_merge");
    shard(&folder, "shardId-1", 0..45, &[SHUTDOWN, TAKEN, LEASE_LOST]);
    let state = second_stage(&folder);
    let pipeline = folder.path("hits.toml");
    let merged = streamgauge(&["merge", "--pipeline", &pipeline, &folder.path("partials")]);
    let left = streamgauge(&["finish", "--pipeline", &pipeline, "--state", &state]);
    assert_eq!(sums(left.succeeded().stdout.lines()), sums(merged.succeeded().stdout.lines()));
}

#[test]
fn s104_inspect_recognises_every_file() {
    let folder = Folder::new("inspect_all");
    shard(&folder, "shardId-0", 0..45, &[SHARD_ENDED, TAKEN]);
    shard(&folder, "shardId-1", (0..45).chain([0]), &[SHUTDOWN, TAKEN, LEASE_LOST]);
    second_stage(&folder);
    let log = folder.file("log", hits(30) + "none\n");
    let (run, letters) = (folder.path("run"), folder.path("letters.jsonl"));
    streamgauge(&["run", &log, "--state", &run, "--dead-letters", &letters, "--output", "json"])
        .succeeded();
    folder.file("state/x.state.new", "half");
    fs::create_dir(folder.path("lambda")).unwrap();
    folder.file("lambda/clicks_shardId-0.0123.answered.state", "0011223344556677");
    let paths = ["state", "partials", "merge-state", "run", "out", "lambda", "letters.jsonl"]
        .map(|name| folder.path(name));
    let told =
        streamgauge(&[&["inspect"][..], &paths.each_ref().map(String::as_str)].concat()).json();
    let kinds = |ending: &str| {
        told.iter()
            .filter(|one| one["file"].as_str().unwrap().contains(ending))
            .map(|one| one["kind"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds("/state/shardId-1.state"), ["shard"]);
    assert_eq!(kinds("shardId-1.lock"), ["lock"]);
    assert_eq!(kinds("x.state.new"), ["unfinished"]);
    assert!(kinds("/partials/").iter().filter(|kind| **kind == "partial").count() > 4);
    assert_eq!(kinds("/merge-state/shardId-0.state"), ["shard"]);
    assert_eq!(
        (kinds("run.state"), kinds("run/answered.state")),
        (vec![json!("run")], vec![json!("answers")])
    );
    assert_eq!(
        (kinds("/out/")[0].clone(), kinds("letters.jsonl"), kinds("/lambda/")),
        (json!("rows"), vec![json!("dead_letters")], vec![json!("answered_version")])
    );
    let of = |ending: &str| {
        told.iter().find(|one| one["file"].as_str().unwrap().ends_with(ending)).unwrap()
    };
    assert_eq!(
        of("/state/shardId-0.state")["phase"],
        json!({"name": "ended", "heir": "shardId-1"})
    );
    let held = &of("/state/shardId-1.state")["holds"][0];
    assert_eq!(
        (&held["records"]["dead_letters"], &held["records"]["applied"]),
        (&json!(0), &json!(45))
    );
    assert_eq!(of("/merge-state/shardId-0.state")["holds"][0]["kind"], "merger");
    // A file that is not ours, and a missing one, are errors of their own.
    let (none, state) = (folder.path("none"), folder.path("state"));
    let odd = streamgauge(&["inspect", &none, &log, &state, "--output", "table"]);
    odd.failed(1, &["none: cannot be read", "log: ", "not streamgauge bytes", "2 of "]);
    assert!(
        odd.stdout.contains("running, with the windows of shardId-0")
            && odd.stdout.contains("0 dead letters"),
        "{}",
        odd.stdout
    );
    // With the pipeline the answers follow each file.
    let told = streamgauge(&["inspect", &state, "--pipeline", &folder.path("hits.toml")]).json();
    assert!(told.iter().any(|row| row["count"].is_u64()), "{told:?}");
}
