//! The number of occurrences of a key, by a count-min sketch that stores no keys.

use super::extract::{ByReference, ByValue, KeyOf};
use super::{Aggregate, Hints, Persistence, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::hash::Seed;
use crate::key::Key;
use crate::sketch::{CountMin, Estimate};
use crate::time::Timestamp;

/// Default error and confidence of frequencies: at most 0.1 % of all records too high, for 99 % of
/// the keys, once the keys take more than the 80 KB of the table.
const DEFAULT_ERROR: (f64, f64) = (0.001, 0.99);

/// A count-min sketch of a key of the record. Created by [`frequencies`] and [`frequencies_value`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let pages = frequencies(|page: &str| page).error(0.01, 0.99).exact_within(0);
/// let mut pipeline = Pipeline::builder().aggregate(pages).build()?;
/// let counts = pipeline.over(["/a", "/b", "/a"]).next().map(|emission| emission.value);
/// let counts = counts.expect("the input has ended");
/// assert!(!counts.is_exact() && counts.epsilon() <= 0.01);
/// assert!(counts.estimate("/a").value >= 2); // never below the truth
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Frequencies<E> {
    key: E,
    sketch: Sketch,
}

/// The frequency of one key, from a count-min sketch. Created by [`frequency`] and
/// [`frequency_value`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let logins = frequency(|page: &str| page, "/login").error(0.01, 0.95);
/// let mut pipeline = Pipeline::builder().aggregate(logins).build()?;
/// let found = pipeline.over(["/login", "/a"]).next().map(|emission| emission.value);
/// assert!(found.is_some_and(|count| count.is_exact() && count.value == 1));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Frequency<E, K> {
    of: K,
    frequencies: Frequencies<E>,
}

/// An empty sketch as template, and the error if the requested shape is not allowed.
#[derive(Clone)]
struct Sketch {
    empty: CountMin,
    /// Maximum bytes of exact counts. `None` means the bytes of the table.
    exact_bytes: Option<usize>,
    wrong: Option<String>,
}

impl Sketch {
    fn new() -> Self {
        let (epsilon, confidence) = DEFAULT_ERROR;
        let empty = CountMin::with_error(epsilon, confidence).expect("the default is in range");
        Sketch { empty, exact_bytes: None, wrong: None }.exact()
    }

    fn set_error(self, epsilon: f64, confidence: f64) -> Self {
        match CountMin::with_error(epsilon, confidence) {
            Ok(empty) => {
                Sketch { empty: empty.seeded(self.empty.seed()), wrong: None, ..self }.exact()
            }
            Err(error) => Sketch { wrong: Some(error.message().to_string()), ..self },
        }
    }

    fn exact(mut self) -> Self {
        let bytes =
            self.exact_bytes.unwrap_or(self.empty.width() * self.empty.depth() * size_of::<u32>());
        self.empty = self.empty.exact_within(bytes);
        self
    }
}

/// Computes a count-min sketch of a key inside the record. The answer is a [`CountMin`], which can
/// be asked later for the frequency of any key.
///
/// Counts are exact (see [`CountMin::is_exact`]) while the keys take no more bytes than the sketch:
/// 80 KB at the default error, about 800 keys like URLs. An accumulator therefore takes at most
/// about that, and less if there are few keys. Inside a `group_by` that is per group. To find the
/// most frequent keys, use [`top_k`](super::top_k()).
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, frequencies};
/// use streamgauge::Timestamp;
/// let pages = frequencies(|page: &String| page.as_str());
/// let mut accumulator = pages.init();
/// for page in ["/a", "/b", "/a"] {
///     pages.add(&mut accumulator, &page.to_string(), Timestamp::from_millis(0));
/// }
/// let counts = pages.output(&accumulator);
/// assert!(counts.is_exact());
/// assert_eq!(counts.estimate("/a").value, 2);
/// ```
pub fn frequencies<R, K, F>(key: F) -> Frequencies<ByReference<R, K, F>>
where
    R: ?Sized,
    K: Key + ?Sized + 'static,
    F: for<'a> Fn(&'a R) -> &'a K,
{
    Frequencies { key: ByReference::new(key), sketch: Sketch::new() }
}

/// Computes a count-min sketch of a computed key. Otherwise as [`frequencies`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let classes = frequencies_value(|status: &u16| status / 100);
/// let mut pipeline = Pipeline::builder().aggregate(classes).build()?;
/// let counts = pipeline.over([200, 204, 503]).next().map(|emission| emission.value);
/// let counts = counts.expect("the input has ended");
/// assert_eq!(counts.estimate(&2u16).value, 2);
/// assert_eq!(counts.estimate(&4u16).value, 0);
/// # Ok::<(), Error>(())
/// ```
pub fn frequencies_value<R: ?Sized, K: Key<Owned = K> + 'static, F: Fn(&R) -> K>(
    key: F,
) -> Frequencies<ByValue<R, K, F>> {
    Frequencies { key: ByValue::new(key), sketch: Sketch::new() }
}

