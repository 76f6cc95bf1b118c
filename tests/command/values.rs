//! A value has one meaning in all functions: the inputs of everyday questions, end to end.

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
fn s21_s90_the_markers_of_a_csv_file_are_missing_values_of_numbers() {
    let agg = ["--format", "csv", "--agg", "count, count(a), sum(a), mean(a), distinct(a)"];
    let run_ = run(&agg, MARKERS);
    let distinct = json!({"value": 2, "lower": 2, "upper": 2});
    let expected = json!({"window": null, "revision": 0, "count": 4, "count(a)": 2, "sum(a)": 6, "mean(a)": 3.0, "distinct(a)": distinct});
    assert_eq!(run_.json()[0], expected);
    assert!(dead_letters(&run_), "{}", run_.stderr);
    let nan = run(&["--format", "csv", "--agg", "sum(a)"], "a,b\nNaN,x\n1,x\n");
    assert!(nan.json()[0]["sum(a)"] == json!(1) && dead_letters(&nan), "{}", nan.stderr);
    let listed = row(
        &["--format", "csv", "--null", "NA,nan,-", "--agg", "count, count(a), sum(a)"],
        MARKERS,
    );
    assert_eq!(
        (&listed["count"], &listed["count(a)"], &listed["sum(a)"]),
        (&json!(5), &json!(2), &json!(6))
    );
    assert_eq!(
        count(&["--format", "csv", "--null", "NA,nan,-", "--where", "exists a"], MARKERS),
        2
    );
    assert_eq!(count(&["--format", "csv", "--where", "exists a and a < 1000"], MARKERS), 2);
    // No function needs a number: `NA` is Namibia.
    assert_eq!(count(&["--format", "csv", "--where", "exists a"], MARKERS), 5);
    let countries =
        run(&["--format", "csv", "--group", "country"], "country,n\nNA,1\nDE,2\n").json();
    assert_eq!(column(&countries, "group"), [&json!({"country": "DE"}), &json!({"country": "NA"})]);
}

#[test]
fn a_dirty_column_gives_dead_letters_with_the_reason() {
    let dirty = "ts,v,s\n2024-01-01 00:00:00,1,a\n2024-01-01 00:00:01,,b\n\
                 2024-01-01 00:00:02,NA,c\n2024-01-01 00:00:03,\"1,234\",d\n\
                 2024-01-01 00:00:04,-,e\n2024-01-01 00:00:05,12ms,f\n2024-01-01 00:00:06,4,g\n";
    let run = run(&["--format", "csv", "--agg", "count, count(v), sum(v), mean(v)"], dirty);
    assert_eq!(
        run.json()[0],
        json!({"window": null, "revision": 0, "count": 5, "count(v)": 2, "sum(v)": 5, "mean(v)": 2.5})
    );
    run.says(&["\"1,234\"", "without thousands separators"]);
}

#[test]
fn s93_times_are_compared_as_times() {
    let line = |time: &str| format!("10.0.0.1 - - [{time} +0000] \"GET /a HTTP/1.1\" 200 10\n");
    let log: String =
        ["01/Nov/2025:10:00:00", "26/Oct/2025:10:00:00", "25/Oct/2025:10:00:00"].map(line).concat();
    for time in [&["--time", "time"][..], &[]] {
        let kept = |predicate: &str| {
            count(&[&["--format", "clf", "--where", predicate], time].concat(), &log)
        };
        assert_eq!(kept("time >= '2025-10-26'"), 2);
        assert_eq!(kept("time < '2025-10-26T12:00:00+02:00'"), 1);
        assert_eq!(kept("time >= '26/Oct/2025:10:00:00 +0000' and time < '2025-11-01'"), 1);
        assert_eq!(kept("time in ('2025-10-26 10:00:00', '2025-10-25 12:00:00 +0200')"), 2);
    }
    let offsets =
        "{\"t\":\"2025-10-26T01:30:00+02:00\",\"v\":1}\n{\"t\":\"2025-10-25T23:45:00Z\",\"v\":2}\n";
    assert_eq!(count(&["--where", "t >= '2025-10-26'"], offsets), 0);
    assert_eq!(count(&["--where", "t >= '2025-10-26T01:40:00+02:00'"], offsets), 1);
    assert_eq!(count(&["--where", "t == '2025-10-25T23:30:00Z'"], offsets), 1);
    let epochs = "{\"ts\":1761436800000}\n{\"ts\":1761436799}\n{\"ts\":\"20251026\"}\n";
    assert_eq!(count(&["--time", "ts", "--where", "ts >= '2025-10-26'"], epochs), 2);
    run(&["--time", "ts", "--where", "ts >= '26. Oktober 2025'"], epochs)
        .failed(2, &["ts is the event time", "is not a time", "'2025-10-26'"]);
}

