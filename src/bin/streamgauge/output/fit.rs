//! The widths of a table's columns: as wide as needed, or less if the terminal is too narrow.

/// Minimum width of a column on any terminal.
pub(super) const COLUMN_WIDTH_MIN: usize = 6;

/// Text is not cut below this width, unless nothing else is left to cut.
const TEXT_WIDTH_MIN: usize = 12;

/// Maximum number of lines of a header.
pub(super) const HEADER_LINES_MAX: usize = 4;

/// How much of the cells is visible. Each step omits more than the one before. The least important
/// parts go first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Detail {
    /// Everything.
    Full,
    /// Approximate numbers have a mark and no bounds.
    NoBounds,
    /// A date is written once, above its times.
    ShortTimes,
    /// Headers are broken into lines.
    NarrowHeaders,
    /// Floats have fewer digits.
    FewDigits,
    /// Columns are separated by one space instead of two.
    NarrowGaps,
    /// Text is cut in its middle.
    CutText,
    /// Everything that is too wide is cut, times last.
    Cut,
}

const STEPS: [Detail; 8] = [
    Detail::Full,
    Detail::NoBounds,
    Detail::ShortTimes,
    Detail::NarrowHeaders,
    Detail::FewDigits,
    Detail::NarrowGaps,
    Detail::CutText,
    Detail::Cut,
];

impl Detail {
    /// Returns the text between two columns.
    pub(super) fn gap(self) -> &'static str {
        if self < Detail::NarrowGaps { "  " } else { " " }
    }
}

/// The name of a column of times without dates.
pub(super) const SHORT_TIMES: &str = "start";

/// The layout of a column, which depends on its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// Aligned to the left.
    Text,
    /// Aligned to the left.
    Times,
    /// Digits aligned, with bounds to the right of them.
    Numbers,
}

/// The widths of a column's content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    pub(super) layout: Layout,
    pub(super) header: usize,
    /// Cells without bounds, and whole times.
    pub(super) value: usize,
    /// Cells without bounds, with the mark of approximate numbers.
    pub(super) marked: usize,
    /// As `marked`, with fewer digits.
    pub(super) few: usize,
    /// The bounds; 0 without bounds.
    pub(super) bounds: usize,
    /// Times without dates.
    pub(super) short_time: usize,
}

impl Widths {
    pub(super) fn new(layout: Layout, header: usize) -> Self {
        Widths { layout, header, value: 0, marked: 0, few: 0, bounds: 0, short_time: 0 }
    }

    /// Returns the width of the bounds, including the space in front of them.
    pub(super) fn bounds_with_space(&self, detail: Detail) -> usize {
        if detail == Detail::Full && self.bounds > 0 { self.bounds + 1 } else { 0 }
    }

    fn content(&self, detail: Detail) -> usize {
        match self.layout {
            Layout::Times if detail >= Detail::ShortTimes => self.short_time,
            _ if detail == Detail::Full => self.value + self.bounds_with_space(detail),
            _ if detail < Detail::FewDigits => self.marked,
            _ => self.few,
        }
    }

    fn header(&self, detail: Detail) -> usize {
        if self.layout == Layout::Times && detail >= Detail::ShortTimes {
            SHORT_TIMES.len()
        } else {
            self.header
        }
    }

    /// Returns the minimum width at this detail.
    fn least(&self, detail: Detail) -> usize {
        let (content, natural) = (self.content(detail), self.natural(detail));
        let header = self.header(detail).div_ceil(HEADER_LINES_MAX);
        match (detail, self.layout) {
            _ if detail < Detail::NarrowHeaders => natural,
            (Detail::Cut, Layout::Text | Layout::Numbers) => natural.min(COLUMN_WIDTH_MIN),
            (Detail::CutText, Layout::Text) => natural.min(TEXT_WIDTH_MIN.max(header)),
            _ => natural.min(content.max(header)),
        }
    }

    fn natural(&self, detail: Detail) -> usize {
        self.header(detail).max(self.content(detail))
    }
}

/// Returns the widths of the columns and their detail: the highest detail that fits, starting with
/// the given one.
pub(super) fn fit(
    columns: &[Widths],
    terminal: Option<usize>,
    at_most: Detail,
) -> (Vec<usize>, Detail) {
    let natural = |detail: Detail| columns.iter().map(|column| column.natural(detail)).collect();
    let Some(terminal) = terminal else { return (natural(Detail::Full), Detail::Full) };
    for detail in STEPS.into_iter().filter(|step| *step >= at_most) {
        let room = terminal.saturating_sub(detail.gap().len() * columns.len().saturating_sub(1));
        let least: usize = columns.iter().map(|column| column.least(detail)).sum();
        if least <= room || detail == Detail::Cut {
            let mut widths: Vec<usize> = natural(detail);
            shrink(&mut widths, columns, (detail, room));
            return (widths, detail);
        }
    }
    (natural(Detail::Full), Detail::Full)
}

/// Reduces the widest of the columns that may be narrower, until all columns fit.
fn shrink(widths: &mut [usize], columns: &[Widths], (detail, room): (Detail, usize)) {
    let mut over = widths.iter().sum::<usize>().saturating_sub(room);
    while over > 0 {
        let may_shrink = widths
            .iter_mut()
            .zip(columns)
            .enumerate()
            .filter(|(_, (width, column))| **width > column.least(detail));
        match may_shrink.max_by_key(|(index, (width, _))| (**width, *index)) {
            Some((_, (width, _))) => *width -= 1,
            None => return,
        }
        over -= 1;
    }
}
