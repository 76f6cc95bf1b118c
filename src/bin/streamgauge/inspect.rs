//! `streamgauge inspect`: what is in a file of saved state.

use crate::arguments::{InputArguments, InspectOutputArgument, OutputArgument, OutputArguments, PipelineArguments};
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::output::printable;
use crate::progress::Bar;
use crate::session::{Output, compile, output};
use crate::settings::Settings;
use bytes::Bytes;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use streamgauge::adapter::files::RunState;
use streamgauge::merger::MergerOptions;
use streamgauge::snapshot::{Kind, Partial, Summary};
use streamgauge::spec::RowPipeline;
use streamgauge::{Error, Snapshot, Timestamp};

/// The largest file that is looked at.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Lines of shards, and of panes, that are shown to people.
const LINES_MAX: usize = 20;

/// Tells what is in the file.
///
/// # Errors
/// A file that cannot be read or is none of streamgauge's, a pipeline that it is not of, or a reader that has gone.
pub(crate) fn run(file: &Path, pipeline: PipelineArguments, form: Option<InspectOutputArgument>) -> Result<(), Failure> {
    let at = |error: Error| Failure::run(&error.at(file.display()));
    let bytes = read(file)?;
    let mut summary = Summary::of(bytes.clone()).map_err(at)?;
    if summary.kind == Kind::Run {
        RunState::of_any_pipeline(bytes.clone()).and_then(|run| run.summarize(&mut summary)).map_err(at)?;
    }
    let form = form.unwrap_or(if io::stdout().is_terminal() { InspectOutputArgument::Table } else { InspectOutputArgument::Json });
    let told = match form {
        InspectOutputArgument::Table => text(&summary),
        InspectOutputArgument::Json => json(&summary)?,
    };
    io::stdout().write_all(told.as_bytes()).map_err(|error| Failure::output(&error))?;
    if !is_given(&pipeline) {
        return Ok(());
    }
    let rows = match form {
        InspectOutputArgument::Table => OutputArgument::Table,
        InspectOutputArgument::Json => OutputArgument::Json,
    };
    let written = OutputArguments { output: Some(rows), ..OutputArguments::default() };
    let settings = Settings::new(InputArguments::default(), pipeline, &written, Vec::new())?;
    let pipeline = compile(&settings, true)?;
    let mut output = output(&settings.spec, &pipeline, &Bar::default(), false)?;
    if summary.kind == Kind::Run {
        let run = RunState::from_bytes(bytes, &pipeline).map_err(at)?;
        let mut files = Inputs::of_state(&run, &settings)?;
        while let Some(row) = files.next_row().map_err(at)? {
            output.emission(&row).map_err(|error| Failure::output(&error))?;
        }
        return output.finish().map_err(|error| Failure::output(&error));
    }
    answers(pipeline, (bytes, summary.kind), &mut output, &at)?;
    output.finish().map_err(|error| Failure::output(&error))
}

fn read(file: &Path) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(Failure::Run(format!("{}: cannot be read: {error}", file.display()))),
        Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => Err(Failure::Run(format!("{}: is over {FILE_BYTES_MAX} bytes", file.display()))),
        Ok(_) => Ok(bytes.into()),
    }
}

/// Whether the arguments say what pipeline it is.
fn is_given(pipeline: &PipelineArguments) -> bool {
    let PipelineArguments { pipeline, window, group, agg, .. } = pipeline;
    pipeline.is_some() || window.is_some() || group.is_some() || !agg.is_empty()
}

/// Writes the answers that are in the bytes.
fn answers(
    mut pipeline: RowPipeline,
    (bytes, kind): (Bytes, Kind),
    output: &mut Output,
    at: &dyn Fn(Error) -> Failure,
) -> Result<(), Failure> {
    if kind == Kind::Snapshot {
        pipeline.restore(&Snapshot::from_bytes(bytes).map_err(at)?).map_err(at)?;
        pipeline.finish();
        while let Some(row) = pipeline.next_emission().map_err(at)? {
            output.emission(&row).map_err(|error| Failure::output(&error))?;
        }
        return Ok(());
    }
    let mut options = MergerOptions::default();
    options.sources = Some(1);
    let mut merger = pipeline.into_merger(options).map_err(at)?;
    match kind {
        Kind::Partial => drop(merger.add(&Partial::from_bytes(bytes).map_err(at)?, Timestamp::from_millis(0)).map_err(at)?),
        _ => merger.restore(bytes).map_err(at)?,
    }
    merger.finish();
    while let Some(row) = merger.next_row().map_err(at)? {
        output.emission(&row.emission).map_err(|error| Failure::output(&error))?;
    }
    Ok(())
}

fn json(summary: &Summary) -> Result<String, Failure> {
    let line = serde_json::to_string(summary).map_err(|error| Failure::Run(format!("cannot be written as JSON: {error}")))?;
    Ok(line + "\n")
}

fn text(summary: &Summary) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_text(summary, &mut out);
    out
}

fn write_text(summary: &Summary, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{:?} of {} bytes, format version {}", summary.kind, summary.bytes, summary.version)?;
    writeln!(out, "pipeline: {}", printable(&summary.description))?;
    writeln!(out, "fingerprint: {:016x}, of the sketches' seeds {:016x}", summary.fingerprint, summary.seeds)?;
    if let Some(origin) = &summary.origin {
        let window = origin.window.map_or_else(|| "everything".to_owned(), |window| window.to_string());
        let last = if origin.is_final { ", final" } else { "" };
        writeln!(out, "window: {window}, revision {}{last}", origin.revision)?;
        writeln!(out, "source: {}", printable(&origin.source))?;
    }
    if matches!(summary.kind, Kind::Snapshot | Kind::Run) {
        let watermark = summary.watermark.map_or_else(|| "none yet".to_owned(), |watermark| watermark.to_string());
        writeln!(out, "watermark: {watermark}")?;
        write_shards(summary, out)?;
        write_panes(summary, out)?;
    }
    if summary.windows > 0 {
        writeln!(out, "windows kept: {}", summary.windows)?;
    }
    let sections: Vec<String> = summary.sections.iter().map(|(name, bytes)| format!("{name} {bytes}")).collect();
    writeln!(out, "bytes: {}", sections.join(", "))
}

fn write_shards(summary: &Summary, out: &mut String) -> std::fmt::Result {
    writeln!(out, "shards: {}", summary.shards.len())?;
    for shard in summary.shards.iter().take(LINES_MAX) {
        let applied = match &shard.applied {
            Some((number, 0)) => format!("taken up to {number}"),
            Some((number, sub)) => format!("taken up to {number}:{sub}"),
            None => "no place known".to_owned(),
        };
        let watermark = shard.watermark.map(|watermark| format!(", watermark {watermark}")).unwrap_or_default();
        let ended = if shard.closed { ", ended" } else { "" };
        writeln!(out, "  {}: {applied}{watermark}{ended}", printable(&shard.name))?;
    }
    more(summary.shards.len(), out)
}

fn write_panes(summary: &Summary, out: &mut String) -> std::fmt::Result {
    let bytes: usize = summary.panes.iter().map(|(_, bytes)| bytes).sum();
    writeln!(out, "panes: {}, {bytes} bytes", summary.panes.len())?;
    for (start, bytes) in summary.panes.iter().take(LINES_MAX) {
        writeln!(out, "  from {start}: {bytes} bytes")?;
    }
    more(summary.panes.len(), out)
}

fn more(lines: usize, out: &mut String) -> std::fmt::Result {
    match lines.checked_sub(LINES_MAX) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "  and {more} more (--output json tells all)"),
    }
}
