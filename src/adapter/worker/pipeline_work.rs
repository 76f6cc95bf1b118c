//! A pipeline over the records of a shard.

use super::batch::Batch;
use super::many_shards::{ManyShards, OpenShard};
use super::shard_work::ShardWork;
use super::work_call::{OnCall, WorkCall};
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::adapter::{LateRecord, Packing, RecordPipeline, Rejected, Sink};
use crate::engine::{Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::record::{Position, Record, Sequence, ShardId};
use crate::snapshot::{Partial, Snapshot};
use crate::time::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Opens the sink of a shard's answers.
type OpenSink<P> = Box<dyn FnMut(&ShardId, &P) -> Result<Box<dyn Sink<P>>, Error>>;

/// Receives late records.
type OnLate = Box<dyn FnMut(&LateRecord<'_>)>;

/// Runs a [`RecordPipeline`] over the records of a shard, and passes its answers to a [`Sink`].
///
/// [`packing`](PipelineWork::packing) says how records that contain others are unpacked. By default
/// those are records that the KPL aggregated and the source did not split, also inside of one that
/// the source has split.
///
/// # Quiet shards
/// A window comes out when a later record passes its end. On a shard without records,
/// [`idle_after`](PipelineWork::idle_after) lets the clock do that: after this time without a
/// record whose event time can be read, event times up to now minus this time are complete. This
/// does not happen while the shard is behind its end, or if that is not known
/// ([`millis_behind_latest`](Batch::millis_behind_latest)), because then there are records that
/// were not read yet. The source must also deliver batches without records; for the KCL's daemon
/// that is `callProcessRecordsEvenForEmptyRecordList = true`.
pub struct PipelineWork<P> {
    pipeline: P,
    open_sink: OpenSink<P>,
    /// The source of the answers, and their sink.
    sink: Option<(ShardId, Box<dyn Sink<P>>)>,
    /// The one shard.
    shard: Option<Shard>,
    /// The state of a new shard.
    fresh: Snapshot,
    idle_after: Option<i64>,
    early: Option<EarlyAnswers>,
    /// The time of the last record whose event time could be read, or when the shard was last known
    /// to be behind.
    busy_at: Option<Timestamp>,
    /// True if the clock has raised the watermark, or answered windows, since the last save.
    raised: bool,
    /// True if the open windows were handed over.
    ended: bool,
    packing: Packing,
    /// The records inside of one record.
    parts: Vec<Record>,
    /// Late records in this process.
    late: u64,
    on_late: Option<OnLate>,
    on_call: Option<OnCall>,
}

/// When open windows are answered before they are complete.
#[derive(Debug)]
struct EarlyAnswers {
    /// Milliseconds.
    interval: i64,
    /// The time of the last such answers, or of the first look at the clock.
    last: Option<Timestamp>,
    /// The number of applied records at that time.
    records: u64,
}

impl<P: RecordPipeline> PipelineWork<P> {
    /// Creates the work from a pipeline without shards, and a function that opens the sink of its
    /// answers once the shard is known.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the pipeline's state has no encoding.
    pub fn new(
        pipeline: P,
        open_sink: impl FnMut(&ShardId, &P) -> Result<Box<dyn Sink<P>>, Error> + 'static,
    ) -> Result<Self, Error> {
        let fresh = pipeline.snapshot()?;
        let open_sink = Box::new(open_sink);
        Ok(PipelineWork {
            pipeline,
            open_sink,
            sink: None,
            shard: None,
            fresh,
            idle_after: None,
            early: None,
            busy_at: None,
            raised: false,
            ended: false,
            packing: Packing::default(),
            parts: Vec::new(),
            late: 0,
            on_late: None,
            on_call: None,
        })
    }

    /// Sets the time without a record after which the clock completes windows. Default: never. It
    /// should not be shorter than the out-of-orderness, or the clock makes records late.
    #[must_use]
    pub fn idle_after(mut self, length: Duration) -> Self {
        self.idle_after = Some(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        self
    }

    /// Sets how often open windows are answered before they are complete, if records came since:
    /// each such answer is a revision. Every answer is then saved before it is emitted, so that a
    /// process that starts again gives the same one. Not while the shard is behind its end.
    /// Default: never.
    #[must_use]
    pub fn emit_early(mut self, interval: Duration) -> Self {
        let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        self.early = Some(EarlyAnswers { interval, last: None, records: 0 });
        self
    }

    /// Sets how payloads are unpacked before they are decoded. Default: records that the KPL
    /// aggregated are split.
    #[must_use]
    pub fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    /// Sets the callback for records that come too late for all of their windows. After a crash
    /// some of them come again. Default: they are counted, and their number is a note at
    /// checkpoints.
    #[must_use]
    pub fn on_late(mut self, take: impl FnMut(&LateRecord<'_>) + 'static) -> Self {
        self.on_late = Some(Box::new(take));
        self
    }

    /// Sets the callback for each call of the work, before it has an effect. Default: none.
    #[must_use]
    pub fn on_call(mut self, take: impl FnMut(WorkCall<'_>) + 'static) -> Self {
        self.on_call = Some(Box::new(take));
        self
    }

    /// Returns the pipeline.
    pub fn pipeline(&self) -> &P {
        &self.pipeline
    }

    /// Applies a batch of one shard. User records of an aggregate that are outside of the range are
    /// dropped. Returns true if there was a record whose event time could be read.
    fn apply_batch(
        &mut self,
        (shard, range): (Shard, Option<&HashRange>),
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<bool, Error> {
        self.pipeline.advance(now);
        let last_record = self.pipeline.last_record(shard);
        self.apply_all((shard, range), batch, dead_letter)?;
        Ok(self.pipeline.last_record(shard) != last_record)
    }

    /// Declares that the shards have no more records before these times, because the clock says so.
    /// Returns true if that may have completed an answer.
    fn raise(&mut self, quiet: &[(Shard, Timestamp)]) -> bool {
        let (was_due, watermark) = (self.pipeline.is_due(), self.pipeline.watermark());
        for (shard, time) in quiet {
            self.pipeline.advance_watermark(*shard, *time);
        }
        self.raised |= self.pipeline.watermark() != watermark;
        !was_due && self.pipeline.is_due()
    }

    /// Answers the open windows, if their time has come and a record came since. Returns true if
    /// there are answers.
    fn answer_early(&mut self, now: Timestamp) -> Result<bool, Error> {
        let records = self.pipeline.stats().applied;
        let Some(early) = &mut self.early else { return Ok(false) };
        let last = *early.last.get_or_insert(now);
        let waited = now.as_millis().saturating_sub(last.as_millis());
        if waited < early.interval || early.records == records {
            return Ok(false);
        }
        (early.last, early.records) = (Some(now), records);
        self.pipeline.fire_early()?;
        self.raised |= self.pipeline.is_due();
        Ok(self.pipeline.is_due())
    }

    /// Returns the time before which a shard has no more records, if the clock completes its
    /// windows and it has been quiet long enough. `busy_at` is set if it is not known.
    fn quiet_before(&self, busy_at: &mut Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let idle_after = self.idle_after?;
        let busy_at = *busy_at.get_or_insert(now);
        let is_quiet = now.as_millis().saturating_sub(busy_at.as_millis()) >= idle_after;
        is_quiet.then(|| Timestamp::from_millis(now.as_millis().saturating_sub(idle_after)))
    }

    /// Applies a record. A further part of a record has the position of the part before it.
    #[inline(always)]
    fn push(
        &mut self,
        (shard, is_part): (Shard, bool),
        record: &Record,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        let taken = match self.try_push((shard, is_part), record) {
            // Emitting complete answers makes room. Windows that the clock has completed must be
            // saved before they are emitted, and are not emitted here.
            Err(error)
                if error.kind() == ErrorKind::LimitExceeded
                    && self.pipeline.is_due()
                    && !self.is_ahead() =>
            {
                self.drain()?;
                self.try_push((shard, is_part), record)?
            }
            taken => taken?,
        };
        match taken {
            Outcome::DeadLetter(error) => dead_letter(error),
            Outcome::Late(time) => self.hand_out_late(record, time),
            _ => {}
        }
        Ok(())
    }

    #[inline(always)]
    fn try_push(
        &mut self,
        (shard, is_part): (Shard, bool),
        record: &Record,
    ) -> Result<Outcome<Error>, Error> {
        match is_part {
            true => self.pipeline.push_part(shard, record),
            false => self.pipeline.push(shard, record),
        }
    }

    #[cold]
    fn hand_out_late(&mut self, record: &Record, time: Timestamp) {
        self.late = self.late.saturating_add(1);
        if let Some(take) = &mut self.on_late {
            let Position { shard, sequence } = &record.position;
            take(&LateRecord {
                shard,
                sequence,
                time,
                watermark: self.pipeline.watermark(),
                data: &record.data,
            });
        }
    }

    /// Applies the records inside of one record. All have its position. State is saved between
    /// deliveries, so it has all of them or none.
    fn push_parts(
        &mut self,
        (shard, range): (Shard, Option<&HashRange>),
        record: &Record,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        let mut parts = std::mem::take(&mut self.parts);
        let sequence = &record.position.sequence;
        let unreadable = self.packing.unpack(record.clone(), range, &mut parts);
        let is_new = self.pipeline.applied(shard).is_none_or(|applied| sequence > applied);
        // A record that was applied before counts as one duplicate.
        let taken = if is_new { parts.len() } else { 1 };
        for (index, part) in parts.iter_mut().take(taken).enumerate() {
            part.position.sequence = sequence.clone();
            self.push((shard, index > 0), part, dead_letter)?;
        }
        parts.clear();
        self.parts = parts;
        match unreadable {
            Some(unreadable) if is_new => {
                self.refuse(shard, (None, Some(record.arrival)), unreadable.error, dead_letter)?
            }
            _ => {}
        }
        if is_new {
            self.pipeline.set_applied(shard, sequence);
        }
        Ok(())
    }

    /// Applies the records of a batch and the rejected deliveries between them.
    fn apply_all(
        &mut self,
        (shard, range): (Shard, Option<&HashRange>),
        batch: &Batch,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        let mut rejected = batch.rejected.iter().peekable();
        for (index, record) in batch.records.iter().enumerate() {
            while let Some(next) = rejected.next_if(|rejected| rejected.records_before <= index) {
                self.reject(shard, next, dead_letter)?;
            }
            match self.packing.holds_others(&record.data) {
                true => self.push_parts((shard, range), record, dead_letter)?,
                false => self.push((shard, false), record, dead_letter)?,
            }
        }
        rejected.try_for_each(|rejected| self.reject(shard, rejected, dead_letter))
    }

    /// Passes the complete answers to the sink.
    fn drain(&mut self) -> Result<(), Error> {
        match &mut self.sink {
            Some((id, sink)) => sink.drain(&mut self.pipeline, id.as_str()).map(drop),
            None => Ok(()),
        }
    }

    fn reject(
        &mut self,
        shard: Shard,
        rejected: &Rejected,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        let sequence = rejected.sequence.as_ref();
        if sequence.is_some_and(|sequence| {
            self.pipeline.applied(shard).is_some_and(|applied| sequence <= applied)
        }) {
            // It was a dead letter when it was delivered for the first time.
            self.pipeline.skip_dead_letter(shard, sequence, None);
            return Ok(());
        }
        let error = Error::new(ErrorKind::InvalidRecord, rejected.error.to_string());
        self.refuse(shard, (sequence, rejected.arrival), error, dead_letter)
    }

    /// Skips an unreadable delivery, unless the pipeline is strict.
    fn refuse(
        &mut self,
        shard: Shard,
        (sequence, arrival): (Option<&Sequence>, Option<Timestamp>),
        error: Error,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        if self.pipeline.is_strict() {
            return Err(error);
        }
        self.pipeline.skip_dead_letter(shard, sequence, arrival);
        dead_letter(error);
        Ok(())
    }
}

impl<P: RecordPipeline> ShardWork for PipelineWork<P> {
    fn open(&mut self, shard: &ShardId) -> Result<(), Error> {
        self.open_source(shard)?;
        self.shard = Some(self.pipeline.open_shard(shard.clone())?);
        Ok(())
    }

    fn restore(&mut self, state: Option<&Bytes>) -> Result<(), Error> {
        if let Some(state) = state {
            self.tell(WorkCall::Restore(state));
        }
        self.restore_silently(state)
    }

    fn adopt(&mut self, handed_over: &Bytes) -> Result<(), Error> {
        self.tell(WorkCall::Adopt(handed_over));
        self.pipeline.adopt(&Partial::from_bytes(handed_over.clone())?)
    }

    fn skip_to(&mut self, sequence: &Sequence) -> Result<(), Error> {
        let shard = self.shard.ok_or_else(|| Error::invalid("no shard is open"))?;
        self.pipeline.set_applied(shard, sequence);
        Ok(())
    }

    fn apply(
        &mut self,
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        self.tell(WorkCall::Apply { shard: None, batch, now });
        let shard = self.shard.ok_or_else(|| Error::invalid("no shard is open"))?;
        // Only records whose time could be read keep a shard from being quiet.
        if self.apply_batch((shard, None), batch, now, dead_letter)? || batch.is_behind() {
            self.busy_at = Some(now);
        }
        Ok(())
    }

    fn advance(&mut self, now: Timestamp) -> Result<bool, Error> {
        self.tell(WorkCall::Advance(now));
        self.pipeline.advance(now);
        let mut busy_at = self.busy_at;
        let before = self.quiet_before(&mut busy_at, now);
        self.busy_at = busy_at;
        let raised = match (self.shard, before) {
            (Some(shard), Some(before)) => self.raise(&[(shard, before)]),
            _ => false,
        };
        Ok(self.answer_early(now)? || raised)
    }

    fn is_ahead(&self) -> bool {
        // In another process open windows are answered at other moments, or completed by the clock.
        // Then this revision would be another answer there.
        let by_clock = self.early.is_some() || self.idle_after.is_some();
        self.raised || by_clock && !self.ended && self.pipeline.is_due()
    }

    fn emit(&mut self) -> Result<(), Error> {
        self.tell(WorkCall::Emit);
        self.drain()
    }

    fn state(&mut self) -> Result<Bytes, Error> {
        self.raised = false;
        self.pipeline.snapshot().map(Snapshot::into_bytes)
    }

    fn hand_over(&mut self) -> Result<Vec<Bytes>, Error> {
        self.tell(WorkCall::HandOver);
        self.ended = true;
        let source = self.sink.as_ref().map_or_else(String::new, |(id, _)| id.to_string());
        self.pipeline.hand_over();
        let mut handed_over = Vec::new();
        while let Some(partial) = self.pipeline.next_partial(&source)? {
            handed_over.push(partial.into_bytes());
        }
        // No other shard continues windows of rows, so they are answered here: saved before, unless
        // the saved state would lack what is handed over.
        match (self.pipeline.has_partials(), handed_over.is_empty()) {
            (false, true) => self.raised = true,
            (false, false) => self.drain()?,
            (true, _) => {}
        }
        Ok(handed_over)
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn late(&self) -> (u64, bool) {
        (self.late, self.on_late.is_some())
    }

    fn applied(&self) -> Option<&Sequence> {
        self.shard.and_then(|shard| self.pipeline.applied(shard))
    }
}

impl<P: RecordPipeline> ManyShards for PipelineWork<P> {
    fn tell(&mut self, call: WorkCall<'_>) {
        if let Some(take) = &mut self.on_call {
            take(call);
        }
    }

    fn restore_silently(&mut self, state: Option<&Bytes>) -> Result<(), Error> {
        match state {
            Some(state) => self.pipeline.restore(&Snapshot::from_bytes(state.clone())?)?,
            None => self.pipeline.restore(&self.fresh)?,
        }
        if let (Some((id, _)), Some(shard)) = (&self.sink, &mut self.shard) {
            *shard = self.pipeline.open_shard(id.clone())?;
        }
        Ok(())
    }

    fn open_source(&mut self, source: &ShardId) -> Result<(), Error> {
        self.tell(WorkCall::Begin(source));
        self.sink = Some((source.clone(), (self.open_sink)(source, &self.pipeline)?));
        Ok(())
    }

    /// The watermark of a shard that continues others begins where theirs ended.
    fn open_shard(&mut self, id: &ShardId, parents: &[ShardId]) -> Result<(), Error> {
        let mut known = Vec::new();
        for parent in parents {
            if self.pipeline.shards().contains(parent) {
                known.push(self.pipeline.open_shard(parent.clone())?);
            }
        }
        match known.is_empty() {
            true => self.pipeline.open_shard(id.clone()).map(drop),
            false => self.pipeline.open_child_shard(id.clone(), &known).map(drop),
        }
    }

    fn close_shard(&mut self, id: &ShardId) -> Result<(), Error> {
        if self.pipeline.shards().contains(id) {
            let shard = self.pipeline.open_shard(id.clone())?;
            self.pipeline.close_shard(shard);
        }
        Ok(())
    }

    fn skip_shard_to(&mut self, id: &ShardId, sequence: &Sequence) -> Result<(), Error> {
        let shard = self.pipeline.open_shard(id.clone())?;
        self.pipeline.set_applied(shard, sequence);
        Ok(())
    }

    fn positions(&mut self) -> Result<BTreeMap<ShardId, Option<Sequence>>, Error> {
        let mut positions = BTreeMap::new();
        for id in self.pipeline.shards().to_vec() {
            let shard = self.pipeline.open_shard(id.clone())?;
            positions.insert(id, self.pipeline.applied(shard).cloned());
        }
        Ok(positions)
    }

    fn apply_to(
        &mut self,
        (id, range): (&ShardId, Option<&HashRange>),
        batch: &Batch,
        now: Timestamp,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<bool, Error> {
        let shard = self.pipeline.open_shard(id.clone())?;
        self.apply_batch((shard, range), batch, now, dead_letter)
    }

    fn advance_all(
        &mut self,
        open: &mut BTreeMap<ShardId, OpenShard>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.pipeline.advance(now);
        let mut quiet = Vec::new();
        for (id, open) in open.iter_mut().filter(|(_, open)| !open.is_behind) {
            if let Some(before) = self.quiet_before(&mut open.busy_at, now) {
                quiet.push((self.pipeline.open_shard(id.clone())?, before));
            }
        }
        let raised = self.raise(&quiet);
        Ok(self.answer_early(now)? || raised)
    }

    fn finish(&mut self) {
        self.pipeline.finish();
    }
}

impl<P: fmt::Debug> fmt::Debug for PipelineWork<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineWork")
            .field("pipeline", &self.pipeline)
            .field("idle_after", &self.idle_after)
            .finish_non_exhaustive()
    }
}
