//! A row that waits for its file.

use crate::rows::RowEmission;

/// A row of a file.
#[derive(Clone, Debug)]
pub(super) struct HeldRow {
    pub(super) row: RowEmission,
    pub(super) complete: bool,
}
