//! Splits the windows that are open at the end of an input, for several threads.

use super::Engine;
use super::finished_part::FinishedPart;
use crate::aggregate::Aggregate;
use crate::window::{Boundary, Panes, TwoStacks};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

/// Minimum windows per part.
const WINDOWS_MIN: usize = 8;

/// Minimum windows per part, as a multiple of the panes per window: each part begins by merging the
/// panes of its first window.
const WINDOWS_PER_PANE_MIN: usize = 3;

impl<R: ?Sized, A: Aggregate<R> + Clone> Engine<R, A> {
    /// Splits the windows that remain after [`finish`](super::Control::finish) into two to `parts`
    /// parts. Each part is drained on its own, on any thread. Their emissions, part after part, are
    /// exactly those that this engine would have returned. The engine's own remaining emissions
    /// come before theirs. No record may be pushed after that, and the parts' emissions are not
    /// counted in [`stats`](super::Control::stats).
    ///
    /// Returns no parts if splitting would not pay off, because of few windows or because windows
    /// wait to be answered again. The engine then keeps all windows.
    ///
    /// Cost: O(panes log panes), for any number of windows. No pane is copied.
    pub(crate) fn split_finished(&mut self, parts: NonZeroUsize) -> Vec<FinishedPart<R, A>> {
        let (windows, panes_max) = self.windows_to_split();
        let count = parts.get().min(windows / WINDOWS_MIN.max(panes_max * WINDOWS_PER_PANE_MIN));
        let cuts = self.cuts(windows, count);
        if cuts.is_empty() {
            return Vec::new();
        }
        let stacks = self.stacks.as_mut().map(|stacks| std::mem::replace(stacks, TwoStacks::new()));
        let begins = [(self.firing.fired_to(), stacks)]
            .into_iter()
            .chain(cuts.iter().map(|cut| (cut.start, cut.stacks())));
        let ends =
            cuts.iter().map(|next| (next.start, next.last_end)).chain([(i64::MAX, i64::MAX)]);
        let parts = begins
            .zip(ends)
            .map(|((from, stacks), (until, panes_to))| (self.part(from..until, stacks), panes_to));
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

    /// Returns the number of remaining windows that can be split, and the largest number of panes
    /// of the examined ones.
    fn windows_to_split(&self) -> (usize, usize) {
        let ended = self.watermarks.overall() == i64::MAX;
        let plain = self.lateness == 0
            && !self.emit_empty
            && self.inherited.is_empty()
            && self.firing.is_plain();
        let (mut windows, mut panes_max) = (0usize, 0);
        if !ended || !plain {
            return (windows, panes_max);
        }
        self.each_stretch_to_come(|stretch| {
            // Windows between two windows without a common pane have about as many panes.
            if stretch.merges_again {
                panes_max = panes_max
                    .max(self.panes.range(stretch.start, self.end_of(stretch.start)).count());
            }
            windows = windows.saturating_add(stretch.windows);
        });
        (windows, panes_max)
    }

    /// Returns the first window of each part but the first, for parts of equal size.
    fn cuts(&self, windows: usize, parts: usize) -> Vec<Cut> {
        let (mut cuts, mut index) = (Vec::new(), 0usize);
        if parts < 2 {
            return cuts;
        }
        self.each_stretch_to_come(|stretch| {
            let end = index.saturating_add(stretch.windows);
            while cuts.len() + 1 < parts {
                let next = (windows as u128 * (cuts.len() + 1) as u128 / parts as u128) as usize;
                if next >= end {
                    break;
                }
                cuts.push(self.cut(&stretch, next - index));
            }
            index = end;
        });
        cuts
    }

    /// Returns the window at this index in a stretch of windows.
    fn cut(&self, stretch: &WindowStretch, windows: usize) -> Cut {
        let WindowStretch { start, last_end, before, after, .. } = *stretch;
        if windows == 0 {
            return Cut { start, last_end, boundary: before };
        }
        let start = self.schedule.after_windows(start, windows);
        Cut {
            start,
            last_end: self.end_of(self.schedule.after_windows(stretch.start, windows - 1)),
            boundary: after,
        }
    }

    fn end_of(&self, start: i64) -> i64 {
        self.schedule.last_millisecond(start).saturating_add(1)
    }

    /// Calls `tell` for all remaining windows, in ascending order, as stretches.
    fn each_stretch_to_come(&self, mut tell: impl FnMut(WindowStretch)) {
        let mut boundary = self.stacks.as_ref().map(TwoStacks::boundary);
        let (mut from, mut last_end) = (self.firing.fired_to(), i64::MIN);
        while let Some((start, pane)) =
            self.candidate_from(from).zip(self.panes.first_pane_from(from))
        {
            let before = boundary;
            let merges_again =
                boundary.as_mut().is_none_or(|boundary| boundary.pass(start, self.end_of(start)));
            // All windows that contain the pane have a record. Those that start before the boundary
            // merge it with the stacked panes.
            let having = self.schedule.windows_between(
                start,
                self.schedule.next_window(self.schedule.last_window_of(pane.start)),
            );
            let stacked =
                boundary.map_or(1, |boundary| self.schedule.windows_between(start, boundary.at()));
            let windows = usize::try_from(having.min(stacked).max(1)).unwrap_or(usize::MAX);
            tell(WindowStretch { start, windows, last_end, before, after: boundary, merges_again });
            last_end = self.end_of(self.schedule.after_windows(start, windows - 1));
            from = self.schedule.after_windows(start, windows);
        }
    }

    /// Returns the part with the windows that start in a range, without its panes.
    fn part(
        &self,
        windows: Range<i64>,
        stacks: Option<TwoStacks<A::Accumulator>>,
    ) -> FinishedPart<R, A> {
        let aggregate = self.aggregate.clone();
        FinishedPart {
            aggregate,
            schedule: self.schedule.clone(),
            panes: Panes::new(),
            stacks,
            windows,
            record: PhantomData,
        }
    }
}

/// Consecutive windows that all have a record. Only the first of them may need a new merge of all
/// of its panes.
#[derive(Clone, Copy, Debug)]
struct WindowStretch {
    /// The first window.
    start: i64,
    /// The number of windows, at least one.
    windows: usize,
    /// The end of the window before the first.
    last_end: i64,
    /// The boundary of the stacks before the first window, and after it; `None` if a window is one
    /// pane.
    before: Option<Boundary>,
    after: Option<Boundary>,
    /// True if the panes of the first window need a new merge.
    merges_again: bool,
}

/// A window that can be the first of a part.
#[derive(Clone, Copy, Debug)]
struct Cut {
    start: i64,
    /// The end of the window before it.
    last_end: i64,
    /// The boundary of the stacks before it, so that a part merges in the same order as the whole.
    /// `None` if a window is one pane.
    boundary: Option<Boundary>,
}

impl Cut {
    fn stacks<T: Clone>(&self) -> Option<TwoStacks<T>> {
        self.boundary.map(|boundary| TwoStacks::unbuilt(boundary, self.last_end))
    }
}

#[cfg(test)]
mod tests;
