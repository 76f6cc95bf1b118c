//! A run from its settings to its closing line: the common part of all subcommands.

use crate::answer_files::files;
use crate::answers::{Answers, Destination, GivenAnswers};
use crate::dead_letters::DeadLetters;
use crate::early::EarlyAnswers;
use crate::failure::Failure;
use crate::follow;
use crate::hints::Hints;
use crate::inputs::Inputs;
use crate::interrupt::{Interrupt, Signal};
use crate::late_records::LateRecords;
use crate::one_file;
use crate::output::{OutputWriter, Shape, Terminal, digits};
use crate::progress::{Bar, Progress};
use crate::settings::Settings;
use crate::sink::{NOTED_MAX, Sink, SinkOptions};
pub(crate) use crate::standard_error::say;
use crate::standard_output::StandardOutput;
use crate::state::{Resumed, State};
use crate::view::live::LiveWriter;
use crate::view::published::PublishedWriter;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::iter::once;
use std::path::Path;
use std::sync::Arc;
use streamgauge::adapter::files::{FilesOptions, Format, Input, RunAnswers};
use streamgauge::adapter::worker::{Clock, SystemClock};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::{CompileOptions, JsonLines, Query, RowPipeline};
use streamgauge::store::{self, PartialStore, Store};
use streamgauge::{Error, ErrorKind, Timestamp};

pub(crate) type Output = OutputWriter<BufWriter<StandardOutput>>;

/// Bytes that are written to standard output together.
const OUTPUT_BYTES: usize = 1 << 16;

/// Runs the pipeline over the files.
///
/// # Errors
/// Wrong usage, a failed run, or a reader that has gone.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let interrupt = watch(settings.live)?;
    if settings.follow.is_some() {
        follow::check(settings)?;
    }
    let is_piped = settings.follow.is_none() && settings.files.iter().any(|path| is_stream(path));
    if settings.copy.capture.is_some() && !is_piped {
        let message = "--capture copies standard input and pipes; a file can be read again itself";
        return Err(Failure::Usage(message.to_owned()));
    }
    let inputs = settings.files.iter().map(|path| input(settings, path, &interrupt));
    let inputs = inputs.collect::<Result<Vec<Input>, Failure>>()?;
    run_over(settings, inputs, (interrupt, None))
}

/// Runs the pipeline over inputs in place of the files, with a clock in place of the system's.
///
/// # Errors
/// Those of [`run`].
pub(crate) fn run_over(
    settings: &Settings,
    inputs: Vec<Input>,
    (interrupt, clock): (Interrupt, Option<fn() -> Timestamp>),
) -> Result<(), Failure> {
    let spec = &settings.spec;
    let follows = settings.follow.is_some();
    let sizes: Option<Vec<u64>> = inputs.iter().map(Input::size_bytes).collect();
    // An input that cannot be examined is not a stream. Reading it will report the error.
    let live = follows || settings.files.iter().any(|path| is_stream(path));
    if live && !follows && settings.durable.state.is_some() {
        let message = "--state needs files, which can be read again from where a run stopped; \
                       standard input, pipes and devices cannot";
        return Err(Failure::Usage(message.into()));
    }
    if settings.durable.state.is_some() && settings.durable.state == settings.durable.partials {
        return Err(Failure::Usage("--state and --partials need a directory each".into()));
    }
    check_max_ahead(settings)?;
    let early = EarlyAnswers::of_run(settings, live)?;
    let pipeline = compile(settings, !live)?;
    check_rows(settings, &pipeline)?;
    format(spec)?;
    check_durable(settings, &pipeline)?;
    if spec.explain == Some(true) {
        say(&explained(&pipeline));
        settings.expected.iter().for_each(|expected| say(&expected.told(&pipeline)));
        if nothing_to_read(settings) {
            return Ok(());
        }
    }
    one_file::check(settings)?;
    if settings.live && nothing_to_read(settings) {
        let message = "--live needs the keyboard for its keys: name files, or send records by a \
                       pipe";
        return Err(Failure::Usage(message.to_owned()));
    }
    let progress = Progress::new(
        sizes.filter(|_| !follows).map(|sizes| sizes.iter().sum()),
        settings.quiet || settings.live || nothing_to_read(settings),
    );
    if !settings.quiet && nothing_to_read(settings) {
        say("reading records from this terminal, which is standard input (-);\n\
             name files to read them, or end the input with Ctrl-D\n");
    }
    let bar = progress.bar().clone();
    let run = Run { settings, pipeline, live, progress, interrupt, early, clock };
    let store = settings
        .durable
        .state
        .as_deref()
        .map(|place| store::open(place).map_err(|error| Failure::run(&error.at(place))));
    let output = match &settings.durable.partials {
        Some(_) => None,
        None => Some(run.output(&bar)?),
    };
    let partials = settings
        .durable
        .partials
        .as_deref()
        .map(|place| store::open(place).map_err(|error| Failure::run(&error.at(place))));
    run.start(
        inputs,
        output,
        Stores { state: store.transpose()?.map(Arc::from), partials: partials.transpose()? },
    )
}

