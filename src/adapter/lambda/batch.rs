//! The records of one event, prepared for a pipeline.

use super::KinesisEvent;
use crate::adapter::Rejected;
use crate::adapter::kinesis_records::packing::{Packing, Unreadable};
use crate::error::{Error, ErrorKind};
use crate::record::{Record, Sequence, SequenceNumber, ShardId};
use crate::time::Timestamp;
use bytes::Bytes;

/// The records of one shard from an event, in the order of the event, together with the deliveries
/// that could not be read.
#[derive(Debug)]
pub(super) struct ShardBatch {
    pub(super) shard: ShardId,
    /// Stream and shard, as the sink names the source of the answers.
    pub(super) source: String,
    /// The ARN of the stream, even if the event names a consumer of it; for Kafka that of the
    /// cluster.
    pub(super) stream_arn: Option<Box<str>>,
    pub(super) records: Vec<Record>,
    /// In the order of the event.
    pub(super) flaws: Vec<Flaw>,
}

/// A delivery, or a part of one, that could not be read as a record.
#[derive(Debug)]
pub(super) struct Flaw {
    /// The number of records of the batch before this flaw.
    pub(super) records_before: usize,
    pub(super) sequence: Option<Sequence>,
    pub(super) arrival: Option<Timestamp>,
    pub(super) data: Bytes,
    pub(super) error: Error,
}

/// A record, or a delivery that could not be read as one.
pub(super) enum BatchItem<'a> {
    Record(&'a Record),
    Flaw(&'a Flaw),
}

impl<'a> BatchItem<'a> {
    /// Returns the sequence number; `None` if it could not be read.
    pub(super) fn number(self) -> Option<&'a SequenceNumber> {
        match self {
            BatchItem::Record(record) => Some(&record.position.sequence.number),
            BatchItem::Flaw(flaw) => flaw.sequence.as_ref().map(|sequence| &sequence.number),
        }
    }
}

impl ShardBatch {
    /// Returns the unpacked records of the event. `shard` overrides the shard of the records.
    /// Returns `None` if the event is empty and no shard is known. If no record could be read, the
    /// shard has no name.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] if the event has records of several shards.
    pub(super) fn of(
        event: KinesisEvent,
        shard: Option<ShardId>,
        packing: Packing,
    ) -> Result<Option<ShardBatch>, Error> {
        let stream_arn = event.stream_arn.as_deref().map(stream_arn);
        let shard = match (shard, event.records.first()) {
            (Some(shard), _) => shard,
            (None, Some(record)) => record.position.shard.clone(),
            (None, None) if event.rejected.is_empty() => return Ok(None),
            (None, None) => event
                .rejected
                .iter()
                .find_map(|rejected| rejected.shard.clone())
                .unwrap_or_else(|| ShardId::new("")),
        };
        if let Some(other) = event.records.iter().find(|record| record.position.shard != shard) {
            let message = format!(
                "the event is of the shard {shard:?} and has a record of {:?}",
                other.position.shard
            );
            return Err(Error::new(ErrorKind::Parse, message));
        }
        let source = stream_arn
            .map_or_else(|| shard.to_string(), |arn| format!("{}/{shard}", stream_name(arn)));
        let mut batch = ShardBatch {
            shard,
            source,
            stream_arn: stream_arn.map(Into::into),
            records: Vec::new(),
            flaws: Vec::new(),
        };
        match event.records.iter().any(|record| packing.holds_others(&record.data)) {
            true => batch.unpack(event, packing),
            false => {
                batch.records = event.records;
                batch.flaws =
                    event.rejected.into_iter().map(|rejected| Flaw::of(rejected, None)).collect();
            }
        }
        Ok(Some(batch))
    }

