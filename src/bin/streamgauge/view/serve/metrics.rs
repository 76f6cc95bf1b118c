//! Metrics in the text format of Prometheus and in OpenMetrics.
//!
//! The answers of the newest window are gauges, with their bounds; what the run has counted are
//! counters. Both formats differ in the names of counters and in their end.

use super::limits::SERIES_MAX;
use super::state::Told;
use crate::view::answers::Answer;
use crate::view::columns::split;
use crate::view::kept::KeptWindow;
use std::collections::BTreeSet;
use std::fmt::Write;
use streamgauge::row::{Number, OutputValue};

/// The content type of Prometheus' own format.
pub(super) const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type of OpenMetrics.
pub(super) const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The name of the answers.
const ANSWER: &str = "streamgauge_answer";

/// Which columns are metrics.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    /// The names of the chosen columns; `None` for all columns of numbers.
    chosen: Option<BTreeSet<String>>,
}

impl Metrics {
    /// Returns the metrics of these columns.
    ///
    /// # Errors
    /// The name of a column that there is not.
    pub(super) fn new(chosen: &[String], columns: &[String]) -> Result<Self, String> {
        if chosen.is_empty() {
            return Ok(Metrics { chosen: None });
        }
        let missing = chosen.iter().find(|name| !columns.contains(name));
        match missing {
            Some(name) => Err(format!(
                "--metrics: {name:?} is not a column; the columns are {}",
                columns.join(", ")
            )),
            None => Ok(Metrics { chosen: Some(chosen.iter().cloned().collect()) }),
        }
    }

    /// Returns all metrics; with `is_open` as OpenMetrics.
    pub(super) fn text(&self, told: &Told, is_open: bool) -> String {
        let mut text = String::new();
        let counts = &told.counts;
        for (name, help, value) in [
            ("records", "Records that were read, dead letters included.", counts.records),
            ("filtered_records", "Records that did not pass the filter.", counts.filtered),
            ("late_records", "Records all of whose windows had closed.", counts.late),
            ("dead_letters", "Records that could not be read.", counts.dead_letters),
            ("answered_windows", "Windows that were answered, revisions included.", told.windows),
        ] {
            counter(&mut text, (name, help), value, is_open);
        }
        let latest = counts.latest.map(|time| time.as_millis() as f64 / 1_000.0);
        let gauges = [
            ("state_bytes", "Approximate bytes of the state.", Some(counts.state_bytes as f64)),
            ("state_limit_bytes", "Limit of the state.", Some(counts.state_bytes_max as f64)),
            ("latest_event_time_seconds", "Latest event time of the records.", latest),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            gauge(&mut text, &format!("streamgauge_{name}"), help);
            let _ = writeln!(text, "streamgauge_{name} {value}");
        }
        self.answers(told, &mut text);
        if is_open {
            text.push_str("# EOF\n");
        }
        text
    }

    /// Adds the answers of the newest window.
    fn answers(&self, told: &Told, text: &mut String) {
        let Some(window) = told.kept.windows().next_back() else { return };
        if window.place.1 != i64::MAX {
            let name = "streamgauge_window_start_seconds";
            gauge(text, name, "Start of the newest window.");
            let _ = writeln!(text, "{name} {}", window.place.0 as f64 / 1_000.0);
        }
        let names = labels(&told.kept.group_names);
        let (series, left_out) = self.series(told, window, &names);
        let parts = [
            (ANSWER.to_owned(), "Answer of the newest window."),
            (format!("{ANSWER}_lower"), "Lower bound of an answer that is not exact."),
            (format!("{ANSWER}_upper"), "Upper bound of an answer that is not exact."),
        ];
        for (index, (name, help)) in parts.iter().enumerate() {
            let lines: Vec<(&String, f64)> =
                series.iter().filter_map(|one| Some((&one.labels, one.values[index]?))).collect();
            if lines.is_empty() {
                continue;
            }
            gauge(text, name, help);
            for (labels, value) in lines {
                let _ = writeln!(text, "{name}{{{labels}}} {}", number(value));
            }
        }
        for (name, help, value) in [
            ("streamgauge_left_out_series", "Answers past the limit of series.", left_out),
            (
                "streamgauge_left_out_groups",
                "Groups of the newest window past the limit of groups.",
                window.left_out,
            ),
        ] {
            gauge(text, name, help);
            let _ = writeln!(text, "{name} {value}");
        }
    }

