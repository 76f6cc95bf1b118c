//! Sums of floats that are exact until they are read, so that the order of additions, batches,
//! threads and merges does not affect them.
//!
//! A sum is stored as an *expansion*: a few floats in ascending order whose bits do not overlap,
//! and whose exact sum is the exact sum of all added numbers. Reading rounds it once, to nearest,
//! ties to even. It costs a few additions per number. An expansion rarely has more than three parts
//! and never more than 48.
//!
//! Source: J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
//! Predicates" (1997), GROW-EXPANSION; the rounding is that of Python's `math.fsum`. The part past
//! the range of `f64` is stored separately, as a count of 2^1023, so that 1e308 + 1e308 - 1e308 is
//! 1e308 in every order.

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
    /// In ascending order of magnitude; no two overlap in their bits, none is zero, each is below
    /// `UNIT`.
    partials: SmallVec<[f64; 4]>,
    /// The number of `UNIT`s to add to the partials. Saturates. When it could saturate, the sum is
    /// already far beyond infinity.
    units: i64,
}

/// 2^1023, the largest power of two. The sum of two numbers below it is finite.
const UNIT: f64 = f64::from_bits(2046 << 52);

/// Maximum number of partials before they are compressed, which leaves fewer.
const PARTIALS_MAX: usize = 48;

/// 2^-70, which brings a sum of 2^63 units back into range.
const SHRINK: f64 = f64::from_bits((1023 - 70) << 52);

impl ExactSum {
    /// Adds a number. Ignores NaN and infinities: they have no exact sum, so aggregates refuse them
    /// before.
    ///
    /// # Example
    /// ```
    /// use streamgauge::aggregate::ExactSum;
    /// let mut sum = ExactSum::default();
    /// for number in [0.1, 0.2, -0.3, f64::NAN, f64::INFINITY] {
    ///     sum.add(number);
    /// }
    /// // The exact sum of the three doubles. Plain addition gives twice as much.
    /// assert_eq!((sum.value(), 0.1 + 0.2 - 0.3), (2.7755575615628914e-17, 5.551115123125783e-17));
    /// ```
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

    /// Adds `magnitude * factor` exactly, where the factor is plus or minus a power of two.
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

    /// Adds another sum exactly.
    ///
    /// # Example
    /// ```
    /// use streamgauge::aggregate::ExactSum;
    /// let sum_of = |numbers: &[f64]| {
    ///     let mut sum = ExactSum::default();
    ///     numbers.iter().for_each(|number| sum.add(*number));
    ///     sum
    /// };
    /// let mut parts = sum_of(&[1e100, 1.0]);
    /// parts.merge(&sum_of(&[2.0, -1e100]));
    /// assert_eq!(parts.value(), 3.0); // as one sum of all four
    /// ```
    pub fn merge(&mut self, from: &ExactSum) {
        self.units = self.units.saturating_add(from.units);
        for &partial in &from.partials {
            self.add(partial);
        }
    }

    /// Returns the sum, rounded once: to nearest, ties to even. It is infinite only if the exact
    /// sum is past the range of `f64`. It is 0.0 (not -0.0) if it is zero.
    ///
    /// # Example
    /// ```
    /// use streamgauge::aggregate::ExactSum;
    /// let mut sum = ExactSum::default();
    /// assert_eq!(sum.value(), 0.0);
    /// [f64::MAX, f64::MAX].into_iter().for_each(|number| sum.add(number));
    /// assert_eq!(sum.value(), f64::INFINITY); // past the range, but not lost
    /// sum.add(-f64::MAX);
    /// assert_eq!(sum.value(), f64::MAX);
    /// ```
    pub fn value(&self) -> f64 {
        if self.units == 0 {
            return rounded(&self.partials);
        }
        let settled = self.settled();
        match settled.units {
            0 => rounded(&settled.partials),
            units @ -2..=2 => rounded(&settled.halved_with(units as f64 * (UNIT / 2.0))) * 2.0,
            // Three units minus a part below one unit are at least 2^1024.
            units => f64::INFINITY.copysign(units as f64),
        }
    }

    /// Returns the sum divided by `n`, within 1.5 units in the last place. It is finite if the
    /// quotient is. For `n` = 0 it is the sum.
    ///
    /// # Example
    /// ```
    /// use streamgauge::aggregate::ExactSum;
    /// let mut sum = ExactSum::default();
    /// [f64::MAX, f64::MAX].into_iter().for_each(|number| sum.add(number));
    /// assert_eq!(sum.divided_by(2), f64::MAX); // finite, although the sum is not
    /// ```
    pub fn divided_by(&self, n: u64) -> f64 {
        let n = n.max(1) as f64;
        let settled = self.settled();
        if settled.units == 0 {
            return rounded(&settled.partials) / n;
        }
        // At least 2^1021, so the bits that small partials lose are far below the last place.
        settled.scaled(SHRINK).value() / n / SHRINK
    }

    /// Returns this sum times `factor`, a power of two of at most 2^-1. Exact except for bits below
    /// the range of `f64`.
    pub(super) fn scaled(&self, factor: f64) -> ExactSum {
        let mut scaled = ExactSum::default();
        self.for_each_scaled(factor, |part| scaled.add(part));
        scaled
    }

