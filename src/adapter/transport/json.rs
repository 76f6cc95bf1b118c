//! JSON values with an expected type that may have any type: a wrong value costs its record, not
//! the whole batch.

use crate::error::{Error as AdapterError, ErrorKind};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A field that should be text, borrowed from the input unless it has escapes.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Text<'a> {
    /// The field is missing or null.
    #[default]
    Missing,
    /// The text.
    Present(Cow<'a, str>),
    /// The field has another type; how the sentence ends.
    Other(&'static str),
}

impl<'a> Text<'a> {
    /// Returns the text. The error is the end of a sentence that begins with the field's name.
    pub(crate) fn required(&self) -> Result<&str, &'static str> {
        match self {
            Text::Present(text) => Ok(text),
            Text::Missing => Err("is missing or null"),
            Text::Other(what) => Err(what),
        }
    }

    /// Returns the text, if there is one.
    #[cfg(feature = "lambda")]
    pub(crate) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Text::Present(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::Present(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Present(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text::Missing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text::Other("is a truth value and not a string"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Text<'de>, E> {
        Ok(Text::Other("is a number and not a string"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Text<'de>, E> {
        Ok(Text::Other("is a number and not a string"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text::Other("is a number and not a string"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::Other("is an array and not a string"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::Other("is an object and not a string"))
    }
}

/// A field that should be a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Whole {
    /// The field is missing or null.
    #[default]
    Missing,
    /// A number.
    Number(i64),
    /// The field has another type, or a number that is not whole or too large.
    Other,
}

impl Whole {
    /// Returns the number, if there is one. The error is the end of a sentence that begins with the
    /// field's name.
    pub(crate) fn optional(self) -> Result<Option<i64>, &'static str> {
        match self {
            Whole::Missing => Ok(None),
            Whole::Number(number) => Ok(Some(number)),
            Whole::Other => Err("is not a whole number of at most 63 bits"),
        }
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl<'de> Visitor<'de> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    #[inline]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole::Number(number))
    }

    #[inline]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
        Ok(i64::try_from(number).map_or(Whole::Other, Whole::Number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Whole, E> {
        Ok(Whole::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Whole, E> {
        Ok(Whole::Missing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Whole, E> {
        Ok(Whole::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Whole, E> {
        Ok(Whole::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Whole, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Whole::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Whole, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Whole::Other)
    }
}

/// Returns the bytes as text.
///
/// # Errors
/// [`ErrorKind::Parse`] if they are not UTF-8, with the offset of the first wrong byte.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, AdapterError> {
    simdutf8::compat::from_utf8(bytes).map_err(|error| {
        AdapterError::new(ErrorKind::Parse, format!("byte {} is not UTF-8", error.valid_up_to()))
    })
}

/// Returns at most `chars` characters of a text, for an error.
pub(crate) fn excerpt(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
    }
}
