//! Arithmetic, conditions and orders over aggregates.

use super::span::{Span, calculated};
use crate::engine::Control;
use crate::merger::{MergerControl, MergerOptions};
use crate::query::PipelineSpec;
use crate::query::expression::Op;
use crate::record::ShardId;
use crate::row::{Number, OutputValue};
use crate::rows::{CompileOptions, JsonLines, MergedRow, RowEmission, RowPipeline};
use crate::snapshot::Partial;
use crate::time::Timestamp;
use bytes::Bytes;
use proptest::prelude::*;

fn compiled(toml: &str) -> Result<RowPipeline, crate::Error> {
    let options = CompileOptions { arrival_times: true, ..CompileOptions::default() };
    PipelineSpec::from_toml(toml, "test")?.compile(&options)
}

fn pipeline(toml: &str) -> RowPipeline {
    compiled(toml).unwrap_or_else(|error| panic!("{error}"))
}

fn error(toml: &str) -> String {
    compiled(toml).err().map_or_else(String::new, |error| error.to_string())
}

/// Pushes records `field=value field=value`, each with the seconds of its time.
fn push(pipeline: &mut RowPipeline, records: &[(i64, &str)]) {
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    let fields = pipeline.fields().to_vec();
    let mut row = pipeline.new_row();
    for (seconds, record) in records {
        row.begin(&Bytes::copy_from_slice(record.as_bytes()));
        for (slot, field) in fields.iter().enumerate() {
            row.set_missing(slot);
            let mut start = 0;
            for pair in record.split(' ') {
                if let Some(value) =
                    pair.strip_prefix(field.as_str()).and_then(|v| v.strip_prefix('='))
                {
                    let from = start + pair.len() - value.len();
                    row.set_untyped(slot, from..start + pair.len());
                }
                start += pair.len() + 1;
            }
        }
        let time = Timestamp::from_seconds(*seconds).unwrap();
        pipeline.push(shard, &mut row, time, None).unwrap();
    }
}

fn rows(pipeline: &mut RowPipeline) -> Vec<RowEmission> {
    std::iter::from_fn(|| pipeline.next_emission().unwrap()).collect()
}

/// The rows as JSON without their windows.
fn lines(rows: &[RowEmission]) -> Vec<String> {
    let json = JsonLines::default();
    let line = |row: &RowEmission| {
        let mut line = Vec::new();
        json.append(&RowEmission { window: None, ..row.clone() }, &mut line);
        let text = String::from_utf8(line).unwrap();
        text.trim_end().replace("{\"window\":null,", "{")
    };
    rows.iter().map(line).collect()
}

fn answered(toml: &str, records: &[(i64, &str)]) -> Vec<String> {
    let mut pipeline = pipeline(toml);
    push(&mut pipeline, records);
    pipeline.finish();
    let rows = rows(&mut pipeline);
    lines(&rows)
}

const HITS: [(i64, &str); 7] = [
    (0, "g=DE n=1"),
    (1, "g=FR n=20"),
    (2, "g=DE n=5"),
    (3, "g=IT n=7"),
    (4, "g=FR n=-3"),
    (5, "g=ES"),
    (6, "g=DE n=4"),
];

#[test]
fn s122_columns_are_arithmetic_over_aggregates() {
    let toml = "agg = 'sum(n) / count as a, sum(n) // count(n) as b, -sum(n) * 2 as c, \
                sum(n) / (count - 7) as d, round(sum(n) / 7, 2) as e, \
                case when count > 5 then ''many'' else ''few'' end as f, \
                coalesce(max(x), 0) as g, greatest(min(n), 0) as h, \
                sum(n) between 1 and 50 as i, max(x) = 1 as j, nullif(count, 7) as k, \
                ''n='' || count as l, cast(sum(n) / count as int) as m'";
    assert_eq!(
        answered(&toml.replace("''", "\\\"").replace('\'', "\"").replace("\\\"", "'"), &HITS),
        [concat!(
            "{\"revision\":0,\"a\":4.857142857142857,\"b\":5,\"c\":-68,\"d\":null,\"e\":4.86,",
            "\"f\":\"many\",\"g\":0,\"h\":0,\"i\":true,\"j\":null,\"k\":null,\"l\":\"n=7\",\"m\":5}"
        )]
    );
}

