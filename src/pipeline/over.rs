//! A pipeline over an iterator.

use super::Pipeline;
use crate::aggregate::Aggregate;
use crate::engine::{Control, Emission};
use crate::error::Error;
use std::borrow::Borrow;

/// The emissions of a pipeline over an iterator of records; see [`Pipeline::over`].
///
/// It reads no further than it must: it returns an emission before it asks for the record after
/// the one that completed the window.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// # let mut pipeline = Pipeline::builder()
/// #     .event_time(|at: &i64| Timestamp::from_millis(*at))
/// #     .window(seconds(10))
/// #     .aggregate(count())
/// #     .build()?;
/// // Endless records, one per second: windows of 10 s come as soon as they are complete.
/// let mut emissions = pipeline.over((0..).map(|second| second * 1_000));
/// assert_eq!(emissions.next().map(|emission| emission.value), Some(10));
/// drop(emissions);
/// assert_eq!(pipeline.stats().applied, 11); // the record of second 10 completed the window
/// # Ok::<(), Error>(())
/// ```
pub struct Over<'a, R: ?Sized, A: Aggregate<R>, I> {
    pipeline: &'a mut Pipeline<R, A>,
    /// `None` at the end of the records.
    records: Option<I>,
}

impl<R: ?Sized, A: Aggregate<R>> Pipeline<R, A> {
    /// Runs over records and returns the emissions lazily, as windows become complete. At the end
    /// of the records every window is complete.
    ///
    /// Records that cannot be aggregated are counted as dead letters and skipped. If the records
    /// pass a limit whose policy is an error, the emissions end early, and
    /// [`failure`](Pipeline::failure) returns the error.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let mut pipeline = Pipeline::builder().aggregate(sum(|number: &f64| *number)).build()?;
    /// let sums: Vec<f64> = pipeline.over([1.5, f64::NAN, 2.0]).map(|found| found.value).collect();
    /// assert_eq!(sums, [3.5]);
    /// assert_eq!((pipeline.stats().applied, pipeline.stats().dead_letters), (2, 1));
    /// assert!(pipeline.failure().is_none());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn over<I>(&mut self, records: I) -> Over<'_, R, A, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: Borrow<R>,
    {
        self.failure = None;
        Over { pipeline: self, records: Some(records.into_iter()) }
    }
}

impl<R: ?Sized, A: Aggregate<R>, I> Over<'_, R, A, I>
where
    I: Iterator,
    I::Item: Borrow<R>,
{
    fn advance(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        loop {
            if let Some(emission) = self.pipeline.next_emission()? {
                return Ok(Some(emission));
            }
            let Some(records) = &mut self.records else { return Ok(None) };
            match records.next() {
                Some(record) => {
                    self.pipeline.push(record.borrow())?;
                }
                None => {
                    self.records = None;
                    self.pipeline.finish();
                }
            }
        }
    }
}

impl<R: ?Sized, A: Aggregate<R>, I> Iterator for Over<'_, R, A, I>
where
    I: Iterator,
    I::Item: Borrow<R>,
{
    type Item = Emission<A::Output>;

    fn next(&mut self) -> Option<Emission<A::Output>> {
        if self.pipeline.failure.is_some() {
            return None;
        }
        self.advance().unwrap_or_else(|error| {
            self.pipeline.failure = Some(error);
            None
        })
    }
}
