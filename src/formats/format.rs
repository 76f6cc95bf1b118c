//! The formats, and detection of a format by its first bytes.

use crate::error::{Error, ErrorKind};
use crate::formats::csv_dialect::{CsvDialect, one_byte};
use crate::formats::{line_pattern, log_format, regex_line};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The format of the records in a file.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
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
    /// As CSV, in a dialect of which more than the delimiter differs.
    Dialect(CsvDialect),
    /// The common or combined log format of Apache and nginx.
    Clf,
    /// As `Clf`, with the virtual host in front, such as `www.example.com:443`: Apache's
    /// `vhost_combined`.
    Vhost,
    /// Plain lines, with one field `line`.
    Lines,
    /// logfmt: pairs such as `level=info msg="a b"`.
    Logfmt,
    /// The extended log format of the W3C, whose columns a line `#Fields:` names, as IIS and
    /// CloudFront write it.
    W3c,
    /// The access log of an AWS application load balancer.
    Alb,
    /// The access log of an S3 bucket.
    S3,
    /// The flow log of a VPC, with the columns of its header or of the default format.
    Vpc,
    /// The log that nginx or Apache writes by this format string: see
    /// [`Format::with_log_format`].
    Server(Arc<str>),
    /// Lines in which fields stand between text: see [`Format::with_pattern`].
    Pattern(Arc<str>),
    /// Lines that a regular expression takes apart: see [`Format::with_regex`].
    Regex(Arc<str>),
}

/// The formats that a name alone says.
const NAMED: [Format; 12] = [
    Format::Auto,
    Format::JsonLines,
    Format::Csv,
    Format::Tsv,
    Format::Clf,
    Format::Vhost,
    Format::Logfmt,
    Format::W3c,
    Format::Alb,
    Format::S3,
    Format::Vpc,
    Format::Lines,
];

/// The keys of a pipeline that say how its records are written.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct FormatKeys<'a> {
    /// The name of a format. Default: it is detected.
    pub format: Option<&'a str>,
    /// What separates the fields of CSV. Default: a comma.
    pub delimiter: Option<&'a str>,
    /// What quotes fields of CSV, or `none`. Default: `"`.
    pub quote: Option<&'a str>,
    /// What comment lines of CSV begin with. Default: no line is a comment.
    pub comment: Option<&'a str>,
    /// True if CSV has no header. Default: it has one.
    pub no_header: Option<bool>,
    /// True if decimals in CSV have a comma. Default: they have a point.
    pub decimal_comma: Option<bool>,
    /// The format string of nginx or Apache.
    pub log_format: Option<&'a str>,
    /// A pattern with `<names>`.
    pub pattern: Option<&'a str>,
    /// A regular expression with named groups.
    pub regex: Option<&'a str>,
}

