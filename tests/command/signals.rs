//! Ctrl-C and SIGTERM, sent to the real command: with a pipe and with files, with one thread and
//! with two.

use super::{Folder, Run, command, hits, run_of};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A run over a log of this many records takes seconds in a build for tests.
const MANY: u64 = 400_000;

fn spawn(arguments: &[&str]) -> Child {
    command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Starts a run and writes this number of records to its standard input, which stays open.
fn fed(arguments: &[&str], records: u64) -> Child {
    let mut child = spawn(arguments);
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(hits(records).as_bytes()).unwrap();
    stdin.flush().unwrap();
    child
}

fn send(signal: &str, child: &Child) {
    assert!(
        Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

fn left(child: Child) -> Run {
    run_of(child.wait_with_output().unwrap())
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// The rows that a run has printed, which did not succeed.
fn rows(run: &Run) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn counted(rows: &[Value]) -> u64 {
    rows.iter().map(|row| row["count"].as_u64().unwrap()).sum()
}

/// Sends a signal to a run while it reads. How long reading takes depends on the machine and the
/// build. If the run had finished reading, or had not begun, it is started again, after `begin`.
fn interrupted(arguments: &[&str], (signal, code): (&str, i32), begin: impl Fn()) -> Run {
    for millis in [300, 150, 80, 40, 25, 15, 10, 8, 6, 20, 12, 5, 30, 18, 9, 7] {
        begin();
        let child = spawn(arguments);
        std::thread::sleep(Duration::from_millis(millis));
        send(signal, &child);
        let run = left(child);
        let read_all =
            || run.closing_line().replace(',', "").starts_with(&format!("records {MANY} "));
        if run.code == Some(code) && !run.stderr.contains("answers are missing") && !read_all() {
            return run;
        }
    }
    panic!("no run was stopped while it read: {arguments:?}");
}

const SIGNALS: [(&str, i32, &str); 2] = [("INT", 130, "Ctrl-C (SIGINT)"), ("TERM", 143, "SIGTERM")];

#[test]
fn s106_after_a_signal_a_pipe_answers_its_open_windows() {
    for (signal, code, name) in SIGNALS {
        for threads in ["1", "2"] {
            let arguments = [
                "run",
                "--threads",
                threads,
                "--time",
                "ts",
                "--window",
                "10s",
                "--max-delay",
                "0s",
                "--output",
                "json",
            ];
            let mut child = fed(&arguments, 25);
            let stdin = child.stdin.as_mut().unwrap();
            // The record that was cut is in no answer, and no dead letter.
            stdin.write_all(b"{\"ts\":1704067224000,\"cut\":").unwrap();
            stdin.flush().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let complete = [lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()];
            assert!(
                complete
                    .iter()
                    .all(|line| line.contains("\"count\":10") && !line.contains("complete")),
                "{complete:?}"
            );
            send(signal, &child);
            let last: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(
                (&last["complete"], &last["count"], &last["revision"]),
                (&json!(false), &json!(5), &json!(0))
            );
            assert!(lines.next().is_none());
            let run = left(child);
            run.failed(
                code,
                &[&format!("note: stopped by {name}: the last window is not complete")],
            );
            assert!(
                run.closing_line().starts_with("records 25, applied 25, filtered 0, dead letters 0, late 0, windows 3, rows 3, "),
                "{run:?}"
            );
        }
    }
}

#[test]
fn s106_after_a_signal_files_are_answered_with_the_records_so_far() {
    let folder = Folder::new("s106_files");
    let log = folder.file("hits.jsonl", hits(MANY));
    for (signal, code, name) in SIGNALS {
        for threads in ["1", "2"] {
            let arguments = [
                "run",
                &log,
                "--threads",
                threads,
                "--time",
                "ts",
                "--window",
                "1h",
                "--output",
                "json",
            ];
            let run = interrupted(&arguments, (signal, code), || ());
            run.failed(code, &[&format!("note: stopped by {name}: ")]);
            let rows = rows(&run);
            assert!(rows.iter().all(|row| row["complete"] == json!(false)), "{run:?}");
            let counted = counted(&rows);
            let records = counted.to_string();
            let said = run.closing_line().replace(',', "");
            assert!(
                said.starts_with(&format!("records {records} applied {records} ")),
                "{said}: {records}"
            );
        }
    }
}

#[test]
fn s106_outputs_that_cannot_mark_incomplete_windows_get_a_note() {
    for output in ["csv", "table"] {
        let child = fed(&["run", "--output", output], 5);
        std::thread::sleep(Duration::from_millis(500));
        send("INT", &child);
        let run = left(child);
        run.failed(130, &["note: stopped by Ctrl-C (SIGINT): the answer is not complete"]);
        assert!(run.stdout.ends_with("5\n"), "{run:?}");
    }
}

#[test]
fn s106_a_pipe_that_nobody_writes_to_is_stopped_too() {
    let folder = Folder::new("s106_fifo");
    let fifo = folder.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for arguments in [&["run"][..], &["run", &fifo]] {
        let child = spawn(arguments);
        std::thread::sleep(Duration::from_millis(500));
        send("TERM", &child);
        let run = left(child);
        run.failed(143, &["no window was open"]);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn s106_a_second_signal_ends_at_once() {
    let windows = ["--window", "10ms", "--every", "1ms", "--max-delay", "unbounded"];
    let arguments = [&["run", "--time", "ts", "--output", "json"][..], &windows].concat();
    let mut child = fed(&arguments, 1000);
    // Waiting would close the input.
    let _open = child.stdin.take();
    std::thread::sleep(Duration::from_millis(500));
    send("INT", &child);
    // Nobody reads what is written now, so the first signal alone does not end it.
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "the answers fitted into the pipe");
    send("TERM", &child);
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(143), None));
}

#[test]
fn s106_a_signal_while_the_answers_are_written_ends_them_between_two_rows() {
    let folder = Folder::new("s106_writing");
    let log = folder.file("hits.jsonl", hits(1000));
    for threads in ["1", "2"] {
        let mut child = spawn(&[
            "run",
            &log,
            "--threads",
            threads,
            "--time",
            "ts",
            "--window",
            "10ms",
            "--every",
            "1ms",
            "--output",
            "json",
        ]);
        let mut out = child.stdout.take().unwrap();
        let mut head = [0; 100];
        out.read_exact(&mut head).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        send("INT", &child);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        let run = left(child);
        run.failed(130, &["note: stopped by Ctrl-C (SIGINT): answers are missing"]);
        let text = String::from_utf8(head.to_vec()).unwrap() + &rest;
        let rows: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(
            rows.len() < 10_000 && rows.iter().all(|row| row.get("complete").is_none()),
            "{}",
            rows.len()
        );
    }
}

#[test]
fn s59_s106_a_run_with_state_continues_after_a_signal_without_any_difference() {
    let folder = Folder::new("s106_state");
    let log = folder.file("hits.jsonl", hits(MANY));
    let arguments = |extra: &[&'static str]| {
        let given = [
            "run", &log, "--time", "ts", "--window", "1h", "--group", "country", "--output", "json",
        ];
        given.iter().copied().chain(extra.iter().copied()).map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = super::streamgauge(&words(&arguments(&["--max-delay", "1m"])));
    for (signal, code, name) in SIGNALS {
        for threads in ["1", "2"] {
            let state = folder.path(&format!("state-{signal}-{threads}"));
            let mut all = arguments(&["--max-delay", "1m"]);
            all.extend([
                "--state".to_owned(),
                state.clone(),
                "--threads".to_owned(),
                threads.to_owned(),
            ]);
            let first =
                interrupted(&words(&all), (signal, code), || drop(std::fs::remove_dir_all(&state)));
            first.failed(code, &[&format!("note: stopped by {name}: the state is saved")]);
            assert!(!first.stdout.contains("complete"), "{first:?}");
            let second = super::streamgauge(&words(&all));
            second.succeeded();
            assert_eq!(first.stdout + &second.stdout, whole.succeeded().stdout);
        }
    }
}

#[test]
fn s106_partials_of_an_interrupted_run_are_not_final() {
    let folder = Folder::new("s106_partials");
    let partials = folder.path("partials");
    let windows = ["--time", "ts", "--window", "10s"];
    let partial = ["--max-delay", "0s", "--partials", &partials];
    let child = fed(&[&["run"][..], &windows, &partial].concat(), 25);
    std::thread::sleep(Duration::from_millis(500));
    send("INT", &child);
    left(child).failed(130, &["the last window is not complete", "windows 3, partials 3"]);
    let output = ["--sources", "1", "--output", "json", &partials];
    let merged = super::streamgauge(&[&["merge"][..], &windows, &output].concat());
    assert_eq!(counted(&merged.json()), 25);
    merged.says(&["1 of 3 windows have not the final partials of 1 sources"]);
}
