//! What feeds the engine from a transport, each behind its feature. An adapter never imports
//! another; what several of them need stands beside them: the formats of records (`formats`),
//! records aggregated by the KPL (`kpl`) and by CloudWatch Logs (`logs`), deliveries that are not
//! records (`Rejected`), records that hold others (`Packing`), records that came late
//! (`LateRecord`), pipelines over a stream's records ([`RecordPipeline`]) and where their answers
//! go ([`Sink`]).

#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "kcl")]
pub mod kcl;
#[cfg(feature = "kinesis")]
pub mod kinesis;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub mod kinesis_records;
#[cfg(feature = "lambda")]
pub mod lambda;

mod output;
#[cfg(feature = "spec")]
mod pipeline_file;
mod record_pipeline;
#[cfg(feature = "spec")]
mod seed;

#[cfg(any(feature = "kcl", feature = "lambda-runtime"))]
pub(crate) use kinesis_records::late::came_late;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub use kinesis_records::{LateRecord, Packing, Rejected};

#[cfg(feature = "spec")]
pub use output::JsonLinesSink;
pub use output::{
    AppendFile, Each, EachOfSource, PartialSink, PartialTarget, Sink, each, each_of_source,
};
#[cfg(feature = "spec")]
pub use pipeline_file::read_pipeline;
#[cfg(feature = "spec")]
pub use record_pipeline::Declared;
pub use record_pipeline::{Decoding, RecordPipeline};
#[cfg(feature = "spec")]
pub use seed::{read_seed, seed_from_environment};
