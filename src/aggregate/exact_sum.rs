//! Sums of floats that are exact until they are read, so that no order of adding, no batch, thread
//! or merge shows in them.
//!
//! The sum is kept as an *expansion*: a few floats, ascending and not overlapping in their bits,
//! whose exact sum is the exact sum of all that was added. Reading rounds it once, to nearest, ties
//! to even. Costs a handful of additions per number; an expansion rarely has more than three parts
//! and never more than 48.
//!
//! Source: J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
//! Predicates" (1997), GROW-EXPANSION; the rounding is that of Python's `math.fsum`. The part past
//! the range of `f64` is kept apart, as a count of 2^1023, so that 1e308 + 1e308 - 1e308 is 1e308
//! in every order.

use super::number::Total;
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;
use smallvec::SmallVec;

/// An exact sum of finite floats.
///
/// # Example
/// ```
/// use streamgauge::aggregate::ExactSum;
/// let mut sum = ExactSum::default();
/// for x in [1e100, 1.0, -1e100, 1e-30] {
///     sum.add(x);
/// }
/// assert_eq!(sum.value(), 1.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// Ascending in magnitude, no two overlapping in their bits, none zero, each below `UNIT`.
    partials: SmallVec<[f64; 4]>,
    /// How many `UNIT`s to add to the partials. Saturates: where it could, the sum is infinite by
    /// far.
    units: i64,
}

/// 2^1023, the largest power of two. Two numbers below it have a sum that is finite.
const UNIT: f64 = f64::from_bits(2046 << 52);

/// Partials that are held before they are drawn together: more than are left then.
const PARTIALS_MAX: usize = 48;

/// 2^-70: brings a sum of 2^63 units back into range.
const SHRINK: f64 = f64::from_bits((1023 - 70) << 52);

