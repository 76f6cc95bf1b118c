//! The protocol's JSON, read in one pass into records.

use super::protocol::{
    Action, CheckpointAnswer, CheckpointError, Message, Reply, ShutdownReason, StartingPoint,
};
use crate::adapter::Rejected;
use crate::adapter::transport::json::{Text, Whole, excerpt, utf8};
use crate::adapter::transport::payloads::Payloads;
use crate::adapter::worker::Batch;
use crate::error::{Error, ErrorKind};
use crate::record::{Position, Record, Sequence, SequenceNumber, ShardId};
use crate::time::Timestamp;
use base64_simd::STANDARD;
use bytes::Bytes;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// Maximum records of one message. The daemon asks for 10,000 at a time; a record that the KPL
/// aggregated contains many.
const MESSAGE_RECORDS_MAX: usize = 4_000_000;

/// Part of the message of the error about too many records. The error is recognised by it.
const TOO_MANY: &str = "more than MESSAGE_RECORDS_MAX";

impl Message {
    /// Reads a line of the daemon. `shard` is the shard of its records, as named in `initialize`.
    ///
    /// Unknown fields are skipped. A record with a missing or wrong field does not fail the
    /// message: it is [rejected](Batch::rejected). A record with null data has an empty payload.
    /// Records without a sub-sequence number are numbered in the order of the message.
    ///
    /// Cost: one pass, about 2 ns a byte.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the line is not JSON, has no action or an unknown one, or lacks a
    /// field that the action needs.
    pub fn parse(line: &[u8], shard: &ShardId) -> Result<Self, Error> {
        parse_message(line, shard)
    }

    /// Returns the message as the daemon writes it, without a line end, for tests of a record
    /// processor.
    pub fn to_json(&self) -> String {
        message_json(self)
    }
}

impl Reply {
    /// Returns the reply as JSON, without a line end.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct WireCheckpoint<'a> {
            action: &'static str,
            sequence_number: Option<&'a str>,
            sub_sequence_number: Option<u64>,
        }
        match self {
            Reply::Status { response_for } => {
                format!(r#"{{"action":"status","responseFor":"{response_for}"}}"#)
            }
            Reply::Checkpoint { sequence, sub } => {
                let sequence_number = sequence.as_ref().map(SequenceNumber::as_str);
                let checkpoint = WireCheckpoint {
                    action: "checkpoint",
                    sequence_number,
                    sub_sequence_number: *sub,
                };
                // The value has digits, a number and nulls only; serde_json can always write them.
                serde_json::to_string(&checkpoint).unwrap_or_default()
            }
        }
    }

    /// Reads a line of a child, for tests of a record processor.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the line is not a reply. The daemon skips such a line.
    pub fn parse(line: &[u8]) -> Result<Self, Error> {
        parse_reply(line)
    }
}

fn parse_message(line: &[u8], shard: &ShardId) -> Result<Message, Error> {
    let mut records =
        MessageRecords { batch: Batch::default(), payloads: Payloads::default(), shard };
    let fields = read_fields(line, Some(&mut records))?;
    let message = match fields.action()? {
        Action::Initialize => Message::Initialize {
            shard: ShardId::new(required(&fields.shard, "shardId")?),
            from: fields.starting_point()?,
        },
        Action::ProcessRecords if !fields.has_records => {
            return Err(wrong("processRecords has no records"));
        }
        Action::ProcessRecords => {
            let millis = fields
                .millis_behind_latest
                .optional()
                .map_err(|what| wrong(format!("millisBehindLatest {what}")))?;
            records.batch.millis_behind_latest =
                millis.map(|millis| u64::try_from(millis).unwrap_or(0));
            Message::ProcessRecords(records.batch)
        }
        Action::Checkpoint => Message::Checkpoint(CheckpointAnswer {
            sequence: optional(&fields.sequence, "sequenceNumber")?.map(Into::into),
            sub: sub_sequence_number(&fields.sub)?,
            error: optional(&fields.error, "error")?.map(CheckpointError::from_name),
        }),
        Action::LeaseLost => Message::LeaseLost,
        Action::ShardEnded => Message::ShardEnded,
        Action::ShutdownRequested => Message::ShutdownRequested,
        Action::Shutdown => {
            Message::Shutdown(match optional(&fields.reason, "reason")?.unwrap_or_default() {
                "TERMINATE" => ShutdownReason::Terminate,
                "ZOMBIE" => ShutdownReason::Zombie,
                other => ShutdownReason::Other(other.into()),
            })
        }
    };
    Ok(message)
}

