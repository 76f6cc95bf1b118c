//! What the answers are of: the head of a page.

use crate::output::digits::count;
use crate::summary::Summary;
use crate::view::columns::{aliases, split};
use crate::view::numbers::{percent, place};
use crate::view::text::name_html;
use crate::view::times::{Zone, words};
use std::path::Path;
use streamgauge::query::PipelineSpec;
use streamgauge::time::parse_duration;

/// Inputs that are named one by one, at most.
const NAMED_MAX: usize = 4;

/// Where the answers are from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// What was done with the inputs, such as "Reads".
    pub(crate) verb: &'static str,
    /// The names of the inputs.
    pub(crate) inputs: Vec<String>,
    /// The pipeline, if that is known.
    pub(crate) spec: Option<PipelineSpec>,
    /// The title; without one it is made of the names.
    pub(crate) title: Option<String>,
    /// The time zone that times are shown in.
    pub(crate) zone: Zone,
}

impl Origin {
    /// Returns the lists of aggregates.
    pub(super) fn aggregates(&self) -> &[String] {
        self.spec.as_ref().and_then(|spec| spec.agg.as_deref()).unwrap_or_default()
    }

    /// Returns the title.
    pub(super) fn title(&self) -> String {
        if let Some(title) = &self.title {
            return title.clone();
        }
        let name = |input: &String| match Path::new(input).file_name() {
            Some(name) if input != "-" => name.to_string_lossy().into_owned(),
            _ => "standard input".to_owned(),
        };
        match self.inputs.as_slice() {
            [] => "streamgauge".to_owned(),
            [one] => name(one),
            [one, other] => format!("{} and {}", name(one), name(other)),
            [one, others @ ..] => format!("{} and {} more", name(one), others.len()),
        }
    }

    /// Returns what was computed, as a sentence of markup.
    pub(super) fn sentence(&self, columns: &[String], is_windowed: bool) -> String {
        let mut parts = vec![format!("{} {}", self.verb, self.named())];
        if let Some(spec) = &self.spec {
            parts.extend(clauses(spec, is_windowed));
        }
        let computed = self.computed(columns);
        let comma = if parts.len() > 1 { "," } else { "" };
        let computes = match computed.as_slice() {
            [] => String::new(),
            all => format!("{comma} and computes {}", all.join(", ")),
        };
        format!("{}{computes}.", parts.join(", "))
    }

    fn named(&self) -> String {
        let code = |input: &String| match input.as_str() {
            "-" => "standard input".to_owned(),
            input => code(input),
        };
        let shown = if self.inputs.len() > NAMED_MAX { NAMED_MAX - 1 } else { self.inputs.len() };
        let names: Vec<String> = self.inputs.iter().take(shown).map(code).collect();
        let more = match self.inputs.len() - shown {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        names.join(", ") + &more
    }

    /// The aggregates, each with the name of its column if that is another.
    fn computed(&self, columns: &[String]) -> Vec<String> {
        let lists = self.aggregates();
        if lists.is_empty() {
            return columns.iter().map(|column| code(column)).collect();
        }
        let parts = lists.iter().flat_map(|list| split(list, ','));
        let part = |part: &str| {
            let alias = aliases(&[part.to_owned()]).into_iter().next();
            alias.map_or_else(
                || code(part.trim()),
                |(name, expression)| format!("{} as {}", code(&expression), code(&name)),
            )
        };
        parts.map(part).collect()
    }
}

/// Filter, windows and groups, each a part of a sentence.
fn clauses(spec: &PipelineSpec, is_windowed: bool) -> Vec<String> {
    let mut clauses = Vec::new();
    if let Some(filter) = spec.filter.as_deref().filter(|filter| !filter.is_empty()) {
        let filter: Vec<String> = filter.iter().map(|text| code(text)).collect();
        clauses.push(format!("keeps the records with {}", filter.join(" and ")));
    }
    if let Some(window) = &spec.window {
        let by = spec.time.as_ref().map(|time| format!(" by {}", code(time))).unwrap_or_default();
        let every = spec.every.as_ref().filter(|every| *every != window);
        let every = every.map(|every| format!(" that begins every {}", length(every)));
        clauses.push(format!(
            "puts each record{by} into a window of {}{}",
            length(window),
            every.unwrap_or_default()
        ));
    }
    if !is_windowed {
        clauses.push("takes everything as one window".to_owned());
    }
    if let Some(group) = spec.group.as_deref().filter(|group| !group.is_empty()) {
        clauses.push(format!("one group for each {}", code(&group.join(", "))));
    }
    if let Some(having) = spec.having.as_deref().filter(|having| !having.is_empty()) {
        let having: Vec<String> = having.iter().map(|text| code(text)).collect();
        clauses.push(format!("keeps the rows with {}", having.join(" and ")));
    }
    if let Some(limit) = spec.limit {
        let by = spec.sort.as_deref().map(|sort| format!(" by {}", code(&sort.join(", "))));
        let by = by.unwrap_or_default();
        clauses.push(format!("keeps the first {} rows of a window{by}", count(limit)));
    }
    clauses
}

/// A length of time in words, or as it was written.
fn length(text: &str) -> String {
    let millis =
        parse_duration(text).ok().and_then(|length| i64::try_from(length.as_millis()).ok());
    millis.map_or_else(|| code(text), words)
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", name_html(text))
}

/// A number at the head of a page.
#[derive(Clone, Copy, Debug)]
struct Fact {
    name: &'static str,
    number: u64,
    /// True if its share of all records is told.
    is_share: bool,
    /// True if it is a loss.
    is_loss: bool,
}

/// What was counted beside the answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    facts: Vec<Fact>,
    /// Counts of a run over records.
    run: Option<Summary>,
}

