//! The handler: an event in, the reply out.

use super::batch::Batch;
use super::core::Core;
use super::invocation::{DeadLetter, Invocation};
use super::stateless::Stateless;
use super::stored::Stored;
use super::tumbling::{STATE_BYTES_LIMIT, Tumbling};
use super::{KinesisEvent, Reply, State};
use crate::adapter::output::Sink;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::adapter::{LateRecord, Packing};
use crate::error::Error;
use crate::store::Store;
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;

type OnInvocation = Box<dyn FnMut(&Invocation) + Send>;

/// A function behind a Kinesis event source mapping: drives a pipeline with the events' records,
/// hands its answers to a sink, and replies right to the letter of the contract.
///
/// In one of three modes, of which [`tumbling`](Handler::tumbling) is the default:
///
/// | Mode | Where the state is | For |
/// |---|---|---|
/// | [`tumbling`](Handler::tumbling) | in Lambda's own `state`, within a budget | windows of arrival time, up to 15 minutes, and nothing to run beside the function |
/// | [`stored`](Handler::stored) | in a [`Store`], by shard | any window, by event time, sliding too |
/// | [`stateless`](Handler::stateless) | nowhere | each batch by itself: partials to be merged elsewhere |
///
/// Reads no clock: the caller tells the time. Nothing of one invocation is left over for the next,
/// which may be of another shard.
///
/// A handler takes one event at a time. A program that gets several at once, as on Lambda Managed
/// Instances, gives each thread a handler of its own, or shares one behind a lock; handlers of one
/// store find out when they race for a shard.
///
/// # Example
/// ```
/// use streamgauge::adapter::lambda::{Handler, KinesisEvent};
/// use streamgauge::adapter::{Decoding, each};
/// use streamgauge::prelude::*;
///
/// let pipeline = Pipeline::builder().event_time(|record: &Record| record.arrival).window(Tumbling::new(minutes(1))?).aggregate(count()).build()?;
/// let records = Decoding::new(pipeline, |record: &Record| Ok::<_, Error>(record.clone()));
/// let mut handler = Handler::new(records, each(|emission: Emission<u64>| {
///     eprintln!("{:?}: {} records", emission.window, emission.value);
///     Ok(())
/// }))?.tumbling();
///
/// let event = br#"{"Records": [], "state": {}, "shardId": "shardId-000000000003", "isFinalInvokeForWindow": true,
///     "window": {"start": "2023-11-14T22:12:00Z", "end": "2023-11-14T22:13:00Z"}}"#;
/// let reply = handler.handle_bytes(event, Timestamp::from_millis(1_700_000_000_000))?;
/// assert_eq!(reply.to_json(), br#"{"state":{},"batchItemFailures":[]}"#);
/// # Ok::<(), Error>(())
/// ```
pub struct Handler<P, S> {
    core: Core<P, S>,
    mode: Mode,
    packing: Packing,
    idle_after: Duration,
    on_invocation: Option<OnInvocation>,
}

enum Mode {
    Tumbling(Tumbling),
    Stored(Stored),
    Stateless,
}

impl<P: RecordPipeline, S: Sink<P>> Handler<P, S> {
    /// A handler in tumbling mode.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the pipeline's aggregate cannot
    /// be written down.
    pub fn new(pipeline: P, sink: S) -> Result<Self, Error> {
        let core = Core::new(pipeline, sink)?;
        let mode = Mode::Tumbling(Tumbling::default());
        Ok(Handler {
            core,
            mode,
            packing: Packing::default(),
            idle_after: Duration::from_secs(60),
            on_invocation: None,
        })
    }

    /// In Lambda's own tumbling windows: the mapping has `TumblingWindowInSeconds` set, the state
    /// travels in the event and in the reply, and a window's answers come out at its last
    /// invocation, with what the pipeline itself completes before. The state takes at most 900,000
    /// bytes of JSON, of the 1 MB that Lambda allows, or as
    /// [`state_bytes_max`](Handler::state_bytes_max) says.
    #[must_use]
    pub fn tumbling(mut self) -> Self {
        self.mode = Mode::Tumbling(Tumbling::default());
        self
    }

