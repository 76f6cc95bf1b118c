//! Records that were read but are in no window.

use crate::time::Timestamp;

/// Why a sink refused a record that is to be reported.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// It cannot be aggregated, for this reason. It becomes a [dead
    /// letter](super::RowSink::dead_letter).
    DeadLetter(String),
    /// All of its windows had closed. It goes to [`RowSink::late`](super::RowSink::late).
    Late {
        /// Its event time.
        time: Timestamp,
        /// The watermark when the record came.
        watermark: Option<Timestamp>,
    },
}

/// A record all of whose windows had closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LateRecord<'a> {
    /// The input's name: the path as given, or `stdin`.
    pub file: &'a str,
    /// The line on which the record begins, counted from 1, header included.
    pub line: u64,
    /// Its event time.
    pub time: Timestamp,
    /// The watermark when the record came.
    pub watermark: Option<Timestamp>,
    /// The bytes of the record without its line end, at most
    /// [`DEAD_LETTER_BYTES_MAX`](super::DEAD_LETTER_BYTES_MAX).
    pub bytes: &'a [u8],
}
