//! What the loop asks of a source.

use super::clock::Clock;
use crate::error::Error;
use crate::record::Sequence;

/// A source while it waits for a [`StatefulProcessor`](super::StatefulProcessor): takes checkpoints,
/// and has the clock. An adapter implements it.
///
/// # Laws
/// - After a crash the source delivers again from the last checkpoint that it accepted, or from
///   before it.
/// - Shards that follow an ended one begin after the checkpoint at its end.
pub trait Checkpoint {
    /// The clock. It says when to save and which shards are quiet, and waits for a busy store.
    fn clock(&mut self) -> &mut dyn Clock;

    /// Asks for a checkpoint up to a record, this one included; `None`: at the end of the shard,
    /// which has no more records. Asks again where a short wait may help.
    ///
    /// # Errors
    /// If the source cannot be asked, which ends the run.
    fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<CheckpointOutcome, Error>;
}

/// What became of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckpointOutcome {
    /// The source has it.
    Accepted,
    /// The source does not take it.
    Refused(Refusal),
    /// The source ended before it answered: it has the checkpoint or not.
    SourceEnded,
}

/// Why a source does not take a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Who refuses, as a sentence begins: `the daemon`.
    pub source: String,
    /// The reason as the source names it.
    pub reason: String,
    /// What follows from it, in words.
    pub meaning: String,
    /// Whether the source will take no checkpoint of this process any more, as when the lease is
    /// lost.
    pub is_final: bool,
}
