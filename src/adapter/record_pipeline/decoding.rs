//! A pipeline of the program's own types behind a decoder of records.

use super::{RecordPipeline, Taken, at};
use crate::aggregate::Aggregate;
use crate::engine::{Emission, Outcome, Shard, Stats};
use crate::error::{Error, ErrorKind};
use crate::pipeline::Pipeline;
use crate::record::{MAX_AHEAD_DEFAULT, Record, Sequence, ShardId, ahead_words, is_ahead};
use crate::snapshot::{Partial, Reductions, Snapshot};
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;

/// A [`Pipeline`] of the program's own types, and the function that makes them of a stream's
/// records.
///
/// A record that the function refuses is a dead letter, or, if the pipeline is
/// [strict](crate::pipeline::Builder::strict), an error.
///
/// # Example
/// ```
/// use streamgauge::adapter::{Decoding, RecordPipeline};
/// use streamgauge::prelude::*;
///
/// let pipeline = Pipeline::builder().window(Tumbling::new(seconds(10))?).event_time(|hit: &(i64, u64)| Timestamp::from_millis(hit.0)).aggregate(sum(|hit: &(i64, u64)| hit.1));
/// let mut hits = Decoding::new(pipeline.build()?, |record: &Record| {
///     std::str::from_utf8(&record.data)?.parse().map(|bytes| (record.arrival.as_millis(), bytes)).map_err(Box::<dyn std::error::Error + Send + Sync>::from)
/// });
/// let shard = hits.open_shard(ShardId::new("shardId-000000000000"))?;
/// # let _ = shard;
/// # Ok::<(), Error>(())
/// ```
pub struct Decoding<R, A: Aggregate<R>, D> {
    pipeline: Pipeline<R, A>,
    decode: D,
    /// By how many milliseconds an event time may lie ahead of the arrival time.
    max_ahead: Option<i64>,
}