#[test]
fn s122_bounds_follow_the_arithmetic() {
    let toml = "agg = \"p50(n) + 1 as a, 2 * median(n) as b, 10 / frequency(g, 'DE') as c, \
                p50(n) % 2 as d, abs(p1(n)) as e, frequency(g, 'DE') / count as f, \
                1 / (frequency(g, 'DE') - 3) as g\"";
    let mut pipeline = pipeline(toml);
    push(&mut pipeline, &HITS);
    pipeline.finish();
    let rows = rows(&mut pipeline);
    let bounds = |index: usize| match &rows[0].values[index] {
        OutputValue::Estimate { value, lower, upper } => {
            assert!(lower <= value && value <= upper, "{index}: {:?}", rows[0].values[index]);
            [*lower, *value, *upper].map(Number::to_f64)
        }
        other => panic!("{other:?}"),
    };
    let [lower, value, upper] = bounds(0);
    assert!(lower <= 5.0 && 5.0 <= upper && (value - 5.0).abs() < 0.1);
    let [lower, _, upper] = bounds(1);
    assert!(lower <= 9.0 && 9.0 <= upper);
    assert_eq!(bounds(5), [3.0 / 7.0; 3]);
    assert_eq!(bounds(2), [10.0 / 3.0; 3]);
    assert_eq!(bounds(3), [0.0; 3], "the middle of few numbers is exact");
    let wide = Span { value: Number::Int(7), bounds: Some((Number::Int(6), Number::Int(9))) };
    let rest = wide.combined(Op::Rem, Span::exact(Number::Int(4))).unwrap();
    let infinite = Some((Number::Float(f64::NEG_INFINITY), Number::Float(f64::INFINITY)));
    assert_eq!((rest.value, rest.bounds), (Number::Int(3), infinite), "a remainder jumps");
    let [lower, _, upper] = bounds(4);
    assert!(lower <= 3.0 && 3.0 <= upper && lower > 2.5);
    assert_eq!(rows[0].values[6], OutputValue::Null, "a division by zero");
}

#[test]
fn s122_a_rate_is_per_second_of_the_window() {
    let toml = "window = \"4s\"\nmax_delay = \"0s\"\nagg = \"rate(count) as r, rate(sum(n)) as s\"";
    assert_eq!(
        answered(toml, &HITS),
        ["{\"revision\":0,\"r\":1.0,\"s\":8.25}", "{\"revision\":0,\"r\":0.75,\"s\":0.25}"]
    );
    assert!(error("agg = \"rate(count)\"").contains("rate needs a window: give its size by"));
}

#[test]
fn s123_having_sort_and_limit_choose_and_order_rows() {
    let toml = "group = \"g\"\nagg = \"count, sum(n) as n\"\n";
    let with = |more: &str| {
        let lines = answered(&format!("{toml}{more}"), &HITS);
        let group = |line: &String| line.split('"').nth(5).unwrap().to_owned();
        lines.iter().map(group).collect::<Vec<_>>()
    };
    assert_eq!(with(""), ["DE", "ES", "FR", "IT"]);
    assert_eq!(with("having = \"count > 1\""), ["DE", "FR"]);
    assert_eq!(with("having = [\"count > 1\", \"g <> 'DE'\"]"), ["FR"]);
    assert_eq!(with("having = \"n > 5\""), ["DE", "FR", "IT"], "null is not true");
    assert_eq!(with("having = \"max(n) = 7 or n is null\""), ["ES", "IT"]);
    assert_eq!(with("sort = \"n\""), ["IT", "DE", "FR", "ES"], "null comes last");
    assert_eq!(with("sort = \"n desc\""), ["FR", "DE", "IT", "ES"], "in either direction");
    assert_eq!(with("sort = \"count desc\""), ["DE", "FR", "ES", "IT"], "equal rows by group");
    assert_eq!(with("sort = \"count desc, g desc\""), ["DE", "FR", "IT", "ES"]);
    assert_eq!(with("sort = \"n desc\"\nlimit = 2"), ["FR", "DE"]);
    assert_eq!(with("sort = \"n / count\"\nlimit = 2\nhaving = \"n > 0\""), ["DE", "IT"]);
    assert_eq!(with("sort = \"-max(n)\"\nlimit = 9"), ["FR", "IT", "DE", "ES"]);
    assert!(answered("agg = \"count\"\nhaving = \"count > 100\"", &HITS).is_empty());
    assert!(
        error("agg = \"count\"\nlimit = 2")
            .contains("limit 2 of which rows? Give their order by sort = \"COLUMN\"")
    );
    assert!(error("agg = \"count\"\nsort = \"count\"\nlimit = 0").contains("at least 1 row"));
    assert!(
        error("agg = \"top(2, g)\"\nsort = \"top(2, g)\"")
            .contains("top and histogram have several")
    );
    assert!(error("agg = \"count\"\nhaving = \"n > 5\"").contains("there is no column n"));
}

