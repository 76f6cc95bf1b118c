//! A pipeline over an iterator.

use super::Pipeline;
use crate::aggregate::Aggregate;
use crate::engine::{Control, Emission};
use crate::error::Error;
use std::borrow::Borrow;

/// The emissions of a pipeline over an iterator of records; see [`Pipeline::over`].
///
/// It reads no further than it has to: an emission is given before the record after the one that
/// completed it is asked for.
pub struct Over<'a, R: ?Sized, A: Aggregate<R>, I> {
    pipeline: &'a mut Pipeline<R, A>,
    /// `None` at the end of the records.
    records: Option<I>,
}

impl<R: ?Sized, A: Aggregate<R>> Pipeline<R, A> {
    /// Runs over records and gives the emissions as they come, lazily; at the end of the records
    /// every window is complete.
    ///
    /// Records that cannot be aggregated are counted as dead letters and skipped. Should a
    /// limit be passed that the user chose to be an error, the emissions end early and
    /// [`failure`](Pipeline::failure) says why.
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
