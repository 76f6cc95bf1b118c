//! The fields of a JSON line by `serde_json`, slow and obviously right: the oracle of the scanner's
//! tests and fuzz target.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A field's value with its type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    Missing,
    Bool(bool),
    Number(String),
    Text(String),
}

/// Returns the fields of a line, or `None` if it is not a JSON object.
///
/// The caller must exclude numbers that `serde_json::Value` refuses only because of their size: see
/// [`is_out_of_range`].
pub(crate) fn read(line: &[u8], fields: &[&str]) -> Option<Vec<Field>> {
    // A `Value` is checked throughout, where a `RawValue` is not (lone surrogates).
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    value.is_object().then_some(())?;
    let record: Box<RawValue> = serde_json::from_slice(line).ok()?;
    Some(fields.iter().map(|field| named(&record, field)).collect())
}

/// Returns true if `serde_json` refuses the line because of a number that `f64` cannot hold, which
/// the scanner leaves to its user.
pub(crate) fn is_out_of_range(line: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(line)
        .is_err_and(|error| error.to_string().contains("out of range"))
}

fn named(record: &RawValue, field: &str) -> Field {
    let Some(pointer) = field.strip_prefix('/') else {
        return member(record, field).map_or(Field::Missing, |value| typed(&value));
    };
    let mut value = record.to_owned();
    for token in pointer.split('/') {
        let Some(next) = member(&value, &token.replace("~1", "/").replace("~0", "~")) else {
            return Field::Missing;
        };
        value = next;
    }
    typed(&value)
}

fn member(value: &RawValue, key: &str) -> Option<Box<RawValue>> {
    let text = value.get();
    if text.starts_with('{') {
        let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
        members.remove(key)
    } else if text.starts_with('[') {
        let index: usize = key.parse().ok()?;
        let elements: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
        (index.to_string() == key).then(|| elements.get(index).cloned())?
    } else {
        None
    }
}

fn typed(value: &RawValue) -> Field {
    let text = value.get();
    match text.as_bytes()[0] {
        b'"' => Field::Text(serde_json::from_str(text).expect("a checked string")),
        b'{' | b'[' => Field::Text(text.to_owned()),
        b't' => Field::Bool(true),
        b'f' => Field::Bool(false),
        b'n' => Field::Missing,
        _ => Field::Number(text.to_owned()),
    }
}
