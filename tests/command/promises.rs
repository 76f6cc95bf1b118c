//! Promises of docs/SEMANTICS.md that the command can show, by number.

use super::{column, starts, streamgauge_reading};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;

/// The rows of a run over JSON Lines.
fn rows(arguments: &[&str], input: &str) -> Vec<Value> {
    streamgauge_reading(&[&["run", "--output", "json"], arguments].concat(), input.as_bytes())
        .json()
}

/// The only row.
fn row(arguments: &[&str], input: &str) -> Value {
    let mut rows = rows(arguments, input);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

/// Records of the one field `x`.
fn values<T: std::fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().fold(String::new(), |mut text, value| {
        writeln!(text, "{{\"x\":{value}}}").unwrap();
        text
    })
}

/// A stream of numbers that look random: a linear congruential generator (Knuth, The Art of
/// Computer Programming, 3.3.4, table 1, line 26).
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let step =
        |n: u64| n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    std::iter::successors(Some(step(seed)), move |n| Some(step(*n))).map(|n| n >> 33)
}

/// Values of which a few are frequent.
fn skewed(count: usize) -> Vec<u64> {
    noise(7)
        .zip(noise(8))
        .take(count)
        .map(|(a, b)| (a % 1000) * (b % 1000) / 1000 * (a % 7))
        .collect()
}

const MILLISECONDS: [&str; 6] = ["--time", "x", "--time-format", "ms", "--window", "10ms"];

/// With a sentinel: one value that is 2^1000 times the others does not affect their half per cent.
#[test]
fn s29_a_sentinel_value_does_not_spoil_percentiles() {
    for sentinel in [
        "1.7976931348623157e308",
        "3.4028234663852886e38",
        "1e30",
        "-1.7976931348623157e308",
        "5e-324",
    ] {
        let values = (1..=100).map(|n| n.to_string()).chain([sentinel.to_owned()]);
        let row = row(&["--agg", "count, p50(x), p90(x), p99(x), max(x)"], &self::values(values));
        // Of 101 values in order the sentinel is the last, or the first.
        let first = u64::from(sentinel.starts_with('-') || sentinel == "5e-324");
        for (column, rank) in [("p50(x)", 51), ("p90(x)", 91), ("p99(x)", 100)] {
            let bound = |name: &str| row[column][name].as_f64().unwrap();
            let truth = (rank - first) as f64;
            assert!((bound("value") - truth).abs() <= 0.005 * truth, "{sentinel}: {row}");
            assert!(
                bound("lower") <= truth
                    && truth <= bound("upper")
                    && bound("upper") - bound("lower") < 0.01 * truth,
                "{sentinel}: {row}"
            );
        }
    }
}

