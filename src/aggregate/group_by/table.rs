//! The groups of an accumulator: rows in a vector, and an index from the hash of a key to its row.
//!
//! A table of many rows grows without reading one: the index has a part of each hash, and the
//! memory of a large vector is usually extended in its place. So a row may be wide, and empty slots
//! cost only the index.

mod index;

use crate::hash::HashKeys;
use crate::sketch::prefetch::prefetch;
use hashbrown::Equivalent;
use index::Index;
use std::fmt;
use std::hash::{BuildHasher, Hash};

/// Maximum number of rows: their numbers have 32 bits.
pub(super) const ROWS_MAX: usize = u32::MAX as usize;

/// Up to this number of rows the vector doubles. Past that it grows by a quarter.
const ROWS_DOUBLED_MAX: usize = 1 << 12;

/// A map from keys to values, in the order in which the keys were inserted if none was removed.
#[derive(Clone)]
pub(super) struct Table<K, V> {
    index: Index,
    rows: Vec<(K, V)>,
    hash_keys: HashKeys,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { index: Index::default(), rows: Vec::new(), hash_keys: HashKeys::default() }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K, V> Table<K, V> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.rows.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.rows.iter().map(|(key, _)| key)
    }

    pub(super) fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.rows.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut V> {
        self.rows.iter_mut().map(|(_, value)| value)
    }

    pub(super) fn into_rows(self) -> Vec<(K, V)> {
        self.rows
    }

    /// Returns the bytes of a table with this number of rows, without what keys and values have on
    /// the heap.
    pub(super) fn bytes(rows: usize) -> usize {
        rows * size_of::<(K, V)>() + index::slots(rows) * size_of::<u64>()
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    /// Returns the part of the hash of a key that the index has.
    #[inline(always)]
    pub(super) fn tag_of<Q: Hash + ?Sized>(&self, key: &Q) -> u32 {
        (self.hash_keys.hash_one(key) >> 32) as u32
    }

    #[inline(always)]
    fn row_of<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<usize> {
        self.row_of_tag(self.tag_of(key), key)
    }

    #[inline(always)]
    fn row_of_tag<Q: Equivalent<K> + ?Sized>(&self, tag: u32, key: &Q) -> Option<usize> {
        self.index.find(tag, |row| self.rows.get(row).is_some_and(|(kept, _)| key.equivalent(kept)))
    }

    #[inline(always)]
    pub(super) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        let row = self.row_of(key)?;
        self.rows.get(row).map(|(_, value)| value)
    }

    #[inline(always)]
    pub(super) fn get_mut<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        self.get_mut_of_tag(self.tag_of(key), key)
    }

    /// As [`get_mut`](Table::get_mut), given the [tag](Table::tag_of) of the key.
    #[inline(always)]
    pub(super) fn get_mut_of_tag<Q: Equivalent<K> + ?Sized>(
        &mut self,
        tag: u32,
        key: &Q,
    ) -> Option<&mut V> {
        let row = self.row_of_tag(tag, key)?;
        self.rows.get_mut(row).map(|(_, value)| value)
    }

    /// Asks the CPU to load the place of a key in the index.
    #[inline(always)]
    pub(super) fn prefetch_place<Q: Hash + ?Sized>(&self, key: &Q) {
        self.index.prefetch(self.tag_of(key));
    }

    /// Asks the CPU to load the row of a key, if there is one.
    #[inline(always)]
    pub(super) fn prefetch_row<Q: Hash + ?Sized>(&self, key: &Q) {
        // Keys of the same tag are rare, so the first one is usually the wanted one.
        if let Some(row) = self.index.find(self.tag_of(key), |_| true) {
            prefetch(&self.rows, row);
        }
    }

    pub(super) fn contains_key<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> bool {
        self.row_of(key).is_some()
    }

    /// Inserts a key, or replaces its value.
    pub(super) fn insert(&mut self, key: K, value: V) {
        match self.get_mut(&key) {
            Some(known) => *known = value,
            None => self.insert_new(key, value),
        }
    }

    /// Inserts a key that is not in the table.
    pub(super) fn insert_new(&mut self, key: K, value: V) {
        self.insert_of_tag(self.tag_of(&key), key, value);
    }

    /// As [`insert_new`](Table::insert_new), given the [tag](Table::tag_of) of the key.
    pub(super) fn insert_of_tag(&mut self, tag: u32, key: K, value: V) {
        self.index.insert(tag, self.rows.len());
        if self.rows.len() == self.rows.capacity() && self.rows.len() >= ROWS_DOUBLED_MAX {
            self.rows.reserve_exact(self.rows.len() / 4);
        }
        self.rows.push((key, value));
    }

    /// Removes a key. The last row takes its place.
    pub(super) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) {
        let Some(row) = self.row_of(key) else { return };
        self.index.remove(self.tag_of(key), row);
        let last = self.rows.len() - 1;
        if let Some((key, _)) = self.rows.last()
            && row != last
        {
            self.index.renumber(self.tag_of(key), last, row);
        }
        self.rows.swap_remove(row);
    }

    /// Removes and returns the rows for which `is_wanted` returns true.
    pub(super) fn extract_if(&mut self, is_wanted: impl Fn(&K) -> bool) -> Vec<(K, V)> {
        let rows = std::mem::take(&mut self.rows);
        let (wanted, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(key, _)| is_wanted(key));
        self.index.clear();
        others.into_iter().for_each(|(key, value)| self.insert_new(key, value));
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u32),
        Remove(u8),
        Extract(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (any::<u8>(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
            3 => any::<u8>().prop_map(Step::Remove),
            1 => any::<u8>().prop_map(Step::Extract),
        ];
        prop::collection::vec(step, 0..400)
    }

    proptest! {
        #[test]
        fn a_table_is_a_map(steps in steps()) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        table.insert(key, value);
                        map.insert(key, value);
                    }
                    Step::Remove(key) => {
                        table.remove(&key);
                        map.remove(&key);
                    }
                    Step::Extract(above) => {
                        let taken: BTreeMap<_, _> =
                            table.extract_if(|key| *key > above).into_iter().collect();
                        let expected: BTreeMap<_, _> =
                            map.extract_if(.., |key, _| *key > above).collect();
                        prop_assert_eq!(taken, expected);
                    }
                }
                for key in 0..=255 {
                    prop_assert_eq!(table.get(&key), map.get(&key));
                    prop_assert_eq!(table.contains_key(&key), map.contains_key(&key));
                }
                prop_assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
            }
            let rows: BTreeMap<_, _> = table.iter().map(|(key, value)| (*key, *value)).collect();
            prop_assert_eq!(&rows, &map);
            prop_assert_eq!(table.into_rows().len(), map.len());
        }
    }
}
