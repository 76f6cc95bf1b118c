//! What every mode does with a batch: apply it to the pipeline, hand its answers on, reply.

use super::Reply;
use super::batch::{Batch, Flaw, Item};
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
type OnLate = Box<dyn FnMut(&LateRecord<'_>) + Send>;

/// What the modes share: the pipeline with what stands around it, and what this invocation did so
/// far.
pub(super) struct Core<P, S> {
    pub(super) pipeline: P,
    sink: S,
    /// Under which the answers may be handed on while a batch is taken, if they may.
    source: Option<String>,
    /// The state without a record.
    fresh: Snapshot,
    pub(super) on_dead_letter: Option<OnDeadLetter>,
    pub(super) on_late: Option<OnLate>,
    pub(super) invocation: Invocation,
    /// The pipeline's counters before the invocation's first record.
    before: Stats,
}

/// Where a strict pipeline has stopped, and why.
pub(super) struct Stop {
    /// From here on Lambda is to deliver again.
    pub(super) from: SequenceNumber,
    /// Whether records of that number, user records of an aggregate, were taken.
    pub(super) inside: bool,
    pub(super) error: Error,
}

impl<P: RecordPipeline, S: Sink<P>> Core<P, S> {
    /// The pipeline, which has no record yet, and where its answers go.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the pipeline's aggregate cannot be written down.
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

    /// Says in the invocation's account what it was given.
    pub(super) fn note(&mut self, batch: &Batch, now: Timestamp) {
        self.invocation.shard = (!batch.is_unplaced()).then(|| batch.shard.clone());
        self.invocation.records = (batch.records.len() + batch.flaws.len()) as u64;
        let last = batch.records.iter().rfind(|record| record.is_arrival_known());
        let age =
            last.map(|record| now.as_millis().saturating_sub(record.arrival.as_millis()).max(0));
        self.invocation.iterator_age =
            age.map(|millis| Duration::from_millis(millis.unsigned_abs()));
    }

    /// Begins with this state, or without a record.
    ///
    /// # Errors
    /// Those of [`Control::restore`](crate::engine::Control::restore).
    pub(super) fn begin(&mut self, state: Option<&Snapshot>) -> Result<(), Error> {
        self.pipeline.restore(state.unwrap_or(&self.fresh))?;
        self.go_on();
        Ok(())
    }

    /// Begins with the state that the pipeline is in.
    pub(super) fn go_on(&mut self) {
        self.before = self.pipeline.stats();
    }

    /// Takes the batch, up to its end or to where a strict pipeline stops.
    ///
    /// Where there is no room for the answers of windows that wait, these are handed on under
    /// `source` before the end of the batch, if that is given.
    ///
    /// # Errors
    /// Past a limit; of a strict pipeline, for what could not be read and has no sequence number
    /// that Lambda could be told.
    pub(super) fn apply(
        &mut self,
        shard: Shard,
        batch: &Batch,
        source: Option<&str>,
    ) -> Result<Option<Stop>, Error> {
        self.source = source.map(str::to_owned);
        let stop = match batch.flaws.is_empty() {
            true => self.apply_items(shard, batch, batch.records.iter().map(Item::Record)),
            false => self.apply_items(shard, batch, batch.items()),
        };
        self.invocation.count(self.before, self.pipeline.stats());
        stop
    }

    fn apply_items<'a>(
        &mut self,
        shard: Shard,
        batch: &Batch,
        items: impl Iterator<Item = Item<'a>>,
    ) -> Result<Option<Stop>, Error> {
        for item in items {
            let record = match item {
                Item::Record(record) => record,
                Item::Flaw(flaw) if self.pipeline.is_strict() => {
                    return Stop::at_flaw(flaw).map(Some);
                }
                Item::Flaw(flaw) => {
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
                    return Ok(Some(Stop {
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
            // Room is made by handing on what is complete.
            Some(source) => {
                self.drain(&source)?;
                self.pipeline.push(shard, record)
            }
            None => taken,
        }
    }

    #[cold]
    fn skip(&mut self, shard: Shard, batch: &Batch, flaw: &Flaw) {
        let dead_letters = self.pipeline.stats().dead_letters;
        self.pipeline.skip_dead_letter(shard, flaw.sequence.as_ref(), flaw.arrival);
        // One that was skipped before was handed out before.
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

    /// Hands the answers that are complete to the sink.
    ///
    /// # Errors
    /// Those of the sink.
    pub(super) fn drain(&mut self, source: &str) -> Result<(), Error> {
        self.invocation.emissions += self.sink.drain(&mut self.pipeline, source)?;
        Ok(())
    }

    /// The reply of a batch that was taken up to there.
    pub(super) fn reply(&mut self, stop: Option<Stop>) -> Reply {
        match stop {
            None => Reply::done(),
            Some(stop) => {
                self.invocation.refused = Some(stop.error);
                Reply::failed_from(stop.from)
            }
        }
    }
}

impl Stop {
    #[cold]
    fn at_flaw(flaw: &Flaw) -> Result<Stop, Error> {
        let error = Error::new(flaw.error.kind(), flaw.error.to_string());
        match &flaw.sequence {
            Some(sequence) => {
                Ok(Stop { from: sequence.number.clone(), inside: sequence.sub > 0, error })
            }
            // Lambda takes an identifier that it does not know for a failure of the whole batch: so
            // it is one.
            None => Err(error),
        }
    }
}
