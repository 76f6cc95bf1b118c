//! Aggregates that fall into parts, one for each group. Not part of the public interface.

use super::Aggregate;
use crate::error::Error;
use crate::time::Timestamp;

/// What windows of each group, such as [sessions](crate::window::Session), need of an aggregate: a
/// window has the part of one group, and the key of the group is kept beside it. Implemented by
/// types without values.
pub trait Partition<R: ?Sized, A: Aggregate<R> + ?Sized>: 'static {
    /// The key of a group.
    type Key: Clone + Eq + Send + Sync + 'static;

    /// What a window holds of the records of a group.
    type Part: Clone + Send + Sync + 'static;

    /// Returns a hash of the group of a record. It holds in this process only.
    fn hash(aggregate: &A, record: &R) -> u64;

    /// Returns the same hash of a key.
    fn hash_of(key: &Self::Key) -> u64;

    /// Returns true if the record is of this group.
    fn is_of(aggregate: &A, key: &Self::Key, record: &R) -> bool;

    /// Returns the key of the group of a record.
    fn key(aggregate: &A, record: &R) -> Self::Key;

    /// Returns a part of one record, unless the record is refused.
    fn open(aggregate: &A, record: &R, time: Timestamp) -> Result<Self::Part, Error>;

    /// Adds a record with its event time, unless it is refused.
    fn add(aggregate: &A, part: &mut Self::Part, record: (&R, Timestamp)) -> Result<(), Error>;

    /// Merges parts of one group.
    fn merge(aggregate: &A, into: &mut Self::Part, from: &Self::Part) -> Result<(), Error>;

    /// Returns the approximate heap bytes.
    fn heap_bytes(aggregate: &A, key: &Self::Key, part: &Self::Part) -> usize;

    /// Returns one accumulator of the parts of several groups.
    fn join(aggregate: &A, parts: Parts<Self::Key, Self::Part>) -> Result<A::Accumulator, Error>;

    /// Returns the answer of the parts of several groups.
    fn output(aggregate: &A, parts: Parts<Self::Key, Self::Part>) -> Result<A::Output, Error>;

    /// Returns the parts of an accumulator; `None` if groups were joined because there were too
    /// many.
    fn split(aggregate: &A, accumulator: A::Accumulator) -> Option<Vec<(Self::Key, Self::Part)>>;
}

/// Parts of several groups, mostly of one.
pub(crate) type Parts<K, T> = smallvec::SmallVec<[(K, T); 1]>;

/// Something that needs to know the parts of an aggregate.
pub trait PartsVisitor<R: ?Sized, A: Aggregate<R> + ?Sized> {
    /// What it makes.
    type Output;

    /// Called with the type that has the parts.
    fn visit<P: Partition<R, A>>(self) -> Self::Output;
}

/// The parts of an aggregate without groups: all records are of one group.
pub(crate) struct AllRecords;

impl<R: ?Sized, A: Aggregate<R> + ?Sized> Partition<R, A> for AllRecords {
    type Key = ();
    type Part = A::Accumulator;

    fn hash(_aggregate: &A, _record: &R) -> u64 {
        0
    }

    fn hash_of((): &()) -> u64 {
        0
    }

    fn is_of(_aggregate: &A, (): &(), _record: &R) -> bool {
        true
    }

    fn key(_aggregate: &A, _record: &R) {}

    fn open(aggregate: &A, record: &R, time: Timestamp) -> Result<A::Accumulator, Error> {
        let mut part = aggregate.init();
        aggregate.try_add(&mut part, record, time)?;
        Ok(part)
    }

    fn add(
        aggregate: &A,
        part: &mut A::Accumulator,
        (record, time): (&R, Timestamp),
    ) -> Result<(), Error> {
        aggregate.try_add(part, record, time)
    }

    fn merge(aggregate: &A, into: &mut A::Accumulator, from: &A::Accumulator) -> Result<(), Error> {
        aggregate.merge(into, from)
    }

    fn heap_bytes(aggregate: &A, (): &(), part: &A::Accumulator) -> usize {
        aggregate.state_bytes(part).saturating_sub(size_of_val(part))
    }

    fn join(aggregate: &A, parts: Parts<(), A::Accumulator>) -> Result<A::Accumulator, Error> {
        let mut parts = parts.into_iter().map(|((), part)| part);
        let mut joined = parts.next().unwrap_or_else(|| aggregate.init());
        parts.try_for_each(|part| aggregate.merge(&mut joined, &part))?;
        Ok(joined)
    }

    fn output(aggregate: &A, parts: Parts<(), A::Accumulator>) -> Result<A::Output, Error> {
        <Self as Partition<R, A>>::join(aggregate, parts).map(|joined| aggregate.output(&joined))
    }

    fn split(_aggregate: &A, accumulator: A::Accumulator) -> Option<Vec<((), A::Accumulator)>> {
        Some(vec![((), accumulator)])
    }
}