impl ExactSum {
    /// Adds a number. NaN and the infinities are ignored: they have no exact sum, so aggregates
    /// refuse them before.
    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        let mut carried = self.reduced(number);
        let mut kept = 0;
        for index in 0..self.partials.len() {
            let (sum, error) = two_sum(carried, self.partials[index]);
            if error != 0.0 {
                self.partials[kept] = error;
                kept += 1;
            }
            carried = self.reduced(sum);
        }
        self.partials.truncate(kept);
        if carried != 0.0 {
            self.partials.push(carried);
        }
        if self.partials.len() > PARTIALS_MAX {
            self.compress();
        }
    }

    /// Adds `magnitude * factor`, for a factor that is plus or minus a power of two; exact.
    #[cfg(feature = "spec")]
    pub(crate) fn add_magnitude(&mut self, magnitude: u128, factor: f64) {
        // Limbs of 43 bits are exact as floats, and so are their products with powers of two.
        const LIMB: u128 = (1 << 43) - 1;
        for (limb, shift) in
            [(magnitude & LIMB, 0), (magnitude >> 43 & LIMB, 43), (magnitude >> 86, 86)]
        {
            self.add(limb as f64 * 2f64.powi(shift) * factor);
        }
    }

    /// Adds another sum; exact.
    pub fn merge(&mut self, from: &ExactSum) {
        self.units = self.units.saturating_add(from.units);
        for &partial in &from.partials {
            self.add(partial);
        }
    }

    /// The sum, rounded once: to nearest, ties to even. Infinite only if the exact sum is past the
    /// range of `f64`; 0.0 (not -0.0) if it is zero.
    pub fn value(&self) -> f64 {
        if self.units == 0 {
            return rounded(&self.partials);
        }
        let settled = self.settled();
        match settled.units {
            0 => rounded(&settled.partials),
            units @ -2..=2 => rounded(&settled.halved_with(units as f64 * (UNIT / 2.0))) * 2.0,
            // Three units less what is below one are 2^1024 at least.
            units => f64::INFINITY.copysign(units as f64),
        }
    }

    /// The sum divided by `n`, within 1.5 units in the last place; finite wherever the quotient is.
    /// Of `n` = 0 it is the sum.
    pub fn divided_by(&self, n: u64) -> f64 {
        let n = n.max(1) as f64;
        let settled = self.settled();
        if settled.units == 0 {
            return rounded(&settled.partials) / n;
        }
        // 2^1021 at least, so what the small partials lose is far below the last place.
        settled.scaled(SHRINK).value() / n / SHRINK
    }

    /// The numbers whose exact sum this is, each times `factor`, a power of two no larger than
    /// 2^-1; exact but for what falls below the range of `f64`.
    pub(super) fn scaled(&self, factor: f64) -> ExactSum {
        let mut scaled = ExactSum::default();
        self.for_each_scaled(factor, |part| scaled.add(part));
        scaled
    }

    /// Calls `f` with numbers whose exact sum is this one times `factor`, a power of two; if there
    /// are units, one below 2^-64.
    pub(super) fn for_each_scaled(&self, factor: f64, mut f: impl FnMut(f64)) {
        for &partial in &self.partials {
            f(partial * factor);
        }
        if self.units != 0 {
            // 64 bits do not fit one float: the upper and the lower half each do.
            let (upper, lower) = (self.units >> 32, self.units & 0xffff_ffff);
            f(upper as f64 * 4_294_967_296.0 * (UNIT * factor));
            f(lower as f64 * (UNIT * factor));
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        if self.partials.spilled() { self.partials.capacity() * size_of::<f64>() } else { 0 }
    }

    /// The number without its unit, if it has one; exact, since both are in the highest binade.
    #[inline]
    fn reduced(&mut self, number: f64) -> f64 {
        if number.abs() < UNIT {
            return number;
        }
        self.units = self.units.saturating_add(if number > 0.0 { 1 } else { -1 });
        number - UNIT.copysign(number)
    }

    /// Draws the partials together: each is then the rounded sum of itself and all below, so that
    /// 52 bits at least lie between two, and 42 span the 2098 bits from the largest float to the
    /// smallest. The downward half of Shewchuk's COMPRESS.
    #[cold]
    fn compress(&mut self) {
        let mut compressed: SmallVec<[f64; 4]> = SmallVec::new();
        let mut carried = self.partials.pop().unwrap_or(0.0);
        while let Some(part) = self.partials.pop() {
            let (sum, error) = two_sum(carried, part);
            if error == 0.0 {
                carried = sum;
            } else {
                compressed.push(sum);
                carried = error;
            }
        }
        compressed.push(carried);
        compressed.reverse();
        self.partials = compressed;
    }

    /// The same sum without units, unless it is 2^1021 at least: below, units and partials cancel,
    /// and are added up here.
    fn settled(&self) -> ExactSum {
        let mut settled = self.clone();
        let half = UNIT.copysign(settled.units as f64) / 2.0;
        if let Some(&largest) = settled.partials.last()
            && matches!(settled.units, 1 | -1)
            && (half > 0.0) != (largest > 0.0)
            && largest.abs() >= UNIT / 2.0
        {
            // Opposite signs and half a unit at least, so neither addition passes half a unit.
            settled.units = 0;
            settled.add(half);
            settled.add(half);
        }
        settled
    }

    /// The partials in halves, with `half_units` added on top; for the rounding of a sum that is
    /// not small beside them.
    fn halved_with(&self, half_units: f64) -> SmallVec<[f64; 4]> {
        // A small partial keeps its size, so that it does not underflow to zero: beside 2^1022 only
        // its sign can matter.
        let mut halves: SmallVec<[f64; 4]> = self
            .partials
            .iter()
            .map(|&part| if part.abs() < 1.0 { part } else { part / 2.0 })
            .collect();
        let (sum, error) = two_sum(half_units, halves.pop().unwrap_or(0.0));
        if error != 0.0 {
            halves.push(error);
        }
        halves.push(sum);
        halves
    }
}

