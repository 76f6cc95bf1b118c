//! `--unnest`: a record for each element of an array.

use super::state::{Answers, contents, upsert, whole};
use super::{Folder, streamgauge};
use crate::simulation::Random;
use std::fmt::Write;

#[test]
fn s230_the_command_makes_a_record_of_each_element() {
    let folder = Folder::new("unnest");
    let file = folder.file(
        "log",
        "{\"tags\":[\"a\",\"b\"]}\n{\"tags\":[]}\n{\"tags\":[\"b\",[1]]}\n{\"tags\":5}\n{}\n",
    );
    let letters = folder.path("letters");
    let run = streamgauge(&[
        "run",
        &file,
        "--unnest",
        "tags",
        "--group",
        "tags",
        "--where",
        "tags <> '[1]'",
        "--output",
        "csv",
        "--dead-letters",
        &letters,
    ]);
    assert_eq!(run.succeeded().stdout, "tags,revision,count\na,0,1\nb,0,2\n");
    let closing = run.closing_line();
    assert!(
        closing.starts_with("records 5, applied 3, filtered 1, dead letters 1, late 0"),
        "{closing}"
    );
    run.says(&["note: records without an element of --unnest, which count as none: 2"]);
    let letter = folder.read("letters");
    assert!(
        letter.contains("\"line\":4,\"reason\":\"tags: the value is not an array\""),
        "{letter}"
    );
    streamgauge(&["run", &file, "--unnest", "tags", "--strict"])
        .failed(1, &["tags: the value is not an array"]);
    let pipeline = folder.file("p.toml", "unnest = 'tags'\ngroup = 'tags'\n");
    streamgauge(&["check", &pipeline]).succeeded();
}

/// Runs over a file that grows step by step, with state, give the answers of one run, on any number
/// of threads.
#[test]
fn s232_runs_that_go_on_lose_and_double_no_element() {
    let folder = Folder::new("unnest_resume");
    let mut random = Random::new(5);
    let mut content = String::new();
    for second in 0..400 {
        let tags: Vec<usize> = (0..random.below(5)).map(|_| random.below(4)).collect();
        writeln!(content, "{{\"ts\":{},\"tags\":{tags:?}}}", 1_700_000_000 + second).unwrap();
    }
    let (file, state) = (folder.path("log"), folder.path("state"));
    let pipeline = [
        "--unnest", "tags", "--group", "tags", "--time", "ts", "--window", "30s", "--output",
        "json",
    ];
    folder.file("log", &content);
    let expected = whole(&[&["run", &file, "--threads", "1"], &pipeline[..]].concat());
    assert_eq!(whole(&[&["run", &file, "--threads", "4"], &pipeline[..]].concat()), expected);
    let mut answers = Answers::new();
    let mut cuts: Vec<usize> = (0..4).map(|_| random.below(content.len())).collect();
    cuts.extend([content.len(), content.len()]);
    cuts.sort_unstable();
    for cut in cuts {
        folder.file("log", &content[..cut]);
        let run = [&["run", &file, "--state", &state], &pipeline[..]].concat();
        upsert(&mut answers, streamgauge(&run).json());
    }
    assert_eq!(contents(&answers), contents(&expected));
}
