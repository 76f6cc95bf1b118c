//! Partials into a Kinesis stream, for a second stage that merges them.
//!
//! [`KinesisTarget`] puts each partial as one record, with its window as the partition key, so that
//! all partials of a window come on one shard.
//!
//! ```no_run
//! use streamgauge::adapter::PartialSink;
//! use streamgauge::adapter::kinesis::KinesisTarget;
//! let sink = PartialSink::new(KinesisTarget::connect("hits-partials")?);
//! # let _ = sink;
//! # Ok::<(), streamgauge::Error>(())
//! ```

mod client;
mod put_records;
mod target;

pub use client::StreamClient;
pub use put_records::{Entry, PutRecords};
pub use target::KinesisTarget;
