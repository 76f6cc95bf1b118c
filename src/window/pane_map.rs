//! The open panes, each with a value, in the order of time.
//!
//! Panes usually open at the late end and close at the early end. So they are stored in a ring,
//! where this needs no search, and most other panes are found by arithmetic. If inserting a pane
//! would have to move many others, the ring becomes an ordered map until all panes are closed.
//! Therefore no order of records can make the map quadratic.

use super::Pane;
use std::collections::{BTreeMap, VecDeque};

/// Maximum bytes of panes and values that an insertion may move. Moving this much is about as fast
/// as a search in a large map.
const MOVED_BYTES_MAX: usize = 1 << 13;

/// A pane with its value.
type Entry<T> = (Pane, T);

/// An ordered map from the starts of panes to values.
#[derive(Clone, Debug)]
pub(super) struct PaneMap<T> {
    ring: VecDeque<Entry<T>>,
    /// The slot of the ring's first pane. The panes after it have the slots after it.
    first_slot: i64,
    /// If not empty, the tree has all panes and the ring is empty. The slot of a pane is then its
    /// start.
    tree: BTreeMap<i64, Entry<T>>,
}

impl<T> PaneMap<T> {
    /// Maximum number of panes that an insertion may move.
    const MOVED_MAX: usize = MOVED_BYTES_MAX / size_of::<Entry<T>>();

