//! The handler: an event in, a reply out.

use super::batch::{BatchItem, ShardBatch};
use super::core::Core;
use super::invocation::{DeadLetter, Invocation};
use super::stateless::Stateless;
use super::stored::Stored;
use super::tumbling::{STATE_BYTES_LIMIT, Tumbling};
use super::{KafkaEvent, KafkaPartition, KinesisEvent, Reply, State, TumblingWindow};
use crate::adapter::output::Sink;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::adapter::{LateRecord, Packing};
use crate::error::Error;
use crate::record::{SequenceNumber, ShardId};
use crate::store::Store;
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;

type OnInvocation = Box<dyn FnMut(&Invocation) + Send>;
type OnEvent = Box<dyn FnMut(Timestamp, &[u8]) + Send>;

/// A function behind an event source mapping of Kinesis or Kafka. It applies the records of the
/// events to a pipeline, passes the answers to a sink, and replies as AWS's contract demands.
///
/// It has three modes; [`tumbling`](Handler::tumbling) is the default:
///
/// | Mode | Where the state is | For |
/// |---|---|---|
/// | [`tumbling`](Handler::tumbling) | in Lambda's own `state`, within a budget | windows of
/// arrival time, up to 15 minutes, with no other service |
/// | [`stored`](Handler::stored) | in a [`Store`], by shard | any window of event time, sliding
/// windows included |
/// | [`stateless`](Handler::stateless) | nowhere | each batch on its own: partials that are merged
/// elsewhere |
///
/// It reads no clock: the caller passes the time. An invocation leaves nothing for the next one,
/// which may belong to another shard.
///
/// A handler processes one event at a time. A program that gets several events at once, as on
/// Lambda Managed Instances, needs one handler per thread, or a lock around a shared one. Handlers
/// with the same store detect when two of them process the same shard.
///
/// # Example
/// ```
/// use streamgauge::adapter::lambda::{Handler, KinesisEvent};
/// use streamgauge::adapter::{Decoding, each};
/// use streamgauge::prelude::*;
///
/// let pipeline = Pipeline::builder()
///     .event_time(|record: &Record| record.arrival)
///     .window(Tumbling::new(minutes(1))?)
///     .aggregate(count())
///     .build()?;
/// let records = Decoding::new(pipeline, |record: &Record| Ok::<_, Error>(record.clone()));
/// let mut handler = Handler::new(records, each(|emission: Emission<u64>| {
///     eprintln!("{:?}: {} records", emission.window, emission.value);
///     Ok(())
/// }))?.tumbling();
///
/// let event = br#"{"Records": [], "state": {}, "shardId": "shardId-000000000003",
///     "isFinalInvokeForWindow": true,
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
    on_event: Option<OnEvent>,
}

enum Mode {
    Tumbling(Tumbling),
    Stored(Stored),
    Stateless,
}

impl<P: RecordPipeline, S: Sink<P>> Handler<P, S> {
    /// Creates a handler in tumbling mode.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the pipeline's aggregate has no
    /// encoding.
    pub fn new(pipeline: P, sink: S) -> Result<Self, Error> {
        let core = Core::new(pipeline, sink)?;
        let mode = Mode::Tumbling(Tumbling::default());
        Ok(Handler {
            core,
            mode,
            packing: Packing::default(),
            idle_after: Duration::from_secs(60),
            on_invocation: None,
            on_event: None,
        })
    }

    /// Selects Lambda's own tumbling windows. The mapping has `TumblingWindowInSeconds` set, and
    /// the state travels in the event and in the reply. The answers of a window come out at its
    /// last invocation; windows that the pipeline completes earlier come out earlier. The state
    /// takes at most 900,000 bytes of JSON, of the 1 MB that Lambda allows;
    /// [`state_bytes_max`](Handler::state_bytes_max) changes that.
    #[must_use]
    pub fn tumbling(mut self) -> Self {
        self.mode = Mode::Tumbling(Tumbling::default());
        self
    }

    /// Keeps the state of each shard in a store. An invocation loads it, applies the batch, passes
    /// the answers to the sink, saves the state, and then replies. Records that were applied before
    /// are skipped when Lambda delivers a batch again. If another invocation has saved in the
    /// meantime, the result is the error `Conflict`, so that Lambda delivers again.
    ///
    /// The mapping's `ParallelizationFactor` must be 1, so that the records of a shard come in
    /// order.
    #[must_use]
    pub fn stored(mut self, store: impl Store + 'static) -> Self {
        self.mode = Mode::Stored(Stored::new(Box::new(store)));
        self
    }

