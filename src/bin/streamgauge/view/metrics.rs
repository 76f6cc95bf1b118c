//! What of a run is metrics: the answers of the newest window are gauges, with their bounds; what
//! the run has counted are counters.

use crate::view::answers::place;
use crate::view::columns::split;
use crate::view::kept::KeptWindow;
use crate::view::told::{Pushing, Told};
use crate::view::waiting::HistogramPoint;
use std::collections::BTreeSet;
use streamgauge::row::{Number, OutputValue};
use streamgauge::rows::RowEmission;

/// Series of answers.
pub(super) const SERIES_MAX: usize = 10_000;

/// The first part of all names.
pub(super) const PREFIX: &str = "streamgauge";

/// The names of answers and of their bounds, with a description each.
pub(super) const ANSWER: [(&str, &str); 3] = [
    ("answer", "Answer of the newest window."),
    ("answer_lower", "Lower bound of an answer that is not exact."),
    ("answer_upper", "Upper bound of an answer that is not exact."),
];

/// A number of the run itself: its name, its description, and its value.
type Own<T> = (&'static str, &'static str, T);

/// Which columns are metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// The names of the chosen columns; `None` for all columns of numbers.
    chosen: Option<BTreeSet<String>>,
}

/// The answers of the newest window.
pub(super) struct Newest {
    pub(super) series: Vec<Series>,
    start_seconds: Option<f64>,
    left_out_series: usize,
    left_out_groups: usize,
}

/// A value with its bounds, if it has some.
pub(super) struct Series {
    /// The names are different, and are letters, digits and underscores.
    pub(super) labels: Labels,
    pub(super) values: [Option<f64>; 3],
}

/// Names and values.
type Labels = Vec<(String, String)>;

/// Returns what the run has counted.
pub(super) fn counters(told: &Told) -> Vec<Own<u64>> {
    let counts = &told.counts;
    let mut counters = vec![
        ("records", "Records that were read, dead letters included.", counts.records),
        ("filtered_records", "Records that did not pass the filter.", counts.filtered),
        ("late_records", "Records all of whose windows had closed.", counts.late),
        ("dead_letters", "Records that could not be read.", counts.dead_letters),
        ("answered_windows", "Windows that were answered, revisions included.", told.windows),
    ];
    if let Some(Pushing { pushes, waiting }) = &told.pushing {
        counters.extend([
            ("otlp_requests", "Requests that an OTLP receiver has taken.", pushes.taken),
            ("otlp_failed_requests", "Requests that no receiver has taken.", pushes.failed),
            (
                "otlp_refused_points",
                "Points that an OTLP receiver has refused.",
                pushes.refused_points,
            ),
            (
                "otlp_left_out_histograms",
                "Histograms of windows that no OTLP receiver has had.",
                waiting.left_out,
            ),
        ]);
    }
    counters
}

/// Returns how the run is.
pub(super) fn gauges(told: &Told) -> Vec<Own<f64>> {
    let counts = &told.counts;
    let latest = counts.latest.map(|time| time.as_millis() as f64 / 1_000.0);
    let gauges = [
        ("state_bytes", "Approximate bytes of the state.", Some(counts.state_bytes as f64)),
        ("state_limit_bytes", "Limit of the state.", Some(counts.state_bytes_max as f64)),
        ("latest_event_time_seconds", "Latest event time of the records.", latest),
    ];
    gauges.into_iter().filter_map(|(name, help, value)| Some((name, help, value?))).collect()
}

impl Newest {
    /// Returns what is known of the window beside its answers.
    pub(super) fn gauges(&self) -> Vec<Own<f64>> {
        let start = self.start_seconds;
        let start = start.map(|at| ("window_start_seconds", "Start of the newest window.", at));
        let (series, groups) = (self.left_out_series as f64, self.left_out_groups as f64);
        let left_out = [
            ("left_out_series", "Answers past the limit of series.", series),
            ("left_out_groups", "Groups of the newest window past the limit of groups.", groups),
        ];
        start.into_iter().chain(left_out).collect()
    }
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

