//! What the engine does where each group has windows of its own: sessions and staggered windows.
//!
//! Shards, watermarks, counts, limits and snapshots are those of all windows. Only the place of a
//! record, and what is complete, are found in [`GroupWindows`] instead of in panes.

use super::core::{Engine, answer_bytes};
use super::durable::Encode;
use super::firing::{FiredContent, read_revision};
use super::group_windows::{GroupAnswer, GroupWindow, GroupWindows, Parts, group_windows, hash_of};
use super::{Emission, Outcome};
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::snapshot::{Origin, Partial};
use crate::time::Timestamp;
use crate::window::Window;

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Returns true if each group has windows of its own.
    pub(crate) fn is_per_group(&self) -> bool {
        self.of_groups.is_some()
    }

    /// Adds a record to its window, and opens the window if necessary.
    pub(super) fn place_in_group(&mut self, record: &R, time: Timestamp) -> Result<Outcome, Error> {
        let (at, watermark) = (time.as_millis(), self.watermarks.overall());
        let in_range = self.schedule.range(self.lateness).contains(&at);
        let Some(windows) = &mut self.of_groups else { return Ok(Outcome::BetweenWindows) };
        if !in_range {
            let message = super::core::out_of_range(time);
            return self.refuse(Error::new(ErrorKind::TimeOutOfRange, message));
        }
        let (kind, groups) = (windows.kind, self.aggregate.per_group());
        let hash = groups.map_or(0, |groups| groups.group_hash(record));
        let found = windows.find(hash, |window| {
            kind.takes((window.start, window.end), at)
                && groups.is_none_or(|groups| groups.is_of_group(&window.accumulator, record))
        });
        let own = (at, at + kind.length());
        let result = match found.as_slice() {
            [] if own.1 - 1 <= watermark => return Ok(Outcome::Late(time)),
            [] => self.open_group_window(own, hash, (record, time)),
            [slot, rest @ ..] if rest.is_empty() || !kind.joins() => {
                self.extend_group_window(*slot, (record, time))
            }
            [first, rest @ ..] => self.join_group_windows(*first, rest, (record, time)),
        };
        match result {
            Ok(()) => {
                self.until_check = self.until_check.saturating_sub(1);
                Ok(Outcome::Applied)
            }
            Err(error) => self.refuse(error),
        }
    }

    fn open_group_window(
        &mut self,
        bounds: (i64, i64),
        hash: u64,
        (record, time): (&R, Timestamp),
    ) -> Result<(), Error> {
        let mut accumulator = self.aggregate.init();
        self.aggregate.try_add(&mut accumulator, record, time)?;
        self.check_group_windows()?;
        if let Some(windows) = &mut self.of_groups {
            windows.insert(bounds, hash, accumulator);
            self.firing.wake_by(bounds.1 - 1);
        }
        Ok(())
    }

    fn check_group_windows(&self) -> Result<(), Error> {
        let open = self.of_groups.as_ref().map_or(0, |windows| windows.len());
        if open < self.limits.groups_max.min(u32::MAX as usize) {
            return Ok(());
        }
        let message = format!(
            "{open} windows of groups are open, as many as Limits::groups_max allows; a shorter out-of-orderness closes them sooner"
        );
        Err(Error::new(ErrorKind::LimitExceeded, message))
    }

    #[inline]
    fn extend_group_window(
        &mut self,
        slot: u32,
        (record, time): (&R, Timestamp),
    ) -> Result<(), Error> {
        let Some(windows) = &mut self.of_groups else { return Ok(()) };
        let (kind, at) = (windows.kind, time.as_millis());
        let Some(window) = windows.get_mut(slot) else { return Ok(()) };
        let bounds = match kind.joins() {
            true => (window.start.min(at), window.end.max(at + kind.length())),
            false => (window.start, window.end),
        };
        let retracted = retraction(window, bounds);
        self.aggregate.try_add(&mut window.accumulator, record, time)?;
        (window.start, window.end, window.changed) = (bounds.0, bounds.1, true);
        if let Some(retracted) = retracted {
            window.revision = None;
            windows.answer(vec![retracted]);
        }
        Ok(())
    }

    /// Joins windows with a record that belongs to all of them.
    fn join_group_windows(
        &mut self,
        first: u32,
        rest: &[u32],
        (record, time): (&R, Timestamp),
    ) -> Result<(), Error> {
        let Some(windows) = &mut self.of_groups else { return Ok(()) };
        let Some(window) = windows.get(first) else { return Ok(()) };
        // A clone, so that nothing changes if a merge fails.
        let mut accumulator = window.accumulator.clone();
        let at = time.as_millis();
        let mut bounds = (window.start.min(at), window.end.max(at + windows.kind.length()));
        for slot in rest {
            let Some(other) = windows.get(*slot) else { continue };
            self.aggregate.merge(&mut accumulator, &other.accumulator)?;
            bounds = (bounds.0.min(other.start), bounds.1.max(other.end));
        }
        self.aggregate.try_add(&mut accumulator, record, time)?;
        let retracted = rest.iter().chain([&first]).filter_map(|slot| windows.get(*slot));
        let retracted: Vec<_> = retracted.filter_map(|window| retraction(window, bounds)).collect();
        rest.iter().for_each(|slot| drop(windows.remove(*slot)));
        if let Some(window) = windows.get_mut(first) {
            let revision = window.revision.filter(|_| bounds == (window.start, window.end));
            (window.start, window.end) = bounds;
            (window.revision, window.changed) = (revision, true);
            window.accumulator = accumulator;
        }
        windows.answer(retracted);
        Ok(())
    }

    /// Makes the answers of the windows that are complete.
    pub(super) fn close_group_windows(&mut self) {
        if let Some(windows) = &mut self.of_groups {
            windows.close_due(self.watermarks.overall());
            self.firing.wake_at = windows.first_end() - 1;
            if windows.len() == 0 {
                self.firing.wake_at = i64::MAX;
            }
        }
    }

    /// Makes answers of the open windows that have changed.
    pub(super) fn answer_open_group_windows(&mut self) {
        self.close_group_windows();
        let Some(windows) = &mut self.of_groups else { return };
        let mut answers: Vec<GroupAnswer<A::Accumulator>> = Vec::new();
        windows.each_open(|window| {
            if std::mem::take(&mut window.changed) {
                let revision = window.revision.map_or(0, |last| last.saturating_add(1));
                window.revision = Some(revision);
                let parts = Parts::from_iter([window.accumulator.clone()]);
                let (start, end) = (window.start, window.end);
                answers.push(GroupAnswer { start, end, revision, retracted: false, parts });
            }
        });
        windows.answer(answers);
    }

    fn next_group_answer(&mut self) -> Result<Option<GroupAnswer<A::Accumulator>>, Error> {
        self.note_due();
        let windows = self.of_groups.as_mut();
        let Some(mut answer) = windows.and_then(|windows| windows.answers.pop_front()) else {
            return Ok(None);
        };
        let mut parts = std::mem::take(&mut answer.parts).into_iter();
        let Some(mut merged) = parts.next() else { return Ok(Some(answer)) };
        parts.try_for_each(|part| self.aggregate.merge(&mut merged, &part))?;
        answer.parts.push(merged);
        self.stats.emitted = self.stats.emitted.saturating_add(1);
        Ok(Some(answer))
    }

    /// Returns the next emission: see [`next_emission`](Engine::next_emission).
    pub(super) fn next_group_emission<T>(
        &mut self,
        make: impl FnOnce(&A, FiredContent<'_, A::Accumulator>) -> T,
    ) -> Result<Option<Emission<T>>, Error> {
        let found = self.next_group_answer()?;
        Ok(found.map(|found| {
            let content = found.parts.into_iter().next();
            Emission {
                window: Some(window(found.start, found.end)),
                revision: found.revision,
                retracted: found.retracted,
                value: make(
                    &self.aggregate,
                    content.map_or(FiredContent::Empty, FiredContent::Merged),
                ),
            }
        }))
    }

    /// Fires the next window as a partial.
    pub(super) fn fire_group_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        let windows = self.of_groups.as_ref();
        let early = |windows: &GroupWindows<_>| {
            windows.answers.iter().any(|answer| answer.retracted || answer.revision > 0)
                || windows.open().any(|window| window.revision.is_some())
        };
        if windows.is_some_and(|windows| early(windows)) {
            return Err(Error::invalid(
                "a window of a group that was answered early has no partial: it may become longer",
            ));
        }
        let Some(found) = self.next_group_answer()? else { return Ok(None) };
        let bytes = answer_bytes(&self.aggregate, found.parts.first())?;
        let origin = Origin {
            window: Some(window(found.start, found.end)),
            source: source.to_owned(),
            revision: found.revision,
            is_final: true,
        };
        let partial = Partial::new(&self.identity(), &origin, |writer| {
            writer.raw(&bytes);
            Ok(())
        });
        partial.map(Some)
    }

    /// Adds windows of another engine: each group's own, joined with those that are here.
    pub(super) fn adopt_group_windows(
        &mut self,
        bounds: Window,
        accumulator: &A::Accumulator,
    ) -> Result<(), Error> {
        let (start, end) = (bounds.start().as_millis(), bounds.end().as_millis());
        if start >= end || !self.schedule.range(self.lateness).contains(&start) {
            return Err(Error::invalid("the window is none of this pipeline's"));
        }
        if end - 1 <= self.watermarks.overall() {
            return Err(Error::invalid(
                "a window that is complete here cannot be adopted: adopt before the first record",
            ));
        }
        let parts = match self.aggregate.per_group() {
            None => vec![accumulator.clone()],
            Some(groups) => groups.split(accumulator).ok_or_else(|| {
                Error::invalid(
                    "groups past the limit were joined: their windows cannot be told apart",
                )
            })?,
        };
        parts.into_iter().try_for_each(|part| self.adopt_group_window((start, end), part))
    }

    fn adopt_group_window(
        &mut self,
        (mut start, mut end): (i64, i64),
        mut accumulator: A::Accumulator,
    ) -> Result<(), Error> {
        self.check_group_windows()?;
        let groups = self.aggregate.per_group();
        let hash = hash_of(groups, &accumulator);
        let Some(windows) = &mut self.of_groups else { return Ok(()) };
        let joins = windows.kind.joins();
        let found = windows.find(hash, |window| {
            let same =
                groups.is_none_or(|groups| groups.is_same_group(&window.accumulator, &accumulator));
            let meets = match joins {
                true => window.start < end && start < window.end,
                false => (window.start, window.end) == (start, end),
            };
            same && meets
        });
        for slot in &found {
            if let Some(window) = windows.get(*slot) {
                self.aggregate.merge(&mut accumulator, &window.accumulator)?;
                (start, end) = (start.min(window.start), end.max(window.end));
            }
        }
        found.iter().for_each(|slot| drop(windows.remove(*slot)));
        windows.insert((start, end), hash, accumulator);
        self.firing.wake_by(end - 1);
        Ok(())
    }

    /// Writes the windows and answers.
    pub(super) fn encode_group_windows(
        &self,
        windows: &GroupWindows<A::Accumulator>,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error> {
        let mut open: Vec<(&GroupWindow<A::Accumulator>, Vec<u8>)> = Vec::new();
        for window in windows.open() {
            let mut content = Writer::new();
            encode(&window.accumulator, &mut content)?;
            open.push((window, content.into_bytes()));
        }
        // In an order that does not depend on the history.
        open.sort_by(|(left, left_bytes), (right, right_bytes)| {
            let place = |window: &GroupWindow<_>| (window.start, window.end);
            place(left).cmp(&place(right)).then_with(|| left_bytes.cmp(right_bytes))
        });
        writer.usize(open.len());
        let mut last = 0i64;
        for (window, content) in open {
            writer.i64(window.start.wrapping_sub(last));
            writer.i64(window.end.wrapping_sub(window.start));
            writer.bool(window.changed);
            writer.u64(window.revision.map_or(0, |revision| u64::from(revision) + 1));
            writer.section(|section| {
                section.raw(&content);
                Ok(())
            })?;
            last = window.start;
        }
        writer.usize(windows.answers.len());
        for answer in &windows.answers {
            writer.i64(answer.start);
            writer.i64(answer.end.wrapping_sub(answer.start));
            writer.u64(u64::from(answer.revision));
            writer.bool(answer.retracted);
            writer.usize(answer.parts.len());
            for part in &answer.parts {
                writer.section(|section| encode(part, section))?;
            }
        }
        Ok(())
    }

    /// Reads what [`encode_group_windows`](Engine::encode_group_windows) wrote.
    pub(super) fn decode_group_windows(
        &self,
        mut reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<Option<Box<GroupWindows<A::Accumulator>>>, Error> {
        let mut read = group_windows(&self.schedule, self.lateness, self.emit_empty)?;
        let Some(windows) = &mut read else { return Ok(None) };
        let groups = self.aggregate.per_group();
        let mut start = 0i64;
        let open = reader.count(5)?;
        if open > self.limits.groups_max {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "the snapshot has {open} windows of groups, over the {} of Limits::groups_max",
                    self.limits.groups_max
                ),
            ));
        }
        for _ in 0..open {
            start = start.wrapping_add(reader.i64()?);
            let end = read_end(&mut reader, start)?;
            let (changed, revision) = (reader.bool()?, reader.u64()?);
            let accumulator = self.decode_accumulator(reader.section()?, room)?;
            let slot = windows.insert((start, end), hash_of(groups, &accumulator), accumulator);
            if let Some(window) = windows.get_mut(slot) {
                window.changed = changed;
                window.revision = revision
                    .checked_sub(1)
                    .map(u32::try_from)
                    .transpose()
                    .map_err(|_| reader.corrupt("a revision is over 32 bits"))?;
            }
        }
        for _ in 0..reader.count(6)? {
            let start = reader.i64()?;
            let end = read_end(&mut reader, start)?;
            let (revision, retracted) = (read_revision(&mut reader)?, reader.bool()?);
            let mut parts = Parts::new();
            for _ in 0..reader.count(1)? {
                parts.push(self.decode_accumulator(reader.section()?, room)?);
            }
            windows.answers.push_back(GroupAnswer { start, end, revision, retracted, parts });
        }
        reader.finish()?;
        Ok(read)
    }
}

/// Returns what takes the answer of a window back, if it has one and its bounds change.
fn retraction<T: Clone>(window: &GroupWindow<T>, bounds: (i64, i64)) -> Option<GroupAnswer<T>> {
    let last = window.revision.filter(|_| bounds != (window.start, window.end))?;
    Some(GroupAnswer {
        start: window.start,
        end: window.end,
        revision: last.saturating_add(1),
        retracted: true,
        parts: Parts::from_iter([window.accumulator.clone()]),
    })
}

fn window(start: i64, end: i64) -> Window {
    Window::new(Timestamp::from_millis(start), Timestamp::from_millis(end))
}

/// Reads the end of a window, as the distance from its start.
fn read_end(reader: &mut Reader<'_>, start: i64) -> Result<i64, Error> {
    let end = start.checked_add(reader.i64()?).filter(|end| *end > start);
    end.ok_or_else(|| reader.corrupt("a window ends before it starts"))
}
