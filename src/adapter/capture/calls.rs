//! The calls of a worker in a capture.

use super::header::{CaptureKind, Header};
use super::line::{HeaderLine, Line, RecordLine, RejectedLine, payload, payload_bytes};
use super::writer::Capture;
use crate::adapter::kinesis_records::kpl::HashRange;
use crate::adapter::worker::{Batch, PipelineWork, ShardWork, StreamWork, WorkCall};
use crate::adapter::{RecordPipeline, Rejected};
use crate::error::{Error, ErrorKind};
use crate::record::{Headers, Position, Record, Sequence, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A call of a worker's work, read from a capture.
#[derive(Debug)]
#[non_exhaustive]
pub struct Call {
    /// The shard or the stream, as the sink names the source of the answers.
    pub source: ShardId,
    /// What the work is asked to do.
    pub step: Step,
}

/// What the work is asked to do: see [`WorkCall`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// The first one.
    Begin,
    /// The state is replaced by a saved one.
    Restore(Bytes),
    /// State of an ended shard is adopted.
    Adopt(Bytes),
    /// A shard of a stream is followed.
    OpenShard(ShardId, Vec<ShardId>, Option<HashRange>),
    /// A shard of a stream has ended.
    CloseShard(ShardId),
    /// Records of a shard are applied.
    Apply(Option<ShardId>, Batch, Timestamp),
    /// The clock moves.
    Advance(Timestamp),
    /// Complete answers are emitted.
    Emit,
    /// The open windows are handed over to other shards.
    HandOver,
    /// The input ends.
    Finish,
}

