//! The effect of each flag.

use super::{Folder, column, hits, project_file, starts, streamgauge, streamgauge_reading};
use serde_json::{Value, json};

#[test]
fn run_counts_per_window_and_group() {
    let folder = Folder::new("run_counts_per_window_and_group");
    let file = folder.file("hits.jsonl", hits(90));
    let agg = "count, sum(bytes) as bytes, min(bytes), top(1, url)";
    let run = streamgauge(&[
        "run", &file, "--time", "ts", "--window", "1m", "--group", "country", "--agg", agg,
        "--output", "json",
    ]);
    assert_eq!(run.json().len(), 6);
    let first = r#"{"window":{"start":"2024-01-01T00:00:00.000Z","end":"2024-01-01T00:01:00.000Z"},"group":{"country":"DE"},"revision":0,"count":20,"bytes":5700,"min(bytes)":0,"top(1, url)":[{"key":"/0","count":9,"lower":9,"upper":9,"guaranteed":true}]}"#;
    assert_eq!(run.stdout.lines().next(), Some(first));
    assert!(
        run.closing_line()
            .starts_with("records 90, applied 90, filtered 0, dead letters 0, late 0, windows 2, "),
        "{}",
        run.stderr
    );
}

#[test]
fn without_window_and_aggregates_everything_is_counted() {
    let run = streamgauge_reading(&["run", "--output", "json"], hits(5).as_bytes());
    assert_eq!(run.stdout, "{\"window\":null,\"revision\":0,\"count\":5}\n");
}

#[test]
fn top_is_short_for_an_aggregate() {
    let folder = Folder::new("top_is_short_for_an_aggregate");
    let file = folder.file("hits.jsonl", hits(300));
    let common = ["--time", "ts", "--window", "1m", "--group", "country", "--output", "json"];
    let short = streamgauge(&[&["top", &file, "--by", "url", "-k", "2"], &common[..]].concat());
    let long = streamgauge(&[&["run", &file, "--agg", "top(2, url)"], &common[..]].concat());
    assert_eq!(short.succeeded().stdout, long.succeeded().stdout);
    assert_eq!(short.json().len(), 15);
    let ten = streamgauge(&["top", &file, "--by", "url", "--output", "json"]);
    assert_eq!(ten.json()[0]["top(10, url)"].as_array().unwrap().len(), 5);
    let both = streamgauge(&["top", &file, "--by", "url", "--agg", "count", "--output", "json"]);
    assert_eq!(both.json()[0]["count"], json!(300));
}

#[test]
fn s6_s7_windows_slide_and_are_shifted() {
    let folder = Folder::new("windows_slide_and_are_shifted");
    let file = folder.file("hits.jsonl", hits(60));
    let sliding = streamgauge(&[
        "run", &file, "--time", "ts", "--window", "1m", "--every", "30s", "--output", "json",
    ])
    .json();
    // The first window starts before the first record.
    assert_eq!(
        starts(&sliding),
        ["2023-12-31T23:59:30.000Z", "2024-01-01T00:00:00.000Z", "2024-01-01T00:00:30.000Z"]
    );
    assert_eq!(column(&sliding, "count"), [&json!(30), &json!(60), &json!(30)]);
    let shifted = streamgauge(&[
        "run", &file, "--time", "ts", "--window", "1m", "--offset", "10s", "--output", "json",
    ])
    .json();
    assert_eq!(starts(&shifted), ["2023-12-31T23:59:10.000Z", "2024-01-01T00:00:10.000Z"]);
    assert_eq!(column(&shifted, "count"), [&json!(10), &json!(50)]);
    let gaps = streamgauge(&[
        "run", &file, "--time", "ts", "--window", "10s", "--every", "20s", "--output", "json",
    ]);
    assert_eq!(column(&gaps.json(), "count"), [&json!(10); 3]);
    gaps.says(&["between windows 30"]);
}

