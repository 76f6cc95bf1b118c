//! A query at work: rows in, rows of answers out.

mod answers;
mod comparison;
mod compile;
mod compile_options;
mod control;
mod elements;
mod emission;
mod evaluate;
mod event_time;
mod explain;
mod fast;
mod group_memory;
mod intake;
mod json_lines;
mod lookup;
mod parsed;
mod passing_on;
mod pending_rows;
mod push;
mod row_aggregate;
mod row_merger;
mod row_pipeline;
mod select;
mod several;
mod time_range;
mod trace;
mod unnest;
mod window_size;
mod windows;

pub use answers::ValueType;
pub use compile_options::CompileOptions;
pub use emission::{RowEmission, RowForm};
pub use evaluate::{NullCounts, functions};
pub use explain::{Explanation, Fit};
pub use json_lines::JsonLines;
pub use lookup::Lookup;
pub use row_aggregate::ColumnKind;
pub use row_merger::{MergedRow, RowMerger};
pub use row_pipeline::{OutputColumn, RowPipeline};
pub use several::Query;
pub use window_size::{GroupSize, WindowSize};

#[cfg(feature = "files")]
pub(crate) use fast::{FinishedRows, PreaggregatedRows, PreparedRows, RowPreparer};
