//! The part of the answers that the screen shows now.

use super::choice::{Action, Choice, Panel};
use crate::view::answers::{Answer, identity};
use crate::view::columns::{Column, Values};
use crate::view::kept::{Kept, KeptWindow};
use crate::view::numbers::{bounds, number};
use crate::view::text::{group_text, key_text};
use std::collections::HashMap;
use streamgauge::row::{Number, OutputValue};

/// A row of a list, drawn as a bar.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Listed<'a> {
    /// What it is found by in another window.
    pub(super) name: String,
    /// The key of a top-k, or of a group.
    pub(super) key: ListedKey<'a>,
    pub(super) value: String,
    pub(super) count: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// The key of a row of a list.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum ListedKey<'a> {
    Value(&'a OutputValue),
    Group(&'a [OutputValue]),
}

impl ListedKey<'_> {
    /// Returns the key as text that is safe on a terminal.
    pub(super) fn text(self) -> String {
        match self {
            ListedKey::Value(key) => key_text(key),
            ListedKey::Group(keys) => group_text(keys),
        }
    }
}

/// A list: a top-k, or the groups of a window by their size.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum List {
    /// The index of the column.
    Top(usize),
    Groups,
}

/// The part of the answers that is shown.
pub(super) struct Picture<'a> {
    pub(super) kept: &'a Kept,
    /// The windows up to the chosen one.
    pub(super) windows: Vec<&'a KeptWindow>,
    /// Windows after the chosen one.
    pub(super) behind: usize,
    /// The newest open window, and the number of open ones.
    pub(super) open: Option<(&'a KeptWindow, usize)>,
    /// All columns.
    pub(super) columns: Vec<Column>,
    /// The identities of the chosen window's groups, the largest first.
    pub(super) groups: Vec<String>,
    /// The index of the chosen group.
    pub(super) group: usize,
    pub(super) lists: Vec<List>,
}

impl<'a> Picture<'a> {
    pub(super) fn new(
        kept: &'a Kept,
        expressions: &HashMap<String, String>,
        choice: &Choice,
    ) -> Self {
        let closed = || kept.windows().filter(|window| !window.is_open);
        // Until the first window has closed, the open ones are shown.
        let mut windows: Vec<&KeptWindow> = match closed().next() {
            Some(_) => closed().collect(),
            None => kept.windows().collect(),
        };
        let all = windows.len();
        if let Some(order) = choice.window {
            let end = windows.partition_point(|window| window.order() <= order);
            windows.truncate(end.max(1));
        }
        let open = || kept.windows().rev().filter(|window| window.is_open);
        let open = open().next().map(|newest| (newest, open().count()));
        let recent: Vec<&Answer> = windows
            .iter()
            .rev()
            .take(8)
            .flat_map(|window| window.rows().take(8))
            .map(row)
            .collect();
        let columns = Column::all(&kept.columns, expressions, &recent);
        let mut picture = Picture {
            kept,
            behind: all - windows.len(),
            windows,
            open,
            columns,
            groups: Vec::new(),
            group: 0,
            lists: Vec::new(),
        };
        picture.groups = picture.ordered_groups();
        let is_chosen = |group: &String| choice.group.as_ref() == Some(group);
        picture.group = picture.groups.iter().position(is_chosen).unwrap_or(0);
        picture.lists = picture.all_lists();
        picture
    }

    pub(super) fn is_grouped(&self) -> bool {
        !self.kept.group_names.is_empty()
    }

