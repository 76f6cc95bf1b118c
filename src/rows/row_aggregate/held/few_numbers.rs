//! A histogram of a few numbers as the numbers themselves.

use super::Held;
use crate::aggregate::{Aggregate, Quantile};
use crate::error::Error;
use crate::row::Number;
use crate::rows::row_aggregate::source::Itself;
use crate::sketch::{Estimate, LogHistogram, nearest_rank};
use crate::time::Timestamp;

/// Maximum of the numbers that are held themselves.
const NUMBERS_MAX: usize = 3;

/// The numbers of a histogram, or the histogram.
#[derive(Clone, Debug)]
pub(crate) enum FewNumbers {
    /// The first numbers, of which each is one of 32 bits, too.
    Short {
        len: u8,
        numbers: [f32; NUMBERS_MAX],
    },
    One(f64),
    Whole(Box<LogHistogram>),
}

impl FewNumbers {
    const NONE: FewNumbers = FewNumbers::Short { len: 0, numbers: [0.0; NUMBERS_MAX] };

    /// Adds a number. Returns false and changes nothing if there is no room for it.
    fn add_here(&mut self, number: f64) -> bool {
        let FewNumbers::Short { len, numbers } = self else { return false };
        let short = number as f32;
        if f64::from(short).to_bits() != number.to_bits() {
            let is_first = *len == 0;
            if is_first {
                *self = FewNumbers::One(number);
            }
            return is_first;
        }
        let Some(place) = numbers.get_mut(usize::from(*len)) else { return false };
        *place = short;
        *len += 1;
        true
    }

    /// Returns the numbers that are held themselves.
    fn numbers(&self) -> impl Iterator<Item = f64> {
        let (one, short) = match *self {
            FewNumbers::Short { len, numbers } => (None, Some((len, numbers))),
            FewNumbers::One(number) => (Some(number), None),
            FewNumbers::Whole(_) => (None, None),
        };
        let short = short
            .into_iter()
            .flat_map(|(len, numbers)| numbers.into_iter().take(usize::from(len)).map(f64::from));
        one.into_iter().chain(short)
    }

    fn add_number(&mut self, aggregate: &Quantile<Itself>, number: f64) {
        if !self.add_here(number) {
            // No number is refused: those of records are finite.
            let _ = self.whole(aggregate).add(number, 1);
        }
    }

    /// Returns the histogram of the numbers, or `None` if it is there already.
    fn histogram(&self, aggregate: &Quantile<Itself>) -> Option<LogHistogram> {
        if let FewNumbers::Whole(_) = self {
            return None;
        }
        let mut histogram = Aggregate::<Number>::init(aggregate);
        self.numbers().for_each(|number| drop(histogram.add(number, 1)));
        Some(histogram)
    }

    /// Returns a quantile. Only one between the smallest and the largest number needs the
    /// histogram.
    pub(in crate::rows::row_aggregate) fn quantile(
        &self,
        aggregate: &Quantile<Itself>,
        q: f64,
    ) -> Option<Estimate<f64>> {
        let len = self.numbers().count() as u64;
        let number = match nearest_rank(q, len) {
            Some(1) => self.numbers().reduce(f64::min),
            Some(last) if last == len => self.numbers().reduce(f64::max),
            _ => None,
        };
        match number {
            // Adding 0 changes -0 into 0.
            Some(number) => Some(Estimate::exact(number + 0.0)),
            None => self.read(aggregate, |histogram| histogram.quantile(q)),
        }
    }
}

impl Held<Number, Quantile<Itself>> for FewNumbers {
    #[inline]
    fn init(_: &Quantile<Itself>) -> Self {
        FewNumbers::NONE
    }

    fn of(aggregate: &Quantile<Itself>, accumulator: LogHistogram) -> Self {
        let accuracy = Aggregate::<Number>::init(aggregate).accuracy();
        match accumulator.count() == 0 && accumulator.accuracy() == accuracy {
            true => FewNumbers::NONE,
            false => FewNumbers::Whole(Box::new(accumulator)),
        }
    }

    fn whole(&mut self, aggregate: &Quantile<Itself>) -> &mut LogHistogram {
        if let Some(histogram) = self.histogram(aggregate) {
            *self = FewNumbers::Whole(Box::new(histogram));
        }
        match self {
            FewNumbers::Whole(histogram) => histogram,
            _ => unreachable!("the histogram was made above"),
        }
    }

    fn read<T>(&self, aggregate: &Quantile<Itself>, read: impl FnOnce(&LogHistogram) -> T) -> T {
        match self {
            FewNumbers::Whole(histogram) => read(histogram),
            few => read(
                &few.histogram(aggregate).unwrap_or_else(|| Aggregate::<Number>::init(aggregate)),
            ),
        }
    }

    fn heap_bytes(&self, _: &Quantile<Itself>) -> usize {
        match self {
            FewNumbers::Whole(histogram) => histogram.resident_bytes(),
            _ => 0,
        }
    }

    #[inline]
    fn add(&mut self, aggregate: &Quantile<Itself>, record: &Number, time: Timestamp) {
        match self {
            FewNumbers::Whole(histogram) => aggregate.add(histogram, record, time),
            few => few.add_number(aggregate, record.to_f64()),
        }
    }

    fn merge(&mut self, aggregate: &Quantile<Itself>, from: &Self) -> Result<(), Error> {
        if matches!(self, FewNumbers::Whole(_)) || matches!(from, FewNumbers::Whole(_)) {
            return from.read(aggregate, |from| self.whole(aggregate).merge(from));
        }
        from.numbers().for_each(|number| self.add_number(aggregate, number));
        Ok(())
    }
}
