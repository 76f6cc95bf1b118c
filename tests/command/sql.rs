//! `sql`: statements over files, and the pipeline files that are made of them.

use super::{Folder, streamgauge, streamgauge_reading};
use std::fmt::Write;

/// Requests of two countries over three minutes.
fn requests() -> String {
    let mut log = String::new();
    for second in 0..180 {
        let (country, status) =
            (["DE", "FR", "DE"][second % 3], if second % 10 == 0 { 500 } else { 200 });
        let _ = writeln!(
            log,
            "{{\"ts\":{},\"country\":\"{country}\",\"status\":{status}}}",
            1_700_000_000 + second
        );
    }
    log
}

#[test]
fn s125_a_statement_gives_the_answer_of_its_flags() {
    let folder = Folder::new("sql");
    let log = folder.file("log.jsonl", requests());
    let sql = format!(
        "SELECT country, count(*) AS n, 100.0 * count_if(status >= 500) / count(*) AS pct
         FROM '{log}' WHERE country <> 'XX' GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), country
         HAVING n > 1 ORDER BY n DESC LIMIT 1"
    );
    let asked = streamgauge(&["sql", &sql]);
    let flags = [
        "run",
        &log,
        "--time",
        "ts",
        "--window",
        "1m",
        "--group",
        "country",
        "--agg",
        "count(*) as n, 100.0 * count_if(status >= 500) / count(*) as pct",
        "--where",
        "country <> 'XX'",
        "--having",
        "n > 1",
        "--sort",
        "n desc",
        "--limit",
        "1",
    ];
    assert_eq!(asked.succeeded().stdout, streamgauge(&flags).succeeded().stdout);
    assert_eq!(asked.json().len(), 4, "{}", asked.stdout);
    assert!(asked.json().iter().all(|row| row["group"]["country"] == "DE"), "{}", asked.stdout);
}

#[test]
fn a_statement_becomes_a_pipeline_file_with_the_same_answer() {
    let folder = Folder::new("sql_to");
    let log = folder.file("log.jsonl", requests());
    let sql = "SELECT status, count(*) AS n FROM log GROUP BY status ORDER BY n DESC";
    let file = streamgauge(&["sql", sql, "--to", "toml", "--max-delay", "5s"]);
    let pipeline = folder.file("p.toml", &file.succeeded().stdout);
    assert!(file.stdout.contains("max_delay"), "flags are keys, too: {}", file.stdout);
    streamgauge(&["check", &pipeline]).succeeded();
    let run = streamgauge(&["run", "--pipeline", &pipeline, &log]);
    assert_eq!(run.succeeded().stdout, streamgauge(&["sql", sql, &log]).stdout);
}

#[test]
fn a_name_in_from_is_standard_input_or_the_files_given() {
    let sql = "SELECT STREAM count(*) AS n FROM requests";
    let run = streamgauge_reading(&["sql", sql], requests().as_bytes());
    assert_eq!(run.json()[0]["n"], 180);
}

#[test]
fn s125_a_statement_without_aggregates_passes_records_on() {
    let folder = Folder::new("sql_select");
    let log = folder.file("log", requests());
    let sql = format!("SELECT country, status * 2 AS twice FROM '{log}' WHERE status >= 500");
    let rows = streamgauge(&["sql", &sql]);
    let run = ["run", &log, "--select", "country, status * 2 as twice", "--where", "status >= 500"];
    assert_eq!(rows.succeeded().stdout, streamgauge(&run).stdout);
    assert!(rows.json().len() > 3);
    // A name that is that of a file is not a stream.
    let sql = format!("SELECT count(*) FROM \"{log}\"");
    let words = format!("the name of a file is in quotes, as in FROM '{log}'");
    streamgauge(&["sql", &sql]).failed(2, &[&words]);
}

#[test]
fn a_wrong_statement_is_wrong_usage_with_its_column() {
    for (sql, words) in [
        ("SELECT count(* FROM x", "column"),
        ("SELECT url, count(*) FROM x", "url is neither an aggregate nor in GROUP BY"),
        ("SELECT a FROM x JOIN y", "there is no join of streams"),
        ("SELECT sun(bytes) FROM x", "did you mean \"sum\"?"),
        ("", "SELECT is expected"),
    ] {
        streamgauge(&["sql", sql]).failed(2, &[words]);
    }
}
