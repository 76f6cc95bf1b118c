//! The parts of [`GroupBy`], one for each key.

use super::{Group, GroupBy};
use crate::aggregate::groups::Groups;
use crate::aggregate::partition::{Partition, Parts};
use crate::aggregate::{Aggregate, KeyOf};
use crate::error::Error;
use crate::hash::process_seed;
use crate::key::{BorrowedKey, Key};
use crate::time::Timestamp;
use std::borrow::Borrow;

/// The number of records of a group, and their accumulator.
type Part<A, R> = (u64, <A as Aggregate<R>>::Accumulator);

type OwnedKey<E, R> = <<E as KeyOf<R>>::Key as Key>::Owned;

/// A part is the group of one key.
pub(crate) struct ByKey;

impl<R: ?Sized, E: KeyOf<R>, A: Aggregate<R>> Partition<R, GroupBy<E, A>> for ByKey {
    type Key = OwnedKey<E, R>;
    type Part = Part<A, R>;

    #[inline]
    fn hash(aggregate: &GroupBy<E, A>, record: &R) -> u64 {
        aggregate.key.key(record).stable_hash(process_seed())
    }

    #[inline]
    fn hash_of(key: &Self::Key) -> u64 {
        Key::stable_hash(key.borrow(), process_seed())
    }

    #[inline]
    fn is_of(aggregate: &GroupBy<E, A>, key: &Self::Key, record: &R) -> bool {
        aggregate.key.key(record).is(key)
    }

    #[inline]
    fn key(aggregate: &GroupBy<E, A>, record: &R) -> Self::Key {
        aggregate.key.key(record).to_key()
    }

    #[inline]
    fn open(aggregate: &GroupBy<E, A>, record: &R, time: Timestamp) -> Result<Self::Part, Error> {
        let mut accumulator = aggregate.inner.init();
        aggregate.inner.try_add(&mut accumulator, record, time)?;
        Ok((1, accumulator))
    }

    #[inline]
    fn add(
        aggregate: &GroupBy<E, A>,
        (records, accumulator): &mut Self::Part,
        (record, time): (&R, Timestamp),
    ) -> Result<(), Error> {
        aggregate.inner.try_add(accumulator, record, time)?;
        *records += 1;
        Ok(())
    }

    fn merge(
        aggregate: &GroupBy<E, A>,
        into: &mut Self::Part,
        from: &Self::Part,
    ) -> Result<(), Error> {
        aggregate.inner.merge(&mut into.1, &from.1)?;
        into.0 = into.0.saturating_add(from.0);
        Ok(())
    }

    fn heap_bytes(aggregate: &GroupBy<E, A>, key: &Self::Key, part: &Self::Part) -> usize {
        let inner = aggregate.inner.state_bytes(&part.1);
        E::Key::heap_bytes(key) + inner.saturating_sub(size_of_val(&part.1))
    }

    fn join(
        aggregate: &GroupBy<E, A>,
        mut parts: Parts<Self::Key, Self::Part>,
    ) -> Result<<GroupBy<E, A> as Aggregate<R>>::Accumulator, Error> {
        // What a limit joins does not depend on the order in which the windows were found.
        parts.sort_by(|(left, _), (right, _)| left.cmp(right));
        let mut joined = Aggregate::<R>::init(aggregate);
        for (key, (records, accumulator)) in parts {
            let mut single = Aggregate::<R>::init(aggregate);
            single.groups.insert(key, Group { records, accumulator });
            aggregate.recount_heap_bytes::<R>(&mut single);
            match joined.is_empty() && joined.other.is_none() {
                true => joined = single,
                false => Aggregate::<R>::merge(aggregate, &mut joined, &single)?,
            }
        }
        Ok(joined)
    }

    fn output(
        aggregate: &GroupBy<E, A>,
        mut parts: Parts<Self::Key, Self::Part>,
    ) -> Result<<GroupBy<E, A> as Aggregate<R>>::Output, Error> {
        parts.sort_by(|(left, _), (right, _)| left.cmp(right));
        let is_twice = parts.windows(2).any(|two| two[0].0 == two[1].0);
        if is_twice || parts.len() > aggregate.groups_max {
            let joined = <Self as Partition<R, _>>::join(aggregate, parts)?;
            return Ok(Aggregate::<R>::output(aggregate, &joined));
        }
        let rows = parts.into_iter().map(|(key, (_, part))| (key, aggregate.inner.output(&part)));
        Ok(Groups { rows: rows.collect(), other: None })
    }

    fn split(
        aggregate: &GroupBy<E, A>,
        accumulator: <GroupBy<E, A> as Aggregate<R>>::Accumulator,
    ) -> Option<Vec<(Self::Key, Self::Part)>> {
        let _ = aggregate;
        if accumulator.other.is_some() {
            return None;
        }
        let groups = accumulator.groups.into_rows().into_iter();
        Some(groups.map(|(key, group)| (key, (group.records, group.accumulator))).collect())
    }
}
