//! The pipeline as data: fields, expressions, predicates, specifications.

mod decimal;
mod key;
mod number;
mod output;
mod row;

pub use number::Number;
pub use output::{OutputValue, RowEmission, TopValue};
pub use row::{Row, Value};
