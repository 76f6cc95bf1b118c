//! The states behind columns: an aggregate each, over what a source takes out of a row.

use super::answer::{Answer, ColumnKind};
use super::extreme::{Extreme, OrderedValue};
use super::mixed::{MixedMoments, MixedSum};
use super::source::{
    AllRows, ItsRank, Itself, KeyAt, NumberAt, OrderAt, RankedKey, RankedKeyAt, TestAt,
    WeightedKey, WeightedKeyAt,
};
use crate::aggregate::{
    Aggregate, Count, DEFAULT_ACCURACY, Distinct, DistinctAccumulator, First, Last, LogBuckets,
    Max, MaxBy, Mean, MeanAccumulator, Min, MinBy, Persistence, Quantile, Reductions, TopK,
    TopKByWeight, Variance,
};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::row::{Number, OutputValue, Row};
use crate::sketch::{LogHistogram, SpaceSaving};
use crate::time::Timestamp;
use std::fmt;

/// What a state costs beside its own size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Its size stays, or nearly so; merging is exact and costs little.
    Fixed,
    /// It may hold a value of any size; merging is exact and costs little.
    Value,
    /// It may hold much, and merging is not cheap.
    Much,
}

/// The refusal to merge what is not of one specification.
#[cold]
pub(super) fn mismatch() -> Error {
    Error::new(ErrorKind::Mismatch, "accumulators of two different pipelines do not merge")
}

/// Rows of a top-k that are never given up: how many are asked for is not known to its state, and as
/// many as a page holds stay in any case.
pub(crate) const TOP_ROWS_MIN: usize = 100;

