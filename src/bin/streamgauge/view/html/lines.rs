//! A line with its band and the area below it, as paths.

use super::model::{Model, Point};
use super::thin::{Step, thinned};
use crate::view::numbers::place;
use crate::view::scale::Scale;

/// Where and how a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawing<'a> {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) scale: Scale,
    /// Points of the line, at most.
    pub(super) steps_max: usize,
    /// True if the space between line and zero is filled.
    pub(super) has_area: bool,
    /// True if the bounds are drawn; they are if the line is thinned.
    pub(super) has_band: bool,
    /// Classes of the paths, beside their own.
    pub(super) class: &'a str,
}

/// The data of the paths.
#[derive(Default)]
struct Paths {
    line: String,
    cut: String,
    band: String,
    area: String,
}

impl Drawing<'_> {
    /// Returns the paths. A line is broken where windows are missing, and dotted over windows that
    /// the end of the input has cut short.
    pub(super) fn paths(&self, model: &Model<'_>, points: &[Point]) -> String {
        let has_band = self.has_band || points.len() > self.steps_max;
        let mut paths = Paths::default();
        for run in runs(&thinned(points, self.steps_max), model) {
            self.add(&run, model.whole, has_band, &mut paths);
        }
        let class = if self.class.is_empty() { String::new() } else { format!(" {}", self.class) };
        let path = |name: &str, data: &str| match data {
            "" => String::new(),
            data => format!("<path class=\"{name}{class}\" d=\"{data}\"/>"),
        };
        [path("ar", &paths.area), path("bd", &paths.band), path("ln", &paths.line)].concat()
            + &path("ln ct", &paths.cut)
    }

    fn add(&self, run: &[Step], whole: usize, has_band: bool, paths: &mut Paths) {
        let end = run.iter().position(|step| step.last >= whole).unwrap_or(run.len());
        let (kept, cut) = (&run[..end], &run[end.saturating_sub(1)..]);
        paths.line += &self.line(kept);
        if end < run.len() {
            paths.cut += &self.line(cut);
        }
        if kept.len() < 2 {
            return;
        }
        if has_band {
            let edge = |steps: &mut dyn Iterator<Item = (f64, f64)>| {
                let points: Vec<String> = steps.map(|(x, y)| self.point(x, y)).collect();
                points.join("L")
            };
            let upper = edge(&mut kept.iter().map(|step| (step.x, step.upper)));
            let lower = edge(&mut kept.iter().rev().map(|step| (step.x, step.lower)));
            paths.band += &format!("M{upper}L{lower}z");
        }
        if self.has_area {
            let first = place(kept[0].x * self.width);
            let line = self.line(kept);
            paths.area += &format!("{line}V{}H{first}z", place(self.height));
        }
    }

    /// The line through steps; one alone is a dot.
    fn line(&self, steps: &[Step]) -> String {
        let points: Vec<String> = steps.iter().map(|step| self.point(step.x, step.value)).collect();
        match points.as_slice() {
            [] => String::new(),
            [one] => format!("M{one}h0"),
            all => format!("M{}", all.join("L")),
        }
    }

    fn point(&self, x: f64, value: f64) -> String {
        format!("{} {}", place(x * self.width), place(self.scale.y(value, self.height)))
    }
}

/// Splits steps where windows between them are missing.
fn runs(steps: &[Step], model: &Model<'_>) -> Vec<Vec<Step>> {
    let mut runs: Vec<Vec<Step>> = Vec::new();
    for step in steps {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| !model.is_gap(last.last, step.first)) => {
                run.push(*step);
            }
            _ => runs.push(vec![*step]),
        }
    }
    runs
}
