//! Groups whose answers are computed when their rows are asked for, so that the state of many
//! groups and their rows are not in memory together.

use super::cells::Cells;
use super::columns::Columns;
use super::{RowAccumulator, RowAggregate, RowAnswer, of_groups};
use crate::aggregate::{Aggregate, OrderedGroups};
use crate::engine::FiredContent;
use crate::row::OutputValue;

/// The answer of a window.
pub(in crate::rows) enum Answered {
    Whole(RowAnswer),
    Walk(Box<GroupWalk>),
}

impl From<RowAnswer> for Answered {
    fn from(answer: RowAnswer) -> Self {
        Answered::Whole(answer)
    }
}

/// The groups of a window, in ascending order of their keys.
pub(in crate::rows) enum GroupWalk {
    Grouped(Columns, OrderedGroups<Cells>),
    Narrow(Columns<1>, OrderedGroups<Cells<1>>),
}

/// Calls the same with the columns and the groups of either kind.
macro_rules! of_walk {
    ($walk:expr, $columns:ident, $groups:ident => $answer:expr) => {
        match $walk {
            GroupWalk::Grouped($columns, $groups) => $answer,
            GroupWalk::Narrow($columns, $groups) => $answer,
        }
    };
}

impl RowAggregate {
    /// Returns the answer of a window. Takes the accumulator of many groups, if nothing else needs
    /// it.
    pub(in crate::rows) fn answered(&self, content: FiredContent<'_, RowAccumulator>) -> Answered {
        let are_many = content.get().is_some_and(|accumulator| {
            of_groups!(self, accumulator, groups, state => groups.are_many(state), _ => false)
        });
        if !are_many || !content.is_given_away() {
            return Answered::Whole(match content.get() {
                Some(accumulator) => self.output(accumulator),
                None => self.output(&self.init()),
            });
        }
        let accumulator = content.keep(|| self.init()).unwrap_or_else(|| self.init());
        Answered::Walk(Box::new(match (self, accumulator) {
            (RowAggregate::Grouped(groups), RowAccumulator::Grouped(state)) => {
                GroupWalk::Grouped(groups.inner().clone(), OrderedGroups::new(state))
            }
            (RowAggregate::Narrow(groups), RowAccumulator::Narrow(state)) => {
                GroupWalk::Narrow(groups.inner().clone(), OrderedGroups::new(state))
            }
            (_, accumulator) => return Answered::Whole(self.output(&accumulator)),
        }))
    }
}

impl GroupWalk {
    /// Returns the number of groups, without the row `(other)`.
    pub(in crate::rows) fn len(&self) -> usize {
        of_walk!(self, _columns, groups => groups.len())
    }

    /// Returns the key of the group at a position.
    pub(in crate::rows) fn key(&self, position: usize) -> Option<&[u8]> {
        of_walk!(self, _columns, groups => groups.get(position).map(|(key, _)| key))
    }

    /// Returns the key of the group at a position, and replaces `values` by those of its
    /// aggregates.
    pub(in crate::rows) fn fill(
        &self,
        position: usize,
        values: &mut Vec<OutputValue>,
    ) -> Option<&[u8]> {
        of_walk!(self, columns, groups => {
            let (key, cells) = groups.get(position)?;
            columns.fill(cells, values);
            Some(key)
        })
    }

    /// Returns the key of the group at a position, and the wanted values of its aggregates. The
    /// others are null.
    pub(in crate::rows) fn row_of(
        &self,
        position: usize,
        wanted: &[bool],
    ) -> Option<(&[u8], Vec<OutputValue>)> {
        of_walk!(self, columns, groups => {
            let (key, cells) = groups.get(position)?;
            Some((key, columns.output_of(cells, wanted)))
        })
    }

    /// Returns the values of the row `(other)`.
    pub(in crate::rows) fn other(&self) -> Option<Vec<OutputValue>> {
        of_walk!(self, columns, groups => groups.other().map(|cells| columns.output(cells)))
    }
}
