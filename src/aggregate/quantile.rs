//! Quantiles with a bounded relative error.

use super::extract::{ByValue, ValueOf};
use super::number::{MaybeNumber, Number, check_finite};
use super::{Aggregate, Hints, Invertible, Persistence, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::sketch::{Estimate, LogHistogram};
use crate::time::Timestamp;

/// Default relative accuracy of quantiles: half a per cent.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{DEFAULT_ACCURACY, quantile};
/// use streamgauge::prelude::*;
/// let median = quantile(0.5, |millis: &f64| *millis);
/// let mut accumulator = median.init();
/// (1..1_000).for_each(|n| median.add(&mut accumulator, &f64::from(n * n), Timestamp::MIN));
/// let found = median.output(&accumulator).map_or(0.0, |found| found.value);
/// assert!((found - 250_000.0).abs() <= DEFAULT_ACCURACY * 250_000.0);
/// ```
pub const DEFAULT_ACCURACY: f64 = 0.005;

/// One quantile of a number of the record. Created by [`quantile`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let p99 = quantile(0.99, |millis: &u32| *millis);
/// let mut pipeline = Pipeline::builder().aggregate(p99).build()?;
/// let found = pipeline.over(1..=1_000).next().and_then(|emission| emission.value);
/// let found = found.expect("1,000 records");
/// assert!(found.lower <= 990.0 && 990.0 <= found.upper);
/// assert!((found.value - 990.0).abs() <= 0.005 * 990.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Quantile<N> {
    of: Quantiles<N, 1>,
}

/// Several quantiles of a number of the record. Created by [`quantiles`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let latency = quantiles([0.5, 0.9, 0.99], |millis: &u32| *millis).accuracy(0.02);
/// let mut pipeline = Pipeline::builder().aggregate(latency).build()?;
/// let answer = pipeline.over(1..=1_000).next().expect("the input has ended").value;
/// for (truth, found) in [500.0, 900.0, 990.0].into_iter().zip(answer.into_iter().flatten()) {
///     assert!((found.value - truth).abs() <= 0.02 * truth);
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Quantiles<N, const Q: usize> {
    ranks: [f64; Q],
    number: N,
    empty: LogHistogram,
    wrong: Option<String>,
}

/// Computes the `q`-quantile of a number, with `q` from 0 to 1: the number at rank ceil(q n), as in
/// `quantile(0.99, |hit: &Hit| hit.latency_ms)`. `None` without records. A missing number (`None`) is
/// skipped.
///
/// The value has a relative error of at most 0.5 % (see [`accuracy`](Quantile::accuracy)) and is
/// certainly between `lower` and `upper`, for all finite numbers. The error grows only if the
/// numbers of one sign are in more than 8192 buckets; the bounds then tell it. The answer does not
/// depend on the order of records, on batches, threads or merges, bit by bit: see [`LogHistogram`].
/// NaN and infinities make their record a dead letter. Integers above 2^53 are rounded to the
/// nearest `f64` first.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, quantile};
/// use streamgauge::Timestamp;
/// let median = quantile(0.5, |millis: &u64| *millis);
/// let mut accumulator = median.init();
/// for millis in [30, 10, 20] {
///     median.add(&mut accumulator, &millis, Timestamp::from_millis(0));
/// }
/// assert_eq!(median.output(&accumulator).unwrap().value, 20.0);
/// ```
pub fn quantile<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(
    q: f64,
    number: F,
) -> Quantile<ByValue<R, V, F>> {
    Quantile::new(q, ByValue::new(number))
}

/// Computes several quantiles of one number from one histogram, as in `quantiles([0.5, 0.9, 0.99],
/// |hit: &Hit| hit.latency_ms)`. Each is as [`quantile`]; memory and time per record are those of
/// one.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, quantiles};
/// use streamgauge::Timestamp;
/// let latency = quantiles([0.0, 0.5, 1.0], |millis: &u64| *millis);
/// let mut accumulator = latency.init();
/// assert_eq!(latency.output(&accumulator), [None; 3]);
/// for millis in [30, 10, 20] {
///     latency.add(&mut accumulator, &millis, Timestamp::from_millis(0));
/// }
/// let answer = latency.output(&accumulator).map(|found| found.map(|found| found.value));
/// assert_eq!(answer, [Some(10.0), Some(20.0), Some(30.0)]); // the ends are exact
/// ```
pub fn quantiles<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V, const Q: usize>(
    ranks: [f64; Q],
    number: F,
) -> Quantiles<ByValue<R, V, F>, Q> {
    Quantiles::new(ranks, ByValue::new(number))
}

impl<N, const Q: usize> Quantiles<N, Q> {
    fn new(ranks: [f64; Q], number: N) -> Self {
        let empty = LogHistogram::with_accuracy(DEFAULT_ACCURACY).expect("the default is in range");
        Quantiles { ranks, number, empty, wrong: None }
    }

    /// Sets the relative accuracy. Default: 0.005. Half of it needs twice the memory: see
    /// [`LogHistogram::with_accuracy`], which also documents the range.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let latency = |alpha| quantiles([0.5, 0.99], |millis: &f64| *millis).accuracy(alpha);
    /// assert!(latency(0.001).validate().is_ok());
    /// assert_eq!(latency(0.0).validate().unwrap_err().kind(), ErrorKind::InvalidArgument);
    /// ```
    #[must_use]
    pub fn accuracy(mut self, alpha: f64) -> Self {
        match LogHistogram::with_accuracy(alpha) {
            Ok(empty) => (self.empty, self.wrong) = (empty, None),
            Err(error) => self.wrong = Some(error.message().to_string()),
        }
        self
    }
}

