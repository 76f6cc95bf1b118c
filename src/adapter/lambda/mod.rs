//! Lambda's events of Kinesis and Kafka, and the replies to them.
//!
//! [`KinesisEvent`] is the event that Lambda passes to a function behind a Kinesis event source
//! mapping, plain or with a tumbling window. [`Reply`] is the function's answer. Both follow AWS's
//! contract exactly ("Using Lambda to process records from Amazon Kinesis Data Streams").
//! [`KafkaEvent`] is the event of a mapping of Amazon MSK, or of another cluster of Kafka.
//!
//! One pass over the bytes of an event gives [`Record`](crate::Record)s: base64 is decoded straight
//! into blocks that the records share, and arrival times become exact milliseconds. Nothing else of
//! the envelope is kept. Two calls unpack records further: [`KinesisEvent::deaggregate`] for those
//! that the KPL aggregated, [`logs::expand`](crate::adapter::kinesis_records::logs::expand) for
//! those of CloudWatch Logs.
//!
//! # Example
//! ```
//! use streamgauge::adapter::lambda::{KinesisEvent, Reply};
//! let event = KinesisEvent::from_slice(br#"{"Records": [{
//!     "eventID": "shardId-000000000003:4965", "eventSource": "aws:kinesis",
//!     "kinesis": {"partitionKey": "u1", "sequenceNumber": "4965", "data": "e30=", "approximateArrivalTimestamp": 1700000000.007}
//! }]}"#)?;
//! let record = &event.records[0];
//! assert_eq!(record.data, "{}");
//! assert_eq!(record.arrival.as_millis(), 1_700_000_000_007);
//! assert_eq!(Reply::done().to_json(), br#"{"batchItemFailures":[]}"#);
//! # Ok::<(), streamgauge::Error>(())
//! ```

mod batch;
mod core;
mod event;
#[cfg(feature = "lambda-runtime")]
mod function;
mod handler;
#[cfg(feature = "aws_lambda_events")]
mod interop;
mod invocation;
mod kafka;
mod parse;
mod reply;
#[cfg(feature = "lambda-runtime")]
mod runtime;
mod state;
mod stateless;
mod stored;
mod template;
mod timestamp;
mod tumbling;
mod wire;

pub use event::{KinesisEvent, TumblingWindow};
#[cfg(feature = "lambda-runtime")]
pub use function::run_from_environment;
pub use handler::Handler;
pub use invocation::{DeadLetter, Emf, Invocation};
pub use kafka::{KafkaEvent, KafkaPartition};
pub use reply::Reply;
#[cfg(feature = "lambda-runtime")]
pub use runtime::run;
pub use state::State;
