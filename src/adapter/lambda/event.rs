//! Lambda's Kinesis event, plain and with a tumbling window.

use super::State;
use crate::adapter::Rejected;
use crate::adapter::kinesis_records::kpl::{self, Deaggregation, HashRange};
use crate::record::{Record, ShardId};
use crate::window::Window;

/// Lambda's Kinesis event.
///
/// Parsed by [`from_slice`](KinesisEvent::from_slice), or by serde from a slice or a string. A
/// reader or a `serde_json::Value` does not work, because arrival times are read from the digits of
/// the input. Unknown fields are skipped.
///
/// A record with a missing, null or malformed field does not fail the event: it is in
/// [`rejected`](KinesisEvent::rejected).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct KinesisEvent {
    /// The records, in the order of the event. That is the order of the shard.
    pub records: Vec<Record>,
    /// Elements that could not be read as a record, in the order of the event.
    pub rejected: Vec<Rejected>,
    /// The stream's ARN: that of the window if there is a window, otherwise that of the first
    /// record; `None` if there is no ARN.
    pub stream_arn: Option<Box<str>>,
    /// The fields that a mapping with a tumbling window adds.
    pub tumbling: Option<TumblingWindow>,
}

/// The fields that an event source mapping with a tumbling window adds to the event.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct TumblingWindow {
    /// The window, in arrival time.
    pub window: Window,
    /// The state from the function's reply to the previous invocation of this window; empty in the
    /// first invocation.
    pub state: State,
    /// The shard. Each shard has its own window.
    pub shard: ShardId,
    /// True in the last invocation of the window, which may have no records.
    pub is_final: bool,
    /// True if Lambda ends the window early, because its state is over 1 MB.
    pub is_terminated_early: bool,
}

impl KinesisEvent {
    /// Splits the records that the KPL aggregated; see [`kpl::deaggregate`]. Lambda does not do
    /// that.
    ///
    /// Without `range` no user record is dropped: Lambda does not say which hash keys the shard
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
}