/// Makes the states of a list of aggregates, each with its name in descriptions, its source and the
/// record that the source hands over, its accumulator as it is held (of at most 40 bytes; what is
/// larger is in a box), its [`Cost`], and what else describes it.
macro_rules! states {
    ($(
        $(#[$doc:meta])*
        $name:ident $word:literal: $source:ident, $aggregate:ty, $record:ty, $cell:ty, $cost:ident
        $(, $parameter:expr)?;
    )*) => {
        /// What a state is of.
        #[derive(Clone)]
        pub(crate) enum StateSpec {
            $($(#[$doc])* $name($source, Box<$aggregate>),)*
        }

        /// The accumulator of one state.
        #[derive(Clone, Debug)]
        pub(crate) enum Cell {
            $($name($cell),)*
        }

        impl StateSpec {
            pub(super) fn init(&self) -> Cell {
                match self {
                    $(StateSpec::$name(_, typed) => {
                        Cell::$name(<$aggregate as Aggregate<$record>>::init(typed).into())
                    })*
                }
            }

            #[inline(never)]
            fn add_rarer(&self, cell: &mut Cell, row: &Row, time: Timestamp) {
                match (self, cell) {
                    $((StateSpec::$name(source, typed), Cell::$name(cell)) => {
                        source.with(row, |record| {
                            <$aggregate as Aggregate<$record>>::add(typed, cell, record, time)
                        })
                    })*
                    _ => debug_assert!(false, "a cell of another specification"),
                }
            }

            pub(super) fn merge(&self, into: &mut Cell, from: &Cell) -> Result<(), Error> {
                match (self, into, from) {
                    $((StateSpec::$name(_, typed), Cell::$name(into), Cell::$name(from)) => {
                        <$aggregate as Aggregate<$record>>::merge(typed, into, from)
                    })*
                    _ => Err(mismatch()),
                }
            }

            /// Returns true if cells can be subtracted, as long as they are exact.
            pub(super) fn is_invertible(&self) -> bool {
                match self {
                    $(StateSpec::$name(_, typed) => {
                        <$aggregate as Aggregate<$record>>::inverse(typed).is_some()
                    })*
                }
            }

            /// As [`Invertible::prepare`](crate::aggregate::Invertible::prepare).
            pub(super) fn prepare(&self, cell: &mut Cell) {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        <$aggregate as Aggregate<$record>>::inverse(typed)
                            .into_iter()
                            .for_each(|inverse| inverse.prepare(cell))
                    })*
                    _ => {}
                }
            }

            /// As [`Invertible::is_exact`](crate::aggregate::Invertible::is_exact).
            pub(super) fn is_exact(&self, cell: &Cell) -> bool {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        <$aggregate as Aggregate<$record>>::inverse(typed)
                            .is_some_and(|inverse| inverse.is_exact(cell))
                    })*
                    _ => false,
                }
            }

            /// As [`Invertible::subtract`](crate::aggregate::Invertible::subtract).
            pub(super) fn subtract(&self, from: &mut Cell, part: &Cell) -> bool {
                match (self, from, part) {
                    $((StateSpec::$name(_, typed), Cell::$name(from), Cell::$name(part)) => {
                        <$aggregate as Aggregate<$record>>::inverse(typed)
                            .is_some_and(|inverse| inverse.subtract(from, part))
                    })*
                    _ => false,
                }
            }

            /// The answer of the aggregate itself.
            pub(super) fn output(&self, cell: &Cell) -> OutputValue {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        <$aggregate as Aggregate<$record>>::output(typed, cell).value()
                    })*
                    _ => OutputValue::Null,
                }
            }

            /// What the [`output`](StateSpec::output) is.
            pub(super) fn kind(&self) -> ColumnKind {
                match self {
                    $(StateSpec::$name(..) => {
                        <<$aggregate as Aggregate<$record>>::Output as Answer>::KIND
                    })*
                }
            }

            /// Approximate bytes on the heap. O(1).
            pub(super) fn heap_bytes(&self, cell: &Cell) -> usize {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        let bytes = <$aggregate as Aggregate<$record>>::state_bytes(typed, cell);
                        let own = size_of::<<$aggregate as Aggregate<$record>>::Accumulator>();
                        // What is in a box is on the heap as a whole.
                        if size_of::<$cell>() < own { bytes } else { bytes - own }
                    })*
                    _ => 0,
                }
            }

            fn cost(&self) -> Cost {
                match self {
                    $(StateSpec::$name(..) => Cost::$cost,)*
                }
            }

            /// The state in words, without its seed.
            pub(super) fn words(&self) -> String {
                match self {
                    $(StateSpec::$name(_source, _typed) => {
                        let arguments = [_source.to_string() $(, {
                            let parameter: fn(&$aggregate) -> String = $parameter;
                            parameter(_typed)
                        })?];
                        match arguments.join(", ") {
                            arguments if arguments.is_empty() => String::from($word),
                            arguments => format!("{}({arguments})", $word),
                        }
                    })*
                }
            }

            /// The fingerprint of the state's seed; 0 if it has none.
            pub(super) fn seed_fingerprint(&self) -> u64 {
                match self {
                    $(StateSpec::$name(_, typed) => {
                        <$aggregate as Persistence<$record, <$aggregate as Aggregate<$record>>::Accumulator>>::seed_fingerprint(typed)
                    })*
                }
            }

            pub(super) fn encode(&self, cell: &Cell, writer: &mut Writer) -> Result<(), Error> {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        <$aggregate as Persistence<$record, <$aggregate as Aggregate<$record>>::Accumulator>>::encode(typed, cell, writer)
                    })*
                    _ => Err(mismatch()),
                }
            }

            pub(super) fn decode(&self, reader: &mut Reader<'_>) -> Result<Cell, Error> {
                Ok(match self {
                    $(StateSpec::$name(_, typed) => {
                        Cell::$name(<$aggregate as Persistence<$record, <$aggregate as Aggregate<$record>>::Accumulator>>::decode(typed, reader)?.into())
                    })*
                })
            }

            fn reduce_cell(&self, cell: &mut Cell, tolerance: f64, reductions: &mut Reductions) {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        <$aggregate as Persistence<$record, <$aggregate as Aggregate<$record>>::Accumulator>>::reduce(
                            typed, cell, tolerance, reductions,
                        )
                    })*
                    _ => {}
                }
            }
        }
    };
}

