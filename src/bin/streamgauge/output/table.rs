//! The table for people, with columns as wide as needed and as the terminal allows.
//!
//! Lines are collected until there are [`LINES_GATHERED_MAX`] of them or the caller calls
//! [`flush`](TableWriter::flush). The collected lines decide the widths of the columns, which then
//! only grow. On a terminal that is too narrow, bounds are omitted first. Then dates are written
//! once, then headers are broken and floats have fewer digits, and then text is cut in its middle.

use super::cell::{Cell, printable};
use super::digits::{abbreviated, with_fewer_digits};
use super::fit::{Detail, HEADER_LINES_MAX, Layout, SHORT_TIMES, Widths, fit};
use super::shorten::{broken, cut_end, cut_middle};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Maximum number of lines that are collected to measure the columns.
const LINES_GATHERED_MAX: usize = 1_000;

/// The text of a missing value.
const NULL: &str = "null";

/// The terminal on which the table is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// The columns of the terminal. Without a terminal this is `None`, and nothing is cut.
    pub(crate) width: Option<usize>,
    /// True if an escape sequence emphasises the header.
    pub(crate) color: bool,
}

/// Writes lines of cells as a table.
pub(crate) struct TableWriter<W> {
    out: W,
    terminal: Terminal,
    header: Vec<String>,
    lines: Vec<Vec<Cell>>,
    columns: Vec<Widths>,
    widths: Vec<usize>,
    detail: Detail,
    /// The form of times without dates.
    clock: Clock,
    /// The date of the last line with a time.
    date: String,
}

impl<W: Write> TableWriter<W> {
    pub(crate) fn new(out: W, terminal: Terminal, header: &[String]) -> Self {
        TableWriter {
            out,
            terminal,
            header: header.iter().map(|name| printable(name)).collect(),
            lines: Vec::new(),
            columns: Vec::new(),
            widths: Vec::new(),
            detail: Detail::Full,
            clock: Clock::Days,
            date: String::new(),
        }
    }

    /// Adds a line, which has a cell for every column.
    pub(crate) fn line(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.lines.push(cells);
        if self.lines.len() >= LINES_GATHERED_MAX { self.write_gathered() } else { Ok(()) }
    }

