//! The windows that are left when an input has ended, split for several threads.

use super::{Engine, FinishedPart};
use crate::aggregate::Aggregate;
use crate::window::{Boundary, Panes, TwoStacks};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

/// Fewer windows than this are not worth a part of their own.
const WINDOWS_MIN: usize = 8;

/// Nor are fewer than so many for each pane of a window: each part begins by merging the panes of its first window.
const WINDOWS_PER_PANE_MIN: usize = 3;

impl<R: ?Sized, A: Aggregate<R> + Clone> Engine<R, A> {
    /// Takes out the windows that are to come after [`finish`](Engine::finish), in two to `parts` parts. Each is drained by itself, on any thread; their emissions, one part's after the
    /// other's, are those that this engine would have given, to the bit. What the engine still gives itself comes before theirs. No further record may be pushed, and the parts'
    /// emissions are not counted in [`stats`](Engine::stats).
    ///
    /// None where that would not pay, and the engine keeps all windows: of few windows, or where windows wait to be answered again.
    ///
    /// Cost: O(windows log panes); of the panes nothing is copied.
    pub fn split_finished(&mut self, parts: NonZeroUsize) -> Vec<FinishedPart<R, A>> {
        let (windows, panes_max) = self.windows_to_split();
        let count = parts.get().min(windows / WINDOWS_MIN.max(panes_max * WINDOWS_PER_PANE_MIN));
        let cuts = self.cuts(windows, count);
        if cuts.is_empty() {
            return Vec::new();
        }
        let stacks = self.stacks.as_mut().map(|stacks| std::mem::replace(stacks, TwoStacks::new()));
        let begins = [(self.firing.fired_to(), stacks)].into_iter().chain(cuts.iter().map(|cut| (cut.start, cut.stacks())));
        let ends = cuts.iter().map(|next| (next.start, next.last_end)).chain([(i64::MAX, i64::MAX)]);
        let parts = begins.zip(ends).map(|((from, stacks), (until, panes_to))| (self.part(from..until, stacks), panes_to));
        let mut parts: Vec<_> = parts.collect();
        for (pane, accumulator) in self.panes.take_all() {
            let accumulator = Arc::new(accumulator);
            for (part, panes_to) in &mut parts {
                if part.windows.start <= pane.start && pane.start < *panes_to {
                    part.panes.open(pane, accumulator.clone());
                }
            }
        }
        parts.into_iter().map(|(part, _)| part).collect()
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
        let mut boundary = self.stacks.as_ref().map(TwoStacks::boundary);
        let (mut from, mut last_end) = (self.firing.fired_to(), i64::MIN);
        while let Some(start) = self.candidate_from(from) {
            let end = self.schedule.last_millisecond(start).saturating_add(1);
            let before = boundary;
            let anew = boundary.as_mut().is_none_or(|boundary| boundary.pass(start, end));
            tell(Cut { start, end, last_end, boundary: before }, anew);
            last_end = end;
            from = self.schedule.next_window(start);
        }
    }

    /// The part of the windows that start in a stretch, without its panes.
    fn part(&self, windows: Range<i64>, stacks: Option<TwoStacks<A::Accumulator>>) -> FinishedPart<R, A> {
        let aggregate = self.aggregate.clone();
        FinishedPart { aggregate, schedule: self.schedule, panes: Panes::new(), stacks, windows, record: PhantomData }
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
    /// `None` where a window is one pane.
    boundary: Option<Boundary>,
}

impl Cut {
    fn stacks<T: Clone>(&self) -> Option<TwoStacks<T>> {
        self.boundary.map(|boundary| TwoStacks::unmade(boundary, self.last_end))
    }
}
