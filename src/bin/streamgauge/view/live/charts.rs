//! The columns by window: charts, and lines of one row.

use super::canvas::Canvas;
use super::choice::Choice;
use super::layout::Layout;
use super::palette::Role;
use super::picture::{Picture, interval, name_of, shown};
use super::signs::{braille, heights};
use crate::output::cut_middle;
use crate::view::answers::Answer;
use crate::view::columns::Column;
use crate::view::exactness::briefly;
use crate::view::numbers::label;
use crate::view::scale::Scale;
use crate::view::times::{Ticks, Zone};
use unicode_width::UnicodeWidthStr;

/// The columns of the windows that are shown.
pub(super) struct Charts<'a> {
    pub(super) picture: &'a Picture<'a>,
    pub(super) choice: &'a Choice,
    pub(super) zone: &'a Zone,
}

/// Columns of the screen for the labels of an axis.
const LABELS: usize = 7;
const LABELS_WIDE: usize = 9;

/// Where values stand in lines of one row, and where their columns begin.
const VALUE_X: usize = 21;
const HEIGHTS_X: usize = 44;

impl Charts<'_> {
    /// Draws the columns from a line on, and returns the line after them.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, mut y: usize, layout: &Layout) -> usize {
        let cells = self.picture.cells();
        let chosen = self.choice.column.checked_rem(cells.len()).unwrap_or(0);
        let has_chart = |index: usize| layout.is_wide || index == chosen;
        let is_chart = |index: usize, column: &Column| {
            layout.chart > 0 && has_chart(index) && column.is_drawn()
        };
        let mut has_charts = false;
        for (index, column) in cells.iter().enumerate().filter(|(i, column)| is_chart(*i, column)) {
            let lines = if index == chosen { layout.chart } else { layout.charts };
            self.title(canvas, y, column, (index == chosen, layout.is_wide));
            self.chart(canvas, (y + 1, lines), column, layout.is_wide);
            (y, has_charts) = (y + 1 + lines, true);
        }
        if has_charts {
            self.axis(canvas, y, if layout.is_wide { LABELS_WIDE } else { LABELS });
            y += 1;
        }
        let lines = cells.iter().enumerate().filter(|(index, column)| !is_chart(*index, column));
        for (index, column) in lines.take(layout.lines) {
            self.line(canvas, y, column, index == chosen);
            y += 1;
        }
        y
    }

    fn row(&self) -> Option<&Answer> {
        self.picture.chosen().and_then(|window| self.picture.row(window))
    }

    fn title(
        &self,
        canvas: &mut Canvas<'_>,
        y: usize,
        column: &Column,
        (is_chosen, is_wide): (bool, bool),
    ) {
        let (sign, role) = if is_chosen { ("▸ ", Role::Bold) } else { ("  ", Role::Plain) };
        let width = canvas.width();
        let rows = self.picture.windows.iter().filter_map(|window| self.picture.row(window));
        let mut note = briefly(column, rows).to_owned();
        if !is_wide {
            let windows = crate::output::digits::count(self.picture.windows.len() as u64);
            let between = if note.is_empty() { "" } else { " · " };
            note += &format!("{between}{windows} windows");
        }
        let note_x = canvas.put_right(width, y, (&note, Role::Mute));
        let name = format!("{sign}{}", cut_middle(&name_of(column), width / 3));
        let x = canvas.put(0, y, (&name, role)) + 2;
        let Some(row) = self.row() else { return };
        let room = note_x.saturating_sub(x + 2);
        self.value(canvas, (x, y, room), column, row);
    }

    /// Draws the value of a row with its bounds, as far as there is room.
    fn value(
        &self,
        canvas: &mut Canvas<'_>,
        (x, y, room): (usize, usize, usize),
        column: &Column,
        row: &Answer,
    ) {
        let value = cut_middle(&shown(column.of(row)), room);
        let end = canvas.put(x, y, (&value, Role::Bold));
        let bounds = interval(column.of(row)).filter(|text| end + 1 + text.width() <= x + room);
        if let Some(bounds) = bounds {
            canvas.put(end + 1, y, (&bounds, Role::Mute));
        }
    }

    /// Returns the axis for the newest values, as far as they are shown.
    fn scale(&self, values: &[Option<f64>], shown: usize, parts: f64) -> Scale {
        let newest = values[values.len().saturating_sub(shown)..].iter().flatten();
        let (low, high) = newest.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
        match low <= high {
            true => Scale::new(low, high, self.choice.is_from_zero, parts),
            false => Scale::new(0.0, 1.0, true, parts),
        }
    }

    fn chart(
        &self,
        canvas: &mut Canvas<'_>,
        (y, lines): (usize, usize),
        column: &Column,
        is_wide: bool,
    ) {
        let x = if is_wide { LABELS_WIDE } else { LABELS };
        let width = canvas.width().saturating_sub(x + 1);
        let values = self.picture.series(column);
        let scale = self.scale(&values, 2 * width, 5.0);
        for (index, line) in braille(&values, (width, lines), scale).iter().enumerate() {
            let is_end = index == 0 || index + 1 == lines;
            canvas.put(x, y + index, (if is_end { "┤" } else { "│" }, Role::Mute));
            canvas.put(x + 1, y + index, (line, Role::Accent));
        }
        canvas.put_right(x - 1, y, (&label(scale.high), Role::Mute));
        canvas.put_right(x - 1, y + lines - 1, (&label(scale.low), Role::Mute));
    }

    /// Draws the times below the charts.
    fn axis(&self, canvas: &mut Canvas<'_>, y: usize, x: usize) {
        let width = canvas.width().saturating_sub(x + 1);
        let windows = &self.picture.windows;
        let shown = &windows[windows.len().saturating_sub(2 * width)..];
        let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return };
        if first.place.0 == i64::MIN {
            return;
        }
        let most = (width / 12).max(1);
        let ticks = Ticks::between((first.place.0, last.place.0), self.zone, most);
        let mut free = 0;
        for (time, local) in &ticks.times {
            let index = shown.partition_point(|window| window.place.0 < *time);
            let column = (2 * width - shown.len() + index) / 2;
            let text = ticks.label(*local, false);
            if column >= free && column + text.width() <= width {
                free = canvas.put(x + 1 + column, y, (&text, Role::Mute)) - x + 1;
            }
        }
    }

    fn line(&self, canvas: &mut Canvas<'_>, y: usize, column: &Column, is_chosen: bool) {
        let (sign, role) = if is_chosen { ("▸ ", Role::Bold) } else { ("  ", Role::Plain) };
        let name = format!("{sign}{}", cut_middle(&name_of(column), VALUE_X - 4));
        canvas.put(0, y, (&name, role));
        let width = canvas.width();
        let has_heights = column.is_drawn() && width > HEIGHTS_X + 4;
        let end = if has_heights { HEIGHTS_X } else { width };
        if let Some(row) = self.row() {
            self.value(canvas, (VALUE_X, y, end.saturating_sub(VALUE_X + 1)), column, row);
        }
        if has_heights {
            let (values, room) = (self.picture.series(column), width - HEIGHTS_X);
            let line = heights(&values, room, self.scale(&values, room, 2.0));
            canvas.put(HEIGHTS_X, y, (&line, Role::Accent));
        }
    }
}