    /// Writes the collected lines.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.write_gathered()?;
        self.out.flush()
    }

    fn write_gathered(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let first = self.columns.is_empty();
        self.measure();
        if first {
            self.write_header()?;
        }
        for line in std::mem::take(&mut self.lines) {
            self.write_line(&line)?;
        }
        Ok(())
    }

    fn measure(&mut self) {
        if self.columns.is_empty() {
            let layouts = (0..self.header.len())
                .map(|column| layout(self.lines.iter().filter_map(|line| line.get(column))));
            self.columns = layouts
                .zip(&self.header)
                .map(|(layout, name)| Widths::new(layout, name.width()))
                .collect();
        }
        let times = self.lines.iter().flatten().filter_map(|cell| {
            if let Cell::Time(time) = cell { Some(Clock::of(time)) } else { None }
        });
        self.clock = times.fold(self.clock, Clock::max);
        for line in &self.lines {
            for (widths, cell) in self.columns.iter_mut().zip(line) {
                measure(widths, cell);
                widths.short_time = self.clock.width();
            }
        }
        (self.widths, self.detail) = fit(&self.columns, self.terminal.width, self.detail);
    }

    fn write_header(&mut self) -> io::Result<()> {
        let name = |(name, column): (&'_ String, &Widths)| match column.layout {
            Layout::Times if self.detail >= Detail::ShortTimes => SHORT_TIMES.to_owned(),
            _ => name.clone(),
        };
        let names = self.header.iter().zip(&self.columns).map(name).zip(&self.widths);
        let names: Vec<Vec<String>> =
            names.map(|(name, width)| broken(&name, *width, HEADER_LINES_MAX)).collect();
        let height = names.iter().map(Vec::len).max().unwrap_or(1);
        for row in 0..height {
            // Short names are directly above their columns.
            let part = |name: &Vec<String>| {
                (row + name.len())
                    .checked_sub(height)
                    .and_then(|at| name.get(at))
                    .cloned()
                    .unwrap_or_default()
            };
            let text =
                self.joined(names.iter().map(part).zip(&self.widths).zip(&self.columns).map(
                    |((name, width), column)| {
                        let blanks = blanks(*width, &name);
                        if column.layout == Layout::Numbers {
                            blanks + &name
                        } else {
                            name + &blanks
                        }
                    },
                ));
            match self.terminal.color {
                true => writeln!(self.out, "\x1b[1m{text}\x1b[0m")?,
                false => writeln!(self.out, "{text}")?,
            }
        }
        Ok(())
    }

    fn write_line(&mut self, line: &[Cell]) -> io::Result<()> {
        self.write_date(line)?;
        let columns = self.columns.iter().zip(&self.widths);
        let text = self.joined(
            line.iter()
                .zip(columns)
                .map(|(cell, (column, width))| self.laid_out(cell, column, *width)),
        );
        writeln!(self.out, "{text}")
    }

    /// Writes a line with the date, if times have no date and the date has changed.
    fn write_date(&mut self, line: &[Cell]) -> io::Result<()> {
        let Some((date, _)) = line
            .iter()
            .find_map(|cell| if let Cell::Time(time) = cell { time.split_once('T') } else { None })
        else {
            return Ok(());
        };
        if self.detail < Detail::ShortTimes || self.clock == Clock::Days || self.date == date {
            return Ok(());
        }
        self.date = date.to_owned();
        let line = self.joined([format!("{date} UTC")].into_iter());
        writeln!(self.out, "{line}")
    }

    /// Returns a line of cells as text, no wider than the terminal, without trailing spaces.
    fn joined(&self, cells: impl Iterator<Item = String>) -> String {
        let text = cells.collect::<Vec<_>>().join(self.detail.gap());
        let text = text.trim_end();
        self.terminal.width.map_or_else(|| text.to_owned(), |width| cut_end(text, width))
    }

    /// Returns a cell padded or cut to the width of its column.
    fn laid_out(&self, cell: &Cell, column: &Widths, width: usize) -> String {
        let text = self.shown(cell);
        let text = match (self.terminal.width, column.layout) {
            (None, _) => text,
            (Some(_), Layout::Text) => cut_middle(&text, width),
            (Some(_), Layout::Numbers) if text.width() > width => {
                abbreviated(&text, width).unwrap_or_else(|| cut_end(&text, width))
            }
            (Some(_), _) => cut_end(&text, width),
        };
        if column.layout != Layout::Numbers {
            return blanks_behind(text, width);
        }
        let bounds_width = column.bounds_with_space(self.detail);
        let text = blanks(width.saturating_sub(bounds_width), &text) + &text;
        match cell {
            Cell::Estimate(_, bounds) if bounds_width > 0 => {
                blanks_behind(format!("{text} {bounds}"), width)
            }
            _ => blanks_behind(text, width),
        }
    }

    /// Returns a cell without its bounds.
    fn shown(&self, cell: &Cell) -> String {
        match cell {
            Cell::Null => NULL.to_owned(),
            Cell::Estimate(value, _) if self.detail >= Detail::FewDigits => {
                marked(&with_fewer_digits(value))
            }
            Cell::Number(value) if self.detail >= Detail::FewDigits => with_fewer_digits(value),
            Cell::Estimate(value, _) if self.detail > Detail::Full => marked(value),
            Cell::Time(time) if self.detail >= Detail::ShortTimes => self.clock.short(time),
            cell => cell.as_str().to_owned(),
        }
    }
}

fn blanks(width: usize, text: &str) -> String {
    " ".repeat(width.saturating_sub(text.width()))
}

fn blanks_behind(text: String, width: usize) -> String {
    let blanks = blanks(width, &text);
    text + &blanks
}

/// Returns an approximate number with the mark for omitted bounds.
fn marked(value: &str) -> String {
    format!("~{value}")
}

