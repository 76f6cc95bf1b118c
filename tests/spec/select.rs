//! Records that are passed on as rows.

use super::{drain, pipeline, pipeline_of, refusal};
use crate::simulation::Random;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use streamgauge::query::PipelineSpec;
use streamgauge::record::Sequence;
use streamgauge::rows::{CompileOptions, RowPipeline};
use streamgauge::{Control, ErrorKind, Outcome, ShardId, Timestamp};

const LARGE: &str = "where = 'size > 10'\nselect = 'name, size * 2 as double'\n";

fn push_at(pipeline: &mut RowPipeline, number: u64, json: &str) -> Outcome<String> {
    let shard = pipeline.open_shard(ShardId::new("s")).unwrap();
    let now = Timestamp::from_millis(0);
    pipeline.push_json(shard, json.as_bytes(), now, Some(&Sequence::new(number))).unwrap()
}

#[test]
fn s233_a_record_that_passes_is_a_row_with_its_shard_and_position() {
    let mut pipeline = pipeline(LARGE);
    assert!(!pipeline.is_due());
    assert_eq!(push_at(&mut pipeline, 3, r#"{"name":"a","size":20}"#), Outcome::Applied);
    assert!(pipeline.is_due());
    assert_eq!(push_at(&mut pipeline, 5, r#"{"name":"b","size":5}"#), Outcome::Filtered);
    assert_eq!(push_at(&mut pipeline, 8, r#"{"name":null,"size":"30"}"#), Outcome::Applied);
    assert_eq!(push_at(&mut pipeline, 8, r#"{"name":"d","size":40}"#), Outcome::Duplicate);
    let expected = [
        r#"{"window":null,"group":{"shard":"s","position":"3"},"revision":0,"name":"a","double":40}"#,
        r#"{"window":null,"group":{"shard":"s","position":"8"},"revision":0,"name":null,"double":60}"#,
    ];
    assert_eq!(drain(&mut pipeline), expected);
    assert!(!pipeline.is_due());
    pipeline.finish();
    assert_eq!(drain(&mut pipeline), [""; 0]);
    let explained = pipeline.explain().to_string();
    assert!(
        explained.starts_with("windows: none; each record is passed on as a row"),
        "{explained}"
    );
    assert!(
        explained.ends_with("  name: of each record\n  double: of each record\n"),
        "{explained}"
    );
}

#[test]
fn s233_values_have_the_forms_of_groups_and_elements_have_their_number() {
    let toml =
        "unnest = 'a'\nselect = ['a', 'a is null as n, x', \"timestamp '2025-01-01' as t\"]\n";
    let mut pipeline = pipeline(toml);
    push_at(&mut pipeline, 7, r#"{"x":1.50,"a":[1.0,"q\"",[1, 2],null]}"#);
    let rows: Vec<serde_json::Value> =
        drain(&mut pipeline).iter().map(|row| serde_json::from_str(row).unwrap()).collect();
    let positions: Vec<_> = rows.iter().map(|row| row["group"]["position"].clone()).collect();
    assert_eq!(positions, ["7/1", "7/2", "7/3", "7/4"]);
    let values: Vec<_> = rows.iter().map(|row| row["a"].clone()).collect();
    assert_eq!(values, [json!(1), json!("q\""), json!("[1, 2]"), json!(null)]);
    assert_eq!(rows[3]["n"], true);
    assert_eq!((&rows[0]["x"], &rows[0]["t"]), (&json!(1.5), &json!("2025-01-01T00:00:00.000Z")));
}

#[test]
fn s234_select_takes_no_aggregates_and_an_error_of_an_expression_is_a_dead_letter() {
    for key in ["agg = 'count'", "group = 'a'", "window = '1m'", "session = '1m'", "limit = 5"] {
        let name = key.split(' ').next().unwrap();
        let refused = refusal(&format!("select = 'a'\n{key}\n"));
        assert!(refused.starts_with(name) && refused.contains("one or the other"), "{refused}");
    }
    assert!(refusal("select = 'a, b as a'").contains("a row has \"a\" already"));
    assert!(refusal("select = 'a as window'").contains("a row has \"window\" already"));
    assert!(refusal("select = 'count(*)'").contains("select: column 1"));
    let refused = refusal("select = 'a'\n[[query]]\nname = 'q'\n");
    assert!(refused.contains("in the table [[query]] whose rows it is"), "{refused}");
    let spec = PipelineSpec::from_toml(LARGE, "t").unwrap();
    let merged = spec.compile(&CompileOptions::default()).unwrap();
    let error = merged.into_merger(Default::default()).err().unwrap();
    assert!(error.message().contains("there are no partials"), "{error}");
    let mut pipeline = pipeline("select = 'cast(a as int) as a'");
    for (number, line, words) in [
        (1, r#"{"a":"x"}"#, "column 6: a: \"x\" is not a number"),
        (2, r#"{"a":1e999}"#, "is out of range"),
    ] {
        let outcome = push_at(&mut pipeline, number, line);
        assert!(format!("{outcome:?}").replace('\\', "").contains(words), "{outcome:?}");
    }
    assert_eq!((pipeline.stats().dead_letters, drain(&mut pipeline).len()), (2, 0));
}

#[test]
fn s235_rows_wait_up_to_the_limit_and_a_snapshot_needs_them_fetched() {
    let mut options = CompileOptions::default();
    options.limits.pending_bytes_max = 1_000;
    let mut pipeline = pipeline_of("select = 'name'", &options);
    let shard = pipeline.open_shard(ShardId::new("s")).unwrap();
    let now = Timestamp::from_millis(0);
    let mut rows = Vec::new();
    for number in 1..=100 {
        let (json, sequence) = (format!("{{\"name\":{number}}}"), Sequence::new(number));
        while let Err(error) = pipeline.push_json(shard, json.as_bytes(), now, Some(&sequence)) {
            assert_eq!(error.kind(), ErrorKind::LimitExceeded);
            assert!(pipeline.snapshot().unwrap_err().message().contains("fetch them all"));
            rows.extend(drain(&mut pipeline));
        }
    }
    rows.extend(drain(&mut pipeline));
    assert_eq!(rows.len(), 100);
    assert!(rows[99].contains("\"position\":\"100\"},\"revision\":0,\"name\":100"), "{}", rows[99]);
    pipeline.snapshot().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The oracle computes the rows by hand. Deliveries are repeated and the state is restored in
    /// between, also after rows were given that it does not have.
    #[test]
    fn s235_rows_by_their_key_are_those_of_one_run_at_any_restarts(
        sizes in prop::collection::vec(0u32..20, 1..40),
        seed: u64,
    ) {
        let spec = PipelineSpec::from_toml(LARGE, "t").unwrap();
        let compiled = || spec.compile(&CompileOptions::default()).unwrap();
        let mut expected = BTreeMap::new();
        for (number, size) in (1..).zip(&sizes).filter(|(_, size)| **size > 10) {
            let key = json!({ "shard": "s", "position": format!("{number}") });
            let double = size * 2;
            expected.insert(
                key.to_string(),
                format!(r#"{{"window":null,"group":{{"shard":"s","position":"{number}"}},"revision":0,"name":"n","double":{double}}}"#),
            );
        }
        let (mut now, mut random) = (compiled(), Random::new(seed));
        let (mut saved, mut at, mut given) = ((now.snapshot().unwrap(), 0), 0, BTreeMap::new());
        let mut give = |rows: Vec<String>| {
            for row in rows {
                let parsed: serde_json::Value = serde_json::from_str(&row).unwrap();
                let known = given.entry(parsed["group"].to_string()).or_insert_with(|| row.clone());
                assert_eq!(*known, row, "one key has two rows");
            }
        };
        while at < sizes.len() {
            match random.below(8) {
                0 => {
                    now = compiled();
                    now.restore(&saved.0).unwrap();
                    at = saved.1;
                }
                1 => {
                    give(drain(&mut now));
                    saved = (now.snapshot().unwrap(), at);
                }
                2 => give(drain(&mut now)),
                3 => {
                    now.restore(&saved.0).unwrap();
                    at = saved.1;
                }
                _ => {
                    let json = format!("{{\"name\":\"n\",\"size\":{}}}", sizes[at]);
                    push_at(&mut now, at as u64 + 1, &json);
                    at += 1;
                }
            }
        }
        give(drain(&mut now));
        prop_assert_eq!(given, expected.clone());
    }
}
