//! Many keys at a time: what one waits for is fetched while others are counted.

use super::{Found, SpaceSaving};
use crate::key::Key;
use smallvec::SmallVec;

/// Keys that are looked up before the first of those without a row is counted.
const BATCH: usize = 32;

/// A key that had no row when it was looked up: its tag, its place in the index, and its hash for the filter.
struct Miss<'a, K: ?Sized> {
    key: &'a K,
    tag: u32,
    place: usize,
    hash: u64,
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Adds 1 to each key's count: as [`add`](SpaceSaving::add) for each in their order, only faster.
    pub fn add_batch<'a>(&mut self, keys: impl IntoIterator<Item = &'a K>)
    where
        K: 'a,
    {
        let mut keys = keys.into_iter();
        let mut misses = SmallVec::<[Miss<'a, K>; BATCH]>::new();
        loop {
            // One by one while exact, when the filter has nothing to be waited for; and where the table may be cut within the batch, as a
            // cut sees the counts of that moment.
            let apart = !self.filter.is_idle() && self.rows.len() + BATCH <= self.rows_max();
            let mut taken = 0;
            for key in keys.by_ref().take(BATCH) {
                taken += 1;
                if apart { self.add_if_known(key, &mut misses) } else { self.add(key, 1) }
            }
            self.add_misses(&mut misses);
            if taken < BATCH {
                return;
            }
        }
    }

    /// Counts a key that has a row, and puts any other off. Nothing that a later key of the batch meets depends on which of both came first.
    #[inline(always)]
    fn add_if_known<'a>(&mut self, key: &'a K, misses: &mut SmallVec<[Miss<'a, K>; BATCH]>) {
        let tag = self.tag(key);
        match self.find(key, tag) {
            Found::Row(row) => {
                self.total = self.total.saturating_add(1);
                self.raise(row, 1);
            }
            Found::Vacant(place) => {
                let hash = key.stable_hash(self.seed);
                self.filter.prefetch(hash);
                misses.push(Miss { key, tag, place, hash });
            }
        }
    }

    /// Counts the keys that were put off, in their order.
    #[inline(always)]
    fn add_misses(&mut self, misses: &mut SmallVec<[Miss<'_, K>; BATCH]>) {
        let rows = self.rows.len();
        for Miss { key, tag, place, hash } in misses.drain(..) {
            if self.rows.len() > rows {
                // One of the batch has got a row: this key's place may be taken, and the key may be the same.
                self.add(key, 1);
                continue;
            }
            self.total = self.total.saturating_add(1);
            if let Some(bound) = self.filter.admit(hash, 1) {
                self.enter(key.to_key(), (place, tag), (bound.saturating_add(1), bound));
            }
        }
    }
}
