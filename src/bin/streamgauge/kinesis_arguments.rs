//! The command line of `streamgauge kinesis`: only its grammar.

use crate::arguments::{MergingArguments, PackingArguments, PipelineArguments};
use crate::copy::CopyArguments;
use crate::stream_arguments::{NOT_OF_MERGING, StreamInput, StreamOutput, start};
use clap::Args;
use std::path::PathBuf;
use streamgauge::adapter::worker::StreamStart;

/// Read all shards of a Kinesis stream.
#[derive(Debug, Args)]
#[command(after_long_help = KINESIS_HELP)]
pub(crate) struct KinesisArguments {
    #[command(flatten)]
    pub(crate) stream: StreamArguments,
    /// Where to begin at the first start: latest (with the next record), trim (with the oldest
    /// record of the stream), or a time such as 2026-01-31T12:00:00Z. With a state, later starts
    /// continue where the last one stopped
    #[arg(
        long,
        value_name = "latest|trim|TIME",
        default_value = "latest",
        value_parser = |text: &str| start(text, "trim")
    )]
    pub(crate) from: StreamStart,
    /// Read by enhanced fan-out: with a throughput of its own, and within a tenth of a second. The
    /// name or the ARN of a consumer of the stream; one that is not there is registered by its name
    #[arg(long, value_name = "CONSUMER")]
    pub(crate) fan_out: Option<String>,
    #[command(flatten)]
    pub(crate) unpacking: PackingArguments,
    #[command(flatten)]
    pub(crate) input: StreamInput,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    #[command(flatten)]
    pub(crate) output: StreamOutput,
    #[command(flatten)]
    pub(crate) copy: CopyArguments,
    /// The second stage: the records are the partials that `--partials kinesis:STREAM` has written.
    /// The pipeline is the one that made them
    #[arg(
        long,
        help_heading = "Second stage",
        conflicts_with_all = NOT_OF_MERGING
    )]
    pub(crate) merge: bool,
    #[command(flatten, next_help_heading = "Second stage")]
    pub(crate) merging: MergingArguments,
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
    #[arg(long, value_name = "NAME", conflicts_with_all = ["capture", "trace"])]
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