impl Capture {
    /// Returns a callback for [`PipelineWork::on_call`] that writes all calls of the work.
    pub fn of_calls(mut self) -> impl FnMut(WorkCall<'_>) + 'static {
        let mut source = ShardId::new("");
        let mut state: Option<Bytes> = None;
        move |call| {
            match call {
                WorkCall::Begin(begun) => source = begun.clone(),
                // A worker looks at the state of a shard before it takes the shard over.
                WorkCall::Restore(restored) if state.as_ref() == Some(restored) => return,
                WorkCall::Restore(restored) => state = Some(restored.clone()),
                _ => state = None,
            }
            self.write(&line_of(&source, call));
        }
    }
}

fn line_of(source: &ShardId, call: WorkCall<'_>) -> Line {
    let name = |shard: &ShardId| Some(shard.as_str().to_owned());
    let mut line = Line { source: name(source), ..Line::default() };
    let call = match call {
        WorkCall::Begin(_) => "begin",
        WorkCall::Restore(state) => {
            (line.text, line.base64) = payload(state);
            "restore"
        }
        WorkCall::Adopt(state) => {
            (line.text, line.base64) = payload(state);
            "adopt"
        }
        WorkCall::OpenShard { shard, parents, range } => {
            line.shard = name(shard);
            line.parents = parents.iter().map(|parent| parent.as_str().to_owned()).collect();
            line.range = range.map(|range| (range.start.to_string(), range.end.to_string()));
            "open"
        }
        WorkCall::CloseShard(shard) => {
            line.shard = name(shard);
            "close"
        }
        WorkCall::Apply { shard, batch, now } => {
            (line.shard, line.at) = (shard.and_then(name), Some(now.as_millis()));
            line.behind = batch.millis_behind_latest;
            line.records = batch.records.iter().map(record_line).collect();
            line.rejected = batch.rejected.iter().map(rejected_line).collect();
            "apply"
        }
        WorkCall::Advance(now) => {
            line.at = Some(now.as_millis());
            "advance"
        }
        WorkCall::Emit => "emit",
        WorkCall::HandOver => "hand_over",
        WorkCall::Finish => "finish",
    };
    line.call = Some(call.to_owned());
    line
}

fn record_line(record: &Record) -> RecordLine {
    let Sequence { number, sub } = &record.position.sequence;
    let (key, key_base64) = payload(&record.partition_key);
    let (text, base64) = payload(&record.data);
    RecordLine {
        sequence: number.to_string(),
        sub: *sub,
        arrival: record.is_arrival_known().then(|| record.arrival.as_millis()),
        key,
        key_base64,
        headers: record.headers.iter().map(header_line).collect(),
        text,
        base64,
    }
}

fn header_line((name, value): (&Arc<str>, &Bytes)) -> HeaderLine {
    let (text, base64) = payload(value);
    HeaderLine { name: name.to_string(), text, base64 }
}

fn rejected_line(rejected: &Rejected) -> RejectedLine {
    let (text, base64) = payload(&rejected.data);
    RejectedLine {
        before: rejected.records_before,
        index: rejected.index,
        shard: rejected.shard.as_ref().map(ToString::to_string),
        sequence: rejected.sequence.as_ref().map(|sequence| sequence.number.to_string()),
        sub: rejected.sequence.as_ref().map_or(0, |sequence| sequence.sub),
        arrival: rejected.arrival.map(Timestamp::as_millis),
        error: rejected.error.to_string(),
        text,
        base64,
    }
}

impl Call {
    /// Reads a call.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the line is not a call.
    pub(super) fn of_line(line: Line) -> Result<Self, Error> {
        let missing = |what: &str| Error::new(ErrorKind::Parse, format!("{what} is missing"));
        let source = line.source.map(ShardId::new).ok_or_else(|| missing("source"))?;
        let shard = line.shard.map(ShardId::new);
        let at = line.at.map(Timestamp::from_millis).ok_or_else(|| missing("at"));
        let step = match line.call.as_deref().unwrap_or("") {
            "begin" => Step::Begin,
            "restore" => Step::Restore(payload_bytes(line.text, line.base64)?),
            "adopt" => Step::Adopt(payload_bytes(line.text, line.base64)?),
            "open" => {
                let range = line.range.map(|(start, end)| HashRange::parse(&start, &end));
                let parents = line.parents.into_iter().map(ShardId::new).collect();
                let shard = shard.ok_or_else(|| missing("shard"))?;
                Step::OpenShard(shard, parents, range.transpose()?)
            }
            "close" => Step::CloseShard(shard.ok_or_else(|| missing("shard"))?),
            "apply" => {
                let place = shard.as_ref().unwrap_or(&source);
                let records = line.records.into_iter().map(|record| read_record(record, place));
                let rejected = line.rejected.into_iter().map(read_rejected);
                let batch = Batch {
                    records: records.collect::<Result<_, Error>>()?,
                    rejected: rejected.collect::<Result<_, Error>>()?,
                    millis_behind_latest: line.behind,
                };
                Step::Apply(shard, batch, at?)
            }
            "advance" => Step::Advance(at?),
            "emit" => Step::Emit,
            "hand_over" => Step::HandOver,
            "finish" => Step::Finish,
            other => {
                return Err(Error::new(ErrorKind::Parse, format!("an unknown call {other:?}")));
            }
        };
        Ok(Call { source, step })
    }
}

fn read_record(line: RecordLine, shard: &ShardId) -> Result<Record, Error> {
    let sequence = Sequence { number: line.sequence.parse()?, sub: line.sub };
    let mut headers = Headers::default();
    for HeaderLine { name, text, base64 } in line.headers {
        headers.set(&name.into(), Some(payload_bytes(text, base64)?));
    }
    Ok(Record {
        partition_key: payload_bytes(line.key, line.key_base64)?,
        data: payload_bytes(line.text, line.base64)?,
        arrival: line.arrival.map_or(Record::ARRIVAL_UNKNOWN, Timestamp::from_millis),
        position: Position { shard: shard.clone(), sequence },
        headers,
    })
}

fn read_rejected(line: RejectedLine) -> Result<Rejected, Error> {
    let number = line.sequence.map(|number| number.parse()).transpose()?;
    Ok(Rejected {
        index: line.index,
        records_before: line.before,
        shard: line.shard.map(ShardId::new),
        sequence: number.map(|number| Sequence { number, sub: line.sub }),
        arrival: line.arrival.map(Timestamp::from_millis),
        data: payload_bytes(line.text, line.base64)?,
        error: Error::new(ErrorKind::InvalidRecord, line.error),
    })
}

impl Step {
    /// Repeats the call on the work of one shard.
    ///
    /// # Errors
    /// Those of the work; [`ErrorKind::Parse`] for a call that such work has not.
    pub fn repeat_on_shard<P: RecordPipeline>(
        self,
        source: &ShardId,
        work: &mut PipelineWork<P>,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        match self {
            Step::OpenShard(..) | Step::CloseShard(_) | Step::Finish => {
                Err(Error::new(ErrorKind::Parse, "a call of the work on a whole stream"))
            }
            step => step.repeat(source, work, dead_letter),
        }
    }

