//! The calls that read a topic, with any client.

use crate::error::Error;
use crate::record::{Record, ShardId};
use crate::time::Timestamp;
use std::ops::Range;
use std::time::Duration;

/// What a topic tells its reader, in the order in which it happened.
#[derive(Debug)]
pub enum TopicEvent {
    /// Records of one partition, in order. Deletions of keys are not among them.
    Records(i32, Vec<Record>),
    /// All records that the partition has at present were delivered.
    AtEnd(i32),
    /// The group has given these partitions to this member. None of their records come before
    /// [`ReadTopic::begin`].
    Assigned(Vec<i32>),
    /// The group takes these partitions away, once [`ReadTopic::leave`] allows it.
    Revoked(Vec<i32>),
    /// The group has taken these partitions away: other members may have them already.
    Lost(Vec<i32>),
    /// Something that an operator should know.
    Note(String),
}

/// The calls that read one topic, all partitions or those that a group assigns.
/// [`TopicClient`](super::TopicClient) makes them with librdkafka; a test can implement them
/// itself.
pub trait ReadTopic {
    /// Returns the numbers of the partitions.
    ///
    /// # Errors
    /// There is no such topic, or no broker answers. The latter holds for all methods.
    fn partitions(&mut self) -> Result<Vec<i32>, Error>;

    /// Returns the offsets of the oldest record that the partition still has, and of the next one
    /// that it will get.
    ///
    /// # Errors
    /// See [`partitions`](ReadTopic::partitions).
    fn bounds(&mut self, partition: i32) -> Result<Range<u64>, Error>;

    /// Returns the offset of the first record of this time or later, or the end of the partition.
    ///
    /// # Errors
    /// See [`partitions`](ReadTopic::partitions).
    fn offset_at(&mut self, partition: i32, time: Timestamp) -> Result<u64, Error>;

    /// Begins to deliver the records of these partitions, each from an offset. Answers
    /// [`TopicEvent::Assigned`].
    ///
    /// # Errors
    /// See [`partitions`](ReadTopic::partitions).
    fn begin(&mut self, partitions: &[(i32, u64)]) -> Result<(), Error>;

    /// Ends the delivery of these partitions. Answers [`TopicEvent::Revoked`] and
    /// [`TopicEvent::Lost`].
    ///
    /// # Errors
    /// See [`partitions`](ReadTopic::partitions).
    fn leave(&mut self, partitions: &[i32]) -> Result<(), Error>;

    /// Goes on with a partition that is delivered from another offset.
    ///
    /// # Errors
    /// See [`partitions`](ReadTopic::partitions).
    fn seek(&mut self, partition: i32, next: u64) -> Result<(), Error>;

    /// Holds the delivery of a partition back, or continues it.
    ///
    /// # Errors
    /// See [`partitions`](ReadTopic::partitions).
    fn pause(&mut self, partition: i32, is_paused: bool) -> Result<(), Error>;

    /// Tells the group the offset of the next record of each of these partitions. Nobody reads from
    /// there: it is for programs that show how far behind a group is.
    ///
    /// # Errors
    /// See [`partitions`](ReadTopic::partitions).
    fn commit(&mut self, positions: &[(i32, u64)]) -> Result<(), Error>;

    /// Waits for at most this time for events. Returns what has happened, which may be nothing.
    ///
    /// # Errors
    /// A failure that no waiting helps against.
    fn poll(&mut self, wait: Duration) -> Result<Vec<TopicEvent>, Error>;
}

/// Returns the name of a partition as a shard: `clicks-3`.
pub(super) fn shard_of(topic: &str, partition: i32) -> ShardId {
    ShardId::new(format!("{topic}-{partition}"))
}
