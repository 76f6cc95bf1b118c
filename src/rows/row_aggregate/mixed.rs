//! Exact arithmetic over numbers of both kinds: integers until a float comes.

use crate::aggregate::{
    self, ExactSum, FloatMoments, IntegerMoments, IntegerSum, Moments, Sealed, Total, Wide,
};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;
use crate::row::Number;
use std::cmp::Ordering;

/// The numbers of records can be aggregated as any other number: they are finite.
impl aggregate::Number for Number {
    type Wide = Number;

    #[inline]
    fn widen(self) -> Number {
        self
    }

    #[inline]
    fn to_f64(self) -> f64 {
        Number::to_f64(self)
    }

    #[inline]
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    #[inline]
    fn is_nan(self) -> bool {
        false
    }

    #[inline]
    fn is_finite(self) -> bool {
        true
    }
}

impl Sealed for Number {}

impl Wide for Number {
    type Sum = MixedSum;
    type Moments = MixedMoments;

    fn to_weight(self) -> Option<u64> {
        match Number::of_whole(self) {
            Number::Int(integer) => u64::try_from(integer).ok(),
            Number::Float(_) => None,
        }
    }
}

/// The exact sum of numbers of both kinds.
#[derive(Clone, Debug, Default)]
pub struct MixedSum {
    integers: IntegerSum,
    /// `None` while no float came.
    floats: Option<Box<ExactSum>>,
}

impl MixedSum {
    /// Returns the sum, if it is an integer of 64 bits and no float came.
    pub(super) fn short(&self) -> Option<i64> {
        let integers = i64::try_from(self.integers.total()).ok();
        integers.filter(|_| self.floats.is_none())
    }

    #[inline(never)]
    fn add_other(&mut self, number: Number) {
        match number.narrowed() {
            Number::Int(integer) => self.integers.add(integer),
            Number::Float(float) => self.floats.get_or_insert_default().add(float),
        }
    }

    fn exact(&self, floats: &ExactSum) -> ExactSum {
        let mut sum = floats.clone();
        let integers = self.integers.total();
        sum.add_magnitude(integers.unsigned_abs(), if integers < 0 { -1.0 } else { 1.0 });
        sum
    }
}

impl Total<Number> for MixedSum {
    #[inline]
    fn add(&mut self, number: Number) {
        match number {
            // Of a number that was a word before, the compiler knows that this holds.
            Number::Int(integer) if i128::from(integer as i64) == integer => {
                self.integers.add(integer)
            }
            other => self.add_other(other),
        }
    }

    fn merge(&mut self, from: &Self) -> Result<(), Error> {
        self.integers.merge(&from.integers)?;
        if let Some(from) = &from.floats {
            self.floats.get_or_insert_default().merge(from);
        }
        Ok(())
    }

    const INVERTIBLE: bool = true;

    fn subtracts(&self) -> bool {
        self.floats.is_none()
    }

    fn subtract(&mut self, part: &Self) -> bool {
        self.subtracts() && part.subtracts() && self.integers.subtract(&part.integers)
    }

    /// An integer if no float came.
    fn total(&self) -> Number {
        match &self.floats {
            None => Number::Int(self.integers.total()),
            Some(floats) => Number::Float(self.exact(floats).value()),
        }
    }

    fn quotient(&self, n: u64) -> f64 {
        match &self.floats {
            None => self.integers.quotient(n),
            Some(floats) => self.exact(floats).divided_by(n),
        }
    }
}