/// Times in seconds as a log of `{"ts":...}`.
fn log(times: &[u64]) -> String {
    times.iter().map(|time| format!("{{\"ts\":{}}}\n", 1_700_000_000 + time)).collect()
}

#[test]
fn s47_max_delay_decides_what_is_late() {
    let folder = Folder::new("max_delay_decides_what_is_late");
    let file = folder.file("a.jsonl", log(&[0, 1, 25, 2, 26]));
    let run = |extra: &[&str]| {
        streamgauge(
            &[&["run", &file, "--time", "ts", "--window", "10s", "--output", "json"], extra]
                .concat(),
        )
    };
    // No record of a regular file is late unless a flag asks for it.
    let all = run(&[]);
    assert_eq!(column(&all.json(), "count"), [&json!(3), &json!(2)]);
    assert!(all.closing_line().contains("late 0"), "{}", all.stderr);
    let some = run(&["--max-delay", "5s"]);
    assert_eq!(column(&some.json(), "count"), [&json!(2), &json!(2)]);
    assert!(
        some.closing_line()
            .starts_with("records 5, applied 4, filtered 0, dead letters 0, late 1, "),
        "{}",
        some.stderr
    );
    let revised = run(&["--max-delay", "5s", "--lateness", "1m"]).json();
    assert_eq!(column(&revised, "count"), [&json!(2), &json!(3), &json!(2)]);
    assert_eq!(column(&revised, "revision"), [&json!(0), &json!(1), &json!(0)]);
}

#[test]
fn standard_input_waits_for_ten_seconds() {
    let arguments = ["run", "--time", "ts", "--window", "10s", "--output", "json"];
    let run = streamgauge_reading(&arguments, log(&[0, 15, 5, 25, 3]).as_bytes());
    assert_eq!(column(&run.json(), "count"), [&json!(2), &json!(1), &json!(1)]);
    assert!(run.closing_line().contains("late 1"), "{}", run.stderr);
}

#[test]
fn all_predicates_must_hold() {
    let folder = Folder::new("all_predicates_must_hold");
    let file = folder.file("hits.jsonl", hits(100));
    let run = streamgauge(&[
        "run",
        &file,
        "--where",
        "status >= 500",
        "--where",
        "country == 'DE' or bytes > 900",
        "--output",
        "json",
    ]);
    assert_eq!(run.json()[0]["count"], json!(4));
    assert!(run.closing_line().contains("applied 4, filtered 96"), "{}", run.stderr);
}

#[test]
fn s34_groups_of_several_fields_come_in_order() {
    let folder = Folder::new("groups_of_several_fields_come_in_order");
    let file = folder.file("hits.jsonl", hits(60));
    let rows = streamgauge(&["run", &file, "--group", "status,country", "--output", "json"]).json();
    let groups: Vec<Value> =
        rows.iter().map(|row| json!([row["group"]["status"], row["group"]["country"]])).collect();
    assert_eq!(
        json!(groups),
        json!([[200, "DE"], [200, "FR"], [200, "JP"], [503, "DE"], [503, "FR"], [503, "JP"]])
    );
}

#[test]
fn agg_can_be_repeated() {
    let run = streamgauge_reading(
        &["run", "--agg", "count", "--agg", "mean(bytes) as m,max(bytes)", "--output", "json"],
        hits(4).as_bytes(),
    );
    assert_eq!(
        run.stdout,
        "{\"window\":null,\"revision\":0,\"count\":4,\"m\":15.0,\"max(bytes)\":30}\n"
    );
}