/// The form of times whose date is written above: the shortest one that suits all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Clock {
    /// All times are midnights, so their dates are enough.
    Days,
    Minutes,
    Seconds,
    Millis,
}

impl Clock {
    /// Returns the shortest form for a time such as `2025-10-25T20:00:00Z`.
    fn of(time: &str) -> Clock {
        match time.split_once('T').map(|(_, time)| time) {
            Some("00:00:00Z") => Clock::Days,
            Some(time) if time.len() > "00:00:00Z".len() => Clock::Millis,
            Some(time) if time.ends_with(":00Z") => Clock::Minutes,
            _ => Clock::Seconds,
        }
    }

    fn width(self) -> usize {
        match self {
            Clock::Days => "0000-00-00".len(),
            Clock::Minutes => "00:00".len(),
            Clock::Seconds => "00:00:00".len(),
            Clock::Millis => "00:00:00.000".len(),
        }
    }

    fn short(self, time: &str) -> String {
        match time.split_once('T') {
            Some((date, _)) if self == Clock::Days => date.to_owned(),
            Some((_, time)) => time.trim_end_matches('Z').chars().take(self.width()).collect(),
            None => time.to_owned(),
        }
    }
}

fn measure(widths: &mut Widths, cell: &Cell) {
    let shown = if *cell == Cell::Null { NULL } else { cell.as_str() };
    let mark = usize::from(matches!(cell, Cell::Estimate(..)));
    let few = if matches!(cell, Cell::Number(_) | Cell::Estimate(..)) {
        with_fewer_digits(shown)
    } else {
        shown.to_owned()
    };
    widths.value = widths.value.max(shown.width());
    widths.marked = widths.marked.max(shown.width() + mark);
    widths.few = widths.few.max(few.width() + mark);
    if let Cell::Estimate(_, bounds) = cell {
        widths.bounds = widths.bounds.max(bounds.width());
    }
}

fn layout<'a>(cells: impl Iterator<Item = &'a Cell>) -> Layout {
    let mut layout = Layout::Numbers;
    for cell in cells {
        match cell {
            Cell::Text(_) | Cell::Other => return Layout::Text,
            Cell::Time(_) => layout = Layout::Times,
            Cell::Empty | Cell::Null | Cell::Number(_) | Cell::Estimate(..) => {}
        }
    }
    layout
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(width: Option<usize>, lines: &[[&str; 2]]) -> String {
        let mut out = Vec::new();
        let mut writer = TableWriter::new(
            &mut out,
            Terminal { width, color: false },
            &["url".to_owned(), "count".to_owned()],
        );
        for [url, count] in lines {
            writer
                .line(vec![Cell::Text((*url).to_owned()), Cell::Number((*count).to_owned())])
                .unwrap();
        }
        writer.flush().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_aligned_to_the_right_and_text_to_the_left() {
        assert_eq!(
            table(None, &[["/a", "7"], ["/longer", "1234567"]]),
            "url        count\n/a             7\n/longer  1234567\n"
        );
    }

    #[test]
    fn a_wide_column_of_text_gives_way_with_an_ellipsis() {
        assert_eq!(
            table(Some(16), &[["/a/very/long/path", "1234567"]]),
            "url        count\n/a/v…ath 1234567\n"
        );
    }

    #[test]
    fn nothing_is_cut_without_a_terminal() {
        let long = "x".repeat(500);
        assert!(table(None, &[[&long, "1"]]).contains(&long));
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            cells in prop::collection::vec("[ -~é日]{0,40}", 1..6),
            width in 1usize..80,
        ) {
            let header: Vec<String> = cells.iter().map(|_| "column".to_owned()).collect();
            let mut out = Vec::new();
            let mut writer =
                TableWriter::new(&mut out, Terminal { width: Some(width), color: false }, &header);
            writer.line(cells.into_iter().map(Cell::Text).collect()).unwrap();
            writer.flush().unwrap();
            for line in String::from_utf8(out).unwrap().lines() {
                prop_assert!(line.width() <= width, "{line:?}");
            }
        }
    }
}
