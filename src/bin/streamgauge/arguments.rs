//! The command line: only its grammar.

use crate::copy::{CaptureArguments, CopyArguments};
use crate::expectation::Expectation;
use crate::view::published::PublishOptions;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use streamgauge::adapter::Packing;
use streamgauge::aggregate::COUNTERS_MAX;

/// Windowed counts, sums, distincts, percentiles and top-k over log files and streams, in bounded
/// memory.
#[derive(Debug, Parser)]
#[command(name = "streamgauge", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: crate::log::LogArguments,
}

const EXAMPLES: &str = "\
Examples:
  The ten most requested URLs of every five minutes:
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
    /// Run an SQL statement over files
    Sql(SqlArguments),
    /// Merge the partials of several runs, functions or workers into the answers of all their
    /// records
    Merge(MergeArguments),
    /// Make a page of HTML of the answers that a command has written as JSON Lines
    Report(ReportArguments),
    /// Show the contents of files of saved state, of partials, and of everything else that the
    /// commands write
    Inspect(InspectArguments),
    /// Copy what passes through a pipe to a file, up to a limit, for `run --replay`
    Capture(CaptureArguments),
    /// Write the open windows of an application that has ended (kcl, storm, or lambda in mode
    /// store), from its state
    Finish(FinishArguments),
    /// Say what pipeline files mean, or where they are wrong, without input
    Check(CheckArguments),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
    /// Print the manual page
    Man,
    /// Run a pipeline file as an AWS Lambda function behind a stream of Kinesis or a topic of
    /// Kafka
    #[cfg(feature = "lambda-runtime")]
    #[command(after_help = crate::lambda::HELP)]
    Lambda,
    /// Process a shard of a Kinesis stream: the executable for the KCL's MultiLangDaemon
    ///
    /// The daemon's property `executableName` names it. It needs --pipeline, --state, and --out,
    /// --partials or both. It speaks the daemon's protocol on standard input and output. Messages
    /// for an operator go to standard error, which is in the daemon's log.
    Kcl(KclArguments),
    /// Read a topic of Kafka, alone or in a consumer group
    #[cfg(feature = "kafka")]
    Kafka(Box<crate::kafka_arguments::KafkaArguments>),
    /// Process a task of a bolt of Apache Storm: the command of a ShellBolt
    ///
    /// It speaks Storm's multilang protocol on standard input and output. The answers are tuples of
    /// one value, a row as JSON. Messages for an operator go to Storm's log.
    Storm(StormArguments),
    /// Read all shards of a Kinesis stream in this process
    #[cfg(feature = "kinesis")]
    Kinesis(Box<crate::kinesis_arguments::KinesisArguments>),
    /// Put lines into a Kinesis stream as records
    #[cfg(feature = "kinesis")]
    Put(crate::kinesis_arguments::PutArguments),
    /// List, describe, create and scale Kinesis streams, in several regions at once
    #[cfg(feature = "kinesis")]
    Streams(crate::streams::StreamsArguments),
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

/// How the payloads of a stream are unpacked.
#[derive(Debug, Args)]
pub(crate) struct PackingArguments {
    /// How payloads are unpacked: kpl (records that the KPL aggregated), whole, lines (each line is
    /// a record), logs or log-events (of a CloudWatch Logs subscription, as messages or as objects)
    #[arg(long, value_name = "PACKING", default_value = "kpl")]
    pub(crate) packing: Packing,
}

