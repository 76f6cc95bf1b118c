//! The value of a field.

/// The value of one field, as the source wrote it; numbers are not parsed before somebody asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// The record does not have the field, or it is null.
    Missing,
    /// A truth value.
    Bool(bool),
    /// A number, in the source's own (JSON) notation.
    Number(&'a str),
    /// Text that the source marks as text, such as a JSON string.
    Text(&'a str),
    /// Text of a source that does not tell text from numbers, such as CSV.
    Untyped(&'a str),
    /// An array or object: its JSON text.
    Json(&'a str),
}

impl Value<'_> {
    /// Whether there is no value: the field is missing or null, or empty text of an untyped source,
    /// which has no other way to say so.
    #[inline]
    pub fn is_missing(self) -> bool {
        match self {
            Value::Missing => true,
            Value::Untyped(text) => text.is_empty(),
            _ => false,
        }
    }
}
