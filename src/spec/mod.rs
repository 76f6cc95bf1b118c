//! The pipeline as data: fields, expressions, predicates, specifications.

mod row;

pub use row::{Row, Value};
