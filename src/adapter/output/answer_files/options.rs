//! The format of files of answers, and how answers are split.

use crate::error::Error;
use std::str::FromStr;

/// The format of [`AnswerFiles`](super::AnswerFiles).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AnswerFormat {
    /// The lines that [`JsonLines`](crate::rows::JsonLines) writes.
    JsonLines,
    /// Parquet: needs the feature `parquet`.
    Parquet,
}

impl AnswerFormat {
    /// Returns the ending of the names of such files.
    pub(super) fn ending(self) -> &'static str {
        match self {
            AnswerFormat::JsonLines => "jsonl",
            AnswerFormat::Parquet => "parquet",
        }
    }
}

impl FromStr for AnswerFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "json" => Ok(AnswerFormat::JsonLines),
            "parquet" => Ok(AnswerFormat::Parquet),
            other => Err(Error::invalid(format!(
                "{other:?} is not an output of files: use json or parquet"
            ))),
        }
    }
}

/// Options of [`AnswerFiles`](super::AnswerFiles).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AnswerFilesOptions {
    /// The format. Default: JSON Lines.
    pub format: AnswerFormat,
    /// True if a file has the rows of one window and revision, and
    /// [`flush`](crate::adapter::RowOutput::flush) writes what is held. The same answers, given
    /// again after a crash, are the same files then. Otherwise a file has the rows of one date, and
    /// is written at the end. Default: true.
    pub per_window: bool,
    /// The producer of [`open_rows`](crate::adapter::open_rows) for a topic of Kafka. Default: one
    /// for the brokers that the environment names: see
    /// [`from_environment`](crate::adapter::kafka::TopicOptions::from_environment).
    #[cfg(feature = "kafka")]
    pub producer: Option<crate::adapter::output::topic::TopicProducer>,
}

impl Default for AnswerFilesOptions {
    fn default() -> Self {
        AnswerFilesOptions {
            format: AnswerFormat::JsonLines,
            per_window: true,
            #[cfg(feature = "kafka")]
            producer: None,
        }
    }
}
