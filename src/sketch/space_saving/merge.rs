//! Cutting the table back, and bringing two of them together.

use super::{ROWS_PER_COUNTER, Row, SpaceSaving};
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use std::borrow::Borrow;
use std::cmp::Ordering;

/// Which row stays in a cut: the larger count, then the smaller error, then the smaller key. Nothing but what the rows hold decides.
fn by_claim<T: Ord>(a: &Row<T>, b: &Row<T>) -> Ordering {
    b.count.cmp(&a.count).then(a.error.cmp(&b.error)).then_with(|| a.key.cmp(&b.key))
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Takes away all rows but the `capacity` best, and raises the floor to the largest count among those that go.
    #[cold]
    #[inline(never)]
    pub(super) fn cut(&mut self) {
        let stays = self.rows_that_stay(self.capacity);
        let gone = self.rows.iter().zip(&stays).filter(|(_, stays)| !**stays);
        let floor = gone.clone().map(|(row, _)| row.count).max().unwrap_or(0);
        self.filter.raise(floor.max(self.filter.floor()), self.capacity);
        for (row, _) in gone {
            self.filter.cover(K::stable_hash(row.key.borrow(), self.seed), row.count);
        }
        self.keep_rows(stays);
    }

    /// Takes away all rows but the `rows` best, and the filter's cells, so that the sketch takes fewer bytes; whether that changed anything.
    /// The capacity stays: more keys may get rows again.
    ///
    /// The bounds hold, and the error is at most `total / (rows + 1)` from then on; [`error_max`](SpaceSaving::error_max) says how large it is.
    /// O(rows).
    pub fn cut_to(&mut self, rows: usize) -> bool {
        let rows = rows.max(1);
        if self.rows.len() <= rows && !self.filter.has_cells() {
            return false;
        }
        let stays = self.rows_that_stay(rows);
        let gone = self.rows.iter().zip(&stays).filter(|(_, stays)| !**stays);
        let floor = gone.map(|(row, _)| row.count).max().unwrap_or(0);
        self.filter.give_up_cells(floor);
        self.keep_rows(stays);
        self.rows.shrink_to_fit();
        true
    }

    pub(super) fn keep_rows(&mut self, stays: Vec<bool>) {
        let mut next = 0;
        let renumbered: Vec<Option<u32>> = stays
            .iter()
            .map(|&stays| {
                let number = stays.then_some(next);
                next += u32::from(stays);
                number
            })
            .collect();
        self.index.renumber(&renumbered);
        let mut stays = stays.into_iter();
        self.rows.retain(|_| stays.next().unwrap_or(false));
        self.key_bytes = self.rows.iter().map(|row| K::heap_bytes(&row.key)).sum();
    }

    fn rows_that_stay(&self, keep: usize) -> Vec<bool> {
        if self.rows.len() <= keep {
            return vec![true; self.rows.len()];
        }
        let mut counts: Vec<u64> = self.rows.iter().map(|row| row.count).collect();
        let (_, &mut edge, _) = counts.select_nth_unstable_by(keep, |a, b| b.cmp(a));
        let mut stays: Vec<bool> = self.rows.iter().map(|row| row.count > edge).collect();
        let above = stays.iter().filter(|stays| **stays).count();
        let mut ties: Vec<u32> = (0u32..).zip(&self.rows).filter(|(_, row)| row.count == edge).map(|(number, _)| number).collect();
        let room = keep - above;
        if room < ties.len() {
            ties.select_nth_unstable_by(room, |&a, &b| by_claim(&self.rows[a as usize], &self.rows[b as usize]));
        }
        for &number in ties.iter().take(room) {
            stays[number as usize] = true;
        }
        stays
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
        let known = self.rows.len();
        for row in &other.rows {
            let key: &K = row.key.borrow();
            let hash = key.stable_hash(self.table_seed);
            match self.find(key, hash) {
                super::Found::Row(place) => {
                    let ours = &mut self.rows[place];
                    ours.count = ours.count.saturating_add(row.count);
                    ours.error = ours.error.saturating_add(row.error);
                }
                super::Found::Vacant(place) => {
                    let bound = self.bound(key);
                    self.index.enter(place, hash, self.rows.len());
                    let (count, error) = (row.count.saturating_add(bound), row.error.saturating_add(bound));
                    self.key_bytes += K::heap_bytes(&row.key);
                    self.rows.push(Row { key: row.key.clone(), count, error });
                }
            }
        }
        if !other.is_exact() {
            for row in self.rows.iter_mut().take(known) {
                let key: &K = row.key.borrow();
                if other.row(key).is_none() {
                    let bound = other.bound(key);
                    row.count = row.count.saturating_add(bound);
                    row.error = row.error.saturating_add(bound);
                }
            }
        }
        self.filter.merge(&other.filter);
        self.total = self.total.saturating_add(other.total);
        if self.rows.len() > self.capacity * ROWS_PER_COUNTER {
            self.cut();
        }
        Ok(())
    }
}
