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
        "time = 'ts'\ntime_format = 's'\nwindow = '10s'\nmax_delay = '0s'\nlateness = '1m'\n\
         group = 'g'",
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

/// Starts and ends of the windows of one record, as they are written.
fn windows_of(toml: &str, time: &str) -> Vec<(String, String)> {
    let toml = format!("time = 'ts'\n{toml}");
    let answers = answer(&toml, &[&format!(r#"{{"ts": "{time}"}}"#)]);
    answers
        .iter()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |end: &str| line["window"][end].as_str().unwrap().to_owned();
            (text("start"), text("end"))
        })
        .collect()
}

#[test]
fn s160_days_and_longer_windows_are_those_of_the_time_zone() {
    let berlin = |window: &str, time| {
        windows_of(&format!("timezone = 'europe/berlin'\n{window}"), time)
            .into_iter()
            .map(|(start, end)| format!("{start} {end}"))
            .collect::<Vec<_>>()
    };
    let short = |window: &str| berlin(window, "2025-10-26T12:00:00Z");
    for (window, expected) in [
        ("window = '1d'", "2025-10-26T00:00:00.000+02:00 2025-10-27T00:00:00.000+01:00"),
        ("window = '1w'", "2025-10-20T00:00:00.000+02:00 2025-10-27T00:00:00.000+01:00"),
        ("window = '1mo'", "2025-10-01T00:00:00.000+02:00 2025-11-01T00:00:00.000+01:00"),
        ("window = '1q'", "2025-10-01T00:00:00.000+02:00 2026-01-01T00:00:00.000+01:00"),
        ("window = '1y'", "2025-01-01T00:00:00.000+01:00 2026-01-01T00:00:00.000+01:00"),
        (
            "window = '1d'\noffset = '6h'",
            "2025-10-26T06:00:00.000+01:00 2025-10-27T06:00:00.000+01:00",
        ),
        (
            "window = '1w'\noffset = '-1d'",
            "2025-10-26T00:00:00.000+02:00 2025-11-02T00:00:00.000+01:00",
        ),
        // Hours are hours.
        ("window = '24h'", "2025-10-26T02:00:00.000+02:00 2025-10-27T01:00:00.000+01:00"),
    ] {
        assert_eq!(short(window), [expected], "{window}");
    }
    let last_days = short("window = '3d'\nevery = '1d'");
    assert_eq!(
        last_days,
        [
            "2025-10-24T00:00:00.000+02:00 2025-10-27T00:00:00.000+01:00",
            "2025-10-25T00:00:00.000+02:00 2025-10-28T00:00:00.000+01:00",
            "2025-10-26T00:00:00.000+02:00 2025-10-29T00:00:00.000+01:00",
        ]
    );
    // The repeated hour, told apart by its offset.
    assert_eq!(
        berlin("window = '30m'", "2025-10-26T01:10:00Z"),
        ["2025-10-26T02:00:00.000+01:00 2025-10-26T02:30:00.000+01:00"]
    );
}

#[test]
fn s160_without_a_zone_the_calendar_is_that_of_utc() {
    let utc = |window: &str| windows_of(window, "2024-02-29T23:30:00-01:00")[0].clone();
    for (window, start, end) in [
        ("window = '1mo'", "2024-03-01", "2024-04-01"),
        ("window = '1q'", "2024-01-01", "2024-04-01"),
        ("window = '1w'", "2024-02-26", "2024-03-04"),
        ("window = '1d'", "2024-03-01", "2024-03-02"),
        ("window = '1w'\noffset = '-1d'", "2024-02-25", "2024-03-03"),
    ] {
        let midnight = |date| format!("{date}T00:00:00.000Z");
        assert_eq!(utc(window), (midnight(start), midnight(end)), "{window}");
    }
}

#[test]
fn windows_that_no_calendar_has_are_refused() {
    let refused = |toml: &str| {
        let spec = PipelineSpec::from_toml(&format!("time = 'ts'\n{toml}"), "test.toml").unwrap();
        spec.compile(&CompileOptions::default()).unwrap_err().to_string()
    };
    for (toml, words) in [
        ("window = '1mo'\nevery = '1d'", "both are days and weeks, or both are months"),
        (
            "window = '1mo'\nevery = '1h'",
            "one is of a fixed length and the other is by the calendar",
        ),
        ("window = '1d'\nevery = '1h'\ntimezone = 'UTC'", "one is of a fixed length"),
        ("window = '1d12h'\ntimezone = 'UTC'", "adds hours to days"),
        ("window = '1mo'\noffset = '30d'", "less than 28 days"),
        ("window = '1d'\ntimezone = 'Europe/Berln'", "did you mean \"Europe/Berlin\"?"),
        ("window = '0mo'", "at least 1 day"),
        ("window = '1month'", "1d, 1w, 1mo, 1q or 1y"),
    ] {
        assert!(refused(toml).contains(words), "{toml}: {}", refused(toml));
    }
    let explained = |toml: &str| {
        let spec = PipelineSpec::from_toml(&format!("time = 'ts'\n{toml}"), "test.toml").unwrap();
        spec.compile(&CompileOptions::default()).unwrap().explain().to_string()
    };
    let text = explained("window = '1mo'\ntimezone = 'Asia/Tokyo'");
    assert!(
        text.contains("windows: 1 month each by the calendar of Asia/Tokyo, one pane"),
        "{text}"
    );
}
