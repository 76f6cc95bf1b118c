//! Small multiples: a small chart of each group, on one scale or on its own.

use super::chart::{ends, has_band};
use super::limits::{MEASURES_MAX, PageLimits};
use super::lines::Drawing;
use super::model::{Group, Model, Point};
use super::tables::total_size;
use crate::view::columns::Column;
use crate::view::numbers::{abbreviated, counted, label, number, percent};
use crate::view::scale::Scale;
use crate::view::text::{escaped, group_html, group_text, head, middle, name_html, visible};
use std::collections::BTreeMap;
use streamgauge::row::Number;

/// Size of a panel's own coordinates; its height is in pixels.
const WIDTH: f64 = 200.0;
const HEIGHT: f64 = 48.0;

/// The number of parts that an axis of a panel has, about.
const PARTS: f64 = 2.0;

/// Characters of a key above a panel, and of a measure's name.
const NAME_CHARS: usize = 24;

/// A scale for all is preset unless the peak of the middle panel is below this share of it.
const SHARE_FOR_OWN: f64 = 0.2;

/// The small multiples of a page.
pub(super) struct Panels<'a> {
    model: &'a Model<'a>,
    limits: PageLimits,
    /// The measures that can be shown.
    measures: Vec<&'a Column>,
    /// The groups with a panel of their own.
    shown: &'a [Group<'a>],
    /// The other groups, which share a panel.
    rest: &'a [Group<'a>],
    /// The common scale of each measure.
    common: Vec<Scale>,
    total: f64,
}

impl<'a> Panels<'a> {
    pub(super) fn new(model: &'a Model<'a>, limits: PageLimits) -> Self {
        let all = model.groups.as_slice();
        let shown = if all.len() > limits.panels { limits.panels - 1 } else { all.len() };
        let (shown, rest) = all.split_at(shown);
        let measures: Vec<&Column> = model.drawn().take(MEASURES_MAX).collect();
        let common = measures.iter().map(|measure| {
            let points: Vec<Point> =
                shown.iter().flat_map(|group| model.points(&group.rows, measure)).collect();
            scale(&points, measure)
        });
        Panels {
            model,
            limits,
            common: common.collect(),
            measures,
            shown,
            rest,
            total: total_size(model),
        }
    }

    /// Returns the section; `details` groups can be chosen in it.
    pub(super) fn html(&self, details: usize) -> String {
        let panel = |(index, group): (usize, &Group<'_>)| {
            let panel = self.panel(group);
            match index < details {
                true => format!("<li><a href=\"#g{}\">{panel}</a></li>", index + 1),
                false => format!("<li>{panel}</li>"),
            }
        };
        let panels: String = self.shown.iter().enumerate().map(panel).collect();
        let rest = if self.rest.is_empty() { String::new() } else { self.rest_panel(self.rest) };
        format!(
            "<section><div class=\"hd\"><h2>{} groups by {}</h2><p>Largest first. {}</p><div \
             class=\"ctl\">{}</div></div><ul class=\"sm\">{panels}{rest}</ul>{}</section>",
            counted(self.model.groups.len()),
            name_html(&self.model.group_names.join(", ")),
            self.scales(),
            self.controls(),
            self.notes(),
        )
    }

    fn notes(&self) -> String {
        let mut notes = Vec::new();
        if !self.rest.is_empty() {
            notes.push("The rest are summed, on a scale of their own.".to_owned());
        }
        if self.model.drawn().count() > self.measures.len() {
            notes.push(format!("The first {} columns can be shown here.", self.measures.len()));
        }
        match notes.is_empty() {
            true => String::new(),
            false => format!("<p class=\"note\">{}</p>", notes.join(" ")),
        }
    }

    fn scales(&self) -> String {
        let text = |(index, scale): (usize, &Scale)| {
            format!(
                "<span class=\"m m{index} same\">Each panel from {} to {}.</span><span class=\"m \
                 m{index} own\">Each panel on its own scale.</span>",
                label(scale.low),
                label(scale.high)
            )
        };
        self.common.iter().enumerate().map(text).collect()
    }

    fn controls(&self) -> String {
        let checked = |is_checked: bool| if is_checked { " checked" } else { "" };
        let measure = |(index, measure): (usize, &&Column)| {
            let name = escaped(&middle(&visible(&measure.name), NAME_CHARS));
            format!(
                "<label><input type=\"radio\" name=\"m\" id=\"m{index}\"{}>{name}</label>",
                checked(index == 0)
            )
        };
        let measures: String = self.measures.iter().enumerate().map(measure).collect();
        let measures = match self.measures.len() {
            0 | 1 => "<span hidden><input type=\"radio\" name=\"m\" id=\"m0\" checked \
                      aria-label=\"measure\"></span>"
                .to_owned(),
            _ => format!("<fieldset><legend>Show</legend>{measures}</fieldset>"),
        };
        let own = self.is_own_preset();
        format!(
            "{measures}<fieldset><legend>Scale</legend><label><input type=\"radio\" name=\"s\" \
             id=\"s0\"{}>one for all</label><label><input type=\"radio\" name=\"s\" \
             id=\"s1\"{}>own</label></fieldset>",
            checked(!own),
            checked(own)
        )
    }

