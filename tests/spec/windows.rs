//! Windows, lateness and shards of declared pipelines.

use super::{answer, drain, pipeline, push_json};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::{Control, Outcome};

fn at(seconds: i64) -> String {
    format!(r#"{{"ts": {seconds}}}"#)
}

/// Starts of the windows in seconds, and the counts.
fn counts(lines: &[String]) -> Vec<(i64, i64)> {
    lines
        .iter()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let start: jiff::Timestamp = line["window"]["start"].as_str().unwrap().parse().unwrap();
            (start.as_second(), line["count"].as_i64().unwrap())
        })
        .collect()
}

#[test]
fn sliding_windows_hold_every_record_that_is_in_them() {
    let lines: Vec<String> = [-1, 0, 25].map(at).to_vec();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answers = answer(
        "time = 'ts'\ntime_format = 's'\nwindow = '20s'\nevery = '10s'\noffset = '5s'",
        &lines,
    );
    assert_eq!(counts(&answers), [(-15, 2), (-5, 2), (15, 1), (25, 1)]);
}

#[test]
fn two_halves_read_in_sequence_lose_nothing() {
    let toml = "time = 'ts'\ntime_format = 's'\nwindow = '10s'\nmax_delay = '5s'";
    let mut pipeline = pipeline(toml);
    for shard in ["first", "second"] {
        pipeline.open_shard(streamgauge::ShardId::new(shard)).unwrap();
    }
    for (shard, offset) in [("first", 0), ("second", 1)] {
        for second in 0..100 {
            assert_eq!(push_json(&mut pipeline, shard, &at(second * 2 + offset)), Outcome::Applied);
        }
        let shard = pipeline.open_shard(streamgauge::ShardId::new(shard)).unwrap();
        pipeline.close_shard(shard);
    }
    pipeline.finish();
    let expected: Vec<(i64, i64)> = (0..20).map(|window| (window * 10, 10)).collect();
    assert_eq!(counts(&drain(&mut pipeline)), expected);
}

#[test]
fn the_default_delay_of_input_without_an_end_is_ten_seconds() {
    let spec =
        PipelineSpec::from_toml("time = 'ts'\ntime_format = 's'\nwindow = '10s'", "test.toml")
            .unwrap();
    let mut pipeline = spec.compile(&CompileOptions::default()).unwrap();
    push_json(&mut pipeline, "s", &at(5));
    push_json(&mut pipeline, "s", &at(19));
    assert!(drain(&mut pipeline).is_empty());
    push_json(&mut pipeline, "s", &at(20));
    assert_eq!(counts(&drain(&mut pipeline)), [(0, 1)]);
    assert_eq!(
        push_json(&mut pipeline, "s", &at(9)),
        Outcome::Late(streamgauge::Timestamp::from_millis(9_000))
    );
    assert_eq!(pipeline.stats().late, 1);
    let flags = PipelineSpec::from_toml("max_delay = \"unbounded\"", "").unwrap();
    let mut pipeline = spec.overridden_by(flags).compile(&CompileOptions::default()).unwrap();
    push_json(&mut pipeline, "s", &at(1_000_000));
    assert_eq!(push_json(&mut pipeline, "s", &at(0)), Outcome::Applied);
}

#[test]
fn a_late_record_within_the_lateness_answers_its_groups_again() {
    let mut pipeline = pipeline(
        "time = 'ts'\ntime_format = 's'\nwindow = '10s'\nmax_delay = '0s'\nlateness = '1m'\ngroup = 'g'",
    );
    assert!(pipeline.is_revised());
    push_json(&mut pipeline, "s", r#"{"ts": 1, "g": "a"}"#);
    push_json(&mut pipeline, "s", r#"{"ts": 10, "g": "a"}"#);
    let first = drain(&mut pipeline);
    assert!(first[0].contains(r#""revision":0,"count":1"#), "{first:?}");
    push_json(&mut pipeline, "s", r#"{"ts": 2, "g": "b"}"#);
    let again = drain(&mut pipeline);
    assert_eq!(again.len(), 2, "{again:?}");
    assert!(again[1].contains(r#""group":{"g":"b"},"revision":1,"count":1"#), "{again:?}");
}
