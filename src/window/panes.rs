//! The open panes and their accumulators, found by time.
//!
//! Most records are nearly in order, so the few panes used last are tried first. This compares the
//! time with their bounds and needs neither a division nor a lookup.

use super::Pane;
use super::pane_map::PaneMap;
use std::ops::Range;

/// The number of recently used panes that are remembered. Records are usually out of order by less
/// than a few panes; four are enough.
const RECENT: usize = 4;

/// A recently used pane and its slot.
#[derive(Clone, Copy, Debug)]
struct RecentPane {
    pane: Pane,
    slot: i64,
}

/// Contains no time.
const NONE: RecentPane =
    RecentPane { pane: Pane { start: i64::MAX, end: i64::MIN }, slot: i64::MIN };

/// Maximum number of panes in [`Neighbours`].
const NEIGHBOURS: usize = 5;

/// Panes of at least this many milliseconds are not found by multiplication. The product of an
/// offset in five panes and a length must fit into 64 bits, so that the quotient is exact.
const EVEN_MAX: u64 = 1 << 30;

/// Panes without gaps between them. For times that jump between panes, finding a pane takes no
/// branch that could be mispredicted.
pub(crate) struct Neighbours<'a, T> {
    /// The first time that can be found: the start of a pane.
    from: i64,
    /// The number of milliseconds from `from` on that can be found.
    length: u64,
    cuts: Cuts,
    panes: &'a mut [(Pane, T)],
}

/// The boundaries between adjacent panes, relative to the start of the first pane.
enum Cuts {
    /// All panes have the same length. `reciprocal` is 2^64 divided by the length, rounded up. The
    /// upper half of the product of an offset and the reciprocal is the offset divided by the
    /// length.
    Even { reciprocal: u64 },
    /// The starts of the panes after the first; `u64::MAX` if there are fewer.
    At([u64; NEIGHBOURS - 1]),
}

impl Cuts {
    fn of<T>(panes: &[(Pane, T)]) -> (Self, u64) {
        let first = panes[0].0;
        let length = first.end.abs_diff(first.start);
        let (mut cuts, mut to, mut even) =
            ([u64::MAX; NEIGHBOURS - 1], first.end, (2..EVEN_MAX).contains(&length));
        for (cut, (next, _)) in cuts.iter_mut().zip(&panes[1..]) {
            if next.start != to {
                break;
            }
            even &= next.end.abs_diff(next.start) == length;
            (*cut, to) = (next.start.abs_diff(first.start), next.end);
        }
        let cuts =
            if even { Cuts::Even { reciprocal: u64::MAX / length + 1 } } else { Cuts::At(cuts) };
        (cuts, to.abs_diff(first.start))
    }

    /// Returns the index of the pane at an offset.
    #[inline]
    fn index(&self, offset: u64) -> usize {
        match self {
            Cuts::Even { reciprocal } => {
                ((u128::from(offset) * u128::from(*reciprocal)) >> 64) as usize
            }
            Cuts::At(cuts) => cuts.iter().map(|cut| usize::from(*cut <= offset)).sum(),
        }
    }
}

impl<'a, T> Neighbours<'a, T> {
    /// Uses the first of these panes and those adjacent to it, for times before `to`.
    fn new(panes: &'a mut [(Pane, T)], to: i64) -> Self {
        let from = panes[0].0.start;
        let (cuts, length) = Cuts::of(panes);
        let to = from.saturating_add_unsigned(length).min(to).max(from);
        Neighbours { from, length: to.abs_diff(from), cuts, panes }
    }

    /// Returns the accumulator of the pane around a time, or `None` if the time is not in these
    /// panes.
    #[inline]
    pub(crate) fn around(&mut self, time: i64) -> Option<&mut T> {
        // For a time before `from` this is a very large number.
        let offset = time.wrapping_sub(self.from) as u64;
        if offset >= self.length {
            return None;
        }
        self.panes.get_mut(self.cuts.index(offset)).map(|(_, accumulator)| accumulator)
    }
}

/// Accumulators by pane, in the order of time.
#[derive(Clone, Debug)]
pub(crate) struct Panes<T> {
    by_start: PaneMap<T>,
    recent: [RecentPane; RECENT],
    /// The index in `recent` that is overwritten next.
    oldest: usize,
}

