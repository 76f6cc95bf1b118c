//! Durable state: `run --state`, `--partials`, `merge` and `inspect`.

use super::{Folder, Run, command, hits, streamgauge, streamgauge_reading};
use crate::simulation::Random;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Rows by window and group. Only the highest revision of each is kept. One revision may occur
/// several times only with the same content.
pub(super) type Answers = BTreeMap<(String, String), (u64, Value)>;

pub(super) fn upsert(answers: &mut Answers, rows: Vec<Value>) {
    for row in rows {
        let key = (row["window"].to_string(), row["group"].to_string());
        let revision = row["revision"].as_u64().unwrap();
        let mut content = row;
        content.as_object_mut().unwrap().remove("revision");
        match answers.get(&key) {
            Some((last, said)) if *last == revision => {
                assert_eq!(*said, content, "two things under one name")
            }
            Some((last, _)) if *last > revision => {}
            _ => drop(answers.insert(key, (revision, content))),
        }
    }
}

/// Returns the valid rows, without rows that were retracted.
pub(super) fn contents(answers: &Answers) -> Vec<&Value> {
    answers
        .values()
        .map(|(_, content)| content)
        .filter(|content| content.get("retracted").is_none())
        .collect()
}

pub(super) fn whole(arguments: &[&str]) -> Answers {
    let mut answers = Answers::new();
    upsert(&mut answers, streamgauge(arguments).json());
    answers
}

const AGGREGATES: [&str; 8] =
    ["--time", "ts", "--window", "7s", "--every", "3s", "--agg", "count, sum(bytes), top(2, url)"];

/// Runs over a file that grows step by step, with state, and compares with one run over the whole
/// file.
fn grows(name: &str, content: &[u8], more: &[&str]) {
    let folder = Folder::new(name);
    let (file, state) = (folder.path("log"), folder.path("state"));
    let mut random = Random::new(content.len() as u64);
    for round in 0..6 {
        drop(fs::remove_dir_all(&state));
        let mut cuts: Vec<usize> = (0..4).map(|_| random.below(content.len() + 1)).collect();
        cuts.extend([content.len(), content.len()]);
        cuts.sort_unstable();
        let mut answers = Answers::new();
        let run = [&["run", &file, "--state", &state, "--output", "json"], &AGGREGATES[..], more]
            .concat();
        for cut in &cuts {
            fs::write(&file, &content[..*cut]).unwrap();
            // If the header is cut, the fields are missing: such a run ends with an error and has
            // read nothing.
            let ended = streamgauge(&run);
            if ended.code == Some(0) || ended.stderr.contains("every record was a dead letter") {
                upsert(&mut answers, Run { code: Some(0), ..ended }.json());
            }
        }
        let plain = [&["run", &file, "--output", "json"], &AGGREGATES[..], more].concat();
        assert_eq!(contents(&answers), contents(&whole(&plain)), "round {round}, cuts {cuts:?}");
    }
}

#[test]
fn s56_a_grown_file_is_continued_from_any_byte() {
    grows("state_grows_jsonl", hits(200).as_bytes(), &[]);
    grows("state_grows_unterminated", hits(200).trim_end().as_bytes(), &[]);
    grows(
        "state_grows_late",
        hits(200).as_bytes(),
        &["--max-delay", "5s", "--lateness", "4s", "--group", "country"],
    );
}

#[test]
fn s56_a_csv_file_with_quoted_line_ends_grows_too() {
    let mut csv = String::from("ts,url,bytes\r\n");
    for n in 0..150 {
        csv += &format!("{},\"/a\nb,{}\",{}\r\n", 1_704_067_200_000u64 + n * 500, n % 3, n);
    }
    grows("state_grows_csv", csv.as_bytes(), &["--format", "csv"]);
}

#[test]
fn s56_several_files_are_each_continued_from_their_own_offset() {
    let folder = Folder::new("state_several");
    let content = hits(300);
    let lines: Vec<&str> = content.lines().collect();
    let part = |from: usize, to: usize| lines[from..to].join("\n");
    let (one, two, state) = (folder.path("one"), folder.path("two"), folder.path("state"));
    let arguments =
        [&["run", &one, &two, "--state", &state, "--output", "json"], &AGGREGATES[..]].concat();
    let mut answers = Answers::new();
    for (first, second) in [(10, 160), (100, 160), (100, 290), (150, 300), (150, 300)] {
        folder.file("one", part(0, first));
        folder.file("two", part(150, second));
        upsert(&mut answers, streamgauge(&arguments).json());
    }
    assert_eq!(
        contents(&answers),
        contents(&whole(&[&["run", &one, &two, "--output", "json"], &AGGREGATES[..]].concat()))
    );
}

