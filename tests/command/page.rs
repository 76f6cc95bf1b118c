//! `--output html` and `streamgauge report`: the page of answers.

use super::{Folder, Run, hits, streamgauge, streamgauge_reading};
use sha2::{Digest, Sha256};

/// Flags of a few pipelines over the log of [`hits`], with what their pages have.
const PIPELINES: [(&[&str], &str); 4] = [
    (&["--time", "ts", "--window", "1m"], "31 windows of 1 minute"),
    (
        &["--time", "ts", "--window", "5m", "--every", "1m"],
        "35 windows of 5 minutes every 1 minute",
    ),
    (&["--time", "ts", "--window", "1m", "--group", "country"], "<h2>3 groups by country</h2>"),
    (&["--group", "country"], "One window over everything"),
];

const AGGREGATES: &str = "count, sum(bytes) as bytes, p99(bytes), distinct(url), top(3, url)";

/// Runs a pipeline over half an hour of the log.
fn run(folder: &Folder, flags: &[&str], output: &str) -> String {
    let log = folder.file("hits.jsonl", hits(1_860));
    let all = [&["run", &log, "--agg", AGGREGATES, "--output", output], flags].concat();
    streamgauge(&all).succeeded().stdout.clone()
}

/// What is between two tags.
fn between<'a>(page: &'a str, open: &str, close: &str) -> &'a str {
    let (_, rest) = page.split_once(open).unwrap_or_else(|| panic!("no {open}"));
    rest.split_once(close).unwrap_or_else(|| panic!("no {close}")).0
}

#[test]
fn s206_a_page_of_the_json_is_the_page_of_the_run() {
    let folder = Folder::new("s206_page");
    for (flags, text) in PIPELINES {
        let page = run(&folder, flags, "html");
        assert!(page.contains(text), "{flags:?}");
        assert_eq!(page, run(&folder, &[flags, &["--threads", "1"]].concat(), "html"), "{flags:?}");
        let answers = folder.file("answers.jsonl", run(&folder, flags, "json"));
        let pipeline = folder.file("p.toml", format!("agg = [\"{AGGREGATES}\"]"));
        let report = streamgauge(&["report", &answers, "--pipeline", &pipeline]);
        let part = |page: &str| match flags.contains(&"--every") {
            // Only the run knows that the last windows end after the input.
            true => between(page, "<table class=\"win sort\">", "</table>").to_owned(),
            false => between(page, "<main>", "</main>").to_owned(),
        };
        assert_eq!(part(&report.succeeded().stdout), part(&page), "{flags:?}");
    }
}

#[test]
fn lists_of_tuples_and_histograms_are_on_a_page() {
    let folder = Folder::new("page_lists");
    let log = folder.file("hits.jsonl", hits(120));
    let agg = "top(2, (url, country)), histogram(bytes, 300, 600), max_by(url, bytes)";
    let run = |output: &str| {
        let flags = ["--time", "ts", "--window", "1m", "--agg", agg, "--output", output];
        streamgauge(&[&["run", &log], &flags[..]].concat()).succeeded().stdout.clone()
    };
    let page = run("html");
    assert!(page.contains("<bdi>/0</bdi> · <bdi>DE</bdi>"), "{page}");
    // Buckets are in their order, and the sums over both minutes are exact.
    let histogram = between(&page, "<h2>histogram(", "</section>");
    let cells = |class: &str| -> Vec<String> {
        let open = format!("<td class=\"{class}\">");
        histogram.split(&open).skip(1).map(|rest| between(rest, "", "</td>").to_owned()).collect()
    };
    assert_eq!(cells("v"), ["30", "30", "60"], "{histogram}");
    assert!(!histogram.contains("not certain") && !histogram.contains("rank"), "{histogram}");
    let answers = folder.file("answers.jsonl", run("json"));
    let report = streamgauge(&["report", &answers]).succeeded().stdout.clone();
    let main = |page: &str| between(page, "<main>", "</main>").to_owned();
    assert_eq!(main(&report), main(&page));
}

