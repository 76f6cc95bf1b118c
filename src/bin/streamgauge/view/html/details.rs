//! All that a page shows of one group, or of all records: charts, top-k and windows.

use super::chart::{Chart, time_axis};
use super::limits::PageLimits;
use super::model::{Group, Model};
use super::tables;
use super::thin::windows_per_step;
use super::top_table::TopTable;
use crate::view::columns::Column;
use crate::view::exactness::briefly;
use crate::view::numbers::{counted, value_html};
use crate::view::text::{group_text, head, name_html};

/// The details of groups, one after the other.
pub(super) struct Details<'a> {
    pub(super) model: &'a Model<'a>,
    pub(super) limits: PageLimits,
    /// Charts that were drawn on the page.
    pub(super) charts: usize,
}

impl Details<'_> {
    /// Returns a group's part of the page, under a name and a heading.
    pub(super) fn html(&mut self, id: &str, heading: &str, group: &Group<'_>) -> String {
        let body = match self.model.is_over_time() {
            true => self.charts(group),
            false => self.tiles(group),
        };
        let tops: Vec<TopTable<'_>> = self
            .model
            .tops()
            .map(|column| TopTable::new(self.model, &group.rows, column, self.limits))
            .collect();
        let lists: String =
            tops.iter().map(|top| format!("<section>{}</section>", top.html())).collect();
        let data = match tops.is_empty() || group.rows.len() < 2 || !self.model.is_over_time() {
            true => String::new(),
            false => {
                let data: Vec<String> = tops.iter().map(TopTable::data).collect();
                format!("<script type=\"application/json\">[{}]</script>", data.join(","))
            }
        };
        let windows = if self.model.is_over_time() { self.windows(group) } else { String::new() };
        format!("<div class=\"det\" id=\"{id}\">{heading}{body}{lists}{windows}{data}</div>")
    }

    fn charts(&mut self, group: &Group<'_>) -> String {
        let mut charts = String::new();
        let model = self.model;
        for (index, column) in model.cells().enumerate() {
            if column.is_drawn() {
                self.charts += 1;
                let (limits, number, cell) = (self.limits, self.charts, index + 1);
                charts += &Chart { model, limits, column, number, cell }.figure(&group.rows);
            }
        }
        let notes = self.notes(group);
        let notes = match notes.is_empty() {
            true => String::new(),
            false => format!("<p class=\"note\">{}</p>", notes.join(" ")),
        };
        format!("<div class=\"stack\">{charts}</div>{}{notes}", time_axis(model))
    }

    /// What must be known to read the charts.
    fn notes(&self, group: &Group<'_>) -> Vec<String> {
        let (model, rows) = (self.model, group.rows.len());
        let mut notes = Vec::new();
        match model.windows.len() - model.whole {
            0 => {}
            1 => notes.push(
                "The input ends within the last window: it is dotted, and left out of \
                             ranges and medians."
                    .to_owned(),
            ),
            cut => notes.push(format!(
                "The input ends within the last {} windows: they are dotted, \
                                       and left out of ranges and medians.",
                counted(cut)
            )),
        }
        if rows > self.limits.steps {
            let step = windows_per_step(rows, self.limits.steps);
            notes.push(format!(
                "{} windows are drawn in {} steps of {}: the line is the median window of a step, \
                 the pale band reaches from its lowest to its highest.",
                counted(rows),
                counted(rows.div_ceil(step)),
                counted(step)
            ));
        }
        let all = model.windows.len();
        let is_broken = || (1..all).any(|window| model.is_gap(window - 1, window));
        if rows < all || is_broken() {
            notes.push("A line is broken where a window had no records.".to_owned());
        }
        notes
    }

    /// The values of one window, large.
    fn tiles(&self, group: &Group<'_>) -> String {
        let Some(row) = group.rows.first() else { return String::new() };
        let tile = |column: &Column| {
            format!(
                "<div><b>{}</b><span class=\"ro\">{}</span><span class=\"st\">{}</span></div>",
                name_html(&column.name),
                value_html(column.of(row)),
                briefly(column, group.rows.iter().copied())
            )
        };
        let tiles: String = self.model.cells().map(tile).collect();
        format!("<div class=\"tiles\">{tiles}</div>")
    }

    fn windows(&self, group: &Group<'_>) -> String {
        let rows = group.rows.len();
        let more = match rows > self.limits.rows {
            true => format!(
                " The last {} of {}; <code>--output csv</code> has all.",
                counted(self.limits.rows),
                counted(rows)
            ),
            false => String::new(),
        };
        let caption = match self.model.is_grouped() {
            true => {
                format!("Windows of {}", head(&group_text(group.keys), self.limits.title_chars))
            }
            false => "Windows".to_owned(),
        };
        let each = self.model.length_words().map(|words| format!(", each {words}"));
        format!(
            "<section><div class=\"hd\"><h2>Windows</h2><p>{}{}.{more}</p></div>{}</section>",
            counted(rows),
            each.unwrap_or_default(),
            tables::windows(self.model, &group.rows, &caption, self.limits)
        )
    }
}
