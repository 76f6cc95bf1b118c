//! A record for each element of an array.

use super::{drain, pipeline, pipeline_of, push_json, refusal};
use crate::simulation::Random;
use proptest::prelude::*;
use serde_json::{Value, json};
use streamgauge::query::PipelineSpec;
use streamgauge::record::Sequence;
use streamgauge::rows::{CompileOptions, RowPipeline};
use streamgauge::{Control, Outcome, ShardId, Timestamp};

const TAGS: &str = "unnest = 'tags'\ngroup = 'tags'\nagg = 'count, sum(bytes)'\n";

/// Adds records with positions, as a stream delivers them.
fn push_at(pipeline: &mut RowPipeline, number: u64, json: &str) -> Outcome<String> {
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    let sequence = Sequence::new(number);
    let now = Timestamp::from_millis(0);
    pipeline.push_json(shard, json.as_bytes(), now, Some(&sequence)).unwrap()
}

fn answers(toml: &str, lines: &[&str]) -> Vec<String> {
    let mut pipeline = pipeline(toml);
    for (number, line) in (1..).zip(lines) {
        push_at(&mut pipeline, number, line);
    }
    pipeline.finish();
    drain(&mut pipeline)
}

#[test]
fn s230_each_element_is_a_record_with_the_other_fields_of_its_record() {
    let lines = [
        r#"{"bytes":1,"tags":["a","b"]}"#,
        r#"{"bytes":10,"tags":["b",7,null,"q\"",true,[1],{"x":1}]}"#,
        r#"{"bytes":100,"tags":[]}"#,
        r#"{"bytes":1000}"#,
        r#"{"bytes":10000,"tags":null}"#,
    ];
    let rows = answers(TAGS, &lines);
    let groups: Vec<(Value, Value, Value)> = rows
        .iter()
        .map(|row| serde_json::from_str::<Value>(row).unwrap())
        .map(|row| (row["group"]["tags"].clone(), row["count"].clone(), row["sum(bytes)"].clone()))
        .collect();
    let expected = [
        (json!(null), json!(1), json!(10)),
        (json!(7), json!(1), json!(10)),
        (json!(true), json!(1), json!(10)),
        (json!("[1]"), json!(1), json!(10)),
        (json!("a"), json!(1), json!(1)),
        (json!("b"), json!(2), json!(11)),
        (json!("q\""), json!(1), json!(10)),
        (json!("{\"x\":1}"), json!(1), json!(10)),
    ];
    assert_eq!(groups, expected);
}

#[test]
fn s230_members_of_elements_are_fields_by_any_path() {
    let line =
        r#"{"order":{"id":7,"items":[{"sku":"tea","price":{"eur":3}},{"sku":"mug","n":2},5]}}"#;
    for (unnest, sku, price) in [
        ("order.items", "order.items.sku", "order.items.price.eur"),
        ("/order/items", "/order/items/sku", "/order/items/price/eur"),
        ("order.items", "/order/items/sku", "/order/items/price/eur"),
    ] {
        let toml = format!(
            "unnest = '{unnest}'\ngroup = '{sku} as sku'\nagg = 'count, sum({price}) as eur, max(order.id) as id'\n"
        );
        let expected = [
            r#"{"window":null,"group":{"sku":null},"revision":0,"count":1,"eur":null,"id":7}"#,
            r#"{"window":null,"group":{"sku":"mug"},"revision":0,"count":1,"eur":null,"id":7}"#,
            r#"{"window":null,"group":{"sku":"tea"},"revision":0,"count":1,"eur":3,"id":7}"#,
        ];
        assert_eq!(answers(&toml, &[line]), expected, "{unnest}");
    }
    assert!(refusal("unnest = 'a + b'").contains("unnest: column 1 of \"a + b\": one field"));
}

