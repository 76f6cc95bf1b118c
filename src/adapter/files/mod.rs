//! Records from files: JSON Lines, CSV, TSV, access logs and plain lines.
//!
//! [`run_pipeline`] runs a declared pipeline over any number of inputs, each a shard, and passes
//! the answers to a [`PipelineObserver`]. [`run`] reads the inputs row by row into your own
//! [`RowSink`]. Format ([`Format::detect`]) and compression (gzip, zstd, xz, bzip2, zip) are
//! detected from the first bytes; if the format is not certain, lines are read and
//! [`PipelineObserver::note`] gets the reason. Only requested fields are kept, as ranges of the
//! block they were read with: a record costs no allocation.
//!
//! Input that is not a record becomes a [`DeadLetter`] with file, line and reason. Only blank lines
//! are skipped silently.
//!
//! # Cost
//!
//! Memory does not depend on the size of the input: a few blocks of 128 KiB, or of 256 KiB for each
//! of several threads, plus one record up to `Limits::record_bytes_max`, plus the window of a zstd
//! frame (at most `Limits::zstd_window_log_max`, 128 MiB). Figures are in `docs/PERFORMANCE.md`.
//!
//! # When not to use it
//! For records that the program already has as Rust values: push those into a pipeline. There is no
//! asynchronous reading.

mod beginning;
mod blocks;
mod buffers;
mod compression;
mod fetcher;
mod follow;
mod last_rows;
mod late;
mod observer;
mod options;
mod pipelines;
mod preaggregated;
mod prepared;
mod regular_file;
mod row_sink;
mod run;
mod run_pipeline;
mod run_state;
mod source;
mod stats;
mod taking;

pub use crate::formats::clf::ClfDecoder;
pub use crate::formats::csv::CsvDecoder;
pub use crate::formats::csv_dialect::CsvDialect;
pub use crate::formats::decode_error::{DEAD_LETTER_BYTES_MAX, DeadLetter, DecodeError};
pub use crate::formats::format::{Format, FormatKeys};
pub use crate::formats::json_names::JsonNames;
pub use crate::formats::json_scan::{JsonError, JsonScanner, ScannedLine};
pub use follow::FollowedFiles;
pub use last_rows::last_rows;
pub use late::{LateRecord, Refusal};
pub use observer::PipelineObserver;
pub use options::FilesOptions;
pub use pipelines::FilePipelines;
pub use row_sink::RowSink;
pub use run::run;
pub use run_pipeline::{read_into, run_pipeline};
pub use run_state::{HeldWindows, Judgement, QueryWindow, RunAnswers, RunState};
pub use source::{Input, Opened};
pub use stats::{FileStats, FilesStats};
