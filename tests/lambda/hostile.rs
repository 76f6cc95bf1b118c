//! Unexpected events: a clear error, a dead letter, or the number of the failed record in the
//! reply; never a panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use streamgauge::adapter::lambda::{Handler, Invocation, Reply, State};
use streamgauge::adapter::{Decoding, RecordPipeline, Sink, each};
use streamgauge::prelude::*;
use streamgauge::store::MemoryStore;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_100_000);

type Letters = Arc<Mutex<Vec<String>>>;

fn pipeline(strict: bool, name: &str) -> impl RecordPipeline<Emission = Emission<u64>> {
    let builder = Pipeline::builder()
        .event_time(|record: &Record| record.arrival)
        .window(Tumbling::new(minutes(2)).unwrap());
    let pipeline = builder.strict(strict).name(name).aggregate(count()).build().unwrap();
    Decoding::new(pipeline, |record: &Record| match record.data.starts_with(b"{") {
        true => Ok(record.clone()),
        false => Err("no object"),
    })
}

/// A handler of any types.
trait Handles {
    fn handle_bytes(&mut self, event: &[u8], now: Timestamp) -> Result<Reply, Error>;
    fn invocation(&self) -> &Invocation;
}

impl<P: RecordPipeline, S: Sink<P>> Handles for Handler<P, S> {
    fn handle_bytes(&mut self, event: &[u8], now: Timestamp) -> Result<Reply, Error> {
        Handler::handle_bytes(self, event, now)
    }

    fn invocation(&self) -> &Invocation {
        Handler::invocation(self)
    }
}

