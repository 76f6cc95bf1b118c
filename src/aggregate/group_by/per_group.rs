//! The parts of [`GroupBy`], one per key.

use super::{GroupBy, GroupByAccumulator};
use crate::aggregate::{Aggregate, KeyOf, PerGroup};
use crate::hash::process_seed;
use crate::key::{BorrowedKey, Key};
use std::borrow::Borrow;

type Parts<K, T> = GroupByAccumulator<<K as Key>::Owned, T>;

impl<R: ?Sized, E: KeyOf<R>, A: Aggregate<R>> PerGroup<R, Parts<E::Key, A::Accumulator>>
    for GroupBy<E, A>
{
    #[inline]
    fn group_hash(&self, record: &R) -> u64 {
        self.key.key(record).stable_hash(process_seed())
    }

    #[inline]
    fn is_of_group(&self, accumulator: &Parts<E::Key, A::Accumulator>, record: &R) -> bool {
        only(accumulator).is_some_and(|own| self.key.key(record).is(own))
    }

    fn group_hash_of(&self, accumulator: &Parts<E::Key, A::Accumulator>) -> u64 {
        only(accumulator).map_or(0, |key| Key::stable_hash(key.borrow(), process_seed()))
    }

    fn is_same_group(
        &self,
        left: &Parts<E::Key, A::Accumulator>,
        right: &Parts<E::Key, A::Accumulator>,
    ) -> bool {
        only(left) == only(right)
    }

    fn split(
        &self,
        accumulator: &Parts<E::Key, A::Accumulator>,
    ) -> Option<Vec<Parts<E::Key, A::Accumulator>>> {
        if accumulator.other.is_some() {
            return None;
        }
        let groups = accumulator.groups.iter().map(|(key, group)| {
            let mut part = Aggregate::<R>::init(self);
            part.groups.insert(key.clone(), group.clone());
            self.recount_heap_bytes::<R>(&mut part);
            part
        });
        Some(groups.collect())
    }
}

/// Returns the key of an accumulator of one group.
#[inline]
fn only<K, T>(accumulator: &GroupByAccumulator<K, T>) -> Option<&K> {
    accumulator.groups.keys().next()
}
