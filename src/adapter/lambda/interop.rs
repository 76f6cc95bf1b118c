//! Conversions from and to the events of the crate `aws_lambda_events`, for programs that already
//! use those types.
//!
//! The detour through that crate costs its own parse and its errors in arrival times: version 1.2.1
//! reads some of them wrong by up to a second, and refuses AWS's documented window event with
//! numbers in its state, and events of Kafka with a record that has no timestamp.
//! [`KinesisEvent::from_slice`] and [`KafkaEvent::from_slice`] read the bytes correctly.

use super::wire::rejection;
use super::{KafkaEvent, KafkaPartition, KinesisEvent, State, TumblingWindow};
use crate::adapter::Rejected;
use crate::error::{Error, ErrorKind};
use crate::record::{Position, Record, Sequence, ShardId};
use crate::time::Timestamp;
use crate::window::Window;
use aws_lambda_events::event::kafka::{KafkaEvent as AwsKafkaEvent, KafkaRecord};
use aws_lambda_events::event::kinesis::{self as aws, KinesisTimeWindowEvent};
use base64_simd::STANDARD;
use bytes::Bytes;
use chrono::DateTime;
use std::collections::BTreeMap;

/// A record without an event id or a sequence number is [rejected](KinesisEvent::rejected).
impl From<aws::KinesisEvent> for KinesisEvent {
    fn from(event: aws::KinesisEvent) -> Self {
        let mut converted = KinesisEvent::default();
        for (index, record) in event.records.into_iter().enumerate() {
            if converted.stream_arn.is_none() {
                converted.stream_arn = record.event_source_arn.as_deref().map(Into::into);
            }
            let (event_id, number) = (
                record.event_id.clone().unwrap_or_default(),
                record.kinesis.sequence_number.clone(),
            );
            let data = Bytes::from(record.kinesis.data.0.clone());
            match read(record) {
                Ok(record) => converted.records.push(record),
                Err(error) => converted.rejected.push(rejection(
                    (index, converted.records.len()),
                    (&event_id, &number),
                    data,
                    error,
                )),
            }
        }
        converted
    }
}

fn read(record: aws::KinesisEventRecord) -> Result<Record, Error> {
    let number = record
        .kinesis
        .sequence_number
        .parse()
        .map_err(|error: Error| error.at("kinesis.sequenceNumber"))?;
    let event_id = record.event_id.unwrap_or_default();
    let shard = super::wire::shard_name(&event_id)?;
    Ok(Record {
        partition_key: record.kinesis.partition_key.into(),
        data: record.kinesis.data.0.into(),
        arrival: Timestamp::from_millis(
            record.kinesis.approximate_arrival_timestamp.timestamp_millis(),
        ),
        position: Position { shard: ShardId::new(shard), sequence: Sequence { number, sub: 0 } },
        headers: Default::default(),
    })
}

/// # Errors
/// [`ErrorKind::Parse`] if the event has no shard id, or its window ends before it starts.
impl TryFrom<KinesisTimeWindowEvent> for KinesisEvent {
    type Error = Error;

    fn try_from(event: KinesisTimeWindowEvent) -> Result<Self, Error> {
        let properties = event.time_window_properties;
        let mut converted = KinesisEvent::from(event.kinesis_event);
        let (start, end) =
            (properties.window.start.timestamp_millis(), properties.window.end.timestamp_millis());
        if start >= end {
            return Err(Error::new(
                ErrorKind::Parse,
                format!("the window ends at {end} and starts at {start}, not before it"),
            ));
        }
        let shard = properties
            .shard_id
            .ok_or_else(|| Error::new(ErrorKind::Parse, "shardId is missing or null"))?;
        converted.stream_arn = properties.event_source_arn.map(Into::into).or(converted.stream_arn);
        converted.tumbling = Some(TumblingWindow {
            window: Window::new(Timestamp::from_millis(start), Timestamp::from_millis(end)),
            state: State::from_fields(&properties.state.into_iter().collect::<BTreeMap<_, _>>()),
            shard: ShardId::new(shard),
            is_final: properties.is_final_invoke_for_window,
            is_terminated_early: properties.is_window_terminated_early,
        });
        Ok(converted)
    }
}

/// Converts the records of the event as far as that crate's type can hold them: user records of an
/// aggregated record lose their sub-sequence numbers, keys that are not UTF-8 are replaced, and
/// rejected records are left out.
///
/// # Errors
/// [`ErrorKind::TimeOutOfRange`] if an arrival time is outside of chrono's range, about 262,000
/// years.
impl TryFrom<&KinesisEvent> for aws::KinesisEvent {
    type Error = Error;

    fn try_from(event: &KinesisEvent) -> Result<Self, Error> {
        let mut converted = aws::KinesisEvent::default();
        for record in &event.records {
            let arrival =
                DateTime::from_timestamp_millis(record.arrival.as_millis()).ok_or_else(|| {
                    Error::new(
                        ErrorKind::TimeOutOfRange,
                        format!("{} is outside of chrono's range", record.arrival),
                    )
                })?;
            let Position { shard, sequence } = &record.position;
            let mut out = aws::KinesisEventRecord::default();
            out.event_id = Some(format!("{shard}:{}", sequence.number));
            out.event_name = Some("aws:kinesis:record".to_owned());
            out.event_source = Some("aws:kinesis".to_owned());
            out.event_source_arn = event.stream_arn.as_deref().map(str::to_owned);
            out.event_version = Some("1.0".to_owned());
            out.kinesis.approximate_arrival_timestamp.0 = arrival;
            out.kinesis.data.0 = record.data.to_vec();
            out.kinesis.partition_key = String::from_utf8_lossy(&record.partition_key).into_owned();
            out.kinesis.sequence_number = sequence.number.to_string();
            out.kinesis.kinesis_schema_version = Some("1.0".to_owned());
            converted.records.push(out);
        }
        Ok(converted)
    }
}

