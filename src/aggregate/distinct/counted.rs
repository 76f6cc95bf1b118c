//! Different keys of parts that come and go: for each key, or for its register, the number of parts
//! that contain it.
//!
//! So a part can be subtracted, and the answer is still that of the remaining parts merged: the
//! same keys, or the same registers. Sometimes the answer is unknown, because so few keys may be
//! left that they would be counted exactly. Then a sliding window merges its parts.

use super::counted_registers::CountedRegisters;
use super::hll::{Hll, PRECISION_MAX, PRECISION_MIN, coupon, coupons_max, merge_registers};
use super::sketch_queue::SketchQueue;
use crate::hash::Map;

/// The keys of the parts that are included.
#[derive(Clone, Debug)]
pub(super) struct CountedKeys {
    exact_max: usize,
    precision: u8,
    /// The stable hash of each key and the number of parts that contain it. `None` once there were
    /// more than twice the keys that are counted exactly.
    hashes: Option<Map<u64, u32>>,
    /// The registers of a sketch of the keys of all parts that are hashes; `None` while there are
    /// few keys.
    registers: Option<Box<CountedRegisters>>,
    /// The parts that are sketches. If there is one, the whole is a sketch, too.
    sketches: SketchQueue,
}

impl CountedKeys {
    /// Creates a count without parts that counts `exact_max` keys exactly, and more keys in
    /// 2^`precision` registers.
    pub(super) fn new(exact_max: usize, precision: u8) -> Self {
        let precision = precision.clamp(PRECISION_MIN, PRECISION_MAX);
        CountedKeys {
            exact_max,
            precision,
            hashes: Some(Map::default()),
            registers: None,
            sketches: SketchQueue::default(),
        }
    }

    /// Adds a part of hashes. Returns false if there are too many keys for too few registers. The
    /// merge of all parts is then the merge of [`few`](CountedKeys::few) or
    /// [`sketch`](CountedKeys::sketch) and this part.
    pub(super) fn enter_hashes(&mut self, part: &Map<u64, ()>) -> bool {
        if self.hashes.is_none() {
            self.count_registers();
        }
        if let Some(registers) = &mut self.registers {
            registers.raise_all(part.keys().map(|hash| coupon(*hash)));
        }
        if let Some(known) = &mut self.hashes {
            for &hash in part.keys() {
                *known.entry(hash).or_insert(0) += 1;
            }
            if known.len() > self.exact_max {
                self.count_registers();
            }
        }
        if self.hashes.as_ref().is_some_and(|known| known.len() > self.exact_max.saturating_mul(2))
        {
            if !self.are_many() {
                return false;
            }
            self.hashes = None;
        }
        true
    }

    /// Returns the registers, and builds them from the known keys if there are none.
    fn count_registers(&mut self) -> &mut CountedRegisters {
        let known = &self.hashes;
        self.registers.get_or_insert_with(|| {
            let mut registers = Box::new(CountedRegisters::new(self.precision));
            for (&hash, &parts) in known.iter().flatten() {
                (0..parts).for_each(|_| registers.raise(coupon(hash)));
            }
            registers
        })
    }

    /// Adds a part that is a sketch. As [`enter_hashes`](CountedKeys::enter_hashes).
    pub(super) fn enter_sketch(&mut self, part: &Hll) -> bool {
        let Some(values) = self.values_of(part) else { return false };
        if self.hashes.as_ref().is_some_and(|known| !known.is_empty()) {
            self.count_registers();
        }
        self.hashes = None;
        self.sketches.push(values);
        true
    }

