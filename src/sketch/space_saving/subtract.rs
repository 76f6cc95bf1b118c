//! Taking back what was merged, while all counts are exact.

use super::{Found, SpaceSaving};
use crate::key::Key;
use std::borrow::Borrow;

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Takes out what `part`, merged into this sketch before, has seen: the rows are then those of a sketch that never saw it. `false` if that
    /// cannot be done, because one of both is not exact or `part` was not merged; the sketch is then of no further use. O(rows of both).
    pub(crate) fn subtract(&mut self, part: &Self) -> bool {
        if !self.is_exact() || !part.is_exact() || self.saturated() {
            return false;
        }
        let mut gone = false;
        for row in &part.rows {
            let key: &K = row.key.borrow();
            let Found::Row(place) = self.find(key, self.tag(key)) else { return false };
            let Some(ours) = self.rows.get_mut(place) else { return false };
            let Some(rest) = ours.count.checked_sub(row.count) else { return false };
            ours.count = rest;
            gone |= rest == 0;
        }
        self.total = self.total.saturating_sub(part.total);
        if gone {
            let stays: Vec<bool> = self.rows.iter().map(|row| row.count > 0).collect();
            self.keep_rows(&stays, |_, _| {});
        }
        true
    }
}
