//! The newest answers of a run that goes on, kept in bounded memory.

use crate::view::answers::{Answer, Place, as_read, bytes_of, identity, place};
use crate::view::text::head;
use std::collections::BTreeMap;
use streamgauge::row::OutputValue;
use streamgauge::rows::RowEmission;

/// Windows that are kept: the newest ones.
pub(super) const WINDOWS_MAX: usize = 720;

/// Groups of a window that are kept: the first ones of its answer.
pub(super) const GROUPS_MAX: usize = 1_000;

/// Approximate bytes of all answers that are kept. Past that the oldest windows are left out.
pub(super) const KEPT_BYTES_MAX: usize = 64 << 20;

/// Rows of a top-k that are kept of each answer.
pub(super) const TOP_ROWS_MAX: usize = 1_000;

/// Characters of a key that are kept.
pub(super) const KEY_CHARS_MAX: usize = 1_000;

/// Columns that are shown.
pub(super) const COLUMNS_MAX: usize = 64;

/// The place of a window in the order of answers: its end, then its start.
pub(super) type Order = (i64, i64);

/// A row of a window.
#[derive(Clone, Debug)]
struct KeptRow {
    answer: Answer,
    /// True if it came while its window was open.
    is_early: bool,
    bytes: usize,
}

/// A window with its rows.
#[derive(Clone, Debug)]
pub(super) struct KeptWindow {
    pub(super) place: Place,
    /// True if the window still takes records.
    pub(super) is_open: bool,
    /// Groups past the limit.
    pub(super) left_out: usize,
    /// The number of the last early answers; `None` after the window has closed.
    early: Option<u64>,
    rows: BTreeMap<String, KeptRow>,
}

impl KeptWindow {
    /// Returns the place in the order of answers.
    #[cfg(feature = "live")]
    pub(super) fn order(&self) -> Order {
        (self.place.1, self.place.0)
    }

    /// Returns the row of a group by its [`identity`].
    #[cfg(feature = "live")]
    pub(super) fn row(&self, group: &str) -> Option<&Answer> {
        self.rows.get(group).map(|row| &row.answer).filter(|answer| !answer.is_retracted)
    }

    /// Returns the rows with the identities of their groups.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &Answer)> {
        let rows = self.rows.iter().map(|(name, row)| (name.as_str(), &row.answer));
        rows.filter(|(_, answer)| !answer.is_retracted)
    }

    fn bytes(&self) -> usize {
        self.rows.values().map(|row| row.bytes).sum()
    }
}

/// The newest answers of a run.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The fields of the grouping.
    pub(super) group_names: Vec<String>,
    /// The names of the columns.
    pub(super) columns: Vec<String>,
    windows: BTreeMap<Order, KeptWindow>,
    bytes: usize,
    bytes_max: usize,
    /// The last window that was left out.
    left_out: Option<Order>,
}

impl Kept {
    pub(super) fn new(group_names: Vec<String>, mut columns: Vec<String>) -> Self {
        columns.truncate(COLUMNS_MAX);
        Kept {
            group_names,
            columns,
            windows: BTreeMap::new(),
            bytes: 0,
            bytes_max: KEPT_BYTES_MAX,
            left_out: None,
        }
    }

    /// Returns the windows in the order of their answers.
    pub(super) fn windows(&self) -> impl DoubleEndedIterator<Item = &KeptWindow> {
        self.windows.values()
    }

    /// Takes a row of a window that has closed, or with the number of the early answers one of an
    /// open window.
    pub(super) fn take(&mut self, row: &RowEmission, early: Option<u64>) {
        let (start, end) = place(row.window);
        let order = (end, start);
        if self.left_out.is_some_and(|last| order <= last) {
            return;
        }
        let window = self.windows.entry(order).or_insert_with(|| KeptWindow {
            place: (start, end),
            is_open: early.is_some(),
            left_out: 0,
            early,
            rows: BTreeMap::new(),
        });
        self.bytes -= window.remove_early_before(early);
        let name = identity(&row.group);
        let known = window.rows.get(&name);
        let (is_known, known_bytes) = (known.is_some(), known.map_or(0, |known| known.bytes));
        if known.is_some_and(|known| known.answer.revision > row.revision) {
            return;
        }
        if !is_known && window.rows.len() >= GROUPS_MAX {
            window.left_out += 1;
            return;
        }
        let mut answer = answer(row, early.is_none());
        // Beyond the columns there can be histograms.
        answer.values.truncate(self.columns.len());
        let bytes = bytes_of(&name, &answer);
        self.bytes = self.bytes - known_bytes + bytes;
        window.rows.insert(name, KeptRow { answer, is_early: early.is_some(), bytes });
        self.keep_limits();
    }