#[test]
fn text_that_is_a_number_counts_as_a_number() {
    let statuses = "{\"status\":\"500\"}\n{\"status\":500}\n{\"status\":5e2}\n\
                    {\"status\":\"404\"}\n{\"status\":\"9\"}\n";
    assert_eq!(count(&["--where", "status >= 500"], statuses), 3);
    assert_eq!(
        row(&["--agg", "sum(status), frequency(status, 500)"], statuses)["sum(status)"],
        json!(1913)
    );
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
fn s94_rows_of_different_groups_differ_in_csv() {
    let groups =
        "{\"g\":null}\n{\"g\":\"\"}\n{\"g\":0}\n{\"g\":\"0\"}\n{\"g\":true}\n{\"g\":\"true\"}\n";
    let run = streamgauge_reading(&["run", "--output", "csv", "--group", "g"], groups.as_bytes());
    assert_eq!(
        run.succeeded().stdout,
        "g,revision,count\n,0,1\n0,0,1\ntrue,0,1\n\"\",0,1\n\"0\",0,1\n\"true\",0,1\n"
    );
    let table =
        streamgauge_reading(&["run", "--output", "table", "--group", "g"], groups.as_bytes());
    assert!(table.succeeded().stdout.contains("\"\""), "{}", table.stdout);
}

/// A value of a record: how JSON and CSV write it.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// `None` where the member is absent.
    json: Option<&'static str>,
    /// The text of CSV, where the same value has one.
    csv: Option<&'static str>,
}

/// The result of a slow and plain evaluation of a value.
#[derive(Clone, PartialEq, PartialOrd, Debug)]
enum Plain {
    Missing,
    Number(f64),
    Bool(bool),
    Text(String),
}

const CELLS: [Cell; 20] = {
    const fn json(json: &'static str) -> Cell {
        Cell { json: Some(json), csv: None }
    }
    const fn both(json: &'static str, csv: &'static str) -> Cell {
        Cell { json: Some(json), csv: Some(csv) }
    }
    [
        Cell { json: None, csv: Some("") },
        json("null"),
        json("true"),
        json("1"),
        json("1.0"),
        json("10e-1"),
        json("2.5"),
        json("-25e-1"),
        both("\"1\"", "1"),
        both("\"1.0\"", "1.0"),
        both("\"007\"", "007"),
        both("\"2.50\"", "2.50"),
        both("\"-12\"", "-12"),
        json("\"\""),
        both("\"NA\"", "NA"),
        both("\"-\"", "-"),
        both("\"nan\"", "nan"),
        both("\"/a\"", "/a"),
        both("\"true\"", "true"),
        both("\"2024-01-02\"", "2024-01-02"),
    ]
};

impl Cell {
    /// The value, in a field that is used as a number or is not.
    fn plain(self, is_csv: bool, numeric: bool) -> Plain {
        let markers = ["NA", "-"];
        match (is_csv, self.csv, self.json) {
            (true, None | Some(""), _) | (false, _, None | Some("null")) => Plain::Missing,
            (true, Some(text), _) if numeric && markers.contains(&text) => Plain::Missing,
            (true, Some(text), _) => Plain::Text(text.into()),
            (false, _, Some("true")) => Plain::Bool(true),
            (false, _, Some("\"\"")) if numeric => Plain::Missing,
            (false, _, Some(json)) => match json.strip_prefix('"') {
                Some(text) => Plain::Text(text.trim_end_matches('"').into()),
                None => Plain::Number(json.parse().unwrap()),
            },
        }
    }
}

impl Plain {
    fn number(&self) -> Option<f64> {
        match self {
            Plain::Number(number) => Some(*number),
            Plain::Text(text) => text.parse().ok().filter(|number: &f64| !number.is_nan()),
            _ => None,
        }
    }

    /// The key of a value in JSON output; CSV's whole numbers, as they are usually written, are
    /// numbers.
    fn key(&self, is_csv: bool) -> String {
        match self {
            Plain::Missing => "null".into(),
            Plain::Number(number) => number.to_string(),
            Plain::Bool(value) => value.to_string(),
            Plain::Text(text)
                if is_csv
                    && text.parse::<i64>().is_ok_and(|number| number.to_string() == *text) =>
            {
                text.clone()
            }
            Plain::Text(text) => format!("{text:?}"),
        }
    }
}

