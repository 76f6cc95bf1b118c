//! A pipeline without its aggregate in its type.

use super::Pipeline;
use crate::aggregate::Aggregate;
use crate::engine::{Control, Emission, Outcome, Shard};
use crate::error::Error;
use crate::record::Sequence;

/// What every pipeline over records `R` with answers `V` can do: [`Pipeline`] as an object-safe
/// trait. [`Control`] has all that names neither.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// /// The largest answer of any pipeline over lines.
/// fn largest(pipeline: &mut dyn AnyPipeline<str, u64>, lines: &[&str]) -> Result<u64, Error> {
///     for line in lines {
///         pipeline.push(line)?;
///     }
///     pipeline.finish();
///     let mut largest = 0;
///     while let Some(emission) = pipeline.next_emission()? {
///         largest = largest.max(emission.value);
///     }
///     Ok(largest)
/// }
/// let mut lines = Pipeline::builder().aggregate(count()).build()?;
/// let mut errors = Pipeline::builder()
///     .aggregate(filtered(|line: &str| line.starts_with("ERROR"), count()))
///     .build()?;
/// let log = ["ERROR disk", "INFO start"];
/// assert_eq!((largest(&mut lines, &log)?, largest(&mut errors, &log)?), (2, 1));
/// # Ok::<(), Error>(())
/// ```
pub trait AnyPipeline<R: ?Sized, V>: Control {
    /// Takes a record: see [`Pipeline::push`].
    ///
    /// # Errors
    /// As [`Pipeline::push`].
    fn push(&mut self, record: &R) -> Result<Outcome, Error>;

    /// Takes a record of a shard: see [`Pipeline::push_to`].
    ///
    /// # Errors
    /// As [`Pipeline::push`].
    fn push_to(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        record: &R,
    ) -> Result<Outcome, Error>;

    /// Takes records in order: see [`Pipeline::push_batch`].
    ///
    /// # Errors
    /// As [`Pipeline::push_batch`].
    fn push_batch(&mut self, records: &[R]) -> Result<(), Error>
    where
        R: Sized;

    /// The next emission that is complete.
    ///
    /// # Errors
    /// As [`Pipeline::next_emission`].
    fn next_emission(&mut self) -> Result<Option<Emission<V>>, Error>;
}

/// A pipeline that can be stored and returned by naming only its records and answers.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
///
/// struct Counter { pipeline: BoxedPipeline<str, u64> }
///
/// fn counter() -> Result<Counter, Error> {
///     Ok(Counter { pipeline: Pipeline::builder().aggregate(count()).build()?.boxed() })
/// }
///
/// let mut counter = counter()?;
/// counter.pipeline.push("a line")?;
/// counter.pipeline.finish();
/// assert_eq!(counter.pipeline.next_emission()?.map(|emission| emission.value), Some(1));
/// # Ok::<(), Error>(())
/// ```
pub type BoxedPipeline<R, V> = Box<dyn AnyPipeline<R, V> + Send>;

impl<R: ?Sized, A: Aggregate<R>> AnyPipeline<R, A::Output> for Pipeline<R, A> {
    fn push(&mut self, record: &R) -> Result<Outcome, Error> {
        Pipeline::push(self, record)
    }

    fn push_to(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        record: &R,
    ) -> Result<Outcome, Error> {
        Pipeline::push_to(self, shard, sequence, record)
    }

    fn push_batch(&mut self, records: &[R]) -> Result<(), Error>
    where
        R: Sized,
    {
        Pipeline::push_batch(self, records)
    }

    fn next_emission(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        Pipeline::next_emission(self)
    }
}

impl<R: ?Sized + 'static, A> Pipeline<R, A>
where
    A: Aggregate<R> + Send + 'static,
    A::Output: Send + 'static,
{
    /// Returns the same pipeline behind a pointer. Its type does not name the aggregate. It costs
    /// an indirect call per record.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// // Two aggregates of different types, in one list.
    /// let mut pipelines: Vec<BoxedPipeline<str, u64>> = vec![
    ///     Pipeline::builder().aggregate(count()).build()?.boxed(),
    ///     Pipeline::builder().filter(|line: &str| line != "").aggregate(count()).build()?.boxed(),
    /// ];
    /// for pipeline in &mut pipelines {
    ///     pipeline.push("")?;
    ///     pipeline.finish();
    /// }
    /// assert_eq!(pipelines[0].next_emission()?.map(|emission| emission.value), Some(1));
    /// assert_eq!(pipelines[1].next_emission()?, None); // a window without a record is not emitted
    /// # Ok::<(), Error>(())
    /// ```
    pub fn boxed(self) -> BoxedPipeline<R, A::Output> {
        Box::new(self)
    }
}