fn parse_reply(line: &[u8]) -> Result<Reply, Error> {
    let fields = read_fields(line, None)?;
    match fields.action.required() {
        Ok("status") => {
            let name = required(&fields.response_for, "responseFor")?;
            let response_for = Action::parse(name).ok_or_else(|| {
                wrong(format!("responseFor is {:?}, no action of the daemon", excerpt(name, 60)))
            })?;
            Ok(Reply::Status { response_for })
        }
        Ok("checkpoint") => {
            let sequence = optional(&fields.sequence, "sequenceNumber")?
                .map(str::parse::<SequenceNumber>)
                .transpose()?;
            Ok(Reply::Checkpoint { sequence, sub: sub_sequence_number(&fields.sub)? })
        }
        Ok(other) => Err(wrong(format!(
            "the action is {:?} and neither status nor checkpoint",
            excerpt(other, 60)
        ))),
        Err(what) => Err(wrong(format!("action {what}"))),
    }
}

fn message_json(message: &Message) -> String {
    let action = message.action().as_str();
    let json = match message {
        Message::Initialize { shard, from } => {
            let (number, sub) = match from {
                StartingPoint::After(sequence) => (sequence.number.as_str(), sequence.sub),
                StartingPoint::TrimHorizon => ("TRIM_HORIZON", 0),
                StartingPoint::Latest => ("LATEST", 0),
                StartingPoint::AtTimestamp => ("AT_TIMESTAMP", 0),
                StartingPoint::Other(other) => (&**other, 0),
            };
            json!({"action": action, "shardId": shard.as_str(), "sequenceNumber": number, "subSequenceNumber": sub})
        }
        Message::ProcessRecords(batch) => {
            let records: Vec<Value> = batch.records.iter().map(record_json).collect();
            json!({"action": action, "records": records, "millisBehindLatest": batch.millis_behind_latest})
        }
        Message::Checkpoint(answer) => {
            let error = answer.error.as_ref().map(CheckpointError::name);
            json!({"action": action, "sequenceNumber": answer.sequence, "subSequenceNumber": answer.sub, "error": error})
        }
        Message::Shutdown(reason) => {
            let reason = match reason {
                ShutdownReason::Terminate => "TERMINATE",
                ShutdownReason::Zombie => "ZOMBIE",
                ShutdownReason::Other(other) => other,
            };
            json!({"action": action, "reason": reason})
        }
        Message::LeaseLost | Message::ShardEnded | Message::ShutdownRequested => {
            json!({ "action": action })
        }
    };
    json.to_string()
}

fn record_json(record: &Record) -> Value {
    json!({
        "data": STANDARD.encode_to_string(&record.data),
        "partitionKey": String::from_utf8_lossy(&record.partition_key),
        "sequenceNumber": record.position.sequence.number.as_str(),
        "approximateArrivalTimestamp": record.is_arrival_known().then(|| record.arrival.as_millis()),
        "subSequenceNumber": record.position.sequence.sub,
        "action": "record",
    })
}

fn required<'a>(text: &'a Text<'_>, name: &str) -> Result<&'a str, Error> {
    text.required().map_err(|what| wrong(format!("{name} {what}")))
}

fn optional<'a>(text: &'a Text<'_>, name: &str) -> Result<Option<&'a str>, Error> {
    match text {
        Text::Missing => Ok(None),
        _ => required(text, name).map(Some),
    }
}

