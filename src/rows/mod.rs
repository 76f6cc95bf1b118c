//! A query at work: rows in, rows of answers out.

mod comparison;
mod compile;
mod emission;
mod explain;
mod finished_rows;
mod json_lines;
mod pending_rows;
mod preaggregated_rows;
mod prepared_rows;
mod preparer;
mod row_aggregate;
mod row_merger;
mod row_pipeline;

pub use compile::CompileOptions;
pub use emission::RowEmission;
pub use explain::{Explanation, Fit};
pub use finished_rows::FinishedRows;
pub use json_lines::JsonLines;
pub use preaggregated_rows::PreaggregatedRows;
pub use prepared_rows::PreparedRows;
pub use preparer::RowPreparer;
pub use row_merger::{MergedRow, RowMerger};
pub use row_pipeline::{ColumnKind, OutputColumn, RowPipeline};
