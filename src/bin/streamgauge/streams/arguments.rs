//! The command line of `streamgauge streams`: only its grammar.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::num::NonZeroU32;

/// List, describe, create and scale Kinesis streams.
#[derive(Debug, Args)]
pub(crate) struct StreamsArguments {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List the streams with status, mode and shards
    List(ListArguments),
    /// Show a stream and its shards, and with --sample how busy they are and what to do
    Describe(DescribeArguments),
    /// Create a stream, and wait until it can be used
    Create(CreateArguments),
    /// Wait until a stream can be used: until its status is ACTIVE
    Wait(WaitArguments),
    /// Change the number of shards of a stream, to hash ranges of equal size
    Scale(ScaleArguments),
}

/// Where the streams are, and how the answer looks.
#[derive(Debug, Args)]
pub(super) struct PlaceArguments {
    /// The regions, separated by commas. Default: that of the environment, as for all of AWS's
    /// tools
    #[arg(long, value_name = "REGION,...", value_delimiter = ',')]
    pub(super) region: Vec<String>,
    /// The URL of the service, for an emulator
    #[arg(long, value_name = "URL")]
    pub(super) endpoint: Option<String>,
    /// A table for people, or an object of JSON a line for each stream. Default: a table on a
    /// terminal, JSON otherwise
    #[arg(long, value_enum, value_name = "OUTPUT")]
    pub(super) output: Option<StreamsOutput>,
}

/// How the answer looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum StreamsOutput {
    Table,
    Json,
}

/// What CloudWatch is asked for.
#[derive(Debug, Args)]
pub(super) struct FiguresArguments {
    /// Show what CloudWatch has: what came in and went out, how far consumers are behind, and what
    /// was refused. A URL is for an emulator
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true)]
    pub(super) cloudwatch: Option<Option<String>>,
    /// How much of the past --cloudwatch shows: at most 1d
    #[arg(long, value_name = "DURATION", default_value = "15m", requires = "cloudwatch")]
    pub(super) last: String,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    pub(super) figures: FiguresArguments,
    #[command(flatten)]
    pub(super) place: PlaceArguments,
}

#[derive(Debug, Args)]
#[command(after_long_help = DESCRIBE_HELP)]
pub(super) struct DescribeArguments {
    /// The stream
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// Read what comes into all shards for this time, and show for each shard how much that is, and
    /// the partition keys with most bytes
    #[arg(long, value_name = "DURATION")]
    pub(super) sample: Option<String>,
    #[command(flatten)]
    pub(super) figures: FiguresArguments,
    #[command(flatten)]
    pub(super) place: PlaceArguments,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("mode").required(true).args(["shards", "on_demand"])))]
pub(super) struct CreateArguments {
    /// The stream
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// The number of shards: each takes 1 MB and 1,000 records a second
    #[arg(long, value_name = "N")]
    pub(super) shards: Option<NonZeroU32>,
    /// Let Kinesis decide on the shards
    #[arg(long)]
    pub(super) on_demand: bool,
    /// Do not wait until the stream can be used
    #[arg(long)]
    pub(super) no_wait: bool,
    /// How long to wait for that
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(super) timeout: String,
    #[command(flatten)]
    pub(super) place: PlaceArguments,
}

#[derive(Debug, Args)]
pub(super) struct WaitArguments {
    /// The stream
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(super) timeout: String,
    #[command(flatten)]
    pub(super) place: PlaceArguments,
}

#[derive(Debug, Args)]
#[command(after_long_help = SCALE_HELP)]
#[command(group(ArgGroup::new("number").required(true).args(["to", "auto"])))]
pub(super) struct ScaleArguments {
    /// The stream
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// The number of shards
    #[arg(long, value_name = "N")]
    pub(super) to: Option<NonZeroU32>,
    /// Sample the stream, and take the number of shards that are 60 % busy with that
    #[arg(long)]
    pub(super) auto: bool,
    /// How long --auto samples. It should contain a peak
    #[arg(long, value_name = "DURATION", default_value = "1m", conflicts_with = "to")]
    pub(super) sample: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How long to wait for each step
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    pub(super) timeout: String,
    #[command(flatten)]
    pub(super) place: PlaceArguments,
}

const DESCRIBE_HELP: &str = "\
The sample counts records and bytes as Kinesis does for the limits of a shard,
1,000 records and 1 MB a second: a KPL aggregate is one record. It reads with
the calls that the consumers of the stream share, one a second and shard.
docs/KINESIS.md has the rules of the advice.

CloudWatch has figures of single shards only with enhanced monitoring. Without
them --cloudwatch samples the shards for 10 seconds, and a note says so.

Exit codes: 1 a region or a stream cannot be reached; 2 wrong usage.";

const SCALE_HELP: &str = "\
Kinesis at most doubles or halves the number of shards in one call, and takes 10
calls a stream in 24 hours. So the change goes in steps, and each waits until
the stream is ACTIVE again. A shard that is busy by a single partition key stays
busy: describe --sample names the key.

Exit codes: 1 a step failed; 2 wrong usage.";
