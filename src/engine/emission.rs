//! What comes out of an engine, and what becomes of a record that goes in.

use crate::window::Window;

/// The answer of one window.
///
/// A window is emitted when it fires, and once more, with `revision` raised, for every late record
/// within the allowed lateness: a consumer can upsert by window.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Emission<V> {
    /// The window, or `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// 0 for the first answer of this window, 1 for the next, and so on.
    pub revision: u32,
    /// What the aggregate says of the window's records.
    pub value: V,
}

/// What became of a record. None of these is an error; each is counted in
/// [`Stats`](crate::engine::Stats).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It was added to its window or windows.
    Applied,
    /// It did not pass the filter.
    Filtered,
    /// All of its windows had closed: watermark at or past end - 1 + allowed lateness.
    Late,
    /// Its position is not after the last one applied of its shard: it was delivered before.
    Duplicate,
    /// It lies between two windows (the slide is larger than the size).
    BetweenWindows,
    /// It cannot be aggregated, such as one whose value is NaN.
    DeadLetter,
}