    /// Unpacks the records.
    fn unpack(&mut self, event: KinesisEvent, packing: Packing) {
        let mut rejected = event.rejected.into_iter().peekable();
        for (index, record) in event.records.into_iter().enumerate() {
            while let Some(before) = rejected.next_if(|rejected| rejected.records_before <= index) {
                self.flaws.push(Flaw::of(before, Some(self.records.len())));
            }
            let (arrival, data) = (Some(record.arrival), record.data.clone());
            if let Some(Unreadable { sequence, error }) =
                packing.unpack(record, None, &mut self.records)
            {
                self.flaws.push(Flaw {
                    records_before: self.records.len(),
                    sequence: Some(sequence),
                    arrival,
                    data,
                    error,
                });
            }
        }
        self.flaws.extend(rejected.map(|rejected| Flaw::of(rejected, Some(self.records.len()))));
    }

    /// Returns true if the shard is unknown because no record could be read.
    pub(super) fn is_unplaced(&self) -> bool {
        self.shard.as_str().is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.flaws.is_empty()
    }

    /// Returns records and flaws in the order of the event.
    pub(super) fn items(&self) -> impl Iterator<Item = BatchItem<'_>> {
        let mut flaws = self.flaws.iter().peekable();
        let mut records = self.records.iter().enumerate().peekable();
        std::iter::from_fn(move || {
            let index = records.peek().map_or(self.records.len(), |(index, _)| *index);
            match flaws.next_if(|flaw| flaw.records_before <= index) {
                Some(flaw) => Some(BatchItem::Flaw(flaw)),
                None => records.next().map(|(_, record)| BatchItem::Record(record)),
            }
        })
    }

    /// Returns the sequence number of the first record or flaw that has one.
    pub(super) fn first(&self) -> Option<&SequenceNumber> {
        self.items().find_map(BatchItem::number)
    }

    /// Removes this sequence number and everything after it.
    pub(super) fn keep_before(&mut self, number: &SequenceNumber) {
        let is_it = |sequence: &Sequence| sequence.number == *number;
        let record = self
            .records
            .iter()
            .position(|record| is_it(&record.position.sequence))
            .unwrap_or(self.records.len());
        let flaw = self.flaws.iter().find(|flaw| flaw.sequence.as_ref().is_some_and(is_it));
        let records = flaw.map_or(record, |flaw| record.min(flaw.records_before));
        let flaws = self.flaws.iter().position(|flaw| {
            flaw.records_before > records || flaw.sequence.as_ref().is_some_and(is_it)
        });
        self.records.truncate(records);
        self.flaws.truncate(flaws.unwrap_or(self.flaws.len()));
    }
}

impl Flaw {
    fn of(rejected: Rejected, records_before: Option<usize>) -> Self {
        Flaw {
            records_before: records_before.unwrap_or(rejected.records_before),
            sequence: rejected.sequence,
            arrival: rejected.arrival,
            data: rejected.data,
            error: rejected.error,
        }
    }
}

/// Returns the ARN of the stream. The ARN of a consumer, `...:stream/NAME/consumer/...`, begins
/// with it.
fn stream_arn(arn: &str) -> &str {
    const STREAM: &str = ":stream/";
    let Some(name) = arn.find(STREAM).map(|at| at + STREAM.len()) else { return arn };
    let end = arn[name..].find('/').map_or(arn.len(), |length| name + length);
    &arn[..end]
}

