//! The command line: what can be said, and nothing of what is done about it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use streamgauge::adapter::Packing;
use streamgauge::aggregate::COUNTERS_MAX;

/// Windowed counts, sums, distincts, percentiles and top-k over log files and streams, in constant
/// memory.
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
    streamgauge run access.jsonl --time ts --window 1m --where 'status >= 500' \\
        --group country --agg 'count, mean(latency_ms), p99(latency_ms)'
  An access log of Apache or nginx, compressed or not, over a sliding hour:
    streamgauge run access.log.gz --time time --window 1h --every 5m \\
        --agg 'count, sum(bytes), distinct(host)'

`streamgauge run --help` explains every option.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compute aggregates per window and group
    Run(RunArguments),
    /// Find the most frequent values of a field per window and group: short for run --agg 'top(k,
    /// by)'
    Top(TopArguments),
    /// Merge the partials that several runs, functions or workers have written into the answers of
    /// all their records
    Merge(MergeArguments),
    /// Tell what is in files of saved state, partials, and whatever else the commands write
    Inspect(InspectArguments),
    /// Give the open windows of an application that has ended (kcl, or lambda in mode store), from
    /// its state
    Finish(FinishArguments),
    /// Say what pipeline files mean, or where they are wrong, without input
    Check(CheckArguments),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
    /// Print the manual page
    Man,
    /// Run a pipeline file as an AWS Lambda function behind a Kinesis stream
    #[cfg(feature = "lambda-runtime")]
    #[command(after_help = crate::lambda::HELP)]
    Lambda,
    /// Process a shard of a Kinesis stream: the executable for the KCL's MultiLangDaemon
    ///
    /// The daemon's property `executableName` names it. It needs --pipeline, --state, and --out,
    /// --partials or both. It speaks the daemon's protocol on standard input and output, and says
    /// on standard error, which goes into the daemon's log, what an operator should know.
    Kcl(KclArguments),
}

/// Say what pipeline files mean.
#[derive(Debug, Args)]
#[command(after_long_help = CHECK_HELP)]
pub(crate) struct CheckArguments {
    /// The pipelines: TOML files, or JSON files by their ending
    #[arg(required = true, value_name = "FILE.toml")]
    pub(crate) pipelines: Vec<PathBuf>,
}

const CHECK_HELP: &str = "\
Prints what the windows are, what is late, how much memory can be needed, and how
exact each column is. All files are checked, also after one that is wrong.

Exit codes: 0 all files are right; 2 at least one is wrong: standard error says
where, and what to do.";

/// Print a completion script.
#[derive(Debug, Args)]
#[command(after_long_help = COMPLETIONS_HELP)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  streamgauge completions bash > /etc/bash_completion.d/streamgauge
  streamgauge completions zsh > \"${fpath[1]}/_streamgauge\"
  streamgauge completions fish > ~/.config/fish/completions/streamgauge.fish";