#[test]
fn s114_buckets_of_all_windows_are_in_the_order_of_their_bounds() {
    let folder = Folder::new("page_buckets");
    let log = folder.file("hits.jsonl", hits(120));
    // The first minute has the larger numbers.
    let agg = "histogram(400 - bytes)";
    let flags = ["--time", "ts", "--window", "1m", "--agg", agg, "--output", "html"];
    let page = streamgauge(&[&["run", &log], &flags[..]].concat()).succeeded().stdout.clone();
    let table = between(&page, "<h2>histogram(", "</section>");
    let keys: Vec<&str> = table.split("<bdi>").skip(1).map(|rest| between(rest, "", "<")).collect();
    let found = |key: &str| keys.iter().position(|found| *found == key).unwrap();
    let order = ["-1024 to -768", "-192 to -128", "0", "8 to 12", "384 to 512"].map(found);
    assert!(order.is_sorted(), "{keys:?}");
}

#[test]
fn a_window_that_the_input_does_not_fill_is_dotted() {
    let folder = Folder::new("page_cut");
    let page = |records: u64, flags: &[&str]| {
        let log = folder.file("hits.jsonl", hits(records));
        let all = [&["run", &log, "--time", "ts", "--output", "html"], flags].concat();
        streamgauge(&all).succeeded().stdout.clone()
    };
    let note = "The input ends within the last window: it is dotted";
    assert!(page(150, &["--window", "1m"]).contains(note));
    assert!(page(150, &["--window", "1m", "--threads", "1"]).contains(note));
    assert!(page(150, &["--window", "1m", "--max-delay", "5s"]).contains(note));
    assert!(!page(180, &["--window", "1m"]).contains(note));
    let sliding = page(180, &["--window", "3m", "--every", "1m"]);
    assert!(sliding.contains("The input ends within the last 2 windows"), "{sliding}");
}

#[test]
fn times_of_a_page_are_those_of_the_time_zone() {
    let folder = Folder::new("page_zone");
    let log = folder.file("hits.jsonl", hits(90));
    let flags = ["--time", "ts", "--window", "1d", "--timezone", "Asia/Kathmandu"];
    let run = |output: &str| {
        let all = [&["run", &log, "--output", output], &flags[..]].concat();
        streamgauge(&all).succeeded().stdout.clone()
    };
    let page = run("html");
    assert!(page.contains("1 Jan 2024, 00:00 to 24:00 Asia/Kathmandu"), "{page}");
    let answers = folder.file("answers.jsonl", run("json"));
    let page = streamgauge(&["report", &answers]).succeeded().stdout.clone();
    assert!(page.contains("1 Jan 2024, 00:00 to 24:00 UTC+05:45"), "{page}");
}