/// Returns a handler of each mode, and the list of its dead letters.
fn handlers(strict: bool) -> [(&'static str, Box<dyn Handles>, Letters); 3] {
    ["tumbling", "stored", "stateless"].map(|mode| {
        let letters = Letters::default();
        let kept = letters.clone();
        let handler = Handler::new(pipeline(strict, ""), each(|_: Emission<u64>| Ok(()))).unwrap();
        let handler = handler.on_dead_letter(move |letter| {
            kept.lock().unwrap().push(serde_json::to_string(letter).unwrap())
        });
        let handler = match mode {
            "tumbling" => handler.tumbling(),
            "stored" => handler.stored(MemoryStore::new()),
            _ => handler.stateless(),
        };
        (mode, Box::new(handler) as Box<dyn Handles>, letters)
    })
}

fn record(sequence: &str, data: &str) -> Value {
    json!({
        "eventID": format!("shardId-000000000003:{sequence}"), "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
        "kinesis": {"partitionKey": "k", "sequenceNumber": sequence, "data": data, "approximateArrivalTimestamp": 1_700_000_000.5}
    })
}

fn event(records: Value) -> Value {
    json!({
        "Records": records, "window": {"start": "2023-11-14T22:12:00Z", "end": "2023-11-14T22:14:00Z"}, "state": {},
        "shardId": "shardId-000000000003", "eventSourceARN": "arn", "isFinalInvokeForWindow": false, "isWindowTerminatedEarly": false,
    })
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/lambda/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// An input that is not an event is an error in every mode.
#[test]
fn s65_input_that_is_not_an_event_is_an_error() {
    for (event, words) in [
        (String::new(), "this is not a Kinesis event of Lambda"),
        ("null".into(), "this is not a Kinesis event of Lambda"),
        ("{}".into(), "is the function invoked by a Kinesis event source mapping?"),
        ("[".repeat(1_000_000), "this is not a Kinesis event of Lambda"),
        (
            format!(r#"{{"Records":[],"state":{}"#, "{\"a\":".repeat(1_000_000)),
            "this is not a Kinesis event of Lambda",
        ),
        (r#"{"Records":[null]}"#.into(), "Records[0]"),
        (r#"{"Records":7}"#.into(), "expected an array of records"),
    ] {
        for (mode, mut handler, _) in handlers(false) {
            let error = handler.handle_bytes(event.as_bytes(), NOW).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parse, "{mode}");
            assert!(error.to_string().contains(words), "{mode}: {error}");
        }
    }
}

/// A record that cannot be read or decoded is a dead letter, or the record at which the reply says
/// that the next batch begins.
#[test]
fn s62_s65_only_the_record_that_cannot_be_decoded_is_lost() {
    let good = |sequence: &str| record(sequence, "e30=");
    let mut no_number = good("6");
    no_number["kinesis"]["sequenceNumber"] = Value::Null;
    for (flawed, reason, number) in [
        (record("6", "?"), "is not standard base64", Some("6")),
        (record("6", "eA=="), "no object", Some("6")),
        (
            json!({"eventID": "shardId-000000000003:6", "kinesis": {"sequenceNumber": "6"}, "unknown": [[{}]]}),
            "is missing or null",
            Some("6"),
        ),
        (no_number, "kinesis.sequenceNumber is missing or null", None),
    ] {
        let event = event(json!([good("5"), flawed, good("7")])).to_string();
        for (mode, mut handler, letters) in handlers(false) {
            let reply = handler.handle_bytes(event.as_bytes(), NOW).unwrap();
            assert_eq!(reply.failure(), None, "{mode}");
            assert_eq!(
                (handler.invocation().applied, handler.invocation().dead_letters),
                (2, 1),
                "{mode}"
            );
            let letters = letters.lock().unwrap();
            assert!(letters.len() == 1 && letters[0].contains(reason), "{mode}: {letters:?}");
        }
        for (mode, mut handler, letters) in handlers(true) {
            let reply = handler.handle_bytes(event.as_bytes(), NOW);
            assert_eq!(letters.lock().unwrap().len(), 0, "{mode}");
            match number {
                Some(number) => {
                    let reply = reply.unwrap();
                    assert_eq!(
                        reply.failure().map(ToString::to_string).as_deref(),
                        Some(number),
                        "{mode}"
                    );
                    assert!(
                        handler.invocation().refused.as_ref().unwrap().to_string().contains(reason),
                        "{mode}"
                    );
                    assert_eq!(handler.invocation().applied, 1, "{mode}");
                }
                None => assert!(
                    reply.unwrap_err().to_string().contains(reason),
                    "{mode}: no identifier can be given"
                ),
            }
        }
    }
}

/// If nothing of an event can be read, not even the shard, there are dead letters and no state.
#[test]
fn s65_an_event_of_unreadable_records_does_not_block_the_shard() {
    let mut none = record("6", "?");
    none["eventID"] = Value::Null;
    let event = json!({ "Records": [none] }).to_string();
    for (mode, mut handler, letters) in handlers(false) {
        if mode != "tumbling" {
            assert_eq!(
                handler.handle_bytes(event.as_bytes(), NOW).unwrap().failure(),
                None,
                "{mode}"
            );
            assert_eq!(letters.lock().unwrap().len(), 1, "{mode}");
        }
    }
    for (mode, mut handler, _) in handlers(true) {
        if mode != "tumbling" {
            let reply = handler.handle_bytes(event.as_bytes(), NOW).unwrap();
            assert_eq!(reply.failure().map(ToString::to_string).as_deref(), Some("6"), "{mode}");
        }
    }
}

/// State of another pipeline, and bytes that are not a state, are refused with the difference.
#[test]
fn s60_a_foreign_state_is_refused_with_the_difference() {
    let sink = || each(|_: Emission<u64>| Ok(()));
    let good = event(json!([record("5", "e30=")]));
    let mut other = Handler::new(pipeline(false, "hits, v1"), sink()).unwrap();
    let state =
        other.handle_bytes(good.to_string().as_bytes(), NOW).unwrap().state().cloned().unwrap();
    let mut handler = Handler::new(pipeline(false, "hits, v2"), sink()).unwrap();
    let mut refuse = |state: Value| {
        let mut event = good.clone();
        event["state"] = state;
        handler.handle_bytes(event.to_string().as_bytes(), NOW).unwrap_err()
    };
    let foreign: Value = serde_json::from_str(state.json()).unwrap();
    let error = refuse(foreign.clone());
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    for words in [
        "the state of the window [2023-11-14T22:12:00.000Z, ",
        "of shardId-000000000003",
        "hits, v1",
        "hits, v2",
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let cut = &foreign["snapshot"].as_str().unwrap()[..40];
    for none in [
        json!({"/home": 12}),
        json!({"snapshot": "?"}),
        json!({"snapshot": cut}),
        json!([]),
        json!({"snapshot": ""}),
    ] {
        let error = refuse(none.clone());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{none}");
        assert!(error.to_string().starts_with("the state of the window"), "{error}");
    }
}

#[test]
fn an_event_that_does_not_fit_the_mode_is_refused_with_the_setting() {
    let [(_, mut tumbling, _), (_, mut stored, _), (_, mut stateless, _)] = handlers(false);
    let error = tumbling.handle_bytes(&fixture("01-plain-100.json"), NOW).unwrap_err();
    assert!(error.to_string().contains("set TumblingWindowInSeconds"), "{error}");
    let mut strange = record("7", "e30=");
    strange["eventID"] = json!("shardId-000000000004:7");
    let two = event(json!([record("5", "e30="), strange])).to_string();
    for handler in [&mut tumbling, &mut stored, &mut stateless] {
        assert!(
            handler
                .handle_bytes(two.as_bytes(), NOW)
                .unwrap_err()
                .to_string()
                .contains("has a record of")
        );
    }
    let scheduled =
        br#"{"version":"0","detail-type":"Scheduled Event","source":"aws.events","detail":{}}"#;
    assert_eq!(
        stored.handle_bytes(scheduled, NOW).unwrap().to_json(),
        br#"{"batchItemFailures":[]}"#
    );
    assert!(
        tumbling.handle_bytes(scheduled, NOW).is_err()
            && stateless.handle_bytes(scheduled, NOW).is_err()
    );
    assert!(tumbling.invocation().failed);
}

/// Returns the event as the first of its window, because the states in the fixtures are those of
/// other functions.
fn without_state(event: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(event).unwrap();
    match text.find("\"state\":") {
        None => event.to_vec(),
        Some(at) => {
            let end = at + text[at..].find('}').unwrap() + 1;
            format!("{}\"state\":{{}}{}", &text[..at], &text[end..]).into_bytes()
        }
    }
}

/// The events in AWS's documentation run, also a last invocation without records.
#[test]
fn s60_documented_events_run_in_every_mode() {
    for name in [
        "01-plain-100.json",
        "02-window-first.json",
        "04-window-final-empty.json",
        "05-mixed-kpl-bad-timestamps.json",
    ] {
        for (mode, mut handler, _) in handlers(false) {
            let bytes = fixture(name);
            let has_window = bytes.windows(8).any(|text| text == b"\"window\"");
            if mode == "tumbling" && !has_window {
                continue;
            }
            let bytes = without_state(&bytes);
            let reply = handler
                .handle_bytes(&bytes, NOW)
                .unwrap_or_else(|error| panic!("{name}, {mode}: {error}"));
            assert_eq!(reply.state().is_some(), has_window, "{name}, {mode}");
        }
    }
    let [(_, mut tumbling, _), ..] = handlers(false);
    let error =
        tumbling.handle_bytes(&fixture("03-window-middle-int-state.json"), NOW).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "that state is another function's");
    let last =
        tumbling.handle_bytes(&without_state(&fixture("04-window-final-empty.json")), NOW).unwrap();
    assert_eq!(last.state(), Some(&State::default()));
}

proptest! {
    #![proptest_config(crate::cases(200))]

    /// No bytes make a handler panic.
    #[test]
    fn s65_events_with_bytes_changed_never_panic(
        at in 0usize..4000,
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        cut in 0usize..6,
    ) {
        for name in ["02-window-first.json", "05-mixed-kpl-bad-timestamps.json"] {
            let mut event = fixture(name);
            let at = at % event.len();
            event.splice(at..(at + cut).min(event.len()), bytes.iter().copied());
            for (_, mut handler, _) in handlers(at.is_multiple_of(2)) {
                let _ = handler.handle_bytes(&event, NOW);
            }
        }
    }
}
