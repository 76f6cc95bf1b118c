//! Records of a CloudWatch Logs subscription, split into log events.
//!
//! A subscription filter puts gzip-compressed JSON into a stream: a batch of log events of one log
//! stream (AWS: "Real-time processing of log data with subscriptions"). [`expand`] makes one record
//! of each log event. Call it only for streams of a subscription: any other record is an error
//! here, not an ordinary record.

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::record::{Position, Record, Sequence};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::Read;

/// The payload of a log event's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum LogPayload {
    /// Only the message: for functions that log JSON Lines or access logs. The time of the log
    /// event is not in it.
    #[default]
    Message,
    /// A JSON object `{"id", "timestamp", "message", "logGroup", "logStream", "owner"}`, with the
    /// timestamp in milliseconds since the epoch: for messages without a time.
    Event,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogBatch<'a> {
    #[serde(borrow)]
    message_type: Cow<'a, str>,
    #[serde(borrow, default)]
    owner: Cow<'a, str>,
    #[serde(borrow, default)]
    log_group: Cow<'a, str>,
    #[serde(borrow, default)]
    log_stream: Cow<'a, str>,
    #[serde(borrow, default)]
    log_events: Vec<LogEvent<'a>>,
}

#[derive(Deserialize)]
struct LogEvent<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    timestamp: i64,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    id: &'a str,
    timestamp: i64,
    message: &'a str,
    log_group: &'a str,
    log_stream: &'a str,
    owner: &'a str,
}

/// Appends a record for every log event of `record`, and returns their number. It is 0 for a
/// control message, by which CloudWatch Logs checks that the stream can be reached.
///
/// The records have the log stream's name as partition key, the arrival time, shard and sequence
/// number of `record`, and the index of the log event as sub-sequence number.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if the payload is not gzip or not a subscription's JSON;
/// [`ErrorKind::LimitExceeded`] if it decompresses to more than [`Limits::record_bytes_max`].
/// Nothing is appended then.
pub fn expand(
    record: &Record,
    payload: LogPayload,
    limits: &Limits,
    records: &mut Vec<Record>,
) -> Result<usize, Error> {
    let at = |error: Error| {
        error.at(format_args!("{}:{}", record.position.shard, record.position.sequence.number))
    };
    let json = decompress(&record.data, limits.record_bytes_max).map_err(at)?;
    let batch: LogBatch<'_> = serde_json::from_slice(&json).map_err(|error| {
        at(Error::new(
            ErrorKind::Corrupt,
            "the payload is not JSON of a CloudWatch Logs subscription",
        )
        .with_source(error))
    })?;
    match batch.message_type.as_ref() {
        "DATA_MESSAGE" => {}
        "CONTROL_MESSAGE" => return Ok(0),
        other => {
            let shown = crate::adapter::transport::json::excerpt(other, 40);
            let message =
                format!("messageType is {shown:?} and neither DATA_MESSAGE nor CONTROL_MESSAGE");
            return Err(at(Error::new(ErrorKind::Corrupt, message)));
        }
    }
    let partition_key = Bytes::copy_from_slice(batch.log_stream.as_bytes());
    let events = batch.log_events.len();
    for (sub, event) in batch.log_events.iter().enumerate() {
        let data = match payload {
            LogPayload::Message => Bytes::copy_from_slice(event.message.as_bytes()),
            LogPayload::Event => event_json(&batch, event)?,
        };
        records.push(Record {
            partition_key: partition_key.clone(),
            data,
            arrival: record.arrival,
            position: Position {
                shard: record.position.shard.clone(),
                sequence: Sequence {
                    number: record.position.sequence.number.clone(),
                    sub: sub as u64,
                },
            },
            headers: Default::default(),
        });
    }
    Ok(events)
}

fn event_json(batch: &LogBatch<'_>, event: &LogEvent<'_>) -> Result<Bytes, Error> {
    let payload = Payload {
        id: &event.id,
        timestamp: event.timestamp,
        message: &event.message,
        log_group: &batch.log_group,
        log_stream: &batch.log_stream,
        owner: &batch.owner,
    };
    // The value has strings and an integer only; serde_json can always write them.
    let json = serde_json::to_vec(&payload).map_err(|error| {
        Error::new(ErrorKind::InvalidRecord, "cannot write a log event").with_source(error)
    })?;
    Ok(json.into())
}