#[test]
fn s200_the_policy_of_a_page_names_its_style_and_script() {
    let folder = Folder::new("s200_page");
    let page = run(&folder, PIPELINES[0].0, "html");
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    let hash = |text: &str| base64_simd::STANDARD.encode_to_string(Sha256::digest(text));
    let style = hash(between(&page, "<style>", "</style>"));
    let script = hash(between(&page, "<script>", "</script>"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; \
             base-uri 'none'; form-action 'none'"
        )
    );
    assert_eq!(page.matches("<script").count(), 2, "the script, and the lists of windows");
    for outside in [" style=", " onclick", " src=", "href=\"http"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn s207_a_page_of_half_an_hour_is_small() {
    let folder = Folder::new("s207_page");
    let size = |index: usize| run(&folder, PIPELINES[index].0, "html").len();
    assert!(size(0) < 60_000, "{}", size(0));
    assert!(size(2) < 120_000, "{}", size(2));
}

#[test]
fn the_head_of_a_page_says_what_was_read() {
    let folder = Folder::new("page_head");
    let log = folder.file("hits.jsonl", hits(90) + "not a record\n");
    let flags = ["--time", "ts", "--window", "1m", "--where", "status < 500", "--output", "html"];
    let page = streamgauge(&[&["run", &log], &flags[..]].concat()).succeeded().stdout.clone();
    for text in [
        "<title>hits.jsonl · streamgauge</title>",
        "keeps the records with <code>status &lt; 500</code>, puts each record by <code>ts</code> \
         into a window of 1 minute, and computes <code>count</code>.",
        "<dt>records read</dt><dd>91</dd>",
        "<dt>applied</dt><dd>81<small>89 %</small></dd>",
        "<dt>filtered out</dt><dd>9<small>9.89 %</small></dd>",
        "<div class=\"w\"><dt>dead letters</dt><dd>1<small>1.1 %</small></dd></div>",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn without_answers_a_page_says_why() {
    let none = streamgauge_reading(&["run", "--output", "html"], b"");
    assert!(none.succeeded().stdout.contains("Not one record was read."));
    let flags = ["run", "--where", "status == 1", "--group", "url", "--output", "html"];
    let filtered = streamgauge_reading(&flags, hits(9).as_bytes());
    assert!(filtered.succeeded().stdout.contains("No record passed the filter."));
    let report = streamgauge_reading(&["report", "-"], b"");
    assert!(report.succeeded().stdout.contains("There is no answer that holds."));
}

#[test]
fn s201_keys_from_outside_are_text_on_a_page() {
    let record = "{\"k\":\"</script><script>alert(1)</script>\\u202e\\u0000\"}\n";
    for flags in [["--group", "k"], ["--agg", "top(2, k)"]] {
        let run = streamgauge_reading(
            &[&["run", "--output", "html"], &flags[..]].concat(),
            record.as_bytes(),
        );
        let page = &run.succeeded().stdout;
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"), "{page}");
        assert!(!page.contains("<script>alert") && !page.contains(['\u{202e}', '\0']), "{page}");
    }
}

#[test]
fn s202_a_report_has_the_highest_revisions_of_all_runs() {
    let folder = Folder::new("s202_page");
    let state = folder.path("state");
    let mut answers = String::new();
    // The second run revises the second group, and takes the row of half a line back.
    for content in ["v,g\n1,a\n2,b\n3,c", "v,g\n1,a\n2,b\n3,cd\n4,b\n"] {
        let log = folder.file("log.csv", content);
        let flags = ["--format", "csv", "--group", "g", "--output", "json", "--state", &state];
        answers += &streamgauge(&[&["run", &log], &flags[..]].concat()).succeeded().stdout;
    }
    assert!(answers.contains("\"retracted\":true"), "{answers}");
    let file = folder.file("answers.jsonl", &answers);
    let page = streamgauge(&["report", &file, "--title", "A <title>"]).succeeded().stdout.clone();
    let table = between(&page, "<tbody>", "</tbody>");
    let rows: Vec<&str> = table.matches("<bdi>").collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert!(table.contains("<bdi>b</bdi>") && table.contains("<td>2</td>"), "{table}");
    assert!(table.contains("<bdi>cd</bdi>") && !table.contains("<bdi>c</bdi>"), "{table}");
    assert!(page.contains("<title>A &lt;title&gt; · streamgauge</title>"), "{page}");
}

#[test]
fn what_is_no_answer_is_told_with_its_line() {
    let folder = Folder::new("page_wrong");
    let answer = r#"{"window":null,"revision":0,"count":1}"#;
    let file = folder.file("a.jsonl", format!("{answer}\n{{\"count\":2}}\n"));
    let report = |arguments: &[&str]| -> Run { streamgauge(&[&["report"], arguments].concat()) };
    report(&[&file]).failed(1, &["a.jsonl:2: is no answer: it has no \"window\""]);
    report(&[&folder.path("b.jsonl")]).failed(1, &["b.jsonl: cannot be read"]);
    report(&[&folder.file("c.jsonl", b"\xff\n")]).failed(1, &["c.jsonl:1: is not UTF-8"]);
    report(&[]).failed(2, &["<FILE>"]);
    assert_eq!(report(&[&file]).stdout, "", "nothing of a page that is not whole");
}

#[test]
fn merged_answers_make_a_page() {
    let folder = Folder::new("page_merge");
    let (log, place) = (folder.file("hits.jsonl", hits(90)), folder.path("partials"));
    let pipeline = ["--time", "ts", "--window", "1m"];
    streamgauge(&[&["run", &log, "--partials", &place], &pipeline[..]].concat()).succeeded();
    let flags = [&["merge", &place, "--output", "html"], &pipeline[..]].concat();
    let page = streamgauge(&flags).succeeded().stdout.clone();
    assert!(page.contains("<dt>partials</dt><dd>2</dd>"), "{page}");
    assert!(page.contains("<span class=\"ro\">90<i>in all</i></span>"), "{page}");
}
