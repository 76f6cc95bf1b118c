//! Input that is damaged, hostile or unexpected: a clear message or counted dead letters, never a
//! panic.

use super::{Folder, Run, hits, streamgauge, streamgauge_reading};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Runs over a bad line between two records that can be read.
fn among_good_ones(bad: &[u8]) -> Run {
    let input = [&b"{\"a\":1}\n"[..], bad, b"\n{\"a\":2}\n"].concat();
    streamgauge_reading(
        &["run", "--format", "jsonl", "--agg", "count, sum(a)", "--output", "json"],
        &input,
    )
}

#[test]
fn bad_lines_are_dead_letters_among_good_ones() {
    let deep = b"[".repeat(1_000_000);
    let deep_field = [b"{\"a\":".repeat(100_000), b"1".to_vec(), b"}".repeat(100_000)].concat();
    let bad: [&[u8]; 12] = [
        b"no json",
        b"{\"a\":1",
        b"{\"a\":01}",
        b"{\"a\":1}}",
        b"[1]",
        b"\"a\"",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\xff\"}",
        b"\0\0\0\0",
        b"{\"a\":1e999}",
        &deep,
        &deep_field,
    ];
    for line in bad {
        let run = among_good_ones(line);
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
        assert_eq!(
            run.json()[0],
            json!({"window": null, "revision": 0, "count": 2, "sum(a)": 3}),
            "{shown}"
        );
        assert!(run.closing_line().contains("dead letters 1,"), "{shown}: {}", run.stderr);
        run.says(&["stdin:2"]);
    }
}

#[test]
fn s21_s38_values_that_cannot_be_aggregated_make_the_whole_record_a_dead_letter() {
    let input = b"{\"a\":1,\"b\":1}\n{\"a\":\"much\",\"b\":1}\n{\"a\":\"NaN\",\"b\":1}\n";
    let run =
        streamgauge_reading(&["run", "--agg", "count, sum(a), sum(b)", "--output", "json"], input);
    assert_eq!(
        run.json()[0],
        json!({"window": null, "revision": 0, "count": 1, "sum(a)": 1, "sum(b)": 1})
    );
    run.says(&["stdin:2", "much", "stdin:3"]);
}

#[test]
fn s40_other_fields_of_a_filtered_record_are_not_checked() {
    let input = b"{\"a\":1,\"b\":1}\n{\"a\":2,\"b\":\"junk\"}\n";
    let run = streamgauge_reading(
        &["run", "--where", "a == 1", "--agg", "sum(b)", "--output", "json"],
        input,
    );
    assert_eq!(run.json()[0]["sum(b)"], json!(1));
    assert!(run.closing_line().contains("filtered 1, dead letters 0"), "{}", run.stderr);
}

