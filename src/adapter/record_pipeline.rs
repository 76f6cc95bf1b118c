//! Pipelines over records as a stream delivers them: what an adapter drives.

#[cfg(feature = "spec")]
mod declared;
mod decoding;

#[cfg(feature = "spec")]
pub use declared::Declared;
pub use decoding::Decoding;

use crate::engine::{Shard, Stats};
use crate::error::Error;
use crate::record::{Record, Sequence, ShardId};
use crate::snapshot::{Partial, Reductions, Snapshot};
use crate::time::Timestamp;

/// A pipeline with what makes its records of those of a stream: [`Decoding`] for a
/// [`Pipeline`](crate::pipeline::Pipeline) of the program's own types, `Declared` (feature `spec`)
/// for one that is declared as text. The adapters of Lambda and of the KCL drive either.
///
/// Methods that are not described here are the pipeline's of the same name.
#[expect(
    missing_docs,
    reason = "each method without documentation is Pipeline's of the same name, documented there"
)]
pub trait RecordPipeline {
    /// An answer.
    type Emission;

    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error>;
    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error>;
    fn close_shard(&mut self, shard: Shard);

    /// Decodes a record and takes it, unless one at its place or after it was taken of the shard
    /// before.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit that the user
    /// chose to be an error. Of a [strict](RecordPipeline::is_strict) pipeline, one that [is about
    /// the record](Error::is_about_record) for one that cannot be decoded or aggregated. The record
    /// is not taken then, and no state has changed.
    fn push(&mut self, shard: Shard, record: &Record) -> Result<Taken, Error>;

    /// Takes a further record of the place at which one was just taken: a part of a record that
    /// holds several. As [`push`](RecordPipeline::push), but that its place is not looked at.
    ///
    /// # Errors
    /// As [`push`](RecordPipeline::push).
    fn push_part(&mut self, shard: Shard, record: &Record) -> Result<Taken, Error>;

    /// Counts a delivery that could not be read as a record, and takes its place as reached, unless
    /// it was before. Where arrival times are the event times, its own moves the watermark.
    fn pass_over_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        arrival: Option<Timestamp>,
    );

    /// Whether a record that cannot be decoded or aggregated is an error, instead of a dead
    /// letter.
    fn is_strict(&self) -> bool;

    fn set_applied(&mut self, shard: Shard, sequence: &Sequence);
    fn inherit(&mut self, partial: &Partial) -> Result<(), Error>;
    fn reach(&mut self, shard: Shard, time: Timestamp);
    fn is_due(&self) -> bool;
    fn applied(&self, shard: Shard) -> Option<&Sequence>;

    /// The caller's clock at the last record of the shard whose event time could be read: see
    /// [`Engine::last_record`](crate::engine::Engine::last_record).
    fn last_record(&self, shard: Shard) -> Option<Timestamp>;

    fn advance(&mut self, now: Timestamp);
    fn finish(&mut self);
    fn hand_over(&mut self);
    fn answer_open(&mut self) -> Result<(), Error>;
    fn next_emission(&mut self) -> Result<Option<Self::Emission>, Error>;
    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error>;
    fn watermark(&self) -> Option<Timestamp>;
    fn stats(&self) -> Stats;
    fn fingerprint(&self) -> u64;
    fn snapshot(&self) -> Result<Snapshot, Error>;
    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error>;
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error>;
}

/// What became of a record. None of these is an error; each is counted in [`Stats`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Taken {
    /// It was added to its window or windows.
    Applied,
    /// It did not pass a filter.
    Filtered,
    /// All of its windows had closed; with its event time.
    Late(Timestamp),
    /// It was taken before.
    Duplicate,
    /// It lies between two windows.
    BetweenWindows,
    /// It holds nothing: in a file it would be a blank line, which is passed over. The one outcome
    /// that is not counted.
    Blank,
    /// It could not be decoded or aggregated, and why, with its shard and sequence number.
    DeadLetter(Error),
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
