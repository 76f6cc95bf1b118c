//! **streamgauge** gauges a stream while it flows: windowed counts, sums, distincts, percentiles
//! and top-k over records, in constant memory, inside the process that already has the records.
//!
//! No cluster, no daemon, no broker of its own: it is linked into a Lambda function, a Kinesis
//! Client Library worker or a log tool, and the same pipeline value gives the same answers in each.
//!
//! # A first pipeline
//! ```
//! use streamgauge::prelude::*;
//!
//! struct Hit {
//!     ts: i64,
//!     url: String,
//!     country: String,
//!     status: u16,
//!     bytes: u64,
//! }
//! # let hit = |ts, url: &str, country: &str, status, bytes| Hit { ts, url: url.into(), country: country.into(), status, bytes };
//! # let hits = vec![hit(0, "/a", "DE", 200, 10), hit(1_000, "/a", "DE", 200, 5), hit(2_000, "/b", "FR", 503, 1), hit(3_000, "/c", "FR", 200, 7)];
//!
//! let mut pipeline = Pipeline::builder()
//!     .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
//!     .out_of_orderness(seconds(5))
//!     .filter(|hit| hit.status < 500)
//!     .window(Sliding::new(minutes(5), seconds(10))?)
//!     .aggregate((
//!         count(),
//!         sum(|hit: &Hit| hit.bytes),
//!         group_by(|hit: &Hit| hit.country.as_str(), top_k(10, |hit: &Hit| hit.url.as_str())),
//!     ))
//!     .build()?;
//!
//! for emission in pipeline.over(hits) {
//!     let (count, bytes, top_by_country) = emission.value;
//! #   assert_eq!((count, bytes, top_by_country.len()), (3, 22, 2));
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! # What is where
//! - [`pipeline`]: the builder that a user meets first, over iterators or driven by hand.
//! - [`aggregate`]: what can be computed, and the trait for one's own.
//! - [`window`]: tumbling, sliding and global windows. [`engine`]: the machine below, for adapters
//!   of one's own.
//! - [`sketch`]: count-min, space-saving and log-bucket histograms, usable alone.
//! - `query`, `rows` and `row` (feature `spec`): the pipeline as text, running it, and the records
//!   that it reads. [`adapter`]: records from files, Lambda and Kinesis, each behind its feature.
//!
//! # Features
//! - `cli` (default, with `files`, `kcl` and `spec`): the command `streamgauge`. A library user
//!   turns it off: `default-features = false`.
//! - `files`: JSON Lines, CSV, TSV, access logs and plain lines, compressed or not.
//! - `spec`: the pipeline as TOML, JSON or text.
//! - `lambda`: a handler of Lambda's Kinesis events; `lambda-runtime`: the loop that runs it.
//! - `kcl`: a record processor for the KCL's MultiLangDaemon.
//! - `kinesis` (with `kcl`): all shards of a Kinesis stream in one process; records and partials
//!   into a stream.
//! - `aws_lambda_events`: conversions from and to that crate's events.
//! - `live` (with `cli`): a screen of the command in the terminal, `--live`.
//! - `log` (with `cli`): standard error of the command as events, `--log`.
//! - `otlp` (with `cli`): metrics of the command, pushed to a receiver of OpenTelemetry, `--otlp`.
//! - `serve` (with `cli`): answers of the command by HTTP, `--serve`.
//! - `object-store`: snapshots in S3 and whatever else speaks its protocol, and files of answers.
//! - `parquet` (with `spec`): answers as Parquet.
//! - `firehose` (with `spec`): answers into a stream of Amazon Data Firehose.
//! - `serde`: `Serialize` and `Deserialize` for timestamps, windows and results.
//!
//! # What it promises
//! The promises, numbered and each with its test, are in docs/SEMANTICS.md. In short: windows are
//! half-open and aligned to the epoch; a record is counted once in each of its windows, or counted
//! as late, filtered, duplicate or dead letter; every approximate answer carries bounds that hold;
//! the same records give the same bytes at any batch size.

pub mod adapter;
pub mod aggregate;
pub mod codec;
pub mod durable;
pub mod engine;
pub mod error;
#[cfg(feature = "spec")]
#[cfg_attr(
    not(feature = "files"),
    expect(dead_code, unreachable_pub, reason = "CSV has a header, which only files have")
)]
mod formats;
pub mod hash;
pub mod key;
pub mod limits;
pub mod merger;
#[cfg(feature = "spec")]
mod nearest;
#[cfg(feature = "files")]
mod parallel;
pub mod pipeline;
#[cfg(feature = "spec")]
pub mod query;
pub mod record;
#[cfg(feature = "spec")]
pub mod row;
#[cfg(feature = "spec")]
pub mod rows;
pub mod sketch;
pub mod snapshot;
mod sorted_keys;
pub mod store;
pub mod time;
pub mod window;

pub use aggregate::Aggregate;
pub use engine::{Control, Emission, Outcome, Stats};
pub use error::{Error, ErrorKind};
pub use hash::Seed;
pub use key::Key;
pub use limits::Limits;
pub use pipeline::Pipeline;
pub use record::{Headers, Position, Record, Sequence, SequenceNumber, ShardId};
pub use snapshot::Snapshot;
pub use time::Timestamp;
pub use window::Window;

/// What a user of pipelines needs, to be imported whole.
pub mod prelude {
    pub use crate::aggregate::{
        Aggregate, Overflow, bool_and, bool_or, count, distinct, distinct_value, filtered, first,
        frequencies, frequencies_value, frequency, frequency_value, group_by, group_by_value,
        histogram, if_present, last, log_histogram, max, max_by, mean, min, min_by, quantile,
        quantiles, stddev, sum, top_k, top_k_by_weight, top_k_value, variance,
    };
    pub use crate::engine::{Control, Emission, Outcome, Stats};
    pub use crate::error::{Error, ErrorKind};
    pub use crate::hash::Seed;
    pub use crate::key::Key;
    pub use crate::limits::Limits;
    pub use crate::pipeline::{AnyPipeline, BoxedPipeline, Pipeline};
    pub use crate::record::{Headers, Position, Record, Sequence, SequenceNumber, ShardId};
    pub use crate::snapshot::Snapshot;
    pub use crate::time::{Timestamp, days, hours, millis, minutes, seconds};
    pub use crate::window::{Global, Sliding, Tumbling, Window, Windows};
}

/// The documents, whose examples are compiled and run with the crate's own.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../ARCHITECTURE.md")]
    mod architecture {}
    #[doc = include_str!("../CONTRIBUTING.md")]
    mod contributing {}
    #[doc = include_str!("../docs/FORMAT.md")]
    mod format {}
    #[cfg(feature = "kcl")]
    #[doc = include_str!("../docs/KCL.md")]
    mod kcl {}
    #[cfg(feature = "kinesis")]
    #[doc = include_str!("../docs/KINESIS.md")]
    mod kinesis {}
    #[cfg(feature = "lambda-runtime")]
    #[doc = include_str!("../docs/LAMBDA.md")]
    mod lambda {}
    #[doc = include_str!("../docs/SEMANTICS.md")]
    mod semantics {}
}
