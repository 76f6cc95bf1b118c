//! The merge of the panes of a window, kept up while the window slides.
//!
//! Two stacks make a queue: the older panes lie on the *front* stack, each entry holding the merge
//! of its pane with all newer ones of that stack; the newer panes are merged into one accumulator,
//! the *back*. A window is the top of the front merged with the back. When the front runs out, the
//! window's panes are stacked up again. So a slide costs an amortised constant number of merges (at
//! most three for each pane that enters) whatever the size and the slide are, and needs no way to
//! take a pane out again.
//!
//! Source: the "two-stacks" algorithm in Tangwongsan, Hirzel, Schneider and Wu, *General
//! incremental sliding-window aggregation* (VLDB 2015), there after adamax (Stack Overflow 2011).
//!
//! What it holds is a function of the panes and of one number, the boundary between front and back;
//! nothing else of the past shows in an answer.
//!
//! Where the aggregate is invertible and exact, the answer is the same whichever way it was merged:
//! then a running merge gives it, by one merge and one subtraction of a pane, and of the stacks
//! only the boundary is kept up, from which they are made when they are needed.

use super::running::Running;
use super::{Pane, Panes};
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::Error;
use std::borrow::Borrow;

/// A sliding merge over panes.
#[derive(Clone, Debug)]
pub(crate) struct TwoStacks<T> {
    /// The starts of the panes of the front with the merge of each and all after it, the oldest on
    /// top (last).
    front: Vec<(i64, T)>,
    /// The merge of the panes that start in `[boundary, covered)`; `None` if there are none.
    back: Option<T>,
    boundary: i64,
    /// The panes that start before this are in front or back.
    covered: i64,
    /// Whether a pane that is covered has changed since.
    stale: bool,
    /// Whether front and back are yet to be made, of the panes up to `covered`.
    unmade: bool,
    running: Running<T>,
}

/// Where front and back meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boundary {
    at: i64,
    stale: bool,
}

impl Boundary {
    /// The windows that start before this are merged with what is stacked up.
    pub(crate) fn at(self) -> i64 {
        self.at
    }

    /// Comes to a window, and says whether all of its panes are stacked up again for it: then
    /// nothing that was merged before shows in this window or a later one.
    pub(crate) fn pass(&mut self, start: i64, end: i64) -> bool {
        if std::mem::take(&mut self.stale) {
            self.at = self.at.max(start);
        }
        let anew = self.at <= start;
        if anew {
            self.at = end;
        }
        anew
    }
}

/// The merge of a window's panes.
pub(crate) enum Slid<'a, T> {
    /// Made for the window.
    Made(T),
    /// Kept up from window to window.
    Kept(&'a T),
    /// There are no panes.
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
            unmade: false,
            running: Running::new(),
        }
    }

    /// What has merged the panes that start before `covered`, with front and back yet to be made of
    /// them.
    pub(crate) fn unmade(boundary: Boundary, covered: i64) -> Self {
        TwoStacks {
            boundary: boundary.at,
            stale: boundary.stale,
            covered,
            unmade: true,
            ..TwoStacks::new()
        }
    }

    /// Where what has been merged ends, and a pane with it: of panes before that it is to be
    /// [told](TwoStacks::touch) when they change.
    #[inline]
    pub(crate) fn covered(&self) -> i64 {
        self.covered
    }

    /// To be told when a pane changes.
    #[inline]
    pub(crate) fn touch(&mut self, pane_start: i64) {
        if pane_start < self.covered {
            self.stale = true;
            self.running.forget();
        }
    }

    /// To be told when the first pane of all closes: no window to come has it.
    pub(crate) fn leave<R: ?Sized, A>(&mut self, pane: Pane, accumulator: &T, aggregate: &A)
    where
        A: Aggregate<R, Accumulator = T>,
    {
        self.running.leave(pane, accumulator, aggregate);
    }

    /// The merge of the panes that start in `[start, end)`. Windows must come in ascending order.
    pub(crate) fn slide<R: ?Sized, A>(
        &mut self,
        start: i64,
        end: i64,
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<Slid<'_, T>, Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        if self.running.slide((start, end), panes, aggregate) {
            self.pass(start, end);
            return Ok(self.running.merged().map_or(Slid::Empty, Slid::Kept));
        }
        let merged = self.try_slide(start, end, panes, aggregate);
        if merged.is_err() {
            // Half a stack is of no use: the next slide begins again.
            *self = TwoStacks::new();
        }
        Ok(merged?.map_or(Slid::Empty, Slid::Made))
    }

    /// Comes to a window without making front and back.
    fn pass(&mut self, start: i64, end: i64) {
        if !self.unmade {
            self.front.clear();
            self.back = None;
            self.unmade = true;
        }
        let mut boundary = self.boundary();
        boundary.pass(start, end);
        (self.boundary, self.stale, self.covered) = (boundary.at, boundary.stale, end);
    }

    /// Where front and back meet, to be followed ahead of the windows.
    pub(crate) fn boundary(&self) -> Boundary {
        Boundary { at: self.boundary, stale: self.stale }
    }

    /// Makes front and back as they are before a window that starts at `start`, if they are not
    /// made. Otherwise the slide stacks up again, whatever is here.
    fn make<R: ?Sized, A>(
        &mut self,
        start: i64,
        panes: &Panes<impl Borrow<T>>,
        aggregate: &A,
    ) -> Result<(), Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        if std::mem::take(&mut self.unmade) && !self.stale && start < self.boundary {
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
        self.make(start, panes, aggregate)?;
        if self.stale {
            self.stack_up(start, self.boundary.max(start), panes, aggregate)?;
            self.stale = false;
        }
        while self.front.last().is_some_and(|(pane, _)| *pane < start) {
            self.front.pop();
        }
        if self.boundary <= start {
            // Nothing of the front is left: all that is in the window goes there.
            self.stack_up(start, end, panes, aggregate)?;
        }
        self.grow_back(end, panes, aggregate)?;
        let Some((_, front)) = self.front.last() else {
            return Ok(self.back.clone());
        };
        let Some(back) = &self.back else { return Ok(Some(front.clone())) };
        // Copying is cheaper than merging, so that of the longer stretch is copied. Which it is
        // depends on nothing but times.
        let (longer, shorter) = if self.boundary - start >= end - self.boundary {
            (front, back)
        } else {
            (back, front)
        };
        let mut merged = longer.clone();
        aggregate.merge(&mut merged, shorter)?;
        Ok(Some(merged))
    }

    /// Makes the front of the panes that start in `[start, boundary)`, and the back empty.
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
                    // The pane into a copy of what is newer, and not the other way round: copying
                    // is cheaper than merging, and panes do not share a time, so that their order
                    // does not matter.
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

    /// Writes what cannot be told from the panes.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.i64(self.boundary);
        writer.i64(self.covered);
        writer.bool(self.stale);
    }

    /// Reads what [`encode`](TwoStacks::encode) wrote and makes the rest from the panes, for
    /// windows from `next` (its start and its end) on: by the same merges in the same order, so
    /// that a sketch's answers stay the same too.
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
        let mut stacks = TwoStacks::unmade(Boundary { at: boundary, stale }, covered);
        // At once, so that panes that do not merge are told here.
        stacks.make(next_start, panes, aggregate)?;
        Ok(stacks)
    }

    /// The accumulators that are kept beside the panes' own.
    pub(crate) fn accumulators(&self) -> impl Iterator<Item = &T> {
        self.front
            .iter()
            .map(|(_, accumulator)| accumulator)
            .chain(&self.back)
            .chain(self.running.merged())
    }
}
