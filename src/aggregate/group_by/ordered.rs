//! Groups that are read one by one, in ascending order of their keys.

use super::{Group, GroupBy, GroupByAccumulator};
use crate::key::ByteKey;
use crate::sketch::prefetch::prefetch;
use crate::sorted_keys::order_of;

/// Fewer groups than this are answered together: their rows take little memory. In unit tests few
/// groups are many.
const GROUPS_MIN: usize = if cfg!(test) { 3 } else { 4096 };

/// Groups are brought close to the CPU before they are read.
const GROUPS_AHEAD: usize = 16;

/// The groups of an accumulator, in ascending order of their keys.
pub(crate) struct OrderedGroups<A> {
    groups: Vec<(ByteKey, Group<A>)>,
    /// The index of the group at each position.
    order: Vec<u32>,
    other: Option<Group<A>>,
}

impl<E, A> GroupBy<E, A> {
    /// Returns true if the groups are many, and each is in the answer.
    pub(crate) fn are_many<T>(&self, accumulator: &GroupByAccumulator<ByteKey, T>) -> bool {
        (GROUPS_MIN..=self.groups_max).contains(&accumulator.groups.len())
    }
}

impl<A> OrderedGroups<A> {
    /// Takes the groups out of their table, in which each would have to be found by its key.
    pub(crate) fn new(accumulator: GroupByAccumulator<ByteKey, A>) -> Self {
        let GroupByAccumulator { groups, other, .. } = accumulator;
        let groups = groups.into_rows();
        let order = order_of(groups.len(), |index| {
            groups.get(index as usize).map_or(&[][..], |(key, _)| &**key)
        });
        OrderedGroups { groups, order, other }
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns the key and the accumulator at a position of the order.
    pub(crate) fn get(&self, position: usize) -> Option<(&[u8], &A)> {
        if let Some(ahead) = self.order.get(position.saturating_add(GROUPS_AHEAD)) {
            prefetch(&self.groups, *ahead as usize);
        }
        let (key, group) = self.groups.get(*self.order.get(position)? as usize)?;
        Some((key, &group.accumulator))
    }

    /// Returns the accumulator of all groups past the limit.
    pub(crate) fn other(&self) -> Option<&A> {
        self.other.as_ref().map(|other| &other.accumulator)
    }
}
