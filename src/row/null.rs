//! Text that means a missing value.

use super::number::Number;
use super::value::Value;

/// The usual markers of sources that do not distinguish text from numbers. Empty text is a marker
/// in every source.
pub(crate) const USUAL: [&str; 7] = ["", "NA", "N/A", "NULL", "null", "\\N", "-"];

/// The text that counts as a missing value, in addition to values that are always missing: a null,
/// an absent field, an empty field of an untyped source.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) enum Nulls {
    /// The usual markers, only in fields that the pipeline uses as numbers.
    #[default]
    Usual,
    /// A list of markers from the pipeline, in all fields.
    Listed(Vec<Marker>),
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Marker {
    text: String,
    /// The number, if the marker spells a number. The marker then also matches that number.
    number: Option<Number>,
}

impl Nulls {
    /// Creates a list of markers for all fields.
    pub(crate) fn listed(markers: Vec<String>) -> Nulls {
        let marker = |text: String| Marker { number: Number::parse(&text).ok(), text };
        Nulls::Listed(markers.into_iter().map(marker).collect())
    }

    /// Returns true if a value is a marker. Spaces around it do not matter. The caller must know
    /// that the markers apply to the field.
    pub(crate) fn contain(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Nulls::Usual, Value::Untyped(text)) => USUAL.contains(&text.trim_ascii()),
            (Nulls::Usual, Value::Text(text)) => text.trim_ascii().is_empty(),
            (Nulls::Listed(markers), Value::Untyped(text) | Value::Text(text)) => {
                markers.iter().any(|marker| marker.text == text || marker.text == text.trim_ascii())
            }
            (Nulls::Listed(markers), Value::Number(text)) => {
                let number = Number::parse(text).ok();
                number.is_some() && markers.iter().any(|marker| marker.number == number)
            }
            _ => false,
        }
    }

    /// Returns true if a number can be a marker.
    #[inline]
    pub(crate) fn has_numbers(&self) -> bool {
        match self {
            Nulls::Usual => false,
            Nulls::Listed(markers) => markers.iter().any(|marker| marker.number.is_some()),
        }
    }
}
