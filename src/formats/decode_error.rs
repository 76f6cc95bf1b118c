//! The reason why a record could not be decoded, and the dead letter that reports it.

use crate::formats::json_scan::JsonError;
use std::fmt;

/// Maximum bytes of a record in a [`DeadLetter`].
pub const DEAD_LETTER_BYTES_MAX: usize = 4096;

/// The reason why a line or CSV record could not be decoded. Its `Display` is the reason in a
/// [`DeadLetter`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// The line is not JSON, or not an object.
    Json {
        /// What is wrong.
        what: &'static str,
        /// The column of the error, in bytes, counted from 1.
        column: usize,
    },
    /// A CSV record has more or fewer fields than the header.
    FieldCount {
        /// The number of fields of the record.
        found: usize,
        /// The number of fields of the header.
        expected: usize,
    },
    /// The quote of a CSV field is not closed before the end of the input.
    QuoteNotClosed {
        /// The number of the field, counted from 1.
        field: usize,
    },
    /// A line is not in the common or combined log format.
    AccessLog {
        /// The part that is missing.
        what: &'static str,
    },
    /// A line is not of the log that the format names.
    LogLine {
        /// What a line would be, such as `line of logfmt`.
        line: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A line does not fit a pattern or a server's format string.
    Pattern {
        /// The number of the field, counted from 1.
        field: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The record is longer than [`Limits::record_bytes_max`](crate::Limits).
    TooLong {
        /// The limit.
        limit: usize,
    },
}

impl DecodeError {
    /// Returns the error of the JSON line that begins at `start`.
    pub(crate) fn json(error: JsonError, start: usize) -> DecodeError {
        DecodeError::Json { what: error.what, column: error.at.saturating_sub(start) + 1 }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Json { what, column } => {
                write!(f, "invalid JSON: {what}, column {column}")
            }
            DecodeError::FieldCount { found, expected } => {
                write!(f, "{found} fields where the header has {expected}")
            }
            DecodeError::QuoteNotClosed { field } => {
                write!(f, "the quote that opens field {field} is not closed")
            }
            DecodeError::AccessLog { what } => write!(f, "not an access log line: {what}"),
            DecodeError::LogLine { line, what } => write!(f, "not a {line}: {what}"),
            DecodeError::Pattern { field, what } => {
                write!(f, "not a line of the format: field {field}: {what}")
            }
            DecodeError::NotUtf8 => f.write_str("not UTF-8"),
            DecodeError::TooLong { limit } => {
                write!(f, "longer than the limit of {limit} bytes for one record")
            }
        }
    }
}

/// A record that could not be decoded or aggregated, as it is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeadLetter<'a> {
    /// The name of the input: the path as given, or `stdin`.
    pub file: &'a str,
    /// The line on which the record begins, counted from 1, including the header.
    pub line: u64,
    /// The reason.
    pub reason: &'a str,
    /// The record's bytes without its line end, at most [`DEAD_LETTER_BYTES_MAX`].
    pub bytes: &'a [u8],
}
