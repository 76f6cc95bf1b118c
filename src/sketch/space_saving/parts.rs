//! The merged parts of a sketch from which parts can be subtracted.

use std::collections::VecDeque;

/// Dead rows are reused if more than one row in this many is dead.
const REUSED_FROM: usize = 8;

/// The parts of a merge, in the order of merging.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// For each row of a part, the number of the row to which it was added.
    pub(super) places: VecDeque<Vec<u32>>,
    /// The number of dead rows.
    pub(super) dead: usize,
    /// The row at which the next search for a dead row begins.
    next: usize,
}

impl Parts {
    pub(super) fn enter(&mut self, places: Vec<u32>) {
        self.places.push_back(places);
    }

    /// Called before a row gets a count. Updates the number of dead rows if the row is dead.
    #[inline]
    pub(super) fn revive(&mut self, counts: &[u64], row: usize) {
        if counts.get(row) == Some(&0) {
            self.dead = self.dead.saturating_sub(1);
        }
    }

    /// Finds a dead row to reuse, and guesses the next one. Returns `None` unless more than one row
    /// in eight is dead. Scans round-robin: on average it reads at most eight rows per dead row.
    pub(super) fn reuse(&mut self, counts: &[u64]) -> Option<(usize, usize)> {
        if self.dead * REUSED_FROM <= counts.len() {
            return None;
        }
        let row = dead_from(self.next, counts)?;
        self.next = dead_from(row + 1, counts)?;
        self.dead -= 1;
        Some((row, self.next))
    }

    pub(super) fn resident_bytes(&self) -> usize {
        let places: usize = self.places.iter().map(Vec::capacity).sum();
        size_of::<Self>()
            + self.places.capacity() * size_of::<Vec<u32>>()
            + places * size_of::<u32>()
    }
}

/// Returns the first dead row from this row on, wrapping around at the end.
fn dead_from(row: usize, counts: &[u64]) -> Option<usize> {
    let (before, from) = counts.split_at(row.min(counts.len()));
    let is_dead = |count: &u64| *count == 0;
    from.iter()
        .position(is_dead)
        .map(|at| before.len() + at)
        .or_else(|| before.iter().position(is_dead))
}
