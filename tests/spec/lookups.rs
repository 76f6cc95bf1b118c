//! Reference data that expressions look up.

use super::{answer_of, drain, push_json, refusal_of};
use proptest::prelude::*;
use std::collections::HashMap;
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, Lookup};
use streamgauge::{Control, ErrorKind, Limits};

const COUNTRIES: &[u8] = b"code,name,people,note\nDE,Germany,83,\nFR,\"France, the\",68,NA\n";

fn csv(name: &str, key: &str, text: &[u8]) -> Lookup {
    Lookup::from_csv(name, key, text, &Limits::default()).unwrap()
}

fn options(lookups: &[Lookup]) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.bounded_input = true;
    options.lookups = lookups.to_vec();
    options
}

fn answer(toml: &str, lookups: &[Lookup], lines: &[&str]) -> Vec<String> {
    answer_of(toml, &options(lookups), lines)
}

#[test]
fn s227_a_lookup_gives_the_column_of_the_row_that_has_the_key() {
    let countries = [csv("countries", "code", COUNTRIES)];
    let value = |column: &str, line: &str| {
        let toml = format!("group = \"lookup('countries', c, '{column}') as v\"");
        let row: serde_json::Value =
            serde_json::from_str(&answer(&toml, &countries, &[line])[0]).unwrap();
        row["group"]["v"].to_string()
    };
    assert_eq!(value("name", r#"{"c":"DE"}"#), r#""Germany""#);
    assert_eq!(value("name", r#"{"c":"FR"}"#), r#""France, the""#);
    assert_eq!(value("code", r#"{"c":"FR"}"#), r#""FR""#);
    for none in [r#"{"c":"fr"}"#, r#"{"c":null}"#, r#"{"c":7}"#, r#"{"c":""}"#, "{}"] {
        assert_eq!(value("name", none), "null", "{none}");
    }
    assert_eq!(value("note", r#"{"c":"DE"}"#), "null");
    // Text of CSV is a number where a number is needed, and a marker of a missing value there.
    let sums = "agg = \"sum(lookup('countries', c, 'people')), sum(lookup('countries', c, 'note')), count\"\nwhere = \"lookup('countries', c, 'people') > 50\"";
    let lines = [r#"{"c":"DE"}"#, r#"{"c":"FR"}"#, r#"{"c":"FR"}"#, r#"{"c":"XX"}"#];
    let row = &answer(sums, &countries, &lines)[0];
    assert!(row.contains("'people'))\":219") && row.contains("\"count\":3"), "{row}");
    assert!(row.contains("'note'))\":null"), "{row}");
}

#[test]
fn s227_members_of_json_lines_keep_their_types_and_keys_are_compared_as_text() {
    let text = br#"{"id":1,"roles":["admin","dev"],"age":41.0,"ok":true}

{"id":"2","big":170141183460469231731687303715884105727,"age":1e1}
{"id":3.5,"name":"\u00e4\"b"}"#;
    let users = [Lookup::from_json_lines("users", "id", text, &Limits::default()).unwrap()];
    assert_eq!((users[0].name(), users[0].rows()), ("users", 3));
    let group = |expression: &str, line: &str| {
        let toml = format!("group = \"\"\"{expression} as v\"\"\"");
        let row: serde_json::Value =
            serde_json::from_str(&answer(&toml, &users, &[line])[0]).unwrap();
        row["group"]["v"].to_string()
    };
    assert_eq!(group("lookup('users', id, 'age')", r#"{"id":1.0}"#), "41");
    assert_eq!(group("lookup('users', id, 'age') + 1", r#"{"id":2}"#), "11");
    assert_eq!(group("lookup('users', id, 'ok')", r#"{"id":"1"}"#), "true");
    assert_eq!(group("lookup('users', id, 'ok')", r#"{"id":"2"}"#), "null");
    assert_eq!(group("lookup('users', id, 'roles') contains 'dev'", r#"{"id":1}"#), "true");
    assert_eq!(group("lookup('users', id, 'roles') contains 'de'", r#"{"id":1}"#), "false");
    assert_eq!(group("lookup('users', id, 'name')", r#"{"id":3.5}"#), r#""ä\"b""#);
    assert_eq!(group("lookup('users', a + b, 'age')", r#"{"a":1,"b":1}"#), "10");
    let big = group("lookup('users', '2', 'big') - 170141183460469231731687303715884105726", "{}");
    assert_eq!(big, "1");
    // A key that is itself looked up.
    let nested = "lookup('users', lookup('users', id, 'id'), 'age')";
    assert_eq!(group(nested, r#"{"id":2}"#), "10");
}

#[test]
fn s227_a_key_that_cannot_be_computed_is_a_dead_letter_with_its_column() {
    let toml = "agg = \"max(lookup('countries', cast(c as int), 'name'))\"";
    let countries = [csv("countries", "code", COUNTRIES)];
    let mut pipeline =
        PipelineSpec::from_toml(toml, "t").unwrap().compile(&options(&countries)).unwrap();
    let outcome = push_json(&mut pipeline, "a", r#"{"c":"x"}"#);
    assert!(format!("{outcome:?}").contains("column 30: c: "), "{outcome:?}");
    let toml = "agg = \"sum(lookup('countries', c, 'name'))\"";
    let mut pipeline =
        PipelineSpec::from_toml(toml, "t").unwrap().compile(&options(&countries)).unwrap();
    let outcome = push_json(&mut pipeline, "a", r#"{"c":"DE"}"#);
    assert!(
        format!("{outcome:?}").contains("lookup('countries', c, 'name'): \\\"Germany\\\" is"),
        "{outcome:?}"
    );
}

#[test]
fn s228_a_state_is_not_continued_with_other_content() {
    let toml = "group = \"lookup('countries', c, 'name')\"";
    let spec = PipelineSpec::from_toml(toml, "t").unwrap();
    let of = |lookups: &[Lookup]| spec.compile(&options(lookups)).unwrap();
    let mut first = of(&[csv("countries", "code", COUNTRIES)]);
    push_json(&mut first, "a", r#"{"c":"DE"}"#);
    let state = first.snapshot().unwrap();
    // A lookup that no expression uses is no part of it, and its content may be another.
    let same = [csv("other", "a", b"a\n1\n"), csv("countries", "code", COUNTRIES)];
    let mut second = of(&same);
    second.restore(&state).unwrap();
    push_json(&mut second, "a", r#"{"c":"DE"}"#);
    second.finish();
    assert!(drain(&mut second)[0].contains("\"count\":2"));
    let changed = [COUNTRIES, b"IT,Italy,59,\n"].concat();
    for other in [csv("countries", "code", &changed), csv("countries", "name", COUNTRIES)] {
        let error = of(&[other]).restore(&state).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        let words = "the lookup \"countries\" has other content than when the state began";
        assert!(error.message().starts_with(words), "{error}");
        assert!(error.message().contains("begin again with another state"), "{error}");
    }
}

#[test]
fn s229_what_is_wrong_with_a_lookup_is_told_with_its_place() {
    let limits = Limits::default();
    let of_csv = |text: &str| Lookup::from_csv("t", "id", text.as_bytes(), &limits).unwrap_err();
    let of_json =
        |text: &str| Lookup::from_json_lines("t", "id", text.as_bytes(), &limits).unwrap_err();
    for (error, words) in [
        (of_csv("id,a\n1,2\n\n1,3\n"), "line 4: the key \"id\" is \"1\", which line 2 has already"),
        (of_csv("a,id\n2,\n"), "line 2: the key \"id\" is missing"),
        (of_csv("id,a\n1,2\n3\n"), "line 3: "),
        (of_csv("id,a\n1,\"2\n3\n"), "line 2: "),
        (of_csv("id,a,a\n"), "line 1: the header has the field \"a\" twice"),
        (of_csv("ids,a\n1,2\n"), "there is no field \"id\": the columns are ids, a; did you mean"),
        (of_csv(""), "there is no field \"id\""),
        (of_json("{\"id\":1}\n{\"id\":1.0}\n"), "line 2: the key \"id\" is \"1\", which line 1"),
        (of_json("{\"id\":1}\n{\"a\":1}\n"), "line 2: the key \"id\" is missing"),
        (of_json("{\"id\":1}\n[1]\n"), "line 2: column 0: a JSON object is expected"),
        (of_json("{\"id\":1,\"a\":1e999}\n"), "line 1: a: the number is out of range"),
    ] {
        assert!(error.to_string().starts_with(words), "{error} / {words}");
    }
    let latin = Lookup::from_csv("t", "id", b"id\na\n\xff\n", &limits).unwrap_err();
    assert_eq!(latin.message(), "line 3: the text is not UTF-8");
    let countries = [csv("countries", "code", COUNTRIES)];
    let refused =
        |expression: &str| refusal_of(&format!("group = \"{expression}\""), &options(&countries));
    for (expression, words) in [
        (
            "lookup('county', a, 'b')",
            "column 8 of \"lookup('county', a, 'b')\": there is no lookup 'county'",
        ),
        (
            "lookup('country', a, 'b')",
            "(did you mean \"countries\"?); the key lookup names its file",
        ),
        ("lookup('countries', a, 'nam')", "column 24 of"),
        (
            "lookup('countries', a, 'nam')",
            "no column 'nam' (did you mean \"name\"?); there are code,",
        ),
        ("lookup(a, b, 'c')", "the name of a lookup is text in quotes"),
        ("lookup('countries', b, c)", "the name of a column is text in quotes"),
        ("lookup('countries', b)", "lookup is written lookup(name, key, column)"),
    ] {
        assert!(refused(expression).contains(words), "{}", refused(expression));
    }
    let twice = [countries[0].clone(), countries[0].clone()];
    assert!(refusal_of("", &options(&twice)).contains("two lookups \"countries\""));
    let mut small = Limits::default();
    small.lookup_rows_max = 1;
    let error = Lookup::from_csv("t", "id", b"id\n1\n2\n", &small).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(error.message(), "line 3: a lookup has at most 1 rows");
    small.lookup_bytes_max = 4;
    let error = Lookup::from_csv("t", "id", b"id\n1\n", &small).unwrap_err();
    assert_eq!(error.message(), "takes 5 bytes, over the limit of 4 bytes for a lookup");
}

#[test]
fn s229_the_memory_of_lookups_is_told_by_the_explanation() {
    let countries = [csv("countries", "code", COUNTRIES), csv("unused", "code", COUNTRIES)];
    let spec = PipelineSpec::from_toml("group = \"lookup('countries', c, 'name')\"", "t").unwrap();
    let pipeline = spec.compile(&options(&countries)).unwrap();
    let explained = pipeline.explain().to_string();
    assert!(explained.contains("lookup countries: 2 rows, "), "{explained}");
    assert!(!explained.contains("unused"), "{explained}");
    assert_eq!(pipeline.explain().lookups[0].2, countries[0].memory_bytes());
    assert!(countries[0].memory_bytes() >= COUNTRIES.len() - 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The oracle is a map.
    #[test]
    fn s227_any_table_answers_as_a_map_does(
        table in prop::collection::hash_map("[a-c0-2 ,\"]{0,3}", "[a-c0-2 ,\"]{0,3}", 0..40),
        keys in prop::collection::vec("[a-c0-2 ,\"]{0,3}", 1..40),
    ) {
        let table: HashMap<String, String> =
            table.into_iter().filter(|(key, _)| !key.is_empty()).collect();
        let mut text = csv::Writer::from_writer(Vec::new());
        text.write_record(["key", "value"]).unwrap();
        table.iter().for_each(|(key, value)| text.write_record([key, value]).unwrap());
        let lookup = csv("t", "key", &text.into_inner().unwrap());
        let mut json = String::new();
        for (key, value) in &table {
            json += &(serde_json::json!({ "value": value, "key": key }).to_string() + "\n");
        }
        let limits = Limits::default();
        let of_json = Lookup::from_json_lines("t", "key", json.as_bytes(), &limits);
        prop_assert_eq!(lookup.rows(), table.len());
        for key in &keys {
            let line = serde_json::json!({ "k": key }).to_string();
            // With a letter in front no value is a number or a marker of a missing one.
            let toml = "group = \"'x' || lookup('t', k, 'value') as v\"";
            let expected = match table.get(key) {
                // CSV has no empty text.
                Some(value) if value.is_empty() => None,
                found => found.map(|value| format!("x{value}")),
            };
            let shown = |lookup: &Lookup| {
                let row = answer(toml, std::slice::from_ref(lookup), &[&line]).remove(0);
                let row: serde_json::Value = serde_json::from_str(&row).unwrap();
                row["group"]["v"].as_str().map(str::to_owned)
            };
            prop_assert_eq!(shown(&lookup), expected);
            if let Ok(of_json) = &of_json {
                prop_assert_eq!(shown(of_json), table.get(key).map(|value| format!("x{value}")));
            }
        }
    }
}
