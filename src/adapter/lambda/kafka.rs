//! Lambda's event of records of Kafka topics.

use super::KinesisEvent;
use super::wire::{EVENT_RECORDS_MAX, TOO_MANY};
use crate::adapter::Rejected;
use crate::adapter::transport::json::{Text, Whole, excerpt, utf8};
use crate::adapter::transport::payloads::Payloads;
use crate::error::{Error, ErrorKind};
use crate::record::{Position, Record, Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The `eventSource` of the events of Amazon MSK, and of clusters that AWS does not manage. Older
/// documents of AWS have the last one.
const SOURCES: [&str; 3] = ["aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka"];

/// Lambda's event of records of Kafka topics: of Amazon MSK, and of clusters that AWS does not
/// manage.
///
/// An event has records of one or several partitions. Unknown fields are skipped. A record with a
/// missing or malformed field does not fail the event: it is in
/// [`rejected`](KafkaPartition::rejected).
///
/// # Example
/// ```
/// use streamgauge::adapter::lambda::KafkaEvent;
/// let event = KafkaEvent::from_slice(br#"{"eventSource": "aws:kafka", "records": {"clicks-0": [{
///     "topic": "clicks", "partition": 0, "offset": 15, "timestamp": 1700000000007,
///     "key": "dTE=", "value": "e30=", "headers": [{"trace": [55, 97]}]
/// }]}}"#)?;
/// let partition = &event.partitions[0];
/// let record = &partition.records[0];
/// assert_eq!(partition.name.as_str(), "clicks-0");
/// assert_eq!(record.position.sequence.number.as_str(), "15");
/// assert_eq!((&record.partition_key[..], &record.data[..]), (&b"u1"[..], &b"{}"[..]));
/// assert_eq!(partition.headers(0)?, [("trace".to_owned(), "7a".into())]);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct KafkaEvent {
    /// The batches of the partitions, in the order of the event.
    pub partitions: Vec<KafkaPartition>,
    /// The ARN of the cluster; `None` if AWS does not manage the cluster.
    pub cluster_arn: Option<Box<str>>,
}

/// The records of one partition from a [`KafkaEvent`].
///
/// The offset of a record is its sequence number. Its key is the
/// [`partition_key`](Record::partition_key), empty if it has none. Its timestamp, whether the
/// producer or the broker gave it, is the [`arrival`](Record::arrival). A tombstone, which has no
/// value and deletes a key, is no record.
#[derive(Debug)]
#[non_exhaustive]
pub struct KafkaPartition {
    /// Topic and partition, as the event names them: `clicks-0`.
    pub name: ShardId,
    /// The records, in the order of the event. That is the order of the partition.
    pub records: Vec<Record>,
    /// Elements that could not be read as a record, in the order of the event.
    pub rejected: Vec<Rejected>,
    /// The number of tombstones.
    pub tombstones: u64,
    /// The index of a record, and its headers as JSON, for records with headers.
    headers: Vec<(usize, Box<str>)>,
}

impl KafkaEvent {
    /// Reads an event.
    ///
    /// Memory: the decoded keys, payloads and headers, plus under 250 bytes a record.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if this is not the JSON of a Kafka event of Lambda;
    /// [`ErrorKind::LimitExceeded`] for more than 100,000 records.
    pub fn from_slice(event: &[u8]) -> Result<Self, Error> {
        let no_event = |words: &str| {
            Error::new(ErrorKind::Parse, format!("this is not a Kafka event of Lambda: {words}"))
        };
        let text = utf8(event).map_err(|error| no_event(&error.to_string()))?;
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|error| no_event(&error.to_string()))?;
        match envelope.is_of_kafka() {
            true => envelope.read(),
            false => Err(no_event("its eventSource is not aws:kafka or SelfManagedKafka")),
        }
    }

    /// Reads an event whose source is Kafka. Returns `None` for any other event.
    pub(super) fn read(event: &[u8]) -> Option<Result<KafkaEvent, Error>> {
        // A Kinesis event need not be read twice.
        let begin = event.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
        if begin.starts_with(b"\"Records\"") {
            return None;
        }
        let envelope: Envelope<'_> = serde_json::from_str(utf8(event).ok()?).ok()?;
        envelope.is_of_kafka().then(|| envelope.read())
    }
}

