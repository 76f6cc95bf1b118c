//! Several `[[query]]` tables in one pipeline file: outputs, closing lines, and what is refused.

use super::{Folder, hits, streamgauge};

const PIPELINE: &str = "time = 'ts'\nwindow = '1m'\nmax_delay = '5s'\n\
                        [[query]]\nname = 'hits'\ngroup = 'country'\nagg = 'count'\n\
                        [[query]]\nname = 'errors'\nwhere = 'status >= 500'\nwindow = '2m'\n\
                        agg = 'count as n, p50(bytes)'\n";

#[test]
fn s223_rows_bear_the_name_of_their_query_in_every_output() {
    let folder = Folder::new("queries_outputs");
    let (log, pipeline) = (folder.file("log", hits(240)), folder.file("p.toml", PIPELINE));
    let run =
        |output: &str| streamgauge(&["run", &log, "--pipeline", &pipeline, "--output", output]);
    let json = run("json");
    let rows = json.json();
    let first = "{\"query\":\"hits\",\"window\":{\"start\":\"2024-01-01T00:00:00.000Z\"";
    assert!(json.stdout.starts_with(first), "{}", json.stdout);
    let of = |name: &str| rows.iter().filter(|row| row["query"] == name).count();
    assert_eq!((of("hits"), of("errors"), rows.len()), (12, 2, 14));
    let csv = run("csv");
    let lines: Vec<&str> = csv.succeeded().stdout.lines().collect();
    assert_eq!(
        lines[0],
        "query,window_start,window_end,country,revision,count,n,p50(bytes),p50(bytes) lower,\
         p50(bytes) upper"
    );
    assert_eq!(lines[1], "hits,2024-01-01T00:00:00.000Z,2024-01-01T00:01:00.000Z,DE,0,20,,,,");
    assert!(lines.iter().any(|line| line.starts_with("errors,") && line.contains("Z,,0,,12,")));
    let table = run("table");
    assert!(table.succeeded().stdout.starts_with("query"), "{}", table.stdout);
    table.says(&[
        "records 240, dead letters 0\n",
        "query hits: applied 240, filtered 0, dead letters 0, late 0\n",
        "query errors: applied 24, filtered 216, dead letters 0, late 0\n",
        "windows 6, rows 14, ",
    ]);
}

#[test]
fn s222_a_dead_letter_is_one_line_with_the_names_of_the_queries() {
    let folder = Folder::new("queries_dead");
    let lines = "{\"a\":1,\"b\":2}\n{\"a\":\"x\",\"b\":2}\noops\n{\"a\":\"x\",\"b\":\"y\"}\n";
    let (log, letters) = (folder.file("log", lines), folder.path("letters"));
    let tables: String = [("one", "a"), ("two", "a"), ("three", "b")]
        .iter()
        .map(|(name, field)| format!("[[query]]\nname = '{name}'\nagg = 'sum({field})'\n"))
        .collect();
    let pipeline = folder.file("p.toml", tables);
    let run = streamgauge(&["run", &log, "--pipeline", &pipeline, "--dead-letters", &letters]);
    run.succeeded().says(&[
        "records 4, dead letters 3\n",
        "query one: applied 1, filtered 0, dead letters 2, late 0\n",
        "query three: applied 2, filtered 0, dead letters 1, late 0\n",
    ]);
    let told = folder.read("letters");
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("queries one, two: a: \\\"x\\\" is not a number"), "{}", told[0]);
    assert!(told[1].contains("invalid JSON"), "{}", told[1]);
    assert!(told[2].contains("is not a number; query three: b: \\\"y\\\""), "{}", told[2]);
}

/// The third record is more than a minute behind the second.
const TIMES: &str = "{\"ts\":1704067200000}\n{\"ts\":1704067300000}\n{\"ts\":1704067201000}\n";

#[test]
fn late_records_are_noted_for_each_query() {
    let folder = Folder::new("queries_late");
    let log = folder.file("log", TIMES);
    let pipeline = "time = 'ts'\nmax_delay = '0s'\n[[query]]\nname = 'short'\nwindow = '1m'\n\
                    [[query]]\nname = 'long'\nwindow = '1h'\n";
    let pipeline = folder.file("p.toml", pipeline);
    let late = folder.path("late");
    let run = streamgauge(&["run", &log, "--pipeline", &pipeline, "--late", &late]);
    run.succeeded().says(&["note: query short: 1 of 3 records came late", "late 1\n", "late 0\n"]);
    assert!(!run.stderr.contains("query long: 1 of"), "{}", run.stderr);
    assert_eq!(folder.read("late").lines().count(), 1);
}

