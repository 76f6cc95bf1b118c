//! `--serve`: the real command, asked by HTTP as written by hand.

use super::{FLAGS, Folder, GIVE_UP, command, hits, run_of, streamgauge};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Instant;

/// A run that serves its answers, with its input open.
struct Served {
    child: Child,
    port: u16,
    errors: BufReader<std::process::ChildStderr>,
}

impl Served {
    /// Starts a run over this number of records.
    fn start(flags: &[&str], records: u64) -> Self {
        let mut child = command(&[&FLAGS[..], &["--serve", "127.0.0.1:0"], flags].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        let port = line.trim_end().trim_end_matches('/').rsplit(':').next().unwrap();
        let port = port.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
        let mut served = Served { child, port, errors };
        served.feed(&hits(records));
        served
    }

    fn feed(&mut self, records: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(records.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    /// Sends bytes and returns the whole reply.
    fn send(&self, request: &str) -> String {
        let mut connection = self.connect();
        // A server that refuses a request need not read all of it.
        drop(connection.write_all(request.as_bytes()));
        let mut reply = Vec::new();
        drop(connection.read_to_end(&mut reply));
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn get(&self, path: &str, headers: &str) -> String {
        let port = self.port;
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}\r\n"))
    }

    /// Asks until a reply has a text, or long enough that none ever will.
    fn until(&self, path: &str, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let reply = self.get(path, "");
            assert!(begin.elapsed() < GIVE_UP, "{text:?} is not in {reply}");
            if reply.contains(text) {
                return reply;
            }
            // Without a place a connection is closed at once.
            assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
            std::thread::yield_now();
        }
    }

    /// Ends the input, and returns standard output and standard error.
    fn ended(mut self) -> (String, String) {
        drop(self.child.stdin.take());
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).unwrap();
        let run = run_of(self.child.wait_with_output().unwrap());
        (run.succeeded().stdout.clone(), errors)
    }
}

fn status(reply: &str) -> &str {
    reply.split(' ').nth(1).unwrap_or("closed")
}

#[test]
fn s287_the_page_and_the_health_of_a_run_that_goes_on() {
    let mut served = Served::start(&[], 100);
    let page = served.until("/", "9 windows of 10 seconds");
    assert!(page.contains("connect-src 'self'; base-uri 'none'"), "{}", &page[..2_000]);
    assert!(page.contains("new EventSource('events'"));
    assert!(served.get("/healthz", "").ends_with("\r\n\r\nok\n"));
    // A page that waits hears of the next answer.
    let mut events = served.connect();
    let port = served.port;
    write!(events, "GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").unwrap();
    let mut lines = BufReader::new(events).lines();
    assert!(lines.by_ref().map(Result::unwrap).any(|line| line == ": waiting"));
    let more: String = hits(130).lines().skip(100).map(|line| format!("{line}\n")).collect();
    served.feed(&more);
    assert!(lines.by_ref().map(Result::unwrap).any(|line| line == "event: change"));
    served.until("/", "12 windows of 10 seconds");
    let (rows, errors) = served.ended();
    assert!(errors.contains("records 130, applied 130"), "{errors}");
    let folder = Folder::new("s287_rows");
    let log = folder.file("hits.jsonl", hits(130));
    let plain = streamgauge(&[&FLAGS[..], &["--output", "json", &log]].concat());
    assert_eq!(rows, plain.stdout, "serving does not change the answers");
}

#[test]
fn s288_metrics_are_of_the_newest_window() {
    let mut served = Served::start(&[], 100);
    let text = served.until("/metrics", "\nstreamgauge_window_start_seconds 1704067280\n");
    let text = text.replace("\r\n", "\n");
    assert!(text.contains("\ncontent-type: text/plain; version=0.0.4; charset=utf-8\n"), "{text}");
    assert!(text.contains("\nstreamgauge_answer{column=\"count\"} 10\n"), "{text}");
    served.until("/metrics", "streamgauge_records_total 100");
    // Two pieces of input, of which the run then waits for the next.
    let more: Vec<String> = hits(102).lines().skip(100).map(|line| format!("{line}\n")).collect();
    served.feed(&more[0]);
    served.until("/metrics", "streamgauge_records_total 101");
    served.feed(&more[1]);
    served.until("/metrics", "streamgauge_records_total 102");
    let accept = "Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n";
    let open = served.get("/metrics", accept);
    assert!(open.contains("application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.contains("# TYPE streamgauge_records counter\n") && open.ends_with("# EOF\n"));
    served.ended();
    let chosen = Served::start(&["--metrics", "top(2, url)"], 100);
    let text = chosen.until("/metrics", "streamgauge_answer{column=\"top(2, url)\",key=\"/0\"} ");
    assert!(!text.contains("column=\"count\""), "{text}");
    chosen.ended();
}

#[test]
fn s289_only_the_own_machine_is_served_without_a_token() {
    let served = Served::start(&[], 100);
    let port = served.port;
    for host in ["evil.example", &format!("evil.example:{port}"), "localhost:1", "127.0.0.1"] {
        let reply = served.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(status(&reply), "421", "{host}: {reply}");
    }
    assert_eq!(status(&served.send("GET / HTTP/1.0\r\n\r\n")), "421");
    served.ended();
    let run = streamgauge(&[&FLAGS[..], &["--serve", "0.0.0.0:0"]].concat());
    run.failed(2, &["only a loopback address such as 127.0.0.1 is served without a token"]);
    let folder = Folder::new("s289_token");
    let short = folder.file("short", "secret\n");
    let run =
        streamgauge(&[&FLAGS[..], &["--serve", "127.0.0.1:0", "--token-file", &short]].concat());
    run.failed(2, &["a token has at least 16 letters"]);
    let token = folder.file("token", "0123456789abcdef\n");
    let served = Served::start(&["--token-file", &token], 100);
    for (path, headers, expected) in [
        ("/metrics", "", "401"),
        ("/healthz", "Authorization: Bearer 0123456789abcdeg\r\n", "401"),
        ("/healthz", "Authorization: Bearer 0123456789abcdef0\r\n", "401"),
        ("/healthz?token=", "", "401"),
        ("/healthz", "Authorization: Bearer 0123456789abcdef\r\n", "200"),
        ("/?a=b&token=0123456789abcdef", "", "200"),
    ] {
        assert_eq!(status(&served.get(path, headers)), expected, "{path} {headers}");
    }
    served.ended();
}

#[test]
fn s290_hostile_clients_cost_only_themselves() {
    let served = Served::start(&[], 100);
    let port = served.port;
    let long = "a".repeat(20_000);
    let many: String = (0..100).map(|number| format!("X-{number}: 1\r\n")).collect();
    for (request, expected) in [
        (format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 9\r\n\r\n"), "405"),
        (format!("GET /../etc/passwd HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"), "404"),
        (format!("GET /{long} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n{many}\r\n"), "431"),
        ("\u{0}\u{1}\u{2} nonsense\r\n\r\n".to_owned(), "400"),
        (format!("HEAD / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"), "200"),
    ] {
        let reply = served.send(&request);
        let shown = &request[..request.len().min(60)];
        let is_refused = ["400", "414", "431"].contains(&expected);
        let found = status(&reply);
        let is_same_kind = is_refused && ["400", "414", "431", "closed"].contains(&found);
        assert!(found == expected || is_same_kind, "{shown:?}: {found}, not {expected}");
    }
    // Requests that never end take places, but not all of the server.
    let mut slow: Vec<TcpStream> = (0..200).map(|_| served.connect()).collect();
    for connection in &mut slow {
        drop(connection.write_all(b"GET / HTTP/1.1\r\nHost: "));
    }
    drop(slow);
    served.until("/healthz", "ok");
    let (_, errors) = served.ended();
    assert!(!errors.contains("panicked"), "{errors}");
}