impl KafkaPartition {
    pub(super) fn new(name: ShardId) -> Self {
        KafkaPartition {
            name,
            records: Vec::new(),
            rejected: Vec::new(),
            tombstones: 0,
            headers: Vec::new(),
        }
    }

    /// Returns the headers of the record with this index in [`records`](KafkaPartition::records),
    /// in their order. The value of a header is empty if it is null.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if they are not in the form that Lambda documents: an array of objects
    /// whose values are arrays of bytes.
    pub fn headers(&self, index: usize) -> Result<Vec<(String, Bytes)>, Error> {
        let Ok(at) = self.headers.binary_search_by_key(&index, |(record, _)| *record) else {
            return Ok(Vec::new());
        };
        let headers = read_headers(&self.headers[at].1).map_err(|what| {
            let name = &self.name;
            Error::new(ErrorKind::Parse, format!("{name}: the headers of record {index}: {what}"))
        })?;
        let bytes = headers.into_iter();
        Ok(bytes.map(|(name, value)| (name, value.unwrap_or_default())).collect())
    }

    /// Adds the headers of the last record.
    pub(super) fn push_headers(&mut self, json: &str) {
        if let (Some(last), false) = (self.records.len().checked_sub(1), matches!(json, "[]")) {
            self.headers.push((last, json.into()));
        }
    }

    fn push(&mut self, index: usize, element: &RawValue, payloads: &mut Payloads) {
        let wire = match serde_json::from_str::<WireRecord<'_>>(element.get()) {
            Ok(wire) if element.get().starts_with('{') => wire,
            _ => {
                let error =
                    Error::new(ErrorKind::Parse, "not an object with the fields of a record");
                return self.reject(index, &WireRecord::default(), Bytes::new(), error);
            }
        };
        if wire.value == Text::Missing {
            self.tombstones += 1;
            return;
        }
        match self.record(&wire, payloads) {
            Ok(record) => {
                self.records.push(record);
                if let Some(headers) = wire.headers {
                    self.push_headers(headers.get());
                }
            }
            Err(error) => {
                let text = wire.value.required().unwrap_or_default().as_bytes();
                let data = payloads.decode_base64(text).unwrap_or_else(|| payloads.copy(text));
                self.reject(index, &wire, data, error);
            }
        }
    }

    fn record(&self, wire: &WireRecord<'_>, payloads: &mut Payloads) -> Result<Record, Error> {
        let offset = wire.offset()?;
        let arrival = wire.arrival()?;
        let partition_key = bytes("key", &wire.key, payloads)?;
        let data = bytes("value", &wire.value, payloads)?;
        let position = Position { shard: self.name.clone(), sequence: Sequence::new(offset) };
        Ok(Record { partition_key, data, arrival, position, headers: Default::default() })
    }

    /// Adds an element that is not a record.
    #[cold]
    fn reject(&mut self, index: usize, wire: &WireRecord<'_>, data: Bytes, error: Error) {
        self.rejected.push(Rejected {
            index,
            records_before: self.records.len(),
            shard: Some(self.name.clone()),
            sequence: wire.offset().ok().map(Sequence::new),
            arrival: wire.arrival().ok(),
            data,
            error: error.at(format_args!("records[{:?}][{index}]", self.name)),
        });
    }

    /// Returns the batch in the form of the event of a Kinesis shard. Its records have the headers
    /// of these names. Headers that cannot be read are missing.
    pub(super) fn into_shard(mut self, names: &[Arc<str>]) -> (ShardId, KinesisEvent) {
        let headers = if names.is_empty() { &[][..] } else { &self.headers };
        for (index, json) in headers {
            if let Some(record) = self.records.get_mut(*index) {
                set_headers(record, json, names);
            }
        }
        let (records, rejected) = (self.records, self.rejected);
        (self.name, KinesisEvent { records, rejected, ..KinesisEvent::default() })
    }
}

/// Reads the headers of a record, in their order.
fn read_headers(json: &str) -> Result<Vec<(String, Option<Bytes>)>, String> {
    // Java's bytes are from -128 to 127.
    type Header = BTreeMap<String, Option<Vec<i16>>>;
    let headers: Vec<Header> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let byte = |number: i16| match number {
        -128..=255 => Ok(number.to_le_bytes()[0]),
        other => Err(format!("{other} is not a byte")),
    };
    let bytes = |value: Vec<i16>| value.into_iter().map(byte).collect::<Result<Vec<u8>, String>>();
    let headers = headers.into_iter().flatten();
    headers
        .map(|(name, value)| Ok((name, value.map(bytes).transpose()?.map(Bytes::from))))
        .collect()
}

