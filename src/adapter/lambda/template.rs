//! The fast way through an event, for records that look like the one before.
//!
//! Lambda writes 630 bytes for a record of 80 bytes. Only five values differ from one record to the
//! next; names, order and all other values are the same bytes. So the first record is parsed as
//! JSON, and the ranges of its five values are kept as a [`RecordTemplate`]. If the bytes of the next
//! record between these values equal the template's, it is read by comparing them, several times
//! faster than by parsing. Any other record is parsed and becomes the template. An event of another
//! form takes the general way.
//! the general way.
//! The result is that of the general way: equal bytes at the same point of valid JSON mean the
//! same, and the values are checked.

use super::KinesisEvent;
use super::timestamp::parse_seconds;
use super::wire::{EVENT_RECORDS_MAX, EventRecords, WireEvent, WireRecord};
use crate::adapter::transport::json::Text;
use crate::record::{Position, Record, Sequence, SequenceNumber};
use serde_json::Deserializer;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;

const START: &str = "{\"Records\":[";

/// Returns the event if it begins as Lambda writes it and is valid. `None` sends it to the general
/// way, which also explains what is wrong.
pub(super) fn read(event: &str) -> Option<KinesisEvent> {
    let mut rest = event;
    for token in ["{", "\"Records\"", ":", "["] {
        rest = trim(rest).strip_prefix(token)?;
    }
    let mut batch = EventRecords::default();
    let mut template: Option<RecordTemplate<'_>> = None;
    for index in 0.. {
        let trimmed = trim(rest);
        if index == 0 && trimmed.starts_with(']') {
            rest = trimmed;
            break;
        }
        if index == EVENT_RECORDS_MAX {
            return None;
        }
        let matched = template.as_ref().and_then(|template| template.read(trimmed, &mut batch));
        let length = match matched {
            Some((record, length)) => {
                batch.records.push(record);
                length
            }
            None => {
                let mut records = Deserializer::from_str(trimmed).into_iter::<WireRecord<'_>>();
                let wire = records.next()?.ok()?;
                let length = records.byte_offset();
                template = RecordTemplate::new(&trimmed[..length], &wire);
                batch.push(index, wire);
                length
            }
        };
        let after = trim(&trimmed[length..]);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                rest = after;
                break;
            }
        }
    }
    // The event without its records is an event too.
    let envelope = format!("{START}]{}", rest.strip_prefix(']')?);
    let WireEvent(mut event) = serde_json::from_str(&envelope).ok()?;
    if !event.records.is_empty() || !event.rejected.is_empty() {
        // The field `Records` occurs twice. The general way uses the last one.
        return None;
    }
    event.records = batch.records;
    event.rejected = batch.rejected;
    event.stream_arn = event.stream_arn.or(batch.arn);
    Some(event)
}

/// Returns the text without leading white space of JSON.
fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    PartitionKey,
    Sequence,
    Data,
    Arrival,
    EventId,
}

/// A record, and the ranges of its values.
struct RecordTemplate<'a> {
    record: &'a str,
    /// In the order of their ranges, which do not overlap.
    slots: [(Range<usize>, Slot); 5],
}