#[test]
fn s123_rows_of_groups_past_the_limit_come_last_and_are_not_counted() {
    let toml = "group = \"g\"\nlimit_groups = 2\nagg = \"count\"\nsort = \"count desc\"\nlimit = 1";
    assert_eq!(
        answered(toml, &HITS),
        [
            "{\"group\":{\"g\":\"DE\"},\"revision\":0,\"count\":3}",
            "{\"group\":{\"g\":\"(other)\"},\"revision\":0,\"count\":3}"
        ]
    );
}

/// What holds for a reader who keeps the highest revision of each window and group.
fn kept(lines: &[String]) -> Vec<String> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for line in lines {
        let group = line.split(",\"revision\"").next().unwrap().to_owned();
        kept.retain(|(known, _)| *known != group);
        if !line.contains("\"retracted\":true") {
            kept.push((group, line.split_once("\"count\"").unwrap().1.to_owned()));
        }
    }
    kept.sort();
    kept.into_iter().map(|(group, values)| format!("{group} {values}")).collect()
}

proptest! {
    #[test]
    fn s124_a_revised_window_takes_back_the_rows_that_do_not_hold_any_more(
        values in prop::collection::vec((0u8..5, -9i32..9), 1..40),
        cut in 0usize..40,
        limit in 1u64..4,
    ) {
        let toml = format!(
            "group = \"g\"\nwindow = \"10s\"\nmax_delay = \"0s\"\nlateness = \"1h\"\n\
                 agg = \"count, sum(n) as n\"\n\
                 having = \"n > 0\"\nsort = \"n desc\"\nlimit = {limit}"
        );
        let texts: Vec<String> = values.iter().map(|(g, n)| format!("g=g{g} n={n}")).collect();
        let records: Vec<(i64, &str)> = texts.iter().map(|text| (1, text.as_str())).collect();
        let cut = cut.min(records.len());
        let mut revised = pipeline(&toml);
        push(&mut revised, &records[..cut]);
        push(&mut revised, &[(11, "g=later n=1")]);
        let mut given = rows(&mut revised);
        push(&mut revised, &records[cut..]);
        revised.finish();
        given.extend(rows(&mut revised));
        let first = |rows: &[RowEmission]| {
            let start = |row: &RowEmission| row.window.unwrap().start().as_millis();
            rows.iter().filter(|row| start(row) == 0).cloned().collect::<Vec<_>>()
        };
        let mut once = pipeline(&toml);
        push(&mut once, &records);
        once.finish();
        let expected = first(&rows(&mut once));
        prop_assert_eq!(kept(&lines(&first(&given))), kept(&lines(&expected)));
    }

    /// A merger makes all rows of a window at once, and the groups are many for a unit test.
    #[test]
    fn s249_rows_that_are_made_when_they_are_fetched_are_those_of_a_merger(
        values in prop::collection::vec((0u8..12, -9i32..9), 1..60),
        rest in prop::sample::select(vec![
            "",
            "limit_groups = 4",
            "having = 'n > 0'",
            "sort = 'm, n desc'",
            "sort = 'm desc'\nlimit = 2",
            "sort = 'g desc'\nlimit = 3",
            "having = 'count > 1 and g <> 3'\nsort = 'count desc'\nlimit = 4\nlimit_groups = 6",
        ]),
        agg in prop::sample::select(vec!["", ", sum(n) * 2 as twice"]),
        is_pair: bool,
    ) {
        let group = if is_pair { "\"g\", \"n\"" } else { "\"g\"" };
        let toml = format!(
            "group = [{group}]\nagg = \"count, sum(n) as n, min(n) as m, p50(n){agg}\"\n{rest}"
        );
        let texts: Vec<String> = values.iter().map(|(g, n)| format!("g={g} n={n}")).collect();
        let records: Vec<(i64, &str)> = texts.iter().map(|text| (1, text.as_str())).collect();
        let options = MergerOptions { sources: Some(1), ..Default::default() };
        let mut merger = pipeline(&toml).into_merger(options).unwrap();
        let mut source = pipeline(&toml);
        push(&mut source, &records);
        source.finish();
        while let Some(partial) = source.next_partial("a").unwrap() {
            let partial = Partial::from_bytes(partial.into_bytes()).unwrap();
            merger.add(&partial, Timestamp::from_millis(0)).unwrap();
        }
        let merged: Vec<RowEmission> =
            std::iter::from_fn(|| merger.next_row().unwrap()).map(|row| row.emission).collect();
        prop_assert_eq!(answered(&toml, &records), lines(&merged));
    }

    #[test]
    fn s122_calculated_numbers_are_those_of_a_slow_evaluator(
        a in -1000i64..1000,
        b in -1000i64..1000,
    ) {
        let of = |op| calculated(op, Number::Int(a.into()), Number::Int(b.into()));
        let int = |value: i64| Some(Number::Int(value.into()));
        prop_assert_eq!(of(Op::Add), int(a + b));
        prop_assert_eq!(of(Op::Mul), int(a * b));
        prop_assert_eq!(of(Op::Div), (b != 0).then(|| Number::Float(a as f64 / b as f64 + 0.0)));
        prop_assert_eq!(of(Op::IntDiv), if b == 0 { None } else { int(a / b) });
        prop_assert_eq!(of(Op::Rem), if b == 0 { None } else { int(a % b) });
    }

    #[test]
    fn s122_bounds_hold_for_every_number_between_them(
        a in (-50i32..50, 0i32..20),
        b in (-50i32..50, 0i32..20),
        at in (0.0f64..=1.0, 0.0f64..=1.0),
        op in prop::sample::select(vec![Op::Add, Op::Sub, Op::Mul, Op::Div, Op::IntDiv, Op::Rem]),
        scale in -3i32..3,
    ) {
        let scaled = |value: i32| f64::from(value) * 10f64.powi(scale);
        let span = |(low, width): (i32, i32), at: f64| {
            let (lower, upper) = (scaled(low), scaled(low + width));
            let value = lower + (upper - lower) * at;
            let bounds = Some((Number::Float(lower), Number::Float(upper)));
            (value.clamp(lower, upper), Span { value: Number::Float(lower), bounds })
        };
        let ((true_a, a), (true_b, b)) = (span(a, at.0), span(b, at.1));
        let truth = calculated(op, Number::Float(true_a), Number::Float(true_b));
        if let (Some(truth), Some(Span { bounds: Some((lower, upper)), .. })) =
            (truth, a.combined(op, b))
        {
            prop_assert!(
                lower <= truth && truth <= upper,
                "{:?} in {:?} \
                                                                {:?}",
                truth,
                lower,
                upper
            );
        }
    }
}

