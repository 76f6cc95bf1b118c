//! Hits, bytes and the ten most wanted pages of every minute, as an AWS Lambda function behind a
//! Kinesis stream.
//!
//! `cargo build --profile lambda --example lambda_function --features lambda-runtime`;
//! docs/LAMBDA.md has the rest.

use serde::Deserialize;
use streamgauge::adapter::lambda::{Handler, run};
use streamgauge::adapter::{Decoding, each_of_source};
use streamgauge::prelude::*;
use streamgauge::sketch::TopRow;

#[derive(Deserialize)]
struct Hit {
    page: String,
    bytes: u64,
    #[serde(skip)]
    arrival: i64,
}

/// Hits, bytes, and the most wanted pages.
type Answer = (u64, i128, Vec<TopRow<Box<str>>>);

fn main() -> Result<(), Error> {
    let pipeline = Pipeline::builder()
        .event_time(|hit: &Hit| Timestamp::from_millis(hit.arrival))
        .window(minutes(1))
        .aggregate((count(), sum(|hit: &Hit| hit.bytes), top_k(10, |hit: &Hit| hit.page.as_str())))
        .name("hits, v1")
        .build()?;
    let hits = Decoding::new(pipeline, |record: &Record| {
        let hit: Hit = serde_json::from_slice(&record.data)?;
        Ok::<_, serde_json::Error>(Hit { arrival: record.arrival.as_millis(), ..hit })
    });
    let print = each_of_source(|source: &str, emission: Emission<Answer>| {
        let (count, bytes, top) = emission.value;
        eprintln!(
            "{source} {:?}: {count} hits, {bytes} bytes, mostly {:?}",
            emission.window,
            top.first()
        );
        Ok(())
    });
    run(Handler::new(hits, print)?.tumbling())
}
