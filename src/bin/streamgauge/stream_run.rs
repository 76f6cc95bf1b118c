//! The run of a command that reads a stream in one process: what comes before the first record, the
//! loop until a signal, and where the answers go.

use crate::answer_files::{check_open_ended, files};
use crate::arguments::MergingArguments;
use crate::arguments::{DurableArguments, PipelineArguments};
use crate::copy::CopyArguments;
use crate::early;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, Signal};
use crate::kcl::{
    Both, NamedTarget, check_partials, dead_letters, late_records, processor_options, target,
};
use crate::kcl::{MergedRows, Out, merger, merger_options, saved_pipeline};
use crate::output::Shape;
use crate::progress::Bar;
use crate::session::{explained, shown, watch};
use crate::settings::{Settings, duration};
use crate::standard_error::say;
use crate::stream_arguments::{StreamInput, StreamOutput, shared};
use crate::stream_rows::{Rows, RowsOptions, SharedOutput};
use crate::view::Counts;
use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use streamgauge::ShardId;
use streamgauge::adapter::capture::Header;
use streamgauge::adapter::worker::{AnswerSink, MergerWork};
use streamgauge::adapter::worker::{
    ManyShards, PipelineWork, ProcessorOptions, StatefulProcessor, StreamWork,
};
use streamgauge::adapter::{
    Declared, ExactFile, JsonLinesSink, LinesOutput, Packing, PartialSink, RecordPipeline, Sink,
};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::rows::{MergedRow, RowMerger};
use streamgauge::store::{self, MemoryStore, Store};
use streamgauge::{Error, ErrorKind, Seed};

/// Time between two notes on the progress.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// What a stream is processed by.
pub(crate) type Processor<W> = StatefulProcessor<StreamWork<W>, Box<dyn Store>>;

/// A stream that one process reads.
pub(crate) trait Source {
    /// Waits a little for records, and processes them.
    fn step(&mut self) -> Result<(), Error>;

    /// Emits the complete answers and saves.
    fn shut_down(&mut self) -> Result<(), Error>;

    /// Emits all windows as they are.
    fn finish(&mut self) -> Result<(), Error>;

    /// Returns the number of records in this process.
    fn records(&self) -> u64;

    /// Returns the number of dead letters in this process.
    fn dead_letters(&self) -> u64;

    /// Returns how far the reading is, in words.
    fn progress(&self) -> String;

    /// Returns what an operator should know of the time since the last call. Default: nothing.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// The run of a command.
pub(crate) struct StreamRun {
    destination: Destination,
    interrupt: Interrupt,
    quiet: bool,
    keeps_state: bool,
    /// The headers of a record that the pipeline reads.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "for records of Kafka"))]
    pub(crate) headers: Vec<Arc<str>>,
}

impl StreamRun {
    /// Makes everything that does not depend on the stream of this name.
    ///
    /// # Errors
    /// Wrong usage, or a place that cannot be opened.
    pub(crate) fn prepare(
        name: &str,
        (input, pipeline, place, copy): (
            StreamInput,
            PipelineArguments,
            StreamOutput,
            CopyArguments,
        ),
        packing: Packing,
    ) -> Result<(Self, Processor<PipelineWork<Declared>>), Failure> {
        let (mut common, shared) = shared(&input, &place);
        common.files = vec![name.into()];
        let settings = Settings::new(common, pipeline, &shared)?;
        let interrupt = watch(settings.live)?;
        let usage = |error: Error| Failure::usage(&error);
        check_windows(&settings)?;
        let mut options = CompileOptions::default();
        (options.seed, options.flags) = (settings.seed, Some(settings.flags.clone()));
        options.lookups = settings.lookups.clone();
        options.histograms = settings.histograms().filter(|_| place.state.is_none());
        let partials = place.partials.as_deref();
        let early = early::of_stream(&settings.spec, &options, partials).map_err(usage)?;
        let pipeline = Declared::compile(&settings.spec, options).map_err(usage)?;
        let pipeline = copy.traced(pipeline, &settings.spec)?;
        if settings.spec.explain == Some(true) {
            say(&explained(pipeline.pipeline()));
        }
        check_partials(partials, &pipeline)?;
        let headers = pipeline.headers();
        let durable = DurableArguments {
            state: place.state.clone(),
            partials: place.partials.clone(),
            source: None,
        };
        let places = (place.out.as_deref(), &durable);
        let destination = Destination::open(places, (&settings, &pipeline), &interrupt)?;
        let sink = destination.clone();
        let work = PipelineWork::new(pipeline, move |_, _| sink.sink()).map_err(usage)?;
        let idle_after = input.idle_after.as_deref();
        let idle_after = idle_after.map(|text| duration("--idle-after", text)).transpose()?;
        let header = Header::of_worker(true, packing, idle_after);
        let mut work = header.set_up(work);
        if let Some(capture) = copy.open(&header).map_err(usage)? {
            work = work.on_call(capture.of_calls());
        }
        if let Some(path) = &settings.spec.late {
            work = work.on_late(late_records(Path::new(path))?);
        }
        if let Some(interval) = early {
            work = work.emit_early(interval);
        }
        let mut work = StreamWork::new(work);
        if let Destination::File(file) | Destination::Both(file, ..) = &destination {
            work = work.output(file.clone());
        }
        let processor = processor(work, (&settings, &place))?;
        let keeps_state = place.state.is_some();
        let quiet = settings.quiet;
        Ok((StreamRun { destination, interrupt, quiet, keeps_state, headers }, processor))
    }

