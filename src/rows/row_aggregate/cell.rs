//! The states behind columns: what each is of, and how it grows.

use crate::aggregate::{
    Aggregate, Distinct, DistinctAccumulator, ExactSum, FloatMoments, IntegerMoments, IntegerSum,
    Invertible, KeyOf, Moments, Total,
};
use crate::error::{Error, ErrorKind};
use crate::hash::Seed;
use crate::row::Number;
use crate::row::Row;
use crate::row::number::PreparedNumber;
use crate::sketch::{Estimate, LogHistogram, SpaceSaving};
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::fmt;

/// What a state is of. Numbers and keys are known by their index in the plan, fields by their slot.
#[derive(Clone, PartialEq)]
pub(crate) enum StateSpec {
    /// All records.
    Records,
    /// Records that pass a test, by its index.
    Passing(usize),
    /// Count and sum of a number.
    Sum(usize),
    Min(usize),
    Max(usize),
    /// Count, sum and sum of squares of a number.
    Squares(usize),
    /// The key with the earliest event time.
    First(usize),
    /// The key with the latest event time.
    Last(usize),
    Histogram(usize),
    Distinct(usize, Seed),
    Top {
        key: usize,
        counters: usize,
        seed: Seed,
    },
}

/// The relative error of percentiles.
pub(crate) const ACCURACY: f64 = 0.005;

/// The state of one specification. At most 40 bytes; what is larger is on the heap.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Count(u64),
    Sum(SumCell),
    Extreme(ExtremeCell),
    Squares(Box<SquaresCell>),
    Edge(Option<(Timestamp, Box<[u8]>)>),
    Histogram(Box<LogHistogram>),
    Distinct(Box<DistinctAccumulator>),
    Top(Box<SpaceSaving<[u8]>>),
}

/// The least or largest value, if there is any. Any number comes before any other value.
#[derive(Clone, Debug, Default)]
pub(crate) enum ExtremeCell {
    #[default]
    Missing,
    Short(i64),
    Float(f64),
    Wide(Box<i128>),
    /// The bytes that order a value that is no number.
    Ordered(Box<[u8]>),
}

/// Count and exact sum of numbers of both kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct SumCell {
    pub(super) count: u64,
    pub(super) integers: IntegerSum,
    /// `None` while no float came.
    pub(super) floats: Option<Box<ExactSum>>,
}

/// Exact moments of numbers of both kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct SquaresCell {
    pub(super) integers: IntegerMoments,
    /// `None` while no float came.
    pub(super) floats: Option<FloatMoments>,
}

/// A record that is nothing but a key.
#[derive(Clone, Copy)]
pub(super) struct Itself;

impl KeyOf<[u8]> for Itself {
    type Key = [u8];

    #[inline]
    fn with_key<T>(&self, key: &[u8], f: impl FnOnce(&[u8]) -> T) -> T {
        f(key)
    }
}

pub(super) fn distinct(seed: Seed) -> Distinct<Itself> {
    Distinct::new(Itself).seeded(seed)
}

/// The refusal to merge what is not of one specification.
#[cold]
pub(super) fn mismatch() -> Error {
    Error::new(ErrorKind::Mismatch, "accumulators of two different pipelines do not merge")
}

impl StateSpec {
    /// Whether the state may hold much on the heap.
    pub(super) fn grows(&self) -> bool {
        matches!(
            self,
            StateSpec::Squares(_)
                | StateSpec::Min(_)
                | StateSpec::Max(_)
                | StateSpec::First(_)
                | StateSpec::Last(_)
                | StateSpec::Histogram(_)
                | StateSpec::Distinct(..)
                | StateSpec::Top { .. }
        )
    }

    /// Whether merging is exact and costs little: counts, sums and extremes.
    pub(super) fn merges_cheaply(&self) -> bool {
        matches!(self, StateSpec::Min(_) | StateSpec::Max(_)) || !self.grows()
    }

