//! The format in which the command reads an input: the right one, or plain lines with a note, or an
//! error that tells what to do.

use super::{Folder, Run, streamgauge, streamgauge_reading};
use serde_json::{Value, json};

/// Runs over a file and over the same bytes on standard input, and checks that the output is the
/// same.
fn both(folder: &Folder, text: &[u8], arguments: &[&str]) -> Run {
    let file = folder.file("input", text);
    let from_file = streamgauge(&[&["run", &file, "--output", "json"][..], arguments].concat());
    let piped = streamgauge_reading(&[&["run", "--output", "json"][..], arguments].concat(), text);
    let shown = String::from_utf8_lossy(text);
    assert_eq!((from_file.code, &from_file.stdout), (piped.code, &piped.stdout), "{shown}");
    let told = |run: &Run, name: &str| {
        let lines = run.stderr.lines().filter(|line| {
            ["note: ", "dead letter: ", "error: "].iter().any(|word| line.starts_with(word))
        });
        lines.map(|line| line.replace(name, "INPUT")).collect::<Vec<_>>()
    };
    assert_eq!(told(&from_file, &file), told(&piped, "stdin"), "{shown}");
    from_file
}

fn count(run: &Run) -> Value {
    run.json().first().map_or(json!(0), |row| row["count"].clone())
}

