//! From a key's hash to its row: open addressing in buckets of eight slots.
//!
//! A slot is a byte of the hash and the row's number, kept apart: the eight bytes of a bucket are
//! one word that is compared at once, and a search for a key without a row mostly reads that word
//! and nothing else. (Swiss tables do so with vector instructions; a word does it in safe code.
//! Slots of 8 bytes in a row, one branch each, took a quarter more time an update of space-saving.)
//!
//! The index keeps no hash but takes the *tag* of every row, 32 bits of its hash, when it is built
//! again; so no key is looked at. The hash is keyed at random per process: nothing here reaches an
//! answer, and keys chosen against a public seed spread as any others do.

use super::prefetch;

/// Slots of a bucket: the bytes of a word.
const SLOTS: usize = 8;

/// A word of ones in the lowest bit of each byte, and in the highest.
const LOWS: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = LOWS << 7;

/// The byte of a slot that nothing was put into. Nothing that would have gone there is anywhere
/// else.
const VACANT: u64 = 0;

/// The byte of a slot whose row was taken out of a full bucket: what found no room there may be in
/// the next one.
const GONE: u64 = 1;

/// The least byte of a tag.
const LEAST: u8 = 2;

/// Buckets of bytes of tags, and the numbers of their rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    buckets: Vec<u64>,
    rows: Vec<u32>,
    shift: u32,
    /// Slots that are [`GONE`].
    gone: usize,
}

/// What a search found.
pub(super) enum Found {
    /// The row of the key.
    Row(usize),
    /// The empty slot where it would be.
    Vacant(usize),
}

/// All that the index knows of a hash.
#[inline(always)]
pub(super) fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The byte of a tag in all bytes of a word.
#[inline(always)]
fn spread(tag: u32) -> u64 {
    u64::from((tag as u8).max(LEAST)) * LOWS
}

/// The highest bit of each byte that is 0, and perhaps of bytes above one that is.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOWS) & !word & HIGHS
}

impl Index {
    /// The row that has this tag and that `same` says is the key's.
    #[inline(always)]
    pub(super) fn find(&self, tag: u32, same: impl Fn(usize) -> bool) -> Found {
        match self.search(tag, same) {
            Ok((_, row)) => Found::Row(row),
            Err(vacant) => Found::Vacant(vacant),
        }
    }

    /// The place of that row, and its number; or the vacant place where it would be.
    #[inline(always)]
    fn search(&self, tag: u32, same: impl Fn(usize) -> bool) -> Result<(usize, usize), usize> {
        let mask = self.buckets.len().wrapping_sub(1);
        let mut bucket = self.home(tag);
        while let Some(&word) = self.buckets.get(bucket) {
            let mut alike = zero_bytes(word ^ spread(tag));
            while alike != 0 {
                let place = slot(bucket, alike);
                let row = self.rows.get(place).map_or(usize::MAX, |&row| row as usize);
                if same(row) {
                    return Ok((place, row));
                }
                alike &= alike - 1;
            }
            let empty = zero_bytes(word);
            if empty != 0 {
                return Err(slot(bucket, empty));
            }
            bucket = (bucket + 1) & mask;
        }
        // Only an index without buckets gets here: a full one is never left.
        Err(0)
    }

    /// Brings close what a search for the tag looks at.
    #[inline(always)]
    pub(super) fn prefetch(&self, tag: u32) {
        prefetch::prefetch(&self.buckets, self.home(tag));
        prefetch::prefetch(&self.rows, self.home(tag) * SLOTS);
    }

    /// The first row that a search for the tag asks about, if its first bucket has one.
    #[inline(always)]
    pub(super) fn first_alike(&self, tag: u32) -> Option<usize> {
        let bucket = self.home(tag);
        let alike = zero_bytes(self.buckets.get(bucket)? ^ spread(tag));
        if alike == 0 { None } else { self.rows.get(slot(bucket, alike)).map(|&row| row as usize) }
    }

    #[inline(always)]
    fn home(&self, tag: u32) -> usize {
        (u64::from(tag) >> self.shift) as usize
    }

    /// Enters one of the rows, whose tags these are, at the vacant place that [`find`](Index::find)
    /// gave.
    #[inline]
    pub(super) fn enter(&mut self, place: usize, row: usize, tags: &[u32]) {
        // Three quarters full at most: hardly a bucket is, so hardly a search goes on to the next
        // one.
        if (tags.len() + self.gone) * 4 > self.rows.len() * 3 {
            self.make_room(tags);
        } else if let Some(&tag) = tags.get(row) {
            self.put(place, tag, row as u32);
        }
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, tags: &[u32]) {
        // Where it is slots that are gone that took the room, it is enough to begin again, but not
        // for the sake of a few.
        if tags.len() * 2 <= self.rows.len() {
            return self.rebuild(tags);
        }
        let buckets = (self.buckets.len() * 2).max(1);
        (self.buckets, self.rows) = (vec![VACANT; buckets], vec![0; buckets * SLOTS]);
        self.shift = 32 - buckets.trailing_zeros();
        self.gone = 0;
        self.fill(tags);
    }

