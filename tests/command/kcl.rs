//! `streamgauge kcl` as the child of the daemon, and `streamgauge merge`.

use super::{Folder, Run, streamgauge, streamgauge_reading};
use serde_json::Value;
use streamgauge::adapter::kcl::{Batch, Message, StartingPoint};
use streamgauge::record::{Position, Record, Sequence, ShardId};
use streamgauge::time::Timestamp;

const PIPELINE: &str = "time = \"ts\"\nwindow = \"10s\"\nmax_delay = \"0s\"\ngroup = \"country\"\n\
                        agg = \"count, sum(bytes) as bytes, top(2, url)\"\n";

const TAKEN: &str =
    r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const END: &str = r#"{"action":"leaseLost"}"#;

fn hit(second: u64) -> String {
    format!(
        r#"{{"ts":{},"country":"{}","url":"/{}","bytes":{}}}"#,
        1_700_000_000 + second,
        ["DE", "FR"][second as usize % 2],
        second % 3,
        second
    )
}

fn initialize(shard: &str) -> String {
    Message::Initialize { shard: ShardId::new(shard), from: StartingPoint::TrimHorizon }.to_json()
}

fn record(number: u64, data: &[u8], arrival: i64) -> Record {
    Record {
        partition_key: "k".into(),
        data: data.to_vec().into(),
        arrival: Timestamp::from_millis(arrival),
        position: Position { shard: ShardId::new("x"), sequence: Sequence::new(number) },
        headers: Default::default(),
    }
}

fn records(seconds: impl Iterator<Item = u64>) -> String {
    let mut batch = Batch::default();
    batch.millis_behind_latest = Some(0);
    let record = |second| record(second + 1, hit(second).as_bytes(), 1_700_000_000_000);
    batch.records.extend(seconds.map(record));
    Message::ProcessRecords(batch).to_json()
}

/// Returns records with these payloads and arrival times, numbered from 1.
fn payloads(records: &[(&str, i64)]) -> String {
    let mut batch = Batch::default();
    let numbered = (1..).zip(records);
    let record =
        |(number, (data, arrival)): (u64, &(&str, i64))| record(number, data.as_bytes(), *arrival);
    batch.records.extend(numbered.map(record));
    Message::ProcessRecords(batch).to_json()
}

/// Runs the child on the messages of the daemon, with a checkpoint after every batch.
fn child(folder: &Folder, arguments: &[&str], messages: &[&str]) -> Run {
    let (pipeline, state) = (folder.file("hits.toml", PIPELINE), folder.path("state"));
    let all =
        [&["kcl", "--pipeline", &pipeline, "--state", &state, "--save-records", "1"], arguments]
            .concat();
    streamgauge_reading(&all, (messages.join("\n") + "\n").as_bytes())
}

/// Returns the actions that were answered. Standard output contains only the protocol.
fn answered(run: &Run) -> Vec<String> {
    let lines = run
        .stdout
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| {
            line["responseFor"]
                .as_str()
                .unwrap_or_else(|| line["action"].as_str().unwrap())
                .to_owned()
        })
        .collect()
}