/// Logs as programs write them. Each of their lines is a record.
const LOGS: &[&str] = &[
    // log4j, Python's logging, Hadoop, ZooKeeper, Kafka: commas in the time.
    "2024-01-01 12:00:00,123 INFO started\n2024-01-01 12:00:01,456 INFO done\n\
     2024-01-01 12:00:02,789 WARN slow, retry\n",
    "2025-10-25 20:00:00,000 WARN worker-1 took=41.0ms\n2025-10-25 20:00:01,152 ERROR worker-1 \
     took=57.2ms\n",
    "2015-10-18 18:01:47,978 INFO [main] org.example.App: Created app\n\
     2015-10-18 18:01:48,963 INFO [main] org.example.App: Kind: Y, Service: , Ident: (x)\n",
    "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]:Election@774] - Notification time out: \
     3200\n2015-07-29 19:04:12,394 - INFO  [peer:Listener@493] - Received request\n",
    "[2016-12-19 16:25:00,123] INFO Creating /controller (is it secure? false) (kafka.utils)\n\
     [2016-12-19 16:25:00,456] INFO Result is: OK (kafka.utils)\n",
    "12:00:00,123 INFO a\n12:00:00,124 INFO b\n",
    "INFO 2024-01-01 12:00:00,123 app a\nINFO 2024-01-01 12:00:00,124 app b\n",
    "2024-01-01 12:00:00,123\tINFO\tstarted\n2024-01-01 12:00:01,456\tINFO\tdone\n",
    "2024-01-01T12:00:00,123Z,INFO,started\n2024-01-01T12:00:01,456Z,INFO,done\n",
    "fail2ban.actions [1234]: 2024-01-01 12:00:00,772 NOTICE Ban 192.0.2.1\n\
     fail2ban.actions [1234]: 2024-01-01 12:00:01,773 NOTICE Ban 192.0.2.2\n",
    // Windows: CBS, event exports without a header, DHCP.
    "2016-09-28 04:30:30, Info                  CBS    Loaded Servicing Stack v6.1.7601\n\
     2016-09-28 04:30:31, Info                  CSI    00000001@2016/9/27\n",
    "11,10/25/25,20:00:00,Renew,192.0.2.1,host-a,AABBCC\n\
     11,10/25/25,20:00:05,Renew,192.0.2.2,host-b,AABBCD\n",
    // syslog, journald, kernel.
    "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0, euid=0\n\
     Jun 14 15:16:02 combo sshd(pam_unix)[19937]: check pass; user unknown\n",
    "<34>1 2003-10-11T22:14:15.003Z host su - ID47 - BOM'su root' failed, for user\n\
     <34>1 2003-10-11T22:14:16.003Z host su - ID47 - ok, then\n",
    "Oct 25 20:00:00 host systemd[1]: Started Session 5, of user x.\n\
     Oct 25 20:00:01 host kernel: [    0.000000] Linux version, 6.1\n",
    "[    0.000000] Linux version 6.1.0, gcc 12\n[    0.004000] Memory: 16G, 4G free\n",
    // Databases.
    "2025-10-25 20:00:00.123 UTC [42] LOG:  checkpoint complete: wrote 3 buffers (0.0%); 0 added, 0 removed\n2025-10-25 20:00:05.123 UTC [43] ERROR:  relation \"x\" does not exist at character 15\n",
    "2025-10-25 20:00:00.123 UTC,\"postgres\",\"db\",12345,\"[local]\",5f,1,\"SELECT\"\n\
     2025-10-25 20:00:01.123 UTC,\"postgres\",\"db\",12346,\"[local]\",5f,2,\"SELECT\"\n",
    "/usr/sbin/mysqld, Version: 8.0.30 (MySQL Community Server). started with:\n\
     Tcp port: 3306  Unix socket: /run/mysqld.sock\nTime                 Id Command    Argument\n",
    "# Time: 2025-10-25T20:00:00.000000Z\n# User@Host: root[root] @ localhost []  Id:     8\n\
     # Query_time: 2.0  Lock_time: 0.0 Rows_sent: 1, Rows_examined: 0\nSELECT a, b FROM t;\n",
    "1:M 25 Oct 2025 20:00:00.123 * Ready to accept connections, tcp\n\
     1:M 25 Oct 2025 20:00:01.123 # Warning, low memory\n",
    // Web servers and balancers in other formats than the common and combined one.
    "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n\
     2025-10-25 20:00:00 GET /index.html 200\n",
    "2025-10-25T20:00:00.123456Z my-lb 192.0.2.1:2817 10.0.0.1:80 0.00007 0.001 0.00005 200 200 0 \
     29 \"GET http://x.test:80/ HTTP/1.1\" \"curl/7.38.0\" - -\nhttp 2025-10-25T20:00:00.123456Z \
     app/lb/50 192.0.2.1:2817 10.0.0.1:80 0 0 0 200 200 34 366 \"GET http://x.test:80/ \
     HTTP/1.1\" \"curl\" - -\n",
    "Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in \
     static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} \"GET /index.html \
     HTTP/1.1\"\nFeb  6 12:14:15 localhost haproxy[14389]: x, y\n",
    "web1.example.test 10.1.32.66 - [2025-10-25T20:00:00+00:00] \"GET /static/app.js HTTP/1.1\" 200 2014 rt=0.041 \"Mozilla/5.0 (X11)\"\napi.example.test 10.0.4.241 - [2025-10-25T20:00:01+00:00] \"GET / HTTP/1.1\" 404 10202 rt=0.057 \"Mozilla/5.0 (X11)\"\n",
    "10.0.0.1 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 10 \"-\" \"curl\" \"1.2.3.4\" rt=0.1\n[25/Oct/2025:20:00:00 +0000] 10.0.0.1 \"GET / HTTP/1.1\" 200 10\n",
    "10.0.0.1, 10.0.0.2 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 10\n\
     10.0.0.3, 10.0.0.2 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 10\n",
    "10.0.0.1 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 10 \"Mozilla/5.0 \
     (X11)\" \"10.0.0.9\"\n10.0.0.1 - - [25/Oct/2025:20:00:01 +0000] \"GET / HTTP/1.1\" 200 \
     10 \"Mozilla/5.0 (X11)\" \"10.0.0.9\"\n",
    "1431857109.123    118 192.0.2.1 TCP_MISS/200 5 GET http://x.test/a,b - DIRECT/192.0.2.9 \
     text/html\n1431857110.123    118 192.0.2.1 TCP_HIT/200 5 GET http://x.test/ - NONE/- \
     text/html\n",
    "[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok /etc/httpd/conf/workers2.properties\n\
     [Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6\n",
    "2025/10/25 20:00:00 [error] 1#1: *5 open() \"/x\" failed (2: No such file), client: 192.0.2.1, server: x, request: \"GET / HTTP/1.1\"\n2025/10/25 20:00:01 [warn] 1#1: x, y\n",
    // Stack traces, programs, tools.
    "java.lang.IllegalStateException: failed, twice\n\tat com.example.App.run(App.java:12)\n\tat \
     com.example.App.main(App.java:5)\n",
    "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    f(1, 2)\n\
     ValueError: a, b\n",
    "thread 'main' panicked at src/main.rs:5:5:\nindex out of bounds: the len is 3, but the index \
     is 5\n",
    "{main} started, 5\n{main} stopped, 6\n",
    "[main] INFO started, 5\n[main] INFO stopped, 6\n",
    "[1] started\n[2] stopped\n",
    "Hello, world\n",
    "Hello, world\nGoodbye, moon\n",
    "Starting up, please wait\nLoaded 5 modules, took 3 ms\nReady, listening\n",
    "I0125 20:00:00.123456   1 server.go:12] started, ok\nI0125 20:00:01.123456   1 server.go:13] \
     serving, ok\n",
    "time=2024-01-01T00:00:00Z level=info msg=\"hello, world\" dur=12ms\n\
     bye, moon time=2024-01-01T00:00:01Z level=info dur=13ms\n",
    "app=web,user=5\napp=api,user=6\n",
    "10%\n20%\nDone.\n",
    "1,2\n3,4\n5,6\n",
    "alice,5\nbob,6\ncarl,7\n",
    "alice,NA\nbob,5\ncarl,7\n",
    "INFO,started\nWARN,stopped\n",
    "a;b;c\nx;y;z\nu;v;w\n",
    "t\n2024-01-01T00:00:00Z\n2024-01-01T00:00:01Z\n",
    "# exported by hand\nts,v\n1,2\n3,4\n",
    "word\n",
    "a\rb\nc\n",
];

