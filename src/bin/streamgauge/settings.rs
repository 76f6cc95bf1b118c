//! The settings: the command line over the pipeline file.

use crate::arguments::{
    DurableArguments, FormatArgument, InputArguments, OutputArgument, OutputArguments,
    PipelineArguments,
};
use crate::copy::CopyArguments;
use crate::expectation::Expectation;
use crate::failure::Failure;
use crate::view::html::{Origin, Zone};
use crate::view::published::PublishOptions;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;
use streamgauge::adapter::worker::{Clock, SystemClock};
use streamgauge::adapter::{read_lookups, read_pipeline, read_seed, seed_from_environment};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::Lookup;
use streamgauge::time::parse_duration;
use streamgauge::{Error, Limits, Seed, Timestamp};

/// How files are followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Follow {
    /// When the clock completes the windows of a quiet log, if it does.
    pub(crate) idle_after: Option<Duration>,
}

impl Follow {
    fn of(follow: bool, idle_after: Option<&str>) -> Result<Option<Follow>, Failure> {
        let idle_after = idle_after.map(|text| duration("--idle-after", text)).transpose()?;
        Ok(follow.then_some(Follow { idle_after }))
    }
}

/// The computation and its input.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The pipeline: flags over file.
    pub(crate) spec: PipelineSpec,
    /// The files, `-` for standard input; at least one.
    pub(crate) files: Vec<PathBuf>,
    /// The files of these settings: of the pipeline, and of the seed.
    pub(crate) setting_files: Vec<PathBuf>,
    /// The seed of sketches.
    pub(crate) seed: Seed,
    /// The state and partials that a run saves.
    pub(crate) durable: DurableArguments,
    /// Where the answers go instead of standard output.
    pub(crate) out: Option<String>,
    /// Threads for regular files.
    pub(crate) threads: NonZeroUsize,
    /// The limits of the inputs.
    pub(crate) limits: Limits,
    /// The reference data, which is read once.
    pub(crate) lookups: Vec<Lookup>,
    /// How the files are followed, if they are.
    pub(crate) follow: Option<Follow>,
    /// The keys of the pipeline that flags gave.
    pub(crate) flags: Vec<&'static str>,
    /// When the last record was written, if the year of times follows from it.
    pub(crate) written_until: Option<Timestamp>,
    /// The groups whose memory is told before the run.
    pub(crate) expected: Option<Expectation>,
    /// True if only errors and losses are reported.
    pub(crate) quiet: bool,
    /// True if a screen shows the run.
    pub(crate) live: bool,
    /// Where and what is published while the run goes on.
    pub(crate) published: Option<PublishOptions>,
    /// Where what is read from pipes is copied to.
    pub(crate) copy: CopyArguments,
    /// The capture that is read instead of files.
    pub(crate) replay: Option<String>,
}

impl Settings {
    /// Reads the pipeline file, if there is one, and applies the flags over it.
    ///
    /// # Errors
    /// A pipeline file that cannot be read or parsed.
    pub(crate) fn new(
        mut input: InputArguments,
        pipeline: PipelineArguments,
        output: &OutputArguments,
    ) -> Result<Settings, Failure> {
        let usage = |error: Error| Failure::usage(&error);
        let file = pipeline.pipeline.as_deref().map(read_pipeline).transpose();
        let file = file.map_err(usage)?.unwrap_or_default();
        let seed = seed(pipeline.seed_file.as_deref())?;
        let setting_files = pipeline.pipeline.into_iter().chain(pipeline.seed_file);
        let mut flags = PipelineSpec::default();
        set_format(&mut flags, &mut input);
        (flags.time, flags.time_format) = (pipeline.time, pipeline.time_format);
        flags.year = pipeline.year;
        flags.since = pipeline.since.map(absolute);
        flags.until = pipeline.until.map(absolute);
        (flags.window, flags.every) = (pipeline.window, pipeline.every);
        (flags.session, flags.stagger) = (pipeline.session, pipeline.stagger);
        (flags.rows, flags.offset) = (pipeline.rows, pipeline.offset);
        flags.timezone = pipeline.timezone;
        (flags.max_delay, flags.max_ahead) = (pipeline.max_delay, pipeline.max_ahead);
        (flags.lateness, flags.emit_early) = (pipeline.lateness, pipeline.emit_early);
        flags.lets = given(pipeline.lets);
        (flags.lookups, flags.unnest) = (given(pipeline.lookups), pipeline.unnest);
        flags.filter = given(pipeline.predicates);
        flags.group = pipeline.group.map(|group| vec![group]);
        flags.agg = given(pipeline.agg);
        (flags.select, flags.having) = (given(pipeline.select), given(pipeline.having));
        (flags.sort, flags.null) = (given(pipeline.sort), given(pipeline.null));
        (flags.limit, flags.limit_groups) = (pipeline.limit, pipeline.limit_groups);
        flags.output = output.output.map(|output| output_name(output).to_owned());
        flags.dead_letters = input.dead_letters.map(|path| path.to_string_lossy().into_owned());
        flags.late = input.late.map(|path| path.to_string_lossy().into_owned());
        flags.strict = input.strict.then_some(true);
        flags.explain = output.explain.then_some(true);
        let files = if input.files.is_empty() { vec![PathBuf::from("-")] } else { input.files };
        let threads = threads(input.threads);
        let mut limits = Limits::default();
        limits.zstd_window_log_max =
            input.zstd_window_log_max.unwrap_or(limits.zstd_window_log_max);
        let follow = Follow::of(input.follow, input.idle_after.as_deref())?;
        let (given, quiet) = (flags.given(), output.quiet);
        let spec = overridden(file, flags)?;
        let lookups = read_lookups(&spec, &limits).map_err(usage)?;
        let sources = spec.lookup_sources().map_err(usage)?;
        let lookup_files = sources.into_iter().map(|source| PathBuf::from(source.file));
        Ok(Settings {
            spec,
            setting_files: setting_files.chain(lookup_files).collect(),
            lookups,
            seed,
            files,
            threads,
            limits,
            follow,
            durable: output.durable.clone(),
            out: output.out.clone(),
            flags: given,
            written_until: None,
            expected: output.expect_groups,
            quiet,
            live: output.is_live(),
            published: output.publish_options(),
            copy: input.copy,
            replay: input.replay,
        })
    }
}

