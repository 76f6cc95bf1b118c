//! The three output formats.

use super::{Folder, hits, streamgauge, streamgauge_reading};

fn run_as(test: &str, output: &str, extra: &[&str]) -> String {
    let folder = Folder::new(test);
    let file = folder.file("hits.jsonl", hits(90));
    let run = streamgauge(
        &[&["run", &file, "--time", "ts", "--window", "1m", "--output", output], extra].concat(),
    );
    run.succeeded().stdout.clone()
}

#[test]
fn csv_has_a_row_per_window_and_group() {
    let csv = run_as(
        "csv_has_a_row_per_window_and_group",
        "csv",
        &["--group", "country", "--agg", "count, p50(bytes)"],
    );
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "window_start,window_end,country,revision,count,p50(bytes),p50(bytes) lower,p50(bytes) \
         upper"
    );
    assert_eq!(lines.len(), 7);
    assert!(
        lines[1].starts_with("2024-01-01T00:00:00.000Z,2024-01-01T00:01:00.000Z,DE,0,20,"),
        "{}",
        lines[1]
    );
}

#[test]
fn csv_has_a_row_per_rank() {
    let csv =
        run_as("csv_has_a_row_per_rank", "csv", &["--agg", "count, top(2, url), top(3, country)"]);
    let lines: Vec<&str> = csv.lines().collect();
    let tops = "\"top(2, url)\",\"top(2, url) count\",\"top(2, url) lower\",\"top(2, url) \
                upper\",\"top(2, url) guaranteed\"";
    assert!(
        lines[0].starts_with(&format!(
            "window_start,window_end,revision,rank,count,{tops},\"top(3, country)\""
        )),
        "{}",
        lines[0]
    );
    assert_eq!(lines.len(), 7);
    assert!(
        lines[3].starts_with(
            "2024-01-01T00:00:00.000Z,2024-01-01T00:01:00.000Z,0,3,60,,,,,,JP,20,20,20,true"
        ),
        "{}",
        lines[3]
    );
}

#[test]
fn a_table_is_not_cut_without_a_terminal() {
    let table = run_as(
        "a_table_is_not_cut_without_a_terminal",
        "table",
        &["--group", "country", "--agg", "count, top(2, url)"],
    );
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("window_start          country  rank  count"), "{table}");
    assert!(lines[1].starts_with("2024-01-01T00:00:00Z  DE          1     20  /0"), "{table}");
    assert!(lines[2].starts_with("                                  2"), "{table}");
    assert!(!table.contains('\u{1b}') && !table.contains('…'), "{table}");
}

#[test]
fn without_a_terminal_the_output_is_json() {
    let run = streamgauge_reading(&["run"], hits(1).as_bytes());
    assert!(run.succeeded().stdout.starts_with("{\"window\":null,"), "{}", run.stdout);
}

#[test]
fn keys_from_outside_cannot_drive_a_terminal() {
    let run = streamgauge_reading(
        &["run", "--group", "a", "--output", "table"],
        b"{\"a\":\"\\u001b[2J\"}\nbad \x1b[31m line\n",
    );
    assert!(run.succeeded().stdout.contains("\\u{1b}[2J"), "{}", run.stdout);
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:?}");
}

#[test]
fn s107_a_table_of_a_run_with_state_shows_revisions() {
    let folder = Folder::new("s107_revisions");
    let (log, state) = (folder.file("hits.jsonl", hits(3)), folder.path("state"));
    let table = || {
        streamgauge(&["run", &log, "--state", &state, "--output", "table"])
            .succeeded()
            .stdout
            .clone()
    };
    assert_eq!(table(), "revision  count\n       0      3\n");
    folder.file("hits.jsonl", hits(5));
    assert_eq!(table(), "revision  count\n       1      5\n");
    // A row of half a line is taken back.
    let half = |content: &str, output: &str| {
        let log = folder.file("half.csv", content);
        let flags = ["--format", "csv", "--group", "g", "--output", output];
        let state = folder.path(output);
        let run = streamgauge(&[&["run", &log, "--state", &state], &flags[..]].concat());
        run.succeeded().stdout.clone()
    };
    let (before, after) = ("v,g\n1,a\n2,b", "v,g\n1,a\n2,bc\n");
    assert_eq!(half(before, "csv"), "g,revision,retracted,count\na,0,,1\nb,0,,1\n");
    assert_eq!(half(after, "csv"), "g,revision,retracted,count\na,1,,1\nbc,1,,1\nb,1,true,\n");
    half(before, "table");
    let table = half(after, "table");
    assert_eq!(
        table.lines().last().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["b", "1", "retracted"]
    );
}