#[test]
fn s96_logs_are_read_as_plain_lines_with_a_note() {
    let folder = Folder::new("logs_are_plain_lines_and_told");
    for text in LOGS {
        let run = both(&folder, text.as_bytes(), &[]);
        assert_eq!(count(&run), json!(text.lines().count()), "{text}");
        run.says(&["note: ", "input is read as plain lines: ", "--format"]);
        let found = both(&folder, text.as_bytes(), &["--where", "exists line"]);
        assert_eq!(count(&found), json!(text.lines().count()), "{text}");
        // Reported once, and not if lines were requested.
        assert_eq!(run.stderr.matches("note: ").count(), 1, "{}", run.stderr);
        for arguments in [&["--format", "lines"][..], &["-q"]] {
            assert!(!both(&folder, text.as_bytes(), arguments).stderr.contains("note: "));
        }
    }
}

/// Tables as programs export them, and the records in them.
const TABLES: &[(&str, u64)] = &[
    ("ts,url,bytes\n0,/a,5\n1,/b,7\n", 2),
    ("\u{feff}id,name\r\n1,x\r\n2,y\r\n", 2),
    ("\n\na,b\n1,2", 1),
    ("a,b\n1,2", 1),
    (
        "\"Order ID\",\"Ship Date\",\"Unit Price \
         (EUR)\"\n\"X-1\",\"2024-01-02\",\"1,50\"\n\"X-2\",\"2024-01-03\",\"2,50\"\n",
        2,
    ),
    (",open,close\n0,1.5,2.5\n1,2.5,3.5\n", 2),
    ("country,2015,2016,2017\nDE,1.5,2.5,3\nFR,2,3,4\n", 2),
    ("名前,年齢\n太郎,30\n花子,25\n", 2),
    ("Größe [cm];Name,Wert\nx,1\ny,2\n", 2),
    ("timestamp,%user,%system\n12:00:01 AM,1.5,2.5\n12:10:01 AM,1.0,0.5\n", 2),
    ("load,1min,5min,15min\nweb,0.1,0.2,0.3\ndb,1.1,1.2,1.3\n", 2),
    (
        "Timestamp,\"How old are you?\",\"Where, exactly?\"\n10/25/2025 10:00:00,30,here\n\
         10/25/2025 10:05:00,31,there\n",
        2,
    ),
    (
        "\"(PDH-CSV 4.0) (UTC)(0)\",\"\\\\HOST\\Processor(_Total)\\% Processor Time\"\n\"10/25/2025 20:00:01.123\",\"3.45\"\n\"10/25/2025 20:00:02.123\",\"4.45\"\n",
        2,
    ),
    ("user,active\nanna,true\nbob,false\ncarl,true\n", 3),
    ("id,who\n550e8400-e29b-41d4-a716-446655440000,x\n550e8400-e29b-41d4-a716-446655440001,y\n", 2),
    ("t,x\n2024-01-01,NA\n2024-01-02,\n", 2),
    ("time, value\n1, 2\n3, 4\n5, 6\n", 3),
    ("a,\"b\nc\"\n1,\"x\ny\"\n2,z\n", 2),
    ("ts\turl\tbytes\n0\t/a\t5\n1\t/b\t7\n", 2),
    ("title\tyear\n\"Hm\t1945\nOk\t1955\nend\"\t1960\n", 3),
    ("\"name\"\t\"n\"\n\"x\"\t\"1\"\n\"two\nlines\"\t\"2\"\n\"z\"\t\"3\"\n", 3),
    ("a,b\n1,2\n3\n", 1),
];

