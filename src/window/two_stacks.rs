//! The merge of the panes of a window, maintained while the window slides.
//!
//! Two stacks form a queue. The older panes are on the *front* stack: each entry is the merge of
//! its pane with all newer panes of that stack. The newer panes are merged into one accumulator,
//! the *back*. A window is the top of the front merged with the back. When the front is empty, it
//! is rebuilt from the window's panes. So a slide costs an amortised constant number of merges (at
//! most three per pane that enters) for every size and slide, and no pane is ever subtracted.
//!
//! Source: the "two-stacks" algorithm in Tangwongsan, Hirzel, Schneider and Wu, *General
//! incremental sliding-window aggregation* (VLDB 2015), which cites adamax (Stack Overflow 2011).
//!
//! The content is a function of the panes and of one number, the boundary between front and back.
//! No answer depends on anything else of the past.
//!
//! If the aggregate is invertible and exact, the order of merging does not affect the answer. Then
//! a running merge gives it, with one merge and one subtraction per pane. Only the boundary of the
//! stacks is maintained, from which they are rebuilt when needed.

use super::running::RunningMerge;
use super::{Pane, Panes};
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::Error;
use std::borrow::Borrow;

/// The merge of a sliding window over panes.
#[derive(Clone, Debug)]
pub(crate) struct TwoStacks<T> {
    /// The starts of the front's panes, each with the merge of its pane and all newer panes of the
    /// front. The oldest is on top (last).
    front: Vec<(i64, T)>,
    /// The merge of the panes that start in `[boundary, covered)`; `None` if there are no panes.
    back: Option<T>,
    boundary: i64,
    /// All panes that start before this time are in front or back.
    covered: i64,
    /// True if a covered pane has changed since it was merged.
    stale: bool,
    /// True if front and back must still be built from the panes up to `covered`.
    unbuilt: bool,
    running: RunningMerge<T>,
}

/// The boundary between front and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boundary {
    at: i64,
    stale: bool,
}

impl Boundary {
    /// Returns the boundary in milliseconds. Windows that start before it use the front.
    pub(crate) fn at(self) -> i64 {
        self.at
    }

    /// Moves to a window. Returns true if the front is rebuilt for it from all its panes. Then no
    /// earlier merge affects this window or a later one.
    pub(crate) fn pass(&mut self, start: i64, end: i64) -> bool {
        if std::mem::take(&mut self.stale) {
            self.at = self.at.max(start);
        }
        let rebuilds = self.at <= start;
        if rebuilds {
            self.at = end;
        }
        rebuilds
    }
}

/// The merge of a window's panes.
pub(crate) enum WindowMerge<'a, T> {
    /// Merged for this window only.
    New(T),
    /// The running merge, which stays with the stacks.
    Running(&'a T),
    /// The window has no panes.
    Empty,
}

impl<T: Clone> TwoStacks<T> {
    pub(crate) fn new() -> Self {
        TwoStacks {
            front: Vec::new(),
            back: None,
            boundary: i64::MIN,
            covered: i64::MIN,
            stale: false,
            unbuilt: false,
            running: RunningMerge::new(),
        }
    }

    /// Creates stacks that are restored up to `covered`. Front and back are built lazily from the
    /// panes.
    pub(crate) fn unbuilt(boundary: Boundary, covered: i64) -> Self {
        TwoStacks {
            boundary: boundary.at,
            stale: boundary.stale,
            covered,
            unbuilt: true,
            ..TwoStacks::new()
        }
    }

    /// Returns the end of the merged range, which is the end of a pane. Call
    /// [`touch`](TwoStacks::touch) when a pane before it changes.
    #[inline]
    pub(crate) fn covered(&self) -> i64 {
        self.covered
    }

    /// Must be called when a pane changes.
    #[inline]
    pub(crate) fn touch(&mut self, pane_start: i64) {
        if pane_start < self.covered {
            self.stale = true;
            self.running.forget();
        }
    }

    /// Must be called when the first open pane closes. No later window contains it.
    pub(crate) fn leave<R: ?Sized, A>(&mut self, pane: Pane, accumulator: &T, aggregate: &A)
    where
        A: Aggregate<R, Accumulator = T>,
    {
        self.running.leave(pane, accumulator, aggregate);
    }

