//! Late records are reported and written to a file.

use super::{Folder, Run, hits, streamgauge, streamgauge_reading};
use serde_json::{Value, json};

/// Rotated access logs, the newest first, as `zcat -f access.log access.log.1 ...` gives them.
fn newest_first() -> String {
    let day = |day: u32, lines: u32| {
        (1..=lines).map(move |line| {
            format!(
                "192.0.2.{line} - - [{day}/May/2015:10:00:0{line} \
                                             +0000] \"GET /{line} HTTP/1.1\" 200 10\n"
            )
        })
    };
    day(20, 3).chain(day(19, 3)).chain(day(18, 4)).chain(day(17, 5)).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The notes about late records.
fn notes(run: &Run) -> Vec<&str> {
    run.stderr
        .lines()
        .filter(|line| {
            line.contains("came late") || line.contains("--max-delay") || line.contains("--late")
        })
        .collect()
}

#[test]
fn s78_late_records_are_noted_at_the_end_and_written_to_a_file() {
    let folder = Folder::new("late_newest_first");
    let (late, input) = (folder.path("late.jsonl"), newest_first());
    let arguments = ["run", "--time", "time", "--window", "1d", "--output", "csv"];
    let run = streamgauge_reading(&arguments, input.as_bytes());
    assert_eq!(run.succeeded().stdout.lines().count(), 2, "one day: {}", run.stdout);
    run.says(&[
        "note: 12 of 15 records came late and are in no window\n",
        "--max-delay DURATION",
        "`unbounded`",
        "--late FILE",
    ]);
    assert!(notes(&run).iter().all(|line| line.chars().count() <= 80), "{}", run.stderr);
    let quiet = streamgauge_reading(&[&arguments[..], &["-q"]].concat(), input.as_bytes());
    quiet.succeeded().says(&["12 of 15 records came late"]);

    let run = streamgauge_reading(&[&arguments[..], &["--late", &late]].concat(), input.as_bytes());
    run.succeeded().says(&["12 of 15 records came late"]);
    assert!(!run.stderr.contains("--late FILE"), "{}", run.stderr);
    let written = lines(&folder.read("late.jsonl"));
    assert_eq!(written.len(), 12);
    let fourth = input.lines().nth(3).unwrap();
    let expected = json!({
        "file": "stdin", "line": 4, "time": "2015-05-19T10:00:01.000Z", "watermark": "2015-05-20T09:59:52.999Z", "data": fourth,
    });
    assert_eq!(written[0], expected, "standard input waits 10 s");
    let all = streamgauge_reading(
        &[&arguments[..], &["--max-delay", "unbounded"]].concat(),
        input.as_bytes(),
    );
    assert_eq!((all.succeeded().stdout.lines().count(), notes(&all)), (5, vec![]));
}

#[test]
fn s78_late_records_are_the_same_on_any_number_of_threads() {
    let folder = Folder::new("late_threads");
    let mut records: Vec<String> = hits(30_000).lines().map(str::to_owned).collect();
    // Every hundredth comes 250 records, some minutes, later than in its turn.
    for index in (0..29_000).step_by(100) {
        let record = records.remove(index);
        records.insert(index + 250, record);
    }
    let (file, late) = (folder.file("hits.jsonl", records.join("\n")), folder.path("late.jsonl"));
    let run = |threads: &str| {
        let arguments = [
            "run",
            &file,
            "--time",
            "ts",
            "--window",
            "1m",
            "--max-delay",
            "5s",
            "--late",
            &late,
            "--threads",
            threads,
            "--output",
            "json",
        ];
        let run = streamgauge(&arguments);
        (run.succeeded().stdout.clone(), folder.read("late.jsonl"))
    };
    let alone = run("1");
    assert!(lines(&alone.1).len() > 100, "{}", alone.1.lines().count());
    assert_eq!(run("4"), alone);
}

#[test]
fn s79_run_compares_times_with_the_clock_if_it_reads_a_pipe() {
    let folder = Folder::new("max_ahead");
    let input =
        [hits(20), String::from("{\"ts\":\"2999-01-01T00:00:00Z\",\"bytes\":1}\n"), hits(40)]
            .concat();
    let arguments =
        ["run", "--time", "ts", "--window", "10s", "--output", "json", "--agg", "count"];
    let run = streamgauge_reading(&arguments, input.as_bytes());
    run.succeeded().says(&["40 of 61 records came late"]);
    let run =
        streamgauge_reading(&[&arguments[..], &["--max-ahead", "1d"]].concat(), input.as_bytes());
    run.succeeded().says(&[
        "dead letter: stdin:21: ts: \"2999-01-01T00:00:00Z\" lies ",
        "and max_ahead is 86400s",
        "dead letters 1, late 0",
    ]);
    let filtered = [&arguments[..], &["--max-ahead", "1d", "--where", "bytes != 1"]].concat();
    streamgauge_reading(&filtered, input.as_bytes()).succeeded().says(&["dead letters 0, late 0"]);

    let (file, pipeline) =
        (folder.file("hits.jsonl", &input), folder.file("p.toml", "max_ahead = \"1d\"\n"));
    let refused = streamgauge(&[&arguments[..], &["--max-ahead", "1d", &file]].concat());
    refused.failed(2, &["--max-ahead needs the clock", "a regular file has no arrival times"]);
    streamgauge(&[&arguments[..], &["--max-ahead", "off", &file]].concat()).succeeded();
    streamgauge(&[&arguments[..], &["--pipeline", &pipeline, &file]].concat())
        .succeeded()
        .says(&["note: max_ahead needs the clock"]);
    streamgauge_reading(&[&arguments[..], &["--max-ahead", "soon"]].concat(), b"")
        .failed(2, &["--max-ahead: "]);
}

#[test]
fn a_place_for_late_records_that_cannot_be_written_is_an_error() {
    let folder = Folder::new("late_unwritable");
    let (file, late) = (folder.file("hits.jsonl", hits(10)), folder.path("no/late.jsonl"));
    streamgauge(&["run", &file, "--late", &late])
        .failed(1, &["late.jsonl: late records cannot be written: "]);
}
