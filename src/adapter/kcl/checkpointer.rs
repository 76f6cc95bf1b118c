//! Checkpoints, with retries.

use super::protocol::CheckpointError;
use super::session::{Checkpointed, Session};
use crate::adapter::worker::{Checkpoint, CheckpointOutcome, CheckpointRefusal, Clock};
use crate::error::Error;
use crate::record::Sequence;
use crate::time::Timestamp;
use std::io::{BufRead, Write};
use std::time::Duration;

/// How often a checkpoint is tried. The waits between the tries begin at 0.1 s and double up to 5
/// s: about 20 s in all.
const TRIES: u32 = 8;
const BACK_OFF_FIRST: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// Asks the daemon for a checkpoint.
trait Ask {
    fn ask(&mut self, upto: Option<&Sequence>) -> Result<Checkpointed, Error>;
}

impl<R: BufRead, W: Write> Ask for Session<R, W> {
    fn ask(&mut self, upto: Option<&Sequence>) -> Result<Checkpointed, Error> {
        self.checkpoint(upto)
    }
}

/// Takes checkpoints while a message is being processed, and has the caller's clock.
pub struct Checkpointer<'a> {
    session: &'a mut dyn Ask,
    clock: &'a mut dyn Clock,
}

impl<'a> Checkpointer<'a> {
    /// Creates the checkpointer of a session that is between [`read`](Session::read) and
    /// [`answer`](Session::answer).
    pub fn new<R: BufRead, W: Write>(
        session: &'a mut Session<R, W>,
        clock: &'a mut dyn Clock,
    ) -> Self {
        Checkpointer { session, clock }
    }

    /// Returns the current time of the caller's clock.
    pub fn now(&mut self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the caller's clock.
    pub fn clock(&mut self) -> &mut dyn Clock {
        self.clock
    }

    /// Asks for a checkpoint up to a record, or up to all records delivered. Tries up to 8 times
    /// within about 20 s while the daemon says that its lease table is busy or unreachable
    /// ([`CheckpointError::is_retryable`]).
    ///
    /// # Errors
    /// As [`Session::checkpoint`].
    pub fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<Checkpointed, Error> {
        let mut pause = BACK_OFF_FIRST;
        for _ in 1..TRIES {
            match self.session.ask(upto)? {
                Checkpointed::Refused(error) if error.is_retryable() => self.clock.sleep(pause),
                done => return Ok(done),
            }
            pause = (pause * 2).min(BACK_OFF_MAX);
        }
        self.session.ask(upto)
    }
}

impl std::fmt::Debug for Checkpointer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpointer").finish_non_exhaustive()
    }
}

impl Checkpoint for Checkpointer<'_> {
    fn clock(&mut self) -> &mut dyn Clock {
        self.clock
    }

    fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
        Ok(match Checkpointer::checkpoint(self, upto)? {
            Checkpointed::Done => CheckpointOutcome::Accepted,
            Checkpointed::Refused(error) => CheckpointOutcome::Refused(refusal(&error)),
            Checkpointed::InputEnded => CheckpointOutcome::SourceEnded,
        })
    }
}

/// Translates the daemon's error for the caller that asked for a checkpoint.
fn refusal(error: &CheckpointError) -> CheckpointRefusal {
    let meaning = match error {
        CheckpointError::Throttling | CheckpointError::Dependency => {
            "the lease table is busy or out of reach; the next one may be taken"
        }
        CheckpointError::Shutdown | CheckpointError::InvalidState => {
            "the lease is lost or ends; no more are asked for"
        }
        CheckpointError::Other(_) => "the next one may be taken",
    };
    CheckpointRefusal {
        source: String::from("the daemon"),
        reason: error.to_string(),
        meaning: String::from(meaning),
        is_final: error.is_final(),
    }
}
