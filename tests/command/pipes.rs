//! Pipes that are closed, and pipes with slow input.

use super::{Folder, command, hits};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

#[test]
fn s46_a_closed_pipe_ends_quietly() {
    let folder = Folder::new("a_closed_pipe_ends_quietly");
    let file = folder.file("hits.jsonl", hits(20_000));
    for output in ["json", "csv", "table"] {
        let arguments = [
            "run", &file, "--time", "ts", "--window", "1m", "--every", "1s", "--group", "url",
            "--output", output,
        ];
        let mut child =
            command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut head = [0; 64];
        child.stdout.take().unwrap().read_exact(&mut head).unwrap();
        let left = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&left.stderr);
        assert_eq!(left.status.code(), Some(0), "{output}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("pipe"), "{output}: {stderr}");
    }
}

/// Runs the command in a shell, which redirects standard output.
#[cfg(unix)]
fn redirected(arguments: &str, redirection: &str) -> super::Run {
    let script = format!("exec '{}' {arguments} {redirection}", env!("CARGO_BIN_EXE_streamgauge"));
    let mut shell = std::process::Command::new("bash");
    super::run_of(shell.args(["-c", &script]).stdin(Stdio::null()).output().unwrap())
}

#[cfg(unix)]
#[test]
fn s46_lost_answers_are_an_error() {
    let folder = Folder::new("s46_lost");
    let (file, partials) = (folder.file("hits.jsonl", hits(100)), folder.path("partials"));
    redirected(&format!("run '{file}' --partials '{partials}' -q"), "").succeeded();
    for output in ["json", "csv", "table"] {
        for arguments in [
            format!("run '{file}' --output {output}"),
            format!("merge '{partials}' --output {output}"),
        ] {
            redirected(&arguments, ">&-").failed(1, &["error: standard output is closed"]);
            redirected(&arguments, ">/dev/full")
                .failed(1, &["error: cannot write to standard output: No space left on device"]);
            redirected(&arguments, ">/dev/null").succeeded();
        }
    }
    redirected("--help", ">/dev/full").failed(1, &["cannot write to standard output"]);
    // If nothing is written to standard output, it may be closed.
    redirected(&format!("run '{file}' --partials '{partials}-2'"), ">&-").succeeded();
}