/// Sets the headers of these names. The last one of a name counts.
fn set_headers(record: &mut Record, json: &str, names: &[Arc<str>]) {
    for (name, value) in read_headers(json).into_iter().flatten() {
        if let Some(name) = names.iter().find(|known| ***known == *name) {
            record.headers.set(name, value);
        }
    }
}

/// Decodes a field in base64. A field that is missing or null is empty.
fn bytes(field: &str, text: &Text<'_>, payloads: &mut Payloads) -> Result<Bytes, Error> {
    let wrong = |what: fmt::Arguments<'_>| Error::new(ErrorKind::Parse, format!("{field} {what}"));
    match text {
        Text::Missing => Ok(Bytes::new()),
        Text::Other(what) => Err(wrong(format_args!("{what}"))),
        Text::Present(text) => payloads
            .decode_base64(text.as_bytes())
            .ok_or_else(|| wrong(format_args!("{:?} is not standard base64", excerpt(text, 40)))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    event_source: Text<'a>,
    #[serde(borrow, default)]
    event_source_arn: Text<'a>,
    #[serde(borrow, default)]
    records: Option<&'a RawValue>,
}

impl Envelope<'_> {
    fn is_of_kafka(&self) -> bool {
        self.event_source.required().is_ok_and(|source| SOURCES.contains(&source))
    }

    fn read(self) -> Result<KafkaEvent, Error> {
        let records = self.records.map_or("{}", RawValue::get);
        let Partitions(partitions) = serde_json::from_str(records).map_err(|error| {
            Error::new(ErrorKind::Parse, format!("records of a Kafka event of Lambda: {error}"))
        })?;
        if partitions.iter().map(|(_, elements)| elements.len()).sum::<usize>() > EVENT_RECORDS_MAX
        {
            let message = format!("the event has {TOO_MANY}, {EVENT_RECORDS_MAX}, records");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut payloads = Payloads::default();
        let read = |(name, elements): (Cow<'_, str>, Vec<&RawValue>)| {
            let mut partition = KafkaPartition::new(ShardId::new(&*name));
            for (index, element) in elements.into_iter().enumerate() {
                partition.push(index, element, &mut payloads);
            }
            partition
        };
        Ok(KafkaEvent {
            partitions: partitions.into_iter().map(read).collect(),
            cluster_arn: self.event_source_arn.into_text().map(Into::into),
        })
    }
}

/// The elements of each partition, in the order of the event.
struct Partitions<'a>(Vec<(Cow<'a, str>, Vec<&'a RawValue>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Partitions<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartitionsVisitor)
    }
}

struct PartitionsVisitor;

impl<'de> Visitor<'de> for PartitionsVisitor {
    type Value = Partitions<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an array of records for each partition")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Partitions<'de>, A::Error> {
        let mut partitions = Vec::new();
        while let Some((name, elements)) = map.next_entry::<Text<'_>, Option<Vec<_>>>()? {
            let name = name.into_text().unwrap_or_default();
            partitions.push((name, elements.unwrap_or_default()));
        }
        Ok(Partitions(partitions))
    }
}

/// An element of a partition: the fields that this crate reads.
#[derive(Deserialize, Default)]
#[serde(default)]
struct WireRecord<'a> {
    offset: Whole,
    timestamp: Whole,
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    value: Text<'a>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
}