/// Process a shard of a Kinesis stream.
#[derive(Debug, Args)]
#[command(after_long_help = KCL_HELP, group = clap::ArgGroup::new("answers").args(["out", "partials"]).required(true).multiple(true))]
pub(crate) struct KclArguments {
    /// The pipeline, a TOML file whose keys are the names of the flags of `streamgauge run`
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: PathBuf,
    /// Take the secret seed of distinct counts and top-k from a file of up to 16 hexadecimal
    /// digits, where others choose the keys. Default: of $STREAMGAUGE_SEED or the file
    /// $STREAMGAUGE_SEED_FILE, or else a public one
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// Where the shards' state is kept: a directory, or s3://BUCKET/PREFIX. One place for one
    /// application
    #[arg(long, value_name = "PLACE")]
    pub(crate) state: String,
    /// Append the answers, as JSON Lines, to a file, or into an existing directory, a file a shard.
    /// Standard output is the daemon's. This or --partials is needed
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Keep each window as a partial, to be merged with those of other shards: in a directory,
    /// s3://BUCKET/PREFIX, or kinesis:STREAM. This or --out is needed
    #[arg(long, value_name = "PLACE", conflicts_with = "merge")]
    pub(crate) partials: Option<String>,
    /// How payloads are taken apart: kpl (records that the KPL aggregated), whole, lines (each line
    /// is a record), logs or log-events (a CloudWatch Logs subscription's, as messages or as
    /// objects)
    #[arg(long, value_name = "PACKING", default_value = "kpl", conflicts_with = "merge")]
    pub(crate) packing: Packing,
    /// Save state, emit and checkpoint after so many records
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) save_records: u64,
    /// And after so long
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub(crate) save_every: String,
    /// Let the clock complete the windows of a shard that has been at its end, without records, for
    /// so long
    #[arg(long, value_name = "DURATION", conflicts_with = "merge")]
    pub(crate) idle_after: Option<String>,
    /// Append the records that came too late for all of their windows to a file, as JSON Lines of
    /// shard, sequence, time, watermark and data
    #[arg(long, value_name = "FILE", conflicts_with = "merge")]
    pub(crate) late: Option<PathBuf>,
    /// Fail if a shard's checkpoint is ahead of its state, instead of saying so
    #[arg(long)]
    pub(crate) require_state: bool,
    /// Stage two: the records are the partials that `--partials kinesis:STREAM` has put
    #[arg(long)]
    pub(crate) merge: bool,
    #[command(flatten)]
    pub(crate) merging: MergingArguments,
}

/// When a merged window is complete.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --merge")]
pub(crate) struct MergingArguments {
    /// How many shards have a partial of each window, if that is known
    #[arg(long, value_name = "N", requires = "merge")]
    pub(crate) sources: Option<usize>,
    /// Give a window so long after its first partial, whoever is missing
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub(crate) deadline: String,
    /// Give a window again for each further partial for so long after it was given
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) retention: String,
}

const KCL_HELP: &str = "\
Example, in the daemon's properties file:
  executableName = /usr/local/bin/streamgauge kcl --pipeline /etc/hits.toml \\
      --state s3://bucket/hits/state --out /var/lib/hits
The daemon splits it at spaces and knows no quotes. docs/KCL.md has the whole
file and the operations.

Exit codes: 0 the daemon has ended the conversation in order; 1 the run failed
(a message that cannot be read, an early end of the input, another process that
has the shard, a store that fails); 2 wrong usage.";

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
    #[arg(short, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=COUNTERS_MAX as u64))]
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
  count, count(f), sum(f), mean(f), min(f), max(f), variance(f), stddev(f),
  first(f), last(f)
  p50(f) to p99.99(f)        percentile of nearest rank, within 0.5 %
  median(f)                  middle value, or the mean of the two, within 0.5 %
  distinct(f)                how many different values
  top(k, f), top(k, f, m)    the k most frequent values, by m counters (65,536)
  frequency(f, 'value')      how often f == 'value' holds

Predicates (--where):
  field OP value             with == != < <= > >= in contains matches, and, or,
                             not, and parentheses
  exists field               a missing field makes every comparison false
  ts >= '2025-10-26'         times compare as times; text that spells a number
                             is one beside a number
  tags contains 'vip'        an element of a JSON array, or a part of text
  status >= 500 and not (url contains '/health')
  country in ('DE', 'FR')    agent matches '(?i)bot'

Times (--time-format):
  auto (the default)         decided for each value. A number is a date from
                             19000101 to 20991231 (YYYYMMDD), so also with the
                             digits of hours and minutes (12), of seconds (14),
                             milli- (17) and microseconds (20); any other is
                             seconds since 1970 below 10^11, ms below 10^14, us
                             below 10^17, else ns. Text is a date (2024-01-31 or
                             2024/01/31), with a time or without,
                             20240131T235959Z, the time of an access log, or a
                             date with the name of its month, as in mail (RFC
                             2822), `date` and Apache's error log; UTC unless it
                             has Z, UTC, GMT, an offset or Europe/Berlin
  syslog                     as auto, and without a year: Jan  2 03:04:05, of the
                             --year, or of the year before the files were last
                             modified
  s, ms, us, ns              a number of these units since 1970
  '%d.%m.%Y %H:%M:%S%.f'     a pattern of strptime; '%s.%f' is seconds since
                             1970 with a fraction

