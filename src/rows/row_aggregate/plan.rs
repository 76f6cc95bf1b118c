//! From columns to states: what is read of a row, which states are kept, and how each column is
//! answered.

use super::answer::{Answer, ColumnKind, top_of_tuples};
use super::cell::{Cell, StateSpec, TOP_ROWS_MIN};
use super::held::Held;
use super::source::{
    AllRows, ItsRank, Itself, KeyAt, NumberAt, OrderAt, RankedKeyAt, TestAt, WeightedKeyAt,
};
use crate::aggregate::{
    Count, Distinct, First, Last, LogBuckets, Max, MaxBy, Mean, Min, MinBy, Moments, Quantile,
    TopK, TopKByWeight, Variance, Wide,
};
use crate::hash::Seed;
use crate::query::aggregates::{self, Column, Function};
use crate::query::literal::{Literal, Operator};
use crate::row::{Number, OutputValue, Row};
use crate::sketch::Estimate;

/// What is read of each row, and the states made of it. Columns of the same state share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Slots of the fields that are read as numbers.
    pub(crate) numbers: Vec<usize>,
    /// For each of them, whether only the order of its values counts, which other values have, too.
    pub(crate) any_order: Vec<bool>,
    /// Slots of the fields that are read as keys; several are a tuple.
    pub(crate) keys: Vec<Box<[usize]>>,
    /// Slots of the numbers that are weights, and must be whole and at least 0.
    pub(crate) weights: Vec<usize>,
    /// What is asked of a field that is true or not.
    pub(crate) tests: Vec<RowTest>,
    pub(crate) states: Vec<StateSpec>,
    pub(super) answers: Vec<ColumnAnswer>,
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
            RowTest::Equal(slot, literal) => {
                literal.compares(Operator::Equal, row.value(*slot)) == Some(true)
            }
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

/// What is read of a state.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Reading {
    /// What the aggregate itself answers.
    Own,
    /// A count, as an estimate that is exact.
    ExactEstimate,
    /// The sum of what has a mean.
    Sum,
    /// The root of a variance.
    Stddev,
    Quantile(f64),
    Median,
    /// All numbers, in at most this number of buckets of each sign.
    Exponential(usize),
    Top(usize),
    /// The keys are tuples.
    TopOfTuples(usize),
}

impl Plan {
    /// The plan of these aggregates; sketches hash under the seed.
    pub(crate) fn of(calls: &[Function], seed: Seed) -> Plan {
        let mut plan = Plan::default();
        for call in calls {
            let (state, reading) = plan.state_of(call, seed);
            let state = index_of(&mut plan.states, state);
            plan.answers.push(ColumnAnswer { state, reading });
        }
        plan
    }

    /// Adds a histogram for each field of which columns are percentiles, and returns the names of
    /// the first of these columns. Their values follow those of the aggregates.
    pub(crate) fn add_histograms(&mut self, columns: &[Column], buckets_max: usize) -> Vec<String> {
        let (mut names, reading) = (Vec::new(), Reading::Exponential(buckets_max));
        for column in columns {
            let aggregates::Answer::Call(index) = column.answer else { continue };
            let answer = self.answers.get(index).copied();
            let Some(ColumnAnswer { state, reading: Reading::Quantile(_) | Reading::Median }) =
                answer
            else {
                continue;
            };
            let histogram = ColumnAnswer { state, reading };
            if !self.answers.contains(&histogram) {
                self.answers.push(histogram);
                names.push(column.name.clone());
            }
        }
        names
    }

    fn state_of(&mut self, function: &Function, seed: Seed) -> (StateSpec, Reading) {
        let state = match *function {
            Function::Count => StateSpec::Records(AllRows, Box::new(Count)),
            Function::CountOf(slot) => self.passing(RowTest::Present(slot)),
            Function::Frequency(slot, ref literal) => {
                self.passing(RowTest::Equal(slot, literal.clone()))
            }
            Function::Sum(slot) | Function::Mean(slot) => {
                StateSpec::Sum(self.number(slot), Box::new(Mean::new(Itself)))
            }
            Function::Min(slot) => StateSpec::Min(self.order(slot), Box::new(Min::new(Itself))),
            Function::Max(slot) => StateSpec::Max(self.order(slot), Box::new(Max::new(Itself))),
            Function::Variance(slot) | Function::Stddev(slot) => {
                StateSpec::Squares(self.number(slot), Box::new(Variance::new(Itself)))
            }
            Function::First(slot) => {
                StateSpec::First(self.key(&[slot]), Box::new(First::new(Itself)))
            }
            Function::Last(slot) => StateSpec::Last(self.key(&[slot]), Box::new(Last::new(Itself))),
            Function::MinBy(slot, by) => {
                StateSpec::MinBy(self.ranked(slot, by), Box::new(MinBy::new(Itself, ItsRank)))
            }
            Function::MaxBy(slot, by) => {
                StateSpec::MaxBy(self.ranked(slot, by), Box::new(MaxBy::new(Itself, ItsRank)))
            }
            Function::Distinct(ref slots) => {
                let distinct = Distinct::new(Itself).seeded(seed);
                StateSpec::Distinct(self.key(slots), Box::new(distinct))
            }
            // One histogram answers all quantiles.
            Function::Quantile(slot, _) | Function::Median(slot) => {
                StateSpec::Histogram(self.number(slot), Box::new(Quantile::new(0.5, Itself)))
            }
            Function::Buckets(slot) => {
                StateSpec::Buckets(self.number(slot), Box::new(LogBuckets::new(Itself)))
            }
            // One sketch answers any number of rows.
            Function::Top { ref slots, weight, counters, .. } => {
                let top = TopK::new(TOP_ROWS_MIN, Itself).counters(counters).seeded(seed);
                let key = self.key(slots);
                match weight {
                    None => StateSpec::Top(key, Box::new(top)),
                    Some(weight) => {
                        index_of(&mut self.weights, weight);
                        let source = WeightedKeyAt(key, self.number(weight));
                        StateSpec::Heaviest(source, Box::new(TopKByWeight::new(top, Itself)))
                    }
                }
            }
        };
        let reading = match *function {
            Function::Sum(_) => Reading::Sum,
            Function::Stddev(_) => Reading::Stddev,
            Function::Frequency(..) => Reading::ExactEstimate,
            Function::Quantile(_, percent) => Reading::Quantile(percent.quantile()),
            Function::Median(_) => Reading::Median,
            Function::Top { k, ref slots, .. } if slots.len() > 1 => Reading::TopOfTuples(k),
            Function::Top { k, .. } => Reading::Top(k),
            _ => Reading::Own,
        };
        (state, reading)
    }

