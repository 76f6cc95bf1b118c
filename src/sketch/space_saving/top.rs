//! The answers: the heaviest keys in order, and which of them are certain.

use super::{Row, SpaceSaving};
use crate::key::Key;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A key of the top, with its count and the bounds of that.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopRow<K> {
    /// The key.
    pub key: K,
    /// How often it came, or a little less: equal to `upper`.
    pub count: u64,
    /// It came no less often, for certain.
    pub lower: u64,
    /// It came no more often, for certain.
    pub upper: u64,
    /// Whether it is one of the true top `k`, for certain.
    pub guaranteed: bool,
}

impl<K> TopRow<K> {
    /// Whether the count is exact: both bounds are it.
    pub fn is_exact(&self) -> bool {
        self.lower == self.upper
    }
}

/// The order of answers: the larger count first, then the smaller key.
fn by_rank<T: Ord>(a: (u64, &T), b: (u64, &T)) -> Ordering {
    b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1))
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// The `k` keys of the largest counts, in descending order, equal counts by ascending key. O(rows + k log k).
    ///
    /// There are fewer only if fewer keys have a row.
    pub fn top(&self, k: usize) -> Vec<TopRow<K::Owned>> {
        let mut ranked = self.first_in_rank(k.saturating_add(1));
        ranked.sort_unstable_by(|a, b| by_rank((a.count, &a.key), (b.count, &b.key)));
        let next = if k < ranked.len() { ranked.pop() } else { None };
        let unseen = self.filter.bound_max();
        let guaranteed = |row: &Row<K::Owned>| {
            let lower = row.count - row.error;
            // Nobody outside of the answer has a larger upper bound than the next row or the keys without one. If neither can come
            // before this key then at most `k - 1` others can.
            let before_next = next.is_none_or(|next| by_rank((lower, &row.key), (next.count, &next.key)) == Ordering::Less);
            before_next && (lower > unseen || self.is_exact())
        };
        let answer = |row: &&Row<K::Owned>| TopRow {
            key: row.key.clone(),
            count: row.count,
            lower: row.count - row.error,
            upper: row.count,
            guaranteed: guaranteed(row),
        };
        ranked.iter().map(answer).collect()
    }

    /// The `n` rows that come first, in no order. Keys are looked at only where counts are equal at the edge.
    fn first_in_rank(&self, n: usize) -> Vec<&Row<K::Owned>> {
        let dead = self.dead();
        let living = self.rows.iter().filter(move |row| row.count > 0 || dead == 0);
        if n >= self.len() {
            return living.collect();
        }
        // The `n` largest counts so far, and the rows that were among the first when they came.
        let mut largest = BinaryHeap::with_capacity(n);
        let mut candidates = Vec::with_capacity(n);
        let mut edge = 0;
        for row in living {
            if row.count < edge {
                continue;
            }
            candidates.push(row);
            if largest.len() == n {
                largest.pop();
            }
            largest.push(Reverse(row.count));
            if largest.len() == n {
                edge = largest.peek().map_or(0, |Reverse(count)| *count);
            }
        }
        let (mut first, mut ties): (Vec<_>, Vec<_>) =
            candidates.into_iter().filter(|row| row.count >= edge).partition(|row| row.count > edge);
        let room = n.saturating_sub(first.len());
        if room < ties.len() {
            ties.select_nth_unstable_by(room, |a, b| a.key.cmp(&b.key));
            ties.truncate(room);
        }
        first.extend(ties);
        first
    }

    /// Those of the [`top(k)`](SpaceSaving::top) that are among the true top `k` for certain.
    pub fn guaranteed_top(&self, k: usize) -> Vec<TopRow<K::Owned>> {
        let mut top = self.top(k);
        top.retain(|row| row.guaranteed);
        top
    }
}
