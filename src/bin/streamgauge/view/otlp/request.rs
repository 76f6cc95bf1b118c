//! From what a run has told to a request of OTLP.

use crate::view::metrics::{ANSWER, Metrics, PREFIX, Series, counters, gauges};
use crate::view::told::Told;
use crate::view::waiting::HistogramPoint;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use streamgauge::sketch::ExponentialBuckets;

/// The name of histograms.
const HISTOGRAM: &str = "histogram";

/// The description of histograms.
const HISTOGRAM_HELP: &str = "Numbers behind a percentile, of each window. A quantile of them is off \
     by at most base * 1.0039 - 1, the base being 2^(2^-scale).";

/// The time that a request is of.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// The start of the run, in nanoseconds since the epoch.
    pub(super) start: u64,
    /// The time of the request, the same.
    pub(super) now: u64,
}

/// Returns a request with all metrics of a run, and the number of its points.
pub(super) fn request<'a>(
    (metrics, told): (&Metrics, &Told),
    histograms: impl Iterator<Item = &'a HistogramPoint>,
    resource: &[(String, String)],
    times: Times,
) -> (ExportMetricsServiceRequest, usize) {
    let mut all: Vec<Metric> = counters(told)
        .into_iter()
        .map(|(name, help, value)| counter((name, help), value, times))
        .collect();
    let newest = metrics.newest(told);
    let of_window = newest.as_ref().map(|newest| newest.gauges()).into_iter().flatten();
    all.extend(gauges(told).into_iter().chain(of_window).map(|(name, help, value)| {
        gauge(
            (name, help),
            vec![point(Vec::new(), number_data_point::Value::AsDouble(value), times)],
        )
    }));
    if let Some(newest) = &newest {
        let answers = ANSWER.iter().enumerate();
        let answers = answers.map(|(index, about)| (*about, points(&newest.series, index, times)));
        all.extend(
            answers
                .filter(|(_, points)| !points.is_empty())
                .map(|(about, points)| gauge(about, points)),
        );
    }
    let histograms: Vec<_> = histograms.filter_map(|one| histogram(one, times)).collect();
    if !histograms.is_empty() {
        let histograms = ExponentialHistogram {
            data_points: histograms,
            aggregation_temporality: AggregationTemporality::Delta.into(),
        };
        all.push(metric((HISTOGRAM, HISTOGRAM_HELP), Data::ExponentialHistogram(histograms)));
    }
    let count = all.iter().map(points_of).sum();
    let scope = InstrumentationScope {
        name: PREFIX.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    };
    let scope_metrics =
        vec![ScopeMetrics { scope: Some(scope), metrics: all, ..Default::default() }];
    let resource = Resource { attributes: attributes(resource), ..Default::default() };
    let resource_metrics =
        vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..Default::default() }];
    (ExportMetricsServiceRequest { resource_metrics }, count)
}

/// Returns the points of the answers, or of one of their bounds.
fn points(series: &[Series], index: usize, times: Times) -> Vec<NumberDataPoint> {
    let point = |series: &Series| {
        let value = series.values[index]?;
        let value = number_data_point::Value::AsDouble(value);
        Some(point(attributes(&series.labels), value, times))
    };
    series.iter().filter_map(point).collect()
}

fn points_of(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        _ => 0,
    }
}

fn metric((name, help): (&str, &str), data: Data) -> Metric {
    Metric {
        name: format!("{PREFIX}.{name}"),
        description: help.to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

fn gauge(about: (&str, &str), data_points: Vec<NumberDataPoint>) -> Metric {
    metric(about, Data::Gauge(Gauge { data_points }))
}

fn counter(about: (&str, &str), value: u64, times: Times) -> Metric {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    let mut point = point(Vec::new(), number_data_point::Value::AsInt(value), times);
    point.start_time_unix_nano = times.start;
    let sum = Sum {
        data_points: vec![point],
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
        is_monotonic: true,
    };
    metric(about, Data::Sum(sum))
}

fn point(
    attributes: Vec<KeyValue>,
    value: number_data_point::Value,
    times: Times,
) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        time_unix_nano: times.now,
        value: Some(value),
        ..Default::default()
    }
}

/// Returns the histogram of a window; `None` of one before 1970, which has no time in OTLP.
fn histogram(of: &HistogramPoint, times: Times) -> Option<ExponentialHistogramDataPoint> {
    let nanos = |millis: i64| u64::try_from(millis).ok()?.checked_mul(1_000_000);
    let (start, end) = match of.window {
        Some((start, end)) => (nanos(start)?, nanos(end)?),
        None => (times.start, times.now),
    };
    let ExponentialBuckets { scale, zeros, positive, negative, min, max, .. } = &of.buckets;
    let sides = [positive, negative];
    let counts = sides.iter().flat_map(|side| &side.counts).fold(*zeros, |all, count| all + count);
    let [positive, negative] =
        sides.map(|side| Some(Buckets { offset: side.offset, bucket_counts: side.counts.clone() }));
    Some(ExponentialHistogramDataPoint {
        attributes: attributes(&of.labels),
        start_time_unix_nano: start,
        // A window at the epoch begins with it.
        time_unix_nano: end.max(1),
        count: counts,
        scale: *scale,
        zero_count: *zeros,
        positive,
        negative,
        min: *min,
        max: *max,
        ..Default::default()
    })
}

fn attributes(pairs: &[(String, String)]) -> Vec<KeyValue> {
    let attribute = |(key, value): &(String, String)| KeyValue {
        key: key.clone(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.clone())) }),
        ..Default::default()
    };
    pairs.iter().map(attribute).collect()
}