#[test]
fn every_aggregate_answers() {
    let agg = "count, count(x), sum(x), mean(x), min(x), max(x), variance(x), stddev(x), first(x), \
               last(x), p50(x), p99.99(x), \
               distinct(x), top(2, x), top(1,x , 100), frequency(x, '2')";
    let input = "{\"x\":1}\n{\"x\":\"2\"}\n{\"x\":3}\n{\"x\":null}\n";
    let rows =
        streamgauge_reading(&["run", "--agg", agg, "--output", "json"], input.as_bytes()).json();
    let row = &rows[0];
    for (name, want) in [
        ("count", 4.0),
        ("count(x)", 3.0),
        ("sum(x)", 6.0),
        ("mean(x)", 2.0),
        ("min(x)", 1.0),
        ("max(x)", 3.0),
    ] {
        assert_eq!(row[name].as_f64(), Some(want), "{name} in {row}");
    }
    assert_eq!((row["variance(x)"].as_f64(), row["stddev(x)"].as_f64()), (Some(1.0), Some(1.0)));
    assert_eq!(row["p50(x)"], json!({"value": 2.0, "lower": 2.0, "upper": 2.0}), "{row}");
    assert_eq!(row["distinct(x)"]["value"], json!(3));
    assert_eq!(row["top(1, x, 100)"].as_array().unwrap().len(), 1, "{row}");
}

#[test]
fn a_pipeline_file_has_the_flags_names_and_flags_override_it() {
    let folder = Folder::new("a_pipeline_file_has_the_flags_names");
    let log = folder.file("hits.jsonl", hits(120));
    let pipeline = folder.file(
        "p.toml",
        "format = \"jsonl\"\ntime = \"ts\"\ntime_format = \"ms\"\nwindow = \"1m\"\n\
         every = \"30s\"\nmax_delay = \"5s\"\n\
         where = [\"status < 500\"]\ngroup = [\"country\"]\nagg = [\"count\", \"sum(bytes) as \
         bytes\", \"top(10, url)\"]\noutput = \"json\"\n",
    );
    let from_file = streamgauge(&["run", &log, "--pipeline", &pipeline]);
    let flags = streamgauge(&[
        "run",
        &log,
        "--format",
        "jsonl",
        "--time",
        "ts",
        "--time-format",
        "ms",
        "--window",
        "1m",
        "--every",
        "30s",
        "--max-delay",
        "5s",
        "--where",
        "status < 500",
        "--group",
        "country",
        "--agg",
        "count, sum(bytes) as bytes, top(10, url)",
        "--output",
        "json",
    ]);
    assert_eq!(from_file.json().len(), 15);
    assert_eq!(from_file.stdout, flags.succeeded().stdout);
    let overridden = streamgauge(&[
        "run",
        &log,
        "--pipeline",
        &pipeline,
        "--agg",
        "count",
        "--group",
        "status",
        "--every",
        "1m",
    ])
    .json();
    assert_eq!(column(&overridden, "count"), [&json!(54), &json!(54)]);
}

#[test]
fn the_pipeline_is_explained_before_it_runs() {
    let folder = Folder::new("the_pipeline_is_explained_before_it_runs");
    let file = folder.file("hits.jsonl", hits(60));
    let arguments = [
        "run",
        &file,
        "--time",
        "ts",
        "--window",
        "5m",
        "--every",
        "10s",
        "--agg",
        "count, p99(bytes)",
        "--output",
        "json",
    ];
    let plain = streamgauge(&arguments);
    let explained = streamgauge(&[&arguments[..], &["--explain"]].concat());
    assert_eq!(plain.succeeded().stdout, explained.succeeded().stdout);
    explained.says(&["pane", "10s", "p99(bytes)", "0.5"]);
}

#[test]
fn s38_dead_letters_are_written_to_a_file() {
    let folder = Folder::new("dead_letters_are_written_to_a_file");
    let log = folder.file("hits.jsonl", "{\"ts\":1}\nno json\n{\"ts\":\"noon\"}\n{\"ts\":4}\n");
    let letters = folder.path("dead.jsonl");
    let run = streamgauge(&[
        "run",
        &log,
        "--time",
        "ts",
        "--window",
        "1m",
        "--dead-letters",
        &letters,
        "--output",
        "json",
    ]);
    assert_eq!(run.json()[0]["count"], json!(2));
    assert!(
        run.closing_line().starts_with("records 4, applied 2, filtered 0, dead letters 2, "),
        "{}",
        run.stderr
    );
    run.says(&["hits.jsonl:2", "hits.jsonl:3", "noon"]);
    let letters: Vec<Value> =
        folder.read("dead.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        (&letters[0]["file"], &letters[0]["line"], &letters[0]["data"]),
        (&json!(log), &json!(2), &json!("no json"))
    );
    assert!(letters[1]["reason"].as_str().unwrap().contains("noon"), "{}", letters[1]);
}