#[test]
fn s3_a_record_at_the_end_is_in_the_next_window() {
    let rows = rows(&MILLISECONDS, &values([0, 9, 10]));
    assert_eq!(starts(&rows), ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.010Z"]);
    assert_eq!(column(&rows, "count"), [&json!(2), &json!(1)]);
}

#[test]
fn s4_windows_do_not_depend_on_the_first_record_and_offsets_are_taken_modulo_the_slide() {
    let alone = rows(&MILLISECONDS, &values([17]));
    assert_eq!(starts(&alone), starts(&rows(&MILLISECONDS, &values([13, 17]))));
    let shifted =
        |offset: &str| rows(&[&MILLISECONDS[..], &["--offset", offset]].concat(), &values([17]));
    assert_eq!(shifted("3ms"), shifted("23ms"));
    assert_eq!(starts(&shifted("3ms")), ["1970-01-01T00:00:00.013Z"]);
}

#[test]
fn s5_every_record_is_in_one_tumbling_window() {
    let times: Vec<u64> = noise(1).map(|n| n % 1000).take(500).collect();
    let rows = rows(&[&MILLISECONDS[..], &["--max-delay", "1s"]].concat(), &values(&times));
    assert_eq!(
        column(&rows, "count").into_iter().map(|count| count.as_u64().unwrap()).sum::<u64>(),
        500
    );
}

#[test]
fn s8_s9_empty_windows_are_not_answered_and_without_windows_there_is_one_answer() {
    assert_eq!(rows(&MILLISECONDS, &values([5, 995])).len(), 2);
    assert_eq!(row(&[], &values([5, 995])), json!({"window": null, "revision": 0, "count": 2}));
}

#[test]
fn s12_a_window_fires_at_its_end_plus_the_delay() {
    let delayed = |last: u64| {
        let arguments = [&MILLISECONDS[..], &["--max-delay", "5ms"]].concat();
        let counts = column(&rows(&arguments, &values([0, last, 1])), "count")
            .into_iter()
            .cloned()
            .collect::<Vec<_>>();
        counts[0].clone()
    };
    assert_eq!((delayed(14), delayed(15)), (json!(2), json!(1)));
}

#[test]
fn s20_sums_of_floats_do_not_depend_on_the_order() {
    let mut floats: Vec<String> = noise(3)
        .take(1000)
        .map(|n| format!("{}e{}", n % 100_000, (n / 7 % 40) as i64 - 20))
        .collect();
    let arguments = ["--agg", "sum(x), mean(x), variance(x)"];
    let forwards = row(&arguments, &values(&floats));
    floats.reverse();
    assert_eq!(forwards, row(&arguments, &values(&floats)));
    floats.sort();
    assert_eq!(forwards, row(&arguments, &values(&floats)));
    assert_eq!(row(&["--agg", "sum(x)"], &values(["1e100", "1", "-1e100"]))["sum(x)"], json!(1.0));
}

#[test]
fn s22_without_values_the_count_is_0_and_everything_else_is_null() {
    let agg = "count, count(x), sum(x), mean(x), min(x), max(x), variance(x), stddev(x), first(x), \
               last(x), p50(x)";
    let row = row(&["--agg", agg], "{\"y\":1}\n{\"x\":null}\n");
    for name in [
        "sum(x)",
        "mean(x)",
        "min(x)",
        "max(x)",
        "variance(x)",
        "stddev(x)",
        "first(x)",
        "last(x)",
        "p50(x)",
    ] {
        assert_eq!(row[name], Value::Null, "{name}");
    }
    assert_eq!((&row["count"], &row["count(x)"]), (&json!(2), &json!(0)));
}

#[test]
fn s23_variance_is_the_sample_variance_and_tolerates_an_offset() {
    let of = |values_: [f64; 4]| {
        row(&["--agg", "variance(x)"], &values(values_.map(|x| format!("{x:.1}"))))["variance(x)"]
            .as_f64()
            .unwrap()
    };
    assert!((of([4.0, 7.0, 13.0, 16.0]) - 30.0).abs() < 1e-12);
    assert!((of([1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]) - 30.0).abs() < 1e-6);
    assert_eq!(row(&["--agg", "variance(x)"], &values([5]))["variance(x)"], Value::Null);
}

#[test]
fn s24_first_and_last_are_by_event_time() {
    let input = "{\"t\":5,\"x\":\"b\"}\n{\"t\":9,\"x\":\"y\"}\n{\"t\":1,\"x\":\"a\"}\n\
                 {\"t\":9,\"x\":\"z\"}\n{\"t\":1,\"x\":\"c\"}\n";
    let row = row(&["--time", "t", "--window", "1m", "--agg", "first(x), last(x)"], input);
    assert_eq!((&row["first(x)"], &row["last(x)"]), (&json!("a"), &json!("z")));
}

#[test]
fn s26_s27_s28_top_rows_carry_bounds_that_hold_and_come_in_order() {
    let values_ = skewed(20_000);
    let mut truth: HashMap<u64, u64> = HashMap::new();
    for value in &values_ {
        *truth.entry(*value).or_default() += 1;
    }
    assert!(truth.len() > 200, "{} keys overflow the counters", truth.len());
    let row = row(&["--agg", "top(20, x, 200) as few, top(20, x) as all"], &values(&values_));
    let mut best: Vec<(u64, u64)> = truth.iter().map(|(key, count)| (*key, *count)).collect();
    best.sort_by_key(|(key, count)| (u64::MAX - count, *key));
    let all = row["all"].as_array().unwrap();
    let exact: Vec<(u64, u64)> = all
        .iter()
        .map(|top| (top["key"].as_u64().unwrap(), top["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(exact, best[..20]);
    for top in all {
        assert_eq!((&top["lower"], &top["upper"]), (&top["count"], &top["count"]));
    }
    for top in row["few"].as_array().unwrap() {
        let key = top["key"].as_u64().unwrap();
        let (lower, upper) = (top["lower"].as_u64().unwrap(), top["upper"].as_u64().unwrap());
        assert!((lower..=upper).contains(&truth[&key]), "{top}: {}", truth[&key]);
        assert!(top["guaranteed"] == json!(false) || truth[&key] >= best[19].1, "{top}");
    }
}

#[test]
fn edge_11_s28_ties_come_by_key() {
    let row =
        row(&["--agg", "top(4, x)"], &values(["\"b\"", "10", "9", "\"a\"", "9", "\"b\"", "\"a\""]));
    let keys: Vec<&Value> =
        row["top(4, x)"].as_array().unwrap().iter().map(|top| &top["key"]).collect();
    assert_eq!(keys, [&json!(9), &json!("a"), &json!("b"), &json!(10)]);
}

#[test]
fn edge_10_s29_percentiles_are_of_nearest_rank_within_half_a_percent() {
    // Of 100 values p50 is the 50th and p99 the 99th.
    let small = row(&["--agg", "p50(x), p99(x), p99.99(x)"], &values(1..=100));
    for (name, exact) in [("p50(x)", 50.0), ("p99(x)", 99.0), ("p99.99(x)", 100.0)] {
        assert_eq!(small[name]["value"].as_f64(), Some(exact), "{small}");
    }
    let mut values_: Vec<u64> = noise(5).map(|n| n % 1_000_000 + 1).take(9_999).collect();
    let row = row(&["--agg", "p50(x), p99(x)"], &values(&values_));
    values_.sort_unstable();
    for (name, q) in [("p50(x)", 0.5), ("p99(x)", 0.99)] {
        let exact = values_[(q * 9_999.0f64).ceil() as usize - 1] as f64;
        let bound = |which: &str| row[name][which].as_f64().unwrap();
        assert!(bound("lower") <= exact && exact <= bound("upper"), "{name}: {exact} {row}");
        assert!((bound("value") - exact).abs() <= 0.005 * exact, "{name}: {exact} {row}");
    }
}

#[test]
fn s30_s31_distinct_counts_and_frequencies_enclose_the_truth() {
    let few = row(&["--agg", "distinct(x)"], &values((0..3_000).map(|n| n % 1_000)));
    assert_eq!(few["distinct(x)"], json!({"value": 1000, "lower": 1000, "upper": 1000}));
    let many =
        row(&["--agg", "distinct(x), frequency(x, 7)"], &values((0..60_000).map(|n| n % 50_000)));
    let bound = |column: &str, which: &str| many[column][which].as_u64().unwrap();
    assert!(
        (bound("distinct(x)", "lower")..=bound("distinct(x)", "upper")).contains(&50_000),
        "{many}"
    );
    assert!(
        bound("distinct(x)", "lower") > 45_000 && bound("distinct(x)", "upper") < 55_000,
        "{many}"
    );
    assert!(
        bound("frequency(x, 7)", "upper") >= 2 && bound("frequency(x, 7)", "value") >= 2,
        "{many}"
    );
}

#[test]
fn s37_s140_a_comparison_with_a_missing_field_is_null() {
    let input = "{\"x\":1}\n{\"y\":1}\n{\"x\":null}\n";
    let count = |predicate: &str| {
        row(&["--where", predicate, "--agg", "count(x) as with, count as all"], input)["all"]
            .clone()
    };
    assert_eq!(count("x == 1"), json!(1));
    assert_eq!(count("x != 2"), json!(1));
    assert_eq!(count("not (x == 2)"), json!(1));
    assert_eq!(count("exists x"), json!(1));
    assert_eq!(count("not exists x"), json!(2));
    assert_eq!(count("x is null or x > 5"), json!(2));
}

#[test]
fn s39_the_last_of_duplicate_keys_counts() {
    assert_eq!(row(&["--agg", "sum(x)"], "{\"x\":1,\"x\":5}\n")["sum(x)"], json!(5));
}

/// A frequency counts what is equal to its value in a condition.
#[test]
fn a_frequency_in_quotes_counts_text_and_numbers_with_that_spelling() {
    let agg = [
        "--agg",
        "frequency(x, '200') as quoted, frequency(x, 200) as bare, frequency(x, 'true') as truth, \
         frequency(x, 'a') as text",
    ];
    let counts = |input: &str| {
        let row = row(&agg, input);
        ["quoted", "bare", "truth", "text"].map(|column| row[column]["value"].as_u64().unwrap())
    };
    assert_eq!(
        counts(
            "{\"x\":200}\n{\"x\":\"200\"}\n{\"x\":2e2}\n{\"x\":true}\n{\"x\":\"true\"}\n\
             {\"x\":\"a\"}\n{\"x\":404}\n"
        ),
        [3, 3, 2, 1]
    );
    assert_eq!(counts("y,x\n0,200\n0,0200\n0,a\n0,200\n"), [2, 3, 0, 1]);
}
