//! Space-saving: the most frequent keys, from a bounded number of counters.

mod durable;
mod filter;
mod merge;
mod parts;
mod rows;
mod subtract;
mod top;

use super::Estimate;
use super::index::{Index, Lookup, tag_of};
use crate::error::Error;
use crate::hash::{Seed, process_seed};
use crate::key::{BorrowedKey, Key};
use filter::Filter;
use parts::Parts;
use rows::{Row, Rows};
use std::fmt;

pub use top::TopRow;

/// Maximum number of counters.
pub(super) const CAPACITY_MAX: usize = 1 << 26;

/// The table grows to this many rows per counter of the capacity before it is cut back to one. A
/// cut costs O(1) per row of the table, so the more rows it removes, the less it costs per update.
const ROWS_PER_COUNTER: usize = 2;

/// The most frequent keys of a stream, with their counts.
///
/// # Guarantee
/// While at most `capacity` distinct keys have come, every count is *exact*. Past that, with
/// `total` the sum of all weights:
/// - every row has `lower <= true <= upper`, and `upper - lower <= total / (capacity + 1)`;
/// - every key that came more than `total / (capacity + 1)` times has a row;
/// - both hold after any merges, where `total` is that of all merged streams.
///
/// All of this is certain, for all keys at once, with any seed and for any records, also for those
/// that were chosen by looking at the sketch.
///
/// The error is stored per key: a key that came early and often has an error of 0 or near 0.
///
/// Space-saving is by Metwally, Agrawal and El Abbadi (*Efficient computation of frequent and top-k
/// elements in data streams*, ICDT 2005), the filter in front of it by Homem and Carvalho (2010).
/// This implementation is *lazy*: the table grows to twice the capacity and is then cut back, where
/// the original evicts a key for every new key. The bound is the same. Let `floor` be the largest
/// count that ever lost its row, and `X` the sum of `count - floor` over the rows above the floor.
/// An update raises `X` by at most its weight. A cut to the `capacity` largest rows raises the
/// floor to the count of the next row, which lowers `X` by at least `capacity + 1` times the raise.
/// A merge adds both. Therefore `X + (capacity + 1) * floor <= total` always holds (the argument of
/// Agarwal et al., *Mergeable summaries*, PODS 2012), and no error is above the floor.
///
/// # When not to use it
/// Weight can be subtracted only while the sketch is exact: a sliding window whose keys no longer
/// fit merges its panes again. The counts of rare keys are close to their error: use
/// [`CountMin`](super::CountMin) or an exact map for them.
///
/// # Hostile keys
/// Rows are found by a hash that is keyed at random in each process, so chosen keys cannot make it
/// slow, and no answer depends on that hash. The filter uses the stable hash with the [`Seed`]:
/// keys chosen against a public seed can raise the errors up to the bound above, never past it. A
/// secret seed ([`seeded`](SpaceSaving::seeded)) prevents that.
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
/// assert_eq!((&*top[1].key, top[1].count), ("/b", 1)); // equal counts are ordered by key
/// assert!(pages.is_exact());
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct SpaceSaving<K: Key + ?Sized> {
    rows: Rows<K::Owned>,
    /// Heap bytes of the rows' keys, kept up to date so that reading them costs nothing.
    key_bytes: usize,
    index: Index,
    filter: Filter,
    capacity: usize,
    total: u64,
    seed: Seed,
    table_seed: Seed,
    /// The merged parts, if parts can be subtracted. Rows may then be dead, with a count of 0.
    parts: Option<Box<Parts>>,
}

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Creates a sketch that is exact for up to `capacity` distinct keys. Past that its error is at
    /// most `total / (capacity + 1)`.
    ///
    /// An empty sketch takes no heap memory. It grows with its keys. While exact, it takes up to
    /// about 60 bytes and the length of a key per counter. Past that it takes twice as much, and 64
    /// bytes of filter, per counter.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) unless the capacity is
    /// from 1 to 2^26.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(100)?;
    /// for record in 0..100_000 {
    ///     pages.add(&(record % 10_000), 1);
    /// }
    /// // 10,000 keys and 100 counters: a count is wrong by at most 100,000 / 101.
    /// assert!(!pages.is_exact() && pages.error_max() <= 990);
    /// assert!(SpaceSaving::<u64>::with_capacity(0).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
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

    /// Returns an empty sketch of this capacity with another seed.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Seed;
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(100)?;
    /// pages.add("/a", 1);
    /// let pages = pages.seeded(Seed::new(7)); // set the seed first: the counts are gone
    /// assert!(pages.is_empty() && pages.seed() == Seed::new(7));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn seeded(self, seed: Seed) -> Self {
        let (rows, index, filter) = (Rows::new(), Index::default(), Filter::default());
        SpaceSaving { rows, key_bytes: 0, index, filter, total: 0, seed, parts: None, ..self }
    }

    /// Adds `weight` to the key's count. Amortised O(1); updating a key with a row does not
    /// allocate.
    ///
    /// A weight of 0 does nothing. Counts and the total saturate at `u64::MAX`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut bytes_by_host = SpaceSaving::<str>::with_capacity(100)?;
    /// bytes_by_host.add("10.0.0.1", 1_500);
    /// bytes_by_host.add("10.0.0.1", 40);
    /// bytes_by_host.add("10.0.0.2", 0); // does nothing
    /// assert_eq!((bytes_by_host.len(), bytes_by_host.estimate("10.0.0.1").value), (1, 1_540));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    #[inline]
    pub fn add(&mut self, key: &K, weight: u64) {
        self.add_borrowed(&key, weight);
    }

    /// As [`add`](SpaceSaving::add).
    #[inline]
    pub(crate) fn add_borrowed<V: BorrowedKey<Owned = K::Owned>>(&mut self, key: &V, weight: u64) {
        self.total = self.total.saturating_add(weight);
        let tag = self.tag(key);
        match self.find(key, tag) {
            Lookup::Row(row) => self.rows.raise(row, weight),
            Lookup::Vacant(place) => self.add_unknown(key, (place, tag), weight),
        }
    }

    /// Adds 1 to each key's count. As [`add`](SpaceSaving::add) for each key, in order.
    ///
    /// A batch is not faster here. Two ways were measured: hashing 32 keys before the first lookup
    /// gained nothing; delaying keys without a row until their filter cells were prefetched took a
    /// quarter more time.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(100)?;
    /// pages.add_batch(["/a", "/b", "/a"]);
    /// assert_eq!((pages.total(), pages.estimate("/a").value), (3, 2));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn add_batch<'a>(&mut self, keys: impl IntoIterator<Item = &'a K>)
    where
        K: 'a,
    {
        keys.into_iter().for_each(|key| self.add(key, 1));
    }

    #[inline]
    fn add_unknown<V: BorrowedKey<Owned = K::Owned>>(
        &mut self,
        key: &V,
        (place, tag): (usize, u32),
        weight: u64,
    ) {
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

    /// Enters a row with this count and error for a key that has no row.
    fn enter(&mut self, key: K::Owned, (place, tag): (usize, u32), (count, error): (u64, u64)) {
        self.key_bytes += K::heap_bytes(&key);
        self.rows.push(tag, key, (count, error));
        self.index.enter(place, self.rows.len() - 1, self.rows.tags());
    }

    /// Returns the number of rows past which the table is cut.
    fn rows_max(&self) -> usize {
        self.capacity * ROWS_PER_COUNTER
    }

    /// Returns the tag of the key, by which the index finds it.
    #[inline(always)]
    fn tag<V: BorrowedKey>(&self, key: &V) -> u32 {
        tag_of(key.stable_hash(self.table_seed))
    }

    #[inline(always)]
    fn find<V: BorrowedKey<Owned = K::Owned>>(&self, key: &V, tag: u32) -> Lookup {
        self.index.find(tag, |row| self.rows.keys().get(row).is_some_and(|kept| key.is(kept)))
    }

    fn row(&self, key: &K) -> Option<Row<'_, K::Owned>> {
        match self.find(&key, self.tag(&key)) {
            Lookup::Row(row) => self.rows.get(row),
            Lookup::Vacant(_) => None,
        }
    }

    /// Returns the key's count with certain bounds. A key without a row has a lower bound of 0, and
    /// `value` is its upper bound.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(100)?;
    /// pages.add_batch(["/a", "/a", "/b"]);
    /// assert!(pages.estimate("/b").is_exact());
    /// assert_eq!(pages.estimate("/c").value, 0); // never came, for certain
    /// pages.cut_to(1); // "/b" loses its row
    /// let count = pages.estimate("/b");
    /// assert!(count.lower == 0 && count.upper >= 1);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn estimate(&self, key: &K) -> Estimate<u64> {
        if let Some(row) = self.row(key) {
            return Estimate { value: row.count, lower: row.count - row.error, upper: row.count };
        }
        let upper = self.bound(key);
        Estimate { value: upper, lower: 0, upper }
    }

    /// Returns the largest possible count of this key, if it has no row.
    fn bound(&self, key: &K) -> u64 {
        if self.filter.is_idle() { 0 } else { self.filter.bound(key.stable_hash(self.seed)) }
    }

    /// Reduces the capacity. The bounds are then those of the smaller capacity. Does nothing if the
    /// capacity is already at most `capacity`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a capacity of 0.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(100)?;
    /// pages.add_batch(["/a", "/a", "/b", "/c"]);
    /// pages.shrink_to(1)?;
    /// assert_eq!((pages.capacity(), &*pages.top(1)[0].key), (1, "/a"));
    /// pages.shrink_to(1_000)?; // it never grows
    /// assert_eq!(pages.capacity(), 1);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
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

    /// Returns true if all counts are exact, because no key has lost its row.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(100)?;
    /// (0..100).for_each(|page| pages.add(&page, 1));
    /// assert!(pages.is_exact()); // as many keys as the capacity
    /// (0..10_000).for_each(|page| pages.add(&page, 1));
    /// assert!(!pages.is_exact());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn is_exact(&self) -> bool {
        self.filter.is_idle()
    }

    /// Returns the sum of all weights.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(10)?;
    /// (0..10_000).for_each(|page| pages.add(&page, 1));
    /// assert_eq!(pages.total(), 10_000); // exact, also of keys without a row
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns true if the total has reached `u64::MAX`, so that counts may be too low.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(10)?;
    /// pages.add("/a", u64::MAX - 1);
    /// assert!(!pages.saturated());
    /// pages.add("/a", 5);
    /// assert!(pages.saturated() && pages.estimate("/a").upper == u64::MAX);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn saturated(&self) -> bool {
        self.total == u64::MAX
    }

    /// Returns the largest error that a count can have at present: 0 while exact, and at most
    /// `total / (capacity + 1)`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(10)?;
    /// pages.add(&0, 1);
    /// assert_eq!(pages.error_max(), 0);
    /// (0..1_000).for_each(|page| pages.add(&page, 1));
    /// assert!(pages.error_max() <= 1_001 / 11);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn error_max(&self) -> u64 {
        self.filter.floor()
    }

    /// Returns the number of keys that have a row.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(10)?;
    /// (0..1_000).for_each(|page| pages.add(&page, 1));
    /// assert!(pages.len() <= 20); // at most twice the capacity
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.rows.len().saturating_sub(self.dead())
    }

    /// Returns true if no key has a row.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(10)?;
    /// assert!(pages.is_empty() && pages.top(3).is_empty());
    /// pages.add("/a", 1);
    /// assert!(!pages.is_empty());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of distinct keys up to which counts are exact.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(10)?;
    /// pages.add_batch(["/a", "/a", "/b"]);
    /// pages.cut_to(1); // removes rows, but not counters
    /// assert_eq!((pages.len(), pages.capacity()), (1, 10));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns the seed of the filter.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Seed;
    /// use streamgauge::sketch::SpaceSaving;
    /// let secret = SpaceSaving::<str>::with_capacity(10)?.seeded(Seed::new(7));
    /// let mut public = SpaceSaving::<str>::with_capacity(10)?;
    /// assert_ne!(secret.seed(), public.seed());
    /// assert!(public.merge(&secret).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Returns the bytes in memory, including the heap, without the allocator's own overhead. O(1);
    /// for a merge from which parts can be subtracted, O(parts).
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<u64>::with_capacity(1_000_000)?;
    /// assert!(pages.resident_bytes() < 1_000); // not allocated before it is used
    /// (0..1_000).for_each(|record| pages.add(&(record % 10), 1));
    /// assert!(pages.resident_bytes() < 10_000); // ten keys
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
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

/// A clone has no data of merged parts, so no parts can be subtracted from it.
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
