//! The windows that are left when an input has ended, split for several threads.

use super::firing::Firing;
use super::inherited::Inherited;
use super::shards::Shards;
use super::{Engine, Stats};
use crate::aggregate::Aggregate;
use crate::window::{Boundary, TwoStacks};
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
        let (windows, panes_max) = self.windows_to_split();
        let count = parts.get().min(windows / WINDOWS_MIN.max(panes_max * WINDOWS_PER_PANE_MIN));
        let cuts = self.cuts(windows, count);
        // From the last to the first: each takes what is left at the end.
        let mut engines: Vec<Self> = cuts.into_iter().rev().map(|cut| self.split_at(cut)).collect();
        engines.reverse();
        engines
    }

    /// How many windows are to come and may be split, and how many panes the one of those looked at has that has most.
    fn windows_to_split(&self) -> (usize, usize) {
        let ended = self.watermarks.overall() == i64::MAX;
        let plain = self.lateness == 0 && !self.emit_empty && self.inherited.is_empty() && self.firing.is_plain();
        let (mut windows, mut panes_max) = (0, 0);
        if !ended || !plain {
            return (windows, panes_max);
        }
        self.each_window_to_come(|cut, anew| {
            // Windows between two that have no pane in common have about as many.
            if anew {
                panes_max = panes_max.max(self.panes.range(cut.start, cut.end).count());
            }
            windows += 1;
        });
        (windows, panes_max)
    }

    /// The first windows of the second and each later one of so many even parts.
    fn cuts(&self, windows: usize, parts: usize) -> Vec<Cut> {
        let (mut cuts, mut index) = (Vec::new(), 0);
        if parts < 2 {
            return cuts;
        }
        self.each_window_to_come(|cut, _| {
            if index > 0 && index == windows * (cuts.len() + 1) / parts {
                cuts.push(cut);
            }
            index += 1;
        });
        cuts
    }

    /// Tells of each window that is to come, in ascending order, and whether all of its panes are merged anew.
    fn each_window_to_come(&self, mut tell: impl FnMut(Cut, bool)) {
        let Some(stacks) = &self.stacks else { return };
        let mut boundary = stacks.boundary();
        let (mut from, mut last_end) = (self.firing.fired_to(), i64::MIN);
        while let Some(start) = self.candidate_from(from) {
            let end = self.schedule.last_millisecond(start).saturating_add(1);
            let before = boundary;
            let anew = boundary.pass(start, end);
            tell(Cut { start, end, last_end, boundary: before }, anew);
            last_end = end;
            from = self.schedule.next_window(start);
        }
    }

    /// Takes the windows from a cut on into an engine of their own. The panes that are also in windows before it stay, too.
    fn split_at(&mut self, cut: Cut) -> Self {
        let panes = self.panes.split_off(cut.start, cut.last_end);
        let firing = Firing::between(cut.start, self.firing.until());
        self.firing.end_at(cut.start);
        Engine {
            aggregate: self.aggregate.clone(),
            schedule: self.schedule,
            lateness: self.lateness,
            emit_empty: self.emit_empty,
            strict: self.strict,
            limits: self.limits.clone(),
            panes,
            stacks: Some(TwoStacks::unmade(cut.boundary, cut.last_end)),
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

/// A window that can be the first of a part.
#[derive(Clone, Copy, Debug)]
struct Cut {
    start: i64,
    end: i64,
    /// Where the window before it ends.
    last_end: i64,
    /// Where front and back of the stacks meet before it, so that a part merges as the whole would have.
    boundary: Boundary,
}
