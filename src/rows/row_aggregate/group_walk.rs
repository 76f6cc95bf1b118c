//! Groups whose answers are computed when their rows are asked for, so that the state of many
//! groups and their rows are not in memory together.

use super::{Cells, Columns, RowAccumulator, RowAggregate, RowAnswer};
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
pub(in crate::rows) struct GroupWalk {
    columns: Columns,
    groups: OrderedGroups<Cells>,
}

impl RowAggregate {
    /// Returns the answer of a window. Takes the accumulator of many groups, if nothing else needs
    /// it.
    pub(in crate::rows) fn answered(&self, content: FiredContent<'_, RowAccumulator>) -> Answered {
        let is_walked = |content: &FiredContent<'_, _>| match (self, content.get()) {
            (RowAggregate::Grouped(groups), Some(RowAccumulator::Grouped(accumulator))) => {
                content.is_given_away() && groups.are_many(accumulator)
            }
            _ => false,
        };
        if !is_walked(&content) {
            return Answered::Whole(match content.get() {
                Some(accumulator) => self.output(accumulator),
                None => self.output(&self.init()),
            });
        }
        match (self, content.keep(|| self.init())) {
            (RowAggregate::Grouped(groups), Some(RowAccumulator::Grouped(accumulator))) => {
                let (columns, groups) = (groups.inner().clone(), OrderedGroups::new(accumulator));
                Answered::Walk(Box::new(GroupWalk { columns, groups }))
            }
            (_, accumulator) => {
                Answered::Whole(self.output(&accumulator.unwrap_or_else(|| self.init())))
            }
        }
    }
}

impl GroupWalk {
    /// Returns the number of groups, without the row `(other)`.
    pub(in crate::rows) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns the key of the group at a position.
    pub(in crate::rows) fn key(&self, position: usize) -> Option<&[u8]> {
        self.groups.get(position).map(|(key, _)| key)
    }

    /// Returns the key of the group at a position, and the values of its aggregates.
    pub(in crate::rows) fn row(&self, position: usize) -> Option<(&[u8], Vec<OutputValue>)> {
        let (key, cells) = self.groups.get(position)?;
        Some((key, self.columns.output(cells)))
    }

    /// As [`row`](GroupWalk::row), with only the wanted values. The others are null.
    pub(in crate::rows) fn row_of(
        &self,
        position: usize,
        wanted: &[bool],
    ) -> Option<(&[u8], Vec<OutputValue>)> {
        let (key, cells) = self.groups.get(position)?;
        Some((key, self.columns.output_of(cells, wanted)))
    }

    /// Returns the values of the row `(other)`.
    pub(in crate::rows) fn other(&self) -> Option<Vec<OutputValue>> {
        self.groups.other().map(|cells| self.columns.output(cells))
    }
}
