//! Lambda's Kinesis event, plain and with a tumbling window.

use super::State;
use crate::adapter::Rejected;
use crate::adapter::kinesis_records::kpl::{self, Deaggregation, HashRange};
use crate::error::Error;
use crate::record::{Record, ShardId};
use crate::window::Window;

/// Lambda's Kinesis event.
///
/// Made by [`from_slice`](KinesisEvent::from_slice), or by serde from a slice or a string (not from
/// a reader or a `serde_json::Value`: arrival times are read from the digits as they stand in the
/// input). Fields that this crate does not know are skipped.
///
/// A record with a field that is missing, null or malformed does not fail the event: it is in
/// [`rejected`](KinesisEvent::rejected).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct KinesisEvent {
    /// The records, in the order of the event, which is that of the shard.
    pub records: Vec<Record>,
    /// What could not be read as a record, in the order of the event.
    pub rejected: Vec<Rejected>,
    /// The stream's ARN: the window's if there is one, else the first record's; `None` if neither
    /// has any.
    pub stream_arn: Option<Box<str>>,
    /// What a mapping with a tumbling window adds.
    pub tumbling: Option<TumblingWindow>,
}

/// What an event source mapping with a tumbling window adds to the event.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct TumblingWindow {
    /// The window, in arrival time.
    pub window: Window,
    /// What the function answered to the last invocation of this window; empty for the first.
    pub state: State,
    /// The shard: there is one window a shard.
    pub shard: ShardId,
    /// Whether this is the window's last invocation, with or without records.
    pub is_final: bool,
    /// Whether Lambda ends the window early, because its state passed 1 MB.
    pub is_terminated_early: bool,
}

impl KinesisEvent {
    /// Takes apart the records that the KPL aggregated; see [`kpl::deaggregate`]. Lambda does not
    /// do it itself.
    ///
    /// Without a `range` no user record is dropped: Lambda does not say what hash keys the shard
    /// has.
    pub fn deaggregate(&mut self, range: Option<&HashRange>) -> Deaggregation {
        let mut counts = Deaggregation::default();
        let mut records = Vec::with_capacity(self.records.len());
        let mut rejected = self.rejected.iter_mut().peekable();
        for (index, record) in std::mem::take(&mut self.records).into_iter().enumerate() {
            while let Some(before) = rejected.next_if(|rejected| rejected.records_before <= index) {
                before.records_before = records.len();
            }
            counts.merge(kpl::deaggregate(record, range, &mut records));
        }
        rejected.for_each(|rejected| rejected.records_before = records.len());
        self.records = records;
        counts
    }

    /// The records, if every one could be read.
    ///
    /// # Errors
    /// The error of the first one that could not be.
    pub fn into_records(self) -> Result<Vec<Record>, Error> {
        match self.rejected.into_iter().next() {
            None => Ok(self.records),
            Some(rejected) => Err(rejected.error),
        }
    }
}
