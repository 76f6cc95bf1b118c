//! The pipeline as data: fields, expressions, predicates, specifications.

mod block;
mod compile;
mod decimal;
mod digits;
mod explain;
mod expression;
mod field;
mod finished_rows;
mod json_lines;
mod key;
mod nearest;
mod number;
mod output;
mod pending_rows;
mod pipeline_spec;
mod preaggregated_rows;
mod predicate;
mod prepared_rows;
mod preparer;
mod row;
mod row_aggregate;
mod row_merger;
mod row_pipeline;
mod time_format;
mod time_pattern;
mod time_text;
mod token;

pub use block::Block;
pub use compile::CompileOptions;
pub use explain::{Explanation, Fit};
pub use finished_rows::FinishedRows;
pub use json_lines::JsonLines;
pub use number::Number;
pub use output::{OutputValue, RowEmission, TopValue};
pub use pipeline_spec::PipelineSpec;
pub use preaggregated_rows::PreaggregatedRows;
pub use prepared_rows::PreparedRows;
pub use preparer::RowPreparer;
pub use row::{Row, Value};
pub use row_merger::{MergedRow, RowMerger};
pub use row_pipeline::{ColumnKind, OutputColumn, RowOutcome, RowPipeline};
pub use time_format::{NotATime, TimeFormat};

pub(crate) use digits::first_digits;
