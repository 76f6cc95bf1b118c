//! The page: what was read, what came out, and how exact it is.

use super::details::Details;
use super::facts::{Facts, Origin};
use super::limits::{KEY_CHARS, PAGE_BYTES_MAX, PageLimits};
use super::model::{Group, Model, Source};
use super::panels::Panels;
use super::policy::{RELOAD, SCRIPT, STYLE, policy};
use super::tables;
use crate::view::answers::{ANSWERS_BYTES_MAX, Answers};
use crate::view::columns::{Column, aliases};
use crate::view::exactness::in_full;
use crate::view::numbers::{counted, percent};
use crate::view::text::{escaped, group_html, group_text, middle, name_html, title};
use crate::view::times::words;
use streamgauge::Timestamp;

/// The switch between axes from zero and fitted ones.
const AXIS: &str = "<fieldset class=\"ax\"><legend>Axis</legend><label><input type=\"radio\" \
                    name=\"z\" id=\"z0\" checked>from zero</label><label><input type=\"radio\" \
                    name=\"z\" id=\"z1\">fitted</label></fieldset>";

/// The choice of a window, for the script.
const SLIDER: &str = "<div id=\"bar\" hidden><div class=\"wl\"><label \
                      for=\"w\">Window</label><output id=\"wv\" for=\"w\" data-all=\"all of \
                      them\">all of them</output></div><button id=\"all\" \
                      type=\"button\">All</button><input id=\"w\" type=\"range\" min=\"0\" \
                      max=\"1\" step=\"1\"></div>";

/// Characters of a group's name in the list of groups.
const OPTION_CHARS: usize = 40;

/// What a page is made of.
pub(super) struct Page<'a> {
    pub(super) answers: &'a Answers,
    pub(super) origin: &'a Origin,
    pub(super) facts: &'a Facts,
    /// The time of the last record, if that is known.
    pub(super) latest: Option<Timestamp>,
    /// True if the page is served while the run goes on.
    pub(super) is_served: bool,
}

impl Page<'_> {
    /// Returns the page. If it is too large all limits are halved, until it is not or nothing more
    /// can be left out.
    pub(super) fn html(&self) -> String {
        let source = Source {
            expressions: aliases(self.origin.aggregates()),
            zone: self.origin.zone.clone(),
            latest: self.latest,
        };
        let mut limits = PageLimits::FULL;
        loop {
            let page = self.within(&source, limits);
            let halved = limits.halved();
            if page.len() <= PAGE_BYTES_MAX || halved == limits {
                return page;
            }
            limits = halved;
        }
    }

    fn within(&self, source: &Source, limits: PageLimits) -> String {
        let model = Model::new(self.answers, source, limits.columns);
        let has_script = model.is_over_time() || model.is_grouped();
        let scripts = [(SCRIPT, has_script), (RELOAD, self.is_served)];
        let scripts = scripts.into_iter().filter(|(_, has)| *has);
        let script: String =
            scripts.map(|(script, _)| format!("<script>{script}</script>")).collect();
        let (title, version) = (name_html(&self.origin.title()), env!("CARGO_PKG_VERSION"));
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta \
             http-equiv=\"Content-Security-Policy\" content=\"{}\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" \
             content=\"light dark\"><meta name=\"referrer\" content=\"no-referrer\"><meta \
             name=\"generator\" content=\"streamgauge {version}\"><title>{title} · \
             streamgauge</title><style>{STYLE}</style></head><body><header><div \
             class=\"top\"><b>streamgauge</b><span>version {version}</span></div><h1>{title}</h1>\
             <p class=\"range\">{}</p><p class=\"words\">{}</p>{}{}</header>\
             <main>{}</main>{}{script}</body></html>\n",
            policy(has_script, self.is_served),
            time(&model),
            self.origin.sentence(&self.answers.columns, self.is_windowed(&model)),
            self.left_out(&model),
            self.facts.html(),
            self.body(&model, limits),
            foot(&model),
        )
    }

    /// Returns false if the answers are those of one window over everything.
    fn is_windowed(&self, model: &Model<'_>) -> bool {
        let without = self.origin.spec.as_ref().is_some_and(|spec| spec.window.is_none());
        !model.windows.is_empty() || model.groups.is_empty() && !without
    }

    /// What is not on the page.
    fn left_out(&self, model: &Model<'_>) -> String {
        let mut notes = String::new();
        if self.answers.left_out() > 0 {
            notes += &format!(
                "<p class=\"note warn\">The first {} windows are left out: a page keeps the newest \
                 {} MiB of answers.</p>",
                counted(self.answers.left_out()),
                ANSWERS_BYTES_MAX >> 20
            );
        }
        let hidden = self.answers.columns.len() - model.columns.len();
        if hidden > 0 {
            notes += &format!(
                "<p class=\"note warn\">The last {} columns are left out; \
                 <code>--output csv</code> has all.</p>",
                counted(hidden)
            );
        }
        notes
    }

    fn body(&self, model: &Model<'_>, limits: PageLimits) -> String {
        match model.groups.first() {
            None => format!(
                "<section class=\"empty\"><h2>No window came out</h2><p \
                 class=\"mute\">{}</p></section>",
                self.facts.reason()
            ),
            Some(all) if !model.is_grouped() => ungrouped(model, all, limits),
            Some(_) => grouped(model, limits),
        }
    }
}

