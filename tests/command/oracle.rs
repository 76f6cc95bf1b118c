//! The same questions to a SQL engine, over real and generated data: see tests/oracle/README.md.

use super::project_file;
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "needs duckdb from PyPI; scripts/test runs it"]
fn answers_equal_a_sql_engines() {
    let folder =
        std::env::var("STREAMGAUGE_ORACLE").unwrap_or_else(|_| project_file("target/oracle"));
    let python = Path::new(&folder).join("venv/bin/python");
    let access_log = project_file("tests/data/access_combined.log");
    let compare = Command::new(python)
        .args([
            &project_file("tests/oracle/compare.py"),
            env!("CARGO_BIN_EXE_streamgauge"),
            &folder,
            &access_log,
        ])
        .output()
        .expect("scripts/test installs python and duckdb under target/oracle");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&compare.stdout), String::from_utf8_lossy(&compare.stderr));
    println!("{stdout}");
    assert!(compare.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.lines().filter(|line| line.ends_with("answers agree")).count() > 20, "{stdout}");
}

/// See docs/LANGUAGE.md for what differs.
#[test]
#[ignore = "needs duckdb from PyPI; scripts/test runs it"]
fn s146_expressions_equal_a_sql_engines() {
    let folder =
        std::env::var("STREAMGAUGE_ORACLE").unwrap_or_else(|_| project_file("target/oracle"));
    let compare = Command::new(Path::new(&folder).join("venv/bin/python"))
        .args([&project_file("tests/oracle/expressions.py"), env!("CARGO_BIN_EXE_streamgauge")])
        .output()
        .expect("scripts/test installs python and duckdb under target/oracle");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&compare.stdout), String::from_utf8_lossy(&compare.stderr));
    println!("{stdout}");
    assert!(compare.status.success(), "{stdout}\n{stderr}");
}
