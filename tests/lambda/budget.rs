//! The state of a tumbling window stays within its budget for any number of keys.

use base64_simd::STANDARD;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use streamgauge::adapter::lambda::Handler;
use streamgauge::adapter::{Decoding, each};
use streamgauge::prelude::*;
use streamgauge::sketch::TopRow;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Key 0 to 9 come often, each of the others once.
fn key(index: usize) -> String {
    if index.is_multiple_of(5) {
        format!("/often/{}", index / 5 % 10)
    } else {
        format!("/page/{index:09}/of/a/long/catalogue")
    }
}

fn event(indices: std::ops::Range<usize>, state: &Value, is_final: bool) -> Vec<u8> {
    let records: Vec<Value> = indices
        .map(|index| {
            json!({
                "eventID": format!("shardId-000000000003:{}", index + 1), "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
                "kinesis": {
                    "partitionKey": "k", "sequenceNumber": (index + 1).to_string(), "data": STANDARD.encode_to_string(key(index)),
                    "approximateArrivalTimestamp": 1_700_000_000.5,
                }
            })
        })
        .collect();
    let event = json!({
        "Records": records, "window": {"start": "2023-11-14T22:12:00Z", "end": "2023-11-14T22:14:00Z"}, "state": state,
        "shardId": "shardId-000000000003", "isFinalInvokeForWindow": is_final, "isWindowTerminatedEarly": false,
    });
    event.to_string().into_bytes()
}

/// Runs a window with this many records, in batches, and with this budget in bytes.
fn window(records: usize, batch: usize, budget: usize) {
    let answers = Arc::new(Mutex::new(Vec::new()));
    let given = answers.clone();
    let text = |record: &Record| String::from_utf8_lossy(&record.data).into_owned();
    let builder = Pipeline::builder().aggregate((
        count(),
        top_k(10, |url: &String| url.as_str()),
        distinct(|url: &String| url.as_str()),
    ));
    let records_of = Decoding::new(builder.build().unwrap(), move |record: &Record| {
        Ok::<_, Error>(text(record))
    });
    let sink = each(move |emission: Emission<(u64, Vec<TopRow<Box<str>>>, _)>| {
        given.lock().unwrap().push(emission.value);
        Ok(())
    });
    let mut handler =
        Handler::new(records_of, sink).unwrap().tumbling().state_bytes_max(budget).unwrap();
    let mut state = json!({});
    let (mut reduced, mut largest) = (0, 0);
    for start in (0..records).step_by(batch) {
        let reply = handler
            .handle_bytes(&event(start..(start + batch).min(records), &state, false), NOW)
            .unwrap();
        let json = reply.state().unwrap().json();
        largest = largest.max(json.len());
        assert!(json.len() <= budget, "{} bytes after {start} records", json.len());
        reduced += usize::from(handler.invocation().reductions.is_some());
        state = serde_json::from_str(json).unwrap();
    }
    assert!(
        reduced > 0 && largest > budget * 8 / 10,
        "the budget was no matter: {largest} of {budget} bytes"
    );
    handler.handle_bytes(&event(0..0, &state, true), NOW).unwrap();
    let mut answers = answers.lock().unwrap();
    let (count, top, distinct) = answers.pop().unwrap();
    assert_eq!((count, answers.len()), (records as u64, 0));
    for (rank, row) in top.iter().enumerate() {
        assert!(row.key.starts_with("/often/"), "{rank}: {row:?}");
        let truth = (0..records).filter(|index| key(*index) == *row.key).count() as u64;
        assert!(
            row.lower <= truth && truth <= row.upper && row.guaranteed,
            "{row:?}, in truth {truth}"
        );
    }
    let truth = (records - records / 5 + 10) as u64;
    assert!(distinct.lower <= truth && truth <= distinct.upper, "{distinct:?}, in truth {truth}");
}

#[test]
fn s64_the_state_keeps_to_its_budget() {
    window(20_000, 1_000, 60_000);
}

#[test]
#[ignore = "a million keys: run with the release profile"]
fn s64_the_state_keeps_to_its_budget_with_a_million_keys() {
    window(1_250_000, 10_000, 900_000);
}

/// Exact state that cannot be reduced is an error that tells what to do, and no state is returned,
/// for which Lambda would end the window.
#[test]
fn s64_a_state_that_cannot_fit_is_an_error() {
    let builder = Pipeline::builder().aggregate(group_by(|url: &String| url.as_str(), count()));
    let records = Decoding::new(builder.build().unwrap(), |record: &Record| {
        Ok::<_, Error>(String::from_utf8_lossy(&record.data).into_owned())
    });
    let mut handler = Handler::new(records, each(|_| Ok(())))
        .unwrap()
        .tumbling()
        .state_bytes_max(10_000)
        .unwrap();
    let error = handler.handle_bytes(&event(0..5_000, &json!({}), false), NOW).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.to_string().contains("fewer groups"), "{error}");
    handler.handle_bytes(&event(0..100, &json!({}), false), NOW).unwrap();
    let error = handler.state_bytes_max(1_000_001).unwrap_err();
    assert!(
        error.to_string().contains("Lambda ends a window early if its state is over 1000000 bytes"),
        "{error}"
    );
}
