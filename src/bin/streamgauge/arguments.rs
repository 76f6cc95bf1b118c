//! The command line: what can be said, and nothing of what is done about it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Windowed counts, sums, distincts, percentiles and top-k over log files and streams, in constant memory.
#[derive(Debug, Parser)]
#[command(name = "streamgauge", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  The ten most wanted URLs of every five minutes:
    streamgauge top access.jsonl --by url --time ts --window 5m
  Errors per minute and country, with their latencies:
    streamgauge run access.jsonl --time ts --window 1m --where 'status >= 500' --group country \\
        --agg 'count, mean(latency_ms), p99(latency_ms)'
  An access log of Apache or nginx, compressed or not, over a sliding hour:
    streamgauge run access.log.gz --time time --window 1h --every 5m \\
        --agg 'count, sum(bytes), distinct(host)'

`streamgauge run --help` explains every option.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compute aggregates per window and group
    Run(RunArguments),
    /// Find the most frequent values of a field per window and group: short for run --agg 'top(k, by)'
    Top(TopArguments),
}

/// Compute aggregates per window and group.
#[derive(Debug, Args)]
#[command(after_long_help = RUN_HELP)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// Find the most frequent values of a field per window and group.
#[derive(Debug, Args)]
#[command(after_long_help = TOP_HELP)]
pub(crate) struct TopArguments {
    /// The field whose most frequent values are wanted
    #[arg(long, value_name = "FIELD")]
    pub(crate) by: String,
    /// How many of them
    #[arg(short, value_name = "N", default_value_t = 10)]
    pub(crate) k: u64,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

const RUN_HELP: &str = "\
Aggregates (--agg), separated by commas, each with an optional `as NAME`:
  count, count(f), sum(f), mean(f), min(f), max(f), variance(f), stddev(f), first(f), last(f)
  p50(f) to p99.99(f)        percentile of nearest rank, within 0.5 %
  distinct(f)                how many different values
  top(k, f), top(k, f, m)    the k most frequent values, by m counters (65,536 unless given)
  frequency(f, 'value')      how often one value came, as text or number

Predicates (--where):
  field OP value             with == != < <= > >= in contains matches, and/or/not, parentheses
  exists field               a missing field makes every comparison false
  status >= 500 and not (url contains '/health')
  country in ('DE', 'FR')    agent matches '(?i)bot'

Fields are plain names, \"quoted names\", or JSON pointers such as /request/url. An access log has
the fields host, ident, user, time, method, path, protocol, status, bytes, referer and agent;
`lines` has the field line.

Examples:
  streamgauge run access.jsonl --time ts --window 5m --every 10s --group country \\
      --agg 'count, sum(bytes) as bytes, p99(latency_ms), distinct(user_id), top(10, url)'
  tail -f access.log | streamgauge run --format clf --time time --window 10s \\
      --agg 'count, top(5, path)'
  streamgauge run --pipeline errors.toml logs/*.gz --output csv > errors.csv

Exit codes: 0 the answer is complete; 1 the run failed (unreadable or damaged file, --strict hit,
a limit, every record a dead letter); 2 wrong usage (also a field that a header lacks).";

const TOP_HELP: &str = "\
Takes every option of `streamgauge run`, of which `streamgauge run --help` tells more; aggregates
given by --agg come after the top values.

Examples:
  streamgauge top access.log --by path
  streamgauge top access.jsonl --by url -k 3 --time ts --window 1m --where 'status >= 500'
  zcat old.gz | streamgauge top --by country --group status --output json";

/// Where the records come from.
#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// Files to read, as one input; standard input if there are none, and for `-`. gzip and zstd are recognised
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How the records are written; auto looks at the content of each file
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Input")]
    pub(crate) format: Option<FormatArgument>,
    /// Write the records that could not be read to a file, as JSON Lines of file, line, reason and data
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(crate) dead_letters: Option<PathBuf>,
    /// Fail at the first record that cannot be read
    #[arg(long, help_heading = "Input")]
    pub(crate) strict: bool,
    /// Read regular files on so many threads; the answer is the same. Default: as many as there are cores
    #[arg(long, value_name = "N", help_heading = "Input")]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// What is computed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pipeline")]
pub(crate) struct PipelineArguments {
    /// Take the pipeline from a TOML file, whose keys are the names of these flags with underscores; flags override it
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: Option<PathBuf>,
    /// The field that holds the event time. Windows need one
    #[arg(long, value_name = "FIELD")]
    pub(crate) time: Option<String>,
    /// How the event time is written: auto, s, ms, us, ns (since 1970), rfc3339, clf (access logs), or a strptime pattern
    #[arg(long, value_name = "TIME_FORMAT")]
    pub(crate) time_format: Option<String>,
    /// Size of the windows, such as 1m30s; without, one window over everything
    #[arg(long, value_name = "DURATION")]
    pub(crate) window: Option<String>,
    /// A window begins every so often: sliding windows. Without, they follow one another
    #[arg(long, value_name = "DURATION")]
    pub(crate) every: Option<String>,
    /// Shift the windows, which are aligned to 1970-01-01T00:00:00Z, by so much
    #[arg(long, value_name = "DURATION")]
    pub(crate) offset: Option<String>,
    /// Wait so long, in event time, for records that come out of order; `unbounded` waits for all of them. Default: unbounded for regular files, 10s for standard input
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_delay: Option<String>,
    /// Let late records into a window for so long after it came out; each of them makes it come out again, as a new revision
    #[arg(long, value_name = "DURATION")]
    pub(crate) lateness: Option<String>,
    /// Keep the records for which this holds, such as 'status >= 500'. Can be given again: all must hold
    #[arg(long = "where", value_name = "PREDICATE")]
    pub(crate) predicates: Vec<String>,
    /// Fields to group by, separated by commas
    #[arg(long, value_name = "FIELD,...")]
    pub(crate) group: Option<String>,
    /// What to compute, such as 'count, sum(bytes) as bytes, top(10, url)'. Default: count
    #[arg(long, value_name = "AGGREGATE,...")]
    pub(crate) agg: Vec<String>,
    /// At most so many groups per window; the records of further ones are counted together in a group (other)
    #[arg(long, value_name = "N")]
    pub(crate) limit_groups: Option<u64>,
}

/// What becomes of the answers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// A table for people, JSON Lines or CSV. Default: a table on a terminal, JSON Lines otherwise
    #[arg(long, value_enum, value_name = "OUTPUT")]
    pub(crate) output: Option<OutputArgument>,
    /// Say on standard error, before running, what windows are made of, how much memory can be needed, and how exact each answer is
    #[arg(long)]
    pub(crate) explain: bool,
}

/// The formats of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum FormatArgument {
    /// By the content of each file
    Auto,
    /// JSON Lines: an object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// Tab-separated values with a header
    Tsv,
    /// Access log in the common or combined format of Apache and nginx
    Clf,
    /// Plain lines, with the one field `line`
    Lines,
}

/// The formats of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum OutputArgument {
    /// Columns for people, as wide as the terminal
    Table,
    /// JSON Lines: an object per window and group
    Json,
    /// Comma-separated values: a row per window and group, or per row of a top-k
    Csv,
}