fn stream_name(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::kinesis_records::logs::LogPayload;
    use crate::record::Position;

    fn record(shard: &str, number: u64) -> Record {
        let position = Position { shard: ShardId::new(shard), sequence: Sequence::new(number) };
        Record {
            partition_key: "k".into(),
            data: "d".into(),
            arrival: Timestamp::from_millis(0),
            position,
            headers: Default::default(),
        }
    }

    fn rejected(records_before: usize, number: u64) -> Rejected {
        let error = Error::new(ErrorKind::Parse, "no");
        Rejected {
            index: 0,
            records_before,
            shard: None,
            sequence: Some(Sequence::new(number)),
            arrival: None,
            data: Bytes::new(),
            error,
        }
    }

    fn numbers(batch: &ShardBatch) -> Vec<String> {
        batch
            .items()
            .map(|item| match item {
                BatchItem::Record(record) => record.position.sequence.number.to_string(),
                BatchItem::Flaw(flaw) => format!("flaw {}", flaw.sequence.as_ref().unwrap().number),
            })
            .collect()
    }

    #[test]
    fn flaws_keep_their_place_and_a_prefix_ends_before_its_number() {
        let event = |packing| {
            let records = vec![record("s", 2), record("s", 4), record("s", 5)];
            let rejected = vec![rejected(0, 1), rejected(1, 3), rejected(3, 6)];
            let event = KinesisEvent { records, rejected, ..KinesisEvent::default() };
            ShardBatch::of(event, None, packing).unwrap().unwrap()
        };
        assert_eq!(numbers(&event(Packing::Whole)), ["flaw 1", "2", "flaw 3", "4", "5", "flaw 6"]);
        for (number, left) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6)] {
            let mut batch = event(Packing::Kpl);
            batch.keep_before(&SequenceNumber::from(number));
            assert_eq!(numbers(&batch).len(), left, "before {number}");
        }
        let logs = event(Packing::CloudWatchLogs(LogPayload::Message));
        assert_eq!(
            numbers(&logs),
            ["flaw 1", "flaw 2", "flaw 3", "flaw 4", "flaw 5", "flaw 6"],
            "none is a subscription's"
        );
        assert_eq!(logs.first(), Some(&SequenceNumber::from(1)));
    }

    #[test]
    fn log_events_of_a_subscription_are_records() {
        use flate2::{Compression, write::GzEncoder};
        use std::io::Write;
        let json = r#"{"messageType":"DATA_MESSAGE","logStream":"s","logEvents":[{"timestamp":1,"message":"a"},{"timestamp":2,"message":"b"}]}"#;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(json.as_bytes()).unwrap();
        let data = encoder.finish().unwrap().into();
        let event = KinesisEvent {
            records: vec![Record { data, ..record("s", 7) }],
            ..KinesisEvent::default()
        };
        let batch = ShardBatch::of(event, None, Packing::CloudWatchLogs(LogPayload::Message))
            .unwrap()
            .unwrap();
        let taken: Vec<_> = batch
            .records
            .iter()
            .map(|record| (&record.data[..], record.position.sequence.sub))
            .collect();
        assert_eq!((taken, batch.flaws.len()), (vec![(&b"a"[..], 0), (&b"b"[..], 1)], 0));
    }

    #[test]
    fn the_shard_is_known_if_only_flaws_name_it() {
        let flaw = Rejected { shard: Some(ShardId::new("s")), ..rejected(0, 1) };
        let event =
            KinesisEvent { rejected: vec![rejected(0, 1), flaw], ..KinesisEvent::default() };
        assert_eq!(ShardBatch::of(event, None, Packing::Kpl).unwrap().unwrap().shard.as_str(), "s");
    }

    #[test]
    fn the_source_is_the_stream_for_any_consumer() {
        let stream = "arn:aws:kinesis:eu-west-1:1:stream/clicks";
        for (arn, source, stream_arn) in [
            (stream, "clicks/s", stream),
            (&format!("{stream}/consumer/app:1540591608"), "clicks/s", stream),
            (&format!("{stream}/"), "clicks/s", stream),
            ("arn", "arn/s", "arn"),
        ] {
            let event = KinesisEvent {
                records: vec![record("s", 1)],
                stream_arn: Some(arn.into()),
                ..KinesisEvent::default()
            };
            let batch = ShardBatch::of(event, None, Packing::Kpl).unwrap().unwrap();
            assert_eq!(
                (batch.source.as_str(), batch.stream_arn.as_deref()),
                (source, Some(stream_arn)),
                "{arn}"
            );
        }
    }

    #[test]
    fn records_of_two_shards_are_refused() {
        let event = KinesisEvent {
            records: vec![record("a", 1), record("b", 2)],
            ..KinesisEvent::default()
        };
        assert!(
            ShardBatch::of(event, None, Packing::Kpl)
                .unwrap_err()
                .to_string()
                .contains("a record of \"b\"")
        );
    }
}