#[test]
fn s126_keys_are_tuples_have_weights_and_are_ranked() {
    let records = [
        (0, "g=a h=x n=5"),
        (1, "g=b h=x n=70"),
        (2, "g=a h=y n=9"),
        (3, "g=a h=x n=0"),
        (4, "g=c n=70"),
        (5, "n=1000"),
        (6, "h=z"),
    ];
    assert_eq!(
        answered(
            "agg = \"top(1, (g, h)) as t, distinct((g, h)) as d, top(2, g by n) as w\"",
            &records
        ),
        [concat!(
            "{\"revision\":0,\"t\":[{\"key\":[\"a\",\"x\"],\"count\":2,\"lower\":2,\"upper\":2,",
            "\"guaranteed\":true}],\"d\":{\"value\":5,\"lower\":5,\"upper\":5},\"w\":[",
            "{\"key\":\"b\",\"count\":70,\"lower\":70,\"upper\":70,\"guaranteed\":true},",
            "{\"key\":\"c\",\"count\":70,\"lower\":70,\"upper\":70,\"guaranteed\":true}]}"
        )]
    );
    assert_eq!(
        answered("agg = \"max_by(g, n) as m, min_by(g, n) as l, max_by(n, h) as z\"", &records),
        ["{\"revision\":0,\"m\":\"c\",\"l\":\"a\",\"z\":9}"],
        "of equal values the largest key, and the smallest"
    );
    let none = answered("agg = \"max_by(g, x) as m\"", &records);
    assert_eq!(none, ["{\"revision\":0,\"m\":null}"]);
    let bucket = |key: &str, count: u64| {
        format!(
            "{{\"key\":\"{key}\",\"count\":{count},\"lower\":{count},\"upper\":{count},\"guaranteed\":true}}"
        )
    };
    let buckets = [("0", 1), ("4 to 6", 1), ("8 to 12", 1), ("64 to 96", 2), ("768 to 1024", 1)];
    let buckets = buckets.map(|(key, count)| bucket(key, count)).join(",");
    assert_eq!(
        answered("agg = \"histogram(n) as h\"", &records),
        [format!("{{\"revision\":0,\"h\":[{buckets}]}}")]
    );
    assert_eq!(
        answered("agg = \"histogram(n, 5, 50) as h\"", &records),
        [concat!(
            "{\"revision\":0,\"h\":[{\"key\":\"< 5\",\"count\":1,\"lower\":1,\"upper\":1,\"guaranteed\":true},",
            "{\"key\":\"5 to 50\",\"count\":2,\"lower\":2,\"upper\":2,\"guaranteed\":true},",
            "{\"key\":\">= 50\",\"count\":3,\"lower\":3,\"upper\":3,\"guaranteed\":true}]}"
        )]
    );
}

