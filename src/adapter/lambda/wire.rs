//! The event's JSON, read in one pass into records.

use super::timestamp::parse_seconds;
use super::{KinesisEvent, State, TumblingWindow};
use crate::adapter::Rejected;
use crate::adapter::transport::json::{Text, excerpt};
use crate::adapter::transport::payloads::Payloads;
use crate::error::{Error, ErrorKind};
use crate::record::{Position, Record, Sequence, SequenceNumber, ShardId};
use crate::time::Timestamp;
use crate::window::Window;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::fmt;

/// Maximum records of one event. Lambda's own limit is 10,000.
pub(super) const EVENT_RECORDS_MAX: usize = 100_000;

/// Part of the message of the error about too many records. The error is recognised by it.
pub(super) const TOO_MANY: &str = "more than EVENT_RECORDS_MAX";

/// The `eventSource` of a record of a Kinesis stream.
const KINESIS: &str = "aws:kinesis";

/// An event, read field by field: the general way, for events of any form.
pub(super) struct WireEvent(pub(super) KinesisEvent);

impl<'de> Deserialize<'de> for WireEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor).map(WireEvent)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum EventField {
    Records,
    #[serde(rename = "window")]
    Window,
    #[serde(rename = "state")]
    State,
    #[serde(rename = "shardId")]
    ShardId,
    #[serde(rename = "eventSourceARN")]
    EventSourceArn,
    #[serde(rename = "isFinalInvokeForWindow")]
    IsFinal,
    #[serde(rename = "isWindowTerminatedEarly")]
    IsTerminatedEarly,
    #[serde(other)]
    Other,
}

/// The fields of an event with a window, besides its records.
#[derive(Default)]
struct EventEnvelope<'de> {
    has_records: bool,
    window: Option<WireWindow<'de>>,
    state: Option<State>,
    shard: Text<'de>,
    arn: Text<'de>,
    is_final: Option<bool>,
    is_terminated_early: Option<bool>,
}

