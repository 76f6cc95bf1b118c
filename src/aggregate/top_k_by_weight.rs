//! The keys with the largest sums of a weight.

use super::extract::{ByReference, ByValue, KeyOf, ValueOf};
use super::number::{MaybeNumber, Number, Wide};
use super::{Aggregate, Hints, Invertible, Persistence, Reductions, TopK};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::hash::Seed;
use crate::key::Key;
use crate::sketch::{SpaceSaving, TopRow};
use crate::time::Timestamp;

/// The keys with the largest sums of a weight. Created by [`top_k_by_weight`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let hosts = top_k_by_weight(2, |hit: &(&str, u64)| hit.0, |hit: &(&str, u64)| hit.1);
/// let mut pipeline = Pipeline::builder().aggregate(hosts.counters(1_000)).build()?;
/// let log = [("a", 10), ("b", 700), ("a", 50), ("c", 0)];
/// let top = pipeline.over(log).next().expect("the input has ended").value;
/// let rows: Vec<(&str, u64)> = top.iter().map(|row| (&*row.key, row.count)).collect();
/// assert_eq!(rows, [("b", 700), ("a", 60)]); // a weight of 0 adds no key
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct TopKByWeight<E, W> {
    top: TopK<E>,
    weight: W,
}

/// Computes the `k` keys with the largest sums of a weight, for a key inside the record:
/// `top_k_by_weight(10, |hit: &Hit| hit.host.as_str(), |hit: &Hit| hit.bytes)`. The counts of the
/// answer are the sums. Otherwise as [`top_k`](super::top_k()).
///
/// The answer is exact while the distinct keys fit into the [`counters`](TopKByWeight::counters).
/// Past that the error of a sum is at most the sum of all weights divided by the number of
/// counters, and every row has its bounds.
///
/// A weight is a whole number from 0 to 2^64 - 1; any other makes its record a dead letter. A
/// missing weight (`None`), or one of 0, adds nothing.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, top_k_by_weight};
/// use streamgauge::Timestamp;
/// struct Hit { host: String, bytes: u32 }
/// let hosts = top_k_by_weight(1, |hit: &Hit| hit.host.as_str(), |hit: &Hit| hit.bytes);
/// let mut accumulator = hosts.init();
/// for (host, bytes) in [("a", 500), ("b", 300), ("b", 300)] {
///     let hit = Hit { host: host.into(), bytes };
///     hosts.add(&mut accumulator, &hit, Timestamp::from_millis(0));
/// }
/// let top = hosts.output(&accumulator);
/// assert_eq!((&*top[0].key, top[0].count, top[0].guaranteed), ("b", 600, true));
/// ```
pub fn top_k_by_weight<R, K, F, V, G>(
    k: usize,
    key: F,
    weight: G,
) -> TopKByWeight<ByReference<R, K, F>, ByValue<R, V, G>>
where
    R: ?Sized,
    K: Key + ?Sized + 'static,
    F: for<'a> Fn(&'a R) -> &'a K,
    V: MaybeNumber,
    G: Fn(&R) -> V,
{
    TopKByWeight::new(super::top_k(k, key), ByValue::new(weight))
}

impl<E, W> TopKByWeight<E, W> {
    pub(crate) fn new(top: TopK<E>, weight: W) -> Self {
        TopKByWeight { top, weight }
    }

    /// The number of counters.
    #[cfg(feature = "spec")]
    pub(crate) fn counters_max(&self) -> usize {
        self.top.counters_max()
    }

    /// Sets the number of counters, as [`TopK::counters`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let hosts = top_k_by_weight(10, |hit: &(&str, u64)| hit.0, |hit: &(&str, u64)| hit.1);
    /// assert!(hosts.counters(100).validate().is_ok());
    /// assert!(hosts.counters(9).validate().is_err()); // fewer than rows
    /// ```
    #[must_use]
    pub fn counters(mut self, counters: usize) -> Self {
        self.top = self.top.counters(counters);
        self
    }

    /// Sets the seed of the sketch's filter, as [`TopK::seeded`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let hosts = top_k_by_weight(10, |hit: &(&str, u64)| hit.0, |hit: &(&str, u64)| hit.1);
    /// assert_eq!(hosts.seeded(Seed::new(7)).init().seed(), Seed::new(7));
    /// ```
    #[must_use]
    pub fn seeded(mut self, seed: Seed) -> Self {
        self.top = self.top.seeded(seed);
        self
    }
}

/// Returns a number as a weight; `None` if it cannot be a weight.
#[inline]
fn weight_of(number: impl Number) -> Option<u64> {
    number.widen().to_weight()
}

impl<R: ?Sized, E: KeyOf<R>, W: ValueOf<R, Value: MaybeNumber>> Aggregate<R>
    for TopKByWeight<E, W>
{
    type Accumulator = SpaceSaving<E::Key>;
    type Output = Vec<TopRow<<E::Key as Key>::Owned>>;

    fn validate(&self) -> Result<(), Error> {
        Aggregate::<R>::validate(&self.top)
    }

    fn init(&self) -> Self::Accumulator {
        Aggregate::<R>::init(&self.top)
    }

    #[inline]
    fn check(&self, _accumulator: Option<&Self::Accumulator>, record: &R) -> Result<(), Error> {
        match self.weight.value(record).number() {
            Some(number) if weight_of(number).is_none() => {
                let message = format!("{number:?} as a weight; a whole number of at least 0");
                Err(Error::new(ErrorKind::InvalidRecord, message))
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn add(&self, accumulator: &mut Self::Accumulator, record: &R, _time: Timestamp) {
        // Weights that were not checked are left out.
        if let Some(weight) = self.weight.value(record).number().and_then(weight_of) {
            accumulator.add_borrowed(&self.top.key.key(record), weight);
        }
    }

    fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error> {
        into.merge(from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        Aggregate::<R>::inverse(&self.top)
    }

    fn output(&self, accumulator: &Self::Accumulator) -> Self::Output {
        Aggregate::<R>::output(&self.top, accumulator)
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

impl<R: ?Sized, E: KeyOf<R>, W: ValueOf<R, Value: MaybeNumber>> Persistence<R, SpaceSaving<E::Key>>
    for TopKByWeight<E, W>
{
    fn describe(&self) -> String {
        format!("{} by weight", Persistence::<R, _>::describe(&self.top))
    }

    fn seed_fingerprint(&self) -> u64 {
        Persistence::<R, _>::seed_fingerprint(&self.top)
    }

    fn encode(&self, accumulator: &SpaceSaving<E::Key>, writer: &mut Writer) -> Result<(), Error> {
        Persistence::<R, _>::encode(&self.top, accumulator, writer)
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<SpaceSaving<E::Key>, Error> {
        Persistence::<R, _>::decode(&self.top, reader)
    }

    fn reduce(
        &self,
        accumulator: &mut SpaceSaving<E::Key>,
        tolerance: f64,
        reductions: &mut Reductions,
    ) {
        Persistence::<R, _>::reduce(&self.top, accumulator, tolerance, reductions);
    }
}
