//! The interface of a source for the loop.

use super::clock::Clock;
use crate::error::Error;
use crate::record::Sequence;

/// A source that waits for a [`StatefulProcessor`](super::StatefulProcessor): takes checkpoints,
/// and has the clock. An adapter implements it.
///
/// # Laws
/// - After a crash the source delivers again from the last accepted checkpoint, or from an earlier
///   one.
/// - The child shards of an ended shard begin after the checkpoint at its end.
pub trait Checkpoint {
    /// Returns the clock. It decides when to save and which shards are quiet, and it waits for a
    /// busy store.
    fn clock(&mut self) -> &mut dyn Clock;

    /// Asks for a checkpoint up to and including this record. `None` means the end of the shard,
    /// which has no more records. Repeats the request if a short wait may help.
    ///
    /// # Errors
    /// Any error ends the run.
    fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<CheckpointOutcome, Error>;
}

/// The result of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckpointOutcome {
    /// The source has the checkpoint.
    Accepted,
    /// The source refuses the checkpoint.
    Refused(CheckpointRefusal),
    /// The source ended before it answered. It may or may not have the checkpoint.
    SourceEnded,
}

/// Why a source refuses a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRefusal {
    /// The name of the source, as the beginning of a sentence: `the daemon`.
    pub source: String,
    /// The reason as the source names it.
    pub reason: String,
    /// The consequence, in words.
    pub meaning: String,
    /// True if the source will accept no later checkpoint of this process, for example because the
    /// lease is lost.
    pub is_final: bool,
}
