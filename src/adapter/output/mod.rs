//! Sinks for a pipeline's answers.

use super::record_pipeline::RecordPipeline;
use crate::error::Error;
use crate::snapshot::Partial;

#[cfg(feature = "spec")]
mod answer_files;
mod append_file;
#[cfg(feature = "kcl")]
mod exact_file;
#[cfg(feature = "firehose")]
mod firehose;
#[cfg(feature = "spec")]
mod json_lines;
#[cfg(feature = "spec")]
mod lines_output;
#[cfg(feature = "spec")]
mod open_rows;
#[cfg(feature = "spec")]
mod row_output;
#[cfg(feature = "spec")]
mod row_sink;
#[cfg(feature = "kafka")]
mod topic;

#[cfg(feature = "spec")]
pub use answer_files::{AnswerFiles, AnswerFilesOptions, AnswerFormat};
pub use append_file::AppendFile;
#[cfg(feature = "kcl")]
pub use exact_file::{ExactFile, OutputMark};
#[cfg(feature = "firehose")]
pub use firehose::{FirehoseClient, FirehoseCounts, FirehoseSink, PutRecordBatch};
#[cfg(feature = "spec")]
pub use json_lines::JsonLinesSink;
#[cfg(feature = "spec")]
pub use lines_output::LinesOutput;
#[cfg(feature = "spec")]
pub use open_rows::{is_open_ended, is_stream, open_rows};
#[cfg(feature = "spec")]
pub use row_output::RowOutput;
#[cfg(feature = "spec")]
pub use row_sink::RowSink;
#[cfg(all(feature = "kafka", feature = "spec"))]
pub use topic::TopicRows;
#[cfg(feature = "kafka")]
pub use topic::{TopicProducer, TopicTarget};

/// Receives the answers of a pipeline: [`each`] or [`each_of_source`] with a function,
/// `JsonLinesSink` with a writer, [`PartialSink`] with a target of partials.
///
/// An adapter drains its sink *before* it saves the pipeline's state, so that a crash between the
/// two gives the same answers again. A sink that must not show an answer twice should replace by
/// window and group; of two answers the higher revision counts.
pub trait Sink<P: RecordPipeline + ?Sized> {
    /// Fetches every complete answer and passes it on. Returns the number of answers. After it
    /// returns, they are as safe as the sink promises.
    ///
    /// `source` is the source of the records according to the adapter: a shard, or part of one.
    /// Answers of the same source and window replace each other, those of different sources add up.
    ///
    /// # Errors
    /// Those of the pipeline, and of the sink. After an error the adapter saves no state, so that
    /// the answers come again.
    fn drain(&mut self, pipeline: &mut P, source: &str) -> Result<u64, Error>;
}

impl<P: RecordPipeline + ?Sized, S: Sink<P> + ?Sized> Sink<P> for Box<S> {
    fn drain(&mut self, pipeline: &mut P, source: &str) -> Result<u64, Error> {
        (**self).drain(pipeline, source)
    }
}

/// Returns a sink that calls a function for each answer.
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

/// The sink of [`each`].
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

/// Returns a sink that calls a function for each answer with its source, which distinguishes rows
/// of two shards from one row that comes again.
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

/// The sink of [`each_of_source`].
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

/// Saves or sends partials: a [`PartialStore`](crate::store::PartialStore), a stream, or a
/// function.
pub trait PartialTarget {
    /// Puts a partial. A target may already have it, or a later one of its source and window; then
    /// it keeps the later one.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be stored.
    fn put(&mut self, partial: &Partial) -> Result<(), Error>;

    /// Returns after all partials are safe.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if they cannot be stored.
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

/// Returns the window and the pipeline of a partial: a key by which the windows of several
/// pipelines in one stream spread over the shards.
#[cfg(any(feature = "kafka", feature = "kinesis"))]
pub(super) fn window_of(partial: &Partial) -> String {
    match partial.window() {
        Some(window) => {
            format!("{}/{}/{:016x}", window.start(), window.end(), partial.fingerprint())
        }
        None => format!("all/{:016x}", partial.fingerprint()),
    }
}

/// Fetches windows as partials of their source instead of answers, to be merged with those of other
/// sources by a [`Merger`](crate::merger::Merger).
#[derive(Clone, Debug)]
pub struct PartialSink<T>(T);

impl<T: PartialTarget> PartialSink<T> {
    /// Creates the sink with this target.
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