/// Refuses partials and a state of rows that are passed on, where these have none.
fn check_durable(settings: &Settings, pipeline: &RowPipeline) -> Result<(), Failure> {
    if settings.durable.partials.is_some() {
        pipeline.check_merges().map_err(|error| Failure::usage(&error.at("--partials")))?;
    }
    let is_alone = settings.spec.select.is_some();
    if settings.durable.state.is_none() || is_alone || !pipeline.passes_on() {
        return Ok(());
    }
    let message = "--state: rows that select passes on are given at once, and the answers of the \
                   other queries at the end of all inputs: give the query with select a pipeline \
                   file and a state of its own";
    Err(Failure::Usage(message.to_owned()))
}

/// Refuses what windows of a number of rows have not.
fn check_rows(settings: &Settings, pipeline: &RowPipeline) -> Result<(), Failure> {
    if !pipeline.queries().any(|query| query.windows().is_of_rows()) {
        return Ok(());
    }
    let durable = &settings.durable;
    let refused = if durable.state.is_some() {
        "--state: files may grow in their middle, where windows would have other rows"
    } else if durable.partials.is_some() {
        "--partials: the rows of several sources have no order"
    } else if settings.spec.output.as_deref() == Some("html") {
        "--output html: a page shows windows of time"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(format!("windows of a number of rows do not go with {refused}")))
}

/// Refuses a flag that has no effect. A key of a pipeline file gets a note only, because it may be
/// meant for another command.
fn check_max_ahead(settings: &Settings) -> Result<(), Failure> {
    if settings.reads_clock() || settings.spec.max_ahead.as_deref().is_none_or(|text| text == "off")
    {
        return Ok(());
    }
    let why = "needs the clock, so it works for standard input and pipes only; a regular file has \
               no arrival times";
    match settings.flags.contains(&"max_ahead") {
        true => Err(Failure::Usage(format!("--max-ahead {why}"))),
        false if settings.quiet => Ok(()),
        false => {
            say(&format!("note: max_ahead {why}: it is ignored\n"));
            Ok(())
        }
    }
}

/// The stores of a run.
pub(crate) struct Stores {
    pub(crate) state: Option<Arc<dyn Store>>,
    pub(crate) partials: Option<Box<dyn Store>>,
}

/// A run that is about to start.
pub(crate) struct Run<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) pipeline: RowPipeline,
    pub(crate) live: bool,
    pub(crate) progress: Progress,
    pub(crate) interrupt: Interrupt,
    pub(crate) early: Option<EarlyAnswers>,
    /// The clock in place of the system's.
    pub(crate) clock: Option<fn() -> Timestamp>,
}

