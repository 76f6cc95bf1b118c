//! The text of a value.

use super::key::{self, KeyForm};
use super::value::Value;
use std::borrow::Cow;

/// Returns the text of a value. A number has one text, that of the answers, however it is written.
pub(crate) fn text_of(value: Value<'_>) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::Missing | Value::Untyped("") => return None,
        Value::Number(text) if is_plain_integer(text) => text.into(),
        Value::Number(_) => written(value).into(),
        Value::Text(text) | Value::Untyped(text) | Value::Json(text) => text.into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Integer(integer) => integer.to_string().into(),
        Value::Float(_) => written(value).into(),
    })
}

/// Returns true if a JSON number is written as answers write integers.
fn is_plain_integer(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the text of a number, as answers have it.
#[cold]
pub(crate) fn written(value: Value<'_>) -> String {
    let mut key = Vec::new();
    KeyForm::of(value).write(&mut key);
    key::decode(&key).to_string()
}