/// Process a shard of a Kinesis stream.
#[derive(Debug, Args)]
#[command(after_long_help = KCL_HELP, group = clap::ArgGroup::new("answers").args(["out", "partials"]).required(true).multiple(true))]
pub(crate) struct KclArguments {
    /// The pipeline, a TOML file whose keys are the names of the flags of `streamgauge run`
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: PathBuf,
    /// Read the secret seed of distinct counts and top-k from a file of up to 16 hexadecimal
    /// digits. Use one if others choose the keys. Default: $STREAMGAUGE_SEED or the file
    /// $STREAMGAUGE_SEED_FILE, otherwise a public seed
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// The place of the shards' state: a directory, or s3://BUCKET/PREFIX. Each application needs
    /// its own place
    #[arg(long, value_name = "PLACE")]
    pub(crate) state: String,
    /// Append the answers, as JSON Lines, to a file, or to one file per shard in an existing
    /// directory. Standard output belongs to the daemon. This or --partials is needed
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Save each window as a partial, to be merged with those of other shards: in a directory,
    /// s3://BUCKET/PREFIX, or kinesis:STREAM. This or --out is needed
    #[arg(long, value_name = "PLACE", conflicts_with = "merge")]
    pub(crate) partials: Option<String>,
    #[command(flatten)]
    pub(crate) unpacking: PackingArguments,
    /// Save state, emit and checkpoint after this number of records
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) save_records: u64,
    /// Save state, emit and checkpoint after this time
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub(crate) save_every: String,
    /// Let the clock complete the windows of a shard that has been at its end, without records, for
    /// this time
    #[arg(long, value_name = "DURATION", conflicts_with = "merge")]
    pub(crate) idle_after: Option<String>,
    /// Append records that came too late for all of their windows to a file, as JSON Lines with
    /// shard, sequence, time, watermark and data
    #[arg(long, value_name = "FILE", conflicts_with = "merge")]
    pub(crate) late: Option<PathBuf>,
    /// Fail if a shard's checkpoint is ahead of its state, instead of a warning
    #[arg(long)]
    pub(crate) require_state: bool,
    /// The second stage: the records are the partials that `--partials kinesis:STREAM` has written
    #[arg(long, conflicts_with_all = ["packing", "capture", "trace"])]
    pub(crate) merge: bool,
    #[command(flatten)]
    pub(crate) merging: MergingArguments,
    #[command(flatten)]
    pub(crate) copy: CopyArguments,
}

/// Process a task of a bolt of Apache Storm.
#[derive(Debug, Args)]
#[command(after_long_help = STORM_HELP)]
pub(crate) struct StormArguments {
    /// The pipeline, a TOML file whose keys are the names of the flags of `streamgauge run`
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: PathBuf,
    /// The place of the tasks' state: a directory, or s3://BUCKET/PREFIX. Each bolt needs its own
    /// place, which all hosts reach
    #[arg(long, value_name = "PLACE")]
    pub(crate) state: String,
    /// The field of a tuple's id. A tuple with an id counts once, also if it comes again. Default:
    /// none has one, and a tuple that comes again counts again
    #[arg(long, value_name = "FIELD")]
    pub(crate) id: Option<String>,
    /// The number of tuples whose ids are kept, 16 bytes each in every save: more than a task gets
    /// within the message timeout, for each time that a tuple may come again
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) ids_max: usize,
    /// The field whose text is a record in the format of the pipeline. Default: the record is a
    /// JSON object of all fields
    #[arg(long, value_name = "FIELD")]
    pub(crate) payload: Option<String>,
    /// Let the clock complete the windows of a task that has had no tuples for this time. The bolt
    /// needs ticks: topology.tick.tuple.freq.secs
    #[arg(long, value_name = "DURATION")]
    pub(crate) idle_after: Option<String>,
    /// Append tuples that came too late for all of their windows to a file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub(crate) late: Option<PathBuf>,
    /// Read the secret seed of distinct counts and top-k from a file of up to 16 hexadecimal
    /// digits. Default: $STREAMGAUGE_SEED or the file $STREAMGAUGE_SEED_FILE, otherwise a public
    /// seed
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
}

const STORM_HELP: &str = "\
Example, in the topology:
  new ShellBolt(\"streamgauge\", \"storm\", \"--pipeline\", \"/etc/hits.toml\",
      \"--state\", \"/mnt/states/hits\", \"--id\", \"id\")
docs/STORM.md has a whole topology and the operations.

Exit codes: 0 Storm has ended the process; 1 the run failed (a message that
cannot be read, another process that has the task, a store that fails); 2 wrong
usage.";

/// The rules for when a merged window is complete.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --merge")]
pub(crate) struct MergingArguments {
    /// Number of shards that have a partial of each window, if known
    #[arg(long, value_name = "N", requires = "merge")]
    pub(crate) sources: Option<usize>,
    /// Answer a window this time after its first partial, even if partials are missing
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub(crate) deadline: String,
    /// Answer a window again for each further partial during this time
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) retention: String,
}

