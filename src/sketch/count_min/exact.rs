//! Exact counts: every key with its count, while they fit into a number of bytes.
//!
//! Whether they fit depends only on the set of keys, not on their order or on how they were split
//! and merged.

use crate::hash::{Seed, hash_u64, process_seed};
use crate::sketch::Estimate;
use crate::sketch::index::{Index, Lookup, tag_of};
use std::fmt;

/// Bytes of a key besides its own: a row and its tag, a quarter of them in reserve, and at most 14
/// in the index.
const ROW_BYTES: usize = 56;

/// Maximum bytes: the position of a key is a number of 32 bits.
const BYTES_MAX: usize = u32::MAX as usize;

/// Keys with their counts, found by their stable hash.
///
/// At most one row has a given hash: a second key with the same hash does not fit. A lookup with an
/// integer of another width has the same hash but other bytes. It returns a bound, never a wrong
/// count.
#[derive(Clone)]
pub(super) struct ExactCounts {
    rows: Vec<Row>,
    /// The keys' bytes, one after another.
    keys: Vec<u8>,
    index: Index,
    tags: Vec<u32>,
    /// Drawn at random in each process, so that keys chosen against a public seed do not collide in
    /// the index.
    table_seed: Seed,
    bytes: usize,
    bytes_max: usize,
}

/// A key and its count, which is never 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) hash: u64,
    pub(super) count: u64,
    start: u32,
    length: u32,
}

/// The result of comparing the rows to add with these rows.
enum Fit {
    Keys,
    Nothing,
}

impl ExactCounts {
    pub(super) fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(BYTES_MAX);
        let (rows, keys, index, tags) = (Vec::new(), Vec::new(), Index::default(), Vec::new());
        ExactCounts { rows, keys, index, tags, table_seed: process_seed(), bytes: 0, bytes_max }
    }

    #[inline]
    fn tag(&self, hash: u64) -> u32 {
        tag_of(hash_u64(self.table_seed, hash))
    }

    #[inline]
    fn find(&self, hash: u64) -> Lookup {
        self.index
            .find(self.tag(hash), |row| self.rows.get(row).is_some_and(|row| row.hash == hash))
    }

    pub(super) fn key(&self, row: &Row) -> &[u8] {
        let start = row.start as usize;
        self.keys.get(start..start + row.length as usize).unwrap_or_default()
    }

    fn row(&self, hash: u64, key: &[u8]) -> Option<&Row> {
        match self.find(hash) {
            Lookup::Row(row) => self.rows.get(row).filter(|row| self.key(row) == key),
            Lookup::Vacant(_) => None,
        }
    }

    /// Adds to the key's count. Returns false and changes nothing if the key does not fit.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> bool {
        if weight == 0 {
            return true;
        }
        match self.find(hash) {
            Lookup::Row(row) => {
                let Some(row) = self.rows.get(row).filter(|row| self.key(row) == key).map(|_| row)
                else {
                    return false;
                };
                let count = &mut self.rows[row].count;
                *count = count.saturating_add(weight);
                true
            }
            Lookup::Vacant(place) => self.add_unknown((place, hash), key, weight),
        }
    }

    fn add_unknown(&mut self, (place, hash): (usize, u64), key: &[u8], weight: u64) -> bool {
        let bytes = self.bytes.saturating_add(bytes_of(key));
        if bytes > self.bytes_max {
            return false;
        }
        self.bytes = bytes;
        // Grows by a quarter, where vectors would double, so that the reserved bytes stay within
        // the charged bytes.
        grow(&mut self.rows, 1);
        grow(&mut self.keys, key.len());
        grow(&mut self.tags, 1);
        self.tags.push(self.tag(hash));
        self.index.enter(place, self.tags.len() - 1, &self.tags);
        self.rows.push(Row {
            hash,
            count: weight,
            start: self.keys.len() as u32,
            length: key.len() as u32,
        });
        self.keys.extend_from_slice(key);
        true
    }

    /// Returns the key's count. The bounds are certain. It is exact unless a key of another type
    /// has the same hash.
    pub(super) fn estimate(&self, hash: u64, key: &[u8]) -> Estimate<u64> {
        match self.find(hash) {
            Lookup::Vacant(_) => Estimate::exact(0),
            Lookup::Row(row) => {
                let (count, same) =
                    self.rows.get(row).map_or((0, true), |row| (row.count, self.key(row) == key));
                Estimate { value: count, lower: if same { count } else { 0 }, upper: count }
            }
        }
    }

    fn fit(&self, other: &ExactCounts) -> Fit {
        let mut bytes = self.bytes;
        for row in &other.rows {
            match self.find(row.hash) {
                Lookup::Row(ours)
                    if self.rows.get(ours).is_some_and(|ours| self.key(ours) == other.key(row)) => {
                }
                Lookup::Row(_) => return Fit::Nothing,
                Lookup::Vacant(_) => bytes = bytes.saturating_add(bytes_of(other.key(row))),
            }
        }
        if bytes <= self.bytes_max { Fit::Keys } else { Fit::Nothing }
    }

    /// Adds the counts of `other`. Returns false and changes nothing if they do not fit.
    pub(super) fn merge(&mut self, other: &ExactCounts) -> bool {
        match self.fit(other) {
            Fit::Keys => other.rows.iter().all(|row| self.add(row.hash, other.key(row), row.count)),
            Fit::Nothing => false,
        }
    }

    /// Returns true if no count of `other` is above the one here.
    pub(super) fn covers(&self, other: &ExactCounts) -> bool {
        other.rows.iter().all(|row| {
            self.row(row.hash, other.key(row)).is_some_and(|ours| ours.count >= row.count)
        })
    }

    /// Subtracts counts that these [cover](ExactCounts::covers). Removes keys whose count becomes 0.
    pub(super) fn subtract(&mut self, other: &ExactCounts) {
        let mut rest = ExactCounts::new(self.bytes_max);
        for row in &self.rows {
            let key = self.key(row);
            let gone = other.row(row.hash, key).map_or(0, |gone| gone.count);
            rest.add(row.hash, key, row.count.saturating_sub(gone));
        }
        *self = rest;
    }

    /// Returns the rows in the order of their keys, and for equal keys of their hashes, so that the
    /// order of arrival is not visible.
    pub(super) fn sorted(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_unstable_by(|a, b| self.key(a).cmp(self.key(b)).then(a.hash.cmp(&b.hash)));
        rows
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Returns the bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
            + self.tags.capacity() * size_of::<u32>()
            + self.keys.capacity()
            + self.index.heap_bytes()
    }
}