    /// With the state of each shard in a store: loaded, applied, answers handed on, saved, and only
    /// then replied. A batch that is delivered again is a no-op for what was applied. A conflict,
    /// because another invocation has saved meanwhile, is an error, so that Lambda delivers again.
    ///
    /// The mapping's `ParallelizationFactor` must be 1: a shard's records have to come in their
    /// order.
    #[must_use]
    pub fn stored(mut self, store: impl Store + 'static) -> Self {
        self.mode = Mode::Stored(Stored::new(Box::new(store)));
        self
    }

    /// Each batch by itself: all of its windows come out at once, as answers or partials of a
    /// source of its own, `<stream>/<shard>:<first sequence number>`.
    #[must_use]
    pub fn stateless(mut self) -> Self {
        self.mode = Mode::Stateless;
        self
    }

    /// How large the state of a tumbling window may become, in bytes of JSON. Default: 900,000. A
    /// change of mode sets it back.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for more than 1,000,000, at which
    /// Lambda would end the window early, and in another mode than [`tumbling`](Handler::tumbling),
    /// whose state has no such budget.
    pub fn state_bytes_max(mut self, bytes: usize) -> Result<Self, Error> {
        match &mut self.mode {
            Mode::Tumbling(tumbling) if bytes <= STATE_BYTES_LIMIT => {
                tumbling.state_bytes_max = bytes
            }
            Mode::Tumbling(_) => {
                let message = format!(
                    "a state of {bytes} bytes, but Lambda ends a window early whose state is over {STATE_BYTES_LIMIT} bytes"
                );
                return Err(Error::invalid(message));
            }
            Mode::Stored(_) | Mode::Stateless => {
                return Err(Error::invalid(
                    "only a handler in tumbling mode has a budget for its state",
                ));
            }
        }
        Ok(self)
    }

    /// After how long without a record a shard is taken as ended or silent by
    /// [`answer_idle`](Handler::answer_idle). Default: one minute.
    #[must_use]
    pub fn idle_after(mut self, length: Duration) -> Self {
        self.idle_after = length;
        self
    }