#[test]
fn tables_with_a_certain_header_are_read_as_tables() {
    let folder = Folder::new("tables_with_a_certain_header_are_read_as_tables");
    for (text, records) in &TABLES[..TABLES.len() - 1] {
        let run = both(&folder, text.as_bytes(), &[]);
        assert_eq!(count(&run), json!(records), "{text}: {}", run.stderr);
        assert!(
            !run.stderr.contains("note: ") && !run.stderr.contains("dead letter:"),
            "{text}: {}",
            run.stderr
        );
    }
    // If the first records have other numbers of fields, the header is not certain, unless it has
    // the requested field.
    let (ragged, records) = TABLES[TABLES.len() - 1];
    assert_eq!(count(&both(&folder, ragged.as_bytes(), &["--where", "b == 2"])), json!(records));
    both(&folder, ragged.as_bytes(), &[]).says(&["plain lines"]);
    // All values are text: not certain without a requested field, and reported with the names.
    let text = b"name,city\nanna,berlin\nbob,paris\n";
    assert_eq!(both(&folder, text, &["--where", "city == 'berlin'"]).json()[0]["count"], json!(1));
    both(&folder, text, &[]).says(&["header (name, city)", "--format csv"]);
    assert_eq!(count(&both(&folder, text, &["--format", "csv"])), json!(2));
}

