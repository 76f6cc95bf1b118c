//! Space-saving: which keys came most often, from a bounded number of counters.

mod durable;
mod filter;
mod merge;
mod parts;
mod rows;
mod subtract;
mod top;

use super::Estimate;
use super::index::{Found, Index, tag_of};
use crate::error::Error;
use crate::hash::{Seed, process_seed};
use crate::key::Key;
use filter::Filter;
use parts::Parts;
use rows::{Row, Rows};
use std::fmt;

pub use top::TopRow;

/// Counters at most.
pub(super) const CAPACITY_MAX: usize = 1 << 26;

/// The table grows to this many rows per counter of the capacity before it is cut back to one: the
/// cut costs O(1) a row, so the more rows it takes away at a time the less it costs an update.
const ROWS_PER_COUNTER: usize = 2;

/// The heaviest keys of a stream, with their counts.
///
/// # Guarantee
/// As long as no more than `capacity` distinct keys came, every count is *exact*. Past that, with
/// `total` the sum of all weights:
/// - every row has `lower <= true <= upper`, and `upper - lower <= total / (capacity + 1)`;
/// - every key that came more than `total / (capacity + 1)` times has a row;
/// - both hold after any merges, with the total of all that was merged.
///
/// The error is kept for each key: what came early and often has an error of 0 or near it.
///
/// Space-saving is by Metwally, Agrawal and El Abbadi (*Efficient computation of frequent and top-k
/// elements in data streams*, ICDT 2005), the filter in front by Homem and Carvalho (2010). This
/// one is *lazy*: the table grows to twice the capacity and is then cut back, where the original
/// evicts a key at every new one. The bound stays: let `floor` be the largest count that ever lost
/// its row, and `X` the sum of `count - floor` over the rows above the floor. An update raises `X`
/// by its weight at most; a cut to the `capacity` largest rows raises the floor to that of the
/// next, which lowers `X` by `capacity + 1` times the raise at least; a merge adds both. So `X +
/// (capacity + 1) * floor <= total` always (the argument of Agarwal et al., *Mergeable summaries*,
/// PODS 2012), and no error passes the floor.
///
/// # When not to use it
/// Weight can be taken away only while the sketch is exact: a sliding window whose keys no longer
/// fit merges its panes again. Counts of rare keys are near their error: ask
/// [`CountMin`](super::CountMin), or an exact map.
///
/// # Hostile keys
/// Rows are found by a hash that is keyed at random in each process, so chosen keys do not make it
/// slow; no answer depends on it. The filter hashes by the stable hash under the [`Seed`]: keys
/// chosen against a public seed can bring the errors up to the bound above, never past it. A secret
/// seed ([`seeded`](SpaceSaving::seeded)) prevents that.
///
/// # Example
/// ```
/// use streamgauge::sketch::SpaceSaving;
/// let mut pages = SpaceSaving::<str>::with_capacity(1000)?;
/// for page in ["/a", "/b", "/a", "/c", "/a"] {
///     pages.add(page, 1);
/// }
/// let top = pages.top(2);
/// assert_eq!((&*top[0].key, top[0].count, top[0].guaranteed), ("/a", 3, true));
/// assert_eq!((&*top[1].key, top[1].count), ("/b", 1)); // before "/c": equal counts are ordered by key
/// assert!(pages.is_exact());
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct SpaceSaving<K: Key + ?Sized> {
    rows: Rows<K::Owned>,
    /// What the keys of the rows hold on the heap, kept up so that asking for it costs nothing.
    key_bytes: usize,
    index: Index,
    filter: Filter,
    capacity: usize,
    total: u64,
    seed: Seed,
    table_seed: Seed,
    /// What was merged, if it may be subtracted: rows may then be dead, of a count of 0.
    parts: Option<Box<Parts>>,
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// A sketch that is exact for up to so many distinct keys, and errs by `total / (capacity + 1)`
    /// at most beyond.
    ///
    /// A fresh one takes no memory on the heap. It grows with the keys it holds, to about 60 bytes
    /// and a key's length per counter while exact, and to twice that, and 64 bytes of filter, per
    /// counter beyond.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) unless the capacity is
    /// from 1 to 2^26.
    pub fn with_capacity(capacity: usize) -> Result<Self, Error> {
        check_capacity(capacity)?;
        Ok(SpaceSaving {
            rows: Rows::new(),
            key_bytes: 0,
            index: Index::default(),
            filter: Filter::default(),
            capacity,
            total: 0,
            seed: Seed::PUBLIC,
            table_seed: process_seed(),
            parts: None,
        })
    }

    /// An empty sketch of this capacity under another seed.
    pub fn seeded(self, seed: Seed) -> Self {
        let (rows, index, filter) = (Rows::new(), Index::default(), Filter::default());
        SpaceSaving { rows, key_bytes: 0, index, filter, total: 0, seed, parts: None, ..self }
    }

    /// Adds `weight` to the key's count. Amortised O(1); a key that has a row is updated without
    /// allocating.
    ///
    /// A weight of 0 does nothing. Counts and total stay at `u64::MAX` once they are there.
    #[inline]
    pub fn add(&mut self, key: &K, weight: u64) {
        self.total = self.total.saturating_add(weight);
        let tag = self.tag(key);
        match self.find(key, tag) {
            Found::Row(row) => self.rows.raise(row, weight),
            Found::Vacant(place) => self.add_unknown(key, (place, tag), weight),
        }
    }

    /// Adds 1 to each key's count: as [`add`](SpaceSaving::add) for each in their order.
    ///
    /// A batch is no faster here. Tried: to hash 32 keys before the first is looked up, which
    /// gained nothing; and to put those without a row off until their filter cells are close, which
    /// took a quarter more time.
    pub fn add_batch<'a>(&mut self, keys: impl IntoIterator<Item = &'a K>)
    where
        K: 'a,
    {
        keys.into_iter().for_each(|key| self.add(key, 1));
    }

    #[inline]
    fn add_unknown(&mut self, key: &K, (place, tag): (usize, u32), weight: u64) {
        if weight == 0 {
            return;
        }
        let mut error = 0;
        if !self.filter.is_idle() {
            match self.filter.admit(key.stable_hash(self.seed), weight) {
                None => return,
                Some(bound) => error = bound,
            }
        }
        self.enter(key.to_key(), (place, tag), (error.saturating_add(weight), error));
        if self.rows.len() > self.rows_max() {
            self.cut();
        }
    }

    /// Enters a row, of this count and error, for a key that has none.
    fn enter(&mut self, key: K::Owned, (place, tag): (usize, u32), (count, error): (u64, u64)) {
        self.key_bytes += K::heap_bytes(&key);
        self.rows.push(tag, key, (count, error));
        self.index.enter(place, self.rows.len() - 1, self.rows.tags());
    }

    /// Rows beyond which the table is cut.
    fn rows_max(&self) -> usize {
        self.capacity * ROWS_PER_COUNTER
    }

    /// What the index knows of the key.
    #[inline(always)]
    fn tag(&self, key: &K) -> u32 {
        tag_of(key.stable_hash(self.table_seed))
    }

    #[inline(always)]
    fn find(&self, key: &K, tag: u32) -> Found {
        self.index.find(tag, |row| self.rows.keys().get(row).is_some_and(|kept| key.is(kept)))
    }

    fn row(&self, key: &K) -> Option<Row<'_, K::Owned>> {
        match self.find(key, self.tag(key)) {
            Found::Row(row) => self.rows.get(row),
            Found::Vacant(_) => None,
        }
    }

    /// The key's count with its bounds, which are certain. A key without a row has a lower bound of
    /// 0; `value` is the upper bound.
    pub fn estimate(&self, key: &K) -> Estimate<u64> {
        if let Some(row) = self.row(key) {
            return Estimate { value: row.count, lower: row.count - row.error, upper: row.count };
        }
        let upper = self.bound(key);
        Estimate { value: upper, lower: 0, upper }
    }

    /// The most that a key without a row can have come.
    fn bound(&self, key: &K) -> u64 {
        if self.filter.is_idle() { 0 } else { self.filter.bound(key.stable_hash(self.seed)) }
    }

    /// Fewer counters, and the bounds as they then are. Does nothing if the capacity is not above
    /// `capacity`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a capacity of 0.
    pub fn shrink_to(&mut self, capacity: usize) -> Result<(), Error> {
        check_capacity(capacity)?;
        if capacity < self.capacity {
            self.bury();
            self.capacity = capacity;
            self.filter.shrink_to(capacity);
            if self.rows.len() > self.rows_max() {
                self.cut();
            }
            self.rows.shrink_to_fit();
        }
        Ok(())
    }

    /// Whether all counts are exact: no key has lost its row.
    pub fn is_exact(&self) -> bool {
        self.filter.is_idle()
    }

    /// The sum of all weights.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the total has reached `u64::MAX`, so that counts may be too low.
    pub fn saturated(&self) -> bool {
        self.total == u64::MAX
    }

    /// The largest error that a count can have now: 0 while exact, and `total / (capacity + 1)` at
    /// most.
    pub fn error_max(&self) -> u64 {
        self.filter.floor()
    }

    /// Keys that have a row.
    pub fn len(&self) -> usize {
        self.rows.len().saturating_sub(self.dead())
    }

    /// Whether no key has a row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Distinct keys up to which the counts are exact.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The seed of the filter.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Bytes in memory, those on the heap included, without the allocator's own. O(1); of a
    /// window's merge, which parts are subtracted from, O(parts).
    pub fn resident_bytes(&self) -> usize {
        size_of::<Self>()
            + self.rows.heap_bytes()
            + self.key_bytes
            + self.index.heap_bytes()
            + self.filter.heap_bytes()
            + self.parts.as_ref().map_or(0, |parts| parts.resident_bytes())
    }
}

