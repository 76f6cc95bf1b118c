//! Logs of servers and services: logfmt, W3C extended, AWS, format strings and patterns.

use super::{Event, Recorder, error_of, options, read};
use proptest::prelude::*;
use std::io::Cursor;
use streamgauge::adapter::files::{Format, Input, run};

/// Returns the values of the rows without the letters of their types.
fn values(format: &Format, text: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let (got, _) = read(format.clone(), text.as_bytes(), fields);
    assert_eq!(got.dead(), [], "{format}");
    let plain = |value: &str| if value == "-" { String::new() } else { value[1..].to_owned() };
    got.rows().iter().map(|row| row.iter().map(|value| plain(value)).collect()).collect()
}

const ALB: &str = r#"https 2024-07-02T22:23:00.186641Z app/shop-lb/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.12:80 0.086 0.048 0.037 200 200 0 57 "GET https://shop.example.com:443/cart?id=7 HTTP/1.1" "curl/8.4.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/web/73e2d6bc24d8a067 "Root=1-58337281-1d84f3d73c47ec4e58577259" "shop.example.com" "arn:aws:acm:us-east-2:123456789012:certificate/12345678" 1 2024-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.12:80" "200" "-" "-" TID_123456
http 2024-07-02T22:23:01.000000Z app/shop-lb/50dc6c495c0c9188 192.0.2.8:2818 - -1 -1 -1 503 - 34 366 "GET http://www.example.com:80/ HTTP/1.1" "Mozilla/5.0 (X11; \"odd\")" - - arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/web/73e2d6bc24d8a067 "Root=1-58337364-23a8c76965a2ef7629b185e3"
"#;
const S3: &str = r#"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be logs-bucket [06/Feb/2024:00:00:38 +0000] 192.0.2.3 arn:aws:iam::123456789012:user/anna 3E57427F3EXAMPLE REST.GET.OBJECT photos/2024/a.jpg "GET /logs-bucket/photos/2024/a.jpg?x=1 HTTP/1.1" 200 - 113 7600 41 28 "-" "S3Console/0.4, "odd"-agent" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader logs-bucket.s3.us-west-1.amazonaws.com TLSV1.2 - -
79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be logs-bucket [06/Feb/2024:00:01:00 +0000] - AmazonS3 7B4A0FABBEXAMPLE S3.EXPIRE.OBJECT old.txt "-" - - - 12 - - "-" "-" - -
"#;
const VPC: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 \
                   4249 1418530010 1418530070 ACCEPT OK
2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA
";
const IIS: &str = "#Software: Microsoft Internet Information Services 10.0\r
#Version: 1.0\r
#Date: 2024-01-02 03:04:05\r
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
cs(Referer) sc-status sc-substatus sc-win32-status time-taken\r
2024-01-02 03:04:05 10.0.0.1 GET /shop/cart.aspx id=7 443 - 192.0.2.7 Mozilla/5.0+(X11) - 200 0 0 \
15\r
#Date: 2024-01-02 04:00:00\r
#Fields: date time c-ip cs-method cs-uri-stem sc-status\r
2024-01-02 04:00:01 192.0.2.8 POST /shop/pay.aspx 500\r
";
const CLOUDFRONT: &str = "#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status \
cs(Referer) cs(User-Agent)
2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\t-\tMozilla/5.0%20(Windows)
2019-12-04\t21:02:32\tLAX1\t-\t192.0.2.101\tGET\td111111abcdef8.cloudfront.net\t/a b\t304\t-\t-
";