impl FormatKeys<'_> {
    /// Returns the format that the keys name together. Default: [`Format::Auto`].
    ///
    /// # Errors
    /// As [`Format::from_str`], [`Format::with_delimiter`], [`Format::with_dialect`],
    /// [`Format::with_log_format`], [`Format::with_pattern`] and [`Format::with_regex`], with the key in front.
    pub fn format(self) -> Result<Format, Error> {
        let format = self.format.map_or(Ok(Format::Auto), str::parse);
        let mut format: Format = format.map_err(|error: Error| error.at("format"))?;
        if let Some(text) = self.delimiter {
            format = format.with_delimiter(text).map_err(|error| error.at("delimiter"))?;
        }
        format = self.with_dialect(format)?;
        type With = fn(Format, &str) -> Result<Format, Error>;
        let keys: [(&str, Option<&str>, With); 3] = [
            ("log_format", self.log_format, |format, text| format.with_log_format(text)),
            ("pattern", self.pattern, |format, text| format.with_pattern(text)),
            ("regex", self.regex, |format, text| format.with_regex(text)),
        ];
        for (key, text, with) in keys {
            if let Some(text) = text {
                format = with(format, text).map_err(|error| error.at(key))?;
            }
        }
        Ok(format)
    }

    /// Returns the format with the dialect of CSV that the keys describe, if they do.
    fn with_dialect(self, format: Format) -> Result<Format, Error> {
        let no_header = self.no_header == Some(true);
        let decimal_comma = self.decimal_comma == Some(true);
        let given = [
            ("quote", self.quote.is_some()),
            ("comment", self.comment.is_some()),
            ("no_header", no_header),
            ("decimal_comma", decimal_comma),
        ];
        let Some((key, _)) = given.into_iter().find(|(_, given)| *given) else {
            return Ok(format);
        };
        let base = if format == Format::Auto { &Format::Csv } else { &format };
        let Some(mut dialect) = base.dialect() else {
            let message = format!("only csv and tsv have it, and the format is {format}");
            return Err(Error::invalid(message).at(key));
        };
        (dialect.header, dialect.decimal_comma) = (!no_header, decimal_comma);
        if let Some(quote) = self.quote {
            let byte = if quote == "none" { Ok(0) } else { one_byte(quote, "quote") };
            dialect.quote = Some(byte.map_err(|error| error.at("quote"))?);
        }
        if let Some(comment) = self.comment {
            let byte = one_byte(comment, "beginning of comments");
            dialect.comment = Some(byte.map_err(|error| error.at("comment"))?);
        }
        Format::with_dialect(dialect).map_err(|error| error.at(key))
    }
}

