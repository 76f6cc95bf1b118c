//! The aggregates of a declared pipeline: many columns, computed from as few states as will do,
//! once per group.

mod answer;
mod cell;
mod extreme;
mod group_walk;
mod held;
mod mixed;
mod partition;
mod plan;
mod source;

pub use answer::ColumnKind;
pub(super) use cell::{StateSpec, TOP_ROWS_MIN};
pub(super) use group_walk::{Answered, GroupWalk};
pub(super) use plan::{ColumnAnswer, Plan, RowTest};

use crate::aggregate::{
    Aggregate, AllRecords, GroupBy, GroupByAccumulator, Groups, Growth, Hints, Invertible, KeyOf,
    Overflow, PartsVisitor, PerGroup, Persistence, Reductions,
};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::hash::{Seed, hash_u64};
use crate::key::ByteKey;
use crate::row::OutputValue;
use crate::row::Row;
use crate::time::Timestamp;
use cell::Cell;
use smallvec::SmallVec;
use std::fmt::Write;

/// The states of one group, in the order of their specifications.
pub(super) type Cells = SmallVec<[Cell; 3]>;

/// All columns of a pipeline without groups, or of one group.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    states: Box<[StateSpec]>,
    answers: Box<[ColumnAnswer]>,
    /// Whether a state may hold more than its own size in memory worth counting.
    grows: bool,
}

impl Columns {
    pub(super) fn new(states: Vec<StateSpec>, answers: Vec<ColumnAnswer>) -> Self {
        let grows = states.iter().any(StateSpec::grows);
        Columns { states: states.into(), answers: answers.into(), grows }
    }

    /// Returns the values of the wanted columns. The others are null.
    fn output_of(&self, cells: &Cells, wanted: &[bool]) -> Vec<OutputValue> {
        let answers = self.answers.iter().zip(wanted);
        let value = |(answer, is_wanted): (&ColumnAnswer, &bool)| match is_wanted {
            true => answer.of(&self.states, cells),
            false => OutputValue::Null,
        };
        answers.map(value).collect()
    }

    // Out of line: it stands twice in what a `group_by` does with each record, and that is to stay
    // small enough to be inlined in the loop over records.
    #[inline(never)]
    fn heap_bytes(&self, cells: &Cells) -> usize {
        self.states.iter().zip(cells).map(|(state, cell)| state.heap_bytes(cell)).sum()
    }
}

impl Aggregate<Row> for Columns {
    type Accumulator = Cells;
    type Output = Vec<OutputValue>;

    fn init(&self) -> Cells {
        self.states.iter().map(StateSpec::init).collect()
    }

    #[inline]
    fn add(&self, cells: &mut Cells, row: &Row, time: Timestamp) {
        for (state, cell) in self.states.iter().zip(cells) {
            state.add(cell, row, time);
        }
    }

    fn merge(&self, into: &mut Cells, from: &Cells) -> Result<(), Error> {
        self.states
            .iter()
            .zip(into)
            .zip(from)
            .try_for_each(|((state, into), from)| state.merge(into, from))
    }

    fn inverse(&self) -> Option<&dyn Invertible<Row, Cells>> {
        self.states.iter().all(StateSpec::is_invertible).then_some(self as _)
    }

    fn output(&self, cells: &Cells) -> Vec<OutputValue> {
        self.answers.iter().map(|answer| answer.of(&self.states, cells)).collect()
    }

    /// O(states); what sketches and texts hold on the heap is counted as it grows.
    #[inline]
    fn state_bytes(&self, cells: &Cells) -> usize {
        // Whatever its capacity: a copy has another.
        let own =
            size_of::<Cells>() + if cells.spilled() { size_of_val(cells.as_slice()) } else { 0 };
        if self.grows { own + self.heap_bytes(cells) } else { own }
    }

    fn persistence(&self) -> Result<&dyn Persistence<Row, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints { checks_accumulator: false, grows: self.grows }
    }
}

impl Growth<Row> for Columns {}

impl Persistence<Row, Cells> for Columns {
    fn describe(&self) -> String {
        self.states.iter().fold(String::new(), |mut text, state| {
            let _ = write!(text, "{};", state.words());
            text
        })
    }

    fn seed_fingerprint(&self) -> u64 {
        let seeds = self.states.iter().map(StateSpec::seed_fingerprint).filter(|seed| *seed != 0);
        seeds.fold(0, |combined, seed| hash_u64(Seed::new(combined), seed))
    }

