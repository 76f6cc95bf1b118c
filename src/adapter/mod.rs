//! What feeds the engine from a transport, each behind its feature. An adapter never imports
//! another; what several of them need stands beside them: the formats of records (`formats`),
//! records aggregated by the KPL (`kpl`) and by CloudWatch Logs (`logs`), deliveries that are not
//! records (`Rejected`), records that hold others (`Packing`), records that came late
//! (`LateRecord`), pipelines over a stream's records ([`RecordPipeline`]) and where their answers
//! go ([`Sink`]).

#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "spec")]
#[cfg_attr(
    not(feature = "files"),
    expect(dead_code, unreachable_pub, reason = "CSV has a header, which only files have")
)]
mod formats;
#[cfg(feature = "kcl")]
pub mod kcl;
#[cfg(feature = "kinesis")]
pub mod kinesis;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub mod kpl;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub mod logs;

#[cfg(any(feature = "kcl", feature = "lambda"))]
mod json;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod late;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod packing;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod payload;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod rejected;

#[cfg(feature = "spec")]
mod pipeline_file;
mod record_pipeline;
#[cfg(feature = "spec")]
mod seed;
mod sink;

#[cfg(any(feature = "kcl", feature = "lambda"))]
pub use late::LateRecord;
#[cfg(any(feature = "kcl", feature = "lambda-runtime"))]
pub(crate) use late::came_late;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub use packing::Packing;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub use rejected::Rejected;

#[cfg(feature = "spec")]
pub use pipeline_file::read_pipeline;
#[cfg(feature = "spec")]
pub use record_pipeline::Declared;
pub use record_pipeline::{Decoding, RecordPipeline};
#[cfg(feature = "spec")]
pub use seed::{read_seed, seed_from_environment};
#[cfg(feature = "spec")]
pub use sink::JsonLinesSink;
pub use sink::{
    AppendFile, Each, EachOfSource, PartialSink, PartialTarget, Sink, each, each_of_source,
};
