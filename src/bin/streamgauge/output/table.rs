//! The table for people: columns as wide as they must be and a terminal allows.
//!
//! Lines are gathered until there are [`LINES_GATHERED_MAX`] of them or somebody asks for a [`flush`](TableWriter::flush); what was gathered
//! decides the width of the columns, which then only grow.

use super::cell::{Cell, printable};
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Lines that are held to measure the columns.
const LINES_GATHERED_MAX: usize = 1_000;

/// Columns are not made narrower than this, be the terminal what it may.
const COLUMN_WIDTH_MIN: usize = 6;

const GAP: &str = "  ";

/// What the table is written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Columns of the terminal; `None` where there is none, and nothing is cut.
    pub(crate) width: Option<usize>,
    /// Whether the header is set off by an escape sequence.
    pub(crate) color: bool,
}

/// How a column is laid out, by what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Layout {
    /// To the left; the first to give way where the terminal is too narrow.
    Text,
    /// To the left.
    Times,
    /// To the right.
    Numbers,
}

/// Writes lines of cells as a table.
pub(crate) struct TableWriter<W> {
    out: W,
    terminal: Terminal,
    header: Vec<String>,
    lines: Vec<Vec<Cell>>,
    widths: Vec<usize>,
    layouts: Vec<Layout>,
}

impl<W: Write> TableWriter<W> {
    pub(crate) fn new(out: W, terminal: Terminal, header: &[String]) -> Self {
        let header = header.iter().map(|name| printable(name)).collect();
        TableWriter { out, terminal, header, lines: Vec::new(), widths: Vec::new(), layouts: Vec::new() }
    }

    /// Takes a line, which has a cell for every column.
    pub(crate) fn line(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.lines.push(cells.into_iter().map(shown).collect());
        if self.lines.len() >= LINES_GATHERED_MAX { self.write_gathered() } else { Ok(()) }
    }

    /// Writes what has been gathered.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.write_gathered()?;
        self.out.flush()
    }

    fn write_gathered(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let first = self.widths.is_empty();
        self.measure();
        if first {
            self.write_header()?;
        }
        for line in std::mem::take(&mut self.lines) {
            let text = self.laid_out(line.iter().map(Cell::as_str));
            writeln!(self.out, "{text}")?;
        }
        Ok(())
    }

    fn measure(&mut self) {
        if self.widths.is_empty() {
            self.layouts = (0..self.header.len()).map(|column| layout(self.lines.iter().filter_map(|line| line.get(column)))).collect();
            self.widths = self.header.iter().map(|name| name.width()).collect();
        }
        for line in &self.lines {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = (*width).max(cell.as_str().width());
            }
        }
        if let Some(terminal) = self.terminal.width {
            shrink(&mut self.widths, &self.layouts, terminal);
        }
    }

    fn write_header(&mut self) -> io::Result<()> {
        let text = self.laid_out(self.header.iter().map(String::as_str));
        match self.terminal.color {
            true => writeln!(self.out, "\x1b[1m{text}\x1b[0m"),
            false => writeln!(self.out, "{text}"),
        }
    }

    /// A line as text, no wider than the terminal, without blanks at its end.
    fn laid_out<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let mut text = String::new();
        for (index, cell) in cells.enumerate() {
            let width = self.widths.get(index).copied().unwrap_or_default();
            let cut = match self.terminal.width {
                Some(_) => truncated(cell, width),
                None => cell.to_owned(),
            };
            let blanks = " ".repeat(width.saturating_sub(cut.width()));
            if index > 0 {
                text.push_str(GAP);
            }
            match self.layouts.get(index) {
                Some(Layout::Numbers) => text.extend([blanks, cut]),
                _ => text.extend([cut, blanks]),
            }
        }
        let text = text.trim_end();
        self.terminal.width.map_or_else(|| text.to_owned(), |width| truncated(text, width))
    }
}

fn layout<'a>(cells: impl Iterator<Item = &'a Cell>) -> Layout {
    let mut layout = Layout::Numbers;
    for cell in cells {
        match cell {
            Cell::Text(_) => return Layout::Text,
            Cell::Time(_) => layout = Layout::Times,
            Cell::Empty | Cell::Number(_) => {}
        }
    }
    layout
}

/// The cell with its control characters escaped.
fn shown(cell: Cell) -> Cell {
    match cell {
        Cell::Text(text) if text.contains(char::is_control) => Cell::Text(printable(&text)),
        cell => cell,
    }
}

/// Makes the columns fit: the widest column of text gives way first, then the widest of the others.
fn shrink(widths: &mut [usize], layouts: &[Layout], terminal: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    for any in [false, true] {
        loop {
            let total = widths.iter().sum::<usize>() + gaps;
            let may_shrink =
                |(index, width): &(usize, &mut usize)| **width > COLUMN_WIDTH_MIN && (any || layouts.get(*index) == Some(&Layout::Text));
            let widest = widths.iter_mut().enumerate().filter(may_shrink).max_by_key(|(index, width)| (**width, *index));
            match widest {
                Some((_, width)) if total > terminal => *width -= 1,
                _ => break,
            }
        }
    }
}

/// The text, cut to `width` columns with an ellipsis at its end if it is wider.
fn truncated(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or_default();
        if used > width {
            break;
        }
        cut.push(c);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(width: Option<usize>, lines: &[[&str; 2]]) -> String {
        let mut out = Vec::new();
        let mut writer = TableWriter::new(&mut out, Terminal { width, color: false }, &["url".to_owned(), "count".to_owned()]);
        for [url, count] in lines {
            writer.line(vec![Cell::Text((*url).to_owned()), Cell::Number((*count).to_owned())]).unwrap();
        }
        writer.flush().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_aligned_to_the_right_and_text_to_the_left() {
        assert_eq!(table(None, &[["/a", "7"], ["/longer", "1234567"]]), "url        count\n/a             7\n/longer  1234567\n");
    }

    #[test]
    fn a_wide_column_of_text_gives_way_with_an_ellipsis() {
        assert_eq!(table(Some(16), &[["/a/very/long/path", "1234567"]]), "url        count\n/a/ver…  1234567\n");
    }

    #[test]
    fn nothing_is_cut_without_a_terminal() {
        let long = "x".repeat(500);
        assert!(table(None, &[[&long, "1"]]).contains(&long));
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(truncated("日本語", 5), "日本…");
        assert_eq!(truncated("日本語", 6), "日本語");
        assert_eq!(truncated("abc", 0), "");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(cells in prop::collection::vec("[ -~é日]{0,40}", 1..6), width in 1usize..80) {
            let header: Vec<String> = cells.iter().map(|_| "column".to_owned()).collect();
            let mut out = Vec::new();
            let mut writer = TableWriter::new(&mut out, Terminal { width: Some(width), color: false }, &header);
            writer.line(cells.into_iter().map(Cell::Text).collect()).unwrap();
            writer.flush().unwrap();
            for line in String::from_utf8(out).unwrap().lines() {
                prop_assert!(line.width() <= width, "{line:?}");
            }
        }
    }
}
