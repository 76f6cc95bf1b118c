//! `streamgauge kinesis --application`: one of several processes that read a stream.

use crate::early;
use crate::failure::Failure;
use crate::kcl::{NamedTarget, Out, check_partials, dead_letters, late_records, target};
use crate::kinesis::connect;
use crate::kinesis_arguments::{KinesisArguments, StreamArguments};
use crate::session::{explained, watch};
use crate::settings::{Settings, duration};
use crate::standard_error::say;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use streamgauge::adapter::kinesis::{Application, ApplicationOptions};
use streamgauge::adapter::worker::{PipelineWork, ProcessorOptions, StatefulProcessor};
use streamgauge::adapter::{Declared, JsonLinesSink, Packing, PartialSink, Sink};
use streamgauge::rows::CompileOptions;
use streamgauge::store::{self, Store};
use streamgauge::{Error, ErrorKind, ShardId};

/// Shares the shards of the stream with the other workers, until a signal.
///
/// # Errors
/// Wrong usage, a failed run, or the signal.
pub(crate) fn run(name: &str, arguments: KinesisArguments) -> Result<(), Failure> {
    let interrupt = watch(false)?;
    let (place, options) = (Place::of(&arguments)?, options(&arguments)?);
    let (input, shared) = arguments.shared();
    let settings = Settings::new(input, arguments.pipeline, &shared)?;
    if settings.live || settings.serve.is_some() {
        return Err(Failure::Usage(String::from(
            "--live and --serve show all shards of a stream, and --application reads some of them: \
             leave out one of the two",
        )));
    }
    let spec = &settings.spec;
    if !spec.has_windows() && spec.rows.is_none() && spec.select.is_none() {
        return Err(Failure::Usage(String::from(
            "a stream has no end, so the pipeline needs a window: --window 1m",
        )));
    }
    let shards = Shards::new(settings, place)?;
    let say = |text: String| match shards.settings.quiet {
        true => {}
        false => say(&text),
    };
    let worker = options.worker.clone();
    let failed = |error: Error| Failure::run(&error);
    let application = Application::open(name, connect(&arguments.stream)?, options);
    let application = application.map_err(failed)?;
    say(format!("streamgauge: {name}: this worker is {worker}\n"));
    application.run(|| shards.processor(), || interrupt.signal().is_some()).map_err(failed)?;
    let Some(signal) = interrupt.signal() else { return Ok(()) };
    let left = "the state is saved, and other workers continue from there";
    say(format!("note: stopped by {}: {left}\n", signal.name()));
    Err(Failure::Interrupted(signal))
}

fn options(arguments: &KinesisArguments) -> Result<ApplicationOptions, Failure> {
    let sharing = &arguments.sharing;
    let StreamArguments { region, .. } = &arguments.stream;
    let mut options = ApplicationOptions::default();
    (options.start, options.packing) = (arguments.from, arguments.packing);
    options.failover = duration("--failover", &sharing.failover)?;
    (options.tables.endpoint, options.tables.region) =
        (sharing.lease_endpoint.clone(), region.clone());
    if let Some(worker) = &sharing.worker {
        options.worker.clone_from(worker);
    }
    if arguments.output.quiet {
        options.on_note = Arc::new(|_| {});
    }
    Ok(options)
}

/// Where the answers and the state go, how often, and how records are read.
struct Place {
    state: String,
    out: Option<Out>,
    partials: Option<String>,
    every: Duration,
    every_records: u64,
    packing: Packing,
    idle_after: Option<Duration>,
}

impl Place {
    fn of(arguments: &KinesisArguments) -> Result<Self, Failure> {
        let place = &arguments.output;
        let Some(state) = place.state.clone() else {
            return Err(Failure::Usage(String::from(
                "--application needs --state: a place that all workers reach, so that a shard can \
                 move with its open windows",
            )));
        };
        if place.out.is_none() && place.partials.is_none() {
            return Err(Failure::Usage(String::from(
                "--application needs --partials PLACE for answers over all shards, or --out DIR \
                 for those of each shard",
            )));
        }
        let idle_after = arguments.idle_after.as_deref();
        Ok(Place {
            state,
            out: place.out.clone().map(Out),
            partials: place.partials.clone(),
            every: duration("--save-every", place.save_every.as_deref().unwrap_or("10s"))?,
            every_records: place.save_records,
            packing: arguments.packing,
            idle_after: idle_after.map(|text| duration("--idle-after", text)).transpose()?,
        })
    }
}

/// What makes the processor of a shard.
struct Shards {
    settings: Settings,
    place: Place,
    /// The interval of `emit_early`.
    early: Option<Duration>,
}

impl Shards {
    /// Checks everything that the processor of a shard needs, so that a wrong flag is found at the
    /// start.
    fn new(settings: Settings, place: Place) -> Result<Self, Failure> {
        let usage = |error: Error| Failure::usage(&error);
        let mut shards = Shards { settings, place, early: None };
        let (spec, partials) = (&shards.settings.spec, shards.place.partials.as_deref());
        shards.early = early::of_stream(spec, &shards.options(), partials).map_err(usage)?;
        let pipeline = shards.pipeline().map_err(usage)?;
        if shards.settings.spec.explain == Some(true) {
            say(&explained(pipeline.pipeline()));
        }
        check_partials(shards.place.partials.as_deref(), &pipeline)?;
        store::open(&shards.place.state).map_err(|error| Failure::usage(&error.at("--state")))?;
        Ok(shards)
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

    fn processor(
        &self,
    ) -> Result<StatefulProcessor<PipelineWork<Declared>, Box<dyn Store>>, Error> {
        let failed = |failure: Failure| match failure {
            Failure::Usage(message) | Failure::Run(message) => Error::new(ErrorKind::Io, message),
            _ => Error::new(ErrorKind::Io, "a file cannot be opened"),
        };
        let (out, partials) = (self.place.out.clone(), self.place.partials.clone());
        let open = move |shard: &ShardId, _: &Declared| -> Result<Box<dyn Sink<Declared>>, Error> {
            Ok(match (&out, &partials) {
                (_, Some(place)) => Box::new(PartialSink::new(NamedTarget(target(place)?))),
                (Some(out), None) => Box::new(JsonLinesSink::new(out.open(shard)?)),
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
        let mut options = ProcessorOptions::default();
        (options.every, options.every_records) = (self.place.every, self.place.every_records);
        if let Some(path) = &self.settings.spec.dead_letters {
            options.on_dead_letter = Some(dead_letters(Path::new(path)).map_err(failed)?);
        }
        Ok(StatefulProcessor::new(work, store::open(&self.place.state)?, options))
    }
}
