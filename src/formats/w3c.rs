//! W3C extended logs, as IIS and CloudFront write them: a line `#Fields:` names the columns.
//!
//! ```text
//! #Version: 1.0
//! #Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)
//! 2024-01-02 03:04:05 192.0.2.7 GET /a 200 curl/8.4.0
//! ```
//! - Columns are separated by spaces, or by tabs in a line that has one. Between spaces a value may
//!   be in quotes. `-` is a missing value.
//! - A column has its own name, the same with `_` for every other sign (`cs_user_agent`), and the
//!   name that the same thing has in access logs. `time` is the date and the time of day, where
//!   the column `date` is in front of `time`.
//! - Lines that begin with `#` are no records. A further `#Fields:` names the columns of the lines
//!   after it; a field that they lack is missing there.
//!
//! <https://www.w3.org/TR/WD-logfile.html>

use super::beginning::Beginning;
use super::columns::{Columns, Part, WantedColumn, set_columns};
use super::decode_error::DecodeError;
use super::words::split_words;
use crate::error::{Error, ErrorKind};
use crate::row::Row;
use std::ops::Range;

const LINE: &str = "line of a W3C extended log";

/// The line that names the columns.
pub(crate) const DIRECTIVE: &[u8] = b"#Fields:";

/// The names that the same things have in access logs.
const ALSO: [(&str, &str); 12] = [
    ("c-ip", "host"),
    ("cs-username", "user"),
    ("cs-method", "method"),
    ("cs-uri-stem", "path"),
    ("cs-version", "protocol"),
    ("cs-protocol-version", "protocol"),
    ("sc-status", "status"),
    ("sc-bytes", "bytes"),
    ("cs(Referer)", "referer"),
    ("cs(User-Agent)", "agent"),
    ("cs-host", "vhost"),
    ("cs(Host)", "vhost"),
];

/// Decodes the lines of a W3C extended log into rows.
#[derive(Clone, Debug)]
pub(crate) struct W3cDecoder {
    fields: Vec<String>,
    wanted: Vec<WantedColumn>,
    columns: usize,
    words: Vec<Range<usize>>,
}

impl W3cDecoder {
    /// Creates a decoder of these fields, by slot, of lines after this directive.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a field that the columns do not have.
    pub(crate) fn new<S: AsRef<str>>(directive: &str, fields: &[S]) -> Result<Self, Error> {
        let (columns, names) = columns(directive);
        let wanted = names.wanted(fields, "the #Fields of the log have")?;
        let fields = fields.iter().map(|field| field.as_ref().to_owned()).collect();
        Ok(W3cDecoder { fields, wanted, columns, words: Vec::new() })
    }

    /// Takes a line that begins with `#`, which may name the columns of the lines after it.
    pub(crate) fn directive(&mut self, line: &[u8]) {
        if line.starts_with(DIRECTIVE) {
            let (columns, names) = columns(&String::from_utf8_lossy(line));
            (self.columns, self.wanted) = (columns, names.known(&self.fields));
        }
    }

    /// Sets the fields of the line, which begins at `start` in the row's source.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<(), DecodeError> {
        let is_split = match memchr::memchr(b'\t', line) {
            Some(_) => split_at_tabs(line, &mut self.words),
            None => split_words(line, false, &mut self.words).is_some(),
        };
        if !is_split || self.words.len() != self.columns {
            let what = "it has not as many values as #Fields has names";
            return Err(DecodeError::LogLine { line: LINE, what });
        }
        set_columns(&self.wanted, (line, start), &self.words, row);
        Ok(())
    }
}

fn split_at_tabs(line: &[u8], words: &mut Vec<Range<usize>>) -> bool {
    words.clear();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\t', line).chain([line.len()]) {
        words.push(start..end);
        start = end + 1;
    }
    true
}

/// Returns the number of columns of a directive, and their names.
fn columns(directive: &str) -> (usize, Columns) {
    let names: Vec<&str> = directive.split_ascii_whitespace().skip(1).collect();
    let mut columns = Columns::default();
    for (column, name) in names.iter().enumerate() {
        let part = match (*name, column.checked_sub(1).map(|before| names[before])) {
            ("time", Some("date")) => Part::FromPrevious,
            _ => Part::Whole,
        };
        columns.name(name, column, part);
    }
    for (column, name) in names.iter().enumerate() {
        columns.name(&plain(name), column, Part::Whole);
        for (_, also) in ALSO.iter().filter(|(known, _)| known == name) {
            columns.name(also, column, Part::Whole);
        }
    }
    (names.len(), columns)
}

/// Returns the name with `_` for signs: `cs_user_agent` for `cs(User-Agent)`.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    plain.trim_end_matches('_').to_owned()
}

/// Returns the line that names the columns at the beginning of an input. Returns `Ok(None)` if it
/// needs more bytes.
///
/// # Errors
/// [`ErrorKind::Parse`] if the lines before the first record have no names.
pub(crate) fn header(beginning: Beginning<'_>) -> Result<Option<String>, Error> {
    let mut at = 0;
    while let Some(end) = memchr::memchr(b'\n', &beginning.bytes[at..]) {
        let line = beginning.bytes[at..at + end].trim_ascii();
        if line.starts_with(DIRECTIVE) {
            return Ok(Some(String::from_utf8_lossy(line).into_owned()));
        }
        if !line.is_empty() && !line.starts_with(b"#") {
            break;
        }
        at += end + 1;
    }
    let rest = beginning.bytes[at..].trim_ascii();
    if !beginning.is_all() && (rest.is_empty() || rest.starts_with(b"#")) {
        return Ok(None);
    }
    let message = "a W3C extended log begins with a line #Fields: that names its columns";
    Err(Error::new(ErrorKind::Parse, message))
}

/// Returns true if the first lines are certainly of a W3C extended log: directives, with the names
/// of columns among them.
pub(super) fn is_certain<'a>(lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut directives = lines.take_while(|line| line.starts_with(b"#"));
    directives
        .any(|line| line.starts_with(DIRECTIVE) && columns(&String::from_utf8_lossy(line)).0 >= 2)
}