fn sub_sequence_number(number: &Whole) -> Result<Option<u64>, Error> {
    let sub = number.optional().map_err(|what| wrong(format!("subSequenceNumber {what}")))?;
    sub.map(|sub| {
        u64::try_from(sub).map_err(|_| wrong(format!("subSequenceNumber {sub} is negative")))
    })
    .transpose()
}

#[cold]
fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Parse, message)
}

fn read_fields<'de>(
    line: &'de [u8],
    records: Option<&mut MessageRecords<'_>>,
) -> Result<MessageFields<'de>, Error> {
    let text = utf8(line).map_err(|error| {
        let hint = "the daemon writes the charset of its JVM: start it with -Dfile.encoding=UTF-8";
        wrong(format!("the message is not UTF-8: {error}; {hint}"))
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = FieldsSeed(records)
        .deserialize(&mut deserializer)
        .and_then(|fields| deserializer.end().map(|()| fields));
    fields.map_err(|error| {
        let start = String::from_utf8_lossy(&line[..line.len().min(80)]);
        let message = format!("the line {start:?} is not a message: {error}");
        match message.contains(TOO_MANY) {
            true => Error::new(ErrorKind::LimitExceeded, message),
            false => wrong(message),
        }
    })
}

/// The fields of all messages together, because the action may come after the other fields.
#[derive(Default)]
struct MessageFields<'de> {
    action: Text<'de>,
    shard: Text<'de>,
    sequence: Text<'de>,
    sub: Whole,
    has_records: bool,
    millis_behind_latest: Whole,
    error: Text<'de>,
    reason: Text<'de>,
    response_for: Text<'de>,
}