    /// Repeats the call on the work of all shards of a stream.
    ///
    /// # Errors
    /// Those of the work.
    pub fn repeat_on_stream<P: RecordPipeline>(
        self,
        source: &ShardId,
        work: &mut StreamWork<PipelineWork<P>>,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        match self {
            Step::OpenShard(shard, parents, range) => work.open_shard(&shard, &parents, range),
            Step::CloseShard(shard) => work.close_shard(&shard),
            Step::Finish => {
                work.finish();
                Ok(())
            }
            step => {
                if let Step::Apply(Some(shard), ..) = &step {
                    work.select(shard);
                }
                step.repeat(source, work, dead_letter)
            }
        }
    }

    fn repeat<W: ShardWork>(
        self,
        source: &ShardId,
        work: &mut W,
        dead_letter: &mut dyn FnMut(Error),
    ) -> Result<(), Error> {
        match self {
            Step::Begin => work.open(source),
            Step::Restore(state) => work.restore(Some(&state)),
            Step::Adopt(state) => work.adopt(&state),
            Step::Apply(_, batch, now) => work.apply(&batch, now, dead_letter),
            Step::Advance(now) => work.advance(now).map(drop),
            Step::Emit => work.emit(),
            Step::HandOver => work.hand_over().map(drop),
            Step::OpenShard(..) | Step::CloseShard(_) | Step::Finish => Ok(()),
        }
    }
}

impl Header {
    /// Returns the header of the capture of a worker.
    pub fn of_worker(
        is_stream: bool,
        packing: crate::adapter::Packing,
        idle_after: Option<Duration>,
    ) -> Self {
        let kind = if is_stream { CaptureKind::Stream } else { CaptureKind::Shard };
        let mut header = Header::new(kind).packing(packing);
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        header.idle_after = idle_after.map(millis);
        header
    }

    /// Gives the work the settings of the captured one.
    #[must_use]
    pub fn set_up<P: RecordPipeline>(&self, work: PipelineWork<P>) -> PipelineWork<P> {
        let work = work.packing(self.packing);
        match self.idle_after {
            Some(millis) => work.idle_after(Duration::from_millis(millis)),
            None => work,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s333_a_capture_has_the_headers_of_its_records() {
        let mut headers = Headers::default();
        headers.set(&"a".into(), Some("x".into()));
        headers.set(&"b".into(), Some(Bytes::from_static(b"\xff")));
        let shard = ShardId::new("clicks-0");
        let record = Record {
            partition_key: "k".into(),
            data: "{}".into(),
            arrival: Timestamp::from_millis(7),
            position: Position { shard: shard.clone(), sequence: Sequence::new(3) },
            headers,
        };
        let line = serde_json::to_string(&record_line(&record)).unwrap();
        assert!(line.contains(r#""headers":[{"name":"a","text":"x"},{"name":"b""#), "{line}");
        let line = serde_json::from_str(&line).unwrap();
        assert_eq!(read_record(line, &shard).unwrap(), record);
    }
}
