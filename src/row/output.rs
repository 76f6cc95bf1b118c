//! The values of an answer, for writing as JSON, CSV or a table.

use super::number::Number;
use std::fmt;

/// A value of an answer.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum OutputValue {
    /// No value: the sum of no values, or a missing field.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Integer(i128),
    /// A finite float.
    Float(f64),
    /// A number in decimal notation that neither an integer of 128 bits nor a float holds exactly.
    Decimal(String),
    /// Text.
    Text(String),
    /// All groups past the limit, written `(other)`.
    Other,
    /// An approximate number with its bounds.
    Estimate {
        /// The estimate.
        value: Number,
        /// The true value is not below this.
        lower: Number,
        /// The true value is not above this.
        upper: Number,
    },
    /// The most frequent values of a field, by descending count, then ascending key.
    Top(Vec<TopValue>),
}

/// A row of [`OutputValue::Top`].
#[derive(Clone, PartialEq, Debug)]
pub struct TopValue {
    /// The counted value.
    pub key: OutputValue,
    /// The estimated count.
    pub count: u64,
    /// The true count is not below this.
    pub lower: u64,
    /// The true count is not above this.
    pub upper: u64,
    /// True if the value certainly belongs to the true top.
    pub guaranteed: bool,
}

impl From<Number> for OutputValue {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(integer) => OutputValue::Integer(integer),
            Number::Float(float) => OutputValue::Float(float),
        }
    }
}

/// Writes the value as plain text: of an estimate only the value, the top values as `key count`
/// pairs.
impl fmt::Display for OutputValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputValue::Null => Ok(()),
            OutputValue::Bool(value) => write!(f, "{value}"),
            OutputValue::Integer(integer) => write!(f, "{integer}"),
            OutputValue::Float(float) => Number::Float(*float).fmt(f),
            OutputValue::Decimal(text) | OutputValue::Text(text) => f.write_str(text),
            OutputValue::Other => f.write_str("(other)"),
            OutputValue::Estimate { value, .. } => value.fmt(f),
            OutputValue::Top(rows) => {
                for (index, row) in rows.iter().enumerate() {
                    write!(f, "{}{} {}", if index == 0 { "" } else { ", " }, row.key, row.count)?;
                }
                Ok(())
            }
        }
    }
}
