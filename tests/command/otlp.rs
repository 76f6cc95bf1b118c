//! `--otlp`: the real command, and receivers that take, refuse, wait or have gone.

use super::{FLAGS, Folder, GIVE_UP, command, hits, run_of, streamgauge};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use prost::Message;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A request: its head, and its points by name and attributes.
struct Request {
    head: String,
    points: BTreeMap<String, f64>,
    whole: ExportMetricsServiceRequest,
}

/// Returns the place of a receiver and what it gets. It answers with these replies, then with the
/// last one; without any it never answers.
fn receiver(replies: &[&str]) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let mut replies: Vec<String> = replies.iter().rev().map(|reply| (*reply).to_owned()).collect();
    let (sender, requests) = channel();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for connection in listener.incoming() {
            let connection = connection.unwrap();
            let request = read(&mut BufReader::new(&connection));
            // Who has the reply may look for the request.
            if sender.send(request).is_err() {
                return;
            }
            match replies.last() {
                // A process that was given too little time may have gone.
                Some(reply) => drop((&connection).write_all(reply.as_bytes())),
                None => silent.push(connection),
            }
            if replies.len() > 1 {
                replies.pop();
            }
        }
    });
    (place, requests)
}

fn read(connection: &mut impl BufRead) -> Request {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(connection.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
    Request { head, points: points(&request), whole: request }
}

fn points(request: &ExportMetricsServiceRequest) -> BTreeMap<String, f64> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let mut points = BTreeMap::new();
    for metric in scopes.flat_map(|scope| &scope.metrics) {
        let of_metric = match metric.data.as_ref().unwrap() {
            Data::Gauge(gauge) => &gauge.data_points,
            Data::Sum(sum) => {
                assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
                &sum.data_points
            }
            _ => continue,
        };
        for point in of_metric {
            let attributes = point.attributes.iter().map(|attribute| {
                let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
                let Some(Value::StringValue(value)) = value else { panic!("{value:?}") };
                format!(" {}={value}", attribute.key)
            });
            let name = format!("{}{}", metric.name, attributes.collect::<String>());
            let value = match point.value.unwrap() {
                number_data_point::Value::AsDouble(value) => value,
                number_data_point::Value::AsInt(value) => value as f64,
            };
            assert!(point.time_unix_nano > 0 && points.insert(name, value).is_none());
        }
    }
    points
}

#[test]
fn s314_the_last_request_has_the_answers_and_the_counts() {
    let folder = Folder::new("s314_last");
    let log = folder.file("hits.jsonl", hits(100));
    let (place, requests) = receiver(&[OK]);
    let flags = ["--output", "json", "--group", "url", "--metrics", "count, p99(bytes)", &log];
    let plain = [&FLAGS[..], &flags[..4], &[&log]].concat();
    let run = streamgauge(&[&FLAGS[..], &flags, &["--otlp", &place]].concat());
    assert_eq!(run.succeeded().stdout, streamgauge(&plain).stdout, "the answers do not change");
    let Request { head, points, .. } = requests.recv_timeout(GIVE_UP).unwrap();
    assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{head}");
    assert_eq!(points["streamgauge.records"], 100.0);
    let rows = run.json();
    let last = rows.last().unwrap();
    let of_last = rows.iter().filter(|row| row["window"] == last["window"]);
    for row in of_last.clone() {
        let url = row["group"]["url"].as_str().unwrap();
        let value = |name: &str| points[&format!("streamgauge.{name} column=p99(bytes) url={url}")];
        let p99 = &row["p99(bytes)"];
        assert_eq!(value("answer"), p99["value"].as_f64().unwrap());
        assert_eq!(value("answer_upper"), p99["upper"].as_f64().unwrap());
        let count = points[&format!("streamgauge.answer column=count url={url}")];
        assert_eq!(count, row["count"].as_f64().unwrap());
    }
    let counts = points.keys().filter(|name| name.starts_with("streamgauge.answer column=count"));
    assert_eq!(counts.count(), of_last.count());
}

#[test]
fn s314_trouble_is_told_and_counted_and_ends() {
    let (place, requests) = receiver(&[
        "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nwhy",
        OK,
    ]);
    let mut child = command(&[&FLAGS[..], &["--otlp", &place]].concat())
        .env("OTEL_METRIC_EXPORT_INTERVAL", "20")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(hits(100).as_bytes()).unwrap();
    let first: Vec<Request> = (0..4).map(|_| requests.recv_timeout(GIVE_UP).unwrap()).collect();
    let of =
        |name: &str| -> Vec<f64> { first.iter().map(|request| request.points[name]).collect() };
    assert_eq!(of("streamgauge.otlp_failed_requests"), [0.0, 1.0, 2.0, 2.0]);
    assert_eq!(of("streamgauge.otlp_requests"), [0.0, 0.0, 0.0, 1.0]);
    assert!(of("streamgauge.otlp_refused_points")[2] > 0.0);
    drop(child.stdin.take());
    let run = run_of(child.wait_with_output().unwrap());
    run.succeeded().says(&["the receiver answers 503", "all is taken again"]);
    let last = requests.try_iter().last().unwrap();
    assert_eq!(last.points["streamgauge.records"], 100.0);
}

