//! The arguments that the commands over streams share: only their grammar.

use crate::arguments::{FormatArgument, InputArguments, OutputArgument, OutputArguments};
use clap::Args;
use std::path::PathBuf;
use streamgauge::adapter::is_open_ended;
use streamgauge::adapter::worker::StreamStart;
use streamgauge::row::{TimeFormat, Value};

/// The flags that the second stage (`--merge`) does not have.
pub(crate) const NOT_OF_MERGING: [&str; 7] =
    ["partials", "packing", "idle_after", "late", "output", "capture", "trace"];

/// How records are read.
#[derive(Debug, Args)]
pub(crate) struct StreamInput {
    /// The format of the payloads: jsonl, clf, vhost or lines. Default: jsonl
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<FormatArgument>,
    /// Append the reason of each record that could not be read to a file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub(crate) dead_letters: Option<PathBuf>,
    /// Append records that came too late for all of their windows to a file, as JSON Lines with
    /// shard, sequence, time, watermark and data
    #[arg(long, value_name = "FILE")]
    pub(crate) late: Option<PathBuf>,
    /// Fail at the first record that cannot be read
    #[arg(long)]
    pub(crate) strict: bool,
    /// Let the clock complete the windows of a shard that has been at its end, without records, for
    /// this time. Without it a window waits until each shard has a later record
    #[arg(long, value_name = "DURATION")]
    pub(crate) idle_after: Option<String>,
}

/// The output of the answers, and the state.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct StreamOutput {
    /// Append the answers to a file, as JSON Lines. With a state each answer is in the file once,
    /// also after a crash. Or write each window as a file, as JSON Lines or Parquet, below
    /// date=2026-11-30/ in a directory (its name ends with /) or in s3://BUCKET/PREFIX; or put the
    /// answers into firehose:STREAM or kafka:TOPIC. Where processes share a stream: a file for all
    /// shards, or a directory with one for each. Default: standard output
    #[arg(long, value_name = "PLACE")]
    pub(crate) out: Option<PathBuf>,
    /// Save each window as a partial, to be merged with those of other sources: in a directory,
    /// s3://BUCKET/PREFIX, kinesis:STREAM, or kafka:TOPIC
    #[arg(long, value_name = "PLACE", conflicts_with = "output")]
    pub(crate) partials: Option<String>,
    /// On standard output: a table for people, JSON Lines or CSV; with --out JSON Lines or Parquet.
    /// Default: a table on a terminal, JSON Lines otherwise
    #[arg(long, value_enum, value_name = "OUTPUT")]
    pub(crate) output: Option<OutputArgument>,
    /// Show the run on a screen of the terminal while it goes on: columns by window, top-k lists
    /// and open windows; ? shows the keys
    #[cfg(feature = "live")]
    #[arg(long, conflicts_with_all = ["out", "output", "partials"])]
    pub(crate) live: bool,
    /// Before reading, write to standard error what the windows are made of, how much memory can be
    /// needed, and how exact each answer is
    #[arg(long)]
    pub(crate) explain: bool,
    /// Write only errors and losses to standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[cfg(any(feature = "otlp", feature = "serve"))]
    #[command(flatten)]
    pub(crate) published: crate::publish_arguments::PublishArguments,
    /// Save the state of the windows and the positions in all shards in a directory, or in
    /// s3://BUCKET/PREFIX, and continue from it when started again. Each stream and pipeline needs
    /// its own place
    #[arg(long, value_name = "PLACE", help_heading = "State")]
    pub(crate) state: Option<String>,
    /// Emit and save after this number of records
    #[arg(long, value_name = "N", default_value_t = 100_000, help_heading = "State")]
    pub(crate) save_records: u64,
    /// Emit and save after this time. Default: 10s with --state, otherwise 1s
    #[arg(long, value_name = "DURATION", help_heading = "State")]
    pub(crate) save_every: Option<String>,
}

impl StreamOutput {
    /// Returns the place of --out, unless lines are appended to a file.
    fn place_of_rows(&self) -> Option<String> {
        let place = self.out.as_deref()?.to_string_lossy().into_owned();
        let is_of_lines = matches!(self.output, None | Some(OutputArgument::Json));
        (!is_of_lines || is_open_ended(&place)).then_some(place)
    }
}

/// Returns the input and output in the form that all commands share.
pub(crate) fn shared(
    input: &StreamInput,
    output: &StreamOutput,
) -> (InputArguments, OutputArguments) {
    let input = InputArguments {
        format: input.format,
        dead_letters: input.dead_letters.clone(),
        late: input.late.clone(),
        strict: input.strict,
        ..InputArguments::default()
    };
    let output = OutputArguments {
        output: output.output,
        explain: output.explain,
        quiet: output.quiet,
        out: output.place_of_rows(),
        #[cfg(feature = "live")]
        live: output.live,
        #[cfg(any(feature = "otlp", feature = "serve"))]
        published: output.published.clone(),
        ..OutputArguments::default()
    };
    (input, output)
}

/// Parses where a stream begins. `oldest` is the word for its oldest record.
pub(crate) fn start(text: &str, oldest: &str) -> Result<StreamStart, String> {
    match text {
        "latest" => Ok(StreamStart::Latest),
        text if text == oldest => Ok(StreamStart::TrimHorizon),
        time => match TimeFormat::Auto.read(Value::Text(time)) {
            Ok(time) => Ok(StreamStart::AtTime(time)),
            Err(_) => Err(format!("use latest, {oldest}, or a time such as 2026-01-31T12:00:00Z")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_where_the_text_says() {
        for oldest in ["earliest", "trim"] {
            assert_eq!(start("latest", oldest), Ok(StreamStart::Latest));
            assert_eq!(start(oldest, oldest), Ok(StreamStart::TrimHorizon));
            let time = streamgauge::Timestamp::from_millis(1_769_860_800_000);
            assert_eq!(start("2026-01-31T12:00:00Z", oldest), Ok(StreamStart::AtTime(time)));
            let refused = start("first", oldest).unwrap_err();
            assert!(refused.starts_with(&format!("use latest, {oldest}, or")), "{refused}");
        }
    }
}