#[test]
fn a_field_that_lines_do_not_have_is_an_error_with_a_remedy() {
    let folder = Folder::new("a_field_that_lines_lack");
    let cases: &[(&str, &str, &[&str])] = &[
        ("a;b;c\nx;y;z\n", "x", &["between the fields", "--delimiter ';'"]),
        (
            "t\n2024-01-01T00:00:00Z\n2024-01-01T00:00:01Z\n",
            "t",
            &["one column, t", "--format csv"],
        ),
        ("started time=1 level=info\n", "level", &["logfmt", "--format logfmt reads it"]),
        ("# by hand\nts,v\n1,2\n", "v", &["grep -v '^#' FILE"]),
        ("2024-01-01 12:00:00,123 INFO x\n", "level", &["plain lines", "--format"]),
        (
            "h - - [2025-10-25T20:00:00+00:00] \"GET / HTTP/1.1\" 200 5\n",
            "agent",
            &["looks like an access log", "--format clf reads it"],
        ),
        (
            "www.test 192.0.2.1 - - [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n",
            "host",
            &["--format vhost reads it"],
        ),
        ("h [25/Oct/2025:20:00:00 +0000] \"GET / HTTP/1.1\" 200\n", "host", &["in another format"]),
        (
            "version,series,eol\n1.1,buzz\n1.2,rex\n",
            "x",
            &["(version, series, eol)", "--format csv"],
        ),
        ("sep=;\na;b\n1;2\n", "a", &["tail -n +2 FILE"]),
        ("  \na,b\n1,2\n3,4\n", "a", &["plain lines"]),
    ];
    for (text, field, words) in cases {
        let run = both(&folder, text.as_bytes(), &["--group", field]);
        run.failed(2, words).says(&["there is no field", "plain lines have line"]);
    }
    let latin = b"Stra\xdfe,Ort\n1,2\n";
    both(&folder, latin, &["--group", "Ort"]).failed(1, &["not UTF-8", "iconv -f ENCODING"]);
    both(&folder, latin, &["--group", "x"]).failed(2, &["not UTF-8", "iconv -f ENCODING"]);
}

#[test]
fn a_table_with_another_delimiter_is_read_as_csv() {
    let folder = Folder::new("another_delimiter");
    let sum = ["--agg", "sum(v) as v, count"];
    let read = |text: &[u8], flags: &[&str]| both(&folder, text, &[&sum, flags].concat());
    let semicolons = b"name;v\n\"a;b\";1\nc,d;2\n\"e\n\"\"f\";4\n";
    for flags in [&["--delimiter", ";"][..], &["--delimiter=;", "--format", "csv"]] {
        let run = read(semicolons, flags);
        let row = &run.json()[0];
        assert_eq!((&row["v"], &row["count"]), (&json!(7), &json!(3)), "{}", run.stderr);
    }
    let grouped = read(semicolons, &["--delimiter", ";", "--group", "name"]);
    let rows = grouped.json();
    let names: Vec<_> = rows.iter().map(|row| row["group"]["name"].clone()).collect();
    assert_eq!(names, [json!("a;b"), json!("c,d"), json!("e\n\"f")]);
    assert_eq!(count(&read(b"a|v\nx|1\ny|2\n", &["--delimiter", "|"])), json!(2));
    for tab in ["\t", "\\t"] {
        assert_eq!(count(&read(b"a\tv\nx\t1\ny\t2\n", &["--delimiter", tab])), json!(2));
    }
    for (flags, words) in [
        (&["--delimiter", ";", "--format", "jsonl"][..], "only csv has a delimiter"),
        (&["--delimiter", "||"], "one character of ASCII"),
        (&["--delimiter", "\""], "cannot stand between fields"),
        (&["--delimiter", ""], "cannot stand between fields"),
        (&["--delimiter", "é"], "cannot stand between fields"),
    ] {
        let run = read(b"a;v\nx;1\n", flags);
        assert_eq!(run.code, Some(2), "{flags:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{flags:?}: {}", run.stderr);
    }
}

#[test]
fn a_resumed_run_keeps_its_delimiter() {
    let folder = Folder::new("resumed_delimiter");
    let (file, state) = (folder.file("a.csv", b"g;v\nx;1\n"), folder.path("state"));
    let flags = ["--delimiter", ";", "--group", "g", "--agg", "sum(v) as v", "--output", "json"];
    let run = || streamgauge(&[&["run", &file, "--state", &state][..], &flags].concat());
    assert_eq!(run().json()[0]["v"], json!(1));
    folder.file("a.csv", b"g;v\nx;1\ny;2\n");
    let again = run();
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(
        again.json().iter().any(|row| row["group"]["g"] == "y" && row["v"] == 2),
        "{}",
        again.stdout
    );
}

