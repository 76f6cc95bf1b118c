//! Pipelines over records as a stream delivers them: what an adapter drives.

#[cfg(feature = "spec")]
mod declared;
mod decoding;

#[cfg(feature = "spec")]
pub use declared::Declared;
pub use decoding::Decoding;

use crate::engine::{Control, Outcome, Shard};
use crate::error::Error;
use crate::record::{Record, Sequence};
use crate::time::Timestamp;

/// A pipeline with what makes its records of those of a stream: [`Decoding`] for a
/// [`Pipeline`](crate::pipeline::Pipeline) of the program's own types, `Declared` (feature `spec`)
/// for one that is declared as text. The adapters of Lambda and of the KCL drive either.
/// [`Control`] has all that does not name the record or the answer.
pub trait RecordPipeline: Control {
    /// An answer.
    type Emission;

    /// Decodes a record and takes it, unless one at its place or after it was taken of the shard
    /// before.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit that the user
    /// chose to be an error. Of a [strict](Control::is_strict) pipeline, one that [is about
    /// the record](Error::is_about_record) for one that cannot be decoded or aggregated. The record
    /// is not taken then, and no state has changed.
    fn push(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error>;

    /// Takes a further record of the place at which one was just taken: a part of a record that
    /// holds several. As [`push`](RecordPipeline::push), but that its place is not looked at.
    ///
    /// # Errors
    /// As [`push`](RecordPipeline::push).
    fn push_part(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error>;

    /// Counts a delivery that could not be read as a record, and takes its place as reached, unless
    /// it was before. Where arrival times are the event times, its own moves the watermark.
    fn skip_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    );

    /// The next answer that is complete.
    ///
    /// # Errors
    /// As [`Engine::next_emission`](crate::engine::Engine::next_emission).
    fn next_emission(&mut self) -> Result<Option<Self::Emission>, Error>;
}

/// The error with the record's shard and sequence number.
#[cold]
fn at(record: &Record, error: Error) -> Error {
    let position = &record.position;
    match position.sequence.sub {
        0 => error.at(format_args!("{}:{}", position.shard, position.sequence.number)),
        sub => error.at(format_args!("{}:{}:{sub}", position.shard, position.sequence.number)),
    }
}
