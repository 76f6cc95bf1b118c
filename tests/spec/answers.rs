//! The answer of each aggregate, and its output form.

use super::{answer, answer_csv};
use streamgauge::Control;

#[test]
fn the_documented_line_is_written_exactly() {
    let toml = r#"
time = "ts"
time_format = "ms"
window = "1h"
group = "country"
agg = 'count, sum(bytes) as bytes, p99(latency_ms), top(10, url)'
"#;
    let line =
        r#"{"ts": 1357034400000, "country": "DE", "bytes": 345, "latency_ms": 7, "url": "/a"}"#;
    let expected = r#"{"window":{"start":"2013-01-01T10:00:00.000Z","end":"2013-01-01T11:00:00.000Z"},"group":{"country":"DE"},"revision":0,"count":1,"bytes":345,"p99(latency_ms)":{"value":7.0,"lower":7.0,"upper":7.0},"top(10, url)":[{"key":"/a","count":1,"lower":1,"upper":1,"guaranteed":true}]}"#;
    assert_eq!(answer(toml, &[line]), [expected]);
}

#[test]
fn every_aggregate_answers() {
    let toml = r#"agg = "count, count(x), sum(x), mean(x), min(x), max(x), variance(x), stddev(x), first(x), last(x), p50(x), distinct(x), frequency(x, 2)""#;
    let answers = answer(toml, &[r#"{"x": 4}"#, r#"{"x": 2}"#, r#"{"y": 1}"#, r#"{"x": 2.0}"#]);
    let expected = r#"{"window":null,"revision":0,"count":4,"count(x)":3,"sum(x)":8,"mean(x)":2.6666666666666665,"min(x)":2,"max(x)":4,"variance(x)":1.3333333333333333,"stddev(x)":1.1547005383792515,"first(x)":4,"last(x)":2,"p50(x)":{"value":2.0,"lower":2.0,"upper":2.0},"distinct(x)":{"value":2,"lower":2,"upper":2},"frequency(x, 2)":{"value":2,"lower":2,"upper":2}}"#;
    assert_eq!(answers, [expected]);
}

/// S29: of two values in the middle it is the mean, whose bounds are the means of theirs.
#[test]
fn s29_a_median_is_the_middle_value_or_the_mean_of_two() {
    for (values, expected) in [
        (vec!["5", "1", "3"], r#"{"value":3.0,"lower":3.0,"upper":3.0}"#),
        (vec!["5", "1", "3", "4"], r#"{"value":3.5,"lower":3.5,"upper":3.5}"#),
        (vec!["-1.5", "2"], r#"{"value":0.25,"lower":0.25,"upper":0.25}"#),
        (vec![""], "null"),
    ] {
        let answers = answer_csv("agg = 'median(x)'", &values);
        let expected = format!(r#"{{"window":null,"revision":0,"median(x)":{expected}}}"#);
        assert_eq!(answers, [expected], "{values:?}");
    }
}

#[test]
fn without_values_there_is_null_and_a_count_of_zero() {
    let toml = r#"agg = "count(x), sum(x), mean(x), min(x), max(x), stddev(x), first(x), last(x), p99(x), distinct(x), top(3, x)""#;
    let expected = r#"{"window":null,"revision":0,"count(x)":0,"sum(x)":null,"mean(x)":null,"min(x)":null,"max(x)":null,"stddev(x)":null,"first(x)":null,"last(x)":null,"p99(x)":null,"distinct(x)":{"value":0,"lower":0,"upper":0},"top(3, x)":[]}"#;
    assert_eq!(answer(toml, &[r#"{"x": null}"#]), [expected]);
    assert_eq!(answer_csv(toml, &["", ""]), [expected]);
}

#[test]
fn s90_markers_are_missing_values_of_numbers_and_text_elsewhere() {
    let cells = ["NA", "5", "-", "\\N", "", " NULL "];
    let answers =
        answer_csv(r#"agg = "sum(x), count(x), distinct(x), top(2, x), first(x)""#, &cells);
    let expected = r#"{"window":null,"revision":0,"sum(x)":5,"count(x)":1,"distinct(x)":{"value":1,"lower":1,"upper":1},"top(2, x)":[{"key":5,"count":1,"lower":1,"upper":1,"guaranteed":true}],"first(x)":5}"#;
    assert_eq!(answers, [expected]);
    for (agg, value) in [
        ("count(x)", "5"),
        ("distinct(x)", r#"{"value":5,"lower":5,"upper":5}"#),
        ("first(x)", r#""NA""#),
    ] {
        let answers = answer_csv(&format!("agg = \"{agg}\""), &cells);
        assert_eq!(answers, [format!(r#"{{"window":null,"revision":0,"{agg}":{value}}}"#)], "text");
    }
    // A comparison with a number uses the field as a number, in a predicate and in a frequency.
    for toml in [
        "where = 'x is null or not x > 100'\nagg = 'count(x)'",
        "agg = 'count(x), frequency(x, 5)'",
    ] {
        assert!(answer_csv(toml, &cells)[0].contains(r#""count(x)":1"#), "{toml}");
    }
    // JSON has its own null. Of its texts only the empty one is a missing number.
    let toml = "agg = 'count(x), sum(x), mean(x)'";
    assert_eq!(
        answer(toml, &[r#"{"x": ""}"#, r#"{"x": "3"}"#]),
        [r#"{"window":null,"revision":0,"count(x)":1,"sum(x)":3,"mean(x)":3.0}"#]
    );
    assert_eq!(
        answer("agg = 'count(x)'", &[r#"{"x": ""}"#]),
        [r#"{"window":null,"revision":0,"count(x)":1}"#]
    );
}

#[test]
fn a_list_of_markers_holds_for_every_field() {
    let cells = ["NA", "5", "-", "none", "-999"];
    let toml = "null = ['none, -999']\ngroup = 'x'";
    let groups: Vec<_> = answer_csv(toml, &cells)
        .iter()
        .map(|line| line.split('}').next().unwrap().to_owned())
        .collect();
    let expected = [r#"null"#, "5", r#""-""#, r#""NA""#]
        .map(|key| format!(r#"{{"window":null,"group":{{"x":{key}"#));
    assert_eq!(groups, expected);
    let json = [r#"{"x": -999.0}"#, r#"{"x": "none"}"#, r#"{"x": 1}"#, r#"{"x": "NA"}"#];
    assert_eq!(
        answer("null = 'none, -999'\nagg = 'count(x)'", &json),
        [r#"{"window":null,"revision":0,"count(x)":2}"#]
    );
    assert_eq!(
        answer_csv("null = ''\nagg = 'count(x)'", &["", "NA"]),
        [r#"{"window":null,"revision":0,"count(x)":1}"#]
    );
}

#[test]
fn s91_min_and_max_accept_values_of_any_kind() {
    let extremes = |lines: &[&str]| {
        answer("time = 'ts'\nagg = 'min(x) as least, max(x) as most, count(x) as count'", lines)
            .concat()
    };
    let of = |values: &[&str]| {
        let lines: Vec<_> =
            values.iter().map(|value| format!(r#"{{"ts": 0, "x": {value}}}"#)).collect();
        let text = extremes(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        text.split_once(r#""least":"#).unwrap().1.to_owned()
    };
    assert_eq!(of(&["1.0", "2e0", "null"]), r#"1,"most":2,"count":2}"#);
    assert_eq!(of(&[r#""10""#, r#""9""#, "9.5"]), r#"9,"most":10,"count":3}"#);
    assert_eq!(of(&[r#""/b""#, r#""/a""#, r#""/c""#]), r#""/a","most":"/c","count":3}"#);
    let times = [
        r#""2025-10-26T01:00:00+02:00""#,
        r#""25/Oct/2025:23:30:00 +0000""#,
        r#""2025-10-25 22:59:59""#,
    ];
    assert_eq!(
        of(&times),
        r#""2025-10-25 22:59:59","most":"25/Oct/2025:23:30:00 +0000","count":3}"#
    );
    assert_eq!(
        of(&[r#""zoo""#, times[0], "true", "false", "18446744073709551615"]),
        r#"18446744073709551615,"most":"zoo","count":5}"#
    );
    assert_eq!(
        of(&["true", times[0], "false"]),
        format!(r#"false,"most":{},"count":3}}"#, times[0])
    );
    let path = answer_csv("agg = 'min(path), max(path)'", &["/b", "NA", "/a", ""]);
    assert_eq!(path, [r#"{"window":null,"revision":0,"min(path)":"/a","max(path)":"/b"}"#]);
    // If another function needs a number, the value must be one.
    let mixed = answer_csv("agg = 'min(v), max(v), sum(v)'", &["007", "-", "10"]);
    assert_eq!(mixed, [r#"{"window":null,"revision":0,"min(v)":7,"max(v)":10,"sum(v)":17}"#]);
}

#[test]
fn min_and_max_of_text_slide_restore_and_merge() {
    let toml =
        "time = 'ts'\ntime_format = 's'\nwindow = '3s'\nevery = '1s'\nagg = 'min(x), max(x)'";
    let lines: Vec<String> = (0..40i64)
        .map(|n| {
            format!(r#"{{"ts": {n}, "x": "{}{n}"}}"#, ["b", "", "a", "2024-01-0"][n as usize % 4])
        })
        .collect();
    let run = |cut: usize| {
        let mut pipeline = super::pipeline(toml);
        for (index, line) in lines.iter().enumerate() {
            if index == cut {
                let snapshot = pipeline.snapshot().unwrap();
                pipeline = super::pipeline(toml);
                pipeline.restore(&snapshot).unwrap();
            }
            super::push_json(&mut pipeline, "a", line);
        }
        pipeline.finish();
        super::drain(&mut pipeline)
    };
    let whole = run(usize::MAX);
    // Of 4, 5 and 6 the values are b4, 5 and a6.
    assert!(
        whole
            .iter()
            .any(|line| line.contains("00:00:04.000Z")
                && line.ends_with(r#""min(x)":5,"max(x)":"b4"}"#)),
        "{whole:?}"
    );
    for cut in [1, 7, 39] {
        assert_eq!(run(cut), whole, "{cut}");
    }
}

#[test]
fn groups_come_in_the_order_of_their_values() {
    let toml = r#"group = "x""#;
    let lines = [
        r#"{"x": "b"}"#,
        r#"{"x": true}"#,
        r#"{"x": 10}"#,
        r#"{"x": null}"#,
        r#"{"x": 9.5}"#,
        r#"{"x": -1}"#,
        r#"{"x": ""}"#,
        r#"{"x": 1e1}"#,
    ];
    let expected = [
        r#""group":{"x":null},"count":1"#,
        r#""group":{"x":-1},"count":1"#,
        r#""group":{"x":9.5},"count":1"#,
        r#""group":{"x":10},"count":2"#,
        r#""group":{"x":true},"count":1"#,
        r#""group":{"x":""},"count":1"#,
        r#""group":{"x":"b"},"count":1"#,
    ];
    let shown = |line: &String| {
        line.replace("\"revision\":0,", "")
            .replace("{\"window\":null,", "")
            .trim_end_matches('}')
            .to_string()
    };
    assert_eq!(answer(toml, &lines).iter().map(shown).collect::<Vec<_>>(), expected);
}

#[test]
fn several_fields_make_one_group() {
    let answers = answer_csv("group = [\"a\", \"b\"]", &["x,2", "x,10", ",1", "x,2"]);
    let expected = [
        r#"{"window":null,"group":{"a":null,"b":1},"revision":0,"count":1}"#,
        r#"{"window":null,"group":{"a":"x","b":2},"revision":0,"count":2}"#,
        r#"{"window":null,"group":{"a":"x","b":10},"revision":0,"count":1}"#,
    ];
    assert_eq!(answers, expected);
}

#[test]
fn groups_past_the_limit_share_a_row_at_the_end() {
    let answers = answer(
        "group = \"x\"\nlimit_groups = 2\nagg = \"count, sum(n)\"",
        &[
            r#"{"x": "d", "n": 1}"#,
            r#"{"x": "b", "n": 2}"#,
            r#"{"x": "c", "n": 4}"#,
            r#"{"x": "a", "n": 8}"#,
            r#"{"x": "d", "n": 16}"#,
        ],
    );
    let expected = [
        r#"{"window":null,"group":{"x":"a"},"revision":0,"count":1,"sum(n)":8}"#,
        r#"{"window":null,"group":{"x":"b"},"revision":0,"count":1,"sum(n)":2}"#,
        r#"{"window":null,"group":{"x":"(other)"},"revision":0,"count":3,"sum(n)":21}"#,
    ];
    assert_eq!(answers, expected);
}

#[test]
fn the_top_is_by_count_then_key() {
    let answers = answer_csv(r#"agg = "top(3, x) as t""#, &["b", "a", "10", "9", "b", "c"]);
    let row = |key: &str, count| {
        format!(
            r#"{{"key":{key},"count":{count},"lower":{count},"upper":{count},"guaranteed":true}}"#
        )
    };
    let expected = [row("\"b\"", 2), row("9", 1), row("10", 1)].join(",");
    assert_eq!(answers, [format!(r#"{{"window":null,"revision":0,"t":[{expected}]}}"#)]);
}

#[test]
fn sums_of_integers_are_exact_and_of_floats_rounded_once() {
    let line = |n: &str| format!(r#"{{"x": {n}}}"#);
    let sum = |numbers: &[&str]| {
        let lines: Vec<String> = numbers.iter().map(|n| line(n)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        answer("agg = 'sum(x) as s'", &lines).concat()
    };
    assert!(
        sum(&["9223372036854775807", "9223372036854775807", "1"])
            .ends_with(r#""s":18446744073709551615}"#)
    );
    assert!(sum(&["0.1"; 10]).ends_with(r#""s":1.0}"#));
    assert!(sum(&["1e100", "1", "-1e100"]).ends_with(r#""s":1.0}"#));
    assert!(sum(&["1e308", "1e308"]).ends_with(r#""s":null}"#), "past the range of floats");
}

#[test]
fn names_are_escaped_as_in_json() {
    let answers = answer(r#"agg = 'count as "a ""b"""'"#, &["{}"]);
    assert_eq!(answers, [r#"{"window":null,"revision":0,"a \"b\"":1}"#]);
}
