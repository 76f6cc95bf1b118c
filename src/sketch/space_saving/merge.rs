//! Cutting the table back, and bringing two of them together.

use super::{Filter, Found, Row, SpaceSaving};
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::sketch::prefetch::prefetch;
use std::borrow::Borrow;
use std::cmp::Ordering;

/// Keys whose rows are brought close at once, before the first of them is looked up.
const BATCH: usize = 32;

/// Which row stays in a cut: the larger count, then the smaller error, then the smaller key. Nothing but what the rows hold decides.
fn by_claim<T: Ord>(a: &Row<T>, b: &Row<T>) -> Ordering {
    b.count.cmp(&a.count).then(a.error.cmp(&b.error)).then_with(|| a.key.cmp(&b.key))
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Takes away all rows but the `capacity` best, and raises the floor to the largest count among those that go.
    #[cold]
    #[inline(never)]
    pub(super) fn cut(&mut self) {
        let (stays, floor) = self.rows_that_stay(self.capacity);
        self.filter.raise(floor.max(self.filter.floor()), self.capacity);
        let seed = self.seed;
        self.keep_rows(&stays, |filter, row| filter.cover(K::stable_hash(row.key.borrow(), seed), row.count));
    }

    /// Takes away all rows but the `rows` best, and the filter's cells, so that the sketch takes fewer bytes; whether that changed anything.
    /// The capacity stays: more keys may get rows again.
    ///
    /// The bounds hold, and the error is at most `total / (rows + 1)` from then on; [`error_max`](SpaceSaving::error_max) says how large it is.
    /// O(rows).
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

    /// Keeps the rows that stay, in their order, and calls `goes` with each other one before it is gone.
    pub(super) fn keep_rows(&mut self, stays: &[bool], mut goes: impl FnMut(&mut Filter, &Row<K::Owned>)) {
        let mut kept = 0;
        for (number, stays) in stays.iter().enumerate() {
            if *stays {
                self.rows.swap(kept, number);
                self.tags.swap(kept, number);
                kept += 1;
            } else if let Some(row) = self.rows.get(number) {
                self.key_bytes -= K::heap_bytes(&row.key);
                goes(&mut self.filter, row);
            }
        }
        self.rows.truncate(kept);
        self.tags.truncate(kept);
        self.index.rebuild(&self.tags);
    }

    /// Which rows are the `keep` best, and the largest count of those that are not.
    fn rows_that_stay(&self, keep: usize) -> (Vec<bool>, u64) {
        if self.rows.len() <= keep {
            return (vec![true; self.rows.len()], 0);
        }
        let counts: Vec<u64> = self.rows.iter().map(|row| row.count).collect();
        let (_, &mut edge, _) = counts.clone().select_nth_unstable_by(keep, |a, b| b.cmp(a));
        let mut stays: Vec<bool> = counts.iter().map(|&count| count > edge).collect();
        let above = stays.iter().map(|&stays| usize::from(stays)).sum::<usize>();
        let mut ties: Vec<u32> = (0u32..).zip(&counts).filter(|&(_, &count)| count == edge).map(|(number, _)| number).collect();
        let room = keep - above;
        if room < ties.len() {
            ties.select_nth_unstable_by(room, |&a, &b| by_claim(&self.rows[a as usize], &self.rows[b as usize]));
        }
        for &number in ties.iter().take(room) {
            stays[number as usize] = true;
        }
        // The row at the edge goes: it is the next best after those that stay.
        (stays, edge)
    }

    /// Adds what `other` has seen. The bounds are those of a sketch of both streams. O(rows of both).
    ///
    /// While both together hold no more than twice the capacity in distinct keys and both are exact, so is the result, and it is
    /// the same whichever way the records were split.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the capacities or the seeds differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.capacity != other.capacity {
            let (ours, theirs) = (self.capacity, other.capacity);
            return Err(Error::new(ErrorKind::Mismatch, format!("a top-k of {ours} counters does not go with one of {theirs}")));
        }
        if self.seed != other.seed {
            let (ours, theirs) = (self.seed, other.seed);
            return Err(Error::new(ErrorKind::Mismatch, format!("a top-k under {ours:?} does not go with one under {theirs:?}")));
        }
        if self.rows.is_empty() && self.is_exact() && other.dead() == 0 {
            (self.rows, self.tags) = (other.rows.clone(), other.tags.clone());
            (self.index, self.key_bytes) = (other.index.clone(), other.key_bytes);
            if let Some(parts) = &mut self.parts {
                parts.enter((0..other.rows.len() as u32).collect());
            }
        } else {
            self.merge_rows(other);
        }
        self.filter.merge(&other.filter);
        self.total = self.total.saturating_add(other.total);
        if self.rows.len() > self.rows_max() {
            self.bury();
        }
        if self.rows.len() > self.rows_max() {
            self.parts = None;
            self.cut();
        }
        Ok(())
    }

    /// Brings close the rows that keys of these tags may have, one after the other what leads to the next.
    #[inline]
    fn prefetch_rows(&self, tags: &[u32]) {
        tags.iter().for_each(|tag| self.index.prefetch(*tag));
        tags.iter().filter_map(|tag| self.index.first_alike(*tag)).for_each(|row| prefetch(&self.rows, row));
    }

    /// Adds the other's counts, and what it can have seen of keys for which only one of both has a row.
    fn merge_rows(&mut self, other: &Self) {
        let known = self.rows.len();
        let dead = other.dead();
        let mut parts = self.parts.take();
        let mut places = parts.as_ref().map(|_| Vec::with_capacity(other.rows.len()));
        for (number, (row, &tag)) in other.rows.iter().zip(&other.tags).enumerate() {
            if number % BATCH == 0
                && let Some(next) = other.tags.chunks(BATCH).nth(number / BATCH)
            {
                self.prefetch_rows(next);
            }
            if row.count == 0 && dead > 0 {
                // Dead in the other: there is nothing to add.
                places = None;
                continue;
            }
            let key: &K = row.key.borrow();
            let place = match self.find(key, tag) {
                Found::Row(place) => {
                    let ours = &mut self.rows[place];
                    if ours.count == 0
                        && let Some(parts) = &mut parts
                    {
                        parts.revive();
                    }
                    ours.count = ours.count.saturating_add(row.count);
                    ours.error = ours.error.saturating_add(row.error);
                    place
                }
                Found::Vacant(place) => {
                    let bound = self.bound(key);
                    self.enter(row.key.clone(), (place, tag), (row.count.saturating_add(bound), row.error.saturating_add(bound)));
                    self.rows.len() - 1
                }
            };
            places.iter_mut().for_each(|places| places.push(place as u32));
        }
        // Only a part of which every row is known can be taken out again.
        self.parts = parts.zip(places).map(|(mut parts, places)| {
            parts.enter(places);
            parts
        });
        if other.is_exact() {
            return;
        }
        for (row, &tag) in self.rows.iter_mut().zip(&self.tags).take(known) {
            let key: &K = row.key.borrow();
            if let Found::Vacant(_) = other.find(key, tag) {
                let bound = other.bound(key);
                row.count = row.count.saturating_add(bound);
                row.error = row.error.saturating_add(bound);
            }
        }
    }
}
