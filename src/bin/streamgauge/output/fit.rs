//! How wide the columns of a table are: as they must be, or less where a terminal is too narrow for
//! that.

/// Columns are not made narrower than this, be the terminal what it may.
pub(super) const COLUMN_WIDTH_MIN: usize = 6;

/// Text is not cut to less than this unless nothing else is left.
const TEXT_WIDTH_MIN: usize = 12;

/// Lines that a header is broken into, at most.
pub(super) const HEADER_LINES_MAX: usize = 4;

/// How much of the cells is shown: each step leaves out more than the one before, and keeps what a
/// reader needs more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Detail {
    /// Everything.
    Full,
    /// Approximate numbers are marked and have no bounds.
    NoBounds,
    /// A date stands once, above its times.
    ShortTimes,
    /// Headers are broken into lines.
    NarrowHeaders,
    /// Floats have fewer digits.
    FewDigits,
    /// One space is between two columns, instead of two.
    NarrowGaps,
    /// Text is cut in its middle.
    CutText,
    /// Whatever is too wide is cut, times last.
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
    /// What is between two columns.
    pub(super) fn gap(self) -> &'static str {
        if self < Detail::NarrowGaps { "  " } else { " " }
    }
}

/// The name of a column of times without their date.
pub(super) const SHORT_TIMES: &str = "start";

/// How a column is laid out, by what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// To the left.
    Text,
    /// To the left.
    Times,
    /// Digits under digits, bounds to the right of them.
    Numbers,
}

/// How wide the contents of a column are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    pub(super) layout: Layout,
    pub(super) header: usize,
    /// The cells without bounds, and whole times.
    pub(super) value: usize,
    /// The cells without bounds, where approximate ones are marked.
    pub(super) marked: usize,
    /// The same with fewer digits.
    pub(super) few: usize,
    /// The bounds; 0 without any.
    pub(super) bounds: usize,
    /// Times without their date.
    pub(super) short_time: usize,
}

impl Widths {
    pub(super) fn new(layout: Layout, header: usize) -> Self {
        Widths { layout, header, value: 0, marked: 0, few: 0, bounds: 0, short_time: 0 }
    }

    /// What the bounds take, with the space in front of them.
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

    /// The least width at this detail.
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

/// The widths of the columns, and the detail that goes with them: the highest that fits, from the
/// given one on.
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

/// Makes the widest of the columns that may be narrower give way, until all of them fit.
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
