//! The parts of the aggregate of a declared pipeline, one for each group.

use super::cell::mismatch;
use super::cells::Cells;
use super::columns::Columns;
use super::{GroupKey, RowAccumulator, RowAggregate, RowAnswer};
use crate::aggregate::{ByKey, GroupBy, Partition, Parts};
use crate::error::Error;
use crate::key::ByteKey;
use crate::row::Row;
use crate::time::Timestamp;

type Groups = GroupBy<GroupKey, Columns>;

/// The parts of grouped columns. Nobody asks for those of the others.
pub(super) struct ByRowKey;

fn groups(aggregate: &RowAggregate) -> Result<&Groups, Error> {
    match aggregate {
        RowAggregate::Grouped(groups) => Ok(groups),
        RowAggregate::Plain(_) | RowAggregate::Narrow(_) => Err(mismatch()),
    }
}

impl Partition<Row, RowAggregate> for ByRowKey {
    type Key = ByteKey;
    type Part = (u64, Cells);

    #[inline]
    fn hash(aggregate: &RowAggregate, row: &Row) -> u64 {
        groups(aggregate).map_or(0, |groups| ByKey::hash(groups, row))
    }

    #[inline]
    fn hash_of(key: &ByteKey) -> u64 {
        <ByKey as Partition<Row, Groups>>::hash_of(key)
    }

    #[inline]
    fn is_of(aggregate: &RowAggregate, key: &ByteKey, row: &Row) -> bool {
        groups(aggregate).is_ok_and(|groups| ByKey::is_of(groups, key, row))
    }

    #[inline]
    fn key(_aggregate: &RowAggregate, row: &Row) -> ByteKey {
        crate::key::Key::to_key(row.group_key())
    }

    #[inline]
    fn open(aggregate: &RowAggregate, row: &Row, time: Timestamp) -> Result<Self::Part, Error> {
        ByKey::open(groups(aggregate)?, row, time)
    }

    #[inline]
    fn add(
        aggregate: &RowAggregate,
        part: &mut Self::Part,
        row: (&Row, Timestamp),
    ) -> Result<(), Error> {
        ByKey::add(groups(aggregate)?, part, row)
    }

    fn merge(
        aggregate: &RowAggregate,
        into: &mut Self::Part,
        from: &Self::Part,
    ) -> Result<(), Error> {
        <ByKey as Partition<Row, Groups>>::merge(groups(aggregate)?, into, from)
    }

    fn heap_bytes(aggregate: &RowAggregate, key: &ByteKey, part: &Self::Part) -> usize {
        let bytes = |groups| <ByKey as Partition<Row, Groups>>::heap_bytes(groups, key, part);
        groups(aggregate).map_or(0, bytes)
    }

    fn join(
        aggregate: &RowAggregate,
        parts: Parts<ByteKey, Self::Part>,
    ) -> Result<RowAccumulator, Error> {
        ByKey::join(groups(aggregate)?, parts).map(RowAccumulator::Grouped)
    }

    fn output(
        aggregate: &RowAggregate,
        parts: Parts<ByteKey, Self::Part>,
    ) -> Result<RowAnswer, Error> {
        ByKey::output(groups(aggregate)?, parts).map(RowAnswer::Grouped)
    }

    fn split(
        aggregate: &RowAggregate,
        accumulator: RowAccumulator,
    ) -> Option<Vec<(ByteKey, Self::Part)>> {
        let RowAccumulator::Grouped(accumulator) = accumulator else { return None };
        ByKey::split(groups(aggregate).ok()?, accumulator)
    }
}
