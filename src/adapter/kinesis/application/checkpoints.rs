//! Checkpoints in the lease table.

use super::held::SharedLease;
use super::lease::LeaseCheckpoint;
use super::table::{LeaseTable, TableError};
use super::time::Time;
use crate::adapter::worker::{Checkpoint, CheckpointOutcome, CheckpointRefusal, Clock};
use crate::error::Error;
use crate::record::Sequence;
use std::time::Duration;

/// The pause before a checkpoint is tried again. It doubles each time, up to the maximum.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The checkpoints of one lease.
pub(super) struct LeaseCheckpoints<'a> {
    pub(super) lease: SharedLease,
    pub(super) table: &'a dyn LeaseTable,
    pub(super) time: &'a dyn Time,
    pub(super) clock: &'a mut dyn Clock,
}

impl Checkpoint for LeaseCheckpoints<'_> {
    fn clock(&mut self) -> &mut dyn Clock {
        self.clock
    }

    /// Tries again while the lease is held: without renewals that ends after the failover time.
    fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
        let checkpoint = match upto {
            Some(sequence) => LeaseCheckpoint::After(sequence.clone()),
            None => LeaseCheckpoint::ShardEnd,
        };
        let mut pause = PAUSE_FIRST;
        loop {
            let saved = self.lease.lock().save_checkpoint(&checkpoint, self.table, self.time);
            match saved {
                Ok(true) => return Ok(CheckpointOutcome::Accepted),
                Ok(false) => return Ok(CheckpointOutcome::Refused(lost())),
                Err(TableError::Fatal(error)) => return Err(error),
                Err(_) => self.clock.sleep(pause),
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn lost() -> CheckpointRefusal {
    CheckpointRefusal {
        source: String::from("the lease table"),
        reason: String::from("the lease is lost"),
        meaning: String::from("another worker goes on from the last checkpoint"),
        is_final: true,
    }
}
