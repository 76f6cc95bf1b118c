//! The content of a file as text for people.

use super::file::FileContent;
use crate::output::printable;
use std::fmt::Write as _;
use streamgauge::adapter::storm::TupleState;
use streamgauge::adapter::worker::{Phase, StreamState};
use streamgauge::snapshot::{Kind, RecordsSummary, Summary};

/// Maximum lines of shards, and of panes.
const LINES_MAX: usize = 20;

/// Appends the content of a file.
pub(super) fn append(content: &FileContent, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write_content(content, out);
}

fn write_content(content: &FileContent, out: &mut String) -> std::fmt::Result {
    match content {
        FileContent::Held(held) => return summary_text(&held.summary, out),
        FileContent::Other { kind, note } => return writeln!(out, "{kind}: {}", printable(note)),
        FileContent::Shard { state, applied, .. } => {
            let what = match &state.phase {
                Phase::Running { state, .. } if StreamState::is_one(state) => "a stream",
                Phase::Running { state, .. } if TupleState::is_one(state) => "a task of a bolt",
                _ => "a shard on the KCL",
            };
            write!(out, "State of {what}, owner {}: ", state.owner)?;
            match &state.phase {
                Phase::Claiming { parents } => {
                    writeln!(out, "claiming the windows of {}", names(parents))?
                }
                Phase::Running { parents, .. } if parents.is_empty() => writeln!(out, "running")?,
                Phase::Running { parents, .. } => {
                    writeln!(out, "running, with the windows of {}", names(parents))?
                }
                Phase::Ended { adopted_by: Some(adopter), .. } => {
                    writeln!(out, "ended, {} has its windows", printable(adopter))?
                }
                _ => writeln!(out, "ended, and no other shard has its windows yet")?,
            }
            if let Some(applied) = applied {
                writeln!(out, "merged up to {}", printable(applied))?;
            }
        }
    }
    content.held().iter().try_for_each(|held| summary_text(&held.summary, out))
}

fn names(shards: &[String]) -> String {
    match shards {
        [] => "no shards".to_owned(),
        shards => printable(&shards.join(", ")),
    }
}

fn summary_text(summary: &Summary, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "{:?} of {} bytes, format version {}",
        summary.kind, summary.bytes, summary.version
    )?;
    writeln!(out, "pipeline: {}", printable(&summary.description))?;
    writeln!(
        out,
        "fingerprint: {:016x}, of the sketches' seeds {:016x}",
        summary.fingerprint, summary.seeds
    )?;
    if let Some(origin) = &summary.origin {
        let window =
            origin.window.map_or_else(|| "everything".to_owned(), |window| window.to_string());
        let last = if origin.is_final { ", final" } else { "" };
        writeln!(out, "window: {window}, revision {}{last}", origin.revision)?;
        writeln!(out, "source: {}", printable(&origin.source))?;
    }
    if matches!(summary.kind, Kind::Snapshot | Kind::Run) {
        let watermark = summary
            .watermark
            .map_or_else(|| "none yet".to_owned(), |watermark| watermark.to_string());
        writeln!(out, "watermark: {watermark}")?;
        if let Some(records) = &summary.records {
            let RecordsSummary { applied, filtered, late, dead_letters, .. } = records;
            writeln!(
                out,
                "records: {applied} applied, {filtered} filtered, {late} late, {dead_letters} dead \
                 letters"
            )?;
        }
        write_shards(summary, out)?;
        write_panes(summary, out)?;
    }
    if summary.windows > 0 {
        writeln!(out, "windows kept: {}", summary.windows)?;
    }
    let sections: Vec<String> =
        summary.sections.iter().map(|(name, bytes)| format!("{name} {bytes}")).collect();
    writeln!(out, "bytes: {}", sections.join(", "))
}

fn write_shards(summary: &Summary, out: &mut String) -> std::fmt::Result {
    writeln!(out, "shards: {}", summary.shards.len())?;
    for shard in summary.shards.iter().take(LINES_MAX) {
        let applied = match &shard.applied {
            Some((number, 0)) => format!("applied up to {number}"),
            Some((number, sub)) => format!("applied up to {number}:{sub}"),
            None => "no position known".to_owned(),
        };
        let watermark =
            shard.watermark.map(|watermark| format!(", watermark {watermark}")).unwrap_or_default();
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
        Some(more) => writeln!(out, "  and {more} more (--output json shows all)"),
    }
}
