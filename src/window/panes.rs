//! The open panes and their accumulators, found by time.
//!
//! Records come mostly in order, so the few panes used last are tried first: one comparison of the time with their bounds, no division and no look-up.

use super::Pane;
use super::pane_map::PaneMap;

/// How many of the panes used last are remembered. Out of order by less than a few panes is the rule; four cover it.
const RECENT: usize = 4;

/// A pane that was used lately, and where it is.
#[derive(Clone, Copy, Debug)]
struct Recent {
    pane: Pane,
    slot: i64,
}

/// Matches no time.
const NONE: Recent = Recent { pane: Pane { start: i64::MAX, end: i64::MIN }, slot: i64::MIN };

/// How many panes [`Neighbours`] are at most.
const NEIGHBOURS: usize = 5;

/// Panes that follow one another without a gap: finding the one of a time takes no branch that could be guessed wrong, for times that jump from pane to pane.
pub(crate) struct Neighbours<'a, T> {
    /// The start of the first.
    pub(crate) from: i64,
    /// The end of the last.
    pub(crate) to: i64,
    /// The starts of the others; `i64::MAX` where there are fewer.
    cuts: [i64; NEIGHBOURS - 1],
    panes: &'a mut [(Pane, T)],
}

impl<T> Neighbours<'_, T> {
    /// The accumulator of the pane around a time in `[from, to)`.
    #[inline]
    pub(crate) fn around(&mut self, time: i64) -> Option<&mut T> {
        let index = self.cuts.iter().map(|cut| usize::from(*cut <= time)).sum::<usize>();
        self.panes.get_mut(index).map(|(_, accumulator)| accumulator)
    }
}

/// Accumulators by pane, in the order of time.
#[derive(Clone, Debug)]
pub(crate) struct Panes<T> {
    by_start: PaneMap<T>,
    recent: [Recent; RECENT],
    /// The place in `recent` that is overwritten next.
    oldest: usize,
}

impl<T> Panes<T> {
    pub(crate) fn new() -> Self {
        Panes { by_start: PaneMap::new(), recent: [NONE; RECENT], oldest: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// The pane around a time if it was used lately, with its accumulator.
    #[inline]
    pub(crate) fn recent(&mut self, time: i64) -> Option<(Pane, &mut T)> {
        let found = self.recent.iter().find(|recent| recent.pane.contains(time))?;
        self.by_start.in_slot(found.slot).map(|accumulator| (found.pane, accumulator))
    }

    /// Panes that follow one another, around a time whose pane was used lately; from the one of `earliest` on, if that is near before it.
    pub(crate) fn neighbours(&mut self, time: i64, earliest: i64) -> Option<Neighbours<'_, T>> {
        let slot = self.recent.iter().find(|recent| recent.pane.contains(time))?.slot;
        let (panes, at) = self.by_start.around(slot, NEIGHBOURS)?;
        let mut first = at;
        while first > 0 && at - first < NEIGHBOURS - 1 && earliest < panes[first].0.start && panes[first - 1].0.end == panes[first].0.start
        {
            first -= 1;
        }
        let panes = &mut panes[first..];
        let (from, mut to) = (panes[0].0.start, panes[0].0.end);
        let mut cuts = [i64::MAX; NEIGHBOURS - 1];
        for (cut, (next, _)) in cuts.iter_mut().zip(&panes[1..]) {
            if next.start != to {
                break;
            }
            (*cut, to) = (next.start, next.end);
        }
        Some(Neighbours { from, to, cuts, panes })
    }

    /// The accumulator in a slot.
    #[inline]
    pub(crate) fn in_slot(&mut self, slot: i64) -> Option<&mut T> {
        self.by_start.in_slot(slot)
    }

    /// The slot of an open pane, which counts as used from now on.
    pub(crate) fn find(&mut self, pane: Pane) -> Option<i64> {
        let slot = self.by_start.slot(pane.start)?;
        self.remember(pane, slot);
        Some(slot)
    }

    /// Opens a pane that is not open, and returns its slot: that stays as it is until another pane is opened.
    #[inline]
    pub(crate) fn open(&mut self, pane: Pane, accumulator: T) -> i64 {
        let (slot, moved) = self.by_start.insert(pane, accumulator);
        if moved {
            self.recent = [NONE; RECENT];
        }
        self.remember(pane, slot);
        slot
    }

    #[inline]
    fn remember(&mut self, pane: Pane, slot: i64) {
        self.recent[self.oldest] = Recent { pane, slot };
        self.oldest = (self.oldest + 1) % RECENT;
    }

    /// The accumulator of the pane that starts at `start`.
    pub(crate) fn at(&self, start: i64) -> Option<&T> {
        self.by_start.find(start)
    }

    /// The first open pane with its accumulator.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Pane, &T)> {
        self.by_start.first().map(|(pane, accumulator)| (*pane, accumulator))
    }

