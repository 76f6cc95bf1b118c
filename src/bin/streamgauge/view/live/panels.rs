//! What lies over the picture: help, and the last notices.

use super::canvas::Canvas;
use super::draw::Notice;
use super::palette::Role;
use crate::output::cut_end;
use std::collections::VecDeque;

/// Where notices begin, after the name of the part and the time.
const TIME_X: usize = 18;
const TEXT_X: usize = 28;

/// The keys, and what they do.
const HELP: [(&str, &str); 15] = [
    ("q, Ctrl-C", "end: the last whole window is printed"),
    ("space", "freeze the picture, or let it go on; reading never stops"),
    ("← →", "an earlier or a later window"),
    ("Home, End", "the oldest window; the newest one, as it comes"),
    ("↑ ↓ PgUp PgDn", "rows of the list"),
    ("tab", "the column of the chart"),
    ("z", "axes from zero, or fitted"),
    ("g", "the next group; the first one is the largest"),
    ("t", "the next list"),
    ("l", "late records, dead letters and other notices"),
    ("w", "write report.html of the windows kept"),
    ("Ctrl-Z", "stop until fg"),
    ("Esc", "back"),
    ("━━━─┤", "a bar: to the lower bound, and on to the upper one"),
    ("▲2 ▼1 new", "the change of rank since the window before"),
];

/// Draws the help between two lines.
pub(super) fn help(canvas: &mut Canvas<'_>, (y, end): (usize, usize)) {
    for (index, (key, text)) in HELP.iter().enumerate().take(end.saturating_sub(y)) {
        canvas.put(2, y + index, (key, Role::Bold));
        canvas.put(TIME_X, y + index, (text, Role::Plain));
    }
}

/// Draws the newest notices between two lines, the last one first.
pub(super) fn notices(
    canvas: &mut Canvas<'_>,
    (y, end): (usize, usize),
    notices: &VecDeque<Notice>,
) {
    canvas.put(0, y, ("last notices", Role::Bold));
    if notices.is_empty() {
        canvas.put(TIME_X, y, ("none", Role::Mute));
    }
    for (index, notice) in notices.iter().rev().enumerate().take(end.saturating_sub(y)) {
        canvas.put(TIME_X, y + index, (&notice.time, Role::Mute));
        let role = if notice.is_loss { Role::Warn } else { Role::Plain };
        let room = canvas.width().saturating_sub(TEXT_X);
        canvas.put(TEXT_X, y + index, (&cut_end(&notice.text, room), role));
    }
}
