//! The account of one invocation, and its metrics for CloudWatch.

use crate::adapter::kinesis_records::late::{place, set_data};
use crate::engine::Stats;
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::snapshot::Reductions;
use crate::time::Timestamp;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// The account of one invocation, for [`Handler::on_invocation`](super::Handler::on_invocation).
///
/// Counts are of this invocation only. A batch that Lambda delivers again is counted again.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Invocation {
    /// The time that the caller passed to the handler.
    pub at: Option<Timestamp>,
    /// The shard; `None` if the event names none, or several partitions.
    pub shard: Option<ShardId>,
    /// Records and user records in the event, including those that could not be read.
    pub records: u64,
    /// Records added to at least one window.
    pub applied: u64,
    /// Records that did not pass the filter.
    pub filtered: u64,
    /// Records all of whose windows had closed.
    pub late: u64,
    /// Records that could not be read, decoded or aggregated, and were skipped.
    pub dead_letters: u64,
    /// Records that were applied before.
    pub duplicates: u64,
    /// Answers passed to the sink.
    pub emissions: u64,
    /// The age of the last record: the time from its arrival at the stream to now.
    pub iterator_age: Option<Duration>,
    /// Bytes of the state that was returned or saved; for a tumbling window the bytes of its JSON
    /// text.
    pub state_bytes: u64,
    /// The sketches that were made coarser to fit the budget of the state, if any.
    pub reductions: Option<Reductions>,
    /// Why a strict pipeline stopped before a record. Lambda is to deliver that record again.
    pub refused: Option<Error>,
    /// True if the invocation ended with an error, so that Lambda delivers the whole batch again.
    pub failed: bool,
}

impl Invocation {
    /// Adds the difference between two readings of the engine's counters.
    pub(super) fn count(&mut self, before: Stats, after: Stats) {
        self.applied = after.applied.saturating_sub(before.applied);
        self.filtered = after.filtered.saturating_sub(before.filtered);
        self.late = after.late.saturating_sub(before.late);
        self.dead_letters = after.dead_letters.saturating_sub(before.dead_letters);
        self.duplicates = after.duplicates.saturating_sub(before.duplicates);
    }

    /// Adds the account of one partition of an event that has several.
    pub(super) fn add(&mut self, partition: Invocation) {
        self.records += partition.records;
        self.applied += partition.applied;
        self.filtered += partition.filtered;
        self.late += partition.late;
        self.dead_letters += partition.dead_letters;
        self.duplicates += partition.duplicates;
        self.emissions += partition.emissions;
        self.iterator_age = self.iterator_age.max(partition.iterator_age);
        self.state_bytes += partition.state_bytes;
        self.refused = self.refused.take().or(partition.refused);
    }
}

/// A delivery that could not be read, decoded or aggregated, and was skipped; for
/// [`Handler::on_dead_letter`](super::Handler::on_dead_letter).
#[derive(Debug)]
#[non_exhaustive]
pub struct DeadLetter<'a> {
    /// The shard.
    pub shard: &'a ShardId,
    /// Its position in the shard; `None` if the position itself could not be read.
    pub sequence: Option<&'a Sequence>,
    /// The reason.
    pub error: &'a Error,
    /// The payload, as far as it could be read.
    pub data: &'a Bytes,
}

/// `{"shard":"shardId-000000000003","sequence":"4965","reason":"...","data":"..."}`. A payload that
/// is not UTF-8 is written in base64, with `"encoding":"base64"`.
impl Serialize for DeadLetter<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = json!({ "shard": self.shard.as_str(), "sequence": self.sequence.map(place), "reason": self.error.to_string() });
        set_data(&mut fields, self.data);
        fields.serialize(serializer)
    }
}

/// Writes an invocation as one line in CloudWatch's embedded metric format. CloudWatch Logs makes
/// metrics from such lines (AWS: "Specification: Embedded metric format").
///
/// There are ten metrics of the invocation, and none per group or key, because every metric and
/// dimension costs money. Dimensions are set by [`dimension`](Emf::dimension), usually the
/// function's name. The shard is a property: it can be searched for and makes no metric.
///
/// # Example
/// ```
/// use streamgauge::adapter::lambda::{Emf, Invocation};
/// let mut line = Vec::new();
/// Emf::new("streamgauge", &mut line).dimension("FunctionName", "hits").write(&Invocation::default())?;
/// let line: serde_json::Value = serde_json::from_slice(&line)?;
/// assert_eq!((&line["_aws"]["CloudWatchMetrics"][0]["Namespace"], &line["FunctionName"]), (&"streamgauge".into(), &"hits".into()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Emf<W> {
    namespace: String,
    dimensions: Vec<(String, String)>,
    out: W,
}

