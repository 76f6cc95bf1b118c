//! Records that cannot be aggregated: each gives a reason, and no part of it is added.

use super::{drain, pipeline, push_json};
use streamgauge::query::PipelineSpec;
use streamgauge::record::{Sequence, SequenceNumber};
use streamgauge::rows::CompileOptions;
use streamgauge::{Control, Outcome, ShardId, Timestamp};

fn reason(toml: &str, line: &str) -> String {
    let mut pipeline = pipeline(toml);
    match push_json(&mut pipeline, "a", line) {
        Outcome::DeadLetter(reason) => {
            assert_eq!(pipeline.stats().dead_letters, 1);
            reason
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn dead_letters_name_the_field_and_its_value() {
    assert_eq!(
        reason("agg = 'sum(bytes)'", r#"{"bytes": "abc"}"#),
        r#"bytes: "abc" is not a number"#
    );
    assert_eq!(reason("agg = 'sum(bytes)'", r#"{"bytes": true}"#), "bytes: true is not a number");
    assert_eq!(
        reason("agg = 'sum(x)'", r#"{"x": "1e999"}"#),
        r#"x: "1e999" is out of range: the largest number is 1.7976931348623157e308"#
    );
    assert_eq!(
        reason("agg = 'mean(x)'", r#"{"x": "NaN"}"#),
        r#"x: "NaN" is not a number, and it is missing only if it is listed as null"#
    );
    let separated = r#"x: "1,234" is not a number that can be read: write it without thousands separators and with a decimal point, as in 1234.5"#;
    assert_eq!(reason("agg = 'mean(x)'", r#"{"x": "1,234"}"#), separated);
    assert_eq!(
        reason("time = 'ts'\nwindow = '1m'", r#"{"ts": "soon"}"#),
        r#"ts: "soon" is not a time (time format auto)"#
    );
    assert_eq!(reason("time = 'ts'\nwindow = '1m'", r#"{}"#), "ts: the field is missing");
    assert_eq!(
        reason("time = 'ts'\ntime_format = '%F'", r#"{"ts": 5.5}"#),
        r#"ts: 5.5 is not a time (time format "%F")"#
    );
    let long = format!(r#"{{"k": "{}"}}"#, "x".repeat(70_000));
    assert!(
        reason("group = 'k'", &long)
            .ends_with("takes 70000 bytes as a key, over the limit of 65536")
    );
    assert!(
        reason("group = 'a,k'", &long).starts_with("k: \"xxx")
            && reason("agg = 'distinct(k)'", &long).len() < 300
    );
    assert!(
        reason("time = 'ts'\ntime_format = 'ms'\nwindow = '1m'", r#"{"ts": 9223372036854775807}"#)
            .contains("so far from the epoch")
    );
}

#[test]
fn a_dead_letter_is_added_to_no_column() {
    let mut pipeline = pipeline("agg = 'count, sum(a), sum(b)'");
    push_json(&mut pipeline, "s", r#"{"a": 1, "b": 2}"#);
    push_json(&mut pipeline, "s", r#"{"a": 1, "b": "x"}"#);
    pipeline.finish();
    assert_eq!(
        drain(&mut pipeline),
        [r#"{"window":null,"revision":0,"count":1,"sum(a)":1,"sum(b)":2}"#]
    );
}

#[test]
fn the_filter_is_evaluated_before_time_and_numbers() {
    let mut pipeline = pipeline("time = 'ts'\nwindow = '1m'\nagg = 'sum(x)'\nwhere = 'ok == true'");
    assert_eq!(
        push_json(&mut pipeline, "s", r#"{"ok": false, "ts": "soon", "x": "abc"}"#),
        Outcome::Filtered
    );
    assert_eq!(
        push_json(&mut pipeline, "s", r#"{"ok": true, "ts": 0, "x": "12"}"#),
        Outcome::Applied
    );
    assert_eq!((pipeline.stats().filtered, pipeline.stats().applied), (1, 1));
}

#[test]
fn a_filtered_or_refused_record_is_a_duplicate_the_second_time() {
    let spec =
        PipelineSpec::from_toml("agg = 'sum(x)'\nwhere = \"x != '3'\"", "test.toml").unwrap();
    let mut pipeline = spec.compile(&CompileOptions::default()).unwrap();
    let shard = pipeline.open_shard(ShardId::new("s")).unwrap();
    let mut push = |number: u64, text: &'static str| {
        let mut row = pipeline.new_row();
        row.begin(&bytes::Bytes::from_static(text.as_bytes()));
        row.set_untyped(0, 0..text.len());
        pipeline
            .push(
                shard,
                &mut row,
                Timestamp::from_millis(0),
                Some(&Sequence::new(SequenceNumber::from(number))),
            )
            .unwrap()
    };
    assert_eq!(push(1, "1"), Outcome::Applied);
    assert_eq!(push(2, "3"), Outcome::Filtered);
    assert_eq!(push(3, "abc"), Outcome::DeadLetter(r#"x: "abc" is not a number"#.into()));
    assert_eq!(push(2, "3"), Outcome::Duplicate);
    assert_eq!(push(3, "abc"), Outcome::Duplicate);
    assert_eq!(push(4, "4"), Outcome::Applied);
}
