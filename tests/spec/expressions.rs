//! Expressions in conditions, names and groups.

use super::{answer, drain, pipeline, push_json, refusal};
use streamgauge::{Control, Outcome};

/// Returns the reason why a record is a dead letter.
fn reason(toml: &str, line: &str) -> String {
    match push_json(&mut pipeline(toml), "a", line) {
        Outcome::DeadLetter(reason) => reason,
        other => panic!("{line}: {other:?}"),
    }
}

/// Returns the groups of an expression, each with its number of records.
fn groups(expression: &str, lines: &[&str]) -> Vec<String> {
    let toml = format!("let = \"\"\"g = {expression}\"\"\"\ngroup = 'g'\n");
    let rows = answer(&toml, lines);
    let shown = rows.iter().map(|row| {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        format!("{}:{}", row["group"]["g"], row["count"])
    });
    shown.collect()
}

#[test]
fn s142_numbers_are_exact_or_out_of_range() {
    let one = |expression: &str| groups(expression, &["{\"x\":7,\"z\":0}"]).join(" ");
    for (expression, value) in [
        ("x / 2", "3.5:1"),
        ("x // 2", "3:1"),
        ("-x // 2", "-3:1"),
        ("-x % 2", "-1:1"),
        ("x / z", "null:1"),
        ("x // z", "null:1"),
        ("x % z", "null:1"),
        ("9223372036854775807 + x", "9223372036854775814:1"),
        ("9223372036854775807 * x // x", "9223372036854775807:1"),
        ("x / 7", "1:1"),
        ("x * 0.5", "3.5:1"),
        ("x = 7.0", "true:1"),
    ] {
        assert_eq!(one(expression), value, "{expression}");
    }
    for (expression, words) in [
        ("x * 170141183460469231731687303715884105727", "is an integer of more than 128 bits"),
        ("x * 1e307 * 100", "is out of range: the largest number is"),
    ] {
        let toml = format!("let = 'g = {expression}'\ngroup = 'g'\n");
        let reason = reason(&toml, "{\"x\":7}");
        assert_eq!(reason.split(": ").nth(1).unwrap().split(" is ").next(), Some(expression));
        assert!(reason.starts_with("column 5: ") && reason.contains(words), "{reason}");
    }
    let mut pipeline = pipeline("let = 'g = x // z'\ngroup = 'g'\n");
    push_json(&mut pipeline, "a", "{\"x\":7,\"z\":0}");
    assert_eq!(pipeline.null_counts().divisions_by_zero, 1);
}

#[test]
fn s141_a_value_of_another_kind_is_a_dead_letter_unless_it_is_in_a_condition() {
    let toml = "let = 'bits = (1 + bytes) * 8'\ngroup = 'bits'\n";
    assert_eq!(reason(toml, "{\"bytes\":\"abc\"}"), "column 13: bytes: \"abc\" is not a number");
    assert_eq!(
        reason("let = 'd = cast(s as int)'\ngroup = 'd'\n", "{\"s\":\"abc\"}"),
        "column 10: s: \"abc\" is not a number"
    );
    assert_eq!(
        reason("let = \"d = date_trunc('day', t)\"\ngroup = 'd'\n", "{\"t\":\"soon\"}"),
        "column 23: t: \"soon\" is not a time"
    );
    let mut pipeline = pipeline("where = 'bytes * 8 > 100 or bytes != 5'\n");
    assert_eq!(push_json(&mut pipeline, "a", "{\"bytes\":\"abc\"}"), Outcome::Filtered);
    assert_eq!(push_json(&mut pipeline, "a", "{\"bytes\":13}"), Outcome::Applied);
    assert_eq!(pipeline.null_counts().other_kind, 2);
    assert!(refusal("where = \"lower(x) > 5\"").contains("text is needed"));
    assert!(refusal("where = 'sum(x) > 5'").starts_with("where: column 1 of"));
}

