//! The merge of the panes of a window, kept up while the window slides.
//!
//! Two stacks make a queue: the older panes lie on the *front* stack, each entry holding the merge of its pane with all newer ones of
//! that stack; the newer panes are merged into one accumulator, the *back*. A window is the top of the front merged with the back.
//! When the front runs out, the window's panes are stacked up anew. So a slide costs an amortised constant number of merges
//! (at most three for each pane that enters) whatever the size and the slide are, and needs no way to take a pane out again.
//!
//! Source: the "two-stacks" algorithm in Tangwongsan, Hirzel, Schneider and Wu, *General incremental sliding-window aggregation*
//! (VLDB 2015), there after adamax (Stack Overflow 2011).
//!
//! What it holds is a function of the panes and of one number, the boundary between front and back; nothing else of the past
//! shows in an answer.

use super::Panes;
use crate::aggregate::Aggregate;
use crate::codec::{Reader, Writer};
use crate::error::Error;

/// A sliding merge over panes.
#[derive(Clone, Debug)]
pub(crate) struct TwoStacks<T> {
    /// The starts of the panes of the front with the merge of each and all after it, the oldest on top (last).
    front: Vec<(i64, T)>,
    /// The merge of the panes that start in `[boundary, covered)`; `None` if there are none.
    back: Option<T>,
    boundary: i64,
    /// The panes that start before this are in front or back.
    covered: i64,
    /// Whether a pane that is covered has changed since.
    stale: bool,
}

impl<T: Clone> TwoStacks<T> {
    pub(crate) fn new() -> Self {
        TwoStacks { front: Vec::new(), back: None, boundary: i64::MIN, covered: i64::MIN, stale: false }
    }

    /// To be told when a pane changes.
    #[inline]
    pub(crate) fn touch(&mut self, pane_start: i64) {
        self.stale |= pane_start < self.covered;
    }

    /// The merge of the panes that start in `[start, end)`; `None` if there are none. Windows must come in ascending order.
    pub(crate) fn slide<R: ?Sized, A>(&mut self, start: i64, end: i64, panes: &Panes<T>, aggregate: &A) -> Result<Option<T>, Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        let merged = self.try_slide(start, end, panes, aggregate);
        if merged.is_err() {
            // Half a stack is of no use: the next slide begins anew.
            *self = TwoStacks::new();
        }
        merged
    }

    fn try_slide<R: ?Sized, A>(&mut self, start: i64, end: i64, panes: &Panes<T>, aggregate: &A) -> Result<Option<T>, Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
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
        let mut merged = front.clone();
        if let Some(back) = &self.back {
            aggregate.merge(&mut merged, back)?;
        }
        Ok(Some(merged))
    }

    /// Makes the front of the panes that start in `[start, boundary)`, and the back empty.
    fn stack_up<R: ?Sized, A>(&mut self, start: i64, boundary: i64, panes: &Panes<T>, aggregate: &A) -> Result<(), Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        self.front.clear();
        self.back = None;
        for (pane, accumulator) in panes.range(start, boundary).rev() {
            let merged = match self.front.last() {
                None => accumulator.clone(),
                Some((_, newer)) => {
                    // The pane into a copy of what is newer, and not the other way round: copying is cheaper than merging, and panes
                    // do not share a time, so that their order does not matter.
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

    fn grow_back<R: ?Sized, A>(&mut self, end: i64, panes: &Panes<T>, aggregate: &A) -> Result<(), Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        for (_, accumulator) in panes.range(self.covered, end) {
            match &mut self.back {
                None => self.back = Some(accumulator.clone()),
                Some(back) => aggregate.merge(back, accumulator)?,
            }
        }
        self.covered = self.covered.max(end);
        Ok(())
    }

    /// Writes what cannot be told from the panes.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.i64(self.boundary);
        writer.i64(self.covered);
        writer.bool(self.stale);
    }

    /// Reads what [`encode`](TwoStacks::encode) wrote and makes the rest from the panes, for windows from `next` (its start and its end) on:
    /// by the same merges in the same order, so that a sketch's answers stay the same too.
    pub(crate) fn decode<R: ?Sized, A>(reader: &mut Reader<'_>, next: (i64, i64), panes: &Panes<T>, aggregate: &A) -> Result<Self, Error>
    where
        A: Aggregate<R, Accumulator = T>,
    {
        let (next_start, next_end) = next;
        let (boundary, covered, stale) = (reader.i64()?, reader.i64()?, reader.bool()?);
        if boundary > covered || covered > next_end {
            return Err(reader.corrupt("the merged panes reach past the next window"));
        }
        let mut stacks = TwoStacks { front: Vec::new(), back: None, boundary, covered, stale };
        // Otherwise the next slide stacks up anew, whatever is here.
        if !stale && next_start < boundary {
            stacks.stack_up(next_start, boundary, panes, aggregate)?;
            stacks.grow_back(covered, panes, aggregate)?;
        }
        Ok(stacks)
    }

    /// The accumulators that are kept beside the panes' own.
    pub(crate) fn accumulators(&self) -> impl Iterator<Item = &T> {
        self.front.iter().map(|(_, accumulator)| accumulator).chain(&self.back)
    }
}
