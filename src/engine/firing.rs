//! The order in which windows fire.
//!
//! Windows fire in the order of their starts. `fired_to` is the start of the first window that has
//! not fired; every window before it is complete at the current watermark. A record within the
//! allowed lateness that goes into one of those makes it fire again, with a higher revision. A pane
//! is dropped when the last window that contains it is closed.
//!
//! A due window *waits*: it is computed when it is fetched, from panes that have not changed since
//! it became due. So a leap of event time over many windows costs no memory. Before a record
//! changes such a pane, the waiting answers are computed: then they are *pending*, within a limit
//! of bytes.

use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::window::{Panes, Schedule};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

/// The windows that have fired, and those that will.
#[derive(Clone, Debug)]
pub(super) struct Firing {
    /// The start of the first window that has not fired.
    pub(super) fired_to: i64,
    /// True if a window has fired at its end.
    pub(super) has_fired: bool,
    /// The lowest watermark at which there is work.
    pub(super) wake_at: i64,
    /// Windows that start before this one may wait to be fetched; `i64::MIN` without one.
    pub(super) waits_to: i64,
    /// Windows that have fired and may fire again, with their last revision: within the allowed
    /// lateness, or after an early firing.
    pub(super) revisions: BTreeMap<i64, u32>,
    /// Windows that must fire again.
    pub(super) again: VecDeque<i64>,
    /// Windows that fired early and will fire at their end, each with the hash of its content at
    /// that time.
    pub(super) early: BTreeMap<i64, u64>,
    /// Windows whose last partial was returned before they closed. Their final partial follows when
    /// they close.
    pub(super) given: BTreeSet<i64>,
    /// Windows that start in this range, have a record and have not fired will fire early.
    pub(super) answering: Option<Range<i64>>,
}

/// A firing window: its start, its revision, and its content.
#[derive(Clone, Debug)]
pub(super) struct Fired<T> {
    pub(super) start: i64,
    pub(super) revision: u32,
    pub(super) content: T,
}

/// The content of a firing window.
pub(crate) enum FiredContent<'a, T> {
    /// The accumulator of the window's only pane, which closes now.
    Leaving(&'a mut T),
    /// An accumulator that stays: that of the window's only pane, or one that is maintained from
    /// window to window.
    Staying(&'a T),
    /// An accumulator merged from the panes.
    Merged(T),
    /// No records.
    Empty,
}

impl<T: Clone> FiredContent<'_, T> {
    /// Returns an owned accumulator; `None` without records.
    pub(crate) fn keep(self, fresh: impl FnOnce() -> T) -> Option<T> {
        match self {
            FiredContent::Leaving(accumulator) => Some(std::mem::replace(accumulator, fresh())),
            FiredContent::Staying(accumulator) => Some(accumulator.clone()),
            FiredContent::Merged(accumulator) => Some(accumulator),
            FiredContent::Empty => None,
        }
    }

    /// Returns true if nothing else needs the accumulator, so that keeping it is no copy.
    #[cfg(feature = "spec")]
    pub(crate) fn is_given_away(&self) -> bool {
        matches!(self, FiredContent::Leaving(_) | FiredContent::Merged(_))
    }

    /// Returns a borrowed accumulator; `None` without records.
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            FiredContent::Leaving(accumulator) => Some(accumulator),
            FiredContent::Staying(accumulator) => Some(accumulator),
            FiredContent::Merged(accumulator) => Some(accumulator),
            FiredContent::Empty => None,
        }
    }
}

impl Firing {
    pub(super) fn new() -> Self {
        let (revisions, again) = (BTreeMap::new(), VecDeque::new());
        let (early, given, answering) = (BTreeMap::new(), BTreeSet::new(), None);
        Firing {
            fired_to: i64::MIN,
            has_fired: false,
            wake_at: i64::MAX,
            waits_to: i64::MIN,
            revisions,
            again,
            early,
            given,
            answering,
        }
    }

    /// Returns true if every later window fires once, at its end.
    pub(super) fn is_plain(&self) -> bool {
        self.revisions.is_empty() && self.again.is_empty()
    }

    pub(super) fn fired_to(&self) -> i64 {
        self.fired_to
    }

    /// Returns the lowest watermark at which there is work.
    pub(super) fn wake_at(&self) -> i64 {
        self.wake_at
    }

    /// Returns the starts of all windows in the state.
    pub(super) fn starts(&self) -> impl Iterator<Item = i64> {
        let maps = self.revisions.keys().chain(self.early.keys());
        let lists = self.again.iter().chain(&self.given);
        maps.chain(lists).copied().chain([self.fired_to])
    }

    /// Returns the revision of the window's next answer.
    pub(super) fn next_revision(&self, start: i64) -> u32 {
        self.revisions.get(&start).map_or(0, |last| last.saturating_add(1))
    }

    /// Returns true if there may be new work at this watermark.
    #[inline]
    pub(super) fn is_due(&self, watermark: i64) -> bool {
        watermark >= self.wake_at
    }

