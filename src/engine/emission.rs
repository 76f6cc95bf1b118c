//! The output of an engine, and the outcome of a record.

use crate::time::Timestamp;
use crate::window::Window;

/// The answer of one window.
///
/// A window is emitted when it fires, and again with a higher `revision` for every late record
/// within the allowed lateness. So a consumer can upsert by window.
///
/// # Example
/// ```
/// use std::collections::BTreeMap;
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder()
///     .event_time(|at: &i64| Timestamp::from_millis(*at))
///     .allowed_lateness(minutes(1))
///     .window(seconds(10))
///     .aggregate(count())
///     .build()?;
/// let mut table = BTreeMap::new();
/// for emission in pipeline.over([1_000, 10_000, 2_000]) {
///     table.insert(emission.window, emission.value); // a later revision replaces an earlier one
/// }
/// assert_eq!(table.into_values().collect::<Vec<_>>(), [2, 1]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Emission<V> {
    /// The window, or `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// 0 for the first answer of this window, 1 for the next, and so on.
    pub revision: u32,
    /// True if the emission takes back the answer that these groups had of this window before: it
    /// has become a longer one. Only windows of each group can be taken back, if they were answered
    /// before their turn or a late record came: see [`Session`](crate::window::Session).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub retracted: bool,
    /// The answer of the aggregate.
    pub value: V,
}

/// The outcome of a record. No outcome is an error. Each except [`Blank`](Outcome::Blank) is
/// counted in [`Stats`](crate::engine::Stats).
///
/// `D` is the description of a dead letter: nothing for an [`Engine`](crate::engine::Engine) and a
/// [`Pipeline`](crate::Pipeline), which keep the reason of the last one
/// ([`refusal`](crate::engine::Control::refusal)); the reason as text for rows; an
/// [`Error`](crate::Error) with the position for records of a stream.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder()
///     .event_time(|at: &i64| Timestamp::from_millis(*at))
///     .filter(|at| *at >= 0)
///     .window(Sliding::new(seconds(5), seconds(10))?)
///     .aggregate(count())
///     .build()?;
/// assert_eq!(pipeline.push(&1_000)?, Outcome::Applied);
/// assert_eq!(pipeline.push(&-1)?, Outcome::Filtered);
/// assert_eq!(pipeline.push(&17_000)?, Outcome::BetweenWindows); // [15 s, 20 s) is in no window
/// assert_eq!(pipeline.push(&2_000)?, Outcome::Late(Timestamp::from_millis(2_000)));
/// assert_eq!(pipeline.push(&i64::MAX)?, Outcome::DeadLetter(()));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome<D = ()> {
    /// It was added to its window or windows.
    Applied,
    /// It did not pass the filter.
    Filtered,
    /// All of its windows had closed: the watermark is at or past end - 1 + allowed lateness. Has
    /// the event time of the record.
    Late(Timestamp),
    /// Its position is not after the last applied one of its shard: it was delivered before.
    Duplicate,
    /// It lies between two windows (the slide is larger than the size).
    BetweenWindows,
    /// It is empty, like a blank line in a file, and is skipped.
    Blank,
    /// It cannot be decoded or aggregated, for example because its value is NaN.
    DeadLetter(D),
}

impl<D> Outcome<D> {
    /// Returns the outcome with another description of a dead letter.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Outcome;
    /// let outcome = Outcome::DeadLetter("line 7: not JSON");
    /// assert_eq!(outcome.map_dead_letter(str::len), Outcome::DeadLetter(16));
    /// assert_eq!(Outcome::<&str>::Applied.map_dead_letter(str::len), Outcome::Applied);
    /// ```
    #[inline]
    pub fn map_dead_letter<T>(self, map: impl FnOnce(D) -> T) -> Outcome<T> {
        match self {
            Outcome::Applied => Outcome::Applied,
            Outcome::Filtered => Outcome::Filtered,
            Outcome::Late(time) => Outcome::Late(time),
            Outcome::Duplicate => Outcome::Duplicate,
            Outcome::BetweenWindows => Outcome::BetweenWindows,
            Outcome::Blank => Outcome::Blank,
            Outcome::DeadLetter(letter) => Outcome::DeadLetter(map(letter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn an_outcome_is_returned_in_two_registers() {
        assert_eq!(size_of::<Result<Outcome, Error>>(), 2 * size_of::<u64>());
    }
}
