//! `streamgauge kinesis`: all shards of a stream in one process.

use crate::arguments::DurableArguments;
use crate::early;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, Signal};
use crate::kcl::{NamedTarget, check_partials, dead_letters, late_records, target};
use crate::kinesis_arguments::{KinesisArguments, KinesisOutput, StreamArguments};
use crate::output::{Shape, digits};
use crate::progress::Bar;
use crate::session::{explained, shown, watch};
use crate::settings::{Settings, duration};
use crate::standard_error::say;
use crate::stream_rows::{Rows, RowsOptions, SharedOutput};
use crate::view::Counts;
use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use streamgauge::adapter::capture::Header;
use streamgauge::adapter::kinesis::{ClientOptions, StreamClient, StreamProcessor, StreamReader};
use streamgauge::adapter::worker::{
    PipelineWork, ProcessorOptions, StatefulProcessor, StreamWork, SystemClock,
};
use streamgauge::adapter::{Declared, ExactFile, JsonLinesSink, PartialSink, Sink};
use streamgauge::rows::CompileOptions;
use streamgauge::store::{self, MemoryStore, Store};
use streamgauge::{Error, ErrorKind};

/// Time between two notes on the progress.
const NOTE_EVERY: Duration = Duration::from_secs(60);

type Processor = StreamProcessor<StreamClient, Declared, Box<dyn Store>>;

/// Reads the stream until a signal, alone or with other processes.
///
/// # Errors
/// Wrong usage, a failed run, a reader that has gone, or the signal.
pub(crate) fn run(arguments: KinesisArguments) -> Result<(), Failure> {
    #[cfg(feature = "dynamodb")]
    if let Some(name) = arguments.sharing.application.clone() {
        return crate::application::run(&name, arguments);
    }
    run_alone(arguments)
}

fn run_alone(arguments: KinesisArguments) -> Result<(), Failure> {
    let (input, shared) = arguments.shared();
    let KinesisArguments {
        stream, from, packing, idle_after, pipeline, output: place, copy, ..
    } = arguments;
    let settings = Settings::new(input, pipeline, &shared)?;
    let interrupt = watch(settings.live)?;
    let spec = &settings.spec;
    if !spec.has_windows() && spec.rows.is_none() && spec.select.is_none() {
        return Err(Failure::Usage(String::from(
            "a stream has no end, so the pipeline needs a window: --window 1m",
        )));
    }
    let mut options = CompileOptions::default();
    (options.seed, options.flags) = (settings.seed, Some(settings.flags.clone()));
    options.lookups = settings.lookups.clone();
    let usage = |error: Error| Failure::usage(&error);
    let partials = place.partials.as_deref();
    let early = early::of_stream(&settings.spec, &options, partials).map_err(usage)?;
    let pipeline = Declared::compile(&settings.spec, options).map_err(usage)?;
    if settings.spec.explain == Some(true) {
        say(&explained(pipeline.pipeline()));
    }
    check_partials(place.partials.as_deref(), &pipeline)?;
    let durable = DurableArguments {
        state: place.state.clone(),
        partials: place.partials.clone(),
        source: None,
    };
    let places = (place.out.as_deref(), &durable);
    let destination = Destination::open(places, (&settings, &pipeline), &interrupt)?;
    let sink = destination.clone();
    let work = PipelineWork::new(pipeline, move |_, _| sink.sink()).map_err(usage)?;
    let idle_after = idle_after.map(|text| duration("--idle-after", &text)).transpose()?;
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
    if let Destination::File(file) = &destination {
        work = work.output(file.clone());
    }
    let saving = saving(&place, settings.spec.dead_letters.as_deref())?;
    let store: Box<dyn Store> = match &place.state {
        Some(place) => store::open(place).map_err(|error| usage(error.at("--state")))?,
        None => Box::new(MemoryStore::new()),
    };
    let reader = StreamReader::new(connect(&stream)?, seed());
    let processor = StatefulProcessor::new(work, store, saving);
    let opened = StreamProcessor::open(&stream.stream, from, (reader, processor), &mut SystemClock);
    let mut reading = Reading {
        processor: opened.map_err(|error| Failure::run(&error))?,
        destination,
        quiet: settings.quiet,
        keeps_state: place.state.is_some(),
        stream: stream.stream,
    };
    let signal = reading.read(&interrupt)?;
    reading.end(signal)?;
    Err(Failure::Interrupted(signal))
}

