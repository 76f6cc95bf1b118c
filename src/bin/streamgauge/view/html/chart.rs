//! A chart of a column over the windows: a line, its bounds, and what it comes to.

use super::limits::PageLimits;
use super::lines::Drawing;
use super::model::{Model, Point, sum};
use super::thin::lower_median;
use crate::output::digits::with_separators;
use crate::view::answers::Answer;
use crate::view::columns::Column;
use crate::view::exactness::briefly;
use crate::view::numbers::{counted, label, number, place, short};
use crate::view::scale::Scale;
use crate::view::text::name_html;
use crate::view::times::{TICKS_MAX, Ticks};
use streamgauge::row::Number;

/// Height of the plot, in pixels.
const HEIGHT: f64 = 88.0;

/// Width of a plot's own coordinates.
const WIDTH: f64 = 1_000.0;

/// The number of parts that an axis has, about.
const PARTS: f64 = 3.0;

/// Marks that a narrow time axis shows, at most.
const NARROW_TICKS_MAX: usize = 4;

/// A chart that is being drawn.
pub(super) struct Chart<'a> {
    pub(super) model: &'a Model<'a>,
    pub(super) limits: PageLimits,
    pub(super) column: &'a Column,
    /// Its number on the page, for the names of its parts.
    pub(super) number: usize,
    /// The place of the column's cell in the table of windows.
    pub(super) cell: usize,
}

/// A view of the points: on an axis from zero, or on a fitted one.
struct View<'a> {
    /// The class that shows the view; empty if there is one view.
    class: &'static str,
    scale: Scale,
    points: &'a [Point],
}

impl Chart<'_> {
    /// Returns the chart of these rows.
    pub(super) fn figure(&self, rows: &[&Answer]) -> String {
        let name = format!("<b>{}</b>", name_html(&self.column.name));
        let points = self.model.points(rows, self.column);
        let whole = match points.iter().position(|point| point.window >= self.model.whole) {
            Some(0) | None => points.as_slice(),
            Some(end) => &points[..end],
        };
        let by_value = |a: &&Point, b: &&Point| a.value.total_cmp(&b.value);
        // Of several the first one.
        let (Some(low), Some(high)) =
            (whole.iter().min_by(by_value), whole.iter().rev().max_by(by_value))
        else {
            return format!(
                "<figure class=\"chart\"><figcaption>{name}<span class=\"st\">no value in any \
                 window</span></figcaption></figure>"
            );
        };
        let views = self.views(&points, whole);
        let exact = briefly(self.column, rows.iter().copied());
        let exact = if exact.is_empty() { String::new() } else { format!("<span>{exact}</span>") };
        format!(
            "<figure class=\"chart\" data-c=\"{}\" data-d=\"{}\" \
             data-h=\"{HEIGHT}\"><figcaption>{name}<span class=\"ro\">{}</span><span \
             class=\"st\"><span>{} to {}</span>{exact}</span></figcaption>{}</figure>",
            self.cell,
            domain(&views),
            self.total(rows, whole),
            short(low.value),
            short(high.value),
            self.drawing(&views, &self.description(&points, low, high)),
        )
    }

    /// The sum, or the median of windows that are whole.
    fn total(&self, rows: &[&Answer], whole: &[Point]) -> String {
        if self.model.is_summed(self.column) {
            return format!("{}<i>in all</i>", number(sum(rows.iter().copied(), self.column)));
        }
        let median = lower_median(whole.iter().map(|point| point.value)).unwrap_or_default();
        format!("{}<i>median of windows</i>", number(Number::Float(median)))
    }

    fn views<'p>(&self, points: &'p [Point], whole: &'p [Point]) -> Vec<View<'p>> {
        let is_from_zero = self.column.is_from_zero();
        let from_zero = scale(points, is_from_zero);
        let fitted = scale(whole, false);
        if !is_from_zero || fitted == from_zero {
            return vec![View { class: "", scale: from_zero, points }];
        }
        vec![
            View { class: "z", scale: from_zero, points },
            View { class: "f", scale: fitted, points: whole },
        ]
    }

    fn description(&self, points: &[Point], low: &Point, high: &Point) -> String {
        let at = |point: &Point| {
            let start = self.model.windows.get(point.window).map_or(0, |place| place.0);
            format!("{} at {}", number(Number::Float(point.value)), self.model.zone.stamp(start))
        };
        let band = match has_band(points) {
            true => " The band shows the lower and upper bounds.",
            false => "",
        };
        format!(
            "{} windows. Lowest {}, highest {}.{band} Every value is in the table of windows.",
            counted(points.len()),
            at(low),
            at(high)
        )
    }

    fn drawing(&self, views: &[View<'_>], description: &str) -> String {
        let (mut axis, mut plot) = (String::new(), String::new());
        for view in views {
            let (open, close) = match view.class {
                "" => (String::new(), ""),
                class => (format!("<g class=\"{class}\">"), "</g>"),
            };
            axis += &format!("{open}{}{close}", labels(&view.scale));
            plot += &format!("{open}{}{}{close}", grid(&view.scale), self.line(view));
        }
        let (name, id) = (name_html(&self.column.name), format!("c{}", self.number));
        format!(
            "<svg class=\"yax\" height=\"{HEIGHT}\" aria-hidden=\"true\">{axis}</svg><svg \
             class=\"plot\" height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"{id}t {id}d\">\
             <title id=\"{id}t\">{name} over the windows</title>\
             <desc id=\"{id}d\">{description}</desc>\
             {plot}<line class=\"cur off\" y1=\"-6\" y2=\"{}\"/><circle class=\"dot off\" r=\"4\"/></svg>",
            HEIGHT + 6.0
        )
    }

    fn line(&self, view: &View<'_>) -> String {
        let drawing = Drawing {
            width: WIDTH,
            height: HEIGHT,
            scale: view.scale,
            steps_max: self.limits.steps,
            has_area: self.column.is_from_zero() && view.scale.low == 0.0,
            has_band: has_band(view.points),
            class: "",
        };
        let paths = drawing.paths(self.model, view.points);
        format!(
            "<svg width=\"100%\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             preserveAspectRatio=\"none\">{paths}</svg>"
        )
    }
}