impl MessageFields<'_> {
    fn action(&self) -> Result<Action, Error> {
        let name = required(&self.action, "action")?;
        Action::parse(name).ok_or_else(|| {
            wrong(format!("the action {:?} is not known to this version", excerpt(name, 60)))
        })
    }

    fn starting_point(&self) -> Result<StartingPoint, Error> {
        let text = optional(&self.sequence, "sequenceNumber")?.unwrap_or_default();
        Ok(match (text, text.parse::<SequenceNumber>()) {
            (_, Ok(number)) => StartingPoint::After(Sequence {
                number,
                sub: sub_sequence_number(&self.sub)?.unwrap_or(0),
            }),
            ("TRIM_HORIZON", _) => StartingPoint::TrimHorizon,
            ("LATEST", _) => StartingPoint::Latest,
            ("AT_TIMESTAMP", _) => StartingPoint::AtTimestamp,
            (other, _) => StartingPoint::Other(other.into()),
        })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum MessageField {
    Action,
    ShardId,
    SequenceNumber,
    SubSequenceNumber,
    Records,
    MillisBehindLatest,
    Error,
    Reason,
    ResponseFor,
    #[serde(other)]
    Other,
}

struct FieldsSeed<'a, 'c>(Option<&'a mut MessageRecords<'c>>);

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_, '_> {
    type Value = MessageFields<'de>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<MessageFields<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_, '_> {
    type Value = MessageFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the field action")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<MessageFields<'de>, A::Error> {
        let mut fields = MessageFields::default();
        while let Some(field) = map.next_key()? {
            match field {
                MessageField::Action => fields.action = map.next_value()?,
                MessageField::ShardId => fields.shard = map.next_value()?,
                MessageField::SequenceNumber => fields.sequence = map.next_value()?,
                MessageField::SubSequenceNumber => fields.sub = map.next_value()?,
                MessageField::MillisBehindLatest => {
                    fields.millis_behind_latest = map.next_value()?
                }
                MessageField::Error => fields.error = map.next_value()?,
                MessageField::Reason => fields.reason = map.next_value()?,
                MessageField::ResponseFor => fields.response_for = map.next_value()?,
                MessageField::Records => match &mut self.0 {
                    Some(records) => {
                        records.batch = Batch::default();
                        fields.has_records = map.next_value_seed(MessageRecordsSeed(records))?;
                    }
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
                MessageField::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

/// The records of a message while it is read.
struct MessageRecords<'a> {
    batch: Batch,
    payloads: Payloads,
    shard: &'a ShardId,
}

impl MessageRecords<'_> {
    fn push(&mut self, index: usize, wire: &MessageRecord<'_>) {
        match self.read(wire) {
            Ok(record) => self.batch.records.push(record),
            Err(error) => self.reject(index, wire, error),
        }
    }

    fn read(&mut self, wire: &MessageRecord<'_>) -> Result<Record, Error> {
        let number = required(&wire.sequence, "sequenceNumber")?;
        let number =
            number.parse::<SequenceNumber>().map_err(|error| error.at("sequenceNumber"))?;
        let sub = sub_sequence_number(&wire.sub)?.unwrap_or_else(|| self.next_sub(&number));
        let partition_key = required(&wire.partition_key, "partitionKey")?;
        let arrival = match wire.arrival.optional() {
            Ok(Some(millis)) => Timestamp::from_millis(millis),
            Ok(None) => Record::ARRIVAL_UNKNOWN,
            Err(what) => return Err(wrong(format!("approximateArrivalTimestamp {what}"))),
        };
        let data = match &wire.data {
            Text::Missing => Bytes::new(),
            text => {
                let text = required(text, "data")?;
                let decoded = self.payloads.decode_base64(text.as_bytes());
                decoded.ok_or_else(|| {
                    wrong(format!("data {:?} is not standard base64", excerpt(text, 40)))
                })?
            }
        };
        let partition_key = self.payloads.copy(partition_key.as_bytes());
        let position = Position { shard: self.shard.clone(), sequence: Sequence { number, sub } };
        Ok(Record { partition_key, data, arrival, position, headers: Default::default() })
    }

    /// Returns the sub-sequence number of a record that has none: its index among the records of
    /// its sequence number. Daemons before 1.7 split aggregated records and write no sub-sequence
    /// numbers. A message contains all of these records or none.
    #[cold]
    fn next_sub(&self, number: &SequenceNumber) -> u64 {
        let records = self.batch.records.last().map(|record| &record.position.sequence);
        let rejected = self.batch.rejected.last().and_then(|rejected| rejected.sequence.as_ref());
        let last = [records, rejected]
            .into_iter()
            .flatten()
            .filter(|last| last.number == *number)
            .map(|last| last.sub)
            .max();
        last.map_or(0, |sub| sub.saturating_add(1))
    }

    #[cold]
    fn reject(&mut self, index: usize, wire: &MessageRecord<'_>, error: Error) {
        let text = wire.data.required().unwrap_or_default().as_bytes();
        let data = self.payloads.decode_base64(text).unwrap_or_else(|| self.payloads.copy(text));
        let number: Option<SequenceNumber> =
            wire.sequence.required().ok().and_then(|number| number.parse().ok());
        let place = match &number {
            Some(number) => format!("{}:{number}: records[{index}]", self.shard),
            None => format!("{}: records[{index}]", self.shard),
        };
        let sequence = number.map(|number| {
            let sub = sub_sequence_number(&wire.sub)
                .ok()
                .flatten()
                .unwrap_or_else(|| self.next_sub(&number));
            Sequence { number, sub }
        });
        let (shard, records_before) = (Some(self.shard.clone()), self.batch.records.len());
        let arrival = wire.arrival.optional().ok().flatten().map(Timestamp::from_millis);
        self.batch.rejected.push(Rejected {
            index,
            records_before,
            shard,
            sequence,
            arrival,
            data,
            error: error.at(place),
        });
    }
}

/// Reads `records`. Returns true if the field is present and not null.
struct MessageRecordsSeed<'a, 'c>(&'a mut MessageRecords<'c>);

impl<'de> DeserializeSeed<'de> for MessageRecordsSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageRecordsSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records in the field records")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        for index in 0.. {
            match seq.next_element::<MessageRecord<'de>>() {
                Ok(None) => break,
                Ok(Some(_)) if index == MESSAGE_RECORDS_MAX => {
                    return Err(A::Error::custom(format_args!(
                        "{TOO_MANY}, {MESSAGE_RECORDS_MAX}, records"
                    )));
                }
                Ok(Some(wire)) => self.0.push(index, &wire),
                Err(error) => {
                    return Err(A::Error::custom(format_args!("records[{index}]: {error}")));
                }
            }
        }
        Ok(true)
    }
}

