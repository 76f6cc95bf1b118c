//! The serde form of an answer is the line that the command writes.

use super::pipeline;
use streamgauge::prelude::*;
use streamgauge::row::{FieldValue, Value};
use streamgauge::rows::RowEmission;

fn rows(toml: &str, records: &[&[(&str, &dyn FieldValue)]]) -> Vec<RowEmission> {
    let mut pipeline = pipeline(toml);
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    for fields in records {
        let outcome = pipeline.push_fields(shard, fields, Timestamp::from_millis(0), None).unwrap();
        assert_eq!(outcome, Outcome::Applied);
    }
    pipeline.finish();
    std::iter::from_fn(|| pipeline.next_emission().unwrap()).collect()
}

#[test]
fn s112_a_row_serializes_to_the_line_of_the_command() {
    let toml = r#"
        time = "at"
        window = "1m"
        group = ["country", "ok"]
        agg = "count, mean(x) as \"the mean\", top(1, key), p50(x), distinct(key), last(key)"
    "#;
    let found = rows(
        toml,
        &[
            &[("at", &0), ("country", &"a\"b"), ("ok", &true), ("x", &1), ("key", &"k")],
            &[("at", &1), ("country", &"a\"b"), ("ok", &true), ("x", &2), ("key", &"k")],
        ],
    );
    let line = concat!(
        r#"{"window":{"start":"1970-01-01T00:00:00.000Z","end":"1970-01-01T00:01:00.000Z"},"#,
        r#""group":{"country":"a\"b","ok":true},"revision":0,"count":2,"the mean":1.5,"#,
        r#""top(1, key)":[{"key":"k","count":2,"lower":2,"upper":2,"guaranteed":true}],"#,
        r#""p50(x)":{"value":1.0,"lower":1.0,"upper":1.0},"#,
        r#""distinct(key)":{"value":1,"lower":1,"upper":1},"last(key)":"k"}"#
    );
    assert_eq!(serde_json::to_string(&found[0]).unwrap(), line);
    // Formats that keep the value in memory get the same.
    let value = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(value, serde_json::from_str::<serde_json::Value>(line).unwrap());
}

#[test]
fn s112_numbers_keep_the_form_that_they_have_everywhere() {
    for (number, written) in [
        ("5e-5", "5e-5"),
        ("0.0001", "0.0001"),
        ("-1e-7", "-1e-7"),
        ("0.1", "0.1"),
        ("1e300", "1e300"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("1.00000000000000000000000001", "1.00000000000000000000000001e0"),
    ] {
        let found = rows("agg = \"last(x)\"", &[&[("x", &Value::Number(number))]]);
        let line = format!(r#"{{"window":null,"revision":0,"last(x)":{written}}}"#);
        assert_eq!(serde_json::to_string(&found[0]).unwrap(), line);
    }
    let huge = [&[("x", &1e308 as &dyn FieldValue)][..]; 2];
    let found = rows("agg = \"sum(x)\"", &huge);
    assert_eq!(
        serde_json::to_string(&found[0]).unwrap(),
        r#"{"window":null,"revision":0,"sum(x)":null}"#
    );
}

#[test]
fn s112_an_emission_of_a_typed_pipeline_has_the_same_form() {
    let mut pipeline = Pipeline::builder()
        .event_time(|hit: &(i64, u64)| Timestamp::from_millis(hit.0))
        .window(minutes(1))
        .aggregate((count(), quantile(0.5, |hit: &(i64, u64)| hit.1)))
        .build()
        .unwrap();
    let emission = pipeline.over([(-1, 7)]).next().unwrap();
    let line = concat!(
        r#"{"window":{"start":"1969-12-31T23:59:00.000Z","end":"1970-01-01T00:00:00.000Z"},"#,
        r#""revision":0,"value":[1,{"value":7.0,"lower":7.0,"upper":7.0}]}"#
    );
    assert_eq!(serde_json::to_string(&emission).unwrap(), line);
    let read: Emission<(u64, Option<streamgauge::sketch::Estimate<f64>>)> =
        serde_json::from_str(line).unwrap();
    assert_eq!(read, emission);
    let all = Window::new(Timestamp::MIN, Timestamp::MAX);
    let text = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), all);
}
