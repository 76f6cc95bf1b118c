//! A pipeline of the program's own types behind a decoder of records.

use super::{RecordPipeline, at};
use crate::aggregate::Aggregate;
use crate::engine::{Control, Emission, Outcome, Shard};
use crate::error::{Error, ErrorKind};
use crate::pipeline::Pipeline;
use crate::record::{MAX_AHEAD_DEFAULT, Record, Sequence, ahead_words, is_ahead};
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;

/// A [`Pipeline`] of the program's own types, and the function that decodes a stream's records into
/// them.
///
/// A record that the function refuses is a dead letter, or, if the pipeline is
/// [strict](crate::pipeline::Builder::strict), an error.
///
/// # Example
/// ```
/// use streamgauge::adapter::Decoding;
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
    /// How many milliseconds an event time may be ahead of the arrival time.
    max_ahead: Option<i64>,
}

impl<R, A, D, E> Decoding<R, A, D>
where
    A: Aggregate<R>,
    D: FnMut(&Record) -> Result<R, E>,
    E: fmt::Display,
{
    /// Puts a decoder before a pipeline.
    pub fn new(pipeline: Pipeline<R, A>, decode: D) -> Self {
        Decoding { pipeline, decode, max_ahead: Some(1000 * MAX_AHEAD_DEFAULT.as_secs() as i64) }
    }

    /// Sets how far the event time of a record may be ahead of its arrival time; `None` allows any
    /// time. A record beyond that is a dead letter, or filtered if a filter drops it, and moves no
    /// watermark: otherwise one record with a wrong time would make all later ones late. Default: 1
    /// h.
    #[must_use]
    pub fn max_ahead(mut self, length: Option<Duration>) -> Self {
        self.max_ahead = length.map(|length| i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        self
    }

    /// Skips a record whose event time is too far ahead. Returns its outcome.
    fn skip_ahead(
        &mut self,
        shard: Shard,
        (record, decoded): (&Record, &R),
        sequence: Option<&Sequence>,
    ) -> Result<Option<Outcome<Error>>, Error> {
        let Some(max_ahead) = self.max_ahead else { return Ok(None) };
        let time = self.pipeline.time_of(decoded);
        if !is_ahead(time, record.arrival, max_ahead) {
            return Ok(None);
        }
        if !self.pipeline.keeps(decoded) {
            self.pipeline.engine_mut().skip(shard, sequence, Outcome::Filtered, None);
            return Ok(Some(Outcome::Filtered));
        }
        let message =
            format!("the event time {time} {}", ahead_words(time, record.arrival, max_ahead));
        let error = at(record, Error::new(ErrorKind::InvalidRecord, message));
        if self.is_strict() {
            return Err(error);
        }
        self.pipeline.engine_mut().skip(shard, sequence, Outcome::DeadLetter(()), None);
        Ok(Some(Outcome::DeadLetter(error)))
    }

    #[cold]
    fn undecodable(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
        reason: &E,
    ) -> Result<Outcome<Error>, Error> {
        let error = at(
            record,
            Error::new(ErrorKind::InvalidRecord, format!("cannot be decoded: {reason}")),
        );
        if self.is_strict() {
            return Err(error);
        }
        // Its event time would come from the decoded value, which does not exist.
        self.pipeline.engine_mut().skip(shard, sequence, Outcome::DeadLetter(()), None);
        Ok(Outcome::DeadLetter(error))
    }

    fn take(
        &mut self,
        shard: Shard,
        record: &Record,
        sequence: Option<&Sequence>,
    ) -> Result<Outcome<Error>, Error> {
        let decoded = match (self.decode)(record) {
            Ok(decoded) => decoded,
            Err(reason) => return self.undecodable(shard, record, sequence, &reason),
        };
        if let Some(taken) = self.skip_ahead(shard, (record, &decoded), sequence)? {
            return Ok(taken);
        }
        let outcome =
            self.pipeline.push_to(shard, sequence, &decoded).map_err(|error| at(record, error))?;
        Ok(outcome.map_dead_letter(|()| at(record, refusal(self.pipeline.refusal()))))
    }
}

impl<R, A: Aggregate<R>, D> Control for Decoding<R, A, D> {
    fn control(&self) -> &dyn Control {
        self.pipeline.control()
    }

    fn control_mut(&mut self) -> &mut dyn Control {
        self.pipeline.control_mut()
    }
}

impl<R, A, D, E> RecordPipeline for Decoding<R, A, D>
where
    A: Aggregate<R>,
    D: FnMut(&Record) -> Result<R, E>,
    E: fmt::Display,
{
    type Emission = Emission<A::Output>;

    fn push(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error> {
        let sequence = &record.position.sequence;
        if self.pipeline.engine_mut().is_duplicate(shard, sequence) {
            return Ok(Outcome::Duplicate);
        }
        self.take(shard, record, Some(sequence))
    }

    fn push_part(&mut self, shard: Shard, record: &Record) -> Result<Outcome<Error>, Error> {
        self.take(shard, record, None)
    }

    fn skip_dead_letter(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        _: Option<Timestamp>,
    ) {
        let engine = self.pipeline.engine_mut();
        if !sequence.is_some_and(|sequence| engine.is_duplicate(shard, sequence)) {
            engine.skip(shard, sequence, Outcome::DeadLetter(()), None);
        }
    }

    fn next_emission(&mut self) -> Result<Option<Self::Emission>, Error> {
        self.pipeline.next_emission()
    }
}

/// Returns a copy of the engine's reason, which stays with the engine.
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