    /// Returns the answers of the newest window, if there is one.
    pub(super) fn newest(&self, told: &Told) -> Option<Newest> {
        let window = told.kept.windows().next_back()?;
        let start_seconds = (window.place.1 != i64::MAX).then(|| window.place.0 as f64 / 1_000.0);
        let (series, left_out_series) = self.series(told, window);
        let left_out_groups = window.left_out;
        Some(Newest { series, start_seconds, left_out_series, left_out_groups })
    }

    /// Returns the series of a window, and how many are left out: past the limit, or of keys that
    /// have the same text as others, as the number 1 and the text 1 have.
    fn series(&self, told: &Told, window: &KeptWindow) -> (Vec<Series>, usize) {
        let names = labels(&told.kept.group_names);
        let (mut all, mut left_out) = (Vec::new(), 0);
        let mut groups = BTreeSet::new();
        for (_, row) in window.rows() {
            let group = group_labels(&row.group, &names);
            let is_known = !groups.insert(group.clone());
            let cells = told.kept.columns.iter().zip(&row.values);
            for (column, value) in cells.filter(|(column, value)| self.has(column, value)) {
                let mut labels = vec![("column".to_owned(), column.clone())];
                labels.extend(group.iter().cloned());
                let room = if is_known { 0 } else { SERIES_MAX - all.len() };
                let (series, same) = series_of(value, labels);
                left_out += same + series.len().saturating_sub(room);
                all.extend(series.into_iter().take(room));
            }
        }
        (all, left_out)
    }

    /// Returns true if a value of a column is a metric.
    fn has(&self, column: &str, value: &OutputValue) -> bool {
        match &self.chosen {
            Some(chosen) => chosen.contains(column),
            None => !matches!(value, OutputValue::Top(_)),
        }
    }

    /// Returns the histograms of a row, if their columns are metrics.
    pub(super) fn histograms(&self, row: &RowEmission) -> Vec<HistogramPoint> {
        let mut points = Vec::new();
        let names = labels(&row.form.group);
        for (column, buckets) in row.histograms() {
            if !self.has(column, &OutputValue::Null) {
                continue;
            }
            let mut labels = vec![("column".to_owned(), column.to_owned())];
            labels.extend(group_labels(&row.group, &names));
            let window = row.window.map(|window| place(Some(window)));
            points.push(HistogramPoint { labels, window, buckets: buckets.clone() });
        }
        points
    }
}

/// Returns the series of a value, and how many rows of a list have the same key as others.
fn series_of(value: &OutputValue, labels: Labels) -> (Vec<Series>, usize) {
    let values = match value {
        OutputValue::Integer(integer) => [Some(*integer as f64), None, None],
        OutputValue::Float(float) => [Some(*float), None, None],
        OutputValue::Bool(truth) => [Some(f64::from(u8::from(*truth))), None, None],
        OutputValue::Estimate { value, lower, upper } => {
            [value, lower, upper].map(|number: &Number| Some(number.to_f64()))
        }
        OutputValue::Top(rows) => {
            let mut keys = BTreeSet::new();
            let unique = rows.iter().filter(|row| keys.insert(row.key.to_string()));
            let series = unique.map(|row| {
                let mut labels = labels.clone();
                labels.push(("key".to_owned(), row.key.to_string()));
                let values = [row.count, row.lower, row.upper].map(|count| Some(count as f64));
                Series { labels, values }
            });
            let series: Vec<Series> = series.collect();
            let same = rows.len() - series.len();
            return (series, same);
        }
        _ => return (Vec::new(), 0),
    };
    (vec![Series { labels, values }], 0)
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

fn group_labels(group: &[OutputValue], names: &[String]) -> Labels {
    let pairs = names.iter().zip(group);
    pairs.map(|(name, key)| (name.clone(), key.to_string())).collect()
}

/// Splits the value of `--metrics` at commas outside of parentheses and quotes.
pub(super) fn chosen(lists: &[String]) -> Vec<String> {
    let parts = lists.iter().flat_map(|list| split(list, ','));
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
