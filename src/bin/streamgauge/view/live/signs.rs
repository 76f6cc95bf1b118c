//! Charts and bars made of characters.

use crate::view::scale::Scale;
use ratatui_core::buffer::Buffer;

/// Columns of one line, from the lowest to the highest. A full block would touch the line above.
const HEIGHTS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// The dots of a braille character, from the upper left one: a pair for each of its four rows.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The braille character without a dot.
const BLANK: u32 = 0x2800;

/// Returns the lines of a chart, the upper one first: two values a character, the newest at the
/// right edge. Neighbours are joined by a vertical run of dots; a missing value breaks the line.
pub(super) fn braille(
    values: &[Option<f64>],
    (width, height): (usize, usize),
    scale: Scale,
) -> Vec<String> {
    let mut cells = vec![vec![0u32; width]; height];
    let columns = 2 * width;
    let shown = &values[values.len().saturating_sub(columns)..];
    let rows = (4 * height).saturating_sub(1);
    let mut before: Option<usize> = None;
    for (index, value) in shown.iter().enumerate() {
        let x = columns - shown.len() + index;
        let y = value.map(|value| {
            let y = scale.y(value, rows as f64).round();
            if y.is_finite() { (y.max(0.0) as usize).min(rows) } else { rows }
        });
        for dot in y.into_iter().flat_map(|y| run(before, y)) {
            if let Some(cell) = cells.get_mut(dot / 4).and_then(|row| row.get_mut(x / 2)) {
                *cell |= DOTS[dot % 4][x % 2];
            }
        }
        before = y;
    }
    let sign = |dots: &u32| match dots {
        0 => ' ',
        dots => char::from_u32(BLANK + dots).unwrap_or(' '),
    };
    cells.iter().map(|row| row.iter().map(sign).collect()).collect()
}

/// Returns the dots of a value: from beside the one before to its own.
fn run(before: Option<usize>, y: usize) -> std::ops::RangeInclusive<usize> {
    match before {
        Some(before) if before < y => before + 1..=y,
        Some(before) if before > y => y..=before - 1,
        _ => y..=y,
    }
}

/// Returns a line of columns, one for each value, the newest at the right edge.
pub(super) fn heights(values: &[Option<f64>], width: usize, scale: Scale) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let steps = HEIGHTS.len();
    let sign = |value: &Option<f64>| match value {
        None => ' ',
        Some(value) => {
            let share = 1.0 - scale.y(*value, 1.0);
            let step = (share.clamp(0.0, 1.0) * (steps as f64 - 0.001)) as usize;
            HEIGHTS[step.min(steps - 1)]
        }
    };
    let line: String = shown.iter().map(sign).collect();
    " ".repeat(width - shown.len()) + &line
}

/// Returns a bar: a heavy line to the lower bound, to half a character, and a light line from
/// there to the upper bound, with a tick at its end.
pub(super) fn bar(lower: f64, upper: f64, longest: f64, width: usize) -> String {
    if !(longest > 0.0 && lower.is_finite() && upper.is_finite()) || width == 0 {
        return String::new();
    }
    let share = |value: f64| (value / longest).clamp(0.0, 1.0) * width as f64;
    let halves = (share(lower) * 2.0).round().max(1.0) as usize;
    let mut bar = "━".repeat(halves / 2);
    if halves % 2 == 1 {
        bar.push('╸');
    }
    if upper > lower {
        let used = halves.div_ceil(2);
        let end = (share(upper).ceil() as usize).saturating_sub(1).min(width - 1).max(used);
        if end < width {
            bar.push_str(&"─".repeat(end - used));
            bar.push('┤');
        }
    }
    bar
}

/// Replaces what a terminal without UTF-8 cannot show.
pub(super) fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let mut chars = cell.symbol().chars();
        let (Some(c), None) = (chars.next(), chars.next()) else {
            cell.set_char('?');
            continue;
        };
        if !c.is_ascii() {
            cell.set_char(ascii(c));
        }
    }
}

fn ascii(c: char) -> char {
    match c {
        '━' | '╸' => '=',
        '─' | '–' | '−' | '↓' | '↑' => match c {
            '↓' => 'v',
            '↑' => '^',
            _ => '-',
        },
        '┤' | '│' | '‖' => '|',
        '▁' | '▂' => '.',
        '▃' | '▄' | '▅' => ':',
        '▆' | '▇' | '●' => '*',
        '▸' | '→' => '>',
        '←' => '<',
        '▲' => '^',
        '▼' => 'v',
        '■' | '█' => '#',
        '·' => '.',
        '…' => '~',
        c => match u32::from(c).checked_sub(BLANK).filter(|dots| *dots < 256) {
            Some(0) => ' ',
            Some(dots) if dots.count_ones() <= 2 => '.',
            Some(dots) if dots.count_ones() <= 4 => ':',
            Some(_) => '*',
            None => '?',
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    fn scale(low: f64, high: f64) -> Scale {
        Scale::new(low, high, true, 3.0)
    }

    #[test]
    fn a_line_of_dots_is_joined_and_breaks_at_a_missing_value() {
        let values = [0.0, 3.0].map(Some);
        assert_eq!(braille(&values, (1, 1), scale(0.0, 3.0)), ["⡸"]);
        let broken = [Some(0.0), None, Some(3.0)];
        assert_eq!(braille(&broken, (2, 1), scale(0.0, 3.0)), ["⢀⠈"]);
        assert_eq!(heights(&[Some(0.0), None, Some(3.0)], 5, scale(0.0, 3.0)), "  ▁ ▇");
    }

    #[test]
    fn s284_the_end_of_a_bar_is_the_interval() {
        assert_eq!(bar(10.0, 10.0, 10.0, 5), "━━━━━");
        assert_eq!(bar(5.0, 10.0, 10.0, 10), "━━━━━────┤");
        assert_eq!(bar(4.5, 5.0, 10.0, 10), "━━━━╸┤");
        assert_eq!(bar(0.0, 0.0, 10.0, 10), "╸");
    }

    proptest! {
        #[test]
        fn charts_and_bars_fit_their_places(
            values in proptest::collection::vec(proptest::option::of(-1e9..1e9f64), 0..90),
            width in 0usize..40,
            height in 1usize..8,
            bounds in (0.0..1e9f64, 0.0..1e9f64),
        ) {
            let all = || values.iter().copied().flatten();
            let scale = scale(all().fold(0.0, f64::min), all().fold(1.0, f64::max));
            let lines = braille(&values, (width, height), scale);
            prop_assert_eq!(lines.len(), height);
            prop_assert!(lines.iter().all(|line| line.chars().count() == width));
            prop_assert_eq!(heights(&values, width, scale).chars().count(), width);
            let (lower, upper) = (bounds.0.min(bounds.1), bounds.0.max(bounds.1));
            prop_assert!(bar(lower, upper, upper, width).width() <= width);
        }
    }
}