impl Facts {
    /// The counts of a run over records.
    pub(crate) fn of_run(summary: &Summary) -> Facts {
        let fact = |name, number, is_share, is_loss| Fact { name, number, is_share, is_loss };
        let mut facts = vec![
            fact("records read", summary.records, false, false),
            fact("applied", summary.applied, true, false),
            fact("filtered out", summary.filtered, true, false),
            fact("late", summary.late, true, true),
            fact("dead letters", summary.dead_letters, true, true),
            fact("windows", summary.windows, false, false),
        ];
        if summary.between_windows > 0 {
            facts.push(fact("between windows", summary.between_windows, true, false));
        }
        Facts { facts, run: Some(summary.clone()) }
    }

    /// Counts of what was read instead of records.
    pub(crate) fn of(counts: &[(&'static str, u64)]) -> Facts {
        let fact = |(name, number): &(&'static str, u64)| Fact {
            name,
            number: *number,
            is_share: false,
            is_loss: false,
        };
        Facts { facts: counts.iter().map(fact).collect(), run: None }
    }

    /// Returns the counts, above a strip of what became of the records.
    pub(super) fn html(&self) -> String {
        let records = self.run.as_ref().map_or(0, |run| run.records);
        let fact = |fact: &Fact| {
            let class = match (fact.number, fact.is_loss) {
                (0, _) => " class=\"z\"",
                (_, true) => " class=\"w\"",
                _ => "",
            };
            let share = match fact.is_share && fact.number > 0 && records > 0 {
                true => {
                    let share = fact.number as f64 / records as f64;
                    format!("<small>{}</small>", percent(share, 3))
                }
                false => String::new(),
            };
            let (name, number) = (fact.name, count(fact.number));
            format!("<div{class}><dt>{name}</dt><dd>{number}{share}</dd></div>")
        };
        let facts: String = self.facts.iter().map(fact).collect();
        format!("<div class=\"flow\"><dl>{facts}</dl>{}</div>", self.strip())
    }

    /// A strip of the records that were applied and those that were filtered out.
    fn strip(&self) -> String {
        let Some(run) = self.run.as_ref().filter(|run| run.records > 0) else {
            return String::new();
        };
        let percent = |number: u64| place(100.0 * number as f64 / run.records as f64);
        let part = |from: u64, number: u64, class: &str| match number {
            0 => String::new(),
            number => {
                let (x, width) = (percent(from), percent(number));
                format!("<rect x=\"{x}%\" width=\"{width}%\" height=\"4\" class=\"{class}\"/>")
            }
        };
        format!(
            "<svg width=\"100%\" height=\"4\" aria-hidden=\"true\"><rect class=\"tr\" \
             width=\"100%\" height=\"4\"/>{}{}</svg>",
            part(0, run.applied, "br"),
            part(run.applied, run.filtered, "iv")
        )
    }

    /// Returns why there is no answer.
    pub(super) fn reason(&self) -> &'static str {
        match &self.run {
            Some(run) if run.records == 0 => "Not one record was read.",
            Some(run) if run.filtered == run.records => "No record passed the filter.",
            Some(run) if run.late == run.records => "Every record was late.",
            Some(run) if run.dead_letters == run.records => {
                "No record could be read: see the dead letters."
            }
            _ => "There is no answer that holds.",
        }
    }
}
