//! Parses the bytes of an event: by the fast way if they have Lambda's own form, otherwise by the
//! general way. Explains what is wrong with other bytes.

use super::event::KinesisEvent;
use super::template;
use super::wire::{TOO_MANY, WireEvent};
use crate::adapter::transport::json::{Text, excerpt, utf8};
use crate::error::{Error, ErrorKind};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

impl KinesisEvent {
    /// Reads an event.
    ///
    /// Cost: one pass, under 1 ns a byte. Memory: the decoded payloads, plus under 200 bytes a
    /// record.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if this is not the JSON of a Kinesis event. The message names the index
    /// of the record and the field, if known, or the service of the event: SQS, SNS, S3, DynamoDB
    /// and others send events of the same form. [`ErrorKind::LimitExceeded`] for more than
    /// 100,000 records.
    pub fn from_slice(event: &[u8]) -> Result<Self, Error> {
        // One check of the whole text is several times faster than one check per string.
        KinesisEvent::from_text(
            utf8(event).map_err(|error| error.at("this is not a Kinesis event of Lambda"))?,
        )
    }

    fn from_text(event: &str) -> Result<Self, Error> {
        let read = match template::read(event) {
            Some(event) => event,
            None => {
                serde_json::from_str::<WireEvent>(event)
                    .map_err(|error| unreadable(event, &error.to_string()))?
                    .0
            }
        };
        let is_empty =
            read.records.is_empty() && read.rejected.is_empty() && read.tumbling.is_none();
        let source = match read.stream_arn.as_deref().and_then(foreign_service) {
            None if is_empty => source_of(event),
            service => service.map(str::to_owned),
        };
        match source {
            None => Ok(read),
            Some(source) => Err(foreign(&source, "Records holds no record of a Kinesis stream")),
        }
    }
}

impl<'de> Deserialize<'de> for KinesisEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = <&RawValue>::deserialize(deserializer)?;
        KinesisEvent::from_text(event.get()).map_err(D::Error::custom)
    }
}

/// Returns the error for an event that could not be read. It names the source of the event if there
/// is one.
#[cold]
fn unreadable(event: &str, message: &str) -> Error {
    match (message.contains(TOO_MANY), source_of(event)) {
        (true, _) => Error::new(ErrorKind::LimitExceeded, message),
        (false, Some(source)) => foreign(&source, message),
        (false, None) => Error::new(
            ErrorKind::Parse,
            format!("this is not a Kinesis event of Lambda: {message}"),
        ),
    }
}

#[cold]
fn foreign(source: &str, message: &str) -> Error {
    let source = excerpt(source, 100);
    Error::new(
        ErrorKind::Parse,
        format!("this is not a Kinesis event of Lambda, its source is {source:?}: {message}"),
    )
}

/// Returns the service in an ARN, `arn:PARTITION:SERVICE:...`, unless it is Kinesis.
fn foreign_service(arn: &str) -> Option<&str> {
    let service = arn.strip_prefix("arn:")?.split(':').nth(1)?;
    (service != "kinesis").then_some(service)
}