    /// Calls `f` with numbers whose exact sum is this sum times `factor`, a power of two. If there
    /// are units, the factor must be below 2^-64.
    pub(super) fn for_each_scaled(&self, factor: f64, mut f: impl FnMut(f64)) {
        for &partial in &self.partials {
            f(partial * factor);
        }
        if self.units != 0 {
            // 64 bits do not fit into one float, but the upper and the lower half each do.
            let (upper, lower) = (self.units >> 32, self.units & 0xffff_ffff);
            f(upper as f64 * 4_294_967_296.0 * (UNIT * factor));
            f(lower as f64 * (UNIT * factor));
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        if self.partials.spilled() { self.partials.capacity() * size_of::<f64>() } else { 0 }
    }

    /// Returns the number without its unit, if it has one. Exact, because both are in the highest
    /// binade.
    #[inline]
    fn reduced(&mut self, number: f64) -> f64 {
        if number.abs() < UNIT {
            return number;
        }
        self.units = self.units.saturating_add(if number > 0.0 { 1 } else { -1 });
        number - UNIT.copysign(number)
    }

    /// Compresses the partials: each becomes the rounded sum of itself and all below it. Then at
    /// least 52 bits are between two partials, and 42 partials span the 2098 bits from the largest
    /// float to the smallest. This is the downward half of Shewchuk's COMPRESS.
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

    /// Returns the same sum without units, unless it is at least 2^1021. Below that, units and
    /// partials cancel each other and are added up here.
    fn settled(&self) -> ExactSum {
        let mut settled = self.clone();
        let half = UNIT.copysign(settled.units as f64) / 2.0;
        if let Some(&largest) = settled.partials.last()
            && matches!(settled.units, 1 | -1)
            && (half > 0.0) != (largest > 0.0)
            && largest.abs() >= UNIT / 2.0
        {
            // Their signs differ and both are at least half a unit, so neither addition passes half
            // a unit.
            settled.units = 0;
            settled.add(half);
            settled.add(half);
        }
        settled
    }

    /// Returns half of each partial, with `half_units` added at the top, to round a sum whose units
    /// are not much larger than the partials.
    fn halved_with(&self, half_units: f64) -> SmallVec<[f64; 4]> {
        // A small partial is not halved, so that it does not underflow to zero. Beside 2^1022 only
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
}

impl ExactSum {
    /// Returns the canonical form, which depends only on the sum: a whole number of units, the
    /// rounded value of the rest, the rounded value of the remaining rest, and so on.
    fn canonical(&self) -> (i64, SmallVec<[f64; 4]>) {
        let mut rest = ExactSum { partials: self.partials.clone(), units: 0 };
        let mut units = self.units;
        let value = rest.value();
        if value > UNIT / 2.0 || value <= -UNIT / 2.0 {
            units = units.saturating_add(if value > 0.0 { 1 } else { -1 });
            // Adds half a unit at a time, because a whole one would be counted as a unit.
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

    fn heap_bytes(&self) -> usize {
        ExactSum::heap_bytes(self)
    }
}

/// Returns the rounded sum and its exact error, for numbers in any order whose sum is in range:
/// Knuth's TWO-SUM.
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

/// Returns the rounded product and its exact error, for factors whose product is in range and at
/// least 2^-968.
#[inline]
pub(super) fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// Returns the exact sum of an expansion, rounded to nearest, ties to even.
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
    // If the error is half a unit in the last place, `sum` was rounded to even as if nothing
    // followed. The next partial decides otherwise if it has the sign of the error.
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
        /// Equal sums have the same encoding, whatever their history, and decode to the same sum.
        #[test]
        fn equal_sums_have_equal_bytes(
            numbers in prop::collection::vec(prop_oneof![any::<f64>(), -1e3..1e3f64, Just(f64::MAX), Just(-f64::MAX), Just(f64::MIN_POSITIVE)], 0..30),
            split in 0usize..30,
        ) {
            let sum_of = |numbers: &mut dyn Iterator<Item = &f64>| {
                numbers.fold(ExactSum::default(), |mut sum, number| {
                    sum.add(*number);
                    sum
                })
            };
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
        // Half a unit in the last place above the largest number is the first value that rounds to
        // infinity.
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
        fn the_sum_is_the_exact_one_rounded_once(
            numbers in prop::collection::vec(floats(), 0..40),
        ) {
            let sum = exact(&numbers).value();
            prop_assert_eq!(
                sum.to_bits(),
                oracle(&numbers).to_bits(),
                "{} against {}",
                sum,
                oracle(&numbers)
            );
        }

        #[test]
        fn the_sum_does_not_depend_on_order_or_merges(
            numbers in prop::collection::vec(floats(), 0..40),
            at in any::<prop::sample::Index>(),
        ) {
            let (left, right) = numbers.split_at(at.index(numbers.len() + 1));
            let mut merged = exact(right);
            merged.merge(&exact(left));
            let backwards: Vec<f64> = numbers.iter().rev().copied().collect();
            let value = exact(&numbers).value();
            prop_assert_eq!(value.to_bits(), merged.value().to_bits());
            prop_assert_eq!(value.to_bits(), exact(&backwards).value().to_bits());
            let n = numbers.len() as u64 + 3;
            prop_assert_eq!(
                exact(&numbers).divided_by(n).to_bits(),
                merged.divided_by(n).to_bits()
            );
        }

        #[test]
        fn partials_neither_overlap_nor_grow_without_bound(
            numbers in prop::collection::vec(floats(), 0..200),
        ) {
            let sum = exact(&numbers);
            prop_assert!(sum.partials.len() <= PARTIALS_MAX, "{:?}", sum.partials);
            for pair in sum.partials.windows(2) {
                let bits = pair[1].abs().to_bits();
                let without_lowest =
                    if bits << 12 == 0 { 0.0 } else { f64::from_bits(bits & (bits - 1)) };
                let lowest_bit = pair[1].abs() - without_lowest;
                prop_assert!(pair[0].abs() < lowest_bit, "{:?}", sum.partials);
            }
        }
    }
}
