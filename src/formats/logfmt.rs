//! logfmt: `key=value` pairs with spaces between them.
//!
//! A value may be in quotes, in which `\"`, `\\`, `\n`, `\r`, `\t` and `\u0041` are escapes. A key
//! without a value is true. Of a key that a line has twice, the later value counts. Values are
//! untyped: quotes do not make a number text. A line without a pair, with a quote that is not
//! closed, or with text right after a closing quote is a dead letter.

use super::decode_error::DecodeError;
use crate::error::Error;
use crate::row::Row;
use std::ops::Range;

const LINE: &str = "line of logfmt";

/// Decodes lines of logfmt into rows.
#[derive(Clone, Debug)]
pub(crate) struct LogfmtDecoder {
    fields: Vec<String>,
    scratch: String,
}

/// A value of a line.
enum LogfmtValue {
    /// There is no `=`.
    True,
    /// Text as it stands in the line.
    Plain(Range<usize>),
    /// Text in quotes that has escapes.
    Escaped(Range<usize>),
}

/// A pair, and the offset after it.
struct Pair {
    key: Range<usize>,
    value: LogfmtValue,
    end: usize,
}

impl LogfmtDecoder {
    /// Creates a decoder of these fields, by slot. Any name can be a key.
    ///
    /// # Errors
    /// None is known.
    pub(crate) fn new<S: AsRef<str>>(fields: &[S]) -> Result<Self, Error> {
        let fields = fields.iter().map(|field| field.as_ref().to_owned()).collect();
        Ok(LogfmtDecoder { fields, scratch: String::new() })
    }

    /// Sets the fields of the line, which begins at `start` in the row's source.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<(), DecodeError> {
        let (mut at, mut pairs) = (0, 0);
        while let Some(pair) = next_pair(line, at)? {
            at = pair.end;
            pairs += usize::from(!matches!(pair.value, LogfmtValue::True));
            let key = &line[pair.key];
            for slot in 0..self.fields.len() {
                if self.fields[slot].as_bytes() == key {
                    self.set(slot, (line, start), &pair.value, row);
                }
            }
        }
        if pairs == 0 { Err(refused("it has no key=value")) } else { Ok(()) }
    }

    fn set(
        &mut self,
        slot: usize,
        (line, start): (&[u8], usize),
        value: &LogfmtValue,
        row: &mut Row,
    ) {
        match value {
            LogfmtValue::True => row.set_bool(slot, true),
            LogfmtValue::Plain(range) if range.is_empty() => row.set_missing(slot),
            LogfmtValue::Plain(range) => {
                row.set_untyped(slot, start + range.start..start + range.end);
            }
            LogfmtValue::Escaped(range) => {
                unescape(&line[range.clone()], &mut self.scratch);
                row.set_unescaped(slot, &self.scratch);
            }
        }
    }
}

fn refused(what: &'static str) -> DecodeError {
    DecodeError::LogLine { line: LINE, what }
}

/// Returns the pair that begins at or after `at`; `None` at the end of the line.
fn next_pair(line: &[u8], mut at: usize) -> Result<Option<Pair>, DecodeError> {
    while line.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        at += 1;
    }
    if at >= line.len() {
        return Ok(None);
    }
    let rest = &line[at..];
    let len = rest.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'=' | b'"'));
    let key = at..at + len.unwrap_or(rest.len());
    match line.get(key.end) {
        Some(b'"') => return Err(refused("there is a quote in a key")),
        Some(b'=') if key.is_empty() => return Err(refused("there is no key before =")),
        Some(b'=') => {}
        _ => return Ok(Some(Pair { end: key.end, key, value: LogfmtValue::True })),
    }
    let value_at = key.end + 1;
    if line.get(value_at) != Some(&b'"') {
        let rest = &line[value_at..];
        let len = rest.iter().position(|byte| matches!(byte, b' ' | b'\t'));
        let end = value_at + len.unwrap_or(rest.len());
        return Ok(Some(Pair { key, value: LogfmtValue::Plain(value_at..end), end }));
    }
    let (mut from, mut escaped) = (value_at + 1, false);
    loop {
        let found = line.get(from..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest));
        let found = from + found.ok_or_else(|| refused("a quote is not closed"))?;
        if line[found] == b'\\' {
            (escaped, from) = (true, found + 2);
            continue;
        }
        if line.get(found + 1).is_some_and(|byte| !matches!(byte, b' ' | b'\t')) {
            return Err(refused("there is text right after a closing quote"));
        }
        let inside = value_at + 1..found;
        let value = if escaped { LogfmtValue::Escaped(inside) } else { LogfmtValue::Plain(inside) };
        return Ok(Some(Pair { key, value, end: found + 1 }));
    }
}

