//! The screen as text: its structure at the sizes of the design, and what others write into it.

use super::canvas::Canvas;
use super::choice::{Action, Choice};
use super::draw::{Heading, frame, list_rows};
use super::facts::{Clock, Phase};
use super::feed::State;
use super::palette::Palette;
use super::picture::Picture;
use super::signs::to_ascii;
use crate::view::Counts;
use crate::view::kept::Kept;
use crate::view::times::Zone;
use proptest::prelude::*;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Color;
use std::path::Path;
use streamgauge::row::{Number, OutputValue, TopValue};
use streamgauge::rows::RowEmission;
use streamgauge::{Timestamp, Window};

/// 2024-01-01T00:00:00Z.
const START: i64 = 1_704_067_200_000;

const COLUMNS: [&str; 6] =
    ["count", "bytes", "p50(latency_ms)", "p99(latency_ms)", "distinct(user_id)", "top(10, url)"];

/// A number that looks random, from 0 to 1.
fn chance(window: i64, column: i64) -> f64 {
    let mut mixed = (window * 1_009 + column) as u64;
    for _ in 0..2 {
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (mixed >> 40) as f64 / (1u64 << 24) as f64
}

fn estimate(value: f64, width: f64) -> OutputValue {
    let number = |value: f64| Number::Int(value.round() as i128);
    OutputValue::Estimate {
        value: number(value),
        lower: number(value - width),
        upper: number(value + width),
    }
}

/// The most frequent URLs of a window, of which some change their ranks.
fn top(window: i64) -> OutputValue {
    let row = |rank: i64| {
        let count = (321.0 / (rank + 1) as f64 + 9.0 * chance(window, 90 + rank)).round() as u64;
        let lower = count - if rank % 3 == 1 { count / 20 } else { 0 };
        let section = ["products", "search", "api/v1/items", "media", "static"][rank as usize % 5];
        let key = OutputValue::Text(format!("/{section}/{rank:07}/index.html"));
        TopValue { key, count, lower, upper: count, guaranteed: true }
    };
    let mut rows: Vec<TopValue> = (0..10).map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    OutputValue::Top(rows)
}

/// The answer of a window of five seconds.
fn answer(window: i64, share: f64) -> RowEmission {
    let at = |window: i64| Timestamp::from_millis(START + 5_000 * window);
    let wave = (window as f64 / 9.0).sin();
    let count = share * (2_750.0 + 60.0 * wave + 50.0 * chance(window, 1));
    let values = vec![
        OutputValue::Integer(count.round() as i128),
        OutputValue::Integer((count * (14_000.0 + 600.0 * chance(window, 2))).round() as i128),
        estimate(35.0 + (2.0 * chance(window, 3)).round(), 0.0),
        estimate(280.0 + 22.0 * wave + 16.0 * chance(window, 4), 1.0),
        estimate(count - 16.0, 48.0),
        top(window),
    ];
    let window = Some(Window::new(at(window), at(window + 1)));
    RowEmission { window, revision: 0, group: Vec::new(), values, form: Default::default() }
}

/// A run of 144 windows, of which the next one is open.
fn state() -> State {
    let mut state = State::new(Kept::new(Vec::new(), COLUMNS.map(str::to_owned).to_vec()));
    (0..144).for_each(|window| state.kept.take(&answer(window, 1.0), None));
    state.kept.take(&answer(144, 0.4), Some(1));
    state.counts = Counts {
        records: 590_004,
        filtered: 0,
        late: 12,
        dead_letters: 3,
        state_bytes: 24 << 20,
        state_bytes_max: 8 << 30,
        latest: Some(Timestamp::from_millis(START + 722_000)),
    };
    for (time, text) in [
        ("00:11:40", "late: 4 records"),
        ("00:11:44", "dead letter: stdin:534411: invalid JSON: expected `,` or `}`, column 87"),
        ("00:12:01", "late: 1 record"),
    ] {
        state.notice(time.to_owned(), text);
    }
    state
}

fn heading() -> Heading {
    Heading {
        words: [
            "stdin · window 5s · by ts · max delay 10s".to_owned(),
            "stdin · window 5s · by ts".to_owned(),
        ],
        expressions: [("bytes".to_owned(), "sum(bytes)".to_owned())].into(),
        zone: Zone::named(None),
    }
}

fn clock() -> Clock {
    Clock { now: Timestamp::from_millis(START + 723_200), rate: Some(555.2) }
}

fn buffer((width, height): (u16, u16)) -> Buffer {
    Buffer::empty(Rect::new(0, 0, width, height))
}

fn drawn(state: &State, size: (u16, u16), choice: &Choice) -> Buffer {
    let mut buffer = buffer(size);
    let mut canvas = Canvas { buffer: &mut buffer, palette: Palette::Indexed };
    frame(&mut canvas, &state.scene(&heading(), clock()), choice);
    buffer
}

/// Returns the lines, without spaces at their ends.
fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let line = |cells: &[ratatui_core::buffer::Cell]| {
        let mut line = String::new();
        let mut skipped = 0;
        for cell in cells {
            if skipped > 0 {
                skipped -= 1;
                continue;
            }
            skipped = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
            line.push_str(cell.symbol());
        }
        line.trim_end().to_owned()
    };
    buffer.content.chunks(width.max(1)).map(line).collect()
}