const KCL_HELP: &str = "\
Example, in the daemon's properties file:
  executableName = /usr/local/bin/streamgauge kcl --pipeline /etc/hits.toml \\
      --state s3://bucket/hits/state --out /var/lib/hits
The daemon splits it at spaces and does not know quotes. docs/KCL.md has the
whole file and the operations.

Exit codes: 0 the daemon has ended the session; 1 the run failed (a message that
cannot be read, an early end of the input, another process that has the shard, a
store that fails); 2 wrong usage.";

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
    /// The field whose most frequent values are counted
    #[arg(long, value_name = "FIELD")]
    pub(crate) by: String,
    /// Number of values
    #[arg(short, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=COUNTERS_MAX as u64))]
    pub(crate) k: u64,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// Run an SQL statement over files.
#[derive(Debug, Args)]
#[command(after_long_help = SQL_HELP)]
pub(crate) struct SqlArguments {
    /// The statement: SELECT ... FROM 'FILE' ...
    #[arg(value_name = "STATEMENT")]
    pub(crate) statement: String,
    /// Print the statement as a pipeline file instead of running it
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) to: Option<StatementForm>,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// What a statement is printed as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum StatementForm {
    /// A pipeline file, for `run --pipeline`
    Toml,
}

const SQL_HELP: &str = "\
The statement is SELECT .. FROM 'FILE' [WHERE ..] [GROUP BY ..] [HAVING ..]
[ORDER BY ..] [LIMIT n]. Files may also be given after the statement, which then
names a table of any name. TUMBLE(time, size), HOP(time, slide, size) and
SESSION(time, gap) in GROUP BY are windows; ORDER BY and LIMIT hold for each
window. Flags of `run` add what SQL has no words for, such as --time-format.

Examples:
  streamgauge sql \"SELECT country, count(*), p99(latency_ms) FROM 'access.jsonl'
      WHERE status >= 500 GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), country\"
  streamgauge sql \"SELECT url, sum(bytes) AS bytes FROM logs GROUP BY url
      ORDER BY bytes DESC LIMIT 10\" logs/*.gz
  streamgauge sql --to toml \"SELECT count(*) FROM t\" > count.toml";

const RUN_HELP: &str = "\
Aggregates (--agg), separated by commas, each with an optional `as NAME`:
  count, count(f), sum(f), mean(f), min(f), max(f), variance(f), stddev(f),
  first(f), last(f)
  p50(f) to p99.99(f)        percentile of nearest rank, within 0.5 %
  median(f)                  middle value, or the mean of the two, within 0.5 %
  distinct(f)                number of different values
  top(k, f), top(k, f, m)    the k most frequent values, by m counters (65,536)
  top(k, f by g)             the k values with the largest sums of g
  max_by(f, g), min_by(f, g) f of the record with the largest or smallest g
  count_if(p), bool_and(p), bool_or(p)
  histogram(f), histogram(f, 10, 100)
                             counts of buckets: two for each doubling, or these
  frequency(f, 'value')      number of records with f == 'value'
  sum(f) filter (where p)    of a part of the records; f may be any expression
  100.0 * count_if(status >= 500) / count as pct, rate(count)
                             arithmetic over aggregates; rate is per second

Rows (--having, --sort, --limit) know columns, groups and aggregates:
  --having 'pct > 5' --sort 'pct desc, host' --limit 10

Expressions (--where, --let, --group, and in aggregates), as in SQL:
  a OP b                     with = <> < <= > >= in between like ilike ~ is null
                             contains matches, and, or, not, + - * / // % ||
  case when a > 1 then b else c end, cast(x as int), try_cast(x as double)
  abs, round, floor, power, greatest, coalesce, length, lower, substr, replace,
  split_part, regexp_extract, regexp_replace, url_host, url_path, ip_prefix,
  json_extract, date_trunc, extract, epoch, to_timestamp, strftime and others
  lookup('users', id, 'city') of the reference data --lookup users=users.csv:id
  exists field               a comparison with a missing field is null
  ts >= '2025-10-26'         times compare as times; text that is a number
                             compares with a number as a number
  tags contains 'vip'        an element of a JSON array, or a part of text
  status >= 500 and not (url contains '/health')
  country in ('DE', 'FR')    agent matches '(?i)bot'

