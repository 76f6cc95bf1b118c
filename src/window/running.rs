//! A running merge of the panes of a window: the pane that enters is added, the pane that leaves is
//! subtracted.

use super::{Pane, Panes};
use crate::aggregate::{Aggregate, Invertible};
use crate::error::Error;
use std::borrow::Borrow;

/// A running merge over panes, for invertible aggregates. It is only a shortcut: if it has no exact
/// answer, the caller merges the panes.
#[derive(Clone, Debug)]
pub(super) struct RunningMerge<T> {
    /// The merge of the panes that start in `[start, end)`.
    merged: Option<T>,
    start: i64,
    end: i64,
    /// After a failure, the merge is not tried for windows that start before this time. The pause
    /// is long enough to pay for the failed attempt.
    retry_at: i64,
}

impl<T: Clone> RunningMerge<T> {
    pub(super) fn new() -> Self {
        RunningMerge { merged: None, start: i64::MIN, end: i64::MIN, retry_at: i64::MIN }
    }

    /// Discards the merge, because a merged pane has changed.
    pub(super) fn forget(&mut self) {
        (self.merged, self.end) = (None, i64::MIN);
    }

    pub(super) fn merged(&self) -> Option<&T> {
        self.merged.as_ref()
    }

    /// Returns true if the pane that starts at `pane_start` is in the merge.
    #[inline]
    fn holds(&self, pane_start: i64) -> bool {
        self.start <= pane_start && pane_start < self.end
    }

    /// Subtracts the first open pane, which closes and is in no later window.
    pub(super) fn leave<R: ?Sized, A>(&mut self, pane: Pane, accumulator: &T, aggregate: &A)
    where
        A: Aggregate<R, Accumulator = T>,
    {
        if !self.holds(pane.start) {
            return;
        }
        self.start = pane.end;
        let Some(merged) = &mut self.merged else { return };
        if !aggregate.inverse().is_some_and(|inverse| inverse.subtract(merged, accumulator)) {
            self.forget();
        }
    }

    /// Moves to the window `[start, end)`. Returns true if [`merged`](RunningMerge::merged) is then
    /// exactly the merge of its panes.
    pub(super) fn slide<R: ?Sized, A>(
        &mut self,
        (start, end): (i64, i64),
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> bool
    where
        A: Aggregate<R, Accumulator = T>,
    {
        let Some(inverse) = aggregate.inverse() else { return false };
        if start < self.retry_at {
            return false;
        }
        let slid = self.try_slide((start, end), panes, aggregate, inverse);
        if !slid {
            self.forget();
            self.retry_at = end;
        }
        slid
    }

    fn try_slide<R: ?Sized, A>(
        &mut self,
        (start, end): (i64, i64),
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
        inverse: &dyn Invertible<R, T>,
    ) -> bool
    where
        A: Aggregate<R, Accumulator = T>,
    {
        // If nothing is merged, `self.end` is before every window.
        if start < self.start || start >= self.end {
            (self.merged, self.start, self.end) = (None, start, start);
        }
        if self.start < start && panes.first_start().is_some_and(|first| first < start) {
            // Panes that have left the window but are still open for late records.
            for (_, pane) in panes.range(self.start, start) {
                if !self
                    .merged
                    .as_mut()
                    .is_some_and(|merged| inverse.subtract(merged, pane.borrow()))
                {
                    return false;
                }
            }
        }
        let mut has_panes = false;
        let entered = panes.try_each(self.end, end, |pane| {
            has_panes = true;
            self.enter(pane.borrow(), aggregate, inverse)
        });
        if entered.is_err() {
            return false;
        }
        (self.start, self.end) = (start, end);
        if !has_panes && panes.first_pane_from(start).is_none_or(|pane| pane.start >= end) {
            // None of the merged panes is left.
            self.forget();
            return true;
        }
        self.merged.as_ref().is_some_and(|merged| inverse.is_exact(merged))
    }

    /// Adds a pane to the merge.
    #[inline]
    fn enter<R: ?Sized, A>(
        &mut self,
        pane: &T,
        aggregate: &A,
        inverse: &dyn Invertible<R, T>,
    ) -> Result<(), Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        match &mut self.merged {
            None => {
                let merged = self.merged.insert(pane.clone());
                inverse.prepare(merged);
                Ok(())
            }
            Some(merged) => aggregate.merge(merged, pane),
        }
    }
}