    /// The same for a stream of partials.
    ///
    /// # Errors
    /// Wrong usage, or a place that cannot be opened.
    pub(crate) fn prepare_merging(
        (input, pipeline, place): (StreamInput, PipelineArguments, StreamOutput),
        merging: &MergingArguments,
    ) -> Result<(Self, Processor<MergerWork<RowMerger>>), Failure> {
        let (common, shared) = shared(&input, &place);
        let settings = Settings::new(common, pipeline, &shared)?;
        let interrupt = watch(false)?;
        if settings.live || settings.published.is_some() {
            let message = "--merge has neither --live nor --serve nor --otlp";
            return Err(Failure::Usage(String::from(message)));
        }
        check_windows(&settings)?;
        let merger = merger((&settings.spec, settings.seed), merger_options(merging)?)
            .map_err(|error| Failure::usage(&error))?;
        let (destination, work) = match (&place.out, &settings.out) {
            (None, _) => {
                let open = |_: &ShardId| Ok(merged_lines(io::stdout()));
                (Destination::Merged, StreamWork::new(MergerWork::new(merger, open)))
            }
            (Some(path), None) => {
                let file = open_file(path)?;
                let lines = file.clone();
                let open = move |_: &ShardId| Ok(merged_lines(lines.clone()));
                let work = StreamWork::new(MergerWork::new(merger, open)).output(file.clone());
                (Destination::File(file), work)
            }
            (Some(path), Some(_)) => {
                let usage = |error: Error| Failure::usage(&error);
                let pipeline = saved_pipeline((&settings.spec, settings.seed)).map_err(usage)?;
                let out = Out::new(path, settings.spec.output.as_deref());
                out.check(&pipeline)?;
                let open = move |shard: &ShardId| -> Result<Box<dyn AnswerSink<MergedRow>>, Error> {
                    Ok(Box::new(MergedRows(out.open_merged(shard, &pipeline)?)))
                };
                (Destination::Merged, StreamWork::new(MergerWork::new(merger, open)))
            }
        };
        let processor = processor(work, (&settings, &place))?;
        let keeps_state = place.state.is_some();
        let (quiet, headers) = (settings.quiet, Vec::new());
        Ok((StreamRun { destination, interrupt, quiet, keeps_state, headers }, processor))
    }

    /// Reads the stream of this name until a signal.
    ///
    /// # Errors
    /// A failed run, or the signal.
    pub(crate) fn read(&self, name: &str, mut source: impl Source) -> Result<(), Failure> {
        let mut noted_at = Instant::now();
        let signal = loop {
            if let Some(signal) = self.interrupt.signal() {
                break signal;
            }
            source.step().map_err(|error| Failure::run(&error))?;
            self.destination.tell(source.records(), source.dead_letters());
            source.take_notes().iter().for_each(|note| say(&format!("streamgauge: {note}\n")));
            if noted_at.elapsed() >= NOTE_EVERY && !self.destination.is_terminal() {
                noted_at = Instant::now();
                self.note(name, &source);
            }
        };
        self.end(signal, name, &mut source)?;
        Err(Failure::Interrupted(signal))
    }

    fn end(&self, signal: Signal, name: &str, source: &mut impl Source) -> Result<(), Failure> {
        let failed = |error: Error| Failure::run(&error);
        source.shut_down().map_err(failed)?;
        if !self.keeps_state {
            self.destination.set_incomplete();
            source.finish().map_err(failed)?;
        }
        self.destination.finish().map_err(|error| Failure::output(&error))?;
        if !self.quiet {
            let left = match self.keeps_state {
                true => "the state is saved, and the next start continues from there",
                false => "the last windows are not complete",
            };
            say(&format!("note: stopped by {}: {left}\n", signal.name()));
            self.note(name, source);
        }
        Ok(())
    }