    /// Begins again with rows of these tags, in the order of their numbers; no more than there were
    /// before.
    pub(super) fn rebuild(&mut self, tags: &[u32]) {
        self.buckets.fill(VACANT);
        self.gone = 0;
        self.fill(tags);
    }

    /// Takes the row of this tag out. A vacant place that was found before stays one.
    pub(super) fn remove(&mut self, tag: u32, row: usize) {
        let Ok((place, _)) = self.search(tag, |found| found == row) else { return };
        let Some(word) = self.buckets.get_mut(place / SLOTS) else { return };
        let full = zero_bytes(*word) == 0;
        let at = place % SLOTS * 8;
        *word = *word & !(0xff << at) | if full { GONE } else { VACANT } << at;
        self.gone += usize::from(full);
    }

    /// Puts each row into the first vacant slot from its home on; there is one, as the index is
    /// never full.
    fn fill(&mut self, tags: &[u32]) {
        let mask = self.buckets.len().wrapping_sub(1);
        for (row, &tag) in (0..).zip(tags) {
            let mut bucket = self.home(tag);
            while let Some(&word) = self.buckets.get(bucket) {
                let empty = zero_bytes(word);
                if empty != 0 {
                    self.put(slot(bucket, empty), tag, row);
                    break;
                }
                bucket = (bucket + 1) & mask;
            }
        }
    }

    #[inline(always)]
    fn put(&mut self, place: usize, tag: u32, row: u32) {
        if let (Some(word), Some(number)) =
            (self.buckets.get_mut(place / SLOTS), self.rows.get_mut(place))
        {
            *word |= (spread(tag) & 0xff) << (place % SLOTS * 8);
            *number = row;
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<u64>() + self.rows.capacity() * size_of::<u32>()
    }
}

/// The slot of the first byte that is marked.
#[inline(always)]
fn slot(bucket: usize, marks: u64) -> usize {
    bucket * SLOTS + marks.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few tags, so that bytes, homes and whole tags are shared.
        #[test]
        fn every_row_is_found_and_no_other(tags in prop::collection::vec(prop_oneof![0u32..4, any::<u32>(), (0u32..9).prop_map(|n| n << 29)], 0..200)) {
            let mut index = Index::default();
            let mut entered: Vec<u32> = Vec::new();
            for tag in tags {
                // The number is the key: rows of one tag are told apart by it.
                let Found::Vacant(place) = index.find(tag, |_| false) else { unreachable!("nothing is the same") };
                entered.push(tag);
                index.enter(place, entered.len() - 1, &entered);
            }
            for rebuilt in [false, true] {
                if rebuilt {
                    entered.truncate(entered.len() / 2);
                    index.rebuild(&entered);
                }
                for (row, &tag) in entered.iter().enumerate() {
                    prop_assert!(matches!(index.find(tag, |found| found == row), Found::Row(found) if found == row));
                    index.prefetch(tag);
                    let first = index.first_alike(tag);
                    prop_assert!(first.is_none_or(|first| matches!(index.find(tag, |_| true), Found::Row(found) if found == first)));
                    // Nothing can have taken the place of the first of all.
                    prop_assert!(row > 0 || first == Some(0));
                }
                prop_assert!(matches!(index.find(77, |found| found >= entered.len() && found < 200 && !rebuilt), Found::Vacant(_)));
            }
        }

        /// Rows that are taken out and given to other tags, as often as fills the index with slots
        /// that are gone.
        #[test]
        fn a_row_that_was_taken_out_is_not_found_and_all_others_are(
            rows in 1usize..60, steps in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![0u32..4, (0u32..9).prop_map(|n| n << 29 | n), any::<u32>()]), 0..600),
        ) {
            let mut index = Index::default();
            let mut tags: Vec<u32> = Vec::new();
            for (row, tag) in steps {
                let Found::Vacant(place) = index.find(tag, |_| false) else { unreachable!("nothing is the same") };
                let row = if tags.len() < rows {
                    tags.push(tag);
                    tags.len() - 1
                } else {
                    let row = row.index(rows);
                    index.remove(tags[row], row);
                    prop_assert!(matches!(index.find(tags[row], |found| found == row), Found::Vacant(_)));
                    tags[row] = tag;
                    row
                };
                index.enter(place, row, &tags);
                for (row, &tag) in tags.iter().enumerate() {
                    prop_assert!(matches!(index.find(tag, |found| found == row), Found::Row(found) if found == row));
                }
            }
            prop_assert!(index.rows.len() <= SLOTS * (rows * 2).next_power_of_two());
        }
    }
}
