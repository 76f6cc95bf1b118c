//! The parts of a merge that may be subtracted from.

use std::collections::VecDeque;

/// Where more than one row in so many is dead, a key without a row takes the place of a dead one.
const REUSED_FROM: usize = 8;

/// The parts of a merge, the first merged first.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// For each row of a part the number of the row it was merged into.
    pub(super) places: VecDeque<Vec<u32>>,
    /// How many rows are dead.
    pub(super) dead: usize,
    /// The row that is looked at next for one that is dead.
    next: usize,
}

impl Parts {
    pub(super) fn enter(&mut self, places: Vec<u32>) {
        self.places.push_back(places);
    }

    /// The row is about to count again, if it is dead.
    #[inline]
    pub(super) fn revive(&mut self, counts: &[u64], row: usize) {
        if counts.get(row) == Some(&0) {
            self.dead = self.dead.saturating_sub(1);
        }
    }

    /// A dead row, for another key, if enough of the rows of these counts are; and the one that is
    /// likely to be the next. Goes round: over time it looks at eight rows at most for one that it
    /// finds.
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

/// The first dead row from this one on, and round.
fn dead_from(row: usize, counts: &[u64]) -> Option<usize> {
    let (before, from) = counts.split_at(row.min(counts.len()));
    let is_dead = |count: &u64| *count == 0;
    from.iter()
        .position(is_dead)
        .map(|at| before.len() + at)
        .or_else(|| before.iter().position(is_dead))
}
