//! Where the parts of the screen are.

/// With fewer columns or lines the screen is one line.
const LEAST: (usize, usize) = (40, 8);

/// From this width on there is a chart of every column, if they fit.
const WIDE: usize = 100;

/// From this width on the rows of a list have lines of their counts.
const LINED: usize = 124;

/// Lines of a chart, without those for its name and its times.
const CHART: usize = 4;

/// Lines of the chosen column's chart where there is one of every column.
const CHOSEN: usize = 7;

/// Lines of a list that are worth to be seen: a rule, its head and three rows.
const LIST_LEAST: usize = 5;

/// Rows of a list, beside charts of every column.
const LIST_WIDE: usize = 10;

/// Lines of the last notices: an empty one, a rule and three notices.
const NOTICES: usize = 5;

/// What there is to be shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    /// Columns that can be drawn as a chart.
    pub(super) drawn: usize,
    /// All columns with a value in a cell.
    pub(super) cells: usize,
    /// Rows of the list.
    pub(super) listed: Option<usize>,
    /// True if the chosen column can be drawn.
    pub(super) is_chosen_drawn: bool,
}

/// The number of lines of each part, below the two lines of the head and a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Layout {
    /// True if the screen is one line.
    pub(super) is_line: bool,
    /// True if there is a chart of every column.
    pub(super) is_wide: bool,
    /// Lines of the chosen column's chart; 0 if it is one line, too.
    pub(super) chart: usize,
    /// Lines of the other charts.
    pub(super) charts: usize,
    /// Columns of one line.
    pub(super) lines: usize,
    /// Rows of the list, with the line that tells of more rows. 0 without a list.
    pub(super) list: usize,
    /// True if the rows of the list have lines of their counts.
    pub(super) is_lined: bool,
    /// Lines of notices.
    pub(super) notices: usize,
}

impl Layout {
    /// Returns the layout of a screen. What does not fit is left out: first notices, then columns
    /// of one line, then the chart.
    pub(super) fn new((width, height): (usize, usize), content: Content) -> Layout {
        if width < LEAST.0 || height < LEAST.1 {
            return Layout { is_line: true, ..Layout::default() };
        }
        // The head with its rule, and the keys.
        let body = height - 4;
        let is_lined = width >= LINED;
        match Layout::wide(body, content).filter(|_| width >= WIDE) {
            Some(layout) => Layout { is_lined, ..layout },
            None => Layout { is_lined, ..Layout::narrow(body, content) },
        }
    }

    fn wide(body: usize, content: Content) -> Option<Layout> {
        let Content { drawn, cells, listed, is_chosen_drawn } = content;
        if drawn == 0 {
            return None;
        }
        let more = if is_chosen_drawn { CHOSEN - CHART } else { 0 };
        // Each chart has a line with its name, and all have one line of times.
        let used = drawn * (CHART + 1) + more + 1 + (cells - drawn);
        let rest = body.checked_sub(used)?;
        let rows = listed.map(|rows| rows.min(LIST_WIDE));
        let list = rows.map_or(0, |rows| rows + 2);
        let notices = if rest >= list + NOTICES { rest - list - 2 } else { 0 };
        let list = if notices > 0 { list } else { rest.min(list) };
        (rows.is_none() || list >= LIST_LEAST.min(2 + rows.unwrap_or_default())).then(|| Layout {
            is_wide: true,
            chart: if is_chosen_drawn { CHOSEN } else { CHART },
            charts: CHART,
            lines: cells - drawn,
            list: list.saturating_sub(2),
            notices,
            ..Layout::default()
        })
    }

    fn narrow(body: usize, content: Content) -> Layout {
        let Content { cells, listed, is_chosen_drawn, .. } = content;
        let list_least = listed.map_or(0, |rows| LIST_LEAST.min(rows.max(1) + 2));
        let chart_lines = if is_chosen_drawn { CHART + 2 } else { 0 };
        let has_chart = is_chosen_drawn && body >= chart_lines + list_least;
        let chart_lines = if has_chart { chart_lines } else { 0 };
        let others = if has_chart { cells - 1 } else { cells };
        let rest = body - chart_lines;
        let lines = others.min(rest.saturating_sub(list_least));
        let rest = rest - lines;
        match listed {
            Some(_) => Layout {
                chart: if has_chart { CHART } else { 0 },
                lines,
                list: rest.saturating_sub(2),
                ..Layout::default()
            },
            None => Layout {
                chart: if has_chart { CHART + rest } else { 0 },
                lines,
                ..Layout::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Layout {
        /// Lines of the whole screen.
        fn height(&self, drawn: usize) -> usize {
            let charts = match (self.is_wide, self.chart) {
                (true, chart) => chart + (drawn - 1) * self.charts + drawn + 1,
                (false, 0) => 0,
                (false, chart) => chart + 2,
            };
            let list = if self.list > 0 { self.list + 2 } else { 0 };
            let notices = if self.notices > 0 { self.notices + 2 } else { 0 };
            4 + charts + self.lines + list + notices
        }
    }

    #[test]
    fn s281_the_sizes_of_the_design() {
        let content = Content { drawn: 5, cells: 5, listed: Some(10), is_chosen_drawn: true };
        let small = Layout { chart: 4, lines: 4, list: 8, ..Layout::default() };
        assert_eq!(Layout::new((80, 24), content), small);
        let large = Layout {
            is_wide: true,
            chart: 7,
            charts: 4,
            list: 10,
            is_lined: true,
            notices: 3,
            ..Layout::default()
        };
        assert_eq!(Layout::new((160, 50), content), large);
        assert!(Layout::new((39, 24), content).is_line && Layout::new((80, 7), content).is_line);
    }

    proptest! {
        #[test]
        fn s281_every_size_holds_its_parts(
            size in (0usize..250, 0usize..90),
            drawn in 0usize..12,
            texts in 0usize..3,
            listed in proptest::option::of(0usize..40),
            is_chosen_drawn in any::<bool>(),
        ) {
            let is_chosen_drawn = is_chosen_drawn && drawn > 0;
            let content = Content { drawn, cells: drawn + texts, listed, is_chosen_drawn };
            let layout = Layout::new(size, content);
            prop_assert!(layout.is_line || layout.height(drawn) <= size.1, "{:?}", layout);
        }
    }
}