impl Run<'_> {
    /// Returns true if a row can be retracted, because groups or rows are limited, a condition may
    /// cease to hold, or a session can continue: with a late record, or in a later run.
    pub(crate) fn retracts(&self) -> bool {
        let spec = &self.settings.spec;
        let mut specs = once(spec).chain(spec.queries.iter().flatten());
        let can_cease = specs.any(|spec| spec.limit_groups.is_some()) || self.pipeline.retracts();
        let is_revised = self.settings.durable.state.is_some() || self.pipeline.is_revised();
        let mut queries = self.pipeline.queries();
        is_revised && (can_cease || queries.any(|query| query.windows().is_per_group()))
    }

    /// Returns the shape of the answers. With a state, a later run may revise them.
    fn shape(&self) -> Shape {
        let resumed = self.settings.durable.state.is_some();
        let shape = Shape::of(&self.pipeline);
        let retracts = self.retracts() || shape.retracts;
        Shape { retracts, revised: shape.revised || resumed, resumed, ..shape }
    }

    /// Returns where the answers go. Nobody knows when a stream ends, so that its windows are
    /// files as soon as they are complete; so are those that a later run may revise.
    fn output(&self, bar: &Bar) -> Result<Output, Failure> {
        let per_window = self.live || self.settings.durable.state.is_some();
        match files(self.settings, &self.pipeline, per_window)? {
            Some(files) => Ok(files),
            None => shown(self.settings, bar, self.shape(), &self.interrupt),
        }
    }

    /// Reads the inputs and answers them.
    ///
    /// # Errors
    /// A state that cannot be continued, a failed run, or a reader that has gone.
    pub(crate) fn start<W: Write>(
        self,
        inputs: Vec<Input>,
        output: Option<OutputWriter<W>>,
        stores: Stores,
    ) -> Result<(), Failure> {
        let retracts = self.retracts();
        let Run { settings, pipeline, live, progress, interrupt, early, clock } = self;
        let spec = &settings.spec;
        let resumed = stores.state.map(|store| {
            let place = settings.durable.state.as_deref().unwrap_or_default();
            Resumed::read(store, place, compile(settings, !live)?)
        });
        let mut resumed = resumed.transpose()?;
        let source = source(settings, resumed.as_mut().map(|resumed| &mut resumed.state))?;
        let destination = destination(output, stores.partials, source)?;
        let state = resumed.as_mut().map(|resumed| &mut resumed.state);
        let pipelines = Inputs::of(state, settings, !live)?;
        let before = resumed
            .as_ref()
            .filter(|resumed| resumed.state.has_resumed())
            .map(|resumed| &resumed.state.run);
        let letters = DeadLetters::new(spec.dead_letters.as_deref().map(Path::new), before)?;
        let late = LateRecords::new(spec.late.as_deref().map(Path::new), before)?;
        let mut reading = FilesOptions::with_format(format(spec)?);
        reading.limits = settings.limits.clone();
        reading.defer_tails = resumed.is_some();
        reading.threads = Some(settings.threads);
        if settings.reads_clock() {
            reading.clock = Some(clock.unwrap_or(|| SystemClock.now()));
        }
        // Tests save after every line.
        reading.block_bytes = cfg!(test).then_some(64);
        let (state, given) = match resumed {
            // Rows that are passed on are given once.
            Some(Resumed { state, .. }) if pipeline.passes_on() => (Some(state), None),
            Some(Resumed { state, answers, kept_answers }) => {
                let kept = Some(kept_answers);
                (Some(state), Some(GivenAnswers::new(answers, kept, retracts)))
            }
            None => {
                (None, retracts.then(|| GivenAnswers::new(RunAnswers::default(), None, retracts)))
            }
        };
        let answers = Answers::new(destination, given, &pipeline);
        let hints = Hints::new(settings, pipeline.time_fields());
        let options = SinkOptions {
            letters,
            late,
            progress,
            strict: spec.strict == Some(true),
            live,
            quiet: settings.quiet,
            state,
            threads: settings.threads,
            interrupt,
            hints,
            state_bytes_max: settings.limits.state_bytes_max as u64,
            early,
            trace: settings.copy.tracer(spec)?,
        };
        let mut sink = Sink::new(pipelines, answers, options);
        let read = match &settings.follow {
            Some(follow) => sink.follow(settings, follow, &reading),
            None => sink.read(inputs, &reading),
        };
        let ended = end(&mut sink, read, settings);
        sink.forget_pipelines();
        ended
    }
}

