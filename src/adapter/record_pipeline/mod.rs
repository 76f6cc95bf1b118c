//! Pipelines over the records of a stream, as adapters use them.

#[cfg(feature = "spec")]
mod declared;
mod decoding;
#[cfg(feature = "spec")]
mod tracer;

#[cfg(feature = "spec")]
pub use declared::Declared;
pub use decoding::Decoding;

use crate::engine::{Control, Outcome, Shard};
use crate::error::Error;
use crate::record::{Record, Sequence};
use crate::time::Timestamp;
use std::sync::Arc;

/// A pipeline with a decoder for the records of a stream: [`Decoding`] for a
/// [`Pipeline`](crate::pipeline::Pipeline) of the program's own types, `Declared` (feature `spec`)
/// for one declared as text. The adapters of Lambda and of the KCL run either. [`Control`] has all
/// methods whose signature does not depend on the record or the answer.
pub trait RecordPipeline: Control {
    /// An answer.
    type Emission;

    /// Returns the names of the headers of a record that the pipeline reads. Default: none.
    fn headers(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Decodes a record and applies it, unless a record at its position or after it was applied
    /// before.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit that the user
    /// chose to be an error. A [strict](Control::is_strict) pipeline returns an error that [is
    /// about the record](Error::is_about_record) for one that cannot be decoded or aggregated.
    /// After an error the record is not applied, and no state has changed.
    fn push(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error>;

    /// Applies a further part of a record that was just applied and contains several records. Like
    /// [`push`](RecordPipeline::push), but without a check of its position.
    ///
    /// # Errors
    /// Those of [`push`](RecordPipeline::push).
    fn push_part(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error>;

    /// Counts a delivery that could not be read as a record, and marks its position as applied,
    /// unless it was before. If arrival times are the event times, its arrival time moves the
    /// watermark.
    fn skip_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    );

    /// Returns the next complete answer.
    ///
    /// # Errors
    /// Those of [`Engine::next_emission`](crate::engine::Engine::next_emission).
    fn next_emission(&mut self) -> Result<Option<Self::Emission>, Error>;
}

/// Returns the error with the record's shard and sequence number.
#[cold]
fn at(record: &Record, error: Error) -> Error {
    let position = &record.position;
    match position.sequence.sub {
        0 => error.at(format_args!("{}:{}", position.shard, position.sequence.number)),
        sub => error.at(format_args!("{}:{}:{sub}", position.shard, position.sequence.number)),
    }
}
