//! Count-min: the count of a given key, from a table of counters that stores no key.

mod durable;
mod exact;
mod rows;

use super::Estimate;
use super::counters::Counters;
use crate::error::{Error, ErrorKind};
use crate::hash::Seed;
use crate::key::{BorrowedKey, Key};
use exact::ExactCounts;
use rows::{DEPTH_MAX, Rows};
use std::fmt;

/// Maximum number of counters: 4 GiB while they have 32 bits.
pub(super) const CELLS_MAX: usize = 1 << 30;

/// The number of keys whose hashes are computed before the first of them updates the table.
const BATCH: usize = 32;

/// A table up to this size fits into the cache of a core, so prefetching it would only cost time.
const CACHED_BYTES: usize = 256 << 10;

/// Counts of keys, looked up by key, in a fixed number of bytes.
///
/// # Guarantee
/// With `width` counters in each of `depth` rows and `total` the sum of all weights, `true <=
/// estimate <= true + epsilon * total`, where `epsilon = e / width`. The left side is certain, for
/// all keys at once. The right side holds for each key with a probability of at least `confidence =
/// 1 - e^-depth` over the choice of the [`Seed`] (Cormode and Muthukrishnan, *An improved data
/// stream summary: the count-min sketch and its applications*, J. Algorithms 55, 2005, theorem 1).
/// That is for records and a key that do not depend on the seed, and a hash that behaves as a
/// random function.
///
/// *All keys at once*: for n keys that do not depend on the seed, it holds for all n with a
/// probability of at least `1 - n * e^-depth` ([`confidence_of_all`](CountMin::confidence_of_all)),
/// by the union bound, however their errors depend on each other. For a confidence c of all n, pass
/// `1 - (1 - c) / n` to [`with_error`](CountMin::with_error): each 2.7 times more keys take one row
/// more. Keys that are chosen by their estimates, such as those with the highest, depend on the
/// seed: n is then the number of keys that they were chosen from.
///
/// With [`exact_within`](CountMin::exact_within) it stores the keys themselves while they fit into
/// a number of bytes. Until then every count is exact, for certain.
///
/// # When not to use it
/// It cannot list keys; [`SpaceSaving`](super::SpaceSaving) can. It is bad at rare keys: the error
/// is larger than the count of a key that came fewer than `epsilon * total` times.
///
/// # Hostile keys
/// With a public seed an attacker can find keys offline that raise the estimate of any other key.
/// Use a secret seed ([`seeded`](CountMin::seeded)) if keys come from outside.
///
/// # Example
/// ```
/// use streamgauge::sketch::CountMin;
/// let mut counts = CountMin::with_error(0.001, 0.99)?;
/// counts.add("/index.html", 3);
/// counts.add("/about", 1);
/// let index = counts.estimate("/index.html");
/// assert!(index.lower <= 3 && 3 <= index.upper);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone)]
pub struct CountMin {
    /// The counters: row after row, `1 << bits` in each row. Empty while exact.
    cells: Counters,
    /// All keys with their counts, while they fit.
    exact: Option<ExactCounts>,
    /// Maximum bytes of `exact`.
    exact_bytes: usize,
    bits: u32,
    depth: usize,
    /// One odd multiplier per row, drawn from the seed. The index of a counter in its row is
    /// `(hash * multiplier) >> (64 - bits)`.
    ///
    /// This is multiply-shift (Dietzfelbinger et al. 1997). Double hashing, `a + row * b`, is
    /// worse: two keys that collide in two rows collide in all rows. That broke the error bound:
    /// 2.3e-3 of the total at 4096 x 5, where 6.6e-4 is promised.
    multipliers: [u64; DEPTH_MAX],
    seed: Seed,
    total: u64,
    conservative: bool,
}