    pub(super) fn init(&self) -> Cell {
        match self {
            StateSpec::Records | StateSpec::Passing(_) => Cell::Count(0),
            StateSpec::Sum(_) => Cell::Sum(SumCell::default()),
            StateSpec::Min(_) | StateSpec::Max(_) => Cell::Extreme(ExtremeCell::default()),
            StateSpec::Squares(_) => Cell::Squares(Box::default()),
            StateSpec::First(_) | StateSpec::Last(_) => Cell::Edge(None),
            StateSpec::Histogram(_) => {
                let histogram = LogHistogram::with_accuracy(ACCURACY)
                    .expect("0.005 is in the range of accuracies");
                Cell::Histogram(Box::new(histogram))
            }
            StateSpec::Distinct(_, seed) => Cell::Distinct(Box::new(distinct(*seed).init())),
            StateSpec::Top { counters, seed, .. } => {
                let sketch = SpaceSaving::with_capacity(*counters)
                    .expect("expressions have from 1 to 2^24 counters")
                    .seeded(*seed);
                Cell::Top(Box::new(sketch))
            }
        }
    }

    #[inline]
    pub(super) fn add(&self, cell: &mut Cell, row: &Row, time: Timestamp) {
        match (self, cell) {
            (StateSpec::Sum(index), Cell::Sum(sum)) => sum.add(row.number(*index)),
            (StateSpec::Records, Cell::Count(count)) => *count = count.saturating_add(1),
            (_, cell) => self.add_rarer(cell, row, time),
        }
    }

    #[inline(never)]
    fn add_rarer(&self, cell: &mut Cell, row: &Row, time: Timestamp) {
        let number = |index: &usize| Option::from(*row.number(*index));
        match (self, cell) {
            (StateSpec::Passing(index), Cell::Count(count)) => {
                *count = count.saturating_add(u64::from(row.passes(*index)))
            }
            (StateSpec::Min(index), Cell::Extreme(least)) => {
                least.take(row.number(*index), row, Ordering::Less)
            }
            (StateSpec::Max(index), Cell::Extreme(largest)) => {
                largest.take(row.number(*index), row, Ordering::Greater)
            }
            (StateSpec::Squares(index), Cell::Squares(squares)) => {
                number(index).into_iter().for_each(|number| squares.add(number))
            }
            (StateSpec::Histogram(index), Cell::Histogram(histogram)) => {
                if let Some(number) = number(index) {
                    // Numbers are finite, and nothing else is refused.
                    let _ = histogram.add(number.to_f64(), 1);
                }
            }
            (StateSpec::Distinct(key, seed), Cell::Distinct(keys)) => {
                if let Some(key) = row.key(*key) {
                    distinct(*seed).add(keys, key, time);
                }
            }
            (StateSpec::Top { key, .. }, Cell::Top(top)) => {
                row.key(*key).into_iter().for_each(|key| top.add(key, 1))
            }
            (StateSpec::First(key), Cell::Edge(edge)) => {
                if let Some(key) = row.key(*key)
                    && edge.as_ref().is_none_or(|(first, _)| time < *first)
                {
                    *edge = Some((time, key.into()));
                }
            }
            (StateSpec::Last(key), Cell::Edge(edge)) => {
                if let Some(key) = row.key(*key)
                    && edge.as_ref().is_none_or(|(last, _)| time >= *last)
                {
                    *edge = Some((time, key.into()));
                }
            }
            _ => debug_assert!(false, "a cell of another specification"),
        }
    }

    pub(super) fn merge(&self, into: &mut Cell, from: &Cell) -> Result<(), Error> {
        match (self, into, from) {
            (_, Cell::Count(into), Cell::Count(from)) => *into = into.saturating_add(*from),
            (_, Cell::Sum(into), Cell::Sum(from)) => into.merge(from)?,
            (StateSpec::Min(_), Cell::Extreme(into), Cell::Extreme(from)) => {
                into.merge(from, Ordering::Less)
            }
            (StateSpec::Max(_), Cell::Extreme(into), Cell::Extreme(from)) => {
                into.merge(from, Ordering::Greater)
            }
            (_, Cell::Squares(into), Cell::Squares(from)) => into.merge(from)?,
            (StateSpec::First(_), Cell::Edge(into), Cell::Edge(Some(from))) => {
                if into.as_ref().is_none_or(|(first, _)| from.0 < *first) {
                    *into = Some(from.clone());
                }
            }
            (StateSpec::Last(_), Cell::Edge(into), Cell::Edge(Some(from))) => {
                if into.as_ref().is_none_or(|(last, _)| from.0 >= *last) {
                    *into = Some(from.clone());
                }
            }
            (_, Cell::Edge(_), Cell::Edge(None)) => {}
            (_, Cell::Histogram(into), Cell::Histogram(from)) => into.merge(from)?,
            (StateSpec::Distinct(_, seed), Cell::Distinct(into), Cell::Distinct(from)) => {
                distinct(*seed).merge(into, from)?
            }
            (_, Cell::Top(into), Cell::Top(from)) => into.merge(from)?,
            _ => return Err(mismatch()),
        }
        Ok(())
    }