#[test]
fn a_check_explains_each_query() {
    let folder = Folder::new("queries_check");
    let pipeline = folder.file("p.toml", PIPELINE);
    let run = streamgauge(&["check", &pipeline]);
    let explained = &run.succeeded().stdout;
    for words in ["query hits\nwindows: 60s", "query errors\nwindows: 120s", "n: exact"] {
        assert!(explained.contains(words), "{words:?} is not in {explained}");
    }
}

#[test]
fn s220_a_wrong_file_or_flag_is_refused() {
    let folder = Folder::new("queries_refused");
    let log = folder.file("log", hits(10));
    let refused = |toml: &str, flags: &[&str], words: &[&str]| {
        let pipeline = folder.file("p.toml", toml);
        let run = streamgauge(&[&["run", &log, "--pipeline", &pipeline], flags].concat());
        run.failed(2, words);
    };
    for flags in [["--agg", "count"], ["--window", "1m"], ["--group", "url"], ["--limit", "3"]] {
        refused(PIPELINE, &flags, &[flags[0], "the pipeline has several queries"]);
    }
    let place = "write the key select into the table [[query]] whose rows it is";
    refused(PIPELINE, &["--select", "url"], &["--select", place]);
    refused("query = []", &[], &["query: the list is empty"]);
    refused("[[query]]\nagg = 'count'", &[], &["query: table 1 has no name"]);
    let twice = "[[query]]\nname = 'a'\n[[query]]\nname = 'a'\n";
    refused(twice, &[], &["query: two have the name \"a\""]);
    refused("[[query]]\nname = 'a'\nagg = 'sun(x)'", &[], &["query a: agg: column 1", "\"sum\""]);
    refused("[[query]]\nname = 'a'\nwindow = '1m'", &[], &["query a: a window needs", "time = "]);
    let taken = "[[query]]\nname = 'a'\nagg = 'count as query'\n";
    refused(taken, &[], &["query a: agg: a column cannot be named \"query\""]);
    let rows = "[[query]]\nname = 'a'\n[[query]]\nname = 'b'\nselect = 'url'\n";
    refused(rows, &["--state", &folder.path("s")], &["--state: rows that select passes on"]);
    let taken = "[[query]]\nname = 'a'\nselect = 'url as query'\n";
    refused(taken, &[], &["query a: select: a row has \"query\" already"]);
    let many: String = (0..1000).map(|index| format!("[[query]]\nname = 'q{index}'\n")).collect();
    refused(&many, &[], &["there are 1000 tables", "limit of 100 (Limits::queries_max)"]);
    let run = ["run", &log, "--pipeline", &folder.file("p.toml", PIPELINE), "--output", "json"];
    // Flags for all queries are taken, and a condition goes with those of the file.
    let all =
        streamgauge(&[&run[..], &["--where", "country = 'DE'", "--max-delay", "1s"]].concat());
    assert!(all.json().iter().all(|row| row["group"]["country"] != "FR"));
}

/// Questions that keep windows open, take rows back, and have groups of their own.
const KEPT: &str = "time = 'ts'\nwindow = '10s'\n\
                    [[query]]\nname = 'hits'\ngroup = 'country'\nagg = 'count, sum(bytes)'\n\
                    [[query]]\nname = 'all'\nwindow = '30s'\nevery = '10s'\nagg = 'max(bytes)'\n\
                    [[query]]\nname = 'top'\ngroup = 'url'\nsort = 'count desc'\nlimit = 2\n\
                    [[query]]\nname = 'visits'\nsession = '2s'\ngroup = 'url'\n";

/// The answers that hold after all runs: the last revision of each row.
type Holding = std::collections::BTreeMap<String, (u64, Option<serde_json::Value>)>;

fn upsert(holding: &mut Holding, rows: Vec<serde_json::Value>) {
    for mut row in rows {
        let key = format!("{} {} {}", row["query"], row["window"], row["group"]);
        let revision = row["revision"].as_u64().unwrap();
        row["revision"] = serde_json::Value::Null;
        let is_retracted = row.get("retracted").is_some();
        let before = holding.get(&key).map(|(revision, _)| *revision);
        assert!(before.is_none_or(|before| before <= revision), "{key}");
        holding.insert(key, (revision, Some(row).filter(|_| !is_retracted)));
    }
}

fn contents(holding: &Holding) -> Vec<&serde_json::Value> {
    holding.values().filter_map(|(_, row)| row.as_ref()).collect()
}

