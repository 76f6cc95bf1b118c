//! `--replay`: repeats a run from its capture, by the way that the captured records went.

use crate::early;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::kcl::{dead_letters, late_records};
use crate::output::{Shape, digits};
use crate::progress::Bar;
use crate::session::{self, explained, shown, watch};
use crate::settings::Settings;
use crate::standard_error::say;
#[cfg(feature = "lambda-runtime")]
use crate::standard_output::StandardOutput;
use crate::stream_rows::{Rows, RowsOptions, SharedOutput};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
#[cfg(feature = "lambda-runtime")]
use std::time::Duration;
#[cfg(feature = "lambda-runtime")]
use streamgauge::adapter::JsonLinesSink;
use streamgauge::adapter::capture::{Call, CaptureKind, Entry, Header, Step, read_all};
use streamgauge::adapter::files::Input;
use streamgauge::adapter::kcl::{OnDeadLetter, PipelineWork};
#[cfg(feature = "lambda-runtime")]
use streamgauge::adapter::lambda::Handler;
use streamgauge::adapter::worker::StreamWork;
use streamgauge::adapter::{Declared, Sink};
use streamgauge::rows::CompileOptions;
#[cfg(feature = "lambda-runtime")]
use streamgauge::store::MemoryStore;
use streamgauge::{Error, ErrorKind, ShardId, Timestamp};

type Entries = Box<dyn Iterator<Item = Result<Entry, Error>> + Send>;

/// Dead letters that are told on standard error, if they go to no file.
const DEAD_LETTERS_NOTED: u64 = 10;

/// Runs the pipeline over the capture that the settings name, or otherwise over their files.
///
/// # Errors
/// Those of [`session::run`]; a capture that cannot be read.
pub(crate) fn run_or_replay(settings: &Settings) -> Result<(), Failure> {
    let Some(place) = &settings.replay else { return session::run(settings) };
    let at = |error: Error| Failure::Run(error.at(place).to_string());
    let mut entries = read_all(place).map_err(at)?;
    let Some(first) = entries.next().transpose().map_err(at)? else {
        return Err(Failure::Run(format!("{place}: the capture is empty")));
    };
    let Entry::Header(header) = first else {
        return Err(Failure::Run(format!("{place}: a capture begins with a header")));
    };
    let interrupt = watch(settings.live)?;
    match header.kind {
        CaptureKind::Pipe => replay_pipe(settings, entries, interrupt),
        CaptureKind::Lambda => replay_events(settings, &header, entries),
        _ => Replay::new(settings, header, &interrupt)?.run(entries, &interrupt),
    }
}

/// The time when the bytes that were read last came.
static ARRIVAL: AtomicI64 = AtomicI64::new(0);

fn replay_pipe(settings: &Settings, entries: Entries, interrupt: Interrupt) -> Result<(), Failure> {
    if settings.spec.emit_early.is_some() {
        let message = "emit_early answers by the clock, which a replay of a pipe does not have";
        return Err(Failure::Usage(message.to_owned()));
    }
    let chunks = Chunks { entries, chunk: io::Cursor::default() };
    let input = Input::from_reader("stdin", chunks);
    let clock = || Timestamp::from_millis(ARRIVAL.load(Ordering::Relaxed));
    session::run_over(settings, vec![input], (interrupt, Some(clock)))
}

/// The bytes of a pipe, in the parts in which they came.
struct Chunks {
    entries: Entries,
    chunk: io::Cursor<bytes::Bytes>,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.chunk.read(buffer)? {
                0 => {}
                read => return Ok(read),
            }
            match self.entries.next().transpose().map_err(io::Error::other)? {
                None => return Ok(0),
                Some(Entry::Chunk { at, data }) => {
                    ARRIVAL.store(at.as_millis(), Ordering::Relaxed);
                    self.chunk = io::Cursor::new(data);
                }
                Some(_) => {}
            }
        }
    }
}

/// Answers and dead letters of a replay.
struct Replay<'a> {
    settings: &'a Settings,
    header: Header,
    output: SharedOutput,
    letters: Letters,
    /// The work of each shard, or that of the stream.
    shards: BTreeMap<ShardId, PipelineWork<Declared>>,
    stream: Option<StreamWork<PipelineWork<Declared>>>,
    records: u64,
    batches: u64,
}

