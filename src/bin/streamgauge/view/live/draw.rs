//! The screen: its head, its parts and its keys.

use super::canvas::Canvas;
use super::charts::Charts;
use super::choice::{Choice, KEYS, Panel};
use super::facts::{Clock, Phase, lag, memory};
use super::layout::{Content, Layout};
use super::lists::Lists;
use super::palette::Role;
use super::panels;
use super::picture::Picture;
use crate::output::cut_middle;
use crate::output::digits::count;
use crate::view::Counts;
use crate::view::kept::Kept;
use crate::view::times::Zone;
use std::collections::{HashMap, VecDeque};

/// A line about a record that was late or could not be read, or what else the command has to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Notice {
    /// The time of day at which it came.
    pub(super) time: String,
    pub(super) text: String,
    /// True if it tells of a loss.
    pub(super) is_loss: bool,
}

/// Everything that the screen can show.
pub(super) struct Scene<'a> {
    pub(super) kept: &'a Kept,
    pub(super) counts: &'a Counts,
    pub(super) phase: Phase,
    pub(super) notices: &'a VecDeque<Notice>,
    pub(super) heading: &'a Heading,
    pub(super) clock: Clock,
}

/// What the screen tells of the pipeline.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    /// The pipeline in a few words, in full and in short.
    pub(super) words: [String; 2],
    /// The aggregates of columns whose names do not say them.
    pub(super) expressions: HashMap<String, String>,
    pub(super) zone: Zone,
}

/// Draws the screen.
pub(super) fn frame(canvas: &mut Canvas<'_>, scene: &Scene<'_>, choice: &Choice) {
    let picture = Picture::new(scene.kept, &scene.heading.expressions, choice);
    let layout = layout(canvas, &picture, choice);
    if layout.is_line {
        return status_line(canvas, scene);
    }
    head(canvas, scene, &picture, choice);
    canvas.rule(2);
    let bottom = canvas.height() - 1;
    match choice.panel {
        Panel::None => {
            let charts = Charts { picture: &picture, choice, zone: &scene.heading.zone };
            let mut y = charts.draw(canvas, 3, &layout);
            if layout.list > 0 {
                let lists = Lists { picture: &picture, choice, zone: &scene.heading.zone };
                y = lists.draw(canvas, y, &layout);
            }
            if layout.notices > 0 {
                canvas.rule(y + 1);
                panels::notices(canvas, (y + 2, bottom), scene.notices);
            }
        }
        Panel::Help => panels::help(canvas, (3, bottom)),
        Panel::Notices => panels::notices(canvas, (3, bottom), scene.notices),
    }
    keys(canvas, bottom);
}

/// Returns the layout for what the picture shows.
pub(super) fn layout(canvas: &Canvas<'_>, picture: &Picture<'_>, choice: &Choice) -> Layout {
    let cells = picture.cells();
    let chosen = choice.column.checked_rem(cells.len()).and_then(|index| cells.get(index));
    let list = picture.list(choice);
    let content = Content {
        drawn: cells.iter().filter(|column| column.is_drawn()).count(),
        cells: cells.len(),
        listed: list
            .map(|list| picture.chosen().map_or(0, |window| picture.listed(list, window).len())),
        is_chosen_drawn: chosen.is_some_and(|column| column.is_drawn()),
    };
    Layout::new((canvas.width(), canvas.height()), content)
}

/// Returns the rows of the list that the screen has room for.
pub(super) fn list_rows(canvas: &Canvas<'_>, scene: &Scene<'_>, choice: &Choice) -> usize {
    let picture = Picture::new(scene.kept, &scene.heading.expressions, choice);
    layout(canvas, &picture, choice).list.saturating_sub(1).max(1)
}

/// Returns the state of the run in words.
fn state(scene: &Scene<'_>, picture: &Picture<'_>, choice: &Choice) -> (String, Role) {
    match (choice.window, scene.phase) {
        (Some(_), _) => {
            let windows = if picture.behind == 1 { "window" } else { "windows" };
            (format!("‖ frozen, {} {windows} behind", picture.behind), Role::Reverse)
        }
        (None, Phase::Running) => ("● live".to_owned(), Role::Accent),
        (None, _) => ("■ end of input".to_owned(), Role::Reverse),
    }
}

