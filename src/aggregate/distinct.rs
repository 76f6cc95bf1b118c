//! The number of different keys: exact while there are few, a HyperLogLog sketch after that.

mod counted;
mod counted_registers;
mod hll;
mod interval;
mod sketch_queue;

use self::counted::CountedKeys;
use self::hll::{Hll, PRECISION_MAX, PRECISION_MIN};
#[cfg(feature = "spec")]
pub(crate) use self::interval::distinct_errors;
use self::interval::interval;
use super::extract::{ByReference, ByValue, KeyOf};
use super::{Aggregate, Hints, Invertible, Persistence, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::hash::{Map, Seed};
use crate::key::{BorrowedKey, Key};
use crate::sketch::Estimate;
use crate::time::Timestamp;

/// Counts different keys. Created by [`distinct`] and [`distinct_value`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let users = distinct(|user: &str| user).exact_up_to(100).precision(12).seeded(Seed::new(7));
/// let mut pipeline = Pipeline::builder().aggregate(users).build()?;
/// let found = pipeline.over(["ann", "bob", "ann"]).next().map(|emission| emission.value.value);
/// assert_eq!(found, Some(2));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Distinct<E> {
    key: E,
    seed: Seed,
    exact_max: usize,
    precision: u8,
}

/// Default number of keys that are counted exactly: a hash table of 2048 slots can hold them. It
/// takes 18 KB, about the size of the sketch that replaces it.
///
/// # Example
/// ```
/// use streamgauge::aggregate::DISTINCT_EXACT_MAX;
/// use streamgauge::prelude::*;
/// let numbers = distinct_value(|number: &u64| *number);
/// let mut accumulator = numbers.init();
/// for number in 1..=DISTINCT_EXACT_MAX as u64 + 1 {
///     assert!(numbers.output(&accumulator).is_exact());
///     numbers.add(&mut accumulator, &number, Timestamp::from_millis(0));
/// }
/// assert!(!numbers.output(&accumulator).is_exact());
/// ```
pub const DISTINCT_EXACT_MAX: usize = 1792;

/// Default precision of the sketch: 2^14 registers of one byte, a standard error of 0.81 %.
///
/// # Example
/// ```
/// use streamgauge::aggregate::DISTINCT_PRECISION;
/// let standard_error = 1.04 / f64::from(1 << DISTINCT_PRECISION).sqrt();
/// assert!((standard_error - 0.0081).abs() < 0.0001);
/// ```
pub const DISTINCT_PRECISION: u8 = 14;

/// Maximum number of keys that can be counted exactly: 2^20 keys, 18 MB.
const EXACT_MAX_MAX: usize = 1 << 20;

/// The accumulator of [`distinct`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let users = distinct(|user: &str| user);
/// let [mut monday, mut tuesday] = [users.init(), users.init()];
/// users.add(&mut monday, "ann", Timestamp::from_millis(0));
/// users.add(&mut tuesday, "ann", Timestamp::from_millis(0));
/// users.merge(&mut monday, &tuesday)?; // a union, not a sum
/// assert_eq!(users.output(&monday).value, 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DistinctAccumulator(State);

