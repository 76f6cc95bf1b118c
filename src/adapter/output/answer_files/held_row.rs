//! A row that waits for its file.

use crate::rows::RowEmission;

/// A row of a file.
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only Parquet reads rows later"))]
#[derive(Clone, Debug)]
pub(super) struct HeldRow {
    pub(super) row: RowEmission,
    pub(super) complete: bool,
}
