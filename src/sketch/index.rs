//! The index from a key's hash to its row: open addressing in buckets of eight slots.
//!
//! A slot is one byte of the hash and the number of a row, in two separate arrays. The eight bytes
//! of a bucket are one word and are compared at once. A search for a key without a row usually
//! reads only that word. (Swiss tables do this with vector instructions; a word needs only safe
//! code. Eight slots of 8 bytes with one branch each made an update of space-saving a quarter
//! slower.)
//!
//! The index stores no hash. To rebuild it, the caller passes the *tag* of every row, 32 bits of
//! its hash, so no key is read. The hash is keyed at random per process: no answer depends on it,
//! and keys chosen against a public seed spread like any other keys.

use super::prefetch;

/// Slots of a bucket: the bytes of a word.
const SLOTS: usize = 8;

/// Words with the lowest bit, or the highest bit, of each byte set.
const LOWS: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = LOWS << 7;

/// The byte of a slot that was never used. A search ends here: a row that belonged here is in no
/// later bucket.
const VACANT: u64 = 0;

/// The byte of a slot whose row was removed from a full bucket. A search must go on: a row that
/// found no room here may be in the next bucket.
const GONE: u64 = 1;

/// The smallest byte of a tag.
const LEAST: u8 = 2;

/// Buckets of tag bytes, and the row numbers of the slots.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    buckets: Vec<u64>,
    rows: Vec<u32>,
    shift: u32,
    /// The number of slots that are [`GONE`].
    gone: usize,
}

/// The result of a search.
pub(super) enum Lookup {
    /// The number of the key's row.
    Row(usize),
    /// The key has no row. This is the free slot for it.
    Vacant(usize),
}

/// Returns the part of a hash that the index uses.
#[inline(always)]
pub(super) fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Returns a word with the byte of the tag in all bytes.
#[inline(always)]
fn spread(tag: u32) -> u64 {
    u64::from((tag as u8).max(LEAST)) * LOWS
}

/// Sets the highest bit of each byte that is 0. Bytes above the first such byte may be wrong.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOWS) & !word & HIGHS
}

impl Index {
    /// Finds the row that has this tag and for which `same` returns true.
    #[inline(always)]
    pub(super) fn find(&self, tag: u32, same: impl Fn(usize) -> bool) -> Lookup {
        match self.search(tag, same) {
            Ok((_, row)) => Lookup::Row(row),
            Err(vacant) => Lookup::Vacant(vacant),
        }
    }

    /// Returns the slot and the number of that row, or the free slot for it.
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
        // Only for an index without buckets, because an index is never full.
        Err(0)
    }

    /// Asks the CPU to load the bucket of the tag into the cache.
    #[inline(always)]
    pub(super) fn prefetch(&self, tag: u32) {
        prefetch::prefetch(&self.buckets, self.home(tag));
        prefetch::prefetch(&self.rows, self.home(tag) * SLOTS);
    }

    /// Returns the first row that a search for the tag compares, if it is in its first bucket.
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

    /// Enters a row at the free slot that [`find`](Index::find) returned. `tags` are the tags of
    /// all rows.
    #[inline]
    pub(super) fn enter(&mut self, place: usize, row: usize, tags: &[u32]) {
        // At most three quarters full: few buckets are full, so a search rarely reads a second
        // bucket.
        if (tags.len() + self.gone) * 4 > self.rows.len() * 3 {
            self.make_room(tags);
        } else if let Some(&tag) = tags.get(row) {
            self.put(place, tag, row as u32);
        }
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, tags: &[u32]) {
        // If removed slots fill the index, a rebuild at the same size is enough. A rebuild that
        // frees only a few slots does not pay.
        if tags.len() * 2 <= self.rows.len() {
            return self.rebuild(tags);
        }
        let buckets = (self.buckets.len() * 2).max(1);
        (self.buckets, self.rows) = (vec![VACANT; buckets], vec![0; buckets * SLOTS]);
        self.shift = 32 - buckets.trailing_zeros();
        self.gone = 0;
        self.fill(tags);
    }

    /// Rebuilds the index for rows with these tags, in the order of their numbers. There must not
    /// be more rows than before.
    pub(super) fn rebuild(&mut self, tags: &[u32]) {
        self.buckets.fill(VACANT);
        self.gone = 0;
        self.fill(tags);
    }

    /// Removes a row with this tag. A free slot found before remains free.
    pub(super) fn remove(&mut self, tag: u32, row: usize) {
        let Ok((place, _)) = self.search(tag, |found| found == row) else { return };
        let Some(word) = self.buckets.get_mut(place / SLOTS) else { return };
        let full = zero_bytes(*word) == 0;
        let at = place % SLOTS * 8;
        *word = *word & !(0xff << at) | if full { GONE } else { VACANT } << at;
        self.gone += usize::from(full);
    }

    /// Enters each row at the first free slot from its home bucket on. There is one, because the
    /// index is never full.
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

    /// Returns the bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<u64>() + self.rows.capacity() * size_of::<u32>()
    }
}

