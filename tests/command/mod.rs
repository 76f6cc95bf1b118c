//! The command, end to end: the real binary with real files and pipes.

mod answer_files;
mod aws;
mod bad_input;
mod capture;
mod check;
mod console;
mod detection;
mod documents;
mod finish;
mod flags;
#[cfg(unix)]
mod follow;
mod formats;
#[cfg(feature = "kafka")]
mod kafka;
mod kcl;
#[cfg(feature = "kinesis")]
mod kinesis;
mod late;
#[cfg(all(feature = "live", target_os = "linux"))]
mod live;
#[cfg(feature = "log")]
mod log;
mod logs;
mod lookups;
mod oracle;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod page;
mod pipelines;
mod pipes;
mod promises;
mod queries;
mod questions;
mod resume;
mod rows;
mod seed;
mod select;
#[cfg(feature = "serve")]
mod serve;
mod sessions;
#[cfg(unix)]
mod signals;
mod sql;
mod state;
mod storm;
mod systems;
mod threads;
mod times;
mod trace;
mod unnest;
mod usage;
mod values;

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Far longer than any wait takes, also on a busy machine: a test that waits in vain ends.
const GIVE_UP: Duration = Duration::from_secs(300);

/// A run whose numbers are served and pushed: counts, percentiles and a top-k.
#[cfg(any(feature = "otlp", feature = "serve"))]
const FLAGS: [&str; 9] = [
    "run",
    "--time",
    "ts",
    "--window",
    "10s",
    "--max-delay",
    "0s",
    "--agg",
    "count, p99(bytes), top(2, url)",
];

/// The output of a run of the command.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// The run's output as JSON Lines; the run must have succeeded.
    fn json(&self) -> Vec<Value> {
        self.succeeded();
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    fn succeeded(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts that the run failed with this exit code and a sentence that contains all of the
    /// words, and did not panic.
    fn failed(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.says(words)
    }

    /// Asserts that standard error contains all of the words.
    fn says(&self, words: &[&str]) -> &Self {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
        self
    }

    /// Returns the closing lines on standard error, joined.
    fn closing_line(&self) -> String {
        let first = self.stderr.lines().position(|line| line.starts_with("records "));
        let first = first.unwrap_or_else(|| panic!("no closing line: {}", self.stderr));
        let lines: Vec<&str> = self
            .stderr
            .lines()
            .skip(first)
            .take_while(|line| !line.starts_with("error: "))
            .collect();
        lines.join("\n").replace(",\n  ", ", ").replace('\n', ", ")
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamgauge"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command.env_remove("STREAMGAUGE_SEED").env_remove("STREAMGAUGE_SEED_FILE");
    command
}

fn streamgauge(arguments: &[&str]) -> Run {
    run_of(command(arguments).output().unwrap())
}

/// Runs with bytes on standard input.
fn streamgauge_reading(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A run that ends early closes the pipe. The test judges that by the exit code.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    run_of(output)
}

fn run_of(output: std::process::Output) -> Run {
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An empty folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.0.join(name), content).unwrap();
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

/// The path of a file of the project.
fn project_file(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).to_string_lossy().into_owned()
}

/// A log of hits, `count` of them, one a second from 2024-01-01T00:00:00Z.
fn hits(count: u64) -> String {
    let line = |n: u64| {
        let (ts, url) = (1_704_067_200_000 + n * 1000, n % 7 * n % 5);
        let (country, status) =
            (["DE", "FR", "JP"][n as usize % 3], if n.is_multiple_of(10) { 503 } else { 200 });
        format!(
            "{{\"ts\":{ts},\"url\":\"/{url}\",\"country\":\"{country}\",\"status\":{status},\"bytes\":{}}}\n",
            n * 10
        )
    };
    (0..count).map(line).collect()
}

/// The windows' starts, as in the output.
fn starts(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["window"]["start"].as_str().unwrap()).collect()
}

fn column<'a>(rows: &'a [Value], name: &str) -> Vec<&'a Value> {
    rows.iter().map(|row| row.get(name).unwrap_or_else(|| panic!("no {name} in {row}"))).collect()
}
