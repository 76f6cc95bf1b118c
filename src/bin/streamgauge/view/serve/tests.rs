//! The metrics as text.

use super::prometheus;
use crate::view::Counts;
use crate::view::kept::Kept;
use crate::view::metrics::{Metrics, SERIES_MAX, chosen};
use crate::view::told::Told;
use proptest::prelude::*;
use std::collections::BTreeSet;
use streamgauge::row::{Number, OutputValue, TopValue};
use streamgauge::rows::RowEmission;
use streamgauge::{Timestamp, Window};

fn told(names: &[&str], columns: &[&str], rows: Vec<(Vec<OutputValue>, Vec<OutputValue>)>) -> Told {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut kept = Kept::new(owned(names), owned(columns));
    let at = Timestamp::from_millis;
    for (group, values) in rows {
        let window = Some(Window::new(at(60_000), at(120_000)));
        let row = RowEmission { window, revision: 0, group, values, form: Default::default() };
        kept.take(&row, None);
    }
    let counts = Counts { records: 7, late: 1, latest: Some(at(119_500)), ..Counts::default() };
    Told { kept, counts, windows: 1, version: 1, pushing: None }
}

fn text(text: &str) -> OutputValue {
    OutputValue::Text(text.to_owned())
}

fn metrics(columns: &[&str]) -> Metrics {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    Metrics::new(&columns, &columns).unwrap()
}

#[test]
fn s288_the_newest_window_is_gauges_with_bounds() {
    let estimate = OutputValue::Estimate {
        value: Number::Float(2.5),
        lower: Number::Int(2),
        upper: Number::Float(f64::INFINITY),
    };
    let row = TopValue { key: text("/a"), count: 3, lower: 2, upper: 3, guaranteed: true };
    let values = vec![OutputValue::Integer(5), estimate, OutputValue::Top(vec![row])];
    let columns = ["count", "p99(ms)", "top(1, url)"];
    let told = told(&["country"], &columns, vec![(vec![text("D\"E\n")], values)]);
    let plain = prometheus::text(&metrics(&[]), &told, false);
    for line in [
        "# TYPE streamgauge_records_total counter",
        "streamgauge_records_total 7",
        "streamgauge_latest_event_time_seconds 119.5",
        "streamgauge_window_start_seconds 60",
        "# TYPE streamgauge_answer gauge",
        r#"streamgauge_answer{column="count",country="D\"E\n"} 5"#,
        r#"streamgauge_answer{column="p99(ms)",country="D\"E\n"} 2.5"#,
        r#"streamgauge_answer_lower{column="p99(ms)",country="D\"E\n"} 2"#,
        r#"streamgauge_answer_upper{column="p99(ms)",country="D\"E\n"} +Inf"#,
        "streamgauge_left_out_series 0",
        "streamgauge_left_out_groups 0",
    ] {
        assert!(plain.lines().any(|found| found == line), "{line}\n{plain}");
    }
    assert!(!plain.contains("top(1, url)") && !plain.contains("EOF"), "{plain}");
    let open = prometheus::text(&metrics(&["top(1, url)"]), &told, true);
    for line in [
        "# TYPE streamgauge_records counter",
        "streamgauge_records_total 7",
        r#"streamgauge_answer_lower{column="top(1, url)",country="D\"E\n",key="/a"} 2"#,
    ] {
        assert!(open.lines().any(|found| found == line), "{line}\n{open}");
    }
    assert!(!open.contains("p99") && open.ends_with("\n# EOF\n"), "{open}");
}

#[test]
fn s288_columns_are_chosen_by_their_names() {
    let columns = ["count", "top(10, url)"].map(str::to_owned);
    let lists = ["count, top(10, url)".to_owned()];
    assert_eq!(chosen(&lists), columns);
    let error = Metrics::new(&["sum".to_owned()], &columns).unwrap_err();
    assert!(error.contains("\"sum\" is not a column; the columns are count"), "{error}");
}

#[test]
fn s288_series_are_limited() {
    let row = |number: u64| TopValue {
        key: OutputValue::Integer(i128::from(number)),
        count: 1,
        lower: 1,
        upper: 1,
        guaranteed: true,
    };
    let list = || OutputValue::Top((0..1_000).map(row).collect());
    let rows = (0..11).map(|group| (vec![OutputValue::Integer(group)], vec![list()])).collect();
    let told = told(&["g"], &["top(1000, k)"], rows);
    let text = prometheus::text(&metrics(&["top(1000, k)"]), &told, false);
    let series = text.lines().filter(|line| line.starts_with("streamgauge_answer{")).count();
    assert_eq!(series, SERIES_MAX);
    assert!(text.contains("\nstreamgauge_left_out_series 1000\n"), "{}", &text[..2_000]);
}

#[test]
fn s288_of_two_keys_with_one_text_one_is_a_series_and_the_other_is_counted() {
    let number = OutputValue::Integer;
    let rows = [number(1), text("1")].map(|key| (vec![key], vec![number(5)])).into();
    let text = prometheus::text(&metrics(&[]), &told(&["g"], &["count"], rows), false);
    let series = text.lines().filter(|line| line.starts_with("streamgauge_answer{")).count();
    assert_eq!(series, 1, "{text}");
    assert!(text.contains("\nstreamgauge_left_out_series 1\n"), "{text}");
}

proptest! {
    #[test]
    fn s288_no_key_breaks_a_line(
        keys in proptest::collection::vec(any::<String>(), 2),
        name in any::<String>(),
    ) {
        let values = vec![OutputValue::Integer(1)];
        let groups = keys.iter().map(|key| text(key)).collect();
        let told = told(&[&name, "column"], &[&name], vec![(groups, values)]);
        let text = prometheus::text(&metrics(&[]), &told, false);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            prop_assert!(value.parse::<f64>().is_ok(), "{}", line);
            let Some((_, labels)) = series.split_once('{') else { continue };
            prop_assert!(labels.ends_with("\"}"), "{}", line);
            let names: Vec<&str> = label_names(labels.trim_end_matches('}'));
            let unique: BTreeSet<&str> = names.iter().copied().collect();
            prop_assert_eq!((names.len(), unique.len()), (3, 3), "{}", line);
        }
    }
}

/// Returns the names of labels, read as Prometheus reads them.
fn label_names(labels: &str) -> Vec<&str> {
    let (mut names, mut rest) = (Vec::new(), labels);
    while let Some((name, value)) = rest.split_once("=\"") {
        names.push(name);
        let mut is_escaped = false;
        let end = value.char_indices().find(|(_, c)| {
            let is_end = *c == '"' && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_end
        });
        rest = end.map_or("", |(end, _)| &value[end + 1..]).trim_start_matches(',');
    }
    names
}
