//! Which panes are open, in the order of time.
//!
//! Panes open at the late end and close at the early one, mostly, so they lie in a ring, where that takes no search and most others are found by
//! arithmetic. A pane that would have to move many others to come between them turns the ring into an ordered map, until all panes are closed: so the
//! order in which records come cannot make it quadratic.

use super::Pane;
use std::collections::{BTreeMap, VecDeque};

/// Panes that one may move to come between them: as many as are moved about as fast as a search in a large map.
const MOVED_MAX: usize = 256;

/// An open pane and where its accumulator is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) pane: Pane,
    pub(super) slot: usize,
}

/// An ordered map from the start of a pane to its entry.
#[derive(Clone, Debug, Default)]
pub(super) struct PaneIndex {
    ring: VecDeque<Entry>,
    /// Holds all panes where it is not empty; the ring is empty then.
    tree: BTreeMap<i64, Entry>,
}

impl PaneIndex {
    pub(super) fn len(&self) -> usize {
        self.ring.len() + self.tree.len()
    }

    /// The pane that starts there.
    pub(super) fn find(&self, start: i64) -> Option<&Entry> {
        match self.tree.is_empty() {
            true => self.ring.get(self.position(start)).filter(|entry| entry.pane.start == start),
            false => self.tree.get(&start),
        }
    }

    /// Adds a pane whose start is not there.
    #[inline]
    pub(super) fn insert(&mut self, entry: Entry) {
        match self.ring.back() {
            Some(last) if last.pane.start < entry.pane.start => self.ring.push_back(entry),
            _ => self.insert_between(entry),
        }
    }

    fn insert_between(&mut self, entry: Entry) {
        let start = entry.pane.start;
        if !self.tree.is_empty() {
            self.tree.insert(start, entry);
            return;
        }
        let position = self.position(start);
        if position.min(self.ring.len() - position) <= MOVED_MAX {
            self.ring.insert(position, entry);
            return;
        }
        self.tree = self.ring.drain(..).map(|entry| (entry.pane.start, entry)).collect();
        self.tree.insert(start, entry);
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&Entry> {
        match self.ring.front() {
            None if !self.tree.is_empty() => self.tree.first_key_value().map(|(_, entry)| entry),
            first => first,
        }
    }

    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<Entry> {
        match self.ring.pop_front() {
            None if !self.tree.is_empty() => self.tree.pop_first().map(|(_, entry)| entry),
            first => first,
        }
    }

    /// The last pane if it is the only one that starts in `[from, to)`, as far as that takes no search.
    #[inline]
    pub(super) fn last_alone(&self, from: i64, to: i64) -> Option<&Entry> {
        let last = self.ring.back().filter(|last| from <= last.pane.start && last.pane.start < to)?;
        let before = self.ring.len().checked_sub(2).and_then(|position| self.ring.get(position));
        before.is_none_or(|before| before.pane.start < from).then_some(last)
    }

    /// Takes out the panes that start at or after `from`, in the order of time.
    pub(super) fn split_off(&mut self, from: i64) -> impl Iterator<Item = Entry> + use<> {
        let ring = self.ring.split_off(self.position(from));
        ring.into_iter().chain(self.tree.split_off(&from).into_values())
    }

    /// The first pane that starts at or after `start`.
    #[inline]
    pub(super) fn first_from(&self, start: i64) -> Option<&Entry> {
        match self.first() {
            Some(first) if first.pane.start < start => self.first_after(start),
            first => first,
        }
    }

    fn first_after(&self, start: i64) -> Option<&Entry> {
        match self.tree.is_empty() {
            true => self.ring.get(self.position(start)),
            false => self.tree.range(start..).next().map(|(_, entry)| entry),
        }
    }

    /// The panes that start in `[from, to)`.
    pub(super) fn range(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = &Entry> {
        let to = to.max(from);
        let tree = (!self.tree.is_empty()).then(|| self.tree.range(from..to));
        let (first, last) = if self.ring.is_empty() { (0, 0) } else { (self.position(from), self.position(to)) };
        self.ring.range(first..last).chain(tree.into_iter().flatten().map(|(_, entry)| entry))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.ring.iter().chain(self.tree.values())
    }

    /// The place in the ring of the first pane that starts at or after `start`.
    fn position(&self, start: i64) -> usize {
        let (Some(first), Some(last)) = (self.ring.front(), self.ring.back()) else { return 0 };
        if start <= first.pane.start {
            return 0;
        }
        if start > last.pane.start {
            return self.ring.len();
        }
        // Where panes follow one another and are of one length, this is it.
        let length = first.pane.end.abs_diff(first.pane.start).max(1);
        let guess = usize::try_from(start.abs_diff(first.pane.start) / length).unwrap_or(usize::MAX);
        if self.ring.get(guess).is_some_and(|entry| entry.pane.start == start) {
            return guess;
        }
        self.ring.partition_point(|entry| entry.pane.start < start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(start: i64) -> Entry {
        Entry { pane: Pane { start, end: start + 10 }, slot: start as usize }
    }

    fn starts<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<i64> {
        entries.map(|entry| entry.pane.start).collect()
    }

    proptest! {
        /// Against an ordered set, in runs from either end and at random, with so many panes that the ring gives way to the map, and gaps.
        #[test]
        fn it_is_an_ordered_map(
            runs in prop::collection::vec((0i64..2000, 0usize..400, prop::sample::select(vec![-10i64, 10, 20, 7 * 10])), 1..8),
            pops in 0usize..900, probes in prop::collection::vec((0i64..20_000, 0i64..20_000), 8)
        ) {
            let (mut index, mut model) = (PaneIndex::default(), BTreeMap::new());
            for (first, length, step) in runs {
                for start in (0..length as i64).map(|n| first * 10 + n * step) {
                    prop_assert_eq!(index.find(start).is_some(), model.contains_key(&start));
                    if model.insert(start, ()).is_none() {
                        index.insert(entry(start));
                    }
                }
            }
            for _ in 0..pops {
                prop_assert_eq!(index.pop_first().map(|entry| entry.pane.start), model.pop_first().map(|(start, ())| start));
            }
            prop_assert_eq!(index.len(), model.len());
            prop_assert_eq!(index.first().map(|entry| entry.pane.start), model.first_key_value().map(|(start, ())| *start));
            prop_assert_eq!(starts(index.iter()), model.keys().copied().collect::<Vec<_>>());
            for (from, to) in probes.iter().copied() {
                prop_assert_eq!(index.first_from(from).map(|entry| entry.pane.start), model.range(from..).next().map(|(start, ())| *start));
                let expected: Vec<_> = model.range(from..to.max(from)).map(|(start, ())| *start).collect();
                prop_assert_eq!(starts(index.range(from, to)), expected.clone());
                prop_assert_eq!(starts(index.range(from, to).rev()), expected.into_iter().rev().collect::<Vec<_>>());
            }
            for (from, _) in probes {
                let taken: Vec<_> = index.split_off(from).map(|entry| entry.pane.start).collect();
                prop_assert_eq!(taken, model.split_off(&from).into_keys().collect::<Vec<_>>());
                prop_assert_eq!(starts(index.iter()), model.keys().copied().collect::<Vec<_>>());
            }
        }
    }
}