/// Returns the source that an event without stream records names. Kafka, DocumentDB and queues of
/// MQ write it as `eventSource`, EventBridge as `source`. Pipes of EventBridge send an array of
/// records.
#[cold]
fn source_of(event: &str) -> Option<String> {
    const FIELDS: [(&str, &str); 3] = [
        ("deliveryStreamArn", "aws:firehose"),
        ("awslogs", "aws:logs"),
        ("requestContext", "an HTTP request"),
    ];
    let event = event.trim_start().trim_start_matches('[');
    let fields = serde_json::Deserializer::from_str(event)
        .into_iter::<BTreeMap<String, Text<'_>>>()
        .next()?
        .ok()?;
    let text =
        |name: &str| fields.get(name).and_then(|text| text.required().ok()).map(str::to_owned);
    let by_field = || {
        FIELDS
            .iter()
            .find(|(field, _)| fields.contains_key(*field))
            .map(|(_, source)| (*source).to_owned())
    };
    ["eventSource", "source", "Service"].into_iter().find_map(text).or_else(by_field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use base64_simd::STANDARD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/lambda/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn read(event: &Value) -> KinesisEvent {
        KinesisEvent::from_slice(event.to_string().as_bytes()).unwrap()
    }

    fn good(sequence: &str) -> Value {
        json!({
            "eventID": format!("shardId-000000000003:{sequence}"), "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
            "kinesis": {"partitionKey": "k", "sequenceNumber": sequence, "data": "e30=", "approximateArrivalTimestamp": 1_700_000_000.5}
        })
    }

    /// Returns the valid event of one record, after a change.
    fn changed(change: impl FnOnce(&mut Value)) -> KinesisEvent {
        let mut event = json!({"Records": [good("7"), good("8"), good("9")]});
        change(&mut event["Records"][1]);
        read(&event)
    }

    #[test]
    fn records_agree_with_the_events_json() {
        let bytes = fixture("01-plain-100.json");
        let (event, json): (_, Value) =
            (KinesisEvent::from_slice(&bytes).unwrap(), serde_json::from_slice(&bytes).unwrap());
        assert_eq!((event.records.len(), event.rejected.len(), &event.tumbling), (100, 0, &None));
        assert_eq!(event.stream_arn.as_deref(), json["Records"][0]["eventSourceARN"].as_str());
        for (index, (record, json)) in
            event.records.iter().zip(json["Records"].as_array().unwrap()).enumerate()
        {
            let kinesis = &json["kinesis"];
            assert_eq!(record.partition_key, kinesis["partitionKey"].as_str().unwrap());
            assert_eq!(
                record.data,
                STANDARD.decode_to_vec(kinesis["data"].as_str().unwrap()).unwrap()
            );
            assert_eq!(record.arrival.as_millis(), 1_700_000_000_000 + 7 * index as i64);
            assert_eq!(
                record.position.sequence.number.as_str(),
                kinesis["sequenceNumber"].as_str().unwrap()
            );
            assert_eq!(record.position.shard.as_str(), "shardId-000000000003");
        }
    }

    #[test]
    fn windowed_events_have_their_window_state_and_shard() {
        let first = KinesisEvent::from_slice(&fixture("02-window-first.json")).unwrap();
        let window = first.tumbling.unwrap();
        assert_eq!(
            window.window.to_string(),
            "[2023-11-14T22:12:00.000Z, 2023-11-14T22:14:00.000Z)"
        );
        assert_eq!(
            (window.shard.as_str(), window.is_final, window.is_terminated_early),
            ("shardId-000000000003", false, false)
        );
        assert!(window.state.is_empty());
        let middle = KinesisEvent::from_slice(&fixture("03-window-middle-int-state.json")).unwrap();
        let state: Value =
            serde_json::from_str(middle.tumbling.as_ref().unwrap().state.json()).unwrap();
        assert_eq!((middle.records.len(), state), (20, json!({"/home": 12, "/cart": 3, "_v": 1})));
        let last = KinesisEvent::from_slice(&fixture("04-window-final-empty.json")).unwrap();
        assert_eq!((last.records.len(), last.tumbling.unwrap().is_final), (0, true));
    }

    #[test]
    fn arrival_times_are_exact_and_aggregates_are_split() {
        let mut event =
            KinesisEvent::from_slice(&fixture("05-mixed-kpl-bad-timestamps.json")).unwrap();
        let arrivals: Vec<i64> = event
            .records
            .iter()
            .map(|record| record.arrival.as_millis() - 1_700_000_000_000)
            .collect();
        assert_eq!(arrivals, [500, 50, 1000, 1007, 1470]);
        let counts = event.deaggregate(None);
        assert_eq!((counts.aggregates, counts.records, event.records.len()), (1, 10, 10));
        let subs: Vec<u64> =
            event.records.iter().map(|record| record.position.sequence.sub).collect();
        assert_eq!(subs, [0, 0, 1, 2, 3, 4, 5, 0, 0, 0]);
        assert_eq!(event.records[6].data, "{\"n\":5}");
        assert!(
            event.records[7].data.starts_with(b"\xF3\x89\x9A\xC2"),
            "a tampered aggregate stays whole"
        );
    }

    #[test]
    fn a_record_with_a_wrong_field_is_rejected_alone_and_names_the_field() {
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 16] = [
            (|r| r["kinesis"]["data"] = Value::Null, "kinesis.data is missing or null"),
            (|r| r["kinesis"]["data"] = json!(5), "kinesis.data is a number and not a string"),
            (
                |r| r["kinesis"]["data"] = json!("e30"),
                "kinesis.data \"e30\" is not standard base64",
            ),
            (
                |r| r["kinesis"]["data"] = json!({"a": [1]}),
                "kinesis.data is an object and not a string",
            ),
            (
                |r| r["kinesis"]["partitionKey"] = json!([[]]),
                "kinesis.partitionKey is an array and not a string",
            ),
            (
                |r| r["kinesis"]["partitionKey"] = json!(true),
                "kinesis.partitionKey is a truth value and not a string",
            ),
            (
                |r| r["kinesis"]["sequenceNumber"] = json!(""),
                "kinesis.sequenceNumber: \"\" is not a sequence number",
            ),
            (
                |r| r["kinesis"]["sequenceNumber"] = json!("-8"),
                "kinesis.sequenceNumber: \"-8\" is not a sequence number",
            ),
            (|r| r["kinesis"]["sequenceNumber"] = json!(8), "kinesis.sequenceNumber is a number"),
            (
                |r| r["kinesis"]["approximateArrivalTimestamp"] = json!("1.5"),
                "kinesis.approximateArrivalTimestamp: \"\\\"1.5\\\"\" is not",
            ),
            (
                |r| r["kinesis"]["approximateArrivalTimestamp"] = json!(1e300),
                "kinesis.approximateArrivalTimestamp: 1e+300 seconds",
            ),
            (|r| r["kinesis"] = Value::Null, "kinesis.sequenceNumber is missing or null"),
            (
                |r| *r = json!({"eventSource": "aws:kinesis"}),
                "kinesis.sequenceNumber is missing or null",
            ),
            (|r| r["eventID"] = Value::Null, "eventID is missing or null"),
            (|r| r["eventID"] = json!("4965"), "eventID \"4965\" is not a shard and"),
            (|r| r["eventID"] = json!(":4965"), "eventID \":4965\" is not a shard and"),
        ];
        for (change, expected) in changes {
            let event = changed(change);
            let numbers: Vec<&str> = event
                .records
                .iter()
                .map(|record| record.position.sequence.number.as_str())
                .collect();
            assert_eq!(numbers, ["7", "9"], "{expected}");
            let rejected = &event.rejected[0];
            assert_eq!(
                (rejected.index, rejected.records_before, rejected.error.kind()),
                (1, 1, rejected.error.kind())
            );
            assert!(
                rejected.error.to_string().starts_with(&format!("Records[1]: {expected}")),
                "{}",
                rejected.error
            );
            assert_eq!(
                rejected.sequence.is_none(),
                expected.starts_with("kinesis.sequenceNumber"),
                "{expected}"
            );
            let is_named = !expected.starts_with("eventID")
                && rejected.error.kind() == ErrorKind::Parse
                && !rejected.data.is_empty();
            assert!(
                !is_named
                    || rejected
                        .shard
                        .as_ref()
                        .is_some_and(|shard| shard.as_str() == "shardId-000000000003"),
                "{expected}"
            );
            assert!(event.rejected[0].error.to_string().contains(expected));
        }
        assert_eq!(changed(|r| r["kinesis"]["data"] = json!("!")).rejected[0].data, "!");
        assert_eq!(changed(|r| r["eventID"] = Value::Null).rejected[0].data, "{}");
    }

    #[test]
    fn input_that_is_not_an_event_is_an_error() {
        for (event, expected) in [
            ("", "EOF while parsing"),
            ("{\"Records\":[],\"x\":\"\u{fffd}\"", "EOF while parsing"),
            ("null", "invalid type: null, expected a Kinesis event"),
            ("[]", "expected a Kinesis event"),
            ("{}", "Records is missing or null: is the function invoked by"),
            (r#"{"Records":null}"#, "Records is missing or null"),
            (r#"{"Records":5}"#, "expected an array of records in the field Records"),
            (
                r#"{"Records":[{"kinesis":{}},7]}"#,
                "Records[1]: invalid type: integer `7`, expected a record",
            ),
            (r#"{"Records":[null]}"#, "Records[0]: invalid type: null, expected a record"),
            (
                r#"{"Records":[{"kinesis":[]}]}"#,
                "Records[0]: invalid type: sequence, expected an object in the field kinesis",
            ),
            (r#"{"Records":[{"kinesis":{"data":"\ud800"}}]}"#, "Records[0]: "),
            (r#"{"Records":[{"x":"#, "Records[0]: EOF"),
            (r#"{"Records":[{"eventID":"s:1"}]}"#, "Records[0]: there is no field kinesis"),
            (
                r#"{"Records":[],"window":{"start":"2023-11-14T22:12:00Z"},"shardId":"s"}"#,
                "window.end is missing or null",
            ),
            (
                r#"{"Records":[],"window":{"start":"x","end":"y"},"shardId":"s"}"#,
                "window.start \"x\" is not a time such as",
            ),
            (
                r#"{"Records":[],"window":{"start":"2023-11-14T22:12:00Z","end":"2023-11-14T22:12:00Z"},"shardId":"s"}"#,
                "not before it",
            ),
            (
                r#"{"Records":[],"window":{"start":"2023-11-14T22:12:00Z","end":"2023-11-14T22:13:00Z"}}"#,
                "shardId is missing or null",
            ),
            (r#"{"Records":[],"window":5}"#, "window: invalid type"),
            (
                r#"{"Records":[],"isFinalInvokeForWindow":"yes"}"#,
                "isFinalInvokeForWindow: invalid type",
            ),
            (r#"{"Records":[]} x"#, "trailing characters"),
        ] {
            let error = KinesisEvent::from_slice(event.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parse, "{event}");
            assert!(error.to_string().contains(expected), "{event}: {error}");
        }
    }

    #[test]
    fn s65_an_event_of_another_service_is_an_error_that_names_it() {
        let kinesis = good("7").to_string();
        for (event, source) in [
            (r#"{"Records":[{"eventSource":"aws:sqs","body":"{}","messageId":"m"}]}"#, "aws:sqs"),
            (
                r#"{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Message":"{}"}}]}"#,
                "aws:sns",
            ),
            (r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","s3":{}}]}"#, "aws:s3"),
            (
                r#"{"Records":[{"eventID":"1","eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"7"}}]}"#,
                "aws:dynamodb",
            ),
            (
                r#"{"Records":[{"kinesis":{"sequenceNumber":"7"},"eventSource":"aws:kinesis2"}]}"#,
                "aws:kinesis2",
            ),
            (
                &format!(r#"{{"Records":[{kinesis},{{"eventSource":"aws:sqs"}},{kinesis}]}}"#),
                "aws:sqs",
            ),
            (
                r#"{"Records":[{"kinesis":{},"eventSourceARN":"arn:aws-cn:dynamodb:r:1:table/t/stream/2020"}]}"#,
                "dynamodb",
            ),
            (
                r#"{"Records":[],"window":{"start":"2023-11-14T22:12:00Z","end":"2023-11-14T22:14:00Z"},"state":{},"shardId":"s",
                   "eventSourceARN":"arn:aws:dynamodb:r:1:table/t/stream/2020","isFinalInvokeForWindow":true}"#,
                "dynamodb",
            ),
            (
                r#"{"invocationId":"i","deliveryStreamArn":"arn:aws:firehose:r:1:deliverystream/d","records":[]}"#,
                "aws:firehose",
            ),
            (r#"{"eventSource":"aws:kafka","records":{"t-0":[{"value":"e30="}]}}"#, "aws:kafka"),
            (r#"{"eventSource":"aws:docdb","events":[]}"#, "aws:docdb"),
            (
                r#"{"version":"0","detail-type":"Object Created","source":"aws.s3","detail":{}}"#,
                "aws.s3",
            ),
            (r#"{"Records":[],"source":"aws.events"}"#, "aws.events"),
            (r#"{"awslogs":{"data":"H4sI"}}"#, "aws:logs"),
            (r#"{"version":"2.0","requestContext":{},"body":"{}"}"#, "an HTTP request"),
            (r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#, "Amazon S3"),
            (
                r#" [{"eventSource":"aws:kinesis","data":"e30=","sequenceNumber":"7"}]"#,
                "aws:kinesis",
            ),
        ] {
            let error = KinesisEvent::from_slice(event.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parse, "{event}");
            let text = error.to_string();
            assert!(
                text.starts_with("this is not a Kinesis event of Lambda")
                    && text.contains(&format!("{source:?}")),
                "{event}: {error}"
            );
        }
        assert_eq!(
            KinesisEvent::from_slice(br#"{"Records":[]}"#).unwrap().records.len(),
            0,
            "an empty input loses nothing"
        );
    }

    #[test]
    fn a_record_without_an_arrival_time_is_a_record() {
        for missing in [Value::Null, json!({})] {
            let event = changed(|record| match missing.is_null() {
                true => record["kinesis"]["approximateArrivalTimestamp"] = Value::Null,
                false => drop(
                    record["kinesis"]
                        .as_object_mut()
                        .unwrap()
                        .remove("approximateArrivalTimestamp"),
                ),
            });
            let known: Vec<bool> = event.records.iter().map(Record::is_arrival_known).collect();
            assert_eq!((known, event.rejected.len()), (vec![true, false, true], 0));
        }
    }

    #[test]
    fn hostile_events_are_refused_or_skipped_without_deep_recursion() {
        let deep = "[".repeat(1_000_000);
        for event in [
            deep.clone(),
            format!(r#"{{"Records":{deep}"#),
            format!(r#"{{"Records":[{{"kinesis":{{"data":{deep}"#),
            format!(r#"{{"Records":[{{"kinesis":{{"approximateArrivalTimestamp":{deep}"#),
            format!(r#"{{"Records":[],"state":{deep}"#),
            format!(r#"{{"x":{deep}"#),
            format!(r#"{{"x":{}"#, "{\"x\":".repeat(1_000_000)),
        ] {
            assert_eq!(
                KinesisEvent::from_slice(event.as_bytes()).unwrap_err().kind(),
                ErrorKind::Parse
            );
        }
        let closed = format!(r#"{{"x":{deep}{},"Records":[]}}"#, "]".repeat(1_000_000));
        assert_eq!(KinesisEvent::from_slice(closed.as_bytes()).unwrap().records.len(), 0);
        let huge = format!(
            r#"{{"Records":[{{"kinesis":{{"sequenceNumber":"7","approximateArrivalTimestamp":{}}}}}]}}"#,
            "9".repeat(1_000_000)
        );
        let error =
            KinesisEvent::from_slice(huge.as_bytes()).unwrap().rejected[0].error.to_string();
        assert!(error.len() < 300, "{error}");
        let many = format!(
            r#"{{"Records":[{}{{"kinesis":{{}}}}]}}"#,
            "{\"kinesis\":{}},".repeat(super::super::wire::EVENT_RECORDS_MAX)
        );
        assert_eq!(
            KinesisEvent::from_slice(many.as_bytes()).unwrap_err().kind(),
            ErrorKind::LimitExceeded
        );
    }

    #[test]
    fn places_of_rejected_records_follow_the_splitting_of_aggregates() {
        let aggregate = STANDARD.encode_to_string(hex(
            "f3899ac20a0575736572300a0575736572310a0575736572321a0b08001a077b226e223a307d1a0b08011a077b226e223a317d1a0b08021a077b226e223a327d428cf93291eb1edaa645867334281748",
        ));
        let mut records = vec![good("1"), good("2"), good("3"), good("4")];
        records[0]["kinesis"]["data"] = json!(aggregate);
        records[1]["kinesis"]["data"] = Value::Null;
        records[3]["kinesis"]["data"] = Value::Null;
        let mut event = read(&json!({ "Records": records }));
        event.deaggregate(None);
        let places: Vec<(usize, usize)> = event
            .rejected
            .iter()
            .map(|rejected| (rejected.index, rejected.records_before))
            .collect();
        assert_eq!((event.records.len(), places), (4, vec![(1, 3), (3, 4)]));
    }

    fn hex(digits: &str) -> Vec<u8> {
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect()
    }

    proptest! {
        #[test]
        fn any_record_is_read_back(
            key in ".{0,20}",
            data in prop::collection::vec(any::<u8>(), 0..200),
            sequence in "[1-9][0-9]{0,128}",
            millis in 0i64..4_000_000_000_000,
        ) {
            let mut record = good(&sequence);
            record["kinesis"]["partitionKey"] = json!(key);
            record["kinesis"]["data"] = json!(STANDARD.encode_to_string(&data));
            record["kinesis"]["approximateArrivalTimestamp"] = json!(millis as f64 / 1000.0);
            let event = read(&json!({"Records": [record]}));
            let record = &event.records[0];
            prop_assert_eq!(&record.partition_key[..], key.as_bytes());
            prop_assert_eq!(&record.data[..], &data[..]);
            prop_assert_eq!(record.arrival.as_millis(), millis);
            prop_assert_eq!(record.position.sequence.number.as_str(), &sequence);
        }
    }
}