#[test]
fn s126_a_weight_that_is_none_makes_a_dead_letter() {
    let mut pipeline = pipeline("agg = \"count, top(1, g by n)\"");
    let records = [(0, "g=a n=-1"), (1, "g=a n=0.5"), (2, "g=a n=2.0"), (3, "g=b"), (4, "n=x")];
    push(&mut pipeline, &records);
    pipeline.finish();
    assert_eq!(pipeline.stats().dead_letters, 3);
    let rows = rows(&mut pipeline);
    assert_eq!(rows[0].values[0], OutputValue::Integer(2));
}

#[test]
fn s126_tuples_and_weights_survive_a_restore_and_merge() {
    let toml = "agg = \"top(2, (g, h) by n) as t, max_by(g, n), min_by((n), h), \
                distinct((g, h)), histogram(n - 50)\"";
    let texts: Vec<String> =
        (0..200).map(|n| format!("g=g{} h=h{} n={}", n % 7, n % 5, n * 37 % 101)).collect();
    let records: Vec<(i64, &str)> = texts.iter().map(|text| (0, text.as_str())).collect();
    let (mut before, mut after) = (pipeline(toml), pipeline(toml));
    push(&mut before, &records[..90]);
    let snapshot = before.snapshot().unwrap();
    after.restore(&snapshot).unwrap();
    assert_eq!(after.snapshot().unwrap().bytes(), snapshot.bytes());
    push(&mut after, &records[90..]);
    after.finish();
    let resumed = rows(&mut after);
    assert_eq!(lines(&resumed), answered(toml, &records));
}

#[test]
fn s123_partials_that_are_merged_give_the_same_rows() {
    let toml = "group = \"g\"\nagg = \"count, sum(n) / count as mean\"\nhaving = \"count > 1\"\n\
                sort = \"mean desc\"\nlimit = 1";
    let options = MergerOptions { sources: Some(2), ..Default::default() };
    let mut merger = pipeline(toml).into_merger(options).unwrap();
    for (source, records) in [("a", &HITS[..3]), ("b", &HITS[3..])] {
        let mut pipeline = pipeline(toml);
        push(&mut pipeline, records);
        pipeline.finish();
        while let Some(partial) = pipeline.next_partial(source).unwrap() {
            let partial = Partial::from_bytes(partial.into_bytes()).unwrap();
            merger.add(&partial, Timestamp::from_millis(0)).unwrap();
        }
    }
    let merged: Vec<MergedRow> = std::iter::from_fn(|| merger.next_row().unwrap()).collect();
    let merged: Vec<RowEmission> = merged.into_iter().map(|row| row.emission).collect();
    assert_eq!(lines(&merged), answered(toml, &HITS));
    assert_eq!(merged.len(), 1);
}
