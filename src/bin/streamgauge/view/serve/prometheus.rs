//! Metrics in the text format of Prometheus and in OpenMetrics.
//!
//! Both formats differ in the names of counters and in their end.

use crate::view::metrics::{ANSWER, Metrics, PREFIX, counters, gauges};
use crate::view::told::Told;
use std::fmt::Write;

/// The content type of Prometheus' own format.
pub(super) const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type of OpenMetrics.
pub(super) const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns all metrics; with `is_open` as OpenMetrics.
pub(super) fn text(metrics: &Metrics, told: &Told, is_open: bool) -> String {
    let mut text = String::new();
    for (name, help, value) in counters(told) {
        counter(&mut text, (name, help), value, is_open);
    }
    let newest = metrics.newest(told);
    let of_window = newest.as_ref().map(|newest| newest.gauges());
    for (name, help, value) in gauges(told).into_iter().chain(of_window.into_iter().flatten()) {
        gauge(&mut text, &format!("{PREFIX}_{name}"), help);
        let _ = writeln!(text, "{PREFIX}_{name} {value}");
    }
    let series = newest.iter().flat_map(|newest| &newest.series);
    for (index, (name, help)) in ANSWER.iter().enumerate() {
        let mut lines =
            series.clone().filter_map(|one| Some((&one.labels, one.values[index]?))).peekable();
        if lines.peek().is_none() {
            continue;
        }
        gauge(&mut text, &format!("{PREFIX}_{name}"), help);
        for (labels, value) in lines {
            let labels =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
            let labels = labels.collect::<Vec<_>>().join(",");
            let _ = writeln!(text, "{PREFIX}_{name}{{{labels}}} {}", number(value));
        }
    }
    if is_open {
        text.push_str("# EOF\n");
    }
    text
}

/// Returns the text of a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Returns a number as both formats write it.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

fn gauge(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// OpenMetrics names a counter without the ending of its value.
fn counter(text: &mut String, (name, help): (&str, &str), value: u64, is_open: bool) {
    let family = match is_open {
        true => format!("{PREFIX}_{name}"),
        false => format!("{PREFIX}_{name}_total"),
    };
    let _ = writeln!(
        text,
        "# HELP {family} {help}\n# TYPE {family} counter\n{PREFIX}_{name}_total {value}"
    );
}
