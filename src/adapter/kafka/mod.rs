//! Topics of Kafka, read with their positions in the state.
//!
//! [`TopicProcessor`] computes a pipeline over all partitions of a topic in one process, with its
//! state and the positions in one save. It is a blocking loop, and calls Kafka through the trait
//! [`ReadTopic`]; [`TopicClient`] makes the calls by librdkafka.
//!
//! A partition is a shard, named `clicks-3`; an offset is a sequence number, and the time of a
//! record, whether its producer or the broker has set it, is the arrival time. Offsets may have
//! holes. Records of aborted transactions are not delivered, and neither are deletions of keys.

mod client;
mod events;
mod group;
mod read_topic;
mod start;
mod topic_processor;

pub use super::brokers::TopicOptions;
pub use client::TopicClient;
pub use group::GroupMember;
pub use read_topic::{ReadTopic, TopicEvent};
pub use topic_processor::TopicProcessor;
