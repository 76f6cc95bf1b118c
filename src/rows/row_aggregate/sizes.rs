//! The bytes of an accumulator and of its largest groups.

use super::{Cells, Columns, RowAccumulator, RowAggregate};
use crate::aggregate::{Aggregate, GroupByAccumulator};
use crate::key::ByteKey;
use std::cmp::Reverse;

/// The bytes of an accumulator.
#[derive(Default)]
pub(in crate::rows) struct GroupSizes {
    pub(in crate::rows) bytes: usize,
    pub(in crate::rows) groups: usize,
    /// In descending order of bytes, then ascending order of keys.
    pub(in crate::rows) largest: Vec<(ByteKey, usize)>,
}

impl RowAggregate {
    /// Returns the bytes of an accumulator and of at most `largest_max` of its groups.
    pub(in crate::rows) fn sizes(
        &self,
        accumulator: Option<&RowAccumulator>,
        largest_max: usize,
    ) -> GroupSizes {
        let Some(accumulator) = accumulator else { return GroupSizes::default() };
        let largest = |groups| largest(groups, largest_max);
        let (groups, largest) = match (self, accumulator) {
            (RowAggregate::Grouped(by), RowAccumulator::Grouped(groups)) => {
                (groups.len(), largest(&mut sizes(by.inner(), groups)))
            }
            (RowAggregate::Narrow(by), RowAccumulator::Narrow(groups)) => {
                (groups.len(), largest(&mut sizes(by.inner(), groups)))
            }
            _ => (0, Vec::new()),
        };
        GroupSizes { bytes: self.state_bytes(accumulator), groups, largest }
    }
}

/// Returns the bytes of each group.
fn sizes<'a, const N: usize>(
    columns: &'a Columns<N>,
    groups: &'a GroupByAccumulator<ByteKey, Cells<N>>,
) -> impl Iterator<Item = (Reverse<usize>, &'a ByteKey)> {
    groups.iter().map(|(key, cells)| {
        let own = columns.state_bytes(cells);
        (Reverse(own + size_of::<ByteKey>() + key.heap_bytes()), key)
    })
}

/// Returns the groups of the most bytes.
fn largest(
    sizes: &mut dyn Iterator<Item = (Reverse<usize>, &ByteKey)>,
    largest_max: usize,
) -> Vec<(ByteKey, usize)> {
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_unstable();
    let largest = sizes.into_iter().take(largest_max);
    largest.map(|(Reverse(bytes), key)| (key.clone(), bytes)).collect()
}