/// The time of the answers, and how many windows there are.
fn time(model: &Model<'_>) -> String {
    if model.windows.is_empty() {
        let text = if model.groups.is_empty() { "" } else { "One window over everything" };
        return text.to_owned();
    }
    let (start, end) = model.time;
    let number = model.windows.len();
    let length = model.length_words().map(|words| format!(" of {words}"));
    let every = match model.overlapping {
        true => format!(" every {}", words(model.spacing)),
        false => String::new(),
    };
    format!(
        "{} · {} window{}{}{every}",
        model.zone.range(start, end),
        counted(number),
        if number == 1 { "" } else { "s" },
        length.unwrap_or_default()
    )
}

fn ungrouped(model: &Model<'_>, all: &Group<'_>, limits: PageLimits) -> String {
    let heading = match model.is_over_time() {
        true => format!(
            "<section><div class=\"hd\"><h2>Over time</h2><p class=\"hint\">One point a window. \
             Point at a chart, or move the slider.</p><div \
             class=\"ctl\">{AXIS}</div></div></section>{SLIDER}"
        ),
        false => "<section><h2>One window</h2></section>".to_owned(),
    };
    let mut details = Details { model, limits, charts: 0 };
    format!("<div class=\"dets\">{}</div>", details.html("all-records", &heading, all))
}

fn grouped(model: &Model<'_>, limits: PageLimits) -> String {
    let all = model.groups.len();
    let panels = if all > limits.panels { limits.panels - 1 } else { all };
    let details = (limits.rows / model.windows.len().max(1)).clamp(1, panels);
    let small = match model.is_over_time() {
        true => Panels::new(model, limits).html(details),
        false => String::new(),
    };
    let one = match model.is_over_time() || model.tops().next().is_some() {
        true => one_group(model, limits, details),
        false => String::new(),
    };
    let over = match model.is_over_time() {
        true => {
            "Sums over all windows; what cannot be summed is given from its lowest to its highest \
             window."
        }
        false => "",
    };
    let more = match all > limits.group_rows {
        true => format!(" The largest {} are listed.", counted(limits.group_rows)),
        false => String::new(),
    };
    let groups = format!(
        "<section><div class=\"hd\"><h2>Groups</h2><p>{over}{more}</p></div>{}</section>",
        tables::groups(model, limits)
    );
    let windows = if model.is_over_time() { windows_of_all(model, limits) } else { String::new() };
    [small, one, groups, windows].concat()
}

fn windows_of_all(model: &Model<'_>, limits: PageLimits) -> String {
    let partly = match model.drawn().all(|column| column.is_additive()) {
        true => "",
        false => "What cannot be summed over groups is left out.",
    };
    let more = match model.windows.len() > limits.rows {
        true => format!(" The last {} are listed.", counted(limits.rows)),
        false => String::new(),
    };
    format!(
        "<section><div class=\"hd\"><h2>Windows, all groups \
         together</h2><p>{partly}{more}</p></div>{}</section>",
        tables::windows_of_all(model, limits)
    )
}

/// The details of the largest groups, of which one is shown.
fn one_group(model: &Model<'_>, limits: PageLimits, number: usize) -> String {
    let all = model.groups.len();
    let measure = model.measure().filter(|column| column.is_additive());
    let total = tables::total_size(model);
    let mut details = Details { model, limits, charts: 0 };
    let (mut options, mut bodies) = (String::new(), String::new());
    for (index, group) in model.groups.iter().take(number).enumerate() {
        let (id, name) = (format!("g{}", index + 1), group_text(group.keys));
        options +=
            &format!("<option value=\"{id}\">{}</option>", escaped(&middle(&name, OPTION_CHARS)));
        let share = measure.map(|measure| {
            format!(", {} of {}", percent(group.size / total, 3), name_html(&measure.name))
        });
        let heading = format!(
            "<section><div class=\"hd\"><h2{}>{}</h2><p>number {} of {} \
             groups{}</p></div></section>",
            title(&name, KEY_CHARS, limits.title_chars),
            group_html(group.keys, KEY_CHARS),
            counted(index + 1),
            counted(all),
            share.unwrap_or_default()
        );
        bodies += &details.html(&id, &heading, group);
    }
    let place = if model.is_over_time() { "here or above" } else { "here" };
    let hint = match number < all {
        true => format!("the largest {} can be chosen {place}", counted(number)),
        false => format!("chosen {place}"),
    };
    let (axis, slider) = if model.is_over_time() { (AXIS, SLIDER) } else { ("", "") };
    format!(
        "<section><div class=\"hd\"><h2>One group</h2><p class=\"hint\">{hint}</p><div \
         class=\"ctl\">{axis}<span hidden><label for=\"gs\">Group</label> <select \
         id=\"gs\">{options}</select></span></div></div>{slider}<div \
         class=\"dets\">{bodies}</div></section>"
    )
}

fn foot(model: &Model<'_>) -> String {
    let rows = || model.groups.iter().flat_map(|group| group.rows.iter().copied());
    let is_summed_up = model.is_over_time() && !model.overlapping;
    let line = |column: &Column| {
        let (name, exact) = (name_html(&column.name), in_full(column, rows(), is_summed_up));
        format!("<dt>{name}</dt><dd>{exact}</dd>")
    };
    let lines: String = model.columns.iter().map(line).collect();
    if model.groups.is_empty() {
        return String::new();
    }
    format!(
        "<footer><h2>How exact it is</h2><dl>{lines}</dl><p class=\"note\">Windows are half-open; \
         times are of {}. The same answers give the same page, to the byte.</p></footer>",
        name_html(&model.zone.name)
    )
}