/// Returns when the state is saved, and where dead letters go.
fn saving(place: &KinesisOutput, letters: Option<&str>) -> Result<ProcessorOptions, Failure> {
    let mut saving = ProcessorOptions::default();
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

/// Returns a client of the stream that the command line names.
///
/// # Errors
/// The client cannot be made.
pub(crate) fn connect(stream: &StreamArguments) -> Result<StreamClient, Failure> {
    let mut options = ClientOptions::default();
    (options.endpoint, options.region) = (stream.endpoint.clone(), stream.region.clone());
    StreamClient::connect_with(&stream.stream, options).map_err(|error| Failure::run(&error))
}

/// Returns a number that differs between processes, for the pauses.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (u64::from(std::process::id()) << 32)
}

/// A stream that is read.
struct Reading {
    processor: Processor,
    destination: Destination,
    quiet: bool,
    keeps_state: bool,
    stream: String,
}

impl Reading {
    /// Reads until there is a signal.
    fn read(&mut self, interrupt: &Interrupt) -> Result<Signal, Failure> {
        let mut noted_at = Instant::now();
        loop {
            if let Some(signal) = interrupt.signal() {
                return Ok(signal);
            }
            self.processor.step(&mut SystemClock).map_err(|error| Failure::run(&error))?;
            self.destination.tell(self.processor.records(), self.processor.dead_letters());
            if noted_at.elapsed() >= NOTE_EVERY && !self.destination.is_terminal() {
                noted_at = Instant::now();
                self.note();
            }
        }
    }

    fn end(&mut self, signal: Signal) -> Result<(), Failure> {
        let failed = |error: Error| Failure::run(&error);
        self.processor.shut_down(&mut SystemClock).map_err(failed)?;
        if !self.keeps_state {
            self.destination.set_incomplete();
            self.processor.finish().map_err(failed)?;
        }
        self.destination.finish().map_err(|error| Failure::output(&error))?;
        if !self.quiet {
            let left = match self.keeps_state {
                true => "the state is saved, and the next start continues from there",
                false => "the last windows are not complete",
            };
            say(&format!("note: stopped by {}: {left}\n", signal.name()));
            self.note();
        }
        Ok(())
    }

    /// Writes how far the reading is.
    fn note(&self) {
        if self.quiet {
            return;
        }
        let behind = match self.processor.lag() {
            Some(lag) if lag.is_zero() => "at the end of the stream".to_owned(),
            Some(lag) => format!("{:.1} s behind the end of the stream", lag.as_secs_f64()),
            None => "the end of the stream is not known yet".to_owned(),
        };
        say(&format!(
            "streamgauge: {}: {} shards, {} records, {} dead letters, {behind}\n",
            self.stream,
            self.processor.reader().shards_open(),
            digits::count(self.processor.records()),
            digits::count(self.processor.dead_letters()),
        ));
    }
}

/// Where the answers go.
#[derive(Clone)]
enum Destination {
    File(ExactFile),
    Partials(String),
    Output(SharedOutput, RowsOptions),
}

impl Destination {
    fn open(
        (out, durable): (Option<&Path>, &DurableArguments),
        (settings, pipeline): (&Settings, &Declared),
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        if settings.serve.is_some() && out.is_some() {
            let message =
                "--serve serves what goes to standard output, and --out sends it to a file";
            return Err(Failure::Usage(message.to_owned()));
        }
        if let Some(path) = out {
            return ExactFile::open(path).map(Destination::File).map_err(|error| {
                match error.kind() {
                    ErrorKind::Conflict => Failure::run(&error),
                    _ => Failure::usage(&error.at("--out")),
                }
            });
        }
        if let Some(place) = &durable.partials {
            return Ok(Destination::Partials(place.clone()));
        }
        let pipeline = pipeline.pipeline();
        let resumed = durable.state.is_some();
        let shape =
            Shape { revised: pipeline.is_revised() || resumed, resumed, ..Shape::of(pipeline) };
        let output = shown(settings, &Bar::default(), shape, interrupt)?;
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
        if let Some(watcher) = output.watcher().filter(|watcher| watcher.is_due()) {
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