impl<'a> RecordTemplate<'a> {
    /// Returns the template of a record. Returns `None` if one of its values is missing or has
    /// escapes.
    fn new(record: &'a str, wire: &WireRecord<'_>) -> Option<Self> {
        let place = |value: &str| {
            let start = (value.as_ptr() as usize).checked_sub(record.as_ptr() as usize)?;
            let end = start.checked_add(value.len())?;
            (record.get(start..end)? == value).then_some(start..end)
        };
        let text = |text: &Text<'_>| match text {
            Text::Present(Cow::Borrowed(value)) => place(value),
            _ => None,
        };
        let mut slots = [
            (text(&wire.partition_key)?, Slot::PartitionKey),
            (text(&wire.sequence)?, Slot::Sequence),
            (text(&wire.data)?, Slot::Data),
            (place(wire.arrival.map(RawValue::get)?)?, Slot::Arrival),
            (text(&wire.event_id)?, Slot::EventId),
        ];
        slots.sort_by_key(|(range, _)| range.start);
        let in_order = slots.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start);
        in_order.then_some(RecordTemplate { record, slots })
    }

    /// Returns the record at the beginning of `text`, and its length. Returns `None` if it does not
    /// look like the template or a value is not valid.
    fn read(&self, text: &str, batch: &mut EventRecords) -> Option<(Record, usize)> {
        let (mut at, mut constant) = (0, 0);
        let mut values = [""; 5];
        for (range, slot) in &self.slots {
            let rest = text.get(at..)?.strip_prefix(&self.record[constant..range.start])?;
            let start = text.len() - rest.len();
            let length = match slot {
                Slot::Arrival => number_length(rest)?,
                _ => memchr::memchr(b'"', rest.as_bytes())?,
            };
            values[*slot as usize] = &rest[..length];
            (at, constant) = (start + length, range.end);
        }
        let rest = text.get(at..)?.strip_prefix(&self.record[constant..])?;
        let [partition_key, digits, data, arrival, event_id] = values;
        // The other values are checked by their own rules: digits, base64, the name of the shard.
        if partition_key.bytes().any(|byte| byte == b'\\' || byte < 0x20) {
            return None;
        }
        let number: SequenceNumber = digits.parse().ok()?;
        let position = Position {
            shard: batch.known_shard(event_id, digits)?,
            sequence: Sequence { number, sub: 0 },
        };
        let record = batch.record(partition_key, data, parse_seconds(arrival).ok()?, position)?;
        Some((record, text.len() - rest.len()))
    }
}