#[test]
fn s96_json_is_read_value_by_value_however_it_is_written() {
    let folder = Folder::new("s96_json_is_read_value_by_value");
    for text in [
        "[{\"v\":1},{\"v\":2}]\n",
        "[{\"v\":1},{\"v\":2}]",
        "[\n  {\"v\":1},\n  {\"v\":2}\n]\n",
        "\n[{\"v\":1\n},\n\n{\n\"v\":2,\"w\":{\"x\":[1]}}]",
        "{\n\"v\":1\n}\n{\n\"v\":2\n}\n",
        "{\n  \"v\": 1,\n  \"c\": [\n    {\"d\":1}\n  ]\n}\n{\"v\":2}",
        "{\"v\":1}{\"v\":2}\n",
        "{\"v\":1},\n{\"v\":2},\n",
        "{\"v\":1} ,\r\n{\"v\":2}",
    ] {
        for arguments in
            [&["--agg", "count, sum(v)"][..], &["--agg", "count, sum(v)", "--format", "jsonl"]]
        {
            let run = both(&folder, text.as_bytes(), arguments);
            assert_eq!(run.json()[0]["count"], json!(2), "{text}");
            assert_eq!(run.json()[0]["sum(v)"], json!(3), "{text}");
        }
    }
    assert_eq!(count(&both(&folder, b"[]", &[])), json!(0));
    // What is no object is a dead letter, and so is a value that is cut off.
    let run = both(&folder, b"[{\"v\":1},\n2,\n{\"v\":", &[]);
    assert_eq!(count(&run), json!(1));
    run.says(&["dead letters 2"]);
}

#[test]
fn a_line_of_json_that_is_cut_off_leaves_the_others() {
    let folder = Folder::new("a_line_of_json_that_is_cut_off");
    // A line that is cut off does not make the others something else.
    for text in ["\"a\":0}\n{\"a\":1}\n", "{\"a\":\n{\"a\":1}\n{\"a\":2}\n"] {
        let run = both(&folder, text.as_bytes(), &[]);
        assert!(matches!(run.code, Some(0)), "{}", run.stderr);
    }
    let run = both(&folder, b"{\"a\":\n{\"a\":1}\n{\"a\":2}\n", &["--agg", "sum(a)"]);
    assert_eq!(run.json()[0]["sum(a)"], json!(3));
    run.says(&["dead letters 1"]);
}

#[test]
fn stray_carriage_returns_at_line_ends_are_reported() {
    let folder = Folder::new("line_ends_with_stray_carriage_returns");
    let returns = b"a,b\r1,2\r3,4\r";
    for arguments in [
        &[][..],
        &["--format", "csv"],
        &["--agg", "sum(b)"],
        &["--format", "csv", "--agg", "sum(b)"],
        &["--format", "lines"],
    ] {
        both(&folder, returns, arguments).failed(1, &["\\r", "tr '\\r' '\\n' < FILE"]);
    }
    let doubled = b"a,b\r\r\n1,2\r\r\n3,4\r\r\n";
    for arguments in [&[][..], &["--format", "csv"], &["--agg", "sum(b)"]] {
        both(&folder, doubled, arguments).failed(1, &["\\r", "tr -d '\\r' < FILE"]);
    }
    assert_eq!(count(&both(&folder, b"one\r", &[])), json!(1));
    let named = both(&folder, b"a,b\x07c\n1,2\n", &["--format", "csv", "--agg", "sum(x)"]);
    named.failed(2, &["b\\u{7}c"]);
}