#[test]
fn s57_no_answer_is_repeated_and_a_changed_one_has_a_higher_revision() {
    let folder = Folder::new("state_revisions");
    let (file, state) = (folder.file("log", hits(10)), folder.path("state"));
    let arguments = [
        &["run", &file, "--state", &state, "--output", "json"],
        &["--time", "ts", "--window", "8s"][..],
    ]
    .concat();
    let revisions = |run: Run| {
        run.json()
            .iter()
            .map(|row| (row["count"].clone(), row["revision"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(revisions(streamgauge(&arguments)), [(json!(8), json!(0)), (json!(2), json!(0))]);
    assert_eq!(revisions(streamgauge(&arguments)), []);
    folder.file("log", hits(12));
    assert_eq!(revisions(streamgauge(&arguments)), [(json!(4), json!(1))]);
    folder.file("log", hits(17));
    assert_eq!(revisions(streamgauge(&arguments)), [(json!(8), json!(2)), (json!(1), json!(0))]);
}

#[test]
fn dead_letters_are_continued_and_counted_once() {
    let folder = Folder::new("state_dead_letters");
    let (file, state, letters) =
        (folder.file("log", "{\"ts\":1}\nx\n"), folder.path("state"), folder.path("letters"));
    let arguments = ["run", &file, "--state", &state, "--dead-letters", &letters];
    assert!(
        streamgauge(&arguments)
            .succeeded()
            .closing_line()
            .starts_with("records 2, applied 1, filtered 0, dead letters 1")
    );
    folder.file("log", "{\"ts\":1}\nx\n{\"ts\":2}\ny\n");
    let second = streamgauge(&arguments);
    assert!(
        second
            .succeeded()
            .closing_line()
            .starts_with("records 2, applied 1, filtered 0, dead letters 1"),
        "{second:?}"
    );
    let lines: Vec<Value> =
        folder.read("letters").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| (&line["line"], &line["data"])).collect::<Vec<_>>(),
        [(&json!(2), &json!("x")), (&json!(4), &json!("y"))]
    );
}

#[test]
fn state_that_does_not_fit_is_refused_with_the_reason() {
    let folder = Folder::new("state_refused");
    let (file, state) = (folder.file("log", hits(10)), folder.path("state"));
    streamgauge(&["run", &file, "--state", &state]).succeeded();
    streamgauge(&["run", &file, "--state", &state, "--agg", "sum(bytes)"])
        .failed(1, &["state", "another pipeline", "sum"]);
    streamgauge_reading(&["run", "--state", &state], b"{}\n").failed(2, &["--state needs files"]);
    streamgauge(&["run", &file, "--state", &state, "--partials", &state])
        .failed(2, &["a directory each"]);
    let saved = folder.path("state/run.state");
    let mut bytes = fs::read(&saved).unwrap();
    bytes[40] ^= 1;
    fs::write(&saved, bytes).unwrap();
    streamgauge(&["run", &file, "--state", &state]).failed(1, &["state", "damaged"]);
    streamgauge(&["inspect", &saved]).failed(1, &["run.state", "damaged"]);
}

#[test]
fn s58_merged_partials_are_the_answers_of_all_records() {
    let folder = Folder::new("state_partials");
    let content = hits(200);
    let (all, partials) = (folder.file("all", &content), folder.path("partials"));
    let pipeline = [&AGGREGATES[..], &["--group", "country"]].concat();
    for source in 0..3 {
        let lines: Vec<&str> = content.lines().skip(source).step_by(3).collect();
        let file = folder.file(&format!("part{source}"), lines.join("\n"));
        let name = format!("web{source}");
        let run =
            [&["run", &file, "--partials", &partials, "--source", &name], &pipeline[..]].concat();
        // Twice: partials of one source and window replace each other.
        assert_eq!(streamgauge(&run).succeeded().stdout, "");
        streamgauge(&run).succeeded();
    }
    let merged = streamgauge(
        &[&["merge", &partials, "--sources", "3", "--output", "json"], &pipeline[..]].concat(),
    );
    let expected = streamgauge(&[&["run", &all, "--output", "json"], &pipeline[..]].concat());
    assert_eq!(merged.succeeded().stdout, expected.succeeded().stdout);
    assert!(merged.stderr.contains("sources 3"), "{}", merged.stderr);
    let short = streamgauge(&[&["merge", &partials, "--sources", "4"], &pipeline[..]].concat());
    short.succeeded().says(&["note:", "windows have not the final partials of 4 sources"]);
    streamgauge(&["merge", &partials, "--agg", "count"])
        .failed(1, &["partials", "another pipeline"]);
    streamgauge(&["merge", &folder.path("none"), "--agg", "count"])
        .failed(1, &["none", "no such directory"]);
}

#[test]
fn partials_of_a_grown_file_replace_the_earlier_ones() {
    let folder = Folder::new("state_partials_grow");
    let (file, state, partials) =
        (folder.path("log"), folder.path("state"), folder.path("partials"));
    let arguments =
        [&["run", &file, "--state", &state, "--partials", &partials], &AGGREGATES[..]].concat();
    for records in [50, 51, 120, 120] {
        folder.file("log", hits(records));
        streamgauge(&arguments).succeeded();
        let merged =
            streamgauge(&[&["merge", &partials, "--output", "json"], &AGGREGATES[..]].concat());
        let expected =
            streamgauge(&[&["run", &file, "--output", "json"], &AGGREGATES[..]].concat());
        assert_eq!(merged.succeeded().stdout, expected.succeeded().stdout, "{records} records");
    }
}

#[test]
fn inspect_shows_the_contents_of_state_and_partials() {
    let folder = Folder::new("state_inspect");
    let (file, state, partials) =
        (folder.file("log", hits(30)), folder.path("state"), folder.path("partials"));
    let pipeline = ["--time", "ts", "--window", "1m", "--agg", "count, p50(bytes)"];
    streamgauge(&[&["run", &file, "--state", &state], &pipeline[..]].concat()).succeeded();
    let saved = folder.path("state/run.state");
    let text = streamgauge(&["inspect", &saved, "--output", "table"]);
    text.succeeded();
    for words in ["Run of ", "log: applied up to ", "panes: 1, ", "from 2024-01-01T00:00:00.000Z"] {
        assert!(text.stdout.contains(words), "{words:?} is not in {}", text.stdout);
    }
    let told = streamgauge(&[&["inspect", &saved], &pipeline[..]].concat()).json();
    assert_eq!(
        (&told[0]["kind"], &told[0]["bytes"]),
        (&json!("run"), &json!(fs::metadata(&saved).unwrap().len()))
    );
    assert_eq!((&told[1]["count"], told[1]["p50(bytes)"]["lower"].is_number()), (&json!(30), true));
    streamgauge(
        &[&["run", &file, "--partials", &partials, "--source", "web1"], &pipeline[..]].concat(),
    )
    .succeeded();
    let partial = fs::read_dir(&partials)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "state"));
    let told =
        streamgauge(&[&["inspect", partial.unwrap().to_str().unwrap()], &pipeline[..]].concat())
            .json();
    assert_eq!(
        (&told[0]["kind"], &told[0]["origin"]["source"], &told[1]["count"]),
        (&json!("partial"), &json!("web1"), &json!(30))
    );
    streamgauge(&["inspect", &file]).failed(1, &["log", "not streamgauge bytes"]);
    streamgauge(&["inspect", &folder.path("none")]).failed(1, &["none", "cannot be read"]);
}

