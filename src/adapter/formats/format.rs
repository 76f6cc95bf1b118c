//! The formats, and how one is recognised by its first bytes.

use crate::adapter::formats::clf;
use crate::adapter::formats::csv;
use crate::error::{Error, ErrorKind};
use std::fmt;
use std::str::FromStr;

/// How a file's bytes are records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Format {
    /// Decided for each file by its first bytes; see [`Format::detect`]. The default.
    #[default]
    Auto,
    /// One JSON object a line.
    JsonLines,
    /// RFC 4180 with a header line.
    Csv,
    /// As CSV, with tabs between the fields.
    Tsv,
    /// The common or combined log format of Apache and nginx.
    Clf,
    /// Plain lines, with the one field `line`.
    Lines,
}

impl Format {
    /// The name that the command and pipeline files use.
    pub fn name(self) -> &'static str {
        match self {
            Format::Auto => "auto",
            Format::JsonLines => "jsonl",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Clf => "clf",
            Format::Lines => "lines",
        }
    }

    /// Recognises the format of a file by its first bytes, after decompression; the name is not looked at.
    ///
    /// A byte order mark and blank lines in front are passed over. Then the first line decides:
    /// 1. it begins with `{`: JSON Lines;
    /// 2. it is an access log line from host to byte count: CLF;
    /// 3. it splits at tabs, or else at commas, into at least two fields with names that differ, of which at most the first is
    ///    empty, and the next record has as many fields; or no name begins with a digit: TSV or CSV, with that line as header;
    /// 4. anything else, also nothing at all: plain lines.
    ///
    /// A header of one column, or one over records with another number of fields whose names begin with digits, is not
    /// recognised: such a file needs its format named.
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::Format;
    /// assert_eq!(Format::detect(b"{\"a\": 1}\n"), Format::JsonLines);
    /// assert_eq!(Format::detect(b"time,bytes\n1,2\n"), Format::Csv);
    /// assert_eq!(Format::detect(b"started in 3 ms\n"), Format::Lines);
    /// ```
    pub fn detect(first_bytes: &[u8]) -> Format {
        let mut bytes = without_byte_order_mark(first_bytes);
        while let Some(rest) = without_blank_line(bytes) {
            bytes = rest;
        }
        let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
        let line = bytes.get(..end).unwrap_or_default();
        match line.trim_ascii_start().first() {
            None => Format::Lines,
            Some(b'{') => Format::JsonLines,
            Some(_) if clf::parse(line).is_ok() => Format::Clf,
            Some(_) if csv::has_header(bytes, b'\t') => Format::Tsv,
            Some(_) if csv::has_header(bytes, b',') => Format::Csv,
            Some(_) => Format::Lines,
        }
    }
}

/// The bytes without UTF-8's byte order mark in front.
pub(crate) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn without_blank_line(bytes: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'\n', bytes)?;
    bytes.get(..end)?.trim_ascii().is_empty().then(|| bytes.get(end + 1..).unwrap_or_default())
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::Parse`] for anything but the six names.
    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Format::Auto, Format::JsonLines, Format::Csv, Format::Tsv, Format::Clf, Format::Lines];
        all.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let shown: String = text.chars().take(50).collect();
            Error::new(ErrorKind::Parse, format!("{shown:?} is not a format: use auto, jsonl, csv, tsv, clf or lines"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        let clf = r#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;
        let cases: &[(&str, Format)] = &[
            ("", Format::Lines),
            ("\u{feff}", Format::Lines),
            ("\n \n", Format::Lines),
            ("{}", Format::JsonLines),
            ("\u{feff}\r\n  {\"a\":1}\n", Format::JsonLines),
            ("{\"a\":1,\"b\":2}\n{\"a\":1,\"b\":2}\n", Format::JsonLines),
            ("[{\"a\":1},\n{\"a\":2}]\n", Format::Lines),
            (clf, Format::Clf),
            ("10.0.0.1, 10.0.0.2 - - not a log\n", Format::Lines),
            ("a,b", Format::Csv),
            ("\u{feff}a,b\n1,2\n", Format::Csv),
            ("a\tb,c\n1\t2,3\n", Format::Tsv),
            ("a,\"b\nc\"\n1,2\n", Format::Csv),
            ("2015,2016\n1,2\n", Format::Csv),
            ("2024-01-01 12:00:00,123 ERROR no\n", Format::Lines),
            ("2024-01-01 12:00:00,123 ERROR no\nat x\n", Format::Lines),
            ("id,name\n1\n", Format::Csv),
            ("a,a\n1,2\n", Format::Lines),
            ("Hello, , world\n", Format::Lines),
            (",a,b\n0,1,2\n", Format::Csv),
            ("single\n1\n2\n", Format::Lines),
            ("\0\u{1},binary\n", Format::Lines),
        ];
        for (bytes, format) in cases {
            assert_eq!(Format::detect(bytes.as_bytes()), *format, "{bytes:?}");
        }
    }

    #[test]
    fn names_round_trip() {
        for format in [Format::Auto, Format::JsonLines, Format::Csv, Format::Tsv, Format::Clf, Format::Lines] {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        assert_eq!("json".parse::<Format>().unwrap_err().kind(), ErrorKind::Parse);
    }
}
