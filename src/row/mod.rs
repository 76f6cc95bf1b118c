//! A decoded record: the values of the fields that a pipeline names, and what values are: numbers,
//! keys, times, missing ones. Formats fill a [`Row`]; the language and the pipelines read it.

#[cfg_attr(not(feature = "files"), allow(dead_code, reason = "files alone come in blocks"))]
mod block;
pub(crate) mod computed;
mod decimal;
mod digits;
mod field_value;
pub(crate) mod fields;
pub(crate) mod interval_text;
pub(crate) mod json_array;
pub(crate) mod key;
mod not_a_time;
pub(crate) mod null;
pub(crate) mod number;
mod output;
mod scratch;
pub(crate) mod span;
pub(crate) mod text;
pub(crate) mod time_field;
mod time_format;
mod time_pattern;
mod time_text;
pub(crate) mod time_words;
mod value;

pub use field_value::FieldValue;
pub use fields::Row;
pub use not_a_time::NotATime;
pub use number::Number;
pub use output::{OutputValue, TopValue};
pub use time_format::TimeFormat;
pub use value::Value;

pub(crate) use block::Block;
pub(crate) use digits::first_digits;
