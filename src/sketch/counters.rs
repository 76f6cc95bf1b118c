//! An array of counters that take 4 bytes each until one of them needs 8.
//!
//! Half the bytes cause half the cache misses. When a counter would pass `u32::MAX`, the whole
//! array is widened once, in O(n), and no count changes. Counters saturate at `u64::MAX`.

use super::prefetch::prefetch;
use std::ops::Range;

/// Counters of one width.
#[derive(Clone, Debug)]
pub(super) enum Counters {
    /// No counter has passed `u32::MAX`.
    Narrow(Vec<u32>),
    /// At least one counter has passed `u32::MAX`.
    Wide(Vec<u64>),
}

impl Counters {
    /// Creates `len` counters of 0.
    pub(super) fn zeros(len: usize) -> Self {
        Counters::Narrow(vec![0; len])
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Counters::Narrow(cells) => cells.len(),
            Counters::Wide(cells) => cells.len(),
        }
    }

    /// Returns the counter at the index; 0 if the index is out of range.
    #[inline]
    pub(super) fn at(&self, index: usize) -> u64 {
        match self {
            Counters::Narrow(cells) => cells.get(index).copied().map_or(0, u64::from),
            Counters::Wide(cells) => cells.get(index).copied().unwrap_or(0),
        }
    }

    /// Asks the CPU to load the counter at the index into the cache.
    #[inline]
    pub(super) fn prefetch(&self, index: usize) {
        match self {
            Counters::Narrow(cells) => prefetch(cells, index),
            Counters::Wide(cells) => prefetch(cells, index),
        }
    }

    /// Adds to the counter at the index, saturating. Does nothing if the index is out of range.
    #[inline]
    pub(super) fn add(&mut self, index: usize, weight: u64) {
        if let Counters::Narrow(cells) = self
            && let Some(cell) = cells.get_mut(index)
            && let Ok(narrow) = u32::try_from(weight)
            && let Some(sum) = cell.checked_add(narrow)
        {
            *cell = sum;
            return;
        }
        self.add_wide(index, weight);
    }

    #[cold]
    #[inline(never)]
    fn add_wide(&mut self, index: usize, weight: u64) {
        if index >= self.len() {
            return;
        }
        if let Some(cell) = self.widen().get_mut(index) {
            *cell = cell.saturating_add(weight);
        }
    }

    /// Changes all counters to 8 bytes and returns them.
    pub(super) fn widen(&mut self) -> &mut Vec<u64> {
        if let Counters::Narrow(cells) = self {
            *self = Counters::Wide(cells.iter().map(|&cell| u64::from(cell)).collect());
        }
        match self {
            Counters::Wide(cells) => cells,
            Counters::Narrow(_) => unreachable!("widened above"),
        }
    }

    /// Returns all counters in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|index| self.at(index))
    }

    /// Returns `len` counters: a copy of those in `range` at index `to`, and 0 elsewhere.
    pub(super) fn moved(&self, range: Range<usize>, to: usize, len: usize) -> Counters {
        fn moved<T: Copy + Default>(cells: &[T], to: usize, len: usize) -> Vec<T> {
            let mut moved = vec![T::default(); len];
            moved.iter_mut().skip(to).zip(cells).for_each(|(to, from)| *to = *from);
            moved
        }
        match self {
            Counters::Narrow(cells) => {
                Counters::Narrow(moved(cells.get(range).unwrap_or_default(), to, len))
            }
            Counters::Wide(cells) => {
                Counters::Wide(moved(cells.get(range).unwrap_or_default(), to, len))
            }
        }
    }

    /// Returns the sum of all counters, saturating.
    pub(super) fn total(&self) -> u64 {
        match self {
            // At most 2^32 counters, each below 2^32: the sum fits.
            Counters::Narrow(cells) => cells.iter().map(|&cell| u64::from(cell)).sum(),
            Counters::Wide(cells) => cells.iter().fold(0, |sum, &cell| sum.saturating_add(cell)),
        }
    }

    /// Returns the first index at which the sum of the counters up to it is at least `sum`.
    pub(super) fn reaches(&self, sum: u64) -> Option<usize> {
        // Sums whole chunks in vector registers, and single counters only in the chunk that reaches
        // the sum.
        const CHUNK: usize = 64;
        let mut start = 0;
        let mut before = 0u64;
        if let Counters::Narrow(cells) = self {
            for chunk in cells.chunks(CHUNK) {
                let after = before.saturating_add(chunk.iter().map(|&cell| u64::from(cell)).sum());
                if after >= sum {
                    break;
                }
                (before, start) = (after, start + chunk.len());
            }
        }
        (start..self.len()).find(|&index| {
            before = before.saturating_add(self.at(index));
            before >= sum
        })
    }

    /// Adds the counters of `other` to those from `start` on, saturating. Ignores counters past the
    /// end.
    pub(super) fn add_all(&mut self, start: usize, other: &Counters) {
        self.add_range(start, other, 0..other.len());
    }

    /// Adds the counters of a range of `other` to those from `start` on, saturating. Ignores
    /// counters past the end.
    pub(super) fn add_range(&mut self, start: usize, other: &Counters, range: Range<usize>) {
        if let (Counters::Narrow(into), Counters::Narrow(from)) = (&mut *self, other) {
            let (into, from) = (
                into.get_mut(start..).unwrap_or_default(),
                from.get(range.clone()).unwrap_or_default(),
            );
            // Two passes, so that the usual one has no branch and runs in vector registers.
            let fits =
                into.iter().zip(from).fold(true, |fits, (&a, &b)| fits & (a.wrapping_add(b) >= a));
            if fits {
                into.iter_mut().zip(from).for_each(|(a, &b)| *a = a.wrapping_add(b));
                return;
            }
        }
        let into = self.widen().get_mut(start..).unwrap_or_default();
        into.iter_mut().zip(range).for_each(|(a, index)| *a = a.saturating_add(other.at(index)));
    }

    /// Subtracts from the counter at the index. Returns false and changes nothing if the counter is
    /// smaller than `weight`.
    pub(super) fn take(&mut self, index: usize, weight: u64) -> bool {
        match self {
            Counters::Narrow(cells) => {
                let rest = cells
                    .get(index)
                    .zip(u32::try_from(weight).ok())
                    .and_then(|(cell, weight)| cell.checked_sub(weight));
                rest.is_some_and(|rest| cells.get_mut(index).map(|cell| *cell = rest).is_some())
            }
            Counters::Wide(cells) => {
                let rest = cells.get(index).and_then(|cell| cell.checked_sub(weight));
                rest.is_some_and(|rest| cells.get_mut(index).map(|cell| *cell = rest).is_some())
            }
        }
    }

    /// Subtracts the counters of a range of `other` from those from `start` on. Returns false if a
    /// counter is too small or missing; some counters may then have changed.
    pub(super) fn take_range(
        &mut self,
        start: usize,
        other: &Counters,
        range: Range<usize>,
    ) -> bool {
        if let (Counters::Narrow(from), Counters::Narrow(part)) = (&mut *self, other) {
            let (from, part) =
                (from.get_mut(start..).unwrap_or_default(), part.get(range).unwrap_or_default());
            let covers = from
                .iter()
                .zip(part)
                .fold(from.len() >= part.len(), |covers, (&a, &b)| covers & (a >= b));
            from.iter_mut().zip(part).for_each(|(a, &b)| *a = a.wrapping_sub(b));
            return covers;
        }
        (start..).zip(range).all(|(index, other_index)| self.take(index, other.at(other_index)))
    }

    /// Returns true if no counter is below the one of `other`.
    pub(super) fn covers(&self, other: &Counters) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a >= b)
    }

    /// Subtracts the counters of `other`, down to at least 0.
    pub(super) fn subtract_all(&mut self, other: &Counters) {
        match self {
            Counters::Narrow(into) => {
                into.iter_mut()
                    .zip(other.iter())
                    .for_each(|(a, b)| *a = a.saturating_sub(u32::try_from(b).unwrap_or(u32::MAX)));
            }
            Counters::Wide(into) => {
                into.iter_mut().zip(other.iter()).for_each(|(a, b)| *a = a.saturating_sub(b))
            }
        }
    }

    /// Returns the sums of neighbours: counter `i` of the result is the sum of counters `2i` and
    /// `2i + 1`, saturating.
    pub(super) fn folded(&self) -> Counters {
        let mut folded = Counters::zeros(self.len().div_ceil(2));
        for (index, value) in self.iter().enumerate() {
            folded.add(index / 2, value);
        }
        folded
    }

    /// Returns the bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Counters::Narrow(cells) => cells.capacity() * size_of::<u32>(),
            Counters::Wide(cells) => cells.capacity() * size_of::<u64>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn widening_keeps_the_counts_and_the_last_stop_is_u64_max() {
        let mut counters = Counters::zeros(3);
        counters.add(0, 7);
        counters.add(1, u64::from(u32::MAX));
        assert!(matches!(counters, Counters::Narrow(_)));
        counters.add(1, 1);
        assert_eq!(counters.iter().collect::<Vec<_>>(), [7, 1 << 32, 0]);
        counters.add(2, u64::MAX);
        counters.add(2, u64::MAX);
        counters.add(3, 1);
        assert_eq!(counters.iter().collect::<Vec<_>>(), [7, 1 << 32, u64::MAX]);
    }

    proptest! {
        #[test]
        fn add_all_and_subtract_all_agree_with_plain_vectors(
            a in prop::collection::vec(prop_oneof![0u64..9, 4_294_967_290u64..4_294_967_300, Just(u64::MAX)], 8),
            b in prop::collection::vec(prop_oneof![0u64..9, 4_294_967_290u64..4_294_967_300], 8),
        ) {
            let fill = |values: &[u64]| {
                let mut counters = Counters::zeros(values.len());
                values.iter().enumerate().for_each(|(index, &value)| counters.add(index, value));
                counters
            };
            let (mut sum, other) = (fill(&a), fill(&b));
            sum.add_all(0, &other);
            let expected: Vec<u64> = a.iter().zip(&b).map(|(a, b)| a.saturating_add(*b)).collect();
            prop_assert_eq!(
                sum.moved(2..5, 1, 6).iter().collect::<Vec<_>>(),
                [0, expected[2], expected[3], expected[4], 0, 0]
            );
            let mut up_to = 0u64;
            prop_assert_eq!(
                sum.total(),
                expected.iter().fold(0, |sum: u64, count| sum.saturating_add(*count))
            );
            let first = expected.iter().position(|count| {
                up_to = up_to.saturating_add(*count);
                up_to >= 20
            });
            prop_assert_eq!(sum.reaches(20), first);
            prop_assert_eq!(sum.iter().collect::<Vec<_>>(), expected.clone());
            prop_assert!(sum.covers(&other));
            let folded: Vec<u64> = expected
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |a: u64, b| a.saturating_add(*b)))
                .collect();
            prop_assert_eq!(sum.folded().iter().collect::<Vec<_>>(), folded);
            let mut taken = sum.clone();
            let saturated = expected.contains(&u64::MAX);
            prop_assert!(taken.take_range(0, &other, 0..8));
            prop_assert!(saturated || taken.iter().eq(a.iter().copied()));
            prop_assert_eq!(taken.take_range(0, &sum, 0..8), b.iter().all(|&b| b == 0));
            sum.subtract_all(&other);
            let back: Vec<u64> = expected.iter().zip(&b).map(|(a, b)| a - b).collect();
            prop_assert_eq!(sum.iter().collect::<Vec<_>>(), back);
        }
    }
}
