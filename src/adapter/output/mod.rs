//! Where a pipeline's answers go.

use super::record_pipeline::RecordPipeline;
use crate::error::Error;
use crate::snapshot::Partial;

mod append_file;
#[cfg(feature = "spec")]
mod json_lines;

pub use append_file::AppendFile;
#[cfg(feature = "spec")]
pub use json_lines::JsonLinesSink;

/// Takes the answers of a pipeline: [`each`] or [`each_of_source`] of a function, `JsonLinesSink`
/// of a writer, [`PartialSink`] of where partials are kept.
///
/// An adapter drains its sink *before* it saves the pipeline's state, so a crash between the two
/// gives the same answers again: a sink that must not show them twice is to replace by window and
/// group, the higher revision the lower.
pub trait Sink<P: RecordPipeline + ?Sized> {
    /// Fetches every answer that is complete and hands it on; how many there were. When it returns
    /// they are as safe as the sink promises.
    ///
    /// `source` names whose records they are of, as the adapter says: a shard, or part of one.
    /// Answers of one source and window replace each other, those of several add up.
    ///
    /// # Errors
    /// Those of the pipeline, and the sink's own. The adapter then saves no state, so that the
    /// answers come again.
    fn drain(&mut self, pipeline: &mut P, source: &str) -> Result<u64, Error>;
}

impl<P: RecordPipeline + ?Sized, S: Sink<P> + ?Sized> Sink<P> for Box<S> {
    fn drain(&mut self, pipeline: &mut P, source: &str) -> Result<u64, Error> {
        (**self).drain(pipeline, source)
    }
}

/// The sink that calls a function for each answer.
///
/// # Example
/// ```
/// use streamgauge::adapter::each;
/// let sink = each(|emission: streamgauge::Emission<u64>| {
///     eprintln!("{}", emission.value);
///     Ok(())
/// });
/// # let _ = sink;
/// ```
pub fn each<E, F: FnMut(E) -> Result<(), Error>>(take: F) -> Each<F> {
    Each(take)
}

/// What [`each`] makes.
#[derive(Clone, Debug)]
pub struct Each<F>(F);

impl<P: RecordPipeline + ?Sized, F: FnMut(P::Emission) -> Result<(), Error>> Sink<P> for Each<F> {
    fn drain(&mut self, pipeline: &mut P, _source: &str) -> Result<u64, Error> {
        let mut emissions = 0;
        while let Some(emission) = pipeline.next_emission()? {
            (self.0)(emission)?;
            emissions += 1;
        }
        Ok(emissions)
    }
}

/// The sink that calls a function for each answer, with its source: what tells the rows of two
/// shards apart, and the same row given again.
///
/// # Example
/// ```
/// use streamgauge::adapter::each_of_source;
/// let sink = each_of_source(|source: &str, emission: streamgauge::Emission<u64>| {
///     eprintln!("{source}: {}", emission.value);
///     Ok(())
/// });
/// # let _ = sink;
/// ```
pub fn each_of_source<E, F: FnMut(&str, E) -> Result<(), Error>>(take: F) -> EachOfSource<F> {
    EachOfSource(take)
}

/// What [`each_of_source`] makes.
#[derive(Clone, Debug)]
pub struct EachOfSource<F>(F);

impl<P: RecordPipeline + ?Sized, F: FnMut(&str, P::Emission) -> Result<(), Error>> Sink<P>
    for EachOfSource<F>
{
    fn drain(&mut self, pipeline: &mut P, source: &str) -> Result<u64, Error> {
        let mut emissions = 0;
        while let Some(emission) = pipeline.next_emission()? {
            (self.0)(source, emission)?;
            emissions += 1;
        }
        Ok(emissions)
    }
}

/// Keeps or ships partials: a [`PartialStore`](crate::store::PartialStore), a stream, or a
/// function.
pub trait PartialTarget {
    /// Takes a partial. A target may have it already, or a later one of its source and window,
    /// which it keeps then.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be kept.
    fn put(&mut self, partial: &Partial) -> Result<(), Error>;

    /// Returns when all that was put is safe.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be kept.
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<F: FnMut(&Partial) -> Result<(), Error>> PartialTarget for F {
    fn put(&mut self, partial: &Partial) -> Result<(), Error> {
        self(partial)
    }
}

impl<S: crate::store::Store> PartialTarget for crate::store::PartialStore<S> {
    fn put(&mut self, partial: &Partial) -> Result<(), Error> {
        crate::store::PartialStore::put(self, partial)
    }
}

/// Takes windows as partials of their source, to be merged with those of other sources by a
/// [`Merger`](crate::merger::Merger), instead of answers.
#[derive(Clone, Debug)]
pub struct PartialSink<T>(T);

impl<T: PartialTarget> PartialSink<T> {
    /// The sink that gives its partials to this target.
    pub fn new(target: T) -> Self {
        PartialSink(target)
    }
}

impl<P: RecordPipeline + ?Sized, T: PartialTarget> Sink<P> for PartialSink<T> {
    fn drain(&mut self, pipeline: &mut P, source: &str) -> Result<u64, Error> {
        let mut partials = 0;
        while let Some(partial) = pipeline.next_partial(source)? {
            self.0.put(&partial)?;
            partials += 1;
        }
        self.0.flush()?;
        Ok(partials)
    }
}