/// Changes the choice as keys do.
fn pressed(state: &State, actions: &[Action]) -> Choice {
    let mut choice = Choice { column: 3, ..Choice::default() };
    for action in actions {
        let mut buffer = buffer((80, 24));
        let canvas = Canvas { buffer: &mut buffer, palette: Palette::Mono };
        let heading = heading();
        let page = list_rows(&canvas, &state.scene(&heading, clock()), &choice);
        let picture = Picture::new(&state.kept, &heading.expressions, &choice);
        picture.apply(*action, page, &mut choice);
    }
    choice
}

/// What a line of the screen is.
fn kind(line: &str) -> &'static str {
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match line {
        "" => "empty",
        line if line.starts_with("streamgauge") => "head",
        line if line.starts_with("records ") => "counts",
        line if line.chars().all(|c| c == '─') => "rule",
        line if line.contains(" │") || line.contains(" ┤") && !line.contains('━') => "chart",
        line if line.starts_with(" q ") => "keys",
        line if line.contains("window 00:") => "list",
        line if line.starts_with("last notices") || line.starts_with("       ") => {
            let text = line.trim_start_matches("last notices").trim_start();
            if text.contains(" more ") {
                "more"
            } else if text.contains(": ") {
                "notice"
            } else {
                "times"
            }
        }
        line if starts_with_digit(line.trim_start()) => "row",
        line if line.contains(['▁', '▂', '▃', '▄', '▅', '▆', '▇']) => "column",
        line if line.starts_with("▸ ") || line.starts_with("  ") => "title",
        _ => "other",
    }
}