/// Dead letters: to a file, or the first ones to standard error.
struct Letters {
    file: Option<OnDeadLetter>,
    count: u64,
}

impl Letters {
    fn of(settings: &Settings) -> Result<Self, Failure> {
        let path = settings.spec.dead_letters.as_deref().map(Path::new);
        Ok(Letters { file: path.map(dead_letters).transpose()?, count: 0 })
    }

    fn take(&mut self, error: &Error) {
        self.count += 1;
        match &mut self.file {
            Some(take) => take(error),
            None if self.count <= DEAD_LETTERS_NOTED => {
                say(&format!("streamgauge: dead letter: {error}\n"));
            }
            None => {}
        }
    }
}

/// Returns the writer of the rows.
fn output(
    settings: &Settings,
    pipeline: &Declared,
    interrupt: &Interrupt,
) -> Result<SharedOutput, Failure> {
    let pipeline = pipeline.pipeline();
    if settings.spec.explain == Some(true) {
        say(&explained(pipeline));
    }
    let shape = Shape { revised: pipeline.is_revised(), ..Shape::of(pipeline) };
    let output = shown(settings, &Bar::default(), shape, interrupt)?;
    Ok(Rc::new(RefCell::new(output)))
}

/// Returns what the writer of the rows needs to know.
fn rows_options(settings: &Settings) -> RowsOptions {
    let state_bytes_max = settings.limits.state_bytes_max as u64;
    RowsOptions { state_bytes_max, looks_early: false }
}

fn compile_options(settings: &Settings) -> CompileOptions {
    let mut options = CompileOptions::default();
    (options.seed, options.flags) = (settings.seed, Some(settings.flags.clone()));
    options.lookups = settings.lookups.clone();
    options
}

impl<'a> Replay<'a> {
    fn new(settings: &'a Settings, header: Header, interrupt: &Interrupt) -> Result<Self, Failure> {
        let pipeline = Declared::compile(&settings.spec, compile_options(settings));
        let pipeline = pipeline.map_err(|error| Failure::usage(&error))?;
        Ok(Replay {
            settings,
            header,
            output: output(settings, &pipeline, interrupt)?,
            letters: Letters::of(settings)?,
            shards: BTreeMap::new(),
            stream: None,
            records: 0,
            batches: 0,
        })
    }

    fn run(mut self, entries: Entries, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut cut = false;
        let repeated = entries.into_iter().try_for_each(|entry| {
            if let Some(signal) = interrupt.signal() {
                return Err(Failure::Interrupted(signal));
            }
            match entry.map_err(|error| Failure::run(&error))? {
                Entry::Call(call) => self.repeat(call),
                Entry::Cut => {
                    cut = true;
                    Ok(())
                }
                _ => Ok(()),
            }
        });
        self.output.borrow_mut().finish().map_err(|error| Failure::output(&error))?;
        repeated?;
        if !self.settings.quiet {
            say(&format!(
                "streamgauge: replayed {} records in {} batches, {} dead letters{}\n",
                digits::count(self.records),
                digits::count(self.batches),
                digits::count(self.letters.count),
                end(cut),
            ));
        }
        Ok(())
    }

    fn repeat(&mut self, Call { source, step, .. }: Call) -> Result<(), Failure> {
        match &step {
            Step::Apply(_, batch, _) => {
                self.batches += u64::from(!batch.records.is_empty());
                self.records += batch.records.len() as u64;
            }
            // What follows are the windows that were open when the captured run ended.
            Step::Finish => self.output.borrow_mut().set_incomplete(),
            _ => {}
        }
        let letters = &mut self.letters;
        let mut dead_letter = |error: Error| letters.take(&error);
        if matches!(step, Step::Begin) {
            let work = new_work(self.settings, &self.header, &self.output)?;
            match self.header.kind {
                CaptureKind::Stream => self.stream = Some(StreamWork::new(work)),
                _ => drop(self.shards.insert(source.clone(), work)),
            }
        }
        let repeated = match (&mut self.stream, self.shards.get_mut(&source)) {
            (Some(work), _) => step.repeat_on_stream(&source, work, &mut dead_letter),
            (None, Some(work)) => step.repeat_on_shard(&source, work, &mut dead_letter),
            (None, None) => Err(Error::new(ErrorKind::Parse, "a call before begin").at(&source)),
        };
        repeated.map_err(|error| Failure::run(&error))
    }
}

