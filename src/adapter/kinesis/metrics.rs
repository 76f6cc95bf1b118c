//! What CloudWatch has of a stream and its shards: the requests of GetMetricData, and the answers.

use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Metrics of one call: GetMetricData takes no more.
const METRICS_A_CALL: usize = 500;

/// Figures of one call: GetMetricData has no more in a page.
const FIGURES_A_CALL: u64 = 100_800;

/// Pages of the answer to one call. A single one is expected.
const PAGES_MAX: usize = 100;

/// Time between two figures: Kinesis has one a minute.
const PERIOD_SECONDS: u64 = 60;

/// A larger figure of a minute is an error of the answer.
const FIGURE_MAX: f64 = 1e18;

/// What CloudWatch has of a stream in some time.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct StreamMetrics {
    /// The length of that time, in seconds: whole minutes.
    pub seconds: u64,
    /// The figures of the stream.
    pub stream: Throughput,
    /// The figures of shards that have some. Without enhanced monitoring the map is empty.
    pub shards: BTreeMap<ShardId, Throughput>,
}

/// What came into a stream or a shard, and out of it. `None` where CloudWatch has no figure.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct Throughput {
    /// Bytes that were put.
    pub bytes_in: Option<MinuteFigures>,
    /// Records that were put.
    pub records_in: Option<MinuteFigures>,
    /// Bytes that were read by consumers which share the throughput.
    pub bytes_out: Option<MinuteFigures>,
    /// The age of the last record that a consumer read, in milliseconds.
    pub age_millis: Option<MinuteFigures>,
    /// Records that were refused, since the shard had no throughput left.
    pub writes_refused: Option<MinuteFigures>,
    /// Calls of consumers that were refused for the same reason.
    pub reads_refused: Option<MinuteFigures>,
}

/// The figures of a metric, one a minute.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct MinuteFigures {
    /// Their sum.
    pub sum: f64,
    /// The largest of them.
    pub largest: f64,
}

/// GetMetricData, with what it calls over the network.
pub(super) trait GetMetricData {
    /// Returns the answer to a request, both in JSON.
    fn get_metric_data(&mut self, request: &Value) -> Result<Vec<u8>, Error>;
}

/// A metric, by its names and by the statistic of each minute.
struct Metric {
    of_stream: &'static str,
    of_shard: &'static str,
    statistic: &'static str,
    figures: fn(&mut Throughput) -> &mut Option<MinuteFigures>,
}

const METRICS: [Metric; 6] = [
    Metric {
        of_stream: "IncomingBytes",
        of_shard: "IncomingBytes",
        statistic: "Sum",
        figures: |throughput| &mut throughput.bytes_in,
    },
    Metric {
        of_stream: "IncomingRecords",
        of_shard: "IncomingRecords",
        statistic: "Sum",
        figures: |throughput| &mut throughput.records_in,
    },
    Metric {
        of_stream: "GetRecords.Bytes",
        of_shard: "OutgoingBytes",
        statistic: "Sum",
        figures: |throughput| &mut throughput.bytes_out,
    },
    Metric {
        of_stream: "GetRecords.IteratorAgeMilliseconds",
        of_shard: "IteratorAgeMilliseconds",
        statistic: "Maximum",
        figures: |throughput| &mut throughput.age_millis,
    },
    Metric {
        of_stream: "WriteProvisionedThroughputExceeded",
        of_shard: "WriteProvisionedThroughputExceeded",
        statistic: "Sum",
        figures: |throughput| &mut throughput.writes_refused,
    },
    Metric {
        of_stream: "ReadProvisionedThroughputExceeded",
        of_shard: "ReadProvisionedThroughputExceeded",
        statistic: "Sum",
        figures: |throughput| &mut throughput.reads_refused,
    },
];

/// A metric of the stream, or of one of its shards.
type Wanted<'a> = (Option<&'a ShardId>, &'static Metric);

/// Reads the figures of the minutes that begin from `from` on and end at `until` at the latest.
///
/// # Errors
/// A call failed, or its answer is not one of GetMetricData.
pub(super) fn stream_metrics(
    service: &mut impl GetMetricData,
    (stream, shards): (&str, &[ShardId]),
    (from, until): (Timestamp, Timestamp),
) -> Result<StreamMetrics, Error> {
    let minute = |time: Timestamp| time.as_millis().div_euclid(60_000);
    let (from, until) = (minute(from), minute(until));
    let minutes = u64::try_from(until.saturating_sub(from)).unwrap_or(0).max(1);
    let mut found = StreamMetrics { seconds: minutes * PERIOD_SECONDS, ..StreamMetrics::default() };
    let places = std::iter::once(None).chain(shards.iter().map(Some));
    let wanted: Vec<Wanted<'_>> =
        places.flat_map(|place| METRICS.iter().map(move |metric| (place, metric))).collect();
    for call in wanted.chunks(metrics_a_call(minutes)) {
        let mut request = json!({
            "StartTime": from.saturating_mul(60),
            "EndTime": until.saturating_mul(60),
            "MetricDataQueries": queries(stream, call),
        });
        let mut pages = 0;
        while let Some(token) = add_page(&mut found, call, &service.get_metric_data(&request)?)? {
            pages += 1;
            if pages == PAGES_MAX {
                let message = format!("an answer of CloudWatch has more than {PAGES_MAX} pages");
                return Err(Error::new(ErrorKind::Io, message));
            }
            request["NextToken"] = json!(token);
        }
    }
    Ok(found)
}

