//! Wrong usage: exit code 2, and a sentence that says what would have been right.

use super::{Folder, hits, streamgauge, streamgauge_reading};

/// Every case ends with exit code 2 and says the words, whatever is on standard input.
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
        (&["run", "--window", "1m"], &["event time", "as time"]),
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
    refuse("windw = \"1m\"\n", &["p.toml:1", "windw", "\"window\""]);
    refuse("window = 1\n", &["p.toml:1", "expected a string"]);
    refuse("window = \"1m\n", &["p.toml"]);
    refuse("agg = [\"sume(a)\"]\n", &["sume", "sum"]);
    refuse("output = \"yaml\"\n", &["yaml"]);
    streamgauge(&["run", &log, "--pipeline", &folder.path("none.toml")]).failed(2, &["none.toml"]);
}
