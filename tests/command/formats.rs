//! Formats of records, times and compression.

use super::{Folder, Run, column, hits, project_file, starts, streamgauge, streamgauge_reading};
use serde_json::{Value, json};
use std::io::Write;

fn counted(run: &Run) -> Value {
    run.json()[0]["count"].clone()
}

#[test]
fn csv_and_tsv_have_a_header() {
    let folder = Folder::new("csv_and_tsv_have_a_header");
    let csv = "ts,url,bytes\n0,\"/a,\"\"b\"\"\",5\n1,\"/two\nlines\",7\n2,/c,NA\n";
    let tsv = "ts\turl\tbytes\n0\t/a\t5\n1\t/b\t7\n";
    let arguments = |file: &str| {
        streamgauge(&[
            "run",
            file,
            "--agg",
            "count, sum(bytes), count(bytes), first(url)",
            "--output",
            "json",
        ])
        .json()
    };
    assert_eq!(
        arguments(&folder.file("a.csv", csv))[0],
        json!({"window": null, "revision": 0, "count": 3, "sum(bytes)": 12, "count(bytes)": 2, "first(url)": "/a,\"b\""})
    );
    assert_eq!(arguments(&folder.file("a.tsv", tsv))[0]["sum(bytes)"], json!(12));
    let forced = streamgauge_reading(
        &["run", "--format", "csv", "--agg", "max(x)", "--output", "json"],
        b"x\n1\n3\n",
    );
    assert_eq!(forced.json()[0]["max(x)"], json!(3));
}

#[test]
fn an_access_log_has_its_fields() {
    let log = project_file("tests/data/access_combined.log");
    let run = streamgauge(&[
        "run",
        &log,
        "--time",
        "time",
        "--window",
        "1d",
        "--agg",
        "count, sum(bytes) as bytes",
        "--output",
        "json",
    ]);
    assert_eq!(
        column(&run.json(), "count").iter().map(|count| count.as_u64().unwrap()).sum::<u64>(),
        1000
    );
    assert!(run.closing_line().contains("dead letters 0"), "{}", run.stderr);
    let fields = "host ident user time method path protocol status bytes referer agent";
    let agg: Vec<String> =
        fields.split(' ').map(|field| format!("count({field}) as {field}")).collect();
    let rows = streamgauge(&[
        "run",
        &log,
        "--format",
        "clf",
        "--agg",
        &agg.join(", "),
        "--output",
        "json",
    ])
    .json();
    assert_eq!(
        (&rows[0]["host"], &rows[0]["ident"], &rows[0]["bytes"]),
        (&json!(1000), &json!(0), &json!(923))
    );
}

#[test]
fn plain_lines_have_one_field() {
    let run = streamgauge_reading(
        &["top", "--format", "lines", "--by", "line", "-k", "1", "--output", "json"],
        b"b\na\nb\n",
    );
    assert_eq!(run.json()[0]["top(1, line)"][0]["key"], json!("b"));
}

#[test]
fn nested_fields_are_named_by_pointers_and_odd_names_by_quotes() {
    let input = b"{\"a\":{\"b\":[7,8]},\"odd name\":1}\n";
    let run = streamgauge_reading(
        &["run", "--agg", "sum(/a/b/1) as eight, sum(\"odd name\") as one", "--output", "json"],
        input,
    );
    assert_eq!((&run.json()[0]["eight"], &run.json()[0]["one"]), (&json!(8), &json!(1)));
}

