//! Answers in files: the flag --out.

use super::{Folder, hits, streamgauge};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FLAGS: [&str; 6] = ["--time", "ts", "--window", "1m", "--group", "country"];

/// Returns the files below a folder, hidden ones too, by their paths.
pub(super) fn files(folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let content = fs::read(&path).unwrap();
                    files.insert(path, content);
                }
            }
        }
    }
    files
}

pub(super) fn text(files: &BTreeMap<PathBuf, Vec<u8>>) -> String {
    files.values().map(|content| String::from_utf8(content.clone()).unwrap()).collect()
}

fn is_in_folder_of_date(path: &Path) -> bool {
    path.parent().unwrap().file_name().unwrap().to_str().unwrap().starts_with("date=20")
}

#[test]
fn s300_files_have_the_rows_of_standard_output() {
    let folder = Folder::new("answer_files");
    let log = folder.file("hits.jsonl", hits(2_000));
    let expected = streamgauge(&[&["run", &log, "--output", "json"], &FLAGS[..]].concat());
    let expected = &expected.succeeded().stdout;
    let one = folder.path("one.jsonl");
    let many = folder.path("many/");
    for place in [&one, &many] {
        let run = streamgauge(&[&["run", &log, "--out", place], &FLAGS[..]].concat());
        assert_eq!(run.succeeded().stdout, "");
    }
    assert_eq!(folder.read("one.jsonl"), *expected);
    let parts = files(&many);
    assert!(parts.keys().all(|path| is_in_folder_of_date(path)), "{parts:?}");
    assert_eq!(text(&parts), *expected);
}

#[test]
fn s300_a_run_that_continues_writes_each_window_and_revision_once() {
    let folder = Folder::new("answer_files_state");
    let log = folder.file("hits.jsonl", hits(1_000));
    let (state, out) = (folder.path("state"), folder.path("out/"));
    let run = || {
        let flags = ["run", &log, "--state", &state, "--out", &out, "--quiet"];
        streamgauge(&[&flags[..], &FLAGS[..]].concat()).succeeded();
        files(&out)
    };
    let first = run();
    assert!(first.len() > 1, "{:?}", first.keys());
    assert_eq!(run(), first, "nothing is new");
    fs::remove_dir_all(folder.path("state")).unwrap();
    assert_eq!(run(), first, "a retry from the beginning gives the same files");
    folder.file("hits.jsonl", hits(1_500));
    let grown = run();
    assert!(grown.len() > first.len());
    for (path, content) in &first {
        assert_eq!(grown.get(path), Some(content), "{path:?} was written again");
    }
    let news: Vec<&PathBuf> = grown.keys().filter(|path| !first.contains_key(*path)).collect();
    assert!(news.iter().any(|path| path.to_str().unwrap().contains("-r1-")), "{news:?}");
}

#[test]
fn s301_a_run_that_fails_leaves_no_file() {
    let folder = Folder::new("answer_files_failed");
    let log = folder.file("hits.jsonl", hits(100) + "no record\n");
    let out = folder.path("out.jsonl");
    let run = streamgauge(&["run", &log, "--strict", "--out", &out]);
    run.failed(1, &["(--strict)"]);
    let names: Vec<PathBuf> = files(&folder.path("")).into_keys().collect();
    assert_eq!(names, [PathBuf::from(&log)]);
}

#[test]
fn s301_a_place_that_cannot_be_written_is_told() {
    let folder = Folder::new("answer_files_place");
    let log = folder.file("hits.jsonl", hits(10));
    let below_file = format!("{log}/out/");
    streamgauge(&["run", &log, "--out", &below_file])
        .failed(1, &["--out: cannot make the folder", &below_file]);
    streamgauge(&["run", &log, "--out", &log]).failed(2, &["--out", "the input", "same file"]);
    streamgauge(&["run", &log, "--out", "/none/such.jsonl"])
        .failed(1, &["--out: cannot write /none/such.jsonl", "No such file"]);
}

#[test]
fn an_output_that_is_not_for_files_is_refused_with_what_to_do() {
    let folder = Folder::new("answer_files_usage");
    let log = folder.file("hits.jsonl", hits(10));
    let (out, state) = (folder.path("out.jsonl"), folder.path("state"));
    for (flags, words) in [
        (&["--output", "csv", "--out", &out][..], "use json or parquet"),
        (&["--output", "parquet"], "--out hits.parquet"),
        (&["--state", &state, "--out", &out], "so it needs a directory, as in"),
        (&["--partials", &state, "--out", &out], "cannot be used with"),
    ] {
        streamgauge(&[&["run", &log], flags].concat()).failed(2, &[words]);
    }
    assert!(!Path::new(&out).exists());
}

#[test]
#[cfg(feature = "parquet")]
fn s303_a_hundred_thousand_groups_are_a_file_of_parquet() {
    let folder = Folder::new("answer_files_many");
    let line = |at: usize| format!("{{\"g\":\"\\u001b[{at}\\u202e\"}}\n");
    let log = folder.file("groups.jsonl", (0..100_000).map(line).collect::<String>());
    let out = folder.path("groups.parquet");
    let flags = ["--group", "g", "--output", "parquet", "--out", &out, "--quiet"];
    streamgauge(&[&["run", &log], &flags[..]].concat()).succeeded();
    let content = fs::read(&out).unwrap();
    assert!(content.starts_with(b"PAR1") && content.ends_with(b"PAR1"));
}