    fn passing(&mut self, test: RowTest) -> StateSpec {
        StateSpec::Passing(TestAt(index_of(&mut self.tests, test)), Box::new(Count))
    }

    fn number(&mut self, slot: usize) -> NumberAt {
        let OrderAt(index) = self.order(slot);
        if let Some(any_order) = self.any_order.get_mut(index) {
            *any_order = false;
        }
        NumberAt(index)
    }

    fn order(&mut self, slot: usize) -> OrderAt {
        let index = index_of(&mut self.numbers, slot);
        // A use that needs a number may have come before.
        self.any_order.resize(self.numbers.len(), true);
        OrderAt(index)
    }

    fn key(&mut self, slots: &[usize]) -> KeyAt {
        KeyAt(index_of(&mut self.keys, slots.into()))
    }

    fn ranked(&mut self, slot: usize, by: usize) -> RankedKeyAt {
        RankedKeyAt(self.key(&[slot]), self.order(by))
    }

    /// Returns the first slot of a weight that is not one.
    pub(crate) fn wrong_weight(&self, row: &Row) -> Option<usize> {
        let is_wrong = |slot: &usize| {
            let index = self.numbers.iter().position(|number| number == slot);
            let number = index.and_then(|index| Option::<Number>::from(*row.number(index)));
            number.is_some_and(|number| number.to_weight().is_none())
        };
        self.weights.iter().copied().find(is_wrong)
    }

    /// Returns the slots that are read.
    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> {
        let tests = self.tests.iter().map(RowTest::slot);
        self.numbers.iter().chain(self.keys.iter().flatten()).copied().chain(tests)
    }

    /// What the values of each aggregate are.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = ColumnKind> {
        self.answers.iter().map(|answer| answer.kind(&self.states))
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
    fn kind(&self, states: &[StateSpec]) -> ColumnKind {
        match self.reading {
            Reading::Own => states.get(self.state).map_or(ColumnKind::Plain, StateSpec::kind),
            Reading::Sum | Reading::Stddev | Reading::Exponential(_) => ColumnKind::Plain,
            Reading::ExactEstimate | Reading::Quantile(_) | Reading::Median => ColumnKind::Estimate,
            Reading::Top(_) | Reading::TopOfTuples(_) => ColumnKind::Top,
        }
    }

    /// Returns the index of the state.
    pub(super) fn state(&self) -> usize {
        self.state
    }

    /// The column's value, of its state and the cell of that.
    pub(super) fn of(&self, state: &StateSpec, cell: &Cell) -> OutputValue {
        match (self.reading, state, cell) {
            (Reading::Own, state, cell) => state.output(cell),
            (Reading::ExactEstimate, _, Cell::Passing(count)) => Estimate::exact(count.0).value(),
            (Reading::Sum, _, Cell::Sum(sum)) => sum.total().value(),
            (Reading::Stddev, _, Cell::Squares(squares)) => squares.0.stddev().value(),
            (Reading::Quantile(q), StateSpec::Histogram(_, typed), Cell::Histogram(numbers)) => {
                numbers.quantile(typed, q).value()
            }
            (Reading::Median, StateSpec::Histogram(_, typed), Cell::Histogram(numbers)) => {
                numbers.read(typed, |histogram| histogram.median()).value()
            }
            (
                Reading::Exponential(buckets_max),
                StateSpec::Histogram(_, typed),
                Cell::Histogram(numbers),
            ) => OutputValue::Histogram(Box::new(
                numbers.read(typed, |histogram| histogram.exponential(buckets_max)),
            )),
            (Reading::Top(k), state, cell) => state.top(cell, k).value(),
            (Reading::TopOfTuples(k), state, cell) => top_of_tuples(state.top(cell, k)),
            _ => OutputValue::Null,
        }
    }
}