    /// Returns true if windows may wait to be fetched.
    #[inline]
    pub(super) fn waits(&self) -> bool {
        self.waits_to != i64::MIN
    }

    /// Returns the start of the first window that has not fired and does not wait to be fetched.
    pub(super) fn due_to(&self) -> i64 {
        self.fired_to.max(self.waits_to)
    }

    /// Records that there is work at this watermark.
    pub(super) fn wake_by(&mut self, watermark: i64) {
        self.wake_at = self.wake_at.min(watermark);
    }

    /// Returns true if the window must fire again.
    pub(super) fn is_due_again(&self, start: i64) -> bool {
        self.again.contains(&start)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.i64(self.fired_to);
        writer.bool(self.has_fired);
        writer.usize(self.revisions.len());
        let mut last = 0;
        for (start, revision) in &self.revisions {
            writer.i64(start.wrapping_sub(last));
            writer.u64(u64::from(*revision));
            last = *start;
        }
        writer.usize(self.again.len());
        self.again.iter().for_each(|start| writer.i64(*start));
    }

    pub(super) fn decode(reader: &mut Reader<'_>, schedule: &Schedule) -> Result<Self, Error> {
        let (fired_to, has_fired) = (read_start(reader, schedule)?, reader.bool()?);
        let (mut revisions, mut last) = (BTreeMap::new(), 0i64);
        for _ in 0..reader.count(2)? {
            last = last.wrapping_add(reader.i64()?);
            check_start(reader, schedule, last)?;
            revisions.insert(last, read_revision(reader)?);
        }
        let mut again = VecDeque::new();
        for _ in 0..reader.count(1)? {
            again.push_back(read_start(reader, schedule)?);
        }
        // Due windows are found at the first check.
        let (early, given, answering) = (BTreeMap::new(), BTreeSet::new(), None);
        Ok(Firing {
            fired_to,
            has_fired,
            wake_at: i64::MIN,
            waits_to: i64::MIN,
            revisions,
            again,
            early,
            given,
            answering,
        })
    }

    /// Returns true if windows that fired early will fire again at their end.
    pub(super) fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    pub(super) fn encode_early(&self, writer: &mut Writer) {
        writer.usize(self.early.len());
        for (start, content) in &self.early {
            writer.i64(*start);
            writer.fixed_u64(*content);
        }
    }

    /// Records that a partial of the window was returned before the window closed.
    pub(super) fn give_again(&mut self, start: i64) {
        self.given.insert(start);
    }

    /// Drops the final partials of such windows.
    pub(super) fn forget_given(&mut self) {
        self.given.clear();
    }

    pub(super) fn given(&self) -> &BTreeSet<i64> {
        &self.given
    }

    pub(super) fn decode_given(
        &mut self,
        reader: &mut Reader<'_>,
        schedule: &Schedule,
    ) -> Result<(), Error> {
        for _ in 0..reader.count(1)? {
            self.given.insert(read_start(reader, schedule)?);
        }
        Ok(())
    }

    /// Returns the range of windows that fire early if they have a record.
    pub(super) fn answering(&self) -> Option<&Range<i64>> {
        self.answering.as_ref()
    }

    pub(super) fn decode_answering(
        &mut self,
        reader: &mut Reader<'_>,
        schedule: &Schedule,
    ) -> Result<(), Error> {
        self.answering = Some(read_start(reader, schedule)?..read_start(reader, schedule)?);
        Ok(())
    }

    pub(super) fn decode_early(
        &mut self,
        reader: &mut Reader<'_>,
        schedule: &Schedule,
    ) -> Result<(), Error> {
        for _ in 0..reader.count(9)? {
            let start = read_start(reader, schedule)?;
            self.early.insert(start, reader.fixed_u64()?);
        }
        Ok(())
    }
}

pub(super) fn read_start(reader: &mut Reader<'_>, schedule: &Schedule) -> Result<i64, Error> {
    let start = reader.i64()?;
    check_start(reader, schedule, start)?;
    Ok(start)
}

pub(super) fn read_revision(reader: &mut Reader<'_>) -> Result<u32, Error> {
    u32::try_from(reader.u64()?).map_err(|_| reader.corrupt("a revision is over 32 bits"))
}

fn check_start(reader: &Reader<'_>, schedule: &Schedule, start: i64) -> Result<(), Error> {
    if schedule.is_start(start) {
        Ok(())
    } else {
        Err(reader.corrupt(&format!("no window starts at {start} ms")))
    }
}

/// Returns the first window with a pane that starts at `start` or later.
pub(super) fn first_window<T>(panes: &Panes<T>, schedule: &Schedule, start: i64) -> Option<i64> {
    // All panes of such a window start there or later, and the first pane is in the first such
    // window.
    panes.first_pane_from(start).map(|pane| schedule.first_window_of(pane).max(start))
}
