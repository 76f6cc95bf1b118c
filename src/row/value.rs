//! The value of a field.

/// The value of one field as the source wrote it. Numbers are parsed only when they are read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// The record does not have the field, or it is null.
    Missing,
    /// A truth value.
    Bool(bool),
    /// A number, in the source's own (JSON) notation.
    Number(&'a str),
    /// Text that the source marks as text, such as a JSON string.
    Text(&'a str),
    /// Text of a source that does not distinguish text from numbers, such as CSV.
    Untyped(&'a str),
    /// An array or object, as JSON text.
    Json(&'a str),
    /// An integer that an expression computed.
    Integer(i64),
    /// A finite float that an expression computed.
    Float(f64),
}

impl Value<'_> {
    /// Returns true if there is no value: the field is missing or null, or it is empty text of an
    /// untyped source, which has no other way to express a missing value.
    #[inline]
    pub fn is_missing(self) -> bool {
        match self {
            Value::Missing => true,
            Value::Untyped(text) => text.is_empty(),
            _ => false,
        }
    }
}