#[test]
fn s1_times_are_read_in_every_format() {
    let start_of = |format: &str, time: &str| {
        let input = format!("{{\"t\":{time}}}\n");
        let arguments =
            ["run", "--time", "t", "--time-format", format, "--window", "1s", "--output", "json"];
        streamgauge_reading(&arguments, input.as_bytes()).json()[0]["window"]["start"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let times = [
        ("auto", "1700000000"),
        ("auto", "1700000000123"),
        ("auto", "\"2023-11-14T22:13:20.5Z\""),
        ("s", "1700000000.999"),
        ("ms", "1700000000123"),
        ("us", "1700000000123456"),
        ("ns", "\"1700000000123456789\""),
        ("rfc3339", "\"2023-11-15T00:13:20+02:00\""),
        ("clf", "\"14/Nov/2023:17:13:20 -0500\""),
        ("%Y%m%d %H%M%S", "\"20231114 221320\""),
    ];
    for (format, time) in times {
        assert_eq!(start_of(format, time), "2023-11-14T22:13:20.000Z", "{format} {time}");
    }
    assert_eq!(start_of("s", "-1"), "1969-12-31T23:59:59.000Z");
}

#[test]
fn times_that_were_once_misread_are_in_the_right_window() {
    let windows = |arguments: &[&str], input: &str| {
        let run = streamgauge_reading(
            &[&["run", "--time", "ts", "--max-delay", "unbounded", "--output", "csv"], arguments]
                .concat(),
            input.as_bytes(),
        );
        run.succeeded()
            .stdout
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let fractions = "{\"ts\":\"1700000000.123\",\"v\":1}\n{\"ts\":\"1700000000.923\",\"v\":1}\n";
    for format in ["%s.%f", "%s%.f", "%s.%3f", "s", "auto"] {
        let starts = windows(&["--time-format", format, "--window", "500ms"], fractions);
        assert_eq!(starts, ["2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.500Z"], "{format}");
    }
    let compact = "{\"ts\":\"20240102030405\"}\n{\"ts\":\"20240102\"}\n{\"ts\":202401020304}\n";
    assert_eq!(
        windows(&["--window", "1h"], compact),
        ["2024-01-02T00:00:00.000Z", "2024-01-02T03:00:00.000Z"]
    );
    let spaced = "ts\n2024-01-02 03:04:05 +0100\n2024-01-02T02:04:05 UTC\n\
                  2024/01/02 02:04:05.999 GMT\n20240102T020405Z\n";
    assert_eq!(
        windows(&["--format", "csv", "--window", "1s"], spaced),
        ["2024-01-02T02:04:05.000Z"]
    );
}

#[test]
fn an_access_log_may_have_fractions_of_seconds() {
    let line = |millis: &str| {
        format!("10.0.0.1 - - [10/Oct/2000:13:55:36.{millis} -0700] \"GET /a HTTP/1.1\" 200 10\n")
    };
    let log = line("123") + &line("923");
    let arguments =
        ["run", "--format", "clf", "--time", "time", "--window", "500ms", "--output", "json"];
    let rows = streamgauge_reading(&arguments, log.as_bytes()).json();
    assert_eq!(starts(&rows), ["2000-10-10T20:55:36.000Z", "2000-10-10T20:55:36.500Z"]);
}

#[test]
fn an_impossible_time_pattern_ends_the_run_before_it_reads() {
    for (pattern, words) in [
        ("%H:%M:%S", "it has no date"),
        ("%s.%L", "%3f"),
        ("%F %I:%M", "would be read as"),
        ("%F %T %Z", "cannot read that"),
    ] {
        let run = streamgauge(&[
            "run",
            "no such file",
            "--time",
            "ts",
            "--window",
            "1h",
            "--time-format",
            pattern,
        ]);
        run.failed(2, &["--time-format", words]);
    }
}

fn gzip(data: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn s48_compression_is_detected_from_the_content() {
    let folder = Folder::new("compression_is_told_from_the_content");
    let half = hits(100);
    let zstd = zstd::encode_all(half.as_bytes(), 3).unwrap();
    // The names of the files are wrong.
    let files = [
        folder.file("plain.gz", half.repeat(2)),
        folder.file("two-members.jsonl", [gzip(&half), gzip(&half)].concat()),
        folder.file("two-frames.csv", [zstd.clone(), zstd].concat()),
    ];
    for file in &files {
        assert_eq!(counted(&streamgauge(&["run", file, "--output", "json"])), json!(200), "{file}");
    }
    assert_eq!(
        counted(&streamgauge_reading(&["run", "-", "--output", "json"], &gzip(&half))),
        json!(100)
    );
}

#[test]
fn line_ends_and_marks_do_not_matter() {
    let input = b"\xef\xbb\xbf{\"a\":1}\r\n\r\n{\"a\":2}\r\n{\"a\":3}";
    let run = streamgauge_reading(&["run", "--agg", "count, sum(a)", "--output", "json"], input);
    assert_eq!((counted(&run), run.json()[0]["sum(a)"].clone()), (json!(3), json!(6)));
}

#[test]
fn s18_several_files_are_one_input() {
    let folder = Folder::new("several_files_are_one_input");
    let log = hits(1000);
    let middle = log.lines().take(500).map(|line| line.len() + 1).sum::<usize>();
    let (first, second) =
        (folder.file("1.jsonl", &log[..middle]), folder.file("2.jsonl", &log[middle..]));
    let whole = folder.file("whole.jsonl", &log);
    let arguments = [
        "--time",
        "ts",
        "--max-delay",
        "5s",
        "--window",
        "1m",
        "--agg",
        "count, top(3, url)",
        "--output",
        "json",
    ];
    let together = streamgauge(&[&["run", &first, &second][..], &arguments].concat());
    let swapped = streamgauge(&[&["run", &second, &first][..], &arguments].concat());
    let alone = streamgauge(&[&["run", &whole][..], &arguments].concat());
    assert_eq!(together.succeeded().stdout, alone.succeeded().stdout);
    assert_eq!(swapped.succeeded().stdout, alone.stdout);
    assert!(
        together.closing_line().contains("applied 1,000, filtered 0, dead letters 0, late 0"),
        "{}",
        together.stderr
    );
}

#[test]
fn s32_the_same_input_gives_the_same_bytes() {
    let folder = Folder::new("the_same_input_gives_the_same_bytes");
    let file = folder.file("hits.jsonl", hits(3000));
    let agg = "count, mean(bytes), p99(bytes), distinct(url), top(3, url, 4), frequency(url, '/1'), stddev(bytes)";
    let arguments = [
        "run", &file, "--time", "ts", "--window", "5m", "--every", "10s", "--group", "country",
        "--agg", agg, "--output", "json",
    ];
    let first = streamgauge(&arguments);
    assert!(first.succeeded().stdout.len() > 1000);
    assert_eq!(first.stdout, streamgauge(&arguments).stdout);
}