#[test]
fn when_every_record_is_a_dead_letter_the_run_has_failed() {
    let run = streamgauge_reading(&["run", "--format", "jsonl", "--output", "json"], b"a\nb\nc\n");
    run.failed(1, &["stdin:1", "every record"]);
    assert!(
        run.closing_line().starts_with("records 3, applied 0, filtered 0, dead letters 3,"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_truncated_archive_is_an_error_with_the_counts_so_far() {
    let folder = Folder::new("a_truncated_archive_is_an_error_with_the_counts_so_far");
    let whole = gzip(hits(50_000).as_bytes());
    let gz = folder.file("half.gz", &whole[..whole.len() / 2]);
    streamgauge(&["run", &gz, "--output", "json"]).failed(1, &["half.gz", "truncated", "records"]);
    let whole = zstd::encode_all(hits(50_000).as_bytes(), 3).unwrap();
    let zst = folder.file("half.zst", &whole[..whole.len() / 2]);
    streamgauge(&["run", &zst, "--output", "json"]).failed(1, &["half.zst", "truncated"]);
    let mut damaged = gzip(hits(50_000).as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xa5);
    let gz = folder.file("damaged.gz", &damaged);
    streamgauge(&["run", &gz, "--output", "json"]).failed(1, &["damaged.gz"]);
}

#[test]
fn s44_binary_junk_ends_without_a_panic() {
    let folder = Folder::new("binary_junk_ends_without_a_panic");
    let mut state = 1u64;
    let mut junk = Vec::new();
    for _ in 0..200_000 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        junk.push((state >> 56) as u8);
    }
    let file = folder.file("junk", &junk);
    for format in ["auto", "jsonl", "csv", "tsv", "clf", "lines"] {
        let run = streamgauge(&["run", &file, "--format", format, "--output", "json"]);
        assert!(matches!(run.code, Some(0 | 1)), "{format}: {run:?}");
        run.says(&[]);
    }
    for head in [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd"] {
        let file = folder.file("junk.gz", [head, &junk[..]].concat());
        streamgauge(&["run", &file]).failed(1, &["junk.gz"]);
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new("files_that_cannot_be_read_are_named");
    let good = folder.file("good.jsonl", hits(3));
    let run = streamgauge(&["run", &good, &folder.path("none.jsonl"), "--output", "json"]);
    run.failed(1, &["none.jsonl"]);
    assert_eq!(run.stdout, "");
    streamgauge(&["run", &folder.path("")]).failed(1, &["directory"]);
}

#[test]
fn a_missing_column_is_named_before_anything_is_read() {
    let folder = Folder::new("a_column_that_is_not_there_is_named");
    let csv = folder.file("a.csv", "ts,bytes\n1,2\n");
    let run = streamgauge(&["run", &csv, "--agg", "sum(byts)", "--output", "json"]);
    run.failed(2, &["a.csv", "byts", "bytes"]);
    assert_eq!(run.stdout, "");
    let lines = streamgauge_reading(&["run", "--format", "clf", "--agg", "sum(byte)"], b"");
    assert!(lines.stderr.contains("byte") || lines.code == Some(0), "{lines:?}");
}

#[test]
fn ragged_rows_are_dead_letters() {
    let run = streamgauge_reading(
        &["run", "--format", "csv", "--agg", "count, sum(b)", "--output", "json"],
        b"a,b\n1,2\n3\n5,6\n",
    );
    assert_eq!(run.json()[0], json!({"window": null, "revision": 0, "count": 2, "sum(b)": 8}));
    run.says(&["stdin:3", "dead letters 1,"]);
}

#[test]
fn empty_input_gives_empty_output() {
    let folder = Folder::new("empty_input_gives_empty_output");
    let header = folder.file("header.csv", "ts,bytes\n");
    for arguments in [["--format", "csv"], ["--agg", "sum(bytes)"]] {
        let run = streamgauge(&[&["run", &header][..], &arguments].concat());
        assert!(run.succeeded().closing_line().starts_with("records 0, "), "{}", run.stderr);
    }
    let files = [
        folder.file("empty", ""),
        folder.file("blank.jsonl", "\n\n"),
        folder.file("empty.gz", gzip(b"")),
    ];
    for file in &files {
        for format in ["json", "table", "csv"] {
            let run = streamgauge(&["run", file, "--output", format]);
            run.succeeded();
            assert!(
                run.closing_line()
                    .starts_with("records 0, applied 0, filtered 0, dead letters 0, late 0, "),
                "{file}: {}",
                run.stderr
            );
        }
    }
}

#[test]
fn s19_s36_numbers_at_the_edges_are_exact_or_refused() {
    let input =
        b"{\"a\":9223372036854775807}\n{\"a\":9223372036854775807}\n{\"a\":18446744073709551615}\n";
    let run = streamgauge_reading(&["run", "--agg", "sum(a), max(a)", "--output", "json"], input);
    assert_eq!(
        run.succeeded().stdout,
        "{\"window\":null,\"revision\":0,\"sum(a)\":36893488147419103229,\"max(a)\":18446744073709551615}\n"
    );
    let same = b"{\"a\":9007199254740993}\n{\"a\":9007199254740992.0}\n{\"a\":1}\n{\"a\":1.0}\n\
                 {\"a\":1e0}\n";
    let run = streamgauge_reading(&["run", "--group", "a", "--output", "json"], same);
    assert_eq!(run.json().len(), 3, "{}", run.stdout);
}

#[test]
fn s2_times_out_of_range_are_dead_letters() {
    let input = b"{\"ts\":1700000000}\n{\"ts\":99999999999999999999999999}\n{\"ts\":-1e300}\n\
                  {\"ts\":true}\n{\"ts\":{}}\n{}\n";
    let run = streamgauge_reading(
        &["run", "--time", "ts", "--time-format", "s", "--window", "1m", "--output", "json"],
        input,
    );
    assert_eq!(run.json()[0]["count"], json!(1));
    assert!(run.closing_line().contains("dead letters 5,"), "{}", run.stderr);
}

/// A line of 100 MB, and a gzip bomb, in an address space of 300 MB.
#[cfg(unix)]
#[test]
fn s43_long_lines_and_bombs_take_constant_memory() {
    let line = vec![b'a'; 100_000_000];
    let input = [&b"{\"a\":1}\n"[..], &line, b"\n{\"a\":2}\n"].concat();
    let bomb = gzip(&[&b"{\"a\":1}\n"[..], &vec![b' '; 300_000_000], b"\n{\"a\":2}\n"].concat());
    for input in [input, bomb] {
        let script = format!(
            "ulimit -v 300000; exec '{}' run --format jsonl --agg 'count, sum(a)' --output json",
            env!("CARGO_BIN_EXE_streamgauge")
        );
        let mut child = Command::new("bash")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let run = super::run_of(child.wait_with_output().unwrap());
        writer.join().unwrap();
        assert_eq!(run.json()[0]["sum(a)"], json!(3), "{}", run.stderr);
        assert!(
            run.closing_line().starts_with("records 3, applied 2, filtered 0, dead letters 1,"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn s105_a_missing_time_field_is_reported_early_with_the_fields_of_the_records() {
    let folder = Folder::new("s105_missing_time");
    let log = folder.file("hits.jsonl", hits(20_000));
    for threads in ["1", "2"] {
        let run = streamgauge(&[
            "run",
            &log,
            "--threads",
            threads,
            "--time",
            "tss",
            "--window",
            "1m",
            "--output",
            "json",
        ]);
        let missing = "none has the field \"tss\" that --time names; they have bytes, country, \
                       status, ts, url; did you mean \"ts\"?";
        run.failed(
            1,
            &[&format!("error: every record was a dead letter, 20,000 of 20,000: {missing}")],
        );
        assert!(!run.stderr.contains("another format"), "{}", run.stderr);
        // After the first block, not after the whole file.
        let early = run
            .stderr
            .lines()
            .find(|line| line.ends_with(missing) && line.starts_with("note: "))
            .unwrap();
        let records: u64 =
            early["note: ".len()..].split(' ').next().unwrap().replace(',', "").parse().unwrap();
        assert!(records < 10_000, "{early}");
    }
    // So is a field that the time is computed of.
    let computed = ["run", &log, "--time", "to_timestamp(tss / 1000.0)", "--window", "1m"];
    let missing = "none has the field \"tss\" that --time names; they have bytes, country, status, \
                   ts, url; did you mean \"ts\"?";
    streamgauge(&computed).failed(1, &[missing]);
    let pipeline = folder.file("p.toml", "time = \"time\"\nwindow = \"1m\"\n");
    streamgauge(&["run", &log, "--pipeline", &pipeline]).failed(1, &["that the key time names"]);
}

#[test]
fn s105_a_missing_field_is_reported_with_nested_fields() {
    let input = b"{\"ts\":1,\"geo\":{\"country\":\"DE\",\"city\":{\"name\":\"B\"}}}\n\
                  {\"ts\":2,\"url\":\"/\"}\n";
    let run = streamgauge_reading(
        &["run", "--group", "country", "--agg", "count, sum(x)", "--output", "json"],
        input,
    );
    run.succeeded().says(&[
        "field \"country\" was in no record; the first records have ts, url, /geo/city/name, \
         /geo/country; did you mean \"/geo/country\"?",
        "note: field \"x\" was in no record\n",
    ]);
}

#[test]
fn if_no_record_can_be_aggregated_the_reason_is_shown_instead_of_a_hint_on_the_format() {
    let run =
        streamgauge_reading(&["run", "--agg", "sum(url)"], b"{\"url\":\"/a\"}\n{\"url\":\"/b\"}\n");
    run.failed(
        1,
        &["error: every record was a dead letter, 2 of 2; the first: url: \"/a\" is not a number"],
    );
    assert!(!run.stderr.contains("--format"), "{}", run.stderr);
    let run = streamgauge_reading(&["run", "--format", "jsonl"], b"a\n");
    run.failed(
        1,
        &[
            "every record was a dead letter, 1 of 1; the first: invalid JSON: not JSON",
            "is it another format (--format)?",
        ],
    );
}

#[test]
fn s105_a_field_that_records_have_is_not_reported_as_missing() {
    // It is null in all of them, or they cannot be decoded.
    let null = b"{\"ts\":null,\"v\":null}\n";
    let run = streamgauge_reading(&["run", "--time", "ts", "--window", "1m"], null);
    run.failed(1, &["the field \"ts\" that --time names has no value in any"]);
    let run = streamgauge_reading(&["run", "--agg", "sum(v)"], null);
    run.succeeded().says(&["note: field \"v\" had no value in any record\n"]);
    let run = streamgauge_reading(&["run", "--time", "ts"], b"{\"ts\":1,\"v\":\"\\ud83d\"}\n");
    run.failed(1, &["1 of 1; the first: invalid JSON: a lone surrogate"]);
}