impl CountMin {
    /// Creates a sketch whose estimates are more than `epsilon * total` too high with a probability
    /// of at most `1 - confidence`.
    ///
    /// The width is `e / epsilon`, rounded up to a power of two. The depth is `ln(1 / (1 -
    /// confidence))`, rounded up.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] unless both are inside (0, 1), or if the table would have
    /// more than 2^30 counters or more than 16 rows.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// // At most 0.1 % of all records too high, for at least 99 % of the keys.
    /// let counts = CountMin::with_error(0.001, 0.99)?;
    /// assert_eq!((counts.width(), counts.depth()), (4096, 5));
    /// assert!(CountMin::with_error(0.0, 0.99).is_err()); // exact: not with a sketch
    /// assert!(CountMin::with_error(0.001, 1.0).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn with_error(epsilon: f64, confidence: f64) -> Result<Self, Error> {
        if !(epsilon > 0.0 && epsilon < 1.0) {
            return Err(Error::invalid(format!(
                "an error of {epsilon} of the total is out of range: above 0 and below 1"
            )));
        }
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::invalid(format!(
                "a confidence of {confidence} is out of range: above 0 and below 1"
            )));
        }
        let width = (std::f64::consts::E / epsilon).ceil();
        if width > CELLS_MAX as f64 {
            return Err(Error::invalid(format!(
                "an error of {epsilon} of the total needs rows of {width} counters: at most 2^30 \
                 are allowed"
            )));
        }
        // `1 - confidence` of a decimal confidence has an error of some ulps. Without the margin, a
        // confidence of exactly 1 - e^-n could need one row too many.
        let depth = ((1.0 - confidence).recip().ln() - 1e-12).ceil().max(1.0);
        CountMin::with_shape((width as usize).next_power_of_two(), depth as usize)
    }

    /// Creates a sketch of `depth` rows of `width` counters. A counter takes 4 bytes; all counters
    /// take 8 bytes once one of them has passed `u32::MAX`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] unless the width is a power of two of at least 2, the depth
    /// is 1 to 16, and their product is at most 2^30.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let counts = CountMin::with_shape(1024, 3)?; // 12 KiB
    /// assert!(counts.epsilon() < 0.0027 && counts.confidence() > 0.95);
    /// assert!(CountMin::with_shape(1000, 3).is_err()); // not a power of two
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn with_shape(width: usize, depth: usize) -> Result<Self, Error> {
        if !width.is_power_of_two() || width < 2 {
            return Err(Error::invalid(format!(
                "a width of {width} is out of range: a power of two from 2 on"
            )));
        }
        if depth == 0 || depth > DEPTH_MAX {
            return Err(Error::invalid(format!(
                "a depth of {depth} is out of range: 1 to {DEPTH_MAX}"
            )));
        }
        if width.checked_mul(depth).is_none_or(|cells| cells > CELLS_MAX) {
            return Err(Error::invalid(format!(
                "{depth} rows of {width} counters are too many: at most 2^30 counters"
            )));
        }
        let mut sketch = CountMin {
            cells: Counters::zeros(width * depth),
            exact: None,
            exact_bytes: 0,
            bits: width.trailing_zeros(),
            depth,
            multipliers: [0; DEPTH_MAX],
            seed: Seed::PUBLIC,
            total: 0,
            conservative: false,
        };
        sketch.draw_multipliers();
        Ok(sketch)
    }

    /// Returns an empty sketch of this shape with another seed.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Seed;
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(1024, 3)?;
    /// counts.add("/a", 1);
    /// let counts = counts.seeded(Seed::new(7)); // set the seed first: the counts are gone
    /// assert_eq!((counts.total(), counts.seed()), (0, Seed::new(7)));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self.draw_multipliers();
        self.emptied()
    }

    /// Returns an empty sketch of this shape with conservative updates: an update raises only those
    /// counters of a key that hold its estimate (Estan and Varghese 2002).
    ///
    /// On skewed keys the error is two to three times smaller, at a quarter more time. The sketch
    /// is *not linear*. A merged sketch is never below the true count and keeps the bound, but
    /// differs from one sketch of all records, and [`subtract`](CountMin::subtract) is not
    /// possible.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut linear = CountMin::with_shape(64, 3)?;
    /// let mut conservative = linear.clone().conservative();
    /// for key in 0..1_000u32 {
    ///     linear.add(&key, 1);
    ///     conservative.add(&key, 1);
    /// }
    /// let error = |counts: &CountMin| -> u64 {
    ///     (0..1_000u32).map(|key| counts.estimate(&key).value - 1).sum()
    /// };
    /// assert!(error(&conservative) < error(&linear));
    /// assert!(conservative.clone().subtract(&conservative).is_err()); // the price
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn conservative(mut self) -> Self {
        self.conservative = true;
        self.emptied()
    }

    /// Returns an empty sketch of this shape that stores the keys themselves, and is therefore
    /// exact, while they take at most about `bytes`. After that it is a sketch. Default 0: a sketch
    /// from the start.
    ///
    /// A key takes 5/4 of its length plus 56 bytes. A good value of `bytes` is the size of the
    /// table (4 bytes per counter): memory then grows with the keys up to the size of the table.
    /// [`is_exact`](CountMin::is_exact) tells which form it has, and an exact [`Estimate`] has
    /// equal bounds. The time of the change depends only on the set of keys, not on their order or
    /// on merges. After the change the table equals that of a sketch from the start (unless it is
    /// [`conservative`](CountMin::conservative)). Values above 2^32 - 1 bytes mean 2^32 - 1.
    ///
    /// While exact, all keys must have the same type. A lookup of an integer in another width
    /// returns only a bound.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(1024, 4)?.exact_within(16_384);
    /// counts.add("/a", 3);
    /// assert!(counts.is_exact() && counts.estimate("/a").is_exact());
    /// (0..1000u32).for_each(|n| counts.add(n.to_string().as_str(), 1));
    /// assert!(!counts.is_exact() && counts.estimate("/a").upper >= 3);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn exact_within(mut self, bytes: usize) -> Self {
        self.exact_bytes = ExactCounts::new(bytes).bytes_max();
        self.emptied()
    }

    fn emptied(mut self) -> Self {
        self.total = 0;
        self.exact = (self.exact_bytes > 0).then(|| ExactCounts::new(self.exact_bytes));
        if self.exact.is_some() {
            self.cells = Counters::zeros(0);
        } else if self.cells.len() == 0 || self.cells.iter().any(|cell| cell > 0) {
            self.cells = Counters::zeros(self.depth << self.bits);
        }
        self
    }

    fn draw_multipliers(&mut self) {
        for (row, multiplier) in self.multipliers.iter_mut().enumerate() {
            *multiplier = crate::hash::hash_u64(self.seed, row as u64) | 1;
        }
    }

    /// Adds `weight` to the key's count. O(depth), and O(1) while exact. Counters and the total
    /// saturate at `u64::MAX`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut bytes = CountMin::with_error(0.001, 0.99)?;
    /// bytes.add("10.0.0.1", 1_500);
    /// bytes.add("10.0.0.1", 40);
    /// assert_eq!((bytes.estimate("10.0.0.1").value, bytes.total()), (1_540, 1_540));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    #[inline]
    pub fn add<K: Key + ?Sized>(&mut self, key: &K, weight: u64) {
        self.add_borrowed(&key, weight);
    }

    /// As [`add`](CountMin::add).
    #[inline]
    pub(crate) fn add_borrowed(&mut self, key: &impl BorrowedKey, weight: u64) {
        let hash = key.stable_hash(self.seed);
        if self.exact.is_none() || !self.add_exactly(key, hash, weight) {
            self.add_hashes(&[hash], weight);
        }
    }

    /// Adds to an exact count. If the key does not fit, moves all counts into the table and returns
    /// false without adding.
    #[inline]
    fn add_exactly(&mut self, key: &impl BorrowedKey, hash: u64, weight: u64) -> bool {
        let fits = self
            .exact
            .as_mut()
            .is_some_and(|exact| key.with_bytes(|bytes| exact.add(hash, bytes, weight)));
        if fits {
            self.total = self.total.saturating_add(weight);
        } else {
            self.spill();
        }
        fits
    }

    /// Moves the exact counts into a table.
    #[cold]
    #[inline(never)]
    fn spill(&mut self) {
        if let Some(exact) = self.exact.take() {
            self.cells = Counters::zeros(self.depth << self.bits);
            self.add_rows(&exact);
        }
    }

    /// Adds exact counts to the counters. Does not change the total.
    fn add_rows(&mut self, exact: &ExactCounts) {
        if self.conservative {
            // A conservative table depends on the order, so it must not be the order of arrival.
            exact.sorted().into_iter().for_each(|row| self.add_slowly(row.hash, row.count));
        } else {
            exact.rows().iter().for_each(|row| self.add_slowly(row.hash, row.count));
        }
    }

    /// Adds 1 to each key's count. As [`add`](CountMin::add) for each key, but faster.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let keys: Vec<u64> = (0..1_000).map(|record| record % 7).collect();
    /// let mut batch = CountMin::with_shape(1024, 3)?;
    /// let mut single = batch.clone();
    /// batch.add_batch(&keys);
    /// keys.iter().for_each(|key| single.add(key, 1));
    /// assert_eq!(batch.estimate(&3u64), single.estimate(&3u64));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn add_batch<'a, K: Key + ?Sized + 'a>(&mut self, keys: impl IntoIterator<Item = &'a K>) {
        let mut keys = keys.into_iter();
        while self.exact.is_some() {
            let Some(key) = keys.next() else { return };
            self.add(key, 1);
        }
        let mut hashes = [0u64; BATCH];
        let prefetches = self.cells.heap_bytes() > CACHED_BYTES;
        loop {
            let mut filled = 0;
            for (slot, key) in hashes.iter_mut().zip(&mut keys) {
                *slot = key.stable_hash(self.seed);
                filled += 1;
                if prefetches {
                    (0..self.depth).for_each(|row| self.cells.prefetch(self.index(*slot, row)));
                }
            }
            self.add_hashes(hashes.get(..filled).unwrap_or_default(), 1);
            if filled < BATCH {
                return;
            }
        }
    }

    /// Adds `weight` for each hash, in order.
    #[inline]
    fn add_hashes(&mut self, hashes: &[u64], weight: u64) {
        let total = self.total.saturating_add(weight.saturating_mul(hashes.len() as u64));
        self.total = total;
        let rows = Rows { bits: self.bits, multipliers: &self.multipliers };
        // While the total fits into 32 bits, so does every counter.
        match &mut self.cells {
            Counters::Narrow(cells)
                if total <= u64::from(u32::MAX) && (3..=5).contains(&self.depth) =>
            {
                let weight = weight as u32;
                match (self.conservative, self.depth) {
                    (false, 3) => rows.raise::<3>(cells, hashes, weight),
                    (false, 4) => rows.raise::<4>(cells, hashes, weight),
                    (false, _) => rows.raise::<5>(cells, hashes, weight),
                    (true, 3) => rows.raise_least_of_3(cells, hashes, weight),
                    (true, 4) => rows.raise_least_of_4(cells, hashes, weight),
                    (true, _) => rows.raise_least_of_5(cells, hashes, weight),
                }
            }
            _ => hashes.iter().for_each(|&hash| self.add_slowly(hash, weight)),
        }
    }

    /// Adds `weight` for one hash, at any depth and any width of the counters.
    #[inline(never)]
    fn add_slowly(&mut self, hash: u64, weight: u64) {
        let raised = self.lookup(hash).saturating_add(weight);
        for row in 0..self.depth {
            let index = self.index(hash, row);
            let by = if self.conservative {
                raised.saturating_sub(self.cells.at(index))
            } else {
                weight
            };
            self.cells.add(index, by);
        }
    }

    #[inline]
    fn index(&self, hash: u64, row: usize) -> usize {
        (row << self.bits) + (hash.wrapping_mul(self.multipliers[row]) >> (64 - self.bits)) as usize
    }

    fn lookup(&self, hash: u64) -> u64 {
        (0..self.depth).map(|row| self.cells.at(self.index(hash, row))).min().unwrap_or(0)
    }

    /// Returns the key's count. `value` and `upper` are never below the true count. `lower` is not
    /// above it with the stated confidence. While [exact](CountMin::is_exact) all three are the
    /// true count.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(64, 3)?; // small, so that the error shows
    /// (0..1_000u32).for_each(|key| counts.add(&key, 1));
    /// counts.add(&7, 99);
    /// let seven = counts.estimate(&7);
    /// assert!(seven.lower <= 100 && 100 <= seven.value); // never below the truth
    /// assert!(counts.estimate(&5_000).value > 0); // above the truth: this key never came
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn estimate<K: Key + ?Sized>(&self, key: &K) -> Estimate<u64> {
        let hash = key.stable_hash(self.seed);
        if let Some(exact) = &self.exact {
            return key.with_bytes(|bytes| exact.estimate(hash, bytes));
        }
        let upper = self.lookup(hash);
        let slack = (self.epsilon() * self.total as f64).ceil();
        Estimate { value: upper, lower: upper.saturating_sub(slack as u64), upper }
    }

    /// Adds the counts of `other`. O(width * depth), and O(keys) if both are exact.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the shapes, the seeds, the update rules or the bytes for exact
    /// counts differ.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut ours = CountMin::with_shape(1024, 3)?;
    /// let mut theirs = ours.clone();
    /// ours.add("/a", 2);
    /// theirs.add("/a", 3);
    /// ours.merge(&theirs)?;
    /// assert_eq!((ours.estimate("/a").value, ours.total()), (5, 5));
    /// assert!(ours.merge(&CountMin::with_shape(2048, 3)?).is_err()); // another shape
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.expect_equal(other)?;
        self.total = self.total.saturating_add(other.total);
        match &other.exact {
            Some(theirs) => {
                if !self.exact.as_mut().is_some_and(|ours| ours.merge(theirs)) {
                    self.spill();
                    self.add_rows(theirs);
                }
            }
            None => match self.exact.take() {
                None => self.cells.add_all(0, &other.cells),
                Some(ours) => {
                    self.cells = other.cells.clone();
                    self.add_rows(&ours);
                }
            },
        }
        Ok(())
    }

    /// Subtracts the counts of `other`, for example of a pane that leaves a sliding window.
    /// O(width * depth), and O(keys) while exact.
    ///
    /// A table remains a table, however few keys remain.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the shapes or the seeds differ, or if `other` contains records
    /// that this sketch does not. [`ErrorKind::InvalidArgument`] if the sketch is conservative or
    /// saturated. The sketch is then unchanged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut window = CountMin::with_shape(1024, 3)?;
    /// let mut pane = window.clone();
    /// pane.add("/a", 3);
    /// window.add("/a", 4);
    /// assert!(pane.subtract(&window).is_err()); // `pane` does not contain these records
    /// window.subtract(&pane)?;
    /// assert_eq!(window.estimate("/a").value, 1);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn subtract(&mut self, other: &Self) -> Result<(), Error> {
        self.expect_equal(other)?;
        if self.conservative {
            return Err(Error::invalid(
                "a conservative count-min is not linear and cannot be subtracted from: merge again",
            ));
        }
        if self.saturated() {
            return Err(Error::invalid(
                "a count-min that has reached 2^64 - 1 no longer knows its counts and cannot be \
                 subtracted from",
            ));
        }
        let unseen = || {
            Err(Error::new(
                ErrorKind::Mismatch,
                "the count-min to subtract has seen records that this one has not",
            ))
        };
        match (&mut self.exact, &other.exact) {
            _ if other.total > self.total => return unseen(),
            (Some(ours), Some(theirs)) if ours.covers(theirs) => ours.subtract(theirs),
            (Some(_), None) if other.total == 0 => {}
            (Some(_), _) => return unseen(),
            (None, Some(_)) => {
                let mut other = other.clone();
                other.spill();
                return self.subtract(&other);
            }
            (None, None) if self.cells.covers(&other.cells) => {
                self.cells.subtract_all(&other.cells)
            }
            (None, None) => return unseen(),
        }
        self.total -= other.total;
        Ok(())
    }

    /// Halves the width, and with it the bytes. Epsilon doubles. The result equals a sketch that
    /// had the smaller width from the start.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the width is 2.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(1024, 3)?;
    /// counts.add("/a", 3);
    /// let (epsilon, bytes) = (counts.epsilon(), counts.resident_bytes());
    /// counts.fold_in_half()?;
    /// assert_eq!((counts.width(), counts.epsilon()), (512, 2.0 * epsilon));
    /// assert!(counts.resident_bytes() < bytes && counts.estimate("/a").value >= 3);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn fold_in_half(&mut self) -> Result<(), Error> {
        if self.bits <= 1 {
            return Err(Error::invalid("a count-min of width 2 cannot be folded in half"));
        }
        // The index is the top bits of a product. Half the width drops the last bit, so neighbours
        // are added together.
        self.cells = self.cells.folded();
        self.bits -= 1;
        Ok(())
    }

    fn expect_equal(&self, other: &Self) -> Result<(), Error> {
        let mismatch = |what: String| Err(Error::new(ErrorKind::Mismatch, what));
        if (self.bits, self.depth) != (other.bits, other.depth) {
            return mismatch(format!(
                "a count-min of {} x {} cannot be merged with one of {} x {}",
                self.width(),
                self.depth,
                other.width(),
                other.depth
            ));
        }
        if self.seed != other.seed {
            return mismatch(format!(
                "a count-min with {:?} cannot be merged with one with {:?}",
                self.seed, other.seed
            ));
        }
        if self.conservative != other.conservative {
            return mismatch(String::from(
                "a conservative count-min cannot be merged with a linear one",
            ));
        }
        if self.exact_bytes != other.exact_bytes {
            let (ours, theirs) = (self.exact_bytes, other.exact_bytes);
            return mismatch(format!(
                "a count-min that is exact within {ours} bytes cannot be merged with one within \
                 {theirs}"
            ));
        }
        Ok(())
    }

    /// Returns true if all counts are exact, because the keys themselves are still stored.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(1024, 3)?.exact_within(200);
    /// counts.add("/a", 1);
    /// assert!(counts.is_exact());
    /// counts.add("/a-page-with-a-long-name", 1);
    /// counts.add("/another-page-with-a-long-name", 1); // does not fit any more
    /// assert!(!counts.is_exact());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// Returns the sum of all weights.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(64, 3)?;
    /// (0..1_000u32).for_each(|key| counts.add(&key, 2));
    /// assert_eq!(counts.total(), 2_000); // exact, whatever the width
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns true if the total has reached `u64::MAX`, so that counts may be too low.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(64, 3)?;
    /// counts.add("/a", u64::MAX - 1);
    /// assert!(!counts.saturated());
    /// counts.add("/a", 5); // stays at the maximum, without a panic
    /// assert!(counts.saturated() && counts.total() == u64::MAX);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn saturated(&self) -> bool {
        self.total == u64::MAX
    }

    /// Returns the error as a share of the total: e / width.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let mut counts = CountMin::with_shape(1024, 5)?;
    /// (0..10_000u32).for_each(|key| counts.add(&key, 1));
    /// let error = counts.epsilon() * counts.total() as f64; // 26 of 10,000
    /// let within = |key: &u32| counts.estimate(key).value as f64 <= 1.0 + error;
    /// let share = (0..10_000).filter(within).count() as f64 / 10_000.0;
    /// assert!(share >= counts.confidence());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn epsilon(&self) -> f64 {
        epsilon(self.bits)
    }

    /// Returns the probability that the lower bound holds: 1 - e^-depth.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// assert!(CountMin::with_shape(64, 1)?.confidence() < 0.64);
    /// assert!(CountMin::with_shape(64, 5)?.confidence() > 0.993); // each row adds confidence
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn confidence(&self) -> f64 {
        1.0 - (-(self.depth as f64)).exp()
    }

    /// Returns the probability that the lower bounds of this many keys hold at once: at least 1 -
    /// keys * e^-depth, and 0 if that is negative. While [exact](CountMin::is_exact) they are
    /// certain.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let counts = CountMin::with_error(0.001, 0.99)?; // of one key
    /// assert!(counts.confidence_of_all(10) < 0.94);
    /// let counts = CountMin::with_error(0.001, 1.0 - 0.01 / 1000.0)?; // of all of a thousand
    /// assert!(counts.confidence_of_all(1000) >= 0.99 && counts.depth() == 12);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn confidence_of_all(&self, keys: u64) -> f64 {
        (1.0 - keys as f64 * (-(self.depth as f64)).exp()).max(0.0)
    }

    /// Returns the number of counters per row.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// // e / 0.01 is 272: the next power of two.
    /// assert_eq!(CountMin::with_error(0.01, 0.99)?.width(), 512);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn width(&self) -> usize {
        1 << self.bits
    }

    /// Returns the number of rows.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// assert_eq!(CountMin::with_error(0.01, 0.9)?.depth(), 3);
    /// assert_eq!(CountMin::with_error(0.01, 0.999)?.depth(), 7); // one more per factor of e
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the seed.
    ///
    /// # Example
    /// ```
    /// use streamgauge::Seed;
    /// use streamgauge::sketch::CountMin;
    /// let secret = CountMin::with_shape(64, 3)?.seeded(Seed::new(7));
    /// let mut public = CountMin::with_shape(64, 3)?;
    /// assert_ne!(secret.seed(), public.seed());
    /// assert!(public.merge(&secret).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Returns the bytes in memory, including the heap.
    ///
    /// # Example
    /// ```
    /// use streamgauge::sketch::CountMin;
    /// let table = CountMin::with_shape(1024, 3)?;
    /// assert!(table.resident_bytes() >= 1024 * 3 * 4); // from the start, also without a key
    /// let few_keys = table.clone().exact_within(12_288);
    /// assert!(few_keys.resident_bytes() < 1_000); // grows with the keys
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn resident_bytes(&self) -> usize {
        size_of::<Self>()
            + self.cells.heap_bytes()
            + self.exact.as_ref().map_or(0, ExactCounts::heap_bytes)
    }
}

/// Prints everything but the multipliers, which would reveal a secret seed.
impl fmt::Debug for CountMin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CountMin");
        shown.field("width", &self.width()).field("depth", &self.depth).field("seed", &self.seed);
        shown.field("conservative", &self.conservative).field("total", &self.total);
        match &self.exact {
            Some(exact) => shown.field("exact", exact).finish(),
            None => shown.field("cells", &self.cells).finish(),
        }
    }
}

/// Returns e / width.
fn epsilon(bits: u32) -> f64 {
    std::f64::consts::E / (1u64 << bits) as f64
}