#[test]
fn s318_inspect_tells_the_open_windows_and_their_largest_groups() {
    let folder = Folder::new("s318_sizes");
    let record = |minute: u64, group: &str, user: u64| {
        format!("{{\"ts\":{},\"group\":{},\"user\":{user}}}\n", minute * 60_000, json!(group))
    };
    let mut log: String = (0..500).map(|user| record(1, "many", user)).collect();
    log += &record(1, "one\u{1b}[2J", 1);
    log += &(0..7).map(|group| record(2, &format!("g{group}"), 1)).collect::<String>();
    let (file, state) = (folder.file("log", log), folder.path("state"));
    let pipeline = ["--time", "ts", "--time-format", "ms", "--window", "1m"];
    let pipeline = [&pipeline[..], &["--group", "group", "--agg", "distinct(user)"]].concat();
    streamgauge(&[&["run", &file, "--state", &state], &pipeline[..]].concat()).succeeded();
    let saved = folder.path("state/run.state");
    let told = streamgauge(&[&["inspect", &saved], &pipeline[..]].concat()).json();
    let windows = told[0]["open_windows"].as_array().unwrap();
    let groups: Vec<&serde_json::Value> = windows.iter().map(|window| &window["groups"]).collect();
    assert_eq!(groups, [&json!(2), &json!(7)]);
    for window in windows {
        let largest = window["largest"].as_array().unwrap();
        let bytes: Vec<u64> =
            largest.iter().map(|group| group["bytes"].as_u64().unwrap()).collect();
        assert!(bytes.is_sorted_by(|one, other| one >= other) && bytes.len() <= 5, "{window}");
        assert!(bytes.iter().sum::<u64>() <= window["bytes"].as_u64().unwrap() * 2, "{window}");
    }
    assert_eq!(windows[0]["largest"][0]["group"], json!(["many"]));
    let text = streamgauge(&[&["inspect", &saved, "--output", "table"], &pipeline[..]].concat());
    let lines: Vec<&str> = text.succeeded().stdout.lines().collect();
    let bar = "#".repeat(20);
    for words in ["open windows: 2, ", &format!("  {bar} [1970-01-01T00:01:00.000Z")] {
        assert!(lines.iter().any(|line| line.starts_with(words)), "{words:?}\n{}", text.stdout);
    }
    assert!(lines.iter().any(|line| line.ends_with(" \"many\"")), "{}", text.stdout);
    assert!(!text.stdout.contains('\u{1b}'));
}