Fields are plain names, \"quoted names\", or JSON pointers such as /request/url.
An access log has the fields host, ident, user, time, method, path, protocol,
status, bytes, referer and agent, with --format vhost also vhost; `lines` has
the field line.

Examples:
  streamgauge run access.jsonl --time ts --window 5m --every 10s \\
      --group country --agg 'count, sum(bytes), p99(latency_ms)'
  tail -f access.log | streamgauge run --format clf --time time --window 10s \\
      --agg 'count, top(5, path)'
  streamgauge run --pipeline errors.toml logs/*.gz --output csv > errors.csv

Ctrl-C or SIGTERM ends a run with the windows that it has; JSON rows of windows
that are not complete have \"complete\":false. With --state they stay open for the
next run. A second one ends at once.

Exit codes: 0 the answer is complete; 1 the run failed (unreadable or damaged
file, --strict hit, a limit, every record a dead letter, answers that could not
be written); 2 wrong usage (also a field that a header lacks); 130 and 143
stopped by Ctrl-C and by SIGTERM.";

const TOP_HELP: &str = "\
Takes every option of `streamgauge run`, of which `streamgauge run --help` tells
more; aggregates given by --agg come after the top values.

Examples:
  streamgauge top access.log --by path
  streamgauge top access.jsonl --by url -k 3 --time ts --window 1m \\
      --where 'status >= 500'
  zcat old.gz | streamgauge top --by country --group status --output json";

/// Merge partials into answers.
#[derive(Debug, Args)]
#[command(after_long_help = MERGE_HELP)]
pub(crate) struct MergeArguments {
    /// Where the partials are: directories, or s3://BUCKET/PREFIX
    #[arg(required = true, value_name = "DIR")]
    pub(crate) places: Vec<String>,
    /// How many sources there are: windows that have fewer are told on standard error
    #[arg(long, value_name = "N")]
    pub(crate) sources: Option<u32>,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    /// A table for people, JSON Lines or CSV. Default: a table on a terminal, JSON Lines otherwise
    #[arg(long, value_enum, value_name = "OUTPUT", help_heading = "Output")]
    pub(crate) output: Option<OutputArgument>,
    /// Say nothing on standard error but errors and missing partials
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,
}

const MERGE_HELP: &str = "\
The pipeline is to be the one that wrote the partials; partials of another are
refused. Exact aggregates give what one run over all records would give; sketches
keep to their bounds.

Example, on two machines and then on one:
  streamgauge run access.log --pipeline hits.toml --partials s3://bucket/hits \\
      --source web1
  streamgauge run access.log --pipeline hits.toml --partials s3://bucket/hits \\
      --source web2
  streamgauge merge --pipeline hits.toml --sources 2 s3://bucket/hits";

/// Tell what is in a file.
#[derive(Debug, Args)]
#[command(after_long_help = INSPECT_HELP)]
pub(crate) struct InspectArguments {
    /// Files that a command has written, and directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    /// Text for people, or JSON. Default: text on a terminal, JSON otherwise
    #[arg(long, value_enum, value_name = "OUTPUT", help_heading = "Output")]
    pub(crate) output: Option<InspectOutputArgument>,
}

const INSPECT_HELP: &str = "\
Says of each file what it is: state of run, lambda and kcl, of one shard or of a
merger; partials; what was answered; locks and saves that were not finished;
answers and dead letters. One that cannot be read is an error, and the others are
told.

Given the pipeline that wrote it, by --pipeline or by flags, it also tells the
answers that are in the file, with their bounds: those of windows that have not
come out yet, or of the partial's.

Examples:
  streamgauge inspect state/run.state
  streamgauge inspect state/ partials/
  streamgauge inspect state/run.state --pipeline hits.toml";

/// Give the open windows of an application that has ended.
#[derive(Debug, Args)]
#[command(after_long_help = FINISH_HELP)]
pub(crate) struct FinishArguments {
    /// The pipeline of the application
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: PathBuf,
    /// Take the secret seed of distinct counts and top-k from a file, as the application did.
    /// Default: of $STREAMGAUGE_SEED or the file $STREAMGAUGE_SEED_FILE, or the public one
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// Where its state is: what `kcl --state` or STREAMGAUGE_STATE named
    #[arg(long, value_name = "PLACE")]
    pub(crate) state: String,
    /// Append the rows to a file, or into an existing directory, a file a shard. Default: standard
    /// output
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Keep each window as a partial instead: in a directory, s3://BUCKET/PREFIX, or kinesis:STREAM
    #[arg(long, value_name = "PLACE", conflicts_with = "out")]
    pub(crate) partials: Option<String>,
}

const FINISH_HELP: &str = "\
An application that is switched off leaves windows that no record closes any
more. This gives them as JSON Lines, of each shard as it stands, with
\"complete\":false; windows that ended shards have left and no other took over
are among them. A window that a Lambda function's schedule has answered with
the same records is not given again. The state is not changed: stop the
application first, and delete the state when the windows are where they are to
be.

Examples:
  streamgauge finish --pipeline hits.toml --state s3://bucket/hits/state \\
      --out /var/lib/hits
  streamgauge finish --pipeline hits.toml --state state --partials partials";

/// The forms of what `inspect` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum InspectOutputArgument {
    /// Text for people
    Table,
    /// One JSON object, then the answers as JSON Lines
    Json,
}

/// Where the records come from.
#[derive(Debug, Default, Args)]
pub(crate) struct InputArguments {
    /// Files to read, as one input; standard input if there are none, and for `-`. gzip and zstd
    /// are recognised
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How the records are written; auto looks at the first lines of each input, and reads plain
    /// lines, with a note, where they are not certain
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Input")]
    pub(crate) format: Option<FormatArgument>,
    /// The character between the fields of CSV, such as ';'. Default: a comma
    #[arg(long, value_name = "CHARACTER", help_heading = "Input")]
    pub(crate) delimiter: Option<String>,
    /// Write the records that could not be read to a file, as JSON Lines of file, line, reason and
    /// data
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(crate) dead_letters: Option<PathBuf>,
    /// Write the records that came late to a file, as JSON Lines of file, line, time, watermark and
    /// data. They are in no window
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(crate) late: Option<PathBuf>,
    /// Fail at the first record that cannot be read
    #[arg(long, help_heading = "Input")]
    pub(crate) strict: bool,
    /// Read regular files on so many threads; the answer is the same. Default: as many as there are
    /// cores
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Input")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Let frames of zstd ask for a window of up to 2^N bytes, which is memory, as `zstd --long=N`
    /// writes them. Default: 27, 128 MiB
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=31), help_heading = "Input")]
    pub(crate) zstd_window_log_max: Option<u32>,
}

/// At least one thread.
fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse::<usize>().map_err(|error| error.to_string())?;
    NonZeroUsize::new(threads).ok_or_else(|| "at least 1 thread is needed".to_owned())
}

/// What is computed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pipeline")]
pub(crate) struct PipelineArguments {
    /// Take the pipeline from a TOML file, whose keys are the names of these flags with
    /// underscores; flags override it
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Take the secret seed of distinct counts and top-k from a file of up to 16 hexadecimal
    /// digits, where others choose the keys. Default: of $STREAMGAUGE_SEED or the file
    /// $STREAMGAUGE_SEED_FILE, or else a public one
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// The field that holds the event time. Windows need one; in an access log it is `time`
    #[arg(long, value_name = "FIELD")]
    pub(crate) time: Option<String>,
    /// How the event time is written: auto, s, ms, us, ns (since 1970), rfc3339, clf (access logs),
    /// syslog (without a year), or a strptime pattern
    #[arg(long, value_name = "TIME_FORMAT")]
    pub(crate) time_format: Option<String>,
    /// The year of times that are written without one, as syslog does. Default: with --time-format
    /// syslog the year before the files were last modified
    #[arg(long, value_name = "YEAR")]
    pub(crate) year: Option<u64>,
    /// Size of the windows, such as 1m30s; without, one window over everything
    #[arg(long, value_name = "DURATION")]
    pub(crate) window: Option<String>,
    /// A window begins every so often: sliding windows. Without, they follow one another
    #[arg(long, value_name = "DURATION")]
    pub(crate) every: Option<String>,
    /// Shift the windows, which are aligned to 1970-01-01T00:00:00Z, by this much; -1h shifts them
    /// into the past
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub(crate) offset: Option<String>,
    /// Wait so long, in event time, for records that come out of order; `unbounded` waits for all
    /// of them. Default: unbounded for regular files, 10s for standard input
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_delay: Option<String>,
    /// Make a record a dead letter whose time lies more than this ahead of the clock when it is
    /// read, so that it makes no later record late; `off`: by any time. For standard input and
    /// pipes: regular files have no arrival times. Default: off
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_ahead: Option<String>,
    /// Let late records into a window for so long after it came out; each of them makes it come out
    /// again, as a new revision
    #[arg(long, value_name = "DURATION")]
    pub(crate) lateness: Option<String>,
    /// Keep the records for which this holds, such as 'status >= 500'. Can be given again: all must
    /// hold
    #[arg(long = "where", value_name = "PREDICATE")]
    pub(crate) predicates: Vec<String>,
    /// Fields to group by, separated by commas
    #[arg(long, value_name = "FIELD,...")]
    pub(crate) group: Option<String>,
    /// What to compute, such as 'count, sum(bytes) as bytes, top(10, url)'. Default: count
    #[arg(long, value_name = "AGGREGATE,...")]
    pub(crate) agg: Vec<String>,
    /// Text that is a missing value in every field, such as 'NA, -, (null)', in quotes where it is
    /// not a word; '' is no text. Default: NA, N/A, NULL, null, \N and - of CSV, in fields that are
    /// used as numbers
    #[arg(long, value_name = "TEXT,...", allow_hyphen_values = true)]
    pub(crate) null: Vec<String>,
    /// At most so many groups per window; the records of further ones are counted together in a
    /// group (other)
    #[arg(long, value_name = "N")]
    pub(crate) limit_groups: Option<u64>,
}

/// What becomes of the answers.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// A table for people, JSON Lines or CSV. Default: a table on a terminal, JSON Lines otherwise
    #[arg(long, value_enum, value_name = "OUTPUT")]
    pub(crate) output: Option<OutputArgument>,
    /// Say on standard error, before running, what windows are made of, how much memory can be
    /// needed, and how exact each answer is
    #[arg(long)]
    pub(crate) explain: bool,
    /// Say nothing on standard error but errors, and what is lost: no progress, no notes, no
    /// summary
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) durable: DurableArguments,
}

/// What is kept between runs.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "State")]
pub(crate) struct DurableArguments {
    /// Save the state in a directory (or s3://BUCKET/PREFIX) at least once a second, and go on from
    /// it when started again: whole records that were read are not read again. Files may have
    /// grown, and may be renamed; one that was cut or replaced is a new file
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<String>,
    /// Write each window as a partial, to be merged with those of other sources by `streamgauge
    /// merge`, into a directory (or s3://BUCKET/PREFIX), instead of answers
    #[arg(long, value_name = "DIR")]
    pub(crate) partials: Option<String>,
    /// Who the partials are from: of one source the later partial of a window counts, those of
    /// several add up. Default: the names of the files
    #[arg(long, value_name = "NAME", requires = "partials")]
    pub(crate) source: Option<String>,
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
    /// Tab-separated values with a header. Quotes are text, unless the header has quoted fields, or
    /// a field needs its quotes
    Tsv,
    /// Access log in the common or combined format of Apache and nginx
    Clf,
    /// The same with the virtual host in front (Apache's vhost_combined), the field vhost
    Vhost,
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
