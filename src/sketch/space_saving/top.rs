//! The answers: the most frequent keys in order, and which of them are certain.

use super::{Row, SpaceSaving};
use crate::key::Key;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A row of the top: a key with its count and bounds.
///
/// # Example
/// ```
/// use streamgauge::sketch::SpaceSaving;
/// let mut pages = SpaceSaving::<str>::with_capacity(100)?;
/// pages.add_batch(["/a", "/b", "/a"]);
/// let top = &pages.top(1)[0];
/// assert_eq!((&*top.key, top.lower, top.count, top.upper), ("/a", 2, 2, 2));
/// assert!(top.guaranteed); // no other key can have come as often
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopRow<K> {
    /// The key.
    pub key: K,
    /// The estimated count, equal to `upper`. The true count may be lower.
    pub count: u64,
    /// The true count is not below this, for certain.
    pub lower: u64,
    /// The true count is not above this, for certain.
    pub upper: u64,
    /// True if the key certainly belongs to the true top `k`.
    pub guaranteed: bool,
}

impl<K> TopRow<K> {
    /// Returns true if the count is exact: both bounds are equal.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(10)?;
    /// pages.add(&7, 500);
    /// (0..1_000).for_each(|page| pages.add(&page, 1));
    /// let top = pages.top(2);
    /// assert!(top[0].key == 7 && top[0].is_exact()); // it came early and often
    /// assert!(!top[1].is_exact());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn is_exact(&self) -> bool {
        self.lower == self.upper
    }
}

/// The order of answers: the larger count first, then the smaller key.
fn by_rank<T: Ord>(a: (u64, &T), b: (u64, &T)) -> Ordering {
    b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1))
}

/// The number of counts that are compared at a time.
const CHUNK: usize = 16;

/// Returns true if all counts are below the edge. Also returns false if a count is 2^63 or more.
/// Tests whether each difference is negative, without a branch, for vector registers.
#[inline]
fn all_below(counts: &[u64], edge: u64) -> bool {
    let negative =
        counts.iter().fold(u64::MAX, |all, &count| all & count.wrapping_sub(edge) & !count);
    edge < 1 << 63 && negative >> 63 == 1
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Returns the `k` keys with the largest counts, in descending order; equal counts by ascending
    /// key. O(rows + k log k).
    ///
    /// The result is shorter only if fewer keys have a row.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(100)?;
    /// pages.add_batch(["/c", "/b", "/a", "/c"]);
    /// let keys = |k| pages.top(k).iter().map(|row| row.key.to_string()).collect::<Vec<_>>();
    /// assert_eq!(keys(2), ["/c", "/a"]); // equal counts by key
    /// assert_eq!(keys(10).len(), 3); // only three keys came
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn top(&self, k: usize) -> Vec<TopRow<K::Owned>> {
        let mut ranked = self.first_in_rank(k.saturating_add(1));
        ranked.sort_unstable_by(|a, b| by_rank((a.count, a.key), (b.count, b.key)));
        let next = if k < ranked.len() { ranked.pop() } else { None };
        let unseen = self.filter.bound_max();
        let guaranteed = |row: &Row<'_, K::Owned>| {
            let lower = row.count - row.error;
            // Outside the answer, the largest upper bound is that of the next row or of keys
            // without a row. If neither can come before this key, at most `k - 1` other keys can.
            let before_next = next.is_none_or(|next| {
                by_rank((lower, row.key), (next.count, next.key)) == Ordering::Less
            });
            before_next && (lower > unseen || self.is_exact())
        };
        let answer = |row: &Row<'_, K::Owned>| TopRow {
            key: row.key.clone(),
            count: row.count,
            lower: row.count - row.error,
            upper: row.count,
            guaranteed: guaranteed(row),
        };
        ranked.iter().map(answer).collect()
    }

    /// Returns the `n` rows that come first, in no order. Compares keys only if counts are equal at
    /// the edge.
    fn first_in_rank(&self, n: usize) -> Vec<Row<'_, K::Owned>> {
        let dead = self.dead();
        if n >= self.len() {
            return self.rows.iter().filter(|row| row.count > 0 || dead == 0).collect();
        }
        // The `n` largest counts so far, and the rows that were among the first `n` when they were
        // read.
        let mut largest = BinaryHeap::with_capacity(n);
        let mut candidates = Vec::with_capacity(n);
        let mut edge = 0;
        for (chunk, counts) in self.rows.counts().chunks(CHUNK).enumerate() {
            if all_below(counts, edge) {
                continue;
            }
            for (number, &count) in (chunk * CHUNK..).zip(counts) {
                if count < edge || (count == 0 && dead > 0) {
                    continue;
                }
                candidates.push(number);
                if largest.len() == n {
                    largest.pop();
                }
                largest.push(Reverse(count));
                if largest.len() == n {
                    edge = largest.peek().map_or(0, |Reverse(count)| *count);
                }
            }
        }
        let (mut first, mut ties): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .filter_map(|number| self.rows.get(number))
            .filter(|row| row.count >= edge)
            .partition(|row| row.count > edge);
        let room = n.saturating_sub(first.len());
        if room < ties.len() {
            ties.select_nth_unstable_by(room, |a, b| a.key.cmp(b.key));
            ties.truncate(room);
        }
        first.extend(ties);
        first
    }

    /// Returns the rows of [`top(k)`](SpaceSaving::top) that certainly belong to the true top `k`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(10)?;
    /// pages.add(&7, 500);
    /// (0..1_000).for_each(|page| pages.add(&page, 1));
    /// // Page 7 is certainly among the five most frequent. Which the others are is not certain.
    /// assert_eq!(pages.top(5).len(), 5);
    /// assert_eq!(pages.guaranteed_top(5).iter().map(|row| row.key).collect::<Vec<_>>(), [7]);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn guaranteed_top(&self, k: usize) -> Vec<TopRow<K::Owned>> {
        let mut top = self.top(k);
        top.retain(|row| row.guaranteed);
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weight() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 1u64..9, 1 => Just((1 << 63) - 1), 1 => Just(1 << 63), 1 => any::<u64>()]
    }

    proptest! {
        /// More rows than one chunk, and counts past 2^63.
        #[test]
        fn the_top_is_that_of_sorting_all(
            weights in prop::collection::vec(weight(), 0..90),
            k in 0usize..40,
        ) {
            let mut sketch = SpaceSaving::<u64>::with_capacity(100).unwrap();
            weights.iter().zip(0..).for_each(|(weight, key)| sketch.add(&key, *weight));
            let mut sorted: Vec<(u64, u64)> =
                weights.iter().copied().zip(0..).filter(|(weight, _)| *weight > 0).collect();
            sorted.sort_by(|a, b| by_rank((a.0, &a.1), (b.0, &b.1)));
            let top: Vec<(u64, u64)> =
                sketch.top(k).into_iter().map(|row| (row.count, row.key)).collect();
            prop_assert_eq!(top, sorted.into_iter().take(k).collect::<Vec<_>>());
        }

        #[test]
        fn counts_below_the_edge_are_told(
            counts in prop::collection::vec(weight(), 0..40),
            edge in weight(),
        ) {
            let expected = edge < 1 << 63 && counts.iter().all(|count| *count < edge);
            prop_assert_eq!(all_below(&counts, edge), expected);
        }
    }
}
