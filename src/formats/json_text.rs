//! The form of JSON at the beginning of a text: one object per line, or a form that must be split
//! first.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// The form of the beginning of a text that could be JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JsonText {
    /// One object on the first line.
    Line,
    /// Several objects on the first line.
    SeveralOnALine,
    /// One object on the first line, and a comma: the elements of an array without its brackets.
    Commas,
    /// An array.
    Array,
    /// An object over several lines.
    OverLines,
    /// The bytes end inside the first line, and are valid JSON so far.
    Unfinished,
    /// Not JSON.
    No,
}

impl JsonText {
    /// Returns true if it is JSON that is not one value per line.
    pub(crate) fn is_to_be_cut(self) -> bool {
        matches!(
            self,
            JsonText::SeveralOnALine | JsonText::Commas | JsonText::Array | JsonText::OverLines
        )
    }
}

/// Examines the text from its first byte, which is not white space. If an object continues after
/// the bytes or after its first line, only the present part is checked.
pub(crate) fn look(bytes: &[u8]) -> JsonText {
    let is_array = bytes.starts_with(b"[");
    if !is_array && !bytes.starts_with(b"{") {
        return JsonText::No;
    }
    let line_end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let mut values = Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let end = match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        Some(Err(error)) if error.is_eof() && (is_array || line_end == bytes.len()) => {
            return if is_array { JsonText::Array } else { JsonText::Unfinished };
        }
        Some(Err(error)) if error.is_eof() => return JsonText::OverLines,
        _ => return JsonText::No,
    };
    let after = bytes.get(end..line_end.max(end)).unwrap_or_default().trim_ascii();
    match (is_array, after.is_empty()) {
        _ if end > line_end => {
            if is_array {
                JsonText::Array
            } else {
                JsonText::OverLines
            }
        }
        (true, true) => JsonText::Array,
        (false, true) => JsonText::Line,
        (false, false) if after == b"," => JsonText::Commas,
        (false, false) if after.starts_with(b"{") && matches!(values.next(), Some(Ok(_))) => {
            JsonText::SeveralOnALine
        }
        _ => JsonText::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_json_are_told() {
        let cases = [
            ("{\"a\":1}", JsonText::Line),
            ("{\"a\":1} \r\n{\"b\"", JsonText::Line),
            ("{}", JsonText::Line),
            ("{\"a\":1}{\"a\":2}\n", JsonText::SeveralOnALine),
            ("{\"a\":1} {\"a\":2}", JsonText::SeveralOnALine),
            ("{\"a\":1},\r\n{\"a\":2}\n", JsonText::Commas),
            ("{\"a\":1} ,", JsonText::Commas),
            ("{\"a\":1}, x\n", JsonText::No),
            ("{\n\"a\":1\n}\n", JsonText::OverLines),
            ("{\"a\":{\n\"b\":", JsonText::OverLines),
            ("{\"a\":\"long", JsonText::Unfinished),
            ("{\"a\":1\n{\"a\":2}\n", JsonText::No),
            ("{\"a\":1} x\n", JsonText::No),
            ("{main} started\n", JsonText::No),
            ("[{\"v\":1},{\"v\":2}]\n", JsonText::Array),
            ("[\n  {\"v\":1},\n", JsonText::Array),
            ("[]", JsonText::Array),
            ("[1,2", JsonText::Array),
            ("[1] started\n", JsonText::No),
            ("[25/Oct/2025:20:00:00 +0000] x\n", JsonText::No),
            ("[2016-12-19 16:25:00,123] INFO\n", JsonText::No),
            ("[main] INFO\n", JsonText::No),
            ("\"a\"\n", JsonText::No),
        ];
        for (text, shape) in cases {
            assert_eq!(look(text.as_bytes()), shape, "{text:?}");
        }
    }
}
