//! Subtraction of merged parts: the counts are subtracted, and the ends of the remaining parts are
//! remembered.

use super::LogHistogram;
use std::collections::BTreeMap;

/// The properties of each merged part that cannot be subtracted.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// The number of parts with each smallest and each largest number, by [`ordered`].
    least: BTreeMap<i64, usize>,
    largest: BTreeMap<i64, usize>,
    /// The number of parts that have a number that is not an integer.
    fractional: usize,
    /// The sum of the counts of all parts.
    count: u64,
}

impl Parts {
    pub(super) fn enter(&mut self, part: &LogHistogram) {
        if part.count > 0 {
            *self.least.entry(ordered(part.min)).or_insert(0) += 1;
            *self.largest.entry(ordered(part.max)).or_insert(0) += 1;
            self.fractional += usize::from(!part.integers);
            self.count = self.count.saturating_add(part.count);
        }
    }

    /// Removes a part. Returns false if there is no such part.
    fn leave(&mut self, part: &LogHistogram) -> bool {
        let rest = (
            self.fractional.checked_sub(usize::from(!part.integers)),
            self.count.checked_sub(part.count),
        );
        let (Some(fractional), Some(count)) = rest else { return false };
        (self.fractional, self.count) = (fractional, count);
        leave_once(&mut self.least, ordered(part.min))
            && leave_once(&mut self.largest, ordered(part.max))
    }

    /// Returns the approximate bytes in memory: the nodes of an ordered map are at least half full.
    pub(super) fn resident_bytes(&self) -> usize {
        size_of::<Self>() + (self.least.len() + self.largest.len()) * 2 * size_of::<(i64, usize)>()
    }
}

fn leave_once(ends: &mut BTreeMap<i64, usize>, end: i64) -> bool {
    match ends.get_mut(&end) {
        Some(1) => {
            ends.remove(&end);
            true
        }
        Some(parts) => {
            *parts -= 1;
            true
        }
        None => false,
    }
}

/// Returns the bits of a finite number in a form that orders as the numbers do. Both zeros give 0.
/// `number` is the inverse.
fn ordered(number: f64) -> i64 {
    turned((number + 0.0).to_bits() as i64)
}

fn number(ordered: i64) -> f64 {
    f64::from_bits(turned(ordered) as u64)
}

