//! The values of an answer, for writing as JSON, CSV or a table.

use super::number::Number;
use crate::sketch::ExponentialBuckets;
use serde::ser::{Error as _, Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;
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
    /// Several values as one key, of a top-k.
    List(Vec<OutputValue>),
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
    /// All numbers behind a percentile. It is no value of a column: see
    /// [`RowEmission::histograms`](crate::rows::RowEmission::histograms).
    Histogram(Box<ExponentialBuckets>),
}

/// A row of [`OutputValue::Top`].
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
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

impl Serialize for OutputValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            OutputValue::Null => serializer.serialize_unit(),
            OutputValue::Bool(value) => serializer.serialize_bool(*value),
            OutputValue::Integer(integer) => Number::Int(*integer).serialize(serializer),
            OutputValue::Float(float) => Number::Float(*float).serialize(serializer),
            OutputValue::Decimal(text) => serialize_digits(text, serializer),
            OutputValue::Text(text) => serializer.serialize_str(text),
            OutputValue::List(values) => values.serialize(serializer),
            OutputValue::Other => serializer.serialize_str("(other)"),
            OutputValue::Estimate { value, lower, upper } => {
                let mut estimate = serializer.serialize_struct("Estimate", 3)?;
                estimate.serialize_field("value", value)?;
                estimate.serialize_field("lower", lower)?;
                estimate.serialize_field("upper", upper)?;
                estimate.end()
            }
            OutputValue::Top(rows) => rows.serialize(serializer),
            // Nothing that is written as text has one.
            OutputValue::Histogram(_) => serializer.serialize_unit(),
        }
    }
}

/// A sum of floats can be past their range, which JSON has no number for: it is null then.
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Number::Int(integer) => match i64::try_from(integer) {
                Ok(integer) => serializer.serialize_i64(integer),
                Err(_) => serializer.serialize_i128(integer),
            },
            Number::Float(float) if !float.is_finite() => serializer.serialize_unit(),
            // `serde_json` writes floats out of this range in another way than all else here.
            Number::Float(float) if float == 0.0 || (1e-4..1e16).contains(&float.abs()) => {
                serializer.serialize_f64(float)
            }
            number => serialize_digits(&number.to_string(), serializer),
        }
    }
}

/// Serializes a number with exactly these digits. A format that is not for people gets them as text.
#[cold]
fn serialize_digits<S: Serializer>(digits: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serializer.is_human_readable() {
        true => {
            let number: &RawValue = serde_json::from_str(digits).map_err(S::Error::custom)?;
            number.serialize(serializer)
        }
        false => serializer.serialize_str(digits),
    }
}

/// Writes the value as plain text: of an estimate only the value, the top values as `key count`
/// pairs.
impl fmt::Display for OutputValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputValue::Null | OutputValue::Histogram(_) => Ok(()),
            OutputValue::Bool(value) => write!(f, "{value}"),
            OutputValue::Integer(integer) => write!(f, "{integer}"),
            OutputValue::Float(float) => Number::Float(*float).fmt(f),
            OutputValue::Decimal(text) | OutputValue::Text(text) => f.write_str(text),
            OutputValue::Other => f.write_str("(other)"),
            OutputValue::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "(" } else { ", " })?;
                }
                f.write_str(")")
            }
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
