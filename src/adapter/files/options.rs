//! Options of reading inputs.

use crate::formats::format::Format;
use crate::limits::Limits;
use crate::time::Timestamp;
use std::num::NonZeroUsize;

/// Options of reading inputs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FilesOptions {
    /// The format of all inputs. [`Format::Auto`], the default, detects it for each input.
    pub format: Format,
    /// The limits on a record's bytes and nesting.
    pub limits: Limits,
    /// True if a last record without a line end is deferred until all inputs have been read,
    /// because the input and this record may still grow. Such an input is closed after that.
    /// Default: it is a record like any other.
    pub defer_tails: bool,
    /// Bytes of a block. `None`, the default, means 128 KiB, and 256 KiB on several threads.
    /// Answers do not depend on it.
    pub block_bytes: Option<usize>,
    /// Threads that read, decode and prepare records of regular files for a pipeline. `None`, the
    /// default, means the thread of the caller only. Answers do not depend on it. Inputs that may
    /// still grow, such as pipes, are read by the thread of the caller only.
    pub threads: Option<NonZeroUsize>,
    /// The clock for arrival times, for a pipeline without a time field, or one that compares event
    /// times with arrival times. With a clock, records are applied one by one when they are read.
    /// Default: `None`; every record of a pipeline without a time field then has the time of the
    /// epoch.
    pub clock: Option<fn() -> Timestamp>,
}

impl FilesOptions {
    /// Returns the default options with this format.
    pub fn with_format(format: Format) -> Self {
        FilesOptions { format, ..FilesOptions::default() }
    }
}
