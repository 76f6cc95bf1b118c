//! When a window is complete, and what it says then.
//!
//! Windows fire in the order of their starts. `fired_to` is the start of the first window that has
//! not fired; every window before it is complete at the current watermark. A record that still goes
//! into one of those (within the allowed lateness) makes it fire again, with a higher revision. A
//! pane is dropped when the last window that contains it is closed.
//!
//! A window that is due *waits*: it is computed when it is fetched, of panes that are as they were
//! when it became due. So a leap of event time over many windows costs no memory. A record that
//! would change such a pane makes the answers that wait come first: they are *pending* then, within
//! a limit of bytes.

use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::window::{Panes, Schedule};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

/// What has fired, and what is to.
#[derive(Clone, Debug)]
pub(super) struct Firing {
    /// The start of the first window that has not fired.
    pub(super) fired_to: i64,
    /// Whether a window has fired in its turn.
    pub(super) has_fired: bool,
    /// The lowest watermark at which there is something to do.
    pub(super) wake_at: i64,
    /// Windows that start before this one may wait to be fetched; `i64::MIN` where none does.
    pub(super) waits_to: i64,
    /// Windows that have fired and may fire again, with their last revision: within the allowed
    /// lateness, or before their turn.
    pub(super) revisions: BTreeMap<i64, u32>,
    /// Windows that have to fire again.
    pub(super) again: VecDeque<i64>,
    /// Windows that were answered before their turn and are still to fire in it, each with the hash
    /// of what its records were then.
    pub(super) early: BTreeMap<i64, u64>,
    /// Windows whose last partial was given before they closed: another one follows when they do,
    /// the last.
    pub(super) given: BTreeSet<i64>,
    /// Windows that start in this stretch, have a record and have not fired are to be answered
    /// before their turn.
    pub(super) answering: Option<Range<i64>>,
}

/// A window that fires: its start, its revision, and what is made of its records.
#[derive(Clone, Debug)]
pub(super) struct Fired<T> {
    pub(super) start: i64,
    pub(super) revision: u32,
    pub(super) content: T,
}

/// The records of a window that fires, as an accumulator.
pub(super) enum Content<'a, T> {
    /// That of the window's one pane, which closes now.
    Leaving(&'a mut T),
    /// One that stays: that of the window's one pane, or one kept up from window to window.
    Staying(&'a T),
    /// One merged of its panes.
    Merged(T),
    /// It has no records.
    Empty,
}

impl<T: Clone> Content<'_, T> {
    /// The accumulator, to be kept; `None` if there are no records.
    pub(super) fn keep(self, fresh: impl FnOnce() -> T) -> Option<T> {
        match self {
            Content::Leaving(accumulator) => Some(std::mem::replace(accumulator, fresh())),
            Content::Staying(accumulator) => Some(accumulator.clone()),
            Content::Merged(accumulator) => Some(accumulator),
            Content::Empty => None,
        }
    }

    /// The accumulator, to be looked at; `None` if there are no records.
    pub(super) fn get(&self) -> Option<&T> {
        match self {
            Content::Leaving(accumulator) => Some(accumulator),
            Content::Staying(accumulator) => Some(accumulator),
            Content::Merged(accumulator) => Some(accumulator),
            Content::Empty => None,
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

    /// Returns true if every window that is to come fires once, in its turn.
    pub(super) fn is_plain(&self) -> bool {
        self.revisions.is_empty() && self.again.is_empty()
    }

    pub(super) fn fired_to(&self) -> i64 {
        self.fired_to
    }

    /// The lowest watermark at which there is something to do.
    pub(super) fn wake_at(&self) -> i64 {
        self.wake_at
    }

    /// The revision of the window's next answer.
    pub(super) fn next_revision(&self, start: i64) -> u32 {
        self.revisions.get(&start).map_or(0, |last| last.saturating_add(1))
    }

    /// Returns true if there may be something to do at this watermark that was not looked at yet.
    #[inline]
    pub(super) fn is_due(&self, watermark: i64) -> bool {
        watermark >= self.wake_at
    }

    /// Returns true if windows may wait to be fetched.
    #[inline]
    pub(super) fn waits(&self) -> bool {
        self.waits_to != i64::MIN
    }

    /// The start of the first window that neither has fired nor waits to be fetched.
    pub(super) fn due_to(&self) -> i64 {
        self.fired_to.max(self.waits_to)
    }

    /// There is something to do at this watermark, or before.
    pub(super) fn wake_by(&mut self, watermark: i64) {
        self.wake_at = self.wake_at.min(watermark);
    }

    /// Whether the window is to fire again.
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

    pub(super) fn decode(reader: &mut Reader<'_>, schedule: Schedule) -> Result<Self, Error> {
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
        // Whatever is due shows at the first look.
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

    /// Whether windows that were answered before their turn are still to fire in it.
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

    /// The last partial so far of the window was given before the window closed.
    pub(super) fn give_again(&mut self, start: i64) {
        self.given.insert(start);
    }

    /// No further partial of the windows that were given is to come.
    pub(super) fn forget_given(&mut self) {
        self.given.clear();
    }

    pub(super) fn given(&self) -> &BTreeSet<i64> {
        &self.given
    }

    pub(super) fn decode_given(
        &mut self,
        reader: &mut Reader<'_>,
        schedule: Schedule,
    ) -> Result<(), Error> {
        for _ in 0..reader.count(1)? {
            self.given.insert(read_start(reader, schedule)?);
        }
        Ok(())
    }

    /// The windows of which those with a record are still to be answered before their turn.
    pub(super) fn answering(&self) -> Option<&Range<i64>> {
        self.answering.as_ref()
    }

    pub(super) fn decode_answering(
        &mut self,
        reader: &mut Reader<'_>,
        schedule: Schedule,
    ) -> Result<(), Error> {
        self.answering = Some(read_start(reader, schedule)?..read_start(reader, schedule)?);
        Ok(())
    }

    pub(super) fn decode_early(
        &mut self,
        reader: &mut Reader<'_>,
        schedule: Schedule,
    ) -> Result<(), Error> {
        for _ in 0..reader.count(9)? {
            let start = read_start(reader, schedule)?;
            self.early.insert(start, reader.fixed_u64()?);
        }
        Ok(())
    }
}

pub(super) fn read_start(reader: &mut Reader<'_>, schedule: Schedule) -> Result<i64, Error> {
    let start = reader.i64()?;
    check_start(reader, schedule, start)?;
    Ok(start)
}

pub(super) fn read_revision(reader: &mut Reader<'_>) -> Result<u32, Error> {
    u32::try_from(reader.u64()?).map_err(|_| reader.corrupt("a revision is over 32 bits"))
}

fn check_start(reader: &Reader<'_>, schedule: Schedule, start: i64) -> Result<(), Error> {
    if schedule.is_start(start) {
        Ok(())
    } else {
        Err(reader.corrupt(&format!("no window starts at {start} ms")))
    }
}

/// The first window with a pane that starts there or later.
pub(super) fn first_window<T>(panes: &Panes<T>, schedule: Schedule, start: i64) -> Option<i64> {
    // Such a window holds only panes that start there or later, and the first of them is in the
    // first of those.
    panes.first_pane_from(start).map(|pane| schedule.first_window_of(pane).max(start))
}