/// Returns the kinds of the lines, equal ones that follow each other with their number.
fn structure(lines: &[String]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for line in lines {
        match kinds.last_mut() {
            Some((last, number)) if *last == kind(line) => *number += 1,
            _ => kinds.push((kind(line), 1)),
        }
    }
    let text = |(kind, number): &(&str, usize)| match number {
        1 => (*kind).to_owned(),
        number => format!("{number} {kind}"),
    };
    kinds.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[test]
fn s281_the_screen_has_the_structure_of_the_design() {
    let state = state();
    let choice = pressed(&state, &[]);
    let small = lines(&drawn(&state, (80, 24), &choice));
    let expected = "head, counts, rule, title, 4 chart, times, 4 column, rule, list, 7 row, more, \
                    keys";
    assert_eq!(structure(&small), expected, "{}", small.join("\n"));
    let large = lines(&drawn(&state, (160, 50), &choice));
    let expected = "head, counts, rule, title, 4 chart, title, 4 chart, title, 4 chart, title, \
                    7 chart, title, 4 chart, times, rule, list, 10 row, empty, rule, 3 notice, \
                    keys";
    assert_eq!(structure(&large), expected, "{}", large.join("\n"));
    for (line, x) in [(&small[4], 7), (&large[4], 9)] {
        assert!("┤│".contains(line.chars().nth(x).unwrap()), "{line}");
    }
}

#[test]
fn s281_the_screen_fits_every_size() {
    let state = state();
    for width in [0, 1, 39, 40, 60, 79, 81, 99, 100, 123, 124, 200] {
        for height in [0, 1, 7, 8, 11, 15, 23, 25, 40, 60] {
            for actions in [&[][..], &[Action::Help], &[Action::Notices]] {
                let choice = pressed(&state, actions);
                let shown = lines(&drawn(&state, (width, height), &choice));
                let is_line = width < 40 || height < 8;
                let last = shown.last().map_or("", String::as_str);
                assert!(is_line || last.starts_with(" q  quit"), "{width}x{height}\n{last}");
            }
        }
    }
}

#[test]
fn s283_keys_freeze_the_picture_and_move_in_it() {
    let mut state = state();
    let head = |state: &State, choice: &Choice| lines(&drawn(state, (80, 24), choice))[0].clone();
    let list = |state: &State, choice: &Choice| lines(&drawn(state, (80, 24), choice))[14].clone();
    let frozen = pressed(&state, &[Action::Freeze]);
    state.kept.take(&answer(144, 1.0), None);
    state.kept.take(&answer(145, 1.0), None);
    assert!(head(&state, &frozen).contains("‖ frozen, 2 windows behind"));
    assert!(list(&state, &frozen).contains("window 00:11:55"));
    let earlier = pressed(&state, &[Action::Window(-1), Action::Window(-1), Action::Window(1)]);
    assert!(head(&state, &earlier).contains("‖ frozen, 1 window behind"));
    assert!(list(&state, &earlier).contains("window 00:12:00"), "{}", list(&state, &earlier));
    let oldest = pressed(&state, &[Action::Oldest]);
    assert!(list(&state, &oldest).contains("window 00:00:00 ·"), "{}", list(&state, &oldest));
    let newest = pressed(&state, &[Action::Oldest, Action::Newest]);
    assert!(head(&state, &newest).contains("● live"));
    state.phase = Phase::Ended;
    assert!(head(&state, &newest).contains("■ end of input"));
    let next = pressed(&state, &[Action::Column(1)]);
    assert!(lines(&drawn(&state, (80, 24), &next))[3].starts_with("▸ distinct(user_id)  "));
    let scrolled = pressed(&state, &[Action::Rows(1), Action::Page(9)]);
    let shown = lines(&drawn(&state, (80, 24), &scrolled));
    assert!(shown[15].starts_with(" 4 ") && shown[22] == "       3 more ↑", "{}", shown.join("\n"));
}

#[test]
fn s284_open_windows_are_marked_and_do_not_bend_charts() {
    let mut state = state();
    let list = lines(&drawn(&state, (80, 24), &Choice::default()))[14].clone();
    assert!(list.contains("  open: 00:12:00, 1,1") && list.ends_with(" so far"), "{list}");
    let before = lines(&drawn(&state, (80, 24), &Choice::default()));
    state.kept.take(&answer(145, 0.1), Some(1));
    let after = lines(&drawn(&state, (80, 24), &Choice::default()));
    assert_eq!(before[3..13], after[3..13]);
    assert!(after[14].contains("2 open: 00:12:05, "), "{}", after[14]);
    // Before a window has closed, what there is so far is shown.
    let mut first = State::new(Kept::new(Vec::new(), COLUMNS.map(str::to_owned).to_vec()));
    first.kept.take(&answer(0, 0.5), Some(1));
    let shown = lines(&drawn(&first, (80, 24), &Choice::default()));
    assert!(shown[14].contains("window 00:00:00 · open: not complete"), "{}", shown[14]);
}

#[test]
fn s284_the_groups_of_a_window_are_a_list() {
    let columns = ["count", "p99(ms)"].map(str::to_owned).to_vec();
    let mut state = State::new(Kept::new(vec!["country".to_owned()], columns));
    for (minute, country, count) in [(0, "DE", 5), (0, "FR", 7), (1, "DE", 9), (1, "FR", 8)] {
        let at = |minute: i64| Timestamp::from_millis(START + minute * 60_000);
        let row = RowEmission {
            window: Some(Window::new(at(minute), at(minute + 1))),
            revision: 0,
            group: vec![OutputValue::Text(country.to_owned())],
            values: vec![OutputValue::Integer(count), estimate(9.0, 1.0)],
            form: Default::default(),
        };
        state.kept.take(&row, None);
    }
    let shown = lines(&drawn(&state, (80, 24), &Choice::default()));
    let list = shown.iter().position(|line| line.starts_with("country by count")).unwrap();
    assert!(shown[list + 1].starts_with(" 1 ▲1  DE "), "{}", shown.join("\n"));
    assert!(shown[list + 2].starts_with(" 2 ▼1  FR "), "{}", shown.join("\n"));
    assert!(shown[3].starts_with("▸ count  9"), "{}", shown[3]);
    let next = pressed(&state, &[Action::Group, Action::Column(1)]);
    assert!(lines(&drawn(&state, (80, 24), &next))[3].starts_with("▸ count  8"));
}

#[test]
fn s286_without_colours_nothing_is_lost() {
    let state = state();
    let plain = |palette: Palette| {
        let mut buffer = buffer((80, 24));
        let mut canvas = Canvas { buffer: &mut buffer, palette };
        frame(&mut canvas, &state.scene(&heading(), clock()), &Choice::default());
        buffer
    };
    let (mono, indexed) = (plain(Palette::Mono), plain(Palette::Indexed));
    assert_eq!(lines(&mono), lines(&indexed));
    assert!(mono.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    let mut ascii = indexed;
    to_ascii(&mut ascii);
    let text = lines(&ascii).join("\n");
    assert!(text.is_ascii() && !text.contains('?'.to_string().repeat(2).as_str()), "{text}");
}

/// Characters that change the direction of their neighbours.
const ACTING: [char; 3] = ['\u{202e}', '\u{2066}', '\u{feff}'];

proptest! {
    #[test]
    fn s286_no_text_of_others_reaches_the_terminal_as_a_control(
        keys in proptest::collection::vec(any::<String>(), 1..8),
        name in any::<String>(),
        size in (40u16..170, 8u16..52),
    ) {
        let columns = vec!["count".to_owned(), name.clone()];
        let mut state = State::new(Kept::new(vec![name.clone()], columns));
        let rows = keys.iter().map(|key| TopValue {
            key: OutputValue::Text(format!("\u{1b}]0;a\u{7}\u{202e}日本{key}")),
            count: 5,
            lower: 4,
            upper: 6,
            guaranteed: false,
        });
        let mut row = answer(0, 1.0);
        row.group = vec![OutputValue::Text(keys[0].clone())];
        row.values = vec![OutputValue::Integer(5), OutputValue::Top(rows.collect())];
        state.kept.take(&row, None);
        state.notice("00:00".to_owned(), &format!("dead letter: \u{9b}31m {name}"));
        for actions in [&[][..], &[Action::Notices]] {
            let shown = drawn(&state, size, &pressed(&state, actions));
            for cell in &shown.content {
                prop_assert!(!cell.symbol().contains(char::is_control), "{:?}", cell.symbol());
                prop_assert!(!cell.symbol().contains(ACTING), "{:?}", cell.symbol());
            }
        }
    }
}

/// The documents show what the program draws. `STREAMGAUGE_WRITE_DOCUMENTS=1` writes the file.
#[test]
fn the_screens_of_the_documents_are_drawn_here() {
    let state = state();
    let choice = pressed(&state, &[]);
    let screen = |size| lines(&drawn(&state, size, &choice)).join("\n") + "\n";
    let (small, large) = (screen((80, 24)), screen((160, 50)));
    let text = format!("{small}\n{large}");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = project.join("docs/live.txt");
    if std::env::var_os("STREAMGAUGE_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, &text).unwrap();
        return;
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let readme = std::fs::read_to_string(project.join("README.md")).unwrap();
    assert!(readme.contains(&small), "the README shows the small screen of docs/live.txt");
}
