//! The formats, and detection of a format by its first bytes.

use crate::error::{Error, ErrorKind};
use std::fmt;
use std::str::FromStr;

/// The format of the records in a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Format {
    /// Detected for each file by its first bytes; see [`Format::detect`]. The default.
    #[default]
    Auto,
    /// One JSON object per line.
    JsonLines,
    /// RFC 4180 with a header line.
    Csv,
    /// As CSV, with tabs between the fields. Quotes are text, unless the header has a quoted field,
    /// or the quotes of a field are at its beginning and its end, on one line, with a tab or a
    /// doubled quote between them.
    Tsv,
    /// The common or combined log format of Apache and nginx.
    Clf,
    /// As `Clf`, with the virtual host in front, such as `www.example.com:443`: Apache's
    /// `vhost_combined`.
    Vhost,
    /// Plain lines, with one field `line`.
    Lines,
}

impl Format {
    /// Returns the name that the command and pipeline files use.
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
}

/// The byte order mark of UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the bytes without a leading byte order mark of UTF-8.
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
    /// [`ErrorKind::Parse`] for any text but the seven names.
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