Times (--time-format):
  auto (the default)         decided for each value. A number is a date from
                             19000101 to 20991231 (YYYYMMDD), also with hours
                             and minutes (12 digits), seconds (14), milliseconds
                             (17) or microseconds (20); any other number is
                             seconds since 1970 below 10^11, ms below 10^14, us
                             below 10^17, else ns. Text is a date (2024-01-31 or
                             2024/01/31), with a time or without,
                             20240131T235959Z, the time of an access log, or a
                             date with the name of its month, as in mail (RFC
                             2822), `date` and Apache's error log; UTC unless it
                             has Z, UTC, GMT, an offset or Europe/Berlin
  syslog                     as auto, and times without a year: Jan  2 03:04:05.
                             The year is --year, or the year before the files
                             were last modified
  s, ms, us, ns              a number of these units since 1970
  '%d.%m.%Y %H:%M:%S%.f'     a pattern of strptime; '%s.%f' is seconds since
                             1970 with a fraction

Fields are plain names, \"quoted names\", or JSON pointers such as /request/url.
An access log has the fields host, ident, user, time, method, path, protocol,
status, bytes, referer and agent, with --format vhost also vhost; `lines` has
the field line. w3c, alb, s3, vpc and --log-format have these names too, besides
those of their documentation, with _ for other signs (cs_uri_stem).

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
Takes every option of `streamgauge run`; see `streamgauge run --help`.
Aggregates of --agg come after the top values.

Examples:
  streamgauge top access.log --by path
  streamgauge top access.jsonl --by url -k 3 --time ts --window 1m \\
      --where 'status >= 500'
  zcat old.gz | streamgauge top --by country --group status --output json";

/// Merge partials into answers.
#[derive(Debug, Args)]
#[command(after_long_help = MERGE_HELP)]
pub(crate) struct MergeArguments {
    /// The places of the partials: directories, or s3://BUCKET/PREFIX
    #[arg(required = true, value_name = "DIR")]
    pub(crate) places: Vec<String>,
    /// Number of sources. Windows with fewer sources are reported on standard error
    #[arg(long, value_name = "N")]
    pub(crate) sources: Option<u32>,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    /// A table for people, JSON Lines, CSV, a page of HTML, or with --out also Parquet. Default: a
    /// table on a terminal, JSON Lines otherwise
    #[arg(long, value_enum, value_name = "OUTPUT", help_heading = "Output")]
    pub(crate) output: Option<OutputArgument>,
    /// Write the answers to files instead, as JSON Lines or Parquet: to one file, or below
    /// date=2026-11-30/ in a directory (its name ends with /) or in s3://BUCKET/PREFIX
    #[arg(long, value_name = "FILE|DIR/|s3://...", help_heading = "Output")]
    pub(crate) out: Option<String>,
    /// Write only errors and missing partials to standard error
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,
}

const MERGE_HELP: &str = "\
The pipeline must be the one that wrote the partials; partials of another one
are refused. Exact aggregates equal those of one run over all records; the
bounds of sketches hold.

Example, on two machines and then on one:
  streamgauge run access.log --pipeline hits.toml --partials s3://bucket/hits \\
      --source web1
  streamgauge run access.log --pipeline hits.toml --partials s3://bucket/hits \\
      --source web2
  streamgauge merge --pipeline hits.toml --sources 2 s3://bucket/hits";

/// Make a page of answers.
#[derive(Debug, Args)]
#[command(after_long_help = REPORT_HELP)]
pub(crate) struct ReportArguments {
    /// Answers as JSON Lines, as `--output json` writes them; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The pipeline that gave them: the page says what it computes
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: Option<PathBuf>,
    /// The title of the page. Default: the names of the files
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
}

const REPORT_HELP: &str = "\
The page goes to standard output. It is one file, which needs no network. Of
several answers of one window and group the one with the highest revision
counts; retracted ones vanish.

