//! The rows of a table in columns: a scan of all counts reads nothing else.

use crate::sketch::prefetch::prefetch;

/// Up to this size in bytes, a key rarely crosses the end of a cache line.
const ALIGNED: usize = 16;

/// Rows by number: a key, its upper bound, and how much of the bound may belong to other keys.
#[derive(Clone)]
pub(super) struct Rows<T> {
    keys: Vec<T>,
    counts: Vec<u64>,
    /// Empty while all errors are 0.
    errors: Vec<u64>,
    /// The tag of each key's hash for the index, so that a rebuild hashes no key.
    tags: Vec<u32>,
}

/// One row.
pub(super) struct Row<'a, T> {
    pub(super) key: &'a T,
    pub(super) count: u64,
    pub(super) error: u64,
}

impl<T> Clone for Row<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Row<'_, T> {}

impl<T> Rows<T> {
    pub(super) fn new() -> Self {
        Rows { keys: Vec::new(), counts: Vec::new(), errors: Vec::new(), tags: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(super) fn keys(&self) -> &[T] {
        &self.keys
    }

    pub(super) fn tags(&self) -> &[u32] {
        &self.tags
    }

    pub(super) fn get(&self, number: usize) -> Option<Row<'_, T>> {
        let (key, &count) = self.keys.get(number).zip(self.counts.get(number))?;
        Some(Row { key, count, error: self.error(number) })
    }

    fn error(&self, number: usize) -> u64 {
        self.errors.get(number).copied().unwrap_or(0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_, T>> {
        self.keys.iter().zip(&self.counts).enumerate().map(|(number, (key, &count))| Row {
            key,
            count,
            error: self.error(number),
        })
    }

    #[inline]
    pub(super) fn push(&mut self, tag: u32, key: T, (count, error): (u64, u64)) {
        if error > 0 || !self.errors.is_empty() {
            self.begin_errors();
            self.errors.push(error);
        }
        self.keys.push(key);
        self.counts.push(count);
        self.tags.push(tag);
    }

    /// Asks the CPU to load a row into the cache.
    #[inline(always)]
    pub(super) fn prefetch(&self, number: usize) {
        prefetch(&self.keys, number);
        if size_of::<T>() > ALIGNED {
            // The key may reach into the next cache line, where the next key begins.
            prefetch(&self.keys, number + 1);
        }
        prefetch(&self.counts, number);
    }

    /// Creates the errors of all rows, so that errors other than 0 can be stored.
    #[inline]
    fn begin_errors(&mut self) {
        if self.errors.len() < self.len() {
            self.errors.resize(self.len(), 0);
        }
    }

    /// Adds to a row's count.
    #[inline(always)]
    pub(super) fn raise(&mut self, number: usize, weight: u64) {
        if let Some(count) = self.counts.get_mut(number) {
            *count = count.saturating_add(weight);
        }
    }

    /// Adds to a row's count and to its error.
    #[inline]
    pub(super) fn add(&mut self, number: usize, (count, error): (u64, u64)) {
        self.raise(number, count);
        if error > 0 {
            self.begin_errors();
            if let Some(own) = self.errors.get_mut(number) {
                *own = own.saturating_add(error);
            }
        }
    }

    /// Subtracts from a row's count and returns the rest. Returns `None` if the count is too small
    /// or there is no row with this number and tag.
    #[inline(always)]
    pub(super) fn take(&mut self, number: usize, tag: u32, weight: u64) -> Option<u64> {
        let count = self.counts.get_mut(number).filter(|_| self.tags.get(number) == Some(&tag))?;
        *count = count.checked_sub(weight)?;
        Some(*count)
    }

    /// Gives a row without errors to another key, and returns the old key.
    pub(super) fn replace(&mut self, number: usize, tag: u32, key: T, count: u64) -> Option<T> {
        *self.counts.get_mut(number)? = count;
        *self.tags.get_mut(number)? = tag;
        Some(std::mem::replace(self.keys.get_mut(number)?, key))
    }

    /// Keeps the rows for which `stays` is true, in order.
    pub(super) fn keep(&mut self, stays: &[bool]) {
        let mut kept: Vec<u32> = Vec::with_capacity(stays.len());
        kept.extend((0..).zip(stays).filter(|(_, stays)| **stays).map(|(number, _)| number));
        keep(&mut self.keys, &kept);
        keep(&mut self.counts, &kept);
        keep(&mut self.errors, &kept);
        keep(&mut self.tags, &kept);
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.keys.shrink_to_fit();
        self.counts.shrink_to_fit();
        self.errors.shrink_to_fit();
        self.tags.shrink_to_fit();
    }

    /// Returns the bytes on the heap, without those of the keys.
    pub(super) fn heap_bytes(&self) -> usize {
        let counters = self.counts.capacity() + self.errors.capacity();
        self.keys.capacity() * size_of::<T>()
            + counters * size_of::<u64>()
            + self.tags.capacity() * size_of::<u32>()
    }
}

/// Keeps the items with these ascending numbers. Does nothing if the column is empty.
fn keep<T>(column: &mut Vec<T>, kept: &[u32]) {
    if column.is_empty() {
        return;
    }
    for (to, from) in kept.iter().enumerate() {
        column.swap(to, *from as usize);
    }
    column.truncate(kept.len());
}