/// Returns the destination of the answers.
fn destination<W: Write>(
    output: Option<OutputWriter<W>>,
    partials: Option<Box<dyn Store>>,
    source: String,
) -> Result<Destination<W>, Failure> {
    match (output, partials) {
        (Some(output), _) => Ok(Destination::Rows(Box::new(output))),
        (None, Some(store)) => {
            Ok(Destination::Partials { store: PartialStore::new(store), source })
        }
        (None, None) => {
            Err(Failure::Usage("a run needs an output or a place for its partials".into()))
        }
    }
}

/// Returns the source of the partials. A run that continues keeps its source, even if the files
/// have other names now.
fn source(settings: &Settings, state: Option<&mut State>) -> Result<String, Failure> {
    let Some(state) = state else { return Ok(settings.source()) };
    match (state.run.source(), &settings.durable.source) {
        (Some(known), Some(source)) if known != source => {
            let message = format!(
                "--source {source}: the partials of this --state are from {known:?}; under another \
                 name their records would count twice"
            );
            Err(Failure::Usage(message))
        }
        (Some(known), _) => Ok(known.to_owned()),
        (None, _) => {
            let source = settings.source();
            if settings.durable.partials.is_some() {
                state.run.set_source(&source);
            }
            Ok(source)
        }
    }
}

/// Writes the answers and the summary.
fn end<W: Write>(
    sink: &mut Sink<W>,
    read: Result<(), Error>,
    settings: &Settings,
) -> Result<(), Failure> {
    let quiet = settings.quiet;
    sink.progress.clear();
    let windows = sink.answers.windows;
    let interrupted = sink.interrupted(&read);
    let result = match read {
        _ if interrupted.is_some() => sink.finish_interrupted(),
        Ok(()) => sink.finish(),
        // The records before the damage are answered; the error and the exit code tell that there
        // are more.
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            sink.finish().and(Err(sink.failure(&error)))
        }
        Err(error) => Err(sink.failure(&error)),
    };
    if result.is_err() {
        // The failure itself is reported.
        drop(sink.answers.close());
    }
    match result {
        // Nothing was read, so there is nothing to summarise.
        Err(failure @ Failure::Run(_)) if sink.bytes == 0 && sink.records == 0 => {
            return Err(failure);
        }
        Err(failure @ (Failure::ClosedPipe | Failure::Usage(_))) => return Err(failure),
        result => {
            sink.letters.finish()?;
            sink.late.flush()?;
            // Late records are a loss, so they are reported with --quiet, too.
            sink.late_notes().iter().for_each(|note| say(note));
            if !quiet {
                match (interrupted, &result) {
                    (Some(signal), _) => tell_interrupted(signal, sink, windows),
                    (None, Err(Failure::Interrupted(signal))) => {
                        say(&format!("note: stopped by {}: answers are missing\n", signal.name()))
                    }
                    _ => {}
                }
                tell_notes(sink);
                say(&sink.summary().to_string());
            }
            result?;
        }
    }
    // Files that are followed have no other end.
    if let Some(signal) = interrupted.filter(|_| settings.follow.is_none()) {
        return Err(Failure::Interrupted(signal));
    }
    match sink.is_all_dead() {
        true => Err(Failure::Run(sink.hints.all_dead(&sink.unseen, sink.letters.count()))),
        false => Ok(()),
    }
}

/// Returns the input of an argument. A signal can stop one that may never end.
fn input(settings: &Settings, path: &Path, interrupt: &Interrupt) -> Result<Input, Failure> {
    match is_stream(path) {
        true => settings.copy.input(path, interrupt),
        false => Ok(Input::from_argument(path)),
    }
}

/// Returns true if a path is standard input, a pipe or a device, which may never end.
pub(crate) fn is_stream(path: &Path) -> bool {
    path == Path::new("-") || path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Explains the pipeline, query by query if there are several.
pub(crate) fn explained(pipeline: &RowPipeline) -> String {
    let explain = |query: Query<'_>| match query.name() {
        Some(name) => format!("query {name}\n{}\n", query.explain()),
        None => format!("{}\n", query.explain()),
    };
    pipeline.queries().map(explain).collect::<Vec<_>>().join("\n")
}