/// Turns the bits of doubles below 0 around, because they have the opposite order.
fn turned(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

impl LogHistogram {
    /// Makes this histogram the first part of a merge from which parts can be
    /// [subtracted](LogHistogram::subtract).
    pub(crate) fn prepare(&mut self) {
        let mut parts = Parts::default();
        parts.enter(self);
        self.parts = Some(Box::new(parts));
    }

    /// Returns true if parts can be subtracted: all numbers come from such parts, and no buckets
    /// were joined since.
    pub(crate) fn subtracts(&self) -> bool {
        let known = self.parts.as_ref().is_some_and(|parts| parts.count == self.count);
        known && !self.saturated() && !self.has_floor()
    }

    /// Returns true if a bucket also counts smaller magnitudes: state of an earlier version.
    fn has_floor(&self) -> bool {
        self.positive.floor().is_some()
            || self.negative.as_ref().is_some_and(|side| side.floor().is_some())
    }

    /// Subtracts a part that was merged before. All answers are then those of the other parts, bit
    /// by bit. Returns false if that is not possible; the histogram must then be discarded.
    /// O(buckets of the part).
    ///
    /// If the merge had to join neighbours, [`coarsen_to`](LogHistogram::coarsen_to) has dropped
    /// the data of the parts, because the remaining parts may need no joining.
    pub(crate) fn subtract(&mut self, part: &LogHistogram) -> bool {
        let is_alike =
            part.resolution == self.resolution && part.resolution_asked == self.resolution_asked;
        if !self.subtracts() || part.has_floor() || !is_alike {
            return false;
        }
        if part.count == 0 {
            return true;
        }
        let Some(parts) = &mut self.parts else { return false };
        let rest = (self.count.checked_sub(part.count), self.zeros.checked_sub(part.zeros));
        let (Some(count), Some(zeros)) = rest else { return false };
        let taken = parts.leave(part) && self.positive.subtract(&part.positive);
        let taken_below = match (&mut self.negative, &part.negative) {
            (_, None) => true,
            (Some(negative), Some(part)) => negative.subtract(part),
            (None, Some(_)) => false,
        };
        (self.count, self.zeros) = (count, zeros);
        self.min = parts.least.first_key_value().map_or(f64::INFINITY, |(end, _)| number(*end));
        self.max =
            parts.largest.last_key_value().map_or(f64::NEG_INFINITY, |(end, _)| number(*end));
        self.integers = parts.fractional == 0;
        taken && taken_below
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram;
    use super::*;
    use proptest::prelude::*;

    /// Returns everything observable of a histogram, including its bytes.
    fn told(histogram: &LogHistogram) -> String {
        let quantiles: Vec<_> =
            (0..=20).map(|step| histogram.quantile(f64::from(step) / 20.0)).collect();
        let mut writer = crate::codec::Writer::new();
        histogram.encode(&mut writer);
        format!(
            "{quantiles:?} {:?} {:?} {:?}",
            histogram.min(),
            histogram.max(),
            writer.into_bytes()
        )
    }

    fn number() -> impl Strategy<Value = f64> {
        let any = any::<f64>().prop_filter("finite", |number| number.is_finite());
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(7.0),
            (-9i8..9).prop_map(f64::from),
            -300.0..300.0f64,
            Just(1e-15),
            Just(f64::MAX),
            any
        ]
    }

    /// Doubles of all magnitudes, spread evenly over their bits in steps of the golden section.
    fn spread(steps: std::ops::Range<u64>) -> LogHistogram {
        let bits =
            |step: u64| 1 + step.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (f64::MAX.to_bits() - 1);
        histogram(&steps.map(|step| f64::from_bits(bits(step))).collect::<Vec<_>>())
    }

    #[test]
    fn a_merge_that_joined_neighbours_refuses_to_subtract_and_parts_that_did_do_not() {
        let parts = [spread(0..6000), spread(6000..12_000)];
        let mut sliding = parts[0].clone();
        sliding.prepare();
        sliding.merge(&parts[1]).unwrap();
        assert!(parts[0].accuracy() <= 0.02 && sliding.accuracy() > 0.02);
        assert!(!sliding.subtracts() && !sliding.clone().subtract(&parts[1]));
        // Each part is joined alone, and all in the same way, so the merge of the remaining parts
        // has the same buckets.
        let parts = [spread(0..60_000), spread(60_000..120_000)];
        let mut sliding = parts[0].clone();
        sliding.prepare();
        sliding.merge(&parts[1]).unwrap();
        assert!(
            parts[0].accuracy() > 0.02
                && parts.iter().all(|part| part.accuracy() == sliding.accuracy())
        );
        assert!(sliding.subtracts() && sliding.subtract(&parts[0]));
        assert!(told(&sliding) == told(&parts[1]));
    }

    proptest! {
        #[test]
        fn a_queue_of_parts_says_what_its_merge_says(
            parts in prop::collection::vec(prop::collection::vec(number(), 0..6), 1..20),
            length in 1usize..6,
        ) {
            let parts: Vec<LogHistogram> = parts.iter().map(|numbers| histogram(numbers)).collect();
            let mut sliding = parts[0].clone();
            sliding.prepare();
            for (end, part) in parts.iter().enumerate() {
                if end > 0 {
                    sliding.merge(part).unwrap();
                }
                let start = (end + 1).saturating_sub(length);
                if start > 0 {
                    prop_assert!(sliding.subtract(&parts[start - 1]));
                }
                let mut merged = parts[start].clone();
                parts[start + 1..=end].iter().for_each(|part| merged.merge(part).unwrap());
                if sliding.subtracts() {
                    prop_assert_eq!(told(&sliding), told(&merged));
                }
            }
        }

        #[test]
        fn order_is_kept_and_numbers_come_back(a in number(), b in number()) {
            prop_assert_eq!(ordered(a).cmp(&ordered(b)), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(super::number(ordered(a)), a);
        }
    }

    #[test]
    fn what_was_not_merged_is_not_taken_out() {
        let mut sliding = histogram(&[1.0, 2.0]);
        assert!(!sliding.clone().subtract(&histogram(&[1.0])), "it was not prepared");
        sliding.prepare();
        assert!(!sliding.clone().subtract(&histogram(&[3.0])));
        assert!(!sliding.clone().subtract(&histogram(&[1.0, 1.0])));
        sliding.add(5.0, 1).unwrap();
        assert!(!sliding.subtracts(), "a number of no part");
    }
}
