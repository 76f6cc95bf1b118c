//! From columns to states: what is read of a row, which states are kept, and how each column is
//! answered.

use super::cell::{Cell, ExtremeCell, StateSpec};
use super::{Cells, Columns};
use crate::hash::Seed;
use crate::query::expression::{Column, Function};
use crate::query::literal::{Literal, Operator};
use crate::row::Number;
use crate::row::OutputValue;
use crate::row::Row;
use crate::row::TopValue;
use crate::row::key;

/// What is read of each row, and the states made of it. Columns of the same state share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Slots of the fields that are read as numbers.
    pub(crate) numbers: Vec<usize>,
    /// For each of them, whether only the order of its values counts, which other values have, too.
    pub(crate) any_order: Vec<bool>,
    /// Slots of the fields that are read as keys.
    pub(crate) keys: Vec<usize>,
    /// What is asked of a field that is true or not.
    pub(crate) tests: Vec<RowTest>,
    pub(crate) states: Vec<StateSpec>,
    answers: Vec<ColumnAnswer>,
}

/// What is true of a row or not.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum RowTest {
    /// A field has a value.
    Present(usize),
    /// A field's value is equal to the literal.
    Equal(usize, Literal),
}

impl RowTest {
    #[inline]
    pub(crate) fn passes(&self, row: &Row) -> bool {
        match self {
            RowTest::Present(slot) => !row.value(*slot).is_missing(),
            RowTest::Equal(slot, literal) => literal.compares(Operator::Equal, row.value(*slot)),
        }
    }

    /// The slot of its field.
    pub(crate) fn slot(&self) -> usize {
        match self {
            RowTest::Present(slot) | RowTest::Equal(slot, _) => *slot,
        }
    }
}

/// How a column is answered from a state.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ColumnAnswer {
    state: usize,
    reading: Reading,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Reading {
    Count,
    /// A count that is exact where others of its kind are estimates.
    ExactEstimate,
    Sum,
    Mean,
    Extreme,
    Variance,
    Stddev,
    Edge,
    Quantile(f64),
    Distinct,
    Top(usize),
}

impl Plan {
    /// The plan of these columns; sketches hash under the seed.
    pub(crate) fn of(columns: &[Column], seed: Seed) -> Plan {
        let mut plan = Plan::default();
        for column in columns {
            let (state, reading) = plan.state_of(&column.function, seed);
            let state = index_of(&mut plan.states, state);
            plan.answers.push(ColumnAnswer { state, reading });
        }
        plan
    }

    fn state_of(&mut self, function: &Function, seed: Seed) -> (StateSpec, Reading) {
        match *function {
            Function::Count => (StateSpec::Records, Reading::Count),
            Function::CountOf(slot) => (self.passing(RowTest::Present(slot)), Reading::Count),
            Function::Sum(slot) => (StateSpec::Sum(self.number(slot)), Reading::Sum),
            Function::Mean(slot) => (StateSpec::Sum(self.number(slot)), Reading::Mean),
            Function::Min(slot) => (StateSpec::Min(self.ordered(slot)), Reading::Extreme),
            Function::Max(slot) => (StateSpec::Max(self.ordered(slot)), Reading::Extreme),
            Function::Variance(slot) => (StateSpec::Squares(self.number(slot)), Reading::Variance),
            Function::Stddev(slot) => (StateSpec::Squares(self.number(slot)), Reading::Stddev),
            Function::First(slot) => (StateSpec::First(self.key(slot)), Reading::Edge),
            Function::Last(slot) => (StateSpec::Last(self.key(slot)), Reading::Edge),
            Function::Distinct(slot) => {
                (StateSpec::Distinct(self.key(slot), seed), Reading::Distinct)
            }
            Function::Quantile(slot, percent) => {
                (StateSpec::Histogram(self.number(slot)), Reading::Quantile(percent.quantile()))
            }
            Function::Top { k, slot, counters } => {
                (StateSpec::Top { key: self.key(slot), counters, seed }, Reading::Top(k))
            }
            Function::Frequency(slot, ref literal) => {
                (self.passing(RowTest::Equal(slot, literal.clone())), Reading::ExactEstimate)
            }
        }
    }

