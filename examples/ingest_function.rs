//! Records that come by HTTP, put into a Kinesis stream: an AWS Lambda function behind API Gateway.
//!
//! Each line of a request's body is a record, a JSON object whose field `user` is the partition
//! key. `STREAM` names the stream. docs/INGEST.md has the rest.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::future::ready;
use streamgauge::adapter::kinesis::{KinesisProducer, ProducerOptions, StreamClient};
use streamgauge::adapter::worker::SystemClock;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let client = StreamClient::connect(&std::env::var("STREAM")?)?;
    let producer = KinesisProducer::new(client, ProducerOptions::default());
    // What is refused is counted, and told to the client of the request.
    let mut producer = producer.on_refused(|_| Ok(()));
    let service = service_fn(move |event: LambdaEvent<Value>| {
        ready(put_lines(&mut producer, &event.payload))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service))
}

/// Puts each line of a request's body. Returns the answer to the request.
fn put_lines(
    producer: &mut KinesisProducer<StreamClient>,
    request: &Value,
) -> Result<Value, Failure> {
    let body = request["body"].as_str().unwrap_or_default();
    let body = match request["isBase64Encoded"].as_bool() {
        Some(true) => String::from_utf8(base64_simd::STANDARD.decode_to_vec(body)?)?,
        _ => body.to_owned(),
    };
    let lines: Vec<&str> = body.lines().filter(|line| !line.trim().is_empty()).collect();
    let keys = lines.iter().map(|line| {
        let record: Value = serde_json::from_str(line).ok()?;
        record["user"].as_str().map(str::to_owned)
    });
    let Some(keys) = keys.collect::<Option<Vec<String>>>() else {
        return Ok(answer(400, &json!({ "error": "a line is no object with a text \"user\"" })));
    };
    let before = producer.counts();
    for (key, line) in keys.iter().zip(lines) {
        producer.put(key, line.to_owned().into(), &mut SystemClock)?;
    }
    producer.flush()?;
    let after = producer.counts();
    let (accepted, refused) = (after.accepted - before.accepted, after.refused - before.refused);
    let status = if refused > 0 { 503 } else { 200 };
    Ok(answer(status, &json!({ "accepted": accepted, "refused": refused })))
}

fn answer(status: u16, body: &Value) -> Value {
    json!({ "statusCode": status, "body": body.to_string() })
}
