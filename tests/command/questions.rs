//! Everyday questions on logs, each in one line, with the rows that answer it.

use super::{Run, streamgauge_reading};
use serde_json::{Value, json};

const HITS: &str = r#"{"ts":0,"host":"a","url":"/api/x?q=1","status":200,"bytes":100,"ms":12,"method":"GET"}
{"ts":20,"host":"a","url":"/api/x","status":503,"bytes":10,"ms":900,"method":"GET"}
{"ts":40,"host":"b","url":"/img/y","status":200,"bytes":5000,"ms":3,"method":"GET"}
{"ts":61,"host":"b","url":"/api/x","status":404,"bytes":20,"ms":30,"method":"POST"}
{"ts":62,"host":"b","url":"/api/z","status":500,"bytes":30,"ms":450,"method":"POST"}
{"ts":63,"host":"c","url":"/img/y","status":200,"bytes":7000,"ms":4,"method":"GET"}
"#;

fn run(arguments: &[&str]) -> Run {
    let all = [arguments, &["--output", "json", "--format", "jsonl"]].concat();
    streamgauge_reading(&all, HITS.as_bytes())
}

/// The rows without window and revision.
fn rows(arguments: &[&str]) -> Vec<Value> {
    let mut rows = run(&[&["run"], arguments].concat()).json();
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.remove("window");
        row.remove("revision");
    }
    rows
}

#[test]
fn s122_the_share_of_errors_of_each_host() {
    let error_pct = "100.0 * count_if(status >= 500) / count(*) as error_pct";
    assert_eq!(
        rows(&["--group", "host", "--agg", error_pct, "--sort", "error_pct desc"]),
        [
            json!({"group": {"host": "a"}, "error_pct": 50.0}),
            json!({"group": {"host": "b"}, "error_pct": 100.0 / 3.0}),
            json!({"group": {"host": "c"}, "error_pct": 0.0}),
        ]
    );
}

#[test]
fn s123_the_largest_groups_by_a_sum() {
    let flags = ["--group", "split_part(url, '/', 2) as area", "--agg", "sum(bytes) as bytes"];
    let largest = ["--sort", "bytes desc", "--limit", "1"];
    let rows = rows(&[&flags[..], &largest].concat());
    assert_eq!(rows, [json!({"group": {"area": "img"}, "bytes": 12_000})]);
}

#[test]
fn s122_requests_per_second_of_each_minute() {
    let flags = ["--time", "ts", "--time-format", "s", "--window", "1m"];
    assert_eq!(
        rows(
            &[&flags[..], &["--agg", "rate(count) as rate, sum(bytes) // count as mean"]].concat()
        ),
        [json!({"rate": 0.05, "mean": 1703}), json!({"rate": 0.05, "mean": 2350})]
    );
}

#[test]
fn s249_many_groups_come_in_order_and_as_asked_for() {
    // Each of 5,000 groups has two or three records.
    let line = |n: u64| format!("{{\"g\":\"u{:04}\",\"n\":{}}}\n", n * 7919 % 5000, n % 97);
    let input: String = (0..12_000).map(line).collect();
    let mut sums = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for n in 0..12_000 {
        let group = sums.entry(format!("u{:04}", n * 7919 % 5000)).or_default();
        *group = (group.0 + 1, group.1 + n % 97);
    }
    let run = |flags: &[&str]| {
        let asked = ["run", "-", "--group", "g", "--agg", "count as c, sum(n) as n", "--output"];
        streamgauge_reading(&[&asked[..], flags].concat(), input.as_bytes())
            .succeeded()
            .stdout
            .clone()
    };
    let csv = |rows: &[(&String, &(u64, u64))]| {
        let row = |(g, (c, n)): &(&String, &(u64, u64))| format!("{g},0,{c},{n}\n");
        format!("g,revision,c,n\n{}", rows.iter().map(row).collect::<String>())
    };
    let mut rows: Vec<_> = sums.iter().collect();
    assert_eq!(run(&["csv"]), csv(&rows));
    rows.retain(|(_, (count, _))| *count == 3);
    assert_eq!(run(&["csv", "--having", "c = 3"]), csv(&rows));
    rows.sort_by_key(|(_, (_, sum))| std::cmp::Reverse(*sum));
    let sorted = ["csv", "--having", "c = 3", "--sort", "n desc"];
    assert_eq!(run(&sorted), csv(&rows));
    rows.truncate(100);
    assert_eq!(run(&[&sorted[..], &["--limit", "100"]].concat()), csv(&rows));
}

