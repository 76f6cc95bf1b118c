//! A part of the windows that are open at the end of an input, to be answered on any thread.

use super::Emission;
use super::core::answer;
use super::firing::first_window;
use crate::aggregate::Aggregate;
use crate::error::Error;
use crate::window::{Panes, Schedule, TwoStacks, WindowMerge};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// A part of the windows that were open in an engine: see
/// [`Engine::split_finished`](super::Engine::split_finished).
///
/// Panes that are in windows of two parts are shared, not copied, because no record is added to
/// them any more.
pub(crate) struct FinishedPart<R: ?Sized, A: Aggregate<R>> {
    pub(super) aggregate: A,
    pub(super) schedule: Schedule,
    pub(super) panes: Panes<Arc<A::Accumulator>>,
    /// `None` if a window is one pane.
    pub(super) stacks: Option<TwoStacks<A::Accumulator>>,
    /// The starts of the windows of this part.
    pub(super) windows: Range<i64>,
    pub(super) record: PhantomData<fn(&R)>,
}

impl<R: ?Sized, A: Aggregate<R>> FinishedPart<R, A> {
    /// Returns the next emission, by window end, then start.
    ///
    /// # Errors
    /// Those of [`Engine::next_emission`](super::Engine::next_emission).
    pub(crate) fn next_emission(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        let next = first_window(&self.panes, &self.schedule, self.windows.start);
        let Some(start) = next.filter(|start| *start < self.windows.end) else { return Ok(None) };
        let value = self.answer(start)?;
        self.windows.start = self.schedule.next_window(start);
        self.close_panes();
        Ok(Some(Emission {
            window: self.schedule.window(start),
            revision: 0,
            retracted: false,
            value,
        }))
    }

    fn answer(&mut self, start: i64) -> Result<A::Output, Error> {
        let Some(stacks) = &mut self.stacks else {
            return Ok(answer(&self.aggregate, self.panes.at(start).map(|pane| &**pane)));
        };
        let end = self.schedule.last_millisecond(start).saturating_add(1);
        Ok(match stacks.slide(start, end, &self.panes, &self.aggregate)? {
            WindowMerge::New(merged) => answer(&self.aggregate, Some(&merged)),
            WindowMerge::Running(merged) => answer(&self.aggregate, Some(merged)),
            WindowMerge::Empty => answer(&self.aggregate, None),
        })
    }

    /// Drops the panes that are in no later window.
    fn close_panes(&mut self) {
        while self
            .panes
            .first_start()
            .is_some_and(|start| self.schedule.last_window_of(start) < self.windows.start)
        {
            let Some((pane, accumulator)) = self.panes.close_first() else { break };
            if let Some(stacks) = &mut self.stacks {
                stacks.leave(pane, &*accumulator, &self.aggregate);
            }
        }
    }
}
