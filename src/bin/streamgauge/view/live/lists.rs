//! A list as bars: a top-k, or the groups by their size.

use super::canvas::Canvas;
use super::choice::Choice;
use super::facts::moment;
use super::layout::Layout;
use super::palette::Role;
use super::picture::{List, Listed, Picture, shown};
use super::signs::{bar, braille};
use crate::output::cut_middle;
use crate::output::digits::count;
use crate::view::kept::KeptWindow;
use crate::view::numbers::number;
use crate::view::scale::Scale;
use crate::view::times::Zone;
use std::collections::HashMap;
use streamgauge::row::Number;
use unicode_width::UnicodeWidthStr;

/// Where keys begin, after the rank and its change.
const KEY_X: usize = 7;

/// Columns of the screen for a count, and for its bounds.
const COUNT: usize = 8;
const BOUNDS: usize = 12;

/// Columns of the screen for the counts of the last windows.
const LINE: usize = 36;

/// Columns of the screen for a key.
const KEY_MAX: usize = 40;

/// The list of the chosen window.
pub(super) struct Lists<'a> {
    pub(super) picture: &'a Picture<'a>,
    pub(super) choice: &'a Choice,
    pub(super) zone: &'a Zone,
}

/// The places of the parts of a row.
struct Places {
    key: usize,
    bar: usize,
    line: Option<usize>,
}

