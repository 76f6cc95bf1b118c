//! Text that says that there is no value.

use super::number::Number;
use super::value::Value;

/// The usual markers of sources that do not tell text from numbers. Empty text is one of every
/// source.
pub(crate) const USUAL: [&str; 7] = ["", "NA", "N/A", "NULL", "null", "\\N", "-"];

/// Which text counts as a missing value, beside what is missing anyway: a null, an absent field, an
/// empty field of an untyped source.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) enum Nulls {
    /// The usual markers, in the fields that the pipeline uses as numbers, and no others.
    #[default]
    Usual,
    /// A list of the pipeline's own, in all fields.
    Listed(Vec<Marker>),
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Marker {
    text: String,
    /// A marker that spells a number stands for that number, too.
    number: Option<Number>,
}

impl Nulls {
    /// The markers of a list, in all fields.
    pub(crate) fn listed(markers: Vec<String>) -> Nulls {
        let marker = |text: String| Marker { number: Number::parse(&text).ok(), text };
        Nulls::Listed(markers.into_iter().map(marker).collect())
    }

    /// Whether a value of a field in which the markers count is one of them. Spaces around it do
    /// not matter.
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

    /// Whether a number can be a marker.
    #[inline]
    pub(crate) fn has_numbers(&self) -> bool {
        match self {
            Nulls::Usual => false,
            Nulls::Listed(markers) => markers.iter().any(|marker| marker.number.is_some()),
        }
    }
}
