//! The paths of files: where a file goes, and how it is called.

use super::options::AnswerFormat;
use crate::hash::{Seed, hash_bytes};
use crate::rows::RowEmission;
use crate::store::escaped;
use crate::time::Timestamp;
use crate::window::Window;

/// What the rows that are held have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unit {
    /// The index of the query.
    pub(super) table: usize,
    pub(super) date: Option<String>,
    pub(super) window: Option<Window>,
    pub(super) revision: u32,
    /// Files of this unit that were written.
    pub(super) parts: u32,
}

/// Returns the date of a row's window: that of its start in the time zone of the row.
pub(super) fn date(row: &RowEmission) -> Option<String> {
    let start = row.window.filter(|window| window.is_timed())?.start();
    let text = match &row.form.zone {
        Some(zone) => zone.display(start).to_string(),
        None => start.to_string(),
    };
    text.split_once('T').map(|(date, _)| date.to_owned())
}

/// Returns the path of a file below its place, whose content are these bytes.
pub(super) fn path(
    unit: &Unit,
    (query, source): (Option<&str>, Option<&str>),
    (format, bytes): (AnswerFormat, &[u8]),
) -> String {
    let mut path = String::new();
    let named = [("query", query), ("source", source)];
    for (key, value) in named.into_iter().chain([("date", unit.date.as_deref())]) {
        if let Some(value) = value {
            path += &format!("{key}={}/", escaped(value));
        }
    }
    let window = unit.window.map_or_else(|| "all".to_owned(), name_of_window);
    let (revision, part, ending) = (unit.revision, unit.parts, format.ending());
    let hash = hash_bytes(Seed::PUBLIC, bytes);
    path + &format!("{window}-r{revision}-{part:05}-{hash:016x}.{ending}")
}

/// Returns start and end of a window without the signs that a path should not have.
fn name_of_window(window: Window) -> String {
    let compact = |time: Timestamp| time.to_string().replace(['-', ':'], "");
    let times = format!("{}-{}", compact(window.start()), compact(window.end()));
    match window.number() {
        None => times,
        Some(number) if window.is_timed() => format!("{times}-n{number}"),
        Some(number) => format!("n{number}"),
    }
}
