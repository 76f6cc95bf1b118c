//! The reply of a function behind an event source mapping.

use super::State;
use crate::record::{SequenceNumber, ShardId};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// The answer to a [`KinesisEvent`](super::KinesisEvent) or a [`KafkaEvent`](super::KafkaEvent).
///
/// For Kinesis `batchItemFailures` holds at most one sequence number: Lambda retries from the
/// lowest one on, so that a second one has no effect. For Kafka it holds partition and offset of
/// every record that Lambda is to deliver again. Lambda treats an empty, null or unknown identifier
/// as a failure of the whole batch. A [`SequenceNumber`] cannot be empty; use only numbers of the
/// batch that is answered. The mapping must have `ReportBatchItemFailures` set, or Lambda ignores
/// the failure and counts the batch as processed.
///
/// With a tumbling window the reply must have a state, or the invocation counts as failed.
///
/// # Example
/// ```
/// use streamgauge::adapter::lambda::{Reply, State};
/// let reply = Reply::failed_from("4965".parse()?).with_state(State::default());
/// assert_eq!(reply.to_json(), br#"{"state":{},"batchItemFailures":[{"itemIdentifier":"4965"}]}"#);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reply {
    state: Option<State>,
    failed_from: Option<SequenceNumber>,
    failed_offsets: Vec<(ShardId, u64)>,
}

impl Reply {
    /// Returns the reply for a batch that was processed completely.
    pub fn done() -> Self {
        Reply::default()
    }

    /// Returns the reply for a batch that was processed up to the record with this sequence number.
    /// Lambda is to deliver that record and all later ones again.
    pub fn failed_from(sequence: SequenceNumber) -> Self {
        Reply { failed_from: Some(sequence), ..Reply::default() }
    }

    /// Returns the reply for a batch of Kafka of which Lambda is to deliver these records again:
    /// the name of the partition as in the event, and the offset.
    ///
    /// Lambda delivers what the reply names, so name every record that was not applied. A record
    /// that the batch does not have counts as a failure of the whole batch.
    ///
    /// # Example
    /// ```
    /// use streamgauge::ShardId;
    /// use streamgauge::adapter::lambda::Reply;
    /// let reply = Reply::failed_offsets([(ShardId::new("clicks-0"), 15)]);
    /// let failure = r#"{"itemIdentifier":{"partition":"clicks-0","offset":15}}"#;
    /// assert_eq!(reply.to_json(), format!(r#"{{"batchItemFailures":[{failure}]}}"#).as_bytes());
    /// ```
    pub fn failed_offsets(records: impl IntoIterator<Item = (ShardId, u64)>) -> Self {
        Reply { failed_offsets: records.into_iter().collect(), ..Reply::default() }
    }

    /// Adds the state of the window.
    pub fn with_state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// Returns the state, if the reply has one.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Returns the sequence number from which Lambda is to deliver again.
    pub fn failure(&self) -> Option<&SequenceNumber> {
        self.failed_from.as_ref()
    }

    /// Returns the records of Kafka that Lambda is to deliver again.
    pub fn offsets(&self) -> &[(ShardId, u64)] {
        &self.failed_offsets
    }

    /// Returns the reply as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // The value has strings and a valid JSON text only; serde_json can always write them.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct ItemFailure<'a> {
            item_identifier: ItemIdentifier<'a>,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum ItemIdentifier<'a> {
            Sequence(&'a str),
            Offset { partition: &'a str, offset: u64 },
        }
        let number =
            self.failed_from.iter().map(|number| ItemIdentifier::Sequence(number.as_str()));
        let offsets = self.failed_offsets.iter().map(|(partition, offset)| {
            ItemIdentifier::Offset { partition: partition.as_str(), offset: *offset }
        });
        let failures: Vec<ItemFailure<'_>> =
            number.chain(offsets).map(|item_identifier| ItemFailure { item_identifier }).collect();
        let mut reply =
            serializer.serialize_struct("Reply", 1 + usize::from(self.state.is_some()))?;
        if let Some(state) = &self.state {
            reply.serialize_field("state", state)?;
        }
        reply.serialize_field("batchItemFailures", &failures)?;
        reply.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_never_has_an_empty_identifier() {
        assert!("".parse::<SequenceNumber>().is_err());
        assert_eq!(Reply::done().to_json(), br#"{"batchItemFailures":[]}"#);
        let reply =
            Reply::failed_from(SequenceNumber::from(0u64)).with_state(State::from_snapshot(b""));
        assert_eq!(
            reply.to_json(),
            br#"{"state":{"snapshot":""},"batchItemFailures":[{"itemIdentifier":"0"}]}"#
        );
    }
}
