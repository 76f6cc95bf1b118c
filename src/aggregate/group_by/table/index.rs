//! The index of a table: from the hash of a key to its row.
//!
//! Open addressing with one array of words. A word has a part of the hash, the *tag*, and the
//! number of the row, so that a search reads one cache line before the row itself, and the index
//! grows without looking at a row. The home of a tag is given by its upper bits: growth reads and
//! writes the slots in their order.

use crate::sketch::prefetch::prefetch;

/// The fewest slots of an index that has any.
const SLOTS_MIN: usize = 4;

/// A word for each slot: the tag in its upper half, and the row in its lower half, counted from 1.
/// A free slot is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: Box<[u64]>,
    /// The number of used slots.
    len: usize,
    shift: u32,
}

#[inline(always)]
fn tag_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

/// Returns the row of a used slot.
#[inline(always)]
fn row_of(slot: u64) -> usize {
    (slot as u32).wrapping_sub(1) as usize
}

/// Returns the number of slots for a number of rows. At least an eighth of them stays free.
pub(super) fn slots(rows: usize) -> usize {
    match rows {
        0 => 0,
        rows => rows.saturating_mul(8).div_ceil(7).next_power_of_two().max(SLOTS_MIN),
    }
}

impl Index {
    #[inline(always)]
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) << 32) >> self.shift) as usize
    }

    #[inline(always)]
    fn after(&self, place: usize) -> usize {
        (place + 1) & self.slots.len().wrapping_sub(1)
    }

    /// Returns the row that has this tag and for which `is_wanted` returns true.
    #[inline(always)]
    pub(super) fn find(&self, tag: u32, is_wanted: impl Fn(usize) -> bool) -> Option<usize> {
        self.search(tag, is_wanted).map(|(_, row)| row)
    }

    /// Returns the place and the row of that slot.
    #[inline(always)]
    fn search(&self, tag: u32, is_wanted: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
        let mut place = self.home(tag);
        loop {
            let slot = *self.slots.get(place)?;
            if slot == 0 {
                return None;
            }
            if tag_of(slot) == tag && is_wanted(row_of(slot)) {
                return Some((place, row_of(slot)));
            }
            place = self.after(place);
        }
    }

    /// Asks the CPU to load the home of the tag.
    #[inline(always)]
    pub(super) fn prefetch(&self, tag: u32) {
        prefetch(&self.slots, self.home(tag));
    }

    /// Adds a row that is not in the index.
    pub(super) fn insert(&mut self, tag: u32, row: usize) {
        if slots(self.len + 1) > self.slots.len() {
            self.grow();
        }
        self.put(u64::from(tag) << 32 | (row as u64 + 1));
        self.len += 1;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let slots = slots(self.len + 1);
        let smaller = std::mem::replace(&mut self.slots, vec![0; slots].into());
        self.shift = u64::BITS - slots.trailing_zeros();
        smaller.iter().filter(|slot| **slot != 0).for_each(|slot| self.put(*slot));
    }

    /// Puts a used slot at the first free place from its home on.
    #[inline]
    fn put(&mut self, slot: u64) {
        let mut place = self.home(tag_of(slot));
        while let Some(found) = self.slots.get_mut(place) {
            if *found == 0 {
                *found = slot;
                return;
            }
            place = self.after(place);
        }
    }

    /// Gives a row another number.
    pub(super) fn renumber(&mut self, tag: u32, row: usize, number: usize) {
        let Some((place, _)) = self.search(tag, |found| found == row) else { return };
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = u64::from(tag) << 32 | (number as u64 + 1);
        }
    }

    /// Removes a row. Slots behind it that could be found only past it move up.
    pub(super) fn remove(&mut self, tag: u32, row: usize) {
        let Some((mut free, _)) = self.search(tag, |found| found == row) else { return };
        self.len -= 1;
        let mask = self.slots.len() - 1;
        let mut place = free;
        loop {
            place = self.after(place);
            let slot = self.slots.get(place).copied().unwrap_or_default();
            let from_home = place.wrapping_sub(self.home(tag_of(slot))) & mask;
            if slot != 0 && from_home < (place.wrapping_sub(free) & mask) {
                continue;
            }
            if let Some(free) = self.slots.get_mut(free) {
                *free = slot;
            }
            if slot == 0 {
                return;
            }
            free = place;
        }
    }

    /// Removes all rows.
    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few homes, and equal tags.
    fn tag() -> impl Strategy<Value = u32> {
        prop_oneof![0u32..3, (0u32..9).prop_map(|n| n << 29), (0u32..3).prop_map(|n| !n)]
    }

    /// Whether a row is inserted, its tag, and which row is removed otherwise.
    type Step = (bool, u32, prop::sample::Index);

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec((any::<bool>(), tag(), any::<prop::sample::Index>()), 0..300)
    }

    proptest! {
        #[test]
        fn an_index_has_the_rows_that_were_inserted(steps in steps()) {
            let mut index = Index::default();
            let mut tags: Vec<u32> = Vec::new();
            for (inserts, tag, position) in steps {
                if inserts || tags.is_empty() {
                    index.insert(tag, tags.len());
                    tags.push(tag);
                } else {
                    // The last row takes the place of the removed one.
                    let row = position.index(tags.len());
                    let last = tags.len() - 1;
                    index.remove(tags[row], row);
                    if row != last {
                        index.renumber(tags[last], last, row);
                    }
                    tags.swap_remove(row);
                }
                for (row, &tag) in tags.iter().enumerate() {
                    prop_assert_eq!(index.find(tag, |found| found == row), Some(row));
                    index.prefetch(tag);
                }
                prop_assert_eq!(index.find(1 << 20, |_| true), None);
                let used = index.slots.iter().filter(|slot| **slot != 0).count();
                prop_assert_eq!((used, index.len), (tags.len(), tags.len()));
            }
            index.clear();
            prop_assert!(tags.iter().all(|tag| index.find(*tag, |_| true).is_none()));
        }
    }
}
