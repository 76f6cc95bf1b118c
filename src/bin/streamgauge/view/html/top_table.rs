//! A table of most frequent values: bars with intervals, changes of rank, and lines by window.

use super::bars::bar;
use super::limits::{KEY_CHARS, PageLimits};
use super::model::Model;
use super::top::{Listed, Lists, Total};
use crate::output::digits::count;
use crate::view::answers::Answer;
use crate::view::columns::Column;
use crate::view::numbers::{counted, place};
use crate::view::text::{json_text, key_html, key_text, middle, name_html, title};
use std::collections::BTreeSet;

/// The size of a line by window.
const SPARK_WIDTH: f64 = 140.0;
const SPARK_HEIGHT: f64 = 22.0;

/// Characters of a key in the lists of single windows.
const LISTED_CHARS: usize = 200;

/// A top-k of a group.
pub(super) struct TopTable<'a> {
    model: &'a Model<'a>,
    limits: PageLimits,
    column: &'a Column,
    lists: Lists<'a>,
    totals: Vec<Total>,
    /// Lists at the end that the input has cut short.
    cut: usize,
    /// The windows of the rows.
    starts: Vec<i64>,
}

impl<'a> TopTable<'a> {
    pub(super) fn new(
        model: &'a Model<'a>,
        rows: &[&'a Answer],
        column: &'a Column,
        limits: PageLimits,
    ) -> Self {
        let lists = Lists::new(model, rows, column);
        let totals = lists.totals(limits.top_rows);
        let cut = rows.iter().filter(|row| model.window_of(row) >= model.whole).count();
        let starts =
            rows.iter().map(|row| row.window.map_or(0, |window| window.start().as_millis()));
        TopTable {
            model,
            limits,
            column,
            lists,
            totals,
            cut: if rows.len() > 2 && cut < rows.len() && model.is_over_time() { cut } else { 0 },
            starts: starts.collect(),
        }
    }

    fn is_over_windows(&self) -> bool {
        self.lists.only.is_none()
    }

    /// Returns true if there is a column of changes of rank.
    fn is_ranked(&self) -> bool {
        self.is_over_windows() && !self.lists.is_whole
    }

    fn has_lines(&self) -> bool {
        self.lists.windows.len() > 1
    }

    /// Returns the heading, the table, and a note on what its bars say.
    pub(super) fn html(&self) -> String {
        let name = name_html(&self.column.name);
        let is_exact = self.totals.iter().all(|total| total.lower == total.upper);
        let class = if is_exact && self.is_listed_exactly() { "tk ex" } else { "tk" };
        let rows: String = self
            .totals
            .iter()
            .enumerate()
            .map(|(index, total)| self.row(index + 1, total))
            .collect();
        format!(
            "<div class=\"hd\"><h2>{name}</h2><p class=\"say\">{}</p></div><div><table \
             class=\"{class}\"><caption \
             class=\"vh\">{name}</caption><thead><tr>{}</tr></thead><tbody>{rows}</tbody></table>\
             </div>{}",
            self.says(),
            self.heads(),
            self.notes(is_exact),
        )
    }

    fn notes(&self, is_exact: bool) -> String {
        let mut notes = Vec::new();
        if !is_exact {
            notes.push(self.note());
        }
        if self.lists.k.min(self.lists.keys.len()) > self.limits.top_rows {
            notes.push(format!("The first {} are listed.", counted(self.limits.top_rows)));
        }
        let listed = self.listed().len();
        if listed < self.lists.windows.len() {
            notes.push(format!("The last {} windows can be chosen.", counted(listed)));
        }
        match notes.is_empty() {
            true => String::new(),
            false => format!("<p class=\"note\">{}</p>", notes.join(" ")),
        }
    }

    /// What the totals are of.
    fn says(&self) -> String {
        match self.lists.only {
            None if self.lists.is_whole => "over all windows".to_owned(),
            None => "over all windows; rank: second half of the time against the first".to_owned(),
            Some(only) if self.has_lines() => {
                let start = self.starts.get(only).copied().unwrap_or_default();
                format!("in the last full window, from {}", self.model.zone.stamp(start))
            }
            Some(_) => String::new(),
        }
    }

    fn heads(&self) -> String {
        let field = self.column.arguments().into_iter().nth(usize::from(!self.lists.is_whole));
        let field = field.unwrap_or_else(|| self.column.name.clone());
        let rank = match self.is_ranked() {
            true => "<th class=\"c\" scope=\"col\">rank</th>",
            false => "",
        };
        let lines = match self.has_lines() {
            true => "<th class=\"s\" scope=\"col\">by window</th>",
            false => "",
        };
        format!(
            "<th class=\"n\" scope=\"col\">#</th>{rank}<th class=\"k l\" scope=\"col\">{}</th><th \
             class=\"b l\" scope=\"col\"><span class=\"vh\">bar</span></th><th class=\"v\" \
             scope=\"col\">count</th><th class=\"u\" scope=\"col\">between</th>{lines}",
            name_html(&field)
        )
    }

    fn row(&self, rank: usize, total: &Total) -> String {
        let longest = self.totals.iter().map(|total| total.upper).max().unwrap_or(1).max(1);
        let Some(key) = self.lists.keys.get(total.key) else { return String::new() };
        let title = title(&key_text(key), KEY_CHARS, self.limits.title_chars);
        let doubt = match total.is_certain {
            true => "",
            false => "<i title=\"Another key may have come as often\">not certain</i>",
        };
        let interval = match total.lower < total.upper {
            true => format!("{}–{}", count(total.lower), count(total.upper)),
            false => String::new(),
        };
        let line = match self.has_lines() {
            true => self.line(total.key),
            false => String::new(),
        };
        format!(
            "<tr><td class=\"n\">{rank}</td>{}<td class=\"k\"{title}>{}{doubt}</td><td \
             class=\"b\">{}</td><td class=\"v\">{}</td><td class=\"u\">{interval}</td>{line}</tr>",
            self.change(total),
            key_html(key, KEY_CHARS),
            bar(total.lower as f64, total.upper as f64, longest as f64),
            count(total.count),
        )
    }

    fn change(&self, total: &Total) -> String {
        if !self.is_ranked() {
            return String::new();
        }
        let (class, text) = match total.ranks {
            (None, _) => ("up", "new".to_owned()),
            (_, None) => ("dn", "gone".to_owned()),
            (Some(before), Some(now)) if before > now => ("up", format!("▲ {}", before - now)),
            (Some(before), Some(now)) if before < now => ("dn", format!("▼ {}", now - before)),
            _ => ("", "=".to_owned()),
        };
        format!("<td class=\"c {class}\">{text}</td>")
    }

    /// The counts of a key by window, each point the highest of its windows.
    fn line(&self, key: usize) -> String {
        let windows = self.lists.windows.len();
        let counts: Vec<Option<u64>> = self.lists.counts(key).take(windows - self.cut).collect();
        let highest = counts.iter().flatten().copied().max().unwrap_or(1).max(1) as f64;
        let step = windows.div_ceil(self.limits.spark_steps).max(1);
        let (mut data, mut is_broken) = (String::new(), true);
        for (index, counts) in counts.chunks(step).enumerate() {
            let Some(count) = counts.iter().flatten().max() else {
                is_broken = true;
                continue;
            };
            let x = place((index * step) as f64 * SPARK_WIDTH / windows as f64);
            let y = place(SPARK_HEIGHT - 2.0 - (SPARK_HEIGHT - 4.0) * *count as f64 / highest);
            let (begin, end) = if is_broken { ("M", "h0") } else { ("L", "") };
            data += &format!("{begin}{x} {y}{end}");
            is_broken = false;
        }
        format!(
            "<td class=\"s\"><svg height=\"{SPARK_HEIGHT}\" viewBox=\"0 0 {SPARK_WIDTH} \
             {SPARK_HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"sp\" \
             d=\"{data}\"/></svg></td>"
        )
    }

    fn note(&self) -> String {
        let over_windows = match self.is_over_windows() {
            true => format!(
                ": in windows where a key is not among the first {}, it came at most as often as \
                 the last of them",
                self.lists.k
            ),
            false => String::new(),
        };
        format!(
            "The solid part of a bar is certain; the pale part up to the tick is the interval in \
             which the true count lies{over_windows}."
        )
    }

    /// The lists that the script can show: the newest ones.
    fn listed(&self) -> &[Vec<Listed>] {
        let most = (self.limits.top_cells / self.lists.k).clamp(1, self.limits.rows);
        &self.lists.windows[self.lists.windows.len().saturating_sub(most)..]
    }

    fn is_listed_exactly(&self) -> bool {
        self.listed().iter().flatten().all(|row| row.lower == row.upper && row.is_guaranteed)
    }

    /// Returns the lists of single windows as JSON for the script: the keys, the row of the first
    /// list in the table of windows, how many numbers there are of each row, how many lists the end
    /// of the input has cut short, and the lists.
    pub(super) fn data(&self) -> String {
        if self.lists.windows.len() < 2 || !self.model.is_over_time() {
            return "null".to_owned();
        }
        let (listed, is_exact) = (self.listed(), self.is_listed_exactly());
        let used: BTreeSet<usize> = listed.iter().flatten().map(|row| row.key).collect();
        let used: Vec<usize> = used.into_iter().collect();
        let key = |key: &usize| {
            let text = self.lists.keys.get(*key).map(|key| key_text(key)).unwrap_or_default();
            json_text(&middle(&text, LISTED_CHARS.min(self.limits.title_chars)))
        };
        let keys: Vec<String> = used.iter().map(key).collect();
        let row = |row: &Listed| {
            let key = used.binary_search(&row.key).unwrap_or_default();
            match is_exact {
                true => format!("{key},{}", row.count),
                false => format!(
                    "{key},{},{},{},{}",
                    row.count,
                    row.lower,
                    row.upper,
                    u8::from(row.is_guaranteed)
                ),
            }
        };
        let list = |list: &Vec<Listed>| {
            format!("[{}]", list.iter().map(row).collect::<Vec<_>>().join(","))
        };
        format!(
            "{{\"k\":[{}],\"o\":{},\"q\":{},\"cut\":{},\"w\":[{}]}}",
            keys.join(","),
            self.lists.windows.len().min(self.limits.rows) - listed.len(),
            if is_exact { 2 } else { 5 },
            self.cut,
            listed.iter().map(list).collect::<Vec<_>>().join(",")
        )
    }
}