    /// Returns true if most panels would be flat on one scale.
    fn is_own_preset(&self) -> bool {
        let Some(measure) = self.model.measure() else { return false };
        let Some(index) = self.measures.iter().position(|column| *column == measure) else {
            return false;
        };
        let peak = |group: &Group<'_>| {
            let points = self.model.points(&group.rows, measure);
            points.iter().map(|point| point.value).fold(0.0, f64::max)
        };
        let mut peaks: Vec<f64> = self.shown.iter().map(peak).collect();
        peaks.sort_by(f64::total_cmp);
        let middle = peaks.get(peaks.len() / 2).copied().unwrap_or_default();
        middle < self.common[index].high * SHARE_FOR_OWN
    }

    fn panel(&self, group: &Group<'_>) -> String {
        let (mut labels, mut paths) = (String::new(), String::new());
        for (index, measure) in self.measures.iter().enumerate() {
            let points = self.model.points(&group.rows, measure);
            labels += &self.label((index, measure), &points, "no value");
            if points.is_empty() {
                continue;
            }
            let own = scale(&points, measure);
            for (class, scale) in [("same", self.common[index]), ("own", own)] {
                let class = format!("m m{index} {class}");
                paths += &self.paths(measure, &points, (scale, &class));
            }
        }
        let name = group_text(group.keys);
        format!(
            "<span class=\"t\"><b title=\"{}\">{}</b><span>{labels}</span></span>{}",
            escaped(head(&name, self.limits.title_chars)),
            group_html(group.keys, NAME_CHARS),
            plot(&paths)
        )
    }

    /// The panel of groups without one of their own: what can be added of them.
    fn rest_panel(&self, rest: &[Group<'_>]) -> String {
        let (mut labels, mut paths) = (String::new(), String::new());
        for (index, measure) in self.measures.iter().enumerate() {
            let points = match measure.is_additive() {
                true => self.summed(rest, measure),
                false => Vec::new(),
            };
            labels += &self.label((index, measure), &points, "not summed");
            if !points.is_empty() {
                let (own, class) = (scale(&points, measure), format!("m m{index}"));
                paths += &self.paths(measure, &points, (own, &class));
            }
        }
        format!(
            "<li class=\"rest\"><span class=\"t\"><b>{} \
             more</b><span>{labels}</span></span>{}</li>",
            counted(rest.len()),
            plot(&paths)
        )
    }

    fn summed(&self, groups: &[Group<'_>], measure: &Column) -> Vec<Point> {
        let mut sums: BTreeMap<usize, Point> = BTreeMap::new();
        for point in groups.iter().flat_map(|group| self.model.points(&group.rows, measure)) {
            let sum = sums.entry(point.window).or_insert(Point { value: 0.0, ..point });
            sum.value += point.value;
            (sum.lower, sum.upper) = (sum.value, sum.value);
        }
        sums.into_values().collect()
    }

    /// What a measure comes to: its sum and share, or its lowest and highest value.
    fn label(&self, (index, measure): (usize, &Column), points: &[Point], none: &str) -> String {
        if points.is_empty() {
            return format!("<span class=\"m m{index} mute\">{none}</span>");
        }
        let text = match self.model.is_summed(measure) {
            true => {
                let sum: f64 = points.iter().map(|point| point.value).sum();
                let share = match self.model.measure() == Some(measure) {
                    true => format!(" <i>{}</i>", percent(sum / self.total, 2)),
                    false => String::new(),
                };
                abbreviated(sum, 3) + &share
            }
            false => {
                let values = || points.iter().map(|point| point.value);
                let low = values().fold(f64::INFINITY, f64::min);
                let high = values().fold(f64::NEG_INFINITY, f64::max);
                let (low, high) = (number(Number::Float(low)), number(Number::Float(high)));
                format!("{low} <i>to</i> {high}")
            }
        };
        format!("<span class=\"m m{index}\">{text}</span>")
    }

    fn paths(&self, measure: &Column, points: &[Point], (scale, class): (Scale, &str)) -> String {
        let drawing = Drawing {
            width: WIDTH,
            height: HEIGHT,
            scale,
            steps_max: self.limits.panel_steps,
            has_area: measure.is_from_zero() && scale.low == 0.0,
            has_band: has_band(points),
            class,
        };
        drawing.paths(self.model, points)
    }
}

fn scale(points: &[Point], measure: &Column) -> Scale {
    match points {
        [] => Scale::new(0.0, 1.0, true, PARTS),
        points => {
            let (low, high) = ends(points);
            Scale::new(low, high, measure.is_from_zero(), PARTS)
        }
    }
}

fn plot(paths: &str) -> String {
    format!(
        "<svg height=\"{HEIGHT}\" aria-hidden=\"true\"><line class=\"g0\" x2=\"100%\" \
         y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/><svg width=\"100%\" height=\"{HEIGHT}\" viewBox=\"0 0 \
         {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\">{paths}</svg></svg>"
    )
}