#[test]
fn s230_what_is_no_array_or_has_too_many_elements_is_a_dead_letter() {
    let mut options = CompileOptions::default();
    options.limits.elements_max = 2;
    let mut pipeline = pipeline_of(TAGS, &options);
    for (line, words) in [
        (r#"{"tags":"a"}"#, "tags: the value is not an array"),
        (r#"{"tags":{"a":1}}"#, "tags: the value is not an array"),
        (r#"{"tags":[1,2,3]}"#, "tags: has 3 elements, over the limit of 2"),
    ] {
        assert_eq!(push_json(&mut pipeline, "a", line), Outcome::DeadLetter(words.into()));
    }
    // One element that cannot be aggregated is a dead letter, and the others are not.
    let toml = "unnest = 'tags'\nagg = 'sum(tags), count'\n";
    let mut pipeline = self::pipeline(toml);
    let outcome = push_json(&mut pipeline, "a", r#"{"tags":[1,"x",3]}"#);
    assert_eq!(outcome, Outcome::DeadLetter("tags: \"x\" is not a number".into()));
    let stats = pipeline.stats();
    assert_eq!((stats.applied, stats.dead_letters), (2, 1));
    // A strict pipeline adds all of a record or nothing.
    let mut options = CompileOptions::default();
    options.strict = true;
    let mut strict = pipeline_of(toml, &options);
    let shard = strict.open_shard(ShardId::new("a")).unwrap();
    let now = Timestamp::from_millis(0);
    strict.push_json(shard, br#"{"tags":[1,"x",3]}"#, now, Some(&Sequence::new(1))).unwrap_err();
    assert_eq!((strict.stats().applied, strict.applied(shard)), (0, None));
}

#[test]
fn s231_a_record_without_elements_is_counted_as_none_and_its_position_is_kept() {
    let mut pipeline = pipeline(TAGS);
    for (number, line) in [(1, "{}"), (2, r#"{"tags":[]}"#), (3, r#"{"tags":null}"#)] {
        assert_eq!(push_at(&mut pipeline, number, line), Outcome::Blank);
    }
    assert_eq!(pipeline.null_counts().without_elements, 3);
    assert_eq!(push_at(&mut pipeline, 3, r#"{"tags":["a"]}"#), Outcome::Duplicate);
    assert_eq!(push_at(&mut pipeline, 4, r#"{"tags":["a"]}"#), Outcome::Applied);
    assert_eq!((pipeline.stats().applied, pipeline.stats().duplicates), (1, 1));
}

#[test]
fn s232_a_limit_inside_of_a_record_loses_and_doubles_no_element() {
    let toml = "unnest = 'a'\ntime = 'a'\nwindow = '1s'\nmax_delay = '1h'\n";
    let mut options = CompileOptions::default();
    options.limits.panes_max = 2;
    let mut pipeline = pipeline_of(toml, &options);
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    let (now, first) = (Timestamp::from_millis(0), Sequence::new(1));
    let json = br#"{"a":[1700000000,1700000001,1700000002,1700000003,1700000002]}"#;
    let mut rows = Vec::new();
    let mut refused = 0;
    while pipeline.push_json(shard, json, now, Some(&first)).is_err() {
        refused += 1;
        pipeline.snapshot().unwrap_err();
        // Windows that are complete make room.
        pipeline.advance_watermark(shard, Timestamp::from_millis(1_700_000_002_000));
        rows.extend(drain(&mut pipeline));
        assert!(refused < 10, "{rows:?}");
    }
    let again = pipeline.push_json(shard, json, now, Some(&first)).unwrap();
    assert_eq!(again, Outcome::Duplicate);
    pipeline.finish();
    rows.extend(drain(&mut pipeline));
    assert!(refused > 0);
    assert_eq!(pipeline.stats().applied + pipeline.stats().late, 5);
    assert_eq!(rows.len(), 4, "{rows:?}");
    // A restored state knows nothing of the part.
    let mut pipeline = pipeline_of(toml, &options);
    let empty = pipeline.snapshot().unwrap();
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    pipeline.push_json(shard, json, now, Some(&first)).unwrap_err();
    pipeline.restore(&empty).unwrap();
    let short = br#"{"a":[1700000000,1700000000]}"#;
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    pipeline.push_json(shard, short, now, Some(&first)).unwrap();
    assert_eq!(pipeline.stats().applied, 2);
}

/// Queries that see the elements of the same records.
const QUERIES: &str = "unnest = 'a'\ntime = 'a'\nmax_delay = '1h'\n\
                       [[query]]\nname = 'long'\nwindow = '1h'\nagg = 'count, sum(a)'\n\
                       [[query]]\nname = 'short'\nwindow = '1s'\n\
                       [[query]]\nname = 'rows'\nselect = 'a'\n";

#[test]
fn s232_a_limit_of_one_query_inside_of_a_record_loses_and_doubles_no_element_of_any() {
    let mut options = CompileOptions::default();
    options.limits.panes_max = 2;
    let json = br#"{"a":[1700000000,1700000001,1700000002,1700000003,1700000002]}"#;
    // Also for records without a position.
    for sequence in [Some(Sequence::new(1)), None] {
        let mut pipeline = pipeline_of(QUERIES, &options);
        let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
        let (mut rows, mut refused) = (Vec::new(), 0);
        let now = Timestamp::from_millis(0);
        while pipeline.push_json(shard, json, now, sequence.as_ref()).is_err() {
            refused += 1;
            rows.extend(drain(&mut pipeline));
            pipeline.snapshot().unwrap_err();
            pipeline.advance_watermark(shard, Timestamp::from_millis(1_700_000_002_000));
            rows.extend(drain(&mut pipeline));
            assert!(refused < 10, "{rows:?}");
        }
        pipeline.finish();
        rows.extend(drain(&mut pipeline));
        assert!(refused > 0);
        let of = |name: &str| {
            let start = format!("{{\"query\":\"{name}\"");
            rows.iter().filter(|row| row.starts_with(&start)).collect::<Vec<_>>()
        };
        assert_eq!(of("long").len(), 1);
        assert!(of("long")[0].contains("\"count\":5,\"sum(a)\":8500000008"), "{rows:?}");
        assert_eq!((of("short").len(), of("rows").len()), (4, 5), "{rows:?}");
        for query in pipeline.queries() {
            assert_eq!(query.stats().applied + query.stats().late, 5, "{:?}", query.name());
        }
    }
}

#[test]
fn s230_what_is_no_array_is_one_dead_letter_of_all_queries() {
    let mut pipeline = pipeline(QUERIES);
    let outcome = push_at(&mut pipeline, 1, r#"{"a":5}"#);
    assert_eq!(outcome, Outcome::DeadLetter("a: the value is not an array".into()));
    assert_eq!(push_at(&mut pipeline, 1, r#"{"a":5}"#), Outcome::Duplicate);
    assert!(pipeline.queries().all(|query| query.stats().dead_letters == 1));
    let mut options = CompileOptions::default();
    options.strict = true;
    let toml = "unnest = 'a'\n[[query]]\nname = 'all'\n[[query]]\nname = 'sum'\nagg = 'sum(a)'\n";
    let mut pipeline = pipeline_of(toml, &options);
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    let now = Timestamp::from_millis(0);
    pipeline.push_json(shard, br#"{"a":[1,"x"]}"#, now, None).unwrap_err();
    assert!(pipeline.queries().all(|query| query.stats().applied == 0));
}

/// Returns the records that the elements of a record are.
fn expanded(record: &Value) -> Vec<Value> {
    let elements = record["tags"].as_array().cloned().unwrap_or_default();
    let record_of = |tags| {
        let mut record = record.clone();
        record["tags"] = tags;
        record
    };
    elements.into_iter().map(record_of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The oracle is a pipeline without `unnest` over one record for each element. Deliveries are
    /// repeated, and the state is restored in between, as in a worker or a function that fails.
    #[test]
    fn s232_deliveries_and_restarts_lose_and_double_no_element(
        records in prop::collection::vec(
            (prop::collection::vec(0u8..4, 0..5), 0u32..100, any::<bool>()), 1..30),
        several: bool,
        seed: u64,
    ) {
        let records: Vec<Value> = records
            .into_iter()
            .map(|(tags, bytes, is_text)| {
                let tag = |tag: u8| if is_text { json!(format!("t{tag}")) } else { json!(tag) };
                json!({ "tags": tags.into_iter().map(tag).collect::<Vec<_>>(), "bytes": bytes })
            })
            .collect();
        let first = "let = 't = tags'\n";
        let rest = "where = 'bytes > 20'\ngroup = 't'\nagg = 'count, sum(bytes), top(3, tags)'\n";
        let tables = "[[query]]\nname = 'b'\nagg = 'sum(bytes)'\n";
        let rest = match several {
            true => format!("{first}[[query]]\nname = 'a'\n{rest}{tables}"),
            false => format!("{first}{rest}"),
        };
        let toml = format!("unnest = 'tags'\n{rest}");
        let mut whole = pipeline(&rest);
        for element in records.iter().flat_map(expanded) {
            push_json(&mut whole, "a", &element.to_string());
        }
        whole.finish();
        let spec = PipelineSpec::from_toml(&toml, "t").unwrap();
        let compiled = || spec.compile(&CompileOptions::default()).unwrap();
        let (mut now, mut random) = (compiled(), Random::new(seed));
        let (mut saved, mut at) = ((now.snapshot().unwrap(), 0), 0);
        while at < records.len() {
            match random.below(8) {
                // The process ends, and the next one begins with the state that was saved.
                0 => {
                    now = compiled();
                    now.restore(&saved.0).unwrap();
                    at = saved.1;
                }
                1 => saved = (now.snapshot().unwrap(), at),
                // A delivery comes again.
                2 if at > 0 => {
                    let earlier = random.below(at);
                    let json = records[earlier].to_string();
                    prop_assert_eq!(push_at(&mut now, earlier as u64 + 1, &json), Outcome::Duplicate);
                }
                _ => {
                    push_at(&mut now, at as u64 + 1, &records[at].to_string());
                    at += 1;
                }
            }
        }
        now.finish();
        prop_assert_eq!(drain(&mut now), drain(&mut whole));
    }
}
