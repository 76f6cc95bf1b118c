//! JSON values that are expected to be of one type and may be of any: a wrong one costs its own record, not the whole batch.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A field that should be text; borrowed from the input unless it has escapes.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Text<'a> {
    /// Not there, or null.
    #[default]
    Missing,
    /// Text.
    Text(Cow<'a, str>),
    /// Something else, and what.
    Other(&'static str),
}

impl<'a> Text<'a> {
    /// The text, or what is wrong, as the end of a sentence that began with the field's name.
    pub(super) fn required(&self) -> Result<&str, &'static str> {
        match self {
            Text::Text(text) => Ok(text),
            Text::Missing => Err("is missing or null"),
            Text::Other(what) => Err(what),
        }
    }

    /// The text, if there is one.
    pub(super) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Text::Text(text) => Some(text),
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
        Ok(Text::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Text(Cow::Owned(text.to_owned())))
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

/// At most `chars` characters of a text that an error shows.
pub(super) fn excerpt(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
    }
}