#[test]
fn s96_logs_of_services_are_told_and_have_the_names_of_access_logs() {
    let names = ["time", "host", "method", "path", "status", "bytes", "agent"];
    let rows = |format: Format, text: &str, names: &[&str]| {
        assert_eq!(Format::detect(text.as_bytes()), format);
        let told = values(&Format::Auto, text, names);
        assert_eq!(values(&format, text, names), told);
        told
    };
    assert_eq!(
        rows(Format::Alb, ALB, &names),
        [
            [
                "2024-07-02T22:23:00.186641Z",
                "192.0.2.7",
                "GET",
                "/cart?id=7",
                "200",
                "57",
                "curl/8.4.0"
            ],
            [
                "2024-07-02T22:23:01.000000Z",
                "192.0.2.8",
                "GET",
                "/",
                "503",
                "366",
                r#"Mozilla/5.0 (X11; \"odd\")"#
            ],
        ]
    );
    assert_eq!(
        rows(
            Format::Alb,
            ALB,
            &["target_ip", "target_port", "target_status_code", "url", "conn_trace_id"]
        ),
        [
            ["10.0.0.12", "80", "200", "https://shop.example.com:443/cart?id=7", "TID_123456"],
            ["", "", "", "http://www.example.com:80/", ""],
        ]
    );
    assert_eq!(
        rows(
            Format::S3,
            S3,
            &["time", "host", "method", "path", "status", "bytes", "agent", "operation", "key"]
        ),
        [
            [
                "06/Feb/2024:00:00:38 +0000",
                "192.0.2.3",
                "GET",
                "/logs-bucket/photos/2024/a.jpg?x=1",
                "200",
                "113",
                "S3Console/0.4, \"odd\"-agent",
                "REST.GET.OBJECT",
                "photos/2024/a.jpg"
            ],
            ["06/Feb/2024:00:01:00 +0000", "", "", "", "", "", "", "S3.EXPIRE.OBJECT", "old.txt"],
        ]
    );
    assert_eq!(
        rows(
            Format::Vpc,
            VPC,
            &["time", "host", "dstport", "bytes", "action", "log_status", "log-status"]
        ),
        [
            ["1418530010", "172.31.16.139", "22", "4249", "ACCEPT", "OK", "OK"],
            ["1431280876", "", "", "", "", "NODATA", "NODATA"],
        ]
    );
    let header = "version account-id srcaddr pkt-srcaddr bytes start\n\
                  3 123456789010 10.0.0.1 192.0.2.7 17 1418530010\n";
    assert_eq!(rows(Format::Vpc, header, &["pkt_srcaddr", "bytes"]), [["192.0.2.7", "17"]]);
    assert_eq!(
        rows(
            Format::W3c,
            IIS,
            &["time", "host", "method", "path", "status", "agent", "time-taken", "cs_user_agent"]
        ),
        [
            [
                "2024-01-02 03:04:05",
                "192.0.2.7",
                "GET",
                "/shop/cart.aspx",
                "200",
                "Mozilla/5.0+(X11)",
                "15",
                "Mozilla/5.0+(X11)"
            ],
            // After the second #Fields: columns that it has not are missing.
            ["2024-01-02 04:00:01", "192.0.2.8", "POST", "/shop/pay.aspx", "500", "", "", ""],
        ]
    );
    assert_eq!(
        rows(
            Format::W3c,
            CLOUDFRONT,
            &["time", "host", "vhost", "path", "bytes", "x_edge_location"]
        ),
        [
            [
                "2019-12-04 21:02:31",
                "192.0.2.100",
                "d111111abcdef8.cloudfront.net",
                "/index.html",
                "392",
                "LAX1"
            ],
            [
                "2019-12-04 21:02:32",
                "192.0.2.101",
                "d111111abcdef8.cloudfront.net",
                "/a b",
                "",
                "LAX1"
            ],
        ]
    );
    let logfmt = "ts=2024-01-02T03:04:05Z level=info msg=\"request \\\"x\\\" done\" took=12ms\n\
                  ts=2024-01-02T03:04:06Z level=warn\n";
    assert_eq!(
        rows(Format::Logfmt, logfmt, &["ts", "level", "msg", "took"]),
        [
            ["2024-01-02T03:04:05Z", "info", "request \"x\" done", "12ms"],
            ["2024-01-02T03:04:06Z", "warn", "", ""],
        ]
    );
}

#[test]
fn lines_of_another_log_are_dead_letters_and_unknown_fields_are_named() {
    let bad = [
        (Format::Alb, ALB, "https 2024-07-02 22:23:00 x\n", "line of an ALB log"),
        (Format::S3, S3, "79a5 bucket [06/Feb\n", "line of an S3 access log"),
        (Format::Vpc, VPC, "2 123456789010 eni-1\n", "line of a VPC flow log"),
        (Format::W3c, CLOUDFRONT, "2019-12-04\t21:02:31\n", "line of a W3C extended log"),
        (Format::Logfmt, "a=1 b=2\na=2 b=2\n", "a=\"\n", "line of logfmt"),
    ];
    for (format, good, line, words) in bad {
        let (got, _) = read(format.clone(), format!("{good}{line}").as_bytes(), &[]);
        assert_eq!(got.dead().len(), 1, "{format}");
        assert!(got.dead()[0].1.contains(words), "{:?}", got.dead());
        if format != Format::Logfmt {
            let error = error_of(format, good.as_bytes(), &["statos"]).to_string();
            assert!(error.contains("there is no field \"statos\""), "{error}");
        }
    }
    // A quote that is not escaped would shift the columns after it.
    let (got, _) = read(Format::S3, S3.replace("-agent", " agent").as_bytes(), &["version_id"]);
    assert_eq!((got.rows().len(), got.dead().len()), (1, 1));
    assert!(got.dead()[0].1.contains("quotes are not escaped"), "{:?}", got.dead());
    let error = error_of(Format::W3c, b"2019-12-04 21:02:31\n", &[]).to_string();
    assert!(error.contains("begins with a line #Fields:"), "{error}");
}

