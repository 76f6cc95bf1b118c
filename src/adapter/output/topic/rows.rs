//! Rows as records.

use super::producer::{TopicProducer, TopicWriter};
use crate::adapter::output::lines_output::{append_key_of_source, append_of_source};
use crate::adapter::output::row_output::RowOutput;
use crate::error::Error;
use crate::rows::{JsonLines, RowEmission};

/// Writes each row to a topic of Kafka: the payload is its line of JSON without the line feed, and
/// the key has what the line begins with: source, query, window and group.
///
/// Rows of one window and group have the same key, and so are in one partition, in the order of
/// their revisions; a compacted topic holds the last one. After a crash the same rows come again.
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kafka::TopicOptions;
/// use streamgauge::adapter::{RowOutput, TopicProducer, TopicRows};
/// # let rows: Vec<streamgauge::rows::RowEmission> = Vec::new();
/// let mut options = TopicOptions::default();
/// options.brokers = "localhost:9092".to_owned();
/// let mut answers = TopicRows::open(TopicProducer::connect(&options)?, "answers")?;
/// for row in &rows {
///     answers.push(row)?;
/// }
/// answers.flush()?;
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Debug)]
pub struct TopicRows {
    writer: TopicWriter,
    lines: JsonLines,
    source: Option<String>,
    key: Vec<u8>,
    line: Vec<u8>,
}

impl TopicRows {
    /// Opens the topic.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if there is no such topic, or no broker answers.
    pub fn open(producer: TopicProducer, topic: &str) -> Result<Self, Error> {
        let writer = TopicWriter::new(producer, topic);
        writer.partitions()?;
        Ok(TopicRows {
            writer,
            lines: JsonLines::default(),
            source: None,
            key: Vec::new(),
            line: Vec::new(),
        })
    }
}

impl RowOutput for TopicRows {
    fn set_complete(&mut self, complete: bool) {
        self.lines.set_complete(complete);
    }

    fn set_source(&mut self, source: &str) {
        self.source = Some(source.to_owned());
    }

    fn push(&mut self, row: &RowEmission) -> Result<(), Error> {
        self.key.clear();
        self.line.clear();
        append_key_of_source(self.source.as_deref(), row, &mut self.key);
        append_of_source(self.lines, self.source.as_deref(), row, &mut self.line);
        self.writer.send(None, &self.key, self.line.trim_ascii_end())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush()
    }
}