impl<W: Write> Emf<W> {
    /// Creates a writer of metrics in this namespace to `out`.
    pub fn new(namespace: impl Into<String>, out: W) -> Self {
        Emf { namespace: namespace.into(), dimensions: Vec::new(), out }
    }

    /// Adds a dimension. CloudWatch allows up to 30.
    #[must_use]
    pub fn dimension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.dimensions.push((name.into(), value.into()));
        self
    }

    /// Writes the line and flushes.
    ///
    /// # Errors
    /// The errors of the writer.
    pub fn write(&mut self, invocation: &Invocation) -> io::Result<()> {
        let mut line = serde_json::to_vec(&self.fields(invocation))?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }

    fn fields(&self, invocation: &Invocation) -> Value {
        let count = |name: &'static str, value: u64| (name, "Count", value);
        let mut metrics = vec![
            count("Records", invocation.records),
            count("Applied", invocation.applied),
            count("Late", invocation.late),
            count("DeadLetters", invocation.dead_letters),
            count("Duplicates", invocation.duplicates),
            count("Emissions", invocation.emissions),
            count("Refused", u64::from(invocation.refused.is_some())),
            count("Failed", u64::from(invocation.failed)),
            ("StateBytes", "Bytes", invocation.state_bytes),
        ];
        if let Some(age) = invocation.iterator_age {
            metrics.push((
                "IteratorAge",
                "Milliseconds",
                u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            ));
        }
        let names: Vec<&str> = self.dimensions.iter().map(|(name, _)| name.as_str()).collect();
        let units: Vec<Value> =
            metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut fields = Map::new();
        fields.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": invocation.at.map_or(0, Timestamp::as_millis),
                "CloudWatchMetrics": [{ "Namespace": self.namespace, "Dimensions": [names], "Metrics": units }],
            }),
        );
        fields.extend(self.dimensions.iter().map(|(name, value)| (name.clone(), json!(value))));
        fields.insert("Shard".to_owned(), json!(invocation.shard.as_ref().map(ShardId::as_str)));
        fields.extend(metrics.into_iter().map(|(name, _, value)| (name.to_owned(), json!(value))));
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_has_every_byte_of_its_payload() {
        for (data, expected) in [
            (&b"caf\xc3\xa9\n"[..], json!({"data": "caf\u{e9}\n"})),
            (b"\xf3\x89\x00", json!({"data": "84kA", "encoding": "base64"})),
            (b"", json!({"data": ""})),
        ] {
            let (shard, error) = (ShardId::new("s"), Error::invalid("no"));
            let letter = DeadLetter {
                shard: &shard,
                sequence: None,
                error: &error,
                data: &data.to_vec().into(),
            };
            let mut written = serde_json::to_value(&letter).unwrap();
            for field in ["shard", "sequence", "reason"] {
                written.as_object_mut().unwrap().remove(field).unwrap();
            }
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn every_announced_metric_is_present_and_dimensions_are_few() {
        let invocation = Invocation {
            at: Some(Timestamp::from_millis(1_700_000_000_007)),
            shard: Some(ShardId::new("shardId-000000000003")),
            records: 10,
            late: 1,
            iterator_age: Some(Duration::from_millis(1500)),
            ..Invocation::default()
        };
        let mut line = Vec::new();
        Emf::new("hits", &mut line).dimension("FunctionName", "f").write(&invocation).unwrap();
        let fields: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let directive = &fields["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&fields["_aws"]["Timestamp"], &directive["Namespace"]),
            (&json!(1_700_000_000_007i64), &json!("hits"))
        );
        assert_eq!(
            (&directive["Dimensions"], &fields["FunctionName"]),
            (&json!([["FunctionName"]]), &json!("f"))
        );
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(fields[metric["Name"].as_str().unwrap()].is_u64(), "{metric}");
        }
        assert_eq!(
            (&fields["Records"], &fields["Late"], &fields["IteratorAge"]),
            (&json!(10), &json!(1), &json!(1500))
        );
        assert_eq!(fields["Shard"], "shardId-000000000003");
    }
}