fn decompress(data: &[u8], bytes_max: usize) -> Result<Vec<u8>, Error> {
    let mut json = Vec::new();
    let mut reader = MultiGzDecoder::new(data).take((bytes_max as u64).saturating_add(1));
    reader.read_to_end(&mut json).map_err(|error| {
        Error::new(
            ErrorKind::Corrupt,
            "the payload is not the gzip of a CloudWatch Logs subscription",
        )
        .with_source(error)
    })?;
    if json.len() > bytes_max {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("the payload decompresses to more than record_bytes_max, {bytes_max} bytes"),
        ));
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ShardId;
    use crate::time::Timestamp;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn record(json: &str) -> Record {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(json.as_bytes()).unwrap();
        Record {
            partition_key: Bytes::from_static(b"random"),
            data: encoder.finish().unwrap().into(),
            arrival: Timestamp::from_millis(1_700_000_000_000),
            position: Position {
                shard: ShardId::new("shardId-000000000001"),
                sequence: Sequence::new(42u64),
            },
            headers: Default::default(),
        }
    }

    // The shape is that of AWS's documented example.
    const BATCH: &str = r#"{"owner":"111111111111","logGroup":"/app","logStream":"s1","subscriptionFilters":["Destination"],
        "messageType":"DATA_MESSAGE","logEvents":[
        {"id":"31953106606966983378809025079804211143289615424298221568","timestamp":1432826855000,"message":"{\"page\":\"/home\"}"},
        {"id":"31953106606966983378809025079804211143289615424298221569","timestamp":1432826855001,"message":"second é\n",
         "extractedFields":{"level":"INFO"}}]}"#;

    #[test]
    fn every_log_event_becomes_a_record() {
        let mut records = Vec::new();
        assert_eq!(
            expand(&record(BATCH), LogPayload::Message, &Limits::default(), &mut records).unwrap(),
            2
        );
        assert_eq!(records[0].data, "{\"page\":\"/home\"}");
        assert_eq!(records[1].data, "second é\n");
        assert_eq!(
            (records[1].partition_key.as_ref(), records[1].position.sequence.sub),
            (&b"s1"[..], 1)
        );
        assert_eq!(records[1].arrival.as_millis(), 1_700_000_000_000);
    }

    #[test]
    fn the_event_form_has_the_time_and_the_group() {
        let mut records = Vec::new();
        expand(&record(BATCH), LogPayload::Event, &Limits::default(), &mut records).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&records[1].data).unwrap();
        assert_eq!(json["timestamp"], 1_432_826_855_001_i64);
        assert_eq!((&json["message"], &json["logGroup"]), (&"second é\n".into(), &"/app".into()));
    }

    #[test]
    fn control_messages_have_no_records() {
        let control = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],
            "logEvents":[{"id":"","timestamp":1432826855000,"message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;
        assert_eq!(
            expand(&record(control), LogPayload::Message, &Limits::default(), &mut Vec::new())
                .unwrap(),
            0
        );
    }

    #[test]
    fn records_of_other_sources_are_refused_with_their_position() {
        let mut plain = record("");
        plain.data = Bytes::from_static(b"{\"page\":1}");
        let mut cut = record(BATCH);
        cut.data.truncate(cut.data.len() - 12);
        let deep =
            format!("{{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":{}", "[".repeat(1_000_000));
        for wrong in [
            plain,
            cut,
            record("{}"),
            record("[]"),
            record(r#"{"messageType":"NEW"}"#),
            record(&deep),
        ] {
            let mut records = Vec::new();
            let error =
                expand(&wrong, LogPayload::Message, &Limits::default(), &mut records).unwrap_err();
            assert_eq!((error.kind(), records.len()), (ErrorKind::Corrupt, 0));
            assert!(error.to_string().starts_with("shardId-000000000001:42: "), "{error}");
        }
    }

    #[test]
    fn a_compression_bomb_stops_at_the_limit() {
        let limits = Limits { record_bytes_max: 1 << 20, ..Limits::default() };
        let bomb = record(&" ".repeat(8 << 20));
        assert!(bomb.data.len() < 100_000);
        let error = expand(&bomb, LogPayload::Message, &limits, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }
}