impl Durable for MixedSum {
    fn write(&self, writer: &mut Writer) {
        self.integers.write(writer);
        writer.bool(self.floats.is_some());
        if let Some(floats) = &self.floats {
            floats.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let integers = IntegerSum::read(reader)?;
        Ok(MixedSum { integers, floats: Option::<ExactSum>::read(reader)?.map(Box::new) })
    }

    /// How many partials an exact sum of floats has depends on the order of the additions. They are
    /// not counted, 40 at most: the size of a state depends on its records alone.
    fn heap_bytes(&self) -> usize {
        self.floats.as_ref().map_or(0, |_| size_of::<ExactSum>())
    }
}

/// Exact moments of numbers of both kinds.
#[derive(Clone, Debug, Default)]
pub struct MixedMoments {
    integers: IntegerMoments,
    /// `None` while no float came.
    floats: Option<FloatMoments>,
}

impl MixedMoments {
    /// The moments of all numbers as those of floats, if a float came.
    fn as_floats(&self) -> Option<FloatMoments> {
        let mut all = self.floats.clone()?;
        self.integers.add_to(&mut all);
        Some(all)
    }
}

impl Moments<Number> for MixedMoments {
    fn add(&mut self, number: Number) {
        match number.narrowed() {
            Number::Int(integer) => self.integers.add(integer),
            Number::Float(float) => self.floats.get_or_insert_default().add(float),
        }
    }

    fn merge(&mut self, from: &Self) -> Result<(), Error> {
        self.integers.merge(&from.integers)?;
        if let Some(from) = &from.floats {
            self.floats.get_or_insert_default().merge(from)?;
        }
        Ok(())
    }

    fn variance(&self) -> Option<f64> {
        self.as_floats().map_or_else(|| self.integers.variance(), |all| all.variance())
    }

    fn stddev(&self) -> Option<f64> {
        self.as_floats().map_or_else(|| self.integers.stddev(), |all| all.stddev())
    }
}

/// What floats hold on the heap is not counted, as in [`MixedSum`].
impl Durable for MixedMoments {
    fn write(&self, writer: &mut Writer) {
        self.integers.write(writer);
        self.floats.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(MixedMoments { integers: Durable::read(reader)?, floats: Durable::read(reader)? })
    }
}

impl Durable for Number {
    fn write(&self, writer: &mut Writer) {
        match self {
            Number::Int(integer) => {
                writer.u8(0);
                writer.i128(*integer);
            }
            Number::Float(float) => {
                writer.u8(1);
                writer.f64(*float);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let kind = reader.u8()?;
        read_number(kind, reader)
    }
}

/// Reads a number whose kind was read.
pub(super) fn read_number(kind: u8, reader: &mut Reader<'_>) -> Result<Number, Error> {
    match kind {
        0 => reader.i128().map(Number::Int),
        1 => match reader.f64()? {
            float if float.is_finite() => Ok(Number::of_float(float)),
            _ => Err(reader.corrupt("a number is not finite")),
        },
        other => Err(reader.corrupt(&format!("{other} is no kind of number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_integers_until_a_float_comes() {
        let mut sum = MixedSum::default();
        sum.add(Number::Int(1));
        sum.add(Number::Int(2));
        assert_eq!(format!("{:?} {:?}", sum.total(), sum.quotient(2)), "Int(3) 1.5");
        assert!(sum.subtracts());
        sum.add(Number::Float(0.25));
        assert_eq!(format!("{:?}", sum.total()), "Float(3.25)");
        assert!(!sum.subtracts());
        sum.add(Number::Int(i128::MAX));
        sum.add(Number::Int(-i128::MAX));
        assert_eq!(
            format!("{:?}", sum.total()),
            "Float(3.25)",
            "integers past 64 bits are added as floats, exactly"
        );
    }

    #[test]
    fn moments_of_mixed_numbers_are_those_of_all() {
        let moments = |numbers: &[Number]| {
            let mut moments = MixedMoments::default();
            numbers.iter().for_each(|number| moments.add(*number));
            moments.variance()
        };
        let four = [
            Number::Int(1_000_000_004),
            Number::Float(1_000_000_007.0),
            Number::Int(1_000_000_013),
            Number::Float(1_000_000_016.0),
        ];
        assert_eq!(moments(&four), Some(30.0));
        let large = [Number::Int(i128::from(u64::MAX)), Number::Float(0.0)];
        assert_eq!(moments(&large), Some(2f64.powi(127)));
    }
}