/// Returns true if the records would have to be typed.
fn nothing_to_read(settings: &Settings) -> bool {
    let typed = settings.files.iter().all(|path| path == Path::new("-"));
    typed && settings.replay.is_none() && io::stdin().is_terminal()
}

/// Compiles the pipeline. An error names flags if flags gave the parts.
pub(crate) fn compile(settings: &Settings, bounded_input: bool) -> Result<RowPipeline, Failure> {
    let mut options = CompileOptions::default();
    options.bounded_input = bounded_input;
    options.seed = settings.seed;
    options.flags = Some(settings.flags.clone());
    options.written_until = settings.written_until;
    options.lookups = settings.lookups.clone();
    options.histograms = settings.histograms();
    let mut spec = settings.spec.clone();
    if !settings.reads_clock() {
        spec.max_ahead = None;
    }
    spec.compile(&options).map_err(|error| Failure::usage(&error))
}

/// Compiles the pipeline of saved state. It reads no records, so it needs no time field.
pub(crate) fn compile_saved(settings: &Settings) -> Result<RowPipeline, Failure> {
    let mut options = CompileOptions::default();
    options.bounded_input = true;
    options.arrival_times = true;
    options.seed = settings.seed;
    options.flags = Some(settings.flags.clone());
    options.written_until = Some(Timestamp::MAX);
    options.lookups = settings.lookups.clone();
    settings.spec.compile(&options).map_err(|error| Failure::usage(&error))
}

fn format(spec: &PipelineSpec) -> Result<Format, Failure> {
    spec.input_format().map_err(|error| Failure::usage(&error))
}

/// Watches for signals. With a screen, the terminal is given back before one ends the process.
pub(crate) fn watch(live: bool) -> Result<Interrupt, Failure> {
    let watched = if live { Interrupt::watch_behind_screen() } else { Interrupt::watch() };
    watched.map_err(|error| Failure::Run(format!("cannot watch for signals: {error}")))
}

/// Returns the screen of a run, or what publishes it beside its output, if they are wanted, and
/// otherwise the writer of its answers.
pub(crate) fn shown(
    settings: &Settings,
    bar: &Bar,
    shape: Shape,
    interrupt: &Interrupt,
) -> Result<Output, Failure> {
    if settings.live {
        if settings.published.is_some() {
            let message = "--live goes neither with --serve nor with --otlp: use one of them";
            return Err(Failure::Usage(message.to_owned()));
        }
        check_watched(settings, &shape)?;
        let names = names(&shape);
        let out = BufWriter::with_capacity(OUTPUT_BYTES, StandardOutput::new(bar)?);
        let live = LiveWriter::start(names, settings.origin(), interrupt)?;
        let table = OutputWriter::table(shape, terminal(true), out);
        return Ok(OutputWriter::Live(Box::new(live), Box::new(table)));
    }
    let Some(options) = &settings.published else { return output(settings, bar, shape) };
    let names = names(&shape);
    check_watched(settings, &shape)?;
    // What is wrong with the output is told before anything is published.
    let output = output(settings, bar, shape)?;
    let published = PublishedWriter::start(names, settings.origin(), options)?;
    Ok(OutputWriter::Published(Box::new(published), Box::new(output)))
}

/// Returns the names of the groups' fields and of the columns.
fn names(shape: &Shape) -> (Vec<String>, Vec<String>) {
    (shape.group.clone(), shape.columns.iter().map(|(name, _)| name.clone()).collect())
}

/// Refuses what a screen and metrics have no form for.
fn check_watched(settings: &Settings, shape: &Shape) -> Result<(), Failure> {
    let message = match shape {
        shape if !shape.queries.is_empty() => {
            "--live, --serve and --otlp show one query, and the pipeline has several: give each a \
             run of its own"
        }
        _ if settings.spec.select.is_some() => {
            "rows that select passes on do not go with --live, --serve and --otlp, which show \
             aggregates"
        }
        shape if shape.numbered => {
            "windows of a number of rows do not go with --live, --serve and --otlp, which show \
             windows of time"
        }
        _ => return Ok(()),
    };
    Err(Failure::Usage(message.to_owned()))
}