#[test]
fn s250_intervals_are_cast_from_text_and_to_text() {
    for (expression, value) in [
        ("cast(d as interval)", "5400000:1"),
        ("cast(cast(d as interval) as text)", "\"01:30:00\":1"),
        ("cast(d as interval) + '90s'::interval > interval '1:31' ", "true:1"),
        ("epoch('2 days 01:00:00'::interval)", "176400:1"),
        ("(timestamp '2025-01-03 01:00:00' - timestamp '2025-01-01')::text", "\"49:00:00\":1"),
        ("'took ' || cast(d as interval) * -1.5", "\"took -02:15:00\":1"),
        ("cast(interval '1' second / 3 as text)", "\"00:00:00.333\":1"),
        ("timestamp '2025-01-01' + cast(d as interval)", "\"2025-01-01T01:30:00.000Z\":1"),
        ("cast(coalesce(none, d) as interval)", "5400000:1"),
        ("try_cast(n as interval)", "null:1"),
        ("try_cast('soon' as interval)", "null:1"),
    ] {
        assert_eq!(groups(expression, &["{\"d\":\"1h30m\",\"n\":90}"]), [value], "{expression}");
    }
    let toml = "let = 'd = cast(took as interval)'\ngroup = 'd'\n";
    for (took, shown) in [("\"soon\"", "\"soon\""), ("90", "90"), ("true", "true")] {
        let why = "is not a duration such as 90s, 1 hour 30 minutes or 01:30:00";
        let record = format!("{{\"took\":{took}}}");
        assert_eq!(reason(toml, &record), format!("column 10: took: {shown} {why}"));
    }
    let mut pipeline = pipeline("where = 'cast(took as interval) > 5m'\n");
    assert_eq!(push_json(&mut pipeline, "a", "{\"took\":\"soon\"}"), Outcome::Filtered);
    assert_eq!(push_json(&mut pipeline, "a", "{\"took\":\"00:06:00\"}"), Outcome::Applied);
    assert_eq!(pipeline.null_counts().other_kind, 1);
}

#[test]
fn s143_what_comes_after_the_part_that_decides_is_not_computed() {
    let lines = ["{\"x\":\"abc\"}", "{}", "{\"x\":\"7\"}"];
    for (expression, expected) in [
        ("case when x = 'abc' then -1 else cast(x as int) end", ["null:1", "-1:1", "7:1"]),
        ("coalesce(nullif(length(x), 1), cast(x as int))", ["null:1", "3:1", "7:1"]),
    ] {
        assert_eq!(groups(expression, &lines), expected, "{expression}");
    }
}

#[test]
fn s144_a_name_means_the_same_everywhere() {
    let toml = "let = ['class = status // 100', 'bad = class >= 5']\n\
                where = 'class >= 2'\ngroup = 'class, bad'\n";
    let lines = ["{\"status\":200}", "{\"status\":503}", "{\"status\":100}", "{\"status\":599}"];
    assert_eq!(
        answer(toml, &lines),
        [
            r#"{"window":null,"group":{"class":2,"bad":false},"revision":0,"count":1}"#,
            r#"{"window":null,"group":{"class":5,"bad":true},"revision":0,"count":2}"#,
        ]
    );
    for (lets, words) in [
        ("['a = x', 'a = y']", "the name a is given twice"),
        ("['a = a + 1']", "a is a field already"),
        ("['b = a', 'a = 1']", "a is a field already"),
        ("['a = ']", "let: column 5 of"),
        ("['a = lower(1)']", "let: column 11 of"),
    ] {
        let error = refusal(&format!("let = {lets}\n"));
        assert!(error.contains(words), "{lets}: {error}");
    }
}

#[test]
fn s144_a_name_that_only_conditions_use_makes_no_dead_letter() {
    let mut only = pipeline("let = 'y = x + 1'\nwhere = 'y > 3 or z = 1'\n");
    assert_eq!(push_json(&mut only, "a", "{\"x\":\"abc\"}"), Outcome::Filtered);
    assert_eq!(push_json(&mut only, "a", "{\"x\":\"abc\",\"z\":1}"), Outcome::Applied);
    let mut grouped = pipeline("let = 'y = x + 1'\nwhere = 'y > 3 or z = 1'\ngroup = 'y'\n");
    assert_eq!(push_json(&mut grouped, "a", "{\"x\":\"abc\"}"), Outcome::Filtered);
    let dead = push_json(&mut grouped, "a", "{\"x\":\"abc\",\"z\":1}");
    assert!(matches!(dead, Outcome::DeadLetter(_)), "{dead:?}");
}