impl<T> Panes<T> {
    pub(crate) fn new() -> Self {
        Panes { by_start: PaneMap::new(), recent: [NONE; RECENT], oldest: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// Returns the pane around a time with its accumulator, if the pane was used recently.
    #[inline]
    pub(crate) fn recent(&mut self, time: i64) -> Option<(Pane, &mut T)> {
        let found = self.recent.iter().find(|recent| recent.pane.contains(time))?;
        self.by_start.in_slot(found.slot).map(|accumulator| (found.pane, accumulator))
    }

    /// Returns adjacent panes around the recently used pane that contains `time`. Panes that start
    /// outside `within`, and times outside it, are not found there.
    pub(crate) fn neighbours(
        &mut self,
        time: i64,
        within: &Range<i64>,
    ) -> Option<Neighbours<'_, T>> {
        let recent = self
            .recent
            .iter()
            .find(|recent| recent.pane.contains(time) && within.contains(&recent.pane.start))?;
        let (panes, at) = self.by_start.around(recent.slot, NEIGHBOURS)?;
        let joins =
            |two: &[(Pane, T)]| two[0].0.end == two[1].0.start && two[0].0.start >= within.start;
        let before =
            panes[..=at].windows(2).rev().take(NEIGHBOURS / 2).take_while(|two| joins(two)).count();
        Some(Neighbours::new(&mut panes[at - before..], within.end))
    }

    /// Forgets recently used panes that start before this time.
    pub(crate) fn forget_before(&mut self, time: i64) {
        self.recent
            .iter_mut()
            .filter(|recent| recent.pane.start < time)
            .for_each(|recent| *recent = NONE);
    }

    /// Returns the accumulator in a slot.
    #[inline]
    pub(crate) fn in_slot(&mut self, slot: i64) -> Option<&mut T> {
        self.by_start.in_slot(slot)
    }

    /// Returns the slot of an open pane, and remembers the pane as recently used.
    pub(crate) fn find(&mut self, pane: Pane) -> Option<i64> {
        let slot = self.by_start.slot(pane.start)?;
        self.remember(pane, slot);
        Some(slot)
    }

    /// Opens a pane that is not open, and returns its slot. The slot is valid until another pane is
    /// opened.
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
        self.recent[self.oldest] = RecentPane { pane, slot };
        self.oldest = (self.oldest + 1) % RECENT;
    }

    /// Returns the accumulator of the pane that starts at `start`.
    pub(crate) fn at(&self, start: i64) -> Option<&T> {
        self.by_start.find(start)
    }

    /// Returns the start of the first open pane.
    #[inline]
    pub(crate) fn first_start(&self) -> Option<i64> {
        self.by_start.first().map(|(pane, _)| pane.start)
    }

    /// Returns the first open pane that starts at or after `time`.
    #[inline]
    pub(crate) fn first_pane_from(&self, time: i64) -> Option<Pane> {
        self.by_start.first_from(time)
    }

    /// Returns the open panes that start in `[from, to)`, in the order of time.
    pub(crate) fn range(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = (i64, &T)> {
        self.by_start.range(from, to).map(|(pane, accumulator)| (pane.start, accumulator))
    }

    /// Calls `take` with each pane of [`range`](Panes::range) until it returns an error. Needs no
    /// search if only the last pane is in the range, as when a window slides by one pane.
    #[inline]
    pub(crate) fn try_each<E>(
        &self,
        from: i64,
        to: i64,
        mut take: impl FnMut(&T) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.by_start.last_alone(from, to) {
            Some(accumulator) => take(accumulator),
            None => self.range(from, to).try_for_each(|(_, accumulator)| take(accumulator)),
        }
    }

    /// Returns the accumulator of the pane that starts at `start`, mutably.
    pub(crate) fn at_mut(&mut self, start: i64) -> Option<&mut T> {
        let slot = self.by_start.slot(start)?;
        self.by_start.in_slot(slot)
    }

    /// Returns all panes with their accumulators, in the order of time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Pane, &T)> {
        self.by_start.iter().map(|(pane, accumulator)| (*pane, accumulator))
    }

