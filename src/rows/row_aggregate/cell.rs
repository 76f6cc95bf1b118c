//! The states behind columns: an aggregate each, over what a source takes out of a row.

use super::answer::{Answer, ColumnKind};
use super::extreme::{Extreme, OrderedValue};
use super::held::{Boxed, FewHashes, FewKeys, FewNumbers, Held, Inline, ShortSum};
use super::mixed::MixedMoments;
use super::source::{
    AllRows, ItsRank, Itself, KeyAt, NumberAt, OrderAt, RankedKey, RankedKeyAt, TestAt,
    WeightedKey, WeightedKeyAt,
};
use crate::aggregate::{
    Aggregate, Count, DEFAULT_ACCURACY, Distinct, First, Last, LogBuckets, Max, MaxBy, Mean, Min,
    MinBy, Persistence, Quantile, Reductions, TopK, TopKByWeight, Variance,
};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::key::ByteKey;
use crate::row::{Number, OutputValue, Row};
use crate::sketch::{LogHistogram, TopRow};
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

/// Rows of a top-k that are never given up: how many are asked for is not known to its state, and
/// as many as a page holds stay in any case.
pub(crate) const TOP_ROWS_MIN: usize = 100;

/// Makes the states of a list of aggregates, each with its name in descriptions, its source and the
/// record that the source hands over, the form in which its accumulator is held, its [`Cost`], and
/// what else describes it.
macro_rules! states {
    ($(
        $(#[$doc:meta])*
        $name:ident $word:literal: $source:ident, $aggregate:ty, $record:ty, $held:ty, $cost:ident
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
            /// No state.
            Vacant,
            $($name($held),)*
        }

        impl StateSpec {
            pub(super) fn init(&self) -> Cell {
                match self {
                    $(StateSpec::$name(_, typed) => {
                        Cell::$name(<$held as Held<$record, $aggregate>>::init(typed))
                    })*
                }
            }

            #[inline(never)]
            fn add_rarer(&self, cell: &mut Cell, row: &Row, time: Timestamp) {
                match (self, cell) {
                    $((StateSpec::$name(source, typed), Cell::$name(cell)) => {
                        source.with(row, |record| {
                            <$held as Held<$record, $aggregate>>::add(cell, typed, record, time)
                        })
                    })*
                    _ => debug_assert!(false, "a cell of another specification"),
                }
            }

            pub(super) fn merge(&self, into: &mut Cell, from: &Cell) -> Result<(), Error> {
                match (self, into, from) {
                    $((StateSpec::$name(_, typed), Cell::$name(into), Cell::$name(from)) => {
                        <$held as Held<$record, $aggregate>>::merge(into, typed, from)
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
                        if let Some(inverse) = <$aggregate as Aggregate<$record>>::inverse(typed) {
                            <$held as Held<$record, $aggregate>>::prepare(cell, typed, inverse);
                        }
                    })*
                    _ => {}
                }
            }

            /// As [`Invertible::is_exact`](crate::aggregate::Invertible::is_exact).
            pub(super) fn is_exact(&self, cell: &Cell) -> bool {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        let inverse = <$aggregate as Aggregate<$record>>::inverse(typed);
                        inverse.is_some_and(|inverse| {
                            <$held as Held<$record, $aggregate>>::read(cell, typed, |cell| {
                                inverse.is_exact(cell)
                            })
                        })
                    })*
                    _ => false,
                }
            }

            /// As [`Invertible::subtract`](crate::aggregate::Invertible::subtract).
            pub(super) fn subtract(&self, from: &mut Cell, part: &Cell) -> bool {
                match (self, from, part) {
                    $((StateSpec::$name(_, typed), Cell::$name(from), Cell::$name(part)) => {
                        let inverse = <$aggregate as Aggregate<$record>>::inverse(typed);
                        inverse.is_some_and(|inverse| {
                            <$held as Held<$record, $aggregate>>::subtract(
                                from, typed, inverse, part,
                            )
                        })
                    })*
                    _ => false,
                }
            }

            /// The answer of the aggregate itself.
            pub(super) fn output(&self, cell: &Cell) -> OutputValue {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        <$held as Held<$record, $aggregate>>::output(cell, typed).value()
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
                        <$held as Held<$record, $aggregate>>::heap_bytes(cell, typed)
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
                        let typed = &**typed;
                        Persistence::<$record, Whole<$record, $aggregate>>::seed_fingerprint(typed)
                    })*
                }
            }

            pub(super) fn encode(&self, cell: &Cell, writer: &mut Writer) -> Result<(), Error> {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell)) => {
                        <$held as Held<$record, $aggregate>>::read(cell, typed, |cell| {
                            Persistence::<$record, Whole<$record, $aggregate>>::encode(
                                &**typed, cell, writer,
                            )
                        })
                    })*
                    _ => Err(mismatch()),
                }
            }

            pub(super) fn decode(&self, reader: &mut Reader<'_>) -> Result<Cell, Error> {
                Ok(match self {
                    $(StateSpec::$name(_, typed) => {
                        let accumulator =
                            Persistence::<$record, Whole<$record, $aggregate>>::decode(
                                &**typed, reader,
                            )?;
                        Cell::$name(<$held as Held<$record, $aggregate>>::of(typed, accumulator))
                    })*
                })
            }

            fn reduce_cell(&self, cell: &mut Cell, tolerance: f64, reductions: &mut Reductions) {
                match (self, cell) {
                    $((StateSpec::$name(_, typed), Cell::$name(cell))
                        if <$held as Held<$record, $aggregate>>::SHRINKS =>
                    {
                        let whole = <$held as Held<$record, $aggregate>>::whole(cell, typed);
                        Persistence::<$record, Whole<$record, $aggregate>>::reduce(
                            &**typed, whole, tolerance, reductions,
                        )
                    })*
                    _ => {}
                }
            }
        }
    };
}

