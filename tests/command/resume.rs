//! Runs that continue after a kill at any moment, in files that grow, rotate, are cut, replaced or
//! renamed.

use super::state::{Answers, contents, upsert, whole, whole_lines};
use super::{Folder, Run, command, hits, streamgauge};
use crate::simulation::Random;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Lines of JSON with these times, in seconds of one minute.
fn at(seconds: &[u32]) -> String {
    seconds
        .iter()
        .map(|second| format!("{{\"ts\":{}}}\n", 1_700_000_000_000 + u64::from(*second) * 1000))
        .collect()
}

fn append(path: &str, text: &str) {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

/// Counts per window that all runs together have given.
struct Log {
    folder: Folder,
    flags: Vec<String>,
    answers: Answers,
}

impl Log {
    fn new(name: &str, flags: &[&str]) -> Self {
        Log {
            folder: Folder::new(name),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            answers: Answers::new(),
        }
    }

    fn arguments(&self, files: &[&str]) -> Vec<String> {
        let files = files.iter().map(|file| self.folder.path(file));
        let always = ["--time", "ts", "--window", "10s", "--output", "json"].map(str::to_owned);
        ["run".to_owned()]
            .into_iter()
            .chain(files)
            .chain(always)
            .chain(self.flags.iter().cloned())
            .collect()
    }

    fn run(&mut self, files: &[&str]) -> Run {
        let state = ["--state".to_owned(), self.folder.path("state")];
        let arguments: Vec<String> = self.arguments(files).into_iter().chain(state).collect();
        let run = streamgauge(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        if run.code == Some(0) {
            upsert(&mut self.answers, run.json());
        }
        run
    }

    /// The rows of one run over these files, without a state.
    fn expected(&self, files: &[&str]) -> Vec<Value> {
        let arguments = self.arguments(files);
        contents(&whole(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
            .into_iter()
            .cloned()
            .collect()
    }

    fn is_one_run_over(&self, files: &[&str]) {
        assert_eq!(
            contents(&self.answers).into_iter().cloned().collect::<Vec<_>>(),
            self.expected(files)
        );
    }
}

#[test]
fn s85_a_replaced_file_is_a_new_file() {
    let mut log = Log::new("resume_replaced", &[]);
    let file = log.folder.file("log", at(&[1, 1, 1]));
    log.run(&["log"]).succeeded();
    fs::remove_file(&file).unwrap();
    log.folder.file("log", at(&[91, 91, 91, 91, 91]));
    log.run(&["log"]).succeeded();
    log.folder.file("old", at(&[1, 1, 1]));
    log.is_one_run_over(&["old", "log"]);
}

#[test]
fn s85_a_file_that_was_cut_is_a_new_file_and_one_that_was_copied_before_is_the_old_one() {
    let mut log = Log::new("resume_cut", &[]);
    log.folder.file("log", at(&[1, 2, 3]));
    log.run(&["log"]).succeeded();
    // Shorter, and longer, with the same name to the system.
    for (name, new) in [("log.1", at(&[21])), ("log.2", at(&[31, 32, 33, 34, 35]))] {
        fs::copy(log.folder.path("log"), log.folder.path(name)).unwrap();
        log.folder.file("log", new);
        log.run(&[name, "log"]).succeeded();
    }
    log.is_one_run_over(&["log.1", "log.2", "log"]);
}

#[test]
fn s85_a_renamed_file_continues_under_its_new_name() {
    for delay in [&[][..], &["--max-delay", "5s"]] {
        let mut log = Log::new(&format!("resume_renamed_{}", delay.len()), delay);
        let file = log.folder.file("app.log", at(&[1, 12]));
        log.run(&["app.log"]).succeeded();
        append(&file, &at(&[13]));
        fs::rename(&file, log.folder.path("app.log.1")).unwrap();
        log.folder.file("app.log", at(&[25, 36]));
        log.run(&["app.log"])
            .failed(1, &["app.log.1 now", "21 bytes", "were not counted", "name", "as an input"]);
        log.run(&["app.log.1", "app.log"]).succeeded();
        log.is_one_run_over(&["app.log.1", "app.log"]);
        assert_eq!(log.run(&["app.log.1", "app.log"]).json(), Vec::<Value>::new());
        assert_eq!(
            log.run(&["app.log"]).json(),
            Vec::<Value>::new(),
            "all of the other was counted"
        );
        // A writer goes on in the file that it has open.
        append(&log.folder.path("app.log.1"), &at(&[14]));
        log.run(&["app.log"]).failed(1, &["app.log.1", "were not counted"]);
    }
}

#[test]
fn s85_a_log_that_was_compressed_after_it_was_counted_is_not_counted_again() {
    let mut log = Log::new("resume_compressed", &[]);
    let file = log.folder.file("app.log", at(&[1, 12, 13]));
    log.run(&["app.log"]).succeeded();
    append(&file, &at(&[14]));
    fs::rename(&file, log.folder.path("app.log.1")).unwrap();
    assert!(
        std::process::Command::new("gzip")
            .arg(log.folder.path("app.log.1"))
            .status()
            .unwrap()
            .success()
    );
    log.folder.file("app.log", at(&[25]));
    log.run(&["app.log.1.gz", "app.log"]).succeeded();
    log.is_one_run_over(&["app.log.1.gz", "app.log"]);
    assert_eq!(log.run(&["app.log.1.gz", "app.log"]).json(), Vec::<Value>::new());
}

#[test]
fn s85_bytes_that_were_seen_but_not_counted_must_be_found() {
    let mut log = Log::new("resume_unread", &[]);
    let file = log.folder.file("log", at(&[1]) + "{\"ts\":17000000");
    log.run(&["log"]).succeeded();
    fs::remove_file(&file).unwrap();
    log.folder.file("log", at(&[31]));
    log.run(&["log"])
        .failed(1, &["14 bytes", "not counted and are not found", "begin with another --state"]);
    log.folder.file("moved", at(&[1]) + "{\"ts\":1700000009000}\n");
    log.run(&["moved", "log"]).succeeded();
    assert_eq!(
        contents(&log.answers).iter().map(|row| &row["count"]).collect::<Vec<_>>(),
        [&json!(2), &json!(1)]
    );
}

#[test]
fn s85_the_spelling_of_a_path_does_not_matter() {
    let folder = Folder::new("resume_spelling");
    folder.file("a", at(&[1, 2]));
    std::os::unix::fs::symlink("a", folder.path("link")).unwrap();
    let partials = folder.path("partials");
    for spelling in ["a", "./a", "../resume_spelling/a", "link", &folder.path("a")] {
        let run = |more: &[&str]| {
            let run = [&["run", spelling, "--time", "ts", "--window", "10s"], more].concat();
            super::run_of(command(&run).current_dir(&folder.0).output().unwrap())
        };
        let rows = run(&["--state", "state", "--output", "json"]).json();
        assert_eq!(rows.len(), usize::from(spelling == "a"), "{spelling}");
        run(&["--state", "state-partials", "--partials", &partials]).succeeded();
    }
    let merged =
        streamgauge(&["merge", &partials, "--time", "ts", "--window", "10s", "--output", "json"])
            .json();
    assert_eq!(merged[0]["count"], json!(2));
}

#[test]
fn s86_records_of_an_earlier_file_that_grows_are_not_late_and_keep_their_order() {
    let mut log =
        Log::new("resume_delay", &["--max-delay", "5s", "--agg", "count, first(ts), last(ts)"]);
    log.folder.file("a", at(&[1]));
    log.folder.file("b", at(&[101]));
    log.run(&["a", "b"]).succeeded();
    append(&log.folder.path("a"), &at(&[11, 2]));
    append(&log.folder.path("b"), &at(&[102]));
    log.run(&["a", "b"]).succeeded();
    log.is_one_run_over(&["a", "b"]);
    // Another one in front, and another one behind, which is the last from now on.
    log.folder.file("c", at(&[103, 5, 120]));
    log.folder.file("d", at(&[3]));
    log.run(&["d", "a", "b", "c"]).succeeded();
    log.is_one_run_over(&["d", "a", "b", "c"]);
    append(&log.folder.path("b"), &at(&[4, 1]));
    append(&log.folder.path("c"), &at(&[121]));
    log.run(&["d", "a", "b", "c"]).succeeded();
    log.is_one_run_over(&["d", "a", "b", "c"]);
    log.run(&["d", "a", "c", "b"])
        .failed(1, &["late while it was the last file", "begin with another --state"]);
}

#[test]
fn s86_records_with_equal_times_are_in_the_order_of_the_files() {
    for delay in [&[][..], &["--max-delay", "5s"]] {
        let flags = [delay, &["--agg", "first(v),last(v)"]].concat();
        let mut log = Log::new(&format!("resume_ties_{}", delay.len()), &flags);
        let line = |value: &str| format!("{{\"ts\":1700000001000,\"v\":\"{value}\"}}\n");
        log.folder.file("a", "");
        log.folder.file("b", line("b1"));
        for (file, value) in [("a", "a1"), ("b", "b2"), ("a", "a2")] {
            log.run(&["a", "b"]).succeeded();
            append(&log.folder.path(file), &line(value));
        }
        log.run(&["a", "b"]).succeeded();
        log.is_one_run_over(&["a", "b"]);
    }
}

#[test]
fn s86_a_line_completed_in_a_second_file_raises_the_revision() {
    let mut log = Log::new("resume_tails", &["--max-delay", "5s"]);
    log.folder.file("a", at(&[1]) + "{\"ts\":1700");
    log.folder.file("b", at(&[2, 50]) + "{\"ts\":17");
    log.run(&["a", "b"]).succeeded();
    append(&log.folder.path("a"), "000003000}\n");
    let second = log.run(&["a", "b"]).json();
    assert_eq!(
        second.iter().map(|row| (&row["revision"], &row["count"])).collect::<Vec<_>>(),
        [(&json!(1), &json!(3))]
    );
    log.is_one_run_over(&["a", "b"]);
}

#[test]
fn s88_rows_of_groups_past_the_limit_are_retracted() {
    let line = |second: u32, group: &str| {
        format!("{{\"ts\":{},\"g\":\"{group}\"}}\n", 1_700_000_000_000 + u64::from(second) * 1000)
    };
    let flags = ["--every", "5s", "--group", "g", "--limit-groups", "2"];
    let mut log = Log::new("resume_groups", &flags);
    log.folder.file("a", line(1, "m1") + &line(1, "m2"));
    log.run(&["a"]).succeeded();
    append(&log.folder.path("a"), &(line(7, "a1") + &line(7, "a2")));
    let second = log.run(&["a"]).json();
    let retracted: Vec<&Value> =
        second.iter().filter(|row| row.get("retracted") == Some(&json!(true))).collect();
    assert_eq!(
        retracted.iter().map(|row| row["group"]["g"].as_str().unwrap()).collect::<Vec<_>>(),
        ["m1", "m2"]
    );
    assert!(
        retracted.iter().all(|row| row["revision"] == json!(1) && row.get("count").is_none()),
        "{retracted:?}"
    );
    log.is_one_run_over(&["a"]);
    // In CSV, and of one run that answers a window again because of a late record.
    let csv = ["--output", "csv", "--max-delay", "0s", "--lateness", "1h"];
    let late =
        log.folder.file("late", line(1, "m") + &line(1, "n") + &line(30, "z") + &line(2, "a"));
    let run = streamgauge(
        &[&["run", &late, "--time", "ts", "--window", "10s"], &flags[2..], &csv].concat(),
    );
    let lines: Vec<&str> = run.succeeded().stdout.lines().collect();
    assert_eq!(lines[0], "window_start,window_end,g,revision,retracted,count");
    assert!(
        lines.contains(&"2023-11-14T22:13:20.000Z,2023-11-14T22:13:30.000Z,n,1,true,"),
        "{lines:?}"
    );
}

#[test]
fn s56_a_single_dead_letter_after_good_records_is_not_a_failure() {
    let folder = Folder::new("resume_dead");
    let file = folder.file("log", at(&[1, 2]));
    let flags = ["run", &file, "--time", "ts", "--window", "10s", "--state", &folder.path("state")];
    streamgauge(&flags).succeeded();
    folder.file("log", at(&[1, 2]) + "x\n");
    let run = streamgauge(&flags);
    assert!(!run.succeeded().stderr.contains("every record"), "{run:?}");
    // Its content is in another file now.
    std::fs::rename(&file, folder.path("log.1")).unwrap();
    folder.file("log", "y\n");
    let renamed = folder.path("log.1");
    let rotated = [&["run", &renamed, "--format", "jsonl"], &flags[1..]].concat();
    streamgauge(&rotated).succeeded();
}

/// Of a file with few lines it is not certain what it is, and one that has grown can be another
/// thing: its records are counted as what it is then.
#[test]
fn s56_a_file_whose_format_shows_after_it_has_grown_is_read_in_that_format() {
    let cases: [(&[&str], &str); 6] = [
        // Only the header was there, or less.
        (&["ts,v\n", "1,2\n2,3\n"], "count 2"),
        (&["ts,", "v\n", "1,2\n", "2,3\n"], "count 2"),
        (&["\n\n", "ts,v\n1,2\n2,3\n"], "count 2"),
        (&["\n", "{\"ts\":1}\n", "{\"ts\":2}\n"], "count 2"),
        // It is a table with a dead letter, or no table.
        (&["ts,v\n1,2\n2,3\n", "3,4,5\n"], "count 2"),
        (&["ts,v\n1,2\n", "a line, of a log, with commas\n", "1\n2\n3\n4\n"], "count 7"),
    ];
    for (parts, expected) in cases {
        let folder = Folder::new("resume_format");
        let (state, mut last) = (folder.path("state"), String::new());
        for end in 1..=parts.len() {
            let file = folder.file("log", parts[..end].concat());
            let run = streamgauge(&["run", &file, "--state", &state]);
            last = run.succeeded().stdout.lines().last().map_or(last, str::to_owned);
        }
        let one = streamgauge(&["run", &folder.path("log")]);
        let count = |line: &str| line.rsplit("\"count\":").next().unwrap().to_owned();
        assert_eq!(count(&last), count(one.succeeded().stdout.trim()), "{parts:?}");
        assert_eq!(format!("count {}", count(&last).trim_end_matches('}')), expected, "{parts:?}");
    }
    // Rows that were given cannot all be taken back.
    let folder = Folder::new("resume_format_rows");
    let (file, state) = (folder.file("log", "ts\n1\n2\n"), folder.path("state"));
    let windows = ["run", &file, "--state", &state, "--time", "ts", "--window", "1s", "--format"];
    streamgauge(&[&windows[..], &["csv"]].concat()).succeeded();
    let tsv = streamgauge(&[&windows[..], &["tsv"]].concat());
    tsv.failed(1, &["its first 7 bytes were counted as csv", "begin with another --state"]);
    streamgauge(&[&windows[..], &["csv"]].concat()).succeeded();
}

/// Half a line can be a record as well, in another row than the whole line. The row of the half is
/// taken back, as is a partial.
#[test]
fn s88_the_answer_of_an_incomplete_line_is_retracted() {
    let csv = ["--format", "csv", "--agg", "count,sum(v)"];
    let windows = ["--time", "ts", "--window", "10s"];
    let cases: [(&[&str], [&str; 3]); 6] = [
        (&["--group", "g"], ["v,g\n1,a\n2,b", "c\n", "3,d"]),
        (&["--group", "line", "--agg", "count"], ["x\nyy", "z\n", "yy"]),
        (&windows, ["v,ts\n1,2\n2,30", "00\n3,1", "0\n"]),
        (&["--where", "ts < 10"], ["v,ts\n1,200\n2,3", "00\n", "3,30"]),
        (&["--limit-groups", "1", "--group", "g"], ["v,g\n2,b", "c\n", "3,d"]),
        (&[&windows[..], &["--max-delay", "0s"]].concat(), ["v,ts\n1,2\n2,30", "00\n3,4", "000\n"]),
    ];
    for (flags, parts) in cases {
        let format = if parts[0].starts_with('v') { &csv[..] } else { &["--format", "lines"] };
        let flags = [flags, format].concat();
        let folder = Folder::new("resume_half_line");
        let (state, other, partials) =
            (folder.path("state"), folder.path("other"), folder.path("partials"));
        let mut rows = Answers::new();
        for end in 1..=parts.len() {
            let file = folder.file("log", parts[..end].concat());
            let kept = [&["run", &file, "--state", &state], &flags[..]].concat();
            upsert(&mut rows, streamgauge(&kept).json());
            let one = whole(&[&["run", &file], &flags[..]].concat());
            assert_eq!(contents(&rows), contents(&one), "{flags:?} {:?}", &parts[..end]);
            if flags.contains(&"--limit-groups") {
                continue;
            }
            let places = ["--state", &other, "--partials", &partials];
            streamgauge(&[&["run", &file], &places[..], &flags].concat()).succeeded();
            let question: Vec<&str> =
                flags.chunks(2).filter(|flag| flag[0] != "--format").flatten().copied().collect();
            let merged = whole(&[&["merge", &partials], &question[..]].concat());
            assert_eq!(contents(&merged), contents(&one), "{flags:?} {:?}", &parts[..end]);
        }
    }
}

#[test]
fn s89_an_output_that_is_an_input_is_refused_before_it_is_opened() {
    let folder = Folder::new("resume_one_file");
    let file = folder.file("log", at(&[1]));
    std::os::unix::fs::symlink(&file, folder.path("link")).unwrap();
    fs::hard_link(&file, folder.path("hard")).unwrap();
    for letters in ["log", "link", "hard"] {
        let run = streamgauge(&["run", &file, "--dead-letters", &folder.path(letters)]);
        run.failed(2, &["--dead-letters", "are the same file"]);
    }
    let run = ["run", &file, "--agg", "count"];
    let out = OpenOptions::new().append(true).open(&file).unwrap();
    super::run_of(command(&run).stdout(out).stderr(Stdio::piped()).output().unwrap())
        .failed(2, &["the standard output", "are the same file"]);
    assert_eq!(folder.read("log"), at(&[1]));
    streamgauge(&["run", &file, "--dead-letters", "/dev/null"]).succeeded();
    let (pipeline, seed) = (folder.file("p.toml", "agg = \"count\"\n"), folder.file("seed", "ab"));
    for (flag, path) in [("--pipeline", &pipeline), ("--seed-file", &seed)] {
        let run = streamgauge(&["run", &file, flag, path, "--dead-letters", path]);
        run.failed(2, &["--dead-letters", path, "are the same file"]);
    }
    assert_eq!(
        (folder.read("p.toml"), folder.read("seed")),
        ("agg = \"count\"\n".into(), "ab".into())
    );
}

#[test]
fn s89_no_two_outputs_are_one_file() {
    let folder = Folder::new("resume_two_outputs");
    let file = folder.file("log", at(&[1]) + "x\n");
    let run = |flags: &[&str]| streamgauge(&[&["run", &file, "--time", "ts"], flags].concat());
    let (lines, other) = (folder.path("lines"), folder.path("./lines"));
    let both = run(&["--dead-letters", &lines, "--late", &other]);
    both.failed(2, &["--late and --dead-letters are the same file"]);
    let (state, kept) = (folder.path("state"), folder.path("state/run.state"));
    run(&["--state", &state]).succeeded();
    for letters in ["--late", "--dead-letters"] {
        let one = run(&["--state", &state, letters, &kept]);
        one.failed(2, &[letters, "--state are the same file"]);
        for name in ["/dev/stdout", "/dev/fd/1"] {
            run(&[letters, name]).failed(2, &[letters, name, "standard output has the answers"]);
        }
    }
    let out = fs::File::create(folder.path("out")).unwrap();
    let letters = ["run", &file, "--dead-letters", &folder.path("out")];
    super::run_of(command(&letters).stdout(out).stderr(Stdio::piped()).output().unwrap())
        .failed(2, &["--dead-letters", "standard output has the answers"]);
}

#[test]
fn s89_dead_letters_after_a_kill_are_whole_and_written_once() {
    let folder = Folder::new("resume_letters");
    let (file, state, letters) =
        (folder.file("log", at(&[1]) + "x\n"), folder.path("state"), folder.path("letters"));
    let run = ["run", &file, "--state", &state, "--dead-letters", &letters];
    streamgauge(&run).succeeded();
    // What a run that was killed has left.
    append(
        &letters,
        "{\"file\":\"log\",\"line\":3,\"reason\":\"..\",\"data\":\"y\"}\n{\"file\":\"lo",
    );
    append(&file, "y\nz\n{\"ts\":2}\n");
    streamgauge(&run).succeeded();
    let data = |name: &str| {
        let letters: Vec<Value> =
            folder.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        letters.iter().map(|letter| letter["data"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(data("letters"), ["x", "y", "z"]);
    // Another file than before is added to, behind a whole line.
    folder.file("letters", "{\"data\":\"mine\"}");
    append(&file, "w\n{\"ts\":3}\n");
    streamgauge(&run).succeeded();
    assert_eq!(data("letters"), ["mine", "w"]);
}

#[test]
fn s89_answers_that_a_closed_output_lost_are_repeated() {
    let mut log = Log::new("resume_closed", &["--every", "1s"]);
    let file = log.folder.file("log", hits(20_000));
    let state = log.folder.path("state");
    let run = [
        "run", &file, "--time", "ts", "--window", "10s", "--every", "1s", "--output", "json",
        "--state", &state,
    ];
    let mut child = command(&run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = super::run_of(child.wait_with_output().unwrap());
    ended.failed(1, &["the reader of the standard output has gone", "come again"]);
    log.run(&["log"]).succeeded();
    log.is_one_run_over(&["log"]);
}

#[test]
fn s89_a_pipe_as_a_file_of_state_is_refused() {
    let folder = Folder::new("resume_pipe");
    let (file, state) = (folder.file("log", at(&[1])), folder.path("state"));
    fs::create_dir(&state).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(Path::new(&state).join("run.state"))
            .status()
            .unwrap()
            .success()
    );
    streamgauge(&["run", &file, "--state", &state])
        .failed(1, &["run.state is not a regular file", "use another directory"]);
}

#[test]
fn s89_damage_to_a_file_of_state_is_found() {
    let folder = Folder::new("resume_damage");
    let (file, state) = (folder.file("log", at(&[1])), folder.path("state"));
    for name in ["run.state", "answered.state"] {
        drop(fs::remove_dir_all(&state));
        let run = ["run", &file, "--state", &state, "--time", "ts", "--window", "10s"];
        streamgauge(&run).succeeded();
        let path = Path::new(&state).join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        streamgauge(&run).failed(1, &["state", "damaged"]);
    }
}

#[test]
fn partials_of_a_state_keep_their_source() {
    let folder = Folder::new("resume_source");
    let (file, state, partials) =
        (folder.file("log", at(&[1])), folder.path("state"), folder.path("partials"));
    let run = [
        "run",
        &file,
        "--time",
        "ts",
        "--window",
        "10s",
        "--state",
        &state,
        "--partials",
        &partials,
    ];
    streamgauge(&[&run[..], &["--source", "web1"]].concat()).succeeded();
    streamgauge(&run).succeeded();
    streamgauge(&[&run[..], &["--source", "web2"]].concat()).failed(2, &["web1", "count twice"]);
}

#[test]
#[ignore = "kills two hundred runs, about two minutes; scripts/test runs it"]
fn s59_runs_over_growing_rotating_and_several_files_are_killed() {
    let mut random = Random::new(59);
    let mut kills = 0;
    for round in 0.. {
        let several = round % 2 == 0;
        let mut log =
            Log::new("resume_killed", if round % 4 < 2 { &["--max-delay", "20s"] } else { &[] });
        let mut files =
            if several { vec!["a".to_owned(), "b".to_owned()] } else { vec!["a".to_owned()] };
        files.iter().for_each(|file| drop(log.folder.file(file, "")));
        let mut second = 0;
        for step in 0..8 {
            let grown = random.below(files.len());
            // Of one file with a watermark, a stream, the last one grows.
            let grown = if several { grown } else { files.len() - 1 };
            let lines: Vec<u32> = (0..20_000)
                .map(|_| {
                    second += 1;
                    second / 50
                })
                .collect();
            append(&log.folder.path(&files[grown]), &at(&lines));
            if step % 3 == 2 && !several {
                let old = format!("old{step}");
                fs::rename(log.folder.path("a"), log.folder.path(&old)).unwrap();
                *files.last_mut().unwrap() = old;
                files.push("a".to_owned());
                log.folder.file("a", "");
            }
            let names: Vec<&str> = files.iter().map(String::as_str).collect();
            let state = ["--state".to_owned(), log.folder.path("state")];
            let arguments: Vec<String> = log.arguments(&names).into_iter().chain(state).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            for _ in 0..3 {
                let mut child = command(&arguments)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                std::thread::sleep(Duration::from_micros(random.below(60_000) as u64));
                kills += usize::from(child.try_wait().unwrap().is_none());
                child.kill().unwrap();
                let out = child.wait_with_output().unwrap();
                upsert(&mut log.answers, whole_lines(&String::from_utf8(out.stdout).unwrap()));
            }
        }
        let names: Vec<&str> = files.iter().map(String::as_str).collect();
        log.run(&names).succeeded();
        log.is_one_run_over(&names);
        if kills >= 200 {
            break;
        }
    }
    writeln!(std::io::stderr(), "{kills} kills").unwrap();
}
