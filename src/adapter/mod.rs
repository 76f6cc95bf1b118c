//! Adapters from transports to the engine, each behind its feature. An adapter never imports
//! another one. Shared parts are beside them: the loop of a source with shards (`worker`), the
//! forms of a Kinesis record (`kinesis_records`: aggregated by the KPL or CloudWatch Logs,
//! `Packing`, `LateRecord`, `Rejected`), pipelines over a stream's records ([`RecordPipeline`]),
//! sinks of their answers ([`Sink`]), and captures of what came (`capture`).

#[cfg(any(feature = "kcl", feature = "lambda-runtime"))]
pub mod capture;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "kcl")]
pub mod kcl;
#[cfg(feature = "kinesis")]
pub mod kinesis;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub mod kinesis_records;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "kcl")]
pub mod storm;
#[cfg(feature = "kcl")]
pub mod worker;

#[cfg(any(feature = "kinesis", feature = "firehose"))]
mod aws;
#[cfg(any(feature = "kinesis", feature = "firehose"))]
mod batch_call;
#[cfg(feature = "kafka")]
mod brokers;
#[cfg(feature = "kcl")]
mod lines;
#[cfg(feature = "spec")]
mod lookup_files;
mod output;
#[cfg(feature = "spec")]
mod pipeline_file;
mod record_pipeline;
#[cfg(feature = "spec")]
mod seed;
#[cfg(test)]
mod simulation;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod transport;

#[cfg(any(feature = "kcl", feature = "lambda-runtime"))]
pub(crate) use kinesis_records::late::came_late;
#[cfg(any(feature = "kcl", feature = "lambda"))]
pub use kinesis_records::{LateRecord, Packing, Rejected};

#[cfg(feature = "spec")]
pub use lookup_files::read_lookups;
#[cfg(all(feature = "kafka", feature = "spec"))]
pub use output::TopicRows;
#[cfg(feature = "spec")]
pub use output::{
    AnswerFiles, AnswerFilesOptions, AnswerFormat, JsonLinesSink, LinesOutput, RowOutput, RowSink,
    is_open_ended, is_stream, open_rows,
};
pub use output::{
    AppendFile, Each, EachOfSource, PartialSink, PartialTarget, Sink, each, each_of_source,
};
#[cfg(feature = "kcl")]
pub use output::{ExactFile, OutputMark};
#[cfg(feature = "firehose")]
pub use output::{FirehoseClient, FirehoseCounts, FirehoseSink, PutRecordBatch};
#[cfg(feature = "kafka")]
pub use output::{TopicProducer, TopicTarget};
#[cfg(feature = "spec")]
pub use pipeline_file::read_pipeline;
#[cfg(feature = "spec")]
pub use record_pipeline::Declared;
pub use record_pipeline::{Decoding, RecordPipeline};
#[cfg(feature = "spec")]
pub use seed::{read_seed, seed_from_environment};
