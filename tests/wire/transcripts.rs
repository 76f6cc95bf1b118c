//! `tests/data/kcl/*.jsonl`: recorded messages between the real MultiLangDaemon 3.1.3 and a child,
//! line by line.

use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use streamgauge::adapter::kcl::{Message, Reply, Session};
use streamgauge::record::{Record, ShardId};

#[derive(Deserialize)]
struct Line {
    dir: String,
    line: String,
}

/// The transcripts by name.
fn transcripts() -> Vec<(String, Vec<Line>)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kcl"));
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let transcripts: Vec<_> = paths
        .iter()
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(path)))
        .collect();
    assert!(transcripts.len() >= 6);
    transcripts
}

fn shard() -> ShardId {
    ShardId::new("shardId-000000000000")
}

#[test]
fn every_line_of_the_daemon_is_read_completely() {
    for (name, lines) in transcripts() {
        for line in lines.iter().filter(|line| line.dir == "daemon") {
            let message = Message::parse(line.line.as_bytes(), &shard())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            if let Message::ProcessRecords(batch) = &message {
                assert!(
                    batch.rejected.is_empty() && batch.records.iter().all(Record::is_arrival_known),
                    "{name}"
                );
            }
            let written: Value = serde_json::from_str(&message.to_json()).unwrap();
            assert_eq!(written, serde_json::from_str::<Value>(&line.line).unwrap(), "{name}");
        }
    }
}

/// Input that the daemon ignored: not JSON, not an action, an action without a meaning.
const NOISE: [&str; 4] = [
    "this is not json {",
    r#"{"action":"nonsense"}"#,
    "\"a string\"",
    r#"{"responseFor":"processRecords"}"#,
];

#[test]
fn every_line_of_the_child_is_written_as_the_daemon_accepted_it() {
    let mut noise = 0;
    for (name, lines) in transcripts() {
        for line in lines.iter().filter(|line| line.dir == "child") {
            let Ok(reply) = Reply::parse(line.line.as_bytes()) else {
                noise += usize::from(NOISE.contains(&line.line.as_str()));
                // The one checkpoint whose number the daemon refused by name. This crate cannot
                // send such a number.
                assert!(
                    NOISE.contains(&line.line.as_str()) || line.line.contains("not-a-number"),
                    "{name}: {}",
                    line.line
                );
                continue;
            };
            let mut expected: Value = serde_json::from_str(&line.line).unwrap();
            let fields = expected.as_object_mut().unwrap();
            // A field that the daemon ignores, and nulls that the child left out.
            fields.remove("extra");
            fields.remove("checkpoint");
            if fields["action"] == "checkpoint" {
                fields.entry("sequenceNumber").or_insert(Value::Null);
                fields.entry("subSequenceNumber").or_insert(Value::Null);
            }
            assert_eq!(
                serde_json::from_str::<Value>(&reply.to_json()).unwrap(),
                expected,
                "{name}"
            );
        }
    }
    assert_eq!(noise, NOISE.len());
}

#[test]
fn a_replayed_session_gives_the_replies_of_the_child() {
    for (name, lines) in transcripts() {
        let input: String = lines
            .iter()
            .filter(|line| line.dir == "daemon")
            .map(|line| format!("{}\n", line.line))
            .collect();
        let mut replies = lines
            .iter()
            .filter(|line| line.dir == "child")
            .map(|line| &line.line)
            // Messages that this crate never sends: noise, an invalid number, a field of an old
            // protocol that got no answer.
            .filter(|line| {
                !NOISE.contains(&line.as_str())
                    && !line.contains("extra")
                    && !line.contains(r#""checkpoint": ""#)
            })
            .peekable();
        let mut output = Vec::new();
        let mut session = Session::new(input.as_bytes(), &mut output);
        let mut expected = String::new();
        while let Some(message) = session.read().unwrap() {
            while let Some(line) = replies.next_if(|line| line.contains(r#""checkpoint""#)) {
                let (sequence, sub) = match Reply::parse(line.as_bytes()) {
                    Ok(Reply::Checkpoint { sequence, sub }) => (sequence, sub),
                    _ => ("1".parse().ok(), None),
                };
                let upto = sequence
                    .map(|number| streamgauge::record::Sequence { number, sub: sub.unwrap_or(0) });
                session.checkpoint(upto.as_ref()).unwrap();
                expected.push_str(&format!("\n{}\n", Reply::checkpoint(upto.as_ref()).to_json()));
            }
            let status = Reply::parse(replies.next().unwrap().as_bytes()).unwrap();
            assert_eq!(status, Reply::Status { response_for: message.action() }, "{name}");
            session.answer().unwrap();
            expected.push_str(&format!("\n{}\n", status.to_json()));
        }
        assert_eq!(replies.next(), None, "{name}");
        assert_eq!(String::from_utf8(output).unwrap(), expected, "{name}");
    }
}