#[cfg(feature = "spec")]
impl DistinctAccumulator {
    /// Returns the hashes of the keys, or `None` if there are more than `keys_max` keys or a hash
    /// is not known.
    pub(crate) fn few(&self, keys_max: usize) -> Option<impl Iterator<Item = u64>> {
        match &self.0 {
            State::Exact(hashes) if hashes.len() <= keys_max => Some(hashes.keys().copied()),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
enum State {
    /// The stable hashes of all keys.
    Exact(Map<u64, ()>),
    Sketch(Hll),
    /// Keys of parts that can be subtracted, exact or as a sketch.
    CountedKeys(Box<CountedKeys>),
}

impl State {
    /// Returns the state with the same answer but without the parts.
    fn plain(counted: &CountedKeys) -> State {
        match counted.few() {
            Some(hashes) => State::Exact(hashes.keys().map(|hash| (*hash, ())).collect()),
            None => State::Sketch(counted.sketch()),
        }
    }

    /// Adds this part. Returns false if it cannot be counted with the others.
    fn enter(&self, counted: &mut CountedKeys) -> bool {
        match self {
            State::Exact(hashes) => counted.enter_hashes(hashes),
            State::Sketch(sketch) => counted.enter_sketch(sketch),
            State::CountedKeys(_) => false,
        }
    }

    /// Subtracts this part. Returns false if it was not added.
    fn leave(&self, counted: &mut CountedKeys) -> bool {
        match self {
            State::Exact(hashes) => counted.leave_hashes(hashes),
            State::Sketch(sketch) => counted.leave_sketch(sketch),
            State::CountedKeys(_) => false,
        }
    }
}

/// Counts different keys, for a key inside the record. The answer is 0 without records.
///
/// Up to [`exact_up_to`](Distinct::exact_up_to) keys (default [`DISTINCT_EXACT_MAX`]) the answer is
/// exact, `lower` = `value` = `upper`, except if the 64-bit hashes of two keys collide. With n keys
/// the probability of that is below n² / 2^65, or 1 in 10^13 at the default. Past that the answer
/// comes from a HyperLogLog sketch of 2^p registers: `lower` and `upper` are 2.05 standard errors
/// around it. The standard error follows from the Fisher information of the registers: it is 0.71 /
/// sqrt(2^p) for few keys and 1.04 / sqrt(2^p) for many, 0.55 and 0.81 % at the default p = 14.
///
/// The interval holds with 95 % confidence for each answer, over the choice of the seed, if the
/// keys do not depend on the seed (95.3 % or more of 4,000 trials at precisions 10 to 14 and any
/// load of the registers). It is not for all answers at once: of many windows and groups one in
/// twenty may lie outside. The union bound for m answers is a confidence of 1 - 0.05 m. All of 10
/// answers hold with 95 % confidence in intervals 1.5 times as wide, of 100 in 1.9 times, of 1,000
/// in 2.2 times. Certain for all at once is only that a sketch replaces more than
/// [`exact_up_to`](Distinct::exact_up_to) keys, and `lower` is never below them.
///
/// The answer depends only on the set of keys, bit by bit, not on their order, on batches, threads
/// or merges: a sketch that replaces an exact count receives the hashes of its keys. With the
/// public default seed, whoever chooses the keys can cause collisions. If keys come from outside,
/// pass a secret seed to [`seeded`](Distinct::seeded).
///
/// Memory: 9 to 20 bytes per key while exact, then 2^p bytes. The single window that slides takes 8
/// times as much, and 2^p bytes for each of its panes that is a sketch. Source: Flajolet, Fusy,
/// Gandouet and Meunier 2007. The estimator is the composite one of DataSketches, which does not
/// depend on the order of merges.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, distinct};
/// use streamgauge::Timestamp;
/// let users = distinct(|user: &String| user.as_str());
/// let mut accumulator = users.init();
/// for user in ["ann", "bob", "ann"] {
///     users.add(&mut accumulator, &user.to_string(), Timestamp::from_millis(0));
/// }
/// let answer = users.output(&accumulator);
/// assert_eq!((answer.lower, answer.value, answer.upper), (2, 2, 2));
/// ```
pub fn distinct<R, K, F>(key: F) -> Distinct<ByReference<R, K, F>>
where
    R: ?Sized,
    K: Key + ?Sized + 'static,
    F: for<'a> Fn(&'a R) -> &'a K,
{
    Distinct::new(ByReference::new(key))
}

/// Counts different keys, for a computed key. Otherwise as [`distinct`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// // The networks of IPv4 addresses: computed, not stored in the record.
/// let networks = distinct_value(|address: &[u8; 4]| u16::from_be_bytes([address[0], address[1]]));
/// let mut pipeline = Pipeline::builder().aggregate(networks).build()?;
/// let addresses = [[10, 0, 0, 1], [10, 0, 9, 9], [192, 168, 0, 1]];
/// let found = pipeline.over(addresses).next().map(|emission| emission.value.value);
/// assert_eq!(found, Some(2));
/// # Ok::<(), Error>(())
/// ```
pub fn distinct_value<R: ?Sized, K: Key<Owned = K> + 'static, F: Fn(&R) -> K>(
    key: F,
) -> Distinct<ByValue<R, K, F>> {
    Distinct::new(ByValue::new(key))
}

super::keys::joined_keys! {
    /// Adds a key to the one that is counted, up to three: different pairs or triples are counted
    /// then. Each part is a reference into the record. For a computed part use
    /// [`and_by_value`](Distinct::and_by_value).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// struct Visit { user: String, page: String }
    /// let views = distinct(|visit: &Visit| visit.user.as_str());
    /// let views = views.and_by(|visit: &Visit| visit.page.as_str());
    /// let mut accumulator = views.init();
    /// for (user, page) in [("ann", "/a"), ("ann", "/b"), ("ann", "/a")] {
    ///     let visit = Visit { user: user.into(), page: page.into() };
    ///     views.add(&mut accumulator, &visit, Timestamp::from_millis(0));
    /// }
    /// assert_eq!(views.output(&accumulator).value, 2);
    /// ```
    Distinct<E> { seed, exact_max, precision }
}

impl<E> Distinct<E> {
    pub(crate) fn new(key: E) -> Self {
        Distinct {
            key,
            seed: Seed::PUBLIC,
            exact_max: DISTINCT_EXACT_MAX,
            precision: DISTINCT_PRECISION,
        }
    }

