//! `streamgauge inspect`: shows the contents of files that the commands write.

mod file;
mod sizes;
mod text;

use crate::arguments::{
    InputArguments, InspectArguments, InspectOutputArgument, OutputArgument, OutputArguments,
    PipelineArguments,
};
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::output::Shape;
use crate::progress::Bar;
use crate::session::{Output, compile_saved, output};
use crate::settings::Settings;
use crate::standard_error::say;
use file::{FileContent, Held};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use streamgauge::adapter::files::RunState;
use streamgauge::merger::{MergerControl, MergerOptions};
use streamgauge::rows::{RowPipeline, WindowSize};
use streamgauge::snapshot::{Kind, Partial};
use streamgauge::{Control, Error, ErrorKind, Snapshot, Timestamp};

/// Shows the contents of the files.
///
/// # Errors
/// A file that cannot be read, was not written by streamgauge or belongs to another pipeline, after
/// the other files were shown; wrong usage; a reader that has gone.
pub(crate) fn run(arguments: InspectArguments) -> Result<(), Failure> {
    let InspectArguments { paths, pipeline, output: form } = arguments;
    let form = form.unwrap_or(if io::stdout().is_terminal() {
        InspectOutputArgument::Table
    } else {
        InspectOutputArgument::Json
    });
    let mut files = Vec::new();
    paths.iter().for_each(|path| add_files(path, &mut files));
    let telling = Telling { form, several: files.len() > 1, settings: settings(pipeline, form)? };
    let mut failed = Vec::new();
    for path in &files {
        match telling.tell(path) {
            Ok(()) => {}
            Err(Failure::Run(message)) => failed.push(message),
            Err(failure) => return Err(failure),
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        [only] => Err(Failure::Run(only.clone())),
        several => {
            several.iter().for_each(|message| say(&format!("error: {message}\n")));
            Err(Failure::Run(format!("{} of {} files cannot be read", several.len(), files.len())))
        }
    }
}

/// Adds a file, or the files in a directory and its subdirectories, in the order of their names. A
/// file that cannot be examined is reported when it is read.
fn add_files(path: &Path, files: &mut Vec<PathBuf>) {
    let entries = match fs::read_dir(path) {
        Ok(entries) if path.is_dir() => entries,
        _ => return files.push(path.to_owned()),
    };
    let mut below: Vec<_> = entries.filter_map(Result::ok).collect();
    below.sort_by_key(fs::DirEntry::file_name);
    for entry in below {
        // A link is followed to a file, but not to a directory, which may contain the link.
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => add_files(&entry.path(), files),
            false => files.push(entry.path()),
        }
    }
}

/// Returns the settings of the pipeline that the arguments name, if they name one.
fn settings(
    pipeline: PipelineArguments,
    form: InspectOutputArgument,
) -> Result<Option<Settings>, Failure> {
    let PipelineArguments { pipeline: file, window, group, agg, .. } = &pipeline;
    if file.is_none() && window.is_none() && group.is_none() && agg.is_empty() {
        return Ok(None);
    }
    let rows = match form {
        InspectOutputArgument::Table => OutputArgument::Table,
        InspectOutputArgument::Json => OutputArgument::Json,
    };
    let written = OutputArguments { output: Some(rows), ..OutputArguments::default() };
    Settings::new(InputArguments::default(), pipeline, &written).map(Some)
}

struct Telling {
    form: InspectOutputArgument,
    several: bool,
    settings: Option<Settings>,
}

impl Telling {
    fn tell(&self, path: &Path) -> Result<(), Failure> {
        let at = |error: Error| match Failure::run(&error) {
            Failure::ClosedPipe => Failure::ClosedPipe,
            _ => Failure::Run(error.at(path.display()).to_string()),
        };
        let content = file::read(path).map_err(at)?;
        let sizes = self.sizes(&content, &at)?;
        let mut told = match self.form {
            InspectOutputArgument::Table if self.several => format!("{}\n", path.display()),
            _ => String::new(),
        };
        match self.form {
            InspectOutputArgument::Table => {
                text::append(&content, &mut told);
                sizes.iter().for_each(|sizes| sizes::append(sizes, &mut told));
            }
            InspectOutputArgument::Json => {
                told.push_str(&json_line(path, &content, &sizes).map_err(at)?);
            }
        }
        io::stdout().write_all(told.as_bytes()).map_err(|error| Failure::output(&error))?;
        let Some(settings) = &self.settings else { return Ok(()) };
        for held in content.held() {
            let pipeline = compile_saved(settings)?;
            let mut output = output(settings, &Bar::default(), Shape::of(&pipeline))?;
            match held.summary.kind {
                Kind::Run => run_answers((&pipeline, settings), held, &mut output, &at)?,
                // A record of earlier answers is shown by its windows only.
                Kind::Answers => continue,
                _ => answers(pipeline, held, &mut output, &at)?,
            }
            output.finish().map_err(|error| Failure::output(&error))?;
        }
        Ok(())
    }
}