/// Writes the text with its escapes resolved. An unknown escape stays as it is.
fn unescape(bytes: &[u8], text: &mut String) {
    text.clear();
    let inside = String::from_utf8_lossy(bytes);
    let mut rest = inside.as_ref();
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let hex = escape.strip_prefix('u').and_then(|digits| digits.get(..4));
        let code = hex.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let (char, len) = match (escape.chars().next(), code.and_then(char::from_u32)) {
            (Some('u'), Some(char)) => (char, 5),
            (Some('n'), _) => ('\n', 1),
            (Some('r'), _) => ('\r', 1),
            (Some('t'), _) => ('\t', 1),
            (Some(char @ ('"' | '\\')), _) => (char, 1),
            _ => ('\\', 0),
        };
        text.push(char);
        rest = &escape[len..];
    }
    text.push_str(rest);
}

/// Returns true if the line is certainly logfmt: all of it is pairs with usual keys, two at least.
pub(super) fn is_certain(line: &[u8]) -> bool {
    let is_key = |key: &[u8]| {
        key.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./@".contains(byte))
    };
    let (mut at, mut pairs) = (0, 0);
    loop {
        match next_pair(line, at) {
            Ok(Some(Pair { key, value, end }))
                if !matches!(value, LogfmtValue::True) && is_key(&line[key.clone()]) =>
            {
                (at, pairs) = (end, pairs + 1);
            }
            Ok(None) => return pairs >= 2,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Block, Value};
    use proptest::prelude::*;

    fn values(line: &str, fields: &[&str]) -> Result<Vec<String>, DecodeError> {
        let mut decoder = LogfmtDecoder::new(fields).unwrap();
        let mut row = Row::new(fields.len());
        row.begin_in(&Block::from_vec(line.as_bytes().to_vec()));
        decoder.line(line.as_bytes(), 0, &mut row)?;
        let shown = |slot| match row.value(slot) {
            Value::Text(text) | Value::Untyped(text) => text.to_owned(),
            other => format!("{other:?}"),
        };
        Ok((0..fields.len()).map(shown).collect())
    }

    #[test]
    fn pairs_are_read() {
        let line = r#"level=info msg="say \"hi\"\n" took=3.5 empty= quoted="" debug took=4 µ=1"#;
        let fields = ["level", "msg", "took", "empty", "quoted", "debug", "none", "µ"];
        assert_eq!(
            values(line, &fields).unwrap(),
            ["info", "say \"hi\"\n", "4", "Missing", "Missing", "Bool(true)", "Missing", "1"]
        );
        for wrong in ["", "started", "=1", "a=\"b", "a=\"b\"c", "a\"b=1", "a=\"\\"] {
            assert!(values(wrong, &["a"]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_of_pairs_alone_are_certain() {
        for line in ["a=1 b=2", "time=2024-01-02T03:04:05Z level=info msg=\"a b\""] {
            assert!(is_certain(line.as_bytes()), "{line}");
        }
        for line in ["a=1", "started a=1 b=2", "2024-01-02 a=1 b=2", "x = 1 y = 2", "a=1,b=2", ""] {
            assert!(!is_certain(line.as_bytes()), "{line}");
        }
    }

    proptest! {
        /// What was written with quotes and escapes is read as it was.
        #[test]
        fn values_round_trip(texts in proptest::collection::vec("[a-zé\"\\\\\n\t= ]{1,8}", 1..5)) {
            let write = |(at, text): (usize, &String)| {
                let escaped = text
                    .replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('\n', "\\n")
                    .replace('\t', "\\t");
                format!("k{at}=\"{escaped}\"")
            };
            let line = texts.iter().enumerate().map(write).collect::<Vec<_>>().join(" ");
            let fields: Vec<String> = (0..texts.len()).map(|at| format!("k{at}")).collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            prop_assert_eq!(values(&line, &fields).unwrap(), texts);
        }

        #[test]
        fn any_line_is_no_danger(line in "\\PC{0,30}", near in "[a=\" \\\\u0é]{0,20}") {
            for line in [line, near] {
                let _ = values(&line, &["a"]);
                is_certain(line.as_bytes());
            }
        }
    }
}
