//! A pipeline over the records of a shard.

use super::protocol::Batch;
use super::stateful::Work;
use crate::adapter::Rejected;
use crate::adapter::kpl::deaggregate;
use crate::adapter::{RecordPipeline, Sink, Taken};
use crate::engine::Shard;
use crate::error::{Error, ErrorKind};
use crate::record::{Record, Sequence, ShardId};
use crate::snapshot::{Partial, Snapshot};
use crate::time::Timestamp;
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// Opens the sink of a shard's answers.
type OpenSink<P> = Box<dyn FnMut(&ShardId, &P) -> Result<Box<dyn Sink<P>>, Error>>;

/// Runs a [`RecordPipeline`] over the records of a shard, and hands its answers to a [`Sink`].
///
/// Records that the KPL aggregated and the daemon was told to leave so are taken apart.
///
/// # Quiet shards
/// A window comes out when a later record passes its end. On a shard on which none comes, [`idle_after`](PipelineWork::idle_after) lets the clock do it: when the shard has been
/// without records whose event time can be read for so long, event times up to now less so long are taken as complete. Not while it is behind its end or that is not known
/// (`millisBehindLatest`): then the records are there, and just not read yet. The daemon tells of a quiet shard only with
/// `callProcessRecordsEvenForEmptyRecordList = true`.
pub struct PipelineWork<P> {
    pipeline: P,
    open_sink: OpenSink<P>,
    /// The shard, its handle in the pipeline, and where its answers go.
    open: Option<(ShardId, Shard, Box<dyn Sink<P>>)>,
    /// The state of a shard that begins.
    fresh: Snapshot,
    idle_after: Option<i64>,
    /// The clock at the last record whose event time could be read, or when the shard was last known to be behind.
    busy_at: Option<Timestamp>,
    /// Whether the clock has raised the watermark since the state was last written down.
    raised: bool,
    /// User records of an aggregate.
    user_records: Vec<Record>,
}

impl<P: RecordPipeline> PipelineWork<P> {
    /// The pipeline, which has no shard yet, and what opens the sink of its answers once the shard is known.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the pipeline's state cannot be written down.
    pub fn new(pipeline: P, open_sink: impl FnMut(&ShardId, &P) -> Result<Box<dyn Sink<P>>, Error> + 'static) -> Result<Self, Error> {
        let fresh = pipeline.snapshot()?;
        let open_sink = Box::new(open_sink);
        Ok(PipelineWork {
            pipeline,
            open_sink,
            open: None,
            fresh,
            idle_after: None,
            busy_at: None,
            raised: false,
            user_records: Vec::new(),
        })
    }

