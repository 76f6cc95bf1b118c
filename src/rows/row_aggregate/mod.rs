//! The aggregates of a declared pipeline: many columns, computed from as few states as will do,
//! once per group.

mod answer;
mod cell;
mod cells;
mod columns;
mod extreme;
mod group_walk;
mod held;
mod mixed;
mod partition;
mod plan;
mod sizes;
mod source;

pub use answer::ColumnKind;
pub(super) use cell::{StateSpec, TOP_ROWS_MIN};
pub(super) use cells::{Cells, STATES_INLINE};
pub(super) use group_walk::{Answered, GroupWalk};
pub(super) use plan::{Plan, RowTest};
pub(super) use sizes::GroupSizes;

use crate::aggregate::{
    Aggregate, AllRecords, GroupBy, GroupByAccumulator, Groups, Growth, Invertible, KeyOf,
    Overflow, PartsVisitor, PerGroup, Persistence, Reads, Reductions,
};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::key::ByteKey;
use crate::row::OutputValue;
use crate::row::Row;
use crate::time::Timestamp;
use cell::mismatch;
use columns::Columns;

/// Where a row's group is.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupKey;

impl KeyOf<Row> for GroupKey {
    type Key = [u8];
    type Borrowed<'r> = &'r [u8];

    #[inline]
    fn key<'r>(&self, row: &'r Row) -> &'r [u8] {
        row.group_key()
    }
}

/// The aggregate of a declared pipeline. Its rows must have been prepared by the pipeline's plan.
#[derive(Clone)]
pub(super) enum RowAggregate {
    Plain(Columns),
    Grouped(GroupBy<GroupKey, Columns>),
    /// Groups of at most one state beside the number of records, in smaller rows.
    Narrow(GroupBy<GroupKey, Columns<1>>),
}

/// The accumulator of [`RowAggregate`].
#[derive(Clone, Debug)]
pub(super) enum RowAccumulator {
    Plain(Cells),
    Grouped(GroupByAccumulator<ByteKey, Cells>),
    Narrow(GroupByAccumulator<ByteKey, Cells<1>>),
}

/// What [`RowAggregate`] answers.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum RowAnswer {
    Plain(Vec<OutputValue>),
    Grouped(Groups<ByteKey, Vec<OutputValue>>),
}

impl RowAggregate {
    /// The columns of all rows together.
    pub(super) fn plain(columns: Columns) -> Self {
        RowAggregate::Plain(columns)
    }

    /// Whether records may be aggregated apart and merged, with no difference to the answer and at
    /// little cost: the merge is exact, and no record is ever refused.
    pub(super) fn preaggregates(&self) -> bool {
        match self {
            RowAggregate::Plain(columns) => columns.merge_cheaply(),
            RowAggregate::Grouped(groups) => !groups.refuses() && groups.inner().merge_cheaply(),
            RowAggregate::Narrow(groups) => !groups.refuses() && groups.inner().merge_cheaply(),
        }
    }

    /// The columns of each group. `is_split` is true if windows are of single groups.
    pub(super) fn grouped(
        columns: Columns,
        (groups_max, overflow): (usize, Overflow),
        is_split: bool,
    ) -> Self {
        match columns.narrow().filter(|_| !is_split) {
            Some(columns) => RowAggregate::Narrow(
                GroupBy::new(GroupKey, columns).groups_max(groups_max).overflow(overflow),
            ),
            None => RowAggregate::Grouped(
                GroupBy::new(GroupKey, columns).groups_max(groups_max).overflow(overflow),
            ),
        }
    }
}

/// Hands over to the aggregate that both are of, with its accumulators.
macro_rules! of_one_kind {
    ($of:expr, ($($accumulator:ident),+), $inner:ident => $answer:expr, _ => $otherwise:expr) => {
        match ($of, $($accumulator),+) {
            (RowAggregate::Plain($inner), $(RowAccumulator::Plain($accumulator)),+) => $answer,
            (RowAggregate::Grouped($inner), $(RowAccumulator::Grouped($accumulator)),+) => $answer,
            (RowAggregate::Narrow($inner), $(RowAccumulator::Narrow($accumulator)),+) => $answer,
            // `init` makes an accumulator of its own kind, and nobody else makes one.
            _ => $otherwise,
        }
    };
}

