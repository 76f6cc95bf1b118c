//! How inputs are read.

use crate::formats::format::Format;
use crate::limits::Limits;
use crate::time::Timestamp;
use std::num::NonZeroUsize;

/// How inputs are read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FilesOptions {
    /// The format of all inputs; [`Format::Auto`], the default, decides for each on its own.
    pub format: Format,
    /// The caps on a record's bytes and nesting.
    pub limits: Limits,
    /// Whether a last record without a line end is kept back until all inputs have been read, since
    /// the input may grow and the record with it. Such an input is closed after that. Default: it
    /// is a record like any other.
    pub defer_tails: bool,
    /// Bytes of a block; `None`, the default, is 128 KiB, on several threads 256 KiB. Answers do
    /// not depend on it.
    pub block_bytes: Option<usize>,
    /// Threads to read, decode and prepare records of regular files on, where a pipeline takes
    /// them; `None`, the default, is the caller's alone. Answers do not depend on it. What may
    /// still be growing, such as a pipe, is read by the caller's thread alone.
    pub threads: Option<NonZeroUsize>,
    /// What tells the arrival time of a record, for a pipeline without a time field, or one that
    /// compares event times with it. Records are taken one by one then, when they are read.
    /// Default: `None`, and every record of a pipeline without a time field is of the epoch.
    pub clock: Option<fn() -> Timestamp>,
}

impl FilesOptions {
    /// The defaults but for the format.
    pub fn with_format(format: Format) -> Self {
        FilesOptions { format, ..FilesOptions::default() }
    }
}
