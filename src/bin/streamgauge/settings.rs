//! What the command line and the pipeline file say together.

use crate::arguments::{DurableArguments, FormatArgument, InputArguments, OutputArgument, OutputArguments, PipelineArguments};
use crate::failure::Failure;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use streamgauge::adapter::read_pipeline;
use streamgauge::spec::PipelineSpec;

/// What is to be done, with which input.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The pipeline, flags over file.
    pub(crate) spec: PipelineSpec,
    /// The files, `-` for standard input; never none.
    pub(crate) files: Vec<PathBuf>,
    /// What is kept between runs.
    pub(crate) durable: DurableArguments,
    /// Threads to read them on.
    pub(crate) threads: NonZeroUsize,
}

impl Settings {
    /// Reads the pipeline file, if there is one, and lays the flags over it. Aggregates of the subcommand's own, such as the one that `top` is
    /// short for, come before those of `--agg`.
    ///
    /// # Errors
    /// A pipeline file that cannot be read, or is none.
    pub(crate) fn new(
        input: InputArguments,
        pipeline: PipelineArguments,
        output: &OutputArguments,
        own_aggregates: Vec<String>,
    ) -> Result<Settings, Failure> {
        let file = pipeline.pipeline.as_deref().map(read_pipeline).transpose().map_err(|error| Failure::usage(&error))?.unwrap_or_default();
        let aggregates: Vec<String> = own_aggregates.into_iter().chain(pipeline.agg).collect();
        let flags = PipelineSpec {
            format: input.format.map(|format| format_name(format).to_owned()),
            time: pipeline.time,
            time_format: pipeline.time_format,
            window: pipeline.window,
            every: pipeline.every,
            offset: pipeline.offset,
            max_delay: pipeline.max_delay,
            lateness: pipeline.lateness,
            filter: given(pipeline.predicates),
            group: pipeline.group.map(|group| vec![group]),
            agg: given(aggregates),
            limit_groups: pipeline.limit_groups,
            output: output.output.map(|output| output_name(output).to_owned()),
            dead_letters: input.dead_letters.map(|path| path.to_string_lossy().into_owned()),
            strict: input.strict.then_some(true),
            explain: output.explain.then_some(true),
        };
        let files = if input.files.is_empty() { vec![PathBuf::from("-")] } else { input.files };
        let threads = input.threads.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        Ok(Settings { spec: file.overridden_by(flags), files, threads, durable: output.durable.clone() })
    }
}

impl Settings {
    /// Who the partials are from.
    pub(crate) fn source(&self) -> String {
        let files = || self.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>().join(",");
        self.durable.source.clone().unwrap_or_else(files)
    }
}

/// A flag that can be given again overrides the file only where it is given at all.
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
        FormatArgument::Lines => "lines",
    }
}

fn output_name(output: OutputArgument) -> &'static str {
    match output {
        OutputArgument::Table => "table",
        OutputArgument::Json => "json",
        OutputArgument::Csv => "csv",
    }
}