/// Hands over to the aggregate, whichever it is.
macro_rules! of_either {
    ($of:expr, $inner:ident => $answer:expr) => {
        match $of {
            RowAggregate::Plain($inner) => $answer,
            RowAggregate::Grouped($inner) => $answer,
            RowAggregate::Narrow($inner) => $answer,
        }
    };
}

/// Hands over to the aggregate of groups that both are of, with its accumulator.
macro_rules! of_groups {
    (
        $of:expr, $accumulator:expr, $inner:ident, $state:ident => $answer:expr,
        _ => $otherwise:expr
    ) => {
        match ($of, $accumulator) {
            (RowAggregate::Grouped($inner), RowAccumulator::Grouped($state)) => $answer,
            (RowAggregate::Narrow($inner), RowAccumulator::Narrow($state)) => $answer,
            _ => $otherwise,
        }
    };
}
pub(super) use of_groups;

impl Aggregate<Row> for RowAggregate {
    type Accumulator = RowAccumulator;
    type Output = RowAnswer;

    fn validate(&self) -> Result<(), Error> {
        of_either!(self, inner => inner.validate())
    }

    fn init(&self) -> RowAccumulator {
        match self {
            RowAggregate::Plain(columns) => RowAccumulator::Plain(columns.init()),
            RowAggregate::Grouped(groups) => RowAccumulator::Grouped(groups.init()),
            RowAggregate::Narrow(groups) => RowAccumulator::Narrow(groups.init()),
        }
    }

    #[inline]
    fn check(&self, accumulator: Option<&RowAccumulator>, row: &Row) -> Result<(), Error> {
        // Columns take every row.
        match accumulator {
            Some(accumulator) => of_groups!(self, accumulator, groups, state => {
                groups.check(Some(state), row)
            }, _ => Ok(())),
            None => Ok(()),
        }
    }

    #[inline]
    fn add(&self, accumulator: &mut RowAccumulator, row: &Row, time: Timestamp) {
        of_one_kind!(self, (accumulator), inner => inner.add(accumulator, row, time), _ => {
            debug_assert!(false, "an accumulator of another specification")
        })
    }

    #[inline]
    fn try_add(
        &self,
        accumulator: &mut RowAccumulator,
        row: &Row,
        time: Timestamp,
    ) -> Result<(), Error> {
        of_one_kind!(self, (accumulator), inner => inner.try_add(accumulator, row, time), _ => {
            Err(mismatch())
        })
    }

    fn merge(&self, into: &mut RowAccumulator, from: &RowAccumulator) -> Result<(), Error> {
        of_one_kind!(self, (into, from), inner => inner.merge(into, from), _ => {
            Err(mismatch())
        })
    }

    fn inverse(&self) -> Option<&dyn Invertible<Row, RowAccumulator>> {
        of_either!(self, inner => inner.inverse().is_some()).then_some(self as _)
    }

    fn per_group(&self) -> Option<&dyn PerGroup<Row, RowAccumulator>> {
        (!matches!(self, RowAggregate::Plain(_))).then_some(self as _)
    }

    fn visit_parts<V: PartsVisitor<Row, Self>>(&self, visitor: V) -> V::Output {
        match self {
            RowAggregate::Plain(_) => visitor.visit::<AllRecords>(),
            // Windows of single groups have no narrow rows.
            RowAggregate::Grouped(_) | RowAggregate::Narrow(_) => {
                visitor.visit::<partition::ByRowKey>()
            }
        }
    }

    #[inline]
    fn is_spread(&self, accumulator: &RowAccumulator) -> bool {
        of_groups!(self, accumulator, groups, state => groups.is_spread(state), _ => false)
    }