/// Returns the length of a positive JSON number that ends before a comma, a brace or a space.
fn number_length(text: &str) -> Option<usize> {
    let length = text
        .bytes()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))?;
    // A leading zero must not precede other digits. `parse_seconds` checks the rest.
    matches!(text.as_bytes()[0], b'1'..=b'9').then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64_simd::STANDARD;
    use proptest::prelude::*;

    /// The parts of an event on which both ways must agree.
    fn shown(event: &KinesisEvent) -> String {
        let rejected: Vec<String> = event
            .rejected
            .iter()
            .map(|rejected| {
                format!(
                    "{} {} {:?} {:?} {}",
                    rejected.index,
                    rejected.records_before,
                    rejected.sequence,
                    rejected.data,
                    rejected.error
                )
            })
            .collect();
        format!("{:?} {rejected:?} {:?} {:?}", event.records, event.stream_arn, event.tumbling)
    }

    fn general(event: &str) -> Result<String, String> {
        serde_json::from_str::<WireEvent>(event)
            .map(|event| shown(&event.0))
            .map_err(|error| error.to_string())
    }

    /// Returns a record as Lambda writes it, with its fields in one of several orders.
    fn record(
        order: bool,
        key: &str,
        digits: &str,
        data: &str,
        arrival: &str,
        event_id: &str,
    ) -> String {
        let kinesis = match order {
            true => format!(
                r#""kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"{key}","sequenceNumber":"{digits}","data":"{data}","approximateArrivalTimestamp":{arrival}}}"#
            ),
            false => format!(
                r#""kinesis": {{ "approximateArrivalTimestamp":{arrival} , "data":"{data}", "sequenceNumber":"{digits}","partitionKey":"{key}" }}"#
            ),
        };
        match order {
            true => format!(
                r#"{{{kinesis},"eventSource":"aws:kinesis","eventID":"{event_id}","eventSourceARN":"arn"}}"#
            ),
            false => format!(r#"{{"eventID":"{event_id}","awsRegion":"us-east-1", {kinesis} }}"#),
        }
    }

    #[test]
    fn records_like_the_one_before_are_read_by_comparison() {
        let records = [
            record(true, "k", "7", "e30=", "1700000000.007", "s:7"),
            record(true, "key", "18", "", "1.7E9", "s:18"),
        ];
        let wire: WireRecord<'_> = serde_json::from_str(&records[0]).unwrap();
        let template = RecordTemplate::new(&records[0], &wire).unwrap();
        let mut batch = EventRecords::default();
        batch.push(0, wire);
        let (second, length) = template.read(&format!("{},...", records[1]), &mut batch).unwrap();
        assert_eq!(length, records[1].len());
        assert_eq!(
            (&second.partition_key[..], second.data.len(), second.arrival.as_millis()),
            (&b"key"[..], 0, 1_700_000_000_000)
        );
        for unlike in [
            record(false, "k", "7", "e30=", "1700000000.007", "s:7"),
            record(true, "a\\\"b", "7", "e30=", "1700000000.007", "s:7"),
            record(true, "a\nb", "7", "e30=", "1700000000.007", "s:7"),
            record(true, "k", "7x", "e30=", "1700000000.007", "s:7x"),
            record(true, "k", "7", "e30", "1700000000.007", "s:7"),
            record(true, "k", "7", "e30=", "01700000000.007", "s:7"),
            record(true, "k", "7", "e30=", "1700000000.", "s:7"),
            record(true, "k", "7", "e30=", "1700000000.007", "t:7"),
            record(true, "k", "7", "e30=", "1700000000.007", "s:8"),
        ] {
            assert!(template.read(&unlike, &mut batch).is_none(), "{unlike}");
        }
    }

    #[test]
    fn events_that_are_not_valid_go_the_general_way() {
        let good = record(true, "k", "7", "e30=", "1700000000.007", "s:7");
        for event in [
            String::new(),
            "{}".to_owned(),
            r#"{"Records":null}"#.to_owned(),
            r#"{"Records":[,]}"#.to_owned(),
            format!(r#"{{"Records":[{good},]}}"#),
            format!(r#"{{"Records":[{good}{good}]}}"#),
            format!(r#"{{"Records":[{good}"#),
            format!(r#"{{"Records":[{good}]"#),
            format!(r#"{{"Records":[{good}]}}}}"#),
            format!(r#"{{"Records":[{good}],"Records":[{good}]}}"#),
        ] {
            assert!(read(&event).is_none(), "{event}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_and_the_general_way_agree(
            records in prop::collection::vec(
                (any::<bool>(), "[a-zé]{0,40}|[ -~\n\
                                 ]{0,9}", "[0-9]{1,60}|x", prop::collection::vec(any::<u8>(), 0..60), "[1-9][0-9]{0,9}(\\.[0-9]{1,4})?|[-0-9.eE]{1,8}|null", 0u8..20),
                0..8,
            ),
            tail in prop::sample::select(vec!["}", " , \"x\":[] \
                                                    }", "", ",\"eventSourceARN\":\"a\",\"shardId\":\"s\",\"window\":{\"start\":\"2023-11-14T22:12:00Z\",\"end\":\"2023-11-14T22:14:00Z\"}}"]),
            space in prop::sample::select(vec!["", " ", "\n ", "\u{c}"]),
        ) {
            let texts: Vec<String> = records.iter().map(|(order, key, digits, data, arrival, odd)| {
                let data = if *odd == 0 { "?".to_owned() } else { STANDARD.encode_to_string(data) };
                let event_id = if *odd == 1 { "t:1".to_owned() } else { format!("shard:{digits}") };
                record(*order || *odd > 4, key, digits, &data, arrival, &event_id)
            }).collect();
            let event = format!("{space}{{{space}\"Records\"{space}:{space}[{space}{}{space}]{tail}", texts.join(&format!("{space},{space}")));
            match (read(&event), general(&event)) {
                (Some(fast), general) => prop_assert_eq!(Ok(shown(&fast)), general),
                // The fast way declines only what the general way rejects here.
                (None, general) => prop_assert!(general.is_err(), "{}", event),
            }
        }
    }
}
