//! Spellings of times that need an option, or are refused with the way to read them.

use super::{Folder, column, starts, streamgauge, streamgauge_reading};
use serde_json::json;
use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

const BY_DAY: [&str; 8] =
    ["--time", "time", "--window", "1d", "--agg", "count, first(host)", "--output", "json"];

/// A syslog of a new year's eve.
const SYSLOG: &str =
    "time,host\nDec 31 23:59:58,web1\nDec 31 23:59:59,web2\nJan  1 00:00:01,web1\n";

fn set_modified(path: &str, seconds: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

#[test]
fn s92_the_year_of_syslog_comes_from_the_flag_or_the_file() {
    let folder = Folder::new("s92_the_year_of_syslog");
    let file = folder.file("messages.csv", SYSLOG);
    // 2024-01-01T06:00:00Z.
    set_modified(&file, 1_704_088_800);
    let run = streamgauge(&[&["run", &file, "--time-format", "syslog"][..], &BY_DAY].concat());
    assert_eq!(starts(&run.json()), ["2023-12-31T00:00:00.000Z", "2024-01-01T00:00:00.000Z"]);
    run.says(&["of the year before 2024-01-01T06:00:00.000Z", "messages.csv", "--year"]);
    let run = streamgauge(&[&["run", &file, "--year", "2021"][..], &BY_DAY].concat());
    assert_eq!(starts(&run.json()), ["2021-01-01T00:00:00.000Z", "2021-12-31T00:00:00.000Z"]);
    assert!(!run.stderr.contains("note"), "{}", run.stderr);
    // The same in a pipeline file.
    let pipeline = folder.file("p.toml", "year = 2021\ntime = \"time\"\nwindow = \"1d\"\n");
    let run = streamgauge(&["run", &file, "--pipeline", &pipeline, "--output", "json"]);
    assert_eq!(column(&run.json(), "count"), [1, 2]);
}

#[test]
fn s92_a_missing_year_that_cannot_be_derived_is_an_error() {
    let folder = Folder::new("s92_where_no_year_follows");
    let file = folder.file("messages.csv", SYSLOG);
    let run = streamgauge(&[&["run", &file][..], &BY_DAY].concat());
    run.failed(1, &["is a time without a year: --year gives it"]);
    let arguments = [&["run", "--time-format", "syslog"][..], &BY_DAY].concat();
    streamgauge_reading(&arguments, SYSLOG.as_bytes())
        .failed(2, &["standard input", "give it by --year"]);
    let other = folder.file("messages.1.csv", SYSLOG);
    set_modified(&other, 1_600_000_000);
    streamgauge(&[&["run", &file, &other, "--time-format", "syslog"][..], &BY_DAY].concat())
        .failed(2, &["several years", "messages.1.csv", "--year"]);
    streamgauge(&[&["run", &file, "--year", "0"][..], &BY_DAY].concat())
        .failed(2, &["--year", "0 is no year"]);
    streamgauge(&[&["run", &file, "--year", "2024", "--time-format", "ms"][..], &BY_DAY].concat())
        .failed(2, &["--year", "the format ms"]);
}

#[test]
fn s262_the_year_of_syslog_goes_on_from_the_state() {
    let folder = Folder::new("s262_the_year_of_syslog");
    let (file, state) = (folder.path("messages.csv"), folder.path("state"));
    let run = |text: &str, modified: u64| {
        folder.file("messages.csv", text);
        set_modified(&file, modified);
        let run = ["run", &file, "--time-format", "syslog", "--state", &state];
        streamgauge(&[&run[..], &BY_DAY].concat()).json()
    };
    let eve = "time,host\nDec 31 23:59:58,web1\n";
    // 2023-12-31T23:59:59Z, and the morning after it.
    assert_eq!(starts(&run(eve, 1_704_067_199)), ["2023-12-31T00:00:00.000Z"]);
    let two = format!("{eve}Dec 31 23:59:59,web2\nJan  1 00:00:01,web1\n");
    let rows = run(&two, 1_704_088_800);
    assert_eq!(starts(&rows), ["2023-12-31T00:00:00.000Z", "2024-01-01T00:00:00.000Z"]);
    assert_eq!(column(&rows, "count"), [2, 1]);
    // A time of change that lies before what was counted changes no year.
    let rows = run(&format!("{two}Jan  1 00:00:02,web1\n"), 1_600_000_000);
    assert_eq!(starts(&rows), ["2024-01-01T00:00:00.000Z"]);
    assert_eq!(column(&rows, "count"), [2]);
}

#[test]
fn s92_an_ambiguous_time_is_a_dead_letter_with_a_remedy() {
    for (time, words) in [
        ("01/02/2024 03:04:05", "could be day/month or month/day"),
        ("2024-01-02 03:04:05 CST", "has a zone that several have in common"),
        ("2025-10-26 02:30:00 Europe/Berlin", "twice or never"),
    ] {
        let input = format!("time,host\n{time},web1\n{time},web2\n");
        let run = streamgauge_reading(&[&["run"][..], &BY_DAY].concat(), input.as_bytes());
        run.failed(1, &[words]);
    }
    // As the reason says.
    let pattern = ["run", "--time-format", "%m/%d/%Y %H:%M:%S"];
    let input = "time,host\n01/02/2024 03:04:05,web1\n01/02/2024 03:04:06,web1\n";
    let run = streamgauge_reading(&[&pattern[..], &BY_DAY].concat(), input.as_bytes());
    assert_eq!(starts(&run.json()), ["2024-01-02T00:00:00.000Z"]);
}

#[test]
fn since_and_until_keep_a_range_of_event_times() {
    let log = "time,host\n2024-01-02 03:00:00,a\n2024-01-02 04:00:00,b\n2024-01-02 05:00:00+01:00,c\n\
        2024-01-02 05:00:00,d\n";
    let count = |flags: &[&str]| {
        let run = ["run", "--time", "time", "--agg", "count", "--output", "json"];
        let rows = streamgauge_reading(&[&run, flags].concat(), log.as_bytes()).json();
        rows.first().map_or(json!(0), |row| row["count"].clone())
    };
    // From the first moment on, and up to before the last one; offsets count.
    assert_eq!(count(&["--since", "2024-01-02 04:00"]), 3);
    assert_eq!(count(&["--until", "2024-01-02T05:00:00Z"]), 3);
    assert_eq!(count(&["--since", "2024-01-02 04:00", "--until", "02 Jan 2024 05:00:00"]), 2);
    assert_eq!(count(&["--since", "2h ago"]), 0);
    assert_eq!(count(&["--until", "1d ago"]), 4);
    let folder = Folder::new("since_and_until");
    let pipeline = folder.file("p.toml", "time = \"time\"\nsince = \"2024-01-02 04:00\"\n");
    assert_eq!(count(&["--pipeline", &pipeline]), 3);
    let wrong = folder.file("w.toml", "time = \"time\"\nuntil = \"2h ago\"\n");
    streamgauge(&["run", "--pipeline", &wrong, &pipeline])
        .failed(2, &["until: \"2h ago\" is not a time", "for flags alone"]);
    for (flags, words) in [
        (&["--since", "soon", "--time", "t"][..], "--since: \"soon\" is not a time"),
        (&["--since", "2024-01-02"], "--since: name the field that holds the event time by --time"),
        (
            &["--since", "2024-01-02", "--until", "2024-01-01", "--time", "t"],
            "--until: no time is from",
        ),
    ] {
        streamgauge_reading(&[&["run"][..], flags].concat(), b"").failed(2, &[words]);
    }
}
