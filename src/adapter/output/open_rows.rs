//! The output at a place that a user names.

use super::answer_files::{AnswerFiles, AnswerFilesOptions, AnswerFormat, is_folder};
use super::row_output::RowOutput;
use crate::error::Error;
#[cfg(not(all(feature = "firehose", feature = "kafka")))]
use crate::error::ErrorKind;
use crate::rows::RowPipeline;

/// Begins the place of a Firehose stream.
const FIREHOSE: &str = "firehose:";

/// Begins the place of a topic of Kafka.
const KAFKA: &str = "kafka:";

/// Opens the output at a place that a user names: `firehose:STREAM` (feature `firehose`),
/// `kafka:TOPIC` (feature `kafka`), or [files](AnswerFiles).
///
/// # Errors
/// Those of [`AnswerFiles::open`], and [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)
/// for a stream or a topic in a build without the feature;
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for one of them and another
/// format than JSON Lines.
pub fn open_rows(
    place: &str,
    pipeline: &RowPipeline,
    options: AnswerFilesOptions,
) -> Result<Box<dyn RowOutput + Send>, Error> {
    let is_of_lines = options.format == AnswerFormat::JsonLines;
    match (place.strip_prefix(FIREHOSE), place.strip_prefix(KAFKA)) {
        (None, None) => Ok(Box::new(AnswerFiles::open(place, pipeline, options)?)),
        (Some(_), _) if !is_of_lines => Err(Error::invalid(format!(
            "{place}: Firehose gets JSON Lines, and makes Parquet of them itself where its \
                 stream says so"
        ))),
        (_, Some(_)) if !is_of_lines => {
            Err(Error::invalid(format!("{place}: a record of a topic is a row of JSON")))
        }
        (Some(stream), _) => firehose(stream),
        (None, Some(topic)) => kafka(topic, options),
    }
}

#[cfg(feature = "kafka")]
fn kafka(topic: &str, options: AnswerFilesOptions) -> Result<Box<dyn RowOutput + Send>, Error> {
    use super::topic::{TopicProducer, TopicRows};
    use crate::adapter::brokers::TopicOptions;
    let producer = match options.producer {
        Some(producer) => producer,
        None => TopicProducer::connect(&TopicOptions::from_environment()?)?,
    };
    Ok(Box::new(TopicRows::open(producer, topic)?))
}

#[cfg(not(feature = "kafka"))]
fn kafka(topic: &str, _: AnswerFilesOptions) -> Result<Box<dyn RowOutput + Send>, Error> {
    let message =
        format!("{KAFKA}{topic}: this was built without Kafka; build it with the feature kafka");
    Err(Error::new(ErrorKind::Unsupported, message))
}

#[cfg(feature = "firehose")]
fn firehose(stream: &str) -> Result<Box<dyn RowOutput + Send>, Error> {
    use super::firehose::{FirehoseClient, FirehoseSink};
    Ok(Box::new(FirehoseSink::new(FirehoseClient::connect(stream)?)))
}

#[cfg(not(feature = "firehose"))]
fn firehose(stream: &str) -> Result<Box<dyn RowOutput + Send>, Error> {
    let message = format!(
        "{FIREHOSE}{stream}: this was built without Firehose; build it with the feature firehose"
    );
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// Returns true if rows go to many files, a stream or a topic, and not to one file.
pub fn is_open_ended(place: &str) -> bool {
    is_stream(place) || is_folder(place)
}

/// Returns true if rows go to a stream or a topic.
pub fn is_stream(place: &str) -> bool {
    place.starts_with(FIREHOSE) || place.starts_with(KAFKA)
}