    /// Returns the registers of a sketch if too many keys would become such a sketch here: one with
    /// this precision, which began right after `exact_max` keys.
    fn values_of<'a>(&self, part: &'a Hll) -> Option<&'a [u8]> {
        let alike =
            part.precision() == self.precision && part.certain() == self.exact_max as u64 + 1;
        part.registers().filter(|_| alike)
    }

    /// Subtracts a part of hashes that was added before. Returns false if it was not; `self` must
    /// then be discarded.
    pub(super) fn leave_hashes(&mut self, part: &Map<u64, ()>) -> bool {
        if let Some(known) = &mut self.hashes {
            for hash in part.keys() {
                match known.get_mut(hash) {
                    Some(1) => {
                        known.remove(hash);
                    }
                    Some(parts) => *parts -= 1,
                    None => return false,
                }
            }
            // Not immediately, because the number of keys may go up and down around the limit.
            if known.len() <= self.exact_max / 2 {
                self.registers = None;
            }
        }
        match &mut self.registers {
            Some(registers) => registers.lower_all(part.keys().map(|hash| coupon(*hash))),
            None => self.hashes.is_some() || part.is_empty(),
        }
    }

    /// Subtracts a part that is a sketch, the oldest of them. As
    /// [`leave_hashes`](CountedKeys::leave_hashes).
    pub(super) fn leave_sketch(&mut self, part: &Hll) -> bool {
        self.values_of(part).is_some() && self.sketches.pop()
    }

    /// Returns the keys' hashes, if there are few enough to count them exactly.
    pub(super) fn few(&self) -> Option<&Map<u64, u32>> {
        self.hashes.as_ref().filter(|hashes| hashes.len() <= self.exact_max)
    }

    /// Returns true if a sketch of the keys has registers, and no longer coupons.
    fn fills_registers(&self) -> bool {
        let coupons = self.registers.as_ref().map_or(0, |registers| registers.coupons());
        !self.sketches.is_empty() || coupons > coupons_max(self.precision)
    }

    /// Returns true if the registers alone show that there are more keys than are counted exactly.
    fn are_many(&self) -> bool {
        // There are at least as many keys as coupons.
        let coupons = self.registers.as_ref().map_or(0, |registers| registers.coupons());
        !self.sketches.is_empty() || coupons > self.exact_max.max(coupons_max(self.precision))
    }

    /// Returns true if the answer of the merged parts is known. Merging keeps it known.
    pub(super) fn is_certain(&self) -> bool {
        self.hashes.is_some() || self.are_many()
    }

    /// Returns the number of keys while it is exact.
    pub(super) fn count(&self) -> Option<u64> {
        self.few().map(|hashes| hashes.len() as u64)
    }

    /// Returns the estimate and the precision of the sketch, as [`Hll::estimate`] does.
    pub(super) fn estimate(&self) -> (f64, u8) {
        match &self.registers {
            Some(registers)
                if self.sketches.is_empty()
                    && (self.hashes.is_none() || self.fills_registers()) =>
            {
                (registers.estimate(), self.precision)
            }
            _ => self.sketch().estimate(),
        }
    }

    /// Returns the sketch of the keys.
    pub(super) fn sketch(&self) -> Hll {
        let certain = self.exact_max as u64 + 1;
        if let Some(mut maximum) = self.sketches.maximum() {
            if let Some(registers) = &self.registers {
                merge_registers(&mut maximum, &registers.largest().collect::<Vec<_>>());
            }
            return Hll::of_registers(maximum, certain);
        }
        match (&self.registers, &self.hashes) {
            (_, Some(hashes)) if !self.fills_registers() => {
                Hll::of(self.precision, certain, hashes.keys().copied())
            }
            (Some(registers), _) if registers.coupons() > 0 => {
                Hll::of_registers(registers.largest().collect(), certain)
            }
            _ => Hll::new(self.precision, certain),
        }
    }

    /// Returns the bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let hashes = self
            .hashes
            .as_ref()
            .map_or(0, |hashes| hashes.capacity() / 7 * 8 * (size_of::<(u64, u32)>() + 1));
        size_of::<Self>()
            + hashes
            + self.sketches.heap_bytes()
            + self.registers.as_ref().map_or(0, |registers| registers.resident_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DistinctAccumulator, State, distinct_value};
    use crate::aggregate::{Aggregate, Persistence};
    use crate::time::Timestamp;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Parts and wholes that are exact counts, coupons and registers. The encoding shows more
        /// than the answer.
        #[test]
        fn a_queue_of_parts_says_what_its_merge_says(
            parts in prop::collection::vec((0u64..3000, prop_oneof![0u64..60, 0u64..900]), 1..30),
            length in 1usize..8,
            exact_max in prop_oneof![0usize..3, 20usize..200],
        ) {
            let spec = distinct_value(|key: &u64| *key).exact_up_to(exact_max).precision(10);
            let part = |(first, count): &(u64, u64)| {
                let mut part = Aggregate::<u64>::init(&spec);
                (*first..first + count)
                    .for_each(|key| spec.add(&mut part, &key, Timestamp::from_millis(0)));
                part
            };
            let told = |accumulator: &DistinctAccumulator| {
                let mut writer = crate::codec::Writer::new();
                Persistence::<u64, _>::encode(&spec, accumulator, &mut writer).unwrap();
                format!(
                    "{:?} {:?}",
                    Aggregate::<u64>::output(&spec, accumulator),
                    writer.into_bytes()
                )
            };
            let merge = |into: &mut DistinctAccumulator, from: &DistinctAccumulator| {
                Aggregate::<u64>::merge(&spec, into, from).unwrap()
            };
            let inverse = Aggregate::<u64>::inverse(&spec).unwrap();
            let parts: Vec<_> = parts.iter().map(part).collect();
            let mut sliding = parts[0].clone();
            inverse.prepare(&mut sliding);
            for (end, part) in parts.iter().enumerate() {
                let start = (end + 1).saturating_sub(length);
                if start > 0 && !inverse.subtract(&mut sliding, &parts[start - 1]) {
                    prop_assert!(
                        !matches!(&sliding.0, State::CountedKeys(_)),
                        "what is counted can be taken out"
                    );
                    return Ok(());
                }
                if end > 0 {
                    merge(&mut sliding, part);
                }
                let mut merged = parts[start].clone();
                parts[start + 1..=end].iter().for_each(|part| merge(&mut merged, part));
                if !inverse.is_exact(&sliding) {
                    prop_assert!(end > 0 || !matches!(&sliding.0, State::CountedKeys(_)));
                    continue;
                }
                prop_assert_eq!(told(&sliding), told(&merged));
                let (mut onward, mut around) = (sliding.clone(), parts[0].clone());
                merge(&mut onward, &parts[0]);
                merge(&mut around, &sliding);
                merge(&mut merged, &parts[0]);
                prop_assert_eq!(told(&onward), told(&merged));
                prop_assert_eq!(told(&around), told(&merged));
            }
        }
    }
}
