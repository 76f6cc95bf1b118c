//! The pipeline as data: fields, expressions, predicates, specifications.

mod decimal;
mod expression;
mod field;
mod key;
mod nearest;
mod number;
mod output;
mod pipeline_spec;
mod predicate;
mod row;
mod row_aggregate;
mod time_format;
mod time_text;
mod token;

pub use number::Number;
pub use output::{OutputValue, RowEmission, TopValue};
pub use pipeline_spec::PipelineSpec;
pub use row::{Row, Value};
pub use time_format::{NotATime, TimeFormat};
