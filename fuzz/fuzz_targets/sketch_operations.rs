//! Operations on the sketches in any order, against an exact map and a sorted list: no panic, and
//! the bounds hold after each.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use std::collections::BTreeMap;
use streamgauge::codec::{Reader, Writer};
use streamgauge::sketch::{CountMin, Estimate, LogHistogram, SpaceSaving, nearest_rank};

/// Two of each sketch, and what they have truly seen.
struct State {
    top: [SpaceSaving<u64>; 2],
    counts: [CountMin; 2],
    numbers: [LogHistogram; 2],
    seen: [BTreeMap<u64, u64>; 2],
    values: [Vec<f64>; 2],
}

impl State {
    fn new(shape: u8) -> State {
        let capacity = 1 + usize::from(shape & 7);
        let top = SpaceSaving::with_capacity(capacity).expect("a capacity in range");
        let counts = CountMin::with_shape(2 << (shape >> 6), 1 + usize::from(shape >> 3 & 7)).expect("a shape in range");
        let counts = if shape & 1 == 1 { counts.conservative() } else { counts };
        // A key of 8 bytes is charged 66: from the start a sketch, or from 5, 10 or 15 keys on.
        let counts = counts.exact_within(usize::from(shape >> 1 & 3) * 330);
        let numbers = LogHistogram::with_accuracy([0.2, 0.05, 0.005][usize::from(shape) % 3]).expect("an accuracy in range");
        State {
            top: [top.clone(), top],
            counts: [counts.clone(), counts],
            numbers: [numbers.clone(), numbers],
            seen: Default::default(),
            values: Default::default(),
        }
    }

    fn apply(&mut self, operation: u8, side: usize, argument: u64) {
        let key = argument % 64;
        match operation % 9 {
            0..=2 => self.add(side, key, 1 + (argument >> 8) % 5),
            3 => self.add(side, key, argument >> 6),
            4 => {
                let value = f64::from_bits(argument);
                let added = self.numbers[side].add(value, 1);
                assert_eq!(added.is_ok(), value.is_finite());
                if value.is_finite() {
                    self.values[side].push(value);
                }
            }
            5 => self.merge(side),
            6 => {
                let fewer = (self.top[0].capacity() / 2).max(1);
                self.top.iter_mut().for_each(|top| top.shrink_to(fewer).expect("a capacity in range"));
                self.numbers.iter_mut().for_each(|numbers| drop(numbers.coarsen()));
                self.counts.iter_mut().for_each(|counts| drop(counts.fold_in_half()));
            }
            7 => self.reload(side),
            _ => self.merge_and_take_back(side, key),
        }
    }

    fn merge_and_take_back(&self, side: usize, key: u64) {
        let (ours, theirs) = (&self.counts[side], &self.counts[1 - side]);
        let mut other = ours.clone();
        if other.merge(theirs).is_ok() && other.subtract(theirs).is_ok() {
            let (before, after) = (ours.estimate(&key), other.estimate(&key));
            // What has become a table stays one.
            assert!(if other.is_exact() == ours.is_exact() { after == before } else { after.upper >= before.upper });
        }
    }

    /// What is written is read, and written again as it was.
    fn reload(&mut self, side: usize) {
        let write = |state: &State| {
            let mut writer = Writer::new();
            state.top[side].encode(&mut writer);
            state.counts[side].encode(&mut writer);
            writer.into_bytes()
        };
        let bytes = write(self);
        let mut reader = Reader::new(&bytes);
        self.top[side] = self.top[side].decode(&mut reader).expect("what was written");
        self.counts[side] = self.counts[side].decode(&mut reader).expect("what was written");
        reader.finish().expect("no more than was written");
        assert_eq!(write(self), bytes);
    }

    fn add(&mut self, side: usize, key: u64, weight: u64) {
        self.top[side].add(&key, weight);
        self.counts[side].add(&key, weight);
        let count = self.seen[side].entry(key).or_insert(0);
        *count = count.saturating_add(weight);
    }

    fn merge(&mut self, side: usize) {
        // Values double at each merge: keep them few.
        if self.values[0].len() + self.values[1].len() > 4096 {
            return;
        }
        let (top, counts, numbers) = (self.top[1 - side].clone(), self.counts[1 - side].clone(), self.numbers[1 - side].clone());
        self.top[side].merge(&top).expect("equal capacities");
        self.counts[side].merge(&counts).expect("equal shapes");
        self.numbers[side].merge(&numbers).expect("histograms merge");
        for (key, weight) in self.seen[1 - side].clone() {
            let count = self.seen[side].entry(key).or_insert(0);
            *count = count.saturating_add(weight);
        }
        let values = self.values[1 - side].clone();
        self.values[side].extend(values);
    }

    fn check(&mut self, side: usize) {
        for key in 0..64 {
            let count = self.seen[side].get(&key).copied().unwrap_or(0);
            let estimate = self.top[side].estimate(&key);
            assert!((estimate.lower..=estimate.upper).contains(&count), "top-k, key {key}: {estimate:?} for {count}");
            let estimate = self.counts[side].estimate(&key);
            let held = if self.counts[side].is_exact() { estimate == Estimate::exact(count) } else { estimate.upper >= count };
            assert!(held, "count-min, key {key}: {estimate:?} for {count}");
        }
        self.values[side].sort_by(f64::total_cmp);
        for q in [0.0, 0.3, 0.5, 0.99, 1.0] {
            let truth = nearest_rank(q, self.values[side].len() as u64).map(|rank| self.values[side][rank as usize - 1]);
            let estimate = self.numbers[side].quantile(q);
            assert_eq!(truth.is_some(), estimate.is_some());
            if let (Some(truth), Some(estimate)) = (truth, estimate) {
                assert!(estimate.lower <= truth && truth <= estimate.upper, "quantile {q}: {estimate:?} for {truth}");
                assert!(estimate.lower <= estimate.value && estimate.value <= estimate.upper, "quantile {q}: {estimate:?}");
                // The smallest double and a little more for the rounding of the value.
                let error = self.numbers[side].accuracy() * truth.abs() * (1.0 + 1e-12) + f64::from_bits(1);
                assert!((estimate.value - truth).abs() <= error, "quantile {q}: {estimate:?} for {truth}");
            }
        }
    }
}

fn check(data: &[u8]) {
    let Some((&shape, rest)) = data.split_first() else { return };
    let mut state = State::new(shape);
    // Nine bytes an operation: what, on which side, and its argument.
    for chunk in rest.chunks_exact(9).take(512) {
        let argument = u64::from_le_bytes(chunk[1..].try_into().expect("eight bytes"));
        state.apply(chunk[0] >> 1, usize::from(chunk[0] & 1), argument);
    }
    state.check(0);
    state.check(1);
}

shim::target!(check);