impl Format {
    /// Returns CSV in a dialect.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if one character has two meanings.
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::{CsvDialect, Format};
    /// let mut dialect = CsvDialect::with_delimiter(b';');
    /// dialect.header = false;
    /// assert!(Format::with_dialect(dialect).is_ok());
    /// dialect.quote = Some(b';');
    /// assert!(Format::with_dialect(dialect).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn with_dialect(dialect: CsvDialect) -> Result<Format, Error> {
        let dialect = dialect.validate()?;
        Ok(match dialect.delimiter {
            _ if !dialect.is_plain() => Format::Dialect(dialect),
            b',' => Format::Csv,
            b'\t' => Format::Tsv,
            other => Format::Separated(other),
        })
    }

    /// Returns the dialect of a format of tables.
    pub(crate) fn dialect(&self) -> Option<CsvDialect> {
        match self {
            Format::Csv => Some(CsvDialect::default()),
            Format::Tsv => Some(CsvDialect::with_delimiter(b'\t')),
            Format::Separated(delimiter) => Some(CsvDialect::with_delimiter(*delimiter)),
            Format::Dialect(dialect) => Some(*dialect),
            _ => None,
        }
    }

    /// Returns the name that the command and pipeline files use.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Auto => "auto",
            Format::JsonLines => "jsonl",
            Format::Csv | Format::Separated(_) | Format::Dialect(_) => "csv",
            Format::Tsv => "tsv",
            Format::Clf => "clf",
            Format::Vhost => "vhost",
            Format::Lines => "lines",
            Format::Logfmt => "logfmt",
            Format::W3c => "w3c",
            Format::Alb => "alb",
            Format::S3 => "s3",
            Format::Vpc => "vpc",
            Format::Server(_) => "log_format",
            Format::Pattern(_) => "pattern",
            Format::Regex(_) => "regex",
        }
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

    /// Returns the format of the log that a server writes by this format string, as it stands in
    /// the configuration: of nginx's `log_format`, with or without the directive and its quotes, or
    /// of Apache's `LogFormat`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if another format was named, [`ErrorKind::Parse`] for text
    /// that is no format string, or whose fields have no text between them.
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::Format;
    /// let format = Format::Auto.with_log_format("$remote_addr [$time_local] $status")?;
    /// assert_eq!(format.name(), "log_format");
    /// assert!(Format::Auto.with_log_format("$remote_addr$status").is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn with_log_format(self, string: &str) -> Result<Format, Error> {
        self.is_free("log_format")?;
        log_format::parse(string)?;
        Ok(Format::Server(string.into()))
    }

    /// Returns the format of lines in which fields stand between text: `<name>` is a field, `<_>`
    /// one that is not wanted, `\<` the character, and all else stands in the line as it is.
    ///
    /// # Errors
    /// As [`with_log_format`](Format::with_log_format).
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::Format;
    /// let format = Format::Auto.with_pattern("[<time>] <level>: <message>")?;
    /// assert_eq!(format.to_string().parse::<Format>()?, format);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn with_pattern(self, pattern: &str) -> Result<Format, Error> {
        self.is_free("pattern")?;
        line_pattern::parse_pattern(pattern)?;
        Ok(Format::Pattern(pattern.into()))
    }

    /// Returns the format of lines whose fields are the named groups of a regular expression.
    ///
    /// # Errors
    /// As [`with_log_format`](Format::with_log_format).
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::Format;
    /// assert!(Format::Auto.with_regex(r"took (?<ms>\d+) ms").is_ok());
    /// assert!(Format::Auto.with_regex(r"took (\d+) ms").is_err());
    /// ```
    pub fn with_regex(self, expression: &str) -> Result<Format, Error> {
        self.is_free("regex")?;
        regex_line::compile(expression)?;
        Ok(Format::Regex(expression.into()))
    }

    /// Refuses a format that is named already, where a key names one of its own.
    fn is_free(&self, key: &str) -> Result<(), Error> {
        match self {
            Format::Auto => Ok(()),
            other => {
                let message = format!("{key} is a format of its own, and the format is {other}");
                Err(Error::invalid(message))
            }
        }
    }

    /// Returns the key and the text of a format that has them.
    fn text(&self) -> Option<(&'static str, &str)> {
        match self {
            Format::Server(text) | Format::Pattern(text) | Format::Regex(text) => {
                Some((self.name(), text))
            }
            _ => None,
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
        match (self, self.text()) {
            (Format::Dialect(dialect), _) => dialect.fmt(f),
            (Format::Separated(byte), _) => write!(f, "csv({})", char::from(*byte)),
            (_, Some((key, text))) => write!(f, "{key}({text})"),
            (format, None) => f.write_str(format.name()),
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    /// Reads a name, or what a format is displayed as: CSV with another delimiter is `csv(;)`, and
    /// a pattern `pattern(<time> <status>)`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for any text but the names and these forms.
    fn from_str(text: &str) -> Result<Self, Error> {
        let inside = |key: &str| text.strip_prefix(key)?.strip_prefix('(')?.strip_suffix(')');
        let with = if let Ok(dialect) = text.parse::<CsvDialect>() {
            Some(Format::with_dialect(dialect))
        } else if let Some(delimiter) = inside("csv") {
            Some(Format::Csv.with_delimiter(delimiter))
        } else if let Some(string) = inside("log_format") {
            Some(Format::Auto.with_log_format(string))
        } else if let Some(pattern) = inside("pattern") {
            Some(Format::Auto.with_pattern(pattern))
        } else {
            inside("regex").map(|expression| Format::Auto.with_regex(expression))
        };
        if let Some(with) = with {
            return with.map_err(|error| Error::new(ErrorKind::Parse, error.message()));
        }
        NAMED.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let shown: String = text.chars().take(50).collect();
            let names: Vec<&str> = NAMED.iter().map(Format::name).collect();
            let message = format!("{shown:?} is not a format: use one of {}", names.join(", "));
            Error::new(ErrorKind::Parse, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let with = [
            Format::Separated(b';'),
            Format::Separated(b')'),
            Format::Dialect(CsvDialect { header: false, ..CsvDialect::default() }),
            Format::Server("$status (x)".into()),
            Format::Pattern("<a>) <b>".into()),
            Format::Regex("(?<a>.)".into()),
        ];
        for format in NAMED.into_iter().chain(with) {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        for text in [
            "json",
            "pattern(<)",
            "regex(()",
            "log_format(x)",
            "csv()",
            "csv(\")",
            "csv(ab)",
            "csv(ä)",
            "csv(;",
        ] {
            assert_eq!(text.parse::<Format>().unwrap_err().kind(), ErrorKind::Parse, "{text}");
        }
    }
}
