//! The same questions to a SQL engine, over real and generated data: see tests/oracle/README.md.

use super::project_file;
use std::path::Path;
use std::process::Command;

/// Runs a program of tests/oracle with the command under test. It must succeed. Returns what it
/// prints. In its arguments `FOLDER` is the folder of the data.
fn compare(program: &str, arguments: &[&str]) -> String {
    let folder =
        std::env::var("STREAMGAUGE_ORACLE").unwrap_or_else(|_| project_file("target/oracle"));
    let arguments = arguments.iter().map(|argument| match *argument {
        "FOLDER" => folder.clone(),
        path => project_file(path),
    });
    let output = Command::new(Path::new(&folder).join("venv/bin/python"))
        .arg(project_file(&format!("tests/oracle/{program}")))
        .arg(env!("CARGO_BIN_EXE_streamgauge"))
        .args(arguments)
        .output()
        .expect("scripts/test installs python and duckdb under target/oracle");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{stdout}");
    assert!(output.status.success(), "{stdout}\n{stderr}");
    stdout.into_owned()
}

fn agreements(stdout: &str) -> usize {
    stdout.lines().filter(|line| line.ends_with("answers agree")).count()
}

#[test]
#[ignore = "needs duckdb from PyPI; scripts/test runs it"]
fn answers_equal_a_sql_engines() {
    let stdout = compare("compare.py", &["FOLDER", "tests/data/access_combined.log"]);
    assert!(agreements(&stdout) > 20, "{stdout}");
}

#[test]
#[ignore = "needs duckdb from PyPI; scripts/test runs it"]
fn everyday_questions_take_one_line_and_equal_a_sql_engines() {
    let stdout = compare("questions.py", &["FOLDER", "examples/data"]);
    assert!(agreements(&stdout) >= 37, "{stdout}");
}

/// See docs/LANGUAGE.md for what differs.
#[test]
#[ignore = "needs duckdb from PyPI; scripts/test runs it"]
fn s146_expressions_equal_a_sql_engines() {
    compare("expressions.py", &[]);
}

#[test]
#[ignore = "needs duckdb, polars and pyarrow from PyPI; scripts/test runs it"]
fn s302_files_of_parquet_have_the_rows_of_json() {
    let arguments = ["tests/data/pipelines", "docs/DOWNSTREAM.md", "examples/data"];
    let stdout = compare("answer_files.py", &arguments);
    assert!(stdout.lines().filter(|line| line.ends_with("all readers agree")).count() >= 10);
    assert!(stdout.contains("DOWNSTREAM.md: its commands run over"), "{stdout}");
}
