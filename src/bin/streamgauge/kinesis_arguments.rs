//! The command line of `streamgauge kinesis`: only its grammar.

use crate::arguments::{
    FormatArgument, InputArguments, OutputArgument, OutputArguments, PipelineArguments,
};
use crate::copy::CopyArguments;
use clap::Args;
use std::path::PathBuf;
use streamgauge::adapter::Packing;
use streamgauge::adapter::worker::StreamStart;
use streamgauge::row::{TimeFormat, Value};

/// Read all shards of a Kinesis stream.
#[derive(Debug, Args)]
#[command(after_long_help = KINESIS_HELP)]
pub(crate) struct KinesisArguments {
    #[command(flatten)]
    pub(crate) stream: StreamArguments,
    /// Where to begin at the first start: latest (with the next record), trim (with the oldest
    /// record of the stream), or a time such as 2026-01-31T12:00:00Z. With a state, later starts
    /// continue where the last one stopped
    #[arg(long, value_name = "latest|trim|TIME", default_value = "latest", value_parser = start)]
    pub(crate) from: StreamStart,
    /// How payloads are unpacked: kpl (records that the KPL aggregated), whole, lines (each line is
    /// a record), logs or log-events (of a CloudWatch Logs subscription, as messages or as objects)
    #[arg(long, value_name = "PACKING", default_value = "kpl")]
    pub(crate) packing: Packing,
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
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    #[command(flatten)]
    pub(crate) output: KinesisOutput,
    #[command(flatten)]
    pub(crate) copy: CopyArguments,
    #[cfg(feature = "dynamodb")]
    #[command(flatten)]
    pub(crate) sharing: SharingArguments,
}

/// How a stream is shared with other processes.
#[cfg(feature = "dynamodb")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Several processes")]
pub(crate) struct SharingArguments {
    /// Share the stream with all processes that name the same application, also with Java workers
    /// of KCL 3: it is the name of their lease table in DynamoDB. Needs --state, and --partials for
    /// answers over all shards or --out for those of each
    #[arg(long, value_name = "NAME")]
    pub(crate) application: Option<String>,
    /// A shard goes to another worker when its worker was silent for this time. All workers of the
    /// application need the same
    #[arg(long, value_name = "DURATION", default_value = "10s", requires = "application")]
    pub(crate) failover: String,
    /// The name of this worker, which no other one may have. Default: the host, the process and a
    /// random number
    #[arg(long, value_name = "NAME", requires = "application")]
    pub(crate) worker: Option<String>,
    /// The URL of DynamoDB, for an emulator
    #[arg(long, value_name = "URL", requires = "application")]
    pub(crate) lease_endpoint: Option<String>,
}

