//! The most frequent keys.

use super::extract::{ByReference, ByValue, KeyOf};
use super::{Aggregate, Hints, Invertible, Persistence, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::hash::Seed;
use crate::key::Key;
use crate::sketch::{SpaceSaving, TopRow};
use crate::time::Timestamp;

/// The most frequent keys. Created by [`top_k`] and [`top_k_value`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let pages = top_k(2, |page: &str| page).counters(1_000).seeded(Seed::new(7));
/// let mut pipeline = Pipeline::builder().aggregate(pages).build()?;
/// let top = pipeline.over(["/a", "/c", "/b", "/c"]).next().expect("the input has ended").value;
/// let rows: Vec<(&str, u64)> = top.iter().map(|row| (&*row.key, row.count)).collect();
/// assert_eq!(rows, [("/c", 2), ("/a", 1)]); // equal counts by key
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct TopK<E> {
    k: usize,
    pub(super) key: E,
    counters: usize,
    seed: Seed,
}

/// Default number of counters of a `top_k`. The answer is exact for up to this many distinct keys
/// per window.
///
/// # Example
/// ```
/// use streamgauge::aggregate::DEFAULT_COUNTERS;
/// use streamgauge::prelude::*;
/// let keys = top_k_value(1, |key: &u64| *key);
/// let mut accumulator = keys.init();
/// for key in 0..DEFAULT_COUNTERS as u64 {
///     keys.add(&mut accumulator, &key, Timestamp::from_millis(0));
/// }
/// assert!(keys.output(&accumulator)[0].is_exact());
/// ```
pub const DEFAULT_COUNTERS: usize = 65_536;

/// Maximum number of counters: that of [`SpaceSaving::with_capacity`].
///
/// # Example
/// ```
/// use streamgauge::aggregate::COUNTERS_MAX;
/// use streamgauge::prelude::*;
/// assert!(top_k(10, |page: &str| page).counters(COUNTERS_MAX).validate().is_ok());
/// assert!(top_k(10, |page: &str| page).counters(COUNTERS_MAX + 1).validate().is_err());
/// ```
pub const COUNTERS_MAX: usize = 1 << 26;

/// Computes the `k` most frequent keys, for a key inside the record: `top_k(10, |hit: &Hit|
/// hit.url.as_str())`. The answer is a list of [`TopRow`]s by descending count, then by ascending
/// key.
///
/// It is exact while the distinct keys fit into the [`counters`](TopK::counters) (default
/// [`DEFAULT_COUNTERS`]). Past that every row has bounds of its count, and tells if the key
/// certainly belongs to the top k: see [`SpaceSaving`], the sketch behind it. Memory grows with the
/// stored keys, so few keys cost little. For a computed key use [`top_k_value`].
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, top_k};
/// use streamgauge::Timestamp;
/// let pages = top_k(1, |page: &String| page.as_str());
/// let mut accumulator = pages.init();
/// for page in ["/a", "/b", "/a"] {
///     pages.add(&mut accumulator, &page.to_string(), Timestamp::from_millis(0));
/// }
/// let top = pages.output(&accumulator);
/// assert_eq!((&*top[0].key, top[0].count, top[0].guaranteed), ("/a", 2, true));
/// ```
pub fn top_k<R, K, F>(k: usize, key: F) -> TopK<ByReference<R, K, F>>
where
    R: ?Sized,
    K: Key + ?Sized + 'static,
    F: for<'a> Fn(&'a R) -> &'a K,
{
    TopK::new(k, ByReference::new(key))
}

/// Computes the `k` most frequent keys, for a computed key. Otherwise as [`top_k`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let classes = top_k_value(1, |status: &u16| status / 100);
/// let mut pipeline = Pipeline::builder().aggregate(classes).build()?;
/// let top = pipeline.over([200, 503, 204]).next().expect("the input has ended").value;
/// assert_eq!((top[0].key, top[0].count), (2, 2));
/// # Ok::<(), Error>(())
/// ```
pub fn top_k_value<R: ?Sized, K: Key<Owned = K> + 'static, F: Fn(&R) -> K>(
    k: usize,
    key: F,
) -> TopK<ByValue<R, K, F>> {
    TopK::new(k, ByValue::new(key))
}

super::keys::joined_keys! {
    /// Adds a key to the one that is counted, up to three: pairs or triples are counted then. Each
    /// part is a reference into the record. For a computed part use
    /// [`and_by_value`](TopK::and_by_value).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// struct Hit { url: String, status: u16 }
    /// let errors = top_k(1, |hit: &Hit| hit.url.as_str()).and_by(|hit: &Hit| &hit.status);
    /// let mut pipeline = Pipeline::builder().aggregate(errors).build()?;
    /// let hits = [("/a", 200), ("/a", 503), ("/b", 503), ("/b", 503)];
    /// let hits = hits.map(|(url, status)| Hit { url: url.into(), status });
    /// let top = pipeline.over(hits).next().expect("the input has ended").value;
    /// assert_eq!((&top[0].key, top[0].count), (&("/b".into(), 503), 2));
    /// # Ok::<(), Error>(())
    /// ```
    TopK<E> { k, counters, seed }
}