    fn passing(&mut self, test: RowTest) -> StateSpec {
        StateSpec::Passing(index_of(&mut self.tests, test))
    }

    fn number(&mut self, slot: usize) -> usize {
        let index = self.ordered(slot);
        if let Some(any_order) = self.any_order.get_mut(index) {
            *any_order = false;
        }
        index
    }

    fn ordered(&mut self, slot: usize) -> usize {
        let index = index_of(&mut self.numbers, slot);
        // A use that needs a number may have come before.
        self.any_order.resize(self.numbers.len(), true);
        index
    }

    fn key(&mut self, slot: usize) -> usize {
        index_of(&mut self.keys, slot)
    }

    /// The aggregate of the columns.
    pub(crate) fn columns(&self) -> Columns {
        Columns::new(self.states.clone(), self.answers.clone())
    }
}

/// The index of an item, which is added if it is new.
fn index_of<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    match items.iter().position(|known| *known == item) {
        Some(index) => index,
        None => {
            items.push(item);
            items.len() - 1
        }
    }
}

impl ColumnAnswer {
    /// The column's value.
    pub(super) fn of(&self, states: &[StateSpec], cells: &Cells) -> OutputValue {
        let (Some(state), Some(cell)) = (states.get(self.state), cells.get(self.state)) else {
            return OutputValue::Null;
        };
        match (self.reading, cell) {
            (Reading::Count, Cell::Count(count)) => OutputValue::Integer(i128::from(*count)),
            (Reading::ExactEstimate, Cell::Count(count)) => {
                estimate([*count; 3].map(|count| Number::Int(i128::from(count))))
            }
            (Reading::Sum, Cell::Sum(sum)) => {
                sum.sum().map_or(OutputValue::Null, OutputValue::from)
            }
            (Reading::Mean, Cell::Sum(sum)) => float(sum.mean()),
            (Reading::Extreme, Cell::Extreme(ExtremeCell::Ordered(key))) => key::decode(key),
            (Reading::Extreme, Cell::Extreme(extreme)) => {
                extreme.number().map_or(OutputValue::Null, OutputValue::from)
            }
            (Reading::Variance, Cell::Squares(squares)) => float(squares.variance()),
            (Reading::Stddev, Cell::Squares(squares)) => float(squares.stddev()),
            (Reading::Edge, Cell::Edge(edge)) => {
                edge.as_ref().map_or(OutputValue::Null, |(_, bytes)| key::decode(bytes))
            }
            (Reading::Quantile(q), Cell::Histogram(histogram)) => match histogram.quantile(q) {
                Some(quantile) => {
                    estimate([quantile.value, quantile.lower, quantile.upper].map(Number::Float))
                }
                None => OutputValue::Null,
            },
            (Reading::Distinct, Cell::Distinct(keys)) => {
                let count = state.distinct_keys(keys);
                estimate(
                    [count.value, count.lower, count.upper]
                        .map(|count| Number::Int(i128::from(count))),
                )
            }
            (Reading::Top(k), Cell::Top(top)) => OutputValue::Top(
                top.top(k)
                    .into_iter()
                    .map(|row| TopValue {
                        key: key::decode(&row.key),
                        count: row.count,
                        lower: row.lower,
                        upper: row.upper,
                        guaranteed: row.guaranteed,
                    })
                    .collect(),
            ),
            _ => OutputValue::Null,
        }
    }
}

fn float(number: Option<f64>) -> OutputValue {
    number.map_or(OutputValue::Null, OutputValue::Float)
}

fn estimate([value, lower, upper]: [Number; 3]) -> OutputValue {
    OutputValue::Estimate { value, lower, upper }
}