    /// Whether cells can be subtracted, as long as they are exact.
    pub(super) fn is_invertible(&self) -> bool {
        !matches!(
            self,
            StateSpec::Min(_)
                | StateSpec::Max(_)
                | StateSpec::Squares(_)
                | StateSpec::First(_)
                | StateSpec::Last(_)
        )
    }

    /// As [`Invertible::prepare`].
    pub(super) fn prepare(&self, cell: &mut Cell) {
        match (self, cell) {
            (StateSpec::Distinct(_, seed), Cell::Distinct(keys)) => distinct(*seed).prepare(keys),
            (_, Cell::Histogram(histogram)) => histogram.prepare(),
            (_, Cell::Top(top)) => top.prepare(),
            _ => {}
        }
    }

    /// As [`Invertible::is_exact`].
    pub(super) fn is_exact(&self, cell: &Cell) -> bool {
        match (self, cell) {
            (_, Cell::Count(count)) => *count < u64::MAX,
            (_, Cell::Sum(sum)) => sum.count < u64::MAX && sum.floats.is_none(),
            (_, Cell::Histogram(histogram)) => histogram.subtracts(),
            (StateSpec::Distinct(_, seed), Cell::Distinct(keys)) => distinct(*seed).is_exact(keys),
            (_, Cell::Top(top)) => top.subtracts(),
            _ => false,
        }
    }

    /// As [`Invertible::subtract`].
    pub(super) fn subtract(&self, from: &mut Cell, part: &Cell) -> bool {
        match (self, from, part) {
            (_, Cell::Count(from), Cell::Count(part)) => {
                let rest = from.checked_sub(*part);
                *from = rest.unwrap_or(0);
                rest.is_some()
            }
            (_, Cell::Sum(from), Cell::Sum(part))
                if from.floats.is_none() && part.floats.is_none() =>
            {
                let rest = from.count.checked_sub(part.count);
                from.count = rest.unwrap_or(0);
                rest.is_some() && from.integers.subtract(&part.integers)
            }
            (_, Cell::Histogram(from), Cell::Histogram(part)) => from.subtract(part),
            (StateSpec::Distinct(_, seed), Cell::Distinct(from), Cell::Distinct(part)) => {
                distinct(*seed).subtract(from, part)
            }
            (_, Cell::Top(from), Cell::Top(part)) => from.subtract(part),
            _ => false,
        }
    }

    /// How many different keys the cell has seen.
    pub(super) fn distinct_keys(&self, keys: &DistinctAccumulator) -> Estimate<u64> {
        match self {
            StateSpec::Distinct(_, seed) => distinct(*seed).output(keys),
            _ => Estimate::exact(0),
        }
    }
}

/// Seeds are secret: what is told of one is its fingerprint, which [`Seed`]'s own `Debug` prints.
impl fmt::Debug for StateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateSpec::Records => f.write_str("records"),
            StateSpec::Passing(test) => write!(f, "passing({test})"),
            StateSpec::Sum(number) => write!(f, "sum({number})"),
            StateSpec::Min(number) => write!(f, "min({number})"),
            StateSpec::Max(number) => write!(f, "max({number})"),
            StateSpec::Squares(number) => write!(f, "squares({number})"),
            StateSpec::First(key) => write!(f, "first({key})"),
            StateSpec::Last(key) => write!(f, "last({key})"),
            StateSpec::Histogram(number) => write!(f, "histogram({number}, {ACCURACY})"),
            StateSpec::Distinct(key, seed) => write!(f, "distinct({key}, {seed:?})"),
            StateSpec::Top { key, counters, seed } => write!(f, "top({key}, {counters}, {seed:?})"),
        }
    }
}