#[derive(Deserialize)]
struct WireWindow<'a> {
    #[serde(borrow, default)]
    start: Text<'a>,
    #[serde(borrow, default)]
    end: Text<'a>,
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = KinesisEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kinesis event, an object with the field Records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KinesisEvent, A::Error> {
        let mut batch = EventRecords::default();
        let mut envelope = EventEnvelope::default();
        let named =
            |name: &'static str| move |error| A::Error::custom(format_args!("{name}: {error}"));
        while let Some(field) = map.next_key()? {
            match field {
                EventField::Records => {
                    batch = EventRecords::default();
                    envelope.has_records = map.next_value_seed(RecordsSeed(&mut batch))?;
                }
                EventField::Window => {
                    envelope.window = map.next_value().map_err(named("window"))?
                }
                EventField::State => {
                    envelope.state = Some(map.next_value().map_err(named("state"))?)
                }
                EventField::ShardId => envelope.shard = map.next_value()?,
                EventField::EventSourceArn => envelope.arn = map.next_value()?,
                EventField::IsFinal => {
                    envelope.is_final = map.next_value().map_err(named("isFinalInvokeForWindow"))?
                }
                EventField::IsTerminatedEarly => {
                    envelope.is_terminated_early =
                        map.next_value().map_err(named("isWindowTerminatedEarly"))?;
                }
                EventField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        batch.finish(envelope).map_err(A::Error::custom)
    }
}

/// The records of an event while it is read.
#[derive(Default)]
pub(super) struct EventRecords {
    pub(super) records: Vec<Record>,
    pub(super) rejected: Vec<Rejected>,
    payloads: Payloads,
    /// The shard of the last record, usually that of all records.
    shard: Option<ShardId>,
    pub(super) arn: Option<Box<str>>,
}

impl EventRecords {
    fn finish(self, envelope: EventEnvelope<'_>) -> Result<KinesisEvent, Error> {
        if !envelope.has_records && envelope.window.is_none() {
            return Err(Error::new(
                ErrorKind::Parse,
                "Records is missing or null: is the function invoked by a Kinesis event source \
                 mapping?",
            ));
        }
        let stream_arn = envelope.arn.into_text().map(Into::into).or(self.arn);
        let tumbling = match envelope.window {
            None => None,
            Some(window) => Some(TumblingWindow {
                window: window.read()?,
                state: envelope.state.unwrap_or_default(),
                shard: match envelope.shard.required() {
                    Ok(shard) => ShardId::new(shard),
                    Err(what) => {
                        return Err(Error::new(ErrorKind::Parse, format!("shardId {what}")));
                    }
                },
                is_final: envelope.is_final.unwrap_or(false),
                is_terminated_early: envelope.is_terminated_early.unwrap_or(false),
            }),
        };
        Ok(KinesisEvent { records: self.records, rejected: self.rejected, stream_arn, tumbling })
    }

    pub(super) fn push(&mut self, index: usize, wire: WireRecord<'_>) {
        match self.read(&wire) {
            Ok(record) => self.records.push(record),
            Err(error) => self.reject(index, &wire, error),
        }
        if self.arn.is_none() {
            self.arn = wire.arn.into_text().map(Into::into);
        }
    }

    fn read(&mut self, wire: &WireRecord<'_>) -> Result<Record, Error> {
        let digits = required(&wire.sequence, "kinesis.sequenceNumber")?;
        let number =
            digits.parse::<SequenceNumber>().map_err(|error| error.at("kinesis.sequenceNumber"))?;
        let event_id = required(&wire.event_id, "eventID")?;
        let shard = match self.known_shard(event_id, digits) {
            Some(shard) => shard,
            None => self.shard.insert(ShardId::new(shard_name(event_id)?)).clone(),
        };
        let arrival = match wire.arrival.map_or("null", RawValue::get) {
            "null" => Record::ARRIVAL_UNKNOWN,
            text => parse_seconds(text)
                .map_err(|error| error.at("kinesis.approximateArrivalTimestamp"))?,
        };
        let partition_key = required(&wire.partition_key, "kinesis.partitionKey")?;
        let data = required(&wire.data, "kinesis.data")?;
        self.record(
            partition_key,
            data,
            arrival,
            Position { shard, sequence: Sequence { number, sub: 0 } },
        )
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Parse,
                format!("kinesis.data {:?} is not standard base64", excerpt(data, 40)),
            )
        })
    }

    /// Returns the record of these fields. Returns `None` if `data` is not base64.
    pub(super) fn record(
        &mut self,
        partition_key: &str,
        data: &str,
        arrival: Timestamp,
        position: Position,
    ) -> Option<Record> {
        let data = self.payloads.decode_base64(data.as_bytes())?;
        let partition_key = self.payloads.copy(partition_key.as_bytes());
        Some(Record { partition_key, data, arrival, position, headers: Default::default() })
    }

    /// Returns the shard of the previous record if the event id is its name, a colon and these
    /// digits.
    pub(super) fn known_shard(&self, event_id: &str, digits: &str) -> Option<ShardId> {
        let shard = self.shard.as_ref()?;
        let rest = event_id.strip_prefix(shard.as_str())?.strip_prefix(':')?;
        (rest == digits).then(|| shard.clone())
    }

    #[cold]
    fn reject(&mut self, index: usize, wire: &WireRecord<'_>, error: Error) {
        let text = wire.data.required().unwrap_or_default().as_bytes();
        let data = self.payloads.decode_base64(text).unwrap_or_else(|| self.payloads.copy(text));
        let [number, event_id] =
            [&wire.sequence, &wire.event_id].map(|text| text.required().unwrap_or_default());
        let arrival = wire.arrival.and_then(|text| parse_seconds(text.get()).ok());
        self.rejected.push(Rejected {
            arrival,
            ..rejection((index, self.records.len()), (event_id, number), data, error)
        });
    }
}

/// Returns the part of an event id before its last colon.
pub(super) fn shard_name(event_id: &str) -> Result<&str, Error> {
    match event_id.rsplit_once(':') {
        Some((name, _)) if !name.is_empty() => Ok(name),
        _ => {
            let shown = excerpt(event_id, 150);
            Err(Error::new(
                ErrorKind::Parse,
                format!(
                    "eventID {shown:?} is not a shard and a sequence number with a colon between"
                ),
            ))
        }
    }
}

/// Returns the readable parts of the element `index` of `Records`. `records_before` records were
/// read before it.
pub(super) fn rejection(
    (index, records_before): (usize, usize),
    (event_id, number): (&str, &str),
    data: Bytes,
    error: Error,
) -> Rejected {
    let shard = shard_name(event_id).ok().map(ShardId::new);
    let sequence = number.parse().ok().map(|number| Sequence { number, sub: 0 });
    Rejected {
        index,
        records_before,
        shard,
        sequence,
        arrival: None,
        data,
        error: error.at(format_args!("Records[{index}]")),
    }
}

fn required<'a>(text: &'a Text<'_>, field: &str) -> Result<&'a str, Error> {
    text.required().map_err(|what| Error::new(ErrorKind::Parse, format!("{field} {what}")))
}

