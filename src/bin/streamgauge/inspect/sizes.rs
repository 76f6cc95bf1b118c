//! The open windows of a state, and their largest groups.

use super::file::Held;
use crate::failure::Failure;
use crate::output::digits::count;
use crate::output::printable;
use crate::session::compile_saved;
use crate::settings::Settings;
use std::fmt::Write;
use streamgauge::adapter::files::RunState;
use streamgauge::row::OutputValue;
use streamgauge::rows::{GroupSize, WindowSize};
use streamgauge::snapshot::Kind;
use streamgauge::{Control, Error, Snapshot};

/// Groups of a window that are told: the largest ones.
const GROUPS_MAX: usize = 5;

/// Windows that are drawn: the largest ones, in their order.
const WINDOWS_MAX: usize = 20;

/// Characters of the longest bar.
const BAR_CHARS: usize = 20;

/// Characters of a group's name.
const NAME_CHARS_MAX: usize = 60;

/// Returns the open windows. Other content than states of pipelines has none.
///
/// # Errors
/// A state of another pipeline.
pub(super) fn sizes(
    held: &Held,
    settings: &Settings,
    at: &dyn Fn(Error) -> Failure,
) -> Result<Vec<WindowSize>, Failure> {
    let snapshots = match held.summary.kind {
        Kind::Snapshot => vec![Snapshot::from_bytes(held.bytes.clone()).map_err(at)?],
        Kind::Run => {
            let pipeline = compile_saved(settings)?;
            let run = RunState::from_bytes(held.bytes.clone(), &pipeline).map_err(at)?;
            let all = (0..run.len()).filter_map(|file| run.snapshot(file).transpose());
            all.collect::<Result<Vec<_>, _>>().map_err(at)?
        }
        _ => Vec::new(),
    };
    let mut sizes = Vec::new();
    for snapshot in &snapshots {
        let mut pipeline = compile_saved(settings)?;
        pipeline.restore(snapshot).map_err(at)?;
        pipeline.finish();
        while let Some(size) = pipeline.next_size(GROUPS_MAX).map_err(at)? {
            sizes.push(size);
        }
    }
    Ok(sizes)
}

/// Appends the open windows as bars.
pub(super) fn append(sizes: &[WindowSize], out: &mut String) {
    // Writing to a string does not fail.
    let _ = write_sizes(sizes, out);
}

fn write_sizes(sizes: &[WindowSize], out: &mut String) -> std::fmt::Result {
    let mut by_bytes: Vec<usize> = sizes.iter().map(|size| size.bytes).collect();
    by_bytes.sort_unstable_by(|one, other| other.cmp(one));
    let Some(largest) = by_bytes.first() else { return Ok(()) };
    let least = by_bytes.get(WINDOWS_MAX - 1).copied().unwrap_or(0);
    let total = by_bytes.iter().sum::<usize>() as u64;
    writeln!(out, "open windows: {}, {} bytes", count(sizes.len() as u64), count(total))?;
    let mut drawn = 0;
    for size in sizes.iter().filter(|size| size.bytes >= least).take(WINDOWS_MAX) {
        drawn += 1;
        let WindowSize { query, window, bytes, groups, largest: of_window, .. } = size;
        let query = query.as_ref().map(|query| format!("{} ", printable(query)));
        let window = window.map_or_else(|| "everything".to_owned(), |window| window.to_string());
        let groups = match groups {
            0 => String::new(),
            1 => ", 1 group".to_owned(),
            groups => format!(", {} groups", count(*groups as u64)),
        };
        let bar = bar(*bytes, *largest);
        let (query, bytes) = (query.unwrap_or_default(), count(*bytes as u64));
        writeln!(out, "  {bar} {query}{window}: {bytes} bytes{groups}")?;
        write_groups(of_window, out)?;
    }
    match sizes.len() - drawn {
        0 => Ok(()),
        more => writeln!(out, "  {} more windows, which are smaller", count(more as u64)),
    }
}

fn write_groups(groups: &[GroupSize], out: &mut String) -> std::fmt::Result {
    let largest = groups.first().map_or(0, |group| group.bytes);
    groups.iter().try_for_each(|group| {
        let (bar, bytes) = (bar(group.bytes, largest), count(group.bytes as u64));
        writeln!(out, "    {bar} {bytes:>12} {}", name(&group.group))
    })
}

/// Returns the values of a group, cut to a length.
fn name(group: &[OutputValue]) -> String {
    let value = |value: &OutputValue| match value {
        OutputValue::Null => "(missing)".to_owned(),
        OutputValue::Text(text) => format!("{text:?}"),
        value => value.to_string(),
    };
    let name = printable(&group.iter().map(value).collect::<Vec<_>>().join(", "));
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name,
    }
}

/// Returns a bar of a part of the whole. Nothing but nothing has no sign.
fn bar(part: usize, whole: usize) -> String {
    let chars = (part * BAR_CHARS).div_ceil(whole.max(1)).min(BAR_CHARS);
    format!("{:<BAR_CHARS$}", "#".repeat(chars))
}
