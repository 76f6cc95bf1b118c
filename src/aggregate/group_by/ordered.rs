//! Groups that are read one by one, in ascending order of their keys.

use super::{Group, GroupBy, GroupByAccumulator};
use crate::hash::Map;
use crate::key::ByteKey;
use crate::sorted_keys::SortedKeys;

/// Fewer groups than this are answered together: their rows take little memory. In unit tests few
/// groups are many.
const GROUPS_MIN: usize = if cfg!(test) { 3 } else { 4096 };

/// The groups of an accumulator, in ascending order of their keys.
pub(crate) struct OrderedGroups<A> {
    groups: Map<ByteKey, Group<A>>,
    keys: SortedKeys,
    other: Option<Group<A>>,
}

impl<E, A> GroupBy<E, A> {
    /// Returns true if the groups are many, and each is in the answer.
    pub(crate) fn are_many<T>(&self, accumulator: &GroupByAccumulator<ByteKey, T>) -> bool {
        (GROUPS_MIN..=self.groups_max).contains(&accumulator.groups.len())
    }
}

impl<A> OrderedGroups<A> {
    pub(crate) fn new(accumulator: GroupByAccumulator<ByteKey, A>) -> Self {
        let GroupByAccumulator { groups, other, .. } = accumulator;
        let keys = SortedKeys::new::<[u8]>(groups.keys());
        OrderedGroups { groups, keys, other }
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns the key at a position of the order.
    pub(crate) fn key(&self, position: usize) -> Option<&[u8]> {
        self.keys.key(position)
    }

    /// Returns the accumulator of a group.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&A> {
        self.groups.get(key).map(|group| &group.accumulator)
    }

    /// Returns the accumulator of all groups past the limit.
    pub(crate) fn other(&self) -> Option<&A> {
        self.other.as_ref().map(|other| &other.accumulator)
    }
}