/// Few different values in an order that looks random.
fn cells(seed: u64, is_csv: bool) -> Vec<Cell> {
    let mut random = seed;
    let mut next = move || {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let pool: Vec<Cell> = CELLS
        .into_iter()
        .filter(|cell| !is_csv || cell.csv.is_some())
        .filter(|_| next() % 3 > 0)
        .collect();
    (0..next() % 40).filter_map(|_| pool.get(next() % pool.len().max(1)).copied()).collect()
}

fn written(cells: &[Cell], is_csv: bool) -> String {
    match is_csv {
        true => cells
            .iter()
            .fold("y,x\n".to_owned(), |text, cell| format!("{text}0,{}\n", cell.csv.unwrap())),
        false => cells.iter().fold(String::new(), |text, cell| match cell.json {
            Some(json) => format!("{text}{{\"y\":0,\"x\":{json}}}\n"),
            None => format!("{text}{{\"y\":0}}\n"),
        }),
    }
}

/// Checks one input on one number of threads: groups, counts, comparisons and numbers.
fn check_values(file: &str, (cells, is_csv): (&[Cell], bool), threads: &str) {
    let format = if is_csv { "csv" } else { "jsonl" };
    let run = |arguments: &[&str]| {
        super::streamgauge(
            &[
                &["run", file, "--output", "json", "--format", format, "--threads", threads],
                arguments,
            ]
            .concat(),
        )
    };
    let rows = |arguments: &[&str]| -> Vec<Value> {
        run(arguments).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let plain = |numeric| cells.iter().map(|cell| cell.plain(is_csv, numeric)).collect::<Vec<_>>();
    let values = plain(false);
    let mut groups = std::collections::BTreeMap::<String, u64>::new();
    values.iter().for_each(|value| *groups.entry(value.key(is_csv)).or_default() += 1);
    let found: std::collections::BTreeMap<String, u64> = rows(&["--group", "x"])
        .iter()
        .map(|row| (row["group"]["x"].to_string(), row["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, groups, "group");

    let counted = |predicate: &str| {
        rows(&["--where", predicate]).first().map_or(0, |row| row["count"].as_u64().unwrap())
    };
    let count = |values: &[Plain], holds: &dyn Fn(&Plain) -> bool| {
        values.iter().filter(|value| holds(value)).count() as u64
    };
    assert_eq!(counted("exists x"), count(&values, &|value| *value != Plain::Missing), "exists");
    let is_one_text = |value: &Plain| {
        matches!(value, Plain::Text(text) if text == "1") || *value == Plain::Number(1.0)
    };
    assert_eq!(counted("x == '1'"), count(&values, &is_one_text), "text");
    let numbers = plain(true);
    assert_eq!(counted("x == 1"), count(&numbers, &|value| value.number() == Some(1.0)), "equal");
    assert_eq!(
        counted("x != 1"),
        count(&numbers, &|value| value.number().is_some_and(|number| number != 1.0)),
        "unequal"
    );
    assert_eq!(
        counted("x < 2"),
        count(&numbers, &|value| value.number().is_some_and(|number| number < 2.0)),
        "less"
    );

    // A record whose value is no number is a dead letter.
    let taken: Vec<&Plain> = numbers
        .iter()
        .filter(|value| **value == Plain::Missing || value.number().is_some())
        .collect();
    let agg = "count, count(x) as present, sum(x) as sum, mean(x) as mean, min(x) as min, max(x) as max, distinct(x) as distinct, frequency(x, 1) as ones";
    let found = rows(&["--agg", agg]);
    let Some(row) = found.first() else { return assert!(taken.is_empty(), "rows") };
    let all: Vec<f64> = taken.iter().filter_map(|value| value.number()).collect();
    let sum: f64 = all.iter().sum();
    let keys: std::collections::BTreeSet<String> = taken
        .iter()
        .filter(|value| ***value != Plain::Missing)
        .map(|value| value.key(is_csv))
        .collect();
    let float = |name: &str| row[name].as_f64();
    assert_eq!(
        (row["count"].as_u64(), row["present"].as_u64()),
        (Some(taken.len() as u64), Some(all.len() as u64)),
        "counts"
    );
    let some = |number: f64| (!all.is_empty()).then_some(number);
    assert_eq!(float("sum"), some(sum), "sum");
    // `serde_json` reads floats to within a last place only.
    let gap = float("mean")
        .zip(some(sum / all.len() as f64))
        .map_or(0.0, |(found, mean)| (found - mean).abs());
    assert!(gap < 1e-12 && float("mean").is_some() == some(0.0).is_some(), "mean");
    assert_eq!(float("min"), all.iter().copied().reduce(f64::min), "min");
    assert_eq!(float("max"), all.iter().copied().reduce(f64::max), "max");
    assert_eq!(row["distinct"]["value"].as_u64(), Some(keys.len() as u64), "distinct");
    assert_eq!(
        row["ones"]["value"].as_u64(),
        Some(all.iter().filter(|number| **number == 1.0).count() as u64),
        "frequency"
    );
}

#[test]
fn every_function_agrees_with_a_plain_evaluation() {
    let folder = super::Folder::new("every_function_agrees_with_a_plain_evaluation");
    for seed in 0..12 {
        let is_csv = seed % 2 == 1;
        let cells = cells(seed, is_csv);
        let file = folder.file(if is_csv { "x.csv" } else { "x.jsonl" }, written(&cells, is_csv));
        for threads in ["1", "2"] {
            eprintln!("seed {seed}, {threads} threads: {}", written(&cells, is_csv));
            check_values(&file, (&cells, is_csv), threads);
        }
    }
}