impl<R, A, D, E> Decoding<R, A, D>
where
    A: Aggregate<R>,
    D: FnMut(&Record) -> Result<R, E>,
    E: fmt::Display,
{
    /// The pipeline behind the decoder.
    pub fn new(pipeline: Pipeline<R, A>, decode: D) -> Self {
        Decoding { pipeline, decode, max_ahead: Some(1000 * MAX_AHEAD_DEFAULT.as_secs() as i64) }
    }

    /// By how much the event time of a record may lie ahead of its arrival time; `None`: by any
    /// time. A record past it is a dead letter, or is filtered if a filter drops it, and moves no
    /// watermark: otherwise one record with a wrong time makes all that follow late. Default: 1 h.
    #[must_use]
    pub fn max_ahead(mut self, length: Option<Duration>) -> Self {
        self.max_ahead = length.map(|length| i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        self
    }

    /// Passes over a record whose event time lies too far ahead, if it does.
    fn pass_over_ahead(
        &mut self,
        shard: Shard,
        (record, decoded): (&Record, &R),
        sequence: Option<&Sequence>,
    ) -> Result<Option<Taken>, Error> {
        let Some(max_ahead) = self.max_ahead else { return Ok(None) };
        let time = self.pipeline.time_of(decoded);
        if !is_ahead(time, record.arrival, max_ahead) {
            return Ok(None);
        }
        if !self.pipeline.keeps(decoded) {
            self.pipeline.engine_mut().pass_over(shard, sequence, Outcome::Filtered, None);
            return Ok(Some(Taken::Filtered));
        }
        let message =
            format!("the event time {time} {}", ahead_words(time, record.arrival, max_ahead));
        let error = at(record, Error::new(ErrorKind::InvalidRecord, message));
        if self.is_strict() {
            return Err(error);
        }
        self.pipeline.engine_mut().pass_over(shard, sequence, Outcome::DeadLetter, None);
        Ok(Some(Taken::DeadLetter(error)))
    }

    #[cold]
    fn undecodable(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
        reason: &E,
    ) -> Result<Taken, Error> {
        let error = at(
            record,
            Error::new(ErrorKind::InvalidRecord, format!("cannot be decoded: {reason}")),
        );
        if self.is_strict() {
            return Err(error);
        }
        // Its event time is one of what it could not be decoded to.
        self.pipeline.engine_mut().pass_over(shard, sequence, Outcome::DeadLetter, None);
        Ok(Taken::DeadLetter(error))
    }

    fn take(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
    ) -> Result<Taken, Error> {
        let decoded = match (self.decode)(record) {
            Ok(decoded) => decoded,
            Err(reason) => return self.undecodable(shard, record, sequence, &reason),
        };
        if let Some(taken) = self.pass_over_ahead(shard, (record, &decoded), sequence)? {
            return Ok(taken);
        }
        let outcome =
            self.pipeline.push_to(shard, sequence, &decoded).map_err(|error| at(record, error))?;
        Ok(match outcome {
            Outcome::Applied => Taken::Applied,
            Outcome::Filtered => Taken::Filtered,
            Outcome::Late => Taken::Late(self.pipeline.time_of(&decoded)),
            Outcome::Duplicate => Taken::Duplicate,
            Outcome::BetweenWindows => Taken::BetweenWindows,
            Outcome::DeadLetter => {
                Taken::DeadLetter(at(record, refusal(self.pipeline.engine().refusal())))
            }
        })
    }
}

impl<R, A, D, E> RecordPipeline for Decoding<R, A, D>
where
    A: Aggregate<R>,
    D: FnMut(&Record) -> Result<R, E>,
    E: fmt::Display,
{
    type Emission = Emission<A::Output>;

    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        self.pipeline.open_shard(id)
    }

    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        self.pipeline.open_child_shard(id, parents)
    }

    fn close_shard(&mut self, shard: Shard) {
        self.pipeline.close_shard(shard);
    }

    fn push(&mut self, shard: Shard, record: &Record) -> Result<Taken, Error> {
        let sequence = &record.position.sequence;
        if self.pipeline.engine_mut().is_duplicate(shard, sequence) {
            return Ok(Taken::Duplicate);
        }
        self.take(shard, record, Some(sequence))
    }

    fn push_part(&mut self, shard: Shard, record: &Record) -> Result<Taken, Error> {
        self.take(shard, record, None)
    }

    fn set_applied(&mut self, shard: Shard, sequence: &Sequence) {
        self.pipeline.engine_mut().set_applied(shard, sequence);
    }

    fn pass_over_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        _: Option<Timestamp>,
    ) {
        let engine = self.pipeline.engine_mut();
        if !sequence.is_some_and(|sequence| engine.is_duplicate(shard, sequence)) {
            engine.pass_over(shard, sequence, Outcome::DeadLetter, None);
        }
    }

    fn is_strict(&self) -> bool {
        self.pipeline.engine().is_strict()
    }

    fn inherit(&mut self, partial: &Partial) -> Result<(), Error> {
        self.pipeline.inherit(partial)
    }

    fn reach(&mut self, shard: Shard, time: Timestamp) {
        self.pipeline.reach(shard, time);
    }

    fn is_due(&self) -> bool {
        self.pipeline.is_due()
    }

    fn applied(&self, shard: Shard) -> Option<&Sequence> {
        self.pipeline.applied(shard)
    }

    fn last_record(&self, shard: Shard) -> Option<Timestamp> {
        self.pipeline.engine().last_record(shard)
    }

    fn advance(&mut self, now: Timestamp) {
        self.pipeline.advance(now);
    }

    fn finish(&mut self) {
        self.pipeline.finish();
    }

    fn hand_over(&mut self) {
        self.pipeline.hand_over();
    }

    fn answer_open(&mut self) -> Result<(), Error> {
        self.pipeline.answer_open()
    }

    fn next_emission(&mut self) -> Result<Option<Self::Emission>, Error> {
        self.pipeline.next_emission()
    }

    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        self.pipeline.next_partial(source)
    }

    fn watermark(&self) -> Option<Timestamp> {
        self.pipeline.engine().watermark()
    }

    fn stats(&self) -> Stats {
        self.pipeline.stats()
    }

    fn fingerprint(&self) -> u64 {
        self.pipeline.engine().fingerprint()
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        self.pipeline.snapshot()
    }

    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        self.pipeline.snapshot_within(bytes_max)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.pipeline.restore(snapshot)
    }
}

/// A copy of the engine's reason, which stays with the engine.
#[cold]
fn refusal(reason: Option<&Error>) -> Error {
    let message = reason.map_or_else(String::new, Error::to_string);
    Error::new(reason.map_or(ErrorKind::InvalidRecord, Error::kind), message)
}

impl<R, A: Aggregate<R>, D> fmt::Debug for Decoding<R, A, D>
where
    Pipeline<R, A>: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoding").field("pipeline", &self.pipeline).finish_non_exhaustive()
    }
}
