//! Answers that are computed on another thread before it is their turn.

use streamgauge::Error;
use streamgauge::rows::{FinishedRows, RowEmission};

/// Rows that are computed ahead of their turn, at most: some 20 MB for each thread. What comes
/// after them is computed in its turn.
const ROWS_AHEAD_MAX: usize = 1 << 16;

/// The answers of later windows, computed ahead.
pub(crate) struct Ahead {
    rows: std::vec::IntoIter<RowEmission>,
    /// What stopped it: the error, or the part, which may have more.
    then: Result<FinishedRows, Option<Error>>,
}

impl Ahead {
    /// Computes what there is room for.
    pub(crate) fn compute(mut part: FinishedRows) -> Ahead {
        let mut rows = Vec::new();
        while rows.len() < ROWS_AHEAD_MAX {
            match part.next_emission() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(error) => return Ahead { rows: rows.into_iter(), then: Err(Some(error)) },
            }
        }
        Ahead { rows: rows.into_iter(), then: Ok(part) }
    }

    /// The next row.
    ///
    /// # Errors
    /// As [`FinishedRows::next_emission`].
    pub(crate) fn next(&mut self) -> Result<Option<RowEmission>, Error> {
        match (self.rows.next(), &mut self.then) {
            (Some(row), _) => Ok(Some(row)),
            (None, Ok(part)) => part.next_emission(),
            (None, Err(error)) => error.take().map_or(Ok(None), Err),
        }
    }
}