#[test]
fn only_the_first_few_dead_letters_are_shown() {
    let run = streamgauge_reading(
        &["run", "--format", "jsonl", "--output", "json"],
        format!("{{}}\n{}", "junk\n".repeat(1000)).as_bytes(),
    );
    run.succeeded().says(&["dead letters 1,000"]);
    assert!(run.stderr.lines().count() < 20, "{}", run.stderr);
}

#[test]
fn s45_strict_ends_at_the_first_dead_letter() {
    let folder = Folder::new("strict_ends_at_the_first_dead_letter");
    let log = folder.file("hits.jsonl", "{\"a\":1}\nno json\n{\"a\":2}\n");
    let run = streamgauge(&["run", &log, "--strict", "--output", "json"]);
    run.failed(1, &["hits.jsonl:2"]);
    assert_eq!(run.stdout, "");
}

#[test]
fn s42_groups_past_the_limit_are_counted_together() {
    let folder = Folder::new("groups_past_the_limit_are_counted_together");
    let file = folder.file("hits.jsonl", hits(60));
    let run =
        streamgauge(&["run", &file, "--group", "url", "--limit-groups", "2", "--output", "json"]);
    let rows = run.json();
    // The total stays exact.
    assert_eq!(rows.len(), 3);
    assert_eq!(rows.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>(), 60);
    assert_eq!(rows[2]["group"]["url"], json!("(other)"));
    run.says(&["(other)"]);
}

#[test]
fn a_field_that_no_record_has_is_noted() {
    let run = streamgauge_reading(
        &["run", "--agg", "count, sum(byts)", "--output", "json"],
        hits(4).as_bytes(),
    );
    assert_eq!(run.json()[0]["sum(byts)"], Value::Null);
    run.says(&["byts", "in no record"]);
    let fine = streamgauge_reading(
        &["run", "--agg", "count, sum(bytes)", "--output", "json"],
        hits(4).as_bytes(),
    );
    assert!(!fine.stderr.contains("in no record"), "{}", fine.stderr);
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in
        [&["--help"][..], &["run", "--help"], &["top", "--help"], &["-h"], &["help", "run"]]
    {
        let run = streamgauge(arguments);
        run.succeeded();
        assert!(
            run.stdout.contains("streamgauge") && run.stdout.contains("Usage"),
            "{}",
            run.stdout
        );
    }
    let help = streamgauge(&["run", "--help"]).stdout;
    let flags = [
        "--format",
        "--time",
        "--time-format",
        "--window",
        "--every",
        "--offset",
        "--max-delay",
        "--lateness",
        "--where",
        "--group",
        "--agg",
        "--pipeline",
        "--explain",
        "--output",
        "--dead-letters",
        "--strict",
        "--limit-groups",
    ];
    for flag in flags {
        assert!(help.contains(flag), "{flag} is not explained");
    }
    assert!(streamgauge(&["--version"]).stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_readmes_first_command_answers() {
    let run = streamgauge(&[
        "top",
        &project_file("examples/data/access.jsonl"),
        "--by",
        "url",
        "--time",
        "ts",
        "--window",
        "5m",
        "--output",
        "json",
    ]);
    let rows = run.json();
    assert!(rows.len() > 1, "the example spans several windows");
    // The last window holds no more than the end of the log.
    for row in &rows[..rows.len() - 1] {
        assert_eq!(row["top(10, url)"].as_array().unwrap().len(), 10);
    }
}