#[test]
fn a_closed_standard_error_does_no_harm() {
    let folder = Folder::new("a_closed_standard_error_does_no_harm");
    let file = folder.file("hits.jsonl", hits(10));
    let mut child = command(&["run", &file, "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let left = child.wait_with_output().unwrap();
    assert_eq!(left.status.code(), Some(0));
    assert_eq!(left.stdout, b"{\"window\":null,\"revision\":0,\"count\":10}\n");
}

/// "Errors per minute": a minute comes out when any record of the next minute comes, whatever its
/// outcome.
#[test]
fn s11_filtered_records_complete_a_window() {
    let line = |time: &str, status: u32| {
        format!("{{\"ts\":\"2024-01-01T00:{time}Z\",\"status\":{status}}}\n")
    };
    let arguments = [
        "run",
        "--time",
        "ts",
        "--window",
        "1m",
        "--max-delay",
        "0s",
        "--where",
        "status >= 500",
        "--output",
        "json",
    ];
    let mut child = command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all((line("00:10", 500) + &line("00:59", 200) + &line("01:00", 200)).as_bytes())
        .unwrap();
    stdin.flush().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("\"count\":1"));
    drop(stdin);
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_window_is_answered_while_the_input_is_still_open() {
    let arguments = ["run", "--time", "ts", "--window", "10s", "--max-delay", "0s", "--output"];
    for (output, header) in [("json", false), ("csv", true), ("table", true)] {
        let arguments = [&arguments[..], &[output]].concat();
        let mut child = command(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(hits(11).as_bytes()).unwrap();
        stdin.flush().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        if header {
            assert!(lines.next().unwrap().unwrap().contains("count"), "{output}");
        }
        assert!(lines.next().unwrap().unwrap().contains("2024-01-01T00:00:00"), "{output}");
        drop(stdin);
        assert!(lines.next().unwrap().unwrap().contains("2024-01-01T00:00:10"), "{output}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{output}");
    }
}

/// 3,000 keys in 3 s, then a leap over the 1,800 windows that they are in.
#[test]
fn s81_a_leap_over_many_windows_takes_little_memory() {
    let line = |ts: u64, key: u64| format!("{{\"ts\":{ts},\"k\":{key}}}\n");
    let input: String =
        (0..3000).map(|n| line(n, n)).chain((0..3).map(|n| line(7_200_000 + n, 1))).collect();
    // The answers of all windows at once would take half a gigabyte.
    let script = format!(
        "ulimit -v 300000; exec '{}' run --format jsonl --time ts --time-format ms --window 30m \
         --every 1s --agg 'top(1, k)' --output csv",
        env!("CARGO_BIN_EXE_streamgauge")
    );
    let mut shell = Command::new("bash");
    let mut child = shell
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let run = super::run_of(child.wait_with_output().unwrap());
    writer.join().unwrap();
    assert_eq!(run.succeeded().stdout.lines().count(), 1 + 1802 + 1800, "{}", run.stderr);
}

/// Five records in 86.4 million windows each.
#[test]
fn s81_the_first_answer_comes_before_any_number_of_windows() {
    let folder = Folder::new("s81_the_first_answer_comes_before_any_number_of_windows");
    let records: String = (1..=5)
        .map(|n| format!("{{\"ts\":{}}}\n", 1_000_000_000_000u64 + n * 100_000_000_000))
        .collect();
    let file = folder.file("five.jsonl", records);
    for threads in ["1", "2"] {
        let window = [
            "--time",
            "ts",
            "--time-format",
            "ms",
            "--window",
            "1d",
            "--every",
            "1ms",
            "--output",
            "json",
        ];
        let arguments = [&["run", &file, "--threads", threads][..], &window].concat();
        let mut child =
            command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || drop(tell.send(BufReader::new(stdout).lines().next())));
        let line = told
            .recv_timeout(std::time::Duration::from_secs(60))
            .expect("it comes before all windows have been looked at");
        let line = line.expect("a first line").unwrap();
        assert!(
            line.contains("2004-11-08T11:33:20.001Z") && line.contains("\"count\":1"),
            "{line}"
        );
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn s244_open_windows_of_a_pipe_are_answered_while_records_come() {
    let run = [
        "run",
        "--time",
        "ts",
        "--window",
        "1h",
        "--agg",
        "count",
        "--output",
        "json",
        "--emit-early",
        "1ms",
        "--quiet",
    ];
    let mut child = command(&run).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    // Records are sent until there are three answers of the open window.
    let (mut sent, mut answers) = (0u64, Vec::new());
    while answers.len() < 3 {
        assert!(sent < 1_000_000, "no answers: {answers:?}");
        writeln!(input, "{{\"ts\":1000}}").unwrap();
        sent += 1;
        answers.extend(receiver.try_iter());
        std::thread::yield_now();
    }
    drop(input);
    reader.join().unwrap();
    answers.extend(receiver.try_iter());
    assert!(child.wait().unwrap().success());
    let (mut last, count) = (0, answers.len());
    for (revision, answer) in answers.iter().enumerate() {
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        assert_eq!(answer["revision"], revision);
        let now = answer["count"].as_u64().unwrap();
        // Only what has changed is answered again; at its end a window is answered once more.
        assert!(last < now || revision == count - 1 && last == now, "{answers:?}");
        last = now;
    }
    assert_eq!(last, sent);
}

#[test]
fn s244_early_answers_need_input_that_flows() {
    let folder = Folder::new("early_refused");
    let file = folder.file("hits.jsonl", hits(10));
    let run = |flags: &[&str]| super::streamgauge(&[&["run", &file][..], flags].concat());
    run(&["--emit-early", "10s"]).failed(2, &["--emit-early works for standard input"]);
    run(&["--emit-early", "0s"]).failed(2, &["--emit-early", "at least 1 ms"]);
    run(&["--emit-early", "x"]).failed(2, &["--emit-early"]);
    run(&["--emit-early", "10s", "--partials", &folder.path("partials")])
        .failed(2, &["emit_early is for answers"]);
    let pipeline = folder.file("pipeline.toml", "emit_early = \"10s\"\n");
    let ignored = super::streamgauge(&["run", &file, "--pipeline", &pipeline]);
    ignored.succeeded().says(&["note: emit_early works for standard input", "it is ignored"]);
}