    /// Returns the merge of the panes that start in `[start, end)`. Windows must come in ascending
    /// order.
    pub(crate) fn slide<R: ?Sized, A>(
        &mut self,
        start: i64,
        end: i64,
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<WindowMerge<'_, T>, Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        if self.running.slide((start, end), panes, aggregate) {
            self.pass(start, end);
            return Ok(self.running.merged().map_or(WindowMerge::Empty, WindowMerge::Running));
        }
        let merged = self.try_slide(start, end, panes, aggregate);
        if merged.is_err() {
            // A half-built stack is useless: the next slide starts from the beginning.
            *self = TwoStacks::new();
        }
        Ok(merged?.map_or(WindowMerge::Empty, WindowMerge::New))
    }

    /// Moves to a window without building front and back.
    fn pass(&mut self, start: i64, end: i64) {
        if !self.unbuilt {
            self.front.clear();
            self.back = None;
            self.unbuilt = true;
        }
        let mut boundary = self.boundary();
        boundary.pass(start, end);
        (self.boundary, self.stale, self.covered) = (boundary.at, boundary.stale, end);
    }

    /// Returns a copy of the boundary, to compute its course for later windows.
    pub(crate) fn boundary(&self) -> Boundary {
        Boundary { at: self.boundary, stale: self.stale }
    }

    /// Builds front and back as they are before a window that starts at `start`, if they are not
    /// built. Does nothing if the slide rebuilds them in any case.
    fn build<R: ?Sized, A>(
        &mut self,
        start: i64,
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<(), Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        if std::mem::take(&mut self.unbuilt) && !self.stale && start < self.boundary {
            let covered = self.covered;
            self.stack_up(start, self.boundary, panes, aggregate)?;
            self.grow_back(covered, panes, aggregate)?;
        }
        Ok(())
    }

    fn try_slide<R: ?Sized, A>(
        &mut self,
        start: i64,
        end: i64,
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<Option<T>, Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        self.build(start, panes, aggregate)?;
        if self.stale {
            self.stack_up(start, self.boundary.max(start), panes, aggregate)?;
            self.stale = false;
        }
        while self.front.last().is_some_and(|(pane, _)| *pane < start) {
            self.front.pop();
        }
        if self.boundary <= start {
            // The front is empty: all panes of the window go there.
            self.stack_up(start, end, panes, aggregate)?;
        }
        self.grow_back(end, panes, aggregate)?;
        let Some((_, front)) = self.front.last() else {
            return Ok(self.back.clone());
        };
        let Some(back) = &self.back else { return Ok(Some(front.clone())) };
        // Copying is cheaper than merging, so the merge of the longer interval is copied. The
        // choice depends only on times.
        let (longer, shorter) = if self.boundary - start >= end - self.boundary {
            (front, back)
        } else {
            (back, front)
        };
        let mut merged = longer.clone();
        aggregate.merge(&mut merged, shorter)?;
        Ok(Some(merged))
    }

    /// Builds the front from the panes that start in `[start, boundary)`, and empties the back.
    fn stack_up<R: ?Sized, A>(
        &mut self,
        start: i64,
        boundary: i64,
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<(), Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        self.front.clear();
        self.back = None;
        for (pane, accumulator) in panes.range(start, boundary).rev() {
            let accumulator: &T = accumulator.borrow();
            let merged = match self.front.last() {
                None => accumulator.clone(),
                Some((_, newer)) => {
                    // Merges the older pane into a copy of the newer ones, because copying is
                    // cheaper than merging. Panes share no time, so the order of merging does not
                    // matter.
                    let mut merged = newer.clone();
                    aggregate.merge(&mut merged, accumulator)?;
                    merged
                }
            };
            self.front.push((pane, merged));
        }
        (self.boundary, self.covered) = (boundary, boundary);
        Ok(())
    }

    fn grow_back<R: ?Sized, A>(
        &mut self,
        end: i64,
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<(), Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        let back = &mut self.back;
        panes.try_each(self.covered, end, |accumulator| match back {
            None => {
                *back = Some(accumulator.borrow().clone());
                Ok(())
            }
            Some(back) => aggregate.merge(back, accumulator.borrow()),
        })?;
        self.covered = self.covered.max(end);
        Ok(())
    }

    /// Writes the part that does not follow from the panes.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.i64(self.boundary);
        writer.i64(self.covered);
        writer.bool(self.stale);
    }

    /// Reads the bytes of [`encode`](TwoStacks::encode) and rebuilds the rest from the panes, for
    /// windows from `next` (start and end) on. It does the same merges in the same order, so that
    /// the answers of a sketch stay the same.
    pub(crate) fn decode<R: ?Sized, A>(
        reader: &mut Reader<'_>,
        next: (i64, i64),
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<Self, Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        let (next_start, next_end) = next;
        let (boundary, covered, stale) = (reader.i64()?, reader.i64()?, reader.bool()?);
        if boundary > covered || covered > next_end {
            return Err(reader.corrupt("the merged panes reach past the next window"));
        }
        let mut stacks = TwoStacks::unbuilt(Boundary { at: boundary, stale }, covered);
        // Builds immediately, so that panes that cannot be merged are reported here.
        stacks.build(next_start, panes, aggregate)?;
        Ok(stacks)
    }

    /// Returns the accumulators that are stored in addition to those of the panes.
    pub(crate) fn accumulators(&self) -> impl Iterator<Item = &T> {
        self.front
            .iter()
            .map(|(_, accumulator)| accumulator)
            .chain(&self.back)
            .chain(self.running.merged())
    }
}
