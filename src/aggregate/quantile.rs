//! Quantiles with a bounded relative error.

use super::extract::ByValue;
use super::number::MaybeNumber;
use super::over_log_histogram::{HistogramAnswer, OverLogHistogram};
use crate::error::Error;
use crate::sketch::{Estimate, LogHistogram};

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
pub type Quantile<N> = OverLogHistogram<N, f64>;

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
pub type Quantiles<N, const Q: usize> = OverLogHistogram<N, [f64; Q]>;

/// Computes the `q`-quantile of a number, with `q` from 0 to 1: the number at rank ceil(q n), as in
/// `quantile(0.99, |hit: &Hit| hit.latency_ms)`. `None` without records. A missing number (`None`)
/// is skipped.
///
/// The value has a relative error of at most 0.5 % (see [`accuracy`](OverLogHistogram::accuracy))
/// and is certainly between `lower` and `upper`, for all finite numbers. The error grows only if
/// the numbers of one sign are in more than 8192 buckets; the bounds then tell it. The answer does
/// not depend on the order of records, on batches, threads or merges, bit by bit: see
/// [`LogHistogram`]. NaN and infinities make their record a dead letter. Integers above 2^53 are
/// rounded to the nearest `f64` first.
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
    Quantiles::within(DEFAULT_ACCURACY, ranks, ByValue::new(number))
}

impl<N> Quantile<N> {
    pub(crate) fn new(q: f64, number: N) -> Self {
        Quantile::within(DEFAULT_ACCURACY, q, number)
    }
}

impl HistogramAnswer for f64 {
    type Output = Option<Estimate<f64>>;

    const NAME: &'static str = "quantile";

    fn validate(&self) -> Result<(), Error> {
        [*self].validate()
    }

    fn describe(&self) -> String {
        [*self].describe()
    }

    fn read(&self, histogram: &LogHistogram) -> Option<Estimate<f64>> {
        histogram.quantile(*self)
    }
}

impl<const Q: usize> HistogramAnswer for [f64; Q] {
    type Output = [Option<Estimate<f64>>; Q];

    const NAME: &'static str = "quantile";

    fn validate(&self) -> Result<(), Error> {
        match self.iter().find(|rank| !(0.0..=1.0).contains(*rank)) {
            Some(rank) => Err(Error::invalid(format!(
                "a quantile of {rank}; from 0 to 1, as in 0.99 for the 99th percentile"
            ))),
            None => Ok(()),
        }
    }

    fn describe(&self) -> String {
        format!("quantiles {self:?}")
    }

    fn read(&self, histogram: &LogHistogram) -> [Option<Estimate<f64>>; Q] {
        self.map(|rank| histogram.quantile(rank))
    }
}
