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

/// Takes the answers of a pipeline: [`each`] of a function, `JsonLinesSink` of a writer, [`PartialSink`] of where partials are kept.
///
/// An adapter drains its sink *before* it saves the pipeline's state, so a crash between the two gives the same answers again: a sink that must not show them
/// twice is to replace by window and group, the higher revision the lower.
pub trait Sink<P: RecordPipeline + ?Sized> {
    /// Fetches every answer that is complete and hands it on; how many there were. When it returns they are as safe as the sink promises.
    ///
    /// # Errors
    /// Those of the pipeline, and the sink's own. The adapter then saves no state, so that the answers come again.
    fn drain(&mut self, pipeline: &mut P) -> Result<u64, Error>;
}

impl<P: RecordPipeline + ?Sized, S: Sink<P> + ?Sized> Sink<P> for Box<S> {
    fn drain(&mut self, pipeline: &mut P) -> Result<u64, Error> {
        (**self).drain(pipeline)
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
    fn drain(&mut self, pipeline: &mut P) -> Result<u64, Error> {
        let mut emissions = 0;
        while let Some(emission) = pipeline.next_emission()? {
            (self.0)(emission)?;
            emissions += 1;
        }
        Ok(emissions)
    }
}

/// Keeps or ships partials: a [`PartialStore`](crate::store::PartialStore), a stream, or a function.
pub trait PartialTarget {
    /// Takes a partial. A target may have it already, or a later one of its source and window, which it keeps then.
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

/// Takes windows as partials of a source, to be merged with those of other sources by a [`Merger`](crate::merger::Merger), in the place of answers.
#[derive(Clone, Debug)]
pub struct PartialSink<T> {
    source: String,
    target: T,
}

impl<T: PartialTarget> PartialSink<T> {
    /// The sink of the source of that name, such as its shard's.
    pub fn new(source: impl Into<String>, target: T) -> Self {
        PartialSink { source: source.into(), target }
    }
}

impl<P: RecordPipeline + ?Sized, T: PartialTarget> Sink<P> for PartialSink<T> {
    fn drain(&mut self, pipeline: &mut P) -> Result<u64, Error> {
        let mut partials = 0;
        while let Some(partial) = pipeline.next_partial(&self.source)? {
            self.target.put(&partial)?;
            partials += 1;
        }
        self.target.flush()?;
        Ok(partials)
    }
}