impl<E> TopK<E> {
    pub(crate) fn new(k: usize, key: E) -> Self {
        TopK { k, key, counters: DEFAULT_COUNTERS, seed: Seed::PUBLIC }
    }

    /// The number of counters.
    #[cfg(feature = "spec")]
    pub(crate) fn counters_max(&self) -> usize {
        self.counters
    }

    /// Sets the number of counters, from `k` to [`COUNTERS_MAX`]. Default: [`DEFAULT_COUNTERS`].
    /// The error of a count is at most the number of records divided by the number of counters.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pages = top_k_value(1, |page: &u64| *page).counters(100);
    /// let mut accumulator = pages.init();
    /// for record in 0..10_000 {
    ///     let page = if record % 2 == 0 { 0 } else { record };
    ///     pages.add(&mut accumulator, &page, Timestamp::from_millis(0));
    /// }
    /// // 5,001 pages and 100 counters: the bounds are at most 10,000 / 100 apart.
    /// let top = &pages.output(&accumulator)[0];
    /// assert!(top.key == 0 && top.guaranteed && top.lower <= 5_000 && 5_000 <= top.upper);
    /// assert!(top.upper - top.lower <= 100);
    /// ```
    #[must_use]
    pub fn counters(mut self, counters: usize) -> Self {
        self.counters = counters;
        self
    }

    /// Sets the seed of the sketch's filter. Default: [`Seed::PUBLIC`]. Use a secret seed if keys
    /// come from outside.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let pages = |seed| top_k(10, |page: &str| page).seeded(Seed::new(seed));
    /// let (ours, theirs) = (pages(1).init(), pages(2).init());
    /// assert!(pages(1).merge(&mut ours.clone(), &theirs).is_err()); // share one secret seed
    /// ```
    #[must_use]
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }
}

impl<R: ?Sized, E: KeyOf<R>> Aggregate<R> for TopK<E> {
    type Accumulator = SpaceSaving<E::Key>;
    type Output = Vec<TopRow<<E::Key as Key>::Owned>>;

    fn validate(&self) -> Result<(), Error> {
        if self.k == 0 {
            return Err(Error::invalid("a top k of 0 rows; at least 1"));
        }
        if self.counters < self.k || self.counters > COUNTERS_MAX {
            let (k, counters) = (self.k, self.counters);
            return Err(Error::invalid(format!(
                "{counters} counters for the top {k}; from {k} to {COUNTERS_MAX}"
            )));
        }
        Ok(())
    }

    fn init(&self) -> Self::Accumulator {
        // `validate` refuses other numbers. They are clamped, so that a specification that was not
        // validated does not panic either.
        let counters = self.counters.clamp(1, COUNTERS_MAX);
        SpaceSaving::with_capacity(counters)
            .expect("1 to 2^26 is the range of a sketch")
            .seeded(self.seed)
    }

    #[inline]
    fn add(&self, accumulator: &mut Self::Accumulator, record: &R, _time: Timestamp) {
        accumulator.add_borrowed(&self.key.key(record), 1);
    }

    fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error> {
        into.merge(from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        Some(self)
    }

    fn output(&self, accumulator: &Self::Accumulator) -> Self::Output {
        accumulator.top(self.k)
    }

    #[inline]
    fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
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

impl<R: ?Sized, E: KeyOf<R>> Persistence<R, SpaceSaving<E::Key>> for TopK<E> {
    fn describe(&self) -> String {
        format!("top {} of {} in {} counters", self.k, E::Key::NAME, self.counters)
    }

    fn seed_fingerprint(&self) -> u64 {
        self.seed.fingerprint()
    }

    fn encode(&self, accumulator: &SpaceSaving<E::Key>, writer: &mut Writer) -> Result<(), Error> {
        accumulator.encode(writer);
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<SpaceSaving<E::Key>, Error> {
        Aggregate::<R>::init(self).decode(reader)
    }

    /// Keeps `1 / tolerance` rows, and at least `k`.
    fn reduce(
        &self,
        accumulator: &mut SpaceSaving<E::Key>,
        tolerance: f64,
        reductions: &mut Reductions,
    ) {
        if accumulator.cut_to(((1.0 / tolerance) as usize).max(self.k)) {
            reductions.note(&Persistence::<R, SpaceSaving<E::Key>>::describe(self));
        }
    }
}

impl<R: ?Sized, E: KeyOf<R>> Invertible<R, SpaceSaving<E::Key>> for TopK<E> {
    fn prepare(&self, accumulator: &mut SpaceSaving<E::Key>) {
        accumulator.prepare();
    }

    fn is_exact(&self, accumulator: &SpaceSaving<E::Key>) -> bool {
        accumulator.subtracts()
    }

    fn subtract(&self, from: &mut SpaceSaving<E::Key>, part: &SpaceSaving<E::Key>) -> bool {
        from.subtract(part)
    }
}
