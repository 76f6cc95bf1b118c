//! The counters of an engine.

use super::Outcome;
use crate::codec::{Reader, Writer};
use crate::error::Error;

/// Counts since the engine was created. They saturate at `u64::MAX`.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let mut pipeline = Pipeline::builder()
///     .event_time(|at: &i64| Timestamp::from_millis(*at))
///     .filter(|at| *at != 0)
///     .window(seconds(10))
///     .aggregate(count())
///     .build()?;
/// pipeline.push_batch(&[1_000, 0, 12_000, 2_000])?;
/// let stats = pipeline.stats();
/// assert_eq!((stats.applied, stats.filtered, stats.late), (2, 1, 1)); // every record is in one
/// assert_eq!(stats.emitted, 0); // complete, and not fetched yet
/// assert_eq!(pipeline.drain().count(), 1);
/// assert_eq!(pipeline.stats().emitted, 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// Records added to at least one window.
    pub applied: u64,
    /// Records that did not pass the filter.
    pub filtered: u64,
    /// Records all of whose windows had closed.
    pub late: u64,
    /// Records that could not be decoded or aggregated.
    pub dead_letters: u64,
    /// Records that were delivered before, by their position.
    pub duplicates: u64,
    /// Records between two windows.
    pub between_windows: u64,
    /// Emissions, revisions included.
    pub emitted: u64,
    /// Panes that are open now.
    pub open_panes: u64,
    /// Approximate bytes of all accumulators, as of the last check.
    pub state_bytes: u64,
}

impl Stats {
    pub(super) fn count<D>(&mut self, outcome: &Outcome<D>) {
        let counter = match outcome {
            Outcome::Applied => &mut self.applied,
            Outcome::Filtered => &mut self.filtered,
            Outcome::Late(_) => &mut self.late,
            Outcome::Duplicate => &mut self.duplicates,
            Outcome::BetweenWindows => &mut self.between_windows,
            Outcome::DeadLetter(_) => &mut self.dead_letters,
            Outcome::Blank => return,
        };
        *counter = counter.saturating_add(1);
    }

    /// Adds the counts of another engine.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut lines = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// lines.push("a line")?;
    /// let mut sum = lines.stats();
    /// sum.add(&lines.stats());
    /// assert_eq!(sum.applied, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn add(&mut self, other: &Stats) {
        for (sum, count) in [
            (&mut self.applied, other.applied),
            (&mut self.filtered, other.filtered),
            (&mut self.late, other.late),
            (&mut self.dead_letters, other.dead_letters),
            (&mut self.duplicates, other.duplicates),
            (&mut self.between_windows, other.between_windows),
            (&mut self.emitted, other.emitted),
            (&mut self.open_panes, other.open_panes),
            (&mut self.state_bytes, other.state_bytes),
        ] {
            *sum = sum.saturating_add(count);
        }
    }

    /// Encodes the counters. Open panes and bytes of state are measured again after decoding.
    pub(super) fn encode(&self, writer: &mut Writer) {
        let counters = [
            self.applied,
            self.filtered,
            self.late,
            self.dead_letters,
            self.duplicates,
            self.between_windows,
            self.emitted,
        ];
        counters.into_iter().for_each(|counter| writer.u64(counter));
    }

    /// Decodes the counters.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Stats {
            applied: reader.u64()?,
            filtered: reader.u64()?,
            late: reader.u64()?,
            dead_letters: reader.u64()?,
            duplicates: reader.u64()?,
            between_windows: reader.u64()?,
            emitted: reader.u64()?,
            open_panes: 0,
            state_bytes: 0,
        })
    }
}
