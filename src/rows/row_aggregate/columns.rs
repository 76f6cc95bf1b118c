//! The columns of one group, or of all rows: an aggregate whose accumulator has a cell for each
//! state.

use super::answer::Answer;
use super::cell::{Cell, StateSpec, mismatch};
use super::cells::{Cells, STATES_INLINE};
use super::held::Inline;
use super::plan::{ColumnAnswer, Plan};
use crate::aggregate::{Aggregate, Count, Growth, Hints, Invertible, Persistence, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::hash::{Seed, hash_u64};
use crate::row::{OutputValue, Row};
use crate::time::Timestamp;
use std::fmt::Write;

/// All columns of a pipeline without groups, or of one group. Up to `INLINE` states are stored in
/// the row of a group.
#[derive(Clone, Debug)]
pub(in crate::rows) struct Columns<const INLINE: usize = STATES_INLINE> {
    states: Box<[StateSpec]>,
    /// The states without the number of records, which every group counts.
    held: Box<[StateSpec]>,
    /// The number of records among the states.
    counted: Option<usize>,
    answers: Box<[ColumnAnswer]>,
    /// Whether a state may hold more than its own size in memory worth counting.
    grows: bool,
}

impl Plan {
    /// The aggregate of the columns.
    pub(in crate::rows) fn columns(&self) -> Columns {
        Columns::new(self.states.clone(), self.answers.clone())
    }
}

impl Columns {
    fn new(states: Vec<StateSpec>, answers: Vec<ColumnAnswer>) -> Self {
        let counted = states.iter().position(StateSpec::is_records);
        let held: Box<[_]> = states.iter().filter(|state| !state.is_records()).cloned().collect();
        let grows = held.iter().any(StateSpec::grows);
        Columns { states: states.into(), held, counted, answers: answers.into(), grows }
    }

    /// Returns the same columns with room for one state in a row, if they need no more.
    pub(super) fn narrow(&self) -> Option<Columns<1>> {
        let Columns { states, held, counted, answers, grows } = self.clone();
        (held.len() <= 1).then_some(Columns { states, held, counted, answers, grows })
    }
}

impl<const INLINE: usize> Columns<INLINE> {
    /// Returns true if merging is exact and costs little.
    pub(super) fn merge_cheaply(&self) -> bool {
        self.states.iter().all(StateSpec::merges_cheaply)
    }

    /// Returns the value of a column.
    fn value(&self, answer: &ColumnAnswer, cells: &Cells<INLINE>) -> OutputValue {
        let index = match self.counted {
            Some(counted) if counted == answer.state() => return cells.records.value(),
            Some(counted) if counted < answer.state() => answer.state() - 1,
            _ => answer.state(),
        };
        match (self.held.get(index), cells.states().get(index)) {
            (Some(state), Some(cell)) => answer.of(state, cell),
            _ => OutputValue::Null,
        }
    }

    /// Replaces `values` by those of the columns.
    pub(super) fn fill(&self, cells: &Cells<INLINE>, values: &mut Vec<OutputValue>) {
        values.clear();
        values.extend(self.answers.iter().map(|answer| self.value(answer, cells)));
    }

    /// Returns the values of the wanted columns. The others are null.
    pub(super) fn output_of(&self, cells: &Cells<INLINE>, wanted: &[bool]) -> Vec<OutputValue> {
        let answers = self.answers.iter().zip(wanted);
        let value = |(answer, is_wanted): (&ColumnAnswer, &bool)| match is_wanted {
            true => self.value(answer, cells),
            false => OutputValue::Null,
        };
        answers.map(value).collect()
    }

    // Out of line: it stands twice in what a `group_by` does with each record, and that is to stay
    // small enough to be inlined in the loop over records.
    #[inline(never)]
    fn heap_bytes(&self, cells: &Cells<INLINE>) -> usize {
        let heap_bytes = |(state, cell): (&StateSpec, _)| state.heap_bytes(cell);
        self.held.iter().zip(cells.states()).map(heap_bytes).sum()
    }
}

impl<const INLINE: usize> Aggregate<Row> for Columns<INLINE> {
    type Accumulator = Cells<INLINE>;
    type Output = Vec<OutputValue>;

    fn init(&self) -> Cells<INLINE> {
        let mut cells = Cells::vacant(self.held.len());
        let states = self.held.iter().zip(cells.states_mut());
        states.for_each(|(state, cell)| *cell = state.init());
        cells
    }

    #[inline]
    fn add(&self, cells: &mut Cells<INLINE>, row: &Row, time: Timestamp) {
        Count.add(&mut cells.records, row, time);
        for (state, cell) in self.held.iter().zip(cells.states_mut()) {
            state.add(cell, row, time);
        }
    }

    fn merge(&self, into: &mut Cells<INLINE>, from: &Cells<INLINE>) -> Result<(), Error> {
        if self.counted.is_some() {
            Aggregate::<Row>::merge(&Count, &mut into.records, &from.records)?;
        }
        let mut states = self.held.iter().zip(into.states_mut()).zip(from.states());
        states.try_for_each(|((state, into), from)| state.merge(into, from))
    }

    fn inverse(&self) -> Option<&dyn Invertible<Row, Cells<INLINE>>> {
        self.states.iter().all(StateSpec::is_invertible).then_some(self as _)
    }

    fn output(&self, cells: &Cells<INLINE>) -> Vec<OutputValue> {
        self.answers.iter().map(|answer| self.value(answer, cells)).collect()
    }

    /// O(states); what sketches and texts hold on the heap is counted as it grows.
    #[inline]
    fn state_bytes(&self, cells: &Cells<INLINE>) -> usize {
        let own = size_of::<Cells<INLINE>>() + cells.spilled_bytes();
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

impl<const INLINE: usize> Growth<Row> for Columns<INLINE> {}

impl<const INLINE: usize> Persistence<Row, Cells<INLINE>> for Columns<INLINE> {
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

    fn encode(&self, cells: &Cells<INLINE>, writer: &mut Writer) -> Result<(), Error> {
        let mut held = cells.states().iter();
        self.states.iter().try_for_each(|state| match state {
            StateSpec::Records(..) => state.encode(&Cell::Records(Inline(cells.records)), writer),
            _ => state.encode(held.next().ok_or_else(mismatch)?, writer),
        })
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<Cells<INLINE>, Error> {
        let (mut cells, mut records) = (Cells::vacant(self.held.len()), 0);
        let mut held = cells.states_mut().iter_mut();
        for state in &self.states {
            match state.decode(reader)? {
                Cell::Records(count) => records = count.0,
                cell => *held.next().ok_or_else(mismatch)? = cell,
            }
        }
        cells.records = records;
        Ok(cells)
    }

    fn reduce(&self, cells: &mut Cells<INLINE>, tolerance: f64, reductions: &mut Reductions) {
        let states = self.held.iter().zip(cells.states_mut());
        states.for_each(|(state, cell)| state.reduce(cell, tolerance, reductions));
    }
}

impl<const INLINE: usize> Invertible<Row, Cells<INLINE>> for Columns<INLINE> {
    fn prepare(&self, cells: &mut Cells<INLINE>) {
        let states = self.held.iter().zip(cells.states_mut());
        states.for_each(|(state, cell)| state.prepare(cell));
    }

    fn is_exact(&self, cells: &Cells<INLINE>) -> bool {
        let records = Invertible::<Row, u64>::is_exact(&Count, &cells.records);
        (records || self.counted.is_none())
            && self.held.iter().zip(cells.states()).all(|(state, cell)| state.is_exact(cell))
    }

    fn subtract(&self, from: &mut Cells<INLINE>, part: &Cells<INLINE>) -> bool {
        let records = Invertible::<Row, u64>::subtract(&Count, &mut from.records, &part.records);
        (records || self.counted.is_none())
            && self
                .held
                .iter()
                .zip(from.states_mut())
                .zip(part.states())
                .all(|((state, from), part)| state.subtract(from, part))
    }
}
