//! `--trace`: what became of every Nth record.

use super::{Folder, hits, streamgauge, streamgauge_reading};

const PIPELINE: [&str; 10] = [
    "--time",
    "ts",
    "--window",
    "20s",
    "--max-delay",
    "5s",
    "--where",
    "status < 500",
    "--group",
    "country",
];

/// A record that is applied, one that is filtered, one that is late, one without a time and a line
/// that is no record.
fn records() -> String {
    [
        r#"{"ts":1704067230000,"status":200,"country":"DE"}"#,
        r#"{"ts":1704067231000,"status":503,"country":"FR"}"#,
        r#"{"ts":1704067200000,"status":200,"country":"DE"}"#,
        r#"{"status":200,"country":"DE"}"#,
        "no record",
        "",
    ]
    .join("\n")
}

const WANTED: [&str; 6] = [
    "condition 1: status < 500",
    "applied: time 2024-01-01T00:00:30.000Z, window 2024-01-01T00:00:20.000Z to \
     2024-01-01T00:00:40.000Z, group country = \"DE\"",
    "filtered by condition 1: status = 503",
    "late by ",
    "dead letter: ts: the field is missing",
    "dead letter in line 5: ",
];

#[test]
fn s313_a_trace_says_what_became_of_each_record_and_why() {
    let run = streamgauge_reading(
        &[&["run", "--format", "jsonl", "--trace", "1"], &PIPELINE[..]].concat(),
        records().as_bytes(),
    );
    run.succeeded().says(&WANTED);
    let traced: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("record ")).collect();
    for (index, line) in traced.iter().enumerate() {
        assert!(line.starts_with(&format!("record {} of stdin: ", index + 1)), "{line}");
    }
    assert_eq!(traced.len(), 5, "{traced:?}");
}

#[test]
fn s313_a_trace_changes_no_answer_and_has_every_nth_record() {
    let folder = Folder::new("s313_changes_no_answer");
    let (file, to) = (folder.file("hits.jsonl", hits(1000)), folder.path("trace.txt"));
    let plain = [&["run", &file, "--output", "json"], &PIPELINE[..]].concat();
    let answers = streamgauge(&plain);
    assert!(answers.json().len() > 50);
    let traced = streamgauge(&[&plain[..], &["--trace", "100", "--trace-to", &to]].concat());
    assert_eq!(traced.stdout, answers.stdout);
    let text = std::fs::read_to_string(&to).unwrap();
    assert_eq!(text.lines().count(), 1 + 10, "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("record 1000 of ") && last.contains("group country"), "{last}");
    streamgauge(&["run", &file, "--trace-to", &to]).failed(2, &["--trace"]);
    streamgauge(&["run", &file, "--trace", "0"]).failed(2, &["--trace"]);
}

#[test]
fn s313_a_replay_can_be_traced() {
    let folder = Folder::new("s313_replay");
    let record = |number: u64, text: &str| {
        format!(
            "{{\"sequence\":\"{number}\",\"arrival\":1704067230000,\"text\":{}}}",
            serde_json::json!(text)
        )
    };
    let texts = records();
    let records: Vec<String> =
        texts.lines().enumerate().map(|(index, text)| record(index as u64, text)).collect();
    let call = |rest: &str| format!("{{\"source\":\"s-1\",\"call\":{rest}}}\n");
    let capture = [
        "{\"capture\":1,\"of\":\"shard\"}\n".to_owned(),
        call("\"begin\""),
        call(&format!("\"apply\",\"at\":1704067240000,\"records\":[{}]", records.join(","))),
        call("\"emit\""),
    ];
    let file = folder.file("capture.jsonl", capture.concat());
    let replay = ["run", "--replay", &file, "--trace", "1", "--output", "json"];
    let run = streamgauge(&[&replay, &PIPELINE[..]].concat());
    run.succeeded().says(&WANTED[..4]).says(&[
        "record 1: s-1:0: applied",
        "record 5: dead letter: s-1:4: ",
        "replayed 5 records in 1 batches, 2 dead letters",
    ]);
}
