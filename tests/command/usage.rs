//! Wrong usage: exit code 2, and a sentence that tells the right usage.

use super::{Folder, hits, streamgauge, streamgauge_reading};

/// Asserts that every case ends with exit code 2 and these words, whatever is on standard input.
fn refused(cases: &[(&[&str], &[&str])]) {
    for (arguments, words) in cases {
        let run = streamgauge_reading(arguments, b"{\"a\":1,\"ts\":5}\n");
        run.failed(2, words);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn flags_that_do_not_exist_or_do_not_fit_are_refused() {
    refused(&[
        (&[], &["Usage"]),
        (&["runn"], &["runn"]),
        (&["run", "--windw", "1m"], &["--windw", "--window"]),
        (&["run", "--format", "xml"], &["xml", "jsonl"]),
        (&["run", "--output", "yaml"], &["yaml", "json"]),
        (&["run", "--limit-groups", "many"], &["many"]),
        (&["run", "--limit-groups", "0"], &["0"]),
        (&["top"], &["--by"]),
        (&["top", "--by", "a", "-k", "0"], &["0"]),
        (&["top", "--by", "a", "-k", "-1"], &["-1"]),
        (&["run", "--threads", "0"], &["--threads", "at least 1 thread is needed"]),
        (&["run", "--dead-letters", "-"], &["dead letters go to a file", "./-"]),
        (&["run", "--late", "-"], &["late records go to a file", "./-"]),
    ]);
}

#[test]
fn expressions_are_refused_with_the_place() {
    refused(&[
        (&["run", "--agg", "sume(a)"], &["sume", "sum"]),
        (&["run", "--agg", "sum(a"], &["sum(a"]),
        (&["run", "--agg", "sum"], &["sum"]),
        (&["run", "--agg", "count,"], &["count"]),
        (&["run", "--agg", "p101(a)"], &["p101"]),
        (&["run", "--agg", "top(0, a)"], &["0"]),
        (&["run", "--agg", "top(10, a, 5)"], &["5"]),
        (&["run", "--agg", "sum(a), sum(a)"], &["sum(a)"]),
        (&["run", "--agg", "sum(a) as x, count as x"], &["x"]),
        (&["run", "--where", "a >< 5"], &["a"]),
        (&["run", "--where", "a >"], &["a >"]),
        (&["run", "--where", "a matches '('"], &["("]),
        (&["run", "--where", "(a > 1"], &["("]),
        (&["run", "--group", ""], &["group"]),
    ]);
    let deep = format!("{}a > 1", "(".repeat(30_000));
    refused(&[(&["run", "--where", &deep], &["nest"])]);
}

#[test]
fn windows_and_times_that_make_no_sense_are_refused() {
    refused(&[
        (
            &["run", "--window", "1m"],
            &["event time", "--time FIELD", "in an access log it is the field time"],
        ),
        (&["run", "--time-format", "ms"], &["--time-format is given, but no time", "--time FIELD"]),
        (&["run", "--every", "1m"], &["--every is given, but no window", "--window DURATION"]),
        (&["run", "--offset", "1m"], &["--offset is given, but no window", "--window DURATION"]),
        (
            &["run", "--time", "ts", "--window", "1m", "--offset", "-soon"],
            &["--offset: \"soon\" is not a duration"],
        ),
        (
            &["run", "--time", "a,b", "--window", "1m"],
            &["error: --time: ", "one field holds the event time, not 2"],
        ),
        (&["run", "--time", "ts", "--window", "5"], &["5", "1m30s"]),
        (&["run", "--time", "ts", "--window", "0s"], &["window"]),
        (&["run", "--time", "ts", "--every", "1m"], &["every", "window"]),
        (&["run", "--time", "ts", "--window", "1m", "--every", "0s"], &["slide"]),
        (&["run", "--time", "ts", "--window", "1m", "--max-delay", "soon"], &["soon"]),
        (&["run", "--time", "ts", "--window", "99999999999999999999d"], &["99999999999999999999d"]),
        (&["run", "--time", "ts", "--window", "1m", "--time-format", "%!"], &["%!"]),
    ]);
}

#[test]
fn pipeline_files_are_refused_with_the_nearest_key() {
    let folder = Folder::new("pipeline_files_are_refused_with_the_nearest_key");
    let log = folder.file("hits.jsonl", hits(3));
    let refuse = |content: &str, words: &[&str]| {
        let pipeline = folder.file("p.toml", content);
        let run = streamgauge(&["run", &log, "--pipeline", &pipeline]);
        run.failed(2, words);
        assert_eq!(run.stdout, "");
    };
    refuse("window = \"5\"\ntime = \"ts\"\n", &["window: \"5\" is not a duration"]);
    refuse("max_delay = \"soon\"\n", &["error: max_delay: \"soon\""]);
    refuse("window = \"1m\"\n", &["--time FIELD"]);
    refuse("format = \"xml\"\n", &["format: \"xml\" is not a format"]);
    refuse("windw = \"1m\"\n", &["p.toml:1", "windw", "\"window\""]);
    refuse("window = 1\n", &["p.toml:1", "expected a string"]);
    refuse("window = \"1m\n", &["p.toml"]);
    refuse("agg = [\"sume(a)\"]\n", &["sume", "sum"]);
    refuse("output = \"yaml\"\n", &["yaml"]);
    streamgauge(&["run", &log, "--pipeline", &folder.path("none.toml")]).failed(2, &["none.toml"]);
}

/// What the flags that the cases give are told about.
fn tips(cases: &[(&[&str], &[&str], &[&str])]) {
    for (arguments, words, not) in cases {
        let run = streamgauge(arguments);
        run.failed(2, words);
        for word in *not {
            assert!(!run.stderr.contains(word), "{arguments:?}: {word:?} misleads: {}", run.stderr);
        }
        assert!(
            run.stderr.lines().all(|line| line.len() <= 80 || line.starts_with("Usage: ")),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn s105_a_tip_names_a_flag_of_the_same_meaning_or_none() {
    tips(&[
        (
            &["run", "--order-by", "count"],
            &["--order-by", "use --sort COLUMN", "Usage: streamgauge run [OPTIONS] [FILE]..."],
            &["-- --order-by"],
        ),
        (&["top", "--by", "a", "-n", "3"], &["use --limit N with --sort"], &["-- -n"]),
        (&["run", "--group-by", "a"], &["--group FIELD"], &[]),
        (&["run", "--filter", "a > 1"], &["--where CONDITION"], &[]),
        (&["run", "--tz", "UTC"], &["UTC"], &["--top"]),
        (&["run", "--frobnicate"], &["--frobnicate"], &["tip"]),
        (&["run", "-z"], &["-z"], &["tip"]),
        (&["run", "--windw", "1m"], &["similar argument exists: '--window'"], &[]),
        (&["kcl", "--sort"], &["--sort"], &["tip"]),
    ]);
}

#[test]
fn s105_parts_that_flags_give_are_named_as_flags() {
    refused(&[
        (&["run", "--where", "a = = 1"], &["error: --where: "]),
        (&["run", "--agg", "sume(a)"], &["error: --agg: "]),
        (&["run", "--agg", "count, count"], &["error: --agg: there are two columns"]),
        (
            &["run", "--agg", "count as complete"],
            &["error: --agg: a column cannot be named \"complete\""],
        ),
        (&["run", "--group", "a,a"], &["error: --group: "]),
        (&["run", "--limit-groups", "0"], &["error: --limit-groups of 0"]),
        (&["run", "--max-delay", "soon"], &["error: --max-delay: "]),
        (&["run", "--lateness", "1"], &["error: --lateness: "]),
        (
            &["run", "--time", "t", "--window", "1m", "--time-format", "rfc333"],
            &["error: --time-format: "],
        ),
        (
            &["run", "--time", "t", "--window", "1m", "--every", "0s"],
            &["error: --window, --every: "],
        ),
        (&["merge", "--window", "x", "d"], &["--window: "]),
    ]);
}

#[test]
fn s4_a_negative_offset_shifts_windows_into_the_past() {
    let starts = |offset: &[&str]| {
        let arguments = [
            &["run", "--time", "x", "--time-format", "ms", "--window", "1h", "--output", "json"],
            offset,
        ]
        .concat();
        let rows = streamgauge_reading(&arguments, b"{\"x\":0}\n{\"x\":3000000}\n").json();
        super::starts(&rows).iter().map(|start| start.to_string()).collect::<Vec<_>>()
    };
    let shifted = starts(&["--offset", "50m"]);
    assert_eq!(shifted, ["1969-12-31T23:50:00.000Z", "1970-01-01T00:50:00.000Z"]);
    for same in [
        &["--offset", "-10m"][..],
        &["--offset=-10m"],
        &["--offset", "-1d10m"],
        &["--offset", "1h50m"],
    ] {
        assert_eq!(starts(same), shifted, "{same:?}");
    }
    assert_eq!(starts(&["--offset", "-1h"]), starts(&[]));
    let sliding = starts(&["--every", "20m", "--offset", "-5m"]);
    assert_eq!(sliding, starts(&["--every", "20m", "--offset", "15m"]));
    assert!(sliding.contains(&"1969-12-31T23:55:00.000Z".to_owned()), "{sliding:?}");
}

#[test]
fn quiet_keeps_errors_and_losses() {
    let run =
        streamgauge_reading(&["run", "-q", "--output", "json", "--group", "b"], b"{\"a\":1}\n");
    assert_eq!(run.succeeded().stderr, "");
    let run = streamgauge_reading(
        &["run", "--quiet", "--output", "json", "--agg", "sum(a)"],
        b"{\"a\":1}\n{\"a\":\"x\"}\n",
    );
    assert_eq!(run.succeeded().stderr, "dead letter: stdin:2: a: \"x\" is not a number\n");
    streamgauge(&["run", "-q", "none.jsonl"]).failed(1, &["error: none.jsonl"]);
    let folder = Folder::new("quiet_keeps_errors_and_losses");
    let (log, partials) = (folder.file("hits.jsonl", hits(3)), folder.path("partials"));
    assert_eq!(streamgauge(&["run", "-q", &log, "--partials", &partials]).succeeded().stderr, "");
    assert_eq!(streamgauge(&["merge", "-q", &partials]).succeeded().stderr, "");
}

#[test]
fn help_fits_a_terminal_of_80_columns() {
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["top", "--help"],
        &["merge", "--help"],
        &["inspect", "--help"],
        &["kcl", "--help"],
        &["storm", "--help"],
        &["finish", "--help"],
    ] {
        let run = streamgauge(arguments);
        let help = &run.succeeded().stdout;
        // What is written in lines by hand: examples, functions, exit codes.
        let by_hand = help.split("[possible values").last().unwrap();
        let after = by_hand
            .lines()
            .skip_while(|line| !line.starts_with("Example") && !line.starts_with("Aggregates"))
            .skip(1);
        let wide: Vec<&str> = after.filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{arguments:?}: {wide:#?}");
    }
}

#[test]
fn a_run_that_read_nothing_shows_only_the_error() {
    let folder = Folder::new("a_run_that_could_not_read_anything");
    let run = streamgauge(&["run", &folder.path("none.jsonl")]);
    run.failed(1, &["none.jsonl: cannot be read"]);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}
