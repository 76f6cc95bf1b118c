//! Aggregates over a log histogram. They differ only in what they read of it.

use super::extract::ValueOf;
use super::number::{MaybeNumber, Number, check_finite};
use super::{Aggregate, Hints, Invertible, Persistence, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::sketch::LogHistogram;
use crate::time::Timestamp;

/// What an aggregate reads of a [`LogHistogram`]: one quantile (`f64`), several (`[f64; Q]`), or
/// the [`AllBuckets`](super::AllBuckets). Nothing outside of the crate can implement it.
pub trait HistogramAnswer: Clone + Send + Sync + 'static {
    /// The type of the answer.
    type Output;

    /// The name of the aggregate in messages.
    #[doc(hidden)]
    const NAME: &'static str;

    /// Checks the parameters of the answer.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) with the wrong one.
    fn validate(&self) -> Result<(), Error>;

    /// Returns the words for the answer in the description of a pipeline.
    fn describe(&self) -> String;

    /// Returns the answer.
    fn read(&self, histogram: &LogHistogram) -> Self::Output;
}

/// An aggregate over the [`LogHistogram`] of a number of the record: a
/// [`Quantile`](super::Quantile), [`Quantiles`](super::Quantiles), or
/// [`LogBuckets`](super::LogBuckets).
///
/// # Example
/// ```
/// use streamgauge::aggregate::{HistogramAnswer, OverLogHistogram, ValueOf};
/// use streamgauge::prelude::*;
/// /// A finer histogram, whatever is read of it.
/// fn finer<N, A: HistogramAnswer>(of: OverLogHistogram<N, A>) -> OverLogHistogram<N, A> {
///     of.accuracy(0.001)
/// }
/// let mut pipeline = Pipeline::builder()
///     .aggregate((
///         finer(quantile(0.5, |millis: &u32| *millis)),
///         finer(log_histogram(|millis: &u32| *millis)),
///     ))
///     .build()?;
/// let (median, buckets) = pipeline.over(1..=300).next().expect("the input has ended").value;
/// assert_eq!((median.map(|found| found.value), buckets.len()), (Some(150.0), 300));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct OverLogHistogram<N, A> {
    answer: A,
    number: N,
    empty: LogHistogram,
    wrong: Option<String>,
}

impl<N, A: HistogramAnswer> OverLogHistogram<N, A> {
    /// Creates an aggregate whose histogram has this accuracy.
    pub(super) fn within(alpha: f64, answer: A, number: N) -> Self {
        let coarsest = LogHistogram::with_accuracy(0.5).expect("0.5 is in range");
        OverLogHistogram { answer, number, empty: coarsest, wrong: None }.accuracy(alpha)
    }

    /// Sets the relative accuracy of the histogram. Default: 0.005 for quantiles, 0.2 for buckets.
    /// Half of it needs twice the memory. A bucket is at most about twice as wide, as a share of
    /// its numbers. See [`LogHistogram::with_accuracy`], which also documents the range.
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
    /// let wrong = quantiles([0.5, 0.99], |millis: &f64| *millis).accuracy(0.0);
    /// assert_eq!(wrong.validate().unwrap_err().kind(), ErrorKind::InvalidArgument);
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

impl<R: ?Sized, N, A> Aggregate<R> for OverLogHistogram<N, A>
where
    N: ValueOf<R, Value: MaybeNumber>,
    A: HistogramAnswer,
{
    type Accumulator = LogHistogram;
    type Output = A::Output;

    fn validate(&self) -> Result<(), Error> {
        match &self.wrong {
            Some(message) => Err(Error::invalid(message)),
            None => self.answer.validate(),
        }
    }

    fn init(&self) -> LogHistogram {
        self.empty.clone()
    }

    #[inline]
    fn check(&self, _accumulator: Option<&LogHistogram>, record: &R) -> Result<(), Error> {
        check_finite(self.number.value(record), A::NAME)
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

    fn output(&self, accumulator: &LogHistogram) -> A::Output {
        self.answer.read(accumulator)
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

impl<R: ?Sized, N, A> Persistence<R, LogHistogram> for OverLogHistogram<N, A>
where
    N: ValueOf<R, Value: MaybeNumber>,
    A: HistogramAnswer,
{
    fn describe(&self) -> String {
        format!("{} within {}", self.answer.describe(), self.empty.accuracy())
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

impl<R: ?Sized, N, A> Invertible<R, LogHistogram> for OverLogHistogram<N, A>
where
    N: ValueOf<R, Value: MaybeNumber>,
    A: HistogramAnswer,
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
