//! Counts that are exact: every key with its count, as long as they fit into so many bytes.
//!
//! Whether they fit depends on the set of keys alone, not on their order nor on how they were split
//! and merged.

use crate::hash::{Seed, hash_u64, process_seed};
use crate::sketch::Estimate;
use crate::sketch::index::{Found, Index, tag_of};
use std::fmt;

/// Bytes that a key takes besides its own: a row and its tag, the free quarter of them, and at most
/// 14 in the index.
const ROW_BYTES: usize = 56;

/// Bytes at most: where a key begins is a number of 32 bits.
const BYTES_MAX: usize = u32::MAX as usize;

/// Keys, found by their stable hash.
///
/// Two keys of one hash are not told apart: the second one does not fit. So a hash finds one row at
/// most, and a key of an integer type that asks for one of another width, whose hash is the same
/// and whose bytes are not, is told a bound and nothing wrong.
#[derive(Clone)]
pub(super) struct Exact {
    rows: Vec<Row>,
    /// The keys' bytes, one after the other.
    keys: Vec<u8>,
    index: Index,
    tags: Vec<u32>,
    /// Keyed at random in each process, so that keys chosen against a public seed do not fall
    /// together in the index.
    table_seed: Seed,
    bytes: usize,
    bytes_max: usize,
}

/// A key and its count, which is not 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) hash: u64,
    pub(super) count: u64,
    start: u32,
    length: u32,
}

/// What the other rows would do to these.
enum Fit {
    Keys,
    Nothing,
}

impl Exact {
    pub(super) fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(BYTES_MAX);
        let (rows, keys, index, tags) = (Vec::new(), Vec::new(), Index::default(), Vec::new());
        Exact { rows, keys, index, tags, table_seed: process_seed(), bytes: 0, bytes_max }
    }

    #[inline]
    fn tag(&self, hash: u64) -> u32 {
        tag_of(hash_u64(self.table_seed, hash))
    }

    #[inline]
    fn find(&self, hash: u64) -> Found {
        self.index
            .find(self.tag(hash), |row| self.rows.get(row).is_some_and(|row| row.hash == hash))
    }

    pub(super) fn key(&self, row: &Row) -> &[u8] {
        let start = row.start as usize;
        self.keys.get(start..start + row.length as usize).unwrap_or_default()
    }

    fn row(&self, hash: u64, key: &[u8]) -> Option<&Row> {
        match self.find(hash) {
            Found::Row(row) => self.rows.get(row).filter(|row| self.key(row) == key),
            Found::Vacant(_) => None,
        }
    }

    /// Counts the key; whether it fits. If it does not, nothing has changed.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, key: &[u8], weight: u64) -> bool {
        if weight == 0 {
            return true;
        }
        match self.find(hash) {
            Found::Row(row) => {
                let Some(row) = self.rows.get(row).filter(|row| self.key(row) == key).map(|_| row)
                else {
                    return false;
                };
                let count = &mut self.rows[row].count;
                *count = count.saturating_add(weight);
                true
            }
            Found::Vacant(place) => self.add_unknown((place, hash), key, weight),
        }
    }

    fn add_unknown(&mut self, (place, hash): (usize, u64), key: &[u8], weight: u64) -> bool {
        let bytes = self.bytes.saturating_add(bytes_of(key));
        if bytes > self.bytes_max {
            return false;
        }
        self.bytes = bytes;
        // A quarter at a time, where vectors would double: what is reserved stays within what is
        // charged.
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

    /// The key's count. Certain; exact unless a key of another type has the same hash.
    pub(super) fn estimate(&self, hash: u64, key: &[u8]) -> Estimate<u64> {
        match self.find(hash) {
            Found::Vacant(_) => Estimate::exact(0),
            Found::Row(row) => {
                let (count, same) =
                    self.rows.get(row).map_or((0, true), |row| (row.count, self.key(row) == key));
                Estimate { value: count, lower: if same { count } else { 0 }, upper: count }
            }
        }
    }

    fn fit(&self, other: &Exact) -> Fit {
        let mut bytes = self.bytes;
        for row in &other.rows {
            match self.find(row.hash) {
                Found::Row(ours)
                    if self.rows.get(ours).is_some_and(|ours| self.key(ours) == other.key(row)) => {
                }
                Found::Row(_) => return Fit::Nothing,
                Found::Vacant(_) => bytes = bytes.saturating_add(bytes_of(other.key(row))),
            }
        }
        if bytes <= self.bytes_max { Fit::Keys } else { Fit::Nothing }
    }

    /// Counts what `other` has counted; whether it fits. If it does not, nothing has changed.
    pub(super) fn merge(&mut self, other: &Exact) -> bool {
        match self.fit(other) {
            Fit::Keys => other.rows.iter().all(|row| self.add(row.hash, other.key(row), row.count)),
            Fit::Nothing => false,
        }
    }

    /// Whether each of `other`'s counts is within these.
    pub(super) fn covers(&self, other: &Exact) -> bool {
        other.rows.iter().all(|row| {
            self.row(row.hash, other.key(row)).is_some_and(|ours| ours.count >= row.count)
        })
    }

    /// Takes away counts that these [cover](Exact::covers). A key whose count is 0 then is
    /// forgotten.
    pub(super) fn subtract(&mut self, other: &Exact) {
        let mut rest = Exact::new(self.bytes_max);
        for row in &self.rows {
            let key = self.key(row);
            let gone = other.row(row.hash, key).map_or(0, |gone| gone.count);
            rest.add(row.hash, key, row.count.saturating_sub(gone));
        }
        *self = rest;
    }

    /// The rows in the order of their keys, those of one key in the order of their hashes: nothing
    /// shows in which order they came.
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

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
            + self.tags.capacity() * size_of::<u32>()
            + self.keys.capacity()
            + self.index.heap_bytes()
    }
}

/// The keys in their order, with their counts.
impl fmt::Debug for Exact {
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

/// What a key is charged.
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
            let mut exact = Exact::new(100_000);
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
        let mut exact = Exact::new(1000);
        assert!(exact.add(7, b"a", 3));
        assert!(!exact.add(7, b"b", 5));
        assert_eq!(exact.estimate(7, b"a"), Estimate::exact(3));
        assert_eq!(exact.estimate(7, b"b"), Estimate { value: 3, lower: 0, upper: 3 });
        assert_eq!(exact.estimate(8, b"a"), Estimate::exact(0));
        let mut other = Exact::new(1000);
        assert!(other.add(7, b"b", 1) && other.add(9, b"c", 1));
        assert!(!exact.merge(&other) && exact.rows().len() == 1);
    }
}
