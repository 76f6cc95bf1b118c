//! A stream that several processes share: each of its shards has a pipeline and a state of its own.

use crate::arguments::PipelineArguments;
use crate::early;
use crate::failure::Failure;
use crate::kcl::{
    Both, NamedTarget, Out, check_partials, dead_letters, late_records, processor_options, target,
};
use crate::kcl::{MergedRows, merger, saved_pipeline};
use crate::session::explained;
use crate::settings::{Settings, duration};
use crate::standard_error::say;
use crate::stream_arguments::{StreamInput, StreamOutput, shared};
use crate::stream_run::check_windows;
use std::path::{Path, PathBuf};
use std::time::Duration;
use streamgauge::adapter::worker::MergerWork;
use streamgauge::adapter::worker::{PipelineWork, ProcessorOptions, StatefulProcessor};
use streamgauge::adapter::{Declared, Packing, PartialSink, RowSink, Sink};
use streamgauge::merger::MergerOptions;
use streamgauge::rows::CompileOptions;
use streamgauge::rows::RowMerger;
use streamgauge::store::{self, Store};
use streamgauge::{Error, ErrorKind, ShardId};

/// Where the answers and the state go, how often, and how records are read.
struct Place {
    state: String,
    out: Option<PathBuf>,
    partials: Option<String>,
    every: Duration,
    every_records: u64,
    packing: Packing,
    idle_after: Option<Duration>,
}

impl Place {
    /// `flag` is the flag by which processes share the stream.
    fn of(
        flag: &str,
        (input, place): (&StreamInput, &StreamOutput),
        packing: Packing,
    ) -> Result<Self, Failure> {
        let Some(state) = place.state.clone() else {
            return Err(Failure::Usage(format!(
                "{flag} needs --state: a place that all workers reach, so that a shard can move \
                 with its open windows"
            )));
        };
        if place.out.is_none() && place.partials.is_none() {
            return Err(Failure::Usage(format!(
                "{flag} needs --partials PLACE for answers over all shards, or --out DIR for those \
                 of each shard"
            )));
        }
        let idle_after = input.idle_after.as_deref();
        Ok(Place {
            state,
            out: place.out.clone(),
            partials: place.partials.clone(),
            every: duration("--save-every", place.save_every.as_deref().unwrap_or("10s"))?,
            every_records: place.save_records,
            packing,
            idle_after: idle_after.map(|text| duration("--idle-after", text)).transpose()?,
        })
    }
}

/// What makes the processor of a shard.
pub(crate) struct SharedStream {
    settings: Settings,
    place: Place,
    /// The place of the answers of each shard, unless there are partials.
    out: Option<Out>,
    /// The interval of `emit_early`.
    early: Option<Duration>,
}

impl SharedStream {
    /// Checks everything that the processor of a shard needs, so that a wrong flag is found at the
    /// start.
    ///
    /// # Errors
    /// Wrong usage, or a place that cannot be opened. `flag` is the flag by which processes share
    /// the stream.
    pub(crate) fn new(
        flag: &str,
        (input, pipeline, output): (StreamInput, PipelineArguments, StreamOutput),
        packing: Packing,
    ) -> Result<Self, Failure> {
        let usage = |error: Error| Failure::usage(&error);
        let place = Place::of(flag, (&input, &output), packing)?;
        let (common, output) = shared(&input, &output);
        let settings = Settings::new(common, pipeline, &output)?;
        if settings.live || settings.published.is_some() {
            return Err(Failure::Usage(format!(
                "--live, --serve and --otlp show all shards of a stream, and {flag} reads some of \
                 them: leave out one of the two"
            )));
        }
        check_windows(&settings)?;
        let mut shards = SharedStream { settings, place, out: None, early: None };
        let (spec, partials) = (&shards.settings.spec, shards.place.partials.as_deref());
        shards.early = early::of_stream(spec, &shards.options(), partials).map_err(usage)?;
        let pipeline = shards.pipeline().map_err(usage)?;
        if shards.settings.spec.explain == Some(true) {
            say(&explained(pipeline.pipeline()));
        }
        check_partials(shards.place.partials.as_deref(), &pipeline)?;
        let output = shards.settings.spec.output.as_deref();
        if let Some(path) = &shards.place.out {
            let out = Out::new(path, output);
            out.check(pipeline.pipeline())?;
            shards.out = Some(out);
        }
        store::open(&shards.place.state).map_err(|error| Failure::usage(&error.at("--state")))?;
        Ok(shards)
    }