    /// Returns all accumulators, in the order of time.
    pub(crate) fn accumulators(&self) -> impl Iterator<Item = &T> {
        self.by_start.iter().map(|(_, accumulator)| accumulator)
    }

    /// Removes all panes and returns them in the order of time.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = (Pane, T)> + use<T> {
        std::mem::replace(self, Panes::new()).by_start.into_iter()
    }

    /// Closes the first pane and returns it.
    #[inline]
    pub(crate) fn close_first(&mut self) -> Option<(Pane, T)> {
        let first = self.by_start.pop_first();
        // If the pane is still in `recent`, its slot finds no pane, until slots are given out again
        // from the start.
        if self.by_start.len() == 0 {
            self.recent = [NONE; RECENT];
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Returns the pane around a time: all of length 10, or of lengths 3 and 7 in turn.
    fn pane(time: i64, paired: bool) -> Pane {
        let (start, end) = (time.div_euclid(10) * 10, time.div_euclid(10) * 10 + 10);
        match start + 3 {
            _ if !paired => Pane { start, end },
            cut if time < cut => Pane { start, end: cut },
            cut => Pane { start: cut, end },
        }
    }

    proptest! {
        /// Compares with an ordered map: panes are opened, changed and closed in any order.
        #[test]
        fn panes_are_an_ordered_map(
            steps in prop::collection::vec((0i64..200, any::<bool>(), (-50i64..250, -50i64..250)), 0..200),
            paired in any::<bool>(),
        ) {
            let mut panes = Panes::new();
            let mut model = BTreeMap::new();
            for (time, close, within) in steps {
                let pane = |time| pane(time, paired);
                if close {
                    panes.close_first();
                    model.pop_first();
                } else {
                    let pane = pane(time);
                    *model.entry(pane.start).or_insert(0) += time;
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
                let within = within.0..within.1;
                let looked_for =
                    |time: i64| within.contains(&pane(time).start) && within.contains(&time);
                let used_lately = panes.recent(time).is_some();
                prop_assert_eq!(
                    panes.neighbours(time, &within).is_some(),
                    used_lately && within.contains(&pane(time).start)
                );
                if let Some(mut neighbours) = panes.neighbours(time, &within) {
                    prop_assert_eq!(neighbours.around(time).is_some(), looked_for(time));
                    // The adjacent panes are always found; others may be.
                    let near = [pane(pane(time).start - 1), pane(time), pane(pane(time).end)];
                    prop_assert!(
                        neighbours.around(i64::MIN).is_none()
                            && neighbours.around(i64::MAX).is_none()
                    );
                    for time in -10..320 {
                        let (sum, open) = (
                            neighbours.around(time).map(|sum| *sum),
                            model.get(&pane(time).start).copied(),
                        );
                        prop_assert!(sum.is_none() || looked_for(time) && sum == open);
                        prop_assert!(
                            sum.is_some()
                                || !looked_for(time)
                                || open.is_none()
                                || near.iter().all(|near| !near.contains(time))
                        );
                    }
                }
                let seen: Vec<_> =
                    panes.range(i64::MIN, i64::MAX).map(|(start, sum)| (start, *sum)).collect();
                let expected: Vec<_> = model.iter().map(|(start, sum)| (*start, *sum)).collect();
                prop_assert_eq!(seen, expected);
                let next = model.range(time..).next().map(|(start, _)| pane(*start));
                prop_assert_eq!(panes.first_pane_from(time), next);
            }
        }

        /// Panes short enough for division by multiplication, and longer panes.
        #[test]
        fn neighbours_are_found_by_division(
            length in 1i64..3 << 29,
            first in -5i64..5,
            offset in any::<u64>(),
            edge in 0i64..6,
        ) {
            let mut panes: Vec<_> = (first..first + 5)
                .map(|n| (Pane { start: n * length, end: (n + 1) * length }, n))
                .collect();
            let mut neighbours = Neighbours::new(&mut panes, i64::MAX);
            for time in [
                first * length + (offset % (5 * length as u64)) as i64,
                (first + edge) * length - 1,
                (first + edge) * length,
            ] {
                let found = neighbours.around(time).map(|n| *n);
                let expected = time.div_euclid(length);
                prop_assert_eq!(found, (first..first + 5).contains(&expected).then_some(expected));
            }
        }
    }
}