/// Returns new work with the settings of the captured one.
fn new_work(
    settings: &Settings,
    header: &Header,
    output: &SharedOutput,
) -> Result<PipelineWork<Declared>, Failure> {
    let usage = |error: Error| Failure::usage(&error);
    let options = compile_options(settings);
    let early = early::of_stream(&settings.spec, &options, None).map_err(usage)?;
    let pipeline = Declared::compile(&settings.spec, options).map_err(usage)?;
    let pipeline = settings.copy.traced(pipeline, &settings.spec)?;
    let (output, rows) = (output.clone(), rows_options(settings));
    let open = move |_: &ShardId, _: &Declared| {
        let sink: Box<dyn Sink<Declared>> = Box::new(Rows(output.clone(), rows));
        Ok(sink)
    };
    let mut work = header.set_up(PipelineWork::new(pipeline, open).map_err(usage)?);
    if let Some(interval) = early {
        work = work.emit_early(interval);
    }
    if let Some(path) = &settings.spec.late {
        work = work.on_late(late_records(Path::new(path))?);
    }
    Ok(work)
}

#[cfg(not(feature = "lambda-runtime"))]
fn replay_events(_: &Settings, _: &Header, _: Entries) -> Result<(), Failure> {
    Err(Failure::Usage(String::from(
        "--replay: the capture of a Lambda function, and this was built without Lambda; build it \
         with the feature lambda-runtime",
    )))
}

#[cfg(feature = "lambda-runtime")]
fn replay_events(settings: &Settings, header: &Header, entries: Entries) -> Result<(), Failure> {
    let mut handler = handler(settings, header)?;
    let (mut events, mut cut) = (0u64, false);
    for entry in entries {
        let (at, data) = match entry.map_err(|error| Failure::run(&error))? {
            Entry::Event { at, data } => (at, data),
            entry => {
                cut |= matches!(entry, Entry::Cut);
                continue;
            }
        };
        events += 1;
        match handler.handle_bytes(&data, at) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Io => return Err(Failure::run(&error)),
            // Lambda delivered such a batch again.
            Err(error) => say(&format!("error: {error}\n")),
        }
    }
    if !settings.quiet {
        say(&format!("streamgauge: replayed {} events{}\n", digits::count(events), end(cut)));
    }
    Ok(())
}

/// Returns a handler with the settings of the captured function.
#[cfg(feature = "lambda-runtime")]
fn handler(
    settings: &Settings,
    header: &Header,
) -> Result<Handler<Declared, JsonLinesSink<StandardOutput>>, Failure> {
    let usage = |error: Error| Failure::usage(&error);
    let mut options = compile_options(settings);
    // A batch or a tumbling window of Lambda ends, so its records need not be late.
    options.bounded_input = header.mode.as_deref() != Some("store");
    let pipeline = Declared::compile(&settings.spec, options).map_err(usage)?;
    if settings.spec.explain == Some(true) {
        say(&explained(pipeline.pipeline()));
    }
    let out = StandardOutput::new(&Bar::default())?;
    let lines = JsonLinesSink::new(out).with_source(header.with_source);
    let handler = Handler::new(pipeline, lines).map_err(usage)?.packing(header.packing);
    let handler = match header.mode.as_deref() {
        Some("store") => handler.stored(MemoryStore::new()),
        Some("stateless") => handler.stateless(),
        _ => handler.tumbling(),
    };
    let handler = match header.idle_after {
        Some(millis) => handler.idle_after(Duration::from_millis(millis)),
        None => handler,
    };
    Ok(handler.on_dead_letter(|letter| {
        say(&(serde_json::to_string(letter).unwrap_or_default() + "\n"));
    }))
}

/// Returns the end of a sentence about a capture.
fn end(cut: bool) -> &'static str {
    if cut { "; the capture has reached its limit, and more came" } else { "" }
}