impl Lists<'_> {
    /// Draws the list from a line on, and returns the line after it.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, y: usize, layout: &Layout) -> usize {
        canvas.rule(y);
        let end = y + 2 + layout.list;
        let list = self.picture.list(self.choice);
        let Some((list, window)) = list.zip(self.picture.chosen()) else { return end };
        let rows = self.picture.listed(list, window);
        self.head(canvas, y + 1, (list, window), &rows);
        let room = match rows.len() > layout.list {
            true => layout.list - 1,
            false => layout.list,
        };
        let from = self.choice.scrolled.min(rows.len().saturating_sub(room));
        let places = places(canvas.width(), layout.is_lined);
        let before = self.ranks_before(list);
        let longest = rows.iter().map(|row| row.upper).fold(0.0, f64::max);
        let counts = if layout.is_lined { self.counts(list) } else { Vec::new() };
        for (index, row) in rows.iter().enumerate().skip(from).take(room) {
            let y = y + 2 + index - from;
            self.rank(canvas, y, index, before.as_ref().map(|ranks| ranks.get(&row.name)));
            self.row(canvas, (y, index == 0), row, (&places, longest));
            if let Some(x) = places.line {
                canvas.put(x, y, (&line(&counts, row), Role::Mute));
            }
        }
        let more = rows.len().saturating_sub(from + room);
        let texts = [(from, "↑"), (more, "↓")].into_iter().filter(|(rows, _)| *rows > 0);
        let texts: Vec<String> =
            texts.map(|(rows, sign)| format!("{} more {sign}", count(rows as u64))).collect();
        if rows.len() > room {
            canvas.put(KEY_X, y + 2 + room, (&texts.join(" · "), Role::Mute));
        }
        end
    }

    fn head(
        &self,
        canvas: &mut Canvas<'_>,
        y: usize,
        (list, window): (List, &KeptWindow),
        rows: &[Listed<'_>],
    ) {
        let width = canvas.width();
        let open = self.open();
        let open_x = canvas.put_right(width, y, (&open, Role::Mute));
        let mut title = cut_middle(&self.picture.title(list), width / 3);
        if self.picture.is_grouped() && list != List::Groups {
            title += &format!(" of {}", self.group_name(window, width / 5));
        }
        let x = canvas.put(0, y, (&title, Role::Bold)) + 2;
        let begin = moment(self.zone, window.place);
        let (start, end) = window.place;
        let length = end.saturating_sub(start);
        let whole = moment(self.zone, (end, end.saturating_add(length)));
        let bounds = match () {
            () if window.is_open => "open: not complete",
            () if rows.iter().all(|row| row.lower == row.upper) => "exact",
            () => "bounds hold",
        };
        let rank = "rank against the window before";
        let left_out = match window.left_out {
            0 => String::new(),
            groups => format!(" · {} more groups", count(groups as u64)),
        };
        let texts = [
            format!("window {begin} to {whole} · {bounds}{left_out} · {rank}"),
            format!("window {begin} · {bounds}{left_out}"),
            format!("window {begin}"),
        ];
        let texts = texts.map(|text| text.replace("window everything", "everything"));
        let room = open_x.saturating_sub(x + 2);
        if let Some(text) = texts.iter().find(|text| text.width() <= room) {
            canvas.put(x, y, (text, Role::Mute));
        }
    }

    fn group_name(&self, window: &KeptWindow, width: usize) -> String {
        let name = self.picture.groups.get(self.picture.group);
        let row = name.and_then(|name| window.row(name));
        let text = row.map(|row| crate::view::text::group_text(&row.group)).unwrap_or_default();
        let (at, all) = (self.picture.group + 1, self.picture.groups.len());
        format!("{} ({at} of {})", cut_middle(&text, width), count(all as u64))
    }

    /// Returns the newest open window, and how many records it has so far.
    fn open(&self) -> String {
        let Some((window, number)) = self.picture.open else { return String::new() };
        let measure = self.picture.measure();
        let row = self.picture.row(window).or_else(|| window.rows().next().map(|(_, row)| row));
        let so_far = row.zip(measure).map(|(row, measure)| {
            let value = shown(measure.of(row));
            match measure.function() {
                Some("count") => format!(", {value} so far"),
                _ => format!(", {} {value} so far", cut_middle(&measure.name, 16)),
            }
        });
        let many = if number > 1 { format!("{} ", count(number as u64)) } else { String::new() };
        format!("{many}open: {}{}", moment(self.zone, window.place), so_far.unwrap_or_default())
    }

    /// Returns the ranks in the window before the chosen one, if there is one.
    fn ranks_before(&self, list: List) -> Option<HashMap<String, usize>> {
        let before = self.picture.windows.iter().rev().nth(1)?;
        let rows = self.picture.listed(list, before);
        Some(rows.into_iter().enumerate().map(|(index, row)| (row.name, index)).collect())
    }

    fn rank(&self, canvas: &mut Canvas<'_>, y: usize, rank: usize, before: Option<Option<&usize>>) {
        canvas.put_right(2, y, (&(rank + 1).to_string(), Role::Mute));
        let (text, role) = match before {
            None => return,
            Some(None) => ("new".to_owned(), Role::Accent),
            Some(Some(before)) if *before > rank => (format!("▲{}", before - rank), Role::Accent),
            Some(Some(before)) if *before < rank => (format!("▼{}", rank - before), Role::Warn),
            Some(Some(_)) => return,
        };
        canvas.put(3, y, (&text, role));
    }

    fn row(
        &self,
        canvas: &mut Canvas<'_>,
        (y, is_first): (usize, bool),
        row: &Listed<'_>,
        (places, longest): (&Places, f64),
    ) {
        let key = cut_middle(&row.key.text(), places.key);
        canvas.put(KEY_X, y, (&key, Role::Plain));
        let x = KEY_X + 1 + places.key;
        canvas.put(x, y, (&bar(row.lower, row.upper, longest, places.bar), Role::Accent));
        let role = if is_first { Role::Bold } else { Role::Plain };
        canvas.put_right(x + places.bar + COUNT - 1, y, (&row.value, role));
        if row.upper > row.lower {
            let bound = |bound: f64| number(Number::Float(bound));
            let bounds = format!("{}–{}", bound(row.lower), bound(row.upper));
            let end = places.line.unwrap_or(canvas.width());
            let x = x + places.bar + COUNT;
            canvas.put(x, y, (&cut_middle(&bounds, end.saturating_sub(x + 1)), Role::Mute));
        }
    }

    /// Returns the counts of the keys in the last windows.
    fn counts(&self, list: List) -> Vec<HashMap<String, f64>> {
        let windows = &self.picture.windows;
        let shown = windows[windows.len().saturating_sub(2 * LINE)..].iter();
        let rows = shown.map(|window| self.picture.listed(list, window).into_iter());
        rows.map(|rows| rows.map(|row| (row.name, row.count)).collect()).collect()
    }
}

/// Returns the counts of a key in the last windows as a line.
fn line(counts: &[HashMap<String, f64>], row: &Listed<'_>) -> String {
    let counts: Vec<Option<f64>> =
        counts.iter().map(|window| window.get(&row.name).copied()).collect();
    let highest = counts.iter().flatten().copied().fold(0.0, f64::max);
    braille(&counts, (LINE, 1), Scale::new(0.0, highest, true, 3.0)).concat()
}

/// Returns where the parts of a row are.
fn places(width: usize, is_lined: bool) -> Places {
    let line = is_lined.then(|| width.saturating_sub(LINE));
    let end = line.map_or(width, |line| line.saturating_sub(6));
    let key = match width {
        100.. => KEY_MAX,
        width => (width * 28 / 80).min(28),
    };
    let bar = end.saturating_sub(KEY_X + 1 + key + COUNT + BOUNDS);
    Places { key, bar, line }
}
