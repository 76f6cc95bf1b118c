//! The formats, and how one is recognised by its first bytes.

use crate::error::{Error, ErrorKind};
use crate::formats::detect::{self, Beginning, Detected};
use std::fmt;
use std::str::FromStr;

/// How a file's bytes are records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Format {
    /// Decided for each file by its first bytes; see [`Format::detect`]. The default.
    #[default]
    Auto,
    /// One JSON object a line.
    JsonLines,
    /// RFC 4180 with a header line.
    Csv,
    /// As CSV, with tabs between the fields. Quotes are text, unless the header has a quoted field,
    /// or a field's quotes stand at its beginning and its end, on one line, with a tab or a doubled
    /// quote between them.
    Tsv,
    /// The common or combined log format of Apache and nginx.
    Clf,
    /// The same with the virtual host in front, such as `www.example.com:443`: Apache's
    /// `vhost_combined`.
    Vhost,
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
            Format::Vhost => "vhost",
            Format::Lines => "lines",
        }
    }

    /// Recognises the format of a file by its bytes, or by its first 128 KiB; the name is not
    /// looked at.
    ///
    /// A byte order mark and blank lines in front are passed over. Then it is
    /// 1. JSON Lines if its first line is a JSON object, or begins as one and another line is one;
    /// 2. an access log if its first two lines certainly are in the format, time and referer
    ///    included;
    /// 3. TSV or CSV if its first line certainly is a header: the records under it have as many
    ///    fields, two at least; its fields differ and read like names, not like values; and in a
    ///    column at least, the fields below read like values. Two records under the header are
    ///    looked at, or one if there is only one;
    /// 4. plain lines in any other case.
    ///
    /// At most five lines are looked at that are not blank. [`run`](crate::adapter::files::run)
    /// also takes a header for one that has all of the fields that records are asked for, says why
    /// it reads lines, and refuses what is certainly not lines of text, such as other kinds of
    /// compressed data, UTF-16, a JSON array, or Parquet.
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::Format;
    /// assert_eq!(Format::detect(b"{\"a\": 1}\n"), Format::JsonLines);
    /// assert_eq!(Format::detect(b"time,bytes\n1,2\n"), Format::Csv);
    /// assert_eq!(Format::detect(b"2024-01-01 12:00:00,123 INFO started\n"), Format::Lines);
    /// ```
    pub fn detect(first_bytes: &[u8]) -> Format {
        let beginning = Beginning::of(without_byte_order_mark(first_bytes), true);
        match detect::detect(beginning, &[]) {
            Some(Detected::Certain(format)) => format,
            Some(Detected::Lines(_) | Detected::Refused(_)) | None => Format::Lines,
        }
    }
}

/// UTF-8's byte order mark.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes without UTF-8's byte order mark in front.
pub(crate) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::Parse`] for anything but the seven names.
    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [
            Format::Auto,
            Format::JsonLines,
            Format::Csv,
            Format::Tsv,
            Format::Clf,
            Format::Vhost,
            Format::Lines,
        ];
        all.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let shown: String = text.chars().take(50).collect();
            Error::new(
                ErrorKind::Parse,
                format!(
                    "{shown:?} is not a format: use auto, jsonl, csv, tsv, clf, vhost or lines"
                ),
            )
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
            ("a,b", Format::Lines),
            ("\u{feff}a,b\n1,2\n", Format::Csv),
            ("a\tb,c\n1\t2,3\n", Format::Tsv),
            ("a,\"b\nc\"\n1,2\n", Format::Csv),
            ("2015,2016\n1,2\n", Format::Lines),
            ("2024-01-01 12:00:00,123 ERROR no\n", Format::Lines),
            ("2024-01-01 12:00:00,123 ERROR no\nat x\n", Format::Lines),
            ("id,name\n1\n", Format::Lines),
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
        for format in [
            Format::Auto,
            Format::JsonLines,
            Format::Csv,
            Format::Tsv,
            Format::Clf,
            Format::Vhost,
            Format::Lines,
        ] {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        assert_eq!("json".parse::<Format>().unwrap_err().kind(), ErrorKind::Parse);
    }
}
