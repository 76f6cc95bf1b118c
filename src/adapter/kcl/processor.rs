//! What takes the records of a shard, and the loop that feeds it.

use super::checkpointer::Checkpointer;
use super::protocol::{Action, Message, ShutdownReason, StartingPoint};
use super::session::Session;
use crate::adapter::worker::{Batch, Clock};
use crate::error::Error;
use crate::record::ShardId;
use crate::time::Timestamp;
use std::io::{BufRead, Write};

/// Takes the records of one shard.
///
/// Each method is called while its message is at hand; when it returns `Ok` the message is
/// answered, and the daemon sends the next one. An error ends the run, and with it usually the
/// process: the daemon then starts over from the last checkpoint.
///
/// # Laws
/// - A record may come again, after any crash or loss of the lease: the processor recognises it by
///   its position.
/// - Two processors of one shard can be at work for seconds, each believing that it is the only
///   one.
/// - The input may end at any moment, without a further call.
pub trait RecordProcessor {
    /// The first call: which shard it is for, and from where its records come.
    ///
    /// # Errors
    /// Whatever is to end the run, here and below.
    fn initialize(
        &mut self,
        shard: &ShardId,
        from: &StartingPoint,
        now: Timestamp,
    ) -> Result<(), Error>;

    /// Processes records. There may be no record in the batch.
    ///
    /// # Errors
    /// Whatever is to end the run.
    fn process(&mut self, batch: &Batch, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error>;

    /// The shard is another worker's now. Nothing may be checkpointed or emitted any more.
    ///
    /// # Errors
    /// Whatever is to end the run.
    fn lease_lost(&mut self) -> Result<(), Error>;

    /// The shard has no more records. A checkpoint up to all that was given must be taken, or the
    /// shards that follow never start.
    ///
    /// # Errors
    /// Whatever is to end the run.
    fn shard_ended(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error>;

    /// The daemon is about to shut down, or hands the shard over: the last chance to checkpoint.
    ///
    /// # Errors
    /// Whatever is to end the run.
    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer<'_>) -> Result<(), Error>;
}

/// How a conversation with the daemon came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// In order: the daemon had said that the lease is lost, that the shard has ended, or that it
    /// shuts down.
    Ordered,
    /// The input ended before that, as when the daemon is killed. What was checkpointed and saved
    /// is intact.
    Early,
}

/// Feeds a processor until the input ends.
///
/// # Errors
/// Those of the [`Session`], and of the processor.
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
            // The session hands out no other.
            Message::Checkpoint(_) => {}
        }
        if !matches!(session.due(), Some(Action::Initialize | Action::ProcessRecords)) {
            end = End::Ordered;
        }
        session.answer()?;
    }
}