impl WireWindow<'_> {
    fn read(&self) -> Result<Window, Error> {
        let time = |text: &Text<'_>, field: &str| {
            let text = required(text, field)?;
            match text.parse::<jiff::Timestamp>() {
                Ok(time) => Ok(Timestamp::from_millis(time.as_millisecond())),
                Err(error) => {
                    let message = format!(
                        "{field} {:?} is not a time such as 2023-11-14T22:12:00Z",
                        excerpt(text, 60)
                    );
                    Err(Error::new(ErrorKind::Parse, message).with_source(error))
                }
            }
        };
        let (start, end) = (time(&self.start, "window.start")?, time(&self.end, "window.end")?);
        match start < end {
            true => Ok(Window::new(start, end)),
            false => Err(Error::new(
                ErrorKind::Parse,
                format!("the window ends at {end} and starts at {start}, not before it"),
            )),
        }
    }
}

/// Reads `Records`. Returns true if the field is present and not null.
struct RecordsSeed<'a>(&'a mut EventRecords);

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records in the field Records")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        for index in 0.. {
            let mut wire =
                WireRecord { arn_is_known: self.0.arn.is_some(), ..WireRecord::default() };
            match seq.next_element_seed(RecordSeed(&mut wire)) {
                Ok(None) => break,
                Ok(Some(())) if index == EVENT_RECORDS_MAX => {
                    return Err(A::Error::custom(format_args!(
                        "the event has {TOO_MANY}, {EVENT_RECORDS_MAX}, records"
                    )));
                }
                Ok(Some(())) => self.0.push(index, wire),
                Err(error) => {
                    return Err(A::Error::custom(format_args!("Records[{index}]: {error}")));
                }
            }
        }
        Ok(true)
    }
}

/// One element of `Records`: the fields that this crate reads.
#[derive(Default)]
pub(super) struct WireRecord<'de> {
    pub(super) partition_key: Text<'de>,
    pub(super) sequence: Text<'de>,
    pub(super) data: Text<'de>,
    pub(super) arrival: Option<&'de RawValue>,
    pub(super) event_id: Text<'de>,
    /// The service that the record is from.
    source: Text<'de>,
    has_kinesis: bool,
    arn: Text<'de>,
    /// True if a previous record had an ARN, which is the same for all records.
    arn_is_known: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for WireRecord<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut wire = WireRecord::default();
        RecordSeed(&mut wire).deserialize(deserializer).map(|()| wire)
    }
}

impl WireRecord<'_> {
    /// Refuses a record of another service: events of SQS, SNS, S3 and DynamoDB have `Records`,
    /// too.
    fn check_source(&self) -> Result<(), String> {
        match (self.source.required(), self.has_kinesis) {
            (Ok(KINESIS), _) | (Err(_), true) => Ok(()),
            (Ok(other), _) => {
                Err(format!("eventSource is {:?} and not {KINESIS:?}", excerpt(other, 60)))
            }
            (Err(_), false) => {
                Err("there is no field kinesis, so it is no record of a Kinesis stream".to_owned())
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum RecordField {
    #[serde(rename = "kinesis")]
    Kinesis,
    #[serde(rename = "eventID")]
    EventId,
    #[serde(rename = "eventSourceARN")]
    EventSourceArn,
    // SNS writes the field with a capital letter.
    #[serde(rename = "eventSource", alias = "EventSource")]
    EventSource,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum KinesisField {
    PartitionKey,
    SequenceNumber,
    Data,
    ApproximateArrivalTimestamp,
    #[serde(other)]
    Other,
}

struct RecordSeed<'a, 'de>(&'a mut WireRecord<'de>);

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record, an object with the field kinesis")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key()? {
            match field {
                RecordField::Kinesis => {
                    map.next_value_seed(KinesisSeed(self.0))?;
                    self.0.has_kinesis = true;
                }
                RecordField::EventSource => self.0.source = map.next_value()?,
                RecordField::EventId => self.0.event_id = map.next_value()?,
                RecordField::EventSourceArn if !self.0.arn_is_known => {
                    self.0.arn = map.next_value()?
                }
                RecordField::EventSourceArn | RecordField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.0.check_source().map_err(A::Error::custom)
    }
}

struct KinesisSeed<'a, 'de>(&'a mut WireRecord<'de>);

impl<'de> DeserializeSeed<'de> for KinesisSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KinesisSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object in the field kinesis")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key()? {
            match field {
                KinesisField::PartitionKey => self.0.partition_key = map.next_value()?,
                KinesisField::SequenceNumber => self.0.sequence = map.next_value()?,
                KinesisField::Data => self.0.data = map.next_value()?,
                KinesisField::ApproximateArrivalTimestamp => {
                    self.0.arrival = Some(map.next_value()?)
                }
                KinesisField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