impl ExtremeCell {
    pub(super) fn of(number: Number) -> Self {
        match number {
            Number::Float(float) => ExtremeCell::Float(float),
            Number::Int(integer) => i64::try_from(integer)
                .map_or_else(|_| ExtremeCell::Wide(Box::new(integer)), ExtremeCell::Short),
        }
    }

    pub(super) fn number(&self) -> Option<Number> {
        match self {
            ExtremeCell::Missing | ExtremeCell::Ordered(_) => None,
            ExtremeCell::Short(integer) => Some(Number::Int(i128::from(*integer))),
            ExtremeCell::Float(float) => Some(Number::Float(*float)),
            ExtremeCell::Wide(integer) => Some(Number::Int(**integer)),
        }
    }

    /// Takes a value of the row if there is none yet, or it comes before (`Less`) or after
    /// (`Greater`) the one that there is.
    #[inline]
    fn take(&mut self, new: &PreparedNumber, row: &Row, end: Ordering) {
        match (self, new) {
            (ExtremeCell::Short(old), PreparedNumber::Short(new)) => {
                if new.cmp(old) == end {
                    *old = *new;
                }
            }
            (_, PreparedNumber::Missing) => {}
            (this, PreparedNumber::Ordered(key)) => this.take_ordered(row.order(*key), end),
            (this, number) => this.take_number(Option::from(*number), end),
        }
    }

    fn take_number(&mut self, new: Option<Number>, end: Ordering) {
        let Some(new) = new else { return };
        let takes_place = match self.number() {
            Some(old) => new.cmp(&old) == end,
            None => matches!(self, ExtremeCell::Missing) || end == Ordering::Less,
        };
        if takes_place {
            *self = ExtremeCell::of(new);
        }
    }

    fn take_ordered(&mut self, new: &[u8], end: Ordering) {
        let takes_place = match self {
            ExtremeCell::Missing => true,
            ExtremeCell::Ordered(old) => new.cmp(old) == end,
            _ => end == Ordering::Greater,
        };
        if takes_place {
            *self = ExtremeCell::Ordered(new.into());
        }
    }

    fn merge(&mut self, from: &ExtremeCell, end: Ordering) {
        match from {
            ExtremeCell::Ordered(key) => self.take_ordered(key, end),
            number => self.take_number(number.number(), end),
        }
    }
}

impl Cell {
    /// Approximate bytes on the heap. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Cell::Count(_) => 0,
            Cell::Extreme(ExtremeCell::Ordered(key)) => key.len(),
            Cell::Extreme(ExtremeCell::Wide(integer)) => size_of_val(&**integer),
            Cell::Extreme(_) => 0,
            // How many partials an exact sum of floats has depends on the order of the additions.
            // They are not counted, 40 at most: the size of a state depends on its records alone.
            Cell::Sum(sum) => sum.floats.as_ref().map_or(0, |_| size_of::<ExactSum>()),
            Cell::Squares(_) => size_of::<SquaresCell>(),
            Cell::Edge(edge) => edge.as_ref().map_or(0, |(_, key)| key.len()),
            Cell::Histogram(histogram) => histogram.resident_bytes(),
            Cell::Distinct(keys) => distinct(Seed::PUBLIC).state_bytes(keys),
            Cell::Top(top) => top.resident_bytes(),
        }
    }
}

impl SumCell {
    #[inline]
    fn add(&mut self, number: &PreparedNumber) {
        if let PreparedNumber::Short(integer) = number {
            self.count = self.count.saturating_add(1);
            self.integers.add(i128::from(*integer));
        } else {
            self.add_other(number);
        }
    }

    #[inline(never)]
    fn add_other(&mut self, number: &PreparedNumber) {
        let Some(number) = Option::<Number>::from(*number) else { return };
        self.count = self.count.saturating_add(1);
        match number.narrowed() {
            Number::Int(integer) => self.integers.add(integer),
            Number::Float(float) => self.floats.get_or_insert_default().add(float),
        }
    }

