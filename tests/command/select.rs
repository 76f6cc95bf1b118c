//! `--select`: records that are passed on as rows.

use super::{Folder, streamgauge, streamgauge_reading};
use crate::simulation::Random;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Returns lines of records, some of which are passed on.
fn records(count: usize) -> String {
    let mut random = Random::new(3);
    let mut content = String::new();
    for index in 0..count {
        let size = random.below(20);
        writeln!(content, "{{\"ts\":{},\"n\":{index},\"size\":{size}}}", 1_700_000_000 + index)
            .unwrap();
    }
    content
}

const SELECT: [&str; 4] = ["--where", "size > 10", "--select", "n, size * 2 as double"];

/// Returns the rows by their keys. A key that comes again has the same row.
fn add(rows: &mut BTreeMap<String, String>, text: &str) {
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let known = rows.entry(row["group"].to_string()).or_insert_with(|| line.to_owned());
        assert_eq!(known, line, "one key has two rows");
    }
}

#[test]
fn s233_the_command_passes_rows_on_in_every_form() {
    let folder = Folder::new("select_forms");
    let file = folder.file("log", "{\"n\":1,\"size\":20}\n{\"n\":2}\n\n{\"n\":3,\"size\":11}\n");
    let run = |more: &[&str]| streamgauge(&[&["run", &file], &SELECT[..], more].concat());
    let csv = run(&["--output", "csv"]);
    let expected = format!("shard,position,revision,n,double\n{file},1,0,1,40\n{file},4,0,3,22\n");
    assert_eq!(csv.succeeded().stdout, expected);
    let json = run(&["--output", "json"]).json();
    assert_eq!(json[1]["group"], serde_json::json!({ "shard": file, "position": 4 }));
    let table = run(&["--output", "table"]);
    assert!(table.succeeded().stdout.contains("position  n  double"), "{}", table.stdout);
    run(&["--output", "html"]).failed(2, &["a page shows aggregates"]);
    run(&["--agg", "count"]).failed(2, &["--agg: select passes each record on as a row"]);
    run(&["--partials", &folder.path("p")]).failed(2, &["--partials", "there are no partials"]);
    let piped = streamgauge_reading(
        &[&["run", "--output", "csv"], &SELECT[..]].concat(),
        b"{\"n\":1,\"size\":20}\n",
    );
    assert_eq!(piped.succeeded().stdout, "shard,position,revision,n,double\nstdin,1,0,1,40\n");
}

/// Threads and blocks change nothing, and runs that go on give the rows of one run.
#[test]
fn s235_runs_that_go_on_give_each_row_once_by_its_key() {
    let folder = Folder::new("select_resume");
    let content = records(400);
    let (file, state) = (folder.file("log", &content), folder.path("state"));
    let run = [&["run", &file, "--output", "json"], &SELECT[..]].concat();
    let whole = streamgauge(&[&run[..], &["--threads", "1"]].concat());
    let threads = streamgauge(&[&run[..], &["--threads", "4"]].concat());
    assert_eq!(threads.succeeded().stdout, whole.succeeded().stdout);
    let (mut expected, mut given) = (BTreeMap::new(), BTreeMap::new());
    add(&mut expected, &whole.stdout);
    assert!(expected.len() > 100);
    let mut random = Random::new(9);
    let mut cuts: Vec<usize> = (0..4).map(|_| random.below(content.len())).collect();
    cuts.extend([content.len(), content.len()]);
    cuts.sort_unstable();
    let mut lines = 0;
    for cut in cuts {
        folder.file("log", &content[..cut]);
        let part = streamgauge(&[&run[..], &["--state", &state]].concat());
        lines += part.succeeded().stdout.lines().count();
        add(&mut given, &part.stdout);
    }
    assert_eq!((given, lines), (expected.clone(), expected.len()));
}