    /// Writes how far the reading is.
    fn note(&self, name: &str, source: &impl Source) {
        if !self.quiet {
            say(&format!("streamgauge: {name}: {}\n", source.progress()));
        }
    }
}

/// Refuses a pipeline whose answers would never come.
///
/// # Errors
/// Wrong usage.
pub(crate) fn check_windows(settings: &Settings) -> Result<(), Failure> {
    let spec = &settings.spec;
    if spec.answers_streams() {
        return Ok(());
    }
    let message = "a stream has no end, so the pipeline needs a window: --window 1m";
    Err(Failure::Usage(message.to_owned()))
}

fn processor<W: ManyShards>(
    work: StreamWork<W>,
    (settings, place): (&Settings, &StreamOutput),
) -> Result<Processor<W>, Failure> {
    let saving = saving(place, settings.spec.dead_letters.as_deref())?;
    let store: Box<dyn Store> = match &place.state {
        Some(place) => store::open(place).map_err(|error| Failure::usage(&error.at("--state")))?,
        None => Box::new(MemoryStore::new()),
    };
    Ok(StatefulProcessor::new(work, store, saving))
}

/// Returns an output of merged rows as lines.
fn merged_lines(out: impl io::Write + 'static) -> Box<dyn AnswerSink<MergedRow>> {
    Box::new(MergedRows(Box::new(LinesOutput::new(out))))
}

fn open_file(path: &Path) -> Result<ExactFile, Failure> {
    ExactFile::open(path).map_err(|error| match error.kind() {
        ErrorKind::Conflict => Failure::run(&error),
        _ => Failure::usage(&error.at("--out")),
    })
}

/// Returns when the state is saved, and where dead letters go.
fn saving(place: &StreamOutput, letters: Option<&str>) -> Result<ProcessorOptions, Failure> {
    let mut saving = processor_options();
    saving.every_records = place.save_records;
    let every = match place.state {
        Some(_) => "10s",
        None => "1s",
    };
    saving.every = duration("--save-every", place.save_every.as_deref().unwrap_or(every))?;
    if let Some(path) = letters {
        saving.on_dead_letter = Some(dead_letters(Path::new(path))?);
    }
    Ok(saving)
}

/// Where the answers go.
#[derive(Clone)]
enum Destination {
    File(ExactFile),
    Partials(String),
    Both(ExactFile, String, Box<(PipelineSpec, Seed)>),
    /// Merged rows, whose output the merger has.
    Merged,
    Output(SharedOutput, RowsOptions),
}

impl Destination {
    fn open(
        (out, durable): (Option<&Path>, &DurableArguments),
        (settings, pipeline): (&Settings, &Declared),
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        if let Some(place) = &settings.out {
            check_open_ended(place, "a stream has no end")?;
        }
        let rows = files(settings, pipeline.pipeline(), true)?;
        if settings.published.is_some() && out.is_some() {
            let message = "--serve and --otlp publish what goes to standard output, and --out \
                           sends it to a file";
            return Err(Failure::Usage(message.to_owned()));
        }
        if let (Some(path), None) = (out, &rows) {
            let file = open_file(path)?;
            return Ok(match &durable.partials {
                Some(place) => {
                    let made = (settings.spec.clone(), settings.seed);
                    Destination::Both(file, place.clone(), Box::new(made))
                }
                None => Destination::File(file),
            });
        }
        if let Some(place) = &durable.partials {
            if rows.is_some() {
                let message = "--partials with --out appends lines to a file: name a file there";
                return Err(Failure::Usage(message.to_owned()));
            }
            return Ok(Destination::Partials(place.clone()));
        }
        let pipeline = pipeline.pipeline();
        let resumed = durable.state.is_some();
        let shape =
            Shape { revised: pipeline.is_revised() || resumed, resumed, ..Shape::of(pipeline) };
        let output = match rows {
            Some(rows) => rows,
            None => shown(settings, &Bar::default(), shape, interrupt)?,
        };
        let options = RowsOptions {
            state_bytes_max: settings.limits.state_bytes_max as u64,
            // An early answer raises the revision of the answer that follows, and a state keeps it.
            looks_early: !resumed,
        };
        Ok(Destination::Output(Rc::new(RefCell::new(output)), options))
    }

    fn sink(&self) -> Result<Box<dyn Sink<Declared>>, Error> {
        Ok(match self {
            Destination::File(file) => Box::new(JsonLinesSink::new(file.clone())),
            Destination::Partials(place) => Box::new(PartialSink::new(NamedTarget(target(place)?))),
            Destination::Both(file, place, made) => {
                let target = NamedTarget(target(place)?);
                let rows = Box::new(LinesOutput::new(file.clone()));
                Box::new(Both::new(target, rows, (&made.0, made.1))?)
            }
            Destination::Merged => {
                let message = "merged rows have no such sink";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            Destination::Output(output, limits) => Box::new(Rows(output.clone(), *limits)),
        })
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Destination::Output(..)) && io::stdout().is_terminal()
    }

    fn set_incomplete(&self) {
        if let Destination::Output(output, _) = self {
            output.borrow_mut().set_incomplete();
        }
    }

    /// Tells who watches how many records there were.
    fn tell(&self, records: u64, dead_letters: u64) {
        let Destination::Output(output, _) = self else { return };
        let mut output = output.borrow_mut();
        if let Some(watcher) = output.watcher() {
            let before = watcher.counts();
            watcher.tell(Counts { records, dead_letters, ..before });
        }
    }

    fn finish(&self) -> io::Result<()> {
        match self {
            Destination::Output(output, _) => output.borrow_mut().finish(),
            _ => Ok(()),
        }
    }
}
