//! The output at a place that a user names.

use super::answer_files::{AnswerFiles, AnswerFilesOptions, AnswerFormat, is_folder};
use super::row_output::RowOutput;
use crate::error::Error;
#[cfg(not(feature = "firehose"))]
use crate::error::ErrorKind;
use crate::rows::RowPipeline;

/// Begins the place of a Firehose stream.
const FIREHOSE: &str = "firehose:";

/// Opens the output at a place that a user names: `firehose:STREAM` (feature `firehose`), or
/// [files](AnswerFiles).
///
/// # Errors
/// Those of [`AnswerFiles::open`], and [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)
/// for a stream in a build without the feature;
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a stream and another
/// format than JSON Lines.
pub fn open_rows(
    place: &str,
    pipeline: &RowPipeline,
    options: AnswerFilesOptions,
) -> Result<Box<dyn RowOutput + Send>, Error> {
    match place.strip_prefix(FIREHOSE) {
        None => Ok(Box::new(AnswerFiles::open(place, pipeline, options)?)),
        Some(_) if options.format != AnswerFormat::JsonLines => Err(Error::invalid(format!(
            "{place}: Firehose gets JSON Lines, and makes Parquet of them itself where its \
                 stream says so"
        ))),
        Some(stream) => firehose(stream),
    }
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

/// Returns true if rows go to many files or to a stream, and not to one file.
pub fn is_open_ended(place: &str) -> bool {
    place.starts_with(FIREHOSE) || is_folder(place)
}
