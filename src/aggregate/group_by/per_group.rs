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
}

/// Returns the key of an accumulator of one group.
#[inline]
fn only<K, T>(accumulator: &GroupByAccumulator<K, T>) -> Option<&K> {
    accumulator.groups.keys().next()
}