    #[inline]
    fn prefetch(&self, accumulator: &RowAccumulator, row: &Row, reads: Reads) {
        of_groups!(self, accumulator, groups, state => groups.prefetch(state, row, reads), _ => ());
    }

    fn output(&self, accumulator: &RowAccumulator) -> RowAnswer {
        match (self, accumulator) {
            (RowAggregate::Grouped(groups), RowAccumulator::Grouped(accumulator)) => {
                RowAnswer::Grouped(groups.output(accumulator))
            }
            (RowAggregate::Narrow(groups), RowAccumulator::Narrow(accumulator)) => {
                RowAnswer::Grouped(groups.output(accumulator))
            }
            (RowAggregate::Plain(columns), RowAccumulator::Plain(cells)) => {
                RowAnswer::Plain(columns.output(cells))
            }
            _ => RowAnswer::Plain(Vec::new()),
        }
    }

    fn state_bytes(&self, accumulator: &RowAccumulator) -> usize {
        of_one_kind!(self, (accumulator), inner => inner.state_bytes(accumulator), _ => 0)
    }

    fn persistence(&self) -> Result<&dyn Persistence<Row, Self::Accumulator>, Error> {
        Ok(self)
    }
}

impl PerGroup<Row, RowAccumulator> for RowAggregate {
    #[inline]
    fn group_hash(&self, row: &Row) -> u64 {
        match self {
            RowAggregate::Grouped(groups) => groups.group_hash(row),
            RowAggregate::Narrow(groups) => groups.group_hash(row),
            RowAggregate::Plain(_) => 0,
        }
    }

    #[inline]
    fn is_of_group(&self, accumulator: &RowAccumulator, row: &Row) -> bool {
        of_groups!(self, accumulator, groups, state => groups.is_of_group(state, row), _ => true)
    }

    fn group_hash_of(&self, accumulator: &RowAccumulator) -> u64 {
        of_groups!(self, accumulator, groups, state => groups.group_hash_of(state), _ => 0)
    }
}

impl Growth<Row> for RowAggregate {
    fn growth_max(&self, into: &RowAccumulator, from: &RowAccumulator) -> usize {
        of_one_kind!(self, (into, from), inner => inner.growth_max(into, from), _ => 0)
    }
}

impl Persistence<Row, RowAccumulator> for RowAggregate {
    fn describe(&self) -> String {
        of_either!(self, inner => inner.describe())
    }

    fn seed_fingerprint(&self) -> u64 {
        of_either!(self, inner => inner.seed_fingerprint())
    }

    fn encode(&self, accumulator: &RowAccumulator, writer: &mut Writer) -> Result<(), Error> {
        of_one_kind!(self, (accumulator), inner => inner.encode(accumulator, writer), _ => {
            Err(mismatch())
        })
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<RowAccumulator, Error> {
        match self {
            RowAggregate::Plain(columns) => columns.decode(reader).map(RowAccumulator::Plain),
            RowAggregate::Grouped(groups) => groups.decode(reader).map(RowAccumulator::Grouped),
            RowAggregate::Narrow(groups) => groups.decode(reader).map(RowAccumulator::Narrow),
        }
    }

    fn reduce(
        &self,
        accumulator: &mut RowAccumulator,
        tolerance: f64,
        reductions: &mut Reductions,
    ) {
        of_one_kind!(
            self, (accumulator),
            inner => inner.reduce(accumulator, tolerance, reductions),
            _ => {}
        )
    }
}

impl Invertible<Row, RowAccumulator> for RowAggregate {
    fn prepare(&self, accumulator: &mut RowAccumulator) {
        of_one_kind!(self, (accumulator), inner => inner.prepare(accumulator), _ => {})
    }

    fn is_exact(&self, accumulator: &RowAccumulator) -> bool {
        of_one_kind!(self, (accumulator), inner => inner.is_exact(accumulator), _ => false)
    }

    fn subtract(&self, from: &mut RowAccumulator, part: &RowAccumulator) -> bool {
        of_one_kind!(self, (from, part), inner => inner.subtract(from, part), _ => false)
    }
}