#[test]
fn s145_a_computed_value_is_a_value_as_any_other() {
    let lines = ["{\"x\":4,\"t\":\"2025-10-26T01:30:00+02:00\"}", "{\"x\":4.0,\"t\":1761435000}"];
    for (expression, value) in [
        ("x / 2", "2:2"),
        ("x + 0.5", "4.5:2"),
        ("date_trunc('hour', t)", "\"2025-10-25T23:00:00.000Z\":2"),
        ("date_trunc('day', t, 'Europe/Berlin')", "\"2025-10-25T22:00:00.000Z\":2"),
        ("extract(hour from t)", "23:2"),
        ("case when x > 3 then 'big' end", "\"big\":2"),
        ("case when x > 3 then x end", "4:2"),
    ] {
        assert_eq!(groups(expression, &lines).join(" "), value, "{expression}");
    }
}

#[test]
fn s40_a_state_of_another_meaning_of_conditions_is_refused() {
    let toml = "where = 'not (x > 5)'\n";
    let mut first = pipeline(toml);
    push_json(&mut first, "a", "{\"x\":1}");
    let saved = first.snapshot().unwrap();
    let (same, other) = ("where = ['NOT x>5']\n", "where = 'not (x > 6)'\n");
    let mut again = pipeline(same);
    again.restore(&saved).unwrap();
    again.finish();
    assert_eq!(drain(&mut again).len(), 1);
    assert!(pipeline(other).restore(&saved).is_err());
}

#[test]
fn evaluating_an_expression_allocates_nothing() {
    let toml = "let = [\"class = status // 100\", \"part = split_part(url, '/', 2)\", \
                \"name = regexp_extract(url, '/([a-z]+)$', 1)\", \"hour = date_trunc('hour', t)\", \
                \"kind = case when bytes > 10 then 'big' else 'small' end\"]\n\
                where = \"bytes * 8 > 10 and url like '/a%' and class in (2, 5)\"\n\
                group = 'class, part, name, hour, kind'\n\
                agg = 'count, sum(bytes * 8), mean(bytes / 3), count_if(status >= 500)'\n";
    let mut pipeline = pipeline(toml);
    let shard = pipeline.open_shard(streamgauge::ShardId::new("a")).unwrap();
    let line = r#"{"status":503,"url":"/api/v1/items","bytes":70,"t":1761435000123}"#;
    let mut push = || {
        let now = streamgauge::Timestamp::from_millis(0);
        let outcome = pipeline.push_json(shard, line.as_bytes(), now, None).unwrap();
        assert_eq!(outcome, Outcome::Applied);
    };
    (0..10).for_each(|_| push());
    assert_eq!(allocation_counter::measure(push).count_total, 0);
}

#[test]
fn s251_a_time_that_cannot_be_computed_is_told_with_its_part() {
    for (time, record, why) in [
        ("to_timestamp(s)", "{\"s\":\"x\"}", "column 14: s: \"x\" is not a number"),
        ("to_timestamp(s)", "{}", "to_timestamp(s): the value is missing"),
        ("d || ' ' || h", "{\"d\":\"2025-01-01\"}", "d || ' ' || h: the value is missing"),
        (
            "d || ' ' || h",
            "{\"d\":\"2025-01-01\",\"h\":\"25:00\"}",
            "d || ' ' || h: \"2025-01-01 25:00\" is not a time (time format auto)",
        ),
        (
            "cast(d || h as timestamp)",
            "{\"d\":\"a\",\"h\":\"b\"}",
            "column 1: cast(d || h as timestamp) is not a time",
        ),
        ("s + 1", "{\"s\":\"x\"}", "column 1: s: \"x\" is not a number"),
    ] {
        let toml = format!("time = \"\"\"{time}\"\"\"\nwindow = '1m'\n");
        assert_eq!(reason(&toml, record), why, "{time}");
        // A record that does not pass is no dead letter.
        let mut pipeline = pipeline(&format!("{toml}where = 'kept'\n"));
        assert_eq!(push_json(&mut pipeline, "a", record), Outcome::Filtered);
    }
}