Examples:
  streamgauge run access.log --pipeline hits.toml --state state >> answers.jsonl
  streamgauge report answers.jsonl > report.html
  streamgauge report answers/*.jsonl --pipeline hits.toml > may.html

Exit codes: 0 the page is whole; 1 a file could not be read, or has a line that
is no answer; 2 wrong usage.";

/// Show the contents of files.
#[derive(Debug, Args)]
#[command(after_long_help = INSPECT_HELP)]
pub(crate) struct InspectArguments {
    /// Files that a command has written, and directories of such files
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
    /// Text for people, or JSON. Default: text on a terminal, JSON otherwise
    #[arg(long, value_enum, value_name = "OUTPUT", help_heading = "Output")]
    pub(crate) output: Option<InspectOutputArgument>,
}

const INSPECT_HELP: &str = "\
Shows the kind of each file: state of run, lambda and kcl, of one shard or of a
merger; partials; earlier answers; locks and saves that did not complete;
answers and dead letters. A file that cannot be read is an error; the others are shown.

With the pipeline that wrote the file, by --pipeline or by flags, it also shows
the answers in the file with their bounds: those of windows that have not been
answered yet, or those of a partial.

Examples:
  streamgauge inspect state/run.state
  streamgauge inspect state/ partials/
  streamgauge inspect state/run.state --pipeline hits.toml";

/// Write the open windows of an application that has ended.
#[derive(Debug, Args)]
#[command(after_long_help = FINISH_HELP)]
pub(crate) struct FinishArguments {
    /// The pipeline of the application
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: PathBuf,
    /// Read the secret seed of distinct counts and top-k from a file, if the application had one.
    /// Default: $STREAMGAUGE_SEED or the file $STREAMGAUGE_SEED_FILE, otherwise the public seed
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// The place of its state: the value of `kcl --state` or STREAMGAUGE_STATE
    #[arg(long, value_name = "PLACE")]
    pub(crate) state: String,
    /// Append the rows to a file, or to one file per shard in an existing directory. Default:
    /// standard output
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Save each window as a partial instead: in a directory, s3://BUCKET/PREFIX, or kinesis:STREAM
    #[arg(long, value_name = "PLACE", conflicts_with = "out")]
    pub(crate) partials: Option<String>,
}

const FINISH_HELP: &str = "\
After an application is switched off, no record closes its last windows. This
command writes them as JSON Lines, as they are in the state of each shard, with
\"complete\":false. Windows of ended shards that no other shard has adopted are
included. A window that a Lambda function's schedule has answered with the same
records is not written again. The state does not change: stop the application
first, and delete the state after the windows have arrived.

Examples:
  streamgauge finish --pipeline hits.toml --state s3://bucket/hits/state \\
      --out /var/lib/hits
  streamgauge finish --pipeline hits.toml --state state --partials partials";

/// The output formats of `inspect`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum InspectOutputArgument {
    /// Text for people
    Table,
    /// One JSON object, then the answers as JSON Lines
    Json,
}

/// The source of the records.
#[derive(Debug, Default, Args)]
pub(crate) struct InputArguments {
    /// Files to read, as one input; standard input without a file, and for `-`. gzip, zstd, xz,
    /// bzip2 and zip are detected
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The format of the records; auto detects it from the first lines of each input. If it is not
    /// certain, plain lines are read and a note says so
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Input")]
    pub(crate) format: Option<FormatArgument>,
    /// The character between the fields of CSV, such as ';'. Default: a comma
    #[arg(long, value_name = "CHARACTER", help_heading = "Input")]
    pub(crate) delimiter: Option<String>,
    /// The character around quoted fields of CSV, or none. Default: "
    #[arg(long, value_name = "CHARACTER", help_heading = "Input")]
    pub(crate) quote: Option<String>,
    /// Pass over lines of CSV that begin with this character, such as '#'
    #[arg(long, value_name = "CHARACTER", help_heading = "Input")]
    pub(crate) comment: Option<String>,
    /// Read CSV without a header: the columns are c1, c2 and so on
    #[arg(long, help_heading = "Input")]
    pub(crate) no_header: bool,
    /// Read decimals of CSV with a comma: 1.234,5 is 1234.5
    #[arg(long, help_heading = "Input")]
    pub(crate) decimal_comma: bool,
    /// Read the log of nginx or Apache by the format string of its configuration, such as
    /// '$remote_addr [$time_local] "$request" $status' or '%h %t "%r" %>s'. With or without
    /// log_format NAME and LogFormat
    #[arg(long, value_name = "STRING", help_heading = "Input")]
    pub(crate) log_format: Option<String>,
    /// Read lines in which fields stand between text, such as '<ip> - <user> [<time>] "<method>
    /// <path> <_>" <status>'; \< is the character
    #[arg(long, value_name = "PATTERN", help_heading = "Input")]
    pub(crate) pattern: Option<String>,
    /// Read lines by a regular expression with named groups, such as 'took (?<ms>\d+) ms'
    #[arg(long, value_name = "EXPRESSION", help_heading = "Input")]
    pub(crate) regex: Option<String>,
    /// Write records that could not be read to a file, as JSON Lines with file, line, reason and
    /// data
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(crate) dead_letters: Option<PathBuf>,
    /// Write late records to a file, as JSON Lines with file, line, time, watermark and data. They
    /// are in no window
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(crate) late: Option<PathBuf>,
    /// Fail at the first record that cannot be read
    #[arg(long, help_heading = "Input")]
    pub(crate) strict: bool,
    /// Go on after the end of the files, as they grow, are rotated and appear; end with Ctrl-C or
    /// SIGTERM. A pattern in quotes, such as 'logs/*.log', is read again and again
    #[arg(long, help_heading = "Input")]
    pub(crate) follow: bool,
    /// With --follow: let the clock complete the windows of a log that has had no new lines for
    /// this time. Default: they wait for a later record
    #[arg(long, value_name = "DURATION", requires = "follow", help_heading = "Input")]
    pub(crate) idle_after: Option<String>,
    /// Number of threads for regular files. The answer does not depend on it. Default: the number
    /// of cores
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Input")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Accept zstd frames with a window of up to 2^N bytes, which need that much memory, as `zstd
    /// --long=N` writes them. Default: 27, 128 MiB
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=31), help_heading = "Input")]
    pub(crate) zstd_window_log_max: Option<u32>,
    #[command(flatten)]
    pub(crate) copy: CopyArguments,
    /// Repeat a run whose input was captured, by --capture, `streamgauge capture` or a function's
    /// STREAMGAUGE_CAPTURE: a file, or s3://BUCKET/PREFIX. With the same pipeline it writes the
    /// same answers
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "follow", "capture", "state", "partials"], help_heading = "Debugging")]
    pub(crate) replay: Option<String>,
}

/// Parses a number of threads, at least one.
fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse::<usize>().map_err(|error| error.to_string())?;
    NonZeroUsize::new(threads).ok_or_else(|| "at least 1 thread is needed".to_owned())
}

/// The computation.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Pipeline")]
pub(crate) struct PipelineArguments {
    /// Read the pipeline from a TOML file, whose keys are the names of these flags with
    /// underscores. Flags override it
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Read the secret seed of distinct counts and top-k from a file of up to 16 hexadecimal
    /// digits. Use one if others choose the keys. Default: $STREAMGAUGE_SEED or the file
    /// $STREAMGAUGE_SEED_FILE, otherwise a public seed
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// The field of the event time, or an expression of fields. Windows need one; in an access log
    /// it is `time`
    #[arg(long, value_name = "FIELD")]
    pub(crate) time: Option<String>,
    /// The format of the event time: auto, s, ms, us, ns (since 1970), rfc3339, clf (access logs),
    /// syslog (without a year), or a strptime pattern
    #[arg(long, value_name = "TIME_FORMAT")]
    pub(crate) time_format: Option<String>,
    /// The year of times that are written without one, as syslog does. Default: with --time-format
    /// syslog the year before the files were last modified
    #[arg(long, value_name = "YEAR")]
    pub(crate) year: Option<u64>,
    /// Keep the records whose event time is this or later, such as 2024-01-31T12:00 or '2h ago'
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Keep the records whose event time is before this
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Size of the windows, such as 1m30s. Default: one window over everything
    #[arg(long, value_name = "DURATION")]
    pub(crate) window: Option<String>,
    /// Time between the starts of two windows: sliding windows. Default: the size
    #[arg(long, value_name = "DURATION")]
    pub(crate) every: Option<String>,
    /// Shift of the windows, which are aligned to 1970-01-01T00:00:00Z; -1h shifts them into the
    /// past
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub(crate) offset: Option<String>,
    /// Sessions instead of windows of one size: those of a group end when none of its records comes
    /// for this long, such as 30m
    #[arg(long, value_name = "DURATION")]
    pub(crate) session: Option<String>,
    /// Windows of this size of each group, which begin with its first record that is in none
    #[arg(long, value_name = "DURATION")]
    pub(crate) stagger: Option<String>,
    /// Windows of this number of records of each group, in the order in which they come. With
    /// --every, which is a number then, there is an answer after each such number of records, over
    /// the last ones
    #[arg(long, value_name = "N")]
    pub(crate) rows: Option<u64>,
    /// Begin and end windows of days, weeks, months, quarters and years (1d, 1w, 1mo, 1q, 1y) by
    /// the clocks of a time zone such as Europe/Berlin, and show times with its offset. Default:
    /// UTC
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// How long to wait, in event time, for records that come out of order; `unbounded` waits for
    /// all of them. Default: unbounded for regular files, 10s for standard input
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_delay: Option<String>,
    /// Make a record a dead letter if its time is more than this ahead of the clock when it is
    /// read, so that it makes no later record late; `off` allows any time. For standard input and
    /// pipes, because regular files have no arrival times. Default: off
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_ahead: Option<String>,
    /// How long a window that has been answered accepts late records. Each of them causes a new
    /// answer, with a higher revision
    #[arg(long, value_name = "DURATION")]
    pub(crate) lateness: Option<String>,
    /// Answer open windows at this interval of the clock, before they are complete, if records came
    /// since: each such answer is a revision. For standard input, pipes and streams. Default: never
    #[arg(long, value_name = "DURATION")]
    pub(crate) emit_early: Option<String>,
    /// Give a name to an expression, as in `class = status // 100`, for all other expressions; may
    /// be given several times
    #[arg(long = "let", value_name = "NAME = EXPR")]
    pub(crate) lets: Vec<String>,
    /// Reference data for the function lookup('NAME', key, 'COLUMN') of expressions: a file of CSV,
    /// TSV or JSON Lines, by its ending, and its key column; may be given several times
    #[arg(long = "lookup", value_name = "NAME=FILE:KEY")]
    pub(crate) lookups: Vec<String>,
    /// Make a record of each element of this field, which is an array: in it the field is the
    /// element, and `field.name` a member of that. A record without elements is not counted
    #[arg(long, value_name = "FIELD")]
    pub(crate) unnest: Option<String>,
    /// Keep the records for which this is true, such as 'status >= 500'. Several can be given: all
    /// must be true
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) predicates: Vec<String>,
    /// Fields or expressions to group by, separated by commas
    #[arg(long, value_name = "FIELD,...")]
    pub(crate) group: Option<String>,
    /// What to compute, such as 'count, sum(bytes) as bytes, top(10, url)'. Default: count
    #[arg(long, value_name = "AGGREGATE,...")]
    pub(crate) agg: Vec<String>,
    /// Pass each record on as a row of these expressions, such as 'ticker, price * 2 as double',
    /// instead of aggregates. The key of a row is its shard and position
    #[arg(long, value_name = "EXPR,...")]
    pub(crate) select: Vec<String>,
    /// Give the rows of the answer for which this holds, such as 'count > 100'. Several can be
    /// given: all must hold
    #[arg(long, value_name = "CONDITION")]
    pub(crate) having: Vec<String>,
    /// Order the rows of a window, such as 'bytes desc, country'. Default: by group
    #[arg(long, value_name = "COLUMN [desc],...")]
    pub(crate) sort: Vec<String>,
    /// Maximum rows per window, the first ones by --sort
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Text that is a missing value in every field, such as 'NA, -, (null)'. Text that is not a
    /// word needs quotes; '' means no text. Default: NA, N/A, NULL, null, \N and - of CSV, in
    /// fields that are used as numbers
    #[arg(long, value_name = "TEXT,...", allow_hyphen_values = true)]
    pub(crate) null: Vec<String>,
    /// Maximum groups per window. Records of further groups are counted together in a group (other)
    #[arg(long, value_name = "N")]
    pub(crate) limit_groups: Option<u64>,
}

/// The output of the answers.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// A table for people, JSON Lines, CSV, a page of HTML, or with --out also Parquet. Default: a
    /// table on a terminal, JSON Lines otherwise
    #[arg(long, value_enum, value_name = "OUTPUT")]
    pub(crate) output: Option<OutputArgument>,
    /// Write the answers to files instead, as JSON Lines or Parquet: to one file, or below
    /// date=2026-11-30/ in a directory (its name ends with /) or in s3://BUCKET/PREFIX. Each file
    /// is complete, or it is not there
    #[arg(long, value_name = "FILE|DIR/|s3://...", conflicts_with = "partials")]
    pub(crate) out: Option<String>,
    /// Show the run on a screen of the terminal while it goes on: columns by window, top-k lists
    /// and open windows; ? shows the keys
    #[cfg(feature = "live")]
    #[arg(long, conflicts_with_all = ["out", "output", "partials", "state"])]
    pub(crate) live: bool,
    /// Before running, write to standard error what the windows are made of, how much memory can be
    /// needed, and how exact each answer is
    #[arg(long)]
    pub(crate) explain: bool,
    /// With --explain: the memory of this many groups, of 10 records each or of the number behind
    /// a colon
    #[arg(long, value_name = "GROUPS[:RECORDS]", requires = "explain")]
    pub(crate) expect_groups: Option<Expectation>,
    /// Write only errors and losses to standard error: no progress, no notes, no summary
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) durable: DurableArguments,
    #[cfg(any(feature = "otlp", feature = "serve"))]
    #[command(flatten)]
    pub(crate) published: crate::publish_arguments::PublishArguments,
}

impl OutputArguments {
    /// Returns where and what is published while the run goes on, if that is wanted.
    pub(crate) fn publish_options(&self) -> Option<PublishOptions> {
        #[cfg(any(feature = "otlp", feature = "serve"))]
        return self.published.options();
        #[cfg(not(any(feature = "otlp", feature = "serve")))]
        None
    }

    /// Returns true if a screen shows the run.
    pub(crate) fn is_live(&self) -> bool {
        #[cfg(feature = "live")]
        return self.live;
        #[cfg(not(feature = "live"))]
        false
    }
}

/// The state and partials that a run saves.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "State")]
pub(crate) struct DurableArguments {
    /// Save the state in a directory (or s3://BUCKET/PREFIX) at least once a second, and continue
    /// from it when started again: records that were read are not read again. Files may have grown,
    /// and may be renamed; one that was cut or replaced is a new file
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<String>,
    /// Write each window as a partial into a directory (or s3://BUCKET/PREFIX) instead of answers,
    /// to be merged with those of other sources by `streamgauge merge`
    #[arg(long, value_name = "DIR")]
    pub(crate) partials: Option<String>,
    /// The source of the partials. A later partial of the same source and window replaces an
    /// earlier one; those of different sources add up. Default: the names of the files
    #[arg(long, value_name = "NAME", requires = "partials")]
    pub(crate) source: Option<String>,
}

/// The input formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum FormatArgument {
    /// Detect it from the content of each file
    Auto,
    /// JSON Lines: one object a line
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
    /// logfmt: key=value pairs
    Logfmt,
    /// W3C extended log with a line #Fields:, as IIS and CloudFront write it
    W3c,
    /// Access log of an AWS application load balancer
    Alb,
    /// Access log of an S3 bucket
    S3,
    /// Flow log of an AWS VPC
    Vpc,
    /// Plain lines, with the one field `line`
    Lines,
}

/// The output formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum OutputArgument {
    /// Columns for people, as wide as the terminal
    Table,
    /// JSON Lines: one object per window and group
    Json,
    /// Comma-separated values: one row per window and group, or per row of a top-k
    Csv,
    /// A page of charts and tables in one file, written at the end
    Html,
    /// Columns in files, for --out: needs the feature parquet
    Parquet,
}