    pub(super) fn new() -> Self {
        PaneMap { ring: VecDeque::new(), first_slot: 0, tree: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len() + self.tree.len()
    }

    /// Returns the slot of the pane that starts at `start`. The slot is valid until an
    /// [`insert`](PaneMap::insert) moves panes.
    pub(super) fn slot(&self, start: i64) -> Option<i64> {
        if !self.tree.is_empty() {
            return self.tree.contains_key(&start).then_some(start);
        }
        let position = self.position(start);
        self.ring
            .get(position)
            .filter(|(pane, _)| pane.start == start)
            .map(|_| self.slot_at(position))
    }

    /// Returns the value of the pane in a slot.
    #[inline]
    pub(super) fn in_slot(&mut self, slot: i64) -> Option<&mut T> {
        let entry = match self.tree.is_empty() {
            true => self.ring.get_mut(slot.wrapping_sub(self.first_slot) as usize),
            false => self.tree.get_mut(&slot),
        };
        entry.map(|(_, value)| value)
    }

    /// Returns panes that are adjacent in memory around the pane in `slot`, and the index of that
    /// pane among them. There are at least `near` panes on either side if they exist. If the
    /// panes are in the ordered map, the pane is alone.
    pub(super) fn around(&mut self, slot: i64, near: usize) -> Option<(&mut [Entry<T>], usize)> {
        if !self.tree.is_empty() {
            return self.tree.get_mut(&slot).map(|entry| (std::slice::from_mut(entry), 0));
        }
        let position = slot.wrapping_sub(self.first_slot) as usize;
        let (front, back) = self.ring.as_slices();
        if !back.is_empty() && position.abs_diff(front.len()) <= near {
            // Doubles the room, so that as many panes open before the ring wraps around again.
            self.ring.reserve(self.ring.len());
            self.ring.make_contiguous();
        }
        let (front, back) = self.ring.as_mut_slices();
        let (panes, position) =
            if position < front.len() { (front, position) } else { (back, position - front.len()) };
        (position < panes.len()).then_some((panes, position))
    }

    /// Returns the value of the pane that starts at `start`.
    pub(super) fn find(&self, start: i64) -> Option<&T> {
        let entry = match self.tree.is_empty() {
            true => self.ring.get(self.position(start)).filter(|(pane, _)| pane.start == start),
            false => self.tree.get(&start),
        };
        entry.map(|(_, value)| value)
    }

    #[inline]
    fn slot_at(&self, position: usize) -> i64 {
        self.first_slot.wrapping_add(position as i64)
    }

    /// Adds a pane whose start is not in the map. Returns its slot, and true if the slots of other
    /// panes have changed.
    #[inline]
    pub(super) fn insert(&mut self, pane: Pane, value: T) -> (i64, bool) {
        match self.ring.back() {
            Some((last, _)) if last.start < pane.start => {
                self.ring.push_back((pane, value));
                (self.slot_at(self.ring.len() - 1), false)
            }
            _ => self.insert_between(pane, value),
        }
    }

    fn insert_between(&mut self, pane: Pane, value: T) -> (i64, bool) {
        if !self.tree.is_empty() {
            self.tree.insert(pane.start, (pane, value));
            return (pane.start, false);
        }
        let position = self.position(pane.start);
        if position.min(self.ring.len() - position) <= Self::MOVED_MAX {
            self.ring.insert(position, (pane, value));
            return (self.slot_at(position), true);
        }
        self.tree = self.ring.drain(..).map(|entry| (entry.0.start, entry)).collect();
        self.tree.insert(pane.start, (pane, value));
        (pane.start, true)
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&Entry<T>> {
        match self.ring.front() {
            None if !self.tree.is_empty() => self.tree.first_key_value().map(|(_, entry)| entry),
            first => first,
        }
    }

    /// Removes the first pane. The slots of other panes do not change, and no pane gets the free
    /// slot while there are other panes.
    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<Entry<T>> {
        match self.ring.pop_front() {
            None if !self.tree.is_empty() => self.tree.pop_first().map(|(_, entry)| entry),
            first => {
                self.first_slot = self.first_slot.wrapping_add(1);
                first
            }
        }
    }

    /// Returns the value of the last pane if it is the only one that starts in `[from, to)`.
    /// Returns `None` if a search would be needed to know that.
    #[inline]
    pub(super) fn last_alone(&self, from: i64, to: i64) -> Option<&T> {
        let (pane, last) =
            self.ring.back().filter(|(last, _)| from <= last.start && last.start < to)?;
        // No pane starts between `from` and a pane that starts exactly there.
        let before = || self.ring.len().checked_sub(2).and_then(|position| self.ring.get(position));
        (pane.start == from || before().is_none_or(|(before, _)| before.start < from))
            .then_some(last)
    }

    /// Returns all panes in the order of time.
    pub(super) fn into_iter(self) -> impl Iterator<Item = Entry<T>> + use<T> {
        self.ring.into_iter().chain(self.tree.into_values())
    }

    /// Returns the first pane that starts at or after `start`.
    #[inline]
    pub(super) fn first_from(&self, start: i64) -> Option<Pane> {
        match self.first() {
            Some((first, _)) if first.start < start => self.first_after(start),
            first => first.map(|(first, _)| *first),
        }
    }

    fn first_after(&self, start: i64) -> Option<Pane> {
        let entry = match self.tree.is_empty() {
            true => self.ring.get(self.position(start)),
            false => self.tree.range(start..).next().map(|(_, entry)| entry),
        };
        entry.map(|(pane, _)| *pane)
    }

    /// Returns the panes that start in `[from, to)`.
    pub(super) fn range(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = &Entry<T>> {
        let to = to.max(from);
        let tree = (!self.tree.is_empty()).then(|| self.tree.range(from..to));
        let (first, last) =
            if self.ring.is_empty() { (0, 0) } else { (self.position(from), self.position(to)) };
        self.ring.range(first..last).chain(tree.into_iter().flatten().map(|(_, entry)| entry))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.ring.iter().chain(self.tree.values())
    }

    /// Returns the index in the ring of the first pane that starts at or after `start`.
    fn position(&self, start: i64) -> usize {
        let (Some((first, _)), Some((last, _))) = (self.ring.front(), self.ring.back()) else {
            return 0;
        };
        if start <= first.start {
            return 0;
        }
        if start > last.start {
            return self.ring.len();
        }
        // Correct if all panes have the same length and there are no gaps.
        let length = first.end.abs_diff(first.start).max(1);
        let guess = usize::try_from(start.abs_diff(first.start) / length).unwrap_or(usize::MAX);
        if self.ring.get(guess).is_some_and(|(pane, _)| pane.start == start) {
            return guess;
        }
        self.ring.partition_point(|(pane, _)| pane.start < start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pane(start: i64) -> Pane {
        Pane { start, end: start + 10 }
    }

    fn starts<'a>(entries: impl Iterator<Item = &'a Entry<i64>>) -> Vec<i64> {
        entries.map(|(pane, value)| if pane.start == *value { *value } else { i64::MIN }).collect()
    }

    proptest! {
        /// Compares with an ordered set: panes come in runs at either end, at random and with gaps,
        /// and are so many that the ring becomes the map.
        #[test]
        fn it_is_an_ordered_map(
            runs in prop::collection::vec((0i64..2000, 0usize..400, prop::sample::select(vec![-10i64, 10, 20, 7 * 10])), 1..8),
            pops in 0usize..900,
            probes in prop::collection::vec((0i64..20_000, 0i64..20_000), 8),
        ) {
            let (mut map, mut model) = (PaneMap::new(), BTreeMap::new());
            for (first, length, step) in runs {
                for start in (0..length as i64).map(|n| first * 10 + n * step) {
                    prop_assert_eq!(map.find(start).is_some(), model.contains_key(&start));
                    if model.insert(start, ()).is_none() {
                        let (slot, _) = map.insert(pane(start), start);
                        prop_assert_eq!(map.slot(start), Some(slot));
                        prop_assert_eq!(map.in_slot(slot).copied(), Some(start));
                    }
                }
            }
            for _ in 0..pops {
                prop_assert_eq!(
                    map.pop_first().map(|(pane, _)| pane.start),
                    model.pop_first().map(|(start, ())| start)
                );
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(
                map.first().map(|(pane, _)| pane.start),
                model.first_key_value().map(|(start, ())| *start)
            );
            prop_assert_eq!(starts(map.iter()), model.keys().copied().collect::<Vec<_>>());
            for (from, to) in probes.iter().copied() {
                prop_assert_eq!(
                    map.first_from(from).map(|pane| pane.start),
                    model.range(from..).next().map(|(start, ())| *start)
                );
                prop_assert_eq!(map.find(from).copied(), model.contains_key(&from).then_some(from));
                let slot = map.slot(from);
                prop_assert_eq!(
                    slot.and_then(|slot| map.in_slot(slot)).copied(),
                    model.contains_key(&from).then_some(from)
                );
                let expected: Vec<_> =
                    model.range(from..to.max(from)).map(|(start, ())| *start).collect();
                prop_assert_eq!(starts(map.range(from, to)), expected.clone());
                if let Some(last) = map.last_alone(from, to) {
                    prop_assert_eq!(&expected, &vec![*last]);
                }
                prop_assert_eq!(
                    starts(map.range(from, to).rev()),
                    expected.into_iter().rev().collect::<Vec<_>>()
                );
            }
            prop_assert_eq!(
                map.into_iter().map(|(pane, _)| pane.start).collect::<Vec<_>>(),
                model.into_keys().collect::<Vec<_>>()
            );
        }
    }
}
