//! Tables of windows and of groups: the values behind the charts.

use super::bars::bar;
use super::limits::{KEY_CHARS, PageLimits};
use super::model::{Group, Model, sum};
use crate::view::answers::Answer;
use crate::view::columns::{Column, Values};
use crate::view::numbers::{bounds, counted, number, value_html};
use crate::view::text::{escaped, group_html, group_text, name_html, title};
use std::collections::BTreeMap;
use streamgauge::row::{Number, OutputValue};

/// The head of the first column of a table of windows.
fn window_head(model: &Model<'_>) -> String {
    format!("<th scope=\"col\">window from ({})</th>", name_html(&model.zone.name))
}

/// A table in a box that scrolls.
struct Table<'a> {
    caption: &'a str,
    class: &'a str,
    heads: String,
    rows: String,
}

impl Table<'_> {
    fn html(&self) -> String {
        let (Table { class, heads, rows, .. }, caption) = (self, escaped(self.caption));
        format!(
            "<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table \
             class=\"{class}\"><caption \
             class=\"vh\">{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>\
             </table></div>"
        )
    }
}

fn heads<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    columns.map(|column| format!("<th scope=\"col\">{}</th>", name_html(&column.name))).collect()
}

/// Returns the newest windows of a group as a table.
pub(super) fn windows(
    model: &Model<'_>,
    rows: &[&Answer],
    caption: &str,
    limits: PageLimits,
) -> String {
    let shown = &rows[rows.len().saturating_sub(limits.rows)..];
    let row = |row: &&Answer| {
        let window = model.window_of(row);
        let start = model.windows.get(window).map_or(0, |place| place.0);
        let cells: String = model
            .cells()
            .map(|column| format!("<td>{}</td>", value_html(column.of(row))))
            .collect();
        let x = (model.middle_of(window) * 1e4).round();
        format!("<tr data-x=\"{x}\"><th scope=\"row\">{}</th>{cells}</tr>", model.zone.stamp(start))
    };
    let table = Table {
        caption,
        class: "win sort",
        heads: window_head(model) + &heads(model.cells()),
        rows: shown.iter().map(row).collect(),
    };
    table.html()
}

/// Returns what is computed of each group over all windows, the largest groups first.
pub(super) fn groups(model: &Model<'_>, limits: PageLimits) -> String {
    let shown = &model.groups[..model.groups.len().min(limits.group_rows)];
    let measure = model.measure().filter(|column| column.is_additive());
    let longest = shown.iter().map(|group| group.size).fold(0.0, f64::max);
    let total = total_size(model);
    let row = |group: &Group<'_>| {
        let share = measure.map(|_| {
            format!(
                "<td class=\"b\">{}</td><td>{:.2} %</td>",
                bar(group.size, group.size, longest),
                100.0 * group.size / total
            )
        });
        let cells: String = model
            .cells()
            .map(|column| format!("<td>{}</td>", over_windows(model, &group.rows, column)))
            .collect();
        format!(
            "<tr><th scope=\"row\"{}>{}</th>{}{cells}</tr>",
            title(&group_text(group.keys), KEY_CHARS, limits.title_chars),
            group_html(group.keys, KEY_CHARS),
            share.unwrap_or_default()
        )
    };
    let share = match measure {
        Some(_) => {
            "<th scope=\"col\" class=\"b\"><span class=\"vh\">bar</span></th><th \
             scope=\"col\">share</th>"
        }
        None => "",
    };
    let name = name_html(&model.group_names.join(", "));
    let table = Table {
        caption: "Groups",
        class: "sort grp",
        heads: format!("<th scope=\"col\">{name}</th>{share}{}", heads(model.cells())),
        rows: shown.iter().map(row).collect(),
    };
    table.html()
}

/// Returns the sum of the sizes of all groups, by which shares are computed.
pub(super) fn total_size(model: &Model<'_>) -> f64 {
    let total: f64 = model.groups.iter().map(|group| group.size).sum();
    if total == 0.0 { 1.0 } else { total }
}

/// The sum over windows, or the lowest and the highest value.
fn over_windows(model: &Model<'_>, rows: &[&Answer], column: &Column) -> String {
    let with_number: Vec<&&Answer> =
        rows.iter().filter(|row| bounds(column.of(row)).is_some()).collect();
    let last = rows.last().map_or(&OutputValue::Null, |row| column.of(row));
    match with_number.as_slice() {
        [] if column.values == Values::Texts => value_html(last),
        [] => value_html(&OutputValue::Null),
        [one] => value_html(column.of(one)),
        _ if model.is_summed(column) => number(sum(rows.iter().copied(), column)),
        all => {
            let values =
                || all.iter().filter_map(|row| bounds(column.of(row))).map(|value| value.0);
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            let to = match low < high {
                true => format!("<i>to {}</i>", number(Number::Float(high))),
                false => String::new(),
            };
            number(Number::Float(low)) + &to
        }
    }
}

/// Returns the newest windows with the sums over all groups.
pub(super) fn windows_of_all(model: &Model<'_>, limits: PageLimits) -> String {
    let summed: Vec<&Column> = model.drawn().filter(|column| column.is_additive()).collect();
    let mut windows: BTreeMap<usize, Vec<&Answer>> = BTreeMap::new();
    for row in model.groups.iter().flat_map(|group| &group.rows) {
        windows.entry(model.window_of(row)).or_default().push(row);
    }
    let hidden = windows.len().saturating_sub(limits.rows);
    let row = |(window, rows): (&usize, &Vec<&Answer>)| {
        let start = model.windows.get(*window).map_or(0, |place| place.0);
        let cells: String = summed
            .iter()
            .map(|column| format!("<td>{}</td>", number(sum(rows.iter().copied(), column))))
            .collect();
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td>{cells}</tr>",
            model.zone.stamp(start),
            counted(rows.len())
        )
    };
    let table = Table {
        caption: "Windows, all groups together",
        class: "sort",
        heads: format!(
            "{}<th scope=\"col\">groups</th>{}",
            window_head(model),
            heads(summed.iter().copied())
        ),
        rows: windows.iter().skip(hidden).map(row).collect(),
    };
    table.html()
}
