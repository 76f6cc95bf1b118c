//! Windows of a number of rows: over files, on any number of threads, and what is refused.

use super::{Folder, hits, streamgauge};
use serde_json::{Value, json};

/// Returns the windows that the rows of each group have, by slicing lists of them.
fn sliced(content: &str, rows: usize, every: usize) -> Vec<Value> {
    let lines: Vec<Value> =
        content.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut groups, mut answers) = (std::collections::BTreeMap::<String, Vec<i64>>::new(), vec![]);
    let answer = |url: &str, all: &[i64]| {
        let number = all.len().div_ceil(every);
        let window = &all[(number * every).saturating_sub(rows)..];
        let (count, sum) = (window.len(), window.iter().sum::<i64>());
        json!({"window": {"number": number}, "group": {"url": url}, "revision": 0, "count": count,
            "sum(bytes)": sum})
    };
    for line in &lines {
        let url = line["url"].as_str().unwrap();
        let all = groups.entry(url.to_owned()).or_default();
        all.push(line["bytes"].as_i64().unwrap());
        if all.len() % every == 0 {
            answers.push(answer(url, all));
        }
    }
    let open = groups.iter().filter(|(_, all)| all.len() % every != 0);
    let mut open: Vec<Value> = open.map(|(url, all)| answer(url, all)).collect();
    open.sort_by_key(|answer| answer["window"]["number"].as_u64());
    answers.extend(open);
    answers
}

#[test]
fn s241_rows_of_each_group_in_the_order_of_the_input() {
    let folder = Folder::new("rows");
    let content = hits(500);
    let cut = content.match_indices('\n').nth(220).unwrap().0 + 1;
    let (one, two) = (folder.file("one", &content[..cut]), folder.file("two", &content[cut..]));
    for (rows, every) in [(7, 7), (10, 1), (6, 4), (1, 1)] {
        let (rows_text, every_text) = (rows.to_string(), every.to_string());
        let run = streamgauge(&[
            "run",
            &one,
            &two,
            "--rows",
            &rows_text,
            "--every",
            &every_text,
            "--group",
            "url",
            "--agg",
            "count, sum(bytes)",
            "--output",
            "json",
        ]);
        assert_eq!(run.succeeded().json(), sliced(&content, rows, every), "{rows} every {every}");
    }
}

#[test]
fn s241_windows_of_rows_are_the_same_on_any_number_of_threads() {
    let folder = Folder::new("rows_threads");
    let file = folder.file("log", hits(20_000));
    for output in ["json", "csv"] {
        let run = |threads: &str| {
            let run = streamgauge(&[
                "run",
                &file,
                "--rows",
                "50",
                "--every",
                "5",
                "--time",
                "ts",
                "--group",
                "url",
                "--agg",
                "count, p50(bytes), first(bytes)",
                "--threads",
                threads,
                "--output",
                output,
            ]);
            run.succeeded().stdout.clone()
        };
        let one = run("1");
        assert!(one.lines().count() > 4000, "{}", one.lines().count());
        assert_eq!(one, run("3"));
    }
}

#[test]
fn s241_a_window_of_rows_has_the_times_of_its_rows() {
    let folder = Folder::new("rows_times");
    let lines = r#"{"ts":7000,"n":1}
{"ts":3000,"n":2}
{"ts":9000,"n":3}
"#;
    let file = folder.file("log", lines);
    let run = [
        "run",
        &file,
        "--rows",
        "2",
        "--time",
        "ts",
        "--time-format",
        "ms",
        "--agg",
        "sum(n) as n",
    ];
    let json = streamgauge(&[&run[..], &["--output", "json"]].concat());
    let window = |start: &str, end: &str, number: u64| {
        json!({"start": format!("1970-01-01T{start}"), "end": format!("1970-01-01T{end}"),
            "number": number})
    };
    let answers = json.succeeded().json();
    assert_eq!(answers[0]["window"], window("00:00:03.000Z", "00:00:07.001Z", 1));
    assert_eq!(answers[1]["window"], window("00:00:09.000Z", "00:00:09.001Z", 2));
    let zoned = ["--output", "json", "--timezone", "Asia/Tokyo"];
    let zoned = streamgauge(&[&run[..], &zoned].concat());
    let expected = window("09:00:03.000+09:00", "09:00:07.001+09:00", 1);
    assert_eq!(zoned.succeeded().json()[0]["window"], expected);
    let csv = streamgauge(&[&run[..], &["--output", "csv"]].concat());
    let header = "window_start,window_end,window_number,revision,n";
    assert_eq!(csv.succeeded().stdout.lines().next(), Some(header));
    let table = ["run", &file, "--rows", "2", "--agg", "sum(n) as n", "--output", "table"];
    let table = streamgauge(&table);
    let lines: Vec<&str> = table.succeeded().stdout.lines().map(str::trim).collect();
    assert_eq!(lines, ["window_number  n", "1  3", "2  3"]);
}

#[test]
fn s242_what_windows_of_rows_do_not_go_with_is_refused() {
    let folder = Folder::new("rows_refused");
    let file = folder.file("log", hits(10));
    let refused = |flags: &[&str], words: &[&str]| {
        streamgauge(&[&["run", &file, "--rows", "10"], flags].concat()).failed(2, words);
    };
    refused(&["--window", "1m", "--time", "ts"], &["--rows and --window do not go together"]);
    refused(&["--stagger", "1m", "--time", "ts"], &["--rows and --stagger do not go together"]);
    refused(&["--every", "1m"], &["--every", "\"1m\" is not a number of rows"]);
    refused(&["--every", "11"], &["--every", "from 1 to 10"]);
    refused(&["--state", &folder.path("state")], &["do not go with --state"]);
    refused(&["--partials", &folder.path("partials")], &["do not go with --partials"]);
    refused(&["--output", "html"], &["do not go with --output html"]);
    refused(&["--agg", "rate(count)"], &["rate needs the times of records", "--time FIELD"]);
    streamgauge(&["run", &file, "--rows", "0"]).failed(2, &["--rows", "at least 1 record"]);
    let merge = ["merge", &folder.path("partials"), "--sources", "1", "--rows", "10"];
    streamgauge(&merge).failed(2, &["cannot be merged"]);
    let explained = streamgauge(&["run", &file, "--rows", "10", "--every", "1", "--explain"]);
    explained.says(&["windows: the last 10 records of a group, at each of its records"]);
    explained.says(&["no record is late"]);
    let json = streamgauge(&["run", &file, "--rows", "5", "--time", "ts", "--output", "json"]);
    let answers = folder.file("answers", &json.stdout);
    streamgauge(&["report", &answers]).failed(1, &["a page shows windows of time"]);
}
