//! The windows that are left when an input has ended, split for several threads.

use super::firing::Firing;
use super::inherited::Inherited;
use super::shards::Shards;
use super::{Engine, Stats};
use crate::aggregate::Aggregate;
use crate::window::TwoStacks;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::num::NonZeroUsize;

/// Fewer windows than this are not worth a part of their own.
const WINDOWS_MIN: usize = 32;

/// Nor are fewer than so many for each pane of a window: each part begins by copying and merging the panes of its first window.
const WINDOWS_PER_PANE_MIN: usize = 3;

impl<R: ?Sized, A: Aggregate<R> + Clone> Engine<R, A> {
    /// Splits off the later of the windows that are to come after [`finish`](Engine::finish), into at most `parts` engines, this one among them. Each is drained by
    /// itself, on any thread; their emissions, one engine's after the other's, are those that this one alone would have given, to the bit. No further record may be
    /// pushed, and each counts its own emissions.
    ///
    /// Nothing is split off where that would not pay: of windows that are single panes, of few windows, or where windows wait to be answered again.
    ///
    /// Cost: O(windows log panes), and a copy of the panes of one window for each part: at most a third more panes than there are.
    pub fn split_finished(&mut self, parts: NonZeroUsize) -> Vec<Self> {
        let fresh = self.fresh_starts();
        let mut engines = Vec::new();
        let count = parts.get().min(fresh.windows / WINDOWS_MIN.max(fresh.panes_max * WINDOWS_PER_PANE_MIN));
        // From the last to the first: each takes what is left at the end.
        for part in (1..count).rev() {
            // The first fresh start at or after an even share of the windows.
            let share = fresh.windows * part / count;
            let Some(&(_, start, last_end)) = fresh.starts.iter().find(|(index, ..)| *index >= share) else { continue };
            if start > self.firing.fired_to() && start < self.firing.until() {
                engines.push(self.split_at(start, last_end));
            }
        }
        engines.reverse();
        engines
    }

    /// The windows that are to come, and those among them of which nothing merged before shows.
    fn fresh_starts(&self) -> FreshStarts {
        let mut fresh = FreshStarts::default();
        let ended = self.watermarks.overall() == i64::MAX;
        let plain = self.lateness == 0 && !self.emit_empty && self.inherited.is_empty() && self.firing.is_plain();
        let Some(stacks) = self.stacks.as_ref().filter(|_| ended && plain) else { return fresh };
        let mut boundary = stacks.boundary();
        let (mut from, mut last_end) = (self.firing.fired_to(), i64::MIN);
        while let Some(start) = self.candidate_from(from) {
            let end = self.schedule.last_millisecond(start).saturating_add(1);
            if boundary.pass(start, end) {
                fresh.starts.push((fresh.windows, start, last_end));
                fresh.panes_max = fresh.panes_max.max(self.panes.range(start, end).count());
            }
            fresh.windows += 1;
            last_end = end;
            from = self.schedule.next_window(start);
        }
        fresh
    }

    /// Takes the windows from `start` on, which is a fresh start, into an engine of their own. The panes before `last_end` are also in windows that stay.
    fn split_at(&mut self, start: i64, last_end: i64) -> Self {
        let panes = self.panes.split_off(start, last_end);
        let firing = Firing::between(start, self.firing.until());
        self.firing.end_at(start);
        Engine {
            aggregate: self.aggregate.clone(),
            schedule: self.schedule,
            lateness: self.lateness,
            emit_empty: self.emit_empty,
            strict: self.strict,
            limits: self.limits.clone(),
            panes,
            stacks: Some(TwoStacks::new()),
            inherited: Inherited::new(),
            watermarks: self.watermarks.clone(),
            firing,
            pending: VecDeque::new(),
            stats: Stats::default(),
            shards: Shards::default(),
            name: self.name.clone(),
            recent_ids: None,
            until_check: self.until_check,
            refusal: None,
            record: PhantomData,
        }
    }
}

/// Where windows can be split without a trace.
#[derive(Default)]
struct FreshStarts {
    /// How many windows there are.
    windows: usize,
    /// The panes of the one of `starts` that has most.
    panes_max: usize,
    /// The windows that are merged from their panes alone, in ascending order: how many windows come before, the start, and the end of the window before.
    starts: Vec<(usize, i64, i64)>,
}