/// A directive of a server's configuration, a line that it writes, and values of the line.
struct Server {
    directive: &'static str,
    line: &'static str,
    values: &'static [(&'static str, &'static str)],
}

/// The format strings of the documentation of nginx, Apache and ingress-nginx.
const SERVERS: [Server; 12] = [
    Server {
        directive: r#"log_format combined '$remote_addr - $remote_user [$time_local] '
                    '"$request" $status $body_bytes_sent '
                    '"$http_referer" "$http_user_agent"';"#,
        line: r#"192.0.2.7 - anna [02/Jan/2024:03:04:05 +0000] "GET /a?b=1 HTTP/1.1" 200 512 "https://example.com/" "Mozilla/5.0 (\x22X11\x22)""#,
        values: &[
            ("host", "192.0.2.7"),
            ("remote_addr", "192.0.2.7"),
            ("user", "anna"),
            ("time", "02/Jan/2024:03:04:05 +0000"),
            ("request", "GET /a?b=1 HTTP/1.1"),
            ("method", "GET"),
            ("path", "/a?b=1"),
            ("protocol", "HTTP/1.1"),
            ("status", "200"),
            ("bytes", "512"),
            ("referer", "https://example.com/"),
            ("agent", r"Mozilla/5.0 (\x22X11\x22)"),
        ],
    },
    Server {
        directive: r#"log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';"#,
        line: r#"10.0.0.1 - - [02/Jan/2024:03:04:05 +0000] "-" 400 0 "-" "-" "192.0.2.7, 10.0.0.9""#,
        values: &[
            ("host", "10.0.0.1"),
            ("user", ""),
            ("method", ""),
            ("status", "400"),
            ("agent", ""),
            ("http_x_forwarded_for", "192.0.2.7, 10.0.0.9"),
        ],
    },
    Server {
        directive: r#"log_format compression '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent "$http_referer" "$http_user_agent" "$gzip_ratio"';"#,
        line: r#"192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET / HTTP/2.0" 200 7123 "-" "curl/8.4.0" "3.27""#,
        values: &[("bytes", "7123"), ("gzip_ratio", "3.27"), ("protocol", "HTTP/2.0")],
    },
    Server {
        directive: r#"log_format upstreaminfo '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id';"#,
        line: r#"10.1.0.4 - - [02/Jan/2024:03:04:05 +0000] "POST /api HTTP/1.1" 502 150 "-" "Go-http-client/1.1" 403 0.003 [shop-api-80] [] 10.2.0.7:8080, 10.2.0.8:8080 : 10.2.0.9:80 0, 150 : 0 0.001, 0.002 : 0.000 502, 502 : 502 5aef2b"#,
        values: &[
            ("request_time", "0.003"),
            ("proxy_upstream_name", "shop-api-80"),
            ("proxy_alternative_upstream_name", ""),
            ("upstream_addr", "10.2.0.7:8080, 10.2.0.8:8080 : 10.2.0.9:80"),
            ("upstream_response_time", "0.001, 0.002 : 0.000"),
            ("upstream_status", "502, 502 : 502"),
            ("req_id", "5aef2b"),
            ("status", "502"),
        ],
    },
    Server {
        directive: r#"log_format basic '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time';"#,
        line: "192.0.2.7 [02/Jan/2024:03:04:05 +0000] TCP 200 63 0 0.001",
        values: &[
            ("protocol", "TCP"),
            ("bytes", "63"),
            ("bytes_received", "0"),
            ("session_time", "0.001"),
        ],
    },
    Server {
        directive: r#"'$time_iso8601 host=${host} uri="$request_uri" rt=$request_time'"#,
        line: r#"2024-01-02T03:04:05+00:00 host=example.com uri="/a b" rt=0.25"#,
        values: &[
            ("time", "2024-01-02T03:04:05+00:00"),
            ("host", "example.com"),
            ("vhost", "example.com"),
            ("path", "/a b"),
            ("request_time", "0.25"),
        ],
    },
    Server {
        directive: r#"LogFormat "%h %l %u %t \"%r\" %>s %b" common"#,
        line: r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#,
        values: &[
            ("host", "127.0.0.1"),
            ("ident", ""),
            ("user", "frank"),
            ("time", "10/Oct/2000:13:55:36 -0700"),
            ("path", "/apache_pb.gif"),
            ("status", "200"),
            ("bytes", "2326"),
        ],
    },
    Server {
        directive: r#"LogFormat "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" vhost_combined"#,
        line: r#"www.example.com:443 192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET / HTTP/1.1" 304 - "-" "Mozilla/5.0 \"odd\"""#,
        values: &[
            ("vhost", "www.example.com"),
            ("port", "443"),
            ("bytes", ""),
            ("agent", r#"Mozilla/5.0 \"odd\""#),
            ("referer", ""),
        ],
    },
    Server {
        directive: r#"LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %I %O" combinedio"#,
        line: r#"192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "curl" 331 512"#,
        values: &[("bytes", "5"), ("bytes_received", "331"), ("bytes_sent", "512")],
    },
    Server {
        directive: r#"%{Referer}i -> %U"#,
        line: "https://example.com/ -> /a",
        values: &[("referer", "https://example.com/"), ("path", "/a")],
    },
    Server {
        directive: r#"%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x \"%r\" %b"#,
        line: r#"[02/Jan/2024:03:04:05 +0000] 192.0.2.7 TLSv1.3 TLS_AES_256_GCM_SHA384 "GET / HTTP/1.1" 12"#,
        values: &[("ssl_ssl_protocol", "TLSv1.3"), ("method", "GET"), ("bytes", "12")],
    },
    Server {
        directive: r#"%a %{X-Forwarded-For}i %400,501{User-agent}i %!200,304,302{Referer}i %{ms}T %D %{VARNAME}e %{sid}C %X %%"#,
        line: "10.0.0.1 192.0.2.7, 10.0.0.9 curl - 12 12345 x s1 + %",
        values: &[
            ("client_ip", "10.0.0.1"),
            ("http_x_forwarded_for", "192.0.2.7, 10.0.0.9"),
            ("agent", "curl"),
            ("duration_ms", "12"),
            ("duration_us", "12345"),
            ("env_varname", "x"),
            ("cookie_sid", "s1"),
            ("connection_status", "+"),
        ],
    },
];

#[test]
fn format_strings_of_servers_are_read_as_they_stand_in_configurations() {
    for Server { directive, line, values: expected } in SERVERS {
        let format = Format::Auto.with_log_format(directive).unwrap();
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let texts: Vec<&str> = expected.iter().map(|(_, text)| *text).collect();
        assert_eq!(values(&format, &format!("{line}\n"), &names), [texts], "{directive}");
        // As it is kept in a state.
        assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        let (got, _) = read(format, b"started\n", &[]);
        assert_eq!(got.dead().len(), 1, "{directive}");
    }
}

#[test]
fn format_strings_that_cannot_be_right_are_refused_with_the_reason() {
    for (string, words) in [
        ("", "neither a variable of nginx"),
        ("hello", "neither a variable of nginx"),
        ("$remote_addr$status", "no text between the fields remote_addr and status"),
        ("%h%l", "no text between the fields host and ident"),
        ("%h %Y", "column 4: % begins no directive"),
        ("%h %{x", "column 4: % begins no directive"),
        ("log_format main '$status", "one is not closed"),
        ("log_format j escape=json '{\"a\":\"$status\"}';", "is JSON"),
        ("{\"a\":\"$status\"}", "is JSON"),
    ] {
        let error = Format::Auto.with_log_format(string).unwrap_err().to_string();
        assert!(error.contains(words), "{string}: {error}");
    }
    let error = Format::Csv.with_log_format("$status").unwrap_err().to_string();
    assert!(error.contains("log_format is a format of its own, and the format is csv"), "{error}");
}

#[test]
fn the_combined_format_by_its_string_gives_what_clf_does() {
    let log = include_bytes!("../data/access_combined.log");
    let fields = [
        "host", "user", "time", "method", "path", "protocol", "status", "bytes", "referer", "agent",
    ];
    let string = r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i""#;
    let (clf, _) = read(Format::Clf, log, &fields);
    let (own, _) = read(Format::Auto.with_log_format(string).unwrap(), log, &fields);
    let plain = |recorder: &Recorder| -> Vec<Vec<String>> {
        let text = |value: &&str| if *value == "-" { String::new() } else { value[1..].to_owned() };
        recorder.rows().iter().map(|row| row.iter().map(text).collect()).collect()
    };
    // clf also reads lines whose quotes are not escaped; the string does not say where they end.
    let dead: Vec<u64> = own.dead().iter().map(|(line, _)| *line).collect();
    assert!(dead.len() < 20, "{dead:?}");
    let kept =
        plain(&clf).into_iter().enumerate().filter(|(at, _)| !dead.contains(&(*at as u64 + 1)));
    assert_eq!(plain(&own), kept.map(|(_, row)| row).collect::<Vec<_>>());
}

#[test]
fn patterns_and_expressions_name_the_fields() {
    let lines = "192.0.2.7 - anna [02/Jan/2024:03:04:05 +0000] \"GET /a HTTP/1.1\" 200\n";
    let pattern = r#"<ip> - <user> [<time>] "<method> <path> <_>" <status>"#;
    let format = Format::Auto.with_pattern(pattern).unwrap();
    assert_eq!(
        values(&format, lines, &["ip", "time", "path", "status"]),
        [["192.0.2.7", "02/Jan/2024:03:04:05 +0000", "/a", "200"]]
    );
    let format = Format::Auto
        .with_regex(r#""(?<method>\w+) (?<path>\S+).*" (?<status>\d{3})(?<rest>.*)$"#)
        .unwrap();
    assert_eq!(
        values(&format, lines, &["path", "status", "rest", "method"]),
        [["/a", "200", "", "GET"]]
    );
    let (got, _) = read(format, b"started\n", &["path"]);
    assert_eq!(got.dead(), [(1, "not a line of --regex: the expression is not found in it")]);
}

/// Returns the events of a text that is read in blocks of this size.
fn events(format: &Format, text: &[u8], fields: &[&str], block_bytes: usize) -> Vec<Event> {
    let mut recorder = Recorder::new(fields);
    let input = Input::from_reader("in", Cursor::new(text.to_vec()));
    run(vec![input], &options(format.clone(), block_bytes, 1 << 20), &mut recorder).unwrap();
    recorder.events
}

proptest! {
    /// What a server writes by its format string is read as it was.
    #[test]
    fn values_of_a_server_round_trip(
        rows in prop::collection::vec(("[a-z0-9.]{1,\
                                        9}", "[a-z ]{0,9}", 100u16..600, 0u32..9999, "[a-z\"\\\\/ \
                                            ]{0,12}"), 1..20),
    ) {
        let escape = |text: &str| text.replace('\\', "\\x5C").replace('"', "\\x22");
        let write = |(host, user, status, bytes, agent): &(String, String, u16, u32, String)| {
            format!(
                "{host} - {user} [02/Jan/2024:03:04:05 +0000] \"GET /{host} HTTP/1.1\" {status} \
                 {bytes} \"{}\"\n",
                escape(agent)
            )
        };
        let log: String = rows.iter().map(write).collect();
        let string = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_user_agent""#;
        let format = Format::Auto.with_log_format(string).unwrap();
        let read = values(&format, &log, &["host", "user", "path", "status", "bytes", "agent"]);
        let expected: Vec<Vec<String>> = rows
            .iter()
            .map(|(host, user, status, bytes, agent)| {
                vec![
                    host.clone(),
                    user.clone(),
                    format!("/{host}"),
                    status.to_string(),
                    bytes.to_string(),
                    escape(agent),
                ]
            })
            .collect();
        prop_assert_eq!(read, expected);
    }

    /// Blocks of any size give the same, also with names of columns that change.
    #[test]
    fn s95_logs_are_read_alike_in_blocks_of_any_size(
        block_bytes in 64usize..400,
        cut in 0usize..2000,
    ) {
        let string = Format::Auto.with_log_format(SERVERS[0].directive).unwrap();
        let server = format!("{}\nbroken\n{}\n", SERVERS[0].line, SERVERS[0].line);
        for (format, text) in [
            (Format::Alb, ALB),
            (Format::S3, S3),
            (Format::Vpc, VPC),
            (Format::W3c, IIS),
            (Format::W3c, CLOUDFRONT),
            (string, &server),
        ] {
            let text = text.repeat(3);
            // The names of the columns are in front.
            let text = &text.as_bytes()[..text.len() - cut.min(text.len() / 3)];
            let fields = ["host", "bytes"];
            let fields = if text.starts_with(b"#Soft") { &fields[..1] } else { &fields };
            prop_assert_eq!(
                events(&format, text, fields, block_bytes),
                events(&format, text, fields, 1 << 20)
            );
        }
    }
}
