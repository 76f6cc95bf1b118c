//! The steps of all modes for a batch: apply it to the pipeline, drain the answers, reply.

use super::Reply;
use super::batch::{BatchItem, Flaw, ShardBatch};
use super::invocation::{DeadLetter, Invocation};
use crate::adapter::LateRecord;
use crate::adapter::output::Sink;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::engine::{Outcome, Shard, Stats};
use crate::error::{Error, ErrorKind};
use crate::record::{Record, SequenceNumber};
use crate::snapshot::Snapshot;
use crate::time::Timestamp;
use std::time::Duration;

type OnDeadLetter = Box<dyn FnMut(&DeadLetter<'_>) + Send>;
type LateCallback = Box<dyn FnMut(&LateRecord<'_>) + Send>;

/// The state that all modes share: the pipeline, the sink, and the results of this invocation so
/// far.
pub(super) struct Core<P, S> {
    pub(super) pipeline: P,
    sink: S,
    /// The source under which answers may be drained in the middle of a batch; `None` if they may
    /// not.
    source: Option<String>,
    /// The state before the first record.
    fresh: Snapshot,
    pub(super) on_dead_letter: Option<OnDeadLetter>,
    pub(super) on_late: Option<LateCallback>,
    pub(super) invocation: Invocation,
    /// The pipeline's counters before the first record of the invocation.
    before: Stats,
}

/// The record at which a strict pipeline stopped, and the reason.
pub(super) struct StrictStop {
    /// Lambda is to deliver again from this number on.
    pub(super) from: SequenceNumber,
    /// True if some user records of the aggregated record with this number were applied.
    pub(super) inside: bool,
    pub(super) error: Error,
}

impl<P: RecordPipeline, S: Sink<P>> Core<P, S> {
    /// Creates the core of a pipeline that has no record yet, and of the sink for its answers.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the pipeline's aggregate has no encoding.
    pub(super) fn new(pipeline: P, sink: S) -> Result<Self, Error> {
        let fresh = pipeline.snapshot()?;
        Ok(Core {
            pipeline,
            sink,
            source: None,
            fresh,
            on_dead_letter: None,
            on_late: None,
            invocation: Invocation::default(),
            before: Stats::default(),
        })
    }

    /// Records in the invocation's account what the batch contains.
    pub(super) fn note(&mut self, batch: &ShardBatch, now: Timestamp) {
        self.invocation.shard = (!batch.is_unplaced()).then(|| batch.shard.clone());
        self.invocation.records = (batch.records.len() + batch.flaws.len()) as u64;
        let last = batch.records.iter().rfind(|record| record.is_arrival_known());
        let age =
            last.map(|record| now.as_millis().saturating_sub(record.arrival.as_millis()).max(0));
        self.invocation.iterator_age =
            age.map(|millis| Duration::from_millis(millis.unsigned_abs()));
    }

    /// Begins with this state, or with the empty state.
    ///
    /// # Errors
    /// Those of [`Control::restore`](crate::engine::Control::restore).
    pub(super) fn begin(&mut self, state: Option<&Snapshot>) -> Result<(), Error> {
        self.pipeline.restore(state.unwrap_or(&self.fresh))?;
        self.go_on();
        Ok(())
    }

    /// Begins with the current state of the pipeline.
    pub(super) fn go_on(&mut self) {
        self.before = self.pipeline.stats();
    }

    /// Applies the batch, up to its end or to the record at which a strict pipeline stops.
    ///
    /// If the limit on open windows is reached and `source` is given, complete windows are drained
    /// under that source in the middle of the batch.
    ///
    /// # Errors
    /// Limits that are exceeded. In a strict pipeline also a delivery that could not be read and
    /// has no sequence number, because Lambda cannot be told where to retry.
    pub(super) fn apply(
        &mut self,
        shard: Shard,
        batch: &ShardBatch,
        source: Option<&str>,
    ) -> Result<Option<StrictStop>, Error> {
        self.source = source.map(str::to_owned);
        let stop = match batch.flaws.is_empty() {
            true => self.apply_items(shard, batch, batch.records.iter().map(BatchItem::Record)),
            false => self.apply_items(shard, batch, batch.items()),
        };
        self.invocation.count(self.before, self.pipeline.stats());
        stop
    }

    fn apply_items<'a>(
        &mut self,
        shard: Shard,
        batch: &ShardBatch,
        items: impl Iterator<Item = BatchItem<'a>>,
    ) -> Result<Option<StrictStop>, Error> {
        for item in items {
            let record = match item {
                BatchItem::Record(record) => record,
                BatchItem::Flaw(flaw) if self.pipeline.is_strict() => {
                    return StrictStop::at_flaw(flaw).map(Some);
                }
                BatchItem::Flaw(flaw) => {
                    self.skip(shard, batch, flaw);
                    continue;
                }
            };
            let sequence = &record.position.sequence;
            match self.push(shard, record) {
                Ok(Outcome::DeadLetter(error)) => {
                    self.hand_out(&DeadLetter {
                        shard: &batch.shard,
                        sequence: Some(sequence),
                        error: &error,
                        data: &record.data,
                    });
                }
                Ok(Outcome::Late(time)) => {
                    if let Some(take) = &mut self.on_late {
                        let (shard, watermark) = (&batch.shard, self.pipeline.watermark());
                        take(&LateRecord { shard, sequence, time, watermark, data: &record.data });
                    }
                }
                Ok(_) => {}
                Err(error) if error.is_about_record() => {
                    return Ok(Some(StrictStop {
                        from: sequence.number.clone(),
                        inside: sequence.sub > 0,
                        error,
                    }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn push(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error> {
        let taken = self.pipeline.push(shard, record);
        let is_full = taken.as_ref().is_err_and(|error| error.kind() == ErrorKind::LimitExceeded)
            && self.pipeline.is_due();
        match self.source.clone().filter(|_| is_full) {
            // Draining the complete windows makes room.
            Some(source) => {
                self.drain(&source)?;
                self.pipeline.push(shard, record)
            }
            None => taken,
        }
    }

    #[cold]
    fn skip(&mut self, shard: Shard, batch: &ShardBatch, flaw: &Flaw) {
        let dead_letters = self.pipeline.stats().dead_letters;
        self.pipeline.skip_dead_letter(shard, flaw.sequence.as_ref(), flaw.arrival);
        // A dead letter that was skipped before was reported before.
        if self.pipeline.stats().dead_letters > dead_letters {
            self.hand_out(&DeadLetter {
                shard: &batch.shard,
                sequence: flaw.sequence.as_ref(),
                error: &flaw.error,
                data: &flaw.data,
            });
        }
    }

    #[cold]
    fn hand_out(&mut self, letter: &DeadLetter<'_>) {
        if let Some(take) = &mut self.on_dead_letter {
            take(letter);
        }
    }

    /// Passes the complete answers to the sink.
    ///
    /// # Errors
    /// The errors of the sink.
    pub(super) fn drain(&mut self, source: &str) -> Result<(), Error> {
        self.invocation.emissions += self.sink.drain(&mut self.pipeline, source)?;
        Ok(())
    }

    /// Returns the reply for a batch that was applied up to `stop`.
    pub(super) fn reply(&mut self, stop: Option<StrictStop>) -> Reply {
        match stop {
            None => Reply::done(),
            Some(stop) => {
                self.invocation.refused = Some(stop.error);
                Reply::failed_from(stop.from)
            }
        }
    }
}

impl StrictStop {
    #[cold]
    fn at_flaw(flaw: &Flaw) -> Result<StrictStop, Error> {
        let error = Error::new(flaw.error.kind(), flaw.error.to_string());
        match &flaw.sequence {
            Some(sequence) => {
                Ok(StrictStop { from: sequence.number.clone(), inside: sequence.sub > 0, error })
            }
            // Lambda treats an unknown identifier as a failure of the whole batch, so it becomes
            // one here.
            None => Err(error),
        }
    }
}
