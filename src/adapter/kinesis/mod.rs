//! Kinesis streams without a Java process: all shards of a stream read by one process, and partials
//! put into a stream.
//!
//! # Reading
//! [`StreamProcessor`] computes a pipeline over all shards of a stream, with its state and the
//! positions in one save. It reads by a [`StreamReader`]: parents before children, at the pace that
//! Kinesis allows. Both are blocking loops, and call Kinesis through the trait [`ReadStream`]. For
//! several processes of one application use `adapter::kcl`, or the feature `dynamodb`.
//!
//! By enhanced fan-out a stream has a throughput of its own for each consumer: [`FanOut`] is a
//! [`ReadStream`] over the subscriptions of a [`Consumer`].
//!
//! # Writing
//! [`KinesisProducer`] puts records into a stream: in batches, aggregated if wanted, and again
//! where they are refused.
//!
//! # The streams themselves
//! [`Streams`] lists, describes, creates and scales them. [`CloudWatch`] has what came into them.
//!
//! # Partials for a second stage
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

#[cfg(feature = "dynamodb")]
mod application;
mod client;
mod cloudwatch;
mod consumer;
mod cursor;
mod fan_out;
mod metrics;
mod pace;
mod producer;
mod put_records;
mod read_stream;
mod reader;
mod stream_processor;
mod streams;
mod target;

pub use crate::adapter::aws::ClientOptions;
#[cfg(feature = "dynamodb")]
pub use application::{Application, ApplicationOptions, OnNote};
pub use client::StreamClient;
pub use cloudwatch::CloudWatch;
pub use consumer::Consumer;
pub use fan_out::{FanOut, Pushed, PushedRecords, SubscribeToShards};
pub use metrics::{MinuteFigures, StreamMetrics, Throughput};
pub use producer::{KinesisProducer, ProducerCounts, ProducerOptions, RefusedRecord};
pub use put_records::{Entry, PutRecords};
pub use read_stream::{IteratorPlace, ReadFailure, ReadStream, RecordPage, ShardInfo};
pub use reader::{StreamEvent, StreamReader};
pub use stream_processor::StreamProcessor;
pub use streams::{StreamSummary, Streams};
pub use target::KinesisTarget;