    /// Sets the seed of the keys' hash. Default: [`Seed::PUBLIC`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let users = |seed| distinct(|user: &str| user).seeded(Seed::new(seed));
    /// let pipeline = |seed| Pipeline::builder().aggregate(users(seed)).build();
    /// let saved = pipeline(1)?.snapshot()?;
    /// // A state is only read under its own seed.
    /// assert_eq!(pipeline(2)?.restore(&saved).unwrap_err().kind(), ErrorKind::Mismatch);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number of keys that are counted exactly, 0 to 1,048,576. Default:
    /// [`DISTINCT_EXACT_MAX`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let numbers = distinct_value(|number: &u64| *number).exact_up_to(2);
    /// let mut accumulator = numbers.init();
    /// for number in 1..=1_000 {
    ///     numbers.add(&mut accumulator, &number, Timestamp::from_millis(0));
    /// }
    /// let answer = numbers.output(&accumulator); // of a sketch: with bounds
    /// assert!(answer.lower < 1_000 && 1_000 < answer.upper);
    /// ```
    #[must_use]
    pub fn exact_up_to(mut self, keys: usize) -> Self {
        self.exact_max = keys;
        self
    }

    /// Sets the precision of the sketch: 2^`precision` registers of one byte, 10 to 18. Default:
    /// [`DISTINCT_PRECISION`]. One more halves the squared error and doubles the memory.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let width = |precision| {
    ///     let numbers = distinct_value(|number: &u64| *number).precision(precision);
    ///     let mut accumulator = numbers.init();
    ///     for number in 0..10_000 {
    ///         numbers.add(&mut accumulator, &number, Timestamp::from_millis(0));
    ///     }
    ///     let answer = numbers.output(&accumulator);
    ///     answer.upper - answer.lower
    /// };
    /// assert!(width(16) < width(12) / 2); // 16 times the memory, a quarter of the error
    /// let too_coarse = distinct(|user: &str| user).precision(9);
    /// assert!(Pipeline::builder().aggregate(too_coarse).build().is_err());
    /// ```
    #[must_use]
    pub fn precision(mut self, precision: u8) -> Self {
        self.precision = precision;
        self
    }

    /// Creates a sketch of the hashes, with at most this precision. At least `certain` keys were
    /// counted.
    fn sketch_of(hashes: &Map<u64, ()>, precision: u8, certain: u64) -> State {
        // The maximum of a register does not depend on the order.
        State::Sketch(Hll::of(precision, certain, hashes.keys().copied()))
    }

    fn overflowed(&self, hashes: &Map<u64, ()>) -> State {
        Self::sketch_of(hashes, self.precision, self.exact_max as u64 + 1)
    }

    /// Returns the hash of a record's key.
    #[inline]
    pub(crate) fn hash_of<R: ?Sized>(&self, record: &R) -> u64
    where
        E: KeyOf<R>,
    {
        self.key.key(record).stable_hash(self.seed)
    }

    /// Returns the number of keys that are counted exactly.
    #[cfg(feature = "spec")]
    pub(crate) fn exact_max(&self) -> usize {
        self.exact_max
    }

