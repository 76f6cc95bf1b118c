//! Options, and what becomes of requests.

use super::limits::{EVERY, PAUSE_MAX, REPLY_TIME_MAX};
use super::options::OtlpOptions;
use super::outcome::{Outcome, Reply, pause};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use proptest::prelude::*;
use prost::Message;
use std::time::Duration;

fn options(place: &str, variables: &[(&str, &str)]) -> Result<OtlpOptions, String> {
    OtlpOptions::new(place, |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn s315_the_place_is_that_of_the_flag_or_of_the_environment() {
    let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1/base/");
    let whole = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://whole:2/x");
    for (place, variables, expected) in [
        ("http://127.0.0.1:4318", vec![all, whole], "http://127.0.0.1:4318/v1/metrics"),
        ("http://[::1]:4318/", vec![], "http://[::1]:4318/v1/metrics"),
        ("env", vec![all], "http://all:1/base/v1/metrics"),
        ("env", vec![all, whole], "http://whole:2/x"),
        ("env", vec![("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], "http://localhost:4318/v1/metrics"),
    ] {
        let options = options(place, &variables).unwrap();
        assert_eq!(options.place.to_string(), expected);
        assert_eq!((options.every, options.reply_time_max), (EVERY, REPLY_TIME_MAX));
    }
    assert_eq!(options("http://[::1]", &[]).unwrap().address(), ("::1", 80));
    for (place, words) in [
        ("https://collector", "there is no TLS"),
        ("127.0.0.1:4318", "is not an address"),
        ("grpc://host:4317", "is not an address"),
        ("", "is not an address"),
        ("http://a b", "is not an address"),
    ] {
        let error = options(place, &[]).unwrap_err();
        assert!(error.contains(words), "{place}: {error}");
    }
}

#[test]
fn s315_headers_and_attributes_are_those_of_the_standard_variables() {
    let options = options(
        "env",
        &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc==, x-team = a%2Cb"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,zone=%C3%A9,zone=twice"),
            ("OTEL_SERVICE_NAME", "hits"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "9000"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "500"),
        ],
    );
    let options = options.unwrap();
    let headers: Vec<_> = options
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(headers, [("authorization", "Basic abc=="), ("x-team", "a,b")]);
    let resource = [("service.name", "hits"), ("zone", "\u{e9}")];
    assert_eq!(options.resource, resource.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let millis = (options.every.as_millis(), options.reply_time_max.as_millis());
    assert_eq!(millis, (250, 500));
    assert!(!format!("{options:?}").contains("Basic"));
}

#[test]
fn s315_a_wrong_variable_is_told_without_its_secret() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%0A"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "two words=secret"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=secret%FF"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
    ] {
        let error = options("env", &[(name, value)]).unwrap_err();
        assert!(error.contains(name) && !error.contains("secret"), "{error}");
    }
}

fn reply(status: u16, body: Vec<u8>) -> Result<Reply, String> {
    Ok(Reply { status, retry_after: Some(Duration::from_secs(7)), body })
}

#[test]
fn s314_what_becomes_of_a_request() {
    let partial = ExportMetricsPartialSuccess {
        rejected_data_points: 3,
        error_message: "too\u{1b}[31m old".to_owned(),
    };
    let body = ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let Outcome::Taken { refused: 3, message } = Outcome::of(reply(200, body)) else {
        panic!("a part is refused")
    };
    assert!(message.starts_with("too") && !message.contains('\u{1b}'), "{message}");
    let whole = Outcome::Taken { refused: 0, message: String::new() };
    for body in [Vec::new(), b"{}".to_vec(), vec![0xff; 9]] {
        assert_eq!(Outcome::of(reply(200, body)), whole);
    }
    for status in [429, 502, 503, 504] {
        let pause = Some(Duration::from_secs(7));
        let message = format!("the receiver answers {status}");
        assert_eq!(Outcome::of(reply(status, Vec::new())), Outcome::Later { pause, message });
    }
    for status in [301, 400, 401, 404, 413, 500] {
        let message = format!("the receiver answers {status}: why");
        assert_eq!(Outcome::of(reply(status, b"why\n".to_vec())), Outcome::Refused { message });
    }
    let gone = Outcome::of(Err("connection refused".to_owned()));
    assert_eq!(gone, Outcome::Later { pause: None, message: "connection refused".to_owned() });
}

proptest! {
    #[test]
    fn s314_pauses_grow_and_are_bounded(
        failures in 1u32..=u32::MAX,
        asked in proptest::option::of(0u64..=u64::MAX),
        part in 0u8..=255,
    ) {
        let asked = asked.map(Duration::from_secs);
        let one = pause(failures, asked, part);
        prop_assert!(Duration::from_secs(1) <= one && one <= PAUSE_MAX * 5 / 4);
        prop_assert!(one <= pause(failures.saturating_add(1), asked, 255).max(one));
        if let Some(asked) = asked {
            prop_assert!(one >= asked.min(PAUSE_MAX));
        }
    }
}
