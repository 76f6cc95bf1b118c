//! The limits of a page, all in one place.

/// Bytes of a page, at most. A page that would be larger is drawn again with [halved
/// limits](PageLimits::halved).
pub(super) const PAGE_BYTES_MAX: usize = 2_000_000;

/// Columns of answers, at most.
pub(super) const COLUMNS_MAX: usize = 1_000;

/// Characters of a key that are shown. A longer one is cut in its middle.
pub(super) const KEY_CHARS: usize = 44;

/// Measures that small multiples can show: as many as the style has switches for.
pub(super) const MEASURES_MAX: usize = 12;

/// How much of the answers a page shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PageLimits {
    /// Columns that are drawn and listed.
    pub(super) columns: usize,
    /// Points of a line in a chart.
    pub(super) steps: usize,
    /// Points of a line in a small multiple.
    pub(super) panel_steps: usize,
    /// Points of a sparkline.
    pub(super) spark_steps: usize,
    /// Rows of a table of windows, and of the details of all groups together.
    pub(super) rows: usize,
    /// Small multiples.
    pub(super) panels: usize,
    /// Rows of the table of groups.
    pub(super) group_rows: usize,
    /// Rows of a top-k.
    pub(super) top_rows: usize,
    /// Rows of the top-k lists of single windows.
    pub(super) top_cells: usize,
    /// Characters of a key that pointing at it shows.
    pub(super) title_chars: usize,
}

impl PageLimits {
    /// The limits of an ordinary page.
    pub(super) const FULL: PageLimits = PageLimits {
        columns: 64,
        steps: 480,
        panel_steps: 120,
        spark_steps: 120,
        rows: 5_000,
        panels: 24,
        group_rows: 500,
        top_rows: 1_000,
        top_cells: 20_000,
        title_chars: 1_000,
    };

    /// Returns half of each limit, but never less than what is still worth to look at.
    pub(super) fn halved(self) -> PageLimits {
        let half = |limit: usize, least: usize| (limit / 2).max(least);
        PageLimits {
            columns: half(self.columns, 8),
            steps: half(self.steps, 30),
            panel_steps: half(self.panel_steps, 15),
            spark_steps: half(self.spark_steps, 15),
            rows: half(self.rows, 20),
            panels: half(self.panels, 6),
            group_rows: half(self.group_rows, 20),
            top_rows: half(self.top_rows, 10),
            top_cells: half(self.top_cells, 10),
            title_chars: half(self.title_chars, 60),
        }
    }
}