    /// The start of the first open pane.
    #[inline]
    pub(crate) fn first_start(&self) -> Option<i64> {
        self.by_start.first().map(|(pane, _)| pane.start)
    }

    /// The first open pane that starts at or after `time`.
    #[inline]
    pub(crate) fn first_pane_from(&self, time: i64) -> Option<Pane> {
        self.by_start.first_from(time)
    }

    /// The open panes that start in `[from, to)`, in the order of time.
    pub(crate) fn range(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = (i64, &T)> {
        self.by_start.range(from, to).map(|(pane, accumulator)| (pane.start, accumulator))
    }

    /// Gives the panes of [`range`](Panes::range) to `take` until it refuses one. Without a search where it is the last pane alone, as for a window that
    /// slides.
    #[inline]
    pub(crate) fn try_each<E>(&self, from: i64, to: i64, mut take: impl FnMut(&T) -> Result<(), E>) -> Result<(), E> {
        match self.by_start.last_alone(from, to) {
            Some(accumulator) => take(accumulator),
            None => self.range(from, to).try_for_each(|(_, accumulator)| take(accumulator)),
        }
    }

    /// The accumulator of the pane that starts at `start`, to be changed or taken.
    pub(crate) fn at_mut(&mut self, start: i64) -> Option<&mut T> {
        let slot = self.by_start.slot(start)?;
        self.by_start.in_slot(slot)
    }

    /// All panes with their accumulators, in the order of time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Pane, &T)> {
        self.by_start.iter().map(|(pane, accumulator)| (*pane, accumulator))
    }

    /// All accumulators, in the order of time.
    pub(crate) fn accumulators(&self) -> impl Iterator<Item = &T> {
        self.by_start.iter().map(|(_, accumulator)| accumulator)
    }

    /// Takes the panes that start at or after `from`; those that start before `keep_to` stay, too.
    pub(crate) fn split_off(&mut self, from: i64, keep_to: i64) -> Self
    where
        T: Clone,
    {
        let mut panes = Panes::new();
        for (pane, accumulator) in self.by_start.split_off(from) {
            if pane.start < keep_to {
                self.by_start.insert(pane, accumulator.clone());
            }
            panes.open(pane, accumulator);
        }
        self.recent = [NONE; RECENT];
        panes
    }

    /// Closes the first pane.
    #[inline]
    pub(crate) fn close_first(&mut self) {
        if let Some((pane, _)) = self.by_start.pop_first() {
            self.recent.iter_mut().filter(|recent| recent.pane.start == pane.start).for_each(|recent| *recent = NONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a plain ordered map, with panes of 10 opened, changed and closed in any order.
        #[test]
        fn panes_are_an_ordered_map(steps in prop::collection::vec((0i64..200, any::<bool>(), 0i64..200), 0..200)) {
            let mut panes = Panes::new();
            let mut model = BTreeMap::new();
            for (time, close, earliest) in steps {
                if close {
                    panes.close_first();
                    model.pop_first();
                } else {
                    let start = time / 10 * 10;
                    let pane = Pane { start, end: start + 10 };
                    *model.entry(start).or_insert(0) += time;
                    match panes.recent(time) {
                        Some((found, sum)) => {
                            prop_assert_eq!(found, pane);
                            *sum += time;
                        }
                        None => match panes.find(pane) {
                            Some(slot) => *panes.in_slot(slot).unwrap() += time,
                            None => {
                                let slot = panes.open(pane, time);
                                prop_assert_eq!(panes.in_slot(slot).copied(), Some(time));
                            }
                        },
                    }
                }
                prop_assert_eq!(panes.neighbours(time, earliest).is_some(), panes.recent(time).is_some());
                if let Some(mut neighbours) = panes.neighbours(time, earliest) {
                    prop_assert!(neighbours.from <= time && time < neighbours.to);
                    for time in neighbours.from..neighbours.to {
                        prop_assert_eq!(neighbours.around(time).map(|sum| *sum), model.get(&(time / 10 * 10)).copied());
                    }
                }
                let seen: Vec<_> = panes.range(i64::MIN, i64::MAX).map(|(start, sum)| (start, *sum)).collect();
                let expected: Vec<_> = model.iter().map(|(start, sum)| (*start, *sum)).collect();
                prop_assert_eq!(seen, expected);
                let next = model.range(time..).next().map(|(start, _)| Pane { start: *start, end: *start + 10 });
                prop_assert_eq!(panes.first_pane_from(time), next);
            }
        }
    }
}