fn metrics_a_call(minutes: u64) -> usize {
    let metrics = usize::try_from(FIGURES_A_CALL / minutes).unwrap_or(METRICS_A_CALL);
    metrics.clamp(1, METRICS_A_CALL)
}

fn queries(stream: &str, call: &[Wanted<'_>]) -> Vec<Value> {
    let query = |(index, (shard, metric)): (usize, &Wanted<'_>)| {
        let mut dimensions = vec![json!({ "Name": "StreamName", "Value": stream })];
        if let Some(shard) = shard {
            dimensions.push(json!({ "Name": "ShardId", "Value": shard.as_str() }));
        }
        let name = if shard.is_some() { metric.of_shard } else { metric.of_stream };
        json!({
            "Id": format!("m{index}"),
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Kinesis",
                    "MetricName": name,
                    "Dimensions": dimensions,
                },
                "Period": PERIOD_SECONDS,
                "Stat": metric.statistic,
            },
        })
    };
    call.iter().enumerate().map(query).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    metric_data_results: Option<Vec<Series>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Series {
    id: String,
    values: Option<Vec<f64>>,
    status_code: Option<String>,
}

/// Adds a page to what was found, and returns the token of the next one.
fn add_page(
    found: &mut StreamMetrics,
    call: &[Wanted<'_>],
    page: &[u8],
) -> Result<Option<String>, Error> {
    let page: Page = serde_json::from_slice(page)
        .map_err(|error| wrong(&format!("it cannot be read: {error}")))?;
    for series in page.metric_data_results.unwrap_or_default() {
        let index = series.id.strip_prefix('m').and_then(|index| index.parse::<usize>().ok());
        let Some((shard, metric)) = index.and_then(|index| call.get(index)) else {
            return Err(wrong(&format!("nobody asked for the metric {:?}", series.id)));
        };
        // PartialData means that another page follows.
        let status = series.status_code.as_deref().unwrap_or("Complete");
        if !matches!(status, "Complete" | "PartialData") {
            return Err(wrong(&format!("the status of {} is {status:?}", metric.of_stream)));
        }
        for value in series.values.unwrap_or_default() {
            if !(0.0..=FIGURE_MAX).contains(&value) {
                return Err(wrong(&format!("{value} is no figure of {}", metric.of_stream)));
            }
            let throughput = match shard {
                Some(shard) => found.shards.entry((*shard).clone()).or_default(),
                None => &mut found.stream,
            };
            let figures = (metric.figures)(throughput).get_or_insert_default();
            figures.sum += value;
            figures.largest = figures.largest.max(value);
        }
    }
    Ok(page.next_token.filter(|token| !token.is_empty()))
}

fn wrong(why: &str) -> Error {
    Error::new(ErrorKind::Io, format!("the answer of CloudWatch is wrong: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers in their order, and the requests.
    struct Recorded {
        answers: Vec<String>,
        requests: Vec<Value>,
    }

    impl GetMetricData for Recorded {
        fn get_metric_data(&mut self, request: &Value) -> Result<Vec<u8>, Error> {
            self.requests.push(request.clone());
            let answer = match self.answers.len() {
                0 => "{}".to_owned(),
                1 => self.answers[0].clone(),
                _ => self.answers.remove(0),
            };
            Ok(answer.into_bytes())
        }
    }

    fn ask(
        answers: &[&str],
        shards: usize,
        minutes: i64,
    ) -> (Result<StreamMetrics, Error>, Recorded) {
        let answers = answers.iter().map(|&answer| answer.to_owned()).collect();
        let mut recorded = Recorded { answers, requests: Vec::new() };
        let shards: Vec<_> = (0..shards).map(|index| ShardId::new(format!("s{index}"))).collect();
        let from = Timestamp::from_millis(600_000);
        let until = Timestamp::from_millis(600_000 + minutes * 60_000 + 59_999);
        let found = stream_metrics(&mut recorded, ("clicks", &shards), (from, until));
        (found, recorded)
    }

    /// The form of an answer that moto's server 5.2.5 gave, and a page that CloudWatch leaves open.
    const FIRST: &str = r#"{"MetricDataResults": [
        {"Id": "m0", "Label": "IncomingBytes Sum", "Timestamps": [1796090228, 1796090168],
         "Values": [1000.0, 2000.0], "StatusCode": "PartialData"},
        {"Id": "m3", "Label": "age", "Timestamps": [1796090228], "Values": [7],
            "StatusCode": "Complete"},
        {"Id": "m6", "Label": "b", "Timestamps": [1796090228], "Values": [50],
            "StatusCode": "Complete"},
        {"Id": "m1", "Label": "IncomingRecords Sum", "Timestamps": [], "Values": [],
            "StatusCode": "Complete"}],
        "NextToken": "more"}"#;
    const SECOND: &str = r#"{"MetricDataResults": [
        {"Id": "m0", "Values": [1500.5], "Timestamps": [1796090108], "StatusCode": "Complete"}]}"#;

    #[test]
    fn s277_figures_are_added_over_pages_for_the_stream_and_its_shards() {
        let (found, recorded) = ask(&[FIRST, SECOND], 2, 15);
        let found = found.unwrap();
        let figures = |sum, largest| Some(MinuteFigures { sum, largest });
        assert_eq!(found.seconds, 900);
        let mut stream = Throughput::default();
        (stream.bytes_in, stream.age_millis) = (figures(4500.5, 2000.0), figures(7.0, 7.0));
        assert_eq!(found.stream, stream);
        let shard = Throughput { bytes_in: figures(50.0, 50.0), ..Throughput::default() };
        assert_eq!(found.shards.into_iter().collect::<Vec<_>>(), [(ShardId::new("s0"), shard)]);
        let [first, second] = &recorded.requests[..] else { panic!("two requests") };
        assert_eq!((&first["StartTime"], &first["EndTime"]), (&json!(600), &json!(1500)));
        assert_eq!((&first["NextToken"], &second["NextToken"]), (&json!(null), &json!("more")));
        let queries = first["MetricDataQueries"].as_array().unwrap();
        assert_eq!(queries.len(), 18);
        let expected = json!({
            "Namespace": "AWS/Kinesis",
            "MetricName": "OutgoingBytes",
            "Dimensions": [
                { "Name": "StreamName", "Value": "clicks" },
                { "Name": "ShardId", "Value": "s1" },
            ],
        });
        assert_eq!(queries[14]["MetricStat"]["Metric"], expected);
    }

    #[test]
    fn s277_a_call_asks_for_what_an_answer_can_have() {
        for (shards, minutes, calls) in [(0, 15, 1), (82, 15, 1), (83, 15, 2), (200, 1440, 18)] {
            let (found, recorded) = ask(&[], shards, minutes);
            found.unwrap();
            assert_eq!(recorded.requests.len(), calls, "{shards} shards, {minutes} minutes");
            for request in recorded.requests {
                let queries = request["MetricDataQueries"].as_array().unwrap().len();
                assert!(queries <= 500 && queries as i64 * minutes <= 100_800);
            }
        }
    }

    #[test]
    fn s277_a_wrong_answer_is_an_error_that_says_why() {
        let series = |inner: &str| format!(r#"{{"MetricDataResults": [{{{inner}}}]}}"#);
        for (answer, why) in [
            (String::new(), "it cannot be read"),
            ("<GetMetricDataResponse/>".to_owned(), "it cannot be read"),
            ("[]".repeat(3), "it cannot be read"),
            ("[".repeat(100_000), "it cannot be read"),
            (r#"{"MetricDataResults": 7}"#.to_owned(), "it cannot be read"),
            (series(r#""Id": "m0", "Values": ["1"]"#), "it cannot be read"),
            (series(r#""Id": "m0", "Values": [1e999]"#), "it cannot be read"),
            (series(r#""Values": [1]"#), "it cannot be read"),
            (series(r#""Id": "m0", "Values": [-1]"#), "-1 is no figure of IncomingBytes"),
            (series(r#""Id": "m0", "Values": [1e300]"#), "is no figure of IncomingBytes"),
            (series(r#""Id": "m18""#), "nobody asked for the metric \"m18\""),
            (series(r#""Id": "m-1""#), "nobody asked for the metric \"m-1\""),
            (series(r#""Id": """#), "nobody asked for the metric \"\""),
            (
                series(r#""Id": "m2", "StatusCode": "Forbidden""#),
                "GetRecords.Bytes is \"Forbidden\"",
            ),
            (r#"{"NextToken": "again"}"#.to_owned(), "has more than 100 pages"),
        ] {
            let error = ask(&[&answer], 2, 15).0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            let message = error.to_string();
            assert!(message.contains(why), "{message}");
        }
        for nothing in
            ["{}", r#"{"MetricDataResults": null, "NextToken": null}"#, r#"{"Later": []}"#]
        {
            let found = ask(&[nothing], 2, 15).0.unwrap();
            assert_eq!(found, StreamMetrics { seconds: 900, ..StreamMetrics::default() });
        }
    }
}
