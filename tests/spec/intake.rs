//! Records given as JSON, as values that serialize, and by field names are the same records.

use super::{drain, fill_json, pipeline};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use streamgauge::prelude::*;
use streamgauge::row::{FieldValue, Value};
use streamgauge::rows::RowPipeline;

const QUERY: &str = r#"
    where = "not exists skip"
    group = "country"
    agg = "count, count(bytes), sum(bytes), max(bytes), top(3, ok), last(tags)"
"#;

fn field() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-1000i64..1000).prop_map(Json::from),
        (-1_000_000i32..1_000_000).prop_map(|n| Json::from(f64::from(n) / 64.0)),
        "[a-c\"\\\\é]{0,3}".prop_map(Json::from),
        prop::collection::vec(0u8..3, 0..3).prop_map(Json::from),
    ]
}

fn record() -> impl Strategy<Value = Map<String, Json>> {
    let names = prop::sample::select(vec!["country", "bytes", "ok", "tags", "skip", "unused"]);
    prop::collection::vec((names, field()), 0..8).prop_map(|fields| {
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    })
}

/// Takes all records in one way, each at a place of its own, and again at the place of the last.
fn answers(
    records: &[Map<String, Json>],
    mut push: impl FnMut(&mut RowPipeline, &Map<String, Json>, &Sequence) -> Outcome<String>,
) -> (Vec<Outcome<String>>, Vec<String>, Stats) {
    let mut pipeline = pipeline(QUERY);
    let mut outcomes = Vec::new();
    for (index, record) in records.iter().enumerate() {
        outcomes.push(push(&mut pipeline, record, &Sequence::new(index as u64)));
    }
    if let Some(record) = records.last() {
        let last = Sequence::new(records.len() as u64 - 1);
        outcomes.push(push(&mut pipeline, record, &last));
    }
    pipeline.finish();
    let lines = drain(&mut pipeline);
    let stats = pipeline.stats();
    (outcomes, lines, stats)
}