fn check_capacity(capacity: usize) -> Result<(), Error> {
    if capacity == 0 || capacity > CAPACITY_MAX {
        return Err(Error::invalid(format!(
            "a capacity of {capacity} counters is out of range: 1 to {CAPACITY_MAX}"
        )));
    }
    Ok(())
}

/// A copy forgets what parts it was merged of.
impl<K: Key + ?Sized> Clone for SpaceSaving<K> {
    fn clone(&self) -> Self {
        let mut copy = SpaceSaving {
            rows: self.rows.clone(),
            key_bytes: self.key_bytes,
            index: self.index.clone(),
            filter: self.filter.clone(),
            capacity: self.capacity,
            total: self.total,
            seed: self.seed,
            table_seed: self.table_seed,
            parts: None,
        };
        if self.dead() > 0 {
            copy.bury_dead();
        }
        copy
    }
}

impl<K: Key + ?Sized> fmt::Debug for SpaceSaving<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpaceSaving")
            .field("capacity", &self.capacity)
            .field("rows", &self.rows.len())
            .field("total", &self.total)
            .field("error_max", &self.error_max())
            .field("seed", &self.seed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_figure_of_the_keys_bytes_is_what_a_scan_finds() {
        let scan =
            |sketch: &SpaceSaving<str>| sketch.rows.iter().map(|row| row.key.len()).sum::<usize>();
        let mut both = [
            SpaceSaving::<str>::with_capacity(8).unwrap(),
            SpaceSaving::<str>::with_capacity(8).unwrap(),
        ];
        for n in 0..1000usize {
            let sketch = &mut both[n % 2];
            sketch.add(&"x".repeat(n * n % 31), 1 + n as u64 % 3);
            assert_eq!(sketch.key_bytes, scan(sketch));
        }
        let [mut left, right] = both;
        left.merge(&right).unwrap();
        assert_eq!(left.key_bytes, scan(&left));
        left.shrink_to(2).unwrap();
        assert_eq!(left.key_bytes, scan(&left));
        assert_eq!(left.clone().seeded(Seed::new(1)).key_bytes, 0);
    }
}
