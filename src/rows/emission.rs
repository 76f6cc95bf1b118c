//! A row of an answer.

use crate::row::OutputValue;
use crate::window::Window;

/// The answer of one window for one group.
///
/// Rows come by window end, window start, then group ascending (missing, numbers, false, true,
/// text), the `(other)` row last.
#[derive(Clone, PartialEq, Debug)]
pub struct RowEmission {
    /// The window; `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// 0 for the first answer of this window, 1 for the next, and so on.
    pub revision: u32,
    /// The values of the grouped fields, in their order; empty for a pipeline without groups. All
    /// are [`OutputValue::Other`] in the row of the records whose groups were past the limit.
    pub group: Vec<OutputValue>,
    /// The values of the columns, in their order; empty if the row is
    /// [retracted](RowEmission::is_retracted).
    pub values: Vec<OutputValue>,
}

impl RowEmission {
    /// Returns true if the row retracts an earlier row of the same window and group, which no
    /// longer holds because its group is now past the limit. It has no values.
    pub fn is_retracted(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns true if this is the row of the records whose groups were past the limit.
    pub fn is_other(&self) -> bool {
        self.group.first() == Some(&OutputValue::Other)
    }
}