/// The largest or smallest value, and its key.
type BestKey = Option<(Extreme, Box<[u8]>)>;

states! {
    /// All records.
    Records "records": AllRows, Count, Row, u64, Fixed;
    /// Records that pass a test.
    Passing "passing": TestAt, Count, Row, u64, Fixed;
    /// Count and sum of a number.
    Sum "sum": NumberAt, Mean<Itself>, Number, MeanAccumulator<MixedSum>, Fixed;
    Min "min": OrderAt, Min<Itself>, OrderedValue<'_>, Option<Extreme>, Value;
    Max "max": OrderAt, Max<Itself>, OrderedValue<'_>, Option<Extreme>, Value;
    /// Count, sum and sum of squares of a number.
    Squares "squares": NumberAt, Variance<Itself>, Number, Box<MixedMoments>, Much;
    /// The key with the earliest event time.
    First "first": KeyAt, First<Itself>, [u8], Option<(Timestamp, Box<[u8]>)>, Much;
    /// The key with the latest event time.
    Last "last": KeyAt, Last<Itself>, [u8], Option<(Timestamp, Box<[u8]>)>, Much;
    /// A histogram, for quantiles.
    Histogram "histogram": NumberAt, Quantile<Itself>, Number, Box<LogHistogram>, Much,
        |_| DEFAULT_ACCURACY.to_string();
    /// Another histogram, for its buckets.
    Buckets "buckets": NumberAt, LogBuckets<Itself>, Number, Box<LogHistogram>, Much;
    /// The key of the smallest value.
    MinBy "min_by": RankedKeyAt, MinBy<Itself, ItsRank>, RankedKey<'_>, Box<BestKey>, Value;
    /// The key of the largest value.
    MaxBy "max_by": RankedKeyAt, MaxBy<Itself, ItsRank>, RankedKey<'_>, Box<BestKey>, Value;
    Distinct "distinct": KeyAt, Distinct<Itself>, [u8], Box<DistinctAccumulator>, Much;
    Top "top": KeyAt, TopK<Itself>, [u8], Box<SpaceSaving<[u8]>>, Much,
        |top| top.counters_max().to_string();
    /// As `Top`, by sums.
    Heaviest "heaviest": WeightedKeyAt, TopKByWeight<Itself, Itself>, WeightedKey<'_>,
        Box<SpaceSaving<[u8]>>, Much, |top| top.counters_max().to_string();
}

impl StateSpec {
    #[inline]
    pub(super) fn add(&self, cell: &mut Cell, row: &Row, time: Timestamp) {
        match (self, &mut *cell) {
            (StateSpec::Records(..), Cell::Records(count)) => Count.add(count, row, time),
            (StateSpec::Sum(source, mean), Cell::Sum(sum)) => match source.short(row) {
                Some(number) => mean.add(sum, &number, time),
                None => self.add_rarer(cell, row, time),
            },
            _ => self.add_rarer(cell, row, time),
        }
    }

    /// Returns true if the state may hold much on the heap.
    pub(super) fn grows(&self) -> bool {
        self.cost() != Cost::Fixed
    }

    /// Returns true if merging is exact and costs little: counts, sums and extremes.
    pub(super) fn merges_cheaply(&self) -> bool {
        self.cost() != Cost::Much
    }

    /// As [`Persistence::reduce`].
    pub(super) fn reduce(&self, cell: &mut Cell, tolerance: f64, reductions: &mut Reductions) {
        let mut own = Reductions::none(0);
        self.reduce_cell(cell, tolerance, &mut own);
        if !own.is_empty() {
            reductions.note(&self.words());
        }
    }
}

impl PartialEq for StateSpec {
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words() && self.seed_fingerprint() == other.seed_fingerprint()
    }
}

/// Seeds are secret: what is told of one is its fingerprint.
impl fmt::Debug for StateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())?;
        match self.seed_fingerprint() {
            0 => Ok(()),
            seed => write!(f, " under seed {seed:016x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_small() {
        assert!(size_of::<Cell>() <= 40, "{}", size_of::<Cell>());
    }
}