impl Total<f64> for ExactSum {
    #[inline]
    fn add(&mut self, number: f64) {
        ExactSum::add(self, number);
    }

    fn merge(&mut self, from: &Self) -> Result<(), Error> {
        ExactSum::merge(self, from);
        Ok(())
    }

    fn total(&self) -> f64 {
        self.value()
    }

    fn quotient(&self, n: u64) -> f64 {
        self.divided_by(n)
    }

    fn heap_bytes(&self) -> usize {
        ExactSum::heap_bytes(self)
    }
}

impl ExactSum {
    /// The sum in the form that depends on nothing but the sum: a whole number of units, and the
    /// rest as its rounded value, the rounded value of what that leaves, and so on.
    fn canonical(&self) -> (i64, SmallVec<[f64; 4]>) {
        let mut rest = ExactSum { partials: self.partials.clone(), units: 0 };
        let mut units = self.units;
        let value = rest.value();
        if value > UNIT / 2.0 || value <= -UNIT / 2.0 {
            units = units.saturating_add(if value > 0.0 { 1 } else { -1 });
            // Half a unit at a time: a whole one would be taken for one.
            let half = (UNIT / 2.0).copysign(-value);
            rest.add(half);
            rest.add(half);
        }
        let mut parts = SmallVec::new();
        loop {
            let part = rest.value();
            if part == 0.0 {
                return (units.saturating_add(rest.units), parts);
            }
            parts.push(part);
            rest.add(-part);
        }
    }
}

impl Durable for ExactSum {
    fn write(&self, writer: &mut Writer) {
        let (units, parts) = self.canonical();
        writer.i64(units);
        writer.usize(parts.len());
        parts.iter().for_each(|part| writer.f64(*part));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut sum = ExactSum { units: reader.i64()?, ..ExactSum::default() };
        for _ in 0..reader.count(8)? {
            let part = reader.f64()?;
            if !part.is_finite() || part == 0.0 {
                return Err(reader.corrupt("a part of a sum is not finite, or nothing"));
            }
            sum.add(part);
        }
        Ok(sum)
    }
}

/// The rounded sum and its exact error, for numbers of any order whose sum is in range: Knuth's
/// TWO-SUM.
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