#[test]
fn s224_a_run_that_continues_answers_as_one_run_over_all() {
    let folder = Folder::new("queries_state");
    let pipeline = folder.file("p.toml", KEPT);
    let lines: Vec<String> = hits(100).lines().map(|line| format!("{line}\n")).collect();
    for (files, delay) in [(1, None), (1, Some("3s")), (2, None), (2, Some("3s"))] {
        let paths: Vec<String> =
            (0..files).map(|file| folder.path(&format!("log{file}"))).collect();
        let state = folder.path(&format!("state{files}{}", delay.is_some()));
        let mut run: Vec<&str> = vec!["run"];
        run.extend(paths.iter().map(String::as_str));
        run.extend(["--pipeline", &pipeline, "--output", "json", "--threads", "2"]);
        run.extend(delay.iter().flat_map(|delay| ["--max-delay", *delay]));
        let mut answers = Holding::new();
        for cut in [0, 7, 50, 51, 93, 100] {
            for (file, path) in paths.iter().enumerate() {
                // The last file has the latest records, and each file grows at its end.
                let part = &lines[file * 100 / files..(file + 1) * 100 / files];
                std::fs::write(path, part[..part.len() * cut / 100].concat()).unwrap();
            }
            let resumed = streamgauge(&[&run[..], &["--state", &state]].concat());
            upsert(&mut answers, resumed.json());
            let mut whole = Holding::new();
            upsert(&mut whole, streamgauge(&run).json());
            assert_eq!(contents(&answers), contents(&whole), "{files} {delay:?} {cut}");
        }
        // A changed query is refused, and nothing is lost.
        let changed = folder.file("changed.toml", KEPT.replace("sum(bytes)", "min(bytes)"));
        let mut other = run.clone();
        other[run.iter().position(|part| *part == pipeline).unwrap()] = &changed;
        streamgauge(&[&other[..], &["--state", &state]].concat())
            .failed(1, &["the state is of another pipeline"]);
        let again = streamgauge(&[&run[..], &["--state", &state]].concat());
        assert_eq!(again.succeeded().stdout, "", "nothing has changed");
        let inspected =
            streamgauge(&["inspect", &state, "--pipeline", &pipeline, "--output", "json"]);
        assert!(inspected.succeeded().stdout.contains("\"query\":\"visits\""));
    }
}

#[test]
fn s226_partials_of_several_queries_are_refused() {
    let folder = Folder::new("queries_partials");
    let (log, pipeline) = (folder.file("log", hits(5)), folder.file("p.toml", PIPELINE));
    let run = streamgauge(&["run", &log, "--pipeline", &pipeline, "--partials", &folder.path("p")]);
    run.failed(2, &["--partials: the pipeline has several queries", "a pipeline file and a place"]);
    let merge = streamgauge(&["merge", &folder.path("p"), "--pipeline", &pipeline]);
    merge.failed(2, &["the pipeline has several queries, and partials are of one"]);
}

#[test]
fn s223_a_page_has_the_rows_of_one_query() {
    let folder = Folder::new("queries_page");
    let (log, pipeline) = (folder.file("log", hits(240)), folder.file("p.toml", PIPELINE));
    let run =
        |output: &str| streamgauge(&["run", &log, "--pipeline", &pipeline, "--output", output]);
    run("html").failed(2, &["a page shows one query", "streamgauge report"]);
    let json = run("json");
    let all = folder.file("all.jsonl", &json.succeeded().stdout);
    streamgauge(&["report", &all]).failed(1, &["all.jsonl:", "is of the query errors", "grep"]);
    let lines = json.stdout.lines().filter(|line| line.starts_with("{\"query\":\"hits\""));
    let hits = folder.file("hits.jsonl", lines.collect::<Vec<_>>().join("\n"));
    assert!(streamgauge(&["report", &hits]).succeeded().stdout.contains("count"));
}

#[test]
fn s252_rows_stand_beside_aggregates_in_every_output() {
    let folder = Folder::new("queries_select");
    let log =
        folder.file("log", "{\"n\":1,\"k\":\"a\"}\n{\"n\":7,\"k\":\"b\"}\n{\"n\":9,\"k\":\"a\"}\n");
    let pipeline = "group = 'k'\n[[query]]\nname = 'all'\n\
                    [[query]]\nname = 'high'\nwhere = 'n > 5'\nselect = 'n, k as kind'\n";
    let pipeline = folder.file("p.toml", pipeline);
    let run = |more: &[&str]| {
        streamgauge(&[&["run", &log, "--pipeline", &pipeline, "--output"], more].concat())
    };
    let json = run(&["json"]).json();
    assert_eq!(json[0]["group"], serde_json::json!({ "shard": log, "position": 2 }));
    assert_eq!((&json[1]["query"], &json[1]["kind"]), (&"high".into(), &"a".into()));
    assert_eq!((&json[3]["query"], &json[3]["count"]), (&"all".into(), &1.into()));
    let csv = run(&["csv"]);
    let expected = format!(
        "query,k,shard,position,revision,count,n,kind\nhigh,,{log},2,0,,7,b\nhigh,,{log},3,0,,9,a\n\
         all,a,,,0,2,,\nall,b,,,0,1,,\n"
    );
    assert_eq!(csv.succeeded().stdout, expected);
    let threads = run(&["csv", "--threads", "4"]);
    assert_eq!(threads.succeeded().stdout, expected);
}