/// Returns true if some number is not exact.
pub(super) fn has_band(points: &[Point]) -> bool {
    points.iter().any(|point| point.lower < point.upper)
}

fn scale(points: &[Point], is_from_zero: bool) -> Scale {
    let (low, high) = ends(points);
    Scale::new(low, high, is_from_zero, PARTS)
}

/// Returns the lowest lower and the highest upper bound.
pub(super) fn ends(points: &[Point]) -> (f64, f64) {
    points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
        (low.min(point.lower), high.max(point.upper))
    })
}

/// The ends of the axes, for the script.
fn domain(views: &[View<'_>]) -> String {
    let ends: Vec<String> =
        views.iter().map(|view| format!("{} {}", view.scale.low, view.scale.high)).collect();
    ends.join(" ")
}

/// The labels of an axis of values. They are in full if short ones would be alike.
fn labels(scale: &Scale) -> String {
    let marks = scale.marks();
    let mut short: Vec<String> = marks.iter().map(|mark| label(*mark)).collect();
    if short.windows(2).any(|pair| pair[0] == pair[1]) {
        let full = |mark: &f64| match mark.abs() {
            size if (100.0..1e15).contains(&size) => with_separators(&format!("{mark:.0}")),
            _ => label(*mark),
        };
        short = marks.iter().map(full).collect();
    }
    let text = |(mark, label): (&f64, &String)| {
        let y = place(scale.y(*mark, HEIGHT));
        format!("<text x=\"100%\" dx=\"-6\" y=\"{y}\" dy=\".35em\">{label}</text>")
    };
    marks.iter().zip(&short).map(text).collect()
}

fn grid(scale: &Scale) -> String {
    let line = |mark: f64| {
        let is_base = mark == 0.0 || scale.low > 0.0 && mark == scale.low;
        let (class, y) = (if is_base { "g0" } else { "g" }, place(scale.y(mark, HEIGHT)));
        format!("<line class=\"{class}\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>")
    };
    scale.marks().into_iter().map(line).collect()
}

/// Returns the time axis below a stack of charts.
pub(super) fn time_axis(model: &Model<'_>) -> String {
    let (start, end) = model.time;
    let ticks = Ticks::between(model.time, model.zone, TICKS_MAX);
    let every = i64::try_from(ticks.times.len().div_ceil(NARROW_TICKS_MAX).max(1)).unwrap_or(1);
    let text = |(time, local): &(i64, i64)| {
        let share = (time - start) as f64 / (end - start) as f64;
        let mut classes = Vec::new();
        match share {
            share if share < 0.02 => classes.push("a0"),
            share if share > 0.98 => classes.push("a1"),
            _ => {}
        }
        if local / ticks.step % every != 0 {
            classes.push("x2");
        }
        let class = match classes.as_slice() {
            [] => String::new(),
            classes => format!(" class=\"{}\"", classes.join(" ")),
        };
        let x = place(100.0 * share);
        format!("<text x=\"{x}%\" y=\"12\"{class}>{}</text>", ticks.label(*local, *time == start))
    };
    let texts: String = ticks.times.iter().map(text).collect();
    format!("<div class=\"xax\" aria-hidden=\"true\"><svg height=\"16\">{texts}</svg></div>")
}