    /// Writes a note, unless there shall be none.
    pub(crate) fn say(&self, text: &str) {
        if !self.settings.quiet {
            say(text);
        }
    }

    fn options(&self) -> CompileOptions {
        let mut options = CompileOptions::default();
        (options.seed, options.flags) = (self.settings.seed, Some(self.settings.flags.clone()));
        options.lookups = self.settings.lookups.clone();
        options
    }

    fn pipeline(&self) -> Result<Declared, Error> {
        Declared::compile(&self.settings.spec, self.options())
    }

    /// Returns the names of the headers of a record that the pipeline reads.
    ///
    /// # Errors
    /// A pipeline that is wrong.
    #[cfg(feature = "kafka")]
    pub(crate) fn headers(&self) -> Result<Vec<std::sync::Arc<str>>, Error> {
        self.pipeline().map(|pipeline| streamgauge::adapter::RecordPipeline::headers(&pipeline))
    }

    /// Returns the processor of a shard.
    ///
    /// # Errors
    /// A file or a place that cannot be opened.
    pub(crate) fn processor(
        &self,
    ) -> Result<StatefulProcessor<PipelineWork<Declared>, Box<dyn Store>>, Error> {
        let (spec, seed) = (self.settings.spec.clone(), self.settings.seed);
        let (out, partials) = (self.out.clone(), self.place.partials.clone());
        let open =
            move |shard: &ShardId, of: &Declared| -> Result<Box<dyn Sink<Declared>>, Error> {
                let rows = out.as_ref().map(|out| out.open(shard, of.pipeline())).transpose()?;
                Ok(match (rows, &partials) {
                    (Some(rows), Some(place)) => {
                        Box::new(Both::new(NamedTarget(target(place)?), rows, (&spec, seed))?)
                    }
                    (None, Some(place)) => Box::new(PartialSink::new(NamedTarget(target(place)?))),
                    (Some(rows), None) => Box::new(RowSink::new(rows)),
                    (None, None) => {
                        let message = "give --out or --partials";
                        return Err(Error::new(ErrorKind::InvalidArgument, message));
                    }
                })
            };
        let mut work = PipelineWork::new(self.pipeline()?, open)?.packing(self.place.packing);
        if let Some(length) = self.place.idle_after {
            work = work.idle_after(length);
        }
        if let Some(interval) = self.early {
            work = work.emit_early(interval);
        }
        if let Some(path) = self.settings.spec.late.as_ref().map(PathBuf::from) {
            work = work.on_late(late_records(&path).map_err(failed)?);
        }
        Ok(StatefulProcessor::new(work, store::open(&self.place.state)?, self.saving()?))
    }

    /// Returns the processor of a shard of partials.
    ///
    /// # Errors
    /// A file or a place that cannot be opened, or partials that cannot be merged as they come.
    pub(crate) fn merger(
        &self,
        options: &MergerOptions,
    ) -> Result<StatefulProcessor<MergerWork<RowMerger>, Box<dyn Store>>, Error> {
        let spec = (&self.settings.spec, self.settings.seed);
        let merger = merger(spec, options.clone())?;
        let (out, pipeline) = (self.out.clone(), saved_pipeline(spec)?);
        let work = MergerWork::new(merger, move |shard| match &out {
            Some(out) => Ok(Box::new(MergedRows(out.open_merged(shard, &pipeline)?))),
            None => Err(Error::new(ErrorKind::InvalidArgument, "--merge needs --out")),
        });
        Ok(StatefulProcessor::new(work, store::open(&self.place.state)?, self.saving()?))
    }

    fn saving(&self) -> Result<ProcessorOptions, Error> {
        let mut options = processor_options();
        (options.every, options.every_records) = (self.place.every, self.place.every_records);
        if let Some(path) = &self.settings.spec.dead_letters {
            options.on_dead_letter = Some(dead_letters(Path::new(path)).map_err(failed)?);
        }
        Ok(options)
    }
}

fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Usage(message) | Failure::Run(message) => Error::new(ErrorKind::Io, message),
        _ => Error::new(ErrorKind::Io, "a file cannot be opened"),
    }
}