#[test]
fn s228_a_worker_reads_the_lookups_of_its_pipeline_and_refuses_other_content() {
    let folder = Folder::new("kcl_lookup");
    let out = folder.path("out.jsonl");
    let table = folder.file("c.csv", "code,name\nDE,Germany\n");
    let text = format!(
        "time = 'ts'\nwindow = '10s'\nlookup = 'c={table}:code'\ngroup = \"lookup('c', country, 'name') as n\"\n"
    );
    let (pipeline, state) = (folder.file("p.toml", text), folder.path("state"));
    let batch = records(0..30);
    let messages = [&*initialize("shardId-0"), &batch, TAKEN, END].join("\n") + "\n";
    let run = || {
        let all = ["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out];
        let all = [&all[..], &["--save-records", "1"]].concat();
        streamgauge_reading(&all, messages.as_bytes())
    };
    run().succeeded();
    let first = folder.read("out.jsonl");
    assert!(first.contains(r#""group":{"n":"Germany"},"revision":0,"count":5"#), "{first}");
    assert!(first.contains(r#""group":{"n":null},"revision":0,"count":5"#), "{first}");
    // The same records again change nothing, and with other content nothing is processed.
    run().succeeded();
    folder.file("c.csv", "code,name\nDE,Deutschland\n");
    run().failed(1, &["the lookup \"c\" has other content"]);
    assert_eq!(folder.read("out.jsonl"), first);
}

#[test]
fn s235_a_worker_passes_rows_on_once_by_their_key() {
    let folder = Folder::new("kcl_select");
    let out = folder.path("out.jsonl");
    let text = "where = 'bytes >= 10'\nselect = 'url, bytes * 2 as double'\n";
    let (pipeline, state) = (folder.file("p.toml", text), folder.path("state"));
    let run = |batches: &[String]| {
        let mut messages = initialize("shardId-0") + "\n";
        for batch in batches {
            messages += &format!("{batch}\n{TAKEN}\n");
        }
        let all = ["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out];
        let all = [&all[..], &["--save-records", "1"]].concat();
        streamgauge_reading(&all, (messages + END + "\n").as_bytes())
    };
    run(&[records(0..15)]).succeeded();
    // Some records come again.
    run(&[records(12..20), records(18..25)]).succeeded();
    let rows = folder.read("out.jsonl");
    let expected: Vec<String> = (10..25)
        .map(|second| {
            let (position, url, double) = (second + 1, second % 3, second * 2);
            format!(
                r#"{{"window":null,"group":{{"shard":"shardId-0","position":"{position}"}},"revision":0,"url":"/{url}","double":{double}}}"#
            )
        })
        .collect();
    assert_eq!(rows.lines().collect::<Vec<_>>(), expected);
    let partials = folder.path("partials");
    let arguments = ["kcl", "--pipeline", &pipeline, "--state", &state, "--partials", &partials];
    streamgauge_reading(&arguments, b"").failed(2, &["--partials", "there are no partials"]);
}

#[test]
fn s76_the_child_writes_the_answers_of_run_and_only_the_protocol_to_standard_output() {
    let folder = Folder::new("kcl_child");
    std::fs::create_dir(folder.path("out")).unwrap();
    let out = folder.path("out");
    let (first, second) = (records(0..35), records(30..60));
    // The first process is killed; the second is given records again.
    let run =
        child(&folder, &["--out", &out], &[&initialize("shardId-000000000000"), &first, TAKEN]);
    run.failed(1, &["the daemon ended without a message (shardId-000000000000)"]);
    let run = child(
        &folder,
        &["--out", &out],
        &[
            &initialize("shardId-000000000000"),
            &second,
            TAKEN,
            r#"{"action":"shutdownRequested"}"#,
            TAKEN,
            END,
        ],
    );
    run.succeeded();
    assert_eq!(
        answered(&run),
        [
            "initialize",
            "checkpoint",
            "processRecords",
            "checkpoint",
            "shutdownRequested",
            "leaseLost"
        ]
    );
    let input: String = (0..60).map(|second| hit(second) + "\n").collect();
    let whole = streamgauge_reading(
        &["run", "--pipeline", &folder.path("hits.toml"), "--output", "json"],
        input.as_bytes(),
    );
    let written = folder.read("out/shardId-000000000000.jsonl");
    assert!(whole.stdout.starts_with(&written) && written.lines().count() == 10, "{written}");
}

#[test]
fn s68_a_child_shard_continues_the_windows_and_merged_partials_equal_the_batch_answer() {
    let folder = Folder::new("kcl_reshard");
    let (out, partials) = (folder.path("rows.jsonl"), folder.path("partials"));
    let arguments = ["--out", &out, "--partials", &partials];
    let (even, odd): (Vec<u64>, Vec<u64>) = (0..45).partition(|second| second % 2 == 0);
    for (shard, seconds) in [("shardId-000000000000", even), ("shardId-000000000001", odd)] {
        let messages = [
            &initialize(shard),
            &records(seconds.into_iter()),
            TAKEN,
            r#"{"action":"shardEnded"}"#,
            TAKEN,
        ];
        child(&folder, &arguments, &messages).succeeded();
    }
    let end = [
        &initialize("shardId-000000000002"),
        &records(45..61),
        TAKEN,
        r#"{"action":"shutdownRequested"}"#,
        TAKEN,
        END,
    ];
    child(&folder, &arguments, &end).succeeded();
    let input: String = (0..60).map(|second| hit(second) + "\n").collect();
    let whole = streamgauge_reading(
        &["run", "--pipeline", &folder.path("hits.toml"), "--output", "json"],
        input.as_bytes(),
    );
    let merged = streamgauge(&["merge", "--pipeline", &folder.path("hits.toml"), &partials]);
    assert_eq!(merged.succeeded().stdout, whole.stdout);
    let rows = folder.read("rows.jsonl");
    let counts = rows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 60);
}

/// "Errors per minute": the errors of a minute come out when any record of the next minute comes,
/// whatever its outcome.
#[test]
fn s11_any_later_record_completes_a_window_whatever_its_outcome() {
    const BY_TIME: &str = "where = \"s < 5\"\ntime = \"ts\"\ntime_format = \"s\"\nwindow = \"1m\"\n\
                           max_delay = \"0s\"\nagg = \"count, sum(b) as b\"\n";
    const BY_ARRIVAL: &str =
        "where = \"s < 5\"\nwindow = \"1m\"\nmax_delay = \"0s\"\nagg = \"count, sum(b) as b\"\n";
    let first = (r#"{"ts":1700000000,"s":1,"b":5}"#, 1_700_000_000_000);
    for (name, pipeline, next, comes_out) in [
        ("filtered", BY_TIME, r#"{"ts":1700000040,"s":9}"#, true),
        ("filtered_early", BY_TIME, r#"{"ts":1700000039,"s":9}"#, false),
        ("filtered_unreadable", BY_TIME, r#"{"ts":"soon","s":9}"#, false),
        ("refused", BY_TIME, r#"{"ts":1700000040,"s":1,"b":"many"}"#, true),
        ("undecodable", BY_TIME, "{", false),
        ("arrival_filtered", BY_ARRIVAL, r#"{"s":9}"#, true),
        ("arrival_refused", BY_ARRIVAL, r#"{"s":1,"b":"many"}"#, true),
        ("arrival_undecodable", BY_ARRIVAL, "{", true),
    ] {
        let folder = Folder::new(&format!("kcl_{name}"));
        let (state, out, pipeline) =
            (folder.path("state"), folder.path("out.jsonl"), folder.file("p.toml", pipeline));
        let messages = [
            initialize("shardId-000000000000"),
            payloads(&[first, (next, 1_700_000_040_000)]),
            r#"{"action":"shutdownRequested"}"#.to_owned(),
            TAKEN.to_owned(),
            END.to_owned(),
        ];
        let arguments = ["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out];
        streamgauge_reading(&arguments, (messages.join("\n") + "\n").as_bytes()).succeeded();
        let answers = if comes_out {
            "{\"window\":{\"start\":\"2023-11-14T22:13:00.000Z\",\"end\":\"2023-11-14T22:14:00.000Z\"},\"revision\":0,\"count\":1,\"b\":5}\n"
        } else {
            ""
        };
        assert_eq!(folder.read("out.jsonl"), answers, "{name}");
    }
}

/// The state of a shard, its partials and their merger.
#[test]
fn s84_the_child_refuses_state_and_partials_of_another_seed() {
    let folder = Folder::new("kcl_seed");
    let secret = folder.file("seed", "c0ffee5eed0badf0");
    let (out, partials) = (folder.path("rows.jsonl"), folder.path("partials"));
    let arguments = ["--out", &out, "--partials", &partials];
    let seeded = [&arguments[..], &["--seed-file", &secret]].concat();
    let requested = r#"{"action":"shutdownRequested"}"#;
    let messages = |seconds| {
        [
            initialize("shardId-000000000000"),
            records(seconds),
            TAKEN.into(),
            requested.into(),
            TAKEN.into(),
            END.into(),
        ]
    };
    let run = |arguments: &[&str], messages: &[String]| {
        child(&folder, arguments, &messages.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(&seeded, &messages(0..25)).succeeded();
    run(&arguments, &messages(25..45)).failed(1, &["another seed"]);
    run(&seeded, &messages(25..45)).succeeded();
    let merge = ["merge", "--pipeline", &folder.path("hits.toml"), &partials];
    streamgauge(&merge).failed(1, &["another seed"]);
    let merged = streamgauge(&[&merge[..], &["--seed-file", &secret]].concat()).json();
    assert_eq!(
        merged.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>(),
        40,
        "the windows that are over"
    );
}

#[test]
fn s78_late_records_are_noted_at_checkpoints_and_written_to_a_file() {
    let folder = Folder::new("kcl_late");
    let (out, late) = (folder.path("out.jsonl"), folder.path("late.jsonl"));
    let seconds = [0, 30, 1, 2, 31];
    let data: Vec<String> = seconds.map(hit).to_vec();
    let batch = |from: usize, to: usize| {
        let mut batch = Batch::default();
        for index in from..to {
            let position =
                Position { shard: ShardId::new("x"), sequence: Sequence::new(index as u64 + 1) };
            let (data, arrival) = (
                data[index].clone().into_bytes().into(),
                Timestamp::from_millis(1_700_000_000_000),
            );
            batch.records.push(Record {
                partition_key: "k".into(),
                data,
                arrival,
                position,
                headers: Default::default(),
            });
        }
        Message::ProcessRecords(batch).to_json()
    };
    let messages = [
        &initialize("shardId-000000000000"),
        &batch(0, 3),
        TAKEN,
        &batch(3, 4),
        TAKEN,
        &batch(4, 5),
        TAKEN,
        // One that was taken comes again.
        &batch(3, 4),
        TAKEN,
        r#"{"action":"shardEnded"}"#,
        TAKEN,
    ];
    let run = child(&folder, &["--out", &out, "--late", &late], &messages);
    run.succeeded();
    let notes: Vec<&str> = run.stderr.lines().filter(|line| line.contains("late")).collect();
    assert_eq!(
        notes,
        [
            "streamgauge: shardId-000000000000: 1 record came late and is in no window: max_delay \
             says how long such records are waited for",
            "streamgauge: shardId-000000000000: 1 more came late, 2 since this process began",
        ]
    );
    let written: Vec<Value> =
        folder.read("late.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written.len(), 2);
    let first = serde_json::json!({
        "shard": "shardId-000000000000", "sequence": "3", "time": "2023-11-14T22:13:21.000Z", "watermark": "2023-11-14T22:13:49.999Z", "data": data[2],
    });
    assert_eq!(written[0], first);
    let run = child(&Folder::new("kcl_late_counted"), &["--out", &out], &messages);
    run.succeeded().says(&[
        "1 record came late and is in no window: max_delay says how long such records are waited \
         for, and --late FILE writes them to a file",
    ]);
}

/// One record of a far future once made all later records late for ever, because its watermark was
/// in the state.
#[test]
fn s79_a_record_of_the_far_future_affects_no_other_record() {
    let arrived = 1_700_000_000_000;
    let hits: Vec<String> =
        (0..100).map(|second| format!(r#"{{"ts":{}}}"#, arrived + 1000 * second)).collect();
    let records = |future: &'static str| {
        let all =
            [hits[0].as_str(), future].into_iter().chain(hits[1..].iter().map(String::as_str));
        payloads(&all.map(|data| (data, arrived)).collect::<Vec<_>>())
    };
    for (name, key, future, says, windows) in [
        (
            "default",
            "",
            r#"{"ts":9200000000000000}"#,
            "dead letter: shardId-000000000000:2: ts: 9200000000000000 lies ",
            9,
        ),
        ("default_hour", "", r#"{"ts":1700003600000}"#, "99 records came late", 1),
        (
            "default_past_it",
            "",
            r#"{"ts":1700003600001}"#,
            "ts: 1700003600001 lies 3600.001s ahead of the record's arrival",
            9,
        ),
        ("minutes", "max_ahead = \"2m\"\n", r#"{"ts":1700000120001}"#, "and max_ahead is 120s", 9),
        (
            "off",
            "max_ahead = \"off\"\n",
            r#"{"ts":9200000000000000}"#,
            "99 records came late and are in no window",
            1,
        ),
        ("filtered", "where = \"not exists x\"\n", r#"{"ts":9200000000000000,"x":1}"#, "", 9),
    ] {
        let folder = Folder::new(&format!("kcl_ahead_{name}"));
        let pipeline = folder.file(
            "p.toml",
            format!(
                "{key}time = \"ts\"\ntime_format = \"ms\"\nwindow = \"10s\"\nmax_delay = \"2s\"\n"
            ),
        );
        let (state, out) = (folder.path("state"), folder.path("out.jsonl"));
        let messages = [
            &initialize("shardId-000000000000"),
            &records(future),
            r#"{"action":"shutdownRequested"}"#,
            TAKEN,
            END,
        ]
        .join("\n")
            + "\n";
        let run = streamgauge_reading(
            &["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &out],
            messages.as_bytes(),
        );
        run.succeeded().says(&[says]);
        assert_eq!(
            run.stderr.contains("dead letter"),
            says.contains(" lies ") || says.contains("max_ahead"),
            "{name}: {}",
            run.stderr
        );
        assert_eq!(folder.read("out.jsonl").lines().count(), windows, "{name}");
    }
}

#[test]
fn the_second_stage_merges_partials_that_are_records() {
    let folder = Folder::new("kcl_merge");
    let partials = folder.path("partials");
    for (shard, from) in [("shardId-000000000000", 0), ("shardId-000000000001", 1)] {
        let messages = [
            &initialize(shard),
            &records((from..40).step_by(2)),
            TAKEN,
            r#"{"action":"shutdownRequested"}"#,
            TAKEN,
            END,
        ];
        child(&folder, &["--partials", &partials], &messages).succeeded();
    }
    let mut batch = Batch::default();
    let mut files: Vec<_> =
        std::fs::read_dir(&partials).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "state"));
    for (index, path) in files.iter().enumerate() {
        let position =
            Position { shard: ShardId::new("x"), sequence: Sequence::new(index as u64 + 1) };
        let (data, arrival) = (std::fs::read(path).unwrap().into(), Timestamp::from_millis(0));
        batch.records.push(Record {
            partition_key: "k".into(),
            data,
            arrival,
            position,
            headers: Default::default(),
        });
    }
    let (state, out, pipeline) =
        (folder.path("state-2"), folder.path("merged.jsonl"), folder.path("hits.toml"));
    let arguments = [
        "kcl",
        "--merge",
        "--sources",
        "2",
        "--pipeline",
        &pipeline,
        "--state",
        &state,
        "--out",
        &out,
        "--save-records",
        "1",
    ];
    let messages = format!(
        "{}\n{}\n{TAKEN}\n{END}\n",
        initialize("shardId-000000000000"),
        Message::ProcessRecords(batch).to_json()
    );
    streamgauge_reading(&arguments, messages.as_bytes()).succeeded();
    let mut merged: Vec<String> = folder.read("merged.jsonl").lines().map(str::to_owned).collect();
    merged.sort();
    let mut expected: Vec<String> = streamgauge(&["merge", "--pipeline", &pipeline, &partials])
        .stdout
        .lines()
        .map(str::to_owned)
        .collect();
    expected.sort();
    assert_eq!(merged, expected);
}

#[test]
fn s77_an_unreadable_message_of_the_daemon_ends_the_child_with_an_error_and_intact_state() {
    let folder = Folder::new("kcl_broken");
    let out = folder.path("rows.jsonl");
    let (begin, batch) = (initialize("shardId-000000000000"), records(0..35));
    let arguments = ["--out", out.as_str()];
    child(&folder, &arguments, &[&begin, &batch, TAKEN, END]).succeeded();
    let state = std::fs::read(folder.path("state/shardId-000000000000.state")).unwrap();
    let rows = folder.read("rows.jsonl");
    for (messages, words) in [
        (vec!["{\"action\":"], "is not a message"),
        (vec![&begin, "nonsense"], "line 2: the line \"nonsense\" is not a message"),
        (vec![&begin, r#"{"action":"doSomething"}"#], "doSomething"),
        (vec![&batch], "the daemon says processRecords where initialize was due"),
        (vec![&begin, TAKEN], "the daemon says checkpoint where another message was due"),
        (vec![&begin, &begin], "the daemon says initialize where another message was due"),
        (vec![&begin], "the daemon ended without a message"),
    ] {
        child(&folder, &arguments, &messages).failed(1, &[words]);
        assert_eq!(
            std::fs::read(folder.path("state/shardId-000000000000.state")).unwrap(),
            state,
            "{words}"
        );
        assert_eq!(folder.read("rows.jsonl"), rows);
    }
    // In the middle of a message, and where the answer to a checkpoint was due.
    let cut = format!("{begin}\n{}", &batch[..100]);
    let pipeline = folder.path("hits.toml");
    let all = ["kcl", "--pipeline", &pipeline, "--state", &folder.path("state"), "--out", &out];
    streamgauge_reading(&all, cut.as_bytes())
        .failed(1, &["the input ends within a message, after 100 bytes of it"]);
    child(&folder, &arguments, &[&begin, &records(35..45), END])
        .failed(1, &["the daemon says leaseLost where the answer to a checkpoint was due"]);
    // Nothing was lost by any of it.
    child(&folder, &arguments, &[&begin, &records(0..61), TAKEN, END]).succeeded();
    let counts = folder
        .read("rows.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["count"].as_u64().unwrap())
        .sum::<u64>();
    assert_eq!(counts, 60);
}

#[test]
fn wrong_usage_is_an_error_before_the_daemon_gets_a_reply() {
    let folder = Folder::new("kcl_usage");
    let endless = folder.file("endless.toml", "agg = \"count\"\n");
    let state = folder.path("state");
    streamgauge(&["kcl", "--pipeline", &endless, "--state", &state, "--out", "x"])
        .failed(2, &["a stream has no end, so the pipeline needs a window"]);
    streamgauge(&["kcl", "--pipeline", &folder.path("none.toml"), "--state", &state, "--out", "x"])
        .failed(2, &["none.toml"]);
    streamgauge(&["kcl", "--pipeline", &endless, "--state", &state]).failed(2, &["--out"]);
}

#[cfg(unix)]
#[test]
fn s76_an_output_to_standard_output_is_refused() {
    let folder = Folder::new("kcl_standard_output");
    let (link, second) = (folder.path("link"), folder.path("second"));
    std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
    std::os::unix::fs::symlink("link", &second).unwrap();
    let shown = "standard output carries the daemon's protocol";
    for out in [
        "-",
        "/dev/stdout",
        "/dev/fd/1",
        "/dev/../dev/stdout",
        "/dev/./stdout",
        "/proc/self/fd/1",
        &link,
        &second,
    ] {
        let run = child(&folder, &["--out", out], &[&initialize("shardId-000000000000")]);
        run.failed(2, &[&format!("--out {out}: "), shown]);
        assert_eq!(run.stdout, "", "{out}");
    }
    let letters =
        folder.file("letters.toml", format!("{PIPELINE}dead_letters = \"/dev/stdout\"\n"));
    let (state, out) = (folder.path("state"), folder.path("out.jsonl"));
    let arguments = ["kcl", "--pipeline", &letters, "--state", &state, "--out", &out];
    streamgauge(&arguments).failed(2, &["dead_letters /dev/stdout: ", shown]);
    // The file that standard output is sent to, by its own name.
    let pipeline = folder.file("hits.toml", PIPELINE);
    let log = std::fs::File::create(folder.path("daemon.log")).unwrap();
    let own = folder.path("daemon.log");
    let mut command =
        super::command(&["kcl", "--pipeline", &pipeline, "--state", &state, "--out", &own]);
    super::run_of(
        command
            .stdout(log)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap(),
    )
    .failed(2, &[shown]);
}

#[test]
fn help_shows_the_required_options() {
    let run = streamgauge(&["kcl", "--help"]);
    let help = run.succeeded().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("It needs --pipeline, --state, and --out, --partials or both"), "{help}");
    assert!(
        help.contains(
            "--pipeline <FILE.toml> --state <PLACE> <--out <FILE|DIR>|--partials <PLACE>>"
        ),
        "{help}"
    );
}
