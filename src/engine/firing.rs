//! When a window is complete, and what it says then.
//!
//! Windows fire in the order of their starts. `fired_to` is the start of the first window that has not fired; every window before it
//! is complete at the current watermark. A record that still goes into one of those (within the allowed lateness) makes it fire
//! again, with a higher revision. A pane is dropped when the last window that contains it is closed.

use super::Engine;
use super::core::answer_bytes;
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::hash::{Seed, hash_bytes};
use crate::window::{Pane, Panes, Schedule, Slid};
use std::collections::{BTreeMap, VecDeque};

/// What has fired, and what is to.
#[derive(Clone, Debug)]
pub(super) struct Firing {
    /// The start of the first window that has not fired.
    fired_to: i64,
    /// Whether a window has fired in its turn.
    has_fired: bool,
    /// The lowest watermark at which there is something to do.
    wake_at: i64,
    /// Windows that have fired and may fire again, with their last revision: within the allowed lateness, or before their turn.
    revisions: BTreeMap<i64, u32>,
    /// Windows that have to fire again.
    again: VecDeque<i64>,
    /// Whether windows were answered before their turn.
    answers_early: bool,
    /// Windows that were answered before their turn and are still to fire in it, each with the hash of what its records were then.
    early: BTreeMap<i64, u64>,
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
        Firing { fired_to: i64::MIN, has_fired: false, wake_at: i64::MAX, revisions, again, answers_early: false, early: BTreeMap::new() }
    }

    /// Whether every window fires once, in its turn.
    pub(super) fn is_plain(&self) -> bool {
        self.revisions.is_empty() && self.again.is_empty() && !self.answers_early
    }

    pub(super) fn fired_to(&self) -> i64 {
        self.fired_to
    }

    /// The lowest watermark at which there is something to do.
    pub(super) fn wake_at(&self) -> i64 {
        self.wake_at
    }

    /// The revision of the window's next answer.
    fn next_revision(&self, start: i64) -> u32 {
        self.revisions.get(&start).map_or(0, |last| last.saturating_add(1))
    }

    /// Whether windows were answered before their turn.
    pub(super) fn answers_early(&self) -> bool {
        self.answers_early
    }

    /// Whether there may be something to do at this watermark.
    pub(super) fn is_due(&self, watermark: i64) -> bool {
        watermark >= self.wake_at || !self.again.is_empty()
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
        Ok(Firing { fired_to, has_fired, wake_at: i64::MIN, revisions, again, answers_early: false, early: BTreeMap::new() })
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

    pub(super) fn decode_early(&mut self, reader: &mut Reader<'_>, schedule: Schedule) -> Result<(), Error> {
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
    if schedule.is_start(start) { Ok(()) } else { Err(reader.corrupt(&format!("no window starts at {start} ms"))) }
}

/// The first window with a pane that starts there or later.
pub(super) fn first_window<T>(panes: &Panes<T>, schedule: Schedule, start: i64) -> Option<i64> {
    // Such a window holds only panes that start there or later, and the first of them is in the first of those.
    panes.first_pane_from(start).map(|pane| schedule.first_window_of(pane).max(start))
}

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Fires all that is due, before the next record can change it.
    #[inline]
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        if !self.firing.is_due(self.watermarks.overall()) {
            return Ok(());
        }
        self.settle_now()
    }

    #[cold]
    fn settle_now(&mut self) -> Result<(), Error> {
        while let Some(fired) = self.fire_next(|aggregate, content| content.keep(|| aggregate.init()))? {
            self.pending.push_back(fired);
        }
        Ok(())
    }

    /// Fires the next window that is due, and makes of its records what `make` does.
    pub(super) fn fire_next<T>(&mut self, make: impl FnOnce(&A, Content<'_, A::Accumulator>) -> T) -> Result<Option<Fired<T>>, Error> {
        if let Some(start) = self.firing.again.front().copied() {
            let fired = self.fire_again(start, make)?;
            self.firing.again.pop_front();
            return Ok(Some(fired));
        }
        if let Some(start) = self.due()? {
            let fired = self.fire(start, make)?;
            self.firing.fired_to = self.schedule.next_window(start);
            self.firing.has_fired = true;
            self.close_panes();
            return Ok(Some(fired));
        }
        self.pass_empty();
        self.close_panes();
        self.firing.wake_at = self.next_wake();
        Ok(None)
    }

    /// Nothing is due: windows that the watermark has passed were empty, and are not to fire in their turn any more.
    pub(super) fn pass_empty(&mut self) {
        if !self.counts_empty() {
            let unfired = self.schedule.first_unfired(self.watermarks.overall());
            self.firing.fired_to = self.firing.fired_to.max(unfired);
        }
    }

    /// The next window to fire, if the watermark has reached its end.
    fn due(&self) -> Result<Option<i64>, Error> {
        let with_record = self.candidate();
        // The end of the input completes no empty windows after the last one with a record.
        let watermark = if with_record.is_some() { self.watermarks.overall() } else { self.watermarks.reached() };
        let next = match self.counts_empty() {
            false => with_record,
            true => {
                self.check_gap(with_record.unwrap_or_else(|| self.schedule.first_unfired(watermark)))?;
                Some(self.firing.fired_to)
            }
        };
        Ok(next.filter(|start| self.schedule.last_millisecond(*start) <= watermark))
    }

    /// Whether every window from `fired_to` on is to fire, with or without records: from the first one that had any.
    fn counts_empty(&self) -> bool {
        self.emit_empty && self.firing.has_fired
    }

    /// Refuses to emit more empty windows in a row than panes are allowed.
    fn check_gap(&self, to: i64) -> Result<(), Error> {
        let empty = self.schedule.windows_between(self.firing.fired_to, to);
        if empty <= self.limits.panes_max as u64 {
            return Ok(());
        }
        let message = format!(
            "{empty} empty windows in a row would be emitted, over the {} of Limits::panes_max; is an event time wrong?",
            self.limits.panes_max
        );
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }

    /// The first window with a record that has not fired.
    fn candidate(&self) -> Option<i64> {
        self.candidate_from(self.firing.fired_to)
    }

    /// The first window with a record that starts there or later.
    pub(super) fn candidate_from(&self, start: i64) -> Option<i64> {
        let own = first_window(&self.panes, self.schedule, start);
        own.into_iter().chain(self.first_inherited_from(start)).min()
    }

    /// Answers every window that has a record and has not fired, as it stands now: for a source that has fallen silent, whose last windows no later record
    /// completes. None is closed by it: it takes further records, and in its turn fires once more, with the revision raised. A window that was answered so before,
    /// and whose records are those of then, is passed over.
    ///
    /// Cost: O(state), and all of these answers are held until they are fetched.
    ///
    /// # Errors
    /// As [`next_emission`](Engine::next_emission).
    pub fn answer_open(&mut self) -> Result<(), Error> {
        self.settle()?;
        self.firing.answers_early = true;
        let mut from = self.firing.fired_to;
        while let Some(start) = self.candidate_from(from) {
            let content = self.merged(start)?;
            if self.is_news(start, content.as_ref()) {
                let revision = self.firing.next_revision(start);
                self.firing.revisions.insert(start, revision);
                self.pending.push_back(Fired { start, revision, content });
            }
            from = self.schedule.next_window(start);
        }
        Ok(())
    }

    /// Whether a window has other records than when it was answered before its turn the last time; these are remembered then.
    fn is_news(&mut self, start: i64, content: Option<&A::Accumulator>) -> bool {
        // What cannot be written down cannot be told from what it was.
        let Ok(bytes) = answer_bytes(&self.aggregate, content) else { return true };
        let content = hash_bytes(Seed::PUBLIC, &bytes);
        self.firing.early.insert(start, content) != Some(content)
    }

    /// Fires a window for the first time.
    fn fire<T>(&mut self, start: i64, make: impl FnOnce(&A, Content<'_, A::Accumulator>) -> T) -> Result<Fired<T>, Error> {
        let content = match &mut self.stacks {
            // Without allowed lateness the pane closes with its only window.
            None if self.lateness == 0 => self.panes.at_mut(start).map_or(Content::Empty, Content::Leaving),
            None => self.panes.at(start).map_or(Content::Empty, Content::Staying),
            Some(stacks) => {
                let end = self.schedule.last_millisecond(start).saturating_add(1);
                match stacks.slide(start, end, &self.panes, &self.aggregate)? {
                    Slid::Made(accumulator) => Content::Merged(accumulator),
                    Slid::Kept(accumulator) => Content::Staying(accumulator),
                    Slid::Empty => Content::Empty,
                }
            }
        };
        let content = match self.inherited.is_empty() {
            true => make(&self.aggregate, content),
            false => {
                // A clone, so that nothing is lost should the merge fail.
                let own = content.get().cloned();
                let whole = self.with_inherited(start, own.as_ref())?.or(own);
                make(&self.aggregate, whole.map_or(Content::Empty, Content::Merged))
            }
        };
        let revision = self.firing.next_revision(start);
        if self.lateness > 0 {
            self.firing.revisions.insert(start, revision);
        }
        Ok(Fired { start, revision, content })
    }

    /// Fires a window again, or for the first time if it was empty until now, because of a late record or before its turn.
    fn fire_again<T>(&mut self, start: i64, make: impl FnOnce(&A, Content<'_, A::Accumulator>) -> T) -> Result<Fired<T>, Error> {
        let content = make(&self.aggregate, self.merged(start)?.map_or(Content::Empty, Content::Merged));
        let revision = self.firing.next_revision(start);
        self.firing.revisions.insert(start, revision);
        Ok(Fired { start, revision, content })
    }

    /// The merge of the panes of a window, from its panes one by one.
    fn merged(&self, start: i64) -> Result<Option<A::Accumulator>, Error> {
        let end = self.schedule.last_millisecond(start).saturating_add(1);
        let mut panes = self.panes.range(start, end).map(|(_, accumulator)| accumulator);
        let Some(mut merged) = self.with_inherited(start, None)?.or_else(|| panes.next().cloned()) else { return Ok(None) };
        for accumulator in panes {
            self.aggregate.merge(&mut merged, accumulator)?;
        }
        Ok(Some(merged))
    }

    /// A record went into the pane: the windows around it that have fired and are not closed have to fire again.
    pub(super) fn fire_again_with(&mut self, pane: Pane) {
        let mut start = self.schedule.first_window_of(pane);
        let last = self.schedule.last_window_of(pane.start);
        while start <= last && start < self.firing.fired_to {
            if self.schedule.last_millisecond(start).saturating_add(self.lateness) > self.watermarks.overall() {
                self.firing.again.push_back(start);
            }
            start = self.schedule.next_window(start);
        }
    }

    /// The watermark at which the last window that contains the pane is closed.
    pub(super) fn closes_at(&self, pane_start: i64) -> i64 {
        self.schedule.last_millisecond(self.schedule.last_window_of(pane_start)).saturating_add(self.lateness)
    }

    /// Drops the panes and revisions that no record can change any more.
    fn close_panes(&mut self) {
        let watermark = self.watermarks.overall();
        while let Some(start) = self.panes.first_start() {
            let fired = self.schedule.last_window_of(start) < self.firing.fired_to;
            if !fired || self.closes_at(start) > watermark {
                break;
            }
            let Some((pane, accumulator)) = self.panes.close_first() else { break };
            if let Some(stacks) = &mut self.stacks {
                stacks.leave(pane, &accumulator, &self.aggregate);
            }
        }
        self.close_inherited();
        while let Some((start, _)) = self.firing.revisions.first_key_value() {
            // One that was answered before its turn is still to fire.
            let fired = *start < self.firing.fired_to;
            if !fired || self.schedule.last_millisecond(*start).saturating_add(self.lateness) > watermark {
                break;
            }
            self.firing.revisions.pop_first();
        }
        while let Some(entry) = self.firing.early.first_entry().filter(|entry| *entry.key() < self.firing.fired_to) {
            entry.remove();
        }
    }

    /// A pane was opened: its first window may be the next to fire.
    pub(super) fn wake_for(&mut self, pane: Pane) {
        self.firing.wake_at = self.firing.wake_at.min(self.wakes_at(pane));
    }

    /// The lowest watermark at which a window of the pane fires, or the pane closes.
    pub(super) fn wakes_at(&self, pane: Pane) -> i64 {
        let start = self.schedule.first_window_of(pane).max(self.firing.fired_to);
        self.schedule.last_millisecond(start).min(self.closes_at(pane.start))
    }

    /// The lowest watermark at which a window fires or a pane closes.
    fn next_wake(&self) -> i64 {
        let next = if self.counts_empty() { Some(self.firing.fired_to) } else { self.candidate() };
        let fires = next.map_or(i64::MAX, |start| self.schedule.last_millisecond(start));
        let closes = self.panes.first_start().map_or(i64::MAX, |start| self.closes_at(start));
        fires.min(closes).min(self.inherited_closes_at())
    }
}
