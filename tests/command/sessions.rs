//! Sessions and staggered windows: over files that grow, over several files, as partials that are
//! merged, and what is refused.

use super::state::{Answers, contents, upsert, whole};
use super::{Folder, hits, streamgauge};
use crate::simulation::Random;
use std::fs;

const SESSIONS: [&str; 8] =
    ["--time", "ts", "--session", "4s", "--group", "url", "--agg", "count, sum(bytes)"];

const STAGGERED: [&str; 8] =
    ["--time", "ts", "--stagger", "5s", "--group", "url", "--agg", "count, sum(bytes)"];

/// Runs over files that grow step by step, with state, and compares with one run over all.
fn grow(name: &str, pipeline: &[&str], files: usize) {
    let folder = Folder::new(name);
    let state = folder.path("state");
    let paths: Vec<String> = (0..files).map(|file| folder.path(&format!("log{file}"))).collect();
    let lines: Vec<String> = hits(120).lines().map(|line| format!("{line}\n")).collect();
    let mut random = Random::new(files as u64 + pipeline.len() as u64);
    for round in 0..4 {
        drop(fs::remove_dir_all(&state));
        let contents_of: Vec<String> = (0..files)
            .map(|file| lines.iter().skip(file).step_by(files).cloned().collect())
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let run = [&["run"], &paths[..], &["--output", "json"], pipeline].concat();
        let resumed = [&run[..], &["--state", &state]].concat();
        let mut answers = Answers::new();
        let mut cuts: Vec<usize> = (0..3).map(|_| 100 + random.below(900)).chain([1000]).collect();
        cuts.sort_unstable();
        for cut in cuts {
            for (path, content) in paths.iter().zip(&contents_of) {
                fs::write(path, &content[..content.len() * cut / 1000]).unwrap();
            }
            upsert(&mut answers, streamgauge(&resumed).succeeded().json());
            assert_eq!(contents(&answers), contents(&whole(&run)), "round {round}, cut {cut}");
        }
    }
}

#[test]
fn s163_sessions_of_files_that_grow_are_those_of_one_run() {
    grow("sessions_grow", &SESSIONS, 1);
    grow("sessions_grow_delay", &[&SESSIONS[..], &["--max-delay", "2s"]].concat(), 1);
    grow("sessions_grow_files", &SESSIONS, 3);
    grow("staggered_grow", &STAGGERED, 1);
}

#[test]
fn s163_merged_partials_of_sessions_are_the_sessions_of_all_records() {
    let folder = Folder::new("sessions_partials");
    let content = hits(200);
    let (all, partials) = (folder.file("all", &content), folder.path("partials"));
    for source in 0..3 {
        let lines: Vec<&str> = content.lines().skip(source).step_by(3).collect();
        let file = folder.file(&format!("part{source}"), lines.join("\n"));
        let name = format!("web{source}");
        let run =
            [&["run", &file, "--partials", &partials, "--source", &name], &SESSIONS[..]].concat();
        streamgauge(&run).succeeded();
        streamgauge(&run).succeeded();
    }
    let merge = ["merge", &partials, "--sources", "3", "--output", "json"];
    let merged = streamgauge(&[&merge, &SESSIONS[..]].concat());
    let expected = streamgauge(&[&["run", &all, "--output", "json"], &SESSIONS[..]].concat());
    assert_eq!(merged.succeeded().stdout, expected.succeeded().stdout);
    assert!(merged.stderr.contains("sources 3"), "{}", merged.stderr);
}

#[test]
fn s162_sessions_are_the_same_on_any_number_of_threads() {
    let folder = Folder::new("sessions_threads");
    let file = folder.file("log", hits(20_000));
    let run = |threads: &str| {
        let run = ["run", &file, "--output", "json", "--threads", threads, "--max-delay", "3s"];
        streamgauge(&[&run, &SESSIONS[..]].concat()).succeeded().stdout.clone()
    };
    let one = run("1");
    assert!(one.lines().count() > 1000);
    assert_eq!(one, run("2"));
    assert_eq!(one, run("4"));
}

/// Returns records whose order is disturbed by up to 40 records.
fn disordered(records: usize) -> String {
    let hits = hits(records as u64);
    let mut lines: Vec<&str> = hits.lines().collect();
    let mut random = Random::new(records as u64);
    for at in 0..lines.len() {
        let other = (at + random.below(40)).min(lines.len() - 1);
        lines.swap(at, other);
    }
    lines.join("\n")
}

#[test]
fn s236_late_records_take_back_the_rows_of_shorter_sessions() {
    let folder = Folder::new("sessions_late");
    let file = folder.file("log", disordered(3_000));
    for pipeline in [&SESSIONS, &STAGGERED] {
        let run = [&["run", &file, "--output", "json"], &pipeline[..]].concat();
        let late = [&run[..], &["--max-delay", "1s", "--lateness", "1h"]].concat();
        let said = streamgauge(&late);
        let said = said.succeeded();
        let one = said.stdout.clone();
        let mut answers = Answers::new();
        upsert(&mut answers, said.json());
        if *pipeline == SESSIONS {
            assert!(one.matches("\"retracted\":true").count() > 100, "{one}");
            // Without a limit on the delay nothing is late.
            assert_eq!(contents(&answers), contents(&whole(&run)));
        }
        for threads in ["1", "3"] {
            let again = [&late[..], &["--threads", threads]].concat();
            assert_eq!(streamgauge(&again).succeeded().stdout, one, "{threads} threads");
        }
    }
}