    fn keep_limits(&mut self) {
        while self.windows.len() > WINDOWS_MAX || self.bytes > self.bytes_max {
            let Some((order, window)) = self.windows.pop_first() else { return };
            self.bytes -= window.bytes();
            self.left_out = Some(order);
        }
    }
}

impl KeptWindow {
    /// Removes the early rows that another answer replaces, and returns their bytes.
    fn remove_early_before(&mut self, early: Option<u64>) -> usize {
        if self.early == early {
            return 0;
        }
        (self.early, self.left_out) = (early, 0);
        self.is_open &= early.is_some();
        let before = self.bytes();
        self.rows.retain(|_, row| !row.is_early);
        before - self.bytes()
    }
}

/// Returns a row with what is shown of it.
fn answer(row: &RowEmission, is_complete: bool) -> Answer {
    Answer {
        window: row.window,
        group: row.group.iter().map(short).collect(),
        revision: row.revision,
        is_complete,
        is_retracted: row.is_retracted(),
        values: row.values.iter().take(COLUMNS_MAX).map(short).map(as_read).collect(),
    }
}

/// Returns a value whose lists and texts are not longer than the limits.
fn short(value: &OutputValue) -> OutputValue {
    match value {
        OutputValue::Text(text) => OutputValue::Text(head(text, KEY_CHARS_MAX).to_owned()),
        OutputValue::List(keys) => OutputValue::List(keys.iter().map(short).collect()),
        OutputValue::Top(rows) => {
            let rows = rows.iter().take(TOP_ROWS_MAX);
            let row = |row: &streamgauge::row::TopValue| {
                let mut kept = row.clone();
                kept.key = short(&row.key);
                kept
            };
            OutputValue::Top(rows.map(row).collect())
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use streamgauge::{Timestamp, Window};

    fn row(minute: i64, group: u32, revision: u32) -> RowEmission {
        let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
        RowEmission {
            window: Some(Window::new(at(minute), at(minute + 1))),
            revision,
            group: vec![OutputValue::Integer(i128::from(group))],
            values: vec![OutputValue::Integer(1)],
            form: Default::default(),
        }
    }

    fn empty() -> Kept {
        Kept::new(vec!["g".to_owned()], vec!["count".to_owned()])
    }

    #[test]
    fn s284_an_open_window_is_replaced_by_its_next_answer() {
        let mut kept = empty();
        let groups =
            |kept: &Kept| kept.windows().map(|window| window.rows().count()).sum::<usize>();
        kept.take(&row(0, 1, 0), Some(1));
        kept.take(&row(0, 2, 0), Some(1));
        assert!(kept.windows().all(|window| window.is_open) && groups(&kept) == 2);
        // In the next early answers one group has gone, as past a limit.
        kept.take(&row(0, 1, 1), Some(2));
        assert!(kept.windows().all(|window| window.is_open) && groups(&kept) == 1);
        kept.take(&row(0, 3, 2), None);
        assert!(kept.windows().all(|window| !window.is_open) && groups(&kept) == 1);
        // A late record gives one group a new answer.
        kept.take(&row(0, 4, 2), None);
        kept.take(&row(0, 3, 3), None);
        assert_eq!(groups(&kept), 2);
    }

    proptest! {
        #[test]
        fn s285_answers_stay_within_their_limits(
            rows in proptest::collection::vec((0i64..40, 0u32..20, any::<bool>()), 1..300),
            kept_max in 1usize..50,
        ) {
            let mut kept = empty();
            let one = bytes_of(&identity(&row(0, 0, 0).group), &answer(&row(0, 0, 0), true));
            kept.bytes_max = kept_max * (one + 1);
            for (index, (minute, group, is_open)) in rows.iter().enumerate() {
                let round = index as u64;
                kept.take(&row(*minute, *group, index as u32), is_open.then_some(round));
                let bytes: usize = kept.windows().map(KeptWindow::bytes).sum();
                prop_assert_eq!(bytes, kept.bytes);
                prop_assert!(bytes <= kept.bytes_max);
            }
        }
    }

    #[test]
    fn s285_the_newest_windows_and_the_first_groups_are_kept() {
        let mut kept = empty();
        let last = WINDOWS_MAX as i64 + 9;
        (0..=last).for_each(|minute| kept.take(&row(minute, 0, 0), None));
        let starts: Vec<i64> = kept.windows().map(|window| window.place.0 / 60_000).collect();
        assert_eq!(starts, (10..=last).collect::<Vec<_>>());
        let groups = GROUPS_MAX as u32 + 5;
        (0..groups).for_each(|group| kept.take(&row(last + 1, group, 0), None));
        let newest = kept.windows().next_back().unwrap();
        assert_eq!((newest.rows().count(), newest.left_out), (GROUPS_MAX, 5));
    }
}
