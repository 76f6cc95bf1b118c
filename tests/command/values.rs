//! A value is one thing in every function: the inputs of everyday questions, end to end.

use super::{Run, column, streamgauge_reading};
use serde_json::{Value, json};

/// The one row of the answer.
fn row(arguments: &[&str], input: &str) -> Value {
    run(arguments, input).json()[0].clone()
}

fn run(arguments: &[&str], input: &str) -> Run {
    streamgauge_reading(&[&["run", "--output", "json"], arguments].concat(), input.as_bytes())
}

fn count(arguments: &[&str], input: &str) -> u64 {
    let rows = run(arguments, input).json();
    rows.first().map_or(0, |row| row["count"].as_u64().unwrap())
}

/// What stands in the closing line behind a word.
fn dead_letters(run: &Run) -> bool {
    run.stderr.contains("1 dead letter") || run.stderr.contains("dead letters 1")
}

const MARKERS: &str = "a,b\nNA,x\n1,x\nnan,x\n5,y\n-,y\n";

#[test]
fn s95_the_markers_of_a_csv_file_are_missing_where_a_number_is_asked_for() {
    let agg = ["--format", "csv", "--agg", "count, count(a), sum(a), mean(a), distinct(a)"];
    let run_ = run(&agg, MARKERS);
    let distinct = json!({"value": 2, "lower": 2, "upper": 2});
    let expected = json!({"window": null, "revision": 0, "count": 4, "count(a)": 2, "sum(a)": 6, "mean(a)": 3.0, "distinct(a)": distinct});
    assert_eq!(run_.json()[0], expected);
    // S21
    assert!(dead_letters(&run_), "{}", run_.stderr);
    let nan = run(&["--format", "csv", "--agg", "sum(a)"], "a,b\nNaN,x\n1,x\n");
    assert!(nan.json()[0]["sum(a)"] == json!(1) && dead_letters(&nan), "{}", nan.stderr);
    let listed = row(&["--format", "csv", "--null", "NA,nan,-", "--agg", "count, count(a), sum(a)"], MARKERS);
    assert_eq!((&listed["count"], &listed["count(a)"], &listed["sum(a)"]), (&json!(5), &json!(2), &json!(6)));
    assert_eq!(count(&["--format", "csv", "--null", "NA,nan,-", "--where", "exists a"], MARKERS), 2);
    assert_eq!(count(&["--format", "csv", "--where", "exists a and a < 1000"], MARKERS), 2);
    // Nobody asks for a number: Namibia is a country.
    assert_eq!(count(&["--format", "csv", "--where", "exists a"], MARKERS), 5);
    let countries = run(&["--format", "csv", "--group", "country"], "country,n\nNA,1\nDE,2\n").json();
    assert_eq!(column(&countries, "group"), [&json!({"country": "DE"}), &json!({"country": "NA"})]);
}

#[test]
fn a_dirty_column_says_what_is_wrong() {
    let dirty = "ts,v,s\n2024-01-01 00:00:00,1,a\n2024-01-01 00:00:01,,b\n2024-01-01 00:00:02,NA,c\n2024-01-01 00:00:03,\"1,234\",d\n\
                 2024-01-01 00:00:04,-,e\n2024-01-01 00:00:05,12ms,f\n2024-01-01 00:00:06,4,g\n";
    let run = run(&["--format", "csv", "--agg", "count, count(v), sum(v), mean(v)"], dirty);
    assert_eq!(run.json()[0], json!({"window": null, "revision": 0, "count": 5, "count(v)": 2, "sum(v)": 5, "mean(v)": 2.5}));
    run.says(&["\"1,234\"", "thousands are not separated"]);
}

// S98
#[test]
fn times_are_compared_as_times() {
    let line = |time: &str| format!("10.0.0.1 - - [{time} +0000] \"GET /a HTTP/1.1\" 200 10\n");
    let log: String = ["01/Nov/2025:10:00:00", "26/Oct/2025:10:00:00", "25/Oct/2025:10:00:00"].map(line).concat();
    for time in [&["--time", "time"][..], &[]] {
        let kept = |predicate: &str| count(&[&["--format", "clf", "--where", predicate], time].concat(), &log);
        assert_eq!(kept("time >= '2025-10-26'"), 2);
        assert_eq!(kept("time < '2025-10-26T12:00:00+02:00'"), 1);
        assert_eq!(kept("time >= '26/Oct/2025:10:00:00 +0000' and time < '2025-11-01'"), 1);
        assert_eq!(kept("time in ('2025-10-26 10:00:00', '2025-10-25 12:00:00 +0200')"), 2);
    }
    let offsets = "{\"t\":\"2025-10-26T01:30:00+02:00\",\"v\":1}\n{\"t\":\"2025-10-25T23:45:00Z\",\"v\":2}\n";
    assert_eq!(count(&["--where", "t >= '2025-10-26'"], offsets), 0);
    assert_eq!(count(&["--where", "t >= '2025-10-26T01:40:00+02:00'"], offsets), 1);
    assert_eq!(count(&["--where", "t == '2025-10-25T23:30:00Z'"], offsets), 1);
    let epochs = "{\"ts\":1761436800000}\n{\"ts\":1761436799}\n{\"ts\":\"20251026\"}\n";
    assert_eq!(count(&["--time", "ts", "--where", "ts >= '2025-10-26'"], epochs), 2);
    run(&["--time", "ts", "--where", "ts >= '26/Oct/2025'"], epochs).failed(2, &["ts is the event time", "is not a time", "'2025-10-26'"]);
}

#[test]
fn text_that_spells_a_number_is_one_where_a_number_is_asked_for() {
    let statuses = "{\"status\":\"500\"}\n{\"status\":500}\n{\"status\":5e2}\n{\"status\":\"404\"}\n{\"status\":\"9\"}\n";
    assert_eq!(count(&["--where", "status >= 500"], statuses), 3);
    assert_eq!(row(&["--agg", "sum(status), frequency(status, 500)"], statuses)["sum(status)"], json!(1913));
    let groups = run(&["--group", "status", "--where", "status == 500"], statuses).json();
    assert_eq!(column(&groups, "group"), [&json!({"status": 500}), &json!({"status": "500"})]);
    assert_eq!(column(&groups, "count"), [2, 1].map(Value::from).iter().collect::<Vec<_>>());
}

#[test]
fn an_array_contains_elements() {
    let tags = "{\"tags\":[\"vip2\",\"a\"]}\n{\"tags\":[\"vip\",\"b\"]}\n{\"tags\":[]}\n";
    assert_eq!(count(&["--where", "tags contains 'vip'"], tags), 1);
    assert_eq!(count(&["--where", "not tags contains 'vip'"], tags), 2);
}

#[test]
fn s99_rows_of_different_groups_differ_in_csv() {
    let groups = "{\"g\":null}\n{\"g\":\"\"}\n{\"g\":0}\n{\"g\":\"0\"}\n{\"g\":true}\n{\"g\":\"true\"}\n";
    let run = streamgauge_reading(&["run", "--output", "csv", "--group", "g"], groups.as_bytes());
    assert_eq!(run.succeeded().stdout, "g,revision,count\n,0,1\n0,0,1\ntrue,0,1\n\"\",0,1\n\"0\",0,1\n\"true\",0,1\n");
    let table = streamgauge_reading(&["run", "--output", "table", "--group", "g"], groups.as_bytes());
    assert!(table.succeeded().stdout.contains("\"\""), "{}", table.stdout);
}