impl<N> Quantile<N> {
    pub(crate) fn new(q: f64, number: N) -> Self {
        Quantile { of: Quantiles::new([q], number) }
    }

    /// Sets the relative accuracy. Default: 0.005. As [`Quantiles::accuracy`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let width = |alpha| {
    ///     let median = quantile(0.5, |number: &f64| *number).accuracy(alpha);
    ///     let mut accumulator = median.init();
    ///     for number in 1..1_000 {
    ///         median.add(&mut accumulator, &f64::from(number).sqrt(), Timestamp::from_millis(0));
    ///     }
    ///     median.output(&accumulator).map_or(0.0, |found| found.upper - found.lower)
    /// };
    /// assert!(width(0.001) < width(0.05) / 10.0); // closer bounds
    /// ```
    #[must_use]
    pub fn accuracy(mut self, alpha: f64) -> Self {
        self.of = self.of.accuracy(alpha);
        self
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>, const Q: usize> Aggregate<R>
    for Quantiles<N, Q>
{
    type Accumulator = LogHistogram;
    type Output = [Option<Estimate<f64>>; Q];

    fn validate(&self) -> Result<(), Error> {
        if let Some(message) = &self.wrong {
            return Err(Error::invalid(message));
        }
        match self.ranks.iter().find(|rank| !(0.0..=1.0).contains(*rank)) {
            Some(rank) => Err(Error::invalid(format!(
                "a quantile of {rank}; from 0 to 1, as in 0.99 for the 99th percentile"
            ))),
            None => Ok(()),
        }
    }

    fn init(&self) -> LogHistogram {
        self.empty.clone()
    }

    #[inline]
    fn check(&self, _accumulator: Option<&LogHistogram>, record: &R) -> Result<(), Error> {
        check_finite(self.number.value(record), "quantile")
    }

    #[inline]
    fn add(&self, accumulator: &mut LogHistogram, record: &R, _time: Timestamp) {
        // `add` refuses only numbers that are not finite, and `check` has refused these before.
        // Numbers that were not checked are left out.
        if let Some(number) = self.number.value(record).number() {
            let _ = accumulator.add(number.to_f64(), 1);
        }
    }

    fn merge(&self, into: &mut LogHistogram, from: &LogHistogram) -> Result<(), Error> {
        into.merge(from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, LogHistogram>> {
        Some(self)
    }

    fn output(&self, accumulator: &LogHistogram) -> Self::Output {
        self.ranks.map(|rank| accumulator.quantile(rank))
    }

    #[inline]
    fn state_bytes(&self, accumulator: &LogHistogram) -> usize {
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

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>, const Q: usize> Persistence<R, LogHistogram>
    for Quantiles<N, Q>
{
    fn describe(&self) -> String {
        format!("quantiles {:?} within {}", self.ranks, self.empty.accuracy())
    }

    fn encode(&self, accumulator: &LogHistogram, writer: &mut Writer) -> Result<(), Error> {
        accumulator.encode(writer);
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<LogHistogram, Error> {
        self.empty.decode(reader)
    }

    /// Halves the number of buckets while the tolerance allows.
    fn reduce(&self, accumulator: &mut LogHistogram, tolerance: f64, reductions: &mut Reductions) {
        if accumulator.coarsen_within(tolerance) {
            reductions.note(&Persistence::<R, LogHistogram>::describe(self));
        }
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Aggregate<R> for Quantile<N> {
    type Accumulator = LogHistogram;
    type Output = Option<Estimate<f64>>;

    fn validate(&self) -> Result<(), Error> {
        self.of.validate()
    }

    fn init(&self) -> LogHistogram {
        self.of.init()
    }

    #[inline]
    fn check(&self, accumulator: Option<&LogHistogram>, record: &R) -> Result<(), Error> {
        self.of.check(accumulator, record)
    }

    #[inline]
    fn add(&self, accumulator: &mut LogHistogram, record: &R, time: Timestamp) {
        self.of.add(accumulator, record, time);
    }

    fn merge(&self, into: &mut LogHistogram, from: &LogHistogram) -> Result<(), Error> {
        into.merge(from)
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, LogHistogram>> {
        self.of.inverse()
    }

    fn output(&self, accumulator: &LogHistogram) -> Self::Output {
        let [answer] = self.of.output(accumulator);
        answer
    }

    #[inline]
    fn state_bytes(&self, accumulator: &LogHistogram) -> usize {
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

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Persistence<R, LogHistogram> for Quantile<N> {
    fn describe(&self) -> String {
        Persistence::<R, _>::describe(&self.of)
    }

    fn encode(&self, accumulator: &LogHistogram, writer: &mut Writer) -> Result<(), Error> {
        accumulator.encode(writer);
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<LogHistogram, Error> {
        self.of.empty.decode(reader)
    }

    /// Halves the number of buckets while the tolerance allows.
    fn reduce(&self, accumulator: &mut LogHistogram, tolerance: f64, reductions: &mut Reductions) {
        if accumulator.coarsen_within(tolerance) {
            reductions.note(&Persistence::<R, LogHistogram>::describe(self));
        }
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>, const Q: usize> Invertible<R, LogHistogram>
    for Quantiles<N, Q>
{
    fn prepare(&self, accumulator: &mut LogHistogram) {
        accumulator.prepare();
    }

    fn is_exact(&self, accumulator: &LogHistogram) -> bool {
        accumulator.subtracts()
    }

    fn subtract(&self, from: &mut LogHistogram, part: &LogHistogram) -> bool {
        from.subtract(part)
    }
}
