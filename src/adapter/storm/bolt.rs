//! A task of a bolt: tuples in, rows and acks out, with the state saved between.

use super::payload::Reading;
use super::protocol::{Message, Reply, Setup, Tuple};
use super::tuple_state::hash_of;
use super::tuple_work::TupleWork;
use crate::adapter::worker::{
    Batch, Checkpoint, CheckpointOutcome, Clock, ProcessorOptions, StatefulProcessor,
};
use crate::adapter::{RecordPipeline, Rejected};
use crate::error::{Error, ErrorKind};
use crate::hash::Map;
use crate::record::{Position, Record, Sequence, ShardId};
use crate::store::Store;
use crate::time::Timestamp;
use bytes::Bytes;
use std::fmt;

/// Which values of a tuple are its payload and its id. Each field has a default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct BoltOptions {
    /// The field whose text is the payload. Default: the payload is a JSON object of all fields.
    pub payload: Option<String>,
    /// The field of the id. A tuple with an id counts once, also if it comes again. Default: no
    /// tuple has one.
    pub id: Option<String>,
}

/// A task of a bolt: it applies tuples to a pipeline, saves the state, sends the answers, and only
/// then acks.
///
/// It knows no threads and no pipes: [`run`](super::run) is the process of Storm's `ShellBolt`.
///
/// - After a crash Storm delivers again what was not acked. A tuple with an id that is known counts
///   once; the rows that it completed are sent again.
/// - Rows are anchored to the tuple that completed them if that tuple has an id: if they fail, the
///   tuple fails and comes again. Other rows are not anchored, since a tuple without an id that
///   comes again counts again.
/// - A tuple that a strict pipeline refuses fails.
/// - If another process has taken the task over, this one ends with an error.
pub struct Bolt<P, S, C> {
    processor: StatefulProcessor<TupleWork<P>, S>,
    source: AckedSource<C>,
    reading: Reading,
    shard: ShardId,
    /// The number of tuples so far.
    delivered: u64,
}

impl<P: RecordPipeline, S: Store, C: Clock> Bolt<P, S, C> {
    /// Creates a task from its first message, and loads its state.
    ///
    /// The state has the name of the component and the index of the task.
    ///
    /// # Errors
    /// Those of [`StatefulProcessor::open`].
    pub fn open(
        setup: &Setup,
        (work, store): (TupleWork<P>, S),
        options: (BoltOptions, ProcessorOptions),
        mut clock: C,
    ) -> Result<Self, Error> {
        let (bolt, mut processing) = options;
        // What is acked must be saved.
        processing.every_records = 1;
        let mut processor = StatefulProcessor::new(work, store, processing);
        let shard = ShardId::new(format!("{}-{}", setup.component, setup.task_index));
        processor.open(&shard, None, clock.now())?;
        let reading = Reading { payload: bolt.payload, id: bolt.id, fields: setup.fields.clone() };
        Ok(Bolt { processor, source: AckedSource(clock), reading, shard, delivered: 0 })
    }

    /// Returns the name of the state.
    pub fn name(&self) -> &ShardId {
        &self.shard
    }

    /// Returns the work.
    pub fn work(&self) -> &TupleWork<P> {
        self.processor.work()
    }

    /// Processes messages, and returns the replies. Call it first without messages: the rows that a
    /// process before has saved and perhaps not sent come out.
    ///
    /// # Errors
    /// Any error ends the process: those of the store, of the sink, and limits.
    /// [`ErrorKind::Conflict`] if another process has the task.
    pub fn process(&mut self, messages: Vec<Message>) -> Result<Vec<Reply>, Error> {
        let now = self.source.0.now();
        let mut batch = Batch { millis_behind_latest: Some(0), ..Batch::default() };
        let first = self.delivered;
        let mut acks = Vec::new();
        let mut deliveries: Map<u128, String> = Map::default();
        for message in messages {
            match message {
                Message::Tuple(tuple) => {
                    if let Some(id) = self.add(&tuple, now, &mut batch) {
                        deliveries.insert(id, tuple.id.clone());
                    }
                    acks.push((Some(self.delivered), tuple.id));
                }
                Message::Tick(id) => acks.push((None, id)),
                Message::Heartbeat => acks.push((None, String::new())),
                Message::Other => {}
            }
        }
        self.processor.process(&batch, &mut self.source)?;
        if let Some(failure) = self.processor.failure() {
            return Err(Error::new(failure.kind(), failure.to_string()));
        }
        let mut replies = Vec::new();
        let work = self.processor.work_mut();
        for row in work.take_rows() {
            let anchor = row.anchor.and_then(|id| deliveries.get(&id).cloned());
            replies.push(Reply::Emit { anchor, text: row.text });
        }
        let mut refused: Map<u64, Error> = Map::default();
        for (sequence, error) in work.take_refused() {
            let number = sequence.number.as_str().parse().unwrap_or(first);
            refused.insert(number, error);
        }
        for (delivered, id) in acks {
            let error = delivered.and_then(|delivered| refused.remove(&delivered));
            replies.extend(answer(id, error));
        }
        Ok(replies)
    }

    /// Adds a tuple to the batch. Returns its id if it has one.
    fn add(&mut self, tuple: &Tuple, now: Timestamp, batch: &mut Batch) -> Option<u128> {
        self.delivered += 1;
        let sequence = Sequence::new(self.delivered);
        let read = self.reading.id(tuple).and_then(|id| Ok((id, self.reading.payload(tuple)?)));
        match read {
            Ok((partition_key, data)) => {
                let id = (!partition_key.is_empty()).then(|| hash_of(&partition_key));
                let position = Position { shard: self.shard.clone(), sequence };
                batch.records.push(Record {
                    partition_key,
                    data,
                    arrival: now,
                    position,
                    headers: Default::default(),
                });
                id
            }
            Err(error) => {
                batch.rejected.push(Rejected {
                    index: batch.records.len() + batch.rejected.len(),
                    records_before: batch.records.len(),
                    shard: Some(self.shard.clone()),
                    sequence: Some(sequence),
                    arrival: Some(now),
                    data: Bytes::new(),
                    error: Error::new(ErrorKind::InvalidRecord, error.to_string()),
                });
                None
            }
        }
    }
}

/// Returns the answer to a message. A heartbeat has no id.
fn answer(id: String, refused: Option<Error>) -> Vec<Reply> {
    match refused {
        _ if id.is_empty() => vec![Reply::Sync],
        None => vec![Reply::Ack(id)],
        Some(error) => vec![Reply::Log(format!("refused: {error}")), Reply::Fail(id)],
    }
}

impl<P: fmt::Debug, S, C> fmt::Debug for Bolt<P, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bolt")
            .field("processor", &self.processor)
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}

/// Storm has no checkpoints: what is saved is acked, tuple by tuple.
struct AckedSource<C>(C);

impl<C: Clock> Checkpoint for AckedSource<C> {
    fn clock(&mut self) -> &mut dyn Clock {
        &mut self.0
    }

    fn checkpoint(&mut self, _: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
        Ok(CheckpointOutcome::Accepted)
    }
}
