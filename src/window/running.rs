//! The merge of the panes of a window, kept by adding the pane that enters and subtracting the one
//! that leaves.

use super::{Pane, Panes};
use crate::aggregate::{Aggregate, Invertible};
use crate::error::Error;
use std::borrow::Borrow;

/// A running merge over panes, of an aggregate that is invertible. It is a shortcut, never the only
/// way to an answer: whenever it cannot say, the caller merges.
#[derive(Clone, Debug)]
pub(super) struct Running<T> {
    /// The merge of the panes that start in `[start, end)`.
    merged: Option<T>,
    start: i64,
    end: i64,
    /// Not to be tried before a window that starts here: for as long as it takes to pay for the
    /// attempt.
    retry_at: i64,
}

impl<T: Clone> Running<T> {
    pub(super) fn new() -> Self {
        Running { merged: None, start: i64::MIN, end: i64::MIN, retry_at: i64::MIN }
    }

    /// Forgets everything: what was merged has changed.
    pub(super) fn forget(&mut self) {
        (self.merged, self.end) = (None, i64::MIN);
    }

    pub(super) fn merged(&self) -> Option<&T> {
        self.merged.as_ref()
    }

    /// Whether the pane that starts there is in the merge.
    #[inline]
    fn holds(&self, pane_start: i64) -> bool {
        self.start <= pane_start && pane_start < self.end
    }

    /// The first pane of all closes; it is in no window to come.
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

    /// Comes to the window `[start, end)`, and says whether [`merged`](Running::merged) is then
    /// that of its panes, exactly.
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
        // Where nothing is merged, it ends before any window.
        if start < self.start || start >= self.end {
            (self.merged, self.start, self.end) = (None, start, start);
        }
        if self.start < start && panes.first_start().is_some_and(|first| first < start) {
            // Panes that are still open although they have left, for late records.
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
            // None is left of those that were merged.
            self.forget();
            return true;
        }
        self.merged.as_ref().is_some_and(|merged| inverse.is_exact(merged))
    }

    /// Merges a pane.
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
