//! Notes for an operator.

use super::lease::shortened;
use super::table::TableError;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Number of rows that get a note each.
const ROWS_NOTED: usize = 20;

/// Receives notes for an operator, from any thread.
pub type OnNote = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes notes, and each on a row that cannot be read once.
#[derive(Clone)]
pub(super) struct Notes {
    on_note: OnNote,
    rows: Arc<Mutex<BTreeSet<String>>>,
}

impl Notes {
    pub(super) fn new(on_note: OnNote) -> Self {
        Notes { on_note, rows: Arc::default() }
    }

    pub(super) fn say(&self, note: &str) {
        (self.on_note)(note);
    }

    /// Says that a row is not what it should be, and is ignored.
    pub(super) fn ignored(&self, key: &str, reason: &str) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() < ROWS_NOTED && rows.insert(key.to_owned()) {
            self.say(&format!("the row {:?} is ignored: {reason}", shortened(key)));
        }
    }

    /// Says that a call failed, and is repeated later.
    pub(super) fn failed(&self, what: &str, error: &TableError) {
        let reason = match error {
            TableError::Throttled => "too many calls, or too many writers".to_owned(),
            TableError::Refused => "the row has changed".to_owned(),
            TableError::Unknown(error) | TableError::Fatal(error) => error.to_string(),
        };
        self.say(&format!("{what}, and it is tried again: {reason}"));
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").finish_non_exhaustive()
    }
}