    /// Returns the series of a window, and how many are past the limit.
    fn series(&self, told: &Told, window: &KeptWindow, names: &[String]) -> (Vec<Series>, usize) {
        let (mut all, mut left_out) = (Vec::new(), 0);
        for (_, row) in window.rows() {
            let groups = group_labels(row, names);
            let cells = told.kept.columns.iter().zip(&row.values);
            for (column, value) in cells.filter(|(column, value)| self.has(column, value)) {
                let labels = format!("column=\"{}\"{groups}", escaped(column));
                let room = SERIES_MAX - all.len();
                let series = series_of(value, &labels);
                left_out += series.len().saturating_sub(room);
                all.extend(series.into_iter().take(room));
            }
        }
        (all, left_out)
    }

    /// Returns true if a value of a column is a metric.
    fn has(&self, column: &String, value: &OutputValue) -> bool {
        match &self.chosen {
            Some(chosen) => chosen.contains(column),
            None => !matches!(value, OutputValue::Top(_)),
        }
    }
}

/// A value with its bounds, if it has some.
struct Series {
    labels: String,
    values: [Option<f64>; 3],
}

fn series_of(value: &OutputValue, labels: &str) -> Vec<Series> {
    let one =
        |value: f64| vec![Series { labels: labels.to_owned(), values: [Some(value), None, None] }];
    match value {
        OutputValue::Integer(integer) => one(*integer as f64),
        OutputValue::Float(float) => one(*float),
        OutputValue::Bool(truth) => one(f64::from(u8::from(*truth))),
        OutputValue::Estimate { value, lower, upper } => {
            let values = [value, lower, upper].map(|number: &Number| Some(number.to_f64()));
            vec![Series { labels: labels.to_owned(), values }]
        }
        OutputValue::Top(rows) => rows
            .iter()
            .map(|row| Series {
                labels: format!("{labels},key=\"{}\"", escaped(&row.key.to_string())),
                values: [row.count, row.lower, row.upper].map(|count| Some(count as f64)),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the names of the labels of groups: letters, digits and underscores, each name once.
fn labels(names: &[String]) -> Vec<String> {
    let mut used: BTreeSet<String> = ["column", "key"].map(str::to_owned).into();
    let label = |name: &String| {
        let mut label: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        // A name of two underscores belongs to Prometheus, and none begins with a digit.
        if !label.starts_with(|c: char| c.is_ascii_alphabetic()) {
            label.insert_str(0, "group");
        }
        let plain = label.clone();
        for number in 2.. {
            if used.insert(label.clone()) {
                break;
            }
            label = format!("{plain}_{number}");
        }
        label
    };
    names.iter().map(label).collect()
}

fn group_labels(row: &Answer, names: &[String]) -> String {
    let pairs = names.iter().zip(&row.group);
    pairs.map(|(name, key)| format!(",{name}=\"{}\"", escaped(&key.to_string()))).collect()
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
        true => format!("streamgauge_{name}"),
        false => format!("streamgauge_{name}_total"),
    };
    let _ = writeln!(
        text,
        "# HELP {family} {help}\n# TYPE {family} counter\nstreamgauge_{name}_total {value}"
    );
}

/// Splits the value of `--metrics` at commas outside of parentheses and quotes.
pub(super) fn chosen(lists: &[String]) -> Vec<String> {
    let parts = lists.iter().flat_map(|list| split(list, ','));
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
