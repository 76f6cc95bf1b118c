//! Answers as records of an Amazon Data Firehose stream.

mod client;
mod put_record_batch;
mod sink;

pub use client::FirehoseClient;
pub use put_record_batch::PutRecordBatch;
pub use sink::{FirehoseCounts, FirehoseSink};
