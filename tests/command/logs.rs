//! Logs of servers and services, by detection and by the flags and keys that describe them.

use super::{Folder, column, streamgauge, streamgauge_reading};
use serde_json::json;

const NGINX: &str = "192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] \"GET /a HTTP/1.1\" 200 0.25\n\
    192.0.2.8 - - [02/Jan/2024:03:04:06 +0000] \"GET /b HTTP/1.1\" 502 1.75\n\
    192.0.2.7 - - [02/Jan/2024:03:05:06 +0000] \"GET /a HTTP/1.1\" 200 0.5\n";
const STRING: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $request_time";

#[test]
fn s97_a_log_is_read_by_the_format_string_of_its_server() {
    let folder = Folder::new("s97_a_log_is_read_by_the_format_string");
    let log = folder.file("access.log", NGINX);
    let query =
        ["--time", "time", "--window", "1m", "--agg", "count, max(request_time) as slowest"];
    let run = streamgauge(
        &[&["run", &log, "--log-format", STRING, "--output", "json"][..], &query].concat(),
    );
    assert_eq!(column(&run.json(), "slowest"), [1.75, 0.5]);
    // The same from a pipeline file, with the directive around it.
    let text = format!(
        "log_format = '''log_format main '{STRING}';'''\ntime = \"time\"\nwindow = \"1m\"\n\
         agg = \"count, max(request_time) as slowest\"\n"
    );
    let pipeline = folder.file("p.toml", text);
    let same = streamgauge(&["run", &log, "--pipeline", &pipeline, "--output", "json"]);
    assert_eq!(same.stdout, run.stdout);
    // And over state, which knows the format again.
    let state = folder.path("state");
    for _ in 0..2 {
        let same = streamgauge(&[
            "run",
            &log,
            "--pipeline",
            &pipeline,
            "--state",
            &state,
            "--output",
            "json",
        ]);
        same.succeeded();
    }
}

#[test]
fn patterns_and_expressions_are_flags_and_keys() {
    let folder = Folder::new("patterns_and_expressions");
    let log =
        folder.file("app.log", "12:00 [warn] db: took 15 ms\n12:01 [info] web: took 5 ms\nodd\n");
    let run = streamgauge(&[
        "run",
        &log,
        "--pattern",
        "<_> [<level>] <_>: took <ms> ms",
        "--group",
        "level",
        "--agg",
        "max(ms)",
        "--output",
        "json",
    ]);
    assert_eq!(column(&run.json(), "max(ms)"), [5, 15]);
    run.says(&["dead letters 1"]);
    let pipeline = folder.file("p.toml", "regex = 'took (?<ms>\\d+) ms'\nagg = \"sum(ms)\"\n");
    let run = streamgauge(&["run", &log, "--pipeline", &pipeline, "--output", "json"]);
    assert_eq!(column(&run.json(), "sum(ms)"), [20]);
    for (flags, words) in [
        (["--pattern", "<a><b>"], "pattern: column 4"),
        (["--regex", "(a"], "regex: not a regular expression"),
        (["--log-format", "a"], "log_format: there is neither"),
        (["--pattern", "<a>"], "no field \"level\""),
    ] {
        let run = streamgauge(&[&["run", &log, "--group", "level"][..], &flags].concat());
        run.failed(2, &[words]);
    }
    streamgauge(&["run", &log, "--format", "csv", "--pattern", "<a>"])
        .failed(2, &["a format of its own, and the format is csv"]);
}

#[test]
fn s96_logs_of_services_are_told_without_a_flag() {
    let iis = "#Software: IIS\r\n#Fields: date time c-ip cs-method cs-uri-stem sc-status\r\n\
               2024-01-02 03:04:05 192.0.2.7 GET /a 200\r\n2024-01-02 03:04:06 192.0.2.8 GET /b \
               500\r\n";
    let logfmt = "time=2024-01-02T03:04:05Z status=200 msg=\"a b\"\n\
                  time=2024-01-02T03:04:06Z status=500 msg=c\n";
    for log in [iis, logfmt] {
        let query = [
            "run",
            "--time",
            "time",
            "--window",
            "1m",
            "--where",
            "status >= 500",
            "--output",
            "json",
        ];
        let run = streamgauge_reading(&query, log.as_bytes());
        assert_eq!(run.json()[0]["count"], json!(1), "{log}");
        assert_eq!(run.json()[0]["window"]["start"], json!("2024-01-02T03:04:00.000Z"));
        assert!(!run.stderr.contains("note"), "{}", run.stderr);
    }
}

#[test]
fn the_columns_of_a_w3c_log_are_known_where_a_run_goes_on() {
    let folder = Folder::new("the_columns_of_a_w3c_log");
    let first = "#Fields: date time c-ip sc-status\n2024-01-02 03:04:05 192.0.2.7 200\n\
                 #Fields: date time sc-status c-ip\n2024-01-02 03:04:06 500 192.0.2.8\n";
    let log = folder.file("u_ex240102.log", first);
    let state = folder.path("state");
    let run = || {
        streamgauge(&[
            "run", &log, "--state", &state, "--group", "status", "--agg", "count", "--output",
            "json",
        ])
    };
    run().succeeded();
    let more = "2024-01-02 03:04:07 404 192.0.2.9\n";
    folder.file("u_ex240102.log", format!("{first}{more}"));
    let rows = run().json();
    let groups: Vec<_> = rows.iter().map(|row| row["group"]["status"].clone()).collect();
    assert!(groups.contains(&json!(404)), "{groups:?}");
    assert!(!groups.contains(&json!("192.0.2.9")), "{groups:?}");
}