    /// Adds the hash of a key.
    pub(crate) fn add_hash(&self, accumulator: &mut DistinctAccumulator, hash: u64) {
        match &mut accumulator.0 {
            State::Sketch(sketch) => sketch.add(hash),
            State::Exact(hashes) => {
                hashes.insert(hash, ());
                if hashes.len() > self.exact_max {
                    accumulator.0 = self.overflowed(hashes);
                }
            }
            State::CountedKeys(counted) => {
                accumulator.0 = State::plain(counted);
                self.add_hash(accumulator, hash);
            }
        }
    }

    /// Merges a state that supports no subtraction.
    fn merge_plain(&self, into: &mut DistinctAccumulator, from: &State) {
        match from {
            State::Exact(hashes) => {
                if let State::Exact(into) = &mut into.0 {
                    // Reserves room for all keys at once, but not for more than are counted
                    // exactly.
                    let most = (into.len() + hashes.len()).min(self.exact_max.saturating_add(1));
                    into.reserve(most.saturating_sub(into.len()));
                }
                hashes.keys().for_each(|&hash| self.add_hash(into, hash));
                if let State::Sketch(into) = &mut into.0 {
                    into.raise_certain(hashes.len() as u64);
                }
            }
            State::Sketch(from) => {
                if let State::Exact(hashes) = &into.0 {
                    into.0 = Self::sketch_of(hashes, self.precision, hashes.len() as u64);
                }
                if let State::Sketch(into) = &mut into.0 {
                    into.merge(from);
                }
            }
            State::CountedKeys(from) => self.merge_plain(into, &State::plain(from)),
        }
    }

    fn decode_exact(&self, reader: &mut Reader<'_>) -> Result<State, Error> {
        let count = reader.count(8)?;
        if count > self.exact_max {
            let message =
                format!("{count} keys were counted exactly, over the {} asked for", self.exact_max);
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut hashes = Map::default();
        let mut last = None;
        for _ in 0..count {
            let hash = reader.fixed_u64()?;
            if last.is_some_and(|last| last >= hash) {
                return Err(reader.corrupt("the hashes of a distinct count do not ascend"));
            }
            hashes.insert(hash, ());
            last = Some(hash);
        }
        Ok(State::Exact(hashes))
    }
}

/// Returns the relative standard error of the sketch's estimate.
fn standard_error(precision: u8) -> f64 {
    1.04 / 2f64.powi(i32::from(precision)).sqrt()
}

impl<R: ?Sized, E: KeyOf<R>> Aggregate<R> for Distinct<E> {
    type Accumulator = DistinctAccumulator;
    type Output = Estimate<u64>;

    fn validate(&self) -> Result<(), Error> {
        if !(PRECISION_MIN..=PRECISION_MAX).contains(&self.precision) {
            return Err(Error::invalid(format!(
                "a precision of {} for distinct; from {PRECISION_MIN} to {PRECISION_MAX}",
                self.precision
            )));
        }
        if self.exact_max > EXACT_MAX_MAX {
            return Err(Error::invalid(format!(
                "{} keys to count exactly in distinct; at most {EXACT_MAX_MAX}",
                self.exact_max
            )));
        }
        Ok(())
    }

    fn init(&self) -> DistinctAccumulator {
        DistinctAccumulator(State::Exact(Map::default()))
    }

    #[inline]
    fn add(&self, accumulator: &mut DistinctAccumulator, record: &R, _time: Timestamp) {
        self.add_hash(accumulator, self.hash_of(record));
    }

