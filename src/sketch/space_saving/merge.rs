//! Cutting the table back, and bringing two of them together.

use super::{Filter, Found, Parts, Row, SpaceSaving};
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use std::borrow::Borrow;
use std::cmp::Ordering;

/// Keys whose rows are brought close at once, before the first of them is looked up.
const BATCH: usize = 32;

/// Which row stays in a cut: the larger count, then the smaller error, then the smaller key.
/// Nothing but what the rows hold decides.
fn by_claim<T: Ord>(a: Row<'_, T>, b: Row<'_, T>) -> Ordering {
    b.count.cmp(&a.count).then(a.error.cmp(&b.error)).then_with(|| a.key.cmp(b.key))
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Takes away all rows but the `capacity` best, and raises the floor to the largest count among
    /// those that go.
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

    /// Takes away all rows but the `rows` best, and the filter's cells, so that the sketch takes
    /// fewer bytes; whether that changed anything. The capacity stays: more keys may get rows
    /// again.
    ///
    /// The bounds hold, and the error is at most `total / (rows + 1)` from then on;
    /// [`error_max`](SpaceSaving::error_max) says how large it is. O(rows).
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

    /// Keeps the rows that stay, in their order, and calls `goes` with each other one before it is
    /// gone.
    pub(super) fn keep_rows(
        &mut self,
        stays: &[bool],
        mut goes: impl FnMut(&mut Filter, Row<'_, K::Owned>),
    ) {
        for (row, _) in self.rows.iter().zip(stays).filter(|(_, stays)| !**stays) {
            self.key_bytes -= K::heap_bytes(row.key);
            goes(&mut self.filter, row);
        }
        self.rows.keep(stays);
        self.index.rebuild(self.rows.tags());
    }

    /// Which rows are the `keep` best, and the largest count of those that are not.
    fn rows_that_stay(&self, keep: usize) -> (Vec<bool>, u64) {
        if self.rows.len() <= keep {
            return (vec![true; self.rows.len()], 0);
        }
        let counts = self.rows.counts();
        let (_, &mut edge, _) = counts.to_vec().select_nth_unstable_by(keep, |a, b| b.cmp(a));
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
        // The row at the edge goes: it is the next best after those that stay.
        (stays, edge)
    }

    /// Adds what `other` has seen. The bounds are those of a sketch of both streams. O(rows of
    /// both).
    ///
    /// While both together hold no more than twice the capacity in distinct keys and both are
    /// exact, so is the result, and it is the same whichever way the records were split.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the capacities or the seeds differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.capacity != other.capacity {
            let (ours, theirs) = (self.capacity, other.capacity);
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("a top-k of {ours} counters does not go with one of {theirs}"),
            ));
        }
        if self.seed != other.seed {
            let (ours, theirs) = (self.seed, other.seed);
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("a top-k under {ours:?} does not go with one under {theirs:?}"),
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

    /// Brings close what keys of these tags are looked up by from the second batch on, and of the
    /// first one the rows that they may have. What leads to a row was brought close with the batch
    /// before.
    #[inline]
    fn prefetch_rows(&self, tags: &[u32]) {
        let (rows, index) = tags.split_at(tags.len().min(BATCH));
        index.iter().take(BATCH).for_each(|tag| self.index.prefetch(*tag));
        for row in rows.iter().filter_map(|tag| self.index.first_alike(*tag)) {
            self.rows.prefetch(row);
        }
    }

    /// Adds the other's counts, and what it can have seen of keys for which only one of both has a
    /// row.
    fn merge_rows(&mut self, other: &Self) {
        let known = self.rows.len();
        let mut parts = self.parts.take();
        let places = self.add_rows(other, parts.as_deref_mut());
        // Only a part of which every row is known can be taken out again.
        self.parts = parts.zip(places).map(|(mut parts, places)| {
            parts.enter(places);
            parts
        });
        if !other.is_exact() {
            self.add_bounds(other, known);
        }
    }

    /// Adds the other's rows. Where this is a merge of parts: to which rows each of them went,
    /// unless one went nowhere.
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
                // Dead in the other: there is nothing to add.
                places = None;
                continue;
            }
            let key: &K = row.key.borrow();
            let place = match self.find(key, tag) {
                Found::Row(place) => {
                    if let Some(parts) = &mut parts {
                        parts.revive(self.rows.counts(), place);
                    }
                    self.rows.add(place, (row.count, row.error));
                    place
                }
                Found::Vacant(place) => self.enter_copy(row, (place, tag), parts.as_deref_mut()),
            };
            places.iter_mut().for_each(|places| places.push(place as u32));
        }
        places
    }

    /// Enters another's row for a key that has none here, instead of a dead one if there are
    /// enough; which row it is.
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

    /// Adds what the other can have seen of those of the first `known` keys for which it has no
    /// row.
    fn add_bounds(&mut self, other: &Self, known: usize) {
        for number in 0..known {
            let Some((row, &tag)) = self.rows.get(number).zip(self.rows.tags().get(number)) else {
                return;
            };
            let key: &K = row.key.borrow();
            if let Found::Vacant(_) = other.find(key, tag) {
                let bound = other.bound(key);
                self.rows.add(number, (bound, bound));
            }
        }
    }
}