impl Telling {
    /// Returns the open windows of each part of a file, if the pipeline is known.
    fn sizes(
        &self,
        content: &FileContent,
        at: &dyn Fn(Error) -> Failure,
    ) -> Result<Vec<Vec<WindowSize>>, Failure> {
        let Some(settings) = &self.settings else { return Ok(Vec::new()) };
        content.held().iter().map(|held| sizes::sizes(held, settings, at)).collect()
    }
}

/// Writes the answers in the state of a run.
fn run_answers(
    (pipeline, settings): (&RowPipeline, &Settings),
    held: &Held,
    output: &mut Output,
    at: &dyn Fn(Error) -> Failure,
) -> Result<(), Failure> {
    let run = RunState::from_bytes(held.bytes.clone(), pipeline).map_err(at)?;
    for mut query in Inputs::of_state(&run, settings)? {
        while let Some(row) = query.next_row().map_err(at)? {
            output.emission(&row).map_err(|error| Failure::output(&error))?;
        }
    }
    Ok(())
}

/// Writes the answers in the bytes.
fn answers(
    mut pipeline: RowPipeline,
    held: &Held,
    output: &mut Output,
    at: &dyn Fn(Error) -> Failure,
) -> Result<(), Failure> {
    let Held { bytes, summary } = held;
    if summary.kind == Kind::Snapshot {
        pipeline.restore(&Snapshot::from_bytes(bytes.clone()).map_err(at)?).map_err(at)?;
        pipeline.finish();
        while let Some(row) = pipeline.next_emission().map_err(at)? {
            output.emission(&row).map_err(|error| Failure::output(&error))?;
        }
        return Ok(());
    }
    let mut options = MergerOptions::default();
    options.sources = Some(1);
    // A partial is of one query.
    let mut queries = pipeline.into_queries();
    let own = queries.iter().position(|query| query.fingerprint() == summary.fingerprint);
    let pipeline = queries.swap_remove(own.unwrap_or_default());
    let mut merger = pipeline.into_merger(options).map_err(at)?;
    match summary.kind {
        Kind::Partial => drop(
            merger
                .add(&Partial::from_bytes(bytes.clone()).map_err(at)?, Timestamp::from_millis(0))
                .map_err(at)?,
        ),
        _ => merger.restore(bytes.clone()).map_err(at)?,
    }
    merger.finish();
    while let Some(row) = merger.next_row().map_err(at)? {
        output.emission(&row.emission).map_err(|error| Failure::output(&error))?;
    }
    Ok(())
}

/// Returns one JSON object: the file, and its content, with the open windows of each part.
fn json_line(
    path: &Path,
    content: &FileContent,
    sizes: &[Vec<WindowSize>],
) -> Result<String, Error> {
    let unwritable =
        |error| Error::new(ErrorKind::Unsupported, "cannot be written as JSON").with_source(error);
    let summary = |(index, held): (usize, &Held)| {
        let mut summary = serde_json::to_value(&held.summary).map_err(unwritable)?;
        if let Some(sizes) = sizes.get(index) {
            summary["open_windows"] = serde_json::to_value(sizes).map_err(unwritable)?;
        }
        Ok(summary)
    };
    let mut told = match content {
        FileContent::Held(held) => summary((0, held))?,
        FileContent::Shard { state, held, applied } => {
            let holds = held.iter().enumerate().map(summary);
            let holds = holds.collect::<Result<Vec<Value>, Error>>()?;
            let mut told = json!({ "kind": "shard", "owner": state.owner, "holds": holds });
            told["phase"] = file::phase(&state.phase);
            told["applied"] = json!(applied);
            told
        }
        FileContent::Other { kind, note } => json!({ "kind": kind, "note": note }),
    };
    told["file"] = json!(path.to_string_lossy());
    Ok(told.to_string() + "\n")
}