/// The rounded product and its exact error, for factors whose product is in range and not below
/// 2^-968.
#[inline]
pub(super) fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// The exact sum of an expansion, rounded to nearest, ties to even.
fn rounded(partials: &[f64]) -> f64 {
    let mut rest = partials.iter().rev().copied();
    let Some(mut sum) = rest.next() else {
        return 0.0;
    };
    let mut error = 0.0;
    for part in rest.by_ref() {
        (sum, error) = two_sum(sum, part);
        if error != 0.0 {
            break;
        }
    }
    // If the error is half a unit in the last place, `sum` went to even as if nothing came after;
    // what comes after decides otherwise if it has the error's sign.
    if let Some(next) = rest.next()
        && (error < 0.0) == (next < 0.0)
        && error != 0.0
    {
        let doubled = error * 2.0;
        let nudged = sum + doubled;
        if nudged - sum == doubled {
            sum = nudged;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(sum: &ExactSum) -> Vec<u8> {
        let mut writer = Writer::new();
        sum.write(&mut writer);
        writer.into_bytes()
    }

    proptest! {
        /// However a sum came about, it is written the same way, and read to the same sum.
        #[test]
        fn equal_sums_have_equal_bytes(
            numbers in prop::collection::vec(prop_oneof![any::<f64>(), -1e3..1e3f64, Just(f64::MAX), Just(-f64::MAX), Just(f64::MIN_POSITIVE)], 0..30),
            split in 0usize..30,
        ) {
            let sum_of = |numbers: &mut dyn Iterator<Item = &f64>| numbers.fold(ExactSum::default(), |mut sum, number| { sum.add(*number); sum });
            let forwards = sum_of(&mut numbers.iter());
            let backwards = sum_of(&mut numbers.iter().rev());
            let (left, right) = numbers.split_at(split.min(numbers.len()));
            let mut merged = sum_of(&mut left.iter());
            merged.merge(&sum_of(&mut right.iter()));
            let bytes = written(&forwards);
            prop_assert_eq!(&written(&backwards), &bytes);
            prop_assert_eq!(&written(&merged), &bytes);
            let read = ExactSum::read(&mut Reader::new(&bytes)).unwrap();
            prop_assert_eq!(&written(&read), &bytes);
            prop_assert_eq!(read.value().to_bits(), forwards.value().to_bits());
        }

        #[test]
        fn any_bytes_give_a_sum_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(sum) = ExactSum::read(&mut Reader::new(&bytes)) {
                written(&sum);
                sum.divided_by(3);
            }
        }
    }

    /// A slow, obviously right sum: a two's complement integer of 2304 bits that counts 2^-1074.
    #[derive(Clone)]
    struct FixedPoint([u32; 72]);

    impl FixedPoint {
        fn zero() -> Self {
            FixedPoint([0; 72])
        }

        fn add_shifted(&mut self, mantissa: u64, shift: usize, negative: bool) {
            let mut term = [0u32; 72];
            let wide = u128::from(mantissa) << (shift % 32);
            for limb in 0..4 {
                term[shift / 32 + limb] = (wide >> (32 * limb)) as u32;
            }
            let mut carry = u64::from(negative);
            for (place, limb) in self.0.iter_mut().zip(term) {
                let total =
                    u64::from(*place) + u64::from(if negative { !limb } else { limb }) + carry;
                *place = total as u32;
                carry = total >> 32;
            }
        }

        fn add(&mut self, number: f64) {
            let bits = number.to_bits();
            let exponent = (bits >> 52) as usize & 0x7ff;
            let fraction = bits & ((1 << 52) - 1);
            let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
            self.add_shifted(mantissa, exponent.max(1) - 1, number < 0.0);
        }

        fn value(&self) -> f64 {
            let negative = self.0[71] >> 31 == 1;
            let magnitude = if negative {
                let mut flipped = FixedPoint(self.0.map(|limb| !limb));
                flipped.add_shifted(1, 0, false);
                flipped
            } else {
                self.clone()
            };
            let bit = |index: usize| u64::from(magnitude.0[index / 32] >> (index % 32) & 1);
            let Some(top) = (0..72 * 32).rev().find(|&index| bit(index) == 1) else {
                return 0.0;
            };
            let lowest = top.saturating_sub(52);
            let mut mantissa =
                (lowest..=top).rev().fold(0u64, |mantissa, index| mantissa << 1 | bit(index));
            let half = lowest > 0 && bit(lowest - 1) == 1;
            let sticky = lowest > 1 && (0..lowest - 1).any(|index| bit(index) == 1);
            if half && (sticky || mantissa & 1 == 1) {
                mantissa += 1;
            }
            // From here on only powers of two: exact, or past the range.
            let value =
                (0..lowest).fold(mantissa as f64 * f64::from_bits(1), |value, _| value * 2.0);
            if negative { -value } else { value }
        }
    }

    fn exact(numbers: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        numbers.iter().for_each(|&number| sum.add(number));
        sum
    }

    fn oracle(numbers: &[f64]) -> f64 {
        let mut sum = FixedPoint::zero();
        numbers.iter().for_each(|&number| sum.add(number));
        sum.value()
    }

    /// Finite floats of every exponent, many of them close to each other or to the ends of the
    /// range.
    fn floats() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite()),
            (-1000i32..1000).prop_map(|n| f64::from(n) * 0.1),
            (any::<bool>(), 2020u64..2047, any::<u64>()).prop_map(|(sign, exponent, bits)| {
                f64::from_bits(u64::from(sign) << 63 | exponent << 52 | (bits & ((1 << 52) - 1)))
            }),
            prop::sample::select(vec![
                f64::MAX,
                -f64::MAX,
                UNIT,
                -UNIT,
                f64::MIN_POSITIVE,
                5e-324,
                -5e-324,
                1.0,
                -1.0,
                2f64.powi(970),
                -(2f64.powi(970))
            ]),
            (0u64..64).prop_map(|n| 2f64.powi(n as i32 - 32)),
        ]
    }

    #[test]
    fn the_oracle_knows_some_sums() {
        assert_eq!(oracle(&[0.1; 10]), 1.0);
        assert_eq!(oracle(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(oracle(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(oracle(&[-1.5, 0.25]), -1.25);
    }

    #[test]
    fn sums_that_pass_through_infinity_come_back() {
        assert_eq!(exact(&[1e308, 1e308, -1e308]).value(), 1e308);
        assert_eq!(exact(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 5e-324]).value(), 5e-324);
        assert_eq!(exact(&[f64::MAX, f64::MAX]).value(), f64::INFINITY);
        assert_eq!(exact(&[-f64::MAX, -f64::MAX]).value(), f64::NEG_INFINITY);
        // Half a unit in the last place over the largest number is the first that rounds to
        // infinity; anything less does not.
        assert_eq!(exact(&[f64::MAX, 2f64.powi(970)]).value(), f64::INFINITY);
        assert_eq!(exact(&[f64::MAX, 2f64.powi(970), -5e-324]).value(), f64::MAX);
    }

    #[test]
    fn zero_has_no_sign_and_what_is_not_finite_is_ignored() {
        assert_eq!(exact(&[-0.0, -0.0]).value().to_bits(), 0);
        assert_eq!(exact(&[1.0, -1.0]).value().to_bits(), 0);
        assert_eq!(exact(&[1.0, f64::NAN, f64::INFINITY]).value(), 1.0);
    }

    #[test]
    fn a_mean_is_finite_where_the_sum_is_not() {
        assert_eq!(exact(&[1e308; 10]).divided_by(10), 1e308);
        assert_eq!(exact(&[f64::MAX; 4]).divided_by(4), f64::MAX);
        assert_eq!(exact(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 6.0]).divided_by(3), 2.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_sum_is_the_exact_one_rounded_once(numbers in prop::collection::vec(floats(), 0..40)) {
            let sum = exact(&numbers).value();
            prop_assert_eq!(sum.to_bits(), oracle(&numbers).to_bits(), "{} against {}", sum, oracle(&numbers));
        }

        #[test]
        fn the_sum_does_not_depend_on_order_or_merges(numbers in prop::collection::vec(floats(), 0..40), at in any::<prop::sample::Index>()) {
            let (left, right) = numbers.split_at(at.index(numbers.len() + 1));
            let mut merged = exact(right);
            merged.merge(&exact(left));
            let backwards: Vec<f64> = numbers.iter().rev().copied().collect();
            let value = exact(&numbers).value();
            prop_assert_eq!(value.to_bits(), merged.value().to_bits());
            prop_assert_eq!(value.to_bits(), exact(&backwards).value().to_bits());
            let n = numbers.len() as u64 + 3;
            prop_assert_eq!(exact(&numbers).divided_by(n).to_bits(), merged.divided_by(n).to_bits());
        }

        #[test]
        fn partials_neither_overlap_nor_grow_without_bound(numbers in prop::collection::vec(floats(), 0..200)) {
            let sum = exact(&numbers);
            prop_assert!(sum.partials.len() <= PARTIALS_MAX, "{:?}", sum.partials);
            for pair in sum.partials.windows(2) {
                let bits = pair[1].abs().to_bits();
                let without_lowest = if bits << 12 == 0 { 0.0 } else { f64::from_bits(bits & (bits - 1)) };
                let lowest_bit = pair[1].abs() - without_lowest;
                prop_assert!(pair[0].abs() < lowest_bit, "{:?}", sum.partials);
            }
        }
    }
}