/// Records at whole seconds, so that windows of several groups begin and end together.
fn at_seconds(records: usize, seed: u64) -> Vec<String> {
    let (mut random, mut now) = (Random::new(seed), 1_711_800_000_000u64);
    let record = |_| {
        now += [0, 1_000, 2_000, 5_000, 20_000][random.below(5)];
        let at = now - [0, 0, 0, 3_000, 15_000, 40_000][random.below(6)];
        let (group, n) = (["a", "b", "c"][random.below(3)], random.below(9));
        format!("{{\"ts\":{at},\"url\":\"{group}\",\"bytes\":{n}}}\n")
    };
    (0..records).map(record).collect()
}

/// Checks that the rows are of different revisions, and adds them.
fn add_once(answers: &mut Answers, rows: Vec<serde_json::Value>) {
    for row in rows {
        let key = (row["window"].to_string(), row["group"].to_string());
        let last = answers.get(&key).map(|(revision, _)| *revision);
        assert!(last < row["revision"].as_u64(), "after {last:?} comes {row}");
        upsert(answers, vec![row]);
    }
}

#[test]
fn s236_windows_of_several_groups_that_begin_and_end_together_are_taken_back_each_for_itself() {
    let folder = Folder::new("sessions_together");
    let (file, state) = (folder.path("log"), folder.path("state"));
    let pipelines = [
        &SESSIONS[..],
        &STAGGERED,
        &[&SESSIONS[..], &["--having", "count < 3"]].concat(),
        &["--time", "ts", "--window", "10s", "--group", "url", "--having", "count < 3"],
    ];
    for (seed, pipeline) in (0..12).zip(pipelines.iter().cycle()) {
        let lines = at_seconds(50, seed);
        fs::write(&file, lines.concat()).unwrap();
        let run = [&["run", &file, "--output", "json"], *pipeline].concat();
        let late = [&run[..], &["--max-delay", "1s", "--lateness", "1h"]].concat();
        let mut answers = Answers::new();
        add_once(&mut answers, streamgauge(&late).succeeded().json());
        let one_run = answers.clone();
        // Where staggered windows begin depends on the order, and on which are there.
        if *pipeline != STAGGERED {
            assert_eq!(contents(&answers), contents(&whole(&run)), "seed {seed}");
        }
        answers.clear();
        drop(fs::remove_dir_all(&state));
        for cut in [7, 20, 33, 50] {
            fs::write(&file, lines[..cut].concat()).unwrap();
            let grown = [&late[..], &["--state", &state]].concat();
            add_once(&mut answers, streamgauge(&grown).succeeded().json());
        }
        assert_eq!(contents(&answers), contents(&one_run), "seed {seed} with state");
    }
}

#[test]
fn s123_a_limit_of_rows_does_not_go_with_windows_of_groups_that_change() {
    let folder = Folder::new("sessions_limit");
    let file = folder.file("log", hits(10));
    let limit = ["run", &file, "--sort", "count", "--limit", "2"];
    let limit = [&limit[..], &SESSIONS].concat();
    streamgauge(&limit).succeeded();
    let words = ["--limit: late records and early answers change windows of single groups"];
    streamgauge(&[&limit[..], &["--lateness", "1m"]].concat()).failed(2, &words);
}

#[test]
fn s239_partials_with_an_allowed_lateness_are_those_of_all_records() {
    let folder = Folder::new("sessions_late_partials");
    let file = folder.file("log", disordered(1_000));
    let partials = folder.path("partials");
    let late = ["--max-delay", "1s", "--lateness", "1h", "--partials", &partials, "--source", "a"];
    streamgauge(&[&["run", &file], &late[..], &SESSIONS[..]].concat()).succeeded();
    let merge = ["merge", &partials, "--sources", "1", "--output", "json"];
    let merged = streamgauge(&[&merge[..], &SESSIONS[..]].concat());
    let expected = streamgauge(&[&["run", &file, "--output", "json"], &SESSIONS[..]].concat());
    assert_eq!(merged.succeeded().stdout, expected.succeeded().stdout);
}

#[test]
fn s240_sessions_are_not_merged_while_partials_come() {
    let folder = Folder::new("sessions_kcl_merge");
    let pipeline = folder.file("hits.toml", "session = \"4s\"\ngroup = \"url\"\n");
    let (state, out) = (folder.path("state"), folder.path("out"));
    let merge = ["kcl", "--merge", "--sources", "2", "--pipeline", &pipeline];
    let places = ["--state", &state, "--out", &out];
    let merge = [&merge[..], &places].concat();
    streamgauge(&merge).failed(2, &["sessions and staggered windows", "`streamgauge merge`"]);
}

#[test]
fn sessions_do_not_go_with_other_windows() {
    let folder = Folder::new("sessions_refused");
    let file = folder.file("log", hits(10));
    let refused = |flags: &[&str], words: &[&str]| {
        streamgauge(&[&["run", &file, "--time", "ts"], flags].concat()).failed(2, words);
    };
    refused(
        &["--session", "30m", "--window", "1m"],
        &["--session and --window do not go together"],
    );
    refused(&["--stagger", "30m", "--every", "1m"], &["--stagger and --every do not go together"]);
    refused(&["--session", "0s"], &["--session", "at least 1 ms"]);
    let explained = streamgauge(&[&["run", &file, "--explain"], &SESSIONS[..]].concat());
    explained.says(&["windows: sessions of each group, with a gap of 4s"]);
}
