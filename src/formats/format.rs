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
    /// As CSV, with another byte of ASCII between the fields: see [`Format::with_delimiter`].
    Separated(u8),
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
            Format::Csv | Format::Separated(_) => "csv",
            Format::Tsv => "tsv",
            Format::Clf => "clf",
            Format::Vhost => "vhost",
            Format::Lines => "lines",
        }
    }

    /// Returns the format that a pipeline names by its `format` and its `delimiter`. Default:
    /// [`Format::Auto`].
    ///
    /// # Errors
    /// As [`Format::from_str`] and [`Format::with_delimiter`], with the key in front.
    pub fn of_pipeline(format: Option<&str>, delimiter: Option<&str>) -> Result<Format, Error> {
        let format = format.map_or(Ok(Format::Auto), str::parse);
        let format: Format = format.map_err(|error: Error| error.at("format"))?;
        let delimited = delimiter.map_or(Ok(format), |text| format.with_delimiter(text));
        delimited.map_err(|error| error.at("delimiter"))
    }

    /// Returns CSV with this text between the fields: one character of ASCII, or `\t` for a tab.
    /// Only CSV can have a delimiter; what is to be detected is CSV then.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for another format, and for text that cannot be a delimiter: a
    /// quote, a line end, or no character of ASCII alone.
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::Format;
    /// assert_eq!(Format::Csv.with_delimiter(";")?, Format::Separated(b';'));
    /// assert_eq!(Format::Auto.with_delimiter(",")?, Format::Csv);
    /// assert!(Format::JsonLines.with_delimiter(";").is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn with_delimiter(self, delimiter: &str) -> Result<Format, Error> {
        if !matches!(self, Format::Auto | Format::Csv | Format::Separated(_)) {
            let message = format!("only csv has a delimiter, and the format is {self}");
            return Err(Error::invalid(message));
        }
        match delimiter.as_bytes() {
            b"\t" | b"\\t" => Ok(Format::Tsv),
            b"," => Ok(Format::Csv),
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => {
                Ok(Format::Separated(*byte))
            }
            _ => Err(Error::invalid(format!(
                "{delimiter:?} cannot stand between fields: use one character of ASCII, such as ;, \
                 or \\t for a tab"
            ))),
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
        match self {
            Format::Separated(byte) => write!(f, "csv({})", char::from(*byte)),
            format => f.write_str(format.name()),
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    /// Reads a name, or what a format is displayed as: CSV with another delimiter is `csv(;)`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for any text but the seven names and this form.
    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(delimiter) = text.strip_prefix("csv(").and_then(|rest| rest.strip_suffix(')')) {
            return Format::Csv
                .with_delimiter(delimiter)
                .map_err(|error| Error::new(ErrorKind::Parse, error.message()));
        }
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
            Format::Separated(b';'),
            Format::Separated(b')'),
            Format::Clf,
            Format::Vhost,
            Format::Lines,
        ] {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        for text in ["json", "csv()", "csv(\")", "csv(ab)", "csv(ä)", "csv(;"] {
            assert_eq!(text.parse::<Format>().unwrap_err().kind(), ErrorKind::Parse, "{text}");
        }
    }
}