#[test]
fn blank_lines_before_a_header_do_not_matter() {
    let folder = Folder::new("blank_lines_before_a_header");
    for blank in ["", "\n", "\n\n", "\r\n\r\n\r\n", &"\n".repeat(5000)] {
        let text = format!("{blank}a,b\n1,2");
        let run = both(&folder, text.as_bytes(), &["--agg", "count, sum(b)"]);
        assert_eq!(
            (count(&run), run.json()[0]["sum(b)"].clone()),
            (json!(1), json!(2)),
            "{blank:?}"
        );
    }
}

#[test]
fn files_that_are_not_text_are_refused_by_name() {
    let folder = Folder::new("files_that_are_not_text");
    let utf16: Vec<u8> = "ts,v\n1,5\n2,6\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big_endian: Vec<u8> = "ts,v\n1,5\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf32: Vec<u8> = "ts,v\n1,5\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let cases: &[(Vec<u8>, &str)] = &[
        (b"\x04\x22\x4d\x18\x64\x40\xa7\x40".to_vec(), "lz4 -dc FILE"),
        (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "7z x -so FILE"),
        (b"PAR1\x15\x04\x15\x80\x01\x15".to_vec(), "Parquet"),
        (b"Obj\x01\x04\x16avro.schema\xb2".to_vec(), "Avro"),
        (b"ORC\x0a\x1d\x0a\x04\x08\x05\x50\0".to_vec(), "ORC"),
        (
            [b"logs/access.log".to_vec(), vec![0; 242], b"ustar\x0000\n".to_vec()].concat(),
            "tar -xOf FILE",
        ),
        (utf16, "iconv -f UTF-16LE "),
        (big_endian, "iconv -f UTF-16BE "),
        ([b"\xff\xfe\0\0".to_vec(), utf32.clone()].concat(), "iconv -f UTF-32 "),
        (utf32, "iconv -f UTF-32LE "),
    ];
    for (bytes, words) in cases {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        let inside = [encoder.finish().unwrap(), zstd::encode_all(&bytes[..], 3).unwrap()];
        for bytes in [bytes.clone()].into_iter().chain(inside) {
            for arguments in
                [&[][..], &["--agg", "sum(v)"], &["--format", "csv"], &["--format", "lines"]]
            {
                let run = both(&folder, &bytes, arguments);
                run.failed(1, &[words, "| streamgauge run"]);
                assert_eq!(run.stdout, "");
            }
        }
    }
    // With a byte order mark it is certain, and decoded.
    for text in ["\u{feff}ts,v\n1,5\n2,6\n", "\u{feff}[{\"v\":5},\n{\"v\":6}]"] {
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
            let packed = zstd::encode_all(&bytes[..], 3).unwrap();
            for bytes in [bytes, packed] {
                let run = both(&folder, &bytes, &["--agg", "sum(v)"]);
                assert_eq!(run.json()[0]["sum(v)"], json!(11), "{text}");
            }
        }
    }
    let twice = zstd::encode_all(&zstd::encode_all(&b"{}\n"[..], 3).unwrap()[..], 3).unwrap();
    both(&folder, &twice, &[]).failed(1, &["zstd -dc FILE"]);
}