    fn encode(&self, cells: &Cells, writer: &mut Writer) -> Result<(), Error> {
        self.states.iter().zip(cells).try_for_each(|(state, cell)| state.encode(cell, writer))
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<Cells, Error> {
        self.states.iter().map(|state| state.decode(reader)).collect()
    }

    fn reduce(&self, cells: &mut Cells, tolerance: f64, reductions: &mut Reductions) {
        self.states
            .iter()
            .zip(cells)
            .for_each(|(state, cell)| state.reduce(cell, tolerance, reductions));
    }
}

impl Invertible<Row, Cells> for Columns {
    fn prepare(&self, cells: &mut Cells) {
        self.states.iter().zip(cells).for_each(|(state, cell)| state.prepare(cell));
    }

    fn is_exact(&self, cells: &Cells) -> bool {
        self.states.iter().zip(cells).all(|(state, cell)| state.is_exact(cell))
    }

    fn subtract(&self, from: &mut Cells, part: &Cells) -> bool {
        self.states
            .iter()
            .zip(from)
            .zip(part)
            .all(|((state, from), part)| state.subtract(from, part))
    }
}

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
}

/// The accumulator of [`RowAggregate`].
#[derive(Clone, Debug)]
pub(super) enum RowAccumulator {
    Plain(Cells),
    Grouped(GroupByAccumulator<ByteKey, Cells>),
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
        let columns = match self {
            RowAggregate::Plain(columns) => columns,
            RowAggregate::Grouped(groups) if groups.refuses() => return false,
            RowAggregate::Grouped(groups) => groups.inner(),
        };
        columns.states.iter().all(StateSpec::merges_cheaply)
    }

    /// The columns of each group.
    pub(super) fn grouped(columns: Columns, groups_max: usize, overflow: Overflow) -> Self {
        RowAggregate::Grouped(
            GroupBy::new(GroupKey, columns).groups_max(groups_max).overflow(overflow),
        )
    }
}

/// Hands over to the aggregate that both are of, with its accumulators.
macro_rules! of_one_kind {
    ($of:expr, ($($accumulator:ident),+), $inner:ident => $answer:expr, _ => $otherwise:expr) => {
        match ($of, $($accumulator),+) {
            (RowAggregate::Plain($inner), $(RowAccumulator::Plain($accumulator)),+) => $answer,
            (RowAggregate::Grouped($inner), $(RowAccumulator::Grouped($accumulator)),+) => $answer,
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
        }
    };
}

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
        }
    }

    #[inline]
    fn check(&self, accumulator: Option<&RowAccumulator>, row: &Row) -> Result<(), Error> {
        // Columns take every row.
        match (self, accumulator) {
            (RowAggregate::Grouped(groups), Some(RowAccumulator::Grouped(accumulator))) => {
                groups.check(Some(accumulator), row)
            }
            _ => Ok(()),
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
            Err(cell::mismatch())
        })
    }

    fn merge(&self, into: &mut RowAccumulator, from: &RowAccumulator) -> Result<(), Error> {
        of_one_kind!(self, (into, from), inner => inner.merge(into, from), _ => {
            Err(cell::mismatch())
        })
    }

    fn inverse(&self) -> Option<&dyn Invertible<Row, RowAccumulator>> {
        of_either!(self, inner => inner.inverse().is_some()).then_some(self as _)
    }

    fn per_group(&self) -> Option<&dyn PerGroup<Row, RowAccumulator>> {
        matches!(self, RowAggregate::Grouped(_)).then_some(self as _)
    }

    fn visit_parts<V: PartsVisitor<Row, Self>>(&self, visitor: V) -> V::Output {
        match self {
            RowAggregate::Plain(_) => visitor.visit::<AllRecords>(),
            RowAggregate::Grouped(_) => visitor.visit::<partition::ByRowKey>(),
        }
    }

    fn output(&self, accumulator: &RowAccumulator) -> RowAnswer {
        match (self, accumulator) {
            (RowAggregate::Grouped(groups), RowAccumulator::Grouped(accumulator)) => {
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
            RowAggregate::Plain(_) => 0,
        }
    }

    #[inline]
    fn is_of_group(&self, accumulator: &RowAccumulator, row: &Row) -> bool {
        match (self, accumulator) {
            (RowAggregate::Grouped(groups), RowAccumulator::Grouped(accumulator)) => {
                groups.is_of_group(accumulator, row)
            }
            _ => true,
        }
    }

    fn group_hash_of(&self, accumulator: &RowAccumulator) -> u64 {
        match (self, accumulator) {
            (RowAggregate::Grouped(groups), RowAccumulator::Grouped(accumulator)) => {
                groups.group_hash_of(accumulator)
            }
            _ => 0,
        }
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
            Err(cell::mismatch())
        })
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<RowAccumulator, Error> {
        match self {
            RowAggregate::Plain(columns) => columns.decode(reader).map(RowAccumulator::Plain),
            RowAggregate::Grouped(groups) => groups.decode(reader).map(RowAccumulator::Grouped),
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