impl WireRecord<'_> {
    fn offset(&self) -> Result<u64, Error> {
        let wrong = |what: &str| Error::new(ErrorKind::Parse, format!("offset {what}"));
        let offset = self.offset.optional().map_err(wrong)?;
        let offset = offset.ok_or_else(|| wrong("is missing or null"))?;
        u64::try_from(offset).map_err(|_| wrong("is negative"))
    }

    /// A record without a timestamp has -1.
    fn arrival(&self) -> Result<Timestamp, Error> {
        let millis = self.timestamp.optional();
        let millis =
            millis.map_err(|what| Error::new(ErrorKind::Parse, format!("timestamp {what}")))?;
        let millis = millis.filter(|millis| *millis >= 0);
        Ok(millis.map_or(Record::ARRIVAL_UNKNOWN, Timestamp::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(records: Value) -> KafkaEvent {
        let event = json!({"eventSource": "SelfManagedKafka", "records": records});
        KafkaEvent::from_slice(event.to_string().as_bytes()).unwrap()
    }

    fn good(offset: u64) -> Value {
        json!({"topic": "t", "partition": 0, "offset": offset, "timestamp": 1_700_000_000_500_i64,
            "timestampType": "LOG_APPEND_TIME", "key": "aw==", "value": "e30=", "headers": []})
    }

    #[test]
    fn a_wrong_field_rejects_its_record_alone() {
        for (field, value, words) in [
            ("offset", Value::Null, "offset is missing or null"),
            ("offset", json!("7"), "offset is not a whole number"),
            ("offset", json!(-7), "offset is negative"),
            ("offset", json!(1e300), "offset is not a whole number"),
            ("offset", json!(u64::MAX), "offset is not a whole number"),
            ("timestamp", json!("now"), "timestamp is not a whole number"),
            ("key", json!(7), "key is a number and not a string"),
            ("key", json!("?"), "key \"?\" is not standard base64"),
            ("value", json!({}), "value is an object and not a string"),
            ("value", json!("e30"), "value \"e30\" is not standard base64"),
        ] {
            let mut wrong = good(8);
            wrong[field] = value;
            let event = read(json!({"t-0": [good(7), wrong, good(9)]}));
            let [partition] = &event.partitions[..] else { panic!("one partition") };
            assert_eq!(partition.records.len(), 2, "{field}");
            let [rejected] = &partition.rejected[..] else { panic!("one is rejected") };
            assert_eq!((rejected.index, rejected.records_before), (1, 1));
            assert_eq!(rejected.sequence.is_none(), field == "offset");
            let error = rejected.error.to_string();
            assert!(error.starts_with("records[\"t-0\"][1]: ") && error.contains(words), "{error}");
        }
        let event = read(json!({"t-0": [7, null, [], good(9)], "t-1": null}));
        assert_eq!((event.partitions[0].records.len(), event.partitions[0].rejected.len()), (1, 3));
        assert_eq!(event.partitions[1].records.len(), 0);
    }

    #[test]
    fn what_a_record_need_not_have_is_empty() {
        let event = read(json!({"t-0": [{"offset": 3, "value": ""}, {"offset": 4, "timestamp": -1,
            "key": null, "value": "", "headers": null}, {"offset": 5}, {"value": null}]}));
        assert_eq!((event.partitions[0].records.len(), event.partitions[0].tombstones), (2, 2));
        for record in &event.partitions[0].records {
            assert_eq!((record.partition_key.len(), record.data.len()), (0, 0));
            assert!(!record.is_arrival_known());
        }
        assert!(event.partitions[0].headers(0).unwrap().is_empty());
        assert!(event.partitions[0].headers(9).unwrap().is_empty());
    }

    #[test]
    fn headers_are_the_bytes_of_java() {
        let with = |headers: Value| {
            let mut record = good(8);
            record["headers"] = headers;
            read(json!({"t-0": [good(7), record]})).partitions.remove(0).headers(1)
        };
        let headers = with(json!([{"a": [104, -1, 255]}, {"b": null}, {"a": []}, {}])).unwrap();
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
        assert_eq!(headers, [("a", &[104, 255, 255][..]), ("b", &[]), ("a", &[])]);
        for wrong in [json!([{"a": [256]}]), json!([{"a": [-129]}]), json!({"a": 1}), json!([7])] {
            assert!(with(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_events_and_too_many_records_are_refused() {
        for (event, words) in [
            ("{}", "its eventSource is not"),
            (r#"{"eventSource":"aws:kinesis","records":{}}"#, "its eventSource is not"),
            (r#"{"eventSource":"aws:kafka","records":[]}"#, "an array of records for each"),
            (r#"{"eventSource":"aws:kafka","records":{"t-0":{}}}"#, "expected a sequence"),
            ("[", "this is not a Kafka event of Lambda"),
        ] {
            let error = KafkaEvent::from_slice(event.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(words), "{event}: {error}");
        }
        let many = vec![json!(0); EVENT_RECORDS_MAX / 2 + 1];
        let event = json!({"eventSource": "aws:kafka", "records": {"t-0": many, "t-1": many}});
        let error = KafkaEvent::from_slice(event.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert!(KafkaEvent::read(br#" { "Records": []}"#).is_none());
        assert!(KafkaEvent::read(b"\xff").is_none());
    }
}