    /// After how long without a record the clock completes windows; default: never. Not less than the out-of-orderness, or records that come late are lost to it.
    #[must_use]
    pub fn idle_after(mut self, length: Duration) -> Self {
        self.idle_after = Some(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        self
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &P {
        &self.pipeline
    }

    fn shard(&self) -> Result<Shard, Error> {
        self.open.as_ref().map(|(_, shard, _)| *shard).ok_or_else(|| Error::invalid("no shard is open"))
    }

    fn push(&mut self, shard: Shard, record: &Record, dead_letter: &mut dyn FnMut(Error)) -> Result<(), Error> {
        if let Taken::DeadLetter(error) = self.pipeline.push(shard, record)? {
            dead_letter(error);
        }
        Ok(())
    }

    fn push_aggregated(&mut self, shard: Shard, record: &Record, dead_letter: &mut dyn FnMut(Error)) -> Result<(), Error> {
        let mut records = std::mem::take(&mut self.user_records);
        let counts = deaggregate(record.clone(), None, &mut records);
        let pushed = records.iter().try_for_each(|record| self.push(shard, record, dead_letter));
        if counts.unreadable > 0 {
            let message = format!("{} user records of the aggregate cannot be read", counts.unreadable);
            dead_letter(
                Error::new(ErrorKind::InvalidRecord, message)
                    .at(format_args!("{}:{}", record.position.shard, record.position.sequence.number)),
            );
        }
        records.clear();
        self.user_records = records;
        pushed
    }

    /// Applies the records of a batch, and what stands between them.
    fn take_all(&mut self, shard: Shard, batch: &Batch, dead_letter: &mut dyn FnMut(Error)) -> Result<(), Error> {
        let mut rejected = batch.rejected.iter().peekable();
        for (index, record) in batch.records.iter().enumerate() {
            while let Some(next) = rejected.next_if(|rejected| rejected.records_before <= index) {
                self.reject(shard, next, dead_letter)?;
            }
            match record.data.first() {
                Some(&AGGREGATE_FIRST) if record.position.sequence.sub == 0 => self.push_aggregated(shard, record, dead_letter)?,
                _ => self.push(shard, record, dead_letter)?,
            }
        }
        rejected.try_for_each(|rejected| self.reject(shard, rejected, dead_letter))
    }

    fn reject(&mut self, shard: Shard, rejected: &Rejected, dead_letter: &mut dyn FnMut(Error)) -> Result<(), Error> {
        let name = self.open.as_ref().map_or("", |(id, _, _)| id.as_str());
        let number = rejected.sequence.as_ref().map_or("?", |number| number.as_str());
        let error = Error::new(ErrorKind::InvalidRecord, rejected.error.to_string()).at(format_args!("{name}:{number}"));
        if self.pipeline.is_strict() {
            return Err(error);
        }
        self.pipeline.pass_over_dead_letter(shard, rejected.sequence.clone().map(Sequence::new).as_ref(), rejected.arrival);
        dead_letter(error);
        Ok(())
    }
}

/// The first byte of an aggregate: a record that begins with another is none.
const AGGREGATE_FIRST: u8 = 0xF3;

impl<P: RecordPipeline> Work for PipelineWork<P> {
    fn open(&mut self, shard: &ShardId) -> Result<(), Error> {
        let sink = (self.open_sink)(shard, &self.pipeline)?;
        self.open = Some((shard.clone(), self.pipeline.open_shard(shard.clone())?, sink));
        Ok(())
    }

    fn restore(&mut self, state: Option<&Bytes>) -> Result<(), Error> {
        match state {
            Some(state) => self.pipeline.restore(&Snapshot::from_bytes(state.clone())?)?,
            None => self.pipeline.restore(&self.fresh)?,
        }
        if let Some((id, shard, _)) = &mut self.open {
            *shard = self.pipeline.open_shard(id.clone())?;
        }
        Ok(())
    }

    fn inherit(&mut self, left: &Bytes) -> Result<(), Error> {
        self.pipeline.inherit(&Partial::from_bytes(left.clone())?)
    }

    fn take(&mut self, batch: &Batch, now: Timestamp, dead_letter: &mut dyn FnMut(Error)) -> Result<(), Error> {
        let shard = self.shard()?;
        self.pipeline.advance(now);
        let last_record = self.pipeline.last_record(shard);
        self.take_all(shard, batch, dead_letter)?;
        // Only records whose time could be read keep a shard from being quiet.
        if self.pipeline.last_record(shard) != last_record || batch.millis_behind_latest != Some(0) {
            self.busy_at = Some(now);
        }
        Ok(())
    }

    fn advance(&mut self, now: Timestamp) -> bool {
        self.pipeline.advance(now);
        let (Some(idle_after), Some((_, shard, _))) = (self.idle_after, &self.open) else { return false };
        let busy_at = *self.busy_at.get_or_insert(now);
        let (was_due, watermark) = (self.pipeline.is_due(), self.pipeline.watermark());
        if now.as_millis().saturating_sub(busy_at.as_millis()) >= idle_after {
            self.pipeline.reach(*shard, Timestamp::from_millis(now.as_millis().saturating_sub(idle_after)));
        }
        self.raised |= self.pipeline.watermark() != watermark;
        !was_due && self.pipeline.is_due()
    }

    fn is_ahead(&self) -> bool {
        self.raised
    }

    fn emit(&mut self) -> Result<(), Error> {
        match &mut self.open {
            Some((id, _, sink)) => sink.drain(&mut self.pipeline, id.as_str()).map(drop),
            None => Ok(()),
        }
    }

    fn state(&mut self) -> Result<Bytes, Error> {
        self.raised = false;
        self.pipeline.snapshot().map(Snapshot::into_bytes)
    }

    fn hand_over(&mut self) -> Result<Vec<Bytes>, Error> {
        let source = self.open.as_ref().map_or_else(String::new, |(id, _, _)| id.to_string());
        self.pipeline.finish();
        let mut left = Vec::new();
        while let Some(partial) = self.pipeline.next_partial(&source)? {
            left.push(partial.into_bytes());
        }
        Ok(left)
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn applied(&self) -> Option<&Sequence> {
        self.open.as_ref().and_then(|(_, shard, _)| self.pipeline.applied(*shard))
    }
}

impl<P: fmt::Debug> fmt::Debug for PipelineWork<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineWork").field("pipeline", &self.pipeline).field("idle_after", &self.idle_after).finish_non_exhaustive()
    }
}