fn head(canvas: &mut Canvas<'_>, scene: &Scene<'_>, picture: &Picture<'_>, choice: &Choice) {
    let width = canvas.width();
    let zone = &scene.heading.zone;
    let now = scene.clock.now.as_millis();
    let time = format!("{} {}", zone.time_of_day_in_full(now), zone.name);
    let x = canvas.put_right(width, 0, (&time, Role::Plain));
    let (state, role) = state(scene, picture, choice);
    let state_x = canvas.put_right(x.saturating_sub(2), 0, (&state, role));
    let x = canvas.put(0, 0, ("streamgauge", Role::Bold)) + 2;
    let room = state_x.saturating_sub(x + 2);
    let [full, short] = &scene.heading.words;
    let words = if full.chars().count() <= room { full } else { short };
    canvas.put(x, 0, (&cut_middle(words, room), Role::Mute));
    facts(canvas, scene);
}

/// Draws the counts. Where they do not fit, the limit of the memory and then filtered records are
/// left out.
fn facts(canvas: &mut Canvas<'_>, scene: &Scene<'_>) {
    let Counts { records, filtered, late, dead_letters, .. } = *scene.counts;
    let loss = |number: u64| if number > 0 { Role::Warn } else { Role::Plain };
    let mut facts = vec![("records ", count(records), Role::Plain)];
    if let Some(rate) = scene.clock.rate {
        facts.push(("", format!("{}/s", count(rate.round() as u64)), Role::Mute));
    }
    if let Some(latest) = scene.counts.latest {
        facts.push(("lag ", lag(scene.clock.now, latest), Role::Plain));
    }
    facts.push(("filtered ", count(filtered), Role::Plain));
    facts.push(("late ", count(late), loss(late)));
    facts.push(("dead letters ", count(dead_letters), loss(dead_letters)));
    let used = |facts: &[(&str, String, Role)]| -> usize {
        facts.iter().map(|(name, value, _)| name.len() + value.len() + 2).sum()
    };
    let bytes = memory(scene.counts.state_bytes);
    let of_limit = format!("{bytes} of {}", memory(scene.counts.state_bytes_max));
    let width = canvas.width();
    let memories = [format!("memory {of_limit}"), of_limit, bytes];
    let fits = |text: &&String, facts: &[(&str, String, Role)]| used(facts) + text.len() <= width;
    if !fits(&&memories[2], &facts) {
        facts.retain(|(name, ..)| *name != "filtered ");
    }
    let mut x = 0;
    for (name, value, role) in &facts {
        x = canvas.put(x, 1, (name, Role::Mute));
        x = canvas.put(x, 1, (value, *role)) + 2;
    }
    if let Some(memory) = memories.iter().find(|text| fits(text, &facts)) {
        canvas.put_right(width, 1, (memory, Role::Mute));
    }
}

/// Draws the whole screen where there is room for one line only.
fn status_line(canvas: &mut Canvas<'_>, scene: &Scene<'_>) {
    let Counts { records, late, dead_letters, .. } = *scene.counts;
    let rate = scene.clock.rate.map_or_else(String::new, |rate| format!(" {}/s", rate.round()));
    let sign = if scene.phase == Phase::Running { "●" } else { "■" };
    let text = format!("{sign} {}{rate} late {late} dead {dead_letters}", count(records));
    canvas.put(0, 0, (&text, Role::Plain));
}

fn keys(canvas: &mut Canvas<'_>, y: usize) {
    let mut x = 0;
    let length = |(key, text): &(&str, &str)| key.chars().count() + text.len() + 5;
    for key in KEYS {
        if x + length(&key) > canvas.width() + 2 {
            return;
        }
        x = canvas.put(x, y, (&format!(" {} ", key.0), Role::Reverse));
        x = canvas.put(x, y, (&format!(" {}  ", key.1), Role::Mute));
    }
}