proptest! {
    #![proptest_config(crate::cases(100))]

    #[test]
    fn s111_a_record_is_the_same_in_whatever_form_it_is_given(
        records in prop::collection::vec(record(), 0..12),
    ) {
        let now = Timestamp::from_millis(0);
        let shard = |pipeline: &mut RowPipeline| pipeline.open_shard(ShardId::new("a")).unwrap();
        let rows = answers(&records, |pipeline, record, place| {
            let (shard, mut row) = (shard(pipeline), pipeline.new_row());
            fill_json(&mut row, pipeline.fields(), &json!(record).to_string());
            pipeline.push(shard, &mut row, now, Some(place)).unwrap()
        });
        let texts = answers(&records, |pipeline, record, place| {
            let shard = shard(pipeline);
            pipeline
                .push_json(shard, json!(record).to_string().as_bytes(), now, Some(place))
                .unwrap()
        });
        let values = answers(&records, |pipeline, record, place| {
            let shard = shard(pipeline);
            pipeline.push_value(shard, record, now, Some(place)).unwrap()
        });
        let fields = answers(&records, |pipeline, record, place| {
            let shard = shard(pipeline);
            let texts: Vec<(&str, String, &Json)> =
                record.iter().map(|(name, json)| (name.as_str(), json.to_string(), json)).collect();
            let values: Vec<(&str, Value<'_>)> =
                texts.iter().map(|(name, text, json)| (*name, value_of(json, text))).collect();
            let fields: Vec<(&str, &dyn FieldValue)> =
                values.iter().map(|(name, value)| (*name, value as &dyn FieldValue)).collect();
            pipeline.push_fields(shard, &fields, now, Some(place)).unwrap()
        });
        prop_assert_eq!(&texts, &rows);
        prop_assert_eq!(&values, &rows);
        prop_assert_eq!(&fields, &rows);
    }
}

fn value_of<'a>(json: &'a Json, text: &'a str) -> Value<'a> {
    match json {
        Json::Null => Value::Missing,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(_) => Value::Number(text),
        Json::String(text) => Value::Text(text),
        _ => Value::Json(text),
    }
}

#[test]
fn s111_what_is_no_record_is_a_dead_letter_or_an_error_of_a_strict_pipeline() {
    let now = Timestamp::from_millis(0);
    let mut lenient = pipeline("agg = \"sum(bytes)\"");
    let shard = lenient.open_shard(ShardId::new("a")).unwrap();
    for json in [&b"{\"bytes\":"[..], b"[1]", b"{\"bytes\":1}\n{\"bytes\":1}", b"\xff"] {
        let outcome = lenient.push_json(shard, json, now, None).unwrap();
        assert!(matches!(outcome, Outcome::DeadLetter(_)), "{outcome:?}");
    }
    let outcome = lenient.push_value(shard, &[1, 2], now, None).unwrap();
    assert!(matches!(outcome, Outcome::DeadLetter(_)), "{outcome:?}");
    let outcome = lenient.push_fields(shard, &[("bytes", &f64::NAN)], now, None).unwrap();
    assert!(matches!(outcome, Outcome::DeadLetter(_)), "{outcome:?}");
    assert_eq!(lenient.push_json(shard, b" \n", now, None).unwrap(), Outcome::Blank);
    assert_eq!((lenient.stats().applied, lenient.stats().dead_letters), (0, 6));

    let mut options = streamgauge::rows::CompileOptions::default();
    options.strict = true;
    let spec = streamgauge::query::PipelineSpec::from_toml("agg = \"sum(bytes)\"", "a").unwrap();
    let mut strict = spec.compile(&options).unwrap();
    let shard = strict.open_shard(ShardId::new("a")).unwrap();
    let error = strict.push_json(shard, b"oops", now, None).unwrap_err();
    assert!(error.is_about_record(), "{error}");
    assert_eq!(strict.push_json(shard, b"{\"bytes\":7}", now, None).unwrap(), Outcome::Applied);
}

#[test]
fn s111_values_of_rust_are_those_of_json() {
    let now = Timestamp::from_millis(0);
    let mut numbers = pipeline("group = \"name\"\nagg = \"sum(n), max(f), first(ok)\"");
    let shard = numbers.open_shard(ShardId::new("a")).unwrap();
    let name = String::from("x");
    numbers
        .push_fields(
            shard,
            &[("name", &name), ("n", &u64::MAX), ("f", &1.0), ("ok", &true)],
            now,
            None,
        )
        .unwrap();
    numbers
        .push_fields(shard, &[("name", &"x"), ("n", &Some(-1i8)), ("f", &2.5f32)], now, None)
        .unwrap();
    numbers
        .push_fields(shard, &[("name", &"x"), ("n", &None::<u8>), ("f", &1e300)], now, None)
        .unwrap();
    numbers.finish();
    let expected = r#"{"window":null,"group":{"name":"x"},"revision":0,"sum(n)":18446744073709551614,"max(f)":1e300,"first(ok)":true}"#;
    assert_eq!(drain(&mut numbers), [expected]);
}

#[test]
fn a_record_of_a_known_group_is_read_without_an_allocation() {
    let now = Timestamp::from_millis(0);
    let mut pipeline = pipeline("group = \"country\"\nagg = \"count, sum(bytes)\"");
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    let mut push = || {
        for json in [r#"{"country":"DE","bytes":1}"#, r#"{"country":"FR","bytes":22}"#] {
            pipeline.push_json(shard, json.as_bytes(), now, None).unwrap();
            let fields: &[(&str, &dyn FieldValue)] =
                &[("country", &"DE"), ("bytes", &Value::Number("1"))];
            pipeline.push_fields(shard, fields, now, None).unwrap();
        }
    };
    (0..10).for_each(|_| push());
    assert_eq!(allocation_counter::measure(push).count_total, 0);
}
