//! Fires windows: which are due, their content, and the panes that are dropped then.

use super::Engine;
use super::core::answer_bytes;
use super::firing::{Fired, FiredContent, first_window};
use super::pending::check_room;
use crate::aggregate::Aggregate;
use crate::error::{Error, ErrorKind};
use crate::hash::{Seed, hash_bytes};
use crate::time::Timestamp;
use crate::window::{Pane, WindowMerge};
use std::ops::Range;

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Updates which windows are due, before the next record.
    #[inline]
    pub(super) fn note_due(&mut self) {
        if self.firing.is_due(self.watermarks.overall()) {
            self.look();
        }
    }

    /// From now on, due windows wait to be fetched. Their panes no longer count as recently used,
    /// so that a record for one of them goes through [`fire_due_before`](Engine::fire_due_before).
    #[cold]
    fn look(&mut self) {
        if self.of_groups.is_some() {
            return self.close_group_windows();
        }
        if self.of_rows.is_some() {
            return self.close_row_windows();
        }
        let answering = self.firing.answering.as_ref().map(|windows| windows.end);
        let rests = self.firing.again.is_empty()
            && answering.is_none()
            && self.next_closing().is_none()
            && self.due().is_none();
        if rests {
            self.rest();
            return;
        }
        self.raise_waits_to(answering.unwrap_or(self.firing.fired_to));
        let waits_to = self.firing.waits_to;
        self.panes.forget_before(self.schedule.first_time_from(waits_to));
        self.firing.wake_at = self
            .candidate_from(waits_to)
            .map_or(i64::MAX, |start| self.schedule.last_millisecond(start));
    }

    /// Marks the windows before `start`, and all complete windows, as waiting.
    fn raise_waits_to(&mut self, start: i64) {
        let unfired = self.schedule.first_unfired(self.watermarks.overall());
        self.firing.waits_to = self.firing.waits_to.max(unfired).max(start);
    }

    /// Records that nothing is due.
    fn rest(&mut self) {
        self.pass_empty();
        self.close_panes();
        (self.firing.waits_to, self.firing.wake_at) = (i64::MIN, self.next_wake());
    }

    /// Called before a record goes into the pane: if a waiting window contains the pane, all
    /// waiting windows are computed.
    ///
    /// # Errors
    /// Those of [`fire_due`](Engine::fire_due).
    #[cold]
    pub(super) fn fire_due_before(&mut self, pane: Pane) -> Result<(), Error> {
        // The watermark may have passed windows without a record in the meantime.
        self.raise_waits_to(i64::MIN);
        if self.schedule.first_window_of(pane) < self.firing.waits_to {
            self.fire_due()
        } else {
            Ok(())
        }
    }

    /// Computes the answers of the waiting windows.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] if the computed answers that were not fetched take more bytes
    /// than allowed, and those of [`next_emission`](Engine::next_emission).
    #[cold]
    pub(super) fn fire_due(&mut self) -> Result<(), Error> {
        loop {
            self.check_pending()?;
            let Some(fired) =
                self.fire_next(|aggregate, content| content.keep(|| aggregate.init()))?
            else {
                return Ok(());
            };
            let bytes = fired
                .content
                .as_ref()
                .map_or(0, |accumulator| self.aggregate.state_bytes(accumulator));
            self.pending.push(fired, bytes);
        }
    }

    /// Returns an error if there is no room for more answers.
    fn check_pending(&self) -> Result<(), Error> {
        let rest = self.limits.state_bytes_max.saturating_sub(self.measured);
        check_room((self.pending.len(), self.pending.bytes()), &self.limits, rest)
    }

    /// Fires the next due window, and passes its content to `make`. A window that cannot be
    /// computed is an error once; it is then skipped.
    pub(super) fn fire_next<T>(
        &mut self,
        make: impl FnOnce(&A, FiredContent<'_, A::Accumulator>) -> T,
    ) -> Result<Option<Fired<T>>, Error> {
        if let Some(start) = self.firing.again.pop_front() {
            return self.fire_again(start, make).map(Some);
        }
        if let Some(Fired { start, revision, content }) = self.next_early()? {
            let content =
                make(&self.aggregate, content.map_or(FiredContent::Empty, FiredContent::Merged));
            return Ok(Some(Fired { start, revision, content }));
        }
        if let Some(start) = self.next_closing() {
            return self.fire_again(start, make).map(Some);
        }
        if let Some(start) = self.due() {
            let fired = self.fire(start, make);
            self.firing.fired_to = self.schedule.next_window(start);
            self.firing.has_fired = true;
            self.close_panes();
            return fired.map(Some);
        }
        self.rest();
        Ok(None)
    }

    /// Returns the next window that has closed after a partial of it was returned.
    fn next_closing(&self) -> Option<i64> {
        self.firing.given.first().copied().filter(|start| self.is_closed(*start))
    }

    /// Skips empty windows that the watermark has passed, so that they do not fire later.
    ///
    /// If empty windows are emitted, those before the first window that fires are not, and a late
    /// record may still go into that one. So only windows that no record can go into any more are
    /// skipped.
    pub(super) fn pass_empty(&mut self) {
        if !self.counts_empty() {
            let lateness = if self.emit_empty { self.lateness } else { 0 };
            let unfired =
                self.schedule.first_unfired(self.watermarks.overall().saturating_sub(lateness));
            self.firing.fired_to = self.firing.fired_to.max(unfired);
        }
    }

    /// Returns the next window to fire, if the watermark has reached its end.
    fn due(&self) -> Option<i64> {
        let with_record = self.candidate();
        // The end of the input completes no empty windows after the last one with a record.
        let watermark = if with_record.is_some() {
            self.watermarks.overall()
        } else {
            self.watermarks.reached()
        };
        let next = if self.counts_empty() { Some(self.firing.fired_to) } else { with_record };
        next.filter(|start| self.schedule.last_millisecond(*start) <= watermark)
    }

    /// Returns true if every window from `fired_to` on fires, with or without records. It is true
    /// after the first window with records.
    fn counts_empty(&self) -> bool {
        self.emit_empty && self.firing.has_fired
    }

    /// Returns an error for a pane so far from all others that more empty windows in a row than
    /// `Limits::panes_max` would be emitted.
    pub(super) fn check_gap(&self, pane: Pane) -> Result<(), Error> {
        if !self.emit_empty || self.empty_beside(pane) <= self.limits.panes_max as u64 {
            return Ok(());
        }
        let message = format!(
            "a window at {} is more than {} windows away from all others, and the empty ones in \
             between would be emitted: more than \
             Limits::panes_max allows",
            Timestamp::from_millis(pane.start),
            self.limits.panes_max
        );
        Err(Error::new(ErrorKind::TimeOutOfRange, message))
    }

    /// Returns true if a window around the time would be too far from all others for
    /// [`check_gap`](Engine::check_gap).
    pub(super) fn is_far(&self, time: Timestamp) -> bool {
        let start = time.as_millis();
        self.emit_empty && self.check_gap(Pane { start, end: start.saturating_add(1) }).is_err()
    }

    /// Returns the number of windows without a record between the windows of a new pane and the
    /// nearest ones that have a record or have fired.
    fn empty_beside(&self, pane: Pane) -> u64 {
        let (first, last) =
            (self.schedule.first_window_of(pane), self.schedule.last_window_of(pane.start));
        let after = |last: i64| self.schedule.next_window(last);
        let fired = self.firing.has_fired.then_some(self.firing.fired_to);
        if fired.is_some_and(|to| first < to) {
            return self.schedule.windows_between(after(last), self.first_fired());
        }
        let pane_before = self.panes.range(i64::MIN, pane.start).next_back();
        let opened = pane_before.map(|(start, _)| after(self.schedule.last_window_of(start)));
        let inherited = self.inherited.range(..first).next_back().map(|(start, _)| after(*start));
        if let Some(before) = fired.max(opened).max(inherited) {
            return self.schedule.windows_between(before, first);
        }
        let next = first_window(&self.panes, &self.schedule, after(last));
        next.map_or(0, |next| self.schedule.windows_between(after(last), next))
    }

    /// Returns the first window that has fired and may fire again; without one, the first that has
    /// not fired.
    fn first_fired(&self) -> i64 {
        self.firing
            .revisions
            .first_key_value()
            .map_or(self.firing.fired_to, |(start, _)| *start)
            .min(self.firing.fired_to)
    }

    /// Returns the first window with a record that has not fired.
    fn candidate(&self) -> Option<i64> {
        self.candidate_from(self.firing.fired_to)
    }

    /// Returns the first window with a record that starts at `start` or later.
    pub(super) fn candidate_from(&self, start: i64) -> Option<i64> {
        let own = first_window(&self.panes, &self.schedule, start);
        own.into_iter().chain(self.first_inherited_from(start)).min()
    }

    /// Determines the windows that fire early: see [`Control::fire_early`].
    pub(super) fn fire_open_windows(&mut self) -> Result<(), Error> {
        if self.of_groups.is_some() {
            self.answer_open_group_windows();
            return Ok(());
        }
        if self.of_rows.is_some() {
            return self.answer_open_row_windows();
        }
        // Complete windows come first.
        self.fire_due()?;
        let pane = self
            .panes
            .range(i64::MIN, i64::MAX)
            .next_back()
            .map(|(start, _)| self.schedule.last_window_of(start));
        let last = pane.max(self.inherited.last_key_value().map(|(start, _)| *start));
        let end = last.map_or(i64::MIN, |last| self.schedule.next_window(last));
        let mut from = self.firing.fired_to;
        // Without new records nothing is due.
        while let Some(start) = self.candidate_from(from).filter(|start| *start < end) {
            if self.news(start, self.merged(start)?.as_ref()).is_some() {
                self.firing.answering = Some(start..end);
                self.firing.wake_at = i64::MIN;
                return Ok(());
            }
            from = self.schedule.next_window(start);
        }
        Ok(())
    }

    /// Fires the next window early that has new records since its last early answer.
    fn next_early(&mut self) -> Result<Option<Fired<Option<A::Accumulator>>>, Error> {
        while let Some(Range { start, end }) = self.firing.answering.take() {
            let Some(start) = self.candidate_from(start).filter(|start| *start < end) else {
                break;
            };
            self.firing.answering = Some(self.schedule.next_window(start)..end);
            let content = self.merged(start)?;
            if let Some(hash) = self.news(start, content.as_ref()) {
                self.firing.early.insert(start, hash);
                return Ok(Some(self.fired_again(start, content)));
            }
        }
        Ok(None)
    }

    /// Returns the hash of a window's content, unless it is that of the last early answer.
    fn news(&self, start: i64, content: Option<&A::Accumulator>) -> Option<u64> {
        // Content without an encoding cannot be compared, so it always counts as new.
        let Ok(bytes) = answer_bytes(&self.aggregate, content) else { return Some(0) };
        let hash = hash_bytes(Seed::PUBLIC, &bytes);
        (self.firing.early.get(&start) != Some(&hash)).then_some(hash)
    }

    /// Fires a window for the first time.
    fn fire<T>(
        &mut self,
        start: i64,
        make: impl FnOnce(&A, FiredContent<'_, A::Accumulator>) -> T,
    ) -> Result<Fired<T>, Error> {
        self.firing.given.remove(&start);
        let content = match &mut self.stacks {
            // Without allowed lateness the pane closes with its only window.
            None if self.lateness == 0 => {
                self.panes.at_mut(start).map_or(FiredContent::Empty, FiredContent::Leaving)
            }
            None => self.panes.at(start).map_or(FiredContent::Empty, FiredContent::Staying),
            Some(stacks) => {
                let end = self.schedule.last_millisecond(start).saturating_add(1);
                match stacks.slide(start, end, &self.panes, &self.aggregate)? {
                    WindowMerge::New(accumulator) => FiredContent::Merged(accumulator),
                    WindowMerge::Running(accumulator) => FiredContent::Staying(accumulator),
                    WindowMerge::Empty => FiredContent::Empty,
                }
            }
        };
        let content = match self.inherited.is_empty() {
            true => make(&self.aggregate, content),
            false => {
                // A clone, so that nothing is lost if the merge fails.
                let own = content.get().cloned();
                let whole = self.with_inherited(start, own.as_ref())?.or(own);
                make(&self.aggregate, whole.map_or(FiredContent::Empty, FiredContent::Merged))
            }
        };
        let revision = self.firing.next_revision(start);
        if self.lateness > 0 {
            self.firing.revisions.insert(start, revision);
        }
        Ok(Fired { start, revision, content })
    }

    /// Fires a window again because of a late record or because it has closed; for the first time
    /// if it was empty until now.
    fn fire_again<T>(
        &mut self,
        start: i64,
        make: impl FnOnce(&A, FiredContent<'_, A::Accumulator>) -> T,
    ) -> Result<Fired<T>, Error> {
        self.firing.given.remove(&start);
        let content = make(
            &self.aggregate,
            self.merged(start)?.map_or(FiredContent::Empty, FiredContent::Merged),
        );
        Ok(self.fired_again(start, content))
    }

    fn fired_again<T>(&mut self, start: i64, content: T) -> Fired<T> {
        let revision = self.firing.next_revision(start);
        self.firing.revisions.insert(start, revision);
        Fired { start, revision, content }
    }

    /// Merges the panes of a window one by one.
    fn merged(&self, start: i64) -> Result<Option<A::Accumulator>, Error> {
        let end = self.schedule.last_millisecond(start).saturating_add(1);
        let mut panes = self.panes.range(start, end).map(|(_, accumulator)| accumulator);
        let Some(mut merged) = self.with_inherited(start, None)?.or_else(|| panes.next().cloned())
        else {
            return Ok(None);
        };
        for accumulator in panes {
            self.aggregate.merge(&mut merged, accumulator)?;
        }
        Ok(Some(merged))
    }

    /// Marks the fired windows that contain the pane and are not closed, after a record went into
    /// it: they fire again. If empty windows are emitted, the windows after them fire too, up to
    /// the first that has fired.
    #[inline]
    pub(super) fn fire_again_with(&mut self, pane: Pane) {
        let start = self.schedule.first_window_of(pane);
        if start < self.firing.fired_to {
            self.fire_again_from(
                start,
                self.schedule.next_window(self.schedule.last_window_of(pane.start)),
            );
        }
    }

    fn fire_again_from(&mut self, mut start: i64, to: i64) {
        let to = if self.counts_empty() { to.max(self.first_fired()) } else { to };
        while start < to.min(self.firing.fired_to) {
            if !self.is_closed(start) {
                self.firing.again.push_back(start);
                self.firing.wake_at = i64::MIN;
            }
            start = self.schedule.next_window(start);
        }
    }

    /// Returns true if no record can go into the window any more.
    pub(super) fn is_closed(&self, start: i64) -> bool {
        self.schedule.last_millisecond(start).saturating_add(self.lateness)
            <= self.watermarks.overall()
    }

    /// Returns the watermark at which the last window that contains the pane is closed.
    pub(super) fn closes_at(&self, pane_start: i64) -> i64 {
        self.schedule
            .last_millisecond(self.schedule.last_window_of(pane_start))
            .saturating_add(self.lateness)
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
            // A window that fired early will fire again at its end.
            let fired = *start < self.firing.fired_to;
            if !fired || !self.is_closed(*start) {
                break;
            }
            self.firing.revisions.pop_first();
        }
        while let Some(entry) =
            self.firing.early.first_entry().filter(|entry| *entry.key() < self.firing.fired_to)
        {
            entry.remove();
        }
    }

    /// Updates the next wake-up after a pane was opened: its first window may be the next to fire.
    pub(super) fn wake_for(&mut self, pane: Pane) {
        self.firing.wake_at = self.firing.wake_at.min(self.wakes_at(pane));
    }

    /// Returns the lowest watermark at which a window of the pane fires, or the pane closes.
    pub(super) fn wakes_at(&self, pane: Pane) -> i64 {
        let start = self.schedule.first_window_of(pane).max(self.firing.fired_to);
        self.schedule.last_millisecond(start).min(self.closes_at(pane.start))
    }

    /// Returns the lowest watermark at which a window fires or a pane closes.
    fn next_wake(&self) -> i64 {
        let next = if self.counts_empty() { Some(self.firing.fired_to) } else { self.candidate() };
        let fires = next.map_or(i64::MAX, |start| self.schedule.last_millisecond(start));
        let closes = self.panes.first_start().map_or(i64::MAX, |start| self.closes_at(start));
        let given = self.firing.given.first().map_or(i64::MAX, |start| {
            self.schedule.last_millisecond(*start).saturating_add(self.lateness)
        });
        fires.min(closes).min(given).min(self.inherited_closes_at())
    }
}
