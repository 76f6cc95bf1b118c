//! The most frequent values over all windows, computed of the lists of single windows.
//!
//! Lists of windows that do not overlap are added: lower bounds to a lower bound, upper bounds to
//! an upper bound. In a window where a key is not listed and the list is full, its count is at most
//! the upper bound of the last row.

use super::model::Model;
use crate::view::answers::{Answer, identity};
use crate::view::columns::Column;
use crate::view::text::key_text;
use std::collections::HashMap;
use streamgauge::row::OutputValue;

/// Rows of a list whose expression is not known.
const ROWS_UNKNOWN: usize = 10;

/// A row of one window's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    /// The index of the key.
    pub(super) key: usize,
    pub(super) count: u64,
    pub(super) lower: u64,
    pub(super) upper: u64,
    pub(super) is_guaranteed: bool,
}

/// A row over all windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Total {
    pub(super) key: usize,
    pub(super) count: u64,
    pub(super) lower: u64,
    pub(super) upper: u64,
    /// False if another key may have come as often.
    pub(super) is_certain: bool,
    /// The rank in the first and in the second half of the windows.
    pub(super) ranks: (Option<usize>, Option<usize>),
}

/// The lists of a column in the windows of a group.
#[derive(Debug)]
pub(super) struct Lists<'a> {
    /// The different keys, by index.
    pub(super) keys: Vec<&'a OutputValue>,
    /// The lists, by window.
    pub(super) windows: Vec<Vec<Listed>>,
    /// Rows of a full list.
    pub(super) k: usize,
    /// The window that stands for all, where the lists cannot be added.
    pub(super) only: Option<usize>,
    /// True if a list has all keys that were counted, in their own order, as that of a histogram.
    pub(super) is_whole: bool,
}

impl<'a> Lists<'a> {
    pub(super) fn new(model: &Model<'_>, rows: &[&'a Answer], column: &Column) -> Self {
        let mut indices: HashMap<String, usize> = HashMap::new();
        let mut keys = Vec::new();
        let mut list = |row: &&'a Answer| {
            let OutputValue::Top(listed) = column.of(row) else { return Vec::new() };
            let mut list = Vec::with_capacity(listed.len());
            for row in listed {
                let next = indices.len();
                let key = *indices.entry(identity(std::slice::from_ref(&row.key))).or_insert(next);
                if key == next {
                    keys.push(&row.key);
                }
                let (count, lower, upper) = (row.count, row.lower, row.upper);
                list.push(Listed { key, count, lower, upper, is_guaranteed: row.guaranteed });
            }
            list
        };
        let windows: Vec<Vec<Listed>> = rows.iter().map(&mut list).collect();
        let is_one = rows.len() == 1 || model.overlapping;
        let is_whole = column.function() == Some("histogram");
        let k = match is_whole {
            true => Some(keys.len()),
            false => column.arguments().first().and_then(|k| k.parse().ok()),
        };
        let longest = windows.iter().map(Vec::len).max();
        Lists {
            keys,
            k: k.or(longest).unwrap_or(ROWS_UNKNOWN).max(1),
            windows,
            only: is_one.then(|| last_whole(model, rows)),
            is_whole,
        }
    }

    /// Returns the totals, the most frequent first, and of them the `k` first ones.
    pub(super) fn totals(&self, rows_max: usize) -> Vec<Total> {
        let mut totals = match self.only {
            Some(only) => self.of_window(only),
            None => self.over_windows(),
        };
        totals.truncate(self.k.min(rows_max));
        totals
    }

    fn of_window(&self, window: usize) -> Vec<Total> {
        let total = |row: &Listed| Total {
            key: row.key,
            count: row.count,
            lower: row.lower,
            upper: row.upper,
            is_certain: row.is_guaranteed,
            ranks: (None, None),
        };
        self.windows.get(window).into_iter().flatten().map(total).collect()
    }

    fn over_windows(&self) -> Vec<Total> {
        // The most that a key which is not listed can have.
        let floor = |list: &Vec<Listed>| match list.last() {
            Some(last) if list.len() >= self.k && !self.is_whole => last.upper,
            _ => 0,
        };
        let floors = self.windows.iter().map(floor).fold(0, u64::saturating_add);
        let mut totals: Vec<Total> = (0..self.keys.len())
            .map(|key| Total {
                key,
                count: 0,
                lower: 0,
                upper: floors,
                is_certain: true,
                ranks: (None, None),
            })
            .collect();
        for list in &self.windows {
            let floor = floor(list);
            for row in list {
                let total = &mut totals[row.key];
                total.count = total.count.saturating_add(row.count);
                total.lower = total.lower.saturating_add(row.lower);
                total.upper = total.upper.saturating_add(row.upper).saturating_sub(floor);
            }
        }
        if self.is_whole {
            totals.sort_by(|a, b| self.lower_bound(a).total_cmp(&self.lower_bound(b)));
            return totals;
        }
        self.sort(&mut totals);
        let rest = totals.get(self.k..).unwrap_or_default();
        let others = rest.iter().map(|total| total.upper).fold(floors, u64::max);
        let half = self.windows.len() / 2;
        let (first, second) =
            (self.ranks(&self.windows[..half]), self.ranks(&self.windows[half..]));
        for total in totals.iter_mut().take(self.k) {
            total.is_certain = total.lower >= others;
            let of = |ranks: &HashMap<usize, usize>| ranks.get(&total.key).copied();
            total.ranks = (of(&first), of(&second));
        }
        totals
    }

    /// Returns the number in the name of a bucket that it begins with.
    fn lower_bound(&self, total: &Total) -> f64 {
        let Some(OutputValue::Text(name)) = self.keys.get(total.key) else { return f64::NAN };
        let first = name.split(" to ").next().unwrap_or_default();
        match first.strip_prefix(">= ") {
            Some(bound) => bound.parse().unwrap_or(f64::NAN),
            // All that is below a bound comes first.
            None => first.parse().unwrap_or(f64::NEG_INFINITY),
        }
    }

    fn sort(&self, totals: &mut [Total]) {
        totals.sort_by_cached_key(|total| {
            (std::cmp::Reverse(total.count), self.keys.get(total.key).map(|key| key_text(key)))
        });
    }

    /// The ranks of keys by their counts in some windows.
    fn ranks(&self, windows: &[Vec<Listed>]) -> HashMap<usize, usize> {
        let mut counts: HashMap<usize, u64> = HashMap::new();
        for row in windows.iter().flatten() {
            let count = counts.entry(row.key).or_default();
            *count = count.saturating_add(row.count);
        }
        let mut totals: Vec<Total> = counts
            .into_iter()
            .map(|(key, count)| Total {
                key,
                count,
                lower: 0,
                upper: 0,
                is_certain: true,
                ranks: (None, None),
            })
            .collect();
        self.sort(&mut totals);
        totals.iter().enumerate().map(|(index, total)| (total.key, index + 1)).collect()
    }

    /// Returns the counts of a key by window; none where it is not listed.
    pub(super) fn counts(&self, key: usize) -> impl Iterator<Item = Option<u64>> {
        self.windows
            .iter()
            .map(move |list| list.iter().find(|row| row.key == key).map(|row| row.count))
    }
}