#[test]
fn s126_the_slowest_url_the_heaviest_one_and_a_histogram() {
    let agg = "max_by(url, ms) as slowest, top(1, url by bytes) as heaviest, \
               top(1, (method, status)) as pair, histogram(ms, 10, 100) as ms";
    let row = &rows(&["--agg", agg])[0];
    assert_eq!(row["slowest"], "/api/x");
    assert_eq!(row["heaviest"][0]["key"], "/img/y");
    assert_eq!(row["heaviest"][0]["count"], 12_000);
    assert_eq!(row["pair"][0]["key"], json!(["GET", 200]));
    let counts: Vec<&Value> =
        row["ms"].as_array().unwrap().iter().map(|bucket| &bucket["count"]).collect();
    assert_eq!(counts, [2, 2, 2]);
}

#[test]
fn s122_aggregates_of_a_part_of_the_records() {
    let agg = "sum(bytes) filter (where status = 200) as good, count(distinct host) as hosts, \
               bool_or(ms > 800) as slow, bool_and(bytes > 5) as sent, avg(ms * 6) as six";
    let row = &rows(&["--agg", agg])[0];
    assert_eq!(row["good"], 12_100);
    assert_eq!(row["hosts"]["value"], 3);
    assert_eq!((&row["slow"], &row["sent"]), (&json!(true), &json!(true)));
    assert_eq!(row["six"], json!(1399.0));
}

#[test]
fn s124_a_row_that_falls_behind_is_taken_back() {
    let flags = ["run", "--time", "ts", "--time-format", "s", "--window", "1m"];
    let late = ["--max-delay", "0s", "--lateness", "1h", "--group", "host"];
    let first = ["--agg", "count as n", "--sort", "n desc", "--limit", "1"];
    let output = ["--output", "json", "--format", "jsonl"];
    let input = format!("{HITS}{}", "{\"ts\":1,\"host\":\"b\"}\n".repeat(3));
    let all = [&flags[..], &late, &first, &output].concat();
    let rows = streamgauge_reading(&all, input.as_bytes()).json();
    let last = |host: &str| {
        let mut of_host = rows.iter().filter(|row| {
            row["group"]["host"] == host && row["window"]["start"] == "1970-01-01T00:00:00.000Z"
        });
        of_host.next_back().cloned().unwrap_or_default()
    };
    assert_eq!(last("a")["retracted"], true, "{rows:?}");
    assert_eq!((&last("b")["n"], &last("b")["retracted"]), (&json!(4), &Value::Null));
}

#[test]
fn s125_a_statement_gives_the_rows_of_its_pipeline() {
    let statement = "SELECT host, count(*) AS hits FROM logs WHERE status <> 404 \
                     GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), host HAVING hits > 1 \
                     ORDER BY hits DESC LIMIT 1";
    let answered = run(&["sql", statement, "-", "--time-format", "s"]).json();
    assert_eq!(answered.len(), 1, "{answered:?}");
    assert_eq!((&answered[0]["group"]["host"], &answered[0]["hits"]), (&json!("a"), &json!(2)));
    let toml = streamgauge_reading(&["sql", "--to", "toml", statement], b"").stdout;
    assert_eq!(
        toml,
        "time = \"ts\"\nwindow = \"1m\"\nwhere = [\"status <> 404\"]\ngroup = [\"host\"]\n\
         agg = [\"count(*) as hits\"]\nhaving = [\"hits > 1\"]\nsort = [\"hits desc\"]\nlimit = 1\n"
    );
    let wrong = streamgauge_reading(&["sql", "SELECT count(*) FROM a JOIN b"], b"");
    assert!(wrong.stderr.contains("error: column 24 of"), "{}", wrong.stderr);
    assert_eq!(wrong.code, Some(2));
}