/// Prints the keys in order, with their counts.
impl fmt::Debug for ExactCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.sorted()
                    .iter()
                    .map(|row| (self.key(row).escape_ascii().to_string(), row.count)),
            )
            .finish()
    }
}

/// Returns the bytes that a key is charged.
fn bytes_of(key: &[u8]) -> usize {
    ROW_BYTES + key.len() + key.len() / 4
}

fn grow<T>(items: &mut Vec<T>, more: usize) {
    if items.capacity() - items.len() < more {
        items.reserve_exact(more.max(items.len() / 4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_stays_within_what_is_allowed() {
        for length in [1, 8, 30, 200] {
            let mut exact = ExactCounts::new(100_000);
            let key = |n: u64| format!("{n:0>length$}");
            let mut keys = 0;
            while exact.add(hash_u64(Seed::PUBLIC, keys), key(keys).as_bytes(), 1) {
                keys += 1;
                assert!(
                    exact.heap_bytes() <= 100_000
                        && (keys < 10 || exact.heap_bytes() <= exact.bytes),
                    "{length}, {keys}: {exact:?}"
                );
            }
            assert!(
                exact.heap_bytes() > 60_000,
                "{} bytes in {keys} keys of {length}",
                exact.heap_bytes()
            );
        }
    }

    #[test]
    fn two_keys_of_one_hash_do_not_fit_and_are_not_mixed_up() {
        let mut exact = ExactCounts::new(1000);
        assert!(exact.add(7, b"a", 3));
        assert!(!exact.add(7, b"b", 5));
        assert_eq!(exact.estimate(7, b"a"), Estimate::exact(3));
        assert_eq!(exact.estimate(7, b"b"), Estimate { value: 3, lower: 0, upper: 3 });
        assert_eq!(exact.estimate(8, b"a"), Estimate::exact(0));
        let mut other = ExactCounts::new(1000);
        assert!(other.add(7, b"b", 1) && other.add(9, b"c", 1));
        assert!(!exact.merge(&other) && exact.rows().len() == 1);
    }
}