#[test]
fn s97_access_logs_give_the_right_fields_or_dead_letters() {
    let folder = Folder::new("access_logs_give_the_right_fields");
    let line = |front: &str, end: &str| {
        format!("{front} [07/Sep/2023:15:58:36 +0200] \"GET /h HTTP/2.0\" 302 360{end}\n")
    };
    let vhosts = [
        line("www.example.test:443 192.0.2.1 - -", " \"-\" \"c\""),
        line("www.example.test:443 192.0.2.2 - -", " \"-\" \"c\""),
        line("shop.example.test:443 fe80::1%eth0 - bob", " \"-\" \"c\""),
    ];
    let run = both(
        &folder,
        vhosts.concat().as_bytes(),
        &["--agg", "distinct(host) as hosts, top(1, user), top(1, vhost)"],
    );
    let row = &run.json()[0];
    assert_eq!(
        (&row["hosts"]["value"], &row["top(1, user)"][0]["key"]),
        (&json!(3), &json!("bob"))
    );
    assert_eq!(
        row["top(1, vhost)"][0],
        json!({"key": "www.example.test:443", "count": 2, "lower": 2, "upper": 2, "guaranteed": true})
    );
    let as_clf = both(&folder, vhosts.concat().as_bytes(), &["--format", "clf"]);
    as_clf.failed(1, &["more than a host, an ident and a user"]);
    // A virtual host and a list of forwarded hosts.
    let both_in_front = [
        line("a.test:80 192.0.2.1, 192.0.2.9 - -", " \"-\" \"c\""),
        line("a.test:80 unknown, 192.0.2.9 - -", " \"-\" \"c\""),
    ];
    let lines = both(&folder, both_in_front.concat().as_bytes(), &[]);
    lines.succeeded().says(&["it looks like an access log, in another format"]);
    for format in ["clf", "vhost"] {
        let named = both(&folder, both_in_front.concat().as_bytes(), &["--format", format]);
        named.failed(1, &["more than a host, an ident and a user"]);
    }

    let quotes = [
        line("127.0.0.1 - -", " \"-\" \"\"echocrawl 2.0\"\""),
        line("127.0.0.1 - -", " \"http://s.test/?q=\"two words\"\" \"UA1\""),
        line("127.0.0.1 - -", " \"-\" \"UA \"quoted\" 4\""),
        line("127.0.0.1 - -", " \"-\" \"a \"b\" \"c\"\""),
    ];
    let run = both(&folder, quotes.concat().as_bytes(), &["--group", "referer,agent"]);
    let groups: Vec<(Value, Value)> = run
        .json()
        .iter()
        .map(|row| (row["group"]["referer"].clone(), row["group"]["agent"].clone()))
        .collect();
    let expected = [
        (Value::Null, json!("\"echocrawl 2.0\"")),
        (Value::Null, json!("UA \"quoted\" 4")),
        (json!("http://s.test/?q=\"two words\""), json!("UA1")),
    ];
    assert_eq!(groups, expected);
    run.says(&["dead letters 1", "not escaped"]);

    // nginx' format `main` has the forwarded addresses after the agent.
    let main = line("192.0.2.1 - -", " \"-\" \"curl/8\" \"10.0.0.1, 10.0.0.2\"").repeat(3);
    let run = both(&folder, main.as_bytes(), &["--group", "agent"]);
    assert_eq!((count(&run), &run.json()[0]["group"]["agent"]), (json!(3), &json!("curl/8")));
}

#[test]
fn many_inputs_of_plain_lines_are_noted_a_few_times() {
    let folder = Folder::new("many_inputs_of_plain_lines");
    let files: Vec<String> =
        (0..6).map(|index| folder.file(&format!("{index}.log"), "started the service\n")).collect();
    let arguments: Vec<&str> =
        ["run", "--output", "json"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let run = streamgauge(&arguments);
    assert_eq!(count(&run), json!(6));
    assert_eq!(run.stderr.matches("note: ").count(), 4);
    run.says(&["3 more inputs are read as plain lines"]);
}

#[test]
fn s99_a_zstd_window_over_the_limit_names_the_flag_that_raises_it() {
    let folder = Folder::new("a_zstd_window_over_the_limit");
    let frame = include_bytes!("../data/detection/zstd-long.jsonl.zst");
    both(&folder, frame, &[])
        .failed(1, &["2048 MiB", "limit of 128 MiB", "--zstd-window-log-max 31"]);
    let run = both(&folder, frame, &["--zstd-window-log-max", "31"]);
    assert_eq!(count(&run), json!(1000));
    streamgauge(&["run", "--zstd-window-log-max", "32"]).failed(2, &["10..=31"]);
}