impl Settings {
    /// Returns true if the clock at reading is the arrival time of records, to check how far ahead
    /// their times are: it was requested, and no input is a regular file.
    pub(crate) fn reads_clock(&self) -> bool {
        if self.follow.is_some() {
            return false;
        }
        let asked = self.spec.max_ahead.as_deref().is_some_and(|text| text != "off");
        asked && !self.files.iter().any(|path| path.is_file())
    }

    /// Returns the number of buckets of the histograms that rows have beside percentiles, if they
    /// have some. Windows that overlap have none, since receivers add histograms up; nor have those
    /// that a later run answers again.
    pub(crate) fn histograms(&self) -> Option<usize> {
        let is_added_up = self.spec.every.is_none() && self.durable.state.is_none();
        self.published.as_ref().filter(|_| is_added_up)?.histograms()
    }

    /// Where the answers are from, for the head of a page.
    pub(crate) fn origin(&self) -> Origin {
        let inputs = self.files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        let zone = Zone::named(self.spec.timezone.as_deref());
        Origin { verb: "Reads", inputs, spec: Some(self.spec.clone()), title: None, zone }
    }

    /// Returns the source of the partials.
    pub(crate) fn source(&self) -> String {
        let files =
            || self.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>().join(",");
        self.durable.source.clone().unwrap_or_else(files)
    }
}

/// Returns the seed of sketches: from the file that the command line names, otherwise from the
/// environment, otherwise the public one.
///
/// # Errors
/// A file that cannot be read, or a text that is not a seed.
pub(crate) fn seed(file: Option<&Path>) -> Result<Seed, Failure> {
    let given = file.map_or_else(seed_from_environment, |path| {
        read_seed(path).map(Some).map_err(|error| error.at("--seed-file"))
    });
    Ok(given.map_err(|error| Failure::usage(&error))?.unwrap_or_default())
}

/// Returns the pipeline file with the keys of flags. With several queries flags of a question are
/// refused.
fn overridden(file: PipelineSpec, flags: PipelineSpec) -> Result<PipelineSpec, Failure> {
    match (&file.queries, flags.question()) {
        (Some(_), Some(key)) => {
            let flag = key.replace('_', "-");
            // The rows of `select` are those of one query.
            let place = match key {
                "select" => "the table [[query]] whose rows it is",
                _ => "their tables [[query]], or at the top of the file for all that have none",
            };
            Err(Failure::Usage(format!(
                "--{flag}: the pipeline has several queries, and a flag does not say for which of \
                 them it is: write the key {key} into {place}"
            )))
        }
        _ => Ok(file.overridden_by(flags)),
    }
}

/// Returns the number of threads: that given, or of the machine.
fn threads(given: Option<NonZeroUsize>) -> NonZeroUsize {
    given.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Returns the duration of a flag.
pub(crate) fn duration(flag: &str, text: &str) -> Result<Duration, Failure> {
    parse_duration(text).map_err(|error| Failure::usage(&error.at(flag)))
}

/// Returns the values of a flag that can be repeated. Without a value, the file's key stays.
fn given(values: Vec<String>) -> Option<Vec<String>> {
    (!values.is_empty()).then_some(values)
}

fn format_name(format: FormatArgument) -> &'static str {
    match format {
        FormatArgument::Auto => "auto",
        FormatArgument::Jsonl => "jsonl",
        FormatArgument::Csv => "csv",
        FormatArgument::Tsv => "tsv",
        FormatArgument::Clf => "clf",
        FormatArgument::Vhost => "vhost",
        FormatArgument::Logfmt => "logfmt",
        FormatArgument::W3c => "w3c",
        FormatArgument::Alb => "alb",
        FormatArgument::S3 => "s3",
        FormatArgument::Vpc => "vpc",
        FormatArgument::Lines => "lines",
    }
}

fn output_name(output: OutputArgument) -> &'static str {
    match output {
        OutputArgument::Table => "table",
        OutputArgument::Json => "json",
        OutputArgument::Csv => "csv",
        OutputArgument::Html => "html",
        OutputArgument::Parquet => "parquet",
    }
}

/// Returns the time that a duration and `ago` mean now. Other text stays what it is.
fn absolute(text: String) -> String {
    let ago = text.strip_suffix("ago").and_then(|ago| parse_duration(ago.trim()).ok());
    let time = ago.and_then(|ago| SystemClock.now().checked_sub(ago));
    time.map_or(text, |time| time.to_string())
}

/// Sets the keys that say how records are written.
fn set_format(flags: &mut PipelineSpec, input: &mut InputArguments) {
    flags.format = input.format.map(|format| format_name(format).to_owned());
    flags.delimiter = input.delimiter.take();
    flags.quote = input.quote.take();
    flags.comment = input.comment.take();
    flags.no_header = input.no_header.then_some(true);
    flags.decimal_comma = input.decimal_comma.then_some(true);
    flags.log_format = input.log_format.take();
    flags.pattern = input.pattern.take();
    flags.regex = input.regex.take();
}
