//! The values of JSON texts, and of the elements of an array in a field.

use super::value::Value;
use serde_json::value::RawValue;

/// Returns true if `holds` returns true for an element of the array. `text` must be valid JSON.
pub(crate) fn any_element(text: &str, mut holds: impl FnMut(Value<'_>) -> bool) -> bool {
    let elements: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
    elements.into_iter().any(|element| with_value(element.get(), &mut holds))
}

/// Calls `take` with the value that a valid JSON text without spaces around it is.
pub(crate) fn with_value<T>(json: &str, take: impl FnOnce(Value<'_>) -> T) -> T {
    match json.as_bytes() {
        [b'"', inside @ .., b'"'] => match (json.contains('\\'), std::str::from_utf8(inside)) {
            (false, Ok(text)) => take(Value::Text(text)),
            _ => take(Value::Text(&serde_json::from_str::<String>(json).unwrap_or_default())),
        },
        [b'[' | b'{', ..] => take(Value::Json(json)),
        b"true" => take(Value::Bool(true)),
        b"false" => take(Value::Bool(false)),
        b"null" => take(Value::Missing),
        _ => take(Value::Number(json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_values() {
        let mut seen = String::new();
        assert!(!any_element(
            r#"[ "a", "b\"c", 1.50, true, null, [1, 2], {"a":1}, "" ]"#,
            |value| {
                seen.push_str(&format!("{value:?} "));
                false
            }
        ));
        let expected = r#"Text("a") Text("b\"c") Number("1.50") Bool(true) Missing Json("[1, 2]") Json("{\"a\":1}") Text("") "#;
        assert_eq!(seen, expected);
        assert!(any_element("[1]", |value| value == Value::Number("1")));
        for none in ["[]", "{}", "", "[1"] {
            assert!(!any_element(none, |_| true), "{none}");
        }
    }
}