/// One element of `records`: the fields that this crate reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageRecord<'a> {
    #[serde(borrow, default)]
    data: Text<'a>,
    #[serde(borrow, default)]
    partition_key: Text<'a>,
    #[serde(borrow, default, rename = "sequenceNumber")]
    sequence: Text<'a>,
    #[serde(default, rename = "approximateArrivalTimestamp")]
    arrival: Whole,
    #[serde(default, rename = "subSequenceNumber")]
    sub: Whole,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shard() -> ShardId {
        ShardId::new("shard")
    }

    fn read(line: &str) -> Result<Message, Error> {
        parse_message(line.as_bytes(), &shard())
    }

    fn batch(line: &str) -> Batch {
        match read(line) {
            Ok(Message::ProcessRecords(batch)) => batch,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn with_record(record: &str) -> Batch {
        batch(&format!(r#"{{"records":[{record}],"action":"processRecords","new":{{"x":[1]}}}}"#))
    }

    #[test]
    fn nulls_are_accepted_and_the_order_of_fields_does_not_matter() {
        let got = with_record(
            r#"{"data":null,"partitionKey":"k","sequenceNumber":"42","approximateArrivalTimestamp":null,"new":[{}]}"#,
        );
        let record = &got.records[0];
        assert_eq!((record.data.len(), record.is_arrival_known()), (0, false));
        assert_eq!((record.position.shard.as_str(), record.position.sequence.sub), ("shard", 0));
        assert_eq!(got.millis_behind_latest, None);
        assert_eq!(
            batch(r#"{"action":"processRecords","records":[],"millisBehindLatest":null}"#)
                .records
                .len(),
            0
        );
        assert_eq!(
            batch(r#"{"action":"processRecords","records":[],"millisBehindLatest":12}"#)
                .millis_behind_latest,
            Some(12)
        );
    }

    #[test]
    fn a_message_in_another_charset_names_the_remedy() {
        let error = parse_message(b"{\"action\":\"caf\xe9\"}", &shard()).unwrap_err();
        assert!(error.to_string().ends_with(
            "byte 14 is not UTF-8; the daemon writes the charset of its JVM: start \
                            it with -Dfile.encoding=UTF-8"
        ));
    }

    #[test]
    fn records_without_sub_sequence_numbers_are_numbered() {
        let record = |number: &str, rest: &str| {
            format!(r#"{{"data":"","partitionKey":"k","sequenceNumber":"{number}"{rest}}}"#)
        };
        let numbers = [
            record("1", ""),
            record("2", ""),
            record("2", ""),
            record("2", r#","approximateArrivalTimestamp":"x""#),
            record("2", ""),
            record("3", ""),
        ];
        let got = with_record(&numbers.join(","));
        let places = |sequences: Vec<&Sequence>| {
            sequences
                .into_iter()
                .map(|sequence| (sequence.number.to_string(), sequence.sub))
                .collect::<Vec<_>>()
        };
        let records = places(got.records.iter().map(|record| &record.position.sequence).collect());
        assert_eq!(
            records,
            [("1", 0), ("2", 0), ("2", 1), ("2", 3), ("3", 0)]
                .map(|(number, sub)| (number.to_owned(), sub))
        );
        let rejected =
            places(got.rejected.iter().filter_map(|rejected| rejected.sequence.as_ref()).collect());
        assert_eq!(rejected, [("2".to_owned(), 2)]);
        let given = [record("2", r#","subSequenceNumber":4"#), record("2", "")].join(",");
        assert_eq!(with_record(&given).records[1].position.sequence.sub, 5);
    }

    #[test]
    fn a_wrong_field_costs_its_record_and_is_named() {
        for (record, expected) in [
            (
                r#"{"data":"e30","partitionKey":"k","sequenceNumber":"42"}"#,
                "shard:42: records[1]: data \"e30\" is not standard base64",
            ),
            (
                r#"{"data":7,"partitionKey":"k","sequenceNumber":"42"}"#,
                "shard:42: records[1]: data is a number and not a string",
            ),
            (
                r#"{"data":"","sequenceNumber":"42"}"#,
                "shard:42: records[1]: partitionKey is missing or null",
            ),
            (
                r#"{"data":"","partitionKey":"k","sequenceNumber":"SHARD_END"}"#,
                "shard: records[1]: sequenceNumber: \"SHARD_END\" is not",
            ),
            (
                r#"{"data":"","partitionKey":"k"}"#,
                "shard: records[1]: sequenceNumber is missing or null",
            ),
            (
                r#"{"partitionKey":"k","sequenceNumber":"42","approximateArrivalTimestamp":1.5}"#,
                "shard:42: records[1]: approximateArrivalTimestamp is not a whole number",
            ),
            (
                r#"{"partitionKey":"k","sequenceNumber":"42","approximateArrivalTimestamp":99999999999999999999}"#,
                "shard:42: records[1]: approximateArrivalTimestamp is not a whole number",
            ),
            (
                r#"{"partitionKey":"k","sequenceNumber":"42","approximateArrivalTimestamp":[[{"a":1}]]}"#,
                "shard:42: records[1]: approximateArrivalTimestamp is not a whole number",
            ),
            (
                r#"{"partitionKey":"k","sequenceNumber":"42","subSequenceNumber":-1}"#,
                "shard:42: records[1]: subSequenceNumber -1 is negative",
            ),
        ] {
            let good = r#"{"data":"e30=","partitionKey":"k","sequenceNumber":"9","approximateArrivalTimestamp":5}"#;
            let got = with_record(&format!("{good},{record},{good}"));
            assert_eq!(
                (got.records.len(), got.rejected[0].records_before, got.rejected[0].index),
                (2, 1, 1)
            );
            assert!(
                got.rejected[0].error.to_string().starts_with(expected),
                "{}",
                got.rejected[0].error
            );
        }
    }

    #[test]
    fn unreadable_messages_give_the_reason() {
        for (line, expected) in [
            ("nonsense", "the line \"nonsense\" is not a message: expected ident"),
            ("null", "invalid type: null, expected an object with the field action"),
            ("{}", "action is missing or null"),
            (r#"{"action":5}"#, "action is a number and not a string"),
            (r#"{"action":"rest"}"#, "the action \"rest\" is not known to this version"),
            (r#"{"action":"initialize"}"#, "shardId is missing or null"),
            (r#"{"action":"processRecords"}"#, "processRecords has no records"),
            (r#"{"action":"processRecords","records":null}"#, "processRecords has no records"),
            (r#"{"action":"processRecords","records":7}"#, "expected an array of records"),
            (
                r#"{"action":"processRecords","records":[7]}"#,
                "records[0]: invalid type: integer `7`",
            ),
            (
                r#"{"action":"processRecords","records":[],"millisBehindLatest":"x"}"#,
                "millisBehindLatest is not a whole number",
            ),
            (r#"{"action":"checkpoint","error":5}"#, "error is a number and not a string"),
            (r#"{"action":"leaseLost"} {}"#, "trailing characters"),
            (r#"{"action":"leaseLost""#, "EOF while parsing"),
        ] {
            let error = read(line).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parse);
            assert!(error.to_string().contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_or_skipped() {
        let deep = "[".repeat(1_000_000);
        for line in [
            deep.clone(),
            format!(r#"{{"action":{deep}"#),
            format!(r#"{{"records":[{{"data":{deep}"#),
        ] {
            assert_eq!(read(&line).unwrap_err().kind(), ErrorKind::Parse);
        }
        let skipped = format!(r#"{{"x":{deep}{},"action":"leaseLost"}}"#, "]".repeat(1_000_000));
        assert_eq!(read(&skipped).unwrap().action(), Action::LeaseLost);
    }

    #[test]
    fn starting_points_and_old_shutdowns_are_distinguished() {
        let from = |number: &str| match read(&format!(
            r#"{{"action":"initialize","shardId":"s","sequenceNumber":{number},"subSequenceNumber":3}}"#
        )) {
            Ok(Message::Initialize { from, .. }) => from,
            other => panic!("{other:?}"),
        };
        assert_eq!(from("\"42\""), StartingPoint::After(Sequence { number: 42u64.into(), sub: 3 }));
        assert_eq!(from("\"TRIM_HORIZON\""), StartingPoint::TrimHorizon);
        assert_eq!(from("\"LATEST\""), StartingPoint::Latest);
        assert_eq!(from("\"AT_TIMESTAMP\""), StartingPoint::AtTimestamp);
        assert_eq!(from("\"SHARD_END\""), StartingPoint::Other("SHARD_END".into()));
        assert_eq!(from("null"), StartingPoint::Other("".into()));
        for (reason, expected) in [
            ("TERMINATE", ShutdownReason::Terminate),
            ("ZOMBIE", ShutdownReason::Zombie),
            ("X", ShutdownReason::Other("X".into())),
        ] {
            match read(&format!(r#"{{"action":"shutdown","reason":"{reason}"}}"#)) {
                Ok(Message::Shutdown(got)) => assert_eq!(got, expected),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn checkpoint_errors_are_classified_and_keep_their_names() {
        for (name, retryable, last) in [
            ("ThrottlingException", true, false),
            ("KinesisClientLibDependencyException", true, false),
            ("ShutdownException", false, true),
            ("InvalidStateException", false, true),
            ("IllegalArgumentException", false, false),
            ("SomethingNew", false, false),
        ] {
            match read(&format!(
                r#"{{"action":"checkpoint","sequenceNumber":"not-a-number","error":"{name}"}}"#
            )) {
                Ok(Message::Checkpoint(answer)) => {
                    let error = answer.error.unwrap();
                    assert_eq!(
                        (error.name(), error.is_retryable(), error.is_final()),
                        (name, retryable, last)
                    );
                    assert_eq!(answer.sequence.as_deref(), Some("not-a-number"));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn any_batch_is_read_back_unchanged(
            records in prop::collection::vec((".{0,12}", prop::collection::vec(any::<u8>(), 0..60), "[1-9][0-9]{0,70}", any::<i64>(), 0u64..1 << 63), 0..20),
            behind in prop::option::of(0u64..1 << 40),
        ) {
            let records: Vec<Record> = records
                .into_iter()
                .map(|(key, data, number, arrival, sub)| Record {
                    partition_key: key.into(),
                    data: data.into(),
                    arrival: Timestamp::from_millis(arrival),
                    position: Position {
                        shard: ShardId::new("shard"),
                        sequence: Sequence { number: number.parse().unwrap(), sub },
                    },
                    headers: Default::default(),
                })
                .collect();
            let message = Message::ProcessRecords(Batch {
                records: records.clone(),
                millis_behind_latest: behind,
                ..Batch::default()
            });
            let read = batch(&message.to_json());
            prop_assert_eq!(read.records, records);
            prop_assert_eq!((read.millis_behind_latest, read.rejected.len()), (behind, 0));
        }

        #[test]
        fn no_line_causes_a_panic(
            line in prop::collection::vec(any::<u8>(), 0..60),
            json in "[\\[\\]{}\":,a-z0-9 ]{0,60}",
        ) {
            let _ = parse_message(&line, &shard());
            let _ = parse_message(json.as_bytes(), &shard());
            let _ = parse_reply(json.as_bytes());
        }
    }
}