#[test]
fn two_runs_with_one_state_do_not_overwrite_each_other() {
    let folder = Folder::new("state_two_runs");
    let (file, state) = (folder.file("log", hits(60_000)), folder.path("state"));
    let arguments =
        [&["run", &file, "--state", &state, "--output", "json"], &AGGREGATES[..]].concat();
    let children: Vec<_> = (0..2)
        .map(|_| command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    let mut answers = Answers::new();
    let mut ended = 0;
    for child in children {
        let run = super::run_of(child.wait_with_output().unwrap());
        ended += usize::from(run.code == Some(0));
        assert!(run.code == Some(0) || run.stderr.contains("another owner has saved"), "{run:?}");
        // The output of both is right. A run may have stopped before a line, but not inside a line.
        upsert(&mut answers, Run { code: Some(0), ..run }.json());
    }
    assert!(ended >= 1);
    assert_eq!(
        contents(&answers),
        contents(&whole(&[&["run", &file, "--output", "json"], &AGGREGATES[..]].concat()))
    );
}

/// Returns the lines that were written completely.
pub(super) fn whole_lines(output: &str) -> Vec<Value> {
    let end = output.rfind('\n').map_or(0, |at| at + 1);
    output[..end].lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[ignore = "kills a hundred runs, about a minute; scripts/test runs it"]
fn s59_a_run_that_is_killed_at_any_moment_is_continued() {
    let folder = Folder::new("state_killed");
    let content: String = hits(400_000);
    let (file, state) = (folder.file("log", &content), folder.path("state"));
    let pipeline = [
        "--time",
        "ts",
        "--window",
        "1h",
        "--every",
        "4m",
        "--max-delay",
        "30s",
        "--group",
        "country",
        "--agg",
        "count, sum(bytes), p90(bytes), top(3, url)",
    ];
    let expected = whole(&[&["run", &file, "--output", "json"], &pipeline[..]].concat());
    let arguments =
        [&["run", &file, "--state", &state, "--output", "json"], &pipeline[..]].concat();
    let mut random = Random::new(9);
    let mut kills = 0;
    while kills < 100 {
        drop(fs::remove_dir_all(&state));
        let mut answers = Answers::new();
        loop {
            let mut child =
                command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let begun = Instant::now();
            let length = Duration::from_micros(20_000 + random.below(380_000) as u64);
            let mut stdout = child.stdout.take().unwrap();
            let reader = std::thread::spawn(move || {
                let mut output = String::new();
                std::io::Read::read_to_string(&mut stdout, &mut output).map(|_| output).unwrap()
            });
            while begun.elapsed() < length && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // SIGKILL; a run that has ended by itself is not killed any more.
            let ended = child.try_wait().unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            upsert(&mut answers, whole_lines(&reader.join().unwrap()));
            match ended {
                Some(status) => break assert!(status.success(), "{status}"),
                None => kills += 1,
            }
        }
        assert_eq!(contents(&answers), contents(&expected), "after {kills} kills");
    }
    writeln!(std::io::stderr(), "{kills} kills").unwrap();
}
