//! The arithmetic mean.

use super::extract::{ByValue, ValueOf};
use super::number::{MaybeNumber, Number, SumOf, Total, WideOf, check_finite, count_overflow};
use super::{Aggregate, Hints, Invertible, Persistence};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;
use crate::time::Timestamp;

/// The mean of a number of the record. Created by [`mean`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let latency = group_by(|hit: &(&str, u32)| hit.0, mean(|hit: &(&str, u32)| hit.1));
/// let mut pipeline = Pipeline::builder().aggregate(latency).build()?;
/// let groups = pipeline.over([("/a", 10), ("/a", 20)]).next().expect("the end").value;
/// assert_eq!(groups.find("/a"), Some(&Some(15.0)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Mean<N> {
    number: N,
}

impl<N> Mean<N> {
    pub(crate) fn new(number: N) -> Self {
        Mean { number }
    }
}

/// The accumulator of [`mean`]: a count and an exact sum.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let latency = mean(|millis: &u32| *millis);
/// let [mut one, mut other] = [latency.init(), latency.init()];
/// latency.add(&mut one, &10, Timestamp::from_millis(0));
/// latency.add(&mut other, &20, Timestamp::from_millis(0));
/// latency.add(&mut other, &60, Timestamp::from_millis(0));
/// latency.merge(&mut one, &other)?; // of all three records, not the mean of two means
/// assert_eq!(latency.output(&one), Some(30.0));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanAccumulator<S> {
    pub(crate) count: u64,
    pub(crate) sum: S,
}

/// Computes the arithmetic mean of a number, or `None` without records. A missing number (`None`) is
/// skipped and not counted.
///
/// For integers it is the exact mean, rounded once. For floats it is the exact sum divided by the
/// count, within 1.5 units in the last place, and finite even if the sum is not. It does not depend
/// on the order of records, on batches, threads or merges, bit by bit. NaN and infinities make
/// their record a dead letter.
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, mean};
/// use streamgauge::Timestamp;
/// let latency = mean(|millis: &u32| *millis);
/// let mut accumulator = latency.init();
/// assert_eq!(latency.output(&accumulator), None);
/// for millis in [10, 11] {
///     latency.add(&mut accumulator, &millis, Timestamp::from_millis(0));
/// }
/// assert_eq!(latency.output(&accumulator), Some(10.5));
/// ```
pub fn mean<R: ?Sized, V: MaybeNumber, F: Fn(&R) -> V>(number: F) -> Mean<ByValue<R, V, F>> {
    Mean::new(ByValue::new(number))
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>> Aggregate<R> for Mean<N> {
    type Accumulator = MeanAccumulator<SumOf<N::Value>>;
    type Output = Option<f64>;

    fn init(&self) -> Self::Accumulator {
        Self::Accumulator::default()
    }

    #[inline]
    fn check(&self, _accumulator: Option<&Self::Accumulator>, record: &R) -> Result<(), Error> {
        check_finite(self.number.value(record), "mean")
    }

    #[inline]
    fn add(&self, accumulator: &mut Self::Accumulator, record: &R, _time: Timestamp) {
        if let Some(number) = self.number.value(record).number() {
            accumulator.count = accumulator.count.saturating_add(1);
            accumulator.sum.add(number.widen());
        }
    }

    fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error> {
        let count = into.count.checked_add(from.count).ok_or_else(count_overflow)?;
        into.sum.merge(&from.sum)?;
        into.count = count;
        Ok(())
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        <SumOf<N::Value> as Total<WideOf<N::Value>>>::INVERTIBLE.then_some(self as _)
    }

    fn output(&self, accumulator: &Self::Accumulator) -> Option<f64> {
        (accumulator.count > 0).then(|| accumulator.sum.quotient(accumulator.count))
    }

    #[inline]
    fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
        size_of_val(accumulator) + accumulator.sum.heap_bytes()
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::CHECKS_RECORD
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>, S: Total<WideOf<N::Value>>>
    Persistence<R, MeanAccumulator<S>> for Mean<N>
{
    fn describe(&self) -> String {
        format!("mean of {}", <N::Value as MaybeNumber>::Number::NAME)
    }

    fn encode(&self, accumulator: &MeanAccumulator<S>, writer: &mut Writer) -> Result<(), Error> {
        writer.u64(accumulator.count);
        accumulator.sum.write(writer);
        Ok(())
    }

    fn decode(&self, reader: &mut Reader<'_>) -> Result<MeanAccumulator<S>, Error> {
        Ok(MeanAccumulator { count: reader.u64()?, sum: Durable::read(reader)? })
    }
}

impl<R: ?Sized, N: ValueOf<R, Value: MaybeNumber>, S: Total<WideOf<N::Value>>>
    Invertible<R, MeanAccumulator<S>> for Mean<N>
{
    fn is_exact(&self, accumulator: &MeanAccumulator<S>) -> bool {
        accumulator.count < u64::MAX && accumulator.sum.subtracts()
    }

    fn subtract(&self, from: &mut MeanAccumulator<S>, part: &MeanAccumulator<S>) -> bool {
        let rest = from.count.checked_sub(part.count);
        from.count = rest.unwrap_or(0);
        rest.is_some() && from.sum.subtract(&part.sum)
    }
}
