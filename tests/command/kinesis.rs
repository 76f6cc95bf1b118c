//! `streamgauge kinesis` and `put`, as far as they need no stream.

use super::{Folder, streamgauge, streamgauge_reading};
use std::fs;

const NOWHERE: [&str; 6] =
    ["--stream", "clicks", "--region", "us-east-1", "--endpoint", "http://127.0.0.1:9"];

#[test]
fn s219_lines_that_are_not_accepted_are_in_a_file() {
    let folder = Folder::new("kinesis_refused");
    let refused = folder.path("refused.jsonl");
    let arguments = [&["put", "--key", "user", "--refused", &refused][..], &NOWHERE].concat();
    let run = streamgauge_reading(&arguments, b"{\"url\":\"/\"}\n\nnot JSON\n");
    run.failed(1, &["0 records accepted, 2 refused, 0 calls", "2 records were not accepted"]);
    let lines = fs::read_to_string(&refused).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["data"], &lines[1]["data"]),
        (&"{\"url\":\"/\"}".into(), &"not JSON".into())
    );
    assert_eq!(lines[0]["reason"], "the partition key is empty");
}

#[test]
fn a_wrong_command_line_is_refused_before_the_stream_is_called() {
    for (arguments, words) in [
        (&["kinesis"][..], &["a stream has no end", "--window 1m"][..]),
        (&["kinesis", "--window", "1m", "--from", "oldest"], &["use latest, trim, or a time"]),
        (
            &["kinesis", "--window", "1m", "--out", "a", "--output", "csv"],
            &["a stream has no end, so it needs a directory"],
        ),
        (&["kinesis", "--window", "1m", "--merge", "--partials", "b"], &["cannot be used with"]),
        (&["kinesis", "--window", "1m", "--idle-after", "soon"], &["--idle-after"]),
        (&["put", "--ordered", "--aggregate"], &["cannot be used with"]),
        (&["put", "--linger", "soon"], &["--linger"]),
    ] {
        streamgauge(&[arguments, &NOWHERE].concat()).failed(2, words);
    }
}

#[test]
fn streams_need_an_action_and_one_number() {
    for (arguments, words) in [
        (&["streams"][..], &["list", "describe", "scale"][..]),
        (&["streams", "create", "clicks"], &["--shards <N>", "--on-demand"]),
        (
            &["streams", "create", "clicks", "--shards", "2", "--on-demand"],
            &["cannot be used with"],
        ),
        (&["streams", "scale", "clicks"], &["--to <N>", "--auto"]),
        (&["streams", "scale", "clicks", "--to", "0"], &["--to"]),
        (&["streams", "describe", "clicks", "--sample", "soon"], &["--sample"]),
        (&["streams", "list", "--last", "1h"], &["--cloudwatch"]),
        (&["streams", "list", "--cloudwatch", "--last", "2d"], &["--last 2d: give 1m to 1d"]),
        (
            &["streams", "list", "--cloudwatch", "--endpoint", "http://127.0.0.1:9"],
            &["--cloudwatch=URL"],
        ),
    ] {
        streamgauge(arguments).failed(2, words);
    }
    let nowhere = ["--region", "us-east-1", "--endpoint", "http://127.0.0.1:9"];
    let run = streamgauge(&[&["streams", "list"][..], &nowhere].concat());
    run.failed(1, &["us-east-1: cannot list the streams"]);
}
