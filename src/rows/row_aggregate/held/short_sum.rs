//! A count and a sum in two words.

use super::Held;
use crate::aggregate::{Aggregate, Invertible, Mean, MeanAccumulator, Total};
use crate::error::Error;
use crate::row::Number;
use crate::rows::row_aggregate::mixed::MixedSum;
use crate::rows::row_aggregate::source::Itself;

type MixedMean = MeanAccumulator<MixedSum>;

/// A count and a sum.
#[derive(Clone, Debug)]
pub(crate) enum ShortSum {
    /// Of integers, while both are short.
    Short {
        count: u32,
        sum: i64,
    },
    Whole(Box<MixedMean>),
}

impl ShortSum {
    /// Adds an integer. Returns false and changes nothing if the sum is not short or would not be.
    #[inline]
    pub(in crate::rows::row_aggregate) fn add_short(&mut self, integer: i64) -> bool {
        let ShortSum::Short { count, sum } = self else { return false };
        let (Some(more), Some(total)) = (count.checked_add(1), sum.checked_add(integer)) else {
            return false;
        };
        (*count, *sum) = (more, total);
        true
    }

    /// Returns the sum, or `None` without numbers.
    pub(in crate::rows::row_aggregate) fn total(&self) -> Option<Number> {
        match self {
            ShortSum::Short { count, sum } => (*count > 0).then(|| Number::Int(i128::from(*sum))),
            ShortSum::Whole(mean) => (mean.count > 0).then(|| mean.sum.total()),
        }
    }

    fn mean_of(count: u32, sum: i64) -> MixedMean {
        let mut total = MixedSum::default();
        total.add(Number::Int(i128::from(sum)));
        MeanAccumulator { count: u64::from(count), sum: total }
    }

    /// Combines two short sums, if the result is short.
    fn combine(
        &mut self,
        other: &Self,
        counts: fn(u32, u32) -> Option<u32>,
        sums: fn(i64, i64) -> Option<i64>,
    ) -> bool {
        let ShortSum::Short { count: other_count, sum: other_sum } = other else { return false };
        let ShortSum::Short { count, sum } = self else { return false };
        let combined = counts(*count, *other_count).zip(sums(*sum, *other_sum));
        if let Some(combined) = combined {
            (*count, *sum) = combined;
        }
        combined.is_some()
    }
}

impl Held<Number, Mean<Itself>> for ShortSum {
    const SHRINKS: bool = false;

    #[inline]
    fn init(_: &Mean<Itself>) -> Self {
        ShortSum::Short { count: 0, sum: 0 }
    }

    fn of(_: &Mean<Itself>, accumulator: MixedMean) -> Self {
        let short = u32::try_from(accumulator.count).ok().zip(accumulator.sum.short());
        match short {
            Some((count, sum)) => ShortSum::Short { count, sum },
            None => ShortSum::Whole(Box::new(accumulator)),
        }
    }

    fn whole(&mut self, _: &Mean<Itself>) -> &mut MixedMean {
        if let ShortSum::Short { count, sum } = *self {
            *self = ShortSum::Whole(Box::new(ShortSum::mean_of(count, sum)));
        }
        match self {
            ShortSum::Whole(mean) => mean,
            ShortSum::Short { .. } => unreachable!("the whole was made above"),
        }
    }

    fn read<T>(&self, _: &Mean<Itself>, read: impl FnOnce(&MixedMean) -> T) -> T {
        match self {
            ShortSum::Short { count, sum } => read(&ShortSum::mean_of(*count, *sum)),
            ShortSum::Whole(mean) => read(mean),
        }
    }

    fn heap_bytes(&self, aggregate: &Mean<Itself>) -> usize {
        match self {
            ShortSum::Short { .. } => 0,
            ShortSum::Whole(mean) => Aggregate::<Number>::state_bytes(aggregate, mean),
        }
    }

    fn merge(&mut self, aggregate: &Mean<Itself>, from: &Self) -> Result<(), Error> {
        if self.combine(from, u32::checked_add, i64::checked_add) {
            return Ok(());
        }
        from.read(aggregate, |from| {
            Aggregate::<Number>::merge(aggregate, self.whole(aggregate), from)
        })
    }

    /// A sum can be subtracted from as it is.
    fn prepare(&mut self, _: &Mean<Itself>, _: &dyn Invertible<Number, MixedMean>) {}

    fn subtract(
        &mut self,
        aggregate: &Mean<Itself>,
        inverse: &dyn Invertible<Number, MixedMean>,
        part: &Self,
    ) -> bool {
        self.combine(part, u32::checked_sub, i64::checked_sub)
            || part.read(aggregate, |part| inverse.subtract(self.whole(aggregate), part))
    }
}