#[test]
fn s314_a_run_waits_for_no_receiver_but_at_its_end_for_a_limited_time() {
    let folder = Folder::new("s314_gone");
    let log = folder.file("hits.jsonl", hits(100));
    let gone =
        format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let (silent, _requests) = receiver(&[]);
    for (place, words) in [(gone, "onnection refused"), (silent, "no reply within 50 ms")] {
        let mut command = command(&[&FLAGS[..], &["--otlp", &place, &log]].concat());
        let run = command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "50").output().unwrap();
        run_of(run).succeeded().says(&[words, "records 100, applied 100"]);
    }
}

/// Returns the histograms of a request: column, start, end, and the bounds of each number.
fn histograms(request: &Request) -> Vec<Histogram> {
    let scopes = request.whole.resource_metrics.iter().flat_map(|one| &one.scope_metrics);
    let data = scopes.flat_map(|scope| &scope.metrics).filter_map(|metric| metric.data.as_ref());
    let mut found = Vec::new();
    for data in data {
        let Data::ExponentialHistogram(histogram) = data else { continue };
        assert_eq!(histogram.aggregation_temporality, 1, "deltas");
        for point in &histogram.data_points {
            let side = point.positive.as_ref().unwrap();
            let edge = |at: usize| {
                let index = f64::from(side.offset) + at as f64;
                (index * f64::from(-point.scale).exp2()).exp2()
            };
            let zeros = std::iter::repeat_n((0.0, 0.0), point.zero_count as usize);
            let counts = side.bucket_counts.iter().enumerate();
            let numbers = counts.flat_map(|(at, count)| {
                std::iter::repeat_n((edge(at), edge(at + 1)), *count as usize)
            });
            found.push(Histogram {
                seconds: [point.start_time_unix_nano, point.time_unix_nano]
                    .map(|nanos| nanos / 1_000_000_000),
                scale: point.scale,
                max: point.max,
                numbers: zeros.chain(numbers).collect(),
            });
        }
    }
    found
}

struct Histogram {
    seconds: [u64; 2],
    scale: i32,
    max: Option<f64>,
    numbers: Vec<(f64, f64)>,
}

#[test]
fn s316_the_numbers_behind_a_percentile_are_pushed_once_for_each_window() {
    let folder = Folder::new("s316_histograms");
    let log = folder.file("hits.jsonl", hits(100));
    let (place, requests) = receiver(&[OK]);
    let run = streamgauge(&[&FLAGS[..], &["--output", "json", "--otlp", &place, &log]].concat());
    let plain = streamgauge(&[&FLAGS[..], &["--output", "json", &log]].concat());
    assert_eq!(run.succeeded().stdout, plain.stdout, "the answers do not change");
    let found = histograms(&requests.recv_timeout(GIVE_UP).unwrap());
    assert_eq!(found.len(), 10, "windows");
    for (window, Histogram { seconds, scale, max, numbers }) in found.into_iter().enumerate() {
        let start = 1_704_067_200 + window as u64 * 10;
        assert_eq!(seconds, [start, start + 10]);
        let base = f64::from(-scale).exp2().exp2();
        let true_numbers: Vec<f64> = (0..10).map(|n| (window * 100 + n * 10) as f64).collect();
        assert_eq!((max, numbers.len()), (true_numbers.last().copied(), true_numbers.len()));
        let allowed = base * 1.0039 - 1.0;
        for (number, (low, high)) in true_numbers.iter().zip(numbers) {
            let error = (high - number).max(number - low);
            assert!(error <= allowed * number + 1e-9, "{number} in {low} to {high}");
        }
    }
}

#[test]
fn s316_windows_that_are_not_added_up_have_no_histograms() {
    let folder = Folder::new("s316_none");
    let log = folder.file("hits.jsonl", hits(100));
    let state = folder.path("state");
    for flags in [["--every", "5s"], ["--state", &state]] {
        let (place, requests) = receiver(&[OK]);
        streamgauge(&[&FLAGS[..], &flags, &["--otlp", &place, &log]].concat()).succeeded();
        assert_eq!(histograms(&requests.recv_timeout(GIVE_UP).unwrap()).len(), 0, "{flags:?}");
    }
}

#[test]
fn s315_a_place_without_http_is_refused() {
    let run = streamgauge(&[&FLAGS[..], &["--otlp", "https://collector:4318"]].concat());
    run.failed(2, &["there is no TLS"]);
    let run = streamgauge(&[&FLAGS[..], &["--metrics", "count"]].concat());
    run.failed(2, &["--otlp"]);
}