/// Returns the writer of answers to standard output. `bar` may be on the same terminal.
pub(crate) fn output(settings: &Settings, bar: &Bar, shape: Shape) -> Result<Output, Failure> {
    let is_terminal = io::stdout().is_terminal();
    let name =
        settings.spec.output.as_deref().unwrap_or(if is_terminal { "table" } else { "json" });
    let out = BufWriter::with_capacity(OUTPUT_BYTES, StandardOutput::new(bar)?);
    match name {
        "json" => Ok(OutputWriter::Json(JsonLines::default(), out)),
        "csv" => Ok(OutputWriter::csv(shape, out)),
        "table" => Ok(OutputWriter::table(shape, terminal(is_terminal), out)),
        "html" if settings.spec.select.is_some() => Err(Failure::Usage(
            "a page shows aggregates; rows that select passes on are a table, json or csv".into(),
        )),
        "html" => {
            check_page(is_terminal)?;
            check_one_query(&shape)?;
            Ok(OutputWriter::html(shape, settings.origin(), out))
        }
        "parquet" => Err(Failure::Usage(
            "--output parquet needs a place for its files: --out hits.parquet, --out DIR/ or --out \
             s3://BUCKET/PREFIX"
                .to_owned(),
        )),
        other => Err(Failure::Usage(format!(
            "output: {other:?} is not an output: use table, json, csv, html or parquet"
        ))),
    }
}

/// Refuses a page of several queries, whose rows have different columns.
fn check_one_query(shape: &Shape) -> Result<(), Failure> {
    match shape.queries.is_empty() {
        true => Ok(()),
        false => Err(Failure::Usage(
            "--output html: a page shows one query, and the pipeline has several: write --output \
             json, and give the lines of each query to `streamgauge report`"
                .to_owned(),
        )),
    }
}

/// Refuses to write a page to a terminal, where nobody can look at it.
pub(crate) fn check_page(is_terminal: bool) -> Result<(), Failure> {
    match is_terminal {
        true => Err(Failure::Usage(
            "a page of HTML is for a browser: send it to a file, as in > report.html".to_owned(),
        )),
        false => Ok(()),
    }
}

/// Returns the properties of the terminal. `NO_COLOR`, if set and not empty, turns escape sequences
/// off: <https://no-color.org>.
pub(crate) fn terminal(is_terminal: bool) -> Terminal {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Terminal { width: width.filter(|_| is_terminal), color: is_terminal && wanted }
}

/// Reports the incomplete windows of an interrupted run that had answered `windows_before` windows.
fn tell_interrupted<W: Write>(signal: Signal, sink: &Sink<W>, windows_before: u64) {
    let left = match sink.answers.windows - windows_before {
        _ if sink.has_state() => {
            "the state is saved, and the next run continues from there".to_owned()
        }
        0 => "no window was open".to_owned(),
        _ if sink.answers.is_without_windows() => "the answer is not complete".to_owned(),
        1 => "the last window is not complete".to_owned(),
        open => format!("the last {} windows are not complete", digits::count(open)),
    };
    say(&format!("note: stopped by {}: {left}\n", signal.name()));
}

fn tell_notes<W: Write>(sink: &Sink<W>) {
    if sink.noted > NOTED_MAX {
        say(&format!(
            "note: {} more inputs are read as plain lines; --format names another format\n",
            sink.noted - NOTED_MAX
        ));
    }
    if sink.answers.other {
        say(
            "note: there were more groups than --limit-groups allows; the records of further ones \
             are counted together in (other)\n",
        );
    }
    sink.null_notes().iter().for_each(|note| say(note));
    if sink.records > sink.letters.count() {
        sink.hints.unseen(&sink.unseen).iter().for_each(|note| say(note));
    }
}
