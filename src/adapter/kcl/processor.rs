//! Processors of the records of a shard, and the loop that calls them.

use super::checkpointer::Checkpointer;
use super::protocol::{Action, Message, ShutdownReason, StartingPoint};
use super::session::Session;
use crate::adapter::worker::{Batch, Clock};
use crate::error::Error;
use crate::record::ShardId;
use crate::time::Timestamp;
use std::io::{BufRead, Write};

/// Processes the records of one shard.
///
/// Each method is called for one message. When it returns `Ok`, the message is answered, and the
/// daemon sends the next one. An error ends the run, and usually the process; the daemon then
/// starts again from the last checkpoint.
///
/// # Laws
/// - A record may come again after a crash or the loss of the lease. The processor recognises it by
///   its position.
/// - Two processors of one shard can run at the same time for seconds. Each of them believes that
///   it is the only one.
/// - The input may end at any moment, without another call.
pub trait RecordProcessor {
    /// The first call. Names the shard, and the point from which its records come.
    ///
    /// # Errors
    /// Any error ends the run. This holds for all methods.
    fn initialize(
        &mut self,
        shard: &ShardId,
        from: &StartingPoint,
        now: Timestamp,
    ) -> Result<(), Error>;

    /// Processes a batch of records. The batch may be empty.
    ///
    /// # Errors
    /// Any error ends the run.
    fn process(&mut self, batch: &Batch, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error>;

    /// Called when another worker has the shard. No checkpoint and no emission is allowed any more.
    ///
    /// # Errors
    /// Any error ends the run.
    fn lease_lost(&mut self) -> Result<(), Error>;

    /// Called when the shard has no more records. The processor must checkpoint up to all records
    /// delivered; otherwise the child shards never start.
    ///
    /// # Errors
    /// Any error ends the run.
    fn shard_ended(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error>;

    /// Called when the daemon is about to shut down or to give the shard away: the last chance to
    /// checkpoint.
    ///
    /// # Errors
    /// Any error ends the run.
    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error>;
}

/// How a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The daemon had announced the end: the lease is lost, the shard has ended, or the daemon
    /// shuts down.
    Ordered,
    /// The input ended without an announcement, for example because the daemon was killed.
    /// Checkpoints and saved state are intact.
    Early,
}

/// Reads a session to its end and passes its messages to a processor.
///
/// # Errors
/// Errors of the [`Session`] and of the processor.
///
/// # Example
/// A processor that counts:
/// ```
/// use streamgauge::adapter::kcl::{self, Batch, Checkpointer, End, RecordProcessor, Session, StartingPoint, SystemClock};
/// use streamgauge::{Error, ShardId, Timestamp};
///
/// #[derive(Default)]
/// struct Counter(usize);
///
/// impl RecordProcessor for Counter {
///     fn initialize(&mut self, _: &ShardId, _: &StartingPoint, _: Timestamp) -> Result<(), Error> {
///         Ok(())
///     }
///     fn process(&mut self, batch: &Batch, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error> {
///         self.0 += batch.records.len();
///         let last = batch.records.last().map(|record| &record.position.sequence);
///         checkpointer.checkpoint(last).map(drop)
///     }
///     fn lease_lost(&mut self) -> Result<(), Error> {
///         Ok(())
///     }
///     fn shard_ended(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error> {
///         checkpointer.checkpoint(None).map(drop)
///     }
///     fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error> {
///         checkpointer.checkpoint(None).map(drop)
///     }
/// }
///
/// let input = br#"{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}
/// {"action":"leaseLost"}
/// "#;
/// let mut session = Session::new(&input[..], Vec::new());
/// assert_eq!(kcl::run(&mut session, &mut Counter::default(), &mut SystemClock)?, End::Ordered);
/// # Ok::<(), Error>(())
/// ```
pub fn run<R: BufRead, W: Write>(
    session: &mut Session<R, W>,
    processor: &mut (impl RecordProcessor + ?Sized),
    clock: &mut dyn Clock,
) -> Result<End, Error> {
    let mut end = End::Early;
    loop {
        let now = clock.now();
        let Some(message) = session.read()? else { return Ok(end) };
        let mut checkpointer = Checkpointer::new(session, clock);
        match message {
            Message::Initialize { shard, from } => processor.initialize(&shard, &from, now)?,
            Message::ProcessRecords(batch) => processor.process(&batch, &mut checkpointer)?,
            Message::LeaseLost
            | Message::Shutdown(ShutdownReason::Zombie | ShutdownReason::Other(_)) => {
                processor.lease_lost()?
            }
            Message::ShardEnded | Message::Shutdown(ShutdownReason::Terminate) => {
                processor.shard_ended(&mut checkpointer)?
            }
            Message::ShutdownRequested => processor.shutdown_requested(&mut checkpointer)?,
            // `Session::read` never returns this message.
            Message::Checkpoint(_) => {}
        }
        if !matches!(session.due(), Some(Action::Initialize | Action::ProcessRecords)) {
            end = End::Ordered;
        }
        session.answer()?;
    }
}