    /// How payloads are taken apart before they are decoded. Default: those that the KPL
    /// aggregated.
    #[must_use]
    pub fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    /// Is handed everything that could not be read, decoded or aggregated and was skipped. A
    /// batch that is delivered again gives those again that were not saved.
    #[must_use]
    pub fn on_dead_letter(mut self, take: impl FnMut(&DeadLetter<'_>) + Send + 'static) -> Self {
        self.core.on_dead_letter = Some(Box::new(take));
        self
    }

    /// Is handed every record that comes too late for all of its windows. Default: late records are
    /// [counted](Invocation::late) only.
    #[must_use]
    pub fn on_late(mut self, take: impl FnMut(&LateRecord<'_>) + Send + 'static) -> Self {
        self.core.on_late = Some(Box::new(take));
        self
    }

    /// Is told what each invocation did, also one that ends with an error: [`Emf`](super::Emf)
    /// makes metrics of it.
    #[must_use]
    pub fn on_invocation(mut self, take: impl FnMut(&Invocation) + Send + 'static) -> Self {
        self.on_invocation = Some(Box::new(take));
        self
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &P {
        &self.core.pipeline
    }

    /// What the last invocation did.
    pub fn invocation(&self) -> &Invocation {
        &self.core.invocation
    }

    /// Handles an event as Lambda's runtime hands it over. In stored mode a scheduled event of
    /// EventBridge is one too: it is [`answer_idle`](Handler::answer_idle).
    ///
    /// # Errors
    /// As [`handle`](Handler::handle), and as [`KinesisEvent::from_slice`].
    pub fn handle_bytes(&mut self, event: &[u8], now: Timestamp) -> Result<Reply, Error> {
        match KinesisEvent::from_slice(event) {
            Ok(event) => self.handle(event, now),
            Err(_) if self.is_stored() && is_scheduled(event) => {
                self.answer_idle(now).map(|_| Reply::done())
            }
            Err(error) => self.account(now, |_| Err(error)),
        }
    }

    /// Handles an event at the time `now`.
    ///
    /// # Errors
    /// Lambda is then to deliver the whole batch again.
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) for the state of another pipeline,
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for one that is none,
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit or the state's budget,
    /// [`Conflict`](crate::ErrorKind::Conflict) and [`Io`](crate::ErrorKind::Io) of the store,
    /// [`Parse`](crate::ErrorKind::Parse) and
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an event that is not as the mode
    /// needs it, and those of the sink.
    pub fn handle(&mut self, event: KinesisEvent, now: Timestamp) -> Result<Reply, Error> {
        self.account(now, |handler| handler.reply_to(event, now))
    }

    /// Answers the open windows of all shards that have ended or fallen silent, for which no record
    /// will do it: those without a record for [`idle_after`](Handler::idle_after). The windows stay
    /// open: should a record come anyway, they are answered once more, with the revision
    /// raised. How many shards were answered; a window is skipped that was answered so before
    /// and has no other records since.
    ///
    /// To be called every now and then, as by a schedule of EventBridge. Cost: a listing of the
    /// store, and a load for each shard.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) in another mode than
    /// [`stored`](Handler::stored); those of the store and of the sink.
    pub fn answer_idle(&mut self, now: Timestamp) -> Result<u64, Error> {
        let idle_after = self.idle_after;
        self.account(now, |handler| match &mut handler.mode {
            Mode::Stored(stored) => stored.answer_idle(&mut handler.core, now, idle_after),
            Mode::Tumbling(_) | Mode::Stateless => {
                Err(Error::invalid("only a handler in stored mode knows of idle shards"))
            }
        })
    }

    fn is_stored(&self) -> bool {
        matches!(self.mode, Mode::Stored(_))
    }

    fn reply_to(&mut self, mut event: KinesisEvent, now: Timestamp) -> Result<Reply, Error> {
        let tumbling = event.tumbling.take();
        let shard = tumbling.as_ref().map(|window| window.shard.clone());
        let Some(batch) = Batch::of(event, shard, self.packing)? else { return Ok(Reply::done()) };
        self.core.note(&batch, now);
        let reply = match (&mut self.mode, &tumbling) {
            (Mode::Tumbling(mode), Some(window)) => mode.handle(&mut self.core, &batch, window),
            (Mode::Tumbling(_), None) => Err(Error::invalid(
                "the event has no window: set TumblingWindowInSeconds of the event source mapping, or run in stored or stateless mode",
            )),
            (Mode::Stored(mode), _) => mode.handle(&mut self.core, &batch, now),
            (Mode::Stateless, _) => Stateless.handle(&mut self.core, batch),
        }?;
        // A mapping with a window counts a reply without a state as failed.
        Ok(match tumbling.is_some() && reply.state().is_none() {
            true => reply.with_state(State::default()),
            false => reply,
        })
    }

    /// Does what an invocation does, and tells of it.
    fn account<T>(
        &mut self,
        now: Timestamp,
        run: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.core.invocation = Invocation { at: Some(now), ..Invocation::default() };
        let result = run(self);
        self.core.invocation.failed = result.is_err();
        if let Some(take) = &mut self.on_invocation {
            take(&self.core.invocation);
        }
        result
    }
}

/// Whether this is an event of a schedule, by AWS's documented form: `"detail-type": "Scheduled
/// Event"`.
fn is_scheduled(event: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Scheduled<'a> {
        #[serde(rename = "detail-type", borrow)]
        detail_type: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<Scheduled<'_>>(event)
        .is_ok_and(|event| event.detail_type == "Scheduled Event")
}

impl<P, S> fmt::Debug for Handler<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match &self.mode {
            Mode::Tumbling(_) => "tumbling",
            Mode::Stored(_) => "stored",
            Mode::Stateless => "stateless",
        };
        f.debug_struct("Handler")
            .field("mode", &mode)
            .field("packing", &self.packing)
            .finish_non_exhaustive()
    }
}
