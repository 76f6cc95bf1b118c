//! Dialects of CSV: what separates and quotes fields, whether there is a header, and how decimals
//! are written.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::str::FromStr;

/// A dialect of CSV. The default is RFC 4180 with a header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct CsvDialect {
    /// The byte of ASCII between fields. Default: a comma.
    pub delimiter: u8,
    /// The byte of ASCII around quoted fields, or 0 if no field is quoted. Default: `"`, and in
    /// files with tabs only where it is certain; see [`Format::Tsv`](super::format::Format::Tsv).
    pub quote: Option<u8>,
    /// The byte of ASCII with which comment lines begin. Default: no line is a comment.
    pub comment: Option<u8>,
    /// True if the first record is a header. Without one the columns are `c1`, `c2` and so on.
    /// Default: true.
    pub header: bool,
    /// True if decimals have a comma: `1.234,5` is 1234.5. Default: false.
    pub decimal_comma: bool,
}

impl Default for CsvDialect {
    fn default() -> Self {
        CsvDialect {
            delimiter: b',',
            quote: None,
            comment: None,
            header: true,
            decimal_comma: false,
        }
    }
}

impl CsvDialect {
    /// Returns the default with another delimiter.
    pub fn with_delimiter(delimiter: u8) -> Self {
        CsvDialect { delimiter, ..CsvDialect::default() }
    }

    /// Returns true if only the delimiter differs from the default.
    pub(super) fn is_plain(self) -> bool {
        self == CsvDialect::with_delimiter(self.delimiter)
    }

    /// Checks that no byte has two meanings.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] with the two.
    pub(super) fn validate(self) -> Result<Self, Error> {
        let quote = self.quote.unwrap_or(b'"');
        let clash = if self.delimiter == quote {
            "delimiter and quote"
        } else if self.comment == Some(self.delimiter) {
            "delimiter and comment"
        } else if self.comment == Some(quote) {
            "quote and comment"
        } else {
            return Ok(self);
        };
        Err(Error::invalid(format!("{clash} are the same character")))
    }
}

/// Reads one character of ASCII that is no line end.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for any other text.
pub(super) fn one_byte(text: &str, what: &str) -> Result<u8, Error> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0) => Ok(*byte),
        _ => Err(Error::invalid(format!("{text:?} is no {what}: use one character of ASCII"))),
    }
}

/// The text by which a state knows a dialect again.
impl fmt::Display for CsvDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |byte: Option<u8>| byte.map_or("default".to_owned(), |byte| byte.to_string());
        write!(
            f,
            "csv(delimiter={} quote={} comment={} header={} decimal_comma={})",
            self.delimiter,
            shown(self.quote),
            shown(self.comment),
            self.header,
            self.decimal_comma
        )
    }
}

impl FromStr for CsvDialect {
    type Err = Error;

    /// Reads what a dialect is displayed as.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for any other text.
    fn from_str(text: &str) -> Result<Self, Error> {
        let inside = text.strip_prefix("csv(").and_then(|rest| rest.strip_suffix(')'));
        let mut values = inside.unwrap_or_default().split(' ').map(|pair| pair.split_once('='));
        let mut next = |key: &str| {
            let (found, value) = values.next()??;
            (found == key).then_some(value)
        };
        let byte = |value: &str| match value {
            "default" => Some(None),
            number => number.parse().ok().map(Some),
        };
        let mut read = || {
            Some(CsvDialect {
                delimiter: next("delimiter")?.parse().ok()?,
                quote: byte(next("quote")?)?,
                comment: byte(next("comment")?)?,
                header: next("header")?.parse().ok()?,
                decimal_comma: next("decimal_comma")?.parse().ok()?,
            })
        };
        read().ok_or_else(|| Error::new(ErrorKind::Parse, format!("{text:?} is no dialect of CSV")))
    }
}

/// The bytes that a decoder looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CsvSyntax {
    pub(crate) delimiter: u8,
    /// 0 if no field is quoted.
    pub(crate) quote: u8,
    /// 0 if there are no comments.
    pub(crate) comment: u8,
    /// True if tabs separate fields and nobody said what their quotes mean.
    pub(super) certain: bool,
}

impl CsvSyntax {
    /// Returns true if a comment line begins at `at`, which must begin a record.
    pub(crate) fn is_comment(self, bytes: &[u8], at: usize) -> bool {
        self.comment != 0 && bytes.get(at) == Some(&self.comment)
    }
}

impl From<CsvDialect> for CsvSyntax {
    fn from(dialect: CsvDialect) -> Self {
        CsvSyntax {
            delimiter: dialect.delimiter,
            quote: dialect.quote.unwrap_or(b'"'),
            comment: dialect.comment.unwrap_or(0),
            certain: dialect.delimiter == b'\t' && dialect.quote.is_none(),
        }
    }
}

impl From<u8> for CsvSyntax {
    fn from(delimiter: u8) -> Self {
        CsvDialect::with_delimiter(delimiter).into()
    }
}

/// Writes a number with a decimal comma as one with a point, such as `1234.5` for `1.234,5`.
/// Returns false if the text is no such number, or is the same with a point.
pub(super) fn with_decimal_point(text: &[u8], number: &mut String) -> bool {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let comma = memchr::memchr(b',', unsigned);
    let (whole, fraction) = unsigned.split_at(comma.unwrap_or(unsigned.len()));
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let mut groups = whole.split(|byte| matches!(byte, b'.' | b' ' | b'\''));
    let first = groups.next().unwrap_or_default();
    let (mut grouped, mut are_groups) = (false, true);
    for group in groups {
        (grouped, are_groups) = (true, are_groups && group.len() == 3 && digits(group));
    }
    let is_number = digits(first)
        && are_groups
        && (!grouped || first.len() <= 3)
        && (fraction.is_empty() || digits(&fraction[1..]));
    if !is_number || (comma.is_none() && !grouped) {
        return false;
    }
    number.clear();
    for byte in text {
        match byte {
            b',' => number.push('.'),
            b'.' | b' ' | b'\'' => {}
            other => number.push(char::from(*other)),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_are_known_again_by_their_text() {
        let odd = CsvDialect {
            delimiter: b' ',
            quote: Some(b')'),
            comment: Some(b'='),
            header: false,
            decimal_comma: true,
        };
        for dialect in [CsvDialect::default(), odd, CsvDialect { quote: Some(0), ..odd }] {
            assert_eq!(dialect.to_string().parse::<CsvDialect>().unwrap(), dialect);
        }
        for text in ["csv()", "csv(;)", "csv(delimiter=x)", ""] {
            assert!(text.parse::<CsvDialect>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_with_a_decimal_comma_are_read() {
        let mut number = String::new();
        for (text, expected) in [
            ("1,5", Some("1.5")),
            ("-1.234.567,25", Some("-1234567.25")),
            ("1.234", Some("1234")),
            ("1 234,5", Some("1234.5")),
            ("12", None),
            ("1.5", None),
            ("1234.567,8", None),
            ("1,2,3", None),
            ("1,", None),
            (",5", None),
            ("a,5", None),
            ("", None),
        ] {
            let is_number = with_decimal_point(text.as_bytes(), &mut number);
            assert_eq!(is_number.then_some(number.as_str()), expected, "{text}");
        }
    }
}
