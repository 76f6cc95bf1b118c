//! Room that evaluating expressions takes, kept from record to record.

use regex::CaptureLocations;
use std::sync::Mutex;

/// Room that is reused for every record, so that evaluating an expression allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) text: String,
    /// Where the groups of a regular expression matched, by the number of the expression. Nothing
    /// waits for the lock: a row is of one thread.
    pub(super) locations: Mutex<Vec<Option<CaptureLocations>>>,
}