    /// Answers each batch on its own. All of its windows come out at once, as answers, or as
    /// partials of their own source, `<stream>/<shard>:<first sequence number>`.
    #[must_use]
    pub fn stateless(mut self) -> Self {
        self.mode = Mode::Stateless;
        self
    }

    /// Sets the maximum size of the state of a tumbling window, in bytes of JSON. Default: 900,000.
    /// A change of mode resets it.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for more than 1,000,000, since Lambda
    /// ends a window early at that size, and in every other mode than
    /// [`tumbling`](Handler::tumbling), because only that mode has a budget.
    pub fn state_bytes_max(mut self, bytes: usize) -> Result<Self, Error> {
        match &mut self.mode {
            Mode::Tumbling(tumbling) if bytes <= STATE_BYTES_LIMIT => {
                tumbling.state_bytes_max = bytes
            }
            Mode::Tumbling(_) => {
                let message = format!(
                    "a state of {bytes} bytes, but Lambda ends a window early if its state is over \
                     {STATE_BYTES_LIMIT} bytes"
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

    /// Sets the time without a record after which [`answer_idle`](Handler::answer_idle) considers a
    /// shard idle. Default: one minute.
    #[must_use]
    pub fn idle_after(mut self, length: Duration) -> Self {
        self.idle_after = length;
        self
    }

    /// Sets how payloads are unpacked before they are decoded. Default: records that the KPL
    /// aggregated are split.
    #[must_use]
    pub fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    /// Sets the callback for everything that could not be read, decoded or aggregated and was
    /// skipped. When a batch is delivered again, dead letters that were not saved are reported
    /// again.
    #[must_use]
    pub fn on_dead_letter(mut self, take: impl FnMut(&DeadLetter<'_>) + Send + 'static) -> Self {
        self.core.on_dead_letter = Some(Box::new(take));
        self
    }

    /// Sets the callback for records that come too late for all of their windows. Default: late
    /// records are only [counted](Invocation::late).
    #[must_use]
    pub fn on_late(mut self, take: impl FnMut(&LateRecord<'_>) + Send + 'static) -> Self {
        self.core.on_late = Some(Box::new(take));
        self
    }

    /// Sets the callback for the account of each invocation, also one that ends with an error.
    /// [`Emf`](super::Emf) makes metrics from it.
    #[must_use]
    pub fn on_invocation(mut self, take: impl FnMut(&Invocation) + Send + 'static) -> Self {
        self.on_invocation = Some(Box::new(take));
        self
    }

    /// Sets the callback for the time and the bytes of each event that
    /// [`handle_bytes`](Handler::handle_bytes) gets, before it is handled.
    #[must_use]
    pub fn on_event(mut self, take: impl FnMut(Timestamp, &[u8]) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(take));
        self
    }

    /// Returns the pipeline.
    pub fn pipeline(&self) -> &P {
        &self.core.pipeline
    }

    /// Returns the account of the last invocation.
    pub fn invocation(&self) -> &Invocation {
        &self.core.invocation
    }

    /// Handles the bytes of an event from Lambda's runtime, of Kinesis or Kafka. In stored mode it
    /// also handles a scheduled event of EventBridge, by [`answer_idle`](Handler::answer_idle).
    ///
    /// # Errors
    /// The errors of [`handle`](Handler::handle), of [`KinesisEvent::from_slice`] and of
    /// [`KafkaEvent::from_slice`].
    pub fn handle_bytes(&mut self, event: &[u8], now: Timestamp) -> Result<Reply, Error> {
        if let Some(take) = &mut self.on_event {
            take(now, event);
        }
        if let Some(event) = KafkaEvent::read(event) {
            return match event {
                Ok(event) => self.handle_kafka(event, now),
                Err(error) => self.account(now, |_| Err(error)),
            };
        }
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
    /// After an error Lambda should deliver the whole batch again.
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) for the state of another pipeline,
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are not a state,
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit or the budget of the state,
    /// [`Conflict`](crate::ErrorKind::Conflict) and [`Io`](crate::ErrorKind::Io) of the store,
    /// [`Parse`](crate::ErrorKind::Parse) and
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an event that does not fit the
    /// mode, and the errors of the sink.
    pub fn handle(&mut self, event: KinesisEvent, now: Timestamp) -> Result<Reply, Error> {
        self.account(now, |handler| handler.reply_to(event, now))
    }

    /// Handles an event of Kafka at the time `now`. Each partition is a shard of its own. If a
    /// strict pipeline stops at a record, the reply names it and all later ones of its partition.
    ///
    /// # Errors
    /// The errors of [`handle`](Handler::handle). The partitions before an error are applied; when
    /// Lambda delivers the batch again, only [`stored`](Handler::stored) mode skips them. In
    /// tumbling mode any event is an error: a mapping of Kafka has no windows.
    pub fn handle_kafka(&mut self, event: KafkaEvent, now: Timestamp) -> Result<Reply, Error> {
        self.account(now, |handler| handler.reply_to_kafka(event, now))
    }

    /// Answers the open windows of all shards that had no record for
    /// [`idle_after`](Handler::idle_after): no record will complete them. The windows stay open. If
    /// a record comes later, they are answered again with a higher revision. A window is skipped if
    /// it was answered this way before and has no new records. Returns the number of shards
    /// answered.
    ///
    /// Call it regularly, for example by a schedule of EventBridge. Cost: a listing of the store,
    /// and a load for each shard.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) in another mode than
    /// [`stored`](Handler::stored); the errors of the store and of the sink.
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
        let Some(batch) = ShardBatch::of(event, shard, self.packing)? else {
            return Ok(Reply::done());
        };
        let reply = self.apply(batch, tumbling.as_ref(), now)?;
        // Lambda counts a reply without a state as failed if the mapping has a window.
        Ok(match tumbling.is_some() && reply.state().is_none() {
            true => reply.with_state(State::default()),
            false => reply,
        })
    }

    fn reply_to_kafka(&mut self, event: KafkaEvent, now: Timestamp) -> Result<Reply, Error> {
        let is_single = event.partitions.len() == 1;
        let mut total = Invocation { at: Some(now), ..Invocation::default() };
        let mut failures = Vec::new();
        for partition in event.partitions {
            let result = self.reply_to_partition(partition, event.cluster_arn.as_deref(), now);
            let mut account = std::mem::take(&mut self.core.invocation);
            total.shard = account.shard.take().filter(|_| is_single);
            total.add(account);
            match result {
                Ok(failed) => failures.extend(failed),
                Err(error) => {
                    self.core.invocation = total;
                    return Err(error);
                }
            }
        }
        self.core.invocation = total;
        Ok(Reply::failed_offsets(failures))
    }

    /// Applies the records of a partition. Returns those that Lambda is to deliver again.
    fn reply_to_partition(
        &mut self,
        partition: KafkaPartition,
        cluster_arn: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<(ShardId, u64)>, Error> {
        let (shard, event) = partition.into_shard(&self.core.pipeline.headers());
        let Some(mut batch) = ShardBatch::of(event, Some(shard.clone()), self.packing)? else {
            return Ok(Vec::new());
        };
        batch.stream_arn = cluster_arn.map(Into::into);
        let offsets: Vec<Option<u64>> = match self.core.pipeline.is_strict() {
            true => batch.items().map(BatchItem::number).map(offset_of).collect(),
            false => Vec::new(),
        };
        let reply = self.apply(batch, None, now)?;
        let Some(from) = reply.failure() else { return Ok(Vec::new()) };
        let from = offset_of(Some(from));
        let mut failed: Vec<Option<u64>> =
            offsets.into_iter().skip_while(|offset| *offset != from).collect();
        failed.sort_unstable();
        failed.dedup();
        let failed: Option<Vec<_>> =
            failed.into_iter().map(|offset| Some((shard.clone(), offset?))).collect();
        failed.ok_or_else(|| {
            // A record that the reply cannot name comes again only with the whole batch.
            let error = self.core.invocation.refused.take();
            error.unwrap_or_else(|| Error::invalid("a record after the refused one has no offset"))
        })
    }

    fn apply(
        &mut self,
        batch: ShardBatch,
        window: Option<&TumblingWindow>,
        now: Timestamp,
    ) -> Result<Reply, Error> {
        self.core.note(&batch, now);
        match (&mut self.mode, window) {
            (Mode::Tumbling(mode), Some(window)) => mode.handle(&mut self.core, &batch, window),
            (Mode::Tumbling(_), None) => Err(Error::invalid(
                "the event has no window: set TumblingWindowInSeconds of the event source mapping, \
                 which one of Kafka does not have, or run in stored or stateless mode",
            )),
            (Mode::Stored(mode), _) => mode.handle(&mut self.core, &batch, now),
            (Mode::Stateless, _) => Stateless.handle(&mut self.core, batch),
        }
    }

    /// Runs an invocation and reports its account.
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

/// Returns the offset of a record of Kafka.
fn offset_of(number: Option<&SequenceNumber>) -> Option<u64> {
    number?.as_str().parse().ok()
}

/// Returns true if this is an event of a schedule, in the form that AWS documents: `"detail-type":
/// "Scheduled Event"`.
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
