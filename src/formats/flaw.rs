//! Why a record could not be decoded, and what is handed out of it.

use crate::formats::json_scan::JsonFlaw;
use std::fmt;

/// Bytes of a record that a [`DeadLetter`] shows at most.
pub const DEAD_LETTER_BYTES_MAX: usize = 4096;

/// Why a line or CSV record is not a record. Its `Display` is the reason a [`DeadLetter`] gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Flaw {
    /// Not JSON, or not an object; with the column, counted in bytes from 1.
    Json {
        /// What is wrong.
        what: &'static str,
        /// Where.
        column: usize,
    },
    /// A CSV record with more or fewer fields than the header.
    FieldCount {
        /// Fields of the record.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A CSV field whose quote is not closed before the end of the input.
    QuoteNotClosed {
        /// The field, counted from 1.
        field: usize,
    },
    /// A line that is not in the common or combined log format.
    AccessLog {
        /// What is missing.
        what: &'static str,
    },
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Longer than [`Limits::record_bytes_max`](crate::Limits).
    TooLong {
        /// The limit.
        limit: usize,
    },
}

impl Flaw {
    /// A flaw of the JSON line that begins at `start`.
    pub(crate) fn json(flaw: JsonFlaw, start: usize) -> Flaw {
        Flaw::Json { what: flaw.what, column: flaw.at.saturating_sub(start) + 1 }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Json { what, column } => write!(f, "invalid JSON: {what}, column {column}"),
            Flaw::FieldCount { found, expected } => {
                write!(f, "{found} fields where the header has {expected}")
            }
            Flaw::QuoteNotClosed { field } => {
                write!(f, "the quote that opens field {field} is not closed")
            }
            Flaw::AccessLog { what } => write!(f, "not an access log line: {what}"),
            Flaw::NotUtf8 => f.write_str("not UTF-8"),
            Flaw::TooLong { limit } => {
                write!(f, "longer than the limit of {limit} bytes for one record")
            }
        }
    }
}

/// A record that could not be decoded or aggregated, as it is handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeadLetter<'a> {
    /// The input's name: the path as given, or `stdin`.
    pub file: &'a str,
    /// The line on which the record begins, counted from 1, header included.
    pub line: u64,
    /// Why.
    pub reason: &'a str,
    /// The record's bytes without its line end, at most [`DEAD_LETTER_BYTES_MAX`] of them.
    pub bytes: &'a [u8],
}
