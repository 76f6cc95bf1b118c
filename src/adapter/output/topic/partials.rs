//! Partials as records.

use super::producer::{TopicProducer, TopicWriter};
use crate::adapter::output::{PartialTarget, window_of};
use crate::error::Error;
use crate::hash::hash_bytes_wide;
use crate::snapshot::Partial;

/// Writes partials to a topic of Kafka, for [`Merger`](crate::merger::Merger)s that read it.
///
/// The key has the window, the pipeline and the source, so that a compacted topic holds the last
/// partial of each. The partition is that of the window and the pipeline: the partials of a window
/// are in one partition, whatever their sources, so that mergers can share the partitions. The
/// number of partitions must stay the same while partials of open windows come.
#[derive(Debug)]
pub struct TopicTarget {
    writer: TopicWriter,
    partitions: usize,
}

impl TopicTarget {
    /// Opens the topic.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if there is no such topic, or no broker answers.
    pub fn open(producer: TopicProducer, topic: &str) -> Result<Self, Error> {
        let writer = TopicWriter::new(producer, topic);
        let partitions = writer.partitions()?;
        Ok(TopicTarget { writer, partitions })
    }
}

impl PartialTarget for TopicTarget {
    fn put(&mut self, partial: &Partial) -> Result<(), Error> {
        let mut key = window_of(partial);
        let place = hash_bytes_wide(key.as_bytes()) % self.partitions as u128;
        key.push('/');
        key.push_str(partial.source());
        self.writer.send(i32::try_from(place).ok(), key.as_bytes(), partial.bytes())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush()
    }
}