    /// Returns the newest of the windows that are shown.
    pub(super) fn chosen(&self) -> Option<&'a KeptWindow> {
        self.windows.last().copied()
    }

    /// Returns the row of the chosen group in a window.
    pub(super) fn row(&self, window: &'a KeptWindow) -> Option<&'a Answer> {
        window.row(self.groups.get(self.group).map_or("", String::as_str))
    }

    /// Returns the columns with a value in a cell.
    pub(super) fn cells(&self) -> Vec<&Column> {
        self.columns.iter().filter(|column| column.values != Values::Tops).collect()
    }

    /// Returns the values of a column in all windows that are shown, for the chosen group. A
    /// missing window is a missing value.
    pub(super) fn series(&self, column: &Column) -> Vec<Option<f64>> {
        let spacing = self.spacing();
        let mut values = Vec::with_capacity(self.windows.len());
        let mut before: Option<i64> = None;
        for window in &self.windows {
            let start = window.place.0;
            let gap = before.map_or(0, |before| start.saturating_sub(before));
            if gap.saturating_mul(2) > spacing.saturating_mul(3) {
                values.push(None);
            }
            before = Some(start);
            let value = self.row(window).and_then(|row| bounds(column.of(row)));
            values.push(value.map(|(value, ..)| value));
        }
        values
    }

    /// Returns the least distance between the starts of two windows.
    fn spacing(&self) -> i64 {
        let starts = self.windows.windows(2);
        let gaps = starts.map(|pair| pair[1].place.0.saturating_sub(pair[0].place.0));
        gaps.filter(|gap| *gap > 0).min().unwrap_or(i64::MAX)
    }

    /// Returns the column that groups are ordered by.
    pub(super) fn measure(&self) -> Option<&Column> {
        let drawn = || self.columns.iter().filter(|column| column.is_drawn());
        drawn().find(|column| column.is_additive()).or_else(|| drawn().next())
    }

    fn ordered_groups(&self) -> Vec<String> {
        let Some(window) = self.chosen() else { return Vec::new() };
        let size = |row: &Answer| {
            let value = self.measure().and_then(|measure| bounds(measure.of(row)));
            value.map_or(f64::NEG_INFINITY, |(value, ..)| value)
        };
        let mut groups: Vec<(f64, &str)> =
            window.rows().map(|(name, row)| (size(row), name)).collect();
        groups.sort_by(|one, other| other.0.total_cmp(&one.0));
        groups.into_iter().map(|(_, name)| name.to_owned()).collect()
    }

    fn all_lists(&self) -> Vec<List> {
        let tops = self.columns.iter().enumerate();
        let tops = tops.filter(|(_, column)| column.values == Values::Tops);
        let groups = (self.is_grouped() && self.measure().is_some()).then_some(List::Groups);
        tops.map(|(index, _)| List::Top(index)).chain(groups).collect()
    }

    /// Returns the list that is shown.
    pub(super) fn list(&self, choice: &Choice) -> Option<List> {
        self.lists.get(choice.list.checked_rem(self.lists.len())?).copied()
    }

    /// Returns the rows of a list in a window.
    pub(super) fn listed(&self, list: List, window: &'a KeptWindow) -> Vec<Listed<'a>> {
        match list {
            List::Top(index) => {
                let column = self.columns.get(index);
                match column.zip(self.row(window)).map(|(column, row)| column.of(row)) {
                    Some(OutputValue::Top(rows)) => rows.iter().map(listed_value).collect(),
                    _ => Vec::new(),
                }
            }
            List::Groups => {
                let Some(measure) = self.measure() else { return Vec::new() };
                let mut rows: Vec<Listed<'_>> = window
                    .rows()
                    .filter_map(|(name, row)| listed_group(name, row, measure))
                    .collect();
                rows.sort_by(|one, other| other.count.total_cmp(&one.count));
                rows
            }
        }
    }

    /// Returns what a list is of.
    pub(super) fn title(&self, list: List) -> String {
        match list {
            List::Top(index) => self.columns.get(index).map_or_else(String::new, name_of),
            List::Groups => {
                let by = self.measure().map_or_else(String::new, name_of);
                format!("{} by {by}", self.kept.group_names.join(", "))
            }
        }
    }

    /// Changes the choice as a key asks for. `page` is the number of rows of a list on the screen.
    pub(super) fn apply(&self, action: Action, page: usize, choice: &mut Choice) {
        match action {
            Action::Freeze if choice.window.is_some() => choice.window = None,
            Action::Freeze => choice.window = self.chosen().map(KeptWindow::order),
            Action::Newest => choice.window = None,
            Action::Oldest => choice.window = self.windows.first().map(|first| first.order()),
            Action::Window(by) => choice.window = self.moved(by),
            Action::Rows(by) => choice.scrolled = choice.scrolled.saturating_add_signed(by),
            Action::Page(by) => {
                let rows = by.saturating_mul(isize::try_from(page).unwrap_or(isize::MAX));
                choice.scrolled = choice.scrolled.saturating_add_signed(rows);
            }
            Action::Column(by) => {
                let columns = self.cells().len().max(1);
                choice.column =
                    (choice.column % columns + columns).saturating_add_signed(by) % columns;
            }
            Action::Zero => choice.is_from_zero = !choice.is_from_zero,
            Action::Group => {
                let next = (self.group + 1).checked_rem(self.groups.len());
                choice.group = next.and_then(|next| self.groups.get(next).cloned());
            }
            Action::List => {
                (choice.list, choice.scrolled) = (choice.list.wrapping_add(1), 0);
            }
            Action::Help => choice.panel = toggled(choice.panel, Panel::Help),
            Action::Notices => choice.panel = toggled(choice.panel, Panel::Notices),
            Action::Back => choice.panel = Panel::None,
            Action::Quit | Action::Interrupt | Action::Suspend | Action::Report => {}
        }
        let rows = self.chosen().zip(self.list(choice));
        let rows = rows.map_or(0, |(window, list)| self.listed(list, window).len());
        choice.scrolled = choice.scrolled.min(rows.saturating_sub(page));
    }

    /// Returns the window that is this number of windows after the chosen one.
    fn moved(&self, by: isize) -> Option<(i64, i64)> {
        let shown: Vec<&KeptWindow> = match self.chosen().is_some_and(|window| window.is_open) {
            true => self.kept.windows().collect(),
            false => self.kept.windows().filter(|window| !window.is_open).collect(),
        };
        let at = self.windows.len().saturating_sub(1).saturating_add_signed(by);
        shown.get(at.min(shown.len().saturating_sub(1))).map(|window| window.order())
    }
}

fn row<'a>((_, row): (&'a str, &'a Answer)) -> &'a Answer {
    row
}

fn toggled(now: Panel, panel: Panel) -> Panel {
    if now == panel { Panel::None } else { panel }
}

/// Returns the name of a column as text that is safe on a terminal.
pub(super) fn name_of(column: &Column) -> String {
    crate::view::text::visible(&column.name)
}

fn listed_value(row: &streamgauge::row::TopValue) -> Listed<'_> {
    Listed {
        name: identity(std::slice::from_ref(&row.key)),
        key: ListedKey::Value(&row.key),
        value: crate::output::digits::count(row.count),
        count: row.count as f64,
        lower: row.lower as f64,
        upper: row.upper as f64,
    }
}

fn listed_group<'a>(name: &str, row: &'a Answer, measure: &Column) -> Option<Listed<'a>> {
    let value = measure.of(row);
    let (count, lower, upper) = bounds(value)?;
    Some(Listed {
        name: name.to_owned(),
        key: ListedKey::Group(&row.group),
        value: shown(value),
        count,
        lower,
        upper,
    })
}

/// Returns a value of a cell as text.
pub(super) fn shown(value: &OutputValue) -> String {
    match value {
        OutputValue::Integer(integer) => number(Number::Int(*integer)),
        OutputValue::Float(float) => number(Number::Float(*float)),
        OutputValue::Estimate { value, .. } => number(*value),
        other => key_text(other),
    }
}

/// Returns the bounds of a value as text, if they differ from it.
pub(super) fn interval(value: &OutputValue) -> Option<String> {
    match value {
        OutputValue::Estimate { lower, upper, .. } if lower != upper => {
            Some(format!("{}–{}", number(*lower), number(*upper)))
        }
        _ => None,
    }
}
