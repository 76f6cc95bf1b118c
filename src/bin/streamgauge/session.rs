//! A run from settings to the closing line; what all subcommands share.

use crate::dead_letters::DeadLetters;
use crate::failure::Failure;
use crate::output::{OutputWriter, Shape, Terminal, printable};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::sink::{Sink, SinkOptions};
use crate::summary::Summary;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::Path;
use streamgauge::adapter::files::{self, FilesOptions, Format, Input};
use streamgauge::spec::{CompileOptions, JsonLines, PipelineSpec, RowPipeline};
use streamgauge::{Error, ErrorKind};

type Output = OutputWriter<BufWriter<Stdout>>;

/// Runs the pipeline over the files.
///
/// # Errors
/// Wrong usage, a failed run, or a reader that has gone.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let spec = &settings.spec;
    let inputs: Vec<Input> = settings.files.iter().map(Input::from_argument).collect();
    let sizes: Option<Vec<u64>> = inputs.iter().map(Input::size_bytes).collect();
    // Something that cannot be looked at is no stream; reading it will say what is wrong with it.
    let live = settings.files.iter().any(|path| is_stream(path));
    let pipeline = compile(spec, !live)?;
    let format = format(spec)?;
    let output = output(spec, &pipeline)?;
    if spec.explain == Some(true) {
        say(&format!("{}\n", pipeline.explain()));
        if nothing_to_read(settings) {
            return Ok(());
        }
    }
    let letters = DeadLetters::new(spec.dead_letters.as_deref().map(Path::new))?;
    let progress = Progress::new(sizes.map(|sizes| sizes.iter().sum()));
    let options = SinkOptions { letters, progress, strict: spec.strict == Some(true), live };
    let mut sink = Sink::new(pipeline, output, options);
    let mut reading = FilesOptions::with_format(format);
    reading.threads = Some(settings.threads);
    let read = files::run(inputs, &reading, &mut sink);
    end(&mut sink, read.map(drop))
}

/// Answers what was read, and sums up.
fn end<W: Write>(sink: &mut Sink<W>, read: Result<(), Error>) -> Result<(), Failure> {
    sink.progress.clear();
    let result = match read {
        Ok(()) => sink.finish(),
        // What stands before the damage is answered; the error and the exit code say that it is not all.
        Err(error) if error.kind() == ErrorKind::Corrupt => sink.finish().and(Err(sink.failure(&error))),
        Err(error) => Err(sink.failure(&error)),
    };
    match result {
        Err(failure @ (Failure::ClosedPipe | Failure::Usage(_))) => return Err(failure),
        result => {
            sink.letters.finish()?;
            tell_notes(sink);
            say(&format!("{}\n", summary(sink)));
            result?;
        }
    }
    let (records, dead) = (sink.records, sink.letters.count());
    match records > 0 && dead == records {
        true => Err(Failure::Run(format!("every record was a dead letter, {dead} of {records}: is it another format (--format)?"))),
        false => Ok(()),
    }
}

/// Whether a path is standard input, a pipe or a device: something that may never end.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-") || path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// With `--explain` alone nobody means to type records.
fn nothing_to_read(settings: &Settings) -> bool {
    settings.files.iter().all(|path| path == Path::new("-")) && io::stdin().is_terminal()
}

fn compile(spec: &PipelineSpec, bounded_input: bool) -> Result<RowPipeline, Failure> {
    let mut options = CompileOptions::default();
    options.bounded_input = bounded_input;
    spec.compile(&options).map_err(|error| Failure::usage(&error))
}

fn format(spec: &PipelineSpec) -> Result<Format, Failure> {
    spec.format.as_deref().map_or(Ok(Format::Auto), str::parse).map_err(|error: Error| Failure::usage(&error))
}

fn output(spec: &PipelineSpec, pipeline: &RowPipeline) -> Result<Output, Failure> {
    let stdout = io::stdout();
    let is_terminal = stdout.is_terminal();
    let name = spec.output.as_deref().unwrap_or(if is_terminal { "table" } else { "json" });
    let out = BufWriter::new(stdout);
    match name {
        "json" => Ok(OutputWriter::Json(JsonLines::new(pipeline), out)),
        "csv" => Ok(OutputWriter::csv(Shape::of(pipeline), out)),
        "table" => Ok(OutputWriter::table(Shape::of(pipeline), terminal(is_terminal), out)),
        other => Err(Failure::Usage(format!("{other:?} is not an output: use table, json or csv"))),
    }
}

/// What is known of the terminal. `NO_COLOR`, when it is set and not empty, turns escape sequences off: <https://no-color.org>.
fn terminal(is_terminal: bool) -> Terminal {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Terminal { width: width.filter(|_| is_terminal), color: is_terminal && wanted }
}

fn tell_notes<W: Write>(sink: &Sink<W>) {
    if sink.other {
        say("note: there were more groups than --limit-groups allows; the records of further ones are counted together in (other)\n");
    }
    if sink.records > sink.letters.count() {
        for field in sink.unseen() {
            say(&format!("note: field {:?} was in no record\n", printable(field)));
        }
    }
}

fn summary<W: Write>(sink: &Sink<W>) -> Summary {
    let stats = sink.pipeline.stats();
    Summary {
        records: sink.records,
        applied: stats.applied,
        filtered: stats.filtered,
        dead_letters: sink.letters.count(),
        late: stats.late,
        between_windows: stats.between_windows,
        windows: sink.windows,
        elapsed: sink.progress.elapsed(),
        bytes: sink.bytes,
    }
}

/// Says something on standard error; where that is closed there is nobody to tell.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