/// Put lines into a Kinesis stream as records.
#[derive(Debug, Args)]
#[command(after_long_help = PUT_HELP)]
pub(crate) struct PutArguments {
    #[command(flatten)]
    pub(crate) stream: StreamArguments,
    /// The files whose lines are the records, in order; standard input without a file, and for `-`
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The field of a JSON line, or a JSON pointer such as /user/id, that is the partition key. A
    /// line without it is not accepted. Default: the number of the line, which spreads the records
    /// evenly
    #[arg(long, value_name = "FIELD")]
    pub(crate) key: Option<String>,
    /// Put the records of a shard together to aggregates of up to 50 KiB, as the KPL does: many
    /// small records then need few calls, and cost less
    #[arg(long)]
    pub(crate) aggregate: bool,
    /// Keep records of the same partition key in order also where some have to be sent again
    #[arg(long, conflicts_with = "aggregate")]
    pub(crate) ordered: bool,
    /// How long a record waits for others before it is sent
    #[arg(long, value_name = "DURATION", default_value = "200ms")]
    pub(crate) linger: String,
    /// Append records that were not accepted to a file, as JSON Lines with reason, key and data
    #[arg(long, value_name = "FILE", default_value = "refused.jsonl")]
    pub(crate) refused: PathBuf,
    /// Write only errors to standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const PUT_HELP: &str = "\
Records that the stream refuses, for example because a shard is busy, are sent
again, and no others, up to 10 times with growing pauses. Those that it does not
accept then are in the file of --refused. After a lost connection a record may
be in the stream twice. Empty lines are skipped.

Examples:
  streamgauge put --stream clicks --key user access.jsonl
  tail -f app.log | streamgauge put --stream logs --aggregate

Exit codes: 0 every record was accepted; 1 some were not, or the stream or a
file cannot be reached; 2 wrong usage.";

/// The stream, and how it is reached.
#[derive(Debug, Args)]
pub(crate) struct StreamArguments {
    /// The name of the stream
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: String,
    /// The region. Default: that of the environment, as for all of AWS's tools
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The URL of the service, for an emulator
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
}

/// The output of the answers, and the state.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct KinesisOutput {
    /// Append the answers to a file, as JSON Lines. With a state each answer is in the file once,
    /// also after a crash. Default: standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["partials", "output"])]
    pub(crate) out: Option<PathBuf>,
    /// Save each window as a partial instead, to be merged with those of other sources: in a
    /// directory, s3://BUCKET/PREFIX, or kinesis:STREAM
    #[arg(long, value_name = "PLACE", conflicts_with = "output")]
    pub(crate) partials: Option<String>,
    /// On standard output: a table for people, JSON Lines or CSV. Default: a table on a terminal,
    /// JSON Lines otherwise
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
    #[cfg(feature = "serve")]
    #[command(flatten)]
    pub(crate) serve: crate::arguments::ServeArguments,
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

impl KinesisArguments {
    /// Returns the input and output in the form that all commands share.
    pub(crate) fn shared(&self) -> (InputArguments, OutputArguments) {
        let input = InputArguments {
            format: self.format,
            dead_letters: self.dead_letters.clone(),
            late: self.late.clone(),
            strict: self.strict,
            ..InputArguments::default()
        };
        let output = OutputArguments {
            output: self.output.output,
            explain: self.output.explain,
            quiet: self.output.quiet,
            #[cfg(feature = "live")]
            live: self.output.live,
            #[cfg(feature = "serve")]
            serve: self.output.serve.clone(),
            ..OutputArguments::default()
        };
        (input, output)
    }
}

/// Parses where a stream begins.
fn start(text: &str) -> Result<StreamStart, String> {
    match text {
        "latest" => Ok(StreamStart::Latest),
        "trim" => Ok(StreamStart::TrimHorizon),
        time => match TimeFormat::Auto.read(Value::Text(time)) {
            Ok(time) => Ok(StreamStart::AtTime(time)),
            Err(_) => Err("use latest, trim, or a time such as 2026-01-31T12:00:00Z".to_owned()),
        },
    }
}

const KINESIS_HELP: &str = "\
One process reads all shards. A window comes out when every shard has a later
record; --idle-after lets the clock decide for quiet shards. For several
processes use `streamgauge kcl`. Credentials come from the environment, as for
all of AWS's tools; the calls are ListShards, GetShardIterator and GetRecords.

Examples:
  streamgauge kinesis --stream clicks --window 1m --idle-after 10s \\
      --agg 'count, top(10, url)'
  streamgauge kinesis --stream clicks --from trim --pipeline hits.toml \\
      --state /var/lib/hits --out /var/lib/hits.jsonl

Ctrl-C or SIGTERM ends it. With --state the open windows are kept for the next
start; otherwise they come out as they are, with \"complete\":false as JSON.

Exit codes: 1 the run failed (a stream or a store that cannot be reached, a
limit, --strict hit, another process with the same state); 2 wrong usage;
130 and 143 ended by Ctrl-C and by SIGTERM.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_where_the_text_says() {
        assert_eq!(start("latest"), Ok(StreamStart::Latest));
        assert_eq!(start("trim"), Ok(StreamStart::TrimHorizon));
        let time = streamgauge::Timestamp::from_millis(1_769_860_800_000);
        assert_eq!(start("2026-01-31T12:00:00Z"), Ok(StreamStart::AtTime(time)));
        assert!(start("oldest").unwrap_err().starts_with("use latest"));
    }
}