/// Counts the records of one key, by a count-min sketch of the key inside the record:
/// `frequency(|hit: &Hit| hit.url.as_str(), "/login")`.
///
/// The answer is exact while the keys of the records take no more bytes than the sketch (80 KB).
/// Past that it is never below the truth, and with 99 % confidence at most 0.1 % of all records
/// above it, unless set otherwise. For several keys, or for keys that are not known before, use
/// [`frequencies`]. To count one known key exactly in 8 bytes, use [`filtered`](super::filtered())
/// with [`count`](super::count()).
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, frequency};
/// use streamgauge::Timestamp;
/// let logins = frequency(|page: &String| page.as_str(), "/login").exact_within(0);
/// let mut accumulator = logins.init();
/// for user in 0..1_000 {
///     logins.add(&mut accumulator, &format!("/user/{user}"), Timestamp::from_millis(0));
///     logins.add(&mut accumulator, &"/login".to_string(), Timestamp::from_millis(0));
/// }
/// let count = logins.output(&accumulator);
/// assert!(1_000 <= count.value && count.value <= 1_002); // 0.1 % of 2,000 records
/// ```
pub fn frequency<R, K, F>(key: F, of: &K) -> Frequency<ByReference<R, K, F>, K::Owned>
where
    R: ?Sized,
    K: Key + ?Sized + 'static,
    F: for<'a> Fn(&'a R) -> &'a K,
{
    Frequency { of: of.to_key(), frequencies: frequencies(key) }
}

/// Counts the records of one computed key. Otherwise as [`frequency`].
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, frequency_value};
/// use streamgauge::Timestamp;
/// let server_errors = frequency_value(|status: &u16| status / 100, 5);
/// let mut accumulator = server_errors.init();
/// for status in [200, 503, 500] {
///     server_errors.add(&mut accumulator, &status, Timestamp::from_millis(0));
/// }
/// assert_eq!(server_errors.output(&accumulator).value, 2);
/// ```
pub fn frequency_value<R: ?Sized, K: Key<Owned = K> + 'static, F: Fn(&R) -> K>(
    key: F,
    of: K,
) -> Frequency<ByValue<R, K, F>, K> {
    Frequency { of, frequencies: frequencies_value(key) }
}

impl<E> Frequencies<E> {
    /// Sets the error, as a share of all records, and the confidence, both inside (0, 1). Defaults:
    /// 0.001 and 0.99. A smaller error needs more memory: see [`CountMin::with_error`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let bytes = |epsilon| {
    ///     let pages = frequencies(|page: &str| page).error(epsilon, 0.99).exact_within(0);
    ///     pages.state_bytes(&pages.init())
    /// };
    /// assert!(bytes(0.0001) > 7 * bytes(0.001)); // a tenth of the error
    /// let exact = frequencies(|page: &str| page).error(0.0, 0.99);
    /// let refused = Pipeline::builder().aggregate(exact).build().err();
    /// assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
    /// ```
    #[must_use]
    pub fn error(mut self, epsilon: f64, confidence: f64) -> Self {
        self.sketch = self.sketch.set_error(epsilon, confidence);
        self
    }

    /// Sets the bytes up to which counts are exact. Default: the bytes of the sketch. 0 means a
    /// sketch from the start: see [`CountMin::exact_within`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let exact = |bytes| {
    ///     let pages = frequencies(|page: &str| page).exact_within(bytes);
    ///     let mut accumulator = pages.init();
    ///     pages.add(&mut accumulator, "/a", Timestamp::from_millis(0));
    ///     pages.output(&accumulator).is_exact()
    /// };
    /// assert!(exact(1_000) && !exact(0));
    /// ```
    #[must_use]
    pub fn exact_within(mut self, bytes: usize) -> Self {
        self.sketch.exact_bytes = Some(bytes);
        self.sketch = self.sketch.exact();
        self
    }

    /// Sets the seed. Default: [`Seed::PUBLIC`]. Use a secret seed if keys come from outside.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pages = frequencies(|page: &str| page).seeded(Seed::new(7));
    /// assert_eq!(pages.output(&pages.init()).seed(), Seed::new(7));
    /// ```
    #[must_use]
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.sketch.empty = self.sketch.empty.seeded(seed);
        self
    }
}

impl<E, K> Frequency<E, K> {
    /// Sets the error and the confidence, as [`Frequencies::error`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let logins = frequency(|page: &str| page, "/login").error(0.0001, 0.999);
    /// assert!(logins.validate().is_ok());
    /// assert!(frequency(|page: &str| page, "/login").error(0.1, 1.0).validate().is_err());
    /// ```
    #[must_use]
    pub fn error(mut self, epsilon: f64, confidence: f64) -> Self {
        self.frequencies = self.frequencies.error(epsilon, confidence);
        self
    }