/// Returns the slot of the first marked byte.
#[inline(always)]
fn slot(bucket: usize, marks: u64) -> usize {
    bucket * SLOTS + marks.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few different tags, so that bytes, home buckets and whole tags are shared.
        #[test]
        fn every_row_is_found_and_no_other(
            tags in prop::collection::vec(prop_oneof![0u32..4, any::<u32>(), (0u32..9).prop_map(|n| n << 29)], 0..200),
        ) {
            let mut index = Index::default();
            let mut entered: Vec<u32> = Vec::new();
            for tag in tags {
                // The row number is the key, which separates rows with equal tags.
                let Lookup::Vacant(place) = index.find(tag, |_| false) else {
                    unreachable!("nothing is the same")
                };
                entered.push(tag);
                index.enter(place, entered.len() - 1, &entered);
            }
            for rebuilt in [false, true] {
                if rebuilt {
                    entered.truncate(entered.len() / 2);
                    index.rebuild(&entered);
                }
                for (row, &tag) in entered.iter().enumerate() {
                    prop_assert!(
                        matches!(index.find(tag, |found| found == row), Lookup::Row(found) if found == row)
                    );
                    index.prefetch(tag);
                    let first = index.first_alike(tag);
                    prop_assert!(first.is_none_or(|first| matches!(index.find(tag, |_| true), Lookup::Row(found) if found == first)));
                    // No other row can come before the very first row.
                    prop_assert!(row > 0 || first == Some(0));
                }
                prop_assert!(matches!(
                    index.find(77, |found| found >= entered.len() && found < 200 && !rebuilt),
                    Lookup::Vacant(_)
                ));
            }
        }

        /// Removes rows and gives them to other tags, often enough to fill the index with removed
        /// slots.
        #[test]
        fn a_row_that_was_taken_out_is_not_found_and_all_others_are(
            rows in 1usize..60,
            steps in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![0u32..4, (0u32..9).prop_map(|n| n << 29 | n), any::<u32>()]), 0..600),
        ) {
            let mut index = Index::default();
            let mut tags: Vec<u32> = Vec::new();
            for (row, tag) in steps {
                let Lookup::Vacant(place) = index.find(tag, |_| false) else {
                    unreachable!("nothing is the same")
                };
                let row = if tags.len() < rows {
                    tags.push(tag);
                    tags.len() - 1
                } else {
                    let row = row.index(rows);
                    index.remove(tags[row], row);
                    prop_assert!(matches!(
                        index.find(tags[row], |found| found == row),
                        Lookup::Vacant(_)
                    ));
                    tags[row] = tag;
                    row
                };
                index.enter(place, row, &tags);
                for (row, &tag) in tags.iter().enumerate() {
                    prop_assert!(
                        matches!(index.find(tag, |found| found == row), Lookup::Row(found) if found == row)
                    );
                }
            }
            prop_assert!(index.rows.len() <= SLOTS * (rows * 2).next_power_of_two());
        }
    }
}