    fn merge(&mut self, from: &SumCell) -> Result<(), Error> {
        self.integers.merge(&from.integers)?;
        self.count = self.count.saturating_add(from.count);
        if let Some(from) = &from.floats {
            self.floats.get_or_insert_default().merge(from);
        }
        Ok(())
    }

    fn exact(&self, floats: &ExactSum) -> ExactSum {
        let mut sum = floats.clone();
        let integers = self.integers.total();
        sum.add_magnitude(integers.unsigned_abs(), if integers < 0 { -1.0 } else { 1.0 });
        sum
    }

    /// An integer if no float came; `None` of nothing.
    pub(super) fn sum(&self) -> Option<Number> {
        match &self.floats {
            _ if self.count == 0 => None,
            None => Some(Number::Int(self.integers.total())),
            Some(floats) => Some(Number::Float(self.exact(floats).value())),
        }
    }

    /// `None` of nothing.
    pub(super) fn mean(&self) -> Option<f64> {
        match &self.floats {
            _ if self.count == 0 => None,
            None => Some(self.integers.quotient(self.count)),
            Some(floats) => Some(self.exact(floats).divided_by(self.count)),
        }
    }
}

impl SquaresCell {
    fn add(&mut self, number: Number) {
        match number.narrowed() {
            Number::Int(integer) => self.integers.add(integer),
            Number::Float(float) => self.floats.get_or_insert_default().add(float),
        }
    }

    fn merge(&mut self, from: &SquaresCell) -> Result<(), Error> {
        self.integers.merge(&from.integers)?;
        if let Some(from) = &from.floats {
            self.floats.get_or_insert_default().merge(from)?;
        }
        Ok(())
    }

    fn floats_and_integers(&self) -> Option<FloatMoments> {
        let mut all = self.floats.clone()?;
        self.integers.add_to(&mut all);
        Some(all)
    }

    /// The sample variance; `None` of fewer than two numbers.
    pub(super) fn variance(&self) -> Option<f64> {
        self.floats_and_integers().map_or_else(|| self.integers.variance(), |all| all.variance())
    }

    /// The sample standard deviation; `None` of fewer than two numbers.
    pub(super) fn stddev(&self) -> Option<f64> {
        self.floats_and_integers().map_or_else(|| self.integers.stddev(), |all| all.stddev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_small() {
        assert!(size_of::<Cell>() <= 40, "{}", size_of::<Cell>());
    }

    #[test]
    fn sums_stay_integers_until_a_float_comes() {
        let mut sum = SumCell::default();
        assert_eq!((sum.sum(), sum.mean()), (None, None));
        sum.add(&PreparedNumber::Other(Number::Int(1)));
        sum.add(&PreparedNumber::Missing);
        sum.add(&PreparedNumber::Short(2));
        assert_eq!(format!("{:?} {:?}", sum.sum(), sum.mean()), "Some(Int(3)) Some(1.5)");
        sum.add(&PreparedNumber::Other(Number::Float(0.25)));
        assert_eq!(format!("{:?}", sum.sum()), "Some(Float(3.25))");
        sum.add(&PreparedNumber::Other(Number::Int(i128::MAX)));
        sum.add(&PreparedNumber::Other(Number::Int(-i128::MAX)));
        assert_eq!(
            format!("{:?}", sum.sum()),
            "Some(Float(3.25))",
            "integers past 64 bits are added as floats, exactly"
        );
    }

    #[test]
    fn moments_of_mixed_numbers_are_those_of_all() {
        let mut squares = SquaresCell::default();
        for number in [
            Number::Int(1_000_000_004),
            Number::Float(1_000_000_007.0),
            Number::Int(1_000_000_013),
            Number::Float(1_000_000_016.0),
        ] {
            squares.add(number);
        }
        assert_eq!(squares.variance(), Some(30.0));
        let mut large = SquaresCell::default();
        [Number::Int(i128::from(u64::MAX)), Number::Float(0.0)]
            .into_iter()
            .for_each(|number| large.add(number));
        assert_eq!(large.variance(), Some(2f64.powi(127)));
    }
}