    /// Sets the bytes up to which the count is exact, as [`Frequencies::exact_within`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let logins = frequency(|page: &str| page, "/login").exact_within(0);
    /// let mut accumulator = logins.init();
    /// for _ in 0..10_000 {
    ///     logins.add(&mut accumulator, "/login", Timestamp::from_millis(0));
    /// }
    /// let count = logins.output(&accumulator); // of a sketch: with bounds
    /// assert!(count.lower < 10_000 && 10_000 <= count.upper);
    /// ```
    #[must_use]
    pub fn exact_within(mut self, bytes: usize) -> Self {
        self.frequencies = self.frequencies.exact_within(bytes);
        self
    }

    /// Sets the seed. Default: [`Seed::PUBLIC`]. Use a secret seed if keys come from outside.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let logins = |seed| frequency(|page: &str| page, "/login").seeded(Seed::new(seed));
    /// let (ours, theirs) = (logins(1).init(), logins(2).init());
    /// assert!(logins(1).merge(&mut ours.clone(), &ours).is_ok());
    /// assert!(logins(1).merge(&mut ours.clone(), &theirs).is_err());
    /// ```
    #[must_use]
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.frequencies = self.frequencies.seeded(seed);
        self
    }
}

impl<R: ?Sized, E: KeyOf<R>> Aggregate<R> for Frequencies<E> {
    type Accumulator = CountMin;
    type Output = CountMin;

    fn validate(&self) -> Result<(), Error> {
        match &self.sketch.wrong {
            Some(message) => Err(Error::invalid(message)),
            None => Ok(()),
        }
    }

    fn init(&self) -> CountMin {
        self.sketch.empty.clone()
    }

    #[inline]
    fn add(&self, accumulator: &mut CountMin, record: &R, _time: Timestamp) {
        accumulator.add_borrowed(&self.key.key(record), 1);
    }

    fn merge(&self, into: &mut CountMin, from: &CountMin) -> Result<(), Error> {
        into.merge_folded(from)
    }

    fn output(&self, accumulator: &CountMin) -> CountMin {
        accumulator.clone()
    }

    #[inline]
    fn state_bytes(&self, accumulator: &CountMin) -> usize {
        accumulator.resident_bytes()
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::CHECKS_RECORD
    }
}

impl<R: ?Sized, E: KeyOf<R>> Persistence<R, CountMin> for Frequencies<E> {
    fn describe(&self) -> String {
        // Without the bytes of exact counts: specifications with different values can read each
        // other's state, and then each keeps its own limit.
        let (width, depth) = (self.sketch.empty.width(), self.sketch.empty.depth());
        format!("frequencies of {} in {depth} rows of {width}", E::Key::NAME)
    }

    fn seed_fingerprint(&self) -> u64 {
        self.sketch.empty.seed().fingerprint()
    }

    fn encode(&self, accumulator: &CountMin, writer: &mut Writer) -> Result<(), Error> {
        accumulator.encode(writer);
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<CountMin, Error> {
        self.sketch.empty.decode(reader)
    }

    /// Folds the rows in half while the tolerance allows.
    fn reduce(&self, accumulator: &mut CountMin, tolerance: f64, reductions: &mut Reductions) {
        if accumulator.fold_within(tolerance) {
            reductions.note(&Persistence::<R, CountMin>::describe(self));
        }
    }
}

impl<R: ?Sized, E: KeyOf<R>> Aggregate<R> for Frequency<E, <E::Key as Key>::Owned> {
    type Accumulator = CountMin;
    type Output = Estimate<u64>;

    fn validate(&self) -> Result<(), Error> {
        self.frequencies.validate()
    }

    fn init(&self) -> CountMin {
        self.frequencies.init()
    }

    #[inline]
    fn add(&self, accumulator: &mut CountMin, record: &R, time: Timestamp) {
        self.frequencies.add(accumulator, record, time);
    }

    fn merge(&self, into: &mut CountMin, from: &CountMin) -> Result<(), Error> {
        into.merge_folded(from)
    }

    fn output(&self, accumulator: &CountMin) -> Estimate<u64> {
        accumulator.estimate::<E::Key>(std::borrow::Borrow::borrow(&self.of))
    }

    #[inline]
    fn state_bytes(&self, accumulator: &CountMin) -> usize {
        accumulator.resident_bytes()
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::CHECKS_RECORD
    }
}

impl<R: ?Sized, E: KeyOf<R>> Persistence<R, CountMin> for Frequency<E, <E::Key as Key>::Owned> {
    fn describe(&self) -> String {
        format!("frequency of {:?}, {}", self.of, Persistence::<R, _>::describe(&self.frequencies))
    }

    fn seed_fingerprint(&self) -> u64 {
        self.frequencies.seed_fingerprint()
    }

    fn encode(&self, accumulator: &CountMin, writer: &mut Writer) -> Result<(), Error> {
        self.frequencies.encode(accumulator, writer)
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<CountMin, Error> {
        self.frequencies.decode(reader)
    }

    fn reduce(&self, accumulator: &mut CountMin, tolerance: f64, reductions: &mut Reductions) {
        self.frequencies.reduce(accumulator, tolerance, reductions);
    }
}
