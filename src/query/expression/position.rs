//! Errors with a column of a text.

use crate::error::{Error, ErrorKind};

/// Maximum number of characters of the text that an error shows.
const SHOWN_MAX: usize = 200;

/// Creates an error about the place `start` of a text, in bytes.
#[cold]
pub(crate) fn error_at(text: &str, start: usize, why: String) -> Error {
    let shown: String = text.chars().take(SHOWN_MAX).collect();
    Error::new(ErrorKind::Parse, format!("column {} of {shown:?}: {why}", column(text, start)))
}

/// Returns the column of a place of a text, from 1.
#[cold]
pub(crate) fn column(text: &str, start: usize) -> usize {
    text.get(..start).unwrap_or(text).chars().count() + 1
}