/// The partitions are in the order of their names, because that crate's type has lost the order of
/// the event. A record with a negative offset, or a key or value that is not base64, is
/// [rejected](KafkaPartition::rejected).
impl From<AwsKafkaEvent> for KafkaEvent {
    fn from(event: AwsKafkaEvent) -> Self {
        let partitions: BTreeMap<_, _> = event.records.into_iter().collect();
        let convert = |(name, records): (String, Vec<KafkaRecord>)| {
            let mut partition = KafkaPartition::new(ShardId::new(name));
            for (index, record) in records.into_iter().enumerate() {
                if record.value.is_none() {
                    partition.tombstones += 1;
                    continue;
                }
                let headers = serde_json::to_string(&record.headers).unwrap_or_default();
                let (offset, arrival) = (record.offset, kafka_arrival(&record));
                match read_kafka(partition.name.clone(), record) {
                    Ok(record) => {
                        partition.records.push(record);
                        partition.push_headers(&headers);
                    }
                    Err(error) => partition.rejected.push(Rejected {
                        index,
                        records_before: partition.records.len(),
                        shard: Some(partition.name.clone()),
                        sequence: u64::try_from(offset).ok().map(Sequence::new),
                        arrival: Some(arrival),
                        data: Bytes::new(),
                        error: error.at(format_args!("records[{:?}][{index}]", partition.name)),
                    }),
                }
            }
            partition
        };
        KafkaEvent {
            partitions: partitions.into_iter().map(convert).collect(),
            cluster_arn: event.event_source_arn.map(Into::into),
        }
    }
}

fn kafka_arrival(record: &KafkaRecord) -> Timestamp {
    match record.timestamp.timestamp_millis() {
        millis @ 0.. => Timestamp::from_millis(millis),
        _ => Record::ARRIVAL_UNKNOWN,
    }
}

fn read_kafka(shard: ShardId, record: KafkaRecord) -> Result<Record, Error> {
    let arrival = kafka_arrival(&record);
    let decode = |field: &str, text: Option<String>| {
        let bytes = STANDARD.decode_to_vec(text.unwrap_or_default());
        bytes
            .map(Bytes::from)
            .map_err(|_| Error::new(ErrorKind::Parse, format!("{field} is not standard base64")))
    };
    let offset = u64::try_from(record.offset)
        .map_err(|_| Error::new(ErrorKind::Parse, "offset is negative"))?;
    Ok(Record {
        partition_key: decode("key", record.key)?,
        data: decode("value", record.value)?,
        arrival,
        position: Position { shard, sequence: Sequence::new(offset) },
        headers: Default::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/lambda/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn records_survive_both_conversions() {
        let event = KinesisEvent::from_slice(&fixture("01-plain-100.json")).unwrap();
        let theirs = aws::KinesisEvent::try_from(&event).unwrap();
        let back = KinesisEvent::from(theirs);
        assert_eq!(back.records, event.records);
        assert_eq!(back.stream_arn, event.stream_arn);
    }

    #[test]
    fn the_other_crates_events_agree_except_for_times() {
        let bytes = fixture("02-window-first.json");
        let ours = KinesisEvent::from_slice(&bytes).unwrap();
        let theirs: KinesisTimeWindowEvent = serde_json::from_slice(&bytes).unwrap();
        let mut converted = KinesisEvent::try_from(theirs).unwrap();
        converted
            .records
            .iter_mut()
            .zip(&ours.records)
            .for_each(|(theirs, ours)| theirs.arrival = ours.arrival);
        assert_eq!(converted.records, ours.records);
        assert_eq!(converted.tumbling, ours.tumbling);
    }

    #[test]
    fn a_kafka_event_of_the_other_crate_is_the_event() {
        // That crate refuses an event with a record that has no timestamp.
        let text = String::from_utf8(fixture("06-kafka.json")).unwrap();
        let bytes = text.replace(r#""timestamp":-1"#, r#""timestamp":0"#).into_bytes();
        let ours = KafkaEvent::from_slice(&bytes).unwrap();
        let theirs: AwsKafkaEvent = serde_json::from_slice(&bytes).unwrap();
        let mut converted = KafkaEvent::from(theirs);
        converted.partitions.sort_by(|a, b| b.name.cmp(&a.name));
        assert_eq!(converted.cluster_arn, ours.cluster_arn);
        assert_eq!(converted.partitions.len(), ours.partitions.len());
        for (theirs, ours) in converted.partitions.iter_mut().zip(&ours.partitions) {
            // That crate reads some timestamps wrong by a millisecond.
            for (theirs, ours) in theirs.records.iter_mut().zip(&ours.records) {
                theirs.arrival = ours.arrival;
            }
            assert_eq!((&theirs.name, &theirs.records), (&ours.name, &ours.records));
            for index in 0..ours.records.len() {
                assert_eq!(theirs.headers(index).unwrap(), ours.headers(index).unwrap());
            }
            let places = |partition: &KafkaPartition| -> Vec<_> {
                let rejected = partition.rejected.iter();
                rejected.map(|rejected| (rejected.index, rejected.records_before)).collect()
            };
            assert_eq!(places(theirs), places(ours));
        }
    }

    #[test]
    fn a_record_without_its_id_is_rejected() {
        let mut event = aws::KinesisEvent::default();
        event.records.push(aws::KinesisEventRecord::default());
        let converted = KinesisEvent::from(event);
        assert_eq!(converted.records.len(), 0);
        assert!(
            converted.rejected[0]
                .error
                .to_string()
                .starts_with("Records[0]: kinesis.sequenceNumber")
        );
    }
}
