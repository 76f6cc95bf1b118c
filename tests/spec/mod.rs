//! Declared pipelines from text to JSON Lines.
#![expect(clippy::unwrap_used, reason = "what these helpers cannot do is a failed test")]

mod answers;
mod compile;
mod dead_letters;
mod expressions;
mod intake;
mod language;
mod lookups;
mod memory;
mod oracle;
mod queries;
mod select;
mod serde_form;
mod unnest;
mod windows;

use streamgauge::query::PipelineSpec;
use streamgauge::row::{Row, Value};
use streamgauge::rows::{CompileOptions, JsonLines, RowPipeline};
use streamgauge::{Control, Outcome, ShardId, Timestamp};

/// Returns the pipeline of a TOML text, for input that ends.
fn pipeline(toml: &str) -> RowPipeline {
    let mut options = CompileOptions::default();
    options.bounded_input = true;
    pipeline_of(toml, &options)
}

fn pipeline_of(toml: &str, options: &CompileOptions) -> RowPipeline {
    let spec = PipelineSpec::from_toml(toml, "test.toml").unwrap();
    spec.compile(options).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the reason why a TOML text does not compile.
fn refusal(toml: &str) -> String {
    refusal_of(toml, &CompileOptions::default())
}

fn refusal_of(toml: &str, options: &CompileOptions) -> String {
    PipelineSpec::from_toml(toml, "test.toml").unwrap().compile(options).unwrap_err().to_string()
}

/// Fills a row with the members of a flat JSON object, as an adapter would.
fn fill_json(row: &mut Row, fields: &[String], line: &str) {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    let texts: Vec<String> =
        fields.iter().map(|field| object.get(field).map_or_else(String::new, text_of)).collect();
    row.begin(&bytes::Bytes::from(texts.concat()));
    let mut start = 0;
    for (slot, (field, text)) in fields.iter().zip(&texts).enumerate() {
        let range = start..start + text.len();
        start = range.end;
        match object.get(field) {
            None | Some(serde_json::Value::Null) => row.set_missing(slot),
            Some(serde_json::Value::Bool(value)) => row.set_bool(slot, *value),
            Some(serde_json::Value::Number(_)) => row.set_number(slot, range),
            Some(serde_json::Value::String(_)) => row.set_text(slot, range),
            Some(_) => row.set_json(slot, range),
        }
    }
}

fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Fills a row with the cells of a line of CSV without quotes, one a field.
fn fill_csv(row: &mut Row, line: &str) {
    row.begin(&bytes::Bytes::copy_from_slice(line.as_bytes()));
    let mut start = 0;
    for (slot, cell) in line.split(',').enumerate() {
        row.set_untyped(slot, start..start + cell.len());
        start += cell.len() + 1;
    }
}

fn push_json(pipeline: &mut RowPipeline, shard: &str, line: &str) -> Outcome<String> {
    let shard = pipeline.open_shard(ShardId::new(shard)).unwrap();
    let mut row = pipeline.new_row();
    fill_json(&mut row, pipeline.fields(), line);
    pipeline.push(shard, &mut row, Timestamp::from_millis(0), None).unwrap()
}

/// Returns the complete answers as JSON Lines.
fn drain(pipeline: &mut RowPipeline) -> Vec<String> {
    let lines = JsonLines::default();
    let mut out = Vec::new();
    while let Some(emission) = pipeline.next_emission().unwrap() {
        lines.write(&emission, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap().lines().map(str::to_string).collect()
}

/// Returns all answers for JSON objects, one per line.
fn answer(toml: &str, lines: &[&str]) -> Vec<String> {
    answers_for(pipeline(toml), lines)
}

fn answer_of(toml: &str, options: &CompileOptions, lines: &[&str]) -> Vec<String> {
    answers_for(pipeline_of(toml, options), lines)
}

fn answers_for(mut pipeline: RowPipeline, lines: &[&str]) -> Vec<String> {
    for line in lines {
        let outcome = push_json(&mut pipeline, "a", line);
        assert!(outcome == Outcome::Applied || outcome == Outcome::Filtered, "{line}: {outcome:?}");
    }
    pipeline.finish();
    drain(&mut pipeline)
}

/// Returns all answers for lines of CSV, whose columns are the pipeline's fields in order.
fn answer_csv(toml: &str, lines: &[&str]) -> Vec<String> {
    let mut pipeline = pipeline(toml);
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    for line in lines {
        let mut row = pipeline.new_row();
        fill_csv(&mut row, line);
        assert_eq!(
            pipeline.push(shard, &mut row, Timestamp::from_millis(0), None).unwrap(),
            Outcome::Applied,
            "{line}"
        );
    }
    pipeline.finish();
    drain(&mut pipeline)
}

#[test]
fn a_filled_row_can_be_read_back() {
    let mut row = Row::new(3);
    fill_json(
        &mut row,
        &["a".into(), "b".into(), "c".into()],
        r#"{"a": 1.50, "b": "x", "c": null}"#,
    );
    assert_eq!(
        (row.value(0), row.value(1), row.value(2)),
        (Value::Number("1.5"), Value::Text("x"), Value::Missing)
    );
}
