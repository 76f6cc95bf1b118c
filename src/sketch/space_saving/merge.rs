//! Cutting the table to its capacity, and merging two tables.

use super::{Filter, Lookup, Parts, Row, SpaceSaving};
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use std::borrow::Borrow;
use std::cmp::Ordering;

/// The number of keys whose rows are prefetched before the first of them is looked up.
const BATCH: usize = 32;

/// The counts above the floor that a cut counts one by one.
const NEAR: usize = 64;

/// The order in which rows survive a cut: the larger count, then the smaller error, then the
/// smaller key. It depends only on the content of the rows.
fn by_claim<T: Ord>(a: Row<'_, T>, b: Row<'_, T>) -> Ordering {
    b.count.cmp(&a.count).then(a.error.cmp(&b.error)).then_with(|| a.key.cmp(b.key))
}

/// Returns the count that comes after the `keep` largest, if it is a little above the floor: as a
/// rule it is, and then counting the rows of each such count is enough. There are more counts than
/// `keep`.
fn edge_near(counts: &[u64], floor: u64, keep: usize) -> Option<u64> {
    // Rows of one count follow each other. In turns, no addition waits for the one before.
    let mut rows = [[0u32; NEAR + 1]; 4];
    for counts in counts.chunks(rows.len()) {
        for (rows, &count) in rows.iter_mut().zip(counts) {
            rows[count.saturating_sub(floor).min(NEAR as u64) as usize] += 1;
        }
    }
    let rows_of = |above: usize| rows.iter().map(|rows| rows[above] as usize).sum::<usize>();
    let mut larger = rows_of(NEAR);
    if larger > keep {
        return None;
    }
    // A count of 0 above the floor may also be below it.
    (1..NEAR)
        .rev()
        .find(|&above| {
            larger += rows_of(above);
            larger > keep
        })
        .map(|above| floor + above as u64)
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Removes all rows but the `capacity` best, and raises the floor to the largest removed count.
    #[cold]
    #[inline(never)]
    pub(super) fn cut(&mut self) {
        let (stays, floor) = self.rows_that_stay(self.capacity);
        self.filter.raise(floor.max(self.filter.floor()), self.capacity);
        let seed = self.seed;
        self.keep_rows(&stays, |filter, row| {
            filter.cover(K::stable_hash(row.key.borrow(), seed), row.count)
        });
    }

    /// Removes all rows but the `rows` best (at least one), and the filter's cells, so that the
    /// sketch takes fewer bytes. Returns true if the sketch changed. The capacity stays the same:
    /// more keys may get rows later.
    ///
    /// The bounds still hold. From then on the error is at most `total / (rows + 1)`;
    /// [`error_max`](SpaceSaving::error_max) returns the present one. O(rows).
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(1_000)?;
    /// for (page, count) in [("/a", 50), ("/b", 30), ("/c", 1), ("/d", 1)] {
    ///     pages.add(page, count);
    /// }
    /// assert!(!pages.cut_to(4)); // nothing to remove
    /// assert!(pages.cut_to(2));
    /// assert_eq!((pages.len(), pages.error_max()), (2, 1));
    /// assert_eq!(pages.estimate("/c").upper, 1); // without a row, but within the bound
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn cut_to(&mut self, rows: usize) -> bool {
        self.bury();
        let rows = rows.max(1);
        if self.rows.len() <= rows && !self.filter.has_cells() {
            return false;
        }
        let (stays, floor) = self.rows_that_stay(rows);
        self.filter.give_up_cells(floor);
        self.keep_rows(&stays, |_, _| ());
        self.rows.shrink_to_fit();
        true
    }

    /// Keeps the rows that stay, in their order. Calls `goes` with each other row before it is
    /// removed.
    pub(super) fn keep_rows(
        &mut self,
        stays: &[bool],
        mut goes: impl FnMut(&mut Filter, Row<'_, K::Owned>),
    ) {
        let gone = (0..).zip(stays).filter(|(_, stays)| !**stays);
        for row in gone.filter_map(|(number, _)| self.rows.get(number)) {
            self.key_bytes -= K::heap_bytes(row.key);
            goes(&mut self.filter, row);
        }
        self.rows.keep(stays);
        self.index.rebuild(self.rows.tags());
    }

    /// Returns which rows are the `keep` best, and the largest count of the other rows.
    fn rows_that_stay(&self, keep: usize) -> (Vec<bool>, u64) {
        if self.rows.len() <= keep {
            return (vec![true; self.rows.len()], 0);
        }
        let counts = self.rows.counts();
        let edge = edge_near(counts, self.filter.floor(), keep)
            .unwrap_or_else(|| *counts.to_vec().select_nth_unstable_by(keep, |a, b| b.cmp(a)).1);
        let mut stays: Vec<bool> = counts.iter().map(|&count| count > edge).collect();
        let above = stays.iter().map(|&stays| usize::from(stays)).sum::<usize>();
        let mut ties: Vec<u32> = (0u32..)
            .zip(counts)
            .filter(|&(_, &count)| count == edge)
            .map(|(number, _)| number)
            .collect();
        let room = keep - above;
        if room < ties.len() {
            let row = |number: u32| self.rows.get(number as usize);
            ties.select_nth_unstable_by(room, |&a, &b| {
                row(a).zip(row(b)).map_or(Ordering::Equal, |(a, b)| by_claim(a, b))
            });
        }
        for &number in ties.iter().take(room) {
            stays[number as usize] = true;
        }
        // The row at the edge does not stay: it is the best of the other rows.
        (stays, edge)
    }

    /// Adds the counts of `other`. The bounds are those of one sketch of both streams. O(rows of
    /// both).
    ///
    /// If both are exact and together have at most twice the capacity in distinct keys, the result
    /// is exact too. It is then the same for every way of splitting the records.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the capacities or the seeds differ.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut ours = SpaceSaving::<str>::with_capacity(100)?;
    /// let mut theirs = SpaceSaving::<str>::with_capacity(100)?;
    /// ours.add("/a", 2);
    /// theirs.add("/a", 3);
    /// theirs.add("/b", 4);
    /// ours.merge(&theirs)?;
    /// assert_eq!((ours.estimate("/a").value, ours.estimate("/b").value), (5, 4));
    /// assert!(ours.merge(&SpaceSaving::with_capacity(50)?).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.capacity != other.capacity {
            let (ours, theirs) = (self.capacity, other.capacity);
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("a top-k of {ours} counters cannot be merged with one of {theirs}"),
            ));
        }
        if self.seed != other.seed {
            let (ours, theirs) = (self.seed, other.seed);
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("a top-k with {ours:?} cannot be merged with one with {theirs:?}"),
            ));
        }
        if self.rows.is_empty() && self.is_exact() && other.dead() == 0 {
            (self.rows, self.index, self.key_bytes) =
                (other.rows.clone(), other.index.clone(), other.key_bytes);
            if let Some(parts) = &mut self.parts {
                parts.enter((0..other.rows.len() as u32).collect());
            }
        } else {
            self.merge_rows(other);
        }
        self.filter.merge(&other.filter);
        self.total = self.total.saturating_add(other.total);
        if self.len() > self.rows_max() {
            self.bury();
            self.parts = None;
            self.cut();
        }
        Ok(())
    }

    /// Prefetches what the lookups of keys with these tags read: the index buckets of the second
    /// and later batches, and the rows of the first batch. The buckets of the first batch were
    /// prefetched by the call before.
    #[inline]
    fn prefetch_rows(&self, tags: &[u32]) {
        let (rows, index) = tags.split_at(tags.len().min(BATCH));
        index.iter().take(BATCH).for_each(|tag| self.index.prefetch(*tag));
        for row in rows.iter().filter_map(|tag| self.index.first_alike(*tag)) {
            self.rows.prefetch(row);
        }
    }

    /// Adds the counts of `other`. For a key that has a row in only one of both, adds the bound of
    /// the other.
    fn merge_rows(&mut self, other: &Self) {
        let known = self.rows.len();
        let mut parts = self.parts.take();
        let places = self.add_rows(other, parts.as_deref_mut());
        // Only a part whose rows are all known can be subtracted again.
        self.parts = parts.zip(places).map(|(mut parts, places)| {
            parts.enter(places);
            parts
        });
        if !other.is_exact() {
            self.add_bounds(other, known);
        }
    }

    /// Adds the rows of `other`. For a merge of parts, returns the row to which each of them was
    /// added, or `None` if one of them was added to no row.
    fn add_rows(&mut self, other: &Self, mut parts: Option<&mut Parts>) -> Option<Vec<u32>> {
        let dead = other.dead();
        let mut places = parts.as_ref().map(|_| Vec::with_capacity(other.rows.len()));
        let tags = other.rows.tags();
        tags.iter().take(BATCH).for_each(|tag| self.index.prefetch(*tag));
        self.prefetch_rows(tags);
        for (number, (row, &tag)) in other.rows.iter().zip(tags).enumerate() {
            if number % BATCH == 0 {
                self.prefetch_rows(tags.get(number + BATCH..).unwrap_or_default());
            }
            if row.count == 0 && dead > 0 {
                // A dead row of `other`: there is nothing to add.
                places = None;
                continue;
            }
            let key: &K = row.key.borrow();
            let place = match self.find(&key, tag) {
                Lookup::Row(place) => {
                    if let Some(parts) = &mut parts {
                        parts.revive(self.rows.counts(), place);
                    }
                    self.rows.add(place, (row.count, row.error));
                    place
                }
                Lookup::Vacant(place) => self.enter_copy(row, (place, tag), parts.as_deref_mut()),
            };
            places.iter_mut().for_each(|places| places.push(place as u32));
        }
        places
    }

    /// Enters a row of another sketch for a key that has no row here. Reuses a dead row if there
    /// are enough of them. Returns the number of the row.
    fn enter_copy(
        &mut self,
        row: Row<'_, K::Owned>,
        (place, tag): (usize, u32),
        parts: Option<&mut Parts>,
    ) -> usize {
        let bound = self.bound(row.key.borrow());
        let (count, error) = (row.count.saturating_add(bound), row.error.saturating_add(bound));
        let dead = parts.filter(|_| error == 0).and_then(|parts| parts.reuse(self.rows.counts()));
        let Some((number, next)) = dead else {
            self.enter(row.key.clone(), (place, tag), (count, error));
            return self.rows.len() - 1;
        };
        if let Some(&old) = self.rows.tags().get(number) {
            self.index.remove(old, number);
        }
        if let Some(&tag) = self.rows.tags().get(next) {
            self.index.prefetch(tag);
            self.rows.prefetch(next);
        }
        self.key_bytes += K::heap_bytes(row.key);
        if let Some(old) = self.rows.replace(number, tag, row.key.clone(), count) {
            self.key_bytes -= K::heap_bytes(&old);
        }
        self.index.enter(place, number, self.rows.tags());
        number
    }

    /// Adds the bound of `other` to those of the first `known` rows whose key has no row there.
    fn add_bounds(&mut self, other: &Self, known: usize) {
        for number in 0..known {
            let Some((row, &tag)) = self.rows.get(number).zip(self.rows.tags().get(number)) else {
                return;
            };
            let key: &K = row.key.borrow();
            if let Lookup::Vacant(_) = other.find(&key, tag) {
                let bound = other.bound(key);
                self.rows.add(number, (bound, bound));
            }
        }
    }
}