/// The accumulator of an aggregate of records.
type Whole<R, G> = <G as Aggregate<R>>::Accumulator;

/// The largest or smallest value, and its key.
type BestKey = Option<(Extreme, Box<[u8]>)>;

/// The key with the earliest or the latest event time, and that time.
type TimedKey = Option<(Timestamp, ByteKey)>;

states! {
    /// All records. Groups count them whether they are asked for or not.
    Records "records": AllRows, Count, Row, Inline<u64>, Fixed;
    /// Records that pass a test.
    Passing "passing": TestAt, Count, Row, Inline<u64>, Fixed;
    /// Count and sum of a number.
    Sum "sum": NumberAt, Mean<Itself>, Number, ShortSum, Fixed;
    Min "min": OrderAt, Min<Itself>, OrderedValue<'_>, Inline<Option<Extreme>>, Value;
    Max "max": OrderAt, Max<Itself>, OrderedValue<'_>, Inline<Option<Extreme>>, Value;
    /// Count, sum and sum of squares of a number.
    Squares "squares": NumberAt, Variance<Itself>, Number, Boxed<MixedMoments>, Much;
    First "first": KeyAt, First<Itself>, [u8], Boxed<TimedKey>, Much;
    Last "last": KeyAt, Last<Itself>, [u8], Boxed<TimedKey>, Much;
    /// A histogram, for quantiles.
    Histogram "histogram": NumberAt, Quantile<Itself>, Number, FewNumbers, Much,
        |_| DEFAULT_ACCURACY.to_string();
    /// Another histogram, for its buckets.
    Buckets "buckets": NumberAt, LogBuckets<Itself>, Number, Boxed<LogHistogram>, Much;
    /// The key of the smallest value.
    MinBy "min_by": RankedKeyAt, MinBy<Itself, ItsRank>, RankedKey<'_>, Boxed<BestKey>, Value;
    /// The key of the largest value.
    MaxBy "max_by": RankedKeyAt, MaxBy<Itself, ItsRank>, RankedKey<'_>, Boxed<BestKey>, Value;
    Distinct "distinct": KeyAt, Distinct<Itself>, [u8], FewHashes, Much;
    Top "top": KeyAt, TopK<Itself>, [u8], FewKeys, Much,
        |top| top.counters_max().to_string();
    /// As `Top`, by sums.
    Heaviest "heaviest": WeightedKeyAt, TopKByWeight<Itself, Itself>, WeightedKey<'_>, FewKeys,
        Much, |top| top.counters_max().to_string();
}

impl StateSpec {
    #[inline]
    pub(super) fn add(&self, cell: &mut Cell, row: &Row, time: Timestamp) {
        match (self, &mut *cell) {
            (StateSpec::Sum(source, _), Cell::Sum(sum)) => {
                let is_added = source.short(row).is_some_and(|number| sum.add_short(number));
                if !is_added {
                    self.add_rarer(cell, row, time);
                }
            }
            _ => self.add_rarer(cell, row, time),
        }
    }

    /// Returns the largest rows of a top-k; nothing for any other state.
    pub(super) fn top(&self, cell: &Cell, k: usize) -> Vec<TopRow<ByteKey>> {
        match (self, cell) {
            (StateSpec::Top(_, typed), Cell::Top(keys)) => {
                Held::<[u8], _>::read(keys, &**typed, |top| top.top(k))
            }
            (StateSpec::Heaviest(_, typed), Cell::Heaviest(keys)) => {
                Held::<WeightedKey<'_>, _>::read(keys, &**typed, |top| top.top(k))
            }
            _ => Vec::new(),
        }
    }

    /// Returns true if the state is the number of all records.
    pub(crate) fn is_records(&self) -> bool {
        matches!(self, StateSpec::Records(..))
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
        assert!(size_of::<Cell>() <= 24, "{}", size_of::<Cell>());
    }
}
