//! The elements of a JSON array in a field.

use super::value::Value;
use serde_json::value::RawValue;

/// Returns true if `holds` returns true for an element of the array. `text` must be valid JSON.
pub(crate) fn any_element(text: &str, mut holds: impl FnMut(Value<'_>) -> bool) -> bool {
    let elements: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
    elements.into_iter().map(RawValue::get).any(|element| match element.as_bytes() {
        [b'"', ..] if element.contains('\\') => {
            serde_json::from_str::<String>(element).is_ok_and(|text| holds(Value::Text(&text)))
        }
        [b'"', inside @ .., b'"'] => {
            std::str::from_utf8(inside).is_ok_and(|text| holds(Value::Text(text)))
        }
        [b'[' | b'{', ..] => holds(Value::Json(element)),
        b"true" => holds(Value::Bool(true)),
        b"false" => holds(Value::Bool(false)),
        b"null" => holds(Value::Missing),
        _ => holds(Value::Number(element)),
    })
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