/// The last row whose window is whole, or the last row.
fn last_whole(model: &Model<'_>, rows: &[&Answer]) -> usize {
    let whole = rows.iter().rposition(|row| model.window_of(row) < model.whole);
    whole.unwrap_or(rows.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lists of the `k` most frequent keys, exact, in windows of these counts by key.
    fn lists<'a>(keys: &'a [OutputValue], windows: &[Vec<u64>], k: usize) -> Lists<'a> {
        let list = |counts: &Vec<u64>| {
            let mut list: Vec<Listed> = counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(|(key, count)| {
                    let (count, lower, upper) = (*count, *count, *count);
                    Listed { key, count, lower, upper, is_guaranteed: true }
                })
                .collect();
            list.sort_by_key(|row| std::cmp::Reverse(row.count));
            list.truncate(k);
            list
        };
        let windows = windows.iter().map(list).collect();
        Lists { keys: keys.iter().collect(), windows, k, only: None, is_whole: false }
    }

    proptest! {
        #[test]
        fn s205_totals_over_windows_have_bounds_that_hold(
            windows in proptest::collection::vec(proptest::collection::vec(0u64..20, 6), 1..12),
            k in 1usize..6,
        ) {
            let keys: Vec<OutputValue> = (0..6).map(OutputValue::Integer).collect();
            let truth = |key: usize| windows.iter().map(|counts| counts[key]).sum::<u64>();
            let totals = lists(&keys, &windows, k).totals(100);
            for total in &totals {
                let true_count = truth(total.key);
                prop_assert!(total.lower <= true_count && true_count <= total.upper, "{:?}", total);
                if total.is_certain {
                    let above = (0..6).filter(|key| truth(*key) > true_count).count();
                    prop_assert!(above < k, "{:?}", total);
                }
            }
        }
    }
}