    fn merge(
        &self,
        into: &mut DistinctAccumulator,
        from: &DistinctAccumulator,
    ) -> Result<(), Error> {
        if let State::CountedKeys(counted) = &mut into.0 {
            if from.0.enter(counted) {
                return Ok(());
            }
            into.0 = State::plain(counted);
        }
        self.merge_plain(into, &from.0);
        Ok(())
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, DistinctAccumulator>> {
        Some(self)
    }

    fn output(&self, accumulator: &DistinctAccumulator) -> Estimate<u64> {
        let (certain, (estimate, precision)) = match &accumulator.0 {
            State::Exact(hashes) => return Estimate::exact(hashes.len() as u64),
            State::Sketch(sketch) => (sketch.certain(), sketch.estimate()),
            State::CountedKeys(counted) => match counted.count() {
                Some(count) => return Estimate::exact(count),
                None => (self.exact_max as u64 + 1, counted.estimate()),
            },
        };
        let (lower, upper) = interval(estimate, precision);
        Estimate {
            value: (estimate.round() as u64).max(certain),
            lower: lower.max(certain),
            upper: upper.max(certain),
        }
    }

    fn state_bytes(&self, accumulator: &DistinctAccumulator) -> usize {
        let heap = match &accumulator.0 {
            State::Exact(hashes) => hashes.capacity() / 7 * 8 * (size_of::<u64>() + 1),
            State::Sketch(sketch) => sketch.heap_bytes(),
            State::CountedKeys(counted) => counted.heap_bytes(),
        };
        size_of_val(accumulator) + heap
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::CHECKS_RECORD
    }
}

impl<R: ?Sized, E: KeyOf<R>> Persistence<R, DistinctAccumulator> for Distinct<E> {
    fn describe(&self) -> String {
        format!(
            "distinct {}, {} exactly, then 2^{} registers",
            E::Key::NAME,
            self.exact_max,
            self.precision
        )
    }

    fn seed_fingerprint(&self) -> u64 {
        self.seed.fingerprint()
    }

    fn encode(&self, accumulator: &DistinctAccumulator, writer: &mut Writer) -> Result<(), Error> {
        match &accumulator.0 {
            State::Exact(hashes) => {
                writer.u8(0);
                let mut hashes: Vec<u64> = hashes.keys().copied().collect();
                hashes.sort_unstable();
                writer.usize(hashes.len());
                hashes.iter().for_each(|hash| writer.fixed_u64(*hash));
            }
            State::Sketch(sketch) => {
                writer.u8(1);
                sketch.encode(writer);
            }
            State::CountedKeys(counted) => {
                let plain = DistinctAccumulator(State::plain(counted));
                return Persistence::<R, DistinctAccumulator>::encode(self, &plain, writer);
            }
        }
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<DistinctAccumulator, Error> {
        let state = match reader.u8()? {
            0 => self.decode_exact(reader)?,
            1 => State::Sketch(Hll::decode(reader, self.precision)?),
            other => {
                return Err(reader.corrupt(&format!("{other} is not a form of a distinct count")));
            }
        };
        Ok(DistinctAccumulator(state))
    }

    /// Turns an exact count into a sketch, and lowers the precision of a sketch, as far as the
    /// tolerance allows. The standard error counts.
    fn reduce(
        &self,
        accumulator: &mut DistinctAccumulator,
        tolerance: f64,
        reductions: &mut Reductions,
    ) {
        let enough = (PRECISION_MIN..=PRECISION_MAX)
            .find(|precision| standard_error(*precision) <= tolerance);
        let Some(enough) = enough else { return };
        if let State::CountedKeys(counted) = &accumulator.0 {
            accumulator.0 = State::plain(counted);
        }
        match &mut accumulator.0 {
            State::Exact(hashes) if enough <= self.precision && !hashes.is_empty() => {
                accumulator.0 = Self::sketch_of(hashes, enough, hashes.len() as u64);
            }
            State::Sketch(sketch) if enough < sketch.precision() => sketch.lower_to(enough),
            _ => return,
        }
        reductions.note(&Persistence::<R, DistinctAccumulator>::describe(self));
    }
}

impl<R: ?Sized, E: KeyOf<R>> Invertible<R, DistinctAccumulator> for Distinct<E> {
    fn prepare(&self, accumulator: &mut DistinctAccumulator) {
        let mut counted = CountedKeys::new(self.exact_max, self.precision);
        if accumulator.0.enter(&mut counted) {
            accumulator.0 = State::CountedKeys(Box::new(counted));
        }
    }

    fn is_exact(&self, accumulator: &DistinctAccumulator) -> bool {
        matches!(&accumulator.0, State::CountedKeys(counted) if counted.is_certain())
    }

    fn subtract(&self, from: &mut DistinctAccumulator, part: &DistinctAccumulator) -> bool {
        match &mut from.0 {
            State::CountedKeys(counted) => part.0.leave(counted),
            _ => false,
        }
    }
}
